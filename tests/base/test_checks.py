"""Arrays and frame rates as they come in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.checks import as_floats, as_fps, fps_from_period
from mocap3d.base.errors import InputError

NTSC = {24: Fraction(24000, 1001), 30: Fraction(30000, 1001), 60: Fraction(60000, 1001), 120: Fraction(120000, 1001)}


def test_as_floats_copies_and_locks() -> None:
    """Catches an array that the caller can still change behind our back."""
    mine = np.arange(6, dtype=np.float32).reshape(3, 2)
    taken = as_floats("x", mine.T, (2, None))
    mine[:] = 9
    np.testing.assert_array_equal(taken, [[0, 2, 4], [1, 3, 5]])
    assert taken.dtype == np.float64
    assert taken.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        taken[0, 0] = 1
    assert as_floats("x", taken, (2, 3)) is taken  # nobody can change it
    locked_view = mine[:]
    locked_view.flags.writeable = False
    for other in (mine.astype(np.float64), locked_view, taken[:, 1:], taken.T):
        assert not np.shares_memory(as_floats("x", other, (None, None)), other)


@pytest.mark.parametrize(
    ("value", "shape", "words"),
    [
        ([[1, 2]], (None, 3), r"xyz must have shape \(any, 3\), got \(1, 2\)"),
        ([1, 2, 3], (None, 3), r"got \(3,\)"),
        (["a"], (1,), "must be numbers"),
        ([[1, 2], [3]], (2, 2), "must be numbers"),
        ([np.inf, 0], (2,), "infinite"),
        (None, (2,), "xyz must"),
    ],
)
def test_as_floats_says_expected_and_got(value: object, shape: tuple[int | None, ...], words: str) -> None:
    """Catches a NumPy traceback instead of a message that names the argument."""
    with pytest.raises(InputError, match=words):
        as_floats("xyz", value, shape)  # type: ignore[arg-type]


def test_as_floats_leaves_nan_to_the_caller() -> None:
    """Catches missing joints refused as bad numbers."""
    assert np.isnan(as_floats("x", [np.nan, 1], (2,))[0])


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        (30, Fraction(30)),
        (25.0, Fraction(25)),
        ("50", Fraction(50)),
        (29.97, NTSC[30]),
        ("29.970", NTSC[30]),
        ("29.97003", NTSC[30]),
        (23.976, NTSC[24]),
        ("23.98", NTSC[24]),
        (59.94, NTSC[60]),
        (119.88, NTSC[120]),
        (Fraction(30000, 1001), NTSC[30]),
        (12.5, Fraction(25, 2)),
        ("29.5", Fraction(59, 2)),
        ("1e2", Fraction(100)),
        ("30000/1001", NTSC[30]),
        (np.float64(29.97), NTSC[30]),
        (np.int64(30), Fraction(30)),
    ],
)
def test_decimals_snap_to_the_rate_that_was_meant(written: float | str, rate: Fraction) -> None:
    """Catches 29.97 kept as 2997/100, which drifts by a frame in nine hours, and 29.5 taken for NTSC."""
    assert as_fps(written) == rate


@pytest.mark.parametrize("nominal", [24, 30, 48, 60, 90, 120, 240])
def test_a_float_of_an_ntsc_rate_is_that_rate(nominal: int) -> None:
    """Catches full-precision floats that miss the fraction they were made from."""
    assert as_fps(nominal * 1000 / 1001) == Fraction(nominal * 1000, 1001)


@pytest.mark.parametrize("bad", [0, -25, "abc", float("nan"), float("inf"), "", "30/0", "0/1", "30/", Fraction(-1)])
def test_bad_rates_are_refused(bad: float | str) -> None:
    """Catches a default of 30 for a rate that cannot be."""
    with pytest.raises(InputError):
        as_fps(bad)


@given(st.integers(1, 240), st.integers(6, 12))
def test_periods_snap_whatever_the_digits(rate: int, digits: int) -> None:
    """Catches BVH frame times of six or more digits that become 29.99970000299997 fps."""
    for true in (Fraction(rate), Fraction(rate * 1000, 1001)):
        written = f"{float(1 / true):.{digits}f}"
        found = fps_from_period(written)
        assert abs(1 / found - 1 / true) <= Fraction(1, 10**digits)
        if digits >= 8:  # enough digits to tell n from n * 1000 / 1001 at any of these rates
            assert found == true


@pytest.mark.parametrize(
    ("period", "rate"),
    [
        ("0.0333333", Fraction(30)),
        ("0.033333", Fraction(30)),
        ("0.0333", Fraction(30)),
        ("0.0333667", NTSC[30]),
        ("0.033367", NTSC[30]),
        ("0.0083333", Fraction(120)),
        ("0.00833333", Fraction(120)),
        ("0.04", Fraction(25)),
        ("0.0416667", Fraction(24)),
        ("0.0417083", NTSC[24]),
        ("0.016667", Fraction(60)),
        ("0.01", Fraction(100)),
        (0.02, Fraction(50)),
    ],
)
def test_frame_times_seen_in_files(period: str | float, rate: Fraction) -> None:
    """Catches the frame times of common exporters read as odd rates."""
    assert fps_from_period(period) == rate


@pytest.mark.parametrize("bad", ["0", "-0.04", "nan", "inf", "fast"])
def test_bad_periods_are_refused(bad: str) -> None:
    """Catches division by zero, and time running backwards."""
    with pytest.raises(InputError):
        fps_from_period(bad)
