"""glTF files put together and taken apart with struct and json alone."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mocap3d.base.kinematics import rest_pose
from mocap3d.base.mesh import Material, SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.output.gltf import write_glb

KINDS = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}


TIMES = np.arange(5) / 30


class Hand:
    """A glTF in the making: change ``root`` at will, add arrays, then save."""

    def __init__(self, *nodes: dict[str, Any], tops: tuple[int, ...] = (0,)) -> None:
        self.data = b""
        self.root: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": list(tops)}],
            "nodes": list(nodes),
            "accessors": [],
            "bufferViews": [],
        }

    def view(self, data: bytes, **more: Any) -> int:
        """Add bytes."""
        self.data += b"\0" * (-len(self.data) % 4)
        self.root["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)} | more)
        self.data += data
        return len(self.root["bufferViews"]) - 1

    def add(self, values: Any, component: str = "f4", **more: Any) -> int:
        """Add an array of its own buffer view."""
        array = np.asarray(values, dtype=f"<{component}")
        width = 1 if array.ndim == 1 else int(np.prod(array.shape[1:]))
        view = self.view(array.tobytes())
        self.root["accessors"].append(
            {"bufferView": view, "componentType": COMPONENTS[component], "count": len(array), "type": KINDS[width]}
            | more
        )
        return len(self.root["accessors"]) - 1

    def move(self, node: int, path: str, times: Any, values: Any, mode: str = "LINEAR") -> None:
        """Add a channel of an animation; rotations are xyzw."""
        animation = self.root.setdefault("animations", [{"channels": [], "samplers": []}])[0]
        animation["channels"].append({"sampler": len(animation["samplers"]), "target": {"node": node, "path": path}})
        output = values if isinstance(values, int) else self.add(values)
        times = times if isinstance(times, int) else self.add(times)
        animation["samplers"].append({"input": times, "output": output, "interpolation": mode})

    def save(self, path: Path, *, side: str = "") -> Path:
        """Write a .glb, or a .gltf with its bytes in a data URI or in the file ``side`` beside it."""
        root = self.root | {"buffers": [{"byteLength": len(self.data)}]}
        if path.suffix == ".glb":
            path.write_bytes(glb(root, self.data))
            return path
        if side:
            (path.parent / side).write_bytes(self.data)
        data_uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        root["buffers"][0]["uri"] = side or data_uri
        path.write_text(json.dumps(root), encoding="utf-8")
        return path


def arm(**top: object) -> Hand:
    """A shoulder at (1, 2, 3), an elbow 0.5 along its X, a hand 0.25 further; the shoulder turns 90 degrees about Z."""
    hand = Hand(
        {"name": "shoulder", "translation": [1, 2, 3], "children": [1]} | top,
        {"name": "elbow", "translation": [0.5, 0, 0], "children": [2]},
        {"name": "hand", "translation": [0.25, 0, 0]},
    )
    hand.root["skins"] = [{"joints": [0, 1, 2]}]
    angles = np.linspace(0, np.pi / 2, 5)
    hand.move(0, "rotation", TIMES, np.stack([0 * angles, 0 * angles, np.sin(angles / 2), np.cos(angles / 2)], 1))
    return hand


def glb(root: dict[str, Any], data: bytes) -> bytes:
    """Put a .glb together."""
    text = json.dumps(root).encode()
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(data), len(text), 0x4E4F534A)
    return head + text + struct.pack("<II", len(data), 0x004E4942) + data


def taken_apart(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read the JSON and the BIN chunk of a .glb."""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def array_of(root: dict[str, Any], data: bytes, accessor: int) -> np.ndarray:
    """Read a float accessor that fills its buffer view."""
    view = root["bufferViews"][root["accessors"][accessor]["bufferView"]]
    numbers = np.frombuffer(data, "<f4", view["byteLength"] // 4, view["byteOffset"])
    return numbers.reshape(root["accessors"][accessor]["count"], -1)


def write_dressed(motion: Motion, path: Path) -> None:
    """Write a small body as a .glb, or as a .gltf with its bytes in text: what is damaged to try the reader."""
    write_glb(motion, path.with_suffix(".glb"), mesh=rags(motion.rig, 6))
    if path.suffix != ".glb":
        hand = Hand()
        hand.root, hand.data = taken_apart(path.with_suffix(".glb"))
        path.with_suffix(".glb").unlink()
        hand.root["nodes"][1]["scale"] = [2, 2, 2]
        hand.save(path)


def rags(rig: Rig, vertices: int = 120) -> SkinnedMesh:
    """Loose triangles around the joints of a rig, each vertex on one to four of them, two of three materials used."""
    rng = np.random.default_rng(3)
    rest_m, _ = rest_pose(rig)
    joints = rng.integers(0, len(rest_m), (vertices, 4))
    weights = 0.1 + rng.random((vertices, 4))  # Blender leaves out weights below 0.0001
    weights[:, 3] *= rng.random(vertices) > 0.5
    weights[:20, 1:] = 0
    joints[weights == 0] = 0
    normals = rng.normal(size=(vertices, 3))
    triangles = np.arange(vertices).reshape(-1, 3)
    return SkinnedMesh(
        name="Körper",
        vertices_m=rest_m[joints[:, 0]] + rng.normal(size=(vertices, 3)) * 0.1,
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        triangles=triangles,
        joints=joints,
        weights=weights / weights.sum(axis=1, keepdims=True),
        materials=tuple(Material(name=name, rgb=(0.1 * n, 0.5, 0.25)) for n, name in enumerate("abc")),
        material=np.arange(len(triangles)) % 2 * 2,
    )
