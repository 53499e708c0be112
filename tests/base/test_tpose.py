"""The T-pose of any rig, measured by placing its joints one after the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.rig import Rig
from mocap3d.base.roles import HUMANOID_ROLES, role_joints
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.tpose import tpose_wxyz, upright_wxyz

LIMBS = {
    ("leftUpperArm", "leftLowerArm"): (1, 0, 0),
    ("leftLowerArm", "leftHand"): (1, 0, 0),
    ("rightUpperArm", "rightLowerArm"): (-1, 0, 0),
    ("rightLowerArm", "rightHand"): (-1, 0, 0),
    ("leftUpperLeg", "leftLowerLeg"): (0, -1, 0),
    ("leftLowerLeg", "leftFoot"): (0, -1, 0),
    ("rightUpperLeg", "rightLowerLeg"): (0, -1, 0),
    ("rightLowerLeg", "rightFoot"): (0, -1, 0),
}


def rotation(wxyz):
    """SciPy's rotation of a quaternion with the scalar first."""
    return Rotation.from_quat(np.roll(np.array(wxyz), -1, axis=-1))


def placed(rig, world_wxyz):
    """Joints in the world, one after the other, with SciPy's rotations."""
    places = np.zeros((len(rig.skeleton), 3))
    for j, parent in enumerate(rig.skeleton.parents):
        if parent >= 0:
            places[j] = places[parent] + rotation(world_wxyz[parent]).as_matrix() @ rig.offsets_m[j]
    return places


def posed_at_rest(turns, whole):
    """The humanoid resting in another pose: ``turns`` local rotations by joint, the whole body turned by ``whole``."""
    rest = np.tile([1.0, 0, 0, 0], (22, 1))
    for name, turn in turns.items():
        rest[HUMANOID_22.index(name)] = np.roll(turn.as_quat(), 1)
    rest[0] = np.roll((whole * rotation(rest[0])).as_quat(), 1)
    return replace(HUMANOID_RIG, rest_wxyz=rest)


def without_rest_rotations(rig):
    """The same joints as BVH has them: the same places at rest, every rest rotation the identity."""
    world = np.empty((22, 4))
    for j, parent in enumerate(rig.skeleton.parents):
        turn = rotation(rig.rest_wxyz[j]) if parent < 0 else rotation(world[parent]) * rotation(rig.rest_wxyz[j])
        world[j] = np.roll(turn.as_quat(), 1)
    at = placed(rig, world)
    offsets = np.array([at[j] - (at[p] if p >= 0 else 0) for j, p in enumerate(rig.skeleton.parents)])
    tips = tuple(replace(tip, offset_m=rotation(world[tip.parent]).as_matrix() @ tip.offset_m) for tip in rig.tips)
    return Rig(skeleton=rig.skeleton, offsets_m=offsets, rest_wxyz=np.tile([1.0, 0, 0, 0], (22, 1)), tips=tips)


def worst_deg(rig, roles):
    """The largest angle between a limb in the T-pose found and where it shall point."""
    at = placed(rig, tpose_wxyz(rig, roles))
    joints = role_joints(rig, roles)
    angles = []
    for (start, end), aim in LIMBS.items():
        limb = at[joints[end]] - at[joints[start]]
        angles.append(np.arctan2(np.linalg.norm(np.cross(limb, aim)), limb @ aim))
    return np.rad2deg(max(angles))


def test_the_humanoid_rests_in_the_t_pose():
    """Catches a turn where none is needed."""
    np.testing.assert_allclose(np.abs(tpose_wxyz(HUMANOID_RIG) @ [1.0, 0, 0, 0]), 1, atol=1e-12)


@settings(max_examples=25)
@given(
    arms=st.floats(-30, 89),
    stance=st.floats(-5, 25),
    elbows=st.floats(0, 60),
    lean=st.floats(-12, 12),
    facing=st.sampled_from(["z", "-z", "x", "-x"]),
    z_up=st.booleans(),
    bare=st.booleans(),
)
def test_rest_poses_that_stand(arms, stance, elbows, lean, facing, z_up, bare):
    """Catches limbs that are aimed in the wrong frame, twisted or backwards, and soles that lose the floor."""
    turns = {
        "leftUpperArm": Rotation.from_euler("z", -arms, degrees=True),
        "rightUpperArm": Rotation.from_euler("z", arms, degrees=True),
        "leftLowerArm": Rotation.from_euler("y", -elbows, degrees=True),
        "rightLowerArm": Rotation.from_euler("y", elbows, degrees=True),
        "leftUpperLeg": Rotation.from_euler("z", stance, degrees=True),
        "rightUpperLeg": Rotation.from_euler("z", -stance, degrees=True),
        "leftFoot": Rotation.from_euler("z", -stance, degrees=True),
        "rightFoot": Rotation.from_euler("z", stance, degrees=True),
        "chest": Rotation.from_euler("x", lean, degrees=True),
    }
    yaw = {"z": 0, "x": 90, "-z": 180, "-x": -90}[facing]
    whole = Rotation.from_euler("y", yaw, degrees=True)
    if z_up:
        whole = Rotation.from_euler("x", 90, degrees=True) * whole
    rig = posed_at_rest(turns, whole)
    rig = without_rest_rotations(rig) if bare else rig
    assert worst_deg(rig, HUMANOID_ROLES) < 1e-6
    found = rotation(tpose_wxyz(rig))
    if not bare:  # the humanoid's own frames say where the T-pose is: everything but the trunk comes back to it
        for name in [*(end for pair in LIMBS for end in pair), "leftToes", "rightToes", "head"]:
            off_deg = np.rad2deg(found[HUMANOID_22.index(name)].magnitude())
            assert off_deg < 1e-6 + abs(lean) * ("Arm" in name or "Hand" in name or name == "head"), name
    np.testing.assert_allclose((rotation(upright_wxyz(rig)) * whole).magnitude(), 0, atol=1e-6)


@pytest.mark.parametrize("name", output.preset_names())
def test_presets(name):
    """Catches a rest pose of a preset (A-pose, axes along bones, a root bone on the floor) that is not undone."""
    from fractions import Fraction

    from mocap3d.base.motion import Motion

    still = Motion(
        rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=HUMANOID_RIG.rest_wxyz[None], root_m=HUMANOID_RIG.offsets_m[:1]
    )
    preset = output.preset_named(name)
    rig = output.dress(still, preset).rig
    roles = {bone.joint: bone.name for bone in preset.bones if bone.takes_joint}
    assert worst_deg(rig, roles) < 1e-6


def test_a_zero_pose_in_which_everything_points_up():
    """Catches legs that turn over sideways, so that knees would bend backwards (zero poses of some BVH files)."""
    offsets = HUMANOID_RIG.offsets_m.copy()
    for side in ("left", "right"):
        for bone in ("LowerArm", "Hand", "LowerLeg", "Foot", "Toes"):
            j = HUMANOID_22.index(side + bone)
            offsets[j] = (0, np.linalg.norm(offsets[j]), 0)
    rig = Rig(skeleton=HUMANOID_22, offsets_m=offsets, rest_wxyz=HUMANOID_RIG.rest_wxyz)
    assert worst_deg(rig, HUMANOID_ROLES) < 1e-6
    found = rotation(tpose_wxyz(rig))
    for side in ("left", "right"):
        knee = found[HUMANOID_22.index(f"{side}LowerLeg")]
        np.testing.assert_allclose(knee.apply([1, 0, 0]), [1, 0, 0], atol=1e-6)  # its hinge stays
        toes = found[HUMANOID_22.index(f"{side}Foot")].apply([0, 1, 0])
        assert toes[2] > 0.9


def test_real_files(shared_data):
    """Catches rest poses of other people's programs in which nobody had looked."""
    path = Path(shared_data) / "bvh_files" / "freebvh_mixamo_blender.bvh"
    rig = output.read(path, unit_m=0.01).rig
    bones = {"UpperLeg": "UpLeg", "LowerLeg": "Leg", "Foot": "Foot", "Toes": "ToeBase"}
    bones |= {"Shoulder": "Shoulder", "UpperArm": "Arm", "LowerArm": "ForeArm", "Hand": "Hand"}
    prefix = next(name for name in rig.skeleton.joint_names if name.endswith("Hips")).removesuffix("Hips")
    roles = {"hips": f"{prefix}Hips"}
    for side, other in (("left", "Left"), ("right", "Right")):
        roles |= {f"{side}{role}": f"{prefix}{other}{bone}" for role, bone in bones.items()}
    assert worst_deg(rig, roles) < 1e-6


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"hips": "hips"}, "lack leftUpperLeg"),
        ({**HUMANOID_ROLES, "tail": "hips"}, "'tail' is no role"),
        ({**HUMANOID_ROLES, "chest": "ribs"}, "no such joint: chest = 'ribs'"),
        ({**HUMANOID_ROLES, "chest": "spine"}, "cannot be both spine and chest"),
    ],
)
def test_what_is_refused(roles, message):
    """Catches a wrong role map that gives a wrong pose instead of an error."""
    with pytest.raises(InputError, match=message):
        tpose_wxyz(HUMANOID_RIG, roles)


def test_a_body_in_one_point():
    """Catches a division by zero."""
    with pytest.raises(InputError, match="one point"):
        tpose_wxyz(replace(HUMANOID_RIG, offsets_m=np.zeros((22, 3)), tips=()))
