"""What the solver takes: everything that can be wrong with it is said before any work is done."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from operator import index
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.base.skeletons import HUMANOID_22, SKELETONS

__all__ = ["checked_frame", "checked_shares", "of_table", "refuse_unsolvable"]

_STATURES_M: Final = (0.3, 3.0)
_FASTEST: Final = 100_000  # frames per second, as of glTF files
_REACHES: Final = (0.03, 2.0)  # least and most distance of a joint from the middle, along an axis, in statures


def refuse_unsolvable(pose: object, rig: object, height_m: object) -> None:
    """Refuse what no motion could be made of.

    Raises:
        InputError: no `Pose3D` in the world, nothing seen in it, no frame rate of a clip, joints that are no body of
            that height (millimetres for metres, all at one place), another rig than the humanoid, or no stature.
    """
    if not isinstance(pose, Pose3D):
        raise InputError(f"solve takes a Pose3D, got {type(pose).__name__}")
    if pose.frame != "world":
        raise InputError(f"solve needs joints in the world, got {pose.skeleton.name} in frame {pose.frame!r}")
    if rig is not None and not isinstance(rig, Rig):
        raise InputError(f"solve needs a rig as a Rig, got {type(rig).__name__}")
    if rig is not None and rig.skeleton != HUMANOID_22:
        raise InputError(f"solve needs a rig with the skeleton {HUMANOID_22.name}, got {rig.skeleton.name}")
    low, high = _STATURES_M
    if isinstance(height_m, bool) or not isinstance(height_m, Real) or not low <= float(height_m) <= high:
        raise InputError(f"height_m must be a number from {low:g} to {high:g} metres, got {height_m!r}")
    if not np.isfinite(pose.xyz_m).all(axis=-1).any():
        raise InputError("solve needs joints that were seen: there is no value in any frame")
    if not (pose.confidence > 0).any():
        raise InputError("solve needs joints that were seen: all have confidence 0, which means filled in, not seen")
    if pose.fps > _FASTEST:
        raise InputError(f"solve takes up to {_FASTEST} frames per second, got {float(pose.fps):g}")
    _refuse_other_units(pose, _reach_m(rig) if rig is not None else float(height_m))


def _refuse_other_units(pose: Pose3D, stature_m: float) -> None:
    seen = np.where((pose.confidence > 0)[..., None], pose.xyz_m, np.nan)[:, (pose.confidence > 0).any(axis=0)]
    seen = seen[np.isfinite(seen).any(axis=(1, 2))]
    away_m = np.abs(seen - np.nanmean(seen, axis=1, keepdims=True)).max(axis=-1)
    reach_m = float(np.nanmedian(away_m, axis=0).max())
    least, most = (share * stature_m for share in _REACHES)
    if seen.shape[1] > 1 and not least <= reach_m <= most:
        raise InputError(
            f"joints must be {least:.2g} to {most:.2g} metres from their middle in a body of {stature_m:.2g} m, got "
            f"{reach_m:.3g}: joints at one place, or not in metres?"
        )


def _reach_m(rig: Rig) -> float:
    """Roughly the stature of a rig: its longest way from the hips to an end, twice."""
    way = np.zeros(len(rig.skeleton))
    for j, parent in enumerate(rig.skeleton.parents):
        if parent >= 0:
            way[j] = way[parent] + rig.bone_lengths_m[j]
    return 2 * float(way.max())


def checked_shares(name: str, values: Any, frames: int) -> NDArray[np.float64]:
    """Foot contacts, or a hint of them: (T, 4) in 0..1.

    Raises:
        InputError: another shape, NaN, or outside 0..1.
    """
    shares = as_floats(name, values, (frames, 4))
    if not ((shares >= 0) & (shares <= 1)).all():
        raise InputError(f"{name} must lie in 0..1 everywhere")
    return shares


def checked_frame(start_frame: Any) -> int:
    """Number of a frame.

    Raises:
        InputError: not a whole number, or below 0.
    """
    try:
        frame = index(start_frame)
    except TypeError:
        frame = -1
    if frame < 0 or isinstance(start_frame, bool):
        raise InputError(f"start_frame must be a whole number, at least 0, got {start_frame!r}")
    return frame


def of_table(pose: Pose3D) -> Pose3D:
    """The pose with the skeleton of the table that has these joints: files call theirs by their own name.

    Joints of the humanoid among other points (a file's virtual markers) stand for themselves.
    """
    names = pose.skeleton.joint_names
    for known in SKELETONS.values():
        if known.joint_names == names:
            return replace(pose, skeleton=known)
    if not set(HUMANOID_22.joint_names) <= set(names):
        return pose
    columns = [names.index(name) for name in HUMANOID_22.joint_names]
    per_joint = {name: getattr(pose, name)[:, columns] for name in ("xyz_m", "confidence", "std_m", "views")}
    return replace(pose, skeleton=HUMANOID_22, **per_joint)
