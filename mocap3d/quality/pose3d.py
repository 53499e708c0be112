"""How far predicted joints are from true ones.

Predictions and truth come relative to the root, in the same axes; the root itself is counted, as Human3.6M's protocols
do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.procrustes import align

__all__ = ["joint_errors_m", "mpjpe_m", "p_mpjpe_m", "procrustes_aligned_m"]


def joint_errors_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> NDArray[np.float64]:
    """Distance of each joint from the truth.

    Args:
        predicted_m: (..., J, 3).
        truth_m: (..., J, 3); NaN where there is no truth.

    Returns:
        (..., J) metres; NaN where either is NaN.

    Raises:
        InputError: shapes differ or are not joints in space.
    """
    predicted, truth = np.asarray(predicted_m, np.float64), np.asarray(truth_m, np.float64)
    if predicted.shape != truth.shape or predicted.ndim < 2 or predicted.shape[-1] != 3:
        raise InputError(f"predicted and true joints must both be (..., J, 3), got {predicted.shape} and {truth.shape}")
    return np.asarray(np.linalg.norm(predicted - truth, axis=-1))


def mpjpe_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> float:
    """Mean per-joint position error, metres (Human3.6M's protocol 1 when both are relative to the root).

    Args:
        predicted_m: (..., J, 3).
        truth_m: (..., J, 3); joints that are NaN are left out.
    """
    return float(np.nanmean(joint_errors_m(predicted_m, truth_m)))


def p_mpjpe_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> float:
    """Mean error after the best rotation, translation and scale of every frame, metres (protocol 2).

    Args:
        predicted_m: (..., J, 3) without NaN.
        truth_m: (..., J, 3) without NaN.
    """
    return mpjpe_m(procrustes_aligned_m(predicted_m, truth_m), truth_m)


def procrustes_aligned_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> NDArray[np.float64]:
    """Bring each predicted body as near to the true one as rotation, translation and scale can.

    Args:
        predicted_m: (..., J, 3), J > 1, without NaN.
        truth_m: (..., J, 3) without NaN.

    Returns:
        (..., J, 3) the prediction, moved; never mirrored.

    Raises:
        InputError: shapes differ, or there is a NaN.
    """
    if not np.isfinite(joint_errors_m(predicted_m, truth_m)).all():
        raise InputError("Procrustes alignment needs every joint of both bodies: there are NaN or infinite values")
    return align(truth_m, predicted_m, scaled=True).apply(predicted_m)
