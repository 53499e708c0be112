"""The low-pass filters themselves, on gap-free columns: as much before a frame counts as after it.

Both take and return (T, K) and are linear, so that turning the input turns the output. They expect the ends to be
extended already (`pad_frames` at each), and are symmetrical in time bit by bit: the clip played backwards comes out as
the same clip played backwards.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.signal import butter, sosfiltfilt
from scipy.special import ive

__all__ = [
    "butterworth_design_hz",
    "butterworth_lowpass",
    "butterworth_pad_frames",
    "gaussian_lowpass",
    "gaussian_pad_frames",
    "gaussian_variance",
]

Floats = NDArray[np.float64]

_SETTLED: Final = 23.0  # time constants after which a start is forgotten: exp(-23) = 1e-10


def butterworth_design_hz(cutoff_hz: float, fps: float, order: int) -> float:
    """The cut-off of one pass so that two passes, there and back, have theirs at ``cutoff_hz``.

    Two passes halve at -3 dB what one keeps there, so the single one must begin higher; the tangents are those of the
    bilinear transform, which makes it exact at any rate.

    Reference:
        Winter, "Biomechanics and Motor Control of Human Movement", 4th ed. 2009, section 3.4.4.2 (there 0.802 for a
        second order, far below the frame rate).
    """
    tangent = math.tan(math.pi * cutoff_hz / fps) / (math.sqrt(2.0) - 1.0) ** (0.5 / order)
    return math.atan(tangent) * fps / math.pi


def butterworth_pad_frames(cutoff_hz: float, fps: float, order: int) -> int:
    """Frames after which the slowest part of the response has died away."""
    poles = 2.0 * math.tan(math.pi * butterworth_design_hz(cutoff_hz, fps, order) / fps)  # radians per frame
    return math.ceil(_SETTLED / (poles * math.sin(0.5 * math.pi / order))) + order


def butterworth_lowpass(values: Floats, cutoff_hz: float, fps: float, order: int) -> Floats:
    """Filter there and back, and back and there, and take the mean: the ends then favour neither direction."""
    sections = butter(order, butterworth_design_hz(cutoff_hz, fps, order), fs=fps, output="sos")
    there = sosfiltfilt(sections, values, axis=0, padtype=None)
    back = sosfiltfilt(sections, values[::-1], axis=0, padtype=None)[::-1]
    return np.asarray(0.5 * (there + back))


def gaussian_variance(cutoff_hz: float, fps: float) -> float:
    """The variance, in frames squared, of the discrete Gaussian that keeps 1/sqrt(2) at ``cutoff_hz``."""
    return 0.5 * math.log(2.0) / (1.0 - math.cos(2.0 * math.pi * cutoff_hz / fps))


def gaussian_pad_frames(cutoff_hz: float, fps: float) -> int:
    """Half the width of the kernel: what lies beyond weighs less than 1e-10."""
    return math.ceil(7.0 * math.sqrt(gaussian_variance(cutoff_hz, fps))) + 6


def gaussian_lowpass(values: Floats, cutoff_hz: float, fps: float) -> Floats:
    """Convolve with the discrete Gaussian, ``exp(-v) I_n(v)`` for a variance v in frames squared.

    It is the Gaussian for samples: its response is exp(-v (1 - cos 2 pi f / fps)) at every frequency, also where a
    sampled bell curve would be too narrow to be sampled.

    Reference:
        Lindeberg, "Scale-space for discrete signals", IEEE TPAMI 1990.
    """
    reach = gaussian_pad_frames(cutoff_hz, fps)
    half = ive(np.arange(reach + 1), gaussian_variance(cutoff_hz, fps))
    kernel = np.concatenate([half[:0:-1], half])
    return np.asarray(convolve1d(values, kernel / kernel.sum(), axis=0, mode="nearest"))
