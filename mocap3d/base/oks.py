"""Object keypoint similarity: how much two sets of 2D joints look like the same person, 0 to 1.

COCO's measure, used to tell people apart while detecting and to score detectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError

__all__ = ["COCO_SIGMAS", "oks"]

COCO_SIGMAS: tuple[float, ...] = (
    0.026, 0.025, 0.025, 0.035, 0.035,  # nose, eyes, ears
    0.079, 0.079, 0.072, 0.072, 0.062, 0.062,  # shoulders, elbows, wrists
    0.107, 0.107, 0.087, 0.087, 0.089, 0.089,  # hips, knees, ankles
)  # fmt: skip
"""Spread of human annotators per COCO-17 joint over the square root of the person's area (pycocotools, cocoeval.py)."""


def oks(
    xy_a_px: ArrayLike,
    xy_b_px: ArrayLike,
    area_px2: ArrayLike,
    sigmas: ArrayLike = COCO_SIGMAS,
    *,
    visible: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Compare joints: the mean over the joints of exp(-d² / (2 area (2 sigma)²)).

    Args:
        xy_a_px: (..., J, 2) joints; leading axes broadcast against those of ``xy_b_px``.
        xy_b_px: (..., J, 2) joints.
        area_px2: (...) area of the person; COCO takes that of the true outline.
        sigmas: (J,) spread per joint.
        visible: (..., J) joints that count; all by default.

    Returns:
        (...) similarity, 0 where no joint counts. A joint that is NaN on either side scores 0 and still counts.

    Raises:
        InputError: shapes that do not fit, or an area or sigma that is not above 0.

    Reference:
        https://cocodataset.org/#keypoints-eval
    """
    a, b = np.asarray(xy_a_px, dtype=np.float64), np.asarray(xy_b_px, dtype=np.float64)
    area, sigma = np.asarray(area_px2, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
    if a.shape[-2:] != b.shape[-2:] or a.shape[-2:] != (len(sigma), 2):
        raise InputError(f"joints must have shape (..., {len(sigma)}, 2), got {a.shape} and {b.shape}")
    if not (area > 0).all() or not (sigma > 0).all():
        raise InputError("every area and sigma must be above 0")
    squared = ((a - b) ** 2).sum(axis=-1)
    alike = np.nan_to_num(np.exp(-squared / (2 * area[..., None] * (2 * sigma) ** 2)))
    counts = np.ones(alike.shape) if visible is None else np.broadcast_to(visible, alike.shape).astype(np.float64)
    return np.asarray((alike * counts).sum(axis=-1) / np.maximum(counts.sum(axis=-1), 1))
