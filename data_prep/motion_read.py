"""Reading a motion-data file, piece by piece; ``motion_file.py`` describes the layout.

Each function opens the file and closes it again, and loads only what it returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from mocap3d.data_prep.motion_sequence import MotionPrediction, MotionSequence
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import skeleton_named

__all__ = [
    "FORMAT",
    "VERSION",
    "check_header",
    "open_motion_file",
    "prediction_names",
    "read_cameras",
    "read_prediction",
    "read_sequences",
    "read_view",
    "sequence_names",
    "view_names",
]

FORMAT: Final = "mocap3d-motion"
VERSION: Final = 1
# What h5py and NumPy raise over content that is not what was promised.
_DAMAGE: Final = (KeyError, ValueError, TypeError, AttributeError, OSError, RuntimeError, ArithmeticError)


def read_sequences(path: Path, subjects: frozenset[str] | None = None) -> Iterator[MotionSequence]:
    """Read the sequences of a motion-data file, one after another, in the order of their names.

    Args:
        path: the HDF5 file.
        subjects: only these; None means all.

    Raises:
        InputError: the file does not exist.
        FileFormatError: it is not a motion-data file, or a sequence in it is damaged.
    """
    with open_motion_file(path) as file:
        for subject, action in _sequence_names(file):
            if subjects is None or subject in subjects:
                with _damage(path, f"sequence {subject}/{action}"):
                    sequence = _sequence(subject, action, file[f"sequences/{subject}/{action}"])
                yield sequence


def sequence_names(path: Path) -> tuple[tuple[str, str], ...]:
    """(subject, action) of each sequence, in the order of `read_sequences`; raises as it does."""
    with open_motion_file(path) as file:
        return tuple(_sequence_names(file))


def read_cameras(path: Path, subject: str) -> dict[str, Camera]:
    """The cameras of one subject by name, in the order of their names; empty when the file has none.

    Raises:
        InputError: the file does not exist.
        FileFormatError: it is not a motion-data file, or a camera in it is damaged.
    """
    with open_motion_file(path) as file, _damage(path, f"a camera of {subject}"):
        return {name: _camera(name, group) for name, group in _children(file, f"cameras/{subject}").items()}


def view_names(path: Path, subject: str, action: str) -> dict[str, tuple[str, ...]]:
    """Camera -> the detectors of which a sequence has views through it.

    Raises:
        InputError: no such file, or no such sequence.
        FileFormatError: it is not a motion-data file.
    """
    return _names_below(path, subject, action, "views")


def prediction_names(path: Path, subject: str, action: str) -> dict[str, tuple[str, ...]]:
    """Model -> the cameras through which it predicted a sequence; raises as `view_names`."""
    return _names_below(path, subject, action, "predictions")


def read_view(path: Path, subject: str, action: str, camera_name: str, detector: str) -> Pose2D:
    """What one detector saw of a sequence in one camera.

    Raises:
        InputError: no such file, sequence or view; the message lists the views that there are.
        FileFormatError: it is not a motion-data file, or the view is damaged.
    """
    with open_motion_file(path) as file:
        sequence, group = _piece(file, path, subject, action, ("views", camera_name, detector))
        with _damage(path, f"view {camera_name}/{detector} of {subject}/{action}"):
            return Pose2D(
                xy_px=group["xy_px"][()],
                confidence=group["confidence"][()],
                fps=_fps(sequence),
                skeleton=skeleton_named(str(group.attrs["skeleton"])),
                camera_name=camera_name,
            )


def read_prediction(path: Path, subject: str, action: str, model: str, camera_name: str) -> MotionPrediction:
    """What one network made of a sequence through one camera; raises as `read_view`."""
    with open_motion_file(path) as file:
        _, group = _piece(file, path, subject, action, ("predictions", model, camera_name))
        with _damage(path, f"prediction {model}/{camera_name} of {subject}/{action}"):
            return MotionPrediction(
                xyz_m=_floats(group["xyz_m"]),
                confidence=_floats(group["confidence"]),
                skeleton=skeleton_named(str(group.attrs["skeleton"])),
                weights_sha256=str(group.attrs["weights_sha256"]),
            )


@contextmanager
def open_motion_file(path: Path) -> Iterator[h5py.File]:
    """The open file, its header checked.

    Raises:
        InputError: the file does not exist.
        FileFormatError: it is not a motion-data file.
    """
    if not path.is_file():
        raise InputError(f"no such motion-data file: {path}")
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise FileFormatError(f"not an HDF5 file ({error})", path=path) from None
    with file:
        check_header(file, path)
        yield file


def check_header(file: h5py.File, path: Path) -> None:
    """Check format and version.

    Raises:
        FileFormatError: they are not ours.
    """
    with _damage(path, "the header"):
        found = file.attrs.get("format"), file.attrs.get("version")
        if found != (FORMAT, VERSION):
            raise FileFormatError(
                f"expected format {FORMAT!r} version {VERSION}, got {found[0]!r} version {found[1]!r}", path=path
            )


@contextmanager
def _damage(path: Path, what: str) -> Iterator[None]:
    """Turn whatever damaged content raises into our error, which says where."""
    try:
        yield
    except FileFormatError:
        raise
    except _DAMAGE as error:
        raise FileFormatError(f"{what} is damaged: {error}", path=path) from None


def _sequence_names(file: h5py.File) -> Iterator[tuple[str, str]]:
    with _damage(Path(file.filename), "the list of sequences"):
        names = [(s, a) for s, actions in _children(file, "sequences").items() for a in actions]
    yield from names


def _names_below(path: Path, subject: str, action: str, kind: str) -> dict[str, tuple[str, ...]]:
    with open_motion_file(path) as file:
        sequence = _sequence_group(file, path, subject, action)
        with _damage(path, f"{kind} of {subject}/{action}"):
            return {first: tuple(group) for first, group in _children(sequence, kind).items()}


def _sequence_group(file: h5py.File, path: Path, subject: str, action: str) -> h5py.Group:
    with _damage(path, f"sequence {subject}/{action}"):
        group = _group(file, f"sequences/{subject}/{action}")
    if group is None:
        raise InputError(f"{path} has no sequence {subject}/{action}")
    return group


def _piece(
    file: h5py.File, path: Path, subject: str, action: str, names: tuple[str, str, str]
) -> tuple[h5py.Group, h5py.Group]:
    sequence = _sequence_group(file, path, subject, action)
    kind, first, second = names
    with _damage(path, f"{kind} of {subject}/{action}"):
        group = _group(sequence, "/".join(names))
        there = [f"{a}/{b}" for a, below in _children(sequence, kind).items() for b in below] if group is None else []
    if group is None:
        raise InputError(f"{subject}/{action} has no {kind} {first}/{second}; there are: {', '.join(there) or 'none'}")
    return sequence, group


def _group(parent: h5py.Group, name: str) -> h5py.Group | None:
    """A group below another one; None when nothing has that name."""
    found = parent.get(name)
    if found is not None and not isinstance(found, h5py.Group):
        raise TypeError(f"{name} is not a group")
    return found


def _children(parent: h5py.Group, name: str) -> Mapping[str, Any]:
    """What lies in a group below another one; nothing when that group is not there."""
    group = _group(parent, name)
    return {} if group is None else group


def _sequence(subject: str, action: str, group: h5py.Group) -> MotionSequence:
    return MotionSequence(
        subject=subject,
        action=action,
        xyz_m=_floats(group["xyz_m"]),
        confidence=_floats(group["confidence"]),
        fps=_fps(group),
        skeleton=skeleton_named(str(group.attrs["skeleton"])),
        licence=str(group.attrs["licence"]),
    )


def _camera(name: str, group: h5py.Group) -> Camera:
    width, height = (int(n) for n in group["size_wh_px"][()])
    return Camera(
        name=name,
        size_wh_px=(width, height),
        K=group["K"][()],
        model="fisheye" if group.attrs["model"] == "fisheye" else "brown-conrady",
        distortion=group["distortion"][()],
        cam_from_world=group["cam_from_world"][()],
    )


def _fps(group: h5py.Group) -> Fraction:
    return Fraction(int(group.attrs["fps_num"]), int(group.attrs["fps_den"]))


def _floats(dataset: h5py.Dataset) -> NDArray[np.float32]:
    return np.asarray(dataset[()], dtype=np.float32)
