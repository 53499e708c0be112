"""When did each camera start, to a part of a frame? Told by where the rays of calibrated cameras meet.

What starts a little late shows a person a little further along, and its rays miss those of the others by the velocity
times the delay. A calibration that is a little off makes rays miss, too, and joints that a network sees elsewhere from
the back than from the front; but those errors stay while velocities change. So the delays are found together with a
small motion of each camera and a constant error of each joint in each camera: one linear system, the points in space
eliminated, solved again around each answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.triangulation import px_per_m, reprojection_px, triangulate
from mocap3d.cameras.sync.moving import body_joints
from mocap3d.cameras.sync.offsets import SYSTEMATIC_S, Sync
from mocap3d.cameras.sync.together import synchronised

__all__ = ["RaySyncSettings", "sync_rays"]

Floats = NDArray[np.float64]

_POSE: Final = 6  # unknowns of a camera's small motion
_LEAST: Final = 100  # points that two cameras see
_SLOW: Final = 4.0  # velocities below so many standard deviations of their noise are rest
_SPENT: Final = 2  # spans of time that say nothing of how far spans are apart
_WILD: Final = 4.0  # residuals beyond so many times the usual one lose their say (Cauchy)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySyncSettings:
    """How rays are compared.

    Attributes:
        reach_s: an offset further from where it started is not believed: motion within it must be about straight.
        most_moments: frames that are looked at, evenly spread.
        smooth_s: paths are smoothed by a Gaussian of this width before they are differentiated.
        block_s: errors of a detector last about so long; what time spans of this length say is compared.
        joint_std: expected error of a joint as a share of the person's size in the picture, and of a constant one.
        rotation_rad: by how much cameras may be turned from where they are said to be, ...
        translation_m: ... and moved.
        rounds: solutions, each around the last one.
    """

    reach_s: float = 0.1
    most_moments: int = 200
    smooth_s: float = 0.04
    block_s: float = 0.25
    joint_std: float = 0.01
    rotation_rad: float = 0.02
    translation_m: float = 0.03
    rounds: int = 5


def sync_rays(
    people: Sequence[Sequence[Pose2D | None]], cameras: Sequence[Camera], *, settings: RaySyncSettings | None = None
) -> Sync:
    """Find how far the clocks of calibrated cameras are apart that are about synchronised already.

    Args:
        people: per person what C cameras saw, all of one length and rate, on one clock as far as it is known.
        cameras: C cameras with poses in one world.
        settings: how.

    Returns:
        Offsets from that clock: what camera c shows at time t happened at ``t + offsets_s[c]``; 0 for the first one.
        ``std_s`` is how far apart different spans of time put an offset, over the root of their number. ``confidence``
        is high where that is far below a frame, 0 where an offset left ``reach_s``; NaN and 0 where nothing tells.

    Raises:
        InputError: fewer than two cameras, or lists that do not fit.
    """
    chosen = settings or RaySyncSettings()
    if len(cameras) < 2 or not people or any(len(views) != len(cameras) for views in people):
        raise InputError(f"every person needs one pose (or None) for each of at least 2 cameras, got {len(cameras)}")
    offsets, std = np.zeros(len(cameras)), np.full(len(cameras), np.inf)
    fps = max(float(pose.fps) for views in people for pose in views if pose is not None)
    for _ in range(chosen.rounds):
        moved = _step(people, cameras, offsets, chosen)
        if moved is None:
            return _nothing(len(cameras))
        step, std = moved
        offsets = offsets + np.where(np.isfinite(std), np.clip(step, -chosen.reach_s / 2, chosen.reach_s / 2), 0.0)
        if np.abs(offsets).max() > 2 * chosen.reach_s or np.abs(step[np.isfinite(std)]).max(initial=0.0) < 0.01 / fps:
            break
    known = np.isfinite(std)
    sure = np.where(known & (np.abs(offsets) <= chosen.reach_s), np.exp(-2 * (np.where(known, std, 1.0) * fps) ** 2), 0)
    return Sync(offsets_s=np.where(known, offsets, np.nan), std_s=std, confidence=sure, pairs=())


def _nothing(cameras: int) -> Sync:
    first = np.arange(cameras) == 0
    return Sync(
        offsets_s=np.where(first, 0.0, np.nan), std_s=np.where(first, 0.0, np.inf), confidence=first * 1.0, pairs=()
    )


@dataclass(frozen=True, slots=True)
class _Points:
    """N points of one person that rays meet in; residuals and what they may come from, in standard deviations.

    ``off`` (C, N, 2), ``by_point`` (C, N, 2, 3), ``by_time`` (C, N, 2), ``by_pose`` (C, N, 2, 6) and ``by_joint``
    (C, N), 0 where not seen; ``joint`` (N,) of ``joints`` and ``moment_s`` (N,). Poses and joints move in units of
    what is expected of them.
    """

    off: Floats
    by_point: Floats
    by_time: Floats
    by_pose: Floats
    by_joint: Floats
    joint: NDArray[np.int64]
    joints: int
    moment_s: Floats


def _step(
    people: Sequence[Sequence[Pose2D | None]], cameras: Sequence[Camera], offsets: Floats, settings: RaySyncSettings
) -> tuple[Floats, Floats] | None:
    """How much later each camera is than thought, and the standard deviation; None: too little is seen."""
    found = [_points(views, cameras, offsets, settings) for views in people]
    told = [points for points in found if points is not None]
    if sum(len(points.joint) for points in told) < _LEAST:
        return None
    rows, off, block = (np.concatenate(part) for part in zip(*(_rows(p, settings) for p in told), strict=True))
    seen = np.any([(points.by_joint > 0).any(axis=1) for points in told], axis=0)
    delays = seen & (np.arange(len(cameras)) != np.argmax(seen))
    rows = np.concatenate([rows[..., : len(cameras)][..., delays], rows[..., len(cameras) :]], axis=-1)
    expected = np.arange(rows.shape[-1]) >= delays.sum()  # delays may be anything
    flat = rows.reshape(-1, rows.shape[-1])
    inverse = np.linalg.inv(flat.T @ flat + np.diag(expected + 1e-9))
    solution = inverse @ (flat.T @ off.ravel())
    left = off - rows @ solution
    score = np.einsum("nkp,nk->np", rows, left)
    spans = np.unique(block, return_inverse=True)[1]
    scores = np.stack([np.bincount(spans, column) for column in score.T], axis=1)
    many = len(scores)
    # Errors that last make spans differ by more than white ones would; few spans may agree by chance.
    apart = inverse @ (scores.T @ scores) @ inverse * (many / max(many - _SPENT, 1))
    freedom = max(int((off != 0).sum()) - 3 * len(off) - rows.shape[-1], 1)
    variance = np.maximum(np.diag(apart), np.diag(inverse) * float((left**2).sum()) / freedom)
    step, std = np.zeros(len(cameras)), np.where(seen, 0.0, np.inf)
    step[delays] = solution[: delays.sum()]
    std[delays] = np.hypot(np.sqrt(variance[: delays.sum()]), SYSTEMATIC_S) if many > _SPENT else np.inf
    return step, std


def _points(
    views: Sequence[Pose2D | None], cameras: Sequence[Camera], offsets: Floats, settings: RaySyncSettings
) -> _Points | None:
    """One person with clocks set by ``offsets``."""
    known = [pose for pose in views if pose is not None]
    if len(known) < 2:
        return None
    at_once, first_s = synchronised(views, offsets, fps=max(pose.fps for pose in known))
    example = next(pose for pose in at_once if pose is not None)
    joints = np.array(body_joints(example.skeleton))
    nothing = np.full((len(example), len(joints), 2), np.nan)
    xy = np.stack([nothing if pose is None else pose.xy_px[:, joints] for pose in at_once])
    sure = np.stack([nothing[..., 0] * 0 if pose is None else pose.confidence[:, joints] for pose in at_once])
    std_px = settings.joint_std * np.array([_size_px(one) for one in xy])
    weight = np.where(np.isfinite(xy).all(axis=-1), sure, 0.0) / std_px[:, None, None] ** 2
    xyz_m, weight = _met(cameras, xy, weight)
    velocity, inside = _velocity(xyz_m, float(example.fps), settings.smooth_s)
    moments = np.unique(np.linspace(0, len(example) - 1, min(len(example), settings.most_moments)).round().astype(int))
    counts = inside[moments] & ((weight[:, moments] > 0).sum(axis=0) >= 2)
    frame, joint = np.nonzero(counts)
    frame = moments[frame]
    root = np.sqrt(weight[:, frame, joint])
    seen, point = root > 0, xyz_m[frame, joint]
    off = np.stack([one[frame, joint] - project(camera, point)[0] for one, camera in zip(xy, cameras, strict=True)])
    slope = np.stack([px_per_m(camera, point) for camera in cameras]) * root[..., None, None]
    slope = np.where(seen[..., None, None], slope, 0.0)
    places = np.stack([camera.world_from_cam[:3, 3] for camera in cameras])
    turn = slope @ _crosses(places[:, None] - point)  # points move about a camera that turns
    return _Points(
        off=np.where(seen[..., None], off * root[..., None], 0.0),
        by_point=slope,
        by_time=(slope @ velocity[frame, joint][..., None])[..., 0],
        by_pose=np.concatenate([slope * settings.translation_m, turn * settings.rotation_rad], axis=-1),
        by_joint=root * std_px[:, None],
        joint=joint,
        joints=len(joints),
        moment_s=first_s + frame / float(example.fps),
    )


def _met(cameras: Sequence[Camera], xy: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """(T, J, 3) where rays meet, and the weights (C, T, J) of the views that agree about it."""
    say = weight
    for _ in range(4):
        xyz_m = triangulate(cameras, xy, say)
        off = reprojection_px(cameras, xyz_m, xy) * np.sqrt(weight)
        usual = float(np.median(off[np.isfinite(off) & (weight > 0)])) if np.isfinite(off).any() else 1.0
        off = np.where(np.isfinite(off), off, np.inf)
        say = np.where(np.isfinite(off), weight / (1 + (off / (_WILD * usual + 1e-9)) ** 2), 0.0)
    return xyz_m, say


def _velocity(xyz_m: Floats, fps: float, smooth_s: float) -> tuple[Floats, NDArray[np.bool_]]:
    """(T, J, 3) metres per second, and where that is known (T, J)."""
    known = np.asarray(np.isfinite(xyz_m).all(axis=-1))
    velocity, everywhere = np.zeros_like(xyz_m), np.arange(len(xyz_m))
    sigma = max(smooth_s * fps, 0.7)
    for joint in np.flatnonzero(known.sum(axis=0) >= 5):
        there = np.flatnonzero(known[:, joint])
        path = np.stack([np.interp(everywhere, there, xyz_m[there, joint, axis]) for axis in range(3)], axis=-1)
        velocity[:, joint] = _above_noise(gaussian_filter1d(path, sigma, axis=0, order=1, mode="nearest"), path, sigma)
    velocity *= fps
    known[:, known.sum(axis=0) < 5] = False
    reach = 2 * int(np.ceil(sigma))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(known, ((reach, reach), (0, 0))), 2 * reach + 1, axis=0)
    return velocity, known & (around.mean(axis=-1) > 0.8)  # at gaps and ends a slope is a guess


def _above_noise(slope: Floats, path: Floats, sigma: float) -> Floats:
    """Slopes (T, 3) less what noise alone makes of a path at rest: it would pass for knowledge about time."""
    std = 0.6 * float(np.median(np.abs(np.diff(path, n=2, axis=0))))  # of white noise, from second differences
    held = (_SLOW * std) ** 2 / (4 * np.sqrt(np.pi) * sigma**3)
    return np.asarray(slope * np.maximum(1 - held / np.maximum((slope**2).sum(axis=1, keepdims=True), 1e-300), 0.0))


def _rows(points: _Points, settings: RaySyncSettings) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Equations (N, 2 C, P) and right sides (N, 2 C) without the points, and the span of time of each.

    Unknowns are the C delays, six of the pose of each camera, and two for each joint in each camera.
    """
    cameras, many = points.by_joint.shape
    errors = cameras * (1 + _POSE)
    rows = np.zeros((many, cameras, 2, errors + 2 * cameras * points.joints))
    for c in range(cameras):
        rows[:, c, :, c] = points.by_time[c]
        rows[:, c, :, cameras + _POSE * c : cameras + _POSE * (c + 1)] = points.by_pose[c]
        for axis in (0, 1):
            at = errors + 2 * (c * points.joints + points.joint) + axis
            rows[np.arange(many), c, axis, at] = points.by_joint[c]
    both = np.concatenate([rows, np.moveaxis(points.off, 0, 1)[..., None]], axis=-1).reshape(many, 2 * cameras, -1)
    A = np.moveaxis(points.by_point, 0, 1).reshape(many, 2 * cameras, 3)
    normal = np.swapaxes(A, 1, 2) @ A
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    both -= A @ np.linalg.solve(normal, np.swapaxes(A, 1, 2) @ both)
    return both[..., :-1], both[..., -1], np.floor(points.moment_s / settings.block_s).astype(np.int64)


def _crosses(v: Floats) -> Floats:
    """(..., 3, 3) that turn x into the cross product of v and x."""
    x, y, z = np.moveaxis(v, -1, 0)
    o = np.zeros_like(x)
    return np.stack([np.stack(row, axis=-1) for row in ((o, -z, y), (z, o, -x), (-y, x, o))], axis=-2)


def _size_px(xy: Floats) -> float:
    """How large a person is in a picture: the usual extent of the joints (T, J, 2)."""
    frames = xy[np.isfinite(xy).all(axis=-1).sum(axis=1) >= 4]
    if not len(frames):
        return 100.0
    extent = np.nanmax(frames, axis=1) - np.nanmin(frames, axis=1)
    return max(float(np.median(np.hypot(extent[:, 0], extent[:, 1]))), 20.0)
