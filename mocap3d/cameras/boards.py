"""Calibration boards: what they look like, how people write them down, and where their corners are in a picture.

A board is a word of the command line, or a TOML file::

    chessboard:7x4:60mm                      7 x 4 inner corners (as OpenCV counts), squares of 60 mm
    charuco:4x5:54mm:40.5mm:4X4_1000         4 x 5 squares, square, marker, dictionary; add :inverted or :legacy
    aprilgrid:6x6:88mm:26.4mm:36h11          6 x 6 tags, tag, gap between tags, family

Axes of a board: the origin is its first corner, +x runs along a row, +y to the next row, +z into the board, away from
whoever looks at it. Corners are found with OpenCV, whose pixel (0, 0) is the centre of the first one, as here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import read_toml

__all__ = ["Board", "BoardView", "parse_board", "read_board"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["chessboard", "charuco", "aprilgrid"]

_KINDS: Final = ("chessboard", "charuco", "aprilgrid")
_UNITS_M: Final = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254, "inch": 0.0254}
_FAMILIES: Final = {
    "16h5": "APRILTAG_16h5",
    "25h9": "APRILTAG_25h9",
    "36h10": "APRILTAG_36h10",
    "36h11": "APRILTAG_36h11",
}
_KEYS: Final = {
    "kind",
    "columns",
    "rows",
    "square_mm",
    "marker_mm",
    "tag_mm",
    "gap_mm",
    "dictionary",
    "inverted",
    "legacy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A flat board with known corners.

    Attributes:
        kind: "chessboard", "charuco" or "aprilgrid".
        columns: of a chessboard the inner corners along a row; of a ChArUco board squares; of a grid tags.
        rows: likewise.
        square_m: side of a square; of an AprilTag grid the side of a tag.
        marker_m: ChArUco: side of a marker; AprilTag grid: gap between tags; chessboard: 0.
        dictionary: of the markers, as OpenCV calls it without "DICT_"; "" for a chessboard.
        inverted: a ChArUco board printed white on black.
        legacy: a ChArUco board drawn by OpenCV before 4.6, where boards with an even number of rows begin white.
    """

    kind: Kind
    columns: int
    rows: int
    square_m: float
    marker_m: float = 0.0
    dictionary: str = ""
    inverted: bool = False
    legacy: bool = False

    def __post_init__(self) -> None:
        """Check that such a board can be printed."""
        if self.kind not in _KINDS:
            raise InputError(f"a board is one of {', '.join(_KINDS)}, got {self.kind!r}")
        least = 1 if self.kind == "aprilgrid" else 2 if self.kind == "charuco" else 3
        if not (least <= self.columns <= 100 and least <= self.rows <= 100):
            raise InputError(f"a {self.kind} has {least} to 100 columns and rows, got {self.columns}x{self.rows}")
        if not 0.0005 <= self.square_m <= 10:
            raise InputError(f"squares of {self.square_m * 1000:g} mm cannot be meant: 0.5 mm to 10 m")
        if self.kind == "charuco" and not 0 < self.marker_m < self.square_m:
            raise InputError(
                f"markers of {self.marker_m * 1000:g} mm do not fit into squares of {self.square_m * 1000:g} mm"
            )
        if self.kind == "aprilgrid" and not 0 < self.marker_m < 10 * self.square_m:
            raise InputError(f"a gap of {self.marker_m * 1000:g} mm between tags cannot be meant")
        if (self.kind == "chessboard") == bool(self.dictionary):
            raise InputError(f"a {self.kind} has {'no' if self.dictionary else 'a'} dictionary of markers")

    @property
    def points_m(self) -> Floats:
        """(N, 3) every corner in the board's axes; its index is the corner's id."""
        if self.kind == "aprilgrid":
            side, step = self.square_m, self.square_m + self.marker_m
            tag = np.array([[0, 0], [side, 0], [side, side], [0, side]])
            places = [(column * step, row * step) for row in range(self.rows) for column in range(self.columns)]
            flat = np.concatenate([tag + place for place in places])
        else:
            less = 1 if self.kind == "charuco" else 0
            row, column = np.divmod(np.arange((self.columns - less) * (self.rows - less)), self.columns - less)
            flat = np.stack([column, row], axis=-1) * self.square_m
        return np.column_stack([flat, np.zeros(len(flat))])

    @property
    def can_be_turned(self) -> bool:
        """Whether the board looks the same upside down, so that two cameras may take different ends for the first."""
        return self.kind == "chessboard" and (self.columns + self.rows) % 2 == 0

    @property
    def label(self) -> str:
        """The board as `parse_board` reads it."""
        parts = [self.kind, f"{self.columns}x{self.rows}", f"{self.square_m * 1000:g}mm"]
        if self.kind != "chessboard":
            parts += [f"{self.marker_m * 1000:g}mm", self.dictionary.removeprefix("APRILTAG_")]
        return ":".join(parts + ["inverted"] * self.inverted + ["legacy"] * self.legacy)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardView:
    """A board in one picture.

    Attributes:
        ids: (n,) which corners, ascending.
        xy_px: (n, 2) where.
        sharpness: how steep the edges at the corners are, as a share of the contrast, per pixel: about 0.5 at most.
    """

    ids: Ints
    xy_px: Floats
    sharpness: float


def parse_board(text: str | os.PathLike[str] | Board) -> Board:
    """Read a board from a word such as ``charuco:4x5:54mm:40.5mm:4X4_1000:inverted``, or from a TOML file.

    Raises:
        InputError: neither; the message says what is wrong with it.
        FileFormatError: a file that describes no board.
    """
    if isinstance(text, Board):
        return text
    word = os.fspath(text)
    if word.endswith(".toml"):
        return read_board(word)
    kind, *parts = word.split(":")
    if kind not in _KINDS:
        raise InputError(f"a board is written as {_example('chessboard')}, {_example('charuco')}; got {word!r}")
    flags = {part for part in parts if part in ("inverted", "legacy")}
    parts = [part for part in parts if part not in flags]
    if len(parts) != (2 if kind == "chessboard" else 4) or (flags and kind != "charuco"):
        raise InputError(f"a {kind} is written as {_example(kind)}, got {word!r}")
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", parts[0])
    if match is None:
        raise InputError(f"how many columns and rows is written as 7x4, got {parts[0]!r} in {word!r}")
    return Board(
        kind=kind,  # type: ignore[arg-type]  # one of _KINDS
        columns=int(match[1]),
        rows=int(match[2]),
        square_m=_length_m(parts[1], word),
        marker_m=_length_m(parts[2], word) if len(parts) > 2 else 0.0,
        dictionary=_dictionary(kind, parts[3]) if len(parts) > 3 else "",
        inverted="inverted" in flags,
        legacy="legacy" in flags,
    )


def _example(kind: str) -> str:
    examples = {"chessboard": "7x4:60mm", "charuco": "4x5:54mm:40.5mm:4X4_50", "aprilgrid": "6x6:88mm:26.4mm:36h11"}
    return f"{kind}:{examples[kind]}"


def _length_m(text: str, word: str) -> float:
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([a-z]+)", text)
    if match is None or match[2] not in _UNITS_M:
        raise InputError(f"a length is written with its unit, such as 60mm or 2.5in; got {text!r} in {word!r}")
    return float(match[1]) * _UNITS_M[match[2]]


def _dictionary(kind: str, name: str) -> str:
    plain = name.strip().removeprefix("DICT_")
    return _FAMILIES.get(plain.removeprefix("APRILTAG_").removeprefix("tag"), plain) if kind == "aprilgrid" else plain


def read_board(path: str | os.PathLike[str]) -> Board:
    """Read a board from a TOML file: ours, or Caliscope's ``charuco.toml``.

    Ours holds ``kind``, ``columns``, ``rows``, ``square_mm`` (or ``tag_mm``), ``marker_mm`` (or ``gap_mm``),
    ``dictionary``, ``inverted`` and ``legacy``.

    Raises:
        InputError: no such file.
        FileFormatError: it describes no board.
    """
    source = Path(path)
    table = read_toml(source, "board")
    for inner in ("board", "charuco"):
        if isinstance(table.get(inner), dict):
            table = table[inner]
    try:
        return _caliscope(table) if "aruco_scale" in table else _own(table)
    except InputError as error:
        raise FileFormatError(str(error), path=source) from error


def _own(table: Mapping[str, Any]) -> Board:
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise InputError(f"a board has no {unknown[0]!r}; there are {', '.join(sorted(_KEYS))}")
    kind = table.get("kind")
    if kind not in _KINDS:
        raise InputError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    side, other = ("tag_mm", "gap_mm") if kind == "aprilgrid" else ("square_mm", "marker_mm")
    return Board(
        kind=kind,
        columns=_whole(table, "columns"),
        rows=_whole(table, "rows"),
        square_m=_number(table, side) / 1000,
        marker_m=0.0 if kind == "chessboard" else _number(table, other) / 1000,
        dictionary=_dictionary(kind, str(table.get("dictionary", ""))),
        inverted=table.get("inverted", False) is True,
        legacy=table.get("legacy", False) is True,
    )


def _caliscope(table: Mapping[str, Any]) -> Board:
    """Caliscope's: the measured square where there is one; its markers are a share of that."""
    if not table.get("square_size_override_cm"):
        raise InputError("square_size_override_cm is missing: measure a square of the printed board")
    square_m = _number(table, "square_size_override_cm") / 100
    return Board(
        kind="charuco",
        columns=_whole(table, "columns"),
        rows=_whole(table, "rows"),
        square_m=square_m,
        marker_m=square_m * _number(table, "aruco_scale"),
        dictionary=_dictionary("charuco", str(table.get("dictionary", ""))),
        inverted=table.get("inverted", False) is True,
        legacy=table.get("legacy_pattern", False) is True,
    )


def _whole(table: Mapping[str, Any], key: str) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{key} must be a whole number, got {value!r}")
    return value


def _number(table: Mapping[str, Any], key: str) -> float:
    value = table.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1e6:
        raise InputError(f"{key} must be a number above 0, got {value!r}")
    return float(value)
