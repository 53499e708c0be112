"""Two-bone legs: knees that bend by closed form so that an ankle reaches a place, and hips that give way before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from mocap3d.base.motion import Motion
from mocap3d.base.rotations import (
    rotation_between,
    rotvec_to_wxyz,
    wxyz_conjugate,
    wxyz_multiply,
    wxyz_normalized,
    wxyz_rotate,
)
from mocap3d.base.skeleton import ROOT

__all__ = ["LegChain", "bent_legs", "hips_drop_m", "reachable", "short_m", "with_turns"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_STRAIGHTEST: Final = 0.994  # of thigh plus shank: 3.6 degrees of flexion
_MOST_BENT: Final = np.cos(np.deg2rad(160.0))
_PLANE_SIN: Final = np.sin(np.deg2rad([10.0, 40.0]))  # a knee bent less has no plane; bent more, its plane is its own


@dataclass(frozen=True, slots=True, kw_only=True)
class LegChain:
    """One leg over T frames, in the world.

    Attributes:
        hip_m: (T, 3) the hip joint.
        knee_m: (T, 3).
        ankle_m: (T, 3).
        hinge: (T, 3) unit vectors: a knee that bends turns the shin about it, as the thigh lies.
    """

    hip_m: Floats
    knee_m: Floats
    ankle_m: Floats
    hinge: Floats

    @property
    def longest_m(self) -> Floats:
        """(T,) how far the ankle may be from the hip joint: a nearly straight leg, or what it is already."""
        bones = np.linalg.norm(self.knee_m - self.hip_m, axis=-1) + np.linalg.norm(self.ankle_m - self.knee_m, axis=-1)
        return np.asarray(np.maximum(_STRAIGHTEST * bones, np.linalg.norm(self.ankle_m - self.hip_m, axis=-1)))


def short_m(leg: LegChain, target_m: Floats) -> Floats:
    """Find by how much (T,) a leg is too high above its ankle's target (T, 3); 0 where it reaches it."""
    across_squared = ((target_m - leg.hip_m)[:, [0, 2]] ** 2).sum(axis=-1)
    down = leg.hip_m[:, 1] - target_m[:, 1]
    short = down - np.sqrt(np.maximum(leg.longest_m**2 - across_squared, 0.0))
    return np.where(short < 1e-9, 0.0, short)


def hips_drop_m(
    legs: list[LegChain],
    targets_m: list[Floats],
    fps: float,
    *,
    most_m: float,
    seconds: float,
    least_m: Floats | float = 0.0,
) -> Floats:
    """Find by how much the hips must give way (T,) so that both ankles reach their targets, smoothly over time.

    Args:
        legs: both.
        targets_m: (T, 3) of each ankle.
        fps: frames per second.
        most_m: never more than this.
        seconds: it is what is needed at most so long before and after, smoothed by a kernel that reaches no further
            (three boxes, a quadratic B-spline): nowhere less than needed, and 0 beyond twice this time.
        least_m: (T,) by how much they must at least, for other reasons than the length of legs.
    """
    needed = np.zeros(len(targets_m[0])) + least_m
    for leg, target_m in zip(legs, targets_m, strict=True):
        needed = np.maximum(needed, short_m(leg, target_m))
    half = max(1, round(seconds * fps))
    box = 2 * (half // 3) + 1
    drop: Floats = maximum_filter1d(np.minimum(needed, most_m), 2 * half + 1, mode="nearest")
    for _ in range(3):
        drop = uniform_filter1d(drop, box, mode="nearest")
    return np.where(drop < 1e-9, 0.0, drop)


def reachable(leg: LegChain, target_m: Floats) -> Floats:
    """Move targets (T, 3) that are out of reach level towards the hips, or up where they are too far below."""
    longest = leg.longest_m
    towards = target_m - leg.hip_m
    distance = np.linalg.norm(towards, axis=-1)
    across = np.linalg.norm(towards[:, [0, 2]], axis=-1)
    level = np.sqrt(np.maximum(longest**2 - towards[:, 1] ** 2, 0.0))
    shorter = np.stack([level, longest], axis=-1) / np.maximum(np.stack([across, distance], axis=-1), 1e-9)
    slid = leg.hip_m + towards * np.stack([shorter[:, 0], np.ones(len(level)), shorter[:, 0]], axis=-1)
    lifted = leg.hip_m + towards * shorter[:, 1:]
    out = np.where((np.abs(towards[:, 1]) < longest)[:, None], slid, lifted)
    return np.where((distance > longest)[:, None], out, target_m)


def bent_legs(leg: LegChain, target_m: Floats) -> tuple[Floats, Floats]:
    """Turn thigh and shank so that the ankle comes to its target; the leg keeps the plane in which it bends.

    The knee bends about the axis about which it is bent, or about its hinge where it is nearly straight or bent the
    wrong way; then the whole leg turns about the hip by the shortest arc. A leg whose ankle is at its target already
    stays as it is, unless its knee is bent the wrong way.

    Args:
        leg: how it is.
        target_m: (T, 3), within reach.

    Returns:
        (T, 4) each: how thigh and shank turn, in the world.
    """
    thigh, shank = leg.knee_m - leg.hip_m, leg.ankle_m - leg.knee_m
    a, b = (np.maximum(np.linalg.norm(bone, axis=-1), 1e-9) for bone in (thigh, shank))
    u, s = thigh / a[:, None], shank / b[:, None]
    distance = np.linalg.norm(target_m - leg.hip_m, axis=-1)
    cosine = np.clip((distance**2 - a**2 - b**2) / (2 * a * b), _MOST_BENT, 1.0)
    axis = _bending_axis(u, s, leg.hinge)
    # Turned about the axis by phi, the shank's component along the thigh is rho * cos(alpha + phi).
    rho = np.hypot(_dot(u, s), _dot(np.cross(axis, u), s))
    alpha = np.arctan2(_dot(np.cross(axis, u), s), _dot(u, s))
    phi = np.arccos(np.clip(cosine / np.maximum(rho, 1e-9), -1.0, 1.0)) - alpha
    bend = rotvec_to_wxyz(axis * phi[:, None])
    swing = rotation_between(thigh + wxyz_rotate(bend, shank), target_m - leg.hip_m)
    return swing, wxyz_multiply(swing, bend)


def with_turns(motion: Motion, world_wxyz: Floats, turns: dict[int, Floats], touched: Flags) -> Motion:
    """Turn joints in the world and write their rotations back; what hangs between them follows the joint above.

    Args:
        motion: T frames.
        world_wxyz: (T, J, 4) of `kinematics.forward`.
        turns: joint -> (T, 4), by how much it turns in the world; joints below it that are not named turn with it.
        touched: (T,) other frames keep their bits.
    """
    parents = motion.rig.skeleton.parents
    local = motion.local_wxyz.copy()
    still = np.broadcast_to([1.0, 0.0, 0.0, 0.0], (len(motion), 4))
    for joint, turn in turns.items():
        above = parents[joint]
        before = still if above == ROOT else world_wxyz[:, above]
        while above != ROOT and above not in turns:
            above = parents[above]
        parent = wxyz_multiply(still if above == ROOT else turns[above], before)
        new = wxyz_multiply(wxyz_conjugate(parent), wxyz_multiply(turn, world_wxyz[:, joint]))
        new = wxyz_normalized(np.where(_dot(new, local[:, joint])[:, None] < 0, -new, new))
        local[:, joint] = np.where(touched[:, None], new, local[:, joint])
    return replace(motion, local_wxyz=local)


def _bending_axis(u: Floats, s: Floats, hinge: Floats) -> Floats:
    """Unit vectors (T, 3) across the thigh about which the knee bends."""
    across = hinge - u * _dot(hinge, u)[:, None]
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    normal = np.cross(u, s)
    sine = np.linalg.norm(normal, axis=-1)
    normal = normal / np.maximum(sine, 1e-9)[:, None]
    bent = np.where(_dot(u, s) < 0, 1.0, np.clip((sine - _PLANE_SIN[0]) / (_PLANE_SIN[1] - _PLANE_SIN[0]), 0.0, 1.0))
    own = (bent * np.clip(2 * _dot(normal, across), 0.0, 1.0))[:, None]
    axis = own * normal + (1 - own) * across
    return np.asarray(axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9))


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("...i,...i->...", a, b))
