"""FBX files as programs read them that we did not write, all answers in metres and Y-up; and a tube to skin."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import Material, SkinnedMesh, deform
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton
from mocap3d.output.fbx import write_fbx

READERS = Path(__file__).resolve().parents[1] / "readers"
CENTIMETRE = 0.01


@dataclass
class Seen:
    """What a program found in a file.

    ``names`` (J), ``xyz_m`` (T, J, 3); ``corners_m`` (T, N, 3) and the same at rest ``corners_rest_m`` (N, 3), N any
    selection of the vertices in any order; frames and rate as the program says, where it says so.
    """

    names: list[str]
    xyz_m: np.ndarray
    corners_m: np.ndarray | None = None
    corners_rest_m: np.ndarray | None = None
    frames: int | None = None
    fps: float | None = None
    more: dict[str, object] = field(default_factory=dict)


def see_with(program: str, path: Path, motion: Motion) -> Seen:
    """Let another program read a file that holds a motion; three.js only one in centimetres."""
    return {"three": _three, "ufbx": _ufbx, "fbx2gltf": _fbx2gltf, "blender new": _blender, "blender old": _blender}[
        program
    ](path, motion, program)


def assert_seen(seen: Seen, motion: Motion, mesh: SkinnedMesh | None, tolerance_m: float = 1e-5) -> None:
    """Compare names, frames, rate, joints and vertices with our forward kinematics and skinning."""
    names = list(motion.rig.skeleton.joint_names)
    assert sorted(seen.names) == sorted(names)
    assert seen.frames in (None, len(motion))
    if seen.fps is not None:
        np.testing.assert_allclose(seen.fps, float(motion.fps), rtol=2e-6)
    order = [seen.names.index(name) for name in names]
    np.testing.assert_allclose(seen.xyz_m[:, order], forward(motion)[0], rtol=0, atol=tolerance_m)
    assert (seen.corners_m is None) == (mesh is None)
    if mesh is not None:
        distance_m, which = cKDTree(mesh.vertices_m).query(seen.corners_rest_m)
        assert distance_m.max() < tolerance_m
        assert set(which) == set(range(len(mesh.vertices_m)))
        np.testing.assert_allclose(seen.corners_m, deform(mesh, motion)[:, which], rtol=0, atol=tolerance_m)


def tube(rig: Rig, sides: int = 5) -> SkinnedMesh:
    """A skin for any rig: around each joint a ring that two joints hold, and bands between rings; two colours."""
    rest_m, rest_wxyz = rest_pose(rig)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = 0.05 * np.stack([np.cos(angle), np.sin(2 * angle) * 0.1, np.sin(angle)], axis=-1)
    vertices, joints, weights, triangles = [], [], [], []
    for j, parent in enumerate(rig.skeleton.parents):
        turned = Rotation.from_quat(rest_wxyz[j], scalar_first=True).apply(ring * (1 + 0.07 * j))
        vertices.append(rest_m[j] + turned)
        joints.append(np.tile([j, max(parent, 0), 0, 0], (sides, 1)))
        share = np.linspace(0.2, 0.8, sides) if parent >= 0 else np.ones(sides)
        weights.append(np.stack([share, 1 - share, 0 * share, 0 * share], axis=-1))
        if parent >= 0:
            a, b = sides * parent, sides * j
            k, n = np.arange(sides), (np.arange(sides) + 1) % sides
            triangles += [np.stack([a + k, b + k, a + n], -1), np.stack([a + n, b + k, b + n], -1)]
    if not triangles:
        triangles = [np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4]])]
    vertices_m, faces = np.concatenate(vertices), np.concatenate(triangles)
    normals = vertices_m - np.repeat(rest_m, sides, axis=0)
    joints, weights = np.concatenate(joints), np.concatenate(weights)
    return SkinnedMesh(
        name="Röhre",
        vertices_m=vertices_m,
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        triangles=faces,
        joints=np.where(weights > 0, joints, 0),
        weights=weights,
        materials=(Material(name="skin", rgb=(0.8, 0.4, 0.2)), Material(name="cloth", rgb=(0.1, 0.2, 0.9))),
        material=np.arange(len(faces)) % 2,
    )


def write_arm(motion: Motion, path: Path) -> None:
    """Write the first joints of a body and a tube around them: small, so that damage meets every part of the file."""
    count, skeleton = 4, motion.rig.skeleton
    arm = Skeleton(
        name="arm",
        joint_names=skeleton.joint_names[:count],
        parents=skeleton.parents[:count],
        mirror=tuple(range(count)),
    )
    rig = Rig(skeleton=arm, offsets_m=motion.rig.offsets_m[:count], rest_wxyz=motion.rig.rest_wxyz[:count])
    write_fbx(replace(motion, rig=rig, local_wxyz=motion.local_wxyz[:, :count]), path, mesh=tube(rig))


def run(command: list[object]) -> None:
    """Run a program that must succeed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _three(path: Path, motion: Motion, _: str) -> Seen:
    out = path.with_suffix(".three.json")
    run(["node", READERS / "read_fbx.mjs", path, motion.fps, len(motion), out])
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["unit_cm"] == 1
    np.testing.assert_allclose(found["duration"], float((len(motion) - 1) / motion.fps), atol=1e-6)
    corners = np.array(found["vertices"]) * CENTIMETRE if found["vertices"] else None
    rest = np.array(found["corners"]) * CENTIMETRE if found["vertices"] else None
    return Seen(found["names"], np.array(found["xyz"]) * CENTIMETRE, corners, rest)


def read_with_ufbx(path: Path, frames: int = 0, fps: float = 0.0) -> dict[str, object]:
    """What ufbx says, as tests/readers/read_fbx_with_ufbx.py has it."""
    out = path.with_suffix(".ufbx.json")
    run([sys.executable, READERS / "read_fbx_with_ufbx.py", path, out, frames, repr(fps)])
    return json.loads(out.read_text(encoding="utf-8"))


def _ufbx(path: Path, motion: Motion, _: str) -> Seen:
    found = read_with_ufbx(path, len(motion), float(motion.fps))
    unit_m = found["unit_m"]
    assert found["warnings"] == []
    names = [name for name in found["names"] if name in motion.rig.skeleton.joint_names]  # the mesh is a node as well
    world = np.array(found["matrices"])
    seen = Seen(names, world[:, [found["names"].index(name) for name in names]][..., :3, 3] * unit_m)
    seen.frames = found["frames"]
    np.testing.assert_allclose(found["fps"], float(motion.fps), rtol=2e-5)  # it says 29.97 for 30000/1001
    for skin in found["skins"]:
        rest = np.c_[skin["vertices"], np.ones(len(skin["vertices"]))]
        placed = np.zeros((len(world), len(rest), 3))
        for cluster in skin["clusters"]:
            world_from_mesh = world[:, found["names"].index(cluster["bone"])] @ np.array(cluster["bone_from_mesh"])
            for n, weight in zip(cluster["indices"], cluster["weights"], strict=True):
                placed[:, n] += weight * (world_from_mesh @ rest[n])[:, :3]
        seen.corners_m, seen.corners_rest_m = placed * unit_m, rest[:, :3] * unit_m
    return seen


def _blender(path: Path, motion: Motion, program: str) -> Seen:
    out = path.with_suffix(".blender.json")
    reader = READERS / "read_fbx_with_blender.py"
    run([os.environ["MOCAP3D_BLENDER_PYTHON"], reader, path, out, program.removeprefix("blender ")])
    found = json.loads(out.read_text(encoding="utf-8"))
    xyz_m, corners_m = (_y_up(np.array(found[name])) for name in ("xyz", "vertices"))
    return Seen(found["names"], xyz_m, corners_m, None, found["frames"], found["fps"])


def _y_up(xyz: np.ndarray) -> np.ndarray | None:
    return np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1) if xyz.size else None


# --- FBX2glTF, and the few parts of glTF that it writes ------------------------------------------------------------


def _fbx2gltf(path: Path, motion: Motion, _: str) -> Seen:
    return read_with_fbx2gltf(path, motion.fps)


def read_with_fbx2gltf(path: Path, fps: object) -> Seen:
    """What Autodesk's SDK, inside FBX2glTF, makes of a file of 24, 30 or 60 frames per second."""
    program = READERS / "node_modules/fbx2gltf/bin/Linux/FBX2glTF"
    program.chmod(0o755)  # npm unpacks it as a file that cannot be run
    out = path.with_suffix("")
    run([program, "--binary", "--anim-framerate", f"bake{fps}", "-i", path, "-o", out])
    return _Glb(out.with_suffix(".glb").read_bytes()).seen()


class _Glb:
    """A GLB with one animation of matching keys."""

    KINDS: ClassVar = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
    WIDTHS: ClassVar = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}

    def __init__(self, data: bytes) -> None:
        (length,) = struct.unpack_from("<I", data, 12)
        self.gltf = json.loads(data[20 : 20 + length])
        self.blob = data[20 + length + 8 :]

    def array(self, index: int) -> np.ndarray:
        accessor = self.gltf["accessors"][index]
        view = self.gltf["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        width, kind = self.WIDTHS[accessor["type"]], np.dtype(self.KINDS[accessor["componentType"]])
        stride = view.get("byteStride", width * kind.itemsize)
        rows = [np.frombuffer(self.blob, kind, width, start + n * stride) for n in range(accessor["count"])]
        return np.array(rows, dtype=np.float64)

    def seen(self) -> Seen:
        animation = self.gltf["animations"][0]
        moves, times = {}, None
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            moves[channel["target"]["node"], channel["target"]["path"]] = self.array(sampler["output"])
            times = self.array(sampler["input"])[:, 0]
        world = self.world(moves, len(times))
        skin = self.gltf["skins"][0] if self.gltf.get("skins") else None
        bones = skin["joints"] if skin else sorted({node for node, _ in moves})
        seen = Seen([self.gltf["nodes"][n]["name"] for n in bones], world[:, bones][..., :3, 3], frames=len(times))
        if len(times) > 1:
            seen.fps = float((len(times) - 1) / (times[-1] - times[0]))
        if skin is not None:
            binds = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
            self.skinned(seen, world[:, bones] @ binds)
        return seen

    def world(self, moves: dict[tuple[int, str], np.ndarray], frames: int) -> np.ndarray:
        """(T, nodes, 4, 4)."""
        nodes = self.gltf["nodes"]
        local = np.tile(np.eye(4), (frames, len(nodes), 1, 1))
        for n, node in enumerate(nodes):
            turn = moves.get((n, "rotation"), np.array(node.get("rotation", [0, 0, 0, 1])))
            scale = moves.get((n, "scale"), np.array(node.get("scale", [1, 1, 1])))
            local[:, n, :3, :3] = Rotation.from_quat(turn).as_matrix() * scale[..., None, :]
            local[:, n, :3, 3] = moves.get((n, "translation"), node.get("translation", [0, 0, 0]))
        world = local.copy()
        waiting = [(None, n) for n in self.gltf["scenes"][0]["nodes"]]
        while waiting:
            parent, n = waiting.pop()
            if parent is not None:
                world[:, n] = world[:, parent] @ local[:, n]
            waiting += [(n, child) for child in nodes[n].get("children", [])]
        return world

    def skinned(self, seen: Seen, bones: np.ndarray) -> None:
        rest, placed = [], []
        for primitive in self.gltf["meshes"][0]["primitives"]:
            at = {name: self.array(index) for name, index in primitive["attributes"].items()}
            corner = np.c_[at["POSITION"], np.ones(len(at["POSITION"]))]
            joints = at["JOINTS_0"].astype(int)
            weights = at["WEIGHTS_0"] / at["WEIGHTS_0"].sum(axis=1, keepdims=True)
            blended = np.einsum("nk,tnkab->tnab", weights, bones[:, joints])
            placed.append(np.einsum("tnab,nb->tna", blended, corner)[..., :3])
            rest.append(at["POSITION"])
        seen.corners_m, seen.corners_rest_m = np.concatenate(placed, axis=1), np.concatenate(rest)
