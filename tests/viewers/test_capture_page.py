"""The page of a capture, driven in a browser: frames, joints in the picture, numbers, rays, files to take away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from captured_clips import FIRST, STOP, take, turned, walk
from mocap3d.viewers.captures import CaptureShow, MotionShow, RigShow, open_capture
from videos import LENS

import mocap3d
from mocap3d.base.motion_edits import trimmed
from mocap3d.base.projection import project
from mocap3d.quality.animation import FIGURES

ARRAYS_2D = ("xy_px", "confidence")
ARRAYS_3D = ("xyz_m", "confidence", "std_m", "views")
SIDES = {"left": (0xD5, 0x5E, 0x00), "right": (0x00, 0x72, 0xB2)}


@pytest.fixture
def opened(browser_page: Any, serving: Callable[..., str]) -> Any:
    """The page of a piece of the demo clip, its first picture shown."""
    browser_page.page.goto(serving([CaptureShow(walk())]))
    shown(browser_page, FIRST)
    return browser_page


def shown(opened: Any, frame: int) -> None:
    """Wait until every camera shows a frame, and the stage has drawn it."""
    opened.wait_for(
        f"window.mocap3d?.pictures().every((one) => one.frame === {frame} && !one.pending) && "
        f"window.mocap3d.state.frame === {frame - FIRST}"
    )
    opened.page.wait_for_timeout(60)  # one more turn of drawing


def picture(opened: Any) -> tuple[np.ndarray, float, np.ndarray]:
    """What the first view shows, (H, W, 3) RGB; and where pixels of the camera lie on it: scale, (2,) shift."""
    data = opened.page.locator(".view").first.screenshot()
    box = opened.page.evaluate("window.mocap3d.pictures()[0].box")
    shot = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    return shot, box["scale"], np.array([box["x"], box["y"]])


def press(opened: Any, *keys: str) -> None:
    """Use the keyboard."""
    for key in keys:
        opened.page.keyboard.press(key)


def test_the_picture_is_of_the_frame(opened):
    """Catches a picture that lags behind the timeline, or is that of another frame of the video."""
    press(opened, "ArrowRight", "ArrowRight", "ArrowRight")
    shown(opened, FIRST + 3)
    asked = [url for url in opened.requests if "/pictures/" in url]
    assert asked[-1].endswith(f"/pictures/0/{FIRST + 3}.jpg")
    assert opened.page.locator(".view figcaption").inner_text() == f"walk · video frame {FIRST + 3}"
    press(opened, "End")
    shown(opened, STOP - 1)


def test_joints_are_drawn_where_they_were_seen(opened):
    """Catches an overlay that is shifted, scaled, mirrored, of another frame, or with sides exchanged."""
    press(opened, "PageUp", "ArrowRight")
    shown(opened, FIRST + 1)
    pose = walk().performances[0].pose2d
    opened.page.get_by_label("Body in the picture").uncheck()
    shot, scale, shift = picture(opened)
    names, sure = pose.skeleton.joint_names, pose.confidence[1]
    checked = 0
    for j, name in enumerate(names):
        side = SIDES.get(name.split("_")[0])
        alone = np.linalg.norm(pose.xy_px[1] - pose.xy_px[1, j], axis=1)
        if side is None or sure[j] < 0.7 or np.sort(alone)[1] < 14:  # another dot may lie on top
            continue
        x, y = np.floor((pose.xy_px[1, j] + 0.5) * scale + shift).astype(int)
        assert np.abs(shot[y, x] - side).max() < 90, (name, shot[y, x])
        checked += 1
    assert checked >= 5
    opened.page.get_by_role("checkbox", name="2D joints").uncheck()
    bare, _, _ = picture(opened)
    changed = np.argwhere(np.abs(bare - shot).max(axis=-1) > 60)[:, ::-1]  # where something was drawn
    dots = (pose.xy_px[1] + 0.5) * scale + shift
    assert np.abs(changed.min(axis=0) - dots.min(axis=0)).max() < 8
    assert np.abs(changed.max(axis=0) - dots.max(axis=0)).max() < 8


def test_joints_that_were_filled_in_are_hollow(browser_page, serving):
    """Catches guesses that look like what was seen."""
    clip = walk()
    (one,) = clip.performances
    sure = one.pose2d.confidence.copy()
    wrist = one.pose2d.skeleton.index("left_wrist")
    colours = []
    for confidence in (1.0, 0.0):
        sure[:, wrist] = confidence
        odd = replace(clip, performances=(replace(one, pose2d=replace(one.pose2d, confidence=sure)),))
        browser_page.page.goto(serving([CaptureShow(odd)]))
        shown(browser_page, FIRST)
        browser_page.page.get_by_label("Body in the picture").uncheck()
        shot, scale, shift = picture(browser_page)
        x, y = np.floor((one.pose2d.xy_px[0, wrist] + 0.5) * scale + shift).astype(int)
        colours.append(np.abs(shot[y, x] - SIDES["left"]).max())
    filled, hollow = colours
    assert filled < 40 < hollow


def test_cameras_stand_and_look_as_they_do(browser_page, serving, tmp_path):
    """Catches frusta that are mirrored, stand elsewhere, or open wider than the lens."""
    rig = take(tmp_path).rig
    browser_page.page.goto(serving([RigShow(rig, "rig.toml")]))
    browser_page.wait_for("window.mocap3d?.state.drawn > 0")
    for camera, lines in zip(rig, browser_page.page.evaluate("window.mocap3d.frusta()"), strict=True):
        ends_m = np.array(lines).reshape(-1, 2, 3)
        np.testing.assert_allclose(ends_m[:4, 0], np.tile(camera.world_from_cam[:3, 3], (4, 1)), atol=1e-5)
        seen = np.c_[ends_m[:4, 1], np.ones(4)] @ camera.cam_from_world[:3].T @ camera.K.T
        width, height = camera.size_wh_px
        corners_px = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
        np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], corners_px, atol=0.05)


def test_the_body_stands_on_the_stage_where_the_camera_sees_it(opened):
    """Catches a scene whose axes, place or lens differ from those of the picture."""
    press(opened, "v")
    opened.wait_for("window.mocap3d.state.through")
    opened.page.wait_for_timeout(200)
    (camera,), (world_m, _) = walk().cameras, mocap3d.forward(walk().motion)
    expected, _ = project(camera, world_m[0])
    places = np.array([opened.page.evaluate(f"window.mocap3d.place(0, {j})") for j in range(22)])
    scale = np.linalg.norm(np.diff(places[[0, 5]], axis=0)) / np.linalg.norm(np.diff(expected[[0, 5]], axis=0))
    off_px = (places - places.mean(axis=0)) / scale - (expected - expected.mean(axis=0))
    assert np.abs(off_px).max() < 2.0


def test_it_plays_and_is_scrubbed(opened):
    """Catches a player that stands still because it waits for pictures, or runs past the end."""
    press(opened, " ")
    opened.wait_for("window.mocap3d.state.frame > 5")
    opened.wait_for("!window.mocap3d.state.playing")
    shown(opened, STOP - 1)
    slider = opened.page.get_by_label("Frame", exact=True)
    slider.fill("7")
    shown(opened, FIRST + 7)


def test_a_quick_hand_on_the_slider(opened):
    """Catches every frame in between being decoded before the one that is wanted."""
    asked = len(opened.requests)
    opened.page.get_by_label("Frame", exact=True).evaluate(
        "node => { for (let k = 1; k <= 15; k += 1) { node.value = k; node.dispatchEvent(new Event('input')); } }"
    )
    shown(opened, FIRST + 15)
    pictures = [url.rsplit("/", 1)[1] for url in opened.requests[asked:] if "/pictures/" in url]
    assert pictures == [f"{FIRST + 1}.jpg", f"{FIRST + 15}.jpg"]


def test_keys_work_after_the_mouse(opened):
    """Catches a box or a slider that was clicked, and swallows all keys from then on."""
    opened.page.get_by_role("checkbox", name="2D joints").click()
    press(opened, "f")
    assert opened.page.evaluate("window.mocap3d.state.follow")
    opened.page.get_by_label("Frame", exact=True).click()
    press(opened, "v")
    assert opened.page.evaluate("window.mocap3d.state.through")
    press(opened, "?")
    dialog = opened.page.get_by_role("dialog")
    assert "mannequin or bones" in dialog.locator("dd").all_inner_texts()
    assert "slide while they should stand" in dialog.inner_text()
    assert "MPJPE" not in dialog.inner_text()  # that is a word of another page


def test_numbers_are_those_of_the_summary(opened):
    """Catches numbers of something else beside the right words."""
    (person,) = walk().summary()["people"]
    expected = {one.name: one.shown(person["quality"][one.name]) for one in FIGURES}
    cells = opened.page.locator("td[data-figure]")
    found = {cell.get_attribute("data-figure"): cell.inner_text() for cell in cells.all()}
    assert found == {name: text for name, text in expected.items() if text is not None}
    opened.page.locator(".term", has_text="foot skate").first.hover()
    assert "slide while they should stand" in opened.page.locator(".tip").inner_text()


def test_a_click_on_a_plot_goes_to_the_frame(opened):
    """Catches plots that lead elsewhere than where they were clicked."""
    plot = opened.page.locator("canvas.plot").first
    box = plot.bounding_box()
    plot.click(position={"x": 44 + (box["width"] - 52) * 0.5, "y": 20})
    opened.wait_for("window.mocap3d.state.frame > 0")
    frame = opened.page.evaluate("window.mocap3d.state.frame")
    assert abs(frame - 11.5) <= 1
    shown(opened, FIRST + frame)


def test_the_mannequin(opened):
    """Catches a mesh that is not loaded, or stays where it is when the body moves on."""
    press(opened, "m")
    opened.wait_for("window.mocap3d.mannequin(0)")
    before = opened.page.locator(".stage .stage > canvas").first.screenshot()
    press(opened, "End")
    shown(opened, STOP - 1)
    opened.page.wait_for_timeout(300)
    assert opened.page.locator(".stage .stage > canvas").first.screenshot() != before
    world_m, _ = mocap3d.forward(walk().motion)
    for frame in (STOP - FIRST - 1, 7):
        opened.page.get_by_label("Frame", exact=True).fill(str(frame))
        shown(opened, FIRST + frame)
        for name in ("leftHand", "rightFoot"):
            place_m = opened.page.evaluate(f"window.mocap3d.bone(0, '{name}')")
            np.testing.assert_allclose(place_m, world_m[frame, walk().motion.rig.skeleton.index(name)], atol=2e-3)
    press(opened, "m")
    opened.wait_for("!window.mocap3d.mannequin(0)")


def test_feet_that_stand_are_marked(opened):
    """Catches rings under feet in the air, or away from the foot."""
    motion = walk().motion
    world_m, _ = mocap3d.forward(motion)
    feet = [motion.rig.skeleton.index(f"{side}Foot") for side in ("left", "left", "right", "right")]
    states = set()
    for frame in (0, 6, 12, 18, STOP - FIRST - 1):
        opened.page.get_by_label("Frame", exact=True).fill(str(frame))
        shown(opened, FIRST + frame)
        rings = opened.page.evaluate("window.mocap3d.rings(0)")
        assert [ring is not None for ring in rings] == list(motion.contacts[frame] >= 0.5)
        states |= {tuple(ring is not None for ring in rings)}
        for ring, foot in zip(rings, feet, strict=True):
            if ring is not None:
                assert np.linalg.norm(np.subtract(ring, world_m[frame, foot])) < 0.25
    assert len(states) > 1


def test_files_are_made_by_the_buttons(opened, tmp_path):
    """Catches a button without a file behind it, and a preset that is not asked for."""
    opened.page.get_by_role("tab", name="Export").click()
    opened.page.get_by_label("For", exact=True).select_option("mixamo")
    with opened.page.expect_download() as waiting:
        opened.page.get_by_role("button", name=".bvh").click()
    download = waiting.value
    assert download.suggested_filename == "walk-mixamo.bvh"
    download.save_as(tmp_path / "walk.bvh")
    found = mocap3d.read(tmp_path / "walk.bvh", unit_m=0.01)
    assert len(found) == STOP - FIRST
    assert "mixamorig:Hips" in found.rig.skeleton.joint_names
    assert opened.page.get_by_role("button", name=".vrma").is_disabled()


def test_several_cameras(browser_page, serving, tmp_path):
    """Catches residuals of other joints or cameras, a camera without its pictures, a joint without rays."""
    clip = take(tmp_path)
    browser_page.page.goto(serving([CaptureShow(clip)]))
    shown(browser_page, FIRST)
    assert [one["name"] for one in browser_page.page.evaluate("window.mocap3d.pictures()")] == ["cam0", "cam1", "cam2"]
    browser_page.page.get_by_role("tab", name="Joints").click()
    names = clip.performances[0].pose3d.skeleton.joint_names
    row = browser_page.page.locator(".residuals tbody tr").nth(names.index("left_knee"))
    browser_page.wait_for("document.querySelector('.residuals td').textContent !== '–'")
    assert row.locator("td").all_inner_texts() == ["0.0", "3.0", "6.0"]
    row.get_by_role("button").press("Enter")
    browser_page.wait_for(f"window.mocap3d.state.joint === {names.index('left_knee')}")
    browser_page.wait_for("window.mocap3d.rays().length === 3")
    for camera, view, ray in zip(
        clip.rig, clip.performances[0].views, browser_page.page.evaluate("window.mocap3d.rays()"), strict=True
    ):
        np.testing.assert_allclose(ray[:3], camera.world_from_cam[:3, 3], atol=1e-5)
        end_px, _ = project(camera, np.array(ray[3:]))
        np.testing.assert_allclose(end_px, view.xy_px[0, names.index("left_knee")], atol=0.1)
    wrist = names.index("left_wrist")
    box = browser_page.page.evaluate("window.mocap3d.pictures()[0].box")
    x, y = (clip.performances[0].views[0].xy_px[0, wrist] + 0.5) * box["scale"] + [box["x"], box["y"]]
    browser_page.page.locator(".view canvas").first.click(position={"x": x, "y": y})
    browser_page.wait_for(f"window.mocap3d.state.joint === {wrist}")
    browser_page.page.locator("h1").click()
    press(browser_page, "c", "c")
    browser_page.wait_for("window.mocap3d.state.camera === '1'")
    shown(browser_page, FIRST)
    captions = browser_page.page.locator(".view figcaption").all_inner_texts()
    assert captions == [f"cam1 · video frame {FIRST - 3}"]
    press(browser_page, "End", "c")  # camera 2 had stopped by then: nothing is asked for that is not there
    shown(browser_page, STOP - 1)
    assert [one["image"] for one in browser_page.page.evaluate("window.mocap3d.pictures()")] == [False]


def test_several_people(browser_page, serving):
    """Catches numbers and bodies of the wrong person."""
    clip = walk()
    (one,) = clip.performances
    other = replace(one, person=2, motion=replace(one.motion, root_m=one.motion.root_m + [1.0, 0.0, 0.0]))
    browser_page.page.goto(serving([CaptureShow(replace(clip, performances=(one, other)))]))
    shown(browser_page, FIRST)
    heads = browser_page.page.locator(".panel:not([hidden]) .figures thead th").all_inner_texts()
    assert heads[1:] == ["person 1", "person 2"]
    browser_page.page.get_by_role("tab", name="Export").click()
    panel = browser_page.page.locator(".panel:not([hidden])")
    assert "Files hold person 1." in panel.inner_text()
    press(browser_page, "p", "p")
    assert "Files hold person 2." in panel.inner_text()
    browser_page.wait_for("window.mocap3d.state.person === '1'")
    assert browser_page.page.locator("td[data-figure]").count() == len(set(FIGURES)) - 1  # which joint: none


def test_shots(browser_page, serving):
    """Catches people of one shot who stand in the world of another, and a camera that stays where it was."""
    clip = walk()
    (one,), half = clip.performances, (STOP - FIRST) // 2
    later = turned(clip.cameras[0], 1.0)
    parts = [
        replace(
            one,
            shot=shot,
            motion=trimmed(one.motion, start, stop),
            pose2d=replace(one.pose2d, **{name: getattr(one.pose2d, name)[start:stop] for name in ARRAYS_2D}),
            pose3d=replace(one.pose3d, **{name: getattr(one.pose3d, name)[start:stop] for name in ARRAYS_3D}),
            lifted_contacts=None,
        )
        for shot, (start, stop) in enumerate([(0, half), (half, 2 * half)])
    ]
    shots = (mocap3d.Shot(start=FIRST, stop=FIRST + half), mocap3d.Shot(start=FIRST + half, stop=STOP))
    cut = replace(
        clip, performances=tuple(parts), shots=shots, cameras=(clip.cameras[0], later), grounds=clip.grounds * 2
    )
    browser_page.page.goto(serving([CaptureShow(cut)]))
    shown(browser_page, FIRST)
    there = "[window.mocap3d.place(0, 0), window.mocap3d.place(1, 0)].map(Boolean)"
    assert browser_page.page.evaluate(there) == [True, False]
    press(browser_page, "End")
    shown(browser_page, STOP - 1)
    assert browser_page.page.evaluate(there) == [False, True]


def test_only_the_keyboard(opened):
    """Catches a control that cannot be reached or used without a mouse."""
    reached = set()
    for _ in range(40):
        press(opened, "Tab")
        reached.add(opened.page.evaluate("document.activeElement.closest('label, button, .term, canvas')?.outerHTML"))
    text = " ".join(map(str, reached))
    for name in ("Mannequin", "2D joints", "Through the camera", "Frame number", "Speed", "Play", "Quality", "3D view"):
        assert name in text, name


def test_a_video_that_is_gone_is_told(browser_page, serving, tmp_path):
    """Catches an empty pane without a word, and a page that stops for want of pictures."""
    browser_page.page.goto(serving([CaptureShow(replace(walk(), source=tmp_path / "gone.mp4"))]))
    shown(browser_page, FIRST)
    assert "there is no file" in browser_page.page.locator(".view p").inner_text()
    press(browser_page, "End")
    shown(browser_page, STOP - 1)


HOSTILE = "<img src=x onerror=window.hacked=1>\"'&</script><script>window.hacked=1</script>"


def test_hostile_names_run_nothing(browser_page, serving, tmp_path):
    """Catches names that become markup: of files, cameras, joints, and in notes."""
    clip = walk()
    camera = replace(clip.cameras[0], name=HOSTILE)
    odd = replace(clip, source=Path(f"{HOSTILE.replace('/', '')}.mp4"), cameras=(camera,), notes=(HOSTILE,))
    odd = replace(odd, settings={HOSTILE: HOSTILE})
    rig = clip.motion.rig
    skeleton = replace(rig.skeleton, joint_names=(*rig.skeleton.joint_names[:-1], HOSTILE))
    mocap3d.write(replace(clip.motion, rig=replace(rig, skeleton=skeleton)), tmp_path / "odd.npz")
    shows = [CaptureShow(odd), MotionShow(tmp_path / "odd.npz"), RigShow([camera], HOSTILE)]
    url = serving(shows)
    for number in range(len(shows)):
        browser_page.page.goto(f"{url}?show={number}")
        browser_page.wait_for("window.mocap3d")
        for tab in browser_page.page.get_by_role("tab").all():
            tab.click()
        browser_page.page.wait_for_timeout(200)
        assert browser_page.page.evaluate("window.hacked") is None
        assert browser_page.page.locator("img, script:not([src])").count() == 0
    assert HOSTILE in browser_page.page.locator("h1").inner_text()


def test_motion_files_and_cameras(browser_page, serving, tmp_path):
    """Catches a page that needs a video, or people."""
    mocap3d.write(walk().motion, tmp_path / "walk.glb")
    mocap3d.write(walk().motion, tmp_path / "walk.trc")
    url = serving([open_capture(path) for path in (tmp_path / "walk.glb", tmp_path / "walk.trc", LENS)])
    for number, tabs in enumerate((["Quality", "Export", "About"], ["Quality", "Export", "About"], ["About"])):
        browser_page.page.goto(f"{url}?show={number}")
        browser_page.wait_for("window.mocap3d?.state.drawn > 0")
        assert browser_page.page.get_by_role("tab").all_inner_texts() == tabs
        press(browser_page, "End", "v", "m")
        browser_page.page.wait_for_timeout(200)
