"""Rigs from videos: each way finds cameras that are known, and what is wrong with the videos is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from filmed_takes import blind, centres, off_m
from rigs_of_cameras import pixels, ring, walkers
from scipy.spatial.transform import Rotation

import mocap3d
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.calibration import ScenePoints
from mocap3d.cameras.files import read_cameras

BOARD = "charuco:8x6:80mm:60mm:5X5_100"


def test_a_board_tells_places_and_people_tell_up(films, board_in_view, tmp_path):
    """Catches a size that people change, a floor that is not theirs, and cameras in another order than the videos."""
    cameras = ring(3)
    videos = films.film(tmp_path, cameras, walkers(1, seconds=4.0))
    found = mocap3d.calibrate(videos, lenses=blind(cameras), board=board_in_view(cameras).label, sync="none")
    off, tilt = off_m(found.cameras, cameras)
    assert off < 0.02
    assert tilt < 5
    assert (found.how, found.world, found.scale) == ("board", "people", "board")
    np.testing.assert_allclose(centres(found.cameras)[:, 1], centres(cameras)[:, 1], atol=0.15)
    assert found.passed
    assert [view.camera for view in found.views] == ["cam0", "cam1", "cam2"]
    assert all(0 < view.residual_px < 1 and 0.05 < view.coverage <= 1 for view in found.views)
    path = found.save(tmp_path / "rig.toml")
    np.testing.assert_array_equal(centres(read_cameras(path)), centres(found.cameras))
    assert len(found.paths_m) == 1


def test_a_board_on_the_floor_is_the_world(films, board_in_view, tmp_path):
    """Catches a floor taken from another moment than that at which the board lay on it."""
    cameras = ring(3)
    videos = films.film(tmp_path, cameras, walkers(1, seconds=3.0))
    board = board_in_view(cameras, floor=True)
    found = mocap3d.calibrate(videos, lenses=blind(cameras), board=board.label, sync="none", floor="last")
    assert found.world == "board on the floor"
    np.testing.assert_allclose(centres(found.cameras)[:, 1], centres(cameras)[:, 1], atol=0.02)


def test_measured_points(films, tmp_path):
    """Catches marks of one camera taken for another's, and a world other than the measured one."""
    cameras = ring(3)
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.uniform([-1.5, 0, -1.5], [1.5, 0.01, 1.5], (5, 3)), [[0.3, 1.8, 0.2], [-0.6, 1.2, 0]]])
    marks = {camera.name: pixels(camera, points) + rng.normal(0, 0.7, (7, 2)) for camera in cameras}
    videos = films.film(tmp_path, cameras, walkers(1, seconds=2.0))
    found = mocap3d.calibrate(
        videos, lenses=blind(cameras), points=ScenePoints(points_m=points, seen_px=marks), sync="none"
    )
    assert np.abs(centres(found.cameras) - centres(cameras)).max() < 0.05
    assert (found.how, found.world, found.passed) == ("points", "measured points", True)


def test_cameras_under_the_floor_without_anybody(films, board_in_view, tmp_path):
    """Catches a world upside down that fits to a pixel, where there are no people to stand on their heads."""
    cameras = ring(3)
    videos = films.film(tmp_path, cameras, [])
    points = np.random.default_rng(1).uniform([-1.5, 0, -1.5], [1.5, 1.8, 1.5], (7, 3))
    marks = {camera.name: pixels(camera, points) for camera in cameras}
    over = ScenePoints(points_m=points * [1, -1, -1], seen_px=marks)  # measured with y downwards
    with pytest.raises(CalibrationError, match=r"cameras above the floor: camera 'cam\d' is below the floor"):
        mocap3d.calibrate(videos, lenses=blind(cameras), points=over, people="none", sync="none")
    board = board_in_view(cameras)  # not lying: without a word on the floor, nothing is asked of it
    found = mocap3d.calibrate(videos, lenses=blind(cameras), board=board.label, people="none", sync="none")
    assert found.world == "first camera"
    assert found.passed


def test_refining_undoes_a_crop_that_is_found(films, tmp_path):
    """Catches a crop that is guessed in silence, the wrong one of those that fit, and a refinement that worsens."""
    cameras = ring(3)
    K = cameras[1].K.copy()
    K[0, 2] += 40
    wide = replace(cameras[1], size_wh_px=(1960, 1080), K=K)  # the left 40 columns are cut off
    rig = (cameras[0], wide, cameras[2])
    videos = films.film(tmp_path, cameras, walkers(1, seconds=3.0))
    with pytest.raises(InputError, match=r"cam1: the lens was calibrated for pictures of 1960x1080.*left cut off"):
        mocap3d.calibrate(videos, lenses=rig, refine=True, sync="none")
    found = mocap3d.calibrate(videos, lenses=rig, refine=True, sync="none", crop={"cam1": "find"})
    assert found.views[1].crop == "left cut off"
    assert any("cam1: the crop that fits is: left cut off" in note for note in found.notes)
    assert found.views[0].crop == "as calibrated"
    assert off_m(found.cameras, cameras)[0] < 0.1
    declared = mocap3d.calibrate(videos, lenses=rig, refine=True, sync="none", crop={"cam1": "40,0"})
    np.testing.assert_allclose(centres(declared.cameras), centres(found.cameras), atol=1e-9)
    assert max(view.residual_px / view.before_px for view in declared.views) < 1.05


def test_wrong_squares_by_ten(films, board_in_view, tmp_path):
    """Catches a world ten times too large, which fits as well as the right one."""
    cameras = ring(3)
    videos = films.film(tmp_path, cameras, walkers(1, seconds=3.0))
    board = board_in_view(cameras, squares=10.0)
    with pytest.raises(CalibrationError, match=r"size: people are 1\d\.\d\d m tall.*squares"):
        mocap3d.calibrate(videos, lenses=blind(cameras), board=board.label, sync="none")
    told = mocap3d.calibrate(videos, lenses=blind(cameras), board=board.label, sync="none", gates="report")
    assert not told.passed


def test_a_bump_that_is_noticed_is_left_out(films, tmp_path):
    """Catches pictures used after the camera was moved."""
    cameras, people = ring(3), walkers(1, seconds=4.0)
    videos = films.film(tmp_path, cameras, people, moves=(1, 80))
    found = mocap3d.calibrate(videos, lenses=cameras, refine=True, sync="none")
    assert any("cam1.mp4: the camera was moved at frame 80" in note for note in found.notes)
    assert found.passed


def test_what_does_not_go_together_is_refused_at_once(films, tmp_path):
    """Catches each input that would be wrong silently, or fail deep inside."""
    cameras = ring(2)
    videos = films.film(tmp_path, cameras, walkers(1, seconds=1.0))

    def calibrate(given=videos, **options):
        return mocap3d.calibrate(given, **{"lenses": cameras, "sync": "none", **options})

    for message, options in {
        "at least 2 cameras, got 1": {"given": videos[:1]},
        "given twice": {"given": [videos[0], videos[0]]},
        "must be a list": {"given": str(videos[0])},
        "refine takes a calibrated rig": {"refine": True, "lenses": None},
        "names of pose": {"refine": ["place"]},
        "as many lenses, or one for all": {
            "lenses": [replace(camera, name=f"lens{n}") for n, camera in enumerate(ring(3))]
        },
        "nothing says what lens cam0 has": {"lenses": None},
        "say which": {"lenses": None, "lens_videos": videos},
        "sync must be": {"sync": "clap"},
        "one start in seconds": {"sync": [0.0]},
        "either fov_deg or lenses": {"fov_deg": 60.0},
        r"height_m .*sets the size": {"height_m": 1.7, "refine": True},
        "people must be": {"people": "others"},
        "how must be": {"how": "guess"},
        "needs board=": {"how": "board"},
        "no use with how='people'": {"how": "people", "points": ScenePoints(points_m=np.zeros((4, 3)), seen_px={})},
        "either lenses or lens_videos": {"lens_videos": videos, "board": BOARD},
        "floor is 'first' or 'last'": {"floor": "last"},
        "'refuse' or 'report'": {"gates": "no"},
        "names the camera 'left'": {"distance_m": ("left", "cam1", 2.0)},
        "between two cameras": {"distance_m": (1, 1, 2.0)},
        "height_m must be": {"height_m": -1.0},
        "none of cam0, cam1": {"crop": {"cam7": "centre"}, "refine": True},
        "give videos of them": {"people": "none"},
    }.items():
        with pytest.raises(InputError, match=message):
            calibrate(**options)
    with pytest.raises(CalibrationError, match="two cameras must see somebody"):
        mocap3d.calibrate(films.film(tmp_path, cameras, []), lenses=cameras, sync="none")


def test_two_names_of_one_video(films, tmp_path):
    """Catches one camera given twice: everything agrees, and no depth is known."""
    cameras = ring(2)
    twins = (cameras[0], replace(cameras[0], name="cam1"))
    videos = films.film(tmp_path, twins, walkers(1, seconds=3.0))
    with pytest.raises(CalibrationError, match="given twice"):
        mocap3d.calibrate(videos, lenses=twins, refine=True, sync="none")
    with pytest.raises(CalibrationError, match="same video given twice"):
        mocap3d.calibrate(videos, lenses=blind(twins), sync="none")


def test_people_alone(films, tmp_path):
    """Catches a rig that needs a board: places, size and floor from somebody who walks, all gates open."""
    cameras, people = ring(3, arc_deg=200.0), walkers(1, seconds=4.0)
    videos = films.film(tmp_path, cameras, people)
    found = mocap3d.calibrate(videos, lenses=blind(cameras), sync="none", height_m=1.68)
    assert (found.how, found.world, found.scale) == ("people", "people", "height")
    off, tilt = off_m(found.cameras, cameras)
    assert off < 0.1
    assert tilt < 3
    np.testing.assert_allclose(centres(found.cameras)[:, 1], centres(cameras)[:, 1], atol=0.1)
    assert not any("nobody measured the lens" in note for note in found.notes)
    guessed = mocap3d.calibrate(videos, fov_deg=cameras[0].fov_deg, sync="none", height_m=1.68)
    assert any("nobody measured the lens of cam0, cam1, cam2" in note for note in guessed.notes)
    apart = float(np.linalg.norm(np.subtract(*centres(cameras)[:2])))
    told = mocap3d.calibrate(videos, lenses=blind(cameras), sync="none", distance_m=("cam0", "cam1", apart))
    assert told.scale == "distance"
    assert float(np.linalg.norm(np.subtract(*centres(told.cameras)[:2]))) == pytest.approx(apart, rel=1e-6)


def test_a_rig_in_a_world_of_its_own(films, tmp_path):
    """Catches rigs of other programs, whose world is that of a board, refused for ever, or tilted in silence."""
    cameras = ring(3)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xz", [70, 30], degrees=True).as_matrix()
    turn[:3, 3] = [2.0, -1.0, 0.5]
    given = [replace(camera, cam_from_world=camera.cam_from_world @ np.linalg.inv(turn)) for camera in cameras]
    videos = films.film(tmp_path, cameras, walkers(1, seconds=4.0))
    with pytest.raises(CalibrationError, match=r"upright: .*`--floor people`"):
        mocap3d.calibrate(videos, lenses=given, refine=True, sync="none")
    found = mocap3d.calibrate(videos, lenses=given, refine=True, sync="none", floor="people")
    assert (found.how, found.world, found.scale) == ("refined", "people", "given cameras")
    off, tilt = off_m(found.cameras, cameras)
    assert off < 0.1
    assert tilt < 4
    np.testing.assert_allclose(centres(found.cameras)[:, 1], centres(cameras)[:, 1], atol=0.2)
    assert found.views[0].before_px is not None


def test_a_board_without_anybody(films, board_in_view, tmp_path):
    """Catches gates that are silently not asked, and beginnings that are made up where nobody moves."""
    cameras = ring(3)
    videos = films.film(tmp_path, cameras, [])
    board = board_in_view(cameras)
    options = {"lenses": blind(cameras), "board": board.label, "people": "none", "sync": np.zeros(3)}
    found = mocap3d.calibrate(videos, **options)
    assert found.world == "first camera"
    assert any(
        "nothing says where up and the floor are" in note and "nobody is seen by two" in note for note in found.notes
    )
    assert any("nobody could be asked" in note for note in found.notes)
    with pytest.raises(CalibrationError, match="motion does not tell when the videos began"):
        mocap3d.calibrate(videos, lenses=blind(cameras), board=board.label)
    with pytest.raises(InputError, match="choose 'audio', 'none' or seconds"):
        mocap3d.calibrate(videos, lenses=blind(cameras), board=board.label, people="none")


def test_people_of_another_take(films, board_in_view, tmp_path):
    """Catches a rig whose vertical was looked for in the videos of the board, though others were given."""
    cameras = ring(3)
    films.film(tmp_path, [replace(camera, name=f"board{n}") for n, camera in enumerate(cameras)], [])
    boards = [tmp_path / f"board{n}.mp4" for n in range(3)]
    walks = films.film(tmp_path, cameras, walkers(1, seconds=4.0))
    found = mocap3d.calibrate(
        boards, lenses=blind(cameras), board=board_in_view(cameras).label, sync="none", people=walks
    )
    assert found.world == "people"
    np.testing.assert_allclose(centres(found.cameras)[:, 1], centres(cameras)[:, 1], atol=0.15)
