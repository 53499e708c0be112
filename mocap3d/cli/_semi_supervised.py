"""`mocap3d train semi-supervised`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mocap3d.base.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from mocap3d.train.semi_supervised_settings import SemiSupervisedSettings

__all__ = ["train_semi_supervised_command"]

_WHO = "separated by commas"
_NEEDED = ("labelled", "unlabelled", "held_out")


def train_semi_supervised_command(
    data: Annotated[Path, typer.Argument(help="HDF5 file of `mocap3d data prepare`, with cameras and views.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for checkpoint, log and weights.")],
    labelled: Annotated[str | None, typer.Option(help=f"Subjects with 3D truth, {_WHO}.")] = None,
    unlabelled: Annotated[str | None, typer.Option(help=f"Subjects of whom only 2D joints are used, {_WHO}.")] = None,
    held_out: Annotated[str | None, typer.Option(help=f"Subjects that are only measured on, {_WHO}.")] = None,
    unlabelled_data: Annotated[
        Path | None, typer.Option(help="Another HDF5 file, with the unlabelled subjects.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Whose 2D joints (true).")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Input of the network (hip-rays-1); screen-normalised is VideoPose3D's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="How many to take (20000).")] = None,
    channels: Annotated[int | None, typer.Option(help="Width of the networks (1024).")] = None,
    window: Annotated[int | None, typer.Option(help="Frames that a network sees: 1, 3, 9, 27, 81 or 243 (27).")] = None,
    causal: Annotated[
        bool, typer.Option("--causal", help="Lift the newest frame of the window, for live use.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the lifter on few people with 3D truth and more of whom only 2D joints are known."""
    try:
        from mocap3d.train.semi_supervised import train_semi_supervised
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("torch"):
            raise  # an extra would not bring it
        raise MissingExtraError("torch", "train") from None

    choices = {
        "labelled": None if labelled is None else _names(labelled),
        "unlabelled": None if unlabelled is None else _names(unlabelled),
        "held_out": None if held_out is None else _names(held_out),
        "detector": detector,
        "encoding": encoding,
        "steps": steps,
        "channels": channels,
        "window": window,
        "causal": causal or None,
    }
    given = {name: value for name, value in choices.items() if value is not None}
    settings = _resumed(output, given) if resume else _settings(given)
    try:
        weights = train_semi_supervised(
            data,
            settings,
            output,
            unlabelled_data=unlabelled_data,
            resume=resume,
            device=device,
            progress=lambda row: print(" ".join(f"{name}={value}" for name, value in row.items()), file=sys.stderr),
        )
    except KeyboardInterrupt:
        if (output / "checkpoint.pt").is_file():
            others = "" if unlabelled_data is None else f" --unlabelled-data {unlabelled_data}"
            print(
                f"stopped; to go on: mocap3d train semi-supervised {data} -o {output}{others} --resume", file=sys.stderr
            )
        raise
    print(weights)


def _settings(given: dict[str, Any]) -> SemiSupervisedSettings:
    """Settings with the changes that options want."""
    from mocap3d.train.semi_supervised_settings import SemiSupervisedSettings

    missing = [name for name in _NEEDED if name not in given]
    if missing:
        raise typer.BadParameter(f"{_options(missing)} must say who is on which side, except with --resume")
    changes = dict(given)
    if "window" in changes:
        changes["dilations"] = _dilations(changes.pop("window"))
    return SemiSupervisedSettings(**changes)


def _resumed(folder: Path, given: dict[str, Any]) -> SemiSupervisedSettings:
    """Settings of the run that goes on."""
    from mocap3d.train.semi_supervised import semi_supervised_settings_of

    if given:
        raise InputError(f"a resumed run keeps its settings: leave out {_options(list(given))}")
    return semi_supervised_settings_of(folder / "checkpoint.pt")


def _options(names: list[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _dilations(window: int) -> tuple[int, ...]:
    """Layers of a receptive field; one frame is seen by three layers, as VideoPose3D's smallest network has them."""
    known: dict[int, tuple[int, ...]] = {1: (0, 0, 0)}
    known |= {3**n: tuple(3**i for i in range(n)) for n in range(1, 6)}
    if window not in known:
        raise typer.BadParameter(f"--window must be one of {', '.join(map(str, known))}, got {window}")
    return known[window]
