"""What the cameras of a calibration saw of people: on one clock, lifted, told apart, triangulated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.cameras.from_people import Seen
from mocap3d.solving import DEFAULT_HEIGHT_M, Sight, Wanted, lift_person
from mocap3d.take import SyncBy, Take, on_one_clock, starts_of, tracks_of
from mocap3d.watching import Progress, noted, watch

__all__ = ["People", "Views", "contacts_of", "lifted", "longest", "look_at", "matched", "told_as", "triangulated"]

Floats = NDArray[np.float64]
Views = tuple[Pose2D | None, ...]

_LEAST_S = 1.0  # people seen for less tell little
_MOST = 4  # people of a camera that are lifted
_UNITS = (1.0, 0.1, 10.0, 0.01, 0.001)  # by which rigs are resized: squares in millimetres make them large
_ALONE = 3.0  # one is alone who was seen so many times as long as the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody whom the cameras saw.

    Attributes:
        take: on one clock; None when fewer than two cameras saw anybody.
        offsets_s: per camera, when its video began, after the first one.
        told: what says so: "motion", "audio", "none" or "given"; "nothing" where motion should, and nobody moves.
    """

    take: Take | None
    offsets_s: tuple[float, ...]
    told: str


def look_at(
    videos: Sequence[str | os.PathLike[str]],
    cameras: Sequence[Camera],
    sync: SyncBy,
    *,
    placed: bool,
    detector: str,
    device: str,
    tell: Progress,
    notes: list[str],
) -> People:
    """Watch the videos of a take.

    Args:
        videos: one per camera.
        cameras: of which the names and sizes of pictures are used, ...
        sync: what tells when each began.
        placed: ... and their places: they tell the steps of somebody who walks evenly apart.
        detector: the network that finds joints.
        device: "cpu" or "cuda".
        tell: told how far the work is.
        notes: gains what a user should know.

    Raises:
        InputError: a video of another size than the first, with a cut, or that cannot be read.
        CalibrationError: nothing tells when a camera started.
    """
    from mocap3d.cameras.video import open_video

    with noted(notes):
        opened = [open_video(video) for video in videos]
        for camera, video in zip(cameras, opened, strict=True):
            if camera.size_wh_px != video.size_wh_px:
                raise InputError(
                    f"{Path(video.path).name} is {video.size_wh_px[0]}x{video.size_wh_px[1]}, its camera's pictures "
                    f"are {camera.size_wh_px[0]}x{camera.size_wh_px[1]}: film everything with the same settings"
                )
        seen = [
            tracks_of(watch(video, detector, device, told_as(camera.name, tell)), camera, notes)
            for video, camera in zip(opened, cameras, strict=True)
        ]
        if sum(bool(own) for own in seen) < 2 and isinstance(sync, str) and sync == "motion":
            return People(take=None, offsets_s=(0.0,) * len(cameras), told="nothing")
        offsets_s, told = starts_of(sync, videos, seen, cameras, placed=placed)
    take = None
    if sum(bool(own) for own in seen) >= 2:
        take = on_one_clock(seen, tuple(cameras), offsets_s, opened)
    return People(take=take, offsets_s=tuple(float(value) for value in offsets_s), told=told)


def told_as(name: str, tell: Progress) -> Progress:
    """Progress of one video among several."""
    return lambda step, done, total: tell(f"{step} {name}", done, total)


def lifted(
    tracks: Sequence[Sequence[Pose2D]], cameras: Sequence[Camera], height_m: float | None, device: str
) -> list[list[Seen]]:
    """Per camera the people that it saw longest, lifted in its own frame."""
    views: list[list[Seen]] = []
    for of_camera, camera in zip(tracks, cameras, strict=True):
        own = [_lifted(pose, camera, height_m, device) for pose in longest(of_camera)]
        views.append([one for one in own if one is not None])
    return views


def contacts_of(people: Sequence[Views], cameras: Sequence[Camera], device: str) -> list[Floats | None]:
    """Per person (T, 4) how surely left heel, left toe, right heel and right toe stand: the mean of all views."""
    told: list[Floats | None] = []
    for views in people:
        own = [_lifted(p, camera, None, device) for p, camera in zip(views, cameras, strict=True) if p is not None]
        found = [one.contacts for one in own if one is not None and one.contacts is not None]
        told.append(np.mean(found, axis=0) if found else None)
    return told


def _lifted(pose: Pose2D, camera: Camera, height_m: float | None, device: str) -> Seen | None:
    """A person in the axes of one camera; None if too little was seen to place the body."""
    from mocap3d.identify.repair import fill_gaps

    lens = replace(camera, cam_from_world=np.eye(4))
    wanted = Wanted(camera=lens, height_m=DEFAULT_HEIGHT_M if height_m is None else height_m, device=device)
    try:
        placed = lift_person(Sight(person=1, first=0, pose2d=fill_gaps(pose)), wanted)
    except InputError:
        return None
    return Seen(pose2d=pose, pose3d=placed.pose3d, contacts=placed.contacts)


def matched(take: Take, cameras: Sequence[Camera]) -> tuple[Views, ...]:
    """Who is who, in front of cameras that may be wrong.

    Wrong cameras match nobody, and nobody would be asked what is wrong with them. So where every camera saw one person
    and hardly anybody else, that is the same one; where nobody has a human size, the rig may be in another unit; and a
    camera of which nobody was matched keeps its main person.
    """
    from mocap3d.identify.views import match_people

    alone = [_alone(tracks) for tracks in take.tracks]
    if all(pose is not None for pose in alone):
        return (tuple(alone),)
    people: list[Views] = []
    for unit in _UNITS:
        if not people:
            every = match_people(take.tracks, [_resized(camera, unit) for camera in cameras])
            people = [views for views in every if sum(pose is not None for pose in views) >= 2]
    if not people:
        main = tuple(next(iter(longest(tracks)), None) for tracks in take.tracks)
        return (main,) if sum(pose is not None for pose in main) >= 2 else ()
    for c, tracks in enumerate(take.tracks):
        if all(views[c] is None for views in people) and (own := _alone(tracks)) is not None:
            people[0] = (*people[0][:c], own, *people[0][c + 1 :])
    return tuple(people)


def _resized(camera: Camera, factor: float) -> Camera:
    pose = camera.cam_from_world.copy()
    pose[:3, 3] *= factor
    return replace(camera, cam_from_world=pose)


def triangulated(people: Sequence[Views], cameras: Sequence[Camera]) -> list[Pose3D]:
    """Everybody's joints in the cameras' world; NaN all through for people whom no two cameras agree about.

    Raises:
        CalibrationError: no two cameras agree about anybody.
    """
    from mocap3d.lift.multiview import triangulate_pose

    poses = [triangulate_pose(views, cameras) for views in people]
    if not any((pose.confidence > 0).any() for pose in poses):
        raise CalibrationError(
            "no two cameras agree about anybody: are the videos of one moment (`mocap3d sync`), and is none mirrored?"
        )
    return poses


def _seconds(pose: Pose2D) -> float:
    return float((pose.confidence > 0).any(axis=1).sum()) / float(pose.fps)


def longest(tracks: Sequence[Pose2D]) -> list[Pose2D]:
    """The people seen longest, large ones before small ones of the same time."""
    told = sorted(tracks, key=lambda pose: -float(pose.confidence.sum()))
    return [pose for pose in told if _seconds(pose) >= min(_LEAST_S, len(pose) / float(pose.fps) / 2)][:_MOST]


def _alone(tracks: Sequence[Pose2D]) -> Pose2D | None:
    """The one person of a camera; None if there are several, or nobody."""
    told = sorted(tracks, key=lambda pose: -_seconds(pose))
    if not told or _seconds(told[0]) < _LEAST_S / 2:
        return None
    return told[0] if len(told) == 1 or _seconds(told[0]) > _ALONE * _seconds(told[1]) else None
