"""New poses from recorded ones: limbs, trunk and head swing about their joints on top of what was recorded.

A few recorded people move in few ways; a lifter that saw only them takes their habits for anatomy. Bones keep their
length, and the swing is smooth over time. Nothing keeps a hand from passing through the trunk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import LIFTER_20

__all__ = ["bent"]

Floats = NDArray[np.floating]

_ARMS = {side: (f"{side}_shoulder", (f"{side}_elbow", f"{side}_wrist")) for side in ("left", "right")}
_LEGS = {side: (f"{side}_hip", (f"{side}_knee", f"{side}_ankle", f"{side}_toe")) for side in ("left", "right")}
_ABOVE = ("thorax", "neck", "head", "face", *(j for p, js in _ARMS.values() for j in (p, *js)))
# What swings: pivot, joints that follow it, largest angle in degrees. The trunk last: it carries arms and head along.
_PARTS = (
    *((pivot, joints, 60.0) for pivot, joints in _ARMS.values()),
    *((pivot, joints, 40.0) for pivot, joints in _LEGS.values()),
    ("neck", ("head", "face"), 25.0),
    ("spine", _ABOVE, 30.0),
)
_HERTZ = (0.05, 0.8)


def bent(rng: np.random.Generator, joints_m: Floats, fps: float) -> Floats:
    """Swing every part of every body.

    Args:
        rng: source of randomness.
        joints_m: (B, T, J, 3) of LIFTER_20, or the first 17 of it.
        fps: frames per second.

    Returns:
        (B, T, J, 3).
    """
    swung = joints_m.copy()
    count, frames = joints_m.shape[:2]
    seconds = np.arange(frames) / fps
    for pivot, followers, most_deg in _PARTS:
        moved = [LIFTER_20.index(name) for name in followers if LIFTER_20.index(name) < joints_m.shape[2]]
        at = LIFTER_20.index(pivot)
        angle = (
            np.radians(most_deg)
            * rng.random((count, 1))
            * np.sin(2 * np.pi * (rng.uniform(*_HERTZ, (count, 1)) * seconds + rng.random((count, 1))))
        )
        axis = rng.normal(size=(count, 3))
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
        swung[:, :, moved] = swung[:, :, [at]] + _turned(swung[:, :, moved] - swung[:, :, [at]], axis, angle)
    return swung


def _turned(v: Floats, axis: Floats, angle: Floats) -> Floats:
    """Rodrigues' formula: v (B, T, N, 3), axis (B, 3), angle (B, T)."""
    k = np.broadcast_to(axis[:, None, None], v.shape)
    c, s = np.cos(angle)[..., None, None], np.sin(angle)[..., None, None]
    turned = v * c + np.cross(k, v) * s + k * (k * v).sum(-1, keepdims=True) * (1 - c)
    return np.asarray(turned, dtype=v.dtype)
