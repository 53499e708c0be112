"""What the arguments of a command mean when several videos are one take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

__all__ = ["check_take", "sync_of"]

_WAYS = ("motion", "audio", "none")


def check_take(
    videos: Sequence[Path],
    *,
    camera: Path | None,
    fov: float | None,
    camera_tilt: float | None,
) -> None:
    """Refuse, as bad usage, what does not go with --cameras."""
    given = {"--camera": camera, "--fov": fov, "--camera-tilt": camera_tilt}
    for option, value in given.items():
        if value is not None:
            raise typer.BadParameter(f"{option} belongs to one camera: leave it out beside --cameras")
    if len(videos) < 2:
        raise typer.BadParameter(
            f"--cameras takes the videos of at least 2 cameras, got {len(videos)}; one lens is described by --camera"
        )


def sync_of(text: str, videos: int) -> str | tuple[float, ...]:
    """What tells when each camera began: a word, or seconds between commas."""
    if text in _WAYS:
        return text
    try:
        seconds = tuple(float(part) for part in text.split(","))
    except ValueError:
        seconds = ()
    if len(seconds) != videos:
        raise typer.BadParameter(
            f"--sync takes {', '.join(_WAYS)} or the seconds of all {videos} videos between commas; got {text!r}"
        )
    return seconds
