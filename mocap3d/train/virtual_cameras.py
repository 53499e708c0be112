"""Virtual cameras: each clip of motion is seen from somewhere else, as ordinary video would see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CameraSettings",
    "into_camera",
    "look_at",
    "random_poses",
]

Floats = NDArray[np.floating]

_NEAREST_M = 0.6  # no joint comes nearer to the camera than this: it is pushed back along its axis


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """From where people are seen. Focal length is absent because the lifter sees rays.

    Attributes:
        height_m: of the camera above the floor, lowest and highest.
        distance_m: from camera to person along the floor, nearest and farthest; nearer ones are drawn more often.
        aim_std_m: how far beside the person the camera looks.
        roll_rad: largest roll of the camera.
        any_roll: share of clips with any roll at all: people who lie, tumble or hang.
    """

    height_m: tuple[float, float] = (0.2, 3.5)
    distance_m: tuple[float, float] = (1.8, 10.0)
    aim_std_m: float = 0.3
    roll_rad: float = 0.3
    any_roll: float = 0.06


def random_poses(rng: np.random.Generator, person_m: Floats, settings: CameraSettings) -> Floats:
    """Draw one camera for each person.

    Args:
        rng: source of randomness.
        person_m: (B, 3) where each person's pelvis is on average, world, Y up.
        settings: from where.

    Returns:
        cam_from_world (B, 4, 4), OpenCV axes.
    """
    count = len(person_m)
    azimuth_rad = rng.uniform(0, 2 * np.pi, count)
    nearest, farthest = (math.log(distance) for distance in settings.distance_m)
    distance_m = np.exp(rng.uniform(nearest, farthest, count))
    position = person_m.astype(np.float64)
    position[:, 0] += distance_m * np.sin(azimuth_rad)
    position[:, 2] += distance_m * np.cos(azimuth_rad)
    position[:, 1] = rng.uniform(*settings.height_m, count)
    aim = person_m + rng.normal(0, settings.aim_std_m, (count, 3))
    roll_rad = rng.uniform(-settings.roll_rad, settings.roll_rad, count)
    any_roll_rad = rng.uniform(-np.pi, np.pi, count)
    return look_at(position, aim, np.where(rng.random(count) < settings.any_roll, any_roll_rad, roll_rad))


def look_at(position_m: Floats, aim_m: Floats, roll_rad: Floats) -> Floats:
    """Cameras (B, 4, 4) cam_from_world at a position, looking at a point, rolled about their axes.

    Args:
        position_m: (B, 3) world.
        aim_m: (B, 3) world; not straight above or below the position.
        roll_rad: (B,).
    """
    forward = _unit(aim_m - position_m)
    right = _unit(np.cross(forward, [0.0, 1.0, 0.0]))
    down = np.cross(forward, right)
    c, s = np.cos(roll_rad)[:, None], np.sin(roll_rad)[:, None]
    pose = np.zeros((len(forward), 4, 4))
    pose[:, :3, :3] = np.stack([c * right + s * down, c * down - s * right, forward], axis=1)
    pose[:, :3, 3] = -np.einsum("bij,bj->bi", pose[:, :3, :3], position_m)
    pose[:, 3, 3] = 1
    return pose


def into_camera(cam_from_world: Floats, *points_m: Floats) -> tuple[Floats, ...]:
    """Bring sets of points (B, T, N, 3) into their cameras, all of one clip pushed back where any came too near."""
    R = cam_from_world[:, None, :3, :3].astype(points_m[0].dtype)
    t = cam_from_world[:, None, None, :3, 3].astype(points_m[0].dtype)
    seen = [np.matmul(points, np.swapaxes(R, -1, -2)) + t for points in points_m]
    nearest = np.min([points[..., 2].min(axis=(1, 2)) for points in seen], axis=0)
    push = np.maximum(0, _NEAREST_M - nearest)
    for points in seen:
        points[..., 2] += push[:, None, None]
    return tuple(seen)


def _unit(v: Floats) -> Floats:
    return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True))
