"""The motion-data file: one HDF5 layout for every data set and every result.

::

    /                                  format="mocap3d-motion"  version=1
    /sequences/SUBJECT/ACTION          fps_num  fps_den  skeleton  licence
    /sequences/SUBJECT/ACTION/xyz_m        (T, J, 3) float32, world, metres
    /sequences/SUBJECT/ACTION/confidence   (T, J)    float32, 0 = not seen

Sequences are written one at a time into ``NAME.part`` beside the target, which is renamed when all of them are there:
a crash leaves no half file, and the next run goes on with the ``.part``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import skeleton_named

__all__ = [
    "FORMAT",
    "VERSION",
    "MotionSequence",
    "MotionWriter",
    "read_sequences",
]

FORMAT = "mocap3d-motion"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionSequence:
    """One recorded sequence of one person.

    Attributes:
        subject: who; a name without "/".
        action: which take; a name without "/".
        xyz_m: (T, J, 3) float32 joints in the world; NaN only where confidence is 0.
        confidence: (T, J) float32.
        fps: frames per second.
        skeleton: names the J joints.
        licence: under which the data came.
    """

    subject: str
    action: str
    xyz_m: NDArray[np.float32]
    confidence: NDArray[np.float32]
    fps: Fraction
    skeleton: Skeleton
    licence: str

    def __post_init__(self) -> None:
        joints = len(self.skeleton.joint_names)
        if self.xyz_m.ndim != 3 or self.xyz_m.shape[1:] != (joints, 3) or not len(self.xyz_m):
            raise InputError(f"xyz_m must be (T > 0, {joints}, 3) for {self.skeleton.name}, got {self.xyz_m.shape}")
        if self.confidence.shape != self.xyz_m.shape[:2]:
            raise InputError(f"confidence must be {self.xyz_m.shape[:2]}, got {self.confidence.shape}")
        if not np.isfinite(self.xyz_m[self.confidence > 0]).all():
            raise InputError(f"{self.subject}/{self.action}: a joint with confidence above 0 must be finite")
        if any(not name or "/" in name or name.startswith(".") for name in (self.subject, self.action)):
            raise InputError(f"subject and action must be plain names, got {self.subject!r} and {self.action!r}")

    @classmethod
    def seen(
        cls, subject: str, action: str, xyz_m: NDArray[np.float32], fps: Fraction, skeleton: Skeleton, licence: str
    ) -> Self:
        """A sequence of which every joint was seen (confidence 1)."""
        confidence = np.ones(xyz_m.shape[:2], dtype=np.float32)
        return cls(
            subject=subject, action=action, xyz_m=xyz_m, confidence=confidence, fps=fps, skeleton=skeleton,
            licence=licence,
        )  # fmt: skip


class MotionWriter:
    """Writes a motion-data file sequence by sequence; a context manager that renames on success.

    Raises:
        InputError: the target cannot be written.
        FileFormatError: a ``.part`` of an earlier run is not a motion-data file.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``'s ``.part`` and go on with what an interrupted run left there."""
        self._path = path
        self._part = path.with_name(path.name + ".part")
        try:
            self._file = h5py.File(self._part, "a")
        except OSError as error:
            raise InputError(f"cannot write {self._part} ({error}); if it is a damaged rest, delete it") from None
        if not len(self._file.attrs):
            self._file.attrs.update({"format": FORMAT, "version": VERSION})
        _check_header(self._file, self._part)

    def has(self, subject: str, action: str) -> bool:
        """Whether the sequence is already there, whole."""
        node = self._file.get(f"sequences/{subject}/{action}")
        return isinstance(node, h5py.Group) and bool(node.attrs.get("complete", False))

    def add(self, sequence: MotionSequence) -> None:
        """Write one sequence; one of the same name is replaced."""
        name = f"sequences/{sequence.subject}/{sequence.action}"
        if name in self._file:
            del self._file[name]
        group = self._file.create_group(name)
        group.create_dataset("xyz_m", data=sequence.xyz_m.astype(np.float32), compression="gzip", shuffle=True)
        group.create_dataset("confidence", data=sequence.confidence.astype(np.float32), compression="gzip")
        group.attrs["fps_num"], group.attrs["fps_den"] = sequence.fps.numerator, sequence.fps.denominator
        group.attrs["skeleton"], group.attrs["licence"] = sequence.skeleton.name, sequence.licence
        group.attrs["complete"] = True  # last: a sequence without it is a crash's rest
        self._file.flush()

    def __enter__(self) -> Self:
        """Nothing to open: the constructor did."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rename the finished file into place; after an error the ``.part`` stays for the next run."""
        self._file.close()
        if kind is None:
            self._part.replace(self._path)


def read_sequences(path: Path, subjects: frozenset[str] | None = None) -> Iterator[MotionSequence]:
    """Read the sequences of a motion-data file, one after another, in the order of their names.

    Args:
        path: the HDF5 file.
        subjects: only these; None means all.

    Raises:
        InputError: the file does not exist.
        FileFormatError: it is not a motion-data file, or a sequence in it is damaged.
    """
    if not path.is_file():
        raise InputError(f"no such motion-data file: {path}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FileFormatError(f"not an HDF5 file ({error})", path=path) from None
    with file:
        _check_header(file, path)
        for subject, actions in file.get("sequences", {}).items():
            if subjects is None or subject in subjects:
                for action, group in actions.items():
                    yield _sequence(path, subject, action, group)


def _sequence(path: Path, subject: str, action: str, group: h5py.Group) -> MotionSequence:
    try:
        return MotionSequence(
            subject=subject,
            action=action,
            xyz_m=group["xyz_m"][()],
            confidence=group["confidence"][()],
            fps=Fraction(int(group.attrs["fps_num"]), int(group.attrs["fps_den"])),
            skeleton=skeleton_named(str(group.attrs["skeleton"])),
            licence=str(group.attrs["licence"]),
        )
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise FileFormatError(f"sequence {subject}/{action} is damaged: {error}", path=path) from None


def _check_header(file: h5py.File, path: Path) -> None:
    if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
        raise FileFormatError(
            f"expected format {FORMAT!r} version {VERSION}, got {file.attrs.get('format')!r} "
            f"version {file.attrs.get('version')!r}",
            path=path,
        )
