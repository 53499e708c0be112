"""Cutting and resampling points over time: what `motion_edits` does to motions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.resampling import frames_between

__all__ = ["in_place", "resampled", "trimmed"]

_MIDDLES = ("hips", "pelvis", "mid_hip")
_HIPS = ("left_hip", "right_hip")


def trimmed(pose: Pose3D, start: int, stop: int) -> Pose3D:
    """Keep the frames from ``start`` up to, but not including, ``stop``.

    Raises:
        InputError: no frame lies between them, or they reach beyond the recording.
    """
    if not 0 <= start < stop <= len(pose):
        raise InputError(f"frames {start}:{stop} are not within 0:{len(pose)}")
    kept = slice(start, stop)
    arrays = {name: getattr(pose, name)[kept] for name in ("xyz_m", "confidence", "std_m", "views")}
    return replace(pose, **arrays)


def resampled(pose: Pose3D, fps: Fraction | float | str) -> Pose3D:
    """The same movement at another frame rate, along straight lines; gaps stay gaps.

    The first frame stays; the last one lies at most one period before the old last frame. A point between a seen and a
    missing one is missing; one that lies on an old frame is that of the old frame. Confidence is the smaller one of
    both neighbours, so that what was filled in stays marked; ``views`` too.

    Raises:
        InputError: no frame rate, or one that would make millions of frames.
    """
    rate = as_fps(fps)
    if rate == pose.fps or not len(pose):
        return replace(pose, fps=rate)
    at = frames_between(len(pose), pose.fps, rate)
    xyz_m = at.mean(pose.xyz_m)
    missing = np.asarray(np.isnan(xyz_m).any(axis=-1))
    confidence = np.minimum(pose.confidence[at.before], pose.confidence[at.after])
    return replace(
        pose,
        fps=rate,
        xyz_m=np.where(missing[..., None], np.nan, xyz_m),
        confidence=np.where(missing, 0.0, confidence),
        std_m=at.mean(pose.std_m),
        views=np.minimum(pose.views[at.before], pose.views[at.after]),
    )


def in_place(pose: Pose3D) -> Pose3D:
    """The same movement on one spot: the middle of the hips keeps its height and loses its path over the floor.

    Its x and z become 0. While it is not seen, it goes along a straight line. Points without hips, such as markers on
    clothes, lose the path of their common centre: of those points that are seen in every frame.

    Raises:
        InputError: the points are in the axes of a camera, there is no frame, or neither hips nor any point that is
            seen throughout.
    """
    if pose.frame != "world":
        raise InputError(f"the floor is known in the world only, these points are in the {pose.frame} frame")
    path_m = _path_m(pose)
    return replace(pose, xyz_m=pose.xyz_m - path_m[:, None] * [1.0, 0.0, 1.0])


def _path_m(pose: Pose3D) -> NDArray[np.float64]:
    """(T, 3) where the body is, without gaps."""
    names = pose.skeleton.joint_names
    middle = [names.index(name) for name in _MIDDLES if name in names][:1]
    hips = [names.index(name) for name in _HIPS if name in names]
    joints = middle or (hips if len(hips) == 2 else [])
    seen = np.asarray(np.isfinite(pose.xyz_m).all(axis=-1))
    if not (joints and seen[:, joints].all(axis=1).any()):
        joints = np.flatnonzero(seen.all(axis=0)).tolist()
    if not joints or not len(pose):
        raise InputError("nothing tells where the body is: neither hips nor a point that is seen in every frame")
    path_m = np.asarray(pose.xyz_m[:, joints].mean(axis=1))
    known = np.flatnonzero(np.isfinite(path_m).all(axis=1))
    frames = np.arange(len(pose))
    return np.stack([np.interp(frames, known, path_m[known, axis]) for axis in range(3)], axis=1)
