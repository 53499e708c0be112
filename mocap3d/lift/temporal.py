"""The lifter's forward pass in NumPy: a temporal convolution is a few matrix products over shifted frames.

The twin of ``nets/temporal.py`` (torch), which trains it; tests hold the two equal. A clip of any length, a piece of it
or a single frame all go the same way: `LifterFlow` takes new frames and remembers, layer by layer, the frames that the
taps still look back at. So nothing is computed twice, memory does not grow with the clip, and live use
(``streaming.py``) is the same arithmetic. The products themselves are in ``tap_products.py``. Shape suffixes: N new
frames, F features, C channels, O outputs.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mocap3d.lift.lifter_weights import LifterWeights
from mocap3d.lift.tap_products import TapProducts

__all__ = [
    "LifterFlow",
    "margins",
    "run_lifter",
]

_FRAMES_AT_ONCE = 2048  # bounds the memory: about 100 MB at 1024 channels; with fewer, threads wait for each other

_Frames = NDArray[np.float32]


def run_lifter(weights: LifterWeights, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Lift a whole clip; the first and last frame are repeated beyond its ends.

    Args:
        weights: the lifter.
        features: (T, F) from ``encoding.encode``, T > 0.

    Returns:
        (T, outputs) numbers about each frame; ``outputs.read_outputs`` says which.
    """
    frames, after = len(features), margins(weights)[1]
    flow = LifterFlow(weights, at_once=_piece(frames + after, 2 * max(weights.meta.dilations)))
    outputs_TO = np.empty((frames, weights.meta.outputs), np.float32)
    for start in range(0, frames + after, flow.at_once):
        stop = min(start + flow.at_once, frames + after)
        piece_NF = features[np.arange(start, stop).clip(max=frames - 1)]
        outputs_TO[max(start - after, 0) : max(stop - after, 0)] = flow.push(piece_NF)[max(after - start, 0) :]
    return outputs_TO


def _piece(frames: int, pair: int) -> int:
    """Into pieces of how many frames a clip is cut: about alike, and where that is easy whole pairs of dilations."""
    pieces = math.ceil(frames / _FRAMES_AT_ONCE)
    even = math.ceil(frames / pieces)
    return math.ceil(even / pair) * pair if pieces > 1 and 0 < pair <= even else even


def margins(weights: LifterWeights) -> tuple[int, int]:
    """Frames that the window holds before and after the frame it lifts."""
    span = weights.meta.window - 1
    return (span, 0) if weights.meta.causal else (span // 2, span // 2)


class LifterFlow:
    """A lifter on its way along a clip, the frame before the first being the first itself.

    Args:
        weights: the lifter.
        at_once: the most frames that come at once.

    Attributes:
        at_once: as above.
    """

    def __init__(self, weights: LifterWeights, *, at_once: int) -> None:
        self.at_once = at_once
        self._weights = weights
        meta = weights.meta
        first, *rest = meta.dilations
        self._features = _Past(max(2 * first, margins(weights)[1]), meta.inputs, at_once)
        self._hidden = [_Past(2 * dilation, meta.channels, at_once) for dilation in (*rest, 0)]
        self._products = TapProducts(weights, at_once=at_once)
        self._wide: _Frames = np.empty((at_once, meta.channels), np.float32)
        self._point: _Frames = np.empty((at_once, meta.channels), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one is the first of a clip."""
        self._empty = True

    def push(self, features_NF: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take the next frames.

        Args:
            features_NF: (N, F), N from 1 to ``at_once``.

        Returns:
            (N, O) about the frames that came `margins` [1] frames earlier: what they need has come only now. About
            frames before the first the numbers mean nothing.
        """
        count, meta = len(features_NF), self._weights.meta
        first, *rest = meta.dilations
        self._features.room(count)[:] = features_NF
        window_NF = self._features.latest(count, hold=self._empty)
        self._layer("expand", window_NF, first, self._hidden[0].room(count))
        for i, dilation in enumerate(rest):
            x_NC = self._hidden[i].latest(count, hold=self._empty)
            y_NC = self._layer(f"block{i}.wide", x_NC, dilation, self._wide[:count])
            y_NC = self._layer(f"block{i}.point", y_NC, 0, self._point[:count])
            kept = dilation * (2 if meta.causal else 1)
            np.add(x_NC[kept : kept + count], y_NC, out=self._hidden[i + 1].room(count))
        self._empty = False
        arrays = self._weights.arrays
        outputs_NO: _Frames = self._hidden[-1].latest(count) @ arrays["shrink.weight"]
        outputs_NO += arrays["shrink.bias"]
        if meta.direct:
            lifted = len(window_NF) - count - margins(self._weights)[1]
            outputs_NO += window_NF[lifted : lifted + count] @ arrays["direct.weight"]
        return outputs_NO

    def _layer(self, name: str, x: _Frames, dilation: int, out: _Frames) -> _Frames:
        """Taps, matrix, bias, ReLU."""
        self._products(name, x, dilation, out)
        out += self._weights.arrays[f"{name}.bias"]
        return np.maximum(out, 0, out=out)


class _Past:
    """The frames that came into a layer, as far back as its taps look, and room for new ones behind them.

    They lie in one array and move to its front only when its end is reached.
    """

    def __init__(self, kept: int, width: int, at_once: int) -> None:
        self._kept = kept
        self._rows: _Frames = np.empty((kept + max(kept, at_once), width), np.float32)
        self._end = kept

    def room(self, count: int) -> _Frames:
        """Rows for ``count`` new frames, to be written at once."""
        if self._end + count > len(self._rows):
            self._rows[: self._kept] = self._rows[self._end - self._kept : self._end]
            self._end = self._kept
        self._end += count
        return self._rows[self._end - count : self._end]

    def latest(self, count: int, *, hold: bool = False) -> _Frames:
        """The newest frames after those that are kept: (kept + count, width).

        Args:
            count: how many have been written last.
            hold: whether the first of them also stands for all that came before.
        """
        first = self._end - count
        if hold:
            self._rows[first - self._kept : first] = self._rows[first]
        return self._rows[first - self._kept : self._end]
