"""Where the soles of a character are: on the surface of its shoes, which reach below the last bones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.feet import SIDES
from mocap3d.base.kinematics import forward
from mocap3d.base.mesh import SkinnedMesh, deform
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT
from mocap3d.base.tpose import tpose_wxyz

__all__ = ["with_soles"]

Floats = NDArray[np.float64]

_MOSTLY: Final = 0.5  # a vertex belongs to the foot that has more than this of it
_FEWEST: Final = 8  # vertices, of something that may be a foot
_SOLE: Final = 0.1  # of the height of the ankle: what lies no higher above the lowest point belongs to the sole


def with_soles(rig: Rig, mesh: SkinnedMesh, roles: Roles) -> Rig:
    """Let the tips of the feet say where the soles of a surface are, for ``base.feet.legs`` to find.

    Bones end in the shoes, some centimetres above what touches the floor. In the T-pose the sole is what lies lowest of
    a foot, and it touches with its foremost point when the heel is off.

    Args:
        rig: J joints.
        mesh: what follows them.
        roles: humanoid joint -> joint of the rig.

    Returns:
        The same joints; on each foot that has a surface one tip, in place of those that it had.

    Raises:
        InputError: legs or arms are missing, or lie in one point, or the mesh follows joints that the rig has not.
    """
    joints = role_joints(rig, roles, needed=[f"{side}Foot" for side in SIDES])
    world_wxyz = tpose_wxyz(rig, roles)
    standing = _standing(rig, world_wxyz)
    at_m = forward(standing)[0][0]
    vertices_m = deform(mesh, standing)[0]
    tips = list(rig.tips)
    for side in SIDES:
        ankle = joints[f"{side}Foot"]
        parts = _hanging_on(rig, ankle)
        belongs = np.where(np.isin(mesh.joints, parts), mesh.weights, 0.0).sum(axis=1) > _MOSTLY
        foot_m = vertices_m[belongs]
        if len(foot_m) < _FEWEST or foot_m[:, 1].min() >= at_m[ankle, 1]:
            continue
        lowest = foot_m[:, 1].min()
        sole_m = foot_m[foot_m[:, 1] <= lowest + _SOLE * (at_m[ankle, 1] - lowest)]
        toes = joints.get(f"{side}Toes", ankle)
        place = np.array([at_m[toes, 0], lowest, sole_m[:, 2].max()])
        offset_m = wxyz_rotate(wxyz_conjugate(world_wxyz[toes]), place - at_m[toes])
        tips = [tip for tip in tips if tip.parent not in parts]
        tips.append(Tip(name=f"{side}Sole", parent=toes, offset_m=offset_m))
    return replace(rig, tips=tuple(tips))


def _standing(rig: Rig, world_wxyz: Floats) -> Motion:
    """One frame in which the joints are turned like this."""
    local_wxyz = world_wxyz.copy()
    for j, parent in enumerate(rig.skeleton.parents):
        if parent != ROOT:
            local_wxyz[j] = wxyz_multiply(wxyz_conjugate(world_wxyz[parent]), world_wxyz[j])
    return Motion(rig=rig, fps=Fraction(1), local_wxyz=local_wxyz[None], root_m=np.zeros((1, 3)))


def _hanging_on(rig: Rig, joint: int) -> list[int]:
    """A joint and all that are below it."""
    found = {joint}
    for j, parent in enumerate(rig.skeleton.parents):
        if parent in found:
            found.add(j)
    return sorted(found)
