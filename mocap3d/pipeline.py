"""The steps in order: video -> 2D joints -> who is who -> motions, which ``solving.py`` makes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from mocap3d import weights
from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.ground import Ground
from mocap3d.base.shot import Shot
from mocap3d.clip import Clip, Performance
from mocap3d.multiview import capture_views
from mocap3d.solving import (
    DEFAULT_HEIGHT_M,
    FootLock,
    Placed,
    Sight,
    Wanted,
    camera_in_world,
    check_wanted,
    doubts_of,
    find_world,
    in_world,
    lift_person,
    notes_of,
    perform,
    settle,
    solve_person,
)
from mocap3d.take import SyncBy
from mocap3d.watching import Progress, Watched, moving, noted, watch

__all__ = ["capture"]


def capture(
    video: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    cameras: str | os.PathLike[str] | Camera | Sequence[Camera] | None = None,
    fov_deg: float | None = None,
    height_m: float | None = None,
    camera_tilt_deg: float | None = None,
    person: int | Literal["all"] | None = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    fps: Fraction | float | str | None = None,
    detector: str = "movenet_thunder",
    device: str = "cpu",
    foot_lock: FootLock = "auto",
    symmetric: bool = True,
    sync: SyncBy = "motion",
    progress: Progress | None = None,
) -> Clip:
    """Turn a video of people into motion, with one still camera; or several videos of one take, with as many.

    Args:
        video: a video file, or a folder of images (which needs ``fps``); or a list of them, one per camera.
        cameras: the lens: a camera file (TOML), a ``Camera``, or a sequence of one. Of several videos the calibrated
            cameras: a file, or a sequence; by the names of the videos, else in their order.
        fov_deg: instead of ``cameras``: degrees that the longer side of the picture shows. Without either, what the
            file says about its lens, else 60. A wrong value shears depth, not what the picture shows.
        height_m: stature of the people; sets the scale of everything. ``DEFAULT_HEIGHT_M`` when None.
        camera_tilt_deg: how far the camera looks down, if measured.
        person: 1 is the one seen longest and largest (the default), "all" captures everyone.
        start: first frame of the video to use; a frame number, or a time such as "2.5s".
        stop: the frame to stop before, as in ``range``.
        fps: for folders of images their rate; for videos the rate to resample to.
        detector: "movenet_thunder", or "movenet_lightning", whose network takes a third of the time and is less exact.
        device: "cpu" (ONNX Runtime and NumPy) or "cuda" (torch).
        foot_lock: how firmly feet that stand are held: "off", "auto" or "strong".
        symmetric: whether left bones are as long as right ones; False measures each side by itself.
        sync: what tells when each of several cameras started: "motion", "audio", "none" (all at once, as with a
            trigger), or for each the second at which its video begins.
        progress: told how far the work is.

    Returns:
        The captured clip; every shot is captured by itself. Several videos are one shot in the world of their cameras.

    Raises:
        InputError: unusable video or option, or nobody in the picture.
        CalibrationError: nothing tells when one of several cameras started.
        MissingExtraError: ``device="cuda"`` without torch.
    """
    from mocap3d.cameras.lens import choose_lens
    from mocap3d.cameras.video import open_video

    _check_person(person)
    check_wanted(
        fov_deg=fov_deg,
        height_m=height_m,
        camera_tilt_deg=camera_tilt_deg,
        foot_lock=foot_lock,
        symmetric=symmetric,
    )
    if not isinstance(video, (str, os.PathLike)):
        if fov_deg is not None or camera_tilt_deg is not None:
            raise InputError(
                "several videos take cameras, which know lens and tilt: leave fov_deg, camera_tilt_deg out"
            )
        clip = capture_views(
            video,
            cameras,
            sync=sync,
            height_m=height_m,
            person=person,
            start=start,
            stop=stop,
            fps=fps,
            detector=detector,
            device=device,
            foot_lock=foot_lock,
            symmetric=symmetric,
            progress=progress,
        )
        return _told(clip)
    tell = progress or (lambda step, done, total: None)
    notes: list[str] = []
    with noted(notes):
        opened = moving(open_video(video, fps=fps, start=start, stop=stop))
        camera, lens = choose_lens(cameras, fov_deg, opened)
        watched = watch(opened, detector, device, tell)
    height = DEFAULT_HEIGHT_M if height_m is None else height_m
    wanted = Wanted(
        camera=camera,
        height_m=height,
        camera_tilt_deg=camera_tilt_deg,
        device=device,
        foot_lock=foot_lock,
        symmetric=symmetric,
    )
    performances, grounds = _solve_shots(watched, person, wanted, notes, tell)
    settings = {
        "mocap3d": version("mocap3d"),
        "height_m": height,
        "height": "default" if height_m is None else "given",
        "fov_deg": round(camera.fov_deg, 2),
        "fov": lens,
        "camera_tilt_deg": camera_tilt_deg,
        "person": "default" if person is None else person,
        "start": start,
        "stop": stop,
        "fps": str(opened.fps),
        "detector": detector,
        "lifter_sha256": weights.sha256("lifter"),
        "device": device,
        "foot_lock": foot_lock,
        "symmetric": symmetric,
    }
    clip = Clip(
        source=Path(video),
        performances=tuple(performances),
        shots=watched.shots,
        cameras=tuple(camera if ground is None else camera_in_world(camera, ground) for ground in grounds),
        grounds=tuple(grounds),
        settings=settings,
        notes=tuple(notes),
    )
    return _told(clip)


# --- the steps --------------------------------------------------------------------------------------------------------


def _solve_shots(
    watched: Watched, person: int | Literal["all"] | None, wanted: Wanted, notes: list[str], tell: Progress
) -> tuple[list[Performance], list[Ground | None]]:
    """Everything after the pictures. What fails for one person or shot becomes a note, if anybody is left."""
    performances: list[Performance] = []
    grounds: list[Ground | None] = []
    failures: list[InputError] = []
    if len(watched.shots) > 1:
        cuts = ", ".join(str(shot.start) for shot in watched.shots[1:])
        notes.append(f"cut at frame {cuts}: each shot is captured by itself, in a world of its own")
    for index, shot in enumerate(watched.shots):
        tell("solve", index, len(watched.shots))
        notes += _shot_notes(shot)
        try:
            placed = _place_people(watched, shot, person, wanted, notes, failures)
            done, ground = _to_world(placed, index, wanted) if placed else ([], None)
        except InputError as error:  # another shot may fare better
            failures.append(error)
            notes.append(f"{_frames(shot)}: {error}")
            done, ground = [], None
        performances += done
        grounds.append(ground)
    tell("solve", len(watched.shots), len(watched.shots))
    if not performances:
        raise failures[0] if failures else InputError(f"{watched.video.path}: nobody was found in the picture")
    notes += [note for performance in performances for note in notes_of(performance)]
    for performance in performances:
        stood = grounds[performance.shot]
        if stood is not None and not watched.shots[performance.shot].camera_moves:
            notes += doubts_of(performance, camera_in_world(wanted.camera, stood))
    return performances, grounds


def _place_people(
    watched: Watched,
    shot: Shot,
    person: int | Literal["all"] | None,
    wanted: Wanted,
    notes: list[str],
    failures: list[InputError],
) -> list[Placed]:
    """Lift everybody who is wanted in a shot; whoever cannot be lifted becomes a note."""
    placed = []
    for sight in _people_of_shot(watched, shot, person):
        try:
            placed.append(lift_person(sight, wanted))
        except InputError as error:
            failures.append(error)
            notes.append(f"{_frames(shot)}: person {sight.person}: {error}")
    if not placed:
        notes.append(f"{_frames(shot)}: nobody was captured")
    return placed


def _people_of_shot(watched: Watched, shot: Shot, person: int | Literal["all"] | None) -> list[Sight]:
    """The wanted people's 2D joints, outliers taken out and short gaps bridged."""
    from mocap3d.identify.choosing import choose
    from mocap3d.identify.following import follow
    from mocap3d.identify.repair import drop_unsure, fill_gaps, reject_outliers

    tracks = follow(watched.during(shot), watched.video.fps, watched.video.size_wh_px)
    sights = []
    for track in choose(tracks, person, first_frame=shot.start):
        pose2d = fill_gaps(reject_outliers(drop_unsure(track.pose2d)))
        seen = np.flatnonzero((pose2d.confidence > 0).any(axis=1))
        if len(seen):
            during = slice(seen[0], seen[-1] + 1)
            pose2d = replace(pose2d, xy_px=pose2d.xy_px[during], confidence=pose2d.confidence[during])
            sights.append(Sight(person=track.person, first=shot.start + int(seen[0]), pose2d=pose2d))
    return sights


def _to_world(placed: Sequence[Placed], shot: int, wanted: Wanted) -> tuple[list[Performance], Ground]:
    """Find the world of a shot, and everybody's motion in it."""
    ground = find_world(placed, wanted)
    people = [in_world(one, ground) for one in placed]
    motions = [solve_person(one, wanted) for one in people]
    people, motions, ground = settle(people, motions, ground)
    return [perform(one, motion, shot, wanted) for one, motion in zip(people, motions, strict=True)], ground


# --- small things -----------------------------------------------------------------------------------------------------


def _check_person(person: object) -> None:
    """Refuse at once what would be noticed after the whole video was watched."""
    is_number = isinstance(person, int) and not isinstance(person, bool) and person >= 1
    if person not in (None, "all") and not is_number:
        raise InputError(f"person must be a number from 1, 'all' or None, got {person!r}")


def _told(clip: Clip) -> Clip:
    """Warn of everything that the clip notes."""
    for note in clip.notes:
        warnings.warn(note, Mocap3dWarning, stacklevel=3)
    return clip


def _shot_notes(shot: Shot) -> list[str]:
    if not shot.camera_moves:
        return []
    return [
        f"the camera moves from frame {shot.moves_from} on (frames {shot.start} to {shot.stop - 1} are one shot): "
        "poses are usable, the path through the world and the floor are not"
    ]


def _frames(shot: Shot) -> str:
    return f"frames {shot.start} to {shot.stop - 1}"
