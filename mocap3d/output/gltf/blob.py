"""The binary part of a glTF in the making: what lies where is decided first, the bytes are made while they are written.

The JSON comes first in the file and holds every length, so nothing but lengths is kept; a long clip costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from numpy.typing import NDArray

__all__ = ["INDEX_TARGET", "VERTEX_TARGET", "Blob"]

VERTEX_TARGET: Final = 34962
"""Use of a buffer view: attributes of vertices."""
INDEX_TARGET: Final = 34963
"""Use of a buffer view: corners of triangles."""

_WIDTHS: Final = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_COMPONENTS: Final = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}


class Blob:
    """Accessors, their buffer views, and where their bytes will come from.

    Attributes:
        accessors: of the JSON.
        views: of the JSON; one for each accessor.
        length: bytes, a multiple of 4.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.length = 0
        self._sources: list[Callable[[], Iterable[NDArray[Any]]]] = []

    def array(self, array: NDArray[Any], kind: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Add an array that is there already, and return its accessor.

        Args:
            array: (N, width) or (N,) of float32 or unsigned integers.
            kind: SCALAR, VEC3, VEC4 or MAT4.
            target: VERTEX_TARGET or INDEX_TARGET.
            bounds: also say the smallest and the largest value of each column.
        """
        accessor = self.stream(lambda: [array], len(array), kind, array.dtype.str[1:], target)
        if bounds:
            rows = array.reshape(len(array), -1)
            self.accessors[accessor] |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        return accessor

    def stream(
        self,
        blocks: Callable[[], Iterable[NDArray[Any]]],
        count: int,
        kind: str,
        component: str = "f4",
        target: int | None = None,
    ) -> int:
        """Add ``count`` elements that ``blocks`` will make when the file is written; return their accessor."""
        size = count * _WIDTHS[kind] * int(component[1])
        view = {"buffer": 0, "byteOffset": self.length, "byteLength": size}
        self.views.append(view if target is None else view | {"target": target})
        self.accessors.append(
            {"bufferView": len(self.views) - 1, "componentType": _COMPONENTS[component], "count": count, "type": kind}
        )
        self._sources.append(blocks)
        self.length += size + -size % 4
        return len(self.accessors) - 1

    def bytes(self) -> Iterator[bytes]:
        """Make the bytes, each view starting at a multiple of 4."""
        for source in self._sources:
            size = 0
            for block in source():
                data = block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes()
                size += len(data)
                yield data
            yield b"\0" * (-size % 4)
