"""Cameras from measured points of the scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import BROWN, pixels, ring

from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.cameras.scene_points import cameras_from_points

# The corners of a court, a crossing in it, and the tops of two posts.
POINTS = np.array(
    [[-2, 0, -2], [2, 0, -2], [2, 0, 2], [-2, 0, 2], [0.3, 0, -0.4], [-1, 1.5, 0], [1.2, 1.1, 0.6], [0, 0, 1.5]], float
)


def _scene(points=POINTS, noise_px=0.5, seed=0):
    cameras = ring(3, radius_m=7, height_m=2.2, lens=BROWN, focal_px=900)
    rng = np.random.default_rng(seed)
    xy = np.stack([pixels(camera, points) for camera in cameras])
    blind = [replace(camera, cam_from_world=np.eye(4)) for camera in cameras]
    return cameras, blind, xy + noise_px * rng.normal(size=xy.shape)


def _off_m(found, cameras):
    return [
        np.linalg.norm(a.world_from_cam[:3, 3] - b.world_from_cam[:3, 3]) for a, b in zip(found, cameras, strict=True)
    ]


def test_cameras_stand_where_they_stand():
    """Catches a world that is not the one in which the points were measured."""
    cameras, blind, xy = _scene()
    solution = cameras_from_points(blind, POINTS, xy, clicked_px=0.5, points_std_m=0.002)
    assert max(_off_m(solution.cameras, cameras)) < 0.03
    assert not solution.wrong.any()
    assert np.nanmax(solution.residuals_px) < 3
    assert solution.moved_m.max() < 0.01
    assert 0.0005 < max(solution.position_std_m) < 0.03


def test_points_of_one_plane_suffice():
    """Catches a method that needs height, and the mirrored pose that a plane allows."""
    cameras, blind, xy = _scene(POINTS[[0, 1, 2, 3, 4, 7]])
    solution = cameras_from_points(blind, POINTS[[0, 1, 2, 3, 4, 7]], xy, clicked_px=0.5, points_std_m=0.002)
    assert max(_off_m(solution.cameras, cameras)) < 0.05


def test_a_wrong_click_is_found():
    """Catches a camera that is bent to one wrong click."""
    cameras, blind, xy = _scene()
    xy[1, 4] += [150.0, -80.0]
    xy[2, [0, 5]] = np.nan
    solution = cameras_from_points(blind, POINTS, xy, clicked_px=1.0, points_std_m=0.002)
    assert np.argwhere(solution.wrong).tolist() == [[1, 4]]
    assert max(_off_m(solution.cameras, cameras)) < 0.05
    assert np.isnan(solution.residuals_px[2, 0])
    assert solution.residuals_px[1, 4] > 100


def test_a_badly_measured_point_moves():
    """Catches points held as if tapes did not lie."""
    cameras, blind, xy = _scene(noise_px=0.2)
    measured = POINTS.copy()
    measured[6] += [0.03, 0, 0]
    solution = cameras_from_points(blind, measured, xy, clicked_px=0.5, points_std_m=0.02)
    assert np.argmax(solution.moved_m) == 6
    assert max(_off_m(solution.cameras, cameras)) < 0.05


def test_what_cannot_be_solved_is_said():
    """Catches a pose made of three points, of a line, or of points in another order."""
    _, blind, xy = _scene()
    few = xy.copy()
    few[1, 3:] = np.nan
    with pytest.raises(CalibrationError, match="cam1: 3 measured points are in its picture; at least 4"):
        cameras_from_points(blind, POINTS, few)
    line = np.linspace([0, 0, 0], [3, 0, 0], 6)
    with pytest.raises(CalibrationError, match="on a line"):
        cameras_from_points(blind, line, np.stack([pixels(c, line) for c in ring(3, radius_m=7)]))
    with pytest.raises(CalibrationError, match="numbered as they were measured"):
        cameras_from_points(
            blind, POINTS, np.random.default_rng(1).uniform(0, 1000, xy.shape), clicked_px=0.1, points_std_m=1e-4
        )
    with pytest.raises(InputError, match="shape"):
        cameras_from_points(blind, POINTS, xy[:2])
    with pytest.raises(InputError, match="NaN"):
        cameras_from_points(blind, np.full((8, 3), np.nan), xy)
    with pytest.raises(InputError, match="above 0"):
        cameras_from_points(blind, POINTS, xy, clicked_px=0)
