"""Drawings of a report that need no program: the body over time, figures over time, both as SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from mocap3d.viewers.captures.people import Person, facts_of
from mocap3d.viewers.captures.plain_words import PlotWords
from numpy.typing import NDArray

__all__ = ["LINE_COLOURS", "plot_svg", "strip_svg"]

Floats = NDArray[np.float64]

_FIGURES_PER_S: Final = 3.0
_MOST_FIGURES: Final = 40
_AXES: Final = ((0, 1), (2, 1), (0, 2))  # of the world, drawn to the right and upwards: along -Z, along +X, from above

_WIDE, _HIGH, _LEFT, _BOTTOM = 640, 110, 46, 18
_MOST_POINTS: Final = 600  # of a line
LINE_COLOURS: Final = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_SIDES: Final = {"left foot": "#d55e00", "right foot": "#0072b2"}


def strip_svg(person: Person, captions: Sequence[str]) -> list[str]:
    """Draw the body a few times a second, in metres, from three sides; the pictures' y axis points down.

    Args:
        person: who.
        captions: what the views are called: along -Z, which is how a camera of its own looks, along +X, and from above.
    """
    world_m, facts = person.places_m(), facts_of(person)
    step = max(1, round(float(person.fps) / _FIGURES_PER_S), -(-len(world_m) // _MOST_FIGURES))
    bones = [(p, j) for j, p in enumerate(facts["parents"]) if p >= 0]
    by_side = {side: [bone for bone in bones if facts["sides"][bone[1]] == side] for side in set(facts["sides"])}
    drawings = []
    for caption, (right, up) in zip(captions, _AXES, strict=True):
        points = world_m[::step][..., [right, up]]
        if up == 1:
            points = points * [1, -1]  # seen from above, +Z comes towards the viewer: down the page already
        known = points[np.isfinite(points).all(axis=-1)]
        low, high = known.min(axis=0) - 0.25, known.max(axis=0) + 0.25
        width, height = high - low
        floor = f'<path class="floor" d="M{low[0]:.2f} 0H{high[0]:.2f}"/>' if up == 1 else ""
        paths = "".join(
            f'<path class="bone {side}" d="{_strokes(points, by_side.get(side, []))}"/>'
            for side in ("middle", "right", "left")
        )
        drawings.append(
            f'<figure><svg viewBox="{low[0]:.2f} {low[1]:.2f} {width:.2f} {height:.2f}" role="img">{floor}{paths}</svg>'
            f"<figcaption>{caption}, every {step / float(person.fps):.2f} s</figcaption></figure>"
        )
    return drawings


def plot_svg(lines: Mapping[str, Floats], words: PlotWords, *, frames: range, fps: float) -> str:
    """Draw figures over time.

    Args:
        lines: name -> (T,) values, one for each of ``frames``, NaN where nothing is known.
        words: what is drawn.
        frames: of the video; a program may go to one by a click.
        fps: frames per second.
    """
    most = max([words.least, *(float(np.nanmax(values)) for values in lines.values() if np.isfinite(values).any())])
    step = 10.0 ** math.floor(math.log10(most) - 0.3)
    most = math.ceil(most / step) * step
    grid = "".join(
        f'<path class="grid" d="M{_LEFT} {_y(part * most, most):.1f}H{_WIDE}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(part * most, most) + 4:.1f}" text-anchor="end">{part * most:.3g}</text>'
        for part in (0.0, 0.5, 1.0)
    )
    seconds = len(frames) / fps
    every = next((s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if seconds / s <= 10), 1200)
    ticks = "".join(
        f'<text x="{_x(at * fps, len(frames)):.1f}" y="{_HIGH - 3}" text-anchor="middle">{at:g} s</text>'
        for at in np.arange(every, seconds, every)
    )
    paths, names = [], []
    for n, (name, values) in enumerate(lines.items()):
        colour = _SIDES.get(name, LINE_COLOURS[n % len(LINE_COLOURS)])
        paths.append(f'<path fill="none" stroke="{colour}" stroke-width="1.5" d="{_curve(values, most)}"/>')
        names.append(f'<span style="color:{colour}">{html.escape(name)}</span>')
    legend = f" {' '.join(names)}" if len(lines) > 1 else ""
    said = html.escape(f"{words.label}, {words.unit}" if words.unit else words.label)
    return (
        f'<figure class="plot"><figcaption>{said}{legend}</figcaption><svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" '
        f'data-start="{frames.start}" data-frames="{len(frames)}" data-left="{_LEFT}">{grid}{ticks}{"".join(paths)}'
        "</svg></figure>"
    )


def _strokes(points: Floats, bones: Sequence[tuple[int, int]]) -> str:
    """Lines from joint to joint in every frame; one that is not known is left out."""
    ends = points[:, np.array(bones, int).reshape(-1, 2)].reshape(-1, 4)
    return "".join(f"M{a:.2f} {b:.2f}L{c:.2f} {d:.2f}" for a, b, c, d in ends[np.isfinite(ends).all(axis=1)])


def _curve(values: Floats, most: float) -> str:
    """A line through what is known; many frames on one point become their least and their greatest value."""
    per = max(1, -(-len(values) // _MOST_POINTS))
    parts, pen = [], "M"
    for start in range(0, len(values), per):
        some = values[start : start + per]
        some = some[np.isfinite(some)]
        if not len(some):
            pen = "M"
            continue
        x = _x(start + (per - 1) / 2, len(values))
        for value in dict.fromkeys((float(some.min()), float(some.max()))):
            parts.append(f"{pen}{x:.1f} {_y(value, most):.1f}")
            pen = "L"
    return "".join(parts)


def _x(frame: float, frames: int) -> float:
    return _LEFT + frame / max(frames - 1, 1) * (_WIDE - _LEFT)


def _y(value: float, most: float) -> float:
    return 8 + (1 - value / most) * (_HIGH - 8 - _BOTTOM)
