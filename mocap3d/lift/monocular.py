"""One camera's 2D joints -> joints around the pelvis, in metres: the learned half of lifting.

Frame by frame, pixels become rays (`base.projection`), rays become features (``encoding.py``), and the network
(``temporal.py``) turns a window of frames into numbers about one of them (``outputs.py``): joints around the root, and,
where the weights know them, the root's own place and foot contacts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import px_to_rays
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.encoding import SCREEN_NORMALISED, cam_from_virtual, encode
from mocap3d.lift.holding import hold_unseen, longest_hold
from mocap3d.lift.lifter_weights import LifterWeights, load_weights
from mocap3d.lift.outputs import read_outputs
from mocap3d.lift.resample import at_rate, back_to_frames
from mocap3d.lift.screen_encoding import encode_screen, px_to_screen
from mocap3d.lift.temporal import run_lifter

__all__ = [
    "Lifted",
    "Precision",
    "body_of",
    "evidence",
    "lift_everything",
    "lift_pose2d",
]

Precision = Literal["float32", "bf16"]

_SAME_RATE = 0.02  # rates that differ by less than this share are the same: 29.97 is lifted as 30

# Which 2D points speak for a joint that the detector does not see itself. Toes are inferred from ankles and stride.
_EVIDENCE: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "neck": ("left_shoulder", "right_shoulder"),
    "head": ("nose", "left_ear", "right_ear"),
    "face": ("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "left_toe": ("left_ankle",),
    "right_toe": ("right_ankle",),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lifted:
    """All that a lifter says about T frames.

    Attributes:
        body: joints around the root, camera axes.
        root_m: (T, 3) the root in the camera's frame; None if the weights have no trajectory.
        root_std_m: (T,) expected error of the root's distance from the camera; None as above.
        contacts: (T, 4) probability that left heel, left toe, right heel, right toe stand; None if the weights have
            no contacts.
    """

    body: Pose3D
    root_m: NDArray[np.float64] | None
    root_std_m: NDArray[np.float64] | None
    contacts: NDArray[np.float64] | None


def lift_pose2d(
    pose2d: Pose2D,
    camera: Camera,
    *,
    weights: LifterWeights | None = None,
    height_m: float = 1.70,
    device: str = "cpu",
    precision: Precision = "float32",
) -> Pose3D:
    """Lift one person's 2D joints to space.

    Args:
        pose2d: T frames of the weights' input skeleton; NaN where not seen. Joints that are not seen for up to a
            quarter of a second are taken to be where they were (``holding.py``).
        camera: the camera that saw them (its lens; its pose is not used).
        weights: the lifter; the shipped one when None.
        height_m: body height of the person; everything scales with it.
        device: "cpu" (NumPy, no torch needed) or a torch device such as "cuda".
        precision: "bf16" computes the hidden layers in bf16, with torch on any device: about twice as fast where the
            processor knows bf16, and off by a fraction of a millimetre.

    Returns:
        T frames of the weights' output skeleton in the camera's axes with the root at the origin. Every joint is
        finite; confidence is 0 where nothing in the picture spoke for it, and ``std_m`` is larger there.

    Raises:
        InputError: another skeleton than the weights were trained for, no frames, a height that is not positive, or no
            such precision.
        MissingExtraError: a device other than "cpu", or bf16, without torch.
    """
    return lift_everything(pose2d, camera, weights=weights, height_m=height_m, device=device, precision=precision).body


def lift_everything(
    pose2d: Pose2D,
    camera: Camera,
    *,
    weights: LifterWeights | None = None,
    height_m: float = 1.70,
    device: str = "cpu",
    precision: Precision = "float32",
) -> Lifted:
    """Lift joints, and with weights that know them also the root's trajectory and foot contacts.

    Args and errors: as of `lift_pose2d`.
    """
    weights = load_weights() if weights is None else weights
    _check(pose2d, weights, height_m)
    if precision not in get_args(Precision):
        raise InputError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}")
    on_screen = weights.meta.encoding == SCREEN_NORMALISED
    points = px_to_screen(camera, pose2d.xy_px) if on_screen else px_to_rays(camera, pose2d.xy_px)
    confidence = pose2d.confidence
    ratio = float(pose2d.fps / weights.meta.fps)
    same_rate = abs(ratio - 1) <= _SAME_RATE
    if not same_rate:
        points, confidence = at_rate(points, confidence, ratio)
    if on_screen:
        encoded = encode_screen(points, confidence, pose2d.skeleton)
    else:
        points = hold_unseen(points, longest_hold(float(weights.meta.fps)))
        encoded = encode(points, confidence, pose2d.skeleton, weights.meta.encoding)
    found = read_outputs(weights.meta, _run(weights, encoded.features, device, precision), encoded.scale)
    scale = height_m / weights.meta.stature_m

    def at_frames(values: NDArray[np.floating]) -> NDArray[np.float64]:
        numbers: NDArray[np.float64] = values.astype(np.float64)
        return numbers if same_rate else back_to_frames(numbers, len(pose2d), ratio)

    def in_camera(virtual_m: NDArray[np.floating]) -> NDArray[np.float64]:
        return at_frames(cam_from_virtual(virtual_m, encoded.virtual_from_cam) * scale)

    def above_zero_at_frames(values: NDArray[np.floating]) -> NDArray[np.float64]:
        """By their logarithm: a spline through the values themselves may dip below zero."""
        return np.exp(at_frames(np.log(values)))

    return Lifted(
        body=body_of(weights, in_camera(found.xyz_m), pose2d.confidence, pose2d.fps, scale),
        root_m=None if found.root_m is None else in_camera(found.root_m[:, None])[:, 0],
        root_std_m=None if found.root_std_m is None else above_zero_at_frames(found.root_std_m * scale),
        contacts=None if found.contacts is None else at_frames(found.contacts).clip(0, 1),
    )


def body_of(
    weights: LifterWeights,
    xyz_m: NDArray[np.float64],
    confidence: NDArray[np.floating],
    fps: Fraction,
    scale: float,
) -> Pose3D:
    """Joints with what the picture and the weights say about how sure they are.

    Args:
        weights: the lifter that said it.
        xyz_m: (T, J, 3) camera axes.
        confidence: (T, P) of the 2D points.
        fps: of the T frames.
        scale: height of the person over that of the weights' person.
    """
    meta = weights.meta
    seen = evidence(confidence, *meta.skeletons)
    std_m = np.where(seen > 0, np.array(meta.std_m), np.array(meta.std_unseen_m)) * scale
    return Pose3D(
        xyz_m=xyz_m,
        confidence=seen,
        std_m=std_m,
        views=(seen > 0).astype(np.int64),
        fps=fps,
        skeleton=meta.skeletons[1],
        frame="camera",
    )


def evidence(
    confidence: NDArray[np.floating], points: Skeleton = COCO_17, joints: Skeleton = LIFTER_20
) -> NDArray[np.float64]:
    """How sure the picture is of each joint.

    Args:
        confidence: (T, P) of 2D points.
        points: names the P points.
        joints: names the J joints.

    Returns:
        (T, J) mean confidence of those points that speak for a joint and were seen; 0 where none was.
    """
    speaks_for = _speakers(points, joints)
    total = confidence @ speaks_for
    count = (confidence > 0).astype(np.float64) @ speaks_for
    return np.asarray(total / np.maximum(count, 1), dtype=np.float64)


@functools.cache
def _speakers(points: Skeleton, joints: Skeleton) -> NDArray[np.float64]:
    """(P, J) 1 where a point speaks for a joint: the joint itself where it is seen, else its neighbours."""
    chosen = [(name,) if name in points.joint_names else _EVIDENCE.get(name, (name,)) for name in joints.joint_names]
    return np.array([[float(point in names) for names in chosen] for point in points.joint_names])


def _check(pose2d: Pose2D, weights: LifterWeights, height_m: float) -> None:
    meta = weights.meta
    if pose2d.skeleton.name != meta.input_skeleton:
        raise InputError(
            f"the lifter was trained for {meta.input_skeleton} joints and got {pose2d.skeleton.name}: "
            "use weights for these joints, or a detector for those"
        )
    if not len(pose2d):
        raise InputError("there are no frames to lift")
    if not (np.isfinite(height_m) and height_m > 0):
        raise InputError(f"height_m must be above 0, got {height_m}")


def _run(
    weights: LifterWeights, features: NDArray[np.floating], device: str, precision: Precision
) -> NDArray[np.float32]:
    if (device, precision) == ("cpu", "float32"):
        return run_lifter(weights, features)
    try:
        from mocap3d.nets.lifter_on_device import run_on_device
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("torch", "torch") from None
    meta = weights.meta
    return run_on_device(
        weights.arrays,
        features,
        dilations=meta.dilations,
        causal=meta.causal,
        device=device,
        precision=precision,
    )
