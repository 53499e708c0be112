"""Where standing feet stand: one place per contact, heel and toe as far apart as the foot is long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.contacts import runs

__all__ = ["FootPlaces", "faded", "foot_places", "resting_place"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SLOW_MPS: Final = 0.1
_NEAR_M: Final = 0.03
_ROUNDS: Final = 30
_SLOPE_S: Final = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class FootPlaces:
    """Where one foot stands.

    Attributes:
        heel: (T,) whether the heel stands.
        toe: (T,) whether the toe stands.
        heel_m: (T, 3) where, constant during each contact; NaN where it does not stand.
        toe_m: (T, 3), likewise.
    """

    heel: Flags
    toe: Flags
    heel_m: Floats
    toe_m: Floats

    @property
    def flat(self) -> Flags:
        """(T,) both stand."""
        return self.heel & self.toe

    @property
    def any(self) -> Flags:
        """(T,) either stands."""
        return self.heel | self.toe


def resting_place(points_m: Floats, fps: float) -> Floats:
    """Find the place (3,) of a point that stands and drifts (T, 3): a mean that slow frames near it decide."""
    if len(points_m) < 3:
        return np.asarray(points_m.mean(axis=0))
    slow = 1 / (1 + (np.linalg.norm(np.gradient(points_m, axis=0), axis=-1) * fps / _SLOW_MPS) ** 2)
    weight = slow
    for _ in range(4):
        place = weight @ points_m / weight.sum()
        weight = slow / (1 + (np.linalg.norm(points_m - place, axis=-1) / _NEAR_M) ** 2)
    return np.asarray(weight @ points_m / weight.sum())


def foot_places(points_m: Floats, stands: Flags, support_m: Floats, length_m: float, fps: float) -> FootPlaces:
    """Find one place for each contact of one foot.

    Args:
        points_m: (T, 2, 3) heel and toe.
        stands: (T, 2).
        support_m: (T, 2) what they stand on; taken at the start of each contact.
        length_m: from heel to toe on level ground.
        fps: frames per second.
    """
    spans = [(k, start, stop) for k in (0, 1) for start, stop in runs(stands[:, k])]
    places = [resting_place(points_m[start:stop, k], fps) for k, start, stop in spans]
    for place, (k, start, _) in zip(places, spans, strict=True):
        place[1] = support_m[start, k]
    _as_long_as_the_foot(places, spans, length_m)
    found = np.full(points_m.shape, np.nan)
    for place, (k, start, stop) in zip(places, spans, strict=True):
        found[start:stop, k] = place
    return FootPlaces(heel=stands[:, 0], toe=stands[:, 1], heel_m=found[:, 0], toe_m=found[:, 1])


def _as_long_as_the_foot(places: list[Floats], spans: list[tuple[int, int, int]], length_m: float) -> None:
    """Move the places (in place, along the ground) of heels and toes that stand at once, the longer contact less."""
    pairs = [
        (h, t)
        for h, (kind, start, stop) in enumerate(spans)
        for t, (other, first, last) in enumerate(spans)
        if kind == 0 and other == 1 and start < last and first < stop
    ]
    for _ in range(_ROUNDS):
        largest = 0.0
        for h, t in pairs:
            apart = places[t] - places[h]
            rise, apart[1] = apart[1], 0.0
            level = float(np.sqrt(max(length_m**2 - rise**2, (0.3 * length_m) ** 2)))
            distance = max(float(np.linalg.norm(apart)), 1e-9)
            change = apart / distance * (level - distance)
            frames = [spans[i][2] - spans[i][1] for i in (h, t)]
            share = frames[1] / (frames[0] + frames[1])
            places[h] = places[h] - share * change
            places[t] = places[t] + (1 - share) * change
            largest = max(largest, abs(level - distance))
        if largest < 1e-9:
            return


def faded(values: Floats, known: Flags, fps: float, seconds: float) -> Floats:
    """Let values that are known in some stretches of time fade to zero outside of them, without a jump or a kink.

    Beyond each end the value goes on with the slope that it had, and comes to rest at zero after ``seconds`` (sooner
    where the next stretch begins sooner): a polynomial of fifth degree, continuous in value and slope, that begins
    and ends without curvature.

    Args:
        values: (T, N); read where ``known``.
        known: (T,).
        fps: frames per second.
        seconds: how long fading takes.
    """
    fading = max(1, round(seconds * fps))
    out = np.where(known[:, None], values, 0.0)
    spans = runs(known)
    for i, (start, stop) in enumerate(spans):
        slope_frames = min(max(1, round(_SLOPE_S * fps)), stop - 1 - start)
        after = spans[i + 1][0] - (stop - 1) if i + 1 < len(spans) else fading
        before = start - (spans[i - 1][1] - 1) if i else fading
        for edge, way, frames in ((stop - 1, 1, min(fading, after)), (start, -1, min(fading, before))):
            inner = values[edge - way * slope_frames]
            slope = (values[edge] - inner) / max(slope_frames, 1) * frames
            steps = np.arange(1, frames)
            steps = steps[(edge + way * steps >= 0) & (edge + way * steps < len(values))]
            u = (steps / frames)[:, None]
            held, sloped = 1 - u**3 * (10 - 15 * u + 6 * u**2), u - u**3 * (6 - 8 * u + 3 * u**2)
            out[edge + way * steps] += values[edge] * held + slope * sloped
    return out
