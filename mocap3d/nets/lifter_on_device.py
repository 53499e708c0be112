"""The lifter's forward pass in torch, for CUDA and for bf16: weights folded, clips of any length in pieces.

The twin of ``lift/temporal.py`` (NumPy) for inference; ``temporal.py`` beside this file is the module that trains.
Shape suffixes: T frames, F features, C channels, O outputs.

In bf16 the hidden layers, where nearly all the work is, multiply numbers of 8 bits of mantissa and add in float32. The
first and the last layer stay in float32: joints in metres have more digits than bf16, and these layers cost nothing.

On a CPU three taps for many frames cost four products instead of six, by the formulas of ``base/minimal_filter.py``; in
bf16 their sums round once more, which costs some tenths of a millimetre (``benchmarks/lifter_infer.py`` says how many).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mocap3d.base.minimal_filter import minimal_taps
from mocap3d.nets.temporal import taps

__all__ = [
    "FoldedLifter",
    "Precision",
    "run_on_device",
]

Precision = Literal["float32", "bf16"]

_FRAMES_AT_ONCE = 4096  # bounds the memory: about 150 MB at 1024 channels and float32
_WORTH_IT = 192  # frames at once from which pairs of outputs pay
_HIDDEN = {"float32": torch.float32, "bf16": torch.bfloat16}


class FoldedLifter:
    """A lifter with its normalisations folded in, on a torch device.

    Args:
        arrays: folded weights by the names of ``lift/lifter_weights.py``.
        dilations: as in `temporal.TemporalLifter`.
        causal: as in `temporal.TemporalLifter`.
        device: "cpu", "cuda", "cuda:1".
        precision: of the hidden layers.

    Attributes:
        margins: frames that a window holds before and after the frame it lifts.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        *,
        dilations: tuple[int, ...],
        causal: bool,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        span = 2 * sum(dilations)
        self.margins = (span, 0) if causal else (span // 2, span // 2)
        self._dilations = dilations
        self._lifted_tap = 2 if causal else 1
        self._hidden = _HIDDEN[precision]
        # As torch's linear layers have them: (outputs, inputs).
        self._arrays = {
            name: torch.from_numpy(np.ascontiguousarray(array.T))
            .to(self._hidden if name.startswith("block") else torch.float32)
            .to(device)
            for name, array in arrays.items()
        }
        wide = [f"block{i}.wide" for i, dilation in enumerate(dilations[1:]) if dilation and device == "cpu"]
        self._minimal = {
            name: [
                torch.from_numpy(matrix.T.copy()).to(self._hidden) for matrix in minimal_taps(arrays[f"{name}.weight"])
            ]
            for name in wide
        }

    @torch.inference_mode()
    def __call__(self, features_TF: Tensor) -> Tensor:
        """(T, F) -> (T - (window - 1), O), float32: only frames whose whole window is there."""
        first, *rest = self._dilations
        x_TC = self._layer("expand", _beside(features_TF, first)).to(self._hidden)
        for i, dilation in enumerate(rest):
            y_TC = self._wide(f"block{i}.wide", x_TC, dilation)
            y_TC = self._layer(f"block{i}.point", y_TC)
            skipped = self._lifted_tap * dilation
            x_TC = y_TC.add_(x_TC[skipped : skipped + len(y_TC)])
        outputs_TO = functional.linear(x_TC.float(), self._arrays["shrink.weight"], self._arrays["shrink.bias"])
        if "direct.weight" in self._arrays:
            before = self.margins[0]
            outputs_TO += functional.linear(features_TF[before : before + len(x_TC)], self._arrays["direct.weight"])
        return outputs_TO

    def _wide(self, name: str, x_TC: Tensor, dilation: int) -> Tensor:
        """Three taps, matrix, bias, ReLU: (T, C) -> (T - 2 dilation, C); in pairs of outputs as far as that pays."""
        count = len(x_TC) - 2 * dilation
        whole = count // (2 * dilation) * 2 * dilation if name in self._minimal and count >= _WORTH_IT else 0
        if not whole:
            return self._layer(name, _beside(x_TC, dilation))
        y_TC = torch.empty(count, x_TC.shape[1], dtype=x_TC.dtype)
        self._in_pairs(name, x_TC[: whole + 2 * dilation], dilation, y_TC[:whole])
        if whole < count:
            y_TC[whole:] = self._layer(name, _beside(x_TC[whole:], dilation))
        return y_TC

    def _in_pairs(self, name: str, x_TC: Tensor, dilation: int, y_TC: Tensor) -> None:
        """Whole pairs of ``dilation`` outputs, by minimal filtering; the bias comes in with m1."""
        frames = x_TC.view(-1, 2, dilation, x_TC.shape[1])
        x0, x1, x2, x3 = frames[:-1, 0], frames[:-1, 1], frames[1:, 0], frames[1:, 1]
        sums, bias = (x0 - x2, x1 + x2, x2 - x1, x1 - x3), self._arrays[f"{name}.bias"]
        m0, m1, m2, m3 = (
            functional.linear(some.flatten(0, 1), matrix, bias if n == 1 else None).view_as(x0)
            for n, (some, matrix) in enumerate(zip(sums, self._minimal[name], strict=True))
        )
        y = y_TC.view(-1, 2, dilation, y_TC.shape[1])
        torch.add(m0.add_(m1), m2, out=y[:, 0])
        torch.sub(m1.sub_(m2), m3, out=y[:, 1])
        y_TC.relu_()

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self._arrays[f"{name}.weight"], self._arrays[f"{name}.bias"]).relu_()


def run_on_device(
    arrays: Mapping[str, NDArray[np.float32]],
    features: NDArray[np.floating],
    *,
    dilations: tuple[int, ...],
    causal: bool,
    device: str,
    precision: Precision = "float32",
) -> NDArray[np.float32]:
    """Lift a whole clip on a torch device; the first and last frame are repeated beyond its ends.

    Args:
        arrays: folded weights by the names of ``lift/lifter_weights.py``.
        features: (T, F), T > 0.
        dilations: as in `temporal.TemporalLifter`.
        causal: as in `temporal.TemporalLifter`.
        device: "cpu", "cuda", "cuda:1".
        precision: of the hidden layers; "bf16" is about twice as fast and moves joints by a fraction of a millimetre.

    Returns:
        (T, outputs), float32.
    """
    lifter = FoldedLifter(arrays, dilations=dilations, causal=causal, device=device, precision=precision)
    before, after = lifter.margins
    last = len(features) - 1
    pieces = []
    for start in range(0, len(features), _FRAMES_AT_ONCE):
        stop = min(start + _FRAMES_AT_ONCE, len(features))
        window = features[np.arange(start - before, stop + after).clip(0, last)]
        pieces.append(lifter(torch.from_numpy(window.astype(np.float32)).to(device)).cpu().numpy())
    outputs: NDArray[np.float32] = np.concatenate(pieces)
    return outputs


def _beside(x_TC: Tensor, dilation: int) -> Tensor:
    return taps(x_TC[None], dilation)[0]
