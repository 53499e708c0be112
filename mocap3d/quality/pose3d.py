"""How far predicted joints are from true ones: every error by which lifters are compared.

Predictions and truth come around the root and in the same axes (`around_root` brings them there); the root itself is
counted, as Human3.6M's protocols do. A joint that is NaN on either side stays out of every mean; with no joint left
there is nothing to measure, which is an error and never a NaN.

| Published as | Here | Unit |
|---|---|---|
| protocol 1, MPJPE | `mpjpe_m` | m |
| protocol 2, P-MPJPE, PA-MPJPE | `p_mpjpe_m` | m |
| protocol 3, N-MPJPE | `n_mpjpe_m` | m |
| MPJVE | `mpjve_m` | m per frame at 50 frames/s |
| 3DPCK, PCK3D@150mm | `pck` | share, 0 to 1 |
| AUC | `auc` | share, 0 to 1 |
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.procrustes import align

__all__ = [
    "AUC_THRESHOLDS_M",
    "PCK_THRESHOLD_M",
    "ROOT_RULES",
    "VELOCITY_FPS",
    "RootRule",
    "around_root",
    "auc",
    "joint_errors_m",
    "mpjpe_m",
    "mpjve_m",
    "n_mpjpe_m",
    "p_mpjpe_m",
    "pck",
    "procrustes_aligned_m",
    "scaled_m",
    "velocity_errors_m",
]

Floats = NDArray[np.float64]

RootRule = Literal["subtract", "videopose3d"]
ROOT_RULES: Final[tuple[RootRule, ...]] = ("subtract", "videopose3d")
"""What `around_root` can do."""

PCK_THRESHOLD_M: Final = 0.150
"""Half the size of a head, says the paper that brought it (Mehta et al. 2017)."""

AUC_THRESHOLDS_M: Final = tuple(step / 200 for step in range(31))
"""0, 5, 10 ... 150 mm, as in MPI-INF-3DHP's own evaluation script."""

VELOCITY_FPS: Final = Fraction(50)
"""The rate of Human3.6M, at which MPJVE is published."""

_LEAST_ALIGNED = 3  # joints: fewer can be laid onto anything


def around_root(
    predicted_m: ArrayLike, truth_m: ArrayLike, *, root: int = 0, rule: RootRule = "subtract"
) -> tuple[Floats, Floats]:
    """Bring predictions and truth around their roots.

    Args:
        predicted_m: (..., J, 3).
        truth_m: (..., J, 3), same axes.
        root: index of the root joint.
        rule: "subtract": each minus its own root. "videopose3d": the true root is subtracted from the truth and the
            prediction is taken as it is, so that a predicted root away from the origin counts as an error.

    Returns:
        Prediction and truth, each (..., J, 3); a body whose root is NaN is NaN.

    Raises:
        InputError: shapes differ, or an unknown rule.

    Reference:
        For "videopose3d": Pavllo et al., CVPR 2019, whose published errors are computed so.
    """
    if rule not in ROOT_RULES:
        raise InputError(f"the root rule must be one of {', '.join(ROOT_RULES)}, got {rule!r}")
    predicted, truth = _pair(predicted_m, truth_m)
    if rule == "subtract":
        predicted = predicted - predicted[..., root, None, :]
    return predicted, truth - truth[..., root, None, :]


def joint_errors_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> Floats:
    """Distance of each joint from the truth.

    Args:
        predicted_m: (..., J, 3).
        truth_m: (..., J, 3); NaN where there is no truth.

    Returns:
        (..., J) metres; NaN where either is NaN.

    Raises:
        InputError: shapes differ or are not joints in space.
    """
    predicted, truth = _pair(predicted_m, truth_m)
    return np.asarray(np.linalg.norm(predicted - truth, axis=-1))


def mpjpe_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> float:
    """Mean per-joint position error, metres (Human3.6M's protocol 1 when both are around the root).

    Args:
        predicted_m: (..., J, 3); joints that are NaN are left out.
        truth_m: (..., J, 3); joints that are NaN are left out.

    Raises:
        InputError: shapes differ, or no joint is known on both sides.

    Reference:
        Ionescu et al., Human3.6M, PAMI 2014, section 4; averaged over all joints of all frames.
    """
    return _mean(joint_errors_m(predicted_m, truth_m))


def p_mpjpe_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> float:
    """Mean error after the best rotation, translation and scale of every frame, metres (protocol 2).

    Args:
        predicted_m: (..., J, 3); joints that are NaN are left out.
        truth_m: (..., J, 3); joints that are NaN are left out.

    Raises:
        InputError: shapes differ, or no body has three joints that are known on both sides.

    Reference:
        Martinez et al., A simple yet effective baseline for 3D human pose estimation, ICCV 2017.
    """
    return _mean(joint_errors_m(procrustes_aligned_m(predicted_m, truth_m), truth_m))


def n_mpjpe_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> float:
    """Mean error after the best scale of every frame about the origin, metres (protocol 3).

    Args:
        predicted_m: (..., J, 3) around the root; joints that are NaN are left out.
        truth_m: (..., J, 3) around the root; joints that are NaN are left out.

    Raises:
        InputError: shapes differ, or no joint is known on both sides.

    Reference:
        Rhodin et al., Unsupervised geometry-aware representation for 3D human pose estimation, ECCV 2018.
    """
    return _mean(joint_errors_m(scaled_m(predicted_m, truth_m), truth_m))


def mpjve_m(predicted_m: ArrayLike, truth_m: ArrayLike, fps: Fraction | float) -> float:
    """Mean per-joint velocity error, metres per frame at 50 frames per second.

    Args:
        predicted_m: (T, J, 3) around the root; joints that are NaN are left out.
        truth_m: (T, J, 3) around the root; joints that are NaN are left out.
        fps: frames per second of both; see `velocity_errors_m` for rates other than 50.

    Raises:
        InputError: shapes differ, or no joint is known in two neighbouring frames.

    Reference:
        Pavllo et al., CVPR 2019, "Mean per-joint velocity error".
    """
    return _mean(velocity_errors_m(predicted_m, truth_m, fps))


def pck(predicted_m: ArrayLike, truth_m: ArrayLike, threshold_m: float = PCK_THRESHOLD_M) -> float:
    """Share of joints that are less than a threshold from the truth (3DPCK, PCK3D@150mm).

    MPI-INF-3DHP counts 14 joints, without the root; here all joints that come in are counted, the root too if it does.

    Args:
        predicted_m: (..., J, 3); joints that are NaN are left out.
        truth_m: (..., J, 3); joints that are NaN are left out.
        threshold_m: metres.

    Raises:
        InputError: shapes differ, or no joint is known on both sides.

    Reference:
        Mehta et al., Monocular 3D human pose estimation in the wild using improved CNN supervision, 3DV 2017.
    """
    errors = _known(joint_errors_m(predicted_m, truth_m))
    return float((errors < threshold_m).mean())


def auc(predicted_m: ArrayLike, truth_m: ArrayLike) -> float:
    """Mean of `pck` over the thresholds 0, 5, 10 ... 150 mm: the area under its curve.

    Nothing is less than 0 mm from the truth, so that a perfect prediction scores 30/31 = 0.968; so it does with the
    evaluation script of MPI-INF-3DHP, by whose definition errors are published.

    Args:
        predicted_m: (..., J, 3); joints that are NaN are left out.
        truth_m: (..., J, 3); joints that are NaN are left out.

    Raises:
        InputError: shapes differ, or no joint is known on both sides.

    Reference:
        Mehta et al., 3DV 2017, and ``mpii_compute_3d_pck.m`` of the MPI-INF-3DHP test set (thresholds ``0:5:150``).
    """
    errors = _known(joint_errors_m(predicted_m, truth_m))
    return float(np.mean([(errors < threshold_m).mean() for threshold_m in AUC_THRESHOLDS_M]))


def procrustes_aligned_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> Floats:
    """Bring each predicted body as near to the true one as rotation, translation and scale can.

    Least squares over the joints that are known on both sides. Where these leave the rotation open (all on one line),
    it is one of the best; a prediction with all joints in one place is only moved.

    Args:
        predicted_m: (..., J, 3), NaN where not known.
        truth_m: (..., J, 3), NaN where not known.

    Returns:
        (..., J, 3) the prediction, moved; never mirrored. NaN for a body with fewer than three joints known on both
        sides, which could be laid onto anything.

    Raises:
        InputError: shapes differ, or an infinite coordinate.
    """
    known = np.isfinite(joint_errors_m(predicted_m, truth_m))
    moved = align(truth_m, predicted_m, scaled=True).apply(predicted_m)
    return np.where(known.sum(axis=-1)[..., None, None] >= _LEAST_ALIGNED, moved, np.nan)


def scaled_m(predicted_m: ArrayLike, truth_m: ArrayLike) -> Floats:
    """Scale each predicted body about the origin so that its squared distance from the true one is least.

    Args:
        predicted_m: (..., J, 3) around the root, NaN where not known.
        truth_m: (..., J, 3) around the root, NaN where not known.

    Returns:
        (..., J, 3) the prediction times <truth, predicted> / <predicted, predicted> over the joints known on both
        sides; unchanged where all of these are at the origin.

    Raises:
        InputError: shapes differ.
    """
    predicted, truth = _pair(predicted_m, truth_m)
    known = np.asarray(np.isfinite(predicted).all(axis=-1) & np.isfinite(truth).all(axis=-1))
    p, t = np.where(known[..., None], predicted, 0.0), np.where(known[..., None], truth, 0.0)
    size = (p * p).sum(axis=(-2, -1))
    scale = np.ones_like(size)
    np.divide((p * t).sum(axis=(-2, -1)), size, out=scale, where=size > 0)
    return np.asarray(scale[..., None, None] * predicted)


def velocity_errors_m(predicted_m: ArrayLike, truth_m: ArrayLike, fps: Fraction | float) -> Floats:
    """Length of the difference between predicted and true movement from one frame to the next, at 50 frames per second.

    At another rate both are read at 0, 20, 40 ... ms by linear interpolation between neighbouring frames, without a
    low-pass filter: at 100 frames per second every other frame counts, and at 25 each frame counts in two halves.

    Args:
        predicted_m: (T, J, 3) around the root.
        truth_m: (T, J, 3) around the root.
        fps: frames per second of both.

    Returns:
        (N - 1, J) metres per 20 ms, N the number of readings that lie inside the clip; NaN where a frame that is
        needed is NaN.

    Raises:
        InputError: shapes differ or are not clips, or ``fps`` is not above 0.
    """
    predicted, truth = _pair(predicted_m, truth_m)
    rate = Fraction(fps)
    if predicted.ndim != 3 or rate <= 0:
        raise InputError(f"velocities need clips (T, J, 3) and a rate above 0, got {predicted.shape} at {fps}")
    error = predicted - truth
    if rate != VELOCITY_FPS:
        error = _read_at_velocity_rate(error, rate)
    return np.asarray(np.linalg.norm(np.diff(error, axis=0), axis=-1))


def _read_at_velocity_rate(values: Floats, fps: Fraction) -> Floats:
    """Linear interpolation of (T, ...) at multiples of 20 ms; exact fractions decide which frames are met."""
    if not len(values):
        return values
    step = fps / VELOCITY_FPS
    count = int((len(values) - 1) / step) + 1
    at = np.arange(count) * step.numerator  # in units of 1/denominator frames: whole numbers
    before = at // step.denominator
    part = (at % step.denominator) / step.denominator
    after = np.minimum(before + (part > 0), len(values) - 1)  # a frame that is met needs no neighbour
    weight = part.reshape(-1, *([1] * (values.ndim - 1)))
    return np.asarray(values[before] * (1 - weight) + values[after] * weight)


def _pair(predicted_m: ArrayLike, truth_m: ArrayLike) -> tuple[Floats, Floats]:
    predicted, truth = np.asarray(predicted_m, np.float64), np.asarray(truth_m, np.float64)
    if predicted.shape != truth.shape or predicted.ndim < 2 or predicted.shape[-1] != 3:
        raise InputError(f"predicted and true joints must both be (..., J, 3), got {predicted.shape} and {truth.shape}")
    return predicted, truth


def _known(errors: Floats) -> Floats:
    """The errors that are numbers, in one row."""
    known = errors[~np.isnan(errors)]
    if not known.size:
        raise InputError("there is nothing to measure: no joint is known in both the prediction and the truth")
    return known


def _mean(errors: Floats) -> float:
    return float(_known(errors).mean())
