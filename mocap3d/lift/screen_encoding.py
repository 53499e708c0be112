"""2D joints as VideoPose3D sees them: pixels, shifted and scaled so that the picture is 2 wide.

The other encoding, for networks that were trained with it. Unlike rays (``encoding.py``) it knows neither lens nor
where the person stands in the picture: such a network learned one kind of camera.

Features of one frame: (x, y) of each joint, 34 numbers for 17 joints; x runs from -1 to 1 across the picture, y from
-h/w to h/w down it. A joint that is not seen stays where it was last; VideoPose3D has no word for missing.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions (VideoPose3D), CVPR 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17
from mocap3d.lift.encoding import Encoded

__all__ = [
    "encode_screen",
    "px_to_screen",
]


def px_to_screen(camera: Camera, xy_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pixels as points of a picture 2 wide, distortion kept; what `base.projection.px_to_rays` is to rays.

    Args:
        camera: whose pictures; only their size is used.
        xy_px: (..., 2); NaN where not seen.

    Returns:
        (..., 3): x in -1..1, y in -h/w..h/w, and 1.
    """
    width, height = camera.size_wh_px
    xy = np.asarray(xy_px, np.float64) * (2 / width) - [1, height / width]
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)


def encode_screen(
    points: NDArray[np.floating], confidence: NDArray[np.floating], skeleton: Skeleton = HUMAN36M_17
) -> Encoded:
    """Encode points of the picture as "screen-normalised"; the twin of `encoding.encode`.

    Args:
        points: (..., T, J, 3) from `px_to_screen`; NaN where not seen.
        confidence: (..., T, J); the network does not look at it.
        skeleton: names the J joints.

    Returns:
        Features (..., T, 2J); the virtual camera is the camera itself and the scale is 1.
    """
    del confidence
    xy = _held(points[..., :2])
    frames = xy.shape[:-2]
    return Encoded(
        features=xy.reshape(*frames, 2 * len(skeleton)),
        virtual_from_cam=np.broadcast_to(np.eye(3, dtype=xy.dtype), (*frames, 3, 3)),
        scale=np.ones(frames, dtype=xy.dtype),
    )


def _held(xy: NDArray[np.floating]) -> NDArray[np.floating]:
    """Fill what is not seen, looking at earlier frames only: where the joint was, or amid those that are there."""
    known = np.isfinite(xy).all(axis=-1)
    points = np.where(known[..., None], xy, 0)
    amid = points.sum(axis=-2) / np.maximum(known.sum(axis=-1), 1)[..., None]
    filled = np.where(known[..., None], points, amid[..., None, :])
    last = np.maximum.accumulate(np.where(known, np.arange(xy.shape[-3])[:, None], -1), axis=-2)
    before = np.take_along_axis(filled, np.maximum(last, 0)[..., None], axis=-3)
    return np.where(last[..., None] < 0, filled, before).astype(xy.dtype)
