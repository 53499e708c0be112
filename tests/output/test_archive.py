"""The lossless archives, NPZ and HDF5, and JSON: every bit comes back, and nothing else is let in."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
import warnings
import zipfile
from dataclasses import replace
from fractions import Fraction

import h5py
import numpy as np
import pytest
from fuzzing import assert_survives, example
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig, Tip
from mocap3d.base.rotations import wxyz_normalized
from mocap3d.base.skeleton import Skeleton
from mocap3d.output.archive import read_h5, read_npz, write_h5, write_npz
from mocap3d.output.json_motion import read_json, write_json

FORMATS = [(write_npz, read_npz, "npz"), (write_h5, read_h5, "h5"), (write_json, read_json, "json")]
every_format = pytest.mark.parametrize(("write", "read", "suffix"), FORMATS, ids=[suffix for _, _, suffix in FORMATS])


def bits(array):
    """The bytes of an array; None stays None."""
    return None if array is None else (array.shape, array.tobytes())


def assert_same(a, b):
    """Compare everything a motion holds, bit for bit."""
    assert a.rig.skeleton == b.rig.skeleton
    assert (a.fps, a.start_frame) == (b.fps, b.start_frame)
    assert [(tip.name, tip.parent, bits(tip.offset_m)) for tip in a.rig.tips] == [
        (tip.name, tip.parent, bits(tip.offset_m)) for tip in b.rig.tips
    ]
    for name in ("local_wxyz", "root_m", "local_m", "contacts"):
        assert bits(getattr(a, name)) == bits(getattr(b, name)), name
    assert bits(a.rig.offsets_m) == bits(b.rig.offsets_m)
    assert bits(a.rig.rest_wxyz) == bits(b.rig.rest_wxyz)


@pytest.fixture
def full_motion(rested_motion):
    """A motion that has everything: rest rotations, moving joints, contacts, a first frame, tips."""
    rng = np.random.default_rng(5)
    frames, joints = rested_motion.local_wxyz.shape[:2]
    contacts = rng.random((frames, 4))
    contacts[0] = -0.0
    return replace(rested_motion, local_m=rng.normal(size=(frames, joints, 3)), contacts=contacts, start_frame=-17)


@every_format
def test_everything_comes_back_bit_for_bit(full_motion, wild_motion, tmp_path, write, read, suffix):
    """Catches a field that is forgotten, rounding, a float of another size, -0 that becomes 0."""
    for motion in (full_motion, wild_motion, replace(wild_motion, fps=Fraction(24000, 1001))):
        write(motion, tmp_path / f"a.{suffix}")
        assert_same(read(tmp_path / f"a.{suffix}"), motion)


@st.composite
def motions(draw):
    """Any motion: one joint or more, one frame or more, names of any kind."""
    names = draw(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5, unique=True))
    count, frames = len(names), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parents = [-1, *(int(rng.integers(0, j)) for j in range(1, count))]
    skeleton = Skeleton(
        name=draw(st.text(max_size=5)), joint_names=tuple(names), parents=tuple(parents), mirror=tuple(range(count))
    )
    tips = tuple(
        Tip(name=name, parent=int(rng.integers(0, count)), offset_m=rng.normal(size=3))
        for name in draw(st.lists(st.text(max_size=5), max_size=3))
    )
    rig = Rig(
        skeleton=skeleton,
        offsets_m=rng.normal(size=(count, 3)),
        rest_wxyz=wxyz_normalized(rng.normal(size=(count, 4))),
        tips=tips,
    )
    return Motion(
        rig=rig,
        fps=draw(st.fractions(Fraction(1, 1000), 10**6)),
        local_wxyz=wxyz_normalized(rng.normal(size=(frames, count, 4))),
        root_m=rng.normal(size=(frames, 3)) * 10.0 ** draw(st.integers(-300, 300)),
        contacts=rng.random((frames, 4)) if draw(st.booleans()) else None,
        local_m=rng.normal(size=(frames, count, 3)) if draw(st.booleans()) else None,
        start_frame=draw(st.integers(-(2**70), 2**70)),
    )


@every_format
@given(motion=motions())
def test_any_motion_comes_back(tmp_path_factory, motion, write, read, suffix):
    """Catches names that a format cannot hold, lone surrogates among them, single joints, rates of large fractions."""
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    with np.errstate(all="ignore"):
        write(motion, path)
    assert_same(read(path), motion)


def test_npz_and_hdf5_are_what_the_docs_say(full_motion, tmp_path):
    """Catches arrays under other names, and pickles: NumPy and h5py alone must read them."""
    write_npz(full_motion, tmp_path / "a.npz")
    write_h5(full_motion, tmp_path / "a.h5")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as npz, h5py.File(tmp_path / "a.h5") as h5:
        names = {"meta", "offsets_m", "rest_wxyz", "tip_offsets_m", "root_m", "local_wxyz", "local_m", "contacts"}
        assert set(npz.files) == set(h5) == names
        for name in names - {"meta"}:
            np.testing.assert_array_equal(npz[name], h5[name][()])
        facts = json.loads(str(npz["meta"]))
        assert facts == json.loads(h5["meta"][()].tobytes())
        assert (h5.attrs["format"], h5.attrs["version"]) == ("mocap3d-archive", 1)
        assert h5["local_wxyz"].chunks == (60, 18, 4)
    assert (facts["format"], facts["version"], facts["fps"]) == ("mocap3d-archive", 1, [30000, 1001])
    assert facts["joint_names"] == list(full_motion.rig.skeleton.joint_names)


def test_json_tells_positions_too(wild_motion, tmp_path):
    """Catches positions that are not those of the rotations, and lines that hold more than a frame."""
    write_json(wild_motion, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    document = json.loads(text)
    world_m = [frame["world_m"] for frame in document["frames"]]
    np.testing.assert_allclose(world_m, forward(wild_motion)[0], rtol=0, atol=5.1e-7)
    assert len(text.splitlines()) == 1 + len(wild_motion) + 1


@every_format
def test_other_content_is_refused_by_name(tmp_path, write, read, suffix):
    """Catches a KeyError or worse from a file of another program, and a path that is a folder."""
    path = tmp_path / f"other.{suffix}"
    for content in (b"", b"{}", b"[" * 100_000, b"\x89HDF\r\n\x1a\n" + bytes(100), b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        with pytest.raises(FileFormatError) as caught:
            read(path)
        assert str(path) in str(caught.value)
    for missing in (tmp_path, tmp_path / f"none.{suffix}"):
        with pytest.raises(InputError):
            read(missing)


@every_format
def test_a_later_version_is_refused(wild_motion, tmp_path, write, read, suffix):
    """Catches a file of the future that is read half."""
    path = tmp_path / f"later.{suffix}"
    write(wild_motion, path)
    content = path.read_bytes()
    mark = '"version": 1'.encode("utf-32-le" if suffix == "npz" else "utf-8")
    assert content.count(mark) == 1
    later = mark.replace(b"1", b"2")
    path.write_bytes(content.replace(mark, later))
    if suffix == "npz":  # its checksum must fit
        with np.load(io.BytesIO(content)) as file:
            arrays = dict(file)
        np.savez(path, **arrays | {"meta": np.array(str(arrays["meta"]).replace('"version": 1', '"version": 2'))})
    with pytest.raises(FileFormatError, match="version 1"):
        read(path)


def changed_npz(path, motion, **changes):
    """Write an archive, some of its arrays exchanged."""
    write_npz(motion, path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"root_m": np.zeros((1, 3))},
        {"root_m": np.zeros((60, 3), dtype=np.float32)},
        {"root_m": np.zeros((60, 3), dtype=complex)},
        {"local_wxyz": np.zeros((60, 18, 4))},
        {"contacts": np.full((60, 4), np.nan)},
        {"tip_offsets_m": np.zeros((4, 3))},
        {"offsets_m": np.zeros(0)},
        {"meta": np.zeros(3)},
        {"meta": np.array("{")},
        {"root_m": np.array({"a": 1}, dtype=object)},
    ],
    ids=lambda changes: "-".join(f"{name}{array.dtype}" for name, array in changes.items()),
)
def test_arrays_that_do_not_fit_are_refused(wild_motion, tmp_path, changes):
    """Catches a motion put together of parts that contradict each other."""
    changed_npz(tmp_path / "a.npz", wild_motion, **changes)
    with pytest.raises(FileFormatError):
        read_npz(tmp_path / "a.npz")


def test_an_amass_file_is_named(tmp_path):
    """Catches a message that leaves the user alone with the two kinds of .npz."""
    np.savez(tmp_path / "a.npz", poses=np.zeros((1, 156)), trans=np.zeros((1, 3)))
    with pytest.raises(FileFormatError, match="AMASS"):
        read_npz(tmp_path / "a.npz")


def assert_refused_at_once(read, path, message):
    """The file is refused in little time and memory."""
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(FileFormatError, match=message):
        read(path)
    assert time.perf_counter() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_bombs_and_lying_shapes_cost_nothing(wild_motion, tmp_path):
    """Catches gigabytes reserved for a file of a few kilobytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 18, 4)})
    with zipfile.ZipFile(tmp_path / "lying.npz", "w") as file:
        file.writestr("local_wxyz.npy", header.getvalue())
    assert_refused_at_once(read_npz, tmp_path / "lying.npz", "damaged")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as member:
        for _ in range(200):
            member.write(bytes(1 << 20))
    assert_refused_at_once(read_npz, tmp_path / "bomb.npz", "unpack")
    write_h5(wild_motion, tmp_path / "bomb.h5")
    with h5py.File(tmp_path / "bomb.h5", "a") as file:
        del file["root_m"]
        file.create_dataset("root_m", (10**10, 3), dtype="f8", chunks=(256, 3))
    assert_refused_at_once(read_h5, tmp_path / "bomb.h5", "larger than the file")


def test_hdf5_that_leads_elsewhere_is_refused(wild_motion, tmp_path):
    """Catches a file that makes us read others of the machine: links, external storage, virtual datasets."""
    write_h5(wild_motion, tmp_path / "other.h5")
    layout = h5py.VirtualLayout(shape=(60, 3), dtype="f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "root_m", shape=(60, 3))
    for n, put in enumerate(
        (
            lambda file: file.__setitem__("root_m", h5py.ExternalLink("other.h5", "root_m")),
            lambda file: file.__setitem__("root_m", h5py.SoftLink("/offsets_m")),
            lambda file: file.create_dataset("root_m", (60, 3), "f8", external=[(str(tmp_path / "raw"), 0, 1440)]),
            lambda file: file.create_virtual_dataset("root_m", layout),
            lambda file: file.create_group("root_m"),
        )
    ):
        path = tmp_path / f"leads-{n}.h5"
        write_h5(wild_motion, path)
        with h5py.File(path, "a") as file:
            del file["root_m"]
            put(file)
        with pytest.raises(FileFormatError, match="root_m"):
            read_h5(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d | {"fps": [30, 0]},
        lambda d: d | {"fps": [30.5, 1]},
        lambda d: d | {"fps": "30"},
        lambda d: d | {"parents": d["parents"][:-1]},
        lambda d: d | {"parents": [True, *d["parents"][1:]]},
        lambda d: d | {"joint_names": [1, *d["joint_names"][1:]]},
        lambda d: d | {"frames": []},
        lambda d: d | {"frames": {}},
        lambda d: d | {"frames": [{"root_m": [0, 0, 0]}]},
        lambda d: d | {"offsets_m": [["0", "0", "0"]] * 22},
        lambda d: d | {"offsets_m": [[10**400, 0, 0]] * 22},
        lambda d: d | {"offsets_m": [[0, 0]] * 22},
        lambda d: d | {"offsets_m": [[float("nan"), 0, 0]] * 22},
        lambda d: d | {"start_frame": None},
        lambda d: [d],
    ],
)
def test_json_that_contradicts_itself_is_refused(tmp_path, change):
    """Catches a TypeError from a value of another kind."""
    write_json(example(), tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(change(document)))
    with pytest.raises(FileFormatError):
        read_json(tmp_path / "a.json")


@every_format
def test_two_thousand_damaged_files_are_read_or_refused(tmp_path, write, read, suffix):
    """Catches any other exception, and memory reserved for a length that lies."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(example(3), tmp_path / f"small.{suffix}")
    assert_survives(read, [tmp_path / f"small.{suffix}"], tmp_path)
