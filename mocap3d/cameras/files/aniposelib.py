"""The TOML of aniposelib, which Anipose, FreeMoCap, Caliscope and Pose2Sim read and write in dialects of their own.

One table per camera: ``name``, ``size``, ``matrix``, ``distortions`` (OpenCV's order), ``rotation`` (a rotation vector;
in Caliscope's own files a matrix) and ``translation`` of ``cam_from_world``, OpenCV axes; ``fisheye = true`` for that
lens. ``[metadata]`` and Caliscope's other tables say nothing of cameras. Pixel centres are OpenCV's, which are ours.

Neither unit nor up axis is in the file. aniposelib and FreeMoCap give lengths in the board's unit, mostly millimetres;
Caliscope and Pose2Sim give metres. Pose2Sim, which alone writes ``fisheye = false``, means a Z-up world; the others
mean whatever the first camera or the board was, which is left as it is unless the caller says more.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.rotations import matrix_to_rotvec
from mocap3d.cameras.files.own_toml import list_text, string_text
from mocap3d.cameras.files.source import (
    UPS,
    Floats,
    camera_matrix,
    finite,
    moved_world,
    pose,
    rotation,
    turned,
    whole_size,
)

__all__ = ["aniposelib_cameras", "aniposelib_text", "is_aniposelib", "pose2sim_text"]

_ROTATIONS: Final = {3: "rotation vector", 9: "matrix"}
_LENS_SIZES: Final = {False: (0, 4, 5, 8, 12, 14), True: (0, 4)}


def _tables(table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each camera's table with the name that its header gives it."""
    for key, value in table.items():
        if not isinstance(value, dict):
            continue
        if "matrix" in value or "distortions" in value:
            yield key, value
        elif key == "cameras":  # Caliscope's newer files: [cameras.0]
            yield from ((f"cam_{name}", inner) for name, inner in value.items() if isinstance(inner, dict))


def is_aniposelib(table: Mapping[str, Any]) -> bool:
    """Whether a parsed TOML file holds a camera in one of these dialects."""
    return next(_tables(table), None) is not None


def aniposelib_cameras(
    table: Mapping[str, Any], *, up: str | None = None, unit_m: float | None = None
) -> tuple[Camera, ...]:
    """The cameras of a parsed file; those that Caliscope was told to ignore are left out.

    Args:
        table: the file.
        up: the axis that points up; None: Z where Pose2Sim wrote the file, else Y, which leaves the axes as they are.
        unit_m: how long one unit is; None: a metre.

    Raises:
        InputError: a key is missing, or numbers are no camera.
    """
    entries = [(key, entry) for key, entry in _tables(table) if entry.get("ignore") is not True]
    by_pose2sim = any(entry.get("fisheye") is False for _, entry in entries)
    axis = up if up is not None else "Z" if by_pose2sim else "Y"
    return tuple(_camera(key, entry, axis, 1.0 if unit_m is None else unit_m) for key, entry in entries)


def _camera(key: str, entry: Mapping[str, Any], up: str, unit_m: float) -> Camera:
    name = entry.get("name", key)
    if not isinstance(name, (str, int)) or isinstance(name, bool) or str(name) == "":
        raise InputError(f"the name of table [{key}] must be text, got {name!r}")
    what = f"camera {str(name)!r}"
    for needed in ("size", "matrix", "distortions"):
        if needed not in entry:
            raise InputError(f"{what} has no {needed}")
    if entry.get("rotation_count", 0) not in (0, 4, -4):
        warnings.warn(
            f"{what}: Caliscope turned its pictures {entry['rotation_count']} times by 90 degrees; the camera is for "
            "pictures as they were filmed",
            Mocap3dWarning,
            stacklevel=5,
        )
    fisheye = entry.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise InputError(f"fisheye of {what} must be true or false, got {fisheye!r}")
    return Camera(
        name=str(name),
        size_wh_px=whole_size(what, entry["size"]),
        model="fisheye" if fisheye else "brown-conrady",
        K=camera_matrix(f"matrix of {what}", finite(f"matrix of {what}", entry["matrix"], (3, 3))),
        distortion=_distortion(what, entry["distortions"], fisheye),
        cam_from_world=moved_world(_pose(what, entry, unit_m), up),
    )


def _distortion(what: str, value: object, fisheye: bool) -> Floats:
    numbers = finite(f"distortions of {what}", np.ravel(np.array(value, dtype=object)).tolist(), (None,))
    if fisheye and len(numbers) == 5 and numbers[4] == 0:  # some programs pad to OpenCV's default
        return numbers[:4]
    if len(numbers) not in _LENS_SIZES[fisheye]:
        sizes = ", ".join(map(str, _LENS_SIZES[fisheye]))
        raise InputError(f"distortions of {what} must be {sizes} numbers, got {len(numbers)}")
    return numbers


def _pose(what: str, entry: Mapping[str, Any], unit_m: float) -> Floats:
    """``cam_from_file``; the identity where only the lens is known so far."""
    if "rotation" not in entry and "translation" not in entry:
        return np.eye(4)
    for needed in ("rotation", "translation"):
        if needed not in entry:
            raise InputError(f"{what} has no {needed}")
    numbers = _rotation_numbers(what, entry["rotation"])
    called = f"rotation of {what}"
    R = turned(called, numbers) if len(numbers) == 3 else rotation(called, numbers.reshape(3, 3))
    moved = finite(f"translation of {what}", np.ravel(np.array(entry["translation"], dtype=object)).tolist(), (3,))
    return pose(R, moved * unit_m)


def _rotation_numbers(what: str, value: object) -> Floats:
    """A rotation in one of the forms that there are: (3), (3, 1) or (3, 3)."""
    flat = np.ravel(np.array(value, dtype=object)).tolist() if not _ragged(value) else []
    if len(flat) not in _ROTATIONS:
        raise InputError(f"rotation of {what} must be 3 numbers or a 3x3 matrix, got {str(value)[:80]}")
    return finite(f"rotation of {what}", flat, (len(flat),))


def _ragged(value: object) -> bool:
    return isinstance(value, list) and len({len(row) if isinstance(row, list) else -1 for row in value}) > 1


def aniposelib_text(cameras: Sequence[Camera]) -> str:
    """The text of a file as aniposelib writes it; metres, our world."""
    return "".join(_table_text(n, camera, "Y", ()) for n, camera in enumerate(cameras)) + "[metadata]\n"


def pose2sim_text(cameras: Sequence[Camera]) -> str:
    """The text of a file as Pose2Sim writes it: metres, a Z-up world."""
    for camera in cameras:
        if camera.model == "fisheye":
            raise InputError(f"Pose2Sim's file has no fisheye lens, which camera {camera.name!r} has")
    tables = [_table_text(n, camera, "Z", ("fisheye = false",)) for n, camera in enumerate(cameras)]
    return "".join(tables) + "[metadata]\nadjusted = false\nerror = 0.0\n"


def _table_text(number: int, camera: Camera, up: str, more: Sequence[str]) -> str:
    R = camera.cam_from_world[:3, :3] @ UPS[up]
    lines = [
        f"[cam_{number}]",
        f"name = {string_text(camera.name)}",
        f"size = [{camera.size_wh_px[0]}, {camera.size_wh_px[1]}]",
        "matrix = [" + ", ".join(list_text(row) for row in camera.K) + "]",
        f"distortions = {list_text(camera.distortion)}",
        f"rotation = {list_text(matrix_to_rotvec(R))}",
        f"translation = {list_text(camera.cam_from_world[:3, 3])}",
        *(["fisheye = true"] if camera.model == "fisheye" else []),
        *more,
    ]
    return "\n".join(lines) + "\n\n"
