"""Between which frames of a recording the frames of another rate lie: what motions and points share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["Between", "frames_between"]

_MOST_FRAMES: Final = 5_000_000  # half a day at 120 frames per second
_SAME: Final = 1e-6  # of a frame; nearer than this, it is that frame


@dataclass(frozen=True, slots=True)
class Between:
    """Two neighbouring old frames for each new one.

    Attributes:
        before: (T,) the old frame at or before the new one.
        after: (T,) the one behind it; where the new frame is an old one, that one again.
        part: (T,) how far the new one lies on the way, 0 to below 1.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    part: NDArray[np.float64]

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Go along straight lines: (T_old, ...) values to (T, ...); NaN where a neighbour is."""
        share = self.part.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray(values[self.before] * (1 - share) + values[self.after] * share)


def frames_between(count: int, fps: Fraction, rate: Fraction) -> Between:
    """Find the places of new frames between old ones; the last lies at most one period before the old last frame.

    Args:
        count: old frames, at least 1.
        fps: their rate.
        rate: the new rate.

    Raises:
        InputError: the new rate would make millions of frames.
    """
    new_count = int(Fraction(count - 1) / fps * rate) + 1
    if new_count > _MOST_FRAMES:
        raise InputError(f"{float(rate):g} frames per second would make {new_count:.3g} frames of this recording")
    at = np.linspace(0.0, (new_count - 1) * float(fps / rate), new_count)
    nearest = np.rint(at)
    at = np.where(np.abs(at - nearest) < _SAME, nearest, at)  # rounding must not ask a neighbour that may be missing
    before = at.astype(np.int64)
    part = at - before
    return Between(before, before + (part > 0), part)
