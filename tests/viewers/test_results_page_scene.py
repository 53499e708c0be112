"""The bodies on the stage of results: what is solid, what is coloured how, and which way trails go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mocap3d.viewers.results import ResultsShow
from results_files import H17, errors_in_file_mm, ring_of_cameras, write_results

BODIES = "window.mocap3d.stage.scene.children.filter((one) => one.children.some((part) => part.isInstancedMesh))"
LEAST, MOST = (0x3C, 0x3E, 0xC8), (0xFB, 0xE1, 0x4A)  # the ends of the colours of errors


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, causal and plain."""
    return write_results(tmp_path_factory.mktemp("scene") / "results.h5")


@pytest.fixture
def opened(browser_page: Any, serving: Callable[..., str], file: Path) -> Any:
    """The page at frame 60 of S11, walking_1: truth, causal and plain on the stage."""
    browser_page.page.goto(serving([ResultsShow([file])]))
    browser_page.wait_for("window.mocap3d?.drawnFrame === 0")
    browser_page.page.get_by_label("Frame", exact=True).fill("60")
    drawn(browser_page)
    return browser_page


def drawn(opened: Any) -> None:
    """Wait for a picture of frame 60 that was asked for now."""
    before = opened.page.evaluate("window.mocap3d.stage.draw() ?? window.mocap3d.drawn")
    opened.wait_for(f"window.mocap3d.drawnFrame === 60 && window.mocap3d.drawn > {before}")


def linear(rgb: tuple[int, int, int]) -> np.ndarray:
    """Numbers of sRGB as light, which is what three.js keeps."""
    part = np.array(rgb) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def test_the_chosen_model_is_solid_and_the_others_are_ghosts(opened):
    """Catches bodies of which nobody can tell which one the numbers are of."""
    opacities = f"{BODIES}.map((body) => body.children.find((part) => part.isInstancedMesh).material.opacity)"
    truth, causal, plain = opened.page.evaluate(opacities)
    assert causal == 1
    assert max(truth, plain) < 0.6
    opened.page.get_by_role("button", name="plain").click()
    drawn(opened)
    truth, causal, plain = opened.page.evaluate(opacities)
    assert plain == 1
    assert max(truth, causal) < 0.6


def test_joints_have_the_colours_of_their_errors(opened, file):
    """Catches colours that do not follow the errors, or those of another model."""
    colours = np.array(
        opened.page.evaluate(f"{BODIES}.map((body) => [...body.children[0].instanceColor.array])")
    ).reshape(3, 17, 3)
    for body, model in ((1, "causal"), (2, "plain")):
        errors = errors_in_file_mm(file, "S11", "walking_1", model, "50138969")[60]
        assert (errors >= 120).any() or model == "plain"
        for joint, mm in enumerate(errors):
            if mm >= 120 or mm < 0.01:
                np.testing.assert_allclose(colours[body, joint], linear(MOST if mm >= 120 else LEAST), atol=0.01)
        middle = (errors > 20) & (errors < 100)
        light = colours[body].sum(axis=1)[middle][np.argsort(errors[middle])]
        assert (np.diff(light) > -0.02).all()  # larger errors are lighter


def test_cameras_stand_and_look_as_they_do(opened):
    """Catches frusta that are mirrored, stand elsewhere, or open wider than the lens."""
    found = opened.page.evaluate(
        "window.mocap3d.stage.scene.children.flatMap((group) => group.children)"
        ".filter((one) => one.isLineSegments && !one.matrixAutoUpdate)"
        ".map((one) => [one.matrix.elements, [...one.geometry.attributes.position.array]])"
    )
    for camera, (columns, points) in zip(ring_of_cameras(), found, strict=True):
        at_m = np.c_[np.array(points).reshape(-1, 3), np.ones(len(points) // 3)] @ np.array(columns).reshape(4, 4)
        np.testing.assert_allclose(at_m[0, :3], camera.world_from_cam[:3, 3], atol=1e-5)
        seen = at_m[1::4] @ camera.cam_from_world[:3].T @ camera.K.T
        np.testing.assert_allclose(
            seen[:, :2] / seen[:, 2:], np.array([[0, 0], [1000, 0], [1000, 1002], [0, 1002]]) - 0.5, atol=0.05
        )


def test_trails_are_the_way_of_the_joint(opened, file):
    """Catches a trail of other joints, frames, or of another length than two seconds."""
    opened.page.keyboard.press("t")
    opened.page.locator(f"[data-joint='{H17.index('left_wrist')}']").click()
    drawn(opened)
    trail = "body.children.find((part) => part.isLineSegments).geometry.attributes.position.array"
    truth, _, plain = opened.page.evaluate(f"{BODIES}.map((body) => [...{trail}])")
    with h5py.File(file) as results:
        take = results["sequences/S11/walking_1"]
        ways_m = [take[name][:, H17.index("left_wrist")] for name in ("xyz_m", "predictions/plain/50138969/xyz_m")]
    for line, way_m in zip((truth, plain), ways_m, strict=True):
        points = np.array(line).reshape(-1, 2, 3)
        assert len(points) == 60  # two seconds are longer than what was before
        np.testing.assert_allclose(points[:, 1], way_m[1:61], atol=1e-6)
        np.testing.assert_allclose(points[1:, 0], points[:-1, 1])
