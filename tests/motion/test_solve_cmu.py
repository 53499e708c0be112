"""The solver against recorded people (CMU): places of their joints alone, on their own bones."""

from __future__ import annotations

import numpy as np
import pytest
from cmu_people import ON_RIG, amc_frames, fk_asf, fk_rig, read_takes, tumbled
from mocap3d.data_prep.acclaim import bone_ends, read_amc, read_asf
from motion_measures import OBSERVED, UNOBSERVED, Solved, jerk_mps3, skate_mmps

from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20
from mocap3d.motion.solve import solve

CLIPS = {
    "walk": ("02_01", 0.3, 2.0),
    "run": ("16_36", 0.0, 1.9),
    "jump": ("16_07", 0.8, 2.0),
    "punch": ("02_05", 3.0, 2.0),
    "bend down": ("02_06", 8.0, 2.0),
    "dance": ("05_07", 5.5, 2.0),
    "sit down": ("14_31", 7.0, 2.0),
    "climb": ("01_09", 10.0, 2.0),
}
STANDING = ("walk", "jump", "punch", "bend down", "dance", "sit down")
ACROBATIC = {"cartwheel": ([0, 0, 1], 1.0), "somersault": ([1, 0, 0], -1.0), "lying down": ([1, 0, 0], -0.25)}
EVERY = (*CLIPS, *ACROBATIC)


@pytest.fixture(scope="module")
def takes(shared_data):
    """The clips by what happens in them; three are made by turning the whole person who jumps."""
    found = read_takes(
        shared_data / "cmu_amc" / "cmu_amc.tar.xz",
        {clip: (start, seconds) for clip, start, seconds in CLIPS.values()},
    )
    named = {what: found[clip] for what, (clip, _, _) in CLIPS.items()}
    return named | {what: tumbled(named["jump"], *turning) for what, turning in ACROBATIC.items()}


@pytest.fixture(scope="module")
def clean(takes):
    """All clips solved from perfect joints, contacts found by the solver."""
    return {name: Solved.of(solve(take.pose(), rig=take.rig), take) for name, take in takes.items()}


def test_the_truth_is_right(shared_data, takes, tmp_path):
    """Catches a wrong oracle: two ways through ASF and AMC must agree, and the rig must reach the joints of the AMC."""
    import tarfile

    with tarfile.open(shared_data / "cmu_amc" / "cmu_amc.tar.xz") as tar:
        for member in tar:
            if member.name.endswith(("/03.asf", "/03_02.amc")):
                (tmp_path / member.name.split("/")[-1]).write_bytes(tar.extractfile(member).read())
            if len(list(tmp_path.iterdir())) == 2:
                break
    bones = read_asf(tmp_path / "03.asf")
    root, angles = amc_frames((tmp_path / "03_02.amc").read_text(), bones, range(0, 40, 4))
    ours, theirs = fk_asf(bones, root, angles)[0], bone_ends(bones, *read_amc(tmp_path / "03_02.amc", bones))[0][:40:4]
    for i, bone in enumerate(bones):
        np.testing.assert_allclose(ours[bone.name], theirs[:, i] * 0.0254 / 0.45, atol=1e-12)
    for name, take in takes.items():
        places, _ = fk_rig(take.rig, take.wxyz, take.root_m)
        off = [places[ON_RIG[joint]] - take.joints_m[:, LIFTER_20.index(joint)] for joint in OBSERVED]
        assert np.linalg.norm(off, axis=-1).max() < 0.006, name  # the bones of the back that became one


@pytest.mark.parametrize("name", EVERY)
def test_places_bones_and_limits(clean, name):
    """Catches a solver that misses joints, flips, stretches bones, or bends a joint beyond what people can."""
    solved = clean[name]
    assert np.median(solved.position_errors_mm) <= 5
    assert np.percentile(solved.position_errors_mm, 99) < 60
    assert solved.bone_variation_mm < 1e-6
    assert solved.limit_excess_deg == 0


@pytest.mark.parametrize("name", EVERY)
def test_rotations_are_those_of_the_person(clean, name):
    """Catches limbs in the right places with knees turned inside out, or somebody who looks backwards.

    Places of joints leave open how a back bends between hips and chest, and how a straight arm is twisted.
    """
    errors = clean[name].rotation_errors_deg
    seen = [j for j, joint in enumerate(HUMANOID_22.joint_names) if joint not in UNOBSERVED]
    assert np.median(errors[:, seen]) < 25
    for joint, most_deg in {"LowerLeg": 8, "UpperLeg": 25}.items():
        for side in ("left", "right"):
            assert np.median(errors[:, HUMANOID_22.index(f"{side}{joint}")]) < most_deg, side + joint
    for joint in ("hips", "head"):
        assert np.percentile(errors[:, HUMANOID_22.index(joint)], 99) < 45, joint


@pytest.mark.parametrize("name", EVERY)
def test_noise_and_gaps(takes, name):
    """Catches noise that is followed instead of judged: 2 cm on every coordinate, every fifth joint gone."""
    take = takes[name]
    solved = Solved.of(solve(take.noisy(), rig=take.rig), take)
    assert np.median(solved.position_errors_mm) <= 20
    assert solved.jerk_mps3 <= 2 * jerk_mps3(take.rig, take.wxyz, take.root_m, take.fps)
    assert solved.limit_excess_deg == 0


@pytest.mark.parametrize("name", STANDING)
def test_feet_stand_where_contacts_say(takes, name):
    """Catches contacts that are taken for a hint: feet that truly stand must not skate."""
    take = takes[name]
    motion = solve(take.pose(), rig=take.rig, contacts=take.contacts)
    np.testing.assert_array_equal(motion.contacts, take.contacts)
    before = skate_mmps(take.rig, take.wxyz, take.root_m, take.contacts, take.fps)
    after = Solved.of(motion, take)
    assert after.skate_mmps <= 0.25 * before
    assert after.skate_mmps < 10
    assert np.median(after.position_errors_mm) <= 5
    assert after.limit_excess_deg == 0
