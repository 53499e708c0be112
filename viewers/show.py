"""What the viewer's page shows: names, numbers and pictures behind one interface, whatever file they came from.

The server asks a `Show` by names that the show itself listed; it never turns a name into a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from mocap3d.base.errors import InputError

__all__ = ["Show", "open_shows"]


class Show(Protocol):
    """One thing to look at.

    Whatever it does not have under a name, it says with a ``LookupError``; the page is then told "not found". What is
    damaged is a `mocap3d.Mocap3dError`, whose message the page shows. Methods are called from several threads at once.
    """

    @property
    def kind(self) -> Literal["results", "capture", "motion", "rig"]:
        """Which page shows it."""

    @property
    def name(self) -> str:
        """What people call it: the name of the file."""

    def manifest(self) -> dict[str, Any]:
        """All that is known at once, as JSON: with ``kind``, ``name``, and whatever the page of the kind wants."""

    def rows(self, array: str, start: int, stop: int) -> bytes:
        """Frames ``start`` to ``stop`` (not included) of an array: float32, little endian, C order.

        Raises:
            LookupError: no such array, or frames that it does not have.
        """

    def table(self, name: str) -> dict[str, Any]:
        """Numbers that take longer than the manifest may, as JSON; asked again while they grow."""

    def picture(self, camera: str, frame: int) -> bytes:
        """One frame of a video, as JPEG."""

    def download(self, name: str) -> tuple[str, bytes | Path]:
        """A file to keep: what it should be called, and its content or where it lies."""

    def close(self) -> None:
        """Let go of files."""


def open_shows(paths: Sequence[Path], *, videos: Sequence[Path] = ()) -> list[Show]:
    """Open files for the viewer; results of several models on the same data become one show.

    Args:
        paths: motion-data files with results, folders of stages, motions, camera files.
        videos: of the one capture among them, where its videos are now: one, or one per camera.

    Raises:
        InputError: a file is not there, or nothing here can show it.
        FileFormatError: a file is damaged.
    """
    from mocap3d.viewers.results import ResultsShow, is_results

    if not paths:
        raise InputError("there is nothing to show: name at least one file")
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no file {path}")
    results = [path for path in paths if is_results(path)]
    shows: list[Show] = [ResultsShow(results)] if results else []
    others = [path for path in paths if path not in results]
    if others:
        from mocap3d.viewers.captures import open_capture

        shows += [open_capture(path, videos=videos) for path in others]
    elif videos:
        raise InputError("results have no video")
    return shows
