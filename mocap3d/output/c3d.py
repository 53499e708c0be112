"""C3D, the binary format of motion capture laboratories: named points over time.

Ours from the specification, read and written without any other package: what is damaged in a file must not bring down
the program that reads it. Only points are read and written; forces, muscles and events of a file are passed over.

A laboratory's axes are its own. ``POINT:X_SCREEN`` and ``POINT:Y_SCREEN`` say which of them point right and up on a
screen, and so +X and +Y of our world. We write +Z up unless told otherwise, as laboratories and most programs do.

Source: The C3D File Format User Guide, Motion Lab Systems, https://www.c3d.org.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.frames import change_points
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.output.c3d_sections import BLOCK, Header, Numbers, Parameters, pack_header, pack_parameters, read_sections
from mocap3d.output.float32 import warn_if_far
from mocap3d.output.markers import PointStream, point_stream
from mocap3d.output.motion_parts import reading
from mocap3d.output.point_file import (
    Unit,
    Up,
    bytes_of,
    metres_per,
    pose_of_points,
    rate_of_float,
    to_world,
    unit_named,
    warn,
    world_from_up,
)

__all__ = ["read_c3d", "write_c3d"]

Floats = NDArray[np.float64]

_BLOCK_FRAMES: Final = 512
_LARGEST_WORD: Final = 65535
_PER_PARAMETER: Final = 255
_LONGEST_NAME: Final = 127
_LARGEST_INTEGER: Final = 32000  # what the largest coordinate becomes in programs that store integers
_DIRECTIONS: Final = {
    sign + axis: factor * np.eye(3)[n] for n, axis in enumerate("XYZ") for sign, factor in (("+", 1.0), ("-", -1.0))
}
# Lists of "points" that are results of a gait model and no places.
_NO_PLACES: Final = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")


def write_c3d(source: Motion | Pose3D, path: str | os.PathLike[str], *, unit: Unit = "mm", up: Up = "Z") -> None:
    """Write the joints and virtual markers of a motion, or points, as C3D: Intel, float32, frames from 1.

    Missing points get residual -1, ``std_m`` becomes the residual of the others, in up to 255 steps of the largest
    coordinate / 32000. More than 255 names go on in ``LABELS2`` ..., more than 65535 frames are counted by
    ``TRIAL:ACTUAL_END_FIELD``.

    Args:
        source: a motion, or points in the world.
        path: the file; it appears whole or not at all.
        unit: "mm", "cm" or "m".
        up: the axis that points up in the file; ``Y_SCREEN`` says it.

    Raises:
        InputError: an option or a name (over 127 bytes, or with blanks around it) cannot be written, or the file.

    Warns:
        Mocap3dWarning: something moves so far that the format's four-byte numbers cannot place it to 1e-5 m.
    """
    unit_m = metres_per(unit)
    file_from_world = world_from_up(up).T
    points = point_stream(source)
    step_m = (points.farthest_m or 1.0) / _LARGEST_INTEGER
    scale = float(np.float32(step_m / unit_m))
    warn_if_far(path, points.farthest_m)
    parameters = _parameter_blocks(points, unit_named(unit), up, scale)
    header = Header(
        points=len(points.skeleton),
        analog=0,
        first=1,
        last=min(len(points), _LARGEST_WORD),
        scale=-scale,
        data_block=2 + len(parameters) // BLOCK,
        fps=float(points.fps),
    )
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(pack_header(header) + parameters)
        for _, block in points.blocks():
            xyz = change_points(file_from_world, block.xyz_m) / unit_m
            residuals = np.nan_to_num(block.std_m).clip(0, 255 * step_m) / step_m
            file.write(_float_words(xyz, residuals))
        if len(points) < _LARGEST_WORD:  # what counts longer takes by the size of the file must not count this
            file.write(b"\0" * (-file.tell() % BLOCK))


def read_c3d(
    path: str | os.PathLike[str],
    *,
    unit: str | None = None,
    up: Up | None = None,
    fps: Fraction | float | str | None = None,
) -> Pose3D:
    """Read the points of a C3D file of any kind: integers or floats, Intel, DEC or SGI.

    Results of gait models that are stored among the points (angles, forces, moments, powers) are left out.

    Args:
        path: the file.
        unit: "mm", "cm" or "m" instead of ``POINT:UNITS``.
        up: the axis that points up, instead of what ``X_SCREEN`` and ``Y_SCREEN`` say.
        fps: use this rate instead of the file's.

    Returns:
        Points in metres, +Y up; NaN with confidence 0 where the residual is negative. ``std_m`` is the residual and
        ``views`` the number of cameras, 0 where the file does not say. All hang under the first point unless the names
        are those of a skeleton that mocap3d knows.

    Raises:
        FileFormatError: not a C3D, or one that contradicts itself.
        InputError: the file cannot be opened, or an option cannot be used.
    """
    unit_m = None if unit is None else metres_per(unit)
    world_from_file = None if up is None else world_from_up(up)
    rate = None if fps is None else as_fps(fps)
    data = bytes_of(path)
    with reading(path, "a C3D"):
        header, parameters, numbers = read_sections(data)
        words, scale = _words(data, header, parameters, numbers, path)
        names = _names(parameters, words.shape[1])
        unit_m = _unit_m(parameters, path) if unit_m is None else unit_m
        world_from_file = _world_from_screen(parameters, path) if world_from_file is None else world_from_file
        rate = rate_of_float(np.float32(_value(parameters, "RATE", header.fps))) if rate is None else rate
        places = _places(parameters, names)
        names = [names[n] for n in places]
        xyz, std, views = _points(words, places, scale)
        del words
        std *= unit_m
        to_world(xyz, world_from_file, unit_m)
        return pose_of_points(xyz, names, rate, path, std_m=std, views=views)


def _parameter_blocks(points: PointStream, unit: str, up: str, scale: float) -> bytes:
    names = list(points.skeleton.joint_names)
    for name in names:
        _check_name(name)
    frames = len(points)
    end = np.array([frames & 0xFFFF, frames >> 16], dtype=np.uint16)
    point: dict[str, Any] = {
        "USED": np.array(len(names), dtype=np.uint16),
        "FRAMES": np.array(min(frames, _LARGEST_WORD), dtype=np.uint16),
        "SCALE": np.array(-scale, dtype=np.float32),
        "RATE": np.array(float(points.fps), dtype=np.float32),
        "DATA_START": np.array(0, dtype=np.uint16),
        "UNITS": unit,
        "X_SCREEN": "+X",
        "Y_SCREEN": f"+{up}",
    }
    for n, start in enumerate(range(0, len(names), _PER_PARAMETER), 1):
        part = names[start : start + _PER_PARAMETER]
        number = "" if n == 1 else str(n)
        point[f"LABELS{number}"], point[f"DESCRIPTIONS{number}"] = part, [" "] * len(part)
    groups = {
        "POINT": point,
        "TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0], dtype=np.uint16), "ACTUAL_END_FIELD": end},
        "ANALOG": {
            "USED": np.array(0, dtype=np.uint16),
            "GEN_SCALE": np.array(1, dtype=np.float32),
            "RATE": np.array(float(points.fps), dtype=np.float32),
        },
        "FORCE_PLATFORM": {"USED": np.array(0, dtype=np.uint16)},
        "MANUFACTURER": {"SOFTWARE": "mocap3d"},
    }
    if frames > _LARGEST_WORD:
        point["LONG_FRAMES"] = np.array(frames, dtype=np.float32)
    blocks = pack_parameters(groups)
    point["DATA_START"] = np.array(2 + len(blocks) // BLOCK, dtype=np.uint16)
    return pack_parameters(groups)


def _float_words(points: Floats, residuals: Floats) -> bytes:
    """Spell (T, N, 3) points in units of the file, and (T, N) residuals in units of the scale, as float32."""
    missing = np.asarray(np.isnan(points).any(axis=-1))
    fourth = np.where(missing, -1.0, np.rint(residuals))
    words = np.concatenate([np.where(missing[..., None], 0.0, points), fourth[..., None]], axis=-1)
    return words.astype("<f4").tobytes()


def _check_name(name: str) -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _LONGEST_NAME or name != name.strip() or not name.isprintable():
        limits = f"empty, over {_LONGEST_NAME} bytes, line ends or blanks around it"
        raise InputError(f"a C3D cannot hold the name {name[:80]!r} ({limits})")


def _words(
    data: bytes, header: Header, parameters: Parameters, numbers: Numbers, path: str | os.PathLike[str]
) -> tuple[NDArray[np.floating[Any]] | NDArray[np.int16], float]:
    """Find the four words of every point, (T, N, 4), and the scale: negative where they are floats."""
    scale = _value(parameters, "SCALE", header.scale)
    start = (int(_value(parameters, "DATA_START", header.data_block)) - 1) * BLOCK
    points = int(_value(parameters, "USED", header.points))
    if points != header.points or not np.isfinite(scale) or scale == 0 or not BLOCK <= start < len(data):
        found = f"{header.points} points, in the parameters {points}, scale {scale:g}, data from byte {start}"
        raise FileFormatError(f"the header does not fit the file: {found}")
    if not points:
        raise FileFormatError("there are no points")
    width = 4 * points + header.analog
    size = width * (4 if scale < 0 else 2)
    held = (len(data) - start) // size
    frames = _frames(header, parameters, held)
    if frames > held:
        warn(path, f"{frames} frames are announced, {held} are there: the file was cut short")
    raw = memoryview(data)[start : start + min(frames, held) * size]
    words = numbers.floats(raw) if scale < 0 else numbers.shorts(raw)
    return words.reshape(-1, width)[:, : 4 * points].reshape(-1, points, 4), scale


def _frames(header: Header, parameters: Parameters, held: int) -> int:
    """Count the frames; the two words of the header overflow where a take is long."""
    counted = header.last - header.first + 1
    trial = _trial(parameters, "END") - _trial(parameters, "START") + 1
    if header.last == _LARGEST_WORD and trial > 1:
        return trial
    if header.last == _LARGEST_WORD:
        return max(counted, held)
    if counted < 1:
        raise FileFormatError(f"the frames go from {header.first} to {header.last}")
    return counted


def _trial(parameters: Parameters, end: str) -> int:
    """Read a frame number of two words, the low one first; 0 where it is missing."""
    parameter = parameters.get(("TRIAL", f"ACTUAL_{end}_FIELD"))
    low, high = ([*parameter.values(), 0.0, 0.0] if parameter else [0.0, 0.0])[:2]
    return int(low) + (int(high) << 16) if np.isfinite([low, high]).all() else 0


def _value(parameters: Parameters, name: str, otherwise: float) -> float:
    """Look up a number of the group POINT; 0 and a broken one give the header's."""
    parameter = parameters.get(("POINT", name))
    values = parameter.values() if parameter else []
    return values[0] if values and np.isfinite(values[0]) and values[0] else otherwise


def _names(parameters: Parameters, points: int) -> list[str]:
    names: list[str] = []
    for n in range(1, 2 + points // _PER_PARAMETER):
        parameter = parameters.get(("POINT", "LABELS" if n == 1 else f"LABELS{n}"))
        names += parameter.texts() if parameter else []
    return [name or f"point_{n + 1}" for n, name in enumerate([*names, *[""] * points][:points])]


def _places(parameters: Parameters, names: list[str]) -> list[int]:
    """Choose the points that are places."""
    lists = (parameters.get(("POINT", group)) for group in _NO_PLACES)
    others = {name for parameter in lists if parameter for name in parameter.texts()}
    return [n for n, name in enumerate(names) if name not in others]


def _points(
    words: NDArray[np.floating[Any]] | NDArray[np.int16], places: list[int], scale: float
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Read some points of (T, N, 4) words: places and residuals in units of the file, and numbers of cameras.

    The fourth word holds, from its lowest bit, eight bits of residual and seven that say which cameras saw the point.
    """
    shape = (len(words), len(places))
    xyz, residual, cameras = np.empty((*shape, 3)), np.empty(shape), np.empty(shape, dtype=np.int64)
    for start in range(0, len(words), _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        with np.errstate(all="ignore"):
            values = words[block, places].astype(np.float64)
            fourth = np.nan_to_num(values[..., 3], nan=-1.0).clip(-1, 32767).astype(np.int64)
        xyz[block] = values[..., :3] * (scale if scale > 0 else 1.0)
        xyz[block][fourth < 0] = np.nan
        if np.isinf(xyz[block]).any():
            raise FileFormatError("a point lies at infinity")
        cameras[block] = sum((fourth >> bit) & 1 for bit in range(8, 15))
        residual[block] = (fourth & 0xFF) * abs(scale)
    return xyz, residual, cameras


def _unit_m(parameters: Parameters, path: str | os.PathLike[str]) -> float:
    parameter = parameters.get(("POINT", "UNITS"))
    texts = [text for text in (parameter.texts() if parameter else []) if text]
    if not texts:
        warn(path, "POINT:UNITS is missing: millimetres are assumed")
        return metres_per("mm")
    return metres_per(texts[0])


def _world_from_screen(parameters: Parameters, path: str | os.PathLike[str]) -> Floats:
    """Turn the axes that point right and up on a screen, and out of it, into our X, Y and Z."""
    found = [parameters.get(("POINT", f"{axis}_SCREEN")) for axis in "XY"]
    right, up = ((parameter.texts() or [""])[0].upper() if parameter else "" for parameter in found)
    if right not in _DIRECTIONS or up not in _DIRECTIONS or right[1] == up[1]:
        warn(path, "POINT:X_SCREEN and Y_SCREEN do not say where up is: +Z is assumed")
        return world_from_up("Z")
    x, y = _DIRECTIONS[right], _DIRECTIONS[up]
    return np.stack([x, y, np.cross(x, y)])
