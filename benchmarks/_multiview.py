"""Four views of one person (BSD-3, PyPI ``pose2sim``): the calibration, time offsets, and a robust triangulation.

The triangulation is the nearest thing to a truth that these videos have. It comes from our own 2D joints, so what the
detector gets wrong in all views alike it does not show.

The calibration that came with them needs two words, which ``four_cameras.py`` proves:

* videos of 1080x1920 hold the whole picture of 1088x1920, scaled, between black bars of seven rows;
* the file is of pictures that were turned upright, and its principal points were turned without being reflected: they
  are on the other side of the middle, across in a camera that was turned clockwise, along in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d import Camera
from mocap3d.base.projection import project, px_to_rays
from mocap3d.cameras.crop import bordered
from mocap3d.cameras.files import read_cameras

__all__ = ["REFLECTED", "filmed_cameras", "find_lags", "reflected", "triangulate"]

Floats = NDArray[np.float64]

REFLECTED = {"cam01": 0, "cam02": 1, "cam03": 1, "cam04": 1}
MAX_LAG = 3  # frames; the data's card says that the cameras agree to within two
OUTLIER_PX = 10.0
ROUNDS = 8


def filmed_cameras(path: Path, sizes_wh_px: dict[str, tuple[int, int]]) -> dict[str, Camera]:
    """The cameras of the calibration by name, as they filmed: with bars, and principal points where they belong."""
    cameras = {camera.name: reflected(camera, REFLECTED[camera.name]) for camera in read_cameras(path)}
    return {name: shown(camera, sizes_wh_px[name]) for name, camera in cameras.items()}


def shown(camera: Camera, size_wh_px: tuple[int, int]) -> Camera:
    """The camera of a video that shows its whole picture."""
    return camera if camera.size_wh_px == size_wh_px else bordered(camera, size_wh_px)


def reflected(camera: Camera, axis: int) -> Camera:
    """With the principal point on the other side of the middle, across (0) or along (1)."""
    K = camera.K.copy()
    K[axis, 2] = camera.size_wh_px[axis] - 1 - K[axis, 2]
    return replace(camera, K=K)


def triangulate(cameras: Sequence[Camera], xy_px: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """Find the points nearest to their rays, reweighted so that a view that disagrees loses its say.

    Args:
        cameras: C cameras.
        xy_px: (C, T, J, 2); NaN where not seen.
        confidence: (C, T, J).

    Returns:
        (T, J, 3) world metres, NaN with fewer than two views, and (C, T, J) reprojection errors in pixels.
    """
    rays = np.stack(
        [px_to_rays(camera, xy) @ camera.cam_from_world[:3, :3] for camera, xy in zip(cameras, xy_px, strict=True)]
    )
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    centres = np.stack([camera.world_from_cam[:3, 3] for camera in cameras])[:, None, None, :, None]
    seen = np.where(np.isfinite(rays).all(axis=-1), confidence, 0.0)
    across = np.nan_to_num(np.eye(3) - rays[..., None] * rays[..., None, :])  # projects onto the plane across the ray
    enough = (seen > 0).sum(axis=0) >= 2
    weight = seen
    for _ in range(ROUNDS):
        normal = (weight[..., None, None] * across).sum(axis=0) + 1e-9 * np.eye(3)
        right = (weight[..., None, None] * (across @ centres)).sum(axis=0)
        xyz_m = np.where(enough[..., None], np.linalg.solve(normal, right)[..., 0], np.nan)
        shown = np.stack([project(camera, xyz_m)[0] for camera in cameras])
        error_px = np.linalg.norm(shown - xy_px, axis=-1)
        weight = seen / (1 + (np.nan_to_num(error_px, nan=1e3) / OUTLIER_PX) ** 2)
    return xyz_m, error_px


def find_lags(cameras: Sequence[Camera], xy_px: Floats, confidence: Floats) -> list[int]:
    """How many frames each view runs ahead of the first: those that make the rays meet best.

    They come from 2D joints and calibration alone, so that they favour no lifter.
    """

    def cost(lags: Sequence[int]) -> float:
        _, error_px = triangulate(cameras, shifted(xy_px, lags), np.nan_to_num(shifted(confidence, lags)))
        inner = error_px[:, MAX_LAG:-MAX_LAG]
        return float(np.nanmean(np.log1p((inner / OUTLIER_PX) ** 2)))

    lags = [0] * len(cameras)
    for _ in range(2):
        for view in range(1, len(cameras)):
            tried = [[*lags[:view], lag, *lags[view + 1 :]] for lag in range(-MAX_LAG, MAX_LAG + 1)]
            lags = min(tried, key=cost)
    return lags


def shifted(values: Floats, lags: Sequence[int]) -> Floats:
    """Bring (C, T, ...) of all views to the first one's clock; NaN beyond the ends."""
    moved = np.full_like(values, np.nan)
    for view, lag in enumerate(lags):
        inside = slice(max(0, -lag), len(values[view]) - max(0, lag))
        moved[view, inside] = np.roll(values[view], -lag, axis=0)[inside]
    return moved
