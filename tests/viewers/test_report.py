import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from mocap3d.viewers.report import write_report

import mocap3d
from mocap3d import examples


@pytest.fixture(scope="module")
def clip() -> mocap3d.Clip:
    return mocap3d.capture(examples.path("walk.mp4"), cameras=examples.path("walk.toml"), start=40, stop=70)


def lines_of(svg):
    """(x1, y1, x2, y2) of every bone of a drawing."""
    bones = [line for line in svg.iter("line") if "bone" in line.get("class", "")]
    return np.array([[float(line.get(name)) for name in ("x1", "y1", "x2", "y2")] for line in bones])


def test_draws_every_bone_inside_the_picture(clip, tmp_path):
    """Catches a figure outside its frame, upside down, or with bones missing."""
    page = write_report(clip, tmp_path / "walk.html").read_text(encoding="utf-8")
    drawings = [ET.fromstring("<svg" + part.split("</svg>")[0] + "</svg>") for part in page.split("<svg")[1:]]
    assert len(drawings) == 3
    figures = len(range(0, len(clip.motion), 10))
    for drawing in drawings:
        left, top, width, height = map(float, drawing.get("viewBox").split())
        bones = lines_of(drawing)
        assert len(bones) == 21 * figures
        assert (bones[:, [0, 2]] >= left).all()
        assert (bones[:, [0, 2]] <= left + width).all()
        assert (bones[:, [1, 3]] >= top).all()
        assert (bones[:, [1, 3]] <= top + height).all()
    heads_up = lines_of(drawings[0])[:, [1, 3]]
    assert heads_up.min() < -1.2  # y points down: the head is above the floor
    assert heads_up.max() < 0.2


def test_names_cannot_break_the_page(clip, tmp_path):
    """Catches a file name that is taken for markup."""
    odd = dataclasses.replace(clip, source=Path("<b>&.mp4"), notes=("a < b",))
    page = write_report(odd, tmp_path / "odd.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;.mp4" in page
    assert "a &lt; b" in page


def test_a_page_that_cannot_be_written(clip, tmp_path):
    """Catches a traceback for a missing folder."""
    with pytest.raises(mocap3d.InputError, match="cannot write"):
        write_report(clip, tmp_path / "no" / "page.html")
