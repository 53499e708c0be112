"""The pictures of a calibration's page, as SVG: cameras and floor from above, and what each camera saw, how well.

Everything is in pixels of the page, and coloured by CSS classes, so that the page may be light or dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.projection import px_to_rays

__all__ = ["legend", "residual_steps", "top_view", "view_picture"]

Floats = NDArray[np.float64]

_WIDTH, _MOST_HEIGHT = 960.0, 640.0
_MARGIN_M = 0.4
_LEAST_M, _WIDE = 1.6, 1.5
_VIEW_PX = 84.0  # how far a camera's field of view is drawn
_MOST_POINTS, _MOST_DOTS = 600, 500
_COLOURS = 6  # classes p0 ... of people
_CELLS = 8
_PICTURE_PX = 200.0
_LONGEST = 24  # letters of a name that are shown


def top_view(calibration: mocap3d.Calibration) -> str:
    """Cameras with what they see, and where people walked; x to the right, -z upwards, labelled in metres."""
    places = np.stack([camera.world_from_cam[[0, 2], 3] for camera in calibration.cameras])
    paths = [path for path in (_known(path) for path in calibration.paths_m) if len(path)]
    every = np.concatenate([places, *paths])
    low, high = _extent(every)
    scale = min(_WIDTH / (high - low)[0], _MOST_HEIGHT / (high - low)[1])
    size = (high - low) * scale

    def at(points: Floats) -> Floats:
        return np.asarray((np.asarray(points) - low) * scale)

    drawn = [_grid(low, high, scale, size)]
    for n, path in enumerate(paths):
        thin = at(path[:: max(1, len(path) // _MOST_POINTS)])
        drawn.append(f'<polyline class="path p{n % _COLOURS}" points="{_points(thin)}"/>')
        drawn.append(
            f'<circle class="start p{n % _COLOURS}" r="4" {_centre(thin[0])}><title>began here</title></circle>'
        )
    corners = _labels(calibration.cameras, at(places), size)
    for camera, place, corner in zip(calibration.cameras, at(places), corners, strict=True):
        drawn.append(_camera(camera, place, corner))
    return (
        f'<svg class="above" viewBox="0 0 {size[0]:.1f} {size[1]:.1f}" role="img" '
        f'aria-label="Cameras and people from above">{"".join(drawn)}</svg>'
    )


def _extent(points: Floats) -> tuple[Floats, Floats]:
    """Corners of what is drawn: everything with a margin, wider than high, and never a speck."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN_M + 0.1 * float((high - low).max())
    size = np.maximum(high - low + 2 * margin, _LEAST_M)
    size[0] = max(size[0], _WIDE * size[1])
    return (low + high - size) / 2, (low + high + size) / 2


def _grid(low: Floats, high: Floats, scale: float, size: Floats) -> str:
    """Lines with numbers; the axes of the world stand out."""
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000, math.inf) if s * scale > 60)
    parts = []
    for axis in (0, 1):
        first, last = math.ceil(low[axis] / step), math.floor(high[axis] / step)
        for n in range(first, last + 1) if math.isfinite(step) else ():
            along = (n * step - low[axis]) * scale
            kind = "axis" if n == 0 else "grid"
            ends = (along, 0, along, size[1]) if axis == 0 else (0, along, size[0], along)
            parts.append(_line(kind, *ends))
            x, y = (along + 4, size[1] - 6) if axis == 0 else (5, along - 5)
            if y > 14 and x < size[0] - 40:
                parts.append(f'<text class="tick" x="{x:.1f}" y="{y:.1f}">{"xz"[axis]} {n * step:g}</text>')
    return "".join(parts)


def _labels(cameras: Sequence[mocap3d.Camera], places: Floats, size: Floats) -> list[tuple[int, int]]:
    """For each camera the corner of its dot where its label stands: clear of dots, other labels and its own view."""
    taken = [np.array([*place - 7, *place + 7]) for place in places]
    chosen = []
    for camera, place in zip(cameras, places, strict=True):
        reach = 10 + max(7.5 * min(len(camera.name), _LONGEST), 70)
        ahead = camera.cam_from_world[2, [0, 2]]

        def box(corner: tuple[int, int], place: Floats = place, reach: float = reach) -> Floats:
            across = sorted((place[0] + corner[0] * 8, place[0] + corner[0] * reach))
            down = sorted((place[1] + corner[1] * 8, place[1] + corner[1] * 40))
            return np.array([across[0], down[0], across[1], down[1]])

        def cost(corner: tuple[int, int], ahead: Floats = ahead) -> float:
            own = box(corner)
            outside = float(np.maximum([*-own[:2], *own[2:] - size], 0).sum())
            over = [np.maximum(np.minimum(own[2:], other[2:]) - np.maximum(own[:2], other[:2]), 0) for other in taken]
            return 100 * outside + 300 * float(ahead @ corner) + float(sum(area.prod() for area in over))

        best = min(((1, 1), (1, -1), (-1, 1), (-1, -1)), key=cost)
        taken.append(box(best))
        chosen.append(best)
    return chosen


def _camera(camera: mocap3d.Camera, place: Floats, corner: tuple[int, int]) -> str:
    """A wedge for what the camera sees, a dot, its name and height."""
    name, height = html.escape(camera.name), camera.world_from_cam[1, 3]
    label = name if len(camera.name) <= _LONGEST else html.escape(camera.name[: _LONGEST - 1]) + "…"
    x, y = place[0] + 10 * corner[0], place[1] + (20 if corner[1] > 0 else -24)
    anchor = "start" if corner[0] > 0 else "end"
    return (
        f"<g><title>{name}, {height:.2f} m high, sees {camera.fov_deg:.0f} degrees</title>{_wedge(camera, place)}"
        f'<circle class="lens" r="6" {_centre(place)}/>'
        f'<text class="name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{label}</text>'
        f'<text class="tick" x="{x:.1f}" y="{y + 14:.1f}" text-anchor="{anchor}">{height:.2f} m high</text></g>'
    )


def _wedge(camera: mocap3d.Camera, place: Floats) -> str:
    """What lies between the left and the right edge of the picture."""
    width, height = camera.size_wh_px
    sides = np.array([[-0.5, (height - 1) / 2], [width - 0.5, (height - 1) / 2]])
    rays = px_to_rays(camera, sides) @ camera.cam_from_world[:3, :3]
    flat = rays[:, [0, 2]]
    far = np.linalg.norm(flat, axis=1)
    seen = [place + ray / length * _VIEW_PX for ray, length in zip(flat, far, strict=True) if length > 1e-6]
    seen = [point for point in seen if np.isfinite(point).all()]
    return f'<polygon class="wedge" points="{_points(np.array([place, *seen]))}"/>'


def residual_steps(calibration: mocap3d.Calibration) -> tuple[float, float, float]:
    """Pixels at which the colours of residuals change: the usual one of all views, twice and four times that."""
    known = np.concatenate([view.off_px for view in calibration.views] or [np.zeros(0)])
    known = known[np.isfinite(known)]
    usual = float(np.median(known)) if len(known) else 1.0
    digits = 1 - math.floor(math.log10(max(usual, 1e-3)))
    step = max(round(usual, digits), 10.0**-digits)
    return step, 2 * step, 4 * step


def legend(steps: Sequence[float]) -> str:
    """What the colours of residuals mean."""
    words = [f"up to {steps[0]:g} px", *(f"up to {step:g} px" for step in steps[1:]), f"more than {steps[-1]:g} px"]
    return "".join(f'<span class="key"><i class="d{n}"></i>{word}</span>' for n, word in enumerate(words))


def view_picture(calibration: mocap3d.Calibration, c: int, steps: Sequence[float]) -> str:
    """The picture of one camera: cells in which something was seen, and a dot for each sight, coloured by its miss."""
    camera, view = calibration.cameras[c], calibration.views[c]
    width, height = camera.size_wh_px
    scale = _PICTURE_PX / max(width, height)
    size = np.array([width, height]) * scale
    dots = (view.seen_px + 0.5) * scale
    inside = ((dots >= 0) & (dots <= size)).all(axis=-1)
    dots, off = dots[inside], view.off_px[inside]
    cells = np.unique((np.clip(dots / size, 0, 1 - 1e-9) * _CELLS).astype(int), axis=0)
    cell = size / _CELLS
    drawn = [
        f'<rect class="cell" x="{x * cell[0]:.1f}" y="{y * cell[1]:.1f}" width="{cell[0]:.1f}" height="{cell[1]:.1f}"/>'
        for x, y in cells
    ]
    thin = slice(None, None, max(1, len(dots) // _MOST_DOTS))
    dots, off = dots[thin], off[thin]
    for n in np.argsort(np.nan_to_num(off, nan=-1.0)):  # the worst on top
        kind = "open" if math.isnan(off[n]) else f"d{int(np.searchsorted(steps, off[n]))}"
        drawn.append(f'<circle class="{kind}" r="2" {_centre(dots[n])}/>')
    label = html.escape(f"What {camera.name} saw", quote=True)
    return (
        f'<svg class="picture" viewBox="0 0 {size[0]:.1f} {size[1]:.1f}" style="width:{size[0]:.0f}px" role="img" '
        f'aria-label="{label}">{"".join(drawn)}</svg>'
    )


def _known(path: Floats) -> Floats:
    return np.asarray(path)[np.isfinite(path).all(axis=-1)]


def _points(points: Floats) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _centre(point: Floats) -> str:
    return f'cx="{point[0]:.1f}" cy="{point[1]:.1f}"'


def _line(kind: str, x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line class="{kind}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'
