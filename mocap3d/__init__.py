"""mocap3d turns ordinary video into animation that a game engine accepts.

    import mocap3d

    clip = mocap3d.capture("dance.mp4")
    clip.save("dance.bvh")

Everything public is listed in ``__all__`` and loaded when it is first touched, so that importing mocap3d is quick and
brings neither torch nor OpenCV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mocap3d.base.camera import Camera
    from mocap3d.base.errors import (
        CalibrationError,
        FileFormatError,
        InputError,
        MissingExtraError,
        Mocap3dError,
        Mocap3dWarning,
    )
    from mocap3d.base.ground import Ground
    from mocap3d.base.kinematics import forward, tip_positions
    from mocap3d.base.motion import Motion
    from mocap3d.base.pose import Pose2D, Pose3D
    from mocap3d.base.rig import Rig, Tip
    from mocap3d.base.shot import Shot
    from mocap3d.base.skeleton import Skeleton
    from mocap3d.base.skeletons import SKELETONS, skeleton_named
    from mocap3d.calibration import Calibration, calibrate, synchronise
    from mocap3d.clip import Clip, Performance
    from mocap3d.onto import Retargeted, retarget
    from mocap3d.output import read, write
    from mocap3d.pipeline import capture
    from mocap3d.stages.resume import solve_stages

__all__ = [
    "SKELETONS",
    "Calibration",
    "CalibrationError",
    "Camera",
    "Clip",
    "FileFormatError",
    "Ground",
    "InputError",
    "MissingExtraError",
    "Mocap3dError",
    "Mocap3dWarning",
    "Motion",
    "Performance",
    "Pose2D",
    "Pose3D",
    "Retargeted",
    "Rig",
    "Shot",
    "Skeleton",
    "Tip",
    "calibrate",
    "capture",
    "forward",
    "read",
    "retarget",
    "skeleton_named",
    "solve_stages",
    "synchronise",
    "tip_positions",
    "write",
]

__version__ = "0.1.0"

_HOME = {
    "mocap3d.base.camera": ("Camera",),
    "mocap3d.base.errors": (
        "CalibrationError",
        "FileFormatError",
        "InputError",
        "MissingExtraError",
        "Mocap3dError",
        "Mocap3dWarning",
    ),
    "mocap3d.base.ground": ("Ground",),
    "mocap3d.base.kinematics": ("forward", "tip_positions"),
    "mocap3d.base.motion": ("Motion",),
    "mocap3d.base.pose": ("Pose2D", "Pose3D"),
    "mocap3d.base.rig": ("Rig", "Tip"),
    "mocap3d.base.shot": ("Shot",),
    "mocap3d.base.skeleton": ("Skeleton",),
    "mocap3d.base.skeletons": ("SKELETONS", "skeleton_named"),
    "mocap3d.calibration": ("Calibration", "calibrate", "synchronise"),
    "mocap3d.clip": ("Clip", "Performance"),
    "mocap3d.onto": ("Retargeted", "retarget"),
    "mocap3d.output": ("read", "write"),
    "mocap3d.pipeline": ("capture",),
    "mocap3d.stages.resume": ("solve_stages",),
}


def __getattr__(name: str) -> object:
    """Load a public name from its module when it is first asked for (PEP 562)."""
    for module, names in _HOME.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'mocap3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
