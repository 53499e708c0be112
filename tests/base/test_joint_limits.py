from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.joint_limits import (
    ANGLE_NAMES,
    LIMITS_RAD,
    clamped,
    excess_rad,
    limit_angle_jacobians,
    limit_angles,
)
from mocap3d.base.skeletons import HUMANOID_22

X, Y, Z = np.eye(3)
MIRROR = list(HUMANOID_22.mirror)
MIDDLE = [j for j in range(22) if MIRROR[j] == j]

# The frames written down a second time, by hand: bone, axes of the swing, centre of the swing in degrees.
FRAMES = {
    **dict.fromkeys(("hips", "spine", "chest", "upperChest", "neck", "head"), (Y, X, -Z, 0, 0)),
    "leftShoulder": (X, Z, -Y, 0, 0),
    "leftUpperArm": (X, Z, -Y, -30, 45),
    "leftLowerArm": (X, -Y, -Z, 75, 0),
    "leftHand": (X, -Z, Y, 0, 0),
    "leftUpperLeg": (Y, -X, Z, 45, 0),
    "leftLowerLeg": (Y, X, -Z, 75, 0),
    "leftFoot": (Z, -X, -Y, 0, 0),
    "leftToes": (Z, -X, -Y, 0, 0),
}
TWIST_CENTRE = {"leftUpperArm": -60}

# What the words mean: where the end of a bone, which points along the first vector at rest, goes for a positive angle.
MOVEMENTS = [
    ("leftUpperLeg", -Y, Z, "flexion"),
    ("leftUpperLeg", -Y, X, "abduction"),
    ("leftLowerLeg", -Y, -Z, "flexion"),
    ("leftLowerLeg", -Y, -X, "adduction"),
    ("leftFoot", Z, Y, "dorsiflexion"),
    ("leftFoot", Z, -X, "adduction"),
    ("leftToes", Z, Y, "extension"),
    ("leftShoulder", X, Y, "elevation"),
    ("leftShoulder", X, Z, "protraction"),
    ("leftUpperArm", X, Y, "elevation"),
    ("leftUpperArm", X, Z, "horizontal flexion"),
    ("leftLowerArm", X, Z, "flexion"),
    ("leftHand", X, -Y, "flexion"),
    ("leftHand", X, -Z, "ulnar deviation"),
    ("spine", Y, Z, "flexion"),
    ("chest", Y, X, "bending to the left"),
    ("head", Y, Z, "flexion"),
]
# The same for turns about the bone: what points along the first vector turns towards the second.
TWISTS = [
    ("leftUpperLeg", Z, X, "external rotation"),
    ("leftLowerLeg", Z, X, "external rotation"),
    ("leftFoot", X, Y, "eversion"),  # the outer edge rises
    ("leftUpperArm", Z, -Y, "internal rotation"),  # the hand of the bent arm goes down
    ("leftLowerArm", Z, -Y, "pronation"),  # the thumb goes down
    ("neck", Z, X, "rotation to the left"),
]


def wxyz_of(rotation):
    """SciPy's rotations as quaternions with the scalar first."""
    return rotation.as_quat()[..., [3, 0, 1, 2]]


def random_locals(frames=200, seed=0):
    """Rotations of any size."""
    return wxyz_of(Rotation.random(frames * 22, random_state=seed)).reshape(frames, 22, 4)


def only(joint, rotation):
    """(22, 4): a T-pose but for one joint."""
    local = np.tile([1.0, 0.0, 0.0, 0.0], (22, 1))
    local[HUMANOID_22.index(joint)] = wxyz_of(rotation)
    return local


def mirrored(local):
    """What the mirror x -> -x shows: a turn about (x, y, z) becomes one about (x, -y, -z), on the other side."""
    return local[:, MIRROR] * [1, 1, -1, -1]


def turn_towards(start, end, degrees):
    """The rotation that leads one coordinate axis towards another."""
    return Rotation.from_rotvec(np.radians(degrees) * np.cross(start, end))


def test_at_rest_all_angles_are_zero():
    """Catches a centre that shows in the T-pose, and a T-pose beyond the ranges."""
    rest = np.tile([1.0, 0.0, 0.0, 0.0], (3, 22, 1))
    np.testing.assert_allclose(limit_angles(rest), 0, atol=1e-12)
    assert not excess_rad(rest).any()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("joint", "start", "end", "name"), MOVEMENTS + TWISTS)
def test_an_angle_is_what_its_name_says(side, joint, start, end, name):
    """Catches an axis of the wrong sign (knees that bend forwards), names exchanged, and a right side not mirrored."""
    flip = 1.0 if side == "left" or not joint.startswith("left") else -1.0
    bone = joint.replace("left", side)
    turn = turn_towards(start * [flip, 1, 1], end * [flip, 1, 1], 8.0)
    j = HUMANOID_22.index(bone)
    found = np.degrees(limit_angles(only(bone, turn)))[j]
    which = ANGLE_NAMES[j].index(name)
    assert found[which] == pytest.approx(8.0, abs=3.0)  # exact where rest, centre and turn lie on one line
    assert np.abs(np.delete(found, which)).max() < 7.0


def test_angles_compose_to_the_rotation():
    """Catches swing and twist in the wrong order, and angles of another rotation than the given one."""
    local = random_locals()
    angles = limit_angles(local)
    for joint, (bone, b, c, centre_b, centre_c) in FRAMES.items():
        j = HUMANOID_22.index(joint)
        twist, swing_b, swing_c = angles[:, j].T
        centre_b, centre_c = np.radians([centre_b, centre_c])
        rebuilt = (
            Rotation.from_rotvec(centre_b * b + centre_c * c)
            * Rotation.from_rotvec(np.outer(swing_b - centre_b, b) + np.outer(swing_c - centre_c, c))
            * Rotation.from_rotvec(np.outer(twist, bone))
        )
        given_rotation = Rotation.from_quat(local[:, j][:, [1, 2, 3, 0]])
        assert (rebuilt.inv() * given_rotation).magnitude().max() < 1e-9, joint
        assert np.hypot(swing_b - centre_b, swing_c - centre_c).max() < np.pi + 1e-9, joint


def test_jacobians_are_derivatives():
    """Catches a wrong sign or a missing stretch of the exponential map; differences of SciPy's rotations tell."""
    rotations = Rotation.random(60 * 22, random_state=5)
    small = Rotation.from_rotvec(np.random.default_rng(0).normal(0, 1e-4, (22, 3)))  # near the T-pose as well
    rotations = Rotation.concatenate([rotations, small])
    local = wxyz_of(rotations).reshape(61, 22, 4)
    found, step = limit_angle_jacobians(local), 1e-6
    for axis, unit in enumerate(np.eye(3)):
        ahead, behind = (
            limit_angles(wxyz_of(rotations * Rotation.from_rotvec(sign * step * unit)).reshape(61, 22, 4))
            for sign in (1, -1)
        )
        slope = (ahead - behind) / (2 * step)
        scale = 1 + np.abs(slope)
        assert (np.abs(found[..., axis] - slope) / scale).max() < 1e-6


def test_jacobians_stay_finite_where_they_do_not_exist():
    """Catches a division by zero for a bone turned by 180 degrees from the centre of its joint."""
    for joint, (_, b, c, centre_b, centre_c) in FRAMES.items():
        centre = Rotation.from_rotvec(np.radians(centre_b) * b + np.radians(centre_c) * c)
        for opposite in (b, c, (b + c) / np.sqrt(2)):
            local = only(joint, centre * Rotation.from_rotvec(np.pi * opposite))
            assert np.isfinite(limit_angle_jacobians(local)).all(), joint
            assert np.isfinite(limit_angles(local)).all(), joint


def test_the_ranges_keep_clear_of_the_jump():
    """Catches ranges whose corners lie so far from the centre that angles jump inside them."""
    for joint, (_, _, _, *centre) in FRAMES.items():
        if joint == "hips":
            continue
        limits = np.degrees(LIMITS_RAD[HUMANOID_22.index(joint)])
        assert (limits[0] < 0).all(), joint
        assert (limits[1] > 0).all(), joint
        furthest = np.abs(limits[:, 1:] - centre).max(axis=0)
        assert np.hypot(*furthest) < 140, joint
        assert np.abs(limits[:, 0] - TWIST_CENTRE.get(joint, 0)).max() <= 140, joint


@given(seed=st.integers(0, 10_000))
def test_clamped_is_within_and_stays(seed):
    """Catches a clamped rotation that is still outside by rounding, changes again, or changes what was inside."""
    local = random_locals(20, seed)
    held = clamped(local)
    assert not excess_rad(held).any()
    np.testing.assert_array_equal(clamped(held), held)
    within = ~excess_rad(local).any(axis=-1)
    np.testing.assert_array_equal(held[within], local[within])
    np.testing.assert_allclose(np.linalg.norm(held, axis=-1), 1, atol=1e-12)


def test_slack_widens_both_ends():
    """Catches slack that is ignored, or given to one end, or to every joint."""
    slack = np.zeros((22, 3))
    slack[HUMANOID_22.index("leftToes"), 1] = np.radians(5)
    before = random_locals(frames=50)
    excess = excess_rad(clamped(before, slack_rad=slack))
    assert (np.abs(excess) <= slack).all()
    at = np.degrees(excess[:, HUMANOID_22.index("leftToes"), 1])
    assert at.max() > 4.99
    assert at.min() < -4.99


def test_clamped_changes_only_the_angle_that_is_too_large():
    """Catches a knee that straightens because the shin was twisted too far."""
    local = random_locals()
    before, after = limit_angles(local), limit_angles(clamped(local))
    np.testing.assert_allclose(after, np.clip(before, LIMITS_RAD[:, 0], LIMITS_RAD[:, 1]), atol=1e-8)


def test_mirrored_in_is_mirrored_out():
    """Catches a right side with ranges or axes of its own."""
    local = random_locals(seed=3)
    signs = np.ones((22, 3))
    signs[MIDDLE] = [-1, 1, -1]  # turning and bending to the left become those to the right
    np.testing.assert_allclose(limit_angles(mirrored(local)), limit_angles(local)[:, MIRROR] * signs, atol=1e-9)
    apart = np.abs(np.sum(clamped(mirrored(local)) * mirrored(clamped(local)), axis=-1))
    np.testing.assert_allclose(apart, 1, atol=1e-9)


def test_the_sign_of_a_quaternion_does_not_matter():
    """Catches a twist that is off by a full turn for -q."""
    local = random_locals(seed=4)
    np.testing.assert_array_equal(limit_angles(-local), limit_angles(local))
    np.testing.assert_array_equal(limit_angle_jacobians(-local), limit_angle_jacobians(local))


def bent(joint, *rotvecs_deg):
    """One joint turned by several rotation vectors in degrees, the first applied last."""
    turn = Rotation.identity()
    for rotvec in rotvecs_deg:
        turn = turn * Rotation.from_rotvec(np.radians(rotvec))
    return only(joint, turn)


EVERYDAY = {
    "arm hanging": bent("leftUpperArm", [0, 0, -85]),
    "arm crossed over the chest": bent("leftUpperArm", [0, -120, 0]),
    "arm lifted forwards from hanging": bent("leftUpperArm", [-90, 0, 0], [0, 0, -90]),
    "hand at the small of the back": bent("leftUpperArm", [40, 0, 0], [0, 0, -80], [60, 0, 0]),
    "ready to throw": bent("leftUpperArm", [0, 20, 0], [-110, 0, 0]),
    "deep squat, hip": bent("leftUpperLeg", [-125, 0, 0]),
    "deep squat, knee": bent("leftLowerLeg", [150, 0, 0]),
    "sitting cross-legged": bent("leftUpperLeg", [-90, 0, 0], [0, 0, 45], [0, 40, 0]),
    "elbow bent": bent("rightLowerArm", [0, 145, 0]),
    "looking over the shoulder": bent("head", [0, 45, 0]),
    "on tiptoe": bent("leftToes", [-70, 0, 0]),
}
IMPOSSIBLE = {
    "knee bent forwards": bent("leftLowerLeg", [-30, 0, 0]),
    "knee bent sideways": bent("rightLowerLeg", [20, 0, 25]),
    "elbow bent backwards": bent("leftLowerArm", [0, 35, 0]),
    "head turned to the back": bent("head", [0, 150, 0]),
    "leg lifted backwards": bent("leftUpperLeg", [80, 0, 0]),
    "arm through the back": bent("leftUpperArm", [0, 100, 0]),
    "foot turned backwards": bent("rightFoot", [0, 120, 0]),
    "palm turned around twice": bent("leftLowerArm", [170, 0, 0]),
}


@pytest.mark.parametrize("pose", EVERYDAY)
def test_what_people_do_is_allowed(pose):
    """Catches ranges that clip everyday poses."""
    assert not excess_rad(EVERYDAY[pose]).any()


@pytest.mark.parametrize("pose", IMPOSSIBLE)
def test_what_nobody_can_do_is_not(pose):
    """Catches ranges so wide that they say nothing."""
    assert np.degrees(np.abs(excess_rad(IMPOSSIBLE[pose]))).max() > 10


def test_excess_has_a_direction():
    """Catches excess of the wrong sign: a solver would push further out."""
    j = HUMANOID_22.index("leftLowerLeg")
    for degrees, expected in ((175, 15), (-25, -15)):
        excess = np.degrees(excess_rad(bent("leftLowerLeg", [degrees, 0, 0])))
        np.testing.assert_allclose(excess[j], [0, expected, 0], atol=1e-9)


def test_the_hips_are_free():
    """Catches somebody who cannot turn a cartwheel."""
    assert not excess_rad(random_locals(1000))[:, 0].any()


def test_other_shapes_are_refused():
    """Catches 21 joints broadcast into 22, and one joint taken for a body."""
    for shape in ((5, 21, 4), (4,), (22, 3)):
        with pytest.raises(InputError, match=r"\(\.\.\., 22, 4\)"):
            limit_angles(np.ones(shape))
