"""Which lens took a video: the one that was given, the one that the file names, or a stated default."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.cameras.files import read_cameras

if TYPE_CHECKING:
    from mocap3d.cameras.video import Video

__all__ = ["DEFAULT_FOV_DEG", "choose_lens"]

DEFAULT_FOV_DEG = 60.0
"""Along the longer side: the video mode of a phone's main camera, 24-28 mm equivalent less the stabiliser's crop."""


def choose_lens(
    cameras: str | os.PathLike[str] | Camera | Sequence[Camera] | None, fov_deg: float | None, video: Video
) -> tuple[Camera, str]:
    """Find the camera of a video.

    Args:
        cameras: a camera file (TOML), a ``Camera``, or a sequence of one.
        fov_deg: instead of ``cameras``: degrees that the longer side of the picture shows.
        video: whose metadata may know, and whose pictures the camera must fit.

    Returns:
        The camera, and where it is known from: "given", "metadata" or "default".

    Raises:
        InputError: both were given, not exactly one camera, or one for pictures of another size.
        FileFormatError: the camera file cannot be read.
    """
    if fov_deg is not None and cameras is not None:
        raise InputError("give either cameras or fov_deg: both say what the lens is")
    if cameras is None:
        known = fov_deg if fov_deg is not None else video.fov_deg
        origin = "given" if fov_deg is not None else "default" if known is None else "metadata"
        return Camera.from_fov("camera", video.size_wh_px, DEFAULT_FOV_DEG if known is None else known), origin
    if isinstance(cameras, Camera):
        found: tuple[Camera, ...] = (cameras,)
    elif isinstance(cameras, (str, os.PathLike)):
        found = read_cameras(cameras)
    else:
        found = tuple(cameras)
    if not found or not all(isinstance(camera, Camera) for camera in found):
        raise InputError(f"cameras must be a camera file, a Camera, or a sequence of one Camera, got {cameras!r}")
    if len(found) > 1:
        what = Path(cameras).name if isinstance(cameras, (str, os.PathLike)) else "the rig"
        raise InputError(
            f"{what} holds {len(found)} cameras ({', '.join(camera.name for camera in found)}); for one video keep the "
            "one it was filmed with, for several videos give all of them (--cameras)"
        )
    if found[0].size_wh_px != video.size_wh_px:
        raise InputError(
            f"camera {found[0].name!r} is for pictures of {found[0].size_wh_px}, the video has {video.size_wh_px}"
        )
    return found[0], "given"
