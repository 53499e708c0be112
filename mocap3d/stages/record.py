"""The record of a folder of stages: the exact numbers of every file as it was last written or read.

The files beside it are rounded and may be changed; the record is how a change is noticed, and where all that was not
changed keeps its last bit. NPZ: ``meta``, a JSON text, and arrays of float64, ``N/xy_px`` ... for performance N.
Nothing is pickled.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError
from mocap3d.base.ground import Ground
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.safe_pickle import load_npz
from mocap3d.base.shot import Shot
from mocap3d.base.skeletons import skeleton_named
from mocap3d.clip import Clip, Performance
from mocap3d.output.motion_parts import arrays_of, facts_of, motion_of, reading

__all__ = ["Record", "contacts_of", "is_record", "read_record", "record_arrays"]

Floats = NDArray[np.float64]
Kind = TypeVar("Kind")

_FORMAT: Final = "mocap3d-stages"
_VERSION: Final = 1
_WHAT: Final = "the record of a folder of stages"
_CAMERA_ARRAYS: Final = ("K", "distortion", "cam_from_world")


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What the files said when they were last written or read.

    Attributes:
        clip: as solved then; ``pose2d`` is as the file says it, gaps are not bridged in it.
        by_hand: names of the files that somebody has changed and that solving has taken as given.
    """

    clip: Clip
    by_hand: frozenset[str] = frozenset()


def contacts_of(performance: Performance) -> Floats:
    """The foot contacts (T, 4) of a motion; all 0 where it has none."""
    contacts = performance.motion.contacts
    return np.zeros((len(performance.motion), 4)) if contacts is None else contacts


def record_arrays(record: Record) -> dict[str, NDArray[Any]]:
    """Take a record apart into the arrays of its NPZ file."""
    clip = record.clip
    arrays: dict[str, NDArray[Any]] = {}
    for n, one in enumerate(clip.performances):
        parts = {
            "xy_px": one.pose2d.xy_px,
            "confidence_2d": one.pose2d.confidence,
            "xyz_m": one.pose3d.xyz_m,
            "confidence_3d": one.pose3d.confidence,
            "std_m": one.pose3d.std_m,
            "views": one.pose3d.views.astype(np.float64),
            **({} if one.lifted_contacts is None else {"lifted_contacts": one.lifted_contacts}),
            **{f"motion_{name}": array for name, array in arrays_of(one.motion).items()},
        }
        for c, view in enumerate(one.views):
            parts |= {} if view is None else {f"view{c}_xy_px": view.xy_px, f"view{c}_confidence": view.confidence}
        arrays |= {f"{n}/{name}": array for name, array in parts.items()}
    for kind, cameras in (("camera", clip.cameras), ("rig", clip.rig)):
        for n, camera in enumerate(cameras):
            arrays |= {f"{kind}{n}/{name}": getattr(camera, name) for name in _CAMERA_ARRAYS}
    for n, ground in enumerate(clip.grounds):
        arrays |= {} if ground is None else {f"ground{n}": ground.world_from_cam}
    return {"meta": np.array(json.dumps(_meta(record))), **arrays}


def is_record(path: Path) -> bool:
    """Tell whether a file is a record; what cannot be read is none."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return bool(json.loads(str(arrays["meta"]))["format"] == _FORMAT)
    except (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile):
        return False


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        FileFormatError: not such a file, damaged, or of a later version.
        InputError: it cannot be read.
    """
    arrays = load_npz(path)
    with reading(path, _WHAT):
        meta = json.loads(str(arrays["meta"]))
        if (meta["format"], meta["version"]) != (_FORMAT, _VERSION):
            raise FileFormatError(f"expected {_FORMAT!r} version {_VERSION}")
        return Record(_clip(meta, arrays), frozenset(map(str, meta["by_hand"])))


def _meta(record: Record) -> dict[str, Any]:
    clip = record.clip
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "by_hand": sorted(record.by_hand),
        "source": str(clip.source),
        "settings": dict(clip.settings),
        "notes": list(clip.notes),
        "shots": [[shot.start, shot.stop, shot.moves_from, shot.moved_px] for shot in clip.shots],
        "cameras": [_camera_facts(one) for one in clip.cameras],
        "rig": [_camera_facts(one) for one in clip.rig],
        "grounds": [None if one is None else [*one.up_std_deg, one.floor_std_m, one.footfalls] for one in clip.grounds],
        "performances": [_facts(one) for one in clip.performances],
    }


def _camera_facts(camera: Camera) -> dict[str, Any]:
    return {"name": camera.name, "size_wh_px": list(camera.size_wh_px), "model": camera.model}


def _facts(one: Performance) -> dict[str, Any]:
    return {
        "person": one.person,
        "shot": one.shot,
        "unobserved": list(one.unobserved),
        "skeleton_2d": one.pose2d.skeleton.name,
        "camera_name": one.pose2d.camera_name,
        "skeleton_3d": one.pose3d.skeleton.name,
        "motion": facts_of(one.motion),
        "views": [None if view is None else view.skeleton.name for view in one.views],
    }


def _clip(meta: Mapping[str, Any], arrays: Mapping[str, Any]) -> Clip:
    shots = tuple(
        Shot(start=start, stop=stop, moves_from=moves_from, moved_px=moved_px)
        for start, stop, moves_from, moved_px in meta["shots"]
    )
    cameras = _cameras(meta["cameras"], arrays, "camera")
    rig = _cameras(meta.get("rig", []), arrays, "rig")  # records of before knew one camera only
    performances = tuple(_performance(facts, arrays, n, rig) for n, facts in enumerate(meta["performances"]))
    grounds = tuple(_ground(found, arrays, n) for n, found in enumerate(meta["grounds"]))
    if not (performances and len(shots) == len(cameras) == len(grounds)):
        raise FileFormatError("shots, cameras and grounds are not as many, or nobody is in it")
    for one in performances:
        if not 0 <= one.shot < len(shots) or grounds[one.shot] is None:
            raise FileFormatError(f"person {one.person} is in shot {one.shot}, which has no ground")
    return Clip(
        source=Path(meta["source"]),
        performances=performances,
        shots=shots,
        cameras=cameras,
        grounds=grounds,
        settings=meta["settings"],
        notes=tuple(meta["notes"]),
        rig=rig,
    )


def _cameras(facts: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any], kind: str) -> tuple[Camera, ...]:
    return tuple(
        Camera(
            name=one["name"],
            size_wh_px=tuple(one["size_wh_px"]),
            model=one["model"],
            **{name: arrays[f"{kind}{n}/{name}"] for name in _CAMERA_ARRAYS},
        )
        for n, one in enumerate(facts)
    )


def _ground(found: list[Any] | None, arrays: Mapping[str, Any], n: int) -> Ground | None:
    if found is None:
        return None
    tilt_std, roll_std, floor_std_m, footfalls = found
    return Ground(
        world_from_cam=arrays[f"ground{n}"],
        up_std_deg=(tilt_std, roll_std),
        floor_std_m=floor_std_m,
        footfalls=footfalls,
    )


def _performance(facts: Mapping[str, Any], arrays: Mapping[str, Any], n: int, rig: tuple[Camera, ...]) -> Performance:
    own = {name.removeprefix(f"{n}/"): array for name, array in arrays.items() if name.startswith(f"{n}/")}
    motion_arrays = {name.removeprefix("motion_"): array for name, array in own.items() if name.startswith("motion_")}
    motion = motion_of(facts["motion"], motion_arrays)
    fps: Fraction = motion.fps
    pose2d = Pose2D(
        xy_px=own["xy_px"],
        confidence=own["confidence_2d"],
        fps=fps,
        skeleton=skeleton_named(facts["skeleton_2d"]),
        camera_name=facts["camera_name"],
    )
    pose3d = Pose3D(
        xyz_m=own["xyz_m"],
        confidence=own["confidence_3d"],
        std_m=own["std_m"],
        views=own["views"],
        fps=fps,
        skeleton=skeleton_named(facts["skeleton_3d"]),
        frame="world",
    )
    views = _views(facts.get("views", []), own, fps, rig)
    if not len(pose2d) == len(pose3d) == len(motion) or any(len(view) != len(motion) for view in views if view):
        raise FileFormatError(f"performance {n} has stages of several lengths")
    return Performance(
        person=facts["person"],
        shot=facts["shot"],
        motion=motion,
        pose2d=pose2d,
        pose3d=pose3d,
        unobserved=tuple(facts["unobserved"]),
        lifted_contacts=own.get("lifted_contacts"),
        views=views,
    )


def _views(
    skeletons: Sequence[str | None], own: Mapping[str, Any], fps: Fraction, rig: tuple[Camera, ...]
) -> tuple[Pose2D | None, ...]:
    if skeletons and len(skeletons) != len(rig):
        raise FileFormatError(f"a person is seen by {len(skeletons)} cameras, the rig has {len(rig)}")
    return tuple(
        None
        if name is None
        else Pose2D(
            xy_px=own[f"view{c}_xy_px"],
            confidence=own[f"view{c}_confidence"],
            fps=fps,
            skeleton=skeleton_named(name),
            camera_name=rig[c].name,
        )
        for c, name in enumerate(skeletons)
    )
