"""The sub-commands of `mocap3d train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.base.errors import MissingExtraError
from mocap3d.cli._outputs import make_folder

__all__ = ["train_lifter_command"]


def train_lifter_command(
    data: Annotated[Path, typer.Argument(help="HDF5 file of `mocap3d data prepare`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for checkpoint, log and weights.")],
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 45.0,
    channels: Annotated[int, typer.Option(help="Width of the network.")] = 512,
    causal: Annotated[bool, typer.Option(help="Lift the newest frame of the window, for live use.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in the folder.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the 2D-to-3D lifter on motion seen by virtual cameras."""
    try:
        from mocap3d.train.lifter import LifterSettings, train_lifter
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("torch"):
            raise  # an extra would not bring it
        raise MissingExtraError("torch", "train") from None

    settings = LifterSettings(minutes=minutes, channels=channels, causal=causal)
    make_folder(output)
    weights = train_lifter(
        data,
        settings,
        output,
        resume=resume,
        device=device,
        progress=lambda row: print(" ".join(f"{name}={value}" for name, value in row.items()), file=sys.stderr),
    )
    print(weights)
