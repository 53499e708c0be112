"""One person, followed through a shot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.identify.body_size import height_px

__all__ = ["Track"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """One person in one shot.

    Attributes:
        person: 1 is the person seen longest and largest, 2 the next.
        first: the first frame in which the person is seen, counted from the start of the shot.
        last: the last such frame.
        pose2d: over the whole shot; NaN with confidence 0 in frames where the person is not seen.
    """

    person: int
    first: int
    last: int
    pose2d: Pose2D

    def __post_init__(self) -> None:
        """Check that the frames lie in the shot."""
        if not 0 <= self.first <= self.last < len(self.pose2d):
            raise InputError(f"a track needs 0 <= first <= last < {len(self.pose2d)}, got {self.first} and {self.last}")

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,) frames in which the person was found."""
        return np.asarray((self.pose2d.confidence > 0).any(axis=1))

    @property
    def height_px(self) -> float:
        """Median stature in the picture, pixels."""
        heights = height_px(self.pose2d.xy_px, self.pose2d.confidence)[self.seen]
        heights = heights[np.isfinite(heights)]
        return float(np.median(heights)) if len(heights) else 0.0

    @property
    def prominence(self) -> float:
        """Seconds seen times stature in pixels: what decides who is person 1."""
        return float(self.seen.sum() / self.pose2d.fps) * self.height_px
