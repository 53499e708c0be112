"""New poses from recorded ones: the legs of one piece of motion under the upper body or the arms of another.

A few recorded people move in few ways; a lifter that saw only them takes the habits of walkers for anatomy (whose arms
never rise while the legs stride). Mixed bodies are smooth over time and keep their bone lengths; nothing keeps a hand
from passing through the trunk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.train.body import part_axes

__all__ = [
    "with_arms_of",
    "with_upper_body_of",
]

Floats = NDArray[np.floating]

_INDEX = {name: j for j, name in enumerate(LIFTER_20.joint_names)}
_UPPER = [j for name, j in _INDEX.items() if not name.endswith(("hip", "knee", "ankle", "toe")) and name != "pelvis"]
_SIDES = ("left", "right")
_FLAT_M = 0.01


def with_upper_body_of(legs_m: Floats, upper_m: Floats) -> Floats:
    """The legs of one motion, and everything above the pelvis of another.

    The pelvis is rigid in the recordings (root and two hip joints): its orientation carries the upper body along.

    Args:
        legs_m: (..., J, 3) joints of LIFTER_20, or the first 17 of it (HUMAN36M_17).
        upper_m: (..., J, 3).
    """
    upper = [j for j in _UPPER if j < legs_m.shape[-2]]
    turn = np.matmul(_pelvis_axes(legs_m), np.swapaxes(_pelvis_axes(upper_m), -1, -2))
    mixed = legs_m.copy()
    relative = upper_m[..., upper, :] - upper_m[..., :1, :]
    mixed[..., upper, :] = np.matmul(relative, np.swapaxes(turn, -1, -2)) + legs_m[..., :1, :]
    return mixed


def with_arms_of(body_m: Floats, arms_m: Floats) -> Floats:
    """One motion with the arms of another, which hang on its shoulders and turn with its chest.

    Args:
        body_m: (..., J, 3) joints of LIFTER_20, or the first 17 of it (HUMAN36M_17).
        arms_m: (..., J, 3).
    """
    turn = np.matmul(_chest_axes(body_m), np.swapaxes(_chest_axes(arms_m), -1, -2))
    mixed = body_m.copy()
    for side in _SIDES:
        shoulder = _INDEX[f"{side}_shoulder"]
        arm = [_INDEX[f"{side}_elbow"], _INDEX[f"{side}_wrist"]]
        relative = arms_m[..., arm, :] - arms_m[..., [shoulder], :]
        mixed[..., arm, :] = np.matmul(relative, np.swapaxes(turn, -1, -2)) + body_m[..., [shoulder], :]
    return mixed


def _pelvis_axes(joints_m: Floats) -> Floats:
    left, right = joints_m[..., _INDEX["left_hip"], :], joints_m[..., _INDEX["right_hip"], :]
    middle = (left + right) / 2
    up = joints_m[..., _INDEX["pelvis"], :] - middle
    # Where the pelvis is the middle of the hips, only the spine tells how it is tilted.
    flat = np.abs(up).max(axis=-1, keepdims=True) < _FLAT_M
    return part_axes(left - right, np.where(flat, joints_m[..., _INDEX["spine"], :] - middle, up))


def _chest_axes(joints_m: Floats) -> Floats:
    left, right = joints_m[..., _INDEX["left_shoulder"], :], joints_m[..., _INDEX["right_shoulder"], :]
    return part_axes(left - right, joints_m[..., _INDEX["thorax"], :] - joints_m[..., _INDEX["spine"], :])
