"""Writing files so that a crash never leaves half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mocap3d.base.errors import InputError

__all__ = ["atomic_path"]


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
