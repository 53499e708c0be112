"""Pose, place and shape of a body model from joints or from a motion, over a whole clip.

A start in closed form (``start.py``; of the shape: ``shape.py``), then Gauss-Newton (``refine.py``). Shape is one for
the clip: it is refined together with the pose of up to some hundred frames spread over it, and then the pose of all
frames is found, in blocks that bound the memory.
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
from mocap3d.base.rotations import matrix_to_rotvec, wxyz_to_rotvec
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.smpl import SmplParameters
from mocap3d.motion.smpl.model import SmplModel
from mocap3d.motion.smpl.refine import Posed, Refiner
from mocap3d.motion.smpl.shape import betas_from_distances
from mocap3d.motion.smpl.skeletons import is_smpl
from mocap3d.motion.smpl.start import start_from_motion, start_from_points
from mocap3d.motion.smpl.targets import targets_of

__all__ = ["SmplFitSettings", "fit_smpl"]

Floats = NDArray[np.float64]

_BLOCK: Final = 2000  # frames whose pose is found at once: 100 MB


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
    return _parameters(_fitted(source, model, given, settings), source, model)


def _fitted(source: Pose3D | Motion, model: SmplModel, given: Floats | None, settings: SmplFitSettings) -> Posed:
    """Shape on some frames, then pose on all, block by block."""
    pose = _joints_of(source) if isinstance(source, Motion) else source
    targets = targets_of(pose, model, settings.noise_m)

    def refiner(frames: NDArray[np.int64], betas: Floats) -> Refiner:
        part = targets.part(frames)
        rest_m = model.rest_joints_m(betas)
        world, pelvis_m = start_from_points(part, rest_m, model)
        if isinstance(source, Motion):
            world = start_from_motion(_frames_of(source, frames), rest_m, model)
        return Refiner(part, Posed(world=world, pelvis_m=pelvis_m, betas=betas), model, settings.noise_m)

    every = np.arange(len(pose))
    betas = given
    if betas is None:
        some = np.linspace(0, len(every) - 1, min(settings.shape_frames, len(every))).round().astype(np.int64)
        guess = betas_from_distances(targets, model, settings.noise_m)
        betas = refiner(some, guess).refined(settings.steps, with_shape=True).betas
    blocks = [every[first : first + _BLOCK] for first in range(0, len(every), _BLOCK)]
    parts = [refiner(block, betas).refined(settings.steps, with_shape=False) for block in blocks]
    return Posed(
        world=np.concatenate([part.world for part in parts]),
        pelvis_m=np.concatenate([part.pelvis_m for part in parts]),
        betas=betas,
    )


def _frames_of(motion: Motion, frames: NDArray[np.int64]) -> Motion:
    """Some frames of a motion."""
    local_m = None if motion.local_m is None else motion.local_m[frames]
    return replace(
        motion,
        local_wxyz=motion.local_wxyz[frames],
        root_m=motion.root_m[frames],
        local_m=local_m,
        contacts=None,
    )


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


def _parameters(state: Posed, source: Pose3D | Motion, model: SmplModel) -> SmplParameters:
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
