"""The first guess of a focal length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from board_scenes import board_poses_before, seen_boards
from rigs_of_cameras import looking

from mocap3d.cameras.boards import parse_board
from mocap3d.cameras.lens_start import zhang_focal_px

BOARD = parse_board("chessboard:9x6:40mm")


@pytest.mark.parametrize("focal_px", [500.0, 1000.0, 3000.0])
def test_exact_without_distortion(focal_px):
    """Catches a homography the wrong way round, and a normalisation that is not undone."""
    camera = looking("a", (0, 0, 0), (0, 0, 1), focal_px=focal_px, size_wh_px=(1280, 720))
    camera = replace(camera, cam_from_world=np.eye(4))
    poses = board_poses_before(12, sideways=200 / focal_px, distance_m=(0.0007 * focal_px, 0.001 * focal_px))
    views = [view for view in seen_boards(camera, BOARD, poses) if view is not None and len(view.ids) > 20]
    assert len(views) > 4
    assert zhang_focal_px(BOARD, views, camera.K[:2, 2]) == pytest.approx(focal_px, rel=1e-6)


def test_frontal_views_have_no_answer_or_a_wild_one():
    """Catches a crash on what no focal length can be read from."""
    camera = looking("a", (0, 0, 0), (0, 0, 1), focal_px=1000, size_wh_px=(1280, 720))
    camera = replace(camera, cam_from_world=np.eye(4))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 2, 3] = [0.5, 0.7, 0.9]
    found = zhang_focal_px(BOARD, seen_boards(camera, BOARD, poses), camera.K[:2, 2])
    assert found is None or found > 0
