"""Takes of made-up videos, and a lifter that is right but for a smooth error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from board_scenes import seen_boards
from filmed_takes import Films, turned
from scipy.spatial.transform import Rotation

from mocap3d.calibration import seen, starts
from mocap3d.cameras.boards import BoardView, parse_board

BOARD = "charuco:8x6:80mm:60mm:5X5_100"


@pytest.fixture
def films(monkeypatch):
    """Videos without pictures; see ``filmed_takes``."""
    made = Films()
    made.install(monkeypatch, seen, starts)
    return made


def flipped(view, width):
    """What would be found in the mirrored picture of a board without markers."""
    return BoardView(ids=view.ids, xy_px=np.abs([width - 1, 0] - view.xy_px), sharpness=view.sharpness)


@pytest.fixture
def board_in_view(monkeypatch):
    """Put a board before cameras, at rest at 24 places: what `boards_in_videos` would find."""

    def show(cameras, *, board=BOARD, squares=1.0, bumped=None, mirrored=None, late=None, floor=False):
        true = parse_board(board)
        rng = np.random.default_rng(4)
        poses = []
        for n in range(24):
            turn = Rotation.from_euler("yxz", [n * 0.5, rng.uniform(-0.5, 0.5), rng.uniform(-0.4, 0.4)])
            pose = np.eye(4)
            pose[:3, :3] = turn.as_matrix() @ np.diag([1, -1, -1])
            pose[:3, 3] = np.array([0, 1.1, 0]) + rng.uniform(-0.3, 0.3, 3)
            poses.append(pose)
        if floor:  # its face up: +z of a board points away from whoever looks at it
            pose = np.eye(4)
            pose[:3, :3] = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
            poses.append(pose)
        rows = []
        for c, camera in enumerate(cameras):
            views = seen_boards(camera, true, poses, noise_px=0.2, seed=c, facing=False)
            if bumped == c:
                views[12:] = seen_boards(turned(camera), true, poses[12:], noise_px=0.2, seed=c, facing=False)
            if mirrored == c:
                views = [None if view is None else flipped(view, camera.size_wh_px[0]) for view in views]
            if late == c:
                views = [*views[4:], *[None] * 4]
            rows.append(views)

        def find(sources, described, **_):
            assert len(sources) == len(cameras)
            return rows

        monkeypatch.setattr("mocap3d.cameras.board_videos.boards_in_videos", find)
        return replace(true, square_m=true.square_m * squares, marker_m=true.marker_m * squares)

    return show
