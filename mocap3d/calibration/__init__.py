"""Videos of several cameras -> where the cameras stand, when they began, and why that can be believed."""

from __future__ import annotations

from mocap3d.calibration.lenses import LensFound
from mocap3d.calibration.points import ScenePoints, read_points
from mocap3d.calibration.result import Calibration, ViewFit
from mocap3d.calibration.starts import Started, read_starts, synchronise
from mocap3d.calibration.steps import calibrate

__all__ = [
    "Calibration",
    "LensFound",
    "ScenePoints",
    "Started",
    "ViewFit",
    "calibrate",
    "read_points",
    "read_starts",
    "synchronise",
]
