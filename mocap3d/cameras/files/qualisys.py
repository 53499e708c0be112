"""Qualisys Track Manager's calibration: ``.qca.txt``, which is XML.

Conventions of the format, as found in files and in the programs that read them:

* lengths are millimetres, the world is Z-up; ``x y z`` is where the camera stands;
* ``r11 .. r33``, row by row, turn world into camera axes: x right, y **up**, z **backwards** (it looks along -z);
* focal lengths, centre and skew are in 1/64 of a pixel, and so is the sensor: 0 to 64 (width - 1), which says that
  (0, 0) is the centre of the top-left pixel, as here;
* ``fov_video`` is the part of the sensor that the video shows, its last column and row included; with
  ``video_resolution="720p"`` the pictures are that many rows of 1080 smaller;
* distortion is OpenCV's: radial 1, 2, tangential 1, 2, radial 3.

Cameras that see markers instead of video stand in the same file; they are left out where video cameras are there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.cameras.files.source import UPS, Floats, Source, moved_world, pose, rotation

__all__ = ["is_qualisys", "qualisys_text", "read_qualisys"]

_SUBPIXELS: Final = 64.0
_GL_FROM_CV: Final = np.diag([1.0, -1.0, -1.0])
_CAMERA: Final = ("calibration", "cameras", "camera")
_PARTS: Final = ("fov_video", "transform", "intrinsic")
_MAX_DEPTH: Final = 50


@dataclass(slots=True)
class _Element:
    """A camera element or a child of one: its attributes and its line."""

    line: int
    attributes: Mapping[str, str]
    children: dict[str, _Element] = field(default_factory=dict)


def is_qualisys(data: bytes) -> bool:
    """Whether the bytes can be nothing else: XML with a calibration in it."""
    head = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"<opencv_storage" not in head


def read_qualisys(source: Source, *, up: str = "Z") -> tuple[Camera, ...]:
    """Read the cameras.

    Args:
        source: the file.
        up: the axis of its world that points up; QTM's default is Z.

    Raises:
        FileFormatError: not XML, or no calibration, or numbers that are no camera; with its line.
    """
    elements = _parse(source)
    video = [element for element in elements if _films(element)]
    if not video:
        raise source.error("holds no active <camera> in calibration/cameras")
    return tuple(_camera(source, element, up) for element in video)


def _films(element: _Element) -> bool:
    model = element.attributes.get("model", "none").lower()
    return element.attributes.get("active", "1") != "0" and ("video" in model or model in ("", "none"))


def _parse(source: Source) -> list[_Element]:
    parser = expat.ParserCreate()
    found: list[_Element] = []
    path: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag)
        if len(path) > _MAX_DEPTH:
            raise source.error("elements are nested too deeply for a calibration", parser.CurrentLineNumber)
        element = _Element(parser.CurrentLineNumber, attributes)
        if tuple(path[-3:]) == _CAMERA:
            found.append(element)
        elif tuple(path[-4:-1]) == _CAMERA:
            found[-1].children.setdefault(tag, element)

    def end(_: str) -> None:
        path.pop()

    def doctype(*_: object) -> None:
        raise source.error("a <!DOCTYPE> has no place in a calibration", parser.CurrentLineNumber)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype  # entities could blow a short file up
    try:
        parser.Parse(source.data, True)
    except expat.ExpatError as error:
        raise source.error(f"not XML: {expat.ErrorString(error.code)}", error.lineno) from None
    except FileFormatError:
        raise
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise source.error(f"not XML that can be read: {error}") from None
    return found


def _camera(source: Source, element: _Element, up: str) -> Camera:
    name = element.attributes.get("serial", "").strip()
    if not name:
        raise source.error("a <camera> has no serial", element.line)
    for part in _PARTS:
        if part not in element.children:
            raise source.error(f"camera {name!r} has no <{part}>", element.line)
    turned = element.attributes.get("viewrotation", "0")
    if turned.strip() not in ("", "0"):
        warnings.warn(
            f"{source.path}: QTM shows camera {name!r} turned by {turned} degrees; the camera is for its sensor's "
            "pictures, which must not be turned",
            Mocap3dWarning,
            stacklevel=4,
        )
    try:
        return _assembled(source, element, name, up)
    except FileFormatError:
        raise
    except InputError as error:
        raise source.error(str(error), element.line) from error


def _assembled(source: Source, element: _Element, name: str, up: str) -> Camera:
    view, place, lens = (element.children[part] for part in _PARTS)
    left, top, right, bottom = _numbers(source, name, view, ("left", "top", "right", "bottom"))
    scale = _scale(element.attributes.get("video_resolution", ""))
    size = np.array([right - left + 1, bottom - top + 1]) * scale
    if not (size >= 1).all() or not (size <= 100_000).all():
        raise source.error(f"camera {name!r} shows no picture: fov_video is {dict(view.attributes)}", view.line)
    keys = ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV", "skew")
    fx, fy, cx, cy, skew = _numbers(source, name, lens, keys, {"skew": "0"}) / _SUBPIXELS
    # A smaller picture: the corner of the first pixel stays, its centre (0, 0) does not.
    cx, cy = (cx - left + 0.5) * scale - 0.5, (cy - top + 0.5) * scale - 0.5
    bends = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    bent = _numbers(source, name, lens, (*bends, "radialDistortion3"), {"radialDistortion3": "0"})
    centre_m = _numbers(source, name, place, ("x", "y", "z")) / 1000
    rows = _numbers(source, name, place, tuple(f"r{i}{j}" for i in "123" for j in "123")).reshape(3, 3)
    R = rotation(f"the transform of camera {name!r}", _GL_FROM_CV @ rows)
    return Camera(
        name=name,
        size_wh_px=(round(size[0]), round(size[1])),
        K=np.array([[fx * scale, skew * scale, cx], [0.0, fy * scale, cy], [0.0, 0.0, 1.0]]),
        distortion=bent,
        cam_from_world=moved_world(pose(R, -R @ centre_m), up),
    )


def _scale(resolution: str) -> float:
    """How much smaller than the sensor the pictures are: "720p" of 1080 rows."""
    match = re.fullmatch(r"\s*(\d{3,4})\s*[pP]?\s*", resolution)
    return min(int(match[1]), 1080) / 1080 if match else 1.0


def _numbers(
    source: Source, name: str, element: _Element, keys: Sequence[str], defaults: Mapping[str, str] | None = None
) -> Floats:
    values = []
    for key in keys:
        text = element.attributes.get(key, (defaults or {}).get(key))
        if text is None:
            raise source.error(f"camera {name!r} has no {key}", element.line)
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise source.error(f"{key} of camera {name!r} must be a finite number, got {text!r}", element.line)
        values.append(value)
    return np.array(values)


def qualisys_text(cameras: Sequence[Camera]) -> str:
    """The text of a file that `read_qualisys` reads back (Z-up, millimetres).

    Raises:
        InputError: a lens that the format has no words for.
    """
    return "\n".join(
        [
            "<?xml version='1.0' encoding='UTF-8'?>",
            '<calibration type="regular">',
            "  <cameras>",
            *(line for camera in cameras for line in _camera_lines(camera)),
            "  </cameras>",
            "</calibration>\n",
        ]
    )


def _camera_lines(camera: Camera) -> list[str]:
    if camera.model != "brown-conrady" or len(camera.distortion) > 5:
        raise InputError(f"a .qca.txt holds k1 k2 p1 p2 k3 only: the lens of camera {camera.name!r} is more than that")
    if camera.name != camera.name.strip() or not camera.name.isprintable():
        raise InputError(f"a .qca.txt cannot hold the name {camera.name!r}: rename the camera")
    k1, k2, p1, p2, k3 = np.pad(camera.distortion, (0, 5 - len(camera.distortion)))
    width, height = camera.size_wh_px
    K = camera.K * _SUBPIXELS
    place = camera.cam_from_world.copy()
    place[:3, :3] = place[:3, :3] @ UPS["Z"]  # from a Z-up world
    centre_mm = -place[:3, :3].T @ place[:3, 3] * 1000
    rows = _GL_FROM_CV @ place[:3, :3]
    view = {"bottom": height - 1, "left": 0, "right": width - 1, "top": 0}
    lens = {
        **{"centerPointU": K[0, 2], "centerPointV": K[1, 2], "focalLengthU": K[0, 0], "focalLengthV": K[1, 1]},
        **{"radialDistortion1": k1, "radialDistortion2": k2, "radialDistortion3": k3},
        **{"sensorMaxU": (width - 1) * 64, "sensorMaxV": (height - 1) * 64, "sensorMinU": 0, "sensorMinV": 0},
        **{"skew": K[0, 1], "tangentalDistortion1": p1, "tangentalDistortion2": p2},
    }
    turn = {f"r{i + 1}{j + 1}": rows[i, j] for i in range(3) for j in range(3)}
    return [
        f'    <camera active="1" model="none" serial={quoteattr(camera.name)} viewrotation="0">',
        _element("fov_video", view),
        _element("transform", turn | dict(zip("xyz", centre_mm, strict=True))),
        _element("intrinsic", lens),
        "    </camera>",
    ]


def _element(tag: str, attributes: Mapping[str, float]) -> str:
    text = " ".join(
        f'{key}="{value if isinstance(value, int) else float(value)!r}"' for key, value in attributes.items()
    )
    return f"      <{tag} {text}/>"
