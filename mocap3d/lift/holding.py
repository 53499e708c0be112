"""Joints that are not seen for a moment stay where they were: a lifter is better off with a late place than with none.

Measured by ``benchmarks/lifter_limits.py`` (docs/lifter.md has the table). Nothing looks ahead, so clips and live
cameras get the same numbers; capture bridges short gaps on a straight line before (`identify.repair.fill_gaps`).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunningHold", "hold_unseen", "longest_hold"]

_Float = TypeVar("_Float", bound=np.floating)
_LONGEST_S = 0.25


def longest_hold(fps: float) -> int:
    """For how many frames a joint is held at a frame rate."""
    return round(_LONGEST_S * fps)


def hold_unseen(points: NDArray[_Float], longest: int) -> NDArray[_Float]:
    """Put joints that are not seen where they were last.

    Args:
        points: (..., T, J, D), NaN where not seen.
        longest: for how many frames after the last sight; `longest_hold`.

    Returns:
        A copy of the same shape; NaN where a joint was not seen yet, or too long ago.
    """
    frames = np.arange(points.shape[-3])[:, None]
    seen = np.isfinite(points).all(axis=-1)
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=-2)
    held = np.take_along_axis(points, last.clip(0)[..., None], axis=-3)
    return np.where(((last >= 0) & (frames - last <= longest))[..., None], held, np.nan).astype(points.dtype)


class RunningHold:
    """`hold_unseen` for one frame after the other.

    Args:
        longest: as of `hold_unseen`.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._last: NDArray[np.float64] | None = None
        self._ages: NDArray[np.int64] = np.zeros(1, dtype=np.int64)  # of all joints, before the first frame

    def push(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The next frame (J, D), with joints that are not seen where they were last."""
        seen = np.asarray(np.isfinite(points).all(axis=-1))
        self._last = points if self._last is None else np.where(seen[:, None], points, self._last)
        self._ages = np.where(seen, 0, self._ages + 1)
        return np.where(np.asarray(self._ages <= self._longest)[:, None], self._last, np.nan)
