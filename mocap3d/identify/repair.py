"""2D joints of one person over time: those that jumped away are taken out, short gaps are bridged.

In this order: ``fill_gaps(reject_outliers(drop_unsure(pose2d)))``. Everything is measured in seconds and body heights,
so that it means the same at 24 and at 240 frames/s.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.identify.body_size import height_px

__all__ = ["drop_unsure", "fill_gaps", "reject_outliers"]

_FASTEST = 9.0  # body heights per second
_USUAL_S = 0.15  # seconds to either side over which the usual step is taken


def drop_unsure(pose2d: Pose2D, *, least: float = 0.2) -> Pose2D:
    """Take out joints that the detector only guessed: they become "not seen".

    MoveNet puts a joint somewhere even when the picture ends above it. On legs below the picture's edge its
    confidence stays under 0.17, on joints that are there it is above 0.2 in 99 frames of 100.

    Args:
        pose2d: one person.
        least: confidence below which a joint counts as a guess.
    """
    guessed = pose2d.confidence < least
    return replace(
        pose2d,
        xy_px=np.where(guessed[..., None], np.nan, pose2d.xy_px),
        confidence=np.where(guessed, 0.0, pose2d.confidence),
    )


def reject_outliers(pose2d: Pose2D, *, longest_s: float = 0.1, floor: float = 0.06) -> Pose2D:
    """Take out joints that jump away for a moment and come back: they become "not seen".

    A step from one frame to the next is a jump when it is longer than ``floor`` plus three times the usual step of
    that joint around that time, or than ``floor`` plus what 9 body heights per second allow (15 m/s; a kick reaches
    10). What lies between two jumps is taken out when it lasts ``longest_s`` at most and the joint is afterwards back
    where it could have come to without them. A fast limb makes long steps before and after, so a kick stays.

    Args:
        pose2d: one person.
        longest_s: what stays away for longer is believed, seconds; at least one frame.
        floor: a step that is never a jump, in body heights.

    Raises:
        InputError: a setting that is not above 0.
    """
    for name, value in (("longest_s", longest_s), ("floor", floor)):
        if not value > 0:
            raise InputError(f"{name} must be above 0, got {value}")
    fps = float(pose2d.fps)
    xy_px, confidence = pose2d.xy_px.copy(), pose2d.confidence.copy()
    height = _steady_height_px(pose2d)
    away = np.zeros(confidence.shape, dtype=bool)
    for j in range(len(pose2d.skeleton)):
        seen = np.flatnonzero(confidence[:, j] > 0)
        if len(seen) >= 3:
            limits = _Limits(floor * height[seen], _FASTEST / fps * height[seen], max(1, round(longest_s * fps)))
            away[seen, j] = _is_away(xy_px[seen, j], seen, max(3, round(_USUAL_S * fps)), limits)
    xy_px[away], confidence[away] = np.nan, 0.0
    return replace(pose2d, xy_px=xy_px, confidence=confidence)


def fill_gaps(pose2d: Pose2D, *, max_gap_s: float = 0.25) -> Pose2D:
    """Bridge short gaps of each joint on a straight line; what is filled in is finite and has confidence 0.

    Longer gaps, and what lies before the first or after the last sight of a joint, stay NaN.

    Args:
        pose2d: one person.
        max_gap_s: the longest gap that is bridged, seconds from the last frame seen to the next, less one frame.

    Raises:
        InputError: ``max_gap_s`` is negative.
    """
    if not max_gap_s >= 0:
        raise InputError(f"max_gap_s must be 0 or more, got {max_gap_s}")
    longest = max_gap_s * float(pose2d.fps) + 1e-9
    xy_px = pose2d.xy_px.copy()
    for j in range(len(pose2d.skeleton)):
        known = np.flatnonzero(np.isfinite(xy_px[:, j]).all(axis=1))
        for before, after in pairwise(known):
            if 0 < after - before - 1 <= longest:
                xy_px[before : after + 1, j] = np.linspace(xy_px[before, j], xy_px[after, j], after - before + 1)
    return replace(pose2d, xy_px=xy_px)


class _Limits(NamedTuple):
    """How far one joint may step."""

    floor_px: NDArray[np.float64]  # (N,) never a jump
    fastest_px: NDArray[np.float64]  # (N,) per frame
    longest: int  # frames


def _is_away(
    xy_px: NDArray[np.float64], frames: NDArray[np.intp], half_window: int, limits: _Limits
) -> NDArray[np.bool_]:
    """(N,) whether a joint, seen at (N, 2) in N frames, is away from where it belongs."""
    elapsed = np.diff(frames)
    steps = np.linalg.norm(np.diff(xy_px, axis=0), axis=1)
    usual = median_filter(steps / elapsed, size=2 * half_window + 1, mode="nearest")  # pixels per frame
    allowed = limits.floor_px[1:] + elapsed * np.minimum(3 * usual, limits.fastest_px[1:])
    jumps = np.flatnonzero(steps > allowed)  # jump k leads from k to k + 1
    away = np.zeros(len(xy_px), dtype=bool)
    for leaving, returning in pairwise(jumps):
        before, after = leaving, returning + 1
        if away[before] or frames[returning] - frames[leaving] > limits.longest:
            continue
        apart = np.linalg.norm(xy_px[after] - xy_px[before])
        way = 1.5 * usual[leaving:after].max() * (frames[after] - frames[before]) + limits.floor_px[after]
        if apart <= max(way, 0.5 * min(steps[leaving], steps[returning])):
            away[leaving + 1 : after] = True
    return away


def _steady_height_px(pose2d: Pose2D) -> NDArray[np.float64]:
    """(T,) stature in the picture, without the swing of steps; infinite where nobody was ever seen."""
    heights = height_px(pose2d.xy_px, pose2d.confidence)
    known = np.flatnonzero(np.isfinite(heights))
    if not len(known):
        return np.full(len(pose2d), np.inf)
    every = np.interp(np.arange(len(pose2d)), known, heights[known])
    return np.asarray(median_filter(every, size=2 * round(float(pose2d.fps) / 2) + 1, mode="nearest"))
