"""Measured points of a scene and where they are in the pictures, from a TOML file that is written by hand.

```toml
[measured_m]                  # x, y (up), z in metres; the floor is y = 0
door = [0.0, 0.0, 0.0]
post = [2.4, 0.0, 0.0]

[left]                        # a camera: pixels, (0, 0) is the centre of the top-left one
door = [412, 880]
post = [1310, 902]
```
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import read_toml

__all__ = ["ScenePoints", "read_points"]

Floats = NDArray[np.float64]

_MEASURED: Final = "measured_m"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScenePoints:
    """Points whose places were measured.

    Attributes:
        points_m: (P, 3) in the world that is wanted: +Y up, floor at y = 0.
        seen_px: camera name -> (P, 2) where they are in its pictures; NaN where not seen.
    """

    points_m: Floats
    seen_px: Mapping[str, Floats]

    def of(self, names: Sequence[str]) -> Floats:
        """(C, P, 2) for cameras in this order.

        Raises:
            InputError: a camera of which nothing was said, or one that is not among the names.
        """
        missing = [name for name in names if name not in self.seen_px]
        others = [name for name in self.seen_px if name not in names]
        if missing:
            raise InputError(
                f"no points are marked in camera {missing[0]!r}; there are {', '.join(self.seen_px) or 'none'}"
            )
        if others:
            raise InputError(f"points are marked in {others[0]!r}, which is none of the cameras {', '.join(names)}")
        return np.stack([np.asarray(self.seen_px[name], np.float64) for name in names])


def read_points(path: str | os.PathLike[str]) -> ScenePoints:
    """Read measured points.

    Raises:
        InputError: no such file.
        FileFormatError: it is not such a file; the message says where.
    """
    source = Path(path)
    table = read_toml(source, "measured points")
    try:
        return _points(table)
    except InputError as error:
        raise FileFormatError(str(error), path=source) from error


def _points(table: Mapping[str, Any]) -> ScenePoints:
    measured = table.get(_MEASURED)
    if not isinstance(measured, dict) or not measured:
        raise InputError(f"[{_MEASURED}] must say where points are, as name = [x, y, z]")
    order = {name: n for n, name in enumerate(measured)}
    points = np.array([_numbers(f"{_MEASURED}.{name}", value, 3) for name, value in measured.items()])
    seen: dict[str, Floats] = {}
    for camera, marks in table.items():
        if camera == _MEASURED:
            continue
        if not isinstance(marks, dict):
            raise InputError(f"{camera} must be a table of points, as [{camera}] with lines such as door = [412, 880]")
        seen[camera] = np.full((len(points), 2), np.nan)
        for name, value in marks.items():
            if name not in order:
                raise InputError(f"{camera}.{name} was not measured; there are {', '.join(order)}")
            seen[camera][order[name]] = _numbers(f"{camera}.{name}", value, 2)
    return ScenePoints(points_m=points, seen_px=seen)


def _numbers(what: str, value: object, count: int) -> list[float]:
    good = isinstance(value, list) and len(value) == count
    if not good or not all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9 for v in value):  # type: ignore[attr-defined]
        raise InputError(f"{what} must be {count} numbers, got {value!r}")
    return [float(v) for v in value]  # type: ignore[attr-defined]
