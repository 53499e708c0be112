"""The matrix products of the lifter's layers, in NumPy: three taps for many frames cost those of two.

Three taps are one matrix over three frames side by side; pairs of outputs go by the formulas of
``base/minimal_filter.py``. Sums are cheap beside products of a thousand channels, and rounding stays that of float32.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.minimal_filter import minimal_taps
from mocap3d.lift.lifter_weights import LifterWeights

__all__ = ["TapProducts"]

_Frames = NDArray[np.float32]

_WORTH_IT = 192  # frames at once from which preparing the matrices pays
_prepared: WeakKeyDictionary[LifterWeights, dict[str, tuple[_Frames, ...]]] = WeakKeyDictionary()  # as long as it lives


class TapProducts:
    """Frames times the matrix of a layer, with the memory that this takes.

    Args:
        weights: the lifter.
        at_once: the most frames that come out at once.
    """

    def __init__(self, weights: LifterWeights, *, at_once: int) -> None:
        meta, self._arrays = weights.meta, weights.arrays
        self._scratch: _Frames = np.empty(at_once * 3 * max(meta.inputs, meta.channels), np.float32)
        self._minimal: dict[str, tuple[_Frames, ...]] = {}
        if at_once >= _WORTH_IT:
            self._minimal = _minimal(weights)
            self._products: _Frames = np.empty((4, at_once // 2, meta.channels), np.float32)

    def __call__(self, name: str, x: _Frames, dilation: int, out: _Frames) -> None:
        """Multiply the newest frames, and those one and two dilations before each of them, oldest first.

        Args:
            name: of the layer.
            x: (2 dilation + N or more, width), oldest first.
            dilation: 0 for a layer of one tap.
            out: (N, C), where the products go.
        """
        x = x[len(x) - len(out) - 2 * dilation :]
        whole = len(out) // (2 * dilation) * 2 * dilation if name in self._minimal else 0
        if whole:
            self._in_pairs(name, x[: whole + 2 * dilation], dilation, out[:whole])
        if whole < len(out):
            beside = self._side_by_side(x[whole:], dilation)
            np.matmul(beside, self._arrays[f"{name}.weight"], out=out[whole:])

    def _side_by_side(self, x: _Frames, dilation: int) -> _Frames:
        """Each frame beside those one and two dilations later: (T, W) -> (T - 2 dilation, 3W); as it is for 0."""
        if not dilation:
            return x
        count, width = len(x) - 2 * dilation, x.shape[1]
        beside = self._scratch[: count * 3 * width].reshape(count, 3, width)
        for tap in range(3):
            beside[:, tap] = x[tap * dilation : tap * dilation + count]
        return beside.reshape(count, 3 * width)

    def _in_pairs(self, name: str, x: _Frames, dilation: int, out: _Frames) -> None:
        """Two outputs at a time, by minimal filtering; ``out`` holds whole pairs of ``dilation`` frames."""
        half, width = len(out) // 2, x.shape[1]
        frames = x.reshape(-1, 2, dilation, width)
        x0, x1, x2, x3 = frames[:-1, 0], frames[:-1, 1], frames[1:, 0], frames[1:, 1]
        sums = self._scratch[: 4 * half * width].reshape(4, *x0.shape)
        np.subtract(x0, x2, out=sums[0])
        np.add(x1, x2, out=sums[1])
        np.subtract(x2, x1, out=sums[2])
        np.subtract(x1, x3, out=sums[3])
        for n, matrix in enumerate(self._minimal[name]):
            np.matmul(sums[n].reshape(half, width), matrix, out=self._products[n, :half])
        m0, m1, m2, m3 = self._products[:, :half].reshape(4, *x0.shape[:2], -1)
        y = out.reshape(-1, 2, dilation, out.shape[1])
        np.add(m1, m2, out=y[:, 0])
        y[:, 0] += m0
        np.subtract(m1, m2, out=y[:, 1])
        y[:, 1] -= m3


def _minimal(weights: LifterWeights) -> dict[str, tuple[_Frames, ...]]:
    """The matrices of minimal filtering, by the name of the layer; made once."""
    if weights not in _prepared:
        wide = [f"block{i}.wide" for i, dilation in enumerate(weights.meta.dilations[1:]) if dilation]
        _prepared[weights] = {name: minimal_taps(weights.arrays[f"{name}.weight"]) for name in wide}
    return _prepared[weights]
