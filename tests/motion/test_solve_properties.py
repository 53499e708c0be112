import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from solved_people import SAME, bones_of, joints_of, swinging_angles, world_pose
from walker import walk

from mocap3d.base.conversions import convert
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.joint_limits import excess_rad
from mocap3d.base.kinematics import forward
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20, SKELETONS
from mocap3d.motion.body import rig_from
from mocap3d.motion.solve import SolveSettings, solve, unobserved

FREE = SolveSettings(contact_std_m=0.0)
LEG = ("hip", "knee", "ankle", "toe")


def turned(motion, bone):
    """A bone's local rotations, read by SciPy."""
    return Rotation.from_quat(motion.local_wxyz[:, HUMANOID_22.index(bone)][:, [1, 2, 3, 0]].copy())


def degrees_apart(one, other):
    """(T, 22) angle between the local rotations of two motions."""
    pairs = [Rotation.from_quat(m.local_wxyz[..., [1, 2, 3, 0]].reshape(-1, 4)) for m in (one, other)]
    return np.degrees((pairs[0].inv() * pairs[1]).magnitude()).reshape(len(one), 22)


def errors_m(motion, joints):
    """(T, J) how far joints of the rig are from the lifter joints (T, 20, 3) that they stand for."""
    world_m, _ = forward(motion)
    apart = [world_m[:, HUMANOID_22.index(b)] - joints[:, LIFTER_20.index(j)] for j, b in SAME.items()]
    return np.linalg.norm(np.stack(apart, axis=1), axis=-1)


def largest_jump_deg(motion):
    """The furthest that any joint turns from one frame to the next."""
    q = motion.local_wxyz[..., [1, 2, 3, 0]]
    steps = Rotation.from_quat(q[:-1].reshape(-1, 4)).inv() * Rotation.from_quat(q[1:].reshape(-1, 4))
    return np.degrees(steps.magnitude()).max()


def tumbling(kind, frames=60):
    """Somebody who swings arms and legs while turning cartwheels or somersaults, lying, or standing on the head."""
    turn = swinging_angles(frames)
    t = np.linspace(0, 2 * np.pi, frames)
    whole = {
        "cartwheel": Rotation.from_rotvec(t[:, None] * [0, 0, 1]),
        "somersault": Rotation.from_rotvec(t[:, None] * [1, 0, 0]),
        "lying": Rotation.from_rotvec(np.tile([-np.pi / 2, 0, 0], (frames, 1))),
        "upside down": Rotation.from_rotvec(np.tile([0, 0, np.pi], (frames, 1))),
    }[kind]
    turn[:, 0] = (whole * Rotation.from_rotvec(0.3 * turn[:, 0])).as_rotvec()
    return turn, np.column_stack([0.2 * np.sin(t), 0.9 + 0.2 * np.cos(t), t / 4])


@pytest.mark.parametrize("kind", ["cartwheel", "somersault", "lying", "upside down"])
@pytest.mark.parametrize("std_m", [0.005, 0.02])
def test_people_who_do_not_stand(kind, std_m):
    """Catches a rule that leans on gravity, flips, and half turns from one frame to the next."""
    turn, root_m = tumbling(kind)
    joints = joints_of(turn, root_m)
    noise = np.random.default_rng(0).normal(0, std_m if std_m > 0.01 else 0.0, joints.shape)
    motion = solve(world_pose(joints + noise, std_m=std_m), rig=HUMANOID_RIG)
    assert np.median(errors_m(motion, joints)) < (0.003 if std_m < 0.01 else 0.018)
    assert errors_m(motion, joints).max() < (0.04 if std_m < 0.01 else 0.09)
    assert largest_jump_deg(motion) < 30
    assert not excess_rad(motion.local_wxyz).any()


def test_turning_and_shifting_the_input_moves_only_the_root():
    """Catches weights, thresholds and contacts that depend on where North is, or on how far away the origin lies."""
    joints, _ = walk(2.0)
    joints = joints + np.random.default_rng(0).normal(0, 0.01, joints.shape)
    yaw, shift = Rotation.from_rotvec([0, 2.0, 0]), np.array([3.0, 0.0, -7.0])
    plain = solve(world_pose(joints))
    moved = solve(world_pose(joints @ yaw.as_matrix().T + shift))
    np.testing.assert_allclose(moved.root_m, yaw.apply(plain.root_m.copy()) + shift, atol=1e-5)
    assert degrees_apart(plain, moved)[:, 1:].max() < 1e-2
    np.testing.assert_allclose(
        (yaw.inv() * turned(moved, "hips")).as_matrix(), turned(plain, "hips").as_matrix(), atol=1e-4
    )


def test_backwards_in_is_backwards_out():
    """Catches a filter that delays, and differences taken to one side."""
    joints, _ = walk(2.0)
    plain, back = solve(world_pose(joints), settings=FREE), solve(world_pose(joints[::-1]), settings=FREE)
    np.testing.assert_allclose(back.root_m[::-1], plain.root_m, atol=1e-4)
    assert degrees_apart(plain, dataclasses.replace(back, local_wxyz=back.local_wxyz[::-1])).max() < 0.1


def test_the_frame_rate_does_not_matter():
    """Catches weights per frame instead of per second: the same motion at 30 and 120 frames per second."""
    at = {}
    for fps in (30, 60, 120):
        joints = joints_of(swinging_angles(2 * fps, fps), np.tile([0.0, 0.9, 0.0], (2 * fps, 1)))
        at[fps] = solve(world_pose(joints, fps=fps), rig=HUMANOID_RIG, settings=FREE)
    for fps in (60, 120):
        every = slice(None, None, fps // 30)
        # Not the very ends: a clip at 120 goes on for 25 ms after the last frame of the clip at 30.
        world_m = [forward(m)[0] for m in (at[30], at[fps])]
        assert np.linalg.norm(world_m[1][every] - world_m[0], axis=-1)[3:-5].max() < 0.006
        sparse = dataclasses.replace(
            at[fps], local_wxyz=at[fps].local_wxyz[every], root_m=at[fps].root_m[every], contacts=None
        )
        assert degrees_apart(at[30], sparse)[3:-5].max() < 3.0


@pytest.mark.parametrize(("noise_m", "std_m"), [(0.0, 0.005), (0.0, 0.03), (0.0008, 0.005)])
def test_a_still_person_stays_still(noise_m, std_m):
    """Catches a solver that trembles, or one that never settles."""
    joints = joints_of(np.tile(swinging_angles(20)[15], (60, 1, 1)), np.tile([0.0, 0.9, 0.0], (60, 1)))
    joints = joints + np.random.default_rng(0).normal(0, noise_m, joints.shape)
    world_m, _ = forward(solve(world_pose(joints, std_m=std_m)))
    wander = np.sqrt(((world_m - world_m.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))
    assert wander.max() < (0.001 if noise_m else 1e-5), wander


def test_gaps_of_half_a_second_are_bridged_smoothly():
    """Catches arms that are taken for still, or fly off, while nobody sees them."""
    joints = joints_of(swinging_angles(90), np.tile([0.0, 0.9, 0.0], (90, 1)))
    holes = joints.copy()
    holes[30:45, [LIFTER_20.index(f"left_{name}") for name in ("elbow", "wrist")]] = np.nan
    holes[50:65, [LIFTER_20.index(f"right_{name}") for name in LEG]] = np.nan
    holes[:8, LIFTER_20.index("right_wrist")] = np.nan
    motion = solve(world_pose(holes, std_m=0.005), rig=HUMANOID_RIG)
    assert errors_m(motion, joints).max() < 0.12
    assert largest_jump_deg(motion) < 15


def test_a_fifth_of_the_joints_gone_and_noise():
    """Catches noise that is passed on, and gaps that pull bones out of place."""
    rng = np.random.default_rng(0)
    joints = joints_of(swinging_angles(120), np.tile([0.0, 0.9, 0.0], (120, 1)))
    noisy = joints + rng.normal(0, 0.02, joints.shape)
    noisy[rng.random(noisy.shape[:2]) < 0.2] = np.nan
    motion = solve(world_pose(noisy, std_m=0.02), rig=HUMANOID_RIG)
    assert np.median(errors_m(motion, joints)) < 0.018
    assert not excess_rad(motion.local_wxyz).any()


def test_wild_frames_and_swapped_legs_do_not_count():
    """Catches a solver that follows every detection: outliers of a metre, and legs swapped for two frames."""
    joints = joints_of(swinging_angles(90), np.tile([0.0, 0.9, 0.0], (90, 1)))
    rng = np.random.default_rng(0)
    wild = joints + rng.normal(0, 0.005, joints.shape)
    for name in ("left_wrist", "right_ankle", "left_knee", "head"):
        frames = rng.choice(90, 4, replace=False)
        wild[frames, LIFTER_20.index(name)] += rng.normal(0, 0.7, (4, 3))
    for name in LEG:
        left, right = (LIFTER_20.index(f"{side}_{name}") for side in ("left", "right"))
        wild[40:42, [left, right]] = wild[40:42, [right, left]]
    motion = solve(world_pose(wild, std_m=0.01), rig=HUMANOID_RIG)
    assert np.median(errors_m(motion, joints)) < 0.01
    assert errors_m(motion, joints).max() < 0.1
    assert largest_jump_deg(motion) < 20


def test_what_was_filled_in_counts_little():
    """Catches guesses (finite, confidence 0) that pull as hard as observations."""
    joints = joints_of(swinging_angles(60), np.tile([0.0, 0.9, 0.0], (60, 1)))
    wrist = LIFTER_20.index("left_wrist")
    guessed, confidence = joints.copy(), np.ones(joints.shape[:2])
    guessed[20:24, wrist] += [0.0, 0.15, 0.0]
    confidence[20:24, wrist] = 0.0
    at_wrist = list(SAME).index("left_wrist")
    off = {
        given: errors_m(solve(world_pose(guessed, c, std_m=0.01), rig=HUMANOID_RIG), joints)[:, at_wrist].max()
        for given, c in (("guess", confidence), ("observation", None))
    }
    assert off["guess"] < 0.6 * off["observation"]


@pytest.mark.parametrize(
    "name", ["left_wrist", "right_knee", "left_hip", "right_shoulder", "face", "thorax", "left_toe"]
)
def test_a_joint_that_is_never_seen(name):
    """Catches NaN that spreads, and a start that needs each joint."""
    joints = joints_of(swinging_angles(30), np.tile([0.0, 0.9, 0.0], (30, 1)))
    holes = joints.copy()
    holes[:, LIFTER_20.index(name)] = np.nan
    for rig in (HUMANOID_RIG, None):
        motion = solve(world_pose(holes, std_m=0.01), rig=rig)
        others = [n for n, joint in enumerate(SAME) if joint != name]
        assert np.median(errors_m(motion, joints)[:, others]) < 0.02


def test_contacts_that_are_given_hold_the_feet():
    """Catches an edited contact track that is ignored, or replaced."""
    joints, planted = walk(3.0)
    slipping = joints.copy()
    slipping[:, [LIFTER_20.index(f"{side}_{name}") for side in ("left", "right") for name in ("ankle", "toe")]] += (
        0.02 * np.sin(np.arange(90) / 6)[:, None, None] * [1.0, 0.0, 0.0]
    )
    contacts = np.repeat(planted, 2, axis=1).astype(float)
    from mocap3d.base.feet import sole_points

    speed = {}
    for name, settings in (("held", SolveSettings()), ("free", FREE)):
        motion = solve(world_pose(slipping), contacts=contacts, settings=settings)
        np.testing.assert_array_equal(motion.contacts, contacts)
        both = (contacts[1:] > 0) & (contacts[:-1] > 0)
        speed[name] = (np.linalg.norm(np.diff(sole_points(motion), axis=0), axis=-1) * 30)[both].mean()
    assert speed["held"] < 0.01
    assert speed["held"] < 0.25 * speed["free"]


@pytest.mark.parametrize("name", ["human36m-17", "coco-17", "mpii-16"])
def test_joints_of_other_skeletons(name):
    """Catches a skeleton whose points are taken for others: the limbs must lie where they were seen."""
    joints = joints_of(swinging_angles(60), np.tile([0.0, 0.9, 0.0], (60, 1)))
    pose = world_pose(joints, std_m=0.01)
    if name == "mpii-16":
        pose = convert(convert(pose, SKELETONS["human36m-17"]), SKELETONS[name])
    else:
        pose = convert(pose, SKELETONS[name])
    limbs = [n for n, joint in enumerate(SAME) if "_" in joint]
    motion = solve(pose, rig=HUMANOID_RIG)
    assert np.median(errors_m(motion, joints)[:, limbs]) < 0.01
    assert np.median(errors_m(solve(pose, height_m=1.7), joints)[:, limbs]) < 0.012


def test_joints_of_the_rig_itself():
    """Catches the humanoid's own joints refused, or hung on their parents."""
    turn = swinging_angles(60)
    root_m = np.tile([0.0, 0.9, 0.0], (60, 1))
    place, _, _ = bones_of(turn, root_m)
    motion = solve(world_pose(place, std_m=0.005, skeleton=HUMANOID_22), rig=HUMANOID_RIG)
    assert np.median(np.linalg.norm(forward(motion)[0] - place, axis=-1)) < 0.003
    assert unobserved(world_pose(place, skeleton=HUMANOID_22)) == ()


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_every_skeleton_of_the_table(skeleton):
    """Catches a declared skeleton with a joint that the solver stumbles over: people of random, but finite joints."""
    rng = np.random.default_rng(0)
    xyz_m = rng.normal(0, 0.3, (1, len(skeleton), 3)) + rng.normal(0, 0.01, (8, len(skeleton), 3))
    motion = solve(world_pose(xyz_m, skeleton=skeleton))
    assert np.isfinite(motion.local_wxyz).all()
    assert not excess_rad(motion.local_wxyz).any()


def test_left_and_right_may_differ():
    """Catches one leg longer than the other measured as the mean of both, when told to keep them apart."""
    offsets_m = HUMANOID_RIG.offsets_m.copy()
    offsets_m[HUMANOID_22.index("leftFoot")] *= 1.1
    limping = dataclasses.replace(HUMANOID_RIG, offsets_m=offsets_m)
    joints = joints_of(swinging_angles(60), np.tile([0.0, 0.9, 0.0], (60, 1)), limping)
    even, own = (rig_from(world_pose(joints), 1.7, symmetric=symmetric) for symmetric in (True, False))
    left, right = HUMANOID_22.index("leftFoot"), HUMANOID_22.index("rightFoot")
    assert even.bone_lengths_m[left] == pytest.approx(even.bone_lengths_m[right])
    assert own.bone_lengths_m[left] == pytest.approx(1.1 * own.bone_lengths_m[right], rel=1e-3)
    motion = solve(world_pose(joints, std_m=0.005), settings=SolveSettings(symmetric=False))
    assert np.median(errors_m(motion, joints)) < 0.004


def test_a_long_clip_is_solved_like_its_parts():
    """Catches seams between the stretches in which long clips are solved."""
    turn = swinging_angles(700)
    joints = joints_of(turn, np.tile([0.0, 0.9, 0.0], (700, 1)))
    motion = solve(world_pose(joints, std_m=0.02), rig=HUMANOID_RIG, settings=FREE)
    part = solve(world_pose(joints[180:420], std_m=0.02), rig=HUMANOID_RIG, settings=FREE)
    middle = dataclasses.replace(
        motion, local_wxyz=motion.local_wxyz[220:380], root_m=motion.root_m[220:380], contacts=None
    )
    other = dataclasses.replace(part, local_wxyz=part.local_wxyz[40:200], root_m=part.root_m[40:200], contacts=None)
    assert np.linalg.norm(forward(middle)[0] - forward(other)[0], axis=-1).max() < 0.003
    assert degrees_apart(middle, other).max() < 1.0
