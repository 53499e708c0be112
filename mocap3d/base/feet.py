"""Where a body touches the ground: heels, toe tips, and how a leg hangs together, for any rig with roles.

No rig says where its soles are, so the T-pose does, in which the feet stand as they do at rest: a sole is as deep below
the ankle as the lowest point of the foot, the tip of the toes lies on it, and the heel as well, one third as far behind
the ankle as that tip lies ahead of it (the ankle stands over the first quarter of the foot).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import wxyz_conjugate, wxyz_rotate
from mocap3d.base.skeleton import ROOT
from mocap3d.base.tpose import tpose_wxyz, upright_wxyz

__all__ = ["SIDES", "Leg", "heel_offsets_m", "legs", "sole_points"]

Floats = NDArray[np.float64]

SIDES: Final = ("left", "right")
"""The order of feet."""

# What a rig does not say is taken from the average adult of `humanoid.BodyLengths`.
_HEEL_PER_TOE: Final = 1 / 3
_ANKLE_PER_LEG: Final = 0.039 / 0.491  # ankle height over hip joint to ankle
_REACH_PER_LEG: Final = 0.116 / 0.491  # ankle to toe tip, along the ground
_BALL_PER_ANKLE: Final = 0.012 / 0.039  # heights above the sole
_TOES_PER_FOOT: Final = 0.0427 / 0.0715  # along the ground: toes' joint to tip over ankle to toes' joint
_LEAST_PER_LEG: Final = 0.02  # feet shorter or flatter than this part of the leg are not believed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leg:
    """The joints of one leg and the points of its sole.

    Attributes:
        upper: index of the hip joint, where the thigh begins.
        lower: of the knee.
        foot: of the ankle.
        toes: of the ball, where the toes begin; the ankle's again where the rig has no such joint.
        heel_m: (3,) the heel in the frame of ``foot``.
        toe_m: (3,) the tip of the toes, on the sole, in the frame of ``toes``.
        ball_m: (3,) what the foot rolls about, in the frame of ``foot``: the joint ``toes``, or the tip without one.
        level_foot_wxyz: (4,) world_from_joint of ``foot`` on level ground, the toes pointing at +Z.
        level_toes_wxyz: (4,) of ``toes``, likewise.
        hinge: (3,) unit vector in the frame of ``upper``: a knee that bends turns the shin about it, right-handed.
    """

    upper: int
    lower: int
    foot: int
    toes: int
    heel_m: Floats
    toe_m: Floats
    ball_m: Floats
    level_foot_wxyz: Floats
    level_toes_wxyz: Floats
    hinge: Floats


def legs(rig: Rig, roles: Roles | None = None) -> tuple[Leg, Leg]:
    """Find the left and the right leg of a rig.

    Args:
        rig: J joints, in any rest pose that `tpose.tpose_wxyz` understands.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names. The toes may be missing.

    Raises:
        InputError: arms or legs are missing, or lie in one point.
    """
    joints = role_joints(rig, roles, needed=[f"{side}Foot" for side in SIDES])
    level = tpose_wxyz(rig, roles)
    left, right = (_leg(rig, joints, side, level, _rest_height_m(rig, roles, joints[f"{side}Foot"])) for side in SIDES)
    return left, right


def heel_offsets_m(rig: Rig, roles: Roles | None = None) -> Floats:
    """Find the heels of a rig, (2, 3) left and right, in the frames of its feet; see ``legs``."""
    return np.array([leg.heel_m for leg in legs(rig, roles)])


def sole_points(motion: Motion, roles: Roles | None = None) -> Floats:
    """Place what touches the ground: (T, 4, 3) left heel, left toe tip, right heel, right toe tip in the world.

    Args:
        motion: on any rig.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names.

    Raises:
        InputError: arms or legs are missing, or lie in one point.
    """
    world_m, world_wxyz = forward(motion)
    points = []
    for leg in legs(motion.rig, roles):
        points.append(world_m[:, leg.foot] + wxyz_rotate(world_wxyz[:, leg.foot], leg.heel_m))
        points.append(world_m[:, leg.toes] + wxyz_rotate(world_wxyz[:, leg.toes], leg.toe_m))
    return np.stack(points, axis=1)


def _leg(rig: Rig, joints: dict[str, int], side: str, level: Floats, rest_height_m: float) -> Leg:
    upper, lower, foot = (joints[f"{side}{bone}"] for bone in ("UpperLeg", "LowerLeg", "Foot"))
    toes = joints.get(f"{side}Toes", foot)
    ball, toe = _ball_and_toe(rig, upper, foot, toes, level, rest_height_m)
    heel = np.array([-_HEEL_PER_TOE * toe[0], toe[1], -_HEEL_PER_TOE * toe[2]])
    to_foot, to_toes = wxyz_conjugate(level[foot]), wxyz_conjugate(level[toes])
    return Leg(
        upper=upper,
        lower=lower,
        foot=foot,
        toes=toes,
        heel_m=wxyz_rotate(to_foot, heel),
        toe_m=wxyz_rotate(to_toes, toe - ball),
        ball_m=wxyz_rotate(to_foot, toe if toes == foot else ball),
        level_foot_wxyz=level[foot],
        level_toes_wxyz=level[toes],
        hinge=wxyz_rotate(wxyz_conjugate(level[upper]), np.array([1.0, 0.0, 0.0])),
    )


def _ball_and_toe(
    rig: Rig, upper: int, foot: int, toes: int, level: Floats, rest_height_m: float
) -> tuple[Floats, Floats]:
    """Where the toes' joint and the tip of the toes (on the sole) lie, (3,) each from the ankle, on level ground."""
    joints, tips = _hanging_on(rig, foot, level)
    beyond = [*(j for j in joints if j != foot)] if toes == foot else [j for j in joints if _is_below(rig, j, toes)]
    ends = np.array([*(joints[j] for j in beyond), *(at for j, at in tips if j == toes or j in beyond)]).reshape(-1, 3)
    lowest = -min(at[1] for at in (*joints.values(), *(at for _, at in tips)))
    leg_m = float(np.linalg.norm(_path_m(rig, upper, foot, level)))
    if len(ends):
        tip, depth = ends[np.argmax(ends[:, 2])], lowest
    else:  # nothing tells how long and how deep the toes are
        tip = joints[toes] * (1 + _TOES_PER_FOOT)
        likely = lowest / (1 - _BALL_PER_ANKLE)
        depth = rest_height_m if lowest <= rest_height_m < 2 * likely - lowest else likely
    if depth < _LEAST_PER_LEG * leg_m:
        depth = _ANKLE_PER_LEG * leg_m
    if tip[2] < _LEAST_PER_LEG * leg_m:
        tip = np.array([0.0, 0.0, _REACH_PER_LEG * leg_m])
    return joints[toes], np.array([tip[0], -depth, tip[2]])


def _hanging_on(rig: Rig, foot: int, level: Floats) -> tuple[dict[int, Floats], list[tuple[int, Floats]]]:
    """The foot and the joints below it, and (joint, place) of the tips on them: (3,) each, from the ankle."""
    joints: dict[int, Floats] = {foot: np.zeros(3)}
    for j, parent in enumerate(rig.skeleton.parents):
        if parent in joints:
            joints[j] = joints[parent] + wxyz_rotate(level[parent], rig.offsets_m[j])
    tips = [
        (tip.parent, joints[tip.parent] + wxyz_rotate(level[tip.parent], tip.offset_m))
        for tip in rig.tips
        if tip.parent in joints
    ]
    return joints, tips


def _is_below(rig: Rig, j: int, above: int) -> bool:
    """Whether joint ``j`` hangs on ``above``, at any distance."""
    parent = rig.skeleton.parents[j]
    return parent != ROOT and (parent == above or _is_below(rig, parent, above))


def _path_m(rig: Rig, start: int, end: int, level: Floats) -> Floats:
    """The vector (3,) from a joint to one below it."""
    if start == end:
        return np.zeros(3)
    parent = rig.skeleton.parents[end]
    return np.asarray(_path_m(rig, start, parent, level) + wxyz_rotate(level[parent], rig.offsets_m[end]))


def _rest_height_m(rig: Rig, roles: Roles | None, foot: int) -> float:
    """How high a joint lies at rest above the origin: the height of the ankle where the rest pose stands on a floor."""
    rest_m, _ = rest_pose(rig)
    return float(wxyz_rotate(upright_wxyz(rig, roles), rest_m[foot])[1])
