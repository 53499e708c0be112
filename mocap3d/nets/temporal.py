"""The lifter as a torch module: temporal convolutions of three taps, written as linear layers over shifted frames.

Trains, and runs on CUDA unchanged; ``lift/temporal.py`` is the same arithmetic in NumPy. Shape suffixes: B clips,
T frames, F features, C channels, J joints.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019. The layers are
    the same; a linear layer over concatenated frames is several times faster than ``Conv1d`` on a CPU.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = [
    "Block",
    "Layer",
    "TemporalLifter",
    "run_on_device",
    "taps",
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
        y_BTC: Tensor = self.dropout(torch.relu(y_NC)).view(batch, frames, -1)
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

    def __init__(self, channels: int, dilation: int, skipped: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.skipped = skipped
        self.wide = Layer(3 * channels, channels, dropout)
        self.point = Layer(channels, channels, dropout)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T - 2 dilation, C)."""
        y_BTC: Tensor = self.point(self.wide(taps(x_BTC, self.dilation)))
        return x_BTC[:, self.skipped : self.skipped + y_BTC.shape[1]] + y_BTC


class TemporalLifter(nn.Module):
    """Features of 2D joints over time -> joints in metres around the root.

    Args:
        inputs: features per frame.
        joints: joints that come out; the first is the root, always at the origin.
        channels: width of the hidden layers.
        dilations: of the first layer and of each block; (1, 3, 9) sees 27 frames.
        causal: whether the last frame of a window is the one that is lifted (else the middle one).
        dropout: in training.

    Attributes:
        margins: frames that a window holds before and after the frame it lifts.
    """

    def __init__(
        self, *, inputs: int, joints: int, channels: int, dilations: tuple[int, ...], causal: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        first, *rest = dilations
        span = 2 * sum(dilations)
        self.margins = (span, 0) if causal else (span // 2, span // 2)
        self.first_dilation = first
        self.expand = Layer(3 * inputs, channels, dropout)
        self.blocks = nn.ModuleList(Block(channels, d, 2 * d if causal else d, dropout) for d in rest)
        self.shrink = nn.Linear(channels, 3 * (joints - 1))

    def forward(self, features_BTF: Tensor) -> Tensor:
        """(B, T, F) -> (B, T - (window - 1), J, 3): only frames whose whole window is there."""
        x_BTC = self.expand(taps(features_BTF, self.first_dilation))
        for block in self.blocks:
            x_BTC = block(x_BTC)
        xyz_BTJ3 = self.shrink(x_BTC).unflatten(-1, (-1, 3))
        return torch.cat([torch.zeros_like(xyz_BTJ3[:, :, :1]), xyz_BTJ3], dim=2)

    def folded_arrays(self) -> dict[str, Tensor]:
        """Weights and biases of inference by the names of ``lift/lifter_weights.py``."""
        arrays = {"shrink.weight": self.shrink.weight.T, "shrink.bias": self.shrink.bias}
        for name, layer in self._layers():
            arrays[f"{name}.weight"], arrays[f"{name}.bias"] = layer.folded()
        return {name: array.detach().float().cpu().contiguous() for name, array in arrays.items()}

    @torch.no_grad()
    def load_folded_arrays(self, arrays: dict[str, Tensor]) -> None:
        """Take over what `folded_arrays` gave; for inference (``eval()``) only."""
        self.shrink.weight.copy_(arrays["shrink.weight"].T)
        self.shrink.bias.copy_(arrays["shrink.bias"])
        for name, layer in self._layers():
            layer.unfold(arrays[f"{name}.weight"], arrays[f"{name}.bias"])

    def _layers(self) -> list[tuple[str, Layer]]:
        named = [(name.removeprefix("blocks."), module) for name, module in self.named_modules()]
        return [
            (f"block{name}" if name != "expand" else name, module)
            for name, module in named
            if isinstance(module, Layer)
        ]


def taps(x_BTC: Tensor, dilation: int) -> Tensor:
    """Each frame beside those one and two dilations later: (B, T, C) -> (B, T - 2 dilation, 3C)."""
    last = x_BTC.shape[1] - 2 * dilation
    return torch.cat([x_BTC[:, tap * dilation : tap * dilation + last] for tap in range(3)], dim=-1)


@torch.inference_mode()
def run_on_device(
    arrays: dict[str, NDArray[np.float32]],
    features: NDArray[np.floating],
    *,
    dilations: tuple[int, ...],
    causal: bool,
    device: str,
) -> NDArray[np.float32]:
    """Lift a whole clip on a torch device; the first and last frame are repeated beyond its ends.

    Args:
        arrays: folded weights by the names of ``lift/lifter_weights.py``.
        features: (T, F).
        dilations: as in `TemporalLifter`.
        causal: as in `TemporalLifter`.
        device: "cpu", "cuda", "cuda:1".

    Returns:
        (T, J, 3) metres around the root.
    """
    joints = len(arrays["shrink.bias"]) // 3 + 1
    lifter = TemporalLifter(
        inputs=features.shape[1], joints=joints, channels=len(arrays["expand.bias"]), dilations=dilations, causal=causal
    )
    lifter.load_folded_arrays({name: torch.from_numpy(array) for name, array in arrays.items()})
    clip = torch.from_numpy(np.pad(features.astype(np.float32), (lifter.margins, (0, 0)), mode="edge"))
    xyz_TJ3: Tensor = lifter.eval().to(device)(clip[None].to(device))[0]
    lifted: NDArray[np.float32] = xyz_TJ3.cpu().numpy()
    return lifted
