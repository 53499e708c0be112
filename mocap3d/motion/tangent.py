"""Small turns: logarithm and exponential of rotation matrices, and their derivatives, for the solver's inner loop.

``base.rotations`` checks what comes in and is exact at every angle; these are the same formulas without the checks, on
(..., 3, 3) arrays that the solver made itself.

Reference:
    Sola, Deray, Atchuthan, "A micro Lie theory for state estimation in robotics", 2018 (SO(3): Jr and its inverse).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.rotations import matrix_to_rotvec, project_to_so3

__all__ = ["exp_so3", "inverse_right_jacobian", "log_so3"]

Floats = NDArray[np.float64]

_NEAR_HALF_TURN = -0.999  # cosine of the angle beyond which the axis is no longer in the skew part


def exp_so3(rotvec: Floats) -> Floats:
    """Turn rotation vectors (..., 3) into matrices (..., 3, 3)."""
    angle = np.sqrt((rotvec * rotvec).sum(axis=-1))[..., None, None]
    skew = _skew(rotvec)
    # sin(a) / a and (1 - cos(a)) / a^2 = sinc(a / 2)^2 / 2; np.sinc(x) is sin(pi x) / (pi x)
    return np.asarray(
        np.eye(3) + np.sinc(angle / np.pi) * skew + (np.sinc(angle / (2 * np.pi)) ** 2 / 2) * (skew @ skew)
    )


def log_so3(matrix: Floats) -> Floats:
    """Turn rotation matrices (..., 3, 3) into rotation vectors (..., 3) no longer than pi."""
    twice_sin = np.stack(
        [
            matrix[..., 2, 1] - matrix[..., 1, 2],
            matrix[..., 0, 2] - matrix[..., 2, 0],
            matrix[..., 1, 0] - matrix[..., 0, 1],
        ],
        axis=-1,
    )
    cos = (matrix[..., 0, 0] + matrix[..., 1, 1] + matrix[..., 2, 2] - 1) / 2
    sin = np.sqrt((twice_sin * twice_sin).sum(axis=-1)) / 2
    angle = np.arctan2(sin, cos)
    rotvec = twice_sin / (2 * np.sinc(angle / np.pi))[..., None].clip(1e-12)
    far = cos < _NEAR_HALF_TURN
    if far.any():
        rotvec[far] = matrix_to_rotvec(project_to_so3(matrix[far]))
    return np.asarray(rotvec)


def inverse_right_jacobian(rotvec: Floats) -> Floats:
    """Differentiate ``log(R exp(d))`` by d at 0, where R = exp(rotvec): (..., 3, 3); transposed, ``log(exp(d) R)``."""
    squared = (rotvec * rotvec).sum(axis=-1)
    angle = np.sqrt(squared)
    half = np.maximum(angle / 2, 1e-4)
    # 1/a^2 - (1 + cos a) / (2 a sin a) = (1 - (a/2) cot(a/2)) / a^2; its value at 0 is 1/12
    factor = np.where(angle < 2e-4, 1 / 12, (1 - half / np.tan(half)) / np.maximum(squared, 1e-8))
    skew = _skew(rotvec)
    return np.asarray(np.eye(3) + skew / 2 + factor[..., None, None] * (skew @ skew))


def _skew(v: Floats) -> Floats:
    matrix = np.zeros((*v.shape, 3))
    matrix[..., 0, 1], matrix[..., 0, 2] = -v[..., 2], v[..., 1]
    matrix[..., 1, 0], matrix[..., 1, 2] = v[..., 2], -v[..., 0]
    matrix[..., 2, 0], matrix[..., 2, 1] = -v[..., 1], v[..., 0]
    return matrix
