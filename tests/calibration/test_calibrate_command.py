"""`mocap3d calibrate` and `mocap3d sync`: what is written, what is told, what is bad usage."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from filmed_takes import unevenly
from rigs_of_cameras import ring, walkers
from typer.testing import CliRunner

import mocap3d
from mocap3d.base.errors import CalibrationError, FileFormatError, InputError
from mocap3d.calibration import Started, read_points, read_starts
from mocap3d.cameras.files import read_cameras, write_cameras
from mocap3d.cli import app


def run(*arguments):
    """The command's result; its own errors are raised as they are."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def take(films, tmp_path):
    """Three videos of a walker, and the file of their cameras."""
    cameras = ring(3)
    videos = films.film(tmp_path, cameras, walkers(1, seconds=3.0))
    rig = tmp_path / "known.toml"
    write_cameras(cameras, rig)
    return cameras, videos, rig


def test_a_rig_is_refined_and_reported(take, tmp_path):
    """Catches options that do not arrive, a file without the cameras, and JSON that cannot be read."""
    cameras, videos, rig = take
    out, page = tmp_path / "rig.toml", tmp_path / "rig.html"
    result = run(
        "calibrate",
        *videos,
        "-o",
        out,
        "--lenses",
        rig,
        "--refine",
        "pose",
        "--sync",
        "none",
        "--report",
        page,
        "--json",
    )
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["how"] == "refined"
    assert told["passed"]
    assert told["files"] == [str(out), str(page)]
    assert [camera["name"] for camera in told["cameras"]] == ["cam0", "cam1", "cam2"]
    for found, known in zip(read_cameras(out), cameras, strict=True):
        assert np.linalg.norm(found.world_from_cam[:3, 3] - known.world_from_cam[:3, 3]) < 0.1
    assert "From above" in page.read_text(encoding="utf-8")


def test_what_fails_is_not_written_but_reported(take, films, tmp_path):
    """Catches cameras written though a gate failed, and no page to see why."""
    cameras, _, rig = take
    videos = films.film(tmp_path, cameras, walkers(1, seconds=3.0), mirrored=[1])
    out, page = tmp_path / "rig.toml", tmp_path / "rig.html"
    arguments = ("calibrate", *videos, "-o", out, "--lenses", rig, "--refine", "pose", "--sync", "none")
    with pytest.raises(CalibrationError, match="no cameras are written"):
        run(*arguments, "--report", page)
    assert not out.exists()
    assert "failed" in page.read_text(encoding="utf-8")
    run(*arguments, "--gates", "report")
    assert out.exists()


def test_crops_and_distances_on_the_command_line(take, tmp_path):
    """Catches a comma in a crop that is taken for two crops, and cameras that are told apart by number only."""
    cameras, videos, _ = take
    K = cameras[1].K.copy()
    K[0, 2] += 40
    wide = replace(cameras[1], size_wh_px=(1960, 1080), K=K)
    rig = tmp_path / "wide.toml"
    write_cameras((cameras[0], wide, cameras[2]), rig)
    result = run(
        *("calibrate", *videos, "-o", tmp_path / "rig.toml", "--lenses", rig, "--refine", "pose", "--sync", "0,0,0"),
        *("--crop", "cam1=40,0", "--json"),
    )
    assert json.loads(result.stdout)["cameras"][1]["crop"] == "from 40, 0"


def test_bad_usage(take, tmp_path):
    """Catches words that mean nothing, found out after minutes of work."""
    _, videos, rig = take
    for options in (
        ("--refine", "place"),
        ("--gates", "ignore"),
        ("--distance", "cam0,cam1"),
        ("--distance", "cam0,cam1,far"),
        ("--sync", "0,1"),
        ("--crop", "cam0=centre", "--crop", "centre"),
        ("--floor", "now"),
        ("--people", str(rig), "--no-people"),
    ):
        assert run("calibrate", *videos, "-o", tmp_path / "x.toml", "--lenses", rig, *options).exit_code == 2, options
    assert run("sync", *videos, "--by", "eye").exit_code == 2
    with pytest.raises(InputError, match="no folder"):
        run("calibrate", *videos, "-o", tmp_path / "none" / "x.toml", "--lenses", rig)


def test_beginnings_go_into_a_file_and_come_back(tmp_path):
    """Catches offsets on another clock than the first video's, and videos that the file does not know."""
    started = Started(names=("a", "b"), offsets_s=(0.0, 1.25), std_s=(0.0, 0.003), confidence=(1.0, 0.9), by="motion")
    path = started.save(tmp_path / "sync.toml")
    assert read_starts(path, ["a.mp4", "folder/b.mp4"]) == (0.0, 1.25)
    assert read_starts(path, ["b.mp4", "a.mp4"]) == (0.0, -1.25)
    with pytest.raises(InputError, match="says nothing about 'c'"):
        read_starts(path, ["a.mp4", "c.mp4"])
    with pytest.raises(CalibrationError, match="when b began"):
        replace(started, confidence=(1.0, 0.2)).save(path)


@pytest.mark.parametrize(
    "text",
    ["", "version = 2", "version = 1\nvideo = 3", "version = 1\n[[video]]\nname = 'a'", "= =",
     "version = 1\n[[video]]\nname = 'a'\noffset_s = true", "version = 1\n[[video]]\nname = 'a'\noffset_s = nan"],
)  # fmt: skip
def test_files_that_hold_no_beginnings(text, tmp_path):
    """Catches an error that is not ours, and a beginning that is made up."""
    path = tmp_path / "sync.toml"
    path.write_text(text)
    with pytest.raises(FileFormatError):
        read_starts(path, ["a.mp4"])


def test_measured_points_from_a_file(tmp_path):
    """Catches marks that go to another point than the one of their name."""
    path = tmp_path / "points.toml"
    path.write_text(
        "[measured_m]\ndoor = [0, 0, 0]\npost = [2.4, 0.0, 1]\n[left]\npost = [1310, 902.5]\n[right]\ndoor = [4, 8]\n"
    )
    points = read_points(path)
    np.testing.assert_array_equal(points.points_m, [[0, 0, 0], [2.4, 0, 1]])
    seen = points.of(["right", "left"])
    np.testing.assert_array_equal(seen, [[[4, 8], [np.nan] * 2], [[np.nan] * 2, [1310, 902.5]]])
    with pytest.raises(InputError, match="no points are marked in camera 'top'"):
        points.of(["left", "right", "top"])
    with pytest.raises(InputError, match="none of the cameras"):
        points.of(["left"])


@pytest.mark.parametrize(
    "text",
    ["", "measured_m = 3", "[measured_m]\na = [1, 2]", "[measured_m]\na = [1, 2, 'x']", "[measured_m]\na = [1, 2, inf]",
     "[measured_m]\na = [1, 2, 3]\n[left]\nb = [1, 2]", "left = 2\n[measured_m]\na = [1, 2, 3]", "[[measured_m]]"],
)  # fmt: skip
def test_files_that_hold_no_points(text, tmp_path):
    """Catches an error that is not ours, and a mark that belongs to nothing."""
    path = tmp_path / "points.toml"
    path.write_text(text)
    with pytest.raises(FileFormatError):
        read_points(path)


def test_sync_finds_who_began_late(films, tmp_path):
    """Catches offsets with the wrong sign, and a file that is written though nothing tells."""
    cameras = ring(2)
    people = [unevenly(person) for person in walkers(1, seconds=6.0)]
    videos = films.film(tmp_path, cameras, people, late=[0, 9])
    found = mocap3d.synchronise(videos)
    assert found.offsets_s == pytest.approx((0.0, 0.3), abs=0.02)
    out = tmp_path / "sync.toml"
    result = run("sync", *videos, "-o", out, "--json")
    assert json.loads(result.stdout)["videos"][1]["offset_s"] == pytest.approx(0.3, abs=0.02)
    assert read_starts(out, videos) == pytest.approx((0.0, 0.3), abs=0.02)
    still = films.film(tmp_path, cameras, [np.repeat(people[0][:1], 60, axis=0)], noise_px=0.5)
    with pytest.raises(CalibrationError, match="when cam1 began"):
        run("sync", *still, "-o", out)
    assert "nothing tells" in run("sync", *still).output
    with pytest.raises(InputError, match="at least 2 videos"):
        mocap3d.synchronise(videos[:1])
    with pytest.raises(InputError, match="given twice"):
        mocap3d.synchronise([videos[0], videos[0]])
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"the same")
    with pytest.raises(InputError, match="are the same video"):
        mocap3d.synchronise([tmp_path / "a.mp4", tmp_path / "b.mp4"])
