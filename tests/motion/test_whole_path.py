"""Properties of the whole path: points, solved with contacts that are found on the way, feet locked.

What `test_solve_properties.py` asks of the solver alone and `test_foot_lock.py` of the lock alone is asked here of what
`mocap3d capture` does with joints: noise, gaps and wild frames in, planted feet out.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from solved_people import SAME, joints_of, world_pose
from walker import walk

from mocap3d.base.joint_limits import clamped
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_to_rotvec
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20
from mocap3d.motion.foot_lock import lock_feet
from mocap3d.motion.solve import solve

SIDES_OF_POINTS, SIDES_OF_BONES = list(LIFTER_20.mirror), list(HUMANOID_22.mirror)
SIDES_OF_CONTACTS = [2, 3, 0, 1]


def animated(joints_m: np.ndarray, fps: int = 30, std_m: float = 0.02) -> Motion:
    """All that capture does after lifting; feet are held whatever they do, so that the lock takes part."""
    return lock_feet(solve(world_pose(joints_m, fps=fps, std_m=std_m)), strength="strong")


def places_m(motion: Motion) -> np.ndarray:
    """(T, 22, 3)."""
    return forward(motion)[0]


def turns(motion: Motion) -> Rotation:
    """Local rotations of all joints but the hips, in one row."""
    return Rotation.from_quat(motion.local_wxyz[:, 1:][..., [1, 2, 3, 0]].reshape(-1, 4))


@pytest.fixture(scope="module")
def joints_m() -> np.ndarray:
    """A walker as a bad lifter sees them: noise, a tenth of the joints gone, two frames empty, a hand elsewhere."""
    rng = np.random.default_rng(5)
    joints, _ = walk(2.5)
    joints = joints + rng.normal(0, 0.015, joints.shape)
    joints[rng.random(joints.shape[:2]) < 0.1] = np.nan
    joints[30:32] = np.nan
    joints[50, LIFTER_20.index("left_wrist")] += 0.7
    return joints


@pytest.fixture(scope="module")
def plain(joints_m: np.ndarray) -> Motion:
    return animated(joints_m)


def test_the_lock_takes_part(joints_m: np.ndarray, plain: Motion) -> None:
    """Catches properties that hold because nobody stands, or because nothing was locked."""
    assert (plain.contacts >= 0.5).any(axis=1).mean() > 0.8
    free = places_m(solve(world_pose(joints_m, std_m=0.02)))
    assert np.abs(places_m(plain) - free).max() > 0.005


def test_turning_and_shifting_over_the_floor_moves_only_the_root(joints_m, plain) -> None:
    """Catches weights, contacts, levels or places of feet that depend on where North or the origin is."""
    about, shift_m = Rotation.from_rotvec([0, -2.0, 0]), np.array([30.0, 0.0, -70.0])
    moved = animated(joints_m @ about.as_matrix().T + shift_m)
    np.testing.assert_allclose(moved.root_m, about.apply(plain.root_m.copy()) + shift_m, atol=1e-6)
    np.testing.assert_allclose((turns(moved).inv() * turns(plain)).magnitude(), 0, atol=1e-5)
    np.testing.assert_allclose(moved.contacts, plain.contacts, atol=1e-6)
    hips = [Rotation.from_quat(m.local_wxyz[:, 0][:, [1, 2, 3, 0]]) for m in (plain, moved)]
    np.testing.assert_allclose(((about * hips[0]).inv() * hips[1]).magnitude(), 0, atol=1e-5)


def test_upstairs_is_as_downstairs(joints_m) -> None:
    """Catches a floor at y = 0 that reaches up to a roof: what is walked on there is a level like another."""
    first, second = (animated(joints_m + [0, height, 0]) for height in (0.5, 3.0))
    np.testing.assert_allclose(places_m(second), places_m(first) + [0, 2.5, 0], atol=1e-6)


def test_a_floor_that_is_missed_by_a_centimetre_is_the_floor(joints_m, plain) -> None:
    """Catches people who are lowered by more, or otherwise, than their floor was too high."""
    higher = animated(joints_m + [0, 0.01, 0])
    stands = plain.contacts >= 0.5
    assert ((higher.contacts >= 0.5) == stands).mean() > 0.98
    assert np.abs(places_m(higher) - places_m(plain)).max() < 0.03


def test_mirrored_in_is_mirrored_out(joints_m, plain) -> None:
    """Catches a side that is found, solved, held or locked in another way, or first."""
    mirrored = animated((joints_m * [-1, 1, 1])[:, SIDES_OF_POINTS])
    np.testing.assert_allclose((places_m(mirrored) * [-1, 1, 1])[:, SIDES_OF_BONES], places_m(plain), atol=1e-6)
    np.testing.assert_allclose(mirrored.contacts[:, SIDES_OF_CONTACTS], plain.contacts, atol=1e-6)


def test_backwards_in_is_backwards_out(joints_m, plain) -> None:
    """Catches contacts that begin late, filters that delay, places taken from where a foot landed."""
    back = animated(joints_m[::-1])
    np.testing.assert_allclose(places_m(back)[::-1], places_m(plain), atol=1e-6)
    np.testing.assert_allclose(back.contacts[::-1], plain.contacts, atol=1e-6)


def test_the_frame_rate_does_not_matter() -> None:
    """Catches weights, windows and fades in frames instead of seconds.

    Not exactly: of a foot that lands within one frame more is seen at 120 frames per second, and straight legs that
    are too short for a moment lower the hips.
    """
    at = {rate: animated(walk(1.5, fps=rate)[0], rate, std_m=0.01) for rate in (30, 60, 120)}
    for rate in (60, 120):
        every = slice(None, None, rate // 30)
        apart_m = np.linalg.norm(places_m(at[rate])[every] - places_m(at[30]), axis=-1)
        assert np.median(apart_m) < 0.012
        assert apart_m.max() < 0.035
        assert ((at[rate].contacts[every] >= 0.5) == (at[30].contacts >= 0.5)).mean() > 0.97


def somebody(seed: int) -> np.ndarray:
    """(1, 22, 3) rotation vectors of somebody within what joints do, turned somewhere; every other one is lying."""
    rng = np.random.default_rng(seed)
    turn = rng.normal(0, 0.3, (1, 22, 3))
    turn = wxyz_to_rotvec(clamped(rotvec_to_wxyz(turn)))
    turn[0, 0] = rng.normal(0, 1, 3) if seed % 2 else [0, rng.uniform(-3, 3), 0]
    return turn


@pytest.mark.parametrize("std_m", [0.005, 0.03])
@pytest.mark.parametrize("seed", range(4))
def test_a_still_person_stays_still(seed, std_m) -> None:
    """Catches a solver that wanders along what points do not show, ends that fade, and feet that are put elsewhere."""
    joints = joints_of(np.tile(somebody(seed), (40, 1, 1)), np.tile([0.0, 0.9, 0.0], (40, 1)))
    at_m = places_m(animated(joints, std_m=std_m))
    assert np.linalg.norm(at_m - at_m.mean(axis=0), axis=-1).max() < 0.001


def test_whatever_stands_more_likely_than_not_is_held(joints_m) -> None:
    """Catches contacts that are held only where they are certain, in the solver or by the lock."""
    _, planted = walk(2.5)
    held = []
    for sure in (1.0, 0.6):
        contacts = sure * np.repeat(planted, 2, axis=1)
        held.append(places_m(lock_feet(solve(world_pose(joints_m, std_m=0.02), contacts=contacts))))
    assert np.abs(held[1] - held[0]).max() < 0.01
    loose = places_m(lock_feet(solve(world_pose(joints_m, std_m=0.02), contacts=0.4 * np.repeat(planted, 2, axis=1))))
    assert np.abs(loose - held[0]).max() > 0.02


@pytest.mark.parametrize("std_m", [0.005, 0.03])
def test_somebody_who_stands_still_stays_still_though_points_tremble(std_m) -> None:
    """Catches trembling that is passed on, or made larger: 0.8 mm of noise on every coordinate, 1.4 mm in space.

    Where points are. Of a straight back the joints between them may wander further: bones keep their length, and a
    millimetre less between hips and chest bends it by ten.
    """
    turn = np.zeros((1, 22, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turn[:, HUMANOID_22.index(f"{side}UpperArm"), 2] = -1.2 * sign
        turn[:, HUMANOID_22.index(f"{side}LowerArm"), 1] = -0.5 * sign
    joints = joints_of(np.tile(turn, (60, 1, 1)), np.tile([0.0, 0.889, 0.0], (60, 1)))
    motion = animated(joints + np.random.default_rng(0).normal(0, 0.0008, joints.shape), std_m=std_m)
    at_m = places_m(motion)[:, [HUMANOID_22.index(bone) for bone in SAME.values()]]
    assert (motion.contacts >= 0.5).all()
    wander_m = np.sqrt(((at_m - at_m.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))
    assert wander_m.max() < (0.001 if std_m > 0.01 else 0.0014)  # what is said to be exact is followed
