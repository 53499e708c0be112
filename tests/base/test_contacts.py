"""Foot contacts of steps, hops and slides that are made by formula, so that every contact is known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.contacts import ContactSettings, foot_contacts
from mocap3d.base.errors import InputError

UP = (0.0, 1.0, 0.0)
STRIDE_S, STRIDE_M = 1.1, 1.45
# Start and end of contact within a stride, as fractions of it: the heel lands first, the toe leaves last.
HEEL, TOE = (0.0, 0.42), (0.1, 0.62)
RATES = [24, 25, 30, 60, 120]


def times(fps: float, seconds: float = 4.15) -> NDArray[np.float64]:
    return np.arange(round(seconds * fps)) / fps


def walk(fps: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Walk at 1.3 m/s along +Z: points (T, 4, 3) and whether each stands."""
    t = times(fps)
    points, stands = [], []
    for side, delay in ((0.1, 0.0), (-0.1, 0.5)):
        for (start, end), ahead in ((HEEL, -0.06), (TOE, 0.19)):
            phase = t / STRIDE_S - delay - start
            stride, within = np.floor(phase), phase % 1
            swing = np.clip((within - (end - start)) / (1 - (end - start)), 0, 1)
            smooth = swing**3 * (10 - 15 * swing + 6 * swing**2)  # starts and ends at rest
            z = (stride + smooth + delay + start) * STRIDE_M + ahead
            y = 0.12 * np.sin(math.pi * swing) ** 2
            points.append(np.stack([np.full_like(t, side), y, z], axis=-1))
            stands.append(swing == 0)
    return np.stack(points, axis=1), np.stack(stands, axis=1)


def standing(fps: float) -> NDArray[np.float64]:
    base = np.array([[0.1, 0, -0.06], [0.1, 0, 0.19], [-0.1, 0, -0.06], [-0.1, 0, 0.19]])
    return np.tile(base, (len(times(fps)), 1, 1))


def changes_s(stands: NDArray[np.bool_], fps: float) -> NDArray[np.float64]:
    return np.flatnonzero(np.diff(stands)) / fps


@pytest.mark.parametrize("up", [None, UP])
@pytest.mark.parametrize("fps", RATES)
def test_walking_contacts_begin_and_end_on_time(fps: int, up: tuple[float, ...] | None) -> None:
    """Catches windows counted in frames, edges smeared by the derivative, heels and toes swapped."""
    points, truth = walk(fps)
    found = foot_contacts(points, fps, up=up) > 0
    for k in range(4):
        expected, got = changes_s(truth[:, k], fps), changes_s(found[:, k], fps)
        assert len(got) == len(expected), f"point {k}: {got} for {expected}"
        np.testing.assert_allclose(got, expected, atol=0.07)


def test_frame_rates_agree_with_each_other() -> None:
    """Catches thresholds per frame instead of per second."""
    slow = changes_s(foot_contacts(walk(30)[0], 30)[:, 0] > 0, 30)
    for fps in (60, 120):
        fast = changes_s(foot_contacts(walk(fps)[0], fps)[:, 0] > 0, fps)
        np.testing.assert_allclose(fast, slow, atol=1.5 / 30)


@pytest.mark.parametrize("fps", RATES)
def test_standing_is_contact_in_every_frame(fps: int) -> None:
    """Catches first and last frames lost to a one-sided derivative."""
    for up in (None, UP):
        np.testing.assert_array_equal(foot_contacts(standing(fps), fps, up=up), 1.0)


@pytest.mark.parametrize("up", [None, UP])
@pytest.mark.parametrize("fps", RATES)
def test_hop_has_no_contact_in_the_air(fps: int, up: tuple[float, ...] | None) -> None:
    """Catches the turning point of a jump, where the feet are still for a moment, taken for the ground."""
    t = times(fps)
    points = standing(fps)
    flight = (t > 1.0) & (t < 1.6)  # 0.6 s in the air: 0.44 m high
    points[:, :, 1] += np.where(flight, 9.81 / 2 * (t - 1.0) * (1.6 - t), 0)[:, None]
    found = foot_contacts(points, fps, up=up) > 0
    assert not found[(t > 1.04) & (t < 1.56)].any()
    assert found[(t < 0.93) | (t > 1.69)].all()  # take-off and landing are sudden: half a window of doubt


def test_sliding_feet_do_not_stand() -> None:
    """Catches height that outvotes speed: skating at 0.8 m/s on the floor."""
    points = standing(30)
    points[:, :, 2] += 0.8 * times(30)[:, None]
    for arguments in ({}, {"up": UP}, {"up": UP, "floor_m": 0.0}):
        np.testing.assert_array_equal(foot_contacts(points, 30, **arguments), 0.0)


def test_a_foot_held_in_the_air_stands_only_while_up_is_unknown() -> None:
    """Catches a support taken from each point by itself."""
    points = standing(30)
    points[:, 2:, 1] += 0.3  # on the left leg all the time
    assert (foot_contacts(points, 30) > 0).all()
    found = foot_contacts(points, 30, up=(0, 2.0, 0)) > 0
    np.testing.assert_array_equal(found.all(axis=0), [True, True, False, False])
    assert not found[:, 2:].any()


def test_floor_is_a_height_along_up_and_ankles_may_stand_in_for_heels_without_it() -> None:
    """Catches a floor with the wrong sign, and ankles 8 cm up that never touch the ground."""
    points = standing(30)
    points[:, [0, 2], 1] += 0.08 + 0.05
    points -= [0, 2.0, 0]
    assert (foot_contacts(points, 30, up=UP) > 0).all()
    found = foot_contacts(points, 30, up=UP, floor_m=-2.0) > 0
    np.testing.assert_array_equal(found.all(axis=0), [False, True, False, True])
    assert not (foot_contacts(points, 30, up=UP, floor_m=-2.5) > 0).any()


@given(st.integers(0, 10**6), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_where_the_camera_stands_does_not_matter(seed: int, rotvec: list[float]) -> None:
    """Catches axes used by name: the same steps from any still camera give the same contacts."""
    points = walk(30)[0] + np.random.default_rng(seed).normal(size=(1, 4, 3)) * 0.001
    turn = Rotation.from_rotvec(rotvec)
    moved = turn.apply(points.reshape(-1, 3)).reshape(points.shape) + np.array([10, -20, 30])
    np.testing.assert_allclose(foot_contacts(moved, 30), foot_contacts(points, 30), atol=1e-9)
    np.testing.assert_allclose(foot_contacts(moved, 30, up=turn.apply(UP)), foot_contacts(points, 30, up=UP), atol=1e-9)


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_jitter_of_a_centimetre_is_borne(fps: int) -> None:
    """Catches a derivative between neighbouring frames, which jitter drives to metres per second."""
    points, truth = walk(fps)
    noisy = points + np.random.default_rng(0).normal(size=points.shape) * 0.01
    still = standing(fps) + np.random.default_rng(1).normal(size=standing(fps).shape) * 0.01
    for up in (None, UP):
        assert ((foot_contacts(noisy, fps, up=up) > 0) == truth).mean() > 0.88
        assert (foot_contacts(still, fps, up=up) > 0).mean() > 0.98


def test_one_wild_frame_does_not_break_a_stance() -> None:
    """Catches a glitch that spreads over the whole window of the derivative."""
    points = standing(30)
    points[60] -= 0.4
    for up in (None, UP):
        assert (foot_contacts(points, 30, up=up) > 0).all()


def test_missing_points_are_no_contact_and_do_not_hurt_the_rest() -> None:
    """Catches NaN that spreads in time or to the other foot."""
    points = standing(30)
    points[40:50, 0] = np.nan
    points[:, 3] = np.nan
    for up in (None, UP):
        found = foot_contacts(points, 30, up=up)
        assert np.isfinite(found).all()
        assert (found[40:50, 0] == 0).all()
        assert (found[:, 3] == 0).all()
        assert (found[:40, 0] > 0.5).all()
        assert (found[50:, 0] > 0.5).all()
        assert (found[:, 1:3] > 0.5).all()
    np.testing.assert_array_equal(foot_contacts(np.full((9, 4, 3), np.nan), 30, up=UP), 0)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_very_short_clips(frames: int) -> None:
    """Catches a filter longer than the clip: one frame shows no speed, two show one."""
    found = foot_contacts(standing(120)[:frames], 120, up=UP)
    np.testing.assert_array_equal(found, np.full((frames, 4), 1.0 if frames >= 2 else 0.0))


def test_values_are_weights() -> None:
    """Catches values outside 0..1 and contacts below one half."""
    found = foot_contacts(walk(30)[0], 30, up=UP)
    assert found.max() == 1.0
    assert ((found == 0) | ((found >= 0.5) & (found <= 1))).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points_m": np.zeros((5, 3, 3)), "fps": 30}, "any, 4, 3"),
        ({"points_m": np.zeros((5, 4, 3)), "fps": 0}, "above 0"),
        ({"points_m": np.zeros((5, 4, 3)), "fps": 30, "floor_m": 0.0}, "give up too"),
        ({"points_m": np.zeros((5, 4, 3)), "fps": 30, "up": (0, 0, 0)}, "direction"),
    ],
)
def test_refusals(arguments: dict[str, object], words: str) -> None:
    """Catches silent nonsense: three points, no time, a floor without a direction."""
    with pytest.raises(InputError, match=words):
        foot_contacts(**arguments)  # type: ignore[arg-type]


def test_settings_must_be_ordered() -> None:
    """Catches thresholds that can never both hold."""
    with pytest.raises(InputError, match="still_mps < moving_mps"):
        ContactSettings(still_mps=1.0, moving_mps=0.5)
    with pytest.raises(InputError, match="above 0 seconds"):
        ContactSettings(derivative_s=0)
