"""HDM05 (Mocap Database, Universität Bonn) -> our motion-data file.

Two forms: an ``.npz`` of Human3.6M-17 joints, one array (T, 17, 3) of int16 millimetres at 60 Hz and Y up per cut
motion, whose key names actor, class and take (``hdm_HDM_mm_depositFloorR_019_120``); and the official ASF/AMC files
(``HDM_mm.asf``, ``HDM_mm_01-01_01_120.amc``), whose bones are called as CMU's are and which give LIFTER_20. The
official C3D files hold markers on the skin, not joints; they are refused.

The wrist of the ``.npz`` is the end of the ASF bone called radius, two thirds down the forearm (0.66 of the upper arm);
it is moved to the end of the forearm, along it.

The licence is CC BY-SA 3.0: what is made of the data must be shared alike. We do not train weights on it that ship
under another licence.

Source: M. Müller, T. Röder, M. Clausen, B. Eberhardt, B. Krüger, A. Weber: Documentation Mocap Database HDM05, 2007;
http://resources.mpi-inf.mpg.de/HDM05
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from mocap3d.data_prep.cmu import FOREARM_PER_RADIUS, LEG_PER_STATURE, STATURE_M, acclaim_takes, unpacked_tar
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.data_prep.part_origin import begun_with
from mocap3d.data_prep.takes import Group, write_groups
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

__all__ = ["FPS", "LICENCE", "prepare_hdm05", "read_hdm05_npz"]

FPS: Final = Fraction(60)
LICENCE: Final = "HDM05, Müller et al., Universität Bonn 2007 (resources.mpi-inf.mpg.de/HDM05): CC BY-SA 3.0"
_KEY: Final = re.compile(r"(?:hdm_)?HDM_(?P<actor>[a-z]{2})_(?P<take>[A-Za-z0-9_-]+?)_(?P<rate>\d{2,3})")
_BROKEN: Final = (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, TypeError,
                  AttributeError,
                  NotImplementedError, MemoryError, SyntaxError, UnicodeError, OverflowError)  # fmt: skip


def prepare_hdm05(
    source: Path | str,
    out: Path | str,
    *,
    joints: Skeleton | None = None,
    one_body: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Convert HDM05 into one motion-data file; an actor is a subject. An interrupted run goes on where it stopped.

    Every actor is scaled to a stature of 1.70 m by the legs, as CMU's subjects are.

    Args:
        source: the .npz, or a folder or tar file that holds it or the ASF and AMC files at any depth.
        out: the HDF5 file to write.
        joints: HUMAN36M_17 or LIFTER_20, which only ASF/AMC files give; None: all that the form gives.
        one_body: put everybody on the one reference body.
        progress: called with (takes done, takes in all).

    Raises:
        InputError: nothing to convert, only C3D files, or joints that the form does not give.
        FileFormatError: a file that cannot be read.
    """
    if joints not in (None, HUMAN36M_17, LIFTER_20):
        raise InputError(f"HDM05 can be brought to human36m-17 or lifter-20, not to {joints.name if joints else None}")
    path = Path(source)
    cuts = begun_with("HDM05's .npz", source, joints=HUMAN36M_17.name)
    if path.is_file() and path.suffix == ".npz":
        return write_groups(Path(out), _npz_groups(path, joints), cuts, one_body=one_body, progress=progress)
    with unpacked_tar(path) as folder:
        clips = sorted(folder.rglob("*.amc"))
        arrays = sorted(folder.rglob("*.npz"))
        if clips:
            groups = _acclaim_groups(clips, joints or LIFTER_20)
            origin = begun_with("HDM05's ASF/AMC files", source, joints=(joints or LIFTER_20).name)
        elif arrays:
            groups, origin = _npz_groups(arrays[0], joints), cuts
        elif next(folder.rglob("*.c3d"), None) is not None:
            raise InputError(f"{source} holds C3D files: markers on the skin, not joints; take HDM05's ASF/AMC files")
        else:
            raise InputError(f"no .npz and no .amc files of HDM05 under {source}")
        return write_groups(Path(out), groups, origin, one_body=one_body, progress=progress)


def read_hdm05_npz(path: Path) -> dict[str, NDArray[np.int16]]:
    """Read the cut motions: key -> (T, 17, 3) millimetres.

    Raises:
        FileFormatError: not such a file, or an array of another shape or type; pickled objects are refused.
    """
    motions: dict[str, NDArray[np.int16]] = {}
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            for key in archive.files:
                motions[key] = archive[key]
    except _BROKEN as error:
        raise FileFormatError(f"not an .npz of plain arrays: {error}", path=path) from None
    for key, motion in motions.items():
        if motion.ndim != 3 or motion.shape[1:] != (17, 3) or not len(motion) or motion.dtype != np.int16:
            raise FileFormatError(f"{key}: expected int16 (T, 17, 3), got {motion.dtype} {motion.shape}", path=path)
    if not motions:
        raise FileFormatError("there is no motion in it", path=path)
    return motions


def _npz_groups(path: Path, joints: Skeleton | None) -> list[Group]:
    if joints is LIFTER_20:
        raise InputError("the .npz of HDM05 has human36m-17, no toes and no face; lifter-20 needs the ASF/AMC files")
    by_actor: dict[str, dict[str, NDArray[np.int16]]] = {}
    for key, motion in read_hdm05_npz(path).items():
        actor, take, _ = _names(key, path)
        by_actor.setdefault(actor, {})[take] = motion
    return [
        Group(subject=actor, actions=tuple(takes), convert=partial(_from_npz, actor, takes, path))
        for actor, takes in sorted(by_actor.items())
    ]


def _names(key: str, path: Path) -> tuple[str, str, Fraction]:
    """Actor, take and the recorded rate that a name says."""
    match = _KEY.fullmatch(key)
    if match is None or int(match["rate"]) == 0:
        raise FileFormatError(f"{key!r} is not named like HDM_mm_depositFloorR_019_120", path=path)
    return match["actor"], match["take"], Fraction(int(match["rate"]))


def _from_npz(actor: str, takes: dict[str, NDArray[np.int16]], path: Path) -> list[MotionSequence]:
    scale = STATURE_M * LEG_PER_STATURE / _leg_m(list(takes.values()), actor, path)
    sequences = []
    for take, motion in takes.items():
        xyz_m = motion * (scale / 1000)
        for side in ("left", "right"):
            elbow, wrist = (HUMAN36M_17.index(f"{side}_{joint}") for joint in ("elbow", "wrist"))
            xyz_m[:, wrist] = xyz_m[:, elbow] + FOREARM_PER_RADIUS * (xyz_m[:, wrist] - xyz_m[:, elbow])
        sequences.append(MotionSequence.seen(actor, take, xyz_m.astype(np.float32), FPS, HUMAN36M_17, LICENCE))
    return sequences


def _leg_m(motions: Sequence[NDArray[np.int16]], actor: str, path: Path) -> float:
    """Thigh and shank, mean of both sides: the median of all frames."""
    xyz_m = np.concatenate(motions).astype(np.float64) / 1000
    at = {name: xyz_m[:, j] for j, name in enumerate(HUMAN36M_17.joint_names)}
    legs = [
        np.linalg.norm(at[f"{side}_{a}"] - at[f"{side}_{b}"], axis=-1)
        for side in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    leg_m = float(np.median(np.sum(legs, axis=0))) / 2
    if not 0.2 < leg_m < 1.5:
        raise FileFormatError(
            f"the legs of {actor} are {leg_m:.2f} m long: not millimetres, or other joints", path=path
        )
    return leg_m


def _acclaim_groups(clips: Sequence[Path], joints: Skeleton) -> list[Group]:
    by_actor: dict[str, list[Path]] = {}
    for clip in clips:
        actor, _, _ = _names(clip.stem, clip)
        by_actor.setdefault(actor, []).append(clip)
    return [
        Group(
            subject=actor,
            actions=tuple(_names(clip.stem, clip)[1] for clip in paths),
            convert=partial(_from_acclaim, actor, paths, joints),
        )
        for actor, paths in sorted(by_actor.items())
    ]


def _from_acclaim(actor: str, clips: Sequence[Path], joints: Skeleton) -> list[MotionSequence]:
    skeleton = clips[0].with_name(f"HDM_{actor}.asf")
    if not skeleton.is_file():
        raise InputError(f"{clips[0].name} needs {skeleton.name} beside it")
    sequences = []
    for clip, xyz_m in zip(clips, acclaim_takes(skeleton, clips), strict=True):
        _, take, fps = _names(clip.stem, clip)
        columns = [LIFTER_20.index(name) for name in joints.joint_names]
        sequences.append(MotionSequence.seen(actor, take, xyz_m[:, columns].astype(np.float32), fps, joints, LICENCE))
    return sequences
