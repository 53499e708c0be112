"""A lifter fed frame by frame, for live use: every layer remembers what it still needs, so nothing is computed twice.

`StreamingLifter` is the network alone, features in and numbers out; `LiveLifter` (``live.py``) goes from pixels to
joints. `multiply_adds` says what each way to live output costs per frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights, array_shapes
from mocap3d.lift.temporal import LifterFlow, margins

__all__ = [
    "MultiplyAdds",
    "StreamingLifter",
    "multiply_adds",
]


class StreamingLifter:
    """One frame in, one out, as `temporal.run_lifter` would say it about the whole clip.

    A causal lifter answers at once. One that also looks ahead answers ``delay`` frames later; `flush` brings the rest
    when the clip is over.

    Args:
        weights: the lifter.

    Attributes:
        delay: frames that come in before the first goes out.
    """

    def __init__(self, weights: LifterWeights) -> None:
        self.delay = margins(weights)[1]
        self._flow = LifterFlow(weights, at_once=1)
        self._inputs = weights.meta.inputs
        self.reset()

    def reset(self) -> None:
        """Forget everything, outputs that are still to come included: the next frame is the first of a shot."""
        self._flow.reset()
        self._last: NDArray[np.floating] | None = None
        self._taken = 0

    def push(self, features: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """Take the next frame.

        Args:
            features: (F,) of ``encoding.encode``.

        Returns:
            (O,) about the frame that came ``delay`` frames earlier; None before there is one.

        Raises:
            InputError: another number of features than the lifter takes.
        """
        if np.shape(features) != (self._inputs,):
            raise InputError(f"a frame has {self._inputs} features for this lifter, got shape {np.shape(features)}")
        self._last = np.array(features)
        self._taken += 1
        output: NDArray[np.float32] = self._flow.push(self._last[None])[0]
        return output if self._taken > self.delay else None

    def flush(self) -> list[NDArray[np.float32]]:
        """End the clip, its last frame standing for all that would follow, and forget it.

        Returns:
            The outputs (O,) that are still to come, `delay` of them or as many as frames went in if these were fewer.
        """
        outputs = [] if self._last is None else [self.push(self._last) for _ in range(self.delay)]
        self.reset()
        return [output for output in outputs if output is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplyAdds:
    """Multiplications (each with its addition) that one output frame costs; bias and ReLU are not counted.

    Attributes:
        streaming: with what earlier frames left behind.
        strided: the window anew, only what reaches the output.
        dilated: the window anew as a clip is lifted: every layer at every frame that it has all taps for.
    """

    streaming: int
    strided: int
    dilated: int


def multiply_adds(meta: LifterMeta) -> MultiplyAdds:
    """Count what a lifter computes per frame, each of the three ways."""
    sizes = {name: math.prod(shape) for name, shape in array_shapes(meta).items() if name.endswith(".weight")}
    once = sizes["shrink.weight"] + sizes.get("direct.weight", 0)
    streaming = strided = dilated = once
    reaching, span = {0}, 1  # frames that a layer must put out, and how many there are between the first and the last
    for i, dilation in reversed(list(enumerate(meta.dilations))):
        layer = "expand." if i == 0 else f"block{i - 1}."
        size = sum(sizes[name] for name in sizes if name.startswith(layer))
        streaming += size
        strided += size * len(reaching)
        dilated += size * span
        reaching = {frame + tap * dilation for frame in reaching for tap in range(3)}
        span += 2 * dilation
    return MultiplyAdds(streaming=streaming, strided=strided, dilated=dilated)
