"""A folder of stages: which files it holds, and how they are written so that a crash spoils nothing.

::

    settings.toml                  stature, tilt, foot lock; written once, then only read, as is the next one
    camera.toml                    the lens
    shot1-ground.toml              where the camera stands in the world
    shot1-person1-2d.csv           joints in the picture
    shot1-person1-3d.csv           joints in the world
    shot1-person1-contacts.csv     which heels and toes stand
    shot1-person1-body.toml        bone lengths
    record.npz                     the exact numbers of all of them, and the motions; not for editing

Of several cameras 3D, contacts and bodies can be changed: solving goes on from there. What the cameras saw, and where
they stand, is in the record only.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.clip import Clip, Performance
from mocap3d.solving import DEFAULT_HEIGHT_M
from mocap3d.stages.people_tables import contacts_text, pose2d_text, pose3d_text
from mocap3d.stages.record import Record, contacts_of, record_arrays
from mocap3d.stages.texts import Settings, body_text, ground_text, settings_text

__all__ = [
    "BODY",
    "CONTACTS",
    "GROUND",
    "LENS",
    "POSE2D",
    "POSE3D",
    "RECORD",
    "SETTINGS",
    "check_new",
    "file_of",
    "ground_file",
    "lens_of",
    "save_stages",
    "settings_of",
    "texts_of",
    "write_all",
    "write_bytes",
    "write_texts",
]

SETTINGS: Final = "settings.toml"
LENS: Final = "camera.toml"
RECORD: Final = "record.npz"
GROUND: Final = "ground.toml"
POSE2D: Final = "2d.csv"
POSE3D: Final = "3d.csv"
CONTACTS: Final = "contacts.csv"
BODY: Final = "body.toml"


def file_of(performance: Performance, kind: str) -> str:
    """Name a person's file: ``shot1-person1-2d.csv`` for kind ``2d.csv``."""
    return f"shot{performance.shot + 1}-person{performance.person}-{kind}"


def ground_file(shot: int) -> str:
    """Name a shot's file."""
    return f"shot{shot + 1}-{GROUND}"


def check_new(folder: Path) -> None:
    """See that a folder can take new stages.

    Raises:
        InputError: it is a file, or holds something already: stages that somebody may have changed are not overwritten.
    """
    try:
        inside = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise InputError(f"cannot keep stages in {folder}: {error.strerror or error}") from error
    if inside:
        what = "stages already" if RECORD in inside else inside[0]
        raise InputError(f"{folder} holds {what}: stages are kept in a new or an empty folder, nothing is overwritten")


def save_stages(clip: Clip, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write what a clip was made of as files that can be changed.

    Args:
        clip: a captured clip.
        folder: new or empty; made when it does not exist.

    Returns:
        The files.

    Raises:
        InputError: the folder is not empty, or cannot be written.
    """
    from mocap3d.cameras.files import write_cameras

    target = Path(folder)
    check_new(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {target}: {error.strerror or error}") from error
    if not clip.rig:
        write_cameras([lens_of(clip)], target / LENS)
    texts = {SETTINGS: settings_text(settings_of(clip), _facts(clip), several=bool(clip.rig)), **texts_of(clip)}
    write_all(target, texts, Record(clip))
    return tuple(target / name for name in (*(() if clip.rig else (LENS,)), *texts, RECORD))


def texts_of(clip: Clip) -> dict[str, str]:
    """The text of every file that solving makes, by name."""
    texts: dict[str, str] = {}
    if not clip.rig:
        grounds = enumerate(clip.grounds)
        texts |= {ground_file(n): ground_text(ground, n) for n, ground in grounds if ground is not None}
        texts |= {file_of(one, POSE2D): pose2d_text(one.pose2d, one.motion.start_frame) for one in clip.performances}
    for one in clip.performances:
        start = one.motion.start_frame
        texts |= {
            file_of(one, POSE3D): pose3d_text(one.pose3d, start),
            file_of(one, CONTACTS): contacts_text(contacts_of(one), one.motion.fps, start),
            file_of(one, BODY): body_text(one.motion.rig),
        }
    return texts


def lens_of(clip: Clip) -> Camera:
    """The camera of all shots; where it stands is said by the grounds, unless a shot has none."""
    alone = [camera for camera, ground in zip(clip.cameras, clip.grounds, strict=True) if ground is None]
    return alone[0] if alone else replace(clip.cameras[0], cam_from_world=np.eye(4))


def settings_of(clip: Clip) -> Settings:
    """Pick what may be changed of a clip's settings."""
    said: Mapping[str, Any] = clip.settings
    return Settings(
        height_m=said.get("height_m", DEFAULT_HEIGHT_M),
        camera_tilt_deg=said.get("camera_tilt_deg"),
        foot_lock=said.get("foot_lock", "auto"),
        symmetric=said.get("symmetric", True),
    )


def write_all(folder: Path, texts: Mapping[str, str], record: Record) -> None:
    """Write files and the record, all or none as far as a file system allows.

    Everything is written under temporary names first; then the names are changed at once, the record's last, and
    Ctrl-C has to wait for that. Should the power fail between two names, the record still tells what was there before,
    and the next solve begins at the earliest file that differs from it.

    Raises:
        InputError: a file cannot be written; nothing has changed then.
    """
    arrays: dict[str, Any] = dict(record_arrays(record))
    exact = io.BytesIO()
    np.savez(exact, **arrays)
    write_bytes(folder, {**{name: text.encode() for name, text in texts.items()}, RECORD: exact.getvalue()})


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, all or none as ``write_all`` does, and leave the record as it is."""
    write_bytes(folder, {name: text.encode() for name, text in texts.items()})


def write_bytes(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files as they are, all or none."""
    ready: dict[Path, Path] = {}
    try:
        for name, content in contents.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{name}-", dir=folder)
            ready[Path(temporary)] = folder / name
            with open(handle, "wb") as file:
                file.write(content)
        _rename(ready)
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror or error}") from error
    finally:
        for path in ready:
            path.unlink(missing_ok=True)


def _rename(ready: Mapping[Path, Path]) -> None:
    """Give all files their names; an interruption is heard afterwards."""
    umask = os.umask(0)
    os.umask(umask)
    for path in ready:
        path.chmod(0o666 & ~umask)  # mkstemp makes private files
    try:
        for path, target in ready.items():
            path.replace(target)
    except (KeyboardInterrupt, SystemExit):
        for path, target in ready.items():
            if path.exists():
                path.replace(target)
        raise


def _facts(clip: Clip) -> list[str]:
    """What a reader of the settings may want to know."""
    made = f"{clip.source}, captured by mocap3d {clip.settings.get('mocap3d', '')}"
    shots = [f"shot {n}: frames {shot.start} to {shot.stop - 1}" for n, shot in enumerate(clip.shots, 1)]
    return [made, f"{clip.motion.fps} frames per second", *shots, "Solve again after a change: mocap3d solve FOLDER"]
