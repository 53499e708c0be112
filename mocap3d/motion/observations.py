"""Which point of the rig each joint of each skeleton is, and how far each observation is to be believed.

An observed joint is a *marker*: a point fixed in the frame of a bone. Most are joints of the rig (an elbow is where
"leftLowerArm" begins). Others (pelvis, points of the face, clicked necks, toes) lie beside the joints; anatomy tells
roughly where, and ``refined`` finds the constant that fits the clip.

Not used, because they are no constant points of the rig or lie on another joint: knuckles, thumbs and hand tips (wrists
stay at rest), Human3.6M's clavicles and the base of its spine, mouth corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.feet import heel_offsets_m
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["Markers", "markers_of", "refined", "sole_markers"]

Floats = NDArray[np.float64]

_SIDES: Final = ("left", "right")
_ROUGH_M, _CLOSE_M = 0.05, 0.02

# Point -> joint of the rig on which it lies; "*" stands for left and right.
_ON_JOINT: Final = {
    "*_hip": "*UpperLeg",
    "*_knee": "*LowerLeg",
    "*_ankle": "*Foot",
    "*_toe_base": "*Toes",
    "*_shoulder": "*UpperArm",
    "*_elbow": "*LowerArm",
    "*_wrist": "*Hand",
}
# Joint of the rig near which a point of the trunk lies, and how near (one standard deviation, metres).
_NEAR_JOINT: Final = {
    "pelvis": ("hips", 2 * _ROUGH_M),
    "mid_hip": ("hips", _ROUGH_M),
    "spine": ("chest", _CLOSE_M),
    "thorax": ("neck", _CLOSE_M),
    "neck": ("head", _CLOSE_M),
    "upper_neck": ("head", _ROUGH_M),
    "head_bottom": ("head", _ROUGH_M),
}
# Points of the head from the middle of the head bone, which lies between the ears: its left, up, forward, in metres of
# an adult of 1.70 m (averages: ears 150 mm apart, eyes 64 mm, tip of the nose 115 mm ahead), and how sure that is.
_ON_HEAD: Final = {
    "nose": ((0.0, -0.035, 0.115), 0.015),
    "left_eye": ((0.032, 0.01, 0.085), 0.015),
    "right_eye": ((-0.032, 0.01, 0.085), 0.015),
    "left_eye_inner": ((0.018, 0.01, 0.088), 0.015),
    "right_eye_inner": ((-0.018, 0.01, 0.088), 0.015),
    "left_eye_outer": ((0.045, 0.01, 0.08), 0.015),
    "right_eye_outer": ((-0.045, 0.01, 0.08), 0.015),
    "left_ear": ((0.075, -0.01, -0.005), 0.015),
    "right_ear": ((-0.075, -0.01, -0.005), 0.015),
}
_FACE_M: Final = 0.2
_BESIDE_TOE_M: Final = {"big_toe": 0.02, "foot_index": 0.01, "small_toe": -0.05, "toe": 0.0}  # towards the other foot


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """M points fixed to bones of a rig.

    Attributes:
        columns: (M,) joint of the observed skeleton; -1 for points that nobody observes (soles).
        bones: (M,) joint of the rig in whose frame the point is fixed.
        offsets_m: (M, 3) from that joint, in its frame.
        offset_std_m: (M, 3) how uncertain the offset is along each axis; 0 is known.
    """

    columns: NDArray[np.intp]
    bones: NDArray[np.intp]
    offsets_m: Floats
    offset_std_m: Floats

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.bones)

    def __add__(self, other: Markers) -> Markers:
        """Append other markers."""
        fields = ("columns", "bones", "offsets_m", "offset_std_m")
        return Markers(**{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in fields})

    def only_rough(self) -> Markers:
        """Take all offsets for known but those that anatomy hardly tells: the pelvis, clicked necks, the face."""
        rough = (self.offset_std_m >= _ROUGH_M).any(axis=-1, keepdims=True)
        return replace(self, offset_std_m=np.where(rough, self.offset_std_m, 0.0))


def markers_of(skeleton: Skeleton, rig: Rig) -> Markers:
    """Find which joints of a skeleton are which points of a humanoid rig."""
    place = _Place(rig)
    rows = [
        (column, *row) for column, row in enumerate(place.of(name, skeleton) for name in skeleton.joint_names) if row
    ]
    return _markers(rows)


def sole_markers(rig: Rig) -> Markers:
    """The points that stand on the ground: left heel, left toe tip, right heel, right toe tip."""
    heels = heel_offsets_m(rig)
    tips = {tip.parent: tip.offset_m for tip in rig.tips}
    rows = []
    for side, heel in zip(_SIDES, heels, strict=True):
        foot, toes = (HUMANOID_22.index(f"{side}{bone}") for bone in ("Foot", "Toes"))
        rows += [(-1, foot, heel, np.zeros(3)), (-1, toes, tips[toes], np.zeros(3))]
    return _markers(rows)


def refined(markers: Markers, seen_in_bone_m: Floats, weight: Floats, spread_m: float) -> Markers:
    """Estimate the offsets that anatomy does not fix: constants over the clip.

    Args:
        markers: the points.
        seen_in_bone_m: (T, M, 3) where each was observed, in the frame of its bone.
        weight: (T, M) 0..1, how much each observation counts.
        spread_m: error of one observation whose weight is 1.
    """
    total = weight.sum(axis=0)[:, None]
    mean = np.einsum("tm,tmk->mk", weight, seen_in_bone_m) / np.maximum(total, 1e-12)
    # Bayes: the prior counts as much as (spread / std)^2 observations.
    share = total / (total + (spread_m / np.maximum(markers.offset_std_m, 1e-9)) ** 2)
    return replace(
        markers,
        offsets_m=markers.offsets_m + np.where(markers.offset_std_m > 0, share, 0.0) * (mean - markers.offsets_m),
    )


class _Place:
    """Finds bone, offset and its uncertainty of a named point."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.scale = _leg_m(rig) / _leg_m(HUMANOID_RIG)
        self.tips = {HUMANOID_22.joint_names[tip.parent]: tip.offset_m for tip in rig.tips}

    def of(self, name: str, skeleton: Skeleton) -> tuple[int, Floats, Floats] | None:
        """(bone, offset, uncertainty) or None for what is not used."""
        if skeleton == HUMANOID_22:
            return self._on_joint(name, 0.0)
        side = name.partition("_")[0]
        generic = name.replace(side, "*", 1) if side in _SIDES else name
        if generic in _ON_JOINT:
            return self._on_joint(_ON_JOINT[generic].replace("*", side), 0.0)
        if name == "neck" and skeleton.name != "human36m-17" and "face" not in skeleton.joint_names:
            return self._clicked_neck(skeleton)
        if name in _NEAR_JOINT:
            return self._on_joint(*_NEAR_JOINT[name])
        return self._of_foot(side, generic) or self._of_head(name, skeleton)

    def _on_joint(self, joint: str, std_m: float) -> tuple[int, Floats, Floats]:
        index = HUMANOID_22.index(joint)
        parent = HUMANOID_22.parents[index]
        if parent == ROOT:
            return index, np.zeros(3), np.full(3, std_m)
        return parent, np.array(self.rig.offsets_m[index]), np.full(3, std_m)

    def _clicked_neck(self, skeleton: Skeleton) -> tuple[int, Floats, Floats]:
        """Human3.6M-32's is where neck and skull meet; others click between the shoulders or a little above."""
        if skeleton.name == "human36m-32":
            return self._on_joint(*_NEAR_JOINT["neck"])
        chest = HUMANOID_22.index("upperChest")
        arms = [self.rig.offsets_m[HUMANOID_22.index(f"{s}{b}")] for s in _SIDES for b in ("Shoulder", "UpperArm")]
        return chest, np.sum(arms, axis=0) / 2, np.full(3, _ROUGH_M)

    def _of_foot(self, side: str, generic: str) -> tuple[int, Floats, Floats] | None:
        part = generic.removeprefix("*_")
        if part == "heel":
            foot = HUMANOID_22.index(f"{side}Foot")
            return foot, heel_offsets_m(self.rig)[_SIDES.index(side)], np.full(3, _CLOSE_M)
        if part not in _BESIDE_TOE_M:
            return None
        inwards = -1.0 if side == "left" else 1.0
        beside = np.array([inwards * _BESIDE_TOE_M[part] * self.scale, 0.0, 0.0])
        if part == "small_toe":  # begins further back than the big one ends
            beside[2] = -0.5 * self.tips[f"{side}Toes"][2]
        std_m = 0.0 if part == "toe" else _CLOSE_M
        return HUMANOID_22.index(f"{side}Toes"), self.tips[f"{side}Toes"] + beside, np.full(3, std_m)

    def _of_head(self, name: str, skeleton: Skeleton) -> tuple[int, Floats, Floats] | None:
        head = HUMANOID_22.index("head")
        top = self.tips.get("head", np.array([0.0, 0.153 * self.scale, 0.0]))
        if name == "face":  # straight ahead, as far as it turns out to be
            return head, top / 2 + [0.0, 0.0, _FACE_M], np.array([0.0, 0.0, _ROUGH_M])
        if name == "head_top" or (name == "head" and skeleton.name != "flic-9"):
            return head, np.array(top), np.full(3, _CLOSE_M)
        offset, std_m = _ON_HEAD.get(name, _ON_HEAD["nose"] if name == "head" else (None, 0.0))
        return None if offset is None else (head, top / 2 + np.array(offset) * self.scale, np.full(3, std_m))


def _leg_m(rig: Rig) -> float:
    return float(sum(rig.bone_lengths_m[HUMANOID_22.index(f"{s}{b}")] for s in _SIDES for b in ("LowerLeg", "Foot")))


def _markers(rows: Sequence[tuple[int, int, Floats, Floats]]) -> Markers:
    columns, bones, offsets, std = zip(*rows, strict=True)
    return Markers(
        columns=np.array(columns, dtype=np.intp),
        bones=np.array(bones, dtype=np.intp),
        offsets_m=np.array(offsets, dtype=np.float64),
        offset_std_m=np.array(std, dtype=np.float64),
    )
