"""Skinned meshes of a file -> one SkinnedMesh in the rest pose of the rig.

All skinned meshes become one, polygons become triangles, and normals of the corners of a vertex are averaged. A vertex
keeps its four strongest joints. Meshes that no skin binds, shapes (blend shapes) and textures are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.mesh import INFLUENCES, Material, SkinnedMesh
from mocap3d.base.rotations import euler_to_matrix, wxyz_to_matrix
from mocap3d.output.fbx.polygons import material_of, polygon_materials, triangulate, unit, vertex_normals
from mocap3d.output.fbx.scene import Item, Scene
from mocap3d.output.fbx.transforms import Placement

__all__ = ["read_mesh"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_GREY = Material(name="default", rgb=(0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class _Bones:
    """The joints of a rig in terms of the file.

    Attributes:
        joint_of: id of a node -> joint.
        binds: id of a node -> world_from_node (4, 4) in the rest pose, in the unit and axes of the file.
        world: from the file to metres and Y up.
    """

    joint_of: Mapping[int, int]
    binds: Mapping[int, Floats]
    world: Placement


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    """What one joint moves of a mesh.

    Attributes:
        joint: of the rig.
        rest: (3, 4) from the mesh to the world of the file, in the rest pose.
        vertices: (N,) indices.
        weights: (N,) above 0.
    """

    joint: int
    rest: Floats
    vertices: Integers
    weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One mesh of the file, as SkinnedMesh has it, with materials of its own."""

    name: str
    vertices_m: Floats
    normals: Floats
    triangles: Integers
    joints: Integers
    weights: Floats
    materials: list[Material]
    material: Integers


def read_mesh(
    scene: Scene, joint_of: Mapping[int, int], binds: Mapping[int, Floats], world: Placement
) -> SkinnedMesh | None:
    """Read all skinned meshes.

    Args:
        scene: the file.
        joint_of: id of a node -> joint of the rig.
        binds: id of a node -> world_from_node (4, 4) in the rest pose, in the unit and axes of the file.
        world: from the file to metres and Y up.

    Returns:
        None when there is none.

    Raises:
        FileFormatError: indices outside, weights without vertices, matrices that are none.
    """
    bones = _Bones(joint_of, binds, world)
    parts = []
    for geometry in scene.of_kind("Geometry", "Mesh"):
        models = scene.parents(geometry, "Model")
        if models and scene.children(geometry, "Deformer", "Skin"):
            parts += _part(scene, geometry, models[0], bones)
    if not parts:
        return None
    firsts = np.cumsum([0, *(len(part.vertices_m) for part in parts)])
    colours = np.cumsum([0, *(len(part.materials) for part in parts)])
    return SkinnedMesh(
        name=parts[0].name,
        vertices_m=np.concatenate([part.vertices_m for part in parts]),
        normals=np.concatenate([part.normals for part in parts]),
        triangles=np.concatenate([part.triangles + first for part, first in zip(parts, firsts, strict=False)]),
        joints=np.concatenate([part.joints for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
        materials=tuple(material for part in parts for material in part.materials),
        material=np.concatenate([part.material + first for part, first in zip(parts, colours, strict=False)]),
    )


def _part(scene: Scene, geometry: Item, model: Item, bones: _Bones) -> list[_Part]:
    """Read one mesh; none when its skin holds it by no joint."""
    vertices = geometry.floats(geometry.record, "Vertices")
    if vertices.size % 3:
        raise geometry.error(f"Vertices holds {vertices.size} numbers, which is no multiple of 3")
    vertices = vertices.reshape(-1, 3)
    corners, triangles, polygons = triangulate(geometry, len(vertices))
    normals = vertex_normals(geometry, vertices, corners, triangles)
    clusters = _clusters(scene, geometry, model, bones, len(vertices))
    if not clusters:
        return []
    vertices_m, turned = _at_rest(clusters, vertices, normals)
    joints, weights = _strongest(clusters, len(vertices))
    to_world = wxyz_to_matrix(bones.world.wxyz[0]).T
    materials = [material_of(item) for item in scene.children(model, "Material")] or [_GREY]
    part = _Part(
        model.name or geometry.name or "mesh",
        vertices_m @ to_world * bones.world.scale,
        unit(turned @ to_world),
        triangles,
        joints,
        weights,
        materials,
        polygon_materials(geometry, len(materials), int(polygons.max(initial=-1)) + 1)[polygons],
    )
    return [part]


def _clusters(scene: Scene, geometry: Item, model: Item, bones: _Bones, count: int) -> list[_Cluster]:
    """Read the clusters that have a joint; vertices that none holds go to the first."""
    inner = np.eye(4)  # the geometry in its node
    inner[:3, :3] = euler_to_matrix(np.deg2rad(model.vector("GeometricRotation"))[::-1], "ZYX")
    inner[:3, :3] *= model.vector("GeometricScaling", 1.0)
    inner[:3, 3] = model.vector("GeometricTranslation")
    found: list[_Cluster] = []
    held = np.zeros(count, dtype=np.bool_)
    for skin in scene.children(geometry, "Deformer", "Skin"):
        for item in scene.children(skin, "Deformer", "Cluster"):
            vertices, weights = item.integers(item.record, "Indexes"), item.floats(item.record, "Weights")
            if len(vertices) != len(weights) or (vertices < 0).any() or (vertices >= count).any():
                raise item.error(f"its weights must go with vertices 0..{count - 1}")
            vertices, weights = vertices[weights > 0], weights[weights > 0]
            for bone in [bone for bone in scene.children(item, "Model") if bone.identity in bones.joint_of][:1]:
                bone_from_mesh = item.floats(item.record, "Transform", 16).reshape(4, 4).T
                rest = (bones.binds[bone.identity] @ bone_from_mesh @ inner)[:3]
                found.append(_Cluster(bones.joint_of[bone.identity], rest, vertices, weights))
                held[vertices] = True
    lost = np.flatnonzero(~held)
    if lost.size and found:
        message = f"{scene.path}: {lost.size} vertices of {geometry.name!r} follow no joint and go to the first"
        warnings.warn(message, Mocap3dWarning, stacklevel=2)
        found.append(_Cluster(found[0].joint, found[0].rest, lost, np.ones(lost.size)))
    return found


def _at_rest(clusters: list[_Cluster], vertices: Floats, normals: Floats) -> tuple[Floats, Floats]:
    """Skin vertices and normals into the rest pose: (V, 3) in the world of the file, and (V, 3) of any length."""
    total, at_rest, turned = np.zeros((len(vertices), 1)), np.zeros(vertices.shape), np.zeros(vertices.shape)
    for cluster in clusters:
        which, weight = cluster.vertices, cluster.weights[:, None]
        np.add.at(total, which, weight)
        np.add.at(at_rest, which, weight * (vertices[which] @ cluster.rest[:, :3].T + cluster.rest[:, 3]))
        np.add.at(turned, which, weight * (normals[which] @ cluster.rest[:, :3].T))
    return at_rest / total, turned


def _strongest(clusters: list[_Cluster], count: int) -> tuple[Integers, Floats]:
    """Keep the strongest joints of each vertex: joints (V, 4) and weights (V, 4) that add up to 1."""
    vertex = np.concatenate([cluster.vertices for cluster in clusters])
    joint = np.concatenate([np.full(len(cluster.vertices), cluster.joint) for cluster in clusters])
    weight = np.concatenate([cluster.weights for cluster in clusters])
    order = np.lexsort((-weight, vertex))
    vertex, joint, weight = vertex[order], joint[order], weight[order]
    rank = np.arange(len(vertex)) - np.searchsorted(vertex, np.arange(count))[vertex]
    kept = rank < INFLUENCES
    joints, weights = np.zeros((count, INFLUENCES), dtype=np.int64), np.zeros((count, INFLUENCES))
    joints[vertex[kept], rank[kept]] = joint[kept]
    weights[vertex[kept], rank[kept]] = weight[kept]
    return joints, weights / weights.sum(axis=1, keepdims=True)
