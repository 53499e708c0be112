"""What people say about a calibration: the gates, and where they walked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import CalibrationError
from mocap3d.base.pose import Pose3D
from mocap3d.calibration.seen import Views, triangulated
from mocap3d.calibration.ways import Solved, places_gate
from mocap3d.cameras.gate import Gate
from mocap3d.cameras.gate_measures import Scene
from mocap3d.cameras.gates import GateLimits, check_cameras, check_heights, check_lenses

__all__ = ["asked_of", "paths_of"]

Floats = NDArray[np.float64]


def asked_of(solved: Solved, people: Sequence[Views], notes: list[str]) -> list[Gate]:
    """All gates: of the way itself, and of everybody who was seen."""
    found = list(solved.gates) + [places_gate(solved.cameras)]
    if not people:
        notes.append("nobody was seen by two cameras, so that nobody could be asked whether the cameras are right")
        heights = [] if solved.world == "first camera" else [check_heights(solved.cameras)]
        return [*found, *check_lenses(solved.cameras), *heights]
    asked = check_cameras(solved.cameras, people)
    if solved.world == "first camera":  # people can say nothing about a floor that nobody looked for
        asked = tuple(gate for gate in asked if gate.name not in ("feet on the floor", "cameras above the floor"))
    elif any(gate.name == "feet on the floor" and gate.passed for gate in asked):
        notes += _elsewhere(solved, people)
    told = {gate.name for gate in found}
    return [*found, *(gate for gate in asked if gate.name not in told)]


def _elsewhere(solved: Solved, people: Sequence[Views]) -> list[str]:
    """A word on people who stand on another floor than y = 0: on a platform, or beside it."""
    scene, limits = Scene(cameras=solved.cameras, people=tuple(people)), GateLimits()
    return [
        f"somebody stands {abs(feet) * scene.size_m:.1f} m {'below' if feet < 0 else 'above'} the floor of this world: "
        "is its floor a platform, or do they stand on one?"
        for feet in scene.lowest_feet()
        if not limits.foot_low <= feet <= limits.foot_high and np.isfinite(feet)
    ]


def paths_of(solved: Solved, people: Sequence[Views]) -> tuple[Floats, ...]:
    """(T, 2) where the middle of everybody's hips went, seen from above."""
    if not people:
        return ()
    try:
        poses = triangulated(people, solved.cameras)
    except CalibrationError:
        return ()
    return tuple(_hips(pose) for pose in poses)


def _hips(pose: Pose3D) -> Floats:
    hips = [pose.skeleton.joint_names.index(name) for name in ("left_hip", "right_hip")]
    return np.asarray(pose.xyz_m[:, hips].mean(axis=1)[:, [0, 2]])
