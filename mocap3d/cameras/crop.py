"""A camera whose pictures were cut out of larger ones, or scaled: declared, never guessed.

Cutting moves the principal point, scaling moves focal lengths and principal point; distortion stays, because it is in
units of the focal length. What fits a video of another size than its calibration is tried by `crops_that_fit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError

__all__ = ["cropped", "crops_that_fit", "scaled"]


def cropped(camera: Camera, size_wh_px: tuple[int, int], offset_px: tuple[float, float] | None = None) -> Camera:
    """The camera of pictures that show a part of this one's.

    Args:
        camera: the calibration, of the whole picture.
        size_wh_px: of the part.
        offset_px: (x, y) of the part's top-left pixel in the whole picture; None: the part is the middle.

    Raises:
        InputError: the part is not inside the whole.
    """
    whole, part = np.array(camera.size_wh_px), np.array(size_wh_px, np.int64)
    offset = (whole - part) / 2 if offset_px is None else np.array(offset_px, np.float64)
    if part.shape != (2,) or offset.shape != (2,) or (part < 1).any() or not np.isfinite(offset).all():
        raise InputError(f"a crop needs width and height and where it begins, got {size_wh_px} at {offset_px}")
    if (offset < 0).any() or (offset + part > whole).any():
        raise InputError(
            f"{part[0]}x{part[1]} from {offset[0]:g}, {offset[1]:g} is not inside the {whole[0]}x{whole[1]} picture of "
            f"camera {camera.name!r}"
        )
    K = camera.K.copy()
    K[:2, 2] -= offset
    return replace(camera, size_wh_px=(int(part[0]), int(part[1])), K=K)


def scaled(camera: Camera, size_wh_px: tuple[int, int]) -> Camera:
    """The camera of the same pictures in another resolution: (0, 0) is the centre of a pixel before and after.

    Raises:
        InputError: the shape changes by more than rounding to whole pixels does.
    """
    before, after = np.array(camera.size_wh_px, np.float64), np.array(size_wh_px, np.float64)
    if after.shape != (2,) or not (after >= 1).all():
        raise InputError(f"a size is width and height, at least 1, got {size_wh_px}")
    factor = after / before
    # Each side was rounded to whole (of videos: even) pixels.
    if abs(factor[0] - factor[1]) > factor.max() * float((2 / np.minimum(before, after)).max()):
        raise InputError(
            f"{size_wh_px[0]}x{size_wh_px[1]} is another shape than the {camera.size_wh_px[0]}x{camera.size_wh_px[1]} "
            f"pictures of camera {camera.name!r}: was something cut off? Then declare the crop"
        )
    K = camera.K.copy()
    K[0] *= factor[0]
    K[1] *= factor[1]
    K[:2, 2] += (factor - 1) / 2
    return replace(camera, size_wh_px=(int(after[0]), int(after[1])), K=K)


def crops_that_fit(camera: Camera, size_wh_px: tuple[int, int]) -> Iterator[tuple[str, Camera]]:
    """The crops and scalings that a video of another size may be, each with a word for it; the usual ones first.

    The same size yields the camera itself. Which one it is, the video decides: whoever has seen it in other cameras
    too takes the one with the smallest residual.
    """
    if size_wh_px == camera.size_wh_px:
        yield "as calibrated", camera
        return
    whole, part = np.array(camera.size_wh_px), np.array(size_wh_px)
    if (part <= whole).all():
        spare = whole - part
        names_x = {"left cut off": spare[0], "cut on both sides": spare[0] / 2, "right cut off": 0}
        names_y = {"top cut off": spare[1], "cut above and below": spare[1] / 2, "bottom cut off": 0}
        across = names_x.items() if spare[0] else [("", 0)]
        down = names_y.items() if spare[1] else [("", 0)]
        for word_x, x in across:
            for word_y, y in down:
                words = ", ".join(word for word in (word_x, word_y) if word)
                yield words, cropped(camera, size_wh_px, (float(x), float(y)))
    try:
        yield "scaled", scaled(camera, size_wh_px)
    except InputError:
        yield from _filled(camera, size_wh_px)


def _filled(camera: Camera, size_wh_px: tuple[int, int]) -> Iterator[tuple[str, Camera]]:
    """Scaled until the picture is filled, and what stands out cut off on both sides, as phones and editors do."""
    whole, part = np.array(camera.size_wh_px, np.float64), np.array(size_wh_px, np.float64)
    factor = float((part / whole).max())
    size = np.maximum(np.round(whole * factor), part).astype(int)
    if factor != 1:
        yield "scaled and cut on both sides", cropped(scaled(camera, (int(size[0]), int(size[1]))), size_wh_px)
