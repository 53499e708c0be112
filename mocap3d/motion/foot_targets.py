"""How one foot must be turned and where its ankle must be so that it stands where it shall."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mocap3d.base.contacts import runs
from mocap3d.base.feet import Leg
from mocap3d.base.joint_limits import LIMITS_RAD
from mocap3d.base.rotations import (
    rotation_between,
    rotvec_to_wxyz,
    wxyz_conjugate,
    wxyz_multiply,
    wxyz_rotate,
    wxyz_to_rotvec,
)
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.foot_places import FootPlaces, faded

__all__ = ["FootTarget", "sole_length_m"]

Floats = NDArray[np.float64]

_DEEP_M: Final = 0.12
_CALM_S: Final = 0.08  # standard deviation of the Gaussian
_TOES_RAD: Final = -LIMITS_RAD[HUMANOID_22.index("leftToes"), ::-1, 1]  # flexion > 0, extension < 0, about the hinge
_HAND_OVER_S: Final = 0.03  # standard deviation of the Gaussian by which the heel hands over to the toe
_TIPTOE_RAD: Final = np.radians(12.0)  # toes whose tip alone stands slope no more than this
_ROLLS_S: Final = 0.15  # it takes them from lying flat to that slope
_MOST_AIM: Final = 0.5  # of the distance from pivot to ankle: 30 degrees
_STEEPEST: Final = 0.95  # sine of the slope of feet and toes that are brought to the level


class FootTarget:
    """One foot over T frames, in the world, as it shall be: ``foot_wxyz``, ``toes_wxyz`` (T, 4), ``ankle_m`` (T, 3).

    Args:
        leg: whose foot.
        world_m: (T, J, 3) joints as they are.
        world_wxyz: (T, J, 4) world_from_joint as they are.
        places: where heel and toe stand.
        support_m: (T, 2) heights of what lies below heel and toe.
        fps: frames per second.
        fade_s: how fast corrections fade out.
    """

    def __init__(
        self,
        leg: Leg,
        world_m: Floats,
        world_wxyz: Floats,
        places: FootPlaces,
        support_m: Floats,
        fps: float,
        fade_s: float,
    ) -> None:
        """Find the target; the order of the steps matters, as each works on what the one before left."""
        self._leg, self._places, self._support_m = leg, places, support_m
        self._fps, self._fade_s = fps, fade_s
        self._has_toes = leg.toes != leg.foot
        self._level_sole()
        self.ankle_m, self.foot_wxyz = world_m[:, leg.foot], world_wxyz[:, leg.foot]
        self.toes_wxyz = world_wxyz[:, leg.toes]
        self._toes_in_foot_wxyz = wxyz_multiply(wxyz_conjugate(self.foot_wxyz), self.toes_wxyz)
        self._turn_flat()
        pivot_m, arm_m = self._pivot()
        self._roll(pivot_m, arm_m)
        self._bend_toes()
        self.ankle_m = self.ankle_m + self._faded(self._goal_m(pivot_m, arm_m) - self.ankle_m, places.any)
        self._raise_toes()
        self._lift()

    @property
    def stands(self) -> NDArray[np.bool_]:
        """(T,) heel or toes stand."""
        return self._places.any

    def turn_to(self, foot_wxyz: Floats, toes_wxyz: Floats) -> None:
        """Take other rotations (T, 4); the ankle moves so that what stands stays, and calmly on before and after."""
        heel, toe = self._sole()
        self.foot_wxyz, self.toes_wxyz = foot_wxyz, toes_wxyz
        turned_heel, turned_toe = self._sole()
        places, calm = self._places, _HAND_OVER_S * self._fps
        by_heel, by_toe = (gaussian_filter1d(stands.astype(np.float64), calm) for stands in (places.heel, places.toe))
        share = (by_heel / np.maximum(by_heel + by_toe, 1e-9))[:, None]
        shift = share * (heel - turned_heel) + (1 - share) * (toe - turned_toe)
        self.ankle_m = self.ankle_m + self._faded(shift, places.any)

    def _sole(self) -> tuple[Floats, Floats]:
        """Heel and tip of the toes (T, 3) from the ankle."""
        ball = wxyz_rotate(self.foot_wxyz, self._leg.ball_m)
        tip = wxyz_rotate(self.toes_wxyz, self._leg.toe_m) if self._has_toes else 0.0
        return wxyz_rotate(self.foot_wxyz, self._leg.heel_m), ball + tip

    def _level_sole(self) -> None:
        """Points of the sole from the ankle, the toes pointing at +Z on level ground."""
        leg = self._leg
        self._heel = wxyz_rotate(leg.level_foot_wxyz, leg.heel_m)
        ball = wxyz_rotate(leg.level_foot_wxyz, leg.ball_m)
        self._toe = ball + wxyz_rotate(leg.level_toes_wxyz, leg.toe_m) if self._has_toes else ball
        below_ball = np.array([ball[0], self._heel[1], ball[2]])
        self._hinge = wxyz_rotate(wxyz_conjugate(leg.level_toes_wxyz), np.array([1.0, 0.0, 0.0]))
        self._below_ball_m = wxyz_rotate(wxyz_conjugate(leg.level_foot_wxyz), below_ball)  # in the frame of the foot

    def _faded(self, values: Floats, known: NDArray[np.bool_]) -> Floats:
        return faded(values, known, self._fps, self._fade_s)

    def _turn_flat(self) -> None:
        """Lay the foot flat where heel and toe stand; find how toes that stand lie."""
        flat, leg = self._places.flat, self._leg
        since_level = _level_turn(self._places.heel_m, self._places.toe_m, self._toe - self._heel, flat)
        change = wxyz_to_rotvec(
            wxyz_multiply(wxyz_multiply(since_level, leg.level_foot_wxyz), wxyz_conjugate(self.foot_wxyz))
        )
        self.foot_wxyz = wxyz_multiply(rotvec_to_wxyz(self._faded(change, flat)), self.foot_wxyz)
        toes_wxyz = wxyz_multiply(self.foot_wxyz, self._toes_in_foot_wxyz)
        heading = _heading(wxyz_multiply(toes_wxyz, wxyz_conjugate(leg.level_toes_wxyz)))
        heading = np.where(flat[:, None], since_level, heading)
        lying_wxyz = wxyz_multiply(heading, leg.level_toes_wxyz)
        falls = _slope(wxyz_rotate(lying_wxyz, leg.toe_m)) - _slope(wxyz_rotate(toes_wxyz, leg.toe_m))
        rolls = (self._places.toe & ~flat) * (1.0 - faded(np.ones((len(flat), 1)), flat, self._fps, _ROLLS_S)[:, 0])
        pitch = _about(0, np.clip(falls, 0.0, _TIPTOE_RAD * rolls))
        self._standing_toes_wxyz = wxyz_multiply(wxyz_multiply(heading, rotvec_to_wxyz(pitch)), leg.level_toes_wxyz)

    def _pivot(self) -> tuple[Floats, Floats]:
        """What the foot rolls about (T, 3), heel or ball; NaN in the air. And the ankle from there, in its frame."""
        places, leg = self._places, self._leg
        by_heel = places.heel[:, None]
        from_ball = wxyz_rotate(self._standing_toes_wxyz, leg.toe_m) if self._has_toes else 0.0
        return np.where(by_heel, places.heel_m, places.toe_m - from_ball), -np.where(by_heel, leg.heel_m, leg.ball_m)

    def _goal_m(self, pivot_m: Floats, arm_m: Floats) -> Floats:
        """Where the ankle (T, 3) must be; NaN in the air. Toes are bent by now, and their tips stay."""
        if self._has_toes:
            from_ball = wxyz_rotate(self.toes_wxyz, self._leg.toe_m)
            pivot_m = np.where(self._places.heel[:, None], pivot_m, self._places.toe_m - from_ball)
        return pivot_m + wxyz_rotate(self.foot_wxyz, arm_m)

    def _roll(self, pivot_m: Floats, arm_m: Floats) -> None:
        """Turn a foot that stands on its heel or its ball about that, so that the ankle goes on as calmly as it did.

        A pinned point would shake the ankle with every error of the foot's direction. So the ankle is moved by what the
        correction is on average over some time, the foot aims at it, and nothing of the sole is below what stands.
        """
        places = self._places
        rolls = places.heel ^ places.toe
        arm = wxyz_rotate(self.foot_wxyz, arm_m)
        correction = np.where(places.any[:, None], pivot_m + arm - self.ankle_m, 0.0)
        calm = self._calmed(correction)
        aim = np.where(rolls[:, None], self.ankle_m + calm - pivot_m, arm)
        near = np.linalg.norm(aim - arm, axis=-1) < _MOST_AIM * np.linalg.norm(arm, axis=-1)
        turn = rotation_between(arm, np.where(near[:, None], aim, arm))
        sole = wxyz_rotate(wxyz_multiply(turn, self.foot_wxyz), self._below_ball_m - self._leg.heel_m)
        sinks = rolls & np.where(places.heel, sole[:, 1] < 0, sole[:, 1] > 0)
        sinks &= np.abs(sole[:, 1]) < _STEEPEST * np.linalg.norm(sole, axis=-1)
        level = rotation_between(sole, np.where(sinks[:, None], sole * [1.0, 0.0, 1.0], sole))
        change = np.where(rolls[:, None], wxyz_to_rotvec(wxyz_multiply(level, turn)), 0.0)
        self.foot_wxyz = wxyz_multiply(rotvec_to_wxyz(self._faded(change, places.any)), self.foot_wxyz)

    def _calmed(self, correction: Floats) -> Floats:
        """Smooth the ankle's correction (T, 3) within each contact; where the foot is flat, and near there, keep it."""
        flat = self._faded(np.ones((len(correction), 1)), self._places.flat)
        calm = correction.copy()
        for start, stop in runs(self._places.any):
            calm[start:stop] = gaussian_filter1d(
                correction[start:stop], _CALM_S * self._fps, axis=0, mode="nearest", truncate=3.0
            )
        return np.asarray(calm + np.clip(flat, 0.0, 1.0) * (correction - calm))

    def _bend_toes(self) -> None:
        """Bend toes that stand about their hinge until the tip is on the ground; elsewhere as bent as they were."""
        if not self._has_toes:
            self.toes_wxyz = self.foot_wxyz
            return
        leg, places = self._leg, self._places
        rigid = wxyz_multiply(self.foot_wxyz, self._toes_in_foot_wxyz)
        straight = wxyz_multiply(
            self.foot_wxyz, wxyz_multiply(wxyz_conjugate(leg.level_foot_wxyz), leg.level_toes_wxyz)
        )
        rise = wxyz_rotate(self._standing_toes_wxyz, leg.toe_m)[:, 1]
        bend = np.clip(np.where(places.flat, 0.0, self._bend_to(straight, rise)), *_TOES_RAD)
        standing = wxyz_multiply(straight, self._hinged(bend))
        change = wxyz_to_rotvec(wxyz_multiply(wxyz_conjugate(rigid), standing))
        self.toes_wxyz = wxyz_multiply(rigid, rotvec_to_wxyz(self._faded(change, places.toe)))

    def _raise_toes(self) -> None:
        """Bend up toes that would be in the ground while only the heel stands."""
        if not self._has_toes:
            return
        ball = self.ankle_m + wxyz_rotate(self.foot_wxyz, self._leg.ball_m)
        along = wxyz_rotate(self.toes_wxyz, self._leg.toe_m)
        length = float(np.linalg.norm(self._leg.toe_m))
        rise = self._support_m[:, 1] - ball[:, 1]
        sinks = self._places.heel & ~self._places.toe & (along[:, 1] < rise) & (rise < _STEEPEST * length)
        bend = np.where(sinks, self._bend_to(self.toes_wxyz, rise), 0.0)
        self.toes_wxyz = np.where(sinks[:, None], wxyz_multiply(self.toes_wxyz, self._hinged(bend)), self.toes_wxyz)

    def _hinged(self, bend_rad: Floats) -> Floats:
        """Turns (T, 4) of the toes about their hinge, in their own frame."""
        return rotvec_to_wxyz(bend_rad[:, None] * self._hinge)

    def _bend_to(self, toes_wxyz: Floats, rise_m: Floats) -> Floats:
        """How far (T,) toes must bend so that the tip is so much (T,) above the ball, or as near to that as can be."""
        hinge, along = wxyz_rotate(toes_wxyz, self._hinge), wxyz_rotate(toes_wxyz, self._leg.toe_m)
        on_axis = np.einsum("ti,ti->t", hinge, along) * hinge[:, 1]
        cosine, sine = along[:, 1] - on_axis, np.cross(hinge, along)[:, 1]
        swing = np.hypot(cosine, sine)
        most = np.arccos(np.clip((rise_m - on_axis) / np.maximum(swing, 1e-9), -1.0, 1.0))
        both = np.arctan2(sine, cosine) + np.stack([most, -most])
        both = (both + np.pi) % (2 * np.pi) - np.pi
        off = np.abs(both - np.mean(_TOES_RAD))
        return np.asarray(np.where(off[0] < off[1], both[0], both[1]))

    def _lift(self) -> None:
        """Lift a foot in the air out of the ground, unless it goes so deep that it must stand on something else."""
        ball = wxyz_rotate(self.foot_wxyz, self._leg.ball_m)
        toe = ball + wxyz_rotate(self.toes_wxyz, self._leg.toe_m) if self._has_toes else ball
        points = (wxyz_rotate(self.foot_wxyz, self._leg.heel_m), wxyz_rotate(self.foot_wxyz, self._below_ball_m), toe)
        lowest = self.ankle_m[:, 1] + np.min([point[:, 1] for point in points], axis=0)
        depth = np.maximum(self._support_m.min(axis=1) - lowest, 0.0)
        depth[self._places.any] = 0.0
        for start, stop in runs(depth > 1e-9):
            if depth[start:stop].max() > _DEEP_M:
                depth[start:stop] = 0.0
        self.ankle_m = self.ankle_m + depth[:, None] * np.array([0.0, 1.0, 0.0])


def sole_length_m(leg: Leg) -> float:
    """From the heel to the tip of the toes on level ground."""
    to_toe = wxyz_rotate(leg.level_toes_wxyz, leg.toe_m) if leg.toes != leg.foot else np.zeros(3)
    return float(np.linalg.norm(wxyz_rotate(leg.level_foot_wxyz, leg.ball_m - leg.heel_m) + to_toe))


def _level_turn(heel_m: Floats, toe_m: Floats, sole: Floats, flat: NDArray[np.bool_]) -> Floats:
    """How a foot has turned since it pointed at +Z on level ground, (T, 4): a slope, then a heading."""
    along = np.where(flat[:, None], toe_m - heel_m, sole)
    heading = np.arctan2(along[:, 0], along[:, 2])
    slope = -np.arctan2(along[:, 1], np.hypot(along[:, 0], along[:, 2]))
    before = -np.arctan2(sole[0], sole[2])
    turn = wxyz_multiply(rotvec_to_wxyz(_about(1, heading)), rotvec_to_wxyz(_about(0, slope)))
    return wxyz_multiply(turn, rotvec_to_wxyz(np.array([0.0, before, 0.0])))


def _slope(along: Floats) -> Floats:
    """How steeply vectors (T, 3) rise, in radians."""
    return np.asarray(np.arctan2(along[:, 1], np.hypot(along[:, 0], along[:, 2])))


def _heading(turned: Floats) -> Floats:
    """The turn about the vertical (T, 4) of a foot that has turned since it pointed at +Z: the twist about +Y."""
    twist = turned * [1.0, 0.0, 1.0, 0.0]
    length = np.linalg.norm(twist, axis=-1, keepdims=True)
    return np.where(length < 1e-6, [1.0, 0.0, 0.0, 0.0], twist / np.maximum(length, 1e-6))


def _about(axis: int, angle_rad: Floats) -> Floats:
    """Rotation vectors (T, 3) about a coordinate axis."""
    out = np.zeros((*np.shape(angle_rad), 3))
    out[..., axis] = angle_rad
    return out
