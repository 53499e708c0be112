"""A surface that follows the joints of a rig."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate

__all__ = ["INFLUENCES", "Material", "SkinnedMesh", "deform", "joined"]

INFLUENCES = 4
"""Joints that one vertex follows at most: what game engines take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """How a part of a surface looks.

    Attributes:
        name: how files call it.
        rgb: linear colour, 0..1 each.
    """

    name: str
    rgb: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkinnedMesh:
    """Triangles whose corners follow joints.

    Attributes:
        name: how files call it.
        vertices_m: (V, 3) in the world while the rig is at rest.
        normals: (V, 3) unit vectors, pointing outwards, there.
        triangles: (F, 3) vertices, counter-clockwise seen from outside.
        joints: (V, 4) which joints of the rig a vertex follows; 0 where the weight is 0.
        weights: (V, 4) how much, 0..1, adding up to 1.
        materials: at least one.
        material: (F,) which of them a triangle has.
    """

    name: str
    vertices_m: NDArray[np.float64]
    normals: NDArray[np.float64]
    triangles: NDArray[np.int64]
    joints: NDArray[np.int64]
    weights: NDArray[np.float64]
    materials: tuple[Material, ...]
    material: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes, indices and weights."""
        vertices = as_floats("vertices_m", self.vertices_m, (None, 3))
        count = len(vertices)
        normals = as_floats("normals", self.normals, (count, 3))
        weights = as_floats("weights", self.weights, (count, INFLUENCES))
        if np.isnan(vertices).any() or np.isnan(normals).any() or np.isnan(weights).any():
            raise InputError(f"mesh {self.name!r} holds NaN")
        if (weights < 0).any() or not np.allclose(weights.sum(axis=1), 1, atol=1e-6):
            raise InputError(f"the weights of a vertex of mesh {self.name!r} must be at least 0 and add up to 1")
        triangles = _indices("triangles", self.triangles, (None, 3), count)
        for name, array in (
            ("vertices_m", vertices),
            ("normals", normals),
            ("weights", weights),
            ("triangles", triangles),
            ("joints", _indices("joints", self.joints, (count, INFLUENCES), None)),
            ("material", _indices("material", self.material, (len(triangles),), len(self.materials))),
        ):
            object.__setattr__(self, name, array)

    def check(self, rig: Rig) -> None:
        """Refuse a rig that lacks joints that the mesh follows.

        Raises:
            InputError: it does.
        """
        if len(self.joints) and self.joints.max() >= len(rig.skeleton):
            raise InputError(f"mesh {self.name!r} follows joint {self.joints.max()}, the rig has {len(rig.skeleton)}")


def deform(mesh: SkinnedMesh, motion: Motion) -> NDArray[np.float64]:
    """Place every vertex in every frame, (T, V, 3) in the world: linear blend skinning.

    Raises:
        InputError: the mesh follows joints that the motion's rig has not.
    """
    mesh.check(motion.rig)
    rest_m, rest_wxyz = rest_pose(motion.rig)
    world_m, world_wxyz = forward(motion)
    turned = wxyz_multiply(world_wxyz, wxyz_conjugate(rest_wxyz))  # (T, J, 4) since the rest pose
    placed = np.zeros((len(motion), len(mesh.vertices_m), 3))
    for k in range(INFLUENCES):
        joints = mesh.joints[:, k]
        local_m = mesh.vertices_m - rest_m[joints]
        placed += mesh.weights[:, k, None] * (world_m[:, joints] + wxyz_rotate(turned[:, joints], local_m))
    return placed


def joined(meshes: Sequence[SkinnedMesh], first_joints: Sequence[int]) -> SkinnedMesh:
    """One mesh of several, each of which follows the joints from its first one on; materials that are equal become one.

    Args:
        meshes: at least one.
        first_joints: where the rig of each begins in the rig of all.
    """
    materials = tuple(dict.fromkeys(material for mesh in meshes for material in mesh.materials))
    first_vertices = np.cumsum([0, *(len(mesh.vertices_m) for mesh in meshes)])[:-1]
    return SkinnedMesh(
        name=meshes[0].name,
        vertices_m=np.concatenate([mesh.vertices_m for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        triangles=np.concatenate([m.triangles + first for m, first in zip(meshes, first_vertices, strict=True)]),
        joints=np.concatenate([m.joints + first for m, first in zip(meshes, first_joints, strict=True)]),
        weights=np.concatenate([mesh.weights for mesh in meshes]),
        materials=materials,
        material=np.concatenate(
            [np.array([materials.index(material) for material in mesh.materials])[mesh.material] for mesh in meshes]
        ),
    )


def _indices(
    name: str, value: NDArray[np.int64], shape: tuple[int | None, ...], below: int | None
) -> NDArray[np.int64]:
    array = np.array(value, dtype=np.int64)
    if array.ndim != len(shape) or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        raise InputError(f"{name} must have the shape {shape}, got {array.shape}")
    if array.size and (array.min() < 0 or (below is not None and array.max() >= below)):
        raise InputError(
            f"{name} must lie in 0..{'' if below is None else below - 1}, got {array.min()}..{array.max()}"
        )
    array.setflags(write=False)
    return array
