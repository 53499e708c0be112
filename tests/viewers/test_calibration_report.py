"""The page of a calibration: everything that a reader needs is on it, and it is valid and harmless."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from mocap3d.viewers.calibration import report, write_calibration_report
from rigs_of_cameras import ring

import mocap3d.cameras.gates
from mocap3d.calibration import Calibration, ViewFit, ways
from mocap3d.cameras.gate import Gate

GATES = (
    Gate(name="size", passed=False, value=17.0, limit="people of 1.3 to 2.2 m", advice="correct the <squares>"),
    Gate(name="steady", passed=True, value=float("nan"), limit="at most 4.5%"),
)


def calibration(**changes) -> Calibration:
    cameras = tuple(replace(camera, name=f"<cam{n}>") for n, camera in enumerate(ring(3)))
    views = tuple(
        ViewFit(
            camera=camera.name,
            residual_px=1.25,
            before_px=None,
            sights=1234,
            coverage=0.5,
            lens="given",
            crop="left cut off",
            began_s=-0.125,
            seen_px=np.array([[0.0, 0.0], [959.5, 539.5], [1919.0, 1079.0], [5000.0, 5.0]]),
            off_px=np.array([0.5, 1.0, 40.0, np.nan]),
        )
        for camera in cameras
    )
    path = np.array([[0.0, 0.0], [np.nan, np.nan], [1.0, 2.0]])
    made = Calibration(
        cameras=cameras,
        how="board",
        world="people",
        scale="board",
        views=views,
        gates=GATES,
        sync="motion",
        paths_m=(path,),
        notes=("a <note>",),
        settings={"height_m": None},
    )
    return replace(made, **changes)


class Tags(HTMLParser):
    """Counts tags and remembers the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data + " "


HARMLESS = {
    *("lang", "charset", "name", "content", "class", "role", "aria-label", "style", "viewbox", "points", "text-anchor"),
    *("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height"),
}


def figures(page):
    """The figures of a page, which are well-formed XML."""
    return [ElementTree.fromstring(f"<svg{part.split('</svg>')[0]}</svg>") for part in page.split("<svg")[1:]]


def test_everything_is_on_the_page(tmp_path):
    """Catches a gate without its sentence, a camera that is missing from above, and names taken for tags."""
    page = write_calibration_report(calibration(), tmp_path / "rig.html").read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(page)
    assert not [tag for tag in seen.tags if tag.startswith(("cam", "squares", "note", "script", "link", "img"))]
    for said in ("1 of 2 gates failed", "correct the <squares>", "a <note>", "1.25", "1234", "50%", "left cut off"):
        assert said in seen.text
    above, *pictures = figures(page)
    assert [text.text for text in above.iter("text") if text.get("class") == "name"] == ["<cam0>", "<cam1>", "<cam2>"]
    assert len(pictures) == 3
    for svg in (above, *pictures):
        x0, y0, width, height = (float(v) for v in svg.get("viewBox").split())
        for dot in svg.iter("circle"):
            assert x0 <= float(dot.get("cx")) <= x0 + width
            assert y0 <= float(dot.get("cy")) <= y0 + height
        assert "nan" not in ElementTree.tostring(svg, encoding="unicode")
    # What lies outside of the picture is not drawn; the others by how far they are off.
    assert [dot.get("class") for dot in pictures[0].iter("circle")] == ["d0", "d0", "d3"]


def test_cameras_stand_where_they_are(tmp_path):
    """Catches a view from below, in which left and right are exchanged, and a scale that differs across and down."""
    made = calibration()
    page = write_calibration_report(made, tmp_path / "rig.html").read_text(encoding="utf-8")
    dots = [dot for dot in figures(page)[0].iter("circle") if dot.get("class") == "lens"]
    drawn = np.array([[float(dot.get("cx")), float(dot.get("cy"))] for dot in dots])
    places = np.array([camera.world_from_cam[[0, 2], 3] for camera in made.cameras])
    scale = (drawn[0] - drawn[1]) / (places[0] - places[1])
    assert scale[0] == pytest.approx(scale[1], rel=0.01)
    assert scale[0] > 0
    np.testing.assert_allclose(drawn - drawn[0], (places - places[0]) * scale[0], atol=0.2)


def test_hostile_names(tmp_path):
    """Catches text of files and names that a browser would take for tags, attributes or scripts."""
    evil = "\"><script>alert(1)</script>'&`x`"
    cameras = tuple(replace(camera, name=f"{n}{evil}") for n, camera in enumerate(ring(2)))
    made = calibration()
    views = tuple(
        replace(view, camera=camera.name, lens=evil, crop=evil)
        for view, camera in zip(made.views[:2], cameras, strict=True)
    )
    gates = (Gate(name=evil, passed=False, value=1.0, limit=evil, advice=evil),)
    settings = {evil: evil, "videos": [evil]}
    made = replace(
        made, cameras=cameras, views=views, gates=gates, notes=(evil,), settings=settings, scale=evil, world=evil,
        sync=evil,
    )  # fmt: skip
    page = write_calibration_report(made, tmp_path / "rig.html").read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(page)
    assert "script" not in seen.tags
    assert set(seen.attributes) <= HARMLESS
    assert seen.text.count("alert(1)") > 10
    assert len(figures(page)) == 3


def test_every_gate_has_a_question(tmp_path):
    """Catches a new gate that the page shows without a word on what was asked."""
    text = Path(mocap3d.cameras.gates.__file__).read_text() + Path(ways.__file__).read_text()
    names = set(re.findall(r'_gate\(\s*f?"([a-z -]+?)(?: \{[^"]*)?",', text)) | {
        "reprojection",
        "held-out reprojection",
    }
    assert len(names) > 15
    assert names == set(report._QUESTIONS)


def test_lenses_alone(tmp_path):
    """Catches a floor, a place and a beginning on the page of a lens that nobody placed."""
    made = calibration()
    made = replace(made, how="lens", cameras=made.cameras[:1], views=made.views[:1], world="none", paths_m=(), gates=())
    page = write_calibration_report(made, tmp_path / "lens.html").read_text(encoding="utf-8")
    assert "1 lens, from pictures of a board" in page
    assert len(figures(page)) == 1
    assert not [word for word in ("From above", "m high", "began", "Up and floor") if word in page]


def test_a_good_one_without_people(tmp_path):
    """Catches a page that needs somebody who walked."""
    page = write_calibration_report(calibration(gates=GATES[1:], paths_m=()), tmp_path / "rig.html")
    assert "All 1 gates passed" in page.read_text(encoding="utf-8")
