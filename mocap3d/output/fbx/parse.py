"""The bytes of a binary FBX -> records; every length in the file is doubted.

Work and memory are bounded by the size of the file: a record costs at least 13 bytes there, records are nested
``_DEEPEST`` deep at most, and packed arrays must unpack to exactly what they announce, all together to at most
``_LARGEST_RATIO`` times the file (beyond a first ``_FREE_BYTES``).
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np

from mocap3d.base.errors import FileFormatError
from mocap3d.output.fbx.records import ARRAY_LETTERS, MAGIC, SCALARS, WIDE_FROM, ArrayValue, Record, Value

__all__ = ["parse_records"]

_SCALARS: Final = SCALARS | {"B": "<?", "Z": "<b"}  # and what some files have besides: bytes
_ARRAYS: Final = ARRAY_LETTERS | {"c": "i1"}
_VERSIONS: Final = range(7000, 8000)
_DEEPEST: Final = 32  # real files nest six levels
_FREE_BYTES: Final = 1 << 26
_LARGEST_RATIO: Final = 50  # curves and meshes pack to about a fifth


def parse_records(data: bytes, path: str) -> tuple[Record, ...]:
    """Parse a whole file.

    Args:
        data: its bytes.
        path: for messages.

    Raises:
        FileFormatError: no binary FBX of a version from 7.0 on, or one that is cut off or contradicts itself.
    """
    if not data.startswith(MAGIC[:20]):
        if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b";") or b"FBXHeaderExtension" in data[:4096]:
            raise FileFormatError("this is FBX as text (ASCII); export it as binary FBX", path=path)
        raise FileFormatError("this is no FBX file: it does not begin with 'Kaydara FBX Binary'", path=path)
    if len(data) < 27:
        raise FileFormatError("the file ends within its header", path=path)
    if data[21:23] != MAGIC[21:23]:
        raise FileFormatError("this FBX is big-endian; export it again with a program of this century", path=path)
    (version,) = struct.unpack_from("<I", data, len(MAGIC))
    if version not in _VERSIONS:
        raise FileFormatError(f"FBX version {version}; only 7.x can be read, export it as FBX 2011 or later", path=path)
    return _Parser(data, version, path).records(27, len(data), 0)


class _Parser:
    """Reads records from bytes.

    Attributes:
        data: the file.
        header: struct of a record's header.
        path: for messages.
        budget: bytes that arrays may still unpack to.
    """

    def __init__(self, data: bytes, version: int, path: str) -> None:
        self.data = data
        self.header = struct.Struct("<QQQB" if version >= WIDE_FROM else "<IIIB")
        self.path = path
        self.budget = _FREE_BYTES + _LARGEST_RATIO * len(data)

    def error(self, message: str, at: int) -> FileFormatError:
        return FileFormatError(f"byte {at}: {message}", path=self.path)

    def records(self, at: int, stop: int, depth: int) -> tuple[Record, ...]:
        """Read records until an empty one, or until ``stop`` inside another record."""
        if depth > _DEEPEST:
            raise self.error(f"records are nested more than {_DEEPEST} deep", at)
        found: list[Record] = []
        while at < stop or depth == 0:
            if at + self.header.size > stop:
                raise self.error("the file ends within a record", at)
            end, count, size, name_size = self.header.unpack_from(self.data, at)
            if end == 0:
                break
            values_at = at + self.header.size + name_size
            if not values_at + size <= end <= stop:
                raise self.error(f"a record claims to end at byte {end} and to hold {size} bytes of values", at)
            name = self.data[at + self.header.size : values_at].decode("latin-1")
            values = self.values(count, values_at, values_at + size)
            inside = end > values_at + size
            children = self.records(values_at + size, end, depth + 1) if inside else None
            found.append(Record(name, values, children))
            at = end
        return tuple(found)

    def values(self, count: int, at: int, stop: int) -> tuple[Value, ...]:
        """Read the values of a record, which must fill its bytes exactly."""
        if count > stop - at:
            raise self.error(f"a record claims {count} values in {stop - at} bytes", at)
        values: list[Value] = []
        for _ in range(count):
            letter = self.data[at : at + 1].decode("latin-1") if at < stop else ""
            if letter in _SCALARS:
                kind = struct.Struct(_SCALARS[letter])
                self.need(kind.size, at + 1, stop)
                values.append(_scalar(letter, kind.unpack_from(self.data, at + 1)[0]))
                at += 1 + kind.size
            elif letter in ("S", "R"):
                self.need(4, at + 1, stop)
                (size,) = struct.unpack_from("<I", self.data, at + 1)
                self.need(size, at + 5, stop)
                raw = self.data[at + 5 : at + 5 + size]
                values.append(raw if letter == "R" else raw.decode("utf-8", "replace"))
                at += 5 + size
            elif letter in _ARRAYS:
                self.need(12, at + 1, stop)
                length, encoding, size = struct.unpack_from("<III", self.data, at + 1)
                self.need(size, at + 13, stop)
                values.append(self.array(letter, length, encoding, at + 13, size))
                at += 13 + size
            else:
                raise self.error(f"unknown kind of value {letter!r}", at)
        return tuple(values)

    def need(self, size: int, at: int, stop: int) -> None:
        if at + size > stop:
            raise self.error(f"a value of {size} bytes does not fit into its record", at)

    def array(self, letter: str, length: int, encoding: int, at: int, size: int) -> ArrayValue:
        """Unpack one array; no more is ever unpacked than it announces."""
        kind = np.dtype(_ARRAYS[letter])
        expected = length * kind.itemsize
        raw = self.data[at : at + size]
        if encoding == 1:
            self.budget -= expected
            if self.budget < 0:
                raise self.error("the arrays of this file are packed too well to be true", at)
            raw = self.inflated(raw, expected, at)
        elif encoding != 0:
            raise self.error(f"unknown packing {encoding} of an array", at)
        if len(raw) != expected:
            raise self.error(f"an array of {length} elements has {len(raw)} bytes instead of {expected}", at)
        if letter == "b":
            return np.asarray(np.frombuffer(raw, dtype=np.uint8) != 0, dtype=np.bool_)
        array: ArrayValue = np.frombuffer(raw, dtype=kind)
        return array

    def inflated(self, raw: bytes, expected: int, at: int) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            unpacked = unpacker.decompress(raw, expected + 1)
        except zlib.error as error:
            raise self.error(f"a packed array is broken: {error}", at) from None
        if not unpacker.eof and len(unpacked) <= expected:
            raise self.error("a packed array is cut off", at)
        return unpacked


def _scalar(letter: str, value: bool | int | float) -> Value:
    """Keep the width of what is not Python's own, so that writing gives the same bytes."""
    if letter == "L":
        return np.int64(value)
    if letter == "Y":
        return np.int16(value)
    return np.float32(value) if letter == "F" else value
