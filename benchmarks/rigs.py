"""How far off are triangulated people, by the number of cameras, noise, outliers and missing joints?

    python benchmarks/rigs.py [--data DIR] [--json]

People of the CMU motion capture (a walk, a dance, punches; without data a figure that walks) stand among two to eight
synthetic cameras, a ring of 4.5 m with tripods a little off. What the cameras see gets Gaussian noise, outliers
anywhere within 300 px, and gaps. Errors are root mean squares in millimetres of all joints that were found.

``bound`` is the Cramér-Rao bound of the clean Gaussian case: the least that an unbiased estimate of each joint by
itself can be off, from numeric derivatives written here. The robust triangulation must stay within 1.2 times of it. The
adjustment of the whole clip knows that bones are rigid and motion is smooth, and may go below.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import numpy as np  # noqa: E402  # after what it depends on, as all below
from _common import Figure, json_line, progress, table  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rigs_of_cameras import pixels, ring, seen_by, walkers  # noqa: E402

from mocap3d import Camera, Pose3D, Skeleton  # noqa: E402
from mocap3d.base.skeletons import COCO_17, LIFTER_20  # noqa: E402
from mocap3d.lift.adjust import adjust_pose  # noqa: E402
from mocap3d.lift.multiview import triangulate_pose  # noqa: E402

Floats = NDArray[np.float64]

ARCHIVE = Path("cmu_amc") / "cmu_amc.tar.xz"
CLIPS = {"02_01": (0.0, 2.8), "05_18": (4.3, 3.0), "02_05": (3.0, 3.0)}
VIEWS = (2, 3, 4, 6, 8)
NOISE_PX = (0.0, 1.0, 2.0, 5.0, 10.0)
SPOILT = ((0.0, 0.2), (0.1, 0.0), (0.2, 0.0), (0.3, 0.0), (0.3, 0.2))
"""(Outliers, missing) shares."""
PROMISE = 1.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {ARCHIVE}; else $MOCAP3D_DATA")
    parser.add_argument("--views", type=int, nargs="+", default=VIEWS, help="how many cameras")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    people, skeleton = some_people(options.data)
    clean, worst = clean_table(people, skeleton, options.views)
    print(f"{clean}\n\n{spoilt_table(people, skeleton, options.views)}")
    if options.json:
        print(json_line("rigs", [Figure(key="error_over_bound", ours=worst, against=PROMISE)]))
    return 0


def some_people(data: Path | None) -> tuple[list[Floats], Skeleton]:
    """(T, J, 3) of each clip around the origin, at 30 frames per second."""
    if data is None or not (data / ARCHIVE).is_file():
        progress(f"no {ARCHIVE} in {data}: a figure walks instead")
        return walkers(1, seconds=3.0), COCO_17
    from cmu_people import read_takes

    takes = read_takes(data / ARCHIVE, CLIPS)
    people = []
    for take in takes.values():
        joints = take.joints_m[:: max(take.fps // 30, 1)]
        middle = joints[:, :1].mean(axis=0) * [1, 0, 1]
        people.append(joints - middle)
    return people, LIFTER_20


def clean_table(people: Sequence[Floats], skeleton: Skeleton, views: Sequence[int]) -> tuple[str, float]:
    """Noise alone, and the largest ratio of error to bound."""
    rows, ratios = [], []
    for count in views:
        cameras = ring(count)
        for noise_px in NOISE_PX:
            poses = found(people, cameras, skeleton, noise_px=noise_px)
            raw, within = error_mm(people, [raw for raw, _ in poses]), share_within(people, [raw for raw, _ in poses])
            bound = bound_mm(people, cameras, noise_px) if noise_px else 0.0
            ratio = raw / bound if noise_px else 1.0
            ratios.append(ratio)
            adjusted = error_mm(people, [adjusted for _, adjusted in poses])
            numbers = [f"{raw:.2f}", f"{bound:.2f}", f"{ratio:.2f}" if noise_px else "", f"{100 * within:.0f}"]
            rows.append([f"{count} cameras, {noise_px:g} px", *numbers, f"{adjusted:.2f}"])
        progress(f"{count} cameras, noise")
    head = ["clean", "triangulated, mm", "bound", "ratio", "% within std_m", "whole clip, mm"]
    return table(head, rows), max(ratios)


def spoilt_table(people: Sequence[Floats], skeleton: Skeleton, views: Sequence[int]) -> str:
    """Outliers and missing joints, on 2 px of noise."""
    rows = []
    for count in views:
        cameras = ring(count)
        for outliers, missing in SPOILT:
            poses = found(people, cameras, skeleton, noise_px=2.0, outliers=outliers, missing=missing)
            cells = []
            for which in (0, 1):
                some = [both[which] for both in poses]
                off = np.concatenate([distances_m(truth, pose) for truth, pose in zip(people, some, strict=True)])
                shares = (off > 0.1).mean(), np.isnan(off).mean()
                cells += [f"{1000 * np.nanmedian(off):.1f}", *(f"{100 * share:.2f}" for share in shares)]
            rows.append([f"{count} cameras, {100 * outliers:g} % wrong, {100 * missing:g} % missing", *cells])
        progress(f"{count} cameras, outliers and gaps")
    columns = ["median, mm", "% > 10 cm", "% not found"]
    return table(["2 px", *columns, *(f"{column}, whole clip" for column in columns)], rows)


def found(
    people: Sequence[Floats], cameras: Sequence[Camera], skeleton: Skeleton, **spoiling: float
) -> list[tuple[Pose3D, Pose3D]]:
    """Each person triangulated frame by frame, and over the whole clip."""
    results = []
    for seed, person in enumerate(people):
        poses = seen_by(cameras, person, skeleton=skeleton, seed=seed, **spoiling)
        results.append((triangulate_pose(poses, cameras), adjust_pose(poses, cameras)))
    return results


def distances_m(truth: Floats, pose: Pose3D) -> Floats:
    """(T * J,) metres; NaN where nothing was found."""
    return np.asarray(np.linalg.norm(pose.xyz_m - truth, axis=-1).ravel())


def error_mm(people: Sequence[Floats], poses: Sequence[Pose3D]) -> float:
    """Root mean square of all joints that were found."""
    off = np.concatenate([distances_m(truth, pose) for truth, pose in zip(people, poses, strict=True)])
    return float(1000 * np.sqrt(np.nanmean(off**2)))


def share_within(people: Sequence[Floats], poses: Sequence[Pose3D]) -> float:
    """Coordinates that are off by less than ``std_m``; 68 % if that is right."""
    inside = [np.abs(pose.xyz_m - truth) < pose.std_m[..., None] for truth, pose in zip(people, poses, strict=True)]
    return float(np.concatenate([each.ravel() for each in inside]).mean())


def bound_mm(people: Sequence[Floats], cameras: Sequence[Camera], noise_px: float) -> float:
    """Cramér-Rao: joints by themselves, independent Gaussian errors in all pictures."""
    variances = []
    for truth in people:
        points = truth.reshape(-1, 3)
        information = np.zeros((len(points), 3, 3))
        for camera in cameras:
            steps = 1e-4 * np.eye(3)
            slope = np.stack([(pixels(camera, points + s) - pixels(camera, points - s)) / 2e-4 for s in steps], axis=-1)
            information += np.swapaxes(slope, 1, 2) @ slope / noise_px**2
        variances.append(np.trace(np.linalg.inv(information), axis1=1, axis2=2))
    return float(1000 * np.sqrt(np.concatenate(variances).mean()))


if __name__ == "__main__":
    sys.exit(main())
