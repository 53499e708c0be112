"""How fast are joints turned into rotations, and how far from the true ones?

    python benchmarks/solve.py [--data DIR] [--rounds 3] [--table] [--lifted] [--limits] [--json]

People of the CMU motion capture: joints as a perfect lifter would put them out (LIFTER_20 at 30 frames per second,
places only), solved onto rigs with the bones of their own. ``realtime`` is the length of the clips over the processor
time that solving them takes on one core, foot contacts found on the way; what it is measured against is real time, 1.
``--table`` adds accuracy, clip by clip and joint by joint: clean; with 2 cm of white noise and a fifth of the joints
gone; with foot contacts given from the truth; and the first of these tables for nine clips more. ``--lifted`` adds what
is left of the life of people who were seen by one camera and lifted. ``--limits`` adds how many true poses lie beyond
our joint limits, by joint, over every twentieth frame of all clips.
tests/support/cmu_people.py says how truth and contacts are made.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is loaded: the figure is for one core
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import numpy as np  # noqa: E402  # after what it depends on, as all below
from _common import Figure, json_line, machine, progress, table  # noqa: E402
from cmu_people import Take, all_clips, read_takes, tumbled  # noqa: E402
from motion_measures import UNOBSERVED, Solved, jerk_mps3, skate_mmps  # noqa: E402

from mocap3d.base.joint_limits import ANGLE_NAMES, LIMITS_RAD, excess_rad, limit_angles  # noqa: E402
from mocap3d.base.skeletons import HUMANOID_22  # noqa: E402
from mocap3d.motion.solve import solve  # noqa: E402

ARCHIVE = Path("cmu_amc") / "cmu_amc.tar.xz"
CLIPS = {
    "walk": ("02_01", 0.0, 2.8),
    "run": ("16_36", 0.0, 1.9),
    "jump": ("16_07", 0.5, 3.0),
    "punch": ("02_05", 3.0, 6.0),
    "box": ("14_02", 10.0, 10.0),
    "bend down": ("02_06", 8.0, 8.0),
    "bow": ("14_20", 30.0, 8.0),
    "dance": ("05_18", 4.3, 6.2),
    "sit down": ("14_31", 5.0, 10.0),
    "climb": ("01_09", 5.0, 10.0),
    "tai chi": ("29_11", 2.0, 10.0),
}
"""What -> (clip of CMU, start, seconds). Two more are made of the jump: a cartwheel and a somersault."""
OTHERS = ("01_02", "02_07", "03_03", "05_10", "14_05", "14_30", "16_15", "16_50", "29_05")
"""Clips that the solver's weights were not chosen on; four seconds of each."""
LONG_S = 6.0  # shorter clips do not count for the speed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = parsed(arguments)
    if options.data is None or not (options.data / ARCHIVE).is_file():
        print(f"--data or MOCAP3D_DATA must name the folder that holds {ARCHIVE}, got {options.data}", file=sys.stderr)
        return 2
    takes = read(options.data / ARCHIVE)
    realtime = speed(takes, options.rounds)
    rows = [[name, f"{seconds:.1f}", f"{taken:.2f}", f"{seconds / taken:.1f}"] for name, seconds, taken in realtime]
    print(table([f"{machine()}, one core", "clip, s", "solved in, s", "times real time"], rows))
    if options.table:
        print("\n" + "\n\n".join(accuracy(takes)))
        others = read_takes(options.data / ARCHIVE, dict.fromkeys(OTHERS, (1.0, 4.0)))
        print("\n" + accuracy(others)[0])
    if options.lifted:
        print("\n" + lifted_table(takes))
    if options.limits:
        print("\n" + limit_table(options.data / ARCHIVE))
    if options.json:
        total = sum(row[1] for row in realtime) / sum(row[2] for row in realtime)
        print(json_line("solve", [Figure(key="realtime", ours=total, against=1.0, higher_is_better=True)]))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {ARCHIVE}; else $MOCAP3D_DATA")
    parser.add_argument("--rounds", type=int, default=3, help="how often each clip is timed; the median counts")
    parser.add_argument("--table", action="store_true", help="also print how right it is")
    parser.add_argument("--lifted", action="store_true", help="also print how much life is left in lifted people")
    parser.add_argument("--limits", action="store_true", help="also print how often true poses exceed our joint limits")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


def read(archive: Path) -> dict[str, Take]:
    """The clips by what happens in them."""
    found = read_takes(archive, {clip: (start, seconds) for clip, start, seconds in CLIPS.values()})
    takes = {what: found[clip] for what, (clip, _, _) in CLIPS.items()}
    takes["cartwheel"] = tumbled(takes["jump"], axis=[0, 0, 1], turns=1)
    takes["somersault"] = tumbled(takes["jump"], axis=[1, 0, 0], turns=-1)
    return takes


def speed(takes: dict[str, Take], rounds: int) -> list[tuple[str, float, float]]:
    """(Clip, its length, median processor seconds of solving it) for the longer clips, clean and noisy in turn."""
    found = []
    for name, take in takes.items():
        seconds = len(take.root_m) / take.fps
        if seconds < LONG_S:
            continue
        for kind, pose in (("", take.pose()), (", noisy", take.noisy())):
            taken = []
            for _ in range(rounds + 1):
                start = time.process_time()
                solve(pose, rig=take.rig)
                taken.append(time.process_time() - start)
            median = float(np.median(taken[1:]))  # the first round warms up
            progress(f"{name}{kind}: {seconds / median:.1f} times real time")
            found.append((f"{name}{kind}", seconds, median))
    return found


def accuracy(takes: dict[str, Take]) -> list[str]:
    """The tables: clips, and joints over all of them."""
    rows, turns = [], []
    for name, take in takes.items():
        progress(f"{name}: accuracy")
        clean, noisy = (Solved.of(solve(pose, rig=take.rig), take) for pose in (take.pose(), take.noisy()))
        held = Solved.of(solve(take.pose(), rig=take.rig, contacts=take.contacts), take)
        jerk = jerk_mps3(take.rig, take.wxyz, take.root_m, take.fps)
        skate = skate_mmps(take.rig, take.wxyz, take.root_m, take.contacts, take.fps)
        turns.append((clean.rotation_errors_deg, noisy.rotation_errors_deg))
        rows.append(
            [
                name,
                *_median_and_95(clean.position_errors_mm),
                f"{clean.limit_excess_deg:.2f}",
                f"{clean.bone_variation_mm:.0e}",
                *_median_and_95(noisy.position_errors_mm),
                f"{noisy.jerk_mps3 / jerk:.2f}",
                *_median_and_95(held.position_errors_mm),
                "-" if np.isnan(skate) else f"{skate:.0f}",
                "-" if np.isnan(skate) else f"{held.skate_mmps:.1f}",
            ]
        )
    head = ["position errors in mm", "median", "95 %", "beyond limits, °", "bones, mm", "noisy: median", "95 %"]
    head += ["jerk by true jerk", "contacts given: median", "95 %", "skate of truth, mm/s", "skate"]
    return [table(head, rows), rotation_table(turns)]


def rotation_table(turns: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """Errors of local rotations by joint, left and right together, over all clips."""
    clean, noisy = (np.concatenate([pair[kind] for pair in turns]) for kind in (0, 1))
    rows = []
    for j, name in enumerate(HUMANOID_22.joint_names):
        if name.startswith("right"):
            continue
        both = sorted({j, HUMANOID_22.mirror[j]})
        note = ", not observed" if name in UNOBSERVED else ", its twist not observed" if "LowerArm" in name else ""
        rows.append([name + note, *_median_and_95(clean[:, both]), *_median_and_95(noisy[:, both])])
    return table(["local rotation, error in degrees", "median", "95 %", "noisy: median", "95 %"], rows)


def lifted_table(takes: dict[str, Take]) -> str:
    """Velocities, accelerations and jerk of people who were seen by a simulated detector, lifted and solved."""
    from _lifted_people import life_of  # the only table that needs what trains lifters

    rows = []
    for name in CLIPS:
        progress(f"{name}: lifted")
        lifted, solved = life_of(takes[name])
        rows.append([name, *(f"{value:.2f}" for pair in zip(lifted, solved, strict=True) for value in pair)])
    means = np.mean([[float(value) for value in row[1:]] for row in rows], axis=0)
    head = ["by the truth; lifted, then solved", "velocity off", "", "acceleration found", "", "its size", ""]
    return table([*head, "jerk, size", ""], [*rows, ["mean", *(f"{value:.2f}" for value in means)]])


def limit_table(archive: Path) -> str:
    """How many true poses exceed each limit by more than a degree; which angles people reach."""
    takes = list(all_clips(archive, fps=6))
    wxyz = np.concatenate([take.wxyz for take in takes])
    angles, beyond = np.degrees(limit_angles(wxyz)), np.abs(np.degrees(excess_rad(wxyz))) > 1
    limits = np.degrees(LIMITS_RAD)
    rows = []
    for j, name in enumerate(HUMANOID_22.joint_names):
        if name.startswith("right") or name == "hips":
            continue
        both = sorted({j, HUMANOID_22.mirror[j]})
        for n, angle in enumerate(ANGLE_NAMES[j]):
            reached = np.percentile(angles[:, both, n], [0.1, 1, 50, 99, 99.9])
            share = 100 * np.mean(beyond[:, both, n])
            rows.append([f"{name}, {angle}", *(f"{limits[j, end, n]:.0f}" for end in (0, 1)), f"{share:.2f}"])
            rows[-1] += [f"{value:.0f}" for value in reached]
    people = np.concatenate([[take.name.split("_")[0]] * len(take.wxyz) for take in takes])
    for person in ("", *np.unique(people)):
        theirs = beyond[np.char.startswith(people, person)]
        rows.append([f"any, of {len(theirs)} frames of {person or 'all'}", "", ""])
        rows[-1] += [f"{100 * np.mean(theirs.any(axis=(1, 2))):.2f}", *[""] * 5]
    return table(["degrees", "lowest", "highest", "% beyond", "0.1 %", "1 %", "median", "99 %", "99.9 %"], rows)


def _median_and_95(values: np.ndarray) -> list[str]:
    return [f"{np.median(values):.1f}", f"{np.percentile(values, 95):.1f}"]


if __name__ == "__main__":
    raise SystemExit(main())
