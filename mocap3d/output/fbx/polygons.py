"""Polygons, normals and materials of one Geometry of a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.mesh import Material
from mocap3d.output.fbx.scene import Item, child_of, first_text

__all__ = ["material_of", "polygon_materials", "triangulate", "unit", "vertex_normals"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def triangulate(geometry: Item, count: int) -> tuple[Integers, Integers, Integers]:
    """Cut polygons into fans.

    Args:
        geometry: the object.
        count: of its vertices.

    Returns:
        vertices of all corners (C,), triangles (F, 3) of vertices, and the polygon (F,) that each is of.

    Raises:
        FileFormatError: a corner has a vertex that there is not.
    """
    raw = geometry.integers(geometry.record, "PolygonVertexIndex")
    last = raw < 0
    corners = np.where(last, ~raw, raw)
    if (corners >= count).any():
        raise geometry.error(f"a polygon has vertex {corners.max()}, there are {count}")
    polygon = np.concatenate([[0], np.cumsum(last)])[: len(raw)].astype(np.int64)
    firsts = np.searchsorted(polygon, np.arange(int(last.sum()) + 1))
    third = np.flatnonzero(np.arange(len(raw)) - firsts[polygon] >= 2)
    return (
        corners,
        np.stack([corners[firsts[polygon[third]]], corners[third - 1], corners[third]], axis=1),
        polygon[third],
    )


def vertex_normals(geometry: Item, vertices: Floats, corners: Integers, triangles: Integers) -> Floats:
    """Average the normals of each vertex, (V, 3); computed from the triangles where the file has none."""
    layer = child_of(geometry.record, "LayerElementNormal")
    sums = np.zeros(vertices.shape)
    if layer is not None:
        directions = geometry.floats(layer, "Normals")
        directions = directions[: len(directions) // 3 * 3].reshape(-1, 3)
        if first_text(layer, "ReferenceInformationType") == "IndexToDirect":
            index = geometry.integers(layer, "NormalsIndex")
            if index.size and (index.min() < 0 or index.max() >= len(directions)):
                raise geometry.error("NormalsIndex points outside the normals")
            directions = directions[index]
        mapping = first_text(layer, "MappingInformationType")
        if mapping == "ByPolygonVertex" and len(directions) == len(corners):
            np.add.at(sums, corners, directions)
        elif mapping in ("ByVertice", "ByVertex") and len(directions) == len(vertices):
            sums += directions
    if not sums.any():
        a, b, c = (vertices[triangles[:, n]] for n in range(3))
        for n in range(3):
            np.add.at(sums, triangles[:, n], np.cross(b - a, c - a))
    return unit(sums)


def unit(vectors: Floats) -> Floats:
    """Scale to length 1; what has no direction points up."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(length > 1e-200, vectors / length, [0.0, 1.0, 0.0])


def polygon_materials(geometry: Item, materials: int, polygons: int) -> Integers:
    """Find the material of each polygon, (P,)."""
    layer = child_of(geometry.record, "LayerElementMaterial")
    numbers = geometry.integers(layer, "Materials") if layer is not None else np.zeros(0, dtype=np.int64)
    if not ((numbers >= 0) & (numbers < materials)).all() or numbers.size == 0:
        return np.zeros(polygons, dtype=np.int64)
    if first_text(layer, "MappingInformationType") == "ByPolygon" and len(numbers) >= polygons:
        return numbers[:polygons]
    return np.full(polygons, numbers[0])


def material_of(item: Item) -> Material:
    """Read the colour of a material."""
    red, green, blue = item.vector("DiffuseColor", 0.5).clip(0, 1) * np.clip(item.number("DiffuseFactor", 1.0), 0, 1)
    return Material(name=item.name, rgb=(float(red), float(green), float(blue)))
