"""Camera files: our own TOML, and those of other programs; the content tells which, not the name.

```
cameras = read_cameras("Calib.qca.txt")
write_cameras(cameras, "rig.toml")
```

What every reader returns: OpenCV axes, metres, a world with +Y up, and (0, 0) at the centre of the top-left pixel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import atomic_path
from mocap3d.cameras.files.own_toml import is_own, own_cameras, own_text, parse_toml
from mocap3d.cameras.files.qualisys import is_qualisys, read_qualisys, write_qualisys
from mocap3d.cameras.files.source import Source, check_names, load_source

__all__ = ["FORMATS", "read_cameras", "write_cameras"]

_WRITERS: Final[dict[str, Callable[[Sequence[Camera]], str]]] = {"toml": own_text, "qualisys": write_qualisys}

FORMATS: Final = tuple(_WRITERS)
"""The formats that can be written, by the names that `write_cameras` takes."""


def read_cameras(path: str | os.PathLike[str], *, up: str | None = None) -> tuple[Camera, ...]:
    """Read a camera file of any format.

    Args:
        path: the file.
        up: the axis that points up in a file of another program, "Y", "Z", "-Y" or "-Z"; what its format says when
            None.

    Raises:
        InputError: no such file, or ``up`` is no axis.
        FileFormatError: no format that is known, or a file that is damaged or means no camera; it says where.
    """
    source = load_source(path)
    try:
        cameras = _parse(source, up)
        check_names(cameras)
    except FileFormatError:
        raise
    except InputError as error:
        raise source.error(str(error)) from error
    return cameras


def _parse(source: Source, up: str | None) -> tuple[Camera, ...]:
    if is_qualisys(source.data):
        return read_qualisys(source, up=up or "Z")
    table = parse_toml(source)
    if is_own(table):
        return own_cameras(table)
    return own_cameras(table)


def write_cameras(
    cameras: Sequence[Camera],
    path: str | os.PathLike[str],
    format: str | None = None,
) -> None:
    """Write a camera file.

    Args:
        cameras: at least one; no two of one name.
        path: where to.
        format: one of `FORMATS`; when None, ``.qca.txt`` means Qualisys and anything else our own TOML, which
            `read_cameras` reads back exactly.

    Raises:
        InputError: no camera, two of one name, a lens or name that the format cannot hold, or the file cannot be
            written.
    """
    check_names(cameras)
    name = Path(path).name.lower()
    chosen = format if format is not None else "qualisys" if name.endswith(".qca.txt") else "toml"
    if chosen not in _WRITERS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, got {chosen!r}")
    text = _WRITERS[chosen](cameras)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
