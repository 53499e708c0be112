"""Planted feet stay where they are: knees bend, bones keep their lengths. On any rig with roles, after retargeting.

1. Each contact of a heel or a toe gets one place on its support; where both stand the foot lies flat between them.
2. The foot is turned: flat where both stand, rolling about the heel or the ball of the foot where one does, the toes
   bent so that their tip stays on the ground. Toes that did not lie flat there, as no video shows how they bend, keep
   up to 12 degrees of their slope: laid flat they would pull the ankle down, and with it the hips.
3. The ankle follows. Corrections fade out within ``fade_s`` before and after a contact, continuous up to acceleration.
   Feet in the air are lifted where they would pass through the ground.
4. Where a leg is too short, the hips give way, smoothly over ``hips_s``; what is left, the foot slides.
5. Knees bend in closed form in the plane in which they bent (`leg_ik.py`).
6. Joints stay within their anatomical ranges (`leg_limits.py`): a foot that would leave them is turned back, and the
   ankle moves so that the sole stays where it stands; of a foot that cannot lie flat, heel and toe may come off the
   support by millimetres. Ranges that the motion did not keep before are widened. On other rigs than the humanoid
   angles are measured from the T-pose that `base/tpose.py` finds. Where thigh or shank cannot turn further, the hips go
   lower if that brings the foot nearer to its place.

Frames that nothing of this concerns keep their rotations bit by bit.

Reference:
    Kovar, Schreiner and Gleicher, "Footskate cleanup for motion capture editing", SCA 2002, for the order of the steps;
    unlike there no bone is stretched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from mocap3d.base.checks import as_floats
from mocap3d.base.contacts import CONTACT_POINTS, runs
from mocap3d.base.errors import InputError
from mocap3d.base.feet import Leg, legs
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.rotations import wxyz_conjugate, wxyz_multiply, wxyz_rotate
from mocap3d.motion.contacts import find_contacts, support_heights_m
from mocap3d.motion.foot_places import foot_places, resting_place
from mocap3d.motion.foot_targets import FootTarget, sole_length_m
from mocap3d.motion.leg_ik import LegChain, bent_legs, hips_drop_m, reachable, short_m, with_turns
from mocap3d.motion.leg_limits import LegRanges

__all__ = ["STRENGTHS", "FootLockSettings", "Strength", "lock_feet"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Strength = Literal["off", "auto", "strong"]
STRENGTHS: Final[tuple[Strength, ...]] = ("off", "auto", "strong")

_ROUNDS: Final = 2  # of bending legs and holding them within their ranges; a knee out of range would drift with more
_DOWN: Final = np.array([0.0, -1.0, 0.0])
_DROPS: Final = 8  # of the hips that are tried where thigh or shank cannot turn further
_MISSED_M: Final = 0.001  # a foot that is so little off its place is left there
_RUNS_MPS: Final = 1.8  # faster than people walk
_STEADY_S: Final = 0.2  # standard deviation of the Gaussian that leaves of the hips' path where the body is going
_LONG_S: Final = 1.0  # of contacts; less does not tell a treadmill from a body that sways
_UNTURNED: Final = 1e-13  # below 1 in the cosine of half the angle: one microradian, rounding of nearly straight legs


@dataclass(frozen=True, slots=True, kw_only=True)
class FootLockSettings:
    """How feet are locked.

    Attributes:
        fade_s: corrections fade out within this time before and after a contact.
        hips_s: the hips begin to give way between one and two times so long before they must.
        hips_drop_m: how far the hips give way at most.
        most_drift_m: "auto" leaves a contact alone in which the point moves further than this (nine tenths of the
            frames) from its place: it slides.
        most_speed_mps: "auto" leaves all contacts alone where what stands moves on faster than this, on average
            over all contacts (a second of them at least): a treadmill. Slower ones look like errors of a video: held.
        most_reach_m: "auto" lets a runner's contact begin later or end sooner where the hips would have to go down by
            more than this for the leg to reach: in noisy motion runners seem to stand longer than they can.
        least_sure: "auto" leaves a contact alone that is nowhere as sure as this.
    """

    fade_s: float = 0.2
    hips_s: float = 0.25
    hips_drop_m: float = 0.10
    most_drift_m: float = 0.08
    most_speed_mps: float = 0.15
    most_reach_m: float = 0.03
    least_sure: float = 0.6

    def __post_init__(self) -> None:
        """Check ranges."""
        if not (self.fade_s > 0 and self.hips_s > 0 and self.hips_drop_m >= 0 and self.most_drift_m > 0):
            raise InputError("fade_s, hips_s and most_drift_m must be above 0, hips_drop_m not below 0")
        if not self.most_speed_mps > 0:
            raise InputError("most_speed_mps must be above 0")


def lock_feet(
    motion: Motion,
    *,
    strength: Strength = "auto",
    contacts: ArrayLike | None = None,
    support_m: ArrayLike | None = None,
    roles: Roles | None = None,
    settings: FootLockSettings | None = None,
) -> Motion:
    """Hold standing feet where they stand.

    Args:
        motion: T frames on any rig, +Y up.
        strength: "auto" locks what is surely standing and does not slide, "strong" every contact, "off" nothing.
        contacts: (T, 4) in 0..1, 0.5 and more stands; None takes the motion's, or finds them where it has none.
        support_m: (T, 4) heights that heels and toes stand on, where they are known better than from this motion: those
            of the body that it was moved from, whose legs are as long as each other. None takes them from the motion.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names. Toes may be missing.
        settings: times and distances.

    Returns:
        The motion with other rotations of hips (their place), legs, feet and toes; it remembers the contacts.

    Raises:
        InputError: an unknown strength, contacts or heights of another shape, or roles without arms, legs or hips.
    """
    if strength not in STRENGTHS:
        raise InputError(f"strength must be one of {', '.join(STRENGTHS)}, got {strength!r}")
    chosen = FootLockSettings() if settings is None else settings
    given = motion.contacts if contacts is None else contacts
    if given is None and strength == "off":
        return motion
    sure = as_floats(
        "contacts", find_contacts(motion, roles=roles) if given is None else given, (len(motion), len(CONTACT_POINTS))
    )
    motion = replace(motion, contacts=sure)
    if strength == "off" or not (sure >= 0.5).any():
        return motion
    if support_m is None:
        heights_m = support_heights_m(motion, sure, roles)
    else:
        heights_m = as_floats("support_m", support_m, (len(motion), len(CONTACT_POINTS)))
    world_m, world_wxyz = forward(motion)
    both = legs(motion.rig, roles)
    points = [_heel_and_toe(leg, world_m, world_wxyz) for leg in both]
    chains = [_chain(leg, world_m, world_wxyz) for leg in both]
    rate, targets = float(motion.fps), []

    def aim(leg: Leg, points_m: Floats, support_m: Floats, stands: Flags) -> FootTarget:
        places = foot_places(points_m, stands, support_m, sole_length_m(leg), rate)
        return FootTarget(leg, world_m, world_wxyz, places, support_m, rate, chosen.fade_s)

    carried = strength == "auto" and _is_carried(np.concatenate(points, axis=1), sure, rate, chosen)
    for k, leg in enumerate(both):
        part = slice(2 * k, 2 * k + 2)
        stands = (sure[:, part] >= 0.5) & (not carried)
        if strength == "auto" and not carried:
            stands = _without_slides(points[k], sure[:, part], rate, chosen)
        target = aim(leg, points[k], heights_m[:, part], stands)
        if strength == "auto":
            short = np.where(_along_mps(chains[k], rate) > _RUNS_MPS, short_m(chains[k], target.ankle_m), 0.0)
            within = _within_reach(stands, short, chosen.most_reach_m)
            target = target if np.array_equal(within, stands) else aim(leg, points[k], heights_m[:, part], within)
        targets.append(target)
    return _reached(motion, world_wxyz, both, chains, targets, roles, chosen)


def _chain(leg: Leg, world_m: Floats, world_wxyz: Floats) -> LegChain:
    return LegChain(
        hip_m=world_m[:, leg.upper],
        knee_m=world_m[:, leg.lower],
        ankle_m=world_m[:, leg.foot],
        hinge=wxyz_rotate(world_wxyz[:, leg.upper], leg.hinge),
    )


def _heel_and_toe(leg: Leg, world_m: Floats, world_wxyz: Floats) -> Floats:
    """The points (T, 2, 3) of one foot."""
    heel = world_m[:, leg.foot] + wxyz_rotate(world_wxyz[:, leg.foot], leg.heel_m)
    return np.stack([heel, world_m[:, leg.toes] + wxyz_rotate(world_wxyz[:, leg.toes], leg.toe_m)], axis=1)


def _without_slides(points: Floats, contacts: Floats, fps: float, settings: FootLockSettings) -> Flags:
    """The contacts (T, 2) of one foot that are sure and stay in one place."""
    stands = contacts >= 0.5
    for k in (0, 1):
        for start, stop in runs(stands[:, k]):
            track = points[start:stop, k]
            drift = np.linalg.norm(track - resting_place(track, fps), axis=-1)
            sure = contacts[start:stop, k].max() >= settings.least_sure
            calm = float(np.quantile(drift, 0.9)) <= settings.most_drift_m
            stands[start:stop, k] = sure and calm
    return stands


def _within_reach(stands: Flags, short: Floats, most_m: float) -> Flags:
    """The contacts (T, 2) of one foot without what the leg does not reach by far at their beginnings and ends."""
    within = stands.copy()
    for k in (0, 1):
        for start, stop in runs(stands[:, k]):
            reached = np.flatnonzero(short[start:stop] <= most_m)
            first, last = (start + reached[0], start + reached[-1] + 1) if len(reached) else (stop, stop)
            within[start:first, k] = within[last:stop, k] = False
    return within


def _along_mps(chain: LegChain, fps: float) -> Floats:
    """How fast (T,) the hip joint moves along the ground, as far as that lasts."""
    path = gaussian_filter1d(chain.hip_m[:, [0, 2]], _STEADY_S * fps, axis=0, mode="nearest")
    steps = np.linalg.norm(np.diff(path, axis=0), axis=-1) if len(path) > 1 else np.zeros(1)
    return np.asarray(np.append(steps[:1], steps)[: len(path)] * fps)


def _is_carried(points: Floats, contacts: Floats, fps: float, settings: FootLockSettings) -> bool:
    """Whether the ground itself moves under points (T, 4, 3): whatever stands goes the same way."""
    spans = [(k, start, stop - 1) for k in range(4) for start, stop in runs(contacts[:, k] >= 0.5)]
    seconds = sum(last - start for _, start, last in spans) / fps
    if seconds < _LONG_S:
        return False
    way_m = np.sum([points[last, k] - points[start, k] for k, start, last in spans], axis=0)
    return float(np.linalg.norm(way_m)) > settings.most_speed_mps * seconds


def _reached(
    motion: Motion,
    world_wxyz: Floats,
    both: tuple[Leg, Leg],
    chains: list[LegChain],
    targets: list[FootTarget],
    roles: Roles | None,
    settings: FootLockSettings,
) -> Motion:
    """Lower the hips, bend the legs, turn the feet."""
    goals, fps = [target.ankle_m for target in targets], float(motion.fps)
    ranges = [LegRanges(motion.rig, roles, leg, side, world_wxyz) for side, leg in enumerate(both)]
    give_way = partial(hips_drop_m, chains, goals, fps, most_m=settings.hips_drop_m, seconds=settings.hips_s)
    drop = give_way()
    least = np.zeros(len(motion))
    for chain, target, limits in zip(chains, targets, ranges, strict=True):
        of_leg = _drop_within_limits_m(chain, target, limits, world_wxyz, drop, settings.hips_drop_m)
        least = np.maximum(least, of_leg)
    drop = give_way(least_m=least) if least.any() else drop
    for chain, target, limits in zip(chains, targets, ranges, strict=True):
        turns = _turns(_sunk(chain, drop), target, limits, world_wxyz)
        moved = np.max([1 - np.abs(turn[:, 0]) for turn in turns.values()], axis=0) > _UNTURNED
        motion = with_turns(motion, world_wxyz, turns, moved)
    return _lowered(motion, world_wxyz, drop[:, None] * _DOWN, role_joints(motion.rig, roles).get("hips", 0))


def _drop_within_limits_m(
    chain: LegChain, target: FootTarget, ranges: LegRanges, world_wxyz: Floats, drop_m: Floats, most_m: float
) -> Floats:
    """How far the hips must go down (T,) so that a foot stands where it shall and thigh and shank keep their ranges.

    Lower hips bend the knee, and the thigh swings forward. 0 where ``drop_m`` is enough, or nothing helps.
    """
    least, best = np.zeros(len(drop_m)), _missed_m(_sunk(chain, drop_m), target, ranges, world_wxyz)
    if not (best > _MISSED_M).any():
        return least
    for share in np.linspace(0.0, 1.0, _DROPS + 1)[1:]:
        lower = np.maximum(drop_m, share * most_m)
        missed = _missed_m(_sunk(chain, lower), target, ranges, world_wxyz)
        better = (best > _MISSED_M) & (missed < best - _MISSED_M)
        least, best = np.where(better, lower, least), np.where(better, missed, best)
    return least


def _missed_m(chain: LegChain, target: FootTarget, ranges: LegRanges, world_wxyz: Floats) -> Floats:
    """How far (T,) the ankle of a foot that stands is from its place, because thigh or shank cannot turn further."""
    before, ankle_m = world_wxyz[:, ranges.joints], reachable(chain, target.ankle_m)
    held = ranges.held(_wanted(chain, target, before))
    thigh, shank = (wxyz_multiply(held[:, k], wxyz_conjugate(before[:, k])) for k in (0, 1))
    leg_m = wxyz_rotate(thigh, chain.knee_m - chain.hip_m) + wxyz_rotate(shank, chain.ankle_m - chain.knee_m)
    return np.where(target.stands, np.linalg.norm(chain.hip_m + leg_m - ankle_m, axis=-1), 0.0)


def _sunk(chain: LegChain, drop_m: Floats) -> LegChain:
    """A leg that goes down with the hips."""
    down = drop_m[:, None] * _DOWN
    return replace(chain, hip_m=chain.hip_m + down, knee_m=chain.knee_m + down, ankle_m=chain.ankle_m + down)


def _wanted(chain: LegChain, target: FootTarget, before: Floats) -> Floats:
    """The rotations (T, N, 4) in the world that bring the foot to its target, whatever the ranges."""
    thigh, shank = bent_legs(chain, reachable(chain, target.ankle_m))
    wanted = [wxyz_multiply(thigh, before[:, 0]), wxyz_multiply(shank, before[:, 1]), target.foot_wxyz]
    return np.stack([*wanted, target.toes_wxyz][: before.shape[1]], axis=1)


def _turns(chain: LegChain, target: FootTarget, ranges: LegRanges, world_wxyz: Floats) -> dict[int, Floats]:
    """How the joints of one leg turn in the world, (T, 4) each; the target gives way to the ranges of the joints."""
    before = world_wxyz[:, ranges.joints]
    for _ in range(_ROUNDS):
        after = _wanted(chain, target, before)
        held = ranges.held(after)
        if np.array_equal(held, after):
            break
        target.turn_to(held[:, 2], held[:, -1])
    return dict(zip(ranges.joints, np.moveaxis(wxyz_multiply(held, wxyz_conjugate(before)), 1, 0), strict=True))


def _lowered(motion: Motion, world_wxyz: Floats, down: Floats, hips: int) -> Motion:
    """Move the body (T, 3): at the hips where they move by themselves, else at the root."""
    if not down.any():
        return motion
    if motion.local_m is None or hips == motion.rig.skeleton.root:
        return replace(motion, root_m=motion.root_m + down)
    local_m = motion.local_m.copy()
    above = wxyz_conjugate(world_wxyz[:, motion.rig.skeleton.parents[hips]])
    local_m[:, hips] += wxyz_rotate(above, down)
    return replace(motion, local_m=local_m)
