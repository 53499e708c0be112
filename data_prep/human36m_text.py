"""The exponential-map form as a whole: integrated, levelled, put into the room, copies dropped.

``human36m_expmap.py`` reads one file, ``human36m_level.py`` finds the floor, ``human36m_room.py`` says where people
stand.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from mocap3d.data_prep.cmu import gaze_correction_rad
from mocap3d.data_prep.human36m_cameras import SUBJECTS, human36m_cameras
from mocap3d.data_prep.human36m_expmap import expmap_joints_mm, read_expmap
from mocap3d.data_prep.human36m_form import Files, Form, Recording
from mocap3d.data_prep.human36m_level import find_floor, level, level_rotation, median_up
from mocap3d.data_prep.human36m_names import takes
from mocap3d.data_prep.human36m_room import place_in_room
from numpy.typing import NDArray

from mocap3d.base.errors import Mocap3dWarning
from mocap3d.base.skeletons import HUMAN36M_32

__all__ = ["COPIES", "find_text"]

# Files of S5 that are copies of other subjects' (of S9, S8, S11 and S6) wherever the text form is found.
COPIES: Final = frozenset(
    ("S5", f"{action}_{take}") for action in ("discussion", "smoking", "sittingdown", "posing") for take in (1, 2)
)
_WALKED_MM: Final = 200.0  # standing feet spread at least that wide: the tilt is sure
_GUESS: Final = 0.1  # weight of a tilt that is only guessed


def find_text(folder: Path) -> Form | None:
    """Find ``S1/walking_1.txt`` and so on in a folder; None when there is none."""
    named = set(takes())
    files = {
        subject: {path.stem: (path,) for path in sorted(folder.glob(f"**/{subject}/*.txt")) if path.stem in named}
        for subject in SUBJECTS
    }
    if not any(files.values()):
        return None
    return Form(
        name="exponential-map text",
        files=_without_copies(files),
        expected=_expected,
        read=_read,
        as_recorded=False,
        rotations=True,
    )


def _expected(subject: str, take: str) -> str | None:
    return None if (subject, take) in COPIES else f"{subject}/{take}.txt"


def _without_copies(files: Files) -> Files:
    """Leave out the known copies, and of any other two equal files the second."""
    seen: dict[str, Path] = {}
    kept: dict[str, dict[str, tuple[Path, ...]]] = {}
    for subject, paths in files.items():
        kept[subject] = {}
        for take, (path, *_) in paths.items():
            if (subject, take) in COPIES:
                continue
            first = seen.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
            if first is path:
                kept[subject][take] = (path,)
            else:
                warnings.warn(f"{path} repeats {first}: left out", Mocap3dWarning, stacklevel=4)
    return kept


def _read(subject: str, files: Mapping[str, tuple[Path, ...]], wanted: frozenset[str]) -> Iterator[Recording]:
    """All files are read even if few are wanted: they share the tilt of the pelvis and the correction of the gaze."""
    if not files:
        return
    clips = {take: expmap_joints_mm(read_expmap(path)) for take, (path, *_) in files.items()}
    floors = [find_floor(clip, _rough_up(clip), prior_weight=_GUESS) for clip, _ in clips.values()]
    prior_up = median_up([floor for floor in floors if floor.spread_mm > _WALKED_MM] or floors)
    cameras = human36m_cameras(subject).values()
    placed = {}
    for take, (clip_mm, clip_from_head) in clips.items():
        floor = find_floor(clip_mm, prior_up)
        xyz_m, turn = place_in_room(level(clip_mm, floor) / 1000, cameras, f"{subject}/{take}")
        placed[take] = xyz_m, turn @ level_rotation(floor) @ clip_from_head
    pitch_rad = gaze_correction_rad(np.concatenate([head for _, head in placed.values()]))
    for take, (xyz_m, head) in placed.items():
        if take in wanted:
            yield Recording(take=take, xyz_m=xyz_m, world_from_head=head, face_pitch_rad=pitch_rad)


def _rough_up(joints_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the feet to the chest in the first frame: people begin standing."""
    index = HUMAN36M_32.index
    feet = (joints_mm[0, index("left_ankle")] + joints_mm[0, index("right_ankle")]) / 2
    up = joints_mm[0, index("thorax")] - feet
    return np.asarray(up / max(float(np.linalg.norm(up)), 1e-9))
