"""Reading and writing camera files of any format: telling which it is, and handing it on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.files import atomic_path
from mocap3d.cameras.files.aniposelib import aniposelib_cameras, aniposelib_text, is_aniposelib, pose2sim_text
from mocap3d.cameras.files.human36m import human36m_cameras, human36m_text, is_human36m
from mocap3d.cameras.files.opencv_files import (
    INTRI,
    easymocap_texts,
    is_lens,
    is_named,
    lens_camera,
    named_cameras,
    opencv_text,
)
from mocap3d.cameras.files.opencv_storage import is_json, is_yaml, read_json, read_yaml
from mocap3d.cameras.files.own_toml import is_own, own_cameras, own_text, parse_toml
from mocap3d.cameras.files.qualisys import is_qualisys, qualisys_text, read_qualisys
from mocap3d.cameras.files.source import UPS, Source, check_names, load_source

__all__ = ["FORMATS", "read_cameras", "write_cameras"]

_FAR_M: Final = 500.0  # between two cameras of one rig; farther means millimetres

_ONE_FILE: Final[Mapping[str, Callable[[Sequence[Camera]], str]]] = {
    "toml": own_text,
    "aniposelib": aniposelib_text,
    "human36m": human36m_text,
    "opencv": opencv_text,
    "opencv-json": lambda cameras: opencv_text(cameras, as_json=True),
    "pose2sim": pose2sim_text,
    "qualisys": qualisys_text,
}

FORMATS: Final = (*_ONE_FILE, "easymocap")
"""The formats that can be written, by the names that `write_cameras` takes."""


def read_cameras(
    path: str | os.PathLike[str], *, up: str | None = None, unit_m: float | None = None, subject: str | None = None
) -> tuple[Camera, ...]:
    """Read a camera file of any format.

    Args:
        path: the file; of EasyMocap either of the two, or their folder.
        up: the axis that points up in the world of another program's file, "Y", "Z", "-Y" or "-Z"; what its format
            says when None.
        unit_m: how many metres one unit is, for formats that do not say: aniposelib's and EasyMocap's; 1 when None.
        subject: of Human3.6M's table, whose cameras; all of them when None.

    Raises:
        InputError: no such file, or ``up`` or ``unit_m`` mean nothing.
        FileFormatError: no format that is known, or a file that is damaged or means no camera; it says where.
    """
    if up is not None and up not in UPS:
        raise InputError(f"up must be one of {', '.join(UPS)}, got {up!r}")
    if unit_m is not None and not 0 < unit_m < np.inf:
        raise InputError(f"unit_m must be above 0, got {unit_m}")
    where = Path(path)
    source = load_source(where / INTRI if (where / INTRI).is_file() else where)
    try:
        cameras = _parse(source, up, unit_m, subject)
        check_names(cameras)
    except FileFormatError:
        raise
    except InputError as error:
        raise source.error(str(error)) from error
    return cameras


def _parse(source: Source, up: str | None, unit_m: float | None, subject: str | None) -> tuple[Camera, ...]:
    if is_qualisys(source.data):
        return read_qualisys(source, up=up or "Z")
    if is_json(source.data) or is_yaml(source.data):
        tree = read_json(source) if is_json(source.data) else read_yaml(source)
        if is_human36m(tree):
            return human36m_cameras(tree, up=up, subject=subject)
        if is_named(tree):
            return _in_metres(source, named_cameras(source, tree, up=up, unit_m=unit_m))
        if is_lens(tree):
            return (lens_camera(source, tree),)
        raise source.error("holds neither names (EasyMocap), nor camera_matrix (OpenCV), nor intrinsics (Human3.6M)")
    table = parse_toml(source)
    if is_own(table) or not is_aniposelib(table):
        return own_cameras(table)
    return _in_metres(source, aniposelib_cameras(table, up=up, unit_m=unit_m))


def _in_metres(source: Source, cameras: tuple[Camera, ...]) -> tuple[Camera, ...]:
    """Say so where the format does not tell its unit and the cameras stand farther apart than cameras do."""
    check_names(cameras)
    centres = np.stack([camera.world_from_cam[:3, 3] for camera in cameras])
    across = float(np.linalg.norm(np.ptp(centres, axis=0)))
    if across > _FAR_M:
        warnings.warn(
            f"{source.path}: its cameras stand {across:.0f} m apart; if the file is in millimetres, say unit_m=0.001",
            Mocap3dWarning,
            stacklevel=4,
        )
    return cameras


def write_cameras(cameras: Sequence[Camera], path: str | os.PathLike[str], format: str | None = None) -> None:
    """Write a camera file.

    Args:
        cameras: at least one; no two of one name.
        path: where to; for EasyMocap a folder, or one of its two files.
        format: one of `FORMATS`; when None, ``.qca.txt`` means "qualisys", ``intri.yml`` and ``extri.yml`` "easymocap",
            ``.yml`` and ``.yaml`` "opencv", ``.json`` "opencv-json", and anything else our own TOML, which
            `read_cameras` reads back exactly.

    Raises:
        InputError: no camera, two of one name, a lens or name that the format cannot hold, or the file cannot be
            written.
    """
    check_names(cameras)
    target = Path(path)
    chosen = format if format is not None else _format_of(target.name.lower())
    if chosen not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, got {chosen!r}")
    if chosen != "easymocap":
        _write(target, _ONE_FILE[chosen](cameras))
        return
    folder = target.parent if target.suffix in (".yml", ".yaml") else target
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror or error}") from error
    for name, text in easymocap_texts(cameras).items():
        _write(folder / name, text)


def _format_of(name: str) -> str:
    if name.endswith(".qca.txt"):
        return "qualisys"
    if name in ("intri.yml", "extri.yml"):
        return "easymocap"
    return {".yml": "opencv", ".yaml": "opencv", ".json": "opencv-json"}.get(Path(name).suffix, "toml")


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
