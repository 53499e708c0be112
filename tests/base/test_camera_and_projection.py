"""Cameras against OpenCV, which shares no code with ours."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.projection import project, px_to_rays

K = np.array([[900.0, 1.5, 640.0], [0, 905.0, 350.0], [0, 0, 1]])
BROWN = {
    0: [],
    4: [-0.25, 0.08, 0.001, -0.002],
    5: [-0.25, 0.08, 0.001, -0.002, -0.01],
    8: [0.2, -0.05, 0.001, -0.002, 0.01, 0.3, 0.02, 0.005],
    12: [0.2, -0.05, 0.001, -0.002, 0.01, 0.3, 0.02, 0.005, 0.01, -0.002, 0.008, 0.003],
    14: [0.2, -0.05, 0.001, -0.002, 0.01, 0.3, 0.02, 0.005, 0.01, -0.002, 0.008, 0.003, 0.05, -0.08],
}
FISHEYE = [0.05, -0.01, 0.004, -0.001]


def camera(seed: int = 0, skew: bool = False, **changes: object) -> Camera:
    """A camera 4 m from the origin that looks at it, from a random side."""
    rng = np.random.default_rng(seed)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    pose[:3, 3] = [0.1, -0.2, 4.0]
    matrix = K.copy()
    matrix[0, 1] = K[0, 1] if skew else 0.0  # OpenCV's own functions ignore skew
    fields: dict[str, object] = {"name": "a", "size_wh_px": (1280, 720), "K": matrix, "cam_from_world": pose}
    return Camera(**(fields | changes))  # type: ignore[arg-type]


def points(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (50, 3))


def rvec_tvec(cam: Camera) -> tuple[np.ndarray, np.ndarray]:
    return cv2.Rodrigues(cam.cam_from_world[:3, :3])[0], cam.cam_from_world[:3, 3].copy()


@pytest.mark.parametrize("count", BROWN)
def test_projection_agrees_with_opencv(count: int) -> None:
    """Catches tangential terms swapped, a wrong order of coefficients, the sensor tilt the wrong way."""
    cam = camera(seed=count, distortion=np.array(BROWN[count]))
    expected, _ = cv2.projectPoints(points(), *rvec_tvec(cam), cam.K, np.array(BROWN[count]))
    found, in_front = project(cam, points())
    assert in_front.all()
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-8)


def test_fisheye_agrees_with_opencv() -> None:
    """Catches angles taken for tangents."""
    cam = camera(seed=3, model="fisheye", distortion=np.array(FISHEYE))
    expected, _ = cv2.fisheye.projectPoints(points()[:, None], *rvec_tvec(cam), cam.K, np.array(FISHEYE))
    np.testing.assert_allclose(project(cam, points())[0], expected[:, 0], atol=1e-8)


@pytest.mark.parametrize("distortion", [*BROWN.values()], ids=[str(n) for n in BROWN])
def test_rays_undo_the_projection(distortion: list[float]) -> None:
    """Catches an undistortion that stops too early or diverges; skew included."""
    cam = camera(skew=True, distortion=np.array(distortion))
    in_camera = points() @ cam.cam_from_world[:3, :3].T + cam.cam_from_world[:3, 3]
    rays = px_to_rays(cam, project(cam, points())[0])
    np.testing.assert_allclose(rays, in_camera / in_camera[:, 2:], atol=1e-9)


def test_fisheye_rays_undo_the_projection_far_from_the_axis() -> None:
    """Catches Newton's method that diverges at wide angles."""
    cam = camera(model="fisheye", distortion=np.array(FISHEYE), cam_from_world=np.eye(4))
    angles = np.radians(np.linspace(0, 80, 40))
    rays = np.stack([np.tan(angles) * 0.6, np.tan(angles) * 0.8, np.ones(40)], axis=-1)
    np.testing.assert_allclose(px_to_rays(cam, project(cam, rays)[0]), rays, rtol=1e-9, atol=1e-12)


def test_a_fisheye_without_coefficients_is_still_a_fisheye() -> None:
    """Catches a shortcut that takes 'all coefficients 0' for a pinhole: OpenCV's fisheye then maps theta to r."""
    cam = camera(model="fisheye", distortion=np.zeros(4), cam_from_world=np.eye(4))
    ray = np.array([[1.0, 0, 1.0]])
    expected, _ = cv2.fisheye.projectPoints(ray[:, None], np.zeros(3), np.zeros(3), cam.K, np.zeros(4))
    np.testing.assert_allclose(project(cam, ray)[0], expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(px_to_rays(cam, expected[:, 0]), ray, atol=1e-9)


@pytest.mark.parametrize("model", ["brown-conrady", "fisheye"])
def test_behind_and_missing_points(model: str) -> None:
    """Catches people behind the camera projected into the picture upside down, and NaN that spreads or warns."""
    distortion = np.array(FISHEYE if model == "fisheye" else BROWN[5])
    cam = camera(model=model, distortion=distortion, cam_from_world=np.eye(4))
    xyz = np.array([[0.1, 0.2, 2.0], [0.1, 0.2, -2.0], [0, 0, 0], [np.nan, 0, 1]])
    xy_px, in_front = project(cam, xyz)
    np.testing.assert_array_equal(in_front[:3], [True, False, False])
    np.testing.assert_array_equal(np.isnan(xy_px).any(axis=-1), [False, True, True, True])
    rays = px_to_rays(cam, xy_px)
    np.testing.assert_allclose(rays[0], [0.05, 0.1, 1.0], atol=1e-10)
    assert np.isnan(rays[1:, :2]).all()
    assert np.isnan(px_to_rays(cam, np.full((3, 2), np.nan))[:, :2]).all()


def test_what_the_lens_cannot_see_is_missing() -> None:
    """Catches a barrel polynomial that folds back: 63 degrees off the axis it would give the centre of the picture."""
    cam = camera(distortion=np.array([-0.25, 0, 0, 0]), cam_from_world=np.eye(4))  # grows up to r = 1.15
    xy_px, in_front = project(cam, [[1.0, 0, 1], [1.1, 0, 1], [1.2, 0, 1], [2.0, 0, 1]])
    np.testing.assert_array_equal(in_front, [True, True, False, False])
    assert np.isnan(xy_px[2:]).all()
    beyond = K[:2, 2] + [[900 * 0.76, 0], [900 * 0.8, 0], [900 * 1.5, 0]]
    rays = px_to_rays(cam, beyond)
    np.testing.assert_array_equal(np.isnan(rays).any(axis=-1), [False, True, True])
    np.testing.assert_allclose(project(cam, rays[:1])[0], beyond[:1], atol=1e-8)
    fisheye = camera(model="fisheye", distortion=np.zeros(4), cam_from_world=np.eye(4))
    behind = px_to_rays(fisheye, K[:2, 2] + [[900 * 1.5, 0], [900 * 1.6, 0]])  # 86 and 92 degrees
    np.testing.assert_array_equal(np.isnan(behind).any(axis=-1), [False, True])


def test_batches() -> None:
    """Catches functions that only take (N, 3)."""
    cam = camera(distortion=np.array(BROWN[5]))
    grid = points()[:24].reshape(2, 3, 4, 3)
    xy_px, in_front = project(cam, grid)
    assert xy_px.shape == (2, 3, 4, 2)
    assert in_front.shape == (2, 3, 4)
    assert px_to_rays(cam, xy_px).shape == (2, 3, 4, 3)
    np.testing.assert_allclose(project(cam, grid[1, 2, 3])[0], xy_px[1, 2, 3])
    assert project(cam, np.zeros((0, 3)))[0].shape == (0, 2)


@given(st.integers(0, 10**6))
def test_moving_world_and_camera_together_changes_nothing(seed: int) -> None:
    """Catches the inverse pose used for the pose."""
    cam = camera(seed)
    rng = np.random.default_rng(seed + 1)
    b_from_a = np.eye(4)
    b_from_a[:3, :3], b_from_a[:3, 3] = Rotation.from_quat(rng.normal(size=4)).as_matrix(), rng.normal(size=3)
    moved = camera(seed, cam_from_world=cam.cam_from_world @ np.linalg.inv(b_from_a))
    there = points() @ b_from_a[:3, :3].T + b_from_a[:3, 3]
    np.testing.assert_allclose(project(moved, there)[0], project(cam, points())[0], atol=1e-8)
    np.testing.assert_allclose(cam.world_from_cam @ cam.cam_from_world, np.eye(4), atol=1e-12)
    homogeneous = np.c_[points(), np.ones(50)] @ cam.px_from_world.T
    np.testing.assert_allclose(homogeneous[:, :2] / homogeneous[:, 2:], project(cam, points())[0], atol=1e-9)


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (3, 3)])
def test_field_of_view_is_along_the_longer_side(size: tuple[int, int]) -> None:
    """Catches portrait pictures whose width is taken for the longer side, and a centre half a pixel off."""
    cam = Camera.from_fov("phone", size, 60.0)
    assert cam.fov_deg == pytest.approx(60)
    axis = 0 if size[0] >= size[1] else 1
    ray = np.array([0.0, 0.0, 1.0])
    ray[axis] = math.tan(math.radians(30))
    edge = project(cam, ray)[0]
    assert edge[axis] == pytest.approx(size[axis] - 0.5)  # the outer edge of the last pixel
    np.testing.assert_allclose(project(cam, [0, 0, 1.0])[0], [(size[0] - 1) / 2, (size[1] - 1) / 2])
    shifted = Camera.from_fov("crop", size, 60.0, principal_px=(-100.0, 20.0))
    np.testing.assert_allclose(project(shifted, [0, 0, 1.0])[0], [-100, 20])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"K": np.diag([900.0, 0, 1])}, "fx, fy > 0"),
        ({"K": K.T}, "must be"),
        ({"K": np.full((3, 3), np.nan)}, "holds NaN"),
        ({"size_wh_px": (0, 720)}, "positive"),
        ({"distortion": np.zeros(3)}, "0, 4, 5, 8, 12, 14 distortion coefficients, got 3"),
        ({"model": "fisheye", "distortion": np.zeros(5)}, "0, 4 distortion"),
        ({"model": "pinhole"}, "one of"),
        ({"cam_from_world": np.diag([1.0, 1, -1, 1])}, "rotation and a translation"),
        ({"cam_from_world": np.diag([2.0, 2, 2, 1])}, "rotation and a translation"),
        ({"cam_from_world": np.ones((4, 4))}, "rotation and a translation"),
    ],
)
def test_impossible_cameras_are_refused(changes: dict[str, object], words: str) -> None:
    """Catches mirrored, scaled and transposed matrices before they bend every result."""
    with pytest.raises(InputError, match=words):
        camera(**changes)


@pytest.mark.parametrize("fov", [0.0, 180.0, math.nan, -60.0])
def test_impossible_fields_of_view_are_refused(fov: float) -> None:
    """Catches an infinite focal length."""
    with pytest.raises(InputError, match="fov_deg"):
        Camera.from_fov("a", (640, 480), fov)
