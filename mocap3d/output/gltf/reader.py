"""GLB or glTF -> Motion, or a character with its body."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.roles import HUMANOID_ROLES
from mocap3d.base.skeleton import ROOT
from mocap3d.output.gltf.accessors import Accessors
from mocap3d.output.gltf.bind import bind_pose
from mocap3d.output.gltf.container import Document, load_document
from mocap3d.output.gltf.curves import Animation, read_animation
from mocap3d.output.gltf.joints import Joints, choose_joints
from mocap3d.output.gltf.nodes import Nodes, read_nodes
from mocap3d.output.gltf.record import Record
from mocap3d.output.gltf.surface_reader import read_surface
from mocap3d.output.gltf.vrm_avatar import avatar_bones

__all__ = ["Opened", "open_gltf", "read_glb", "read_glb_character", "read_vrm_roles"]

Floats = NDArray[np.float64]
NamedNodes = Callable[[Record, Nodes], dict[int, str]]

_SAME_M = 1e-6  # a translation that differs less from the rest pose is the same, rounded
_SAME_SCALE = 1e-3


def read_glb(
    path: str | os.PathLike[str], *, fps: Fraction | float | str | None = None, animation: int | str = 0
) -> Motion:
    """Read the movement of a .glb, .gltf or .vrm; ``choose_joints`` says which nodes are joints.

    The frame rate is found from the times of the keys; 23.976 is 24000/1001. Frame 0 is the first key, and
    ``start_frame`` its number counted from time 0. A file without an animation gives its rest pose as one frame, with a
    warning.

    Args:
        path: the file. Buffers in files of their own must lie in its folder.
        fps: sample the curves at this rate; needed where the keys lie on no grid.
        animation: which, if there are several: its name, or its number from 0.

    Raises:
        FileFormatError: not a glTF 2.0, one that contradicts itself, or one that means no rigid skeleton.
        InputError: the file cannot be opened, ``fps`` cannot be used, or there is no such animation.
    """
    opened = open_gltf(path, animation)
    return opened.motion(fps) if opened.animation is not None else opened.resting(fps)


def read_glb_character(
    path: str | os.PathLike[str], *, fps: Fraction | float | str | None = None, animation: int | str | None = 0
) -> tuple[Rig, SkinnedMesh | None, Motion | None]:
    """Read somebody's character: its rig, its body (None without a mesh), and its movement (None without one).

    The rest pose of the rig is the one that the skin was bound in. Bodies of several parts become one. A vertex keeps
    its four strongest joints; parts that hang on a joint without a skin follow that joint alone. Shapes (morph
    targets), textures, and parts that hang on no joint are left out.

    Args:
        path: the file.
        fps: sample the movement at this rate; needed where its keys lie on no grid.
        animation: which, if there are several: its name, or its number from 0; None leaves the movement out.

    Raises:
        FileFormatError: as ``read_glb``; also for a mesh that is compressed.
        InputError: as ``read_glb``.
    """
    opened = open_gltf(path, 0 if animation is None else animation)
    try:
        surface = read_surface(opened.document.root, opened.nodes, opened.joints, opened.accessors)
    except FileFormatError:
        raise
    except InputError as error:
        raise opened.document.root.error(str(error)) from None
    moves = animation is not None and opened.animation is not None
    return opened.joints.rig, surface, opened.motion(fps) if moves else None


def read_vrm_roles(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read what a VRM avatar says of itself: humanoid joint -> joint of the rig that ``read_glb_character`` makes.

    Empty for files that are no avatars. Bones that mocap3d does not move, such as fingers, are left out.

    Raises:
        FileFormatError: as ``read_glb``, or what is said is no table of bones.
        InputError: the file cannot be opened.
    """
    opened = open_gltf(path)
    names = dict(zip(opened.joints.nodes, opened.joints.rig.skeleton.joint_names, strict=True))
    bones = avatar_bones(opened.document.root, opened.nodes)
    return {role: names[bones[role]] for role in HUMANOID_ROLES if bones.get(role) in names}


class Opened:
    """A file whose skeleton is known.

    Attributes:
        document: the file.
        nodes: all its nodes.
        joints: those that are joints, and their rig.
        accessors: for reading more of it.
        animation: what moves, or None.
    """

    def __init__(self, document: Document, animation: int | str, named: NamedNodes | None) -> None:
        """Read everything but the movement and the body."""
        self.document = document
        self.nodes: Nodes = read_nodes(document.root)
        self.accessors = Accessors(document)
        self.animation: Animation | None = self._chosen(animation)
        moving = {node for node, _ in self.animation.curves} if self.animation is not None else set()
        names = None if named is None else named(document.root, self.nodes)
        if names is None and not document.root.has("skins"):  # an avatar of rigid parts says what its joints are
            names = dict.fromkeys(avatar_bones(document.root, self.nodes).values(), "")
        found = choose_joints(document.root, self.nodes, moving, names)
        self.joints: Joints = bind_pose(document.root, self.nodes, found, self.accessors)

    def _chosen(self, which: int | str) -> Animation | None:
        """Read the animation that was asked for; None when the file has none that moves a node."""
        records = self.document.root.records("animations")
        names = [record.text("name") for record in records]
        if isinstance(which, str) and which not in names:
            raise InputError(
                f"{self.document.path}: there is no animation {which!r}; it has {', '.join(names) or 'none'}"
            )
        number = names.index(which) if isinstance(which, str) else which
        if not records and number == 0:
            return None
        if not 0 <= number < len(records):
            raise InputError(f"{self.document.path}: there is no animation {number}; it has {len(records)}")
        found = read_animation(records[number], self.accessors, len(self.nodes.records))
        return found if found.curves else None

    def resting(self, fps: Fraction | float | str | None) -> Motion:
        """Make one frame without any animation."""
        root = self.document.root
        root.warn("there is no animation; this is one frame in which its nodes stand as they are")
        joints, rate = self.joints, as_fps(1 if fps is None else fps)
        local_m = _offsets(joints, {}, 1)
        return Motion(
            rig=joints.rig, fps=rate, local_wxyz=joints.still_wxyz[None], root_m=joints.still_m[:1], local_m=local_m
        )

    def motion(self, fps: Fraction | float | str | None) -> Motion:
        """Sample the curves of every joint."""
        if self.animation is None:
            return self.resting(fps)
        joints, record = self.joints, self.animation.record
        rate, frames, start = self.animation.frames(fps)
        self.accessors.hold(frames * len(joints.nodes) * 2, record)
        times_s = self.animation.frame_times_s(rate, frames)
        local_wxyz = np.broadcast_to(joints.still_wxyz, (frames, *joints.still_wxyz.shape)).copy()
        placed: dict[int, Floats] = {}
        for j, n in enumerate(joints.nodes):
            self._refuse_growth(self.animation, n)
            if (n, "rotation") in self.animation.curves:
                local_wxyz[:, j] = joints.turn(j, self.animation.curves[n, "rotation"].at(times_s))
            if (n, "translation") in self.animation.curves:
                placed[j] = joints.place(j, self.animation.curves[n, "translation"].at(times_s))
        try:
            return Motion(
                rig=joints.rig,
                fps=rate,
                local_wxyz=local_wxyz,
                root_m=placed.get(0, np.broadcast_to(joints.still_m[0], (frames, 3))),
                local_m=_offsets(joints, placed, frames),
                start_frame=start,
            )
        except InputError as error:
            raise record.error(str(error)) from None

    def _refuse_growth(self, animation: Animation, node: int) -> None:
        curve = animation.curves.get((node, "scale"))
        if curve is None or node == ROOT:
            return
        rest = self.nodes.scales[node]
        if np.abs(curve.values - rest).max() > _SAME_SCALE * max(float(np.abs(rest).max()), 1e-9):
            name = self.nodes.records[node].text("name")
            raise animation.record.error(f"node {node} ({name!r}) grows or shrinks; bones of a rig keep their lengths")


def open_gltf(path: str | os.PathLike[str], animation: int | str = 0, named: NamedNodes | None = None) -> Opened:
    """Open a file and find its skeleton; see ``read_glb`` for errors.

    Args:
        path: the file.
        animation: by name or number.
        named: tells which nodes are joints, and their names, where an extension says it; None asks the skins.
    """
    document = load_document(path)
    try:
        return Opened(document, animation, named)
    except FileFormatError:
        raise
    except InputError as error:
        if str(error).startswith(str(document.path)):
            raise
        raise document.root.error(str(error)) from None


def _offsets(joints: Joints, placed: dict[int, Floats], frames: int) -> Floats | None:
    """Make local_m (T, J, 3), or None when no inner joint leaves its offset in the rig."""
    offsets_m = joints.rig.offsets_m
    within = _SAME_M * max(float(np.abs(offsets_m).max()), 1.0)
    where = [placed.get(j, joints.still_m[j]) for j in range(len(offsets_m))]
    leaves = [j for j in range(1, len(where)) if np.abs(where[j] - offsets_m[j]).max() > within]
    if not leaves:
        return None
    local_m = np.broadcast_to(offsets_m, (frames, *offsets_m.shape)).copy()
    for j in [0, *leaves]:
        local_m[:, j] = where[j]
    return local_m
