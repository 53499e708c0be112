"""Who carries the body: it must stay where it is, whoever does."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from characters import below_bones, restless, rotation, with_other_axes
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.motion.retarget import retarget
from mocap3d.motion.root_motion import carried_by, with_root_bone


def dressed():
    """Somebody in Unreal's bones, carried by the root."""
    preset = output.preset_named("ue5")
    return output.dress(restless(), preset), preset.roles


def of_file():
    """Somebody in a rig with bones above the hips that rest."""
    roles = dict(HUMANOID_ROLES)
    return retarget(restless(), below_bones(HUMANOID_RIG), target_roles=roles), roles


def own():
    """Somebody in our own rig, whose hips are joint 0."""
    return restless(), dict(HUMANOID_ROLES)


def below_hips(motion, roles):
    """The names of all joints from the hips on."""
    skeleton = motion.rig.skeleton
    hips = skeleton.index(roles["hips"])
    inside = [hips]
    for j, parent in enumerate(skeleton.parents):
        if parent in inside:
            inside.append(j)
    return [skeleton.joint_names[j] for j in inside]


@pytest.mark.parametrize("make", [dressed, of_file, own])
@pytest.mark.parametrize("carrier", ["hips", "root"])
def test_the_body_stays_where_it_is(make, carrier):
    """Catches a body that jumps, turns or loses its rest pose when another bone carries it."""
    motion, roles = make()
    moved = carried_by(motion, carrier, roles)
    (before_m, before), (after_m, after) = forward(motion), forward(moved)
    for name in below_hips(motion, roles):
        a, b = motion.rig.skeleton.index(name), moved.rig.skeleton.index(name)
        np.testing.assert_allclose(after_m[:, b], before_m[:, a], atol=1e-9)
        np.testing.assert_allclose(np.abs(np.sum(before[:, a] * after[:, b], axis=-1)), 1, atol=1e-9)
    again = carried_by(moved, carrier, roles)
    np.testing.assert_allclose(forward(again)[0], after_m, atol=1e-9)


@pytest.mark.parametrize("make", [dressed, of_file, own])
def test_the_root_stays_on_the_floor_under_the_hips(make):
    """Catches a root that bobs, leans, or leaves the hips behind."""
    motion, roles = make()
    moved = carried_by(motion, "root", roles)
    hips = moved.rig.skeleton.index(roles["hips"])
    assert hips > 0
    world_m, world_wxyz = forward(moved)
    np.testing.assert_allclose(world_m[:, 0, ::2], world_m[:, hips, ::2], atol=1e-9)
    assert np.ptp(world_m[:, 0, 1]) == 0
    turned = rotation(world_wxyz[:, 0]) * rotation(moved.rig.rest_wxyz[0]).inv()
    axes = turned.as_rotvec()
    assert np.abs(axes[:, 1]).max() > 0.1  # it heads where the hips head
    if make is not of_file:  # there the root leans at rest
        np.testing.assert_allclose(axes[:, ::2], 0, atol=1e-6)


@pytest.mark.parametrize("make", [dressed, of_file])
def test_what_is_above_the_hips_rests(make):
    """Catches a root bone that still moves although the hips shall carry everything."""
    motion, roles = make()
    moved = carried_by(carried_by(motion, "root", roles), "hips", roles)
    for j in range(moved.rig.skeleton.index(roles["hips"])):
        np.testing.assert_allclose(moved.local_wxyz[:, j], np.tile(moved.rig.rest_wxyz[j], (40, 1)), atol=1e-12)
    np.testing.assert_allclose(moved.root_m, np.tile(moved.rig.offsets_m[0], (40, 1)), atol=1e-12)


@pytest.mark.parametrize("make", [dressed, of_file, own])
def test_in_place(make):
    """Catches hips that still drift, a height that is lost, and a path that only one of two bones has given up."""
    motion, roles = make()
    moved = carried_by(motion, "in-place", roles)
    hips = motion.rig.skeleton.index(roles["hips"])
    before_m, after_m = forward(motion)[0], forward(moved)[0]
    np.testing.assert_allclose(after_m[:, hips, ::2], 0, atol=1e-9)
    np.testing.assert_allclose(after_m[:, hips:, 1], before_m[:, hips:, 1], atol=1e-9)
    np.testing.assert_allclose(np.diff(after_m[:, hips:], axis=1), np.diff(before_m[:, hips:], axis=1), atol=1e-9)


def test_a_rig_that_rests_lying_and_facing_away():
    """Catches a heading that is measured in the axes of the bones instead of the body's."""
    rig = with_other_axes(
        HUMANOID_RIG, Rotation.from_euler("x", 90, degrees=True) * Rotation.from_euler("y", 180, degrees=True)
    )
    roles = {name: f"b_{name}" for name in HUMANOID_ROLES}
    wxyz = np.tile([1.0, 0, 0, 0], (5, 22, 1))
    yaw = np.linspace(0, 1.0, 5)
    wxyz[:, 0] = np.column_stack([np.cos(yaw / 2), 0 * yaw, np.sin(yaw / 2), 0 * yaw])
    turning = Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=np.tile([0, 0.9, 0], (5, 1)))
    moved = carried_by(retarget(turning, rig, target_roles=roles), "root", roles)
    _, world_wxyz = forward(moved)
    since = rotation(world_wxyz[:, 0]) * rotation(world_wxyz[0, 0]).inv()
    np.testing.assert_allclose(since.as_rotvec(), np.column_stack([0 * yaw, yaw, 0 * yaw]), atol=1e-9)


def test_what_is_refused():
    """Catches a misspelt carrier that means the default, and a second bone of one name."""
    with pytest.raises(InputError, match="hips, root, in-place"):
        carried_by(restless(), "pelvis")
    with pytest.raises(InputError, match="already"):
        with_root_bone(with_root_bone(HUMANOID_RIG))
