"""Who lies through a whole file: most likely another axis points up in it than was thought."""

from __future__ import annotations

from typing import Final

import numpy as np

from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.roles import Roles, role_joints

__all__ = ["lies_throughout"]

_LYING: Final = 0.4  # of the mean direction from feet to shoulders: how far up it points ...
_STEADY: Final = 0.7  # ... and how steady it is along another axis


def lies_throughout(motion: Motion, roles: Roles | None) -> bool:
    """Whether the feet are beside the shoulders in nearly all frames, always on the same side.

    Args:
        motion: on any rig, +Y up.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names. Without feet or arms
            nobody lies.
    """
    joints = role_joints(motion.rig, roles)
    if not {f"{side}{bone}" for side in ("left", "right") for bone in ("Foot", "UpperArm")} <= joints.keys():
        return False
    world_m, _ = forward(motion)
    feet, shoulders = (
        (world_m[:, joints[f"left{bone}"]] + world_m[:, joints[f"right{bone}"]]) / 2 for bone in ("Foot", "UpperArm")
    )
    along = shoulders - feet
    mean = (along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)).mean(axis=0)
    return bool(mean[1] < _LYING and np.abs(mean).max() > _STEADY)
