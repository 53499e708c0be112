from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from lifters import random_lifter

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.mirror import lift_both_ways, mirrored_camera, mirrored_pose2d
from mocap3d.lift.monocular import lift_everything

K = np.array([[800.0, 3.0, 300.0], [0, 780.0, 250.0], [0, 0, 1]])
BENT = np.array([-0.2, 0.05, 0.003, -0.004, 0.01, 0.02, -0.01, 0.005, 0.006, -0.007, 0.008, 0.009, 0.03, -0.05])


def camera(distortion=BENT, model="brown-conrady"):
    return Camera(name="c", size_wh_px=(640, 480), K=K, distortion=distortion, model=model)


def pixels_by_opencv(lens, xyz_m):
    """Projected without mocap3d."""
    points = np.ascontiguousarray(xyz_m.reshape(-1, 1, 3))
    if lens.model == "fisheye":
        skew = lens.K[0, 1] / lens.K[0, 0]
        found = cv2.fisheye.projectPoints(points, np.zeros(3), np.zeros(3), lens.K, lens.distortion, alpha=skew)[0]
    else:
        flat = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), lens.distortion)[0]  # OpenCV has no skew
        found = flat @ lens.K[:2, :2].T + lens.K[:2, 2]
    return found.reshape(*xyz_m.shape[:-1], 2)


def people(frames=40, seed=0):
    rng = np.random.default_rng(seed)
    xy_px = rng.uniform([150, 80], [450, 400], (1, 17, 2)) + rng.normal(0, 8, (frames, 17, 2)).cumsum(axis=0) / 3
    confidence = rng.uniform(0.1, 1, (frames, 17))
    unseen = rng.random((frames, 17)) < 0.1
    xy_px[unseen], confidence[unseen] = np.nan, 0
    return Pose2D(xy_px=xy_px, confidence=confidence, fps=Fraction(30), skeleton=COCO_17)


@pytest.mark.parametrize(
    ("distortion", "model"),
    [
        (np.zeros(0), "brown-conrady"),
        (BENT[:5], "brown-conrady"),
        (BENT, "brown-conrady"),
        (BENT[4:8], "fisheye"),
    ],
)
def test_a_mirrored_camera_makes_mirrored_pictures(distortion, model):
    """Catches a principal point, skew or tangential coefficient that stays on its side: OpenCV projects both."""
    lens = camera(distortion, model)
    xyz_m = np.random.default_rng(1).uniform([-0.8, -0.6, 2], [0.8, 0.6, 4], (30, 3))
    here = pixels_by_opencv(lens, xyz_m)
    there = pixels_by_opencv(mirrored_camera(lens), xyz_m * [-1, 1, 1])
    np.testing.assert_allclose(there, [639, 0] + here * [-1, 1], atol=1e-8)


def test_a_mirrored_pose_changes_sides():
    """Catches left joints that stay left, a pixel of shift, and a mirror of which twice is not once."""
    pose = people()
    image = mirrored_pose2d(pose, camera())
    left, right = COCO_17.index("left_wrist"), COCO_17.index("right_wrist")
    np.testing.assert_array_equal(image.confidence[:, left], pose.confidence[:, right])
    np.testing.assert_array_equal(image.xy_px[:, left, 0], 639 - pose.xy_px[:, right, 0])
    np.testing.assert_array_equal(image.xy_px[:, left, 1], pose.xy_px[:, right, 1])
    np.testing.assert_allclose(mirrored_pose2d(image, camera()).xy_px, pose.xy_px, atol=1e-12)


def test_both_ways_is_the_mean_of_a_person_and_the_mirrored_person():
    """Catches a mean with limbs of the wrong side, an x that is not turned back, or feet exchanged."""
    lens, pose = camera(), people()
    weights = random_lifter(trajectory=True, contacts=True, direct=True)
    other = [
        LIFTER_20.index(name.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right"))
        for name in LIFTER_20.joint_names
    ]
    one, two = (
        lift_everything(seen, by, weights=weights)
        for seen, by in ((pose, lens), (mirrored_pose2d(pose, lens), mirrored_camera(lens)))
    )
    both = lift_both_ways(pose, lens, weights=weights)
    np.testing.assert_allclose(both.body.xyz_m, (one.body.xyz_m + two.body.xyz_m[:, other] * [-1, 1, 1]) / 2)
    np.testing.assert_allclose(both.root_m, (one.root_m + two.root_m * [-1, 1, 1]) / 2)
    np.testing.assert_allclose(both.root_std_m, (one.root_std_m + two.root_std_m) / 2)
    np.testing.assert_allclose(both.contacts[:, 1], (one.contacts[:, 1] + two.contacts[:, 3]) / 2)
    np.testing.assert_allclose(both.contacts[:, 2], (one.contacts[:, 2] + two.contacts[:, 0]) / 2)
    assert np.abs(one.body.xyz_m - both.body.xyz_m).max() > 0.01  # random weights do not know the mirror


def test_both_ways_is_blind_to_the_mirror():
    """Catches any left-out sign: the mirrored person must give exactly the mirror image."""
    lens, pose, weights = camera(), people(), random_lifter()
    both = lift_both_ways(pose, lens, weights=weights)
    image = lift_both_ways(mirrored_pose2d(pose, lens), mirrored_camera(lens), weights=weights)
    mirror = list(LIFTER_20.mirror)
    np.testing.assert_allclose(image.body.xyz_m[:, mirror] * [-1, 1, 1], both.body.xyz_m, atol=1e-6)
    assert both.root_m is None


def test_the_pose_of_the_camera_is_kept():
    """Catches a mirrored camera that is refused because its pose would be a reflection."""
    moved = np.eye(4)
    moved[:3, 3] = 1, 2, 3
    np.testing.assert_array_equal(mirrored_camera(replace(camera(), cam_from_world=moved)).cam_from_world, moved)
