"""2D joints as the lifter sees them: rays around the person, free of lens, distance and place in the picture.

Per frame, the camera is turned (never moved) until it looks at the person's hips; this is the *virtual* camera. Seen by
it, joints are divided by ``scale``, the picture's size of one metre of body, so that they read as metres, roughly. What
that throws away for good reason is where in the picture the person stood; how fast the scale changes is kept, because
it tells motion towards the camera. Nothing looks at a later frame, so a causal lifter can use the same numbers.

Capture and training both call `encode`; there is no second implementation.

Features of one frame, ``FEATURES`` = 52 numbers: (u, v, confidence) of each COCO-17 joint, then the scale's rate.

* seen: u, v, confidence > 0
* filled in (finite, confidence 0): u, v, 0
* not seen (NaN): 0, 0, 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import COCO_17

__all__ = [
    "ENCODING",
    "FEATURES",
    "Encoded",
    "cam_from_virtual",
    "encode",
    "virtual_from_cam_points",
]

ENCODING = "hip-rays-1"
FEATURES = 3 * len(COCO_17) + 1

_FACE = [COCO_17.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
_SHOULDERS = [COCO_17.index(name) for name in ("left_shoulder", "right_shoulder")]
_HIPS = [COCO_17.index(name) for name in ("left_hip", "right_hip")]

# RMS distance from the mid-hip, at right angles to the view, of each COCO-17 joint on the training bodies (1.70 m):
# the yardstick that stays comparable when some joints are not seen.
_YARDSTICK_M = np.array(
    [0.60, 0.64, 0.64, 0.63, 0.63, 0.50, 0.50, 0.40, 0.40, 0.50, 0.50, 0.08, 0.08, 0.38, 0.38, 0.71, 0.71]
)
# Distance face-shoulders to shoulders-hips of an upright body: where hips are expected when only those above are seen.
_TORSO_PER_NECK = 2.5
_MIN_DEPTH = 0.05  # of a unit ray: points more than 87 degrees off the virtual axis are held at its rim
_RATE_GAIN = 10.0  # brings the scale's change per frame to the size of the other features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """What `encode` returns.

    Attributes:
        features: (..., T, 52), the lifter's input.
        virtual_from_cam: (..., T, 3, 3) rotation from the camera's axes to those of the virtual camera.
    """

    features: NDArray[np.floating]
    virtual_from_cam: NDArray[np.floating]


def encode(rays: NDArray[np.floating], confidence: NDArray[np.floating]) -> Encoded:
    """Encode rays of COCO-17 joints; any number of clips at once.

    Args:
        rays: (..., T, 17, 3) in the camera frame with z = 1; NaN where not seen.
        confidence: (..., T, 17), 0 where not seen or filled in.

    Returns:
        Features and the rotation that undoes the virtual camera, in the dtype of ``rays``.
    """
    known = np.isfinite(rays).all(axis=-1)
    points = np.where(known[..., None], rays, 0)
    virtual_from_cam = _rotation_to_z(_root_xy(points[..., :2], known))
    turned = np.einsum("...ij,...kj->...ki", virtual_from_cam, points)
    uv = turned[..., :2] / np.maximum(turned[..., 2:], _MIN_DEPTH)
    uv = np.where(known[..., None], uv, 0)
    scale = _scale(uv, known & (confidence > 0), known)
    features = np.empty((*rays.shape[:-2], FEATURES), dtype=rays.dtype)
    by_joint = features[..., :-1].reshape(*rays.shape[:-1], 3)
    by_joint[..., :2] = uv / scale[..., None, None]
    by_joint[..., 2] = np.where(known, confidence, 0)
    features[..., :-1] = by_joint.reshape(*rays.shape[:-2], -1)
    features[..., 0, -1] = 0
    features[..., 1:, -1] = np.clip(_RATE_GAIN * np.diff(np.log(scale), axis=-1), -3, 3)
    return Encoded(features=features, virtual_from_cam=virtual_from_cam)


def cam_from_virtual(xyz_m: NDArray[np.floating], virtual_from_cam: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn points (..., T, N, 3) of the virtual camera back to the camera's axes."""
    return np.asarray(np.einsum("...ji,...kj->...ki", virtual_from_cam, xyz_m))


def virtual_from_cam_points(
    xyz_m: NDArray[np.floating], virtual_from_cam: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Turn points (..., T, N, 3) of the camera to the virtual camera's axes."""
    return np.asarray(np.einsum("...ij,...kj->...ki", virtual_from_cam, xyz_m))


def _root_xy(xy: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Where the virtual camera looks, (..., T, 2) on the plane z = 1.

    The middle of the known hips; without hips, where they are expected below face and shoulders; else the middle of
    whatever is known; in a frame with nothing, as in the last frame that had something (the optical axis before it).
    """
    hips, has_hips = _mean_of(xy, known, _HIPS)
    shoulders, has_shoulders = _mean_of(xy, known, _SHOULDERS)
    face, has_face = _mean_of(xy, known, _FACE)
    anything, has_anything = _mean_of(xy, known, list(range(xy.shape[-2])))
    below = shoulders + _TORSO_PER_NECK * (shoulders - face)
    root = np.where((has_shoulders & has_face)[..., None], below, anything)
    root = np.where(has_hips[..., None], hips, root)
    last = np.maximum.accumulate(np.where(has_anything, np.arange(xy.shape[-3]), -1), axis=-1)
    held = np.take_along_axis(root, np.maximum(last, 0)[..., None], axis=-2)
    return np.where(last[..., None] < 0, 0, held).astype(xy.dtype)


def _mean_of(
    xy: NDArray[np.floating], known: NDArray[np.bool_], joints: list[int]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Mean (..., T, 2) of those of ``joints`` that are known, and whether any is."""
    count = known[..., joints].sum(axis=-1)
    total = xy[..., joints, :].sum(axis=-2)  # unknown points are 0
    return total / np.maximum(count, 1)[..., None], count > 0


def _rotation_to_z(xy: NDArray[np.floating]) -> NDArray[np.floating]:
    """The smallest rotation that takes the ray (x, y, 1) to +z, (..., 3, 3)."""
    norm = np.sqrt((xy**2).sum(axis=-1) + 1)
    x, y, z = xy[..., 0] / norm, xy[..., 1] / norm, 1 / norm
    k = 1 / (1 + z)  # z > 0: rays point forward, so there is no singularity
    rows = [[1 - k * x * x, -k * x * y, -x], [-k * x * y, 1 - k * y * y, -y], [x, y, z]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _scale(uv: NDArray[np.floating], seen: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.floating]:
    """The picture's size of one metre of body, (..., T): seen joints against the yardstick, filled ones if none is.

    A frame without any keeps the last one's scale, so that the rate stays quiet.
    """
    used = np.where(seen.any(axis=-1, keepdims=True), seen, known)
    spread = (np.where(used, (uv**2).sum(axis=-1), 0)).sum(axis=-1)
    yardstick = np.where(used, _YARDSTICK_M**2, 0).sum(axis=-1)
    valid = (yardstick > 0) & (spread > 0)
    scale = np.sqrt(np.where(valid, spread, 1) / np.where(valid, yardstick, 1))
    last = np.maximum.accumulate(np.where(valid, np.arange(scale.shape[-1]), -1), axis=-1)
    held = np.take_along_axis(scale, np.maximum(last, 0), axis=-1)
    return np.where(last < 0, 1, held).astype(uv.dtype)
