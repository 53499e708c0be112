"""How tall a person is in the picture, from whatever joints are seen: the yardstick of this room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["height_px"]

_HEIGHTS_PER_SPREAD = 3.3
"""Stature over the root mean square distance of the COCO-17 joints from their mean, for a person who stands."""


def height_px(xy_px: NDArray[np.float64], confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the stature in pixels; a person who bends or is half hidden comes out smaller.

    Args:
        xy_px: (..., J, 2) joints; NaN where not seen.
        confidence: (..., J) weights.

    Returns:
        (...) pixels; NaN where fewer than two joints are seen.
    """
    seen = np.isfinite(xy_px).all(axis=-1) & (confidence > 0)
    weight = np.where(seen, confidence, 0.0)[..., None]
    total = np.maximum(weight.sum(axis=-2), 1e-12)
    points = np.where(seen[..., None], xy_px, 0.0)
    mean = (weight * points).sum(axis=-2) / total
    square = (weight * (points - mean[..., None, :]) ** 2).sum(axis=-2) / total
    spread = np.sqrt(square.sum(axis=-1))
    return np.asarray(np.where((seen.sum(axis=-1) >= 2) & (spread > 0), spread * _HEIGHTS_PER_SPREAD, np.nan))
