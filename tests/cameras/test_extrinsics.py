"""Rigs from a board that pairs saw: known rigs come back, what is not connected is refused by name."""

from __future__ import annotations

import importlib
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from board_scenes import seen_boards
from rigs_of_cameras import BROWN, ring
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.procrustes import align
from mocap3d.base.projection import project
from mocap3d.cameras.boards import parse_board, read_board
from mocap3d.cameras.extrinsics import calibrate_rig
from mocap3d.cameras.files import read_cameras
from mocap3d.cameras.world_placement import first_camera_upright, moved_rig, on_floor, with_gravity

BOARD = parse_board("charuco:8x6:80mm:60mm:5X5_100")


def _rig(count=4, arc_deg=200.0):
    return ring(count, radius_m=3.0, arc_deg=arc_deg, lens=BROWN, focal_px=1100)


def _boards(towards, per_camera=6, seed=3):
    """Boards near the middle that face the camera, or the gap between two cameras, in turn."""
    rng = np.random.default_rng(seed)
    poses = []
    for target in towards:
        for _ in range(per_camera):
            middle = np.array([0, 1.0, 0]) + rng.uniform(-0.4, 0.4, 3)
            forward = middle - target  # a board's +z looks away from who sees it
            forward /= np.linalg.norm(forward)
            right = np.cross([0.0, 1.0, 0.0], forward)
            right /= np.linalg.norm(right)
            pose = np.eye(4)
            turn = Rotation.from_rotvec(rng.uniform(-0.5, 0.5, 3)).as_matrix()
            pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward]) @ turn
            pose[:3, 3] = middle
            poses.append(pose)
    return poses


def _centres(cameras):
    return np.array([camera.world_from_cam[:3, 3] for camera in cameras])


def _scene(cameras, noise_px=0.2, only=None):
    """Each board is seen by two neighbouring cameras alone, however many could."""
    centres = _centres(cameras)
    pairs = only or [(n, n + 1) for n in range(len(cameras) - 1)]
    poses, rows = [], [[] for _ in cameras]
    for i, j in pairs:
        own = _boards([(centres[i] + centres[j]) / 2], seed=10 * i + j)
        poses += own
        for c, camera in enumerate(cameras):
            views = seen_boards(camera, BOARD, own, noise_px=noise_px, seed=c + 5)
            rows[c] += views if c in (i, j) else [None] * len(own)
    return rows, poses


def _blind(cameras):
    return [replace(camera, cam_from_world=np.eye(4)) for camera in cameras]


def test_pairs_at_different_times_make_a_rig():
    """Catches poses that are chained the wrong way, and a scale that is not the board's."""
    cameras = _rig()
    seen, _ = _scene(cameras)
    rig = calibrate_rig(_blind(cameras), seen, BOARD)
    truth = _centres(cameras)
    rigid = align(truth, _centres(rig.cameras), scaled=False)
    assert np.abs(rigid.apply(_centres(rig.cameras)) - truth).max() < 0.01
    for found, known in zip(rig.cameras, cameras, strict=True):
        turned = found.world_from_cam[:3, :3]
        off = (rigid.rotation @ turned).T @ known.world_from_cam[:3, :3]
        assert np.degrees(Rotation.from_matrix(off).magnitude()) < 0.2
    assert rig.rms_px == pytest.approx(0.2 * np.sqrt(2), rel=0.2)
    assert [(pair.first, pair.second, pair.used) for pair in rig.pairs] == [(0, 1, True), (1, 2, True), (2, 3, True)]
    assert max(rig.position_std_m) < 0.02
    # The world: the first camera at the origin, looking along -Z, upright.
    np.testing.assert_allclose(rig.cameras[0].world_from_cam[:3], np.eye(4)[:3] * [1, -1, -1, 1], atol=1e-9)


def test_cameras_that_nothing_connects_are_named():
    """Catches two rigs in one file, each with an origin of its own."""
    cameras = _rig()
    seen, _ = _scene(cameras, only=[(0, 1), (2, 3)])
    with pytest.raises(CalibrationError, match=r"cam0 and cam1 with cam2 and cam3.*where their views overlap"):
        calibrate_rig(_blind(cameras), seen, BOARD)


def test_corners_that_fit_nothing_are_left_out():
    """Catches a few wrong detections that bend the whole rig."""
    cameras = _rig()
    seen, _ = _scene(cameras)
    rng = np.random.default_rng(4)
    for row in seen:
        for t, view in enumerate(row):
            if view is not None and rng.random() < 0.15:
                row[t] = replace(view, xy_px=view.xy_px + np.where(rng.random(len(view.ids)) < 0.2, 60.0, 0.0)[:, None])
    rig = calibrate_rig(_blind(cameras), seen, BOARD)
    truth = _centres(cameras)
    assert np.abs(align(truth, _centres(rig.cameras), scaled=False).apply(_centres(rig.cameras)) - truth).max() < 0.015
    assert 0 < rig.left_out < 0.1


def test_a_board_on_the_floor_is_the_world():
    """Catches a world that stands on its head, and a floor that is not at y = 0."""
    cameras = _rig(3, arc_deg=120)
    seen, _ = _scene(cameras)
    floor = np.eye(4)
    floor[:3, :3] = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # its face, -z, looks up
    floor[:3, 3] = [0.1, 0.0, 0.2]
    lying = [seen_boards(camera, BOARD, [floor], facing=False)[0] for camera in cameras]
    assert all(view is not None for view in lying)
    rows = [[*row, view] for row, view in zip(seen, lying, strict=True)]
    rig = calibrate_rig(_blind(cameras), rows, BOARD, floor_time=len(rows[0]) - 1)
    np.testing.assert_allclose(_centres(rig.cameras)[:, 1], _centres(cameras)[:, 1], atol=0.02)
    np.testing.assert_allclose(rig.world_from_board[len(rows[0]) - 1][1], [0, 0, -1, 0], atol=1e-9)
    for camera in rig.cameras:
        assert (camera.world_from_cam[:3, 1] @ [0, 1, 0]) < 0  # down in the picture is down
    with pytest.raises(CalibrationError, match="no camera saw the board at time"):
        calibrate_rig(_blind(cameras), [[*row, None] for row in rows], BOARD, floor_time=len(rows[0]))


def test_what_does_not_fit_is_said():
    """Catches an index error, and a board that two cameras may hold the other way up."""
    cameras = _rig(2, arc_deg=60)
    with pytest.raises(InputError, match="at least 2"):
        calibrate_rig(cameras[:1], [[None]], BOARD)
    with pytest.raises(InputError, match="one row for each of 2"):
        calibrate_rig(cameras, [[None]], BOARD)
    with pytest.raises(InputError, match="floor_time"):
        calibrate_rig(cameras, [[None], [None]], BOARD, floor_time=1)
    with pytest.raises(CalibrationError, match="looks the same upside down"):
        calibrate_rig(cameras, [[None], [None]], parse_board("chessboard:6x4:60mm"))
    with pytest.raises(CalibrationError, match="nothing connects cam0 with cam1"):
        calibrate_rig(cameras, [[None], [None]], BOARD)


def test_placements_move_the_world_and_nothing_else():
    """Catches a placement that mirrors, or moves cameras against each other."""
    cameras = _rig(3)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 3)) + [0, 1, 0]
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_rotvec([0.3, -0.8, 1.1]).as_matrix()
    turn[:3, 3] = [1, 2, 3]
    moved = moved_rig(cameras, turn)
    for before, after in zip(cameras, moved, strict=True):
        np.testing.assert_allclose(project(after, points @ turn[:3, :3].T + turn[:3, 3])[0], project(before, points)[0])
    down_in_first = cameras[0].cam_from_world[:3, :3] @ [0, -1, 0]
    for placed in (with_gravity(moved, down_in_first, camera=0), with_gravity(moved, turn[:3, :3] @ [0, -1, 0])):
        heights = _centres(placed)[:, 1] - _centres(placed)[0, 1]
        np.testing.assert_allclose(heights, _centres(cameras)[:, 1] - _centres(cameras)[0, 1], atol=1e-9)
        forward = placed[0].world_from_cam[:3, 2]
        assert forward[2] < -0.5
        assert abs(forward[0]) < 1e-9
    np.testing.assert_allclose(_centres(first_camera_upright(moved))[0], 0, atol=1e-12)
    floor = np.eye(4)
    floor[:3, :3] = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    np.testing.assert_allclose(_centres(on_floor(moved, turn @ floor))[:, 1], _centres(cameras)[:, 1], atol=1e-9)
    floor[1, 3] = _centres(cameras)[:, 1].mean()
    with pytest.raises(CalibrationError, match="both sides of the board's plane"):
        on_floor(cameras, floor)
    with pytest.raises(InputError, match="must be a direction"):
        with_gravity(cameras, [0, 0, 0])
    with pytest.raises(InputError, match="camera must be below 3"):
        with_gravity(cameras, [0, 0, 1], camera=3)


@pytest.mark.slow
def test_four_real_videos_of_a_moving_board(shared_data, monkeypatch):
    """Catches what synthetic boards leave out: the shipped cameras, solved from the same videos, are the measure."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")
    calibrate = importlib.import_module("calibrate")
    folder = shared_data / "charuco_caliscope"
    board, shipped = read_board(folder / "charuco.toml"), read_cameras(folder / "camera_array.toml")
    seen = calibrate.sights(folder / "calibration" / "extrinsic", board, len(shipped))
    rig = calibrate_rig(_blind(shipped), seen, board)
    for i, j in combinations(range(4), 2):
        ours, theirs = (c[j].cam_from_world @ c[i].world_from_cam for c in (rig.cameras, shipped))
        assert np.linalg.norm(ours[:3, 3]) == pytest.approx(np.linalg.norm(theirs[:3, 3]), rel=0.02)
        assert np.degrees(Rotation.from_matrix(ours[:3, :3] @ theirs[:3, :3].T).magnitude()) < 1
    # Times that ours are solved without, and the shipped cameras have seen: no worse all the same.
    for figure in calibrate.held_out(shipped, seen, board):
        assert figure.ours <= figure.against, figure
