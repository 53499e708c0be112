"""Frame rates and grids from time stamps, against brute force in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.cameras.frame_times import choose_rate, count_on_grid, nearest_on_grid

RATES = [Fraction(n) for n in (1, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120, 240)]
RATES += [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=60), st.sampled_from(RATES[3:9]), st.integers(-(10**6), 10**6)
)
def test_the_grid_takes_the_nearest_frame(intervals, fps, first):
    """Catches drift over many frames, a grid that starts at 0 instead of the first frame, and a wrong length."""
    ticks = [first]
    for interval in intervals:
        ticks.append(ticks[-1] + interval)
    times = choose_rate(ticks, Fraction(1, 1000), [])
    items = list(nearest_on_grid(((t / 1000, i) for i, t in enumerate(ticks)), fps, 0.5 / float(times.fps)))
    assert len(items) == count_on_grid(times, fps)
    for k, item in enumerate(items):
        at = ticks[0] + Fraction(1000 * k) / fps
        distances = [abs(tick - at) for tick in ticks]
        assert distances[item] <= min(distances) + Fraction(1, 1000)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("time_base", [Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 15360), Fraction(1, 1200)])
@pytest.mark.parametrize("count", [30, 500])
def test_constant_rates_are_recognised_without_a_header(fps, time_base, count):
    """Catches 29.97 and 30 confused where the clip is long enough to tell, and rounded ticks taken for jitter."""
    times = choose_rate([round(i / fps / time_base) for i in range(count)], time_base, [None, Fraction(0)])
    assert times.is_uniform
    if count == 500 or time_base < Fraction(1, 10000):
        assert times.fps == fps
    assert abs(times.fps / fps - 1) < Fraction(1, 500)


def test_a_wrong_header_is_not_believed():
    """Catches a header of 25 frames/s (FFmpeg's guess) winning over time stamps at 60."""
    times = choose_rate([round(i * 1500) for i in range(100)], Fraction(1, 90000), [Fraction(25)])
    assert (times.fps, times.is_uniform) == (60, True)


def test_one_dropped_frame_is_a_variable_rate():
    """Catches sound and picture drifting apart after a dropped frame that was averaged away."""
    ticks = [i * 3000 for i in range(100) if i not in (40, 41)]
    times = choose_rate(ticks, Fraction(1, 90000), [Fraction(30)])
    assert (times.fps, times.is_uniform, count_on_grid(times, times.fps)) == (30, False, 100)


def test_nothing_to_go_by():
    """Catches a division by zero for no frame, one frame, and frames that all claim one time."""
    assert choose_rate([], Fraction(1, 1000), []).count == 0
    assert choose_rate([7], Fraction(1, 1000), [Fraction(24)]).fps == 24
    assert choose_rate([7, 7, 7], Fraction(1, 1000), [Fraction(24)]).count == 3
    assert list(nearest_on_grid(iter(()), Fraction(30), 0.1)) == []


def test_times_that_run_backwards():
    """Catches a frame that claims an earlier time than the one before it, and takes the place of later ones."""
    timed = [(0.0, "a"), (0.3, "b"), (0.1, "c"), (0.4, "d")]
    assert "".join(nearest_on_grid(timed, Fraction(10), 0.05)) == "aaccd"


def test_a_header_that_averages_jitter_is_not_the_rate():
    """Catches 30.0049 frames/s for a phone that stamped 30 in whole milliseconds on a fine time base."""
    ticks = [round(round(1000 * k / 30) * 15.36) for k in range(126)]
    average = Fraction(125) / (Fraction(ticks[-1], 15360))
    times = choose_rate(ticks, Fraction(1, 15360), [average + Fraction(1, 250)])
    assert times.is_uniform
    assert times.fps == 30
