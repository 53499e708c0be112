"""What a 2D detector makes of the true picture points: errors, lost joints, hidden limbs, exchanged sides.

Lengths are metres at the person, so that noise follows the size of the body in the picture. Everything is drawn from
one generator: the same seed gives the same detections.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import COCO_17

__all__ = [
    "STD_M",
    "NoiseSettings",
    "simulate_detector",
]

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

# Standard deviation of a typical detector per joint, metres at a 1.70 m person: 0.8 to 2 % of the body height.
_STD_OF_PART = {"nose": 0.014, "eye": 0.014, "ear": 0.018, "shoulder": 0.022, "elbow": 0.026, "wrist": 0.032,
                "hip": 0.030, "knee": 0.027, "ankle": 0.034}  # fmt: skip
STD_M = np.array([_STD_OF_PART[name.split("_")[-1]] for name in COCO_17.joint_names], dtype=np.float32)

_REFERENCE_FRAMES = 35  # probabilities are per so many frames
_NAMES = COCO_17.joint_names
_LIMBS = [[_NAMES.index(f"{side}_{part}") for part in parts]
          for side in ("left", "right") for parts in (("elbow", "wrist"), ("knee", "ankle"))]  # fmt: skip
_ARMS = [j for j, name in enumerate(_NAMES) if name.endswith(("shoulder", "elbow", "wrist"))]
_LEGS = [j for j, name in enumerate(_NAMES) if name.endswith(("hip", "knee", "ankle"))]
_BELOW_HIPS = [j for j, name in enumerate(_NAMES) if name.endswith(("knee", "ankle"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSettings:
    """How bad the simulated detector is. Probabilities are per joint, limb or person and 35 frames.

    Attributes:
        level: the detector's error relative to `STD_M`, lowest and highest, one for each clip.
        white: share of the error's variance that is independent from frame to frame.
        bias: constant error of each joint over a clip, relative to its standard deviation.
        lost: probability that a joint is lost for a while.
        hidden: probability that a limb is hidden for a while, and then guessed or lost.
        outlier: probability that a joint jumps away for a few frames.
        swapped: probability that left and right are exchanged for a few frames, in the arms or in the legs.
        cut_off: share of clips that show the upper body only.
        filled: share of the lost joints that an earlier step has filled in (finite, confidence 0).
    """

    level: tuple[float, float] = (0.2, 1.8)
    white: float = 0.3
    bias: float = 0.6
    lost: float = 0.15
    hidden: float = 0.15
    outlier: float = 0.08
    swapped: float = 0.08
    cut_off: float = 0.12
    filled: float = 0.3


def simulate_detector(
    rng: np.random.Generator, xy: Floats, size: Floats, turned_away: Bools, settings: NoiseSettings
) -> tuple[Floats, Floats]:
    """Simulate a detector.

    Args:
        rng: source of randomness.
        xy: (B, T, 17, 2) true points on the plane z = 1.
        size: (B, T) how large one metre at the person is there (1 / depth).
        turned_away: (B, T, 17) points that the head hides from the camera.
        settings: how bad.

    Returns:
        xy (B, T, 17, 2), NaN where not seen, and confidence (B, T, 17), 0 where not seen or filled in.
    """
    shape = xy.shape[:3]
    spread: Floats = np.ones(shape, dtype=np.float32)
    confidence: Floats = _confidence(rng, shape)
    lost = _stretches(rng, shape, settings.lost, (2, 20))
    spread, confidence = _blur(rng, turned_away, spread, confidence, factor=2.0)
    for limb in _LIMBS:
        hidden = _stretches(rng, (*shape[:2], 1), settings.hidden, (5, 35))
        guessed = rng.random((shape[0], 1, 1)) < 0.6
        lost[..., limb] |= hidden & ~guessed
        limb_hidden = np.zeros(shape, dtype=bool)
        limb_hidden[..., limb] = hidden & guessed
        spread, confidence = _blur(rng, limb_hidden, spread, confidence, factor=3.5)
    error_m = _error_m(rng, shape, spread, settings)
    outlier = _stretches(rng, shape, settings.outlier, (1, 5))
    error_m += np.where(outlier[..., None], rng.normal(0, 0.25, xy.shape), 0)
    lost |= _cut_off(rng, error_m, confidence, settings)
    confidence = np.clip(confidence - 2.0 * np.sqrt((error_m**2).sum(axis=-1)), 0.03, 0.97)
    seen: Floats = xy + error_m * size[..., None, None]
    seen, confidence, lost = _swap_sides(rng, seen, confidence, lost, settings)
    filled = rng.random((shape[0], 1, shape[2])) < settings.filled
    seen = np.where((lost & filled)[..., None], seen + rng.normal(0, 0.04, xy.shape) * size[..., None, None], seen)
    seen = np.where((lost & ~filled)[..., None], np.nan, seen)
    return seen.astype(xy.dtype), np.where(lost, 0, confidence).astype(xy.dtype)


def _confidence(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Confidence of joints in plain sight: one level for each clip and joint, and a little flicker."""
    batch, _, joints = shape
    level = rng.normal(0.72, 0.08, (batch, 1, 1)) + rng.normal(0, 0.08, (batch, 1, joints))
    return np.clip(level + rng.normal(0, 0.05, shape), 0.15, 0.97)


def _error_m(rng: np.random.Generator, shape: tuple[int, ...], spread: Floats, settings: NoiseSettings) -> Floats:
    """(B, T, 17, 2): slow (first-order autoregressive) plus white noise around a constant bias."""
    batch, frames, joints = shape
    lowest, highest = (math.log(level) for level in settings.level)
    level = np.exp(rng.uniform(lowest, highest, (batch, 1, 1, 1)))
    keep = rng.uniform(0.5, 0.95, (batch, 1, 1)).astype(np.float32)
    fresh = rng.standard_normal((batch, frames, joints, 2), dtype=np.float32)
    slow = np.empty_like(fresh)
    slow[:, 0] = fresh[:, 0]
    for t in range(1, frames):
        slow[:, t] = keep * slow[:, t - 1] + np.sqrt(1 - keep**2) * fresh[:, t]
    white = rng.standard_normal(fresh.shape, dtype=np.float32)
    bias = settings.bias * rng.standard_normal((batch, 1, joints, 2))
    moving = np.sqrt(1 - settings.white) * slow + np.sqrt(settings.white) * white
    return np.asarray((moving * spread[..., None] + bias) * level * STD_M[:, None])


def _blur(
    rng: np.random.Generator, where: Bools, spread: Floats, confidence: Floats, factor: float
) -> tuple[Floats, Floats]:
    """Joints that are guessed: larger error, little confidence."""
    doubt = rng.uniform(0.1, 0.5, (len(where), 1, where.shape[2]))
    return np.where(where, spread * factor, spread), np.where(where, np.minimum(confidence, doubt), confidence)


def _cut_off(rng: np.random.Generator, error_m: Floats, confidence: Floats, settings: NoiseSettings) -> Bools:
    """Upper-body shots: the legs (or legs and hips) are lost, or garbage with little confidence (changed in place)."""
    batch, frames, joints, _ = error_m.shape
    below = np.isin(np.arange(joints), _BELOW_HIPS)
    whole = np.isin(np.arange(joints), _LEGS)
    kind = np.where(rng.random(batch) < settings.cut_off, rng.random(batch), np.nan)[:, None]  # NaN: a whole body
    lost = ((kind < 0.35) & below) | ((kind >= 0.35) & (kind < 0.75) & whole)
    garbage = np.repeat(((kind >= 0.75) & below)[:, None, :], frames, axis=1)
    error_m += np.where(garbage[..., None], rng.normal(0, 0.35, (batch, 1, joints, 2)), 0)
    confidence[garbage] = rng.uniform(0.03, 0.25, int(garbage.sum()))
    return np.repeat(lost[:, None, :], frames, axis=1)


def _swap_sides(
    rng: np.random.Generator, xy: Floats, confidence: Floats, lost: Bools, settings: NoiseSettings
) -> tuple[Floats, Floats, Bools]:
    """Exchange left and right arms or legs for a few frames."""
    order = np.arange(len(COCO_17))
    for part in (_ARMS, _LEGS):
        swap = _stretches(rng, (*xy.shape[:2], 1), settings.swapped / 2, (1, 7))
        partner = order.copy()
        partner[part] = np.array(COCO_17.mirror)[part]
        xy = np.where(swap[..., None], xy[..., partner, :], xy)
        confidence = np.where(swap, confidence[..., partner], confidence)
        lost = np.where(swap, lost[..., partner], lost)
    return xy, confidence, lost


def _stretches(rng: np.random.Generator, shape: tuple[int, ...], probability: float, frames: tuple[int, int]) -> Bools:
    """Random runs of frames, (B, T, N): they begin with ``probability`` per 35 frames, each column with one length."""
    batch, length, columns = shape
    longest = frames[1]
    begins = rng.random((batch, length + longest, columns)) < probability / _REFERENCE_FRAMES
    count = np.cumsum(begins, axis=1)
    run = rng.integers(frames[0], longest + 1, (batch, 1, columns))
    now = np.arange(longest, length + longest)[None, :, None]
    return np.asarray(np.take_along_axis(count, now, axis=1) > np.take_along_axis(count, now - run, axis=1))
