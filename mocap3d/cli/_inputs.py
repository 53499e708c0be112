"""Which videos the arguments of a command mean, and what their results are called."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import typer

from mocap3d.base.errors import InputError

__all__ = ["VIDEO_SUFFIXES", "find_videos", "frame_range", "name_of"]

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".3gp"})


def find_videos(inputs: Sequence[Path]) -> tuple[list[Path], bool]:
    """Replace folders of videos by those videos, in name order; anything else stays.

    Returns:
        The videos, and whether they are a batch: several inputs, or a folder of videos however many it holds.
    """
    videos: list[Path] = []
    batch = len(inputs) > 1
    for path in inputs:
        inside = _videos_in(path)
        batch = batch or bool(inside)
        videos += inside or [path]
    return videos, batch


def name_of(video: Path) -> str:
    """What results are called after a video: its name without extension; of a folder of images the whole name."""
    return Path(os.path.abspath(video)).name if video.is_dir() else video.stem


def frame_range(text: str | None, option: str) -> tuple[int | str | None, int | str | None]:
    """Split START:STOP; each is a frame number, a time such as 2.5s, or nothing."""
    if text is None:
        return None, None
    parts = re.fullmatch(r"(\d+|\d+(?:\.\d+)?s)?:(\d+|\d+(?:\.\d+)?s)?", text)
    if parts is None:
        raise typer.BadParameter(f"{option} takes START:STOP, such as 30:120 or 1.5s:4s; got {text!r}")
    start, stop = (int(part) if part and part.isdigit() else part for part in parts.groups())
    return start, stop


def _videos_in(path: Path) -> list[Path]:
    try:
        found = [file for file in path.iterdir() if not file.name.startswith(".")] if path.is_dir() else []
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    return sorted(file for file in found if file.suffix.lower() in VIDEO_SUFFIXES)
