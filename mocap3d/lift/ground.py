"""Gravity and the floor of one shot, from the people who stand on it.

Three kinds of evidence are weighed together, each with its expected error: planted feet lie in one plane, torsos are
upright on average, and cameras are held roughly level (or at the tilt that the user measured). The answer is the most
probable up direction and floor height, and how far off they may be. One plane for the whole shot: no frame is moved
on its own.
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
from mocap3d.base.pose import Pose3D
from mocap3d.base.rotations import rotation_between, wxyz_rotate
from mocap3d.lift.root_path import ankles_and_toes

__all__ = ["GroundSettings", "find_ground", "footfalls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundSettings:
    """Expected errors, one standard deviation each.

    Attributes:
        foot_std_m: height of one planted ankle or toe above its place on the plane.
        depth_std: error of a person's distance from the camera, as a part of it.
        torso_std_deg: lean of a torso, averaged over a clip, on top of how much it varies.
        level_std_deg: tilt and roll of a camera nobody measured.
        tilt_std_deg: tilt of a camera that was measured.
        ankle_height, toe_height: above the sole, as parts of the stature.
    """

    foot_std_m: float = 0.03
    depth_std: float = 0.05
    torso_std_deg: float = 6.0
    level_std_deg: float = 20.0
    tilt_std_deg: float = 1.0
    ankle_height: float = 0.045
    toe_height: float = 0.012


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
        InputError: no body.
    """
    settings = settings or GroundSettings()
    if not bodies:
        raise InputError("the floor needs at least one person")
    points, heights = _planted(bodies, contacts, height_m, settings)
    torso, torso_std = _torso(bodies, settings)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        up, floor = _up(x[0], x[1]), x[2]
        depth = points @ np.array([0.0, 0.0, 1.0])
        # How much an error in distance moves the point along `up`; the viewing ray is the point itself.
        along = (points @ up) * settings.depth_std if len(points) else depth
        feet = (points @ up - floor - heights) / np.hypot(settings.foot_std_m, along)
        lean = _angles_between(up, torso) / torso_std
        tilt_mean, tilt_std = (
            (0.0, settings.level_std_deg) if camera_tilt_deg is None else (camera_tilt_deg, settings.tilt_std_deg)
        )
        camera = [(math.degrees(x[0]) - tilt_mean) / tilt_std, math.degrees(x[1]) / settings.level_std_deg]
        return np.concatenate([_softly(feet), lean, camera, [1e-6 * floor]])

    start_tilt, start_roll = _tilt_and_roll(torso)
    floor0 = float(np.median(points @ torso - heights)) if len(points) else 0.0
    solution = least_squares(residuals, [start_tilt, start_roll, floor0], method="lm")
    tilt, roll, floor = (float(value) for value in solution.x)
    jacobian = np.asarray(solution.jac)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    if not len(points):
        floor = _floor_without_feet(bodies, _up(tilt, roll), height_m)
    std = np.sqrt(np.diag(covariance))
    return Ground(
        world_from_cam=_world_from_cam(_up(tilt, roll), float(floor), bodies[0].xyz_m[0, 0]),
        up_std_deg=(math.degrees(std[0]), math.degrees(std[1])),
        floor_std_m=settings.foot_std_m / math.sqrt(len(points)) if len(points) else 0.1 * height_m,
        footfalls=len(points),
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
    spines = spines[np.isfinite(spines).all(axis=-1)]
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


def _angles_between(up: NDArray[np.float64], torso: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation from one direction to the other as a vector in degrees: three residuals without a kink at zero."""
    cross = np.cross(torso, up)
    sine = float(np.linalg.norm(cross))
    angle = math.atan2(sine, float(torso @ up))
    return np.asarray(cross * math.degrees(angle / sine if sine > 1e-9 else 1.0))


def _softly(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square roots of a Cauchy loss: a foot on a step does not tilt the floor."""
    return np.asarray(np.sign(residual) * np.sqrt(np.log1p(residual**2 / 4) * 4))


def _floor_without_feet(bodies: Sequence[Pose3D], up: NDArray[np.float64], height_m: float) -> float:
    """Nobody's feet were seen to be planted: take the pelvis at the height at which it stands (0.53 of the stature)."""
    return float(np.nanmedian(np.concatenate([body.xyz_m[:, 0] @ up for body in bodies])) - 0.53 * height_m)


def _world_from_cam(up: NDArray[np.float64], floor: float, pelvis_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Up becomes +Y, the camera's forward -Z, and the floor below a pelvis the origin."""
    forward = np.array([0.0, 0.0, 1.0])
    back = -(forward - up * (forward @ up))
    if np.linalg.norm(back) < 1e-3:  # straight down or up: keep the picture's up as forward
        back = wxyz_rotate(rotation_between(forward, up), [0.0, 1.0, 0.0])
        back -= up * (back @ up)
    z = back / np.linalg.norm(back)
    R = np.stack([np.cross(up, z), up, z])
    below = pelvis_m - up * (pelvis_m @ up - floor)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = R, -R @ below
    return matrix
