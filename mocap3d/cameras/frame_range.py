"""Which frames of a video are wanted: "frames 30 to 90", "from 2.5 seconds on"."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from mocap3d.base.errors import InputError

__all__ = ["frame_range"]


def frame_range(start: int | str | None, stop: int | str | None, fps: Fraction, count: int, what: str) -> range:
    """Turn a start and a stop into frame numbers.

    Args:
        start: the first frame; None means 0. A number is a frame, ``"2.5s"`` and ``"1:02.5"`` are times: the first
            frame at or after it.
        stop: the first frame that is left out; None, or a frame beyond the end, means the end.
        fps: frames per second.
        count: frames that there are.
        what: what the error message calls the video.

    Raises:
        InputError: neither a frame nor a time, below 0, or no frame is left.
    """
    first = 0 if start is None else _frame("start", start, fps)
    last = count if stop is None else min(_frame("stop", stop, fps), count)
    if first >= last:
        raise InputError(f"no frame of {what} lies in {start} .. {stop}: it has the frames 0 to {count - 1}")
    return range(first, last)


def _frame(name: str, value: int | str, fps: Fraction) -> int:
    text = str(value).strip()
    if re.fullmatch(r"\d+", text):
        return int(text)
    time = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)(s?)", text)
    if isinstance(value, float) or time is None or (time[2] is None and not time[4]):
        raise InputError(f"{name} must be a frame (75) or a time ('2.5s', '1:02.5'), got {value!r}")
    hours, minutes = int(time[1] or 0), int(time[2] or 0)
    return math.ceil((hours * 3600 + minutes * 60 + Fraction(time[3])) * fps)
