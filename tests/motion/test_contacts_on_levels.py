"""Contacts on floors, steps and in the air, of a walker made by formula; levels by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from striders import drifting, mirrored, turned, walk

from mocap3d.base.contacts import foot_contacts, support_levels_m
from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.contacts import FindSettings, find_contacts, support_heights_m
from mocap3d.output import dress, preset_named

STAIRS = {"ground_m": lambda n: max(0, min(n, 4)) * 0.17, "step_m": 0.3, "hips_m": 0.75, "steps": 8}
KNEE, HIP, FOOT = (HUMANOID_22.index(f"left{bone}") for bone in ("LowerLeg", "UpperLeg", "Foot"))


def precision_and_recall(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    both = float((found & truth).sum())
    return both / max(found.sum(), 1), both / truth.sum()


def standing(frames: int = 90, fps: int = 30) -> Motion:
    """A T-pose that stands."""
    return Motion(
        rig=HUMANOID_RIG,
        fps=Fraction(fps),
        local_wxyz=np.tile(HUMANOID_RIG.rest_wxyz, (frames, 1, 1)),
        root_m=np.tile(HUMANOID_RIG.offsets_m[0], (frames, 1)),
    )


def with_left_foot_raised(motion: Motion, angle_rad: float) -> Motion:
    """The left knee bent and the thigh raised by one angle, the foot level: about 0.4 m * (1 - cos) up."""
    wxyz = motion.local_wxyz.copy()
    for joint, turn in ((HIP, -angle_rad), (KNEE, angle_rad)):
        wxyz[:, joint] = [np.cos(turn / 2), np.sin(turn / 2), 0, 0]
    return replace(motion, local_wxyz=wxyz)


@pytest.mark.parametrize("fps", [24, 30, 60, 120])
@pytest.mark.parametrize("ground", ["floor", "stairs"])
def test_a_walkers_contacts_are_found(fps: int, ground: str) -> None:
    """Catches feet on a step taken for feet in the air, and windows counted in frames."""
    true = walk(fps, **(STAIRS if ground == "stairs" else {})).motion
    truth = true.contacts >= 0.5
    for motion in (true, drifting(true, wobble_m=0.005)):
        precision, recall = precision_and_recall(find_contacts(motion) >= 0.5, truth)
        assert precision > 0.9
        assert recall > 0.94


def test_stairs_are_seen_that_one_local_floor_does_not_see() -> None:
    """Catches a finder that is no better than the speed and height of `foot_contacts`."""
    true = walk(**STAIRS).motion
    truth = true.contacts >= 0.5
    new = find_contacts(true) >= 0.5
    old = foot_contacts(sole_points(true), true.fps, up=(0, 1, 0)) >= 0.5
    assert (new == truth).mean() > 0.93
    assert (old == truth).mean() < (new == truth).mean() - 0.1


def test_a_foot_held_still_in_the_air_does_not_stand_unless_the_hint_says_so() -> None:
    """Catches every still foot taken for a standing one, and a hint that is not listened to."""
    motion = with_left_foot_raised(standing(), 1.2)
    found = find_contacts(motion) >= 0.5
    np.testing.assert_array_equal(found.all(axis=0), [False, False, True, True])
    assert not found[:, :2].any()
    hinted = find_contacts(motion, hint=np.full((len(motion), 4), 0.9)) >= 0.5
    assert hinted.all()


def test_a_step_that_is_stood_on_later_is_a_support_from_the_start() -> None:
    """Catches a foot on a chair that counts only when the other one has left the floor."""
    motion = with_left_foot_raised(standing(90), 1.2)
    up = standing(60)
    height_m = float(sole_points(motion)[0, 0, 1])
    up = replace(up, root_m=up.root_m + [0, height_m, 0])
    mix = replace(
        motion,
        local_wxyz=np.concatenate([motion.local_wxyz, up.local_wxyz]),
        root_m=np.concatenate([motion.root_m, up.root_m]),
    )
    found = find_contacts(mix) >= 0.5
    assert found[5:85].all()
    heights = support_heights_m(mix, found.astype(float))
    np.testing.assert_allclose(heights[5:85], np.tile([height_m, height_m, 0, 0], (80, 1)), atol=1e-6)


def test_nobody_stands_at_the_top_of_a_jump() -> None:
    """Catches feet that are slow at the turning point, on a level that nobody has stood on."""
    for fps in (30, 60, 120):
        motion = standing(3 * fps, fps)
        t = np.arange(len(motion)) / fps
        flight = (t > 1.0) & (t < 1.7)
        jump = np.where(flight, 9.81 / 2 * (t - 1.0) * (1.7 - t), 0.0)
        found = find_contacts(replace(motion, root_m=motion.root_m + jump[:, None] * [0, 1, 0])) >= 0.5
        assert not found[(t > 1.06) & (t < 1.64)].any()
        assert found[(t < 0.9) | (t > 1.8)].all()


def test_who_jumps_off_a_roof_is_not_held_at_its_edge() -> None:
    """Catches a support that stays under feet which have passed it, and lets them go with a jerk 12 cm below it."""
    motion = standing(90)
    t = np.arange(90) / 30
    fall = np.where(t > 1.0, 9.81 / 2 * np.maximum(t - 1.0, 0.0) ** 2, 0.0)
    height = 2.4 - np.minimum(fall, 2.4)
    jump = replace(motion, root_m=motion.root_m + height[:, None] * [0, 1, 0])
    contacts = np.zeros((90, 4))
    contacts[:31] = 1.0
    for landing in (90, 54):  # never seen, and seen
        contacts[landing:] = 1.0
        heights = support_heights_m(jump, contacts)
        np.testing.assert_allclose(heights[:31], 2.4, atol=1e-9)
        np.testing.assert_allclose(heights[32:], 0.0, atol=1e-9)


def test_feet_of_a_handstand_do_not_stand() -> None:
    """Catches still feet above everything else, which solving would then hold in place."""
    motion = standing()
    wxyz = motion.local_wxyz.copy()
    wxyz[:, 0] = [0, 1, 0, 0]
    assert not find_contacts(replace(motion, local_wxyz=wxyz)).any()


def test_heel_and_toe_of_a_standing_foot_are_on_one_level() -> None:
    """Catches a foot that is bent to stand on two floors, because one end of it was found too low for some frames."""
    motion = standing(120)
    wxyz = motion.local_wxyz.copy()
    wxyz[90:, FOOT] = [np.cos(0.2), np.sin(0.2), 0, 0]  # the left toes point 9 cm below the floor
    tilted = replace(motion, local_wxyz=wxyz)
    contacts = np.ones((120, 4))
    contacts[80:90, :2] = 0.0
    assert sole_points(tilted)[100, 1, 1] < -0.05
    np.testing.assert_allclose(support_heights_m(tilted, contacts), 0.0, atol=1e-9)


def test_noise_that_comes_with_speed_is_allowed_for_only_where_it_is() -> None:
    """Catches a threshold of the whole clip: somebody stands still, and then walks in a picture that trembles."""
    calm, walker = standing(90), walk(steps=12).motion
    rng = np.random.default_rng(0)
    shaking = rng.normal(size=(len(walker), 3)) * 0.02
    both = replace(
        calm,
        local_wxyz=np.concatenate([calm.local_wxyz, walker.local_wxyz]),
        root_m=np.concatenate([calm.root_m, walker.root_m + shaking]),
    )
    found = find_contacts(both) >= 0.5
    precision, recall = precision_and_recall(found[90:], walker.contacts >= 0.5)
    assert found[:75].all()
    assert precision > 0.85
    assert recall > 0.8


def test_heels_of_somebody_on_tiptoe_do_not_stand() -> None:
    """Catches both ends of a foot judged alike."""
    motion = standing()
    wxyz = motion.local_wxyz.copy()
    for side in ("left", "right"):  # the heels go up, and the toes stay down
        wxyz[:, HUMANOID_22.index(f"{side}Foot")] = [np.cos(0.4), np.sin(0.4), 0, 0]
        wxyz[:, HUMANOID_22.index(f"{side}Toes")] = [np.cos(0.4), -np.sin(0.4), 0, 0]
    found = find_contacts(replace(motion, local_wxyz=wxyz)) >= 0.5
    np.testing.assert_array_equal(found.all(axis=0), [False, True, False, True])
    assert not found[:, [0, 2]].any()


def test_noise_raises_the_thresholds() -> None:
    """Catches recall that collapses when everything trembles: 16 mm of tremble in body and legs."""
    true = walk(steps=12).motion
    rng = np.random.default_rng(0)
    wxyz = true.local_wxyz.copy()
    wxyz[:, [HIP, KNEE, FOOT], 1:] += rng.normal(size=(len(true), 3, 3)) * 0.016
    wxyz /= np.linalg.norm(wxyz, axis=-1, keepdims=True)
    noisy = replace(true, local_wxyz=wxyz, root_m=true.root_m + rng.normal(size=(len(true), 3)) * 0.016)
    truth = true.contacts >= 0.5
    precision, recall = precision_and_recall(find_contacts(noisy) >= 0.5, truth)
    _, deaf = precision_and_recall(find_contacts(noisy, settings=FindSettings(unrest=0.0)) >= 0.5, truth)
    assert precision > 0.85
    assert recall > 0.9
    assert deaf < recall - 0.05


def test_mirrors_turns_and_other_rigs_change_nothing() -> None:
    """Catches sides, axes and names that matter."""
    motion = drifting(walk(**STAIRS).motion, wobble_m=0.01)
    found = find_contacts(motion)
    np.testing.assert_allclose(find_contacts(mirrored(motion)), found[:, [2, 3, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(find_contacts(turned(motion, 2.0, (3, 0, 4))), found, atol=1e-6)
    preset = preset_named("ue5")
    roles = {bone.joint: bone.name for bone in preset.bones if bone.joint is not None and bone.takes_joint}
    again = find_contacts(dress(motion, preset), roles=roles)
    np.testing.assert_allclose(again, found, atol=0.01)


def test_values_short_clips_and_refusals() -> None:
    """Catches values outside 0..1, and clips shorter than a window."""
    found = find_contacts(walk().motion)
    assert found.max() <= 1.0
    assert ((found == 0) | (found >= 0.5)).all()
    for frames in (1, 2, 3):
        np.testing.assert_array_equal(find_contacts(standing(frames)) > 0, np.full((frames, 4), frames > 1))
    with pytest.raises(InputError, match="hint must have shape"):
        find_contacts(standing(9), hint=np.zeros((8, 4)))
    with pytest.raises(InputError, match=r"in 0\.\.1"):
        find_contacts(standing(9), hint=np.full((9, 4), 2.0))
    with pytest.raises(InputError, match="above 0"):
        FindSettings(level_spread_m=0)
    with pytest.raises(InputError, match="rising numbers from 0"):
        FindSettings(heel_off_m=(0.1, 0.05))
    with pytest.raises(InputError, match="must lie in"):
        FindSettings(hint_weight=2)


def test_levels_gather_what_is_near() -> None:
    """Catches steps that become one, floors that fall apart, and a ramp that becomes a floor."""
    rng = np.random.default_rng(1)
    truth = np.repeat([0.0, 0.17, 0.34, 2.6], 40)
    levels = support_levels_m(truth + rng.normal(size=160) * 0.01, np.ones(160))
    for height in np.unique(truth):
        assert np.ptp(levels[truth == height]) == 0
        assert abs(levels[truth == height][0] - height) < 0.01
    ramp = np.linspace(0, 1.0, 11)
    np.testing.assert_allclose(support_levels_m(ramp, np.ones(11)), ramp, atol=1e-12)
    assert len(support_levels_m(np.zeros(0), np.zeros(0))) == 0
    # A heavy level is not moved by what lies beside it.
    np.testing.assert_allclose(support_levels_m(np.array([0.0, 0.02]), np.array([50.0, 1.0])), 0.0)


def test_heights_between_contacts_are_the_lower_neighbours() -> None:
    """Catches supports that are NaN, jump to 0, or wait for a contact in the air."""
    motion = standing(60)
    contacts = np.zeros((60, 4))
    contacts[5:20, :2] = contacts[40:55, :2] = 1.0
    rising = replace(motion, root_m=motion.root_m + np.where(np.arange(60) >= 30, 0.4, 0.0)[:, None] * [0, 1, 0])
    heights = support_heights_m(rising, contacts)
    np.testing.assert_allclose(heights[:40, :2], 0.0, atol=1e-9)
    np.testing.assert_allclose(heights[40:, :2], 0.4, atol=1e-9)
    np.testing.assert_allclose(heights[:, 2:], 0.0, atol=1e-9)  # it never stands: the lowest of all
    np.testing.assert_array_equal(support_heights_m(rising, np.zeros((60, 4))), 0.0)
    near = replace(motion, root_m=motion.root_m + [0, 0.015, 0])
    np.testing.assert_array_equal(support_heights_m(near, np.ones((60, 4))), 0.0)  # that is the floor
