"""The baseline of ``lifter_train.py``: VideoPose3D's plain recipe, in our own words and code.

Convolutions over time in float32, 1024 channels wide, dropout 0.25, batch normalisation whose momentum decays, Adam
with amsgrad from 1e-3, batches of 1024 windows that are drawn from all frames of all cameras without repetition, half
of them mirrored; joints of the picture in, 2 wide; the mean distance of 17 joints as the loss.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mocap3d.data_prep.motion_file import read_cameras, read_sequences, read_view
from numpy.typing import NDArray
from torch import Tensor, nn

from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.lift.screen_encoding import px_to_screen

JOINTS = len(HUMAN36M_17)
BATCH = 1024
EPOCHS = 80  # over which VideoPose3D trains
MIRROR = list(HUMAN36M_17.mirror)


class PlainLifter(nn.Module):
    """Windows (B, W, 34) -> joints (B, 1, 17, 3) with strides of three, or clips (B, T, 34) with dilations."""

    def __init__(self, frames: int, *, channels: int = 1024, strided: bool = True) -> None:
        super().__init__()
        depth = round(np.log(frames) / np.log(3))
        steps = [(3, 1) if strided else (1, 3**layer) for layer in range(depth)]
        self.strided = strided
        stride, dilation = steps[0]
        self.expand = self._layer(2 * JOINTS, channels, 3, stride, dilation)
        self.wide = nn.ModuleList(self._layer(channels, channels, 3, *step) for step in steps[1:])
        self.point = nn.ModuleList(self._layer(channels, channels, 1, 1, 1) for _ in steps[1:])
        self.shrink = nn.Conv1d(channels, 3 * JOINTS, 1)

    @staticmethod
    def _layer(inputs: int, outputs: int, taps: int, stride: int, dilation: int) -> nn.Sequential:
        convolution = nn.Conv1d(inputs, outputs, taps, stride=stride, dilation=dilation, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm1d(outputs, momentum=0.1), nn.ReLU(), nn.Dropout(0.25))

    def forward(self, windows: Tensor) -> Tensor:
        """Lift."""
        x = self.expand(windows.transpose(1, 2))
        for layer, (wide, point) in enumerate(zip(self.wide, self.point, strict=True), start=1):
            kept = x[:, :, 1::3] if self.strided else x[:, :, 3**layer : -(3**layer)]
            x = kept + point(wide(x))
        return self.shrink(x).transpose(1, 2).unflatten(-1, (JOINTS, 3))

    def set_momentum(self, momentum: float) -> None:
        """Of every batch normalisation."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Views:
    """All sequences of some people, seen by their real cameras, one after another.

    Attributes:
        subjects: whose they are.
        screen: (N, 34) true 2D with lens distortion, the picture 2 wide.
        joints_m: (N, 17, 3) in the camera's axes around the root.
        first: (N,) first frame of the sequence that each frame belongs to.
        last: (N,) last frame of it.
        action: (N,) number of its action, takes together.
    """

    subjects: tuple[str, ...]
    screen: Tensor
    joints_m: Tensor
    first: Tensor
    last: Tensor
    action: NDArray[np.int64]

    @classmethod
    def read(cls, data: Path, subjects: tuple[str, ...]) -> Views:
        """Read the views called "true" of a motion-data file."""
        screen, joints_m, lengths, actions = [], [], [], []
        for subject in subjects:
            cameras = read_cameras(data, subject)
            for sequence in read_sequences(data, frozenset({subject})):
                for name, camera in cameras.items():
                    view = read_view(data, subject, sequence.action, name, "true")
                    screen.append(px_to_screen(camera, view.xy_px[:, :JOINTS])[..., :2].astype(np.float32))
                    relative_m = sequence.xyz_m[:, :JOINTS] - sequence.xyz_m[:, :1]
                    joints_m.append((relative_m @ camera.cam_from_world[:3, :3].T).astype(np.float32))
                    lengths.append(len(sequence.xyz_m))
                    actions.append(sequence.action.rsplit("_", 1)[0])
        ends = np.cumsum(lengths)
        number = {name: i for i, name in enumerate(sorted(set(actions)))}
        return cls(
            subjects=subjects,
            screen=torch.from_numpy(np.concatenate(screen).reshape(ends[-1], -1)),
            joints_m=torch.from_numpy(np.concatenate(joints_m)),
            first=torch.from_numpy(np.repeat(ends - lengths, lengths)),
            last=torch.from_numpy(np.repeat(ends - 1, lengths)),
            action=np.repeat([number[name] for name in actions], lengths),
        )

    def windows(self, at: Tensor, frames: int) -> Tensor:
        """(B, W, 34) around frames (B,); beyond the ends of a sequence its ends are repeated."""
        reach = torch.arange(frames) - frames // 2
        index = (at[:, None] + reach).clamp(self.first[at][:, None], self.last[at][:, None])
        return self.screen[index]


class PlainTraining:
    """The baseline's training, taken a step at a time.

    Args:
        views: to learn from.
        frames: of a window.
        minutes: the schedule is fitted into this time; None lets it follow the epochs, as published.
        channels: width.
    """

    def __init__(self, views: Views, frames: int, minutes: float | None, channels: int = 1024) -> None:
        torch.manual_seed(0)
        self.views, self.frames, self.minutes = views, frames, minutes
        self.model = PlainLifter(frames, channels=channels).train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, amsgrad=True)
        self.samples = 0
        self._order = torch.empty(0, dtype=torch.int64)
        self._generator = torch.Generator().manual_seed(0)

    def step(self, elapsed_s: float) -> None:
        """One batch."""
        self._schedule(elapsed_s)
        windows, truth_m = self._batch()
        loss = (self.model(windows)[:, 0] - truth_m).norm(dim=-1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.samples += len(windows)

    @torch.inference_mode()
    def lift(self, views: Views, at: Tensor) -> NDArray[np.float32]:
        """Joints (B, 17, 3) at frames of other views, the root where the network puts it."""
        self.model.eval()
        parts = [self.model(views.windows(some, self.frames))[:, 0] for some in at.split(BATCH)]
        self.model.train()
        return np.asarray(torch.cat(parts).numpy())

    def _schedule(self, elapsed_s: float) -> None:
        if self.minutes is None:
            epoch = self.samples / (2 * len(self.views.screen)) // 1
        else:
            epoch = EPOCHS * min(elapsed_s / (60 * self.minutes), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-3 * 0.95**epoch
        self.model.set_momentum(0.1 * 0.01 ** (epoch / EPOCHS))

    def _batch(self) -> tuple[Tensor, Tensor]:
        if len(self._order) < BATCH:
            self._order = torch.randperm(2 * len(self.views.screen), generator=self._generator)
        lot, self._order = self._order[:BATCH], self._order[BATCH:]
        at, mirrored = lot // 2, (lot % 2).bool()
        windows, truth_m = self.views.windows(at, self.frames), self.views.joints_m[at]
        windows[mirrored] = mirror(windows[mirrored], 2)
        truth_m[mirrored] = mirror(truth_m[mirrored].flatten(1), 3).unflatten(1, (JOINTS, 3))
        return windows, truth_m


def mirror(points: Tensor, size: int) -> Tensor:
    """The mirror image of (..., 17 * size): x negated, left and right exchanged."""
    image = points.unflatten(-1, (JOINTS, size))[..., MIRROR, :].clone()
    image[..., 0] *= -1
    return image.flatten(-2)
