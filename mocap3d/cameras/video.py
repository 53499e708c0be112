"""A video file or a folder of images -> upright RGB pictures at one exact frame rate.

Streaming: a video of any length takes the memory of a few frames. The real time stamps decide: constant-rate video
gives its frames one to one, variable-rate video is resampled to a uniform grid by the nearest time stamp
(``frame_times.py`` says which rate). Rotation and mirroring that the file asks for are applied, pixels are made square,
and every pixel format becomes 8-bit RGB. High dynamic range is converted without tone mapping: such pictures look pale.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.cameras.decoding import decode, decode_from, opened, video_stream
from mocap3d.cameras.frame_range import frame_range
from mocap3d.cameras.frame_times import FrameTimes, choose_rate, count_on_grid, nearest_on_grid
from mocap3d.cameras.image_folder import list_images, read_image, read_images

if TYPE_CHECKING:
    import av

__all__ = ["Video", "open_video"]

_FULL_FRAME_DIAGONAL_MM = math.hypot(36, 24)
_PICTURES = ("_pipe", "image2")  # how the names of FFmpeg's readers of pictures end
_SIDE_DATA_TYPES = 64  # as many as FFmpeg may have; it has 32
_FOCAL_35MM_KEYS = ("focal_length.35mm_equivalent", "focallengthin35mmfilm", "focal_length_35mm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Video:
    """Pictures in order, at one exact frame rate. Iterate over it, as often as you like.

    Opening holds no file; iterating holds one, and lets go of it when the iterator ends or is closed. ``with`` closes
    the iterators that are left when the block ends, by an error or Ctrl-C too.

    Attributes:
        path: the file or the folder.
        size_wh_px: width and height of the pictures, upright and with square pixels.
        fps: frames per second; picture t lies ``t / fps`` seconds after the first.
        frame_count: pictures to expect; fewer come when the file is damaged.
        start_frame: how many frames before the first picture were left out.
        is_uniform: False when the file's frame rate varies, so that pictures are repeated or left out.
        metadata: what the file says about itself, keys as in the file.
        is_picture: whether the file is a single picture, as a camera for stills takes it.
    """

    path: Path
    size_wh_px: tuple[int, int]
    fps: Fraction
    frame_count: int
    start_frame: int
    is_uniform: bool
    metadata: Mapping[str, str]
    is_picture: bool = False
    _read: Callable[[int], Generator[NDArray[np.uint8]]] = field(repr=False)
    _begun: list[Generator[NDArray[np.uint8]]] = field(default_factory=list, repr=False)

    def __iter__(self) -> Generator[NDArray[np.uint8]]:
        """Yield (H, W, 3) RGB pictures, each a new array."""
        return self.since(0)

    def since(self, index: int) -> Generator[NDArray[np.uint8]]:
        """Yield the pictures from one on, the same as iterating gives, without decoding all that lie before it.

        Raises:
            InputError: there is no such picture.
        """
        if not 0 <= index < self.frame_count:
            raise InputError(f"{self.path} has pictures 0 to {self.frame_count - 1}, not {index}")
        pictures = self._read(index)
        self._begun[:] = [one for one in self._begun if inspect.getgeneratorstate(one) != inspect.GEN_CLOSED]
        self._begun.append(pictures)
        return pictures

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        for pictures in self._begun:
            pictures.close()

    @property
    def duration_s(self) -> float:
        """Seconds that the pictures last."""
        return float(self.frame_count / self.fps)

    @property
    def fov_deg(self) -> float | None:
        """Field of view along the longer side by the focal length in the metadata, or None (most files have none).

        The metadata give the focal length as on 36 x 24 mm film, compared by diagonals. A camera that steadies its
        video crops it: the true field of view is then up to 20 % smaller.
        """
        for key, value in self.metadata.items():
            if key.lower().endswith(_FOCAL_35MM_KEYS):
                focal_mm = _positive_float(value)
                if focal_mm is not None:
                    focal_px = focal_mm / _FULL_FRAME_DIAGONAL_MM * math.hypot(*self.size_wh_px)
                    return math.degrees(2 * math.atan(max(self.size_wh_px) / 2 / focal_px))
        return None


def open_video(
    path: str | os.PathLike[str],
    *,
    fps: Fraction | float | str | None = None,
    start: int | str | None = None,
    stop: int | str | None = None,
) -> Video:
    """Open a video file or a folder of images.

    Args:
        path: a video of any format that FFmpeg decodes, or a folder whose images are the frames, ordered as people
            count (``2.png`` before ``10.png``).
        fps: the rate to deliver; a video is resampled to it by its time stamps (default: its own rate). A folder of
            images has no rate of its own and needs it.
        start: the first frame: a number (from 0), or a time such as ``"2.5s"`` or ``"1:02.5"``.
        stop: the first frame that is left out, in the same ways; beyond the end means the end.

    Raises:
        InputError: no such file; no images in the folder, or no ``fps`` for them; a range without frames.
        FileFormatError: empty, not a video, damaged from the start, or without pictures.

    Warns:
        Mocap3dWarning: the file ends before its header says; its time stamps cannot be used.
    """
    source = Path(path)
    rate = None if fps is None else as_fps(fps)
    if source.is_dir():
        return _open_folder(source, rate, start, stop)
    if not source.exists():
        raise InputError(f"there is no file {source}")
    if source.stat().st_size == 0:
        raise FileFormatError("the file is empty (0 bytes)", path=source)
    return _open_file(source, rate, start, stop)


def _open_folder(folder: Path, fps: Fraction | None, start: int | str | None, stop: int | str | None) -> Video:
    paths = list_images(folder)
    if fps is None:
        raise InputError(
            f"the images in {folder} do not say how fast they follow each other: give their rate (fps=30; --fps 30)"
        )
    frames = frame_range(start, stop, fps, len(paths), str(folder))
    height, width = read_image(paths[0]).shape[:2]
    return Video(
        path=folder,
        size_wh_px=(width, height),
        fps=fps,
        frame_count=len(frames),
        start_frame=frames.start,
        is_uniform=True,
        metadata={},
        _read=lambda index: read_images(paths[frames.start + index : frames.stop], (width, height)),
    )


def _open_file(path: Path, rate: Fraction | None, start: int | str | None, stop: int | str | None) -> Video:
    times, ticks, metadata = _scan(path)
    layout = _layout(path)
    fps = times.fps if rate is None else rate
    one_to_one = times.is_uniform and fps == times.fps
    count = times.count if one_to_one else count_on_grid(times, fps)
    frames = frame_range(start, stop, fps, count, str(path))

    tail_s = 0.5 / float(times.fps)

    @functools.cache
    def numbers() -> Sequence[int]:  # which frame of the file each picture is
        if one_to_one or ticks is None:
            return range(count)
        return list(nearest_on_grid(ticks.timed(), fps, tail_s))

    def from_the_beginning(wanted: range) -> Generator[av.VideoFrame]:
        decoded = decode(path)
        grid = decoded if one_to_one else nearest_on_grid(_timed(decoded, times), fps, tail_s)
        try:
            for index, frame in enumerate(grid):
                if index >= wanted.stop and wanted.stop < count:
                    break
                if index >= wanted.start:
                    yield frame
        finally:
            decoded.close()

    def read(first: int) -> Generator[NDArray[np.uint8]]:
        wanted = range(frames.start + first, frames.stop)
        if first > 0 and ticks is not None:
            found = _numbered(path, ticks.stamps, numbers()[wanted.start : wanted.stop])
        else:
            found = from_the_beginning(wanted)
        try:
            yield from map(layout.picture, found)
        finally:
            found.close()

    return Video(
        path=path,
        size_wh_px=layout.size_wh_px,
        fps=fps,
        frame_count=len(frames),
        start_frame=frames.start,
        is_uniform=one_to_one,
        metadata=metadata,
        is_picture=times.count == 1 and layout.from_picture,
        _read=read,
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """How decoded frames become upright pictures with square pixels."""

    stored_wh_px: tuple[int, int]  # after the pixels were made square, before turning
    from_picture: bool  # by a reader of pictures, which may also hold several
    turn: NDArray[np.int64]  # (2, 2) [[a, b], [c, d]]: shown x = a x + c y, shown y = b x + d y; entries -1, 0, 1

    @property
    def size_wh_px(self) -> tuple[int, int]:
        width, height = self.stored_wh_px
        return (width, height) if self.turn[0, 0] else (height, width)

    def picture(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        width, height = self.stored_wh_px
        rgb: NDArray[Any] = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        if not self.turn[0, 0]:  # the stored x axis is shown vertically
            rgb = rgb.transpose(1, 0, 2)
        shown_x, shown_y = self.turn.sum(axis=0)  # the one entry of each column: +1 or -1
        return np.ascontiguousarray(rgb[::shown_y, ::shown_x], dtype=np.uint8)


def _layout(path: Path) -> _Layout:
    frames = decode(path, quiet=True)
    try:
        frame = next(frames, None)
    finally:
        frames.close()
    if frame is None:
        raise FileFormatError("not one picture could be decoded; the file is damaged", path=path)
    with opened(path) as container:
        ratio = video_stream(container, path).sample_aspect_ratio or Fraction(1)
        from_picture = container.format.name.endswith(_PICTURES)
    if not Fraction(1, 8) <= ratio <= 8:
        raise FileFormatError(f"pixels of {ratio} times their height in width are not believable", path=path)
    return _Layout((max(1, round(frame.width * ratio)), frame.height), from_picture, _turn(frame, path))


def _turn(frame: av.VideoFrame, path: Path) -> NDArray[np.int64]:
    """The display matrix of a frame, as quarter turns and mirrorings."""
    data: Any = _side_data(frame).get("DISPLAYMATRIX")  # nine int32; PyAV's types do not say so
    if data is None:
        return np.eye(2, dtype=np.int64)
    matrix = np.frombuffer(bytes(data), dtype=np.int32)[:9].reshape(3, 3)[:2, :2] / 65536
    turn: NDArray[np.int64] = np.rint(matrix / max(np.abs(matrix).max(), 1e-9)).astype(np.int64)
    if not np.array_equal(np.abs(turn).sum(axis=0), [1, 1]) or not np.array_equal(np.abs(turn).sum(axis=1), [1, 1]):
        raise FileFormatError(f"the picture is turned by other than quarter turns: {matrix.tolist()}", path=path)
    return turn


def _side_data(frame: av.VideoFrame) -> Mapping[Any, Any]:
    """What a frame has beside its pixels, of the types that PyAV knows; it fails as a whole over any other (EXIF)."""
    import av
    from av.sidedata.sidedata import Type

    try:
        return frame.side_data
    except ValueError:
        pass
    graph = av.filter.Graph()
    first = last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    for unknown in set(range(_SIDE_DATA_TYPES)) - {known.value for known in Type}:
        without = graph.add("sidedata", f"mode=delete:type={unknown}")
        last.link_to(without)
        last = without
    last.link_to(graph.add("buffersink"))
    graph.configure()
    first.push(frame)
    left = graph.pull()
    return left.side_data if isinstance(left, av.VideoFrame) else {}


@dataclass(frozen=True, slots=True)
class _Ticks:
    """The time stamps of all frames, ascending; only of files in which each packet is whole and has one."""

    stamps: list[int]
    base_s: Fraction

    def timed(self) -> Iterator[tuple[float, int]]:
        """(seconds, number) of each frame."""
        return ((float(stamp * self.base_s), number) for number, stamp in enumerate(self.stamps))


def _numbered(path: Path, stamps: Sequence[int], numbers: Sequence[int]) -> Generator[av.VideoFrame]:
    """Yield the frames of a file by ascending numbers, which may repeat."""
    if not numbers:
        return
    frames = decode_from(path, stamps, numbers[0])
    try:
        at, frame = numbers[0], next(frames)
        for number in numbers:
            while at < number:
                at, frame = at + 1, next(frames)
            yield frame
    except StopIteration:  # fewer than the time stamps promise, as when everything is decoded
        return
    finally:
        frames.close()


def _scan(path: Path) -> tuple[FrameTimes, _Ticks | None, dict[str, str]]:
    """Read the time stamps of all frames without decoding."""
    import av

    ticks: list[int] = []
    order: list[int] = []
    packets, unstamped, broken = 0, 0, 0
    with opened(path) as container:
        stream = video_stream(container, path)
        metadata = {**container.metadata, **stream.metadata}
        declared = [stream.average_rate, stream.guessed_rate, stream.base_rate]
        time_base, announced = stream.time_base or Fraction(1, 1000), stream.frames
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_corrupt:
                    broken += packet.is_corrupt
                    continue
                packets += 1
                if packet.is_discard:
                    continue
                if packet.dts is not None:
                    order.append(packet.dts)
                if packet.pts is None:
                    unstamped += 1
                else:
                    ticks.append(packet.pts)
        except av.error.FFmpegError:
            announced = max(announced, packets + 1)  # it breaks off here: decoding will give what there is
    if packets < announced:
        message = f"{path} breaks off at frame {packets}; its header announces {announced} frames"
        warnings.warn(message, Mocap3dWarning, stacklevel=4)
    times = _times(path, sorted(ticks), order, unstamped, time_base, declared)
    whole = not (broken or unstamped or packets < announced)
    return times, _Ticks(sorted(ticks), time_base) if whole else None, metadata


def _times(
    path: Path,
    ticks: list[int],
    order: list[int],
    unstamped: int,
    time_base: Fraction,
    declared: list[Fraction | None],
) -> FrameTimes:
    runs_back = any(later < earlier for earlier, later in itertools.pairwise(order))
    if not unstamped and not runs_back:
        return choose_rate(ticks, time_base, declared)
    fps = next((rate for rate in declared if rate), Fraction(30))
    problem = "time stamps that run backwards" if runs_back else "frames without time stamps"
    message = f"{path} has {problem}: its frames are taken one by one at {float(fps):g} frames/s"
    warnings.warn(message, Mocap3dWarning, stacklevel=5)
    count = len(ticks) + unstamped
    return FrameTimes(
        fps=fps, is_uniform=True, count=count, first_s=Fraction(0), span_s=Fraction(max(count - 1, 0)) / fps
    )


def _timed(frames: Iterator[av.VideoFrame], times: FrameTimes) -> Iterator[tuple[float, av.VideoFrame]]:
    seconds = float(times.first_s)
    for frame in frames:
        stamp: float | None = frame.time  # PyAV's types promise one; damaged files break the promise
        seconds = seconds + 1 / float(times.fps) if stamp is None else stamp
        yield seconds, frame


def _positive_float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
