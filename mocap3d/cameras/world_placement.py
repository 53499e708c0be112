"""Putting a rig of solved cameras into a world: +Y up, the floor at y = 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.checks import as_floats
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.rotations import project_to_so3, rotation_between, wxyz_to_matrix

__all__ = ["first_camera_upright", "moved_rig", "on_floor", "with_gravity"]

Floats = NDArray[np.float64]


def moved_rig(cameras: Sequence[Camera], new_from_old: ArrayLike) -> tuple[Camera, ...]:
    """The same cameras in another world; ``new_from_old`` (4, 4) is a rigid motion."""
    motion = as_floats("new_from_old", new_from_old, (4, 4))
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = motion[:3, :3].T, -motion[:3, :3].T @ motion[:3, 3]
    moved = [camera.cam_from_world @ back for camera in cameras]
    for pose in moved:
        pose[:3, :3] = project_to_so3(pose[:3, :3])
    return tuple(replace(camera, cam_from_world=pose) for camera, pose in zip(cameras, moved, strict=True))


def first_camera_upright(cameras: Sequence[Camera]) -> tuple[Camera, ...]:
    """The first camera at the origin, looking along -Z, what is up in its picture up in the world.

    What is done when nothing is known: a tripod is roughly level, so people stand roughly upright, below y = 0.
    """
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    return moved_rig(cameras, flip @ cameras[0].cam_from_world)


def with_gravity(cameras: Sequence[Camera], down: ArrayLike, camera: int | None = None) -> tuple[Camera, ...]:
    """Turn the world so that gravity points along -Y; the first camera keeps its place and looks towards -Z.

    Args:
        cameras: the rig.
        down: (3,) where gravity points: in the axes of a camera, as a phone's sensor tells, or of the rig's world.
        camera: whose axes; None: the world's.

    Raises:
        InputError: ``down`` has no direction, or there is no such camera.
    """
    towards = as_floats("down", down, (3,))
    if not np.linalg.norm(towards) > 1e-9:
        raise InputError(f"down must be a direction, got {towards}")
    if camera is not None:
        if not 0 <= camera < len(cameras):
            raise InputError(f"camera must be below {len(cameras)}, got {camera}")
        towards = cameras[camera].cam_from_world[:3, :3].T @ towards
    level = np.eye(4)
    level[:3, :3] = wxyz_to_matrix(rotation_between(-towards / np.linalg.norm(towards), [0.0, 1.0, 0.0]))
    rig = moved_rig(cameras, level)
    forward = rig[0].world_from_cam[:3, 2]
    if np.hypot(forward[0], forward[2]) < 1e-6:  # it looks straight up or down
        return rig
    turn = np.arctan2(-forward[0], -forward[2])
    heading, centre = np.eye(4), rig[0].world_from_cam[:3, 3]
    c, s = np.cos(-turn), np.sin(-turn)
    heading[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    heading[:3, 3] = centre - heading[:3, :3] @ centre
    return moved_rig(rig, heading)


def on_floor(cameras: Sequence[Camera], world_from_board: ArrayLike) -> tuple[Camera, ...]:
    """The world of a board that lies on the floor: y = 0 is its face, the origin its first corner, +X its rows.

    Whichever side of it the cameras stand on is up.

    Raises:
        CalibrationError: cameras stand on both sides of the board's plane: it did not lie on the floor.
    """
    board = as_floats("world_from_board", world_from_board, (4, 4))
    heights = np.array([(camera.world_from_cam[:3, 3] - board[:3, 3]) @ board[:3, 2] for camera in cameras])
    if not ((heights > 0).all() or (heights < 0).all()):
        names = ", ".join(camera.name for camera, h in zip(cameras, heights, strict=True) if h > 0)
        raise CalibrationError(
            f"cameras stand on both sides of the board's plane ({names} on one): no floor is like that"
        )
    up = board[:3, 2] * np.sign(heights[0])
    right = board[:3, 0]
    world = np.eye(4)
    world[:3, :3] = np.stack([right, up, np.cross(right, up)])
    world[:3, 3] = -world[:3, :3] @ board[:3, 3]
    return moved_rig(cameras, world)
