"""SMPL parameters -> joints and vertices: the forward pass of the body models, in NumPy.

The pelvis turns about itself, wherever shape has put it, and ``trans_m`` shifts the whole body; so the joints of an
unposed, unshifted body are ``SmplModel.rest_joints_m``.

Source: Loper et al., "SMPL", 2015, equations 2 to 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.rotations import rotvec_to_matrix
from mocap3d.base.smpl import SmplParameters
from mocap3d.motion.smpl.model import SmplModel

__all__ = ["check_fits", "placed_joints_m", "smpl_joints_m", "smpl_vertices_m", "world_from_local"]

Floats = NDArray[np.float64]

_FRAMES_AT_ONCE: Final = 64  # of a surface: 32 MB


def smpl_joints_m(parameters: SmplParameters, model: SmplModel) -> Floats:
    """Place the joints, (T, K, 3), in the axes of the parameters (see their ``up``).

    Raises:
        InputError: the parameters are of another body model.
    """
    check_fits(parameters, model)
    rest_m = model.rest_joints_m(parameters.betas)
    parents = model.skeleton.parents
    world = world_from_local(rotvec_to_matrix(parameters.poses_rotvec), parents)
    return placed_joints_m(rest_m, world, parameters.trans_m + rest_m[0], parents)


def smpl_vertices_m(parameters: SmplParameters, model: SmplModel) -> Floats:
    """Place the skin, (T, V, 3), with the correctives of pose; in the axes of the parameters.

    Soft tissue (``dmpls``) is left out: its blend shapes are not part of the body models.

    Raises:
        InputError: the parameters are of another body model, or the model was read without its surface.
    """
    check_fits(parameters, model)
    surface = model.surface
    if surface is None:
        raise InputError("the body model was read without its surface: read_smpl_model(..., surface=True)")
    betas = model.known_betas(parameters.betas)
    parents = model.skeleton.parents
    rest_m = model.rest_joints_m(betas)
    shaped = surface.template_m + surface.per_beta_m @ betas  # (V, 3)
    per_pose = surface.per_pose_m.reshape(-1, surface.per_pose_m.shape[2])
    vertices = np.empty((len(parameters), len(shaped), 3))
    for first in range(0, len(parameters), _FRAMES_AT_ONCE):
        part = slice(first, first + _FRAMES_AT_ONCE)
        local = rotvec_to_matrix(parameters.poses_rotvec[part])
        bent = (local[:, 1:] - np.eye(3)).reshape(len(local), -1)  # (T, 9 (K - 1))
        posed = shaped + (bent @ per_pose.T).reshape(len(local), -1, 3)
        world = world_from_local(local, parents)
        root_m = parameters.trans_m[part] + rest_m[0]
        shift = placed_joints_m(rest_m, world, root_m, parents) - np.einsum("tkij,kj->tki", world, rest_m)
        turns = np.einsum("vk,tkij->tvij", surface.weights, world, optimize=True)
        vertices[part] = np.einsum("tvij,tvj->tvi", turns, posed) + surface.weights @ shift
    return vertices


def check_fits(parameters: SmplParameters, model: SmplModel) -> None:
    """Refuse parameters of another body model.

    Raises:
        InputError: the numbers of joints differ.
    """
    if parameters.model != model.kind:
        raise InputError(f"parameters of {parameters.model} need that body model, this one is {model.kind}")


def world_from_local(local: Floats, parents: Sequence[int]) -> Floats:
    """Chain rotation matrices parent_from_joint (T, K, 3, 3) to world_from_joint."""
    world = np.array(local)
    for j, parent in enumerate(parents[1:], start=1):
        world[:, j] = world[:, parent] @ local[:, j]
    return world


def placed_joints_m(rest_m: Floats, world: Floats, root_m: Floats, parents: Sequence[int]) -> Floats:
    """Place joints (T, K, 3) of a body with the joints ``rest_m`` (K, 3) at rest, by world_from_joint and joint 0."""
    origin = [max(parent, 0) for parent in parents]
    bones_m = (rest_m - rest_m[origin])[:, :, None]
    places = (world[:, origin] @ bones_m)[..., 0]
    places[:, 0] = root_m
    for j, parent in enumerate(parents[1:], start=1):
        places[:, j] += places[:, parent]
    return np.asarray(places)
