"""What the settings of every training are checked for: numbers that nothing can be trained with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real

from mocap3d.base.errors import InputError

__all__ = ["check_counts", "check_dilations", "check_shares", "check_sizes"]


def check_counts(settings: object, least: Mapping[str, int]) -> None:
    """Refuse fields that are not whole numbers of at least so many.

    Args:
        settings: whose fields.
        least: name of a field -> the smallest number that it may have.

    Raises:
        InputError: one is not so; the message names it.
    """
    for name, lowest in least.items():
        value = getattr(settings, name)
        if not isinstance(value, Integral) or value < lowest:
            raise InputError(f"{name} must be a whole number of at least {lowest}, got {value!r}")


def check_sizes(settings: object, *names: str, zero: bool = False) -> None:
    """Refuse fields that are not finite and above 0 (with ``zero``: or 0); raises as `check_counts`."""
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, Real) or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            raise InputError(f"{name} must be a number {'of at least' if zero else 'above'} 0, got {value!r}")


def check_shares(settings: object, *names: str, whole: bool = True) -> None:
    """Refuse fields that are not between 0 and 1 (without ``whole``: or are 1); raises as `check_counts`."""
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, Real) or not 0 <= float(value) <= 1 or (value == 1 and not whole):
            raise InputError(f"{name} must be a share from 0 to {'1' if whole else 'below 1'}, got {value!r}")


def check_dilations(dilations: tuple[int, ...], *, strided: bool) -> None:
    """Refuse layers of which no network can be made.

    Args:
        dilations: of the layers; 0 has one tap.
        strided: whether the network computes one frame of a window at a time, which needs 1, 3, 9 and so on.

    Raises:
        InputError: it is so.
    """
    if not dilations or any(not isinstance(dilation, Integral) or dilation < 0 for dilation in dilations):
        raise InputError(f"dilations must be one or more whole numbers of at least 0, got {dilations}")
    spread = [dilation for dilation in dilations if dilation]
    if strided and spread != [3**i for i in range(len(spread))]:
        raise InputError(f"dilations must be 1, 3, 9 and so on, got {dilations}")
