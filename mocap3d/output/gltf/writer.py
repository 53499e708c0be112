"""Motion -> GLB: a skeleton of nodes, a skin, its mesh if there is one, and one animation.

* Node j is joint j of the rig, with the rest pose as its translation and rotation; glTF's axes and units are ours.
* Tips (ends of bones without a joint) are leaf nodes behind the joints, with ``extras.tip``. They are no joints of the
  skin, so that a program that counts bones counts ours, and yet the lengths of hands, feet and head are not lost.
* A skin is written without a mesh too: only a skin says which nodes are bones. Blender then makes an armature and
  three.js makes ``Bone`` objects. The Khronos validator says one thing of such a file, an info: the skin is not used.
* Several roots stay under their synthetic joint: the joints of a skin must have a common root.
* Key t of the animation stands at float32(t / fps), the nearest number that glTF can hold to the exact time. The exact
  rate is in ``animations[0].extras.fps`` as a fraction ("24000/1001"), and ``rate.py`` finds it from the times alone.

Reference:
    Khronos, "glTF 2.0 Specification", https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_continuous, wxyz_normalized, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT
from mocap3d.output.float32 import farthest_m, warn_if_far
from mocap3d.output.gltf.blob import Blob
from mocap3d.output.gltf.container import save_glb
from mocap3d.output.gltf.surface_writer import add_mesh

__all__ = ["save_scene", "scene", "write_glb"]

Floats = NDArray[np.float64]

_BLOCK_FRAMES: Final = 16384
_MOST_JOINTS: Final = 65535  # vertices name joints in two bytes


def write_glb(motion: Motion, path: str | os.PathLike[str], *, mesh: SkinnedMesh | None = None) -> None:
    """Write a binary glTF 2.0: metres, +Y up, the person faces +Z.

    Only what moves gets keys, one per frame, joined linearly; quaternions never change sign between frames. The root's
    place always does, so that every reader sees the length of the clip. Contacts and ``start_frame`` are not written.
    Times are four-byte numbers, as glTF wants them: after an hour a key may stand 0.1 ms beside its frame.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.
        mesh: a surface that follows the joints.

    Raises:
        InputError: the mesh does not fit the rig, or the file cannot be written.

    Warns:
        Mocap3dWarning: something moves so far that the format's four-byte numbers cannot place it to 1e-5 m.
    """
    warn_if_far(path, farthest_m(motion))
    save_scene(path, *scene(motion, mesh))


def scene(motion: Motion, mesh: SkinnedMesh | None = None, *, skinned: bool = True) -> tuple[dict[str, Any], Blob]:
    """Describe a motion as the JSON of a glTF and the bytes that will follow it; node j is joint j.

    ``skinned`` can be False where an extension says which nodes are bones, and there is no mesh.
    """
    rig = motion.rig
    if len(rig.skeleton) > _MOST_JOINTS:
        raise InputError(f"a glTF skin holds at most {_MOST_JOINTS} joints, got {len(rig.skeleton)}")
    blob = Blob()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "mocap3d"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": _nodes(rig),
    }
    if skinned:
        document["skins"] = [_skin(rig, blob)]
    if mesh is not None:
        mesh.check(rig)
        add_mesh(document, blob, mesh, len(rig.skeleton))
    document["animations"] = [_animation(motion, blob)]
    return document, blob


def save_scene(path: str | os.PathLike[str], document: dict[str, Any], blob: Blob) -> None:
    """Write what ``scene`` described."""
    buffers = {"buffers": [{"byteLength": blob.length}], "bufferViews": blob.views, "accessors": blob.accessors}
    save_glb(path, document | buffers, blob.bytes(), blob.length)


def _nodes(rig: Rig) -> list[dict[str, Any]]:
    """Make a node for each joint, in the order of the rig, then one for each tip."""
    children: list[list[int]] = [[] for _ in rig.skeleton.joint_names]
    nodes: list[dict[str, Any]] = []
    for j, parent in enumerate(rig.skeleton.parents):
        if parent != ROOT:
            children[parent].append(j)
        w, x, y, z = rig.rest_wxyz[j].tolist()
        node: dict[str, Any] = {"name": rig.skeleton.joint_names[j], "translation": rig.offsets_m[j].tolist()}
        nodes.append(node if w == 1 else node | {"rotation": [x, y, z, w]})
    for tip in rig.tips:
        children[tip.parent].append(len(nodes))
        name = tip.name or f"{rig.skeleton.joint_names[tip.parent]}_end"
        nodes.append({"name": name, "translation": tip.offset_m.tolist(), "extras": {"tip": True}})
    for node, below in zip(nodes, children, strict=False):
        if below:
            node["children"] = below
    return nodes


def _skin(rig: Rig, blob: Blob) -> dict[str, Any]:
    """Bind every joint in the rest pose."""
    rest_m, rest_wxyz = rest_pose(rig)
    joint_from_world = np.zeros((len(rest_m), 4, 4))
    joint_from_world[:, :3, :3] = np.swapaxes(wxyz_to_matrix(rest_wxyz), -1, -2)
    joint_from_world[:, :3, 3] = -(joint_from_world[:, :3, :3] @ rest_m[..., None])[..., 0]
    joint_from_world[:, 3, 3] = 1.0
    columns = np.swapaxes(joint_from_world, -1, -2).astype(np.float32)  # glTF stores columns one after the other
    matrices = blob.array(columns.reshape(-1, 16), "MAT4")
    skin = {"joints": list(range(len(rest_m))), "inverseBindMatrices": matrices, "skeleton": 0}
    return skin | ({"name": rig.skeleton.name} if rig.skeleton.name else {})


def _animation(motion: Motion, blob: Blob) -> dict[str, Any]:
    """Make channels for what moves."""
    rig = motion.rig
    times = _add_times(motion, blob)
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []
    for j in range(len(rig.skeleton)):
        for path in ("translation", "rotation"):
            if path == "translation" and (j == 0 or _is_placed(motion, j)):
                output = blob.stream(lambda j=j: _places(motion, j), len(motion), "VEC3")  # type: ignore[misc]
            elif path == "rotation" and _is_turned(motion, j):
                output = blob.stream(lambda j=j: _turns(motion, j), len(motion), "VEC4")  # type: ignore[misc]
            else:
                continue
            channels.append({"sampler": len(samplers), "target": {"node": j, "path": path}})
            samplers.append({"input": times, "interpolation": "LINEAR", "output": output})
    fps = {"fps": f"{motion.fps.numerator}/{motion.fps.denominator}"}
    return {"name": "motion", "channels": channels, "samplers": samplers, "extras": fps}


def _add_times(motion: Motion, blob: Blob) -> int:
    """Add the times of the keys, t / fps."""
    frames = len(motion)
    period_s = float(1 / motion.fps)
    last = np.float32((frames - 1) * period_s)
    if frames > 1 and not np.spacing(last) < period_s:
        raise InputError(f"{frames} frames at {motion.fps} per second are more than a GLB can time (float32 seconds)")

    def blocks() -> Iterator[NDArray[np.float32]]:
        for start in range(0, frames, _BLOCK_FRAMES):
            yield (np.arange(start, min(start + _BLOCK_FRAMES, frames)) * period_s).astype(np.float32)

    accessor = blob.stream(blocks, frames, "SCALAR")
    blob.accessors[accessor] |= {"min": [0.0], "max": [float(last)]}
    return accessor


def _is_placed(motion: Motion, joint: int) -> bool:
    """Tell whether an inner joint ever leaves its offset (as far as float32 can tell)."""
    if motion.local_m is None:
        return False
    return bool((motion.local_m[:, joint].astype(np.float32) != motion.rig.offsets_m[joint].astype(np.float32)).any())


def _is_turned(motion: Motion, joint: int) -> bool:
    """Tell whether a joint ever leaves its rest rotation (as far as float32 can tell)."""
    rest = wxyz_normalized(motion.rig.rest_wxyz[joint]).astype(np.float32)
    return any((block != np.roll(rest, -1)).any() for block in _turns(motion, joint, rest))


def _places(motion: Motion, joint: int) -> Iterator[NDArray[np.float32]]:
    """Place a joint in its parent, block by block."""
    source = motion.root_m if joint == 0 or motion.local_m is None else motion.local_m[:, joint]
    for start in range(0, len(motion), _BLOCK_FRAMES):
        yield source[start : start + _BLOCK_FRAMES].astype(np.float32)


def _turns(motion: Motion, joint: int, before: NDArray[np.float32] | None = None) -> Iterator[NDArray[np.float32]]:
    """Turn a joint, block by block: xyzw, each on the hemisphere of the one before; the first on that of the rest."""
    last: Floats = np.asarray(motion.rig.rest_wxyz[joint] if before is None else before, dtype=np.float64)
    for start in range(0, len(motion), _BLOCK_FRAMES):
        block = wxyz_normalized(motion.local_wxyz[start : start + _BLOCK_FRAMES, joint])
        wxyz = wxyz_continuous(np.concatenate([last[None], block]))[1:]
        last = wxyz[-1]
        yield np.roll(wxyz, -1, axis=-1).astype(np.float32)
