"""Small gray copies of pictures, freed from brightness and contrast, and how alike two of them are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SmallPicture", "similarity"]

_LONGER_SIDE_PX = 320
_BLOCK_PX = 16
_WINDOW_PX = 17
_FLAT = 3.0  # gray levels of deviation that noise alone reaches


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmallPicture:
    """A picture reduced to what tells places apart.

    Attributes:
        detail: (h, w) uint8; 128 plus 40 times (gray - mean) / (deviation + noise) of the 17 x 17 surroundings.
        scale: pixels of the full picture per pixel here.
        size_wh_px: of the full picture.
    """

    detail: NDArray[np.uint8]
    scale: float
    size_wh_px: tuple[int, int]

    @classmethod
    def of(cls, picture: NDArray[np.uint8]) -> SmallPicture:
        """Reduce an (H, W, 3) picture."""
        import cv2

        height, width = picture.shape[:2]
        scale = max(1.0, max(width, height) / _LONGER_SIDE_PX)
        size = max(1, round(width / scale)), max(1, round(height / scale))
        step = max(1, int(scale / 2))  # skipping pixels first is fast; averaging the rest keeps it from flickering
        gray = cv2.cvtColor(np.ascontiguousarray(picture[::step, ::step]), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        window = (_WINDOW_PX, _WINDOW_PX)
        mean = cv2.blur(small, window)
        variance = cv2.blur(small * small, window) - mean * mean
        detail = (small - mean) / (np.sqrt(np.maximum(variance, 0)) + _FLAT)
        levels = cv2.convertScaleAbs(detail, alpha=40, beta=128).astype(np.uint8, copy=False)
        return cls(detail=levels, scale=scale, size_wh_px=(width, height))


def similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Median correlation of the 16 x 16 blocks of two details; blocks that are flat in both do not count.

    Returns:
        -1 .. 1; 1 when nothing can be compared: without texture there is no sign of a change.
    """
    height, width = (n // _BLOCK_PX * _BLOCK_PX for n in a.shape)
    if not height or not width:
        return 1.0
    blocks = []
    for detail in (a, b):
        cut = detail[:height, :width].astype(np.float32) - 128
        cut = cut.reshape(height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, _BLOCK_PX)
        blocks.append(cut.transpose(0, 2, 1, 3).reshape(-1, _BLOCK_PX * _BLOCK_PX))
    energy_a, energy_b = ((block**2).mean(axis=1) for block in blocks)
    textured = np.maximum(energy_a, energy_b) > 15.0**2
    if textured.sum() < 4:
        return 1.0
    product = (blocks[0] * blocks[1]).mean(axis=1)
    # A block that is flat on one side only cannot agree; the floor keeps its noise from doing so by chance.
    correlation = product / np.sqrt(np.maximum(energy_a, 10.0**2) * np.maximum(energy_b, 10.0**2))
    return float(np.median(correlation[textured]))
