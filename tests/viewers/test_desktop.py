"""The desktop viewer, drawn without a window: its clock, its keys, where people are drawn, results, what is missing."""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from characters import walking
from drawn_scenes import centroid, off, one_at_a_time, points
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.viewers import desktop
from mocap3d.viewers.desktop import KEYS, DesktopViewer, Player
from mocap3d.viewers.render import Scene, View
from mocap3d.viewers.render.figures import figure_of_motion, figure_of_points
from mocap3d.viewers.render.scene import read_scene, sequences_of
from mocap3d.viewers.render.views import orbit
from videos import run

import mocap3d
from mocap3d.base.errors import InputError, MissingExtraError

SIZE = (320, 240)


def walker() -> Scene:
    """Somebody who walks for a second."""
    return Scene(figures=(figure_of_motion(walking(1.0), "walker"),), fps=Fraction(30), source="walker")


@pytest.fixture
def open3d(drawing, monkeypatch):
    """The package; without a display it draws through EGL."""
    package = pytest.importorskip("open3d") if os.environ.get("CI") != "true" else import_module("open3d")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return package


@pytest.fixture
def viewer(open3d, tmp_path):
    """It shows the walker, then a body without rotations."""
    told: list[str] = []
    still = points(np.random.default_rng(0).normal(size=(4, 17, 3)) * 0.4 + [0, 1, 0])
    scenes = [walker, lambda: Scene(figures=(figure_of_points(still, "points"),), fps=Fraction(10), source="points")]
    with DesktopViewer(scenes, visible=False, size_wh_px=SIZE, tell=told.append, pictures=tmp_path) as shown:
        shown.told = told
        yield shown


def test_frames_follow_the_clock():
    """Catches a player that drifts, drops the first frame, runs beyond the end, or jumps after a pause."""
    player = Player(frames=range(5, 15), fps=Fraction(10))
    shown = [(player.tick(10 + n / 20), player.frame) for n in range(7)]
    assert shown == [(False, 5), (False, 5), (True, 6), (False, 6), (True, 7), (False, 7), (True, 8)]
    player.tick(10.95)
    assert player.frame == 14
    player.tick(11.05)
    assert player.frame == 5  # and around
    player.toggle()
    assert not player.tick(99.0)
    player.toggle()
    player.tick(200.0)
    player.tick(200.25)
    assert player.frame == 7
    player.faster(Fraction(1, 2))
    player.tick(300.0)
    player.tick(300.45)
    assert player.frame == 9


def test_steps_hold_at_the_ends():
    """Catches a step from the first frame to the last, and speeds without an end."""
    player = Player(frames=range(5, 15), fps=Fraction(10))
    player.step(-1)
    assert (player.frame, player.playing) == (5, False)
    player.step(100)
    assert player.frame == 14
    for _ in range(9):
        player.faster(Fraction(2))
    assert player.speed == 8


def test_a_joint_is_drawn_where_the_camera_sees_it(open3d):
    """Catches a camera that is handed over transposed, mirrored or half a picture off."""
    places_m = [np.array([x, y, 0.3]) for x in (-0.5, 0.4) for y in (0.4, 1.5)]
    scene = Scene(figures=(figure_of_points(one_at_a_time(places_m), "point"),), fps=Fraction(30), source="points")
    eye = next(orbit(scene, View(follow=False), range(4), SIZE))
    with DesktopViewer([lambda: scene], visible=False, size_wh_px=SIZE) as viewer:
        viewer.press("B")
        for n, place_m in enumerate(places_m):
            viewer.player.step(n - viewer.player.frame)
            viewer.draw()
            with_it = viewer.picture()
            viewer.press("1")
            difference = np.abs(with_it.astype(int) - viewer.picture()).astype(np.uint8)
            viewer.press("1")
            x, y, depth = eye.K @ (eye.cam_from_world[:3, :3] @ place_m + eye.cam_from_world[:3, 3])
            assert np.linalg.norm(centroid(difference) - [x / depth, y / depth]) < 2


def test_keys_change_what_is_seen(viewer):
    """Catches keys that do nothing, and ones that cannot be undone."""
    viewer.press("Home")
    first = viewer.picture()
    for key, times in (("M", 3), ("C", 2), ("B", 2), ("1", 2)):
        for n in range(times):
            viewer.press(key)
            changed = off(viewer.picture(), first)[1]
            assert (changed > 5) if n + 1 < times else (changed < 2), (key, n)
    viewer.press("Right")
    assert viewer.player.frame == 1
    viewer.press("End")
    assert viewer.player.frame == 29
    assert off(viewer.picture(), first)[1] > 5
    with pytest.raises(InputError, match="no key 'X'"):
        viewer.press("X")
    viewer.press("H")
    assert all(key in viewer.told[-1] for key in KEYS)


def test_the_camera_goes_along(viewer):
    """Catches a camera that follows backwards, or does not."""
    viewer.press("Home")
    viewer.press("F")
    viewer.press("R")
    near = viewer.picture()
    viewer.press("End")
    far = viewer.picture()
    columns = [np.nonzero(np.ptp(picture.astype(int), axis=-1) > 40)[1].mean() for picture in (near, far)]
    assert abs(columns[0] - columns[1]) < 25  # the person, whose colours alone are strong, stays in the middle


def test_files_follow_each_other(viewer):
    """Catches bodies of one file that stay in the picture of the next."""
    viewer.press("Home")
    first = viewer.picture()
    viewer.press("N")
    assert viewer.told[-1] == "points: 1: points, 4 frames at 10/s"
    assert off(viewer.picture(), first)[1] > 5
    viewer.press("P")
    viewer.press("Home")
    assert off(viewer.picture(), first)[1] < 2
    viewer.press("N")
    viewer.press("N")
    assert viewer.told[-1].startswith("walker")


def test_pictures_are_saved_and_never_overwritten(viewer, tmp_path):
    """Catches a second picture of one frame that replaces the first."""
    viewer.press("Home")
    viewer.press("S")
    viewer.press("S")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["mocap3d-000000-1.png", "mocap3d-000000.png"]
    assert len({path.read_bytes() for path in tmp_path.glob("*.png")}) == 1


@pytest.fixture
def results(tmp_path):
    """A file of results: two sequences, the first with what two models made of it, one of them with a gap."""
    rng = np.random.default_rng(1)
    skeleton = mocap3d.skeleton_named("human36m-17")
    path = tmp_path / "results.h5"
    with MotionWriter(path) as writer:
        for action in ("Walking", "Eating"):
            xyz_m = (rng.normal(size=(6, 17, 3)) * 0.3 + [0, 1, 0]).astype(np.float32)
            truth = MotionSequence.seen("S9", action, xyz_m, Fraction(50), skeleton, "none")
            writer.add(truth)
            for model in ("one", "two") if action == "Walking" else ():
                made = xyz_m + np.float32(0.3 if model == "one" else -0.3)
                made[2, 3] = np.nan if model == "two" else made[2, 3]
                seen = np.isfinite(made).all(axis=-1).astype(np.float32)
                writer.add_prediction(
                    "S9", action, model, "54138969", made, seen, skeleton=skeleton, weights_sha256="0" * 64
                )
    return path


def test_results_show_the_truth_and_every_model(results, open3d):
    """Catches models that are left out, drawn in one colour, or through the wrong sequence."""
    assert set(sequences_of(results)) == {"S9/Eating", "S9/Walking"}
    scene = read_scene(results, sequence="S9/Walking")
    assert [figure.name for figure in scene.figures] == ["truth", "one", "two"]
    assert len({tuple(figure.colour) for figure in scene.figures}) == 3
    assert [figure.name for figure in read_scene(results, sequence="S9/Eating").figures] == ["truth"]
    assert np.isnan(scene.figures[2].joints_m[2, 3]).all()
    with pytest.raises(InputError, match="no sequence 'S9/Sitting'"):
        read_scene(results, sequence="S9/Sitting")
    told: list[str] = []
    with DesktopViewer([lambda: scene], visible=False, size_wh_px=SIZE, tell=told.append) as viewer:
        viewer.press("Home")
        everybody = viewer.picture()
        viewer.press("3")
        assert off(viewer.picture(), everybody)[1] > 2
    assert "2: one, 3: two, 6 frames at 50/s" in told[0]


def test_without_open3d_the_extra_is_named(monkeypatch):
    """Catches an ImportError without a word on what brings the package."""
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mocap3d\[desktop\]'"):
        DesktopViewer([walker], visible=False)


def test_without_a_display_other_ways_are_named(open3d, tmp_path, capsys):
    """Catches a viewer that plays for nobody, for ever."""
    path = tmp_path / "walk.bvh"
    mocap3d.write(walking(0.3), path)
    with pytest.raises(InputError, match="no display"):
        desktop.show([path])
    code, _, err = run(capsys, "view", path, "--desktop")
    assert code == 1
    assert "mocap3d render" in err
    with pytest.raises(InputError, match="nothing to show"):
        desktop.show([])
