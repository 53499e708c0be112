"""Feet on other bodies: soles on their support, toes not through it, knees never the wrong way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from characters import in_a_pose, long_legged, rotation, short_legged, walking, with_other_axes
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import resampled, trimmed
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.base.tpose import tpose_wxyz
from mocap3d.motion.contacts import support_heights_m
from mocap3d.onto import Target, load_target, retarget

OTHER = with_other_axes(in_a_pose(short_legged(), 50, 10), Rotation.from_euler("y", 180, degrees=True), seed=5)
UNEVEN = np.array([1.25 if name == "leftLowerLeg" else 1.0 for name in HUMANOID_RIG.skeleton.joint_names])[:, None]
BODIES = {
    "twice as tall": Target(name="tall", rig=long_legged(), roles=HUMANOID_ROLES),
    "short legs": Target(name="short", rig=short_legged(), roles=HUMANOID_ROLES),
    "a character": Target(name="other", rig=OTHER, roles={n: f"b_{n}" for n in HUMANOID_ROLES}),
    "a longer left leg": Target(
        name="uneven", rig=replace(HUMANOID_RIG, offsets_m=HUMANOID_RIG.offsets_m * UNEVEN), roles=HUMANOID_ROLES
    ),
}


def knees_deg(motion, roles):
    """(T, 2) how far each knee bends forwards, by SciPy: below 0 it bends the wrong way."""
    world_m, world_wxyz = forward(motion)
    still = tpose_wxyz(motion.rig, roles)
    angles = []
    for side in ("left", "right"):
        hip, knee, ankle = (motion.rig.skeleton.index(roles[side + bone]) for bone in ("UpperLeg", "LowerLeg", "Foot"))
        turned = rotation(world_wxyz[:, hip]) * rotation(still[hip]).inv()
        hinge = turned.apply(np.array([1.0, 0, 0]))
        thigh, shin = world_m[:, knee] - world_m[:, hip], world_m[:, ankle] - world_m[:, knee]
        angles.append(np.arctan2(np.sum(np.cross(thigh, shin) * hinge, axis=-1), np.sum(thigh * shin, axis=-1)))
    return np.rad2deg(np.array(angles).T)


def check_feet(made, roles):
    """What the issue of retargeting promises."""
    soles, stands = sole_points(made, roles), made.contacts >= 0.5
    assert stands.any(axis=0).all()
    support = support_heights_m(made, made.contacts, roles)
    assert np.abs(soles[..., 1] - support)[stands].max() < 0.01
    assert soles[..., 1].min() > -0.002
    assert knees_deg(made, roles).min() > -0.1
    both = stands[1:] & stands[:-1]
    speeds = np.linalg.norm(np.diff(soles, axis=0), axis=-1)[both] * float(made.fps)
    assert speeds.mean() < 0.01


@pytest.mark.parametrize("name", [*output.preset_names(), *BODIES])
def test_feet_of_a_walker(name):
    """Catches soles that float, sink or slide on legs of another length, and knees that pop backwards.

    One leg longer than the other: each foot was held at the height to which its leg had brought it.
    """
    motion = walking()
    lowest = sole_points(motion)[..., 1]
    np.testing.assert_allclose(lowest[motion.contacts >= 0.5], 0, atol=1e-9)  # the source is what it says
    made = retarget(motion, BODIES.get(name, name))
    check_feet(made.motion, made.roles)
    assert np.abs(sole_points(made.motion, made.roles)[..., 1][made.motion.contacts >= 0.5]).max() < 0.01
    stride = np.ptp(made.motion.root_m[:, 2]) if made.motion.local_m is None else None
    if name == "twice as tall":
        assert stride == pytest.approx(np.ptp(motion.root_m[:, 2]) * 2 * 0.8347 / 0.84, rel=0.01)


@pytest.mark.parametrize("name", ["mixamo", *list(BODIES)[:2]])
def test_feet_of_a_file(name, shared_data):
    """Catches contacts that are judged in the wrong unit, a floor that is missed, and feet of others that slide."""
    motion = output.read(shared_data / "bvh_files" / "hahne_mb_cmu_05_01.bvh")  # in CMU's unit, and it does not say so
    made = retarget(resampled(trimmed(motion, 120, 360), 30), BODIES.get(name, name))
    check_feet(made.motion, made.roles)


def test_without_a_lock_nothing_is_bent():
    """Catches a lock that works although it is off, and one that has no effect."""
    motion = walking(seconds=1.0)
    for bone in ("leftUpperLeg", "leftLowerLeg"):
        j = HUMANOID_RIG.skeleton.index(bone)
        off = retarget(motion, BODIES["short legs"], foot_lock="off").motion
        np.testing.assert_allclose(
            np.abs(np.sum(off.local_wxyz[:, j] * motion.local_wxyz[:, j], axis=-1)), 1, atol=1e-12
        )
    skating = replace(motion, root_m=motion.root_m + np.linspace(0, 0.05, len(motion))[:, None] * [1.0, 0, 0])
    held = retarget(skating, "unity", foot_lock="strong").motion
    free = retarget(skating, "unity", foot_lock="off").motion
    assert not np.allclose(held.local_wxyz, free.local_wxyz, atol=1e-4)


def test_a_file_in_which_z_points_up(tmp_path):
    """Catches somebody who walks lying on the back, without a word about it."""
    motion = replace(walking(seconds=1.0), contacts=None)
    output.write(motion, tmp_path / "z.bvh", up="Z")
    with pytest.warns(Mocap3dWarning, match="--up Z"):
        retarget(output.read(tmp_path / "z.bvh"), "unity", foot_lock="off")
    made = retarget(output.read(tmp_path / "z.bvh", up="Z"), "unity", foot_lock="off").motion
    assert forward(made)[0][:, made.rig.skeleton.index("Head"), 1].min() > 1.2


@pytest.mark.parametrize("missed_m", [0.1, -0.1, -0.9])
def test_a_floor_that_is_missed(missed_m):
    """Catches somebody from a file who wades through the floor or floats above it."""
    motion = walking(seconds=1.0)
    moved = replace(motion, root_m=motion.root_m + [0, missed_m, 0], contacts=None)
    made = retarget(moved, "unity", foot_lock="off")
    assert abs(sole_points(made.motion, made.roles)[..., 1].min()) < 0.02
    kept = retarget(replace(moved, contacts=motion.contacts), "unity", foot_lock="off")  # it is known to be so
    assert abs(sole_points(kept.motion, kept.roles)[..., 1].min() - missed_m) < 0.02


@pytest.mark.parametrize(
    ("unit", "expected"), [(1, 1.0), (100, 0.01), (39.37, 0.0254), (1000, 0.001), (17.7165, 0.0254 / 0.45)]
)
def test_units_of_characters(unit, expected, tmp_path):
    """Catches a character in inches that is taken for a giant."""
    rest = HUMANOID_RIG.rest_wxyz[None]
    still = Motion(rig=HUMANOID_RIG, fps=30, local_wxyz=rest, root_m=HUMANOID_RIG.offsets_m[:1])
    output.write(still, tmp_path / "a.bvh", unit_m=1 / unit)
    target = load_target(tmp_path / "a.bvh")
    assert target.unit_m == expected
    shin = target.rig.skeleton.index("leftFoot")
    assert target.rig.bone_lengths_m[shin] == pytest.approx(HUMANOID_RIG.bone_lengths_m[shin], rel=1e-3)
