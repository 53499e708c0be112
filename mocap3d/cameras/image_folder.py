"""A folder of images as the frames of a video."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import VIDEO_SUFFIXES

__all__ = ["list_images", "read_image", "read_images"]

_RECORD = "record.npz"  # of a folder that `mocap3d capture --keep-stages` writes
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


def list_images(folder: Path) -> list[Path]:
    """List the images of a folder as people count: ``frame2.png`` before ``frame10.png``.

    Raises:
        InputError: there are none.
    """
    paths = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")]
    if not paths:
        raise InputError(_without_images(folder))
    return sorted(paths, key=lambda path: (_natural(path.name), path.name))


def _without_images(folder: Path) -> str:
    """What a folder is instead."""
    if (folder / _RECORD).is_file():
        return (
            f"{folder} is a folder of --keep-stages: look at it with `mocap3d view {folder}`, solve it again with "
            f"`mocap3d solve {folder}`"
        )
    images = f"no images ({' '.join(sorted(_SUFFIXES))})"
    if any(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.iterdir()):
        return f"the folder {folder} holds videos, but {images}"
    return f"the folder {folder} holds no videos ({' '.join(sorted(VIDEO_SUFFIXES))}) and {images}"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) RGB, upright as its EXIF data ask; gray and 16-bit images become 8-bit RGB.

    Raises:
        FileFormatError: it cannot be decoded.
    """
    import cv2

    data = np.fromfile(path, dtype=np.uint8)  # cv2.imread cannot open every name on Windows
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise FileFormatError("cannot be decoded as an image", path=path)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_images(paths: Sequence[Path], size_wh_px: tuple[int, int]) -> Generator[NDArray[np.uint8]]:
    """Yield the images one after the other.

    Raises:
        InputError: an image has another size than ``size_wh_px``.
        FileFormatError: an image cannot be decoded.
    """
    for path in paths:
        picture = read_image(path)
        height, width = picture.shape[:2]
        if (width, height) != size_wh_px:
            expected = "x".join(map(str, size_wh_px))
            raise InputError(f"{path} is {width}x{height} pixels, but the first image of the folder is {expected}")
        yield picture


def _natural(name: str) -> list[tuple[int, str]]:
    """Split into digits and text, so that numbers compare by value."""
    parts: list[str] = re.findall(r"\d+|\D+", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
