"""Rays of one frame rate at another, and joints back again, in time only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

__all__ = [
    "at_rate",
    "back_to_frames",
    "between",
]

_NEAREST = 0.5  # of a frame, between the last two: were it less, noise between them would be a steep slope


def at_rate(
    rays: NDArray[np.float64], confidence: NDArray[np.float64], ratio: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Resample rays linearly to another frame rate; the first frame stays the first.

    Args:
        rays: (T, J, 3), NaN where not seen.
        confidence: (T, J).
        ratio: old frame rate / new frame rate.

    Returns:
        Rays (N, J, 3) and confidence (N, J), N the fewest frames that reach the last old one. Between a known and an
        unknown ray the nearer of the two decides; confidence is 0 unless the ray that was used had some.
    """
    last = len(rays) - 1
    at: NDArray[np.float64] = np.minimum(np.arange(math.ceil(last / ratio - 1e-9) + 1) * ratio, last)
    before = np.minimum(at.astype(np.int64), max(last - 1, 0))
    after = np.minimum(before + 1, last)
    part: NDArray[np.float64] = (at - before)[:, None]
    return between((rays[before], confidence[before]), (rays[after], confidence[after]), part)


def between(
    before: tuple[NDArray[np.float64], NDArray[np.float64]],
    after: tuple[NDArray[np.float64], NDArray[np.float64]],
    part: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rays and confidence at a time between two frames, by the rule of `at_rate`.

    Args:
        before: rays (..., J, 3) and confidence (..., J) of the earlier frame.
        after: those of the later one.
        part: how far from one to the other, 0 to 1; broadcasts against confidence.
    """
    (rays_before, confidence_before), (rays_after, confidence_after) = before, after
    nearer = np.asarray(part) < 0.5
    both = np.asarray(np.isfinite(rays_before).all(axis=-1) & np.isfinite(rays_after).all(axis=-1))
    seen = both & (confidence_before > 0) & (confidence_after > 0)
    share = np.where(both, part, 0.0)
    mixed = rays_before * (1 - share)[..., None] + rays_after * share[..., None]
    mixed_confidence = confidence_before * (1 - part) + confidence_after * part
    return (
        np.where(both[..., None], mixed, np.where(nearer[..., None], rays_before, rays_after)),
        np.where(seen, mixed_confidence, np.where(nearer, confidence_before, confidence_after)),
    )


def back_to_frames(xyz_m: NDArray[np.float64], frames: int, ratio: float) -> NDArray[np.float64]:
    """Joints of the new frame rate at the old frames, by cubic splines.

    Args:
        xyz_m: (N, J, 3) at the rate that `at_rate` resampled to.
        frames: T, the old number of frames.
        ratio: old frame rate / new frame rate.

    Returns:
        (T, J, 3).
    """
    if len(xyz_m) == 1:
        return np.repeat(xyz_m, frames, axis=0)
    # `at_rate` holds its last frame at the end of the clip, which may come before a whole step.
    at = np.minimum(np.arange(len(xyz_m)), (frames - 1) / ratio)
    if len(at) > 2 and at[-1] - at[-2] < _NEAREST:
        at, xyz_m = np.delete(at, -2), np.delete(xyz_m, -2, axis=0)
    spline = CubicSpline(at, xyz_m, axis=0, bc_type="natural")
    return np.asarray(spline(np.arange(frames) / ratio))
