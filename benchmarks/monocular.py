"""One camera against four: how far is each view's own result from a triangulation, beside MediaPipe's?

    python benchmarks/monocular.py --mediapipe-python ENV/bin/python [--data DIR] [--json]

Real video: four calibrated cameras around one person. Each video is captured alone, with the lens from the calibration,
and held against joints triangulated from all four: once from our detector's 2D joints and once from MediaPipe's, so
that neither is favoured. 12 body joints, millimetres:

* P-MPJPE: every frame laid onto the truth by the best rotation, translation and scale.
* root-aligned: in the camera's axes, the middle of the hips at the origin, nothing fitted. Our scale is that of the
  height that capture assumes (nobody told the person's), MediaPipe's is its own.

The constant pose is the truth's own mean pose after Procrustes, in its mean size; it is turned as well as can be once
per view for the root-aligned column. Needs an environment with ``locks/mediapipe.txt``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from _multiview import find_lags, shifted, triangulate
from agreement import FOLDER, HIPS, JOINTS, capture_views, errors_mm, mean_pose
from capture import HOW_TO_GET_MEDIAPIPE
from numpy.typing import NDArray

from mocap3d import Camera
from mocap3d.base.procrustes import align

Floats = NDArray[np.float64]

MEDIAPIPE = {"shoulder": 11, "elbow": 13, "wrist": 15, "hip": 23, "knee": 25, "ankle": 27}  # left; right is one more
LANDMARKS = [MEDIAPIPE[name.split("_")[1]] + (name.startswith("right")) for name in JOINTS]
MEASURES = ("P-MPJPE", "root-aligned")
PROMISE = 0.65  # of MediaPipe's error


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data, python = os.environ.get("MOCAP3D_DATA"), os.environ.get("MOCAP3D_MEDIAPIPE_PYTHON")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {FOLDER}; else $MOCAP3D_DATA")
    parser.add_argument("--mediapipe-python", default=python, help="a Python that has locks/mediapipe.txt installed")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.data is None or not (options.data / FOLDER).is_dir():
        parser.error(f"--data or MOCAP3D_DATA must name the folder that holds {FOLDER}, got {options.data}")
    if not options.mediapipe_python:
        print(HOW_TO_GET_MEDIAPIPE, file=sys.stderr)
        return 2
    views = capture_views(options.data / FOLDER)
    theirs_px, seen, theirs_m = mediapipe_views(
        options.data / FOLDER / "videos", views.cameras, options.mediapipe_python
    )
    lags = find_lags(views.cameras, views.xy_px, views.confidence)
    results_m = {
        "lifted": np.einsum("cij,ctkj->ctki", views.cam_from_own, views.lifted_m),
        "motion": np.einsum("cij,ctkj->ctki", views.cam_from_own, views.motion_m),
        "MediaPipe": theirs_m,
    }
    detected = {"MoveNet": (views.xy_px, views.confidence), "MediaPipe": (theirs_px, seen)}
    print(f"frames by which a view runs ahead: {lags}")
    figures = []
    for source, (xy_px, confidence) in detected.items():
        truth_m, error_px = triangulate(views.cameras, shifted(xy_px, lags), np.nan_to_num(shifted(confidence, lags)))
        print(f"\n## truth from {source} 2D joints, median reprojection error {np.nanmedian(error_px):.1f} px\n")
        in_cams_m = np.stack([truth_m @ camera.cam_from_world[:3, :3].T for camera in views.cameras])
        scores = {name: score(shifted(found, lags), in_cams_m) for name, found in results_m.items()}
        scores["constant pose"] = score_constant(in_cams_m)
        print(report([camera.name for camera in views.cameras], scores))
        for n, measure in enumerate(MEASURES):
            ours, theirs = (float(scores[name][n].mean()) for name in ("lifted", "MediaPipe"))
            print(f"\n{measure}: {ours / theirs:.2f} of MediaPipe's (promise {PROMISE})")
            key = f"{measure}_{source}_truth_mm".lower().replace("-", "_")
            figures.append(Figure(key=key, ours=ours, against=theirs))
    if options.json:
        print(json_line("monocular", figures))
    return 0


def report(names: list[str], scores: dict[str, tuple[Floats, Floats]]) -> str:
    """A row per camera, and their mean; a column per result and measure."""
    head = ["mm", *(f"{measure}, {name}" for measure in MEASURES for name in scores)]
    columns = [np.append(both[n], both[n].mean()) for n in range(len(MEASURES)) for both in scores.values()]
    rows = [[name, *(f"{column[row]:.1f}" for column in columns)] for row, name in enumerate([*names, "**mean**"])]
    return table(head, rows)


def mediapipe_views(folder: Path, cameras: Sequence[Camera], python: str) -> tuple[Floats, Floats, Floats]:
    """Run MediaPipe over each video: its 2D joints (C, T, 12, 2), visibility (C, T, 12), world joints (C, T, 12, 3)."""
    xy_px, seen, world_m = [], [], []
    for camera in cameras:
        progress(f"MediaPipe: {camera.name}")
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "landmarks.npz"
            program = Path(__file__).with_name("_run_mediapipe.py")
            command = [python, str(program), str(folder / f"{camera.name}.mp4"), str(out)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with np.load(out) as found:
                flat, world = found["xy_of_size_and_visibility"], found["world_m"]
        xy_px.append(flat[:, LANDMARKS, :2] * camera.size_wh_px - 0.5)  # theirs: 0 and 1 are the picture's edges
        seen.append(np.nan_to_num(flat[:, LANDMARKS, 2]))
        world_m.append(world[:, LANDMARKS])  # +x right, +y down, +z forward, like a camera's
    return np.stack(xy_px), np.stack(seen), np.stack(world_m)


def score(found_m: Floats, truth_m: Floats) -> tuple[Floats, Floats]:
    """P-MPJPE and root-aligned error of each view (C,), joints (C, T, 12, 3) in the axes of each camera."""
    apart_m = np.linalg.norm(_around_hips(found_m) - _around_hips(truth_m), axis=-1)
    return errors_mm(found_m, truth_m, scaled=True), 1000 * np.nanmean(apart_m, axis=(1, 2))


def score_constant(truth_m: Floats) -> tuple[Floats, Floats]:
    """What the best constant pose would score."""
    constant = mean_pose(truth_m[:1])
    frames = truth_m.shape[1]
    turned_once = []
    for view in _around_hips(truth_m):
        known = np.isfinite(view).all(axis=(1, 2))
        pose = np.tile(constant - constant[HIPS].mean(axis=0), (known.sum(), 1))
        fitted = align(view[known].reshape(-1, 3), pose, scaled=False).apply(pose)
        turned_once.append(np.broadcast_to(fitted[: len(JOINTS)], (frames, len(JOINTS), 3)))
    _, root_aligned = score(np.stack(turned_once), truth_m)
    return errors_mm(constant, truth_m, scaled=True), root_aligned


def _around_hips(joints_m: Floats) -> Floats:
    return np.asarray(joints_m - joints_m[..., HIPS, :].mean(axis=-2, keepdims=True))


if __name__ == "__main__":
    sys.exit(main())
