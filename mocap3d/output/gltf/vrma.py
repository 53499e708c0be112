"""VRM animations (.vrma): a GLB that says which node is which bone of a humanoid, for any VRM avatar to dance to.

Rules of the format, kept here: the first animation counts; bones rest in VRM's T-pose; only the hips travel, nothing
grows; eyes and faces move by other means (``lookAt``, ``expressions``), which are not written and not read.

Reference:
    VRM Consortium, "VRMC_vrm_animation-1.0",
    https://github.com/vrm-c/vrm-specification/blob/master/specification/VRMC_vrm_animation-1.0/README.md
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from mocap3d.base.errors import InputError
from mocap3d.base.motion import Motion
from mocap3d.base.skeleton import ROOT
from mocap3d.output.float32 import farthest_m, warn_if_far
from mocap3d.output.gltf.nodes import Nodes
from mocap3d.output.gltf.reader import open_gltf
from mocap3d.output.gltf.record import Record
from mocap3d.output.gltf.vrm_bones import VRM_PARENTS, check_humanoid, standing_on_the_ground
from mocap3d.output.gltf.writer import save_scene, scene

__all__ = ["read_vrma", "write_vrma"]

_EXTENSION: Final = "VRMC_vrm_animation"
_VERSIONS: Final = ("1.0", "1.0-draft")
_SAME_M: Final = 1e-6
_SAME_TURN: Final = 1e-9


def write_vrma(motion: Motion, path: str | os.PathLike[str]) -> None:
    """Write a VRM animation 1.0.

    Joints are bones by their names (``HUMANOID_22`` has them); joints with other names are written as plain nodes,
    which avatars ignore. If the rig does not rest on the ground it is put there, as the format wants; that changes the
    rest pose only. Contacts and ``start_frame`` are not written.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.

    Raises:
        InputError: the rig lacks bones that VRM requires (the message lists them), is no T-pose, something else than
            the hips travels, or the file cannot be written.

    Warns:
        Mocap3dWarning: something moves so far that the format's four-byte numbers cannot place it to 1e-5 m.
    """
    bones = check_humanoid(motion.rig)
    _check_movement(motion, set(bones.values()))
    warn_if_far(path, farthest_m(motion))
    document, blob = scene(replace(motion, rig=standing_on_the_ground(motion.rig)), skinned=False)
    human = {"humanBones": {bone: {"node": joint} for bone, joint in bones.items()}}
    document["extensionsUsed"] = [_EXTENSION]
    document["extensions"] = {_EXTENSION: {"specVersion": "1.0", "humanoid": human}}
    save_scene(path, document, blob)


def read_vrma(path: str | os.PathLike[str], *, fps: Fraction | float | str | None = None) -> Motion:
    """Read a VRM animation; joints are named as its bones, nodes between them keep their own names.

    Expressions and the direction of the eyes are left out. What the format forbids, bones other than the hips that
    travel or grow, is ignored with a warning, as avatars do.

    Args:
        path: the file.
        fps: sample the movement at this rate; needed where its keys lie on no grid.

    Raises:
        FileFormatError: not a VRM animation, one without hips, or any error of ``read_glb``.
        InputError: the file cannot be opened, or ``fps`` cannot be used.
    """
    opened = open_gltf(path, 0, _bones)
    if opened.animation is None:
        return opened.resting(fps)
    hips = next(n for n, name in _bones(opened.document.root, opened.nodes).items() if name == "hips")
    above = {hips}
    while opened.nodes.parents[hips] != ROOT:
        hips = opened.nodes.parents[hips]
        above.add(hips)
    curves = opened.animation.curves
    allowed = {key: curve for key, curve in curves.items() if key[1] == "rotation" or key[0] in above}
    stray = {node for node, _ in set(curves) - set(allowed)} & set(opened.joints.nodes)
    if stray:
        names = ", ".join(opened.nodes.names(sorted(stray))[:10])
        opened.animation.record.warn(f"only the hips may travel; ignored for {names}")
    opened.animation = replace(opened.animation, curves=allowed)
    return opened.motion(fps)


def _bones(root: Record, nodes: Nodes) -> dict[int, str]:
    """Read which node is which bone."""
    extensions = root.record("extensions")
    extension = extensions.record(_EXTENSION) if extensions is not None else None
    if extension is None:
        raise root.error(f"this is no VRM animation (it lacks {_EXTENSION}); read_glb reads other glTF files")
    if extension.text("specVersion") not in _VERSIONS:
        raise extension.error(f"specVersion must be {' or '.join(_VERSIONS)}, got {extension.text('specVersion')!r}")
    human = extension.needed("humanoid").needed("humanBones")
    found: dict[int, str] = {}
    for bone in human.fields:
        node = human.needed(bone).index("node", len(nodes.records)) if bone in VRM_PARENTS else None
        if node is not None:
            if node in found:
                raise human.error(f"{bone} and {found[node]} are one node")
            found[node] = bone
    if "hips" not in found.values():
        raise human.error("there are no hips")
    return found


def _check_movement(motion: Motion, bones: set[int]) -> None:
    """Refuse what a VRM animation cannot say: inner joints that travel, turning joints between bones."""
    rig, names = motion.rig, motion.rig.skeleton.joint_names
    if motion.local_m is not None:
        leaves = np.abs(motion.local_m - rig.offsets_m).max(axis=(0, 2)) > _SAME_M
        leaves[0] = False
        if leaves.any():
            stretching = ", ".join(names[j] for j in np.flatnonzero(leaves)[:10])
            raise InputError(f"in a VRM animation only the hips travel, here also {stretching}")
    carriers: set[int] = set()
    for j in range(len(names) - 1, 0, -1):  # children come after their parents
        if j in bones or j in carriers:
            carriers.add(rig.skeleton.parents[j])
    for j in sorted(carriers - bones):
        between = np.abs(np.sum(motion.local_wxyz[:, j] * rig.rest_wxyz[j], axis=-1))
        if between.min() < 1 - _SAME_TURN:
            raise InputError(f"joint {names[j]!r} turns and carries bones, but is no bone of VRM")
