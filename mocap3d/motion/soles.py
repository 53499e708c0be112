"""The last few centimetres: how high the soles of solved bodies stand over the floor that was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mocap3d.base.feet import sole_points
from mocap3d.base.motion import Motion

__all__ = ["NEAR_FLOOR_M", "sole_height_m"]

NEAR_FLOOR_M = 0.3
"""Soles further from the floor stand on something else."""


def sole_height_m(motions: Sequence[Motion]) -> float:
    """Measure one height for all people and frames of a shot, to be taken off all of them.

    The floor was fitted to ankles and toe tips of lifted joints; the soles of a rig lie a little elsewhere.

    Args:
        motions: on humanoid rigs, in a world whose floor is y = 0.

    Returns:
        Metres: the median of the lowest sole point over the frames in which a foot is planted near the floor; over all
        frames where none is.
    """
    lowest = np.concatenate([sole_points(motion)[..., 1].min(axis=1) for motion in motions])
    planted = np.concatenate(
        [np.zeros(len(motion)) if motion.contacts is None else motion.contacts.max(axis=1) for motion in motions]
    )
    near = (planted > 0.5) & (np.abs(lowest) < NEAR_FLOOR_M)
    return float(np.median(lowest[near] if near.any() else lowest))
