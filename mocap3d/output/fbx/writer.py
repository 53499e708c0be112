"""Motion (and a mesh) -> binary FBX, so that every program puts each joint where our forward kinematics puts it.

Y is up, and a person at rest faces +Z. Every joint is a LimbNode whose rest orientation is its PreRotation, so at rest
all Lcl Rotations are zero; the rest pose is also the bind pose. Every node has InheritType 1 (the first choice of
Maya and Blender: transforms multiply as matrices). Keys stand at the exact times of the frames.
"""

from __future__ import annotations

import os
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.skeleton import ROOT
from mocap3d.output.fbx.bones import Bones
from mocap3d.output.fbx.curves import add_animation, pre_rotation_deg
from mocap3d.output.fbx.document import ROOT_ID, Objects, document, properties
from mocap3d.output.fbx.records import Record, write_records
from mocap3d.output.fbx.surface import add_mesh, column_major, node_properties
from mocap3d.output.float32 import farthest_m, warn_if_far

__all__ = ["VERSIONS", "write_fbx"]

VERSIONS: Final = (7400, 7500)
"""Versions of the format that can be written: FBX 2014/2015, which everything reads, and FBX 2016 and later."""

_SIZE_M: Final = 0.02  # how big programs draw a joint


def write_fbx(
    motion: Motion,
    path: str | os.PathLike[str],
    *,
    mesh: SkinnedMesh | None = None,
    version: int = 7400,
    unit_m: float = 0.01,
    tips: bool = False,
) -> None:
    """Write a binary FBX file: bones, their rest pose, the animation at its exact rate, a skinned mesh if there is one.

    The same motion gives the same bytes: ids are counted and times of creation are constant. Several roots stand side
    by side, without their synthetic parent. Contacts and ``start_frame`` are not written.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.
        mesh: a surface on the joints of the motion's rig. Colours are written linear, as they are.
        version: 7400 or 7500.
        unit_m: metres per unit of the file; the file says so, and programs convert. 0.01, centimetres, is what Unreal,
            Maya and MotionBuilder work in.
        tips: write the ends of bones that have no child as bones of their own. Blender and Maya draw the last bones at
            their right length then; but Unreal, Unity and retargeters take a bone more for another skeleton, so it is
            off by default.

    Raises:
        InputError: an option or a name cannot be written, the mesh does not fit the rig, or the file cannot be written.

    Warns:
        Mocap3dWarning: something moves so far that the format's four-byte numbers cannot place it to 1e-5 m.
    """
    if version not in VERSIONS:
        raise InputError(f"version must be {' or '.join(map(str, VERSIONS))}, got {version}")
    if not 0 < unit_m < float("inf"):
        raise InputError(f"unit_m must be metres per unit of the file, above 0; got {unit_m}")
    warn_if_far(path, farthest_m(motion))
    bones = Bones(motion, unit_m, tips)
    objects = Objects()
    models = _add_bones(objects, bones)
    bound = [(models[bone], bones.matrix(bone)) for bone in range(len(models))]
    if mesh is not None:
        bound.insert(0, (add_mesh(objects, mesh, bones, models), np.eye(4)))
    _add_bind_pose(objects, bound)
    stop = add_animation(objects, bones, models)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        write_records(file, document(objects, version=version, unit_m=unit_m, fps=motion.fps, stop=stop), version)


def _add_bones(objects: Objects, bones: Bones) -> list[np.int64]:
    """Add a node and its attribute for each bone; give the ids of the nodes."""
    models: list[np.int64] = []
    pre_deg = pre_rotation_deg(bones.pre_wxyz)
    size = _SIZE_M / bones.unit_m
    for bone, name in enumerate(bones.names):
        rows = node_properties(bones.rest[bone], ("PreRotation", "Vector3D", "Vector", "", *map(float, pre_deg[bone])))
        tail = (Record("Shading", (True,)), Record("Culling", ("CullingOff",)))
        models.append(objects.add("Model", name, "LimbNode", (Record("Version", (232,)), rows, *tail)))
        attribute = (properties(("Size", "double", "Number", "", size)), Record("TypeFlags", ("Skeleton",)))
        objects.connect(objects.add("NodeAttribute", name, "LimbNode", attribute), models[bone])
    for bone, parent in enumerate(bones.parents):
        objects.connect(models[bone], ROOT_ID if parent == ROOT else models[parent])
    return models


def _add_bind_pose(objects: Objects, bound: list[tuple[np.int64, NDArray[np.float64]]]) -> None:
    """Say where each node stands while the mesh is bound: the rest pose."""
    nodes = [
        Record("PoseNode", (), (Record("Node", (model,)), Record("Matrix", (column_major(matrix),))))
        for model, matrix in bound
    ]
    head = (Record("Type", ("BindPose",)), Record("Version", (100,)), Record("NbPoseNodes", (len(nodes),)))
    objects.add("Pose", "BindPose", "BindPose", (*head, *nodes))
