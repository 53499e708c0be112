"""Joints over time: in the picture (``Pose2D``) and in space (``Pose3D``), one person each."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.checks import as_floats, as_fps
from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton

__all__ = ["Pose2D", "Pose3D"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose2D:
    """One person's joints in the pictures of one camera.

    Missing is NaN with confidence 0; filled in is finite with confidence 0; seen is finite with confidence above 0.

    Attributes:
        xy_px: (T, J, 2) pixels; (0, 0) is the centre of the top-left pixel.
        confidence: (T, J) in 0..1.
        fps: frames per second, exact; frame t is at t / fps seconds.
        skeleton: names the J joints.
        camera_name: which camera saw it.
    """

    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    fps: Fraction
    skeleton: Skeleton
    camera_name: str = "camera"

    def __post_init__(self) -> None:
        """Check shapes, and that NaN and confidence agree."""
        xy_px = as_floats("xy_px", self.xy_px, (None, len(self.skeleton), 2))
        object.__setattr__(self, "xy_px", xy_px)
        object.__setattr__(self, "confidence", _confidence(self.confidence, xy_px))
        object.__setattr__(self, "fps", as_fps(self.fps))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.xy_px)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose3D:
    """One person's joints in space.

    Attributes:
        xyz_m: (T, J, 3) metres; NaN with confidence 0 is missing.
        confidence: (T, J) in 0..1.
        std_m: (T, J) expected error (one standard deviation per axis), metres.
        views: (T, J) how many cameras saw the joint.
        fps: frames per second, exact.
        skeleton: names the J joints.
        frame: "world" (+Y up) or "camera" (OpenCV axes).
    """

    xyz_m: NDArray[np.float64]
    confidence: NDArray[np.float64]
    std_m: NDArray[np.float64]
    views: NDArray[np.int64]
    fps: Fraction
    skeleton: Skeleton
    frame: Literal["world", "camera"]

    def __post_init__(self) -> None:
        """Check shapes, the frame, and that NaN and confidence agree."""
        xyz_m = as_floats("xyz_m", self.xyz_m, (None, len(self.skeleton), 3))
        shape = xyz_m.shape[:2]
        object.__setattr__(self, "xyz_m", xyz_m)
        object.__setattr__(self, "confidence", _confidence(self.confidence, xyz_m))
        object.__setattr__(self, "std_m", as_floats("std_m", self.std_m, shape))
        if (self.std_m < 0).any():
            raise InputError("std_m must be at least 0 metres")
        counts = as_floats("views", self.views, shape)
        if not ((counts >= 0) & (counts == np.floor(counts))).all():
            raise InputError("views must be whole numbers of cameras, at least 0")
        views = counts.astype(np.int64)
        views.flags.writeable = False
        object.__setattr__(self, "views", views)
        object.__setattr__(self, "fps", as_fps(self.fps))
        if self.frame not in ("world", "camera"):
            raise InputError(f"frame must be 'world' or 'camera', got {self.frame!r}")

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.xyz_m)


def _confidence(confidence: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    confidence = as_floats("confidence", confidence, points.shape[:2])
    if np.isnan(confidence).any() or (confidence < 0).any() or (confidence > 1).any():
        raise InputError("confidence must lie in 0..1 everywhere; a joint that was not seen has confidence 0")
    bad = np.isnan(points).any(axis=-1) & (confidence > 0)
    if bad.any():
        frame, joint = np.argwhere(bad)[0]
        raise InputError(
            f"joint {joint} in frame {frame} is NaN with confidence {confidence[frame, joint]:g}: NaN means 0"
        )
    return confidence
