import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from walker import FOOT_M, SHIN_M, THIGH_M, walk

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.motion.body import body_lengths, hips_m, rig_from

SIDES = ("left", "right")
HEIGHT_M = 1.72
# Drillis and Contini, as parts of the stature: what a body has that nobody saw.
AVERAGE = {"upper_leg": 0.245, "lower_leg": 0.246, "upper_arm": 0.186, "lower_arm": 0.146, "hand": 0.108}


def at(name):
    """Index of a lifter joint."""
    return LIFTER_20.index(name)


def walker(seen=None):
    """A second of walking; ``seen`` (T, 20) where not everything was."""
    xyz_m, _ = walk(1.0)
    ones = np.ones(xyz_m.shape[:2])
    return Pose3D(
        xyz_m=xyz_m,
        confidence=ones if seen is None else seen,
        std_m=0.03 * ones,
        views=ones,
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="world",
    )


def without(*names):
    """The walker, some of whose joints no frame shows: where they are said to be is a guess, and a bad one."""
    pose = walker()
    xyz_m, confidence = pose.xyz_m.copy(), pose.confidence.copy()
    hidden = [at(name) for name in names]
    xyz_m[:, hidden] = 7.0 * xyz_m[:, hidden]
    confidence[:, hidden] = 0
    return dataclasses.replace(pose, xyz_m=xyz_m, confidence=confidence)


def foot_reach_m(body):
    """From the ankle to the tip of the toes at rest, written out: two right-angled triangles in a row."""
    drop = body.ankle_height - body.toes_height
    ahead = (body.foot**2 - drop**2) ** 0.5 + (body.toes**2 - body.toes_height**2) ** 0.5
    return (ahead**2 + body.ankle_height**2) ** 0.5


def test_measures_the_bones_of_the_walker():
    """Catches bones measured between the wrong joints, or of the average body in spite of the clip."""
    body = body_lengths(walker(), HEIGHT_M)
    assert body.upper_leg == pytest.approx(THIGH_M, abs=1e-6)
    assert body.lower_leg == pytest.approx(SHIN_M, abs=1e-6)
    assert body.upper_arm == pytest.approx(0.28, abs=1e-6)
    assert body.lower_arm == pytest.approx(0.25, abs=1e-6)
    assert body.hand == pytest.approx(0.25 * 0.108 / 0.146, rel=1e-3)
    assert body.pelvis_half_width == pytest.approx(0.09, abs=1e-6)
    assert body.clavicle_half_width + body.clavicle == pytest.approx(0.18, abs=1e-6)
    assert body.spine + body.chest == pytest.approx(0.22, abs=1e-6)
    assert body.upper_chest + body.neck_base == pytest.approx(np.hypot(0.28, 0.02), abs=1e-6)
    assert body.clavicle_rise / body.neck_base == pytest.approx(0.068 / 0.09, rel=1e-6)
    assert body.neck == pytest.approx(np.hypot(0.1, 0.03), abs=1e-6)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_the_whole_foot_is_as_long_as_it_was_seen(factor):
    """Catches a foot that keeps its average length, or toes that do not grow with it: soles would tilt."""
    pose = walker()
    xyz_m = pose.xyz_m.copy()
    for side in SIDES:
        ankle, toe = at(f"{side}_ankle"), at(f"{side}_toe")
        xyz_m[:, toe] = xyz_m[:, ankle] + factor * (xyz_m[:, toe] - xyz_m[:, ankle])
    body = body_lengths(dataclasses.replace(pose, xyz_m=xyz_m), HEIGHT_M)
    assert foot_reach_m(body) == pytest.approx(factor * np.linalg.norm([0.03, 0.07, FOOT_M]), rel=1e-3)
    usual = BodyLengths()
    for name in ("toes", "toes_height", "ankle_height"):
        assert getattr(body, name) / body.foot == pytest.approx(getattr(usual, name) / usual.foot, rel=1e-9), name


@pytest.mark.parametrize(
    ("hidden", "bones"),
    [
        (["knee", "ankle", "toe"], ["upper_leg", "lower_leg"]),
        (["elbow", "wrist"], ["upper_arm", "lower_arm", "hand"]),
        (["ankle"], ["lower_leg"]),
    ],
)
@pytest.mark.parametrize("height_m", [1.5, 1.9])
def test_bones_that_nobody_saw_are_average_for_the_height(hidden, bones, height_m):
    """Catches guessed joints that are measured, and average bones of somebody of another height."""
    body = body_lengths(without(*(f"{side}_{joint}" for side in SIDES for joint in hidden)), height_m)
    for bone in bones:
        assert getattr(body, bone) == pytest.approx(AVERAGE[bone] * height_m, rel=0.01), bone


def test_few_lucky_frames_do_not_measure_a_bone():
    """Catches legs as long as a fifth of the clip says, most of it guessed; half of it is enough."""
    for frames, expected in ((1, 0.246 * 1.9), (6, 0.246 * 1.9), (15, SHIN_M)):
        confidence = np.ones((30, 20))
        confidence[frames:, [at("left_ankle"), at("right_ankle")]] = 0
        assert body_lengths(walker(confidence), 1.9).lower_leg == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("height_m", [1.64, 1.68, 1.72])
def test_the_head_ends_where_the_height_says(height_m):
    """Catches a body shorter or taller than the user said."""
    body = body_lengths(walker(), height_m)
    assert body.stature_m == pytest.approx(height_m, abs=1e-9)


def test_a_height_that_the_bones_deny_does_not_deform_the_head():
    """Catches a head of a metre, or one that points down."""
    for height_m, factor in ((1.2, 0.7), (2.4, 1.5)):
        usual_head_m = 0.09 * height_m
        assert body_lengths(walker(), height_m).head == pytest.approx(factor * usual_head_m, rel=0.01)


@pytest.mark.parametrize("longer", SIDES)
def test_left_and_right_are_averaged(longer):
    """Catches one side taken for both, and a rig that limps."""
    pose = walker()
    xyz_m = pose.xyz_m.copy()
    knee, ankle, toe = (at(f"{longer}_{joint}") for joint in ("knee", "ankle", "toe"))
    more = 0.2 * (xyz_m[:, ankle] - xyz_m[:, knee])
    xyz_m[:, ankle] += more
    xyz_m[:, toe] += more
    rig = rig_from(dataclasses.replace(pose, xyz_m=xyz_m), HEIGHT_M)
    shins = [np.linalg.norm(rig.offsets_m[rig.skeleton.index(f"{side}Foot")]) for side in SIDES]
    assert shins == pytest.approx([1.1 * SHIN_M] * 2, abs=1e-6)


def test_a_bone_is_its_median():
    """Catches means: a tenth of wild frames must not stretch an arm."""
    pose = walker()
    xyz_m = pose.xyz_m.copy()
    xyz_m[:3, at("left_wrist")] += 5.0
    assert body_lengths(dataclasses.replace(pose, xyz_m=xyz_m), HEIGHT_M).lower_arm == pytest.approx(0.25, abs=1e-6)


def test_missing_values_do_not_measure():
    """Catches a NaN that becomes a length, and a body without any value."""
    pose = walker()
    xyz_m, confidence = pose.xyz_m.copy(), pose.confidence.copy()
    xyz_m[5:20], confidence[5:20] = np.nan, 0
    gap = dataclasses.replace(pose, xyz_m=xyz_m, confidence=confidence)
    assert body_lengths(gap, HEIGHT_M).upper_leg == pytest.approx(THIGH_M, abs=1e-6)
    nothing = dataclasses.replace(
        pose, xyz_m=np.full_like(pose.xyz_m, np.nan), confidence=np.zeros_like(pose.confidence)
    )
    with pytest.raises(InputError, match="cannot be measured"):
        body_lengths(nothing, HEIGHT_M)


def test_hips_lie_midway():
    """Catches the pelvis of the data set taken for the rig's hips."""
    pose = walker()
    xyz_m = pose.xyz_m.copy()
    xyz_m[:, at("left_hip")] += [0.1, 0.2, 0.3]
    expected = pose.xyz_m[:, 0] + [0.05, 0.1, 0.15]
    np.testing.assert_allclose(hips_m(dataclasses.replace(pose, xyz_m=xyz_m)), expected, atol=1e-12)
