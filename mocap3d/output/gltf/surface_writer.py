"""SkinnedMesh -> a mesh of a glTF: one primitive for each material, all on the same vertices."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.mesh import INFLUENCES, SkinnedMesh
from mocap3d.output.gltf.blob import INDEX_TARGET, VERTEX_TARGET, Blob

__all__ = ["add_mesh"]

_ROUGHNESS: Final = 0.8  # cloth and skin rather than glass


def add_mesh(document: dict[str, Any], blob: Blob, mesh: SkinnedMesh, joints: int) -> None:
    """Add a mesh, its materials and a node for it (at the top of the scene) that uses skin 0.

    Args:
        document: the JSON, with nodes, a scene and a skin.
        blob: takes the vertices and triangles.
        mesh: what to add.
        joints: of the skin.

    Raises:
        InputError: there is no triangle, or a normal has no direction.
    """
    if len(mesh.triangles) == 0:
        raise InputError(f"mesh {mesh.name!r} has no triangle, and a GLB cannot hold that")
    lengths = np.linalg.norm(mesh.normals, axis=-1, keepdims=True)
    if (lengths < 1e-6).any():
        raise InputError(f"normal {int(lengths.argmin())} of mesh {mesh.name!r} has no direction")
    names, weights = _float32_weights(mesh)
    vertices = {
        "POSITION": blob.array(mesh.vertices_m.astype(np.float32), "VEC3", target=VERTEX_TARGET, bounds=True),
        "NORMAL": blob.array((mesh.normals / lengths).astype(np.float32), "VEC3", target=VERTEX_TARGET),
        "JOINTS_0": blob.array(names.astype("u1" if joints <= 256 else "u2"), "VEC4", target=VERTEX_TARGET),
        "WEIGHTS_0": blob.array(weights, "VEC4", target=VERTEX_TARGET),
    }
    component = "u2" if len(mesh.vertices_m) <= 65535 else "u4"
    used = np.unique(mesh.material).tolist()
    primitives = []
    for k, material in enumerate(used):
        corners = mesh.triangles[mesh.material == material].reshape(-1).astype(component)
        indices = blob.array(corners, "SCALAR", target=INDEX_TARGET)
        primitives.append({"attributes": vertices, "indices": indices, "material": k})
    document["materials"] = [_material(mesh, material) for material in used]
    document["meshes"] = [{"name": mesh.name, "primitives": primitives}]
    document["scenes"][0]["nodes"].append(len(document["nodes"]))
    document["nodes"].append({"name": mesh.name, "mesh": 0, "skin": 0})


def _material(mesh: SkinnedMesh, index: int) -> dict[str, Any]:
    material = mesh.materials[index]
    red, green, blue = (float(part) for part in material.rgb)
    looks = {"baseColorFactor": [red, green, blue, 1.0], "metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    return {"name": material.name, "pbrMetallicRoughness": looks}


def _float32_weights(mesh: SkinnedMesh) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Make what glTF wants: no joint twice, joint 0 where the weight is 0, and a sum of 1 after rounding."""
    joints, weights = mesh.joints.copy(), mesh.weights.copy()
    for k in range(1, INFLUENCES):
        for before in range(k):
            same = joints[:, k] == joints[:, before]
            weights[same, before] += weights[same, k]
            weights[same, k] = 0.0
    rounded = weights.astype(np.float32)
    rows, largest = np.arange(len(rounded)), rounded.argmax(axis=1)
    rounded[rows, largest] = 0.0
    rounded[rows, largest] = 1.0 - rounded.sum(axis=1, dtype=np.float64)
    joints[rounded == 0] = 0
    return joints, rounded
