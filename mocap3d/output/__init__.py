"""File formats, one file or folder per format; a file name's extension chooses.

```
motion = output.read("walk.bvh", unit_m=0.01)
output.write(motion, "walk.bvh", order="XYZ")
```
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from mocap3d.base.errors import InputError
from mocap3d.base.motion import Motion
from mocap3d.output.bvh import read_bvh, write_bvh

_Function = TypeVar("_Function", bound=Callable[..., Any])

__all__ = ["extensions", "read", "read_bvh", "write", "write_bvh"]

_READERS = {".bvh": read_bvh}
_WRITERS = {".bvh": write_bvh}


def extensions() -> tuple[str, ...]:
    """List the extensions that can be written, such as ``.bvh``."""
    return tuple(sorted(_WRITERS))


def read(path: str | os.PathLike[str], **options: Any) -> Motion:
    """Read an animation file; its extension (in any case) chooses the format.

    Args:
        path: the file.
        options: of that format's reader, such as ``unit_m`` of ``read_bvh``.

    Raises:
        InputError: no format has this extension or this option, or the file cannot be opened.
        FileFormatError: the file does not hold what its format promises.
    """
    return _chosen(_READERS, path, options)(path, **options)


def write(motion: Motion, path: str | os.PathLike[str], **options: Any) -> None:
    """Write an animation file; its extension (in any case) chooses the format.

    Args:
        motion: what to write.
        path: the file; it appears whole or not at all.
        options: of that format's writer, such as ``order`` and ``unit_m`` of ``write_bvh``.

    Raises:
        InputError: no format has this extension or this option, or the file cannot be written.
    """
    _chosen(_WRITERS, path, options)(motion, path, **options)


def _chosen(table: Mapping[str, _Function], path: str | os.PathLike[str], options: dict[str, Any]) -> _Function:
    """Look up the reader or writer for an extension, and check the names of its options."""
    extension = Path(path).suffix.lower()
    if extension not in table:
        raise InputError(f"{path}: unknown extension {extension!r}; known are {', '.join(sorted(table))}")
    known = [p.name for p in signature(table[extension]).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InputError(f"{extension} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return table[extension]
