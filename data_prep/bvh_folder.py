"""Any folder of BVH files -> our motion-data file.

Joints are found by their names (``bvh_names.py``); what a file does not have is refused by name, not guessed. Bodies
are scaled to a stature of 1.70 m by their legs, as CMU's are, so that the file's unit does not matter; it is worked out
only to see that the body is a person's. A T-pose that some programs put in front of the motion is dropped.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from mocap3d.data_prep.bvh_body import BodyJoints, body_joints, drop_t_pose
from mocap3d.data_prep.cmu import gaze_correction_rad, place_face
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.data_prep.part_origin import begun_with
from mocap3d.data_prep.takes import Group, write_groups

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.output import read_bvh

__all__ = ["prepare_bvh"]


def prepare_bvh(
    source: Path | str,
    out: Path | str,
    *,
    joints: Skeleton = LIFTER_20,
    licence: str = "unknown: see where the files came from",
    one_body: bool = False,
    lenient: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Convert every BVH file below a folder into one motion-data file.

    The folder of a file is its subject. An interrupted run goes on where it stopped.

    Args:
        source: the folder.
        out: the HDF5 file to write.
        joints: LIFTER_20, or HUMAN36M_17 for files without toes.
        licence: under which the files came.
        one_body: put everybody on the one reference body.
        lenient: also take files with more rows of numbers than their header says.
        progress: called with (files done, files in all).

    Raises:
        InputError: no BVH files.
        FileFormatError: files that cannot be read, or that lack a joint; all of them are named.
    """
    folder = Path(source)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".bvh" and path.is_file())
    if not paths:
        raise InputError(f"no .bvh files under {source}")

    by_subject: dict[str, list[Path]] = {}
    for path in paths:
        by_subject.setdefault(_subject(folder, path), []).append(path)
    groups = [
        Group(
            subject=subject,
            actions=tuple(path.stem.lstrip(".") for path in files),
            convert=partial(_convert, subject, files, joints, licence, lenient),
        )
        for subject, files in sorted(by_subject.items())
    ]
    origin = begun_with("BVH", source, joints=joints.name, licence=licence)
    try:
        return write_groups(Path(out), groups, origin, one_body=one_body, progress=progress)
    except FileFormatError:
        _name_all(paths, folder, joints, lenient)
        raise


def _subject(folder: Path, path: Path) -> str:
    parts = path.parent.relative_to(folder).parts or (folder.resolve().name,)
    return "-".join(parts).lstrip(".") or "unnamed"


def _name_all(paths: Sequence[Path], folder: Path, joints: Skeleton, lenient: bool) -> None:
    """Read every file after one of them has failed, so that the user is told all that are like it at once."""
    bad = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)
        for path in paths:
            try:
                _read(path, joints, lenient)
            except InputError as error:
                bad.append(str(error))
    if bad:
        advice = f"{len(bad)} of {len(paths)} files cannot be used; mend them, or move them out of {folder}"
        raise FileFormatError("\n  ".join([advice, *bad]))


def _read(path: Path, joints: Skeleton, lenient: bool) -> tuple[BodyJoints, Fraction]:
    motion = read_bvh(path, lenient=lenient)
    try:
        return body_joints(motion, joints), motion.fps
    except InputError as error:
        raise FileFormatError(str(error), path=path) from None


def _convert(
    subject: str, paths: Sequence[Path], joints: Skeleton, licence: str, lenient: bool
) -> list[MotionSequence]:
    """All takes of one subject: they share the correction of the gaze."""
    takes, kinds = [], set()
    for path in paths:
        body, fps = _read(path, joints, lenient)
        kinds.add(f"{body.convention}, 1 unit = 1 {body.unit}")
        takes.append((path, fps, drop_t_pose(body, float(fps), joints)))
    told = f"{subject}: taken as names of {'; of '.join(sorted(kinds))}"
    warnings.warn(told, Mocap3dWarning, stacklevel=2)
    pitch_rad = gaze_correction_rad(np.concatenate([body.world_from_head for *_, body in takes]))
    return [_sequence(subject, path, fps, body, pitch_rad, joints, licence) for path, fps, body in takes]


def _sequence(
    subject: str, path: Path, fps: Fraction, body: BodyJoints, pitch_rad: float, joints: Skeleton, licence: str
) -> MotionSequence:
    xyz_m = body.xyz_m.copy()
    if "face" in joints.joint_names:
        place_face(xyz_m, body.world_from_head, pitch_rad)
    return MotionSequence(
        subject=subject,
        action=path.stem.lstrip("."),
        xyz_m=xyz_m.astype(np.float32),
        confidence=np.tile(body.seen.astype(np.float32), (len(xyz_m), 1)),
        fps=fps,
        skeleton=joints,
        licence=licence,
    )
