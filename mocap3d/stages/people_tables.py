"""The three tables of one person: joints in the picture, joints in space, foot contacts.

A file is what a person reads and changes, so its numbers are rounded (0.01 px, 0.1 mm); the exact ones are kept in the
record. Reading therefore starts from the exact numbers and takes over only the cells that say something else:
``Edit.changed`` has their frames. A spreadsheet that writes all numbers anew changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.contacts import CONTACT_POINTS
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeleton import Skeleton
from mocap3d.stages.table import Column, Table, read_table, table_text

__all__ = [
    "CONTACT_COLUMNS",
    "PLACED_BY_HAND_STD_M",
    "Edit",
    "contacts_text",
    "joint_columns_2d",
    "pose2d_text",
    "pose3d_text",
    "read_contacts",
    "read_pose2d",
    "read_pose3d",
]

Floats = NDArray[np.float64]
Noun = TypeVar("Noun")

PLACED_BY_HAND_STD_M: Final = 0.01
"""Expected error of a joint in space whose ``std_m`` is empty: somebody has put it there."""

_FARTHEST_PX, _FARTHEST_M = 1e6, 1e4
CONTACT_COLUMNS: Final = tuple(
    Column(name.replace(" ", "_"), 3, 0.0, 1.0, may_be_empty=False) for name in CONTACT_POINTS
)


@dataclass(frozen=True, slots=True)
class Edit(Generic[Noun]):
    """What a file says now.

    Attributes:
        value: the exact numbers where the file agrees with them, else those of the file.
        changed: the frames in which it does not, counted from 0.
        completed: whether cells were left open that ``value`` fills in, so that the file does not say all of it.
    """

    value: Noun
    changed: tuple[int, ...]
    completed: bool = False


def joint_columns_2d(skeleton: Skeleton) -> list[Column]:
    """List x, y, confidence of each joint."""
    return [
        column
        for name in skeleton.joint_names
        for column in (
            Column(f"{name}.x_px", 2, -_FARTHEST_PX, _FARTHEST_PX),
            Column(f"{name}.y_px", 2, -_FARTHEST_PX, _FARTHEST_PX),
            Column(f"{name}.confidence", 3, 0.0, 1.0),
        )
    ]


def pose2d_text(pose: Pose2D, start_frame: int) -> str:
    """Write joints in the picture; three empty cells are a joint that was not seen."""
    return table_text(joint_columns_2d(pose.skeleton), _cells_2d(pose), start_frame=start_frame, fps=pose.fps)


def read_pose2d(path: Path, known: Pose2D, start_frame: int) -> Edit[Pose2D]:
    """Read them again.

    Args:
        path: the file.
        known: the exact numbers that it was written from.
        start_frame: frame of the video that is frame 0.

    Raises:
        FileFormatError: as `read_table`, or a joint of which only a part is given; with the line.
        InputError: the file cannot be read.
    """
    cells, changed = _merged(path, joint_columns_2d(known.skeleton), _cells_2d(known), start_frame, known.skeleton)
    if not changed:
        return Edit(known, changed)
    joints, by_hand = _placed_by_hand(cells, _cells_2d(known), known.skeleton, 2)
    seen = np.isfinite(joints[..., 0])
    confidence = np.where(seen, np.where(by_hand[..., 2], 1.0, joints[..., 2]), 0.0)
    pose = replace(known, xy_px=joints[..., :2], confidence=confidence)
    return Edit(pose, changed, not _agree(cells, _cells_2d(pose), np.zeros(1)).all())


def pose3d_text(pose: Pose3D, start_frame: int) -> str:
    """Write joints in space; empty cells are a joint that has no place."""
    return table_text(_joint_columns_3d(pose.skeleton), _cells_3d(pose), start_frame=start_frame, fps=pose.fps)


def read_pose3d(path: Path, known: Pose3D, start_frame: int) -> Edit[Pose3D]:
    """Read them again; arguments and errors as of ``read_pose2d``."""
    cells, changed = _merged(path, _joint_columns_3d(known.skeleton), _cells_3d(known), start_frame, known.skeleton)
    if not changed:
        return Edit(known, changed)
    joints, by_hand = _placed_by_hand(cells, _cells_3d(known), known.skeleton, 3)
    placed = np.isfinite(joints[..., 0])
    confidence = np.where(placed, np.where(by_hand[..., 3], 1.0, joints[..., 3]), 0.0)
    std_m = np.where(placed, np.where(by_hand[..., 4], PLACED_BY_HAND_STD_M, joints[..., 4]), known.std_m)
    views = np.where(confidence > 0, np.maximum(known.views, 1), 0)
    pose = replace(known, xyz_m=joints[..., :3], confidence=confidence, std_m=std_m, views=views)
    return Edit(pose, changed, not _agree(cells, _cells_3d(pose), np.zeros(1)).all())


def contacts_text(contacts: Floats, fps: Fraction, start_frame: int) -> str:
    """Write foot contacts, (T, 4)."""
    return table_text(CONTACT_COLUMNS, contacts, start_frame=start_frame, fps=fps)


def read_contacts(path: Path, known: Floats, start_frame: int) -> Edit[Floats]:
    """Read them again; arguments and errors as of ``read_pose2d``."""
    return Edit(*_merged(path, CONTACT_COLUMNS, known, start_frame))


def _cells_2d(pose: Pose2D) -> Floats:
    seen = np.isfinite(pose.xy_px).all(axis=-1, keepdims=True)
    joints = np.concatenate([pose.xy_px, pose.confidence[..., None]], axis=-1)
    return np.where(seen, joints, np.nan).reshape(len(pose), -1)


def _joint_columns_3d(skeleton: Skeleton) -> list[Column]:
    places = [Column(axis, 4, -_FARTHEST_M, _FARTHEST_M) for axis in ("x_m", "y_m", "z_m")]
    columns = [*places, Column("confidence", 3, 0.0, 1.0), Column("std_m", 4, 0.0, _FARTHEST_M)]
    return [replace(column, name=f"{name}.{column.name}") for name in skeleton.joint_names for column in columns]


def _cells_3d(pose: Pose3D) -> Floats:
    placed = np.isfinite(pose.xyz_m).all(axis=-1, keepdims=True)
    joints = np.concatenate([pose.xyz_m, pose.confidence[..., None], pose.std_m[..., None]], axis=-1)
    return np.where(placed, joints, np.nan).reshape(len(pose), -1)


def _merged(
    path: Path, columns: Sequence[Column], known: Floats, start_frame: int, skeleton: Skeleton | None = None
) -> tuple[Floats, tuple[int, ...]]:
    """The numbers (T, K) of the file, exact where it only rounds them, and the frames in which it says others.

    Joints that have changed sides get the exact numbers of the other side.
    """
    table = read_table(path, columns, start_frame=start_frame, frames=len(known))
    half = 0.501 * 10.0 ** -np.array([column.decimals for column in columns])
    same = _agree(table.values, known, half)
    values = np.where(same, known, table.values)
    if skeleton is not None:
        _check_whole_joints(table, columns, skeleton)
        by_joint = (len(known), len(skeleton), -1)
        other_side = known.reshape(by_joint)[:, list(skeleton.mirror)]
        agree = _agree(table.values.reshape(by_joint), other_side, half.reshape(by_joint[1:])).all(axis=-1)
        kept = same.reshape(by_joint).all(axis=-1)
        exact = np.where(np.asarray(agree & ~kept)[..., None], other_side, values.reshape(by_joint))
        values = exact.reshape(known.shape)
    return values, tuple(np.flatnonzero(~same.all(axis=1)).tolist())


def _agree(said: Floats, known: Floats, half: Floats) -> NDArray[np.bool_]:
    """Where a file says what is known, to half a unit of its last digit."""
    return np.asarray((np.abs(said - known) <= half) | (np.isnan(said) & np.isnan(known)))


def _placed_by_hand(cells: Floats, known: Floats, skeleton: Skeleton, axes: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The cells by joint, (T, J, K), and in which of them somebody who placed the joint left how sure it is open.

    That is an empty cell, or one that was not changed while the coordinates were.
    """
    by_joint = (len(cells), len(skeleton), -1)
    joints, before = cells.reshape(by_joint), known.reshape(by_joint)
    changed = ~_agree(joints, before, np.zeros(1))
    swapped = _agree(joints, before[:, list(skeleton.mirror)], np.zeros(1)).all(axis=-1, keepdims=True)
    moved = changed[..., :axes].any(axis=-1, keepdims=True) & ~swapped
    return joints, np.isnan(joints) | (moved & ~changed)


def _check_whole_joints(table: Table, columns: Sequence[Column], skeleton: Skeleton) -> None:
    """See that each joint has all of its coordinates or none."""
    coordinates = [k for k, column in enumerate(columns) if column.name.endswith(("_px", ".x_m", ".y_m", ".z_m"))]
    given = np.isfinite(table.values[:, coordinates]).reshape(len(table.values), len(skeleton), -1)
    parts = given.sum(axis=-1)
    axes = given.shape[-1]
    for frame, joint in np.argwhere((parts > 0) & (parts < axes))[:1].tolist():
        has = f"{skeleton.joint_names[joint]} has {parts[frame, joint]} of its {axes} coordinates"
        raise table.error(frame, f"{has}: give all, or none if it was not seen")
