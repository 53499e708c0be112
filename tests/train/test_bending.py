from __future__ import annotations

import numpy as np
import pytest
from bodies import walking

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.train.bending import bent


@pytest.fixture
def pair():
    before = np.repeat(walking(90)[None], 8, axis=0)
    return before, bent(np.random.default_rng(0), before, 30.0)


def lengths(joints_m, bones):
    return np.array([np.linalg.norm(joints_m[..., a, :] - joints_m[..., b, :], axis=-1) for a, b in bones])


def test_bones_keep_their_lengths(pair):
    """Catches a part that swings about another point than the joint it hangs on."""
    bones = [(j, p) for j, p in enumerate(LIFTER_20.parents) if p >= 0]
    np.testing.assert_allclose(lengths(pair[1], bones), lengths(pair[0], bones), atol=1e-5)


def test_every_part_swings_and_the_pelvis_stays(pair):
    """Catches a part that is forgotten, and a body that is carried away."""
    before, after = pair
    moved = np.abs(after - before).max(axis=(0, 1, 3))
    still = {LIFTER_20.joint_names[j] for j in np.flatnonzero(moved == 0)}
    assert still == {"pelvis", "left_hip", "right_hip", "spine"}


def test_the_swing_is_smooth(pair):
    """Catches an angle that is drawn anew for each frame: at most 0.8 Hz and 60 degrees on top of the motion."""
    before, after = pair
    added = np.linalg.norm(np.diff(after - before, axis=1), axis=-1).max() * 30
    assert 0.05 < added < 2 * np.pi * 0.8 * np.radians(60 + 30) * 1.6


def test_seventeen_joints_swing_alike():
    """Catches joints of the longer skeleton that are looked for in the shorter one."""
    before = walking(30)[None]
    whole = bent(np.random.default_rng(3), before, 30.0)
    part = bent(np.random.default_rng(3), before[:, :, :17], 30.0)
    np.testing.assert_array_equal(part, whole[:, :, :17])
