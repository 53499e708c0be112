"""What bodies have in common: the joints that can be judged on every rig, skeleton and detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.roles import Roles
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.tpose import tpose_wxyz

__all__ = [
    "BODY_JOINTS",
    "SAME_EVERYWHERE",
    "bone_ends",
    "foot_points_m",
    "has_limbs",
    "humanoid_wxyz",
    "named_joints",
    "stature_m",
]

Floats = NDArray[np.float64]

_SIDES: Final = ("left", "right")

BODY_JOINTS: Final = {
    f"{side}_{joint}": f"{side}{bone}"
    for side in _SIDES
    for joint, bone in {
        "shoulder": "UpperArm",
        "elbow": "LowerArm",
        "wrist": "Hand",
        "hip": "UpperLeg",
        "knee": "LowerLeg",
        "ankle": "Foot",
    }.items()
}
"""The twelve joints that every skeleton, rig and detector has: joint -> role."""

SAME_EVERYWHERE: Final = tuple(name for name in BODY_JOINTS if not name.endswith(("shoulder", "hip")))
"""Of these, the eight that are the same point of the body in pictures and on rigs."""

_ROLES: Final = BODY_JOINTS | {f"{side}_toe": f"{side}Toes" for side in _SIDES}
_TOES: Final = ("toe", "big_toe", "foot_index", "toe_base")
_LEG_PER_STATURE: Final = 0.491  # hip to ankle: Drillis and Contini 1966, in Winter 2009, fig. 4.1


def has_limbs(joints: Mapping[str, int]) -> bool:
    """Whether the roles say where arms and legs are, down to the feet."""
    return {role for role in BODY_JOINTS.values() if not role.endswith("Hand")} <= joints.keys()


def bone_ends(skeleton: Skeleton, joints: Mapping[str, int]) -> list[int]:
    """The joints at the ends of bones: all below the hips; on rigs without roles all but those of several people."""
    several = skeleton.joint_names[0] == SEVERAL_ROOTS
    hips = joints.get("hips")
    below: list[bool] = []
    for parent in skeleton.parents:
        starts = parent != ROOT and (parent == hips if hips is not None else not (several and parent == 0))
        below.append(starts or (parent != ROOT and below[parent]))
    return [j for j, is_bone in enumerate(below) if is_bone]


def humanoid_wxyz(motion: Motion, world_wxyz: Floats, joints: Mapping[str, int], roles: Roles | None) -> Floats:
    """The rotations (T, 22, 4) that the humanoid would have in this pose; joints without a role stay at rest."""
    rig = motion.rig
    if rig.skeleton == HUMANOID_22 and np.allclose(rig.rest_wxyz, [1.0, 0.0, 0.0, 0.0]):
        return motion.local_wxyz
    since_tpose = wxyz_multiply(world_wxyz, wxyz_conjugate(tpose_wxyz(rig, roles)))
    turned = np.empty((len(motion), len(HUMANOID_22), 4))
    local = np.tile([1.0, 0.0, 0.0, 0.0], (len(motion), len(HUMANOID_22), 1))
    for h, (role, parent) in enumerate(zip(HUMANOID_22.joint_names, HUMANOID_22.parents, strict=True)):
        above = local[:, 0] if parent == ROOT else turned[:, parent]  # local[:, 0] is still the identity
        turned[:, h] = since_tpose[:, joints[role]] if role in joints else above
        if role in joints and parent != ROOT:
            local[:, h] = wxyz_multiply(wxyz_conjugate(above), turned[:, h])
    return local


def named_joints(skeleton: Skeleton) -> dict[str, int]:
    """Joint name -> index; joints that have the names of roles are found under both names."""
    index = {name: j for j, name in enumerate(skeleton.joint_names)}
    return {name: index[role] for name, role in _ROLES.items() if role in index} | index


def foot_points_m(pose: Pose3D, names: Mapping[str, int]) -> Floats:
    """(T, 4, 3) left heel, left toe, right heel, right toe; ankles for heels, NaN for toes that are not there."""
    points = []
    for side in _SIDES:
        heel = names.get(f"{side}_heel", names[f"{side}_ankle"])
        toe = next((names[f"{side}_{toe}"] for toe in _TOES if f"{side}_{toe}" in names), None)
        points.append(pose.xyz_m[:, heel])
        points.append(np.full((len(pose), 3), np.nan) if toe is None else pose.xyz_m[:, toe])
    return np.stack(points, axis=1)


def stature_m(places: Mapping[str, Floats]) -> float | None:
    """The body's height by the length of its legs, which mean the same everywhere."""
    if not {f"{side}_{joint}" for side in _SIDES for joint in ("hip", "knee", "ankle")} <= places.keys():
        return None
    legs_m = [
        np.linalg.norm(places[f"{side}_hip"] - places[f"{side}_knee"], axis=-1)
        + np.linalg.norm(places[f"{side}_knee"] - places[f"{side}_ankle"], axis=-1)
        for side in _SIDES
    ]
    known = np.isfinite(legs_m)
    return float(np.median(np.array(legs_m)[known])) / _LEG_PER_STATURE if known.any() else None
