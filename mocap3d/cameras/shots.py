"""Pictures, one after the other -> where a new shot begins, and whether its camera stands still.

Streaming: keeps small gray copies of a few frames. Both questions are put to the background:

* A **cut** is a picture that cannot be explained by moving the one before. Small blocks of both are compared after
  their brightness and contrast are taken out, so that a light that goes on, or a cloud, is no cut; if most blocks
  differ, the motion of the camera between them is estimated and undone, and they are compared once more.
* A camera **moves** when most of the background has left its place in the first picture of the shot. Corners of that
  picture are found again in each later one; while a good part of them stays, the camera stands still, whatever people
  do.

A fade or a dissolve is not a cut: nothing changes at once, and the shot goes on. Nor is a jump in time of a camera that
stood still: the background goes on, and ``identify`` sees people begin and end there. A flash of one to three frames is
taken back. Without texture (a bare wall) nothing is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.shot import Shot
from mocap3d.cameras.background import Background, find_motion
from mocap3d.cameras.small_picture import SmallPicture, similarity

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ShotDetector", "find_shots"]

_ALIKE = 0.35
"""Median correlation of blocks; neighbours in one shot are above 0.9, across a cut below 0.15."""

_FLASH = 3  # frames


@dataclass(slots=True)
class _OpenShot:
    """A shot that is still going on."""

    start: int
    background: Background
    moves_from: int | None = None
    recent_px: list[float] = field(default_factory=list)
    moved_px: float = 0.0

    def note(self, index: int, moved_px: float, tolerance_px: float) -> None:
        """Take one frame's displacement; three in a row must agree, so that a single bad estimate is harmless."""
        self.recent_px = [*self.recent_px[-2:], moved_px]
        if len(self.recent_px) < 3:
            return
        lasting_px = min(self.recent_px)
        self.moved_px = max(self.moved_px, lasting_px)
        if self.moves_from is None and lasting_px > tolerance_px:
            self.moves_from = index - 2


class ShotDetector:
    """Feed it every picture of a video in order, then ask for the shots.

    Args:
        tolerance: how far the background may move before the camera counts as moving, as a fraction of the longer
            side of the picture.
    """

    def __init__(self, *, tolerance: float = 0.005) -> None:
        self._tolerance = tolerance
        self._count = 0
        self._done: list[Shot] = []
        self._shot: _OpenShot | None = None
        self._before_cut: tuple[SmallPicture, _OpenShot] | None = None
        self._last: SmallPicture | None = None

    def feed(self, picture: NDArray[np.uint8]) -> bool:
        """Take the next picture, (H, W, 3) RGB.

        Returns:
            True when the picture does not continue the one before, so that nothing can be followed across: a cut, or a
            flash. False for the first picture.
        """
        small = SmallPicture.of(picture)
        index, self._count = self._count, self._count + 1
        last, self._last = self._last, small
        if last is None or self._shot is None:
            self._shot = _OpenShot(index, Background(small))
            return False
        if _continues(last, small):
            tolerance_px = self._tolerance * max(picture.shape[:2])
            self._shot.note(index, self._shot.background.moved_px(small), tolerance_px)
            return False
        self._cut(index, last, small)
        return True

    def finish(self) -> tuple[Shot, ...]:
        """Return the shots of all pictures so far; none when there were no pictures."""
        return (*self._done, *self._closed(self._shot, self._count))

    def _cut(self, index: int, last: SmallPicture, small: SmallPicture) -> None:
        if self._before_cut is not None and self._shot is not None:
            picture, shot = self._before_cut
            if index - self._shot.start <= _FLASH and _continues(picture, small):
                self._done.pop()  # it was a flash: the shot before it goes on
                self._shot, self._before_cut = shot, None
                return
        if self._shot is not None:
            self._done += self._closed(self._shot, index)
            self._before_cut = last, self._shot
        self._shot = _OpenShot(index, Background(small))

    @staticmethod
    def _closed(shot: _OpenShot | None, stop: int) -> list[Shot]:
        if shot is None:
            return []
        return [Shot(start=shot.start, stop=stop, moves_from=shot.moves_from, moved_px=shot.moved_px)]


def find_shots(pictures: Iterable[NDArray[np.uint8]]) -> tuple[Shot, ...]:
    """Find the shots of a video; holds one picture at a time."""
    detector = ShotDetector()
    for picture in pictures:
        detector.feed(picture)
    return detector.finish()


def _continues(before: SmallPicture, after: SmallPicture) -> bool:
    if before.size_wh_px != after.size_wh_px:
        return False
    if similarity(before.detail, after.detail) >= _ALIKE:
        return True
    motion = find_motion(before, after)
    return motion is not None and similarity(motion.undo(after.detail), before.detail) >= _ALIKE
