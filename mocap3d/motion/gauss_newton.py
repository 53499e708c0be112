"""All frames at once: damped Gauss-Newton on banded normal equations.

A frame is coupled to the two before and after it, so the normal equations of T frames with D unknowns each have
3 D - 1 diagonals beside the main one and are solved in time proportional to T.

Long clips are solved in stretches that overlap: of each stretch's step, the frames in its middle are taken, the frames
around it being held. What a stretch could not know is put right by the next iteration (restricted additive Schwarz), so
the joins do not show, and memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from mocap3d.motion.tangent import exp_so3
from mocap3d.motion.terms import Blocks, Problem, linearised

__all__ = ["GaussNewtonSettings", "banded", "minimised", "solved_blocks"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussNewtonSettings:
    """How the solver steps.

    Attributes:
        iterations: at most so many steps.
        converged_rad: stop when no joint turns further than this in a step (metres for the root).
        longest_rad: a step turns no joint further than this.
        stretch_frames: frames solved at once, without the overlap.
        overlap_s: so much time before and after a stretch is solved with it.
        damping: share of the diagonal that is added to it.
    """

    iterations: int = 3
    converged_rad: float = 2e-3
    longest_rad: float = 0.6
    stretch_frames: int = 240
    overlap_s: float = 0.5
    damping: float = 1e-6


def minimised(problem: Problem, local: Floats, root_m: Floats, settings: GaussNewtonSettings) -> tuple[Floats, Floats]:
    """Step from a start to the nearest minimum.

    Args:
        problem: what to weigh.
        local: (T, 22, 3, 3) parent_from_joint.
        root_m: (T, 3).
        settings: how to step.

    Returns:
        local and root_m of the minimum, or of the last step.
    """
    step, cost = _step(problem, local, root_m, settings)
    for _ in range(settings.iterations - 1):
        longest = np.abs(step).max()
        tried = _moved(problem, local, root_m, step)
        if longest < settings.converged_rad:
            return tried
        next_step, next_cost = _step(problem, *tried, settings)
        worse = next_cost > cost * (1 + 1e-6) + 1e-9
        if worse:  # rare: half the way, and on from there
            tried = _moved(problem, local, root_m, step / 2)
            next_step, next_cost = _step(problem, *tried, settings)
        (local, root_m), step, cost = tried, next_step, next_cost
    return _moved(problem, local, root_m, step)


def _step(problem: Problem, local: Floats, root_m: Floats, settings: GaussNewtonSettings) -> tuple[Floats, float]:
    """The step (T, D) that every stretch wants, and the cost of where it starts."""
    frames = len(root_m)
    step, cost = np.zeros((frames, problem.unknowns)), 0.0
    for wide, kept in _stretches(frames, round(settings.overlap_s / problem.frame_s), settings.stretch_frames):
        blocks = linearised(problem, local, root_m, wide)
        inner = slice(kept.start - wide.start, kept.stop - wide.start)
        step[kept] = solved_blocks(blocks, settings.damping)[inner]
        cost += float(blocks.cost[inner].sum())
    turns = step[:, 3:].reshape(frames, -1, 3)
    angle = np.linalg.norm(turns, axis=-1, keepdims=True)
    turns *= np.minimum(1.0, settings.longest_rad / np.maximum(angle, 1e-12))
    return step, cost


def _stretches(frames: int, overlap: int, length: int) -> Iterator[tuple[slice, slice]]:
    """(frames to solve, frames to keep) of each stretch; short clips are one."""
    length = max(length, 4 * overlap)
    count = max(1, round(frames / length))
    edges = np.linspace(0, frames, count + 1).round().astype(int).tolist()
    for start, stop in pairwise(edges):
        yield slice(max(0, start - overlap), min(frames, stop + overlap)), slice(start, stop)


def _moved(problem: Problem, local: Floats, root_m: Floats, step: Floats) -> tuple[Floats, Floats]:
    turned = local.copy()
    turns = exp_so3(step[:, 3:].reshape(len(step), -1, 3))
    turned[:, problem.joints] = local[:, problem.joints] @ turns
    return turned, root_m + step[:, :3]


def solved_blocks(blocks: Blocks, damping: float = 0.0) -> Floats:
    """Solve H d = -gradient: (n, D)."""
    frames, unknowns = blocks.gradient.shape
    bands = banded(blocks)
    bands[0] *= 1 + damping
    bands[0] += 1e-9 * max(1.0, float(bands[0].max()))  # what nothing observes or holds stays where it is
    solution = solveh_banded(
        bands, -blocks.gradient.ravel(), lower=True, overwrite_ab=True, overwrite_b=True, check_finite=False
    )
    return np.asarray(solution.reshape(frames, unknowns))


def banded(blocks: Blocks) -> Floats:
    """Write the normal equations as LAPACK wants them: (3 D, n D), row k holds the k-th diagonal below the main one."""
    frames, unknowns = blocks.gradient.shape
    height = 3 * unknowns
    store = np.zeros((frames * unknowns, height))  # one row per column of the matrix: Fortran order once transposed
    columns = store.reshape(frames, unknowns, height)
    for c in range(unknowns):
        columns[:, c, : unknowns - c] = blocks.same[:, c, c:]
    slots = unknowns // 3
    joint, row, column = np.meshgrid(np.arange(slots), np.arange(3), np.arange(3), indexing="ij")
    across, below = 3 * joint + column, row - column
    for distance, block in ((1, blocks.next), (2, blocks.after)):
        if len(block):
            columns[: frames - distance, across, distance * unknowns + below] = block
    return store.T
