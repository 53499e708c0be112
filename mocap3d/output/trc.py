"""TRC, the marker text format of Motion Analysis (Cortex, EVaRT) and OpenSim.

Five lines of header, a blank one, then a frame per line, tabs between cells::

    PathFileType  4  (X/Y/Z)  walk.trc
    DataRate  CameraRate  NumFrames  NumMarkers  Units  OrigDataRate  OrigDataStartFrame  OrigNumFrames
    100  100  238  2  mm  100  1  238
    Frame#  Time  hips        leftFoot
                  X1  Y1  Z1  X2  Y2  Z2

Empty cells are points that were not seen. The format does not say which axis is up; OpenSim takes +Y.

Source: OpenSim documentation, "Marker (.trc) Files".
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.frames import change_points
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.output.bvh.digits import BadNumberError, parse_numbers
from mocap3d.output.markers import PointStream, point_stream
from mocap3d.output.point_file import (
    LARGEST_PLACE,
    Unit,
    Up,
    bytes_of,
    metres_per,
    place_of_text,
    point_rows,
    pose_of_points,
    rate_of_text,
    rate_text,
    to_world,
    unit_named,
    warn,
    world_from_up,
)

__all__ = ["read_trc", "write_trc"]

Floats = NDArray[np.float64]

_KEYS: Final = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers"),
    *("Units", "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_TIME_TOLERANCE: Final = 0.02  # between the rate of the header and that of the Time column


def write_trc(
    source: Motion | Pose3D, path: str | os.PathLike[str], *, unit: Unit = "mm", up: Up = "Y", decimals: int = 6
) -> None:
    """Write the joints and virtual markers of a motion, or points, as TRC.

    Frames are numbered from 1, and the first is at 0 seconds. What is missing leaves its cells empty.

    Args:
        source: a motion, or points in the world.
        path: the file; it appears whole or not at all.
        unit: "mm", "cm" or "m".
        up: the axis that shall point up; OpenSim wants "Y".
        decimals: digits behind the point.

    Raises:
        InputError: an option or a name (tabs, line ends, blanks around it) cannot be written, or the file cannot.
    """
    unit_m = metres_per(unit)
    file_from_world = world_from_up(up).T
    points = point_stream(source)
    header = _header_text(points, Path(path).name, unit_named(unit))
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(header)
        for start, block in points.blocks():
            xyz = change_points(file_from_world, block.xyz_m) / unit_m
            for n, cells in enumerate(point_rows(xyz, decimals, b"\t"), start):
                file.write(f"{n + 1}\t{float(n / points.fps):.9f}\t".encode() + cells + b"\n")


def read_trc(
    path: str | os.PathLike[str],
    *,
    unit: str | None = None,
    up: Up = "Y",
    fps: Fraction | float | str | None = None,
) -> Pose3D:
    """Read a TRC file.

    Tabs or blanks, CRLF, exponents, empty cells and any spelling of NaN are understood. A ``DataRate`` of 29.97 is
    30000/1001. Wrong counts in the header are repaired with a warning when the rows leave no doubt.

    Args:
        path: the file.
        unit: "mm", "cm" or "m" instead of what the header says.
        up: the axis that points up in the file.
        fps: use this rate and ignore ``DataRate``.

    Returns:
        Points in metres, +Y up; NaN with confidence 0 where cells are empty. All hang under the first point unless
        the names are those of a skeleton that mocap3d knows. ``std_m`` and ``views`` are 0: the format has none.

    Raises:
        FileFormatError: not a TRC, or one that contradicts itself; with the line.
        InputError: the file cannot be opened, or an option cannot be used.
    """
    world_from_file = world_from_up(up)
    unit_m = None if unit is None else metres_per(unit)
    source = _Source(path=str(path), data=bytes_of(path))
    header = _read_header(source)
    rate = source.rate(header) if fps is None else as_fps(fps)
    table = _read_rows(source, header)
    _check_counts(source, header, table)
    if fps is None:
        _check_times(source, table, rate)
    if unit_m is None:
        unit_m = source.unit_m(header)
    xyz = table[:, 2:].copy().reshape(len(table), -1, 3)
    del table
    to_world(xyz, world_from_file, unit_m)
    return pose_of_points(xyz, header.names, rate, path)


def _header_text(points: PointStream, title: str, unit: str) -> bytes:
    names = points.skeleton.joint_names
    for name in names:
        if not name or name != name.strip() or not name.isprintable():
            raise InputError(f"a TRC cannot hold the name {name!r} (empty, tabs, line ends or blanks around it)")
    rate = rate_text(points.fps)
    frames, count = len(points), len(names)
    values = (rate, rate, frames, count, unit, rate, 1, frames)
    title = "".join(c for c in title if c.isprintable())
    lines = (
        ("PathFileType", "4", "(X/Y/Z)", title),
        _KEYS,
        values,
        ("Frame#", "Time", *(cell for name in names for cell in (name, "", ""))),
        ("", "", *(f"{axis}{n + 1}" for n in range(count) for axis in "XYZ")),
    )
    return ("\n".join("\t".join(map(str, line)) for line in lines) + "\n\n").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What stands above the numbers.

    Attributes:
        values: by key in small letters.
        names: of the points.
        start: where the rows begin, in bytes.
        line: of the first row, 1-based.
    """

    values: dict[str, str]
    names: list[str]
    start: int
    line: int

    @property
    def width(self) -> int:
        return 2 + 3 * len(self.names)

    def count(self, key: str) -> int | None:
        """Give a whole number; None where it is missing or broken."""
        value = self.values.get(key, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The bytes of a file and where to point in messages."""

    path: str
    data: bytes

    def error(self, message: str, line: int) -> FileFormatError:
        return FileFormatError(message, path=self.path, line=line)

    def rate(self, header: _Header) -> Fraction:
        text = header.values.get("datarate")
        if text is None:
            raise self.error("there is no DataRate; pass fps= to say the rate", 3)
        try:
            return rate_of_text(text)
        except InputError as error:
            raise self.error(f"DataRate: {error}; pass fps= to say the rate", 3) from None

    def unit_m(self, header: _Header) -> float:
        text = header.values.get("units")
        if text is None:
            raise self.error('there are no Units; pass unit="mm" or another to say them', 3)
        try:
            return metres_per(text)
        except InputError as error:
            raise self.error(f"Units: {error}; pass unit= to say it", 3) from None


def _read_header(source: _Source) -> _Header:
    ends = [match.end() for _, match in zip(range(5), _LINE_END.finditer(source.data), strict=False)]
    head = source.data[: ends[-1] if ends else len(source.data)]
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    lines = re.split(r"\r\n|\r|\n", text)
    if not lines[0].lstrip().lower().startswith("pathfiletype") or "\0" in text:
        raise source.error("a TRC begins with PathFileType", 1)
    if len(ends) < 4:
        raise source.error("the header has five lines: path, keys, values, names, axes", len(ends) + 1)
    values = dict(zip((key.lower() for key in lines[1].split()), lines[2].split(), strict=False))
    has_axes = len(ends) > 4 and lines[4].strip().lower().startswith("x")
    start = ends[4] if has_axes else ends[3]
    claimed = _Header(values=values, names=[], start=0, line=0).count("nummarkers")
    names = _names(source, lines[3], claimed)
    return _Header(values=values, names=names, start=start, line=6 if has_axes else 5)


def _names(source: _Source, line: str, claimed: int | None) -> list[str]:
    cells = [cell.strip() for cell in (line.split("\t") if "\t" in line.strip() else line.split())]
    if len(cells) < 3 or not cells[0].lower().startswith("frame") or cells[1].lower() != "time":
        raise source.error("the names must follow Frame# and Time", 4)
    names = [cell for cell in cells[2:] if cell]
    if claimed is None or len(names) == claimed:
        return names
    in_columns = cells[2 : 2 + 3 * min(claimed, len(cells)) : 3]
    if len(in_columns) == claimed and not any(set(cells[3::3]) | set(cells[4::3])):  # some have no name
        return in_columns
    return names


def _read_rows(source: _Source, header: _Header) -> Floats:
    """Read (T, 2 + 3 N): number, time, points; NaN where a cell is empty."""
    end = len(source.data.rstrip(b"\x1a\0"))
    try:
        numbers = parse_numbers(source.data[:end], header.start)
        complete = numbers.line_counts.size > 0 and bool((numbers.line_counts == header.width).all())
        if complete and np.abs(numbers.values).max() < LARGEST_PLACE:
            return numbers.values.reshape(-1, header.width)
    except BadNumberError:
        pass  # NaN, or what _row refuses with its line
    lines = _LINE_END.split(source.data[header.start : end])
    rows = []
    for n, raw in enumerate(lines):
        if not raw.strip():
            continue
        row = _row(source, header, raw.decode("latin-1"), header.line + n)
        if row is not None:
            rows.append(row)
        elif any(other.strip() for other in lines[n + 1 :]):
            problem = f"this row does not have the {header.width} cells that {len(header.names)} names need"
            raise source.error(problem, header.line + n)
        else:
            warn(source.path, "the last row is cut short and is left out")
    if not rows:
        raise source.error("there are no frames", header.line)
    return np.array(rows)


def _row(source: _Source, header: _Header, text: str, line: int) -> list[float] | None:
    """Read the cells of a row; None when it is too short."""
    width = header.width
    cells = text.rstrip("\t ").split("\t")
    if len(cells) != width and (len(cells) == 1 or len(text.split()) == width):
        cells = text.split()
    if len(cells) > width:
        raise source.error(f"this row has {len(cells)} cells, but {len(header.names)} names need {width}", line)
    if len(cells) < width and text.count("\t") < width - 1:
        return None
    try:
        values = [place_of_text(cell) for cell in cells]
    except InputError as error:
        raise source.error(str(error), line) from None
    return values + [float("nan")] * (width - len(cells))  # the last points are missing: only their tabs are there


def _check_counts(source: _Source, header: _Header, table: Floats) -> None:
    """Hold the rows against the header; warn where they do not fit."""
    for key, label, found in (("numframes", "NumFrames", len(table)), ("nummarkers", "NumMarkers", len(header.names))):
        claimed = header.count(key)
        if claimed is not None and claimed != found:
            warn(source.path, f"{label} says {claimed}, there are {found}; all that is there is read")
    if (np.diff(np.clip(table[:, 0], -LARGEST_PLACE, LARGEST_PLACE)) != 1).any():
        warn(source.path, "Frame# does not count 1, 2, 3; the rows are taken as consecutive frames")


def _check_times(source: _Source, table: Floats, rate: Fraction) -> None:
    """Hold the column of times against the rate; warn where they do not fit."""
    seconds = float(table[-1, 1]) - float(table[0, 1])
    expected = float((len(table) - 1) / rate)
    if abs(seconds - expected) > _TIME_TOLERANCE * expected:
        warn(source.path, f"by its Time the clip takes {seconds:g} s, by its DataRate {expected:g} s, which is used")
