"""What synchronising finds: one offset per camera, from the offsets of its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["SYSTEMATIC_S", "PairOffset", "Sync", "combine"]

_ROUNDS = 30
SYSTEMATIC_S = 0.002
"""No offset is trusted beyond this, however sharp its peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOffset:
    """How much later the second camera of a pair started than the first.

    Attributes:
        first: index of a camera.
        second: index of another.
        offset_s: start of the second less start of the first, seconds.
        std_s: its standard deviation, if it is the right peak at all.
        confidence: 0..1 that it is.
    """

    first: int
    second: int
    offset_s: float
    std_s: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sync:
    """When each camera started.

    Attributes:
        offsets_s: (C,) seconds at which frame 0 of each camera was taken, on the clock of the first camera: what
            camera c shows at its own time t happened at ``t + offsets_s[c]``. The first is 0; NaN if nothing tells.
        std_s: (C,) standard deviation of each.
        confidence: (C,) 0..1, how sure it is that the offset is right at all; 1 for the first camera.
        pairs: what the pairs of cameras said, before it was combined.
    """

    offsets_s: NDArray[np.float64]
    std_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    pairs: tuple[PairOffset, ...]


def combine(cameras: int, pairs: Sequence[PairOffset]) -> Sync:
    """Find the offsets of all cameras that the pairs agree on.

    Pairs are believed by their confidence and their spread, and lose their say when they contradict the others
    (Cauchy weights): in a loop of three cameras the offsets must add up to nothing.

    Args:
        cameras: how many there are.
        pairs: any number of pairs.

    Raises:
        InputError: a pair of one camera with itself, or with one that is not there.
    """
    for pair in pairs:
        if pair.first == pair.second or not {pair.first, pair.second} <= set(range(cameras)):
            raise InputError(f"a pair of cameras {pair.first} and {pair.second} among {cameras}")
    told = [pair for pair in pairs if pair.confidence > 0]
    start, sure = _along_best_tree(cameras, told)
    known = np.isfinite(start)
    told = [pair for pair in told if known[pair.first] and known[pair.second]]
    offsets, std = start, np.where(known, 0.0, np.inf)
    if told:
        offsets, std = _least_squares(start, told)
    agreed = _agreement(offsets, told, sure)
    return Sync(offsets_s=offsets, std_s=std, confidence=agreed, pairs=tuple(pairs))


def _along_best_tree(cameras: int, pairs: Sequence[PairOffset]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Walk from the first camera over the most confident pairs: offsets, and confidence of the weakest link."""
    offsets, sure = np.full(cameras, np.nan), np.zeros(cameras)
    offsets[0], sure[0] = 0.0, 1.0
    while True:
        crossing = [pair for pair in pairs if np.isnan(offsets[pair.first]) != np.isnan(offsets[pair.second])]
        if not crossing:
            return offsets, sure
        best = max(crossing, key=lambda pair: (pair.confidence, -pair.std_s))
        old, new, sign = (
            (best.first, best.second, 1) if np.isfinite(offsets[best.first]) else (best.second, best.first, -1)
        )
        offsets[new] = offsets[old] + sign * best.offset_s
        sure[new] = min(sure[old], best.confidence)


def _least_squares(
    start: NDArray[np.float64], pairs: Sequence[PairOffset]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spread the contradictions of the loops, the first camera held at 0."""
    cameras = len(start)
    A = np.zeros((len(pairs), cameras))
    for row, pair in enumerate(pairs):
        A[row, pair.second], A[row, pair.first] = 1.0, -1.0
    b = np.array([pair.offset_s for pair in pairs])
    std = np.array([np.hypot(pair.std_s, SYSTEMATIC_S) for pair in pairs])
    belief = np.array([pair.confidence for pair in pairs]) / std**2
    used = np.flatnonzero(np.isfinite(start))[1:]
    offsets = np.where(np.isfinite(start), start, 0.0)
    covariance = np.zeros((len(used), len(used)))
    for _ in range(_ROUNDS):
        weight = belief / (1 + ((A @ offsets - b) / (3 * std)) ** 2)
        normal = A[:, used].T @ (weight[:, None] * A[:, used])
        covariance = np.asarray(np.linalg.pinv(normal))
        offsets = offsets.copy()
        offsets[used] = covariance @ (A[:, used].T @ (weight * b))
    spread = np.where(np.isfinite(start), 0.0, np.inf)
    spread[used] = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return np.where(np.isfinite(start), offsets, np.nan), spread


def _agreement(
    offsets: NDArray[np.float64], pairs: Sequence[PairOffset], sure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Confidence of each camera: of its weakest link in the tree, raised by pairs that say the same, cut by others."""
    agreed = sure.copy()
    for camera in range(1, len(offsets)):
        own = [pair for pair in pairs if camera in (pair.first, pair.second)]
        if len(own) < 2:
            continue
        belief = np.array([pair.confidence for pair in own])
        off = np.array([abs(offsets[pair.second] - offsets[pair.first] - pair.offset_s) for pair in own])
        fits = off <= np.array([3 * np.hypot(pair.std_s, SYSTEMATIC_S) + 0.02 for pair in own])
        doubt = float(np.prod(1 - belief[fits]))
        share = float(belief[fits].sum() / belief.sum())
        agreed[camera] = min(1.0, max(sure[camera], 1 - doubt) * share)
    return agreed
