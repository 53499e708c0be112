"""Where do feet point that no camera marks? Several cameras' lifted toe tips beside feet that follow the shin.

    python benchmarks/toes.py [--data DIR] [--views 2 4] [--json]

Detectors mark ankles and no toes. People of the CMU motion capture whom the lifter has never seen (02 walking, running,
punching, 05 dancing) stand among cameras with a simulated detector; joints are triangulated over the clip and solved,
once as they are (the foot stays at a right angle to the shin) and once with toe tips from every camera's lifter. Errors
are of the solved motions, feet not held: the median of the angle, means of the others, over frames and feet.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import numpy as np  # after what it depends on, as all below
from _common import Figure, json_line, progress, table
from _lifted_people import seen_from
from cmu_people import ON_RIG, Take, fk_rig, read_takes
from numpy.typing import NDArray

from mocap3d import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.adjust import adjust_pose
from mocap3d.lift.fill_in import fill_from, lifted_views
from mocap3d.lift.toes import with_toes
from mocap3d.motion.solve import solve

Floats = NDArray[np.float64]

ARCHIVE = Path("cmu_amc") / "cmu_amc.tar.xz"
CLIPS = {"02_01": (0.0, 6.0), "02_03": (0.0, 5.0), "02_05": (0.0, 6.0), "05_03": (0.0, 6.0)}
AZIMUTHS_DEG = {2: (30.0, 120.0), 3: (20.0, 140.0, 260.0), 4: (20.0, 110.0, 200.0, 290.0)}
COLUMNS = ("direction, degrees", "toe tip, mm", "knees' height, mm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {ARCHIVE}; else $MOCAP3D_DATA")
    parser.add_argument("--views", type=int, nargs="+", default=(2, 4), choices=AZIMUTHS_DEG, help="how many cameras")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.data is None or not (options.data / ARCHIVE).is_file():
        parser.error(f"--data or MOCAP3D_DATA must name the folder that holds {ARCHIVE}, got {options.data}")
    rows: list[list[str]] = []
    figures: list[Figure] = []
    for count in options.views:
        plain, lifted = measure(list(read_takes(options.data / ARCHIVE, CLIPS).values()), AZIMUTHS_DEG[count])
        for name, errors in (("follow the shin", plain), ("lifted", lifted)):
            rows.append([f"{count} cameras, {name}", *(f"{error:.1f}" for error in errors)])
        figures.append(Figure(key=f"toe_tip_mm_{count}_cameras", ours=lifted[1], against=plain[1]))
    print(table(["feet", *COLUMNS], rows))
    if options.json:
        print(json_line("toes", figures))
    return 0


def measure(takes: Sequence[Take], azimuths_deg: Sequence[float]) -> tuple[Floats, Floats]:
    """Means over the clips of each column, of feet that follow the shin, and of lifted ones."""
    plain, lifted = [], []
    for take in takes:
        poses, cameras = zip(*(seen_from(take, azimuth, n) for n, azimuth in enumerate(azimuths_deg)), strict=True)
        bodies = lifted_views(poses, cameras)
        known = fill_from(adjust_pose(poses, cameras), bodies, poses, cameras)
        plain.append(errors_of(known, take))
        lifted.append(errors_of(with_toes(known, bodies, cameras), take))
        progress(f"{len(cameras)} cameras, {take.name}")
    return np.mean(plain, axis=0), np.mean(lifted, axis=0)


def errors_of(pose: Pose3D, take: Take) -> Floats:
    """What `COLUMNS` name, of the motion that is solved from joints."""
    motion = solve(pose)
    places, _ = fk_rig(motion.rig, motion.local_wxyz, motion.root_m)
    angles, tips, knees = [], [], []
    for side in ("left", "right"):
        toe, ankle, knee = (f"{side}_{joint}" for joint in ("toe", "ankle", "knee"))
        ours = {joint: places[ON_RIG[joint]] for joint in (toe, ankle, knee)}
        true = {joint: take.joints_m[:, LIFTER_20.index(joint)] for joint in (toe, ankle, knee)}
        feet = [one[toe] - one[ankle] for one in (ours, true)]
        cosine = (feet[0] * feet[1]).sum(axis=-1) / np.prod([np.linalg.norm(foot, axis=-1) for foot in feet], axis=0)
        angles.append(np.degrees(np.arccos(cosine.clip(-1, 1))))
        tips.append(np.linalg.norm(ours[toe] - true[toe], axis=-1))
        knees.append(np.abs(ours[knee][:, 1] - true[knee][:, 1]))
    return np.array([np.median(angles), 1000 * np.mean(tips), 1000 * np.mean(knees)])


if __name__ == "__main__":
    sys.exit(main())
