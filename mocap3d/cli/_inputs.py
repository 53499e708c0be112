"""What the arguments of a command mean: which videos, what their results are called, which choices there are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.base.errors import InputError
from mocap3d.base.files import VIDEO_SUFFIXES

__all__ = [
    "HeightOption",
    "LenientOption",
    "UnitOption",
    "UpOption",
    "about",
    "as_usage",
    "check_choice",
    "check_positive",
    "find_videos",
    "frame_range",
    "metres",
    "name_of",
    "reading_options",
]


def metres(text: str) -> float:
    """The height of a person, between 0.3 and 3 m; for options."""
    try:
        height_m = float(text)
    except ValueError:
        number = text.replace(",", ".")
        hint = f"write a point, {number}" if re.fullmatch(r"\d+\.\d+", number) else "give metres, such as 1.68"
        raise typer.BadParameter(f"{text!r} is no number; {hint}") from None
    if not 0.3 <= height_m <= 3:
        raise typer.BadParameter(f"{text} is not between 0.3 and 3; give metres, such as 1.68")
    return height_m


HeightOption = Annotated[
    float | None, typer.Option(parser=metres, metavar="METRES", help="Height of the person; else 1.70.")
]
UnitOption = Annotated[float | None, typer.Option(help="Metres per unit of the file read, where it does not say.")]
UpOption = Annotated[
    str | None, typer.Option(help="Axis that points up in the file read, where it does not say: Y or Z.")
]
LenientOption = Annotated[
    bool, typer.Option("--lenient", help="Read files that contradict themselves (a BVH with more rows than it says).")
]


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


def reading_options(unit: float | None, up: str | None, *, lenient: bool) -> dict[str, object]:
    """Gather the options of readers that were given."""
    check_positive("--unit", unit)
    check_choice("--up", up, ("Y", "Z"))
    given = {"unit_m": unit, "up": up, "lenient": lenient or None}
    return {name: value for name, value in given.items() if value is not None}


def check_choice(option: str, value: str | None, choices: Sequence[str]) -> None:
    """Refuse a word that is none of the choices, as bad usage; None is no choice yet."""
    if value is not None and value not in choices:
        raise typer.BadParameter(f"{option} takes one of {', '.join(choices)}; got {value!r}")


def check_positive(option: str, value: float | None) -> None:
    """Refuse a number that is not above 0, as bad usage; None is no number yet."""
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{option} takes a number above 0; got {value:g}")


@contextmanager
def as_usage(option: str) -> Iterator[None]:
    """Tell what an option cannot mean as bad usage, which has an exit code of its own."""
    try:
        yield
    except InputError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def about(file: Path, error: Exception) -> str:
    """An error of one of several files with its name, which many messages begin with."""
    text = str(error)
    return text if text.startswith(str(file)) else f"{file}: {text}"


def _videos_in(path: Path) -> list[Path]:
    try:
        found = [file for file in path.iterdir() if not file.name.startswith(".")] if path.is_dir() else []
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    return sorted(file for file in found if file.suffix.lower() in VIDEO_SUFFIXES)
