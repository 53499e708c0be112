"""Points that only two cameras agree about, judged by where the joint is just before and after.

What three cameras agree about is an anchor. Between anchors a joint is expected on a straight line, as sure as limbs
accelerate; before the first and after the last of them nearby, as sure as limbs are fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.consensus import Expected, find_points_near
from mocap3d.lift.view_noise import Rays

__all__ = ["believed_over_time", "expected_path"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NEAR_S = 0.25  # anchors further away say nothing
_MPS, _MPS2 = 3.0, 40.0  # speed and acceleration of hands and feet that move fast, standard deviations
_STD_M = 0.03  # of an anchor: noise, and what is meant by a joint from different sides
_ANCHOR = 3


def believed_over_time(
    rays: Rays, weight: Floats, xyz_m: Floats, say: Floats, frames: int, fps: float
) -> tuple[Floats, Floats]:
    """Look again at points that fewer than three cameras agree about, although more may see them.

    Args:
        rays: of the clip.
        weight: (C, N) inverse variance of u and of v.
        xyz_m: (N, 3) as found frame by frame, N = T * J.
        say: (C, N) of the cameras.
        frames: T.
        fps: frames per second.

    Returns:
        xyz_m and say, where points may have moved, have appeared or are missing now.
    """
    support = (say > 0.5).sum(axis=0)
    joints = len(support) // frames
    anchors = (support >= _ANCHOR).reshape(frames, joints)
    expected, known = expected_path(xyz_m.reshape(frames, joints, 3), anchors, fps)
    seen = (rays.confidence > 0).sum(axis=0) >= 2
    doubtful = np.flatnonzero((support < _ANCHOR) & seen & known.ravel())
    if len(doubtful):
        found, agreed = find_points_near(
            rays.cam_from_world, rays.uv[:, :, doubtful], weight[:, doubtful], expected.some(doubtful)
        )
        xyz_m, say = xyz_m.copy(), say.copy()
        xyz_m[doubtful], say[:, doubtful] = found, agreed
    return xyz_m, say


def expected_path(xyz_m: Floats, anchors: Flags, fps: float) -> tuple[Expected, Flags]:
    """Where joints should be, given where they are in some frames.

    Args:
        xyz_m: (T, J, 3).
        anchors: (T, J) where that is believed.
        fps: frames per second.

    Returns:
        What is expected of the T * J points, and (T, J) where anything is.
    """
    frames, joints = anchors.shape
    at, std = np.zeros((frames, joints, 3)), np.full((frames, joints), np.inf)
    everywhere = np.arange(frames)
    for joint in range(joints):
        there = np.flatnonzero(anchors[:, joint])
        if not len(there):
            continue
        for axis in range(3):
            at[:, joint, axis] = np.interp(everywhere, there, xyz_m[there, joint, axis])
        after = np.searchsorted(there, everywhere)
        next_s = (there[np.minimum(after, len(there) - 1)] - everywhere) / fps
        last_s = (everywhere - there[np.maximum(after - 1, 0)]) / fps
        inside = (next_s >= 0) & (last_s >= 0)
        outside_s = np.where(inside, 0.0, np.maximum(-next_s, -last_s))
        wander = np.where(inside, _MPS2 * np.abs(next_s * last_s) / 2, _MPS * outside_s)
        nearest = np.where(inside, np.maximum(next_s, last_s), outside_s)
        std[:, joint] = np.where(nearest <= _NEAR_S, np.hypot(_STD_M, wander), np.inf)
    known = np.isfinite(std)
    return Expected(xyz_m=at.reshape(-1, 3), std_m=np.where(known, std, 1.0).ravel()), known
