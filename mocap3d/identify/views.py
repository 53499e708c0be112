"""Who is who across calibrated, synchronised cameras: one person, one name, in all views and over time.

Every two finds of different cameras are compared by how nearly their rays meet, over a moment to either side
(``view_evidence``). In each frame the finds are split into people by all comparisons at once (``grouping``). The past
takes part like one more view: each person goes on at a constant velocity in space, and says which find would be them.
A name that a single camera gave is a hint there and no more, so that people whom it mixed up are told apart by the
other cameras.

Reference:
    Dong et al., "Fast and Robust Multi-Person 3D Pose Estimation from Multiple Views", CVPR 2019 (matching); Zhang et
    al., "4D Association Graph for Realtime Multi-person Motion Capture Using Multiple Video Cameras", CVPR 2020 (time
    as one more view).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.identify.grouping import best_groups
from mocap3d.identify.person_in_space import PersonInSpace
from mocap3d.identify.sightings import Sighting, sightings
from mocap3d.identify.view_evidence import pair_evidence, smoothed

__all__ = ["MatchSettings", "match_people"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings:
    """How people are matched across views.

    Attributes:
        noise: standard deviation of a joint in the picture, in body heights; at least a pixel.
        least_confidence: joints below it are not used (they stay in the result).
        longest_gap_s: a 2D track that was lost for longer may have come back as somebody else.
        evidence_s: seconds over which two finds are compared.
        past: how much an expected place counts beside what another camera sees.
        same_track: how much it counts that a camera gave a find the name that it gave the person before.
        remember_s: for how long someone whom no camera sees is expected.
        merge_s: two people are one when they were grouped for so long.
        least_s: someone seen for less is dropped.
    """

    noise: float = 0.02
    least_confidence: float = 0.2
    longest_gap_s: float = 0.1
    evidence_s: float = 0.3
    past: float = 0.5
    same_track: float = 0.3
    remember_s: float = 1.0
    merge_s: float = 0.2
    least_s: float = 0.2


def match_people(
    tracks: Sequence[Sequence[Pose2D]], cameras: Sequence[Camera], *, settings: MatchSettings | None = None
) -> tuple[tuple[Pose2D | None, ...], ...]:
    """Find the people behind the 2D tracks of several cameras.

    Args:
        tracks: per camera its 2D tracks, as `identify.following.follow` finds them; all of one length, rate and
            skeleton, synchronised. A camera that saw nobody has none.
        cameras: C cameras with poses in one world.
        settings: how people are matched.

    Returns:
        People, those seen by most cameras for longest first. Of each what every camera saw, in the order of the
        cameras, over all frames: NaN with confidence 0 in frames without the person; None if that camera never saw
        them. Nobody, when there are no tracks.

    Raises:
        InputError: tracks do not go with cameras, or not with each other.
    """
    chosen = settings or MatchSettings()
    example = _checked(tracks, cameras)
    if example is None:
        return ()
    seen = sightings(
        tracks,
        cameras,
        noise=chosen.noise,
        least_confidence=chosen.least_confidence,
        longest_gap_s=chosen.longest_gap_s,
    )
    people = _Follower(seen, cameras, example, chosen).run()
    return tuple(_poses(person, seen, tracks) for person in people)


def _checked(tracks: Sequence[Sequence[Pose2D]], cameras: Sequence[Camera]) -> Pose2D | None:
    """One of the tracks, if there are any; they are all alike."""
    if len(tracks) != len(cameras):
        raise InputError(f"tracks must be given per camera: {len(cameras)} cameras, but tracks of {len(tracks)}")
    every = [pose for of_camera in tracks for pose in of_camera]
    kinds = {(len(pose), pose.fps, pose.skeleton.name) for pose in every}
    if len(kinds) > 1:
        told = "; ".join(f"{count} frames at {fps} of {name}" for count, fps, name in sorted(kinds, key=str))
        raise InputError(f"tracks must have one length, rate and skeleton (synchronise first), got {told}")
    return every[0] if every else None


class _Follower:
    """Goes through the frames and knows who is expected."""

    def __init__(
        self, seen: Sequence[Sighting], cameras: Sequence[Camera], example: Pose2D, settings: MatchSettings
    ) -> None:
        self.seen, self.settings = seen, settings
        self.frames, self.fps = len(example), float(example.fps)
        self.mirror = np.array(example.skeleton.mirror, np.intp)
        self.cam_from_world = np.stack([camera.cam_from_world for camera in cameras])
        self.people: list[PersonInSpace] = []
        self.expected: list[PersonInSpace] = []
        self.together: dict[tuple[int, int], tuple[int, int]] = {}  # since when two were grouped
        self.two_people: set[tuple[int, int]] = set()  # numbers of people whom one camera saw at once
        self.born = 0
        self.evidence = self._compared()

    def _compared(self) -> dict[tuple[int, int], tuple[int, Floats]]:
        """First common frame and evidence of every two sightings of different cameras."""
        span = round(self.settings.evidence_s * self.fps)
        found = {}
        for i, a in enumerate(self.seen):
            for j in range(i + 1, len(self.seen)):
                if self.seen[j].camera != a.camera:
                    start, total, weights = pair_evidence(a, self.seen[j], self.mirror)
                    if len(total):
                        found[i, j] = start, smoothed(total, weights, span)
        return found

    def run(self) -> list[PersonInSpace]:
        present: list[list[int]] = [[] for _ in range(self.frames)]
        for number, sighting in enumerate(self.seen):
            for row in np.flatnonzero(sighting.present):
                present[sighting.first + int(row)].append(number)
        for t, here in enumerate(present):
            self.expected = [
                person for person in self.expected if t - person.last <= 1 + self.settings.remember_s * self.fps
            ]
            if here:
                self._step(t, here)
        least = self.settings.least_s * self.fps
        kept = [person for person in self.people if len(person.seen) >= min(least, self.frames / 2)]
        return sorted(kept, key=lambda person: -sum(len(cameras) for cameras in person.seen.values()))

    def _step(self, t: int, here: list[int]) -> None:
        finds = len(here)
        expected = list(self.expected)
        label = best_groups(*self._graph(t, here))
        seen_now: dict[int, set[int]] = {}
        for group in range(int(label.max()) + 1):
            members = [here[n] for n in np.flatnonzero(label[:finds] == group)]
            if not members:
                continue
            pasts = [expected[n] for n in np.flatnonzero(label[finds:] == group)]
            person = min(pasts, key=lambda one: (-len(one.seen), one.number)) if pasts else self._somebody_new(t)
            person.add(t, [self.seen[n] for n in members], members, self.cam_from_world)
            seen_now[person.number] = {self.seen[n].camera for n in members}
            for other in pasts:
                if other is not person:
                    self._count_together(t, person, other)
        for p, q in combinations(seen_now, 2):
            if seen_now[p] & seen_now[q]:
                self.two_people |= {(p, q), (q, p)}

    def _somebody_new(self, t: int) -> PersonInSpace:
        person = PersonInSpace(self.born, t, len(self.mirror), self.fps)
        self.born += 1
        self.people.append(person)
        self.expected.append(person)
        return person

    def _graph(self, t: int, here: list[int]) -> tuple[Floats, NDArray[np.bool_]]:
        """Evidence between the finds of a frame and the people expected, and what cannot be one."""
        finds, count = len(here), len(here) + len(self.expected)
        value, apart = np.zeros((count, count)), np.zeros((count, count), bool)
        for m, i in enumerate(here):
            for n in range(m + 1, finds):
                pair = self.evidence.get((i, here[n]))
                if self.seen[i].camera == self.seen[here[n]].camera:
                    apart[m, n] = True
                elif pair is not None:
                    value[m, n] = pair[1][t - pair[0]]
            for p, person in enumerate(self.expected, start=finds):
                value[m, p] = self._continues(person, i, t)
        for p, person in enumerate(self.expected, start=finds):
            for q in range(p + 1, count):
                apart[p, q] = (person.number, self.expected[q - finds].number) in self.two_people
        return value + value.T, apart | apart.T

    def _continues(self, person: PersonInSpace, number: int, t: int) -> float:
        """Evidence that a find is somebody who is expected."""
        sighting = self.seen[number]
        expects = person.expects(sighting, t, self.mirror)
        if expects is None:
            return 0.0
        before = person.seen[person.last].get(sighting.camera)
        named = before is not None and self.seen[before].track == sighting.track
        return self.settings.past * expects + (self.settings.same_track if named else 0.0)

    def _count_together(self, t: int, person: PersonInSpace, other: PersonInSpace) -> None:
        """Two people who are grouped for a while without a break are one."""
        key = (person.number, other.number)
        last, run = self.together.get(key, (t - 1, 0))
        run = run + 1 if last == t - 1 else 1
        self.together[key] = t, run
        if run >= self.settings.merge_s * self.fps:
            person.merge(other)
            self.people.remove(other)
            self.expected.remove(other)
            self.two_people |= {(person.number, q) for p, q in self.two_people if p == other.number}
            self.two_people |= {(q, person.number) for p, q in self.two_people if p == other.number}


def _poses(
    person: PersonInSpace, seen: Sequence[Sighting], tracks: Sequence[Sequence[Pose2D]]
) -> tuple[Pose2D | None, ...]:
    """Gather what each camera saw of a person."""
    poses: list[Pose2D | None] = []
    for camera, of_camera in enumerate(tracks):
        frames = [(t, cameras[camera]) for t, cameras in sorted(person.seen.items()) if camera in cameras]
        if not frames:
            poses.append(None)
            continue
        example = of_camera[0]
        xy_px, confidence = np.full_like(example.xy_px, np.nan), np.zeros_like(example.confidence)
        for t, number in frames:
            pose = of_camera[seen[number].track]
            xy_px[t], confidence[t] = pose.xy_px[t], pose.confidence[t]
        poses.append(
            Pose2D(
                xy_px=xy_px,
                confidence=confidence,
                fps=example.fps,
                skeleton=example.skeleton,
                camera_name=example.camera_name,
            )
        )
    return tuple(poses)
