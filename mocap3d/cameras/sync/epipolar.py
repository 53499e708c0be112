"""How well two pictures of the same moments fit together, when nothing is known of the cameras.

Pixels of one point in two still cameras fulfil ``b' F a = 0`` with one matrix F for all points and times; at a wrong
offset between the cameras no F does that. Exact for any two pinhole cameras, near or far.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["misfit"]

Floats = NDArray[np.float64]

_ROUNDS: Final = 4
_WILD: Final = 3.0  # distances beyond this many times the typical one lose their say (Cauchy)
_LEAST: Final = 1e-5  # of the size of the points: no detector is that exact


def misfit(a: Floats, b: Floats, weight: Floats) -> float:
    """Measure the mean squared distance from the epipolar lines of the best F; robust.

    Args:
        a: (N, 2) points in one picture, any unit.
        b: (N, 2) the same points in the other.
        weight: (N,) how far each pair counts.

    Returns:
        Mean squared Sampson distance in the unit of the points, wild ones held back; infinite for fewer than 16 pairs.

    Reference:
        Hartley & Zisserman, Multiple View Geometry, 11.2 (normalised 8-point) and 11.4.3 (Sampson distance).
    """
    used = weight > 0
    if used.sum() < 16:
        return float("inf")
    w = weight[used] / weight[used].sum()
    (A, scale_a), (B, scale_b) = _normalised(a[used], w), _normalised(b[used], w)
    rows = (B[:, :, None] * A[:, None, :]).reshape(-1, 9)
    balance = w.copy()
    least, typical, squared = _LEAST**2, 1.0, np.zeros(len(w))
    for _ in range(_ROUNDS):
        F = np.linalg.eigh((rows * balance[:, None]).T @ rows)[1][:, 0].reshape(3, 3)
        along_a, along_b = B @ F, A @ F.T  # (N, 3) epipolar lines
        slope = (along_a[:, :2] ** 2).sum(axis=1) / scale_a**2 + (along_b[:, :2] ** 2).sum(axis=1) / scale_b**2
        squared = (along_b * B).sum(axis=1) ** 2 / np.maximum(slope, 1e-300)
        typical = 2.2 * float(np.median(squared)) + least * (1 / scale_a**2 + 1 / scale_b**2)  # median of chi² with 1
        balance = w / np.maximum(slope, 1e-300) / (1 + squared / (_WILD**2 * typical))
        balance /= balance.sum()
    held = typical * _WILD**2
    return float((w * held * np.log1p(squared / held)).sum()) + least


def _normalised(xy: Floats, w: Floats) -> tuple[Floats, float]:
    """(N, 3) homogeneous points about their middle at a mean distance of about 1, and the scale that did it."""
    middle = w @ xy
    scale = 1 / max(float(np.sqrt(w @ ((xy - middle) ** 2).sum(axis=1))), 1e-12)
    return np.concatenate([(xy - middle) * scale, np.ones((len(xy), 1))], axis=1), scale
