"""Somebody who walks over floors and steps, made by plain trigonometry on the humanoid rig: every contact is known.

Legs stay in planes beside each other, so that hip, knee and ankle are angles about X; feet stay level. Nothing of
mocap3d but the rig and `Motion` is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.skeletons import HUMANOID_22

THIGH_M, SHANK_M, ANKLE_M = 0.245 * 1.7, 0.246 * 1.7, 0.039 * 1.7
STEP_M, STEP_S, HIPS_M, LIFT_M = 0.4, 0.5, 0.86, 0.12
INDEX = HUMANOID_22.index


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The motion, and what is true of it.

    Attributes:
        motion: with its true contacts, all 0 or 1.
        support_m: (T, 2) height of what the left and the right foot stand on; NaN in the air.
    """

    motion: Motion
    support_m: np.ndarray


def walk(
    fps: int = 30,
    *,
    steps: int = 7,
    ground_m: Callable[[int], float] = lambda _: 0.0,
    step_m: float = STEP_M,
    hips_m: float = HIPS_M,
) -> Walk:
    """Walk along +Z: foot 0 (left) and 1 (right) take turns; step n stands on ``ground_m(n)``."""
    times = np.arange(round(steps * STEP_S * fps)) / fps / STEP_S
    feet, support = [], []
    for side in (0, 1):
        foot = np.array([_foot(t, side, ground_m, step_m) for t in times])
        feet.append(foot[:, :2])
        support.append(foot[:, 2])
    low = np.array([_smooth_ground(t, ground_m) for t in times])
    hips = np.stack([0 * times, hips_m + low + 0.01 * np.cos(2 * np.pi * times), times * step_m], axis=-1)
    wxyz = np.tile([1.0, 0, 0, 0], (len(times), 22, 1))
    for side, foot in zip(("left", "right"), feet, strict=True):
        hip, knee = _leg(hips[:, 2] - foot[:, 1], hips[:, 1] - foot[:, 0])
        for bone, angle in (("UpperLeg", -hip), ("LowerLeg", knee), ("Foot", hip - knee)):
            wxyz[:, INDEX(side + bone), 0] = np.cos(angle / 2)
            wxyz[:, INDEX(side + bone), 1] = np.sin(angle / 2)
    support_m = np.stack(support, axis=-1)
    contacts = np.repeat(np.isfinite(support_m), 2, axis=-1).astype(float)
    motion = Motion(rig=HUMANOID_RIG, fps=Fraction(fps), local_wxyz=wxyz, root_m=hips, contacts=contacts)
    return Walk(motion=motion, support_m=support_m)


def _foot(t: float, side: int, ground_m: Callable[[int], float], step_m: float) -> tuple[float, float, float]:
    """Height and z of the ankle, and the support (NaN in the air): stands 1.2 of 2 steps, swings 0.8."""
    n = int(np.floor((t - side + 0.6) / 2)) * 2 + side  # stands around time n
    since = t - n + 0.6
    here, there = ground_m(n), ground_m(n + 2)
    if since <= 1.2:
        return here + ANKLE_M, n * step_m, here
    u = (since - 1.2) / 0.8
    along = u**3 * (10 - 15 * u + 6 * u * u)
    height = here + (there - here) * along + LIFT_M * np.sin(np.pi * u) ** 2
    return height + ANKLE_M, (n + 2 * along) * step_m, np.nan


def _smooth_ground(t: float, ground_m: Callable[[int], float]) -> float:
    n = int(np.floor(t))
    u = t - n
    u = u * u * (3 - 2 * u)
    return min(ground_m(n), ground_m(n + 1)) * (1 - u) + min(ground_m(n + 1), ground_m(n + 2)) * u


def _leg(behind: np.ndarray, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the thigh is raised forwards and the knee bent, by the law of cosines."""
    d = np.hypot(behind, above)
    assert d.max() < THIGH_M + SHANK_M
    ahead = np.arctan2(-behind, above)
    hip = np.arccos((THIGH_M**2 + d**2 - SHANK_M**2) / (2 * THIGH_M * d))
    knee = np.pi - np.arccos((THIGH_M**2 + SHANK_M**2 - d**2) / (2 * THIGH_M * SHANK_M))
    return ahead + hip, knee


def drifting(
    motion: Motion, speed_mps: tuple[float, float, float] = (0.04, 0.0, 0.06), wobble_m: float = 0.0
) -> Motion:
    """The whole body slides along and trembles slowly, as bodies found in video do."""
    t = np.arange(len(motion))[:, None] / float(motion.fps)
    tremble = wobble_m * np.sin(2 * np.pi * np.array([1.1, 1.7, 1.3]) * t + [0.0, 1.0, 2.0])
    return replace(motion, root_m=motion.root_m + t * np.array(speed_mps) + tremble)


def mirrored(motion: Motion) -> Motion:
    """Left and right exchanged: x changes its sign, and so do turns about y and z."""
    pair = list(motion.rig.skeleton.mirror)
    contacts = None if motion.contacts is None else motion.contacts[:, [2, 3, 0, 1]]
    wxyz = motion.local_wxyz[:, pair] * [1, 1, -1, -1]
    return replace(motion, local_wxyz=wxyz, root_m=motion.root_m * [-1, 1, 1], contacts=contacts)


def turned(motion: Motion, angle_rad: float, shift_m: tuple[float, float, float]) -> Motion:
    """Turned about the vertical and moved along the floor."""
    from scipy.spatial.transform import Rotation

    about = Rotation.from_rotvec([0, angle_rad, 0])
    wxyz = motion.local_wxyz.copy()
    wxyz[:, 0] = (about * Rotation.from_quat(wxyz[:, 0][:, [1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    return replace(motion, local_wxyz=wxyz, root_m=about.apply(motion.root_m.copy()) + np.array(shift_m))
