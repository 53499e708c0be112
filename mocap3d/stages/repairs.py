"""The repairs that are needed most, made in the files as somebody would make them in a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.clip import Performance
from mocap3d.stages.changes import read_folder
from mocap3d.stages.folder import CONTACTS, POSE2D, file_of, write_bytes, write_texts
from mocap3d.stages.people_tables import CONTACT_COLUMNS, joint_columns_2d
from mocap3d.stages.table import Column, read_table, table_text

__all__ = ["FOOT_POINTS", "Repair", "repair_stages", "repaired_stages"]

Floats = NDArray[np.float64]
What = Literal["swap left and right", "not seen", "planted", "lifted"]

FOOT_POINTS: Final = tuple(column.name for column in CONTACT_COLUMNS)
"""What may stand: left_heel, left_toe, right_heel, right_toe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One change of one person's files.

    Attributes:
        what: "swap left and right" exchanges the joints of both sides in 2D, "not seen" empties them; "planted" and
            "lifted" set foot contacts.
        start: first frame, as the files count; or a time of the video such as "1.5s"; None is the first one.
        stop: the frame to stop before; None is behind the last one.
        person: whom.
        points: of "planted" and "lifted": some of ``FOOT_POINTS``.
    """

    what: What
    start: int | str | None = None
    stop: int | str | None = None
    person: int = 1
    points: tuple[str, ...] = FOOT_POINTS


def repair_stages(folder: Path, repairs: Sequence[Repair], *, say: Callable[[str], None] | None = None) -> None:
    """Change files of a folder of stages; solving comes afterwards.

    Args:
        folder: what was kept.
        repairs: in this order.
        say: told what is changed.

    Raises:
        FileFormatError: a file says what cannot be understood; with its line.
        InputError: no folder of stages, nobody of that number, or frames that the person is not in; nothing is changed.
    """
    tell = say or (lambda line: None)
    people = read_folder(folder).clip.performances
    tables: dict[str, tuple[Performance, Sequence[Column], Floats]] = {}
    lines = []
    for repair in repairs:
        one, start, stop = _whom(people, repair)
        kind = POSE2D if repair.what in ("swap left and right", "not seen") else CONTACTS
        if kind == POSE2D and one.views:
            raise InputError(f"{repair.what}: what several cameras saw is not for repair; change 3D, contacts or body")
        name = file_of(one, kind)
        if name not in tables:
            columns = joint_columns_2d(one.pose2d.skeleton) if kind == POSE2D else CONTACT_COLUMNS
            first, count = one.motion.start_frame, len(one.motion)
            table = read_table(folder / name, columns, start_frame=first, frames=count)
            tables[name] = one, columns, table.values
        _change(tables[name][2][start:stop], one, repair)
        first = one.motion.start_frame
        lines.append(f"{name}: {_said(repair)} in frames {first + start} to {first + stop - 1}")
    texts = {
        name: table_text(columns, values, start_frame=one.motion.start_frame, fps=one.motion.fps)
        for name, (one, columns, values) in tables.items()
    }
    write_texts(folder, texts)
    for line in lines:
        tell(line)


@contextmanager
def repaired_stages(
    folder: Path, repairs: Sequence[Repair], *, say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Repair a folder of stages for what is done inside; if that fails or is interrupted, take the repairs back.

    Args:
        folder: what was kept.
        repairs: in this order.
        say: told what is changed, and that it was taken back.

    Raises:
        FileFormatError: as ``repair_stages`` does.
        InputError: as ``repair_stages`` does.
    """
    before: dict[str, bytes] = {}
    if repairs:
        kept = {path.name: path.read_bytes() for kind in (POSE2D, CONTACTS) for path in folder.glob(f"*-{kind}")}
        repair_stages(folder, repairs, say=say)
        before = {name: content for name, content in kept.items() if (folder / name).read_bytes() != content}
    try:
        yield
    except BaseException:
        if before:
            write_bytes(folder, before)
            (say or (lambda line: None))(f"taken back, since it could not be solved: {', '.join(sorted(before))}")
        raise


def _whom(people: Sequence[Performance], repair: Repair) -> tuple[Performance, int, int]:
    """The performance, and which of its frames, counted from its first."""
    ranges = []
    for one in (one for one in people if one.person == repair.person):
        first, behind = one.motion.start_frame, one.motion.start_frame + len(one.motion)
        start = first if repair.start is None else _frame(repair.start, one.motion.fps)
        stop = behind if repair.stop is None else _frame(repair.stop, one.motion.fps)
        if first <= start < stop <= behind:
            return one, start - first, stop - first
        ranges.append(f"{first} to {behind - 1}")
    if not ranges:
        there = ", ".join(str(number) for number in sorted({one.person for one in people}))
        raise InputError(f"there is no person {repair.person}; there are {there}")
    said = ":".join("" if end is None else str(end) for end in (repair.start, repair.stop))
    raise InputError(f"person {repair.person} is in frames {' and '.join(ranges)}; {said} is no part of them")


def _frame(at: int | str, fps: Fraction) -> int:
    return at if isinstance(at, int) else round(Fraction(at.removesuffix("s")) * fps)


def _change(rows: Floats, one: Performance, repair: Repair) -> None:
    """Change some rows of a table where they are."""
    if repair.what == "swap left and right":
        joints = rows.reshape(len(rows), len(one.pose2d.skeleton), -1)
        rows[:] = joints[:, list(one.pose2d.skeleton.mirror)].reshape(rows.shape)
    elif repair.what == "not seen":
        rows[:] = np.nan
    else:
        unknown = set(repair.points) - set(FOOT_POINTS)
        if unknown:
            raise InputError(f"a foot has no {min(unknown)}; there are {', '.join(FOOT_POINTS)}")
        rows[:, [FOOT_POINTS.index(point) for point in repair.points]] = float(repair.what == "planted")


def _said(repair: Repair) -> str:
    if repair.what in ("planted", "lifted"):
        return f"{' and '.join(repair.points).replace('_', ' ')} {repair.what}"
    return "left and right swapped" if repair.what == "swap left and right" else "emptied: not seen"
