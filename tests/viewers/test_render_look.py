"""What pictures look like: a few small ones are kept, and new ones are compared with them by eye's measure.

OpenGL drivers differ in the last bits, so pictures are compared by how much they differ on average and in any small
block. ``MOCAP3D_NEW_GOLDEN=1`` writes them anew; look at them before they are committed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from characters import walking
from drawn_scenes import black_video, camera, clip, off
from mocap3d.viewers.render import Look, Scene, View, render_picture, render_sheet, scene_of_clip, write_png
from mocap3d.viewers.render import canvas as canvas_module
from mocap3d.viewers.render.canvas import Canvas, working_platform
from mocap3d.viewers.render.figures import figure_of_motion
from mocap3d.viewers.render.surfaces import balls
from results_files import write_results
from videos import run

import mocap3d
from mocap3d.base.errors import InputError, MissingExtraError

GOLDEN = Path(__file__).with_name("golden")
NAMES = ("light", "dark-sides", "skeleton", "overlay", "sheet")
MEAN, BLOCK = 2.0, 16.0  # EGL and OSMesa of one Mesa differ by 0; a body moved by one pixel by 4.6 and 36


def drawn(name: str, folder: Path) -> np.ndarray:
    """One of the pictures that are kept."""
    motion = walking(1.0)
    scene = Scene(figures=(figure_of_motion(motion, "walker"),), fps=Fraction(30))
    small = (144, 192)
    if name == "light":
        return render_picture(scene, 11, size=small)
    if name == "dark-sides":
        return render_picture(scene, 11, look=Look(background="dark", colours="sides"), size=small)
    if name == "skeleton":
        return render_picture(scene, 11, view=View(azimuth_deg=90), look=Look(style="skeleton"), size=small)
    if name == "sheet":
        return render_sheet(scene, columns=3, look=Look(background="transparent"), size=(72, 96))
    video = black_video(folder / "black.mp4", 30)
    look = Look(floor=True, opacity=0.9)
    return render_picture(scene_of_clip(clip(video, "barrel")), 11, view=View(kind="overlay"), look=look)


def kept(name: str) -> np.ndarray:
    """A picture as it was kept."""
    with av.open(str(GOLDEN / f"{name}.png")) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgba" if frame.format.name == "rgba" else "rgb24")


@pytest.mark.parametrize("name", NAMES)
def test_pictures_look_as_they_did(name, tmp_path, drawing):
    """Catches light, colours, floor, lens or body that changed without anybody having looked."""
    picture = drawn(name, tmp_path)
    if os.environ.get("MOCAP3D_NEW_GOLDEN"):
        write_png(picture, GOLDEN / f"{name}.png")
    golden = kept(name)
    assert golden.shape == picture.shape
    mean, block = off(picture, golden)
    assert mean < MEAN
    assert block < BLOCK


def test_the_comparison_sees_what_an_eye_sees():
    """Catches a tolerance that lets everything pass: a moved, a mirrored and a differently painted body."""
    golden = kept("light")
    for wrong in (np.roll(golden, 1, axis=1), golden[:, ::-1], golden[..., ::-1], np.full_like(golden, 243)):
        mean, block = off(wrong, golden)
        assert mean > MEAN or block > BLOCK


def test_left_is_orange_and_right_is_blue(drawing):
    """Catches sides that are swapped: seen from the left, the near limbs must be orange."""
    scene = Scene(figures=(figure_of_motion(walking(0.5), "walker"),), fps=Fraction(30))
    for azimuth, near in ((90, 0), (-90, 2)):
        look = Look(colours="sides", floor=False, background="white")
        picture = render_picture(scene, 0, view=View(azimuth_deg=azimuth, elevation_deg=0), look=look, size=(160, 160))
        red, _, blue = picture.astype(int).transpose(2, 0, 1)
        orange, azure = (red - blue > 60).sum(), (blue - red > 60).sum()
        assert (orange > 2 * azure) if near == 0 else (azure > 2 * orange)


@pytest.mark.parametrize("platform", canvas_module.PLATFORMS)
def test_every_platform_draws_the_same(platform, tmp_path, drawing):
    """Catches a fallback that nobody ever used: no opacity, no smooth edges, another size."""
    code = (
        "import sys, test_render_look as look\nfrom pathlib import Path\n"
        "picture = look.render_sheet(look.Scene(figures=(look.figure_of_motion(look.walking(1.0), 'walker'),),"
        " fps=look.Fraction(30)), columns=3, look=look.Look(background='transparent'), size=(72, 96))\n"
        "look.write_png(picture, sys.argv[1])\nprint(look.working_platform())"
    )
    paths = [str(Path(__file__).parent), *(path for path in sys.path if path.endswith("support"))]
    environment = os.environ | {"PYOPENGL_PLATFORM": platform, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", code, str(tmp_path / "sheet.png")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == platform, done.stderr
    with av.open(str(tmp_path / "sheet.png")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgba")
    mean, block = off(picture, kept("sheet"))
    assert mean < MEAN
    assert block < BLOCK


def test_canvases_do_not_end_each_other(drawing):
    """Catches two movies at once, of which the first that ends takes OpenGL away from the other."""
    ball = [balls(np.array([[0.0, 1.0, 0.0]]), 0.3, np.ones((1, 3)))]
    with Canvas((320, 240)) as second:
        with Canvas((320, 240)) as first:
            seen = first.draw(ball, camera())
        np.testing.assert_array_equal(second.draw(ball, camera()), seen)
        assert seen.max() > 100


@pytest.fixture
def tries(monkeypatch):
    """Which platforms work, as if; and which were tried."""
    asked: list[str] = []

    def set_up(*working):
        def fake(command, **_):
            platform = next(name for name in canvas_module.PLATFORMS if repr(name) in command[-1])
            asked.append(platform)
            return subprocess.CompletedProcess(command, 0 if platform in working else -11)

        monkeypatch.setattr(canvas_module.subprocess, "run", fake)
        monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
        return asked

    working_platform.cache_clear()
    yield set_up
    working_platform.cache_clear()


def test_the_fallback_is_taken_when_egl_crashes(tries, monkeypatch):
    """Catches a driver that ends the process, and a user's own choice that is overruled."""
    asked = tries("osmesa")
    assert working_platform() == "osmesa"
    assert asked == ["egl", "osmesa"]
    assert working_platform() == "osmesa"
    assert len(asked) == 2  # it is asked once
    assert "PYOPENGL_PLATFORM" not in os.environ
    working_platform.cache_clear()
    asked.clear()
    monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
    assert (working_platform(), asked) == ("osmesa", ["osmesa"])


def test_a_machine_that_cannot_draw_is_told_what_to_install(tries):
    """Catches a traceback out of OpenGL where two words for apt would help."""
    tries()
    with pytest.raises(InputError, match="apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"):
        working_platform()


def test_without_pyrender_the_extra_is_named(tries, monkeypatch):
    """Catches an ImportError without a word on what brings the package."""
    tries("egl")
    find = canvas_module.find_spec
    monkeypatch.setattr(canvas_module, "find_spec", lambda name: None if name == "pyrender" else find(name))
    with pytest.raises(MissingExtraError, match=r"mocap3d\[render\]"):
        working_platform()


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A file of somebody who walks."""
    path = tmp_path_factory.mktemp("walk") / "walk.bvh"
    mocap3d.write(walking(0.5), path)
    return path


def test_the_command_makes_movies_pictures_and_sheets(walk, tmp_path, capsys, drawing):
    """Catches options that do not reach the picture."""
    for arguments in (
        ["-o", tmp_path / "m.mp4", "--turntable", "--frames", "0:5", "--size", "64x48", "--fps", "15"],
        ["-o", tmp_path / "p.png", "--frame", "3", "--size", "64x48", "--style", "skeleton", "--background", "dark"],
        ["-o", tmp_path / "s.png", "--sheet", "3x2", "--size", "32x48", "--background", "transparent"],
    ):
        code, out, err = run(capsys, "render", walk, *arguments)
        assert (code, out.strip(), err) == (0, str(arguments[1]), "")
    sizes = {}
    for path in tmp_path.iterdir():
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
            sizes[path.name] = (len(frames), frames[0].width, frames[0].height)
    assert sizes == {"m.mp4": (2, 64, 48), "p.png": (1, 64, 48), "s.png": (1, 96, 96)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.gif"], ".mp4 or .png"),
        (["-o", "a.png", "--turntable", "--overlay"], "one of"),
        (["-o", "a.mp4", "--sheet", "3x1"], "--sheet"),
        (["-o", "a.png", "--sheet", "3"], "such as 6x1"),
        (["-o", "a.png", "--fps", "30"], "--fps"),
        (["-o", "a.png", "--frame", "x"], "--frame"),
        (["-o", "a.png", "--frames", "1:2"], "--frames"),
        (["-o", "a.png", "--style", "clay"], "--style"),
        (["-o", "a.png", "--opacity", "2"], "opacity"),
        (["-o", "a.mp4", "--fps", "fast"], "--fps"),
    ],
)
def test_bad_usage_is_told_at_once(walk, tmp_path, monkeypatch, capsys, arguments, message):
    """Catches options that are ignored, and mistakes that are noticed after minutes of drawing."""
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "render", walk, *arguments)
    assert code == 2
    assert message in " ".join(err.replace("│", " ").split())


def test_what_cannot_be_read_is_bad_input(tmp_path, capsys):
    """Catches a traceback for a file that is not there, a folder without stages, or results of nothing."""
    nothing = write_results(tmp_path / "nothing.h5", takes=())
    for source, words in ((tmp_path / "no.bvh", ""), (tmp_path, ""), (nothing, "has no sequences\n")):
        code, _, err = run(capsys, "render", source, "-o", tmp_path / "a.png")
        assert (code, err.count("error:")) == (1, 1)
        assert err.endswith(words)


def test_every_option_of_render_is_explained():
    """Catches a new option that only --help knows."""
    import typer

    from mocap3d.cli import app

    command = typer.main.get_command(app).commands["render"]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    text = (Path(__file__).resolve().parents[2] / "docs" / "render.md").read_text(encoding="utf-8")
    assert not [option for option in options if option.startswith("--") and f"`{option}`" not in text]
