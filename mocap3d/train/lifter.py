"""Training the lifter: one loop that can be stopped at any time and goes on where it was.

A run is a folder: ``checkpoint.pt`` (tensors and plain values only), ``log.csv``, and at the end ``lifter.npz``.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.skeletons import skeleton_named
from mocap3d.nets.temporal import TemporalLifter
from mocap3d.train.example_pool import ExamplePool
from mocap3d.train.lifter_data import ClipBatches, MotionBank
from mocap3d.train.lifter_eval import View, held_out_views, measure
from mocap3d.train.lifter_export import export_run, lifter_of, network_for
from mocap3d.train.lifter_loss import lifter_loss
from mocap3d.train.lifter_settings import LifterSettings

__all__ = [
    "LifterSettings",
    "train_lifter",
]


_REPORT_S = 120.0  # seconds from one measurement and checkpoint to the next
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """The moving parts of a training."""

    settings: LifterSettings
    model: TemporalLifter
    average: TemporalLifter
    optimizer: torch.optim.AdamW
    step: int = 0
    elapsed_s: float = 0.0

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        if self.settings.minutes is None:
            return self.step / self.settings.steps
        return self.elapsed_s / (60 * self.settings.minutes)


def train_lifter(
    data: Path | str,
    settings: LifterSettings,
    run_dir: Path | str,
    *,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Train a lifter on a motion-data file.

    Args:
        data: HDF5 file of LIFTER_20 joints, for example from ``mocap3d data prepare cmu``.
        settings: how to train.
        run_dir: folder for checkpoint, log and result.
        resume: go on with the checkpoint in ``run_dir``.
        device: torch device.
        workers: processes that make examples; 0 makes them in this one.
        progress: called about every minute with the row that was added to the log.

    Returns:
        The weights file ``run_dir/lifter.npz``.

    Raises:
        InputError: no data, a run is already there (or none to resume), or its settings differ.
    """
    folder = Path(run_dir)
    run = _start(settings, folder, resume, device)
    skeleton = skeleton_named(settings.examples.joints)
    bank = MotionBank.read(Path(data), frozenset(settings.subjects), skeleton)
    people = MotionBank.read(Path(data), frozenset(settings.held_out), skeleton)
    views = held_out_views(people, settings.examples, cameras=2)
    if run.progress < 1:
        pool = ExamplePool(_batches(bank, run, workers), settings.pool_steps, run.model.margins, device, step=run.step)
        if not run.step:
            run.model.standardise(pool.features)
            run.average.standardise(pool.features)
        _train(run, pool, folder, views, progress)
    return export_run(data, folder, folder / "lifter.npz")


def _batches(bank: MotionBank, run: _Run, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of clips from the run's step on; whoever takes them decides when to stop."""
    settings = run.settings
    clips = ClipBatches(bank, settings.clips_per_step, settings.clip_frames, settings.examples, (settings.seed,))
    loader = DataLoader(
        clips,
        batch_size=None,
        sampler=range(run.step, 2**31),
        num_workers=workers,
        prefetch_factor=8 if workers else None,
    )
    return iter(loader)


def _train(
    run: _Run,
    pool: ExamplePool,
    folder: Path,
    views: list[View],
    progress: Callable[[dict[str, Any]], None] | None,
) -> None:
    """Take steps until the run is done; report and save every two minutes and at the end."""
    begin = time.monotonic() - run.elapsed_s
    last_report, last_step = run.elapsed_s, run.step
    losses: list[Tensor] = []
    while run.progress < 1:
        losses.append(_step(run, pool))
        run.elapsed_s = time.monotonic() - begin
        if run.progress >= 1 or run.elapsed_s - last_report >= _REPORT_S:
            speed = (run.step - last_step) / max(run.elapsed_s - last_report, 1e-9)
            row = _report(run, folder, views, float(torch.stack(losses).mean()), speed)
            if progress is not None:
                progress(row)
            losses.clear()
            begin = time.monotonic() - run.elapsed_s  # measuring is not training
            last_report, last_step = run.elapsed_s, run.step


def _start(settings: LifterSettings, folder: Path, resume: bool, device: str) -> _Run:
    """A new run, or the one whose checkpoint lies in the folder."""
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise InputError(f"{folder} holds a run already: resume it, or choose another folder")
    if resume and not checkpoint.is_file():
        raise InputError(f"there is no {checkpoint} to resume")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    model, average = (network_for(settings).to(device) for _ in range(2))
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    run = _Run(settings=settings, model=model.train(), average=average.eval(), optimizer=optimizer)
    if resume:
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if state["settings"] != asdict(settings):
            raise InputError(f"{checkpoint} was made with other settings")
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        run.step, run.elapsed_s = state["step"], state["elapsed_s"]
    return run


def _step(run: _Run, pool: ExamplePool) -> Tensor:
    """One step of AdamW; returns the joints' mean error, metres."""
    settings = run.settings
    seed = settings.seed * 1_000_003 + run.step  # a resumed run draws the same windows and the same dropout
    torch.manual_seed(seed)
    pool.refresh()
    windows, truth = pool.draw(settings.batch, torch.Generator().manual_seed(seed))
    _follow_schedule(run)
    with torch.autocast(windows.device.type, dtype=_DTYPES[settings.precision], enabled=settings.precision != "fp32"):
        outputs = run.model.one_output(windows)
    loss, error_m = lifter_loss(outputs.float(), truth, settings)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), settings.clip_norm)
    run.optimizer.step()
    run.step += 1
    _average(run)
    return error_m


def _follow_schedule(run: _Run) -> None:
    """Set learning rate and momentum of the normalisation for the next step."""
    settings, share = run.settings, min(run.progress, 1.0)
    rate = settings.last_rate + (1 - settings.last_rate) * (1 + math.cos(math.pi * share)) / 2
    warm = min(1.0, (run.step + 1) / settings.warm_up)
    for group in run.optimizer.param_groups:
        group["lr"] = settings.learning_rate * rate * warm
    first, last = settings.momentum
    run.model.set_momentum(first * (last / first) ** share)


@torch.no_grad()
def _average(run: _Run) -> None:
    """Follow the weights (and the normalisation's statistics) with a moving average, quick at the start."""
    keep = min(run.settings.average, (1 + run.step) / (10 + run.step))
    pairs = zip(run.average.state_dict().values(), run.model.state_dict().values(), strict=True)
    mine, theirs = zip(*((a, b) for a, b in pairs if a.is_floating_point()), strict=True)
    torch._foreach_lerp_(mine, theirs, 1 - keep)


def _report(run: _Run, folder: Path, views: list[View], loss: float, speed: float) -> dict[str, Any]:
    """Measure, write a row of the log, save the checkpoint."""
    measured = measure(views, lifter_of(run.average))
    row = {
        "step": run.step,
        "minutes": round(run.elapsed_s / 60, 2),
        "loss_mm": round(1000 * loss, 2),
        "held_out_mpjpe_mm": round(1000 * measured["mpjpe_m"], 2),
        "held_out_p_mpjpe_mm": round(1000 * measured["p_mpjpe_m"], 2),
        "steps_per_s": round(speed, 2),
    }
    log = folder / "log.csv"
    fresh = not log.exists()
    with log.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    _save(run, folder / "checkpoint.pt")
    return row


def _save(run: _Run, checkpoint: Path) -> None:
    """Write everything that a later run needs to go on; tensors and plain values only."""
    state = {
        "settings": asdict(run.settings),
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
        "elapsed_s": run.elapsed_s,
    }
    with atomic_path(checkpoint) as temporary:
        torch.save(state, temporary)
