"""GLB against readers that we did not write: the Khronos validator, three.js, Blender."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from foreign_readers import READERS, assert_same_joints, y_up
from gltf_by_hand import rags

from mocap3d.base.kinematics import forward
from mocap3d.base.mesh import deform
from mocap3d.base.motion import Motion
from mocap3d.output.fbx import write_fbx
from mocap3d.output.gltf import read_glb, read_glb_character, write_glb

RATES = [Fraction(n * 1000, 1001) for n in (24, 30, 60)] + [Fraction(n) for n in (24, 30, 60)]


def run(*command: object) -> dict:
    """Let another program write OUT.json, which is its last argument but options, and read it."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    out = next(part for part in command if str(part).endswith(".json"))
    return json.loads(Path(str(out)).read_text(encoding="utf-8"))


def three(path: Path, motion: Motion, out: Path, stride: int = 1) -> dict:
    """Play a file in three.js."""
    return run("node", READERS / "read_gltf.mjs", path, motion.fps, out, stride)


def validated(path: Path, out: Path) -> list[str]:
    """Ask the Khronos validator; return its infos and refuse errors and warnings."""
    issues = run("node", READERS / "validate_gltf.mjs", path, out)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    return [message["code"] for message in issues["messages"]]


def stretching(motion: Motion) -> Motion:
    """Let two inner joints leave their offsets."""
    local_m = np.broadcast_to(motion.rig.offsets_m, (len(motion), *motion.rig.offsets_m.shape)).copy()
    local_m[:, [3, 8]] += np.random.default_rng(1).normal(size=(len(motion), 2, 3)) * 0.1
    return replace(motion, local_m=local_m)


@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_the_validator_has_nothing_to_say(which, request, tmp_path):
    """Catches a wrong bound, a weight that does not add up, an unaligned view, a node without use."""
    motion = request.getfixturevalue(which)
    write_glb(motion, tmp_path / "body.glb", mesh=rags(motion.rig))
    assert validated(tmp_path / "body.glb", tmp_path / "out.json") == []
    write_glb(motion, tmp_path / "bare.glb")
    assert validated(tmp_path / "bare.glb", tmp_path / "out.json") == ["UNUSED_OBJECT"]  # the skin that says "bone"


@pytest.mark.parametrize("change", [None, stretching])
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_three_js_puts_joints_and_vertices_where_we_do(which, change, request, tmp_path):
    """Catches a transposed bind matrix, xyzw in another order, a lost rest rotation, weights of another joint."""
    motion = request.getfixturevalue(which) if change is None else change(request.getfixturevalue(which))
    body = rags(motion.rig)
    write_glb(motion, tmp_path / "a.glb", mesh=body)
    theirs = three(tmp_path / "a.glb", motion, tmp_path / "out.json")
    assert_same_joints(motion, theirs, 1, 1e-5)
    assert all(theirs["bones"])
    np.testing.assert_allclose(theirs["vertices"], deform(body, motion), rtol=0, atol=1e-5)


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_keys_stand_on_frames_at_every_rate(fps, wild_motion, tmp_path):
    """Catches a time that drifts: three.js would show joints between two frames."""
    motion = replace(wild_motion, fps=fps)
    write_glb(motion, tmp_path / "a.glb")
    theirs = three(tmp_path / "a.glb", motion, tmp_path / "out.json", stride=7)
    assert_same_joints(motion, theirs, 7, 1e-5)
    assert all(theirs["bones"])


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_we_read_what_autodesk_writes(fps, rested_motion, tmp_path):
    """Catches pivots, constant channels of every bone, or skins in several spaces, as FBX2glTF leaves them."""
    motion = replace(rested_motion, fps=Fraction(fps))
    body = rags(motion.rig)
    write_fbx(motion, tmp_path / "a.fbx", mesh=body)
    program = READERS / "node_modules/fbx2gltf/bin/Linux/FBX2glTF"
    program.chmod(0o755)  # npm unpacks it as a file that cannot be run
    command = [program, "--binary", "--anim-framerate", f"bake{fps}", "-i", tmp_path / "a.fbx", "-o", tmp_path / "b"]
    subprocess.run(command, check=True, capture_output=True)
    rig, surface, again = read_glb_character(tmp_path / "b.glb")
    assert (again.fps, len(again), again.local_m) == (fps, len(motion), None)
    index = [rig.skeleton.index(name) for name in motion.rig.skeleton.joint_names]
    np.testing.assert_allclose(forward(again)[0][:, index], forward(motion)[0], rtol=0, atol=1e-5)
    assert farthest_vertex(deform(body, motion), deform(surface, again)) < 1e-5


def farthest_vertex(ours: np.ndarray, theirs: np.ndarray) -> float:
    """How far the nearest of their (T, V, 3) vertices goes from each of ours; their order and number may differ."""
    distances = np.linalg.norm(ours[::10, :, None] - theirs[::10, None], axis=-1).max(axis=0)
    return float(distances.min(axis=1).max())


def blender(path: Path, motion: Motion, out: Path, *again: Path) -> dict:
    """Import a file into Blender, and turn its axes into ours."""
    python = os.environ["MOCAP3D_BLENDER_PYTHON"]
    theirs = run(python, READERS / "read_gltf_with_blender.py", path, motion.fps, out, *again)
    theirs["xyz"] = y_up(np.array(theirs["xyz"]))
    # Blender lists bones depth first.
    order = [theirs["names"].index(name) for name in motion.rig.skeleton.joint_names]
    return theirs | {"names": [theirs["names"][k] for k in order], "xyz": theirs["xyz"][:, order]}


@pytest.mark.blender
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_blender_puts_joints_and_vertices_where_we_do(which, request, blender_python, tmp_path):
    """Catches a file that Blender shows lying down, at another rate, or with a skin that tears."""
    motion = request.getfixturevalue(which)
    body = rags(motion.rig)
    write_glb(motion, tmp_path / "a.glb", mesh=body)
    theirs = blender(tmp_path / "a.glb", motion, tmp_path / "out.json")
    assert_same_joints(motion, theirs, 1, 1e-5)
    by_material = body.triangles[np.argsort(body.material, kind="stable")].reshape(-1)  # as Blender lists vertices
    ours = deform(body, motion)[:, by_material]
    np.testing.assert_allclose(y_up(np.array(theirs["vertices"])), ours, rtol=0, atol=1e-5)


@pytest.mark.blender
@pytest.mark.parametrize("fps", RATES, ids=str)
def test_blender_makes_an_armature_without_a_mesh(fps, rested_motion, blender_python, tmp_path):
    """Catches joints that become empties, because nothing says that they are bones, and keys between two frames."""
    motion = replace(rested_motion, fps=fps)
    write_glb(motion, tmp_path / "a.glb")
    assert_same_joints(motion, blender(tmp_path / "a.glb", motion, tmp_path / "out.json"), 1, 1e-5)


@pytest.mark.blender
def test_we_read_what_blender_exports(rested_motion, blender_python, tmp_path):
    """Catches an armature above the bones that is lost, rest poses of another program, constant scales refused."""
    body = rags(rested_motion.rig)
    write_glb(rested_motion, tmp_path / "a.glb", mesh=body)
    blender(tmp_path / "a.glb", rested_motion, tmp_path / "out.json", tmp_path / "again.glb")
    rig, surface, motion = read_glb_character(tmp_path / "again.glb")
    assert (motion.fps, len(motion)) == (rested_motion.fps, len(rested_motion))
    index = [rig.skeleton.index(name) for name in rested_motion.rig.skeleton.joint_names]
    np.testing.assert_allclose(forward(motion)[0][:, index], forward(rested_motion)[0], rtol=0, atol=2e-5)
    assert farthest_vertex(deform(body, rested_motion), deform(surface, motion)) < 2e-5
    assert read_glb(tmp_path / "again.glb").fps == rested_motion.fps
