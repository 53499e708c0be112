"""When did each camera start? Told by what their microphones heard.

Sound says it to a millisecond when all cameras stand in one room: each metre further from the source delays by 3 ms.
Two recordings are compared by generalised cross-correlation with phase transform (Knapp and Carter 1976): all
frequencies count alike, so that neither a boomy room nor an automatic gain decides.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.cameras.sync.offsets import PairOffset, Sync, combine

__all__ = ["RATE_HZ", "Sound", "compare_sounds", "read_sound", "sync_audio"]

Floats = NDArray[np.float64]
Sound = tuple[NDArray[np.float32], float]
"""Samples at ``RATE_HZ``, and when the first one was heard, in seconds after the first picture."""

RATE_HZ: Final = 16000
_BAND_HZ: Final = (100.0, 7000.0)  # hum and what codecs cut away tell nothing
_SMEAR_S: Final = 0.01  # echoes and the cameras' different places smear a peak
_STD_S: Final = 0.003  # a metre of difference between microphones
_CLEAR: Final = 2.0  # a peak so many times as high as the next one is beyond doubt


def sync_audio(videos: Sequence[str | os.PathLike[str]], *, max_offset_s: float | None = None) -> Sync:
    """Find when each camera started from the sound of its video.

    Args:
        videos: one file per camera; those without sound are left out (their offset is NaN).
        max_offset_s: cameras started no further apart than this; None admits any.

    Raises:
        InputError: fewer than two videos, or fewer than two with sound.
        FileFormatError: a file cannot be read.
    """
    if len(videos) < 2:
        raise InputError(f"synchronising needs at least 2 videos, got {len(videos)}")
    sounds = [read_sound(video) for video in videos]
    heard = [c for c, sound in enumerate(sounds) if sound is not None]
    if len(heard) < 2:
        only = f"only 1 of {len(videos)} videos has sound ({Path(videos[heard[0]]).name})" if heard else ""
        raise InputError(f"{only or 'none of the videos has sound'}: synchronise them by the motion instead")
    pairs = []
    for a, b in itertools.combinations(heard, 2):
        first, second = sounds[a], sounds[b]
        if first is not None and second is not None:
            offset_s, confidence = compare_sounds(first, second, max_offset_s=max_offset_s)
            pairs.append(PairOffset(first=a, second=b, offset_s=offset_s, std_s=_STD_S, confidence=confidence))
    return combine(len(videos), pairs)


def compare_sounds(first: Sound, second: Sound, *, max_offset_s: float | None = None) -> tuple[float, float]:
    """Find how much later the second camera started than the first, and how sure that is (0..1).

    Args:
        first: samples at ``RATE_HZ`` and when they begin, after the camera's first picture.
        second: of the other camera.
        max_offset_s: no further apart than this.
    """
    a, b = (_prepared(sound[0]) for sound in (first, second))
    if not a.any() or not b.any():
        return 0.0, 0.0
    size = next_fast_len(len(a) + len(b), real=True)
    cross = np.conj(rfft(a, size)) * rfft(b, size)
    hz = rfftfreq(size, 1 / RATE_HZ)
    inside = (hz >= _BAND_HZ[0]) & (hz <= _BAND_HZ[1])
    strength = np.abs(cross)
    floor = 1e-3 * float(strength[inside].max(initial=0.0)) + 1e-30
    correlation = irfft(np.where(inside, cross / (strength + floor), 0.0), size)
    lags = np.concatenate([np.arange(len(b)), np.arange(-(len(a) - 1), 0)])
    values = np.concatenate([correlation[: len(b)], correlation[size - (len(a) - 1) :]])
    starts = second[1] - first[1]
    offsets = -lags / RATE_HZ - starts  # the sound at sample t of the first is at t + lag of the second
    if max_offset_s is not None:
        values = np.where(np.abs(offsets) <= max_offset_s, values, -np.inf)
    best = int(np.argmax(values))
    if not values[best] > 0:
        return 0.0, 0.0
    near = np.abs(offsets - offsets[best]) <= _SMEAR_S
    other = float(np.max(values[~near], initial=0.0))
    ratio = float(values[best]) / max(other, 1e-12)
    around = [values[(best + step) % len(values)] for step in (-1, 0, 1)]
    bend = 2 * around[1] - around[0] - around[2]
    step = 0.5 * (around[2] - around[0]) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(offsets[best] - step / RATE_HZ), float(np.clip((ratio - 1) / (_CLEAR - 1), 0.0, 1.0))


def read_sound(path: str | os.PathLike[str]) -> Sound | None:
    """Read the sound of a video as one channel at ``RATE_HZ``; None if it has none.

    Raises:
        InputError: no such file.
        FileFormatError: it cannot be read.
    """
    import av

    if not Path(path).exists():
        raise InputError(f"there is no file {path}")
    chunks: list[NDArray[np.float32]] = []
    first_s = None
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            video = container.streams.video[0] if container.streams.video else None
            picture_s = 0.0 if video is None else float((video.start_time or 0) * (video.time_base or 0))
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE_HZ)
            for frame in container.decode(stream):
                if first_s is None:
                    first_s = float(frame.time or 0.0)
                chunks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            chunks += [part.to_ndarray()[0] for part in resampler.resample(None)]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FileFormatError(f"its sound cannot be read ({error})", path=Path(path)) from error
    if not chunks or first_s is None:
        return None
    return np.concatenate(chunks).astype(np.float32), first_s - picture_s


def _prepared(samples: ArrayLike) -> Floats:
    """Without its mean, and loud moments held back, so that one bang near one camera does not decide."""
    x = np.nan_to_num(np.asarray(samples, np.float64))
    x = x - x.mean() if len(x) else x
    loud = 6 * float(np.sqrt((x**2).mean())) if len(x) else 0.0
    return np.asarray(np.clip(x, -loud, loud))
