"""The command line: one sub-command per step.

Results go to files, the summary to standard output, all else to standard error.

Exit codes: 0 fine, 1 bad input, 2 bad usage, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

import mocap3d
from mocap3d.base.errors import Mocap3dError, Mocap3dWarning
from mocap3d.cli._bones import bones
from mocap3d.cli._calibrate import calibrate
from mocap3d.cli._capture import capture, demo
from mocap3d.cli._check import data_check
from mocap3d.cli._convert import convert
from mocap3d.cli._data import data_one_body, data_prepare
from mocap3d.cli._evaluate import evaluate_lifter_command
from mocap3d.cli._info import info
from mocap3d.cli._render import render
from mocap3d.cli._semi_supervised import train_semi_supervised_command
from mocap3d.cli._solve import solve_command
from mocap3d.cli._sync import sync
from mocap3d.cli._training import train_export_command, train_lifter_command
from mocap3d.cli._view import view

__all__ = ["app", "main"]

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Video in, animation out.",
)
data_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Prepare motion data for training.")
train_app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Train the networks (needs the extra mocap3d[train])."
)
evaluate_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Judge the networks.")
app.add_typer(data_app, name="data")
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")
app.command()(capture)
app.command()(demo)
app.command()(calibrate)
app.command()(sync)
app.command("solve")(solve_command)
app.command()(convert)
app.command()(bones)
app.command()(info)
app.command()(view)
app.command()(render)
data_app.command("prepare")(data_prepare)
data_app.command("check")(data_check)
data_app.command("one-body")(data_one_body)
train_app.command("lifter")(train_lifter_command)
train_app.command("export")(train_export_command)
train_app.command("semi-supervised")(train_semi_supervised_command)
evaluate_app.command("lifter")(evaluate_lifter_command)

_INTERRUPTED = 130
_TERMINATED = 143


def main() -> None:
    """Run the command line; the process ends with the exit code that the module's text lists."""
    before = signal.signal(signal.SIGTERM, _terminate)
    interrupts = _Interrupts()
    try:
        with _notes(), interrupts:
            app(prog_name="mocap3d")
    except Mocap3dError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as leaving:  # all that typer lets out of a KeyboardInterrupt
        if leaving.code == _INTERRUPTED:
            print("interrupted", file=sys.stderr)
        raise
    except Exception:
        if not interrupts.came:
            raise
        print("interrupted", file=sys.stderr)  # by a package that swallowed Ctrl-C, and failed for it later
        sys.exit(_INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


class _Interrupts:
    """Ctrl-C as Python handles it, and remembered: trimesh takes one during its imports for a missing package."""

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> None:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, or somebody else's
            signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *_: object) -> None:
        if signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt


@contextmanager
def _notes() -> Iterator[None]:
    """Tell our warnings as notes, without the line of code that they come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", Mocap3dWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, Mocap3dWarning):
                print(f"note: {message}", file=sys.stderr)
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as Python does, not at once, so that no half-written file is left behind."""
    raise SystemExit(_TERMINATED)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        print(mocap3d.__version__)
        raise typer.Exit
