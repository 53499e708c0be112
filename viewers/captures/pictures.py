"""Frames of a video by their index, as JPEG, for whoever jumps about in it; memory is bounded."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

import mocap3d
from mocap3d.cameras.jpeg import jpeg_bytes
from mocap3d.cameras.video import Video, open_video

__all__ = ["Pictures"]

_CACHE_BYTES: Final = 48 * 2**20
_READ_ON: Final = 16  # frames ahead: nearer than that reading on is quicker than jumping
_LONGEST_PX: Final = 1280
_QUALITY: Final = 85


class Pictures:
    """The frames of one video or folder of images; may be asked by several threads at once.

    Attributes:
        path: the video.
        problem: why there are no pictures; None if there are.
    """

    def __init__(self, path: Path, *, fps: Fraction, start: int | str | None = None) -> None:
        """Open a video at a frame rate; ``start`` is what `mocap3d.capture` was given."""
        self.path = path
        self.problem: str | None = None
        self.start_frame = 0
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0
        self._video: Video | None = None
        self._reading: Generator[NDArray[np.uint8]] | None = None
        self._next = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)  # said when it was captured
                self._video = open_video(path, fps=fps)
                if start is not None:
                    self.start_frame = open_video(path, fps=fps, start=start).start_frame
        except mocap3d.Mocap3dError as error:
            self.problem = str(error)

    @property
    def size_wh_px(self) -> tuple[int, int] | None:
        """Width and height of the frames."""
        return None if self._video is None else self._video.size_wh_px

    @property
    def count(self) -> int:
        """How many frames there are."""
        return 0 if self._video is None else self._video.frame_count

    def jpeg(self, index: int) -> bytes:
        """Return one frame, from 0; its longer side has at most 1280 pixels.

        Raises:
            LookupError: there is no such frame.
            Mocap3dError: it cannot be decoded.
        """
        if self.problem is not None or not 0 <= index < self.count:
            raise LookupError(index)
        with self._lock:
            if index not in self._cache:
                self._read_to(index)
            self._cache.move_to_end(index)
            return self._cache[index]

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return one frame as it is, (H, W, 3) RGB.

        Raises:
            LookupError: there is no such frame.
            Mocap3dError: it cannot be decoded.
        """
        if self.problem is not None or self._video is None or not 0 <= index < self.count:
            raise LookupError(index)
        reading = self._video.since(index)
        try:
            picture = next(reading, None)
        finally:
            reading.close()
        if picture is None:
            raise LookupError(index)
        return picture

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._stop()

    def _read_to(self, index: int) -> None:
        if self._reading is None or not self._next <= index < self._next + _READ_ON:
            self._stop()
            if self._video is not None:
                self._reading, self._next = self._video.since(index), index
        while self._reading is not None and self._next <= index:
            picture = next(self._reading, None)
            if picture is None:
                raise LookupError(index)
            self._keep(self._next, jpeg_bytes(picture, quality=_QUALITY, longest_px=_LONGEST_PX))
            self._next += 1

    def _keep(self, index: int, data: bytes) -> None:
        self._held += len(data) - len(self._cache.pop(index, b""))
        self._cache[index] = data
        while self._held > _CACHE_BYTES and len(self._cache) > 1:
            self._held -= len(self._cache.popitem(last=False)[1])

    def _stop(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None
