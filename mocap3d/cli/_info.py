"""The sub-command that tells what files hold, and how good the animation in them is."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mocap3d.base.errors import InputError, Mocap3dError
from mocap3d.base.files import VIDEO_SUFFIXES
from mocap3d.cli._inputs import LenientOption, UnitOption, UpOption, about, reading_options

if TYPE_CHECKING:
    from mocap3d.base.motion import Motion
    from mocap3d.base.pose import Pose3D
    from mocap3d.quality.animation import AnimationQuality

__all__ = ["info"]

_USUAL_M: Final = (0.5, 2.5)
"""The height of a body that is taken for one in the right unit."""

_LIKELY_M: Final = (1.2, 2.1)
"""The height of nearly everybody: a unit that was found out and makes somebody else is doubtful."""

_SAME_SIZE: Final = 1.5  # how many times larger a body may be at rest than it moves, or smaller

_LONG: Final = ("names", "note", "error")
"""What does not fit into a column."""


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Motion files, videos, or folders of images.")],
    unit: UnitOption = None,
    up: UpOption = None,
    lenient: LenientOption = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the quality of the animation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; of several files a list.")] = False,
) -> None:
    """Tell what files hold, and how good the animation in them is; several files side by side."""
    reading = reading_options(unit, up, lenient=lenient)
    found: list[dict[str, Any]] = []
    failed = 0
    for file in files:
        try:
            found.append({"file": str(file), **_facts(file, reading, quick=quick)})
        except Mocap3dError as error:
            if len(files) == 1:
                raise
            failed += 1
            print(f"error: {about(file, error)}", file=sys.stderr)
            found.append({"file": str(file), "error": str(error)})
    if as_json:
        print(json.dumps(found[0] if len(files) == 1 else found, indent=2))
    else:
        print(_table([column for facts in found for column in _columns(facts)]))
    if failed:
        raise InputError(f"{failed} of {len(files)} files failed")


def _facts(file: Path, reading: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    if file.is_dir():
        return _of_images(file)
    if not file.exists():
        raise InputError(f"there is no file {file}")
    return _of_video(file) if file.suffix.lower() in VIDEO_SUFFIXES else _of_motion(file, reading, quick=quick)


def _of_images(folder: Path) -> dict[str, Any]:
    """Without a frame rate: the images do not have one."""
    from mocap3d.cameras.image_folder import list_images, read_image

    images = list_images(folder)
    height, width = read_image(images[0]).shape[:2]
    return {"kind": "images", "size": f"{width} x {height} px", "frames": len(images)}


def _of_video(file: Path) -> dict[str, Any]:
    from mocap3d.cameras.video import open_video

    with open_video(file) as video:
        width, height = video.size_wh_px
        return {
            "kind": "video",
            "size": f"{width} x {height} px",
            "fps": float(video.fps),
            "frames": video.frame_count,
        }


def _of_motion(file: Path, reading: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    import numpy as np

    from mocap3d.base.kinematics import forward
    from mocap3d.base.motion import Motion
    from mocap3d.base.pose import Pose3D
    from mocap3d.output import has_option, read

    found = read(file, **{name: value for name, value in reading.items() if has_option("read", file, name)})
    notes: list[str] = []
    if isinstance(found, Motion) and file.suffix.lower() == ".bvh" and "unit_m" not in reading:
        unit_m = _likely_unit(found, notes)
        found = found if unit_m == 1.0 else read(file, **reading, unit_m=unit_m)
    points = isinstance(found, Pose3D)
    skeleton = found.skeleton if isinstance(found, Pose3D) else found.rig.skeleton
    height_m = (found.xyz_m if isinstance(found, Pose3D) else forward(found)[0])[..., 1]
    seen = height_m[np.isfinite(height_m)]
    facts: dict[str, Any] = {
        "kind": "points" if points else "motion",
        "joints": len(skeleton),
        "frames": len(found),
        "fps": float(found.fps),
        "seconds": round(float(len(found) / found.fps), 3),
        "lowest_m": round(float(seen.min()), 3) if seen.size else None,
        "highest_m": round(float(seen.max()), 3) if seen.size else None,
        "names": " ".join(skeleton.joint_names),
    }
    if quick:
        return facts | ({"notes": notes} if notes else {})
    judged = _quality(found)
    notes += judged.pop("notes", [])
    return facts | judged | ({"notes": notes} if notes else {})


def _likely_unit(motion: Motion, notes: list[str]) -> float:
    """Metres per unit of a file that does not say, by the size of the body in it; 1 where no body is found."""
    from mocap3d.base.motion_edits import split
    from mocap3d.data_prep.bvh_body import UNITS_M, unit_of

    person = next(iter(split(motion).values()))
    height = _height_m(person, _roles(person, []))
    try:
        unit = "m" if height is None else unit_of(height)
    except InputError:  # a giant, or no body at all; said with its height
        unit = "m"
    if unit != "m":
        taken = f"{1 / UNITS_M[unit]:.4g} to the metre"
        size_m = (height or 0.0) * UNITS_M[unit]
        doubt = "" if _LIKELY_M[0] < size_m < _LIKELY_M[1] else f"; {size_m:.2f} m is a doubtful height all the same"
        notes.append(
            f"lengths are taken for {unit}, {taken}, since the body is {height:.3g} tall{doubt}: --unit says otherwise"
        )
    return UNITS_M[unit]


# --- quality ----------------------------------------------------------------------------------------------------------


def _quality(found: Motion | Pose3D) -> dict[str, Any]:
    """``height_m``, ``quality`` and ``notes``; of several people in one file ``people`` with these three for each."""
    from mocap3d.base.motion_edits import split
    from mocap3d.base.pose import Pose3D
    from mocap3d.quality.animation import points_quality

    if isinstance(found, Pose3D):
        return {"quality": points_quality(found).as_dict()}
    people = split(found)
    if len(people) == 1:
        return _of_person(found)
    return {"people": {name: _of_person(motion) for name, motion in people.items()}}


def _of_person(motion: Motion) -> dict[str, Any]:
    """What one body is like. Where no arms and legs can be found, only bones and smoothness are judged."""
    from mocap3d.quality.animation import animation_quality

    notes: list[str] = []
    roles = _roles(motion, notes)
    try:
        quality = _judged(motion, roles)
    except InputError as error:
        notes.append(f"feet and joints are not judged: {error}")
        quality, roles = animation_quality(motion, roles={}), {}
    height_m = _height_m(motion, roles)
    if height_m is not None and not _USUAL_M[0] < height_m < _USUAL_M[1]:
        notes.append(f"the body is {height_m:.3g} m tall: if that is wrong, so are all figures; --unit says otherwise")
    if (doubt := _doubt(motion, roles, height_m)) is not None:
        notes.append(doubt)
    facts: dict[str, Any] = {} if height_m is None else {"height_m": round(height_m, 3)}
    if roles:  # which NPZ, HDF5 and JSON hold; found anew, they are not those that a capture held
        facts["contacts"] = "found in the motion" if motion.contacts is None else "of the file"
    return facts | {"quality": quality.as_dict()} | ({"notes": notes} if notes else {})


def _doubt(motion: Motion, roles: Mapping[str, str], height_m: float | None) -> str | None:
    """What speaks against the axis that was taken for up, and against the places of the joints."""
    from mocap3d.motion.lying import lies_throughout

    at_rest_m = None if height_m is None else _height_m(_resting(motion), roles)
    if at_rest_m and height_m is not None and not 1 / _SAME_SIZE < height_m / at_rest_m < _SAME_SIZE:
        return (
            f"the joints move away from their bones: at rest the body is {at_rest_m:.3g} m tall, not {height_m:.3g} m"
        )
    if lies_throughout(motion, roles):
        return "the body lies down all the time: unless it does, another axis points up in its file (--up Y or --up Z)"
    return None


def _resting(motion: Motion) -> Motion:
    """One frame of the rest pose."""
    rig = motion.rig
    return replace(
        motion, local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1], local_m=None, contacts=None, start_frame=0
    )


def _roles(motion: Motion, notes: list[str]) -> Mapping[str, str]:
    """Which joint is what: by the humanoid's own names, else as it looks."""
    from mocap3d.base.roles import HUMANOID_ROLES
    from mocap3d.base.skeletons import HUMANOID_22
    from mocap3d.motion.bone_map import propose_bone_map

    if motion.rig.skeleton == HUMANOID_22:
        return HUMANOID_ROLES
    try:
        return propose_bone_map(motion.rig).roles
    except InputError as error:
        notes.append(f"feet and joints are not judged: {error}")
        return {}


def _height_m(motion: Motion, roles: Mapping[str, str]) -> float | None:
    """The height of a body by the length of its legs."""
    from mocap3d.base.kinematics import forward
    from mocap3d.base.roles import role_joints
    from mocap3d.quality.bodies import BODY_JOINTS, stature_m

    joints, (world_m, _) = role_joints(motion.rig, roles), forward(motion)
    return stature_m({name: world_m[:, joints[role]] for name, role in BODY_JOINTS.items() if role in joints})


def _judged(motion: Motion, roles: Mapping[str, str]) -> AnimationQuality:
    """The figures of a body, with what it stands on at every height."""
    from mocap3d.motion.contacts import find_contacts, support_heights_m
    from mocap3d.quality.animation import animation_quality

    if not roles:
        return animation_quality(motion, roles=roles)
    contacts = find_contacts(motion, roles=roles) if motion.contacts is None else motion.contacts
    stands = bool((contacts >= 0.5).any())
    support_m = support_heights_m(motion, contacts, roles) if stands else math.nan  # a file may have any floor
    return animation_quality(motion, contacts=contacts, support_m=support_m, roles=roles)


# --- text -------------------------------------------------------------------------------------------------------------


def _columns(facts: dict[str, Any]) -> list[dict[str, str]]:
    """What is shown of a file, as text; of several people in it one column each."""
    people = facts.pop("people", None)
    if people is None:
        return [_texts(facts)]
    notes = facts.pop("notes", [])
    return [
        _texts(facts | {"person": name} | judged | {"notes": notes + judged.get("notes", [])})
        for name, judged in people.items()
    ]


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    from mocap3d.quality.animation import FIGURES

    shown = {
        name: f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in facts.items()
        if name not in ("quality", "notes")
    }
    for figure in FIGURES:
        text = figure.shown(facts.get("quality", {}).get(figure.name))
        if text is not None:
            shown[figure.label] = text
    if facts.get("notes"):
        shown["note"] = "; ".join(facts["notes"])
    return shown


def _table(columns: list[dict[str, str]]) -> str:
    """One row for each thing that is known of any file; of several files what is long comes last, one line each."""
    rows = list(dict.fromkeys(name for column in columns for name in column))
    head = max(12, *(len(name) for name in rows))
    if len(columns) == 1:
        return "\n".join(f"{name:>{head}}  {text}" for name, text in columns[0].items())
    short = [name for name in rows if name not in _LONG]
    named = [column | {"file": Path(column["file"]).stem} for column in columns]
    widths = [max(len(column.get(name, "")) for name in short) for column in named]
    lines = []
    for name in short:
        cells = [f"{column.get(name, ''):>{width}}" for column, width in zip(named, widths, strict=True)]
        lines.append("  ".join([f"{name:>{head}}", *cells]).rstrip())
    for name in ("error", "note"):
        lines += [f"{name:>{head}}  {column['file']}: {column[name]}" for column in columns if name in column]
    return "\n".join(lines)
