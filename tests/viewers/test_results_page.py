"""The page of results, driven in a browser: what it shows is compared with the file, by an oracle of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mocap3d.viewers.results import ResultsShow
from results_files import H17, errors_in_file_mm, ring_of_cameras, through_lens, write_results

MODELS = ["causal", "plain"]  # in the order of the file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, three takes, four cameras."""
    return write_results(tmp_path_factory.mktemp("page") / "results.h5")


@pytest.fixture
def opened(browser_page: Any, serving: Callable[..., str], file: Path) -> Any:
    """The page with the first picture drawn: S11, walking_1, camera 50138969, frame 0."""
    browser_page.page.goto(serving([ResultsShow([file])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    return browser_page


def text(opened: Any, selector: str) -> str:
    """What stands in an element."""
    return str(opened.page.locator(selector).first.inner_text())


def at_frame(opened: Any, frame: int) -> None:
    """Wait until a frame is drawn."""
    opened.wait_for(f"window.mocap3d.drawnFrame === {frame} && window.mocap3d.state.frame === {frame}")


def state(opened: Any) -> dict[str, Any]:
    """What the page says of itself."""
    return dict(opened.page.evaluate("window.mocap3d.state"))


def tab(opened: Any, name: str) -> None:
    """Open a tab of the side panel."""
    opened.page.get_by_role("tab", name=name).click()


def judged(opened: Any) -> None:
    """Wait until every take and camera is measured."""
    opened.wait_for("(([done, total]) => done === total)(window.mocap3d.scored)")


def test_numbers_are_those_of_the_file(opened, file):
    """Catches numbers of another model, frame, camera, joint or unit, and means over the wrong frames."""
    opened.wait_for("document.querySelectorAll('.legend .take')[3].textContent !== '–'")
    for number, model in enumerate(MODELS):
        errors = errors_in_file_mm(file, "S11", "walking_1", model, "50138969")
        assert text(opened, f"[data-model='{number}'] .now") == f"{errors[0].mean():.1f}"
        assert text(opened, f"[data-model='{number}'] .take") == f"{errors.mean():.1f}"
    causal = errors_in_file_mm(file, "S11", "walking_1", "causal", "50138969")
    shown = [text(opened, f"[data-joint='{j}'] .mm") for j in range(17)]
    assert shown == [f"{mm:.1f}" for mm in causal[0]]
    assert text(opened, "[data-joint='3'] .name") == "right ankle"


def test_bars_are_as_long_as_the_errors(opened, file):
    """Catches bars that do not follow the frame."""
    opened.page.get_by_label("Frame number").fill("33")
    opened.page.keyboard.press("Enter")
    at_frame(opened, 33)
    errors = errors_in_file_mm(file, "S11", "walking_1", "causal", "50138969")[33]
    widths = opened.page.evaluate(
        "[...document.querySelectorAll('.joint .fill')].map((bar) => parseFloat(bar.style.width))"
    )
    assert widths == pytest.approx(np.minimum(errors / 120, 1) * 100, abs=0.1)


def test_play_and_hold(opened):
    """Catches a player that stands still, runs at another speed, or does not stop."""
    opened.page.get_by_label("Play (Space)").click()
    opened.wait_for("window.mocap3d.drawnFrame > 10")
    opened.page.get_by_label("Play (Space)").click()
    held = state(opened)
    assert not held["playing"]
    opened.page.wait_for_timeout(150)
    assert state(opened)["frame"] == held["frame"]
    opened.page.get_by_label("Speed").select_option("4")
    opened.page.get_by_label("Play (Space)").click()
    opened.wait_for("!window.mocap3d.state.playing")
    assert state(opened)["frame"] == 79
    at_frame(opened, 79)


@pytest.mark.parametrize("speed", ["0.25", "4"])
def test_the_speed_is_the_one_that_was_chosen(opened, speed):
    """Catches a choice of speed that changes nothing; 50 frames are a second."""
    opened.page.get_by_label("Speed").select_option(speed)
    opened.page.evaluate("window.began = performance.now()")
    opened.page.get_by_label("Play (Space)").click()
    opened.wait_for("window.mocap3d.state.frame >= 10")
    frame, seconds = opened.page.evaluate("[window.mocap3d.state.frame, (performance.now() - window.began) / 1000]")
    assert frame <= seconds * 50 * float(speed) + 1
    if speed == "4":
        opened.wait_for("!window.mocap3d.state.playing")
        assert opened.page.evaluate("performance.now() - window.began") < 4000  # 400 ms where nothing else runs


def test_scrubbing(opened):
    """Catches a slider that shows another frame than it stands on."""
    slider = opened.page.get_by_label("Frame", exact=True)
    box = slider.bounding_box()
    opened.page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=7)
    opened.page.mouse.up()
    frame = int(slider.input_value())
    assert 35 <= frame <= 44
    at_frame(opened, frame)


def test_a_click_on_the_plot_goes_to_the_frame(opened, file):
    """Catches a plot whose axis is not that of the frames."""
    x = opened.page.evaluate("window.mocap3d.xOf(61)")
    opened.page.locator(".plot").click(position={"x": x, "y": 40})
    at_frame(opened, 61)
    errors = errors_in_file_mm(file, "S11", "walking_1", "plain", "50138969")
    assert text(opened, "[data-model='1'] .now") == f"{errors[61].mean():.1f}"
    assert f"plain {errors[61].mean():.1f}" in text(opened, ".plot-note")
    for frame in (79, 0):  # to the very ends
        x = opened.page.evaluate(f"window.mocap3d.xOf({frame})")
        opened.page.locator(".plot").click(position={"x": x, "y": 40})
        at_frame(opened, frame)


def test_the_plot_shows_one_joint_too(opened, file):
    """Catches a curve that stays that of all joints."""
    opened.page.get_by_label("Error over time", exact=True).select_option(label="left wrist")
    wrist = H17.index("left_wrist")
    errors = errors_in_file_mm(file, "S11", "walking_1", "plain", "50138969")[20, wrist]
    opened.page.wait_for_timeout(300)
    opened.page.locator(".plot").hover(position={"x": opened.page.evaluate("window.mocap3d.xOf(20)"), "y": 40})
    assert "frame 20 · causal" in text(opened, ".plot-note")
    assert f"plain {errors:.1f}" in text(opened, ".plot-note")


def test_another_camera_has_other_predictions(opened, file):
    """Catches numbers that stay those of the first camera."""
    opened.page.get_by_label("Camera", exact=True).select_option(label="52138969")
    opened.wait_for("window.mocap3d.drawnFrame === 0")
    errors = errors_in_file_mm(file, "S11", "walking_1", "plain", "52138969")
    assert text(opened, "[data-model='1'] .now") == f"{errors[0].mean():.1f}"
    assert "52138969" in text(opened, ".picture figcaption")


def test_reprojection_is_told(opened, file):
    """Catches a distance between pixels of different cameras, joints or models."""
    camera = ring_of_cameras()[0]
    with h5py.File(file) as results:
        take = results["sequences/S11/walking_1"]
        seen = take["views/50138969/noisy/xy_px"][0]
        found = take["predictions/plain/50138969/xyz_m"][0].astype(float)
    opened.page.get_by_role("button", name="plain").click()
    opened.wait_for("document.querySelector('.reprojection').textContent !== '– px'")
    expected = np.linalg.norm(through_lens(camera, found) - seen, axis=1).mean()
    opened.wait_for("window.mocap3d.state.focus === 1")
    opened.page.wait_for_timeout(200)
    assert text(opened, ".reprojection") == f"{expected:.1f} px"


@pytest.mark.parametrize("number", [0, 3])
def test_through_the_camera_joints_lie_on_their_pixels(opened, file, number):
    """Catches a view through a camera without its distortion, principal point, place, or half pixel."""
    opened.page.get_by_label("Camera", exact=True).select_option(str(number))
    opened.page.get_by_label("Through the camera").check()
    opened.page.get_by_label("Frame number").fill("17")
    opened.page.keyboard.press("Enter")
    at_frame(opened, 17)
    with h5py.File(file) as results:
        truth = results["sequences/S11/walking_1/xyz_m"][17].astype(float)
    pixels = through_lens(ring_of_cameras()[number], truth)
    width, height = opened.page.evaluate("window.mocap3d.stage.size")
    scale = min(width / 1000, height / 1002)
    corner = np.array([(width - 1000 * scale) / 2, (height - 1002 * scale) / 2])
    for joint in range(17):
        shown = opened.page.evaluate(f"window.mocap3d.jointOnScreen(null, {joint})")
        np.testing.assert_allclose(shown, corner + (pixels[joint] + 0.5) * scale, atol=0.1)


def test_worst_frames_go_where_they_say(opened, file):
    """Catches a list that is not of the worst, or leads to another take, camera or frame."""
    judged(opened)
    tab(opened, "Worst")
    opened.page.locator(".worst .frames button").first.click()
    takes = [("S11", "walking_1"), ("S9", "eating_2"), ("S9", "walking_1")]
    found = {
        (subject, action, f"5{c}138969"): errors_in_file_mm(file, subject, action, "causal", f"5{c}138969").mean(axis=1)
        for subject, action in takes
        for c in range(4)
    }
    key = max(found, key=lambda one: found[one].max())
    opened.wait_for(f"window.mocap3d.drawnFrame === {found[key].argmax()}")
    now = state(opened)
    assert (now["subject"], now["action"], now["cameraName"]) == key
    assert text(opened, "[data-model='0'] .now") == f"{found[key].max():.1f}"
    worst = max(found, key=lambda one: found[one].mean())
    assert text(opened, ".worst .sequences button").split() == [*worst, f"{found[worst].mean():.1f}"]
    opened.page.get_by_role("button", name="plain").click()  # the list is of that model now
    worst_mm = max(errors_in_file_mm(file, *key[:2], "plain", key[2]).mean(axis=1).max() for key in found)
    assert text(opened, ".worst .frames button").split()[-1] == f"{worst_mm:.1f}"


def test_the_table_by_action_and_its_order(opened, file):
    """Catches means over takes instead of frames, rows of another model, and a click that sorts by another column."""
    judged(opened)
    tab(opened, "Actions")
    errors = {
        action: np.concatenate([
            errors_in_file_mm(file, *take, "causal", f"5{c}138969").ravel() for take in takes for c in range(4)
        ])
        for action, takes in {
            "eating": [("S9", "eating_2")], "walking": [("S9", "walking_1"), ("S11", "walking_1")]
        }.items()
    }  # fmt: skip
    for action, all_errors in errors.items():
        cells = text(opened, f"[data-action='{action}']").split()
        assert cells[:2] == [action, f"{all_errors.mean():.1f}"]
        assert cells[5] == f"{100 * (all_errors < 150).mean():.1f}"
    average = np.mean([all_errors.mean() for all_errors in errors.values()])
    assert text(opened, ".actions tfoot tr").split()[:2] == ["Average", f"{average:.1f}"]
    order = sorted(errors, key=lambda action: -errors[action].mean())
    opened.page.locator("[data-sort='mpjpe_mm']").click()
    assert (
        opened.page.locator("tbody [data-action]").evaluate_all("rows => rows.map((row) => row.dataset.action)")
        == order
    )
    opened.page.locator("[data-sort='mpjpe_mm']").click()
    assert text(opened, "tbody [data-action]").split()[0] == order[-1]
    opened.page.get_by_label("Show", exact=True).select_option("mpjpe_mm")
    assert text(opened, ".actions thead").split() == ["Action", *MODELS]


def test_models_can_be_hidden_moved_apart_and_aligned(opened, file):
    """Catches layouts in which bodies stand elsewhere than they say, and a hidden model that is still drawn."""

    def pelvises() -> list[Any]:
        return opened.page.evaluate("[null, 0, 1].map((model) => window.mocap3d.jointOnScreen(model, 0))")

    def settle() -> None:
        opened.page.wait_for_timeout(250)

    over = pelvises()
    assert np.linalg.norm(np.subtract(over[0], over[2])) < 40
    opened.page.get_by_label("Bodies", exact=True).select_option("side")
    settle()
    side = pelvises()
    assert side[0][0] + 60 < side[1][0] < side[2][0] - 60
    opened.page.get_by_label("Bodies", exact=True).select_option("over")
    opened.page.get_by_label("Place", exact=True).select_option("root")
    settle()
    aligned = pelvises()
    assert aligned[0] == pytest.approx(aligned[1], abs=0.01)
    assert aligned[0] == pytest.approx(aligned[2], abs=0.01)
    opened.page.get_by_label("Show plain").uncheck()
    settle()
    assert pelvises()[2] is None
    assert text(opened, "[data-model='1'] .now") == "–"


def test_dark_and_light(opened):
    """Catches a theme that changes only half of the page."""

    def colours() -> list[str]:
        return opened.page.evaluate(
            "[document.body, document.querySelector('.side')].map((node) => getComputedStyle(node).backgroundColor)"
            ".concat(window.mocap3d.stage.scene.background.getStyle())"
        )

    def lightness(colour: str) -> float:
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3

    assert all(lightness(colour) < 60 for colour in colours())
    opened.page.get_by_label("Dark or light").click()
    assert all(lightness(colour) > 200 for colour in colours())
    opened.page.reload()
    opened.wait_for("window.mocap3d?.drawnFrame === 0")
    assert lightness(colours()[0]) > 200  # it is remembered


def test_everything_fits(opened):
    """Catches a page that scrolls, or cuts controls off, at 1280x720."""
    assert opened.page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]") == [1280, 720]
    cut = opened.page.evaluate(
        "[...document.querySelectorAll(':is(.top, .options, .timeline, .legend, .joints) *')].filter((node) => {"
        "const box = node.getBoundingClientRect();"
        "return box.width && (box.right > 1281 || box.bottom > 721 || box.left < 0 || box.top < 0); }).length"
    )
    assert cut == 0
    panel = opened.page.locator(".panel").first
    assert panel.evaluate("node => node.scrollHeight - node.clientHeight") <= 1  # all 17 joints without scrolling


def test_terms_are_explained(opened):
    """Catches a word of the field that only its friends know, or an explanation that needs a mouse."""
    opened.page.locator(".legend .term").first.focus()
    opened.page.keyboard.press("Shift+Tab")
    opened.page.keyboard.press("Tab")
    assert "mean distance of a joint" in text(opened, ".tip")
    opened.page.keyboard.press("?")
    dialog = opened.page.get_by_role("dialog")
    assert dialog.get_by_text("Page Up, Page Down").is_visible()
    keys, meanings = (dialog.locator(tag).all_inner_texts() for tag in ("dt", "dd"))
    assert dict(zip(keys, meanings, strict=True))["w"] == "next of the worst frames"
    assert dialog.evaluate("node => node.scrollTop") == 0
    assert "[object" not in dialog.inner_text()
    opened.page.keyboard.press("Escape")
    assert not opened.page.get_by_role("dialog").is_visible()


def test_a_graphics_failure_is_said(browser_page, serving, file):
    """Catches an empty page where the browser has no WebGL."""
    browser_page.page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    browser_page.page.goto(serving([ResultsShow([file])]))
    browser_page.wait_for("document.querySelector('.message.failed')?.textContent.includes('went wrong')")
    browser_page.page.wait_for_timeout(500)  # for what the browser itself says of it
    browser_page.complaints.clear()


def test_a_damaged_model_leaves_the_others(browser_page, serving, tmp_path):
    """Catches one damaged prediction that keeps all others from the screen, or is asked for again and again."""
    path = write_results(tmp_path / "results.h5")
    with h5py.File(path, "a") as results:
        group = results["sequences/S11/walking_1/predictions/causal/50138969"]
        del group["xyz_m"]
        group["xyz_m"] = np.zeros((3, 20, 3), np.float32)
    browser_page.page.goto(serving([ResultsShow([path])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    errors = errors_in_file_mm(path, "S11", "walking_1", "plain", "50138969")
    assert text(browser_page, "[data-model='1'] .now") == f"{errors[0].mean():.1f}"
    assert "must be" in text(browser_page, ".message")
    assert "/api/" not in text(browser_page, ".message")
    assert state(browser_page)["hidden"] == [0]
    assert len([url for url in browser_page.requests if "found.0.0.0" in url]) == 1
    browser_page.page.wait_for_timeout(200)
    browser_page.complaints.clear()  # the browser says itself that an answer was an error


def test_another_detector_can_be_chosen(browser_page, serving, tmp_path):
    """Catches a file with two detectors of which only the first can be looked at."""
    path = write_results(tmp_path / "results.h5")
    with h5py.File(path, "a") as results:
        take = results["sequences/S11/walking_1"]
        views = take["views/50138969"]
        views.copy("noisy", "zero")
        views["zero/xy_px"][...] += 30
    browser_page.page.goto(serving([ResultsShow([path])]))
    browser_page.wait_for("document.querySelector('.reprojection')?.textContent.match(/[0-9] px/)")
    near = float(text(browser_page, ".reprojection").split()[0])
    browser_page.page.get_by_label("2D joints by").select_option(label="zero")
    browser_page.wait_for(f"parseFloat(document.querySelector('.reprojection').textContent) > {near + 15}")
    assert "zero" in text(browser_page, ".picture figcaption")


def test_the_eye_comes_back_from_the_camera(opened):
    """Catches a view that stays where the camera stands, with the person out of sight."""
    before = opened.page.evaluate("window.mocap3d.eye()")
    opened.page.keyboard.press("v")
    opened.page.wait_for_timeout(150)
    assert opened.page.evaluate("window.mocap3d.eye()") != pytest.approx(before, abs=0.1)
    opened.page.keyboard.press("v")
    opened.page.wait_for_timeout(150)
    assert opened.page.evaluate("window.mocap3d.eye()") == pytest.approx(before, abs=1e-6)


def test_data_without_models_and_cameras(browser_page, serving, tmp_path):
    """Catches a page that only opens with everything there."""
    path = write_results(tmp_path / "data.h5", models=[], cameras=0)
    browser_page.page.goto(serving([ResultsShow([path])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    for key in ("v", "c", "o", "r", "t", "w", "End", "]"):
        browser_page.page.keyboard.press(key)
    browser_page.wait_for("window.mocap3d.drawnFrame === 0 && window.mocap3d.state.take === 1")
    assert "No model" in text(browser_page, ".legend")
    assert not browser_page.page.get_by_label("Camera", exact=True).is_visible()
