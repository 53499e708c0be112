"""Sleeves sewn to the trunk: one surface, whose seam is smooth in shape and in who moves it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.output.mannequin_shapes import Part, joined

__all__ = ["ARM_SIDES", "TRUNK_SIDES", "sewn"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

TRUNK_SIDES: Final = 24
"""Points of a ring of the trunk; the first lies on the right, a quarter later it is in front."""
ARM_SIDES: Final = 16
"""Points of a ring of an arm; the first lies on top, a quarter later it is in front."""

_LOW: Final = 11  # rings of the trunk at the lower and
_HIGH: Final = 15  # at the upper edge of an armhole
_WIDE: Final = 2  # points of a ring from the middle of an armhole to its edges
_SHAPED: Final = (3, 6)  # as many edges from the seam the shape is smoothed, so many times
_SHARED: Final = (4, 8)  # and the weights; more edges would reach the other side


def sewn(trunk: Part, left_arm: Part, right_arm: Part, material: int) -> Part:
    """Cut armholes into the trunk, open the arms at the shoulder, join their edges, and smooth around the seams.

    Args:
        trunk: a loft of TRUNK_SIDES, with the rings of an armhole.
        left_arm: a loft of ARM_SIDES from the shoulder to the hand.
        right_arm: its mirror image, point by point.
        material: of the seams.

    Returns:
        One closed surface; vertices inside the seams are gone.
    """
    whole = joined([trunk, left_arm, right_arm])
    starts = np.array([len(trunk.vertices), len(trunk.vertices) + len(left_arm.vertices)])
    triangles, painted = whole.triangles, whole.material
    edges = [_grid(0, (len(trunk.vertices) - 2) // TRUNK_SIDES, TRUNK_SIDES)]
    seam = np.zeros(len(whole.vertices), dtype=bool)
    for start, arm, is_left in zip(starts, (left_arm, right_arm), (True, False), strict=True):
        cut, edge = _armhole(is_left)
        cuff = start + np.arange(ARM_SIDES)
        inside = np.zeros(len(whole.vertices), dtype=bool)
        inside[cut] = inside[cuff] = inside[start + len(arm.vertices) - 2] = True
        kept = ~inside[triangles].all(axis=1)
        sleeve = _between(edge, cuff)
        triangles = np.concatenate([triangles[kept], sleeve if is_left else sleeve[:, ::-1]])
        painted = np.concatenate([painted[kept], np.full(len(sleeve), material)])
        edges += [_grid(int(start), (len(arm.vertices) - 2) // ARM_SIDES, ARM_SIDES), np.stack([edge, cuff], axis=-1)]
        seam[edge] = seam[cuff] = True
    used, numbers = np.unique(triangles, return_inverse=True)
    lines = np.concatenate(edges)
    lines = lines[np.isin(lines, used).all(axis=1)]
    return Part(
        vertices=_smoothed(whole.vertices, lines, seam, *_SHAPED)[used],
        triangles=numbers.reshape(-1, 3),
        weights=_smoothed(whole.weights, lines, seam, *_SHARED)[used],
        material=painted,
    )


def _armhole(is_left: bool) -> tuple[Indices, Indices]:
    """List the trunk's vertices in an armhole, edge included, and those on its edge: from the top to the front."""
    around = np.arange(-_WIDE, _WIDE + 1)
    columns = np.array([*range(_WIDE + 1), *[_WIDE] * (_HIGH - _LOW - 1), *range(_WIDE, -_WIDE - 1, -1)])
    columns = np.concatenate([columns, [-_WIDE] * (_HIGH - _LOW - 1), np.arange(-_WIDE, 0)])
    down = np.arange(_HIGH - 1, _LOW, -1)
    rows = np.concatenate([[_HIGH] * (_WIDE + 1), down, [_LOW] * (2 * _WIDE + 1), down[::-1], [_HIGH] * _WIDE])

    def vertex(row: Indices, forward: Indices) -> Indices:
        column = TRUNK_SIDES // 2 - forward if is_left else forward
        return np.asarray(row * TRUNK_SIDES + column % TRUNK_SIDES)

    return vertex(np.arange(_LOW, _HIGH + 1)[:, None], around[None]).ravel(), vertex(rows, columns)


def _between(here: Indices, there: Indices) -> Indices:
    """Join two rings of as many points."""
    after, there_after = np.roll(here, -1), np.roll(there, -1)
    halves = [np.stack([here, after, there_after], axis=-1), np.stack([here, there_after, there], axis=-1)]
    return np.concatenate(halves)


def _grid(start: int, rings: int, sides: int) -> Indices:
    """List the edges of a loft without the diagonals, which are not the same left and right: (E, 2)."""
    point = start + np.arange(rings * sides).reshape(rings, sides)
    around = np.stack([point, np.roll(point, -1, axis=1)], axis=-1)
    along = np.stack([point[:-1], point[1:]], axis=-1)
    return np.concatenate([around.reshape(-1, 2), along.reshape(-1, 2)])


def _smoothed(values: Floats, edges: Indices, seam: NDArray[np.bool_], reach: int, times: int) -> Floats:
    """Move values (V, K) towards the mean of their neighbours, the less the more edges away from the seam."""
    ways = np.concatenate([edges, edges[:, ::-1]])
    count = np.maximum(np.bincount(ways[:, 0], minlength=len(values)), 1)[:, None]
    near = seam.copy()
    share = near.astype(np.float64)
    for _ in range(reach - 1):
        near[ways[near[ways[:, 1]], 0]] = True
        share += near
    share = 0.5 * share[:, None] / reach
    for _ in range(times):
        sums = np.zeros_like(values)
        np.add.at(sums, ways[:, 0], values[ways[:, 1]])
        values = np.where(share > 0, values + share * (sums / count - values), values)
    return values
