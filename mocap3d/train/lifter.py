"""Training the lifter: one loop that can be stopped at any time and goes on where it was.

A run is a folder: ``checkpoint.pt`` (tensors and plain values only), ``log.csv``, and at the end ``lifter.npz``.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import skeleton_named
from mocap3d.train.example_pool import ExamplePool
from mocap3d.train.lifter_data import ClipBatches, MotionBank
from mocap3d.train.lifter_eval import View, held_out_views, measure
from mocap3d.train.lifter_export import export_run, lifter_of
from mocap3d.train.lifter_run import LifterRun
from mocap3d.train.lifter_settings import LifterSettings
from mocap3d.train.lifter_step import take_step

__all__ = [
    "LifterSettings",
    "train_lifter",
]


_REPORT_S = 120.0  # seconds from one measurement and checkpoint to the next


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


def _batches(bank: MotionBank, run: LifterRun, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
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
    run: LifterRun,
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
        losses.append(take_step(run, pool))
        run.elapsed_s = time.monotonic() - begin
        if run.progress >= 1 or run.elapsed_s - last_report >= _REPORT_S:
            speed = (run.step - last_step) / max(run.elapsed_s - last_report, 1e-9)
            row = _report(run, folder, views, float(torch.stack(losses).mean()), speed)
            if progress is not None:
                progress(row)
            losses.clear()
            begin = time.monotonic() - run.elapsed_s  # measuring is not training
            last_report, last_step = run.elapsed_s, run.step


def _start(settings: LifterSettings, folder: Path, resume: bool, device: str) -> LifterRun:
    """A new run, or the one whose checkpoint lies in the folder."""
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise InputError(f"{folder} holds a run already: resume it, or choose another folder")
    if resume and not checkpoint.is_file():
        raise InputError(f"there is no {checkpoint} to resume")
    run = LifterRun.new(settings, device)
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        run.load(checkpoint)
    return run


def _report(run: LifterRun, folder: Path, views: list[View], loss: float, speed: float) -> dict[str, Any]:
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
    run.save(folder / "checkpoint.pt")
    return row
