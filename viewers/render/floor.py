"""The floor: lines that fade out, and soft shadows where bodies are near it.

Shadow maps fail on software OpenGL. What darkens the floor here is computed: how much surface lies above each spot, and
how near.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from mocap3d.viewers.render.surfaces import Surface
from numpy.typing import NDArray

from mocap3d.base.camera import Camera

__all__ = ["grid", "shadow"]

Floats = NDArray[np.float64]

_SEGMENTS: Final = 16  # of a line, so that it can fade, and a lens can bend it
_LINES: Final = 24  # on each side of the middle, at most
_CELLS: Final = 48  # of a shadow along its longer side, at most
_UNSEEN: Final = 0.004  # less than one step of 255
_REACH: Final = 0.22  # statures above the floor at which a shadow has a third of its darkness
_BLURS: Final = ((0.016, 0.40), (0.07, 0.30))  # statures and darkness of a sharp and a soft part


def grid(eye: Camera, centre_m: Floats, radius_m: float, rgb: Floats, opacity: float) -> Surface:
    """Lines on the floor around a point (3,), as wide as 1/600 of the picture's height wherever they are."""
    cell_m = _cell_m(radius_m)
    lines = int(min(np.ceil(radius_m / cell_m), _LINES))
    middle = np.round(centre_m[[0, 2]] / cell_m) * cell_m
    offsets = cell_m * np.arange(-lines, lines + 1)
    along = np.linspace(-1.0, 1.0, _SEGMENTS + 1) * cell_m * lines
    width_px = max(1.0, eye.size_wh_px[1] / 600)
    parts = []
    for axis in (0, 1):  # lines along X, then along Z
        flat = np.empty((len(offsets), len(along), 2))
        flat[..., axis], flat[..., 1 - axis] = middle[axis] + along, middle[1 - axis] + offsets[:, None]
        points_m = np.stack([flat[..., 0], np.full(flat.shape[:2], centre_m[1]), flat[..., 1]], axis=-1)
        depth_m = points_m @ eye.cam_from_world[2, :3] + eye.cam_from_world[2, 3]
        half_m = 0.5 * width_px * np.maximum(depth_m, 0.05) / eye.K[0, 0]
        across = np.array([0.0, 0.0, -1.0]) if axis == 0 else np.array([1.0, 0.0, 0.0])  # so that both face up
        sides_m = np.stack([points_m - half_m[..., None] * across, points_m + half_m[..., None] * across], axis=2)
        away = np.linalg.norm(flat - centre_m[[0, 2]], axis=-1) / radius_m
        fade = opacity * np.clip(1.0 - away, 0.0, 1.0) ** 1.5
        parts.append((sides_m, np.repeat(fade[..., None], 2, axis=2)))
    vertices_m = np.concatenate([sides_m for sides_m, _ in parts])
    return _flat(vertices_m, np.concatenate([fade for _, fade in parts]), rgb)


def shadow(bodies: Sequence[Surface], floor_m: float, stature_m: float, darkness: float = 1.0) -> Surface | None:
    """What bodies take of the light above the floor; None without bodies."""
    from scipy.ndimage import gaussian_filter

    if not bodies:
        return None
    corners = np.concatenate([body.vertices_m[body.triangles] for body in bodies])
    area = 0.25 * np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1])  # seen twice
    middle = corners.mean(axis=1)
    weight = area * np.exp(-np.maximum(middle[:, 1] - floor_m, 0.0) / (_REACH * stature_m))
    low, high = middle[:, [0, 2]].min(axis=0), middle[:, [0, 2]].max(axis=0)
    margin_m = 3.0 * _BLURS[1][0] * stature_m
    cell_m = max(float((high - low).max() + 2 * margin_m) / _CELLS, 0.012 * stature_m)
    low, count = low - margin_m, np.ceil((high - low + 2 * margin_m) / cell_m).astype(int) + 1
    cells = np.clip(np.rint((middle[:, [0, 2]] - low) / cell_m).astype(int), 0, count - 1)
    covered = np.bincount(cells @ [count[1], 1], weights=weight, minlength=int(count.prod()))
    covered = np.minimum(covered.reshape(count) / cell_m**2, 1.0)
    blurred = [np.asarray(gaussian_filter(covered, blur * stature_m / cell_m) * dark) for blur, dark in _BLURS]
    opacity: Floats = darkness * np.sum(blurred, axis=0)
    x, z = (low[n] + cell_m * np.arange(count[n]) for n in (0, 1))
    points_m = np.stack(np.broadcast_arrays(x[:, None], floor_m, z[None]), axis=-1)
    return _flat(points_m[None].swapaxes(1, 2), opacity[None].swapaxes(1, 2), np.zeros(3))


def _flat(points_m: Floats, opacity: Floats, rgb: Floats) -> Surface:
    """N sheets of (A, B) points each, facing up, in one colour."""
    count, rows, columns = points_m.shape[:3]
    index = np.arange(count * rows * columns).reshape(count, rows, columns)
    a, b, c, d = index[:, :-1, :-1], index[:, 1:, :-1], index[:, 1:, 1:], index[:, :-1, 1:]
    triangles = np.concatenate([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)], axis=-2).reshape(-1, 3)
    vertices_m = points_m.reshape(-1, 3)
    first = vertices_m[triangles[0]]
    if np.cross(first[1] - first[0], first[2] - first[0])[1] < 0:
        triangles = triangles[:, ::-1]
    triangles = triangles[opacity.reshape(-1)[triangles].max(axis=1) > _UNSEEN]
    rgba = np.concatenate([np.broadcast_to(rgb, vertices_m.shape), opacity.reshape(-1, 1)], axis=1)
    normals = np.broadcast_to([0.0, 1.0, 0.0], vertices_m.shape)
    return Surface(vertices_m=vertices_m, normals=normals, triangles=triangles, rgba=rgba, lit=False)


def _cell_m(radius_m: float) -> float:
    """Half a metre, or a step of 1, 2, 5 that keeps the lines countable."""
    for power in range(-3, 12):
        for digit in (1.0, 2.0, 5.0):
            cell_m = digit * 10.0**power
            if cell_m >= 0.5 * min(radius_m / 3.0, 1.0) and radius_m <= _LINES * cell_m:
                return cell_m
    return radius_m / _LINES
