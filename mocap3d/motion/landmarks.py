"""The points of a body that its measuring and the analytic start go by, whichever skeleton was observed.

They are called as the lifter calls them: hips, knees, ankles, toes, shoulders, elbows and wrists of both sides; "spine"
in the middle of the back, "thorax" at the base of the neck, "neck" where it meets the skull, "head" at its top, "face"
ahead of it. What a skeleton does not have is worked out from what it has; an approximate place will do, for the solver
compares each observed point with its own place on the rig (``observations.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import HUMANOID_22

__all__ = ["landmarks", "observed_points"]

Floats = NDArray[np.float64]

_SIDES: Final = ("left", "right")
_LIMBS: Final = {
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
    "shoulder": "UpperArm",
    "elbow": "LowerArm",
    "wrist": "Hand",
}
# Our name -> the names under which other skeletons have this point (the mean of several).
_ALIASES: Final = {"head": (("head_top",),), "neck": (("upper_neck",), ("head_bottom",))} | {
    f"{side}_toe": ((f"{side}_big_toe", f"{side}_small_toe"), (f"{side}_big_toe",), (f"{side}_foot_index",))
    for side in _SIDES
}
_OF_HUMANOID: Final = {"spine": "chest", "thorax": "neck", "neck": "head"} | {
    f"{side}_{ours}": f"{side}{bone}" for side in _SIDES for ours, bone in _LIMBS.items()
}
# Points of other skeletons that have one of our names, but are elsewhere.
_OTHER: Final = {
    "body-25": ("neck",),
    "lsp-14": ("neck",),
    "ai-challenger-14": ("neck",),
    "flic-9": ("head",),
}
_FACE_M: Final = 0.2
_AVERAGE: Final = BodyLengths()
_STATURE_M: Final = _AVERAGE.stature_m


def observed_points(pose: Pose3D) -> dict[str, Floats]:
    """The landmarks that a pose shows by itself: name -> (T, 3); NaN where not seen, left out where never seen."""
    seen = np.where((pose.confidence > 0)[..., None], pose.xyz_m, np.nan)
    return _named(pose, seen)


def landmarks(pose: Pose3D, height_m: float) -> dict[str, Floats]:
    """All landmarks of a pose, observed, filled in or worked out: name -> (T, 3), without NaN.

    Frames without a value are bridged linearly; before the first and after the last, the value is held. "head" and
    "face" are missing where nothing tells how the head is turned, a limb's points where no frame shows them.

    Args:
        pose: joints of any skeleton of the table.
        height_m: stature, by which the average body is scaled for what is worked out.

    Raises:
        InputError: neither hips nor shoulders have a value in any frame.
    """
    at = {name: _bridged(xyz_m) for name, xyz_m in _named(pose, pose.xyz_m).items()}
    scale = height_m / _STATURE_M
    _complete_pairs(at, scale)
    across = at["left_shoulder"] - at["right_shoulder"]
    hips, chest = ((at[f"left_{name}"] + at[f"right_{name}"]) / 2 for name in ("hip", "shoulder"))
    up = _unit(chest - hips)
    shoulders_below_neck = (_AVERAGE.neck_base - _AVERAGE.clavicle_rise) * scale
    at.setdefault("thorax", chest + shoulders_below_neck * up)
    lower = (_AVERAGE.spine + _AVERAGE.chest) / (
        _AVERAGE.stature_m - _AVERAGE.hips_height_m - _AVERAGE.neck - _AVERAGE.head
    )
    at.setdefault("spine", hips + lower * (at["thorax"] - hips))
    _add_head({name: _bridged(xyz) for name, xyz in _face_points(pose).items()}, at, up, across, scale)
    return at


def _named(pose: Pose3D, xyz_m: Floats) -> dict[str, Floats]:
    names = pose.skeleton.joint_names
    found: dict[str, Floats] = {}
    if pose.skeleton == HUMANOID_22:
        wanted = {ours: ((theirs,),) for ours, theirs in _OF_HUMANOID.items()}
    else:
        wanted = {name: ((name,),) for name in (*_OF_HUMANOID, "head", "face", "left_toe", "right_toe")}
        for name in _OTHER.get(pose.skeleton.name, ()):
            wanted.pop(name)
        for name, aliases in _ALIASES.items():
            wanted[name] = (*wanted.get(name, ()), *aliases)
    for name, choices in wanted.items():
        for choice in choices:
            if set(choice) <= set(names):
                points = xyz_m[:, [names.index(part) for part in choice]].mean(axis=1)
                if np.isfinite(points).all(axis=-1).any():
                    found[name] = points
                    break
    return found


def _face_points(pose: Pose3D) -> dict[str, Floats]:
    """Eyes, ears and nose, where a skeleton has them and a frame shows them."""
    names = ("nose", *(f"{side}_{part}" for side in _SIDES for part in ("eye", "ear")))
    points = {name: pose.xyz_m[:, pose.skeleton.index(name)] for name in names if name in pose.skeleton.joint_names}
    return {name: xyz_m for name, xyz_m in points.items() if np.isfinite(xyz_m).all(axis=-1).any()}


def _complete_pairs(at: dict[str, Floats], scale: float) -> None:
    """Give a body both hips and both shoulders: the missing one across from the other, or all on the average trunk."""
    widths = {"hip": 2 * _AVERAGE.pelvis_half_width, "shoulder": 2 * (_AVERAGE.clavicle_half_width + _AVERAGE.clavicle)}
    lines = {
        part: at[f"left_{part}"] - at[f"right_{part}"]
        for part in widths
        if {f"left_{part}", f"right_{part}"} <= set(at)
    }
    if not lines:
        raise InputError(
            "solve needs both hips or both shoulders; of each pair one has no value in any frame, or is not called so"
        )
    across = _unit(next(iter(lines.values())))
    trunk_m = (_AVERAGE.spine + _AVERAGE.chest + _AVERAGE.upper_chest + _AVERAGE.clavicle_rise) * scale
    for part, other, rise_m in (("hip", "shoulder", -trunk_m), ("shoulder", "hip", trunk_m)):
        width = widths[part] * scale * across
        left, right = at.get(f"left_{part}"), at.get(f"right_{part}")
        if left is None and right is None:
            right = (at[f"left_{other}"] + at[f"right_{other}"]) / 2 + [0.0, rise_m, 0.0] - width / 2
        if left is None and right is not None:
            left = right + width
        if right is None and left is not None:
            right = left - width
        if left is not None and right is not None:
            at[f"left_{part}"], at[f"right_{part}"] = left, right


def _add_head(face: Mapping[str, Floats], at: dict[str, Floats], up: Floats, across: Floats, scale: float) -> None:
    """Add "neck", "head" and "face", as far as face points, the top of the head or the shoulders tell."""
    half = _AVERAGE.head * scale / 2
    ears = [face[f"{side}_ear"] for side in _SIDES if f"{side}_ear" in face]
    eyes = [face[f"{side}_eye"] for side in _SIDES if f"{side}_eye" in face]
    front = face.get("nose", eyes[0] if eyes else None)
    if len(ears) == 2 and front is not None:
        middle = (ears[0] + ears[1]) / 2
        left = _unit(ears[0] - ears[1])
        # The nose lies 12 degrees below the ears, seen from the side (35 mm lower, 115 mm ahead; ears 10 mm low).
        ahead = _unit(front - middle)
        upwards = _unit(np.cross(ahead, left))
        ahead = _unit(ahead + 0.21 * upwards) if "nose" in face else ahead
        upwards = np.cross(ahead, left)
        at.setdefault("neck", middle - half * upwards)
        at.setdefault("head", middle + half * upwards)
        at.setdefault("face", middle + _FACE_M * ahead)
        return
    at.setdefault("neck", at["thorax"] + _AVERAGE.neck * scale * up)
    if "face" in at and "head" not in at:
        at["head"] = at["neck"] + 2 * half * up
    if front is not None or len(eyes) == 2:
        look = front if front is not None else (eyes[0] + eyes[1]) / 2
        at.setdefault("head", at["neck"] + 2 * half * up)
        at.setdefault("face", look + 0.03 * up)
    elif "head" in at:  # nothing tells where the head looks: as the chest does
        at.setdefault("face", (at["neck"] + at["head"]) / 2 + _FACE_M * _unit(np.cross(across, up)))


def _bridged(xyz_m: Floats) -> Floats:
    """Fill frames without a value linearly in time; before the first and after the last, hold."""
    known = np.isfinite(xyz_m).all(axis=-1)
    if known.all():
        return xyz_m
    frames = np.arange(len(xyz_m))
    return np.stack([np.interp(frames, frames[known], xyz_m[known, axis]) for axis in range(3)], axis=-1)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
