"""Do two sightings show one person? Log-likelihood ratios per frame, from the distance between rays.

If they do, the rays of each joint meet up to the noise of the detector; the distance is Sampson's, of the epipolar
constraint between unit directions, in standard deviations. If they do not, the distance may be anything. A share of
joints is wrong in any case, and a share is called left for right, so that one joint can neither make nor break a pair.
Where the rays meet, the person must have a human size, and the same one for both cameras.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from mocap3d.identify.sightings import Sighting

__all__ = ["on_the_ray", "pair_evidence", "smoothed"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_WRONG, _SWAPPED = 0.3, 0.05  # shares of joints
_WIDTH = 60.0
"""Without a match the distance lies anywhere within so many standard deviations: about a body height at 2 % noise."""
_LEAST_JOINTS = 2.0  # evidence of as many joints of weight 1 counts half
_SIZES_M = (0.4, 3.0)
_SIZE_RATIO = 2.5
_PARALLEL_RAD = 0.02  # rays nearer to parallel say nothing about size


def pair_evidence(a: Sighting, b: Sighting, mirror: NDArray[np.intp]) -> tuple[int, Floats, Floats]:
    """Compare two sightings by different cameras.

    Args:
        a: one sighting.
        b: the other.
        mirror: (J,) left and right partners.

    Returns:
        The first frame that both have, (n,) sums over the joints of the log-likelihood ratios, positive for one
        person, and (n,) the weights of these sums. n is 0 when they have no frame in common.
    """
    start, stop = max(a.first, b.first), min(a.stop, b.stop)
    if stop <= start:
        return start, np.zeros(0), np.zeros(0)
    rows_a, rows_b = slice(start - a.first, stop - a.first), slice(start - b.first, stop - b.first)
    ray_a, ray_b = a.ray[rows_a], b.ray[rows_b]
    noise_a, noise_b = a.noise_rad[rows_a, None], b.noise_rad[rows_b, None]
    base_m = b.centre_m - a.centre_m
    apart_m = float(np.linalg.norm(base_m))
    if apart_m < 1e-6:
        return start, np.zeros(0), np.zeros(0)  # two cameras in one place have no epipolar lines
    base = base_m / apart_m
    across_a, across_b = np.cross(base, ray_a), np.cross(base, ray_b)
    size_a, size_b = (across_a**2).sum(axis=-1), (across_b**2).sum(axis=-1)
    weight = np.sqrt(a.weight[rows_a] * b.weight[rows_b])

    def density(of_b: NDArray[np.intp] | slice) -> Floats:
        triple = (across_a * ray_b[:, of_b]).sum(axis=-1)
        spread = np.sqrt(noise_a**2 * size_b[:, of_b] + noise_b**2 * size_a)
        z = triple / np.maximum(spread, 1e-12)
        return np.asarray(np.nan_to_num(np.exp(-0.5 * z * z)) * (_WIDTH / np.sqrt(2 * np.pi)))

    straight, swapped = density(slice(None)), density(mirror)
    ratio = np.log((1 - _WRONG - _SWAPPED) * straight + _SWAPPED * swapped + _WRONG)
    both = weight > 0
    total = np.where(both, weight * ratio, 0.0).sum(axis=1)
    wrong = ~_human(ray_a, ray_b, base_m, a.height_rad[rows_a], b.height_rad[rows_b], both)
    weights = np.where(both, weight, 0.0).sum(axis=1)
    return start, np.where(wrong, np.minimum(total, np.log(_WRONG) * weights), total), weights


def smoothed(total: Floats, weights: Floats, frames: int) -> Floats:
    """(n,) mean evidence per joint over ``frames`` around each frame, doubted where few joints are seen."""
    if not len(total):
        return total
    sums, counts = (uniform_filter1d(series, max(1, frames), mode="constant") for series in (total, weights))
    return np.asarray(sums / (counts + _LEAST_JOINTS))


def on_the_ray(xyz_m: Floats, std_m: Floats | float, sighting: Sighting, row: int, mirror: NDArray[np.intp]) -> float:
    """Mean log-likelihood ratio per joint that a person whose joints are expected in space is who a camera sees.

    Args:
        xyz_m: (J, 3) where the joints are expected; NaN where unknown.
        std_m: () or (J,) how uncertain that is.
        sighting: what the camera sees.
        row: of the sighting.
        mirror: (J,) left and right partners.
    """
    way = xyz_m - sighting.centre_m
    far = np.sqrt((way * way).sum(axis=-1))
    direction = way / far[:, None]
    ray, noise = sighting.ray[row], sighting.noise_rad[row]
    spread = 1 + (std_m / far / noise) ** 2  # squared, in units of the noise

    def density(seen: Floats) -> Floats:
        z2 = ((direction - seen) ** 2).sum(axis=-1) / (noise * noise * spread)
        return np.asarray(np.nan_to_num(np.exp(-0.5 * z2) / spread) * (_WIDTH**2 / (2 * np.pi)))

    ratio = np.log((1 - _WRONG - _SWAPPED) * density(ray) + _SWAPPED * density(ray[mirror]) + _WRONG)
    weight = np.where(np.isfinite(far), sighting.weight[row], 0.0)
    return float((weight * ratio).sum() / (weight.sum() + _LEAST_JOINTS))


def _human(ray_a: Floats, ray_b: Floats, base_m: Floats, tall_a: Floats, tall_b: Floats, both: Bools) -> Bools:
    """(n,) whether the rays meet in front of both cameras, and somebody of human size stands there."""
    cosine = (ray_a * ray_b).sum(axis=-1)
    sine2 = 1 - cosine * cosine
    along_a, along_b = ray_a @ base_m, ray_b @ base_m
    tells = both & (sine2 > _PARALLEL_RAD**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        far_a = np.where(tells, (along_a - cosine * along_b) / sine2, np.nan)
        far_b = np.where(tells, (cosine * along_a - along_b) / sine2, np.nan)
    some = tells.any(axis=1)
    middle_a, middle_b = (np.nanmedian(np.where(some[:, None], far, 1.0), axis=1) for far in (far_a, far_b))
    size_a, size_b = middle_a * tall_a, middle_b * tall_b
    low, high = _SIZES_M
    in_front = (middle_a > 0) & (middle_b > 0)
    ratio = np.where(in_front, size_a / np.where(in_front, size_b, 1.0), 1.0)
    alike = (ratio < _SIZE_RATIO) & (ratio > 1 / _SIZE_RATIO)
    fits = in_front & (size_a > low) & (size_a < high) & (size_b > low) & (size_b < high) & alike
    return np.asarray(~some | fits)
