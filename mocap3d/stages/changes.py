"""What somebody has changed in a folder of stages: every file, read against the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.ground import Ground
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.rig import Rig
from mocap3d.clip import Performance
from mocap3d.stages.folder import (
    BODY,
    CONTACTS,
    LENS,
    POSE2D,
    POSE3D,
    RECORD,
    SETTINGS,
    file_of,
    ground_file,
    lens_of,
    settings_of,
)
from mocap3d.stages.people_tables import Edit, read_contacts, read_pose2d, read_pose3d
from mocap3d.stages.record import Record, contacts_of, read_record
from mocap3d.stages.texts import Settings, read_body, read_ground, read_settings

__all__ = ["Changes", "PersonFiles", "read_changes", "read_folder"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PersonFiles:
    """What the files of one person say now; None where a file is gone, which means: make it again.

    Attributes:
        known: the person in the record.
        pose2d: joints in the picture.
        pose3d: joints in the world.
        contacts: (T, 4).
        rig: the body.
        changed: kinds of the files that differ from the record or are gone.
        by_hand: kinds of the files that somebody has changed, now or before, and that are there.
    """

    known: Performance
    pose2d: Edit[Pose2D]
    pose3d: Edit[Pose3D] | None
    contacts: Edit[Floats] | None
    rig: Rig | None
    changed: frozenset[str]
    by_hand: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """What a folder says now.

    Attributes:
        record: what it said when it was last solved.
        settings: how to solve.
        lens: the camera's lens.
        grounds: one per shot; None where the file is gone, or where the shot has none.
        by_hand: names of the ground files that somebody has changed, now or before, and that are there.
        people: one per performance of the record.
    """

    record: Record
    settings: Settings
    lens: Camera
    grounds: tuple[Ground | None, ...]
    by_hand: frozenset[str]
    people: tuple[PersonFiles, ...]

    @property
    def everybody(self) -> tuple[str, ...]:
        """Why everybody must be lifted again; empty if not."""
        known = settings_of(self.record.clip)
        reasons = [
            f"{name} changed from {_said(getattr(known, name))} to {_said(getattr(self.settings, name))}"
            for name in ("height_m", "camera_tilt_deg", "symmetric")
            if getattr(known, name) != getattr(self.settings, name)
        ]
        return tuple(reasons + (["the lens changed"] if not _same_lens(lens_of(self.record.clip), self.lens) else []))

    @property
    def lock_changed(self) -> bool:
        """Whether the feet shall be held otherwise than before."""
        return settings_of(self.record.clip).foot_lock != self.settings.foot_lock

    def of_shot(self, shot: int) -> tuple[PersonFiles, ...]:
        """The people of one shot."""
        return tuple(person for person in self.people if person.known.shot == shot)

    def label(self, person: PersonFiles) -> str:
        """Name a person as far as is needed to tell them apart."""
        known = person.known
        return f"person {known.person}" + (f" of shot {known.shot + 1}" if len(self.record.clip.shots) > 1 else "")

    def ground_changed(self, shot: int) -> bool:
        """Whether the ground of a shot differs from the record or is gone."""
        return self.grounds[shot] is not self.record.clip.grounds[shot]


def read_folder(folder: Path) -> Record:
    """Read the record of a folder.

    Raises:
        FileFormatError: it is damaged.
        InputError: the folder holds no stages.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: mocap3d capture VIDEO -o OUT --keep-stages FOLDER makes one")
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder} holds no stages: there is no {RECORD}, which capture --keep-stages writes")
    return read_record(folder / RECORD)


def read_changes(folder: Path) -> Changes:
    """Read every file of a folder.

    Raises:
        FileFormatError: a file says what cannot be understood; with its line.
        InputError: the folder holds no stages, or files that cannot be made again are gone.
    """
    record = read_folder(folder)
    by_hand = set()
    grounds: list[Ground | None] = []
    for shot, known in enumerate(record.clip.grounds):
        if record.clip.rig:  # it is the cameras' own, which no file says
            grounds.append(known)
            continue
        path = folder / ground_file(shot)
        found = read_ground(path, known) if known is not None and path.exists() else None
        if found is not None and (found is not known or path.name in record.by_hand):
            by_hand.add(path.name)
        grounds.append(found)
    _refuse_strangers(folder, record)
    return Changes(
        record=record,
        settings=read_settings(folder / SETTINGS),
        lens=lens_of(record.clip) if record.clip.rig else _read_lens(folder / LENS),
        grounds=tuple(grounds),
        by_hand=frozenset(by_hand),
        people=tuple(_read_person(folder, record, one) for one in record.clip.performances),
    )


def _read_person(folder: Path, record: Record, known: Performance) -> PersonFiles:
    start, paths = known.motion.start_frame, {kind: folder / file_of(known, kind) for kind in _KINDS}
    there = {kind for kind, path in paths.items() if path.exists()}
    several = bool(record.clip.rig)
    pose2d = Edit(known.pose2d, ()) if several else read_pose2d(paths[POSE2D], known.pose2d, start)
    pose3d = read_pose3d(paths[POSE3D], known.pose3d, start) if POSE3D in there else None
    contacts = read_contacts(paths[CONTACTS], contacts_of(known), start) if CONTACTS in there else None
    rig = read_body(paths[BODY], known.motion.rig) if BODY in there else None
    same = {
        POSE2D: not pose2d.changed,
        POSE3D: pose3d is not None and not pose3d.changed,
        CONTACTS: contacts is not None and not contacts.changed,
        BODY: rig is known.motion.rig,
    }
    changed = frozenset(kind for kind in _KINDS if not same[kind])
    before = {kind for kind in _KINDS if paths[kind].name in record.by_hand}
    return PersonFiles(
        known=known,
        pose2d=pose2d,
        pose3d=pose3d,
        contacts=contacts,
        rig=rig,
        changed=changed,
        by_hand=frozenset((changed | before) & there),
    )


_KINDS = (POSE2D, POSE3D, CONTACTS, BODY)


def _read_lens(path: Path) -> Camera:
    from mocap3d.cameras.files import read_cameras

    cameras = read_cameras(path)
    if len(cameras) != 1:
        raise FileFormatError(f"there must be one camera, got {len(cameras)}", path=path)
    return cameras[0]


def _refuse_strangers(folder: Path, record: Record) -> None:
    """A file of somebody whom the record does not know comes from another clip; nobody would read it."""
    kinds = [kind for kind in _KINDS if kind != POSE2D or not record.clip.rig]
    known = {file_of(one, kind) for one in record.clip.performances for kind in kinds}
    known |= {ground_file(shot) for shot in range(len(record.clip.shots))}
    for path in _stage_files(folder):
        if path.name not in known:
            raise InputError(f"{path} belongs to nobody in this clip: take it away, or capture again")


def _stage_files(folder: Path) -> Iterator[Path]:
    for kind in _KINDS:
        yield from sorted(folder.glob(f"shot*-person*-{kind}"))


def _same_lens(a: Camera, b: Camera) -> bool:
    arrays = ((a.K, b.K), (a.distortion, b.distortion))
    same = (a.size_wh_px, a.model) == (b.size_wh_px, b.model)
    return same and all(np.array_equal(one, other) for one, other in arrays)


def _said(value: object) -> str:
    return "none" if value is None else f"{value}"
