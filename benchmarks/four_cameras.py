"""Four real cameras, one person, a calibration of somebody else's: how well do the views agree, are bones constant?

    python benchmarks/four_cameras.py [--data DIR] [--joints FILE.npz] [--json]

The videos and the Qualisys calibration of ``multiview_pose2sim`` (BSD-3, PyPI ``pose2sim``). MoveNet finds 2D joints in
each video alone; offsets in time, to a quarter of a frame, and the crop of the two videos that are narrower than the
calibration says are those with which the views agree best. Nobody measured the person, so three things are told of 12
body joints: the median reprojection error over all views; how much the length of each of eight limbs changes over the
clip (the largest standard deviation, and all); and in how many views joints are believed.

Rows: joints frame by frame, with errors of the views as the clip tells them (the default), and with errors that are
said to be small, so that views which disagree lose their say instead of being averaged; the adjustment of the whole
clip, both ways; and the solved motion, whose bones are constant.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from numpy.typing import NDArray

import mocap3d
from mocap3d import Camera, Pose2D, Pose3D
from mocap3d.base.skeletons import COCO_17
from mocap3d.base.triangulation import reprojection_px
from mocap3d.cameras.crop import crops_that_fit
from mocap3d.cameras.files import read_cameras
from mocap3d.cameras.sync import synchronised
from mocap3d.lift.adjust import AdjustSettings, adjust_pose
from mocap3d.lift.multiview import MultiviewSettings, triangulate_everything, triangulate_pose
from mocap3d.motion.solve import solve

Floats = NDArray[np.float64]
FOLDER = "multiview_pose2sim"
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY = [n for n, name in enumerate(COCO_17.joint_names) if name.endswith(PARTS)]
CHAINS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
BONES = {"shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand", "hip": "UpperLeg", "knee": "LowerLeg",
         "ankle": "Foot"}  # fmt: skip
SMALL_PX = 2.0
PROMISE_PX, PROMISE_MM = 7.0, 15.0
QUARTERS = np.arange(-12, 13) / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to find joints: pixels by view, limbs in millimetres, mean number of views."""

    name: str
    error_px: Floats
    limbs_mm: Floats
    views: float

    def cells(self) -> list[str]:
        """For the table."""
        by_view = " ".join(f"{value:.1f}" for value in np.nanmedian(self.error_px, axis=(1, 2)))
        limbs = " ".join(f"{value:.1f}" for value in self.limbs_mm)
        median = f"{np.nanmedian(self.error_px):.2f}"
        return [self.name, median, by_view, f"{self.limbs_mm.max():.1f}", limbs, f"{self.views:.2f}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"the folder that holds {FOLDER}; else $MOCAP3D_DATA")
    parser.add_argument("--joints", type=Path, help="where 2D joints are kept between runs")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.data is None or not (options.data / FOLDER).is_dir():
        print(f"--data or MOCAP3D_DATA must name the folder that holds {FOLDER}, got {options.data}", file=sys.stderr)
        return 2
    rows = measure(options.data / FOLDER, options.joints)
    head = ["12 body joints", "median px", "by view", "worst limb, mm", "limbs, mm", "views"]
    print(table(head, [row.cells() for row in rows]))
    if options.json:
        told, _, whole, small, _ = rows
        print(
            json_line(
                "four_cameras",
                [
                    Figure(key="median_px", ours=float(np.nanmedian(told.error_px)), against=PROMISE_PX),
                    Figure(key="worst_limb_mm", ours=float(told.limbs_mm.max()), against=PROMISE_MM),
                    Figure(key="worst_limb_whole_clip_mm", ours=float(whole.limbs_mm.max()), against=PROMISE_MM),
                    Figure(key="median_px_small_errors", ours=float(np.nanmedian(small.error_px)), against=PROMISE_PX),
                    Figure(key="worst_limb_small_errors_mm", ours=float(small.limbs_mm.max()), against=PROMISE_MM),
                ],
            )
        )
    return 0


def measure(folder: Path, joints: Path | None) -> list[Row]:
    """All rows."""
    calibrated = read_cameras(folder / "calibration" / "Calib.qca.txt")
    seen, sizes = joints_2d(folder, joints, calibrated)
    poses, cameras = fitted(seen, calibrated, sizes)
    small = MultiviewSettings(std_px=SMALL_PX)
    whole = adjust_pose(poses, cameras)
    small_first = triangulate_pose(poses, cameras, settings=small)
    small_whole = adjust_pose(poses, cameras, settings=AdjustSettings(views=small))
    kinds = {
        "frame by frame, errors told by the clip": triangulate_pose(poses, cameras),
        f"frame by frame, errors of {SMALL_PX:g} px": small_first,
        "whole clip, errors told by the clip": whole,
        f"whole clip, errors of {SMALL_PX:g} px": small_whole,
        "solved motion": solved(whole),
    }
    return [row(name, pose, poses, cameras) for name, pose in kinds.items()]


def joints_2d(folder: Path, kept: Path | None, cameras: Sequence[Camera]) -> tuple[list[Pose2D], list[tuple[int, int]]]:
    """What MoveNet sees in each video, and the sizes of the videos."""
    if kept is not None and kept.is_file():
        stored = np.load(kept)
        sizes = [(int(width), int(height)) for width, height in stored["sizes"]]
        pairs = zip(stored["xy_px"], stored["confidence"], cameras, strict=True)
        return [pose_2d(xy, confidence, camera.name) for xy, confidence, camera in pairs], sizes
    poses, sizes = [], []
    for camera in cameras:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
            clip = mocap3d.capture(folder / "videos" / f"{camera.name}.mp4")
        found = clip.performances[0].pose2d
        progress(f"{camera.name}: person seen in {len(found)} frames")
        poses.append(pose_2d(found.xy_px, found.confidence, camera.name))
        sizes.append(clip.performances[0].camera.size_wh_px)
    if kept is not None:
        np.savez(
            kept, xy_px=[pose.xy_px for pose in poses], confidence=[pose.confidence for pose in poses], sizes=sizes
        )
    return poses, sizes


def pose_2d(xy_px: Floats, confidence: Floats, name: str) -> Pose2D:
    """One camera's joints at 60 frames per second."""
    return Pose2D(xy_px=xy_px, confidence=confidence, fps=Fraction(60), skeleton=COCO_17, camera_name=name)


def fitted(
    seen: list[Pose2D], calibrated: Sequence[Camera], sizes: list[tuple[int, int]]
) -> tuple[tuple[Pose2D | None, ...], tuple[Camera, ...]]:
    """Offsets in time and crops with which views agree best: least mean logarithm of squared errors."""

    def cost(offsets: Sequence[float], cameras: Sequence[Camera]) -> float:
        poses, _ = synchronised(seen, np.array(offsets) / 60, fps=Fraction(60))
        error_px = triangulate_everything(poses, cameras).error_px[:, :, BODY]
        return float(np.nanmean(np.log1p((error_px / 10) ** 2)))

    choices = [list(crops_that_fit(camera, size)) for camera, size in zip(calibrated, sizes, strict=True)]
    offsets = [0.0] * len(seen)
    crops = tuple(choice[0] for choice in choices)
    for _ in range(2):
        for view in range(1, len(seen)):
            cameras = [camera for _, camera in crops]
            tried = [[*offsets[:view], float(frames), *offsets[view + 1 :]] for frames in QUARTERS]
            offsets = min(tried, key=lambda some: cost(some, cameras))
        crops = min(itertools.product(*choices), key=lambda some: cost(offsets, [camera for _, camera in some]))
    said = ", ".join(f"{camera.name}: {word}" for word, camera in crops)
    progress(f"videos began {offsets} frames after the first; {said}")
    poses, _ = synchronised(seen, np.array(offsets) / 60, fps=Fraction(60))
    return poses, tuple(camera for _, camera in crops)


def row(name: str, pose: Pose3D, poses: Sequence[Pose2D | None], cameras: Sequence[Camera]) -> Row:
    """Measure joints."""
    xy_px = np.stack([np.full((*pose.xyz_m.shape[:2], 2), np.nan) if each is None else each.xy_px for each in poses])
    error_px = reprojection_px(cameras, pose.xyz_m, xy_px)[:, :, BODY]
    at = {name: pose.xyz_m[:, n] for n, name in enumerate(COCO_17.joint_names)}
    limbs = [np.linalg.norm(at[f"{s}_{a}"] - at[f"{s}_{b}"], axis=-1) for s in ("left", "right") for a, b in CHAINS]
    return Row(
        name=name,
        error_px=error_px,
        limbs_mm=np.array([1000 * np.nanstd(limb) for limb in limbs]),
        views=float(pose.views[:, BODY].mean()),
    )


def solved(pose: Pose3D) -> Pose3D:
    """The joints of the motion that is solved from these."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
        motion = solve(pose)
    world_m, _ = mocap3d.forward(motion)
    xyz_m = np.full(pose.xyz_m.shape, np.nan)
    for joint, bone in BONES.items():
        for side in ("left", "right"):
            of = motion.rig.skeleton.index(f"{side}{bone}")
            xyz_m[:, COCO_17.index(f"{side}_{joint}")] = world_m[:, of]
    there = np.isfinite(xyz_m).all(axis=-1)
    return Pose3D(
        xyz_m=xyz_m, confidence=there * 1.0, std_m=there * 0.0, views=pose.views * there, fps=pose.fps,
        skeleton=pose.skeleton, frame="world",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
