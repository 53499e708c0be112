"""A captured clip as one HTML page: what was found, how sure it is, and the body from the side, the front and above.

The page needs nothing but a browser: text and SVG in one file.
"""

from __future__ import annotations

import html
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.files import atomic_path

__all__ = ["write_report"]

_FIGURES_PER_SECOND = 3.0
_VIEWS = {"as the camera sees it": (0, 1), "from the camera's left": (2, 1), "from above": (0, 2)}
"""The world's axes drawn to the right and upwards: the camera looks along -Z."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }
svg { width: 100%; height: auto; background: #f6f6f4; border-radius: .4rem } figcaption { color: #666 }
.left { stroke: #c8553d } .right { stroke: #28666e } .middle { stroke: #444 }
.bone { stroke-width: .022; stroke-linecap: round; fill: none } .floor { stroke: #bbb; stroke-width: .01 }
"""


def write_report(clip: mocap3d.Clip, path: str | os.PathLike[str]) -> Path:
    """Write the page; the file is complete or absent.

    Args:
        clip: what ``mocap3d.capture`` returned.
        path: the file to write, ``.html``.

    Returns:
        The file written.

    Raises:
        InputError: the file cannot be written.
    """
    target = Path(path)
    parts = [f"<h1>{html.escape(clip.source.name)}</h1>", _table(clip.settings)]
    parts += [f"<p><strong>Note:</strong> {html.escape(note)}</p>" for note in clip.notes]
    people = clip.summary()["people"]
    for performance, facts in zip(clip.performances, people if isinstance(people, list) else [], strict=True):
        parts.append(f"<h2>Shot {performance.shot + 1}, person {performance.person}</h2>{_table(facts)}")
        parts += [_figure(performance.motion, caption, axes) for caption, axes in _VIEWS.items()]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(clip.source.name)}</title>'
    with atomic_path(target) as temporary:
        temporary.write_text(f"{page}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>", encoding="utf-8")
    return target


def _table(facts: object) -> str:
    items = dict(facts) if isinstance(facts, dict) else {}
    rows = (
        f"<tr><th>{html.escape(str(name))}</th>"
        f"<td>{html.escape(value if isinstance(value, str) else json.dumps(value))}</td></tr>"
        for name, value in items.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _figure(motion: mocap3d.Motion, caption: str, axes: tuple[int, int]) -> str:
    """Draw the body every third of a second, in metres; the picture's y axis points down."""
    step = max(1, round(float(motion.fps) / _FIGURES_PER_SECOND))
    world_m, _ = mocap3d.forward(motion)
    right, up = axes
    points = np.stack([world_m[::step, :, right], world_m[::step, :, up]], axis=-1)
    if caption != "from above":
        points = points * [1, -1]  # seen from above, +Z comes towards the viewer: down the page already
    low, high = points.min(axis=(0, 1)) - 0.25, points.max(axis=(0, 1)) + 0.25
    bones = "".join(_body(motion.rig.skeleton, frame) for frame in points)
    floor = f'<line class="floor" x1="{low[0]:.3f}" x2="{high[0]:.3f}" y1="0" y2="0"/>' if up == 1 else ""
    width, height = high - low
    view = f"{low[0]:.3f} {low[1]:.3f} {width:.3f} {height:.3f}"
    return (
        f'<figure><svg viewBox="{view}" style="max-height:22rem">{floor}{bones}</svg>'
        f"<figcaption>{html.escape(caption)}, every {step / float(motion.fps):.2f} s; left limbs red, right limbs blue"
        "</figcaption></figure>"
    )


def _body(skeleton: mocap3d.Skeleton, joints: NDArray[np.float64]) -> str:
    lines = []
    for parent, j in skeleton.edges:
        name = skeleton.joint_names[j].lower()
        side = "left" if name.startswith("left") else "right" if name.startswith("right") else "middle"
        (x1, y1), (x2, y2) = joints[parent], joints[j]
        lines.append(f'<line class="bone {side}" x1="{x1:.3f}" y1="{y1:.3f}" x2="{x2:.3f}" y2="{y2:.3f}"/>')
    return "".join(lines)
