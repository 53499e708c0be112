"""Curves of a file, evaluated at the times of frames.

Files of games and of capture tools have a key on every frame, where interpolation does not matter. Between keys a value
is held, or follows a straight line, or a cubic with the slopes and weights in the file. Slopes that Maya computes anew
when it loads a file ("auto") are computed from the neighbours. Outside the keys a curve stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.output.fbx.scene import LARGEST, Item, child_of

__all__ = ["evaluate_curve"]

Floats = NDArray[np.float64]
Ticks = NDArray[np.int64]

_HOLD, _CUBIC, _NEXT, _USER = 0x2, 0x8, 0x100, 0x400  # flags of a key, as FbxAnimCurveDef has them
_CLAMP, _TIME_INDEPENDENT, _CLAMP_PROGRESSIVE = 0x1000, 0x2000, 0x4000
_WEIGHTED_RIGHT, _WEIGHTED_LEFT = 0x1000000, 0x2000000
_THIRD: Final = 1 / 3
_NEAR: Final = 1e-3  # keys so near in value are level for a clamped tangent


def evaluate_curve(curve: Item, ticks: Ticks, default: float, ticks_per_s: int) -> Floats:
    """Evaluate an AnimationCurve.

    Args:
        curve: the object.
        ticks: (T,) when.
        default: the value where the curve has no key.
        ticks_per_s: the unit of time.

    Returns:
        (T,).

    Raises:
        FileFormatError: its keys contradict each other.
    """
    times, values = curve.integers(curve.record, "KeyTime"), curve.floats(curve.record, "KeyValueFloat")
    if len(times) != len(values) or (times[1:] < times[:-1]).any():
        raise curve.error("its keys have no values, or are not in the order of time")
    if not len(times):
        return np.full(len(ticks), default)
    if np.array_equal(times, ticks):
        return values  # a key on every frame
    key = np.searchsorted(times, ticks, side="right") - 1
    result: Floats = values[key.clip(0, len(times) - 1)]
    between = np.flatnonzero((key >= 0) & (key < len(times) - 1))
    between = between[ticks[between] > times[key[between]]]
    if between.size:
        parts = _Parts.of(curve, times, values, ticks_per_s)
        left = key[between]
        result[between] = parts.at(left, (ticks[between] - times[left]) / (times[left + 1] - times[left]))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What is between K keys: K - 1 parts.

    Attributes:
        flags: of the key where a part begins.
        start: value there.
        stop: value at its end.
        out: (weight, slope) of the tangent where it begins; weights are shares of the part, slopes are per part.
        into: (weight, slope) of the tangent at its end.
    """

    flags: Ticks
    start: Floats
    stop: Floats
    out: tuple[Floats, Floats]
    into: tuple[Floats, Floats]

    @classmethod
    def of(cls, curve: Item, times: Ticks, values: Floats, ticks_per_s: int) -> _Parts:
        flags, data = _attributes(curve, len(times))
        seconds = np.diff(times.astype(np.float64)) / ticks_per_s
        packed = np.ascontiguousarray(data[:, 2]).view(np.uint32)  # two weights of 16 bits, in 1/10000
        out_weight = np.where(flags & _WEIGHTED_RIGHT, (packed & 0xFFFF) * 1e-4, _THIRD)[:-1]
        into_weight = np.where(flags & _WEIGHTED_LEFT, (packed >> 16) * 1e-4, _THIRD)[:-1]
        with np.errstate(invalid="ignore"):
            slopes = data[:, :2].astype(np.float64)
        slopes[~(np.abs(slopes) <= LARGEST)] = 0.0  # of keys that are not cubic it may hold anything
        automatic = (flags & _USER) == 0
        computed = _automatic_slopes(flags, seconds, values, out_weight, into_weight)
        out = np.where(automatic, computed, slopes[:, 0])[:-1]
        into = np.where(automatic[1:], computed[1:], slopes[:-1, 1])
        return cls(
            flags[:-1],
            values[:-1],
            values[1:],
            (out_weight.clip(0, 1), out * seconds),
            (into_weight.clip(0, 1), into * seconds),
        )

    def at(self, part: Ticks, share: Floats) -> Floats:
        """Evaluate inside parts (N,), each at a share 0..1 (N,) of its length."""
        start, stop, flags = self.start[part], self.stop[part], self.flags[part]
        held = np.where(flags & _NEXT, stop, start)
        line = start + (stop - start) * share
        result: Floats = np.where(flags & _HOLD, held, np.where(flags & _CUBIC, self._cubic(part, share), line))
        return result

    def _cubic(self, part: Ticks, share: Floats) -> Floats:
        """Bezier curve in time and value; its parameter is found by bisection."""
        (w0, rise), (w1, fall) = [(weight[part], slope[part]) for weight, slope in (self.out, self.into)]
        low, high = np.zeros_like(share), np.ones_like(share)
        for _ in range(50):
            t = (low + high) / 2
            time = 3 * (1 - t) ** 2 * t * w0 + 3 * (1 - t) * t**2 * (1 - w1) + t**3
            low, high = np.where(time < share, t, low), np.where(time < share, high, t)
        y0, y3 = self.start[part], self.stop[part]
        y1, y2 = y0 + rise * w0, y3 - fall * w1
        result: Floats = (1 - t) ** 3 * y0 + 3 * (1 - t) ** 2 * t * y1 + 3 * (1 - t) * t**2 * y2 + t**3 * y3
        return result


def _attributes(curve: Item, keys: int) -> tuple[Ticks, NDArray[np.float32]]:
    """Unroll flags (K,) and the four numbers (K, 4) of each key."""
    flags, runs = curve.integers(curve.record, "KeyAttrFlags"), curve.integers(curve.record, "KeyAttrRefCount")
    found = child_of(curve.record, "KeyAttrDataFloat")
    data = found.values[0] if found is not None and found.values else None
    if not isinstance(data, np.ndarray) or data.dtype.itemsize != 4 or data.size != 4 * len(flags):
        raise curve.error("KeyAttrDataFloat must hold four numbers for each entry of KeyAttrFlags")
    if len(runs) != len(flags) or (runs < 0).any() or (runs > keys).any() or runs.sum() != keys:
        raise curve.error("KeyAttrRefCount does not count the keys")
    return np.repeat(flags, runs), np.repeat(data.view(np.float32).reshape(-1, 4), runs, axis=0)


def _automatic_slopes(flags: Ticks, seconds: Floats, values: Floats, out_weight: Floats, into_weight: Floats) -> Floats:
    """Slopes (K,) per second of keys whose tangents follow their neighbours.

    A clamped key beside a level one is level; a progressively clamped one never overshoots its neighbours, which is
    Fritsch and Carlson's condition for a monotone cubic.
    """
    step, rise = np.maximum(seconds, 1e-12), np.diff(values)
    slope = rise / step
    slopes = np.concatenate([slope[:1], np.zeros(len(slope) - 1), slope[-1:]])
    before, after = slope[:-1], slope[1:]
    share = step[:-1] / (step[:-1] + step[1:])
    across = (values[2:] - values[:-2]) / (step[:-1] + step[1:])
    blended = (across + before * (1 - share) + after * share) / 2
    slopes[1:-1] = np.where(flags[1:-1] & _TIME_INDEPENDENT, across, blended)
    level = np.abs(rise) <= _NEAR
    beside = np.concatenate([level[:1], level[:-1] | level[1:], level[-1:]])
    slopes[((flags & _CLAMP) != 0) & beside] = 0.0
    sign = np.sign(slopes[1:-1])
    left, right = np.maximum(into_weight[:-1], 1e-6), np.maximum(out_weight[1:], 1e-6)
    room = np.minimum(sign * before / left, sign * after / right).clip(0)
    room = np.concatenate([[0.0], room, [0.0]])
    return np.where(flags & _CLAMP_PROGRESSIVE, slopes.clip(-room, room), slopes)
