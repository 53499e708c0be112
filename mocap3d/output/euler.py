"""Euler channels <-> quaternions: any list of axes when reading; angles without jumps when writing.

``base.rotations`` has the plain conversions; a file format needs two things more. A reader meets joints with one or two
rotation channels. A writer must choose among the equal triples of angles the one next to the previous frame,
because programs interpolate between keys and people look at curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TAIT_BRYAN_ORDERS", "degrees_to_wxyz", "euler_to_wxyz", "wxyz_to_continuous_euler"]

Floats = NDArray[np.float64]

TAIT_BRYAN_ORDERS: Final = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
"""The orders a BVH is written in: each axis once."""

_STEP_DEG: Final = 360 / 1024  # its multiples are exact in float64
_TABLE_SIN: Final = np.sin(np.deg2rad(np.arange(2048) * (_STEP_DEG / 2)))
_TABLE_COS: Final = np.cos(np.deg2rad(np.arange(2048) * (_STEP_DEG / 2)))
_LARGEST_DEGREES: Final = 1e9
_SHORT_STEP: Final = np.pi / np.sqrt(2)  # half the distance between two triples of one rotation
_LOCKED: Final = 1e-7  # in gimbal lock one of the two half-angle lengths is below this; the error is as small


def euler_to_wxyz(angles_rad: Floats, axes: Sequence[int]) -> Floats:
    """Compose turns about coordinate axes, left to right as a BVH lists them: ``R = R_axes[0] @ R_axes[1] @ ...``.

    Args:
        angles_rad: (..., n).
        axes: n axes, each 0, 1 or 2; none gives the identity.

    Returns:
        (..., 4) unit quaternions.
    """
    half = np.moveaxis(np.asarray(angles_rad), -1, 0) / 2
    return _compose(np.sin(half), np.cos(half), axes)


def degrees_to_wxyz(angles_deg: Floats, axes: Sequence[int]) -> Floats:
    """``euler_to_wxyz`` for degrees (n, ...), angles first; several times as fast, for the millions of a long file.

    Sine and cosine come from a table (2048 angles over two turns) and the addition theorems for what is left, at most
    0.088 degrees of half an angle, for which two terms of each series are exact to the last bit of a float64.
    """
    angles = np.asarray(angles_deg)
    if not np.abs(angles).max(initial=0.0) < _LARGEST_DEGREES:
        return euler_to_wxyz(np.moveaxis(np.deg2rad(np.fmod(angles, 720.0)), 0, -1), axes)
    step = angles * (1 / _STEP_DEG)
    np.rint(step, out=step)
    index = step.astype(np.int64)
    index &= len(_TABLE_SIN) - 1
    step *= _STEP_DEG  # exact
    rest = angles - step
    rest *= np.pi / 360
    squared = rest * rest
    rest_sin = squared * (-1 / 6)
    rest_sin += 1
    rest_sin *= rest
    rest_cos = squared * (1 / 24)  # less 1
    rest_cos -= 0.5
    rest_cos *= squared
    table_sin, table_cos = _TABLE_SIN[index], _TABLE_COS[index]
    sin, cos = table_sin * rest_cos, table_cos * rest_cos
    sin += table_cos * rest_sin
    sin += table_sin
    cos -= table_sin * rest_sin
    cos += table_cos
    return _compose(sin, cos, axes)


def _compose(sin: Floats, cos: Floats, axes: Sequence[int]) -> Floats:
    """Multiply quaternions about coordinate axes, given (n, ...) sines and cosines of the half angles."""
    result = np.zeros((*sin.shape[1:], 4))
    result[..., 0] = 1.0
    if not len(axes):
        return result
    parts: list[Floats | None] = [cos[0], None, None, None]  # None is zero
    parts[1 + axes[0]] = sin[0]
    for s, c, axis in zip(sin[1:], cos[1:], axes[1:], strict=True):
        w, a = parts[0], parts[1 + axis]
        j, k = 1 + (axis + 1) % 3, 1 + (axis + 2) % 3
        b, d = parts[j], parts[k]
        # (w + a i + b j + d k) (c + s i), with i the axis and j, k the next two in cyclic order
        parts[0], parts[1 + axis] = _sum(w, c, a, s, np.subtract), _sum(a, c, w, s, np.add)
        parts[j], parts[k] = _sum(b, c, d, s, np.add), _sum(d, c, b, s, np.subtract)
    for n, part in enumerate(parts):
        if part is not None:
            result[..., n] = part
    return result


def _sum(x: Floats | None, c: Floats, y: Floats | None, s: Floats, add: np.ufunc) -> Floats | None:
    """``x c + y s`` or ``x c - y s``, where None is zero."""
    if y is None:
        return None if x is None else x * c
    product: Floats = y * s
    if x is None:
        return product if add is np.add else np.negative(product, out=product)
    total: Floats = x * c
    return np.asarray(add(total, product, out=total))


def wxyz_to_continuous_euler(wxyz: Floats, order: str, before_rad: Floats | None = None) -> Floats:
    """Find Euler angles without jumps over time.

    Every rotation has two triples (a, b, c) and (a + 180, 180 - b, c + 180), each up to full turns; the one nearest to
    the previous frame is taken. In gimbal lock only a + c or a - c is determined; the other stays as it was.

    Args:
        wxyz: (T, J, 4) unit quaternions.
        order: one of ``TAIT_BRYAN_ORDERS``; intrinsic, ``R = R_order[0] @ R_order[1] @ R_order[2]``.
        before_rad: (J, 3) angles of the frame before, to continue a block; None: the middle starts in -90..90 degrees.

    Returns:
        (T, J, 3) radians in channel order.

    Reference:
        Half sums and differences of the outer angles: Bernardes & Viollet, "Quaternion to Euler angles conversion:
        a direct, general and computationally efficient method", PLoS ONE 17(11), 2022.
    """
    i, j, k = ("XYZ".index(letter) for letter in order)
    sign = 1.0 if (i + 1) % 3 == j else -1.0
    w, x, y = wxyz[..., 0], wxyz[..., 1 + i], wxyz[..., 1 + j]
    z = wxyz[..., 1 + k] if sign > 0 else -wxyz[..., 1 + k]
    # With c' = sign * c:  sin, cos of (a + c') / 2 are (x + z, w + y) / sum_length, those of (a - c') / 2 are
    # (x - z, w - y) / difference_length, and the lengths are cos(b/2) + sin(b/2) and cos(b/2) - sin(b/2).
    held_sum = held_difference = np.zeros(wxyz.shape[1])
    if before_rad is not None:
        held_sum = (before_rad[:, 0] + sign * before_rad[:, 2]) / 2
        held_difference = (before_rad[:, 0] - sign * before_rad[:, 2]) / 2
    half_sum, sum_length = _direction(x + z, w + y, held_sum)
    half_difference, difference_length = _direction(x - z, w - y, held_difference)
    angles = np.empty((*wxyz.shape[:-1], 3))
    np.add(half_sum, half_difference, out=angles[..., 0])
    middle = np.arctan2(sum_length, difference_length)
    middle *= 2
    np.subtract(middle, np.pi / 2, out=angles[..., 1])
    half_sum -= half_difference
    np.multiply(half_sum, sign, out=angles[..., 2])
    return _without_jumps(angles, before_rad)


def _direction(sin: Floats, cos: Floats, held: Floats) -> tuple[Floats, Floats]:
    """Find angle and length of (T, J) vectors; where the length is next to nothing, the angle before is kept."""
    angle = np.arctan2(sin, cos)
    sin *= sin
    cos *= cos
    sin += cos
    length = np.sqrt(sin, out=sin)
    return _hold(angle, length < _LOCKED, held), length


def _hold(values: Floats, unknown: NDArray[np.bool_], before: Floats) -> Floats:
    """Replace unknown values (T, J) by the last known one, or by ``before`` (J) where there is none."""
    if not unknown.any():
        return values
    rows = np.where(unknown, -1, np.arange(len(values))[:, None])
    last_known = np.maximum.accumulate(rows, axis=0)
    held = np.take_along_axis(values, np.maximum(last_known, 0), axis=0)
    return np.where(last_known < 0, before, held)


def _without_jumps(angles: Floats, before: Floats | None) -> Floats:
    """Choose for each frame the equal triple nearest to the frame before; ``angles`` (T, J, 3) are changed in place.

    Two triples of one rotation are at least pi sqrt(2) apart. So a joint whose steps are all shorter than half of that
    needs nothing; most joints do not, in most blocks of frames.
    """
    steps = np.diff(angles, axis=0, prepend=angles[:1] if before is None else before[None])
    lengths = np.einsum("tjk,tjk->tj", steps, steps)
    jumping = np.flatnonzero(lengths.max(axis=0, initial=0.0) >= _SHORT_STEP**2)
    if jumping.size:
        angles[:, jumping] = _nearest(angles[:, jumping], None if before is None else before[jumping])
    return angles


def _nearest(angles: Floats, before: Floats | None) -> Floats:
    """Do what ``_without_jumps`` says for joints that jump."""
    series = angles if before is None else np.concatenate([before[None], angles])
    step = _wrap(np.diff(series, axis=0))
    # To the other triple of the next frame. Between two "other" triples the distance is as between the two first ones,
    # so whether to change over depends on this pair of frames alone, and the choices add up.
    other = np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], axis=-1)
    step_over = _wrap(other[-len(step) :] - series[:-1]) if len(step) else step
    change = np.einsum("...i,...i", step_over, step_over) < np.einsum("...i,...i", step, step)
    swapped = np.zeros(series.shape[:-1], dtype=np.bool_)
    swapped[1:] = np.cumsum(change, axis=0) % 2 == 1
    swapped = swapped[-len(angles) :]
    chosen = np.where(swapped[..., None], other, angles)
    series = chosen if before is None else np.concatenate([before[None], chosen])
    turns = np.zeros(series.shape)
    turns[1:] = np.cumsum(np.rint(np.diff(series, axis=0) / (2 * np.pi)), axis=0)
    result: Floats = (series - 2 * np.pi * turns)[-len(angles) :]
    return result


def _wrap(angles: Floats) -> Floats:
    """Bring angles into -180..180 degrees."""
    result: Floats = angles - 2 * np.pi * np.rint(angles / (2 * np.pi))
    return result
