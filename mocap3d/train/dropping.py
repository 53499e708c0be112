"""Points that are missing for no reason, so that a lifter depends on none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["drop_points"]

_MOST = 0.5


def drop_points(
    rng: np.random.Generator, rays: NDArray[np.floating], confidence: NDArray[np.floating], share: float
) -> None:
    """Lose points at random, in place.

    Args:
        rng: source of randomness.
        rays: (B, T, J, 3); lost ones become NaN.
        confidence: (B, T, J); 0 there.
        share: of the clips that lose any. Each of those loses each point of each frame with one probability, which is
            drawn from 0 to 0.5.
    """
    if not share:
        return
    probability = np.where(rng.random(len(rays)) < share, rng.uniform(0, _MOST, len(rays)), 0)
    lost = rng.random(confidence.shape) < probability[:, None, None]
    rays[lost] = np.nan
    confidence[lost] = 0
