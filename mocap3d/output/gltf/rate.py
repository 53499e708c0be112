"""The frame rate behind key times that were rounded to four-byte numbers.

A glTF knows seconds only. A key at frame t is written as float32(t / fps); the exact fraction is found again as the one
rate for which every key lies on the grid to within that rounding: a whole rate, else n * 1000/1001, else the simplest
fraction. 24 and 23.976 differ by a thousandth, float32 by a ten-millionth, so two keys are enough.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["frame_rate", "lies_on"]

_ROUNDINGS: Final = 2  # of a key and of the first one, in steps of float32 at the time of the key
_JITTER: Final = 0.02  # of a frame, from one key to the next: programs that add up 1/fps in float32 drift
_DRIFT: Final = 1e-4  # of the rate, likewise; a tenth of what lies between 24 and 23.976
_COMMON: Final = tuple(map(Fraction, (24, 25, 30, 48, 50, 60, 90, 100, 120, 240))) + tuple(
    Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120, 240)
)
_FASTEST: Final = 100_000  # frames per second, beyond which keys are no frames


def frame_rate(times_s: NDArray[np.float64]) -> Fraction | None:
    """Find the rate of a grid, starting at the first key, that all keys lie on.

    Args:
        times_s: (N,) at least two, increasing.

    Returns:
        The rate, or None when the keys lie on no grid.
    """
    since_s = times_s[1:] - times_s[0]
    gaps_s = np.diff(times_s)
    # The smallest gap is nearly always one frame. Its rounding would add up, so frames are counted gap by gap.
    shortest_s = float(gaps_s.min())
    steps = np.rint(gaps_s / shortest_s)
    if shortest_s * _FASTEST > 1 and (np.abs(gaps_s / shortest_s - steps) <= _JITTER * steps).all():
        rate = _rate_of_frames(np.cumsum(steps), since_s, _rounding_s(times_s)[1:])
        if rate is not None:
            return rate
    for rate in _COMMON:  # keys were dropped, and those that are left share no gap of one frame
        if lies_on(times_s, rate):
            return rate
    return None


def lies_on(times_s: NDArray[np.float64], rate: Fraction) -> bool:
    """Tell whether all keys lie on a grid of this rate, as exactly as float32 can say."""
    since_s = times_s - times_s[0]
    frames = np.rint(since_s * float(rate))
    return bool((np.abs(since_s - frames / float(rate)) <= _rounding_s(times_s)).all())


def _rate_of_frames(
    frames: NDArray[np.float64], since_s: NDArray[np.float64], within_s: NDArray[np.float64]
) -> Fraction | None:
    lowest = float((frames / (since_s + within_s)).max())
    highest = float((frames / np.maximum(since_s - within_s, 1e-12)).min())
    if lowest <= highest:
        low, high = Fraction(lowest), Fraction(highest)
        inside = [rate for rate in _usual((low + high) / 2) if low <= rate <= high]
        return inside[0] if inside else _simplest_between(low, high)
    slope = Fraction(float(frames @ frames) / float(frames @ since_s))
    near = [rate for rate in _usual(slope) if abs(rate - slope) <= _DRIFT * slope]
    return near[0] if near else None


def _usual(near: Fraction) -> list[Fraction]:
    """The whole rate and the NTSC rate next to a rate."""
    candidates = [Fraction(round(near)), Fraction(round(near * Fraction(1001, 1000)) * 1000, 1001)]
    return [rate for rate in candidates if rate > 0]


def _rounding_s(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.spacing(np.maximum(np.abs(times_s), abs(times_s[0])).astype(np.float32)).astype(np.float64)
    return np.asarray(steps * _ROUNDINGS)


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Find the fraction with the smallest denominator in an interval (continued fractions)."""
    whole: list[int] = []
    while math.ceil(low) > high:
        floor = math.floor(low)
        whole.append(floor)
        low, high = 1 / (high - floor), 1 / (low - floor)
    value = Fraction(math.ceil(low))
    for floor in reversed(whole):
        value = floor + 1 / value
    return value
