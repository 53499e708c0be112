"""What of people's joints tells when it was: smooth paths and velocities of the body, at an even rate.

Joints of the face are left out; gaps, ends and wild detections count little or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import px_to_rays
from mocap3d.base.skeleton import Skeleton

__all__ = ["MotionSyncSettings", "Moving", "all_moving", "body_joints", "size_px", "straight"]

Floats = NDArray[np.float64]

_MOST_SAMPLES: Final = 2_000_000
_FACE: Final = {"nose", "eye", "ear", "mouth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSyncSettings:
    """How motion is compared.

    Attributes:
        rate_hz: offsets are tried at this rate, then refined between its steps.
        smooth_s: joints are smoothed by a Gaussian of this width.
        longest_gap_s: joints that are missing for no longer are bridged.
        least_overlap_s: less common time than this says nothing.
        independent_hz: how many independent comparisons one second of a whole body is worth.
        peak_s: offsets nearer than this to the best one are the same answer.
        wild: velocities beyond this many times their median are cut down to it.
        candidates: how many peaks are looked at closely.
        everywhere: at how many lags, evenly spread, places are compared whatever the velocities say.
        compare_hz: how often places are compared.
        most_moments: how many moments at most.
    """

    rate_hz: float = 120.0
    smooth_s: float = 0.03
    longest_gap_s: float = 0.15
    least_overlap_s: float = 0.75
    independent_hz: float = 12.0
    peak_s: float = 0.1
    wild: float = 8.0
    candidates: int = 8
    everywhere: int = 120
    compare_hz: float = 20.0
    most_moments: int = 200


@dataclass(frozen=True, slots=True)
class Moving:
    """One person's joints at an even rate, in sizes: (J, N, 2) places and velocities, and how far to count them.

    ``known`` (J, N) fades to 0 towards gaps and ends, so that no offset gains by what it leaves out.
    """

    place: Floats
    velocity: Floats
    known: Floats


def straight(pose: Pose2D, camera: Camera) -> Pose2D:
    """As a camera without distortion would have seen it."""
    xy_px = px_to_rays(camera, pose.xy_px) @ camera.K.T[:, :2]
    return replace(pose, xy_px=xy_px, confidence=np.where(np.isfinite(xy_px).all(axis=-1), pose.confidence, 0.0))


def all_moving(people: Sequence[Pose2D], settings: MotionSyncSettings) -> list[Moving]:
    """The people of one camera, all in one unit, so that one epipolar geometry fits them."""
    size = size_px(people)
    return [_moving(pose, size, settings) for pose in people]


def size_px(people: Sequence[Pose2D]) -> float:
    """The usual size of a body in one camera's pictures."""
    return float(np.median([_body_size_px(pose) for pose in people])) if people else 1.0


def _moving(pose: Pose2D, size: float, settings: MotionSyncSettings) -> Moving:
    """Resample to the common rate, bridge short gaps, smooth, differentiate; ``size`` is divided out."""
    rate, fps = settings.rate_hz, float(pose.fps)
    body = body_joints(pose.skeleton)
    joints = len(body)
    count = int((len(pose) - 1) / fps * rate) + 1 if len(pose) else 0
    if count > _MOST_SAMPLES:
        raise InputError(f"{len(pose) / fps / 3600:.1f} hours are too long to synchronise: cut the videos")
    times, at = np.arange(len(pose)) / fps, np.arange(count) / rate
    place, velocity, known = np.zeros((joints, count, 2)), np.zeros((joints, count, 2)), np.zeros((joints, count))
    sigma = settings.smooth_s * rate
    for j, joint in enumerate(body):
        seen = (pose.confidence[:, joint] > 0) & np.isfinite(pose.xy_px[:, joint]).all(axis=-1)
        if seen.sum() < 5:
            continue
        seen[seen] = _tame(pose.xy_px[seen, joint] / size)
        t, xy = times[seen], pose.xy_px[seen, joint] / size
        path = np.stack([np.interp(at, t, xy[:, axis]) for axis in (0, 1)], axis=-1)
        place[j] = gaussian_filter1d(path, sigma, axis=0, mode="nearest")
        velocity[j] = gaussian_filter1d(path, sigma, axis=0, order=1, mode="nearest") * rate
        after = np.searchsorted(t, at).clip(1, len(t) - 1)
        bridged = (t[after] - t[after - 1] <= max(settings.longest_gap_s, 1.5 / fps)) & (at >= t[0]) & (at <= t[-1])
        inside = gaussian_filter1d(bridged.astype(np.float64), 1.5 * sigma, mode="constant")  # a half at an edge
        known[j] = np.maximum(2 * inside - 1, 0.0) * bridged
    return Moving(place, _tamed(velocity, known, settings.wild), known)


def body_joints(skeleton: Skeleton) -> list[int]:
    """All but those of the face, which tells nothing of time.

    It hardly moves about the head, and from behind a network makes it up.
    """
    return [j for j, name in enumerate(skeleton.joint_names) if not _FACE & set(name.split("_"))]


def _tame(path: Floats) -> NDArray[np.bool_]:
    """(N,) whether a place lies about where its four neighbours in time do (Hampel's filter)."""
    off = np.linalg.norm(path - median_filter(path, size=(5, 1), mode="nearest"), axis=-1)
    return np.asarray(off <= 5 * np.median(off) + 0.03)


def _tamed(velocity: Floats, known: Floats, wild: float) -> Floats:
    """Take each joint's mean away, and cut down what no body does."""
    if not known.any():
        return velocity
    count = np.maximum(known.sum(axis=1), 1e-9)[:, None, None]
    velocity = velocity - (velocity * known[..., None]).sum(axis=1, keepdims=True) / count
    speed = np.linalg.norm(velocity, axis=-1)
    limit = wild * max(float(np.median(speed[known > 0])), 1e-9)
    return np.asarray(velocity * np.minimum(1.0, limit / np.maximum(speed, 1e-9))[..., None])


def _body_size_px(pose: Pose2D) -> float:
    """Typical distance of the joints from their middle: how large the person is in the picture."""
    seen = np.where((pose.confidence > 0)[..., None], pose.xy_px, np.nan)
    enough = np.isfinite(seen[..., 0]).sum(axis=1) >= 4
    if not enough.any():
        return 1.0
    spread = np.nanstd(seen[enough], axis=1)
    return max(float(np.median(np.hypot(spread[:, 0], spread[:, 1]))), 1e-6)
