"""Motions that were written for mocap3d's humanoid and read back, on its rig again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["as_humanoid"]

_TPOSE_COSINE = 0.98  # an upper arm at rest is no more than 11 degrees off the horizontal
_TIPS = {"head": "headTop", "leftHand": "leftHandTip", "rightHand": "rightHandTip",
         "leftToes": "leftToesTip", "rightToes": "rightToesTip"}  # fmt: skip


def as_humanoid(motion: Motion) -> Motion:
    """Put a motion whose joints have the humanoid's names on its rig: its order, no rest rotations, named tips.

    Raises:
        InputError: a joint is missing or hangs on another, or the rest pose is no T-pose that faces +Z.
    """
    rig = motion.rig
    if rig.skeleton == HUMANOID_22 and np.array_equal(rig.rest_wxyz, np.tile([1.0, 0, 0, 0], (len(HUMANOID_22), 1))):
        return motion
    joints = _joints(rig)
    rest_m, rest_wxyz = rest_pose(rig)
    world_m, world_wxyz = forward(motion)
    turned = wxyz_multiply(world_wxyz, wxyz_conjugate(rest_wxyz))[:, joints]  # since the rest pose
    rest_m, world_m = rest_m[joints], world_m[:, joints]
    _check_tpose(rest_m)
    local_wxyz, offsets_m, moved_m = turned.copy(), rest_m.copy(), world_m.copy()
    for j, parent in enumerate(HUMANOID_22.parents):
        if parent != ROOT:
            to_parent = wxyz_conjugate(turned[:, parent])
            local_wxyz[:, j] = wxyz_multiply(to_parent, turned[:, j])
            offsets_m[j] = rest_m[j] - rest_m[parent]
            moved_m[:, j] = wxyz_rotate(to_parent, world_m[:, j] - world_m[:, parent])
    rig = Rig(
        skeleton=HUMANOID_22,
        offsets_m=offsets_m,
        rest_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (len(HUMANOID_22), 1)),
        tips=_tips(rig, joints, rest_wxyz),
    )
    return replace(
        motion,
        rig=rig,
        local_wxyz=local_wxyz / np.linalg.norm(local_wxyz, axis=-1, keepdims=True),
        root_m=world_m[:, 0],
        local_m=None if np.allclose(moved_m[:, 1:], offsets_m[1:], rtol=0, atol=1e-6) else moved_m,
    )


def _joints(rig: Rig) -> list[int]:
    """Where each joint of the humanoid is in the rig."""
    names = rig.skeleton.joint_names
    missing = [name for name in HUMANOID_22.joint_names if name not in names]
    if missing:
        raise InputError(f"this needs a motion of mocap3d's humanoid; it lacks the joints {', '.join(missing)}")
    joints = [names.index(name) for name in HUMANOID_22.joint_names]
    for name, joint, parent in zip(HUMANOID_22.joint_names, joints, HUMANOID_22.parents, strict=True):
        if parent != ROOT and rig.skeleton.parents[joint] != joints[parent]:
            raise InputError(f"this needs a motion of mocap3d's humanoid; {name} hangs on another joint")
    return joints


def _check_tpose(rest_m: NDArray[np.float64]) -> None:
    for side, left in (("left", 1.0), ("right", -1.0)):
        arm = rest_m[HUMANOID_22.index(f"{side}LowerArm")] - rest_m[HUMANOID_22.index(f"{side}UpperArm")]
        if left * arm[0] < _TPOSE_COSINE * np.linalg.norm(arm):
            raise InputError("this needs a motion of mocap3d's humanoid whose rest pose is a T-pose that faces +Z")


def _tips(rig: Rig, joints: list[int], rest_wxyz: NDArray[np.float64]) -> tuple[Tip, ...]:
    """Ends of the head, hands and toes, named as the humanoid has them."""
    found = []
    for tip in rig.tips:
        name = rig.skeleton.joint_names[tip.parent]
        if name in _TIPS:
            offset_m = wxyz_rotate(rest_wxyz[tip.parent], tip.offset_m)
            found.append(Tip(name=_TIPS[name], parent=joints.index(tip.parent), offset_m=offset_m))
    return tuple(sorted(found, key=lambda tip: tip.parent))
