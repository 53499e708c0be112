"""Points that are missing for no reason, so that a lifter depends on none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["drop_points"]

_MOST = 0.5
_BRIDGED = 0.5  # of the clips: as capture does (`identify.repair.fill_gaps`), others bring gaps as they are


def drop_points(
    rng: np.random.Generator, rays: NDArray[np.floating], confidence: NDArray[np.floating], share: float
) -> None:
    """Lose points at random, in place.

    Args:
        rng: source of randomness.
        rays: (B, T, J, 3); lost ones become NaN, or in half of the clips lie on the line between those around them.
        confidence: (B, T, J); 0 there.
        share: of the clips that lose any. Each of those loses each point of each frame with one probability, which is
            drawn from 0 to 0.5.
    """
    if not share:
        return
    probability = np.where(rng.random(len(rays)) < share, rng.uniform(0, _MOST, len(rays)), 0)
    lost = rng.random(confidence.shape) < probability[:, None, None]
    confidence[lost] = 0
    bridged = lost & (rng.random(len(rays)) < _BRIDGED)[:, None, None]
    rays[lost] = np.where(bridged[lost][:, None], _between_neighbours(rays, lost)[lost], np.nan)


def _between_neighbours(rays: NDArray[np.floating], lost: NDArray[np.bool_]) -> NDArray[np.floating]:
    """(B, T, J, 3) on the straight line between the last and the next ray that is not lost; NaN if one is not there."""
    frames = np.arange(rays.shape[1])[:, None]
    before = np.maximum.accumulate(np.where(lost, -1, frames), axis=1)
    after = np.minimum.accumulate(np.where(lost, len(frames), frames)[:, ::-1], axis=1)[:, ::-1]
    outside = (before < 0) | (after == len(frames))
    first, last = (
        np.take_along_axis(rays, chosen.clip(0, len(frames) - 1)[..., None], axis=1) for chosen in (before, after)
    )
    part = ((frames - before) / np.maximum(after - before, 1))[..., None].astype(rays.dtype)
    return np.where(outside[..., None], np.nan, first + part * (last - first))
