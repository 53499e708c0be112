"""Putting a levelled clip back into Human3.6M's room, by a rule that anybody can repeat.

The exponential-map form has lost where in the room a clip was recorded. The rule (our proxy protocol): the first pelvis
stands over the point nearest the optical axes of the subject's four cameras, and the first pelvis faces a direction
that a hash of the file's name chooses. It is not where the person was, so figures on such data compare with each other
only, never with published tables.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.projection import project

__all__ = ["heading_rad", "place_in_room", "room_point_m", "share_in_picture", "true_view"]


def room_point_m(cameras: Iterable[Camera]) -> NDArray[np.float64]:
    """The point (3,) whose squared distances to the cameras' optical axes sum to the least."""
    normal, right = np.zeros((3, 3)), np.zeros(3)
    for camera in cameras:
        ahead, eye = camera.world_from_cam[:3, 2], camera.world_from_cam[:3, 3]
        across = np.eye(3) - np.outer(ahead, ahead)
        normal += across
        right += across @ eye
    return np.asarray(np.linalg.solve(normal, right))


def heading_rad(name: str) -> float:
    """The heading that belongs to a name such as "S1/walking_1": the first 8 bytes of its SHA-256, as a turn."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return 2 * math.pi * number / 2**64


def place_in_room(
    xyz_m: NDArray[np.float64], cameras: Iterable[Camera], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn a levelled clip about the vertical and shift it over the floor.

    Args:
        xyz_m: (T, J, 3) metres, Y up, floor at 0, joint 0 the pelvis, first pelvis facing about +Z.
        cameras: of the subject.
        name: "SUBJECT/ACTION", chooses the heading.

    Returns:
        the clip (T, J, 3) in the room, and the turn world_from_clip (3, 3).
    """
    world_from_clip = Rotation.from_rotvec([0.0, heading_rad(name), 0.0]).as_matrix()
    point = room_point_m(cameras)
    turned = (xyz_m - xyz_m[0, 0] * [1.0, 0.0, 1.0]) @ world_from_clip.T
    return turned + point * [1.0, 0.0, 1.0], world_from_clip


def true_view(camera: Camera, xyz_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a faultless detector would see through the lens, also beyond the edge of the picture.

    Returns:
        xy_px (T, J, 2), and confidence (T, J): 1, or 0 and NaN for a joint behind the camera.
    """
    xy_px, in_front = project(camera, xyz_m)
    return xy_px, in_front.astype(np.float64)


def share_in_picture(camera: Camera, xy_px: NDArray[np.float64]) -> float:
    """The share of frames of which all joints lie in the camera's picture."""
    width, height = camera.size_wh_px
    inside = (xy_px >= -0.5).all(axis=-1) & (xy_px[..., 0] < width - 0.5) & (xy_px[..., 1] < height - 0.5)
    return float(inside.all(axis=-1).mean())
