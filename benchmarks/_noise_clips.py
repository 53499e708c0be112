"""Real videos -> how far MoveNet's joints lie from better tracks of the same joints.

A *folder of views* holds ``videos/*.mp4`` and ``calibration/*.qca.txt`` (as ``multiview_pose2sim``), or
``camera_array.toml`` and ``calibration/extrinsic/*.mp4`` with ``timestamps.csv`` (as ``charuco_caliscope``). Any other
path is a video of one camera.
"""

from __future__ import annotations

import csv
import itertools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from _common import progress
from _multiview import OUTLIER_PX, filmed_cameras, find_lags, shifted, triangulate
from numpy.typing import NDArray

from mocap3d import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.skeletons import COCO_17
from mocap3d.cameras.shots import ShotDetector
from mocap3d.cameras.video import open_video
from mocap3d.detect.people import PeopleDetector
from mocap3d.identify.following import follow
from mocap3d.train.noise import LEAST_CONFIDENCE
from mocap3d.train.noise_residuals import Residuals, against_points, against_smoothed

__all__ = ["Person", "residuals_of", "watch"]

Floats = NDArray[np.float64]

_BODY = slice(5, None)  # without the face
_LEAST_S = 1.0  # of a person in a video of one camera
_SAME_PERSON = 1.4  # log(1 + (px / OUTLIER_PX)²) on average
_LEAST_VIEWS = 3
_SUBFRAME_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """One person's joints in one video, as they left the detector: nothing dropped, nothing filled."""

    pose2d: Pose2D
    size_wh_px: tuple[int, int]


def residuals_of(path: Path, cache: Path | None) -> list[Residuals]:
    """Residuals of everybody in a video or in a folder of views."""
    if not path.is_dir():
        people = [person.pose2d for person in watch(path, cache)]
        return [
            against_smoothed(f"{path.stem}, person {number}", pose2d)
            for number, pose2d in enumerate(people, start=1)
            if len(pose2d) >= _LEAST_S * pose2d.fps
        ]
    is_caliscope = (path / "camera_array.toml").exists()
    return _views_of_board(path, cache) if is_caliscope else _views_of_people(path, cache)


# --- pictures ---------------------------------------------------------------------------------------------------------


def watch(path: Path, cache: Path | None) -> list[Person]:
    """Find and follow everybody in a video; what was found before is read from the folder ``cache``.

    Only the first shot counts, from each person's first to last sight.
    """
    kept = cache / f"{path.parent.parent.name}-{path.parent.name}-{path.stem}.npz" if cache else None
    if kept is not None and kept.exists():
        with np.load(kept) as arrays:
            fps, size = Fraction(str(arrays["fps"])), (int(arrays["size_wh_px"][0]), int(arrays["size_wh_px"][1]))
            poses = [(arrays[f"xy_px_{n}"], arrays[f"confidence_{n}"]) for n in range(int(arrays["people"]))]
        return [_person(xy_px, confidence, fps, size) for xy_px, confidence in poses]
    progress(f"{path}: MoveNet")
    video, finder, found = open_video(path), ShotDetector(), []
    detect = PeopleDetector(fps=video.fps)
    with video:
        for frame in video:
            if finder.feed(frame):
                break
            found.append(detect(frame))
    tracks = follow(found, video.fps, video.size_wh_px)
    people = [_person(track.pose2d.xy_px, track.pose2d.confidence, video.fps, video.size_wh_px) for track in tracks]
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"xy_px_{n}": person.pose2d.xy_px for n, person in enumerate(people)}
        arrays |= {f"confidence_{n}": person.pose2d.confidence for n, person in enumerate(people)}
        np.savez_compressed(
            kept, fps=str(video.fps), size_wh_px=video.size_wh_px, people=len(people), allow_pickle=False, **arrays
        )
    return people


def _person(xy_px: Floats, confidence: Floats, fps: Fraction, size_wh_px: tuple[int, int]) -> Person:
    pose2d = Pose2D(xy_px=xy_px, confidence=confidence, fps=fps, skeleton=COCO_17)
    return Person(pose2d=pose2d, size_wh_px=size_wh_px)


# --- several views ----------------------------------------------------------------------------------------------------


def _views_of_people(folder: Path, cache: Path | None) -> list[Residuals]:
    """Whoever is seen in every view; the views are brought to one clock, fractions of a frame included."""
    paths = sorted((folder / "videos").glob("*.mp4"))
    people = [watch(path, cache) for path in paths]
    sizes = {path.stem: seen[0].size_wh_px for path, seen in zip(paths, people, strict=True)}
    (calibration,) = (folder / "calibration").glob("*.qca.txt")
    by_name = filmed_cameras(calibration, sizes)
    cameras = [by_name[path.stem] for path in paths]
    residuals = []
    for number, views in enumerate(_same_people(cameras, people), start=1):
        xy_px, confidence = _stacked(views)
        lags = find_lags(cameras, xy_px, confidence)
        xy_px, confidence = shifted(xy_px, lags), np.nan_to_num(shifted(confidence, lags))
        offset_px = _within_a_frame(cameras, xy_px, confidence)
        names = [f"{folder.name} {path.stem}, person {number}" for path in paths]
        residuals += _residuals(names, cameras, xy_px - offset_px, confidence, views[0].pose2d.fps)
    return residuals


def _views_of_board(folder: Path, cache: Path | None) -> list[Residuals]:
    """One person seen by cameras in ``camera_array.toml``; ``timestamps.csv`` says which frames belong together."""
    videos = folder / "calibration" / "extrinsic"
    table = tomllib.loads((folder / "camera_array.toml").read_text())["cameras"]
    cameras = [_caliscope_camera(name, entry) for name, entry in table.items()]
    people = [watch(videos / f"cam_{camera.name}.mp4", cache)[0] for camera in cameras]
    with (videos / "timestamps.csv").open() as file:
        rows = [{name: int(float(value)) for name, value in row.items()} for row in csv.DictReader(file)]
    clock = sorted({row["sync_index"] for row in rows})
    xy_px, confidence = np.full((len(cameras), len(clock), 17, 2), np.nan), np.zeros((len(cameras), len(clock), 17))
    for view, (camera, person) in enumerate(zip(cameras, people, strict=True)):
        mine = [row for row in rows if str(row["cam_id"]) == camera.name]
        first = min(row["frame_index"] for row in mine)
        for row in mine:
            at, frame = clock.index(row["sync_index"]), row["frame_index"] - first
            if frame < len(person.pose2d):
                xy_px[view, at], confidence[view, at] = person.pose2d.xy_px[frame], person.pose2d.confidence[frame]
    names = [f"{folder.name} cam_{camera.name}" for camera in cameras]
    return _residuals(names, cameras, xy_px, confidence, people[0].pose2d.fps)


def _caliscope_camera(name: str, entry: dict[str, list[float]]) -> Camera:
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3], cam_from_world[:3, 3] = entry["rotation"], entry["translation"]
    width, height = (int(side) for side in entry["size"])
    return Camera(
        name=name,
        size_wh_px=(width, height),
        K=np.array(entry["matrix"]),
        distortion=np.array(entry["distortions"]),
        cam_from_world=cam_from_world,
    )


def _same_people(cameras: Sequence[Camera], people: Sequence[Sequence[Person]]) -> list[tuple[Person, ...]]:
    """Who is who in other views: those whose rays meet best, each person once."""
    tried = []
    for views in itertools.product(*people):
        xy_px, confidence = (values[:, ::5] for values in _stacked(views))
        _, error_px = triangulate(cameras, xy_px, confidence)
        error_px = np.where(confidence >= LEAST_CONFIDENCE, error_px, np.nan)[:, :, _BODY]
        tried.append((float(np.nanmean(np.log1p((error_px / OUTLIER_PX) ** 2))), views))
    chosen: list[tuple[Person, ...]] = []
    for cost, views in sorted(tried, key=lambda pair: pair[0]):
        taken = {id(person) for others in chosen for person in others}
        if cost < _SAME_PERSON and not taken & {id(person) for person in views}:
            chosen.append(views)
    return chosen


def _stacked(views: Sequence[Person]) -> tuple[Floats, Floats]:
    xy_px = np.stack([person.pose2d.xy_px for person in views])
    return xy_px, np.stack([person.pose2d.confidence for person in views])


def _sure(confidence: Floats) -> Floats:
    return np.where(confidence >= LEAST_CONFIDENCE, confidence, 0)


def _within_a_frame(cameras: Sequence[Camera], xy_px: Floats, confidence: Floats) -> Floats:
    """(C, T, 17, 2) how far joints moved because a view's shutter opens at another moment: up to half a frame.

    A view that is late sees joints displaced along their velocity, all by the same time.
    """
    late, moved_px = np.zeros(len(cameras)), np.zeros_like(xy_px)
    for _ in range(_SUBFRAME_ROUNDS):
        xyz_m, _ = triangulate(cameras, xy_px - moved_px, _sure(confidence))
        shown = np.stack([project(camera, xyz_m)[0] for camera in cameras])
        velocity = np.full_like(shown, np.nan)
        velocity[:, 2:-2] = (shown[:, 4:] - shown[:, :-4]) / 4
        known = np.isfinite(velocity + xy_px).all(axis=-1) & (confidence > 2 * LEAST_CONFIDENCE)
        known[..., : _BODY.start] = False
        for view, use in enumerate(known):
            v, off = velocity[view][use], (xy_px - shown)[view][use]
            off = off - np.median(off, axis=0)
            trust = 1 / (1 + (np.linalg.norm(off - late[view] * v, axis=1, keepdims=True) / OUTLIER_PX) ** 2)
            late[view] = (trust * v * off).sum() / max((trust * v * v).sum(), 1e-9)
        late = np.clip(late - late.mean(), -0.5, 0.5)
        moved_px = late[:, None, None, None] * np.nan_to_num(velocity)
    return moved_px


def _residuals(
    names: Sequence[str], cameras: Sequence[Camera], xy_px: Floats, confidence: Floats, fps: Fraction
) -> list[Residuals]:
    """Triangulate, and compare each view with it where at least three views see the joint."""
    sure = _sure(confidence)
    xyz_m, error_px = triangulate(cameras, xy_px, sure)
    xyz_m = np.where(((sure > 0).sum(axis=0) >= _LEAST_VIEWS)[..., None], xyz_m, np.nan)
    weight = sure / (1 + (np.nan_to_num(error_px, nan=1e3) / OUTLIER_PX) ** 2)
    share = weight / np.maximum(weight.sum(axis=0), 1e-9)
    known = np.isfinite(xy_px).all(axis=-1)
    poses = [
        Pose2D(xy_px=xy, confidence=np.where(seen, c, 0), fps=fps, skeleton=COCO_17)
        for xy, c, seen in zip(xy_px, confidence, known, strict=True)
    ]
    return [
        against_points(name, pose, camera, xyz_m, own)
        for name, pose, camera, own in zip(names, poses, cameras, share, strict=True)
    ]
