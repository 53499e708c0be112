"""Four cameras see one person, each captured alone: do the four results agree, and with a triangulation?

    python benchmarks/agreement.py [--data DIR] [--json]

Nobody measured the person in these videos, so the results are held against each other: 12 body joints, every frame of
one camera laid onto the same moment of another by the best rotation, translation and scale (P-MPJPE), which leaves the
shape of the pose. A constant pose is compared in the same way: the mean of all poses of all cameras, after Procrustes.
Whoever does no better than it has recognised nothing.

Two more questions: do they agree when a clip may be turned only once as a whole (hips laid together, one rotation and
translation a clip), and how far is each from the triangulation of the 2D joints of all four.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from _multiview import filmed_cameras, find_lags, shifted, triangulate
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.procrustes import align
from mocap3d.cameras.video import open_video

Floats = NDArray[np.float64]

FOLDER = "multiview_pose2sim"
BONES = {
    "shoulder": "UpperArm",
    "elbow": "LowerArm",
    "wrist": "Hand",
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
}
SIDES = ("left", "right")
JOINTS = [f"{side}_{joint}" for joint in BONES for side in SIDES]
HIPS = [JOINTS.index(f"{side}_hip") for side in SIDES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What C cameras saw and made of it, in T frames of each video's own clock; NaN where there is nothing.

    Attributes:
        cameras: as calibrated.
        xy_px: (C, T, 12, 2) detected joints.
        confidence: (C, T, 12).
        motion_m: (C, T, 12, 3) joints of the solved motion, each in a world of its own.
        lifted_m: (C, T, 12, 3) the lifted joints that the motion was solved from.
        cam_from_own: (C, 3, 3) rotation from a view's own world into its camera, as captured.
    """

    cameras: tuple[mocap3d.Camera, ...]
    xy_px: Floats
    confidence: Floats
    motion_m: Floats
    lifted_m: Floats
    cam_from_own: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Millimetres; ``ours`` and ``mean_pose`` side by side.

    Attributes:
        title: what was compared.
        names: N pairs of cameras, or cameras.
        ours: (N,).
        mean_pose: (N,) the constant pose in the place of one of the two.
    """

    title: str
    names: list[str]
    ours: Floats
    mean_pose: Floats


def main(arguments: Sequence[str] | None = None) -> int:
    """Capture, compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MOCAP3D_DATA")
    parser.add_argument(
        "--data", type=Path, default=default, help=f"the folder that holds {FOLDER}; else $MOCAP3D_DATA"
    )
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.data is None or not (options.data / FOLDER).is_dir():
        print(f"--data or MOCAP3D_DATA must name the folder that holds {FOLDER}, got {options.data}", file=sys.stderr)
        return 2
    scores: list[Scores] = []
    for lens in ("calibrated", "default"):
        views = capture_views(options.data / FOLDER, calibrated_lens=lens == "calibrated")
        lags = find_lags(views.cameras, views.xy_px, views.confidence)
        found = compare(views, lags)
        print(f"\n## {lens} lens; frames by which a view runs ahead: {lags}\n\n{report(found)}")
        scores = scores or found
    if options.json:
        print(json_line("agreement", figures(scores)))
    return 0


def capture_views(folder: Path, *, calibrated_lens: bool = True) -> Views:
    """Capture each video by itself; only the lens is taken from the calibration, never the pose of the camera."""
    paths = sorted((folder / "videos").glob("*.mp4"))
    sizes = {path.stem: open_video(path).size_wh_px for path in paths}
    cameras = filmed_cameras(folder / "calibration" / "Calib.qca.txt", sizes)
    seen, rotations = [], []
    for path in paths:
        lens = cameras[path.stem] if calibrated_lens else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
            clip = mocap3d.capture(path, cameras=lens)
        first = clip.performances[0]
        progress(f"{path.name}: person seen in {len(first.motion)} of {clip.shots[-1].stop} frames")
        seen.append((clip.shots[-1].stop, first))
        rotations.append(clip.cameras[first.shot].cam_from_world[:3, :3])
    frames = max(count for count, _ in seen)

    def stacked(of: Callable[[mocap3d.Performance], Floats]) -> Floats:
        return np.stack([_on_video_clock(of(person), person.motion.start_frame, frames) for _, person in seen])

    return Views(
        cameras=tuple(cameras[path.stem] for path in paths),
        xy_px=stacked(lambda person: person.pose2d.xy_px[:, _named(person.pose2d.skeleton)]),
        confidence=np.nan_to_num(stacked(lambda person: person.pose2d.confidence[:, _named(person.pose2d.skeleton)])),
        motion_m=stacked(_motion_joints),
        lifted_m=stacked(lambda person: person.pose3d.xyz_m[:, _named(person.pose3d.skeleton)]),
        cam_from_own=np.stack(rotations),
    )


def _motion_joints(person: mocap3d.Performance) -> Floats:
    world_m, _ = mocap3d.forward(person.motion)
    skeleton = person.motion.rig.skeleton
    return world_m[:, [skeleton.index(f"{side}{bone}") for bone in BONES.values() for side in SIDES]]


def _named(skeleton: mocap3d.Skeleton) -> list[int]:
    return [skeleton.index(joint) for joint in JOINTS]


def _on_video_clock(values: Floats, start: int, frames: int) -> Floats:
    placed = np.full((frames, *values.shape[1:]), np.nan)
    placed[start : start + len(values)] = values
    return placed


def compare(views: Views, lags: Sequence[int]) -> list[Scores]:
    """Score the motion and the lifted joints."""
    xy_px, confidence = shifted(views.xy_px, lags), np.nan_to_num(shifted(views.confidence, lags))
    reference_m, error_px = triangulate(views.cameras, xy_px, confidence)
    progress(f"triangulation: median reprojection error {np.nanmedian(error_px):.1f} px")
    reference = np.broadcast_to(reference_m, (len(views.cameras), *reference_m.shape))
    names = [camera.name for camera in views.cameras]
    results = []
    for what, joints_m in (("motion", shifted(views.motion_m, lags)), ("lifted", shifted(views.lifted_m, lags))):
        turned_once = (joints_m - joints_m[:, :, HIPS].mean(axis=2, keepdims=True)).reshape(len(names), -1, 3)
        constant = mean_pose(joints_m)
        still = constant - constant[HIPS].mean(axis=0)
        still_clip = np.tile(still, (joints_m.shape[1], 1))
        results += [
            _pairs(f"{what}, every frame aligned", names, joints_m, constant, scaled=True),
            _pairs(f"{what}, a clip turned once", names, turned_once, still_clip, scaled=False),
            Scores(
                title=f"{what}, against triangulation",
                names=names,
                ours=errors_mm(joints_m, reference, scaled=True),
                mean_pose=errors_mm(mean_pose(reference_m[None]), reference, scaled=True),
            ),
        ]
    return results


def _pairs(title: str, names: list[str], joints_m: Floats, constant: Floats, *, scaled: bool) -> Scores:
    """Every pair of views, each laid onto the other; and the constant pose laid onto both."""
    pairs = list(itertools.combinations(range(len(names)), 2))
    a, b = joints_m[[a for a, _ in pairs]], joints_m[[b for _, b in pairs]]
    both = errors_mm(a, b, scaled=scaled), errors_mm(b, a, scaled=scaled)
    still = errors_mm(constant, a, scaled=scaled), errors_mm(constant, b, scaled=scaled)
    return Scores(
        title=title,
        names=[f"{names[a]} {names[b]}" for a, b in pairs],
        ours=np.mean(both, axis=0),
        mean_pose=np.mean(still, axis=0),
    )


def errors_mm(moved_m: Floats, target_m: Floats, *, scaled: bool) -> Floats:
    """Mean distance of joints after aligning the last two axes; one number per entry of axis 0."""
    fitted = align(target_m, moved_m, scaled=scaled).apply(moved_m)
    errors = np.linalg.norm(fitted - target_m, axis=-1)
    return np.asarray(1000 * np.nanmean(errors.reshape(len(target_m), -1), axis=1))


def mean_pose(joints_m: Floats) -> Floats:
    """The mean (J, 3) of all complete poses in (..., J, 3) after Procrustes alignment, in the end of their mean size.

    Reference:
        Gower, "Generalized Procrustes analysis", Psychometrika 1975.
    """
    poses = joints_m.reshape(-1, *joints_m.shape[-2:])
    poses = poses[np.isfinite(poses).all(axis=(1, 2))]
    poses = poses - poses.mean(axis=1, keepdims=True)
    size = np.linalg.norm(poses, axis=(1, 2)).mean()
    mean: Floats = poses[0]
    for _ in range(10):
        mean = align(mean, poses, scaled=True).apply(poses).mean(axis=0)
        mean = (mean - mean.mean(axis=0)) * (size / np.linalg.norm(mean - mean.mean(axis=0)))
    return mean


def figures(scores: Sequence[Scores]) -> list[Figure]:
    """What the JSON line compares: means in millimetres, ours against the constant pose."""
    return [
        Figure(
            key=f"{score.title.replace(',', '').replace(' ', '_')}_mm",
            ours=float(score.ours.mean()),
            against=float(score.mean_pose.mean()),
        )
        for score in scores
    ]


def report(scores: Sequence[Scores]) -> str:
    """One Markdown table per kind of comparison; millimetres."""
    tables = []
    for names in dict.fromkeys(tuple(score.names) for score in scores):
        columns = [score for score in scores if tuple(score.names) == names]
        head = ["mm", *(text for score in columns for text in (score.title, "mean pose"))]
        rows = []
        for row, name in enumerate([*names, "**mean**"]):
            values = [
                np.append(column, column.mean())[row] for score in columns for column in (score.ours, score.mean_pose)
            ]
            rows.append([name, *(f"{value:.1f}" for value in values)])
        tables.append(table(head, rows))
    return "\n\n".join(tables)


if __name__ == "__main__":
    sys.exit(main())
