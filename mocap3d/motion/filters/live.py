"""One Euro filters: for live use, where no later frame is known. They follow fast motion closely and hold still rest.

A first-order low-pass whose cut-off grows with the speed, ``cutoff = min_cutoff_hz + beta * speed``. Every value comes
with its time stamp, so that a camera may drop frames. A delay is the price: about 1 / (2 pi cutoff) seconds.

Tuning (the authors' advice): set ``beta`` to 0, hold still and lower ``min_cutoff_hz`` until nothing trembles; then
move fast and raise ``beta`` until the delay is gone.

Reference:
    Casiez, Roussel, Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems",
    CHI 2012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.rotations import (
    wxyz_conjugate,
    wxyz_multiply,
    wxyz_normalized,
    wxyz_slerp,
    wxyz_to_rotvec,
)

__all__ = ["LIVE_POINTS", "LIVE_ROTATIONS", "OneEuro", "OneEuroRotations", "OneEuroSettings"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEuroSettings:
    """How a One Euro filter trades trembling for delay.

    Attributes:
        min_cutoff_hz: cut-off at rest.
        beta: hertz more for each unit of speed: per m/s for points in metres, per rad/s for rotations.
        derivative_cutoff_hz: cut-off of the speed; the paper's 1 Hz.
        forget_s: after a gap longer than this a joint begins anew, instead of moving in from where it was lost.
    """

    min_cutoff_hz: float
    beta: float
    derivative_cutoff_hz: float = 1.0
    forget_s: float = 0.5

    def __post_init__(self) -> None:
        """Check that all make sense."""
        for name in ("min_cutoff_hz", "derivative_cutoff_hz", "forget_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} must be finite and above 0, got {value}")
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise InputError(f"beta must be finite and at least 0, got {self.beta}")


LIVE_POINTS: Final = OneEuroSettings(min_cutoff_hz=1.5, beta=8.0)
"""For joints in metres. Tried on recorded walking, running, dancing, boxing and jumping (CMU, 30 frames per second)
with noise of 15 mm per axis: joints come out 24 mm from the truth instead of 26 mm, delay included. With noise of 5 mm
the delay costs more than the noise did (17 mm for 9 mm): then choose a larger ``beta``."""

LIVE_ROTATIONS: Final = OneEuroSettings(min_cutoff_hz=1.5, beta=2.0)
"""For rotations of joints. On the same clips noise of 8.7° comes out as 6.1°; noise of 3.5° as 3.7°, delay included."""


class OneEuro:
    """Filters points that come one frame after the other.

    The speed is that of the whole point, not of each coordinate, so that the axes do not matter; for D = 1 it is the
    paper's filter.
    """

    def __init__(self, settings: OneEuroSettings = LIVE_POINTS) -> None:
        self.settings = settings
        self._state: _State | None = None

    def __call__(self, values: ArrayLike, time_s: float) -> Floats:
        """Take the values of a moment, and return them filtered.

        Args:
            values: (..., D), the same shape every time; a point with NaN is missing and comes out as NaN.
            time_s: when; later than the time before.

        Returns:
            The same shape.

        Raises:
            InputError: another shape than before, a time that does not grow, or an infinite value.
        """
        found, self._state = _step(_as_points(values), time_s, self._state, self.settings, rotations=False)
        return found

    def reset(self) -> None:
        """Forget the past: the next values come out as they are."""
        self._state = None


class OneEuroRotations:
    """Filters rotations that come one frame after the other, along shortest turns: signs do not matter, nothing flips.

    The speed is that of turning, in rad/s.
    """

    def __init__(self, settings: OneEuroSettings = LIVE_ROTATIONS) -> None:
        self.settings = settings
        self._state: _State | None = None

    def __call__(self, wxyz: ArrayLike, time_s: float) -> Floats:
        """Take the rotations of a moment, and return them filtered.

        Args:
            wxyz: (..., 4) quaternions, the same shape every time; NaN is missing and comes out as NaN.
            time_s: when; later than the time before.

        Returns:
            Unit quaternions of the same shape, on one hemisphere with those before.

        Raises:
            InputError: another shape than before, a time that does not grow, or quaternions that are zero or infinite.
        """
        found, self._state = _step(
            wxyz_normalized(_as_points(wxyz)), time_s, self._state, self.settings, rotations=True
        )
        return found

    def reset(self) -> None:
        """Forget the past: the next rotations come out as they are."""
        self._state = None


@dataclass(frozen=True, slots=True)
class _State:
    """What is kept between two moments; the times are those at which each point was last there."""

    time_s: float
    at_s: Floats  # (...,); -inf: never
    value: Floats  # (..., D) filtered
    speed: Floats  # (..., D or 3) filtered derivative


def _as_points(values: ArrayLike) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim < 1 or np.isinf(array).any():
        raise InputError(f"values must be (..., D) and finite (missing is NaN), got shape {array.shape}")
    return array


def _step(
    values: Floats, time_s: float, before: _State | None, settings: OneEuroSettings, *, rotations: bool
) -> tuple[Floats, _State]:
    """One moment of the paper's algorithm 1, for all points at once."""
    if not math.isfinite(time_s):
        raise InputError(f"time_s must be finite, got {time_s}")
    there = np.asarray(np.isfinite(values).all(axis=-1))
    if before is None:
        speed = np.zeros((*there.shape, 3 if rotations else values.shape[-1]))
        before = _State(-math.inf, np.full(there.shape, -math.inf), values, speed)
    if values.shape != before.value.shape:
        raise InputError(f"values must have the shape {before.value.shape} of those before, got {values.shape}")
    if not time_s > before.time_s:
        raise InputError(f"time must grow: {time_s} s comes after {before.time_s} s")
    known = there & (time_s - before.at_s <= settings.forget_s)  # the others begin
    period = np.where(known, time_s - before.at_s, 1.0)
    now, last = (np.where(known[..., None], array, _neutral(values)) for array in (values, before.value))
    change = _turned(last, now) if rotations else now - last
    share = _alpha(period, np.full(period.shape, settings.derivative_cutoff_hz))
    speed = before.speed + share * (change / period[..., None] - before.speed)
    cutoff = settings.min_cutoff_hz + settings.beta * np.linalg.norm(speed, axis=-1)
    share = _alpha(period, cutoff)
    moved = wxyz_slerp(last, now, share[..., 0]) if rotations else last + share * (now - last)
    filtered = np.where(known[..., None], moved, values)
    state = _State(
        time_s=time_s,
        at_s=np.where(there, time_s, before.at_s),
        value=np.where(there[..., None], filtered, before.value),
        speed=np.where(known[..., None], speed, np.where(there[..., None], 0.0, before.speed)),
    )
    return np.where(there[..., None], filtered, np.nan), state


def _alpha(period_s: Floats, cutoff_hz: Floats) -> Floats:
    """The share (..., 1) of the new value: 1 / (1 + tau / period)."""
    tau_s = 1.0 / (2.0 * math.pi * cutoff_hz)
    return np.asarray(1.0 / (1.0 + tau_s / period_s))[..., None]


def _neutral(values: Floats) -> Floats:
    """Something to compute with where nothing is known: (D,) 1, 0, 0 ..."""
    return np.asarray(np.eye(1, values.shape[-1])[0])


def _turned(before: Floats, after: Floats) -> Floats:
    """Rotation vectors (..., 3) of the shortest turns."""
    return wxyz_to_rotvec(wxyz_multiply(wxyz_conjugate(before), after))
