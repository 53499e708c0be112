"""Forward kinematics: local rotations on a rig -> joints in the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import wxyz_multiply, wxyz_rotate
from mocap3d.base.skeleton import ROOT

__all__ = ["forward", "rest_pose", "tip_positions"]


def forward(motion: Motion) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place every joint in the world.

    Returns:
        world_m (T, J, 3) joint positions and world_wxyz (T, J, 4) world_from_joint.
    """
    rig = motion.rig
    world_m = np.empty((len(motion), len(rig.skeleton), 3))
    world_wxyz = np.empty((len(motion), len(rig.skeleton), 4))
    for j, parent in enumerate(rig.skeleton.parents):
        local_wxyz = motion.local_wxyz[:, j]
        if parent == ROOT:
            world_m[:, j], world_wxyz[:, j] = motion.root_m, local_wxyz
            continue
        offset_m = rig.offsets_m[j] if motion.local_m is None else motion.local_m[:, j]
        world_m[:, j] = world_m[:, parent] + wxyz_rotate(world_wxyz[:, parent], offset_m)
        world_wxyz[:, j] = wxyz_multiply(world_wxyz[:, parent], local_wxyz)
    return world_m, world_wxyz


def rest_pose(rig: Rig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place every joint of a rig at rest: rest_m (J, 3) in the world and rest_wxyz (J, 4) world_from_joint."""
    joints = len(rig.skeleton)
    rest_m, rest_wxyz = np.empty((joints, 3)), np.empty((joints, 4))
    for j, parent in enumerate(rig.skeleton.parents):
        if parent == ROOT:
            rest_m[j], rest_wxyz[j] = rig.offsets_m[j], rig.rest_wxyz[j]
            continue
        rest_m[j] = rest_m[parent] + wxyz_rotate(rest_wxyz[parent], rig.offsets_m[j])
        rest_wxyz[j] = wxyz_multiply(rest_wxyz[parent], rig.rest_wxyz[j])
    return rest_m, rest_wxyz


def tip_positions(motion: Motion) -> NDArray[np.float64]:
    """Place every tip (End Site) of the rig in the world: (T, K, 3), in the order of ``rig.tips``."""
    world_m, world_wxyz = forward(motion)
    parents = [tip.parent for tip in motion.rig.tips]
    offsets_m = np.array([tip.offset_m for tip in motion.rig.tips]).reshape(-1, 3)
    return world_m[:, parents] + wxyz_rotate(world_wxyz[:, parents], offsets_m)
