"""The toe tips of somebody whom several cameras see: ankles are triangulated, feet are lifted.

No detector of ours marks a foot beyond the ankle. Each camera's lifter has learned where toes are in a stride; what
they say, from the ankle on, is turned into the world and averaged. So feet roll and lie flat; they would else stay at
a right angle to the shin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import COCO_17, COCO_TOES_19

__all__ = ["with_toes"]

Floats = NDArray[np.float64]

_SIDES = ("left", "right")
_BONES = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in _SIDES
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


def with_toes(pose: Pose3D, bodies: Sequence[Pose3D | None], cameras: Sequence[Camera]) -> Pose3D:
    """Add toe tips to triangulated joints.

    Args:
        pose: COCO-17, world.
        bodies: of C cameras what their 2D joints were lifted to, each in its camera's axes, the same frames, with
            ankles and toes; None: nothing.
        cameras: C calibrated cameras.

    Returns:
        ``COCO_TOES_19``. Toes have the lifter's confidence and ``std_m`` (no camera sees them: it is the ankle that
        speaks for them), confidence 0 where the ankle itself was filled in; NaN where no camera saw it.

    Raises:
        InputError: another skeleton, or bodies that do not fit.
    """
    if pose.skeleton != COCO_17 or pose.frame != "world":
        raise InputError(f"toes go with {COCO_17.name} in the world, got {pose.skeleton.name} in frame {pose.frame!r}")
    if len(bodies) != len(cameras) or any(len(body) != len(pose) for body in bodies if body is not None):
        raise InputError("there must be one body (or None) for each camera, of the frames of the pose")
    found = [(body, camera) for body, camera in zip(bodies, cameras, strict=True) if body is not None]
    parts = [[getattr(pose, name)] for name in ("xyz_m", "confidence", "std_m", "views")]
    for side in _SIDES:
        ankle = pose.skeleton.index(f"{side}_ankle")
        foot_m, std_m, weight = _feet(pose, found, side)
        total = weight.sum(axis=0)
        unseen = np.where(total > 0, 0.0, np.nan)
        share = weight / np.where(total > 0, total, 1.0)
        toe = (
            pose.xyz_m[:, ankle] + (share[..., None] * foot_m).sum(axis=0) + unseen[:, None],
            (share * weight).sum(axis=0) * (pose.confidence[:, ankle] > 0),
            (share * std_m).sum(axis=0) + unseen,
            (weight > 0).sum(axis=0),
        )
        for part, values in zip(parts, toe, strict=True):
            part.append(values[:, None])
    xyz_m, confidence, std_m, views = (np.concatenate(part, axis=1) for part in parts)
    return replace(pose, skeleton=COCO_TOES_19, xyz_m=xyz_m, confidence=confidence, std_m=std_m, views=views)


def _feet(pose: Pose3D, found: Sequence[tuple[Pose3D, Camera]], side: str) -> tuple[Floats, Floats, Floats]:
    """From ankle to toe tip in the world (C, T, 3), what that is off by and how sure it is (C, T), of each body."""
    foot_m = np.empty((len(found), len(pose), 3))
    std_m, weight = np.empty(foot_m.shape[:2]), np.empty(foot_m.shape[:2])
    for n, (body, camera) in enumerate(found):
        toe, ankle = (body.skeleton.index(f"{side}_{joint}") for joint in ("toe", "ankle"))
        scale = _scale(pose, body)
        foot_m[n] = scale * (body.xyz_m[:, toe] - body.xyz_m[:, ankle]) @ camera.cam_from_world[:3, :3]
        std_m[n], weight[n] = scale * body.std_m[:, toe], body.confidence[:, toe]
    return foot_m, std_m, weight


def _scale(pose: Pose3D, body: Pose3D) -> float:
    """How much larger somebody is than the lifter thinks, by the bones of arms and legs."""
    ratios = []
    for a, b in _BONES:
        ours_m, theirs_m = (
            np.linalg.norm(one.xyz_m[:, one.skeleton.index(a)] - one.xyz_m[:, one.skeleton.index(b)], axis=-1)
            for one in (pose, body)
        )
        if np.isfinite(ours_m).any():
            ratios.append(np.nanmedian(ours_m) / np.median(theirs_m))
    return float(np.median(ratios)) if ratios else 1.0
