"""The steps in order: video -> 2D joints -> who is who -> 3D joints -> the world -> rotations."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights
from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.ground import Ground
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.shot import Shot
from mocap3d.clip import Clip, Performance

if TYPE_CHECKING:
    from mocap3d.cameras.video import Video
    from mocap3d.detect.people import Detections

__all__ = ["DEFAULT_HEIGHT_M", "Progress", "capture"]

DEFAULT_HEIGHT_M = 1.70
"""Stature when nobody says otherwise: between the means of adult women and men (NCD-RisC 2016)."""

Progress = Callable[[str, int, int | None], None]
"""Called with the step's name, how much is done, and of how much (None: unknown)."""


def capture(
    video: str | os.PathLike[str],
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
    progress: Progress | None = None,
) -> Clip:
    """Turn a video of people into motion, with one still camera.

    Args:
        video: a video file, or a folder of images (which needs ``fps``).
        cameras: the lens: a camera file (TOML), a ``Camera``, or a sequence of one.
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
        progress: told how far the work is.

    Returns:
        The captured clip; every shot is captured by itself.

    Raises:
        InputError: unusable video or option, or nobody in the picture.
        MissingExtraError: ``device="cuda"`` without torch.
    """
    from mocap3d.cameras.lens import choose_lens
    from mocap3d.cameras.video import open_video

    _check_options(video, person, {"fov_deg": fov_deg, "height_m": height_m, "camera_tilt_deg": camera_tilt_deg})
    tell = progress or (lambda step, done, total: None)
    notes: list[str] = []
    with _noted(notes):
        opened = open_video(video, fps=fps, start=start, stop=stop)
        camera, lens = choose_lens(cameras, fov_deg, opened)
        watched = _watch(opened, detector, device, tell)
    height = DEFAULT_HEIGHT_M if height_m is None else height_m
    wanted = _Wanted(person=person, camera=camera, height_m=height, camera_tilt_deg=camera_tilt_deg, device=device)
    performances, grounds = _solve_shots(watched, wanted, notes, tell)
    for note in notes:
        warnings.warn(note, Mocap3dWarning, stacklevel=2)
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
    }
    return Clip(
        source=Path(video),
        performances=tuple(performances),
        shots=watched.shots,
        cameras=tuple(camera if ground is None else _standing(camera, ground) for ground in grounds),
        grounds=tuple(grounds),
        settings=settings,
        notes=tuple(notes),
    )


# --- what is handed from step to step ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What was asked for, defaults filled in."""

    person: int | Literal["all"] | None
    camera: Camera
    height_m: float
    camera_tilt_deg: float | None
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """All that is kept of the pictures: 2D joints per frame, and where the shots are, in frames of the video."""

    video: Video
    detections: list[Detections]
    shots: tuple[Shot, ...]

    def during(self, shot: Shot) -> list[Detections]:
        """The people of a shot's frames."""
        first = self.video.start_frame
        return self.detections[shot.start - first : shot.stop - first]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """One person in the picture, from first to last sight; ``first`` is a frame of the video."""

    person: int
    first: int
    pose2d: Pose2D


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """One person in the camera's frame."""

    sight: _Sight
    pose3d: Pose3D
    contacts: NDArray[np.float64]


# --- the steps --------------------------------------------------------------------------------------------------------


def _watch(video: Video, detector: str, device: str, tell: Progress) -> _Watched:
    """Stream the video once; memory holds one picture and the next."""
    from mocap3d.cameras.read_ahead import read_ahead
    from mocap3d.cameras.shots import ShotDetector
    from mocap3d.detect.people import DetectorSettings, PeopleDetector

    finder, detections = ShotDetector(), []
    detect = PeopleDetector(fps=video.fps, device=device, settings=DetectorSettings(network=detector))
    with video:
        for is_cut, frame in read_ahead((finder.feed(frame), frame) for frame in video):
            if is_cut:
                detect.reset()
            detections.append(detect(frame))
            tell("watch", len(detections), video.frame_count)
    shots = tuple(_later(shot, video.start_frame) for shot in finder.finish())
    return _Watched(video=video, detections=detections, shots=shots)


def _solve_shots(
    watched: _Watched, wanted: _Wanted, notes: list[str], tell: Progress
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
        done, ground = _solve_shot(watched, index, wanted, notes, failures)
        performances += done
        grounds.append(ground)
    tell("solve", len(watched.shots), len(watched.shots))
    if not performances:
        raise failures[0] if failures else InputError(f"{watched.video.path}: nobody was found in the picture")
    notes += [
        f"person {performance.person}: the {part} was not seen and stays at rest"
        for performance in performances
        for part in performance.unobserved
    ]
    return performances, grounds


def _solve_shot(
    watched: _Watched, index: int, wanted: _Wanted, notes: list[str], failures: list[InputError]
) -> tuple[list[Performance], Ground | None]:
    shot = watched.shots[index]
    where = f"frames {shot.start} to {shot.stop - 1}"
    try:
        placed = []
        for sight in _people_of_shot(watched, shot, wanted.person):
            try:
                placed.append(_lift_person(sight, wanted, notes))
            except InputError as error:
                failures.append(error)
                notes.append(f"{where}: person {sight.person}: {error}")
        if not placed:
            notes.append(f"{where}: nobody was captured")
            return [], None
        return _to_world(placed, index, wanted)
    except InputError as error:  # another shot may fare better
        failures.append(error)
        notes.append(f"{where}: {error}")
        return [], None


def _people_of_shot(watched: _Watched, shot: Shot, person: int | Literal["all"] | None) -> list[_Sight]:
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
            sights.append(_Sight(person=track.person, first=shot.start + int(seen[0]), pose2d=pose2d))
    return sights


def _lift_person(sight: _Sight, wanted: _Wanted, notes: list[str]) -> _Placed:
    from mocap3d.lift.bones import with_constant_bones
    from mocap3d.lift.monocular import lift_pose2d
    from mocap3d.lift.root_path import place

    pose2d, camera, height_m = sight.pose2d, wanted.camera, wanted.height_m
    body = lift_pose2d(pose2d, camera, height_m=height_m, device=wanted.device)
    body = with_constant_bones(body, height_m=height_m)
    pose3d, contacts = place(body, pose2d, camera)
    unseen = np.all(np.isnan(pose2d.xy_px[..., 0]), axis=-1)
    if unseen.any():
        frames = sight.first + np.flatnonzero(unseen)
        notes.append(
            f"person {sight.person}: not seen in {len(frames)} frames between {frames[0]} and {frames[-1]}: bridged"
        )
        xyz_m, confidence = pose3d.xyz_m.copy(), pose3d.confidence.copy()
        xyz_m[unseen], confidence[unseen], contacts = np.nan, 0.0, np.where(unseen[:, None], 0.0, contacts)
        pose3d = replace(pose3d, xyz_m=xyz_m, confidence=confidence)
    return _Placed(sight=sight, pose3d=pose3d, contacts=contacts)


def _to_world(people: list[_Placed], shot: int, wanted: _Wanted) -> tuple[list[Performance], Ground]:
    """Find gravity and the floor from all people of the shot, then rotations; one shift puts the soles on the floor."""
    from mocap3d.lift.ground import find_ground
    from mocap3d.motion.soles import sole_height_m
    from mocap3d.motion.solve import solve, unobserved

    ground = find_ground(
        [p.pose3d for p in people],
        [p.contacts for p in people],
        height_m=wanted.height_m,
        camera_tilt_deg=wanted.camera_tilt_deg,
    )
    worlds = [_moved(p.pose3d, ground.world_from_cam) for p in people]
    motions = [
        solve(pose, height_m=wanted.height_m, start_frame=p.sight.first) for pose, p in zip(worlds, people, strict=True)
    ]
    drop_m = sole_height_m(motions)
    world_from_cam = ground.world_from_cam.copy()
    world_from_cam[1, 3] -= drop_m
    performances = [
        Performance(
            person=p.sight.person,
            shot=shot,
            motion=replace(motion, root_m=motion.root_m - [0.0, drop_m, 0.0]),
            pose2d=p.sight.pose2d,
            pose3d=replace(pose, xyz_m=pose.xyz_m - [0.0, drop_m, 0.0]),
            unobserved=unobserved(pose),
        )
        for p, pose, motion in zip(people, worlds, motions, strict=True)
    ]
    return performances, replace(ground, world_from_cam=world_from_cam)


def _moved(pose: Pose3D, world_from_cam: NDArray[np.float64]) -> Pose3D:
    xyz_m = pose.xyz_m @ world_from_cam[:3, :3].T + world_from_cam[:3, 3]
    return replace(pose, xyz_m=xyz_m, frame="world")


# --- small things -----------------------------------------------------------------------------------------------------


def _check_options(video: object, person: object, numbers: dict[str, float | None]) -> None:
    """Refuse at once what would be noticed after the whole video was watched."""
    if not isinstance(video, (str, os.PathLike)):
        raise InputError(f"capture takes one video, several cameras are not supported yet; got {type(video).__name__}")
    is_number = isinstance(person, int) and not isinstance(person, bool) and person >= 1
    if person not in (None, "all") and not is_number:
        raise InputError(f"person must be a number from 1, 'all' or None, got {person!r}")
    limits = {"fov_deg": (1.0, 170.0), "height_m": (0.3, 3.0), "camera_tilt_deg": (-89.0, 89.0)}
    for name, value in numbers.items():
        low, high = limits[name]
        if value is not None and not (isinstance(value, (int, float)) and low <= value <= high):
            raise InputError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")


@contextmanager
def _noted(notes: list[str]) -> Iterator[None]:
    """Turn our warnings into notes, so that a clip remembers them; others pass."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Mocap3dWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, Mocap3dWarning):
            notes.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _shot_notes(shot: Shot) -> list[str]:
    if not shot.camera_moves:
        return []
    return [
        f"the camera moves from frame {shot.moves_from} on (frames {shot.start} to {shot.stop - 1} are one shot): "
        "poses are usable, the path through the world and the floor are not"
    ]


def _later(shot: Shot, frames: int) -> Shot:
    moves_from = None if shot.moves_from is None else shot.moves_from + frames
    return replace(shot, start=shot.start + frames, stop=shot.stop + frames, moves_from=moves_from)


def _standing(camera: Camera, ground: Ground) -> Camera:
    """The camera where the ground says that it stands."""
    return replace(camera, cam_from_world=np.asarray(np.linalg.inv(ground.world_from_cam), np.float64))
