"""A calibration as one HTML page: cameras and floor from above, how well each view fits, and what was asked.

The page needs nothing but a browser: text and SVG in one file.
"""

from __future__ import annotations

import html
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.files import atomic_path
from mocap3d.base.projection import px_to_rays

__all__ = ["write_calibration_report"]

Floats = NDArray[np.float64]

_MARGIN_M = 1.0
_VIEW_M = 1.2  # how far a camera's field of view is drawn
_MOST_POINTS = 600  # of a path
_COLOURS = ("#28666e", "#c8553d", "#7a5c9e", "#b08900", "#3b7a3b", "#555555")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
svg { width: 100%; max-height: 40rem; background: #f6f6f4; border-radius: .4rem } figcaption { color: #666 }
.grid { stroke: #ddd; stroke-width: .01 } .axis { stroke: #aaa; stroke-width: .02 }
.path { fill: none; stroke-width: .04; stroke-linejoin: round; opacity: .7 }
.view { fill: #8884; stroke: #666; stroke-width: .015 } .lens { fill: #222 }
.failed { color: #b00020; font-weight: 600 } .passed { color: #2e6b2e }
.bar { display: inline-block; height: .7em; background: #28666e; vertical-align: middle }
"""


def write_calibration_report(calibration: mocap3d.Calibration, path: str | os.PathLike[str]) -> Path:
    """Write the page; the file is complete or absent.

    Args:
        calibration: what ``mocap3d.calibrate`` returned.
        path: the file to write, ``.html``.

    Returns:
        The file written.

    Raises:
        InputError: the file cannot be written.
    """
    target = Path(path)
    failed = sum(not gate.passed for gate in calibration.gates)
    verdict = (
        f'<p class="failed">{failed} of {len(calibration.gates)} gates failed: do not use these cameras before what is '
        "said below is put right.</p>"
        if failed
        else f'<p class="passed">All {len(calibration.gates)} gates passed.</p>'
    )
    parts = [
        f"<h1>{len(calibration.cameras)} cameras, from {html.escape(calibration.how)}</h1>",
        verdict,
        f"<p>Size from: {html.escape(calibration.scale)}. Up and floor from: {html.escape(calibration.world)}. "
        f"When videos began, from: {html.escape(calibration.sync)}.</p>",
        *(f"<p><strong>Note:</strong> {html.escape(note)}</p>" for note in calibration.notes),
        "<h2>From above</h2>",
        _top_view(calibration),
        "<h2>Views</h2>",
        _views(calibration),
        "<h2>Gates</h2>",
        _gates(calibration),
        "<h2>What was given</h2>",
        _table((name, str(value)) for name, value in calibration.settings.items()),
    ]
    page = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Calibration</title>'
    with atomic_path(target) as temporary:
        temporary.write_text(f"{page}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>", encoding="utf-8")
    return target


def _top_view(calibration: mocap3d.Calibration) -> str:
    """Cameras with what they see, and where people walked; x to the right, -z upwards, a line every metre."""
    places = np.stack([camera.world_from_cam[[0, 2], 3] for camera in calibration.cameras])
    paths = [np.asarray(path)[np.isfinite(path).all(axis=-1)] for path in calibration.paths_m]
    every = np.concatenate([places, *paths, np.zeros((1, 2))])
    low, high = np.floor(every.min(axis=0) - _MARGIN_M), np.ceil(every.max(axis=0) + _MARGIN_M)
    (x0, z0), (x1, z1) = (int(v) for v in low), (int(v) for v in high)
    step = max(1, math.ceil(max(x1 - x0, z1 - z0) / 40))
    lines = [_line("axis" if x == 0 else "grid", x, z0, x, z1) for x in range(x0, x1 + 1, step)]
    lines += [_line("axis" if z == 0 else "grid", x0, z, x1, z) for z in range(z0, z1 + 1, step)]
    for n, path in enumerate(paths):
        thin = path[:: max(1, len(path) // _MOST_POINTS)]
        points = " ".join(f"{x:.3f},{z:.3f}" for x, z in thin)
        lines.append(f'<polyline class="path" stroke="{_COLOURS[n % len(_COLOURS)]}" points="{points}"/>')
    size = max(x1 - x0, z1 - z0) / 45
    for camera, (x, z) in zip(calibration.cameras, places, strict=True):
        lines.append(_field_of_view(camera))
        label = f"{camera.name}, {camera.world_from_cam[1, 3]:.2f} m high"
        lines.append(f'<circle class="lens" cx="{x:.3f}" cy="{z:.3f}" r="{size / 4:.3f}"/>')
        lines.append(f'<text x="{x + size / 2:.3f}" y="{z:.3f}" font-size="{size:.3f}">{html.escape(label)}</text>')
    box = f"{x0} {z0} {x1 - x0} {z1 - z0}"
    return (
        f'<figure><svg viewBox="{box}" role="img">{"".join(lines)}</svg><figcaption>The floor from above, a line every '
        f"{'metre' if step == 1 else f'{step} metres'}: +x to the right, -z upwards. Dots are cameras, wedges what "
        "they see, lines where people's hips went.</figcaption></figure>"
    )


def _field_of_view(camera: mocap3d.Camera) -> str:
    """A wedge from the camera to both sides of its picture."""
    width, height = camera.size_wh_px
    sides = np.array([[-0.5, (height - 1) / 2], [width - 0.5, (height - 1) / 2]])
    rays = px_to_rays(camera, sides) @ camera.cam_from_world[:3, :3]
    x, z = camera.world_from_cam[[0, 2], 3]
    points = [(x, z)]
    for ray in rays:
        flat = np.array([ray[0], ray[2]])
        far = float(np.linalg.norm(flat))
        if math.isfinite(far) and far > 1e-6:
            points.append((x + flat[0] / far * _VIEW_M, z + flat[1] / far * _VIEW_M))
    return f'<polygon class="view" points="{" ".join(f"{a:.3f},{b:.3f}" for a, b in points)}"/>'


def _line(kind: str, x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line class="{kind}" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>'


def _views(calibration: mocap3d.Calibration) -> str:
    refined = any(view.before_px is not None for view in calibration.views)
    head = [
        "camera",
        "residual px",
        *(["before px"] if refined else []),
        "sights",
        "coverage",
        "lens",
        "crop",
        "began s",
    ]
    rows = []
    for view in calibration.views:
        cells = [html.escape(view.camera), _number(view.residual_px, 2)]
        if refined:
            cells.append("" if view.before_px is None else _number(view.before_px, 2))
        bar = f'<span class="bar" style="width:{view.coverage * 6:.2f}rem"></span> {view.coverage:.0%}'
        cells += [str(view.sights), bar, html.escape(view.lens), html.escape(view.crop), _number(view.began_s, 3)]
        rows.append(cells)
    return _rows(head, rows)


def _gates(calibration: mocap3d.Calibration) -> str:
    rows = []
    for gate in sorted(calibration.gates, key=lambda gate: gate.passed):
        word = '<span class="passed">passed</span>' if gate.passed else '<span class="failed">failed</span>'
        rows.append(
            [html.escape(gate.name), word, _number(gate.value, 3), html.escape(gate.limit), html.escape(gate.advice)]
        )
    return _rows(["gate", "", "measured", "must be", "what to do"], rows)


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _table(items: Iterable[tuple[str, str]]) -> str:
    def lines() -> Iterator[str]:
        for name, value in items:
            yield f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"

    return f"<table>{''.join(lines())}</table>"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
