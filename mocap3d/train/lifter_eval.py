"""The lifter judged on people it has never seen: fixed virtual cameras, true and simulated 2D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.procrustes import align
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.monocular import evidence
from mocap3d.quality.pose3d import joint_errors_m, mpjpe_m, p_mpjpe_m, procrustes_aligned_m
from mocap3d.train.body import coco_points
from mocap3d.train.lifter_data import MotionBank, observe
from mocap3d.train.noise import NoiseSettings
from mocap3d.train.virtual_cameras import look_at

__all__ = [
    "FIXED_CAMERAS",
    "MeanPose",
    "View",
    "held_out_views",
    "measure",
]

Floats = NDArray[np.floating]

# azimuth, height, distance along the floor, roll of the fixed cameras, beside the middle of the sequence
FIXED_CAMERAS = ((20, 1.5, 4.0, 0.0), (110, 0.6, 3.0, 0.15), (200, 2.5, 5.0, -0.15), (290, 1.2, 7.0, 0.05))
_MEAN_STEP = 5  # frames between those that the mean pose is taken from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """One held-out sequence seen by one camera: what goes in and what should come out.

    Attributes:
        features: (T, 52).
        truth_m: (T, 20, 3) around the pelvis, virtual camera's axes.
        name: SUBJECT/ACTION of the sequence.
    """

    features: Floats
    truth_m: Floats
    name: str = field(default="")


def held_out_views(bank: MotionBank, fps: int, noise: NoiseSettings | None, cameras: int = 4) -> list[View]:
    """See every sequence of a bank with the first of the fixed cameras.

    Args:
        bank: the held-out people.
        fps: frame rate of the lifter.
        noise: the simulated detector (its seed is fixed), None for true 2D.
        cameras: how many of `FIXED_CAMERAS`.
    """
    rng = np.random.default_rng(20260000)
    views = []
    for first, frames, rate, name in zip(bank.first, bank.frames, bank.fps, bank.names, strict=True):
        at = np.round(np.arange(0, frames, rate / fps)).astype(np.int64)
        joints_m = np.repeat(bank.xyz_m[None, first + np.minimum(at, frames - 1)], cameras, axis=0)
        body = coco_points(joints_m)
        poses = _fixed_poses(joints_m[0, :, 0].mean(axis=0), cameras)
        both = observe(rng, (joints_m, body.xyz_m, body.head_axes), poses, noise, 0, len(at))
        views += [View(features=f, truth_m=t, name=name) for f, t in zip(*both, strict=True)]
    return views


def _fixed_poses(person_m: Floats, cameras: int) -> Floats:
    azimuth_deg, height_m, distance_m, roll_rad = np.array(FIXED_CAMERAS[:cameras], dtype=np.float64).T
    azimuth_rad = np.radians(azimuth_deg)
    position = np.repeat(person_m[None].astype(np.float64), cameras, axis=0)
    position += np.stack([np.sin(azimuth_rad), np.zeros(cameras), np.cos(azimuth_rad)], axis=1) * distance_m[:, None]
    position[:, 1] = height_m
    return look_at(position, np.repeat(person_m[None], cameras, axis=0), roll_rad)


def measure(views: list[View], lift: Callable[[Floats], Floats]) -> dict[str, Any]:
    """Errors of a lifter on views, metres.

    Args:
        views: from `held_out_views`.
        lift: features (T, 52) -> joints (T, 20, 3).

    Returns:
        "mpjpe_m", "p_mpjpe_m"; the same by joint; "std_m" and "std_unseen_m" (one axis, by joint, where its evidence
        was seen or not; NaN if that never happened).
    """
    predicted = np.concatenate([lift(view.features) for view in views])
    truth = np.concatenate([view.truth_m for view in views])
    errors, aligned = joint_errors_m(predicted, truth), joint_errors_m(procrustes_aligned_m(predicted, truth), truth)
    features = np.concatenate([view.features for view in views])
    seen = evidence(features[:, :-1].reshape(len(features), len(COCO_17), 3)[..., 2]) > 0
    by_name = dict(zip(LIFTER_20.joint_names, range(len(LIFTER_20)), strict=True))
    return {
        "frames": len(errors),
        "mpjpe_m": float(errors.mean()),
        "p_mpjpe_m": float(aligned.mean()),
        "mpjpe_by_joint_m": {name: float(errors[:, j].mean()) for name, j in by_name.items()},
        "p_mpjpe_by_joint_m": {name: float(aligned[:, j].mean()) for name, j in by_name.items()},
        "std_m": [_rms_axis(errors[seen[:, j], j]) for j in by_name.values()],
        "std_unseen_m": [_rms_axis(errors[~seen[:, j], j]) for j in by_name.values()],
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeanPose:
    """Constant poses: what a lifter must beat that has recognised nothing.

    Attributes:
        seen_m: (J, 3) mean as cameras see people; a thin figure, since people face all ways. The least MPJPE.
        shape_m: (J, 3) mean after laying every pose onto it (generalised Procrustes). The least P-MPJPE.
    """

    seen_m: Floats
    shape_m: Floats

    @classmethod
    def of(cls, views: list[View]) -> Self:
        """The mean poses of views, usually of the people that were learned from."""
        truth = np.concatenate([view.truth_m for view in views])[::_MEAN_STEP].astype(np.float64)
        shape_m = truth[len(truth) // 2]
        for _ in range(5):
            shape_m = align(np.broadcast_to(shape_m, truth.shape), truth, scaled=True).apply(truth).mean(axis=0)
        return cls(seen_m=truth.mean(axis=0), shape_m=shape_m)

    def errors_m(self, truth_m: Floats, joints: list[int] | None = None) -> tuple[float, float]:
        """MPJPE of one and P-MPJPE of the other, against (T, J, 3), over some of the joints (None: all)."""
        chosen = list(range(truth_m.shape[1])) if joints is None else joints
        truth = truth_m[:, chosen]
        seen, shape = (np.broadcast_to(pose[chosen], truth.shape) for pose in (self.seen_m, self.shape_m))
        return mpjpe_m(seen, truth), p_mpjpe_m(shape, truth)


def _rms_axis(errors_m: NDArray[np.float64]) -> float:
    return float(np.sqrt((errors_m**2).mean() / 3)) if errors_m.size else float("nan")
