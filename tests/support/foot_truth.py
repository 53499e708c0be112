"""Which heels and toes of recorded people truly stand, on whatever: a rule for 120 frames per second, by plain loops.

A point stands while it is slower than 0.2 m/s plus a tenth of the hips' speed over the ground (a runner's foot rolls),
no more than 5 cm above the other end of its foot, the hips do not fall freely (faster than 7.5 m/s^2), all for 0.1 s or
more. A foot does not stand while the other one stands 12 cm lower during nine tenths of that time: it is held still in
the air. Speeds are those of places smoothed by Gaussians: 1/60 s for soles, 0.2 s for where the hips go.
"""

from __future__ import annotations

import numpy as np
from cmu_people import Take, soles_of
from scipy.ndimage import gaussian_filter1d

STILL_MPS, ALONG = 0.2, 0.1
LEVEL_M, STEP_M = 0.05, 0.12
FALLING_MPS2 = 7.5
SHORTEST_S, LOWER_SHARE = 0.1, 0.9


def truly_standing(take: Take) -> np.ndarray:
    """(T, 4) left heel, left toe, right heel, right toe."""
    soles = soles_of(take.rig, take.wxyz, take.root_m)
    speed = speeds_mps(soles, 1 / 60, take.fps)
    along = speeds_mps(take.root_m * [1.0, 0.0, 1.0], 0.2, take.fps)
    height = soles[..., 1]
    own = np.repeat(height.reshape(-1, 2, 2).min(axis=-1), 2, axis=1)
    stands = (speed < STILL_MPS + ALONG * along[:, None]) & (height < own + LEVEL_M)
    hips = gaussian_filter1d(take.root_m[:, 1], take.fps / 30, mode="nearest")
    stands &= (np.gradient(np.gradient(hips)) * take.fps**2 > -FALLING_MPS2)[:, None]
    for column in stands.T:
        for start, stop in spans(column):
            column[start:stop] = stop - start >= SHORTEST_S * take.fps
    drop_feet_in_the_air(stands, height)
    return stands


def drop_feet_in_the_air(stands: np.ndarray, height: np.ndarray) -> None:
    """Take out, in place, feet that are still while the other one stands lower."""
    feet = stands.reshape(-1, 2, 2).any(axis=-1)
    low = np.where(stands, height, np.inf).reshape(-1, 2, 2).min(axis=-1)
    for side in (0, 1):
        for start, stop in spans(feet[:, side]):
            other = slice(start, stop), 1 - side
            lower = feet[other] & (low[other] < low[start:stop, side] - STEP_M)
            if lower.mean() > LOWER_SHARE:
                stands[start:stop, 2 * side : 2 * side + 2] = False


def speeds_mps(places_m: np.ndarray, sigma_s: float, fps: int) -> np.ndarray:
    """Speeds of smoothed places."""
    smooth = gaussian_filter1d(places_m, sigma_s * fps, axis=0, mode="nearest")
    return np.linalg.norm(np.gradient(smooth, axis=0), axis=-1) * fps


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
