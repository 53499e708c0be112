"""Writing files so that a crash never leaves half of one, and reading the small ones that people write."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["VIDEO_SUFFIXES", "atomic_path", "read_toml"]

VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".3gp"}
)
"""How the names of videos end; others may be videos, too."""

_LARGEST_TOML: Final = 1_000_000  # bytes: nobody writes more by hand


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` when the block ends well, delete it otherwise.

    The temporary name keeps the extension, since some writers choose the format by it; else it is short, because the
    target's may be as long as a file system allows. Only what ends the process at once (SIGKILL, a power failure, or
    SIGTERM where Python has no handler for it) leaves a file ``.mocap3d-...`` behind, which can be deleted.

    Raises:
        InputError: the folder does not exist, or the file cannot be written there.
    """
    target = Path(path)
    if os.path.isdir(target):  # which takes any name
        raise InputError(f"cannot write {target}: it is a folder")
    try:
        handle, name = tempfile.mkstemp(prefix=".mocap3d-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; a result is as readable as any other file
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_toml(path: str | os.PathLike[str], what: str = "file") -> dict[str, Any]:
    """Read a TOML file that somebody wrote; a byte order mark is dropped.

    Args:
        path: the file.
        what: what the message calls it: "board", "bone map".

    Raises:
        InputError: it cannot be opened.
        FileFormatError: not TOML, or over a megabyte.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            data = file.read(_LARGEST_TOML + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"cannot read the {what} {source}: {reason}") from error
    if len(data) > _LARGEST_TOML:
        raise FileFormatError(f"a {what} has at most {_LARGEST_TOML} bytes", path=source)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # TOML, UTF-8, or an integer of 5000 digits
        raise FileFormatError(f"not a TOML file: {error}", path=source) from error
