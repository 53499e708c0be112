"""Training the lifter beside VideoPose3D's plain recipe: which error after how many minutes, and the speed of a step.

    python benchmarks/lifter_train.py h36m.h5 [--minutes 20] [--curve 5 10 20] [--held-out S8] [-o DIR] [--json]
    python benchmarks/lifter_train.py [--json]

``h36m.h5`` comes from ``mocap3d data prepare human36m``. Both learn from S1 5 6 7 8 and are judged on S9 and S11 seen
by the four real cameras, true 2D: P1 MPJPE, 17 joints, true root zero and the predicted root as it is, mean over
actions; every 32nd frame. Ours learns from virtual cameras only (`human36m_settings`: 81 frames, at first 27); the
baseline from the four real ones, 27 frames. ``--held-out S8`` takes S8 from what both learn from and measures it along,
to choose how long to train. Both have the same number of threads and take turns of a few seconds, so that a busy
machine slows both alike; a clock counts training only. ``--clock cpu`` counts processor time over threads: minutes of
an idle machine.

``--side ours`` and ``--side plain`` train one of them; with ``-o DIR`` curves and weights at the points of ``--curve``
are kept there, and a later run with the other side prints both; ``--side none`` only prints what is kept, for instance
with other ``--minutes``. Without data only the speed of a step is measured, on
random numbers: strided (1024 windows, one output each) and dense (1024 frames), 27 and 243 frames, 1024 channels.
Needs the extra mocap3d[train].
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from _common import Figure, json_line, table
from _lifter_curves import Curve, Point, clock_of, read_curve, train_sides
from _lifter_train_speed import compiled_figure, speed_figures

from mocap3d.train.lifter_settings import HUMAN36M_TRAINING

SPEED_WINDOWS = (27, 243)
HEAD = ["minutes", "steps", "P1 mm", "P2 mm", "P1 mm, held out"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if ours did not reach the baseline's error."""
    options = parsed(arguments)
    torch.set_num_threads(options.threads)
    figures: list[Figure] = []
    reached = True
    if options.data is None or options.speed:
        for frames in SPEED_WINDOWS:
            figures += speed_figures(frames, options.rounds, clock_of(options))
            if options.compile:
                figures.append(compiled_figure(frames, options.rounds, clock_of(options)))
    if options.data is not None:
        curves = {} if options.side == "none" else train_sides(options)
        if options.output is not None:
            curves = {side: curves.get(side) or read_curve(options.output, side) for side in ("ours", "plain")}
        ours, plain = curves.get("ours"), curves.get("plain")
        if ours and plain:
            compared = curve_figures(ours, plain, options)
            reached = any(figure.key == "train_time_to_error" for figure in compared)
            figures += compared
        for side, curve in curves.items():
            if curve:
                print(f"\n{side}\n" + table(HEAD, [row.words() for row in curve]))
    if figures:
        head = ["", "mocap3d", "plain recipe", "ratio"]
        print("\n" + table(head, [[f.key, f"{f.ours:.2f}", f"{f.against:.2f}", f"{f.ratio:.2f}"] for f in figures]))
    if options.json:
        print(json_line("lifter_train", figures))
    return 0 if reached else 1


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="motion-data file of Human3.6M with its true views")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long the baseline trains")
    parser.add_argument("--our-minutes", type=float, help="how long ours trains (default: a third of it)")
    parser.add_argument("--curve", type=float, nargs="*", default=[], help="minutes at which the error is compared")
    parser.add_argument("--held-out", choices=HUMAN36M_TRAINING, help="learn from the others, measure this one along")
    parser.add_argument("--window", type=int, default=27, help="frames of the baseline")
    parser.add_argument("--our-window", type=int, default=81, help="frames of ours")
    parser.add_argument("--channels", type=int, default=512, help="width of ours; the baseline's is 1024")
    parser.add_argument("--batch", type=int, default=128, help="windows in a step of ours; the baseline's are 1024")
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate of ours")
    parser.add_argument("--schedule", choices=("epochs", "fitted"), default="epochs",
                        help="the baseline's decay: by epochs, as published, or fitted into the minutes")  # fmt: skip
    parser.add_argument("--side", choices=("both", "ours", "plain", "none"), default="both", help="who trains")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of both")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what the minutes are")
    parser.add_argument("--every", type=float, default=0.5, help="minutes between measurements")
    parser.add_argument("--speed", action="store_true", help="with data: also measure the speed of a step")
    parser.add_argument("--compile", action="store_true", help="also what torch.compile makes of a step of ours")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed's measurements")
    parser.add_argument("-o", "--output", type=Path, help="folder to keep curves and weights in")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    if options.our_minutes is None:
        options.our_minutes = options.minutes / 3
    return options


def curve_figures(ours: Curve, plain: Curve, options: argparse.Namespace) -> list[Figure]:
    """Errors at the points of the curve, at the end, and the time to the error that the baseline has after minutes.

    Raises:
        SystemExit: the baseline has not trained so long.
    """
    figures = [
        Figure(key=f"p1_mm_after_{minutes:g}_min", ours=mine.p1_mm, against=theirs.p1_mm)
        for minutes in options.curve
        if (mine := at(ours, minutes)) and (theirs := at(plain, minutes))
    ]
    end = at(plain, options.minutes)
    if end is None:
        raise SystemExit(f"the baseline trained {plain[-1].minutes:.1f} minutes, not {options.minutes:g}")
    reached = next((point for point in ours if point.p1_mm <= end.p1_mm), None)
    figures.append(Figure(key="p1_mm_at_the_end", ours=ours[-1].p1_mm, against=plain[-1].p1_mm))
    if reached is not None:
        figures.append(Figure(key="train_time_to_error", ours=reached.minutes, against=end.minutes))
    else:
        print(f"ours did not reach the {end.p1_mm:.1f} mm that the baseline has after {end.minutes:.1f} minutes")
    return figures


def at(curve: Curve, minutes: float) -> Point | None:
    """The last measurement up to a time, if it is near it."""
    before = [point for point in curve if point.minutes <= minutes * 1.02 + 0.05]
    return before[-1] if before and before[-1].minutes >= 0.9 * minutes else None


if __name__ == "__main__":
    raise SystemExit(main())
