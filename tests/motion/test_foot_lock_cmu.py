"""Feet of recorded people (CMU): contacts against truths by stated rules, and what the lock makes of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cmu_people import SHORTEST_S, Take, fk_rig, read_takes, soles_of
from foot_truth import truly_standing
from scipy.spatial.transform import Rotation

from mocap3d.base.contacts import foot_contacts
from mocap3d.base.motion import Motion
from mocap3d.motion.contacts import find_contacts, support_heights_m
from mocap3d.motion.foot_lock import lock_feet
from mocap3d.motion.solve import solve

FLAT = {"02_01": (0.0, 2.7), "16_01": (0.0, 3.0), "05_02": (0.0, 8.0), "14_10": (0.0, 8.0)}
TERRAIN = {"03_02": (0.0, 12.0), "03_03": (0.0, 12.0), "01_05": (0.0, 20.0), "14_21": (0.0, 10.0)}

pytestmark = pytest.mark.slow  # one pass over a large archive


@pytest.fixture(scope="module")
def takes(shared_data):
    clips = {name: (start, seconds) for name, (start, seconds) in (FLAT | TERRAIN).items()}
    return read_takes(shared_data / "cmu_amc" / "cmu_amc.tar.xz", clips)


def motion_of(take: Take) -> Motion:
    return Motion(
        rig=take.rig, fps=Fraction(take.fps), local_wxyz=take.wxyz, root_m=take.root_m, contacts=take.contacts
    )


def shaken(motion: Motion, seed: int = 0) -> Motion:
    """What a video makes of it: root 5 mm and leg joints 0.6 degrees of noise that lasts for some frames."""
    rng = np.random.default_rng(seed)

    def noise(size: float) -> np.ndarray:
        white = rng.normal(size=(len(motion) + 2, 3)) * size
        return (white[:-2] + 2 * white[1:-1] + white[2:]) / np.sqrt(6)

    wxyz = motion.local_wxyz.copy()
    for j, name in enumerate(motion.rig.skeleton.joint_names):
        if name.endswith(("UpperLeg", "LowerLeg", "Foot")):
            turn = Rotation.from_quat(wxyz[:, j][:, [1, 2, 3, 0]]) * Rotation.from_rotvec(noise(np.radians(0.6)))
            wxyz[:, j] = turn.as_quat()[:, [3, 0, 1, 2]]
    return replace(motion, local_wxyz=wxyz, root_m=motion.root_m + noise(0.005))


def skate_mmps(motion: Motion, stands: np.ndarray) -> float:
    points = soles_of(motion.rig, motion.local_wxyz, motion.root_m)
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * float(motion.fps) * 1000
    return float(speed[stands[1:] & stands[:-1]].mean())


def flexion_deg(motion: Motion) -> np.ndarray:
    at, turns = fk_rig(motion.rig, motion.local_wxyz, motion.root_m)
    angles = []
    for side in ("left", "right"):
        thigh = at[f"{side}LowerLeg"] - at[f"{side}UpperLeg"]
        shin = at[f"{side}Foot"] - at[f"{side}LowerLeg"]
        left = turns[f"{side}UpperLeg"].apply([1.0, 0, 0])
        angles.append(np.degrees(np.arctan2((np.cross(thigh, shin) * left).sum(-1), (thigh * shin).sum(-1))))
    return np.array(angles)


def standing_on_anything(take: Take) -> np.ndarray:
    """The rule for terrain, (T, 4).

    A point stands where it is slower than 0.3 m/s, no more than 5 cm above the other end of its foot, for 0.1 s or
    more; not while the other foot stands 12 cm lower during nine tenths of that time.
    """
    soles = soles_of(take.rig, take.wxyz, take.root_m)
    height = soles[..., 1]
    own = np.repeat(height.reshape(-1, 2, 2).min(axis=-1), 2, axis=1)
    stands = (np.linalg.norm(np.gradient(soles, axis=0), axis=-1) * take.fps < 0.3) & (height < own + 0.05)
    for column in stands.T:
        for start, stop in spans(column):
            column[start:stop] = stop - start >= SHORTEST_S * take.fps
    feet = stands.reshape(-1, 2, 2).any(axis=-1)
    low = np.where(stands, height, np.inf).reshape(-1, 2, 2).min(axis=-1)
    for side in (0, 1):
        for start, stop in spans(feet[:, side]):
            lower = feet[start:stop, 1 - side] & (low[start:stop, 1 - side] < low[start:stop, side] - 0.12)
            if lower.mean() > 0.9:
                stands[start:stop, 2 * side : 2 * side + 2] = False
    return stands


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("strength", ["auto", "strong"])
def test_true_contacts_are_held(takes, name, strength):
    """Catches skate over a quarter of what it was or 10 mm/s, soles off their support, knees that bend forwards."""
    motion = shaken(motion_of(takes[name]))
    stands = takes[name].contacts > 0.5
    locked = lock_feet(motion, strength=strength)
    assert skate_mmps(locked, stands) < min(10.0, 0.25 * skate_mmps(motion, stands))
    support = support_heights_m(motion, takes[name].contacts)
    soles = soles_of(locked.rig, locked.local_wxyz, locked.root_m)
    assert np.quantile(np.abs(soles[..., 1] - support)[stands], 0.99) < 0.01
    assert (soles[..., 1] - support)[stands].min() > -0.01
    assert flexion_deg(locked).min() > -0.01
    drop = (motion.root_m - locked.root_m)[:, 1]
    assert drop.max() < 0.101
    again = lock_feet(locked, strength=strength)
    for joint, at in fk_rig(locked.rig, locked.local_wxyz, locked.root_m)[0].items():
        moved = np.linalg.norm(fk_rig(again.rig, again.local_wxyz, again.root_m)[0][joint] - at, axis=-1)
        # A dancer on points, shaken beyond the ranges of her joints: the second lock need not excuse that any more.
        assert moved.max() < (0.015 if name == "05_02" else 0.001), joint


@pytest.mark.parametrize("shake", [False, True])
def test_terrain_is_seen(takes, shake):
    """Catches a finder that takes feet on blocks and ladders for feet in the air, as one local floor does."""
    right = {"old": [], "new": []}
    hits = []
    for name in TERRAIN:
        motion = motion_of(takes[name])
        motion = shaken(motion) if shake else motion
        truth = standing_on_anything(takes[name])
        new = find_contacts(motion) >= 0.5
        points = soles_of(motion.rig, motion.local_wxyz, motion.root_m)
        old = foot_contacts(points, motion.fps, up=(0, 1, 0)) >= 0.5
        right["old"].append(old == truth)
        right["new"].append(new == truth)
        hits.append((new & truth).sum() / truth.sum())
    accuracy = {which: float(np.concatenate(equal).mean()) for which, equal in right.items()}
    assert accuracy["new"] > accuracy["old"] + 0.08
    assert accuracy["new"] > 0.82
    assert min(hits) > 0.85


@pytest.mark.parametrize("noisy", [False, True])
def test_runners_stand(shared_data, noisy):
    """Catches thresholds for walkers: a runner's foot rolls at half a metre per second, at a whole one with noise."""
    clips = dict.fromkeys(("02_03", "16_36", "16_38", "16_46"), (0.0, 2.0))
    takes = read_takes(shared_data / "cmu_amc" / "cmu_amc.tar.xz", clips, fps=120)
    hits, found_frames, true_frames = 0, 0, 0
    for take in takes.values():
        truth = truly_standing(take)[::4]
        free = np.zeros((len(truth), 4))
        parts = {"wxyz": take.wxyz[::4], "root_m": take.root_m[::4], "joints_m": take.joints_m[::4], "contacts": free}
        slow = replace(take, fps=30, **parts)
        pose = slow.noisy(dropped=0.0)
        motion = solve(pose, rig=take.rig, contacts=free) if noisy else replace(motion_of(slow), contacts=None)
        found = find_contacts(motion) >= 0.5
        hits += (found & truth).sum()
        found_frames += found.sum()
        true_frames += truth.sum()
    assert hits / true_frames > 0.75
    assert hits / found_frames > 0.55
