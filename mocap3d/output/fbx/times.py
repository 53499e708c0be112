"""Frame rates and times as FBX has them: a table of rates, and ticks of 1/46,186,158,000 second."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CUSTOM_RATE", "NEW_TICKS_PER_S", "RATES", "TICKS_PER_S", "frame_ticks", "time_mode"]

TICKS_PER_S: Final = 46_186_158_000
"""Ticks of FBX time in a second (KTime): most frame rates last a whole number of them."""

RATES: Final = {
    1: Fraction(120),
    2: Fraction(100),
    3: Fraction(60),
    4: Fraction(50),
    5: Fraction(48),
    6: Fraction(30),
    7: Fraction(30),  # with drop-frame time code
    8: Fraction(30000, 1001),  # with drop-frame time code
    9: Fraction(30000, 1001),
    10: Fraction(25),
    11: Fraction(24),
    12: Fraction(1000),
    13: Fraction(24000, 1001),
    15: Fraction(96),
    16: Fraction(72),
    17: Fraction(60000, 1001),
    18: Fraction(120000, 1001),
}
"""Numbers of ``FbxTime::EMode`` and the rates that they stand for."""

NEW_TICKS_PER_S: Final = 141_120_000
"""The same in files that already count as FBX 8 will."""

CUSTOM_RATE: Final = 14
"""The number that points to the property CustomFrameRate."""

_NOT_WRITTEN: Final = (7, 8, 18)  # time codes that drop numbers; a mode that Blender 5.0 takes for 24


def time_mode(fps: Fraction) -> int:
    """Choose the number of a frame rate."""
    for mode, rate in RATES.items():
        if rate == fps and mode not in _NOT_WRITTEN:
            return mode
    return CUSTOM_RATE


def frame_ticks(frames: int, fps: Fraction, *, first: int = 0, per_second: int = TICKS_PER_S) -> NDArray[np.int64]:
    """List when the frames are, (T,) ticks, each rounded on its own so that nothing adds up.

    Args:
        frames: T.
        fps: frames per second.
        first: ticks of frame 0.
        per_second: ticks in a second; files can have others than FBX 7 has.
    """
    whole, rest = divmod(per_second * fps.denominator, fps.numerator)  # ticks of one frame: whole + rest / numerator
    frame = np.arange(frames, dtype=np.int64)
    return first + frame * whole + (2 * frame * rest + fps.numerator) // (2 * fps.numerator)
