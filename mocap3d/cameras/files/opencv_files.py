"""Cameras in OpenCV's YAML and JSON: EasyMocap's pair of files, one file of many cameras, or a single calibrated lens.

* EasyMocap: ``intri.yml`` (``names``, ``K_name``, ``dist_name``, sometimes ``W_name`` and ``H_name``) and ``extri.yml``
  (``R_name`` a rotation vector, ``Rot_name`` the matrix, ``T_name``): ``cam_from_world``, metres, a Z-up world. Give
  either file, or their folder. Both in one file is how we write ``format="opencv"``.
* OpenCV's and ROS's calibration programs: ``camera_matrix``, ``distortion_coefficients``, ``image_width`` and
  ``image_height``: a lens without a place.

Where no picture size is given, it is taken as twice the principal point, with a warning. Pixel centres are OpenCV's,
which are ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.rotations import matrix_to_rotvec
from mocap3d.cameras.files.opencv_storage import json_text, read_yaml, yaml_text
from mocap3d.cameras.files.source import (
    UPS,
    Floats,
    Source,
    camera_matrix,
    finite,
    load_source,
    moved_world,
    pose,
    rotation,
    turned,
    whole_size,
)

__all__ = ["EXTRI", "INTRI", "easymocap_texts", "is_lens", "is_named", "lens_camera", "named_cameras", "opencv_text"]

Tree = Mapping[str, Any]

INTRI: Final = "intri.yml"
EXTRI: Final = "extri.yml"
_LENS_KEYS: Final = ("camera_matrix", "cameraMatrix", "Camera_Matrix", "K", "M", "mtx")
_BEND_KEYS: Final = ("distortion_coefficients", "distCoeffs", "Distortion_Coefficients", "dist", "D", "distortion")
_FISHEYE_NAMES: Final = ("fisheye", "equidistant", "kannala_brandt")


def is_named(tree: Tree) -> bool:
    """Whether it lists cameras by name, as EasyMocap does."""
    return isinstance(tree.get("names"), list)


def is_lens(tree: Tree) -> bool:
    """Whether it holds one lens."""
    return any(key in tree for key in _LENS_KEYS)


def named_cameras(source: Source, tree: Tree, *, up: str | None, unit_m: float | None) -> tuple[Camera, ...]:
    """The cameras of EasyMocap's files; the second of the pair is looked for beside the first.

    Raises:
        InputError: something is missing, or numbers are no camera.
        FileFormatError: the other file is damaged.
    """
    names = [_name(value) for value in tree["names"]]
    names = [name for name in names if name != "none"]
    has_lens = any(f"K_{name}" in tree for name in names)
    has_place = any(f"T_{name}" in tree for name in names)
    lenses, places = tree, tree
    if not has_place:
        places = _beside(source, EXTRI)
        if not places:
            warnings.warn(
                f"{source.path}: no {EXTRI} beside it, so the cameras have a lens and no place",
                Mocap3dWarning,
                stacklevel=5,
            )
    elif not has_lens:
        lenses = _beside(source, INTRI)
        if not lenses:
            raise InputError(f"holds no lens, and there is no {INTRI} beside it")
    return tuple(_named(name, lenses, places, up or "Z", 1.0 if unit_m is None else unit_m) for name in names)


def _name(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or str(value) == "":
        raise InputError(f"names must be a list of names, got {value!r} in it")
    return str(value)


def _beside(source: Source, name: str) -> Tree:
    other = source.path.with_name(name)
    if not other.is_file() or other.name == source.path.name:
        return {}
    return read_yaml(load_source(other))


def _named(name: str, lenses: Tree, places: Tree, up: str, unit_m: float) -> Camera:
    what = f"camera {name!r}"
    if f"K_{name}" not in lenses:
        raise InputError(f"{what} has no K_{name}")
    K = camera_matrix(f"K_{name}", finite(f"K_{name}", lenses[f"K_{name}"], (3, 3)))
    bent: object = lenses.get(f"dist_{name}", lenses.get(f"D_{name}", []))
    fisheye = _is_fisheye(lenses.get(f"model_{name}", ""))
    width, height = lenses.get(f"W_{name}"), lenses.get(f"H_{name}")
    return Camera(
        name=name,
        size_wh_px=_size(what, K, [width, height]),
        model="fisheye" if fisheye else "brown-conrady",
        K=K,
        distortion=_bent(what, bent, fisheye),
        cam_from_world=moved_world(_place(name, places, unit_m), up) if places else np.eye(4),
    )


def _place(name: str, places: Tree, unit_m: float) -> Floats:
    what = f"camera {name!r}"
    if f"T_{name}" not in places or not {f"R_{name}", f"Rot_{name}"} & set(places):
        raise InputError(f"{what} has no T_{name}, or neither R_{name} nor Rot_{name}")
    moved = _flat(f"T_{name}", places[f"T_{name}"], (3,))
    if f"Rot_{name}" in places:
        R = rotation(f"Rot_{name}", finite(f"Rot_{name}", places[f"Rot_{name}"], (3, 3)))
    else:
        R = turned(f"R_{name}", _flat(f"R_{name}", places[f"R_{name}"], (3,)))
    return pose(R, moved * unit_m)


def lens_camera(source: Source, tree: Tree) -> Camera:
    """The one lens of a calibration program's file, called as the file, with the identity for a place.

    Raises:
        InputError: something is missing, or numbers are no camera.
    """
    name = tree.get("camera_name")
    name = name if isinstance(name, str) and name else source.path.stem
    key = next(key for key in _LENS_KEYS if key in tree)
    K = camera_matrix(key, finite(key, tree[key], (3, 3)))
    size = tree.get("image_size", tree.get("size", [tree.get("image_width"), tree.get("image_height")]))
    fisheye = _is_fisheye(tree.get("distortion_model", tree.get("model", "")))
    bent: object = next((tree[key] for key in _BEND_KEYS if key in tree), [])
    return Camera(
        name=name,
        size_wh_px=_size(f"camera {name!r}", K, size),
        model="fisheye" if fisheye else "brown-conrady",
        K=K,
        distortion=_bent(f"camera {name!r}", bent, fisheye),
    )


def _is_fisheye(model: object) -> bool:
    return isinstance(model, str) and model.lower() in _FISHEYE_NAMES


def _size(what: str, K: Floats, given: Any) -> tuple[int, int]:
    missing = not isinstance(given, (list, np.ndarray)) or any(n is None or n == -1 for n in given)
    if not missing:
        return whole_size(what, given)
    guess = np.round(2 * K[:2, 2] + 1)
    if (guess < 2).any() or (guess > 10**6).any():
        raise InputError(f"{what} has no picture size, and none can be guessed from its principal point")
    warnings.warn(
        f"{what}: the file does not say the size of its pictures; twice its principal point, "
        f"{int(guess[0])}x{int(guess[1])}, is taken",
        Mocap3dWarning,
        stacklevel=6,
    )
    return int(guess[0]), int(guess[1])


def _bent(what: str, value: object, fisheye: bool) -> Floats:
    numbers = _flat(f"the distortion of {what}", value, (None,))
    if fisheye and len(numbers) == 5 and numbers[4] == 0:  # EasyMocap always writes five
        return numbers[:4]
    sizes = (0, 4) if fisheye else (0, 4, 5, 8, 12, 14)
    if len(numbers) not in sizes:
        raise InputError(f"the distortion of {what} must be {', '.join(map(str, sizes))} numbers, got {len(numbers)}")
    return numbers


def _flat(what: str, value: object, shape: tuple[int | None]) -> Floats:
    """Numbers that may stand in a row, in a column, or in a list."""
    if isinstance(value, np.ndarray):
        return finite(what, value.ravel(), shape)
    nested = value if isinstance(value, list) else [value]
    flat = [n for row in nested for n in (row if isinstance(row, list) else [row])]
    return finite(what, flat, shape)


def easymocap_texts(cameras: Sequence[Camera]) -> dict[str, str]:
    """The texts of ``intri.yml`` and ``extri.yml``: metres, a Z-up world.

    Raises:
        InputError: a name or a lens that they cannot hold.
    """
    lenses: dict[str, Any] = {"names": [camera.name for camera in cameras]}
    places = dict(lenses)
    for camera in cameras:
        if len(camera.distortion) > 5 or camera.model == "fisheye":
            raise InputError(f"EasyMocap's files hold k1 k2 p1 p2 k3 only: camera {camera.name!r} has another lens")
        lenses |= _lens_values(camera, np.pad(camera.distortion, (0, 5 - len(camera.distortion))))
        places |= _place_values(camera)
    return {INTRI: yaml_text(lenses), EXTRI: yaml_text(places)}


def opencv_text(cameras: Sequence[Camera], as_json: bool = False) -> str:
    """The text of one file with all cameras, YAML or JSON: EasyMocap's keys, any lens; metres, a Z-up world.

    Raises:
        InputError: a name that it cannot hold.
    """
    values: dict[str, Any] = {"names": [camera.name for camera in cameras]}
    for camera in cameras:
        values |= (
            _lens_values(camera, camera.distortion) | {f"model_{camera.name}": camera.model} | _place_values(camera)
        )
    return json_text(values) if as_json else yaml_text(values)


def _lens_values(camera: Camera, bent: Floats) -> dict[str, Any]:
    name = camera.name
    if (
        name != name.strip()
        or not name.isprintable()
        or set(name) & set(":\"'#\\")
        or name == "none"
        or name[0] in "[{-"
    ):
        raise InputError(f"OpenCV's files cannot hold the name {name!r}: rename the camera")
    width, height = camera.size_wh_px
    return {f"K_{name}": camera.K, f"dist_{name}": bent[None], f"W_{name}": width, f"H_{name}": height}


def _place_values(camera: Camera) -> dict[str, Any]:
    R = camera.cam_from_world[:3, :3] @ UPS["Z"]
    moved = camera.cam_from_world[:3, 3:]
    return {f"R_{camera.name}": matrix_to_rotvec(R)[:, None], f"Rot_{camera.name}": R, f"T_{camera.name}": moved}
