"""What each camera saw, brought onto one clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D

__all__ = ["synchronised"]

Floats = NDArray[np.float64]

_SAME = 1e-3  # of a frame; nearer than this, it is that frame


def synchronised(
    poses: Sequence[Pose2D | None], offsets_s: ArrayLike, *, fps: Fraction | None = None, least: int = 2
) -> tuple[tuple[Pose2D | None, ...], float]:
    """Resample what C cameras saw of one person to common moments.

    Between two frames a joint is where the cubic through its four neighbours says, or the straight line between two
    where the others are missing; next to a frame in which it is missing, it is missing.

    Args:
        poses: one per camera, frame 0 of each at its own start; None for a camera that did not see the person.
        offsets_s: (C,) when frame 0 of each camera was taken (``Sync.offsets_s``); NaN leaves a camera out.
        fps: the common rate; the highest of the cameras when None.
        least: from the first to the last moment at which so many cameras were filming.

    Returns:
        The poses, all of the same length and rate, and the moment of their frame 0 on the clock of the offsets.

    Raises:
        InputError: other numbers of offsets than cameras, or never ``least`` cameras at one time.
    """
    offsets = np.asarray(offsets_s, np.float64)
    if offsets.shape != (len(poses),):
        raise InputError(f"offsets_s must be one number for each of {len(poses)} cameras, got {offsets.shape}")
    known = [(pose, o) for pose, o in zip(poses, offsets, strict=True) if pose is not None and len(pose) and o == o]
    starts = sorted(o for _, o in known)
    ends = sorted((o + (len(pose) - 1) / float(pose.fps) for pose, o in known), reverse=True)
    if len(known) < least or starts[least - 1] > ends[least - 1]:
        raise InputError(f"there is no moment at which {least} cameras were filming: check the offsets")
    rate = max(pose.fps for pose, _ in known) if fps is None else fps
    first = starts[least - 1]
    moments = first + np.arange(int((ends[least - 1] - first) * float(rate) + _SAME) + 1) / float(rate)
    return tuple(
        None if pose is None or o != o else _at(pose, (moments - o) * float(pose.fps), rate)
        for pose, o in zip(poses, offsets, strict=True)
    ), float(first)


def _at(pose: Pose2D, at: Floats, fps: Fraction) -> Pose2D:
    """The pose at frames ``at`` (fractions allowed)."""
    last = len(pose) - 1
    nearest = np.rint(at)
    at = np.where(np.abs(at - nearest) < _SAME, nearest, at)
    inside = (at >= 0) & (at <= last)
    before = np.clip(np.floor(at), 0, last).astype(np.int64)
    part = np.clip(at - before, 0.0, 1.0)[:, None]
    after = np.minimum(before + (part[:, 0] > 0), last)
    around = [pose.xy_px[np.clip(before + n, 0, last)] for n in (-1, 0, 1, 2)]
    p = part[..., None]
    straight = pose.xy_px[before] * (1 - p) + pose.xy_px[after] * p
    curve = around[1] + 0.5 * p * (  # Catmull and Rom 1974
        around[2] - around[0]
        + p * (2 * around[0] - 5 * around[1] + 4 * around[2] - around[3]
               + p * (3 * (around[1] - around[2]) + around[3] - around[0]))
    )  # fmt: skip
    inner = ((before >= 1) & (before + 2 <= last) & (part[:, 0] > 0))[:, None, None]
    xy_px = np.where(inner & np.isfinite(curve), curve, straight)
    xy_px = np.where(inside[:, None, None], xy_px, np.nan)
    confidence = np.minimum(pose.confidence[before], pose.confidence[after])
    confidence = np.where(np.isfinite(xy_px).all(axis=-1), confidence, 0.0)
    return replace(pose, xy_px=xy_px, confidence=confidence, fps=fps)
