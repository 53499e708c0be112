"""Reading FBX: what we write comes back, also after Blender had it."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from any_motions import motions
from fbx_edits import change, name_of, random_motion, with_rows
from fbx_readers import READERS, run, tube
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.mesh import deform
from mocap3d.base.rotations import wxyz_angle
from mocap3d.output.fbx import read_fbx, read_fbx_character, write_fbx

# --- files of our own -----------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(motions(), st.sampled_from([7400, 7500]))
def test_what_is_written_is_read(tmp_path, motion, version):
    """Catches any rig, name, rotation, rate or number of frames that does not come back."""
    path = tmp_path / "any.fbx"
    write_fbx(motion, path, version=version)
    back = read_fbx(path)
    assert back.rig.skeleton.joint_names == motion.rig.skeleton.joint_names
    assert back.rig.skeleton.parents == motion.rig.skeleton.parents
    assert (back.fps, len(back)) == (motion.fps, len(motion))
    for ours, theirs in zip(rest_pose(motion.rig), rest_pose(back.rig), strict=True):
        assert ours.shape == theirs.shape
    np.testing.assert_allclose(rest_pose(back.rig)[0], rest_pose(motion.rig)[0], atol=1e-9)
    assert wxyz_angle(back.rig.rest_wxyz, motion.rig.rest_wxyz).max() < 1e-7
    assert wxyz_angle(back.local_wxyz, motion.local_wxyz).max() < 1e-6
    np.testing.assert_allclose(forward(back)[0], forward(motion)[0], atol=1e-5)
    if motion.local_m is None:
        assert back.local_m is None


@pytest.mark.parametrize("version", [7400, 7500])
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_a_character_comes_back_with_its_skin(which, version, request, tmp_path):
    """Catches a skin bound to other bones, in another unit or pose, with other polygons, normals or colours."""
    motion = request.getfixturevalue(which)
    mesh = tube(motion.rig)
    path = tmp_path / "character.fbx"
    write_fbx(motion, path, mesh=mesh, version=version)
    rig, skin, back = read_fbx_character(path)
    assert rig.skeleton.joint_names == motion.rig.skeleton.joint_names
    np.testing.assert_allclose(rest_pose(rig)[0], rest_pose(motion.rig)[0], atol=1e-9)
    np.testing.assert_allclose(skin.vertices_m, mesh.vertices_m, atol=1e-9)
    np.testing.assert_allclose(skin.normals, mesh.normals, atol=1e-9)
    np.testing.assert_array_equal(skin.triangles, mesh.triangles)
    np.testing.assert_array_equal(skin.material, mesh.material)
    assert (skin.name, skin.materials) == (mesh.name, mesh.materials)
    np.testing.assert_allclose(deform(skin, back), deform(mesh, motion), atol=1e-5)


# --- characters ------------------------------------------------------------------------------------------------------


def test_meshes_are_read_as_others_store_them(tmp_path):
    """Catches quads, normals by vertex or none, a mesh moved in its node, and vertices that nothing holds."""
    path = tmp_path / "mesh.fbx"
    motion = random_motion(11)
    mesh = tube(motion.rig)
    write_fbx(motion, path, mesh=mesh)
    shift = np.array([10.0, 20.0, 30.0])

    def edit(record):
        if record.name == "Vertices":
            return replace(record, values=(record.values[0] - np.tile(shift, len(mesh.vertices_m)),))
        if record.name == "PolygonVertexIndex":  # two triangles of a band are a quad
            a, b, c, _, _, d = np.where(record.values[0] < 0, ~record.values[0], record.values[0]).reshape(-1, 6).T
            return replace(record, values=(np.stack([a, b, d, ~c], axis=-1).astype(np.int32).ravel(),))
        if record.name == "Model" and record.values[2] == "Mesh":
            return with_rows(record, GeometricTranslation=shift.tolist())
        if record.name == "Deformer" and name_of(record) == "bone0":
            return replace(record, children=tuple(c for c in record.children if c.name not in ("Indexes", "Weights")))
        return None if record.name in ("LayerElementNormal", "LayerElementMaterial") else record

    change(path, edit)
    with pytest.warns(Mocap3dWarning, match="follow no joint"):
        rig, skin, _ = read_fbx_character(path)
    np.testing.assert_allclose(skin.vertices_m, mesh.vertices_m, atol=1e-9)
    assert len(skin.triangles) == len(mesh.triangles)
    np.testing.assert_allclose(np.linalg.norm(skin.normals, axis=1), 1, atol=1e-12)
    follows_root = ((skin.joints == rig.skeleton.index("bone0")) & (skin.weights > 0)).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(follows_root), np.arange(5))  # the ring that nothing holds any more


@pytest.mark.blender
@pytest.mark.parametrize("which", ["wild_motion", "rested_motion"])
def test_characters_from_blender_are_read(which, request, blender_python, tmp_path):
    """Catches a user's character, exported by Blender, read a hundred times too large, lying, or torn by its skin."""
    motion = replace(request.getfixturevalue(which), fps=Fraction(30))
    mesh = tube(motion.rig)
    write_fbx(motion, tmp_path / "ours.fbx", mesh=mesh)
    path = tmp_path / "blender.fbx"
    run([os.environ["MOCAP3D_BLENDER_PYTHON"], READERS / "write_fbx_with_blender.py", tmp_path / "ours.fbx", path])
    rig, skin, back = read_fbx_character(path)
    assert (back.fps, len(back)) == (30, len(motion))
    order = [rig.skeleton.index(name) for name in motion.rig.skeleton.joint_names]
    np.testing.assert_allclose(rest_pose(rig)[0][order], rest_pose(motion.rig)[0], atol=1e-5)
    np.testing.assert_allclose(forward(back)[0][:, order], forward(motion)[0], atol=2e-5)
    np.testing.assert_allclose(deform(skin, back), deform(mesh, motion), atol=2e-5)
