"""How much is smoothed away: little of who moves fast, much of who is calm. And what a hint of contacts changes."""

import dataclasses

import numpy as np
import pytest
from scipy.signal import welch
from solved_people import joints_of, swinging_angles, world_pose

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20
from mocap3d.motion.solve import SolveSettings, solve

SAME_FOR_ALL = SolveSettings(liveliness=(1.0, 1.0), contact_std_m=0.0)
FREE = SolveSettings(contact_std_m=0.0)
FRAMES = 240
AT = np.tile([0.0, 0.9, 0.0], (FRAMES, 1))


def arm_swings(hertz, rad):
    """Somebody whose left arm swings ahead and back, the other limbs at rest."""
    turn = swinging_angles(1).repeat(FRAMES, axis=0)
    turn[:, HUMANOID_22.index("leftUpperArm"), 1] = rad * np.sin(2 * np.pi * hertz * np.arange(FRAMES) / 30)
    return turn


def solved_wrist(pose, settings):
    """(T, 3) where the left wrist is put."""
    return forward(solve(pose, rig=HUMANOID_RIG, settings=settings))[0][:, HUMANOID_22.index("leftHand")]


def test_fast_arms_keep_their_swing_and_calm_ones_do_not_tremble():
    """Catches one smoothness for everybody: fast people lose their life, or calm people keep the noise."""
    noise = np.random.default_rng(0).normal(0, 0.02, (FRAMES, 20, 3))
    wrist = LIFTER_20.index("left_wrist")
    swing, jerk = {}, {}
    for name, settings in (("by motion", FREE), ("always the same", SAME_FOR_ALL)):
        fast = joints_of(arm_swings(2.0, 0.6), AT)
        found = solved_wrist(world_pose(fast + noise, std_m=0.02), settings)
        swing[name] = np.std(found[30:-30, 2]) / np.std(fast[30:-30, wrist, 2])
        calm = solved_wrist(world_pose(joints_of(arm_swings(0.1, 0.1), AT) + noise, std_m=0.02), settings)
        jerk[name] = np.linalg.norm(np.diff(calm, n=3, axis=0), axis=-1).mean()
    assert swing["by motion"] > 0.9
    assert 1 - swing["by motion"] < 0.7 * (1 - swing["always the same"])
    assert jerk["by motion"] < 0.75 * jerk["always the same"]


def test_it_is_decided_moment_by_moment_and_limb_by_limb():
    """Catches a clip that is smoothed alike from end to end, and a still arm that trembles beside a fast one."""
    turn = arm_swings(2.0, 0.6)
    turn[: FRAMES // 2, HUMANOID_22.index("leftUpperArm"), 1] = 0.0
    noisy = joints_of(turn, AT) + np.random.default_rng(1).normal(0, 0.02, (FRAMES, 20, 3))
    world_m, _ = forward(solve(world_pose(noisy, std_m=0.02), rig=HUMANOID_RIG, settings=FREE))

    def trembling(bone, frames):
        path = world_m[frames, HUMANOID_22.index(bone)]
        power, density = welch(path, fs=30, nperseg=64, axis=0)
        return np.sqrt(density[power > 4].sum())

    still, moving = slice(10, FRAMES // 2 - 15), slice(FRAMES // 2 + 15, FRAMES - 10)
    assert trembling("leftHand", still) < 0.6 * trembling("leftHand", moving)
    assert trembling("rightHand", moving) < 1.6 * trembling("rightHand", still)


def test_errors_that_wander_are_followed_rather_than_taken_for_noise():
    """Catches joints whose error is stated in decimetres, as lifters do, smoothed as if that came anew every frame."""
    fast = joints_of(arm_swings(1.5, 0.5), AT)
    wrist = LIFTER_20.index("left_wrist")
    swings = [
        np.std(solved_wrist(world_pose(fast, std_m=std_m), FREE)[30:-30, 2]) / np.std(fast[30:-30, wrist, 2])
        for std_m in (0.02, 0.14)
    ]
    assert swings[1] > 0.93
    assert swings[1] == pytest.approx(swings[0], abs=0.01)


@pytest.mark.parametrize("liveliness", [(0.0, 2.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_refuses_a_liveliness_that_is_none(liveliness):
    """Catches a weight of infinity."""
    with pytest.raises(InputError, match="liveliness"):
        dataclasses.replace(FREE, liveliness=liveliness)


def standing(**left_leg):
    """Joints of somebody who stands on the right foot; joints of the left leg are turned by (T,) rad about X."""
    turn = np.zeros((FRAMES, 22, 3))
    for joint, rad in left_leg.items():
        turn[:, HUMANOID_22.index(f"left{joint}"), 0] = rad
    return joints_of(turn, np.tile([0.0, HUMANOID_RIG.offsets_m[0, 1], 0.0], (FRAMES, 1)))


def hinted(joints):
    """Which points stand (T, 4), and where the left ankle is (T, 3), by what a network thinks of the left foot."""
    found = {}
    for name, share in (("nothing", None), ("stands", 1.0), ("moves", 0.0)):
        hint = None if share is None else np.tile([share, share, 1.0, 1.0], (FRAMES, 1))
        motion = solve(world_pose(joints, std_m=0.01), rig=HUMANOID_RIG, hint=hint)
        found[name] = motion.contacts >= 0.5, forward(motion)[0][:, HUMANOID_22.index("leftFoot")]
    return found


def test_a_hint_counts_where_speed_leaves_a_doubt():
    """Catches a hint that is lost on its way to the contacts, one that overrules what is plain to see, and feet that
    are held as if there had been none.
    """
    swing = 0.12 * np.sin(2 * np.pi * 0.7 * np.arange(FRAMES) / 30)
    joints = standing(UpperLeg=-swing, Foot=swing)  # the sole is pushed to and fro over the floor
    speed = np.abs(np.gradient(joints[:, LIFTER_20.index("left_ankle"), 2])) * 30
    found = hinted(joints)
    stands = {name: contacts[:, 0] for name, (contacts, _) in found.items()}
    differ = stands["nothing"] & ~stands["moves"]
    assert differ.any()
    assert speed[differ].min() > 0.15
    assert all(contacts[:, 2:].all() for contacts, _ in found.values())
    assert all(found[name][0][10:-10][speed[10:-10] < 0.1, 0].all() for name in found)
    feet = {name: ankle_m for name, (_, ankle_m) in found.items()}
    assert np.linalg.norm(feet["nothing"] - feet["moves"], axis=-1)[differ].max() > 0.001


def test_a_hint_says_whether_a_raised_foot_stands():
    """Catches a hint without a say where height leaves a doubt: a still foot beside a leg that carries everything."""
    found = hinted(standing(UpperLeg=-1.0, LowerLeg=1.0))  # 19 cm above the floor
    share = {name: contacts[:, :2].mean() for name, (contacts, _) in found.items()}
    assert share["nothing"] == share["moves"] == 0.0
    assert share["stands"] > 0.9
