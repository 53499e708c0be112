"""The extension chooses the format; presets and mannequins are put on before writing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import ufbx
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import split
from mocap3d.base.pose import Pose3D
from mocap3d.output.presets import preset_names
from mocap3d.output.presets.humanoid import as_humanoid

BINARY = (".fbx", ".glb", ".usda", ".usdc", ".npz", ".h5")


def dancer(seed=0, frames=12):
    """The humanoid, each joint turning, on its way."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / 30
    rotvec = rng.normal(size=(1, 22, 3)) * np.sin(4 * t)
    wxyz = np.roll(Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_quat(), 1, axis=-1).reshape(frames, 22, 4)
    root_m = np.column_stack([t[:, 0, 0], 0.9 + 0 * t[:, 0, 0], 2 * t[:, 0, 0]])
    return Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=root_m)


def test_read_and_write_choose_by_extension(wild_motion, tmp_path):
    """Catches options that get lost on the way, and an extension that must be lower case."""
    output.write(wild_motion, tmp_path / "A.BVH", unit_m=0.01)
    again = output.read(tmp_path / "A.BVH", unit_m=0.01)
    assert again.root_m == pytest.approx(wild_motion.root_m, abs=1e-7)


@pytest.mark.parametrize("extension", output.extensions())
def test_every_extension_is_written_and_read(extension, tmp_path):
    """Catches a format that is listed and leads nowhere, or that reads another body than was written."""
    motion, path = dancer(), tmp_path / f"a{extension}"
    output.write(motion, path)
    found = output.read(path)
    assert (len(found), found.fps) == (12, 30)
    if isinstance(found, Pose3D):
        names, places = found.skeleton.joint_names, found.xyz_m
    else:
        names, places = found.rig.skeleton.joint_names, forward(found)[0]
    columns = [names.index(name) for name in HUMANOID_RIG.skeleton.joint_names]
    np.testing.assert_allclose(places[:, columns], forward(motion)[0], atol=1e-5)


@pytest.mark.parametrize("name", ["dance.xyz", "dance", ".bvh"])
def test_an_unknown_extension_lists_the_known_ones(wild_motion, name, tmp_path):
    """Catches a KeyError, and a message that does not help."""
    for call in (lambda: output.read(tmp_path / name), lambda: output.write(wild_motion, tmp_path / name)):
        with pytest.raises(InputError, match=r"unknown extension .*known are \.bvh"):
            call()


def test_an_unknown_option_is_named(wild_motion, tmp_path):
    """Catches a TypeError, or an option that is silently ignored."""
    with pytest.raises(InputError, match="no option ordre; it has order"):
        output.write(wild_motion, tmp_path / "a.bvh", ordre="XYZ")
    with pytest.raises(InputError, match="no option mesh"):
        output.write(wild_motion, tmp_path / "a.bvh", mesh=True)


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("extension", [".bvh", *BINARY])
def test_every_preset_leaves_the_body_where_it_is(preset, extension, tmp_path):
    """Catches a preset whose unit, axes or root bone a format loses: the joints stay in place through the file."""
    from mocap3d.output.presets import dress, preset_named

    motion, path, worn = dancer(), tmp_path / f"a{extension}", preset_named(preset)
    output.write(motion, path, preset=preset)
    options = {"unit_m": worn.unit_m} if extension == ".bvh" else {}
    found, expected = output.read(path, **options), dress(motion, worn)
    names = expected.rig.skeleton.joint_names
    assert set(names) <= set(found.rig.skeleton.joint_names)
    columns = [found.rig.skeleton.joint_names.index(name) for name in names]
    np.testing.assert_allclose(forward(found)[0][:, columns], forward(expected)[0], atol=2e-5)


@pytest.mark.parametrize("extension", [".fbx", ".glb", ".usdc"])
def test_several_people_go_into_one_file(extension, tmp_path):
    """Catches people who lose their names, places or bodies in a file for all."""
    ann, bob = dancer(), replace(dancer(1), root_m=dancer(1).root_m + [2.0, 0, 0])
    output.write({"Ann": ann, "Bob": bob}, tmp_path / f"a{extension}", mesh=True)
    people = split(output.read(tmp_path / f"a{extension}"))
    assert list(people) == ["Ann", "Bob"]
    for name, motion in (("Ann", ann), ("Bob", bob)):
        columns = [people[name].rig.skeleton.joint_names.index(joint) for joint in HUMANOID_RIG.skeleton.joint_names]
        np.testing.assert_allclose(forward(people[name])[0][:, columns], forward(motion)[0], atol=1e-5)


@pytest.mark.parametrize(("preset", "unit_m"), [(None, 0.01), ("ue5", 0.01), ("unity", 1.0), ("cmu", 0.056444)])
def test_the_unit_of_a_preset_reaches_the_file(preset, unit_m, tmp_path):
    """Catches a character a hundred times too large in the program that the preset is for."""
    output.write(dancer(), tmp_path / "a.fbx", preset=preset)
    assert ufbx.load_file(str(tmp_path / "a.fbx")).settings.unit_meters == pytest.approx(unit_m, rel=1e-4)


def test_a_preset_asks_for_a_rate_that_its_program_takes(tmp_path):
    """Catches the rule of the frame rate, which nobody applies."""
    output.write(replace(dancer(), fps=Fraction(33)), tmp_path / "a.glb", preset="ue5")
    assert output.read(tmp_path / "a.glb").fps == 30
    output.write(replace(dancer(), fps=Fraction(33)), tmp_path / "a.glb", preset="mixamo")
    assert output.read(tmp_path / "a.glb").fps == 33


@pytest.mark.parametrize("extension", [".bvh", ".fbx", ".glb", ".usda"])
def test_soles_stand_on_the_floor_after_a_file(extension, tmp_path):
    """Catches a body that rests below the floor because a format has lost the ends of its feet."""
    from mocap3d.base.kinematics import rest_pose

    output.write(dancer(), tmp_path / f"a{extension}")
    output.write(output.read(tmp_path / f"a{extension}"), tmp_path / "b.npz", preset="ue5")
    output.write(dancer(), tmp_path / "c.npz", preset="ue5")
    (found, _), (expected, _) = (rest_pose(output.read(tmp_path / name).rig) for name in ("b.npz", "c.npz"))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_mesh_of_ones_own_has_its_own_joints(tmp_path):
    """Catches vertices that follow other joints because a preset has renumbered them."""
    from mocap3d.output.mannequin import mannequin

    body = mannequin(HUMANOID_RIG, output.roles(HUMANOID_RIG))
    output.write(dancer(), tmp_path / "a.glb", mesh=body)
    with pytest.raises(InputError, match="cannot be written with a preset"):
        output.write(dancer(), tmp_path / "a.glb", mesh=body, preset="ue5")


def test_places_beyond_any_measure_are_refused(tmp_path):
    """Catches a file of infinities that nobody can read."""
    far = replace(dancer(), root_m=np.full((12, 3), 1e10))
    for extension in output.extensions():
        with pytest.raises(InputError):
            output.write(far, tmp_path / f"a{extension}")


@pytest.mark.parametrize("extension", [".bvh", ".fbx", ".glb", ".npz"])
def test_markers_do_not_depend_on_the_way(extension, tmp_path):
    """Catches heels and finger tips that are missing because the motion has been in a file."""
    output.write(dancer(), tmp_path / "a.trc")
    output.write(dancer(), tmp_path / f"b{extension}")
    output.write(output.read(tmp_path / f"b{extension}"), tmp_path / "b.trc")
    direct, around = output.read(tmp_path / "a.trc"), output.read(tmp_path / "b.trc")
    assert around.skeleton.joint_names == direct.skeleton.joint_names
    np.testing.assert_allclose(around.xyz_m, direct.xyz_m, atol=2e-5)


def test_a_vrm_animation_is_of_one_person(tmp_path):
    """Catches an advice that does not help."""
    with pytest.raises(InputError, match="one person: write a file for each"):
        output.write({"Ann": dancer(), "Bob": dancer(1)}, tmp_path / "a.vrma")


def test_points_go_where_points_are_held(tmp_path):
    """Catches points written as if they were rotations."""
    output.write(dancer(), tmp_path / "a.c3d")
    points = output.read(tmp_path / "a.c3d")
    output.write(points, tmp_path / "a.trc")
    np.testing.assert_allclose(output.read(tmp_path / "a.trc").xyz_m, points.xyz_m, atol=1e-6)
    with pytest.raises(InputError, match="bvh files hold rotations, these are points"):
        output.write(points, tmp_path / "a.bvh")
    with pytest.raises(InputError, match="a preset needs rotations"):
        output.write(points, tmp_path / "b.trc", preset="ue5")


@pytest.mark.parametrize("extension", [".bvh", ".fbx", ".glb"])
def test_what_was_written_is_the_humanoid_again(extension, tmp_path):
    """Catches our own files that cannot be dressed, because another order or a rest rotation came back."""
    motion = dancer()
    output.write(motion, tmp_path / f"a{extension}")
    found = as_humanoid(output.read(tmp_path / f"a{extension}"))
    np.testing.assert_allclose(forward(found)[0], forward(motion)[0], atol=1e-5)
    assert found.local_m is None
    if extension == ".bvh":
        assert [tip.name for tip in found.rig.tips] == [tip.name for tip in as_humanoid(found).rig.tips]
        ends = {tip.name: k for k, tip in enumerate(found.rig.tips)}
        ours = {tip.name: k for k, tip in enumerate(motion.rig.tips)}
        np.testing.assert_allclose(
            tip_positions(found)[:, list(ends.values())],
            tip_positions(motion)[:, [ours[name] for name in ends]],
            atol=1e-5,
        )


def test_other_bodies_are_not_taken_for_the_humanoid(wild_motion):
    """Catches a preset that bends a stranger's skeleton."""
    with pytest.raises(InputError, match="lacks the joints upperChest"):
        as_humanoid(wild_motion)
    arms_down = np.tile([1.0, 0, 0, 0], (22, 1))
    arms_down[HUMANOID_RIG.skeleton.index("leftUpperArm")] = [np.cos(0.5), 0, 0, -np.sin(0.5)]
    with pytest.raises(InputError, match="T-pose"):
        as_humanoid(replace(dancer(), rig=replace(HUMANOID_RIG, rest_wxyz=arms_down)))
