"""What stands in an FBX that we write, read record by record."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fbx_readers import read_with_ufbx, tube
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.mesh import SkinnedMesh
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import SEVERAL_ROOTS, Skeleton
from mocap3d.output.fbx import read_fbx, write_fbx
from mocap3d.output.fbx.parse import parse_records
from mocap3d.output.fbx.times import RATES, TICKS_PER_S, frame_ticks, time_mode


def rig_of(names, parents, offsets_m):
    """A rig without rest rotations."""
    skeleton = Skeleton(name="rig", joint_names=names, parents=parents, mirror=tuple(range(len(names))))
    rest_wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (len(names), 1))
    return Rig(skeleton=skeleton, offsets_m=np.array(offsets_m, dtype=float), rest_wxyz=rest_wxyz)


def spinning(rig, degrees, fps=Fraction(30), axis=(0, 1, 0)):
    """The root turns about an axis by so many degrees, frame by frame; nothing else moves."""
    turns = Rotation.from_rotvec(np.deg2rad(degrees)[:, None] * np.array(axis, dtype=float))
    local_wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (len(degrees), len(rig.skeleton), 1))
    local_wxyz[:, 0] = turns.as_quat(scalar_first=True)
    root_m = np.tile(rig.offsets_m[0], (len(degrees), 1))
    return Motion(rig=rig, fps=fps, local_wxyz=local_wxyz, root_m=root_m)


def objects_of(path, kind):
    """The records of one kind of objects."""
    top = {record.name: record for record in parse_records(path.read_bytes(), "")}
    return [record for record in top["Objects"].children if record.name == kind]


def rows_of(record):
    """Properties of a record: name -> values."""
    rows = next(child for child in record.children if child.name == "Properties70")
    return {row.values[0]: row.values[4:] for row in rows.children}


def settings_of(path):
    """The global settings."""
    top = {record.name: record for record in parse_records(path.read_bytes(), "")}
    return rows_of(top["GlobalSettings"])


def test_the_same_motion_gives_the_same_bytes(wild_motion, tmp_path):
    """Catches ids from memory addresses, and the time of day in a file."""
    for name in ("a.fbx", "b.fbx"):
        write_fbx(wild_motion, tmp_path / name, mesh=tube(wild_motion.rig))
    assert (tmp_path / "a.fbx").read_bytes() == (tmp_path / "b.fbx").read_bytes()


def test_bones_at_rest_have_no_rotation_of_their_own(rested_motion, tmp_path):
    """Catches a rest rotation in Lcl Rotation, where retargeters take it for movement."""
    rig = rested_motion.rig
    at_rest = Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])
    path = tmp_path / "rest.fbx"
    write_fbx(at_rest, path)
    for record, wxyz in zip(objects_of(path, "Model"), rig.rest_wxyz, strict=True):
        rows = rows_of(record)
        assert rows["InheritType"] == (1,)
        assert rows["Lcl Rotation"] == (0.0, 0.0, 0.0)
        pre = Rotation.from_euler("xyz", rows["PreRotation"], degrees=True)  # lower case: about axes that stay
        np.testing.assert_allclose(pre.as_matrix(), Rotation.from_quat(wxyz, scalar_first=True).as_matrix(), atol=1e-14)
    rotations = [r for r in objects_of(path, "AnimationCurveNode") if r.values[1].startswith("R\x00")]
    assert len(rotations) == len(rig.skeleton)
    for record in rotations:
        np.testing.assert_allclose([row[0] for row in rows_of(record).values()], 0, atol=1e-5)


@pytest.mark.parametrize(
    ("fps", "mode"),
    [("24000/1001", 13), (24, 11), (25, 10), ("30000/1001", 9), (30, 6), (50, 4), ("60000/1001", 17), (60, 3), (120, 1)]
    + [(48, 5), (72, 16), (96, 15), (100, 2), (1000, 12), ("120000/1001", 14), ("143/7", 14), (23, 14)],
)
def test_every_rate_is_kept(fps, mode, wild_motion, tmp_path):
    """Catches a rate as a rounded decimal, or under the number of another."""
    path = tmp_path / "motion.fbx"
    write_fbx(replace(wild_motion, fps=Fraction(fps)), path)
    settings = settings_of(path)
    assert settings["TimeMode"] == (mode,)
    assert settings["CustomFrameRate"] == (float(Fraction(fps)),)
    assert read_fbx(path).fps == Fraction(fps)
    assert len(read_fbx(path)) == len(wild_motion)


def test_times_of_frames_are_exact():
    """Catches ticks that add up a rounded period, and whole numbers that overflow in long clips."""
    for fps in (*RATES.values(), Fraction(143, 7), Fraction(10**6 - 1, 10**6)):
        frames = 100_000
        ticks = frame_ticks(frames, fps)
        for n in (0, 1, 2, 12_345, frames - 1):
            assert abs(Fraction(int(ticks[n])) - n * TICKS_PER_S / fps) <= Fraction(1, 2)
    assert time_mode(Fraction(30)) == 6


def test_angles_do_not_jump_and_long_spins_keep_their_precision(tmp_path):
    """Catches a jump from 180 to -180 degrees, and a dancer whose angles grow until float32 cannot hold them."""
    rig = rig_of(("hips", "hand"), (-1, 0), [(0, 1, 0), (1, 0, 0)])
    motion = spinning(rig, np.arange(4000) * 11.3)  # 125 turns
    path = tmp_path / "spin.fbx"
    write_fbx(motion, path)
    curves = [[child.values[0] for child in record.children] for record in objects_of(path, "AnimationCurve")]
    longest = max(curves, key=lambda curve: np.ptp(curve[3]))
    assert np.abs(longest[3]).max() <= 3611.3
    jumps = np.flatnonzero(np.abs(np.diff(longest[3])) > 12)
    assert len(jumps) == 12
    flags = np.repeat(longest[4], longest[6])
    assert set(np.flatnonzero(flags == 2)) == set(jumps)  # held until the turns are taken back
    assert set(flags) == {2, 4}
    found = read_with_ufbx(path, 4000, 30.0)
    xyz_m = np.array(found["matrices"])[..., :3, 3] * 0.01
    np.testing.assert_allclose(xyz_m, forward(motion)[0], atol=1e-5)
    np.testing.assert_allclose(forward(read_fbx(path))[0], forward(motion)[0], atol=1e-5)


def test_a_far_away_joint_is_written_with_a_warning(tmp_path):
    """Catches a body at the other end of a city whose keys are silently rounded to a centimetre."""
    rig = rig_of(("hips",), (-1,), [(0, 1, 0)])
    near = replace(spinning(rig, np.zeros(2)), root_m=np.full((2, 3), 159.0))
    write_fbx(near, tmp_path / "near.fbx")
    np.testing.assert_allclose(read_fbx(tmp_path / "near.fbx").root_m, near.root_m, atol=1e-5)
    with pytest.warns(Mocap3dWarning, match="nearer to the origin"):
        write_fbx(replace(near, root_m=np.full((2, 3), 2000.0)), tmp_path / "far.fbx")


def test_several_roots_stand_side_by_side(tmp_path):
    """Catches the synthetic root written as a bone, or what it does lost."""
    rig = rig_of((SEVERAL_ROOTS, "a", "b", "c"), (-1, 0, 0, 2), [(0, 1, 0), (1, 0, 0), (2, 0, 0), (0, 0, 1)])
    motion = spinning(rig, np.array([0.0, 40.0, 90.0]))
    path = tmp_path / "several.fbx"
    write_fbx(motion, path)
    found = read_with_ufbx(path, 3, 30.0)
    assert sorted(found["names"]) == ["a", "b", "c"]
    assert [found["parents"][found["names"].index(name)] for name in "abc"] == ["", "", "b"]
    order = [found["names"].index(name) for name in "abc"]
    xyz_m = np.array(found["matrices"])[:, order][..., :3, 3] * 0.01
    np.testing.assert_allclose(xyz_m, forward(motion)[0][:, 1:], atol=1e-6)
    back = read_fbx(path)
    assert back.rig.skeleton.joint_names == (SEVERAL_ROOTS, "a", "b", "c")
    np.testing.assert_allclose(forward(back)[0][:, 1:], forward(motion)[0][:, 1:], atol=1e-6)


def test_inner_joints_that_move_have_places_over_time(wild_motion, tmp_path):
    """Catches a file whose inner joints move flattened to bones of one length, and curves for joints that do not."""
    local_m = np.tile(wild_motion.rig.offsets_m, (len(wild_motion), 1, 1))
    local_m[:, 4] += np.linspace(0, 0.3, len(local_m))[:, None]
    motion = replace(wild_motion, local_m=local_m)
    path = tmp_path / "stretch.fbx"
    write_fbx(motion, path)
    kinds = [record.values[1][0] for record in objects_of(path, "AnimationCurveNode")]
    assert kinds.count("T") == 2
    np.testing.assert_allclose(forward(read_fbx(path))[0], forward(motion)[0], atol=1e-6)


@pytest.mark.parametrize("unit_m", [0.01, 1.0])
def test_what_travels_does_not_rest_on_the_axis_of_its_parent(unit_m, tmp_path):
    """Catches a joint that Blender ties to its parent, whose way it then leaves out; others rest where they rest."""
    rig = rig_of(("root", "hips", "chest"), (-1, 0, 1), [[0, 0, 0], [0, 0.9, 0], [0, 0.5, 0]])
    motion = spinning(rig, np.zeros(3))
    local_m = np.tile(rig.offsets_m, (3, 1, 1))
    local_m[:, 1, 1] += [0.0, -0.03, -0.05]
    motion = replace(motion, local_m=local_m)
    write_fbx(motion, tmp_path / "motion.fbx", unit_m=unit_m)
    made = read_fbx(tmp_path / "motion.fbx")
    aside_m = np.linalg.norm(made.rig.offsets_m - rig.offsets_m, axis=1)
    np.testing.assert_allclose(aside_m, [0, 0.002 * unit_m, 0], atol=1e-9)
    np.testing.assert_allclose(forward(made)[0], forward(motion)[0], atol=1e-6)


def test_tips_are_bones_when_asked_for(rested_motion, tmp_path):
    """Catches tips in the world instead of at the end of their bone, and tips that nobody asked for."""
    rig = rested_motion.rig
    for tips in (False, True):
        write_fbx(rested_motion, tmp_path / "tips.fbx", tips=tips)
        back = read_fbx(tmp_path / "tips.fbx")
        assert len(back.rig.skeleton) == len(rig.skeleton) + tips * len(rig.tips)
    ends = [back.rig.skeleton.index(tip.name) for tip in rig.tips]
    np.testing.assert_allclose(forward(back)[0][:, ends], tip_positions(rested_motion), atol=1e-5)
    taken = replace(rig, tips=(replace(rig.tips[0], name="hips"),))
    with pytest.raises(InputError, match="name of another bone"):
        write_fbx(replace(rested_motion, rig=taken), tmp_path / "taken.fbx", tips=True)


@pytest.mark.parametrize("unit_m", [1.0, 0.01, 0.0254])
def test_the_unit_is_what_the_file_says(unit_m, rested_motion, tmp_path):
    """Catches numbers in centimetres in a file that says metres, for joints, mesh or bind pose."""
    mesh = tube(rested_motion.rig)
    path = tmp_path / "unit.fbx"
    write_fbx(rested_motion, path, mesh=mesh, unit_m=unit_m)
    found = read_with_ufbx(path, 2, float(rested_motion.fps))
    assert found["unit_m"] == pytest.approx(unit_m)
    order = [found["names"].index(name) for name in rested_motion.rig.skeleton.joint_names]
    xyz_m = np.array(found["matrices"])[:, order][..., :3, 3] * unit_m
    np.testing.assert_allclose(xyz_m, forward(rested_motion)[0][:2], atol=1e-5)
    np.testing.assert_allclose(np.array(found["skins"][0]["vertices"]) * unit_m, mesh.vertices_m, atol=1e-12)


@pytest.mark.parametrize("names", [("mixamorig:Hips", "Left-Arm", "Arm of me", "Ärmel", "腕", "a.b/c", "🦴" * 30)])
def test_names_are_kept(names, tmp_path):
    """Catches a name cut at a colon, a blank or a letter beyond ASCII, by us or by ufbx."""
    rig = rig_of(names, (-1, *range(len(names) - 1)), np.ones((len(names), 3)))
    path = tmp_path / "names.fbx"
    write_fbx(spinning(rig, np.zeros(2)), path)
    assert read_with_ufbx(path)["names"] == list(names)
    assert read_fbx(path).rig.skeleton.joint_names == names


def test_what_cannot_be_written_is_refused(wild_motion, tmp_path):
    """Catches a version or unit that makes a broken file, names that no reader gets back, a mesh for another rig."""
    path = tmp_path / "no.fbx"
    for options in ({"version": 6100}, {"unit_m": 0.0}, {"unit_m": float("inf")}):
        with pytest.raises(InputError):
            write_fbx(wild_motion, path, **options)
    for name in ("", "a\x00\x01b", "\ud800"):
        rig = rig_of(("hips", name), (-1, 0), np.ones((2, 3)))
        with pytest.raises(InputError):
            write_fbx(spinning(rig, np.zeros(2)), path)
    small = rig_of(("hips",), (-1,), np.ones((1, 3)))
    with pytest.raises(InputError, match="the rig has 1"):
        write_fbx(spinning(small, np.zeros(2)), path, mesh=tube(wild_motion.rig))
    several = rig_of((SEVERAL_ROOTS, "a", "b"), (-1, 0, 0), np.ones((3, 3)))
    with pytest.raises(InputError, match="synthetic root"):
        write_fbx(spinning(several, np.zeros(2)), path, mesh=tube(several))
    assert list(tmp_path.iterdir()) == []


def test_one_material_and_many(wild_motion, tmp_path):
    """Catches polygons that lose their material, or all of them in the last one's colour."""
    two = tube(wild_motion.rig)
    one = SkinnedMesh(
        **{name: getattr(two, name) for name in ("name", "vertices_m", "normals", "triangles", "joints", "weights")},
        materials=two.materials[:1],
        material=np.zeros(len(two.triangles)),
    )
    for mesh in (one, two):
        path = tmp_path / "mesh.fbx"
        write_fbx(wild_motion, path, mesh=mesh)
        assert [rows_of(record)["DiffuseColor"] for record in objects_of(path, "Material")] == [
            material.rgb for material in mesh.materials
        ]
        (geometry,) = objects_of(path, "Geometry")
        layer = next(child for child in geometry.children if child.name == "LayerElementMaterial")
        (which,) = next(child.values for child in layer.children if child.name == "Materials")
        np.testing.assert_array_equal(which, [0] if mesh is one else mesh.material)


def test_a_long_clip_takes_little_memory(tmp_path):
    """Catches all curves of a clip computed before the first is written."""
    frames, joints = 20_000, 20
    rig = rig_of(tuple(f"j{n}" for n in range(joints)), tuple(range(-1, joints - 1)), np.ones((joints, 3)))
    motion = spinning(rig, np.linspace(0, 700, frames))
    tracemalloc.start()
    write_fbx(motion, tmp_path / "long.fbx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < frames * 8 * 60  # one joint: 4 numbers for its turns, 3 angles, and what computing them takes
