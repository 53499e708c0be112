"""What presets and the mannequin make of a file, as programs see it that we did not write."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from fbx_readers import assert_seen, see_with
from foreign_readers import READERS, read_with
from scipy.spatial.transform import Rotation

from mocap3d import output
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.mesh import deform
from mocap3d.base.motion import Motion
from mocap3d.output.mannequin import mannequin

EVERY = 15  # vertices between those that are compared


@pytest.fixture(scope="module")
def dancer():
    """The humanoid, every joint turning, on its way, for a third of a second."""
    t = np.arange(8)[:, None, None] / 24
    rotvec = np.random.default_rng(5).normal(size=(1, 22, 3)) * np.sin(6 * t)
    wxyz = np.roll(Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_quat(), 1, axis=-1).reshape(8, 22, 4)
    root_m = np.column_stack([t[:, 0, 0], 0.9 + 0 * t[:, 0, 0], 2 * t[:, 0, 0]])
    return Motion(rig=HUMANOID_RIG, fps=Fraction(24), local_wxyz=wxyz, root_m=root_m)


def dressed(motion, name):
    """The motion with a preset, and its body."""
    worn = output.preset_named(name)
    motion = output.dress(motion, worn)
    return motion, mannequin(motion.rig, output.roles(motion.rig, worn))


@pytest.mark.parametrize("program", ["ufbx", "fbx2gltf"])
@pytest.mark.parametrize("name", output.preset_names())
def test_fbx(program, name, dancer, tmp_path):
    """Catches a preset whose axes, unit or A-pose another program takes for something else."""
    output.write(dancer, tmp_path / "a.fbx", preset=name, mesh=True)
    motion, body = dressed(dancer, name)
    seen = see_with(program, tmp_path / "a.fbx", motion)
    if program == "fbx2gltf" and output.preset_named(name).unit_m != 0.01:
        seen.corners_m, body = None, None  # its vertices are in another unit than its joints, by a scale of its own
    assert_seen(seen, motion, body)


@pytest.mark.parametrize("name", output.preset_names())
def test_glb(name, dancer, tmp_path):
    """Catches a body that three.js tears, and a file that the Khronos validator complains about."""
    output.write(dancer, tmp_path / "a.glb", preset=name, mesh=True)
    motion, body = dressed(dancer, name)

    def run(script, *more):
        command = ["node", READERS / script, tmp_path / "a.glb", *more]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads((tmp_path / "out.json").read_text())

    assert run("validate_gltf.mjs", tmp_path / "out.json")["issues"]["messages"] == []
    theirs = run("read_gltf.mjs", motion.fps, tmp_path / "out.json", 1)
    order = [theirs["names"].index(joint) for joint in motion.rig.skeleton.joint_names]
    np.testing.assert_allclose(np.array(theirs["xyz"])[:, order], forward(motion)[0], atol=1e-5)
    vertices, ours = np.array(theirs["vertices"]), deform(body, motion)
    for v in range(0, ours.shape[1], 10 * EVERY):
        far = np.linalg.norm(vertices - ours[:, v, None], axis=-1).max(axis=0)
        assert far.min() < 1e-5


# pybvh refuses position channels on inner joints, which ue5's pelvis has.
@pytest.mark.parametrize("name", [name for name in output.preset_names() if name != "ue5"])
def test_bvh(name, dancer, tmp_path):
    """Catches a preset's unit that is lost, and bones that pybvh puts elsewhere."""
    output.write(dancer, tmp_path / "a.bvh", preset=name)
    motion, _ = dressed(dancer, name)
    theirs = read_with("pybvh", tmp_path / "a.bvh", tmp_path / "out.json", motion.fps)
    order = [theirs["names"].index(joint) for joint in motion.rig.skeleton.joint_names]
    places_m = np.array(theirs["xyz"])[:, order] * output.preset_named(name).unit_m
    np.testing.assert_allclose(places_m, forward(motion)[0], atol=1e-5)
