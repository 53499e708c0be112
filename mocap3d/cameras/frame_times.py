"""The time stamps of a video -> its frame rate, and which frame stands at which time of a uniform grid.

Pure arithmetic on lists of times, apart from the reading of files in ``video.py``. Everything behind this room
works at one exact frame rate; here is decided which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

__all__ = ["FrameTimes", "choose_rate", "count_on_grid", "nearest_on_grid"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTimes:
    """How the frames of a video lie in time.

    Attributes:
        fps: frames per second of the uniform grid.
        is_uniform: True when frame i lies at i / fps as it is, so that frames are taken one by one.
        count: frames that the file holds.
        first_s: time of the first frame, seconds.
        span_s: from the first frame to the last, seconds.
    """

    fps: Fraction
    is_uniform: bool
    count: int
    first_s: Fraction
    span_s: Fraction


def choose_rate(ticks: Sequence[int], time_base: Fraction, declared: Iterable[Fraction | None]) -> FrameTimes:
    """Find the frame rate of time stamps.

    The rates that the file declares are tried first, then the average rate snapped to n or n·1000/1001, then
    the plain average. One of them is the rate of the video when every frame lies on its grid up to the rounding of time
    stamps; else up to a quarter of a frame (the jitter of a phone), where the snapped average is tried first, since a
    header then holds no more than the average of the jitter. If none fits, the frame rate is variable,
    and the grid takes the median interval, snapped: most frames then appear once.

    Args:
        ticks: presentation times in units of ``time_base``, ascending; repeated values are admitted.
        time_base: seconds per tick.
        declared: rates from the file's header; None and 0 are passed over.
    """
    rates = [rate for rate in declared if rate]
    count, span = len(ticks), ticks[-1] - ticks[0] if len(ticks) else 0
    first_s = ticks[0] * time_base if count else Fraction(0)
    if span == 0:  # one frame, or nothing to go by
        fps = rates[0] if rates else Fraction(30)
        return FrameTimes(fps=fps, is_uniform=True, count=count, first_s=first_s, span_s=max(count - 1, 0) / fps)
    average = Fraction(count - 1) / (span * time_base)
    snapped = _snapped(average)
    usual = [snapped] if abs(snapped - average) < average / 500 else []
    exact = [*rates, *usual, average.limit_denominator(10_000)]
    seconds = (np.asarray(ticks) - ticks[0]) * float(time_base)
    rounding, jitter = (lambda fps: 1.01 * float(time_base)), (lambda fps: 0.25 / fps)
    for candidates, tolerance in ((exact, rounding), ([*usual, *exact], jitter)):
        for fps in candidates:
            if _spread(seconds, float(fps)) <= tolerance(float(fps)):
                return FrameTimes(fps=fps, is_uniform=True, count=count, first_s=first_s, span_s=span * time_base)
    intervals = np.diff(np.unique(np.asarray(ticks)))
    median = Fraction(1) / (Fraction(float(np.median(intervals))).limit_denominator(2) * time_base)
    fps = max(_snapped(median), Fraction(1))
    return FrameTimes(fps=fps, is_uniform=False, count=count, first_s=first_s, span_s=span * time_base)


def count_on_grid(times: FrameTimes, fps: Fraction) -> int:
    """Number of grid times k / fps up to half a frame of the video after its last frame."""
    return math.floor((times.span_s + 1 / (2 * times.fps)) * fps) + 1


def nearest_on_grid(timed: Iterable[tuple[float, Item]], fps: Fraction, tail_s: float) -> Iterator[Item]:
    """Yield, for each time k / fps after the first item, the item that is nearest in time.

    Streaming: holds two items. Items whose time repeats or runs backwards count as coming at the latest time so far;
    of several at one time the last is taken. A tie goes to the earlier item.

    Args:
        timed: (seconds, item) in the order of the file.
        fps: of the grid.
        tail_s: how long the last item still counts.
    """
    previous: tuple[float, Item] | None = None
    first, k = 0.0, 0
    for seconds, item in timed:
        if previous is None:
            first = seconds
        else:
            seconds = max(seconds, previous[0])
            while first + k / fps <= (previous[0] + seconds) / 2 and seconds > previous[0]:
                yield previous[1]
                k += 1
        previous = seconds, item
    while previous is not None and first + k / fps <= previous[0] + tail_s + 1e-6:  # times are rounded
        yield previous[1]
        k += 1


def _snapped(rate: Fraction) -> Fraction:
    """The nearest of n and n·1000/1001."""
    whole = Fraction(max(1, round(rate)))
    ntsc = Fraction(max(1, round(rate * Fraction(1001, 1000))) * 1000, 1001)
    return min(whole, ntsc, key=lambda candidate: abs(candidate - rate))


def _spread(seconds: np.ndarray[tuple[int], np.dtype[np.float64]], fps: float) -> float:
    """Largest distance of any frame from its place on the grid, seconds, for the best place of the grid."""
    error = seconds - np.arange(len(seconds)) / fps
    return float(error.max() - error.min()) / 2
