"""Bundle adjustment: rigs of which the truth is known, SciPy as a slow twin, outliers, boards, gauge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import BROWN, FISHEYE, pixels, ring
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.procrustes import align
from mocap3d.cameras.bundle import BoardSights, Priors, Sights, adjust, adjust_boards


def _points(count=60, seed=1):
    return np.random.default_rng(seed).uniform([-1, 0, -1], [1, 1.9, 1], (count, 3))


def _sights(cameras, points, noise_px=0.0, seed=2, missing=0.0):
    rng = np.random.default_rng(seed)
    camera, point = (index.ravel() for index in np.meshgrid(range(len(cameras)), range(len(points)), indexing="ij"))
    xy = np.concatenate([pixels(c, points) for c in cameras]) + noise_px * rng.normal(size=(len(camera), 2))
    xy[rng.random(len(xy)) < missing] = np.nan
    mixed = rng.permutation(len(xy))  # in no order
    return Sights(camera=camera[mixed], point=point[mixed], xy_px=xy[mixed])


def _shaken(cameras, rotation_deg=2.0, shift_m=0.08, seed=3, zoom=1.0):
    rng = np.random.default_rng(seed)
    moved = []
    for camera in cameras:
        pose = camera.cam_from_world.copy()
        turn = Rotation.from_rotvec(np.radians(rotation_deg) * rng.normal(size=3)).as_matrix()
        pose[:3, :3], pose[:3, 3] = turn @ pose[:3, :3], pose[:3, 3] + shift_m * rng.normal(size=3)
        K = camera.K.copy()
        K[[0, 1], [0, 1]] *= zoom
        moved.append(replace(camera, cam_from_world=pose, K=K))
    return moved


def _centres(cameras):
    return np.array([camera.world_from_cam[:3, 3] for camera in cameras])


@pytest.mark.parametrize("lens", [(), BROWN, FISHEYE])
def test_recovers_a_rig_from_a_shaken_start(lens):
    """Catches a wrong derivative of pose or point, and sights mixed up by sorting: a rig but for a similarity."""
    cameras, points = ring(4, lens=lens), _points()
    start = points + np.random.default_rng(5).normal(0, 0.05, points.shape)
    sights = _sights(cameras, points, missing=0.2)
    solved = adjust(_shaken(cameras), start, sights)
    assert solved.converged
    assert np.nanmax(np.abs(solved.residuals_px)) < 1e-6
    twice = np.bincount(sights.point[np.isfinite(sights.xy_px[:, 0])], minlength=len(points)) > 1
    both = np.vstack([solved.points_m[twice], _centres(solved.cameras)])
    truth = np.vstack([points[twice], _centres(cameras)])
    np.testing.assert_allclose(align(truth, both, scaled=True).apply(both), truth, atol=1e-7)


def test_a_fixed_camera_and_a_known_distance_leave_nothing_open():
    """Catches fixed cameras that move, and priors on points without effect."""
    cameras, points = ring(3), _points()
    start = [cameras[0], *_shaken(cameras[1:])]
    known = np.full(len(points), np.inf)
    known[:2] = 1e-6
    noisy = points + np.random.default_rng(5).normal(0, 0.05, points.shape) * (known > 1)[:, None]
    solved = adjust(start, noisy, _sights(cameras, points), fixed=[0], points_std_m=known)
    assert solved.cameras[0] is cameras[0]
    np.testing.assert_allclose(solved.points_m, points, atol=1e-6)
    np.testing.assert_allclose(_centres(solved.cameras), _centres(cameras), atol=1e-6)


@pytest.mark.parametrize("lens", [BROWN, FISHEYE])
def test_lenses_are_measured_too(lens):
    """Catches derivatives by focal length, principal point and distortion that are wrong or land in another column."""
    cameras, points = ring(4, lens=lens), _points(200)
    start = [replace(camera, distortion=camera.distortion * 0.5) for camera in _shaken(cameras, 0.5, 0.02, zoom=1.03)]
    free = ("pose", "focal", "principal", "distortion")
    solved = adjust(start, points, _sights(cameras, points), free=free, points_std_m=np.full(200, 1e-6), max_steps=200)
    for camera, truth in zip(solved.cameras, cameras, strict=True):
        np.testing.assert_allclose(camera.K, truth.K, rtol=1e-5, atol=1e-2)
        np.testing.assert_allclose(camera.distortion, truth.distortion, atol=1e-4)


def test_it_is_the_minimum_that_scipy_finds_and_the_deviations_are_right():
    """Catches wrong weights, a wrong Schur complement or covariance: a dense twin with numerical derivatives."""
    cameras, points = ring(3), _points(12)
    clean = _sights(cameras, points, noise_px=1.0, missing=0.1)
    weight = np.random.default_rng(8).uniform(0.3, 2.0, len(clean.point))
    sights = replace(clean, weight=weight)
    solved = adjust(_shaken(cameras, 0.3, 0.01), points, sights, free=("pose", "zoom"), fixed=[0])
    kept = np.isfinite(clean.xy_px).all(axis=-1)

    def moved(numbers):
        found = [cameras[0]]
        for c, own in ((1, numbers[:7]), (2, numbers[7:14])):
            pose = cameras[c].cam_from_world.copy()
            turn = Rotation.from_rotvec(own[:3]).as_matrix()
            pose[:3] = turn @ pose[:3]
            pose[:3, 3] += own[3:6]
            K = cameras[c].K * [np.exp(own[6]), np.exp(own[6]), 1.0]
            found.append(replace(cameras[c], K=K, cam_from_world=pose))
        return found, numbers[14:].reshape(-1, 3)

    def residuals(numbers):
        found, xyz = moved(numbers)
        xy = np.stack([pixels(camera, xyz) for camera in found])[clean.camera, clean.point]
        # The scale is open, and SciPy would walk off along it: a last residual that costs nothing at the minimum.
        scale = np.linalg.norm(xyz - xyz.mean(axis=0)) - np.linalg.norm(points - points.mean(axis=0))
        return np.append(((clean.xy_px - xy) * np.sqrt(weight)[:, None])[kept].ravel(), scale)

    start = np.concatenate([np.zeros(14), points.ravel()])
    twin = least_squares(residuals, start, xtol=1e-12, ftol=1e-12, gtol=1e-12)
    ours = np.nansum((solved.residuals_px**2).sum(axis=-1) * weight)
    assert ours == pytest.approx(2 * twin.cost, rel=1e-7)
    deviations = np.sqrt(np.diag(np.linalg.pinv(twin.jac.T @ twin.jac)))
    # Only what does not depend on the scale can be compared: turn and zoom.
    for c, first in ((1, 0), (2, 7)):
        np.testing.assert_allclose(solved.std[c]["pose"][:3], deviations[first : first + 3], rtol=1e-2)
        np.testing.assert_allclose(solved.std[c]["zoom"], deviations[first + 6], rtol=1e-2)


@pytest.mark.parametrize("loss", ["huber", "cauchy"])
def test_outliers_lose_their_pull(loss):
    """Catches a robust loss that is not used, or used on squared pixels."""
    cameras, points = ring(4), _points()
    sights = _sights(cameras, points, noise_px=0.5)
    wrong = np.random.default_rng(9).random(len(sights.point)) < 0.1
    xy = sights.xy_px + np.where(wrong[:, None], np.random.default_rng(10).uniform(-200, 200, sights.xy_px.shape), 0)
    start, dirty = _shaken(cameras, 0.5, 0.02), replace(sights, xy_px=xy)

    def error_m(solved):
        truth, found = _centres(cameras), _centres(solved.cameras)
        return np.abs(align(truth, found, scaled=True).apply(found) - truth).max()

    plain = adjust(start, points, dirty)
    robust = adjust(start, points, dirty, robust_px=2.0, loss=loss)
    assert error_m(robust) < 0.02 < error_m(plain)
    assert robust.trust[wrong].mean() < 0.2 < 0.9 < robust.trust[~wrong].mean()


def test_boards_at_different_times_tie_cameras_together():
    """Catches a wrong derivative by a body's turn or shift, and a body's points taken from another sight."""
    cameras = ring(4, arc_deg=200, lens=BROWN)
    rng = np.random.default_rng(11)
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(6), [0.0]), axis=-1).reshape(-1, 3) * 0.06
    bodies = np.tile(np.eye(4), (12, 1, 1))
    bodies[:, :3, :3] = Rotation.random(12, rng=rng).as_matrix()
    bodies[:, :3, 3] = rng.uniform([-0.5, 0.5, -0.5], [0.5, 1.5, 0.5], (12, 3))
    rows = [(c, b, n) for b in range(12) for c in (b % 4, (b + 1) % 4) for n in range(len(grid))]
    camera, body, corner = np.array(rows).T
    world = np.einsum("nij,nj->ni", bodies[body, :3, :3], grid[corner]) + bodies[body, :3, 3]
    xy = np.array([pixels(cameras[c], point) for c, point in zip(camera, world, strict=True)])
    shaken = bodies.copy()
    shaken[:, :3, :3] = shaken[:, :3, :3] @ Rotation.from_rotvec(rng.normal(0, 0.03, (12, 3))).as_matrix()
    shaken[:, :3, 3] += rng.normal(0, 0.02, (12, 3))
    sights = BoardSights(camera=camera, body=body, local_m=grid[corner], xy_px=xy)
    solved = adjust_boards([cameras[0], *_shaken(cameras[1:])], shaken, sights, fixed=[0])
    np.testing.assert_allclose(_centres(solved.cameras), _centres(cameras), atol=1e-7)
    np.testing.assert_allclose(solved.points_m, bodies, atol=1e-7)


def test_a_prior_holds_what_the_sights_do_not_say():
    """Catches priors that are not applied, or applied to the step instead of the distance from the start."""
    cameras, points = ring(2), _points(8)
    start = _shaken(cameras, 0.1, 0.001, zoom=1.1)
    sights = _sights(cameras, points, noise_px=1.0)
    held = adjust(start, points, sights, free=("pose", "zoom"), priors=Priors(log_focal=1e-6))
    for camera, before in zip(held.cameras, start, strict=True):
        np.testing.assert_allclose(camera.K, before.K, rtol=1e-4)


def test_points_behind_a_camera_come_back():
    """Catches a crash or a NaN that stays where the start puts a point behind a camera."""
    cameras, points = ring(4), _points(30)
    start = points.copy()
    start[0] = cameras[0].world_from_cam[:3] @ [0, 0, -1.0, 1]
    solved = adjust(cameras, start, _sights(cameras, points))
    assert np.nanmax(np.abs(solved.residuals_px)) < 1e-4


def test_nothing_seen_changes_nothing():
    """Catches an empty sum that crashes."""
    cameras = ring(2)
    empty = Sights(camera=np.zeros(3, int), point=np.zeros(3, int), xy_px=np.full((3, 2), np.nan))
    solved = adjust(cameras, _points(2), empty)
    np.testing.assert_array_equal(_centres(solved.cameras), _centres(cameras))
    assert np.isnan(solved.residuals_px).all()
    assert not solved.trust.any()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"camera": np.array([0, 2])}, {}, "indices below 2"),
        ({"point": np.array([0, -1])}, {}, "below 3"),
        ({"weight": np.array([1.0, -1.0])}, {}, "not be negative"),
        ({"xy_px": np.zeros((3, 2))}, {}, "shape"),
        ({}, {"free": ("poses",)}, "different names out of"),
        ({}, {"free": ("zoom", "focal")}, "names one thing twice"),
        ({}, {"free": (("pose",),)}, "for each of 2 cameras"),
        ({}, {"fixed": [2]}, "indices below 2"),
        ({}, {"robust_px": 0.0}, "above 0"),
        ({}, {"loss": "l1"}, "huber or cauchy"),
        ({}, {"points_std_m": np.zeros(3)}, "above 0"),
    ],
)
def test_what_does_not_fit_is_said(change, options, message):
    """Catches an index error from deep inside."""
    sights = Sights(camera=np.array([0, 1]), point=np.array([0, 2]), xy_px=np.zeros((2, 2)))
    with pytest.raises(InputError, match=message):
        adjust(ring(2), np.zeros((3, 3)), replace(sights, **change), **options)


def test_one_camera_from_known_points():
    """Catches a problem of one camera treated as none: resection."""
    (truth,) = ring(1, lens=BROWN)
    points = _points(20)
    start: Camera = _shaken([truth])[0]
    solved = adjust([start], points, _sights([truth], points), points_std_m=np.full(20, 1e-6))
    np.testing.assert_allclose(solved.cameras[0].cam_from_world, truth.cam_from_world, atol=1e-6)
