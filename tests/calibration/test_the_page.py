"""The commands of docs/film-with-several-cameras.md, run one after the other on made-up videos."""

from __future__ import annotations

import inspect
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from filmed_takes import unevenly
from rigs_of_cameras import ring, walkers
from typer.testing import CliRunner

import mocap3d
from mocap3d.calibration import read_points
from mocap3d.cameras.files import read_cameras, write_cameras
from mocap3d.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "film-with-several-cameras.md"
NAMES = ("left", "middle", "right")
ELSEWHERE = ("--board", "--points", "--by audio", "mocap3d capture")
"""What other tests run: boards, sound, capturing; and the page's points, which are not where these cameras look."""


def commands():
    """The lines of the page's shell blocks."""
    blocks = PAGE.read_text(encoding="utf-8").split("```sh\n")[1:]
    return [line for block in blocks for line in block.split("```")[0].splitlines() if line.strip()]


@pytest.fixture
def folder(films, tmp_path, monkeypatch):
    """A folder with the files that the page speaks of, and how far the cameras in it are apart."""
    cameras = tuple(replace(camera, name=name) for camera, name in zip(ring(3, arc_deg=120.0), NAMES, strict=True))
    people = [unevenly(person) for person in walkers(1, seconds=5.0)]
    for place in (tmp_path, tmp_path / "walk"):
        place.mkdir(exist_ok=True)
        films.film(place, cameras, people)
    write_cameras(cameras, tmp_path / "lenses.toml")
    K = cameras[0].K.copy()
    K[0, 2] += 4
    wide = replace(cameras[0], size_wh_px=(1928, 1080), K=K)  # the middle of it was filmed
    write_cameras((wide, cameras[2]), tmp_path / "Calib.qca.txt", format="toml")
    monkeypatch.chdir(tmp_path)
    apart = np.linalg.norm(cameras[0].world_from_cam[:3, 3] - cameras[2].world_from_cam[:3, 3])
    return tmp_path, f"left,right,{apart:.3f}"


def test_commands_run(folder):
    """Catches a command of the page that a reader's first try would be refused."""
    place, distance = folder
    lines = [line for line in commands() if not any(word in line for word in ELSEWHERE)]
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line.replace("left,right,3.25", distance))
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, (line, result.output, result.exception)
        out = place / words[words.index("-o") + 1]
        assert out.exists(), line
        if words[1] == "calibrate":
            assert [camera.name for camera in read_cameras(out)] == [Path(w).stem for w in words if w.endswith(".mp4")]
    assert (place / "rig.html").exists()


def test_the_points_of_the_page_are_read(tmp_path):
    """Catches an example that the program would refuse."""
    block = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "points.toml"
    path.write_text(block, encoding="utf-8")
    points = read_points(path)
    assert points.points_m.shape == (4, 3)
    assert points.of(["left", "right"]).shape == (2, 4, 2)


def test_every_option_is_explained():
    """Catches a new option that only --help knows."""
    text = PAGE.read_text(encoding="utf-8")
    parameters = typer.main.get_command(app).commands["calibrate"].params
    options = {name for one in parameters for name in one.opts if name.startswith("--")} - {"--help", "--output"}
    assert not [name for name in options if f"`{name}`" not in text]
    assert not [
        name for name in inspect.signature(mocap3d.calibrate).parameters if f"`{name}`" not in text and name != "videos"
    ]
