"""A motion-data file read a few frames at a time, while it stays open: for looking at long recordings.

``motion_file.py`` describes the layout. What lies in other files (HDF5 can link to them) is refused.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
from mocap3d.data_prep.motion_read import FORMAT, _children, _damage, _fps, open_motion_file, read_cameras
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import skeleton_named

__all__ = ["MotionSlices", "Points", "TakeOutline", "is_motion_file"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TakeOutline:
    """What the file has of one recorded sequence, without its numbers.

    Attributes:
        subject: who.
        action: which take.
        frames: how many.
        fps: frames per second.
        skeleton: of the true joints.
        licence: under which the data came.
        views: camera -> its detectors.
        predictions: model -> the cameras that it looked through.
    """

    subject: str
    action: str
    frames: int
    fps: Fraction
    skeleton: Skeleton
    licence: str
    views: dict[str, tuple[str, ...]]
    predictions: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Joints over time that are read when they are asked for.

    Attributes:
        skeleton: names the K joints.
        weights_sha256: of the network that found them; "" for others.
    """

    skeleton: Skeleton
    weights_sha256: str
    _path: Path
    _points: h5py.Dataset
    _confidence: h5py.Dataset

    def rows(self, start: int, stop: int) -> tuple[Floats, Floats]:
        """Points (n, K, 2 or 3) in pixels or world metres, and confidence (n, K), of some frames.

        Raises:
            FileFormatError: the numbers are damaged.
        """
        with _damage(self._path, str(self._points.name)):
            points, confidence = (part[start:stop] for part in (self._points, self._confidence))
            return np.asarray(points, dtype=np.float32), np.asarray(confidence, dtype=np.float32)


def is_motion_file(path: Path) -> bool:
    """Whether a file says that it is a motion-data file, of whatever version.

    Raises:
        FileFormatError: it begins as HDF5 does and is damaged.
    """
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == FORMAT)
    except (OSError, RuntimeError) as error:
        raise FileFormatError(f"not a whole HDF5 file ({error})", path=path) from None


class MotionSlices:
    """An open motion-data file; threads may share it.

    Raises:
        InputError: the file does not exist.
        FileFormatError: it is not a motion-data file, or its outline is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and read what it has, but no numbers."""
        self.path = path
        with ExitStack() as opening:
            self._file = opening.enter_context(open_motion_file(path))
            with _damage(path, "the list of sequences"):
                self.takes = tuple(
                    _outline(subject, action, group)
                    for subject, actions in _children(self._file, "sequences").items()
                    for action, group in actions.items()
                )
            self._open = opening.pop_all()

    def cameras(self, subject: str) -> dict[str, Camera]:
        """The cameras of one subject by name; empty when the file has none.

        Raises:
            FileFormatError: a camera is damaged.
        """
        return read_cameras(self.path, subject)

    def truth(self, take: TakeOutline) -> Points:
        """The true joints.

        Raises:
            FileFormatError: they are damaged.
        """
        return self._points(take, "", "xyz_m", 3)

    def view(self, take: TakeOutline, camera: str, detector: str) -> Points:
        """What a detector saw; raises as `truth`."""
        return self._points(take, f"/views/{camera}/{detector}", "xy_px", 2)

    def prediction(self, take: TakeOutline, model: str, camera: str) -> Points:
        """What a model found; raises as `truth`."""
        return self._points(take, f"/predictions/{model}/{camera}", "xyz_m", 3)

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def _points(self, take: TakeOutline, below: str, key: str, size: int) -> Points:
        """Check that the shapes fit, and that the numbers lie in this file."""
        name = f"sequences/{take.subject}/{take.action}{below}"
        with _damage(self.path, name):
            group = self._file[name]
            skeleton = skeleton_named(str(group.attrs["skeleton"]))
            shapes = {key: (take.frames, len(skeleton), size), "confidence": (take.frames, len(skeleton))}
            for part, shape in shapes.items():
                dataset = group[part]
                if dataset.shape != shape:
                    raise FileFormatError(f"{name}/{part} must be {shape}, is {dataset.shape}", path=self.path)
                if dataset.file.filename != self._file.filename or dataset.external or dataset.is_virtual:
                    raise FileFormatError(f"{name}/{part} lies in another file", path=self.path)
            checksum = str(group.attrs.get("weights_sha256", ""))
            return Points(
                skeleton=skeleton,
                weights_sha256=checksum,
                _path=self.path,
                _points=group[key],
                _confidence=group["confidence"],
            )


def _outline(subject: str, action: str, group: h5py.Group) -> TakeOutline:
    frames = int(group["xyz_m"].shape[0])
    if frames < 1:
        raise ValueError(f"{subject}/{action} has no frames")
    return TakeOutline(
        subject=subject,
        action=action,
        frames=frames,
        fps=_fps(group),
        skeleton=skeleton_named(str(group.attrs["skeleton"])),
        licence=str(group.attrs["licence"]),
        views={camera: tuple(below) for camera, below in _children(group, "views").items()},
        predictions={model: tuple(below) for model, below in _children(group, "predictions").items()},
    )
