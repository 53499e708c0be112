"""Joints and skins of an FBX as ufbx reads it: ``read_fbx_with_ufbx.py FILE OUT.json [FRAMES [FPS]]``.

A process of its own, since the binding crashes here and there. OUT.json holds ``names`` (J) of all nodes but the root,
``parents`` (J names or null), ``frames`` and ``fps`` as ufbx has them, ``unit_m``, ``warnings``; in the file's unit
``matrices`` (frames, J, 4, 4) world_from_node (evaluate_transform, chained here), and ``skins``: for each skin
``vertices`` (V, 3), ``clusters`` of {bone, indices, weights, bone_from_mesh (4, 4)}. FRAMES: none are evaluated
without; FPS: instead of the file's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import ufbx


def local_matrix(transform: ufbx.Transform) -> np.ndarray:
    """Translation, quaternion and scale as (4, 4)."""
    t, q, s = transform.translation, transform.rotation, transform.scale
    x, y, z, w = q.x, q.y, q.z, q.w
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= [s.x, s.y, s.z]
    matrix[:3, 3] = t.x, t.y, t.z
    return matrix


def affine(m: ufbx.Matrix) -> list[list[float]]:
    """A 3 x 4 matrix as (4, 4)."""
    columns = np.array([[c.x, c.y, c.z] for c in (m.c0, m.c1, m.c2, m.c3)])
    return np.vstack([columns.T, [0, 0, 0, 1]]).tolist()


def skin_of(mesh: ufbx.Mesh) -> dict[str, object]:
    """One mesh and what it follows."""
    clusters = [
        {
            "bone": cluster.bone_node.name,
            "indices": [int(n) for n in cluster.vertices],
            "weights": [float(w) for w in cluster.weights],
            "bone_from_mesh": affine(cluster.geometry_to_bone),
        }
        for skin in mesh.skin_deformers
        for cluster in skin.clusters
    ]
    return {"vertices": [[v.x, v.y, v.z] for v in mesh.vertices], "clusters": clusters}


def main(path: str, out: str, frames: str = "0", fps: str = "0") -> None:
    """Write what ufbx says."""
    scene = ufbx.load_file(path)
    nodes = list(scene.nodes)
    names = [node.name for node in nodes]
    parents = [None if node.is_root else node.parent.name for node in nodes]
    above = [None if parent is None else names.index(parent) for parent in parents]
    rate = float(fps) or scene.settings.frames_per_second
    stack = scene.anim_stacks[0] if len(scene.anim_stacks) else None
    matrices = []
    for frame in range(int(frames)):
        time = stack.time_begin + frame / rate
        world: list[np.ndarray] = []
        for node, parent in zip(nodes, above, strict=True):  # ufbx lists parents first
            local = local_matrix(ufbx.evaluate_transform(stack.anim, node, time))
            world.append(local if parent is None else world[parent] @ local)
        matrices.append([matrix.tolist() for matrix in world[1:]])
    result = {
        "names": names[1:],
        "parents": parents[1:],
        "fps": scene.settings.frames_per_second,
        "frames": 0 if stack is None else round((stack.time_end - stack.time_begin) * rate) + 1,
        "unit_m": scene.settings.unit_meters,
        "warnings": [warning.description for warning in scene.metadata.warnings],
        "matrices": matrices,
        "skins": [skin_of(mesh) for mesh in scene.meshes if len(mesh.skin_deformers)],
    }
    Path(out).write_text(json.dumps(result), encoding="utf-8")


main(*sys.argv[1:])
