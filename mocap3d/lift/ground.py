"""Gravity and the floor of one shot, from the people who stand on it.

Three kinds of evidence are weighed together, each with its expected error: planted feet lie in one plane, torsos are
upright on average, and cameras are held roughly level (or at the tilt that the user measured). The answer is the most
probable up direction and floor height, and how far off they may be. Feet on a roof or a chair tell what is level, the
lowest level that feet use is the floor. One plane for the whole shot: no frame is moved on its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from mocap3d.base.errors import InputError
from mocap3d.base.ground import Ground
from mocap3d.base.humanoid import BodyLengths
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.root_path import ankles_and_toes

__all__ = ["GroundSettings", "find_ground", "footfalls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundSettings:
    """Expected errors, one standard deviation each.

    Attributes:
        foot_std_m: height of one planted ankle or toe above its place on the plane.
        depth_std: error of a step's distance from the camera against that of others, as a part of it.
        torso_std_deg: lean of a torso, averaged over a clip, on top of how much it varies.
        level_std_deg: tilt and roll of a camera nobody measured.
        tilt_std_deg: tilt of a camera that was measured.
        ankle_height: of a lifted ankle above its sole, shoe included, as a part of the stature.
        toe_height: of a toe tip.
        step_m: feet planted further above or below all others stand on something else, which is as level as the floor
            but does not set its height.
        level_price: how much better (in half squared standard deviations) several levels must explain the feet.
    """

    foot_std_m: float = 0.03
    depth_std: float = 0.02
    torso_std_deg: float = 6.0
    level_std_deg: float = 20.0
    tilt_std_deg: float = 1.0
    ankle_height: float = 0.045
    toe_height: float = 0.012
    step_m: float = 0.4
    level_price: float = 4.0


def find_ground(
    bodies: Sequence[Pose3D],
    contacts: Sequence[NDArray[np.float64]],
    *,
    height_m: float,
    camera_tilt_deg: float | None = None,
    settings: GroundSettings | None = None,
) -> Ground:
    """Find up and the floor from bodies in one still camera's frame.

    Args:
        bodies: people of one shot, camera frame, LIFTER_20 joints.
        contacts: per body (T, 4) in 0..1: left ankle, left toe, right ankle, right toe.
        height_m: stature, for the height of an ankle above its sole.
        camera_tilt_deg: measured; positive looks down.
        settings: expected errors.

    Raises:
        InputError: no body, or none with a finite frame.
    """
    settings = settings or GroundSettings()
    pelvis_m = np.concatenate([body.xyz_m[:, 0] for body in bodies]) if bodies else np.empty((0, 3))
    pelvis_m = pelvis_m[np.isfinite(pelvis_m).all(axis=-1)]
    if not len(pelvis_m):
        raise InputError("the floor needs at least one person who was seen")
    points, heights = _planted(bodies, contacts, height_m, settings)
    torso, torso_std = _torso(bodies, settings)
    prior = _Prior(
        torso=torso,
        torso_std_deg=torso_std,
        measured_tilt_deg=camera_tilt_deg,
    )
    fit = _fit_best(points, heights, prior, settings)
    if len(points):
        floor, used = _lowest_well_trodden(fit.floors, fit.level)
    else:
        floor, used = _floor_without_feet(bodies, fit.up, height_m), 0
    return Ground(
        world_from_cam=_world_from_cam(fit.up, floor, pelvis_m[0]),
        up_std_deg=fit.up_std_deg,
        floor_std_m=settings.foot_std_m / math.sqrt(used / 2) if used else 0.1 * height_m,
        footfalls=used,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prior:
    """What speaks for an up direction besides feet."""

    torso: NDArray[np.float64]
    torso_std_deg: float
    measured_tilt_deg: float | None

    @property
    def start(self) -> tuple[float, float]:
        """Tilt and roll (radians) at which torsos are upright; a tilt that was measured is kept."""
        tilt, roll = _tilt_and_roll(self.torso)
        return (tilt if self.measured_tilt_deg is None else math.radians(self.measured_tilt_deg)), roll


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """One explanation: up, what each footfall stood on, how high those things are, and how badly it fits."""

    up: NDArray[np.float64]
    up_std_deg: tuple[float, float]
    level: NDArray[np.int64]
    floors: NDArray[np.float64]
    cost: float


def _fit_best(
    points: NDArray[np.float64], heights: NDArray[np.float64], prior: _Prior, settings: GroundSettings
) -> _Fit:
    """Everybody on one floor, or on several levels: what explains most; each level more must be worth its price."""
    one = _fit(points, heights, np.zeros(len(points), np.int64), prior, settings)
    fits = [one]
    for up in (_up(*prior.start), one.up):
        level = _levels(points @ up - heights, settings.step_m)
        if level.any():
            fits.append(_fit(points, heights, level, prior, settings))
    return min(fits, key=lambda fit: fit.cost + settings.level_price * len(fit.floors))


def _levels(above: NDArray[np.float64], step_m: float) -> NDArray[np.int64]:
    """Number the things that feet stood on (meadow, roof): heights further apart than a step are another level."""
    order = np.argsort(above)
    level = np.zeros(len(above), dtype=np.int64)
    level[order] = np.cumsum(np.diff(above[order], prepend=above[order][:1]) > step_m)
    return level


def _lowest_well_trodden(floors: NDArray[np.float64], level: NDArray[np.int64]) -> tuple[float, int]:
    """The lowest level with a fair part of all footfalls, and how many it has."""
    count = np.bincount(level, minlength=len(floors))
    fair = np.flatnonzero(count >= 0.2 * count.max())
    lowest = fair[np.argmin(floors[fair])]
    return float(floors[lowest]), int(count[lowest])


def _fit(
    points: NDArray[np.float64],
    heights: NDArray[np.float64],
    level: NDArray[np.int64],
    prior: _Prior,
    settings: GroundSettings,
) -> _Fit:
    """Find camera tilt and roll, and the height of each level along up (none without footfalls)."""

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        up = _up(x[0], x[1])
        # An error in distance moves a point along its own viewing ray, and so along `up`.
        feet_std = np.hypot(settings.foot_std_m, points @ up * settings.depth_std)
        feet = (points @ up - x[2:][level] - heights) / feet_std
        lean = _rotation_deg(prior.torso, up) / prior.torso_std_deg
        tilt = math.degrees(x[0]) / settings.level_std_deg
        if prior.measured_tilt_deg is not None:
            tilt = (math.degrees(x[0]) - prior.measured_tilt_deg) / settings.tilt_std_deg
        roll = math.degrees(x[1]) / settings.level_std_deg
        return np.concatenate([_softly(feet), lean, [tilt, roll], 1e-6 * x[2:]])

    above = points @ _up(*prior.start) - heights
    floors = [float(np.median(above[level == n])) for n in range(int(level.max(initial=-1)) + 1)]
    solution = least_squares(residuals, [*prior.start, *floors], method="lm")
    jacobian = np.asarray(solution.jac)
    std = np.sqrt(np.diag(np.linalg.pinv(jacobian.T @ jacobian)))
    return _Fit(
        up=_up(solution.x[0], solution.x[1]),
        up_std_deg=(math.degrees(std[0]), math.degrees(std[1])),
        level=level,
        floors=solution.x[2:],
        cost=float(solution.cost),
    )


def footfalls(feet_m: NDArray[np.float64], contacts: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
    """Average each stretch of contact to one point: [(column 0..3, (3,) metres)]."""
    found = []
    for column in range(contacts.shape[1]):
        planted = np.concatenate([[False], contacts[:, column] > 0.5, [False]])
        edges = np.flatnonzero(np.diff(planted.astype(int)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            found.append((column, np.nanmedian(feet_m[start:stop, column], axis=0)))
    return found


def _planted(
    bodies: Sequence[Pose3D], contacts: Sequence[NDArray[np.float64]], height_m: float, settings: GroundSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    above = height_m * np.array([settings.ankle_height, settings.toe_height] * 2)
    found = [
        (point, above[column])
        for body, planted in zip(bodies, contacts, strict=True)
        for column, point in footfalls(ankles_and_toes(body), planted)
    ]
    return np.array([point for point, _ in found]).reshape(-1, 3), np.array([height for _, height in found])


def _torso(bodies: Sequence[Pose3D], settings: GroundSettings) -> tuple[NDArray[np.float64], float]:
    """Mean direction from pelvis to the base of the neck, and its expected error in degrees."""
    spines = np.concatenate([body.xyz_m[:, body.skeleton.index("thorax")] - body.xyz_m[:, 0] for body in bodies])
    spines = spines[np.linalg.norm(np.nan_to_num(spines), axis=-1) > 1e-6]
    if not len(spines):
        raise InputError("no torso was seen: nothing says which way is up")
    directions = spines / np.maximum(np.linalg.norm(spines, axis=-1, keepdims=True), 1e-9)
    centre = np.median(directions, axis=0)
    centre /= np.linalg.norm(centre)
    spread = float(np.median(np.degrees(np.arccos(np.clip(directions @ centre, -1, 1)))))
    return centre, math.hypot(settings.torso_std_deg, spread)


def _up(tilt: float, roll: float) -> NDArray[np.float64]:
    """Up in camera axes (y down) for a camera that looks down by ``tilt`` and is rolled by ``roll``."""
    return np.array([math.sin(roll) * math.cos(tilt), -math.cos(roll) * math.cos(tilt), -math.sin(tilt)])


def _tilt_and_roll(up: NDArray[np.float64]) -> tuple[float, float]:
    return math.asin(float(np.clip(-up[2], -1, 1))), math.atan2(up[0], -up[1])


def _rotation_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation from one direction to another as a vector in degrees: three residuals without a kink at zero."""
    cross = np.cross(a, b)
    sine = float(np.linalg.norm(cross))
    angle = math.atan2(sine, float(a @ b))
    return np.asarray(cross * math.degrees(angle / sine if sine > 1e-9 else 1.0))


def _softly(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square roots of a Cauchy loss: one misjudged step does not tilt the floor."""
    return np.asarray(np.sign(residual) * np.sqrt(np.log1p(residual**2 / 4) * 4))


def _floor_without_feet(bodies: Sequence[Pose3D], up: NDArray[np.float64], height_m: float) -> float:
    """Nobody's feet were seen to be planted: take the hip joints at the height at which they stand."""
    hips = [LIFTER_20.index(f"{side}_hip") for side in ("left", "right")]
    heights = np.concatenate([body.xyz_m[:, hips].mean(axis=1) @ up for body in bodies])
    return float(np.nanmedian(heights)) - BodyLengths().scaled(height_m).hips_height_m


def _world_from_cam(up: NDArray[np.float64], floor: float, pelvis_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up becomes +Y, the camera's forward -Z, and the floor below a pelvis the origin."""
    forward = np.array([0.0, 0.0, 1.0])
    back = -(forward - up * (forward @ up))
    if np.linalg.norm(back) < 1e-3:  # straight down or up: keep the picture's up as forward
        back = np.array([0.0, -np.sign(up[2]), 0.0])
        back -= up * (back @ up)
    z = back / np.linalg.norm(back)
    R = np.stack([np.cross(up, z), up, z])
    below = pelvis_m - up * (pelvis_m @ up - floor)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = R, -R @ below
    return matrix
