"""Functions that are given another noun than the one they work on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.motion.solve import solve
from mocap3d.quality.animation import animation_quality


def test_an_array_is_no_pose():
    """Catches an AttributeError about 'frame' for whoever solves an array, which knows neither names nor a rate."""
    with pytest.raises(InputError, match="solve takes a Pose3D, got ndarray"):
        solve(np.zeros((3, 20, 3)))


def test_points_are_no_motion():
    """Catches an AttributeError about 'rig' for whoever judges points as a motion."""
    shape = (3, 20)
    pose = Pose3D(
        xyz_m=np.zeros((*shape, 3)),
        confidence=np.ones(shape),
        std_m=np.zeros(shape),
        views=np.ones(shape),
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="world",
    )
    with pytest.raises(InputError, match="points_quality judges a Pose3D"):
        animation_quality(pose)
