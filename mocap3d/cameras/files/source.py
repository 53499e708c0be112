"""The text of a camera file, and the checks that every format makes of what it reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.rotations import rotvec_to_matrix

__all__ = [
    "UPS",
    "Source",
    "camera_matrix",
    "check_names",
    "finite",
    "load_source",
    "moved_world",
    "pose",
    "rotation",
    "turned",
    "whole_size",
]

Floats = NDArray[np.float64]

_MAX_BYTES: Final = 16_000_000
"""No rig of cameras fills more; a video that is given as a camera file is refused before it is read."""

UPS: Final[dict[str, Floats]] = {
    "Y": np.eye(3),
    "Z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "-Y": np.diag([1.0, -1.0, -1.0]),
    "-Z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}
"""world_from_file (3, 3) by the axis that points up in the file; the x axis stays."""

_MOST_TURN: Final = 100.0  # radians; more loses the digits that matter
_FARTHEST_M: Final = 1e9
_NEARLY: Final = 1e-3  # how far a rotation of few digits may be from one; a scaled or mirrored one is farther


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A camera file in memory.

    Attributes:
        path: where it lies, for messages and for files beside it.
        data: its bytes.
    """

    path: Path
    data: bytes

    @property
    def text(self) -> str:
        """Its text; a byte order mark is dropped.

        Raises:
            FileFormatError: not UTF-8.
        """
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.error(f"not a text file in UTF-8: byte {error.start} is {self.data[error.start]:#04x}") from None

    def error(self, message: str, line: int | None = None) -> FileFormatError:
        """An error that names the file."""
        return FileFormatError(message, path=self.path, line=line)


def load_source(path: str | os.PathLike[str]) -> Source:
    """Read a file that may be a camera file.

    Raises:
        InputError: no such file.
        FileFormatError: far too long for one.
    """
    where = Path(path)
    try:
        with where.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"cannot read the camera file {where}: {reason}") from error
    source = Source(path=where, data=data)
    if len(data) > _MAX_BYTES:
        raise source.error(f"longer than {_MAX_BYTES // 10**6} MB, so it is no camera file")
    return source


def finite(what: str, value: object, shape: tuple[int | None, ...]) -> Floats:
    """Check numbers from a file.

    Args:
        what: how the message calls them.
        value: whatever a parser gave; text that looks like a number is none.
        shape: sizes that must hold; None admits any.

    Raises:
        InputError: not numbers, another shape, or NaN or infinity among them.
    """
    size = "x".join("any" if n is None else str(n) for n in shape) or "one"
    try:
        array = np.array(value)
    except (ValueError, OverflowError):  # ragged
        array = np.array(None)
    if array.size == 0:
        array = array.astype(np.float64)
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "iuf" or not fits or not np.isfinite(array.astype(np.float64)).all():
        shown = repr(value)
        raise InputError(f"{what} must be {size} finite number(s), got {shown[:80]}{'...' * (len(shown) > 80)}")
    return array.astype(np.float64)


def rotation(what: str, matrix: Floats) -> Floats:
    """The rotation that a (3, 3) matrix of few digits means; exactly the matrix where its digits suffice.

    Raises:
        InputError: it mirrors, scales or shears.
    """
    U, _, Vt = np.linalg.svd(matrix)
    nearest = np.asarray(U @ Vt)
    if np.linalg.det(nearest) < 0:
        raise InputError(f"{what} is no rotation: it mirrors")
    off = float(np.abs(matrix - nearest).max())
    if off > _NEARLY:
        raise InputError(f"{what} is no rotation: the nearest one differs by {off:.2g}")
    return matrix if off < 1e-9 else nearest


def turned(what: str, rotvec: Floats) -> Floats:
    """The rotation (3, 3) of a rotation vector (3).

    Raises:
        InputError: so many turns that nobody can have meant them.
    """
    if np.abs(rotvec).max() > _MOST_TURN:
        raise InputError(f"{what} must be radians about an axis, got {rotvec.tolist()}")
    return rotvec_to_matrix(rotvec)


def pose(R: Floats, t_m: Floats) -> Floats:
    """A (4, 4) rigid motion from rotation and translation.

    Raises:
        InputError: it is nowhere near.
    """
    if np.abs(t_m).max() > _FARTHEST_M:
        raise InputError(f"a camera stands {np.abs(t_m).max():.3g} m away, which cannot be meant")
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = R, t_m
    return matrix


def moved_world(cam_from_file: Floats, up: str) -> Floats:
    """``cam_from_world`` (4, 4) of a pose (4, 4) that is given in a world whose up is another axis (a key of ``UPS``).

    Raises:
        InputError: no such axis.
    """
    if up not in UPS:
        raise InputError(f"up must be one of {', '.join(UPS)}, got {up!r}")
    matrix = cam_from_file.copy()
    matrix[:3, :3] = cam_from_file[:3, :3] @ UPS[up].T
    return matrix


def camera_matrix(what: str, K: Floats) -> Floats:
    """An intrinsic matrix (3, 3) whose third row may have been scaled.

    Raises:
        InputError: its last row is not (0, 0, w), or focal lengths are not above 0.
    """
    if K[2, 2] == 0 or K[2, 0] != 0 or K[2, 1] != 0 or K[1, 0] != 0:
        raise InputError(f"{what} must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]]")
    with np.errstate(over="ignore"):  # by a last number of next to nothing; refused below
        scaled = K / K[2, 2]
    if not np.isfinite(scaled).all() or scaled[0, 0] <= 0 or scaled[1, 1] <= 0:
        raise InputError(f"{what} must have focal lengths above 0 in its diagonal")
    return np.asarray(scaled)


def whole_size(what: str, value: object) -> tuple[int, int]:
    """Width and height in whole pixels, which some programs write as 1080.0.

    Raises:
        InputError: not two whole numbers above 0.
    """
    size = finite(f"size of {what}", value, (2,))
    if (size != np.round(size)).any() or (size < 1).any() or (size > 10**6).any():
        raise InputError(f"size of {what} must be width and height in whole pixels, got {value!r}")
    return int(size[0]), int(size[1])


def check_names(cameras: Sequence[Camera]) -> None:
    """Check that there is a camera, and that no two share a name.

    Raises:
        InputError: otherwise.
    """
    names = [camera.name for camera in cameras]
    if not names:
        raise InputError("a camera file needs at least one camera")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two cameras are called {twice!r}")
