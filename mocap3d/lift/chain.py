"""Normal equations of a clip in which frames pull on the two before and after them, and a few numbers on all frames.

::

    [ H  B ] [ frames ]   [ pull        ]      H: blocks on the diagonal, plus a weight on every
    [ B' C ] [ border ] = [ pull_border ]         coordinate's second difference over time

H is banded, its half width twice the numbers of a frame, and is factored once for all right sides (Cholesky, LAPACK);
the border is eliminated (Schur).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

__all__ = ["Chain", "solved", "variances"]

Floats = NDArray[np.float64]

_DAMPING = 1e-6
_STRETCH, _OVERLAP = 400, 60  # frames


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """The equations of T frames with D numbers each, and of E numbers that all frames share.

    Attributes:
        blocks: (T, D, D) symmetric.
        bend: (D,) weight of squared second differences over time.
        border: (T, D, E).
        corner: (E,) diagonal of C.
        pull: (T, D).
        pull_border: (E,).
    """

    blocks: Floats
    bend: Floats
    border: Floats
    corner: Floats
    pull: Floats
    pull_border: Floats


def solved(chain: Chain) -> tuple[Floats, Floats]:
    """Solve: (T, D / 3, 3) and (E,)."""
    frames, size = chain.pull.shape
    factor = cholesky_banded(_banded(chain), lower=True, overwrite_ab=True, check_finite=False)
    border = chain.border.reshape(frames * size, -1)
    sides = np.column_stack([chain.pull.ravel(), border])
    answers = cho_solve_banded((factor, True), sides, overwrite_b=True, check_finite=False)
    plain, through = answers[:, 0], answers[:, 1:]
    corner = np.diag(chain.corner) - border.T @ through
    corner[np.diag_indices(len(corner))] += 1e-9 * chain.corner
    shared = np.asarray(np.linalg.solve(corner, chain.pull_border - border.T @ plain), np.float64)
    return (plain - through @ shared).reshape(frames, -1, 3), shared


def variances(chain: Chain, joints: int) -> Floats:
    """(T, J, 3) diagonal of the inverse of H, shared numbers taken as known.

    Long clips are taken in stretches that overlap: what is further away than the overlap says nothing more.
    """
    frames = len(chain.pull)
    pieces = []
    for start in range(0, frames, _STRETCH):
        wide = slice(max(0, start - _OVERLAP), start + _STRETCH + _OVERLAP)
        some = replace(chain, blocks=chain.blocks[wide], pull=chain.pull[wide], border=chain.border[wide])
        pieces.append(_variances(some)[start - wide.start :][:_STRETCH])
    return np.concatenate(pieces).reshape(frames, joints, 3)


def _variances(chain: Chain) -> Floats:
    """(T, D): frames in twos, so that each pair touches only the next.

    What the past says about a pair and what the future says, less what both know, inverted.
    """
    frames, size = chain.pull.shape
    own, onwards = _paired(chain)
    count = len(own)
    past, future = own.copy(), own.copy()
    for n in range(1, count):
        past[n] -= onwards[n - 1].T @ np.linalg.solve(past[n - 1], onwards[n - 1])
    for n in range(count - 2, -1, -1):
        future[n] -= onwards[n] @ np.linalg.solve(future[n + 1], onwards[n].T)
    inverse = np.linalg.inv(past + future - own)
    diagonal = np.diagonal(inverse, axis1=1, axis2=2).reshape(2 * count, size)[:frames]
    return np.asarray(np.maximum(diagonal, 0.0))


def _bend_weights(frames: int) -> tuple[Floats, Floats, Floats]:
    """How often second differences put their weight on a frame, on it and the next, on it and the one after: (T,)."""
    same, following, after = np.zeros(frames), np.zeros(frames), np.zeros(frames)
    for start, factor in ((0, 1.0), (1, 4.0), (2, 1.0)):
        same[start : frames - 2 + start] += factor
    following[: max(frames - 2, 0)] -= 2.0
    following[1 : max(frames - 1, 1)] -= 2.0
    after[: max(frames - 2, 0)] += 1.0
    return same, following, after


def _damped(chain: Chain) -> Floats:
    blocks = chain.blocks.copy()
    numbers = np.arange(blocks.shape[1])
    same, _, _ = _bend_weights(len(blocks))
    blocks[:, numbers, numbers] += same[:, None] * chain.bend
    blocks[:, numbers, numbers] *= 1 + _DAMPING
    blocks[:, numbers, numbers] += _DAMPING  # a joint that nothing holds stays where it is
    return blocks


def _banded(chain: Chain) -> Floats:
    """(2 D + 1, T D) as LAPACK wants it: row k is the k-th diagonal below the main one."""
    frames, size = chain.pull.shape
    store = np.zeros((frames, size, 2 * size + 1))  # one row per column of the matrix: Fortran order once transposed
    blocks = _damped(chain)
    for c in range(size):
        store[:, c, : size - c] = blocks[:, c:, c]
    _, following, after = _bend_weights(frames)
    store[:, :, size] = following[:, None] * chain.bend
    store[:, :, 2 * size] = after[:, None] * chain.bend
    return store.reshape(frames * size, -1).T


def _paired(chain: Chain) -> tuple[Floats, Floats]:
    """(P, 2 D, 2 D) blocks of pairs of frames, and (P - 1, 2 D, 2 D) from each to the next; an odd end is padded."""
    frames, size = chain.pull.shape
    blocks = _damped(chain)
    _, following, after = _bend_weights(frames)
    if frames % 2:
        blocks = np.concatenate([blocks, np.eye(size)[None]])
        following, after = np.append(following, 0.0), np.append(after, 0.0)
    count, bend = len(blocks) // 2, np.diag(chain.bend)
    own, onwards = np.zeros((count, 2 * size, 2 * size)), np.zeros((max(count - 1, 0), 2 * size, 2 * size))
    own[:, :size, :size], own[:, size:, size:] = blocks[::2], blocks[1::2]
    own[:, :size, size:] = own[:, size:, :size] = following[::2, None, None] * bend
    onwards[:, :size, :size] = after[:-2:2, None, None] * bend
    onwards[:, size:, :size] = following[1:-1:2, None, None] * bend
    onwards[:, size:, size:] = after[1:-1:2, None, None] * bend
    return own, onwards
