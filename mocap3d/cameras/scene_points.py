"""Where cameras stand, from points of the scene whose places were measured.

```
poses = cameras_from_points(cameras, points_m, xy_px)     # (P, 3) and (C, P, 2)
```

Marks on a floor, corners of a court, the ends of a treadmill: four or more in each camera, measured with a tape. Every
camera is resected on its own (the closed forms of OpenCV's solvePnP over random subsets, so that a mark that was
clicked wrongly is found), then all cameras and points are adjusted together, each point free within the error of its
measurement. The world is the one in which the points were measured: give them +Y up and the floor at y = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.checks import as_floats
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.projection import px_to_rays
from mocap3d.cameras.bundle import Sights, adjust
from mocap3d.cameras.lens_derivatives import project_with_derivatives

__all__ = ["SceneSolution", "cameras_from_points"]

Floats = NDArray[np.float64]

_LEAST: Final = 4
_SUBSETS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneSolution:
    """Cameras that were placed by measured points.

    Attributes:
        cameras: with their poses.
        points_m: (P, 3) the points after the adjustment.
        moved_m: (P,) how far each moved from where it was measured.
        residuals_px: (C, P) distance between where a point was seen and where it is projected; NaN where not seen.
        wrong: (C, P) sights that fit nothing and were left out.
        position_std_m: per camera, how well its place is known.
    """

    cameras: tuple[Camera, ...]
    points_m: Floats
    moved_m: Floats
    residuals_px: Floats
    wrong: NDArray[np.bool_]
    position_std_m: tuple[float, ...]


def cameras_from_points(
    cameras: Sequence[Camera],
    points_m: ArrayLike,
    xy_px: ArrayLike,
    *,
    points_std_m: float = 0.01,
    clicked_px: float = 2.0,
) -> SceneSolution:
    """Solve the poses of cameras whose lenses are known.

    Args:
        cameras: C cameras; their poses are not looked at.
        points_m: (P, 3) measured points, in the world that is wanted.
        xy_px: (C, P, 2) where they are in the pictures; NaN where not seen.
        points_std_m: how well they were measured.
        clicked_px: how well they were marked in the pictures.

    Raises:
        InputError: shapes that do not fit, or errors that are not above 0.
        CalibrationError: too few points in a camera, points on a line, or none that agree; it says which camera.
    """
    points = as_floats("points_m", points_m, (None, 3))
    seen_px = as_floats("xy_px", xy_px, (len(cameras), len(points), 2))
    if np.isnan(points).any():
        raise InputError("points_m holds NaN: leave out what was not measured")
    if not (points_std_m > 0 and clicked_px > 0):
        raise InputError("points_std_m and clicked_px must be above 0")
    limit = 5 * clicked_px + 3 * points_std_m * _px_per_m(cameras, points)
    wrong = np.zeros(seen_px.shape[:2], bool)
    start = []
    for c, camera in enumerate(cameras):
        seen = np.isfinite(seen_px[c]).all(axis=-1)
        pose, inliers = _resected(camera, points[seen], seen_px[c, seen], float(limit[c]))
        wrong[c, np.flatnonzero(seen)[~inliers]] = True
        start.append(replace(camera, cam_from_world=pose))
    used = np.isfinite(seen_px).all(axis=-1) & ~wrong
    camera_index, point_index = np.nonzero(used)
    sights = Sights(
        camera=camera_index,
        point=point_index,
        xy_px=seen_px[used],
        weight=np.full(len(camera_index), clicked_px**-2),
    )
    known = np.full(len(points), points_std_m)
    solved = adjust(start, points, sights, points_std_m=known, robust_px=3.0)
    return SceneSolution(
        cameras=solved.cameras,
        points_m=solved.points_m,
        moved_m=np.linalg.norm(solved.points_m - points, axis=-1),
        residuals_px=_distances(solved.cameras, solved.points_m, seen_px),
        wrong=wrong,
        position_std_m=tuple(float(np.linalg.norm(std["pose"][3:])) for std in solved.std),
    )


def _distances(cameras: Sequence[Camera], points: Floats, seen_px: Floats) -> Floats:
    """(C, P) pixels between where points were seen and where they are projected."""
    return np.stack(
        [np.linalg.norm(xy - _projected(camera, points), axis=-1) for camera, xy in zip(cameras, seen_px, strict=True)]
    )


def _px_per_m(cameras: Sequence[Camera], points: Floats) -> Floats:
    """(C,) how many pixels a metre is, for cameras that see the points at about half their width."""
    across = max(float(np.linalg.norm(np.ptp(points, axis=0))), 1e-9)
    return np.array([max(camera.size_wh_px) / across for camera in cameras])


def _projected(camera: Camera, points: Floats) -> Floats:
    cam = points @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    return project_with_derivatives(camera, cam).xy_px


def _resected(camera: Camera, points: Floats, xy_px: Floats, limit_px: float) -> tuple[Floats, NDArray[np.bool_]]:
    """The pose with which most points agree, and which do."""
    rays = px_to_rays(camera, xy_px)[:, :2]
    usable = np.isfinite(rays).all(axis=-1)
    if usable.sum() < _LEAST:
        raise CalibrationError(
            f"{camera.name}: {int(usable.sum())} measured points are in its picture; at least {_LEAST} are needed, "
            "and 6 to 8 find one that was clicked wrongly"
        )
    spread = np.linalg.svd(points[usable] - points[usable].mean(axis=0), compute_uv=False)
    if spread[1] < 0.05 * spread[0]:
        raise CalibrationError(f"{camera.name}: the measured points lie on a line, around which the camera may turn")
    rows = np.flatnonzero(usable)
    best: tuple[int, float, Floats, NDArray[np.bool_]] | None = None
    for subset in _subsets(rows):
        for pose in _poses(points[subset], rays[subset]):
            off = np.linalg.norm(_projected(replace(camera, cam_from_world=pose), points) - xy_px, axis=-1)
            off = np.nan_to_num(off, nan=np.inf)
            agree = usable & (off < limit_px)
            total = float(np.minimum(off[usable], limit_px).sum())
            if best is None or (-int(agree.sum()), total) < (best[0], best[1]):
                best = (-int(agree.sum()), total, pose, agree)
    if best is None or -best[0] < _LEAST:
        raise CalibrationError(
            f"{camera.name}: no place of the camera puts {_LEAST} of its {len(rows)} points where they were clicked "
            f"(within {limit_px:.0f} px): are they numbered as they were measured, in metres, and is it this lens?"
        )
    return best[2], best[3]


def _subsets(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """All points, then subsets of four: all of them, or many at random (the same ones each time)."""
    fours = [np.array(four) for four in combinations(rows[:12], _LEAST)] if len(rows) <= 12 else []
    rng = np.random.default_rng(0)
    if not fours:
        fours = [rng.choice(rows, _LEAST, replace=False) for _ in range(_SUBSETS)]
    rng.shuffle(fours)
    return [rows, *fours[:_SUBSETS]]


def _poses(points: Floats, rays: Floats) -> list[Floats]:
    import cv2

    centre = points.mean(axis=0)
    found = []
    for method in (cv2.SOLVEPNP_SQPNP, cv2.SOLVEPNP_IPPE):
        try:
            count, turns, moves, _ = cv2.solvePnPGeneric(points - centre, rays, np.eye(3), None, flags=method)
        except cv2.error:  # IPPE wants points of one plane
            continue
        for turn, move in zip(turns[:count], moves[:count], strict=True):
            pose = np.eye(4)
            pose[:3, :3] = cv2.Rodrigues(turn)[0]
            pose[:3, 3] = move.ravel() - pose[:3, :3] @ centre
            if np.isfinite(pose).all():
                found.append(pose)
    return found
