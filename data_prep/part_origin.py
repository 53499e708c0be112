"""What a ``.part`` was begun with, kept in it so that another run does not go on with it and mix two sources.

It is an attribute of the ``.part`` alone: a finished file says nothing of folders on the machine that made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import h5py

from mocap3d.base.errors import InputError

__all__ = ["begun_with", "check_origin", "forget_origin", "write_origin"]

_ATTRIBUTE: Final = "begun_with"


def begun_with(form: str, source: Path | str, **options: str | bool) -> dict[str, str]:
    """What must stay the same while a file is prepared.

    Args:
        form: the data set, and which form of it was found.
        source: folder, archive or file of the originals.
        options: what else decides what is written.
    """
    words = {True: "yes", False: "no"}
    said = {
        name.replace("_", " "): words[value] if isinstance(value, bool) else value for name, value in options.items()
    }
    return {"form": form, "source": str(Path(source).resolve()), **said}


def write_origin(file: h5py.File, origin: Mapping[str, str]) -> None:
    """Note in a new ``.part`` what it is begun with."""
    file.attrs[_ATTRIBUTE] = json.dumps(dict(origin))
    file.flush()


def forget_origin(file: h5py.File) -> None:
    """Take the note out of a file that is finished."""
    if _ATTRIBUTE in file.attrs:
        del file.attrs[_ATTRIBUTE]


def check_origin(file: h5py.File, part: Path, origin: Mapping[str, str]) -> None:
    """Refuse to go on with a ``.part`` that was begun with something else.

    Raises:
        InputError: it was, or does not say; the message says what differs and what to do.
    """
    begun = _read(file)
    if not begun:
        raise InputError(f"{part} is the rest of a run that does not say what it was begun with; delete {part}")
    others = [
        f"{name} {begun.get(name, 'none')}, not {origin.get(name, 'none')}"
        for name in dict.fromkeys([*begun, *origin])
        if begun.get(name) != origin.get(name)
    ]
    if others:
        raise InputError(f"{part} was begun with {'; '.join(others)}: delete {part}, or use the same options")


def _read(file: h5py.File) -> dict[str, str]:
    """The note; empty where there is none, or none that can be read."""
    try:
        found = json.loads(str(file.attrs[_ATTRIBUTE]))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
