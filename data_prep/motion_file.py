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

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import skeleton_named

__all__ = [
    "FORMAT",
    "VERSION",
    "MotionSequence",
    "MotionWriter",
    "plain_name",
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
        for name in (self.subject, self.action):
            plain_name(name)

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

    def add_camera(self, subject: str, camera: Camera) -> None:
        """Write one camera of a subject; one of the same name is replaced."""
        name = f"cameras/{plain_name(subject)}/{plain_name(camera.name)}"
        if name in self._file:
            del self._file[name]
        group = self._file.create_group(name)
        group.create_dataset("K", data=camera.K)
        group.create_dataset("distortion", data=camera.distortion)
        group.create_dataset("size_wh_px", data=np.array(camera.size_wh_px, dtype=np.int64))
        group.create_dataset("cam_from_world", data=camera.cam_from_world)
        group.attrs["model"] = camera.model
        self._file.flush()

    def add_view(
        self,
        subject: str,
        action: str,
        camera_name: str,
        detector: str,
        xy_px: NDArray[np.floating],
        confidence: NDArray[np.floating],
        skeleton: Skeleton,
    ) -> None:
        """Write what one detector saw of a sequence in one camera, frame by frame.

        Args:
            subject: of a sequence that is there.
            action: of the same sequence.
            camera_name: which camera.
            detector: a free name; "true" is the projection of the true joints.
            xy_px: (T, J, 2) with the sequence's T; NaN only where confidence is 0.
            confidence: (T, J).
            skeleton: names the J joints.
        """
        group = self._below(subject, action, "views", camera_name, detector, len(xy_px))
        _write_points(group, "xy_px", xy_px, confidence, skeleton, 2)
        self._finish(group)

    def add_prediction(
        self,
        subject: str,
        action: str,
        model: str,
        camera_name: str,
        xyz_m: NDArray[np.floating],
        confidence: NDArray[np.floating],
        *,
        skeleton: Skeleton,
        weights_sha256: str,
    ) -> None:
        """Write the joints that a network found in one camera's pictures, in the world.

        Args:
            subject: of a sequence that is there.
            action: of the same sequence.
            model: a free name for the network.
            camera_name: which camera it looked through.
            xyz_m: (T, J, 3) world metres with the sequence's T; NaN only where confidence is 0.
            confidence: (T, J).
            skeleton: names the J joints.
            weights_sha256: checksum of the weights file, so that a result can be traced to its network.
        """
        group = self._below(subject, action, "predictions", model, camera_name, len(xyz_m))
        _write_points(group, "xyz_m", xyz_m, confidence, skeleton, 3)
        group.attrs["weights_sha256"] = weights_sha256
        self._finish(group)

    def has_view(self, subject: str, action: str, camera_name: str, detector: str) -> bool:
        """Whether the view is already there, whole."""
        node = self._file.get(f"sequences/{subject}/{action}/views/{camera_name}/{detector}")
        return isinstance(node, h5py.Group) and bool(node.attrs.get("complete", False))

    def _below(self, subject: str, action: str, kind: str, first: str, second: str, frames: int) -> h5py.Group:
        if not self.has(subject, action):
            raise InputError(f"there is no sequence {subject}/{action} to which {kind} could belong: add it first")
        sequence = self._file[f"sequences/{subject}/{action}"]
        if len(sequence["xyz_m"]) != frames:
            raise InputError(f"{kind} of {subject}/{action} need {len(sequence['xyz_m'])} frames, got {frames}")
        name = f"{kind}/{plain_name(first)}/{plain_name(second)}"
        if name in sequence:
            del sequence[name]
        return sequence.create_group(name)

    def _finish(self, group: h5py.Group) -> None:
        group.attrs["complete"] = True  # last: without it, it is a crash's rest
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


def plain_name(name: str) -> str:
    """Check that a name can stand in the file as one step of a path.

    Raises:
        InputError: it is empty, holds a "/" or begins with a dot.
    """
    if not name or "/" in name or name.startswith("."):
        raise InputError(f"names in a motion-data file are plain (no '/', no leading dot), got {name!r}")
    return name


def _write_points(
    group: h5py.Group,
    key: str,
    points: NDArray[np.floating],
    confidence: NDArray[np.floating],
    skeleton: Skeleton,
    size: int,
) -> None:
    if points.ndim != 3 or points.shape[1:] != (len(skeleton), size) or confidence.shape != points.shape[:2]:
        raise InputError(
            f"{key} must be (T, {len(skeleton)}, {size}) for {skeleton.name} with confidence (T, {len(skeleton)}), "
            f"got {points.shape} and {confidence.shape}"
        )
    if not np.isfinite(points[confidence > 0]).all():
        raise InputError(f"{key}: a joint with confidence above 0 must be finite")
    group.create_dataset(key, data=points.astype(np.float32), compression="gzip", shuffle=True)
    group.create_dataset("confidence", data=confidence.astype(np.float32), compression="gzip", shuffle=True)
    group.attrs["skeleton"] = skeleton.name


def _check_header(file: h5py.File, path: Path) -> None:
    if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
        raise FileFormatError(
            f"expected format {FORMAT!r} version {VERSION}, got {file.attrs.get('format')!r} "
            f"version {file.attrs.get('version')!r}",
            path=path,
        )
