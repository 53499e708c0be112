"""MoveNet in torch: MobileNetV2, a feature pyramid down to a stride of 4 pixels, and one small head per map.

The twin of the ONNX file, whose initialisers it reads by name: the same maps to 1e-4, on any torch device. A picture
becomes features at strides 4, 8, 16 and 32; the pyramid adds each coarse level, doubled, to the next finer one; the
heads read the finest level. Batch norm is already folded into the convolutions, as in the published file.

Shapes: B pictures, H x W pixels, C channels, h x w = H/4 x W/4 cells.

Reference: Votel & Li, "Next-Generation Pose Detection with MoveNet and TensorFlow.js" (2021); Sandler et al.,
"MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018); Zhou et al., "Objects as Points" (CenterNet, 2019).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights
from mocap3d.base.errors import InputError, MissingExtraError

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtraError("torch", "torch") from error

__all__ = [
    "Backbone",
    "Head",
    "InvertedResidual",
    "MoveNet",
    "Pyramid",
    "SameConv2d",
    "Separable",
    "load_movenet",
    "read_initialisers",
    "run_movenet",
]

_WIDTHS = {"movenet_thunder": 1.75, "movenet_lightning": 1.0, "movenet_multipose": 1.5}
"""Network -> MobileNetV2's width multiplier."""

_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
"""MobileNetV2's table: channels at width 1, blocks, stride of the first block."""

_TAPS = (2, 5, 9)
"""The last blocks at strides 4, 8 and 16: what the pyramid reads beside the top."""

_PERSON_HEADS = {"centre": 1, "joints": 17, "regression": 34, "offsets": 34}
"""Head -> channels."""

_PEOPLE_HEADS = _PERSON_HEADS | {"box_size": 2, "box_offset": 2}

_PROBABILITIES = ("centre", "joints")
"""The heads that end in a sigmoid."""


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: at stride 2 the odd row and column go to the bottom and right."""

    def __init__(
        self, c_in: int, c_out: int, size: int, *, stride: int = 1, groups: int = 1, bias: bool = True
    ) -> None:
        """Pads by itself at stride 1, in ``forward`` at stride 2."""
        padding = size // 2 if stride == 1 else 0
        super().__init__(c_in, c_out, size, stride, padding, groups=groups, bias=bias)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Convolve; H and W are even where the stride is 2."""
        if self.stride[0] == 2:
            x_BCHW = functional.pad(x_BCHW, (0, 1, 0, 1))
        return super().forward(x_BCHW)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, filter each channel, narrow again; added to its input where the shapes agree."""

    def __init__(self, c_in: int, c_out: int, *, stride: int, expansion: int) -> None:
        """With an expansion of 1 (the first block) there is nothing to widen."""
        super().__init__()
        wide = c_in * expansion
        self.expand = SameConv2d(c_in, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(wide, wide, 3, stride=stride, groups=wide)
        self.project = SameConv2d(wide, c_out, 1)
        self.adds = stride == 1 and c_in == c_out

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H/stride, W/stride)."""
        wide = x_BCHW if self.expand is None else functional.relu6(self.expand(x_BCHW))
        y: Tensor = self.project(functional.relu6(self.depthwise(wide)))
        return x_BCHW + y if self.adds else y


class Backbone(nn.Module):
    """MobileNetV2 without its classifier."""

    def __init__(self, width: float) -> None:
        """Scale the table's channels by ``width``."""
        super().__init__()
        channels = _scaled(32, width)
        self.stem = SameConv2d(3, channels, 3, stride=2)
        blocks: list[InvertedResidual] = []
        for c_base, count, first_stride in _STAGES:
            for k in range(count):
                stride, expansion = (first_stride if k == 0 else 1), (6 if blocks else 1)
                blocks.append(InvertedResidual(channels, _scaled(c_base, width), stride=stride, expansion=expansion))
                channels = _scaled(c_base, width)
        self.blocks = nn.ModuleList(blocks)
        self.top = SameConv2d(channels, 1280, 1)

    def forward(self, image_B3HW: Tensor) -> list[Tensor]:
        """Features at strides 32, 16, 8 and 4."""
        x, taps = functional.relu6(self.stem(image_B3HW)), []
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in _TAPS:
                taps.append(x)
        return [functional.relu6(self.top(x)), *reversed(taps)]


class Separable(nn.Module):
    """A filter per channel, then a mix of the channels, then ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        """Only the mix has a bias."""
        super().__init__()
        self.depthwise = SameConv2d(c_in, c_in, 3, groups=c_in, bias=False)
        self.pointwise = SameConv2d(c_in, c_out, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H, W)."""
        return functional.relu(self.pointwise(self.depthwise(x_BCHW)))


class Pyramid(nn.Module):
    """Adds each coarse level, doubled in size, to the next finer one."""

    def __init__(self, width: float) -> None:
        """``width`` is the backbone's."""
        super().__init__()
        inputs = (1280, _scaled(64, width), _scaled(32, width), _scaled(24, width))  # strides 32, 16, 8, 4
        self.lateral = nn.ModuleList(SameConv2d(i, o, 1) for i, o in zip(inputs, (64, 64, 32, 24), strict=True))
        self.smooth = nn.ModuleList(Separable(i, o) for i, o in ((64, 32), (32, 24), (24, 24)))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Levels at strides 32, 16, 8, 4 -> (B, 24, H/4, W/4)."""
        x: Tensor = self.lateral[0](levels[0])
        for lateral, smooth, level in zip(self.lateral[1:], self.smooth, levels[1:], strict=True):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = smooth(x + lateral(level))
        return x


class Head(Separable):
    """One map: a separable convolution to 96 channels, then one mix."""

    def __init__(self, c_out: int) -> None:
        """``c_out`` channels of the map."""
        super().__init__(24, 96)
        self.out = SameConv2d(96, c_out, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, 24, h, w) -> (B, c_out, h, w)."""
        y: Tensor = self.out(super().forward(x_BCHW))
        return y


class MoveNet(nn.Module):
    """Pictures -> head maps.

    Args:
        width: MobileNetV2's width multiplier.
        heads: name -> channels of each map.
    """

    pixel_scale: Tensor

    def __init__(self, width: float, heads: dict[str, int]) -> None:
        """Random weights; ``load_movenet`` reads the shipped ones."""
        super().__init__()
        self.register_buffer("pixel_scale", torch.tensor(2 / 255))
        self.backbone = Backbone(width)
        self.pyramid = Pyramid(width)
        self.heads = nn.ModuleDict({name: Head(channels) for name, channels in heads.items()})

    def forward(self, image_BHW3: Tensor) -> dict[str, Tensor]:
        """Run the network.

        Args:
            image_BHW3: RGB, uint8 or float 0..255; H and W are multiples of 32.

        Returns:
            Name -> (B, H/4, W/4, C) float32; see ``mocap3d.detect.heatmaps.HeadMaps`` for their meaning.

        Raises:
            InputError: another shape.
        """
        _, h, w, c = image_BHW3.shape
        if c != 3 or h % 32 or w % 32:
            raise InputError(f"MoveNet takes (B, H, W, 3), H and W multiples of 32; got {tuple(image_BHW3.shape)}")
        x = image_BHW3.permute(0, 3, 1, 2).float() * self.pixel_scale - 1
        features = self.pyramid(self.backbone(x))
        maps = {name: head(features) for name, head in self.heads.items()}
        maps |= {name: maps[name].sigmoid() for name in _PROBABILITIES}
        return {name: values.permute(0, 2, 3, 1) for name, values in maps.items()}


def load_movenet(name: str, device: str = "cpu") -> MoveNet:
    """The shipped network ``name``, ready to run on a torch device.

    Raises:
        InputError: an unknown name, or no such device on this machine.
        MissingExtraError: the package ``onnx`` is not installed.
    """
    if name not in _WIDTHS:
        raise InputError(f"no MoveNet is called {name!r}; there are: {', '.join(_WIDTHS)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f'device={device!r}: torch finds no CUDA device here; use device="cpu"')
    network = MoveNet(_WIDTHS[name], _PEOPLE_HEADS if name == "movenet_multipose" else _PERSON_HEADS)
    arrays = read_initialisers(weights.path(name))
    # The file also holds constants (0, 1, 6, the doubling) that are code here; they are the only float32 ones.
    state = {k: torch.from_numpy(v.astype(np.float32)) for k, v in arrays.items() if v.dtype == np.float16}
    network.load_state_dict(state)
    try:
        return network.eval().requires_grad_(False).to(device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={device!r} cannot be used: {error}") from error


def run_movenet(network: MoveNet, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Arrays in, arrays out, in full float32 and with deterministic kernels on every device.

    Args:
        network: on any device.
        images: (B, H, W, 3) uint8 RGB.

    Returns:
        The maps of ``MoveNet.forward``.
    """
    cudnn = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.inference_mode(), cudnn:
        maps = network(torch.from_numpy(images).to(network.pixel_scale.device))
    return {name: values.cpu().numpy() for name, values in maps.items()}


def read_initialisers(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays that an ONNX file holds, by name.

    Raises:
        MissingExtraError: the package ``onnx`` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "torch") from error
    graph = onnx.load(path).graph
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _scaled(channels: int, width: float) -> int:
    """Channels times width, rounded to a multiple of 8 but never down by more than 10 % (MobileNetV2's rule)."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled if scaled >= 0.9 * channels * width else scaled + 8
