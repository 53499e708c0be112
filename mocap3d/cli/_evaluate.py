"""The sub-commands that judge a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mocap3d.cli._outputs import prove_writable
from mocap3d.cli._progress import progress

__all__ = ["evaluate_lifter_command"]


def evaluate_lifter_command(
    data: Annotated[Path, typer.Option(help="HDF5 file of `mocap3d data prepare`, with cameras and views.")],
    weights: Annotated[Path | None, typer.Option(help="The lifter; without it the one that mocap3d ships.")] = None,
    subjects: Annotated[str, typer.Option(help='Who to judge it on, such as "02 05".')] = "S9 S11",
    detector: Annotated[
        str, typer.Option(help='Whose 2D joints go in; "true" are the projected true joints.')
    ] = "true",
    root_rule: Annotated[
        str, typer.Option(help='"subtract": both roots; "videopose3d": the predicted root as it is.')
    ] = "subtract",
    flip: Annotated[bool, typer.Option("--flip", help="Lift the mirror image too and take the mean.")] = False,
    height: Annotated[
        float | None, typer.Option(help="Stature of the people in metres, if the lifter learned from others.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HDF5 file to write the predictions to, for the viewer.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What the predictions are called there (the weights' name).")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a lifter's errors by action: MPJPE, P-MPJPE, N-MPJPE, MPJVE, PCK, AUC."""
    if as_markdown and as_json:
        raise typer.BadParameter("--markdown and --json are two ways to print: choose one")
    from mocap3d.protocol import LifterProtocol, evaluate_lifter

    protocol = LifterProtocol(
        subjects=tuple(subjects.replace(",", " ").split()),
        detector=detector,
        root_rule=root_rule,  # type: ignore[arg-type]  # the protocol refuses other words
        flip=flip,
        height_m=height,
        device=device,
        model=model or ("default" if weights is None else weights.stem),
    )
    if output is not None:
        prove_writable(output)
    with progress() as tell:
        result = evaluate_lifter(data, weights, protocol=protocol, output=output, progress=tell)
    if as_json:
        print(json.dumps(result.to_json(), indent=2))
    else:
        print(result.to_markdown() if as_markdown else result.to_text())
