"""Several calibrated views of one person -> joints in metres, in the world.

The multi-camera twin of ``monocular.py``. Geometry only: it learns nothing but, from the clip itself, how far off each
camera's 2D joints are (``view_noise.py``). A joint that fewer than two cameras agree about (``base/consensus.py``)
stays missing; ``fill_in.py`` may fill it, ``adjust.py`` makes bones constant and paths smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.consensus import find_points
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import project
from mocap3d.base.triangulation import PARALLEL, covariance_m2, px_per_m, rays_of
from mocap3d.lift.continuity import believed_over_time
from mocap3d.lift.view_noise import Noise, Rays, estimate_noise, residual_freedom

__all__ = ["MultiviewSettings", "Triangulated", "stacked", "triangulate_everything", "triangulate_pose"]

Floats = NDArray[np.float64]

_REFINEMENTS, _LONGEST_M = 2, 0.5
_PRIOR_POINT = 4.0
"""How many residuals the noise of the clip weighs against those of one point, when its own error is estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiviewSettings:
    """What is believed about views.

    Attributes:
        std_px: error of a 2D joint of confidence 1, along x and along y; None: found from the clip, per camera and
            per joint.
        smallest_px: no camera is thought to be better than this.
        largest_std_m: a joint whose place is less sure than this is missing: its rays are all but parallel.
    """

    std_px: float | None = None
    smallest_px: float = 0.1
    largest_std_m: float = 0.5

    def __post_init__(self) -> None:
        """Refuse errors that cannot be."""
        given = (self.smallest_px, self.largest_std_m, 1.0 if self.std_px is None else self.std_px)
        if not all(np.isfinite(value) and value > 0 for value in given):
            raise InputError(f"expected errors must be above 0, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Triangulated:
    """All that the views of one person say.

    Attributes:
        pose: joints in the world.
        say: (C, T, J) what say each camera had in each joint, 0 to 1.
        error_px: (C, T, J) reprojection; NaN where a camera or the joint is missing.
        std_px: (C, J) error of the 2D joints with confidence 1 that was found or given.
    """

    pose: Pose3D
    say: Floats
    error_px: Floats
    std_px: Floats


def triangulate_pose(
    poses: Sequence[Pose2D | None], cameras: Sequence[Camera], *, settings: MultiviewSettings | None = None
) -> Pose3D:
    """Triangulate one person, frame by frame, although some views are wrong at times.

    Args:
        poses: what C cameras see of the person, at the same instants and of one skeleton; None: not at all.
            Confidence 0 (missing, filled in) does not count, and the variance of a joint is over its confidence.
        cameras: C calibrated cameras; distortion is undone exactly.
        settings: what is believed beforehand.

    Returns:
        The same T frames and joints in the world. ``std_m`` follows from the directions of the rays, the noise of the
        clip and the residuals of the joint itself; ``views`` counts the cameras that agree; missing (NaN, confidence 0,
        ``std_m`` 0) is what no two cameras agree about.

    Raises:
        InputError: fewer than two cameras, nobody seen at all, or poses that do not fit together.

    Reference:
        Hartley & Sturm, "Triangulation", CVIU 1997; Hampel et al., "Robust Statistics", 1986, for the weights.
    """
    return triangulate_everything(poses, cameras, settings=settings).pose


def triangulate_everything(
    poses: Sequence[Pose2D | None], cameras: Sequence[Camera], *, settings: MultiviewSettings | None = None
) -> Triangulated:
    """`triangulate_pose`, and which camera said what and how far off it was."""
    settings = settings or MultiviewSettings()
    xy_px, confidence, first = stacked(poses, cameras)
    views, frames, joints = confidence.shape
    pixels, seen = xy_px.reshape(views, -1, 2), confidence.reshape(views, -1)
    uv, px_per_ray = rays_of(cameras, pixels)
    rays = Rays(
        cam_from_world=np.stack([camera.cam_from_world[:3] for camera in cameras]),
        uv=uv,
        px_per_ray=px_per_ray,
        confidence=np.where(np.isfinite(uv).all(axis=1), seen, 0.0),
        joint=np.tile(np.arange(joints), frames),
    )
    noise = _noise(rays, xy_px, joints, settings)
    weight = noise.weight(rays)
    xyz_m, say = find_points(rays.cam_from_world, uv, weight)
    xyz_m, say = believed_over_time(rays, weight, xyz_m, say, frames, float(first.fps))
    std_px = noise.std_px[:, None] * noise.of_joint  # (C, J)
    with np.errstate(divide="ignore"):
        sigma_px = std_px[:, rays.joint] / np.sqrt(rays.confidence)  # (C, N); infinite where not seen
    xyz_m = _refined(cameras, xyz_m, say, pixels, sigma_px)
    std_m, error_px = _expected_error(cameras, rays, xyz_m, say, pixels, sigma_px)
    lost = ~(std_m <= settings.largest_std_m)
    xyz_m[lost], say[:, lost], std_m[lost], error_px[:, lost] = np.nan, 0.0, 0.0, np.nan
    sure = (say * rays.confidence).sum(axis=0) / np.maximum(say.sum(axis=0), 1e-12)
    shape = (frames, joints)
    pose = Pose3D(
        xyz_m=xyz_m.reshape(*shape, 3),
        confidence=np.where(lost, 0.0, sure).clip(0, 1).reshape(shape),
        std_m=std_m.reshape(shape),
        views=(say > 0).sum(axis=0).reshape(shape),
        fps=first.fps,
        skeleton=first.skeleton,
        frame="world",
    )
    return Triangulated(
        pose=pose, say=say.reshape(views, *shape), error_px=error_px.reshape(views, *shape), std_px=std_px
    )


def stacked(poses: Sequence[Pose2D | None], cameras: Sequence[Camera]) -> tuple[Floats, Floats, Pose2D]:
    """Check that poses fit each other and the cameras: (C, T, J, 2), (C, T, J), and one that is there.

    Raises:
        InputError: they do not.
    """
    if len(cameras) < 2:
        raise InputError(f"triangulation needs at least 2 cameras, got {len(cameras)}")
    if len(poses) != len(cameras):
        raise InputError(f"there must be one pose (or None) for each of the {len(cameras)} cameras, got {len(poses)}")
    there = [pose for pose in poses if pose is not None]
    if not there:
        raise InputError("no camera sees the person: all poses are None")
    first = there[0]
    for pose, camera in zip(poses, cameras, strict=True):
        if pose is not None and (len(pose), pose.fps, pose.skeleton) != (len(first), first.fps, first.skeleton):
            raise InputError(
                f"poses must have the same frames, rate and skeleton: {len(first)} at {first.fps} fps of "
                f"{first.skeleton.name}, but camera {camera.name!r} has {len(pose)} at {pose.fps} of "
                f"{pose.skeleton.name}; synchronise the videos first"
            )
    nothing = np.full(first.xy_px.shape, np.nan)
    xy_px = np.stack([nothing if pose is None else pose.xy_px for pose in poses])
    confidence = np.stack([np.zeros(nothing.shape[:2]) if pose is None else pose.confidence for pose in poses])
    return xy_px, confidence, first


def _noise(rays: Rays, xy_px: Floats, joints: int, settings: MultiviewSettings) -> Noise:
    if settings.std_px is not None:
        return Noise(std_px=np.full(len(xy_px), settings.std_px), of_joint=np.ones(joints))
    shown = rays.confidence.reshape(xy_px.shape[:3]) > 0
    return estimate_noise(rays, joints, _sizes_px(np.where(shown[..., None], xy_px, np.nan)), settings.smallest_px)


def _sizes_px(xy_px: Floats) -> Floats:
    """(C,) how far joints typically lie from the middle of the person; the mean of the others where there are none."""
    sizes = []
    for xy in xy_px:
        frames = xy[np.isfinite(xy).all(axis=-1).sum(axis=-1) >= 3]
        away = np.abs(frames - np.nanmedian(frames, axis=1, keepdims=True)).sum(axis=-1)
        sizes.append(float(np.nanmedian(away)) if len(frames) else np.nan)
    known = [size for size in sizes if size > 0]
    mean = float(np.mean(known)) if known else 100.0
    return np.array([size if size > 0 else mean for size in sizes])


def _refined(cameras: Sequence[Camera], xyz_m: Floats, say: Floats, pixels: Floats, sigma_px: Floats) -> Floats:
    """(N, 3) after Gauss-Newton in pixels through the true lenses, from where the closed form left it."""
    for _ in range(_REFINEMENTS):
        information, pull = np.zeros((len(xyz_m), 3, 3)), np.zeros((len(xyz_m), 3))
        for camera, xy, share, sigma in zip(cameras, pixels, say, sigma_px, strict=True):
            root = (np.sqrt(share) / sigma)[:, None]
            off = (xy - project(camera, xyz_m)[0]) * root
            slope = px_per_m(camera, xyz_m) * root[..., None]
            counts = (share > 0) & np.isfinite(off).all(axis=-1)
            off, slope = np.where(counts[:, None], off, 0.0), np.where(counts[:, None, None], slope, 0.0)
            information += np.einsum("nki,nkj->nij", slope, slope)
            pull += np.einsum("nki,nk->ni", slope, off)
        mean = np.trace(information, axis1=1, axis2=2) / 3
        solvable = np.linalg.det(information) > PARALLEL * mean**3
        step = np.linalg.solve(np.where(solvable[:, None, None], information, np.eye(3)), pull[..., None])[..., 0]
        short = solvable & (np.linalg.norm(step, axis=-1) < _LONGEST_M)
        xyz_m = xyz_m + np.where(short[:, None], step, 0.0)
    return xyz_m


def _expected_error(
    cameras: Sequence[Camera], rays: Rays, xyz_m: Floats, say: Floats, pixels: Floats, sigma_px: Floats
) -> tuple[Floats, Floats]:
    """(N,) metres per axis, NaN where there is no point; (C, N) pixels.

    The covariance of the noise of the clip, times how much larger the residuals of the point itself are.
    """
    off_px = np.stack([project(camera, xyz_m)[0] - xy for camera, xy in zip(cameras, pixels, strict=True)])
    error_px = np.linalg.norm(off_px, axis=-1)
    with np.errstate(divide="ignore"):
        covariance = covariance_m2(cameras, xyz_m, sigma_px / np.sqrt(say))
    counted = np.where(say > 0, rays.confidence, 0.0) > 0
    weight = np.where(counted, say * (rays.px_per_ray / sigma_px) ** 2, 0.0)
    freedom = residual_freedom(rays.cam_from_world, weight, xyz_m).sum(axis=0)
    squares = np.where(counted, say * (error_px / sigma_px) ** 2, 0.0).sum(axis=0)
    larger = (_PRIOR_POINT + squares) / (_PRIOR_POINT + freedom)
    return np.sqrt(np.trace(covariance, axis1=1, axis2=2) / 3 * larger), error_px
