"""`mocap3d train semi-supervised`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.base.errors import MissingExtraError
from mocap3d.cli._outputs import make_folder

__all__ = ["train_semi_supervised_command"]

_WHO = "separated by commas"


def train_semi_supervised_command(
    data: Annotated[Path, typer.Argument(help="HDF5 file of `mocap3d data prepare`, with cameras and views.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for checkpoint, log and weights.")],
    labelled: Annotated[str, typer.Option(help=f"Subjects with 3D truth, {_WHO}.")],
    unlabelled: Annotated[str, typer.Option(help=f"Subjects of whom only 2D joints are used, {_WHO}.")],
    held_out: Annotated[str, typer.Option(help=f"Subjects that are only measured on, {_WHO}.")],
    unlabelled_data: Annotated[
        Path | None, typer.Option(help="Another HDF5 file, with the unlabelled subjects.")
    ] = None,
    detector: Annotated[str, typer.Option(help="Whose 2D joints.")] = "true",
    encoding: Annotated[
        str, typer.Option(help="Input of the network; screen-normalised is VideoPose3D's.")
    ] = "hip-rays-1",
    steps: Annotated[int, typer.Option(help="How many to take.")] = 20_000,
    channels: Annotated[int, typer.Option(help="Width of the networks.")] = 1024,
    window: Annotated[int, typer.Option(help="Frames that a network sees: 1, 3, 9, 27, 81 or 243.")] = 27,
    causal: Annotated[bool, typer.Option(help="Lift the newest frame of the window, for live use.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in the folder.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the lifter on few people with 3D truth and more of whom only 2D joints are known."""
    try:
        from mocap3d.train.semi_supervised import SemiSupervisedSettings, train_semi_supervised
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("torch"):
            raise  # an extra would not bring it
        raise MissingExtraError("torch", "train") from None

    settings = SemiSupervisedSettings(
        labelled=_names(labelled), unlabelled=_names(unlabelled), held_out=_names(held_out), detector=detector,
        encoding=encoding, steps=steps, channels=channels, dilations=_dilations(window), causal=causal,
    )  # fmt: skip
    make_folder(output)
    weights = train_semi_supervised(
        data,
        settings,
        output,
        unlabelled_data=unlabelled_data,
        resume=resume,
        device=device,
        progress=lambda row: print(" ".join(f"{name}={value}" for name, value in row.items()), file=sys.stderr),
    )
    print(weights)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _dilations(window: int) -> tuple[int, ...]:
    """Layers of a receptive field; one frame is seen by three layers, as VideoPose3D's smallest network has them."""
    known: dict[int, tuple[int, ...]] = {1: (0, 0, 0)}
    known |= {3**n: tuple(3**i for i in range(n)) for n in range(1, 6)}
    if window not in known:
        raise typer.BadParameter(f"--window must be one of {', '.join(map(str, known))}, got {window}")
    return known[window]
