"""The bytes of FBX records: written as the layout says, and no length in a file is believed."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.output.fbx.parse import parse_records
from mocap3d.output.fbx.records import Record, write_records

HEAD = b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", 7400)


def written(*records, version=7400):
    """A file as bytes."""
    file = io.BytesIO()
    write_records(file, records, version)
    return file.getvalue()


def by_hand(name, values, count, inside=b"", *, at=27, end=None):
    """A record of version 7400 from its parts; ``end`` lies if given."""
    body = name.encode() + values + inside
    head = struct.pack("<IIIB", at + 13 + len(body) if end is None else end, count, len(values), len(name))
    return head + body


def array(letter, length, raw, encoding=1):
    """One array value."""
    return letter.encode() + struct.pack("<III", length, encoding, len(raw)) + raw


def test_a_record_is_laid_out_as_the_format_says():
    """Catches a wrong width, order or count in a header, and an end that counts from the wrong place."""
    data = written(Record("Ab", (True, np.int16(2), 3, np.int64(4), np.float32(5), 6.0, "ü", b"\x00"), ()))
    values = b"C\x01Y\x02\x00I\x03\x00\x00\x00L" + struct.pack("<q", 4) + b"F" + struct.pack("<f", 5)
    values += b"D" + struct.pack("<d", 6) + b"S\x02\x00\x00\x00\xc3\xbcR\x01\x00\x00\x00\x00"
    record = by_hand("Ab", values, 8, bytes(13))
    assert data.startswith(HEAD + record + bytes(13))
    wide = written(Record("Ab", (7,), (Record("C"),)), version=7500)
    inner = struct.pack("<QQQB", 27 + 25 + 2 + 5 + 26, 0, 0, 1) + b"C"
    outer = struct.pack("<QQQB", 27 + 25 + 2 + 5 + 26 + 25, 1, 5, 2) + b"AbI\x07\x00\x00\x00" + inner + bytes(25)
    assert wide[27:].startswith(outer + bytes(25))


def test_the_footer_ends_on_sixteen_bytes():
    """Catches a footer that Autodesk's programs call corrupt: padding, version and closing mark at their places."""
    for length in range(20):
        data = written(Record("x" * length))
        end = data.rindex(struct.pack("<I", 7400) + bytes(120))
        assert end % 16 == 0
        assert data[end + 124 :] == bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")


numbers = st.sampled_from(["?", "<i4", "<i8", "<f4", "<f8"]).flatmap(
    lambda kind: st.lists(st.integers(0, 1 if kind == "?" else 9), max_size=90).map(lambda n: np.array(n, dtype=kind))
)
values = st.one_of(
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    numbers,
)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
records = st.recursive(
    st.builds(Record, names, st.lists(values, max_size=3).map(tuple)),
    lambda inner: st.builds(Record, names, st.lists(values, max_size=2).map(tuple), st.lists(inner).map(tuple)),
    max_leaves=8,
)


@given(st.lists(records, max_size=4), st.sampled_from([7400, 7500]))
def test_what_is_written_is_read(tree, version):
    """Catches any value or nesting that does not come back with its type: long names, empty lists, packed arrays."""
    assert_same(parse_records(written(*tree, version=version), ""), tuple(tree))


def assert_same(read, tree):
    """Compare records with arrays inside."""
    assert len(read) == len(tree)
    for a, b in zip(read, tree, strict=True):
        assert (a.name, len(a.values)) == (b.name, len(b.values))
        for x, y in zip(a.values, b.values, strict=True):
            assert type(x) is type(y)
            np.testing.assert_array_equal(x, y)
        assert (a.children is None) == (b.children is None)
        assert_same(a.children or (), b.children or ())


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (by_hand("A", b"", 0, end=2**31), "claims to end"),
        (by_hand("A", b"", 0, end=20), "claims to end"),
        (by_hand("A", b"I\x00\x00\x00\x00", 2**31), "claims 2147483648 values"),
        (by_hand("A", b"I\x00\x00", 1), "does not fit"),
        (by_hand("A", b"S" + struct.pack("<I", 2**31) + b"abc", 1), "does not fit"),
        (by_hand("A", b"?", 1), "unknown kind of value"),
        (by_hand("A", array("d", 2**29, zlib.compress(bytes(8))), 1), "too well to be true"),
        (by_hand("A", array("d", 2, zlib.compress(bytes(8))), 1), "8 bytes instead of 16"),
        (by_hand("A", array("d", 1, zlib.compress(bytes(10**6))), 1), "9 bytes instead of 8"),
        (by_hand("A", array("d", 1, zlib.compress(bytes(8))[:-5]), 1), "cut off"),
        (by_hand("A", array("d", 1, b"nothing packed"), 1), "broken"),
        (by_hand("A", array("d", 2**31, bytes(8), 0), 1), "instead of"),
        (by_hand("A", array("d", 1, bytes(8), 7), 1), "unknown packing"),
    ],
)
def test_lying_lengths_are_refused(record, message):
    """Catches an end beyond the file or before the record, a count or an array without its bytes."""
    with pytest.raises(FileFormatError, match=message):
        parse_records(HEAD + record + bytes(13), "a.fbx")


def test_a_bomb_of_packed_zeros_is_refused_before_it_takes_memory():
    """Catches arrays unpacked before their size is held against the file's, one or many."""
    bomb = array("d", 2**21, zlib.compress(bytes(2**24), 9))
    data = HEAD
    for _ in range(20):
        data += by_hand("A", bomb, 1, at=len(data))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="too well to be true"):
        parse_records(data + bytes(13), "bomb.fbx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**27


def test_deep_nesting_is_refused():
    """Catches a RecursionError, or a crash, in a file that is 10,000 records deep."""
    record = Record("A")
    for _ in range(300):
        record = Record("A", (), (record,))
    with pytest.raises(FileFormatError, match="nested more than"):
        parse_records(written(record), "deep.fbx")
    end, data = 27 + 14 * 10_000, HEAD
    for _ in range(10_000):
        data += struct.pack("<IIIB", end, 0, 0, 1) + b"A"
    with pytest.raises(FileFormatError, match="nested more than"):
        parse_records(data, "deep.fbx")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no FBX file"),
        (b"solid cube", "no FBX file"),
        (b"; FBX 7.4.0 project file\n", "as text"),
        (b"\xef\xbb\xbf; FBX 7.4.0 project file\n", "as text"),
        (HEAD[:23], "ends within its header"),
        (HEAD[:23] + struct.pack("<I", 6100), "version 6100"),
        (HEAD[:22] + b"\x01" + struct.pack(">I", 7400), "big-endian"),
        (HEAD, "ends within a record"),
    ],
)
def test_other_files_are_refused_in_words(data, message):
    """Catches a text FBX, an old one or no FBX at all refused without saying what it is."""
    with pytest.raises(FileFormatError, match=message):
        parse_records(data, "a.fbx")


def test_what_no_file_can_hold_is_refused():
    """Catches a UnicodeEncodeError, or half of a pair of UTF-16 written as a question mark."""
    with pytest.raises(InputError, match="no text"):
        written(Record("A", ("\ud800",)))
