"""The shape of a body from distances between its joints, before its pose is known.

Distances between joints that no other joint lies between do not depend on the pose. Their medians over a clip are
compared with the model's; what they leave open is decided by the model itself, whose coefficients of shape are 0 on
average with a standard deviation of 1.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.motion.smpl.model import SmplModel
from mocap3d.motion.smpl.targets import Targets

__all__ = ["betas_from_distances"]

Floats = NDArray[np.float64]

_STEPS: Final = 20
_SMALLEST_CHANGE: Final = 1e-9


def betas_from_distances(targets: Targets, model: SmplModel, noise_m: float) -> Floats:
    """Estimate (B,) coefficients of shape.

    Args:
        targets: places of joints.
        model: the body.
        noise_m: expected error of a median distance, beside what definitions differ.
    """
    pairs = _rigid_pairs(model.skeleton.parents, targets.known)
    seen = [_median(targets, a, b) for a, b in pairs]
    usable = [(a, b, d) for (a, b), d in zip(pairs, seen, strict=True) if d is not None]
    betas = np.zeros(model.betas)
    if not usable:
        return betas
    first, second = (np.array([row[n] for row in usable]) for n in (0, 1))
    wanted = np.array([row[2] for row in usable])
    sigma = np.sqrt(noise_m**2 + targets.apart_m[first] ** 2 + targets.apart_m[second] ** 2)
    per_beta = model.joints_per_beta_m[first] - model.joints_per_beta_m[second]  # (N, 3, B)
    for _ in range(_STEPS):
        rest_m = model.rest_joints_m(betas)
        between = rest_m[first] - rest_m[second]
        length = np.maximum(np.linalg.norm(between, axis=1), 1e-9)
        rows = np.einsum("ni,nib->nb", between / length[:, None], per_beta) / sigma[:, None]
        missing = (wanted - length) / sigma
        change = np.linalg.solve(rows.T @ rows + np.eye(len(betas)), rows.T @ missing - betas)
        betas = betas + change
        if np.abs(change).max() < _SMALLEST_CHANGE:
            break
    return betas


def _rigid_pairs(parents: tuple[int, ...], known: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Parents and children, and children of one parent, that both have targets."""
    pairs = []
    for joint in range(len(parents)):
        group = [joint, *(child for child, parent in enumerate(parents) if parent == joint)]
        pairs += [(a, b) for a, b in combinations(group, 2) if known[a] and known[b]]
    return pairs


def _median(targets: Targets, a: int, b: int) -> float | None:
    """The median distance of two joints over the frames that show both; None where none does."""
    weight = np.minimum(targets.weights[:, a], targets.weights[:, b])
    shown = weight > 0.1 * weight.max() if weight.max() > 0 else np.zeros(len(weight), dtype=bool)
    if not shown.any():
        return None
    distance = np.linalg.norm(targets.xyz_m[shown, a] - targets.xyz_m[shown, b], axis=1)
    return float(np.median(distance))
