"""How well two pictures of the same moments fit together, when nothing is known of the cameras.

Pixels of one point in two still cameras fulfil ``b' F a = 0`` with one matrix F for all points and times; at a wrong
offset between the cameras no F does that. Exact for any two pinhole cameras, near or far.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["fundamental", "misfit"]

Floats = NDArray[np.float64]

_ROUNDS: Final = 4
_WILD: Final = 3.0  # distances beyond this many times the typical one lose their say (Cauchy)
_LEAST: Final = 1e-5  # of the size of the points: no detector is that exact


def misfit(a: Floats, b: Floats, weight: Floats, F: Floats | None = None) -> float:
    """Measure the mean squared distance from the epipolar lines of the best F, or of a known one; robust.

    Args:
        a: (N, 2) points in one picture, any unit.
        b: (N, 2) the same points in the other.
        weight: (N,) how far each pair counts.
        F: (3, 3) of these units, where the cameras are known.

    Returns:
        Mean squared Sampson distance in the unit of the points, wild ones held back; infinite for fewer than 16 pairs.

    Reference:
        Hartley & Zisserman, Multiple View Geometry, 11.2 (normalised 8-point) and 11.4.3 (Sampson distance).
    """
    used = weight > 0
    if used.sum() < 16:
        return float("inf")
    w = weight[used] / weight[used].sum()
    if F is not None:
        squared, _ = _sampson(F, _homogeneous(a[used]), _homogeneous(b[used]), 1.0, 1.0)
        return _held(squared, w)
    (A, scale_a), (B, scale_b) = _normalised(a[used], w), _normalised(b[used], w)
    rows = (B[:, :, None] * A[:, None, :]).reshape(-1, 9)
    balance, squared = w.copy(), np.zeros(len(w))
    for _ in range(_ROUNDS):
        best = np.linalg.eigh((rows * balance[:, None]).T @ rows)[1][:, 0].reshape(3, 3)
        squared, slope = _sampson(best, A, B, scale_a, scale_b)
        balance = w / slope / (1 + squared / (_WILD**2 * _typical(squared)))
        balance /= balance.sum()
    return _held(squared, w)


def fundamental(K_a: Floats, K_b: Floats, b_from_a: Floats) -> Floats:
    """The F of two known cameras, for pixels that no lens bends.

    Args:
        K_a: (3, 3) of the first camera.
        K_b: (3, 3) of the second.
        b_from_a: (4, 4) from the first camera's frame to the second's.
    """
    x, y, z = b_from_a[:3, 3]
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0.0]])
    return np.asarray(np.linalg.inv(K_b).T @ across @ b_from_a[:3, :3] @ np.linalg.inv(K_a))


def _sampson(F: Floats, A: Floats, B: Floats, scale_a: float, scale_b: float) -> tuple[Floats, Floats]:
    """(N,) squared distances of homogeneous points in the unit before scaling, and the slopes they are over."""
    along_a, along_b = B @ F, A @ F.T  # (N, 3) epipolar lines
    slope = (along_a[:, :2] ** 2).sum(axis=1) * scale_a**2 + (along_b[:, :2] ** 2).sum(axis=1) * scale_b**2
    slope = np.maximum(slope, 1e-300)
    return (along_b * B).sum(axis=1) ** 2 / slope, slope


def _typical(squared: Floats) -> float:
    return 2.2 * float(np.median(squared)) + _LEAST**2  # median of chi² with 1


def _held(squared: Floats, w: Floats) -> float:
    """The mean, wild ones held back."""
    held = _typical(squared) * _WILD**2
    return float((w * held * np.log1p(squared / held)).sum()) + _LEAST**2


def _homogeneous(xy: Floats) -> Floats:
    return np.concatenate([xy, np.ones((len(xy), 1))], axis=1)


def _normalised(xy: Floats, w: Floats) -> tuple[Floats, float]:
    """(N, 3) homogeneous points about their middle at a mean distance of about 1, and the scale that did it."""
    middle = w @ xy
    scale = 1 / max(float(np.sqrt(w @ ((xy - middle) ** 2).sum(axis=1))), 1e-12)
    return np.concatenate([(xy - middle) * scale, np.ones((len(xy), 1))], axis=1), scale
