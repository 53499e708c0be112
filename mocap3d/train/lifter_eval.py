"""The lifter judged on people it has never seen: fixed virtual cameras, true and simulated 2D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.procrustes import align
from mocap3d.base.skeletons import skeleton_named
from mocap3d.lift.lifter_weights import TRAJECTORY_OUTPUTS
from mocap3d.lift.monocular import evidence
from mocap3d.lift.outputs import LOG_STD_LIMITS
from mocap3d.quality.pose3d import joint_errors_m, mpjpe_m, p_mpjpe_m, procrustes_aligned_m
from mocap3d.train.lifter_data import Bodies, ExampleSettings, MotionBank, observe
from mocap3d.train.virtual_cameras import look_at

__all__ = [
    "FIXED_CAMERAS",
    "MeanPose",
    "View",
    "held_out_views",
    "joints_of",
    "measure",
]

Floats = NDArray[np.floating]

# azimuth, height, distance along the floor, roll of the fixed cameras, beside the middle of the sequence
FIXED_CAMERAS = ((20, 1.5, 4.0, 0.0), (110, 0.6, 3.0, 0.15), (200, 2.5, 5.0, -0.15), (290, 1.2, 7.0, 0.05))
_WITHIN_STD = 0.6827  # share of Gaussian errors within one standard deviation
_MEAN_STEP = 5  # frames between those that the mean pose is taken from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """One held-out sequence seen by one camera: what goes in and what should come out.

    Attributes:
        features: (T, F).
        truth: (T, O) as ``lifter_data.Examples`` orders it.
        name: SUBJECT/ACTION of the sequence.
        settings: how it was seen.
    """

    features: Floats
    truth: Floats
    name: str
    settings: ExampleSettings

    @property
    def truth_m(self) -> Floats:
        """(T, J, 3) joints around the root, virtual camera's axes."""
        return joints_of(self.truth, self.settings)


def joints_of(outputs: Floats, settings: ExampleSettings) -> Floats:
    """The joints (T, J, 3) around the root that a lifter's numbers or their truth (T, O) begin with."""
    joints = len(skeleton_named(settings.joints))
    xyz_m = outputs[:, : 3 * (joints - 1)].reshape(len(outputs), joints - 1, 3)
    return np.concatenate([np.zeros_like(xyz_m[:, :1]), xyz_m], axis=1)


def held_out_views(bank: MotionBank, settings: ExampleSettings, cameras: int = 4) -> list[View]:
    """See every sequence of a bank with the first of the fixed cameras.

    Args:
        bank: the held-out people.
        settings: frame rate, points, encoding and detector (whose seed is fixed); nothing is dropped, mixed or varied.
        cameras: how many of `FIXED_CAMERAS`.
    """
    rng = np.random.default_rng(20260000)
    views = []
    settings = replace(settings, dropped=0.0)
    for i, (frames, rate, name) in enumerate(zip(bank.frames, bank.fps, bank.names, strict=True)):
        at = np.arange(0, frames - 1 + 1e-6, rate / settings.fps)
        bodies = Bodies(*(np.repeat(part, cameras, axis=0) for part in bank.at(np.array([i]), at[None])))
        poses = _fixed_poses(bodies.joints_m[0, :, 0].mean(axis=0), cameras)
        features, truth = observe(rng, bodies, poses, settings)
        views += [View(features=f, truth=t, name=name, settings=settings) for f, t in zip(features, truth, strict=True)]
    return views


def _fixed_poses(person_m: Floats, cameras: int) -> Floats:
    azimuth_deg, height_m, distance_m, roll_rad = np.array(FIXED_CAMERAS[:cameras], dtype=np.float64).T
    azimuth_rad = np.radians(azimuth_deg)
    position = np.repeat(person_m[None].astype(np.float64), cameras, axis=0)
    position += np.stack([np.sin(azimuth_rad), np.zeros(cameras), np.cos(azimuth_rad)], axis=1) * distance_m[:, None]
    position[:, 1] = height_m
    return look_at(position, np.repeat(person_m[None], cameras, axis=0), roll_rad)


def measure(views: list[View], lift: Callable[[Floats], Floats]) -> dict[str, Any]:
    """Errors of a lifter on views.

    Args:
        views: from `held_out_views`.
        lift: features (T, F) -> numbers (T, O).

    Returns:
        "mpjpe_m", "p_mpjpe_m"; the same by joint; "std_m" and "std_unseen_m" (one axis, by joint, where its evidence
        was seen or not; NaN if that never happened); "distance_error": median error of the root's distance, as a share
        of it; "distance_std_ratio": how many of its stated standard deviations that error stays below in 68 % of the
        frames; "contact_accuracy": share of contacts judged right (NaN if the lifter does not say).
    """
    settings = views[0].settings
    points, joints = skeleton_named(settings.points), skeleton_named(settings.joints)
    outputs = np.concatenate([lift(view.features) for view in views])
    numbers = np.concatenate([view.truth for view in views])
    predicted, truth = joints_of(outputs, settings), joints_of(numbers, settings)
    errors, aligned = joint_errors_m(predicted, truth), joint_errors_m(procrustes_aligned_m(predicted, truth), truth)
    features = np.concatenate([view.features[:, : 3 * len(points)] for view in views])
    seen = evidence(features.reshape(len(features), len(points), 3)[..., 2], points, joints) > 0
    by_name = dict(zip(joints.joint_names, range(len(joints)), strict=True))
    rest, true_rest = outputs[:, 3 * (len(joints) - 1) :], numbers[:, 3 * (len(joints) - 1) :]
    return {
        "frames": len(errors),
        "mpjpe_m": float(errors.mean()),
        "p_mpjpe_m": float(aligned.mean()),
        "mpjpe_by_joint_m": {name: float(errors[:, j].mean()) for name, j in by_name.items()},
        "p_mpjpe_by_joint_m": {name: float(aligned[:, j].mean()) for name, j in by_name.items()},
        "std_m": [_rms_axis(errors[seen[:, j], j]) for j in by_name.values()],
        "std_unseen_m": [_rms_axis(errors[~seen[:, j], j]) for j in by_name.values()],
        "distance_error": _distance_error(rest, true_rest),
        "distance_std_ratio": _distance_std_ratio(rest, true_rest),
        "contact_accuracy": _contact_accuracy(rest, true_rest),
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


def _distance_error(rest: Floats, true_rest: Floats) -> float:
    if not rest.shape[1]:
        return float("nan")
    return float(np.median(np.abs(np.expm1(rest[:, 2] - true_rest[:, 2]))))


def _distance_std_ratio(rest: Floats, true_rest: Floats) -> float:
    if not rest.shape[1]:
        return float("nan")
    said = np.exp(rest[:, 3].clip(*LOG_STD_LIMITS))
    return float(np.quantile(np.abs(rest[:, 2] - true_rest[:, 2]) / said, _WITHIN_STD))


def _contact_accuracy(rest: Floats, true_rest: Floats) -> float:
    said, true = rest[:, TRAJECTORY_OUTPUTS:], true_rest[:, 3:]
    return float(np.mean((said > 0) == (true > 0.5))) if said.shape[1] else float("nan")


def _rms_axis(errors_m: NDArray[np.float64]) -> float:
    return float(np.sqrt((errors_m**2).mean() / 3)) if errors_m.size else float("nan")
