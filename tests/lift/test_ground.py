import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from walker import walk

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.ground import find_ground, footfalls

HEIGHT_M = 1.65
FEET = [LIFTER_20.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "toe")]


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


def found_up(ground, R):
    """How far the up that was found is off, in degrees, and the tilt and roll of the camera that it stands for."""
    x, y, z = ground.world_from_cam[1, :3]
    off = math.acos(min(1.0, float(ground.world_from_cam[1, :3] @ R @ [0.0, 1.0, 0.0])))
    return math.degrees(off), math.degrees(math.asin(-z)), math.degrees(math.atan2(-x, -y))


def stances(planted):
    """Column of ``FEET`` and slice of each stretch in which a foot stands."""
    for column in range(4):
        stands = [False, *planted[:, column // 2], False]
        starts = [t for t in range(len(planted)) if stands[t + 1] and not stands[t]]
        for start in starts:
            yield column, slice(start, start + 1 + stands[start + 2 :].index(False))


def with_foot_noise(world_m, planted, std_m, seed):
    """Every stance of every ankle and toe at its own wrong height."""
    rng, noisy = np.random.default_rng(seed), world_m.copy()
    for column, stance in stances(planted):
        noisy[stance, FEET[column], 1] += rng.normal(0, std_m)
    return noisy


def with_torso(world_m, lean_deg, towards):
    """A straight torso that leans by an angle towards a horizontal direction."""
    leaning, lean = world_m.copy(), math.radians(lean_deg)
    along = math.cos(lean) * np.array([0.0, 1.0, 0.0]) + math.sin(lean) * np.array(towards)
    for name, length_m in {"spine": 0.22, "thorax": 0.5, "neck": 0.6, "head": 0.78}.items():
        leaning[:, LIFTER_20.index(name)] = leaning[:, 0] + length_m * along
    return leaning


def in_world(body, ground):
    """A body's joints in the world that was found."""
    return body.xyz_m @ ground.world_from_cam[:3, :3].T + ground.world_from_cam[:3, 3]


@pytest.mark.parametrize("roof_first", [True, False])
def test_the_floor_is_the_lowest_thing_that_feet_use(roof_first):
    """Catches the roof taken for the floor: the walker on the meadow would be a mole."""
    world_m, planted = walk(5.0)
    roof_m = walk(5.0, speed_mps=0.3)[0] * [1, 1, 0.3] + [3.0, 3.5, 1.0]
    R, centre = cam_from_world(5, 0)
    meadow, roof = seen_by(world_m, R, centre), seen_by(roof_m, R, centre)
    bodies = [roof, meadow] if roof_first else [meadow, roof]
    ground = find_ground(bodies, [contacts_of(planted)] * 2, height_m=HEIGHT_M)
    np.testing.assert_allclose(in_world(meadow, ground)[:, FEET[0], 1][planted[:, 0]], 0.07, atol=0.04)
    np.testing.assert_allclose(in_world(roof, ground)[:, FEET[0], 1][planted[:, 0]], 3.57, atol=0.3)
    assert ground.footfalls == len(list(stances(planted)))


def test_one_stray_contact_in_a_hole_is_not_the_floor():
    """Catches a floor set by the lowest contact whatever: everybody would float a metre above it."""
    world_m, planted = walk(5.0)
    _, stance = list(stances(planted))[4]
    world_m[stance, FEET[1], 1] -= 1.0
    R, centre = cam_from_world(5, 0)
    body = seen_by(world_m, R, centre)
    ground = find_ground([body], [contacts_of(planted)], height_m=HEIGHT_M)
    np.testing.assert_allclose(np.median(in_world(body, ground)[:, FEET[2], 1][planted[:, 1]]), 0.07, atol=0.04)
    assert ground.footfalls == len(list(stances(planted))) - 1


def test_one_step_misjudged_does_not_tilt_the_floor():
    """Catches squared errors: one footfall lifted 0.3 m too high would weigh more than all others."""
    world_m, planted = walk(5.0)
    across_m = world_m[..., [2, 1, 0]] * [1, 1, -1] + [-3.0, 0, 3.0]
    _, first = next(stances(planted))
    world_m[first, FEET[0], 1] += 0.3
    R, centre = cam_from_world(5, 0)
    bodies = [seen_by(xyz_m, R, centre) for xyz_m in (world_m, across_m)]
    ground = find_ground(bodies, [contacts_of(planted)] * 2, height_m=HEIGHT_M)
    assert found_up(ground, R)[0] < 0.7


def test_without_feet_the_hips_stand_at_their_usual_height():
    """Catches hips on the floor, or a floor a metre too deep, of somebody behind a desk (hips: Drillis and Contini)."""
    world_m, _ = walk(3.0)
    R, centre = cam_from_world(0, 0)
    body = seen_by(with_torso(world_m, 0, [0, 0, 1]), R, centre)
    ground = find_ground([body], [np.zeros((len(body), 4))], height_m=1.8)
    hips = [LIFTER_20.index(f"{side}_hip") for side in ("left", "right")]
    assert np.median(in_world(body, ground)[:, hips, 1]) == pytest.approx(0.53 * 1.8, abs=0.02)
    assert ground.footfalls == 0
    assert ground.floor_std_m > 0.1


def test_the_stated_error_of_up_is_the_error():
    """Catches a standard deviation off by a factor, or in radians: over many noisy walks it must match the errors."""
    world_m, planted = walk(5.0)
    R, centre = cam_from_world(5, 3)
    score = []
    for seed in range(30):
        body = seen_by(with_foot_noise(world_m, planted, 0.03, seed), R, centre)
        ground = find_ground([body], [contacts_of(planted)], height_m=HEIGHT_M)
        _, tilt, roll = found_up(ground, R)
        score.append([(tilt - 5) / ground.up_std_deg[0], (roll - 3) / ground.up_std_deg[1]])
    rms = np.sqrt(np.mean(np.square(score), axis=0))
    assert (rms > 0.3).all(), rms
    assert (rms < 3.0).all(), rms


@pytest.mark.parametrize(("towards", "index"), [([1, 0, 0], 1), ([0, 0, 1], 2)])
def test_a_leaning_torso_and_a_level_camera_meet_in_between(towards, index):
    """Catches a camera believed to be anything: torsos say 30 degrees, cameras are held within 20 or so."""
    world_m, _ = walk(2.0)
    R, centre = cam_from_world(0, 0)
    body = seen_by(with_torso(world_m, 30, towards), R, centre)
    ground = find_ground([body], [np.zeros((len(body), 4))], height_m=HEIGHT_M)
    assert 24.0 < abs(found_up(ground, R)[index]) < 29.0


@pytest.mark.parametrize("tilt_deg", [89.5, 89.99, 90.0])
def test_a_camera_that_looks_straight_down(tilt_deg):
    """Catches a heading divided by zero, and a world that is not one."""
    world_m, _ = walk(2.0)
    R, _ = cam_from_world(90, 0, heading_deg=0.0)
    body = seen_by(with_torso(world_m, 0, [0, 0, 1]), R, np.array([0.0, 6.0, 1.0]))
    ground = find_ground([body], [np.zeros((len(body), 4))], height_m=HEIGHT_M, camera_tilt_deg=tilt_deg)
    turn = ground.world_from_cam[:3, :3]
    assert np.isfinite(ground.world_from_cam).all()
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    np.testing.assert_allclose(turn[1], [0, 0, -1], atol=0.01)
    np.testing.assert_allclose(turn[2], [0, 1, 0], atol=0.01)  # the picture's lower edge is nearest, also at the pole


@pytest.mark.parametrize("tilt_deg", [60.0, -60.0])
def test_a_steep_camera_that_was_measured(tilt_deg):
    """Catches a measured tilt pulled towards level, or taken with the wrong sign."""
    world_m, planted = walk(5.0)
    R, centre = cam_from_world(tilt_deg, 0)
    body = seen_by(with_torso(world_m, 0, [0, 0, 1]), R, centre)
    for contacts in (contacts_of(planted), np.zeros((len(body), 4))):
        ground = find_ground([body], [contacts], height_m=HEIGHT_M, camera_tilt_deg=tilt_deg)
        assert found_up(ground, R)[0] < 1.0


def test_the_feet_of_a_leaning_runner_are_one_floor():
    """Catches levels that swallow the feet: seen from a torso that leans, a flat run climbs stairs."""
    world_m, planted = walk(3.0, speed_mps=3.0)
    world_m = with_torso(world_m, 20, [0, 0, 1]) - [0, 0, 4.5]
    R, centre = cam_from_world(5, 0)
    for seed in range(10):
        body = seen_by(with_foot_noise(world_m, planted, 0.03, seed), R, centre)
        ground = find_ground([body], [contacts_of(planted)], height_m=HEIGHT_M)
        assert abs(found_up(ground, R)[2]) < 4.0
        assert ground.footfalls == len(list(stances(planted)))


def test_a_person_who_comes_later_stands_on_the_same_ground():
    """Catches a world whose origin is the NaN of a first frame in which nobody was there."""
    world_m, planted = walk(3.0)
    R, centre = cam_from_world(5, 0)
    body = seen_by(world_m, R, centre)
    xyz_m, confidence = body.xyz_m.copy(), body.confidence.copy()
    xyz_m[:10], confidence[:10] = np.nan, 0
    contacts = contacts_of(planted)
    contacts[:10] = 0
    late = dataclasses.replace(body, xyz_m=xyz_m, confidence=confidence)
    ground = find_ground([late], [contacts], height_m=HEIGHT_M)
    assert np.isfinite(ground.world_from_cam).all()
    origin = in_world(body, ground)[10, 0]
    np.testing.assert_allclose(origin[[0, 2]], 0, atol=1e-9)
    assert 0.7 < origin[1] < 1.0


def test_bodies_without_a_finite_frame_are_an_error():
    """Catches a NaN ground, which turns up only in the file that is written."""
    world_m, planted = walk(1.0)
    body = seen_by(world_m, *cam_from_world(0, 0))
    nowhere = dataclasses.replace(
        body, xyz_m=np.full_like(body.xyz_m, np.nan), confidence=np.zeros_like(body.confidence)
    )
    with pytest.raises(InputError, match="at least one person"):
        find_ground([nowhere, nowhere], [contacts_of(planted)] * 2, height_m=HEIGHT_M)


def test_a_footfall_is_the_middle_of_a_contact():
    """Catches a foot's place taken from the frame in which it lands, and contacts cut at the ends of the clip."""
    feet_m = np.zeros((9, 4, 3))
    feet_m[:, 2, 1] = [0, 0, 9, 5, 5, 5, 5, 1, 0]
    feet_m[5, 2] = np.nan
    contacts = np.zeros((9, 4))
    contacts[2:8, 2], contacts[:1, 0], contacts[8:, 0], contacts[3:5, 1] = 0.9, 1.0, 1.0, 0.4
    found = footfalls(feet_m, contacts)
    assert [column for column, _ in found] == [0, 0, 2]
    np.testing.assert_array_equal(found[2][1], [0, 5, 0])


def test_more_steps_make_the_floor_surer():
    """Catches a height of the floor as sure after four steps as after sixteen."""
    R, centre = cam_from_world(5, 0)
    std = []
    for seconds in (2.0, 8.0):
        world_m, planted = walk(seconds)
        ground = find_ground([seen_by(world_m, R, centre)], [contacts_of(planted)], height_m=HEIGHT_M)
        std.append(ground.floor_std_m)
    assert 0.35 < std[1] / std[0] < 0.65
