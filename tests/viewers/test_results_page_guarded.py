"""The page of results without a mouse, and with names that would like to be scripts."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest
from mocap3d.viewers.results import ResultsShow
from results_files import write_results

BAD = '<img src=x onerror="window.hacked=1">'


@pytest.fixture
def keyboard(browser_page: Any, serving: Any, tmp_path: Any) -> Any:
    """The page, nothing clicked yet."""
    browser_page.page.goto(serving([ResultsShow([write_results(tmp_path / "results.h5")])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    return browser_page


def press(opened: Any, *keys: str) -> dict[str, Any]:
    """Press keys; what the page says then."""
    for key in keys:
        opened.page.keyboard.press(key)
    return dict(opened.page.evaluate("window.mocap3d.state"))


def test_keys_do_what_the_mouse_does(keyboard):
    """Catches an action that needs a mouse."""
    assert press(keyboard, "ArrowRight", "ArrowRight")["frame"] == 2
    assert press(keyboard, "ArrowLeft")["frame"] == 1
    assert press(keyboard, "Shift+ArrowRight")["frame"] == 11
    assert press(keyboard, "End")["frame"] == 79
    assert press(keyboard, "PageUp")["frame"] == 29
    assert press(keyboard, "Home")["frame"] == 0
    assert press(keyboard, "<")["speed"] == 0.5
    assert press(keyboard, "Space")["playing"]
    assert not press(keyboard, "Space")["playing"]
    assert press(keyboard, "c")["cameraName"] == "51138969"
    assert press(keyboard, "Shift+C")["cameraName"] == "50138969"
    assert press(keyboard, "v")["through"]
    assert not press(keyboard, "v")["through"]
    assert press(keyboard, "o")["layout"] == "side"
    assert press(keyboard, "r")["place"] == "root"
    assert press(keyboard, "t")["trails"]
    assert press(keyboard, "2")["hidden"] == [1]
    assert press(keyboard, "2")["hidden"] == []
    assert press(keyboard, "]")["action"] == "eating_2"
    assert press(keyboard, "[")["action"] == "walking_1"
    keyboard.wait_for("(([done, total]) => done === total)(window.mocap3d.scored)")
    assert press(keyboard, "w")["frame"] > 0


def test_keys_work_after_a_number_was_typed(keyboard):
    """Catches a field that keeps the focus after Enter, and swallows all keys from then on."""
    keyboard.page.get_by_label("Frame number").click()
    keyboard.page.keyboard.type("33")
    assert press(keyboard, "Enter")["frame"] == 33
    assert press(keyboard, "r")["place"] == "root"
    assert press(keyboard, "ArrowRight")["frame"] == 34


def test_trails_where_the_truth_is_not_known(browser_page, serving, tmp_path):
    """Catches trails through joints that nobody saw."""
    path = write_results(tmp_path / "results.h5")
    with h5py.File(path, "a") as file:
        take = file["sequences/S11/walking_1"]
        take["xyz_m"][20:30] = np.nan
        take["confidence"][20:30] = 0
    browser_page.page.goto(serving([ResultsShow([path])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    press(browser_page, "t")
    for frame in (25, 35):
        browser_page.page.get_by_label("Frame", exact=True).fill(str(frame))
        browser_page.wait_for(f"window.mocap3d.drawnFrame === {frame}")
    browser_page.page.wait_for_timeout(100)
    browser_page.check()


def test_every_control_is_reached_and_seen_by_tab(keyboard):
    """Catches a control that Tab passes by, or a focus that cannot be seen."""
    wanted = keyboard.page.evaluate(
        "[...document.querySelectorAll('button, select, input, [tabindex=\"0\"]')]"
        ".filter((node) => node.tabIndex >= 0 && node.checkVisibility()).length"
    )
    seen = set()
    for _ in range(wanted + 2):
        keyboard.page.keyboard.press("Tab")
        name, place, outline = keyboard.page.evaluate(
            "(() => { const node = document.activeElement; const style = getComputedStyle(node);"
            "const place = [...document.querySelectorAll('*')].indexOf(node);"
            "return [node.tagName, place, style.outlineStyle + style.outlineWidth]; })()"
        )
        if name != "BODY":  # the end of the page: it begins again
            assert outline == "solid2px", (name, outline)
            seen.add(place)
    assert len(seen) >= wanted


def test_controls_work_by_keyboard(keyboard):
    """Catches a control that Enter, Space or the arrows do not move."""
    keyboard.page.get_by_label("Action", exact=True).focus()
    keyboard.page.get_by_role("tab", name="Joints").focus()
    press(keyboard, "ArrowRight", "ArrowRight")
    assert keyboard.page.locator(".actions").is_visible()
    keyboard.wait_for("(([done, total]) => done === total)(window.mocap3d.scored)")
    keyboard.page.locator("[data-sort='mpjpe_mm']").focus()
    press(keyboard, "Enter")
    assert keyboard.page.locator("th[aria-sort=descending]").count() == 1
    assert keyboard.page.evaluate("document.activeElement.dataset.sort") == "mpjpe_mm"  # it keeps the focus
    keyboard.page.locator("[data-action='eating'] button").focus()
    assert press(keyboard, "Enter")["action"] == "eating_2"
    keyboard.page.get_by_label("Show plain").focus()
    assert press(keyboard, "Space")["hidden"] == [1]
    keyboard.page.locator("canvas.scene").focus()
    before = keyboard.page.evaluate("window.mocap3d.eye()")
    assert press(keyboard, "Shift+ArrowRight")["frame"] == 0
    assert keyboard.page.evaluate("window.mocap3d.eye()") != before


def test_names_run_no_script(browser_page, serving, tmp_path):
    """Catches a name from the file that becomes markup: of the file, a subject, take, camera, detector or model."""
    path = write_results(
        tmp_path / 'a"><script>window.hacked=1<script>.h5',
        models=[(BAD, 10.0), ("__proto__", 20.0), ("constructor", 30.0)],
        takes=[(BAD, BAD, 30), ("__proto__", "toString_1", 20), ("hasOwnProperty", "javascript:window.hacked=1", 20)],
        lifter_20=(),
        cameras=2,
    )
    with h5py.File(path, "a") as file:
        views = file[f"sequences/{BAD}/{BAD}/views"]
        for camera in views:
            views[camera].move("noisy", BAD)
        for parent in (file[f"cameras/{BAD}"], views, *file[f"sequences/{BAD}/{BAD}/predictions"].values()):
            parent.move("50138969", BAD)
    browser_page.page.goto(serving([ResultsShow([path])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    for number in (0, 1, 2):
        browser_page.page.keyboard.press("]")
        browser_page.wait_for(f"window.mocap3d.drawnFrame === 0 && window.mocap3d.state.take === {(number + 1) % 3}")
    browser_page.wait_for("(([done, total]) => done === total)(window.mocap3d.scored)")
    for name in ("Worst", "Actions"):
        browser_page.page.get_by_role("tab", name=name).click()
    browser_page.page.wait_for_timeout(200)
    words = browser_page.page.evaluate("document.body.innerText")
    assert BAD in words
    assert browser_page.page.evaluate("window.hacked ?? null") is None
    assert browser_page.page.locator("img, script:not([src])").count() == 0
