"""Winograd's minimal filtering: two outputs of a filter of three taps with four products instead of six.

With frames x0 to x3, one dilation apart each, and the taps (matrices) g0, g1, g2:

    m0 = (x0 - x2) g0    m1 = (x1 + x2) (g0 + g1 + g2) / 2    m2 = (x2 - x1) (g0 - g1 + g2) / 2    m3 = (x1 - x3) g2
    y0 = x0 g0 + x1 g1 + x2 g2 = m0 + m1 + m2                 y1 = x1 g0 + x2 g1 + x3 g2 = m1 - m2 - m3

Reference:
    Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016; F(2, 3) there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["minimal_taps"]


def minimal_taps(weight: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """The four matrices of the formulas above, (W, C) each.

    Args:
        weight: (3W, C) the taps one below the other, as they stand for three frames side by side.
    """
    g0, g1, g2 = np.split(weight, 3)
    outer, half = g0 + g2, np.float32(0.5)
    return g0, half * (outer + g1), half * (outer - g1), g2
