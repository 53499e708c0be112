"""Everything that goes wrong while filming, in each way to calibrate: solved, or refused with the sentence that helps.

One camera, one camera twice, a mirrored picture, squares (or a distance, or a rig) ten times too large, videos two
seconds apart, a camera that was bumped halfway, a world upside down.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import walker
from filmed_takes import blind, centres, in_a_circle, off_m, turned, unevenly
from rigs_of_cameras import _with_face, ring

import mocap3d
from mocap3d.base.errors import CalibrationError, InputError

WAYS = ("board", "people", "refined")
SLOW = pytest.mark.slow
BOTH = [
    *[("board", 3), ("people", 2), ("refined", 2)],
    *[pytest.param(*more, marks=SLOW) for more in (("board", 2), ("people", 3), ("refined", 3))],
]


def strolling(seconds=8.0):
    """Somebody who walks around in view of all cameras, now faster, now slower."""
    joints, _ = walker.walk(seconds, 30, 1.0)
    return unevenly(in_a_circle(_with_face(joints)))


@pytest.fixture
def calibrated(films, board_in_view, tmp_path):
    """Calibrate a rig of which one thing is wrong."""

    def calibrate(way, count, *, wrong=None, sync="none"):
        cameras = ring(count, arc_deg=200.0 if count > 2 else 90.0)
        if wrong == "twice":
            cameras = (cameras[0], replace(cameras[0], name="cam1"), *cameras[2:])
        person = strolling()
        videos = films.film(
            tmp_path,
            cameras,
            [person],
            mirrored=[1] if wrong == "mirrored" else (),
            late=[0, 60, *[0] * (count - 2)] if wrong == "late" else None,
        )
        if wrong == "bumped":
            bump(films, tmp_path, cameras, person)
        options = {
            "board": lambda: board_options(board_in_view, cameras, wrong),
            "people": lambda: people_options(cameras, wrong),
            "refined": lambda: {"lenses": given(cameras, wrong), "refine": True},
        }[way]()
        return mocap3d.calibrate(videos, sync=sync, **options), cameras

    return calibrate


def board_options(board_in_view, cameras, wrong):
    board = board_in_view(
        cameras,
        squares=10.0 if wrong == "size" else 1.0,
        **{name: 1 for name in ("bumped", "mirrored", "late") if wrong == name},
    )
    return {"lenses": blind(cameras), "board": board.label}


def people_options(cameras, wrong):
    if wrong == "size":
        apart = float(np.linalg.norm(np.subtract(*centres(cameras)[:2])))
        return {"lenses": blind(cameras), "distance_m": ("cam0", "cam1", 10 * apart)}
    return {"lenses": blind(cameras), "height_m": 1.68}


def given(cameras, wrong):
    """The rig as it was given: ten times too large, or upside down."""
    if wrong not in ("size", "over"):
        return cameras
    size = np.diag([1.0, 1.0, 1.0, 0.1]) if wrong == "size" else np.eye(4)
    over = np.diag([1.0, -1.0, -1.0, 1.0]) if wrong == "over" else np.eye(4)
    over[1, 3] = 1.9 if wrong == "over" else 0.0
    rig = []
    for camera in cameras:
        pose = camera.cam_from_world @ np.linalg.inv(over)
        pose[:3, 3] /= size[3, 3]
        rig.append(replace(camera, cam_from_world=pose))
    return rig


def bump(films, folder, cameras, person):
    """The second camera looks elsewhere from the middle on."""
    before = films.stories["cam1.mp4"]
    films.film(folder, (cameras[0], turned(cameras[1]), *cameras[2:]), [person])
    after = films.stories["cam1.mp4"]
    half = len(before[0]) // 2
    films.stories["cam1.mp4"] = (before[0][:half] + after[0][half:], *before[1:])


@pytest.mark.parametrize(("way", "count"), BOTH)
def test_good_videos_are_solved(calibrated, way, count):
    """Catches a suspicion that refuses what is right."""
    found, cameras = calibrated(way, count)
    off, tilt = off_m(found.cameras, cameras)
    assert off < (0.01 if way == "board" else 0.06)
    assert tilt < 2
    assert found.passed


@pytest.mark.parametrize("way", ["points", *WAYS])
def test_one_camera(films, tmp_path, way):
    """Catches a single video that a rig is looked for in."""
    videos = films.film(tmp_path, ring(1), [strolling(1.0)])
    options = {"refine": True} if way == "refined" else {"how": way, "board": "chessboard:7x4:60mm", "points": None}
    options |= {"points": tmp_path / "p.toml"} if way == "points" else {}
    with pytest.raises(InputError, match="at least 2 cameras, got 1; one camera has only a lens"):
        mocap3d.calibrate(videos, lenses=ring(1), **options)


@pytest.mark.parametrize(("way", "count"), BOTH)
def test_one_camera_twice(calibrated, way, count):
    """Catches a copy of a video, which agrees with everything and measures no depth."""
    with pytest.raises(CalibrationError, match="same video given twice"):
        calibrated(way, count, wrong="twice")


def test_a_copy_of_a_video_is_noticed_at_once(tmp_path):
    """Catches minutes of work on two files with the same content."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"the same")
    with pytest.raises(InputError, match=r"a\.mp4 and .*b\.mp4 are the same video"):
        mocap3d.calibrate([tmp_path / "a.mp4", tmp_path / "b.mp4"], fov_deg=60.0)


@pytest.mark.parametrize(
    ("way", "count", "sentence"),
    [
        ("board", 2, "misses the board's corners.*its video is mirrored"),
        pytest.param("board", 3, "its video is mirrored", marks=SLOW),
        ("people", 2, "mirrored: one of the pictures, of camera 'cam0' or 'cam1', is mirrored, as selfie"),
        pytest.param("people", 3, "the picture of camera 'cam1' is mirrored", marks=SLOW),
        ("refined", 2, "the picture of camera 'cam1' is mirrored"),
        ("refined", 3, "the picture of camera 'cam1' is mirrored"),
    ],
)
def test_a_mirrored_picture(calibrated, way, count, sentence):
    """Catches the picture of a selfie camera: free cameras explain it well, a straight walk looks alike in it."""
    with pytest.raises(CalibrationError, match=sentence) as caught:
        calibrated(way, count, wrong="mirrored")
    if way != "board":
        assert "bumped" not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_ten_times_too_large(calibrated, way):
    """Catches millimetres taken for centimetres, which no pixel notices."""
    with pytest.raises(CalibrationError, match=r"size: people are 1\d\.\d\d m tall.*squares, the known distance"):
        calibrated(way, 2, wrong="size")


@pytest.mark.parametrize("wrong", ["size", "exchanged"])
def test_a_wrong_rig_before_several_people(films, tmp_path, wrong):
    """Catches a rig so wrong that it matches nobody, who could say what is wrong with it: a crash."""
    cameras = ring(3, arc_deg=200.0)
    person = strolling(4.0)
    videos = films.film(tmp_path, cameras, [person, person[::-1] + [0.6, 0, 0.3]])
    rig = given(cameras, wrong)
    if wrong == "exchanged":
        rig = [replace(camera, name=f"cam{(n + 1) % 3}") for n, camera in enumerate(cameras)]
    sentence = (
        r"^size: people are 16\.\d+ m tall" if wrong == "size" else "sees people .* or it belongs to another calib"
    )
    with pytest.raises(CalibrationError, match=sentence) as caught:
        mocap3d.calibrate(videos, lenses=rig, refine=True, sync="none")
    assert wrong == "exchanged" or ";" not in str(caught.value).removesuffix("; correct it and calibrate again")


@pytest.mark.parametrize(("way", "count"), BOTH)
def test_videos_two_seconds_apart(calibrated, way, count):
    """Catches other moments taken for the same: cameras that are free to move explain even a walk in a circle."""
    sentence = "mocap3d sync" if way == "board" else r"synchronous: camera 'cam[01]' shows things 2\.0\d s"
    with pytest.raises(CalibrationError, match=sentence):
        calibrated(way, count, wrong="late")


@pytest.mark.parametrize("way", ["people", "refined"])
def test_motion_mends_what_is_late(calibrated, way):
    """Catches a rig refused though the videos themselves say when they began."""
    found, cameras = calibrated(way, 3, wrong="late", sync="motion")
    assert [view.began_s for view in found.views] == pytest.approx([0, 2.0, 0], abs=0.03)
    assert off_m(found.cameras, cameras)[0] < 0.08


@pytest.mark.parametrize(
    ("way", "count"),
    [("board", 3), ("refined", 3), ("people", 3), pytest.param("people", 4, marks=SLOW)],
)
def test_a_camera_bumped_halfway(calibrated, way, count):
    """Catches a rig of which half of the take says otherwise."""
    with pytest.raises(CalibrationError, match=r"bumped|was moved"):
        calibrated(way, count, wrong="bumped")


def test_a_world_upside_down(calibrated):
    """Catches the published failure: 0.28 px of error, and everybody on their heads."""
    with pytest.raises(CalibrationError, match=r"upright: the world is upside down.*--floor people"):
        calibrated("refined", 2, wrong="over")
