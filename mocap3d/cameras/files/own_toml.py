"""Cameras in a TOML file of our own.

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
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.cameras.files.source import Source, check_names, finite

__all__ = ["is_own", "list_text", "own_cameras", "own_text", "parse_toml", "string_text"]

_VERSION = 1
_KEYS = frozenset(
    {"name", "size_wh_px", "model", "focal_px", "fov_deg", "principal_px", "skew_px", "distortion", "cam_from_world"}
)


def parse_toml(source: Source) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        FileFormatError: not TOML, the last format that is tried.
    """
    try:
        return tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:  # ValueError: an integer of 5000 digits
        named_so = source.path.suffix.lower() == ".toml"
        what = "not a TOML file" if named_so else "not a camera file of any format that is known (docs/formats.md)"
        reason = str(error).removeprefix(f"{source.path}: ")
        raise source.error(f"{what}: {reason}") from error


def is_own(table: Mapping[str, Any]) -> bool:
    """Whether it can be our own format: it says so with its version, or holds [[camera]] tables."""
    return "version" in table or isinstance(table.get("camera"), list)


def own_cameras(table: Mapping[str, Any]) -> tuple[Camera, ...]:
    """The cameras of a parsed file.

    Raises:
        InputError: another version, an unknown or missing key, two cameras of one name, or numbers that are no camera.
    """
    return _cameras(table)


def own_text(cameras: Sequence[Camera]) -> str:
    """The text of a file that gives back every number exactly."""
    return f"version = {_VERSION}\n" + "".join(f"\n{_table_text(camera)}" for camera in cameras)


def _cameras(table: Mapping[str, Any]) -> tuple[Camera, ...]:
    if "video" in table and "camera" not in table:
        raise InputError(
            "no camera file: it says when each video began, as `mocap3d sync` writes it; give it as --sync, and as "
            "cameras a file of `mocap3d calibrate`"
        )
    _check_keys("the file", table, {"version", "camera"})
    if table.get("version") != _VERSION:
        raise InputError(f"must say version = {_VERSION}, got {table.get('version')!r}")
    entries = table.get("camera")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("must hold a [[camera]] table for each camera")
    cameras = tuple(_camera(entry, number) for number, entry in enumerate(entries, start=1))
    check_names(cameras)
    return cameras


def _camera(entry: Mapping[str, Any], number: int) -> Camera:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"camera {number} has no name")
    what = f"camera {name!r}"
    _check_keys(what, entry, _KEYS)
    size = finite(f"size_wh_px of {what}", entry.get("size_wh_px"), (2,))
    if not all(isinstance(value, int) for value in entry["size_wh_px"]):
        raise InputError(f"size_wh_px of {what} must be whole numbers, got {entry['size_wh_px']}")
    cx, cy = finite(f"principal_px of {what}", entry.get("principal_px", list((size - 1) / 2)), (2,))
    fx, fy = _focal_px(what, entry, max(size))
    skew = finite(f"skew_px of {what}", entry.get("skew_px", 0.0), ())
    distortion = entry.get("distortion", [])
    return Camera(
        name=name,
        size_wh_px=(int(size[0]), int(size[1])),
        model=entry.get("model", "brown-conrady"),
        K=np.array([[fx, float(skew), cx], [0, fy, cy], [0, 0, 1]]),
        distortion=finite(
            f"distortion of {what}", distortion, (len(distortion) if isinstance(distortion, list) else 0,)
        ),
        cam_from_world=finite(f"cam_from_world of {what}", entry.get("cam_from_world", np.eye(4).tolist()), (4, 4)),
    )


def _focal_px(what: str, entry: Mapping[str, Any], longer_px: float) -> NDArray[np.float64]:
    if ("focal_px" in entry) == ("fov_deg" in entry):
        raise InputError(f"{what} must give either focal_px or fov_deg")
    if "focal_px" in entry:
        return finite(f"focal_px of {what}", entry["focal_px"], (2,))
    fov_deg = float(finite(f"fov_deg of {what}", entry["fov_deg"], ()))
    if not 1 <= fov_deg <= 170:
        raise InputError(f"fov_deg of {what} must lie between 1 and 170 degrees, got {fov_deg}")
    return np.full(2, longer_px / 2 / math.tan(math.radians(fov_deg) / 2))


def _check_keys(what: str, table: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise InputError(f"{what} holds the unknown key {unknown[0]!r}; there are {', '.join(sorted(known))}")


def _table_text(camera: Camera) -> str:
    K = camera.K
    width, height = camera.size_wh_px
    rows = "".join(f"  {list_text(row)},\n" for row in camera.cam_from_world)
    return (
        "[[camera]]\n"
        f"name = {string_text(camera.name)}\n"
        f"size_wh_px = [{width}, {height}]\n"
        f'model = "{camera.model}"\n'
        f"focal_px = {list_text([K[0, 0], K[1, 1]])}\n"
        f"principal_px = {list_text([K[0, 2], K[1, 2]])}\n"
        f"skew_px = {float(K[0, 1])!r}\n"
        f"distortion = {list_text(camera.distortion)}\n"
        f"cam_from_world = [\n{rows}]\n"
    )


def list_text(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Numbers as TOML and JSON write them; reading gives back the same floats."""
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"  # repr gives back the same float


def string_text(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's, except that TOML also wants U+007F escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
