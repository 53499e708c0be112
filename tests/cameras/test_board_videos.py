"""A board in several videos at common moments."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from board_scenes import picture_of
from rigs_of_cameras import looking

from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.cameras.board_videos import boards_in_videos
from mocap3d.cameras.boards import parse_board

BOARD = parse_board("chessboard:5x4:60mm")
CAMERA = replace(looking("a", (0, 0, 0), (0, 0, 1), focal_px=260, size_wh_px=(320, 240)), cam_from_world=np.eye(4))


def _picture(x_m):
    pose = np.eye(4)
    pose[:3, 3] = [x_m, 0, 0.7] - BOARD.points_m.mean(axis=0)
    return picture_of(BOARD, CAMERA, pose)


@pytest.fixture(scope="module")
def pictures():
    """The board moves to the right by 2 cm a frame (at 10 frames per second)."""
    return [_picture(-0.1 + 0.02 * n) for n in range(10)]


def _video(path, pictures, fps):
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"crf": "12"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=2), format="rgb24")
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def _middles(row):
    return np.array([view.xy_px[:, 0].mean() for view in row])


def test_the_same_moments_of_videos_that_began_apart(tmp_path, pictures):
    """Catches an offset with the wrong sign, and frame numbers where times were meant (20 beside 10 per second)."""
    first = _video(tmp_path / "a.mp4", pictures, 10)
    second = _video(tmp_path / "b.mp4", [pictures[n // 2] for n in range(6, 20)], 20)
    a, b = boards_in_videos([first, second], BOARD, offsets_s=[0.0, 0.3])
    assert len(a) == len(b) == 7
    np.testing.assert_allclose(_middles(a), _middles(b), atol=0.3)
    assert _middles(a)[-1] > _middles(a)[0] + 30
    with pytest.raises(InputError, match="no moment in common"):
        boards_in_videos([first, second], BOARD, offsets_s=[0.0, 30.0])
    with pytest.raises(InputError, match="a time for each of 2"):
        boards_in_videos([first, second], BOARD, offsets_s=[0.0])
    assert len(boards_in_videos([first, second], BOARD, most=4)[0]) == 4


def test_folders_of_photos(tmp_path, pictures):
    """Catches photos of different moments put together."""
    for name, count in (("a", 3), ("b", 3), ("c", 2)):
        (tmp_path / name).mkdir()
        for n in range(count):
            cv2.imwrite(str(tmp_path / name / f"{n}.png"), pictures[n])
    rows = boards_in_videos([tmp_path / "a", tmp_path / "b"], BOARD)
    assert [len(row) for row in rows] == [3, 3]
    with pytest.raises(InputError, match="as many photos"):
        boards_in_videos([tmp_path / "a", tmp_path / "c"], BOARD)
    with pytest.raises(InputError, match="calibrated for 1920x1080: declare the crop"):
        boards_in_videos([tmp_path / "a", tmp_path / "b"], BOARD, sizes_wh_px=[(320, 240), (1920, 1080)])
    with pytest.raises(CalibrationError, match="is in none of 3 pictures"):
        boards_in_videos([tmp_path / "a", tmp_path / "b"], "charuco:5x4:60mm:45mm:4X4_50")
