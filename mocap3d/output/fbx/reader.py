"""Binary FBX -> a character (rig and mesh) and its motion.

Read by code of our own rather than through the binding of ufbx: that crashes the whole process on some calls and on
larger files, would make reading an extra, and gives no exact frame rates. What is understood: FBX 7.0 to 7.7 (FBX 2011
until today) in binary; axes and unit; rotation orders, pre- and post-rotation, offsets and pivots; even scales; skins
and bind poses; the first take. What is not is refused (text files, version 6, mirrored bones) or said in a warning
(uneven scales, more animation layers).
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_normalized, wxyz_rotate
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.output.fbx.joints import bind_matrices, find_joints, rigid
from mocap3d.output.fbx.parse import parse_records
from mocap3d.output.fbx.scene import Scene
from mocap3d.output.fbx.skins import read_mesh
from mocap3d.output.fbx.takes import Take, file_rate
from mocap3d.output.names import mirror_from_names, unique_names

__all__ = ["read_fbx", "read_fbx_character"]

Floats = NDArray[np.float64]

_SAME_PLACE_M = 1e-6  # a joint that moves less in its parent's frame does not move: keys are float32


def read_fbx(path: str | os.PathLike[str]) -> Motion:
    """Read the first take that moves anything of a binary FBX, at the frame rate of the file, in metres and Y-up.

    The rest pose of the rig is the bind pose where the file has one, else the pose in which the nodes were saved. Nodes
    above the skeleton (Blender's armature, Maya's groups) go into its root. Several roots hang under a synthetic joint
    named ``SEVERAL_ROOTS``. A file in which nothing moves gives its rest pose as one frame, with a warning.

    Raises:
        FileFormatError: no binary FBX 7, one that contradicts itself, or one without a skeleton.
        InputError: the file cannot be opened.

    Warns:
        Mocap3dWarning: something was left out or renamed.
    """
    loaded = _Loaded(path)
    motion = loaded.motion()
    if motion is not None:
        return motion
    warnings.warn(f"{path}: nothing moves; this is the rest pose, one frame", Mocap3dWarning, stacklevel=2)
    rig = loaded.rig
    return Motion(
        rig=rig, fps=file_rate(loaded.scene.settings), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1]
    )


def read_fbx_character(path: str | os.PathLike[str]) -> tuple[Rig, SkinnedMesh | None, Motion | None]:
    """Read a character from a binary FBX: its rig, its skinned meshes as one, and the first take if anything moves.

    As ``read_fbx``; the mesh is in the rest pose of the rig.

    Raises:
        FileFormatError: no binary FBX 7, one that contradicts itself, or one without a skeleton.
        InputError: the file cannot be opened.
    """
    loaded = _Loaded(path)
    return loaded.rig, loaded.mesh(), loaded.motion()


class _Loaded:
    """A file whose skeleton is known.

    Attributes:
        path: for messages.
        size: bytes of the file.
        scene: its objects.
        tree: its joints.
        binds: world_from_node (4, 4) of the nodes in the rest pose, in the unit and axes of the file.
        several: 1 when there is a synthetic root, else 0.
        rig: the result.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        self.path, self.size = str(path), len(data)
        self.scene = Scene.from_records(parse_records(data, self.path), self.path)
        self.tree = find_joints(self.scene)
        self.binds = bind_matrices(self.scene)
        self.several = int(self.tree.parents.count(ROOT) > 1)
        self.rig = self._rig()

    def _rig(self) -> Rig:
        tree = self.tree
        rest_m, rest_wxyz = np.empty((len(tree.items), 3)), np.empty((len(tree.items), 4))
        offsets_m, local_wxyz = np.empty_like(rest_m), np.empty_like(rest_wxyz)
        for j, (place_m, wxyz) in enumerate(tree.placements(None)):
            item, parent = tree.items[j], tree.parents[j]
            if item.identity in self.binds:
                rest_m[j], rest_wxyz[j] = rigid(item, self.binds[item.identity], tree.world)
            elif parent == ROOT:
                rest_m[j], rest_wxyz[j] = place_m[0], wxyz[0]
            else:
                rest_m[j] = rest_m[parent] + wxyz_rotate(rest_wxyz[parent], place_m[0])
                rest_wxyz[j] = wxyz_multiply(rest_wxyz[parent], wxyz[0])
            if parent == ROOT:
                offsets_m[j], local_wxyz[j] = rest_m[j], rest_wxyz[j]
            else:
                inverse = wxyz_conjugate(rest_wxyz[parent])
                offsets_m[j] = wxyz_rotate(inverse, rest_m[j] - rest_m[parent])
                local_wxyz[j] = wxyz_multiply(inverse, rest_wxyz[j])
        self._check_places(offsets_m)
        if self.several:
            offsets_m = np.concatenate([np.zeros((1, 3)), offsets_m])
            local_wxyz = np.concatenate([[[1.0, 0.0, 0.0, 0.0]], local_wxyz])
        return Rig(skeleton=self._skeleton(), offsets_m=offsets_m, rest_wxyz=wxyz_normalized(local_wxyz))

    def _skeleton(self) -> Skeleton:
        raw = [item.name for item in self.tree.items]
        parents = list(self.tree.parents)
        if self.several:
            raw, parents = [SEVERAL_ROOTS, *raw], [ROOT, *(parent + 1 for parent in parents)]  # ROOT + 1 is 0
        names = unique_names(raw)
        changed = [name for name, old in zip(names, raw, strict=True) if name != old]
        if changed:
            message = f"{self.path}: joint names must be unique and not empty; renamed: {', '.join(changed[:10])}"
            warnings.warn(message, Mocap3dWarning, stacklevel=2)
        stem = Path(self.path).stem
        return Skeleton(name=stem, joint_names=names, parents=tuple(parents), mirror=mirror_from_names(names))

    def mesh(self) -> SkinnedMesh | None:
        """Read the skinned meshes, in the rest pose of the rig."""
        joint_of = {item.identity: j + self.several for j, item in enumerate(self.tree.items)}
        return read_mesh(self.scene, joint_of, self.binds, self.tree.world)

    def motion(self) -> Motion | None:
        """Read the first take; None when nothing moves."""
        joints = len(self.rig.skeleton)
        take = Take.first(self.scene, joints, self.size)
        if take is None:
            return None
        frames = len(take.ticks)
        local_wxyz, local_m = np.zeros((frames, joints, 4)), np.zeros((frames, joints, 3))
        local_wxyz[..., 0] = 1.0
        for j, (place_m, wxyz) in enumerate(self.tree.placements(take), start=self.several):
            local_m[:, j], local_wxyz[:, j] = place_m, wxyz
        self._check_places(local_m)
        moves = np.abs(local_m[:, 1:] - self.rig.offsets_m[1:]).max(initial=0.0) > _SAME_PLACE_M
        return Motion(
            rig=self.rig,
            fps=take.fps,
            local_wxyz=local_wxyz,
            root_m=local_m[:, 0],
            local_m=local_m if moves or self.several else None,
        )

    def _check_places(self, places_m: Floats) -> None:
        if not (np.abs(places_m) < 1e12).all():
            raise FileFormatError("a joint stands farther away than any measure", path=self.path)
