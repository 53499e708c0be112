from __future__ import annotations

import numpy as np
import pytest

from mocap3d.train.virtual_cameras import CameraSettings, into_camera, look_at, random_poses


def test_what_a_camera_looks_at_is_in_the_middle_and_up_is_up():
    """Catches a camera that looks away, stands on its head, or mirrors."""
    position, aim = np.array([[0.0, 1.0, 5.0]]), np.array([[0.0, 1.0, 0.0]])
    pose = look_at(position, aim, np.zeros(1))
    points = np.array([[[[0, 1, 0], [0, 2, 0], [1, 1, 0]]]], dtype=float)  # aim, above it, beside it
    (seen,) = into_camera(pose, points)
    np.testing.assert_allclose(seen[0, 0], [[0, 0, 5], [0, -1, 5], [1, 0, 5]], atol=1e-12)
    rolled = look_at(position, aim, np.array([np.pi / 2]))
    assert np.linalg.det(rolled[0, :3, :3]) == pytest.approx(1)
    np.testing.assert_allclose(np.abs(into_camera(rolled, points)[0][0, 0, 1]), [1, 0, 5], atol=1e-12)


def test_cameras_stand_where_the_settings_say():
    """Catches ranges in other units, or cameras on one side only."""
    settings = CameraSettings(any_roll=0)
    person = np.tile([3.0, 0.9, -2.0], (4000, 1))
    pose = random_poses(np.random.default_rng(0), person, settings)
    position = -np.einsum("bji,bj->bi", pose[:, :3, :3], pose[:, :3, 3])
    beside = position - person
    distance = np.hypot(beside[:, 0], beside[:, 2])
    assert distance.min() == pytest.approx(1.8, abs=0.05)
    assert distance.max() == pytest.approx(10, abs=0.1)
    assert position[:, 1].min() == pytest.approx(0.2, abs=0.05)
    assert position[:, 1].max() == pytest.approx(3.5, abs=0.05)
    quadrant = np.histogram(np.arctan2(beside[:, 0], beside[:, 2]), bins=4, range=(-np.pi, np.pi))[0]
    assert quadrant.min() > 850
    right = pose[:, 0, :3]  # the picture's x axis in the world: its height is the roll
    assert np.abs(np.arcsin(right[:, 1])).max() < 0.31


def test_nobody_comes_through_the_camera():
    """Catches joints behind the camera, whose rays point backwards."""
    pose = look_at(np.array([[0.0, 1.0, 1.0]]), np.array([[0.0, 1.0, 0.0]]), np.zeros(1))
    running = np.zeros((1, 10, 2, 3)) + np.linspace(-2, 4, 10)[None, :, None, None] * [0, 0, 1.0]
    a, b = into_camera(pose, running, running + [0, 0, 0.1])
    assert min(a[..., 2].min(), b[..., 2].min()) == pytest.approx(0.6)
    np.testing.assert_allclose(b - a, np.broadcast_to([0, 0, -0.1], a.shape), atol=1e-12)  # both were pushed alike
