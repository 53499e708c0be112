"""A camera whose pictures were cut out of larger ones, scaled, or given black bars: declared, never guessed.

Cutting moves the principal point, scaling moves focal lengths and principal point; distortion stays, because it is in
units of the focal length. What fits a video of another size than its calibration is tried by `crops_that_fit`; of all
that, bars are seen in the pictures themselves (`bars_px`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError

__all__ = ["bars_px", "bordered", "cropped", "crops_that_fit", "scaled"]

Bars = tuple[int, int, int, int]

_BARS: Final = "scaled, with black bars"
_DARK: Final = 40  # of 255; bars are at most 16 in video levels, and an encoder lets pictures ring into them
_SMEAR_PX: Final = 1.5  # by which a bar's edge may be off: sides are rounded, edges blurred


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


def bordered(camera: Camera, size_wh_px: tuple[int, int]) -> Camera:
    """The camera of the whole picture, scaled until it fits into another shape, with black bars where it does not fill.

    Raises:
        InputError: no size.
    """
    part = np.array(size_wh_px, np.float64)
    if part.shape != (2,) or not (part >= 1).all():
        raise InputError(f"a size is width and height, at least 1, got {size_wh_px}")
    inner = _inner(camera, size_wh_px)
    K = scaled(camera, inner).K.copy()
    K[:2, 2] += (part - inner) / 2
    return replace(camera, size_wh_px=(int(part[0]), int(part[1])), K=K)


def bars_px(pictures: Iterable[NDArray[np.uint8]]) -> Bars:
    """How many columns and rows stay black in all pictures: left, top, right, bottom.

    Args:
        pictures: (H, W, 3), a few of one video, not all of them alike.

    Returns:
        Zeros for pictures that are black altogether, or none at all.
    """
    brightest: NDArray[np.uint8] | None = None
    for picture in pictures:
        brightest = picture.max(axis=-1) if brightest is None else np.maximum(brightest, picture.max(axis=-1))
    if brightest is None:
        return 0, 0, 0, 0
    left, right = _ends(np.quantile(brightest, 0.95, axis=0) > _DARK)
    top, bottom = _ends(np.quantile(brightest, 0.95, axis=1) > _DARK)
    return left, top, right, bottom


def crops_that_fit(
    camera: Camera, size_wh_px: tuple[int, int], *, bars: Bars | None = None
) -> Iterator[tuple[str, Camera]]:
    """The crops and scalings that a video of another size may be, each with a word for it; the usual ones first.

    The same size yields the camera itself. Which one it is, the video decides: ``bars``, from `bars_px`, leave one
    where they fit; else whoever has seen it in other cameras too takes the one with the smallest residual.
    """
    if size_wh_px == camera.size_wh_px:
        yield "as calibrated", camera
        return
    spare_px = (np.array(size_wh_px) - _inner(camera, size_wh_px)) / 2
    has_bars = bars is not None and bool((np.abs(np.reshape(bars, (2, 2)) - spare_px) <= _SMEAR_PX).all())
    if has_bars and any(bars or ()):
        yield _BARS, bordered(camera, size_wh_px)
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
        if bars is None:
            yield _BARS, bordered(camera, size_wh_px)


def _inner(camera: Camera, size_wh_px: tuple[int, int]) -> tuple[int, int]:
    """The size of the whole picture, scaled to fit inside."""
    whole = np.array(camera.size_wh_px, np.float64)
    width, height = np.maximum(np.round(whole * float((np.array(size_wh_px) / whole).min())), 1)
    return int(width), int(height)


def _ends(bright: NDArray[np.bool_]) -> tuple[int, int]:
    """How many are dark before the first bright one, and after the last."""
    there = np.flatnonzero(bright)
    return (int(there[0]), len(bright) - 1 - int(there[-1])) if len(there) else (0, 0)


def _filled(camera: Camera, size_wh_px: tuple[int, int]) -> Iterator[tuple[str, Camera]]:
    """Scaled until the picture is filled, and what stands out cut off on both sides, as phones and editors do."""
    whole, part = np.array(camera.size_wh_px, np.float64), np.array(size_wh_px, np.float64)
    factor = float((part / whole).max())
    size = np.maximum(np.round(whole * factor), part).astype(int)
    if factor != 1:
        yield "scaled and cut on both sides", cropped(scaled(camera, (int(size[0]), int(size[1]))), size_wh_px)
