"""Several cameras' pixels -> points in space, all points at once; and how far off the pixels and the points are.

A pixel says that the point lies on a ray. With rays written as (u, v, 1) in the camera's frame, a point X must fulfil
``(p1 - u p3) X = 0`` and ``(p2 - v p3) X = 0``, p being the rows of the camera's ``cam_from_world``. The normal
equations of all views are linear in 1, u, v and u² + v², so that those of a million points are one matrix product; what
remains is a 3x3 system per point, solved by cofactors. Rows are weighted by pixels per ray over depth, which makes the
algebraic error one in pixels; depth comes from a first solution whose weights do without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.projection import project, px_to_rays

__all__ = [
    "PARALLEL",
    "covariance_m2",
    "normal_products",
    "px_per_m",
    "rays_of",
    "reprojection_px",
    "solve_rays",
    "triangulate",
]

Floats = NDArray[np.float64]

PARALLEL = 1e-6
"""Rays that span less than this (the determinant over the cubed mean eigenvalue, about the square of the angle in
radians) meet nowhere: a milliradian is a pixel or two."""
_AT_ONCE = 16384  # points whose equations stay in the processor's cache
_RAY_STEP = 1e-6
_TABLE = 512


def triangulate(cameras: Sequence[Camera], xy_px: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Find the points that best explain what several cameras see; linear, weighted, distortion undone exactly.

    Args:
        cameras: C cameras with poses in one world.
        xy_px: (C, ..., 2) pixels, NaN where not seen.
        weight: (C, ...) at least 0, the inverse of the squared pixel error up to a factor; 0 takes a view out; None:
            all views alike.

    Returns:
        (..., 3) world metres; NaN where fewer than two views count, where their rays are parallel to within a
        milliradian, and where the rays meet behind a camera that counts.

    Raises:
        InputError: fewer than two cameras, or shapes that do not fit.

    Reference:
        Hartley & Sturm, "Triangulation", CVIU 1997: linear least squares with inhomogeneous rows, iterated once.
    """
    pixels, weights = _checked(cameras, xy_px, weight)
    shape = pixels.shape[1:-1]
    rays, px_per_ray = rays_of(cameras, pixels.reshape(len(cameras), -1, 2))
    poses = np.stack([camera.cam_from_world[:3] for camera in cameras])
    return solve_rays(poses, rays, weights.reshape(len(cameras), -1) * px_per_ray**2).reshape(*shape, 3)


def rays_of(cameras: Sequence[Camera], xy_px: ArrayLike) -> tuple[Floats, Floats]:
    """Undo the lenses, and say how many pixels a step of the ray is there.

    Args:
        cameras: C cameras.
        xy_px: (C, N, 2) pixels, NaN where not seen.

    Returns:
        u and v (C, 2, N) of the rays (u, v, 1) in the cameras' frames, and (C, N) pixels per unit of u and v: the root
        of the lens's magnification of areas, tangential terms aside.
    """
    pixels = np.asarray(xy_px, np.float64)
    rays, scale = np.empty((len(pixels), 2, pixels.shape[1])), np.empty(pixels.shape[:2])
    for camera, xy, uv, px_per_ray in zip(cameras, pixels, rays, scale, strict=True):
        if _is_bent(camera):
            uv[:] = px_to_rays(camera, xy)[:, :2].T
        else:
            np.divide(xy[:, 1] - camera.K[1, 2], camera.K[1, 1], out=uv[1])
            np.divide(xy[:, 0] - camera.K[0, 2] - camera.K[0, 1] * uv[1], camera.K[0, 0], out=uv[0])
        px_per_ray[:] = _px_per_ray(camera, uv)
    return rays, scale


def solve_rays(
    cam_from_world: Floats, rays: Floats, weight: Floats, *, rounds: int = 2, near_m: Floats | None = None
) -> Floats:
    """`triangulate` for rays, without checks: the closed form itself.

    Args:
        cam_from_world: (C, 3, 4) or (C, 4, 4) poses.
        rays: (C, 2, N) u and v of the rays (u, v, 1) in the cameras' frames; NaN where not seen.
        weight: (C, N) of the squared error in the plane z = 1.
        rounds: 1 leaves it at weights that know no depth: half the work, good enough to start from.
        near_m: (N, 3) about where the points are, as told by someone else: depth is known from it, and one round does.

    Returns:
        (N, 3), NaN as in `triangulate`.
    """
    poses = np.asarray(cam_from_world, np.float64)[:, :3]
    centres = -np.einsum("cji,cj->ci", poses[:, :, :3], poses[:, :, 3])
    origin = centres.mean(axis=0)  # an origin among the cameras keeps the digits
    local = np.concatenate([poses[:, :, :3], (poses[:, :, :3] @ origin + poses[:, :, 3])[..., None]], axis=2)
    products = normal_products(local)
    xyz_m = np.empty((rays.shape[2], 3))
    for start in range(0, len(xyz_m), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        depth = None if near_m is None else _depths(local, near_m[some].T - origin[:, None])
        xyz_m[some] = _solve_some(local, products, rays[:, :, some], weight[:, some], rounds, depth).T
    xyz_m += origin
    return xyz_m


def reprojection_px(cameras: Sequence[Camera], xyz_m: ArrayLike, xy_px: ArrayLike) -> Floats:
    """Measure how far points land from what was seen.

    Args:
        cameras: C cameras.
        xyz_m: (..., 3) world metres.
        xy_px: (C, ..., 2) pixels.

    Returns:
        (C, ...) pixels; NaN where nothing was seen, there is no point, or it lies behind the camera.
    """
    pixels, _ = _checked(cameras, xy_px, None)
    xyz = np.asarray(xyz_m, np.float64)
    if xyz.shape != (*pixels.shape[1:-1], 3):
        raise InputError(f"xyz_m must have shape {(*pixels.shape[1:-1], 3)}, got {xyz.shape}")
    shown = (project(camera, xyz)[0] - xy for camera, xy in zip(cameras, pixels, strict=True))
    return np.stack([np.linalg.norm(off, axis=-1) for off in shown])


def px_per_m(camera: Camera, xyz_m: ArrayLike) -> Floats:
    """Differentiate the projection, distortion included.

    Args:
        camera: the camera.
        xyz_m: (..., 3) world metres.

    Returns:
        (..., 2, 3) pixels per metre along the world's axes; NaN where the camera cannot see the point.
    """
    R, t = camera.cam_from_world[:3, :3], camera.cam_from_world[:3, 3]
    cam = np.asarray(xyz_m, np.float64) @ R.T + t
    depth = np.where(cam[..., 2] > 1e-9, cam[..., 2], np.nan)
    uv = cam[..., :2] / depth[..., None]
    ray_per_m = (R[:2] - uv[..., None] * R[2]) / depth[..., None, None]
    if not _is_bent(camera):
        return np.asarray(camera.K[:2, :2] @ ray_per_m)
    lens = _without_pose(camera)
    columns = []
    for step in _RAY_STEP * np.eye(2):
        ahead, behind = (
            project(lens, np.concatenate([uv + s, np.ones_like(uv[..., :1])], axis=-1))[0] for s in (step, -step)
        )
        columns.append((ahead - behind) / (2 * _RAY_STEP))
    return np.asarray(np.stack(columns, axis=-1) @ ray_per_m)


def covariance_m2(cameras: Sequence[Camera], xyz_m: ArrayLike, std_px: ArrayLike) -> Floats:
    """Say how sure points are: the Cramér-Rao bound for independent Gaussian errors in the pictures.

    Args:
        cameras: C cameras.
        xyz_m: (..., 3) world metres.
        std_px: (C, ...) standard deviation along x and along y; infinite or NaN where a view does not count.

    Returns:
        (..., 3, 3) covariance, square metres; NaN where the views do not fix the point.
    """
    xyz, std = np.asarray(xyz_m, np.float64), np.asarray(std_px, np.float64)
    information = np.zeros((*xyz.shape, 3))
    for camera, sigma in zip(cameras, std, strict=True):
        scaled = np.nan_to_num(px_per_m(camera, xyz) / np.where(sigma > 0, sigma, np.nan)[..., None, None])
        information += np.swapaxes(scaled, -1, -2) @ scaled
    mean = np.trace(information, axis1=-2, axis2=-1)[..., None, None] / 3
    sound = (mean > 0) & (np.linalg.det(information / np.where(mean > 0, mean, 1.0))[..., None, None] > PARALLEL)
    return np.where(sound, np.linalg.inv(np.where(sound, information, np.eye(3))), np.nan)


def _checked(cameras: Sequence[Camera], xy_px: ArrayLike, weight: ArrayLike | None) -> tuple[Floats, Floats]:
    pixels = np.asarray(xy_px, np.float64)
    if len(cameras) < 2:
        raise InputError(f"triangulation needs at least 2 cameras, got {len(cameras)}")
    if pixels.ndim < 2 or pixels.shape[0] != len(cameras) or pixels.shape[-1] != 2:
        raise InputError(f"xy_px must be ({len(cameras)}, ..., 2), one row per camera, got {pixels.shape}")
    weights = np.ones(pixels.shape[:-1]) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != pixels.shape[:-1]:
        raise InputError(f"weight must have shape {pixels.shape[:-1]}, got {weights.shape}")
    if not (weights >= 0).all():
        raise InputError("weight must be at least 0 everywhere")
    return pixels, weights


def _px_per_ray(camera: Camera, rays: Floats) -> Floats | float:
    """(N,) square root of the area of a pixel's image, from a table over the distance from the axis."""
    focal_px = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
    if not _is_bent(camera):
        return focal_px
    r = np.hypot(rays[0], rays[1])
    farthest = float(np.nanmax(r, initial=1e-3)) * 1.01
    grid = np.linspace(0.0, farthest, _TABLE)
    ahead = np.stack([grid, np.zeros(_TABLE), np.ones(_TABLE)], axis=-1)
    xy_px = project(_without_pose(camera), ahead)[0] - camera.K[:2, 2]
    bent = np.linalg.norm(xy_px / np.diag(camera.K)[:2], axis=-1)
    bent[0] = 0.0
    steepness = np.gradient(bent, grid)
    outwards = np.divide(bent, grid, out=steepness.copy(), where=grid > 0)
    area = np.nan_to_num(outwards * steepness, nan=0.0).clip(0.0)
    return np.asarray(focal_px * np.sqrt(np.interp(r, grid, area)))


def _is_bent(camera: Camera) -> bool:
    return camera.model == "fisheye" or bool(camera.distortion.any())


def _without_pose(camera: Camera) -> Camera:
    return replace(camera, cam_from_world=np.eye(4))


def normal_products(poses: Floats) -> Floats:
    """(9, 4 C): what w, w u, w v and w (u² + v²) of each camera add to the normal equations.

    The rows are xx, xy, xz, yy, yz, zz and the right sides x, y, z.
    """
    first, second, third = poses[:, 0], poses[:, 1], poses[:, 2]  # (C, 4)

    def both(a: Floats, b: Floats) -> Floats:
        return a[:, :, None] * b[:, None] + b[:, :, None] * a[:, None]

    terms = (both(first, first) + both(second, second)) / 2, -both(first, third), -both(second, third)
    grams = np.stack([*terms, both(third, third) / 2], axis=1)  # (C, 4 features, 4, 4)
    i, j = [0, 0, 0, 1, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 2, 3, 3, 3]
    sign = np.array([1, 1, 1, 1, 1, 1, -1, -1, -1])
    return np.asarray((grams[:, :, i, j] * sign).reshape(-1, 9).T)


def _solve_some(
    poses: Floats, products: Floats, rays: Floats, weight: Floats, rounds: int, depth: Floats | None
) -> Floats:
    """(3, N) points: once with weights that know no depth, then with those that do."""
    u, v = rays[:, 0], rays[:, 1]
    seen = (weight > 0) & (u == u) & (v == v)
    if not seen.all():
        u, v, weight = np.where(seen, u, 0.0), np.where(seen, v, 0.0), np.where(seen, weight, 0.0)
    squared = u * u + v * v
    enough = seen.sum(axis=0) >= 2
    xyz = _solved(products, u, v, squared, weight / _away(squared, depth))
    for _ in range(rounds - 1 if depth is None else 0):
        xyz = _solved(products, u, v, squared, weight / _away(squared, _depths(poses, xyz)))
    depth = _depths(poses, xyz)
    behind = (seen & ~(depth > 0)).any(axis=0)
    xyz[:, behind | ~enough] = np.nan
    return xyz


def _away(squared: Floats, depth: Floats | None) -> Floats:
    """Squared depth, or what takes its place while nothing is known: that of points on a sphere."""
    return 1 + squared if depth is None else np.maximum(depth * depth, 1e-12)


def _depths(poses: Floats, xyz: Floats) -> Floats:
    """(C, N) along the cameras' axes."""
    return np.asarray(poses[:, 2, :3] @ xyz + poses[:, 2, 3:])


def _solved(products: Floats, u: Floats, v: Floats, squared: Floats, weight: Floats) -> Floats:
    """(3, N): normal equations by one matrix product, solved by cofactors; NaN where they are singular."""
    features = np.stack([weight, weight * u, weight * v, weight * squared], axis=1)
    xx, xy, xz, yy, yz, zz, bx, by, bz = products @ features.reshape(-1, u.shape[1])
    cxx, cxy, cxz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    cyy, cyz, czz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * cxx + xy * cxy + xz * cxz
    mean = (xx + yy + zz) / 3
    sound = determinant > PARALLEL * mean * mean * mean
    inverse = np.divide(1.0, determinant, out=np.full_like(determinant, np.nan), where=sound)
    return np.stack(
        [
            (cxx * bx + cxy * by + cxz * bz) * inverse,
            (cxy * bx + cyy * by + cyz * bz) * inverse,
            (cxz * bx + cyz * by + czz * bz) * inverse,
        ]
    )
