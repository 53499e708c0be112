"""The humanoid dressed for other programs, against 4x4 matrices of SciPy and published lists of bones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.humanoid import HUMANOID_RIG, BodyLengths, humanoid_rig
from mocap3d.base.motion import Motion
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output.presets import dress, dressing, load_preset, preset_named, preset_names, roles

PRESETS = ("blender", "cmu", "hik", "mixamo", "ue5", "unity", "vrm")
each_preset = pytest.mark.parametrize("name", PRESETS)
UNIT = {"blender": 1, "cmu": 0.0254 / 0.45, "hik": 0.01, "mixamo": 0.01, "ue5": 0.01, "unity": 1, "vrm": 1}

SIDES = ("Left", "Right")
# The lists that the programs publish, cut to the bones that a capture of the body moves.
LIMBS = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")
HIK_LIMBS = ("Shoulder", "Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase")
HIK = {"Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", *(s + b for s in SIDES for b in HIK_LIMBS)}
UNITY = {"Hips", "Spine", "Chest", "UpperChest", "Neck", "Head", *(s + b for s in SIDES for b in LIMBS)}
MANNY = (
    "root pelvis spine_01 spine_02 spine_03 spine_04 spine_05 neck_01 neck_02 head clavicle_l upperarm_l lowerarm_l "
    "hand_l clavicle_r upperarm_r lowerarm_r hand_r thigh_l calf_l foot_l ball_l thigh_r calf_r foot_r ball_r"
)
RIGIFY = "shoulder upper_arm forearm hand thigh shin foot toe"
PUBLISHED = {
    "unity": UNITY,
    "vrm": {name[0].lower() + name[1:] for name in UNITY},
    "hik": HIK,
    "mixamo": {f"mixamorig:{name}" for name in HIK},
    "cmu": HIK - {"Spine2"} | {"LHipJoint", "RHipJoint", "LowerBack", "Neck1"},
    "ue5": set(MANNY.split()),
    "blender": {"spine", *(f"spine.00{n}" for n in range(1, 7)), *(f"{b}.{s}" for b in RIGIFY.split() for s in "LR")},
}
REQUIRED_15 = {"Hips", "Spine", "Head", *(s + b for s in SIDES for b in LIMBS if b not in ("Shoulder", "Toes"))}


@pytest.fixture(scope="module")
def wild():
    """Twelve frames of the humanoid in which every joint, the hips too, turns anywhere; it flies about as well."""
    rng = np.random.default_rng(5)
    wxyz = rng.normal(size=(12, 22, 4))
    return Motion(
        rig=humanoid_rig(BodyLengths().scaled(1.83)),
        fps=Fraction(30000, 1001),
        local_wxyz=wxyz / np.linalg.norm(wxyz, axis=-1, keepdims=True),
        root_m=rng.normal(size=(12, 3)),
        contacts=rng.random((12, 4)),
        start_frame=17,
    )


def worlds(motion):
    """World matrices (T, J, 4, 4), joint by joint."""
    rig = motion.rig
    local = np.tile(np.eye(4), (len(motion), len(rig.skeleton), 1, 1))
    quaternions = np.roll(motion.local_wxyz, -1, axis=-1).reshape(-1, 4)
    local[..., :3, :3] = Rotation.from_quat(quaternions).as_matrix().reshape(*local.shape[:2], 3, 3)
    local[..., :3, 3] = rig.offsets_m if motion.local_m is None else motion.local_m
    local[:, 0, :3, 3] = motion.root_m
    for j, parent in enumerate(rig.skeleton.parents):
        if parent >= 0:
            local[:, j] = local[:, parent] @ local[:, j]
    return local


def at_rest(rig):
    """World matrices (J, 4, 4) in the rest pose."""
    one = Motion(rig=rig, fps=Fraction(1), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])
    return worlds(one)[0]


def taken(dressed, preset):
    """(bone, joint) of every bone that takes a joint."""
    return [(b, HUMANOID_22.index(bone.joint)) for b, bone in enumerate(preset.bones) if bone.takes_joint]


def test_the_names_of_the_presets_are_those_promised():
    """Catches a preset file that is not found, or packed under another name."""
    assert preset_names() == PRESETS
    with pytest.raises(InputError, match=r"'maya'.*hik"):
        preset_named("maya")


@each_preset
def test_bones_are_those_that_the_program_publishes(name):
    """Catches a misspelt or forgotten bone: the program would leave the limb in its rest pose."""
    preset = preset_named(name)
    assert set(preset.skeleton.joint_names) == PUBLISHED[name]
    assert {bone.joint for bone in preset.bones if bone.takes_joint} == set(HUMANOID_22.joint_names)
    assert preset.unit_m == pytest.approx(UNIT[name], rel=1e-12)
    assert preset.sources
    assert preset.title
    assert REQUIRED_15 <= UNITY
    mirror = preset.skeleton.mirror
    for b, joint in taken(None, preset):
        assert (mirror[b], HUMANOID_22.mirror[joint]) in taken(None, preset)


@each_preset
def test_joints_stay_where_they_are(name, wild):
    """Catches offsets in the wrong frame, rest turns applied twice, a root bone that moves the body."""
    preset = preset_named(name)
    dressed = dress(wild, preset)
    ours, theirs = worlds(wild), worlds(dressed)
    for b, joint in taken(dressed, preset):
        np.testing.assert_allclose(theirs[:, b, :3, 3], ours[:, joint, :3, 3], atol=1e-9)
    assert (dressed.fps, dressed.start_frame) == (wild.fps, 17)
    assert (dressed.local_m is None) == (name != "ue5")  # only the hips translate
    np.testing.assert_array_equal(dressed.contacts, wild.contacts)


@each_preset
def test_tips_stay_where_they_are(name, wild):
    """Catches the ends of hands, feet and head left behind or turned away."""
    dressed = dress(wild, preset_named(name))
    places = []
    for motion in (wild, dressed):
        frames = worlds(motion)
        places.append([frames[:, tip.parent] @ [*tip.offset_m, 1] for tip in motion.rig.tips])
    np.testing.assert_allclose(places[1], places[0], atol=1e-9)
    names = [*dressed.rig.skeleton.joint_names, *(tip.name for tip in dressed.rig.tips)]
    assert len(set(names)) == len(names)


@each_preset
def test_the_rest_pose_is_a_t_or_an_a(name):
    """Catches arms raised instead of lowered, a body that is not upright, an A-pose of another angle."""
    preset = preset_named(name)
    dressed = dress(still(), preset)
    place = {HUMANOID_22.joint_names[j]: at_rest(dressed.rig)[b, :3, 3] for b, j in taken(dressed, preset)}
    for side, out in (("left", 1), ("right", -1)):
        arm = place[f"{side}Hand"] - place[f"{side}UpperArm"]
        expected = 42.0 if name == "ue5" else 0.0
        assert np.degrees(np.arctan2(-arm[1], out * arm[0])) == pytest.approx(expected, abs=1e-9)
        leg = place[f"{side}Foot"] - place[f"{side}UpperLeg"]
        np.testing.assert_allclose(leg[[0, 2]], 0, atol=1e-12)
        assert place[f"{side}Toes"][2] > place[f"{side}Foot"][2] + 0.05
    assert place["head"][1] > place["hips"][1] + 0.5
    assert preset.rest_pose == ("A" if name == "ue5" else "T")


def still():
    """One frame in T-pose, away from the origin and turned by a quarter."""
    wxyz = np.tile([1.0, 0, 0, 0], (1, 22, 1))
    wxyz[0, 0] = [np.sqrt(0.5), 0, np.sqrt(0.5), 0]
    return Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=np.array([[2.0, 0.9, -1.0]]))


@each_preset
def test_the_rest_pose_stands_on_the_floor(name, wild):
    """Catches the motions of BVH files, whose rest pose has the hips at the origin: half the body under the floor."""
    offsets = wild.rig.offsets_m.copy()
    offsets[0] = (5.0, 0.0, 0.3)
    dressed = dress(replace(wild, rig=replace(wild.rig, offsets_m=offsets)), preset_named(name))
    rest = at_rest(dressed.rig)
    heights = [*rest[:, 1, 3], *((rest[tip.parent] @ [*tip.offset_m, 1])[1] for tip in dressed.rig.tips)]
    assert min(heights) == pytest.approx(0, abs=1e-9)
    hips = next(b for b, joint in taken(dressed, preset_named(name)) if joint == 0)
    np.testing.assert_allclose(rest[hips, :3, 3], wild.rig.offsets_m[0], atol=1e-9)
    frames = worlds(dressed)
    np.testing.assert_allclose(frames[:, hips, :3, 3], wild.root_m, atol=1e-9)


LEFT, UP, FRONT = np.eye(3)
# What axes x y z of a bone point at in the T-pose ("o" is not looked at), from the sources of each preset.
AXES = {
    "blender": {"forearm.L": "down left front", "forearm.R": "up right front", "shin.L": "left down back"},
    "mixamo": {"mixamorig:LeftForeArm": "back left down", "mixamorig:RightForeArm": "front right down"}
    | {"mixamorig:LeftLeg": "right down front", "mixamorig:Spine1": "left up front"},
    "ue5": {"root": "left back up", "pelvis": "up back right", "spine_02": "up back right", "head": "up back right"}
    | {"clavicle_l": "left back up", "lowerarm_l": "left back up", "lowerarm_r": "left front down"}
    | {"hand_l": "left down back", "hand_r": "left up front", "calf_l": "up back right", "calf_r": "down front right"}
    | {
        "foot_l": "up back right",
        "foot_r": "down front right",
        "ball_l": "front up right",
        "ball_r": "back down right",
    },
}
WORDS = {"left": LEFT, "right": -LEFT, "up": UP, "down": -UP, "front": FRONT, "back": -FRONT}


@pytest.mark.parametrize("name", AXES)
def test_axes_point_as_the_program_has_them(name, wild):
    """Catches a bone rolled by a quarter, sides not mirrored, axes of the rest pose that the motion does not keep."""
    preset = preset_named(name)
    dressed = dress(wild, preset)
    turned = {b: worlds(wild)[:, j, :3, :3] for b, j in taken(dressed, preset)}
    for bone, words in AXES[name].items():
        b = dressed.rig.skeleton.index(bone)
        expected = np.stack([WORDS[word] for word in words.split()], axis=-1)
        lowered = np.eye(3)
        if name == "ue5" and bone.startswith(("lowerarm", "hand")):
            lowered = Rotation.from_euler("z", -42 if bone.endswith("_l") else 42, degrees=True).as_matrix()
        np.testing.assert_allclose(at_rest(dressed.rig)[b, :3, :3], lowered @ expected, atol=1e-12)
        if b in turned:
            np.testing.assert_allclose(worlds(dressed)[:, b, :3, :3], turned[b] @ expected, atol=1e-9)


@pytest.mark.parametrize("name", ["unity", "vrm", "hik", "cmu"])
def test_bones_are_parallel_to_the_world(name):
    """Catches rest rotations where the target has none."""
    np.testing.assert_allclose(np.abs(dress(still(), preset_named(name)).rig.rest_wxyz[:, 0]), 1, atol=1e-12)


@pytest.mark.parametrize("name", ["blender", "mixamo"])
def test_y_runs_along_the_bones(name, wild):
    """Catches bones that Blender draws across the limb."""
    dressed = dress(wild, preset_named(name))
    frames, rest = worlds(dressed), at_rest(dressed.rig)
    ends = {tip.parent: tip.offset_m for tip in dressed.rig.tips}
    for b, parent in enumerate(dressed.rig.skeleton.parents):
        if parent >= 0 and dressed.rig.skeleton.parents.count(parent) == 1:
            ends[parent] = dressed.rig.offsets_m[b]
    assert len(ends) >= 16
    for b, end in ends.items():
        np.testing.assert_allclose(end / np.linalg.norm(end), UP, atol=1e-12, err_msg=str(b))
    assert np.isfinite(frames).all()
    assert np.isfinite(rest).all()


def test_the_root_of_unreal_carries_way_and_heading(wild):
    """Catches a root bone that leaves the floor, tilts, or does not turn with the pelvis."""
    dressed = dress(wild, preset_named("ue5"))
    frames, hips = worlds(dressed), worlds(wild)[:, 0]
    np.testing.assert_allclose(dressed.root_m[:, 1], 0, atol=1e-12)
    np.testing.assert_allclose(dressed.root_m[:, [0, 2]], hips[:, [0, 2], 3], atol=1e-12)
    np.testing.assert_allclose(frames[:, 0, :3, 2], np.tile(UP, (12, 1)), atol=1e-12)
    turn = Rotation.from_matrix(hips[:, :3, :3]).as_quat()
    heading = 2 * np.arctan2(turn[:, 1], turn[:, 3])
    np.testing.assert_allclose(frames[:, 0, 0, 0], np.cos(heading), atol=1e-9)
    np.testing.assert_allclose(frames[:, 0, 2, 0], -np.sin(heading), atol=1e-9)
    moving = np.abs(dressed.local_m - dressed.rig.offsets_m).max(axis=(0, 2)) > 0
    assert set(np.flatnonzero(moving)) <= {0, 1}


def test_long_clips_are_dressed_in_blocks(wild, monkeypatch):
    """Catches a seam between blocks: a heading that begins anew, frames that are left out."""
    whole = dress(wild, preset_named("ue5"))
    monkeypatch.setattr(dressing, "_BLOCK_FRAMES", 7)
    again = dress(wild, preset_named("ue5"))
    np.testing.assert_allclose(again.local_wxyz, whole.local_wxyz, atol=1e-12)
    np.testing.assert_allclose(again.root_m, whole.root_m, atol=1e-12)
    np.testing.assert_allclose(again.local_m, whole.local_m, atol=1e-12)


def test_bones_in_between_rest():
    """Catches extra bones that turn on their own, or lie beside the segment."""
    rig = dress(still(), preset_named("ue5")).rig
    for bone, before, after in (("spine_02", 0.5, 0.5), ("spine_04", 0.5, 0.5), ("neck_02", 0.5, 0.5)):
        b = rig.skeleton.index(bone)
        child = rig.skeleton.parents.index(b)
        lengths = rig.bone_lengths_m[[b, child]]
        np.testing.assert_allclose(lengths / lengths.sum(), [before, after], atol=1e-12)
        np.testing.assert_allclose(np.abs(rig.rest_wxyz[b, 0]), 1, atol=1e-12)


def test_vrm_twice_is_vrm_once(wild):
    """Catches a dress that drifts: VRM's bones are ours."""
    preset = preset_named("vrm")
    once = dress(wild, preset)
    twice = dress(once, preset)
    np.testing.assert_allclose(twice.local_wxyz, once.local_wxyz, atol=1e-12)
    np.testing.assert_allclose(worlds(twice), worlds(wild), atol=1e-9)


@each_preset
def test_roles_find_the_joints(name, wild):
    """Catches a mannequin without arms on a dressed rig; found with and without knowing the preset."""
    preset = preset_named(name)
    rig = dress(wild, preset).rig
    expected = {b: HUMANOID_22.joint_names[j] for b, j in taken(None, preset)}
    assert roles(rig, preset) == expected
    assert roles(rig) == expected


def test_the_frame_rate_is_kept_or_the_nearest():
    """Catches 29.97 turned into 30, and a rate that the editor does not offer."""
    ue5 = preset_named("ue5")
    assert ue5.fps_for(Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert ue5.fps_for(26) == 25
    assert ue5.fps_for(1000) == 240
    assert preset_named("vrm").fps_for("23.976") == Fraction(24000, 1001)


def test_another_body_is_refused(person):
    """Catches a rig of other joints dressed by index."""
    wxyz = np.tile([1.0, 0, 0, 0], (1, len(person.skeleton), 1))
    motion = Motion(rig=person, fps=Fraction(30), local_wxyz=wxyz, root_m=np.zeros((1, 3)))
    with pytest.raises(InputError, match="humanoid"):
        dress(motion, preset_named("ue5"))
    turned = replace(HUMANOID_RIG, rest_wxyz=np.tile([0.0, 1, 0, 0], (22, 1)))
    with pytest.raises(InputError, match="rest rotations"):
        dress(replace(still(), rig=turned), preset_named("ue5"))


OWN = """
title = "Mine"
sources = []
unit_m = 0.01
rest_pose = "A"
arms_down_deg = 30
frame_rates = ["24", "30000/1001"]
bones = [
  { name = "ground", floor = true, axes = "world" },
  { name = "middle", parent = "ground", joint = "hips", axes = "world" },
  { name = "top", parent = "middle", joint = "head", axes = "along", tip = "hat" },
  { name = "brow", parent = "middle", between = ["hips", "spine"], at = 0.25, axes = "along" },
]
[axes.world]
x = "left"
z = "front"
[axes.along]
z = "-bone"
x = "left"
"""


def test_a_preset_of_ones_own(tmp_path, wild):
    """Catches joints left out that drag their children along: head hangs on the hips here, and moves against them."""
    path = tmp_path / "mine.toml"
    path.write_text(OWN, encoding="utf-8")
    preset = load_preset(path)
    assert preset.name == "mine"
    assert preset.fps_for(60) == Fraction(30000, 1001)
    dressed = dress(wild, preset)
    head = worlds(wild)[:, HUMANOID_22.index("head"), :3, 3]
    np.testing.assert_allclose(worlds(dressed)[:, 2, :3, 3], head, atol=1e-9)
    assert [tip.name for tip in dressed.rig.tips] == ["hat"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Mine"', "", "title is missing"),
        ("unit_m = 0.01", "unit_m = 0", "unit_m"),
        ("unit_m = 0.01", "unit = 1", "unknown key 'unit'"),
        ('rest_pose = "A"', 'rest_pose = "T"', "arms_down_deg"),
        ("arms_down_deg = 30", "arms_down_deg = 95", "arms_down_deg"),
        ('"24"', '"24/0"', "frame_rates"),
        ('joint = "hips"', 'joint = "hip"', "'middle'.*'hip'"),
        ('joint = "head"', 'joint = "hips"', "two bones take"),
        ('parent = "middle", joint', 'parent = "tip", joint', "'top'.*parent"),
        ('["hips", "spine"]', '["hips", "head"]', "'brow'.*between"),
        ("at = 0.25", "at = 2", "'brow'.*at"),
        ('name = "brow"', 'name = "top"', "'top'.*twice"),
        ('z = "-bone"', 'z = "leftwards"', "axes.along.*leftwards"),
        ('x = "left"\nz = "front"', 'x = "left"\nz = "right"', "axes.world"),
        ("floor = true", "floor = false", "'ground'.*floor"),
        ('tip = "hat"', "tip = 3", "'top'.*tip"),
        ("sources = []", "sources = []\nbody = 3", "body must be a table"),
        ("sources = []", "sources = []\nbody = { stature_m = 1.8 }", "body: source is missing"),
        ("sources = []", 'sources = []\nbody = { source = "me", arm = 0.3 }', "body holds the unknown key 'arm'"),
        ("sources = []", 'sources = []\nbody = { source = "me", upper_arm = -1 }', "body: upper_arm"),
        ("sources = []", 'sources = []\nbody = { source = "me", upper_arm = 0 }', "upper_arm must be finite"),
        ("bones = [", "bones = 3 #", "TOML"),
        ("sources = []", "sources = [" * 5000, "TOML"),
    ],
)
def test_what_is_wrong_in_a_preset_is_named(tmp_path, old, new, message):
    """Catches a preset whose misspelt key silently means something else."""
    path = tmp_path / "mine.toml"
    assert old in OWN
    path.write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(FileFormatError, match=f"(?s)mine.toml: .*{message}"):
        load_preset(path)


def test_a_preset_that_is_not_there(tmp_path):
    """Catches an OSError that reaches the user."""
    with pytest.raises(InputError, match="cannot read"):
        load_preset(tmp_path / "none.toml")


def test_the_body_of_a_preset(tmp_path):
    """Catches lengths that are not the ones of the file, and a stature that undoes them."""
    path = tmp_path / "mine.toml"
    body = '[body]\nsource = "a tape measure"\nstature_m = 3.4\nupper_arm = 0.5\n\n[axes.world]'
    path.write_text(OWN.replace("[axes.world]", body, 1), encoding="utf-8")
    preset = load_preset(path)
    lengths = preset.body.bone_lengths_m
    assert lengths[HUMANOID_22.index("leftLowerArm")] == pytest.approx(0.5)
    assert lengths[HUMANOID_22.index("leftFoot")] == pytest.approx(
        2 * HUMANOID_RIG.bone_lengths_m[HUMANOID_22.index("leftFoot")]
    )
    path.write_text(OWN, encoding="utf-8")
    np.testing.assert_allclose(load_preset(path).body.offsets_m, HUMANOID_RIG.offsets_m)
