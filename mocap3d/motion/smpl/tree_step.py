"""One Gauss-Newton step for the rotations of a tree of joints, of all frames at once.

Which small turns (one per joint, about world axes) and which shift of the root bring the joints closest to their
targets? Written as one matrix per frame, the normal equations have 3 (K + 1) unknowns. But a joint's turn moves only
what hangs on it, so they are solved along the tree, three unknowns at a time, as the equations of motion of robot arms
are: from the leaves inwards each joint says what its subtree would cost as a quadratic function of its own place, and
from the root outwards each joint takes the best turn for where it has come to be. That is the exact solution, in
O(K) products of (T, 3, 3) arrays.

The shape of the body, shared by all frames, is carried along as further columns, and solved for between the two
sweeps.

Source: the recursion is that of Featherstone, "Rigid Body Dynamics Algorithms", 2008, chapter 7, for positions
instead of forces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Step", "TreeProblem", "tree_step"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProblem:
    """Where the joints are, where they shall be, and what may change.

    Attributes:
        parents: K, parents first.
        bones_m: (T, K, 3) from the parent to each joint in the world; the root's is not used.
        missing_m: (T, K, 3) targets less places.
        weights: (T, K) of the squared distances; 0 where there is no target.
        damping_m2: (T,) cost of a turn of one radian of any joint.
        towards_rad: (T, K, 3) turns that are wanted for themselves, rotation vectors in the world.
        stiffness_m2: (K,) cost of being one radian away from them.
        per_beta_m: (T, K, 3, B) how shape moves each joint as seen from its parent (the root: from ``trans``), in the
            world; None when shape is known.
        betas: (B,) the shape so far.
        prior_m2: cost of a coefficient of shape of 1.
    """

    parents: Sequence[int]
    bones_m: Floats
    missing_m: Floats
    weights: Floats
    damping_m2: Floats
    towards_rad: Floats
    stiffness_m2: Floats
    per_beta_m: Floats | None = None
    betas: Floats
    prior_m2: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to change: (T, 3) shift of ``trans``, (T, K, 3) turns about world axes, (B,) coefficients of shape."""

    shift_m: Floats
    turns_rad: Floats
    betas: Floats


def tree_step(problem: TreeProblem) -> Step:
    """Minimise the linearised cost exactly."""
    sweep = _Inwards(problem)
    betas = sweep.best_betas()
    known = np.append(betas, 1.0)
    shift = sweep.root_by_known @ known
    turns = np.zeros_like(problem.missing_m)
    moved = np.empty_like(problem.missing_m)
    for j, parent in enumerate(problem.parents):
        moved[:, j] = shift if j == 0 else moved[:, parent] + np.cross(turns[:, parent], problem.bones_m[:, j])
        if problem.per_beta_m is not None:
            moved[:, j] += problem.per_beta_m[:, j] @ betas
        if j in sweep.turn_by_known:
            turns[:, j] = sweep.turn_by_known[j] @ known - _applied(sweep.turn_by_place[j], moved[:, j])
    return Step(shift_m=shift, turns_rad=turns, betas=betas)


class _Inwards:
    """The sweep from the leaves to the root.

    Of each subtree stays x' H x - 2 x' N z + z' Q z, with x the joint's own move and z = (coefficients of shape, 1).
    """

    def __init__(self, problem: TreeProblem) -> None:
        self.problem = problem
        frames, joints = problem.weights.shape
        columns = len(problem.betas) + 1 if problem.per_beta_m is not None else 1
        self.columns = columns
        self.turn_by_known: dict[int, Floats] = {}
        self.turn_by_place: dict[int, Floats] = {}
        self.total = np.zeros((columns, columns))
        hessian = problem.weights[..., None, None] * np.eye(3)
        pull = np.zeros((frames, joints, 3, columns))
        pull[..., -1] = problem.weights[..., None] * problem.missing_m
        for j in reversed(range(joints)):
            children = [c for c, parent in enumerate(problem.parents) if parent == j]
            if children:
                self._gather(j, children, hessian, pull)
            self._see_shape(j, hessian[:, j], pull[:, j])
        firm = hessian[:, 0] + 1e-12 * np.eye(3)
        self.root_by_known = np.asarray(np.linalg.solve(firm, pull[:, 0]), np.float64)
        self.total -= np.einsum("tij,tik->jk", pull[:, 0], self.root_by_known)

    def best_betas(self) -> Floats:
        """The change of shape that lowers the sum over all frames most."""
        if self.columns == 1:
            return np.zeros(0)
        firm = self.total[:-1, :-1] + (self.problem.prior_m2 + 1e-15) * np.eye(self.columns - 1)
        return np.asarray(-np.linalg.solve(firm, self.total[:-1, -1] + self.problem.prior_m2 * self.problem.betas))

    def _see_shape(self, j: int, hessian: Floats, pull: Floats) -> None:
        """Replace the joint's move by where its parent carries it plus what shape does: u = x + E z."""
        if self.problem.per_beta_m is None:
            return
        moves = self.problem.per_beta_m[:, j]  # (T, 3, B)
        pushed = hessian @ moves
        cross = np.einsum("tij,tik->jk", moves, pull)  # E' N
        self.total[:-1, :-1] += np.einsum("tij,tik->jk", moves, pushed)
        self.total[:-1] -= cross
        self.total[:, :-1] -= cross.T
        pull[..., :-1] -= pushed

    def _gather(self, j: int, children: Sequence[int], hessian: Floats, pull: Floats) -> None:
        """Add what the children cost, with the best turn of joint ``j`` put in."""
        problem = self.problem
        stiffness = problem.stiffness_m2[j]
        inner = (problem.damping_m2 + stiffness)[:, None, None] * np.eye(3)
        by_place = np.zeros_like(inner)  # C' H, summed over the children
        known = np.zeros((len(inner), 3, self.columns))
        known[..., -1] = stiffness * problem.towards_rad[:, j]
        for c in children:
            lever = _crossed(problem.bones_m[:, c])  # C' : a turn moves the child by C = -[bone]x, and C' = [bone]x
            weighed = lever @ hessian[:, c]
            inner += weighed @ lever.transpose(0, 2, 1)
            by_place += weighed
            known += lever @ pull[:, c]
            hessian[:, j] += hessian[:, c]
            pull[:, j] += pull[:, c]
        solved = np.linalg.solve(inner, np.concatenate([by_place, known], axis=2))
        self.turn_by_place[j], self.turn_by_known[j] = solved[..., :3], solved[..., 3:]
        across = by_place.transpose(0, 2, 1)
        hessian[:, j] -= across @ self.turn_by_place[j]
        pull[:, j] -= across @ self.turn_by_known[j]
        if self.columns > 1:
            self.total -= np.einsum("tij,tik->jk", known, self.turn_by_known[j])


def _crossed(v: Floats) -> Floats:
    """(T, 3, 3) with ``_crossed(v) @ w = v x w``."""
    matrix = np.zeros((len(v), 3, 3))
    matrix[:, 0, 1], matrix[:, 0, 2], matrix[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    matrix[:, 1, 0], matrix[:, 2, 0], matrix[:, 2, 1] = v[:, 2], -v[:, 1], v[:, 0]
    return matrix


def _applied(matrices: Floats, vectors: Floats) -> Floats:
    return np.asarray((matrices @ vectors[..., None])[..., 0])
