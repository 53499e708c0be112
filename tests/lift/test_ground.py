import math
from fractions import Fraction

import numpy as np
import pytest
from walker import walk

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.ground import find_ground

HEIGHT_M = 1.65


def cam_from_world(tilt_deg, roll_deg, heading_deg=90.0):
    """A camera 1.5 m high and 6 m away that looks down by tilt and is rolled clockwise; written out by hand."""
    turn, tilt, roll = (math.radians(angle) for angle in (heading_deg, tilt_deg, roll_deg))
    flip = np.diag([1.0, -1.0, -1.0])  # a level camera that looks along world -Z
    yaw = np.array([[math.cos(turn), 0, -math.sin(turn)], [0, 1, 0], [math.sin(turn), 0, math.cos(turn)]])
    pitch = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
    bank = np.array([[math.cos(roll), math.sin(roll), 0], [-math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    R = bank @ pitch @ flip @ yaw
    return R, np.array([0.0, 1.5, 0.0]) - R.T @ np.array([0.0, 0, 6.0]) + [0, 0, 2.0]


def seen_by(world_m, R, centre_m):
    """The same joints in the camera's frame."""
    xyz_m = (world_m - centre_m) @ R.T
    shape = xyz_m.shape[:2]
    ones = np.ones(shape)
    return Pose3D(
        xyz_m=xyz_m,
        confidence=ones,
        std_m=0.03 * ones,
        views=ones,
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="camera",
    )


def contacts_of(planted):
    """A foot that stands does so with heel and toe."""
    return np.repeat(planted, 2, axis=1).astype(float)


@pytest.mark.parametrize(("tilt_deg", "roll_deg"), [(0, 0), (12, 0), (0, 15), (-8, -20)])
def test_finds_up_and_the_floor_of_a_walker(tilt_deg, roll_deg):
    """Catches the sign of tilt or roll, and a floor at the height of the ankles."""
    world_m, planted = walk(5.0)
    R, centre = cam_from_world(tilt_deg, roll_deg)
    ground = find_ground([seen_by(world_m, R, centre)], [contacts_of(planted)], height_m=HEIGHT_M)
    up_in_world = ground.world_from_cam[:3, :3] @ R @ np.array([0.0, 1.0, 0.0])
    assert math.degrees(math.acos(min(1.0, up_in_world[1]))) < 4.0
    feet = seen_by(world_m, R, centre).xyz_m @ ground.world_from_cam[:3, :3].T + ground.world_from_cam[:3, 3]
    ankle = feet[:, LIFTER_20.index("left_ankle"), 1][planted[:, 0]]
    np.testing.assert_allclose(ankle, 0.07, atol=0.04)
    assert ground.footfalls >= 8


def test_the_world_is_right_handed_and_faces_the_camera():
    """Catches a mirrored world, and one in which who faces the camera faces -Z."""
    world_m, planted = walk(3.0)
    R, centre = cam_from_world(0, 0, heading_deg=0.0)
    matrix = find_ground([seen_by(world_m, R, centre)], [contacts_of(planted)], height_m=HEIGHT_M).world_from_cam
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)
    towards_camera = matrix[:3, :3] @ np.array([0.0, 0.0, -1.0])
    assert towards_camera[2] > 0.99


def test_a_measured_tilt_wins_over_a_leaning_torso():
    """Catches --camera-tilt ignored: somebody who stands bent looks like a tilted camera."""
    world_m, _ = walk(3.0)
    lean = math.radians(20)
    pelvis = world_m[:, :1]
    bend = np.array([[1, 0, 0], [0, math.cos(lean), -math.sin(lean)], [0, math.sin(lean), math.cos(lean)]])
    above = [LIFTER_20.index(name) for name in ("spine", "thorax", "neck", "head")]
    world_m[:, above] = pelvis + (world_m[:, above] - pelvis) @ bend.T
    R, centre = cam_from_world(10, 0, heading_deg=0.0)
    body = seen_by(world_m, R, centre)
    errors = []
    for tilt in (None, 10.0):
        ground = find_ground([body], [np.zeros((len(body), 4))], height_m=HEIGHT_M, camera_tilt_deg=tilt)
        up = ground.world_from_cam[:3, :3] @ R @ np.array([0.0, 1.0, 0.0])
        errors.append(math.degrees(math.acos(min(1.0, up[1]))))
    assert errors[0] > 8.0
    assert errors[1] < 3.0


def test_somebody_on_a_roof_does_not_tilt_the_floor():
    """Catches a plane laid through the feet of two people who stand on different things."""
    world_m, planted = walk(5.0)
    roof_m = walk(5.0, speed_mps=0.3)[0] * [1, 1, 0.3] + [3.0, 3.5, 1.0]
    R, centre = cam_from_world(5, 0)
    bodies = [seen_by(world_m, R, centre), seen_by(roof_m, R, centre)]
    ground = find_ground(bodies, [contacts_of(planted)] * 2, height_m=HEIGHT_M)
    up_in_world = ground.world_from_cam[:3, :3] @ R @ np.array([0.0, 1.0, 0.0])
    assert math.degrees(math.acos(min(1.0, up_in_world[1]))) < 5.0


def test_says_how_sure_it_is():
    """Catches an uncertainty that does not depend on the evidence: feet tell more than torsos alone."""
    world_m, planted = walk(5.0)
    R, centre = cam_from_world(5, 0)
    body = seen_by(world_m, R, centre)
    with_feet = find_ground([body], [contacts_of(planted)], height_m=HEIGHT_M)
    without = find_ground([body], [np.zeros((len(body), 4))], height_m=HEIGHT_M)
    assert without.footfalls == 0
    assert min(with_feet.up_std_deg) < 0.5 * min(without.up_std_deg)
    assert with_feet.floor_std_m < without.floor_std_m


def test_nobody_is_an_error():
    """Catches an index error instead of a sentence."""
    with pytest.raises(InputError, match="at least one person"):
        find_ground([], [], height_m=HEIGHT_M)
