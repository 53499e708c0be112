"""Filters of whole bodies: each limb gets its own, and nothing else changes."""

import dataclasses
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import BODY_25, COCO_17, HUMANOID_22, LIFTER_20
from mocap3d.motion.filters import (
    Butterworth,
    FilterSettings,
    Gaussian,
    LimbCutoffs,
    Robust,
    filter_motion,
    filter_points,
    filter_pose,
    filter_settings_from_text,
    filter_wxyz,
)
from mocap3d.motion.filters.limbs import _limb_of_point

LIMB_OF_ROLE = {
    "hips": "trunk", "spine": "trunk", "leftShoulder": "trunk", "neck": "head", "head": "head",
    "rightUpperArm": "arms", "leftLowerArm": "arms", "leftHand": "hands", "leftUpperLeg": "legs",
    "rightLowerLeg": "legs", "rightFoot": "feet", "leftToes": "feet",
}  # fmt: skip


def restless(frames=60, fps=Fraction(30), rig=HUMANOID_RIG):
    """A motion in which everything trembles."""
    rng = np.random.default_rng(0)
    joints = len(rig.skeleton)
    turns = Rotation.from_rotvec(0.2 * rng.normal(size=(frames * joints, 3))).as_quat()
    return Motion(
        rig=rig,
        fps=fps,
        local_wxyz=np.roll(turns, 1, axis=-1).reshape(frames, joints, 4),
        root_m=rng.normal(size=(frames, 3)) * 0.02 + [0.0, 0.9, 0.0],
        contacts=rng.random((frames, 4)),
        start_frame=7,
    )


def posed(skeleton, frames=50, fps=30):
    """Joints anywhere."""
    rng = np.random.default_rng(1)
    shape = (frames, len(skeleton))
    return Pose3D(
        xyz_m=rng.normal(size=(*shape, 3)),
        confidence=np.ones(shape),
        std_m=np.full(shape, 0.03),
        views=np.ones(shape, int),
        fps=fps,
        skeleton=skeleton,
        frame="camera",
    )


@pytest.mark.parametrize("kind", ["butterworth", "gaussian", "robust"])
def test_every_limb_gets_its_own_cutoff(kind):
    """Catches a limb filtered like another, and a path of the root that is forgotten."""
    cutoffs = LimbCutoffs(trunk_hz=2.0, head_hz=3.0, arms_hz=4.0, hands_hz=5.0, legs_hz=6.0, feet_hz=7.0)
    kinds = {"butterworth": Butterworth, "gaussian": Gaussian, "robust": Robust}
    motion = restless()
    found = filter_motion(motion, FilterSettings(kind=kind, cutoffs=cutoffs))
    for name, limb in LIMB_OF_ROLE.items():
        j = HUMANOID_22.index(name)
        how = kinds[kind](cutoff_hz=getattr(cutoffs, f"{limb}_hz"))
        cosine = np.abs((filter_wxyz(motion.local_wxyz[:, j], 30, how) * found.local_wxyz[:, j]).sum(axis=-1))
        assert np.abs(cosine - 1).max() < 1e-12, name
    assert np.allclose(found.root_m, filter_points(motion.root_m, 30, kinds[kind](cutoff_hz=2.0)))
    assert np.array_equal(found.contacts, motion.contacts)
    assert found.start_frame == 7
    assert found.rig is motion.rig


def test_bones_keep_their_lengths():
    """Catches a filter of positions where rotations were meant."""
    found = filter_motion(restless())
    world_m, _ = forward(found)
    lengths = np.linalg.norm(world_m[:, 1:] - world_m[:, list(HUMANOID_22.parents[1:])], axis=-1)
    assert np.abs(lengths - HUMANOID_RIG.bone_lengths_m[1:]).max() < 1e-12


def test_other_names_need_roles():
    """Catches joints of a foreign rig that are filtered by their place in the list, and fingers without a hand."""
    names = tuple(f"bip_{name}" for name in HUMANOID_22.joint_names)
    rig = replace(HUMANOID_RIG, skeleton=replace(HUMANOID_22, name="foreign", joint_names=names))
    motion = restless()
    foreign = replace(motion, rig=rig)
    roles = {name: f"bip_{name}" for name in HUMANOID_22.joint_names}
    expected = filter_motion(motion).local_wxyz
    assert np.allclose(filter_motion(foreign, roles=roles).local_wxyz, expected)
    few = {name: f"bip_{name}" for name in HUMANOID_22.joint_names if name not in ("leftToes", "spine", "rightHand")}
    some = filter_motion(foreign, roles=few).local_wxyz
    same = [j for j, name in enumerate(HUMANOID_22.joint_names) if name != "rightHand"]
    assert np.allclose(some[:, same], expected[:, same])  # toes hang on a foot, the spine on the hips
    without = filter_motion(foreign)
    ten_hz = filter_motion(motion, FilterSettings(cutoffs=LimbCutoffs.all_at(LimbCutoffs().feet_hz)))
    assert np.allclose(without.local_wxyz, ten_hz.local_wxyz)


def test_joints_that_move_are_filtered_too():
    """Catches offsets over time (a root bone that carries the way) that keep their noise."""
    motion = restless()
    local_m = np.broadcast_to(HUMANOID_RIG.offsets_m, (60, 22, 3)).copy()
    local_m[:, 1] += 0.01 * np.random.default_rng(3).normal(size=(60, 3))
    found = filter_motion(replace(motion, local_m=local_m))
    assert np.allclose(found.local_m[:, 1], filter_points(local_m[:, 1], 30, Butterworth(cutoff_hz=5)))
    assert np.allclose(found.local_m[:, 2:], local_m[:, 2:])


@pytest.mark.parametrize(
    ("skeleton", "limbs"),
    [
        (LIFTER_20, {"pelvis": "trunk", "left_wrist": "hands", "right_toe": "feet", "face": "head", "spine": "trunk"}),
        (
            COCO_17,
            {"nose": "head", "left_ear": "head", "left_knee": "legs", "right_ankle": "feet", "left_hip": "trunk"},
        ),
        (BODY_25, {"left_heel": "feet", "mid_hip": "trunk", "right_elbow": "arms", "left_big_toe": "feet"}),
        (HUMANOID_22, {"leftLowerArm": "arms", "leftUpperArm": "trunk", "leftFoot": "feet", "rightLowerLeg": "legs"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_points_know_their_limb(skeleton, limbs):
    """Catches an ear found in a forearm, and joints of the arm taken for the trunk."""
    pose = posed(skeleton)
    found = filter_pose(pose)
    for name, limb in limbs.items():
        j = skeleton.index(name)
        how = Butterworth(cutoff_hz=getattr(LimbCutoffs(), f"{limb}_hz"))
        assert np.allclose(found.xyz_m[:, j], filter_points(pose.xyz_m[:, j], 30, how)), name
    assert found.frame == "camera"
    assert np.array_equal(found.std_m, pose.std_m)
    assert _limb_of_point("LeftForearm") != "head"


def test_missing_joints_stay_missing():
    """Catches a joint invented by the filter, which then would have no confidence and a value."""
    pose = posed(LIFTER_20)
    xyz_m, confidence = pose.xyz_m.copy(), pose.confidence.copy()
    xyz_m[10:20, 3], confidence[10:20, 3] = np.nan, 0.0
    found = filter_pose(replace(pose, xyz_m=xyz_m, confidence=confidence))
    assert np.array_equal(np.isnan(found.xyz_m), np.isnan(xyz_m))


def test_slow_cameras():
    """Catches a default that refuses a webcam of 15 frames per second, and a wish that is silently not granted."""
    motion = restless(fps=Fraction(15))
    found = filter_motion(motion)
    hand, hips = HUMANOID_22.index("leftHand"), HUMANOID_22.index("hips")
    assert np.array_equal(found.local_wxyz[:, hand], motion.local_wxyz[:, hand])  # 10 Hz: above what 15 frames show
    assert not np.allclose(found.local_wxyz[:, hips], motion.local_wxyz[:, hips])
    with pytest.raises(InputError, match="frames per second"):
        filter_motion(motion, FilterSettings())
    with pytest.raises(InputError, match="frames per second"):
        filter_pose(posed(LIFTER_20, fps=15), FilterSettings())


def test_what_a_command_line_says():
    """Catches seconds taken for hertz, and a word that does nothing."""
    assert filter_settings_from_text("off") is None
    assert filter_settings_from_text("limbs") == FilterSettings()
    assert filter_settings_from_text("Robust").kind == "robust"
    six = filter_settings_from_text("6Hz")
    assert (six.kind, six.cutoffs) == ("butterworth", LimbCutoffs.all_at(6.0))
    bell = filter_settings_from_text("0.03 s")
    assert bell.kind == "gaussian"
    assert bell.cutoffs.trunk_hz == pytest.approx(np.sqrt(np.log(2)) / (2 * np.pi * 0.03))
    for wrong in ("6", "hz", "0hz", "-3hz", "much", "6 fps", ""):
        with pytest.raises(InputError, match="6hz"):
            filter_settings_from_text(wrong)
    for make in (lambda: LimbCutoffs(feet_hz=0), lambda: FilterSettings(kind="magic")):
        with pytest.raises(InputError):
            make()


def test_the_page_says_the_defaults():
    """Catches a cut-off that was changed in the code only."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    text = text[text.index("### Limb by limb") :]
    for name, value in dataclasses.asdict(LimbCutoffs()).items():
        limb = name.removesuffix("_hz")
        row = next(line for line in text.splitlines() if line.startswith(f"| {limb}"))
        assert f"| {value:g} Hz |" in row, row
