"""Legs bent in closed form: against distances, planes and angles measured on the result."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.interpolate import BPoly
from scipy.spatial.transform import Rotation

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.foot_places import faded, foot_places, resting_place
from mocap3d.motion.leg_ik import LegChain, bent_legs, hips_drop_m, reachable, with_turns

THIGH_M, SHANK_M = 0.45, 0.40


def rotated(wxyz: np.ndarray, xyz: np.ndarray) -> np.ndarray:
    return Rotation.from_quat(wxyz[:, [1, 2, 3, 0]]).apply(xyz)


def random_legs(count: int, seed: int = 0, flexion_deg: tuple[float, float] = (2.0, 120.0)) -> LegChain:
    """Legs that point anywhere and are bent about their hinge."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(count, random_state=seed)
    bend = np.radians(rng.uniform(*flexion_deg, count))
    hip = rng.normal(size=(count, 3))
    knee = hip + turn.apply([0, -THIGH_M, 0])
    shin = np.stack([0 * bend, -np.cos(bend), -np.sin(bend)], axis=-1) * SHANK_M
    return LegChain(hip_m=hip, knee_m=knee, ankle_m=knee + turn.apply(shin), hinge=turn.apply([1.0, 0, 0]))


def moved(leg: LegChain, target_m: np.ndarray) -> LegChain:
    thigh, shank = bent_legs(leg, target_m)
    knee = leg.hip_m + rotated(thigh, leg.knee_m - leg.hip_m)
    return LegChain(
        hip_m=leg.hip_m,
        knee_m=knee,
        ankle_m=knee + rotated(shank, leg.ankle_m - leg.knee_m),
        hinge=rotated(thigh, leg.hinge),
    )


def flexion(leg: LegChain) -> np.ndarray:
    thigh, shin = leg.knee_m - leg.hip_m, leg.ankle_m - leg.knee_m
    return np.arctan2((np.cross(thigh, shin) * leg.hinge).sum(-1), (thigh * shin).sum(-1))


def test_the_ankle_comes_to_its_target_and_the_knee_keeps_its_plane() -> None:
    """Catches a wrong law of cosines, a shin turned the wrong way, a knee that leaves the plane of the leg."""
    leg = random_legs(500)
    rng = np.random.default_rng(1)
    target = leg.hip_m + rng.normal(size=(500, 3))
    distance = rng.uniform(0.25, 0.84, 500)
    target = (
        leg.hip_m
        + (target - leg.hip_m) / np.linalg.norm(target - leg.hip_m, axis=-1, keepdims=True) * distance[:, None]
    )
    after = moved(leg, target)
    np.testing.assert_allclose(after.ankle_m, target, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(after.knee_m - after.hip_m, axis=-1), THIGH_M, atol=1e-12)
    assert flexion(after).min() > 0
    normal = np.cross(after.knee_m - after.hip_m, after.ankle_m - after.knee_m)
    across = np.linalg.norm(np.cross(normal, after.hinge), axis=-1) / np.linalg.norm(normal, axis=-1)
    assert across.max() < 1e-6


def test_an_ankle_at_its_target_moves_nothing_and_a_reversed_knee_is_put_right() -> None:
    """Catches legs that creep, and knees that stay bent forwards since the ankle need not move."""
    leg = random_legs(200, seed=3, flexion_deg=(0.0, 130.0))
    for turn in bent_legs(leg, leg.ankle_m):
        np.testing.assert_allclose(np.abs(turn[:, 0]), 1.0, atol=1e-12)
    wrong = random_legs(200, seed=4, flexion_deg=(-30.0, -1.0))
    after = moved(wrong, wrong.ankle_m)
    np.testing.assert_allclose(after.ankle_m, wrong.ankle_m, atol=1e-9)
    assert flexion(wrong).max() < 0
    np.testing.assert_allclose(flexion(after), -flexion(wrong), atol=1e-6)


def test_targets_out_of_reach_slide_level_or_are_lifted() -> None:
    """Catches legs that are stretched, and feet that leave the ground where sliding is enough."""
    leg = LegChain(
        hip_m=np.array([[0, 0.8, 0], [0, 0.8, 0], [0, 1.5, 0.0]]),
        knee_m=np.array([[0, 0.36, 0.1], [0, 0.36, 0.1], [0, 1.06, 0.1]]),
        ankle_m=np.array([[0, 0.0, 0.0], [0, 0.0, 0.0], [0, 0.7, 0.0]]),
        hinge=np.tile([1.0, 0, 0], (3, 1)),
    )
    near = reachable(leg, np.array([[0.1, 0.0, 0.1], [0.0, 0.0, 0.6], [0.0, 0.0, 0.2]]))
    np.testing.assert_array_equal(near[0], [0.1, 0.0, 0.1])
    np.testing.assert_allclose(near[1, :2], [0, 0], atol=1e-12)
    assert 0.1 < near[1, 2] < 0.4
    assert near[2, 1] > 0.6
    distance = np.linalg.norm(near - leg.hip_m, axis=-1)
    assert (distance <= leg.longest_m + 1e-12).all()


@pytest.mark.parametrize("fps", [24, 120])
def test_hips_drop_as_far_as_needed_smoothly_and_no_further_than_allowed(fps: int) -> None:
    """Catches a smoothed drop that is less than needed at its peak, and one that jumps."""
    t = np.arange(4 * fps) / fps
    hip = np.stack([0 * t, 0 * t + 0.86, 0 * t], axis=-1)
    leg = LegChain(
        hip_m=hip, knee_m=hip + [0, -0.44, 0.05], ankle_m=hip + [0, -0.8, 0.0], hinge=np.tile([1.0, 0, 0], (len(t), 1))
    )
    target = leg.ankle_m - np.where(np.abs(t - 2) < 0.3, 0.1, 0.0)[:, None] * [0, 1, 0]
    drop = hips_drop_m([leg, leg], [leg.ankle_m, target], fps, most_m=0.2, seconds=0.3)
    needed = np.maximum(leg.hip_m[:, 1] - target[:, 1] - leg.longest_m, 0)
    assert needed.max() > 0.02
    assert (drop >= needed - 1e-12).all()
    assert drop.max() < needed.max() + 1e-9
    assert np.abs(np.diff(drop, 2)).max() * fps**2 < 40 * needed.max()
    np.testing.assert_array_equal(drop[t < 1.7 - 2 * 0.3 - 0.02], 0)
    assert hips_drop_m([leg, leg], [leg.ankle_m, target], fps, most_m=0.01, seconds=0.3).max() < 0.01 + 1e-12


def test_turns_in_the_world_become_local_rotations() -> None:
    """Catches a parent that has turned as well, and frames that are touched though they should not be."""
    rng = np.random.default_rng(5)
    wxyz = Rotation.random(2 * 22, random_state=5).as_quat().reshape(2, 22, 4)
    motion = Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=rng.normal(size=(2, 3)))
    _, world = forward(motion)
    upper, foot = HUMANOID_22.index("leftUpperLeg"), HUMANOID_22.index("leftFoot")
    turns = {j: Rotation.random(2, random_state=j).as_quat() for j in (upper, foot)}
    after = with_turns(motion, world, turns, np.array([True, False]))
    _, new = forward(after)

    def matrix(q: np.ndarray) -> np.ndarray:
        return Rotation.from_quat(q[[1, 2, 3, 0]]).as_matrix()

    for j, above in ((upper, upper), (foot, foot), (HUMANOID_22.index("leftLowerLeg"), upper)):
        np.testing.assert_allclose(matrix(new[0, j]), matrix(turns[above][0]) @ matrix(world[0, j]), atol=1e-9)
    np.testing.assert_array_equal(after.local_wxyz[1], motion.local_wxyz[1])


def test_fading_is_the_quintic_that_ends_at_rest() -> None:
    """Catches a wrong polynomial, a slope per frame taken per second, and stretches that overlap."""
    fps, seconds = 60, 0.25
    known = np.zeros(80, dtype=bool)
    known[30:41] = True
    values = np.zeros((80, 2))
    values[30:41, 0] = 0.5 + 0.02 * np.arange(11)
    values[30:41, 1] = 1.0
    out = faded(values, known, fps, seconds)
    np.testing.assert_array_equal(out[known], values[known])
    frames = 15
    for column, (value, slope) in enumerate(((0.7, 0.02), (1.0, 0.0))):
        quintic = BPoly.from_derivatives([0, frames], [[value, slope, 0.0], [0.0, 0.0, 0.0]])
        np.testing.assert_allclose(out[40:56, column], quintic(np.arange(16)), atol=1e-12)
    np.testing.assert_allclose(out[15:30, 1], out[41:56, 1][::-1], atol=1e-12)
    assert not out[:15].any()
    assert not out[56:].any()
    known[44:70] = True  # sooner where the next stretch begins, and neither reaches into the other
    values[44:70] = 2.0
    out = faded(values, known, fps, seconds)
    np.testing.assert_array_equal(out[known], values[known])
    assert (out[41:44, 1] > 1.0).all()
    everything = np.ones(80, dtype=bool)
    np.testing.assert_array_equal(faded(values, everything, fps, seconds), values)


def test_places_are_robust_as_long_as_the_foot_and_on_the_support() -> None:
    """Catches a mean that late lift-off draws away, and heels and toes that are further apart than the foot is long."""
    track = np.zeros((30, 3))
    track[25:, 2] = np.linspace(0.02, 0.2, 5)
    assert abs(resting_place(track, 30)[2]) < 0.005
    assert track[:, 2].mean() > 0.01
    rng = np.random.default_rng(2)
    points = np.zeros((40, 2, 3))
    points[:, 1, 2] = 0.27
    points += rng.normal(size=points.shape) * 0.005
    stands = np.zeros((40, 2), dtype=bool)
    stands[5:25, 0] = stands[10:35, 1] = True
    places = foot_places(points, stands, np.full((40, 2), 0.17), 0.25, 30)
    apart = places.toe_m[10:25] - places.heel_m[10:25]
    np.testing.assert_allclose(np.linalg.norm(apart, axis=-1), 0.25, atol=1e-9)
    np.testing.assert_allclose(places.heel_m[5:25, 1], 0.17)
    assert np.ptp(places.toe_m[10:35], axis=0).max() == 0
    assert np.isnan(places.toe_m[:10]).all()
    assert np.isnan(places.heel_m[25:]).all()
