"""Give a lifted body bones of constant length: the directions stay, the lengths become the clip's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.pose import Pose3D
from mocap3d.base.skeleton import ROOT

__all__ = ["bone_lengths", "with_constant_bones"]


def bone_lengths(pose: Pose3D) -> NDArray[np.float64]:
    """Find one length per bone: the median over the frames in which it was seen, left and right averaged.

    Returns:
        (J,) metres from each joint to its parent; 0 for the root. A bone that was never seen takes all finite frames.
    """
    skeleton = pose.skeleton
    parents = np.array([j if parent == ROOT else parent for j, parent in enumerate(skeleton.parents)])
    lengths = np.linalg.norm(pose.xyz_m - pose.xyz_m[:, parents], axis=-1)
    seen = (pose.confidence > 0) & (pose.confidence[:, parents] > 0)
    seen |= ~seen.any(axis=0)
    median = np.nanmedian(np.where(seen, lengths, np.nan), axis=0)
    return np.asarray((median + median[list(skeleton.mirror)]) / 2)


def with_constant_bones(pose: Pose3D) -> Pose3D:
    """Rebuild every frame from its own bone directions and the clip's ``bone_lengths``; the root stays where it is."""
    lengths = bone_lengths(pose)
    xyz_m = pose.xyz_m.copy()
    for parent, j in sorted(pose.skeleton.edges, key=lambda edge: _depth(pose, edge[1])):
        bone = pose.xyz_m[:, j] - pose.xyz_m[:, parent]
        norm = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
        xyz_m[:, j] = xyz_m[:, parent] + bone / norm * lengths[j]
    return replace(pose, xyz_m=xyz_m)


def _depth(pose: Pose3D, j: int) -> int:
    depth = 0
    while pose.skeleton.parents[j] != ROOT:
        j, depth = pose.skeleton.parents[j], depth + 1
    return depth
