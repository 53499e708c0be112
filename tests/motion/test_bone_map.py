"""Bone maps: found by names of many programs, by shape alone, written, edited, and refused when they are wrong."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from characters import NAMES, below_bones, in_a_pose, restless, with_other_axes, without
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton
from mocap3d.motion.bone_map import check_bone_map, propose_bone_map, read_bone_map, write_bone_map
from mocap3d.motion.bone_names import bone_names

TRUNK = ["hips", "spine", "chest", "upperChest", "neck", "head"]
ARM = ["Shoulder", "UpperArm", "LowerArm", "Hand"]
LEG = ["UpperLeg", "LowerLeg", "Foot", "Toes"]

# What programs call the trunk, the left arm and the left leg, and how the right side differs.
PROGRAMS = {
    "biped": (
        "Bip01 Pelvis|Bip01 Spine|Bip01 Spine1|Bip01 Spine2|Bip01 Neck|Bip01 Head",
        "Bip01 L Clavicle|Bip01 L UpperArm|Bip01 L Forearm|Bip01 L Hand",
        "Bip01 L Thigh|Bip01 L Calf|Bip01 L Foot|Bip01 L Toe0",
        (" L ", " R "),
    ),
    "character creator": (
        "CC_Base_Hip|CC_Base_Waist|CC_Base_Spine01|CC_Base_Spine02|CC_Base_NeckTwist01|CC_Base_Head",
        "CC_Base_L_Clavicle|CC_Base_L_Upperarm|CC_Base_L_Forearm|CC_Base_L_Hand",
        "CC_Base_L_Thigh|CC_Base_L_Calf|CC_Base_L_Foot|CC_Base_L_ToeBase",
        ("_L_", "_R_"),
    ),
    "daz": (
        "hip|abdomenLower|abdomenUpper|chestLower|neckLower|head",
        "lCollar|lShldrBend|lForearmBend|lHand",
        "lThighBend|lShin|lFoot|lToe",
        ("l", "r"),
    ),
    "rigify": (
        "DEF-spine|DEF-spine.001|DEF-spine.002|DEF-spine.003|DEF-spine.004|DEF-spine.006",
        "DEF-shoulder.L|DEF-upper_arm.L|DEF-forearm.L|DEF-hand.L",
        "DEF-thigh.L|DEF-shin.L|DEF-foot.L|DEF-toe.L",
        (".L", ".R"),
    ),
    "smpl": (
        "Pelvis|Spine1|Spine2|Spine3|Neck|Head",
        "L_Collar|L_Shoulder|L_Elbow|L_Wrist",
        "L_Hip|L_Knee|L_Ankle|L_Foot",
        ("L_", "R_"),
    ),
    "smplx": (
        "pelvis|spine1|spine2|spine3|neck|head",
        "left_collar|left_shoulder|left_elbow|left_wrist",
        "left_hip|left_knee|left_ankle|left_foot",
        ("left_", "right_"),
    ),
    "vroid": (
        "J_Bip_C_Hips|J_Bip_C_Spine|J_Bip_C_Chest|J_Bip_C_UpperChest|J_Bip_C_Neck|J_Bip_C_Head",
        "J_Bip_L_Shoulder|J_Bip_L_UpperArm|J_Bip_L_LowerArm|J_Bip_L_Hand",
        "J_Bip_L_UpperLeg|J_Bip_L_LowerLeg|J_Bip_L_Foot|J_Bip_L_ToeBase",
        ("_L_", "_R_"),
    ),
    "biovision": (
        "Hips|Chest|Chest2|Chest3|Neck|Head",
        "LeftCollar|LeftShoulder|LeftElbow|LeftWrist",
        "LeftHip|LeftKnee|LeftAnkle|LeftToe",
        ("Left", "Right"),
    ),
    "acclaim": (
        "root|lowerback|upperback|thorax|lowerneck|head",
        "lclavicle|lhumerus|lradius|lwrist",
        "lfemur|ltibia|lfoot|ltoes",
        ("l", "r"),
    ),
    "optitrack": (
        "Ann:Hip|Ann:Ab|Ann:Spine2|Ann:Chest|Ann:Neck|Ann:Head",
        "Ann:LShoulder|Ann:LUArm|Ann:LFArm|Ann:LHand",
        "Ann:LThigh|Ann:LShin|Ann:LFoot|Ann:LToe",
        (":L", ":R"),
    ),
    "shouting": (
        "HIPS|SPINE|SPINE_1|SPINE_2|NECK|HEAD",
        "LEFT_SHOULDER|LEFT_ARM|LEFT_FOREARM|LEFT_HAND",
        "LEFT_THIGH|LEFT_KNEE|LEFT_FOOT|LEFT_TOE",
        ("LEFT", "RIGHT"),
    ),
    "suffixes": (
        "pelvis_jnt|spine_jnt_1|spine_jnt_2|spine_jnt_3|neck_jnt|head_jnt",
        "clav_jnt_l|uparm_jnt_l|elbow_jnt_l|wrist_jnt_l",
        "leg_jnt_l|knee_jnt_l|ankle_jnt_l|ball_jnt_l",
        ("_l", "_r"),
    ),
}


def renamed(rig: Rig, names) -> Rig:
    return replace(rig, skeleton=replace(rig.skeleton, name="renamed", joint_names=tuple(names)))


def programs_roles(program: str) -> dict[str, str]:
    trunk, arm, leg, (left, right) = PROGRAMS[program]
    roles = dict(zip(TRUNK, trunk.split("|"), strict=True))
    for side in ("left", "right"):
        for parts, words in ((ARM, arm), (LEG, leg)):
            for part, word in zip(parts, words.split("|"), strict=True):
                roles[side + part] = word if side == "left" else word.replace(left, right, 1)
    return roles


@pytest.mark.parametrize("program", PROGRAMS)
def test_names_of_many_programs(program):
    """Catches a shoulder that is an upper arm (or not), a leg that is a shin, sides and prefixes that are not seen."""
    roles = programs_roles(program)
    if program == "rigify":  # its hips are called like the other bones of the spine
        assert roles["hips"] == "DEF-spine"
    rig = renamed(HUMANOID_RIG, [roles[name] for name in NAMES])
    proposal = propose_bone_map(rig)
    assert proposal.roles == {name: roles[name] for name in NAMES}
    assert not proposal.missing
    assert not proposal.others
    assert {proposal.why[r] for r in NAMES if r.startswith(("left", "right"))} == {"by name"}
    check_bone_map(rig, proposal.roles)


@pytest.mark.parametrize("extension", ["bvh", "fbx", "glb"])
@pytest.mark.parametrize("name", output.preset_names())
def test_presets_written_and_read_back(name, extension, tmp_path):
    """Catches names that a format changes, and helpers (root, twist, half necks) that are taken for bones."""
    preset = output.preset_named(name)
    output.write(restless(frames=2), tmp_path / f"a.{extension}", preset=preset)
    rig = output.read(tmp_path / f"a.{extension}").rig
    found = propose_bone_map(rig)
    assert found.roles == {role: preset.roles[role] for role in NAMES}
    assert set(found.others) == {bone.name for bone in preset.bones} - set(preset.roles.values())


@pytest.mark.parametrize("extension", ["fbx", "glb"])
def test_characters_with_a_mesh(extension, tmp_path):
    """Catches nodes of a mesh that are taken for bones."""
    output.write(restless(frames=2), tmp_path / f"a.{extension}", preset="mixamo", mesh=True)
    found = propose_bone_map(output.read(tmp_path / f"a.{extension}").rig)
    assert found.roles == {role: output.preset_named("mixamo").roles[role] for role in NAMES}


EXPECTED = {
    "assimp_boxing_toes_bad": ("Hips", "LeftShoulder", "LeftHip", "LeftToes", {"upperChest"}),
    "blender_cmu_30x6ch": ("pelvis", "upperarm_L", "thigh_L", "toes_L", set()),
    "bvhtoolbox_walk01": ("Hips", "LeftArm", "LeftUpLeg", None, {"upperChest", "leftToes", "rightToes"}),
    "fair1_wave_hello": ("Hips", "LeftArm", "LeftUpLeg", "LeftToeBase", set()),
    "freebvh_mixamo_blender": (
        "mixamorig:Hips",
        "mixamorig:LeftArm",
        "mixamorig:LeftUpLeg",
        "mixamorig:LeftToeBase",
        set(),
    ),
    "hahne_daz_martial": ("hip", "lShldr", "lThigh", None, {"upperChest", "leftToes", "rightToes"}),
    "hahne_mb_cmu_05_01": ("Hips", "LeftArm", "LeftUpLeg", "LeftToeBase", set()),
    "makehuman_tpose_144x6ch": ("root", "upperarm01.L", "upperleg01.L", "toe1-1.L", set()),
    "makehuman_walk1": ("Root", "UpArm_L", "UpLeg_L", "Toe_L", set()),
    "pybvh_test1": ("Hips", "LeftArm", "LeftUpLeg", "LeftToeBase", set()),
    "pybvh_test2_crlf": ("Hips", "LeftShoulder", "LeftHip", "LeftToe", set()),
    "pymo_emotion_walk": ("Hips", "LeftArm", "LeftUpLeg", "LeftToeBase", {"chest", "upperChest", "neck"}),
    "secondlife_walk": ("hip", "lShldr", "lThigh", None, {"upperChest", "leftToes", "rightToes"}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_files(name, shared_data):
    """Catches programs whose names nobody had thought of; what is expected was read in the files by eye."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)
        rig = output.read(shared_data / "bvh_files" / f"{name}.bvh", lenient=True).rig
    found = propose_bone_map(rig)
    hips, arm, leg, toes, missing = EXPECTED[name]
    assert (found.roles["hips"], found.roles["leftUpperArm"], found.roles["leftUpperLeg"]) == (hips, arm, leg)
    assert found.roles.get("leftToes") == toes
    assert set(found.missing) == missing
    check_bone_map(rig, found.roles)


def shuffled(rig: Rig, seed: int) -> tuple[Rig, list[int]]:
    """The rig in another order, parents first, and for each new joint the old one."""
    rng = np.random.default_rng(seed)
    order: list[int] = [0]
    ready = [j for j, parent in enumerate(rig.skeleton.parents) if parent == 0]
    while ready:
        j = ready.pop(int(rng.integers(len(ready))))
        order.append(j)
        ready += [child for child, parent in enumerate(rig.skeleton.parents) if parent == j]
    new = {j: n for n, j in enumerate(order)}
    skeleton = Skeleton(
        name="nameless",
        joint_names=tuple(f"bone_{n:03d}" for n in range(len(order))),
        parents=tuple(new.get(rig.skeleton.parents[j], -1) for j in order),
        mirror=tuple(range(len(order))),
    )
    tips = tuple(replace(tip, parent=new[tip.parent]) for tip in rig.tips)
    return Rig(skeleton=skeleton, offsets_m=rig.offsets_m[order], rest_wxyz=rig.rest_wxyz[order], tips=tips), order


@given(
    seed=st.integers(0, 9999),
    preset=st.sampled_from(sorted({*output.preset_names()} - {"cmu"})),  # whose forearm is shorter than the collar bone
    arms=st.floats(0, 80),
    legs=st.floats(0, 15),
    facing=st.sampled_from([0, 90, 180, -90]),
    z_up=st.booleans(),
    roots=st.booleans(),
)
@settings(max_examples=12)
def test_rigs_without_names(seed, preset, arms, legs, facing, z_up, roots):
    """Catches limbs that are told apart by their order, and sides that are mixed up on bodies that face elsewhere."""
    whole = Rotation.from_euler("y", facing, degrees=True)
    whole = Rotation.from_euler("x", 90, degrees=True) * whole if z_up else whole
    body = with_other_axes(in_a_pose(output.preset_named(preset).body, arms, legs), whole, seed, prefix="")
    rig, order = shuffled(below_bones(body) if roots else body, seed)
    found = propose_bone_map(rig)
    names = [(below_bones(body) if roots else body).skeleton.joint_names[j] for j in order]
    assert {role: names[rig.skeleton.index(bone)] for role, bone in found.roles.items()} == {n: n for n in NAMES}
    assert set(found.why.values()) <= {
        "by shape",
        "what legs and arms hang from",
        "between hips and arms",
        "between arms and head",
    }


def test_nothing_to_be_found():
    """Catches a proposal for what is no body."""
    chain = Skeleton(name="tail", joint_names=("a", "b", "c"), parents=(-1, 0, 1), mirror=(0, 1, 2))
    rig = Rig(skeleton=chain, offsets_m=np.ones((3, 3)), rest_wxyz=np.tile([1.0, 0, 0, 0], (3, 1)))
    with pytest.raises(InputError, match="by hand"):
        propose_bone_map(rig)


def test_bones_that_only_help():
    """Catches twist, IK and end bones that are taken for the limb."""
    names = bone_names(
        ["LeftArm", "LeftArmTwist", "ik_foot_l", "LeftHandEnd", "__UpLeg_L", "thigh_l", "lips", "Bip01 L Toe0Nub"]
    )
    assert [bool(name.parts) for name in names] == [True, False, False, False, False, True, False, False]
    assert [name.side for name in bone_names(["lfemur", "Ear", "rear", "R_Arm", "armL"])] == [
        "left",
        "",
        "",
        "right",
        "left",
    ]


def test_the_table(tmp_path):
    """Catches a table that leaves a role or a bone out."""
    rig = without(HUMANOID_RIG, "chest", "upperChest", "leftToes", "rightToes")
    table = propose_bone_map(below_bones(rig)).table().splitlines()
    assert len(table) == 24
    assert [line.split()[0] for line in table[1:23]] == list(NAMES)
    assert "no such bone" in table[4]
    assert table[-1] == "2 more bones rest: root, armature"


def written(tmp_path, *changes):
    """A map of the humanoid with some lines changed."""
    path = tmp_path / "map.toml"
    write_bone_map(propose_bone_map(HUMANOID_RIG), path)
    text = path.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
    return path


def test_written_edited_and_read(tmp_path):
    """Catches an edit that has no effect, and names that TOML would misread."""
    path = written(tmp_path, ('neck = "neck"', 'neck = ""'))
    roles = read_bone_map(path, HUMANOID_RIG)
    assert roles == {name: name for name in NAMES if name != "neck"}
    odd = renamed(HUMANOID_RIG, [f'{name} "ü\\{n}\x7f\n' for n, name in enumerate(NAMES)])
    write_bone_map(
        replace(propose_bone_map(HUMANOID_RIG), roles=dict(zip(NAMES, odd.skeleton.joint_names, strict=True))), path
    )
    assert list(read_bone_map(path, odd).values()) == list(odd.skeleton.joint_names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([('chest = "chest"', 'chest = "spine"')], "'spine' cannot be both spine and chest"),
        ([('leftHand = "leftHand"', 'leftHand = "leftHnad"')], "no such joint: leftHand = 'leftHnad'"),
        ([('leftFoot = "leftFoot"', 'leftFoot = ""')], "lack leftFoot"),
        ([('leftFoot = "leftFoot"', 'leftFeet = "leftFoot"')], "'leftFeet' is no role"),
        (
            [('"leftLowerLeg"', '"X"'), ('"rightLowerLeg"', '"leftLowerLeg"'), ('"X"', '"rightLowerLeg"')],
            "leftLowerLeg = 'rightLowerLeg' does not hang on leftUpperLeg",
        ),
        ([(f'left{bone} = "left', f'left{bone} = "X') for bone in LEG]
         + [(f'right{bone} = "right', f'right{bone} = "left') for bone in LEG]
         + [(f'left{bone} = "X', f'left{bone} = "right') for bone in LEG], "swapped either for the legs"),
        ([(f'left{bone} = "left', f'left{bone} = "X') for bone in LEG + ARM]
         + [(f'right{bone} = "right', f'right{bone} = "left') for bone in LEG + ARM]
         + [(f'left{bone} = "X', f'left{bone} = "right') for bone in LEG + ARM], "toes point backwards"),
        ([("version = 1", "version = 2")], "version = 1"),
        ([('chest = "chest"', "chest = 3")], "chest must be the name"),
        ([('chest = "chest"', 'chest = "chest"\nchest = "chest"')], "not a TOML file"),
        ([("[bones]", "[bonse]")], "table"),
    ],
)  # fmt: skip
def test_wrong_maps(changes, message, tmp_path):
    """Catches a mistake of an editor that becomes a wrong motion instead of a message that says what to change."""
    with pytest.raises(FileFormatError, match=message):
        read_bone_map(written(tmp_path, *changes), HUMANOID_RIG)


def test_a_map_that_is_not_there(tmp_path):
    """Catches an error of the system that reaches the user."""
    with pytest.raises(InputError, match="cannot read the bone map"):
        read_bone_map(tmp_path / "none.toml", HUMANOID_RIG)
