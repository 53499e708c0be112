"""The lifter's forward pass in NumPy: a temporal convolution is a few matrix products over shifted frames.

The twin of ``nets/temporal.py`` (torch), which trains it and runs it on CUDA; tests hold the two equal.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.lift.lifter_weights import LifterWeights

__all__ = [
    "margins",
    "run_lifter",
]

_FRAMES_AT_ONCE = 2048  # bounds the memory of a long clip: about 60 MB


def run_lifter(weights: LifterWeights, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Lift a whole clip; the first and last frame are repeated beyond its ends.

    Args:
        weights: the lifter.
        features: (T, F) from ``encoding.encode``, T > 0.

    Returns:
        (T, outputs) numbers about each frame; ``outputs.read_outputs`` says which.
    """
    before, after = margins(weights)
    padded = np.pad(features.astype(np.float32), ((before, after), (0, 0)), mode="edge")
    starts = range(0, len(features), _FRAMES_AT_ONCE)
    return np.concatenate([_valid(weights, padded[t : t + _FRAMES_AT_ONCE + before + after]) for t in starts])


def margins(weights: LifterWeights) -> tuple[int, int]:
    """Frames that a window holds before and after the frame it lifts."""
    span = weights.meta.window - 1
    return (span, 0) if weights.meta.causal else (span // 2, span // 2)


def _valid(weights: LifterWeights, features_TF: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every output whose window lies inside the features: T frames give T - (window - 1)."""
    first, *rest = weights.meta.dilations
    x_TC = _layer(weights, "expand", _taps(features_TF, first))
    for i, dilation in enumerate(rest):
        y_TC = _layer(weights, f"block{i}.wide", _taps(x_TC, dilation))
        y_TC = _layer(weights, f"block{i}.point", y_TC)
        skipped = 2 * dilation if weights.meta.causal else dilation
        x_TC = x_TC[skipped : skipped + len(y_TC)] + y_TC
    outputs_TO = x_TC @ weights.arrays["shrink.weight"] + weights.arrays["shrink.bias"]
    if weights.meta.direct:
        before = margins(weights)[0]
        outputs_TO += features_TF[before : before + len(x_TC)] @ weights.arrays["direct.weight"]
    return outputs_TO


def _taps(x_TC: NDArray[np.float32], dilation: int) -> NDArray[np.float32]:
    """Each frame beside those one and two dilations later: (T, C) -> (T - 2 dilation, 3C); as it is for 0."""
    if not dilation:
        return x_TC
    last = len(x_TC) - 2 * dilation
    return np.concatenate([x_TC[tap * dilation : tap * dilation + last] for tap in range(3)], axis=1)


def _layer(weights: LifterWeights, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    product = x @ weights.arrays[f"{name}.weight"] + weights.arrays[f"{name}.bias"]
    rectified: NDArray[np.float32] = np.maximum(product, 0, out=product)
    return rectified
