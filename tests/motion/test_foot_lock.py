"""Locked feet of a walker whose contacts are known by hand; measured through SciPy, not through mocap3d."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cmu_people import fk_rig, soles_of
from scipy.spatial.transform import Rotation
from striders import drifting, mirrored, turned, walk

from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.joint_limits import clamped, excess_rad
from mocap3d.base.motion import Motion
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.base.tpose import tpose_wxyz
from mocap3d.motion.contacts import support_heights_m
from mocap3d.motion.foot_lock import FootLockSettings, lock_feet
from mocap3d.output import dress, preset_named, preset_names

SIDES = ("left", "right")


def places(motion: Motion) -> dict[str, np.ndarray]:
    return fk_rig(motion.rig, motion.local_wxyz, motion.root_m)[0]


def soles(motion: Motion) -> np.ndarray:
    return soles_of(motion.rig, motion.local_wxyz, motion.root_m)


def skate_mmps(points_m: np.ndarray, motion: Motion) -> float:
    """Mean speed along the ground of points that stand in two frames that follow each other."""
    stands = motion.contacts >= 0.5
    speed = np.linalg.norm(np.diff(points_m[..., [0, 2]], axis=0), axis=-1) * float(motion.fps) * 1000
    return float(speed[stands[1:] & stands[:-1]].mean())


def flexion_deg(motion: Motion, side: str) -> np.ndarray:
    """How far a knee is bent, negative the wrong way: the shin behind the thigh, seen along the thigh's own left."""
    at, turns = fk_rig(motion.rig, motion.local_wxyz, motion.root_m)
    thigh = at[f"{side}LowerLeg"] - at[f"{side}UpperLeg"]
    shin = at[f"{side}Foot"] - at[f"{side}LowerLeg"]
    left = turns[f"{side}UpperLeg"].apply([1.0, 0, 0])
    return np.degrees(np.arctan2((np.cross(thigh, shin) * left).sum(-1), (thigh * shin).sum(-1)))


def accelerations(motion: Motion, joints: tuple[str, ...]) -> np.ndarray:
    at = places(motion)
    return np.stack([np.linalg.norm(np.diff(at[j], 2, axis=0), axis=-1) * float(motion.fps) ** 2 for j in joints])


KNEES = tuple(f"{side}LowerLeg" for side in SIDES)
FEET = tuple(f"{side}{bone}" for side in SIDES for bone in ("Foot", "Toes"))


@pytest.mark.parametrize("fps", [24, 30, 60, 120])
@pytest.mark.parametrize("strength", ["auto", "strong"])
def test_drifting_feet_stand_still_on_the_floor(fps: int, strength: str) -> None:
    """Catches a lock that leaves drift, loses the floor, bends knees forwards, or stretches a leg."""
    motion = drifting(walk(fps).motion, wobble_m=0.01)
    locked = lock_feet(motion, strength=strength)
    assert skate_mmps(soles(motion), motion) > 60
    assert skate_mmps(soles(locked), motion) < 0.01
    standing = motion.contacts >= 0.5
    np.testing.assert_allclose(soles(locked)[..., 1][standing], 0, atol=1e-6)
    assert soles(locked)[..., 1].min() > -1e-6
    for side in SIDES:
        assert flexion_deg(locked, side).min() > 0
    assert locked.local_m is None
    assert locked.rig is motion.rig


def test_only_legs_turn_and_only_the_hips_move() -> None:
    """Catches a lock that turns the trunk, or shifts the hips along the ground."""
    motion = drifting(walk().motion, wobble_m=0.01)
    locked = lock_feet(motion, strength="strong")
    others = [
        j for j, name in enumerate(HUMANOID_22.joint_names) if "Leg" not in name and name[-4:] not in ("Foot", "Toes")
    ]
    others = [j for j in others if not HUMANOID_22.joint_names[j].endswith("Toes")]
    np.testing.assert_array_equal(locked.local_wxyz[:, others], motion.local_wxyz[:, others])
    np.testing.assert_array_equal(locked.root_m[:, [0, 2]], motion.root_m[:, [0, 2]])
    drop = (motion.root_m - locked.root_m)[:, 1]
    assert drop.min() >= 0
    assert np.abs(np.diff(drop, 2)).max() * 30**2 < 3  # m/s^2: they give way smoothly


def test_planted_feet_and_still_people_are_left_as_they_are() -> None:
    """Catches rounding, flattening or fading that moves what needs no lock."""
    motion = walk().motion
    locked = lock_feet(motion, strength="strong")
    for name, at in places(motion).items():
        np.testing.assert_allclose(places(locked)[name], at, atol=1e-5)
    still = Motion(
        rig=HUMANOID_RIG,
        fps=motion.fps,
        local_wxyz=np.tile(HUMANOID_RIG.rest_wxyz, (20, 1, 1)),
        root_m=np.tile(HUMANOID_RIG.offsets_m[0], (20, 1)),
        contacts=np.ones((20, 4)),
    )
    locked = lock_feet(still, strength="strong")
    np.testing.assert_array_equal(locked.local_wxyz, still.local_wxyz)
    np.testing.assert_array_equal(locked.root_m, still.root_m)


@pytest.mark.parametrize("strength", ["auto", "strong"])
def test_locking_twice_is_locking_once(strength: str) -> None:
    """Catches fades, levels or places that creep on with every pass."""
    once = lock_feet(drifting(walk(steps=9).motion, (0.05, 0.0, -0.04), wobble_m=0.02), strength=strength)
    twice = lock_feet(once, strength=strength)
    for name, at in places(once).items():
        assert np.abs(places(twice)[name] - at).max() < 1e-5, name


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_corrections_fade_without_a_jolt(fps: int) -> None:
    """Catches pops where contacts begin and end: the locked drifter accelerates about as a true walker does."""
    true = walk(fps).motion
    locked = lock_feet(drifting(true, wobble_m=0.01), strength="strong")
    # A leg that is nearly straight bends its knee fast, so knees may do more than feet.
    for joints, most in ((FEET, 1.2), (KNEES, 2.0)):
        was, now = accelerations(true, joints), accelerations(locked, joints)
        assert now.max() < most * was.max()
        assert np.sqrt((now**2).mean()) < 1.2 * np.sqrt((was**2).mean())


def test_mirrored_in_is_mirrored_out() -> None:
    """Catches a side that is locked in another way, or first."""
    motion = drifting(walk().motion, wobble_m=0.02)
    here, there = lock_feet(motion, strength="strong"), lock_feet(mirrored(motion), strength="strong")
    np.testing.assert_allclose(there.root_m, here.root_m * [-1, 1, 1], atol=1e-9)
    for name, at in places(mirrored(here)).items():
        np.testing.assert_allclose(places(there)[name], at, atol=1e-7)


@pytest.mark.parametrize("angle", [0.7, -2.5])
def test_the_way_one_walks_does_not_matter(angle: float) -> None:
    """Catches axes used by name, and medians by coordinate."""
    motion = drifting(walk().motion, wobble_m=0.02)
    here = lock_feet(motion, strength="strong")
    there = lock_feet(turned(motion, angle, (3.0, 0.0, -5.0)), strength="strong")
    for name, at in places(turned(here, angle, (3.0, 0.0, -5.0))).items():
        np.testing.assert_allclose(places(there)[name], at, atol=1e-6)


@pytest.mark.parametrize("rise_m", [0.15, -0.15])
def test_stairs_are_climbed_step_by_step(rise_m: float) -> None:
    """Catches feet pulled down to the floor, or to the mean of two steps."""
    true = walk(steps=6, ground_m=lambda n: max(0, min(n, 4)) * rise_m, step_m=0.3, hips_m=0.76)
    motion = drifting(true.motion, wobble_m=0.01)
    locked = lock_feet(motion, strength="auto")
    assert skate_mmps(soles(locked), motion) < 1
    levels = support_heights_m(motion, motion.contacts)
    stands = motion.contacts >= 0.5
    assert np.abs(levels - np.repeat(true.support_m, 2, axis=1))[stands].max() < 0.02
    np.testing.assert_allclose(soles(locked)[..., 1][stands], levels[stands], atol=1e-6)


def test_auto_leaves_slides_and_doubts_and_strong_holds_them() -> None:
    """Catches a slide over 30 cm that is frozen, and an unsure contact that is locked."""
    motion = walk().motion
    slide = replace(motion, contacts=np.ones_like(motion.contacts))
    first = lock_feet(slide, strength="auto")
    np.testing.assert_array_equal(first.local_wxyz, slide.local_wxyz)
    np.testing.assert_array_equal(first.root_m, slide.root_m)
    doubtful = drifting(replace(motion, contacts=motion.contacts * 0.55))
    np.testing.assert_array_equal(lock_feet(doubtful).local_wxyz, doubtful.local_wxyz)
    held = lock_feet(doubtful, strength="strong")
    assert skate_mmps(soles(held), doubtful) < 0.01


@pytest.mark.parametrize("belt_mps", [0.2, 0.3, 0.5, 0.8])
def test_auto_leaves_feet_on_a_treadmill(belt_mps: float) -> None:
    """Catches feet that a belt carries, nailed to the room: all of them, or those that the clip's ends cut short."""
    motion = walk(steps=9).motion
    seconds = np.arange(len(motion))[:, None] / 30
    carried = replace(motion, root_m=motion.root_m - seconds * [0, 0, belt_mps])
    first = lock_feet(carried, strength="auto")
    np.testing.assert_array_equal(first.local_wxyz, carried.local_wxyz)
    assert skate_mmps(soles(lock_feet(carried, strength="strong")), carried) < 0.3 * 1000 * belt_mps


def test_given_contacts_are_used_and_kept_and_off_does_nothing_else() -> None:
    """Catches an edited contact track that is ignored, and a motion without contacts that cannot be locked."""
    motion = drifting(walk().motion)
    edited = motion.contacts.copy()
    edited[:, 2:] = 0.0  # the right foot never stands
    locked = lock_feet(motion, contacts=edited, strength="strong")
    np.testing.assert_array_equal(locked.contacts, edited)
    one_foot = replace(motion, contacts=edited)
    assert skate_mmps(soles(locked), one_foot) < 0.01
    right = [f"right{bone}" for bone in ("Foot", "Toes")]
    np.testing.assert_allclose([places(locked)[j] for j in right], [places(motion)[j] for j in right], atol=1e-6)
    off = lock_feet(motion, strength="off", contacts=edited)
    np.testing.assert_array_equal(off.contacts, edited)
    np.testing.assert_array_equal(off.local_wxyz, motion.local_wxyz)
    found = lock_feet(replace(motion, contacts=None))
    assert skate_mmps(soles(found), found) < 1


def test_feet_in_the_air_do_not_swing_through_the_floor() -> None:
    """Catches toes that plough: a swing that is too low by 5 cm is lifted, and stays where it was otherwise."""
    motion = walk().motion
    side, swings = "left", motion.contacts[:, 0] == 0
    sunk = replace(motion, root_m=motion.root_m - [0, 0.05, 0] * swings[:, None] * np.hanning(len(motion))[:, None])
    assert soles(sunk)[..., 1].min() < -0.01
    assert soles(lock_feet(sunk))[..., 1].min() > -1e-6
    assert flexion_deg(lock_feet(sunk), side).min() > 0


def test_hips_give_way_before_feet_slide() -> None:
    """Catches legs that are stretched, or feet that hover, where the hips are too high for both feet to stand."""
    motion = walk(step_m=0.5, hips_m=0.825).motion
    rises_m = 0.03 * (np.arange(len(motion)) >= 75)  # for the last steps the whole body is found 3 cm too high
    high = replace(motion, root_m=motion.root_m + rises_m[:, None] * [0, 1, 0])
    locked = lock_feet(high, strength="strong")
    assert skate_mmps(soles(locked), high) < 0.01
    assert (high.root_m - locked.root_m)[:, 1].max() > 0.002
    stuck = lock_feet(high, strength="strong", settings=FootLockSettings(hips_drop_m=0.0))
    np.testing.assert_array_equal(stuck.root_m, high.root_m)
    assert skate_mmps(soles(stuck), high) > 0.1  # the last resort
    for result in (locked, stuck):
        at = places(result)
        for side in SIDES:
            leg = np.linalg.norm(at[f"{side}Foot"] - at[f"{side}UpperLeg"], axis=-1)
            assert leg.max() < (0.245 + 0.246) * 1.7


@pytest.mark.parametrize("name", preset_names())
def test_other_bodies_are_locked_like_ours(name: str) -> None:
    """Catches axes, names, root bones and rest poses of other programs that the lock does not see through."""
    motion = drifting(walk().motion, wobble_m=0.01)
    preset = preset_named(name)
    dressed = dress(motion, preset)
    roles = {bone.joint: bone.name for bone in preset.bones if bone.joint is not None and bone.takes_joint}
    locked = lock_feet(dressed, roles=roles, strength="strong")
    points = sole_points(locked, roles)
    assert skate_mmps(points, motion) < 0.5
    stands = motion.contacts >= 0.5
    assert np.abs(points[..., 1][stands]).max() < 0.01
    assert points[..., 1].min() > -0.002


def test_bodies_of_another_size_are_locked_too() -> None:
    """Catches lengths in metres where they belong to the body: twice as tall, and short legs under long feet."""
    base = HUMANOID_RIG
    motion = drifting(walk(step_m=0.3).motion, wobble_m=0.01)
    tall = replace(
        base, offsets_m=base.offsets_m * 2, tips=tuple(replace(t, offset_m=t.offset_m * 2) for t in base.tips)
    )
    shins = [HUMANOID_22.index(f"{side}Foot") for side in SIDES]
    offsets_m = base.offsets_m.copy()
    offsets_m[shins] *= 0.6
    cut_m = 0.4 * 0.246 * 1.7
    offsets_m[0, 1] -= cut_m
    for rig, root_m in (
        (tall, motion.root_m * 2),
        (replace(base, offsets_m=offsets_m), motion.root_m - [0, cut_m, 0]),
    ):
        body = replace(motion, rig=rig, root_m=root_m)
        locked = lock_feet(body, strength="strong")
        assert skate_mmps(soles(locked), body) < 0.1
        assert soles(locked)[..., 1].min() > -1e-6
        for side in SIDES:
            assert flexion_deg(locked, side).min() > 0


def rolling(fps: int = 30) -> Motion:
    """A walker on tiptoe at times, whose feet roll inwards and outwards and point to the side, all within limits."""
    motion = drifting(walk(fps).motion, wobble_m=0.01)
    t = np.arange(len(motion)) / fps
    wxyz, contacts = motion.local_wxyz.copy(), motion.contacts.copy()
    for side, phase in (("left", 0.0), ("right", 2.0)):
        roll, pitch = np.radians(22) * np.sin(5 * t + phase), np.radians(30) * np.sin(3 * t + phase) ** 2
        extra = Rotation.from_euler("XYZ", np.stack([pitch, roll / 2, roll], axis=-1))
        j = HUMANOID_22.index(f"{side}Foot")
        wxyz[:, j] = (Rotation.from_quat(wxyz[:, j][:, [1, 2, 3, 0]]) * extra).as_quat()[:, [3, 0, 1, 2]]
        contacts[np.sin(3 * t + phase) ** 2 > 0.3, 0 if side == "left" else 2] = 0.0
    return replace(motion, local_wxyz=clamped(wxyz), contacts=contacts)


@pytest.mark.parametrize("fps", [30, 60])
def test_joints_stay_within_their_ranges(fps: int) -> None:
    """Catches toes that twist to lie flat under a foot that rolls, and feet that are turned further than ankles go."""
    motion = rolling(fps)
    locked = lock_feet(motion, strength="strong")
    assert np.abs(excess_rad(motion.local_wxyz)).max() == 0
    assert np.degrees(np.abs(excess_rad(locked.local_wxyz)).max()) < 1e-6
    for side in SIDES:  # by SciPy: how the toes' own left leans against the foot's, their hinge
        toes = locked.local_wxyz[:, HUMANOID_22.index(f"{side}Toes")][:, [1, 2, 3, 0]]
        hinge = Rotation.from_quat(toes).apply([1.0, 0, 0])
        assert np.degrees(np.arccos(np.clip(hinge[:, 0], -1, 1))).max() < 14.2  # 10 about each of two axes
    stands = motion.contacts >= 0.5
    assert np.abs(soles(locked)[..., 1][stands]).max() < 0.01
    assert skate_mmps(soles(locked), motion) < 0.1 * skate_mmps(soles(motion), motion)


def leaning(lean_deg: float) -> Motion:
    """A walker who leans back in the middle of the clip: the thigh behind comes to the end of its range."""
    motion = drifting(walk().motion, wobble_m=0.03)
    lean = Rotation.from_rotvec(np.radians(-lean_deg) * np.hanning(len(motion))[:, None] * [1.0, 0, 0])
    wxyz = motion.local_wxyz.copy()
    for name, turn in (("hips", lean), ("leftUpperLeg", lean.inv()), ("rightUpperLeg", lean.inv())):
        j = HUMANOID_22.index(name)
        wxyz[:, j] = (turn * Rotation.from_quat(wxyz[:, j][:, [1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    return replace(motion, local_wxyz=clamped(wxyz))


def test_hips_go_lower_where_a_thigh_cannot_turn_further() -> None:
    """Catches feet in the air or in the floor (4 and 5 cm) where the range of a hip keeps a leg from its place."""
    motion = leaning(45)
    locked = lock_feet(motion, strength="strong")
    assert np.abs(soles(locked)[..., 1][motion.contacts >= 0.5]).max() < 0.002
    assert np.abs(excess_rad(locked.local_wxyz)).max() < 1e-6
    drop = (motion.root_m - locked.root_m)[:, 1]
    assert drop.max() < 0.1
    assert np.abs(np.diff(drop, 2)).max() * 30**2 < 6  # m/s^2
    stuck = lock_feet(motion, strength="strong", settings=FootLockSettings(hips_drop_m=0.05))
    assert np.abs(soles(stuck)[..., 1][motion.contacts >= 0.5]).max() > 0.005  # it is the hips that make up for it


def test_auto_lets_go_what_a_runners_leg_does_not_reach() -> None:
    """Catches contacts that are found too long, for which the whole body would go down by 10 cm."""
    motion = walk(60, step_m=0.5, hips_m=0.825).motion
    motion = replace(motion, fps=motion.fps * 2)  # twice as fast: 2 m/s
    contacts = motion.contacts.copy()
    for k in range(4):
        edges = np.flatnonzero(np.diff(contacts[:, k]) > 0)
        for edge in edges:
            contacts[max(edge - 8, 0) : edge + 1, k] = 1.0
    long = replace(motion, contacts=contacts)
    drops = {}
    for strength in ("auto", "strong"):
        locked = lock_feet(long, strength=strength, settings=FootLockSettings(most_drift_m=1.0))
        drops[strength] = (motion.root_m - locked.root_m)[:, 1].max()
        stands = motion.contacts >= 0.5
        assert np.abs(soles(locked)[..., 1][stands]).max() < 0.01
    assert drops["auto"] <= 0.031
    assert drops["strong"] > 0.05


def test_toes_of_rigid_feet_bend_without_pulling_the_hips_down() -> None:
    """Catches toes laid flat at once under a foot that was lifted with straight toes: ankle and hips went down 2 cm."""
    motion = walk(step_m=0.5, hips_m=0.825).motion
    wxyz, contacts = motion.local_wxyz.copy(), motion.contacts.copy()
    ends = [t for t in range(1, len(motion) - 5) if contacts[t, 0] >= 0.5 and contacts[t + 1, 0] < 0.5]
    foot = HUMANOID_22.index("leftFoot")
    for end in ends:  # the heel rises about the tip of the toes while the leg behind is nearly straight
        for k in range(5):
            turn = Rotation.from_rotvec([np.radians(6.0 * (k + 1)), 0, 0])
            at = end - 4 + k
            old = Rotation.from_quat(wxyz[at, foot][[1, 2, 3, 0]])
            wxyz[at, foot] = (old * turn).as_quat()[[3, 0, 1, 2]]
            contacts[at, 0] = 0.0
    lifted = replace(motion, local_wxyz=wxyz, contacts=contacts)
    locked = lock_feet(lifted, strength="strong")
    assert np.abs(soles(locked)[..., 1][contacts >= 0.5]).max() < 1e-3
    toes = HUMANOID_22.index("leftToes")
    bent = Rotation.from_quat(locked.local_wxyz[:, toes][:, [1, 2, 3, 0]]).magnitude()
    assert np.degrees(bent[[end - 1 for end in ends]]).min() > 3  # they bend


def test_ranges_hold_on_other_bodies_too() -> None:
    """Catches ranges that are asked of the bones' own axes, where a rig is not the humanoid's."""
    preset = preset_named("mixamo")
    roles = {bone.joint: bone.name for bone in preset.bones if bone.joint is not None and bone.takes_joint}
    motion = rolling()
    locked = lock_feet(dress(motion, preset), roles=roles, strength="strong")
    assert np.abs(sole_points(locked, roles)[..., 1][motion.contacts >= 0.5]).max() < 0.012
    _, turns = fk_rig(locked.rig, locked.local_wxyz, locked.root_m)
    rest = tpose_wxyz(locked.rig, roles)
    for side in SIDES:
        foot, toes = (roles[f"{side}{bone}"] for bone in ("Foot", "Toes"))
        level = {name: Rotation.from_quat(rest[locked.rig.skeleton.index(name)][[1, 2, 3, 0]]) for name in (foot, toes)}
        bent = (turns[foot] * level[foot].inv()).inv() * (turns[toes] * level[toes].inv())
        assert np.degrees(np.arccos(np.clip(bent.apply([1.0, 0, 0])[:, 0], -1, 1))).max() < 14.2


def test_refusals() -> None:
    """Catches a misspelt strength that locks nothing, and contacts of another clip."""
    motion = walk(steps=2).motion
    with pytest.raises(InputError, match="off, auto, strong"):
        lock_feet(motion, strength="weak")
    with pytest.raises(InputError, match="contacts must have shape"):
        lock_feet(motion, contacts=np.ones((3, 4)))
    with pytest.raises(InputError, match="above 0"):
        FootLockSettings(fade_s=0)
