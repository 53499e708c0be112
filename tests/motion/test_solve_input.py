"""What the solver refuses, and that it does so before any work; what it takes although it looks odd."""

import dataclasses

import numpy as np
import pytest
from solved_people import joints_of, swinging_angles, world_pose
from walker import walk

import mocap3d.motion.solve as solver
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.motion.solve import solve

JOINTS, _ = walk(1.0)
POSE = world_pose(JOINTS)
STAND = np.ones((len(JOINTS), 4))


def broken(value):
    """Contacts with one wrong number."""
    shares = STAND.copy()
    shares[3, 2] = value
    return shares


@pytest.fixture
def no_work(monkeypatch):
    """Any step of the solver fails the test."""

    def worked(*_, **__):
        raise AssertionError("solved before looking")

    for name in ("rig_from", "landmarks", "analytic_start", "minimised"):
        monkeypatch.setattr(solver, name, worked)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"height_m": "1.7"}, "height_m must be a number from 0.3 to 3 metres, got '1.7'"),
        ({"height_m": None}, "height_m must be"),
        ({"height_m": True}, "height_m must be"),
        ({"height_m": float("nan")}, "height_m must be"),
        ({"height_m": 1e9}, "height_m must be"),
        ({"height_m": 170}, "height_m must be"),
        ({"start_frame": -5}, "start_frame must be a whole number, at least 0, got -5"),
        ({"start_frame": 1.5}, "start_frame must be"),
        ({"start_frame": True}, "start_frame must be"),
        ({"start_frame": "3"}, "start_frame must be"),
        ({"contacts": 7.0}, "contacts must have shape"),
        ({"contacts": STAND[:-1]}, "contacts must have shape"),
        ({"contacts": "all"}, "contacts must be numbers"),
        ({"contacts": broken(np.nan)}, "contacts must lie in 0..1"),
        ({"contacts": broken(1.1)}, "contacts must lie in 0..1"),
        ({"hint": STAND.T}, "hint must have shape"),
        ({"hint": broken(-0.1)}, "hint must lie in 0..1"),
        ({"rig": LIFTER_20}, "rig as a Rig, got Skeleton"),
    ],
)
def test_wrong_words_are_refused_at_once(no_work, given, message):
    """Catches a TypeError from the depths, half a second of work before a refusal, and a number that nobody checks."""
    with pytest.raises(InputError, match=message):
        solve(POSE, **given)


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (JOINTS, "Pose3D, got ndarray"),
        (None, "Pose3D, got NoneType"),
        (dataclasses.replace(POSE, frame="camera"), "in frame 'camera'"),
        (world_pose(1000 * JOINTS), "not in metres"),
        (world_pose(100 * JOINTS), "not in metres"),
        (world_pose(1e30 * JOINTS), "not in metres"),
        (world_pose(0.001 * JOINTS), "not in metres"),
        (world_pose(np.zeros_like(JOINTS)), "joints at one place"),
        (world_pose(np.full_like(JOINTS, np.nan)), "there is no value in any frame"),
        (world_pose(JOINTS, np.zeros(JOINTS.shape[:2])), "all have confidence 0"),
        (world_pose(JOINTS, fps=1_000_000), "up to 100000 frames per second, got 1e"),
    ],
    ids=["array", "none", "camera", "mm", "cm", "1e30", "km", "one place", "nothing", "nothing seen", "1 MHz"],
)
def test_joints_that_are_no_person_are_refused_at_once(no_work, pose, message):
    """Catches millimetres taken for metres, and a motion made of guesses alone, without a word."""
    with pytest.raises(InputError, match=message):
        solve(pose)


def test_units_are_judged_by_the_rig_where_there_is_one():
    """Catches a giant refused because nobody said how tall, and joints in millimetres on a rig in metres."""
    giant = dataclasses.replace(HUMANOID_RIG, offsets_m=10 * HUMANOID_RIG.offsets_m)
    joints = joints_of(swinging_angles(10), np.tile([0.0, 9.0, 0.0], (10, 1)), giant)
    assert len(solve(world_pose(joints), rig=giant)) == 10
    with pytest.raises(InputError, match="not in metres"):
        solve(world_pose(1000 * joints), rig=HUMANOID_RIG)


def test_one_joint_is_enough_to_judge_nothing():
    """Catches a check of distances that needs two joints: what is refused is that hips and shoulders are not there."""
    alone = np.full_like(JOINTS, np.nan)
    alone[:, LIFTER_20.index("face")] = 1.0
    with pytest.raises(InputError, match="both hips or both shoulders"):
        solve(world_pose(alone))


@pytest.mark.parametrize("height_m", [np.float32(1.7), np.int64(2), 1])
def test_any_kind_of_number_is_a_number(height_m):
    """Catches a check that knows Python's numbers only."""
    motion = solve(world_pose(JOINTS[:3]), height_m=height_m, start_frame=np.int32(7))
    assert motion.start_frame == 7


@pytest.mark.parametrize(("one", "other"), [("neck", "thorax"), ("spine", "thorax"), ("left_toe", "left_ankle")])
def test_two_names_of_one_place(one, other):
    """Catches a bone without length, of which the body is refused although nothing important is missing."""
    joints = joints_of(swinging_angles(30), np.tile([0.0, 0.9, 0.0], (30, 1)))
    joints[:, LIFTER_20.index(one)] = joints[:, LIFTER_20.index(other)]
    motion = solve(world_pose(joints))
    assert np.delete(motion.rig.bone_lengths_m, 0).min() > 0.01
    assert np.isfinite(motion.local_wxyz).all()


def test_a_clip_of_an_instant():
    """Catches filters as long as a second, however short the clip: they are no longer than the clip."""
    still = joints_of(np.zeros((20, 22, 3)), np.tile([0.0, 0.9, 0.0], (20, 1)))
    widths = []
    import mocap3d.motion.start as start

    plain = start.gaussian_filter1d

    def noted(values, sigma, **rest):
        widths.append(rest["radius"])
        return plain(values, sigma, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "gaussian_filter1d", noted)
        motion = solve(world_pose(still, fps=100_000))
    assert max(widths) <= 80
    np.testing.assert_allclose(motion.root_m, motion.root_m[:1].repeat(20, axis=0), atol=1e-6)
