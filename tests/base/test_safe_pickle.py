"""Pickles of others: what is plain comes out as it went in, everything else is refused by name."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.safe_pickle import Opaque, load_npz, load_pickle, load_torch

ARRAYS = st_numpy.arrays(
    st.sampled_from(["<f8", ">f4", "<i8", "u1", "?", "<c8", "<U3", "S2"]), st_numpy.array_shapes(min_dims=0, min_side=0)
)
KEYS = st.text(max_size=4) | st.integers(-9, 2**40) | st.tuples(st.text(max_size=2), st.integers())
SETS = st.sets(st.text(max_size=4) | st.integers(-9, 2**40), max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | ARRAYS | SETS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=8,
)


def written(folder: Path, content: bytes, name: str = "file.pkl") -> Path:
    """A file with that content."""
    (folder / name).write_bytes(content)
    return folder / name


def same(a: Any, b: Any) -> bool:
    """Equal in type, type of number and value, through containers; NumPy brings what it unpickles to native order."""
    if isinstance(a, np.ndarray | np.generic):
        native = [array.astype(array.dtype.newbyteorder("=")) for array in (a, b)]
        return type(a) is type(b) and a.shape == b.shape and len({(n.dtype.str, n.tobytes()) for n in native}) == 1
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and bool(a == b)


@given(PLAIN, st.integers(0, 5))
def test_plain_data_comes_back(tmp_path_factory: pytest.TempPathFactory, made: object, protocol: int) -> None:
    """Catches a wrong opcode: signs, lengths, order of items, byte order, Fortran order, empty axes, memo."""
    folder = tmp_path_factory.getbasetemp()
    path = written(folder, pickle.dumps([made, made, np.float32(2.5)], protocol))
    assert same(load_pickle(path), [made, made, np.float32(2.5)])


def test_fortran_order_comes_back(tmp_path: Path) -> None:
    """Catches an array that is transposed because its order in memory was ignored."""
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    for protocol in range(6):
        np.testing.assert_array_equal(load_pickle(written(tmp_path, pickle.dumps(array, protocol))), array)


def test_npz_in_the_form_of_videopose3d(tmp_path: Path) -> None:
    """Catches dictionaries that stay inside an array, and plain arrays that no longer come along."""
    positions = {"S1": {"Walking 1": np.random.default_rng(0).normal(size=(5, 32, 3)).astype(np.float32)}}
    cameras = {"S1": {"Walking 1": [np.ones((5, 17, 2), np.float32), np.zeros((4, 17, 2), np.float32)]}}
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6], [1, 2, 3]]}
    np.savez_compressed(
        tmp_path / "data.npz",
        positions_3d=np.array(positions, dtype=object),
        positions_2d=np.array(cameras, dtype=object),
        metadata=np.array(metadata, dtype=object),
        plain=np.arange(6).reshape(2, 3).T,
        ragged=np.array([np.arange(2), np.arange(3)], dtype=object),
    )
    loaded = load_npz(tmp_path / "data.npz")
    assert same(loaded["positions_3d"], positions)
    assert same(loaded["positions_2d"], cameras)
    assert loaded["metadata"] == metadata
    np.testing.assert_array_equal(loaded["plain"], np.arange(6).reshape(2, 3).T)
    assert isinstance(ragged := loaded["ragged"], np.ndarray)
    assert [len(part) for part in ragged] == [2, 3]


def test_python_2_pickle_of_a_body_model(tmp_path: Path) -> None:
    """Catches old files in text protocol: Latin-1 bytes, ``copy_reg``, chumpy arrays, sparse matrices of old SciPy."""

    def array(values: np.ndarray[Any, Any]) -> bytes:
        shape = b"".join(b"I%d\n" % n for n in values.shape)
        raw = repr(values.tobytes())[1:].encode()
        return (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n("
            + shape
            + b"tcnumpy\ndtype\n"
            b"(S'"
            + values.dtype.str[1:].encode()
            + b"'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS"
            + raw
            + b"\ntb"
        )

    def instance(module: bytes, name: bytes, state: bytes) -> bytes:
        return b"ccopy_reg\n_reconstructor\n(c%s\n%s\nc__builtin__\nobject\nNtR(d" % (module, name) + state + b"b"

    template = np.random.default_rng(1).normal(size=(4, 3))
    regressor = scipy.sparse.csc_matrix(np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]]))
    parts = {name: array(getattr(regressor, name)) for name in ("data", "indices", "indptr")}
    sparse = b"S'_shape'\n(I2\nI3\nts" + b"".join(
        b"S'%s'\n" % name.encode() + part + b"s" for name, part in parts.items()
    )
    content = (
        b"(dS'f'\n" + array(np.arange(6, dtype=np.uint32).reshape(2, 3)) + b"sS'v_template'\n"
        + instance(b"chumpy.ch", b"Ch", b"S'x'\n" + array(template) + b"s")
        + b"sS'J_regressor'\n" + instance(b"scipy.sparse.csc", b"csc_matrix", sparse) + b"sS'name'\nVm\\u00e9\ns."
    )  # fmt: skip
    model = load_pickle(written(tmp_path, content))
    assert isinstance(model, dict)
    assert model["name"] == "mé"
    np.testing.assert_array_equal(model["f"], np.arange(6, dtype=np.uint32).reshape(2, 3))
    np.testing.assert_array_equal(model["v_template"], template)
    np.testing.assert_array_equal(model["J_regressor"].toarray(), regressor.toarray())


@pytest.mark.parametrize("kind", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix])
def test_sparse_matrices_of_today(tmp_path: Path, kind: Callable[..., Any]) -> None:
    """Catches rows and columns mixed up, and a class that moved between versions of SciPy."""
    dense = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    for protocol in (1, 2, 4):
        loaded: Any = load_pickle(written(tmp_path, pickle.dumps(kind(dense), protocol)))
        np.testing.assert_array_equal(loaded.toarray(), dense)


def checkpoint() -> dict[str, Any]:
    """A training state as VideoPose3D saves it, with every kind of number that torch has names for."""
    model = torch.nn.Sequential(torch.nn.Conv1d(4, 5, 3), torch.nn.BatchNorm1d(5))
    optimizer = torch.optim.Adam(model.parameters(), amsgrad=True)
    model(torch.randn(2, 4, 6)).sum().backward()
    optimizer.step()
    base = torch.arange(12.0)
    return {
        "epoch": 60,
        "lr": 4e-5,
        "random_state": np.random.RandomState(3),
        "optimizer": optimizer.state_dict(),
        "model_pos": model.state_dict(),
        "model_traj": None,
        "views": [base[3:9].view(2, 3).T, base[::2], torch.tensor(7), torch.zeros(0, 3)],
        "kinds": [torch.tensor([1, 0, 3]).to(kind) for kind in KINDS],
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


KINDS = [torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
         torch.complex64]  # fmt: skip


def as_numpy(made: Any) -> Any:
    """Tensors to arrays, through containers; the oracle."""
    if isinstance(made, torch.Tensor):
        made = made.detach()
        return (made.float() if made.dtype == torch.bfloat16 else made).numpy()
    if isinstance(made, dict):
        return {key: as_numpy(value) for key, value in made.items()}
    return [as_numpy(value) for value in made] if isinstance(made, list) else made


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_checkpoints_without_torch(tmp_path: Path, zipped: bool) -> None:
    """Catches offsets, strides and types of tensors mixed up, in either format; storages read in the wrong order."""
    saved = checkpoint()
    torch.save(saved, tmp_path / "epoch_60.bin", _use_new_zipfile_serialization=zipped)
    loaded = load_torch(tmp_path / "epoch_60.bin")
    assert isinstance(loaded, dict)
    assert isinstance(loaded.pop("random_state"), Opaque)
    del saved["random_state"]
    optimizer, expected = loaded.pop("optimizer"), as_numpy(saved.pop("optimizer"))
    assert same(optimizer["state"], expected["state"])
    assert optimizer["param_groups"][0]["amsgrad"] is True
    assert same(loaded, {key: as_numpy(value) for key, value in saved.items()})


def test_loading_imports_neither_torch_nor_the_pickle_machine(tmp_path: Path) -> None:
    """Catches a reader that hands the file to torch or to Python's own unpickler."""
    torch.save({"model_pos": torch.ones(3)}, tmp_path / "a.bin")
    code = (
        "import sys, pickle, mocap3d.base.safe_pickle as s\n"
        "pickle.loads = pickle.load = pickle.Unpickler = pickle._Unpickler = None\n"
        f"assert s.load_torch({str(tmp_path / 'a.bin')!r})['model_pos'].tolist() == [1, 1, 1]\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Reduced:
    """Pickles to a call of anything."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


HOSTILE = {
    "os.system": (Reduced(os.system, ("echo pwned",)), "posix.system"),
    "eval": (Reduced(eval, ("1+1",)), r"_?builtin.*\.eval"),
    "getattr": (Reduced(getattr, ("", "join")), r"_?builtin.*\.getattr"),
    "import": (Reduced(__import__, ("os",)), r"_?builtin.*\.__import__"),
    "popen": (Reduced(subprocess.Popen, (["true"],)), r"\.Popen"),
    "numpy's own loader": (Reduced(np.load, ("x", None, True)), "numpy.load"),
    "numpy's memmap": (Reduced(np.memmap, ("/etc/hostname",)), "numpy.memmap"),
    "a function of torch": (Reduced(torch.load, ("x",)), "torch.serialization.load"),
    "a type of the same module": (Reduced(np.ndarray, ((10**9,),)), "only be named"),
    "encoding as code": (Reduced(__import__("codecs").encode, ("x", "zip")), "Latin-1"),
    "a set that cannot change": (frozenset({1, 2}), r"\.frozenset|instruction"),
    "a set of tuples": ({(1, 2)}, "neither text nor a number"),
    "records": (np.zeros(2, [("a", "f4"), ("b", "i4")]), "not admitted"),
    "dates": (np.zeros(2, "M8[s]"), "not admitted"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_is_not_plain_is_refused_by_name(tmp_path: Path, name: str, protocol: int) -> None:
    """Catches code that runs when a stranger's file is read, by whichever form of the pickle it comes."""
    made, message = HOSTILE[name]
    pickled = pickle.dumps({"weights": made}, protocol)
    with pytest.raises(FileFormatError, match=message):
        load_pickle(written(tmp_path, pickled))
    array = np.empty((), dtype=object)
    array[()] = made
    np.savez(tmp_path / "bad.npz", x=array)
    with pytest.raises(FileFormatError, match=message):
        load_npz(tmp_path / "bad.npz")
    for zipped in (True, False):
        torch.save({"x": made}, tmp_path / "bad.bin", _use_new_zipfile_serialization=zipped)
        with pytest.raises(FileFormatError, match=message):
            load_torch(tmp_path / "bad.bin")


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    """Catches a network saved with its code, instead of its ``state_dict()``, that goes half way."""
    torch.save(torch.nn.Linear(2, 3), tmp_path / "model.bin")
    with pytest.raises(FileFormatError, match=r"torch\.nn\.modules\.linear\.Linear"):
        load_torch(tmp_path / "model.bin")


def array_pickle(shape: bytes, dtype: bytes, content: bytes, order: bytes = b"<") -> bytes:
    """An array of protocol 2 with parts of one's own choice."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01" + shape
        + b"cnumpy\ndtype\n(U" + bytes([len(dtype)]) + dtype + b"K\x00K\x01tR(K\x03U\x01" + order
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + content + b"tb"
    )  # fmt: skip


BUILT_TWICE = array_pickle(b"K\x02\x85", b"f4", b"U\x08" + bytes(8))
CRAFTED = {
    "nothing": b"",
    "no end": b"]",
    "empty stack": b".",
    "recall of nothing": b"h\x05.",
    "huge memo index": b"Nr\xff\xff\xff\xffq\x01h\x02.",
    "huge text": b"X\xff\xff\xff\xffabc.",
    "huge bytes": b"\x8e" + b"\xff" * 8 + b"abc.",
    "huge whole number": b"\x8b\x00\x01\x00\x00" + b"\x7f" * 256 + b".",
    "digits without end": b"I" + b"9" * 10_000 + b"\n.",
    "extension registry": b"\x82\x01.",
    "buffer out of band": b"\x97.",
    "shape beyond content": array_pickle(b"J\xff\xff\xff\x7fK\x04\x86", b"f4", b"U\x04" + bytes(4)) + b".",
    "negative shape": array_pickle(b"J\xff\xff\xff\xff\x85", b"f4", b"U\x04" + bytes(4)) + b".",
    "text without characters": array_pickle(b"J\xff\xff\xff\x7f\x85", b"S0", b"U\x00") + b".",
    "objects in bytes": array_pickle(b"K\x01\x85", b"O8", b"U\x08" + bytes(8)) + b".",
    "pointers": array_pickle(b"K\x01\x85", b"V8", b"U\x08" + bytes(8)) + b".",
    "odd byte order": array_pickle(b"K\x01\x85", b"f4", b"U\x04" + bytes(4), order=b"?") + b".",
    "array built twice": BUILT_TWICE + b"q\x01" + BUILT_TWICE[BUILT_TWICE.index(b"tR(") + 2 :] + b".",
    "class with a state": b"cnumpy\nndarray\n}b.",
    "text called": b"U\x01a)R.",
    "key that nests": b"}" + b")" + b"\x85" * 200_000 + b"Ns.",
    "storage elsewhere": b"U\x07storageQ.",
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_pickles_are_refused(tmp_path: Path, name: str) -> None:
    """Catches memory asked for on the word of the file, and memory freed while it is still looked at."""
    with pytest.raises(FileFormatError, match=r"file\.pkl"):
        load_pickle(written(tmp_path, CRAFTED[name]))


def test_small_files_do_not_unfold(tmp_path: Path) -> None:
    """Catches one text that is copied a million times, a tensor that repeats one number, and objects without end."""
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x00"
    copy = b"c_codecs\nencode\nh\x00U\x06latin1\x86R"
    with pytest.raises(FileFormatError, match="unfolds"):
        load_pickle(written(tmp_path, b"(" + text + copy * 100 + b"t."))
    with pytest.raises(FileFormatError, match="more than 1000 arrays"):
        load_pickle(written(tmp_path, b"(" + array_pickle(b"K\x00\x85", b"O8", b"]") * 1001 + b"t."))
    with pytest.raises(FileFormatError, match="steps"):
        load_pickle(written(tmp_path, b"N0" * 2_500_001))
    torch.save({"x": torch.ones(1).expand(1000)}, tmp_path / "a.bin")
    with pytest.raises(FileFormatError, match="beyond its storage"):
        load_torch(tmp_path / "a.bin")


def test_zip_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    """Catches zeros that unpack to a thousand times the file, and packings of higher ratio."""
    for packing, message in ((zipfile.ZIP_DEFLATED, "unpack to"), (zipfile.ZIP_LZMA, "unusual")):
        with zipfile.ZipFile(tmp_path / "bomb.npz", "w", packing) as archive:
            archive.writestr("x.npy", bytes(100 << 20 if packing == zipfile.ZIP_DEFLATED else 100))
        with pytest.raises(FileFormatError, match=message):
            load_npz(tmp_path / "bomb.npz")


def test_missing_files_say_so(tmp_path: Path) -> None:
    """Catches an OSError that no caller expects."""
    for load in (load_npz, load_pickle, load_torch):
        with pytest.raises(InputError, match="no such file"):
            load(tmp_path / "none.bin")


def seeds() -> list[tuple[Callable[[Path], object], bytes]]:
    """Small true files of each kind, with the function that reads them."""
    made: list[tuple[Callable[[Path], object], bytes]] = []
    plain = {"a": [1, 2.5, "b", None], "x": np.arange(6.0).reshape(2, 3), "s": scipy.sparse.csc_matrix(np.eye(2))}
    made += [(load_pickle, pickle.dumps(plain, protocol)) for protocol in (0, 2, 4, 5)]
    made += [(load_pickle, CRAFTED["array built twice"]), (load_pickle, BUILT_TWICE + b".")]
    for zipped in (True, False):
        buffer = io.BytesIO()
        state = OrderedDict(w=torch.ones(2, 3), n=torch.tensor(4), p=torch.nn.Parameter(torch.ones(1)))
        torch.save({"model_pos": state}, buffer, _use_new_zipfile_serialization=zipped)
        made.append((load_torch, buffer.getvalue()))
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array(plain, dtype=object), y=np.arange(3))
    return [*made, (load_npz, buffer.getvalue())]


SEEDS = seeds()


@settings(max_examples=200)
@given(st.data())
def test_damaged_files_give_our_errors_only(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Catches an IndexError, a struct.error or a MemoryError that reaches the caller, and a reader that hangs."""
    load, content = data.draw(st.sampled_from(SEEDS))
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        how = data.draw(st.sampled_from(["replace", "insert", "cut", "copy", "end"]))
        if how == "replace":
            damaged[at : at + 1] = data.draw(st.binary(min_size=1, max_size=2))
        elif how == "insert":
            damaged[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        elif how == "copy":
            damaged[at:at] = damaged[at : at + data.draw(st.integers(1, 60))]
        else:
            damaged[at : at + 4 if how == "cut" else None] = b""
    path = written(tmp_path_factory.getbasetemp(), bytes(damaged))
    with contextlib.suppress(FileFormatError):
        load(path)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(list(range(0x21, 0x7F)) + list(range(0x80, 0x99)) + [0, 1, 2, 10]), max_size=60))
def test_random_programs_give_our_errors_only(tmp_path_factory: pytest.TempPathFactory, program: list[int]) -> None:
    """Catches an opcode that trips over what another one left on the stack."""
    path = written(tmp_path_factory.getbasetemp(), b"\x80\x02]}NK\x01)(" + bytes(program) + b".")
    with contextlib.suppress(FileFormatError):
        load_pickle(path)
