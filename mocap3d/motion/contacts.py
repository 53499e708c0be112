"""Which heels and toes of a solved body stand, and how high what they stand on is.

A standing point is slow; that is necessary, not enough. A foot can be still in the air. What else is asked:

* **Slow for this moment.** A runner's foot rolls at half a metre per second while it stands, a smoothed or noisy motion
  moves what stands still faster. In nearly every second something stands: so slow means a few times as fast as the
  slowest point of the soles around that time, never much faster than noise would be, or a part of the hips' speed.
* **Of one foot** only what is low stands: the heel of somebody on tiptoe does not. Nor do feet above the hips.
* **Levels.** Slow points gather at the heights that people stand on: a floor, a step, a chair, a roof. A level counts
  as a support when somebody's weight was on it: a foot stood there while the other one did not stand lower. A foot that
  is held still beside a standing leg makes a level as well, but never carries anybody.
* **Free fall.** While the hips fall as things fall, nobody stands, however slow the feet are at the top of a jump.
* **The hint** of a network moves what is in doubt, and decides whether a level that never carried weight is a support.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, percentile_filter
from scipy.signal import savgol_filter

from mocap3d.base.checks import as_floats
from mocap3d.base.contacts import (
    CONTACT_POINTS,
    ContactSettings,
    fades,
    point_speeds_mps,
    runs,
    standing,
    support_levels_m,
)
from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.roles import Roles, role_joints

__all__ = ["FindSettings", "find_contacts", "support_heights_m"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NOWHERE_M: Final = 1e9
_SETTLING_ROUNDS: Final = 50
_FLOOR_M: Final = 0.02
"""A level as close as this to y = 0 is the floor."""
_BELOW_M: Final = 0.12
"""A foot that is further below a level than this has left it: a step is 0.15 m high or more."""
_SURER: Final = 3
_STEADY_S: Final = 0.2
"""Standard deviation of the Gaussian that leaves of the hips' path where the body is going."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSettings:
    """What `find_contacts` believes.

    Attributes:
        points: thresholds of speed, for feet at rest, and height; ``low_m`` and ``high_m`` hold above the level.
            ``support_s`` is not used.
        heel_off_m: so far above the lower end of its own foot a point perhaps, and surely, does not stand.
        above_hips_m: so far above the hips a point perhaps, and surely, does not stand: it carries nobody.
        unrest: ``moving_mps`` grows by so many times the speed of the slowest sole point, ``still_mps`` in proportion.
            In recorded walking, running, climbing, dancing, clean or solved from joints with noise, 97 % of standing
            points stay below 3 to 7 times that speed.
        unrest_s: that is the slowest within so many seconds before and after (their lowest tenth).
        most_unrest_mps: by how much it grows at most, for somebody who stays in one place.
        along: and by so many times the speed of the hips over the ground.
        level_spread_m: how well the heights of standing points are known (a standard deviation).
        carried_share: a level on which less than this share of the time carries weight is none.
        falling_mps2: the hips' downward acceleration from which on it is perhaps, and surely, a free fall (9.81).
        falling_s: the window over which that acceleration is measured.
        hint_weight: what the hint counts beside speed and height (1). The lifter's own contacts are right in 77 % of
            frames where "always" is right in 69 %, so little.
    """

    points: ContactSettings = field(
        default_factory=lambda: ContactSettings(still_mps=0.11, moving_mps=0.39, low_m=0.05, high_m=0.13)
    )
    heel_off_m: tuple[float, float] = (0.04, 0.09)
    above_hips_m: tuple[float, float] = (0.05, 0.2)
    unrest: float = 3.5
    unrest_s: float = 0.5
    most_unrest_mps: float = 0.3
    along: float = 0.6
    level_spread_m: float = 0.03
    carried_share: float = 0.15
    falling_mps2: tuple[float, float] = (5.0, 8.0)
    falling_s: float = 0.2
    hint_weight: float = 0.2

    def __post_init__(self) -> None:
        """Check ranges."""
        if not (self.level_spread_m > 0 and self.falling_s > 0 and 0 < self.falling_mps2[0] < self.falling_mps2[1]):
            raise InputError("level_spread_m and falling_s must be above 0, falling_mps2 two rising numbers above 0")
        if not (0 <= self.heel_off_m[0] < self.heel_off_m[1] and self.above_hips_m[0] < self.above_hips_m[1]):
            raise InputError("heel_off_m must be two rising numbers from 0 on, above_hips_m two rising numbers")
        if not self.unrest_s > 0:
            raise InputError("unrest_s must be above 0 seconds")
        if not (0 <= self.carried_share <= 1 and 0 <= self.hint_weight <= 1):
            raise InputError("carried_share and hint_weight must lie in 0..1")


def find_contacts(
    motion: Motion, *, hint: ArrayLike | None = None, roles: Roles | None = None, settings: FindSettings | None = None
) -> Floats:
    """Judge which heels and toes of a motion stand.

    Args:
        motion: T frames on any rig, +Y up.
        hint: (T, 4) in 0..1, what a network thinks of it (left heel, left toe, right heel, right toe); None: nothing.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names.
        settings: thresholds.

    Returns:
        (T, 4) in 0..1: 0 in the air, 0.5 to 1 standing, by how sure it is. A single frame shows no speed: 0.

    Raises:
        InputError: ``hint`` of another shape or outside 0..1, or roles without arms or legs.
    """
    chosen = FindSettings() if settings is None else settings
    thresholds = chosen.points
    given = None if hint is None else _hint(hint, len(motion))
    if len(motion) < 2:
        return np.zeros((len(motion), len(CONTACT_POINTS)))
    points, rate = sole_points(motion, roles), float(motion.fps)
    hips = _hips_m(motion, roles)
    speed = point_speeds_mps(points, rate, thresholds.derivative_s)
    slow = fades(speed / _unrest(speed, hips, rate, chosen)[:, None], thresholds.still_mps, thresholds.moving_mps)
    slow = slow * fades(_above_own_foot_m(points), *chosen.heel_off_m)
    slow = slow * fades(points[..., 1] - hips[:, 1:2], *chosen.above_hips_m)
    slow = slow * (1.0 - _falling(hips[:, 1], rate, chosen))[:, None]
    likely = standing(slow, rate, thresholds.shortest_s)
    height = points[..., 1]
    level = np.full(height.shape, np.nan)
    level[likely] = support_levels_m(height[likely], slow[likely], spread_m=chosen.level_spread_m)
    likely &= _carrying(level, given, thresholds.high_m, chosen)
    score = np.where(likely, slow, 0.0) * fades(
        np.abs(height - np.where(likely, level, height)), thresholds.low_m, thresholds.high_m
    )
    if given is not None:
        score = np.where(score > 0, score + chosen.hint_weight * (given - score), 0.0)
    return np.where(standing(score, rate, thresholds.shortest_s), np.maximum(score, 0.5), 0.0)


def support_heights_m(motion: Motion, contacts: ArrayLike, roles: Roles | None = None) -> Floats:
    """Find how high that lies which each point of the soles stands on.

    Every contact of a point belongs to a level (see ``support_levels_m``); a level within 2 cm of y = 0 is the floor.
    Heel and toe that stand at once are on one of them, if one is much more stood on than the other. Between two
    contacts of a foot it is the lower of their levels, before the first and after the last that one's. A
    foot in the air that is further than 12 cm below that level has the next lower one below it, at last the floor.

    Args:
        motion: T frames on any rig.
        contacts: (T, 4) in 0..1; 0.5 and more stands.
        roles: humanoid joint -> joint of the rig; None means that it has the humanoid's names.

    Returns:
        (T, 4) metres along +Y; the lowest level of all for a foot that never stands, and 0 where neither does.

    Raises:
        InputError: contacts of another shape.
    """
    stands = as_floats("contacts", contacts, (len(motion), len(CONTACT_POINTS))) >= 0.5
    height = sole_points(motion, roles)[..., 1]
    spans = [(k, start, stop) for k in range(len(CONTACT_POINTS)) for start, stop in runs(stands[:, k])]
    if not spans:
        return np.zeros(height.shape)
    typical = np.array([np.median(height[start:stop, k]) for k, start, stop in spans])
    levels = _settled_levels_m(typical, np.array([float(stop - start) for _, start, stop in spans]))
    levels[np.abs(levels) < _FLOOR_M] = 0.0
    _level_feet(levels, spans)
    found = np.full(height.shape, np.nan)
    for (k, start, stop), level in zip(spans, levels, strict=True):
        found[start:stop, k] = level
    steps = np.unique(np.append(levels, min(0.0, levels.min())))
    for foot in (slice(0, 2), slice(2, 4)):
        in_the_air = np.isnan(found[:, foot]).all(axis=1)
        _bridge(found[:, foot], float(levels.min()))
        _step_down(found[:, foot], in_the_air, height[:, foot].min(axis=1), steps)
    return found


def _settled_levels_m(heights_m: Floats, weights: Floats) -> Floats:
    """Find levels that are their own levels, so that feet that were put on them are left there the next time."""
    levels = heights_m
    for _ in range(_SETTLING_ROUNDS):
        before, levels = levels, support_levels_m(levels, weights)
        if np.array_equal(before, levels):
            break
    return levels


def _level_feet(levels: Floats, spans: list[tuple[int, int, int]]) -> None:
    """Give heels and toes that stand at once the level that is stood on more, if that is ``_SURER`` times, in place."""
    frames = np.array([stop - start for _, start, stop in spans])
    stood = {level: frames[levels == level].sum() for level in np.unique(levels)}
    for h, (heel, start, stop) in enumerate(spans):
        for t, (toe, first, last) in enumerate(spans):
            if heel % 2 == 0 and toe == heel + 1 and start < last and first < stop:
                heavier, lighter = (h, t) if stood[levels[h]] > stood[levels[t]] else (t, h)
                if stood[levels[heavier]] >= _SURER * stood[levels[lighter]]:
                    levels[lighter] = levels[heavier]


def _hint(hint: ArrayLike, frames: int) -> Floats:
    given = as_floats("hint", hint, (frames, len(CONTACT_POINTS)))
    if not ((given >= 0) & (given <= 1)).all():
        raise InputError("hint must lie in 0..1")
    return given


def _hips_m(motion: Motion, roles: Roles | None) -> Floats:
    """The middle (T, 3) of the hip joints."""
    joints = role_joints(motion.rig, roles)
    place_m, _ = forward(motion)
    return np.asarray(place_m[:, [joints["leftUpperLeg"], joints["rightUpperLeg"]]].mean(axis=1))


def _unrest(speed: Floats, hips_m: Floats, fps: float, settings: FindSettings) -> Floats:
    """By how much (T,) points that stand may be faster than feet at rest, from 1."""
    window = 2 * round(settings.unrest_s * fps) + 1
    slowest = percentile_filter(np.nan_to_num(speed, nan=0.0).min(axis=1), 10, window, mode="nearest")
    path = gaussian_filter1d(hips_m[:, [0, 2]], _STEADY_S * fps, axis=0, mode="nearest")
    along = np.linalg.norm(np.gradient(path, axis=0), axis=-1) * fps
    more = np.minimum(settings.unrest * slowest, settings.most_unrest_mps + settings.along * along)
    return np.asarray(1.0 + more / settings.points.moving_mps)


def _above_own_foot_m(points: Floats) -> Floats:
    """Height (T, 4) above the lower of heel and toe of the same foot."""
    height = points[..., 1].reshape(len(points), 2, 2)
    return np.asarray((height - height.min(axis=-1, keepdims=True)).reshape(len(points), 4))


def _falling(hips_m: Floats, fps: float, settings: FindSettings) -> Floats:
    """How surely (T,) the body falls freely, by the curvature of the hips' height (T,)."""
    window = 2 * max(1, math.ceil(settings.falling_s * fps / 2 - 1e-6)) + 1
    if len(hips_m) < window:
        return np.zeros(len(hips_m))
    acceleration = savgol_filter(hips_m, window, 2, deriv=2, delta=1 / fps)
    return 1.0 - fades(-np.asarray(acceleration), *settings.falling_mps2)


def _carrying(level: Floats, hint: Floats | None, step_m: float, settings: FindSettings) -> Flags:
    """Which standing points (T, 4) are on a level that carries weight at times.

    A point's foot carries where the other foot does not stand lower by ``step_m`` or more.
    """
    lowest = np.nan_to_num(level.reshape(len(level), 2, 2), nan=_NOWHERE_M).min(axis=-1)  # of each foot
    carries = np.repeat(lowest - lowest[:, ::-1] < step_m, 2, axis=1)
    carries[np.isnan(level)] = False
    supports = np.zeros(level.shape, dtype=np.bool_)
    for height in np.unique(level[~np.isnan(level)]):
        there = level == height
        trusted = hint is not None and float(hint[there].mean()) > 0.5
        supports |= there & (trusted or carries[there].mean() >= settings.carried_share)
    return supports


def _bridge(of_foot: Floats, otherwise: float) -> None:
    """Fill the levels of one foot (T, 2) where they are NaN, in place."""
    lower = np.where(np.isnan(of_foot), np.inf, of_foot).min(axis=1)
    known = np.flatnonzero(np.isfinite(lower))
    if not len(known):
        of_foot[:] = otherwise
        return
    frames = np.arange(len(of_foot))
    before = known[np.maximum(np.searchsorted(known, frames, side="right") - 1, 0)]
    after = known[np.minimum(np.searchsorted(known, frames), len(known) - 1)]
    between = np.minimum(lower[before], lower[after])
    of_foot[:] = np.where(np.isnan(of_foot), between[:, None], of_foot)


def _step_down(of_foot: Floats, in_the_air: Flags, lowest_m: Floats, steps_m: Floats) -> None:
    """Let a foot (T, 2) that leaves its level downwards have the highest of the sorted steps below it, in place.

    All frames that a foot in the air is below its level without a break count together, so that it is not held back at
    the edge that it passes.
    """
    for start, stop in runs(in_the_air & (lowest_m < of_foot.min(axis=1))):
        deepest = float(lowest_m[start:stop].min())
        if deepest < of_foot[start:stop].min() - _BELOW_M:
            of_foot[start:stop] = steps_m[max(int(np.searchsorted(steps_m, deepest + _BELOW_M, side="right")) - 1, 0)]
