"""Frames in which nobody was seen: the body stays where it was, or goes over; it does not sink or fly."""

import dataclasses

import numpy as np
import pytest
from solved_people import SAME, joints_of, swinging_angles, world_pose
from walker import walk

from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20
from mocap3d.motion.body import rig_from
from mocap3d.motion.solve import solve, unobserved

GAPS = {"start": slice(0, 45), "middle": slice(20, 60), "end": slice(50, 90), "most": slice(10, 80)}
MOST = 0.9  # of the frames


def without(joints, gap):
    """The joints (T, 20, 3) with nothing in some frames."""
    holes = joints.copy()
    holes[gap] = np.nan
    return holes


@pytest.fixture(scope="module")
def walking():
    """Three seconds of a walk, and how it is solved where every frame is seen."""
    joints, _ = walk(3.0)
    return joints, solve(world_pose(joints))


@pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS)
def test_nobody_sinks_or_flies_while_unseen(walking, gap):
    """Catches a body that goes on as it was last moving: through the floor at the start of a clip, or off the map."""
    joints, whole = walking
    motion = solve(world_pose(without(joints, gap)))
    assert sole_points(motion)[gap, :, 1].min() > -0.01
    assert np.abs(motion.root_m[gap, 1] - np.median(whole.root_m[:, 1])).max() < 0.06
    seen = np.delete(np.arange(90), gap)
    along = whole.root_m[seen]
    assert (motion.root_m >= along.min(axis=0) - 0.1).all()
    assert (motion.root_m <= along.max(axis=0) + 0.1).all()
    assert np.linalg.norm(np.diff(motion.root_m, axis=0), axis=-1).max() < 0.08
    np.testing.assert_allclose(motion.root_m[seen], along, atol=0.03)


def test_the_pose_is_held_before_the_first_sight(walking):
    """Catches limbs that swing on, or fall back to the T-pose, before anybody was seen."""
    joints, _ = walking
    motion = solve(world_pose(without(joints, slice(0, 45))))
    places = forward(motion)[0][:45] - motion.root_m[:45, None]
    away = np.linalg.norm(places - forward(motion)[0][45] + motion.root_m[45], axis=-1)
    assert away[:30].max() < 0.15
    assert np.ptp(places[:25], axis=0).max() < 0.01


def test_a_jump_is_bridged_in_the_air():
    """Catches a rule that puts everybody onto the floor: who is last seen high and next seen high was high."""
    joints = joints_of(np.zeros((60, 22, 3)), np.tile([0.0, 2.0, 0.0], (60, 1)))
    motion = solve(world_pose(without(joints, slice(20, 40))), rig=HUMANOID_RIG)
    np.testing.assert_allclose(motion.root_m[:, 1], 2.0, atol=0.02)


def test_parts_are_counted_where_somebody_was_seen():
    """Catches an arm, or the whole body, left at rest because nobody was there most of the time."""
    joints = joints_of(swinging_angles(60), np.tile([0.0, 0.9, 0.0], (60, 1)))
    pose = world_pose(without(joints, slice(round(60 * (1 - MOST)), 60)))
    assert unobserved(pose) == ()
    motion = solve(pose, rig=HUMANOID_RIG)
    wrist = forward(motion)[0][:6, HUMANOID_22.index("leftHand")]
    np.testing.assert_allclose(wrist, joints[:6, LIFTER_20.index("left_wrist")], atol=0.03)


def test_a_body_is_measured_where_somebody_was_seen():
    """Catches bones of the average body for somebody who is seen in a tenth of the clip."""
    offsets_m = HUMANOID_RIG.offsets_m.copy()
    offsets_m[[HUMANOID_22.index(f"{side}Foot") for side in ("left", "right")]] *= 1.2
    tall = dataclasses.replace(HUMANOID_RIG, offsets_m=offsets_m)
    joints = joints_of(swinging_angles(60), np.tile([0.0, 0.9, 0.0], (60, 1)), tall)
    rig = rig_from(world_pose(without(joints, slice(6, 60))), 1.7)
    shank = HUMANOID_22.index("leftFoot")
    assert rig.bone_lengths_m[shank] == pytest.approx(tall.bone_lengths_m[shank], rel=1e-3)


def test_two_points_are_nobody():
    """Catches a frame with two points taken for a person: a body turns about them as it likes."""
    joints = joints_of(swinging_angles(60), np.tile([0.0, 0.9, 0.0], (60, 1)))
    holes = without(joints, slice(20, 40))
    at = [LIFTER_20.index(name) for name in ("left_wrist", "right_wrist")]
    holes[20:40, at] = joints[20:40, at]
    motion = solve(world_pose(holes), rig=HUMANOID_RIG)
    world_m, _ = forward(motion)
    off = [world_m[:, HUMANOID_22.index(bone)] - joints[:, LIFTER_20.index(joint)] for joint, bone in SAME.items()]
    assert np.linalg.norm(off, axis=-1).max() < 0.35
