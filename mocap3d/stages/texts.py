"""The TOML files beside the tables: settings, where the camera stands (ground), the body.

Like the tables they are rounded for reading, and what they say is compared with the exact numbers of the record: a
value that only rounds the exact one is the exact one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.files import read_toml
from mocap3d.base.ground import Ground
from mocap3d.base.rig import Rig, Tip
from mocap3d.solving import check_wanted

__all__ = [
    "Settings",
    "body_text",
    "ground_text",
    "read_body",
    "read_ground",
    "read_settings",
    "settings_text",
]

Floats = NDArray[np.float64]

_DECIMALS_M: Final = 4
_DECIMALS_DEG: Final = 3
_FARTHEST_M: Final = 1000.0
_LONGEST_M: Final = 10.0
_SHORTEST_M: Final = 0.001
_LIMBS: Final = ("LowerArm", "Hand", "LowerLeg", "Foot", "Toes", "ToesTip")
"""Bones without a length have no direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may be changed about how a clip is solved.

    Attributes:
        height_m: stature.
        camera_tilt_deg: how far the camera looks down, if measured.
        foot_lock: "off", "auto" or "strong".
        symmetric: whether left bones are as long as right ones.
    """

    height_m: float
    camera_tilt_deg: float | None
    foot_lock: str
    symmetric: bool = True


def settings_text(settings: Settings, facts: Sequence[str], *, several: bool = False) -> str:
    """Write the settings, above them what is only told; of several cameras only the feet can be changed."""
    told = "".join(f"# {' '.join(fact.split())}\n" for fact in facts)
    anew = "To change it, capture again." if several else "Changed, everybody is lifted again."
    tilt = "# camera_tilt_deg = 4.0" if settings.camera_tilt_deg is None else _pair("camera_tilt_deg", settings)
    return (
        f"{told}\n"
        f"# Stature of the people in metres{'' if several else ': the scale of everything'}. {anew}\n"
        f"{_pair('height_m', settings)}\n"
        + ("" if several else f"# Degrees that the camera looks down, if you measured it. {anew}\n{tilt}\n")
        + "# How firmly feet that stand are held: off, auto or strong. Changed, everybody is solved again.\n"
        f'foot_lock = "{settings.foot_lock}"\n'
        f"# Whether left bones are as long as right ones. {anew}\n"
        f"symmetric = {'true' if settings.symmetric else 'false'}\n"
    )


def read_settings(path: Path) -> Settings:
    """Read them again.

    Raises:
        FileFormatError: no TOML, a key that is unknown or missing, or a value out of its range.
        InputError: the file cannot be read.
    """
    table = read_toml(path)
    filled = {"camera_tilt_deg": None, "symmetric": True, **table}
    _check_keys(path, filled, ("height_m", "camera_tilt_deg", "foot_lock", "symmetric"))
    try:
        if filled["height_m"] is None:
            raise InputError("height_m must be a number")
        check_wanted(fov_deg=None, **filled)
    except InputError as error:
        raise FileFormatError(str(error), path=path) from None
    tilt = filled["camera_tilt_deg"]
    return Settings(
        height_m=float(filled["height_m"]),
        camera_tilt_deg=None if tilt is None else float(tilt),
        foot_lock=filled["foot_lock"],
        symmetric=filled["symmetric"],
    )


def ground_text(ground: Ground, shot: int) -> str:
    """Write where the camera stands in the world."""
    place, tilt, roll = _standpoint(ground.world_from_cam)
    return (
        f"# Where the camera of shot {shot + 1} stands in the world. +Y is up, the floor is y = 0, the camera looks "
        "towards -Z.\n# Changed, the people move with the camera and are solved again.\n"
        "# metres: right, up, back\n"
        f"camera_m = {_list(place, _DECIMALS_M)}\n"
        "# degrees that it looks down\n"
        f"tilt_deg = {tilt:.{_DECIMALS_DEG}f}\n"
        "# degrees that it is turned about the direction in which it looks\n"
        f"roll_deg = {roll:.{_DECIMALS_DEG}f}\n"
        "# found with these expected errors: tilt and roll in degrees, the floor's height in metres\n"
        f"# up_std_deg = {_list(ground.up_std_deg, 1)}, floor_std_m = {ground.floor_std_m:.3f}, "
        f"footfalls = {ground.footfalls}\n"
    )


def read_ground(path: Path, known: Ground) -> Ground:
    """Read it again; ``known`` itself where the file only rounds it.

    Raises:
        FileFormatError: no TOML, a key that is unknown or missing, or no numbers.
        InputError: the file cannot be read.
    """
    table = read_toml(path)
    _check_keys(path, table, ("camera_m", "tilt_deg", "roll_deg"))
    place = _numbers(path, "camera_m", table["camera_m"], 3, _FARTHEST_M)
    angles = [_numbers(path, key, [table[key]], 1, 360.0)[0] for key in ("tilt_deg", "roll_deg")]
    known_place, *known_angles = _standpoint(known.world_from_cam)
    new_place = _exact(place, known_place, _DECIMALS_M)
    tilt, roll = _exact(np.array(angles), np.array(known_angles), _DECIMALS_DEG)
    if not -90 < tilt < 90:
        raise FileFormatError(f"tilt_deg must lie between -90 and 90, got {tilt:g}", path=path)
    if np.array_equal(new_place, known_place) and [tilt, roll] == known_angles:
        return known
    world_from_cam = np.eye(4)
    turned = [tilt, roll] != known_angles
    world_from_cam[:3, :3] = _rotation(tilt, roll) if turned else known.world_from_cam[:3, :3]
    world_from_cam[:3, 3] = new_place
    return replace(known, world_from_cam=world_from_cam)


def body_text(rig: Rig) -> str:
    """Write the bone lengths of a body, as offsets at rest."""
    names = rig.skeleton.joint_names
    joints = "".join(f"{name} = {_list(at, _DECIMALS_M)}\n" for name, at in zip(names, rig.offsets_m, strict=True))
    tips = "".join(f"{tip.name} = {_list(tip.offset_m, _DECIMALS_M)}\n" for tip in rig.tips)
    return (
        "# The body at rest: a T-pose that faces +Z, +Y up, left arm along +X. Metres from the joint above: left, up, "
        "forward.\n# Changed, the motion is solved again on this body; left and right may differ.\n"
        f"[joints]\n{joints}\n"
        f"# ends of bones\n[tips]\n{tips}"
    )


def read_body(path: Path, known: Rig) -> Rig:
    """Read it again; ``known`` itself where the file only rounds it. Errors as of ``read_ground``."""
    table = read_toml(path)
    _check_keys(path, table, ("joints", "tips"))
    names = known.skeleton.joint_names
    offsets_m = _offsets(path, table, "joints", dict(zip(names, known.offsets_m, strict=True)))
    tips_m = _offsets(path, table, "tips", {tip.name: tip.offset_m for tip in known.tips})
    tips = tuple(Tip(name=tip.name, parent=tip.parent, offset_m=tips_m[tip.name]) for tip in known.tips)
    moved = replace(known, offsets_m=np.array([offsets_m[name] for name in names]), tips=tips)
    same = np.array_equal(moved.offsets_m, known.offsets_m) and all(
        np.array_equal(tip.offset_m, other.offset_m) for tip, other in zip(tips, known.tips, strict=True)
    )
    return known if same else moved


def _offsets(path: Path, table: Mapping[str, Any], key: str, known: Mapping[str, Floats]) -> dict[str, Floats]:
    entries = table[key]
    if not isinstance(entries, dict):
        raise FileFormatError(f"[{key}] must be a table", path=path)
    _check_keys(path, entries, tuple(known))
    found = {name: _numbers(path, name, entries[name], 3, _LONGEST_M) for name in known}
    for name, offset_m in found.items():
        if name.removeprefix("left").removeprefix("right") in _LIMBS and np.linalg.norm(offset_m) < _SHORTEST_M:
            raise FileFormatError(f"{name} must lie at least {_SHORTEST_M:g} m from the joint above", path=path)
    return {name: _exact(offset_m, known[name], _DECIMALS_M) for name, offset_m in found.items()}


def _standpoint(world_from_cam: Floats) -> tuple[Floats, float, float]:
    """Place in metres, tilt and roll in degrees of a camera that looks towards -Z."""
    up = world_from_cam[1, :3]  # in camera axes, whose y points down
    tilt = math.degrees(math.asin(float(np.clip(-up[2], -1, 1))))
    return world_from_cam[:3, 3].copy(), tilt, math.degrees(math.atan2(up[0], -up[1]))


def _rotation(tilt_deg: float, roll_deg: float) -> Floats:
    """World from camera, (3, 3), for a camera that looks towards -Z."""
    tilt, roll = math.radians(tilt_deg), math.radians(roll_deg)
    up = np.array([math.sin(roll) * math.cos(tilt), -math.cos(roll) * math.cos(tilt), -math.sin(tilt)])
    back = up * up[2] - [0.0, 0.0, 1.0]
    back /= np.linalg.norm(back)
    return np.stack([np.cross(up, back), up, back])


def _check_keys(path: Path, table: Mapping[str, object], keys: Sequence[str]) -> None:
    unknown = sorted(set(table) - set(keys))
    if unknown:
        raise FileFormatError(f"unknown key {unknown[0]!r}; there are {', '.join(keys)}", path=path)
    missing = [key for key in keys if key not in table]
    if missing:
        raise FileFormatError(f"the key {missing[0]!r} is missing", path=path)


def _numbers(path: Path, key: str, value: object, count: int, most: float) -> Floats:
    numbers = value if isinstance(value, list) else []
    good = (isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) <= most for one in numbers)
    if len(numbers) != count or not all(good):  # NaN is not below anything
        raise FileFormatError(
            f"{key} must be {count} number(s) from -{most:g} to {most:g}, got {value!r}"[:300], path=path
        )
    return np.array(numbers, dtype=np.float64)


def _exact(said: Floats, known: Floats, decimals: int) -> Floats:
    """The exact numbers where the file rounds them."""
    return np.where(np.abs(said - known) <= 0.501 * 10.0**-decimals, known, said)


def _list(values: Sequence[float] | Floats, decimals: int) -> str:
    return "[" + ", ".join(f"{round(float(value), decimals) + 0.0:.{decimals}f}" for value in values) + "]"


def _pair(name: str, settings: Settings) -> str:
    return f"{name} = {float(getattr(settings, name))!r}"
