"""Camera points -> pixels with every derivative, for the solvers that turn pixels into cameras.

The same lens models as ``base/projection.py``, which is the oracle of this file's tests: there one point may be asked
for at a time and what lies out of reach is NaN; here a solver needs smooth numbers and their slopes.

Reference: OpenCV, "Camera Calibration and 3D Reconstruction" and "Fisheye camera model".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera

__all__ = ["LENS_NUMBERS", "Projected", "project_with_derivatives"]

Floats = NDArray[np.float64]

LENS_NUMBERS: Final = ("fx", "fy", "cx", "cy")
"""What stands before the distortion coefficients in the derivatives by the lens."""

_NEAREST: Final = 1e-6  # metres in front of the camera; nearer points have no picture
_TINY_R: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """N points in the picture.

    Attributes:
        xy_px: (N, 2) pixels; NaN behind the camera.
        by_xyz: (N, 2, 3) derivative by the point in camera axes; 0 behind the camera.
        by_lens: (N, 2, 4 + n) derivative by fx, fy, cx, cy and the n distortion coefficients; 0 behind the camera.
    """

    xy_px: Floats
    by_xyz: Floats
    by_lens: Floats


def project_with_derivatives(camera: Camera, xyz_cam_m: Floats) -> Projected:
    """Project points that are given in the camera's axes.

    Args:
        camera: its lens; its pose is not looked at.
        xyz_cam_m: (N, 3) metres, +z forward.
    """
    front = xyz_cam_m[:, 2] > _NEAREST
    depth = np.where(front, xyz_cam_m[:, 2], 1.0)
    flat = xyz_cam_m[:, :2] / depth[:, None]
    bent, by_flat, by_bend = (_fisheye if camera.model == "fisheye" else _brown)(camera.distortion, flat)
    flat_by_xyz = np.zeros((len(flat), 2, 3))
    flat_by_xyz[:, 0, 0] = flat_by_xyz[:, 1, 1] = 1 / depth
    flat_by_xyz[:, :, 2] = -flat / depth[:, None]
    K = camera.K[:2, :2]
    by_lens = np.zeros((len(flat), 2, 4 + len(camera.distortion)))
    by_lens[:, 0, 0], by_lens[:, 1, 1] = bent[:, 0], bent[:, 1]
    by_lens[:, 0, 2] = by_lens[:, 1, 3] = 1.0
    by_lens[:, :, 4:] = K @ by_bend
    return Projected(
        xy_px=np.where(front[:, None], bent @ K.T + camera.K[:2, 2], np.nan),
        by_xyz=np.where(front[:, None, None], K @ by_flat @ flat_by_xyz, 0.0),
        by_lens=np.where(front[:, None, None], by_lens, 0.0),
    )


def _fisheye(distortion: Floats, xy: Floats) -> tuple[Floats, Floats, Floats]:
    """Bent points (N, 2), their derivative by the points (N, 2, 2) and by the coefficients (N, 2, n)."""
    k = np.pad(distortion, (0, 4 - len(distortion)))
    r = np.maximum(np.linalg.norm(xy, axis=-1), _TINY_R)
    theta = np.arctan(r)
    powers = theta[:, None] ** (2 * np.arange(1, 5))  # (N, 4)
    grown = theta * (1 + powers @ k)
    slope = (1 + powers @ (k * (2 * np.arange(1, 5) + 1))) / (1 + r * r)  # d grown / d r
    scale = grown / r
    scale_by_r_over_r = (slope - scale) / (r * r)
    by_xy = scale[:, None, None] * np.eye(2) + scale_by_r_over_r[:, None, None] * xy[:, :, None] * xy[:, None, :]
    by_k = xy[:, :, None] * (theta[:, None] * powers / r[:, None])[:, None, :]
    return xy * scale[:, None], by_xy, by_k[:, :, : len(distortion)]


def _brown(distortion: Floats, xy: Floats) -> tuple[Floats, Floats, Floats]:
    """Bent points (N, 2), their derivative by the points (N, 2, 2) and by the coefficients (N, 2, n)."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tilt_x, tilt_y = np.pad(distortion, (0, 14 - len(distortion)))
    x, y = xy[:, 0], xy[:, 1]
    r2 = x * x + y * y
    above = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    g = above / below
    g_by_r2 = (k1 + r2 * (2 * k2 + 3 * r2 * k3) - g * (k4 + r2 * (2 * k5 + 3 * r2 * k6))) / below
    sx, sy = s1 + 2 * s2 * r2, s3 + 2 * s4 * r2
    bent = np.stack(
        [
            x * g + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * r2 * r2,
            y * g + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s3 * r2 + s4 * r2 * r2,
        ],
        axis=-1,
    )
    by_xy = np.empty((len(xy), 2, 2))
    by_xy[:, 0, 0] = g + 2 * x * x * g_by_r2 + 2 * p1 * y + 6 * p2 * x + 2 * x * sx
    by_xy[:, 0, 1] = 2 * x * y * g_by_r2 + 2 * p1 * x + 2 * p2 * y + 2 * y * sx
    by_xy[:, 1, 0] = 2 * x * y * g_by_r2 + 2 * p1 * x + 2 * p2 * y + 2 * x * sy
    by_xy[:, 1, 1] = g + 2 * y * y * g_by_r2 + 6 * p1 * y + 2 * p2 * x + 2 * y * sy
    by_k = np.zeros((len(xy), 2, 14))
    for column, power in ((0, 1), (1, 2), (4, 3)):
        by_k[:, :, column] = xy * (r2**power / below)[:, None]
    for column, power in ((5, 1), (6, 2), (7, 3)):
        by_k[:, :, column] = -xy * (g * r2**power / below)[:, None]
    by_k[:, 0, 2] = by_k[:, 1, 3] = 2 * x * y
    by_k[:, 1, 2], by_k[:, 0, 3] = r2 + 2 * y * y, r2 + 2 * x * x
    by_k[:, 0, 8] = by_k[:, 1, 10] = r2
    by_k[:, 0, 9] = by_k[:, 1, 11] = r2 * r2
    if tilt_x or tilt_y:
        bent, by_xy, by_k = _tilted(float(tilt_x), float(tilt_y), bent, by_xy, by_k)
    elif len(distortion) == 14:  # at no tilt its derivative is simple
        by_k[:, :, 12:] = _tilt_slopes(0.0, 0.0, bent)
    return bent, by_xy, by_k[:, :, : len(distortion)]


def _tilted(tilt_x: float, tilt_y: float, bent: Floats, by_xy: Floats, by_k: Floats) -> tuple[Floats, Floats, Floats]:
    """Send points and derivatives through the sensor's tilt (OpenCV's last two coefficients)."""
    H = _tilt_matrix(tilt_x, tilt_y)
    flat, by_flat = _through(H, bent)
    by_k = by_flat @ by_k
    by_k[:, :, 12:] = _tilt_slopes(tilt_x, tilt_y, bent)
    return flat, by_flat @ by_xy, by_k


def _tilt_slopes(tilt_x: float, tilt_y: float, bent: Floats) -> Floats:
    """Derivative (N, 2, 2) by the two angles: of a smooth function of two scalars, by central differences."""
    step = 1e-6
    moved = [
        _through(_tilt_matrix(tilt_x + dx, tilt_y + dy), bent)[0]
        - _through(_tilt_matrix(tilt_x - dx, tilt_y - dy), bent)[0]
        for dx, dy in ((step, 0.0), (0.0, step))
    ]
    return np.stack(moved, axis=-1) / (2 * step)


def _tilt_matrix(tilt_x: float, tilt_y: float) -> Floats:
    cx, sx, cy, sy = np.cos(tilt_x), np.sin(tilt_x), np.cos(tilt_y), np.sin(tilt_y)
    R = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    plane = np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1.0]])
    return np.asarray(plane @ R)


def _through(H: Floats, xy: Floats) -> tuple[Floats, Floats]:
    """Points through a homography, and the derivative (N, 2, 2)."""
    homogeneous = xy @ H[:, :2].T + H[:, 2]
    w = homogeneous[:, 2]
    flat = homogeneous[:, :2] / w[:, None]
    by_xy = (H[None, :2, :2] - flat[:, :, None] * H[None, 2:, :2]) / w[:, None, None]
    return flat, by_xy
