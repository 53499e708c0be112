from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.mesh import Material, SkinnedMesh, deform, joined
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import together
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import Skeleton


def rotations(rng, *shape):
    """Random unit quaternions, scalar first."""
    wxyz = rng.normal(size=(*shape, 4))
    return wxyz / np.linalg.norm(wxyz, axis=-1, keepdims=True)


def matrix(wxyz, at_m):
    """4x4 from SciPy."""
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = Rotation.from_quat(np.roll(wxyz, -1)).as_matrix(), at_m
    return out


@pytest.fixture
def rig():
    """A tree of five joints, each with a rest rotation."""
    rng = np.random.default_rng(0)
    skeleton = Skeleton(name="tree", joint_names=tuple("abcde"), parents=(-1, 0, 1, 1, 0), mirror=(0, 1, 2, 3, 4))
    return Rig(skeleton=skeleton, offsets_m=rng.normal(size=(5, 3)), rest_wxyz=rotations(rng, 5))


@pytest.fixture
def mesh():
    """Forty points, each following up to four joints."""
    rng = np.random.default_rng(1)
    weights = rng.random((40, 4)) * (rng.random((40, 4)) < 0.6) + [1e-3, 0, 0, 0]
    return SkinnedMesh(
        name="points",
        vertices_m=rng.normal(size=(40, 3)),
        normals=np.tile([0.0, 1.0, 0.0], (40, 1)),
        triangles=np.arange(39).reshape(13, 3),
        joints=rng.integers(0, 5, (40, 4)),
        weights=weights / weights.sum(axis=1, keepdims=True),
        materials=(Material(name="skin", rgb=(1, 0.5, 0)),),
        material=np.zeros(13, np.int64),
    )


def world(rig, local_wxyz, root_m):
    """World matrices of one frame, joint by joint."""
    found = []
    for j, parent in enumerate(rig.skeleton.parents):
        local = matrix(local_wxyz[j], root_m if parent < 0 else rig.offsets_m[j])
        found.append(local if parent < 0 else found[parent] @ local)
    return found


def test_vertices_follow_their_joints(rig, mesh):
    """Catches a rest pose that is not taken off, a parent's rotation in place of the joint's, weights mixed up."""
    rng = np.random.default_rng(2)
    motion = Motion(rig=rig, fps=Fraction(30), local_wxyz=rotations(rng, 3, 5), root_m=rng.normal(size=(3, 3)))
    rest = [np.linalg.inv(M) for M in world(rig, rig.rest_wxyz, rig.offsets_m[0])]
    expected = np.empty((3, 40, 3))
    for t in range(3):
        now = world(rig, motion.local_wxyz[t], motion.root_m[t])
        for v, vertex in enumerate(mesh.vertices_m):
            moves = zip(mesh.joints[v], mesh.weights[v], strict=True)
            expected[t, v] = sum(w * (now[j] @ rest[j] @ [*vertex, 1])[:3] for j, w in moves)
    np.testing.assert_allclose(deform(mesh, motion), expected, atol=1e-12)


def test_the_rest_pose_is_that_of_the_matrices(rig):
    """Catches rest rotations applied to the joint's own offset, or in the wrong order."""
    rest_m, rest_wxyz = rest_pose(rig)
    for j, M in enumerate(world(rig, rig.rest_wxyz, rig.offsets_m[0])):
        np.testing.assert_allclose(matrix(rest_wxyz[j], rest_m[j]), M, atol=1e-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weights", np.full((40, 4), 0.3)),
        ("weights", np.tile([2.0, -1, 0, 0], (40, 1))),
        ("triangles", np.full((13, 3), 40)),
        ("triangles", np.zeros((13, 4), int)),
        ("joints", np.full((40, 4), -1)),
        ("material", np.ones(13, int)),
        ("vertices_m", np.full((40, 3), np.nan)),
    ],
)
def test_what_is_no_mesh_is_refused(mesh, field, value):
    """Catches a file written with indices that crash the program that opens it."""
    with pytest.raises(InputError):
        replace(mesh, **{field: value})


def test_a_rig_without_the_joints_is_refused(mesh, rig):
    """Catches a mesh put on another rig."""
    wrong = replace(mesh, joints=np.full((40, 4), 5))
    with pytest.raises(InputError, match="follows joint 5"):
        wrong.check(rig)


def test_meshes_of_several_people_become_one(rig, mesh):
    """Catches vertices that follow the other person, and triangles between people."""
    other = replace(
        mesh, vertices_m=mesh.vertices_m + 1, materials=(*mesh.materials, Material(name="b", rgb=(0, 0, 1)))
    )
    rng = np.random.default_rng(3)
    motions = [
        Motion(rig=rig, fps=Fraction(30), local_wxyz=rotations(rng, 4, 5), root_m=rng.normal(size=(4, 3)))
        for _ in range(2)
    ]
    both = joined([mesh, other], [1, 6])
    both_m = deform(both, together({"a": motions[0], "b": motions[1]}))
    np.testing.assert_allclose(both_m[:, :40], deform(mesh, motions[0]), atol=1e-12)
    np.testing.assert_allclose(both_m[:, 40:], deform(other, motions[1]), atol=1e-12)
    np.testing.assert_array_equal(both.triangles[13:], mesh.triangles + 40)
    assert [material.name for material in both.materials] == ["skin", "b"]
