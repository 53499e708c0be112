"""Cameras without a board: poses from the people who move in front of them, and given poses refined by them.

Pairs of cameras are started from what a monocular lifter says of each person (``people/pairs.py``), the best pairs
are linked to a tree, and bundle adjustment over all joints of all moments settles the rest. Size, vertical and floor
come from the people too (``people/world.py``).

What a network calls a hip differs from view to view by centimetres, so a calibration by people is a few times less
exact than one by a board; it needs a whole body that walks about, not one that stands.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.triangulation import reprojection_px, triangulate
from mocap3d.cameras.bundle import Priors, Sights, adjust
from mocap3d.cameras.people.pairs import CameraPair, Seen, start_pair
from mocap3d.cameras.people.world import Placement, place_in_world

__all__ = ["FromPeople", "PeopleSettings", "Refined", "Seen", "cameras_from_people", "refine_from_people"]

Floats = NDArray[np.float64]

_LEAST_JOINTS: Final = 30
_ONE_PLACE_RAD: Final = 0.015  # rays that differ by less than this, after turning, come from one place


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """How cameras are found from people.

    Attributes:
        joint_std: expected error of a detected joint, as a share of the person's height in the picture.
        robust_std: joints off by more than so many standard deviations lose their say.
        most_moments: frames that are used, evenly spread.
        refine_focal: also let each camera's focal length go, ...
        focal_std: ... as far as this share of it.
        rounds: adjustments, each judging anew how exact each camera's joints are.
    """

    joint_std: float = 0.008
    robust_std: float = 1.0
    most_moments: int = 150
    refine_focal: bool = False
    focal_std: float = 0.05
    rounds: int = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FromPeople:
    """Cameras found from people.

    Attributes:
        cameras: in the world: metres, +Y up, floor at y = 0.
        placement: where size, vertical and floor come from.
        people: per person, for each camera the index of its person in the camera's list, or None.
        poses: per person the triangulated joints, world.
        residual_px: (C,) median distance between seen and projected joints.
        pairs: how each pair was started.
    """

    cameras: tuple[Camera, ...]
    placement: Placement
    people: tuple[tuple[int | None, ...], ...]
    poses: tuple[Pose3D, ...]
    residual_px: Floats
    pairs: tuple[CameraPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refined:
    """A calibration that was refined by people.

    Attributes:
        cameras: about where they were, in the same world.
        before_px: (C,) median distance between seen and projected joints with the given cameras.
        after_px: (C,) the same with these.
        poses: per person the joints, triangulated with these.
    """

    cameras: tuple[Camera, ...]
    before_px: Floats
    after_px: Floats
    poses: tuple[Pose3D, ...]


def cameras_from_people(
    views: Sequence[Sequence[Seen]],
    lenses: Sequence[Camera],
    *,
    height_m: float | Sequence[float] | None = None,
    distance_m: tuple[int, int, float] | None = None,
    settings: PeopleSettings | None = None,
) -> FromPeople:
    """Find the poses of cameras from the people that they saw.

    Args:
        views: per camera the people that it saw, all on one clock: frame t is one moment in all of them. Nobody needs
            to know who is who.
        lenses: the cameras; their poses are not used.
        height_m: stature of everybody, or of each person found; sets the size of the world. Without it and without
            ``distance_m`` the size is that which lifting assumed.
        distance_m: two cameras and how far their lenses are apart; comes before ``height_m``.
        settings: how.

    Raises:
        InputError: fewer than two cameras, or lists that do not fit.
        CalibrationError: cameras that share nobody with the others, or too little of anybody.
    """
    chosen = settings or PeopleSettings()
    if len(views) != len(lenses) or len(lenses) < 2:
        raise InputError(f"people need at least 2 cameras and one list for each, got {len(views)} and {len(lenses)}")
    pairs = [start_pair(a, b, views, lenses) for a, b in itertools.combinations(range(len(lenses)), 2)]
    told = [pair for pair in pairs if pair is not None]
    for pair in told:
        if pair.parallax_rad < _ONE_PLACE_RAD:
            first, second = lenses[pair.first].name, lenses[pair.second].name
            raise CalibrationError(
                f"cameras {first!r} and {second!r} see everything from one place: was the same video given twice? Else "
                "put them apart, best 60 to 120 degrees around people, and film again"
            )
    cameras, links = _linked(told, lenses)
    people = _persons(views, links)
    seen = [tuple(None if n is None else views[c][n].pose2d for c, n in enumerate(members)) for members in people]
    zoom = ("zoom",) if chosen.refine_focal else ()
    free = [("pose", *zoom) if c else zoom for c in range(len(cameras))]  # the first is where it is
    priors = Priors(log_focal=chosen.focal_std) if chosen.refine_focal else None
    cameras = _adjusted(cameras, seen, chosen, free, priors)
    poses = [_triangulated(cameras, own) for own in seen]
    contacts = [_contacts(views, members) for members in people]
    placement = place_in_world(cameras, poses, contacts=contacts, height_m=height_m, distance_m=distance_m)
    return FromPeople(
        cameras=placement.cameras,
        placement=placement,
        people=tuple(people),
        poses=tuple(placement.moved(pose) for pose in poses),
        residual_px=_residual_px(cameras, seen),
        pairs=tuple(told),
    )


def refine_from_people(
    cameras: Sequence[Camera],
    people: Sequence[Sequence[Pose2D | None]],
    *,
    free: Sequence[str] = ("pose",),
    priors: Priors | None = None,
    settings: PeopleSettings | None = None,
) -> Refined:
    """Move given cameras a little, until they agree about the people that they see.

    Args:
        cameras: the calibration.
        people: per person what each camera saw, on one clock.
        free: what may move, by the names of ``bundle.FREE``. A principal point that moves alone, without "pose",
            undoes a crop that nobody declared; together they can hardly be told apart.
        priors: how far it may move. By default 3 degrees and 10 cm, 30 px for the principal point, 2 % for the focal
            length, which also holds the size of the world.
        settings: how.

    Raises:
        InputError: lists that do not fit.
        CalibrationError: too few joints were seen by two cameras.
    """
    chosen = settings or PeopleSettings()
    if any(len(own) != len(cameras) for own in people) or not people:
        raise InputError(f"every person needs one entry for each of the {len(cameras)} cameras")
    known = priors or Priors(
        rotation_rad=float(np.radians(3)), translation_m=0.1, principal_px=30.0, log_focal=0.02, distortion=0.02
    )
    before = _residual_px(cameras, people)
    moved = _adjusted(tuple(cameras), people, chosen, free, known)
    return Refined(
        cameras=moved,
        before_px=before,
        after_px=_residual_px(moved, people),
        poses=tuple(_triangulated(moved, own) for own in people),
    )


def _linked(pairs: Sequence[CameraPair], lenses: Sequence[Camera]) -> tuple[tuple[Camera, ...], list[CameraPair]]:
    """Place all cameras by the best pairs, the first camera at the origin; and the pairs that did it."""
    placed: dict[int, Floats] = {0: np.eye(4)}  # cam_from_first
    used: list[CameraPair] = []
    while len(placed) < len(lenses):
        crossing = [pair for pair in pairs if (pair.first in placed) != (pair.second in placed)]
        if not crossing:
            lost = ", ".join(repr(lens.name) for c, lens in enumerate(lenses) if c not in placed)
            raise CalibrationError(
                f"cameras {lost} share no person with camera {lenses[0].name!r}, directly or through others: film "
                "somebody who is seen whole by two cameras at a time, and synchronise the videos"
            )
        best = max(crossing, key=lambda pair: pair.quality)
        if best.first in placed:
            placed[best.second] = best.second_from_first @ placed[best.first]
        else:
            placed[best.first] = np.linalg.inv(best.second_from_first) @ placed[best.second]
        used.append(best)
    return tuple(replace(lens, cam_from_world=placed[c]) for c, lens in enumerate(lenses)), used


def _persons(views: Sequence[Sequence[Seen]], links: Sequence[CameraPair]) -> list[tuple[int | None, ...]]:
    """Follow people along the links: per person the index in each camera."""
    groups = [{(c, n)} for c, own in enumerate(views) for n in range(len(own))]
    for link in links:
        for p, q in link.people:
            one = next(group for group in groups if (link.first, p) in group)
            other = next(group for group in groups if (link.second, q) in group)
            if one is not other:
                one |= other
                groups.remove(other)
    people = []
    for group in groups:
        if len({c for c, _ in group}) >= 2:
            members = dict(sorted(group, reverse=True))
            people.append(tuple(members.get(c) for c in range(len(views))))
    return people


def _adjusted(
    cameras: tuple[Camera, ...],
    people: Sequence[Sequence[Pose2D | None]],
    settings: PeopleSettings,
    free: Sequence[str] | Sequence[Sequence[str]],
    priors: Priors | None,
) -> tuple[Camera, ...]:
    xy_px, weight = _sights(cameras, people, settings)
    for round_ in range(settings.rounds):
        points = triangulate(cameras, xy_px, weight)
        used = np.flatnonzero(np.isfinite(points).all(axis=-1))
        if len(used) < _LEAST_JOINTS:
            _refuse(int(((weight > 0).sum(axis=0) >= 2).sum()), len(used))
        camera, point = np.nonzero(weight[:, used] > 0)
        adjusted = adjust(
            cameras,
            points[used],
            Sights(
                camera=camera,
                point=point,
                xy_px=xy_px[:, used][camera, point],
                weight=weight[:, used][camera, point],
            ),
            free=free,
            robust_px=settings.robust_std,
            loss="huber" if round_ == 0 else "cauchy",
            priors=priors,
            max_steps=25 if round_ < settings.rounds - 1 else 60,
        )
        cameras = adjusted.cameras
    return cameras


def _refuse(seen: int, met: int) -> NoReturn:
    """Say why there is nothing to adjust."""
    if seen < 2 * _LEAST_JOINTS:
        raise CalibrationError(
            f"only {seen} joints were seen by two cameras at a time: film a whole person who walks about for some "
            "seconds where the views overlap"
        )
    raise CalibrationError(
        f"of {seen} joints that two cameras saw, the rays of {met} meet: the videos are not of one moment (`mocap3d "
        "sync`), a picture is mirrored, or the cameras see different people; put that right, or film again"
    )


def _sights(
    cameras: Sequence[Camera], people: Sequence[Sequence[Pose2D | None]], settings: PeopleSettings
) -> tuple[Floats, Floats]:
    """All joints of all people at chosen moments: pixels (C, N, 2), and 1 / variance (C, N)."""
    xy_px, weight = [], []
    for own in people:
        frames, joints = _shape(own)
        moments = np.unique(np.linspace(0, frames - 1, min(frames, settings.most_moments)).round().astype(int))
        xy, w = np.full((len(cameras), len(moments), joints, 2), np.nan), np.zeros((len(cameras), len(moments), joints))
        for c, pose in enumerate(own):
            if pose is not None:
                xy[c] = pose.xy_px[moments]
                std_px = settings.joint_std * _height_px(pose)
                w[c] = pose.confidence[moments] / std_px**2
        xy_px.append(xy.reshape(len(cameras), -1, 2))
        weight.append(np.where(np.isfinite(xy).all(axis=-1), w, 0.0).reshape(len(cameras), -1))
    return np.concatenate(xy_px, axis=1), np.concatenate(weight, axis=1)


def _triangulated(cameras: Sequence[Camera], own: Sequence[Pose2D | None]) -> Pose3D:
    """One person's joints in space, every frame; wild views taken out once."""
    frames, joints = _shape(own)
    xy = np.stack([np.full((frames, joints, 2), np.nan) if pose is None else pose.xy_px for pose in own])
    weight = np.stack([np.zeros((frames, joints)) if pose is None else pose.confidence for pose in own])
    for _ in range(3):
        points = triangulate(cameras, xy, weight)
        off = reprojection_px(cameras, points, xy)
        typical = np.nanmedian(off) if np.isfinite(off).any() else 1.0
        weight = np.where(np.isfinite(off), weight / (1 + (np.nan_to_num(off) / (4 * typical + 1e-9)) ** 2), 0.0)
    views = ((weight > 0) & np.isfinite(off)).sum(axis=0)
    known = np.asarray(np.isfinite(points).all(axis=-1))
    first = next(pose for pose in own if pose is not None)
    return Pose3D(
        xyz_m=np.where(known[..., None], points, np.nan),
        confidence=np.where(known, np.clip(weight.max(axis=0), 0, 1), 0.0),
        std_m=np.full((frames, joints), 0.02),
        views=np.where(known, views, 0),
        fps=first.fps,
        skeleton=first.skeleton,
        frame="world",
    )


def _residual_px(cameras: Sequence[Camera], people: Sequence[Sequence[Pose2D | None]]) -> Floats:
    """(C,) median reprojection error of each camera."""
    offs: list[Floats] = []
    for own in people:
        pose = _triangulated(cameras, own)
        xy = np.stack([np.full(pose.xyz_m.shape[:2] + (2,), np.nan) if one is None else one.xy_px for one in own])
        offs.append(reprojection_px(cameras, pose.xyz_m, xy).reshape(len(cameras), -1))
    off = np.concatenate(offs, axis=1)
    return np.array([np.nanmedian(row) if np.isfinite(row).any() else np.nan for row in off])


def _contacts(views: Sequence[Sequence[Seen]], members: Sequence[int | None]) -> Floats | None:
    """(T, 4) the mean of what the cameras say."""
    told = [views[c][n].contacts for c, n in enumerate(members) if n is not None]
    known = [contacts for contacts in told if contacts is not None]
    if not known:
        return None
    frames = min(len(contacts) for contacts in known)
    return np.asarray(np.mean([contacts[:frames] for contacts in known], axis=0))


def _shape(own: Sequence[Pose2D | None]) -> tuple[int, int]:
    shapes = {pose.xy_px.shape[:2] for pose in own if pose is not None}
    if len(shapes) != 1:
        raise InputError(f"what the cameras saw of one person must have the same frames and joints, got {shapes}")
    frames, joints = shapes.pop()
    return int(frames), int(joints)


def _height_px(pose: Pose2D) -> float:
    """How large a person is in the picture: the usual extent of the joints."""
    seen = np.where((pose.confidence > 0)[..., None], pose.xy_px, np.nan)
    enough = np.isfinite(seen[..., 0]).sum(axis=1) >= 4
    if not enough.any():
        return 100.0
    extent = np.nanmax(seen[enough], axis=1) - np.nanmin(seen[enough], axis=1)
    return max(float(np.median(np.hypot(extent[:, 0], extent[:, 1]))), 20.0)
