"""The people of each frame, in no order -> one track per person.

From frame to frame everybody is expected where a constant velocity leads them; expectations and finds are paired so
that the sum of their differences is least (Hungarian method). The difference is the distance of the joints in units
of the body's height, plus a penalty for another size: of two people who cross, the nearer one is larger. Someone who is
not found goes on being expected for a second, so that a tree or another person may hide them for that long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.body_size import height_px
from mocap3d.identify.track import Track

__all__ = ["FollowSettings", "People", "follow"]

_STEADY = [COCO_17.index(name) for name in ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")]
"""Joints that move with the body as a whole, not with a step or a wave."""


class People(Protocol):
    """The people of one frame."""

    @property
    def xy_px(self) -> NDArray[np.float64]:
        """(N, 17, 2) COCO-17 joints."""
        ...

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(N, 17) in 0..1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowSettings:
    """How people are followed. Lengths are parts of the body's height in the picture.

    Attributes:
        reach: how far the joints may be, on average, from where they are expected.
        reach_growth_per_s: how much farther for each second in which the person was not found.
        size_penalty: difference that a size e times as large counts for.
        velocity_s: the time over which velocity is measured.
        remember_s: for how long someone who is not found is expected.
        least_s: someone seen for less is dropped (and for less than half of the shot).
    """

    reach: float = 0.3
    reach_growth_per_s: float = 0.4
    size_penalty: float = 0.4
    velocity_s: float = 0.25
    remember_s: float = 1.0
    least_s: float = 0.2


@dataclass(slots=True)
class _Person:
    """Someone who is being followed."""

    height_px: float
    frames: list[int] = field(default_factory=list)
    xy_px: list[NDArray[np.float64]] = field(default_factory=list)
    confidence: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, frame: int, xy_px: NDArray[np.float64], confidence: NDArray[np.float64], height_px: float) -> None:
        self.frames.append(frame)
        self.xy_px.append(xy_px)
        self.confidence.append(confidence)
        self.height_px += 0.2 * (height_px - self.height_px)  # a slow average: steps and occlusions change it

    def velocity(self, span: int) -> NDArray[np.float64]:
        """(2,) pixels per frame, over about the last ``span`` frames in which the person was found."""
        since = bisect_left(self.frames, self.frames[-1] - span)
        elapsed = self.frames[-1] - self.frames[since]
        if elapsed == 0:
            return np.zeros(2)
        weight = (self.confidence[since] * self.confidence[-1])[_STEADY]
        moved = np.nan_to_num(self.xy_px[-1] - self.xy_px[since])[_STEADY]  # NaN has weight 0
        mean = (weight[:, None] * moved).sum(axis=0) / max(weight.sum(), 1e-9)
        # A short base exaggerates noise, so a velocity counts in full only once it was measured over the whole span.
        return np.asarray(mean / elapsed * min(1.0, elapsed / span))


def follow(
    frames: Sequence[People],
    fps: Fraction | float | str,
    size_wh_px: tuple[int, int],
    *,
    camera_name: str = "camera",
    settings: FollowSettings | None = None,
) -> list[Track]:
    """Follow everybody through one shot.

    Args:
        frames: the people of each frame.
        fps: frames per second.
        size_wh_px: of the frames; who is expected farther outside than their own height is forgotten.
        camera_name: which camera saw them.
        settings: how people are followed.

    Returns:
        The tracks, the person seen longest and largest first (``Track.prominence``); none when nobody was found.

    Raises:
        InputError: arrays that are not (N, 17, 2) and (N, 17).
    """
    rate, chosen = as_fps(fps), settings or FollowSettings()
    expected: list[_Person] = []
    everybody: list[_Person] = []
    for t, people in enumerate(frames):
        xy_px, confidence = _checked(t, people)
        heights = np.nan_to_num(height_px(xy_px, confidence), nan=1.0)
        expected = [person for person in expected if _still_expected(person, t, float(rate), size_wh_px, chosen)]
        pairs = _pair(expected, t, xy_px, confidence, heights, float(rate), chosen)
        for n in range(len(xy_px)):
            if n in pairs:
                person = expected[pairs[n]]
            else:
                person = _Person(heights[n])
                everybody.append(person)
                expected.append(person)
            person.add(t, xy_px[n], confidence[n], heights[n])
    least = min(chosen.least_s * float(rate), len(frames) / 2)
    kept = [person for person in everybody if len(person.frames) >= least]
    tracks = [_track(person, len(frames), rate, camera_name) for person in kept]
    tracks.sort(key=lambda track: -track.prominence)
    return [
        Track(person=number, first=track.first, last=track.last, pose2d=track.pose2d)
        for number, track in enumerate(tracks, start=1)
    ]


def _checked(t: int, people: People) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    xy_px = np.asarray(people.xy_px, dtype=np.float64)
    confidence = np.asarray(people.confidence, dtype=np.float64)
    joints = len(COCO_17)
    if xy_px.shape[1:] != (joints, 2) or confidence.shape != xy_px.shape[:2]:
        raise InputError(
            f"frame {t}: xy_px must be (N, {joints}, 2) and confidence (N, {joints}), "
            f"got {xy_px.shape} and {confidence.shape}"
        )
    confidence = np.where(np.isfinite(xy_px).all(axis=-1), confidence, 0.0)
    somebody = (confidence > 0).sum(axis=1) >= 2  # less has no size
    return xy_px[somebody], confidence[somebody]


def _expected_xy(person: _Person, t: int, fps: float, settings: FollowSettings) -> NDArray[np.float64]:
    velocity = person.velocity(max(2, round(settings.velocity_s * fps)))
    return np.asarray(person.xy_px[-1] + velocity * (t - person.frames[-1]))


def _still_expected(person: _Person, t: int, fps: float, size_wh_px: tuple[int, int], settings: FollowSettings) -> bool:
    missed = t - person.frames[-1] - 1
    if missed == 0:
        return True
    if missed > settings.remember_s * fps:
        return False
    middle = np.nanmean(_expected_xy(person, t, fps, settings), axis=0)
    margin = person.height_px
    return bool(np.all(middle > -margin) and np.all(middle < np.array(size_wh_px) + margin))


def _pair(
    expected: list[_Person],
    t: int,
    xy_px: NDArray[np.float64],
    confidence: NDArray[np.float64],
    heights: NDArray[np.float64],
    fps: float,
    settings: FollowSettings,
) -> dict[int, int]:
    """Pair finds n with expected people k: {n: k}."""
    if not expected or not len(xy_px):
        return {}
    places = np.stack([_expected_xy(person, t, fps, settings) for person in expected])  # (K, J, 2)
    trust = np.stack([person.confidence[-1] for person in expected])[:, None] * confidence  # (K, N, J)
    tall = np.array([person.height_px for person in expected])
    missed_s = np.array([t - person.frames[-1] - 1 for person in expected]) / fps
    # A joint may differ by one height at most: one that jumped away must not decide about the whole body.
    apart = np.linalg.norm(places[:, None] - xy_px[None], axis=-1) / np.maximum(tall, 1.0)[:, None, None]
    apart = np.minimum(np.nan_to_num(apart, nan=1.0), 1.0)
    distance = (trust * apart).sum(axis=-1) / np.maximum(trust.sum(axis=-1), 1e-9)
    distance[trust.sum(axis=-1) < 1e-6] = 1.0  # no joint in common
    difference = distance + settings.size_penalty * np.abs(np.log(heights / tall[:, None]))
    limit = (settings.reach + settings.reach_growth_per_s * missed_s)[:, None]
    within = np.where(difference < limit, difference, 1e3)
    rows, columns = linear_sum_assignment(within)
    return {int(n): int(k) for k, n in zip(rows, columns, strict=True) if within[k, n] < 1e3}


def _track(person: _Person, count: int, fps: Fraction, camera_name: str) -> Track:
    joints = len(COCO_17)
    xy_px, confidence = np.full((count, joints, 2), np.nan), np.zeros((count, joints))
    xy_px[person.frames], confidence[person.frames] = person.xy_px, person.confidence
    xy_px[confidence == 0] = np.nan
    pose2d = Pose2D(xy_px=xy_px, confidence=confidence, fps=fps, skeleton=COCO_17, camera_name=camera_name)
    return Track(person=0, first=person.frames[0], last=person.frames[-1], pose2d=pose2d)
