"""FBX files as other programs write them: read as ufbx and Autodesk's SDK read them, or refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fbx_edits import change, connections, name_of, objects_in, random_motion, with_rows
from fbx_readers import read_with_fbx2gltf, read_with_ufbx, tube

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.kinematics import forward, rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeleton import SEVERAL_ROOTS, Skeleton
from mocap3d.output.fbx import read_fbx, read_fbx_character, write_fbx
from mocap3d.output.fbx.records import Record
from mocap3d.output.fbx.times import TICKS_PER_S

FRAME = TICKS_PER_S // 30
SIGNAL = np.array([0x7FA00000], dtype=np.uint32).view(np.float32)  # a NaN that NumPy warns of when it is widened


def assert_as_ufbx(path: Path, file_to_ours=((1, 0, 0), (0, 1, 0), (0, 0, 1))) -> Motion:
    """Compare every joint in every frame with ufbx; gives the motion."""
    motion = read_fbx(path)
    found = read_with_ufbx(path, len(motion), float(motion.fps))
    assert found["frames"] == len(motion)
    order = [found["names"].index(name) for name in motion.rig.skeleton.joint_names]
    xyz_m = np.array(found["matrices"])[:, order][..., :3, 3] * found["unit_m"] @ np.transpose(file_to_ours)
    np.testing.assert_allclose(forward(motion)[0], xyz_m, atol=2e-6 * max(1, np.abs(xyz_m).max()))
    return motion


@pytest.mark.parametrize("order", range(6))
def test_nodes_stand_where_ufbx_puts_them(order, tmp_path):
    """Catches a rotation order, pivot, offset, pre- or post-rotation read by another rule, or in another order."""
    rng = np.random.default_rng(order)
    path = tmp_path / "nodes.fbx"
    write_fbx(random_motion(order), path)

    def edit(record):
        if record.name != "Model":
            return None if record.name == "Pose" else record
        scale = rng.uniform(0.5, 2)
        vectors = ("PostRotation", "RotationPivot", "RotationOffset", "ScalingPivot", "ScalingOffset")
        rows = {name: rng.normal(size=3).tolist() for name in vectors}
        return with_rows(record, RotationOrder=(order,), Lcl__Scaling=(scale, scale, scale), **rows)

    change(path, edit)
    assert_as_ufbx(path)


def test_rotations_that_are_switched_off_do_not_turn(tmp_path):
    """Catches PreRotation applied to a node whose RotationActive is false, as 3ds Max writes them; ufbx does."""
    path = tmp_path / "off.fbx"
    write_fbx(random_motion(0), path)
    change(path, lambda r: with_rows(r, RotationActive=(0,), RotationOrder=(3,)) if r.name == "Model" else r)
    motion = read_fbx(path)
    seen = read_with_fbx2gltf(path, 30)
    order = [seen.names.index(name) for name in motion.rig.skeleton.joint_names]
    np.testing.assert_allclose(forward(motion)[0], seen.xyz_m[:, order], atol=1e-5)


def test_a_file_with_z_up_in_inches_stands_upright(tmp_path):
    """Catches axes or the unit left as they are: 3ds Max has Z up, and a unit of its own."""
    path = tmp_path / "up.fbx"
    motion = random_motion(1)
    write_fbx(motion, path, unit_m=0.0254)
    rows = {"UpAxis": (2,), "UpAxisSign": (1,), "FrontAxis": (1,), "FrontAxisSign": (-1,), "CoordAxis": (0,)}
    change(path, lambda record: with_rows(record, **rows) if record.name == "GlobalSettings" else record)
    back = assert_as_ufbx(path, np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]))
    np.testing.assert_allclose(back.root_m, motion.root_m[:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)
    world, _ = rest_pose(back.rig)
    np.testing.assert_allclose(world, rest_pose(motion.rig)[0][:, [0, 2, 1]] * [1, 1, -1], atol=1e-9)


KINDS = {
    "held": 0x2,
    "next": 0x102,
    "line": 0x4,
    "user": 0x408,
    "broken": 0xC08,
    "auto": 0x108,
    "auto by time": 0x2108,
    "clamped": 0x3108,
    "progressive": 0x6108,
    "weighted": 0x3000408,
}


@pytest.mark.parametrize("kind", KINDS)
def test_curves_between_keys_are_as_ufbx_has_them(kind, tmp_path):
    """Catches a kind of key taken for another, weights or slopes of the wrong side."""
    rng = np.random.default_rng(7)
    path = tmp_path / "sparse.fbx"
    write_fbx(random_motion(2, frames=41), path)

    def edit(record):
        if record.name != "AnimationCurve":
            return record
        frames = np.array([0, 7, 11, 20, 31, 40])
        weights = (rng.integers(1000, 9000, 6) + (rng.integers(1000, 9000, 6) << 16)).astype(np.uint32)
        data = np.concatenate([rng.normal(size=(6, 2)) * 50, np.zeros((6, 2))], axis=1).astype(np.float32)
        if kind.startswith(("auto", "clamped", "progressive")):
            data[:] = 0
        if kind == "line":
            data[:, :2] = SIGNAL  # means nothing there
        data[:, 2] = weights.view(np.float32)
        new = {
            "KeyTime": frames * np.int64(FRAME),
            "KeyValueFloat": rng.normal(size=6).astype(np.float32) * 40,
            "KeyAttrFlags": np.full(6, KINDS[kind], dtype=np.int32),
            "KeyAttrDataFloat": data.ravel(),
            "KeyAttrRefCount": np.ones(6, dtype=np.int32),
        }
        children = [replace(child, values=(new.get(child.name, child.values[0]),)) for child in record.children]
        return replace(record, children=tuple(children))

    change(path, edit)
    assert_as_ufbx(path)


def test_groups_above_the_skeleton_go_into_its_root(tmp_path):
    """Catches Blender's armature, scaled by 100 and turned, left out or taken for a joint."""
    path = tmp_path / "armature.fbx"
    motion = random_motion(3)
    write_fbx(motion, path, unit_m=1.0)

    def edit(record):
        if record.name == "Model" and name_of(record) == "bone0":
            record = replace(record, values=(*record.values[:2], "Null"))
            return with_rows(record, Lcl__Scaling=(3.0, 3.0, 3.0))
        return None if record.name in ("NodeAttribute", "Pose") else record

    change(path, edit)
    names = [name for name in motion.rig.skeleton.joint_names if name != "bone0"]
    back = read_fbx(path)
    assert {*names} <= {*back.rig.skeleton.joint_names} <= {*names, SEVERAL_ROOTS}
    found = read_with_ufbx(path, len(motion), 30.0)
    for name in names:
        xyz_m = np.array(found["matrices"])[:, found["names"].index(name), :3, 3]
        np.testing.assert_allclose(forward(back)[0][:, back.rig.skeleton.index(name)], xyz_m, atol=1e-5)


@pytest.mark.parametrize(("inherit", "length_m"), [(1, 6.0), (2, 3.0)])
def test_bones_that_keep_their_size_in_a_scaled_parent(inherit, length_m, tmp_path):
    """Catches Maya's segment scale compensation left out: worked out by hand."""
    offsets_m = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    skeleton = Skeleton(name="chain", joint_names=("a", "b", "c"), parents=(-1, 0, 1), mirror=(0, 1, 2))
    rig = Rig(skeleton=skeleton, offsets_m=offsets_m, rest_wxyz=np.tile([1.0, 0, 0, 0], (3, 1)))
    path = tmp_path / "scaled.fbx"
    write_fbx(Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=np.zeros((1, 3))), path)
    scale = {"a": 2.0, "b": 3.0, "c": 1.0}

    def edit(record):
        if record.name != "Model":
            return None if record.name == "Pose" else record
        size = scale[name_of(record)]
        return with_rows(record, InheritType=(inherit,), Lcl__Scaling=(size, size, size))

    change(path, edit)
    np.testing.assert_allclose(forward(read_fbx(path))[0][0], [[0, 0, 0], [2, 0, 0], [2, length_m, 0]], atol=1e-6)


def test_a_take_begins_where_it_says(tmp_path):
    """Catches a take read from time 0, or from its first key, where it says that it begins later."""
    path = tmp_path / "later.fbx"
    motion = random_motion(4, frames=10)
    write_fbx(motion, path)
    rows = {"LocalStart": (np.int64(3 * FRAME),), "LocalStop": (np.int64(7 * FRAME),)}
    change(path, lambda record: with_rows(record, **rows) if record.name == "AnimationStack" else record)
    back = read_fbx(path)
    np.testing.assert_allclose(forward(back)[0], forward(motion)[0][3:8], atol=1e-5)
    rows = {
        "LocalStart": (np.int64(0),),
        "LocalStop": (np.int64(0),),
    }  # it says nothing: from the first key to the last
    change(path, lambda record: with_rows(record, **rows) if record.name == "AnimationStack" else record)
    assert len(read_fbx(path)) == 10


def test_a_take_without_curves_comes_first(tmp_path):
    """Catches a motion that is read as a rest pose: files of Mixamo begin with an empty "Take 001"."""
    motion, path = random_motion(3), tmp_path / "motion.fbx"
    write_fbx(motion, path)

    def with_an_empty_take(record):
        if record.name != "Objects":
            return record
        take = next(child for child in record.children if child.name == "AnimationStack")
        empty = replace(take, values=(take.values[0] + 10**6, "Empty\x00\x01AnimStack", ""))
        return replace(record, children=(empty, *record.children))

    change(path, with_an_empty_take)
    made = read_fbx(path)
    assert len(made) == len(motion)
    np.testing.assert_allclose(forward(made)[0], forward(motion)[0], atol=1e-5)


def test_a_take_that_lies_about_its_length_is_refused(tmp_path):
    """Catches gigabytes of frames made from two keys."""
    path = tmp_path / "lie.fbx"
    write_fbx(random_motion(5), path)
    rows = {"LocalStop": (np.int64(10**8 * FRAME),)}
    change(path, lambda record: with_rows(record, **rows) if record.name == "AnimationStack" else record)
    with pytest.raises(FileFormatError, match="claims to last 100000001 frames"):
        read_fbx(path)


def test_a_rate_that_is_not_said_is_thirty(tmp_path):
    """Catches a character refused, or played at -1 frames per second, for want of a rate."""
    path = tmp_path / "rate.fbx"
    write_fbx(random_motion(14), path)
    change(path, lambda r: with_rows(r, TimeMode=(0,)) if r.name == "GlobalSettings" else r)
    assert read_fbx(path).fps == 30
    rows = {"TimeMode": (14,), "CustomFrameRate": (-1.0,)}
    change(path, lambda r: with_rows(r, **rows) if r.name == "GlobalSettings" else r)
    with pytest.warns(Mocap3dWarning, match="30 is used"):
        assert read_fbx(path).fps == 30


def test_newer_ticks_are_understood(tmp_path):
    """Catches times read in the old unit where a file of FBX 2024 says that it has the new one."""
    path = tmp_path / "new.fbx"
    motion = random_motion(6)
    write_fbx(motion, path)
    new = 141_120_000 // 30

    def edit(record):
        if record.name == "FBXHeaderExtension":
            flags = Record("OtherFlags", (), (Record("TCDefinition", (0,)),))
            kept = [child for child in record.children if child.name != "FBXHeaderVersion"]
            return replace(record, children=(Record("FBXHeaderVersion", (1004,)), *kept, flags))
        if record.name == "KeyTime":
            return replace(record, values=(record.values[0] // FRAME * new,))
        if record.name == "AnimationStack":
            return with_rows(record, LocalStop=(np.int64((len(motion) - 1) * new),))
        return record

    change(path, edit)
    np.testing.assert_allclose(forward(assert_as_ufbx(path))[0], forward(motion)[0], atol=1e-5)


def test_a_file_in_which_nothing_moves_is_a_rest_pose(tmp_path):
    """Catches a character without animation refused, or given frames that it has not."""
    path = tmp_path / "still.fbx"
    motion = random_motion(7)
    write_fbx(motion, path, mesh=tube(motion.rig))
    change(path, lambda record: None if record.name.startswith("Animation") else record)
    with pytest.warns(Mocap3dWarning, match="nothing moves"):
        still = read_fbx(path)
    assert (len(still), still.fps) == (1, 30)
    np.testing.assert_allclose(forward(still)[0][0], rest_pose(motion.rig)[0], atol=1e-9)
    rig, mesh, nothing = read_fbx_character(path)
    assert nothing is None
    assert mesh is not None
    np.testing.assert_allclose(rig.offsets_m, motion.rig.offsets_m, atol=1e-9)


def test_nodes_under_themselves_are_refused(tmp_path):
    """Catches an endless loop through a circle of connections, and a bone that hangs under two others."""
    path = tmp_path / "circle.fbx"
    motion = random_motion(8)
    write_fbx(motion, path)
    models = [r.values[0] for r in objects_in(path) if r.name == "Model"]
    write = ("OO", models[0], models[-1])
    change(path, connections(lambda all_: [write if c[1] == models[0] and c[2] == 0 else c for c in all_]))
    with pytest.raises(FileFormatError, match="hangs under itself"):
        read_fbx(path)
    write_fbx(motion, path)
    change(path, connections(lambda all_: [*all_, ("OO", models[-1], models[0]), ("OO", models[-1], models[1])]))
    with pytest.raises(FileFormatError, match="under several nodes"):
        read_fbx(path)


def test_connections_between_things_that_are_no_ids_are_passed_over_or_refused(tmp_path):
    """Catches an array where a word should be, which compares with words element by element; scripts/fuzz found it."""
    path = tmp_path / "odd.fbx"
    motion = random_motion(12)
    write_fbx(motion, path)
    change(path, connections(lambda all_: [(np.zeros(0), 1, 2), (np.zeros(2), 1, 2), ("PP", 1, 2), *all_]))
    np.testing.assert_allclose(forward(read_fbx(path))[0], forward(motion)[0], atol=1e-5)
    change(path, connections(lambda all_: [("OO", "bone0", 0), *all_]))
    with pytest.raises(FileFormatError, match="not between two ids"):
        read_fbx(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, SIGNAL[0]])
def test_numbers_that_are_none_are_refused(value, tmp_path):
    """Catches NaN that travels from a property or a key into a motion, or out as a NumPy warning."""
    path = tmp_path / "nan.fbx"
    for name in ("KeyValueFloat", "Matrix", "PreRotation", "Lcl Translation", "UnitScaleFactor"):
        write_fbx(random_motion(13), path)

        def edit(record, name=name):
            if record.name == name:
                array = record.values[0].copy()
                with np.errstate(invalid="ignore"):
                    array[:] = value
                return replace(record, values=(array,))
            if record.name == "P" and record.values[0] == name:
                return replace(record, values=(*record.values[:4], *[float(value)] * len(record.values[4:])))
            return record

        change(path, edit)
        with pytest.raises(FileFormatError):
            read_fbx(path)


def test_bones_may_be_nulls_and_names_may_repeat(tmp_path):
    """Catches skeletons of capture programs, which are Null nodes, and two bones of one name."""
    path = tmp_path / "nulls.fbx"
    motion = random_motion(9)
    write_fbx(motion, path)

    def edit(record):
        if record.name == "Model":
            return replace(record, values=(record.values[0], "same\x00\x01Model", "Null"))
        return None if record.name == "NodeAttribute" else record

    change(path, edit)
    with pytest.warns(Mocap3dWarning, match="renamed"):
        back = read_fbx(path)
    assert back.rig.skeleton.joint_names == ("same", "same_2", "same_3", "same_4")
    np.testing.assert_allclose(forward(back)[0], forward(motion)[0], atol=1e-5)


def test_what_a_rig_cannot_hold_is_said(tmp_path):
    """Catches uneven scales passed over in silence, mirrored bones read as unmirrored, a file without bones."""
    path = tmp_path / "odd.fbx"
    motion = random_motion(10)

    def scaled(*scale):
        write_fbx(motion, path)
        change(path, lambda r: with_rows(r, Lcl__Scaling=scale) if r.name == "Model" and name_of(r) == "bone1" else r)

    scaled(1.0, 2.0, 3.0)
    with pytest.warns(Mocap3dWarning, match="uneven"):
        read_fbx(path)
    scaled(-1.0, 1.0, 1.0)
    with pytest.raises(FileFormatError, match="above 0"):
        read_fbx(path)
    write_fbx(motion, path)
    change(path, lambda record: None if record.name == "Model" else record)
    with pytest.raises(FileFormatError, match="no skeleton"):
        read_fbx(path)
    with pytest.raises(InputError, match="cannot read"):
        read_fbx(tmp_path / "missing.fbx")
