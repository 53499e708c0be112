"""The tables of a preset file -> the fields of a ``Preset``, each key checked and named when it is wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths

__all__ = ["DIRECTIONS", "preset_fields"]

DIRECTIONS: Final = {
    "left": (1.0, 0.0, 0.0),
    "right": (-1.0, 0.0, 0.0),
    "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0),
    "front": (0.0, 0.0, 1.0),
    "back": (0.0, 0.0, -1.0),
}
"""The words of preset files for directions of the world, seen from a person at rest who faces +Z."""

_ALONG: Final = ("bone", "-bone")
_KEYS: Final = {
    "title", "sources", "notes", "unit_m", "rest_pose", "arms_down_deg", "frame_rates", "body", "bones", "axes",
}  # fmt: skip
_BODY_KEYS: Final = {"source", "stature_m", *(field.name for field in dataclasses.fields(BodyLengths))}
_BONE_KEYS: Final = {"name", "parent", "joint", "between", "at", "floor", "axes", "tip"}
_LARGEST_UNIT_M: Final = 1e6
_MOST_BONES: Final = 1000
_TALLEST_M: Final = 100.0

Axes = tuple[tuple[str, str], tuple[str, str]]


def preset_fields(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Check the tables of a preset file.

    Returns:
        The keyword arguments of ``Preset`` but for ``name`` and ``bones``, and those of each ``Bone``.

    Raises:
        InputError: a key is missing, unknown or wrong; the message names it.
    """
    _check_keys("the file", table, _KEYS)
    unit_m = _number(table, "unit_m", 0.0, _LARGEST_UNIT_M)
    if unit_m == 0:
        raise InputError("unit_m must be above 0")
    sources = _required(table, "sources")
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        raise InputError(f"sources must be a list of texts, got {sources!r}")
    fields = {
        "title": _text(table, "title"),
        "sources": tuple(sources),
        "notes": _text(table, "notes") if "notes" in table else "",
        "unit_m": unit_m,
        "arms_down_deg": _arms_down_deg(table),
        "frame_rates": _frame_rates(table),
        "lengths": _lengths(table),
    }
    return fields, _bones(table)


def _arms_down_deg(table: Mapping[str, Any]) -> float:
    pose = _text(table, "rest_pose")
    if pose not in ("T", "A"):
        raise InputError(f"rest_pose must be T or A, got {pose!r}")
    if (pose == "A") != ("arms_down_deg" in table):
        raise InputError("arms_down_deg belongs to rest_pose A, and to it alone")
    degrees = _number(table, "arms_down_deg", 0.0, 89.0) if pose == "A" else 0.0
    if pose == "A" and degrees == 0:
        raise InputError("arms_down_deg must be above 0; arms that do not hang make a T-pose")
    return degrees


def _lengths(table: Mapping[str, Any]) -> BodyLengths:
    """The average adult at a stature, with the lengths that are given instead of theirs."""
    body = table.get("body", {"source": "average adult"})
    if not isinstance(body, dict):
        raise InputError("body must be a table: [body]")
    _check_keys("body", body, _BODY_KEYS)
    _text(body, "source", "body")
    average = BodyLengths()
    if "stature_m" in body:
        average = average.scaled(_number(body, "stature_m", 0.01, _TALLEST_M, "body"))
    lengths = {
        name: _number(body, name, 0.0, _TALLEST_M, "body") for name in body if name not in ("source", "stature_m")
    }
    return dataclasses.replace(average, **lengths)


def _frame_rates(table: Mapping[str, Any]) -> tuple[Fraction, ...]:
    rates = _required(table, "frame_rates")
    if rates == "keep":
        return ()
    if not isinstance(rates, list) or not rates or not all(isinstance(rate, str) for rate in rates):
        raise InputError(f'frame_rates must be "keep" or a list such as ["24", "30000/1001"], got {rates!r}')
    return tuple(_rate(rate) for rate in rates)


def _rate(text: str) -> Fraction:
    above, slash, below = text.partition("/")
    try:
        return as_fps(Fraction(int(above), int(below))) if slash else as_fps(text)
    except (InputError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"frame_rates: {text!r} is no rate: {error}") from error


def _bones(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = _required(table, "bones")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError("bones must be a list of tables such as { name = ..., joint = ..., axes = ... }")
    if len(rows) > _MOST_BONES:
        raise InputError(f"bones: at most {_MOST_BONES}, got {len(rows)}")
    groups = _required(table, "axes")
    if not isinstance(groups, dict):
        raise InputError("axes must be tables such as [axes.world]")
    axes = {name: _axes(name, group) for name, group in groups.items()}
    seen: set[str] = set()
    bones = []
    for number, row in enumerate(rows, start=1):
        bones.append(_bone(number, row, axes, seen))
        seen.add(bones[-1]["name"])
    return bones


def _bone(number: int, row: Mapping[str, Any], axes: Mapping[str, Axes], seen: set[str]) -> dict[str, Any]:
    """Check one row; ``seen`` holds the names of the bones before it."""
    name = row.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"bones: number {number} has no name")
    what = f"bone {name!r}"
    _check_keys(what, row, _BONE_KEYS)
    if name in seen:
        raise InputError(f"{what}: the name comes twice")
    parent = row.get("parent")
    if (parent is None) != (number == 1) or (parent is not None and parent not in seen):
        raise InputError(f"{what}: parent must be a bone before it (the first bone has none), got {parent!r}")
    group = row.get("axes")
    if not isinstance(group, str) or group not in axes:
        raise InputError(f"{what}: axes must be one of {', '.join(axes) or '(none given)'}, got {group!r}")
    tip = row.get("tip")
    if tip is not None and (not isinstance(tip, str) or not tip):
        raise InputError(f"{what}: tip must be a name, got {tip!r}")
    return {"name": name, "parent": parent, "axes": axes[group], "tip": tip, **_place(what, number, row, axes[group])}


def _place(what: str, number: int, row: Mapping[str, Any], axes: Axes) -> dict[str, Any]:
    """Read what a bone follows: a joint, two joints, or the floor."""
    if sum(key in row for key in ("joint", "between", "floor")) != 1:
        raise InputError(f"{what}: give one of joint, between, floor")
    if "at" in row and "between" not in row:
        raise InputError(f"{what}: at belongs to between")
    if "floor" in row:
        if row["floor"] is not True or number != 1:
            raise InputError(f"{what}: floor must be true, and is for the first bone only")
        if any(direction in _ALONG for _, direction in axes):
            raise InputError(f"{what}: axes: a bone on the floor has no direction of its own")
        return {"joint": None}
    if "joint" in row:
        return {"joint": _text(row, "joint", what)}
    pair = row["between"]
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(joint, str) for joint in pair):
        raise InputError(f"{what}: between must be two joints, got {pair!r}")
    return {"joint": pair[0], "towards": pair[1], "at": _number(row, "at", 0.0, 1.0, what)}


def _axes(name: str, group: object) -> Axes:
    if not isinstance(group, dict) or len(group) != 2 or not set(group) <= {"x", "y", "z"}:
        raise InputError(f"axes.{name} must say where two of x, y, z point, got {group!r}")
    known = (*DIRECTIONS, *_ALONG)
    wrong = [direction for direction in group.values() if direction not in known]
    if wrong:
        raise InputError(f"axes.{name}: {wrong[0]!r} is no direction; there are {', '.join(known)}")
    (first, one), (second, other) = group.items()
    lines = [{"-bone": "bone", "right": "left", "down": "up", "back": "front"}.get(word, word) for word in (one, other)]
    if lines[0] == lines[1]:
        raise InputError(f"axes.{name}: {one!r} and {other!r} lie on one line")
    return (first, one), (second, other)


def _required(table: Mapping[str, Any], key: str, what: str = "") -> Any:
    if key not in table:
        raise InputError(f"{what}{': ' if what else ''}{key} is missing")
    return table[key]


def _text(table: Mapping[str, Any], key: str, what: str = "") -> str:
    value = _required(table, key, what)
    if not isinstance(value, str) or not value:
        raise InputError(f"{what}{': ' if what else ''}{key} must be a text, got {value!r}")
    return value


def _number(table: Mapping[str, Any], key: str, low: float, high: float, what: str = "") -> float:
    value = _required(table, key, what)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{what}{': ' if what else ''}{key} must be a number from {low:g} to {high:g}, got {value!r}")
    return float(value)


def _check_keys(what: str, table: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise InputError(f"{what} holds the unknown key {unknown[0]!r}; there are {', '.join(sorted(known))}")
