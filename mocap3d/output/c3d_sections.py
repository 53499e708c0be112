"""The header and the parameters of a C3D file: bytes <-> names and values.

A file is blocks of 512 bytes: one of header, some of parameters, the rest data. Its numbers are those of the computer
that wrote it: 84 Intel (little-endian IEEE), 85 DEC (little-endian integers, VAX floats), 86 SGI (big-endian IEEE).

Source: The C3D File Format User Guide, Motion Lab Systems, https://www.c3d.org.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["BLOCK", "Header", "Numbers", "Parameter", "Parameters", "pack_header", "pack_parameters", "read_sections"]

BLOCK: Final = 512
"""Bytes per block."""

_INTEL: Final = 84
_DEC: Final = 85
_SGI: Final = 86
_KEY: Final = 0x50  # the second byte of every C3D
_EVENT_KEY: Final = 12345
_MOST_BLOCKS: Final = 255
_TEXT: Final = -1
_SIZES: Final = {_TEXT: 1, 1: 1, 2: 2, 4: 4}  # bytes of a value: text, byte, int16, float32
_LONGEST: Final = 32767  # of one parameter, in bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How the computer that wrote a file stores numbers.

    Attributes:
        order: "<" or ">".
        vax: whether floats are those of a VAX.
    """

    order: str
    vax: bool

    def shorts(self, raw: bytes | memoryview) -> NDArray[np.int16]:
        """Read 16-bit integers."""
        return np.frombuffer(raw, dtype=f"{self.order}i2")

    def floats(self, raw: bytes | memoryview) -> NDArray[np.floating[Any]]:
        """Read 32-bit floats. Those of a VAX have their halves swapped and are four times too large as IEEE."""
        if not self.vax:
            return np.frombuffer(raw, dtype=f"{self.order}f4")
        halves = np.frombuffer(raw, dtype="<u2").reshape(-1, 2)
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(halves[:, ::-1]).view("<f4").ravel() / np.float32(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first block.

    Attributes:
        points: per frame.
        analog: numbers per frame of other instruments, all samples counted.
        first: frame, from 1.
        last: frame; 65535 may stand for more.
        scale: of integers; negative where the data are floats.
        data_block: where the data begin, from 1.
        fps: frames per second.
    """

    points: int
    analog: int
    first: int
    last: int
    scale: float
    data_block: int
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One named value, not yet read as numbers or text.

    Attributes:
        kind: -1 text, 1 bytes, 2 integers, 4 floats.
        dims: sizes of the axes, the first varies fastest; none is a single value.
        raw: the bytes.
        numbers: how to read them.
    """

    kind: int
    dims: tuple[int, ...]
    raw: bytes
    numbers: Numbers

    def texts(self) -> list[str]:
        """Read lines of text, blanks at their ends cut off."""
        width = self.dims[0] if self.dims else 1
        if self.kind != _TEXT or not width:
            return []
        return [_decoded(self.raw[start : start + width]) for start in range(0, len(self.raw), width)]

    def values(self) -> list[float]:
        """Read numbers; integers are taken as unsigned, since counts outgrew 32767."""
        if self.kind == 4:
            return [float(value) for value in self.numbers.floats(self.raw)]
        if self.kind == 2:
            return [float(value) for value in self.numbers.shorts(self.raw).view(f"{self.numbers.order}u2")]
        return [float(value) for value in self.raw] if self.kind == 1 else []


Parameters = dict[tuple[str, str], Parameter]
"""By group and name, in capitals."""


def read_sections(data: bytes) -> tuple[Header, Parameters, Numbers]:
    """Read header and parameters of a file.

    Raises:
        FileFormatError: not a C3D, or lengths that lead out of the file; without the path.
    """
    if len(data) < 2 * BLOCK or data[1] != _KEY or data[0] < 2:
        raise FileFormatError("a C3D begins with two blocks of 512 bytes and the key 0x50")
    start = (data[0] - 1) * BLOCK
    if start + 4 > len(data):
        raise FileFormatError(f"the parameters should begin at byte {start}, the file has {len(data)}")
    processor = data[start + 3]
    if processor not in (_INTEL, _DEC, _SGI):
        raise FileFormatError(f"the processor type must be 84 (Intel), 85 (DEC) or 86 (SGI), got {processor}")
    numbers = Numbers(order=">" if processor == _SGI else "<", vax=processor == _DEC)
    return _header(data, numbers), _parameters(data, start + 4, numbers), numbers


def _header(data: bytes, numbers: Numbers) -> Header:
    points, analog, first, last = struct.unpack_from(f"{numbers.order}4H", data, 2)
    (data_block,) = struct.unpack_from(f"{numbers.order}H", data, 16)
    scale, fps = numbers.floats(data[12:16] + data[20:24])
    return Header(
        points=points, analog=analog, first=first, last=last, scale=float(scale), data_block=data_block, fps=float(fps)
    )


def _parameters(data: bytes, at: int, numbers: Numbers) -> Parameters:
    """Walk along the records: length and sign of the name, group, name, distance to the next record, content."""
    groups: dict[int, str] = {}
    found: list[tuple[int, str, Parameter]] = []
    while at + 2 <= len(data):
        length, group = struct.unpack_from("bb", data, at)
        link = at + 2 + abs(length)
        if length == 0 or link + 2 > len(data):
            break
        name = _decoded(data[at + 2 : link]).upper()
        (distance,) = struct.unpack_from(f"{numbers.order}H", data, link)
        if group < 0:
            groups[-group] = name
        else:
            found.append((group, name, _parameter(data, link + 2, name, numbers)))
        if distance < 2:
            break
        at = link + distance
    return {(groups.get(group, ""), name): parameter for group, name, parameter in found}


def _parameter(data: bytes, at: int, name: str, numbers: Numbers) -> Parameter:
    kind, axes = struct.unpack("bB", data[at : at + 2].ljust(2, b"\0"))
    dims = tuple(data[at + 2 : at + 2 + axes])
    start = at + 2 + axes
    size = _SIZES.get(kind, 0) * prod(dims)
    if kind not in _SIZES or len(dims) < axes or start + size > len(data):
        raise FileFormatError(f"the parameter {name[:40]!r} has type {kind} and {size} bytes, which cannot be")
    return Parameter(kind=kind, dims=dims, raw=data[start : start + size], numbers=numbers)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip(" \0")


def pack_header(header: Header, parameter_block: int = 2) -> bytes:
    """Make the first block, Intel."""
    start = struct.pack(
        "<BB5HfHHf",
        *(parameter_block, _KEY, header.points, header.analog, header.first, header.last, 0),
        *(header.scale, header.data_block, 1, header.fps),
    )
    events = struct.pack("<3H", 0, 0, _EVENT_KEY)  # words 148 to 150: no ranges; labels of events have four letters
    return (start.ljust(294, b"\0") + events).ljust(BLOCK, b"\0")


def pack_parameters(groups: dict[str, dict[str, Any]]) -> bytes:
    """Make the parameter blocks, Intel.

    Args:
        groups: values by group and name: a text, a list of texts, or an array of int16, uint16 or float32.

    Raises:
        InputError: a value or all together are too long.
    """
    records: list[tuple[int, str, bytes]] = []
    for number, (group, values) in enumerate(groups.items(), 1):
        records.append((-number, group, b"\0"))
        records += [(number, name, _packed(f"{group}:{name}", value) + b"\0") for name, value in values.items()]
    body = b"".join(
        struct.pack("<bb", len(name), number) + name.encode("ascii") + struct.pack("<H", len(content) + 2) + content
        for number, name, content in records
    )
    blocks = -(-(4 + len(body) + 2) // BLOCK)
    if blocks > _MOST_BLOCKS:
        raise InputError(
            f"the names take {len(body)} bytes, more than the {_MOST_BLOCKS} blocks that a C3D has for them"
        )
    return (struct.pack("<4B", 1, _KEY, blocks, _INTEL) + body).ljust(blocks * BLOCK, b"\0")


def _packed(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return struct.pack("<bBB", _TEXT, 1, len(raw)) + raw
    if isinstance(value, list):
        texts = [text.encode() for text in value]
        width = max(map(len, texts), default=0)
        if len(texts) > 255 or width > 255 or len(texts) * width > _LONGEST - 300:
            raise InputError(f"{name} cannot hold {len(texts)} texts of up to {width} bytes")
        return struct.pack("<bBBB", _TEXT, 2, width, len(texts)) + b"".join(text.ljust(width) for text in texts)
    array = np.asarray(value)
    kind = 4 if array.dtype == np.float32 else 2
    return struct.pack(f"<bB{array.ndim}B", kind, array.ndim, *array.shape) + array.tobytes()
