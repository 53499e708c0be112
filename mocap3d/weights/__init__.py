"""The shipped networks: one file each (``NAME.onnx`` or ``NAME.npz``) and beside it a card ``NAME.md``.

The card says what the network is, what it was trained on, under which licence it comes, what was measured, and the
SHA-256 of the file, which is checked the first time that a process asks for the file.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["card", "names", "path", "sha256"]

_FOLDER = Path(__file__).parent
_SUFFIXES = (".onnx", ".npz")
_SHA256 = re.compile(r"sha256\W+([0-9a-f]{64})\b", re.IGNORECASE)


def names() -> tuple[str, ...]:
    """The networks that are shipped, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.iterdir() if file.suffix in _SUFFIXES))


@functools.cache
def path(name: str) -> Path:
    """Find the file of a shipped network and check it against its card.

    Raises:
        InputError: no network of that name is shipped.
        FileFormatError: the file is not the one that its card describes.
    """
    file = _file(name)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256(name):
        raise FileFormatError(f"damaged: SHA-256 must be {sha256(name)}, is {found}; install mocap3d again", path=file)
    return file


def sha256(name: str) -> str:
    """The SHA-256 of a shipped network as its card states it (64 hexadecimal digits).

    Raises:
        InputError: no network of that name is shipped.
        FileFormatError: the card states none.
    """
    text = card(name)
    match = _SHA256.search(text)
    if match is None:
        raise FileFormatError("the card states no sha256", path=_FOLDER / f"{name}.md")
    return match[1].lower()


def card(name: str) -> str:
    """The card of a shipped network, as Markdown.

    Raises:
        InputError: no network of that name is shipped.
        FileFormatError: it has no card.
    """
    file = _file(name).with_suffix(".md")
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise FileFormatError("the card is missing; install mocap3d again", path=file) from error


def _file(name: str) -> Path:
    if name not in names():
        raise InputError(f"no network called {name!r} is shipped; there are: {', '.join(names())}")
    return next(file for suffix in _SUFFIXES if (file := _FOLDER / f"{name}{suffix}").exists())
