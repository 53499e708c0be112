"""Triangulation against points that are known, and against per-point least squares written apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs_of_cameras import BROWN, FISHEYE, looking, pixels, ring
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.consensus import triangulate_robust
from mocap3d.base.errors import InputError
from mocap3d.base.triangulation import covariance_m2, px_per_m, reprojection_px, triangulate

LENSES = {"pinhole": (), "brown": BROWN, "fisheye": FISHEYE}


def some_points(count: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform([-1.5, 0, -1.5], [1.5, 2, 1.5], (count, 3))


def shown(cameras: tuple[Camera, ...], xyz_m: np.ndarray) -> np.ndarray:
    return np.stack([pixels(camera, xyz_m) for camera in cameras])


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
@pytest.mark.parametrize("count", [2, 3, 8])
def test_finds_the_points_that_made_the_pixels(count: int, lens: tuple[float, ...]) -> None:
    """Catches a transposed rotation, a wrong sign on a right side, distortion undone only roughly."""
    cameras, truth = ring(count, lens=lens), some_points()
    np.testing.assert_allclose(triangulate(cameras, shown(cameras, truth)), truth, atol=1e-7)


@given(st.integers(0, 10**6), st.floats(-1000, 1000))
def test_moves_with_the_world(seed: int, far_m: float) -> None:
    """Catches a world origin that plays a role: digits lost far away, a translation left out."""
    rng = np.random.default_rng(seed)
    cameras, truth = ring(3, lens=BROWN), some_points(20, seed)
    seen = shown(cameras, truth) + rng.normal(0, 3, (3, 20, 2))
    world_from_old = np.eye(4)
    world_from_old[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    world_from_old[:3, 3] = far_m * rng.normal(size=3)
    inverse = np.linalg.inv(world_from_old)
    inverse[3] = [0, 0, 0, 1]
    moved = tuple(
        Camera(
            name=c.name, size_wh_px=c.size_wh_px, K=c.K, distortion=c.distortion,
            cam_from_world=c.cam_from_world @ inverse,
        )
        for c in cameras
    )  # fmt: skip
    expected = triangulate(cameras, seen) @ world_from_old[:3, :3].T + world_from_old[:3, 3]
    np.testing.assert_allclose(triangulate(moved, seen), expected, atol=1e-6)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_noise_leads_nearly_to_the_least_squares_point(lens: tuple[float, ...]) -> None:
    """Catches rows without their depth or focal length: a far camera would count as much as a near one."""
    near = looking("near", [0, 1, 1.5], [0, 1, 0], focal_px=900, lens=lens)
    far = [looking(f"far{n}", [8 * np.sin(n), 2, -8 * np.cos(n)], [0, 1, 0], focal_px=2500, lens=lens) for n in (1, -1)]
    cameras = (near, *far)
    truth = some_points(30) * 0.4 + [0, 0.5, 0]
    seen = shown(cameras, truth) + np.random.default_rng(1).normal(0, 2, (3, 30, 2))
    found = triangulate(cameras, seen)
    for n in range(30):
        best = least_squares(lambda x, n=n: (shown(cameras, x[None])[:, 0] - seen[:, n]).ravel(), truth[n]).x
        assert np.linalg.norm(found[n] - best) < 0.25 * np.linalg.norm(best - truth[n]) + 1e-4


def test_weights_count() -> None:
    """Catches weights that are forgotten, squared or given to the wrong camera."""
    cameras, truth = ring(4), some_points()
    seen = shown(cameras, truth)
    seen[2] += 100.0
    weight = np.ones(seen.shape[:-1])
    assert np.linalg.norm(triangulate(cameras, seen, weight) - truth, axis=-1).min() > 0.01
    weight[2] = 0
    np.testing.assert_allclose(triangulate(cameras, seen, weight), truth, atol=1e-7)
    doubled = np.stack([*seen[[0, 1, 3]], seen[3]])
    weight = np.broadcast_to(np.array([1.0, 1, 2])[:, None], (3, len(truth)))
    noisy = doubled + np.random.default_rng(0).normal(0, 2, (3, *doubled.shape[1:]))[[0, 1, 2, 2]]
    four = triangulate((cameras[0], cameras[1], cameras[3], cameras[3]), noisy)
    three = triangulate((cameras[0], cameras[1], cameras[3]), noisy[:3], weight)
    np.testing.assert_allclose(three, four, atol=1e-9)


def test_what_cannot_be_found_is_missing() -> None:
    """Catches points made up from one view, from one place, or behind a camera."""
    cameras, truth = ring(3), some_points(4)
    seen = shown(cameras, truth)
    seen[1:, 0] = np.nan
    seen[0, 1] = np.nan
    found = triangulate(cameras, seen)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], truth[1:], atol=1e-7)
    assert np.isnan(triangulate((cameras[0], cameras[0]), seen[[0, 0]])).all()
    back_to_back = looking("a", [0, 1, 0], [0, 1, 5]), looking("b", [1, 1, 0], [0.5, 1, -5])
    middle = np.array([[959.5, 539.5]])
    assert np.isnan(triangulate(back_to_back, np.stack([middle, middle]))).all()


def test_any_batch_shape_and_length() -> None:
    """Catches (C, T, J) arrays that are taken for (C, N), and pieces of the clip that are put together wrongly."""
    cameras = ring(2)
    truth = some_points(40_000)
    seen = shown(cameras, truth)
    flat = triangulate(cameras, seen)
    np.testing.assert_allclose(flat, truth, atol=1e-7)
    np.testing.assert_array_equal(triangulate(cameras, seen.reshape(2, 400, 100, 2)), flat.reshape(400, 100, 3))
    assert triangulate(cameras, seen[:, 0]).shape == (3,)


def test_reprojection_is_what_is_off() -> None:
    """Catches errors given to the wrong camera."""
    cameras, truth = ring(3, lens=FISHEYE), some_points()
    seen = shown(cameras, truth)
    seen[1] += [3.0, 4.0]
    expected = np.zeros((3, 200))
    expected[1] = 5
    np.testing.assert_allclose(reprojection_px(cameras, truth, seen), expected, atol=1e-8)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_derivatives_are_finite_differences(lens: tuple[float, ...]) -> None:
    """Catches a derivative without the lens, or along the camera's axes."""
    (camera, _), truth = ring(2, lens=lens), some_points(20)
    steps = 1e-5 * np.eye(3)
    expected = np.stack([(pixels(camera, truth + s) - pixels(camera, truth - s)) / 2e-5 for s in steps], axis=-1)
    np.testing.assert_allclose(px_per_m(camera, truth), expected, rtol=1e-6, atol=1e-4)


def test_covariance_is_what_noise_does() -> None:
    """Catches a standard deviation for a variance, and axes mixed up."""
    cameras = ring(3, arc_deg=60, lens=BROWN)
    point, sigma = np.array([0.2, 1.1, -0.3]), np.array([1.0, 2.0, 3.0])
    rng = np.random.default_rng(3)
    noisy = shown(cameras, point[None]) + sigma[:, None, None] * rng.normal(size=(3, 20_000, 2))
    found = triangulate(cameras, noisy, np.broadcast_to(1 / sigma[:, None] ** 2, (3, 20_000)))
    bound = covariance_m2(cameras, point, sigma)
    np.testing.assert_allclose(np.cov(found.T), bound, rtol=0.06, atol=0.04 * bound.max())


def test_covariance_without_views_is_missing() -> None:
    """Catches a singular matrix that is inverted all the same."""
    cameras = ring(2)
    assert np.isnan(covariance_m2(cameras, [[0.0, 1, 0]], [[1.0], [np.inf]])).all()


@pytest.mark.parametrize(
    ("cameras", "shape", "weight"),
    [(1, (1, 5, 2), None), (2, (3, 5, 2), None), (2, (2, 5, 3), None), (2, (2, 5, 2), (2, 4))],
)
def test_what_does_not_fit_is_refused(cameras: int, shape: tuple[int, ...], weight: tuple[int, ...] | None) -> None:
    """Catches arrays that are broadcast into nonsense."""
    with pytest.raises(InputError):
        triangulate(ring(2)[:cameras], np.zeros(shape), None if weight is None else np.ones(weight))


def test_negative_weights_are_refused() -> None:
    """Catches a weight that pushes points away from a ray."""
    with pytest.raises(InputError, match="at least 0"):
        triangulate(ring(2), np.zeros((2, 1, 2)), [[1.0], [-1.0]])


def test_robust_through_lenses_in_pieces():
    """Catches pieces of a long list that are put together wrongly, and views that are wrong and keep their say."""
    cameras, truth = ring(4, lens=BROWN), some_points(20_000)
    seen = shown(cameras, truth)
    wrong = np.arange(20_000) % 7 == 3
    seen[2, wrong] += 80.0
    seen[0, ::11] = np.nan
    found, say = triangulate_robust(cameras, seen, std_px=1.0)
    np.testing.assert_allclose(found, truth, atol=1e-6)
    np.testing.assert_array_equal(say[2] == 0, wrong)
    np.testing.assert_array_equal(say[0] == 0, np.isnan(seen[0, :, 0]))
