"""``camera.calibration`` of MPI-INF-3DHP: the text files of its authors' Skeletool.

::

    Skeletool Camera Calibration File V1.0
    name          0
      sensor      10 10
      size        2048 2048
      animated    0
      intrinsic   1497.693 0 1024.704 0 0 1497.103 1051.394 0 0 0 1 0 0 0 0 1
      extrinsic   0.9650164 0.00488022 0.262144 -562.8666 ... 0 0 0 1
      radial      0

``extrinsic`` is cam_from_world, row by row, millimetres; the camera looks along +z with y down, as ours do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.rotations import project_to_so3

__all__ = ["read_calibration"]

_TITLE = "Skeletool Camera Calibration File"


def read_calibration(path: Path) -> dict[str, Camera]:
    """Read all cameras of a file, by the names (numbers) that it gives them; world millimetres become metres.

    Raises:
        InputError: the file is not there.
        FileFormatError: not such a file, a camera without one of its fields, a moving camera, or lens distortion.
    """
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not lines or not lines[0].startswith(_TITLE):
        raise FileFormatError(f"the first line must begin with {_TITLE!r}", path=path, line=1)
    fields: dict[str, dict[str, list[str]]] = {}
    name = ""
    for number, line in enumerate(lines[1:], start=2):
        key, *words = line.split() or [""]
        if key == "name":
            name = " ".join(words)
            if name in fields:
                raise FileFormatError(f"camera {name!r} is there twice", path=path, line=number)
            fields[name] = {}
        elif key and not fields:
            raise FileFormatError(f"{key!r} before the first name", path=path, line=number)
        elif key:
            fields[name][key] = words
    cameras = {}
    for name, camera in fields.items():
        try:
            cameras[name] = _camera(name, camera)
        except (KeyError, ValueError, IndexError, OverflowError) as error:
            raise FileFormatError(f"camera {name!r}: {error}", path=path) from None
    if not cameras:
        raise FileFormatError("no cameras", path=path)
    return cameras


def _camera(name: str, fields: dict[str, list[str]]) -> Camera:
    if float(fields.get("animated", ["0"])[0]) or any(float(word) for word in fields.get("radial", [])):
        raise InputError("moves, or has lens distortion, which the data set's cameras do not")
    width, height = (int(float(word)) for word in fields["size"][:2])
    cam_from_world = _matrix(fields["extrinsic"])
    if not np.allclose(cam_from_world[:3, :3] @ cam_from_world[:3, :3].T, np.eye(3), atol=1e-3):
        raise InputError("extrinsic must be a rotation and a translation")
    cam_from_world[:3, :3] = project_to_so3(cam_from_world[:3, :3])  # seven printed digits are not quite a rotation
    cam_from_world[:3, 3] /= 1000
    return Camera(
        name=name, size_wh_px=(width, height), K=_matrix(fields["intrinsic"])[:3, :3], cam_from_world=cam_from_world
    )


def _matrix(words: list[str]) -> NDArray[np.float64]:
    values = np.array(words, dtype=np.float64)
    if values.shape != (16,) or not np.isfinite(values).all():
        raise InputError(f"16 numbers expected, got {len(words)} words")
    return values.reshape(4, 4)
