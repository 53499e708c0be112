"""The points that C3D, TRC and CSV carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import humanoid_rig
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import SEVERAL_ROOTS, Skeleton
from mocap3d.output.markers import markers, point_stream, virtual_markers


def humanoid_motion():
    """Three frames of the humanoid in random poses."""
    rng = np.random.default_rng(3)
    rig = humanoid_rig()
    xyzw = Rotation.random(3 * len(rig.skeleton), rng=rng).as_quat()
    local_wxyz = xyzw[:, [3, 0, 1, 2]].reshape(3, -1, 4)
    return Motion(rig=rig, fps=30, local_wxyz=local_wxyz, root_m=rng.normal(size=(3, 3)))


def test_joints_tips_and_heels_stand_where_they_are_known_to_be():
    """Catches a marker on the wrong joint, heels in the wrong frame, left and right exchanged."""
    motion = humanoid_motion()
    pose = markers(motion)
    names = pose.skeleton.joint_names
    np.testing.assert_array_equal(pose.xyz_m[:, :22], forward(motion)[0])
    np.testing.assert_allclose(pose.xyz_m[:, 22:27], tip_positions(motion), atol=1e-15)
    soles = [names.index(name) for name in ("leftHeel", "leftToesTip", "rightHeel", "rightToesTip")]
    np.testing.assert_allclose(pose.xyz_m[:, soles], sole_points(motion), atol=1e-15)
    assert pose.skeleton.parents[names.index("leftHeel")] == names.index("leftFoot")
    assert pose.skeleton.mirror[names.index("leftHeel")] == names.index("rightHeel")
    assert pose.skeleton.mirror[names.index("leftHandTip")] == names.index("rightHandTip")


def test_other_rigs_have_no_heels(wild_motion):
    """Catches heels guessed on a rig of unknown axes."""
    assert virtual_markers(wild_motion.rig) == wild_motion.rig.tips
    assert len(markers(wild_motion).skeleton) == 18 + 5


def test_the_synthetic_root_is_no_marker():
    """Catches a point at the origin that nobody has put there, and parents that are off by one."""
    skeleton = Skeleton(
        name="two", joint_names=(SEVERAL_ROOTS, "a", "a1", "b"), parents=(-1, 0, 1, 0), mirror=(0, 3, 2, 1)
    )
    still = np.tile([1.0, 0, 0, 0], (4, 1))
    rig = Rig(skeleton=skeleton, offsets_m=np.arange(12.0).reshape(4, 3), rest_wxyz=still)
    motion = Motion(rig=rig, fps=30, local_wxyz=still[None], root_m=np.zeros((1, 3)))
    pose = markers(motion)
    assert pose.skeleton.joint_names == ("a", "a1", "b")
    assert pose.skeleton.parents == (-1, 0, 0)
    assert pose.skeleton.mirror == (2, 1, 0)
    np.testing.assert_array_equal(pose.xyz_m, forward(motion)[0][:, 1:])


def test_a_tip_named_as_a_joint_gets_a_number(wild_motion):
    """Catches two markers of one name, which Skeleton refuses."""
    rig = wild_motion.rig
    tips = (replace(rig.tips[0], name="head"), *rig.tips[1:])
    motion = replace(wild_motion, rig=replace(rig, tips=tips))
    assert markers(motion).skeleton.joint_names[18] == "head_2"


def test_points_of_a_camera_are_refused(wild_motion):
    """Catches a file whose up axis is the camera's down."""
    pose = markers(wild_motion)
    assert len(point_stream(pose)) == len(pose)
    with pytest.raises(InputError, match="world"):
        point_stream(replace(pose, frame="camera"))


def test_what_no_file_holds_is_refused(wild_motion):
    """Catches a file without frames, which nobody reads, and float32 that overflows."""
    pose = markers(wild_motion)
    with pytest.raises(InputError, match="1e\\+09 m away"):
        point_stream(replace(pose, xyz_m=np.full(pose.xyz_m.shape, 1e9)))
    none = {name: getattr(pose, name)[:0] for name in ("xyz_m", "confidence", "std_m", "views")}
    with pytest.raises(InputError, match="no frame"):
        point_stream(replace(pose, **none))
