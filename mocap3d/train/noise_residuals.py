"""How far a detector's points lie from a better track of the same points, in metres at the body.

There are two such tracks: points in space that several calibrated views agree on, and the detector's own track smoothed
forwards and backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import butter, sosfiltfilt

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.body_size import height_px

__all__ = ["JITTER_HZ", "STATURE_M", "Residuals", "against_points", "against_smoothed", "smooth_track", "stature_m"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

JITTER_HZ = 5.0
"""What a smoothed track keeps."""

STATURE_M = 1.70
"""Of the body at which errors are given."""

_LEG_SHARE = 0.491  # thigh and shank of the stature
_STATURES_M = (1.5, 2.0)  # a measured leg says no more than that
_STEADY_S = 1.0  # size in the picture is a median over so long
_NORMAL = 1.4826
_LEAST_FRAMES = 20

_MIRROR = list(COCO_17.mirror)
_AT = {name: j for j, name in enumerate(COCO_17.joint_names)}
# Which way face points look, along the head's left, up, forward, as in `lifter_data`.
_LOOKS = dict.fromkeys(("nose", "left_eye", "right_eye"), (0, 0, 1)) | {"left_ear": (1, 0, 0), "right_ear": (-1, 0, 0)}
_FACE_AXES = np.array([_LOOKS.get(name, (0, 0, 0)) for name in COCO_17.joint_names], dtype=np.float64)
_AWAY_COSINE = -0.3
_LEGS = [[_AT[f"{side}_{part}"] for part in ("hip", "knee", "ankle")] for side in ("left", "right")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Residuals:
    """One person in one view.

    Attributes:
        name: which video and view.
        error_m: (T, 17, 2) detected minus reference, metres at a body of 1.70 m; NaN unknown.
        confidence: (T, 17), 0 where nothing was detected.
        partner_m: (T, 17, 2) the reference of the same joint on the other side, minus this one's.
        turned_away: (T, 17) face points on the far side of the head; all False where nobody knows.
        fps: frames per second.
        smoothed_hz: the reference is the detector's own track without what is faster; None: an independent one.
    """

    name: str
    error_m: Floats
    confidence: Floats
    partner_m: Floats
    turned_away: Bools
    fps: float
    smoothed_hz: float | None = None


def smooth_track(xy_px: Floats, fps: float, cutoff_hz: float = JITTER_HZ) -> Floats:
    """Smooth a track forwards and backwards (Butterworth of second order, no lag), single jumps taken out first.

    Args:
        xy_px: (T, J, 2); NaN where not seen, bridged for the smoothing and NaN again after it.
        fps: frames per second.
        cutoff_hz: what is faster is taken away.

    Raises:
        InputError: a frame rate at which nothing is faster than ``cutoff_hz``.
    """
    if not fps > 2.2 * cutoff_hz:
        raise InputError(f"a track of {fps:g} frames/s has nothing above {cutoff_hz:g} Hz to smooth away")
    steady = np.empty_like(xy_px)
    time = np.arange(len(xy_px))
    known = np.asarray(np.isfinite(xy_px).all(axis=-1))
    for j in range(xy_px.shape[1]):
        seen = np.flatnonzero(known[:, j])
        if len(seen) < _LEAST_FRAMES:
            steady[:, j] = np.nan
            continue
        for axis in range(2):
            track = np.interp(time, seen, xy_px[seen, j, axis])
            quiet = median_filter(track, size=2 * max(2, round(fps / 15)) + 1, mode="nearest")
            off = np.abs(track - quiet)
            steady[:, j, axis] = np.where(off > 6 * _NORMAL * np.median(off) + 1e-9, quiet, track)
    done = np.asarray(np.isfinite(steady[0, :, 0]))
    steady[:, done] = sosfiltfilt(butter(2, cutoff_hz, fs=fps, output="sos"), steady[:, done], axis=0)
    return np.where(known[..., None], steady, np.nan)


def against_points(name: str, pose2d: Pose2D, camera: Camera, xyz_m: Floats, own_share: Floats) -> Residuals:
    """Compare with points in space that were triangulated from several views, this one among them.

    Args:
        name: of the view.
        pose2d: COCO-17 joints in this view; (T, 17, 2).
        camera: of this view.
        xyz_m: (T, 17, 3) world; NaN where nobody knows.
        own_share: (T, 17) this view's weight among those that a point was triangulated from, 0..1. A point has three
            coordinates and each view measures two, so a share p of the weight makes it follow this view's
            error and hides 1.5 p of its variance; that is added again.
    """
    xy_px, in_front = project(camera, xyz_m)
    depth_m = (xyz_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3])[..., 2:]
    body_m = STATURE_M / stature_m(xyz_m)
    metres = body_m * depth_m / np.sqrt(camera.K[0, 0] * camera.K[1, 1])
    shown = np.where(in_front[..., None], xy_px, np.nan)
    hidden_part = np.sqrt(1 - np.minimum(1.5 * own_share, 0.75))[..., None]
    return Residuals(
        name=name,
        error_m=(pose2d.xy_px - shown) * metres / hidden_part,
        confidence=pose2d.confidence,
        partner_m=(shown[:, _MIRROR] - shown) * metres,
        turned_away=_turned_away(camera, xyz_m),
        fps=float(pose2d.fps),
    )


def against_smoothed(name: str, pose2d: Pose2D) -> Residuals:
    """Compare with the same track, smoothed by `smooth_track`.

    Args:
        name: of the clip.
        pose2d: COCO-17 joints.
    """
    fps = float(pose2d.fps)
    reference = smooth_track(pose2d.xy_px, fps)
    heights = height_px(pose2d.xy_px, pose2d.confidence)
    known = np.asarray(np.isfinite(heights))
    every = np.interp(np.arange(len(heights)), np.flatnonzero(known), heights[known])
    metres = STATURE_M / median_filter(every, size=2 * round(_STEADY_S * fps / 2) + 1, mode="nearest")[:, None, None]
    return Residuals(
        name=name,
        error_m=(pose2d.xy_px - reference) * metres,
        confidence=pose2d.confidence,
        partner_m=(reference[:, _MIRROR] - reference) * metres,
        turned_away=np.zeros(pose2d.confidence.shape, dtype=bool),
        fps=fps,
        smoothed_hz=JITTER_HZ,
    )


def stature_m(xyz_m: Floats) -> float:
    """Body height by the length of the legs of (T, 17, 3), metres; 1.70 where none was seen."""
    bones = [xyz_m[:, leg[1:]] - xyz_m[:, leg[:-1]] for leg in _LEGS]
    lengths = np.linalg.norm(bones, axis=-1).sum(axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.clip(np.median(lengths) / _LEG_SHARE, *_STATURES_M)) if lengths.size else STATURE_M


def _turned_away(camera: Camera, xyz_m: Floats) -> Bools:
    """(T, 17) face points on the far side of the head, by the rule of the training's virtual cameras."""
    ears = (xyz_m[:, _AT["left_ear"]] + xyz_m[:, _AT["right_ear"]]) / 2
    forward = _unit(xyz_m[:, _AT["nose"]] - ears)
    left = _unit(xyz_m[:, _AT["left_ear"]] - xyz_m[:, _AT["right_ear"]])
    axes = np.stack([left, np.cross(forward, left), forward], axis=-1)
    towards = _unit(camera.world_from_cam[:3, 3] - xyz_m)
    cosine = ((_FACE_AXES @ np.swapaxes(axes, -1, -2)) * towards).sum(axis=-1)
    return np.asarray(cosine < _AWAY_COSINE)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
