"""When do heels and toes stand on the ground? Judged from joints alone, in the world or in a still camera's frame.

A point that touches the ground does not move; a foot that swings moves two to three times as fast as its owner. Speed
therefore decides, and needs neither gravity nor floor. Where "up" is known, height above the ground speaks too, and a
foot held still in the air is no longer taken for a standing one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, percentile_filter

from mocap3d.base.checks import as_floats, as_fps
from mocap3d.base.errors import InputError

__all__ = [
    "CONTACT_POINTS",
    "ContactSettings",
    "fades",
    "foot_contacts",
    "point_speeds_mps",
    "runs",
    "standing",
    "support_levels_m",
]

Floats = NDArray[np.float64]

CONTACT_POINTS: Final = ("left heel", "left toe", "right heel", "right toe")
"""The order of the last axis of every contact array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSettings:
    """Thresholds of ``foot_contacts``; times in seconds, so that a clip at 120 fps gives what one at 30 fps gives.

    Attributes:
        still_mps: slower than this a point surely stands. Joints lifted from video jitter by about 1 cm, which the
            derivative over ``derivative_s`` turns into 0.1 to 0.15 m/s.
        moving_mps: faster than this it surely does not. At a stroll of 0.5 m/s a foot must average 1.2 m/s in the air,
            since it has 40 % of the time for 100 % of the way.
        derivative_s: the speed is the slope of a straight line through this much time around a frame.
        low_m: closer to the ground than this, height is no objection (shoes, noise).
        high_m: further above it than this, a point cannot stand.
        support_s: without ``floor_m`` the ground is the lowest tenth of the heights that points of this kind (heels,
            toes) have within so many seconds before and after; long enough for a jump.
        shortest_s: contacts and gaps shorter than this are noise. At the top of a jump a foot is slow enough (0.46 m/s)
            to pass for a standing one for 0.09 s; a runner's stands for 0.2 s.
    """

    still_mps: float = 0.2
    moving_mps: float = 0.6
    derivative_s: float = 0.1
    low_m: float = 0.06
    high_m: float = 0.15
    support_s: float = 1.0
    shortest_s: float = 0.13

    def __post_init__(self) -> None:
        """Check that thresholds are ordered and times positive."""
        if not (0 < self.still_mps < self.moving_mps and 0 <= self.low_m < self.high_m):
            raise InputError("contact settings need 0 < still_mps < moving_mps and 0 <= low_m < high_m")
        if not all(math.isfinite(t) and t > 0 for t in (self.derivative_s, self.support_s, self.shortest_s)):
            raise InputError("derivative_s, support_s and shortest_s must be above 0 seconds")


def foot_contacts(
    points_m: ArrayLike,
    fps: Fraction | float,
    *,
    up: ArrayLike | None = None,
    floor_m: float | None = None,
    settings: ContactSettings | None = None,
) -> Floats:
    """Judge which of the four points stand on the ground.

    Args:
        points_m: (T, 4, 3) left heel, left toe, right heel, right toe, in any frame that does not move; NaN is "not
            known". Ankles may stand in for heels, as long as ``floor_m`` is not given.
        fps: frames per second.
        up: (3,) direction against gravity in the frame of the points; None judges by speed alone, as is right before
            gravity is known, and on stairs.
        floor_m: height of the floor along ``up``; None takes what the points stand on nearby in time.
        settings: thresholds.

    Returns:
        (T, 4) in 0..1: 0 in the air or not known, 0.5 to 1 on the ground, by how sure it is. Fewer than two frames
        show no speed: all 0.

    Raises:
        InputError: wrong shape or frame rate, ``floor_m`` without ``up``, or ``up`` is zero.
    """
    points = as_floats("points_m", points_m, (None, len(CONTACT_POINTS), 3))
    rate = float(as_fps(fps))
    chosen = ContactSettings() if settings is None else settings
    if floor_m is not None and up is None:
        raise InputError("floor_m is a height along up: give up too")
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    score = fades(point_speeds_mps(points, rate, chosen.derivative_s), chosen.still_mps, chosen.moving_mps)
    if up is not None:
        height_m = _height_above_support(points, up, floor_m, frames=round(chosen.support_s * rate))
        score = score * fades(height_m, chosen.low_m, chosen.high_m)
    known = np.isfinite(points).all(axis=-1)
    score = np.where(known & np.isfinite(score), score, 0.0)
    return np.where(standing(score, rate, chosen.shortest_s) & known, np.maximum(score, 0.5), 0.0)


def point_speeds_mps(points_m: Floats, fps: Fraction | float, seconds: float) -> Floats:
    """Measure speeds (T, K): the slope of the least-squares line through the known points around each frame.

    Args:
        points_m: (T, K, 3); NaN is "not known". Single wild frames are left out.
        fps: frames per second.
        seconds: the length of the line.

    Returns:
        (T, K); NaN where fewer than half of the line is known.
    """
    points, rate = points_m, float(fps)
    half = max(1, math.ceil(seconds * rate / 2 - 1e-6))
    smooth = _without_wild_frames(points)
    padded = np.pad(smooth, ((half, half), (0, 0), (0, 0)), constant_values=np.nan)
    count = sum_k = sum_kk = sum_x = sum_kx = np.zeros(points.shape)
    for k in range(-half, half + 1):
        x = padded[half + k : half + k + len(points)]
        seen = np.isfinite(x)
        x = np.where(seen, x - smooth, 0.0)  # relative to the frame itself: no digits lost far from the origin
        count, sum_k, sum_kk = count + seen, sum_k + k * seen, sum_kk + k * k * seen
        sum_x, sum_kx = sum_x + x, sum_kx + k * x
    enough = count >= min(len(points), half + 1)
    spread = np.where(enough, count * sum_kk - sum_k * sum_k, np.nan)
    slope = (count * sum_kx - sum_k * sum_x) / spread
    return np.asarray(np.linalg.norm(slope, axis=-1) * rate)


def _without_wild_frames(points: Floats) -> Floats:
    """Replace each point by the middle one of itself and its neighbours in time: the one nearest to the other two.

    A point that moves along stays as it is, one that jumps away for a single frame is gone. Unlike a median by
    coordinate it does not depend on the axes.
    """
    padded = np.pad(points, ((1, 1), (0, 0), (0, 0)), mode="edge")
    before, after = (np.where(np.isnan(other), points, other) for other in (padded[:-2], padded[2:]))
    to_before, to_after, around = (
        np.linalg.norm(a - b, axis=-1, keepdims=True) for a, b in ((points, before), (points, after), (before, after))
    )
    # Of three points the middle one faces the longest side of their triangle.
    middle = np.where(to_before < to_after, before, after)
    return np.where(np.maximum(to_before, to_after) > around, middle, points)


def _height_above_support(points: Floats, up: ArrayLike, floor_m: float | None, frames: int) -> Floats:
    """Height (T, 4) above the floor, or above the lowest that heels (toes) come nearby in time."""
    direction = as_floats("up", up, (3,))
    length = float(np.linalg.norm(direction))
    if not length > 0:
        raise InputError("up must have a direction, got zero or NaN")
    height = points @ (direction / length)
    if floor_m is not None:
        return np.asarray(height - floor_m)
    of_kind = height.reshape(len(points), 2, 2)  # frame, side, heel or toe
    lowest = np.where(np.isnan(of_kind), np.inf, of_kind).min(axis=1)
    support = percentile_filter(lowest, 10, size=(2 * frames + 1, 1), mode="nearest")  # a minimum would follow noise
    return np.asarray(height - np.tile(support, 2))


def fades(value: Floats, full: float, none: float) -> Floats:
    """Fall smoothly from 1 at ``full`` to 0 at ``none``."""
    x = np.clip((none - value) / (none - full), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


def standing(score: Floats, fps: Fraction | float, shortest_s: float) -> NDArray[np.bool_]:
    """Decide frame by frame: begun by a sure frame (above 0.7), kept by fair ones (above 0.3).

    Args:
        score: (T, K) in 0..1.
        fps: frames per second.
        shortest_s: shorter gaps are closed, then shorter contacts removed; what the clip's start or end cuts short may
            have been long enough and stays.

    Returns:
        (T, K).
    """
    shortest = math.ceil(shortest_s * float(fps) - 1e-6)
    flags = np.zeros(score.shape, dtype=np.bool_)
    for column, of_point in zip(score.T, flags.T, strict=True):
        for start, stop in runs(column > 0.3):
            of_point[start:stop] = column[start:stop].max() > 0.7
        for value in (False, True):
            for start, stop in runs(of_point == value):
                if stop - start < shortest and start > 0 and stop < len(column):
                    of_point[start:stop] = not value
    return flags


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List (start, stop) of every stretch of True in flags (T,)."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def support_levels_m(heights_m: Floats, weights: Floats, *, spread_m: float = 0.025) -> Floats:
    """Find the height of the support, a floor or a step, that each height belongs to.

    Heights gather at the levels that people stand on. Their density, smoothed by a Gaussian, has a peak at each level,
    and every height belongs to the peak that is uphill from it (mean shift). Levels closer to each other than about
    twice ``spread_m`` are one. Where the peak is further away than three times ``spread_m``, on a ramp or where
    somebody stood once and shortly, the height itself is taken.

    Args:
        heights_m: (N,) of points that stand.
        weights: (N,), not negative: how sure or how long.
        spread_m: standard deviation of the Gaussian: how well heights are known.

    Returns:
        (N,) the weighted median of the heights of the same level.

    Reference:
        Fukunaga and Hostetler, "The estimation of the gradient of a density function", 1975.
    """
    if not len(heights_m):
        return np.zeros(0)
    step = spread_m / 5
    bins = np.floor((heights_m - heights_m.min()) / step).astype(np.int64) + 20
    density = gaussian_filter1d(np.bincount(bins, weights, minlength=bins.max() + 21), 5.0, mode="constant")
    steepest = np.argmax([density[:-2], density[1:-1], density[2:]], axis=0) - 1
    uphill = np.arange(len(density))
    uphill[1:-1] += steepest
    while (further := uphill[uphill]).tolist() != uphill.tolist():
        uphill = further
    peak = uphill[bins]
    levels = heights_m.copy()
    for level in np.unique(peak):
        near = (peak == level) & (np.abs(bins - level) <= 15)
        levels[near] = _weighted_median(heights_m[near], weights[near])
    return levels


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
