"""Nodes and columns of numbers -> a Motion on a Rig."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS, Skeleton
from mocap3d.output.bvh.hierarchy import Node
from mocap3d.output.euler import degrees_to_wxyz
from mocap3d.output.names import mirror_from_names, unique_names

__all__ = ["Convention", "Up", "motion_from_columns"]

Floats = NDArray[np.float64]

_LARGEST_PLACE: Final = 1e12  # beyond this a file is broken, whatever its unit
_BLOCK_FRAMES: Final = 256  # blocks stay in the processor's cache


Up = Literal["Y", "Z"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """What a BVH does not say.

    Attributes:
        unit_m: metres per unit of the file.
        up: the axis that points up in it. "Y" is our world. With "Z", +X stays, and our +Z is the file's -Y.
    """

    unit_m: float
    up: Up

    def __post_init__(self) -> None:
        """Check both."""
        if not 0 < self.unit_m < float("inf"):
            raise InputError(f"unit_m must be metres per unit of the file, above 0; got {self.unit_m}")
        if self.up not in ("Y", "Z"):
            raise InputError(f'up must be "Y" or "Z", the axis that points up in the file; got {self.up!r}')


def motion_from_columns(
    nodes: list[Node], columns: Floats | None, fps: Fraction, convention: Convention, path: str
) -> Motion:
    """Build the motion that a file holds.

    Args:
        nodes: the hierarchy, in file order.
        columns: (T, C) numbers, C channels in file order; None gives one frame in rest pose.
        fps: frames per second.
        convention: unit and axes of the file.
        path: the file, for messages and the skeleton's name.

    Raises:
        FileFormatError: a place beyond any measure.
    """
    joints = _joints(nodes, path)
    skeleton, offsets_m = _skeleton(nodes, joints, path)
    offsets_m *= convention.unit_m
    several = len(skeleton) - len(joints)  # 1 when there is a synthetic root, else 0
    frames = 1 if columns is None else len(columns)
    local_wxyz = np.zeros((frames, len(skeleton), 4))
    local_wxyz[:, : several if columns is not None else None, 0] = 1.0
    places = _columns_of(nodes, joints, "position")
    inner = any(of_joint and nodes[n].parent != ROOT for n, of_joint in zip(joints, places, strict=True))
    placed = len(skeleton) if inner or several else 1  # how many joints have a place of their own
    local_m = np.broadcast_to(offsets_m[:placed], (frames, placed, 3)).copy()
    if columns is not None:
        _turn(local_wxyz[:, several:], nodes, joints, columns)
        _place(local_m[:, several:], places, columns, convention.unit_m, path)
    tips = _tips(nodes, joints, several, convention)
    if convention.up == "Z":
        for vectors in (local_wxyz[..., 1:], local_m, offsets_m):
            _stand_up(vectors)
    local_wxyz.flags.writeable = local_m.flags.writeable = False  # a motion takes what is locked as it is
    rest_wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (len(skeleton), 1))
    return Motion(
        rig=Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=rest_wxyz, tips=tips),
        fps=fps,
        local_wxyz=local_wxyz,
        root_m=local_m[:, 0],
        local_m=local_m if placed > 1 else None,
    )


def _stand_up(vectors: Floats) -> None:
    """Bring vectors (..., 3), or axes of rotations, from +Z up to +Y up, in place."""
    y = vectors[..., 1].copy()
    vectors[..., 1] = vectors[..., 2]
    np.subtract(0.0, y, out=vectors[..., 2])


def _joints(nodes: list[Node], path: str) -> list[int]:
    """Choose the nodes that are joints: all but plain End Sites."""
    has_children = {node.parent for node in nodes}
    joints = []
    for n, node in enumerate(nodes):
        if node.is_end and (node.channels or n in has_children):
            _warn(path, f"the End Site in line {node.line} has channels or children and is read as a joint")
        if not node.is_end or node.channels or n in has_children:
            joints.append(n)
    return joints


def _skeleton(nodes: list[Node], joints: list[int], path: str) -> tuple[Skeleton, Floats]:
    """Name the joints; also their offsets (J, 3) in the unit and axes of the file."""
    index = {n: j for j, n in enumerate(joints)}
    raw_names = [nodes[n].name or (f"{nodes[nodes[n].parent].name}_end" if nodes[n].is_end else "") for n in joints]
    parents = [index.get(nodes[n].parent, ROOT) for n in joints]
    offsets = [nodes[n].offset or (0.0, 0.0, 0.0) for n in joints]
    if parents.count(ROOT) > 1:
        raw_names, offsets = [SEVERAL_ROOTS, *raw_names], [(0.0, 0.0, 0.0), *offsets]
        parents = [ROOT, *(parent + 1 for parent in parents)]  # ROOT is -1: a root's parent becomes 0
    names = unique_names(raw_names)
    changed = [name for raw, name in zip(raw_names, names, strict=True) if raw != name]
    if changed:
        _warn(path, f"joint names must be unique and not empty; renamed: {', '.join(changed[:10])}")
    skeleton = Skeleton(
        name=Path(path).stem, joint_names=names, parents=tuple(parents), mirror=mirror_from_names(names)
    )
    return skeleton, np.array(offsets)


def _tips(nodes: list[Node], joints: list[int], several: int, convention: Convention) -> tuple[Tip, ...]:
    """Make tips of the End Sites that are no joints."""
    index = {n: j + several for j, n in enumerate(joints)}
    tips = []
    for n, node in enumerate(nodes):
        if n not in index:
            offset_m = np.array(node.offset) * convention.unit_m
            if convention.up == "Z":
                _stand_up(offset_m)
            name = node.name or f"{nodes[node.parent].name}_end"
            tips.append(Tip(name=name, parent=index[node.parent], offset_m=offset_m))
    return tuple(tips)


def _columns_of(nodes: list[Node], joints: list[int], kind: str) -> list[list[tuple[int, int]]]:
    """List (column, axis) of the channels of one kind for each joint."""
    result = []
    column = 0
    for n in joints:
        channels = nodes[n].channels or ()
        result.append([(column + c, axis) for c, (what, axis) in enumerate(channels) if what == kind])
        column += len(channels)
    return result


def _turn(local_wxyz: Floats, nodes: list[Node], joints: list[int], columns: Floats) -> None:
    """Fill local_wxyz (T, J, 4), which holds zeros; joints with the same order of axes go together."""
    by_axes: dict[tuple[int, ...], list[int]] = {}
    channels = _columns_of(nodes, joints, "rotation")
    for j, of_joint in enumerate(channels):
        by_axes.setdefault(tuple(axis for _, axis in of_joint), []).append(j)
    for axes, alike in by_axes.items():
        if not axes:
            local_wxyz[:, alike, 0] = 1.0
            continue
        picked = np.array([[column for column, _ in channels[j]] for j in alike]).T
        where = slice(alike[0], alike[-1] + 1) if alike == list(range(alike[0], alike[-1] + 1)) else alike
        for start in range(0, len(columns), _BLOCK_FRAMES):
            rows = slice(start, start + _BLOCK_FRAMES)
            block = columns[rows]
            angles = np.empty((len(axes), len(block), len(alike)))
            for n, of_axis in enumerate(picked):
                block.take(of_axis, axis=1, out=angles[n], mode="clip")  # "clip" needs no copy
            local_wxyz[rows, where] = degrees_to_wxyz(angles, axes)


def _place(local_m: Floats, places: list[list[tuple[int, int]]], columns: Floats, unit_m: float, path: str) -> None:
    """Fill local_m (T, J, 3) from the position channels."""
    for j, of_joint in enumerate(places):
        for column, axis in of_joint:
            values = columns[:, column]
            if np.abs(values).max() > _LARGEST_PLACE:
                raise FileFormatError(f"a position channel holds {np.abs(values).max():g} units", path=path)
            local_m[:, j, axis] = values * unit_m


def _warn(path: str, message: str) -> None:
    warnings.warn(f"{path}: {message}", Mocap3dWarning, stacklevel=2)
