"""Motions that were written for mocap3d's humanoid and read back, on its rig again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["as_humanoid"]

_TPOSE_COSINE = 0.98  # a limb at rest is no more than 11 degrees off
_TIPS = {"head": "headTop", "leftHand": "leftHandTip", "rightHand": "rightHandTip",
         "leftToes": "leftToesTip", "rightToes": "rightToesTip"}  # fmt: skip


def as_humanoid(motion: Motion) -> Motion:
    """Put a motion whose joints have the humanoid's names on its rig: its order, no rest rotations, named tips.

    Raises:
        InputError: a joint is missing or hangs on another, or the rest pose is no T-pose that faces +Z.
    """
    rig = motion.rig
    joints = _joints(rig)
    rest_m, rest_wxyz = rest_pose(rig)
    _check_tpose(rest_m[joints])
    if rig.skeleton == HUMANOID_22 and len(rig.tips) == len(_TIPS) and (rig.rest_wxyz == [1.0, 0.0, 0.0, 0.0]).all():
        return motion
    world_m, world_wxyz = forward(motion)
    turned = wxyz_multiply(world_wxyz, wxyz_conjugate(rest_wxyz))[:, joints]  # since the rest pose
    rest_m, world_m = rest_m[joints], world_m[:, joints]
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
    at = dict(zip(HUMANOID_22.joint_names, rest_m, strict=True))
    limbs = [("hips", "head", [0.0, 1.0, 0.0])]
    for side, left in (("left", 1.0), ("right", -1.0)):
        limbs += [(f"{side}UpperArm", f"{side}LowerArm", [left, 0.0, 0.0])]
        limbs += [(f"{side}UpperLeg", f"{side}Foot", [0.0, -1.0, 0.0])]
    for start, end, direction in limbs:
        limb = at[end] - at[start]
        if limb @ direction < _TPOSE_COSINE * np.linalg.norm(limb):
            raise InputError(
                f"this needs a motion of mocap3d's humanoid whose rest pose is a T-pose, +Y up, facing +Z; "
                f"{start} to {end} points elsewhere"
            )


def _tips(rig: Rig, joints: list[int], rest_wxyz: NDArray[np.float64]) -> tuple[Tip, ...]:
    """Ends of the head, hands and toes; where a format has lost them, those of the average body, scaled."""
    scale = _leg_m(rig, joints) / _leg_m(HUMANOID_RIG, list(range(len(HUMANOID_22))))
    found = {
        tip.name: Tip(name=tip.name, parent=tip.parent, offset_m=scale * tip.offset_m) for tip in HUMANOID_RIG.tips
    }
    for tip in rig.tips:
        name = _TIPS.get(rig.skeleton.joint_names[tip.parent])
        if name is not None:
            offset_m = wxyz_rotate(rest_wxyz[tip.parent], tip.offset_m)
            found[name] = Tip(name=name, parent=joints.index(tip.parent), offset_m=offset_m)
    return tuple(found.values())


def _leg_m(rig: Rig, joints: list[int]) -> float:
    return float(sum(rig.bone_lengths_m[joints[HUMANOID_22.index(name)]] for name in ("leftLowerLeg", "leftFoot")))
