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
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.files import atomic_path
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import trimmed
from mocap3d.output.json_stream import opened, read_document
from mocap3d.output.motion_parts import OPTIONAL_ARRAYS, RIG_ARRAYS, arrays_of, facts_of, motion_of, reading

__all__ = ["read_json", "write_json"]

Floats = NDArray[np.float64]

_FORMAT: Final = "mocap3d-json"
_VERSION: Final = 1
_WORLD_DECIMALS: Final = 6
_BLOCK_FRAMES: Final = 512


def write_json(motion: Motion, path: str | os.PathLike[str]) -> None:
    """Write a motion as JSON, one line per frame; the description of the format stands above.

    Raises:
        InputError: the file cannot be written.
    """
    arrays = arrays_of(motion)
    rig = {name: arrays[name].tolist() for name in RIG_ARRAYS}
    head = json.dumps({"format": _FORMAT, "version": _VERSION, **facts_of(motion), **rig, "frames": []})
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(head.removesuffix("]}"))
        for start in range(0, len(motion), _BLOCK_FRAMES):
            block = trimmed(motion, start, min(start + _BLOCK_FRAMES, len(motion)))
            arrays = {name: array for name, array in arrays_of(block).items() if name not in RIG_ARRAYS}
            arrays["world_m"] = np.round(forward(block)[0], _WORLD_DECIMALS)
            for frame in range(len(block)):
                values = {name: array[frame].tolist() for name, array in arrays.items()}
                file.write(("," if start + frame else "") + "\n" + json.dumps(values, allow_nan=False))
        file.write("\n]}\n")


def read_json(path: str | os.PathLike[str]) -> Motion:
    """Read what ``write_json`` wrote.

    Raises:
        FileFormatError: not such a file, damaged, or of a later version.
        InputError: the file cannot be opened.
    """
    frames = _Frames()
    with reading(path, "a motion in JSON"):
        with opened(path) as file:
            document = read_document(file, "frames", frames.add)
        if (document.get("format"), document.get("version")) != (_FORMAT, _VERSION):
            raise InputError(f"expected {_FORMAT!r} version {_VERSION}")
        arrays = {name: _floats(document[name]) for name in RIG_ARRAYS}
        arrays["tip_offsets_m"] = arrays["tip_offsets_m"].reshape(-1, 3)
        return motion_of(document, arrays | frames.arrays())


class _Frames:
    """The frames of a file, which become arrays block by block: as lists of numbers they take eight times the room."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.waiting: list[dict[str, Any]] = []
        self.blocks: dict[str, list[Floats]] = {}

    def add(self, frame: Any) -> None:
        """Take the next frame."""
        if not isinstance(frame, dict):
            raise InputError("a frame must be an object")
        if not self.blocks:
            self.names = ["root_m", "local_wxyz", *(name for name in OPTIONAL_ARRAYS if name in frame)]
            self.blocks = {name: [] for name in self.names}
        self.waiting.append({name: frame[name] for name in self.names})
        if len(self.waiting) == _BLOCK_FRAMES:
            self.pack()

    def pack(self) -> None:
        """Turn the waiting frames into arrays."""
        for name in self.names if self.waiting else []:
            self.blocks[name].append(_floats([frame[name] for frame in self.waiting]))
        self.waiting = []

    def arrays(self) -> dict[str, Floats]:
        """All frames by name, locked."""
        self.pack()
        found: dict[str, Floats] = {}
        for name in self.names:
            found[name] = np.concatenate(self.blocks.pop(name))
            found[name].flags.writeable = False
        return found


def _floats(values: Any) -> Floats:
    array = np.array(values)
    if array.dtype.kind not in "fi":
        raise InputError("expected numbers")
    return array.astype(np.float64)
