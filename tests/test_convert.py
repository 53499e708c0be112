"""`mocap3d convert`: what it writes, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from videos import run

from mocap3d import output
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.mesh import deform
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import split
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeleton import Skeleton


@pytest.fixture
def walker(tmp_path):
    """A second of somebody who slides along and turns the head, as BVH."""
    wxyz = np.tile([1.0, 0, 0, 0], (30, 22, 1))
    angle = np.linspace(0, 1, 30) / 2
    wxyz[:, HUMANOID_RIG.skeleton.index("head")] = np.column_stack([np.cos(angle), 0 * angle, np.sin(angle), 0 * angle])
    root_m = np.column_stack([np.linspace(1, 2, 30), np.full(30, 0.9), np.linspace(0, 3, 30)])
    motion = Motion(rig=HUMANOID_RIG, fps=Fraction(30), local_wxyz=wxyz, root_m=root_m)
    output.write(motion, tmp_path / "walk.bvh")
    output.write(motion, tmp_path / "walk.npz")
    return motion


def converted(capsys, *arguments):
    """Run it; it must succeed. Returns what it printed."""
    code, printed, errors = run(capsys, "convert", *arguments)
    assert code == 0, errors
    return printed


def test_one_file(walker, tmp_path, capsys):
    """Catches a file that is another than was asked for, and a path that is not printed."""
    printed = converted(capsys, tmp_path / "walk.bvh", tmp_path / "walk.glb", "--mesh", "--preset", "mixamo")
    assert printed.split() == [str(tmp_path / "walk.glb")]
    found = output.read(tmp_path / "walk.glb")
    assert "mixamorig:LeftArm" in found.rig.skeleton.joint_names


def test_edits(walker, tmp_path, capsys):
    """Catches a range in the wrong unit, a rate that stretches time, and a path that is still walked."""
    source, target = tmp_path / "walk.bvh", tmp_path / "a.bvh"
    converted(capsys, source, target, "--trim", "0.5s:25")
    np.testing.assert_allclose(output.read(target).root_m, walker.root_m[15:25], atol=1e-6)
    converted(capsys, source, target, "--fps", "23.976")
    found = output.read(target)
    assert found.fps == Fraction(24000, 1001)
    assert found.root_m[12, 0] == pytest.approx(np.interp(12 * 1001 / 24000, np.arange(30) / 30, walker.root_m[:, 0]))
    converted(capsys, source, target, "--in-place")
    assert not output.read(target).root_m[:, ::2].any()
    converted(capsys, source, target, "--output-unit", "0.01")
    np.testing.assert_allclose(output.read(target).root_m, 100 * walker.root_m, atol=1e-4)
    converted(capsys, target, tmp_path / "b.bvh", "--unit", "0.01")
    np.testing.assert_allclose(output.read(tmp_path / "b.bvh").root_m, walker.root_m, atol=1e-6)


def test_several_people(walker, tmp_path, capsys):
    """Catches people who are lost on the way, and file names that lead into other folders."""
    two = {"Ann": walker, "../Bob": replace(walker, root_m=walker.root_m + [0.0, 0, 5])}
    output.write(two, tmp_path / "two.fbx")
    names = converted(capsys, tmp_path / "two.fbx", tmp_path / "each.bvh").split()
    assert names == [str(tmp_path / "each-Ann.bvh"), str(tmp_path / "each-___Bob.bvh")]
    np.testing.assert_allclose(output.read(names[1]).root_m[:, 2], walker.root_m[:, 2] + 5, atol=1e-5)
    assert converted(capsys, tmp_path / "two.fbx", tmp_path / "all.glb", "--together").split() == [
        str(tmp_path / "all.glb")
    ]
    assert list(split(output.read(tmp_path / "all.glb"))) == ["Ann", "../Bob"]


@pytest.mark.parametrize(("one", "other"), [(".fbx", ".glb"), (".glb", ".fbx")])
def test_a_character_keeps_its_body(one, other, walker, tmp_path, capsys):
    """Catches a mesh that is lost, or follows other joints, on the way into another format."""
    from mocap3d.output.fbx import read_fbx_character
    from mocap3d.output.gltf import read_glb_character

    readers = {".fbx": read_fbx_character, ".glb": read_glb_character}
    output.write(walker, tmp_path / f"a{one}", mesh=True)
    converted(capsys, tmp_path / f"a{one}", tmp_path / f"b{other}", "--trim", "10:20")
    _, before, motion = readers[one](tmp_path / f"a{one}")
    _, after, cut = readers[other](tmp_path / f"b{other}")
    before_m, after_m = deform(before, motion)[10:20], deform(after, cut)
    far = [np.linalg.norm(after_m - before_m[:, v, None], axis=-1).max(axis=0).min() for v in range(0, 2000, 97)]
    assert max(far) < 1e-5
    code, _, errors = run(capsys, "convert", tmp_path / f"a{one}", tmp_path / "c.bvh")
    assert code == 0
    assert "mesh of" in errors


def test_nobody_overwrites_anybody(walker, tmp_path, capsys):
    """Catches a person or a file that is gone because another has the same name on disk."""
    output.write({"A.B": walker, "A_B": walker}, tmp_path / "a.fbx")
    code, printed, errors = run(capsys, "convert", tmp_path / "a.fbx", tmp_path / "c.bvh")
    assert (code, printed) == (1, "")
    assert "would be written twice" in errors
    output.write({"Ann": walker, "Bob": walker}, tmp_path / "walk.fbx")
    output.write(walker, tmp_path / "walk-Ann.fbx")
    sources = [tmp_path / "walk.fbx", tmp_path / "walk-Ann.fbx"]
    code, _, errors = run(capsys, "convert", *sources, tmp_path / "out", "--to", "bvh")
    assert code == 1
    assert "walk-Ann.bvh would be written twice" in errors


def test_up(walker, tmp_path, capsys):
    """Catches a body that lies down because nobody could say which axis points up."""
    output.write(walker, tmp_path / "z.bvh", up="Z")
    code, _, errors = run(capsys, "convert", tmp_path / "z.bvh", tmp_path / "a.glb", "--preset", "unity")
    assert code == 1
    assert "hips to head points elsewhere" in errors
    converted(capsys, tmp_path / "z.bvh", tmp_path / "a.glb", "--up", "Z", "--preset", "unity")
    np.testing.assert_allclose(output.read(tmp_path / "a.glb").root_m, walker.root_m, atol=1e-5)


def test_a_folder_of_files(walker, tmp_path, capsys):
    """Catches a batch that stops at the first bad file, or does not say which it was."""
    (tmp_path / "broken.bvh").write_text("nothing")
    output.write(walker, tmp_path / "more.fbx")
    sources = [tmp_path / name for name in ("walk.bvh", "broken.bvh", "more.fbx")]
    code, printed, errors = run(capsys, "convert", *sources, tmp_path / "out", "--to", "usda", "--json")
    assert code == 1
    assert [list(one) for one in json.loads(printed)] == [["source", "files"], ["source", "error"], ["source", "files"]]
    assert "broken.bvh" in errors
    assert "1 of 3 files failed" in errors
    found = output.read(tmp_path / "out" / "more.usda")
    np.testing.assert_allclose(forward(found)[0], forward(walker)[0], atol=1e-5)


def test_points_that_are_joints_become_a_motion(walker, tmp_path, capsys):
    """Catches points of a body that lead nowhere, a body of another size, and markers that are taken for joints."""
    truth_m, _ = forward(walker)
    converted(capsys, tmp_path / "walk.bvh", tmp_path / "a.c3d")
    converted(capsys, tmp_path / "a.c3d", tmp_path / "a.trc")
    for source in ("a.c3d", "a.trc"):
        code, _, errors = run(capsys, "convert", tmp_path / source, tmp_path / "b.bvh")
        assert code == 0, errors
        assert "a body was measured on them" in errors
        found = output.read(tmp_path / "b.bvh")
        index = found.rig.skeleton.index
        found_m = forward(found)[0][:, [index(name) for name in walker.rig.skeleton.joint_names]]
        assert np.median(np.linalg.norm(found_m - truth_m, axis=-1)) < 0.01


def test_points_that_are_no_joints_stay_points(tmp_path, capsys):
    """Catches markers that are taken for a body."""
    skeleton = Skeleton(name="wand", joint_names=("tip", "end"), parents=(-1, 0), mirror=(0, 1))
    ones = np.ones((5, 2))
    wand = Pose3D(
        xyz_m=np.ones((5, 2, 3)),
        confidence=ones,
        std_m=ones,
        views=ones,
        fps=Fraction(30),
        skeleton=skeleton,
        frame="world",
    )
    output.write(wand, tmp_path / "wand.csv")
    code, _, errors = run(capsys, "convert", tmp_path / "wand.csv", tmp_path / "b.bvh")
    assert code == 1
    assert "do not make a body" in errors


def test_points_are_edited_like_motions(walker, tmp_path, capsys):
    """Catches points that cannot be cut, keep walking, or come at another time than the motion that they follow."""
    converted(capsys, tmp_path / "walk.npz", tmp_path / "a.c3d")
    for arguments in (["--trim", "0.5s:25"], ["--fps", "59.94"], ["--in-place"], ["--trim", "3:", "--fps", "24"]):
        converted(capsys, tmp_path / "a.c3d", tmp_path / "a.csv", *arguments)
        converted(capsys, tmp_path / "walk.npz", tmp_path / "b.csv", *arguments)
        found, expected = (output.read(tmp_path / name) for name in ("a.csv", "b.csv"))
        assert found.fps == expected.fps
        hips = found.skeleton.index("hips")
        assert hips == expected.skeleton.index("hips")
        np.testing.assert_allclose(found.xyz_m[:, hips], expected.xyz_m[:, hips], atol=2e-6)
    code, _, errors = run(capsys, "convert", tmp_path / "a.c3d", tmp_path / "a.trc", "--trim", "20:40")
    assert code == 1
    assert "not within 0:30" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["walk.bvh"], 2, "what to read, and what to write"),
        (["walk.bvh", "a.xyz"], 1, "unknown extension"),
        (["missing.bvh", "a.glb"], 1, "missing.bvh"),
        (["walk.bvh", "no/such/a.glb"], 1, "no folder"),
        (["walk.bvh", "walk.bvh", "out", "--to", "glb"], 1, "rename one"),
        (["walk.bvh", "walk.bvh", "out.glb"], 2, "--to says the format"),
        (["walk.bvh", "out", "--to", "xyz"], 2, "--to takes one of"),
        (["walk.bvh", "a.glb", "--preset", "quake"], 1, "no preset is called 'quake'"),
        (["walk.bvh", "a.glb", "--trim", "5:2"], 1, "not within"),
        (["walk.bvh", "a.glb", "--trim", "a"], 2, "START:STOP"),
        (["walk.bvh", "a.glb", "--fps", "0"], 2, "frame rate must be above 0"),
        (["walk.bvh", "a.trc", "--mesh"], 1, "no option mesh"),
        (["walk.npz", "a.bvh", "--unit", "0.01"], 1, "--unit is for files that do not say"),
        (["walk.npz", "a.bvh", "--up", "Z"], 1, "--up is for files that do not say"),
        (["walk.bvh", "a.bvh", "--up", "Q"], 2, "--up takes one of Y, Z"),
        (["walk.bvh", "./walk.bvh"], 1, "would overwrite the file that is read"),
        (["walk.bvh", ".", "--to", "bvh"], 1, "would overwrite the file that is read"),
        (["walk.bvh", "a.bvh", "--output-unit", "1e-300"], 1, "beyond what files can hold"),
        (["walk.bvh", "a.bvh", "--fps", "1e7"], 1, "frames of this recording"),
        (["walk.bvh", "a.glb", "--output-unit", "0.01"], 1, "--output-unit is for formats"),
    ],
)
def test_mistakes(arguments, code, message, walker, tmp_path, capsys, monkeypatch):
    """Catches a traceback, a wrong exit code, and a file that is left behind."""
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    found, _, errors = run(capsys, "convert", *arguments)
    assert found == code
    assert message in errors
    assert "Traceback" not in errors
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {path for path in before if path.is_file()}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a program could catch")
def test_who_is_asked_to_end_leaves_no_half_file(tmp_path):
    """Catches SIGTERM, as of a job queue, that leaves temporary files beside the results."""
    program = f"""
import time
from mocap3d import cli
from mocap3d.base.files import atomic_path

def app(prog_name):
    with atomic_path({str(tmp_path / "a.bvh")!r}) as path:
        path.write_text("half")
        print("writing", flush=True)
        time.sleep(60)

cli.app = app
cli.main()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        process.terminate()
        assert process.wait() == 143
    assert not list(tmp_path.iterdir())
