"""Errors of many clips put together: what stands in one row of a table of results.

Sums and counts are kept, so that the row of several clips is the mean over all their joints, however long each is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.quality.pose3d import (
    AUC_THRESHOLDS_M,
    PCK_THRESHOLD_M,
    joint_errors_m,
    procrustes_aligned_m,
    scaled_m,
    velocity_errors_m,
)

__all__ = ["PoseScores", "PoseTally"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseScores:
    """The errors of ``pose3d.py`` in the units in which they are published.

    Attributes:
        mpjpe_mm: protocol 1.
        p_mpjpe_mm: protocol 2.
        n_mpjpe_mm: protocol 3.
        mpjve_mm: millimetres per frame at 50 frames per second.
        pck_percent: joints within 150 mm.
        auc_percent: area under the curve of PCK from 0 to 150 mm.
    """

    mpjpe_mm: float
    p_mpjpe_mm: float
    n_mpjpe_mm: float
    mpjve_mm: float
    pck_percent: float
    auc_percent: float

    @classmethod
    def mean_of(cls, rows: list[Self]) -> Self:
        """The unweighted mean of several rows: each counts once, however many frames are behind it.

        Raises:
            InputError: there is no row.
        """
        if not rows:
            raise InputError("a mean needs at least one row")
        return cls(**{item.name: sum(getattr(row, item.name) for row in rows) / len(rows) for item in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoseTally:
    """Sums of errors over clips; add tallies with ``+``.

    Attributes:
        frames: how many bodies went in.
        sums: (4,) sums of the errors behind MPJPE, P-MPJPE, N-MPJPE and MPJVE, metres.
        counts: (4,) how many errors each sum has.
        below: (32,) how many joints are nearer than each threshold of the AUC, then than that of the PCK.
    """

    frames: int
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    below: NDArray[np.int64]

    @classmethod
    def of(cls, predicted_m: ArrayLike, truth_m: ArrayLike, fps: Fraction | float) -> Self:
        """Measure one clip.

        Args:
            predicted_m: (T, J, 3) around the root; a joint that is NaN on either side stays out.
            truth_m: (T, J, 3) around the root, same axes.
            fps: frames per second of both.

        Raises:
            InputError: shapes differ or are not clips.
        """
        errors = joint_errors_m(predicted_m, truth_m)
        kinds = (
            errors,
            joint_errors_m(procrustes_aligned_m(predicted_m, truth_m), truth_m),
            joint_errors_m(scaled_m(predicted_m, truth_m), truth_m),
            velocity_errors_m(predicted_m, truth_m, fps),
        )
        return cls(
            frames=len(errors),
            sums=np.array([np.nansum(kind) for kind in kinds]),
            counts=np.array([np.count_nonzero(~np.isnan(kind)) for kind in kinds]),
            below=np.array([np.count_nonzero(errors < t) for t in (*AUC_THRESHOLDS_M, PCK_THRESHOLD_M)]),
        )

    def __add__(self, other: Self) -> Self:
        """The tally of both."""
        return type(self)(
            frames=self.frames + other.frames,
            sums=self.sums + other.sums,
            counts=self.counts + other.counts,
            below=self.below + other.below,
        )

    @property
    def scores(self) -> PoseScores:
        """The means over everything that was added.

        Raises:
            InputError: an error has nothing to be the mean of, such as velocities of clips of one frame.
        """
        if not self.counts.all():
            raise InputError(
                "there is nothing to measure: each error needs joints that are known in both the prediction and the "
                "truth, three in one frame for P-MPJPE and the same in two neighbouring frames for MPJVE"
            )
        mpjpe, p_mpjpe, n_mpjpe, mpjve = 1000 * self.sums / self.counts
        percent = 100 * self.below / self.counts[0]
        return PoseScores(
            mpjpe_mm=float(mpjpe),
            p_mpjpe_mm=float(p_mpjpe),
            n_mpjpe_mm=float(n_mpjpe),
            mpjve_mm=float(mpjve),
            pck_percent=float(percent[-1]),
            auc_percent=float(percent[:-1].mean()),
        )
