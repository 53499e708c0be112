"""Give a lifted body bones of constant length: the directions stay, the lengths become the clip's.

A network that is unsure shortens bones, and a body that is too small is found too near; so the whole body is scaled
until its legs are as long as those of somebody of the given height.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.humanoid import BodyLengths
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeleton import ROOT

__all__ = ["bone_lengths", "with_constant_bones"]


def bone_lengths(pose: Pose3D, *, symmetric: bool = True) -> NDArray[np.float64]:
    """Find one length per bone: the median over the frames in which it was seen; ``symmetric`` averages left and right.

    Returns:
        (J,) metres from each joint to its parent; 0 for the root. A bone that was never seen takes all finite frames.
    """
    skeleton = pose.skeleton
    parents = np.array([j if parent == ROOT else parent for j, parent in enumerate(skeleton.parents)])
    lengths = np.linalg.norm(pose.xyz_m - pose.xyz_m[:, parents], axis=-1)
    seen = (pose.confidence > 0) & (pose.confidence[:, parents] > 0)
    seen |= ~seen.any(axis=0)
    median = np.nanmedian(np.where(seen, lengths, np.nan), axis=0)
    return np.asarray((median + median[list(skeleton.mirror)]) / 2 if symmetric else median)


def with_constant_bones(pose: Pose3D, *, height_m: float, symmetric: bool = True) -> Pose3D:
    """Rebuild every frame from its own bone directions and the clip's bone lengths; the root stays where it is.

    Args:
        pose: LIFTER_20 joints, finite, root-relative.
        height_m: stature; thigh and shank together become 0.491 of it (Drillis and Contini 1966), and everything else
            grows alike. Legs that were never seen set no scale.
        symmetric: whether left bones are as long as right ones.
    """
    lengths = bone_lengths(pose, symmetric=symmetric)
    legs = [pose.skeleton.index(f"{side}_{name}") for side in ("left", "right") for name in ("knee", "ankle")]
    if (pose.confidence[:, legs[1::2]] > 0).any():
        usual = BodyLengths().scaled(height_m)
        lengths *= (usual.upper_leg + usual.lower_leg) / lengths[legs].reshape(2, 2).sum(axis=1).mean()
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
