import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from solved_people import SAME, joints_of, swinging_angles, world_pose
from walker import walk

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20
from mocap3d.motion.solve import SolveSettings, solve, unobserved
from mocap3d.motion.start import StartSettings

RAW = SolveSettings(start=StartSettings(smoothing_s=0.0), smoothness=0.05, contact_std_m=0.0)


def test_recovers_the_rotations_that_made_the_joints():
    """Catches hinge axes of the wrong sign, left and right mixed up, and a head that looks the wrong way."""
    turn = swinging_angles()
    joints = joints_of(turn, np.tile([0.0, 0.9, 0.0], (90, 1)))
    world_m, world_wxyz = forward(solve(world_pose(joints), settings=RAW))
    for joint, bone in SAME.items():
        np.testing.assert_allclose(
            world_m[:, HUMANOID_22.index(bone)], joints[:, LIFTER_20.index(joint)], atol=4e-3, err_msg=bone
        )
    chain = dict(enumerate(HUMANOID_22.parents))
    for name in ("leftLowerArm", "rightUpperArm", "leftUpperLeg", "rightFoot", "head", "chest"):
        j = HUMANOID_22.index(name)
        truth = Rotation.from_rotvec(turn[:, j])
        while chain[j] >= 0:
            j = chain[j]
            truth = Rotation.from_rotvec(turn[:, j]) * truth
        solved = Rotation.from_quat(world_wxyz[:, HUMANOID_22.index(name)][:, [1, 2, 3, 0]])
        assert np.degrees((truth.inv() * solved).magnitude()).max() < 5.0, name


def test_the_hips_lie_between_the_hip_joints():
    """Catches legs that hang from CMU's pelvis, which the lifter learned and which lies a hand above the hip joints."""
    joints, _ = walk(1.0)
    raised = joints.copy()
    raised[:, 0] += [0, 0.09, 0]
    plain, other = (solve(world_pose(xyz_m)) for xyz_m in (joints, raised))
    np.testing.assert_allclose(other.root_m, plain.root_m, atol=2e-3)
    np.testing.assert_allclose(other.rig.offsets_m, plain.rig.offsets_m, atol=1e-12)


def test_turning_the_world_turns_only_the_hips():
    """Catches a rotation rule that depends on where North is."""
    joints, _ = walk(2.0)
    yaw = Rotation.from_rotvec([0, 1.1, 0]).as_matrix()
    plain = solve(world_pose(joints))
    turned = solve(world_pose(joints @ yaw.T))
    np.testing.assert_allclose(np.abs(turned.local_wxyz[:, 1:]), np.abs(plain.local_wxyz[:, 1:]), atol=1e-5)


def test_mirrored_joints_give_the_mirrored_motion():
    """Catches a rule that treats the left side otherwise than the right one."""
    joints, _ = walk(2.0)
    mirrored = (joints * [-1, 1, 1])[:, list(LIFTER_20.mirror)]
    plain, _ = forward(solve(world_pose(joints)))
    other, _ = forward(solve(world_pose(mirrored)))
    np.testing.assert_allclose((other * [-1, 1, 1])[:, list(HUMANOID_22.mirror)], plain, atol=1e-9)


def test_bones_keep_their_length():
    """Catches joints copied instead of solved: noise must not stretch bones."""
    joints, _ = walk(2.0)
    motion = solve(world_pose(joints + np.random.default_rng(0).normal(0, 0.03, joints.shape)))
    world_m, _ = forward(motion)
    for j, parent in enumerate(HUMANOID_22.parents):
        if parent >= 0:
            assert np.ptp(np.linalg.norm(world_m[:, j] - world_m[:, parent], axis=-1)) < 1e-9


def test_knows_when_feet_stand():
    """Catches contacts of the wrong foot, or none at all."""
    joints, planted = walk(4.0)
    contacts = solve(world_pose(joints)).contacts
    heels = contacts[:, [0, 2]] > 0.5
    assert (heels == planted).mean() > 0.85


def test_straight_limbs_do_not_flip():
    """Catches a twist taken from the noise of a straight arm or leg: it would spin from frame to frame."""
    turn = np.zeros((60, 22, 3))
    joints = joints_of(turn, np.tile([0.0, 0.9, 0.0], (60, 1)))
    joints = joints + np.random.default_rng(3).normal(0, 0.002, joints.shape)
    wxyz = solve(world_pose(joints), settings=RAW).local_wxyz
    for name in ("leftUpperArm", "rightUpperArm", "leftUpperLeg", "rightUpperLeg"):
        local = Rotation.from_quat(wxyz[:, HUMANOID_22.index(name)][:, [1, 2, 3, 0]])
        assert np.degrees(local.magnitude()).max() < 15.0, name


def test_missing_frames_are_bridged():
    """Catches NaN that travels into rotations."""
    joints, _ = walk(2.0)
    confidence = np.ones(joints.shape[:2])
    gap = joints.copy()
    gap[20:24], confidence[20:24] = np.nan, 0
    motion = solve(world_pose(gap, confidence))
    whole = solve(world_pose(joints))
    assert np.abs(forward(motion)[0] - forward(whole)[0]).max() < 0.15


def test_a_lower_body_that_nobody_saw_stays_at_rest():
    """Catches legs invented for somebody behind a desk."""
    joints, _ = walk(1.0)
    confidence = np.ones(joints.shape[:2])
    legs = [LIFTER_20.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle", "toe")]
    confidence[:, legs] = 0
    pose = world_pose(joints, confidence)
    assert unobserved(pose) == ("lower body",)
    motion = solve(pose)
    for name in ("leftUpperLeg", "leftLowerLeg", "rightFoot", "rightToes"):
        np.testing.assert_allclose(
            motion.local_wxyz[:, HUMANOID_22.index(name)], np.tile([1, 0, 0, 0], (30, 1)), atol=1e-9
        )
    assert not motion.contacts.any()
    assert unobserved(world_pose(joints)) == ()


@pytest.mark.parametrize("frames", [1, 2])
def test_one_frame_is_enough(frames):
    """Catches filters that need a neighbour."""
    joints, _ = walk(1.0)
    motion = solve(world_pose(joints[:frames]))
    assert len(motion) == frames
    assert tip_positions(motion).shape == (frames, 5, 3)


def test_refuses_what_it_cannot_solve():
    """Catches joints of another skeleton, or of a camera's frame, turned into nonsense."""
    joints, _ = walk(1.0)
    pose = world_pose(joints)
    with pytest.raises(InputError, match="in frame 'camera'"):
        solve(dataclasses.replace(pose, frame="camera"))
    with pytest.raises(InputError, match="no value in any frame"):
        solve(world_pose(np.full((3, 20, 3), np.nan), np.zeros((3, 20))), rig=HUMANOID_RIG)


def slow_noise(shape, std, seed):
    """Noise that wanders over about five frames, as lifted joints do."""
    from scipy.ndimage import gaussian_filter1d

    noise = gaussian_filter1d(np.random.default_rng(seed).normal(size=shape), 2.5, axis=0)
    return noise * std / noise.std()


@pytest.mark.parametrize("seed", range(6))
def test_somebody_who_stands_still_does_not_spin_legs_or_arms(seed):
    """Catches twist taken from a knee that noise bends forwards, or from an arm that noise bends a little."""
    joints = joints_of(np.zeros((90, 22, 3)), np.tile([0.0, 0.9, 0.0], (90, 1)))
    wxyz = solve(world_pose(joints + slow_noise(joints.shape, 0.01, seed))).local_wxyz
    for name in ("leftUpperArm", "rightUpperArm", "leftUpperLeg", "rightUpperLeg"):
        local = Rotation.from_quat(wxyz[:, HUMANOID_22.index(name)][:, [1, 2, 3, 0]])
        assert np.degrees(local.magnitude()).max() < 25.0, name


@pytest.mark.parametrize("bend_deg", [60, 100, 150])
def test_a_bent_elbow_decides_the_twist(bend_deg):
    """Catches a hinge that is trusted up to a right angle only: the forearm of a bent left arm points up, not ahead."""
    turn = np.zeros((30, 22, 3))
    turn[:, HUMANOID_22.index("leftUpperArm"), 0] = -np.pi / 2  # about the arm's own length
    turn[:, HUMANOID_22.index("leftLowerArm"), 1] = -np.radians(bend_deg)
    motion = solve(world_pose(joints_of(turn, np.tile([0.0, 0.9, 0.0], (30, 1)))), settings=RAW)
    local = Rotation.from_quat(motion.local_wxyz[:, HUMANOID_22.index("leftUpperArm")][:, [1, 2, 3, 0]])
    np.testing.assert_allclose(local.as_rotvec(), turn[:, HUMANOID_22.index("leftUpperArm")], atol=0.02)


def test_spine_and_neck_share_the_twist():
    """Catches a trunk that turns in one joint, which tears a skin there."""
    turn = np.zeros((30, 22, 3))
    turn[:, HUMANOID_22.index("chest"), 1] = np.radians(40)
    turn[:, HUMANOID_22.index("head"), 1] = np.radians(40)
    motion = solve(world_pose(joints_of(turn, np.tile([0.0, 0.9, 0.0], (30, 1)))), settings=RAW)
    for chain, most in ((("spine", "chest", "upperChest"), 20.0), (("neck", "head"), 25.0)):
        twists = [np.degrees(local_of(motion, name).as_rotvec()) for name in chain]
        np.testing.assert_allclose(np.sum(twists, axis=0), np.tile([0, 40, 0], (30, 1)), atol=4.0, err_msg=chain[0])
        assert all(twist[:, 1].min() > 5.0 and twist[:, 1].max() < most for twist in twists), chain


def test_smoothing_passes_human_motion():
    """Catches a filter that flattens a wave of the hand, or one that passes jitter."""
    joints = joints_of(np.zeros((300, 22, 3)), np.tile([0.0, 0.9, 0.0], (300, 1)))
    t = np.arange(300) / 60
    gains = []
    for hertz in (2, 4, 12):
        moved = joints + 0.05 * np.sin(2 * np.pi * hertz * t)[:, None, None] * [0, 1, 0]
        free = SolveSettings(contact_std_m=0.0)
        gains.append(np.ptp(solve(world_pose(moved, fps=60), settings=free).root_m[60:240, 1]) / 0.1)
    assert gains[0] > 0.9
    assert 0.4 < gains[1] < 0.9
    assert gains[2] < 0.15


def test_lying_on_the_side_with_legs_unseen():
    """Catches two parallel directions from which no frame can be built."""
    joints = joints_of(np.zeros((10, 22, 3)), np.tile([0.0, 0.9, 0.0], (10, 1)))
    joints = joints @ Rotation.from_rotvec([0, 0, np.pi / 2]).as_matrix().T
    confidence = np.ones(joints.shape[:2])
    confidence[:, [LIFTER_20.index(f"{s}_{p}") for s in ("left", "right") for p in ("knee", "ankle", "toe")]] = 0
    world_m, _ = forward(solve(world_pose(joints, confidence)))
    assert np.isfinite(world_m).all()


def local_of(motion, bone):
    """A bone's local rotations, read by SciPy."""
    return Rotation.from_quat(motion.local_wxyz[:, HUMANOID_22.index(bone)][:, [1, 2, 3, 0]])


def unseen_pose(joints, names):
    """Joints that no frame shows: their places are guesses, and wild ones."""
    guessed, confidence = joints.copy(), np.ones(joints.shape[:2])
    hidden = [LIFTER_20.index(name) for name in names]
    guessed[:, hidden] += np.random.default_rng(0).normal(0, 0.3, (len(joints), len(hidden), 3))
    confidence[:, hidden] = 0
    return world_pose(guessed, confidence)


LEFT_ARM, RIGHT_ARM = (["left_elbow", "left_wrist"], ["right_elbow", "right_wrist"])
BODY_ABOVE_HIPS = [*LEFT_ARM, *RIGHT_ARM, "left_shoulder", "right_shoulder", "face"]


@pytest.mark.parametrize(
    ("hidden", "named", "resting"),
    [
        (LEFT_ARM, ("left arm",), ["leftUpperArm", "leftLowerArm", "leftHand"]),
        (RIGHT_ARM, ("right arm",), ["rightUpperArm", "rightLowerArm", "rightHand"]),
        (["face"], ("head",), ["neck", "head"]),
        ([*LEFT_ARM, *RIGHT_ARM], ("left arm", "right arm"), ["leftUpperArm", "rightLowerArm"]),
        (
            BODY_ABOVE_HIPS,
            ("upper body",),
            [
                *("spine", "chest", "upperChest", "neck", "head", "leftShoulder", "leftUpperArm", "leftLowerArm"),
                *("leftHand", "rightShoulder", "rightUpperArm", "rightLowerArm", "rightHand"),
            ],
        ),
    ],
)
def test_parts_that_nobody_saw_stay_at_rest(hidden, named, resting):
    """Catches arms, heads and trunks that follow guesses, and a part left at rest that nobody is told of."""
    truth = swinging_angles()
    pose = unseen_pose(joints_of(truth, np.tile([0.0, 0.9, 0.0], (90, 1))), hidden)
    assert unobserved(pose) == named
    motion = solve(pose)
    for bone in resting:
        assert np.degrees(local_of(motion, bone).magnitude()).max() < 1e-6, bone
    for bone in {"leftLowerArm", "rightLowerArm", "leftUpperArm", "leftLowerLeg", "rightUpperLeg"} - {
        *resting,
        *(f"{side}LowerArm" for side in ("left", "right") if "upper body" in named or f"{side} arm" in named),
    }:
        assert np.degrees(local_of(motion, bone).magnitude()).max() > 10.0, bone


def test_unobserved_goes_by_share():
    """Catches a part given up for one bad frame, or kept for one lucky one."""
    joints, _ = walk(1.0)
    for frames, named in ((3, ("left arm",)), (15, ())):
        confidence = np.ones(joints.shape[:2])
        confidence[frames:, [LIFTER_20.index(name) for name in LEFT_ARM]] = 0
        assert unobserved(world_pose(joints, confidence)) == named


def test_without_shoulders_the_hips_stand_upright():
    """Catches hips that lean as a guessed spine does."""
    joints, _ = walk(1.0)
    pose = unseen_pose(joints, [*BODY_ABOVE_HIPS, "spine", "thorax", "neck", "head"])
    up = local_of(solve(pose), "hips").apply([0.0, 1.0, 0.0])
    np.testing.assert_allclose(up, np.tile([0, 1, 0], (30, 1)), atol=0.02)


def test_the_twist_of_a_limb_is_smooth():
    """Catches an upper arm that trembles about itself: the plane of a bent elbow is noisy from frame to frame."""
    turn = np.zeros((120, 22, 3))
    turn[:, HUMANOID_22.index("leftLowerArm"), 1] = -np.radians(45)
    joints = joints_of(turn, np.tile([0.0, 0.9, 0.0], (120, 1)))
    joints = joints + np.random.default_rng(2).normal(0, 0.01, joints.shape)
    twist = local_of(solve(world_pose(joints)), "leftUpperArm").as_rotvec()[:, 0]
    assert np.degrees(np.std(np.diff(twist))) < 1.5


def test_twist_follows_an_arm_that_turns():
    """Catches a twist smoothed to a standstill: the forearm waves 45 degrees at 1 Hz."""
    turn = np.zeros((120, 22, 3))
    wave = np.radians(45) * np.sin(2 * np.pi * np.arange(120) / 30)
    turn[:, HUMANOID_22.index("leftUpperArm"), 0] = wave
    turn[:, HUMANOID_22.index("leftLowerArm"), 1] = -np.radians(90)
    motion = solve(world_pose(joints_of(turn, np.tile([0.0, 0.9, 0.0], (120, 1)))), settings=SolveSettings())
    twist = local_of(motion, "leftUpperArm").as_rotvec()[15:-15, 0]
    assert np.ptp(twist) > 0.7 * np.ptp(wave)


def test_feet_of_any_size_reach_their_toes():
    """Catches a rig whose foot and toes keep the average length: soles end inside or ahead of the shoe."""
    turn = swinging_angles(30)
    joints = joints_of(turn, np.tile([0.0, 0.9, 0.0], (30, 1)))
    for side in ("left", "right"):
        ankle, toe = LIFTER_20.index(f"{side}_ankle"), LIFTER_20.index(f"{side}_toe")
        joints[:, toe] = joints[:, ankle] + 1.4 * (joints[:, toe] - joints[:, ankle])
    motion = solve(world_pose(joints), settings=RAW)
    names = [tip.name for tip in motion.rig.tips]
    tips = tip_positions(motion)
    for side in ("left", "right"):
        apart = tips[:, names.index(f"{side}ToesTip")] - joints[:, LIFTER_20.index(f"{side}_toe")]
        assert np.linalg.norm(apart, axis=-1).max() < 0.01


def test_the_height_is_that_of_the_rig():
    """Catches a rig as tall as the average person instead of as tall as the user said."""
    joints, _ = walk(1.0)
    heights = []
    for height_m in (1.66, 1.72):
        rig = solve(world_pose(joints), height_m=height_m).rig
        above = {"hips": rig.offsets_m[0, 1]}
        for j, parent in enumerate(rig.skeleton.parents):
            if parent >= 0:
                above[rig.skeleton.joint_names[j]] = above[rig.skeleton.joint_names[parent]] + rig.offsets_m[j, 1]
        ends = [above[rig.skeleton.joint_names[tip.parent]] + tip.offset_m[1] for tip in rig.tips]
        heights.append(max(ends) - min(ends))
    np.testing.assert_allclose(heights, [1.66, 1.72], atol=1e-6)


def test_a_knee_that_seems_to_bend_forwards_does_not_turn_the_leg():
    """Catches a leg that spins half around when noise bends its knee the wrong way."""
    turn = np.zeros((30, 22, 3))
    turn[:, HUMANOID_22.index("leftLowerLeg"), 0] = -np.radians(35)
    motion = solve(world_pose(joints_of(turn, np.tile([0.0, 0.9, 0.0], (30, 1)))), settings=RAW)
    assert np.degrees(np.abs(local_of(motion, "leftUpperLeg").as_rotvec()[:, 1])).max() < 5.0


def test_somebody_who_stands_has_flat_feet():
    """Catches feet aimed at the toe tip along the bone to the ball of the foot: 2 degrees, and the soles tilt."""
    joints = joints_of(np.zeros((30, 22, 3)), np.tile([0.0, 0.9, 0.0], (30, 1)))
    motion = solve(world_pose(joints), settings=RAW)
    for side in ("left", "right"):
        assert np.degrees(local_of(motion, f"{side}Foot").magnitude()).max() < 0.5


def test_feet_that_nobody_saw_do_not_stand():
    """Catches contacts of legs at rest: they never move, but nobody knows where they are."""
    joints = joints_of(np.zeros((30, 22, 3)), np.tile([0.0, 0.9, 0.0], (30, 1)))
    assert (solve(world_pose(joints)).contacts > 0.5).all()
    legs = [f"{side}_{joint}" for side in ("left", "right") for joint in ("knee", "ankle", "toe")]
    assert not solve(unseen_pose(joints, legs)).contacts.any()


def test_keeps_the_number_of_the_first_frame_and_a_given_rig():
    """Catches a shot that starts at frame 0 of the film whatever, and a given rig measured anew or not checked."""
    joints, _ = walk(1.0)
    motion = solve(world_pose(joints), rig=HUMANOID_RIG, start_frame=240)
    assert motion.start_frame == 240
    assert motion.rig is HUMANOID_RIG
    names = tuple(f"other {name}" for name in HUMANOID_22.joint_names)
    stranger = dataclasses.replace(HUMANOID_22, name="stranger", joint_names=names)
    with pytest.raises(InputError, match="needs a rig"):
        solve(world_pose(joints), rig=dataclasses.replace(HUMANOID_RIG, skeleton=stranger))


def test_joints_count_by_their_names_and_not_by_the_name_of_the_file():
    """Catches joints that mean something else because a file calls the skeleton otherwise."""
    joints, _ = walk(1.0)
    plain = world_pose(joints)
    renamed = dataclasses.replace(plain, skeleton=dataclasses.replace(plain.skeleton, name="walk"))
    humanoid = dataclasses.replace(HUMANOID_22, name="walk")
    world_m, _ = forward(solve(plain))
    from_file = world_pose(world_m, std_m=0.01, skeleton=humanoid)
    np.testing.assert_array_equal(solve(renamed).local_wxyz, solve(plain).local_wxyz)
    again_m, _ = forward(solve(from_file))
    assert np.median(np.linalg.norm(again_m - world_m, axis=-1)) < 0.01


@pytest.mark.parametrize("height_m", [0.0, 1e9, float("nan"), "1.7", None])
def test_a_stature_that_cannot_be_is_refused(height_m):
    """Catches bodies of a thousand kilometres, and a foreign error for a text."""
    with pytest.raises(InputError, match="height_m"):
        solve(world_pose(walk(0.2)[0]), height_m=height_m)
