"""What a motion-data file holds, as objects: recorded sequences, and what networks made of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton

__all__ = ["MotionPrediction", "MotionSequence", "check_points", "plain_name"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionSequence:
    """One recorded sequence of one person.

    Attributes:
        subject: who; a name without "/".
        action: which take; a name without "/".
        xyz_m: (T, J, 3) float32 joints in the world; NaN only where confidence is 0.
        confidence: (T, J) float32.
        fps: frames per second.
        skeleton: names the J joints.
        licence: under which the data came.
    """

    subject: str
    action: str
    xyz_m: NDArray[np.float32]
    confidence: NDArray[np.float32]
    fps: Fraction
    skeleton: Skeleton
    licence: str

    def __post_init__(self) -> None:
        check_points(f"{self.subject}/{self.action}", self.xyz_m, self.confidence, self.skeleton, 3)
        for name in (self.subject, self.action):
            plain_name(name)

    @classmethod
    def seen(
        cls, subject: str, action: str, xyz_m: NDArray[np.float32], fps: Fraction, skeleton: Skeleton, licence: str
    ) -> Self:
        """A sequence of which every joint was seen (confidence 1); a joint that is NaN was not (confidence 0)."""
        confidence = np.asarray(np.isfinite(xyz_m).all(axis=-1), dtype=np.float32)
        return cls(
            subject=subject, action=action, xyz_m=xyz_m, confidence=confidence, fps=fps, skeleton=skeleton,
            licence=licence,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionPrediction:
    """What a network made of one camera's view of a sequence.

    Attributes:
        xyz_m: (T, J, 3) float32 joints in the world; NaN only where confidence is 0.
        confidence: (T, J) float32.
        skeleton: names the J joints.
        weights_sha256: checksum of the network's weights file.
    """

    xyz_m: NDArray[np.float32]
    confidence: NDArray[np.float32]
    skeleton: Skeleton
    weights_sha256: str

    def __post_init__(self) -> None:
        check_points("a prediction", self.xyz_m, self.confidence, self.skeleton, 3)


def plain_name(name: str) -> str:
    """Check that a name can stand in the file as one step of a path, and return it.

    Raises:
        InputError: it is empty, holds a "/" or begins with a dot.
    """
    if not name or "/" in name or name.startswith("."):
        raise InputError(f"names in a motion-data file must be plain names (no '/', no leading dot), got {name!r}")
    return name


def check_points(
    what: str, points: NDArray[np.floating], confidence: NDArray[np.floating], skeleton: Skeleton, size: int
) -> None:
    """Check shapes, and that a joint with confidence is finite.

    Args:
        what: how the message calls it.
        points: must be (T > 0, J, size).
        confidence: must be (T, J), in 0..1.
        skeleton: names the J joints.
        size: 2 or 3 coordinates.

    Raises:
        InputError: it is not so.
    """
    joints = len(skeleton)
    if points.ndim != 3 or points.shape[1:] != (joints, size) or not len(points):
        raise InputError(f"{what}: points must be (T > 0, {joints}, {size}) for {skeleton.name}, got {points.shape}")
    if confidence.shape != points.shape[:2]:
        raise InputError(f"{what}: confidence must be {points.shape[:2]}, got {confidence.shape}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise InputError(f"{what}: confidence must lie in 0..1")
    if not np.isfinite(points[confidence > 0]).all():
        raise InputError(f"{what}: a joint with confidence above 0 must be finite")
