from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mocap3d.data_prep.matlab5 import read_mat5
from scipy.io import savemat

from mocap3d.base.errors import FileFormatError, InputError

KINDS = ["<f8", "<f4", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"]


def boxes(*arrays):
    cells = np.empty((len(arrays), 1), dtype=object)
    for i, array in enumerate(arrays):
        cells[i, 0] = array
    return cells


@given(
    array=st.sampled_from(KINDS).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=2, max_dims=3, max_side=4))
    ),
    compress=st.booleans(),
)
def test_reads_what_scipy_writes(tmp_path_factory, array, compress):
    """Catches rows for columns, a length that is padded wrongly, and numbers of another type."""
    path = tmp_path_factory.getbasetemp() / "a.mat"
    contents = {"a": array, "cells": boxes(array, array[:1], np.zeros((0, 3))), "text": "hello", "one": 3}
    savemat(path, contents, do_compression=compress)
    found = read_mat5(path, ["a", "cells", "text", "one", "absent"])
    assert set(found) == {"a", "cells", "one"}
    assert found["a"].dtype == array.dtype
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["cells"][1, 0], array[:1])
    assert found["cells"].shape == (3, 1)
    assert found["cells"][2, 0].size == 0
    assert found["one"].item() == 3


def big_endian() -> bytes:
    """A file of one 1 x 2 double, written by hand as MATLAB on a big-endian machine writes it."""
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    size = struct.pack(">IIii", 5, 8, 1, 2)
    name = struct.pack(">HH4s", 1, 1, b"x\0\0\0")  # the short form
    numbers = struct.pack(">II", 9, 16) + struct.pack(">dd", 1.5, -2.0)
    matrix = flags + size + name + numbers
    return b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x100) + b"MI" + struct.pack(">II", 14, len(matrix)) + matrix


def test_big_endian_files(tmp_path):
    """Catches bytes in the order of this machine."""
    (tmp_path / "a.mat").write_bytes(big_endian())
    np.testing.assert_array_equal(read_mat5(tmp_path / "a.mat", ["x"])["x"], [[1.5, -2.0]])


def test_what_is_no_such_file_is_refused(tmp_path):
    """Catches tracebacks, and a bomb that unpacks to more than the machine has."""
    with pytest.raises(InputError, match="cannot read"):
        read_mat5(tmp_path / "absent.mat", [])
    path = tmp_path / "a.mat"
    for contents, message in (
        (b"", "not a MATLAB file"),
        (b"MATLAB 7.3 MAT-file".ljust(200), "with -v7"),
        (big_endian()[:-3], "of which"),
        (big_endian()[:131], "middle of a tag"),
    ):
        path.write_bytes(contents)
        with pytest.raises(FileFormatError, match=message):
            read_mat5(path, ["x"])


def test_deep_cells_are_refused(tmp_path):
    """Catches a recursion without end."""
    value = np.zeros((1, 1))
    for _ in range(8):
        value = boxes(value)
    savemat(tmp_path / "a.mat", {"x": value})
    with pytest.raises(FileFormatError, match="deep"):
        read_mat5(tmp_path / "a.mat", ["x"])


def good_file(*, compress: bool) -> bytes:
    buffer = io.BytesIO()
    contents = {"a": boxes(np.arange(6.0).reshape(2, 3), np.arange(4).reshape(2, 2)), "b": {"field": [1, 2]}}
    savemat(buffer, contents, do_compression=compress)
    return buffer.getvalue()


@given(data=st.data(), compress=st.booleans())
def test_mangled_files_raise_only_our_errors(tmp_path_factory, data, compress):
    """Catches lengths and types that are believed; SciPy's reader crashes the interpreter on some of these files."""
    mangled = bytearray(good_file(compress=compress))
    inside = compress and data.draw(st.booleans())
    if inside:  # damage below the compression, which a checksum would hide
        size = int.from_bytes(mangled[132:136], "little")
        body = bytearray(zlib.decompress(bytes(mangled[136 : 136 + size])))
    else:
        body = mangled
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    if inside:
        packed = zlib.compress(bytes(body))
        mangled = mangled[:132] + len(packed).to_bytes(4, "little") + packed
    path = tmp_path_factory.getbasetemp() / "mangled.mat"
    path.write_bytes(bytes(mangled[: data.draw(st.integers(1, len(mangled)))]))
    with contextlib.suppress(FileFormatError):
        read_mat5(path, ["a", "b"])
