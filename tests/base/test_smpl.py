"""SMPL parameters: what they refuse, and how they turn."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.smpl import SmplParameters


def parameters(frames=5, joints=52, up="Z"):
    """Random ones."""
    rng = np.random.default_rng(6)
    return SmplParameters(
        poses_rotvec=rng.normal(size=(frames, joints, 3)),
        trans_m=rng.normal(size=(frames, 3)),
        betas=rng.normal(size=16),
        gender="female",
        fps=Fraction(120),
        up=up,
        dmpls=rng.normal(size=(frames, 8)),
    )


def test_a_turned_body_is_the_body_in_turned_axes():
    """Catches a body that swings about the origin instead of its pelvis, and a turn that lays it down."""
    rng = np.random.default_rng(7)
    vertices, pelvis = rng.normal(size=(20, 3)), rng.normal(size=3)

    def surface(one):
        """SMPL of a rigid body: vertices turn about the pelvis, then all is shifted."""
        turns = Rotation.from_rotvec(np.array(one.poses_rotvec[:, 0]))
        return np.array([turn.apply(vertices - pelvis) for turn in turns]) + pelvis + one.trans_m[:, None]

    before = parameters()
    after = before.turned("Y", pelvis)
    x, y, z = np.moveaxis(surface(before), -1, 0)
    np.testing.assert_allclose(surface(after), np.stack([x, z, -y], axis=-1), atol=1e-12)
    assert after.up == "Y"
    np.testing.assert_array_equal(after.poses_rotvec[:, 1:], before.poses_rotvec[:, 1:])
    back = after.turned("Z", pelvis)
    np.testing.assert_allclose(surface(back), surface(before), atol=1e-12)
    assert before.turned("Z", pelvis) is before


@pytest.mark.parametrize(("joints", "model"), [(24, "smpl"), (52, "smplh"), (55, "smplx")])
def test_the_number_of_joints_names_the_model(joints, model):
    """Catches a body model that does not fit the poses."""
    assert parameters(joints=joints).model == model
    assert len(parameters(joints=joints)) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"poses_rotvec": np.zeros((5, 23, 3))},
        {"poses_rotvec": np.zeros((5, 156))},
        {"poses_rotvec": np.full((5, 52, 3), np.nan)},
        {"poses_rotvec": np.zeros((0, 52, 3)), "trans_m": np.zeros((0, 3)), "dmpls": None},
        {"trans_m": np.zeros((4, 3))},
        {"betas": np.zeros((5, 16))},
        {"dmpls": np.zeros((4, 8))},
        {"gender": "Female"},
        {"up": "X"},
        {"fps": 0},
    ],
)
def test_what_no_body_has_is_refused(changes):
    """Catches values that would fail far away, in a body model."""
    with pytest.raises(InputError):
        replace(parameters(), **changes)
    with pytest.raises(InputError, match="up"):
        parameters().turned("X", np.zeros(3))
