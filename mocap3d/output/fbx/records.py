"""Records, the one building block of a binary FBX file: a name, a list of values, and records inside.

Layout (little-endian), as Blender's developers worked it out; Autodesk has published nothing:

    file     "Kaydara FBX Binary  " 00 1A 00, version uint32, records, an empty record, footer
    record   end (of it, counted from the start of the file), number of values, bytes of the values: three uint32, from
             version 7500 on three uint64; length of the name as one byte; name; values; records inside, then an empty
             record (all zero) if there are any
    value    one letter, then: C bool, Y int16, I int32, L int64, F float32, D float64; S string and R raw bytes behind
             their length as uint32; b i l f d arrays behind number of elements, encoding (1: zlib) and bytes as uint32

The children of a record may be a generator, so that a long animation is written curve by curve.

Reference:
    "FBX binary file format specification", code.blender.org, 2013 (record layout); the width of the header from 7500 on
    and the footer are as files of Maya and Blender have them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError

__all__ = ["ARRAY_LETTERS", "MAGIC", "SCALARS", "WIDE_FROM", "ArrayValue", "Record", "Value", "write_records"]

ArrayValue: TypeAlias = NDArray[np.bool_ | np.signedinteger | np.floating]
Value: TypeAlias = bool | int | float | str | bytes | np.int16 | np.int64 | np.float32 | ArrayValue
"""What a record holds: Python's int is an int32 (ids need ``np.int64``), float a float64."""

MAGIC: Final = b"Kaydara FBX Binary  \x00\x1a\x00"
WIDE_FROM: Final = 7500
"""The first version whose record headers count in 64 bits."""

SCALARS: Final = {"C": "<?", "Y": "<h", "I": "<i", "L": "<q", "F": "<f", "D": "<d"}
"""Letter of a single value -> its struct format."""
ARRAY_LETTERS: Final = {"b": "?", "i": "<i4", "l": "<i8", "f": "<f4", "d": "<f8"}
"""Letter of an array -> its NumPy type."""

_LETTER_OF: Final = {np.dtype(kind): letter for letter, kind in ARRAY_LETTERS.items()}
_COMPRESS_FROM: Final = 128  # bytes; a shorter array does not get smaller
_FOOTER_ID: Final = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")  # goes with FILE_ID and the time 1970-01-01 10:00
_FOOTER_END: Final = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        name: at most 255 bytes of ASCII.
        values: in order.
        children: records inside; read from a file they are a tuple. None: there is no list of them, which a few
            readers tell from an empty one.
    """

    name: str
    values: tuple[Value, ...] = ()
    children: Iterable[Record] | None = None


def write_records(file: BinaryIO, records: Iterable[Record], version: int) -> None:
    """Write a whole binary FBX; the file must be able to seek, since a record begins with where it ends.

    Raises:
        InputError: a value does not fit: a string that UTF-8 cannot hold, or a file of 4 GiB and more as version 7400.
    """
    file.write(MAGIC + struct.pack("<I", version))
    empty = bytes(25 if version >= WIDE_FROM else 13)
    for record in records:
        _write(file, record, version)
    file.write(empty + _FOOTER_ID + bytes(4))
    file.write(bytes(16 - file.tell() % 16) + struct.pack("<I", version) + bytes(120) + _FOOTER_END)


def _write(file: BinaryIO, record: Record, version: int) -> None:
    header = "<QQQB" if version >= WIDE_FROM else "<IIIB"
    start = file.tell()
    name = record.name.encode("ascii")
    values = b"".join(map(_value_bytes, record.values))
    file.write(struct.pack(header, 0, 0, 0, len(name)) + name + values)
    if record.children is not None:
        for child in record.children:
            _write(file, child, version)
        file.write(bytes(struct.calcsize(header)))
    end = file.tell()
    if end >= 1 << 32 and version < WIDE_FROM:
        raise InputError(f"this needs more than 4 GiB, which FBX {version} cannot count; write version {WIDE_FROM}")
    file.seek(start)
    file.write(struct.pack(header, end, len(record.values), len(values), len(name)))
    file.seek(end)


def _value_bytes(value: Value) -> bytes:
    if isinstance(value, np.ndarray):
        return _array_bytes(value)
    if isinstance(value, str):
        try:
            text = value.encode()
        except UnicodeEncodeError:
            raise InputError(f"a file cannot hold the name {value!r}: it is no text") from None
        return b"S" + struct.pack("<I", len(text)) + text
    if isinstance(value, bytes):
        return b"R" + struct.pack("<I", len(value)) + value
    letter = _scalar_letter(value)
    return letter.encode() + struct.pack(SCALARS[letter], value)


def _scalar_letter(value: bool | int | float | np.int16 | np.int64 | np.float32) -> str:
    for kind, letter in ((bool, "C"), (np.int16, "Y"), (np.int64, "L"), (np.float32, "F"), (int, "I"), (float, "D")):
        if isinstance(value, kind):
            return letter
    raise TypeError(f"no FBX value: {value!r}")


def _array_bytes(array: ArrayValue) -> bytes:
    raw = np.ascontiguousarray(array).tobytes()
    packed = zlib.compress(raw, 1) if len(raw) >= _COMPRESS_FROM else raw
    letter = _LETTER_OF[array.dtype]
    return letter.encode() + struct.pack("<III", array.size, len(raw) >= _COMPRESS_FROM, len(packed)) + packed
