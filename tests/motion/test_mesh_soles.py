"""Soles of characters with a surface: shoes stand on the floor, wherever the bones in them end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from characters import in_a_pose, walking, with_other_axes
from scipy.spatial.transform import Rotation

from mocap3d.base.feet import legs
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.mesh import deform
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.motion.mesh_soles import with_soles
from mocap3d.onto import Target, retarget
from mocap3d.output.mannequin import mannequin


def character(kind):
    """A body in shoes: bones that end 4 cm above the sole, as Ready Player Me's; no bone in the toes, as Unreal's."""
    rig, roles = in_a_pose(HUMANOID_RIG, 45, 0), dict(HUMANOID_ROLES)
    if kind == "turned away":
        rig = with_other_axes(rig, Rotation.from_euler("y", 180, degrees=True), seed=3)
        roles = {name: f"b_{name}" for name in roles}
    surface = mannequin(rig, {rig.skeleton.index(joint): role for role, joint in roles.items()})
    raised = [replace(tip, offset_m=tip.offset_m * [1, 0, 1]) for tip in rig.tips]  # as high as the ball
    tips = () if kind == "no toes" else tuple(raised) if kind == "raised" else rig.tips
    return Target(name=kind, rig=replace(rig, tips=tips), roles=roles, mesh=surface)


@pytest.mark.parametrize("kind", ["raised", "no toes", "turned away"])
def test_shoes_stand_on_the_floor(kind):
    """Catches shoes that sink into the floor by as much as they reach below the last bone (3.7 cm in a real file)."""
    target = character(kind)
    made = retarget(walking(), target)
    lowest = deform(target.mesh, made.motion)[..., 1].min(axis=1)
    assert lowest.min() > -0.006
    assert abs(np.median(lowest)) < 0.003
    assert made.motion.rig is target.rig  # what helped to measure is not written


def test_the_sole_is_as_deep_as_the_surface():
    """Catches a sole that the bones say, one in another frame than that of its joint, and tips that are lost."""
    target = character("raised")
    sole = min(target.mesh.vertices_m[:, 1])
    rig = with_soles(target.rig, target.mesh, target.roles)
    for leg in legs(rig, target.roles):
        depth = Rotation.from_quat(np.roll(leg.level_foot_wxyz, -1)).apply(leg.heel_m)[1]
        ankle = target.rig.skeleton.joint_names[leg.foot]
        assert depth == pytest.approx(sole - at_rest(ankle), abs=1e-3)
    kept = {tip.parent for tip in target.rig.tips if "Toes" not in target.rig.skeleton.joint_names[tip.parent]}
    assert kept <= {tip.parent for tip in rig.tips}


def at_rest(joint):
    """The height of a joint of the humanoid, whose rest pose has no turns."""
    j, height = HUMANOID_RIG.skeleton.index(joint), 0.0
    while j >= 0:
        height += HUMANOID_RIG.offsets_m[j, 1]
        j = HUMANOID_RIG.skeleton.parents[j]
    return height


def test_a_surface_without_feet():
    """Catches an error, or a sole at the hem, where somebody's feet are not in the file."""
    target = character("raised")
    feet = [j for j, name in enumerate(target.rig.skeleton.joint_names) if name.endswith(("Foot", "Toes"))]
    elsewhere = np.where(np.isin(target.mesh.joints, feet), 0, target.mesh.joints)
    surface = replace(target.mesh, joints=elsewhere)
    assert with_soles(target.rig, surface, target.roles).tips == target.rig.tips
