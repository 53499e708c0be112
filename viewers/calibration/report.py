"""A calibration as one HTML page: cameras and floor from above, how well each view fits, and what was asked.

The page needs nothing but a browser: text and SVG in one file, no script, light or dark as the reader's system is.
"""

from __future__ import annotations

import html
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mocap3d.viewers.calibration.drawings import legend, residual_steps, top_view, view_picture

import mocap3d
from mocap3d.base.files import atomic_path
from mocap3d.cameras.gate import Gate, telling

__all__ = ["write_calibration_report"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2429; --soft: #5d6a72; --paper: #fbfbf9; --card: #fff; --line: #d9dee1;
  --good: #11703f; --bad: #b3261e; --bad-soft: #fdecea; --accent: #0072b2; --cell: #0072b21a; --wedge: #6b778033 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecee; --soft: #9aa7af; --paper: #14181b; --card: #1d2327;
  --line: #343d43; --good: #6fcf97; --bad: #ff8a80; --bad-soft: #3a1f1d; --accent: #56b4e9; --cell: #56b4e922;
  --wedge: #aab6bd33 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2.5rem auto; padding: 0 1.25rem;
  color: var(--ink); background: var(--paper) }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .75rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem }
.verdict { border-left: .35rem solid; padding: .6rem 1rem; border-radius: .3rem; background: var(--card); margin: 0 }
.verdict.passed { border-color: var(--good) } .verdict.failed { border-color: var(--bad); background: var(--bad-soft) }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0 0; padding: 0; list-style: none }
.facts b, td b { font-weight: 600 } .facts span, .soft, figcaption, dt { color: var(--soft) }
.notes { margin: 1rem 0; padding-left: 1.2rem } figure { margin: 0 } figcaption { font-size: .875rem; margin: .4rem 0 }
svg { display: block; max-width: 100%; height: auto } svg.above { width: 100%; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink) } svg text.tick { font-size: 11px; fill: var(--soft) }
svg text.name { font-weight: 600 } .grid { stroke: var(--line) } .axis { stroke: var(--soft) }
.wedge { fill: var(--wedge); stroke: var(--soft); stroke-width: 1 } .lens { fill: var(--ink) }
.path { fill: none; stroke-width: 2.5; stroke-linejoin: round } circle.start { stroke: none }
.p0 { stroke: #d55e00 } circle.p0 { fill: #d55e00 } .p1 { stroke: #009e73 } circle.p1 { fill: #009e73 }
.p2 { stroke: #cc79a7 } circle.p2 { fill: #cc79a7 } .p3 { stroke: #e69f00 } circle.p3 { fill: #e69f00 }
.p4 { stroke: #56b4e9 } circle.p4 { fill: #56b4e9 } .p5 { stroke: #8a8a8a } circle.p5 { fill: #8a8a8a }
.views { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.4rem, 1fr)); gap: .9rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; min-width: 0 }
.card h3 { margin: 0 0 .6rem; font-size: 1rem; overflow-wrap: anywhere } .card svg { margin: 0 auto .6rem }
svg.picture { border: 1px solid var(--line); background: var(--paper) } .cell { fill: var(--cell) }
dl { display: grid; grid-template-columns: auto 1fr; gap: .2rem .7rem; margin: 0; font-size: .85rem }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
.d0 { fill: #0072b2; background: #0072b2 } .d1 { fill: #56b4e9; background: #56b4e9 }
.d2 { fill: #e69f00; background: #e69f00 } .d3 { fill: #d55e00; background: #d55e00 }
.open { fill: none; stroke: var(--soft) } .key { margin-right: 1.1rem; white-space: nowrap }
.key i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .35em }
table { border-collapse: collapse; width: 100%; font-size: .925rem } td, th { text-align: left; vertical-align: top;
  padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
th { font-weight: 600; color: var(--soft) } .yes { color: var(--good) } .no { color: var(--bad); font-weight: 600 }
.verdict ul { margin: .4rem 0 0; padding-left: 1.2rem; overflow-wrap: anywhere }
.gates td:first-child { min-width: 15rem } .gates td:nth-child(2) { white-space: nowrap }
.gates td:last-child, .gates th:last-child { color: var(--soft); font-size: .85rem } code { font-size: .9em }
details { margin-top: 2.5rem } summary { cursor: pointer; font-weight: 600 }
@media print { body { margin: 0; max-width: none } .card, figure { break-inside: avoid } }
"""

_QUESTIONS = {
    "board": ("Do the cameras agree about the board's corners?", "{:.2f} px off"),
    "corners that fit": ("Does one rig explain nearly all corners?", "{:.1%} left out"),
    "measured points": ("Are the measured points where they were marked?", "{:.1f} px off"),
    "refined nearby": ("Did refining leave the cameras about where they were?", "moved {:.2f} m"),
    "places": ("Has every camera a place of its own?", "{:.2f} m apart"),
    "leverage": ("Does every camera share enough with another?", "{:.1f} s"),
    "directions": ("Do the cameras look from different sides?", "{:.0f} degrees"),
    "different cameras": ("Are these different cameras?", ""),
    "in front": ("Are people in front of the cameras?", "{:.0%}"),
    "held-out reprojection": ("Does each camera see people where the others say they are?", "{:.1%} of a body off"),
    "reprojection": ("Do both cameras see people where they meet?", "{:.1%} of a body off"),
    "mirrored": ("Is the picture as it was, not mirrored?", "{:.1%} off, once mirrored back"),
    "synchronous": ("Do the videos show the same moments?", "{:+.3f} s"),
    "steady": ("Did every camera stand still?", "moved by {:.1%} of a body"),
    "upright": ("Do people stand upright?", "{:.2f}"),
    "feet on the floor": ("Are feet on the floor?", "{:+.2f} of a body"),
    "cameras above the floor": ("Are all cameras above the floor?", "{:.2f} of a body"),
    "size": ("Are people as tall as people are?", "{:.2f} m"),
    "bodies": ("Do arms and legs keep their length?", "vary by {:.1%}"),
    "left and right": ("Do people look where they go?", "{:.0%} of the time"),
    "lens of": ("Can this be a lens?", "sees {:.0f} degrees"),
}
"""Gate, or how its name begins: what it asks, and how its number is said."""

_WAYS = {
    "board": "from a board",
    "points": "from measured points",
    "people": "from people",
    "refined": "refined by people",
}
_SYNC = {"none": "all at once", "given": "as given", "photos": "photos", "nothing": "not known"}
_SIGHTS = {"board": "corners", "lens": "corners", "points": "marks"}


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
    title = _title(calibration)
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _verdict(calibration),
        _facts(calibration),
        _notes(calibration.notes),
        "" if calibration.how == "lens" else _from_above(calibration),
        _views(calibration),
        _gates(calibration.gates),
        _given(calibration),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    with atomic_path(target) as temporary:
        temporary.write_text(
            f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>', encoding="utf-8"
        )
    return target


def _title(calibration: mocap3d.Calibration) -> str:
    count = len(calibration.cameras)
    if calibration.how == "lens":
        return f"{count} lens{'es' if count > 1 else ''}, from pictures of a board"
    return f"{count} cameras, {_WAYS[calibration.how]}"


def _verdict(calibration: mocap3d.Calibration) -> str:
    failed, asked = sum(not gate.passed for gate in calibration.gates), len(calibration.gates)
    if failed:
        advice = (
            f"<li><strong>{html.escape(_asked(gate)[0])}</strong> No: {_told(gate.advice)}.</li>"
            for gate in telling(calibration.gates)
        )
        return (
            f'<div class="verdict failed"><strong>{failed} of {asked} gates failed.</strong> Do not use these cameras '
            f"before this is put right:<ul>{''.join(advice)}</ul></div>"
        )
    return f'<p class="verdict passed"><strong>All {asked} gates passed.</strong></p>'


def _facts(calibration: mocap3d.Calibration) -> str:
    if calibration.how == "lens":
        return ""
    facts = {
        "Size from": calibration.scale,
        "Up and floor from": calibration.world,
        "Videos began": _SYNC.get(calibration.sync, f"as their {calibration.sync} says"),
    }
    items = (f"<li><span>{name}</span> <b>{html.escape(value)}</b></li>" for name, value in facts.items())
    return f'<ul class="facts">{"".join(items)}</ul>'


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return f'<ul class="notes">{"".join(f"<li>{_told(note)}</li>" for note in notes)}</ul>'


def _from_above(calibration: mocap3d.Calibration) -> str:
    people = "Coloured lines are where people's hips went, from the dot on. " if calibration.paths_m else ""
    return (
        f"<h2>From above</h2><figure>{top_view(calibration)}<figcaption>The floor from above, in metres: +x to the "
        f"right, +z towards you. Round dots are cameras, wedges what they see. {people}Is this your room?"
        "</figcaption></figure>"
    )


def _views(calibration: mocap3d.Calibration) -> str:
    steps = residual_steps(calibration)
    what = _SIGHTS.get(calibration.how, "joints")
    cards = [
        f'<div class="card"><h3>{html.escape(camera.name)}</h3>{view_picture(calibration, c, steps)}'
        f"{_of_view(calibration, c, what)}</div>"
        for c, camera in enumerate(calibration.cameras)
    ]
    return (
        f'<h2>What each camera saw</h2><div class="views">{"".join(cards)}</div><p class="soft">Dots are {what}, '
        f"coloured by how far the cameras put them from where they were seen: {legend(steps)} "
        "Rings were put nowhere. Where nothing is shaded, nothing is known of the lens.</p>"
    )


def _of_view(calibration: mocap3d.Calibration, c: int, what: str) -> str:
    """What is known of one camera, line by line."""
    camera, view = calibration.cameras[c], calibration.views[c]
    usual = "mean square" if calibration.how in ("board", "points", "lens") else "median"
    before = "" if view.before_px is None else f"; was {_number(view.before_px)} px"
    facts = {
        "residual": f"{_number(view.residual_px)} px, {usual}{before}",
        what: f"{view.sights}, on {view.coverage:.0%} of the picture",
        "lens": f"{camera.fov_deg:.1f}° wide, {view.lens}",
    }
    if view.crop != "as calibrated":
        facts["crop"] = view.crop
    if calibration.how == "lens":
        (fx, fy), (cx, cy) = (camera.K[0, 0], camera.K[1, 1]), camera.K[:2, 2]
        facts["focal length"] = f"{fx:.1f}, {fy:.1f} px"
        facts["axis at"] = f"{cx:.1f}, {cy:.1f} px of {camera.size_wh_px[0]}x{camera.size_wh_px[1]}"
    else:
        x, y, z = camera.world_from_cam[:3, 3]
        facts["place"] = f"x {x:.2f}, z {z:.2f}, {y:.2f} m high"
        if calibration.sync != "photos":
            facts["began"] = f"{view.began_s:+.3f} s"
    rows = (f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _gates(gates: Sequence[Gate]) -> str:
    rows = []
    for gate in sorted(gates, key=lambda gate: gate.passed):
        question, number = _asked(gate)
        answer = '<span class="yes">✓ yes</span>' if gate.passed else '<span class="no">✗ no</span>'
        rows.append([html.escape(question), answer, *map(html.escape, (number, gate.limit, gate.name))])
    head = ["What was asked", "", "Measured", "Must be", "Gate"]
    return (
        '<h2>Can this be believed?</h2><p class="soft">A small error says only that views agree with each other, not '
        "with the world. So what is known of people and of lenses is measured through the cameras.</p>"
        f'<div class="gates">{_table(head, rows)}</div>'
    )


def _asked(gate: Gate) -> tuple[str, str]:
    """What a gate asks, and what was measured, in words."""
    name = "lens of" if gate.name.startswith("lens of ") else gate.name
    question, form = _QUESTIONS.get(name, (gate.name, "{:.3f}"))
    return question, form.format(gate.value) if math.isfinite(gate.value) else "-"


def _given(calibration: mocap3d.Calibration) -> str:
    rows = [
        [html.escape(name), html.escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))]
        for name, value in calibration.settings.items()
        if value not in (None, [], False)
    ]
    return f"<details><summary>What was given</summary>{_table((), rows)}</details>" if rows else ""


def _table(head: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<tr>{top}</tr>' if top else ''}{body}</table>"


def _told(text: str) -> str:
    """A sentence with its commands set as such."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"
