"""A picture -> the bytes of a JPEG file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["jpeg_bytes"]


def jpeg_bytes(picture: NDArray[np.uint8], *, quality: int = 85, longest_px: int | None = None) -> bytes:
    """Encode a picture.

    Args:
        picture: (H, W, 3) RGB.
        quality: 1 to 100.
        longest_px: a larger picture is made smaller, so that its longer side has so many pixels; None keeps its size.

    Raises:
        InputError: it cannot be encoded, as a picture of more than 65,535 pixels on a side.
    """
    import cv2

    height, width = picture.shape[:2]
    scale = 1.0 if longest_px is None else longest_px / max(width, height)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise InputError(f"a picture of {width} x {height} pixels cannot be a JPEG: {error}") from error
    if not done:
        raise InputError(f"a picture of {width} x {height} pixels cannot be a JPEG")
    return bytes(data.tobytes())
