"""Pose, place and shape of a body model from joints or from a motion, over a whole clip at once.

A start in closed form (``start.py``; of the shape: ``shape.py``), then Gauss-Newton with the exact Jacobian, solved
along the tree of joints for all frames together (``tree_step.py``) and damped frame by frame where a step does not
help (Levenberg and Marquardt). Shape is one for the clip: it is refined together with the pose of up to some
hundred frames spread over it, and then the pose of all frames is found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.rotations import matrix_to_rotvec, rotvec_to_matrix, wxyz_to_rotvec
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.smpl import SmplParameters
from mocap3d.motion.smpl.forward import placed_joints_m
from mocap3d.motion.smpl.model import SmplModel
from mocap3d.motion.smpl.shape import betas_from_distances
from mocap3d.motion.smpl.skeletons import is_smpl
from mocap3d.motion.smpl.start import start_from_motion, start_from_points
from mocap3d.motion.smpl.targets import targets_of
from mocap3d.motion.smpl.tree_step import TreeProblem, tree_step

__all__ = ["SmplFitSettings", "fit_smpl"]

Floats = NDArray[np.float64]

_DAMPING_M2: Final = 1e-6
_MOST_DAMPING_M2: Final = 1.0
_DONE_M: Final = 5e-5  # a frame in which no joint moves farther is finished
_LITTLE: Final = 1e-3  # and so is one whose cost changes by a smaller share ...
_FREE_M2: Final = 1e-4  # ... though the damping is no more than this
_TRUNK: Final = ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
_STIFF_M2: Final = {"trunk": 1e-2, "limb": 1e-4}  # 0.01 m2: a turn of 6 degrees costs what 1 cm does


@dataclass(frozen=True, slots=True, kw_only=True)
class SmplFitSettings:
    """How a body model is fitted.

    Attributes:
        noise_m: expected error of joints whose ``std_m`` is 0; against it the shape's own probability is weighed.
        steps: Gauss-Newton steps at most.
        shape_frames: frames at most on which the shape is refined.
    """

    noise_m: float = 0.003
    steps: int = 20
    shape_frames: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Rotations world_from_joint (T, K, 3, 3), pelvis (T, 3) and shape (B,)."""

    world: Floats
    pelvis_m: Floats
    betas: Floats

    def part(self, frames: NDArray[np.int64]) -> _State:
        return replace(self, world=self.world[frames], pelvis_m=self.pelvis_m[frames])


def fit_smpl(
    source: Pose3D | Motion,
    model: SmplModel,
    *,
    betas: ArrayLike | None = None,
    settings: SmplFitSettings | None = None,
) -> SmplParameters:
    """Find the parameters that bring a body model's joints to those of a person.

    Joints of the body models themselves are met within the noise. Of other skeletons the limbs are met, as far as
    their definitions agree; the trunk follows smoothly and the head continues the neck, so a motion (``solve``), which
    knows how head, hands and feet are turned, is the better source. A motion on a rig with the model's own joints is
    taken over exactly. Fingers that nobody shows stay straight, expressions 0.

    Args:
        source: joints in the world, or a motion on the humanoid or on a rig with the joints of a body model.
        model: the body.
        betas: (any,) its shape, if known; None estimates one for the clip.
        settings: noise and effort.

    Returns:
        Parameters with +Y up (``turned("Z", ...)`` brings them to AMASS's axes) and the gender of the model.

    Raises:
        InputError: a skeleton that cannot be compared, joints in a camera's frame, or nothing seen.
    """
    settings = settings or SmplFitSettings()
    if not (settings.noise_m > 0 and settings.steps >= 1 and settings.shape_frames >= 1):
        raise InputError("a fit needs noise_m above 0 and at least one step and one frame for the shape")
    given = None if betas is None else model.known_betas(betas)
    if isinstance(source, Motion) and is_smpl(source.rig.skeleton):
        return _taken_over(source, model, given)
    fit = _Fit(source, model, given, settings)
    return _parameters(fit.solved(), source, model)


class _Fit:
    """A clip, its targets and a body."""

    def __init__(self, source: Pose3D | Motion, model: SmplModel, betas: Floats | None, settings: SmplFitSettings):
        self.model, self.settings = model, settings
        self.parents = model.skeleton.parents
        pose = _joints_of(source) if isinstance(source, Motion) else source
        self.targets = targets_of(pose, model, settings.noise_m)
        self.shape_known = betas is not None
        shape = betas_from_distances(self.targets, model, settings.noise_m) if betas is None else betas
        rest_m = model.rest_joints_m(shape)
        world, pelvis_m = start_from_points(self.targets, rest_m, model)
        if isinstance(source, Motion):
            world = start_from_motion(source, rest_m, model)
        self.start = _State(world=world, pelvis_m=pelvis_m, betas=shape)
        self.stiffness_m2 = np.zeros(len(self.parents))
        if not self.targets.exact:
            names = model.skeleton.joint_names
            self.stiffness_m2 = np.array([_STIFF_M2["trunk" if name in _TRUNK else "limb"] for name in names])
            self.stiffness_m2 *= self.targets.weights.max()

    def solved(self) -> _State:
        """Shape on some frames, then pose on all."""
        every = np.arange(len(self.start.world))
        if self.shape_known:
            return self._refined(self.start, every, with_shape=False)
        count = min(self.settings.shape_frames, len(every))
        some = np.unique(np.linspace(0, len(every) - 1, count).round().astype(np.int64))
        shaped = self._refined(self.start.part(some), some, with_shape=True)
        return self._refined(replace(self.start, betas=shaped.betas), every, with_shape=False)

    def _refined(self, state: _State, frames: NDArray[np.int64], *, with_shape: bool) -> _State:
        """Step until little is gained; without shape, frames that are finished drop out."""
        damping = np.full(len(frames), _DAMPING_M2)
        active = np.arange(len(frames))
        here = self._joints(state)
        cost = self._cost(state, here, frames)
        for _ in range(self.settings.steps):
            before = state.part(active)
            tried = self._stepped(before, here[active], frames[active], damping[active], with_shape=with_shape)
            there = self._joints(tried)
            after = self._cost(tried, there, frames[active])
            better = after <= cost[active]
            if with_shape:  # all frames share it: all of them step, or none
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

    def _stepped(
        self, state: _State, here: Floats, frames: NDArray[np.int64], damping: Floats, *, with_shape: bool
    ) -> _State:
        origin = [max(parent, 0) for parent in self.parents]
        per_beta = None
        if with_shape:
            grown = self.model.joints_per_beta_m - self.model.joints_per_beta_m[origin]
            grown[0] = self.model.joints_per_beta_m[0]
            per_beta = state.world[:, origin] @ grown
            per_beta[:, 0] = grown[0]
        step = tree_step(
            TreeProblem(
                parents=self.parents,
                bones_m=here - here[:, origin],
                missing_m=self.targets.xyz_m[frames] - here,
                weights=self.targets.weights[frames],
                damping_m2=damping,
                towards_rad=self._off_start(state, frames),
                stiffness_m2=self.stiffness_m2,
                per_beta_m=per_beta,
                betas=state.betas if with_shape else np.zeros(0),
                prior_m2=self._prior_m2(len(frames)),
            )
        )
        shift = step.shift_m + (self.model.joints_per_beta_m[0] @ step.betas if with_shape else 0.0)
        return _State(
            world=rotvec_to_matrix(step.turns_rad) @ state.world,
            pelvis_m=state.pelvis_m + shift,
            betas=state.betas + step.betas if with_shape else state.betas,
        )

    def _prior_m2(self, frames: int) -> float:
        """Cost of a coefficient of 1. What definitions differ by does not average out: there every frame counts it."""
        return self.settings.noise_m**2 * (1.0 if self.targets.exact else float(frames))

    def _off_start(self, state: _State, frames: NDArray[np.int64]) -> Floats:
        """(T, K, 3) turns back to the start."""
        if not self.stiffness_m2.any():
            return np.zeros(state.world.shape[:3])
        return matrix_to_rotvec(self.start.world[frames] @ np.swapaxes(state.world, -1, -2))

    def _joints(self, state: _State) -> Floats:
        return placed_joints_m(self.model.rest_joints_m(state.betas), state.world, state.pelvis_m, self.parents)

    def _cost(self, state: _State, here: Floats, frames: NDArray[np.int64]) -> Floats:
        """(T,) what the frames cost."""
        apart = ((self.targets.xyz_m[frames] - here) ** 2).sum(axis=-1)
        turned = (self._off_start(state, frames) ** 2).sum(axis=-1)
        return np.asarray((self.targets.weights[frames] * apart).sum(axis=1) + turned @ self.stiffness_m2)

    def _shape_cost(self, state: _State) -> float:
        return self._prior_m2(len(state.world)) * float((state.betas**2).sum())


def _merged(state: _State, tried: _State, into: NDArray[np.int64], better: NDArray[np.bool_], *, shape: bool) -> _State:
    world, pelvis_m = np.array(state.world), np.array(state.pelvis_m)
    world[into], pelvis_m[into] = tried.world[better], tried.pelvis_m[better]
    return _State(world=world, pelvis_m=pelvis_m, betas=tried.betas if shape else state.betas)


def _joints_of(motion: Motion) -> Pose3D:
    """The joints of a humanoid's motion; its feet are left to its rotations.

    Raises:
        InputError: another rig.
    """
    rig = motion.rig
    at_rest = np.abs(rig.rest_wxyz[:, 1:]).max() < 1e-6
    if rig.skeleton.joint_names != HUMANOID_22.joint_names or not at_rest:
        raise InputError(
            f"a body model is fitted to motions on the humanoid (or on its own joints), this is on "
            f"{rig.skeleton.name!r}: retarget it onto the humanoid first"
        )
    xyz_m, _ = forward(motion)
    shape = xyz_m.shape[:2]
    return Pose3D(
        xyz_m=xyz_m,
        confidence=np.ones(shape),
        std_m=np.zeros(shape),
        views=np.ones(shape, dtype=np.int64),
        fps=motion.fps,
        skeleton=HUMANOID_22,
        frame="world",
    )


def _taken_over(motion: Motion, model: SmplModel, betas: Floats | None) -> SmplParameters:
    """The parameters of a motion that has the model's own joints: its rotations, and the shape of its bones.

    Joints that only one of the two models has are left out, or stay straight.
    """
    rig, names = motion.rig, model.skeleton.joint_names
    shared = [j for j, name in enumerate(names) if name in rig.skeleton.joint_names]
    theirs = [rig.skeleton.index(names[j]) for j in shared]
    if betas is None:
        bones = [(j, theirs[n]) for n, j in enumerate(shared) if j]
        inner, origin = [j for j, _ in bones], [model.skeleton.parents[j] for j, _ in bones]
        rows = (model.joints_per_beta_m[inner] - model.joints_per_beta_m[origin]).reshape(-1, model.betas)
        average = (model.joints_m[inner] - model.joints_m[origin]).ravel()
        wanted = rig.offsets_m[[k for _, k in bones]].ravel() - average
        betas = np.asarray(np.linalg.solve(rows.T @ rows + 1e-9 * np.eye(model.betas), rows.T @ wanted), np.float64)
    poses = np.zeros((len(motion), len(names), 3))
    poses[:, shared] = wxyz_to_rotvec(motion.local_wxyz[:, theirs])
    return SmplParameters(
        poses_rotvec=poses,
        trans_m=motion.root_m - model.rest_joints_m(betas)[0],
        betas=betas,
        gender=model.gender,
        fps=motion.fps,
        up="Y",
    )


def _parameters(state: _State, source: Pose3D | Motion, model: SmplModel) -> SmplParameters:
    parents = model.skeleton.parents
    local = np.array(state.world)
    local[:, 1:] = np.swapaxes(state.world[:, parents[1:]], -1, -2) @ state.world[:, 1:]
    return SmplParameters(
        poses_rotvec=matrix_to_rotvec(local),
        trans_m=state.pelvis_m - model.rest_joints_m(state.betas)[0],
        betas=state.betas,
        gender=model.gender,
        fps=source.fps,
        up="Y",
    )
