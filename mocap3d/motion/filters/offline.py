"""Filters for whole clips: no shift in time, gaps respected, the same for points and for rotations.

How strong a filter is, is said in hertz: ``cutoff_hz`` is where an oscillation keeps 1/sqrt(2) = 71 % of its amplitude
(-3 dB), after everything, at any frame rate. Slow motion passes, fast trembling does not. What all filters share:

* **Ends**: the clip is continued by turning it about its first and last frame, so that a steady movement goes on. These
  two frames therefore stay as they are; film a second more than you need.
* **Gaps**: NaN stays NaN, and what lies on either side of a gap is filtered by itself, unless the gap is at most
  ``bridge_s`` long: then one filter runs across it, over a straight line (for rotations the shortest turn).
* **Symmetry**: turning or moving the input turns or moves the output; a clip played backwards comes out backwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.motion.filters import kernels
from mocap3d.motion.filters.spaces import POINTS, ROTATIONS, Space

__all__ = ["Butterworth", "Filter", "Gaussian", "Robust", "filter_points", "filter_wxyz", "outliers"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SLOWEST_HZ: Final = 0.05  # twenty seconds a turn; what a Gaussian takes in memory and time grows beyond bounds below
_TIE: Final = 1e-9  # relative; sums of distances that are as good as equal
_MOST_BESIDE: Final = 3  # frames looked at on either side in the search for outliers
_TOO_FEW: Final = 3  # frames in a window: any of them may be the wrong one
_BLOCK_FRAMES: Final = 1024  # bounds the memory of that search
_MOST_REFLECTIONS: Final = 400  # of a clip that is short beside the filter's memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Butterworth:
    """Keeps what is slow the most faithfully: flat up to the cut-off. The standard of biomechanics.

    A step in the input overshoots by a few per cent.

    Attributes:
        cutoff_hz: where 71 % of the amplitude is left after both passes; at least 0.05.
        order: of one pass; 2 falls with the fourth power of the frequency after both.
    """

    cutoff_hz: float
    order: int = 2

    def __post_init__(self) -> None:
        """Check both."""
        _check_cutoff(self.cutoff_hz)
        _check_order(self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussian:
    """A weighted mean with weights of a bell curve: never overshoots, begins to dampen well below the cut-off.

    Attributes:
        cutoff_hz: where 71 % of the amplitude is left; a standard deviation of 0.1325 / cutoff_hz seconds.
            At least 0.05.
    """

    cutoff_hz: float

    def __post_init__(self) -> None:
        """Check it."""
        _check_cutoff(self.cutoff_hz)

    @classmethod
    def from_std_s(cls, std_s: float) -> Gaussian:
        """Build it from the standard deviation of the bell curve, in seconds."""
        _check_positive("std_s", std_s)
        return cls(cutoff_hz=float(np.sqrt(np.log(2.0))) / (2 * np.pi * std_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust:
    """Takes out what jumps away for less than half of a short window (`outliers`), then smooths as `Butterworth`.

    Attributes:
        cutoff_hz: of the smoothing; at least 0.05.
        order: of the smoothing.
        window_s: of the search for outliers. It must be shorter than the fastest there-and-back that is real: a boxer's
            fist needs 0.3 s.
        threshold: how many times further from the window's middle than half of its frames is an outlier.
    """

    cutoff_hz: float
    order: int = 2
    window_s: float = 0.15
    threshold: float = 6.0

    def __post_init__(self) -> None:
        """Check all four."""
        _check_cutoff(self.cutoff_hz)
        for name in ("window_s", "threshold"):
            _check_positive(name, getattr(self, name))
        _check_order(self.order)


Filter = Butterworth | Gaussian | Robust


def filter_points(values: ArrayLike, fps: Fraction | float, how: Filter, *, bridge_s: float = 0.0) -> Floats:
    """Filter places, or any other vectors, over time.

    Args:
        values: (T, ..., D) with the coordinates last; a point with NaN in any coordinate is missing.
        fps: frames per second.
        how: which filter, how strong.
        bridge_s: gaps up to so many seconds are filtered across; they stay NaN all the same.

    Returns:
        The same shape; NaN exactly where it was (the whole point, if one coordinate was).

    Raises:
        InputError: not (T, ..., D), infinite, no frame rate, or a cut-off at or above half of the frame rate.
    """
    return _filtered(POINTS, values, fps, how, bridge_s)


def filter_wxyz(wxyz: ArrayLike, fps: Fraction | float, how: Filter, *, bridge_s: float = 0.0) -> Floats:
    """Filter rotations over time.

    The components are filtered on one hemisphere and brought back to unit length: filtering is linear in them and so
    is turning, from either side, so that no axis is special and nothing can flip. A steady spin stays that spin.

    Args:
        wxyz: (T, ..., 4) quaternions; with NaN missing. Their signs do not matter.
        fps: frames per second.
        how: which filter, how strong.
        bridge_s: gaps up to so many seconds are filtered across; they stay NaN all the same.

    Returns:
        Unit quaternions of the same shape, neighbours on one hemisphere; NaN exactly where it was.

    Raises:
        InputError: not (T, ..., 4), zero or infinite quaternions, no frame rate, or a cut-off at or above half of it.
    """
    return _filtered(ROTATIONS, wxyz, fps, how, bridge_s)


def outliers(
    values: ArrayLike, fps: Fraction | float, *, window_s: float = 0.15, threshold: float = 6.0, rotations: bool = False
) -> Flags:
    """Find the frames in which something jumps away for less than half of a window.

    The window's steady movement is taken away first: the middle one of the velocities between any two of its frames.
    A frame is an outlier when it is then ``threshold`` times as far from the middle of the window around it as half of
    the window's frames are. "Middle" is the member with the least sum of distances to all others (the medoid, which is
    the median on a line); unlike medians by coordinate it does not depend on the axes.

    Args:
        values: (T, ..., D) places, or (T, ..., 4) quaternions; NaN is missing and never an outlier.
        fps: frames per second.
        window_s: length of the window, of which five frames are looked at, seven at high rates.
        threshold: see above.
        rotations: the values are quaternions.

    Returns:
        (T, ...) True where it jumps; never in the first and the last frame, of which nobody can tell.

    Reference:
        Hampel, "The influence curve and its role in robust estimation", JASA 1974; Pearson, "Outliers in process
        modeling and identification", IEEE Trans. Control Systems Technology 2002, for the filter; Sen, "Estimates of
        the regression coefficient based on Kendall's tau", JASA 1968, for the slope.
    """
    space = ROTATIONS if rotations else POINTS
    columns, shape = _columns(space, values)
    found = _outliers(space, columns, float(as_fps(fps)), window_s, threshold)
    return np.asarray(found.reshape(shape[:-1]))


# --- gaps -------------------------------------------------------------------------------------------------------------


def _filtered(space: Space, values: ArrayLike, fps: Fraction | float, how: Filter, bridge_s: float) -> Floats:
    rate = float(as_fps(fps))
    _check_rate(how.cutoff_hz, rate)
    if not (np.isfinite(bridge_s) and bridge_s >= 0):
        raise InputError(f"bridge_s must be at least 0 seconds, got {bridge_s}")
    columns, shape = _columns(space, values)
    known = np.isfinite(columns).all(axis=-1)
    result = np.full_like(columns, np.nan)
    patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        of_pattern = np.flatnonzero(pattern_of.ravel() == number)
        for start, stop in _runs(pattern, most=round(bridge_s * rate)):
            block = space.bridged(columns[start:stop, of_pattern], pattern[start:stop, None])
            result[start:stop, of_pattern] = _smoothed(space, block, rate, how)
    result[~known] = np.nan
    return result.reshape(shape)


def _runs(known: Flags, most: int) -> list[tuple[int, int]]:
    """The stretches (start, stop) of known frames, joined across gaps of at most ``most`` frames."""
    edges = np.flatnonzero(np.diff(known, prepend=False, append=False)).reshape(-1, 2)
    joined: list[tuple[int, int]] = []
    for start, stop in edges.tolist():
        if joined and start - joined[-1][1] <= most:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _columns(space: Space, values: ArrayLike) -> tuple[Floats, tuple[int, ...]]:
    """Bring (T, ..., D) to (T, N, D)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2 or (space is ROTATIONS and array.shape[-1] != 4):
        raise InputError(f"values must be {space.shape_text}, got {array.shape}")
    if np.isinf(array).any():
        raise InputError("values hold an infinite value; missing is NaN")
    columns = array.reshape(len(array), int(np.prod(array.shape[1:-1])), array.shape[-1])
    return space.checked(columns), array.shape


# --- one stretch without gaps -----------------------------------------------------------------------------------------


def _smoothed(space: Space, block: Floats, rate: float, how: Filter) -> Floats:
    """Filter (T, N, D) without NaN."""
    if isinstance(how, Robust):
        wild = _outliers(space, block, rate, how.window_s, how.threshold)
        block = space.bridged(block, ~wild)
    block = space.continuous(block)
    if isinstance(how, Gaussian):
        pad = kernels.gaussian_pad_frames(how.cutoff_hz, rate)
    else:
        pad = kernels.butterworth_pad_frames(how.cutoff_hz, rate, how.order)
    if len(block) < 2:
        return block
    pad = min(pad, _MOST_REFLECTIONS * len(block))
    extended = _extended(block, pad, space.reflected)
    flat = extended.reshape(len(extended), -1)
    if isinstance(how, Gaussian):
        flat = kernels.gaussian_lowpass(flat, how.cutoff_hz, rate)
    else:
        flat = kernels.butterworth_lowpass(flat, how.cutoff_hz, rate, how.order)
    return space.finished(flat[pad : pad + len(block)].reshape(block.shape))


def _extended(block: Floats, pad: int, reflected: Callable[[Floats, Floats], Floats]) -> Floats:
    """Continue both ends by ``pad`` frames, by reflection in the end's value, again and again if the clip is short."""
    extended, missing = block, pad
    while missing > 0:
        count = min(missing, len(extended) - 1)
        before = reflected(extended[1 : count + 1][::-1], extended[0])
        after = reflected(extended[-count - 1 : -1][::-1], extended[-1])
        extended = np.concatenate([before, extended, after])
        missing -= count
    return extended


def _outliers(space: Space, columns: Floats, rate: float, window_s: float, threshold: float) -> Flags:
    """The rule of `outliers` on (T, N, D), in blocks of frames; NaN belongs to no window."""
    reach = window_s * rate / 2
    half = int(np.clip(round(reach), 2, _MOST_BESIDE))
    stride = max(1, int(reach / half))
    found = np.zeros(columns.shape[:2], dtype=np.bool_)
    around = stride * np.arange(-half, half + 1)
    for column, start in itertools.product(range(columns.shape[1]), range(0, len(columns), _BLOCK_FRAMES)):
        frames = np.arange(start, min(start + _BLOCK_FRAMES, len(columns)))
        members = frames[:, None] + around
        inside = (members >= 0) & (members < len(columns))
        windows = columns[np.clip(members, 0, len(columns) - 1), column]
        there = inside & np.isfinite(windows).all(axis=-1)
        windows = space.aligned(np.where(there[..., None], windows, 0.0))
        found[frames, column] = _is_off(windows, there, threshold)
    return found


def _is_off(windows: Floats, there: Flags, threshold: float) -> Flags:
    """Whether the frame in the middle of each window (T, W, D) is an outlier."""
    size, half = windows.shape[1], windows.shape[1] // 2
    first, second = np.triu_indices(size, k=1)
    steps = (windows[:, second] - windows[:, first]) / (second - first)[:, None]
    in_middle, _ = _middle(steps, there[:, first] & there[:, second])
    slope = np.einsum("tp,tpd->td", in_middle, steps)
    level = windows - slope[:, None] * (np.arange(size) - half)[:, None]
    in_middle, apart = _middle(level, there)
    off = np.einsum("twm,tm->tw", apart, in_middle)
    rounding = 1e-12 * np.abs(windows).max(axis=(1, 2), initial=0.0)
    judged = there[:, half] & (there.sum(axis=-1) > _TOO_FEW)
    return np.asarray(judged & (off[:, half] > threshold * _median(off, there) + rounding))


def _middle(vectors: Floats, there: Flags) -> tuple[Floats, Floats]:
    """Weights (T, M) of the medoid of vectors (T, M, D), and their distances (T, M, M).

    Vectors that are equally good share the weight, so that their order does not decide.
    """
    apart = np.linalg.norm(vectors[:, :, None] - vectors[:, None], axis=-1)
    cost = np.where(there, np.einsum("tmn,tn->tm", apart, there.astype(np.float64)), np.inf)
    best = there & (cost <= cost.min(axis=-1, keepdims=True) * (1 + _TIE))
    return best / np.maximum(best.sum(axis=-1, keepdims=True), 1), apart


def _median(values: Floats, there: Flags) -> Floats:
    """The median along the last axis of what is there; 0 where nothing is."""
    ordered = np.sort(np.where(there, values, np.inf), axis=-1)
    count = there.sum(axis=-1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)
    pair = [np.take_along_axis(ordered, index[:, None], axis=-1)[:, 0] for index in (low, high)]
    return np.where(count > 0, 0.5 * (pair[0] + pair[1]), 0.0)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"{name} must be finite and above 0, got {value}")


def _check_cutoff(cutoff_hz: float) -> None:
    _check_positive("cutoff_hz", cutoff_hz)
    if cutoff_hz < _SLOWEST_HZ:
        raise InputError(f"a cut-off must be at least {_SLOWEST_HZ:g} Hz, or nothing is left; got {cutoff_hz:g} Hz")


def _check_order(order: int) -> None:
    if order not in range(1, 9):
        raise InputError(f"order must be a whole number from 1 to 8, got {order}")


def _check_rate(cutoff_hz: float, rate: float) -> None:
    if cutoff_hz >= rate / 2:
        raise InputError(
            f"a cut-off of {cutoff_hz:g} Hz needs more than {2 * cutoff_hz:g} frames per second, and there are "
            f"{rate:g}: choose less than {rate / 2:g} Hz, or leave out the filter, which has nothing to take away"
        )
