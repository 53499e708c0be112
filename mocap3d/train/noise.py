"""What a 2D detector makes of the true picture points: errors, lost joints, hidden limbs, exchanged sides.

Lengths are metres at the person, so that noise follows the size of the body in the picture. Confidence is drawn first
and the error follows from it: a joint that MoveNet is unsure of lies farther off, by a measured amount. Everything is
drawn from one generator: the same seed gives the same detections.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17

__all__ = [
    "FPS",
    "LEAST_CONFIDENCE",
    "PARTS",
    "PART_OF_JOINT",
    "REFERENCE_FRAMES",
    "STD_M",
    "NoiseSettings",
    "simulate_detector",
]

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

FPS = 30
"""Frames per second that all lengths in frames, and `REFERENCE_FRAMES`, mean."""

REFERENCE_FRAMES = 35
"""Probabilities are per so many frames."""

LEAST_CONFIDENCE = 0.2
"""Below it capture takes a joint for not seen (`identify.repair.drop_unsure`)."""

PARTS = ("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
"""Left and right share their figures."""

_NAMES = COCO_17.joint_names
PART_OF_JOINT = np.array([PARTS.index(name.split("_")[-1]) for name in _NAMES])
"""(17,) joint of COCO-17 -> row of `PARTS`."""

_LIMBS = [[_NAMES.index(f"{side}_{part}") for part in parts]
          for side in ("left", "right") for parts in (("elbow", "wrist"), ("knee", "ankle"))]  # fmt: skip
_ARMS = [j for j, name in enumerate(_NAMES) if name.endswith(("shoulder", "elbow", "wrist"))]
_LEGS = [j for j, name in enumerate(_NAMES) if name.endswith(("hip", "knee", "ankle"))]
_BELOW_HIPS = [j for j, name in enumerate(_NAMES) if name.endswith(("knee", "ankle"))]
_PARTNER = np.array(COCO_17.mirror)

_CONFIDENCES = (0.03, 0.94)  # least and most
_GARBAGE = (0.03, 0.25)  # confidence of legs below the picture's edge
_OUTLIER_FRAMES = (1, 3)
_SWAPPED_FRAMES = (1, 7)
_HIDDEN_FRAMES = (5, 35)
_OCCLUDED_FRAMES = (5, 60)
_LONGEST_FRAMES = 60
_OCCLUDER_M = ((0.2, 0.25), (0.9, 1.2))  # smallest and largest rectangle, width and height
_FLICKER = 0.4  # share of the confidence's variance in time that is independent from frame to frame
_FILLED_OFF_M = 0.04  # how far a filled-in joint lies beside


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSettings:
    """How bad the simulated detector is. Probabilities are per joint, limb or person and `REFERENCE_FRAMES`.

    The defaults are MoveNet Thunder's, measured by ``benchmarks/detector_noise.py`` except where "assumed" stands:
    there the videos show too little. Tuples of nine are in the order of `PARTS`.

    Attributes:
        level: the detector's error relative to ``std_m``, lowest and highest, one for each clip.
        white: share of the error's variance that is independent from frame to frame.
        bias: constant error of each joint over a clip, relative to its standard deviation.
        lost: probability that a joint is lost for a moment.
        hidden: probability that a limb is hidden for a while, and then guessed or lost. Assumed.
        outlier: probability that a joint jumps away for a few frames.
        swapped: probability that left and right are exchanged for a few frames, in the arms or in the legs.
        cut_off: share of clips that show the upper body only. Assumed.
        filled: share of the lost joints that an earlier step has filled in (finite, confidence 0). Assumed.
        std_m: standard deviation per axis at the usual confidence, metres at a body of 1.70 m.
        slow_s: time constant of what is not white in the error, shortest and longest, one for each clip; seconds.
        confidence: the usual confidence of a joint in sight.
        confidence_std: its standard deviation from clip to clip, and from frame to frame.
        doubt: the error grows by exp(doubt) while the confidence falls by 1.
        turned_away: how much less confidence face points on the far side of the head have, at most.
        unsure: how much less confidence limbs and joints have that are hidden, least and most. Assumed.
        occluded: probability that an object, a still rectangle in the picture, covers part of the person. Assumed.
        lost_frames: how long a joint is lost on average, frames.
        outlier_m: how far an outlier lies off, standard deviation per axis.
    """

    level: tuple[float, float] = (0.51, 1.65)
    white: float = 0.05
    bias: float = 0.6
    lost: float = 0.2
    hidden: float = 0.15
    outlier: float = 0.55
    swapped: float = 0.08
    cut_off: float = 0.12
    filled: float = 0.3
    std_m: tuple[float, ...] = (0.0084, 0.0089, 0.0077, 0.0094, 0.0110, 0.0131, 0.0133, 0.0119, 0.0093)
    slow_s: tuple[float, float] = (0.07, 0.95)
    confidence: tuple[float, ...] = (0.67, 0.70, 0.72, 0.80, 0.78, 0.74, 0.84, 0.84, 0.84)
    confidence_std: tuple[float, float] = (0.076, 0.091)
    doubt: float = 3.06
    turned_away: float = 0.16
    unsure: tuple[float, float] = (0.25, 0.65)
    occluded: float = 0.05
    lost_frames: float = 2.0
    outlier_m: float = 0.055

    def __post_init__(self) -> None:
        """Take lists, which JSON makes of tuples, and refuse those that do not fit the parts."""
        for field in fields(self):
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        for name in ("std_m", "confidence"):
            if len(getattr(self, name)) != len(PARTS):
                raise InputError(f"{name} must have {len(PARTS)} numbers, one for each of {', '.join(PARTS)}")

    def of_joints(self, values: tuple[float, ...]) -> NDArray[np.float32]:
        """(17,) what stands for the parts, for the joints of COCO-17."""
        return np.asarray(np.array(values, dtype=np.float32)[PART_OF_JOINT])


STD_M = NoiseSettings().of_joints(NoiseSettings().std_m)
"""(17,) the default standard deviations of the joints, metres."""


def simulate_detector(
    rng: np.random.Generator, xy: Floats, size: Floats, turned_away: Bools, settings: NoiseSettings, fps: float = FPS
) -> tuple[Floats, Floats]:
    """Simulate a detector.

    Args:
        rng: source of randomness.
        xy: (B, T, 17, 2) true points on the plane z = 1.
        size: (B, T) how large one metre at the person is there (1 / depth).
        turned_away: (B, T, 17) points that the head hides from the camera.
        settings: how bad.
        fps: frames per second of the clips; what happens takes as long, and is as frequent, at any rate.

    Returns:
        xy (B, T, 17, 2), NaN where not seen, and confidence (B, T, 17), 0 where not seen or filled in.
    """
    shape = xy.shape[:3]
    error_m, wander = _wandering(rng, shape, settings, fps)
    confidence = _confidence(rng, wander, turned_away, settings)
    _hide_limbs(rng, confidence, settings, fps)
    _put_objects(rng, confidence, xy, size, settings, fps)
    np.clip(confidence, *_CONFIDENCES, out=confidence)
    lost = _stretches(rng, shape, settings.lost, lambda count: rng.geometric(1 / settings.lost_frames, count), fps)
    _scale(rng, error_m, confidence, settings, fps)
    _cut_off(rng, error_m, confidence, lost, settings)
    lost |= confidence < LEAST_CONFIDENCE
    error_m *= size[..., None, None]
    error_m += xy
    _swap_sides(rng, error_m, confidence, lost, settings, fps)
    filled = rng.random((shape[0], 1, shape[2])) < settings.filled
    guessed, gone = np.nonzero(lost & filled), np.nonzero(lost & ~filled)
    beside = rng.standard_normal((len(guessed[0]), 2), dtype=np.float32)
    error_m[guessed] += _FILLED_OFF_M * beside * size[guessed[:2]][:, None]
    error_m[gone] = np.nan
    confidence[lost] = 0
    return error_m.astype(xy.dtype, copy=False), confidence.astype(xy.dtype, copy=False)


def _wandering(
    rng: np.random.Generator, shape: tuple[int, ...], settings: NoiseSettings, fps: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slow (first-order autoregressive) plus white noise, variance 1: places (B, T, 17, 2), confidence (B, T, 17).

    Both change as fast, for they have one cause: the person moves.
    """
    batch, frames, joints = shape
    places = 2 * joints
    shortest, longest = (math.log(seconds) for seconds in settings.slow_s)
    keep = np.exp(-1 / (fps * np.exp(rng.uniform(shortest, longest, (batch, 1))))).astype(np.float32)
    noise = rng.standard_normal((batch, frames, places + joints), dtype=np.float32)
    noise[:, 1:] *= np.sqrt(1 - keep**2)[:, None]
    for t in range(1, frames):
        noise[:, t] += keep * noise[:, t - 1]
    white = np.repeat([settings.white, _FLICKER], [places, joints]).astype(np.float32)
    noise *= np.sqrt(1 - white)
    noise += np.sqrt(white) * rng.standard_normal(noise.shape, dtype=np.float32)
    return np.ascontiguousarray(noise[..., :places]).reshape(*shape, 2), noise[..., places:]


def _confidence(
    rng: np.random.Generator, wander: NDArray[np.float32], turned_away: Bools, settings: NoiseSettings
) -> NDArray[np.float32]:
    """Confidence (B, T, 17) of joints in plain sight: one level for each clip and joint, and what changes in time."""
    batch, _, joints = wander.shape
    of_clip, in_time = settings.confidence_std
    level = rng.standard_normal((batch, 1, joints), dtype=np.float32) * np.float32(of_clip)
    confidence = wander * np.float32(in_time)
    confidence += level + settings.of_joints(settings.confidence)
    less = rng.random((batch, 1, joints), dtype=np.float32) * np.float32(settings.turned_away)
    confidence -= turned_away * less
    return confidence


def _hide_limbs(rng: np.random.Generator, confidence: NDArray[np.float32], settings: NoiseSettings, fps: float) -> None:
    """Limbs behind the body: the detector guesses (``confidence`` is changed in place)."""
    batch, frames, _ = confidence.shape
    hidden = _stretches(rng, (batch, frames, len(_LIMBS)), settings.hidden, _between(rng, _HIDDEN_FRAMES), fps)
    less = rng.uniform(*settings.unsure, (batch, len(_LIMBS))).astype(np.float32)
    for n, limb in enumerate(_LIMBS):
        clips, times = np.nonzero(hidden[..., n])
        for j in limb:
            confidence[clips, times, j] -= less[clips, n]


def _put_objects(
    rng: np.random.Generator,
    confidence: NDArray[np.float32],
    xy: Floats,
    size: Floats,
    settings: NoiseSettings,
    fps: float,
) -> None:
    """Put a still rectangle in front of some people for a while; joints behind it are guessed (changed in place)."""
    batch, frames, joints = confidence.shape
    there = _stretches(rng, (batch, frames, 1), settings.occluded, _between(rng, _OCCLUDED_FRAMES), fps)[..., 0]
    clips = np.flatnonzero(there.any(axis=1))
    at = rng.integers(0, frames, len(clips)), rng.integers(0, joints, len(clips))
    half = 0.5 * rng.uniform(*_OCCLUDER_M, (len(clips), 2)) * size[clips, at[0]][:, None]
    centre = xy[clips, at[0], at[1]] + rng.uniform(-1, 1, half.shape) * half  # covers that joint at that time
    inside = (np.abs(xy[clips] - centre[:, None, None]) < half[:, None, None]).all(axis=-1)
    less = rng.uniform(*settings.unsure, (len(clips), 1, joints)).astype(np.float32)
    confidence[clips] -= (inside & there[clips, :, None]) * less


def _scale(
    rng: np.random.Generator,
    error_m: NDArray[np.float32],
    confidence: NDArray[np.float32],
    settings: NoiseSettings,
    fps: float,
) -> None:
    """Give the noise its size in metres, the constant part and the outliers (``error_m`` is changed in place)."""
    batch, _, joints, _ = error_m.shape
    lowest, highest = (math.log(level) for level in settings.level)
    level = np.exp(rng.uniform(lowest, highest, (batch, 1, 1))).astype(np.float32)
    doubt = np.float32(settings.doubt)
    error_m *= np.exp(doubt * (settings.of_joints(settings.confidence) - confidence))[..., None]
    error_m += np.float32(settings.bias) * rng.standard_normal((batch, 1, joints, 2), dtype=np.float32)
    error_m *= (level * settings.of_joints(settings.std_m))[..., None]
    away = np.nonzero(_stretches(rng, confidence.shape, settings.outlier, _between(rng, _OUTLIER_FRAMES), fps))
    error_m[away] += settings.outlier_m * rng.standard_normal((len(away[0]), 2), dtype=np.float32)


def _cut_off(
    rng: np.random.Generator,
    error_m: NDArray[np.float32],
    confidence: NDArray[np.float32],
    lost: Bools,
    settings: NoiseSettings,
) -> None:
    """Upper-body shots: the legs (or legs and hips) are lost, or garbage with little confidence (changed in place)."""
    batch = len(error_m)
    kind = np.where(rng.random(batch) < settings.cut_off, rng.random(batch), np.nan)  # NaN: a whole body
    for kinds, part in ((kind < 0.35, _BELOW_HIPS), ((kind >= 0.35) & (kind < 0.75), _LEGS)):
        lost[np.flatnonzero(kinds)[:, None], :, part] = True
    garbage = np.flatnonzero(kind >= 0.75)
    for j in _BELOW_HIPS:
        error_m[garbage, :, j] += rng.normal(0, 0.35, (len(garbage), 1, 2))
        confidence[garbage, :, j] = rng.uniform(*_GARBAGE, (len(garbage), confidence.shape[1]))


def _swap_sides(
    rng: np.random.Generator, xy: Floats, confidence: Floats, lost: Bools, settings: NoiseSettings, fps: float
) -> None:
    """Exchange left and right arms or legs for a few frames (all are changed in place)."""
    swapped = _stretches(rng, (*xy.shape[:2], 2), settings.swapped / 2, _between(rng, _SWAPPED_FRAMES), fps)
    for n, part in enumerate((_ARMS, _LEGS)):
        clips, times = (index[:, None] for index in np.nonzero(swapped[..., n]))
        other = _PARTNER[part]
        for values in (xy, confidence, lost):
            values[clips, times, part] = values[clips, times, other]


def _between(rng: np.random.Generator, frames: tuple[int, int]) -> Callable[[int], NDArray[np.int64]]:
    """Lengths of stretches, both ends included."""
    return lambda count: rng.integers(frames[0], frames[1] + 1, count)


def _stretches(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    probability: float,
    lengths: Callable[[int], NDArray[np.int64]],
    fps: float,
) -> Bools:
    """Random runs of frames, (B, T, N): they begin with ``probability`` per 35 frames, and before the clip as well.

    Only the runs are drawn, not whether one begins in each frame: there are few.
    """
    batch, frames, columns = shape
    pace = fps / FPS
    before = round(_LONGEST_FRAMES * pace)
    count = int(rng.poisson(probability / (REFERENCE_FRAMES * pace) * batch * (before + frames) * columns))
    clip, column = rng.integers(0, batch, count), rng.integers(0, columns, count)
    begin = rng.integers(-before, frames, count)
    length = np.clip(np.rint(lengths(count) * pace).astype(np.int64), 1, before)
    end = np.minimum(begin + length, frames)
    inside = end > 0
    change = np.zeros((batch, frames + 1, columns), dtype=np.int16)
    np.add.at(change, (clip[inside], np.maximum(begin[inside], 0), column[inside]), 1)
    np.add.at(change, (clip[inside], end[inside], column[inside]), -1)
    return np.asarray(np.cumsum(change[:, :-1], axis=1, dtype=np.int16) > 0)
