"""One take of several cameras: whom each of them saw, when each began, and all of it on one clock."""

from __future__ import annotations

import filecmp
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose2D
from mocap3d.watching import Watched

if TYPE_CHECKING:
    from mocap3d.cameras.sync import Sync
    from mocap3d.cameras.video import Video

__all__ = ["SyncBy", "Take", "each_once", "on_one_clock", "sharpened", "starts_of", "tracks_of"]

Floats = NDArray[np.float64]
Videos = Sequence[str | os.PathLike[str]]
SyncBy = Literal["motion", "audio", "none"] | Sequence[float]

_SURE = 0.5  # confidence below which an offset is not believed
_FAR_STDS = 3.0  # rays that contradict the motion by so many standard deviations are mentioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What C cameras saw, on one clock.

    Attributes:
        cameras: C cameras.
        tracks: per camera its people, all of one length and rate.
        start_s: when the tracks begin, on the clock of the first video; below 0 where it began after two others.
        start_frame: the frame of the first video at frame 0 of the tracks; 0 for what came before it.
    """

    cameras: tuple[Camera, ...]
    tracks: list[list[Pose2D]]
    start_s: float
    start_frame: int


def each_once(videos: Videos) -> list[Path]:
    """Paths of the videos of a take.

    Raises:
        InputError: one is given twice, itself or a copy: it agrees with itself whatever the cameras are.
    """
    paths = [Path(video) for video in videos]
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("the same video is given twice: each camera needs a video of its own")
    for one, other in itertools.combinations(paths, 2):
        if one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False) and one.stat().st_size:
            raise InputError(f"{one} and {other} are the same video: each camera needs a video of its own")
    return paths


def tracks_of(watched: Watched, camera: Camera, notes: list[str]) -> list[Pose2D]:
    """The people whom one camera saw; nothing after it was moved."""
    from mocap3d.identify.following import FollowSettings, follow
    from mocap3d.identify.repair import drop_unsure, reject_outliers

    name = Path(watched.video.path).name
    if len(watched.shots) > 1:
        raise InputError(f"{name}: there is a cut at frame {watched.shots[1].start}; cameras of one take film through")
    # Whoever is seen for a moment counts: another camera may see them for longer.
    tracks = follow(
        watched.detections,
        watched.video.fps,
        watched.video.size_wh_px,
        camera_name=camera.name,
        settings=FollowSettings(least_s=0.0),
    )
    poses = [reject_outliers(drop_unsure(track.pose2d)) for track in tracks]
    moves_from = watched.shots[0].moves_from
    if moves_from is None:
        return poses
    notes.append(f"{name}: the camera was moved at frame {moves_from}; what it saw from then on is left out")
    still = np.arange(len(watched.detections)) < moves_from - watched.video.start_frame
    return [
        replace(
            pose,
            xy_px=np.where(still[:, None, None], pose.xy_px, np.nan),
            confidence=np.where(still[:, None], pose.confidence, 0.0),
        )
        for pose in poses
    ]


def starts_of(
    sync: SyncBy, videos: Videos, seen: Sequence[Sequence[Pose2D]], rig: Sequence[Camera], *, placed: bool = False
) -> tuple[Floats, str]:
    """(C,) when each video began, in seconds after the first one, and where that is known from.

    Motion alone cannot tell the steps of someone who walks evenly apart; cameras that are ``placed`` can.
    """
    from mocap3d.cameras.sync import sync_audio, sync_motion

    if not isinstance(sync, str):
        return np.asarray(sync, np.float64) - sync[0], "given"
    if sync == "motion":
        _check_seen(seen, rig)
    if sync == "none":
        return np.zeros(len(videos)), "none"
    found: Sync = sync_motion(seen) if sync == "motion" else sync_audio(videos)
    if sync == "motion" and placed and not (found.confidence >= _SURE).all():
        found = sync_motion(seen, cameras=rig)
    doubtful = [camera.name for camera, sure in zip(rig, found.confidence, strict=True) if not sure >= _SURE]
    if doubtful:
        raise CalibrationError(
            f"nothing tells for sure when {' and '.join(doubtful)} started, from {sync}: film somebody who moves, in "
            "view of all cameras and not mirrored, or clap; or say when each video began (`--sync none`: at once, "
            "`audio`, or seconds)"
        )
    return found.offsets_s, sync


def sharpened(
    take: Take, people: Sequence[Sequence[Pose2D | None]], offsets_s: Floats, notes: list[str]
) -> Floats | None:
    """Put ``offsets_s`` right by the part of a frame that the rays of the cameras tell; None where they tell nothing.

    Args:
        take: on one clock by these offsets.
        people: who is who in it.
        offsets_s: (C,) when each video began.
        notes: takes a sentence about cameras whose rays contradict the offsets.
    """
    from mocap3d.cameras.sync import sync_rays

    found = sync_rays(people, take.cameras)
    sure = found.confidence >= _SURE
    for camera, later_s, std_s, believed in zip(take.cameras, found.offsets_s, found.std_s, sure, strict=True):
        if not believed and abs(later_s) > _FAR_STDS * std_s:
            notes.append(
                f"the rays of {camera.name} meet those of the others best {abs(later_s):.2f} s "
                f"{'later' if later_s > 0 else 'earlier'} than the motion says: not believed; was it moved?"
            )
    better = offsets_s + np.where(sure, found.offsets_s, 0.0)
    return better - better[0] if sure[1:].any() else None


def on_one_clock(
    seen: Sequence[Sequence[Pose2D]], rig: tuple[Camera, ...], offsets_s: Floats, videos: Sequence[Video]
) -> Take:
    """Resample everybody whom any camera saw to common moments."""
    from mocap3d.cameras.sync import synchronised

    _check_seen(seen, rig)
    example = next(pose for of_camera in seen for pose in of_camera)
    nobody = [
        of_camera[0] if of_camera else _nobody(example, video) for of_camera, video in zip(seen, videos, strict=True)
    ]
    fps = max(video.fps for video in videos)
    tracks: list[list[Pose2D]] = [[] for _ in rig]
    first_s = 0.0
    for n in range(max(map(len, seen))):
        row = [of_camera[n] if n < len(of_camera) else nobody[c] for c, of_camera in enumerate(seen)]
        poses, first_s = synchronised(row, offsets_s, fps=fps)
        for c, pose in enumerate(poses):
            if pose is not None and n < len(seen[c]):
                tracks[c].append(pose)
    start_frame = max(0, videos[0].start_frame + round(first_s * float(fps)))
    return Take(cameras=rig, tracks=tracks, start_s=first_s, start_frame=start_frame)


def _check_seen(seen: Sequence[Sequence[Pose2D]], rig: Sequence[Camera]) -> None:
    if sum(bool(of_camera) for of_camera in seen) < 2:
        who = ", ".join(camera.name for camera, of_camera in zip(rig, seen, strict=True) if of_camera) or "none of them"
        raise InputError(f"two cameras must see somebody; people were found by {who}")


def _nobody(example: Pose2D, video: Video) -> Pose2D:
    count = video.frame_count or 1
    xy_px = np.full((count, *example.xy_px.shape[1:]), np.nan)
    return replace(example, xy_px=xy_px, confidence=np.zeros(xy_px.shape[:2]), fps=video.fps)
