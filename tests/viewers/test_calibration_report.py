"""The page of a calibration: everything that a reader needs is on it, and it is valid and harmless."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
from mocap3d.viewers.calibration_report import write_calibration_report
from rigs_of_cameras import ring

from mocap3d.calibration import Calibration, ViewFit
from mocap3d.cameras.gates import Gate

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
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data + " "


def test_everything_is_on_the_page(tmp_path):
    """Catches a gate without its sentence, a camera that is missing from above, and names taken for tags."""
    page = write_calibration_report(calibration(), tmp_path / "rig.html").read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(page)
    assert not [tag for tag in seen.tags if tag.startswith(("cam", "squares", "note", "script", "link", "img"))]
    for said in ("1 of 2 gates failed", "correct the <squares>", "a <note>", "1.25", "1234", "50%", "left cut off"):
        assert said in seen.text
    svg = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    assert [text.text.split(",")[0] for text in svg.iter("text")] == ["<cam0>", "<cam1>", "<cam2>"]
    assert "nan" not in page[page.index("<svg") : page.index("</svg>")]
    x0, y0, width, height = (float(v) for v in svg.get("viewBox").split())
    for dot in svg.iter("circle"):
        assert x0 < float(dot.get("cx")) < x0 + width
        assert y0 < float(dot.get("cy")) < y0 + height


def test_cameras_stand_where_they_are(tmp_path):
    """Catches a view from below, in which left and right are exchanged."""
    made = calibration()
    page = write_calibration_report(made, tmp_path / "rig.html").read_text(encoding="utf-8")
    svg = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    for dot, camera in zip(svg.iter("circle"), made.cameras, strict=True):
        place = camera.world_from_cam[:3, 3]
        np.testing.assert_allclose([float(dot.get("cx")), float(dot.get("cy"))], place[[0, 2]], atol=1e-3)


def test_a_good_one_without_people(tmp_path):
    """Catches a page that needs somebody who walked."""
    page = write_calibration_report(calibration(gates=GATES[1:], paths_m=()), tmp_path / "rig.html")
    assert "All 1 gates passed" in page.read_text(encoding="utf-8")
