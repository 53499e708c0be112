"""Which cameras agree about a point: triangulation that some views may be wrong about, all points at once.

Nearly all points are seen alike by all their cameras, and the closed form is the answer. Mostly one view is wrong, the
one furthest off, and without it all others agree. Only for the rest every pair of cameras proposes a point; the one
that most views agree with wins, and reweighted rounds take in what agrees with it. A view that agrees keeps its whole
say, so that nothing is lost where there are only small errors.

Two views can agree by chance, three hardly. Where only two do, what was found shortly before and after has a say in
which pair is believed (``find_points_near``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.triangulation import rays_of, solve_rays

__all__ = [
    "AGREES",
    "DISAGREES",
    "ROUNDS",
    "Expected",
    "agreement",
    "camera_pairs",
    "errors",
    "find_points",
    "find_points_near",
    "triangulate_robust",
]

Floats = NDArray[np.float64]

AGREES, DISAGREES = 3.0, 6.0
"""Standard deviations up to which a view keeps its whole say, and from which on it has none."""
ROUNDS = 2
_AT_ONCE = 65536  # points; the few that are unsure then still come in long arrays
_MOST_PAIRS = 28  # of eight cameras; of more, those that look across each other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """Where points should be, from elsewhere.

    Attributes:
        xyz_m: (N, 3).
        std_m: (N,) per axis.
    """

    xyz_m: Floats
    std_m: Floats

    def off(self, xyz_m: Floats) -> Floats:
        """(N,) standard deviations; NaN for a point that is NaN."""
        return np.asarray(np.linalg.norm(xyz_m - self.xyz_m, axis=-1) / self.std_m)

    def some(self, points: NDArray[np.int64]) -> Expected:
        """Take some of the points."""
        return Expected(xyz_m=self.xyz_m[points], std_m=self.std_m[points])


def triangulate_robust(
    cameras: Sequence[Camera], xy_px: ArrayLike, weight: ArrayLike | None = None, *, std_px: float
) -> tuple[Floats, Floats]:
    """Triangulate where some views are wrong, straight from pixels.

    Args:
        cameras: C cameras with poses in one world.
        xy_px: (C, N, 2) pixels, NaN where not seen; distortion is undone exactly.
        weight: (C, N) at least 0, inverse variances up to a factor; None: all alike.
        std_px: error of a pixel of weight 1, along x and along y.

    Returns:
        (N, 3) world metres, NaN where no two views agree; and (C, N) what say each view had, 0 to 1.

    Raises:
        InputError: fewer than two cameras, or shapes that do not fit.
    """
    pixels = np.asarray(xy_px, np.float64)
    if len(cameras) < 2 or pixels.ndim != 3 or pixels.shape[::2] != (len(cameras), 2):
        raise InputError(f"xy_px must be (C, N, 2) for C cameras, at least 2; got {pixels.shape} for {len(cameras)}")
    weights = np.ones(pixels.shape[:2]) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != pixels.shape[:2] or not (weights >= 0).all():
        raise InputError(f"weight must be at least 0 and have shape {pixels.shape[:2]}, got {weights.shape}")
    poses = np.stack([camera.cam_from_world[:3] for camera in cameras])
    xyz_m, say = np.empty((pixels.shape[1], 3)), np.empty(pixels.shape[:2])
    for start in range(0, len(xyz_m), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        rays, px_per_ray = rays_of(cameras, pixels[:, some])
        px_per_ray /= std_px
        xyz_m[some], say[:, some] = _find_some(poses, rays, weights[:, some] * px_per_ray * px_per_ray)
    return xyz_m, say


def find_points(cam_from_world: Floats, rays: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Triangulate where some views are wrong.

    Args:
        cam_from_world: (C, 3, 4) poses.
        rays: (C, 2, N) u and v of the rays (u, v, 1); NaN where not seen.
        weight: (C, N) inverse variance of u and of v, so that errors come in standard deviations; 0 takes a view out.

    Returns:
        (N, 3) world metres, NaN where no two views agree; and (C, N) what say each view had, 0 to 1.
    """
    xyz_m, say = np.empty((rays.shape[2], 3)), np.empty(weight.shape)
    for start in range(0, len(xyz_m), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        xyz_m[some], say[:, some] = _find_some(cam_from_world, rays[:, :, some], weight[:, some])
    return xyz_m, say


def find_points_near(cam_from_world: Floats, rays: Floats, weight: Floats, expected: Expected) -> tuple[Floats, Floats]:
    """`find_points` for points that are expected somewhere: elsewhere they are not found.

    Args:
        cam_from_world: as in `find_points`, and so are rays and weight.
        rays: see there.
        weight: see there.
        expected: where, and how sure that is.
    """
    weight = np.where(np.isfinite(rays).all(axis=1), weight, 0.0)
    xyz_m, say = _most_agreed(cam_from_world, rays, weight, expected)
    say = say * (expected.off(xyz_m) < DISAGREES)
    return _without_lost(xyz_m, say)


def errors(cam_from_world: Floats, rays: Floats, weight: Floats, xyz_m: Floats) -> Floats:
    """(C, N) distance between a ray and its point's in standard deviations; NaN without either or behind the camera."""
    views = len(cam_from_world)
    turned = (cam_from_world[:, :, :3].reshape(-1, 3) @ xyz_m.T).reshape(views, 3, -1) + cam_from_world[:, :, 3:]
    inverse = 1 / np.where(turned[:, 2] > 0, turned[:, 2], np.nan)
    u, v = turned[:, 0] * inverse - rays[:, 0], turned[:, 1] * inverse - rays[:, 1]
    return np.asarray(np.sqrt(weight * (u * u + v * v)))


def agreement(off: Floats) -> Floats:
    """The say of a view that is so many standard deviations off: 1, falling smoothly to 0; 0 for NaN."""
    t = np.clip((DISAGREES - np.nan_to_num(off, nan=np.inf)) / (DISAGREES - AGREES), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def _find_some(poses: Floats, rays: Floats, weight: Floats) -> tuple[Floats, Floats]:
    weight = np.where(np.isfinite(rays).all(axis=1), weight, 0.0)
    seen = weight > 0
    xyz_m = solve_rays(poses, rays, weight)
    off = errors(poses, rays, weight, xyz_m)
    say = seen.astype(np.float64)
    unsure = np.flatnonzero((~(off <= AGREES) & seen).any(axis=0) & (seen.sum(axis=0) >= 2))
    if len(unsure):
        without, found_m = _without_worst(poses, rays[:, :, unsure], weight[:, unsure], off[:, unsure])
        settled = without.any(axis=0)
        xyz_m[unsure[settled]], say[:, unsure[settled]] = found_m[settled], without[:, settled]
        unsure = unsure[~settled]
    if len(unsure):
        xyz_m[unsure], say[:, unsure] = _most_agreed(poses, rays[:, :, unsure], weight[:, unsure], None)
    return _without_lost(xyz_m, say)


def _without_worst(poses: Floats, rays: Floats, weight: Floats, off: Floats) -> tuple[Floats, Floats]:
    """What say (C, N) views have if one of four or more is plainly wrong and the others agree, 0 if not; and points."""
    every = np.arange(rays.shape[2])
    worst = np.where(weight > 0, np.nan_to_num(off, nan=np.inf), -1.0).argmax(axis=0)
    others = weight.copy()
    others[worst, every] = 0.0
    xyz_m = solve_rays(poses, rays, others)
    off = errors(poses, rays, weight, xyz_m)
    agree = ((off <= AGREES) | ~(others > 0)).all(axis=0) & ((others > 0).sum(axis=0) >= 3)
    settled = agree & ~(off[worst, every] < DISAGREES)
    return np.where((others > 0) & settled, 1.0, 0.0), xyz_m


def _without_lost(xyz_m: Floats, say: Floats) -> tuple[Floats, Floats]:
    lost = np.isnan(xyz_m).any(axis=-1) | ((say > 0).sum(axis=0) < 2)
    xyz_m[lost], say[:, lost] = np.nan, 0.0
    return xyz_m, say


def _most_agreed(poses: Floats, rays: Floats, weight: Floats, expected: Expected | None) -> tuple[Floats, Floats]:
    """The proposal of the best pair, and what the rounds make of it."""
    seen = weight > 0
    xyz_m, say = _best_proposal(poses, rays, weight, expected)
    for _ in range(ROUNDS):
        xyz_m = solve_rays(poses, rays, weight * say, near_m=xyz_m)
        say = np.where(seen, agreement(errors(poses, rays, weight, xyz_m)), 0.0)
    return xyz_m, say


def _best_proposal(poses: Floats, rays: Floats, weight: Floats, expected: Expected | None) -> tuple[Floats, Floats]:
    """What the pair proposes that most others agree with: (N, 3), and the say (C, N) that follows.

    A point that all views but one agree about needs no further pairs.
    """
    seen = weight > 0
    enough = np.maximum(seen.sum(axis=0) - 1, 3)
    lowest = np.full(rays.shape[2], np.inf)
    best_m, say = np.full((rays.shape[2], 3), np.nan), np.zeros(weight.shape)
    still = np.arange(rays.shape[2])
    for pair in camera_pairs(poses):
        two = list(pair)
        both = still[seen[pair[0], still] & seen[pair[1], still]]
        rays_of_both, weight_of_both = rays[:, :, both], weight[:, both]
        proposed = solve_rays(poses[two], rays_of_both[two], weight_of_both[two], rounds=1)
        off = np.where(weight_of_both > 0, errors(poses, rays_of_both, weight_of_both, proposed), 0.0)
        cost = (np.fmin(off, DISAGREES) ** 2).sum(axis=0)
        if expected is not None:
            cost += np.fmin(expected.some(both).off(proposed), DISAGREES) ** 2
        better = cost < lowest[both]
        at = both[better]
        lowest[at], best_m[at] = cost[better], proposed[better]
        say[:, at] = np.where(seen[:, at], agreement(off[:, better]), 0.0)
        if expected is None:
            settled = np.zeros(rays.shape[2], dtype=np.bool_)
            settled[both] = ((off <= AGREES) & (weight_of_both > 0)).sum(axis=0) >= enough[both]
            still = still[~settled[still]]
    return best_m, say


def camera_pairs(poses: Floats) -> list[tuple[int, int]]:
    """Pairs of cameras, those whose axes cross at the widest angle first."""
    axes = poses[:, 2, :3]
    pairs = list(combinations(range(len(poses)), 2))
    pairs.sort(key=lambda pair: abs(float(axes[pair[0]] @ axes[pair[1]])))
    return pairs[:_MOST_PAIRS]
