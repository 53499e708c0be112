"""Motions on other bodies; joints are placed by a loop of SciPy's rotations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from characters import (
    NAMES,
    below_bones,
    in_a_pose,
    long_legged,
    restless,
    rotation,
    short_legged,
    with_other_axes,
    without,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.motion.retarget import RetargetSettings, legs_ratio, retarget

LIMBS = [
    (f"{side}{bone}", f"{side}{end}")
    for side in ("left", "right")
    for bone, end in (
        ("UpperArm", "LowerArm"),
        ("LowerArm", "Hand"),
        ("UpperLeg", "LowerLeg"),
        ("LowerLeg", "Foot"),
    )
]
TRUNK = [("hips", "spine"), ("spine", "chest"), ("chest", "upperChest"), ("upperChest", "neck"), ("neck", "head")]
CLAVICLES = [("leftShoulder", "leftUpperArm"), ("rightShoulder", "rightUpperArm")]


def placed(motion: Motion, t: int):
    """Places and SciPy rotations of all joints in one frame, one after the other."""
    places, turns = [], []
    for j, parent in enumerate(motion.rig.skeleton.parents):
        local = rotation(motion.local_wxyz[t, j])
        if parent < 0:
            places.append(motion.root_m[t])
            turns.append(local)
            continue
        offset = motion.rig.offsets_m[j] if motion.local_m is None else motion.local_m[t, j]
        places.append(places[parent] + turns[parent].as_matrix() @ offset)
        turns.append(turns[parent] * local)
    return np.array(places), turns


def worst_deg(source, made, source_roles, made_roles, bones):
    """The largest angle between bones of the source and of the result, over some frames."""
    worst = 0.0
    for t in range(0, len(source), 7):
        a, b = placed(source, t)[0], placed(made, t)[0]
        index, other = source.rig.skeleton.index, made.rig.skeleton.index
        for start, end in bones:
            u = a[index(source_roles[end])] - a[index(source_roles[start])]
            v = b[other(made_roles[end])] - b[other(made_roles[start])]
            worst = max(worst, np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))
    return np.rad2deg(worst)


def test_onto_oneself():
    """Catches a frame, a place or a contact that changes where nothing should."""
    motion = restless()
    made = retarget(motion, HUMANOID_RIG, target_roles=None)
    np.testing.assert_allclose(np.abs(np.sum(made.local_wxyz * motion.local_wxyz, axis=-1)), 1, atol=1e-12)
    np.testing.assert_allclose(made.root_m, motion.root_m, atol=1e-12)
    np.testing.assert_array_equal(made.contacts, motion.contacts)
    assert (made.start_frame, made.fps, made.local_m) == (motion.start_frame, motion.fps, None)


@pytest.mark.parametrize("name", output.preset_names())
def test_bones_point_alike_on_every_preset(name):
    """Catches limbs, spines and collar bones that point elsewhere on a body of other lengths, axes and rest pose."""
    preset = output.preset_named(name)
    motion = restless(seed=3)
    made = output.dress(retarget(motion, preset.body, target_roles=None), preset)
    bones = LIMBS + TRUNK + CLAVICLES
    assert worst_deg(motion, made, HUMANOID_ROLES, preset.roles, bones) < 0.1 / 1000
    # And onto the finished rig of the preset, as if it were somebody's character.
    onto = retarget(motion, made.rig, target_roles=preset.roles)
    assert worst_deg(motion, onto, HUMANOID_ROLES, preset.roles, bones) < 0.1 / 1000


@settings(max_examples=12)
@given(
    seed=st.integers(0, 999),
    arms=st.floats(-20, 80),
    legs=st.floats(0, 20),
    facing=st.sampled_from([0, 90, 180, -90]),
    z_up=st.booleans(),
    tall=st.booleans(),
)
def test_limbs_point_alike_on_any_rig(seed, arms, legs, facing, z_up, tall):
    """Catches axes, rest poses, facing or an up axis of the target that leak into the result."""
    whole = Rotation.from_euler("y", facing, degrees=True)
    whole = Rotation.from_euler("x", 90, degrees=True) * whole if z_up else whole
    body = in_a_pose(long_legged() if tall else short_legged(), arms, legs)
    target = with_other_axes(body, whole, seed)
    roles = {name: f"b_{name}" for name in NAMES}
    motion = restless(seed=seed, frames=8)
    made = retarget(motion, target, target_roles=roles)
    assert worst_deg(motion, made, HUMANOID_ROLES, roles, LIMBS + TRUNK + CLAVICLES) < 1e-6
    back = retarget(made, HUMANOID_RIG, source_roles=roles, target_roles=None)
    np.testing.assert_allclose(np.abs(np.sum(back.local_wxyz * motion.local_wxyz, axis=-1)), 1, atol=1e-9)
    np.testing.assert_allclose(back.root_m, motion.root_m, atol=1e-9)


def standing(rig=HUMANOID_RIG, frames=3):
    """Somebody who stands still with bent knees, soles on the floor."""
    wxyz = np.tile([1.0, 0, 0, 0], (frames, 22, 1))
    thigh, shin = (np.linalg.norm(rig.offsets_m[NAMES.index(name)]) for name in ("leftLowerLeg", "leftFoot"))
    bend = np.deg2rad([0.0, 30.0, 60.0])[:frames]
    for side in ("left", "right"):
        for bone, angle in (("UpperLeg", -bend), ("LowerLeg", 2 * bend), ("Foot", -bend)):
            j = NAMES.index(side + bone)
            wxyz[:, j] = np.column_stack([np.cos(angle / 2), np.sin(angle / 2), 0 * bend, 0 * bend])
    ankle = rig.offsets_m[0, 1] - thigh - shin
    root_m = np.column_stack(
        [[1.0, 2.0, 3.0][:frames], (thigh + shin) * np.cos(bend) + ankle, [0.0, 1.0, 2.0][:frames]]
    )
    return Motion(rig=rig, fps=30, local_wxyz=wxyz, root_m=root_m)


@pytest.mark.parametrize("make", [long_legged, short_legged])
def test_soles_stay_on_the_floor(make):
    """Catches feet that float or sink when a body with longer or shorter legs bends its knees, and a wrong stride."""
    target = make()
    made = retarget(standing(), target, target_roles=None)
    k = np.linalg.norm(target.offsets_m[NAMES.index("leftFoot")]) / np.linalg.norm(
        HUMANOID_RIG.offsets_m[NAMES.index("leftFoot")]
    )
    for t in range(3):
        at, turns = placed(made, t)
        for tip in target.tips:
            if tip.name.endswith("ToesTip"):
                assert (at[tip.parent] + turns[tip.parent].as_matrix() @ tip.offset_m)[1] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(np.diff(made.root_m[:, 0]), k, atol=1e-9)
    twice = retarget(standing(), target, target_roles=None, settings=RetargetSettings(scale=1.0))
    np.testing.assert_allclose(np.diff(twice.root_m[:, 0]), 1, atol=1e-9)


@pytest.mark.parametrize("name", output.preset_names())
def test_soles_point_alike_on_every_preset(name):
    """Catches feet that point to another side, or on their toes, because an ankle lies higher above its sole."""
    motion, preset = restless(seed=4), output.preset_named(name)
    wxyz = motion.local_wxyz.copy()  # heel and tip of the toes lie on one sole while the toes do not bend
    wxyz[:, [NAMES.index("leftToes"), NAMES.index("rightToes")]] = [1.0, 0, 0, 0]
    motion = replace(motion, local_wxyz=wxyz)
    made = output.dress(retarget(motion, preset.body, target_roles=None), preset)
    for feet in ([0, 1], [2, 3]):
        want = np.subtract(*sole_points(motion)[:, feet].swapaxes(0, 1))
        have = np.subtract(*sole_points(made, preset.roles)[:, feet].swapaxes(0, 1))
        cosine = np.sum(want * have, axis=1) / np.linalg.norm(want, axis=1) / np.linalg.norm(have, axis=1)
        assert np.rad2deg(np.arccos(np.minimum(cosine, 1))).max() < 0.1


def test_a_step_is_scaled_with_the_legs():
    """Catches a foot on a step that sinks into it: everything in the world grows by the same factor."""
    motion = standing()
    on_step = replace(motion, root_m=motion.root_m + [0, 0.2, 0])
    lifted = (
        retarget(on_step, long_legged(), target_roles=None).root_m
        - retarget(motion, long_legged(), target_roles=None).root_m
    )
    np.testing.assert_allclose(lifted, np.tile([0, 0.4, 0], (3, 1)), atol=1e-9)


def test_bones_above_the_hips_rest():
    """Catches hips that are placed relative to the origin instead of the bones that they hang on."""
    motion = restless()
    target = below_bones(HUMANOID_RIG)
    made = retarget(motion, target, target_roles={n: n for n in NAMES})
    np.testing.assert_allclose(made.root_m, np.tile(target.offsets_m[0], (40, 1)))
    for t in (0, 13):
        (at, turns), (want, wanted) = placed(made, t), placed(motion, t)
        np.testing.assert_allclose(at[2:], want, atol=1e-9)
        np.testing.assert_allclose((turns[0].inv() * rotation(target.rest_wxyz[0])).magnitude(), 0, atol=1e-9)
        assert max((a.inv() * b).magnitude() for a, b in zip(turns[2:], wanted, strict=True)) < 1e-7


def test_fewer_bones():
    """Catches a short spine that swallows the bend of the missing bones, and limbs that suffer from it."""
    target = without(
        HUMANOID_RIG, "chest", "upperChest", "neck", "leftShoulder", "rightShoulder", "leftToes", "rightToes"
    )
    roles = {name: name for name in target.skeleton.joint_names}
    wxyz = np.tile([1.0, 0, 0, 0], (1, 22, 1))
    for name in ("spine", "chest", "upperChest"):  # 30 degrees forward at each
        wxyz[:, NAMES.index(name)] = [np.cos(np.pi / 12), np.sin(np.pi / 12), 0, 0]
    bent = Motion(rig=HUMANOID_RIG, fps=30, local_wxyz=wxyz, root_m=HUMANOID_RIG.offsets_m[:1])
    made = retarget(bent, target, target_roles=roles)
    _, turns = placed(made, 0)
    angle = np.rad2deg(turns[target.skeleton.index("spine")].as_rotvec()[0])
    assert 55 < angle < 67  # the mean of 30, 60 and 90, by length
    moving = restless(seed=5)
    assert worst_deg(moving, retarget(moving, target, target_roles=roles), HUMANOID_ROLES, roles, LIMBS) < 1e-6


def test_a_source_with_fewer_bones():
    """Catches what the source lacks being taken from somewhere else: it rests on its parent."""
    poor = without(
        HUMANOID_RIG, "chest", "upperChest", "neck", "leftShoulder", "rightShoulder", "leftHand", "rightHand"
    )
    names = poor.skeleton.joint_names
    full = restless(seed=8)
    kept = [NAMES.index(name) for name in names]
    motion = Motion(rig=poor, fps=30, local_wxyz=full.local_wxyz[:, kept], root_m=full.root_m)
    made = retarget(motion, HUMANOID_RIG, source_roles={n: n for n in names}, target_roles=None)
    identity = [1.0, 0, 0, 0]
    for name in ("chest", "upperChest", "leftShoulder", "rightHand"):
        np.testing.assert_allclose(np.abs(made.local_wxyz[:, NAMES.index(name)] @ identity), 1, atol=1e-9)
    neck, head = (made.local_wxyz[:, NAMES.index(name)] for name in ("neck", "head"))
    np.testing.assert_allclose(np.abs(np.sum(neck * head, axis=-1)), 1, atol=1e-9)  # it takes half of the head's turn


def test_helpers_and_extra_bones():
    """Catches a helper, a twist bone or a finger that does not rest on its parent."""
    preset = output.preset_named("ue5")
    motion = restless(seed=2)
    target = output.dress(retarget(motion, preset.body, target_roles=None), preset).rig
    made = retarget(motion, target, target_roles=preset.roles)
    taken = set(preset.roles.values())
    extra = [j for j, name in enumerate(target.skeleton.joint_names) if name not in taken]
    assert len(extra) == 4  # root, spine_02, spine_04, neck_02
    np.testing.assert_allclose(made.local_wxyz[:, extra], np.tile(target.rest_wxyz[extra], (40, 1, 1)), atol=1e-12)


def test_long_motions_are_done_in_blocks():
    """Catches a seam where one block of frames ends."""
    motion = restless(frames=2100)
    made = retarget(motion, short_legged(), target_roles=None)
    np.testing.assert_allclose(made.local_wxyz[2040:2060], motion.local_wxyz[2040:2060], atol=1e-9)
    assert np.linalg.norm(np.diff(made.root_m, axis=0), axis=1).max() < 0.02


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none(scale):
    """Catches a body that is moved to one point or to infinity."""
    with pytest.raises(InputError, match="scale"):
        RetargetSettings(scale=scale)


def test_legs_without_length():
    """Catches a division by nothing where a file has all joints of the legs in one point."""
    inside = [name in ("leftLowerLeg", "leftFoot", "rightLowerLeg", "rightFoot") for name in NAMES]
    legless = replace(HUMANOID_RIG, offsets_m=np.where(np.array(inside)[:, None], 0.0, HUMANOID_RIG.offsets_m))
    for source, target in ((HUMANOID_RIG, legless), (legless, HUMANOID_RIG)):
        with pytest.raises(InputError, match="no length"):
            legs_ratio(source, target)


def test_missing_roles():
    """Catches a body without legs that is retargeted to somewhere."""
    with pytest.raises(InputError, match="lack leftLowerLeg"):
        retarget(restless(), HUMANOID_RIG, target_roles={n: n for n in NAMES if n != "leftLowerLeg"})
