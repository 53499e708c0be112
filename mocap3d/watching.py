"""A video is looked at once: everybody's joints in each frame, and where shots begin. The pictures are not kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.shot import Shot

if TYPE_CHECKING:
    from mocap3d.cameras.video import Video
    from mocap3d.detect.people import Detections

__all__ = ["Progress", "Watched", "moving", "noted", "watch"]

Progress = Callable[[str, int, int | None], None]
"""Called with the step's name, how much is done, and of how much (None: unknown)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """All that is kept of the pictures: 2D joints per frame, and where the shots are, in frames of the video."""

    video: Video
    detections: list[Detections]
    shots: tuple[Shot, ...]

    def during(self, shot: Shot) -> list[Detections]:
        """The people of a shot's frames."""
        first = self.video.start_frame
        return self.detections[shot.start - first : shot.stop - first]


def moving(video: Video) -> Video:
    """The video, unless it is a single picture.

    Raises:
        InputError: it is one.
    """
    if video.is_picture:
        raise InputError(
            f"{video.path} is a single picture; give a video, or a folder of pictures and their rate (--fps)"
        )
    return video


def watch(video: Video, detector: str, device: str, tell: Progress) -> Watched:
    """Stream the video once; memory holds one picture and the next."""
    from mocap3d.cameras.read_ahead import read_ahead
    from mocap3d.cameras.shots import ShotDetector
    from mocap3d.detect.people import DetectorSettings, PeopleDetector

    finder, detections = ShotDetector(), []
    detect = PeopleDetector(fps=video.fps, device=device, settings=DetectorSettings(network=detector))
    with video:
        for is_cut, frame in read_ahead((finder.feed(frame), frame) for frame in video):
            if is_cut:
                detect.reset()
            detections.append(detect(frame))
            tell("watch", len(detections), video.frame_count)
    shots = tuple(_later(shot, video.start_frame) for shot in finder.finish())
    return Watched(video=video, detections=detections, shots=shots)


@contextmanager
def noted(notes: list[str]) -> Iterator[None]:
    """Turn our warnings into notes, so that a clip remembers them; others pass."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Mocap3dWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, Mocap3dWarning):
            notes.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _later(shot: Shot, frames: int) -> Shot:
    moves_from = None if shot.moves_from is None else shot.moves_from + frames
    return replace(shot, start=shot.start + frames, stop=shot.stop + frames, moves_from=moves_from)
