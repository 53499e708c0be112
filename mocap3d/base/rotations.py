"""Rotations as pure functions ``<from>_to_<to>`` on arrays of any batch shape.

Forms: ``matrix`` (..., 3, 3), ``wxyz`` (..., 4) unit quaternion with the scalar first, ``rotvec`` (..., 3) axis times
angle, Euler angles (..., 3) of any of the twelve intrinsic orders, ``sixd`` (..., 6) the first two columns.
Angles are radians. A rotation acts on column vectors: ``x_a = a_from_b @ x_b``.

Quaternions need not come in at unit length (they are scaled), but never zero; those made here from another form have
``w >= 0``. NaN means "missing" in this project and comes out as NaN; a finite input never becomes NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError

__all__ = [
    "EULER_ORDERS",
    "euler_to_matrix",
    "matrix_to_6d",
    "matrix_to_euler",
    "matrix_to_rotvec",
    "matrix_to_wxyz",
    "project_to_so3",
    "rotation_between",
    "rotvec_to_matrix",
    "rotvec_to_wxyz",
    "sixd_to_matrix",
    "wxyz_angle",
    "wxyz_conjugate",
    "wxyz_continuous",
    "wxyz_heading",
    "wxyz_multiply",
    "wxyz_normalized",
    "wxyz_rotate",
    "wxyz_slerp",
    "wxyz_to_matrix",
    "wxyz_to_rotvec",
]

Floats = NDArray[np.float64]

EULER_ORDERS: Final = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "XYX", "XZX", "YXY", "YZY", "ZXZ", "ZYZ")
"""The Euler orders understood: six of three different axes, six "proper" ones that use the first axis twice."""

_MATRIX_TOLERANCE: Final = 1e-3  # how far R @ R.T may be from 1; float32 networks give 1e-6, a scaled matrix far more
_GIMBAL_LOCK: Final = 1e-9  # |cos| (or |sin|) of the middle angle below which the outer two angles are one


# --- quaternions <-> matrices ---------------------------------------------------------------------------------------


def wxyz_to_matrix(wxyz: ArrayLike) -> Floats:
    """Turn quaternions (..., 4) into rotation matrices (..., 3, 3).

    Raises:
        InputError: not (..., 4), or a quaternion is zero.
    """
    w, x, y, z = np.moveaxis(wxyz_normalized(wxyz), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_wxyz(matrix: ArrayLike) -> Floats:
    """Turn rotation matrices (..., 3, 3) into quaternions (..., 4) with ``w >= 0``.

    Exact to rounding at every angle, 180 degrees included (where ``w`` is 0 and the largest component is positive).

    Raises:
        InputError: not (..., 3, 3), or a matrix is no rotation (scaled, sheared or mirrored).

    Reference:
        Shepperd, "Quaternion from rotation matrix", 1978.
    """
    m = _rotation_matrices(matrix)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    # 4 * outer(q, q). Every row is q times one of its components; the longest row loses no digits.
    rows = (
        (1 + xx + yy + zz, wx, wy, wz),
        (wx, 1 + xx - yy - zz, xy, xz),
        (wy, xy, 1 - xx + yy - zz, yz),
        (wz, xz, yz, 1 - xx - yy + zz),
    )
    outer = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)  # (..., 4, 4)
    longest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(outer, longest[..., None, None], axis=-2)[..., 0, :]
    return _with_positive_w(wxyz_normalized(q))


# --- rotation vectors -----------------------------------------------------------------------------------------------


def rotvec_to_wxyz(rotvec: ArrayLike) -> Floats:
    """Turn rotation vectors (..., 3), axis times angle in radians, into quaternions (..., 4) with ``w >= 0``."""
    v = _last_axis("rotvec", rotvec, 3)
    half = np.linalg.norm(v, axis=-1, keepdims=True) / 2
    # sin(half) / |v|; np.sinc(x) is sin(pi x) / (pi x) and exact at 0, so no special case near the identity.
    return _with_positive_w(np.concatenate([np.cos(half), v * (np.sinc(half / np.pi) / 2)], axis=-1))


def wxyz_to_rotvec(wxyz: ArrayLike) -> Floats:
    """Turn quaternions (..., 4) into rotation vectors (..., 3) no longer than pi."""
    q = _with_positive_w(wxyz_normalized(wxyz))
    sin_half = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sin_half, q[..., :1])  # keeps its digits at 0 and at pi, where arccos and arcsin lose half
    scale: Floats = np.divide(angle, sin_half, out=np.full_like(angle, 2.0), where=sin_half != 0)
    return np.asarray(q[..., 1:] * scale)


def rotvec_to_matrix(rotvec: ArrayLike) -> Floats:
    """Turn rotation vectors (..., 3) in radians into rotation matrices (..., 3, 3) (Rodrigues)."""
    return wxyz_to_matrix(rotvec_to_wxyz(rotvec))


def matrix_to_rotvec(matrix: ArrayLike) -> Floats:
    """Turn rotation matrices (..., 3, 3) into rotation vectors (..., 3) no longer than pi."""
    return wxyz_to_rotvec(matrix_to_wxyz(matrix))


# --- Euler angles ---------------------------------------------------------------------------------------------------


def euler_to_matrix(angles_rad: ArrayLike, order: str) -> Floats:
    """Turn intrinsic Euler angles (..., 3) into matrices (..., 3, 3): "ZXY" is ``R_Z @ R_X @ R_Y``.

    Args:
        angles_rad: one angle for each letter of ``order``, in that order, as BVH lists its channels.
        order: one of ``EULER_ORDERS``.
    """
    axes = _axes_of(order)
    a, b, c = np.moveaxis(_last_axis("angles_rad", angles_rad, 3), -1, 0)
    return _turn_about(axes[0], a) @ _turn_about(axes[1], b) @ _turn_about(axes[2], c)


def matrix_to_euler(matrix: ArrayLike, order: str) -> Floats:
    """Turn matrices (..., 3, 3) into intrinsic Euler angles (..., 3): ``matrix = R_a @ R_b @ R_c`` for order "ABC".

    The outer angles lie in [-pi, pi]; the middle one in [-pi/2, pi/2] for three different axes and in [0, pi] for
    proper orders. At gimbal lock, where the outer two turn about one line, the third angle is 0 and the first takes
    the whole turn. ``euler_to_matrix`` gives the matrix back at the lock too, to 1e-9.
    """
    i, j, last = _axes_of(order)
    k = 3 - i - j
    sign = 1.0 if (j - i) % 3 == 1 else -1.0  # +1 when i, j, k is a right-handed cycle
    m = _rotation_matrices(matrix)
    # Row i of R_i @ R_j @ R_last is row i of R_j @ R_last, where the third angle stands alone beside the middle one.
    if last == i:
        sin_c, cos_c = m[..., i, j], sign * m[..., i, k]
    else:
        sin_c, cos_c = -sign * m[..., i, j], m[..., i, i]
    c = np.where(np.hypot(sin_c, cos_c) < _GIMBAL_LOCK, 0.0, np.arctan2(sin_c, cos_c))
    # Undo the third turn as it was rounded; what remains is R_i @ R_j, so its error does not reach the other angles.
    rest = m @ _turn_about(last, -c)
    a = np.arctan2(sign * rest[..., k, j], rest[..., j, j])
    b = np.arctan2(sign * rest[..., i, k], rest[..., i, i])
    return np.stack([a, b, c], axis=-1)


def _axes_of(order: str) -> tuple[int, int, int]:
    if order not in EULER_ORDERS:
        raise InputError(f"an Euler order is one of {' '.join(EULER_ORDERS)} (upper case, intrinsic); got {order!r}")
    i, j, k = ("XYZ".index(letter) for letter in order)
    return i, j, k


def _turn_about(axis: int, angle_rad: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) about coordinate axis 0, 1 or 2."""
    j, k = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle_rad.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., j, j] = matrix[..., k, k] = np.cos(angle_rad)
    matrix[..., k, j] = np.sin(angle_rad)
    matrix[..., j, k] = -matrix[..., k, j]
    return matrix


# --- 6D -------------------------------------------------------------------------------------------------------------


def matrix_to_6d(matrix: ArrayLike) -> Floats:
    """Keep the first two columns of (..., 3, 3), one after the other: (..., 6).

    Reference:
        Zhou et al., "On the Continuity of Rotation Representations in Neural Networks", CVPR 2019.
    """
    m = _rotation_matrices(matrix)
    return np.concatenate([m[..., :, 0], m[..., :, 1]], axis=-1)


def sixd_to_matrix(sixd: ArrayLike) -> Floats:
    """Complete two columns (..., 6) to rotation matrices (..., 3, 3) by Gram-Schmidt; the first keeps its direction.

    Raises:
        InputError: a column is zero or the two are parallel, so that no rotation is meant.
    """
    six = _last_axis("sixd", sixd, 6)
    x = _unit("the first column of sixd", six[..., :3])
    second = _unit("the second column of sixd", six[..., 3:])
    y = _unit("sixd's second column across the first", second - x * np.sum(x * second, axis=-1, keepdims=True), 1e-8)
    y = _unit("sixd", y - x * np.sum(x * y, axis=-1, keepdims=True))  # twice is enough, also when almost parallel
    return np.stack([x, y, np.cross(x, y)], axis=-1)


# --- quaternion arithmetic ------------------------------------------------------------------------------------------


def wxyz_normalized(wxyz: ArrayLike) -> Floats:
    """Scale quaternions (..., 4) to unit length; the sign stays.

    Raises:
        InputError: not (..., 4), or a quaternion is zero or infinite.
    """
    return _unit("wxyz", _last_axis("wxyz", wxyz, 4))


def wxyz_multiply(a_from_b: ArrayLike, b_from_c: ArrayLike) -> Floats:
    """Compose: ``a_from_c``, the quaternion of ``matrix(a_from_b) @ matrix(b_from_c)``. Batches broadcast."""
    w1, x1, y1, z1 = np.moveaxis(_last_axis("a_from_b", a_from_b, 4), -1, 0)
    w2, x2, y2, z2 = np.moveaxis(_last_axis("b_from_c", b_from_c, 4), -1, 0)
    product = (
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
    )
    return np.stack(product, axis=-1)


def wxyz_conjugate(a_from_b: ArrayLike) -> Floats:
    """Invert unit quaternions (..., 4): ``b_from_a``."""
    return np.asarray(_last_axis("a_from_b", a_from_b, 4) * [1.0, -1.0, -1.0, -1.0])


def wxyz_rotate(a_from_b: ArrayLike, xyz_b: ArrayLike) -> Floats:
    """Turn vectors (..., 3) by quaternions (..., 4): ``xyz_a``. Batches broadcast."""
    q = wxyz_normalized(a_from_b)
    v = _last_axis("xyz_b", xyz_b, 3)
    axis_part = q[..., 1:]
    t = 2 * np.cross(axis_part, v)
    return v + q[..., :1] * t + np.cross(axis_part, t)


def wxyz_angle(a: ArrayLike, b: ArrayLike) -> Floats:
    """Measure the angle (...) in [0, pi] of the turn between two rotations; q and -q are the same rotation."""
    between = wxyz_multiply(wxyz_conjugate(wxyz_normalized(a)), wxyz_normalized(b))
    sin_half = np.linalg.norm(between[..., 1:], axis=-1)
    return np.asarray(2 * np.arctan2(sin_half, np.abs(between[..., 0])))


def wxyz_slerp(a: ArrayLike, b: ArrayLike, fraction: ArrayLike) -> Floats:
    """Turn from ``a`` (fraction 0) to ``b`` (1) at constant speed, the shorter way. Batches broadcast.

    Args:
        a: (..., 4). The result at fraction 0 is ``a``, with its sign.
        b: (..., 4). The result at fraction 1 is the rotation ``b``; its sign may differ.
        fraction: (...); outside 0..1 it extrapolates.
    """
    start = wxyz_normalized(a)
    turn = wxyz_to_rotvec(wxyz_multiply(wxyz_conjugate(start), b))
    partial = turn * np.asarray(fraction, dtype=np.float64)[..., None]
    return wxyz_normalized(wxyz_multiply(start, rotvec_to_wxyz(partial)))


def wxyz_continuous(wxyz: ArrayLike) -> Floats:
    """Choose the sign of each quaternion (T, ..., 4) so that consecutive frames lie on one hemisphere.

    The first frame keeps its sign. Interpolating, filtering or averaging components is only allowed after this.
    """
    q = _last_axis("wxyz", wxyz, 4).copy()
    if q.ndim < 2:
        raise InputError(f"wxyz must be (T, ..., 4) with frames first, got shape {q.shape}")
    flips = np.where(np.sum(q[1:] * q[:-1], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    q[1:] *= np.cumprod(flips, axis=0)
    return q


def wxyz_heading(wxyz: ArrayLike) -> Floats:
    """Keep of rotations (T, 4) the turn about the vertical, +Y (swing-twist), with signs that do not flip over time.

    Upside down, where a rotation has none, the one of the frame before holds (in front of all frames: no turn).
    """
    twist = _last_axis("wxyz", wxyz, 4) * [1.0, 0.0, 1.0, 0.0]
    length = np.linalg.norm(twist, axis=-1)
    known = length > 1e-6
    last = np.maximum.accumulate(np.where(known, np.arange(len(twist)), 0))
    twist = np.where(known[:, None], twist, [1.0, 0.0, 0.0, 0.0]) / np.where(known, length, 1.0)[:, None]
    return wxyz_continuous(twist[last])


# --- finding rotations ----------------------------------------------------------------------------------------------


def rotation_between(a: ArrayLike, b: ArrayLike) -> Floats:
    """Find the shortest rotation that turns the direction of ``a`` into that of ``b``.

    For opposite directions, where every half turn across ``a`` is as short, the axis is across ``a`` and across the
    coordinate axis that ``a`` leans to least.

    Args:
        a: (..., 3), not zero; the length does not matter. Batches broadcast.
        b: (..., 3), likewise.

    Returns:
        wxyz (..., 4).

    Raises:
        InputError: a vector is zero.
    """
    u, v = np.broadcast_arrays(_unit("a", _last_axis("a", a, 3)), _unit("b", _last_axis("b", b, 3)))
    across = np.cross(u, v)
    least = np.eye(3)[np.argmin(np.abs(u), axis=-1)]
    sin = np.linalg.norm(across, axis=-1, keepdims=True)
    axis = np.where(sin < 1e-12, np.cross(u, least), across)
    axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    axis = _unit("axis", axis - u * np.sum(axis * u, axis=-1, keepdims=True))  # near 180 degrees the cross is noisy
    # Half sum and half difference of unit vectors are cos and sin of half the angle, exact at both ends.
    cos_half = np.linalg.norm(u + v, axis=-1, keepdims=True) / 2
    sin_half = np.linalg.norm(u - v, axis=-1, keepdims=True) / 2
    return wxyz_normalized(np.concatenate([cos_half, sin_half * axis], axis=-1))


def project_to_so3(matrix: ArrayLike) -> Floats:
    """Find the rotation nearest (least squares) to each matrix (..., 3, 3); a reflection too becomes a rotation.

    Reference:
        Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991, lemma.
    """
    m = _matrices(matrix)
    known = np.isfinite(m).all(axis=(-2, -1), keepdims=True)
    u, _, vt = np.linalg.svd(np.where(known, m, np.eye(3)))  # LAPACK refuses NaN
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[..., None]  # give up the weakest direction rather than mirror
    return np.where(known, u @ vt, np.nan)


# --- private --------------------------------------------------------------------------------------------------------


def _with_positive_w(wxyz: Floats) -> Floats:
    return np.where(wxyz[..., :1] < 0, -wxyz, wxyz)


def _last_axis(name: str, value: ArrayLike, size: int) -> Floats:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < 1 or array.shape[-1] != size:
        raise InputError(f"{name} must be (..., {size}), got shape {array.shape}")
    return array


def _unit(name: str, vectors: Floats, smallest: float = 0.0) -> Floats:
    """Scale (..., N) to unit length without overflow or underflow; NaN passes, zero and infinity are refused."""
    largest = np.max(np.abs(vectors), axis=-1, keepdims=True, initial=0.0)
    if np.any(largest <= smallest) or np.any(np.isinf(largest)):
        raise InputError(f"{name} is zero (or infinite) and so has no direction")
    scaled = vectors / largest
    return np.asarray(scaled / np.linalg.norm(scaled, axis=-1, keepdims=True))


def _matrices(value: ArrayLike) -> Floats:
    array = np.asarray(value, dtype=np.float64)
    if array.shape[-2:] != (3, 3):
        raise InputError(f"matrix must be (..., 3, 3), got shape {array.shape}")
    return array


def _rotation_matrices(value: ArrayLike) -> Floats:
    m = _matrices(value)
    error = np.abs(m @ np.swapaxes(m, -1, -2) - np.eye(3))
    mirrored = np.sum(np.cross(m[..., 0, :], m[..., 1, :]) * m[..., 2, :], axis=-1) < 0
    if np.any(error > _MATRIX_TOLERANCE) or np.any(mirrored):
        raise InputError("matrix must hold rotations (orthonormal, determinant +1); project_to_so3 finds the nearest")
    return m
