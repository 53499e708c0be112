"""Boards: as they are written, and found in pictures that were traced from a known place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from board_scenes import picture_of
from rigs_of_cameras import BROWN, looking, pixels
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.cameras.board_corners import CornerFinder
from mocap3d.cameras.boards import parse_board, read_board

BOARDS = [
    "chessboard:7x4:60mm",
    "chessboard:6x5:40mm",
    "charuco:5x4:60mm:45mm:4X4_50",
    "charuco:5x4:60mm:45mm:4X4_50:inverted",
    "charuco:5x4:60mm:45mm:4X4_50:legacy",
    "aprilgrid:3x2:80mm:24mm:36h11",
]


def _camera():
    camera = looking("a", (0, 0, 0), (0, 0, 1), focal_px=480, size_wh_px=(440, 330), lens=BROWN)
    return replace(camera, cam_from_world=np.eye(4))


def _pose(board, turn_deg=(15, -20, 5), distance_m=0.75):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    pose[:3, 3] = [0, 0, distance_m] - pose[:3, :3] @ board.points_m.mean(axis=0)
    return pose


@pytest.mark.parametrize("word", BOARDS)
@pytest.mark.parametrize("turn_deg", [(15, -20, 5), (-10, 25, 170)])
def test_corners_are_where_they_are(word, turn_deg):
    """Catches half a pixel, corners in another order, a mirrored board, and one that is begun from the wrong end."""
    board, camera = parse_board(word), _camera()
    pose = _pose(board, turn_deg)
    picture = picture_of(board, camera, pose)
    view = CornerFinder(board).find(np.repeat(picture[..., None], 3, axis=2))
    assert view is not None
    truth = pixels(camera, board.points_m @ pose[:3, :3].T + pose[:3, 3])
    off = np.linalg.norm(view.xy_px - truth[view.ids], axis=-1)
    assert len(view.ids) == len(board.points_m)
    assert off.max() < 0.5, off
    assert np.linalg.norm((view.xy_px - truth[view.ids]).mean(axis=0)) < 0.1
    assert 0.05 < view.sharpness <= 1


def test_another_board_is_not_found():
    """Catches a finder that takes what is there for what was asked."""
    camera = _camera()
    shown = parse_board("charuco:5x4:60mm:45mm:4X4_50")
    picture = picture_of(shown, camera, _pose(shown))
    for word in (
        "charuco:5x4:60mm:45mm:6X6_50",
        "charuco:5x4:60mm:45mm:4X4_50:inverted",
        "aprilgrid:3x2:80mm:24mm:36h11",
    ):
        assert CornerFinder(parse_board(word)).find(picture) is None
    assert CornerFinder(parse_board("chessboard:9x6:30mm")).find(picture) is None


def test_a_blurred_picture_is_less_sharp():
    """Catches a sharpness that measures contrast or size."""
    board, camera = parse_board(BOARDS[0]), _camera()
    sharp, blurred = (CornerFinder(board).find(picture_of(board, camera, _pose(board), blur=b)) for b in (0.6, 2.5))
    assert sharp.sharpness > 1.5 * blurred.sharpness


def test_points_count_along_rows():
    """Catches columns and rows mixed up, and a grid of tags without its gaps."""
    np.testing.assert_allclose(
        parse_board("chessboard:7x4:60mm").points_m[[0, 1, 7]], [[0, 0, 0], [0.06, 0, 0], [0, 0.06, 0]]
    )
    assert len(parse_board("charuco:5x4:60mm:45mm:4X4_50").points_m) == 12
    grid = parse_board("aprilgrid:3x2:80mm:24mm:36h11").points_m
    np.testing.assert_allclose(grid[[2, 4, 12]], [[0.08, 0.08, 0], [0.104, 0, 0], [0, 0.104, 0]])


def test_which_boards_look_the_same_upside_down():
    """Catches a chessboard that two cameras may see turned by 180 degrees."""
    assert parse_board("chessboard:6x4:60mm").can_be_turned
    assert not parse_board("chessboard:7x4:60mm").can_be_turned
    assert not parse_board(BOARDS[2]).can_be_turned


@pytest.mark.parametrize("word", BOARDS)
def test_a_label_is_read_back(word):
    """Catches a message that names another board."""
    assert parse_board(parse_board(word).label) == parse_board(word)


def test_units():
    """Catches centimetres taken for millimetres."""
    for text in ("60mm", "6cm", "0.06m"):
        assert parse_board(f"chessboard:7x4:{text}").square_m == pytest.approx(0.06)
    assert parse_board("chessboard:7x4:2in").square_m == pytest.approx(0.0508)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("chess:7x4:60mm", "a board is written as chessboard:7x4:60mm"),
        ("chessboard:7x4", "a chessboard is written as"),
        ("chessboard:7by4:60mm", "written as 7x4"),
        ("chessboard:7x4:60", "with its unit"),
        ("chessboard:7x4:60m", "cannot be meant"),
        ("chessboard:7x2:60mm", "3 to 100 columns"),
        ("chessboard:7x4:60mm:inverted", "a chessboard is written as"),
        ("charuco:5x4:60mm:65mm:4X4_50", "do not fit into squares"),
        ("charuco:5x4:60mm:4X4_50", "a charuco is written as"),
    ],
)
def test_what_is_wrong_is_said(word, message):
    """Catches a board that means nothing, in silence."""
    with pytest.raises(InputError, match=message):
        parse_board(word)


def test_unknown_and_small_dictionaries():
    """Catches an error of OpenCV's."""
    with pytest.raises(InputError, match="no dictionary is called '9X9_50'"):
        CornerFinder(parse_board("charuco:5x4:60mm:45mm:9X9_50"))
    with pytest.raises(InputError, match="too few markers"):
        CornerFinder(parse_board("charuco:15x14:60mm:45mm:4X4_50"))


def test_boards_in_files(tmp_path, shared_data):
    """Catches Caliscope's paper size taken for the board, and misspelt keys taken for defaults."""
    board = read_board(shared_data / "charuco_caliscope" / "charuco.toml")
    assert board.label == "charuco:4x5:54mm:40.5mm:4X4_1000:inverted"
    path = tmp_path / "board.toml"
    path.write_text('[board]\nkind = "chessboard"\ncolumns = 7\nrows = 4\nsquare_mm = 60\n')
    assert parse_board(path) == parse_board("chessboard:7x4:60mm")
    for text, message in (
        ('kind = "chessboard"\ncolums = 7\n', "no 'colums'"),
        ('kind = "chess"\n', "kind must be one of"),
        ('kind = "chessboard"\ncolumns = 7\nrows = 4\nsquare_mm = "60"\n', "square_mm must be a number"),
        ("columns = 4\naruco_scale = 0.75\n", "square_size_override_cm is missing"),
        ("kind = ", "not a TOML file"),
    ):
        path.write_text(text)
        with pytest.raises(FileFormatError, match=message):
            parse_board(path)
    with pytest.raises(InputError, match="cannot read"):
        parse_board(tmp_path / "none.toml")
