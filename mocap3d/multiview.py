"""Several videos of one take and the cameras that took them -> motions; the steps in order.

Each video is watched by itself. The motion of the joints says when each camera started, and rays that meet say it to a
part of a frame. On one clock, people are matched across views, left and right are told apart, and each person is
triangulated over the whole clip. The world is that of the cameras: no gravity and no floor is looked for. From joints
in space on, ``solving.py`` does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d import weights
from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.ground import Ground
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.shot import Shot
from mocap3d.clip import Clip, Performance
from mocap3d.solving import DEFAULT_HEIGHT_M, FootLock, Sight, Standing, Wanted, perform, solve_person
from mocap3d.take import SyncBy, Take, each_once, on_one_clock, sharpened, starts_of, tracks_of
from mocap3d.watching import Progress, moving, noted, watch

if TYPE_CHECKING:
    from mocap3d.cameras.video import Video

__all__ = ["capture_views", "rig_of"]

Floats = NDArray[np.float64]
Videos = Sequence[str | os.PathLike[str]]
Views = Sequence[tuple[Pose2D | None, ...]]
"""Per person what each camera saw."""

_FAR_OFF = 0.05  # body heights in the picture: cameras that see a person farther off than this do not fit together
_ON_THE_FLOOR_M = 0.15  # soles that stand nearer to the rig's floor than this are on it
_HELD_M = 0.06  # holding the feet of walkers moves their bodies by 3 to 4 cm
_LEAST_S = 0.25  # someone triangulated for less is nobody


def capture_views(
    videos: Videos,
    cameras: str | os.PathLike[str] | Camera | Sequence[Camera] | None,
    *,
    sync: SyncBy = "motion",
    height_m: float | None = None,
    person: int | Literal["all"] | None = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    fps: Fraction | float | str | None = None,
    detector: str = "movenet_thunder",
    device: str = "cpu",
    foot_lock: FootLock = "auto",
    symmetric: bool = True,
    progress: Progress | None = None,
) -> Clip:
    """Turn several videos of one take into motion; `mocap3d.capture` calls this and says more about the options.

    Args:
        videos: one per camera, at least two.
        cameras: the calibrated rig, a file or cameras: by the names of the videos, or else in their order.
        sync: what tells when each camera started: "motion", "audio", "none" (all at once, as with a trigger), or
            seconds at which each video began.
        height_m: stature, for what no camera shows of the body; the scale is that of the cameras.
        person: 1 is who was seen by most cameras for longest (the default), "all" captures everyone.
        start: first frame of each video to use.
        stop: the frame of each to stop before.
        fps: the rate to resample all videos to; each its own when None, the highest of them in the result.
        detector: the network that finds joints.
        device: "cpu" or "cuda".
        foot_lock: how firmly feet that stand are held.
        symmetric: whether left bones are as long as right ones.
        progress: told how far the work is.

    Returns:
        The clip; who was seen by one camera only is left out, and a note says so.

    Raises:
        InputError: videos, cameras and options that do not go together, or nobody whom two cameras see.
        CalibrationError: nothing tells when a camera started.
    """
    from mocap3d.cameras.video import open_video

    rig_given = _checked(videos, cameras, sync)
    tell = progress or (lambda step, done, total: None)
    notes: list[str] = []
    with noted(notes):
        opened = [moving(open_video(video, fps=fps, start=start, stop=stop)) for video in videos]
        rig = rig_of(rig_given, opened)
        seen = [
            tracks_of(watch(video, detector, device, tell), camera, notes)
            for video, camera in zip(opened, rig, strict=True)
        ]
        offsets_s, told = starts_of(sync, videos, seen, rig, placed=True)
    take = on_one_clock(seen, rig, offsets_s, opened)
    people = _matched(take)
    better_s = sharpened(take, people, offsets_s, notes) if told == "motion" and people else None
    if better_s is not None:
        offsets_s, told = better_s, "motion and rays"
        take = on_one_clock(seen, rig, offsets_s, opened)
        people = _matched(take)
    people = _in_several(people, take.cameras, notes)
    height = DEFAULT_HEIGHT_M if height_m is None else height_m
    wanted = Wanted(camera=rig[0], height_m=height, device=device, foot_lock=foot_lock, symmetric=symmetric)
    performances = _perform(take, people, person, wanted, notes, tell)
    main = _main_camera(performances)
    performances = [replace(one, pose2d=_in_picture(one, main)) for one in performances]
    settings = {
        "mocap3d": version("mocap3d"),
        "videos": [str(video) for video in videos],
        "cameras": [camera.name for camera in rig],
        "sync": told,
        "offsets_s": [round(float(offset), 4) for offset in offsets_s],
        "start_s": round(take.start_s, 4),
        "height_m": height,
        "height": "default" if height_m is None else "given",
        "person": "default" if person is None else person,
        "start": start,
        "stop": stop,
        "fps": str(take.tracks[main][0].fps if take.tracks[main] else opened[0].fps),
        "detector": detector,
        "lifter_sha256": weights.sha256("lifter"),
        "device": device,
        "foot_lock": foot_lock,
        "symmetric": symmetric,
    }
    frames = max(len(pose) for of_camera in take.tracks for pose in of_camera)
    ground = Ground(
        world_from_cam=rig[main].world_from_cam, up_std_deg=(0.0, 0.0), floor_std_m=0.0, footfalls=0
    )  # the rig's calibration knows the world; what it is off by is not known here
    return Clip(
        source=Path(videos[0]),
        performances=tuple(performances),
        shots=(Shot(start=take.start_frame, stop=take.start_frame + frames),),
        cameras=(rig[main],),
        grounds=(ground,),
        settings=settings,
        notes=tuple(notes),
        rig=rig,
    )


def _checked(
    videos: Videos, cameras: str | os.PathLike[str] | Camera | Sequence[Camera] | None, sync: SyncBy
) -> str | os.PathLike[str] | Sequence[Camera]:
    """Refuse at once what would be noticed after the videos were watched; returns the cameras."""
    if not isinstance(videos, Sequence) or not all(isinstance(video, (str, os.PathLike)) for video in videos):
        raise InputError(f"capture takes a video, or a list of videos, one per camera; got {type(videos).__name__}")
    if len(videos) < 2:
        raise InputError(f"several cameras need at least 2 videos, got {len(videos)}; one video goes without a list")
    paths = each_once(videos)
    if cameras is None or isinstance(cameras, Camera):
        raise InputError("several videos need their calibrated cameras: cameras='rig.toml', or a sequence of cameras")
    if isinstance(sync, str) and sync not in ("motion", "audio", "none"):
        raise InputError(f"sync must be 'motion', 'audio', 'none' or seconds per video, got {sync!r}")
    if not isinstance(sync, str) and (len(sync) != len(paths) or not np.isfinite(np.asarray(sync, np.float64)).all()):
        raise InputError(f"sync must hold one start in seconds for each of the {len(paths)} videos, got {sync!r}")
    return cameras


def rig_of(cameras: str | os.PathLike[str] | Sequence[Camera], videos: Sequence[Video]) -> tuple[Camera, ...]:
    """Find the camera of each video: by name where all names are known, else in order.

    Raises:
        InputError: another number of cameras, pictures of another size, or two cameras in one place.
    """
    from mocap3d.cameras.files import read_cameras

    found = tuple(read_cameras(cameras) if isinstance(cameras, (str, os.PathLike)) else cameras)
    named = {camera.name: camera for camera in found}
    stems = [Path(video.path).stem for video in videos]
    if len(set(stems)) == len(stems) and all(stem in named for stem in stems):
        found = tuple(named[stem] for stem in stems)
    if len(found) != len(videos):
        raise InputError(
            f"{len(videos)} videos need as many cameras, got {len(found)}: {', '.join(named)}; "
            f"the videos are called {', '.join(stems)}: name them after their cameras"
        )
    for camera, video in zip(found, videos, strict=True):
        if camera.size_wh_px != video.size_wh_px:
            raise InputError(_other_size(camera, video, strangers=named.keys().isdisjoint(stems), stems=stems))
    places = np.stack([camera.world_from_cam[:3, 3] for camera in found])
    for n in range(1, len(found)):
        if np.linalg.norm(places[:n] - places[n], axis=1).min() < 0.01:
            raise InputError(f"camera {found[n].name!r} stands where another one does: depth needs different places")
    return found


def _other_size(camera: Camera, video: Video, *, strangers: bool, stems: Sequence[str]) -> str:
    """What to say of pictures of another size: of another rig, or cropped or scaled."""
    (wide, high), (wide_px, high_px) = camera.size_wh_px, video.size_wh_px
    differ = f"camera {camera.name!r} is for pictures of {wide}x{high}, {Path(video.path).name} has {wide_px}x{high_px}"
    part = wide_px <= wide and high_px <= high
    if strangers and not part and wide_px * high != high_px * wide:
        return (
            f"these cameras ({camera.name} ...) are not of these videos ({stems[0]} ...): no name matches and the "
            f"pictures differ in size: {differ}"
        )
    return (
        f"{differ}: say how they were cropped and refine the rig (`mocap3d calibrate VIDEOS --lenses RIG --refine pose "
        "--crop find`), or calibrate with such pictures"
    )


def _matched(take: Take) -> Views:
    """Who is who: per person what each camera saw."""
    from mocap3d.identify.views import match_people

    return match_people(take.tracks, take.cameras)


def _in_several(people: Views, cameras: Sequence[Camera], notes: list[str]) -> Views:
    """Those whom two cameras or more saw, themselves and no reflections."""
    from mocap3d.identify.reflections import without_reflections

    real = without_reflections(people, cameras)
    if len(real) < len(people):
        notes.append(_counted(len(people) - len(real), "reflection of a person is", "reflections of people are"))
    several = [views for views in real if sum(pose is not None for pose in views) >= 2]
    if len(several) < len(real):
        alone = "seen by one camera only and"
        notes.append(_counted(len(real) - len(several), f"person was {alone} is", f"people were {alone} are"))
    if not several:
        raise InputError(
            "nobody is seen by two cameras alike: do the cameras belong to these videos, in this order and in metres, "
            "and are the videos of one moment (`mocap3d sync`), and none of them mirrored?"
        )
    return several


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more} left out"


def _perform(
    take: Take,
    several: Views,
    person: int | Literal["all"] | None,
    wanted: Wanted,
    notes: list[str],
    tell: Progress,
) -> list[Performance]:
    """Triangulate and solve whoever is wanted; what fails for one person becomes a note, if anybody is left."""
    numbers = range(1, len(several) + 1) if person == "all" else [1 if person is None else person]
    if max(numbers) > len(several):
        raise InputError(f"there is no person {person}; two cameras or more saw {len(several)}")
    performances: list[Performance] = []
    failures: list[InputError] = []
    for done, number in enumerate(numbers):
        tell("solve", done, len(numbers))
        try:
            performances.append(_perform_one(take, several[number - 1], number, wanted, notes))
        except InputError as error:
            failures.append(error)
            notes.append(f"person {number}: {error}")
    tell("solve", len(numbers), len(numbers))
    if not performances:
        raise failures[0]
    return performances


def _perform_one(
    take: Take, views: Sequence[Pose2D | None], number: int, wanted: Wanted, notes: list[str]
) -> Performance:
    from mocap3d.identify.sides import repair_sides
    from mocap3d.lift.adjust import adjust_pose
    from mocap3d.lift.fill_in import fill_from, lifted_views
    from mocap3d.lift.toes import with_toes

    views = repair_sides(views, take.cameras)
    pose3d = adjust_pose(views, take.cameras)
    frames = np.flatnonzero((pose3d.confidence > 0).any(axis=1))
    if len(frames) < _LEAST_S * float(pose3d.fps):
        raise InputError(f"two cameras agree about them in {len(frames)} frames only")
    during = slice(int(frames[0]), int(frames[-1]) + 1)
    pose3d = replace(
        pose3d, **{name: getattr(pose3d, name)[during] for name in ("xyz_m", "confidence", "std_m", "views")}
    )
    views = tuple(
        None if pose is None else replace(pose, xy_px=pose.xy_px[during], confidence=pose.confidence[during])
        for pose in views
    )
    notes += _misfits(views, pose3d, take.cameras, number)
    notes += _lost(pose3d, take.start_frame + during.start, number)
    bodies = lifted_views(views, take.cameras, height_m=wanted.height_m)
    pose3d = with_toes(fill_from(pose3d, bodies, views, take.cameras), bodies, take.cameras)
    first = next(pose for pose in views if pose is not None)
    sight = Sight(person=number, first=take.start_frame + during.start, pose2d=first)
    standing = Standing(sight=sight, pose3d=pose3d, hint=None)
    solved = solve_person(standing, wanted)
    performance = perform(standing, solved, 0, wanted)
    notes += _held(performance, solved)
    notes += [f"person {number}: the {part} was not seen and stays at rest" for part in performance.unobserved]
    notes += _off_the_floor(performance, number)
    return replace(performance, views=views)


def _held(performance: Performance, solved: Motion) -> list[str]:
    """A note on feet that were held at the cost of the body, which several cameras see well."""
    moved_m = float(np.linalg.norm(performance.motion.root_m - solved.root_m, axis=-1).max())
    if moved_m <= _HELD_M:
        return []
    return [
        f"person {performance.person}: holding feet that stand moves the body by up to {moved_m:.2f} m from where the "
        "cameras see it; `--foot-lock off` leaves it there"
    ]


def _off_the_floor(performance: Performance, number: int) -> list[str]:
    """A note on somebody who stands elsewhere than on the floor of the rig, which stays where it was calibrated."""
    from mocap3d.base.feet import sole_points

    motion = performance.motion
    if motion.contacts is None or not (motion.contacts > 0.5).any():
        return []
    height_m = float(np.median(sole_points(motion)[..., 1][motion.contacts > 0.5]))
    if abs(height_m) <= _ON_THE_FLOOR_M:
        return []
    side = "above" if height_m > 0 else "below"
    return [
        f"person {number} stands {abs(height_m):.2f} m {side} the floor of the cameras' calibration, on something or "
        "because that floor is elsewhere; nobody is moved"
    ]


def _misfits(views: Sequence[Pose2D | None], pose3d: Pose3D, cameras: Sequence[Camera], number: int) -> list[str]:
    """A note on each camera that sees a person elsewhere than the others say."""
    from mocap3d.base.projection import project
    from mocap3d.identify.body_size import height_px

    found = []
    for camera, pose in zip(cameras, views, strict=True):
        if pose is None:
            continue
        off_px = np.linalg.norm(project(camera, pose3d.xyz_m)[0] - pose.xy_px, axis=-1)
        off_px = off_px[(pose.confidence > 0) & np.isfinite(off_px)]
        tall_px = height_px(pose.xy_px, pose.confidence)
        if len(off_px) and np.median(off_px) > _FAR_OFF * np.nanmedian(tall_px):
            found.append(
                f"person {number}: camera {camera.name} sees joints {np.median(off_px):.0f} px off what all cameras "
                "say together: was it moved since the calibration, or did it start at another time?"
            )
    return found


def _lost(pose3d: Pose3D, first: int, number: int) -> list[str]:
    """Notes on frames that were bridged, as a clip of one camera has them."""
    lost = first + np.flatnonzero(~(pose3d.confidence > 0).any(axis=1))
    if not len(lost):
        return []
    return [f"person {number}: no two cameras agree in {len(lost)} frames between {lost[0]} and {lost[-1]}: bridged"]


def _in_picture(one: Performance, camera: int) -> Pose2D:
    """What a camera saw of a person; nothing, if it never did."""
    pose = one.views[camera]
    if pose is not None:
        return pose
    empty = one.pose2d
    return replace(empty, xy_px=np.full_like(empty.xy_px, np.nan), confidence=np.zeros_like(empty.confidence))


def _main_camera(performances: Sequence[Performance]) -> int:
    """The camera that saw the people best: whose pictures a clip is compared with."""
    sums = [[0.0 if pose is None else float(pose.confidence.sum()) for pose in one.views] for one in performances]
    return int(np.sum(sums, axis=0).argmax())
