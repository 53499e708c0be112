"""Least squares with many small blocks: normal equations in which points or boards are eliminated (Schur complement).

Each observation depends on one camera and one block. Cameras are few and their parameters many, blocks are many and
small (a point has 3 numbers, a board's pose 6), so the blocks are solved for in terms of the cameras: what is left is
a dense system as large as all cameras' parameters together.

Reference: Triggs et al. 2000, "Bundle Adjustment - A Modern Synthesis", section 6.1.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

__all__ = ["Grouping", "Normal", "normal_equations"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CHUNK_NUMBERS: Final = 4_000_000  # of the dense camera x block matrices that exist at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Which observations belong to which camera and block; they are sorted by camera, then by block.

    Attributes:
        camera_starts: (C + 1) where each camera's observations begin.
        pair_starts: per camera (M_c) where, counted from the camera's first, those of one block begin.
        pair_blocks: per camera (M_c) that block, ascending.
        block_of: (N) the block of each observation.
        block_count: how many blocks there are.
    """

    camera_starts: Ints
    pair_starts: tuple[Ints, ...]
    pair_blocks: tuple[Ints, ...]
    block_of: Ints
    block_count: int

    @classmethod
    def of(cls, camera: Ints, block: Ints, camera_count: int, block_count: int) -> Grouping:
        """Group observations that are sorted by camera, then by block."""
        starts = np.searchsorted(camera, np.arange(camera_count + 1))
        pair_starts, pair_blocks = [], []
        for first, last in itertools.pairwise(starts):
            blocks, where = np.unique(block[first:last], return_index=True)
            pair_starts.append(where)
            pair_blocks.append(blocks)
        return cls(
            camera_starts=starts,
            pair_starts=tuple(pair_starts),
            pair_blocks=tuple(pair_blocks),
            block_of=block,
            block_count=block_count,
        )


@dataclass(slots=True, kw_only=True)
class Normal:
    """The normal equations ``[[U, W], [W', V]] [camera step, block step] = [g, h]`` of P parameters and B blocks.

    Attributes:
        U: (P, P) camera parameters among themselves.
        V: (B, D, D) each block with itself.
        W: per camera (M_c, P_c, D), for the blocks that it sees.
        g: (P) right side of the cameras.
        h: (B, D) right side of the blocks.
        columns: per camera, which of the P parameters are its own.
        grouping: who sees what.
    """

    U: Floats
    V: Floats
    W: list[Floats]
    g: Floats
    h: Floats
    columns: Sequence[slice]
    grouping: Grouping

    def solve(self, damping: float) -> tuple[Floats, Floats] | None:
        """Camera step (P) and block step (B, D) at a Levenberg-Marquardt damping; None where there is none."""
        inverse = self._block_inverses(damping)
        reduced, right = self._reduced(inverse, damping)
        try:
            step = linalg.cho_solve(linalg.cho_factor(reduced), right) if len(right) else right
        except (linalg.LinAlgError, ValueError):
            return None
        left = self.h.copy()
        for columns, blocks, W in zip(self.columns, self.grouping.pair_blocks, self.W, strict=True):
            left[blocks] -= np.einsum("mpd,p->md", W, step[columns])
        blocks_step = np.einsum("bij,bj->bi", inverse, left)
        return (step, blocks_step) if np.isfinite(step).all() and np.isfinite(blocks_step).all() else None

    def predicted(self, step: Floats, blocks_step: Floats) -> float:
        """By how much the quadratic model says that the cost falls."""
        inner = float(step @ self.U @ step) + float(np.einsum("bi,bij,bj->", blocks_step, self.V, blocks_step))
        for columns, blocks, W in zip(self.columns, self.grouping.pair_blocks, self.W, strict=True):
            inner += 2 * float(np.einsum("p,mpd,md->", step[columns], W, blocks_step[blocks]))
        return 2 * (float(self.g @ step) + float((self.h * blocks_step).sum())) - inner

    def covariance(self) -> Floats:
        """(P, P) inverse of what is known of the cameras once blocks are free, for residuals of variance 1."""
        reduced, _ = self._reduced(self._block_inverses(1e-10), 0.0)
        return np.asarray(linalg.pinvh(reduced)) if len(reduced) else reduced

    def _block_inverses(self, damping: float) -> Floats:
        V = self.V.copy()
        diagonal = np.einsum("bii->bi", V)
        diagonal += np.maximum(diagonal * damping, 1e-12)
        return np.asarray(np.linalg.inv(V))

    def _reduced(self, inverse: Floats, damping: float) -> tuple[Floats, Floats]:
        reduced, right = self.U.copy(), self.g.copy()
        count, D = self.h.shape
        P = len(right)
        if not P:
            return reduced, right
        chunk = max(1, _CHUNK_NUMBERS // (P * D))
        for first in range(0, count, chunk):
            dense = np.zeros((min(chunk, count - first), P, D))
            for columns, blocks, W in zip(self.columns, self.grouping.pair_blocks, self.W, strict=True):
                here = slice(*np.searchsorted(blocks, [first, first + len(dense)]))
                dense[blocks[here] - first, columns] = W[here]
            solved = dense @ inverse[first : first + len(dense)]
            flat = solved.transpose(1, 0, 2).reshape(P, -1)
            reduced -= flat @ dense.transpose(1, 0, 2).reshape(P, -1).T
            right -= flat @ self.h[first : first + len(dense)].ravel()
        diagonal = np.einsum("ii->i", reduced)
        diagonal += np.maximum(np.diag(self.U) * damping, 1e-14)
        return (reduced + reduced.T) / 2, right


def normal_equations(
    grouping: Grouping, columns: Sequence[slice], residuals: Floats, by_camera: Sequence[Floats], by_block: Floats
) -> Normal:
    """Sum the normal equations up.

    Args:
        grouping: who sees what.
        columns: per camera, which parameters are its own.
        residuals: (N, 2), weighted.
        by_camera: per camera (N_c, 2, P_c), their derivative by the camera's parameters, weighted likewise.
        by_block: (N, 2, D), likewise by the block's.
    """
    P, D = columns[-1].stop if columns else 0, by_block.shape[-1]
    U, g, W = np.zeros((P, P)), np.zeros(P), []
    for c, own in enumerate(columns):
        rows = slice(grouping.camera_starts[c], grouping.camera_starts[c + 1])
        J = by_camera[c]
        flat = J.reshape(2 * len(J), J.shape[-1])
        U[own, own] = flat.T @ flat
        g[own] = -flat.T @ residuals[rows].ravel()
        shared = J.transpose(0, 2, 1) @ by_block[rows]  # (N_c, P_c, D)
        starts = grouping.pair_starts[c]
        W.append(np.add.reduceat(shared, starts, axis=0) if len(starts) else shared)
    count, N = grouping.block_count, len(residuals)
    sums = sparse.csr_array((np.ones(N), (grouping.block_of, np.arange(N))), shape=(count, N))
    own_products = (by_block.transpose(0, 2, 1) @ by_block).reshape(N, D * D)
    right = -(by_block.transpose(0, 2, 1) @ residuals[:, :, None])[..., 0]
    V = np.asarray(sums @ own_products).reshape(count, D, D)
    return Normal(U=U, V=V, W=W, g=g, h=np.asarray(sums @ right), columns=columns, grouping=grouping)
