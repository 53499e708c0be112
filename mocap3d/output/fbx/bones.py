"""A motion as the bones of an FBX: places in the file's unit, rotations relative to rest.

The local transform of an FBX node is ``T PreRotation R``: a translation, a constant rotation, the animated one. Here
PreRotation is the rest rotation of the joint, so that R is zero at rest, as riggers and retargeters like it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.kinematics import rest_pose
from mocap3d.base.motion import Motion
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate, wxyz_to_matrix
from mocap3d.base.skeleton import ROOT, SEVERAL_ROOTS

__all__ = ["Bones"]

Floats = NDArray[np.float64]

_IDENTITY: Final = np.array([1.0, 0.0, 0.0, 0.0])
_ASIDE: Final = 0.002  # units of the file; Blender takes two places for one up to less than 0.001
_TRAVELS_M: Final = 1e-4


class Bones:
    """The B bones that are written: joints without the synthetic root of several, then the tips if asked for.

    Attributes:
        names: B.
        parents: B bone indices, ``ROOT`` for those that stand in the world.
        rest: (B, 3) of each bone from its parent, in the unit of the file, in the parent's frame.
        pre_wxyz: (B, 4) parent_from_bone at rest.
        world: (B, 3) at rest, in the unit of the file.
        world_wxyz: (B, 4) world_from_bone at rest.
        joint_of: the joint of the rig that a bone is; tips have none.
        moving: bones whose place in the parent's frame is animated.
    """

    def __init__(self, motion: Motion, unit_m: float, tips: bool) -> None:
        rig = motion.rig
        skeleton = rig.skeleton
        self.motion, self.unit_m = motion, unit_m
        self.dropped = int(skeleton.joint_names[0] == SEVERAL_ROOTS and len(skeleton) > 1)  # joints left out: 0 or 1
        self.joint_of = list(range(self.dropped, len(skeleton)))
        self.names = list(skeleton.joint_names[self.dropped :])
        self.parents = [max(skeleton.parents[j] - self.dropped, ROOT) for j in self.joint_of]
        self.roots = [b for b, parent in enumerate(self.parents) if parent == ROOT]
        self.moving = set(self.roots) | self._moving_inside()
        rig = replace(rig, offsets_m=self._loose_m())
        self.rest = rig.offsets_m[self.dropped :] / unit_m
        self.pre_wxyz = np.array(rig.rest_wxyz[self.dropped :])
        world_m, world_wxyz = rest_pose(rig)
        self.world, self.world_wxyz = world_m[self.dropped :] / unit_m, world_wxyz[self.dropped :]
        self.rest[self.roots], self.pre_wxyz[self.roots] = self.world[self.roots], self.world_wxyz[self.roots]
        if tips:
            self._add_tips()
        for name in self.names:
            if not name or "\x00" in name:
                raise InputError(f"an FBX cannot hold the joint name {name!r} (empty, or with a zero character)")

    def _moving_inside(self) -> set[int]:
        if self.motion.local_m is None:
            return set()
        differs = np.zeros(len(self.motion.rig.skeleton), dtype=np.bool_)
        for start in range(0, len(self.motion), 4096):
            differs |= (self.motion.local_m[start : start + 4096] != self.motion.rig.offsets_m).any(axis=(0, 2))
        return set(np.flatnonzero(differs[self.dropped :]).tolist())

    def _loose_m(self) -> Floats:
        """The rig's offsets, but 0.02 mm aside where a joint that travels rests on the Y axis of its parent.

        Blender draws a bone along its Y axis up to its child, ties a child to it that rests exactly there, and then
        leaves out the way of that child: hips above a root bone stood still at the height of their rest.
        """
        rig, local_m = self.motion.rig, self.motion.local_m
        offsets_m = np.array(rig.offsets_m)
        if local_m is None:
            return offsets_m
        for j in (self.joint_of[bone] for bone in self.moving - set(self.roots)):
            across_m = np.abs(offsets_m[j, [0, 2]]).max()
            if across_m < _ASIDE * self.unit_m and np.abs(local_m[:, j] - offsets_m[j]).max() > _TRAVELS_M:
                offsets_m[j, 2] += _ASIDE * self.unit_m
        return offsets_m

    def _add_tips(self) -> None:
        tips = [tip for tip in self.motion.rig.tips if tip.parent >= self.dropped]
        taken = set(self.names)
        for tip in tips:
            if tip.name in taken:
                raise InputError(f"the tip {tip.name!r} has the name of another bone; write it with tips=False")
            taken.add(tip.name)
            self.names.append(tip.name)
            self.parents.append(tip.parent - self.dropped)
        parents = self.parents[len(self.joint_of) :]
        offsets = np.array([tip.offset_m for tip in tips]).reshape(-1, 3) / self.unit_m
        self.world = np.concatenate([self.world, self.world[parents] + wxyz_rotate(self.world_wxyz[parents], offsets)])
        self.world_wxyz = np.concatenate([self.world_wxyz, self.world_wxyz[parents]])
        self.rest = np.concatenate([self.rest, offsets])
        self.pre_wxyz = np.concatenate([self.pre_wxyz, np.tile(_IDENTITY, (len(tips), 1))])

    def turns(self, bone: int) -> Floats:
        """Rotations of a joint's bone relative to rest, (T, 4) wxyz."""
        return wxyz_multiply(wxyz_conjugate(self.pre_wxyz[bone]), self._local_wxyz(bone))

    def places(self, bone: int) -> Floats:
        """Places of a joint's bone in its parent's frame, (T, 3) in the unit of the file."""
        motion, joint = self.motion, self.joint_of[bone]
        if joint == 0:
            return motion.root_m / self.unit_m
        if motion.local_m is not None:
            local_m = motion.local_m[:, joint]
        else:
            local_m = np.broadcast_to(motion.rig.offsets_m[joint], (len(motion), 3))
        if self.dropped and bone in self.roots:
            local_m = motion.root_m + wxyz_rotate(motion.local_wxyz[:, 0], local_m)
        return local_m / self.unit_m

    def _local_wxyz(self, bone: int) -> Floats:
        local_wxyz = self.motion.local_wxyz[:, self.joint_of[bone]]
        if self.dropped and bone in self.roots:
            return wxyz_multiply(self.motion.local_wxyz[:, 0], local_wxyz)
        return local_wxyz

    def matrix(self, bone: int) -> Floats:
        """world_from_bone at rest, (4, 4), translation in the unit of the file."""
        matrix = np.eye(4)
        matrix[:3, :3] = wxyz_to_matrix(self.world_wxyz[bone])
        matrix[:3, 3] = self.world[bone]
        return matrix
