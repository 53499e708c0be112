"""The joints of SMPL, SMPL-H and SMPL-X: their names, their tree, and which of them are the humanoid's.

All three have the same 22 joints of the body first, in the same order. SMPL goes on with one joint in each hand,
SMPL-H with fifteen, SMPL-X with jaw and eyes and then the same fifteen. At rest the body stands in a T-pose, faces +Z,
and every joint's frame is parallel to the world, as the humanoid's are.

Source: Loper et al., "SMPL", 2015; Romero et al., "Embodied Hands", 2017; Pavlakos et al., "Expressive Body Capture",
2019. The names are those that users of the three know from other programs; the tree is that of the model files.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.smpl import SMPL_MODELS

__all__ = ["SMPL_ROLES", "is_smpl", "shows_smpl", "smpl_skeleton"]

_BODY: Final = """
    pelvis, left_hip < pelvis, right_hip < pelvis, spine1 < pelvis, left_knee < left_hip, right_knee < right_hip,
    spine2 < spine1, left_ankle < left_knee, right_ankle < right_knee, spine3 < spine2, left_foot < left_ankle,
    right_foot < right_ankle, neck < spine3, left_collar < spine3, right_collar < spine3, head < neck,
    left_shoulder < left_collar, right_shoulder < right_collar, left_elbow < left_shoulder,
    right_elbow < right_shoulder, left_wrist < left_elbow, right_wrist < right_elbow"""
_FINGERS: Final = ("index", "middle", "pinky", "ring", "thumb")
_HANDS: Final = "".join(
    f", {side}_{finger}{n} < {side}_{f'{finger}{n - 1}' if n > 1 else 'wrist'}"
    for side in ("left", "right")
    for finger in _FINGERS
    for n in (1, 2, 3)
)
_TABLES: Final = {
    "smpl": _BODY + ", left_hand < left_wrist, right_hand < right_wrist",
    "smplh": _BODY + _HANDS,
    "smplx": _BODY + ", jaw < head, left_eye < head, right_eye < head" + _HANDS,
}

_LIMBS: Final = {
    "Shoulder": "collar",
    "UpperArm": "shoulder",
    "LowerArm": "elbow",
    "Hand": "wrist",
    "UpperLeg": "hip",
    "LowerLeg": "knee",
    "Foot": "ankle",
    "Toes": "foot",
}
SMPL_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {"hips": "pelvis", "spine": "spine1", "chest": "spine2", "upperChest": "spine3", "neck": "neck", "head": "head"}
    | {f"{side}{role}": f"{side}_{joint}" for side in ("left", "right") for role, joint in _LIMBS.items()}
)
"""Joint of HUMANOID_22 -> joint of SMPL, SMPL-H and SMPL-X that does its work, for retargeting and presets."""


def _skeleton(kind: str) -> Skeleton:
    rows = [[word.strip() for word in row.split("<")] for row in _TABLES[kind].split(",")]
    names = tuple(row[0] for row in rows)
    mirrored = {"left": "right", "right": "left"}
    partners = ["_".join([mirrored.get(side, side), *rest]) for side, *rest in (name.split("_") for name in names)]
    return Skeleton(
        name=f"{kind}-{len(names)}",
        joint_names=names,
        parents=tuple(names.index(row[1]) if len(row) == 2 else ROOT for row in rows),
        mirror=tuple(names.index(partner) for partner in partners),
    )


_SKELETONS: Final = {kind: _skeleton(kind) for kind in SMPL_MODELS.values()}


def smpl_skeleton(kind: str) -> Skeleton:
    """Find the skeleton of a body model: "smpl" (24 joints), "smplh" (52) or "smplx" (55).

    Raises:
        InputError: there is no such model.
    """
    if kind not in _SKELETONS:
        raise InputError(f"no body model is called {kind!r}; there are: {', '.join(_SKELETONS)}")
    return _SKELETONS[kind]


def is_smpl(skeleton: Skeleton) -> bool:
    """Whether the joints are those of a body model, in any order, whatever the skeleton is called."""
    return any(set(skeleton.joint_names) == set(smpl_skeleton(kind).joint_names) for kind in SMPL_MODELS.values())


def shows_smpl(skeleton: Skeleton) -> bool:
    """Whether the body's 22 joints are among the points, whatever else is: a file of points has ends of bones, too."""
    return set(SMPL_ROLES.values()) <= set(skeleton.joint_names)
