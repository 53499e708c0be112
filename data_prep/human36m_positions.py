"""Human3.6M as positions: official ``.cdf`` files, the ``.h5`` release, VideoPose3D's ``data_3d_h36m.npz``.

All hold 32 joints in the room (or in a camera's frame) at 50 Hz, Z up, millimetres (VideoPose3D: metres)::

    S1/MyPoseFeatures/D3_Positions/Walking 1.cdf                 variable Pose (1, T, 96)
    S1/MyPoseFeatures/D3_Positions_mono/Walking 1.54138969.cdf   the same in the camera's frame
    S1/MyPoses/3D_positions/Walking 1.h5                         dataset 3D_positions (96, T)
    data_3d_h36m.npz                                             positions_3d {"S1": {"Walking 1": (T, 32, 3)}}
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from mocap3d.data_prep.human36m_cameras import CAMERA_IDS, SUBJECTS, human36m_cameras, world_m_from_h36m_mm
from mocap3d.data_prep.human36m_cdf import read_cdf_mm
from mocap3d.data_prep.human36m_form import Form, Recording, checked_joints
from mocap3d.data_prep.human36m_names import DISCARDED, action_of, official_name
from numpy.typing import NDArray

from mocap3d.base import safe_pickle
from mocap3d.base.errors import FileFormatError, InputError

__all__ = ["POSITION_FORMS", "find_npz", "find_positions", "read_h5_mm", "read_npz_m"]

Reader = Callable[[Path], NDArray[np.float64]]


def read_h5_mm(path: Path) -> NDArray[np.float64]:
    """Read the joints (T, 32, 3) of a file of the ``.h5`` release, millimetres.

    Raises:
        FileFormatError: not an HDF5 file, or not one with 32 joints.
    """
    try:
        with h5py.File(path, "r") as file:
            values = np.asarray(file["3D_positions"][()])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"not an HDF5 file with 3D_positions: {error}", path=path) from None
    return checked_joints(values.T, path)


def read_npz_m(path: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Read VideoPose3D's ``data_3d_h36m.npz``: subject -> take, as we spell it -> (T, 32, 3) metres, Z up.

    Raises:
        FileFormatError: not such a file.
    """
    people = safe_pickle.load_npz(path).get("positions_3d")
    if not isinstance(people, dict):
        raise FileFormatError("no dictionary positions_3d", path=path)
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for subject, actions in people.items():
        if not isinstance(actions, dict):
            raise FileFormatError(f"positions_3d[{subject!r}] is not a dictionary", path=path)
        for name, values in actions.items():
            take = action_of(str(subject), str(name))
            if take is None or not isinstance(values, np.ndarray):
                raise FileFormatError(f"positions_3d[{subject!r}][{name!r}] is not a take of Human3.6M", path=path)
            what = f"positions_3d[{subject!r}][{name!r}]"
            found.setdefault(str(subject), {})[take] = checked_joints(values, path, what)
    return found


# Folder below the subject -> name for messages, file ending, reader. In the order of preference.
POSITION_FORMS: Final[dict[str, tuple[str, str, Reader]]] = {
    "MyPoseFeatures/D3_Positions/*.cdf": ("official poses (D3_Positions)", ".cdf", read_cdf_mm),
    "MyPoses/3D_positions/*.h5": ("the .h5 release", ".h5", read_h5_mm),
    "MyPoseFeatures/D3_Positions_mono/*.cdf": ("official poses by camera (D3_Positions_mono)", ".cdf", read_cdf_mm),
}


def find_positions(folder: Path) -> Form | None:
    """Find the first form of `POSITION_FORMS` in a folder; None when there is none.

    Raises:
        InputError: two files of one take.
    """
    for pattern, (name, ending, read) in POSITION_FORMS.items():
        mono = "_mono/" in pattern
        files: dict[str, dict[str, tuple[Path, ...]]] = {
            subject: _takes(subject, sorted(folder.glob(f"**/{subject}/{pattern}")), ending, mono=mono)
            for subject in SUBJECTS
        }
        if any(files.values()):
            expected = partial(_expected, str(Path(pattern).parent), f".{CAMERA_IDS[0]}{ending}" if mono else ending)
            reader = partial(_read_mono if mono else _read, read)
            return Form(name=name, files=files, expected=expected, read=reader)
    return None


def find_npz(folder: Path) -> Form | None:
    """Find VideoPose3D's ``data_3d_h36m.npz`` in a folder; None when it is not there."""
    path = next(iter(sorted(folder.glob("**/data_3d_h36m.npz"))), None)
    if path is None:
        return None
    load = cache(read_npz_m)

    def read(subject: str, files: Mapping[str, tuple[Path, ...]], wanted: frozenset[str]) -> Iterator[Recording]:
        for take in files:
            if take in wanted:
                yield Recording(take=take, xyz_m=world_m_from_h36m_mm(1000 * load(path)[subject][take]))

    def expected(subject: str, take: str) -> str | None:
        name = official_name(subject, take)
        return None if (subject, take) in DISCARDED else f"positions_3d[{subject!r}][{name!r}] in {path.name}"

    people = load(path)
    files = {s: {t: (path,) for t in people.get(s, {}) if (s, t) not in DISCARDED} for s in SUBJECTS}
    return Form(name="VideoPose3D's data_3d_h36m.npz", files=files, expected=expected, read=read)


def _takes(subject: str, paths: list[Path], ending: str, *, mono: bool) -> dict[str, tuple[Path, ...]]:
    """The files of one subject by take; several of one take are an error, unless each is of another camera."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        name, _, camera = path.name.removesuffix(ending).partition(".")
        take = action_of(subject, name)
        if take is None or (subject, take) in DISCARDED or (camera in CAMERA_IDS) != mono:
            continue
        found[take].append(path)
        if not mono and len(found[take]) > 1:
            raise InputError(f"{found[take][0]} and {path} are both take {take} of {subject}: keep one of them")
    return {take: tuple(paths) for take, paths in found.items()}


def _expected(folder: str, ending: str, subject: str, take: str) -> str | None:
    if (subject, take) in DISCARDED:
        return None
    return f"{subject}/{folder}/{official_name(subject, take)}{ending}"


def _read(
    read: Reader, subject: str, files: Mapping[str, tuple[Path, ...]], wanted: frozenset[str]
) -> Iterator[Recording]:
    for take, (path, *_) in files.items():
        if take in wanted:
            yield Recording(take=take, xyz_m=world_m_from_h36m_mm(read(path)))


def _read_mono(
    read: Reader, subject: str, files: Mapping[str, tuple[Path, ...]], wanted: frozenset[str]
) -> Iterator[Recording]:
    """Each camera's file holds the same joints, so the first that is there will do."""
    cameras = human36m_cameras(subject)
    for take, (path, *_) in files.items():
        if take in wanted:
            pose = cameras[path.name.split(".")[1]].world_from_cam
            yield Recording(take=take, xyz_m=read(path) / 1000 @ pose[:3, :3].T + pose[:3, 3])
