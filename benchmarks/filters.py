"""What filters take off movement and off noise: mocap3d's defaults, limb by limb, beside 6 Hz for the whole body.

    python benchmarks/filters.py [--data DIR] [--noise-mm 10] [--json]

Recordings with markers, which are nearly free of noise (CMU, 120 frames per second), as joints of LIFTER_20.

* How far filtering moves joints that need none: 99 % of the time no further than this, for each part of the body.
* How far noisy joints are from the true ones (root of the mean square over all joints): every fourth frame, white noise
  on every coordinate; not filtered, filtered by the defaults, and at the 6 Hz that gait analysis takes for everything.
* How much of its speed the fastest hand of the boxing clips loses, by cut-off.

The JSON line compares the defaults with 6 Hz.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from cmu_people import pose_of, read_takes

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.motion.filters import FilterSettings, LimbCutoffs, filter_pose

ARCHIVE = Path("cmu_amc") / "cmu_amc.tar.xz"
CLIPS = {
    "walking": ("02_01", "16_15", "16_21"),
    "running": ("02_03", "16_35", "16_45"),
    "jumping": ("02_04", "16_01", "16_03"),
    "boxing": ("02_05", "14_02"),
}
FPS, SLOWER = 120, 4
LONGEST_S = 60.0
GAIT_HZ = 6.0
FIST_HZ = (6.0, 8.0, 10.0, 15.0)
LIMBS = {
    "trunk": ("pelvis", "*_hip", "spine", "thorax", "*_shoulder"),
    "head": ("neck", "head", "face"),
    "arms": ("*_elbow",),
    "hands": ("*_wrist",),
    "legs": ("*_knee",),
    "feet": ("*_ankle", "*_toe"),
}
"""Points by the part of the body that is filtered with them; "*" is both sides."""

Takes = dict[str, list[np.ndarray]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = parsed(arguments)
    if options.data is None or not (options.data / ARCHIVE).is_file():
        print(f"--data or MOCAP3D_DATA must name the folder that holds {ARCHIVE}, got {options.data}", file=sys.stderr)
        return 2
    takes = read(options.data / ARCHIVE)
    print(moved(takes) + "\n")
    rows = against_noise(takes, options.noise_mm / 1000)
    head = [f"noise of {options.noise_mm:g} mm per axis, error in mm", "not filtered", "limb by limb", "all at 6 Hz"]
    print(table(head, [[name, *(f"{error:.1f}" for error in errors)] for name, errors in rows.items()]) + "\n")
    lost = [[f"{cutoff:g} Hz", f"{100 * speed_lost(takes['boxing'], cutoff):.0f} %"] for cutoff in FIST_HZ]
    print(table(["fastest hand, cut-off", "speed lost"], lost))
    if options.json:
        figures = [Figure(key=f"{name}_rms_mm", ours=ours, against=gait) for name, (_, ours, gait) in rows.items()]
        print(json_line("filters", figures))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {ARCHIVE}; else $MOCAP3D_DATA")
    parser.add_argument("--noise-mm", type=float, default=10.0, help="standard deviation per axis, white")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


def read(archive: Path) -> Takes:
    """Joints (T, 20, 3) of the clips, by what is done in them."""
    progress("reading")
    every = [name for names in CLIPS.values() for name in names]
    found = read_takes(archive, dict.fromkeys(every, (0.0, LONGEST_S)), fps=FPS)
    return {kind: [found[name].joints_m for name in names] for kind, names in CLIPS.items()}


def columns(limb: str) -> list[int]:
    """The points of a part of the body."""
    names = [name.replace("*", side) for name in LIMBS[limb] for side in ("left", "right")]
    return sorted({LIFTER_20.index(name) for name in names})


def filtered(xyz_m: np.ndarray, fps: int, cutoffs: LimbCutoffs | None = None) -> np.ndarray:
    """Joints through Butterworth filters; None are the defaults."""
    pose = pose_of(xyz_m, fps, 0.0)
    return filter_pose(pose, None if cutoffs is None else FilterSettings(cutoffs=cutoffs)).xyz_m


def moved(takes: Takes) -> str:
    """The table of how far joints that need no filter are moved by theirs."""
    away: dict[str, np.ndarray] = {}
    for kind, clips in takes.items():
        progress(f"{kind}: filtering")
        away[kind] = np.concatenate([np.linalg.norm(filtered(xyz, FPS) - xyz, axis=-1) for xyz in clips])
    cutoffs = dataclasses.asdict(LimbCutoffs())
    rows = [
        [limb, f"{cutoffs[f'{limb}_hz']:g} Hz"]
        + [f"{1000 * np.percentile(each[:, columns(limb)], 99):.0f} mm" for each in away.values()]
        for limb in LIMBS
    ]
    return table(["part of the body", "cut-off", *takes], rows)


def against_noise(takes: Takes, noise_m: float) -> dict[str, tuple[float, float, float]]:
    """Errors in mm at 30 frames per second: not filtered, by the defaults, and all at 6 Hz."""
    rng = np.random.default_rng(0)
    found = {}
    for kind, clips in takes.items():
        squares: list[list[np.ndarray]] = [[], [], []]
        for xyz in clips:
            true = xyz[::SLOWER]
            noisy = true + rng.normal(0, noise_m, true.shape)
            made = noisy, filtered(noisy, FPS // SLOWER), filtered(noisy, FPS // SLOWER, LimbCutoffs.all_at(GAIT_HZ))
            for kept, each in zip(squares, made, strict=True):
                kept.append(((each - true) ** 2).sum(axis=-1).ravel())
        none, ours, gait = (1000 * float(np.sqrt(np.concatenate(kept).mean())) for kept in squares)
        found[kind] = (none, ours, gait)
    return found


def speed_lost(clips: Sequence[np.ndarray], cutoff_hz: float) -> float:
    """The share of its top speed that the fastest hand loses."""
    hands = columns("hands")

    def fastest(xyz_m: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(xyz_m[:, hands], axis=0), axis=-1).max())

    made = [filtered(xyz, FPS, LimbCutoffs.all_at(cutoff_hz)) for xyz in clips]
    return 1 - max(map(fastest, made)) / max(map(fastest, clips))


if __name__ == "__main__":
    raise SystemExit(main())
