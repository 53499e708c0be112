from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from fractions import Fraction

import any_motions
import numpy as np
import pytest
from foreign_readers import READERS, y_up
from fuzzing import assert_survives, example
from hypothesis import given
from hypothesis import strategies as st
from pxr import Gf, Usd, UsdGeom, UsdSkel

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import Material, SkinnedMesh, deform
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import split, together
from mocap3d.base.rotations import wxyz_angle
from mocap3d.output.usd import UsdProcess, process, read_usd, write_usd


def prism(rig):
    """A tube from each joint to its parent, that follows both."""
    rest_m, _ = rest_pose(rig)
    edges = rig.skeleton.edges
    corners = np.array([[0.02, 0, 0], [-0.02, 0, 0.02], [-0.02, 0, -0.02]])
    points = [rest_m[joint] + corner for edge in edges for joint in edge for corner in corners]
    joints = [[*edge[:: 1 if near else -1], 0, 0] for edge in edges for near in (True, False) for _ in range(3)]
    ring = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4], [2, 0, 3], [2, 3, 5]])
    triangles = np.concatenate([ring + 6 * n for n in range(len(edges))])
    return SkinnedMesh(
        name="Körper 1",
        vertices_m=np.array(points),
        normals=np.tile([0.0, 0, 1], (len(points), 1)),
        triangles=triangles,
        joints=np.array(joints),
        weights=np.tile([0.75, 0.25, 0, 0], (len(points), 1)),
        materials=(Material(name="skin", rgb=(0.8, 0.6, 0.5)), Material(name="skin", rgb=(0, 0, 1))),
        material=np.arange(len(triangles)) % 2,
    )


def as_usd_skel_has_it(path, frame):
    """Joint names, places, and the skinned points of the first mesh, as OpenUSD computes them."""
    stage = Usd.Stage.Open(str(path))
    skeleton = next(UsdSkel.Skeleton(prim) for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton))
    cache = UsdSkel.Cache()
    query = cache.GetSkelQuery(skeleton)
    xforms = query.ComputeJointSkelTransforms(frame)
    places = np.array([matrix.ExtractTranslation() for matrix in xforms])
    meshes = [UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    points = None
    if meshes:
        root = UsdSkel.Root.Find(meshes[0].GetPrim())
        cache.Populate(root, Usd.PrimDefaultPredicate)
        points = meshes[0].GetPointsAttr().Get()
        assert cache.GetSkinningQuery(meshes[0].GetPrim()).ComputeSkinnedPoints(
            query.ComputeSkinningTransforms(frame), points, frame
        )
    return list(skeleton.GetJointNamesAttr().Get()), places, None if points is None else np.array(points), stage


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usdz"])
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_openusd_puts_joints_and_skin_where_we_do(suffix, which, request, tmp_path):
    """Catches transposed matrices, xyzw taken for wxyz, a bind pose that is not the rest pose, weights mixed up."""
    motion = request.getfixturevalue(which)
    path, mesh = tmp_path / f"motion{suffix}", prism(motion.rig)
    write_usd(motion, path, mesh=mesh)
    world_m, skin_m = forward(motion)[0], deform(mesh, motion)
    for frame in (0, 17, 59):
        names, places, points, stage = as_usd_skel_has_it(path, frame)
        assert names == list(motion.rig.skeleton.joint_names)
        np.testing.assert_allclose(places, world_m[frame], atol=1e-5)
        np.testing.assert_allclose(points, skin_m[frame], atol=1e-5)
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 59)
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1


@pytest.mark.parametrize("fps", ["24000/1001", "24", "25", "30000/1001", "30", "60000/1001", "60", "120", "25/3"])
def test_reading_gives_back_what_was_written(fps, rested_motion, tmp_path):
    """Catches a frame rate that is nearly right, names that became identifiers, and a rest pose that is lost."""
    names = tuple(f"mixamorig:{name} é-{n}" for n, name in enumerate(rested_motion.rig.skeleton.joint_names))
    rig = replace(rested_motion.rig, skeleton=replace(rested_motion.rig.skeleton, joint_names=names), tips=())
    motion = replace(rested_motion, rig=rig, fps=Fraction(fps))
    write_usd(motion, tmp_path / "a.usda")
    found = read_usd(tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == float(Fraction(fps))
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, len(motion) - 1)
    assert (found.fps, len(found)) == (Fraction(fps), len(motion))
    assert found.rig.skeleton.joint_names == names
    assert found.rig.skeleton.parents == rig.skeleton.parents
    assert found.local_m is None
    np.testing.assert_allclose(forward(found)[0], forward(motion)[0], atol=1e-5)
    np.testing.assert_allclose(rest_pose(found.rig)[0], rest_pose(rig)[0], atol=1e-6)


def test_several_people_and_moving_joints(wild_motion, tmp_path):
    """Catches a synthetic root that is written, and people who stand in each other."""
    one = replace(wild_motion, contacts=None)
    both = together({"a": one, "b": replace(one, root_m=one.root_m + [1.0, 0, 2])})
    write_usd(both, tmp_path / "both.usdc", mesh=prism(both.rig))
    names, places, _, _ = as_usd_skel_has_it(tmp_path / "both.usdc", 30)
    assert names[0] == "a:hips"
    np.testing.assert_allclose(places, forward(both)[0][30, 1:], atol=1e-5)
    found = split(read_usd(tmp_path / "both.usdc"))
    assert list(found) == ["a", "b"]
    np.testing.assert_allclose(forward(found["b"])[0], forward(one)[0] + [1.0, 0, 2], atol=1e-5)


def test_one_joint_one_frame(wild_motion, tmp_path):
    """Catches a still file that has no time sample, and a skeleton without bones."""
    skeleton = replace(wild_motion.rig.skeleton, joint_names=("only",), parents=(-1,), mirror=(0,))
    rig = replace(wild_motion.rig, skeleton=skeleton, offsets_m=[[0, 1.0, 0]], rest_wxyz=[[1.0, 0, 0, 0]], tips=())
    motion = Motion(rig=rig, fps=Fraction(30), local_wxyz=[[[0.0, 1, 0, 0]]], root_m=[[1.0, 2, 3]])
    write_usd(motion, tmp_path / "a.usda")
    found = read_usd(tmp_path / "a.usda")
    assert len(found) == 1
    np.testing.assert_allclose(found.root_m, [[1, 2, 3]], atol=1e-6)


def test_other_units_and_axes_are_converted(wild_motion, tmp_path):
    """Catches people of a hundred metres, and people who lie on their backs."""
    write_usd(wild_motion, tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    root = UsdGeom.Xformable(stage.GetPrimAtPath("/Character"))
    # From metres, +Y up, to centimetres, +Z up: (x, y, z) -> (x, -z, y).
    root.AddTransformOp().Set(Gf.Matrix4d(100, 0, 0, 0, 0, 0, 100, 0, 0, -100, 0, 0, 500, 0, 0, 1))
    stage.GetRootLayer().Save()
    found = read_usd(tmp_path / "a.usda")
    np.testing.assert_allclose(forward(found)[0], forward(wild_motion)[0] + [5, 0, 0], atol=1e-5)


def test_files_that_hold_no_skeleton_are_refused(tmp_path):
    """Catches a traceback of another library, and a motion made of nothing."""
    for name, text in (("no.usda", "hello"), ("empty.usda", ""), ("none.usda", '#usda 1.0\ndef Xform "a" {}\n')):
        (tmp_path / name).write_text(text)
        with pytest.raises(FileFormatError):
            read_usd(tmp_path / name)
    with pytest.raises(InputError, match="there is no file"):
        read_usd(tmp_path / "missing.usda")


def test_other_extensions_are_refused(wild_motion, tmp_path):
    """Catches a file that no program opens."""
    with pytest.raises(InputError, match="USD files end in"):
        write_usd(wild_motion, tmp_path / "a.bvh")
    assert not list(tmp_path.iterdir())


def test_scaled_joints_are_refused(wild_motion, tmp_path):
    """Catches limbs that come out shorter than they are."""
    write_usd(wild_motion, tmp_path / "a.usda")
    text = (tmp_path / "a.usda").read_text().replace("half3[] scales = [(1, 1, 1)", "half3[] scales = [(2, 1, 1)")
    (tmp_path / "b.usda").write_text(text)
    with pytest.raises(FileFormatError, match="scaled"):
        read_usd(tmp_path / "b.usda")


def test_a_time_that_never_ends_is_refused(wild_motion, tmp_path):
    """Catches a reader that counts to 10^18 because one key says so."""
    write_usd(wild_motion, tmp_path / "a.usda")
    text = (tmp_path / "a.usda").read_text().replace("59: [", "1000000000000000000: [")
    (tmp_path / "b.usda").write_text(text)
    with pytest.raises(FileFormatError, match="time codes apart"):
        read_usd(tmp_path / "b.usda")


def test_uneven_keys_are_read_at_every_time_code(wild_motion, tmp_path):
    """Catches frames that take as long as the gap between two keys."""
    write_usd(wild_motion, tmp_path / "a.usda")
    lines = (tmp_path / "a.usda").read_text().splitlines(keepends=True)
    (tmp_path / "b.usda").write_text("".join(line for line in lines if not line.lstrip().startswith(("7: [", "8: ["))))
    found = read_usd(tmp_path / "b.usda")
    assert (len(found), found.fps) == (60, wild_motion.fps)
    np.testing.assert_allclose(forward(found)[0][9:], forward(wild_motion)[0][9:], atol=1e-5)


@given(any_motions.motions(), st.sampled_from([".usda", ".usdc"]))
def test_what_is_written_is_read(reader, tmp_path_factory, motion, suffix):
    """Catches any rig, name, rotation, rate or number of frames that does not come back."""
    path = tmp_path_factory.mktemp("usd") / f"any{suffix}"
    write_usd(motion, path)
    back = reader.read(path)
    assert back.rig.skeleton.joint_names == motion.rig.skeleton.joint_names
    assert back.rig.skeleton.parents == motion.rig.skeleton.parents
    assert (back.fps, len(back)) == (motion.fps, len(motion))
    np.testing.assert_allclose(rest_pose(back.rig)[0], rest_pose(motion.rig)[0], atol=1e-9)
    assert wxyz_angle(back.rig.rest_wxyz, motion.rig.rest_wxyz).max() < 1e-7
    assert wxyz_angle(back.local_wxyz, motion.local_wxyz).max() < 1e-6
    np.testing.assert_allclose(forward(back)[0], forward(motion)[0], atol=1e-5)
    if motion.local_m is None:
        assert back.local_m is None


@pytest.fixture(scope="module")
def reader():
    """One process for many files."""
    with UsdProcess() as process:
        yield process


@pytest.mark.parametrize("suffix", [".usda", ".usdc"])
def test_two_thousand_damaged_files_are_read_or_refused(suffix, tmp_path):
    """Catches foreign exceptions, and a crash or an endless loop of OpenUSD that ends or stops the program."""
    write_usd(example(3), tmp_path / f"a{suffix}")
    with UsdProcess(seconds=2) as process:
        assert_survives(process.read, [tmp_path / f"a{suffix}"], tmp_path, 1000)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX's")
@pytest.mark.parametrize("harm", ["os.abort()", "bytearray(2**40)", "[0 for _ in iter(int, 1)]", "exit()"])
def test_what_happens_to_the_process_does_not_happen_to_the_program(harm, wild_motion, tmp_path, monkeypatch):
    """Catches a crash that takes the caller along, a loop without end, memory without bound, and a dead process that
    is asked again.
    """
    write_usd(wild_motion, tmp_path / "a.usda")
    (tmp_path / "bad.usda").write_text("harm")
    start = (
        "import sys, os; sys.path[:] = sys.argv[1:]; from mocap3d.output.usd import worker; read = worker.read_stage;"
        f"worker.read_stage = lambda path: read(path) if path.endswith('a.usda') else {harm}; worker.serve()"
    )
    monkeypatch.setattr(process, "_START", start)
    with UsdProcess(seconds=0.5) as reader:
        for _ in range(2):
            with pytest.raises(FileFormatError, match=r"crashed over it|broken USD file"):
                reader.read(tmp_path / "bad.usda")
            assert len(reader.read(tmp_path / "a.usda")) == len(wild_motion)


def test_nothing_is_left_behind(wild_motion, tmp_path, monkeypatch):
    """Catches processes and temporary files that outlive the reading."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    write_usd(wild_motion, tmp_path / "a.usda")
    with UsdProcess() as reader:
        reader.read(tmp_path / "a.usda")
        running = reader._process
    assert running is not None
    assert running.poll() is not None
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.blender
@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usdz"])
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_blender_puts_joints_and_vertices_where_we_do(suffix, which, request, blender_python, tmp_path):
    """Catches a file that only OpenUSD understands: another bind pose, a lost rate, a skin that tears."""
    motion = request.getfixturevalue(which)
    body, path, out = prism(motion.rig), tmp_path / f"a{suffix}", tmp_path / "out.json"
    write_usd(motion, path, mesh=body)
    script = READERS / "read_usd_with_blender.py"
    subprocess.run([blender_python, script, path, out], check=True, capture_output=True)
    theirs = json.loads(out.read_text())
    # Blender names bones after the last part of their paths, and lists them depth first.
    order = [theirs["names"].index(name) for name in motion.rig.skeleton.joint_names]
    assert theirs["frames"] == len(motion)
    np.testing.assert_allclose(y_up(np.array(theirs["xyz"]))[:, order], forward(motion)[0], atol=1e-5)
    np.testing.assert_allclose(y_up(np.array(theirs["vertices"])), deform(body, motion), atol=1e-5)
