"""A captured clip as one HTML page that opens from disk: what was found, how good it is, and a player in 3D.

The page holds all that it shows and asks for nothing: text, pictures, drawings, the data of the player and the program
that plays it, which is the one of `mocap3d view`. All but the player is there without JavaScript, too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from mocap3d.viewers.captures.clip_videos import ClipVideos
from mocap3d.viewers.captures.people import Person, people_of_clip, series_of, title_of
from mocap3d.viewers.captures.plain_words import FIGURE_WORDS, PLOTS, setting_name, setting_text
from mocap3d.viewers.report.drawings import plot_svg, strip_svg
from mocap3d.viewers.report.key_frames import FITS_WORST, KeyFrame, key_frames, same_moment
from mocap3d.viewers.report.networks import networks_of
from mocap3d.viewers.report.player import player_data
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.files import atomic_path
from mocap3d.quality.animation import FIGURES

__all__ = ["write_report"]

Floats = NDArray[np.float64]

_PAGE: Final = Path(__file__).parents[1] / "web" / "dist"
_MOST_PEOPLE: Final = 6  # with pictures and drawings
_SIDES: Final = ("as the camera sees it", "from the camera's left", "from above")
_SIDES_OF_A_RIG: Final = ("along −Z", "along +X", "from above")
_PACKAGES: Final = ("numpy", "scipy", "opencv-contrib-python-headless", "av", "onnxruntime")


def write_report(clip: mocap3d.Clip, path: str | os.PathLike[str]) -> Path:
    """Write the page; the file is complete or absent.

    Args:
        clip: what ``mocap3d.capture`` returned. Where its video is gone the page has no pictures, and says so.
        path: the file to write, ``.html``.

    Returns:
        The file written.

    Raises:
        InputError: the file cannot be written.
    """
    target = Path(path)
    people = people_of_clip(clip)
    videos = ClipVideos(clip)
    try:
        sections = [_person(person, clip, videos) for person in people[:_MOST_PEOPLE]]
    finally:
        videos.close()
    notes = [*clip.notes, *(f"no pictures here: {video.problem}" for video in videos.of_cameras if video.problem)]
    parts = [
        _head(clip, people),
        '<div id="mocap3d-player"><noscript>The 3D player needs JavaScript; all else does not.</noscript></div>',
        _notes(notes),
        *sections,
        _quality(people),
        _networks(clip),
        _facts("Settings", ((setting_name(name), setting_text(value)) for name, value in clip.settings.items())),
        _facts("Versions, as this page was written", _versions()),
    ]
    with atomic_path(target) as temporary:
        page = _document(title_of(clip), "".join(parts), player_data(clip, people))
        temporary.write_text(page, encoding="utf-8")
    return target


def _document(title: str, body: str, data: dict[str, Any]) -> str:
    """Put the page together; its policy lets the one program run that came with it, and nothing reach out."""
    program = _page_file("viewer.js").replace("</script", "<\\/script")
    hashed = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-{hashed}'"
    inlined = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    style = _page_file("style.css")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="dark light"><link rel="icon" href="data:,"><title>{html.escape(title)}</title>'
        f'<style>{style}</style></head><body class="report">{body}'
        f'<script type="application/json" id="mocap3d-data">{inlined}</script><script>{program}</script>'
        "</body></html>\n"
    )


def _page_file(name: str) -> str:
    """A file of the viewer's page, which was built."""
    try:
        return (_PAGE / name).read_text(encoding="utf-8")
    except OSError as error:
        told = f"the viewer's page is not in {_PAGE}: run `npm ci && npm run build` in {_PAGE.parent}"
        raise mocap3d.InputError(told) from error


# --- sections ---------------------------------------------------------------------------------------------------------


def _head(clip: mocap3d.Clip, people: Sequence[Person]) -> str:
    frames = clip.shots[-1].stop - clip.shots[0].start
    fps = float(clip.motion.fps)
    count = "one person" if len(people) == 1 else f"{len(people)} people"
    shots = f" in {len(clip.shots)} shots" if len(clip.shots) > 1 else ""
    cameras = f", seen by {len(clip.rig)} cameras" if clip.rig else ""
    made = html.escape(str(clip.settings.get("mocap3d", "")))
    return (
        f'<header class="about"><h1>{html.escape(title_of(clip))}</h1><p>{count}{shots}{cameras}: {frames} frames, '
        f"{fps:.6g} per second, {frames / fps:.2f} s. Captured by mocap3d {made}.</p></header>"
    )


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"<section><h2>Notes</h2><ul>{items}</ul></section>" if notes else ""


def _person(person: Person, clip: mocap3d.Clip, videos: ClipVideos) -> str:
    """Key frames, the motion drawn, figures over time."""
    cameras = clip.rig or clip.cameras
    main = next((c for c, camera in enumerate(cameras) if clip.rig and camera.name == clip.cameras[0].name), None)
    number = main if main in person.seen else next(iter(person.seen), None)
    found = [] if number is None else key_frames(person, number, cameras[number], videos)
    unseen = f"<p>Not seen, at rest: {html.escape(', '.join(person.unobserved))}.</p>" if person.unobserved else ""
    drawn = _pictures(found, clip, "In colour: the body, through the camera. White: the joints as they were seen.")
    if clip.rig and found:
        worst = next((one for one in found if one.why.startswith(FITS_WORST)), found[0])
        drawn += _pictures(same_moment(person, cameras, videos, worst.frame), clip, "The same moment in every camera.")
    sides = "".join(strip_svg(person, _SIDES_OF_A_RIG if clip.rig else _SIDES))
    return (
        f"<section><h2>{html.escape(person.label.capitalize())}</h2>{unseen}{drawn}"
        f'<div class="strips">{sides}</div><div class="plots">{_plots(person, cameras)}</div></section>'
    )


def _pictures(found: Sequence[KeyFrame], clip: mocap3d.Clip, words: str) -> str:
    """Key frames beside each other; the player counts frames from the beginning of the clip."""
    figures = []
    for one in found:
        frame = one.frame - clip.shots[0].start
        told = f"frame {frame}, {frame / float(clip.motion.fps):.2f} s: {html.escape(one.why)}"
        figures.append(f'<figure data-frame="{frame}">{one.svg}<figcaption>{told}</figcaption></figure>')
    return f'<p>{words}</p><div class="key-frames">{"".join(figures)}</div>' if found else ""


def _plots(person: Person, cameras: Sequence[mocap3d.Camera]) -> str:
    series = series_of(person, cameras)
    drawn = []
    for plot in PLOTS:
        lines = {line: values for (figure, line), values in series.items() if figure == plot.figure}
        if lines:
            frames = range(person.first, person.first + person.frames)
            drawn.append(plot_svg(lines, plot, frames=frames, fps=float(person.fps)))
    return "".join(drawn)


def _quality(people: Sequence[Person]) -> str:
    head = "".join(f'<th scope="col">{html.escape(person.label)}</th>' for person in people)
    rows = []
    for figure in FIGURES:
        texts = [figure.text(person.quality) for person in people]
        if any(text is not None for text in texts):
            cells = "".join(f'<td data-figure="{figure.name}">{html.escape(text or "–")}</td>' for text in texts)
            words = html.escape(FIGURE_WORDS[figure.name])
            rows.append(f'<tr><th scope="row">{html.escape(figure.label)}</th>{cells}<td>{words}</td></tr>')
    return (
        f'<section><h2>Quality</h2><table class="quality"><thead><tr><th></th>{head}<th scope="col">what it is</th>'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></section>"
    )


def _networks(clip: mocap3d.Clip) -> str:
    rows = "".join(
        f'<tr><th scope="row">{html.escape(one.title)}</th><td>{html.escape(one.use)}</td>'
        f"<td>{html.escape(one.licence)}</td>"
        f'<td><code title="{one.sha256}">{one.sha256[:12]}</code></td></tr>'
        for one in networks_of(clip)
    )
    head = "<tr><th>network</th><th>what it did</th><th>licence of its weights</th><th>SHA-256</th></tr>"
    return f"<section><h2>Networks and licences</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table></section>"


def _facts(title: str, items: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in items)
    return f'<section><h2>{html.escape(title)}</h2><dl class="facts">{rows}</dl></section>'


def _versions() -> list[tuple[str, str]]:
    packages = [(name, version(name)) for name in _PACKAGES]
    return [("mocap3d", mocap3d.__version__), ("Python", platform.python_version()), *packages]
