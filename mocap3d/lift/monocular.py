"""One camera's 2D joints -> joints around the pelvis, in metres: the learned half of lifting.

Frame by frame, pixels become rays (`base.projection`), rays become features (``encoding.py``), and the network
(``temporal.py``) turns a window of 27 frames into the joints of the frame in the middle. Where the person is in space
is found elsewhere: here joint 0 is the origin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import px_to_rays
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.encoding import ENCODING, cam_from_virtual, encode
from mocap3d.lift.lifter_weights import LifterWeights, load_weights
from mocap3d.lift.resample import at_rate, back_to_frames
from mocap3d.lift.temporal import run_lifter

__all__ = [
    "evidence",
    "lift_pose2d",
]

_SAME_RATE = 0.02  # rates that differ by less than this share are the same: 29.97 is lifted as 30

# Which COCO-17 points speak for each joint of the output. Toes are inferred from the ankles and the stride.
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
_SPEAKS_FOR = np.array(
    [[point in _EVIDENCE.get(joint, (joint,)) for point in COCO_17.joint_names] for joint in LIFTER_20.joint_names]
)  # (20, 17)


def lift_pose2d(
    pose2d: Pose2D,
    camera: Camera,
    *,
    weights: LifterWeights | None = None,
    height_m: float = 1.70,
    device: str = "cpu",
) -> Pose3D:
    """Lift one person's 2D joints to space.

    Args:
        pose2d: T frames of the weights' input skeleton; NaN where not seen.
        camera: the camera that saw them (its lens; its pose is not used).
        weights: the lifter; the shipped one when None.
        height_m: body height of the person; everything scales with it.
        device: "cpu" (NumPy, no torch needed) or a torch device such as "cuda".

    Returns:
        T frames of LIFTER_20 in the camera's axes with the pelvis at the origin. Every joint is finite; confidence is 0
        where nothing in the picture spoke for it, and ``std_m`` is larger there.

    Raises:
        InputError: another skeleton than the weights were trained for, no frames, or a height that is not positive.
        MissingExtraError: a device other than "cpu" without torch.
    """
    weights = load_weights() if weights is None else weights
    _check(pose2d, weights, height_m)
    rays, confidence = px_to_rays(camera, pose2d.xy_px), pose2d.confidence
    ratio = float(pose2d.fps / weights.meta.fps)
    same_rate = abs(ratio - 1) <= _SAME_RATE
    if not same_rate:
        rays, confidence = at_rate(rays, confidence, ratio)
    encoded = encode(rays, confidence)
    virtual_m = (
        run_lifter(weights, encoded.features) if device == "cpu" else _run_torch(weights, encoded.features, device)
    )
    xyz_m = cam_from_virtual(virtual_m, encoded.virtual_from_cam).astype(np.float64)
    if not same_rate:
        xyz_m = back_to_frames(xyz_m, len(pose2d), ratio)
    scale = height_m / weights.meta.stature_m
    seen = evidence(pose2d.confidence)
    std_m = np.where(seen > 0, np.array(weights.meta.std_m), np.array(weights.meta.std_unseen_m)) * scale
    return Pose3D(
        xyz_m=xyz_m * scale,
        confidence=seen,
        std_m=std_m,
        views=(seen > 0).astype(np.int64),
        fps=pose2d.fps,
        skeleton=weights.meta.skeletons[1],
        frame="camera",
    )


def evidence(confidence: NDArray[np.floating]) -> NDArray[np.float64]:
    """How sure the picture is of each joint of LIFTER_20.

    Args:
        confidence: (T, 17) of COCO-17 points.

    Returns:
        (T, 20) mean confidence of those points that speak for a joint and were seen; 0 where none was.
    """
    total = confidence @ _SPEAKS_FOR.T.astype(np.float64)
    count = (confidence > 0).astype(np.float64) @ _SPEAKS_FOR.T
    return np.asarray(total / np.maximum(count, 1), dtype=np.float64)


def _check(pose2d: Pose2D, weights: LifterWeights, height_m: float) -> None:
    meta = weights.meta
    if pose2d.skeleton.name != meta.input_skeleton:
        raise InputError(
            f"the lifter was trained for {meta.input_skeleton} joints and got {pose2d.skeleton.name}: "
            "use weights for these joints, or a detector for those"
        )
    if meta.encoding != ENCODING or meta.output_skeleton != LIFTER_20.name:
        raise InputError(
            f"these weights need the encoding {meta.encoding!r} and give {meta.output_skeleton}; "
            f"this version of mocap3d has {ENCODING!r} and {LIFTER_20.name}"
        )
    if not len(pose2d):
        raise InputError("there are no frames to lift")
    if not (np.isfinite(height_m) and height_m > 0):
        raise InputError(f"height_m must be above 0, got {height_m}")


def _run_torch(weights: LifterWeights, features: NDArray[np.floating], device: str) -> NDArray[np.float32]:
    try:
        from mocap3d.nets.temporal import run_on_device
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("torch", "torch") from None
    meta = weights.meta
    return run_on_device(weights.arrays, features, dilations=meta.dilations, causal=meta.causal, device=device)
