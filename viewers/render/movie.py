"""Pictures to files: PNG, and H.264 in MP4 as every player takes it. A file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path

if TYPE_CHECKING:
    import av

__all__ = ["MovieWriter", "png_bytes", "resized", "write_movie", "write_png"]

Picture = NDArray[np.uint8]
_QUALITY: Final = "18"  # x264's constant rate factor: nothing is seen to be lost
_MEMORY: Final = 12  # pictures that the encoder may look ahead


class MovieWriter:
    """Takes pictures one after another."""

    def __init__(self, container: av.container.OutputContainer, fps: Fraction, size_wh_px: tuple[int, int]) -> None:
        """Begin a movie of one size; width and height must be even."""
        self._container = container
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size_wh_px
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": _QUALITY, "preset": "veryfast", "rc-lookahead": str(_MEMORY)}
        context = stream.codec_context
        context.colorspace, context.color_range = 1, 1  # BT.709, TV: what players take RGB to have been
        context.color_primaries, context.color_trc = 1, 1
        self._stream = stream

    def add(self, picture: Picture) -> None:
        """Append an (H, W, 3) sRGB picture."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


@contextmanager
def write_movie(path: str | os.PathLike[str], fps: Fraction, size_wh_px: tuple[int, int]) -> Iterator[MovieWriter]:
    """Open a movie for writing; it appears under its name when the block ends well.

    Raises:
        InputError: the file cannot be written, or the name does not end in ``.mp4``.
    """
    import av

    target = Path(path)
    if target.suffix.lower() != ".mp4":
        raise InputError(f"a movie is an .mp4 file, got {target}")
    with atomic_path(target) as temporary:
        try:
            with av.open(f"file:{temporary}", "w", format="mp4", options={"movflags": "+faststart"}) as container:
                movie = MovieWriter(container, fps, size_wh_px)
                yield movie
                movie.finish()
        except av.error.FFmpegError as error:
            raise InputError(f"cannot write {target}: {error.strerror or error}") from error


def png_bytes(picture: Picture) -> bytes:
    """Encode an (H, W, 3) sRGB picture, or an (H, W, 4) one with opacity (not multiplied into the colours)."""
    import av

    kind = "rgba" if picture.shape[2] == 4 else "rgb24"
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt, encoder.time_base = kind, Fraction(1, 25)
    encoder.options = {"pred": "mixed", "compression_level": "9"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def write_png(picture: Picture, path: str | os.PathLike[str]) -> Path:
    """Write a picture as `png_bytes` encodes it.

    Raises:
        InputError: the file cannot be written, or the name does not end in ``.png``.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise InputError(f"a picture is a .png file, got {target}")
    with atomic_path(target) as temporary:
        temporary.write_bytes(png_bytes(picture))
    return target


def resized(picture: Picture, size_wh_px: tuple[int, int]) -> Picture:
    """An (H, W, 3) picture in another size."""
    import av

    if picture.shape[1::-1] == size_wh_px:
        return picture
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    width, height = size_wh_px
    return np.asarray(frame.reformat(width=width, height=height, interpolation="AREA").to_ndarray(), dtype=np.uint8)
