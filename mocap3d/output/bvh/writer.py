"""Motion -> BVH, so that other programs put every joint where our forward kinematics puts it.

A BVH has no rest rotation: at zero angles all its joint frames are aligned with the world. So the frame of joint j in
the file is ours times the inverse of its rest rotation in the world, S_j (p is the parent; a root's S_p is 1):

    offset in the file = S_p offset_j        rotation in the file = S_p local_j S_j^-1

At rest every B_j is the identity, and the positions of all joints are ours in every frame. Reading the file back gives
the same positions, with the rest rotations gone into the offsets. A file with +Z up has another world: every S_j, that
of a root's parent too, is then multiplied from the left by file_from_world.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import fps_from_period
from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS
from mocap3d.output.bvh.assemble import Convention, Up
from mocap3d.output.bvh.digits import format_rows, keep_freed_memory
from mocap3d.output.euler import TAIT_BRYAN_ORDERS, wxyz_to_continuous_euler

__all__ = ["write_bvh"]

Floats = NDArray[np.float64]

_BLOCK_FRAMES: Final = 128  # blocks stay in the processor's cache, and a long clip costs no memory
_OFFSET_DECIMALS: Final = 9
_DEEPEST_INDENT: Final = 60
_IDENTITY: Final = np.array([1.0, 0.0, 0.0, 0.0])
_Z_UP_FROM_WORLD: Final = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])  # +Y becomes +Z, +Z becomes -Y
_POSITIONS: Final = "Xposition Yposition Zposition"


def write_bvh(
    motion: Motion,
    path: str | os.PathLike[str],
    *,
    order: str = "ZXY",
    unit_m: float = 1.0,
    up: Up = "Y",
    decimals: int = 6,
    rest_frame: bool = False,
) -> None:
    """Write a BVH file: Y-up as the motion, Euler angles without jumps over time, the exact frame time, End Sites.

    Joints are written depth first. Roots get six channels and OFFSET 0 (readers disagree whether it is added); an inner
    joint gets six where ``motion.local_m`` leaves its offset, else three. Contacts and ``start_frame`` are not written.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.
        order: of the rotation channels, one of XYZ XZY YXZ YZX ZXY ZYX.
        unit_m: metres per unit of the file: 1.0 writes metres, 0.01 centimetres.
        up: the axis that shall point up, "Y" or "Z". With "Z", who faces +Z here faces -Y there, as in Blender.
        decimals: digits behind the point. Six place the joints of a human body to about 0.001 mm.
        rest_frame: put the rest pose in front as one more frame, as MotionBuilder likes it.

    Raises:
        InputError: an option or a joint name cannot be written, or the file cannot.
    """
    _check_options(order, decimals)
    layout = _Layout(motion, Convention(unit_m=unit_m, up=up))
    keep_freed_memory()
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        hierarchy = _hierarchy_lines(layout, order, max(decimals, _OFFSET_DECIMALS))
        file.write(("\n".join(hierarchy) + "\n").encode())
        frames = len(motion) + rest_frame
        file.write(f"MOTION\nFrames: {frames}\nFrame Time: {_frame_time(motion.fps)}\n".encode())
        if rest_frame:
            file.write(format_rows(layout.rest_row(), decimals))
        for rows in _blocks(motion, layout, order):
            file.write(format_rows(rows, decimals))


class _Layout:
    """Which joints are written, in which order, and their world-aligned offsets.

    Attributes:
        joints: written joints, depth first.
        roots: those that are ROOTs.
        placed: those with position channels.
        children: the written children of each joint, by joint.
        rest_wxyz: (J, 4) world_from_joint at rest, S_j, in the world of the file.
        parent_rest_wxyz: (J, 4) the same of each joint's parent.
        offsets_m: (J, 3) aligned with the world of the file; of a root, its place at rest.
        unit_m: metres per unit of the file.
    """

    def __init__(self, motion: Motion, convention: Convention) -> None:
        rig = motion.rig
        file_from_world = _Z_UP_FROM_WORLD if convention.up == "Z" else _IDENTITY
        self.unit_m = convention.unit_m
        skeleton = rig.skeleton
        self.rig = rig
        self.children: dict[int, list[int]] = {j: [] for j in range(len(skeleton))}
        for parent, joint in skeleton.edges:
            self.children[parent].append(joint)
        self.synthetic = skeleton.joint_names[0] == SEVERAL_ROOTS and len(skeleton) > 1
        self.roots = self.children[0] if self.synthetic else [0]
        self.joints = _depth_first(self.roots, self.children)
        self.placed = set(self.roots) | _moving(motion)
        self.rest_wxyz = wxyz_multiply(file_from_world, _world_rest(rig))
        parents = np.array(skeleton.parents)
        self.parent_rest_wxyz = np.where((parents == ROOT)[:, None], file_from_world, self.rest_wxyz[parents])
        self.offsets_m = wxyz_rotate(self.parent_rest_wxyz, rig.offsets_m)
        if self.synthetic:  # what it does goes into the roots, which stand in the world
            self.offsets_m[self.roots] += wxyz_rotate(file_from_world, rig.offsets_m[0])
            self.parent_rest_wxyz[self.roots] = file_from_world
        for j in self.joints:
            _check_name(skeleton.joint_names[j])

    def rest_row(self) -> Floats:
        """Make the numbers of one frame at rest, (1, C)."""
        angles = np.zeros(3)
        row = [[self.offsets_m[j] / self.unit_m, angles] if j in self.placed else [angles] for j in self.joints]
        return np.concatenate([part for parts in row for part in parts])[None]


def _check_options(order: str, decimals: int) -> None:
    if order not in TAIT_BRYAN_ORDERS:
        raise InputError(f"order must be one of {' '.join(TAIT_BRYAN_ORDERS)}, got {order!r}")
    if not 1 <= decimals <= 12:
        raise InputError(f"decimals must be 1 to 12, got {decimals}")


def _check_name(name: str) -> None:
    if not name or name != name.strip() or not name.isprintable() or set(name) & set("{}"):
        raise InputError(f"a BVH cannot hold the joint name {name!r} (empty, braces, line ends or blanks around it)")


def _depth_first(roots: list[int], children: dict[int, list[int]]) -> list[int]:
    order: list[int] = []
    waiting = roots[::-1]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint]))
    return order


def _moving(motion: Motion) -> set[int]:
    """Find the inner joints whose place in their parent's frame is not the rig's offset."""
    if motion.local_m is None:
        return set()
    differs = np.zeros(len(motion.rig.skeleton), dtype=np.bool_)
    for start in range(0, len(motion), 4096):
        differs |= (motion.local_m[start : start + 4096] != motion.rig.offsets_m).any(axis=(0, 2))
    differs[0] = False
    return set(np.flatnonzero(differs).tolist())


def _world_rest(rig: Rig) -> Floats:
    world = np.array(rig.rest_wxyz)
    for parent, joint in rig.skeleton.edges:  # parents first
        world[joint] = wxyz_multiply(world[parent], rig.rest_wxyz[joint])
    return world


def _hierarchy_lines(layout: _Layout, order: str, decimals: int) -> Iterator[str]:
    """Spell the HIERARCHY part, with a stack instead of recursion: hierarchies may be deep."""
    rig = layout.rig
    rotations = " ".join(f"{axis}rotation" for axis in order)
    tips: dict[int, list[Floats]] = {}
    for tip in rig.tips:
        tips.setdefault(tip.parent, []).append(wxyz_rotate(layout.rest_wxyz[tip.parent], tip.offset_m))
    roots = set(layout.roots)
    yield "HIERARCHY"
    waiting: list[tuple[int, int]] = [(0, root) for root in reversed(layout.roots)]  # (depth, joint or -1 for "}")
    while waiting:
        depth, joint = waiting.pop()
        indent = "  " * min(depth, _DEEPEST_INDENT)
        if joint < 0:
            yield f"{indent}}}"
            continue
        is_root = joint in roots
        offset = np.zeros(3) if is_root else layout.offsets_m[joint]
        yield f"{indent}{'ROOT' if is_root else 'JOINT'} {rig.skeleton.joint_names[joint]}"
        yield f"{indent}{{"
        yield f"{indent}  OFFSET {_offset_text(offset / layout.unit_m, decimals)}"
        yield f"{indent}  CHANNELS " + (f"6 {_POSITIONS} {rotations}" if joint in layout.placed else f"3 {rotations}")
        for tip_offset in tips.get(joint, []):
            end = (f"{indent}  ", _offset_text(tip_offset / layout.unit_m, decimals))
            yield f"{end[0]}End Site\n{end[0]}{{\n{end[0]}  OFFSET {end[1]}\n{end[0]}}}"
        waiting.append((depth, -1))
        waiting.extend((depth + 1, child) for child in reversed(layout.children[joint]))


def _offset_text(offset: Floats, decimals: int) -> str:
    return format_rows(offset[None], decimals).decode().rstrip("\n")


def _frame_time(fps: Fraction) -> str:
    """Spell 1 / fps with so many digits that reading gives the same fraction."""
    text = ""
    for digits in range(12, 40):
        units = round(Fraction(10) ** digits / fps)
        text = f"{units // 10**digits}.{units % 10**digits:0{digits}d}"
        if units and fps_from_period(text) == fps:
            break
    return text


def _blocks(motion: Motion, layout: _Layout, order: str) -> Iterator[Floats]:
    """Compute the numbers of the file, (frames of a block, C)."""
    joints = layout.joints
    to_file = wxyz_conjugate(layout.rest_wxyz[joints])
    from_parent = layout.parent_rest_wxyz[joints]
    at_rest = bool(np.all(layout.rest_wxyz == [1.0, 0.0, 0.0, 0.0]))
    column, places = 0, []  # where each joint's positions and angles go
    for j in joints:
        places.append((column if j in layout.placed else -1, column + 3 * (j in layout.placed)))
        column += 6 if j in layout.placed else 3
    angle_columns = np.array([angle + n for _, angle in places for n in range(3)])
    before: Floats | None = None
    for start in range(0, len(motion), _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        local_wxyz = motion.local_wxyz[block]
        if layout.synthetic:
            local_wxyz = np.array(local_wxyz)
            local_wxyz[:, layout.roots] = wxyz_multiply(motion.local_wxyz[block, :1], local_wxyz[:, layout.roots])
        local_wxyz = local_wxyz[:, joints]
        if not at_rest:
            local_wxyz = wxyz_multiply(wxyz_multiply(from_parent, local_wxyz), to_file)
        angles = wxyz_to_continuous_euler(local_wxyz, order, before)
        before = angles[-1]
        rows = np.empty((len(angles), column))
        rows[:, angle_columns] = np.rad2deg(angles).reshape(len(angles), -1)
        for j, (position, _) in zip(joints, places, strict=True):
            if position >= 0:
                rows[:, position : position + 3] = _places_m(motion, layout, j, block) / layout.unit_m
        yield rows


def _places_m(motion: Motion, layout: _Layout, joint: int, block: slice) -> Floats:
    """Place a joint (frames, 3) in its parent's frame of the file; a root in the file's world."""
    local_m = layout.rig.offsets_m[joint][None] if motion.local_m is None else motion.local_m[block, joint]
    if joint == 0:
        local_m = motion.root_m[block]
    elif layout.synthetic and layout.rig.skeleton.parents[joint] == 0:
        local_m = motion.root_m[block] + wxyz_rotate(motion.local_wxyz[block, 0], local_m)
    return wxyz_rotate(layout.parent_rest_wxyz[joint], local_m)
