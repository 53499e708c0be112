"""How far 2D joints are off, camera by camera and joint by joint, told from how well the rays of a clip meet.

Nothing but the clip is needed: what cameras see alike leaves no residual, what each gets wrong does. Errors are taken
to grow with the person in the picture until the clip says otherwise, and to be the larger the lower the confidence:
``std_px`` is that of confidence 1, and the variance is over confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.consensus import errors, find_points
from mocap3d.base.triangulation import solve_rays

__all__ = ["Noise", "Rays", "estimate_noise", "residual_freedom"]

Floats = NDArray[np.float64]

_MOST_POINTS = 6000
_ROUNDS = 6
_PRIOR_CAMERA, _PRIOR_JOINT = 20.0, 100.0
"""How many residuals the common noise weighs against those of one camera, of one joint."""
_LOW, _CHI2_LOW = 0.25, 0.1015
"""That share of a chi-square of one degree of freedom lies below this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """All that C cameras see of N = T * J points of one person.

    Attributes:
        cam_from_world: (C, 3, 4).
        uv: (C, 2, N) the rays (u, v, 1); NaN where not seen.
        px_per_ray: (C, N) pixels per unit of u and v.
        confidence: (C, N); 0 where not seen.
        joint: (N,) which joint a point is.
    """

    cam_from_world: Floats
    uv: Floats
    px_per_ray: Floats
    confidence: Floats
    joint: NDArray[np.int64]

    def some(self, points: NDArray[np.int64]) -> Rays:
        """Take some of the points."""
        return replace(
            self,
            uv=self.uv[:, :, points],
            px_per_ray=self.px_per_ray[:, points],
            confidence=self.confidence[:, points],
            joint=self.joint[points],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """Expected errors of 2D joints with confidence 1.

    Attributes:
        std_px: (C,) along x and along y.
        of_joint: (J,) factor on it.
    """

    std_px: Floats
    of_joint: Floats

    def weight(self, rays: Rays) -> Floats:
        """(C, N) inverse variance of u and of v."""
        std = self.std_px[:, None] * self.of_joint[rays.joint]
        return np.asarray(rays.confidence * (rays.px_per_ray / std) ** 2)


def estimate_noise(rays: Rays, joints: int, sizes_px: Floats, smallest_px: float) -> Noise:
    """Find the errors that explain how far rays miss each other.

    Args:
        rays: of the clip.
        joints: J.
        sizes_px: (C,) how large the person is in each picture; errors are like that until residuals say otherwise.
        smallest_px: no camera is thought to be better than this.

    Returns:
        The noise; with no point that two cameras see, one pixel in a hundred of the person.
    """
    seen = np.flatnonzero((rays.confidence > 0).sum(axis=0) >= 2)
    if len(seen) > _MOST_POINTS:
        seen = seen[np.linspace(0, len(seen) - 1, _MOST_POINTS).astype(np.int64)]
    rays = rays.some(seen)
    common = _first_guess(rays, sizes_px)
    noise = Noise(std_px=np.maximum(common * sizes_px, smallest_px), of_joint=np.ones(joints))
    for _ in range(_ROUNDS):
        weight = noise.weight(rays)
        xyz_m, say = find_points(rays.cam_from_world, rays.uv, weight)
        noise = _updated(rays, noise, errors(rays.cam_from_world, rays.uv, weight, xyz_m), say, xyz_m, sizes_px)
        noise = replace(noise, std_px=np.maximum(noise.std_px, smallest_px))
    return noise


def residual_freedom(cam_from_world: Floats, weight: Floats, xyz_m: Floats) -> Floats:
    """How much of each view's two errors stays visible: 2 less what the point follows.

    Args:
        cam_from_world: (C, 3, 4).
        weight: (C, N) inverse variance of u and of v.
        xyz_m: (N, 3).

    Returns:
        (C, N) degrees of freedom, whose sum over C is 2 V - 3; 0 where a view or a point is missing.
    """
    R = cam_from_world[:, :, :3]
    x, y, z = np.moveaxis(R @ xyz_m.T + cam_from_world[:, :, 3:], 1, 0)  # (C, N)
    depth = np.where(z > 0, z, np.nan)
    uv = np.stack([x, y], axis=-1) / depth[..., None]
    slopes = (R[:, None, :2] - uv[..., None] * R[:, None, 2:]) / depth[..., None, None]
    slopes = np.nan_to_num(slopes * np.sqrt(weight)[..., None, None])  # (C, N, 2, 3)
    information = np.einsum("cnki,cnkj->nij", slopes, slopes)
    known = np.isfinite(xyz_m).all(axis=-1) & (np.linalg.det(information) > 0)
    inverse = np.linalg.inv(np.where(known[:, None, None], information, np.eye(3)))
    followed = np.einsum("cnki,nij,cnkj->cn", slopes, inverse, slopes)
    return np.where(known & (weight > 0), np.clip(2 - followed, 0, 2), 0.0)


def _first_guess(rays: Rays, sizes_px: Floats) -> float:
    """Errors over sizes from the distance by which two rays miss each other: of the quarter that does so least.

    With 30 % of outliers in every view half of the pairs are still sound, and it is at most 2.2 times too large.
    """
    found = []
    weight = rays.confidence * (rays.px_per_ray / sizes_px[:, None]) ** 2
    for pair in combinations(range(len(sizes_px)), 2):
        two = list(pair)
        both = np.flatnonzero((rays.confidence[two] > 0).all(axis=0))
        met = solve_rays(rays.cam_from_world[two], rays.uv[two][:, :, both], weight[two][:, both])
        off = errors(rays.cam_from_world[two], rays.uv[two][:, :, both], weight[two][:, both], met)
        found.append((off**2).sum(axis=0))
    squares = np.concatenate(found) if found else np.zeros(0)
    squares = np.where(np.isfinite(squares), squares, np.inf)
    if not len(squares) or not np.isfinite(np.quantile(squares, _LOW, method="lower")):
        return 0.01
    return float(np.sqrt(np.quantile(squares, _LOW, method="lower") / _CHI2_LOW))


def _updated(rays: Rays, noise: Noise, off: Floats, say: Floats, xyz_m: Floats, sizes_px: Floats) -> Noise:
    """What residuals say, held together where they are few."""
    freedom = say * residual_freedom(rays.cam_from_world, noise.weight(rays) * say, xyz_m)
    squares = say * np.nan_to_num(off) ** 2  # in standard deviations as they were thought to be
    total = freedom.sum()
    if total < 1:
        return noise
    of_camera = freedom.sum(axis=1)
    relative = (squares.sum(axis=1) * (noise.std_px / sizes_px) ** 2).sum() / total  # (errors over sizes)²
    variance = squares.sum(axis=1) * noise.std_px**2 + _PRIOR_CAMERA * relative * sizes_px**2
    std_px = np.sqrt(variance / (of_camera + _PRIOR_CAMERA))
    gained = (noise.std_px / std_px)[:, None] ** 2
    per_joint = [np.bincount(rays.joint, v.sum(axis=0), len(noise.of_joint)) for v in (squares * gained, freedom)]
    factor = (per_joint[0] * noise.of_joint**2 + _PRIOR_JOINT) / (per_joint[1] + _PRIOR_JOINT)
    return Noise(std_px=std_px, of_joint=np.sqrt(factor))
