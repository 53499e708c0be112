"""Training the lifter: one loop that can be stopped at any time and goes on where it was.

A run is a folder: ``checkpoint.pt`` (tensors and plain values only), ``log.csv``, ``curve.png``, and at the end
``lifter.npz``.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import skeleton_named
from mocap3d.train.example_pool import ExamplePool
from mocap3d.train.lifter_data import ClipBatches, MotionBank
from mocap3d.train.lifter_eval import View, held_out_views, measure
from mocap3d.train.lifter_export import export_run, lifter_of
from mocap3d.train.lifter_log import draw_curve, keep_rows, write_row
from mocap3d.train.lifter_run import LifterRun
from mocap3d.train.lifter_settings import LifterSettings
from mocap3d.train.lifter_step import take_step
from mocap3d.train.ranks import Ranks, joined
from mocap3d.train.run_folder import CHECKPOINT, asked_to_stop, check_folder, make_folder

__all__ = [
    "LifterSettings",
    "train_lifter",
]

_REPORT_S = 120.0  # seconds from one measurement and checkpoint to the next
_STOP = -1.0  # said instead of a time
_COLUMNS = ("step", "minutes", "loss_mm", "held_out_mpjpe_mm", "held_out_p_mpjpe_mm", "steps_per_s")  # of the log


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reports:
    """When and how a run is measured.

    Attributes:
        folder: of the run.
        views: what it is measured on.
        every: steps from one report to the next; None: every `_REPORT_S` seconds.
        progress: is told each row.
    """

    folder: Path
    views: list[View]
    every: int | None
    progress: Callable[[dict[str, Any]], None] | None

    def due(self, run: LifterRun, reported_s: float) -> bool:
        """Whether it is time for one."""
        if self.every is not None:
            return run.step % self.every == 0
        return run.elapsed_s - reported_s >= _REPORT_S


def train_lifter(
    data: Path | str,
    settings: LifterSettings,
    run_dir: Path | str,
    *,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    report_every: int | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Train a lifter on a motion-data file; started by ``torchrun``, together with its other processes.

    Ctrl-C (and SIGTERM) ends the step, saves a checkpoint, and raises KeyboardInterrupt; a second one raises at once.

    Args:
        data: HDF5 file of LIFTER_20 joints, for example from ``mocap3d data prepare cmu``.
        settings: how to train. Their batch is shared by all processes.
        run_dir: folder for checkpoint, log and result.
        resume: go on with the checkpoint in ``run_dir``.
        device: "cpu" or "cuda".
        workers: processes that make examples; 0 makes them in this one.
        report_every: steps from one measurement and checkpoint to the next; by default two minutes.
        progress: called with each row that was added to the log.

    Returns:
        The weights file ``run_dir/lifter.npz``.

    Raises:
        InputError: no data, no such device, a run is already there (or none to resume), or its settings differ.
        FileFormatError: the data, the checkpoint or the log that a run goes on with are damaged.
    """
    folder = Path(run_dir)
    if workers < 0:
        raise InputError(f"workers must be 0 or more, got {workers}")
    if report_every is not None and report_every < 1:
        raise InputError(f"report_every must be at least 1, got {report_every}")
    check_folder(folder, resume=resume)
    with joined(device) as ranks:
        run = _start(settings, folder, resume, ranks)
        skeleton = skeleton_named(settings.examples.joints)
        bank = MotionBank.read(Path(data), frozenset(settings.subjects), skeleton)
        people = MotionBank.read(Path(data), frozenset(settings.held_out), skeleton)
        views = held_out_views(people, settings.examples, cameras=2) if ranks.rank == 0 else []
        if run.progress < 1:
            batches = _batches(bank, run, workers)
            pool = ExamplePool(batches, settings.pool_steps, run.model.margins, ranks.device, step=run.step)
            if not run.step:
                run.model.standardise(pool.features)
                ranks.adopt(run.model.mean, run.model.spread)
                run.average.load_state_dict(run.model.state_dict())
            make_folder(folder)
            _train(run, pool, _Reports(folder=folder, views=views, every=report_every, progress=progress))
        weights = folder / "lifter.npz"
        return export_run(data, folder, weights) if ranks.rank == 0 else weights


def _start(settings: LifterSettings, folder: Path, resume: bool, ranks: Ranks) -> LifterRun:
    """A new run, or the one whose checkpoint lies in the folder."""
    run = LifterRun.new(settings, ranks)
    if resume:
        run.load(folder / CHECKPOINT)
        if ranks.rank == 0:
            keep_rows(folder / "log.csv", run.step, _COLUMNS)
    return run


def _batches(bank: MotionBank, run: LifterRun, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of clips from the run's step on; whoever takes them decides when to stop."""
    settings, ranks = run.settings, run.ranks
    seed = (settings.seed,) if ranks.count == 1 else (settings.seed, ranks.rank)
    clips = ClipBatches(bank, settings.clips_per_step, settings.clip_frames, settings.examples, seed)
    loader = DataLoader(
        clips,
        batch_size=None,
        sampler=range(run.step, 2**31),
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        worker_init_fn=_leave_interrupts_to_the_parent,
    )
    return iter(loader)


def _leave_interrupts_to_the_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _train(run: LifterRun, pool: ExamplePool, reports: _Reports) -> None:
    """Take steps until the run is done, or somebody wants it to stop; report and save in between and at the end."""
    begin = time.monotonic() - run.elapsed_s
    reported_s, reported_step = run.elapsed_s, run.step
    with asked_to_stop() as asked:
        while run.progress < 1:
            take_step(run, pool)
            elapsed_s = run.ranks.agreed(_STOP if asked.is_set() else time.monotonic() - begin)
            if elapsed_s == _STOP:
                if run.ranks.rank == 0:
                    run.save(reports.folder / CHECKPOINT)
                raise KeyboardInterrupt
            run.elapsed_s = elapsed_s
            if run.progress >= 1 or reports.due(run, reported_s):
                speed = (run.step - reported_step) / max(run.elapsed_s - reported_s, 1e-9)
                _report(run, reports, speed)
                begin = time.monotonic() - run.elapsed_s  # measuring is not training
                reported_s, reported_step = run.elapsed_s, run.step


def _report(run: LifterRun, reports: _Reports, speed: float) -> None:
    """Measure, write a row of the log, draw the curve, save the checkpoint."""
    loss_m = float(run.loss_m) / max(run.loss_steps, 1)
    run.loss_m, run.loss_steps = 0.0, 0
    if run.ranks.rank:
        return
    measured = measure(reports.views, lifter_of(run.average.without_last_block() if run.begins else run.average))
    values = (
        run.step,
        round(run.elapsed_s / 60, 2),
        round(1000 * loss_m, 4),
        round(1000 * measured["mpjpe_m"], 2),
        round(1000 * measured["p_mpjpe_m"], 2),
        round(speed, 2),
    )
    row = dict(zip(_COLUMNS, values, strict=True))
    log = reports.folder / "log.csv"
    write_row(log, row)
    draw_curve(log, reports.folder / "curve.png")
    run.save(reports.folder / CHECKPOINT)
    if reports.progress is not None:
        reports.progress(row)
