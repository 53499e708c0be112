"""Checks of what callers hand in: arrays of a stated shape, frame rates as exact fractions."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError

__all__ = ["as_floats", "as_fps", "fps_from_period"]


def as_floats(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """Copy a value into a read-only float64 array and check its shape.

    An array that is locked already and owns its memory, as those of our own nouns do, is taken as it is: copying it
    would take as long as reading it from a file.

    Args:
        name: what the array is called in the error message.
        value: anything NumPy takes; infinities are refused, NaN is left to the caller.
        shape: the sizes that must hold; None admits any size.

    Returns:
        A C-contiguous, read-only array.

    Raises:
        InputError: not numbers, another shape, or an infinite value.
    """
    try:
        array = value if _is_locked(value) else np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers of shape {_shape_text(shape)}: {error}") from error
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits:
        raise InputError(f"{name} must have shape {_shape_text(shape)}, got {array.shape}")
    extremes = array.min(initial=0.0), array.max(initial=0.0)  # of long arrays no mask is made
    if np.isinf(extremes).any() or (np.isnan(extremes).any() and np.isinf(array).any()):
        raise InputError(f"{name} holds an infinite value")
    array.flags.writeable = False
    return array


def _is_locked(value: ArrayLike) -> TypeGuard[NDArray[np.float64]]:
    """Whether it is what `as_floats` returns, or just like it."""
    if not isinstance(value, np.ndarray) or value.dtype != np.float64:
        return False
    return bool(value.flags.owndata and value.flags.c_contiguous and not value.flags.writeable)


def as_fps(value: Fraction | float | str) -> Fraction:
    """Turn a frame rate into an exact fraction.

    A decimal snaps to n·1000/1001 when it is that rate as far as its digits were written (29.97 becomes 30000/1001);
    a text may be a fraction, too.

    Raises:
        InputError: not a number, not finite, not above zero.
    """
    written = isinstance(value, str) and re.fullmatch(r"\d{1,9}/[1-9]\d{0,8}", value)
    if isinstance(value, (Fraction, int)) or written:
        fps = Fraction(value)
    else:
        decimal = _decimal(value)
        fps = _snap_rate(decimal)
    if fps <= 0:
        raise InputError(f"a frame rate must be above 0, got {value}")
    return fps


def fps_from_period(period: str | float) -> Fraction:
    """Find the frame rate whose period rounds to the written digits (``0.033333`` is 30, ``0.0333667`` is 30000/1001).

    Raises:
        InputError: not a number, not finite, not above zero.
    """
    decimal = _decimal(period)
    if decimal <= 0:
        raise InputError(f"a frame time must be above 0 seconds, got {period}")
    # A period within its last written digit (half a unit, and truncation seen in the wild: one whole unit).
    unit = Fraction(Decimal(1).scaleb(int(decimal.as_tuple().exponent)))
    exact = Fraction(decimal)
    for rate in _candidates(1 / exact):
        if abs(1 / rate - exact) <= min(unit, exact / 500):
            return rate
    return (1 / exact).limit_denominator(10**6)


def _decimal(value: float | str) -> Decimal:
    try:
        decimal = Decimal(str(value))
    except InvalidOperation as error:
        raise InputError(f"not a number: {value!r}") from error
    if not decimal.is_finite():
        raise InputError(f"must be finite, got {value}")
    return decimal


def _snap_rate(decimal: Decimal) -> Fraction:
    exact = Fraction(decimal)
    unit = Fraction(Decimal(1).scaleb(int(decimal.as_tuple().exponent)))
    for rate in _candidates(exact):
        # Half a unit of the last digit; a float printed in full is off by a rounding of its own.
        if exact == rate or (rate.denominator == 1001 and abs(rate - exact) <= max(unit / 2, rate / 2**50)):
            return rate
    return exact


def _candidates(near: Fraction) -> list[Fraction]:
    """The whole rate nearest to a rate, then the nearest NTSC rate n·1000/1001."""
    whole = max(1, math.floor(near + Fraction(1, 2)))
    ntsc = max(1, math.floor(near * Fraction(1001, 1000) + Fraction(1, 2)))
    return sorted({Fraction(whole), Fraction(ntsc * 1000, 1001)}, key=lambda rate: abs(rate - near))


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
