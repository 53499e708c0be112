"""Cameras in a TOML file of our own: read and write.

One table per camera, in order::

    version = 1

    [[camera]]
    name = "left"
    size_wh_px = [1920, 1080]
    model = "brown-conrady"                   # or "fisheye"; default "brown-conrady"
    focal_px = [1400.0, 1400.0]               # fx, fy; or instead: fov_deg = 68.0, along the longer side
    principal_px = [959.5, 539.5]             # default: the centre; (0, 0) is the centre of the top-left pixel
    skew_px = 0.0                             # default 0
    distortion = [0.1, -0.2, 0.0, 0.0, 0.05]  # OpenCV's order; default: none
    cam_from_world = [                        # metres, OpenCV axes; default: the identity
      [1.0, 0.0, 0.0, 0.0],
      [0.0, 1.0, 0.0, 0.0],
      [0.0, 0.0, 1.0, 0.0],
      [0.0, 0.0, 0.0, 1.0],
    ]

A key that is not in this list is refused: a misspelt one would otherwise mean a default in silence.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path

__all__ = ["read_cameras", "write_cameras"]

_VERSION = 1
_KEYS = frozenset(
    {"name", "size_wh_px", "model", "focal_px", "fov_deg", "principal_px", "skew_px", "distortion", "cam_from_world"}
)


def read_cameras(path: str | os.PathLike[str]) -> tuple[Camera, ...]:
    """Read a camera file.

    Raises:
        InputError: no such file.
        FileFormatError: not TOML, another version, an unknown or missing key, two cameras of one name, or numbers that
            are no camera.
    """
    source = Path(path)
    try:
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the camera file {source}: {error.strerror or error}") from error
    except ValueError as error:  # TOML or UTF-8
        raise FileFormatError(f"not a TOML file: {error}", path=source) from error
    try:
        return _cameras(table)
    except InputError as error:
        raise FileFormatError(str(error), path=source) from error


def write_cameras(path: str | os.PathLike[str], cameras: Sequence[Camera]) -> None:
    """Write a camera file; ``read_cameras`` gives back every number exactly.

    Raises:
        InputError: no camera, two cameras of one name, or the file cannot be written.
    """
    _check_names([camera.name for camera in cameras])
    text = f"version = {_VERSION}\n" + "".join(f"\n{_table_text(camera)}" for camera in cameras)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _cameras(table: Mapping[str, Any]) -> tuple[Camera, ...]:
    _check_keys("the file", table, {"version", "camera"})
    if table.get("version") != _VERSION:
        raise InputError(f"must say version = {_VERSION}, got {table.get('version')!r}")
    entries = table.get("camera")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("must hold a [[camera]] table for each camera")
    cameras = tuple(_camera(entry, number) for number, entry in enumerate(entries, start=1))
    _check_names([camera.name for camera in cameras])
    return cameras


def _camera(entry: Mapping[str, Any], number: int) -> Camera:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"camera {number} has no name")
    what = f"camera {name!r}"
    _check_keys(what, entry, _KEYS)
    size = _numbers(what, "size_wh_px", entry.get("size_wh_px"), (2,))
    if not all(isinstance(value, int) for value in entry["size_wh_px"]):
        raise InputError(f"size_wh_px of {what} must be whole numbers, got {entry['size_wh_px']}")
    cx, cy = _numbers(what, "principal_px", entry.get("principal_px", list((size - 1) / 2)), (2,))
    fx, fy = _focal_px(what, entry, max(size))
    skew = _numbers(what, "skew_px", entry.get("skew_px", 0.0), ())
    distortion = entry.get("distortion", [])
    return Camera(
        name=name,
        size_wh_px=(int(size[0]), int(size[1])),
        model=entry.get("model", "brown-conrady"),
        K=np.array([[fx, float(skew), cx], [0, fy, cy], [0, 0, 1]]),
        distortion=_numbers(what, "distortion", distortion, (len(distortion) if isinstance(distortion, list) else 0,)),
        cam_from_world=_numbers(what, "cam_from_world", entry.get("cam_from_world", np.eye(4).tolist()), (4, 4)),
    )


def _focal_px(what: str, entry: Mapping[str, Any], longer_px: float) -> NDArray[np.float64]:
    if ("focal_px" in entry) == ("fov_deg" in entry):
        raise InputError(f"{what} must give either focal_px or fov_deg")
    if "focal_px" in entry:
        return _numbers(what, "focal_px", entry["focal_px"], (2,))
    fov_deg = float(_numbers(what, "fov_deg", entry["fov_deg"], ()))
    if not 1 <= fov_deg <= 170:
        raise InputError(f"fov_deg of {what} must lie between 1 and 170 degrees, got {fov_deg}")
    return np.full(2, longer_px / 2 / math.tan(math.radians(fov_deg) / 2))


def _numbers(what: str, key: str, value: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        array = np.array(value)
    except ValueError:  # ragged
        array = np.array(None)
    numeric = array.dtype.kind in "if" or array.size == 0
    if not numeric or array.shape != shape or not np.isfinite(array.astype(np.float64)).all():
        size = "x".join(map(str, shape)) or "one"
        raise InputError(f"{key} of {what} must be {size} finite number(s), got {value!r}")
    return array.astype(np.float64)


def _check_keys(what: str, table: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise InputError(f"{what} holds the unknown key {unknown[0]!r}; there are {', '.join(sorted(known))}")


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise InputError("a camera file needs at least one camera")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two cameras are called {twice!r}")


def _table_text(camera: Camera) -> str:
    K = camera.K
    width, height = camera.size_wh_px
    rows = "".join(f"  {_list_text(row)},\n" for row in camera.cam_from_world)
    return (
        "[[camera]]\n"
        f"name = {_string_text(camera.name)}\n"
        f"size_wh_px = [{width}, {height}]\n"
        f'model = "{camera.model}"\n'
        f"focal_px = {_list_text([K[0, 0], K[1, 1]])}\n"
        f"principal_px = {_list_text([K[0, 2], K[1, 2]])}\n"
        f"skew_px = {float(K[0, 1])!r}\n"
        f"distortion = {_list_text(camera.distortion)}\n"
        f"cam_from_world = [\n{rows}]\n"
    )


def _list_text(values: Sequence[float] | NDArray[np.float64]) -> str:
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"  # repr gives back the same float


def _string_text(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's, except that TOML also wants U+007F escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
