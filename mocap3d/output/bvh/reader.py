"""BVH -> Motion, for what is found in the wild.

A BVH says little: no unit, no rest rotation, no up axis; ``unit_m`` and ``up`` say what the file does not. Position
channels are the place in the parent's frame and replace the OFFSET, as in Blender and MotionBuilder. The order of
position and rotation channels does not matter: a joint is moved, then turned, in the order of its rotation channels.
What is broken in a way that leaves no doubt is repaired with a ``Mocap3dWarning``.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps, fps_from_period
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.motion import Motion
from mocap3d.output.bvh.assemble import Convention, Up, motion_from_columns
from mocap3d.output.bvh.digits import BadNumberError, Numbers, parse_numbers
from mocap3d.output.bvh.hierarchy import Node, parse_hierarchy

__all__ = ["read_bvh"]

_MOTION: Final = re.compile(rb"(?:^|[\r\n}])[ \t]*MOTION(?=\s|$)", re.IGNORECASE)
# "*+" takes all and gives nothing back: else a megabyte of blanks, or of digits, would be tried in every division.
_FRAMES: Final = re.compile(rb"\s*+Frames\s*+:?+\s*+(\S++)", re.IGNORECASE)
_FRAME_TIME: Final = re.compile(rb"\s*+Frame\s*+Time\s*+:?+\s*+(\S++)", re.IGNORECASE)
_HEADER: Final = re.compile(rb"(?:\s*+(?:Frames|Frame\s*+Time)\s*+:?+\s*+\S++){0,2}\s*+", re.IGNORECASE)
_HEAD_BYTES: Final = 1 << 16
_HEAD_MARGIN: Final = 4096  # more than the longest word that the header could go on with
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_PERIOD: Final = re.compile(r"[+-]?(\d++\.?+\d*+|\.\d++)([eE][+-]?\d{1,3})?", re.ASCII)
_MANY_ROTATIONS: Final = 2_000_000  # so many may come without numbers of their own; more would fill the memory
_LONGEST_PERIOD: Final = 60  # characters; exact fractions of a million digits would take hours
_SHORTEST_S: Final = 1e-7
_LONGEST_S: Final = 1e5  # a frame time beyond these is a broken number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """An open file and where to point in messages.

    Attributes:
        path: the file.
        file: open for reading; the numbers are read from it block by block.
        head: its beginning, to some bytes behind the header; all of it where there is no header.
    """

    path: str
    file: BinaryIO
    head: bytes

    def error(self, message: str, offset: int) -> FileFormatError:
        self.file.seek(0)
        line = 1 + len(_LINE_END.findall(self.file.read(offset)))
        return FileFormatError(message, path=self.path, line=line)

    def warn(self, message: str) -> None:
        warnings.warn(f"{self.path}: {message}", Mocap3dWarning, stacklevel=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What stands between MOTION and the numbers; None where it is missing."""

    frames: int | None
    frame_time: str | None
    frame_time_at: int
    numbers_at: int


def read_bvh(
    path: str | os.PathLike[str],
    *,
    unit_m: float = 1.0,
    up: Up = "Y",
    fps: Fraction | float | str | None = None,
    lenient: bool = False,
) -> Motion:
    """Read a BVH file.

    Joints keep the order of the file. Several ROOTs hang under a synthetic joint named ``SEVERAL_ROOTS``. Frame times
    are snapped to exact rates (0.033333 is 30, 0.0333667 is 30000/1001). A file without a MOTION part, or without
    frames, gives its rest pose as one frame, with a warning. With fewer rows than its header says, the rows that are
    there are read, with a warning.

    Args:
        path: the file.
        unit_m: metres per unit of the file. The default takes the numbers as metres, which is what mocap3d writes;
            most other programs write centimetres (0.01), the CMU conversions 0.0564 metres.
        up: the axis that points up in the file, "Y" or "Z". With "Z", +X stays, and what faces -Y will face +Z.
        fps: use this rate and ignore the frame time.
        lenient: also accept more rows than the header says; all are read, with a warning.

    Returns:
        The motion; its rig has no rest rotations, and ``local_m`` when inner joints have position channels.

    Raises:
        FileFormatError: not a BVH, or one that contradicts itself; with the line.
        InputError: the file cannot be opened, or ``unit_m``, ``up`` or ``fps`` cannot be used.
    """
    convention = Convention(unit_m=unit_m, up=up)
    try:
        with open(path, "rb") as file:
            seekable = file if file.seekable() else BytesIO(file.read())
            source = _Source(path=str(path), file=seekable, head=_head_of(seekable))
            return _read(source, convention, fps, lenient)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _read(source: _Source, convention: Convention, fps: Fraction | float | str | None, lenient: bool) -> Motion:
    match = _MOTION.search(source.head)
    nodes = parse_hierarchy(_text_of(source, len(source.head) if match is None else match.end()), source.path)
    if match is None:
        source.warn("there is no MOTION part; this is the rest pose, one frame")
        return motion_from_columns(nodes, None, as_fps(1 if fps is None else fps), convention, source.path)
    header = _read_header(source, match.end())
    rate = _rate(source, header) if fps is None else as_fps(fps)
    columns = _read_columns(source, nodes, header, lenient)
    return motion_from_columns(nodes, columns, rate, convention, source.path)


def _head_of(file: BinaryIO) -> bytes:
    """Read so far that neither MOTION nor the header can be cut off."""
    head = b""
    while more := file.read(max(_HEAD_BYTES, len(head))):
        head += more
        match = _MOTION.search(head)
        header = None if match is None else _HEADER.match(head, match.end())
        if header is not None and len(head) - header.end() > _HEAD_MARGIN:
            break
    return head


def _end_of_text(file: BinaryIO) -> int:
    """Find where the text ends, before what DOS editors and padded blocks leave behind."""
    end = file.seek(0, os.SEEK_END)
    while end:
        file.seek(max(0, end - _HEAD_BYTES))
        tail = file.read(min(end, _HEAD_BYTES))
        kept = len(tail.rstrip(b"\x1a\0"))
        end -= len(tail) - kept
        if kept or not tail:
            break
    return end


def _text_of(source: _Source, end: int) -> str:
    """Decode the hierarchy; UTF-8 with or without a mark, else Latin-1 as old programs wrote it."""
    head = source.head[:end].removesuffix(b"\x1a")
    if b"\0" in head:
        raise source.error("this is no text in UTF-8 or Latin-1 (it holds zero bytes)", head.index(b"\0"))
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return re.sub(r"MOTION\Z", "", text, flags=re.IGNORECASE)


def _read_header(source: _Source, start: int) -> _Header:
    frames: int | None = None
    frame_time: str | None = None
    frame_time_at = start
    for _ in range(2):  # in either order
        if match := _FRAME_TIME.match(source.head, start):
            frame_time, frame_time_at = match[1].decode("latin-1"), match.start(1)
        elif match := _FRAMES.match(source.head, start):
            if not match[1].isdigit() or len(match[1]) > 18:
                raise source.error(f"Frames must be a whole number, got {_shown(match[1])}", match.start(1))
            frames = int(match[1])
        else:
            break
        start = match.end()
    at = start if frame_time is None else frame_time_at
    return _Header(frames=frames, frame_time=frame_time, frame_time_at=at, numbers_at=start)


def _rate(source: _Source, header: _Header) -> Fraction:
    text = header.frame_time
    if text is None:
        raise source.error("there is no Frame Time; pass fps= to say the rate", header.frame_time_at)
    if not _PERIOD.fullmatch(text) or not _SHORTEST_S <= float(text) <= _LONGEST_S:
        problem = f"Frame Time must be seconds above 0, got {text[:40]!r}; pass fps= to say the rate"
        raise source.error(problem, header.frame_time_at)
    return fps_from_period(text if len(text) <= _LONGEST_PERIOD else repr(float(text)))


def _read_columns(source: _Source, nodes: list[Node], header: _Header, lenient: bool) -> NDArray[np.float64] | None:
    """Read the numbers as (T, C) and hold them against the header; None when there are no frames."""
    width = sum(len(node.channels or ()) for node in nodes)
    try:
        numbers = parse_numbers(source.file, header.numbers_at, _end_of_text(source.file))
    except BadNumberError as error:
        raise source.error(f"{error.word!r} is no finite number", error.offset) from None
    rows = _count_rows(source, numbers, header, width)
    if header.frames is not None and rows > header.frames:
        problem = f"{rows} rows of numbers, but Frames says {header.frames}"
        if not lenient:
            where = _offset_of_number(source, header, header.frames * width)
            raise source.error(f"{problem}; lenient=True (--lenient) reads them all", where)
        source.warn(f"{problem}; all rows are read")
    elif header.frames is not None and rows < header.frames and width:
        source.warn(f"{rows} rows of numbers, but Frames says {header.frames}: the file was cut short")
    if rows == 0:
        source.warn("there are no frames; this is the rest pose, one frame")
        return None
    if rows * len(nodes) > max(_MANY_ROTATIONS, 20 * rows * width):
        problem = f"{rows} frames of {len(nodes)} joints, nearly all without channels"
        raise source.error(problem, header.numbers_at)
    return numbers.values[: rows * width].reshape(rows, width)


def _count_rows(source: _Source, numbers: Numbers, header: _Header, width: int) -> int:
    """Count the complete frames; a frame is a line, or several lines when each frame starts on a new one."""
    counts = numbers.line_counts
    if width == 0 and counts.size:
        raise source.error("there are numbers, but no joint has a channel", header.numbers_at)
    if width == 0 or counts.size == 0:
        return 0
    wrong = np.flatnonzero(counts != width)
    if wrong.size == 0:
        return len(counts)
    if counts.max() < width and np.isin(np.arange(0, counts.sum(), width), np.cumsum(counts) - counts).all():
        complete, left = divmod(int(counts.sum()), width)  # each frame is wrapped over lines
        if left == 0:
            return complete
    if wrong[0] == len(counts) - 1 and counts[-1] < width and (header.frames is None or len(counts) <= header.frames):
        source.warn(f"the last row has {counts[-1]} numbers instead of {width} and is left out")
        return len(counts) - 1
    where = _offset_of_number(source, header, int(counts[: wrong[0]].sum()))
    problem = f"this row has {counts[wrong[0]]} numbers, but the joints above have {width} channels"
    raise source.error(problem, where)


def _offset_of_number(source: _Source, header: _Header, number: int) -> int:
    source.file.seek(header.numbers_at)
    text = source.file.read()
    for n, match in enumerate(re.finditer(rb"\S+", text)):
        if n == number:
            return header.numbers_at + match.start()
    return header.numbers_at + len(text)


def _shown(word: bytes) -> str:
    return repr(word[:40].decode("latin-1"))
