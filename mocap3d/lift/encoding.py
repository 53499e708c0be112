"""2D joints as the lifter sees them: rays around the person, free of lens, distance and place in the picture.

Per frame, the camera is turned (never moved) until it looks at the person's hips; this is the *virtual* camera. Seen by
it, joints are divided by ``scale``, the picture's size of one metre of body, so that they read as metres, roughly. What
that throws away for good reason is where in the picture the person stood; how fast the scale changes is kept, because
it tells motion towards the camera. Nothing looks at a later frame, so a causal lifter can use the same numbers.

Capture and training both call `encode`; there is no second implementation.

Features of one frame: (u, v, confidence) of each joint, then the scale's rate; 52 numbers for COCO-17. That is
``hip-rays-1``. ``hip-rays-2`` adds what a body of known bones tells about depth: a bone that looks shorter than it is
points towards the camera or away, by sqrt(length^2 - seen length^2). One number for each bone (0 where an end is not
known), and the logarithm of the scale at which the two bones that look longest have their length, over the first scale.

* seen: u, v, confidence > 0
* filled in (finite, confidence 0): u, v, 0
* not seen (NaN): 0, 0, 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17

__all__ = [
    "ENCODING",
    "ENCODINGS",
    "FORESHORTENED",
    "SCREEN_NORMALISED",
    "Encoded",
    "cam_from_virtual",
    "encode",
    "feature_count",
    "virtual_from_cam_points",
]

ENCODING = "hip-rays-1"
FORESHORTENED = "hip-rays-2"
SCREEN_NORMALISED = "screen-normalised"  # VideoPose3D's: see ``screen_encoding.py``
ENCODINGS = (ENCODING, FORESHORTENED, SCREEN_NORMALISED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Which joints of a skeleton say where the person is and how large.

    Attributes:
        hips: their mean is where the virtual camera looks.
        shoulders: with the face, they tell where the hips are expected when none is seen.
        face: points of the face.
        yardstick_m: (J,) RMS distance from the mid-hip, at right angles to the view, on the training bodies (1.70 m):
            the yardstick that stays comparable when some joints are not seen.
        bones: (B, 2) joints that keep their distance, limbs first.
        lengths_m: (B,) how long they are on a body of 1.70 m.
        limbs: how many of the bones are thighs, shanks, upper arms and forearms.
    """

    hips: tuple[int, ...]
    shoulders: tuple[int, ...]
    face: tuple[int, ...]
    yardstick_m: NDArray[np.float64]
    bones: NDArray[np.int64]
    lengths_m: NDArray[np.float64]
    limbs: int = 8


_LIMBS_M = {("hip", "knee"): 0.414, ("knee", "ankle"): 0.421, ("shoulder", "elbow"): 0.270, ("elbow", "wrist"): 0.240}
_COCO_BONES_M = {
    ("left_hip", "right_hip"): 0.24, ("left_shoulder", "right_shoulder"): 0.34,
    ("left_shoulder", "left_hip"): 0.48, ("right_shoulder", "right_hip"): 0.48,
    ("nose", "left_ear"): 0.14, ("nose", "right_ear"): 0.14,
    ("nose", "left_shoulder"): 0.27, ("nose", "right_shoulder"): 0.27,
}  # fmt: skip
_HUMAN36M_BONES_M = {
    ("pelvis", "left_hip"): 0.124, ("pelvis", "right_hip"): 0.124, ("pelvis", "spine"): 0.217,
    ("spine", "thorax"): 0.239, ("thorax", "neck"): 0.113, ("neck", "head"): 0.107,
    ("thorax", "left_shoulder"): 0.141, ("thorax", "right_shoulder"): 0.141,
}  # fmt: skip


def _points(
    skeleton: Skeleton, face: str, yardstick_m: list[float], other_bones_m: dict[tuple[str, str], float]
) -> _Points:
    limbs_m = {
        (f"{side}_{a}", f"{side}_{b}"): length for side in ("left", "right") for (a, b), length in _LIMBS_M.items()
    }
    bones_m = limbs_m | other_bones_m
    return _Points(
        hips=(skeleton.index("left_hip"), skeleton.index("right_hip")),
        shoulders=(skeleton.index("left_shoulder"), skeleton.index("right_shoulder")),
        face=tuple(skeleton.index(name) for name in face.split()),
        yardstick_m=np.array(yardstick_m),
        bones=np.array([[skeleton.index(name) for name in bone] for bone in bones_m]),
        lengths_m=np.array(list(bones_m.values())),
    )


_POINTS = {
    COCO_17.name: _points(
        COCO_17,
        "nose left_eye right_eye left_ear right_ear",
        [0.60, 0.64, 0.64, 0.63, 0.63, 0.50, 0.50, 0.40, 0.40, 0.50, 0.50, 0.08, 0.08, 0.38, 0.38, 0.71, 0.71],
        _COCO_BONES_M,
    ),
    HUMAN36M_17.name: _points(
        HUMAN36M_17,
        "neck head",
        [0.0, 0.09, 0.40, 0.75, 0.09, 0.40, 0.75, 0.21, 0.44, 0.51, 0.59, 0.40, 0.31, 0.35, 0.40, 0.31, 0.35],
        _HUMAN36M_BONES_M,
    ),
}
# Distance face-shoulders to shoulders-hips of an upright body: where hips are expected when only those above are seen.
_TORSO_PER_NECK = 2.5
_FARTHEST_M = 3.0  # of a joint from the hips: the scale may be wrong by any factor
_LEAST_YARDSTICK_M2 = 0.4  # sum of squares over the joints seen: two arms do, hips or one leg do not
_MIN_DEPTH = 0.05  # of a unit ray: points more than 87 degrees off the virtual axis are held at its rim
_DEEPEST = 1.1  # a bone may be a little longer than the table says, or nearer than the hips
_RATE_GAIN = 10.0  # brings the scale's change per frame to the size of the other features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """What `encode` returns.

    Attributes:
        features: (..., T, F), the lifter's input.
        virtual_from_cam: (..., T, 3, 3) rotation from the camera's axes to those of the virtual camera.
        scale: (..., T) the virtual picture's size of one metre of body, by the yardstick; about 1 / distance in metres.
    """

    features: NDArray[np.floating]
    virtual_from_cam: NDArray[np.floating]
    scale: NDArray[np.floating]


def feature_count(encoding: str, skeleton: Skeleton) -> int:
    """How many numbers per frame an encoding makes of a skeleton's joints.

    Raises:
        InputError: there is no such encoding, or it does not know the skeleton.
    """
    if encoding == SCREEN_NORMALISED:
        return 2 * len(skeleton)
    if encoding not in (ENCODING, FORESHORTENED) or skeleton.name not in _POINTS:
        raise InputError(
            f"this version of mocap3d cannot encode {skeleton.name} as {encoding!r}; it has {', '.join(ENCODINGS)}, "
            f"the first two for {' and '.join(_POINTS)}"
        )
    by_bone = len(_POINTS[skeleton.name].bones) + 1 if encoding == FORESHORTENED else 0
    return 3 * len(skeleton) + 1 + by_bone


def encode(
    rays: NDArray[np.floating],
    confidence: NDArray[np.floating],
    skeleton: Skeleton = COCO_17,
    encoding: str = ENCODING,
) -> Encoded:
    """Encode rays of joints; any number of clips at once.

    Args:
        rays: (..., T, J, 3) in the camera frame with z = 1; NaN where not seen.
        confidence: (..., T, J), 0 where not seen or filled in.
        skeleton: names the J joints: COCO_17 or HUMAN36M_17.
        encoding: `ENCODING` or `FORESHORTENED`.

    Returns:
        Features, scale, and the rotation that undoes the virtual camera, in the dtype of ``rays``.
    """
    features = np.empty((*rays.shape[:-2], feature_count(encoding, skeleton)), dtype=rays.dtype)
    body, joints = _POINTS[skeleton.name], 3 * len(skeleton)
    known = np.isfinite(rays).all(axis=-1)
    points = np.where(known[..., None], rays, 0)
    virtual_from_cam = _rotation_to_z(_root_xy(points[..., :2], known, body))
    turned = np.einsum("...ij,...kj->...ki", virtual_from_cam, points)
    uv = turned[..., :2] / np.maximum(turned[..., 2:], _MIN_DEPTH)
    uv = np.where(known[..., None], uv, 0)
    scale = _scale(uv, known & (confidence > 0), known, body)
    by_joint = features[..., :joints].reshape(*rays.shape[:-1], 3)
    by_joint[..., :2] = np.clip(uv / scale[..., None, None], -_FARTHEST_M, _FARTHEST_M)
    by_joint[..., 2] = np.where(known, confidence, 0)
    features[..., :joints] = by_joint.reshape(*rays.shape[:-2], -1)
    features[..., 0, joints] = 0
    features[..., 1:, joints] = np.clip(_RATE_GAIN * np.diff(np.log(scale), axis=-1), -3, 3)
    if encoding == FORESHORTENED:
        features[..., joints + 1 :] = _foreshortening(by_joint[..., :2], known, body)
    return Encoded(features=features, virtual_from_cam=virtual_from_cam, scale=scale)


def cam_from_virtual(xyz_m: NDArray[np.floating], virtual_from_cam: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn points (..., T, N, 3) of the virtual camera back to the camera's axes."""
    return np.asarray(np.einsum("...ji,...kj->...ki", virtual_from_cam, xyz_m))


def virtual_from_cam_points(
    xyz_m: NDArray[np.floating], virtual_from_cam: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Turn points (..., T, N, 3) of the camera to the virtual camera's axes."""
    return np.asarray(np.einsum("...ij,...kj->...ki", virtual_from_cam, xyz_m))


def _root_xy(xy: NDArray[np.floating], known: NDArray[np.bool_], body: _Points) -> NDArray[np.floating]:
    """Where the virtual camera looks, (..., T, 2) on the plane z = 1.

    The middle of the known hips; without hips, where they are expected below face and shoulders; else the middle of
    whatever is known; in a frame with nothing, as in the last frame that had something (the optical axis before it).
    """
    hips, has_hips = _mean_of(xy, known, body.hips)
    shoulders, has_shoulders = _mean_of(xy, known, body.shoulders)
    face, has_face = _mean_of(xy, known, body.face)
    anything, has_anything = _mean_of(xy, known, tuple(range(xy.shape[-2])))
    below = shoulders + _TORSO_PER_NECK * (shoulders - face)
    root = np.where((has_shoulders & has_face)[..., None], below, anything)
    root = np.where(has_hips[..., None], hips, root)
    last = np.maximum.accumulate(np.where(has_anything, np.arange(xy.shape[-3]), -1), axis=-1)
    held = np.take_along_axis(root, np.maximum(last, 0)[..., None], axis=-2)
    return np.where(last[..., None] < 0, 0, held).astype(xy.dtype)


def _mean_of(
    xy: NDArray[np.floating], known: NDArray[np.bool_], joints: tuple[int, ...]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Mean (..., T, 2) of those of ``joints`` that are known, and whether any is."""
    count = known[..., list(joints)].sum(axis=-1)
    total = xy[..., list(joints), :].sum(axis=-2)  # unknown points are 0
    return total / np.maximum(count, 1)[..., None], count > 0


def _rotation_to_z(xy: NDArray[np.floating]) -> NDArray[np.floating]:
    """The smallest rotation that takes the ray (x, y, 1) to +z, (..., 3, 3)."""
    norm = np.sqrt((xy**2).sum(axis=-1) + 1)
    x, y, z = xy[..., 0] / norm, xy[..., 1] / norm, 1 / norm
    k = 1 / (1 + z)  # z > 0: rays point forward, so there is no singularity
    rows = [[1 - k * x * x, -k * x * y, -x], [-k * x * y, 1 - k * y * y, -y], [x, y, z]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _scale(
    uv: NDArray[np.floating], seen: NDArray[np.bool_], known: NDArray[np.bool_], body: _Points
) -> NDArray[np.floating]:
    """The picture's size of one metre of body, (..., T): seen joints against the yardstick, filled ones if none is.

    A frame with too few to measure by (two hips, say) keeps the last one's scale.
    """
    used = np.where(seen.any(axis=-1, keepdims=True), seen, known)
    spread = (np.where(used, (uv**2).sum(axis=-1), 0)).sum(axis=-1)
    yardstick = np.where(used, body.yardstick_m**2, 0).sum(axis=-1)
    valid = (yardstick > _LEAST_YARDSTICK_M2) & (spread > 0)
    scale = np.sqrt(np.where(valid, spread, 1) / np.where(valid, yardstick, 1))
    last = np.maximum.accumulate(np.where(valid, np.arange(scale.shape[-1]), -1), axis=-1)
    held = np.take_along_axis(scale, np.maximum(last, 0), axis=-1)
    return np.where(last < 0, 1, held).astype(uv.dtype)


def _foreshortening(xy_m: NDArray[np.floating], known: NDArray[np.bool_], body: _Points) -> NDArray[np.floating]:
    """What bones of known length tell about depth: (..., T, B + 1).

    Args:
        xy_m: (..., T, J, 2) joints in the picture over the scale.
        known: (..., T, J).
        body: names the bones.
    """
    first, second = body.bones.T
    both = known[..., first] & known[..., second]
    seen_m = np.sqrt(((xy_m[..., first, :] - xy_m[..., second, :]) ** 2).sum(axis=-1))
    ratio = np.where(both, seen_m / body.lengths_m.astype(xy_m.dtype), 0)
    longest = np.partition(ratio[..., : body.limbs], body.limbs - 2, axis=-1)[..., -2:].mean(axis=-1, keepdims=True)
    # Nearer to 1 than to what one wrong joint may make of it; 1 where no limb is known.
    longest = np.where(longest > 0, np.clip(longest, 0.5, 2), 1)
    depth_m = body.lengths_m * np.sqrt(np.maximum(_DEEPEST - (ratio / longest) ** 2, 0))
    return np.concatenate([np.where(both, depth_m, 0), np.log(longest)], axis=-1)
