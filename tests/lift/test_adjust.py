"""The adjustment of a whole clip, against truth of constant bones; its linear algebra against dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import BROWN, FISHEYE, pixels, ring, seen_by, walkers
from scipy.optimize import least_squares

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.adjust import AdjustSettings, adjust_pose, rigid_bones
from mocap3d.lift.chain import Chain, solved, variances
from mocap3d.lift.multiview import MultiviewSettings, triangulate_pose

WALKER = walkers(1, seconds=3.0)[0]
LIMBS = [(5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16)]


def off_m(pose):
    return np.linalg.norm(pose.xyz_m - WALKER, axis=-1)


def spread_m(xyz_m):
    """The largest standard deviation of a limb's length."""
    return max(np.nanstd(np.linalg.norm(xyz_m[:, a] - xyz_m[:, b], axis=-1)) for a, b in LIMBS)


def some_chain(frames, size=6, shared=2, seed=0):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(frames, size, size))
    return Chain(
        blocks=half @ np.swapaxes(half, 1, 2) + 0.5 * np.eye(size),
        bend=rng.uniform(1, 5, size),
        border=rng.normal(size=(frames, size, shared)),
        corner=np.full(shared, 50.0 * frames),
        pull=rng.normal(size=(frames, size)),
        pull_border=rng.normal(size=shared),
    )


def dense(chain):
    """All of the matrix, second differences as a plain operator."""
    frames, size = chain.pull.shape
    H = np.zeros((frames * size, frames * size))
    for t, block in enumerate(chain.blocks):
        H[t * size : (t + 1) * size, t * size : (t + 1) * size] = block
    for t in range(frames - 2):
        for c in range(size):
            row = np.zeros(frames * size)
            row[[t * size + c, (t + 1) * size + c, (t + 2) * size + c]] = 1, -2, 1
            H += chain.bend[c] * np.outer(row, row)
    B = chain.border.reshape(frames * size, -1)
    return H, np.block([[H, B], [B.T, np.diag(chain.corner)]])


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 8])
def test_banded_equations_are_those_of_the_whole_matrix(frames):
    """Catches a diagonal in the wrong row, ends of the clip, an odd number of frames, a border with a wrong sign."""
    chain = some_chain(frames)
    H, whole = dense(chain)
    expected = np.linalg.solve(whole, np.append(chain.pull.ravel(), chain.pull_border))
    step, shared = solved(chain)
    np.testing.assert_allclose(np.append(step.ravel(), shared), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variances(chain, 2).ravel(), np.diag(np.linalg.inv(H)), rtol=1e-4)


def test_long_clips_are_as_sure_as_whole_ones(monkeypatch):
    """Catches stretches that are put together wrongly."""
    monkeypatch.setattr("mocap3d.lift.chain._STRETCH", 15)
    monkeypatch.setattr("mocap3d.lift.chain._OVERLAP", 12)
    chain = some_chain(50)
    expected = np.diag(np.linalg.inv(dense(chain)[0]))
    np.testing.assert_allclose(variances(chain, 2).ravel(), expected, rtol=0.01)


@pytest.mark.parametrize(("count", "lens"), [(2, ()), (3, BROWN), (4, FISHEYE)], ids=["two", "brown", "fisheye"])
def test_clean_views_stay_the_truth(count, lens):
    """Catches smoothness and bones that fight with good data, and lenses left out."""
    cameras = ring(count, lens=lens)
    pose = adjust_pose(seen_by(cameras, WALKER), cameras)
    assert np.quantile(off_m(pose), 0.99) < 0.002
    np.testing.assert_array_equal(pose.views, count)


def test_bones_become_constant_and_errors_smaller():
    """Catches lengths that are neither shared over time nor found from the clip."""
    cameras = ring(3)
    poses = seen_by(cameras, WALKER, noise_px=4.0)
    raw, pose = triangulate_pose(poses, cameras), adjust_pose(poses, cameras)
    assert spread_m(raw.xyz_m) > 0.01
    assert spread_m(pose.xyz_m) < 0.001
    assert np.sqrt((off_m(pose) ** 2).mean()) < 0.7 * np.sqrt((off_m(raw) ** 2).mean())
    for a, b in LIMBS:
        true = np.median(np.linalg.norm(WALKER[:, a] - WALKER[:, b], axis=-1))  # legs are stretched now and then
        assert abs(np.linalg.norm(pose.xyz_m[:, a] - pose.xyz_m[:, b], axis=-1).mean() - true) < 0.004
    inside = (np.abs(pose.xyz_m - WALKER) < pose.std_m[..., None]).mean()
    assert 0.64 < inside < 0.82


def test_two_cameras_survive_outliers():
    """Catches an adjustment that believes a view against the rest of the body and the moments around."""
    cameras = ring(2)
    pose = adjust_pose(seen_by(cameras, WALKER, noise_px=2.0, outliers=0.05), cameras)
    assert off_m(pose).max() < 0.1
    assert np.isfinite(pose.xyz_m).all()


def test_what_one_camera_holds_is_filled_in():
    """Catches gaps that stay open although bones, one view and the moments around hold the joint, and their marking."""
    cameras = ring(2)
    poses = list(seen_by(cameras, WALKER, noise_px=1.0))
    xy, confidence = poses[0].xy_px.copy(), poses[0].confidence.copy()
    xy[40:50, 9], confidence[40:50, 9] = np.nan, 0.0
    xy[60:85, 10], confidence[60:85, 10] = np.nan, 0.0
    poses[0] = replace(poses[0], xy_px=xy, confidence=confidence)
    pose = adjust_pose(poses, cameras)
    assert off_m(pose)[40:50, 9].max() < 0.04
    assert not pose.confidence[40:50, 9].any()
    np.testing.assert_array_equal(pose.views[40:50, 9], 1)
    assert (pose.std_m[40:50, 9] > pose.std_m[20:30, 9].max()).all()
    assert (pose.confidence[:40, 9] > 0).all()
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(pose.xyz_m[:, 10, 0])), np.arange(67, 78))  # too long


def test_what_nothing_holds_stays_missing():
    """Catches a joint that is made up over a long gap, or was never there."""
    cameras = ring(2)
    poses = []
    for pose in seen_by(cameras, WALKER, noise_px=1.0):
        xy, confidence = pose.xy_px.copy(), pose.confidence.copy()
        xy[20:80, [9, 7]], confidence[20:80, [9, 7]] = np.nan, 0
        xy[:, 3], confidence[:, 3] = np.nan, 0
        poses.append(replace(pose, xy_px=xy, confidence=confidence))
    pose = adjust_pose(poses, cameras)
    assert np.isnan(pose.xyz_m[45:55, [7, 9]]).all()
    assert np.isnan(pose.xyz_m[:, 3]).all()
    assert not pose.confidence[45:55, 9].any()
    nobody = [replace(p, xy_px=np.full_like(p.xy_px, np.nan), confidence=p.confidence * 0) for p in poses]
    assert np.isnan(adjust_pose(nobody, cameras).xyz_m).all()


def test_it_is_the_minimum_of_its_sum():
    """Catches a gradient with a wrong sign or factor: SciPy with numeric derivatives ends in the same place."""
    frames, joints, sigma = 5, [5, 7, 9], 3.0
    cameras, settings = ring(2), AdjustSettings(views=MultiviewSettings(std_px=3.0), settled_m=1e-9, iterations=40)
    poses = []
    for pose in seen_by(cameras, WALKER[:frames], noise_px=1.0):
        confidence = np.zeros((frames, 17))
        confidence[:, joints] = 1.0
        poses.append(replace(pose, confidence=confidence))
    found = adjust_pose(poses, cameras, settings=settings).xyz_m[:, joints]

    def residuals(numbers):
        x, lengths = numbers[:-2].reshape(frames, 3, 3), numbers[-2:]
        parts = [(pixels(c, x) - p.xy_px[:, joints]).ravel() / sigma for c, p in zip(cameras, poses, strict=True)]
        for n in (0, 1):
            parts.append((np.linalg.norm(x[:, n] - x[:, n + 1], axis=-1) - lengths[n]) / settings.bone_std_m)
        parts.append((np.diff(x, n=2, axis=0) * 900 / np.array([12.0, 25.0, 40.0])[:, None]).ravel())
        return np.concatenate(parts)

    start = np.append(WALKER[:frames][:, joints].ravel(), [0.28, 0.25])
    best = least_squares(residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-12).x[:-2].reshape(frames, 3, 3)
    np.testing.assert_allclose(found, best, atol=2e-5)


def test_bones_are_looked_up_by_name():
    """Catches pairs of another skeleton, or of joints that are not there."""
    everything = np.arange(17)
    names = COCO_17.joint_names
    pairs = {(names[a], names[b]) for a, b in rigid_bones(COCO_17, everything).tolist()}
    assert ("left_knee", "left_ankle") in pairs
    assert ("left_shoulder", "left_hip") not in pairs  # spines bend
    without = rigid_bones(COCO_17, everything[everything != 15])
    assert len(without) == len(pairs) - 1
    assert without.max() < 16
    assert len(rigid_bones(LIFTER_20, np.arange(20))) > 10


@pytest.mark.parametrize("change", [{"bone_std_m": 0.0}, {"acceleration": np.nan}, {"iterations": 0}])
def test_settings_that_cannot_be_are_refused(change):
    """Catches a division by zero long after the mistake."""
    with pytest.raises(InputError):
        AdjustSettings(**change)
