"""A camera as the page needs it: JSON, with the pose as it stands in the world."""

from __future__ import annotations

import math
from typing import Any

import mocap3d

__all__ = ["camera_facts"]


def camera_facts(camera: mocap3d.Camera) -> dict[str, Any]:
    """Say everything about a camera that does not change."""
    width, height = camera.size_wh_px
    lens = "fisheye" if camera.model == "fisheye" else "distorts" if camera.distortion.any() else "pinhole"
    return {
        "name": camera.name,
        "size_wh_px": [width, height],
        "K": camera.K.tolist(),
        "world_from_cam": camera.world_from_cam.tolist(),
        "lens": lens,
        "fov_deg": 2 * math.degrees(math.atan(max(width / camera.K[0, 0], height / camera.K[1, 1]) / 2)),
    }
