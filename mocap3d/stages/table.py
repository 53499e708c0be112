"""One CSV of one person: a row per frame, numbers in cells, as spreadsheets and text editors take it.

Written with commas, line feeds, UTF-8 and points in the numbers. Read with all that spreadsheets do to such a file and
that leaves no doubt: a byte-order mark, CRLF, quotes, empty columns and rows at the end, rows in another order.
Semicolons, decimal commas and words are refused with their line, since they could mean something else.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["Column", "Table", "read_table", "table_text"]

Floats = NDArray[np.float64]

_LEADING: Final = ("frame", "time_s")
_FRAME: Final = re.compile(r"(\d{1,9})(\.0*)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[\d.]*,[\d,]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of numbers.

    Attributes:
        name: its title.
        decimals: digits behind the point.
        low: the least that a cell may hold.
        high: the most.
        may_be_empty: whether an empty cell means something.
    """

    name: str
    decimals: int
    low: float
    high: float
    may_be_empty: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a file says.

    Attributes:
        path: the file.
        values: (T, K) numbers; NaN where a cell is empty.
        lines: (T,) in which line of the file each frame stands.
    """

    path: Path
    values: Floats
    lines: NDArray[np.int64]

    def error(self, frame: int, message: str) -> FileFormatError:
        """Make the error for a frame, counted from 0, that names its line."""
        return FileFormatError(message, path=self.path, line=int(self.lines[frame]))


def table_text(columns: Sequence[Column], values: Floats, *, start_frame: int, fps: Fraction) -> str:
    """Write (T, K) numbers; NaN becomes an empty cell."""
    decimals = [column.decimals for column in columns]
    rounded = np.column_stack([np.round(values[:, k], n) for k, n in enumerate(decimals)]) + 0.0  # no -0.00
    formats = [f"%.{n}f" for n in decimals]
    lines = [",".join([*_LEADING, *(column.name for column in columns)])]
    for frame, row in enumerate(rounded.tolist(), start_frame):
        cells = ["" if math.isnan(value) else form % value for form, value in zip(formats, row, strict=True)]
        lines.append(",".join([str(frame), f"{float(frame / fps):.4f}", *cells]))
    return "\n".join(lines) + "\n"


def read_table(path: Path, columns: Sequence[Column], *, start_frame: int, frames: int) -> Table:
    """Read a file that ``table_text`` wrote and somebody changed.

    Args:
        path: the file.
        columns: all that it must have besides ``frame`` and ``time_s``, in any order.
        start_frame: the number of its first frame.
        frames: how many there must be.

    Raises:
        FileFormatError: separators, text or titles that are not as they were written, a number out of its range, a
            frame that is missing, there twice or unknown; with the line.
        InputError: the file cannot be read.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    values = np.full((frames, len(columns)), np.nan)
    lines = np.zeros(frames, dtype=np.int64)
    try:
        title = [cell.strip() for cell in next(reader, [])]
        places = _places(title, columns)
        for row in reader:
            if any(cell.strip() for cell in row):
                frame = _frame(row, title, start_frame, frames)
                if lines[frame]:
                    raise InputError(f"frame {start_frame + frame} is there twice, first in line {lines[frame]}")
                lines[frame] = reader.line_num
                values[frame] = [_cell(row[place], column) for place, column in zip(places, columns, strict=True)]
    except (csv.Error, InputError) as error:
        raise FileFormatError(str(error), path=path, line=max(reader.line_num, 1)) from None
    if (lines == 0).any():
        gone = start_frame + int(np.argmin(lines))
        message = f"frame {gone} is missing: keep the row of each frame, and empty the cells of what was not seen"
        raise FileFormatError(message, path=path, line=reader.line_num)
    return Table(path, values, lines)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFormatError("this is not UTF-8: save it as CSV in UTF-8", path=path) from None


def _places(title: list[str], columns: Sequence[Column]) -> list[int]:
    """Where in a row each column stands."""
    if "frame" not in title:
        first = "".join(title)[:200]
        separator = next((name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in first), None)
        if separator:
            raise InputError(f"cells are separated by {separator}: save the file with commas between the cells")
        raise InputError("the first line must hold the titles that were written: frame,time_s, ...")
    names = [*_LEADING, *(column.name for column in columns)]
    for name in title:
        if name and title.count(name) > 1:
            raise InputError(f"the column {name[:60]!r} is there twice")
        if name and name not in names:
            raise InputError(f"unknown column {name[:60]!r}: keep the titles as they were written")
    missing = [name for name in names if name not in title and name != "time_s"]
    if missing:
        raise InputError(f"the column {missing[0]!r} is missing")
    return [title.index(column.name) for column in columns]


def _frame(row: list[str], title: list[str], start_frame: int, frames: int) -> int:
    """The frame of a row, counted from 0."""
    if len(row) != len(title):
        hint = "; is a decimal comma among them?" if len(row) > len(title) else ""
        raise InputError(f"this row has {len(row)} cells, the first has {len(title)}{hint}")
    stray = [cell for cell, name in zip(row, title, strict=True) if not name and cell.strip()]
    if stray:
        raise InputError(f"{stray[0][:40]!r} stands in a column without a title")
    text = row[title.index("frame")].strip()
    match = _FRAME.fullmatch(text)
    if match is None:
        raise InputError(f"frame must be a whole number, got {text[:40]!r}")
    frame = int(match[1]) - start_frame
    if not 0 <= frame < frames:
        raise InputError(f"frame {match[1]} is unknown: there are {start_frame} to {start_frame + frames - 1}")
    return frame


def _cell(text: str, column: Column) -> float:
    text = text.strip()
    if not text and column.may_be_empty:
        return math.nan
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{column.name} must be a number{_hint(text, column)}; got {text[:40]!r}")
    value = float(text)
    if not column.low <= value <= column.high:
        raise InputError(f"{column.name} must be from {column.low:g} to {column.high:g}, got {text[:40]}")
    return value


def _hint(text: str, column: Column) -> str:
    if _DECIMAL_COMMA.fullmatch(text):
        return " with a point, such as 1234.5"
    return ", or empty for what was not seen" if column.may_be_empty else ""
