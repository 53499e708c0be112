from fractions import Fraction

import numpy as np
import pytest
from walker import walk

from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.bones import bone_lengths, with_constant_bones


def pose_of(xyz_m, confidence=None):
    """LIFTER_20 joints in a camera's frame."""
    shape = xyz_m.shape[:2]
    return Pose3D(
        xyz_m=xyz_m,
        confidence=np.ones(shape) if confidence is None else confidence,
        std_m=np.full(shape, 0.03),
        views=np.ones(shape),
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="camera",
    )


def test_lengths_become_constant_and_directions_stay():
    """Catches a child rebuilt from its parent's old place, or directions that follow the lengths."""
    joints, _ = walk(1.0)
    breathing = joints[:, :1] + (joints - joints[:, :1]) * (1 + 0.2 * np.sin(np.arange(len(joints))))[:, None, None]
    fixed = with_constant_bones(pose_of(breathing), height_m=1.7).xyz_m
    for parent, j in LIFTER_20.edges:
        before, after = breathing[:, j] - breathing[:, parent], fixed[:, j] - fixed[:, parent]
        lengths = np.linalg.norm(after, axis=-1)
        assert np.ptp(lengths) < 1e-12
        np.testing.assert_allclose(
            after / lengths[:, None], before / np.linalg.norm(before, axis=-1, keepdims=True), atol=1e-9
        )
    np.testing.assert_array_equal(fixed[:, 0], breathing[:, 0])


def test_left_and_right_are_equally_long():
    """Catches a body that limps because one leg was measured shorter."""
    joints, _ = walk(1.0)
    shin = joints[:, LIFTER_20.index("left_ankle")] - joints[:, LIFTER_20.index("left_knee")]
    for name in ("left_ankle", "left_toe"):
        joints[:, LIFTER_20.index(name)] -= 0.1 * shin
    lengths = bone_lengths(pose_of(joints))
    left, right = (lengths[LIFTER_20.index(f"{side}_ankle")] for side in ("left", "right"))
    assert left == right
    assert abs(left - 0.95 * 0.42) < 1e-9


def test_frames_that_did_not_see_a_bone_do_not_measure_it():
    """Catches guessed joints that set the length of seen ones."""
    joints, _ = walk(1.0)
    confidence = np.ones(joints.shape[:2])
    wrist, elbow = LIFTER_20.index("left_wrist"), LIFTER_20.index("left_elbow")
    joints[:20, wrist] = joints[:20, elbow]
    confidence[:20, wrist] = 0
    assert abs(bone_lengths(pose_of(joints, confidence))[wrist] - 0.25) < 1e-9


@pytest.mark.parametrize("height_m", [1.5, 1.9])
def test_legs_are_those_of_somebody_of_that_height(height_m):
    """Catches a small body left small: it would be found too near (thigh and shank: Drillis and Contini)."""
    joints, _ = walk(1.0)
    joints = joints[:, :1] + 0.6 * (joints - joints[:, :1])
    fixed = with_constant_bones(pose_of(joints), height_m=height_m).xyz_m
    hip, knee, ankle = (fixed[:, LIFTER_20.index(f"right_{name}")] for name in ("hip", "knee", "ankle"))
    legs = np.linalg.norm(hip - knee, axis=-1) + np.linalg.norm(knee - ankle, axis=-1)
    np.testing.assert_allclose(legs, 0.491 * height_m, rtol=0.005)
    forearm = fixed[:, LIFTER_20.index("left_wrist")] - fixed[:, LIFTER_20.index("left_elbow")]
    np.testing.assert_allclose(np.linalg.norm(forearm, axis=-1), 0.25 / 0.84 * legs, rtol=0.02)


def test_legs_that_nobody_saw_set_no_scale():
    """Catches a trunk stretched because guessed legs were short."""
    joints, _ = walk(1.0)
    confidence = np.ones(joints.shape[:2])
    for side in ("left", "right"):
        knee, ankle = LIFTER_20.index(f"{side}_knee"), LIFTER_20.index(f"{side}_ankle")
        joints[:, ankle] = joints[:, knee] + 0.3 * (joints[:, ankle] - joints[:, knee])
        confidence[:, [knee, ankle]] = 0
    fixed = with_constant_bones(pose_of(joints, confidence), height_m=1.9).xyz_m
    assert np.isfinite(fixed).all()
    trunk = np.linalg.norm(fixed[:, LIFTER_20.index("thorax")] - fixed[:, LIFTER_20.index("spine")], axis=-1)
    np.testing.assert_allclose(trunk, np.hypot(0.28, 0.02), atol=1e-9)
