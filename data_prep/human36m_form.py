"""What every form of Human3.6M is brought to before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError

__all__ = ["Files", "Form", "Recording", "checked_joints"]

Files = Mapping[str, Mapping[str, tuple[Path, ...]]]
"""Subject -> take, as we spell it -> its files (one, or one for each camera)."""

_FARTHEST_MM = 100_000.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One take.

    Attributes:
        take: ours, e.g. "walking_1".
        xyz_m: (T, 32, 3) joints of HUMAN36M_32 in our world.
        world_from_head: (T, 3, 3), the identity for an upright head that looks along +Z; None when the form has only
            positions.
        face_pitch_rad: how far to turn the subject's face point up.
    """

    take: str
    xyz_m: NDArray[np.float64]
    world_from_head: NDArray[np.float64] | None = None
    face_pitch_rad: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """One form of Human3.6M, found in a folder.

    Attributes:
        name: for messages.
        files: what is there.
        expected: (subject, take) -> the file that should be there, for messages; None when nobody has it.
        read: (subject, its takes, the wanted takes) -> the wanted takes, one after another.
        as_recorded: whether people stand where they stood in the videos.
        rotations: whether its recordings know how the head is turned.
    """

    name: str
    files: Files
    expected: Callable[[str, str], str | None]
    read: Callable[[str, Mapping[str, tuple[Path, ...]], frozenset[str]], Iterator[Recording]]
    as_recorded: bool = True
    rotations: bool = False


def checked_joints(values: NDArray[np.generic], path: Path, what: str = "") -> NDArray[np.float64]:
    """Bring the joints of a file, (T, 96) or (T, 32, 3), to (T, 32, 3) float64.

    Args:
        values: what the file held.
        path: for the message.
        what: which part of the file, for the message.

    Raises:
        FileFormatError: other numbers than 32 joints, no frames, not finite, or farther away than any room is wide
            (100 m, read as millimetres).
    """
    said = f"{what}: " if what else ""
    if not np.issubdtype(values.dtype, np.floating):
        raise FileFormatError(f"{said}expected floating-point numbers, got {values.dtype}", path=path)
    if values.ndim == 2 and values.shape[1] == 96:
        values = values.reshape(-1, 32, 3)
    if values.ndim != 3 or values.shape[1:] != (32, 3) or not len(values):
        raise FileFormatError(f"{said}expected (T, 32, 3) joints, got {values.shape}", path=path)
    joints = values.astype(np.float64)
    if not (np.abs(joints) < _FARTHEST_MM).all():
        raise FileFormatError(f"{said}a joint is not finite, or farther away than 100 m", path=path)
    return joints
