"""Frames in, people out: where everybody's joints are in each frame.

MultiPose looks at the whole frame now and then and finds people; Thunder looks at a square crop around each of them
and finds the joints. In the next frame the crop follows the joints. Who is who over time is not decided here:
``identify`` links what this room finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.oks import oks
from mocap3d.detect.crops import Crop, crop_around_box, crop_around_joints, letterbox
from mocap3d.detect.networks import NETWORKS, check_image, open_network

__all__ = ["Detections", "DetectorSettings", "PeopleDetector"]

_JOINTS = 17  # COCO-17

_SCORED_JOINTS = 9
"""A person's score is the mean confidence of that many best joints: half a person in view is still a person."""

_SAME_PERSON = 0.5
"""Two sets of joints with a larger OKS are one person."""

_SEEN = 0.2
"""Joints below this confidence do not count when people are compared."""

_WIDEN = 1.4
"""Where a person scores low, a second crop that much wider is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """The people of one frame, in no promised order.

    Attributes:
        xy_px: (N, 17, 2) COCO-17 joints in pixels of the frame; (0, 0) is the centre of the top-left pixel. Always
            finite; a joint may lie outside the frame, its confidence is then low.
        confidence: (N, 17) 0..1.
        score: (N,) 0..1, mean confidence of a person's best joints.
    """

    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        """How many people."""
        return len(self.score)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """How people are found and followed.

    Attributes:
        network: the single-person network, "movenet_thunder" or the faster "movenet_lightning".
        max_people: at most that many are followed; the best scores win.
        search_every_s: seconds between two looks at the whole frame while somebody is followed. After a loss the next
            frame is searched, and while nobody is followed every frame.
        search_side_px: longer side of the frame as MultiPose sees it. 256 is official; people who fill less than
            half of the frame need more.
        found_score: MultiPose finds below it are ignored.
        accept_score: a new person must reach it after Thunder looked.
        keep_score: a followed person below it is let go.
    """

    network: str = "movenet_thunder"
    max_people: int = 6
    search_every_s: float = 1 / 3
    search_side_px: int = 512
    found_score: float = 0.1
    accept_score: float = 0.35
    keep_score: float = 0.25

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        single = [name for name, side_px in NETWORKS.items() if side_px is not None]
        if self.network not in single:
            raise InputError(f"the detector's network must be one of {', '.join(single)}, got {self.network!r}")
        if self.max_people < 1:
            raise InputError(f"max_people must be at least 1, got {self.max_people}")
        if not self.search_every_s >= 0:
            raise InputError(f"search_every_s must be 0 or more, got {self.search_every_s}")
        if self.search_side_px < 32 or self.search_side_px % 32:
            raise InputError(f"search_side_px must be a multiple of 32, got {self.search_side_px}")


@dataclass(frozen=True, slots=True)
class _Person:
    """One person in one frame: (17, 2), (17,)."""

    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def score(self) -> float:
        return float(np.sort(self.confidence)[-_SCORED_JOINTS:].mean())


class PeopleDetector:
    """Finds and follows people through the frames of one shot, given one after the other.

    detector = PeopleDetector(fps=30)
    for frame in frames:
        people = detector(frame)
    """

    def __init__(
        self,
        *,
        fps: Fraction | float | str,
        device: str = "cpu",
        threads: int = 1,
        settings: DetectorSettings | None = None,
    ) -> None:
        """Open the networks.

        Args:
            fps: frames per second of what will be given.
            device: "cpu", or "cuda" with the extra ``torch``.
            threads: CPU threads per network.
            settings: how people are found; the defaults suit video of whole people.

        Raises:
            InputError: an fps or a device that cannot be used.
            MissingExtraError: "cuda" without torch.
        """
        self._settings = settings or DetectorSettings()
        self._search_every = max(1, round(self._settings.search_every_s * as_fps(fps)))
        self._finder = open_network("movenet_multipose", device=device, threads=threads)
        self._network = open_network(self._settings.network, device=device, threads=threads)
        self._side_px = NETWORKS[self._settings.network] or 0
        self._people: list[_Person] = []
        self._until_search = 0

    def reset(self) -> None:
        """Forget everybody: the next frame belongs to another shot."""
        self._people, self._until_search = [], 0

    def __call__(self, frame: NDArray[np.uint8]) -> Detections:
        """Find the people of the next frame.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Raises:
            InputError: not a colour picture.
        """
        check_image(frame)
        people = [now for person in self._people if (now := self._follow(frame, person)) is not None]
        people = _distinct(people)
        lost = len(people) < len(self._people)
        if lost or not people or self._until_search <= 0:
            people = _distinct(people + self._search(frame, people))
            self._until_search = self._search_every
        self._until_search -= 1
        if len(people) > self._settings.max_people:
            best = sorted(range(len(people)), key=lambda n: -people[n].score)[: self._settings.max_people]
            people = [people[n] for n in sorted(best)]
        self._people = people
        return _detections(people)

    def _follow(self, frame: NDArray[np.uint8], person: _Person) -> _Person | None:
        """The same person one frame later, or None when lost."""
        now = self._look(frame, crop_around_joints(person.xy_px, person.confidence, self._side_px))
        if now.score < self._settings.accept_score:  # a fast move may have left the crop
            wide = crop_around_joints(person.xy_px, person.confidence, self._side_px, widen=_WIDEN)
            now = max(now, self._look(frame, wide), key=lambda look: look.score)
        return now if now.score >= self._settings.keep_score else None

    def _search(self, frame: NDArray[np.uint8], people: list[_Person]) -> list[_Person]:
        """People in the whole frame who are not among those already followed."""
        whole = letterbox((frame.shape[1], frame.shape[0]), self._settings.search_side_px)
        found = self._finder.people(whole.cut(frame))
        new: list[_Person] = []
        for n in np.flatnonzero(found.score >= self._settings.found_score):
            rough = _Person(whole.to_frame(found.xy_px[n]), found.confidence[n])
            if any(_alike(rough, other) > _SAME_PERSON for other in people + new):
                continue
            box_px = whole.to_frame(found.box_px[n].reshape(2, 2)).reshape(4)
            person = self._look(frame, crop_around_box(box_px, self._side_px))
            if person.score < self._settings.accept_score:
                wide = self._look(frame, crop_around_box(box_px, self._side_px, widen=_WIDEN))
                person = max(person, wide, key=lambda look: look.score)
            if person.score >= self._settings.accept_score:
                new.append(person)
        return new

    def _look(self, frame: NDArray[np.uint8], crop: Crop) -> _Person:
        """The person in the middle of a crop, in pixels of the frame."""
        xy_px, confidence = self._network.joints(crop.cut(frame))
        return _Person(crop.to_frame(xy_px), confidence)


def _alike(a: _Person, b: _Person) -> float:
    """OKS of two people over the joints that are seen in both, for the area of the larger one."""
    seen_a, seen_b = _seen(a), _seen(b)
    areas = [float(np.prod(np.ptp(p.xy_px[seen], axis=0))) for p, seen in ((a, seen_a), (b, seen_b))]
    both = seen_a & seen_b
    return float(oks(a.xy_px, b.xy_px, max(*areas, 1.0), visible=both if both.any() else None))


def _seen(person: _Person) -> NDArray[np.bool_]:
    """(17,) the joints that may be judged; all where hardly any is seen: a wild guess must not make a person large."""
    seen = np.asarray(person.confidence >= _SEEN)
    return seen if seen.sum() >= 4 else np.ones_like(seen)


def _distinct(people: Sequence[_Person]) -> list[_Person]:
    """Drop of each two that are one person the lower score; the order stays."""
    kept: list[int] = []
    for n in sorted(range(len(people)), key=lambda n: -people[n].score):
        if all(_alike(people[n], people[k]) <= _SAME_PERSON for k in kept):
            kept.append(n)
    return [people[n] for n in sorted(kept)]


def _detections(people: Sequence[_Person]) -> Detections:
    return Detections(
        xy_px=np.array([person.xy_px for person in people]).reshape(-1, _JOINTS, 2),
        confidence=np.array([person.confidence for person in people]).reshape(-1, _JOINTS),
        score=np.array([person.score for person in people]),
    )
