"""Who is who does not change back and forth: a 2D track that is somebody else for a moment was them all along.

Each frame is matched by itself, with only a moment to either side in view. Where two people stand in line, the frames
between may fall to the wrong one; the 2D track through the moment knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mocap3d.identify.person_in_space import PersonInSpace
from mocap3d.identify.sightings import Sighting

__all__ = ["steadied"]


def steadied(people: Sequence[PersonInSpace], seen: Sequence[Sighting], longest: float) -> None:
    """Give moments of up to ``longest`` frames back to who the sighting was before and after; changes ``people``."""
    owners: list[dict[int, int]] = [{} for _ in seen]  # frame -> person
    for number, person in enumerate(people):
        for t, cameras in person.seen.items():
            for n in cameras.values():
                owners[n][t] = number
    for n, owner in enumerate(owners):
        runs = [(who, [t for t, _ in run]) for who, run in groupby(sorted(owner.items()), key=lambda entry: entry[1])]
        for (before, _), (who, frames), (after, _) in zip(runs, runs[1:], runs[2:], strict=False):
            if before == after and len(frames) <= longest:
                for t in frames:
                    _give(people[who], people[before], t, n, seen[n].camera)


def _give(now: PersonInSpace, right: PersonInSpace, t: int, number: int, camera: int) -> None:
    """Exchange what two people are in one picture."""
    if now.seen.get(t, {}).get(camera) != number:
        return  # it was given away meanwhile
    instead = right.seen.setdefault(t, {}).get(camera)
    right.seen[t][camera] = number
    if instead is None:
        del now.seen[t][camera]
        if not now.seen[t]:
            del now.seen[t]
    else:
        now.seen[t][camera] = instead
