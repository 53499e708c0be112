"""Space to pixels and back through a camera's lens."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera

__all__ = ["project", "px_to_rays"]

_UNDISTORT_STEPS = 40
_AT_ONCE = 8192  # points whose arrays stay in the processor's cache


def project(camera: Camera, xyz_m: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Project world points into a camera's picture, distortion included.

    Args:
        camera: the camera.
        xyz_m: (..., 3) world metres.

    Returns:
        xy_px (..., 2), and whether each point lies in front of the camera (others are NaN). A point so far to the side
        that the lens model folds back there, which would put it near the centre of the picture, does not.

    Reference:
        OpenCV, "Camera Calibration and 3D Reconstruction" and "Fisheye camera model".
    """
    cam = np.asarray(xyz_m, np.float64) @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    in_front = cam[..., 2] > 1e-9
    depth = np.where(in_front, cam[..., 2], np.nan)
    flat = cam[..., :2] / depth[..., None]
    in_front &= np.linalg.norm(np.where(in_front[..., None], flat, 0.0), axis=-1) < _reach(camera)
    xy = np.where(in_front[..., None], _distort(camera, flat), np.nan)
    xy_px = xy @ camera.K[:2, :2].T + camera.K[:2, 2]
    return xy_px, in_front


def px_to_rays(camera: Camera, xy_px: ArrayLike) -> NDArray[np.float64]:
    """Turn pixels into rays (..., 3) with z = 1 in the camera's frame, distortion removed.

    NaN stays NaN, and a pixel that no ray reaches through this lens becomes NaN.
    """
    target = (np.asarray(xy_px, np.float64) - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
    xy = target
    if not _is_pinhole(camera):
        undistort = _undistort_fisheye if camera.model == "fisheye" else _undistort_brown
        reach, flat = _reach(camera), target.reshape(-1, 2)
        xy = np.empty_like(flat)
        for start in range(0, len(flat), _AT_ONCE):
            some = flat[start : start + _AT_ONCE]
            ray = undistort(camera, some)
            off = np.linalg.norm(_distort(camera, ray) - some, axis=-1)
            found = (off < 1e-6) & (np.linalg.norm(ray, axis=-1) < reach)
            xy[start : start + _AT_ONCE] = np.where(found[:, None], ray, np.nan)
        xy = xy.reshape(target.shape)
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)


def _undistort_brown(camera: Camera, target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method: converges where the plain fixed point of OpenCV oscillates."""
    xy = target.copy()
    for _ in range(_UNDISTORT_STEPS):
        error = _distort(camera, xy) - target
        a, b, c, d = _slopes(camera, xy)
        det = a * d - b * c
        delta = np.stack([d * error[..., 0] - b * error[..., 1], a * error[..., 1] - c * error[..., 0]], axis=-1)
        delta /= np.where(np.abs(det) < 1e-9, np.nan, det)[..., None]
        xy = xy - delta
        if not np.nanmax(np.abs(delta), initial=0.0) > 1e-13:
            break
    return xy


def _slopes(camera: Camera, xy: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Derivatives of the distorted x by x and y, and of the distorted y by x and y; numerical for a tilted sensor."""
    k = _coefficients(camera, 14)
    if k[12] or k[13]:
        step = 1e-6
        columns = [(_distort(camera, xy + e) - _distort(camera, xy - e)) / (2 * step) for e in step * np.eye(2)]
        return columns[0][..., 0], columns[1][..., 0], columns[0][..., 1], columns[1][..., 1]
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = k[:12]
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    over, under = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    radial = over / under
    twice = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3) - radial * (k4 + r2 * (2 * k5 + r2 * 3 * k6))) / under
    across = x * y * twice + 2 * (p1 * x + p2 * y)
    prism_x, prism_y = 2 * s1 + 4 * s2 * r2, 2 * s3 + 4 * s4 * r2
    return (
        radial + x * x * twice + 2 * p1 * y + 6 * p2 * x + prism_x * x,
        across + prism_x * y,
        across + prism_y * x,
        radial + y * y * twice + 6 * p1 * y + 2 * p2 * x + prism_y * y,
    )


def _undistort_fisheye(camera: Camera, target: NDArray[np.float64]) -> NDArray[np.float64]:
    distorted = np.linalg.norm(target, axis=-1)
    theta = np.minimum(distorted, np.pi / 2)
    k = _coefficients(camera, 4)
    for _ in range(_UNDISTORT_STEPS):
        powers = [theta ** (2 * n) for n in range(1, 5)]
        value = theta * (1 + sum(kn * p for kn, p in zip(k, powers, strict=True)))
        slope = 1 + sum((2 * n + 1) * kn * p for n, (kn, p) in enumerate(zip(k, powers, strict=True), start=1))
        step = (value - distorted) / slope
        theta = theta - step
        if not np.nanmax(np.abs(step), initial=0.0) > 1e-14:
            break
    scale = np.where(distorted > 1e-12, np.tan(theta) / np.maximum(distorted, 1e-12), 1.0)
    return target * scale[..., None]


def _reach(camera: Camera) -> float:
    """How far from the axis, at z = 1, the lens model still moves outwards; beyond it folds back and means nothing."""
    if _is_pinhole(camera):
        return np.inf
    r = np.tan(np.linspace(0.0, np.pi / 2, 2000, endpoint=False))  # every direction in front of the camera
    radial = _distort_radially(camera, r)
    inwards = np.flatnonzero(np.diff(radial) <= 0)
    return float(r[inwards[0]]) if len(inwards) else np.inf


def _is_pinhole(camera: Camera) -> bool:
    """Whether nothing bends the rays; a fisheye does so even when all its coefficients are 0."""
    return camera.model != "fisheye" and not bool(camera.distortion.any())


def _distort(camera: Camera, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    if _is_pinhole(camera):
        return xy
    r = np.linalg.norm(xy, axis=-1)
    radial = np.where(r > 1e-12, _distort_radially(camera, r) / np.maximum(r, 1e-12), 1.0)
    if camera.model == "fisheye":
        return np.asarray(xy * radial[..., None])
    p1, p2, s1, s2, s3, s4, tilt_x, tilt_y = _coefficients(camera, 14)[[2, 3, 8, 9, 10, 11, 12, 13]]
    x, y, r2 = xy[..., 0], xy[..., 1], r * r
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * r2 * r2
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s3 * r2 + s4 * r2 * r2
    bent = np.stack([bent_x, bent_y], axis=-1)
    return _tilt(bent, tilt_x, tilt_y) if tilt_x or tilt_y else bent


def _distort_radially(camera: Camera, r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a point at distance ``r`` from the axis goes, tangential terms aside."""
    if camera.model == "fisheye":
        k1, k2, k3, k4 = _coefficients(camera, 4)
        theta = np.arctan(r)
        t2 = theta * theta
        return np.asarray(theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))))
    k1, k2, k3, k4, k5, k6 = _coefficients(camera, 14)[[0, 1, 4, 5, 6, 7]]
    r2 = r * r
    return np.asarray(r * (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6))))


def _coefficients(camera: Camera, count: int) -> NDArray[np.float64]:
    return np.pad(camera.distortion, (0, count - len(camera.distortion)))


def _tilt(xy: NDArray[np.float64], tilt_x: float, tilt_y: float) -> NDArray[np.float64]:
    """Scheimpflug sensor tilt: OpenCV's last two coefficients."""
    cx, sx, cy, sy = np.cos(tilt_x), np.sin(tilt_x), np.cos(tilt_y), np.sin(tilt_y)
    R = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    plane = np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1.0]])
    bent = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1) @ (plane @ R).T
    return np.asarray(bent[..., :2] / bent[..., 2:])
