"""MATLAB's files of version 5 to 7 (``save -v7``): numbers, and cells of numbers. Other classes are passed over.

SciPy's reader can be brought to crash the interpreter by a damaged file, and data sets come from anywhere; this one
checks every length against the bytes that are there.

Source: MathWorks, MAT-File Format, "Version 5 MAT-file format"
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["read_mat5"]

_HEADER: Final = 128
_MATRIX, _COMPRESSED = 14, 15
# Element types that hold numbers -> NumPy's letters.
_NUMBERS: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CELL: Final = 1
_CLASSES: Final = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX: Final = 0x0800
_DEEPEST: Final = 4
_LARGEST: Final = 2**31  # bytes of one variable, unpacked
_CHUNK: Final = 2**20


class _BadError(ValueError):
    """What is wrong with a file."""


class _Element(NamedTuple):
    kind: int
    data: memoryview


def read_mat5(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Read some variables of a file.

    Args:
        path: the file.
        names: which variables; those that are not there, or of another class, are left out.

    Returns:
        Numbers as an array of MATLAB's shape; a cell array as an object array of such arrays (None for other classes).

    Raises:
        InputError: the file cannot be opened.
        FileFormatError: not such a file, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if data.startswith(b"MATLAB 7.3") or data.startswith(b"\x89HDF"):
        raise FileFormatError("saved by MATLAB as version 7.3; save it again with -v7", path=path)
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None:
        raise FileFormatError("not a MATLAB file of version 5 to 7", path=path)
    try:
        return dict(_variables(memoryview(data)[_HEADER:], order, frozenset(names)))
    except (_BadError, zlib.error, MemoryError) as error:
        raise FileFormatError(f"damaged MATLAB file: {error}", path=path) from None


def _variables(data: memoryview, order: str, names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for element in _elements(data, order):
        if element.kind == _COMPRESSED:
            element = next(_elements(memoryview(_unpacked(element.data)), order), element)
        if element.kind != _MATRIX:
            raise _BadError(f"an element of type {element.kind} where a variable must be")
        name, parts = _name_of(element.data, order)
        if name in names:
            value = _value(parts, order, 0)
            if value is not None:
                yield name, value


def _unpacked(data: memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    chunks, size, rest = [], 0, bytes(data)
    while rest and not unpacker.eof:
        chunk = unpacker.decompress(rest, _CHUNK)
        rest = unpacker.unconsumed_tail
        size += len(chunk)
        if size > _LARGEST:
            raise _BadError(f"a variable of more than {_LARGEST} bytes")
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks)


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise _BadError("it ends in the middle of a tag")
        kind, size = (int(word) for word in np.frombuffer(data[at : at + 8], f"{order}u4"))
        begin = at + 8
        if kind >> 16:  # the short form: type and length in four bytes, four bytes of data
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise _BadError("a short element of more than four bytes")
        if begin + size > len(data):
            raise _BadError(f"an element of {size} bytes, of which {len(data) - begin} are there")
        yield _Element(kind, data[begin : begin + size])
        end = begin + size
        at = end if kind == _COMPRESSED else end + -end % 8


def _name_of(matrix: memoryview, order: str) -> tuple[str, list[_Element]]:
    parts = list(_elements(matrix, order))
    if len(parts) < 3:
        raise _BadError("a variable without flags, size and name")
    return bytes(parts[2].data).decode("latin-1"), parts


def _value(parts: list[_Element], order: str, depth: int) -> Any:
    flags, size, _, *contents = parts
    if len(flags.data) < 4 or size.kind not in _NUMBERS or len(size.data) % 4:
        raise _BadError("a variable with broken flags or size")
    word = int(np.frombuffer(flags.data[:4], f"{order}u4")[0])
    shape = tuple(int(n) for n in np.frombuffer(size.data, f"{order}i4"))
    count = 1
    for n in shape:
        count *= n
    if not 2 <= len(shape) <= 8 or any(n < 0 for n in shape):
        raise _BadError(f"a variable of the shape {shape[:8]}")
    if word & 0xFF == _CELL:
        return _cells(contents, shape, count, order, depth)
    if word & 0xFF not in _CLASSES or word & _COMPLEX:
        return None
    if not contents or contents[0].kind not in _NUMBERS:
        raise _BadError("an array without numbers")
    numbers = _numbers(contents[0], order)
    if len(numbers) != count:
        raise _BadError(f"an array of the shape {shape} with {len(numbers)} numbers")
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is for the caller to see
        return numbers.astype(_CLASSES[word & 0xFF]).reshape(shape, order="F")


def _cells(contents: list[_Element], shape: tuple[int, ...], count: int, order: str, depth: int) -> Any:
    if depth == _DEEPEST or len(contents) != count:
        raise _BadError(f"cells of the shape {shape} with {len(contents)} in them, {depth} deep")
    cells = np.empty(count, dtype=object)
    for i, cell in enumerate(contents):
        if cell.kind != _MATRIX:
            raise _BadError(f"a cell of type {cell.kind}")
        cells[i] = _value(_name_of(cell.data, order)[1], order, depth + 1) if len(cell.data) else np.zeros((0, 0))
    return cells.reshape(shape, order="F")


def _numbers(element: _Element, order: str) -> Any:
    kind = np.dtype(f"{order}{_NUMBERS[element.kind]}")
    if len(element.data) % kind.itemsize:
        raise _BadError("an array that ends in the middle of a number")
    return np.frombuffer(element.data, kind)
