"""What happens to detected joints now and then: jumps, lost joints, hidden limbs, exchanged sides. How often, how long.

Rates are per `REFERENCE_FRAMES` of 30 frames/s, as the settings of `noise` are; clips of 60 frames/s should come with
every second frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import COCO_17
from mocap3d.train.noise import FPS, LEAST_CONFIDENCE, REFERENCE_FRAMES
from mocap3d.train.noise_residuals import Residuals

__all__ = ["Events", "hidden", "in_sight", "lost", "missed", "outliers", "swapped", "with_own_sides"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_FPS = 15  # what happens for a moment is not seen at 6 frames/s
_LEAST_SHARE = 0.5  # of the frames with confidence, for a joint that is in sight
_FAR = 5.0  # standard deviations: beyond is an outlier
_JUMP_M = 0.08  # and beyond that
_JUMP_FRAMES = 5  # and no longer
_HIDDEN = 0.5  # confidence of a limb that is hidden
_HIDDEN_FRAMES = 5  # and no shorter
_SIDES_APART_M = 0.12  # nearer than that nobody can tell left from right
_BETTER = 0.5  # exchanged sides must halve the error
_LEAST_JOINTS = 4  # of six, to tell

_NAMES = COCO_17.joint_names
_ARMS = [j for j, name in enumerate(_NAMES) if name.endswith(("shoulder", "elbow", "wrist"))]
_LEGS = [j for j, name in enumerate(_NAMES) if name.endswith(("hip", "knee", "ankle"))]
_LIMBS = [[_NAMES.index(f"{side}_{part}") for part in parts]
          for side in ("left", "right") for parts in (("elbow", "wrist"), ("knee", "ankle"))]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """How often something happens, and for how long.

    Attributes:
        rate: beginnings per `REFERENCE_FRAMES` of 30 frames/s, and per joint, limb or person.
        frames: mean length, in frames of 30 frames/s.
        count: how many there were.
        watched: joints, limbs or persons times the time that they were watched, in `REFERENCE_FRAMES`.
    """

    rate: float
    frames: float
    count: int
    watched: float


def outliers(clips: Sequence[tuple[Floats, Floats, float]]) -> tuple[Events, float]:
    """Short jumps, and how far they go: standard deviation per axis.

    Only those beyond a limit are seen. With a normal distribution in the plane, what the square of the length has
    beyond the square of a limit has the median 2 ln(2) std², whatever the limit, and exp(-limit² / 2 std²) of all lie
    beyond: the rate is that of all.

    Args:
        clips: error (T, 17, 2), metres, NaN where not seen; standard deviation (17,); frames per second.
    """
    found: list[tuple[Bools, Bools, float]] = []
    beyond, limits = [], []
    for error_m, std_m, fps in clips:
        square = np.nan_to_num((error_m**2).sum(axis=-1))
        limit = np.maximum(_FAR * np.nan_to_num(std_m, nan=np.inf), _JUMP_M) ** 2 + np.zeros_like(square)
        away = square > limit
        away &= _run_lengths(away) <= _JUMP_FRAMES
        found.append((away, np.isfinite(error_m[..., 0]), fps))
        beyond.append((square - limit)[away])
        limits.append(limit[away])
    events = _events(found)
    if not events.count:
        return events, float("nan")
    variance = float(np.median(np.concatenate(beyond))) / (2 * np.log(2))
    seen = float(np.exp(-np.median(np.concatenate(limits)) / (2 * variance)))
    return replace(events, rate=events.rate / seen), float(np.sqrt(variance))


def lost(clips: Sequence[Residuals]) -> Events:
    """Joints in sight whose confidence falls below `noise.LEAST_CONFIDENCE`."""
    found = []
    for clip in clips:
        there, shown = in_sight(clip)
        confidence = clip.confidence[there][:, shown]
        found.append((confidence < LEAST_CONFIDENCE, np.ones(confidence.shape, dtype=bool), clip.fps))
    return _events(found)


def hidden(clips: Sequence[Residuals]) -> Events:
    """Limbs whose two outer joints are in doubt at the same time, for a while."""
    found = []
    for clip in clips:
        there, shown = in_sight(clip)
        for limb in _LIMBS:
            if shown[limb].all():
                unsure = np.asarray((clip.confidence[there][:, limb] < _HIDDEN).all(axis=1, keepdims=True))
                unsure &= _run_lengths(unsure) >= _HIDDEN_FRAMES
                found.append((unsure, np.ones(unsure.shape, dtype=bool), clip.fps))
    return _events(found)


def swapped(clips: Sequence[Residuals]) -> Events:
    """Left and right exchanged in arms or legs; per person."""
    found = []
    for clip in clips:
        for part in (_ARMS, _LEGS):
            judged, exchanged = _sides(clip, part)
            found.append((exchanged[:, None], judged[:, None], clip.fps))
    events = _events(found)
    return replace(events, rate=2 * events.rate)  # arms and legs of one person


def with_own_sides(clip: Residuals) -> Residuals:
    """The clip without the joints of arms and legs whose sides are exchanged: those errors are NaN."""
    error_m = clip.error_m.copy()
    for part in (_ARMS, _LEGS):
        error_m[np.flatnonzero(_sides(clip, part)[1])[:, None], part] = np.nan
    return replace(clip, error_m=error_m)


def _sides(clip: Residuals, part: list[int]) -> tuple[Bools, Bools]:
    """(T,) frames in which left and right are far enough apart to tell, and in which they are exchanged.

    They are where the joints lie much better on the other side.
    """
    use = (np.isfinite(clip.error_m).all(axis=-1) & (clip.confidence >= LEAST_CONFIDENCE))[:, part]
    apart = _mean_length(clip.partner_m[:, part], use)
    straight = _mean_length(clip.error_m[:, part], use)
    crossed = _mean_length((clip.error_m - clip.partner_m)[:, part], use)
    judged = (apart > _SIDES_APART_M) & (use.sum(axis=1) >= _LEAST_JOINTS)
    return judged, judged & (crossed < _BETTER * straight)


def missed(clips: Sequence[Residuals]) -> float:
    """Share of frames without anything between the first and the last sight of a person."""
    there = [np.asarray((clip.confidence > 0).any(axis=1)) for clip in clips]
    inside = [seen[np.argmax(seen) : len(seen) - np.argmax(seen[::-1])] for seen in there]
    return float(1 - np.concatenate(inside).mean())


def _events(found: Sequence[tuple[Bools, Bools, float]]) -> Events:
    """Count runs of (T, N) happenings in what was watched, (T, N), at each clip's frame rate."""
    usable = [(happens, watched, fps) for happens, watched, fps in found if fps > _LEAST_FPS and happens.size]
    count = sum(int((happens[1:] & ~happens[:-1]).sum() + happens[0].sum()) for happens, _, _ in usable)
    length_s = sum(float(happens.sum()) / fps for happens, _, fps in usable)
    watched = sum(float(watch.sum()) / fps for _, watch, fps in usable) * FPS / REFERENCE_FRAMES
    return Events(
        rate=count / watched if watched else 0.0,
        frames=FPS * length_s / count if count else 0.0,
        count=count,
        watched=watched,
    )


def _run_lengths(happens: Bools) -> NDArray[np.int64]:
    """(T, N) how long the run is that each entry belongs to; 0 outside."""
    lengths = np.zeros(happens.shape, dtype=np.int64)
    for n in range(happens.shape[1]):
        change = np.diff(np.concatenate([[False], happens[:, n], [False]]).astype(int))
        for begin, end in zip(np.flatnonzero(change > 0), np.flatnonzero(change < 0), strict=True):
            lengths[begin:end, n] = end - begin
    return lengths


def in_sight(clip: Residuals) -> tuple[Bools, Bools]:
    """(T,) frames in which the person is found, and (17,) joints that are seen in most of them."""
    there = np.asarray((clip.confidence > 0).any(axis=1))
    return there, np.asarray((clip.confidence[there] >= LEAST_CONFIDENCE).mean(axis=0) >= _LEAST_SHARE)


def _mean_length(vectors: Floats, use: Bools) -> Floats:
    """(T,) mean length of (T, N, 2) over those that are used; 0 without any."""
    length = np.where(use, np.nan_to_num(np.linalg.norm(vectors, axis=-1)), 0)
    return np.asarray(length.sum(axis=1) / np.maximum(use.sum(axis=1), 1))
