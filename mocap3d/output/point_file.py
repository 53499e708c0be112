"""What the formats of named points (C3D, TRC, CSV) share: units, which axis is up, rates as numbers, names."""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.frames import BLENDER, WORLD, a_from_b, change_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.skeletons import SKELETONS
from mocap3d.output.bvh.digits import format_rows
from mocap3d.output.markers import marker_skeleton
from mocap3d.output.names import mirror_from_names, unique_names

__all__ = [
    "LARGEST_PLACE",
    "Unit",
    "Up",
    "bytes_of",
    "metres_per",
    "place_of_text",
    "point_rows",
    "pose_of_points",
    "rate_of_float",
    "rate_of_text",
    "rate_text",
    "to_world",
    "unit_named",
    "warn",
    "world_from_up",
]

Floats = NDArray[np.float64]
Unit = Literal["mm", "cm", "m"]
Up = Literal["Y", "Z"]

LARGEST_PLACE: Final = 1e12
"""Beyond this many units a file is broken, whatever its unit."""

_UNITS_M: Final[dict[Unit, float]] = {"mm": 0.001, "cm": 0.01, "m": 1.0}
_SPELLINGS: Final[dict[Unit, tuple[str, ...]]] = {
    "mm": ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    "m": ("m", "meter", "meters", "metre", "metres"),
}
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RATE: Final = re.compile(r"\+?(\d{1,9}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
_BLOCK_FRAMES: Final = 512
_SLOWEST: Final = 1e-5
_FASTEST: Final = 1e7  # frames per second; a rate beyond these is a broken number
_SIMPLE: Final = 10**4  # the largest denominator of a rate that is found again from its decimals
_MOST_DECIMALS: Final = 24


def bytes_of(path: str | os.PathLike[str]) -> bytes:
    """Read a whole file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def warn(path: str | os.PathLike[str], message: str) -> None:
    """Say what was repaired or assumed in a file."""
    warnings.warn(f"{path}: {message}", Mocap3dWarning, stacklevel=3)


def unit_named(text: str) -> Unit:
    """Look up a unit of length, also one that is spelled out or in capitals.

    Raises:
        InputError: it is none that is known.
    """
    for unit, spellings in _SPELLINGS.items():
        if text.strip().lower() in spellings:
            return unit
    raise InputError(f"the unit of length must be one of {', '.join(_UNITS_M)}; got {text[:40]!r}")


def metres_per(unit: str) -> float:
    """Tell how long a unit is; see ``unit_named``."""
    return _UNITS_M[unit_named(unit)]


def world_from_up(up: str) -> Floats:
    """Give the (3, 3) matrix from a file's axes to ours.

    ``"Y"`` is our own world. ``"Z"`` is a laboratory: +X stays, +Z is up, and who faces us there faces -Y.

    Raises:
        InputError: neither "Y" nor "Z".
    """
    if up not in ("Y", "Z"):
        raise InputError(f'up must be "Y" or "Z", the axis that points up in the file; got {up!r}')
    return np.eye(3) if up == "Y" else a_from_b(WORLD, BLENDER)


def rate_text(fps: Fraction) -> str:
    """Write a rate as a decimal that ``rate_of_text`` turns into the same fraction: 25, 12.5, 29.970030 (30000/1001).

    What is no decimal gets six digits or more, for readers who take them literally. A fraction whose denominator
    exceeds 10000 may be rounded, to 24 decimals.
    """
    text = ""
    for decimals in range(_MOST_DECIMALS + 1):
        units = round(fps * 10**decimals)
        whole, part = divmod(units, 10**decimals)
        text = f"{whole}.{part:0{decimals}d}" if decimals else f"{whole}"
        precise = decimals >= 6 or units == fps * 10**decimals
        if precise and _is_rate(text) and rate_of_text(text) == fps:
            break
    return text


def rate_of_text(text: str) -> Fraction:
    """Read a rate: 29.97 is 30000/1001, 8.3333333333 is 25/3.

    Raises:
        InputError: no decimal number, or none that a camera could have.
    """
    if not _is_rate(text):
        raise InputError(f"a frame rate must be a number from {_SLOWEST:g} to {_FASTEST:g}, got {text[:40]!r}")
    rate = as_fps(text)
    decimals = -int(Decimal(text).as_tuple().exponent)
    if decimals >= 9 and rate == Fraction(text):  # so many digits stand for a fraction
        simple = rate.limit_denominator(_SIMPLE)
        if abs(simple - rate) <= Fraction(1, 2 * 10**decimals):
            return simple
    return rate


def rate_of_float(rate: np.floating[Any]) -> Fraction:
    """Find the rate that was rounded to a binary number: a whole one, n·1000/1001, or a simple fraction.

    Raises:
        InputError: not a number, or none that a camera could have.
    """
    value = float(rate)
    if not _SLOWEST <= value <= _FASTEST:
        raise InputError(f"a frame rate must be a number from {_SLOWEST:g} to {_FASTEST:g}, got {value}")
    written = as_fps(str(rate))  # the shortest decimal that rounds to it: somebody may have stored 29.97
    guesses = (
        Fraction(round(value)),
        Fraction(round(value * 1.001) * 1000, 1001),
        *([written] if written.denominator == 1001 else []),
        Fraction(value).limit_denominator(1000),
    )
    kind = type(rate)
    return next((guess for guess in guesses if guess is written or kind(float(guess)) == rate), written)


def place_of_text(cell: str) -> float:
    """Read a coordinate, in units of the file; NaN where the cell is empty or spells it.

    Raises:
        InputError: no number, or beyond any measure.
    """
    cell = cell.strip()
    if not cell or cell.lower() in ("nan", "-nan"):
        return float("nan")
    value = float(cell) if _NUMBER.fullmatch(cell) else float("inf")
    if abs(value) >= LARGEST_PLACE:
        raise InputError(f"{cell[:40]!r} is no number that a place can have")
    return value


def point_rows(points: Floats, decimals: int, separator: bytes) -> Iterator[bytes]:
    """Spell the points of each frame as fixed-point numbers; the cells of a missing point are empty.

    Args:
        points: (T, N, 3) in units of the file.
        decimals: digits behind the point, 1 to 12.
        separator: between cells, one byte.

    Raises:
        InputError: ``decimals`` is outside its range, or a number has more than 15 digits.
    """
    if not 1 <= decimals <= 12:
        raise InputError(f"decimals must be 1 to 12, got {decimals}")
    missing = np.asarray(np.isnan(points).any(axis=-1))
    rows = np.where(missing[..., None], 0.0, points).reshape(len(points), -1)
    for gaps, line in zip(missing, format_rows(rows, decimals).splitlines(), strict=True):
        if gaps.any():
            cells = zip(line.split(b" "), np.repeat(gaps, 3), strict=True)
            yield separator.join(b"" if gap else cell for cell, gap in cells)
        else:
            yield line.replace(b" ", separator)


def pose_of_points(
    xyz_m: Floats,
    names: Sequence[str],
    fps: Fraction,
    path: str | os.PathLike[str],
    *,
    std_m: Floats | None = None,
    views: NDArray[np.int64] | None = None,
) -> Pose3D:
    """Make a pose of what a file holds: a point with a NaN is missing as a whole, all others were seen.

    Args:
        xyz_m: (T, N, 3) in the world; the pose keeps this array.
        names: N names; empty and repeated ones are changed, with a warning.
        fps: frames per second.
        path: the file, for messages.
        std_m: (T, N) expected error; None is 0, not known.
        views: (T, N) number of cameras; None is 0, not known.

    Raises:
        FileFormatError: no points, no frames, or places beyond any measure.
    """
    if not xyz_m.size:
        raise FileFormatError(f"there are {len(names)} points in {len(xyz_m)} frames: nothing to read", path=Path(path))
    if not np.fmin.reduce(xyz_m, axis=None, initial=0.0) > -LARGEST_PLACE:
        raise FileFormatError("a point lies beyond any measure", path=Path(path))
    if not np.fmax.reduce(xyz_m, axis=None, initial=0.0) < LARGEST_PLACE:
        raise FileFormatError("a point lies beyond any measure", path=Path(path))
    unique = unique_names(names)
    changed = [new for old, new in zip(names, unique, strict=True) if old != new]
    if changed:
        warn(path, f"names must be unique and not empty; renamed: {', '.join(changed[:10])}")
    missing = np.asarray(np.isnan(xyz_m).any(axis=-1))
    xyz_m[missing] = np.nan
    std_m = np.zeros(missing.shape) if std_m is None else std_m
    views = np.zeros(missing.shape, dtype=np.int64) if views is None else views
    std_m[missing], views[missing] = 0.0, 0
    return Pose3D(
        xyz_m=_locked(xyz_m),
        confidence=_locked(np.where(missing, 0.0, 1.0)),
        std_m=_locked(std_m),
        views=views,
        fps=fps,
        skeleton=_skeleton(unique, Path(path).stem),
        frame="world",
    )


def to_world(xyz: Floats, world_from_file: Floats, unit_m: float) -> None:
    """Turn (T, N, 3) points in units and axes of a file into metres in the world: in place, some frames at a time."""
    for start in range(0, len(xyz), _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        xyz[block] = change_points(world_from_file, xyz[block] * unit_m)


def _locked(array: Floats) -> Floats:
    """An array that nobody will change: it is not copied again."""
    array.flags.writeable = False
    return array


def _skeleton(names: tuple[str, ...], title: str) -> Skeleton:
    """Recognise a known skeleton by its names; else all points hang under the first, since a file tells no tree."""
    for known in _known_skeletons():
        if names == known.joint_names:
            return known
    parents = (ROOT, *(0 for _ in names[1:]))
    return Skeleton(name=title, joint_names=names, parents=parents, mirror=mirror_from_names(names))


@functools.cache
def _known_skeletons() -> tuple[Skeleton, ...]:
    return (*SKELETONS.values(), marker_skeleton(HUMANOID_RIG))


def _is_rate(text: str) -> bool:
    return _RATE.fullmatch(text) is not None and _SLOWEST <= float(text) <= _FASTEST
