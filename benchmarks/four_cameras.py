"""Four real cameras, one person, a calibration of somebody else's: how well do the views agree, are bones constant?

    python benchmarks/four_cameras.py [--data DIR] [--joints FILE.npz] [--json]

The videos and the Qualisys calibration of ``multiview_pose2sim`` (BSD-3, PyPI ``pose2sim``). MoveNet finds 2D joints in
each video alone; the crop is what the pictures show (two videos have black bars), the offsets in time are those of
`sync_motion` and `sync_rays`, as in a capture.

The calibration is used as it came, and with its principal points where they belong: the file is of pictures that were
turned upright, and the points were turned without being reflected. Three things say so, and the first table tells
them: of all ways to reflect one axis per camera or none, which agree with a quarter turn of each camera, one fits
best; the constant error of each camera in pixels, measured with the file as it is, points to where reflected points
would be (the cosine, without what moves the person); and offsets in time that make rays meet come out at nothing, as
cameras do that one wire triggers.

Nobody measured the person, so three things are told of 12 body joints: the median reprojection error over all views;
how much the length of each of eight limbs changes over the clip (the largest standard deviation, and all); and in how
many views joints are believed. Rows: joints frame by frame, as capture starts from; the adjustment of the whole clip,
which is what the solver gets; and the solved motion, whose bones are constant.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from _multiview import REFLECTED, reflected, shown
from numpy.typing import NDArray

import mocap3d
from mocap3d import Camera, Pose2D, Pose3D
from mocap3d.base.projection import project
from mocap3d.base.skeletons import COCO_17
from mocap3d.base.triangulation import px_per_m, reprojection_px
from mocap3d.cameras.crop import bars_px, crops_that_fit
from mocap3d.cameras.files import read_cameras
from mocap3d.cameras.sync import sync_motion, sync_rays, synchronised
from mocap3d.cameras.video import open_video
from mocap3d.lift.adjust import adjust_pose
from mocap3d.lift.multiview import triangulate_everything, triangulate_pose
from mocap3d.motion.solve import solve

Floats = NDArray[np.float64]
FOLDER = "multiview_pose2sim"
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY = [n for n, name in enumerate(COCO_17.joint_names) if name.endswith(PARTS)]
CHAINS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
BONES = {"shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand", "hip": "UpperLeg", "knee": "LowerLeg",
         "ankle": "Foot"}  # fmt: skip
PROMISE_PX, PROMISE_MM = 7.0, 15.0
FPS = Fraction(60)


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
        shipped, frames, whole, _ = rows
        figures = {
            "median_px_as_shipped": (float(np.nanmedian(shipped.error_px)), PROMISE_PX),
            "median_px": (float(np.nanmedian(frames.error_px)), PROMISE_PX),
            "worst_limb_frame_by_frame_mm": (float(frames.limbs_mm.max()), PROMISE_MM),
            "worst_limb_mm": (float(whole.limbs_mm.max()), PROMISE_MM),
        }
        print(
            json_line(
                "four_cameras",
                [Figure(key=key, ours=ours, against=against) for key, (ours, against) in figures.items()],
            )
        )
    return 0


def measure(folder: Path, joints: Path | None) -> list[Row]:
    """All rows."""
    calibrated = read_cameras(folder / "calibration" / "Calib.qca.txt")
    seen, sizes = joints_2d(folder, joints, calibrated)
    say_crops(folder, calibrated, sizes)
    shipped = tuple(shown(camera, size) for camera, size in zip(calibrated, sizes, strict=True))
    cameras = tuple(
        shown(reflected(camera, REFLECTED[camera.name]), size) for camera, size in zip(calibrated, sizes, strict=True)
    )
    as_shipped, poses = on_one_clock(seen, shipped, "as shipped"), on_one_clock(seen, cameras, "reflected")
    print(table(["principal points", "median px", "mean log"], reflections(as_shipped, calibrated, sizes)), end="\n\n")
    say_constant_errors(as_shipped, shipped, cameras)
    whole = adjust_pose(poses, cameras)
    return [
        row("frame by frame, calibration as shipped", triangulate_pose(as_shipped, shipped), as_shipped, shipped),
        row("frame by frame, principal points reflected", triangulate_pose(poses, cameras), poses, cameras),
        row("whole clip, principal points reflected", whole, poses, cameras),
        row("solved motion", solved(whole), poses, cameras),
    ]


def say_crops(folder: Path, calibrated: Sequence[Camera], sizes: Sequence[tuple[int, int]]) -> None:
    """What the pictures show of those that were calibrated."""
    for camera, size in zip(calibrated, sizes, strict=True):
        with open_video(folder / "videos" / f"{camera.name}.mp4") as video:
            bars = bars_px(itertools.islice(video, 0, None, 20))
        print(f"{camera.name}: {' or '.join(word for word, _ in crops_that_fit(camera, size, bars=bars))}")


def on_one_clock(seen: Sequence[Pose2D], cameras: Sequence[Camera], what: str) -> tuple[Pose2D | None, ...]:
    """Synchronised by motion, then by the rays of these cameras."""
    offsets_s = sync_motion([[pose] for pose in seen]).offsets_s
    poses, _ = synchronised(seen, offsets_s, fps=FPS)
    rays = sync_rays([poses], cameras)
    frames, by_rays = (60 * offsets_s).round(2), (60 * (offsets_s + rays.offsets_s)).round(2)
    print(f"offsets by motion {frames} frames; by rays {by_rays} +- {(60 * rays.std_s).round(2)}, {what}")
    return synchronised(seen, offsets_s + rays.offsets_s, fps=FPS)[0]


def reflections(
    poses: Sequence[Pose2D | None], calibrated: Sequence[Camera], sizes: Sequence[tuple[int, int]]
) -> list[list[str]]:
    """How well views agree, for each way in which pictures may have been turned; the best few, and as shipped."""
    rows = []
    for axes in [None, *itertools.product((0, 1), repeat=len(calibrated))]:
        turned = calibrated if axes is None else [reflected(*one) for one in zip(calibrated, axes, strict=True)]
        cameras = [shown(camera, size) for camera, size in zip(turned, sizes, strict=True)]
        error_px = triangulate_everything(poses, cameras).error_px[:, :, BODY]
        cost = float(np.nanmean(np.log1p((error_px / 10) ** 2)))
        words = "as shipped" if axes is None else " ".join("xy"[axis] for axis in axes)
        rows.append((cost, [words, f"{np.nanmedian(error_px):.2f}", f"{cost:.3f}"]))
    return [cells for cost, cells in sorted(rows) if cost in sorted(c for c, _ in rows)[:3] or cells[0] == "as shipped"]


def say_constant_errors(
    poses: Sequence[Pose2D | None], shipped: Sequence[Camera], reflected_ones: Sequence[Camera]
) -> None:
    """The constant error of each camera beside where its principal point would move, but for what moves the person."""
    found = np.zeros((len(shipped), 2))
    for _ in range(20):
        moved = [replace(camera, K=camera.K + shift(px)) for camera, px in zip(shipped, found, strict=True)]
        xyz_m = triangulate_everything(poses, moved).pose.xyz_m
        for n, (camera, pose) in enumerate(zip(moved, poses, strict=True)):
            if pose is not None:
                found[n] += np.nanmedian((pose.xy_px - project(camera, xyz_m)[0])[:, BODY], axis=(0, 1))
    told = np.stack([b.K[:2, 2] - a.K[:2, 2] for a, b in zip(shipped, reflected_ones, strict=True)])
    middle = np.nanmean(xyz_m[:, BODY], axis=(0, 1))
    follow = np.concatenate([px_per_m(camera, middle) for camera in shipped])
    without = np.eye(len(follow)) - follow @ np.linalg.pinv(follow)
    a, b = without @ found.ravel(), without @ told.ravel()
    cosine = a @ b / np.sqrt(a @ a * (b @ b))
    print(f"constant errors {a.round(1)} px, reflected points would make {b.round(1)}: cosine {cosine:.3f}\n")


def shift(px: Floats) -> Floats:
    """(3, 3) that moves a principal point."""
    return np.array([[0, 0, px[0]], [0, 0, px[1]], [0, 0, 0.0]])


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
        sizes.append(clip.cameras[0].size_wh_px)
    if kept is not None:
        np.savez(
            kept, xy_px=[pose.xy_px for pose in poses], confidence=[pose.confidence for pose in poses], sizes=sizes
        )
    return poses, sizes


def pose_2d(xy_px: Floats, confidence: Floats, name: str) -> Pose2D:
    """One camera's joints at 60 frames per second."""
    return Pose2D(xy_px=xy_px, confidence=confidence, fps=Fraction(60), skeleton=COCO_17, camera_name=name)


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
