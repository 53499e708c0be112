"""Which joints of a body model shall come to lie where: the points that a fit goes by.

Joints of the models themselves are taken as they are. Joints of other skeletons are other points of the body: a hip
clicked in pictures lies centimetres beside the model's. They count less the farther their definitions lie apart, and
those that would only mislead are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.motion.smpl.model import SmplModel
from mocap3d.motion.smpl.skeletons import SMPL_ROLES, shows_smpl

__all__ = ["Targets", "bridged", "targets_of"]

Floats = NDArray[np.float64]

_LIMBS_M: Final = {"hip": 0.03, "knee": 0.01, "ankle": 0.01, "shoulder": 0.03, "elbow": 0.01, "wrist": 0.01}
_APART_M: Final = {f"{side}_{joint}": apart for side in ("left", "right") for joint, apart in _LIMBS_M.items()} | {
    "neck": 0.04,
    "head": 0.04,
}
"""Joint of the models -> how far another skeleton's joint of that name may be from it (our estimates)."""

_HUMANOID: Final = {joint: role for role, joint in SMPL_ROLES.items()}
# Human3.6M, MPII and the lifter: the base of the neck is the thorax, "neck" the base of the skull, "head" its top.
_NECKS: Final = {"neck": ("thorax",), "head": ("neck", "upper_neck")}
_TOES: Final = ("{}_toe", "{}_big_toe", "{}_foot_index")
_BALL: Final = 0.65  # of the way from the ankle to the tip of the toes lies the models' foot joint (ours)
_BALL_APART_M: Final = 0.03
_BRIDGED: Final = 1e-6  # what a guessed place counts, of one that was seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Places for joints of a body model.

    Attributes:
        xyz_m: (T, K, 3) without NaN; 0 where the joint has no target at all.
        weights: (T, K) 0..1.
        apart_m: (K,) how far the definitions may lie apart; NaN where the joint has no target.
    """

    xyz_m: Floats
    weights: Floats
    apart_m: Floats

    def part(self, frames: NDArray[np.int64]) -> Targets:
        """The same in some of the frames."""
        return replace(self, xyz_m=self.xyz_m[frames], weights=self.weights[frames])

    @property
    def known(self) -> NDArray[np.bool_]:
        """(K,) which joints have targets."""
        return np.isfinite(self.apart_m)

    @property
    def exact(self) -> bool:
        """Whether all targets are the models' own joints."""
        return bool(np.nanmax(self.apart_m) == 0)


def targets_of(pose: Pose3D, model: SmplModel, noise_m: float) -> Targets:
    """Find places for a model's joints among those of a pose.

    Args:
        pose: joints of a body model, or of any skeleton with the limbs' joints, in the world.
        model: for which.
        noise_m: expected error of a joint of which the pose says none (``std_m`` of 0).

    Raises:
        InputError: another frame than the world, too few joints, or not a single one was seen.
    """
    if pose.frame != "world":
        raise InputError(f"a body model is fitted to joints in the world, these are in frame {pose.frame!r}")
    names = model.skeleton.joint_names
    frames = len(pose)
    xyz_m, weights = np.zeros((frames, len(names), 3)), np.zeros((frames, len(names)))
    apart_m = np.full(len(names), np.nan)
    for j, name in enumerate(names):
        found = _found(pose, name)
        if found is None:
            continue
        places, seen, std_m, apart = found
        if not np.isfinite(places).all(axis=1).any():
            continue
        xyz_m[:, j], apart_m[j] = bridged(places), apart
        trust = noise_m**2 / (noise_m**2 + std_m**2 + apart**2)
        weights[:, j] = trust * np.where(seen > 0, seen, _BRIDGED)
    limbs = sum(np.isfinite(apart_m[names.index(name)]) for name in _APART_M)
    if limbs < 4 or not weights.any():
        raise InputError(
            f"a body model needs joints of limbs, such as {', '.join(list(_APART_M)[:4])}; skeleton "
            f"{pose.skeleton.name!r} shows {limbs}"
        )
    return Targets(xyz_m=xyz_m, weights=weights, apart_m=apart_m)


def bridged(places: Floats) -> Floats:
    """Fill missing frames of (T, 3) linearly in time; before the first and after the last, hold."""
    known = np.isfinite(places).all(axis=1)
    frames = np.arange(len(places))
    return np.stack([np.interp(frames, frames[known], column[known]) for column in places.T], axis=1)


def _found(pose: Pose3D, joint: str) -> tuple[Floats, Floats, Floats, float] | None:
    """Places, confidence, expected error and distance of definition of one of the model's joints in a pose."""
    names = pose.skeleton.joint_names
    if shows_smpl(pose.skeleton):
        return None if joint not in names else (*_column(pose, names.index(joint)), 0.0)
    if joint in _APART_M:
        name = _name_of(joint, names)
        return None if name is None else (*_column(pose, names.index(name)), _APART_M[joint])
    if joint in ("left_foot", "right_foot"):
        return _ball(pose, joint.split("_")[0])
    return None


def _name_of(joint: str, names: Sequence[str]) -> str | None:
    """What another skeleton calls the joint of a limb, the base of the neck, or the base of the skull."""
    if "hips" in names:  # the humanoid
        return _HUMANOID.get(joint)
    if joint in ("neck", "head"):
        return next((name for name in _NECKS[joint] if name in names and "thorax" in names), None)
    return joint if joint in names else None


def _ball(pose: Pose3D, side: str) -> tuple[Floats, Floats, Floats, float] | None:
    """The ball of a foot, from its ankle and its toes."""
    names = pose.skeleton.joint_names
    toe = next((name for name in (form.format(side) for form in _TOES) if name in names), None)
    if toe is None or f"{side}_ankle" not in names:
        return None
    ankle, tip = (_column(pose, names.index(name)) for name in (f"{side}_ankle", toe))
    return ankle[0] + _BALL * (tip[0] - ankle[0]), np.minimum(ankle[1], tip[1]), tip[2], _BALL_APART_M


def _column(pose: Pose3D, j: int) -> tuple[Floats, Floats, Floats]:
    return pose.xyz_m[:, j], pose.confidence[:, j], pose.std_m[:, j]
