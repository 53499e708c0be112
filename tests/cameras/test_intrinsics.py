"""Lenses from boards: known lenses come back, views that leave a lens open are refused with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from board_scenes import board_poses_before, picture_of, seen_boards
from rigs_of_cameras import BROWN, FISHEYE, looking

from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.projection import px_to_rays
from mocap3d.cameras.boards import BoardView, parse_board
from mocap3d.cameras.intrinsics import calibrate_lens, lens_from_views
from mocap3d.cameras.lens_views import SeenBoard, chosen, coverage

BOARD = parse_board("chessboard:9x6:40mm")
SIZE = (1280, 720)


def _camera(lens=BROWN, focal_px=950.0, centre_px=(652.0, 344.0)):
    camera = looking("a", (0, 0, 0), (0, 0, 1), focal_px=focal_px, size_wh_px=SIZE, lens=lens)
    K = camera.K.copy()
    K[:2, 2] = centre_px
    return replace(camera, K=K, cam_from_world=np.eye(4))


def _seen(camera, count=25, noise_px=0.2, board=BOARD, **where):
    views = seen_boards(camera, board, board_poses_before(count, **where), noise_px=noise_px)
    return [SeenBoard(frame=n, view=view) for n, view in enumerate(views) if view is not None]


@pytest.mark.parametrize(("lens", "model"), [(BROWN, "brown-conrady"), ((), "brown-conrady"), (FISHEYE, "fisheye")])
@pytest.mark.parametrize("focal_px", [600.0, 950.0, 2200.0])
def test_a_known_lens_comes_back(lens, model, focal_px):
    """Catches a wrong start for wide and long lenses, and deviations that are not what they say."""
    camera = _camera(lens, focal_px)
    sideways, near = 0.5 * 950 / focal_px, focal_px / 950
    seen = _seen(camera, 30, sideways=sideways, distance_m=(0.5 * near, 1.1 * near))
    result = lens_from_views(seen, BOARD, SIZE, model=model)
    found = result.camera.K
    assert abs(found[0, 0] / focal_px - 1) < max(5 * result.focal_std[0], 0.001) < 0.03
    assert abs(found[1, 1] / focal_px - 1) < max(5 * result.focal_std[1], 0.001)
    assert (np.abs(found[:2, 2] - camera.K[:2, 2]) < np.maximum(5 * np.array(result.principal_std_px), 0.5)).all()
    assert result.rms_px == pytest.approx(0.2 * np.sqrt(2), rel=0.15)
    corners = [(100, 100), (1180, 100), (640, 620), (300, 400)]
    rays, truth = px_to_rays(result.camera, corners), px_to_rays(camera, corners)
    turn = np.linalg.norm(
        rays / np.linalg.norm(rays, axis=1, keepdims=True) - truth / np.linalg.norm(truth, axis=1, keepdims=True),
        axis=1,
    )
    assert turn.max() < 0.012
    assert all(view.rms_px < 0.6 and 0.2 < view.distance_m < 3 * near for view in result.views)


def test_a_wrong_detection_is_left_out():
    """Catches one bad picture that spoils the lens."""
    camera = _camera()
    seen = [item for item in _seen(camera) if len(item.view.ids) > 20]
    spoiled = seen[3].view
    seen[3] = SeenBoard(
        frame=333,
        view=replace(
            spoiled, xy_px=spoiled.xy_px + np.random.default_rng(7).normal(0, 15, (54, 2))[: len(spoiled.ids)]
        ),
    )
    result = lens_from_views(seen, BOARD, SIZE)
    assert result.left_out == (333,)
    assert abs(result.camera.K[0, 0] / 950 - 1) < 0.005


def test_boards_held_flat_are_refused():
    """Catches a focal length made of nothing: every one fits frontal views perfectly."""
    with pytest.raises(CalibrationError, match=r"faces the camera in nearly all pictures.*tilt it"):
        lens_from_views(_seen(_camera(), tilt_deg=3), BOARD, SIZE)


def test_pictures_that_are_few_and_far_away_are_refused():
    """Catches a lens believed for its tilts and its coverage, while the focal length is open by a tenth."""
    seen = _seen(_camera(()), 6, noise_px=1.5, distance_m=(1.5, 2.5), sideways=0.6)
    with pytest.raises(CalibrationError, match=r"5 pictures leave the focal length open by 1\d.\d%.*film the board"):
        lens_from_views(seen, BOARD, SIZE)


def test_a_picture_folded_back_is_refused():
    """Catches distortion that fits the middle of the picture, and shows the room twice at its edge."""
    seen = _seen(_camera((-0.45, 0.0, 0.0, 0.0, 0.0), 620.0, (640, 360)), 30, noise_px=0.1, sideways=0.3)
    with pytest.raises(CalibrationError, match="folds the picture back before its edge"):
        lens_from_views(seen, BOARD, SIZE)


def test_one_corner_of_the_picture_is_refused():
    """Catches a distortion that is extrapolated over the rest of the picture."""
    camera = _camera()
    poses = board_poses_before(25, sideways=0.03, distance_m=(1.2, 1.6))
    poses[:, :2, 3] += np.array([-0.32, -0.18]) * poses[:, 2:3, 3]
    seen = [SeenBoard(frame=n, view=v) for n, v in enumerate(seen_boards(camera, BOARD, poses, noise_px=0.2)) if v]
    with pytest.raises(CalibrationError, match="of the picture, which says nothing about the lens elsewhere"):
        lens_from_views(seen, BOARD, SIZE)


def test_too_few_views_are_refused():
    """Catches a lens from a picture or two."""
    with pytest.raises(CalibrationError, match="in 2 pictures; at least 4 are needed"):
        lens_from_views(_seen(_camera())[:2], BOARD, SIZE)


def test_the_wrong_board_is_refused():
    """Catches rectangles taken for squares: a board of another shape leaves a large residual."""
    seen = _seen(_camera())
    stretched = [replace(item, view=replace(item.view, xy_px=item.view.xy_px)) for item in seen]
    wrong = parse_board("chessboard:6x9:40mm")  # the same number of corners, in other places
    with pytest.raises(CalibrationError, match=r"is not chessboard:6x9|is it chessboard:6x9|no camera has"):
        lens_from_views(stretched, wrong, SIZE)


def test_a_model_that_does_not_exist():
    """Catches a misspelt model taken for the default."""
    with pytest.raises(InputError, match="model must be"):
        lens_from_views(_seen(_camera()), BOARD, SIZE, model="pinhole")


def test_views_are_chosen_sharp_and_spread():
    """Catches forty pictures of one place, and blurred ones where sharp ones are."""
    camera = _camera()
    still = _seen(camera, 3, sideways=0.0) * 30
    spread = _seen(camera, 12)
    blurred = [SeenBoard(frame=item.frame + 500, view=replace(item.view, sharpness=0.02)) for item in _seen(camera, 12)]
    everything = [replace(item, frame=n) for n, item in enumerate([*still, *spread, *blurred])]
    taken = chosen(everything, BOARD, SIZE, 14)
    kinds = np.digitize([item.frame for item in taken], [len(still), len(still) + len(spread)])
    assert np.bincount(kinds, minlength=3)[1] >= 8
    assert np.bincount(kinds, minlength=3)[2] <= 1
    assert len(chosen(everything, BOARD, SIZE, 500)) == len(everything)


def test_coverage_is_a_share_of_the_picture():
    """Catches x and y mixed up, and a board that covers only its corners."""
    corners = np.array([[100.0, 100.0], [600.0, 100.0], [100.0, 350.0], [600.0, 350.0]])
    view = BoardView(ids=np.arange(4), xy_px=corners, sharpness=0.3)
    assert coverage([view], (1280, 720)) == pytest.approx(8 / 64)
    assert coverage([], (1280, 720)) == 0


def test_pictures_without_the_board_are_refused(tmp_path):
    """Catches a lens from nothing, and frames of two cameras."""
    gray = np.full((120, 160, 3), 128, np.uint8)
    with pytest.raises(CalibrationError, match=r"is in none of 3 pictures.*inner corners"):
        calibrate_lens([gray] * 3, BOARD)
    with pytest.raises(InputError, match="picture 1 is 80x120"):
        calibrate_lens([gray, gray[:, :80]], BOARD)
    with pytest.raises(InputError, match="no pictures"):
        calibrate_lens([], BOARD)


def test_from_pictures_to_a_lens():
    """Catches corners and lens that disagree about where a pixel's centre is: the principal point would be off."""
    board = parse_board("chessboard:5x4:60mm")
    camera = looking("a", (0, 0, 0), (0, 0, 1), focal_px=260, size_wh_px=(320, 240))
    camera = replace(camera, cam_from_world=np.eye(4))
    poses = board_poses_before(12, distance_m=(0.35, 0.6), sideways=0.2, seed=5)
    for pose in poses:
        pose[:3, 3] -= pose[:3, :3] @ board.points_m.mean(axis=0)
    pictures = [np.repeat(picture_of(board, camera, pose)[..., None], 3, axis=2) for pose in poses]
    result = calibrate_lens(pictures, board)
    np.testing.assert_allclose(np.diag(result.camera.K)[:2], 260, rtol=0.015)
    np.testing.assert_allclose(result.camera.K[:2, 2], camera.K[:2, 2], atol=3)


def test_the_photos_of_four_real_cameras(shared_data):
    """Catches what synthetic pictures leave out: focal lengths within 1.5 % of those that came with the photos."""
    from mocap3d.cameras.files import read_cameras

    folder = shared_data / "multiview_pose2sim" / "calibration"
    shipped = read_cameras(folder / "Calib.qca.txt")
    photos = folder / "intrinsics" / "int_cam02_img"
    result = calibrate_lens(photos, "chessboard:4x7:60mm")
    assert result.camera.size_wh_px == shipped[1].size_wh_px
    np.testing.assert_allclose(np.diag(result.camera.K)[:2], np.diag(shipped[1].K)[:2], rtol=0.015)
    assert result.rms_px < 0.5
