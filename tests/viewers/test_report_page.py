"""A report opened from disk in a browser: it plays, leads to frames, and asks nobody for anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from captured_clips import FIRST, STOP, walk
from mocap3d.viewers.report import write_report


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a piece of the demo clip."""
    return write_report(walk(), tmp_path_factory.mktemp("report") / "walk report.html")


@pytest.fixture
def opened(browser_page: Any, file: Path) -> Any:
    """The page, its player drawn."""
    browser_page.page.goto(file.as_uri())
    browser_page.wait_for("window.mocap3d?.player().drawn > 0")
    return browser_page


def frame(opened: Any) -> int:
    """Where the player is."""
    return int(opened.page.evaluate("window.mocap3d.player().frame"))


def test_it_opens_from_disk_and_asks_for_nothing(opened, file):
    """Catches a request to a server or for another file, and a program that the page's own policy stops."""
    assert opened.requests == [file.as_uri()]
    assert opened.page.title().startswith("walk.mp4")
    opened.page.keyboard.press("End")  # scrolls the page
    opened.wait_for("scrollY > 500")
    assert frame(opened) == 0
    opened.page.get_by_label("Play (Space)").press(" ")
    opened.wait_for("!window.mocap3d.player().playing && window.mocap3d.player().frame > 0")
    assert frame(opened) == STOP - FIRST - 1
    before = opened.page.evaluate("window.mocap3d.player().drawn")
    opened.page.get_by_label("Mannequin").check()
    opened.wait_for(f"window.mocap3d.player().drawn > {before}")
    opened.wait_for("window.mocap3d.mannequin()")


def test_pictures_and_plots_lead_to_their_frame(opened):
    """Catches a click that leads elsewhere, and a picture that only a mouse can use."""
    figure = opened.page.locator("[data-frame]").nth(1)
    figure.focus()
    opened.page.keyboard.press("Enter")
    assert frame(opened) == int(figure.get_attribute("data-frame"))
    box = opened.page.locator("#mocap3d-player").bounding_box()
    assert -1 < box["y"] <= 720 - box["height"]  # the player comes into view
    plot = opened.page.locator("svg[data-frames]").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    wide = box["width"] * (1 - 46 / 640)
    plot.click(position={"x": box["width"] - wide / 2, "y": 30})
    assert abs(frame(opened) - 11.5) <= 1
    cursor = plot.locator(".cursor").get_attribute("d")
    assert 46 < float(cursor[1:].split()[0]) < 640


def test_it_can_be_read_without_javascript(chromium, file):
    """Catches a page whose text and numbers only a program would write."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(file.as_uri())
    text = page.locator("body").inner_text()
    for word in ("walk.mp4", "needs JavaScript", "foot skate", "Networks and licences", "Apache-2.0", "frame "):
        assert word in text
    assert page.locator("svg image").first.bounding_box()["height"] > 200
    context.close()


def test_on_paper(opened):
    """Catches ink for a player that cannot play there, and light text on white where somebody has chosen dark."""
    opened.page.get_by_label("Dark or light").click()
    opened.page.get_by_label("Dark or light").click()
    assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"
    opened.page.emulate_media(media="print")
    assert not opened.page.locator("#mocap3d-player").is_visible()
    ink = opened.page.locator("h1").first.evaluate("node => getComputedStyle(node).color")
    assert max(int(part) for part in re.findall(r"\d+", ink)) < 64


def test_a_long_clip_of_which_the_player_has_every_third_frame(browser_page, tmp_path, monkeypatch):
    """Catches pictures and plots that count frames as the player does, or the other way around."""
    monkeypatch.setattr("mocap3d.viewers.report.player._MOST_FRAMES", 10)
    browser_page.page.goto(write_report(walk(), tmp_path / "long.html").as_uri())
    browser_page.wait_for("window.mocap3d?.player().drawn > 0")
    figure = browser_page.page.locator("[data-frame]").nth(1)
    figure.click()
    assert frame(browser_page) == round(int(figure.get_attribute("data-frame")) / 3)
    plot = browser_page.page.locator("svg[data-frames]").first
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] - 1, "y": 30})
    assert frame(browser_page) == 7  # 24 frames, every third
