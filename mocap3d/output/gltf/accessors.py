"""Arrays of numbers in a glTF: accessors, read with every length held against the bytes that are there.

Reference:
    Khronos, "glTF 2.0 Specification", section 3.6.2 "Accessors".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.output.gltf.container import Document
from mocap3d.output.gltf.record import Record

__all__ = ["Accessors"]

_COMPONENTS: Final = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_LARGEST: Final = 1e12  # beyond this a number is broken, whatever it measures
_FREE_VALUES: Final = 8_000_000  # numbers that any file may make
_VALUES_PER_BYTE: Final = 16  # and how many more for each of its bytes: accessors may share them


class Accessors:
    """Reads the accessors of one document, and keeps what they make in proportion to its size."""

    def __init__(self, document: Document) -> None:
        """Prepare to read; nothing is read yet."""
        self._document = document
        self._records = document.root.records("accessors")
        self._views = document.root.records("bufferViews")
        self._buffers = len(document.root.records("buffers"))
        self._spent = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._records)

    def hold(self, values: int, record: Record) -> None:
        """Count numbers that will be made.

        Raises:
            FileFormatError: more than a file of this size can mean.
        """
        self._spent += values
        if self._spent > _FREE_VALUES + _VALUES_PER_BYTE * self._document.size:
            raise record.error(f"it asks for {self._spent} numbers, far more than a file of this size holds")

    def floats(self, index: int, kinds: tuple[str, ...]) -> NDArray[np.float64]:
        """Read (N, width) finite numbers; normalised integers become -1..1 or 0..1.

        Raises:
            FileFormatError: of another kind, not finite, or not in the file.
        """
        record = self._records[index]
        array = self._read(index, kinds)
        if array.dtype.kind == "f" and not (np.isfinite(array).all() and (np.abs(array) <= _LARGEST).all()):
            raise record.error("it holds numbers that are not finite or beyond any measure")
        values = array.astype(np.float64)
        if array.dtype.kind != "f" and record.flag("normalized"):
            values = np.maximum(values / np.iinfo(array.dtype).max, -1.0)
        return values

    def integers(self, index: int, kinds: tuple[str, ...]) -> NDArray[np.int64]:
        """Read (N, width) whole numbers.

        Raises:
            FileFormatError: of another kind, not whole, or not in the file.
        """
        array = self._read(index, kinds)
        if array.dtype.kind == "f":
            raise self._records[index].error("it must hold whole numbers")
        return array.astype(np.int64)

    def _read(self, index: int, kinds: tuple[str, ...]) -> NDArray[Any]:
        record = self._records[index]
        kind = record.text("type")
        if kind not in kinds:
            raise record.error(f"type must be {' or '.join(kinds)} here, got {kind!r}")
        count = record.count("count")
        if count == 0:
            raise record.error("count must be at least 1")
        width = _WIDTHS[kind]
        self.hold(count * width, record)
        if record.has("bufferView"):
            array = self._strided(record, _component(record), count, width)
        elif record.has("sparse"):
            array = np.zeros((count, width), dtype=_component(record))
        else:
            raise record.error("it has no bufferView (its numbers may be compressed, which is not read)")
        sparse = record.record("sparse")
        return array if sparse is None else self._replaced(array, sparse)

    def _replaced(self, array: NDArray[Any], sparse: Record) -> NDArray[Any]:
        """Put the values of a sparse accessor into their places."""
        count = sparse.count("count")
        if not 1 <= count <= len(array):
            raise sparse.error(f"count must be 1..{len(array)}, got {count}")
        indices, values = sparse.needed("indices"), sparse.needed("values")
        where = self._strided(indices, _component(indices), count, 1)[:, 0]
        if where.dtype.kind != "u" or where.max() >= len(array):
            raise indices.error(f"indices must be unsigned whole numbers below {len(array)}")
        array = array.copy()
        array[where] = self._strided(values, array.dtype, count, array.shape[1])
        return array

    def _strided(self, record: Record, dtype: np.dtype[Any], count: int, width: int) -> NDArray[Any]:
        """Look at (count, width) numbers in a buffer view, interleaved or not."""
        number = record.index("bufferView", len(self._views))
        if number is None:
            raise record.error("bufferView is missing")
        view = self._views[number]
        if "EXT_meshopt_compression" in view.fields.get("extensions", ()):
            raise view.error("it is compressed by EXT_meshopt_compression, which is not read")
        buffer = view.index("buffer", self._buffers)
        if buffer is None:
            raise view.error("buffer is missing")
        data = self._document.buffer(buffer)
        start, length = view.count("byteOffset", 0), view.count("byteLength")
        if start + length > len(data):
            raise view.error(f"it reaches to byte {start + length} of a buffer that has {len(data)}")
        element = width * dtype.itemsize
        stride = view.count("byteStride", 0) or element
        offset = record.count("byteOffset", 0)
        if stride < element or (stride > 252 and stride != element):
            raise view.error(f"byteStride is {stride}, but an element has {element} bytes")
        if offset + stride * (count - 1) + element > length:
            raise record.error(f"it reaches beyond the {length} bytes of its buffer view")
        return np.ndarray((count, width), dtype, buffer=data, offset=start + offset, strides=(stride, dtype.itemsize))


def _component(record: Record) -> np.dtype[Any]:
    kind = record.count("componentType")
    if kind not in _COMPONENTS:
        raise record.error(f"componentType must be one of {', '.join(map(str, _COMPONENTS))}, got {kind}")
    return np.dtype(_COMPONENTS[kind])
