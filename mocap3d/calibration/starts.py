"""When did each video of a take begin? `synchronise`, and the small file that remembers the answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mocap3d.base.errors import CalibrationError, FileFormatError, InputError
from mocap3d.base.files import atomic_path, read_toml
from mocap3d.calibration.names import names_of
from mocap3d.calibration.seen import told_as
from mocap3d.take import each_once, tracks_of
from mocap3d.watching import Progress, moving, noted, watch

__all__ = ["Started", "read_starts", "synchronise"]

Videos = Sequence[str | os.PathLike[str]]

_SURE = 0.5
_KEYS = {"name", "offset_s", "std_s", "confidence"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """When the videos of a take began.

    Attributes:
        names: of the videos, without folder and extension.
        offsets_s: when each began, in seconds after the first one.
        std_s: expected error of each, if it is right at all.
        confidence: 0..1, how sure it is that it is right at all.
        by: "motion" or "audio".
        notes: what a user should know.
    """

    names: tuple[str, ...]
    offsets_s: tuple[float, ...]
    std_s: tuple[float, ...]
    confidence: tuple[float, ...]
    by: str
    notes: tuple[str, ...] = ()

    @property
    def doubtful(self) -> tuple[str, ...]:
        """The videos of which nothing tells for sure when they began."""
        return tuple(name for name, sure in zip(self.names, self.confidence, strict=True) if not sure >= _SURE)

    def summary(self) -> dict[str, object]:
        """For JSON; unknown numbers are None."""
        return {
            "by": self.by,
            "videos": [
                {"name": name, "offset_s": _known(offset), "std_s": _known(std), "confidence": round(sure, 3)}
                for name, offset, std, sure in zip(self.names, self.offsets_s, self.std_s, self.confidence, strict=True)
            ],
            "notes": list(self.notes),
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a TOML file that `read_starts` reads.

        Raises:
            InputError: the file cannot be written.
            CalibrationError: a video whose beginning nothing tells.
        """
        if self.doubtful:
            raise CalibrationError(f"nothing tells for sure when {' and '.join(self.doubtful)} began, from {self.by}")
        from mocap3d.cameras.files.own_toml import string_text

        parts = ["version = 1\n"]
        for name, offset, std, sure in zip(self.names, self.offsets_s, self.std_s, self.confidence, strict=True):
            parts.append(
                f"\n[[video]]\nname = {string_text(name)}\noffset_s = {float(offset)!r}\nstd_s = {float(std)!r}\n"
                f"confidence = {float(sure)!r}\n"
            )
        target = Path(path)
        with atomic_path(target) as temporary:
            temporary.write_text("".join(parts), encoding="utf-8")
        return target


def synchronise(
    videos: Videos,
    *,
    by: Literal["motion", "audio"] = "motion",
    detector: str = "movenet_thunder",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Started:
    """Find when each video of a take began.

    Args:
        videos: one per camera; their rates may differ.
        by: the motion that all of them saw, or what their microphones heard.
        detector: the network that finds joints.
        device: "cpu" or "cuda".
        progress: told how far the work is.

    Returns:
        The beginnings; look at ``doubtful`` before you use them.

    Raises:
        InputError: fewer than two videos, one given twice, or files that cannot be used.
    """
    from mocap3d.base.camera import Camera
    from mocap3d.cameras.sync import sync_audio, sync_motion
    from mocap3d.cameras.video import open_video

    if len(videos) < 2:
        raise InputError(f"synchronising needs at least 2 videos, got {len(videos)}")
    paths = each_once(videos)
    if by not in ("motion", "audio"):
        raise InputError(f"by must be 'motion' or 'audio', got {by!r}")
    notes: list[str] = []
    if by == "audio":
        found = sync_audio(paths)
    else:
        tell = progress or (lambda step, done, total: None)
        with noted(notes):
            opened = [moving(open_video(path)) for path in paths]
            seen = [
                tracks_of(
                    watch(video, detector, device, told_as(name, tell)),
                    Camera.from_fov(name, video.size_wh_px, 60.0),
                    notes,
                )
                for name, video in zip(names_of(paths), opened, strict=True)
            ]
        found = sync_motion(seen)
    return Started(
        names=names_of(paths),
        offsets_s=tuple(float(value) for value in found.offsets_s),
        std_s=tuple(float(value) for value in found.std_s),
        confidence=tuple(float(value) for value in found.confidence),
        by=by,
        notes=tuple(notes),
    )


def read_starts(path: str | os.PathLike[str], videos: Videos) -> tuple[float, ...]:
    """Read when videos began, from what ``Started.save`` wrote: by name, in seconds after the first of ``videos``.

    Raises:
        InputError: no such file, or a video of which it says nothing.
        FileFormatError: it is no such file.
    """
    source = Path(path)
    table = read_toml(source)
    known = _entries(table, source)
    names = names_of([Path(video) for video in videos])
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"{source} says nothing about {missing[0]!r}; it knows {', '.join(known) or 'nothing'}")
    return tuple(known[name] - known[names[0]] for name in names)


def _entries(table: dict[str, Any], source: Path) -> dict[str, float]:
    """Name -> when it began, of the file's tables."""
    entries = table.get("video")
    if table.get("version") != 1 or not isinstance(entries, list):
        raise FileFormatError("must say version = 1 and hold a [[video]] table for each video", path=source)
    known: dict[str, float] = {}
    for entry in entries:
        good = isinstance(entry, dict) and set(entry) <= _KEYS and isinstance(entry.get("name"), str)
        offset = entry.get("offset_s") if good else None
        if not isinstance(offset, int | float) or isinstance(offset, bool) or not abs(offset) < 1e6:
            raise FileFormatError("each [[video]] needs a name and offset_s, a number of seconds", path=source)
        if entry["name"] in known:
            raise FileFormatError(f"{entry['name']!r} is listed twice", path=source)
        known[entry["name"]] = float(offset)
    return known


def _known(value: float) -> float | None:
    return round(value, 5) if np.isfinite(value) else None
