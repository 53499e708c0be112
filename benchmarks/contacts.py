"""How often are standing heels and toes found, by what people do?

    python benchmarks/contacts.py [--data DIR] [--json]

People of the CMU motion capture at 30 frames per second, each on a body of their own: as they were recorded, and as
they are solved from joints with 2 cm of white noise. Truth comes from the recording at 120 frames per second
(tests/support/foot_truth.py has the rule). Precision is the share of what was found that is true, recall the share of
what is true that was found, "right" the share of all points and frames. The second table has clips on which nothing was
chosen. Beside it: speed and height over one local floor (`mocap3d.base.contacts.foot_contacts`), as people usually do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import numpy as np  # noqa: E402  # after what it depends on, as all below
from _common import Figure, json_line, progress, table  # noqa: E402
from cmu_people import FILE_FPS, Take, read_takes  # noqa: E402
from foot_truth import truly_standing  # noqa: E402

from mocap3d.base.contacts import foot_contacts  # noqa: E402
from mocap3d.base.feet import sole_points  # noqa: E402
from mocap3d.base.motion import Motion  # noqa: E402
from mocap3d.motion.contacts import find_contacts  # noqa: E402
from mocap3d.motion.solve import solve  # noqa: E402

ARCHIVE = Path("cmu_amc") / "cmu_amc.tar.xz"
STEP = 4  # of the file's frames
NOISE_M = 0.02
LONGEST_S = 8.0
CLIPS = {
    "walk": ("02_01", "02_02", "16_15", "16_31"),
    "run": ("02_03", "16_35", "16_36", "16_45", "16_55", "16_56"),
    "jump": ("02_04", "16_01", "16_03", "16_05", "16_07", "16_09"),
    "uneven ground": ("03_02", "03_03"),
    "climb": ("01_02", "01_05", "01_09", "14_21", "14_28"),
    "dance": ("05_02", "05_10", "05_18", "29_05"),
    "sit down": ("14_30", "14_31"),
}
"""What people do -> clips, on which the thresholds were chosen."""
OTHERS = {
    "walk": ("16_21", "16_32", "16_47", "16_58"),
    "run": ("16_37", "16_38", "16_46", "16_57"),
    "jump": ("16_02", "16_04", "16_10"),
    "uneven ground": ("03_01", "03_04"),
    "climb": ("01_03", "01_14", "14_22"),
    "dance": ("05_03", "05_13", "29_11"),
    "sit down": ("14_27", "14_29"),
}
"""The same for clips that nobody had looked at."""

Finder = Callable[[Motion], np.ndarray]
FINDERS: dict[str, Finder] = {
    "ours": find_contacts,
    "against": lambda motion: foot_contacts(sole_points(motion), motion.fps, up=(0.0, 1.0, 0.0)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {ARCHIVE}; else $MOCAP3D_DATA")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.data is None or not (Path(options.data) / ARCHIVE).is_file():
        print(f"--data or MOCAP3D_DATA must name the folder that holds {ARCHIVE}, got {options.data}", file=sys.stderr)
        return 2
    names = [name for kinds in (CLIPS, OTHERS) for clips in kinds.values() for name in clips]
    takes = read_takes(Path(options.data) / ARCHIVE, dict.fromkeys(names, (0.0, LONGEST_S)), fps=FILE_FPS)
    chosen, others = (judged(kinds, takes) for kinds in (CLIPS, OTHERS))
    print(report(chosen))
    print(f"\nClips on which nothing was chosen:\n\n{report(others)}")
    if options.json:
        print(
            json_line(
                "contacts",
                [figure for name, found in (("", chosen), ("other_", others)) for figure in figures(name, found)],
            )
        )
    return 0


def judged(kinds: Mapping[str, Sequence[str]], takes: Mapping[str, Take]) -> dict[str, dict[str, np.ndarray]]:
    """Of each kind, by column: truth, and what each finder finds in the recorded and in the noisy motion."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for kind, names in kinds.items():
        parts: dict[str, list[np.ndarray]] = {}
        for name in names:
            progress(f"{kind}: {name}")
            take = takes[name]
            slow = replace(
                take,
                fps=FILE_FPS // STEP,
                wxyz=take.wxyz[::STEP],
                root_m=take.root_m[::STEP],
                joints_m=take.joints_m[::STEP],
            )
            parts.setdefault("truth", []).append(truly_standing(take)[::STEP])
            for noise, motion in (("recorded", recorded(slow)), ("noisy", noisy(slow))):
                for finder, find in FINDERS.items():
                    parts.setdefault(f"{finder} {noise}", []).append(find(motion) >= 0.5)
        found[kind] = {column: np.concatenate(arrays) for column, arrays in parts.items()}
    return found


def recorded(take: Take) -> Motion:
    """The motion as the file has it."""
    return Motion(rig=take.rig, fps=Fraction(take.fps), local_wxyz=take.wxyz, root_m=take.root_m)


def noisy(take: Take) -> Motion:
    """The motion that the solver finds in joints with noise, before it knows of contacts."""
    return solve(take.noisy(NOISE_M, dropped=0.0), rig=take.rig, contacts=np.zeros((len(take.root_m), 4)))


def report(found: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """The table."""
    rows = []
    for kind, columns in found.items():
        truth = columns["truth"]
        row = [kind, str(len(truth)), f"{truth.mean():.2f}"]
        for noise in ("recorded", "noisy"):
            ours = columns[f"ours {noise}"]
            both = float((ours & truth).sum())
            row += [f"{both / max(ours.sum(), 1):.2f}", f"{both / max(truth.sum(), 1):.2f}"]
            row += [f"{(columns[f'{finder} {noise}'] == truth).mean():.3f}" for finder in FINDERS]
        rows.append(row)
    head = ["", "frames", "stands", "precision", "recall", "right", "one local floor: right"]
    return table([*head, *(f"2 cm noise: {name}" for name in head[3:])], rows)


def figures(prefix: str, found: Mapping[str, Mapping[str, np.ndarray]]) -> list[Figure]:
    """The share that is wrong, kind by kind."""
    return [
        Figure(
            key=f"{prefix}{kind.replace(' ', '_')}_{noise}_wrong",
            ours=float((columns[f"ours {noise}"] != columns["truth"]).mean()),
            against=float((columns[f"against {noise}"] != columns["truth"]).mean()),
        )
        for kind, columns in found.items()
        for noise in ("recorded", "noisy")
    ]


if __name__ == "__main__":
    raise SystemExit(main())
