"""Closed surfaces of the mannequin: lofts over rings and ellipsoids, all in NumPy.

A ring has four radii, so that a calf can bulge backwards only; a loft joins rings and closes both ends with a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["Part", "blended_normals", "ellipsoid", "joined", "loft", "outward_normals", "smoothstep"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A closed surface.

    Attributes:
        vertices: (V, 3) metres.
        triangles: (F, 3) vertices, counter-clockwise seen from outside.
        weights: (V, K) how much a vertex follows each of K bones.
        material: (F,) index into a list of materials.
    """

    vertices: Floats
    triangles: Indices
    weights: Floats
    material: Indices


def loft(centers: Floats, frames: Floats, radii: Floats, ends: Floats, *, sides: int, flat: float = 1.0) -> Part:
    """Join rings to a closed surface, with neither weights nor materials yet.

    Args:
        centers: (N, 3) of the rings.
        frames: (N, 2, 3) two perpendicular unit vectors of each ring, side and other; ``side x other`` points to the
            next ring.
        radii: (N, 4) along +side, -side, +other, -other.
        ends: (2, 3) the points that close the first and the last ring.
        sides: points of a ring, a multiple of 4.
        flat: exponent of the half towards -other: 1 is an ellipse, smaller is boxier (a sole).

    Returns:
        N * sides + 2 vertices, ring after ring, the ends last; weights and materials are empty.
    """
    angle = 2 * np.pi * np.arange(sides) / sides
    cos, sin = np.cos(angle), np.sin(angle)
    power = np.where(sin < -1e-9, flat, 1.0)
    cos, sin = np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power
    along_side = np.where(cos > 0, radii[:, :1], radii[:, 1:2]) * cos
    along_other = np.where(sin > 0, radii[:, 2:3], radii[:, 3:4]) * sin
    rings = centers[:, None] + along_side[..., None] * frames[:, None, 0] + along_other[..., None] * frames[:, None, 1]
    count = len(centers)
    k = np.arange(sides)
    after = (k + 1) % sides
    triangles = []
    for ring in range(count - 1):
        here, there = ring * sides, (ring + 1) * sides
        triangles += [np.stack([here + k, here + after, there + after], axis=-1)]
        triangles += [np.stack([here + k, there + after, there + k], axis=-1)]
    first, last = np.full(sides, count * sides), np.full(sides, count * sides + 1)
    top = (count - 1) * sides
    triangles += [np.stack([first, after, k], axis=-1), np.stack([last, top + k, top + after], axis=-1)]
    faces = np.concatenate(triangles)
    vertices = np.concatenate([rings.reshape(-1, 3), ends])
    return Part(
        vertices=vertices,
        triangles=faces,
        weights=np.zeros((len(vertices), 0)),
        material=np.zeros(len(faces), dtype=np.int64),
    )


def ellipsoid(center: Floats, axes: Floats, radii: Sequence[float], *, rings: int = 5, sides: int = 8) -> Part:
    """Make an ellipsoid, with neither weights nor materials yet.

    Args:
        center: (3,).
        axes: (3, 3) rows are perpendicular unit vectors x, y, z with ``x cross y = z``; the poles lie on z.
        radii: three, along the axes.
        rings: between the poles.
        sides: points of a ring.
    """
    angle = np.pi * np.arange(1, rings + 1) / (rings + 1)
    centers = center - np.cos(angle)[:, None] * radii[2] * axes[2]
    widths = np.sin(angle)[:, None] * np.array([radii[0], radii[0], radii[1], radii[1]])
    frames = np.broadcast_to(axes[:2], (rings, 2, 3))
    ends = np.stack([center - radii[2] * axes[2], center + radii[2] * axes[2]])
    return loft(centers, frames, widths, ends, sides=sides)


def joined(parts: Sequence[Part]) -> Part:
    """Put parts together; they keep their own vertices."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    return Part(
        vertices=np.concatenate([part.vertices for part in parts]),
        triangles=np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=False)]),
        weights=np.concatenate([part.weights for part in parts]),
        material=np.concatenate([part.material for part in parts]),
    )


def outward_normals(vertices: Floats, triangles: Indices) -> Floats:
    """Average the normals of the triangles around each vertex, weighted by their areas: (V, 3) unit vectors."""
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], faces)
    lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
    return np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1.0), [0.0, 1.0, 0.0])


def blended_normals(vertices: Floats, normals: Floats, which: Indices, radius: float) -> Floats:
    """Average the normals of some vertices with those nearby that look the same way, whatever surface they are on.

    Where two surfaces of one material cross, light then falls on both alike, and the seam is not seen.

    Args:
        vertices: (V, 3) metres.
        normals: (V, 3) unit vectors.
        which: (K,) the vertices that take part.
        radius: metres; the weight falls to 0 there.

    Returns:
        (V, 3) unit vectors.
    """
    tree = cKDTree(vertices[which])
    pairs = tree.query_pairs(radius, output_type="ndarray")
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    here, there = which[pairs[:, 0]], which[pairs[:, 1]]
    apart = np.linalg.norm(vertices[here] - vertices[there], axis=-1) / radius
    alike = np.einsum("nk,nk->n", normals[here], normals[there]).clip(0.0)
    sums = normals.copy()
    np.add.at(sums, here, ((1 - apart) ** 2 * alike)[:, None] * normals[there])
    return np.asarray(sums / np.linalg.norm(sums, axis=-1, keepdims=True))


def smoothstep(value: Floats, low: float, high: float) -> Floats:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
