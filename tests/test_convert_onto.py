"""`mocap3d convert --onto` and `mocap3d bones`: from other people's files onto other people's bodies."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from characters import below_bones, in_a_pose, restless, rotation, with_other_axes
from scipy.spatial.transform import Rotation
from videos import run

import mocap3d
from mocap3d import output
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG, BodyLengths, humanoid_rig
from mocap3d.base.kinematics import forward
from mocap3d.base.mesh import deform
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import split
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.onto import find_roles, load_target
from mocap3d.output.fbx import read_fbx_character
from mocap3d.output.gltf import read_glb_character
from mocap3d.output.mannequin import mannequin
from mocap3d.stages.people_tables import pose3d_text

SHIN = ("leftLowerLeg", "leftFoot")


def still(rig) -> Motion:
    """A body at rest, one frame."""
    return Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])


@pytest.fixture
def source(tmp_path):
    """Somebody who moves, as a BVH in centimetres with CMU's names, and the motion."""
    motion = restless(frames=12, most_deg=40)
    output.write(motion, tmp_path / "source.bvh", preset="cmu", unit_m=0.01)
    return tmp_path / "source.bvh", motion


def converted(capsys, *arguments):
    """Run it; it must succeed. Returns what it printed."""
    code, printed, errors = run(capsys, "convert", *arguments)
    assert code == 0, errors
    return printed


def directions(motion, roles, bones):
    """(T, B, 3) unit vectors along bones given by roles."""
    world_m, _ = forward(motion)
    at = {role: world_m[:, motion.rig.skeleton.index(name)] for role, name in roles.items()}
    along = np.stack([at[end] - at[start] for start, end in bones], axis=1)
    return along / np.linalg.norm(along, axis=-1, keepdims=True)


BONES = [(f"{side}{a}", f"{side}{b}") for side in ("left", "right") for a, b in (
    ("UpperArm", "LowerArm"), ("LowerArm", "Hand"), ("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"))]  # fmt: skip


@pytest.mark.parametrize("preset", output.preset_names())
def test_a_file_of_others_onto_every_preset(preset, source, tmp_path, capsys):
    """Catches centimetres taken for metres, names that are lost, and limbs that point elsewhere after all steps."""
    path, motion = source
    converted(capsys, path, tmp_path / "a.fbx", "--onto", preset, "--foot-lock", "off")
    made, wanted = output.read(tmp_path / "a.fbx"), output.preset_named(preset)
    assert set(wanted.roles.values()) <= set(made.rig.skeleton.joint_names)
    want, have = directions(motion, find_roles(HUMANOID_RIG), BONES), directions(made, wanted.roles, BONES)
    assert np.rad2deg(np.arccos(np.clip(np.sum(want * have, axis=-1), -1, 1))).max() < 0.1
    leg = made.rig.bone_lengths_m[made.rig.skeleton.index(wanted.roles["leftFoot"])]
    assert leg == pytest.approx(wanted.lengths.lower_leg, abs=1e-5)


@pytest.mark.parametrize("extension", ["fbx", "glb"])
def test_a_character_with_a_body(extension, source, tmp_path, capsys):
    """Catches a surface that stays behind, or that follows other bones than its own."""
    path, motion = source
    body = below_bones(in_a_pose(humanoid_rig(BodyLengths().scaled(2.4)), 40, 0))
    roles = {n: n for n in HUMANOID_RIG.skeleton.joint_names}
    rig = replace(body, skeleton=replace(body.skeleton, name="hero"))
    surface = mannequin(rig, {rig.skeleton.index(name): role for role, name in roles.items()})
    output.write(still(rig), tmp_path / f"hero.{extension}", mesh=surface)
    converted(
        capsys, path, tmp_path / f"out.{extension}", "--onto", tmp_path / f"hero.{extension}", "--foot-lock", "off"
    )
    reader = read_fbx_character if extension == "fbx" else read_glb_character
    _, before, _ = reader(tmp_path / f"hero.{extension}")
    _, after, made = reader(tmp_path / f"out.{extension}")
    assert len(before.vertices_m) == len(after.vertices_m)
    want, have = directions(motion, roles, BONES), directions(made, roles, BONES)
    assert np.rad2deg(np.arccos(np.clip(np.sum(want * have, axis=-1), -1, 1))).max() < 0.1
    # each vertex keeps its distance from the joint that it follows alone
    alone = np.flatnonzero(after.weights[:, 0] > 0.999)[::50]
    placed, joints = deform(after, made)[:, alone], forward(made)[0][:, after.joints[alone, 0]]
    distance = np.linalg.norm(placed - joints, axis=-1)
    assert np.ptp(distance, axis=0).max() < 1e-4
    assert np.ptp(placed[0], axis=0).max() > 1.5  # a body of 2.4 m


def test_a_bvh_character_keeps_its_unit(source, tmp_path, capsys):
    """Catches a character in centimetres that comes back as a giant or as a dwarf."""
    path, _ = source
    body = with_other_axes(in_a_pose(HUMANOID_RIG), Rotation.identity(), prefix="")
    output.write(still(body), tmp_path / "hero.bvh", unit_m=0.01)
    converted(capsys, path, tmp_path / "out.bvh", "--onto", tmp_path / "hero.bvh", "--foot-lock", "off")
    hero, made = (output.read(tmp_path / f"{name}.bvh").rig for name in ("hero", "out"))
    np.testing.assert_allclose(made.offsets_m[1:], hero.offsets_m[1:], atol=1e-4)
    assert made.bone_lengths_m[made.skeleton.index("leftFoot")] > 30


def test_a_map_of_ones_own(source, tmp_path, capsys):
    """Catches a map that has no effect."""
    path, _ = source
    output.write(still(HUMANOID_RIG), tmp_path / "hero.glb", preset="mixamo")
    code, printed, _ = run(capsys, "bones", tmp_path / "hero.glb", "-o", tmp_path / "map.toml")
    assert code == 0
    assert "mixamorig:LeftForeArm" in printed
    text = (tmp_path / "map.toml").read_text()
    (tmp_path / "map.toml").write_text(text.replace('head = "mixamorig:Head"', 'head = ""'))
    arguments = [path, tmp_path / "out.glb", "--onto", tmp_path / "hero.glb", "--foot-lock", "off"]
    converted(capsys, *arguments, "--bone-map", tmp_path / "map.toml")
    made = output.read(tmp_path / "out.glb")
    j = made.rig.skeleton.index("mixamorig:Head")
    assert (rotation(made.rig.rest_wxyz[j]).inv() * rotation(made.local_wxyz[:, j])).magnitude().max() < 1e-5
    code, printed, _ = run(capsys, "bones", tmp_path / "hero.glb", "--json")
    assert json.loads(printed)["leftToes"] == "mixamorig:LeftToeBase"


def test_who_carries(source, tmp_path, capsys):
    """Catches a root that stays, or hips that move, against what was asked."""
    path, _ = source
    for root, moves in (("hips", False), ("root", True), ("in-place", False)):
        converted(capsys, path, tmp_path / "a.glb", "--onto", "ue5", "--root", root, "--foot-lock", "off")
        made = output.read(tmp_path / "a.glb")
        assert (np.ptp(made.root_m, axis=0).max() > 0.5) == moves
        hips = forward(made)[0][:, made.rig.skeleton.index("pelvis")]
        assert (np.ptp(hips[:, ::2], axis=0).max() > 0.5) == (root != "in-place")
    converted(capsys, path, tmp_path / "a.fbx", "--onto", "unity", "--root", "root", "--mesh", "--foot-lock", "off")
    rig, mesh, made = read_fbx_character(tmp_path / "a.fbx")
    assert rig.skeleton.joint_names[:2] == ("root", "Hips")
    head = rig.skeleton.index("Head")
    assert mesh.vertices_m[mesh.joints[:, 0] == head][:, 1].min() > 1.2  # the head's vertices still follow the head


def test_several_people(source, tmp_path, capsys):
    """Catches people who are lost or mixed up on their way onto another body."""
    _, motion = source
    two = {"Ann": motion, "Bob": replace(motion, root_m=motion.root_m + [0.0, 0, 5])}
    output.write(two, tmp_path / "two.fbx")
    arguments = ["--onto", "mixamo", "--foot-lock", "off"]
    converted(capsys, tmp_path / "two.fbx", tmp_path / "all.glb", *arguments, "--together")
    people = split(output.read(tmp_path / "all.glb"))
    assert list(people) == ["Ann", "Bob"]
    apart = people["Bob"].root_m - people["Ann"].root_m
    assert apart[:, 2].max() == pytest.approx(apart[:, 2].min(), abs=1e-4)
    assert 4.5 < apart[0, 2] < 5.5
    assert len(converted(capsys, tmp_path / "two.fbx", tmp_path / "each.glb", *arguments).split()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--onto", "mixmao"], 1, "neither a preset"),
        (["--onto", "none.glb"], 1, "none.glb"),
        (["--onto", "mixamo", "--preset", "ue5"], 2, "each want another body"),
        (["--onto", "mixamo", "--bone-map", "m.toml"], 1, "knows its bones"),
        (["--foot-lock", "auto"], 2, "say --onto as well"),
        (["--onto", "mixamo", "--foot-lock", "glue"], 2, "off, auto, strong"),
        (["--onto", "mixamo", "--root", "feet"], 2, "hips, root, in-place"),
        (["--smooth", "bogus"], 2, "smoothing is said as"),
        (["--up", "W"], 2, "--up takes one of Y, Z"),
        (["--unit", "0"], 2, "--unit takes a number above 0"),
        (["--output-unit", "-1"], 2, "--output-unit takes a number above 0"),
        (["--fps", "often"], 2, "--fps"),
        (["--body-model", "nowhere"], 1, "--body-model is for"),
        (["--gender", "female"], 1, "--gender is for"),
    ],
)
def test_what_is_refused(arguments, code, message, source, tmp_path, capsys, monkeypatch):
    """Catches options without effect, and mistakes that are found out after minutes of work."""
    monkeypatch.chdir(tmp_path)
    got, _, errors = run(capsys, "convert", source[0], tmp_path / "a.glb", *arguments)
    assert got == code
    assert message in errors.replace("\n", " ")
    assert not (tmp_path / "a.glb").exists()


def test_points_need_a_format_of_bones(source, tmp_path, capsys):
    """Catches points that are written as they are although another body was asked for, and joints that lead nowhere."""
    output.write(source[1], tmp_path / "a.trc")
    code, _, errors = run(capsys, "convert", tmp_path / "a.trc", tmp_path / "b.c3d", "--onto", "mixamo")
    assert code == 1
    assert "--onto needs a motion" in errors
    code, _, errors = run(capsys, "convert", tmp_path / "a.trc", tmp_path / "b.glb", "--onto", "mixamo")
    assert code == 0, errors
    assert "mixamorig:Hips" in output.read(tmp_path / "b.glb").rig.skeleton.joint_names


def test_from_python(tmp_path):
    """Catches a target that is loaded again for each motion, and a surface that the caller does not get."""
    motion = restless(frames=5)
    target = load_target("mixamo")
    made = mocap3d.retarget(motion, target, foot_lock="off")
    assert made.roles["hips"] == "mixamorig:Hips"
    assert made.mesh is None
    np.testing.assert_array_equal(made.motion.contacts, motion.contacts)
    made.save(tmp_path / "a.glb", mesh=True)
    assert read_glb_character(tmp_path / "a.glb")[1] is not None
    made.save(tmp_path / "b.glb")
    assert read_glb_character(tmp_path / "b.glb")[1] is None
    with pytest.raises(InputError, match="root must be one of"):
        mocap3d.retarget(motion, target, root="feet")
    back = mocap3d.retarget(made.motion, HUMANOID_TARGET, source_map=made.roles, foot_lock="off")
    assert back.motion.rig.skeleton == HUMANOID_RIG.skeleton


HUMANOID_TARGET = replace(load_target("vrm"), preset=None)


def test_long_jobs_are_resampled_for_programs_that_want_it():
    """Catches a frame rate that the target's editor does not offer."""
    motion = replace(restless(frames=30), fps=Fraction(59))
    assert mocap3d.retarget(motion, "ue5", foot_lock="off").motion.fps in output.preset_named("ue5").frame_rates


def test_a_prop_beside_somebody(source, tmp_path, capsys):
    """Catches a sword or an IK bone at the root of a file that is taken for a second person."""
    _, motion = source
    stick = Skeleton(name="stick", joint_names=("sword", "blade"), parents=(-1, 0), mirror=(0, 1))
    rest = np.tile([1.0, 0, 0, 0], (2, 1))
    rig = Rig(skeleton=stick, offsets_m=np.array([[0.0, 0, 0], [0, 1, 0]]), rest_wxyz=rest)
    sword = Motion(rig=rig, fps=motion.fps, local_wxyz=np.tile(rest, (12, 1, 1)), root_m=motion.root_m, start_frame=7)
    output.write({"Ann": motion, "prop": sword}, tmp_path / "two.fbx")
    printed = converted(capsys, tmp_path / "two.fbx", tmp_path / "a.glb", "--onto", "mixamo", "--foot-lock", "off")
    assert printed.split() == [str(tmp_path / "a.glb")]
    with pytest.raises(InputError, match="several people"):
        mocap3d.retarget(output.read(tmp_path / "two.fbx"), "mixamo")


@pytest.mark.parametrize("said", ["Y", "Z"])
def test_an_axis_that_was_given_wrongly(said, tmp_path, capsys):
    """Catches the advice to say what was said: a body that lies because of --up Z was told to say --up Z."""
    motion = replace(restless(frames=12, most_deg=10), contacts=None)
    output.write(motion, tmp_path / "a.bvh", up="Z" if said == "Y" else "Y")
    code, _, errors = run(
        capsys, "convert", tmp_path / "a.bvh", tmp_path / "b.glb", "--onto", "ue5", "--up", said, "--foot-lock", "off"
    )
    assert code == 0, errors
    assert "another axis points up in its file than was thought" in errors


def test_hips_that_are_called_root(source, tmp_path, capsys):
    """Catches a character that is refused because its hips have the name of the bone above them (MakeHuman's)."""
    names = tuple("root" if name == "hips" else name for name in HUMANOID_RIG.skeleton.joint_names)
    output.write(
        still(replace(HUMANOID_RIG, skeleton=replace(HUMANOID_RIG.skeleton, joint_names=names))), tmp_path / "made.bvh"
    )
    converted(capsys, source[0], tmp_path / "a.bvh", "--onto", tmp_path / "made.bvh", "--root", "root")
    made = output.read(tmp_path / "a.bvh")
    assert made.rig.skeleton.joint_names[:2] == ("root_motion", "root")
    assert np.ptp(made.root_m[:, 0]) > 1.0  # the new bone carries the way


def test_a_table_of_ones_own_joints(tmp_path, capsys):
    """Catches columns of our own that are left out with a note: how sure each joint is (--keep-stages)."""
    pose = Pose3D(
        xyz_m=np.random.default_rng(0).normal(size=(3, 20, 3)),
        confidence=np.full((3, 20), 0.5),
        std_m=np.full((3, 20), 0.02),
        views=np.ones((3, 20)),
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="world",
    )
    (tmp_path / "joints.csv").write_text(pose3d_text(pose, 0))
    code, _, errors = run(capsys, "convert", tmp_path / "joints.csv", tmp_path / "joints.c3d")
    assert code == 0
    assert not errors
    read = output.read(tmp_path / "joints.csv")
    np.testing.assert_array_equal(read.confidence, 0.5)
    np.testing.assert_array_equal(read.std_m, 0.02)
