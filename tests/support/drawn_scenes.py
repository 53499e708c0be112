"""People, lenses and pictures for the tests of what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from characters import walking
from numpy.typing import NDArray
from videos import write_video

import mocap3d
from mocap3d.base.skeletons import COCO_17

SIZE = (320, 240)
LENSES = {
    "pinhole": ("brown-conrady", ()),
    "barrel": ("brown-conrady", (-0.28, 0.09, 0.002, -0.003, -0.01)),
    "cushion": ("brown-conrady", (0.25, 0.05, -0.004, 0.002)),
    "fisheye": ("fisheye", (0.03, -0.01, 0.004, -0.001)),
}


def camera(lens: str = "pinhole", size_wh_px: tuple[int, int] = SIZE) -> mocap3d.Camera:
    """A camera 3.5 m in front of the origin, a little turned, that looks a little down; fx is not fy."""
    width, height = size_wh_px
    K = np.array([[0.86 * width, 0, 0.52 * width], [0, 0.88 * width, 0.47 * height], [0, 0, 1.0]])
    roll, pitch = 0.08, 0.12
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = turn @ tilt @ np.diag([1.0, -1.0, -1.0])
    cam_from_world[:3, 3] = [0.1, 0.95, 3.5]
    model, distortion = LENSES[lens]
    return mocap3d.Camera(
        name="front",
        size_wh_px=size_wh_px,
        K=K,
        model=model,
        distortion=np.array(distortion),
        cam_from_world=cam_from_world,
    )


def black_video(path: Path, frames: int = 1, size_wh_px: tuple[int, int] = SIZE, fps: int = 30) -> Path:
    """A video of nothing."""
    return write_video(path, [np.zeros((size_wh_px[1], size_wh_px[0], 3), np.uint8)] * frames, fps)


def clip(source: Path, lens: str = "pinhole", seconds: float = 1.0) -> mocap3d.Clip:
    """Somebody who walks towards the camera, as if captured."""
    person = mocap3d.Performance(person=1, shot=0, motion=walking(seconds), pose2d=None, pose3d=None)
    frames = len(person.motion)
    shot = mocap3d.Shot(start=0, stop=frames)
    return mocap3d.Clip(source=source, performances=(person,), shots=(shot,), cameras=(camera(lens),), grounds=(None,))


def points(xyz_m: NDArray[np.float64], fps: int = 30) -> mocap3d.Pose3D:
    """(T, 17, 3) places as a pose; NaN is what was not seen."""
    seen = np.isfinite(xyz_m).all(axis=-1)
    return mocap3d.Pose3D(
        xyz_m=np.where(seen[..., None], xyz_m, np.nan),
        confidence=seen.astype(float),
        std_m=np.where(seen, 0.01, np.nan),
        views=seen.astype(int),
        fps=Fraction(fps),
        skeleton=COCO_17,
        frame="world",
    )


def one_at_a_time(places_m: Sequence[NDArray[np.float64]]) -> mocap3d.Pose3D:
    """A person of whom each frame shows the nose only, at the next of the places."""
    xyz_m = np.full((len(places_m), 17, 3), np.nan)
    xyz_m[:, 0] = places_m
    return points(xyz_m)


def centroid(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(x, y) of the middle of what is not black, in pixels whose centres are whole numbers."""
    y, x = np.nonzero(picture.max(axis=-1) > 12)
    return np.array([x.mean(), y.mean()])


def off(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[float, float]:
    """How much two pictures differ: on average, and at most in any block of 8 x 8 pixels; 0..255."""
    difference = np.abs(one.astype(float) - other)
    height, width = (8 * (n // 8) for n in one.shape[:2])
    blocks = difference[:height, :width].reshape(height // 8, 8, width // 8, 8, -1).mean(axis=(1, 3, 4))
    return float(difference.mean()), float(blocks.max())
