"""One lens, without a rig: `mocap3d calibrate lens.mp4 --board ...`, from photos and from video."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from board_scenes import board_poses_before, picture_of
from rigs_of_cameras import looking, ring, walkers
from typer.testing import CliRunner

import mocap3d
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.cameras.boards import parse_board
from mocap3d.cameras.files import read_cameras
from mocap3d.cli import app

BOARD = "chessboard:5x4:60mm"
SIZE = (320, 240)


def photos(folder, *, focal_px=260.0, count=10, flat=False):
    """Pictures of a board, drawn pixel by pixel."""
    import cv2

    board = parse_board(BOARD)
    camera = looking("a", (0, 0, 0), (0, 0, 1), focal_px=focal_px, size_wh_px=SIZE)
    camera = replace(camera, cam_from_world=np.eye(4))
    poses = board_poses_before(count, distance_m=(0.35, 0.6), sideways=0.2, seed=5, tilt_deg=1.0 if flat else 40.0)
    folder.mkdir(parents=True)
    for n, pose in enumerate(poses):
        pose[:3, 3] -= pose[:3, :3] @ board.points_m.mean(axis=0)
        cv2.imwrite(str(folder / f"{n:02}.png"), picture_of(board, camera, pose))
    return folder


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    """A folder of photos."""
    return photos(tmp_path_factory.mktemp("lenses") / "phone")


def test_one_lens_becomes_a_camera_file(lens, tmp_path):
    """Catches a command that asks for a second camera, and a file that says another lens than the pictures."""
    out, page = tmp_path / "lens.toml", tmp_path / "lens.html"
    arguments = ["calibrate", str(lens), "--board", BOARD, "-o", str(out), "--report", str(page), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["how"], told["passed"], told["files"]) == ("lens", True, [str(out), str(page)])
    assert [(gate["name"], gate["passed"]) for gate in told["gates"]] == [("lens of phone", True)]
    (camera,) = read_cameras(out)
    assert (camera.name, camera.size_wh_px) == ("phone", SIZE)
    np.testing.assert_allclose(np.diag(camera.K)[:2], 260, rtol=0.015)
    np.testing.assert_array_equal(camera.cam_from_world, np.eye(4))
    assert "1 lens" in page.read_text(encoding="utf-8")
    plain = CliRunner().invoke(app, ["calibrate", str(lens), "--board", BOARD, "-o", str(out)])
    assert "focal length 2" in plain.stderr
    assert "began" not in plain.stderr


def test_the_file_serves_a_rig(lens, films, tmp_path):
    """Catches a lens file that a rig does not accept: one lens serves the videos of three phones of a kind."""
    out = tmp_path / "lens.toml"
    mocap3d.calibrate([lens], board=BOARD).save(out)
    cameras = ring(3, arc_deg=200.0, focal_px=260.0, size_wh_px=SIZE)
    videos = films.film(tmp_path, cameras, walkers(1, seconds=4.0), noise_px=0.4)
    found = mocap3d.calibrate(videos, lenses=out, sync="none", height_m=1.68)
    assert [camera.name for camera in found.cameras] == ["cam0", "cam1", "cam2"]


def test_lenses_of_several_phones(lens, tmp_path):
    """Catches a rig that is looked for in pictures taken one phone after the other, and lenses mixed up."""
    wide = photos(tmp_path / "wide", focal_px=200.0)
    found = mocap3d.calibrate([lens, wide], board=BOARD, how="lens")
    assert [(camera.name, round(camera.K[0, 0], -1)) for camera in found.cameras] == [("phone", 260), ("wide", 200)]
    assert all(len(view.seen_px) == len(view.off_px) == view.sights > 100 for view in found.views)
    assert all(np.sqrt(np.mean(view.off_px**2)) == pytest.approx(view.residual_px) for view in found.views)


def test_pictures_that_leave_the_lens_open(lens, tmp_path):
    """Catches a focal length from a board held flat, and of two bad lenses only the first named."""
    flat, few = photos(tmp_path / "flat", flat=True), photos(tmp_path / "few", count=2)
    with pytest.raises(CalibrationError, match=r"flat: the board faces the camera in nearly all pictures.*tilt it"):
        mocap3d.calibrate([flat], board=BOARD)
    with pytest.raises(CalibrationError, match=r"flat: the board faces.*; few: the board is in 2 pictures"):
        mocap3d.calibrate([flat, lens, few], board=BOARD, how="lens")
    with pytest.raises(CalibrationError, match="none of 10 pictures"):
        mocap3d.calibrate([lens], board="chessboard:9x6:60mm")


def test_what_one_camera_cannot_have(lens):
    """Catches options that would be left out in silence, and no word on what one camera may be calibrated for."""
    for message, options in {
        "one camera alone has a lens and no place": {},
        "at least 2 cameras, got 1; one camera has only a lens": {"board": BOARD, "how": "board"},
        "leave out what else": {"board": BOARD, "how": "lens", "lenses": ring(1)},
        r"height_m .*sets the size": {"board": BOARD, "height_m": 1.7},
        "floor .*has no use": {"board": BOARD, "floor": "people"},
        "fov_deg .*has no use": {"board": BOARD, "fov_deg": 60.0},
        "crop .*has no use": {"board": BOARD, "crop": "centre"},
        "there are no videos": {"given": []},
    }.items():
        with pytest.raises(InputError, match=message):
            mocap3d.calibrate(**{"videos": [lens], **{"videos" if k == "given" else k: v for k, v in options.items()}})
