"""Where pictures are taken from: a camera that shows all of a motion, follows it, or goes around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from mocap3d.viewers.render.scene import Scene
from mocap3d.viewers.render.surfaces import Surface
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.motion.bone_names import bone_names

__all__ = ["Kind", "View", "orbit"]

Floats = NDArray[np.float64]
Kind = Literal["orbit", "turntable", "overlay", "beside"]

_FOV_DEG: Final = 30.0  # of the shorter side
_ELEVATION_DEG: Final = 12.0
_ASIDE_DEG: Final = 32.0  # from straight ahead
_MARGIN: Final = 1.12
_SMALL: Final = 0.28  # of the picture's height: a body smaller than this is followed
_CALM_S: Final = 0.5  # a following camera moves as smoothly as this
_NOBODY_M: Final = np.array([[-0.5, 0.0, -0.5], [0.5, 1.8, 0.5]])  # what is looked at where nobody is
_SAMPLES: Final = 24  # frames that are looked at to find the distance


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """From where to look.

    Attributes:
        kind: "orbit" (a camera of its own), "turntable" (which goes around once), "overlay" (over the video, through
            the camera that took it) or "beside" (the video, and beside it "orbit").
        azimuth_deg: 0 looks along -Z, at the face of somebody who faces +Z; 90 looks along -X. None: from ahead of the
            people, a little aside.
        elevation_deg: how far above the horizon the camera stands.
        follow: whether the camera goes along; None: when people would otherwise be small.
        turns: how often a turntable goes around.
        camera: the name of the camera for "overlay" and "beside"; None: the one that saw the people best.
    """

    kind: Kind = "orbit"
    azimuth_deg: float | None = None
    elevation_deg: float = _ELEVATION_DEG
    follow: bool | None = None
    turns: float = 1.0
    camera: str | None = None

    def __post_init__(self) -> None:
        """Check angles."""
        if not -89 <= self.elevation_deg <= 89:
            raise InputError(f"elevation_deg must lie between -89 and 89, got {self.elevation_deg}")
        if self.azimuth_deg is not None and not math.isfinite(self.azimuth_deg):
            raise InputError(f"azimuth_deg must be a number, got {self.azimuth_deg}")


def orbit(scene: Scene, view: View, frames: Sequence[int], size_wh_px: tuple[int, int]) -> Iterator[Camera]:
    """Yield one camera per frame of a picture, movie or sheet; all see everybody, at one scale.

    Args:
        scene: who is there.
        view: "turntable" goes around; all other kinds stay on one side.
        frames: of the scene, in the order of the pictures; one may come many times.
        size_wh_px: of the pictures.
    """
    azimuth = math.radians(_ahead_deg(scene, frames) if view.azimuth_deg is None else view.azimuth_deg)
    turn = 2 * math.pi * view.turns if view.kind == "turntable" else 0.0
    azimuths = azimuth + turn * np.arange(len(frames)) / max(len(frames), 1)
    sampled = ((n, _points(scene.surfaces(frames[n]))) for n in _spread(len(frames), _SAMPLES))
    clouds = [(n, cloud) for n, cloud in sampled if len(cloud)] or [(0, _NOBODY_M)]
    paths = {True: _path(scene, frames), False: np.zeros((len(frames), 3))}
    focal = 0.5 / math.tan(math.radians(_FOV_DEG) / 2) * min(size_wh_px)
    half = np.array(size_wh_px) / (2 * focal * _MARGIN)
    follow = view.follow
    if follow is None:
        _, distance_m = _fit(clouds, azimuths, view, paths[False], half)
        follow = focal * scene.stature_m / distance_m < _SMALL * size_wh_px[1]
    shift_m, distance_m = _fit(clouds, azimuths, view, paths[follow], half)
    targets_m = paths[follow] + shift_m
    return (_looking(t, a, view, distance_m, focal, size_wh_px) for t, a in zip(targets_m, azimuths, strict=True))


def _looking(
    target_m: Floats, azimuth: float, view: View, distance_m: float, focal: float, size_wh_px: tuple[int, int]
) -> Camera:
    width, height = size_wh_px
    axes = _axes(azimuth, view)
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = axes
    cam_from_world[:3, 3] = -axes @ target_m + [0.0, 0.0, distance_m]
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return Camera(name="eye", size_wh_px=size_wh_px, K=K, cam_from_world=cam_from_world)


def _axes(azimuth: float, view: View) -> Floats:
    """(3, 3) right, down, ahead of a camera that stands in that direction and looks at the middle."""
    elevation = math.radians(view.elevation_deg)
    back = np.array([
        math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)
    ])  # fmt: skip
    right = np.array([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    return np.stack([right, np.cross(right, back), -back])


def _fit(
    clouds: Sequence[tuple[int, Floats]], azimuths: Floats, view: View, path_m: Floats, half: Floats
) -> tuple[Floats, float]:
    """What to look at, beside the path, and from how far, so that every point of every cloud is in the picture.

    A point at (x, y, z) from the target is inside when |x - cx| <= (z + d) tan, so d and c follow from two extremes
    per axis. What goes around has its target on the axis in the middle.
    """
    around = view.kind == "turntable"
    clouds = [(n, cloud - path_m[n]) for n, cloud in clouds]
    low = np.min([cloud.min(axis=0) for _, cloud in clouds], axis=0)
    high = np.max([cloud.max(axis=0) for _, cloud in clouds], axis=0)
    middle_m = (low + high) / 2
    angles = np.linspace(0, 2 * math.pi, 12, endpoint=False) if around else azimuths[:1]
    extremes = np.full((2, 2), -np.inf)
    for angle in angles:
        for _, cloud in clouds:
            seen = (cloud - middle_m) @ _axes(float(angle), view).T
            for side, sign in enumerate((1.0, -1.0)):
                reach = (sign * seen[:, :2] - seen[:, 2:] * half).max(axis=0)
                extremes[side] = np.maximum(extremes[side], reach)
    if around:
        extremes = np.broadcast_to(extremes.max(axis=0), (2, 2))
    distance_m = float(((extremes[0] + extremes[1]) / (2 * half)).max())
    aside = (extremes[0] - extremes[1]) / 2
    return middle_m + aside @ _axes(float(azimuths[0]), view)[:2], max(distance_m, 1e-3)


def _path(scene: Scene, frames: Sequence[int]) -> Floats:
    """(N, 3) where the people are in each picture, calmed; the height changes only with stairs and the like."""
    from scipy.ndimage import gaussian_filter1d

    order = sorted(set(frames))
    middles = []
    for frame in order:
        joints = [figure.joints_at(frame) for figure in scene.figures]
        means = [one[np.isfinite(one).all(axis=-1)] for one in joints if one is not None]
        found = [one.mean(axis=0) for one in means if len(one)]
        middles.append(np.mean(found, axis=0) if found else np.full(3, np.nan))
    path = np.array(middles)
    known = np.isfinite(path[:, 0])
    if not known.any():
        return np.zeros((len(frames), 3))
    times = np.array(order, dtype=np.float64)
    path = np.stack([np.interp(times, times[known], column[known]) for column in path.T], axis=1)
    step = (times[-1] - times[0]) / max(len(times) - 1, 1) or 1.0
    sigma = _CALM_S * float(scene.fps) / step
    path = gaussian_filter1d(path, sigma, axis=0, mode="nearest")
    index = {frame: n for n, frame in enumerate(order)}
    return path[[index[frame] for frame in frames]]


def _ahead_deg(scene: Scene, frames: Sequence[int]) -> float:
    """From where people are seen from ahead and a little aside: by where their hips point."""
    ahead = np.zeros(2)
    for figure in scene.figures:
        bones = bone_names(figure.skeleton.joint_names)
        sides = {bone.side: j for j, bone in enumerate(bones) if "UpperLeg" in bone.parts}
        if {"left", "right"} <= sides.keys():
            during = [frame - figure.start for frame in frames if figure.start <= frame < figure.stop]
            to_left = figure.joints_m[during, sides["left"]] - figure.joints_m[during, sides["right"]]
            to_left = to_left[np.isfinite(to_left).all(axis=-1)]
            ahead += np.stack([-to_left[:, 2], to_left[:, 0]], axis=1).sum(axis=0) / max(len(to_left), 1)
    heading = math.degrees(math.atan2(ahead[0], ahead[1])) if np.linalg.norm(ahead) > 1e-6 else 0.0
    return heading + _ASIDE_DEG


def _points(surfaces: Sequence[Surface]) -> Floats:
    """A few of the vertices."""
    return np.concatenate([np.zeros((0, 3)), *(one.vertices_m[::9] for one in surfaces)])


def _spread(count: int, most: int) -> list[int]:
    return sorted({round(n) for n in np.linspace(0, count - 1, min(count, most))})
