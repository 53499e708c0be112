"""People in mirrors and shiny floors: seen by several cameras they are as solid as anybody, but behind the glass.

Whoever is at each moment where a plane reflects somebody else to, left and right exchanged, is a reflection if all
cameras stand in front of that plane. Two people who dance alike are off by far more than joints are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.triangulation import triangulate

__all__ = ["without_reflections"]

Floats = NDArray[np.float64]
Views = tuple[Pose2D | None, ...]

_OFF_M = 0.08  # how far joints may be from where the plane reflects them to
_SHARE = 0.8  # of the joints that are that near
_MOVED_M = 0.15  # who stands still may look like anybody
_LEAST_S = 0.5


def without_reflections(people: Sequence[Views], cameras: Sequence[Camera]) -> tuple[Views, ...]:
    """Leave out people who are the reflection of others.

    Args:
        people: of each what every camera saw, as `identify.views.match_people` returns them.
        cameras: C cameras with poses in one world.

    Returns:
        The others, in the same order. Who is seen by one camera only stays: nobody knows where they are.
    """
    joints_m = [_joints_m(views, cameras) for views in people]
    centres_m = np.stack([camera.world_from_cam[:3, 3] for camera in cameras])
    kept = []
    for n, views in enumerate(people):
        mirror = np.array(next(pose for pose in views if pose is not None).skeleton.mirror, np.intp)
        fps = float(next(pose for pose in views if pose is not None).fps)
        others = [joints_m[k] for k in range(len(people)) if k != n]
        if not any(_reflects(other, joints_m[n][:, mirror], centres_m, fps) for other in others):
            kept.append(views)
    return tuple(kept)


def _joints_m(views: Views, cameras: Sequence[Camera]) -> Floats:
    """(T, J, 3); NaN where fewer than two cameras saw a joint."""
    shape = next(pose for pose in views if pose is not None).xy_px.shape
    nothing = np.full(shape, np.nan)
    if sum(pose is not None for pose in views) < 2:
        return np.full((*shape[:2], 3), np.nan)
    xy_px = np.stack([nothing if pose is None else pose.xy_px for pose in views])
    weight = np.stack([np.zeros(shape[:2]) if pose is None else pose.confidence for pose in views])
    return triangulate(cameras, xy_px, weight)


def _reflects(real_m: Floats, image_m: Floats, centres_m: Floats, fps: float) -> bool:
    """Whether one plane turns the first (T, J, 3) into the second, and the cameras stand on the first's side."""
    both = np.asarray(np.isfinite(real_m).all(axis=-1) & np.isfinite(image_m).all(axis=-1))
    if both.any(axis=1).sum() < _LEAST_S * fps:
        return False
    real, image = real_m[both], image_m[both]
    apart = image - real
    _, vectors = np.linalg.eigh(apart.T @ apart)
    normal = vectors[:, -1]  # every joint moves along it
    middle = (real + image) @ normal / 2
    place = float(np.median(middle))
    reflected = real - 2 * ((real @ normal - place)[:, None]) * normal
    near = np.linalg.norm(reflected - image, axis=1) < _OFF_M
    centred = np.where(both[..., None], real_m, np.nan)
    moved_m = float(np.sqrt(np.nanmean(np.nanvar(centred, axis=0).sum(axis=-1))))
    side = np.sign(np.median(real @ normal) - place)
    in_front = bool(((centres_m @ normal - place) * side > 0).all())
    return in_front and moved_m > _MOVED_M and bool(near.mean() > _SHARE)
