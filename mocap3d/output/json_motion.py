"""JSON of one motion, for programs that read nothing else: positions and rotations, frame by frame.

::

    {"format": "mocap3d-json", "version": 1,
     "fps": [30000, 1001], "start_frame": 0,           rate as numerator and denominator
     "skeleton": "humanoid-22",
     "joint_names": ["hips", "spine", ...], "parents": [-1, 0, ...], "mirror": [0, 1, ...],
     "offsets_m": [[x, y, z], ...],                    of each joint from its parent, in the parent's frame
     "rest_wxyz": [[w, x, y, z], ...],                 parent_from_joint at rest
     "tip_names": [...], "tip_parents": [...], "tip_offsets_m": [...],
     "frames": [
    {"root_m": [x, y, z], "local_wxyz": [[w, x, y, z], ...], "world_m": [[x, y, z], ...]},
    ...]}

Metres, +Y up, quaternions scalar first. ``local_wxyz`` is parent_from_joint, rest included; ``world_m`` are the joints
in the world, rounded to a micrometre, for programs without forward kinematics (the reader leaves them out). A frame
also has ``local_m`` where inner joints move and ``contacts`` where they are known. All other numbers come back bit for
bit.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final

import numpy as np

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.output.motion_parts import OPTIONAL_ARRAYS, RIG_ARRAYS, arrays_of, facts_of, motion_of, reading
from mocap3d.output.point_file import bytes_of

__all__ = ["read_json", "write_json"]

_FORMAT: Final = "mocap3d-json"
_VERSION: Final = 1
_WORLD_DECIMALS: Final = 6


def write_json(motion: Motion, path: str | os.PathLike[str]) -> None:
    """Write a motion as JSON, one line per frame; the description of the format stands above.

    Raises:
        InputError: the file cannot be written.
    """
    arrays = arrays_of(motion)
    rig = {name: arrays.pop(name).tolist() for name in RIG_ARRAYS}
    arrays["world_m"] = np.round(forward(motion)[0], _WORLD_DECIMALS)
    head = json.dumps({"format": _FORMAT, "version": _VERSION, **facts_of(motion), **rig, "frames": []})
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(head.removesuffix("]}"))
        for frame in range(len(motion)):
            values = {name: array[frame].tolist() for name, array in arrays.items()}
            file.write(("," if frame else "") + "\n" + json.dumps(values, allow_nan=False))
        file.write("\n]}\n")


def read_json(path: str | os.PathLike[str]) -> Motion:
    """Read what ``write_json`` wrote.

    Raises:
        FileFormatError: not such a file, damaged, or of a later version.
        InputError: the file cannot be opened.
    """
    content = bytes_of(path)
    with reading(path, "a motion in JSON"):
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
        if not isinstance(document, dict) or (document.get("format"), document.get("version")) != (_FORMAT, _VERSION):
            raise InputError(f"expected {_FORMAT!r} version {_VERSION}")
        frames = document["frames"]
        arrays = {name: _floats(document[name]) for name in RIG_ARRAYS}
        arrays["tip_offsets_m"] = arrays["tip_offsets_m"].reshape(-1, 3)
        for name in ("root_m", "local_wxyz", *OPTIONAL_ARRAYS):
            if name not in OPTIONAL_ARRAYS or (frames and name in frames[0]):
                arrays[name] = _floats([frame[name] for frame in frames])
        return motion_of(document, arrays)


def _floats(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.array(values)
    if array.dtype.kind not in "fi":
        raise InputError("expected numbers")
    return array.astype(np.float64)


def _refuse(word: str) -> None:
    raise InputError(f"{word} is no number")
