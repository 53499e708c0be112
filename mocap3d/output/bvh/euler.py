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

__all__ = ["TAIT_BRYAN_ORDERS", "euler_to_wxyz", "wxyz_to_continuous_euler"]

Floats = NDArray[np.float64]

TAIT_BRYAN_ORDERS: Final = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
"""The orders a BVH is written in: each axis once."""

_LOCKED: Final = 1e-7  # in gimbal lock one of the two half-angle lengths is below this; the error is as small


def euler_to_wxyz(angles_rad: Floats, axes: Sequence[int]) -> Floats:
    """Compose turns about coordinate axes, left to right as a BVH lists them: ``R = R_axes[0] @ R_axes[1] @ ...``.

    Args:
        angles_rad: (..., n).
        axes: n axes, each 0, 1 or 2; none gives the identity.

    Returns:
        (..., 4) unit quaternions.
    """
    wxyz = np.zeros((4, *angles_rad.shape[:-1]))
    wxyz[0] = 1.0
    for n, axis in enumerate(axes):
        half = angles_rad[..., n] / 2
        c, s = np.cos(half), np.sin(half)
        w, a = wxyz[0], wxyz[1 + axis]
        b, d = wxyz[1 + (axis + 1) % 3], wxyz[1 + (axis + 2) % 3]
        # (w + a i + b j + d k) (c + s i), with i the axis and j, k the next two in cyclic order
        turned = (w * c - a * s, a * c + w * s, b * c + d * s, d * c - b * s)
        for place, value in zip((0, 1 + axis, 1 + (axis + 1) % 3, 1 + (axis + 2) % 3), turned, strict=True):
            wxyz[place] = value
    return np.moveaxis(wxyz, 0, -1)


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
    w, x, y, z = wxyz[..., 0], wxyz[..., 1 + i], wxyz[..., 1 + j], sign * wxyz[..., 1 + k]
    # With c' = sign * c:  sin, cos of (a + c') / 2 are (x + z, w + y) / sum_length, those of (a - c') / 2 are
    # (x - z, w - y) / difference_length, and the lengths are cos(b/2) + sin(b/2) and cos(b/2) - sin(b/2).
    sum_length, difference_length = np.hypot(x + z, w + y), np.hypot(x - z, w - y)
    half_sum = np.arctan2(x + z, w + y)
    half_difference = np.arctan2(x - z, w - y)
    held_sum = held_difference = np.zeros(wxyz.shape[1])
    if before_rad is not None:
        held_sum = (before_rad[:, 0] + sign * before_rad[:, 2]) / 2
        held_difference = (before_rad[:, 0] - sign * before_rad[:, 2]) / 2
    half_sum = _hold(half_sum, sum_length < _LOCKED, held_sum)
    half_difference = _hold(half_difference, difference_length < _LOCKED, held_difference)
    middle = 2 * np.arctan2(sum_length, difference_length) - np.pi / 2
    angles = np.stack([half_sum + half_difference, middle, sign * (half_sum - half_difference)], axis=-1)
    return _without_jumps(angles, before_rad)


def _hold(values: Floats, unknown: NDArray[np.bool_], before: Floats) -> Floats:
    """Replace unknown values (T, J) by the last known one, or by ``before`` (J) where there is none."""
    if not unknown.any():
        return values
    rows = np.where(unknown, -1, np.arange(len(values))[:, None])
    last_known = np.maximum.accumulate(rows, axis=0)
    held = np.take_along_axis(values, np.maximum(last_known, 0), axis=0)
    return np.where(last_known < 0, before, held)


def _without_jumps(angles: Floats, before: Floats | None) -> Floats:
    """Choose for each frame the equal triple nearest to the frame before."""
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
