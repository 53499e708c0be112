"""The meshes of a glTF -> one SkinnedMesh in the rest pose of the rig.

Reference:
    Khronos, "glTF 2.0 Specification", section 3.7 "Geometry": skinned meshes, and vertices that no skin moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.mesh import INFLUENCES, Material, SkinnedMesh
from mocap3d.base.skeleton import ROOT
from mocap3d.output.gltf.accessors import Accessors
from mocap3d.output.gltf.bind import inverse_bind_matrices, rest_matrices
from mocap3d.output.gltf.joints import Joints
from mocap3d.output.gltf.nodes import Nodes
from mocap3d.output.gltf.record import Record

__all__ = ["read_surface"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_MOST_SETS: Final = 4  # of four joints each
_GREY: Final = (0.8, 0.8, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vertices:
    """The vertices of a primitive, or of several that share them, in the world while the rig is at rest."""

    places_m: Floats
    normals: Floats | None
    joints: Ints
    weights: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Faces:
    """The triangles of a primitive: which vertices they use, corners, material (-1 for none)."""

    of: int
    triangles: Ints
    material: int


def read_surface(root: Record, nodes: Nodes, joints: Joints, accessors: Accessors) -> SkinnedMesh | None:
    """Gather what hangs on joints: all meshes that wear a skin, and all below a joint; None if there is none.

    Raises:
        FileFormatError: compressed, out of bounds, or joints and weights that do not fit.
    """
    vertices: list[_Vertices] = []
    faces: list[_Faces] = []
    meshes, materials = root.records("meshes"), root.records("materials")
    carriers = _Carriers(root, nodes, joints, accessors)
    name = ""
    for n in nodes.in_scene:
        which = nodes.records[n].index("mesh", len(meshes))
        carrier = carriers.of(n) if which is not None else None
        if which is None or carrier is None:
            continue
        name = name or meshes[which].text("name") or nodes.records[n].text("name")
        shared: dict[str, int] = {}  # primitives with the same attributes are one set of vertices
        for primitive in meshes[which].records("primitives"):
            if primitive.count("mode", _TRIANGLES) not in (_TRIANGLES, _STRIP, _FAN):
                continue  # points and lines
            attributes = _attributes(primitive)
            key = repr(sorted(attributes.fields.items()))
            if key not in shared:
                shared[key] = len(vertices)
                vertices.append(_vertices(attributes, carrier, accessors))
            of = shared[key]
            corners = _triangles(primitive, len(vertices[of].places_m), accessors)
            material = primitive.index("material", len(materials))
            faces.append(_Faces(of=of, triangles=corners, material=-1 if material is None else material))
    return _joined(materials, vertices, faces, name or "body") if any(len(f.triangles) for f in faces) else None


class _Carriers:
    """What moves the mesh of a node: the joints of the skin that it wears, or the joint that it hangs on."""

    def __init__(self, root: Record, nodes: Nodes, joints: Joints, accessors: Accessors) -> None:
        self._nodes, self._accessors = nodes, accessors
        self._skins = root.records("skins")
        self._index = {n: j for j, n in enumerate(joints.nodes) if n != ROOT}
        self._rest = rest_matrices(joints)
        self._above: dict[int, int] = {}  # the joint's node that a node is or hangs on
        for n in nodes.in_scene:
            if n in self._index:
                self._above[n] = n
            elif nodes.parents[n] in self._above:
                self._above[n] = self._above[nodes.parents[n]]

    def of(self, node: int) -> tuple[Ints, Floats] | None:
        """Find joints of the rig (K,), and world_from_mesh (K, 4, 4) of each at rest; None for what stands alone."""
        nodes, rest, index = self._nodes, self._rest, self._index
        skin = nodes.records[node].index("skin", len(self._skins))
        if skin is None:
            if node not in self._above:
                return None
            above = self._above[node]
            below = np.linalg.inv(nodes.world_matrix(above)) @ nodes.world_matrix(node)
            return np.array([index[above]]), (rest[index[above]] @ below)[None]
        record = self._skins[skin]
        members = record.indices("joints", len(nodes.records))
        missing = [n for n in members if n not in index]
        if missing:
            raise record.error(f"joint {missing[0]} is not in the scene")
        owners = np.array([index[n] for n in members], dtype=np.int64)
        joint_from_mesh = inverse_bind_matrices(record, len(members), self._accessors)
        return owners, rest[owners] if joint_from_mesh is None else rest[owners] @ joint_from_mesh


def _attributes(primitive: Record) -> Record:
    if "KHR_draco_mesh_compression" in primitive.fields.get("extensions", ()):
        raise primitive.error("it is compressed by KHR_draco_mesh_compression, which is not read")
    return primitive.needed("attributes")


def _vertices(attributes: Record, carrier: tuple[Ints, Floats], accessors: Accessors) -> _Vertices:
    at, normals_at = (attributes.index(key, len(accessors)) for key in ("POSITION", "NORMAL"))
    if at is None:
        raise attributes.error("POSITION is missing")
    mesh_m = accessors.floats(at, ("VEC3",))
    owners, world_from_mesh = carrier
    members, weights = _influences(attributes, len(mesh_m), len(owners), accessors)
    matrices = np.einsum("vk,vkij->vij", weights, world_from_mesh[members])
    normals = None
    if normals_at is not None:
        normals = accessors.floats(normals_at, ("VEC3",))
        if len(normals) != len(mesh_m):
            raise attributes.error(f"{len(mesh_m)} vertices need as many normals, there are {len(normals)}")
        normals = _unit((matrices[:, :3, :3] @ normals[..., None])[..., 0])
    return _Vertices(
        places_m=(matrices[:, :3, :3] @ mesh_m[..., None])[..., 0] + matrices[:, :3, 3],
        normals=normals,
        joints=np.where(weights > 0, owners[members], 0),
        weights=weights,
    )


def _influences(attributes: Record, vertices: int, members: int, accessors: Accessors) -> tuple[Ints, Floats]:
    """Read which members of the skin move each vertex, (V, 4), and how much, the four strongest adding up to 1."""
    joints, weights = [], []
    for n in range(_MOST_SETS):
        names, shares = (attributes.index(f"{key}_{n}", len(accessors)) for key in ("JOINTS", "WEIGHTS"))
        if names is None or shares is None:
            break
        joints.append(accessors.integers(names, ("VEC4",)))
        weights.append(accessors.floats(shares, ("VEC4",)))
    if not joints:  # a part that follows one joint
        return np.zeros((vertices, INFLUENCES), dtype=np.int64), np.tile([1.0, 0.0, 0.0, 0.0], (vertices, 1))
    if any(len(array) != vertices for array in (*joints, *weights)):
        raise attributes.error(f"{vertices} vertices need as many joints and weights")
    all_joints, all_weights = np.concatenate(joints, axis=1), np.concatenate(weights, axis=1)
    if (all_weights < 0).any() or (all_joints.max() >= members and (all_joints[all_weights > 0] >= members).any()):
        raise attributes.error(f"weights must be at least 0, and joints below {members}")
    strongest = np.argsort(-all_weights, axis=1, kind="stable")[:, :INFLUENCES]
    kept = np.take_along_axis(all_weights, strongest, axis=1)
    total = kept.sum(axis=1, keepdims=True)
    kept = np.where(total > 0, kept / np.where(total > 0, total, 1.0), [1.0, 0.0, 0.0, 0.0])
    names_of = np.take_along_axis(all_joints, strongest, axis=1)
    return np.where((kept > 0) & (names_of < members), names_of, 0), kept


def _triangles(primitive: Record, vertices: int, accessors: Accessors) -> Ints:
    """Read (F, 3) corners of triangles, strips or fans."""
    at = primitive.index("indices", len(accessors))
    accessors.hold(vertices, primitive)
    corners = np.arange(vertices) if at is None else accessors.integers(at, ("SCALAR",))[:, 0]
    if corners.min() < 0 or corners.max() >= vertices:
        raise primitive.error(f"its triangles name vertex {corners.max()}, there are {vertices}")
    mode = primitive.count("mode", _TRIANGLES)
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    count = max(len(corners) - 2, 0)
    k = np.arange(count)
    if mode == _FAN:
        return np.stack([corners[k + 1], corners[k + 2], np.full(count, corners[0])], axis=1)
    return np.stack([corners[k], corners[k + 1 + k % 2], corners[k + 2 - k % 2]], axis=1)


def _smooth_normals(vertices_m: Floats, triangles: Ints) -> Floats:
    """Average the normals of the triangles around each vertex, by area."""
    a, b, c = (vertices_m[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices_m)
    for k in range(3):
        np.add.at(normals, triangles[:, k], across)
    return _unit(normals)


def _unit(vectors: Floats) -> Floats:
    """Scale to unit length; what has no direction points up."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-20, vectors / np.maximum(lengths, 1e-20), [0.0, 1.0, 0.0])


def _joined(materials: list[Record], vertices: list[_Vertices], faces: list[_Faces], name: str) -> SkinnedMesh:
    starts = np.cumsum([0, *(len(part.places_m) for part in vertices)])
    places_m = np.concatenate([part.places_m for part in vertices])
    triangles = np.concatenate([face.triangles + starts[face.of] for face in faces])
    smooth = _smooth_normals(places_m, triangles)
    normals = [
        smooth[start : start + len(part.places_m)] if part.normals is None else part.normals
        for part, start in zip(vertices, starts, strict=False)
    ]
    used = {material: k for k, material in enumerate(sorted({face.material for face in faces}))}
    return SkinnedMesh(
        name=name,
        vertices_m=places_m,
        normals=np.concatenate(normals),
        triangles=triangles,
        joints=np.concatenate([part.joints for part in vertices]),
        weights=np.concatenate([part.weights for part in vertices]),
        materials=tuple(_material(materials, material) for material in used),
        material=np.concatenate([np.full(len(face.triangles), used[face.material]) for face in faces]),
    )


def _material(materials: list[Record], index: int) -> Material:
    if index < 0:
        return Material(name="plain", rgb=_GREY)
    record = materials[index]
    looks = record.record("pbrMetallicRoughness")
    red, green, blue, _ = (1.0,) * 4 if looks is None else looks.numbers("baseColorFactor", (1.0,) * 4)
    return Material(name=record.text("name") or f"material {index}", rgb=(red, green, blue))
