"""Cutting the part of a frame that a network looks at, and bringing its answers back to the frame.

A crop is a scale and a corner. Pixels follow the project's convention: (0, 0) is the centre of the top-left pixel, so
a picture's outer corner lies at (-0.5, -0.5), and a crop maps by ``x = corner + (u + 0.5) / scale``. Outside the
frame a crop is black, as MoveNet was trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["Crop", "crop_around_box", "crop_around_joints", "letterbox"]

_BOX_MARGIN = 1.25
"""Side of a crop over the longer side of the person's box; 1.1 to 1.25 is best on public pictures."""

_JOINTS_MARGIN = 1.2
"""The same over the box of the joints, in the frames after the first."""

_TORSO_MARGIN = 1.5
"""A crop reaches at least that many times as far as the shoulders from the middle of the hips, in both directions.

The published rule has 1.9. Measured with 1.2 and 1.5, and with 1.25 and 1.9, on four calibrated views of one person:
triangulated limbs vary by 12 and by 15 mm, joints reproject to 11.9 and to 12.7 px (median); a man who turns a
somersault is kept for 59 frames, and for 55 at 1.2 and 1.9.
"""

_SEEN = 0.2
"""Joints below this confidence do not shape a crop (the published threshold)."""

_SHOULDERS_AND_HIPS = (5, 6, 11, 12)  # COCO-17
_HIPS = (11, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A rectangle of a frame, resized.

    Attributes:
        corner_px: (x, y) in the frame of the crop's outer top-left corner.
        scale: crop pixels per frame pixel.
        size_wh_px: width and height of the crop.
    """

    corner_px: tuple[float, float]
    scale: float
    size_wh_px: tuple[int, int]

    def __post_init__(self) -> None:
        """Refuse what cannot be cut."""
        if not (np.isfinite(self.corner_px).all() and np.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"a crop needs a finite corner and a scale above 0, got {self.corner_px}, {self.scale}")

    def to_frame(self, xy_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) pixels of the crop -> pixels of the frame."""
        return np.asarray(self.corner_px + (xy_px + 0.5) / self.scale)

    def to_crop(self, xy_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) pixels of the frame -> pixels of the crop."""
        return np.asarray((xy_px - np.asarray(self.corner_px)) * self.scale - 0.5)

    def cut(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Take the crop out of a frame (H, W, C) uint8; black outside, smoothed before it shrinks."""
        import cv2

        crop, frame = self, np.ascontiguousarray(frame)
        if self.scale < 0.5:
            crop, frame = _shrunk(self, frame, int(1 / self.scale))
        frame_from_crop = _affine(crop)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(frame, frame_from_crop, crop.size_wh_px, flags=flags, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(cut, dtype=np.uint8)


def _affine(crop: Crop) -> NDArray[np.float64]:
    """(2, 3): crop pixels -> frame pixels."""
    step = 1.0 / crop.scale
    x, y = crop.corner_px
    return np.array([[step, 0.0, x + step / 2], [0.0, step, y + step / 2]])


def _shrunk(crop: Crop, frame: NDArray[np.uint8], factor: int) -> tuple[Crop, NDArray[np.uint8]]:
    """Average blocks of factor x factor pixels of the part of a frame that a crop needs; the crop in what is left."""
    import cv2

    h, w = frame.shape[:2]
    size = np.array(crop.size_wh_px) / crop.scale
    low = np.floor((np.array(crop.corner_px) - factor) / factor).astype(int) * factor
    high = low + np.ceil((size + 3 * factor) / factor).astype(int) * factor
    left, top = np.clip(low, 0, [w, h])
    right, bottom = np.clip(high, 0, [w, h])
    part = np.zeros((high[1] - low[1], high[0] - low[0], frame.shape[2]), np.uint8)
    part[top - low[1] : bottom - low[1], left - low[0] : right - low[0]] = frame[top:bottom, left:right]
    small = cv2.resize(part, (part.shape[1] // factor, part.shape[0] // factor), interpolation=cv2.INTER_AREA)
    corner = (np.array(crop.corner_px) - low + 0.5) / factor - 0.5
    inner = Crop(corner_px=(float(corner[0]), float(corner[1])), scale=crop.scale * factor, size_wh_px=crop.size_wh_px)
    return inner, np.asarray(small, dtype=np.uint8)


def _square(middle_px: NDArray[np.float64], side_px: float, crop_side_px: int) -> Crop:
    """A square of the frame, at least 8 pixels wide so that a point is not blown up without end."""
    side = max(side_px, 8.0)
    x, y = middle_px - side / 2
    return Crop(corner_px=(float(x), float(y)), scale=crop_side_px / side, size_wh_px=(crop_side_px, crop_side_px))


def crop_around_box(box_px: NDArray[np.float64], crop_side_px: int, *, widen: float = 1.0) -> Crop:
    """A square crop around a person's box.

    Args:
        box_px: (4,) left, top, right, bottom in the frame.
        crop_side_px: side of the crop, the network's.
        widen: factor on the usual side of the square, 1.25 times the longer side of the box.
    """
    corners = np.asarray(box_px, dtype=np.float64).reshape(2, 2)
    side_px = _BOX_MARGIN * float((corners[1] - corners[0]).max())
    return _square(corners.mean(axis=0), widen * side_px, crop_side_px)


def crop_around_joints(
    xy_px: NDArray[np.float64], confidence: NDArray[np.float64], crop_side_px: int, *, widen: float = 1.0
) -> Crop:
    """A square crop around where a person's joints were seen last.

    Args:
        xy_px: (17, 2) COCO-17 joints in the frame.
        confidence: (17,) theirs; joints that were hardly seen count only when fewer than four were seen better.
        crop_side_px: side of the crop, the network's.
        widen: factor on the usual side of the square.
    """
    seen = np.asarray(confidence >= _SEEN)
    if seen.sum() < 4:
        seen = np.asarray(np.isfinite(xy_px).all(axis=-1))
    low, high = xy_px[seen].min(axis=0), xy_px[seen].max(axis=0)
    side = _JOINTS_MARGIN * float((high - low).max())
    torso = xy_px[list(_SHOULDERS_AND_HIPS)]
    if seen[list(_SHOULDERS_AND_HIPS)].all():
        reach = float(np.abs(torso - xy_px[list(_HIPS)].mean(axis=0)).max())
        side = max(side, 2 * _TORSO_MARGIN * reach)
    return _square((low + high) / 2, widen * side, crop_side_px)


def letterbox(size_wh_px: tuple[int, int], longer_side_px: int) -> Crop:
    """The whole frame, its longer side resized, with black at the right and bottom up to multiples of 32.

    Args:
        size_wh_px: the frame's.
        longer_side_px: a multiple of 32.

    Raises:
        InputError: not a multiple of 32.
    """
    if longer_side_px < 32 or longer_side_px % 32:
        raise InputError(f"the longer side must be a multiple of 32, got {longer_side_px}")
    scale = longer_side_px / max(size_wh_px)
    w, h = (max(32, int(np.ceil(side * scale / 32 - 1e-9)) * 32) for side in size_wh_px)
    return Crop(corner_px=(-0.5, -0.5), scale=scale, size_wh_px=(w, h))
