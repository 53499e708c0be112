"""Which of the people in a shot are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mocap3d.base.errors import InputError
from mocap3d.identify.track import Track

__all__ = ["choose"]


def choose(
    tracks: Sequence[Track], person: int | Literal["all"] | None = None, *, first_frame: int = 0
) -> tuple[Track, ...]:
    """Pick people by their number.

    Args:
        tracks: everybody, as ``follow`` returns them.
        person: None for person 1, who is seen longest and largest (``Track.prominence``); a number from 1; or "all".
        first_frame: what the message adds to the tracks' frames: the first frame of their shot.

    Returns:
        The chosen tracks; empty only when ``tracks`` is.

    Raises:
        InputError: there is no person of that number; the message names who there is.
    """
    if person == "all" or not tracks:
        return tuple(tracks)
    number = 1 if person is None else person
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"person must be a number from 1, 'all' or None, got {person!r}")
    found = tuple(track for track in tracks if track.person == number)
    if not found:
        people = "; ".join(_described(track, first_frame) for track in tracks)
        raise InputError(f"there is no person {number}; there are {people}")
    return found


def _described(track: Track, first_frame: int) -> str:
    first, last = first_frame + track.first, first_frame + track.last
    return f"{track.person} (frames {first} to {last}, about {track.height_px:.0f} px tall)"
