"""Poses: missing, filled in and seen."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeletons import FLIC_9


def pose2d(**changes: object) -> Pose2D:
    fields: dict[str, object] = {
        "xy_px": np.zeros((2, 9, 2)),
        "confidence": np.ones((2, 9)),
        "fps": 30,
        "skeleton": FLIC_9,
    }
    return Pose2D(**(fields | changes))  # type: ignore[arg-type]


def pose3d(**changes: object) -> Pose3D:
    fields: dict[str, object] = {
        "xyz_m": np.zeros((2, 9, 3)),
        "confidence": np.ones((2, 9)),
        "std_m": np.ones((2, 9)),
        "views": np.ones((2, 9), dtype=int),
        "fps": 29.97,
        "skeleton": FLIC_9,
        "frame": "world",
    }
    return Pose3D(**(fields | changes))  # type: ignore[arg-type]


def test_missing_filled_in_and_seen_are_three_things() -> None:
    """Catches a rule that allows NaN with confidence, or forbids finite points without it."""
    xy, confidence = np.zeros((2, 9, 2)), np.ones((2, 9))
    xy[0, 3], confidence[0, 3] = np.nan, 0
    confidence[1, 4] = 0
    pose = pose2d(xy_px=xy, confidence=confidence)
    assert len(pose) == 2
    confidence[0, 3] = 0.2
    with pytest.raises(InputError, match=r"joint 3 in frame 0 is NaN with confidence 0\.2"):
        pose2d(xy_px=xy, confidence=confidence)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"xy_px": np.zeros((2, 17, 2))}, r"xy_px must have shape \(any, 9, 2\), got \(2, 17, 2\)"),
        ({"confidence": np.full((2, 9), 1.5)}, r"0\.\.1"),
        ({"confidence": np.full((2, 9), np.nan)}, r"0\.\.1"),
        ({"confidence": np.ones((3, 9))}, "confidence must have shape"),
        ({"fps": -1}, "above 0"),
        ({"xy_px": np.full((2, 9, 2), np.inf)}, "infinite"),
    ],
)
def test_impossible_poses_are_refused(changes: dict[str, object], words: str) -> None:
    """Catches joints of another skeleton, confidences in percent, rates that cannot be."""
    with pytest.raises(InputError, match=words):
        pose2d(**changes)


def test_pose3d_keeps_its_fields_apart() -> None:
    """Catches views read as floats, a frame nobody knows, arrays that stay writeable."""
    pose = pose3d()
    assert pose.views.dtype == np.int64
    assert pose.fps == Fraction(30000, 1001)
    for array in (pose.xyz_m, pose.confidence, pose.std_m, pose.views):
        assert not array.flags.writeable
    with pytest.raises(InputError, match="'world' or 'camera'"):
        pose3d(frame="body")
    with pytest.raises(InputError, match="std_m must have shape"):
        pose3d(std_m=np.ones((2, 8)))
    with pytest.raises(InputError, match="views"):
        pose3d(views=np.full((2, 9), np.nan))
    with pytest.raises(InputError, match="std_m"):
        pose3d(std_m=np.full((2, 9), -1.0))
