"""Points that are missing for no reason, so that a lifter depends on none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["drop_points"]

_MOST = 0.5
_LASTING = 0.4  # of the clips: what is lost stays lost for a while
_LONGEST_FRAMES = 40
_BRIDGED = 0.5  # of the others: as capture does (`identify.repair.fill_gaps`), others bring gaps as they are


def drop_points(
    rng: np.random.Generator, rays: NDArray[np.floating], confidence: NDArray[np.floating], share: float
) -> None:
    """Lose points at random, in place.

    Args:
        rng: source of randomness.
        rays: (B, T, J, 3); lost ones become NaN, or in some of the clips lie on the line between those around them.
        confidence: (B, T, J); 0 there.
        share: of the clips that lose any. Each of those loses each point with one probability, which is drawn from 0 to
            0.5: in each frame anew, or for stretches of frames, of one length for each clip, which are never bridged.
    """
    if not share:
        return
    clips, frames = rays.shape[:2]
    probability = np.where(rng.random(clips) < share, rng.uniform(0, _MOST, clips), 0)
    lasting, over_gaps = rng.random((2, clips)) < [[_LASTING], [_BRIDGED]]
    length: NDArray[np.int64] = np.where(lasting, rng.integers(2, _LONGEST_FRAMES + 1, size=clips), 1)
    stretch = (np.arange(frames) + (rng.random(clips) * length).astype(np.int64)[:, None]) // length[:, None]
    chance = np.take_along_axis(rng.random((clips, frames + 1, rays.shape[2])), stretch[..., None], axis=1)
    lost = chance < probability[:, None, None]
    confidence[lost] = 0
    bridged = lost & (over_gaps & ~lasting)[:, None, None]
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
