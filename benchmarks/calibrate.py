"""Calibration from boards on real recordings, beside the calibrations that came with them.

    python benchmarks/calibrate.py [--data DATA] [--json]

DATA is the folder of real recordings, else $MOCAP3D_DATA. Two tables:

* lenses: the seven photos of a checkerboard (4 x 7 corners, 60 mm) of each camera of ``multiview_pose2sim``, against
  the lenses of its ``Calib.qca.txt``;
* a rig: the four videos of a moving ChArUco board of ``charuco_caliscope``, with the shipped lenses, against the
  shipped poses: baselines and angles of every pair of cameras, and the reprojection error of times that were held out
  (every fifth time in turn; ours are solved without them, the shipped ones have seen them). Held-out times are judged
  in two ways: each corner triangulated by itself, and the board placed as the rigid thing that it is.

The keys of ``--json``: root mean square pixels of the held-out times, ours against the shipped cameras'.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.triangulation import reprojection_px, triangulate
from mocap3d.cameras.board_corners import CornerFinder
from mocap3d.cameras.board_pose import board_poses
from mocap3d.cameras.boards import Board, BoardView, read_board
from mocap3d.cameras.bundle import BoardSights, adjust_boards
from mocap3d.cameras.extrinsics import calibrate_rig
from mocap3d.cameras.files import read_cameras
from mocap3d.cameras.intrinsics import calibrate_lens
from mocap3d.cameras.video import open_video

FOLDS = 5
Rows = list[list[BoardView | None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=default, help="the folder of real recordings; else $MOCAP3D_DATA")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.data is None or not (options.data / "charuco_caliscope").is_dir():
        print(f"--data or MOCAP3D_DATA must name the folder of real recordings, got {options.data}", file=sys.stderr)
        return 1
    lenses(options.data / "multiview_pose2sim" / "calibration")
    figures = rig(options.data / "charuco_caliscope")
    if options.json:
        print(json_line("calibrate", figures))
    return 0


def lenses(folder: Path) -> None:
    """The lenses of four cameras from seven photos each."""
    rows = []
    for camera in read_cameras(folder / "Calib.qca.txt"):
        progress(f"photos of {camera.name}")
        found = calibrate_lens(folder / "intrinsics" / f"int_{camera.name}_img", "chessboard:4x7:60mm")
        K, shipped = found.camera.K, camera.K
        rows.append(
            [
                camera.name,
                *(f"{K[i, i]:.1f} ({K[i, i] / shipped[i, i] - 1:+.2%})" for i in (0, 1)),
                *(f"{K[i, 2]:.1f} ({K[i, 2] - shipped[i, 2]:+.1f})" for i in (0, 1)),
                f"{found.focal_std[0]:.2%}",
                f"{max(found.principal_std_px):.1f}",
                f"{found.rms_px:.2f}",
                f"{len(found.views)}",
                f"{found.coverage:.0%}",
            ]
        )
    head = ["camera", "fx (- file's)", "fy", "cx", "cy", "std f", "std c px", "rms px", "photos", "coverage"]
    print(table(head, rows), end="\n\n")


def rig(folder: Path) -> list[Figure]:
    """Four cameras from videos of a moving board."""
    board, shipped = read_board(folder / "charuco.toml"), read_cameras(folder / "camera_array.toml")
    seen = sights(folder / "calibration" / "extrinsic", board, len(shipped))
    progress("the rig from all times")
    solved = calibrate_rig(shipped, seen, board)
    rows = []
    for i in range(len(shipped)):
        for j in range(i + 1, len(shipped)):
            ours, theirs = (c[j].cam_from_world @ c[i].world_from_cam for c in (solved.cameras, shipped))
            far, known = np.linalg.norm(ours[:3, 3]), np.linalg.norm(theirs[:3, 3])
            angle = np.degrees(Rotation.from_matrix(ours[:3, :3] @ theirs[:3, :3].T).magnitude())
            rows.append([f"{i} {j}", f"{far:.4f}", f"{known:.4f}", f"{far / known - 1:+.2%}", f"{angle:.2f}"])
    print(table(["cameras", "baseline m", "shipped m", "difference", "rotation deg"], rows), end="\n\n")
    figures = held_out(shipped, seen, board)
    print(f"{sum(solved.corners)} corners, {solved.left_out:.2%} left out, rms {solved.rms_px:.3f} px")
    head = ["held out, rms px", "mocap3d", "shipped", "ratio"]
    print(table(head, [[f.key, f"{f.ours:.4f}", f"{f.against:.4f}", f"{f.ratio:.3f}"] for f in figures]))
    return figures


def held_out(shipped: Sequence[Camera], seen: Rows, board: Board) -> list[Figure]:
    """Root mean square pixels of times that took no part; the shipped lenses, our poses against the shipped ones."""
    times = [t for t in range(len(seen[0])) if sum(row[t] is not None for row in seen) > 1]
    squares: dict[str, list[tuple[float, int]]] = {}
    for fold in range(FOLDS):
        progress(f"held out: {fold + 1} of {FOLDS}")
        held = set(times[fold::FOLDS])
        rest = [[None if t in held else view for t, view in enumerate(row)] for row in seen]
        for name, cameras in (("ours", calibrate_rig(shipped, rest, board).cameras), ("shipped", shipped)):
            squares.setdefault(f"{name} corner", []).append(by_corner(cameras, seen, board, held))
            squares.setdefault(f"{name} board", []).append(by_board(cameras, seen, board, held))
    rms = {key: float(np.sqrt(sum(s for s, _ in parts) / sum(n for _, n in parts))) for key, parts in squares.items()}
    return [
        Figure(key=f"held_out_{kind}_px", ours=rms[f"ours {kind}"], against=rms[f"shipped {kind}"])
        for kind in ("corner", "board")
    ]


def sights(folder: Path, board: Board, cameras: int) -> Rows:
    """The board in each camera at each common time; the n-th picture of a video has the n-th of its camera's times."""
    with (folder / "timestamps.csv").open(encoding="utf-8") as file:
        entries = [(int(r["cam_id"]), int(r["frame_index"]), int(r["sync_index"])) for r in csv.DictReader(file)]
    first, last = min(e[2] for e in entries), max(e[2] for e in entries)
    finder, rows = CornerFinder(board), []
    for c in range(cameras):
        progress(f"the board in video {c}")
        row: list[BoardView | None] = [None] * (last - first + 1)
        own = sorted(e[1:] for e in entries if e[0] == c)
        for (_, sync), picture in zip(own, open_video(folder / f"cam_{c}.mp4"), strict=True):
            row[sync - first] = finder.find(picture)
        rows.append(row)
    return rows


def by_corner(cameras: Sequence[Camera], seen: Rows, board: Board, times: set[int]) -> tuple[float, int]:
    """Sum of squared pixels and count of sights, each corner triangulated by itself."""
    count, order = len(board.points_m), sorted(times)
    xy = np.full((len(cameras), len(order) * count, 2), np.nan)
    for c, row in enumerate(seen):
        for n, t in enumerate(order):
            view = row[t]
            if view is not None:
                xy[c, n * count + view.ids] = view.xy_px
    there = np.isfinite(xy[..., 0])
    found = triangulate(cameras, xy, there.astype(float))
    points: NDArray[np.float64] = found[0] if isinstance(found, tuple) else found
    off = reprojection_px(cameras, points, xy)[:, there.sum(axis=0) > 1]
    return float(np.nansum(off**2)), int(np.isfinite(off).sum())


def by_board(cameras: Sequence[Camera], seen: Rows, board: Board, times: set[int]) -> tuple[float, int]:
    """The same with one pose of the board for each time, cameras as they are."""
    total, number = 0.0, 0
    for t in times:
        views = [(c, view) for c, row in enumerate(seen) if (view := row[t]) is not None]
        counts = [len(view.ids) for _, view in views]
        sights = BoardSights(
            camera=np.repeat([c for c, _ in views], counts),
            body=np.zeros(sum(counts), int),
            local_m=np.concatenate([board.points_m[view.ids] for _, view in views]),
            xy_px=np.concatenate([view.xy_px for _, view in views]),
        )
        starts = [
            cameras[c].world_from_cam @ pose for c, view in views for pose, _ in board_poses(cameras[c], board, view)
        ]
        fits = [adjust_boards(cameras, [start], sights, fixed=range(len(cameras))) for start in starts]
        best = min(float(np.nansum(fit.residuals_px**2)) for fit in fits if not np.isnan(fit.residuals_px).any())
        total, number = total + best, number + sum(counts)
    return total, number


if __name__ == "__main__":
    raise SystemExit(main())
