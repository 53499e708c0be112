"""Which of several finds are one person, when every two of them have been compared.

A partition cannot contradict itself: if a is b and b is c, then a is c. So looking for the best partition of all finds
at once, rather than for the best partner in each pair of views, makes the matches consistent around every cycle of
views. This is correlation clustering with finds that must stay apart (two people in one picture): merge the two groups
with the most evidence as long as it is positive, then move and exchange single finds while that helps.

Reference:
    Keuper et al., "Efficient Decomposition of Image and Mesh Graphs by Lifted Multicuts", ICCV 2015: greedy additive
    edge contraction, and local moves after Kernighan and Lin. Cycle consistency across views: Dong et al., "Fast and
    Robust Multi-Person 3D Pose Estimation from Multiple Views", CVPR 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_groups"]

_NEVER = 1e6


def best_groups(evidence: NDArray[np.float64], apart: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Split N finds into groups so that the evidence within groups sums up to the most (nearly: it is NP-hard).

    Args:
        evidence: (N, N) symmetric; positive for one person, negative for two, 0 for not known.
        apart: (N, N) symmetric; True for finds that are two people for certain.

    Returns:
        (N,) the number of each find's group, 0 and up in the order of their first finds.
    """
    count = len(evidence)
    value = np.where(apart, -_NEVER, evidence)
    np.fill_diagonal(value, 0.0)
    label = _merged(value)
    for _ in range(4 * count):
        if not _improve(value, label):
            break
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[number.reshape(-1)])


def _merged(value: NDArray[np.float64]) -> NDArray[np.intp]:
    """Greedy additive edge contraction."""
    count = len(value)
    label = np.arange(count)
    between = value.copy()
    np.fill_diagonal(between, -_NEVER)
    while count:
        i, j = divmod(int(between.argmax()), count)
        if between[i, j] <= 0:
            break
        between[i] += between[j]
        between[:, i] += between[:, j]
        between[i, i] = -_NEVER
        between[j], between[:, j] = -_NEVER, -_NEVER
        label[label == j] = i
    return label


def _improve(value: NDArray[np.float64], label: NDArray[np.intp]) -> bool:
    """Make the one move or exchange that helps most; a find may also move to where it is alone."""
    count = len(label)
    member = label[:, None] == np.arange(count)
    to_group = value @ member  # (N, groups); empty groups have 0
    here = to_group[np.arange(count), label]
    move = to_group - here[:, None]
    v, g = divmod(int(move.argmax()), count) if count else (0, 0)
    there = to_group[:, label]  # (N, N): find v in the group of find u
    swap = there - here[:, None] + there.T - here[None] - 2 * value
    swap[label[:, None] == label[None]] = 0.0
    s, u = divmod(int(swap.argmax()), count) if count else (0, 0)
    if count and max(move[v, g], swap[s, u]) > 1e-9:
        if move[v, g] >= swap[s, u]:
            label[v] = g
        else:
            label[s], label[u] = label[u], label[s]
        return True
    return False
