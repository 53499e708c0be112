"""Gaps of triangulation that the monocular lifter fills."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import BROWN, pixels, ring, seen_by, walkers
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import COCO_17, MPII_16
from mocap3d.lift.fill_in import FillSettings, fill_from, fill_in
from mocap3d.lift.multiview import triangulate_pose

WALKER = walkers(1, seconds=3.0)[0]  # 90 frames
GAP = slice(30, 60)


def without(pose, frames, joints=slice(None)):
    xy, confidence = pose.xy_px.copy(), pose.confidence.copy()
    xy[frames, joints], confidence[frames, joints] = np.nan, 0
    return replace(pose, xy_px=xy, confidence=confidence)


def lifted_as(camera, *, scale=1.0, tilt_deg=0.0):
    """The true body in a camera's axes, too small and tilted, its root at the origin: what a lifter might say."""
    tilt = Rotation.from_euler("z", tilt_deg, degrees=True).as_matrix()
    body = (WALKER - WALKER[:, :1]) @ (tilt @ camera.cam_from_world[:3, :3]).T * scale
    shape = WALKER.shape[:2]
    return Pose3D(
        xyz_m=body, confidence=np.ones(shape), std_m=np.full(shape, 0.05), views=np.ones(shape), fps=30,
        skeleton=COCO_17, frame="camera",
    )  # fmt: skip


def off_m(pose):
    return np.linalg.norm(pose.xyz_m - WALKER, axis=-1)


def test_bodies_are_scaled_turned_and_moved_onto_what_is_known():
    """Catches a person who shrinks, tilts or jumps while only one camera sees them."""
    cameras = ring(2, lens=BROWN)
    poses = seen_by(cameras, WALKER, noise_px=0.5)
    poses = (poses[0], without(poses[1], GAP))
    pose = triangulate_pose(poses, cameras)
    assert np.isnan(pose.xyz_m[GAP]).all()
    filled = fill_from(pose, [lifted_as(c, scale=0.85, tilt_deg=12) for c in cameras], poses, cameras)
    assert off_m(filled)[GAP].max() < 0.03
    assert not filled.confidence[GAP].any()
    assert (filled.views[GAP] == 1).all()
    assert (filled.std_m[GAP] > 0.04).all()
    known = np.isfinite(pose.xyz_m)
    np.testing.assert_array_equal(filled.xyz_m[known], pose.xyz_m[known])
    np.testing.assert_array_equal(filled.confidence[:30], pose.confidence[:30])


def test_the_shipped_lifter_fills_a_second():
    """Catches joints of the lifter that end up under other names, and a world that is not turned into."""
    cameras = ring(2)
    poses = seen_by(cameras, WALKER, noise_px=2.0)
    poses = (poses[0], without(poses[1], GAP))
    filled = fill_in(triangulate_pose(poses, cameras), poses, cameras)
    assert np.median(off_m(filled)[GAP]) < 0.1
    assert off_m(filled)[GAP].max() < 0.35
    shown = np.linalg.norm(pixels(cameras[0], filled.xyz_m[GAP]) - poses[0].xy_px[GAP], axis=-1)
    assert np.quantile(shown, 0.95) < 1  # on the rays of the camera that sees them


def test_one_joint_that_one_camera_sees():
    """Catches a joint taken from the lifter although the rest of the body and a ray say where it is."""
    cameras = ring(3)
    poses = seen_by(cameras, WALKER, noise_px=1.0)
    poses = (poses[0], *(without(each, GAP, 9) for each in poses[1:]))
    filled = fill_in(triangulate_pose(poses, cameras), poses, cameras)
    assert np.median(off_m(filled)[GAP, 9]) < 0.13  # a hand that swings; its depth is the lifter's
    assert (filled.views[GAP, 9] == 1).all()
    assert (filled.confidence[GAP, 9] == 0).all()
    assert (filled.confidence[GAP, 10] > 0).all()


def test_one_camera_for_the_whole_clip():
    """Catches a division by no known frame; one camera says where a person of known height is."""
    cameras = ring(2)
    poses = (seen_by(cameras, WALKER)[0], None)
    filled = fill_in(triangulate_pose(poses, cameras), poses, cameras, height_m=1.7)
    assert np.isfinite(filled.xyz_m).all()
    assert not filled.confidence.any()
    assert np.median(off_m(filled)) < 0.2


def test_nobody_is_made_up_for_long():
    """Catches ghosts: a person whom no camera sees is carried on for half a second at both ends of the gap, no more."""
    cameras = ring(2)
    poses = tuple(without(pose, slice(20, 80)) for pose in seen_by(cameras, WALKER, noise_px=1.0))
    filled = fill_in(triangulate_pose(poses, cameras), poses, cameras, settings=FillSettings(longest_s=0.3))
    there = np.isfinite(filled.xyz_m).all(axis=(1, 2))
    np.testing.assert_array_equal(np.flatnonzero(~there), np.arange(29, 71))
    assert not filled.confidence[20:80].any()
    assert not filled.views[20:80].any()


def test_what_is_whole_or_hopeless_stays():
    """Catches a lifter that is run for nothing, and a crash where no camera sees a whole body."""
    cameras = ring(2)
    whole = triangulate_pose(seen_by(cameras, WALKER), cameras)
    assert fill_in(whole, [None, None], cameras) is whole
    arms = [without(pose, slice(None), slice(9, 17)) for pose in seen_by(cameras, WALKER)]
    few = [without(pose, slice(None), slice(2, 9)) for pose in arms]
    hopeless = triangulate_pose(few, cameras)
    assert fill_in(hopeless, few, cameras) is hopeless


@pytest.mark.parametrize("change", ["count", "frames", "frame", "skeleton"])
def test_what_does_not_fit_is_refused(change):
    """Catches gaps filled from another clip, in a camera's axes, or under names nobody declared."""
    cameras = ring(2)
    poses = list(seen_by(cameras, WALKER, missing=0.6))
    pose = triangulate_pose(poses, cameras)
    if change == "count":
        poses.pop()
    elif change == "frames":
        poses[0] = replace(poses[0], xy_px=poses[0].xy_px[1:], confidence=poses[0].confidence[1:])
    elif change == "frame":
        pose = replace(pose, frame="camera")
    else:
        changes = {name: getattr(pose, name)[:, 1:] for name in ("xyz_m", "confidence", "std_m", "views")}
        pose = replace(pose, **changes, skeleton=MPII_16)
    with pytest.raises(InputError):
        fill_in(pose, poses, cameras)
