"""Figures of whole clips, on bodies that do one thing wrong by a known amount."""

import dataclasses
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.joint_limits import LIMITS_RAD
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeletons import COCO_17, HUMANOID_22, LIFTER_20
from mocap3d.output import dress, preset_named, roles
from mocap3d.quality.animation import FIGURES, AnimationQuality, animation_quality, points_quality

BODY = {
    "shoulder": "UpperArm",
    "elbow": "LowerArm",
    "wrist": "Hand",
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
}
PLACES = {f"{side}_{joint}": f"{side}{bone}" for side in ("left", "right") for joint, bone in BODY.items()}
FPS = Fraction(30)


def standing(frames=30, contacts=1.0, rig=HUMANOID_RIG):
    """The T-pose on the floor."""
    return Motion(
        rig=rig,
        fps=FPS,
        local_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (frames, 22, 1)),
        root_m=np.tile(rig.offsets_m[0], (frames, 1)),
        contacts=None if contacts is None else np.full((frames, 4), contacts),
    )


def bent(motion, joint, axis, degrees):
    """One joint turned about its own axis, in all frames or by (T,) angles."""
    angles = np.radians(np.broadcast_to(degrees, len(motion)))
    wxyz = motion.local_wxyz.copy()
    wxyz[:, HUMANOID_22.index(joint)] = np.roll(Rotation.from_rotvec(angles[:, None] * axis).as_quat(), 1, axis=-1)
    return replace(motion, local_wxyz=wxyz)


def lively(frames=40):
    """Everybody's joints move a little, the body walks and sinks and rises."""
    rng = np.random.default_rng(0)
    t = np.arange(frames) / 30
    phases = rng.random((1, 22, 3)) * 6
    turns = 0.25 * np.sin(2 * np.pi * 0.8 * t[:, None, None] + phases)
    wxyz = np.roll(Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat(), 1, axis=-1).reshape(frames, 22, 4)
    root_m = HUMANOID_RIG.offsets_m[0] + np.stack([0.1 * np.sin(3 * t), 0.02 * np.cos(5 * t), 0.9 * t], axis=-1)
    contacts = (rng.random((1, 4)) + np.sin(t)[:, None]) % 1.0
    return Motion(rig=HUMANOID_RIG, fps=FPS, local_wxyz=wxyz, root_m=root_m, contacts=contacts)


def worn(motion, name):
    """The motion on a preset's bones, and its roles."""
    dressed = dress(motion, preset_named(name))
    found = roles(dressed.rig, preset_named(name))
    return dressed, {role: dressed.rig.skeleton.joint_names[j] for j, role in found.items()}


def pose_of(motion, skeleton=LIFTER_20, shift_m=(0.0, 0.0, 0.0)):
    """The joints of a motion under the names of another skeleton; those that it does not have are missing."""
    world_m, _ = forward(motion)
    shape = (len(motion), len(skeleton))
    xyz_m, confidence = np.full((*shape, 3), np.nan), np.zeros(shape)
    for name, role in PLACES.items():
        if name in skeleton.joint_names:
            xyz_m[:, skeleton.index(name)] = world_m[:, HUMANOID_22.index(role)] + shift_m
            confidence[:, skeleton.index(name)] = 1.0
    return Pose3D(
        xyz_m=xyz_m,
        confidence=confidence,
        std_m=np.zeros(shape),
        views=np.ones(shape),
        fps=FPS,
        skeleton=skeleton,
        frame="world",
    )


def test_a_body_that_slides_at_37_mm_per_second():
    """Catches units, and contacts of the motion that are not used."""
    motion = standing()
    way = 0.037 * np.arange(30)[:, None] / 30 * [0.6, 0.0, -0.8]
    slid = replace(motion, root_m=motion.root_m + way)
    found = animation_quality(slid)
    assert found.foot_skate_mm_per_s == pytest.approx(37.0, abs=1e-6)
    assert found.foot_skate_p95_mm_per_s == pytest.approx(37.0, abs=1e-6)
    assert found.planted_percent == 100.0
    assert found.penetration_max_mm < 1e-9
    assert found.jerk_m_per_s3 < 1e-6
    assert animation_quality(slid, contacts=np.zeros((30, 4))).foot_skate_mm_per_s is None
    assert animation_quality(slid, contacts=np.zeros((30, 4))).planted_percent == 0.0
    judged = animation_quality(replace(slid, contacts=None))  # slow enough to be judged as standing
    assert judged.foot_skate_mm_per_s == pytest.approx(37.0, abs=1e-6)


def test_what_happens_in_a_tenth_of_the_frames():
    """Catches a median or the least for what 95 % stay below, and feet that must all stand for one to stand."""
    motion = standing(frames=41)
    fast = np.arange(40) >= 36
    way = np.concatenate([[0.0], np.cumsum(np.where(fast, 0.1, 0.01) / 30)])
    slid = replace(motion, root_m=motion.root_m + way[:, None] * [1.0, 0.0, 0.0])
    found = animation_quality(slid)
    assert found.foot_skate_mm_per_s == pytest.approx(19.0, abs=1e-6)
    assert found.foot_skate_p95_mm_per_s == pytest.approx(100.0, abs=1e-6)
    one_heel = np.zeros((41, 4))
    one_heel[:21, 2] = 1.0
    assert animation_quality(slid, contacts=one_heel).planted_percent == pytest.approx(100 * 21 / 41)
    pose = pose_of(motion, shift_m=(0.01, 0.0, 0.0))
    xyz_m = pose.xyz_m.copy()
    xyz_m[37:] += [0.04, 0.0, 0.0]
    against = animation_quality(motion, pose3d=replace(pose, xyz_m=xyz_m))
    assert against.fk_error_mm == pytest.approx(10 + 40 * 4 / 41, abs=1e-6)
    assert against.fk_error_p95_mm == pytest.approx(50.0, abs=1e-6)


def test_feet_in_the_floor_and_above_it():
    """Catches millimetres for metres, and depth below a roof taken for depth below y = 0."""
    motion = standing()
    height_m = np.where(np.arange(30) < 10, -0.012, 0.006)
    moved = replace(motion, root_m=motion.root_m + height_m[:, None] * [0.0, 1.0, 0.0])
    found = animation_quality(moved)
    assert found.penetration_max_mm == pytest.approx(12.0, abs=1e-6)
    assert found.penetration_mm == pytest.approx(4.0, abs=1e-6)
    assert found.hover_mm == pytest.approx(4.0, abs=1e-6)
    on_roof = replace(moved, root_m=moved.root_m + [0.0, 3.0, 0.0])
    assert animation_quality(on_roof).penetration_mm == 0.0
    assert animation_quality(on_roof).hover_mm > 2900
    for support_m in (3.0, np.full((30, 4), 3.0)):
        on_its_roof = animation_quality(on_roof, support_m=support_m)
        assert on_its_roof.penetration_mm == pytest.approx(4.0, abs=1e-6)
        assert on_its_roof.hover_mm == pytest.approx(4.0, abs=1e-6)


def test_a_bone_that_stretches_by_5_mm():
    """Catches offsets over time that are not looked at, and a mean over bones instead of the worst."""
    motion = standing(frames=40)
    stretch = 0.005 * np.sin(2 * np.pi * np.arange(40) / 20)
    local_m = np.tile(HUMANOID_RIG.offsets_m, (40, 1, 1))
    shin = HUMANOID_22.index("leftFoot")
    local_m[:, shin] += stretch[:, None] * [0.0, -1.0, 0.0]
    found = animation_quality(replace(motion, local_m=local_m))
    assert found.bone_length_range_mm == pytest.approx(1000 * (stretch.max() - stretch.min()), abs=1e-6)
    assert found.bone_length_std_mm == pytest.approx(5.0 / np.sqrt(2) / 21, abs=1e-6)
    assert animation_quality(lively()).bone_length_range_mm < 1e-9


def test_a_root_on_the_floor_is_no_bone_that_stretches():
    """Catches the way between Unreal's root and the pelvis, which changes in every frame."""
    dressed, named = worn(lively(), "ue5")
    assert dressed.local_m is not None
    assert animation_quality(dressed, roles=named).bone_length_range_mm < 1e-6


def test_the_jerk_of_a_body_that_moves_as_a_cubic():
    """Catches joints that are left out, and rotations taken for places."""
    motion = standing(frames=50)
    t = np.arange(50)[:, None] / 30
    moved = replace(motion, root_m=motion.root_m + t**3 * [2.0, 1.0, -2.0])
    assert animation_quality(moved).jerk_m_per_s3 == pytest.approx(18.0, rel=1e-6)
    assert animation_quality(moved).log_dimensionless_jerk < 0
    assert animation_quality(standing(frames=3)).jerk_m_per_s3 is None


def test_a_knee_that_bends_forwards():
    """Catches radians, limits of another joint, and a share of joints instead of frames."""
    low = np.degrees(LIMITS_RAD[HUMANOID_22.index("leftLowerLeg"), 0, 1])
    degrees = np.where(np.arange(30) < 6, low - 20.0, 30.0)
    found = animation_quality(bent(standing(), "leftLowerLeg", [1.0, 0.0, 0.0], degrees))
    assert found.joint_limit_worst_deg == pytest.approx(20.0, abs=1e-6)
    assert found.joint_limit_percent == pytest.approx(20.0)
    assert found.joint_limit_worst == "leftLowerLeg flexion"
    allowed = animation_quality(bent(standing(), "leftLowerLeg", [1.0, 0.0, 0.0], 90.0))
    assert (allowed.joint_limit_percent, allowed.joint_limit_worst_deg, allowed.joint_limit_worst) == (0.0, 0.0, None)


@pytest.mark.parametrize("preset", ["mixamo", "ue5", "unity", "hik", "cmu", "blender", "vrm"])
def test_the_same_motion_on_other_bones(preset):
    """Catches figures that depend on names, axes of bones, A-poses, root bones and joints that a rig leaves out."""
    motion = lively()
    dressed, named = worn(bent(motion, "rightLowerArm", [0.0, 1.0, 0.0], -25.0), preset)
    ours = animation_quality(bent(motion, "rightLowerArm", [0.0, 1.0, 0.0], -25.0))
    theirs = animation_quality(dressed, roles=named)
    assert ours.joint_limit_worst_deg > 5.0
    complete = {"hips", "upperChest", "neck", "leftToes"} <= named.keys()
    for figure in FIGURES:
        mine, other = getattr(ours, figure.name), getattr(theirs, figure.name)
        if isinstance(mine, float) and (complete or not figure.name.startswith(("bone", "joint_limit"))):
            assert other == pytest.approx(mine, abs=0.2), figure.name
    assert theirs.joint_limit_worst == ours.joint_limit_worst


def test_the_joints_that_the_solver_was_given():
    """Catches joints paired by their order, unseen ones that count, and a motion set against other frames."""
    motion = lively()
    pose = pose_of(motion, shift_m=(0.0, 0.018, -0.024))
    found = animation_quality(motion, pose3d=pose)
    assert found.fk_error_mm == pytest.approx(30.0, abs=1e-6)
    assert found.fk_error_p95_mm == pytest.approx(30.0, abs=1e-6)
    xyz_m, confidence = pose.xyz_m.copy(), pose.confidence.copy()
    xyz_m[:, LIFTER_20.index("left_wrist")] += 5.0
    confidence[:, LIFTER_20.index("left_wrist")] = 0.0
    filled = replace(pose, xyz_m=xyz_m, confidence=confidence)
    assert animation_quality(motion, pose3d=filled).fk_error_mm == pytest.approx(30.0, abs=1e-6)
    own = replace(pose_of(motion), skeleton=HUMANOID_22, **as_humanoid_points(motion))
    assert animation_quality(motion, pose3d=own).fk_error_mm < 1e-9
    with pytest.raises(InputError, match="frames"):
        animation_quality(lively(39), pose3d=pose)
    with pytest.raises(InputError, match="camera"):
        animation_quality(motion, pose3d=replace(pose, frame="camera"))


def as_humanoid_points(motion):
    """The fields of a Pose3D with the joints of the humanoid."""
    shape = (len(motion), 22)
    return {"xyz_m": forward(motion)[0], "confidence": np.ones(shape), "std_m": np.ones(shape), "views": np.ones(shape)}


def test_the_picture():
    """Catches joints of detectors paired wrongly, hips that mean another point, and a height in pixels."""
    focal_px, away_m = 900.0, 5.0
    cam_from_world = np.diag([1.0, -1.0, -1.0, 1.0])
    cam_from_world[:3, 3] = 0.0, 1.0, away_m
    K = np.array([[focal_px, 0, 500], [0, focal_px, 500], [0, 0, 1.0]])
    camera = Camera(name="a", size_wh_px=(1000, 1000), K=K, cam_from_world=cam_from_world)
    motion = standing()
    world_m, _ = forward(motion)
    xy_px, confidence = np.full((30, 17, 2), np.nan), np.zeros((30, 17))
    for name, role in PLACES.items():
        x, y, z = np.moveaxis(world_m[:, HUMANOID_22.index(role)], -1, 0)
        px = np.stack([500 + focal_px * x / (away_m - z), 500 + focal_px * (1 - y) / (away_m - z)], axis=-1)
        off = [90.0, 0.0] if name.endswith(("hip", "shoulder")) else [3.0, 4.0]
        xy_px[:, COCO_17.index(name)], confidence[:, COCO_17.index(name)] = px + off, 0.9
    pose2d = Pose2D(xy_px=xy_px, confidence=confidence, fps=FPS, skeleton=COCO_17)
    found = animation_quality(motion, pose2d=pose2d, camera=camera)
    assert found.reprojection_px == pytest.approx(5.0, abs=1e-9)
    stature_m = 1.70
    assert found.reprojection_percent == pytest.approx(100 * 5.0 * away_m / focal_px / stature_m, rel=1e-6)
    points = points_quality(pose_of(motion), pose2d=pose2d, camera=camera)
    assert points.reprojection_px == pytest.approx(5.0, abs=1e-9)
    assert points.reprojection_percent == pytest.approx(found.reprojection_percent)
    assert animation_quality(motion, pose2d=pose2d).reprojection_px is None
    with pytest.raises(InputError, match="frames"):
        animation_quality(standing(29), pose2d=pose2d, camera=camera)
    worse = replace(
        pose2d, xy_px=pose2d.xy_px + [6.0, 8.0], confidence=pose2d.confidence * (np.arange(30) < 10)[:, None]
    )
    several = animation_quality(motion, pose2d=[pose2d, None, worse], camera=[camera] * 3)
    assert several.reprojection_px == pytest.approx((30 * 5.0 + 10 * 15.0) / 40, abs=1e-9)
    with pytest.raises(InputError, match="as many, got 3 and 2"):
        animation_quality(motion, pose2d=[pose2d, None, worse], camera=[camera] * 2)


def test_a_rig_that_nobody_knows():
    """Catches a crash, or figures of feet, for a dog, a prop, or joints called bone_17."""
    names = tuple(f"bone_{j}" for j in range(22))
    motion = lively()
    rig = replace(HUMANOID_RIG, skeleton=replace(HUMANOID_22, name="dog", joint_names=names))
    found = animation_quality(replace(motion, rig=rig))
    known = {name for name, value in found.as_dict().items() if value is not None}
    assert known == {"bone_length_std_mm", "bone_length_range_mm", "jerk_m_per_s3", "log_dimensionless_jerk"}
    with pytest.raises(InputError):
        animation_quality(replace(motion, rig=rig), roles={"leftHand": "paw"})


def test_where_somebody_goes_does_not_matter():
    """Catches axes of the world other than the vertical that play a part."""
    motion = lively()
    turn = Rotation.from_rotvec([0.0, 2.0, 0.0])
    wxyz = motion.local_wxyz.copy()
    hips = Rotation.from_quat(np.roll(wxyz[:, 0], -1, axis=-1))
    wxyz[:, 0] = np.roll((turn * hips).as_quat(), 1, axis=-1)
    moved = replace(motion, local_wxyz=wxyz, root_m=turn.apply(motion.root_m.copy()) + [40.0, 0.0, -7.0])
    ours, theirs = animation_quality(motion), animation_quality(moved)
    for figure in FIGURES:
        assert getattr(theirs, figure.name) == pytest.approx(getattr(ours, figure.name), abs=1e-5), figure.name


def test_points_that_are_no_motion_yet():
    """Catches bones of points that are taken for constant, feet in a camera's frame, and ankles that are no heels."""
    motion = standing()
    way = 0.037 * np.arange(30)[:, None] / 30 * [0.6, 0.0, -0.8]
    slid = pose_of(replace(motion, root_m=motion.root_m + way))
    found = points_quality(slid)
    assert found.foot_skate_mm_per_s == pytest.approx(37.0, abs=1e-6)
    assert found.penetration_mm is None
    assert found.bone_length_range_mm == pytest.approx(0.0, abs=1e-9)
    longer = slid.xyz_m.copy()
    longer[:, LIFTER_20.index("left_wrist"), 0] += 0.005 * np.sin(2 * np.pi * np.arange(30) / 10)
    stretched = points_quality(replace(slid, xyz_m=longer))
    assert stretched.bone_length_range_mm == pytest.approx(2 * 5 * np.sin(2 * np.pi * 2 / 10), abs=1e-6)
    in_camera = points_quality(replace(slid, frame="camera"))
    assert in_camera.foot_skate_mm_per_s is None
    assert in_camera.jerk_m_per_s3 == found.jerk_m_per_s3
    unknown = replace(LIFTER_20, name="markers")
    assert points_quality(replace(slid, skeleton=unknown)).bone_length_range_mm is None
    humanoid = points_quality(replace(slid, skeleton=HUMANOID_22, **as_humanoid_points(lively(30))))
    assert humanoid.jerk_m_per_s3 == pytest.approx(animation_quality(lively(30)).jerk_m_per_s3)


def test_all_figures_are_shown_and_written():
    """Catches a new figure that no table shows, NumPy's numbers in JSON, and units lost on the way."""
    names = [field.name for field in dataclasses.fields(AnimationQuality)]
    assert [figure.name for figure in FIGURES] == names
    found = animation_quality(bent(lively(), "head", [0.0, 1.0, 0.0], 120.0))
    again = json.loads(json.dumps(found.as_dict()))
    assert list(again) == names
    assert again["reprojection_px"] is None
    assert again["joint_limit_worst"] == "head rotation to the left"
    assert again["joint_limit_worst_deg"] == pytest.approx(found.joint_limit_worst_deg, abs=0.1)
    texts = {figure.label: figure.text(AnimationQuality(foot_skate_mm_per_s=3.14159)) for figure in FIGURES}
    assert texts["foot skate"] == "3.1 mm/s"
    assert [label for label, text in texts.items() if text is not None] == ["foot skate"]
