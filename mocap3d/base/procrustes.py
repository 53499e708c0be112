"""Laying one set of points onto another: the rotation, translation and scale that fit best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.rotations import project_to_so3

__all__ = ["Similarity", "align"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Similarity:
    """``x_a = scale * rotation @ x_b + translation``, for a whole batch of alignments.

    Attributes:
        rotation: (..., 3, 3), never a reflection.
        translation: (..., 3) in the unit of the points.
        scale: (...), 1 for a rigid alignment.
    """

    rotation: Floats
    translation: Floats
    scale: Floats

    def apply(self, points_b: ArrayLike) -> Floats:
        """Carry points (..., N, 3) from frame b into frame a; NaN stays NaN."""
        turned = np.asarray(points_b, dtype=np.float64) @ np.swapaxes(self.rotation, -1, -2)
        return np.asarray(self.scale[..., None, None] * turned + self.translation[..., None, :])


def align(points_a: ArrayLike, points_b: ArrayLike, *, weights: ArrayLike | None = None, scaled: bool) -> Similarity:
    """Find ``a_from_b`` with the least weighted sum of squared distances.

    Where the points leave the rotation open (all on one line, or in one place) it is one of the best; with all of b in
    one place the scale is 1.

    Args:
        points_a: (..., N, 3) the target.
        points_b: (..., N, 3) what is moved. Batches broadcast.
        weights: (..., N) at least 0; None weighs all alike. A point that is NaN on either side does not count.
        scaled: fit the scale too (similarity) or keep it at 1 (rigid).

    Returns:
        The alignment, one for each entry of the batch; NaN where no point counts.

    Raises:
        InputError: shapes that do not fit, infinite coordinates or negative weights.

    Reference:
        Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    a, b, w = _checked(points_a, points_b, weights)
    total = w.sum(axis=-1)
    share = (w / np.where(total > 0, total, np.nan)[..., None])[..., None]  # (..., N, 1)
    mean_a, mean_b = (share * a).sum(axis=-2), (share * b).sum(axis=-2)
    from_a, from_b = a - mean_a[..., None, :], b - mean_b[..., None, :]
    covariance = np.swapaxes(share * from_a, -1, -2) @ from_b  # (..., 3, 3)
    rotation = project_to_so3(covariance)
    scale = np.ones(total.shape)
    if scaled:
        spread = (share * from_b**2).sum(axis=(-2, -1))
        gain = np.trace(np.swapaxes(rotation, -1, -2) @ covariance, axis1=-2, axis2=-1)
        np.divide(gain, spread, out=scale, where=spread > 0)
    translation = mean_a - scale[..., None] * (rotation @ mean_b[..., None])[..., 0]
    return Similarity(rotation=rotation, translation=translation, scale=np.where(total > 0, scale, np.nan))


def _checked(points_a: ArrayLike, points_b: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Broadcast everything; points that do not count become 0 with weight 0."""
    a, b = np.asarray(points_a, dtype=np.float64), np.asarray(points_b, dtype=np.float64)
    if a.shape[-1:] != (3,) or b.shape[-1:] != (3,) or a.shape[-2:] != b.shape[-2:] or min(a.ndim, b.ndim) < 2:
        raise InputError(f"both point sets must be (..., N, 3) with the same N, got {a.shape} and {b.shape}")
    if np.isinf(a).any() or np.isinf(b).any():
        raise InputError("the points hold an infinite coordinate")
    w = np.ones(a.shape[-2]) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape[-1:] != a.shape[-2:-1] or not (np.isfinite(w) & (w >= 0)).all():
        raise InputError(f"weights must be (..., {a.shape[-2]}), finite and at least 0")
    try:
        batch = np.broadcast_shapes(a.shape[:-1], b.shape[:-1], w.shape)
    except ValueError as error:
        raise InputError(f"the batches do not fit together: {a.shape}, {b.shape}, weights {w.shape}") from error
    a, b, w = np.broadcast_to(a, (*batch, 3)), np.broadcast_to(b, (*batch, 3)), np.broadcast_to(w, batch)
    counts = np.isfinite(a).all(axis=-1) & np.isfinite(b).all(axis=-1) & (w > 0)
    return (
        np.where(counts[..., None], a, 0.0),
        np.where(counts[..., None], b, 0.0),
        np.where(counts, w, 0.0),
    )
