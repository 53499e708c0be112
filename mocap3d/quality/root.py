"""How far the root is from its true place, and whether its stated uncertainty is honest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from mocap3d.base.errors import InputError

__all__ = ["RootScores", "RootTally"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootScores:
    """Errors of the root's trajectory.

    Attributes:
        mrpe_mm: mean distance between found and true root (MRPE: Moon et al., Camera distance-aware top-down approach
            for 3D multi-person pose estimation, ICCV 2019).
        distance_percent: mean error of the root's distance from the camera, relative to the true one.
        within_std_percent: how often that error is less than its stated standard deviation; 68 when errors are Gaussian
            and the statement is honest, more when it is too careful, less when it boasts.
    """

    mrpe_mm: float
    distance_percent: float
    within_std_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RootTally:
    """Sums over frames; add tallies with ``+``.

    Attributes:
        frames: in which the true root is known.
        error_m: sum of distances between found and true root.
        relative: sum of the relative errors of the distance from the camera.
        within: frames whose distance is off by less than it says.
    """

    frames: int = 0
    error_m: float = 0.0
    relative: float = 0.0
    within: int = 0

    @classmethod
    def of(cls, found_m: ArrayLike, std_m: ArrayLike, truth_m: ArrayLike) -> Self:
        """Measure one clip.

        Args:
            found_m: (T, 3) in the camera's frame.
            std_m: (T,) stated standard deviation of the distance from the camera.
            truth_m: (T, 3); frames with NaN stay out.

        Raises:
            InputError: the shapes differ.
        """
        found, std, truth = (np.asarray(value, np.float64) for value in (found_m, std_m, truth_m))
        if found.shape != truth.shape or found.shape[1:] != (3,) or std.shape != found.shape[:1]:
            raise InputError(f"roots must be (T, 3) with std_m (T,), got {found.shape}, {std.shape}, {truth.shape}")
        known = np.isfinite(truth).all(axis=-1)
        found, std, truth = found[known], std[known], truth[known]
        distance = np.linalg.norm(truth, axis=-1)
        off = np.abs(np.linalg.norm(found, axis=-1) - distance)
        return cls(
            frames=len(truth),
            error_m=float(np.linalg.norm(found - truth, axis=-1).sum()),
            relative=float((off / distance).sum()),
            within=int((off < std).sum()),
        )

    def __add__(self, other: Self) -> Self:
        """The tally of both."""
        return type(self)(
            frames=self.frames + other.frames,
            error_m=self.error_m + other.error_m,
            relative=self.relative + other.relative,
            within=self.within + other.within,
        )

    @property
    def scores(self) -> RootScores | None:
        """The means; None when there is no frame to be the mean of."""
        if not self.frames:
            return None
        return RootScores(
            mrpe_mm=1000 * self.error_m / self.frames,
            distance_percent=100 * self.relative / self.frames,
            within_std_percent=100 * self.within / self.frames,
        )
