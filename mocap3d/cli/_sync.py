"""The sub-command that finds when each video of a take began."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.cli._inputs import check_choice
from mocap3d.cli._outputs import prove_writable
from mocap3d.cli._progress import progress
from mocap3d.cli._take import sync_of

__all__ = ["starts_of_option", "sync"]


def sync(
    videos: Annotated[list[Path], typer.Argument(help="The videos of one take, one per camera.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="TOML file for when each video began; for --sync.")
    ] = None,
    by: Annotated[str, typer.Option(help="What tells: motion, or audio.", metavar="motion|audio")] = "motion",
    detector: Annotated[
        str, typer.Option(help="movenet_thunder, or movenet_lightning: faster and less exact.")
    ] = "movenet_thunder",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Find when each video of a take began, from motion or sound."""
    import mocap3d

    check_choice("--by", by, ("motion", "audio"))
    check_choice("--detector", detector, ("movenet_thunder", "movenet_lightning"))
    if output is not None:
        prove_writable(output)
    with progress() as tell:
        found = mocap3d.synchronise(
            videos, by="audio" if by == "audio" else "motion", detector=detector, device=device, progress=tell
        )
    if as_json:
        print(json.dumps(found.summary(), indent=2))
    else:
        for name, offset, std, sure in zip(found.names, found.offsets_s, found.std_s, found.confidence, strict=True):
            print(f"{name}: began at {offset:+.4f} s, within {std:.4f} s, confidence {sure:.2f}")
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if output is not None:
        found.save(output)  # refuses what is doubtful
        if not as_json:
            print(output)
    elif found.doubtful:
        print(
            f"note: nothing tells for sure when {' and '.join(found.doubtful)} began: film somebody who moves, in view "
            "of all cameras, or clap",
            file=sys.stderr,
        )


def starts_of_option(text: str, videos: Sequence[Path]) -> str | tuple[float, ...]:
    """What --sync means: a word, seconds between commas, or a file that `mocap3d sync` wrote."""
    if text.endswith(".toml"):
        from mocap3d.calibration import read_starts

        return read_starts(text, videos)
    return sync_of(text, len(videos))
