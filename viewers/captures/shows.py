"""Captures, motion files and camera files for the viewer's page.

A capture is a `mocap3d.Clip`: in memory, or as `mocap3d capture --keep-stages` keeps it. Its pictures are those of the
video that it came from, if that is still there: everything else is shown without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from mocap3d.viewers.captures.camera_facts import camera_facts
from mocap3d.viewers.captures.clip_videos import ClipVideos
from mocap3d.viewers.captures.downloads import MANNEQUIN, Downloads
from mocap3d.viewers.captures.motion_files import read_motion
from mocap3d.viewers.captures.people import (
    Person,
    arrays_of,
    facts_of,
    people_of_clip,
    people_of_file,
    series_of,
    title_of,
)
from mocap3d.viewers.captures.plain_words import FIGURE_WORDS, PLOTS, setting_name, setting_text
from numpy.typing import NDArray

import mocap3d
from mocap3d.cameras.files import read_cameras
from mocap3d.stages.record import is_record, read_record

__all__ = ["CaptureShow", "MotionShow", "RigShow", "open_capture"]

Floats = NDArray[np.float64]
Kind = Literal["results", "capture", "motion", "rig"]

_RECORD: Final = "record.npz"


def open_capture(path: Path, *, videos: Sequence[Path] = ()) -> CaptureShow | MotionShow | RigShow:
    """Open a folder of stages or its record, a motion file, or a camera file.

    Args:
        path: what to show; a camera file is .toml.
        videos: of a capture, where its videos are now: one, or one per camera.

    Raises:
        InputError: nothing here can show it, or videos for something that has none.
        FileFormatError: it is damaged.
    """
    if path.is_dir() or is_record(path):
        folder = path if path.is_dir() else path.parent
        record = path / _RECORD if path.is_dir() else path
        if not record.is_file():
            raise mocap3d.InputError(
                f"{path} is no folder that capture --keep-stages has written: no {_RECORD} in it; name a file in it"
            )
        return CaptureShow(read_record(record).clip, videos=videos, near=folder)
    if videos:
        raise mocap3d.InputError(f"{path} is no capture: it has no video")
    if path.suffix.lower() == ".toml":
        return RigShow(read_cameras(path), path.name)
    return MotionShow(path)


class _Shown:
    """What all three have in common: people and cameras on one clock, arrays by name."""

    kind: Kind = "motion"

    def __init__(self, name: str, people: Sequence[Person], cameras: Sequence[mocap3d.Camera]) -> None:
        self.name = name
        self._cameras = tuple(cameras)
        self._arrays: dict[str, NDArray[np.float32]] = {}
        self._people = [self._facts(n, person) for n, person in enumerate(people)]
        self._downloads = Downloads(Path(name).stem, people)
        self._fps = people[0].fps if people else Fraction(30)
        self._frames = range(
            min((person.first for person in people), default=0),
            max((person.first + person.frames for person in people), default=1),
        )

    def _facts(self, n: int, person: Person) -> dict[str, Any]:
        names = {}
        for name, array in arrays_of(person, self._cameras).items():
            names[name] = f"{n}.{name}"
            self._arrays[f"{n}.{name}"] = _single(array)
        series: list[dict[str, str]] = []
        for (figure, line), values in series_of(person, self._cameras).items():
            key = f"{n}.series.{len(series)}"
            self._arrays[key] = _single(values)
            series.append({"figure": figure, "line": line, "array": key})
        mesh = f"{n}.{MANNEQUIN}" if person.roles else None
        return {**facts_of(person), "arrays": names, "series": series, "mannequin": mesh}

    def manifest(self) -> dict[str, Any]:
        """All that does not change with time."""
        return {
            "kind": self.kind,
            "name": self.name,
            "fps": float(self._fps),
            "start": self._frames.start,
            "frames": len(self._frames),
            "people": self._people,
            "cameras": [camera_facts(camera) for camera in self._cameras],
            "words": dict(FIGURE_WORDS),
            "plots": [asdict(plot) for plot in PLOTS],
            "arrays": {name: {"shape": list(array.shape)} for name, array in self._arrays.items()},
            "downloads": self._downloads.offers() if self._people else None,
            "facts": [],
            "notes": [],
        }

    def rows(self, array: str, start: int, stop: int) -> bytes:
        """Frames of an array: float32, little endian."""
        values = self._arrays[array]
        if not 0 <= start <= stop <= len(values):
            raise LookupError(array)
        return values[start:stop].tobytes()

    def table(self, name: str) -> dict[str, Any]:
        """There are no tables."""
        raise LookupError(name)

    def picture(self, camera: str, frame: int) -> bytes:
        """There are no pictures."""
        raise LookupError(camera)

    def download(self, name: str) -> tuple[str, bytes | Path]:
        """A motion file, made now."""
        return self._downloads.make(name)

    def close(self) -> None:
        """Nothing is open."""


class CaptureShow(_Shown):
    """A clip with the pictures that it came from."""

    kind: Kind = "capture"

    def __init__(self, clip: mocap3d.Clip, *, videos: Sequence[Path] = (), near: Path | None = None) -> None:
        """``near``: a folder beside which videos are looked for that are not where they were.

        Raises:
            InputError: not one video per camera.
        """
        super().__init__(title_of(clip), people_of_clip(clip), clip.rig or clip.cameras)
        self._clip = clip
        self._frames = range(clip.shots[0].start, clip.shots[-1].stop)
        self._videos = ClipVideos(clip, videos=videos, near=near)

    def manifest(self) -> dict[str, Any]:
        """All that does not change with time."""
        clip, found = self._clip, super().manifest()
        for c, facts in enumerate(found["cameras"]):
            of = c if clip.rig else 0
            video = self._videos.of_cameras[of]
            facts |= {"pictures": None if video.problem else str(of), "video": video.path.name}
            facts |= {"problem": video.problem, "shot": None if clip.rig else c}
            facts["offset"] = self._videos.index(of, self._frames.start) - self._frames.start
            facts["count"] = video.count
        shots = [{"start": shot.start, "stop": shot.stop, "moves_from": shot.moves_from} for shot in clip.shots]
        facts = [[setting_name(name), setting_text(value)] for name, value in clip.settings.items()]
        return found | {"shots": shots, "facts": facts, "notes": list(clip.notes), "several": bool(clip.rig)}

    def picture(self, camera: str, frame: int) -> bytes:
        """The picture of a camera at a frame of the clip, as the first video counts."""
        numbers = {str(n): n for n in range(len(self._videos.of_cameras))}
        number = numbers[camera]
        return self._videos.of_cameras[number].jpeg(self._videos.index(number, frame))

    def close(self) -> None:
        """Let go of the videos."""
        self._videos.close()


class MotionShow(_Shown):
    """A motion file, or a file of points."""

    def __init__(self, path: Path) -> None:
        """Read and judge it.

        Raises:
            InputError: no format that mocap3d reads.
            FileFormatError: it is damaged.
        """
        found, self._notes = read_motion(path)
        super().__init__(path.name, people_of_file(found, self._notes), ())

    def manifest(self) -> dict[str, Any]:
        """All that does not change with time."""
        return super().manifest() | {"notes": self._notes}


class RigShow(_Shown):
    """Cameras where they stand."""

    kind: Kind = "rig"

    def __init__(self, cameras: Sequence[mocap3d.Camera], name: str) -> None:
        """Show the cameras of a file."""
        super().__init__(name, (), cameras)


def _single(array: Floats) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, dtype="<f4")
