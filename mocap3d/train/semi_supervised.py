"""Training a lifter on few people with 3D truth and more people of whom only videos are there.

Two networks of one form: joints around the root, and the root's place. Labelled examples teach both what is right;
unlabelled ones, that what they say must look in the picture as it did look, and that bones are as long as people's
bones (``semi_supervised_losses.py``). A run is a folder: ``checkpoint.pt``, ``log.csv``, ``curve.png``, and at the end
``lifter.npz`` with the first network.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions and semi-supervised training
    (VideoPose3D), CVPR 2019, section 4.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.skeleton import Skeleton
from mocap3d.lift.encoding import feature_count
from mocap3d.lift.lifter_weights import LifterMeta, LifterWeights, save_weights
from mocap3d.nets.temporal import TemporalLifter
from mocap3d.train.device import check_device
from mocap3d.train.lifter_log import draw_curve, keep_rows, write_row
from mocap3d.train.run_folder import CHECKPOINT, asked_to_stop, check_folder, fitting, make_folder, read_checkpoint
from mocap3d.train.semi_supervised_data import Examples, ViewBank
from mocap3d.train.semi_supervised_losses import (
    Predicted,
    back_projection_loss,
    bone_length_loss,
    pose_loss,
    read_networks,
    trajectory_loss,
)
from mocap3d.train.semi_supervised_settings import SemiSupervisedSettings

__all__ = [
    "SemiSupervisedSettings",
    "semi_supervised_settings_of",
    "train_semi_supervised",
]

_REPORT_S = 60.0  # seconds from one measurement and checkpoint to the next
_STATURE_M = 1.70  # bodies are learned at their own size: this only says that lifting by default leaves it
_LOSSES = ("pose", "trajectory", "back_projection", "bones")
_COLUMNS = ("step", *(f"{name}_loss" for name in _LOSSES), "held_out_mpjpe_mm", "held_out_root_mm")  # of the log
_KEYS = ("settings", "pose", "trajectory", "optimizer", "step")  # of a checkpoint
_STD_UNSEEN = 3.0  # how much larger the expected error of a joint is that was not seen


@dataclass(slots=True, kw_only=True, eq=False)
class _Banks:
    labelled: ViewBank
    unlabelled: ViewBank | None
    held_out: ViewBank


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """The moving parts of a training; ``losses`` are added up since the last report, ``counted`` steps ago."""

    settings: SemiSupervisedSettings
    skeleton: Skeleton
    pose: TemporalLifter
    trajectory: TemporalLifter
    optimizer: torch.optim.AdamW
    device: str
    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    counted: int = 0

    def predict(self, examples: Examples) -> Predicted:
        """Run both networks."""
        one = examples.scale.shape[1] == 1 and self.settings.outputs == 1
        outputs = [net.one_output(examples.features) if one else net(examples.features) for net in self.networks]
        return read_networks(outputs[0].float(), outputs[1].float(), examples.scale)

    @property
    def networks(self) -> tuple[TemporalLifter, TemporalLifter]:
        """Both."""
        return self.pose, self.trajectory

    def save(self, checkpoint: Path) -> None:
        """Write everything that a later run needs to go on."""
        state = {
            "settings": asdict(self.settings),
            "pose": self.pose.state_dict(),
            "trajectory": self.trajectory.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "losses": self.losses,
            "counted": self.counted,
        }
        with atomic_path(checkpoint) as temporary:
            torch.save(state, temporary)

    def load(self, checkpoint: Path) -> None:
        """Go on where the run that wrote the checkpoint was."""
        state = read_checkpoint(checkpoint, _KEYS)
        with fitting(checkpoint):
            if SemiSupervisedSettings(**state["settings"]) != self.settings:
                raise InputError(f"{checkpoint} was made with other settings")
            self.pose.load_state_dict(state["pose"])
            self.trajectory.load_state_dict(state["trajectory"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = int(state["step"])
            self.losses, self.counted = dict(state.get("losses", {})), int(state.get("counted", 0))


def train_semi_supervised(
    data: Path | str,
    settings: SemiSupervisedSettings,
    run_dir: Path | str,
    *,
    unlabelled_data: Path | str | None = None,
    resume: bool = False,
    device: str = "cpu",
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Train a lifter on labelled and unlabelled people.

    Ctrl-C (and SIGTERM) ends the step, saves a checkpoint, and raises KeyboardInterrupt; a second one raises at once.

    Args:
        data: motion-data file with cameras and views, 2D and 3D of the same joints.
        settings: how to train.
        run_dir: folder for checkpoint, log and result.
        unlabelled_data: another such file with the unlabelled people; their 3D joints are not looked at.
        resume: go on with the checkpoint in ``run_dir``; the result equals that of an uninterrupted run.
        device: "cpu", "cuda" or "cuda:1" and so on.
        progress: called about every minute with the row that was added to the log.

    Returns:
        The weights file ``run_dir/lifter.npz``.

    Raises:
        InputError: no data, no such device, a run is already there (or none to resume), or its settings differ.
        FileFormatError: not a motion-data file, or a damaged checkpoint or log.
    """
    folder = Path(run_dir)
    check_device(device)
    check_folder(folder, resume=resume)
    banks = _banks(Path(data), Path(unlabelled_data or data), settings)
    run = _start(settings, banks, device)
    if resume:
        run.load(folder / CHECKPOINT)
        keep_rows(folder / "log.csv", run.step, _COLUMNS)
    make_folder(folder)
    _train(run, banks, folder, progress)
    return _export(run, banks, folder / "lifter.npz")


def semi_supervised_settings_of(checkpoint: Path) -> SemiSupervisedSettings:
    """The settings that a checkpoint was made with.

    Raises:
        InputError: there is no checkpoint.
        FileFormatError: it is damaged, or of something else.
    """
    state = read_checkpoint(checkpoint, _KEYS)
    with fitting(checkpoint):
        return SemiSupervisedSettings(**state["settings"])


def _train(run: _Run, banks: _Banks, folder: Path, progress: Callable[[dict[str, Any]], None] | None) -> None:
    """Take steps until all are taken, or somebody wants it to stop; report and save in between and at the end."""
    begin = time.monotonic()
    with asked_to_stop() as asked:
        while run.step < run.settings.steps:
            for name, loss in _step(run, banks).items():
                run.losses[name] = run.losses.get(name, 0.0) + loss
            run.counted += 1
            if run.step == run.settings.steps or time.monotonic() - begin >= _REPORT_S:
                row = _report(run, banks.held_out, folder)
                if progress is not None:
                    progress(row)
                begin = time.monotonic()
            if asked.is_set():
                run.save(folder / CHECKPOINT)
                raise KeyboardInterrupt


def _banks(data: Path, unlabelled_data: Path, settings: SemiSupervisedSettings) -> _Banks:
    """Read everybody, and check that they fit together."""

    def read(path: Path, subjects: tuple[str, ...], mirrored: bool) -> ViewBank:
        return ViewBank.read(path, subjects, settings.detector, settings.encoding, mirrored=mirrored)

    banks = _Banks(
        labelled=read(data, settings.labelled, settings.mirrored),
        unlabelled=read(unlabelled_data, settings.unlabelled, settings.mirrored) if settings.unlabelled else None,
        held_out=read(data, settings.held_out, False),
    )
    if not banks.labelled.labelled or not banks.held_out.labelled:
        raise InputError(f"{data}: labelled and held-out people need true joints in every frame")
    for bank in (banks.held_out, banks.unlabelled or banks.held_out):
        if (bank.skeleton.name, bank.fps) != (banks.labelled.skeleton.name, banks.labelled.fps):
            raise InputError("labelled, unlabelled and held-out people need the same joints and the same frame rate")
    return banks


def _start(settings: SemiSupervisedSettings, banks: _Banks, device: str) -> _Run:
    """A new run."""
    torch.manual_seed(settings.seed)
    skeleton = banks.labelled.skeleton
    pose, trajectory = (
        TemporalLifter(
            inputs=feature_count(settings.encoding, skeleton),
            outputs=outputs,
            channels=settings.channels,
            dilations=settings.dilations,
            causal=settings.causal,
            dropout=settings.dropout,
        ).to(device)
        for outputs in (3 * (len(skeleton) - 1), 3)
    )
    _expect_distance(trajectory, banks.labelled)
    parameters = [*pose.parameters(), *trajectory.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return _Run(
        settings=settings, skeleton=skeleton, pose=pose, trajectory=trajectory, optimizer=optimizer, device=device
    )


@torch.no_grad()
def _expect_distance(trajectory: TemporalLifter, labelled: ViewBank) -> None:
    """Let the network begin at the mean distance of the labelled people, not at one metre."""
    distance = labelled.frames["root_m"][:, 2].astype(np.float64) * labelled.frames["scale"].astype(np.float64)
    trajectory.shrink.bias[2] = float(np.log(np.maximum(distance, 1e-3)).mean())


def _step(run: _Run, banks: _Banks) -> dict[str, float]:
    """One step of AdamW; returns the losses by name."""
    settings = run.settings
    torch.manual_seed(settings.seed * 1_000_003 + run.step)  # dropout: a resumed run draws the same
    for group in run.optimizer.param_groups:
        group["lr"] = settings.learning_rate * settings.last_rate ** (run.step / settings.steps)
    for network in run.networks:
        network.train()
    losses = _losses(run, banks)
    weights = {
        "pose": 1.0,
        "trajectory": settings.trajectory,
        "back_projection": settings.back_projection,
        "bones": settings.bones,
    }
    warm = run.step >= settings.warm_up
    used = [weights[name] * loss for name, loss in losses.items() if warm or name in ("pose", "trajectory")]
    run.optimizer.zero_grad(set_to_none=True)
    torch.stack(used).sum().backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for network in run.networks for parameter in network.parameters()]
    torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
    run.optimizer.step()
    run.step += 1
    return {name: float(loss.detach()) for name, loss in losses.items()}


def _losses(run: _Run, banks: _Banks) -> dict[str, Tensor]:
    """Draw examples and judge what the networks say about them; all pass together through the normalisation."""
    settings = run.settings
    drawn = [
        bank.draw((settings.seed, run.step, i), settings.clips, settings.outputs, run.pose.margins)
        for i, bank in enumerate((banks.labelled, banks.unlabelled))
        if bank is not None
    ]
    both = Examples.joined(drawn).to(run.device)
    predicted = run.predict(both)
    known, rest = slice(0, settings.clips), slice(settings.clips, None)
    labelled = Predicted(xyz_m=predicted.xyz_m[known], root_m=predicted.root_m[known])
    losses = {
        "pose": pose_loss(labelled, both.xyz_m[known]),
        "trajectory": trajectory_loss(labelled, both.root_m[known], both.depth_m[known]),
    }
    if len(drawn) > 1:
        unlabelled = Predicted(xyz_m=predicted.xyz_m[rest], root_m=predicted.root_m[rest])
        losses["back_projection"] = back_projection_loss(
            unlabelled, both.virtual_from_cam[rest], both.lens[rest], both.xy_screen[rest], both.seen[rest]
        )
        losses["bones"] = bone_length_loss(unlabelled, both.xyz_m[known], run.skeleton.parents)
    return losses


@torch.inference_mode()
def _measure(run: _Run, bank: ViewBank) -> tuple[np.ndarray[Any, Any], float]:
    """Errors on whole views: of each joint (N, J) around the root, and mean of the root; metres."""
    for network in run.networks:
        network.eval()
    joints, roots = [], []
    for view in range(len(bank.first)):
        examples = bank.whole(view, run.pose.margins).to(run.device)
        predicted = run.predict(examples)
        joints.append(torch.linalg.vector_norm(predicted.xyz_m - examples.xyz_m, dim=-1)[0].cpu().numpy())
        roots.append(torch.linalg.vector_norm(predicted.root_m - examples.root_m, dim=-1)[0].cpu().numpy())
    return np.concatenate(joints), float(np.concatenate(roots).mean())


def _report(run: _Run, held_out: ViewBank, folder: Path) -> dict[str, Any]:
    """Measure, write a row of the log, draw the curve, save the checkpoint."""
    joints_m, root_m = _measure(run, held_out)
    losses = [round(run.losses.get(name, 0.0) / max(run.counted, 1), 5) for name in _LOSSES]
    run.losses, run.counted = {}, 0
    errors_mm = round(1000 * float(joints_m.mean()), 2), round(1000 * root_m, 2)
    row = dict(zip(_COLUMNS, (run.step, *losses, *errors_mm), strict=True))
    log = folder / "log.csv"
    write_row(log, row)
    draw_curve(log, folder / "curve.png")
    run.save(folder / CHECKPOINT)
    return row


def _export(run: _Run, banks: _Banks, out: Path) -> Path:
    """Write the pose network as a weights file; its expected errors are those on the held-out people."""
    settings = run.settings
    joints_m, root_m = _measure(run, banks.held_out)
    std_m = np.sqrt((joints_m.astype(np.float64) ** 2).mean(axis=0) / 3).clip(min=0.005).round(4)
    meta = LifterMeta(
        architecture="temporal-residual",
        channels=settings.channels,
        dilations=settings.dilations,
        causal=settings.causal,
        encoding=settings.encoding,
        fps=banks.labelled.fps,
        input_skeleton=run.skeleton.name,
        output_skeleton=run.skeleton.name,
        stature_m=_STATURE_M,
        std_m=tuple(std_m.tolist()),
        std_unseen_m=tuple((_STD_UNSEEN * std_m).round(4).tolist()),
        licence="that of the data it was trained on",
        trained={
            "steps": run.step,
            "settings": asdict(settings),
            "held_out": {"mpjpe_m": float(joints_m.mean()), "root_m": root_m},
        },
    )
    arrays = {name: array.numpy() for name, array in run.pose.folded_arrays().items()}
    save_weights(LifterWeights(meta=meta, arrays=arrays), out)
    return out
