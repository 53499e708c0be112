"""A motion file read for looking at it: units and people found out where the file does not say."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from mocap3d.data_prep.bvh_body import UNITS_M, unit_of

import mocap3d
from mocap3d.base.motion_edits import split
from mocap3d.base.roles import HUMANOID_ROLES, role_joints
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.bone_map import propose_bone_map
from mocap3d.quality.bodies import BODY_JOINTS, stature_m

__all__ = ["read_motion"]


def read_motion(path: Path) -> tuple[mocap3d.Motion | mocap3d.Pose3D, list[str]]:
    """Read a file of any format that mocap3d reads, and say what was assumed.

    Raises:
        InputError: no such format.
        FileFormatError: it is damaged, or holds no frames.
    """
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", mocap3d.Mocap3dWarning)
        found = mocap3d.read(path)
    notes += [str(warning.message) for warning in caught]
    if isinstance(found, mocap3d.Motion) and path.suffix.lower() == ".bvh":  # a BVH does not say its unit
        unit = _unit(found)
        if unit != "m":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
                found = mocap3d.read(path, unit_m=UNITS_M[unit])
            notes.append(f"lengths are taken for {unit}, by the size of the body")
    if not len(found):
        raise mocap3d.FileFormatError("there are no frames in it", path=path)
    places = found.xyz_m if isinstance(found, mocap3d.Pose3D) else mocap3d.forward(found)[0]
    if not np.isfinite(places).any():
        raise mocap3d.FileFormatError("no joint has a place in any frame", path=path)
    return found, notes


def _unit(motion: mocap3d.Motion) -> str:
    """The unit by the length of the legs; metres where no body is found."""
    person = next(iter(split(motion).values()))
    try:
        own = person.rig.skeleton == HUMANOID_22
        joints = role_joints(person.rig, HUMANOID_ROLES if own else propose_bone_map(person.rig).roles)
        world_m, _ = mocap3d.forward(person)
        height = stature_m({name: world_m[:, joints[role]] for name, role in BODY_JOINTS.items() if role in joints})
        return "m" if height is None else unit_of(height)
    except mocap3d.InputError:
        return "m"
