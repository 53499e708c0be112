"""Videos made on the spot, every frame of one gray level that says which frame it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def write_frames(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    fps: Fraction = Fraction(30),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
) -> Path:
    """Encode RGB pictures with PyAV; ``pts`` are in units of ``time_base``."""
    with av.open(str(path), "w", options=container_options or {}) as sink:
        stream = sink.add_stream(
            codec, rate=fps, options=options or ({"crf": "8", "g": "12"} if codec == "libx264" else {})
        )
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if pts is not None:
            stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[index], time_base
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode())
    return path


def gray_pictures(count: int, size_wh: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Picture i is gray 12 + 4 i everywhere."""
    return [np.full((size_wh[1], size_wh[0], 3), 12 + 4 * index, dtype=np.uint8) for index in range(count)]


def frame_number(picture: np.ndarray) -> int:
    """The inverse of ``gray_pictures``; conversion to YUV and back darkens by 1 or 2."""
    return round((float(picture.mean()) - 11) / 4)


@pytest.fixture
def write() -> Callable[..., Path]:
    """``write_frames``."""
    return write_frames


@pytest.fixture
def grays() -> Callable[..., list[np.ndarray]]:
    """``gray_pictures``."""
    return gray_pictures


@pytest.fixture
def number() -> Callable[[np.ndarray], int]:
    """``frame_number``."""
    return frame_number
