"""A training of the lifter at some step: network, moving average, optimiser; saved to a file and read back.

The file holds tensors and plain values only, and everything that the next step depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.nets.temporal import TemporalLifter
from mocap3d.train.lifter_export import network_for
from mocap3d.train.lifter_settings import LifterSettings
from mocap3d.train.ranks import ALONE, Ranks, share_gradients, share_statistics
from mocap3d.train.run_folder import fitting, read_checkpoint

__all__ = ["CHECKPOINT_KEYS", "LifterRun", "settings_of"]

CHECKPOINT_KEYS = ("settings", "model", "average", "optimizer", "step", "elapsed_s")
"""What every checkpoint holds; some hold more."""


@dataclass(slots=True, kw_only=True, eq=False)
class LifterRun:
    """The moving parts of a training.

    Attributes:
        settings: how to train.
        ranks: the processes that train together.
        model: what is trained.
        forward: its strided form, windows (B, W, F) -> numbers (B, 1, O); compiled or shared with other processes.
        average: moving average of its weights, which is what is kept.
        optimizer: of ``model``.
        scaler: keeps gradients of fp16 from vanishing; does nothing otherwise.
        step: steps that were taken.
        elapsed_s: time that they took, measuring and saving not counted.
        loss_m: the joints' mean errors since the last report, added up.
        loss_steps: how many there are.
    """

    settings: LifterSettings
    ranks: Ranks
    model: TemporalLifter
    forward: Callable[[Tensor], Tensor]
    average: TemporalLifter
    optimizer: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    step: int = 0
    elapsed_s: float = 0.0
    loss_m: float | Tensor = 0.0
    loss_steps: int = 0

    @classmethod
    def new(cls, settings: LifterSettings, ranks: Ranks = ALONE) -> Self:
        """A training that has not begun.

        Raises:
            InputError: the device cannot do what the settings want, or the batch cannot be shared.
        """
        device = ranks.device
        if settings.batch % ranks.count:
            raise InputError(f"a batch of {settings.batch} windows cannot be shared by {ranks.count} processes")
        if settings.precision == "fp16" and not device.startswith("cuda"):
            raise InputError(f"precision fp16 needs CUDA, not {device}: use bf16")
        torch.manual_seed(settings.seed)
        model, average = (network_for(settings).to(device) for _ in range(2))
        average.load_state_dict(model.state_dict())
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        model.train().set_momentum(1.0)  # see `lifter_step.momentum_of`
        forward: Callable[[Tensor], Tensor] = model.one_output
        if ranks.count > 1:
            share_statistics(model)
            forward = share_gradients(model, ranks, partly=settings.begins_short > 0)
        return cls(
            settings=settings,
            ranks=ranks,
            model=model,
            forward=torch.compile(forward) if settings.compiled else forward,
            average=average.eval(),
            optimizer=optimizer,
            scaler=torch.amp.GradScaler("cuda", enabled=settings.precision == "fp16"),
        )

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        if self.settings.minutes is None:
            return self.step / self.settings.steps
        return self.elapsed_s / (60 * self.settings.minutes)

    @property
    def begins(self) -> bool:
        """Whether windows are still short, and the last block has not joined."""
        return self.progress < self.settings.begins_short

    def save(self, checkpoint: Path) -> None:
        """Write everything that a later run needs to go on."""
        state = {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "loss_m": float(self.loss_m),
            "loss_steps": self.loss_steps,
        }
        with atomic_path(checkpoint) as temporary:
            torch.save(state, temporary)

    def load(self, checkpoint: Path) -> None:
        """Go on where the run that wrote the checkpoint was.

        Raises:
            InputError: there is no checkpoint, or it was made with other settings.
            FileFormatError: it is damaged, or of something else.
        """
        state = read_checkpoint(checkpoint, CHECKPOINT_KEYS)
        with fitting(checkpoint):
            if LifterSettings.from_plain(state["settings"]) != self.settings:
                raise InputError(f"{checkpoint} was made with other settings")
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state.get("scaler", {}))
            self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
            self.loss_m, self.loss_steps = float(state.get("loss_m", 0.0)), int(state.get("loss_steps", 0))


def settings_of(checkpoint: Path) -> LifterSettings:
    """The settings that a checkpoint was made with.

    Raises:
        InputError: there is no checkpoint.
        FileFormatError: it is damaged, or of something else.
    """
    state = read_checkpoint(checkpoint, CHECKPOINT_KEYS)
    with fitting(checkpoint):
        return LifterSettings.from_plain(state["settings"])
