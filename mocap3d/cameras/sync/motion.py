"""When did each camera start? Told by the motion that all of them saw.

Every camera sees the velocities of the same joints through a linear map of its own: seen from far enough, a camera
that does not move turns a velocity in space into one in the picture by one matrix, whatever the joint. So at the right
offset the joints' velocities in two pictures are correlated, not entry by entry (a camera may be rolled, or stand
opposite) but canonically, and how strongly is one determinant for each offset. Fourier transforms give it for all
offsets at once. Needs neither lenses nor poses of the cameras, and gains by them.

Reference:
    Anderson, An Introduction to Multivariate Statistical Analysis, "Testing independence of sets of variates".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.optimize import linear_sum_assignment

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.cameras.sync.epipolar import fundamental, misfit
from mocap3d.cameras.sync.moving import MotionSyncSettings, Moving, all_moving, size_px, straight
from mocap3d.cameras.sync.offsets import PairOffset, Sync, combine

__all__ = ["sync_motion"]

Floats = NDArray[np.float64]

_FEW: Final = 4  # people of whom all ways to name them are tried, ...
_HURRIED: Final = 0.5  # ... looking so many times as often as usual at the places of all of them together
_UNKNOWNS: Final = 7  # of the matrix that relates two pictures
_ALIKE: Final = 1.3  # misfits that differ by less than this factor are as good as each other
_MUCH: Final = 1 / 3  # a lag with less of the best one's common time is no rival: a moment fits many others


def sync_motion(
    views: Sequence[Sequence[Pose2D]],
    *,
    cameras: Sequence[Camera] | None = None,
    max_offset_s: float | None = None,
    settings: MotionSyncSettings | None = None,
) -> Sync:
    """Find when each camera started from the joints that it saw.

    Args:
        views: C cameras, each a sequence of the people that it saw, over all of its frames (NaN where they are not
            seen); nobody needs to know who is who. Frame rates may differ; skeletons may not.
        cameras: where the C cameras stand and what lenses they have, if that is known: it tells apart the steps of
            someone who walks evenly. One that is off makes offsets less exact than none does; `sync_rays` mends that.
        max_offset_s: cameras started no further apart than this; None admits whatever leaves enough common time.
        settings: how motion is compared.

    Returns:
        Offsets, how exact they are, and how sure.

    Raises:
        InputError: fewer than two cameras, or different skeletons.
    """
    chosen = settings or MotionSyncSettings()
    _check(views, cameras, max_offset_s)
    if cameras is not None:
        views = [[straight(pose, camera) for pose in own] for own, camera in zip(views, cameras, strict=True)]
    moving = [all_moving(people, chosen) for people in views]
    pairs = []
    for a, b in itertools.combinations(range(len(views)), 2):
        F = None if cameras is None else _epipolar(cameras[a], cameras[b], size_px(views[a]), size_px(views[b]))
        found = _compare(moving[a], moving[b], F, max_offset_s, chosen)
        if found is not None:
            pairs.append(PairOffset(first=a, second=b, offset_s=found[0], std_s=found[1], confidence=found[2]))
    return combine(len(views), pairs)


Matches = list[tuple[Moving, Moving]]
"""Who of the first camera is who of the second."""
Naming = tuple[int, ...]
"""For each person of the first camera that of the second; numbers beyond the end of either list are nobody."""


def _check(views: Sequence[Sequence[Pose2D]], cameras: Sequence[Camera] | None, max_offset_s: float | None) -> None:
    if len(views) < 2:
        raise InputError(f"synchronising needs at least 2 cameras, got {len(views)}")
    if cameras is not None and len(cameras) != len(views):
        raise InputError(f"{len(views)} views need as many cameras, got {len(cameras)}")
    skeletons = {pose.skeleton.name for people in views for pose in people}
    if len(skeletons) > 1:
        raise InputError(f"all views must show the same skeleton, got {', '.join(sorted(skeletons))}")
    if max_offset_s is not None and not max_offset_s > 0:
        raise InputError(f"max_offset_s must be above 0, got {max_offset_s}")


def _epipolar(first: Camera, second: Camera, first_px: float, second_px: float) -> Floats:
    """F for straight pixels in units of ``first_px`` and ``second_px``."""
    F = fundamental(first.K, second.K, second.cam_from_world @ first.world_from_cam)
    return np.diag([second_px, second_px, 1.0]) @ F @ np.diag([first_px, first_px, 1.0])


def _compare(
    first: Sequence[Moving],
    second: Sequence[Moving],
    F: Floats | None,
    max_offset_s: float | None,
    settings: MotionSyncSettings,
) -> tuple[float, float, float] | None:
    """How much later the second camera started than the first, its standard deviation, and confidence; None: unknown.

    Velocities say quickly which lags are worth a look; places say, slowly and exactly, which of those it is.
    """
    if not first or not second:
        return None
    length = max(one.known.shape[1] for one in first), max(one.known.shape[1] for one in second)
    table = np.array([[_by_velocity(a, b, length, settings) for b in second] for a in first])  # (P, Q, lags)
    lags = np.arange(-(length[0] - 1), length[1])  # sample t of the first is sample t + lag of the second
    allowed = np.isfinite(table).any(axis=(0, 1))
    if max_offset_s is not None:
        allowed &= np.abs(lags) <= max_offset_s * settings.rate_hz + 0.5
    if not allowed.any():
        return None
    table = np.where(np.isfinite(table), table, 0.0)
    places = _Places(first, second, F, table, lags, settings)
    found = _looked_at(places, lags, np.where(allowed, table.max(axis=1).sum(axis=0), -np.inf), settings)
    if not found:
        return None
    told = _told(found, settings)
    best = int(np.argmax(told))
    if not told[best] > 0:
        return None
    lag = found[best][0]
    apart = round(settings.peak_s * settings.rate_hz)
    between, std = places.refined(lag, apart // 2)
    return -between / settings.rate_hz, std / settings.rate_hz, _sureness(found, told, best, apart, settings)


def _sureness(
    found: Sequence[tuple[int, float, float]], told: Floats, best: int, apart: int, settings: MotionSyncSettings
) -> float:
    """How sure it is (0..1) that no other lag is meant.

    A lag of less common time tells less, and yet is as likely if it fits as well: who walks evenly fits every two
    steps. So what the best one explains better counts only over the time that both have.
    """
    lag, least, seconds = found[best]
    ahead = float(told[best])
    for other, misfit_, shared in found:
        if abs(other - lag) > apart and shared >= _MUCH * seconds:
            common = 0.5 * min(seconds, shared) * settings.independent_hz
            ahead = min(ahead, common * float(np.log(misfit_ / least / _ALIKE)))
    return float(np.tanh(max(ahead, 0.0) / 2))


def _looked_at(
    places: _Places, lags: NDArray[np.int64], quick: Floats, settings: MotionSyncSettings
) -> list[tuple[int, float, float]]:
    """Lags, misfits and seconds: around the peaks of velocity, and evenly everywhere, closely where that is good."""
    apart = round(settings.peak_s * settings.rate_hz)
    inside = np.flatnonzero(np.isfinite(quick))
    even = inside[:: max(apart, -(-len(inside) // settings.everywhere))]
    scanned = [one for one in (places.best_near(int(lags[at]), 0, 1) for at in even) if np.isfinite(one[1])]
    best = [scanned[n][0] for n in np.argsort(-_told(scanned, settings), kind="stable")[: settings.candidates]]
    peaks = [int(lags[at]) for at in _peaks(quick, apart, settings.candidates)]
    near = [places.best_near(lag, apart, 3) for lag in [*peaks, *best]]
    return scanned + [one for one in near if np.isfinite(one[1])]


def _told(found: Sequence[tuple[int, float, float]], settings: MotionSyncSettings) -> Floats:
    """Log likelihood ratios of two variances each: of the usual misfit, which is what chance gives, and its own."""
    if not found:
        return np.zeros(0)
    misfits, seconds = (np.array(column) for column in list(zip(*found, strict=True))[1:])
    return np.asarray(0.5 * seconds * settings.independent_hz * np.log(np.median(misfits) / misfits))


def _peaks(score: Floats, apart: int, count: int) -> list[int]:
    """The highest local maxima; -inf is nowhere."""
    padded = np.concatenate([[-np.inf], score, [-np.inf]])
    tops = np.flatnonzero(np.isfinite(score) & (score >= padded[:-2]) & (score >= padded[2:]))
    chosen: list[int] = []
    for at in tops[np.argsort(-score[tops], kind="stable")]:
        if all(abs(at - other) > apart for other in chosen):
            chosen.append(int(at))
        if len(chosen) == count:
            break
    return chosen


def _likeliest(alike: Floats) -> Naming:
    """The best pairing by (P, Q) likeness; nobody is anybody's partner twice."""
    size = max(alike.shape)
    padded = np.zeros((size, size))
    padded[: alike.shape[0], : alike.shape[1]] = alike
    return tuple(int(q) for q in linear_sum_assignment(padded, maximize=True)[1])


def _others(way: Naming) -> list[Naming]:
    """All other ways to name a few people; of more, those that one swap makes."""
    if len(way) <= _FEW:
        return [other for other in itertools.permutations(way) if other != way]
    swaps = []
    for p, q in itertools.combinations(range(len(way)), 2):
        other = list(way)
        other[p], other[q] = way[q], way[p]
        swaps.append(tuple(other))
    return swaps


class _Places:
    """The places of all people in two cameras, compared at any lag by ``misfit``."""

    def __init__(
        self,
        first: Sequence[Moving],
        second: Sequence[Moving],
        F: Floats | None,
        table: Floats,
        lags: NDArray[np.int64],
        settings: MotionSyncSettings,
    ) -> None:
        self._first, self._second, self._F, self._table, self._settings = first, second, F, table, settings
        self._zero = int(np.flatnonzero(lags == 0)[0])

    def best_near(self, lag: int, reach: int, step: int) -> tuple[int, float, float]:
        """The lag nearby that fits best, its misfit, and the seconds of a whole body that it stands for.

        Every ``step`` lags within ``reach``, and all of them around the best of these: rivals are compared at their
        best.
        """
        matches = self._matches(lag)
        tried = [(near, *self._at(matches, near)) for near in range(lag - reach, lag + reach + 1, step)]
        best = min(tried, key=lambda one: one[1])
        tried = [(best[0] + near, *self._at(matches, best[0] + near)) for near in range(1 - step, step) if near]
        return min([best, *tried], key=lambda one: one[1])

    def refined(self, lag: int, reach: int) -> tuple[float, float]:
        """The lag between samples and its standard deviation, from a parabola through the misfits nearby."""
        matches = self._matches(lag)
        lags = np.arange(lag - 2 * reach, lag + 2 * reach + 1, 2)
        tried = [self._at(matches, int(near), 3) for near in lags]
        hz = self._settings.independent_hz
        seconds = min((time for value, time in tried if np.isfinite(value)), default=0.0)
        told = np.array([-0.5 * seconds * hz * np.log(value) if np.isfinite(value) else -np.inf for value, _ in tried])
        best = int(np.argmax(told))
        around = slice(max(best - 3, 0), best + 4)
        x, y = (lags[around] - lags[best]).astype(np.float64), told[around]
        bend, slope = np.polyfit(x, y, 2)[:2] if len(x) > 2 and np.isfinite(y).all() else (0.0, 0.0)
        if not bend < 0:
            return float(lags[best]), float(2 * reach)
        return float(lags[best] + np.clip(-slope / (2 * bend), x[0], x[-1])), float(np.sqrt(-0.5 / bend))

    def _matches(self, lag: int) -> Matches:
        """Nobody knows who is who: of the ways to name people, the one whose places fit best.

        Velocities propose, and cannot tell people apart who walk in step.
        """
        alike = self._table[:, :, np.clip(lag + self._zero, 0, self._table.shape[2] - 1)]
        best = _likeliest(alike)
        lowest = np.inf
        while len(best) > 1:
            ways = _others(best) if lowest < np.inf else [best, *_others(best)]
            misfit_, way = min((self._at(self._named(way), lag, _HURRIED / len(way))[0], way) for way in ways)
            if not misfit_ < lowest:
                break
            lowest, best = misfit_, way
        return self._named(best)

    def _named(self, way: Naming) -> Matches:
        return [
            (self._first[p], self._second[q])
            for p, q in enumerate(way)
            if p < len(self._first) and q < len(self._second)
        ]

    def _at(self, matches: Matches, lag: int, often: float = 1) -> tuple[float, float]:
        """Misfit at one lag and the seconds it stands for; looked at ``often`` times as often as usual."""
        step = max(1, round(self._settings.rate_hz / self._settings.compare_hz / often))
        points, weights, seconds = [], [], 0.0
        for a, b in matches:
            start, stop = max(0, -lag), min(a.known.shape[1], b.known.shape[1] - lag)
            # The same moments of the first camera at every lag, as far as there are any.
            at = np.arange(-(-start // step) * step, max(stop, 0), step)
            longest = round(self._settings.most_moments * often)
            at = at[:: max(1, -(-len(at) // longest))]
            weights.append((a.known[:, at] * b.known[:, at + lag]).ravel())
            points.append(np.concatenate([a.place[:, at], b.place[:, at + lag]], axis=-1).reshape(-1, 4))
            seconds += weights[-1].sum() / len(a.known) * (stop - start) / max(len(at), 1) / self._settings.rate_hz
        comparisons, unknowns = seconds * self._settings.independent_hz, _UNKNOWNS if self._F is None else 0
        if seconds < self._settings.least_overlap_s or comparisons <= unknowns:
            return float("inf"), 0.0
        both = np.concatenate(points)
        found = misfit(both[:, :2], both[:, 2:], np.concatenate(weights), self._F)
        return found / (1 - unknowns / comparisons), float(seconds)  # a few comparisons always fit


def _by_velocity(a: Moving, b: Moving, length: tuple[int, int], settings: MotionSyncSettings) -> Floats:
    """Say for each lag how much likelier it is than no relation at all (log likelihood ratio); -inf without overlap.

    Returns:
        (length[0] + length[1] - 1,) lags from -(length[0] - 1) to length[1] - 1.
    """
    size = next_fast_len(length[0] + length[1], real=True)

    def correlate(x: Floats, y: Floats) -> Floats:
        """Sum over joints and time of x[t] y[t + lag], for all lags."""
        circular = irfft((np.conj(rfft(x, size, axis=-1)) * rfft(y, size, axis=-1)).sum(axis=0), size)
        return np.concatenate([circular[size - (length[0] - 1) :], circular[: length[1]]])

    va, vb = a.velocity, b.velocity
    scatter = np.zeros((length[0] + length[1] - 1, 4, 4))
    for i, k in itertools.product(range(2), range(2)):
        scatter[:, i, 2 + k] = scatter[:, 2 + k, i] = correlate(a.known * va[..., i], b.known * vb[..., k])
        scatter[:, i, k] = correlate(a.known * va[..., i] * va[..., k], b.known)
        scatter[:, 2 + i, 2 + k] = correlate(a.known, b.known * vb[..., i] * vb[..., k])
    seconds = correlate(a.known, b.known) / (len(va) * settings.rate_hz)
    enough = seconds * len(va) >= settings.least_overlap_s * 4  # four joints over that time
    found = np.full(len(seconds), -np.inf)
    # Twice the ratio is chi-squared with 4 degrees of freedom if nothing is related.
    told = 0.5 * seconds[enough] * settings.independent_hz * _information(scatter[enough]) - 2.0
    found[enough] = np.maximum(told, 0.0)
    return found


def _information(scatter: Floats) -> Floats:
    """Twice the mutual information of the first two rows and the last two of (..., 4, 4), in nats."""
    tiny = 1e-9 * np.eye(4) * np.maximum(np.trace(scatter, axis1=-2, axis2=-1), 1e-12)[..., None, None]
    sound = scatter + tiny
    whole = np.linalg.slogdet(sound)[1]
    apart = np.linalg.slogdet(sound[..., :2, :2])[1] + np.linalg.slogdet(sound[..., 2:, 2:])[1]
    return np.asarray(apart - whole)
