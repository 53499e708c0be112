"""How fast is a capture, and how much memory does it take? mocap3d beside MediaPipe 0.10.14, from video to result.

    python benchmarks/capture.py --mediapipe-python PATH [--runs 3] [--json]

Two videos: the demo clip (126 frames), and the same clip ten times over, every second time backwards, so that one woman
walks to and fro for 1260 frames and every step has ten times the work. Memory must not grow with it.

Each run is a process of its own, ours and theirs in turn; medians are printed. mocap3d goes from the file to the
written BVH; MediaPipe from the file to world landmarks in memory (Pose, model_complexity=1, OpenCV reading).
Imports are left out on both sides, loading the networks is not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import Figure, json_line, machine, progress, table

from mocap3d import examples

HERE = Path(__file__).resolve().parent
TIMES = 10
HEIGHT_M = 1.65  # of the woman, as in `mocap3d demo`
HOW_TO_GET_MEDIAPIPE = (
    "MediaPipe needs an environment of its own: python3.11 -m venv ENV && ENV/bin/python -m pip install -r "
    "locks/mediapipe.txt; then --mediapipe-python ENV/bin/python, or MOCAP3D_MEDIAPIPE_PYTHON"
)
THREADS = (
    "Threads as each comes: mocap3d gives each network one thread, FFmpeg decodes on all cores; "
    "MediaPipe runs its graph and OpenCV's decoder on all cores. 'cores' is processor time by wall time."
)

ROWS = (
    ("frames", "frames", 0),
    ("frames with a pose", "seen", 0),
    ("frames/s", "frames_per_s", 1),
    ("processor, ms/frame", "cpu_ms_per_frame", 1),
    ("cores", "cores", 2),
    ("peak memory, MiB", "peak_mib", 0),
)
"""Label, attribute of ``Run``, digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process measured of itself; the fields of its JSON line."""

    frames: int
    seen: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    steps: dict[str, float]

    @property
    def frames_per_s(self) -> float:
        """Of the whole run."""
        return self.frames / self.seconds

    @property
    def cores(self) -> float:
        """How many were busy on average."""
        return self.cpu_seconds / self.seconds

    @property
    def cpu_ms_per_frame(self) -> float:
        """Processor time, all threads together; a busy machine changes it little."""
        return 1000 * self.cpu_seconds / self.frames


Runs = dict[tuple[str, int], list[Run]]
"""("mocap3d" or "mediapipe", how many times the clip) -> its runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs must be at least 1, got {options.runs}")
    if not options.mediapipe_python:
        print(HOW_TO_GET_MEDIAPIPE, file=sys.stderr)
        if options.json:
            return 2  # a line without the other side would compare nothing
    runs = measure(options.runs, options.mediapipe_python, TIMES)
    print(report(runs))
    if options.json:
        print(json_line("capture", figures(runs)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MOCAP3D_MEDIAPIPE_PYTHON")
    parser.add_argument("--mediapipe-python", default=default, help="a Python that has locks/mediapipe.txt installed")
    parser.add_argument("--runs", type=int, default=3, help="of each kind; medians are printed")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser


def measure(count: int, mediapipe_python: str | None, times: int) -> Runs:
    """Run everything ``count`` times, one kind after the other, so that a slower minute meets all."""
    clip = examples.path("walk.mp4")
    runs: Runs = {}
    with tempfile.TemporaryDirectory() as folder:
        videos = {1: clip, times: Path(folder) / "walk_repeated.mp4"}
        # In a process of its own, for the clip takes memory and time to encode.
        subprocess.run([sys.executable, HERE / "_repeat_video.py", clip, videos[times], str(times)], check=True)
        programs = ["mocap3d", "mediapipe"] if mediapipe_python else ["mocap3d"]
        for number, repeated, program in itertools.product(range(1, count + 1), videos, programs):
            run = _run(_command(program, videos[repeated], mediapipe_python))
            progress(f"run {number} of {count}: {program}, {run.frames} frames, {run.seconds:.1f} s")
            runs.setdefault((program, repeated), []).append(run)
    return runs


def _command(program: str, video: Path, mediapipe_python: str | None) -> list[str]:
    if program == "mediapipe":
        return [str(mediapipe_python), str(HERE / "_run_mediapipe.py"), str(video)]
    return [sys.executable, str(HERE / "_run_ours.py"), str(video), str(examples.path("walk.toml")), str(HEIGHT_M)]


def _run(command: Sequence[str]) -> Run:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def figures(runs: Runs) -> list[Figure]:
    """What the JSON line compares."""

    def both(key: str, attribute: str, times: int, higher_is_better: bool) -> Figure:
        ours, theirs = (_median(runs[program, times], attribute) for program in ("mocap3d", "mediapipe"))
        return Figure(key=key, ours=ours, against=theirs, higher_is_better=higher_is_better)

    short, long = sorted({times for _, times in runs})
    growth = {p: _median(runs[p, long], "peak_mib") / _median(runs[p, short], "peak_mib") for p, _ in runs}
    return [
        both("frames_per_s", "frames_per_s", short, True),
        both(f"frames_per_s_{long}x", "frames_per_s", long, True),
        both("cpu_ms_per_frame", "cpu_ms_per_frame", short, False),
        both("peak_mib", "peak_mib", short, False),
        both(f"peak_mib_{long}x", "peak_mib", long, False),
        Figure(key=f"peak_{long}x_by_1x", ours=growth["mocap3d"], against=growth["mediapipe"]),
    ]


def report(runs: Runs) -> str:
    """The tables, as Markdown."""
    programs = list(dict.fromkeys(program for program, _ in runs))
    lengths = sorted({times for _, times in runs})
    head = ["", *(f"{program}, {times}x" for program in programs for times in lengths)]
    columns = [runs[program, times] for program in programs for times in lengths]
    rows = [[label, *(f"{_median(column, key):.{digits}f}" for column in columns)] for label, key, digits in ROWS]
    growth = [_median(runs[p, lengths[-1]], "peak_mib") / _median(runs[p, lengths[0]], "peak_mib") for p in programs]
    rows.append(
        [f"peak, {lengths[-1]}x by {lengths[0]}x", *(text for ratio in growth for text in ("", f"{ratio:.2f}"))]
    )
    notes = f"{machine()}\nMedians of {len(columns[0])} runs in processes of their own. {THREADS}"
    return f"{notes}\n\n{table(head, rows)}\n\n{_step_table(runs, lengths)}"


def _step_table(runs: Runs, lengths: Sequence[int]) -> str:
    """How the time of our run divides: milliseconds a frame, and frames per second if a step were alone."""
    head = ["step of mocap3d"]
    head += [f"{unit}, {times}x" for times in lengths for unit in ("ms/frame", "frames/s", "share")]
    rows = []
    for step in runs["mocap3d", lengths[0]][0].steps:
        row = [step]
        for times in lengths:
            column = runs["mocap3d", times]
            seconds = statistics.median(run.steps[step] for run in column)
            frames, whole = column[0].frames, _median(column, "seconds")
            row += [f"{1000 * seconds / frames:.2f}", f"{frames / max(seconds, 1e-9):.0f}", f"{seconds / whole:.1%}"]
        rows.append(row)
    return table(head, rows)


def _median(runs: Sequence[Run], attribute: str) -> float:
    return float(statistics.median(getattr(run, attribute) for run in runs))


if __name__ == "__main__":
    sys.exit(main())
