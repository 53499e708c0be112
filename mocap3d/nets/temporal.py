"""The lifter as a torch module: temporal convolutions of three taps, written as linear layers over shifted frames.

Trains; for inference the same arithmetic is in ``lift/temporal.py`` (NumPy) and ``lifter_on_device.py`` (CUDA, bf16).
Shape suffixes: B clips, T frames, F features, C channels, O outputs.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019. The layers are
    the same; a linear layer over concatenated frames is several times faster than ``Conv1d`` on a CPU.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

__all__ = [
    "Block",
    "Layer",
    "TemporalLifter",
    "tap_count",
    "taps",
    "taps_of_windows",
]


class Layer(nn.Module):
    """Linear, batch normalisation over all frames, ReLU, dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs, momentum=0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTF: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, outputs)."""
        batch, frames, _ = x_BTF.shape
        y_NC = self.norm(self.linear(x_BTF.reshape(batch * frames, -1)))
        y_BTC: Tensor = self.dropout(torch.relu_(y_NC)).view(batch, frames, -1)
        return y_BTC

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (inputs, outputs) and bias (outputs) that do the same as linear and normalisation in inference."""
        if self.norm.running_mean is None or self.norm.running_var is None:
            raise RuntimeError("the normalisation keeps no statistics")
        gain = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        return self.linear.weight.T * gain, self.norm.bias - self.norm.running_mean * gain

    def unfold(self, weight: Tensor, bias: Tensor) -> None:
        """Take over what `folded` gave: a normalisation that only adds the bias."""
        if self.norm.running_mean is None or self.norm.running_var is None:
            raise RuntimeError("the normalisation keeps no statistics")
        self.linear.weight.copy_(weight.T)
        self.norm.weight.fill_(1)
        self.norm.bias.copy_(bias)
        self.norm.running_mean.zero_()
        self.norm.running_var.fill_(1 - self.norm.eps)


class Block(nn.Module):
    """Three taps ``dilation`` frames apart, then one frame at a time; what came in is added."""

    def __init__(self, channels: int, dilation: int, causal: bool, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.lifted_tap = 2 if causal else 1
        self.wide = Layer(tap_count(dilation) * channels, channels, dropout)
        self.point = Layer(channels, channels, dropout)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T - 2 dilation, C)."""
        y_BTC: Tensor = self.point(self.wide(taps(x_BTC, self.dilation)))
        skipped = self.lifted_tap * self.dilation
        return x_BTC[:, skipped : skipped + y_BTC.shape[1]] + y_BTC

    def one_in_three(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T / 3, C): the same where frames already stand one dilation apart."""
        if not self.dilation:
            return self.forward(x_BTC)
        y_BTC: Tensor = self.point(self.wide(taps_of_windows(x_BTC)))
        return x_BTC[:, self.lifted_tap :: 3] + y_BTC


class TemporalLifter(nn.Module):
    """Features of 2D joints over time -> numbers about the frame that is lifted (``lift/outputs.py`` names them).

    Args:
        inputs: features per frame.
        outputs: numbers that come out per frame.
        channels: width of the hidden layers.
        dilations: of the first layer and of each block; (1, 3, 9) sees 27 frames. A layer of dilation 0 has one tap:
            (0, 0, 0) sees one frame.
        causal: whether the last frame of a window is the one that is lifted (else the middle one).
        direct: whether the lifted frame's own features also reach the outputs by a matrix of their own: where a joint
            is seen says most of where it is, and need not be squeezed through every layer.
        dropout: in training.

    Attributes:
        margins: frames that a window holds before and after the frame it lifts.
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        channels: int,
        dilations: tuple[int, ...],
        causal: bool,
        direct: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        first, *rest = dilations
        span = 2 * sum(dilations)
        self.margins = (span, 0) if causal else (span // 2, span // 2)
        self.lifted_tap = 2 if causal else 1
        self.first_dilation = first
        self.expand = Layer(tap_count(first) * inputs, channels, dropout)
        self.blocks = nn.ModuleList(Block(channels, d, causal, dropout) for d in rest)
        self.shrink = nn.Linear(channels, outputs)
        self.direct = nn.Linear(inputs, outputs, bias=False) if direct else None
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.mean: Tensor
        self.spread: Tensor

    @torch.no_grad()
    def standardise(self, features: Tensor) -> None:
        """Learn mean and spread of the features (..., F), so that all of them count alike from the first step."""
        flat = features.flatten(0, -2)
        self.mean.copy_(flat.mean(dim=0))
        self.spread.copy_(flat.std(dim=0) + 1e-2)

    def set_momentum(self, momentum: float) -> None:
        """How quickly the normalisations follow what they see."""
        for _, layer in self._layers():
            layer.norm.momentum = momentum

    def statistics(self) -> list[Tensor]:
        """Running means and variances of the normalisations, to be changed in place."""
        return [tensor for name, tensor in self.named_buffers() if name.endswith(("running_mean", "running_var"))]

    def forward(self, features_BTF: Tensor) -> Tensor:
        """(B, T, F) -> (B, T - (window - 1), outputs): only frames whose whole window is there."""
        features_BTF = (features_BTF - self.mean) / self.spread
        x_BTC = self.expand(taps(features_BTF, self.first_dilation))
        for block in self.blocks:
            x_BTC = block(x_BTC)
        return self._out(x_BTC, features_BTF)

    def one_output(self, windows_BTF: Tensor) -> Tensor:
        """Windows (B, window, F) -> (B, 1, outputs), without the frames that reach no output.

        In inference equal to `forward`; in training the normalisation sees only what is used. Needs dilations
        1, 3, 9, ... (the strided form of VideoPose3D). Windows of a third of the length skip the last block: a network
        can begin to learn with them, at a third of the cost.
        """
        spread = [d for d in (self.first_dilation, *(block.dilation for block in self._each_block())) if d]
        if spread != [3**i for i in range(len(spread))]:
            raise ValueError(f"one_output needs the dilations 1, 3, 9, ..., not {spread}")
        windows_BTF = (windows_BTF - self.mean) / self.spread
        x_BTC = self.expand(taps_of_windows(windows_BTF) if self.first_dilation else windows_BTF)
        for block in self._each_block():
            if block.dilation < windows_BTF.shape[1]:
                x_BTC = block.one_in_three(x_BTC)
        return self._out(x_BTC, windows_BTF)

    def without_last_block(self) -> TemporalLifter:
        """The same network, sharing its weights, as windows of a third of the length see it."""
        shorter = copy.copy(self)
        shorter._modules = {**self._modules, "blocks": self.blocks[:-1]}
        before, after = self.margins
        shorter.margins = (before // 3, after // 3)
        return shorter

    def _out(self, x_BTC: Tensor, features_BTF: Tensor) -> Tensor:
        outputs_BTO: Tensor = self.shrink(x_BTC)
        if self.direct is not None:
            first = self.lifted_tap * (features_BTF.shape[1] - x_BTC.shape[1]) // 2
            outputs_BTO = outputs_BTO + self.direct(features_BTF[:, first : first + x_BTC.shape[1]])
        return outputs_BTO

    def folded_arrays(self) -> dict[str, Tensor]:
        """Weights and biases of inference by the names of ``lift/lifter_weights.py``."""
        arrays = {"shrink.weight": self.shrink.weight.T, "shrink.bias": self.shrink.bias}
        for name, layer in self._layers():
            arrays[f"{name}.weight"], arrays[f"{name}.bias"] = layer.folded()
        taps_of_mean = self.mean.repeat(len(arrays["expand.weight"]) // len(self.mean))
        arrays["expand.weight"] = (
            arrays["expand.weight"] / self.spread.repeat(len(taps_of_mean) // len(self.mean))[:, None]
        )
        arrays["expand.bias"] = arrays["expand.bias"] - taps_of_mean @ arrays["expand.weight"]
        if self.direct is not None:
            arrays["direct.weight"] = self.direct.weight.T / self.spread[:, None]
            arrays["shrink.bias"] = arrays["shrink.bias"] - self.mean @ arrays["direct.weight"]
        return {name: array.detach().float().cpu().contiguous() for name, array in arrays.items()}

    @torch.no_grad()
    def load_folded_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Take over what `folded_arrays` gave; for inference (``eval()``) only."""
        self.mean.zero_()
        self.spread.fill_(1)
        self.shrink.weight.copy_(arrays["shrink.weight"].T)
        self.shrink.bias.copy_(arrays["shrink.bias"])
        for name, layer in self._layers():
            layer.unfold(arrays[f"{name}.weight"], arrays[f"{name}.bias"])
        if self.direct is not None:
            self.direct.weight.copy_(arrays["direct.weight"].T)

    def _each_block(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _layers(self) -> list[tuple[str, Layer]]:
        named = [(name.removeprefix("blocks."), module) for name, module in self.named_modules()]
        return [
            (f"block{name}" if name != "expand" else name, module)
            for name, module in named
            if isinstance(module, Layer)
        ]


def tap_count(dilation: int) -> int:
    """How many frames a layer looks at: three, or one if they would be the same."""
    return 3 if dilation else 1


def taps(x_BTC: Tensor, dilation: int) -> Tensor:
    """Each frame beside those one and two dilations later: (B, T, C) -> (B, T - 2 dilation, 3C); as it is for 0."""
    if not dilation:
        return x_BTC
    last = x_BTC.shape[1] - 2 * dilation
    return torch.cat([x_BTC[:, tap * dilation : tap * dilation + last] for tap in range(3)], dim=-1)


def taps_of_windows(x_BTC: Tensor) -> Tensor:
    """Three frames that follow each other side by side, each used once: (B, T, C) -> (B, T / 3, 3C)."""
    batch, frames, channels = x_BTC.shape
    return x_BTC.reshape(batch, frames // 3, 3 * channels)
