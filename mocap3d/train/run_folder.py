"""The folder of a training: who may begin or go on in it, its checkpoint, and a stop between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["CHECKPOINT", "asked_to_stop", "check_folder", "fitting", "make_folder", "read_checkpoint"]

CHECKPOINT = "checkpoint.pt"


def check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse to begin where a run is already, or to go on where none is.

    Raises:
        InputError: it is so.
    """
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise InputError(f"{folder} holds a run already: resume it, or choose another folder")
    if resume and not checkpoint.is_file():
        raise InputError(f"there is no {checkpoint} to resume")


def make_folder(folder: Path) -> None:
    """Make the folder of a run and those above it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def read_checkpoint(checkpoint: Path, keys: Collection[str]) -> dict[str, Any]:
    """Read what a run wrote, onto the CPU.

    Args:
        checkpoint: the file.
        keys: what must be in it.

    Raises:
        InputError: there is no such file, or it cannot be opened.
        FileFormatError: it is damaged, or of something else.
    """
    if not checkpoint.is_file():
        raise InputError(f"there is no {checkpoint}")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise InputError(f"cannot read {checkpoint}: {error.strerror}") from None
    except Exception:  # torch raises nearly anything over other files, and its texts advise to run what is in them
        raise FileFormatError("cut off, damaged, or not the checkpoint of a training", path=checkpoint) from None
    lacking = sorted(set(keys) - set(state)) if isinstance(state, dict) else sorted(keys)
    if lacking:
        raise FileFormatError(f"not a checkpoint of this training: it lacks {', '.join(lacking)}", path=checkpoint)
    return dict(state)


@contextmanager
def fitting(checkpoint: Path) -> Iterator[None]:
    """Turn what contents of a checkpoint raise that do not fit into our error.

    Raises:
        FileFormatError: they do not.
    """
    try:
        yield
    except InputError:
        raise
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise FileFormatError(
            "what it holds does not fit this training: damaged, or of other code", path=checkpoint
        ) from None


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is never left half done; the second one interrupts."""
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield asked
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
