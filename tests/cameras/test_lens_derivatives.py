"""Derivatives of the projection: the value is base's, the slopes are finite differences of base's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mocap3d.base.camera import Camera
from mocap3d.base.projection import project
from mocap3d.cameras.lens_derivatives import project_with_derivatives

K = np.array([[900.0, 3.0, 510.0], [0.0, 950.0, 380.0], [0.0, 0.0, 1.0]])
TILTED = [0.1, -0.2, 0.002, -0.003, 0.05, 0.02, -0.03, 0.01, 0.002, -0.001, 0.003, 0.002, 0.03, -0.02]
LENSES = [
    ("brown-conrady", []),
    ("brown-conrady", [0.1, -0.2, 0.002, -0.003]),
    ("brown-conrady", [0.1, -0.2, 0.002, -0.003, 0.05]),
    ("brown-conrady", TILTED[:8]),
    ("brown-conrady", TILTED[:12]),
    ("brown-conrady", TILTED),
    ("brown-conrady", [*TILTED[:12], 0.0, 0.0]),
    ("fisheye", [0.05, -0.01, 0.004, -0.001]),
]


def _camera(model, distortion):
    return Camera(name="a", size_wh_px=(1000, 800), K=K, model=model, distortion=np.array(distortion))


def _points():
    rng = np.random.default_rng(4)
    points = np.concatenate([rng.uniform(-0.5, 0.5, (30, 2)), rng.uniform(0.8, 3, (30, 1))], axis=1)
    return np.vstack([points, [0.0, 0.0, 2.0], [1e-7, 0.0, 1.0]])


@pytest.mark.parametrize(("model", "distortion"), LENSES)
def test_values_and_slopes_are_those_of_the_projection(model, distortion):
    """Catches a wrong term, a coefficient in another's place, and a slope of another sign."""
    camera, xyz = _camera(model, distortion), _points()
    found = project_with_derivatives(camera, xyz)
    np.testing.assert_allclose(found.xy_px, project(camera, xyz)[0], atol=1e-9)
    step = 1e-6
    for axis in range(3):
        e = step * np.eye(3)[axis]
        slope = (project(camera, xyz + e)[0] - project(camera, xyz - e)[0]) / (2 * step)
        np.testing.assert_allclose(found.by_xyz[:, :, axis], slope, rtol=1e-5, atol=2e-4)
    for index, (row, column) in enumerate([(0, 0), (1, 1), (0, 2), (1, 2)]):
        bump = np.zeros((3, 3))
        bump[row, column] = 1.0
        up, down = (project(replace(camera, K=K + s * bump), xyz)[0] for s in (1, -1))
        np.testing.assert_allclose(found.by_lens[:, :, index], (up - down) / 2, rtol=1e-6, atol=1e-8)
    for index in range(len(distortion)):
        e = step * np.eye(len(distortion))[index]
        up, down = (project(replace(camera, distortion=camera.distortion + s * e), xyz)[0] for s in (1, -1))
        np.testing.assert_allclose(found.by_lens[:, :, 4 + index], (up - down) / (2 * step), rtol=1e-5, atol=1e-4)


def test_behind_the_camera_there_is_nothing():
    """Catches points behind the camera that pull on it."""
    found = project_with_derivatives(_camera(*LENSES[4]), np.array([[0.1, 0.2, -1.0], [0.1, 0.2, 0.0]]))
    assert np.isnan(found.xy_px).all()
    assert not found.by_xyz.any()
    assert not found.by_lens.any()
