"""The sub-commands of `mocap3d data`: bring data sets into the motion-data file."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import skeleton_named
from mocap3d.cli._inputs import LenientOption
from mocap3d.cli._outputs import prove_writable
from mocap3d.cli._progress import progress

__all__ = ["DATA_SETS", "data_one_body", "data_prepare"]

# Name on the command line -> module of mocap3d.data_prep and function (source, out, *, progress, ...). Which of the
# options below a data set knows is read off its function's arguments.
DATA_SETS: Final[dict[str, tuple[str, str]]] = {
    "cmu": ("cmu", "prepare_cmu"),
    "bvh": ("bvh_folder", "prepare_bvh"),
    "hdm05": ("hdm05", "prepare_hdm05"),
    "human36m": ("human36m", "prepare_human36m"),
    "mpi-inf-3dhp": ("mpi_inf_3dhp", "prepare_mpi_inf_3dhp"),
}


def data_prepare(
    dataset: Annotated[str, typer.Argument(help=", ".join(DATA_SETS))],
    source: Annotated[Path, typer.Option(help="Folder or archive of the original files.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="HDF5 file to write.")],
    joints: Annotated[str | None, typer.Option(help="Skeleton to bring it to: human36m-17 or lifter-20.")] = None,
    one_body: Annotated[
        bool, typer.Option("--one-body/--own-body", help="Put everybody on one body, or leave everybody their own.")
    ] = False,
    licence: Annotated[str | None, typer.Option(help="Licence of a folder of BVH files, kept with the data.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Take what is there, even if files are missing.")] = False,
    lenient: LenientOption = False,
    detect: Annotated[
        str | None, typer.Option(help="Also look for people in the videos, with movenet_thunder or movenet_lightning.")
    ] = None,
) -> None:
    """Bring a motion data set into the one HDF5 layout that training reads."""
    if dataset not in DATA_SETS:
        raise InputError(f"unknown data set {dataset!r}; there are: {', '.join(DATA_SETS)}")
    module, name = DATA_SETS[dataset]
    prepare = getattr(import_module(f"mocap3d.data_prep.{module}"), name)
    options: dict[str, Any] = {
        "joints": None if joints is None else skeleton_named(joints),
        "one_body": one_body or None,
        "licence": licence,
        "partial": partial or None,
        "lenient": lenient or None,
        "detect": detect,
    }
    given = {key: value for key, value in options.items() if value is not None}
    unknown = [f"--{key.replace('_', '-')}" for key in given if key not in signature(prepare).parameters]
    if unknown:
        raise InputError(f"{dataset} has no choice of {', '.join(unknown)}")
    prove_writable(output)
    with progress() as tell:
        prepare(source, output, progress=lambda done, total: tell("prepare", done, total), **given)
    print(output)


def data_one_body(
    data: Annotated[Path, typer.Argument(help="HDF5 file of `mocap3d data prepare`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="HDF5 file to write.")],
) -> None:
    """Put everybody in a motion-data file on one body, so that data sets can be mixed."""
    from mocap3d.data_prep.takes import one_body_file

    prove_writable(output)
    with progress() as tell:
        one_body_file(data, output, progress=lambda done, total: tell("one body", done, total))
    print(output)
