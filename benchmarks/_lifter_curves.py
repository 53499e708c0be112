"""The two trainings of ``lifter_train.py``, side by side: taking turns, measured now and then, curves kept."""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from _common import progress
from _plain_lifter import JOINTS, PlainTraining, Views
from mocap3d.data_prep.motion_file import read_cameras, read_sequences, read_view
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from mocap3d.base.projection import px_to_rays
from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.lift.encoding import cam_from_virtual, encode
from mocap3d.quality.pose3d import procrustes_aligned_m
from mocap3d.train.example_pool import ExamplePool
from mocap3d.train.lifter_data import ClipBatches, MotionBank
from mocap3d.train.lifter_run import LifterRun
from mocap3d.train.lifter_settings import (
    HUMAN36M_HELD_OUT,
    HUMAN36M_TRAINING,
    WINDOWS,
    LifterSettings,
    human36m_settings,
)
from mocap3d.train.lifter_step import take_step

TURN_S = 5.0
STRIDE = 32  # frames between those that are measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement of a curve.

    Attributes:
        minutes: of training, as the clock counts them.
        steps: taken by then.
        p1_mm: MPJPE, mean over actions.
        p2_mm: after Procrustes.
        held_out_p1_mm: MPJPE of the subject held out to choose how long to train; NaN if there is none.
    """

    minutes: float
    steps: int
    p1_mm: float
    p2_mm: float
    held_out_p1_mm: float

    def words(self) -> list[str]:
        """A row of a table."""
        errors = (self.p1_mm, self.p2_mm, self.held_out_p1_mm)
        return [f"{self.minutes:.2f}", str(self.steps), *("" if error != error else f"{error:.1f}" for error in errors)]


Curve = list[Point]


@dataclass(slots=True, kw_only=True, eq=False)
class Side:
    """One of the two trainings.

    Attributes:
        name: "ours" or "plain".
        minutes: how long it trains.
        step: takes one step, given the seconds trained so far.
        lift: joints (B, 17, 3) at frames of views that it was made for.
        weights: what is kept.
        clock: seconds that count.
        elapsed_s: of training.
        steps: taken.
        curve: measured so far.
    """

    name: str
    minutes: float
    step: Callable[[float], None]
    lift: Callable[[Views, Tensor], NDArray[np.floating]]
    weights: Callable[[], dict[str, Tensor]]
    clock: Callable[[], float]
    elapsed_s: float
    steps: int
    curve: Curve

    @property
    def done(self) -> bool:
        """Whether its time is over."""
        return self.elapsed_s >= 60 * self.minutes

    def train(self, until_s: float) -> None:
        """Take steps until the clock says so."""
        while self.elapsed_s < until_s:
            begin = self.clock()
            self.step(self.elapsed_s)
            self.elapsed_s += self.clock() - begin
            self.steps += 1


def train_sides(options: argparse.Namespace) -> dict[str, Curve]:
    """Train who shall be trained; returns the curves by name."""
    clock = clock_of(options)
    progress("reading the views to measure on")
    lots = [HUMAN36M_HELD_OUT, *([(options.held_out,)] if options.held_out else [])]
    measured = [Views.read(options.data, subjects) for subjects in lots]
    makers = {"plain": plain_side, "ours": our_side}
    sides = [make(options, measured, clock) for name, make in makers.items() if options.side in ("both", name)]
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
    marks = {
        side.name: sorted({*np.arange(options.every, side.minutes, options.every), *options.curve, side.minutes})
        for side in sides
    }
    while not all(side.done for side in sides):
        for side in sides:
            if side.done:
                continue
            mark = 60 * next(m for m in marks[side.name] if 60 * m > side.elapsed_s)
            side.train(min(side.elapsed_s + TURN_S, mark))
            if side.elapsed_s >= mark:
                measure(side, measured, options)
    return {side.name: side.curve for side in sides}


def clock_of(options: argparse.Namespace) -> Callable[[], float]:
    """Seconds that count: of the wall clock, or of the processors."""
    return time.perf_counter if options.clock == "wall" else lambda: time.process_time() / options.threads


def learned_from(options: argparse.Namespace) -> tuple[str, ...]:
    """The subjects that both sides learn from."""
    return tuple(subject for subject in HUMAN36M_TRAINING if subject != options.held_out)


def plain_side(options: argparse.Namespace, measured: list[Views], clock: Callable[[], float]) -> Side:
    """The baseline."""
    progress(f"reading the views of {' '.join(learned_from(options))}")
    fitted = options.minutes if options.schedule == "fitted" else None
    training = PlainTraining(Views.read(options.data, learned_from(options)), options.window, fitted)
    return Side(
        name="plain",
        minutes=options.minutes,
        step=training.step,
        lift=training.lift,
        weights=training.model.state_dict,
        clock=clock,
        elapsed_s=0.0,
        steps=0,
        curve=[],
    )


def our_side(options: argparse.Namespace, measured: list[Views], clock: Callable[[], float]) -> Side:
    """Ours: clips simulated in this process, so that the clock counts that too."""
    settings = human36m_settings(
        minutes=options.our_minutes,
        subjects=learned_from(options),
        dilations=WINDOWS[options.our_window],
        channels=options.channels,
        batch=options.batch,
        learning_rate=options.rate,
    )
    progress(f"reading the motion of {' '.join(settings.subjects)}, simulating the first clips")
    bank = MotionBank.read(options.data, frozenset(settings.subjects), HUMAN36M_17)
    begin = clock()
    clips = ClipBatches(bank, settings.clips_per_step, settings.clip_frames, settings.examples, (settings.seed,))
    batches = iter(DataLoader(clips, batch_size=None, sampler=range(2**31)))
    run = LifterRun.new(settings)
    pool = ExamplePool(batches, settings.pool_steps, run.model.margins, "cpu")
    run.model.standardise(pool.features)
    run.average.standardise(pool.features)
    seen = {id(views): seen_by_ours(options.data, views, settings) for views in measured}

    def step(elapsed_s: float) -> None:
        run.elapsed_s = elapsed_s
        take_step(run, pool)

    @torch.inference_mode()
    def lift(views: Views, at: Tensor) -> NDArray[np.floating]:
        features, virtual_from_cam = seen[id(views)]
        network = run.average.without_last_block() if run.begins else run.average
        reach = torch.arange(-network.margins[0], network.margins[1] + 1)
        index = (at[:, None] + reach).clamp(views.first[at][:, None], views.last[at][:, None])
        parts = [network.one_output(features[some])[:, 0] for some in index.split(settings.batch)]
        joints_m = torch.cat(parts)[:, : 3 * (JOINTS - 1)].unflatten(1, (JOINTS - 1, 3)).numpy()
        around_root = np.concatenate([np.zeros_like(joints_m[:, :1]), joints_m], axis=1)
        return cam_from_virtual(around_root, virtual_from_cam[at.numpy()])

    return Side(
        name="ours",
        minutes=options.our_minutes,
        step=step,
        lift=lift,
        weights=run.average.state_dict,
        clock=clock,
        elapsed_s=clock() - begin,  # simulating the first clips is part of it
        steps=0,
        curve=[],
    )


def seen_by_ours(data: Path, views: Views, settings: LifterSettings) -> tuple[Tensor, NDArray[np.floating]]:
    """Features (N, F) of the frames of views, and the rotations (N, 3, 3) to the virtual cameras."""
    features, rotations = [], []
    for subject in views.subjects:
        cameras = read_cameras(data, subject)
        for sequence in read_sequences(data, frozenset({subject})):
            for name, camera in cameras.items():
                view = read_view(data, subject, sequence.action, name, "true")
                rays = px_to_rays(camera, view.xy_px[:, :JOINTS])
                encoded = encode(rays, view.confidence[:, :JOINTS], HUMAN36M_17, settings.examples.encoding)
                features.append(encoded.features.astype(np.float32))
                rotations.append(encoded.virtual_from_cam.astype(np.float32))
    return torch.from_numpy(np.concatenate(features)), np.concatenate(rotations)


def errors_mm(side: Side, views: Views) -> tuple[float, float]:
    """P1 and P2, mean over actions."""
    at = torch.arange(0, len(views.first), STRIDE)
    predicted, truth = side.lift(views, at).astype(np.float64), views.joints_m[at].numpy().astype(np.float64)
    aligned = procrustes_aligned_m(predicted, truth)
    by_frame = np.stack([np.linalg.norm(found - truth, axis=-1).mean(axis=-1) for found in (predicted, aligned)])
    action = views.action[at.numpy()]
    p1_mm, p2_mm = 1000 * np.mean([by_frame[:, action == number].mean(axis=1) for number in np.unique(action)], axis=0)
    return float(p1_mm), float(p2_mm)


def measure(side: Side, measured: list[Views], options: argparse.Namespace) -> None:
    """Add a point to a side's curve; keep curve and weights if there is a folder for them."""
    (p1_mm, p2_mm), *held_out = (errors_mm(side, views) for views in measured)
    point = Point(
        minutes=round(side.elapsed_s / 60, 3),
        steps=side.steps,
        p1_mm=p1_mm,
        p2_mm=p2_mm,
        held_out_p1_mm=held_out[0][0] if held_out else float("nan"),
    )
    side.curve.append(point)
    progress(f"{side.name}: {' '.join(point.words())}")
    if options.output is None:
        return
    with (options.output / f"{side.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(asdict(point) for point in side.curve)
    for minutes in options.curve:
        if abs(point.minutes - minutes) < 0.01 * minutes + 0.05:
            torch.save(side.weights(), options.output / f"{side.name}-{minutes:g}.pt")


def read_curve(folder: Path, side: str) -> Curve:
    """What an earlier run kept; empty if there is nothing."""
    path = folder / f"{side}.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [
            Point(
                minutes=float(row["minutes"]),
                steps=int(row["steps"]),
                p1_mm=float(row["p1_mm"]),
                p2_mm=float(row["p2_mm"]),
                held_out_p1_mm=float(row["held_out_p1_mm"]),
            )
            for row in csv.DictReader(file)
        ]
