"""A video file -> decoded frames, from its beginning or from any frame on."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mocap3d.base.errors import FileFormatError, Mocap3dWarning

if TYPE_CHECKING:
    import av

__all__ = ["decode", "decode_from", "opened", "video_stream"]

_STEPS_BACK_S: Final = (0, 1, 5, 20)
"""Where to enter, seconds before the wanted frame: containers say where frames are with different care."""


def opened(path: Path) -> av.container.InputContainer:
    """Open a file, and nothing else that its name or its content might point to.

    Raises:
        FileFormatError: it is no video.
    """
    import av

    try:
        # "file:" keeps a name like "a:b.mp4" from being read as a protocol; the list, a playlist from reaching out.
        return av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        hint = "is it a video, and was it copied to its end?"
        reason = getattr(error, "strerror", None) or error
        raise FileFormatError(f"cannot be read as a video ({reason}); {hint}", path=path) from error


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The pictures of a file; a cover of a sound file is none.

    Raises:
        FileFormatError: there are none.
    """
    import av

    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = {"a cover picture" if stream.type == "video" else stream.type for stream in container.streams}
        raise FileFormatError(f"holds no video, only {' and '.join(sorted(kinds)) or 'nothing'}", path=path)
    best = container.streams.best("video")
    return next((stream for stream in streams if best is not None and stream.index == best.index), streams[0])


def decode(path: Path, *, quiet: bool = False) -> Generator[av.VideoFrame]:
    """Yield the frames of a file in the order of showing.

    A frame that cannot be decoded is replaced by the one before it, so that later frames keep their time; a warning
    at the end says so.
    """
    import av

    done, lost, broken = 0, 0, 0
    last: av.VideoFrame | None = None
    with opened(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                frames = [] if packet.is_corrupt else packet.decode()
            except StopIteration:
                break
            except av.error.InvalidDataError:
                broken, lost = done if lost == 0 else broken, lost + 1
                frames = [] if last is None else [last]
            for frame in frames:
                done, last = done + 1, frame
                yield frame
    if lost and not quiet:
        message = f"{path} is damaged from frame {broken} on: {lost} frames cannot be decoded; the ones before stand in"
        warnings.warn(message, Mocap3dWarning, stacklevel=2)


def decode_from(path: Path, ticks: Sequence[int], number: int) -> Generator[av.VideoFrame]:
    """Yield the frames that ``decode`` yields from a number on, decoding few that lie before it.

    The file is entered at a key frame, and each frame must have the time stamp that it should have; from the first one
    on that has not, everything is decoded from the beginning, which takes longer and is right.

    Args:
        path: the file.
        ticks: (N,) time stamps of all its frames, ascending.
        number: of the first frame, from 0.
    """
    if len(set(ticks)) == len(ticks):
        for frame in _entered(path, ticks[number]):
            if number >= len(ticks) or frame.pts != ticks[number]:
                break
            yield frame
            number += 1
    if number < len(ticks):
        decoded = decode(path)
        try:
            yield from itertools.islice(decoded, number, None)
        finally:
            decoded.close()


def _entered(path: Path, tick: int) -> Generator[av.VideoFrame]:
    """Yield frames from a time stamp on; none, where the file cannot be entered in front of it."""
    import av

    with opened(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        per_s = 0 if stream.time_base is None else 1 / stream.time_base
        for back_s in _STEPS_BACK_S:
            try:
                container.seek(int(tick - back_s * per_s), stream=stream)
                frames = container.decode(stream)
                first = next((frame for frame in frames if frame.pts is not None and frame.pts >= tick), None)
                if first is None or first.pts != tick:
                    continue
                yield first
                yield from frames
            except av.error.FFmpegError:  # no way in, or damage: the caller counts what came
                return
            return
