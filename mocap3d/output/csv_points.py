"""CSV of points: one row per frame, one column per coordinate, for spreadsheets and data frames.

::

    frame,time_s,hips.x_m,hips.y_m,hips.z_m,spine.x_m,...
    0,0.000000000,0.012000,0.951000,-0.203000,...

RFC 4180 in UTF-8: commas, CRLF, quotes around names that need them, no comments. Metres, +Y up; empty cells are points
that were not seen. Frame t is at t / fps seconds, and the times tell the rate; a single frame, which has no other, gets
a third column ``fps``. The joints in space that a capture keeps (``stages``) are such a table; it has two columns more
for each point, ``confidence`` (0 to 1) and ``std_m`` (expected error, metres), which are read.
"""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.output.markers import point_stream
from mocap3d.output.point_file import place_of_text, point_rows, pose_of_points, rate_of_text, rate_text, warn

__all__ = ["read_csv", "write_csv"]

Floats = NDArray[np.float64]

_BLOCK_ROWS: Final = 512
_RATE: Final = "fps"
_TIME_DECIMALS: Final = 9
_COORDINATE: Final = re.compile(r"(.*)\.([xyz])_m", re.DOTALL)
_SURENESS: Final = ("confidence", "std_m")  # of a point: what else may be said
_TIME: Final = re.compile(r"-?\d{1,9}(\.\d{0,20})?", re.ASCII)
_LARGEST_DENOMINATOR: Final = 10**4  # of a rate that the times tell


def write_csv(source: Motion | Pose3D, path: str | os.PathLike[str], *, decimals: int = 6) -> None:
    """Write the joints and virtual markers of a motion, or points, as CSV.

    Args:
        source: a motion, or points in the world.
        path: the file; it appears whole or not at all.
        decimals: digits of a coordinate behind the point.

    Raises:
        InputError: ``decimals`` or a name cannot be written, or the file cannot.
    """
    points = point_stream(source)
    title = io.StringIO(newline="")
    names = (f"{name}.{axis}_m" for name in points.skeleton.joint_names for axis in "xyz")
    rate = [_RATE] if len(points) == 1 else []
    csv.writer(title, lineterminator="\r\n").writerow(["frame", "time_s", *rate, *names])
    try:
        header = title.getvalue().encode()
    except UnicodeEncodeError as error:
        raise InputError(f"a name cannot be written in UTF-8: {error}") from None
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(header)
        for start, block in points.blocks():
            for frame, cells in enumerate(point_rows(block.xyz_m, decimals, b","), start):
                told = f"{rate_text(points.fps)}," if rate else ""
                file.write(f"{frame},{float(frame / points.fps):.{_TIME_DECIMALS}f},{told}".encode() + cells + b"\r\n")


def read_csv(path: str | os.PathLike[str], *, fps: Fraction | float | str | None = None) -> Pose3D:
    """Read points from a CSV with the columns that ``write_csv`` writes, in any order; others are left out.

    Args:
        path: the file.
        fps: use this rate instead of what ``time_s`` or a column ``fps`` says.

    Returns:
        Points in metres; NaN with confidence 0 where cells are empty; else confidence 1 where the file does not say
        it. All hang under the first point unless the names are those of a skeleton that mocap3d knows.

    Raises:
        FileFormatError: no such columns, rows of other lengths, or times that tell no rate; with the line.
        InputError: the file cannot be opened, or ``fps`` cannot be used.
    """
    rate = None if fps is None else as_fps(fps)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            names, points, sureness, times, written = _table(file, path)
    except UnicodeDecodeError as error:
        raise FileFormatError(f"a CSV must be UTF-8: {error}", path=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if rate is None:
        rate = _rate(times, path) if written is None else written
    seen = np.isfinite(points).all(axis=-1)
    pose = pose_of_points(points, names, rate, path)
    said = {kind: np.where(seen, values, 0.0) for kind, values in sureness.items()}
    return replace(pose, confidence=said.get("confidence", pose.confidence), std_m=said.get("std_m", pose.std_m))


def _table(
    file: TextIO, path: str | os.PathLike[str]
) -> tuple[list[str], Floats, dict[str, Floats], list[str], Fraction | None]:
    """Read names, (T, N, 3) points in metres, what is said of them, the times as written, and the rate if it is."""
    reader = csv.reader(file, strict=True)
    try:
        title = next(reader, [])
        columns, names, said = _columns(title, path)
        time, fps = (title.index(name) if name in title else None for name in ("time_s", _RATE))
        blocks: list[Floats] = []
        rows: list[list[float]] = []
        times: list[str] = []
        rate = None
        for row in reader:
            if not row:
                continue
            if len(row) != len(title):
                raise InputError(f"this row has {len(row)} cells, the first has {len(title)}")
            rows.append([place_of_text(row[column]) for column in [*columns, *said]])
            times.append("" if time is None else row[time])
            if fps is not None and rate is None:
                rate = rate_of_text(row[fps])
            if len(rows) == _BLOCK_ROWS:  # as an array they take a quarter of the memory
                blocks.append(np.array(rows))
                rows = []
    except FileFormatError:
        raise
    except (csv.Error, InputError) as error:
        raise FileFormatError(str(error), path=str(path), line=reader.line_num) from None
    cells = np.concatenate([*blocks, np.array(rows).reshape(-1, len(columns) + len(said))])
    points = cells[:, : len(columns)].reshape(len(cells), len(names), 3)
    return names, points, _sureness(cells[:, len(columns) :], list(said.values()), names, path), times, rate


def _sureness(
    cells: Floats, said: list[tuple[str, str]], names: list[str], path: str | os.PathLike[str]
) -> dict[str, Floats]:
    """Sort (T, M) cells that say how sure points are into (T, N) confidence and std_m; what is not said is 1 and 0."""
    found: dict[str, Floats] = {}
    for values, (name, kind) in zip(cells.T, said, strict=True):
        most = 1.0 if kind == "confidence" else np.inf
        wrong = (values < 0) | (values > most)
        if wrong.any():
            line = int(np.argmax(wrong)) + 2
            raise FileFormatError(
                f"{name[:80]}.{kind} must be at least 0{' and at most 1' if most == 1 else ''}",
                path=str(path),
                line=line,
            )
        default = 1.0 if kind == "confidence" else 0.0
        table = found.setdefault(kind, np.full((len(cells), len(names)), default))
        table[:, names.index(name)] = np.where(np.isnan(values), default, values)
    return found


def _columns(title: list[str], path: str | os.PathLike[str]) -> tuple[list[int], list[str], dict[int, tuple[str, str]]]:
    """Find the columns x, y, z of each point, in the order in which the points first appear, and what else is said."""
    places: dict[str, dict[str, int]] = {}
    others = []
    for column, name in enumerate(title):
        match = _COORDINATE.fullmatch(name)
        if match is None:
            others.append(name)
        elif places.setdefault(match[1], {}).setdefault(match[2], column) != column:
            raise FileFormatError(f"the column {name[:80]!r} is there twice", path=str(path), line=1)
    broken = [name for name, axes in places.items() if len(axes) != 3]
    if not places or broken:
        problem = f"{broken[0][:80]!r} lacks one" if broken else "there are none"
        raise FileFormatError(
            f"points need the columns NAME.x_m, NAME.y_m, NAME.z_m; {problem}", path=str(path), line=1
        )
    said: dict[int, tuple[str, str]] = {}
    for name in list(others):
        point, _, kind = name.rpartition(".")
        if kind in _SURENESS and point in places:
            if (point, kind) in said.values():
                raise FileFormatError(f"the column {name[:80]!r} is there twice", path=str(path), line=1)
            said[title.index(name)] = (point, kind)
            others.remove(name)
    unknown = [name for name in others if name not in ("frame", "time_s", _RATE)]
    if unknown:
        warn(path, f"columns left out: {', '.join(name[:40] for name in unknown[:10])}")
    return [axes[axis] for axes in places.values() for axis in "xyz"], list(places), said


def _rate(times: list[str], path: str | os.PathLike[str]) -> Fraction:
    """Find the rate from evenly spaced times: a whole one, n·1000/1001, or a simple fraction, in this order."""
    for line, time in enumerate(times, 2):
        if not _TIME.fullmatch(time):
            raise FileFormatError(f"time_s must be seconds, got {time[:40]!r}; or pass fps=", path=str(path), line=line)
    seconds = np.array(times, dtype=np.float64) if times else np.zeros(0)
    span = Fraction(times[-1]) - Fraction(times[0]) if times else Fraction(0)
    if span <= 0:
        raise FileFormatError("time_s tells no rate (one frame, or times that do not grow); pass fps=", path=str(path))
    # Both ends are rounded to their last written digit, by half a unit.
    unit = Fraction(Decimal(1).scaleb(int(Decimal(times[-1]).as_tuple().exponent)))
    rate = (len(times) - 1) / span
    usual = [Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)]
    simple = [rate.limit_denominator(largest) for largest in (10, 100, 1000, _LARGEST_DENOMINATOR)]
    fits = (one for one in usual + simple if one > 0 and abs((len(times) - 1) / one - span) <= unit)
    found = next(fits, rate)
    uneven = np.abs(seconds - seconds[0] - np.arange(len(times)) / float(found)) > max(2 * float(unit), 0.1 / found)
    if uneven.any():
        line = int(np.argmax(uneven)) + 2
        raise FileFormatError("time_s is not evenly spaced; resample, or pass fps=", path=str(path), line=line)
    return found
