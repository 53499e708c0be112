"""Frames in which nobody was seen: before the first sight, between two, after the last.

Smoothness alone would let a body fly on in them, through the floor as well. They are drawn to the analytic start, which
holds the first and the last pose, and bridges two. Bridged legs can be longer than the way to the floor; then the start
is lifted, so that its soles are no lower than in the frames around.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.motion.terms import Problem, placed

__all__ = ["blind_frames", "drawn", "lifted"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_LEAST_POINTS: Final = 3  # that place a body
_STD_M: Final = 0.02
_SOLES: Final = slice(-4, None)


def blind_frames(problem: Problem) -> Flags:
    """Find the frames (T,) in which fewer points than place a body have a value; none where no frame has enough."""
    blind = (problem.weight > 0).sum(axis=1) < _LEAST_POINTS
    return np.zeros_like(blind) if blind.all() else blind


def lifted(problem: Problem, local: Floats, root_m: Floats, blind: Flags) -> Floats:
    """Lift the root (T, 3) in blind frames until no sole is lower than in the lower one of the frames around.

    Args:
        problem: its last four markers are the soles.
        local: (T, 22, 3, 3) parent_from_joint.
        root_m: (T, 3).
        blind: (T,) which frames.
    """
    lowest_m = placed(problem, local, root_m).marker_m[:, _SOLES, 1].min(axis=1)
    seen = np.flatnonzero(~blind)
    at = np.searchsorted(seen, np.arange(len(blind)))
    before, after = seen[np.maximum(at - 1, 0)], seen[np.minimum(at, len(seen) - 1)]
    rise_m = np.maximum(np.minimum(lowest_m[before], lowest_m[after]) - lowest_m, 0.0)
    raised = root_m.copy()
    raised[:, 1] += np.where(blind, rise_m, 0.0)
    return raised


def drawn(problem: Problem, local: Floats, root_m: Floats, blind: Flags) -> Problem:
    """Draw all points to where a pose has them in blind frames; the others are left as they are."""
    if not blind.any():
        return problem
    target_m, weight = problem.target_m.copy(), problem.weight.copy()
    target_m[blind] = placed(problem, local, root_m).marker_m[blind]
    weight[blind] = _STD_M**-2
    return replace(problem, target_m=target_m, weight=weight)
