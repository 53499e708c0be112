"""Any humanoid rig put into one pose: the T-pose that faces +Z.

Rest poses differ: T, A, arms hanging, facing any way, Z up, or a zero pose in which nobody could stand. How joints have
*turned since the T-pose* means the same for all of them, and that is what retargeting carries over.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.rig import Rig
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import matrix_to_wxyz, rotation_between, rotvec_to_wxyz, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT

__all__ = ["bone_end_m", "tpose_wxyz", "upright_wxyz"]

Floats = NDArray[np.float64]

_AIMS: Final = {
    **{f"left{bone}": (1.0, 0.0, 0.0) for bone in ("UpperArm", "LowerArm", "Hand")},
    **{f"right{bone}": (-1.0, 0.0, 0.0) for bone in ("UpperArm", "LowerArm", "Hand")},
    **{f"{side}{bone}": (0.0, -1.0, 0.0) for side in ("left", "right") for bone in ("UpperLeg", "LowerLeg")},
}
"""Where limbs point in the T-pose."""

_NEXT: Final = {
    "Shoulder": "UpperArm", "UpperArm": "LowerArm", "LowerArm": "Hand",
    "UpperLeg": "LowerLeg", "LowerLeg": "Foot", "Foot": "Toes",
}  # fmt: skip
_FORWARD: Final = np.array([0.0, 0.0, 1.0])
_HUNG_FOOT: Final = np.array([0.0, -0.35, 0.94])  # ankle to toes where the rest pose has no sole: the average adult's
_STANDING_PITCH: Final = (-15.0, 65.0)  # degrees; a foot that points further down stands on nothing
_STANDING_LEG: Final = np.cos(np.deg2rad(50.0))
_UP_SNAP: Final = np.cos(np.deg2rad(25.0))  # people rest upright along an axis; a trunk leans by less than this
_LEFT_SNAP: Final = np.cos(np.deg2rad(10.0))
_FLIPPED: Final = np.cos(np.deg2rad(150.0))
_TINY_M: Final = 1e-6


def tpose_wxyz(rig: Rig, roles: Roles | None = None) -> Floats:
    """Turn the joints of a rig into a T-pose: +Y up, facing +Z, arms along X, legs straight down, soles as they stood.

    Limbs are aimed by the shortest arcs from the rest pose, so that knees and palms keep their sense. Trunk, neck, head
    and collar bones keep the shape that they have at rest. Feet keep the slope of their soles and point straight ahead;
    where the rest pose hangs in the air they get that of the average foot. Joints without a role rest on their parents.

    Args:
        rig: J joints with any rest pose: T, A or neither, facing any way, any axis up.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names.

    Returns:
        (J, 4) world_from_joint.

    Raises:
        InputError: hips, legs or arms are missing, or lie in one point.
    """
    joints = role_joints(rig, roles)
    rest_m, rest_wxyz = rest_pose(rig)
    upright = _upright(rest_m, joints)
    role_of = {j: role for role, j in joints.items()}
    turn = np.empty((len(rig.skeleton), 4))  # since the rest pose
    for j, parent in enumerate(rig.skeleton.parents):
        turn[j] = upright if parent == ROOT else turn[parent]
        role = role_of.get(j, "")
        end_m = bone_end_m(rig, joints, role, rest_m, rest_wxyz) if role else None
        if end_m is None:
            continue
        along = end_m - rest_m[j]
        if role in _AIMS:
            turn[j] = wxyz_multiply(_arc(wxyz_rotate(turn[j], along), np.array(_AIMS[role])), turn[j])
        elif role.endswith("Foot"):
            turn[j] = _foot_turn(turn[j], upright, along, _leg(rest_m, joints, role))
    return wxyz_multiply(turn, rest_wxyz)


def upright_wxyz(rig: Rig, roles: Roles | None = None) -> Floats:
    """Find the turn (4,) of the whole body at rest that makes it stand along +Y and face +Z.

    Up is that of the trunk and the legs, left that of the hips and the shoulders; both are taken for a coordinate axis
    when they are near one, since people rest upright but not quite symmetrical.

    Raises:
        InputError: hips, legs or arms are missing, or lie in one point.
    """
    return _upright(rest_pose(rig)[0], role_joints(rig, roles))


def bone_end_m(rig: Rig, joints: dict[str, int], role: str, rest_m: Floats, rest_wxyz: Floats) -> Floats | None:
    """Find where the bone of a role ends at rest, (3,), or None: the next role, else what hangs on it.

    Where several joints hang on it (fingers) their median direction counts, so that a thumb does not.

    Args:
        rig: J joints.
        joints: of ``role_joints``.
        role: which bone.
        rest_m: (J, 3), of ``rest_pose``.
        rest_wxyz: (J, 4), likewise.
    """
    j = joints[role]
    side, bone = ("left", role[4:]) if role.startswith("left") else ("right", role[5:])
    following = joints.get(side + _NEXT.get(bone, "?"))
    if following is not None:
        ends = rest_m[following][None]
    else:
        children = [child for child, parent in enumerate(rig.skeleton.parents) if parent == j]
        tips = [rest_m[j] + wxyz_rotate(rest_wxyz[j], tip.offset_m) for tip in rig.tips if tip.parent == j]
        ends = np.array([*rest_m[children], *tips]).reshape(-1, 3)
    offsets = ends - rest_m[j]
    lengths = np.linalg.norm(offsets, axis=1)
    offsets, lengths = offsets[lengths > _TINY_M], lengths[lengths > _TINY_M]
    if not len(offsets):
        return None
    along = np.median(offsets / lengths[:, None], axis=0)
    if np.linalg.norm(along) < 1e-3:
        return None
    return np.asarray(rest_m[j] + along / np.linalg.norm(along) * np.median(lengths))


def _upright(rest_m: Floats, joints: dict[str, int]) -> Floats:
    """The rotation from the rest pose to one that stands along +Y and faces +Z."""
    at = {role: rest_m[j] for role, j in joints.items()}
    needed = [f"{side}{bone}" for side in ("left", "right") for bone in ("UpperLeg", "LowerLeg", "UpperArm")]
    missing = [role for role in needed if role not in at]
    if missing:
        raise InputError(f"a T-pose needs legs and arms; the roles lack {', '.join(missing)}")
    hips = (at["leftUpperLeg"] + at["rightUpperLeg"]) / 2
    ends = [(at.get(f"{s}Foot", at[f"{s}LowerLeg"])) for s in ("left", "right")]
    trunk = _unit((at["leftUpperArm"] + at["rightUpperArm"]) / 2 - hips, "hips and shoulders lie in one point")
    legs = _unit(hips - (ends[0] + ends[1]) / 2, "hips and feet lie in one point", trunk)
    axis = next((axis for way in (trunk, legs) if (axis := _snapped(way, _UP_SNAP)) is not None), None)
    up = trunk if axis is None else axis
    sideways = sum(_across(at[f"left{bone}"] - at[f"right{bone}"], up) for bone in ("UpperLeg", "UpperArm"))
    left = _unit(np.asarray(sideways), "left and right lie in one point, or are swapped in either arms or legs")
    snapped = None if axis is None else _snapped(left, _LEFT_SNAP)
    left = left if snapped is None else snapped
    rest_from_body = np.stack([left, up, np.cross(left, up)], axis=1)
    return matrix_to_wxyz(rest_from_body.T)


def _foot_turn(turn: Floats, upright: Floats, along: Floats, leg: Floats) -> Floats:
    """How the foot has turned since the rest pose: straight ahead on its sole if it stood, else like an average one."""
    standing = wxyz_rotate(upright, along)
    pitch = np.rad2deg(np.arctan2(-standing[1], np.hypot(standing[0], standing[2])))
    if _STANDING_PITCH[0] < pitch < _STANDING_PITCH[1] and wxyz_rotate(upright, leg)[1] < -_STANDING_LEG:
        yaw = rotation_between(standing * [1.0, 0.0, 1.0], _FORWARD)
        return wxyz_multiply(yaw, upright)
    return wxyz_multiply(_arc(wxyz_rotate(turn, along), _HUNG_FOOT), turn)


def _leg(rest_m: Floats, joints: dict[str, int], foot: str) -> Floats:
    """The unit vector from the hip joint to the foot."""
    leg = rest_m[joints[foot]] - rest_m[joints[foot.replace("Foot", "UpperLeg")]]
    return np.asarray(leg / max(float(np.linalg.norm(leg)), _TINY_M))


def _arc(along: Floats, aim: Floats) -> Floats:
    """The shortest turn; from nearly opposite by way of half a turn about the axis that a knee or an elbow bends."""
    if along @ aim > _FLIPPED * np.linalg.norm(along) * np.linalg.norm(aim):
        return rotation_between(along, aim)
    half = rotvec_to_wxyz(np.pi * (np.array([1.0, 0.0, 0.0]) if abs(aim[0]) < 0.5 else np.array([0.0, 1.0, 0.0])))
    return wxyz_multiply(rotation_between(wxyz_rotate(half, along), aim), half)


def _snapped(way: Floats, cosine: float) -> Floats | None:
    """The coordinate axis that a unit vector is near, or None."""
    k = int(np.argmax(np.abs(way)))
    return np.sign(way[k]) * np.eye(3)[k] if abs(way[k]) >= cosine else None


def _across(way: Floats, up: Floats) -> Floats:
    """What of a vector lies across ``up``, of unit length; zero if nothing does."""
    across = way - up * (way @ up)
    length = float(np.linalg.norm(across))
    return across / length if length > _TINY_M else np.zeros(3)


def _unit(vector: Floats, otherwise: str, fallback: Floats | None = None) -> Floats:
    length = float(np.linalg.norm(vector))
    if length > _TINY_M:
        return np.asarray(vector / length)
    if fallback is None:
        raise InputError(f"no T-pose can be found: {otherwise}")
    return fallback
