"""Triangles with colours, and the simple bodies that are made of them: balls and rods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.rotations import rotation_between, wxyz_rotate

__all__ = ["LEFT", "MIDDLE", "RIGHT", "Surface", "balls", "linear", "merged", "rods"]

Floats = NDArray[np.float64]


def linear(colour: str) -> Floats:
    """``#d55e00`` as linear red, green and blue, 0..1 each."""
    srgb = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    return np.asarray(srgb**2.2)


LEFT: Final = linear("#d55e00")
RIGHT: Final = linear("#0072b2")
MIDDLE: Final = linear("#8c8c8c")
"""The colours of sides, which differ for colour-blind people too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Surface:
    """Triangles, ready to be drawn.

    Attributes:
        vertices_m: (V, 3) in the world.
        normals: (V, 3) unit vectors.
        triangles: (F, 3) vertices, counter-clockwise seen from outside.
        rgba: (V, 4) linear colour and opacity, 0..1 each.
        lit: False is drawn in its plain colour.
    """

    vertices_m: Floats
    normals: Floats
    triangles: NDArray[np.int64]
    rgba: Floats
    lit: bool = True


def merged(surfaces: Sequence[Surface]) -> Surface:
    """Several surfaces as one."""
    first = np.cumsum([0, *(len(one.vertices_m) for one in surfaces)])[:-1]
    return Surface(
        vertices_m=np.concatenate([one.vertices_m for one in surfaces]),
        normals=np.concatenate([one.normals for one in surfaces]),
        triangles=np.concatenate([one.triangles + n for one, n in zip(surfaces, first, strict=True)]),
        rgba=np.concatenate([one.rgba for one in surfaces]),
        lit=surfaces[0].lit,
    )


def balls(centres_m: Floats, radius_m: float, rgb: Floats) -> Surface:
    """A ball at each of (N, 3) centres, in (N, 3) colours."""
    unit, triangles = _ball()
    return _copies(
        centres_m[:, None] + radius_m * unit, np.broadcast_to(unit, (len(centres_m), *unit.shape)), triangles, rgb
    )


def rods(starts_m: Floats, ends_m: Floats, radius_m: float, rgb: Floats) -> Surface:
    """A rod between each of (N, 3) starts and ends, in (N, 3) colours; thinner towards its end."""
    along, unit, triangles = _rod()
    turns = rotation_between(np.array([0.0, 0.0, 1.0]), ends_m - starts_m)
    normals = wxyz_rotate(turns[:, None], unit)
    centres_m = starts_m[:, None] + along[:, None] * (ends_m - starts_m)[:, None]
    radii_m = radius_m * (1.0 - 0.45 * along)
    return _copies(centres_m + radii_m[:, None] * normals, normals, triangles, rgb)


def _copies(vertices_m: Floats, normals: Floats, triangles: NDArray[np.int64], rgb: Floats) -> Surface:
    """N copies (N, V, 3) of one shape as one surface."""
    count, each = vertices_m.shape[:2]
    rgba = np.ones((count, each, 4))
    rgba[..., :3] = np.asarray(rgb)[:, None]
    return Surface(
        vertices_m=vertices_m.reshape(-1, 3),
        normals=normals.reshape(-1, 3),
        triangles=(triangles + each * np.arange(count)[:, None, None]).reshape(-1, 3),
        rgba=rgba.reshape(-1, 4),
    )


@lru_cache(maxsize=1)
def _ball(rings: int = 12, sides: int = 18) -> tuple[Floats, NDArray[np.int64]]:
    """A unit ball (V, 3), which is its normals too, and its triangles."""
    down, around = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, sides + 1), indexing="ij")
    unit = np.stack([np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)], axis=-1)
    return unit.reshape(-1, 3), _quads(rings, sides)


@lru_cache(maxsize=1)
def _rod(rings: int = 8, sides: int = 14) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """How far along its axis each vertex of a rod lies (V,), its normal when the axis is +Z (V, 3), its triangles.

    Several rings, so that a lens can bend it.
    """
    along, around = np.meshgrid(np.linspace(0, 1, rings + 1), np.linspace(0, 2 * np.pi, sides + 1), indexing="ij")
    unit = np.stack([np.cos(around), np.sin(around), np.zeros_like(around)], axis=-1)
    return along.ravel(), unit.reshape(-1, 3), _quads(rings, sides)[:, ::-1]


def _quads(rows: int, columns: int) -> NDArray[np.int64]:
    """Two triangles for each cell of a grid of (rows + 1) x (columns + 1) vertices."""
    index = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.stack([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)]).reshape(-1, 3)
