"""Writing GLB: what comes back when it is read, and what stands in the file."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from gltf_by_hand import array_of, rags, taken_apart
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import InputError
from mocap3d.base.feet import heel_offsets_m
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.mesh import deform
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import rotvec_to_wxyz
from mocap3d.base.skeleton import SEVERAL_ROOTS, Skeleton
from mocap3d.output.gltf import read_glb, read_glb_character, write_glb

names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)
rates = st.one_of(
    st.integers(1, 1000).map(Fraction),
    st.sampled_from([Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)]),
    st.fractions(min_value=Fraction(1, 100), max_value=1000, max_denominator=1000),
)


@st.composite
def motions(draw):
    """Random trees, rest rotations, tips, rates; movements small, large, or next to a half turn; some joints travel."""
    joint_names = draw(st.lists(names, min_size=1, max_size=7, unique=True))
    count = len(joint_names)
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, count)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    skeleton = Skeleton(name="x", joint_names=joint_names, parents=parents, mirror=range(count))
    owners = draw(st.lists(st.integers(0, count - 1), max_size=4))
    rig = Rig(
        skeleton=skeleton,
        offsets_m=rng.normal(size=(count, 3)),
        rest_wxyz=rotvec_to_wxyz(rng.normal(size=(count, 3)) * 2 * draw(st.booleans())),
        tips=[Tip(name=draw(st.text("ab ", max_size=2)), parent=p, offset_m=rng.normal(size=3)) for p in owners],
    )
    frames = draw(st.sampled_from([1, 2, 5, 30]))
    axes = rng.normal(size=(frames, count, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    angle = draw(st.sampled_from([0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-7, np.pi, 2.0]))
    local_m = np.broadcast_to(rig.offsets_m, (frames, count, 3)).copy()
    for j in draw(st.lists(st.integers(0, count - 1))):
        local_m[:, j] += rng.normal(size=(frames, 3))
    return Motion(
        rig=rig,
        fps=draw(rates),
        local_wxyz=rotvec_to_wxyz(axes * angle),
        root_m=rng.normal(size=(frames, 3)),
        local_m=local_m if draw(st.booleans()) else None,
    )


@given(motions(), st.booleans())
def test_what_is_read_back_moves_as_what_was_written(tmp_path_factory, motion, with_mesh):
    """Catches joints in another order, lost rest rotations, tips, names, rates; rounding that an eye would see."""
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    body = rags(motion.rig, 30) if with_mesh else None
    write_glb(motion, path, mesh=body)
    again = read_glb(path)
    assert again.rig.skeleton.joint_names == motion.rig.skeleton.joint_names
    assert again.rig.skeleton.parents == motion.rig.skeleton.parents
    assert (again.fps, len(again), again.start_frame) == (motion.fps, len(motion), 0)
    np.testing.assert_array_equal(again.rig.offsets_m, motion.rig.offsets_m)
    np.testing.assert_allclose(again.rig.rest_wxyz, motion.rig.rest_wxyz, rtol=0, atol=1e-15)
    np.testing.assert_allclose(forward(again)[0], forward(motion)[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(_tips(again), _tips(motion), rtol=0, atol=1e-5)
    between = np.abs(np.sum(again.local_wxyz * motion.local_wxyz, axis=-1))
    np.testing.assert_allclose(between, 1, atol=1e-9)
    if body is not None:
        rig, surface, moved = read_glb_character(path)
        np.testing.assert_allclose(deform(surface, moved), deform(body, motion), rtol=0, atol=1e-5)
        assert [material.name for material in surface.materials] == ["a", "c"]
        assert rig.skeleton == again.rig.skeleton


def _tips(motion: Motion) -> np.ndarray:
    """(T, K, 3) joint by joint."""
    order = np.argsort([tip.parent for tip in motion.rig.tips], kind="stable").astype(int)
    return tip_positions(motion)[:, order]


def test_our_humanoid_comes_back_as_our_humanoid(tmp_path):
    """Catches a name, a mirror or a tip that is lost, so that heels and contacts cannot be found any more."""
    rig = HUMANOID_RIG
    motion = Motion(rig=rig, fps=30, local_wxyz=rig.rest_wxyz[None].repeat(3, 0), root_m=rig.offsets_m[:1].repeat(3, 0))
    write_glb(motion, tmp_path / "a.glb")
    again = read_glb(tmp_path / "a.glb")
    assert again.rig.skeleton == rig.skeleton
    np.testing.assert_array_equal(heel_offsets_m(again.rig), heel_offsets_m(rig))
    assert len(again) == 3


def test_only_what_moves_has_keys(wild_motion, tmp_path):
    """Catches files twice as long as they need be, and a standing person whose clip has no length."""
    rig = wild_motion.rig
    still = replace(wild_motion, local_wxyz=np.broadcast_to(rig.rest_wxyz, wild_motion.local_wxyz.shape))
    nodding = still.local_wxyz.copy()
    nodding[:, 4] = wild_motion.local_wxyz[:, 4]
    write_glb(replace(still, local_wxyz=nodding, root_m=np.zeros((60, 3))), tmp_path / "a.glb")
    root, _ = taken_apart(tmp_path / "a.glb")
    targets = [channel["target"] for channel in root["animations"][0]["channels"]]
    assert targets == [{"node": 0, "path": "translation"}, {"node": 4, "path": "rotation"}]


@pytest.mark.parametrize("fps", [Fraction(n * 1000, 1001) for n in (24, 30, 60)] + [Fraction(24), Fraction(7, 3)])
def test_times_are_the_nearest_numbers_to_the_exact_ones(fps, wild_motion, tmp_path):
    """Catches times that were added up, or computed from a rounded period."""
    write_glb(replace(wild_motion, fps=fps), tmp_path / "a.glb")
    root, data = taken_apart(tmp_path / "a.glb")
    animation = root["animations"][0]
    assert animation["extras"] == {"fps": f"{fps.numerator}/{fps.denominator}"}
    for sampler in animation["samplers"]:
        times = array_of(root, data, sampler["input"])[:, 0]
        np.testing.assert_array_equal(times, [np.float32(float(t / fps)) for t in range(60)])
        assert sampler["interpolation"] == "LINEAR"


def test_quaternions_never_change_sign(wild_motion, tmp_path):
    """Catches a joint that spins the long way round between two frames."""
    flipped = wild_motion.local_wxyz * np.random.default_rng(0).choice([-1, 1], (60, len(wild_motion.rig.skeleton), 1))
    write_glb(replace(wild_motion, local_wxyz=flipped), tmp_path / "a.glb")
    root, data = taken_apart(tmp_path / "a.glb")
    for channel, sampler in zip(*(root["animations"][0][key] for key in ("channels", "samplers")), strict=True):
        values = array_of(root, data, sampler["output"])
        if channel["target"]["path"] == "rotation":
            assert (np.sum(values[1:] * values[:-1], axis=-1) > 0).all()


def test_several_roots_keep_their_common_parent(tmp_path):
    """Catches a skin without a common root, which glTF forbids, and a second synthetic joint when it is read."""
    skeleton = Skeleton(name="two", joint_names=(SEVERAL_ROOTS, "a", "b"), parents=(-1, 0, 0), mirror=(0, 1, 2))
    rig = Rig(skeleton=skeleton, offsets_m=np.eye(3), rest_wxyz=np.tile([1.0, 0, 0, 0], (3, 1)))
    local_m = np.random.default_rng(0).normal(size=(4, 3, 3))
    still = np.tile([1.0, 0, 0, 0], (4, 3, 1))
    motion = Motion(rig=rig, fps=25, local_wxyz=still, root_m=np.zeros((4, 3)), local_m=local_m)
    write_glb(motion, tmp_path / "a.glb")
    again = read_glb(tmp_path / "a.glb")
    assert again.rig.skeleton.joint_names == skeleton.joint_names
    np.testing.assert_allclose(forward(again)[0], forward(motion)[0], atol=1e-6)


def test_the_same_motion_gives_the_same_bytes(wild_motion, tmp_path):
    """Catches a date, a random name or an unordered set in the file."""
    for name in ("a.glb", "b.glb"):
        write_glb(wild_motion, tmp_path / name, mesh=rags(wild_motion.rig))
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_a_joint_named_twice_at_a_vertex_is_named_once(wild_motion, tmp_path):
    """Catches weights that the validator and game engines refuse."""
    body = rags(wild_motion.rig)
    joints = body.joints.copy()
    joints[50:, 2] = joints[50:, 0]
    double = replace(body, joints=joints)
    write_glb(wild_motion, tmp_path / "a.glb", mesh=double)
    _, surface, motion = read_glb_character(tmp_path / "a.glb")
    np.testing.assert_allclose(deform(surface, motion), deform(double, wild_motion), atol=1e-5)
    named = np.sort(np.where(surface.weights > 0, surface.joints, -1 - np.arange(4)), axis=1)
    assert (np.diff(named, axis=1) != 0).all()


def test_what_a_glb_cannot_hold_is_said(wild_motion, tmp_path):
    """Catches a broken file where an error would help, and half a file after one."""
    body = rags(wild_motion.rig)
    normals = body.normals.copy()
    normals[3] = 0
    empty = replace(body, triangles=body.triangles[:0], material=body.material[:0])
    for wrong in (replace(body, normals=normals), empty, replace(body, joints=body.joints + 10)):
        with pytest.raises(InputError):
            write_glb(wild_motion, tmp_path / "a.glb", mesh=wrong)
    half = replace(wild_motion.rig.skeleton, joint_names=("\ud800", *wild_motion.rig.skeleton.joint_names[1:]))
    with pytest.raises(InputError, match="surrogate"):
        write_glb(replace(wild_motion, rig=replace(wild_motion.rig, skeleton=half)), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_a_long_clip_is_written_in_blocks(person, tmp_path):
    """Catches a copy of the whole clip in memory."""
    frames, joints = 40_000, len(person.skeleton)
    local_wxyz = rotvec_to_wxyz(np.linspace(0, 3, frames)[:, None, None] * np.ones((1, joints, 3)))
    motion = Motion(rig=person, fps=60, local_wxyz=local_wxyz, root_m=np.zeros((frames, 3)))
    tracemalloc.start()
    write_glb(motion, tmp_path / "a.glb")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < motion.local_wxyz.nbytes / 4
    again = read_glb(tmp_path / "a.glb")
    np.testing.assert_allclose(np.abs(np.sum(again.local_wxyz * local_wxyz, axis=-1)), 1, atol=1e-9)
