"""Body models fitted to joints and motions: known parameters come back, and what nobody shows stays calm."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import walker
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from smpl_files import KINDS, made_model, moving

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths, humanoid_rig
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose3D
from mocap3d.base.rotations import rotvec_to_wxyz, wxyz_angle
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20, skeleton_named
from mocap3d.motion.smpl import SMPL_ROLES, SmplFitSettings, SmplModel, fit_smpl, smpl_joints_m, smpl_to_motion
from mocap3d.motion.smpl.shape import betas_from_distances
from mocap3d.motion.smpl.targets import targets_of

Floats = NDArray[np.float64]


def shown(xyz_m: Floats, skeleton: Skeleton, *, confidence: Floats | None = None, std_m: float = 0.0) -> Pose3D:
    """Joints in the world at 30 fps; those of confidence 0 are missing."""
    confidence = np.ones(xyz_m.shape[:2]) if confidence is None else confidence
    return Pose3D(
        xyz_m=np.where(confidence[..., None] > 0, xyz_m, np.nan),
        confidence=confidence,
        std_m=np.full(confidence.shape, std_m),
        views=np.ones(confidence.shape, dtype=np.int64),
        fps=Fraction(30),
        skeleton=skeleton,
        frame="world",
    )


def error_mm(found: Any, xyz_m: Floats, model: SmplModel) -> Floats:
    """(T, K) distance of the joints of fitted parameters from the truth."""
    return np.asarray(np.linalg.norm(smpl_joints_m(found, model) - xyz_m, axis=-1) * 1000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wild", [0.5, 1.5])
def test_known_parameters_are_recovered(kind: str, wild: float) -> None:
    """Catches a fit that stops short, gets stuck or trades shape for pose: 2 mm are promised, it does far better."""
    model = made_model(kind)
    truth = moving(model, wild=wild, seed=len(kind))
    xyz_m = smpl_joints_m(truth, model)
    found = fit_smpl(shown(xyz_m, model.skeleton), model)
    assert error_mm(found, xyz_m, model).max() < 0.1
    np.testing.assert_allclose(found.betas, truth.betas, atol=0.02)
    assert (found.model, found.gender, found.fps, found.up) == (kind, "neutral", 30, "Y")


def test_one_frame_is_enough() -> None:
    """Catches medians and spreads over time that need several frames."""
    model = made_model("smplh")
    truth = moving(model, frames=1)
    xyz_m = smpl_joints_m(truth, model)
    assert error_mm(fit_smpl(shown(xyz_m, model.skeleton), model), xyz_m, model).max() < 2


def test_shape_is_the_most_probable_one_for_the_distances() -> None:
    """Catches a shape that runs away where distances say little: noise of 5 cm against a deviation of 1."""
    model = made_model("smpl")
    parents = model.skeleton.parents
    xyz_m = smpl_joints_m(moving(model, frames=1, seed=3), model)
    pose = shown(xyz_m + np.random.default_rng(4).normal(size=xyz_m.shape) * 0.05, model.skeleton)
    targets = targets_of(pose, model, 0.05)
    pairs = [
        (a, b) for a in range(24) for b in range(a) if b == parents[a] or (parents[a] == parents[b] and parents[a] >= 0)
    ]

    def residuals(betas: Floats) -> list[float]:
        rest = model.rest_joints_m(betas)
        gone = [
            np.linalg.norm(rest[a] - rest[b]) - np.linalg.norm(pose.xyz_m[0, a] - pose.xyz_m[0, b]) for a, b in pairs
        ]
        return [*(g / 0.05 for g in gone), *betas]

    expected = least_squares(residuals, np.zeros(10), xtol=1e-12, ftol=1e-12).x
    np.testing.assert_allclose(betas_from_distances(targets, model, 0.05), expected, atol=1e-4)


def test_a_known_shape_is_kept() -> None:
    """Catches a shape that is estimated although it was given, and a frame rate that is not the clip's."""
    model = made_model("smpl")
    truth = moving(model)
    xyz_m = smpl_joints_m(truth, model)
    pose = replace(shown(xyz_m, model.skeleton), fps=Fraction(24000, 1001))
    found = fit_smpl(pose, model, betas=truth.betas)
    np.testing.assert_array_equal(found.betas, truth.betas)
    assert found.fps == Fraction(24000, 1001)
    assert error_mm(found, xyz_m, model).max() < 0.1


def test_noise_is_averaged_over_bones_and_frames() -> None:
    """Catches a fit that follows the noise, or that a shape runs away with it."""
    model = made_model("smpl")
    truth = moving(model, frames=120)
    xyz_m = smpl_joints_m(truth, model)
    noise = np.random.default_rng(1).normal(size=xyz_m.shape) * 0.01
    found = fit_smpl(shown(xyz_m + noise, model.skeleton, std_m=0.01), model)
    assert np.median(error_mm(found, xyz_m, model)) < 0.75 * np.median(np.linalg.norm(noise, axis=-1) * 1000)
    assert np.abs(found.betas - truth.betas).max() < 0.5


def test_missing_joints_do_not_spoil_those_that_were_seen() -> None:
    """Catches NaN that spreads, guessed places that pull, and a joint that no frame shows."""
    model = made_model("smpl")
    truth = moving(model, frames=60, wild=0.25)
    xyz_m = smpl_joints_m(truth, model)
    seen = (np.random.default_rng(2).random(xyz_m.shape[:2]) > 0.1).astype(float)
    seen[:, model.skeleton.index("spine2")] = 0.0
    found = fit_smpl(shown(xyz_m, model.skeleton, confidence=seen), model)
    error = error_mm(found, xyz_m, model)
    assert np.quantile(error[seen > 0], 0.99) < 2
    assert np.median(error[seen == 0]) < 20


def test_turning_and_shifting_the_input_moves_the_root_only() -> None:
    """Catches a rule that knows where north is."""
    model = made_model("smpl")
    xyz_m = smpl_joints_m(moving(model, frames=20), model)
    turn = Rotation.from_rotvec([0.3, 1.1, -0.4])
    before = fit_smpl(shown(xyz_m, model.skeleton), model)
    after = fit_smpl(shown(xyz_m @ turn.as_matrix().T + [3.0, 0.5, -8.0], model.skeleton), model)
    np.testing.assert_allclose(after.betas, before.betas, atol=1e-6)
    np.testing.assert_allclose(
        rotvec_to_wxyz(after.poses_rotvec[:, 1:]), rotvec_to_wxyz(before.poses_rotvec[:, 1:]), atol=1e-6
    )
    expected = turn * Rotation.from_rotvec(np.array(before.poses_rotvec[:, 0]))
    assert (expected.inv() * Rotation.from_rotvec(np.array(after.poses_rotvec[:, 0]))).magnitude().max() < 1e-6


def test_elbows_and_knees_are_hinges_and_the_spine_shares_its_twist() -> None:
    """Catches limbs that meet every point and yet bend sideways at the elbow, and a trunk wrung out at one joint."""
    model = made_model("smpl")
    names = model.skeleton.joint_names
    poses = np.zeros((1, 24, 3))
    for joint, axis, angle in (
        ("left_elbow", 1, -1.4), ("right_elbow", 1, 1.4), ("left_knee", 0, 1.2), ("right_knee", 0, 1.2),
        ("left_shoulder", 2, -0.8), ("spine3", 1, 0.6),
    ):  # fmt: skip
        poses[:, names.index(joint), axis] = angle
    poses[:, names.index("left_shoulder")] += [0.5, 0.0, 0.0]  # which way the elbow points
    truth = replace(moving(model, frames=1), poses_rotvec=poses, betas=np.zeros(10))
    found = fit_smpl(shown(smpl_joints_m(truth, model), model.skeleton), model, betas=np.zeros(10))
    degrees = np.degrees(found.poses_rotvec[0])
    for joint, axis in (("left_elbow", 1), ("right_elbow", 1), ("left_knee", 0), ("right_knee", 0)):
        off = np.delete(degrees[names.index(joint)], axis)
        assert np.abs(off).max() < 12, joint
        assert np.sign(degrees[names.index(joint), axis]) == np.sign(poses[0, names.index(joint), axis])
    spine = [degrees[names.index(f"spine{n}"), 1] for n in (1, 2, 3)]
    np.testing.assert_allclose(spine, np.degrees(0.2), atol=6)


def test_a_knee_that_seems_to_bend_forwards_does_not_turn_the_leg_round() -> None:
    """Catches a thigh that flips by 180 degrees when noise pushes the knee of a straight leg back."""
    model = made_model("smpl")
    poses = np.zeros((1, 24, 3))
    poses[:, model.skeleton.index("left_knee"), 0] = -0.5
    truth = replace(moving(model, frames=1), poses_rotvec=poses, betas=np.zeros(10))
    found = fit_smpl(shown(smpl_joints_m(truth, model), model.skeleton), model, betas=np.zeros(10))
    assert np.degrees(np.linalg.norm(found.poses_rotvec[0, model.skeleton.index("left_hip")])) < 20


def test_a_motion_on_the_models_joints_is_taken_over_exactly() -> None:
    """Catches a fit where none is needed, and joints that are taken by their order instead of their name."""
    model = made_model("smplx")
    truth = moving(model, frames=5)
    motion = smpl_to_motion(replace(truth, fps=Fraction(50)), model)
    found = fit_smpl(motion, model)
    assert found.fps == motion.fps == 50
    np.testing.assert_allclose(smpl_joints_m(found, model), smpl_joints_m(truth, model), atol=1e-6)
    assert wxyz_angle(rotvec_to_wxyz(found.poses_rotvec), rotvec_to_wxyz(truth.poses_rotvec)).max() < 1e-6
    smaller = made_model("smpl")
    body = fit_smpl(motion, smaller)
    np.testing.assert_allclose(body.poses_rotvec[:, :22], found.poses_rotvec[:, :22], atol=1e-9)
    np.testing.assert_array_equal(body.poses_rotvec[:, 22:], 0)


def strolling(frames: int = 60) -> Motion:
    """A humanoid, 1.85 m tall, that moves all limbs and turns around."""
    rng = np.random.default_rng(4)
    t = np.arange(frames)[:, None, None] / 30
    rotvec = 0.35 * rng.normal(size=(22, 3)) * np.sin(2 * np.pi * (0.5 * t + rng.random((22, 3))))
    rotvec[:, 0] += [0.0, 1.0, 0.0] * t[:, 0]
    rig = humanoid_rig(BodyLengths().scaled(1.85))
    root_m = np.array([0.0, 1.0, 0.0]) + t[:, 0] * [0.3, 0.0, 0.5]
    return Motion(rig=rig, fps=Fraction(30), local_wxyz=rotvec_to_wxyz(rotvec), root_m=root_m)


def test_a_humanoids_motion() -> None:
    """Catches limbs that point elsewhere, hands, head and feet that lose their rotation, a body of the wrong size."""
    model = made_model("smplh")
    motion = strolling()
    found = fit_smpl(motion, model)
    theirs_m, theirs = forward(motion)
    ours_m, ours = forward(smpl_to_motion(found, model))
    index = {role: (HUMANOID_22.index(role), model.skeleton.index(joint)) for role, joint in SMPL_ROLES.items()}
    for role in ("head", "leftFoot", "rightFoot", "leftToes", "rightToes"):
        a, b = index[role]
        assert np.degrees(wxyz_angle(theirs[:, a], ours[:, b])).max() < 1, role
    for upper, lower in (("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"), ("LowerArm", "Hand")):
        for side in ("left", "right"):
            (a, b), (c, d) = index[side + upper], index[side + lower]
            bones = [theirs_m[:, c] - theirs_m[:, a], ours_m[:, d] - ours_m[:, b]]
            x, y = (bone / np.linalg.norm(bone, axis=1, keepdims=True) for bone in bones)
            assert np.degrees(np.arccos(np.clip((x * y).sum(axis=1), -1, 1))).max() < 10, side + upper
            a, b = index[side + lower]
            assert np.linalg.norm(theirs_m[:, a] - ours_m[:, b], axis=1).max() < 0.02, side + lower
    average = np.ptp(model.rest_joints_m(np.zeros(10))[:, 1])
    assert np.ptp(model.rest_joints_m(found.betas)[:, 1]) > 1.03 * average


def test_straight_arms_end_in_straight_hands() -> None:
    """Catches hands that kink at the wrist because the forearms of two rest poses slope differently."""
    model = made_model("smpl")
    rig = humanoid_rig()
    at_rest = np.tile([1.0, 0.0, 0.0, 0.0], (1, 22, 1))
    motion = Motion(rig=rig, fps=Fraction(30), local_wxyz=at_rest, root_m=rig.offsets_m[:1])
    found = fit_smpl(motion, model, betas=np.zeros(10))
    rest_m = model.rest_joints_m(np.zeros(10))
    slope = np.degrees(
        np.arcsin(np.abs(np.diff(rest_m[[18, 20], 1])) / np.linalg.norm(np.diff(rest_m[[18, 20]], axis=0)))
    )
    assert slope > 2
    kinks = np.degrees(np.linalg.norm(found.poses_rotvec[0, [20, 21]], axis=1))
    assert kinks.max() < 0.5 * slope


@pytest.mark.parametrize("name", ["lifter-20", "coco-17", "human36m-17"])
def test_joints_of_other_skeletons(name: str) -> None:
    """Catches a skeleton that only the models' own names would pass, knees that bend forwards, and jumps."""
    model = made_model("smpl")
    skeleton = skeleton_named(name)
    xyz_m = walker.walk(seconds=2.0)[0]
    joints = [LIFTER_20.joint_names.index(j) if j in LIFTER_20.joint_names else 0 for j in skeleton.joint_names]
    there = [float(j in LIFTER_20.joint_names) for j in skeleton.joint_names]
    found = fit_smpl(shown(xyz_m[:, joints], skeleton, confidence=np.tile(there, (len(xyz_m), 1))), model)
    places = smpl_joints_m(found, model)
    for joint in ("left_knee", "right_knee", "left_ankle", "right_ankle", "left_wrist", "right_wrist"):
        off = places[:, model.skeleton.index(joint)] - xyz_m[:, LIFTER_20.index(joint)]
        assert np.linalg.norm(off, axis=1).max() < 0.03, joint
    trunk = [model.skeleton.index(joint) for joint in ("spine1", "spine2", "spine3", "left_collar", "right_collar")]
    assert np.degrees(np.linalg.norm(found.poses_rotvec[:, trunk], axis=-1)).max() < 15  # does not fold
    knees = found.poses_rotvec[:, [model.skeleton.index(f"{side}_knee") for side in ("left", "right")], 0]
    assert knees.min() > -0.15
    assert knees.max() > 0.5
    assert np.linalg.norm(np.diff(found.poses_rotvec, axis=0), axis=-1).max() < 0.5
    assert np.abs(found.betas).max() < 3


def test_what_cannot_be_fitted_is_refused() -> None:
    """Catches an error of NumPy from deep inside, and a body laid into the axes of a camera."""
    model = made_model("smpl")
    xyz_m = smpl_joints_m(moving(model, frames=2), model)
    pose = shown(xyz_m, model.skeleton)
    with pytest.raises(InputError, match="world"):
        fit_smpl(replace(pose, frame="camera"), model)
    with pytest.raises(InputError, match="limbs"):
        fit_smpl(shown(xyz_m, model.skeleton, confidence=np.zeros(xyz_m.shape[:2])), model)
    tail = Skeleton(name="tail", joint_names=tuple("abc"), parents=(-1, 0, 1), mirror=(0, 1, 2))
    with pytest.raises(InputError, match="limbs"):
        fit_smpl(shown(xyz_m[:, :3], tail), model)
    bones = strolling(2)
    other = replace(bones.rig, skeleton=replace(HUMANOID_22, joint_names=tuple(f"b{j}" for j in range(22))))
    with pytest.raises(InputError, match="retarget"):
        fit_smpl(replace(bones, rig=other), model)
    for settings in (SmplFitSettings(noise_m=0), SmplFitSettings(steps=0), SmplFitSettings(shape_frames=0)):
        with pytest.raises(InputError, match="noise_m"):
            fit_smpl(pose, model, settings=settings)
    with pytest.raises(InputError, match="betas"):
        fit_smpl(pose, model, betas=np.full((2, 2), 1.0))
