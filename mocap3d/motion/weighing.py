"""How much positions, smoothness, rest and limits count: the solver's settings and the weights made of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import ROOT
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.gauss_newton import GaussNewtonSettings
from mocap3d.motion.observations import Markers
from mocap3d.motion.start import StartSettings, smoothed
from mocap3d.motion.tangent import log_so3
from mocap3d.motion.terms import Problem

__all__ = ["BONES_OF_PART", "SolveSettings", "enlivened", "problem_of"]

Floats = NDArray[np.float64]

_SIDES: Final = ("left", "right")
_SLOW_S, _AROUND_S = 0.1, 0.3  # standard deviations: what is slow, and for how long around a moment it counts
_SLOW_SHARE: Final = 0.2  # of usual accelerations is slow
_FREE: Final = 1e3  # radians: no pull

# Joint -> usual angular acceleration, rad/s^2, and the pull to the reference, radians along x, y, z of the joint (one
# standard deviation; ours, chosen on CMU clips). Elbows bend about y, knees about x: those are free.
_JOINTS: Final[dict[str, tuple[float, tuple[float, float, float]]]] = {
    "hips": (12.0, (_FREE, _FREE, _FREE)),
    "spine": (9.0, (0.5, 0.5, 0.5)),
    "chest": (9.0, (0.5, 0.5, 0.5)),
    "upperChest": (9.0, (0.5, 0.5, 0.5)),
    "neck": (12.0, (0.5, 0.5, 0.5)),
    "head": (15.0, (0.6, 0.6, 0.6)),
    "Shoulder": (12.0, (0.2, 0.2, 0.2)),
    "UpperArm": (24.0, (1.0, 1.0, 1.0)),
    "LowerArm": (36.0, (0.2, _FREE, 0.2)),
    "Hand": (40.0, (0.3, 0.3, 0.3)),
    "UpperLeg": (18.0, (1.0, 1.0, 1.0)),
    "LowerLeg": (29.0, (_FREE, 0.2, 0.2)),
    "Foot": (24.0, (0.6, 0.4, 0.4)),
    "Toes": (40.0, (0.2, 0.2, 0.2)),
}
_FROM_START: Final = ("hips", "UpperArm", "UpperLeg")
_LEG: Final = ("UpperLeg", "LowerLeg", "Foot", "Toes")
_ARM: Final = ("UpperArm", "LowerArm", "Hand")

BONES_OF_PART: Final[dict[str, tuple[str, ...]]] = {
    "lower body": tuple(f"{side}{bone}" for side in _SIDES for bone in _LEG),
    "upper body": (
        *("spine", "chest", "upperChest", "neck", "head"),
        *(f"{side}{bone}" for side in _SIDES for bone in ("Shoulder", *_ARM)),
    ),
    "left arm": tuple(f"left{bone}" for bone in _ARM),
    "right arm": tuple(f"right{bone}" for bone in _ARM),
    "head": ("neck", "head"),
}
"""The bones that stay at rest where a part of the body was not observed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveSettings:
    """How joints become rotations.

    Attributes:
        start: the closed-form start.
        steps: how Gauss-Newton steps, each time it runs.
        smoothness: 1 expects the angular accelerations of everyday motion; 2 half of them; 0 takes every frame alone.
        liveliness: by how much these accelerations are at least and at most multiplied, joint by joint and moment by
            moment, where somebody is calm or moves fast; (1, 1) expects the same of everybody.
        position_std_m: error of positions that even a pose with ``std_m`` 0 has: bones are not rigid.
        unknown_std_m: error of positions whose ``std_m`` is NaN.
        wandering_std_m: larger errors count as this one. Those of a lifter (wrists: 14 cm) wander slowly; no smoothing
            removes them, and smoothing as if it did takes the life out of a walk.
        filled_share: weight of what was filled in (finite with confidence 0), beside 1 for what was surely seen.
        doubt_std: from so many standard deviations on, a position is doubted,
        doubt_m: and only if it is further off than this.
        root_mps2: usual acceleration of the root.
        limit_std_rad: how hard the limits of the joints are, before the rest is cut off; 0 switches limits off.
        contact_std_m: how firmly heels and toes are held while they are said to stand, half as firmly where that was
            found; 0 leaves them free.
        unseen_share: a part of the body unseen in more than this share of its joints and frames is left at rest.
        symmetric: whether a body that is measured on the clip has left bones as long as right ones.
    """

    start: StartSettings = field(default_factory=StartSettings)
    steps: GaussNewtonSettings = field(default_factory=GaussNewtonSettings)
    smoothness: float = 1.0
    liveliness: tuple[float, float] = (0.6, 2.0)
    position_std_m: float = 0.005
    unknown_std_m: float = 0.02
    wandering_std_m: float = 0.02
    filled_share: float = 0.05
    doubt_std: float = 3.0
    doubt_m: float = 0.06
    root_mps2: float = 4.5
    limit_std_rad: float = 0.01
    contact_std_m: float = 0.0007
    unseen_share: float = 0.7
    symmetric: bool = True

    def __post_init__(self) -> None:
        """Check that nothing is negative, and errors are above zero."""
        for name in ("smoothness", "filled_share", "limit_std_rad", "contact_std_m"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("position_std_m", "unknown_std_m", "wandering_std_m", "doubt_std", "doubt_m", "root_mps2"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 < self.liveliness[0] <= self.liveliness[1]:
            raise InputError(f"liveliness must be two rising numbers above 0, got {self.liveliness}")


def problem_of(
    pose: Pose3D,
    rig: Rig,
    markers: Markers,
    start: Floats,
    unseen: Collection[str],
    settings: SolveSettings,
) -> Problem:
    """Set up what the solver minimises.

    Args:
        pose: T frames of any skeleton.
        rig: a humanoid rig.
        markers: M points of the rig; those without a column of the pose have weight 0.
        start: (T, 22, 3, 3) parent_from_joint.
        unseen: parts of the body left at rest.
        settings: weights.
    """
    target_m, weight, std_m = _observed(pose, markers, settings)
    resting = {HUMANOID_22.index(bone) for part in unseen for bone in BONES_OF_PART[part]}
    weight[:, [int(bone) in resting for bone in markers.bones]] = 0.0
    joints = _joints_that_turn(markers, weight, resting)
    kinds = [HUMANOID_22.joint_names[j].removeprefix("left").removeprefix("right") for j in joints]
    turn_rad, pull_rad = np.array([_JOINTS[kind][0] for kind in kinds]), np.array([_JOINTS[kind][1] for kind in kinds])
    if {"lower body", "upper body"} & set(unseen):
        pull_rad[0] = 0.02  # as level or upright as the start has put the hips
    reference = np.tile(np.eye(3), (len(pose), len(joints), 1, 1))
    from_start = [a for a, kind in enumerate(kinds) if kind in _FROM_START]
    reference[:, from_start] = start[:, joints[from_start]]
    return Problem(
        offsets_m=rig.offsets_m,
        joints=joints,
        bones=markers.bones,
        marker_m=markers.offsets_m,
        target_m=target_m,
        weight=weight,
        scale_m=np.maximum(settings.doubt_std * std_m, settings.doubt_m),
        reference=reference,
        reference_weight=1 / pull_rad**2,
        turn_weight=np.tile((settings.smoothness / turn_rad) ** 2, (len(pose), 1)),
        root_weight=np.full(len(pose), (settings.smoothness / settings.root_mps2) ** 2),
        limit_weight=0.0 if settings.limit_std_rad == 0 else settings.limit_std_rad**-2,
        frame_s=1 / float(pose.fps),
    )


def enlivened(problem: Problem, local: Floats, root_m: Floats, settings: SolveSettings) -> Problem:
    """Expect larger accelerations where somebody moves fast, smaller ones where they are calm.

    How fast that is, is seen in the slow part of a first solution's accelerations, which noise hardly reaches.

    Args:
        problem: as ``problem_of`` has made it.
        local: (T, 22, 3, 3) parent_from_joint of the first solution.
        root_m: (T, 3) of the first solution.
        settings: ``smoothness`` and ``liveliness``.
    """
    if settings.smoothness == 0 or len(root_m) < 3:
        return problem
    rate = 1 / problem.frame_s
    turning = local[:, problem.joints]
    velocity = log_so3(turning[:-1].swapaxes(-1, -2) @ turning[1:])
    slow = np.concatenate([np.diff(root_m, n=2, axis=0)[:, None], np.diff(velocity, axis=0)], axis=1) * rate**2
    slow = smoothed(slow, _SLOW_S * rate)
    size = np.sqrt(smoothed((slow * slow).sum(axis=-1), _AROUND_S * rate))
    size = np.pad(size, ((1, 1), (0, 0)), mode="edge")  # (T, 1 + A): as there are frames
    weight = np.concatenate([problem.root_weight[:, None], problem.turn_weight], axis=1)
    usual = settings.smoothness / np.sqrt(weight)
    weight = weight / np.clip(size / (_SLOW_SHARE * usual), *settings.liveliness) ** 2
    return replace(problem, root_weight=weight[:, 0], turn_weight=weight[:, 1:])


def _observed(pose: Pose3D, markers: Markers, settings: SolveSettings) -> tuple[Floats, Floats, Floats]:
    """Targets (T, M, 3), weights (T, M) and the usual error (M,) of each marker."""
    columns = markers.columns
    xyz_m, confidence = pose.xyz_m[:, columns], pose.confidence[:, columns]
    known = np.isfinite(xyz_m).all(axis=-1) & (columns >= 0)
    std_m = np.where(np.isnan(pose.std_m[:, columns]), settings.unknown_std_m, pose.std_m[:, columns])
    variance = np.minimum(std_m, settings.wandering_std_m) ** 2 + settings.position_std_m**2
    weight = np.where(known, np.maximum(confidence, settings.filled_share) / variance, 0.0)
    usual = np.sqrt([np.median(v[k]) if k.any() else 1.0 for v, k in zip(variance.T, known.T, strict=True)])
    return np.where(known[..., None], xyz_m, 0.0), weight, usual


def _joints_that_turn(markers: Markers, weight: Floats, resting: Collection[int]) -> NDArray[np.intp]:
    """Joints on which an observed point hangs; the foot too, where the ankle is observed."""
    found = {0}
    observed = {int(bone) for bone in markers.bones[weight.any(axis=0)]}
    for side in _SIDES:
        if HUMANOID_22.index(f"{side}LowerLeg") in observed:
            observed.add(HUMANOID_22.index(f"{side}Foot"))
    for bone in observed:
        while bone != ROOT:
            found.add(bone)
            bone = HUMANOID_22.parents[bone]
    return np.array(sorted(found - set(resting)), dtype=np.intp)
