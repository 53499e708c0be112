"""The sub-commands of `mocap3d train`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mocap3d.base.errors import InputError, MissingExtraError
from mocap3d.cli._outputs import prove_writable

if TYPE_CHECKING:
    from mocap3d.train.lifter_settings import LifterSettings

__all__ = ["train_export_command", "train_lifter_command"]

_DATA = "HDF5 file of `mocap3d data prepare`."


def train_lifter_command(
    data: Annotated[Path, typer.Argument(help=_DATA)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for checkpoint, log and weights.")],
    protocol: Annotated[str, typer.Option(help="cmu or human36m: who is learned from and how it is seen.")] = "cmu",
    points: Annotated[str | None, typer.Option(help="2D joints that go in: coco-17 or human36m-17.")] = None,
    subjects: Annotated[str | None, typer.Option(help='Who is learned from instead, such as "01 03".')] = None,
    held_out: Annotated[str | None, typer.Option(help='Who is measured on instead, such as "02".')] = None,
    window: Annotated[int | None, typer.Option(help="Frames an output depends on: 1, 9, 27, 81, 243.")] = None,
    channels: Annotated[int | None, typer.Option(help="Width of the network.")] = None,
    causal: Annotated[bool, typer.Option("--causal", help="Lift the newest frame, for live use.")] = False,
    minutes: Annotated[float | None, typer.Option(help="How long to train.")] = None,
    steps: Annotated[int | None, typer.Option(help="How many steps to train instead.")] = None,
    batch: Annotated[int | None, typer.Option(help="Windows in one step.")] = None,
    precision: Annotated[str | None, typer.Option(help="bf16, fp16 (CUDA only) or fp32.")] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Let torch.compile translate the network.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(help="Processes that simulate what the detector sees.")] = 1,
    threads: Annotated[int | None, typer.Option(help="Threads that compute; all cores without it.")] = None,
) -> None:
    """Train the 2D-to-3D lifter on motion seen by virtual cameras."""
    with _torch_needed():
        from mocap3d.train.lifter import train_lifter
        from mocap3d.train.threads import use_threads

    choices = {
        "points": points,
        "subjects": None if subjects is None else _words(subjects),
        "held_out": None if held_out is None else _words(held_out),
        "window": window,
        "channels": channels,
        "causal": causal or None,
        "minutes": minutes,
        "steps": steps,
        "batch": batch,
        "precision": precision,
        "compiled": compiled or None,
    }
    given = {name: value for name, value in choices.items() if value is not None}
    settings = _resumed(output, given) if resume else _settings(protocol, given)
    if threads is not None:
        use_threads(threads)
    try:
        weights = train_lifter(
            data, settings, output, resume=resume, device=device, workers=workers, progress=_print_row
        )
    except KeyboardInterrupt:
        if _first_rank() and (output / "checkpoint.pt").is_file():
            print(f"stopped; to go on: mocap3d train lifter {data} -o {output} --resume", file=sys.stderr)
        raise
    if _first_rank():
        print(weights)


def train_export_command(
    data: Annotated[Path, typer.Argument(help=_DATA)],
    run: Annotated[Path, typer.Argument(help="Folder of a training, finished or not.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="NPZ file to write.")],
) -> None:
    """Write the last checkpoint of a training as a weights file."""
    with _torch_needed():
        from mocap3d.train.lifter_export import export_run

    prove_writable(output)
    print(export_run(data, run, output))


def _settings(protocol: str, given: dict[str, Any]) -> LifterSettings:
    """Settings of a protocol with the changes that options want."""
    from mocap3d.train.lifter_settings import WINDOWS, cmu_settings, human36m_settings

    makers = {"cmu": cmu_settings, "human36m": human36m_settings}
    if protocol not in makers:
        raise InputError(f"unknown protocol {protocol!r}; there are: {', '.join(makers)}")
    changes = dict(given)
    if "window" in changes:
        window = changes.pop("window")
        if window not in WINDOWS:
            raise InputError(f"a window has {', '.join(map(str, WINDOWS))} frames, not {window}")
        changes["dilations"] = WINDOWS[window]
    if "steps" in changes:
        if "minutes" in changes:
            raise InputError("--minutes and --steps both say how long to train: choose one")
        changes["minutes"] = None
    return makers[protocol](**changes)


def _resumed(folder: Path, given: dict[str, Any]) -> LifterSettings:
    """Settings of the run that goes on."""
    from mocap3d.train.lifter_run import settings_of

    if given:
        names = ", ".join("--" + {"compiled": "compile"}.get(name, name).replace("_", "-") for name in given)
        raise InputError(f"a resumed run keeps its settings: leave out {names}")
    return settings_of(folder / "checkpoint.pt")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _print_row(row: dict[str, Any]) -> None:
    print(" ".join(f"{name}={value}" for name, value in row.items()), file=sys.stderr)


def _first_rank() -> bool:
    """Whether this is the process that speaks, of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _torch_needed() -> Iterator[None]:
    """Say which extra brings torch, where an import fails for want of it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("torch"):
            raise  # an extra would not bring it
        raise MissingExtraError("torch", "train") from None
