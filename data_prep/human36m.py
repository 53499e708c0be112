"""Human3.6M in the forms in which people hold it -> our motion-data file.

Human3.6M is for academic use only: bring your own copy, nothing of it comes with mocap3d.
Source: Ionescu et al., Human3.6M, TPAMI 2014; http://vision.imar.ro/human3.6m
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from mocap3d.data_prep.cmu import gaze_correction_rad
from mocap3d.data_prep.human36m_cameras import SUBJECTS, human36m_cameras
from mocap3d.data_prep.human36m_expmap import expmap_joints_mm, read_expmap
from mocap3d.data_prep.human36m_joints import joints_from_32
from mocap3d.data_prep.human36m_level import Floor, find_floor, level, level_rotation, median_up
from mocap3d.data_prep.human36m_room import place_in_room, true_view
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter
from numpy.typing import NDArray

from mocap3d.base.errors import InputError, Mocap3dWarning
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17, HUMAN36M_32

__all__ = ["FPS", "LICENCE", "prepare_human36m"]

FPS: Final = Fraction(50)
LICENCE: Final = "Human3.6M (vision.imar.ro/human3.6m): academic use only, not to be redistributed"
_SPREAD_MM: Final = 200.0
# Files of S5 that are copies of other subjects' (S9, S8, S11, S6) in every known mirror of the text form.
_COPIES: Final = frozenset(
    f"S5/{action}_{take}" for action in ("discussion", "smoking", "sittingdown", "posing") for take in (1, 2)
)


def prepare_human36m(
    source: Path | str,
    out: Path | str,
    *,
    joints: Skeleton = HUMAN36M_17,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Convert a folder of Human3.6M into one motion-data file.

    Args:
        source: folder that holds ``S1/walking_1.txt`` and so on.
        out: the HDF5 file to write.
        joints: HUMAN36M_17 or LIFTER_20.
        progress: called with (sequences done, sequences in all).

    Raises:
        InputError: nothing to convert.
        FileFormatError: a file that cannot be read.
    """
    folder = Path(source)
    files = {s: sorted(p for p in folder.glob(f"**/{s}/*.txt")) for s in SUBJECTS}
    total = sum(map(len, files.values()))
    if not total:
        raise InputError(f"no Human3.6M files under {source}")
    copies = _copies([path for paths in files.values() for path in paths])
    done = 0
    with MotionWriter(Path(out)) as writer:
        for subject, paths in files.items():
            wanted = [path for path in paths if path not in copies]
            for camera in human36m_cameras(subject).values() if wanted else ():
                writer.add_camera(subject, camera)
            for sequence in _takes(subject, wanted, joints):
                if not writer.has(sequence.subject, sequence.action):
                    writer.add(sequence)
                    for name, camera in human36m_cameras(subject).items():
                        xy_px, confidence = true_view(camera, sequence.xyz_m.astype(np.float64))
                        writer.add_view(subject, sequence.action, name, "true", xy_px, confidence, joints)
                done += 1
                if progress is not None:
                    progress(done, total - len(copies))
    return Path(out)


def _copies(paths: list[Path]) -> set[Path]:
    copies = {path for path in paths if f"{path.parent.name}/{path.stem}" in _COPIES}
    seen: dict[str, Path] = {}
    for path in paths:
        if path not in copies:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in seen:
                warnings.warn(f"{path} repeats {seen[digest]}: dropped", Mocap3dWarning, stacklevel=3)
                copies.add(path)
            seen.setdefault(digest, path)
    return copies


def _takes(subject: str, paths: list[Path], joints: Skeleton) -> Iterator[MotionSequence]:
    clips = {path: expmap_joints_mm(read_expmap(path)) for path in paths}
    floors = {path: find_floor(clip, _rough_up(clip), prior_weight=0.1) for path, (clip, _) in clips.items()}
    spread = [floor for floor in floors.values() if floor.spread_mm > _SPREAD_MM]
    prior = median_up(spread or list(floors.values())) if floors else np.array([0.0, 1.0, 0.0])
    cameras = human36m_cameras(subject).values()
    placed = {}
    for path, (clip_mm, frame_from_head) in clips.items():
        floor = find_floor(clip_mm, prior)
        xyz_m, turn = place_in_room(level(clip_mm, floor) / 1000, cameras, f"{subject}/{path.stem}")
        placed[path] = xyz_m, turn @ level_rotation(floor) @ frame_from_head
    pitch_rad = gaze_correction_rad(np.concatenate([head for _, head in placed.values()])) if placed else 0.0
    for path, (xyz_m, head) in placed.items():
        xyz_m = joints_from_32(xyz_m, joints, head, pitch_rad).astype(np.float32)
        yield MotionSequence.seen(subject, path.stem, xyz_m, FPS, joints, LICENCE)


def _rough_up(joints_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the feet to the chest in the first frame: people begin standing."""
    index = HUMAN36M_32.index
    feet = (joints_mm[0, index("left_ankle")] + joints_mm[0, index("right_ankle")]) / 2
    up = joints_mm[0, index("thorax")] - feet
    return np.asarray(up / max(float(np.linalg.norm(up)), 1e-9))
