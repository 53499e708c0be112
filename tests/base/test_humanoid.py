"""The humanoid rig: proportions in the book's numbers, T-pose by hand, soles on the ground."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG, BodyLengths, humanoid_rig, rest_hips_height_m
from mocap3d.base.kinematics import forward, tip_positions
from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20

NAMES = HUMANOID_22.joint_names


def at_rest(rig: Rig = HUMANOID_RIG) -> Motion:
    return Motion(rig=rig, fps=Fraction(30), local_wxyz=rig.rest_wxyz[None], root_m=rig.offsets_m[:1])


def places(rig: Rig = HUMANOID_RIG) -> dict[str, NDArray[np.float64]]:
    joints = dict(zip(NAMES, forward(at_rest(rig))[0][0], strict=True))
    tips = {tip.name: place for tip, place in zip(rig.tips, tip_positions(at_rest(rig))[0], strict=True)}
    return joints | tips


def test_proportions_are_those_of_the_book() -> None:
    """Catches a bone counted twice: heights above the soles as fractions of stature (Drillis and Contini in Winter)."""
    at = places()
    for name, fraction in (("headTop", 1.0), ("leftUpperArm", 0.818), ("leftUpperLeg", 0.53), ("leftLowerLeg", 0.285)):
        assert at[name][1] / 1.7 == pytest.approx(fraction, abs=1e-12), name
    assert at["leftFoot"][1] / 1.7 == pytest.approx(0.039)
    arm = at["leftHandTip"][0] - at["leftUpperArm"][0]
    assert arm / 1.7 == pytest.approx(0.186 + 0.146 + 0.108)
    heel, toe = sole_points(at_rest())[0, :2]
    assert (toe[2] - heel[2]) / 1.7 == pytest.approx(0.152, abs=0.001)


def test_t_pose_faces_z_with_the_left_arm_along_x() -> None:
    """Catches a person seen in the mirror or from behind."""
    at = places()
    assert at["leftHandTip"][0] > at["leftHand"][0] > at["leftLowerArm"][0] > at["leftUpperArm"][0] > 0
    assert at["leftToesTip"][2] > at["leftToes"][2] > at["leftFoot"][2] + 0.05
    assert at["headTop"][1] > at["head"][1] > at["neck"][1] > at["upperChest"][1] > at["hips"][1] > 0
    for j, name in enumerate(NAMES):
        np.testing.assert_allclose(at[NAMES[HUMANOID_22.mirror[j]]], at[name] * [-1, 1, 1], atol=1e-15)
    np.testing.assert_array_equal(HUMANOID_RIG.rest_wxyz, np.tile([1, 0, 0, 0], (22, 1)))


@pytest.mark.parametrize("stature", [0.9, 1.7, 2.1])
def test_soles_lie_on_the_ground_at_any_stature(stature: float) -> None:
    """Catches an ankle that is scaled apart from the leg."""
    lengths = BodyLengths().scaled(stature)
    rig = humanoid_rig(lengths)
    assert lengths.stature_m == pytest.approx(stature)
    assert places(rig)["headTop"][1] == pytest.approx(stature)
    np.testing.assert_allclose(sole_points(at_rest(rig))[..., 1], 0, atol=1e-12)
    assert rest_hips_height_m(rig) == pytest.approx(rig.offsets_m[0, 1])


def test_given_lengths_become_the_bones() -> None:
    """Catches a length that reaches the wrong bone, or only one side."""
    lengths = BodyLengths(upper_leg=0.5, lower_leg=0.4, foot=0.2, toes=0.1, lower_arm=0.3, clavicle=0.11, neck=0.09)
    bones = dict(zip(NAMES, humanoid_rig(lengths).bone_lengths_m, strict=True))
    for side in ("left", "right"):
        assert bones[f"{side}LowerLeg"] == pytest.approx(0.5)
        assert bones[f"{side}Foot"] == pytest.approx(0.4)
        assert bones[f"{side}Toes"] == pytest.approx(0.2)
        assert bones[f"{side}Hand"] == pytest.approx(0.3)
        assert bones[f"{side}UpperArm"] == pytest.approx(0.11)
    assert bones["head"] == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [({"upper_leg": 0.0}, "upper_leg"), ({"neck": math.nan}, "neck"), ({"foot": 0.01}, "must be longer than the drop")],
)
def test_impossible_bodies_are_refused(lengths: dict[str, float], words: str) -> None:
    """Catches NaN from the square root of a foot shorter than its ankle is high."""
    with pytest.raises(InputError, match=words):
        BodyLengths(**lengths)


def test_other_rigs_have_no_hips_height() -> None:
    """Catches joints of another skeleton taken for hips and feet by index."""
    rest = np.tile([1.0, 0, 0, 0], (20, 1))
    rig = Rig(skeleton=LIFTER_20, offsets_m=np.zeros((20, 3)), rest_wxyz=rest)
    with pytest.raises(InputError, match="humanoid rig"):
        rest_hips_height_m(rig)
    with pytest.raises(InputError, match="stature"):
        BodyLengths().scaled(-1)
