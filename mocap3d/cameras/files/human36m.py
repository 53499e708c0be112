"""Human3.6M's cameras as JSON, in the layout of github.com/karfly/human36m-camera-parameters.

``intrinsics``: camera id -> ``calibration_matrix`` (3x3) and ``distortion`` (k1 k2 p1 p2 k3); ``extrinsics``: subject
-> camera id -> ``R`` (3x3) and ``t`` (3x1) of ``cam_from_world``, millimetres, a Z-up world. Pictures are 1000x1002 for
two of the cameras and 1000x1000 for the other two, which the file does not say. Pixels are taken as OpenCV's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.cameras.files.source import UPS, camera_matrix, finite, moved_world, pose, rotation

__all__ = ["human36m_cameras", "human36m_text", "is_human36m"]

Tree = Mapping[str, Any]
_TALL: Final = ("54138969", "60457274")  # 1002 rows


def is_human36m(tree: Tree) -> bool:
    """Whether it is such a table."""
    return isinstance(tree.get("intrinsics"), dict) and isinstance(tree.get("extrinsics"), dict)


def human36m_cameras(tree: Tree, *, up: str | None = None, subject: str | None = None) -> tuple[Camera, ...]:
    """The cameras as they stood for each subject, called "S1/54138969", or of one subject, called "54138969".

    Raises:
        InputError: no such subject, something is missing, or numbers are no camera.
    """
    subjects = tree["extrinsics"]
    if subject is not None and subject not in subjects:
        raise InputError(f"has no subject {subject!r}; there are {', '.join(map(str, subjects))}")
    cameras = []
    for who in subjects if subject is None else [subject]:
        places = subjects[who]
        if not isinstance(places, dict):
            raise InputError(f"extrinsics of {who!r} must be a table of cameras")
        cameras += [_camera(tree, who, number, up or "Z", subject is None) for number in places]
    return tuple(cameras)


def _camera(tree: Tree, who: str, number: str, up: str, with_subject: bool) -> Camera:
    what = f"camera {number!r} of {who!r}"
    lens = _part(what, tree["intrinsics"].get(number), ("calibration_matrix", "distortion"))
    place = _part(what, tree["extrinsics"][who][number], ("R", "t"))
    moved_mm = finite(f"t of {what}", place["t"], (3, 1))[:, 0]
    return Camera(
        name=f"{who}/{number}" if with_subject else number,
        size_wh_px=(1000, 1002 if number in _TALL else 1000),
        K=camera_matrix(f"the matrix of {what}", finite(f"the matrix of {what}", lens["calibration_matrix"], (3, 3))),
        distortion=finite(f"the distortion of {what}", lens["distortion"], (5,)),
        cam_from_world=moved_world(
            pose(rotation(f"R of {what}", finite(f"R of {what}", place["R"], (3, 3))), moved_mm / 1000), up
        ),
    )


def _part(what: str, part: object, keys: tuple[str, ...]) -> Tree:
    if not isinstance(part, dict) or not set(keys) <= set(part):
        raise InputError(f"{what} must have {' and '.join(keys)}")
    return part


def human36m_text(cameras: Sequence[Camera]) -> str:
    """The text of such a table, of cameras that are called "S1/54138969".

    Raises:
        InputError: other names, another picture size or lens, or one lens that differs between subjects.
    """
    lenses: dict[str, Any] = {}
    places: dict[str, dict[str, Any]] = {}
    for camera in cameras:
        who, slash, number = camera.name.partition("/")
        if not (who and slash and number):
            raise InputError(
                f"in Human3.6M's table cameras are called SUBJECT/ID, such as S1/54138969: {camera.name!r}"
            )
        if camera.model != "brown-conrady" or len(camera.distortion) > 5:
            raise InputError(f"Human3.6M's table holds k1 k2 p1 p2 k3 only: camera {camera.name!r} has another lens")
        if camera.size_wh_px != (1000, 1002 if number in _TALL else 1000):
            raise InputError(f"Human3.6M's table has no picture sizes: {camera.name!r} cannot be {camera.size_wh_px}")
        bent = np.pad(camera.distortion, (0, 5 - len(camera.distortion)))
        lens = {"calibration_matrix": camera.K.tolist(), "distortion": bent.tolist()}
        if lenses.setdefault(number, lens) != lens:
            raise InputError(f"Human3.6M's table has one lens for each camera, {number!r} has several")
        R = camera.cam_from_world[:3, :3] @ UPS["Z"]
        moved_mm = camera.cam_from_world[:3, 3:] * 1000
        places.setdefault(who, {})[number] = {"R": R.tolist(), "t": moved_mm.tolist()}
    return json.dumps({"intrinsics": lenses, "extrinsics": places}, indent=1) + "\n"
