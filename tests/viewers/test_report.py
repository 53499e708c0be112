"""The report of a clip without a browser's help: what stands in the file, and what does not."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from captured_clips import FIRST, STOP, take, walk
from mocap3d.viewers.captures.people import people_of_clip
from mocap3d.viewers.report import write_report
from mocap3d.viewers.report.key_frames import choose_frames
from videos import WALK

import mocap3d
from mocap3d import weights
from mocap3d.cameras.video import open_video
from mocap3d.quality.animation import FIGURES


class Page(HTMLParser):
    """Elements by tag, with their attributes and the text in them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found = {}
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        element = {"attributes": dict(attributes), "text": ""}
        self.found.setdefault(tag, []).append(element)
        self.open.append((tag, element))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for _, element in self.open:
            element["text"] += data


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The report of a piece of the demo clip."""
    return write_report(walk(), tmp_path_factory.mktemp("report") / "walk.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    """The same, taken apart."""
    return Page(text)


def test_figures_settings_notes_licences_are_text(page):
    """Catches a page that says nothing without its program, or numbers of something else."""
    (person,) = walk().summary()["people"]
    shown = {
        td["attributes"]["data-figure"]: td["text"] for td in page.found["td"] if "data-figure" in td["attributes"]
    }
    expected = {one.name: one.shown(person["quality"][one.name]) for one in FIGURES}
    assert shown == {name: told for name, told in expected.items() if told is not None}
    (body,) = page.found["body"]
    for word in ("height, m", "1.65", "movenet_thunder", "Apache-2.0", "numpy", mocap3d.__version__):
        assert word in body["text"], word
    assert [code["text"] for code in page.found["code"]] == [
        weights.sha256(name)[:12] for name in ("movenet_multipose", "movenet_thunder", "lifter")
    ]


def test_nothing_is_asked_for(text, page):
    """Catches an address that a browser would follow, and a program that may do more than the one that came along."""
    for elements in page.found.values():
        for element in elements:
            for name in ("src", "href", "action", "poster", "srcset"):
                assert element["attributes"].get(name, "data:").startswith("data:")
    (policy,) = [one["attributes"]["content"] for one in page.found["meta"] if "http-equiv" in one["attributes"]]
    assert policy.startswith("default-src 'none';")
    assert "unsafe-inline" not in policy.split("script-src")[1]
    assert len(page.found["script"]) == 2
    assert not re.search(r"@import|url\(", "".join(style["text"] for style in page.found["style"]))
    assert len(text) < 2_000_000


def test_the_player_has_the_motion(page):
    """Catches places of other joints or frames, and a mannequin that is not in the page."""
    data = json.loads(page.found["script"][0]["text"])
    manifest = data["manifest"]
    assert (manifest["kind"], manifest["frames"], manifest["video"]) == (
        "report",
        STOP - FIRST,
        {"start": FIRST, "step": 1},
    )
    stored = data["arrays"]["0.world"]
    places = np.frombuffer(base64.b64decode(stored["base64"]), "<f4").reshape(stored["shape"])
    assert np.allclose(places, mocap3d.forward(walk().motion)[0], atol=1e-6)
    assert base64.b64decode(data["files"][manifest["people"][0]["mannequin"]])[:4] == b"glTF"


def test_key_frames_show_the_joints_where_they_were_seen(page):
    """Catches a picture of another frame, or joints that are shifted against it."""
    pose = walk().performances[0].pose2d
    (video,) = [open_video(WALK, start=FIRST, stop=STOP)]
    frames = list(video)
    pictures = [svg for svg in page.found["svg"] if "data-frames" not in svg["attributes"]]
    images, captions = page.found["image"], [one["text"] for one in page.found["figcaption"]]
    assert 3 <= len(images) <= 4
    for image, caption, svg in zip(images, captions, pictures, strict=False):
        frame = int(re.match(r"frame (\d+)", caption)[1])
        left, top, width, height = (int(image["attributes"][name]) for name in ("x", "y", "width", "height"))
        assert svg["attributes"]["viewbox"] == f"{left} {top} {width} {height}"
        jpeg = base64.b64decode(image["attributes"]["href"].split(",")[1])
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(float)
        cut = [one[top : top + height, left : left + width] for one in frames]
        sizes = [cv2.resize(one, shown.shape[1::-1], interpolation=cv2.INTER_AREA) for one in cut]
        assert int(np.argmin([np.abs(one - shown).mean() for one in sizes])) == frame
    dots = np.array([[float(dot["attributes"][k]) for k in ("cx", "cy")] for dot in page.found["circle"][:17]])
    first = int(re.match(r"frame (\d+)", captions[0])[1])
    assert np.allclose(dots, pose.xy_px[first] + 0.5, atol=0.06)  # (0, 0) is the centre of a pixel, in SVG its corner


def test_key_frames_are_different_and_the_worst_is_among_them():
    """Catches four pictures of the same, and a report that hides where the body does not fit."""
    clip = walk()
    (person,) = people_of_clip(clip)
    one = clip.performances[0]
    xy_px = one.pose2d.xy_px.copy()
    xy_px[17] += 60.0
    odd = replace(one.pose2d, xy_px=xy_px)
    chosen = dict(choose_frames(person, odd, clip.cameras[0]))
    assert chosen[17].startswith("fits worst")
    assert len(chosen) == 4
    blind = replace(odd, xy_px=np.full_like(xy_px, np.nan), confidence=np.zeros_like(odd.confidence))
    assert choose_frames(person, blind, clip.cameras[0]) == []


def test_bones_are_drawn_inside_the_picture(page):
    """Catches a figure outside its frame, upside down, or with bones missing."""
    strips = [svg for svg in page.found["svg"] if "." in svg["attributes"].get("viewbox", "")]
    paths = [
        path["attributes"] for path in page.found["path"] if path["attributes"].get("class", "").startswith("bone ")
    ]
    drawn = [one["d"] for one in paths if "stroke-width" not in one]
    assert (len(strips), len(drawn)) == (3, 9)
    figures = len(range(0, STOP - FIRST, 10))
    for n, strip in enumerate(strips):
        left, top, width, height = map(float, strip["attributes"]["viewbox"].split())
        numbers = np.array(re.findall(r"-?\d+\.\d+", "".join(drawn[3 * n : 3 * n + 3])), float).reshape(-1, 4)
        assert len(numbers) == 21 * figures
        assert (numbers[:, [0, 2]] >= left).all()
        assert (numbers[:, [0, 2]] <= left + width).all()
        assert (numbers[:, [1, 3]] >= top).all()
        assert (numbers[:, [1, 3]] <= top + height).all()
        if n == 0:  # y points down: the head is above the floor
            assert numbers[:, [1, 3]].min() < -1.2
            assert numbers[:, [1, 3]].max() < 0.2


def test_names_cannot_break_the_page(tmp_path):
    """Catches a name that is taken for markup, in the text or in the data of the player."""
    hostile = "</script><script>alert(1)</script><b onclick='x'>&\"\u2028"
    clip = walk()
    skeleton = clip.motion.rig.skeleton
    odd = replace(clip, source=Path(f"{hostile.replace('/', '')}.mp4"), notes=(hostile,), settings={hostile: [hostile]})
    page = Page(write_report(odd, tmp_path / "odd.html").read_text(encoding="utf-8"))
    assert len(page.found["script"]) == 2
    assert "b" not in page.found
    assert hostile in [item["text"] for item in page.found["li"]]
    data = page.found["script"][0]["text"]
    assert skeleton.joint_names[0] in data
    assert "<" not in data  # a comment in it would hide the end of the script from browsers


def test_a_clip_of_several_cameras(tmp_path):
    """Catches a report that knows one camera only, or networks that the clip did not use."""
    page = Page(write_report(take(tmp_path), tmp_path / "take.html").read_text(encoding="utf-8"))
    (body,) = page.found["body"]
    assert "seen by 3 cameras" in body["text"]
    captions = [one["text"] for one in page.found["figcaption"] if ": cam" in one["text"]]
    assert [caption.split(": ")[1] for caption in captions] == ["cam0", "cam1", "cam2"]
    assert len({caption.split(",")[0] for caption in captions}) == 1  # one moment


def test_a_video_that_is_gone(tmp_path):
    """Catches a report that fails for want of pictures, or does not say why there are none."""
    gone = replace(walk(), source=tmp_path / "gone.mp4")
    page = Page(write_report(gone, tmp_path / "gone.html").read_text(encoding="utf-8"))
    assert "image" not in page.found
    assert any("no pictures here: there is no file" in item["text"] for item in page.found["li"])


def test_long_clips_stay_small(tmp_path, monkeypatch):
    """Catches a page that grows with every frame, and a player whose time then runs differently."""
    monkeypatch.setattr("mocap3d.viewers.report.player._MOST_FRAMES", 10)
    clip = walk()
    page = Page(write_report(clip, tmp_path / "long.html").read_text(encoding="utf-8"))
    data = json.loads(page.found["script"][0]["text"])
    assert (data["manifest"]["frames"], data["manifest"]["fps"], data["manifest"]["video"]["step"]) == (8, 10.0, 3)
    stored = data["arrays"]["0.world"]
    places = np.frombuffer(base64.b64decode(stored["base64"]), "<f4").reshape(stored["shape"])
    assert np.allclose(places, mocap3d.forward(clip.motion)[0][::3], atol=1e-6)


def test_a_checkout_without_the_page(tmp_path, monkeypatch):
    """Catches a traceback where nobody has built the viewer's page."""
    monkeypatch.setattr("mocap3d.viewers.report.page._PAGE", tmp_path)
    with pytest.raises(mocap3d.InputError, match="npm ci"):
        write_report(walk(), tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written(tmp_path):
    """Catches a traceback for a missing folder."""
    with pytest.raises(mocap3d.InputError, match="cannot write"):
        write_report(walk(), tmp_path / "no" / "page.html")
