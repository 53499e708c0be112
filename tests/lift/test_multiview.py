"""Triangulation of people against synthetic rigs; bounds are computed here, from numeric derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import BROWN, FISHEYE, looking, pixels, ring, seen_by, walkers
from scipy.optimize import least_squares

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import MPII_16
from mocap3d.lift.multiview import MultiviewSettings, triangulate_everything, triangulate_pose

WALKER = walkers(1, seconds=4.0)[0]  # (120, 17, 3)


def bound_m2(cameras, xyz_m, std_px):
    """(N, 3, 3) Cramér-Rao: the inverse of the summed outer products of central differences."""
    information = np.zeros((len(xyz_m), 3, 3))
    for camera in cameras:
        slope = np.stack(
            [(pixels(camera, xyz_m + s) - pixels(camera, xyz_m - s)) / 2e-4 for s in 1e-4 * np.eye(3)], axis=-1
        )
        information += np.swapaxes(slope, 1, 2) @ slope / std_px**2
    return np.linalg.inv(information)


@pytest.mark.parametrize("lens", [(), BROWN, FISHEYE], ids=["pinhole", "brown", "fisheye"])
@pytest.mark.parametrize("count", [2, 4])
def test_clean_views_give_the_truth(count, lens):
    """Catches distortion undone roughly, and joints or frames in another order."""
    cameras = ring(count, lens=lens)
    pose = triangulate_pose(seen_by(cameras, WALKER), cameras)
    np.testing.assert_allclose(pose.xyz_m, WALKER, atol=1e-6)
    assert pose.frame == "world"
    assert (pose.views == count).all()
    np.testing.assert_allclose(pose.confidence, 0.8)


@pytest.mark.parametrize("lens", [(), FISHEYE], ids=["pinhole", "fisheye"])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_noise_costs_no_more_than_it_must(count, lens):
    """Catches weights, robustness or a linear answer that waste what the pictures know: 1.2 times the bound at most."""
    cameras = ring(count, lens=lens)
    bound = np.sqrt(np.trace(bound_m2(cameras, WALKER.reshape(-1, 3), 3.0), axis1=1, axis2=2).mean())
    pose = triangulate_pose(seen_by(cameras, WALKER, noise_px=3.0), cameras)
    error = np.sqrt((np.linalg.norm(pose.xyz_m - WALKER, axis=-1) ** 2).mean())
    assert 0.9 * bound < error < 1.2 * bound


def test_pixels_are_fitted_through_the_true_lens():
    """Catches points left where the closed form put them, which fits rays and not pixels: millimetres off."""
    cameras, true = ring(3, lens=FISHEYE), WALKER[::24]
    views = seen_by(cameras, true, noise_px=6.0)
    found = triangulate_everything(views, cameras, settings=MultiviewSettings(std_px=6.0))
    for t, j in np.argwhere(found.pose.confidence > 0):

        def off_px(xyz_m, t=t, j=j):
            each = [
                pixels(camera, xyz_m[None])[0] - view.xy_px[t, j] for camera, view in zip(cameras, views, strict=True)
            ]
            return (np.sqrt(found.say[:, t, j])[:, None] * each).ravel()  # confidences are alike

        best = least_squares(off_px, true[t, j], xtol=1e-12, ftol=1e-12).x
        np.testing.assert_allclose(found.pose.xyz_m[t, j], best, atol=2e-5)


def test_rays_that_are_all_but_parallel_say_nothing():
    """Catches joints a metre off in depth that are handed on as seen."""
    cameras = [looking("a", (0.0, 1.6, 4.5), (0.0, 1.0, 0.0)), looking("b", (0.05, 1.6, 4.5), (0.05, 1.0, 0.0))]
    views = seen_by(cameras, WALKER[:30], noise_px=2.0)
    assert (triangulate_pose(views, cameras).confidence > 0).mean() < 0.2
    anyway = triangulate_pose(views, cameras, settings=MultiviewSettings(largest_std_m=50.0))
    assert (anyway.confidence > 0).mean() > 0.95
    assert np.median(anyway.std_m) > 0.5


@pytest.mark.parametrize(
    ("count", "noise_px", "outliers"), [(2, 1.0, 0), (3, 4.0, 0), (4, 2.0, 0), (8, 6.0, 0), (4, 2.0, 0.1)]
)
def test_two_thirds_lie_within_the_expected_error(count, noise_px, outliers):
    """Catches uncertainties that are variances, pixels, or those of one view."""
    cameras = ring(count)
    pose = triangulate_pose(seen_by(cameras, WALKER, noise_px=noise_px, outliers=outliers), cameras)
    off = (np.abs(pose.xyz_m - WALKER) / np.maximum(pose.std_m, 1e-9)[..., None])[np.isfinite(pose.xyz_m)]
    assert 0.64 < (off < 1).mean() < 0.72
    assert (off < 2).mean() > 0.92


def test_expected_errors_know_geometry_and_residuals():
    """Catches one number for all joints: narrow angles, fewer views and bad pixels make a joint less sure."""
    wide, narrow = ring(2, arc_deg=90), ring(2, arc_deg=8)
    stds = [triangulate_pose(seen_by(c, WALKER, noise_px=2.0), c).std_m.mean() for c in (wide, narrow)]
    assert stds[1] > 4 * stds[0]
    cameras = ring(4)
    poses = seen_by(cameras, WALKER, noise_px=2.0, missing=0.3)
    pose = triangulate_pose(poses, cameras)
    assert pose.std_m[pose.views == 2].mean() > 1.3 * pose.std_m[pose.views == 4].mean()
    bad = poses[0].xy_px.copy()
    bad[:, 9] += np.random.default_rng(0).normal(0, 8, (len(bad), 2))
    worse = triangulate_pose((replace(poses[0], xy_px=bad), *poses[1:]), cameras)
    assert worse.std_m[:, 9].mean() > 1.2 * pose.std_m[:, 9].mean()


def test_noise_is_told_per_camera():
    """Catches a bad camera that spoils the good ones."""
    cameras = ring(4)
    good, bad = seen_by(cameras, WALKER, noise_px=1.0), seen_by(cameras, WALKER, noise_px=8.0, seed=1)
    found = triangulate_everything((bad[0], *good[1:]), cameras)
    std_px = found.std_px.mean(axis=1) / np.sqrt(0.8)  # confidence is 0.8
    np.testing.assert_allclose(std_px, [8, 1, 1, 1], rtol=0.2)
    without = np.linalg.norm(triangulate_pose((None, *good[1:]), cameras).xyz_m - WALKER, axis=-1).mean()
    assert np.linalg.norm(found.pose.xyz_m - WALKER, axis=-1).mean() < 1.03 * without


@pytest.mark.parametrize(("count", "outliers"), [(4, 0.1), (4, 0.3), (6, 0.3)])
def test_outliers_lose_their_say(count, outliers):
    """Catches means over views that are plainly wrong: least squares would be tens of centimetres off."""
    cameras = ring(count)
    pose = triangulate_pose(seen_by(cameras, WALKER, noise_px=1.0, outliers=outliers), cameras)
    off = np.linalg.norm(pose.xyz_m - WALKER, axis=-1)
    assert np.nanmedian(off) < 0.008
    found = np.isfinite(off)
    assert found.mean() > (0.98 if outliers == 0.1 else 0.88)
    assert (off[found] > 0.1).mean() < 0.03 * outliers


def test_two_liars_that_agree_are_seen_through():
    """Catches frames judged by themselves: two views agree about a point a metre beside the path of the joint."""
    cameras = ring(4)
    poses = list(seen_by(cameras, WALKER, noise_px=0.5))
    for view in (1, 2):
        xy = poses[view].xy_px.copy()
        xy[60, 9] = pixels(cameras[view], WALKER[60, 9] + [0.6, 0.5, -0.6])
        poses[view] = replace(poses[view], xy_px=xy)
    for order in ([0, 1, 2, 3], [1, 2, 0, 3]):
        found = triangulate_everything([poses[n] for n in order], [cameras[n] for n in order])
        assert np.linalg.norm(found.pose.xyz_m[60, 9] - WALKER[60, 9]) < 0.05
        assert found.pose.views[60, 9] == 2
        assert found.say[[order.index(1), order.index(2)], 60, 9].max() == 0


def test_what_no_two_cameras_agree_about_is_missing():
    """Catches a compromise between two rays that miss each other by a metre, and points from one view."""
    cameras = ring(2)
    poses = list(seen_by(cameras, WALKER, noise_px=1.0))
    xy, confidence = poses[0].xy_px.copy(), poses[0].confidence.copy()
    xy[10, 5] += [0, 250.0]
    xy[20, 6], confidence[20, 6] = np.nan, 0
    confidence[30, 7] = 0  # filled in
    pose = triangulate_pose((replace(poses[0], xy_px=xy, confidence=confidence), poses[1]), cameras)
    gone = np.zeros((120, 17), bool)
    gone[[10, 20, 30], [5, 6, 7]] = True
    np.testing.assert_array_equal(np.isnan(pose.xyz_m).all(axis=-1), gone)
    assert not pose.confidence[gone].any()
    assert not pose.views[gone].any()
    assert not pose.std_m[gone].any()


def test_nothing_is_found_behind_a_camera():
    """Catches a triangulation that takes rays for lines."""
    cameras = looking("a", [0, 1, 0], [0, 1, 5]), looking("b", [1, 1, 0], [0.5, 1, -5])
    middle = np.full((3, 17, 2), [959.5, 539.5])
    there = seen_by(ring(2), WALKER[:3])
    pose = triangulate_pose([replace(pose, xy_px=middle) for pose in there], cameras)
    assert np.isnan(pose.xyz_m).all()


def test_cameras_that_see_nobody_do_not_count():
    """Catches None at the wrong place."""
    cameras = ring(4)
    poses = seen_by(cameras, WALKER)
    pose = triangulate_pose((poses[0], None, poses[2], poses[3]), cameras)
    np.testing.assert_allclose(pose.xyz_m, WALKER, atol=1e-6)
    assert (pose.views == 3).all()
    alone = triangulate_pose((poses[0], None, None, None), cameras)
    assert np.isnan(alone.xyz_m).all()
    assert len(alone) == 120


def test_it_turns_and_moves_with_the_world():
    """Catches an up axis or an origin that plays a role."""
    turned_from_world = np.eye(4)
    turned_from_world[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    turned_from_world[:3, 3] = [100, -20, 3]
    cameras = ring(3)
    turned = [replace(c, cam_from_world=c.cam_from_world @ np.linalg.inv(turned_from_world)) for c in cameras]
    poses = seen_by(cameras, WALKER, noise_px=2.0, outliers=0.1)
    here, there = triangulate_everything(poses, cameras), triangulate_everything(poses, turned)
    expected = here.pose.xyz_m @ turned_from_world[:3, :3].T + turned_from_world[:3, 3]
    np.testing.assert_allclose(there.pose.xyz_m, expected, atol=1e-5)
    np.testing.assert_allclose(there.error_px, here.error_px, atol=1e-2)


def test_a_given_error_is_taken():
    """Catches settings that nobody reads."""
    cameras = ring(3)
    poses = seen_by(cameras, WALKER, noise_px=2.0)
    stds = [triangulate_pose(poses, cameras, settings=MultiviewSettings(std_px=s)).std_m.mean() for s in (5.0, 20.0)]
    assert 2.5 < stds[1] / stds[0] < 4


@pytest.mark.parametrize("change", ["frames", "fps", "skeleton", "count", "nobody", "one camera"])
def test_poses_that_do_not_fit_are_refused(change):
    """Catches views that are paired although they are of other times, joints or cameras."""
    cameras = ring(2)
    poses: list[Pose2D | None] = list(seen_by(cameras, WALKER))
    second = poses[1]
    if change == "frames":
        poses[1] = replace(second, xy_px=second.xy_px[1:], confidence=second.confidence[1:])
    elif change == "fps":
        poses[1] = replace(second, fps=25)
    elif change == "skeleton":
        poses[1] = replace(second, xy_px=second.xy_px[:, 1:], confidence=second.confidence[:, 1:], skeleton=MPII_16)
    elif change == "count":
        poses.pop()
    elif change == "nobody":
        poses = [None, None]
    else:
        poses, cameras = poses[:1], cameras[:1]
    with pytest.raises(InputError):
        triangulate_pose(poses, cameras)


@pytest.mark.parametrize("settings", [{"std_px": 0.0}, {"smallest_px": -1.0}, {"largest_std_m": np.nan}])
def test_errors_that_cannot_be_are_refused(settings):
    """Catches a division by zero long after the mistake."""
    with pytest.raises(InputError):
        MultiviewSettings(**settings)
