"""How far a solved motion is from a take of a known person. Loops over SciPy; types and limits are mocap3d's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cmu_people import ON_RIG, Take, fk_rig, soles_of
from scipy.spatial.transform import Rotation

from mocap3d.base.joint_limits import excess_rad
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20

OBSERVED = tuple(joint for joint in LIFTER_20.joint_names if joint in ON_RIG)
UNOBSERVED = ("leftHand", "rightHand", "leftToes", "rightToes")
"""Joints whose turns no joint position shows."""


@dataclass(frozen=True, kw_only=True)
class Solved:
    """What is measured of one solved clip; the functions below say how."""

    position_errors_mm: np.ndarray
    rotation_errors_deg: np.ndarray
    jerk_mps3: float
    skate_mmps: float
    bone_variation_mm: float
    limit_excess_deg: float

    @classmethod
    def of(cls, motion: Motion, take: Take) -> Solved:
        """Measure a motion; skate while the feet truly stand."""
        parts = (motion.rig, motion.local_wxyz, motion.root_m)
        return cls(
            position_errors_mm=position_errors_mm(motion, take),
            rotation_errors_deg=rotation_errors_deg(motion, take),
            jerk_mps3=jerk_mps3(*parts, take.fps),
            skate_mmps=skate_mmps(*parts, take.contacts, take.fps),
            bone_variation_mm=bone_variation_mm(motion),
            limit_excess_deg=float(np.degrees(np.abs(excess_rad(motion.local_wxyz)).max())),
        )


def position_errors_mm(motion: Motion, take: Take) -> np.ndarray:
    """(T, 18) distance of the rig's joints and tips from the joints of the AMC, in the order of ``OBSERVED``."""
    places, _ = fk_rig(motion.rig, motion.local_wxyz, motion.root_m)
    return np.stack(
        [
            1000 * np.linalg.norm(places[ON_RIG[joint]] - take.joints_m[:, LIFTER_20.index(joint)], axis=-1)
            for joint in OBSERVED
        ],
        axis=1,
    )


def rotation_errors_deg(motion: Motion, take: Take) -> np.ndarray:
    """(T, 22) angle between the local rotation found and the true one."""
    return np.degrees(
        np.stack([(_rotation(motion.local_wxyz, j).inv() * _rotation(take.wxyz, j)).magnitude() for j in range(22)], 1)
    )


def jerk_mps3(rig: Rig, wxyz: np.ndarray, root_m: np.ndarray, fps: int) -> float:
    """Mean over joints and frames of the third derivative of places, m/s^3, by differences of neighbouring frames."""
    places, _ = fk_rig(rig, wxyz, root_m)
    joints_m = np.stack([places[name] for name in HUMANOID_22.joint_names], axis=1)
    return float(np.mean(np.linalg.norm(np.diff(joints_m, n=3, axis=0), axis=-1)) * fps**3)


def skate_mmps(rig: Rig, wxyz: np.ndarray, root_m: np.ndarray, contacts: np.ndarray, fps: int) -> float:
    """Mean speed of sole points between two frames in both of which they stand, mm/s; NaN where nothing stands."""
    speed = np.linalg.norm(np.diff(soles_of(rig, wxyz, root_m), axis=0), axis=-1) * fps * 1000
    stand = (contacts[1:] >= 0.5) & (contacts[:-1] >= 0.5)
    return float(speed[stand].mean()) if stand.any() else float("nan")


def bone_variation_mm(motion: Motion) -> float:
    """The most by which any bone's length changes over the clip."""
    places, _ = fk_rig(motion.rig, motion.local_wxyz, motion.root_m)
    lengths = [
        np.linalg.norm(places[name] - places[HUMANOID_22.joint_names[parent]], axis=-1)
        for name, parent in zip(HUMANOID_22.joint_names, HUMANOID_22.parents, strict=True)
        if parent >= 0
    ]
    moved = 0.0 if motion.local_m is None else float(np.ptp(motion.local_m[:, 1:], axis=0).max())
    return 1000 * max(moved, max(float(np.ptp(length)) for length in lengths))


def _rotation(wxyz: np.ndarray, joint: int) -> Rotation:
    return Rotation.from_quat(wxyz[:, joint][:, [1, 2, 3, 0]])
