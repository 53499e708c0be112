"""Where the body is: the joints of a rig at rest, by their humanoid names, in a frame of the body's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.kinematics import rest_pose
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_rotate
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["TRUNK_HEIGHTS", "Landmarks", "find_landmarks"]

Floats = NDArray[np.float64]

TRUNK_HEIGHTS: Final = {
    "hips": 0.530,
    "spine": 0.590,
    "chest": 0.670,
    "upperChest": 0.750,
    "neck": 0.840,
    "head": 0.910,
    "headTop": 1.0,
}
"""How high the joints of the trunk are on the average adult (``BodyLengths``), in statures."""

_LEG: Final = 0.491  # hip to ankle, in statures
_TIPS: Final = ("headTop", "leftHandTip", "rightHandTip", "leftToesTip", "rightToesTip")
_LIMBS: Final = ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
_REQUIRED: Final = ("hips", "head", *(f"{side}{limb}" for side in ("left", "right") for limb in _LIMBS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landmarks:
    """A body at rest, seen from itself: x left, y up, z to the front, the rig's hips at the origin.

    Attributes:
        at: every joint of HUMANOID_22 and the tips headTop, leftHandTip, ... -> (3,) metres. The hips are not above the
            legs, as those of some rigs are: the trunk would end above them.
        joint: (22,) the joint of the rig that each joint of HUMANOID_22 is; the nearest before it where it has none.
        stature: metres.
        world_from_body: (3, 3) rotation.
        origin: (3,) the hips in the world.
    """

    at: dict[str, Floats]
    joint: NDArray[np.int64]
    stature: float
    world_from_body: Floats
    origin: Floats

    def mirrored(self) -> Landmarks:
        """Swap left and right, so that the left limb of the result is a mirror image of the right one."""
        at = {}
        for name in self.at:
            other = name.replace("left", "right") if name.startswith("left") else name.replace("right", "left")
            at[name] = self.at[other] * [-1.0, 1.0, 1.0]
        return replace(self, at=at)


def find_landmarks(rig: Rig, roles: Mapping[int, str]) -> Landmarks | None:
    """Place the landmarks of a rig; None when a joint that a figure cannot do without is missing.

    A figure needs hips, head, and on both sides upper and lower arm, hand, upper and lower leg, foot, all apart.

    Args:
        rig: any.
        roles: joint index -> name in HUMANOID_22.
    """
    rest_m, rest_wxyz = rest_pose(rig)
    index = {name: j for j, name in sorted(roles.items(), reverse=True)}
    if any(name not in index for name in _REQUIRED):
        return None
    at = {name: rest_m[j] for name, j in index.items()}
    if not _apart(at):
        return None
    for tip, name in zip(_TIPS, ("head", "leftHand", "rightHand", "leftToes", "rightToes"), strict=True):
        ends = [t for t in rig.tips if t.parent == index.get(name) and np.linalg.norm(t.offset_m) > 0]
        if ends:
            at[tip] = rest_m[ends[0].parent] + wxyz_rotate(rest_wxyz[ends[0].parent], ends[0].offset_m)
    axes = _body_axes(at)
    if axes is None:
        return None
    origin = at["hips"]
    at = {name: (place - origin) @ axes for name, place in at.items()}
    at["hips"] = np.array([0.0, min(0.0, (at["leftUpperLeg"][1] + at["rightUpperLeg"][1]) / 2), 0.0])
    stature = _stature(at)
    _fill(at, stature)
    return Landmarks(at=at, joint=_joints(index), stature=stature, world_from_body=axes, origin=origin)


def _apart(at: Mapping[str, Floats]) -> bool:
    """Tell whether every bone that a figure cannot do without has a length, next to the trunk's."""
    bones = [("hips", "head"), ("leftUpperLeg", "rightUpperLeg"), ("leftUpperArm", "rightUpperArm")]
    for side in ("left", "right"):
        names = [f"{side}{limb}" for limb in _LIMBS]
        bones += [*pairwise(names[:3]), *pairwise(names[3:])]
    lengths = [float(np.linalg.norm(at[one] - at[other])) for one, other in bones]
    return min(lengths) > 0.02 * lengths[0] > 0


def _body_axes(at: Mapping[str, Floats]) -> Floats | None:
    """Find left, up and front of the body as columns (3, 3); None where the hip joints lie above each other."""
    up = at["head"] - at["hips"]
    left = at["leftUpperLeg"] - at["rightUpperLeg"]
    up = up / np.linalg.norm(up)
    left = left - up * (left @ up)
    if np.linalg.norm(left) < 1e-6 * np.linalg.norm(at["leftUpperLeg"] - at["rightUpperLeg"]):
        return None
    left = left / np.linalg.norm(left)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _stature(at: Mapping[str, Floats]) -> float:
    """Tell the stature from trunk and legs."""
    trunk = np.linalg.norm(at["head"] - at["hips"])
    legs = [
        np.linalg.norm(at[f"{side}{one}"] - at[f"{side}{other}"])
        for side in ("left", "right")
        for one, other in (("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"))
    ]
    return float((trunk + sum(legs) / 2) / (TRUNK_HEIGHTS["head"] - TRUNK_HEIGHTS["hips"] + _LEG))


def _fill(at: dict[str, Floats], stature: float) -> None:
    """Place what the rig does not have, by the proportions of the average body."""
    at.setdefault("headTop", at["head"] + [0.0, 0.09 * stature, 0.0])
    names = [name for name in TRUNK_HEIGHTS if name in at]
    heights = [TRUNK_HEIGHTS[name] for name in names]
    places = np.array([at[name] for name in names])
    for name, height in TRUNK_HEIGHTS.items():
        at.setdefault(name, np.array([np.interp(height, heights, places[:, axis]) for axis in range(3)]))
    for side in ("left", "right"):
        shoulder = at.get(f"{side}Shoulder", at[f"{side}UpperArm"])
        if np.linalg.norm(at[f"{side}UpperArm"] - shoulder) < 0.02 * stature:  # none, or one without a length
            shoulder = at[f"{side}UpperArm"] * [0.11, 1.0, 1.0]
        at[f"{side}Shoulder"] = shoulder
        arm = at[f"{side}Hand"] - at[f"{side}LowerArm"]
        at.setdefault(f"{side}HandTip", at[f"{side}Hand"] + 0.108 * stature * arm / np.linalg.norm(arm))
        at.setdefault(f"{side}Toes", at[f"{side}Foot"] + stature * np.array([0.0, -0.027, 0.0715]))
        at.setdefault(f"{side}ToesTip", at[f"{side}Toes"] + stature * np.array([0.0, -0.012, 0.0427]))


def _joints(index: Mapping[str, int]) -> NDArray[np.int64]:
    found = np.zeros(len(HUMANOID_22), dtype=np.int64)
    for j, (name, parent) in enumerate(zip(HUMANOID_22.joint_names, HUMANOID_22.parents, strict=True)):
        found[j] = index.get(name, found[parent] if parent != ROOT else 0)
    return found
