"""Gauss-Newton for a body model: pose of many frames at once, with or without the shape that they share.

The exact step is taken along the tree of joints (``tree_step.py``). Where it does not help, a frame is damped until it
does (Levenberg and Marquardt); frames that are finished drop out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.rotations import matrix_to_rotvec, rotvec_to_matrix
from mocap3d.motion.smpl.forward import placed_joints_m
from mocap3d.motion.smpl.model import SmplModel
from mocap3d.motion.smpl.targets import Targets
from mocap3d.motion.smpl.tree_step import TreeProblem, tree_step

__all__ = ["Posed", "Refiner"]

Floats = NDArray[np.float64]
_Frames = NDArray[np.int64]

_DAMPING_M2: Final = 1e-6
_MOST_DAMPING_M2: Final = 1.0
_DONE_M: Final = 5e-5  # a frame in which no joint moves farther is finished
_LITTLE: Final = 1e-3  # and so is one whose cost changes by a smaller share ...
_FREE_M2: Final = 1e-4  # ... though the damping is no more than this
_TRUNK: Final = ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
_STIFF_M2: Final = {"trunk": 1e-2, "limb": 1e-4}  # 0.01 m2: a turn of 6 degrees costs what 1 cm does


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A body in T frames: rotations world_from_joint (T, K, 3, 3), pelvis (T, 3) and one shape (B,)."""

    world: Floats
    pelvis_m: Floats
    betas: Floats

    def part(self, frames: _Frames) -> Posed:
        """The same in some of the frames."""
        return replace(self, world=self.world[frames], pelvis_m=self.pelvis_m[frames])


class Refiner:
    """Brings a body closer to its targets.

    Where the targets are not the model's own joints, turning away from the start costs something, most at the trunk,
    which would fold to make up for bones of other lengths.

    Args:
        targets: where joints shall be, in T frames.
        start: the body there.
        model: whose.
        noise_m: expected error of a target, against which the shape's own probability is weighed.
    """

    def __init__(self, targets: Targets, start: Posed, model: SmplModel, noise_m: float) -> None:
        self._targets, self._start, self._model = targets, start, model
        self._parents = model.skeleton.parents
        self._origin = [max(parent, 0) for parent in self._parents]
        # What definitions differ by does not average out: there every frame weighs the shape's probability.
        self._prior_m2 = noise_m**2 * (1.0 if targets.exact else float(len(start.world)))
        self._stiffness_m2 = np.zeros(len(self._parents))
        if not targets.exact:
            parts = ["trunk" if name in _TRUNK else "limb" for name in model.skeleton.joint_names]
            most = noise_m**2 / (noise_m**2 + np.nanmin(targets.apart_m) ** 2)  # that a target can weigh
            self._stiffness_m2 = np.array([_STIFF_M2[part] for part in parts]) * most

    def refined(self, steps: int, *, with_shape: bool) -> Posed:
        """Step until little is gained, at most so often; with shape all frames step, or none."""
        state = self._start
        active = np.arange(len(state.world))
        damping = np.full(len(active), _DAMPING_M2)
        here = self._joints(state)
        cost = self._cost(state, here, active)
        for _ in range(steps):
            tried = self._stepped(state.part(active), here[active], active, damping[active], with_shape=with_shape)
            there = self._joints(tried)
            after = self._cost(tried, there, active)
            better = after <= cost[active]
            if with_shape:
                better[:] = after.sum() + self._shape_cost(tried) <= cost.sum() + self._shape_cost(state)
            moved = np.abs(there - here[active]).max(axis=(1, 2))
            little = np.abs(after - cost[active]) < _LITTLE * cost[active]
            settled = (moved < _DONE_M) | (better & little & (damping[active] < _FREE_M2))
            taken = active[better]
            state = _merged(state, tried, taken, better, shape=with_shape and bool(better.all()))
            here[taken], cost[taken] = there[better], after[better]
            damping[active] *= np.where(better, 0.3, 10.0)
            going = ~settled & (damping[active] < _MOST_DAMPING_M2)
            active = active if with_shape and going.any() else active[going]
            if not len(active):
                break
        return state

    def _stepped(self, state: Posed, here: Floats, frames: _Frames, damping: Floats, *, with_shape: bool) -> Posed:
        per_beta_m = self._per_beta_m(state) if with_shape else None
        step = tree_step(
            TreeProblem(
                parents=self._parents,
                bones_m=here - here[:, self._origin],
                missing_m=self._targets.xyz_m[frames] - here,
                weights=self._targets.weights[frames],
                damping_m2=damping,
                towards_rad=self._off_start(state, frames),
                stiffness_m2=self._stiffness_m2,
                per_beta_m=per_beta_m,
                betas=state.betas if with_shape else np.zeros(0),
                prior_m2=self._prior_m2,
            )
        )
        grown_m = self._model.joints_per_beta_m[0] @ step.betas if with_shape else 0.0
        return Posed(
            world=rotvec_to_matrix(step.turns_rad) @ state.world,
            pelvis_m=state.pelvis_m + step.shift_m + grown_m,
            betas=state.betas + step.betas if with_shape else state.betas,
        )

    def _per_beta_m(self, state: Posed) -> Floats:
        """(T, K, 3, B) how shape moves each joint as seen from its parent, the pelvis as seen from ``trans``."""
        grown = self._model.joints_per_beta_m - self._model.joints_per_beta_m[self._origin]
        per_beta_m = state.world[:, self._origin] @ grown
        per_beta_m[:, 0] = self._model.joints_per_beta_m[0]
        return np.asarray(per_beta_m)

    def _off_start(self, state: Posed, frames: _Frames) -> Floats:
        """(T, K, 3) turns back to the start."""
        if not self._stiffness_m2.any():
            return np.zeros(state.world.shape[:3])
        return matrix_to_rotvec(self._start.world[frames] @ np.swapaxes(state.world, -1, -2))

    def _joints(self, state: Posed) -> Floats:
        return placed_joints_m(self._model.rest_joints_m(state.betas), state.world, state.pelvis_m, self._parents)

    def _cost(self, state: Posed, here: Floats, frames: _Frames) -> Floats:
        """(T,) what the frames cost."""
        apart = ((self._targets.xyz_m[frames] - here) ** 2).sum(axis=-1)
        turned = (self._off_start(state, frames) ** 2).sum(axis=-1)
        return np.asarray((self._targets.weights[frames] * apart).sum(axis=1) + turned @ self._stiffness_m2)

    def _shape_cost(self, state: Posed) -> float:
        return self._prior_m2 * float((state.betas**2).sum())


def _merged(state: Posed, tried: Posed, into: _Frames, better: NDArray[np.bool_], *, shape: bool) -> Posed:
    world, pelvis_m = np.array(state.world), np.array(state.pelvis_m)
    world[into], pelvis_m[into] = tried.world[better], tried.pelvis_m[better]
    return Posed(world=world, pelvis_m=pelvis_m, betas=tried.betas if shape else state.betas)
