"""Legs within the ranges of their joints, on any rig: as the humanoid's angles, measured from the T-pose."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.feet import SIDES, Leg
from mocap3d.base.joint_limits import clamped, excess_rad
from mocap3d.base.rig import Rig
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.tpose import tpose_wxyz

__all__ = ["LegRanges"]

Floats = NDArray[np.float64]

_BONES: Final = ("UpperLeg", "LowerLeg", "Foot", "Toes")
_EXCUSED: Final = 2.0


class LegRanges:
    """The ranges of one leg: those of `base/joint_limits.py`, wider where the leg was beyond them already.

    Where an angle was beyond its range in any frame, the range is wider by twice as much in all of them: evidently it
    does not hold for that body, or for its T-pose.

    Args:
        rig: with J joints; its T-pose is where all angles are 0, on the humanoid's own rig that is the rest pose.
        roles: humanoid joint -> joint of the rig.
        leg: one of `feet.legs`.
        side: 0 left, 1 right.
        world_wxyz: (T, J, 4) world_from_joint as they were.
    """

    def __init__(self, rig: Rig, roles: Roles | None, leg: Leg, side: int, world_wxyz: Floats) -> None:
        """Find the angles that the leg has."""
        own = rig.skeleton == HUMANOID_22 and np.allclose(rig.rest_wxyz, [1.0, 0.0, 0.0, 0.0])
        tpose = np.tile([1.0, 0.0, 0.0, 0.0], (len(rig.rest_wxyz), 1)) if own else tpose_wxyz(rig, roles)
        self.joints: Final = [leg.upper, leg.lower, leg.foot] + [leg.toes] * (leg.toes != leg.foot)
        """The indices of the N = 3 or 4 joints: thigh, shank, foot, toes."""
        self._slots = [HUMANOID_22.index(SIDES[side] + bone) for bone in _BONES[: len(self.joints)]]
        self._tpose = tpose[self.joints]
        hips = role_joints(rig, roles).get("hips", 0)
        self._hips = wxyz_multiply(world_wxyz[:, hips], wxyz_conjugate(tpose[hips]))
        beyond_rad = np.abs(excess_rad(self._local(world_wxyz[:, self.joints])))
        self._slack_rad = _EXCUSED * beyond_rad.max(axis=0)

    def held(self, world_wxyz: Floats) -> Floats:
        """Hold the rotations (T, N, 4) of the joints in the world within the ranges, from the hip down."""
        before = self._local(world_wxyz)
        local = clamped(before, slack_rad=self._slack_rad)
        outside = np.logical_or.accumulate((local != before).any(axis=-1)[:, self._slots], axis=1)
        above, held = self._hips, []
        for slot, tpose in zip(self._slots, self._tpose, strict=True):
            above = wxyz_multiply(above, local[:, slot])
            held.append(wxyz_multiply(above, tpose))
        return np.where(outside[..., None], np.stack(held, axis=1), world_wxyz)

    def _local(self, world_wxyz: Floats) -> Floats:
        """The rotations (T, 22, 4) that the humanoid would have; all joints but the leg's at rest."""
        turned = wxyz_multiply(world_wxyz, wxyz_conjugate(self._tpose))
        above = np.concatenate([self._hips[:, None], turned[:, :-1]], axis=1)
        local = np.tile([1.0, 0.0, 0.0, 0.0], (len(turned), len(HUMANOID_22), 1))
        local[:, self._slots] = wxyz_multiply(wxyz_conjugate(above), turned)
        return local
