"""Finding gravity and the floor again in Human3.6M's exponential-map clips, from the feet that stand on it.

A foot that does not move stands on the floor. All such points of a clip lie on parallel planes, one per kind of point
(ankle, ball, tip of the toes), whose common normal is up. A walk spreads them over metres and settles the normal to a
fraction of a degree; a clip on a chair hardly spreads them at all. So the fit is pulled, weakly, to the tilt that the
subject's pelvis had at the start of the other clips: everybody starts standing, and the first pelvis is the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.skeletons import HUMAN36M_32

__all__ = ["Floor", "find_floor", "level", "level_rotation", "median_up"]

_STANDS_MM_PER_S: Final = 100.0
_HEIGHT_STD_MM: Final = 10.0  # of a standing point about its plane
_PRIOR_STD_RAD: Final = np.deg2rad(4.0)
_FRAMES_PER_SECOND: Final = 50
_STEPS: Final = 30
# Ankles, balls and tips of the toes, left and right of one kind together.
_POINTS: Final = tuple(
    (HUMAN36M_32.index("left_" + name), HUMAN36M_32.index("right_" + name)) for name in ("ankle", "toe_base", "toe")
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Floor:
    """The floor of one clip.

    Attributes:
        up: (3,) unit vector.
        height_mm: of the floor along ``up``: of the lowest of the three kinds of standing points.
        residual_mm: median distance of standing points from their planes; NaN when nothing ever stood.
        spread_mm: how far the standing points reach over the floor, along the narrower of their two axes.
    """

    up: NDArray[np.float64]
    height_mm: float
    residual_mm: float
    spread_mm: float


def find_floor(joints_mm: NDArray[np.float64], prior_up: NDArray[np.float64], prior_weight: float = 1.0) -> Floor:
    """Fit up and floor to the standing feet of one clip.

    Args:
        joints_mm: (T, 32, 3) of HUMAN36M_32 at 50 Hz.
        prior_up: (3,) where up should be if the feet do not tell.
        prior_weight: 1 for a subject's measured tilt; less for a guess.
    """
    points, kind = _standing(joints_mm)
    to_prior = Rotation.align_vectors([[0.0, 1.0, 0.0]], [prior_up])[0]
    local = to_prior.apply(points) if len(points) else points
    centre = local.mean(axis=0) if len(points) else np.zeros(3)
    # y = slope_x * x + slope_z * z + height of the kind; the two slopes are pulled to 0, which is the prior.
    design = np.concatenate([(local - centre)[:, [0, 2]], np.eye(len(_POINTS))[kind]], axis=1)
    y = local[:, 1] - centre[1]
    ridge = np.zeros(design.shape[1])
    # Neighbouring frames of one stance err alike: a stance counts as one observation per half second.
    per_frame = 1 / (_FRAMES_PER_SECOND / 2)
    ridge[:2] = prior_weight * (_HEIGHT_STD_MM / _PRIOR_STD_RAD) ** 2
    ridge[2:] = 1e-9
    solution = np.zeros(design.shape[1])
    solution[2:] = [np.median(y[kind == k]) if (kind == k).any() else 0.0 for k in range(len(_POINTS))]
    for _ in range(_STEPS):
        off = y - design @ solution
        weight = per_frame / (1 + (off / (2 * _HEIGHT_STD_MM)) ** 2) ** 2  # Geman-McClure: a lifted foot has no say
        normal = (design * weight[:, None]).T @ design + np.diag(ridge)
        solution = np.linalg.solve(normal, design.T @ (weight * y))
    off = np.abs(y - design @ solution)
    up_local = np.array([-solution[0], 1.0, -solution[1]])
    up_local /= np.linalg.norm(up_local)
    heights = [float((centre + [0, solution[2 + k], 0]) @ up_local) for k in range(len(_POINTS)) if (kind == k).any()]
    flat = (local - centre)[off < 3 * _HEIGHT_STD_MM][:, [0, 2]]
    up = to_prior.inv().apply(up_local)
    return Floor(
        up=up,
        height_mm=min(heights) if heights else float((joints_mm @ up).min()),
        residual_mm=float(np.median(off)) if len(off) else float("nan"),
        spread_mm=float(np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[-1] / len(flat) ** 0.5)
        if len(flat) > 1
        else 0.0,
    )


def median_up(floors: list[Floor]) -> NDArray[np.float64]:
    """The middle of several ups (3,), unit length: the median of each coordinate."""
    up = np.median([floor.up for floor in floors], axis=0)
    return np.asarray(up / np.linalg.norm(up))


def level(points_mm: NDArray[np.float64], floor: Floor) -> NDArray[np.float64]:
    """Turn points (..., 3) so that +Y is up and the floor lies at y = 0; the heading changes as little as possible."""
    return np.asarray(points_mm @ level_rotation(floor).T - [0.0, floor.height_mm, 0.0])


def level_rotation(floor: Floor) -> NDArray[np.float64]:
    """(3, 3) shortest turn that brings ``floor.up`` to +Y."""
    axis = np.cross(floor.up, [0.0, 1.0, 0.0])
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, floor.up[1])
    return np.asarray(Rotation.from_rotvec(axis / max(sine, 1e-12) * angle).as_matrix())


def _standing(joints_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The positions (N, 3) of foot points while they do not move, and the kind (N,) of each."""
    points, kinds = [], []
    for kind, sides in enumerate(_POINTS):
        for joint in sides:
            path = joints_mm[:, joint]
            speed = np.linalg.norm(np.gradient(path, axis=0), axis=-1) if len(path) > 1 else np.zeros(len(path))
            still = speed * _FRAMES_PER_SECOND < _STANDS_MM_PER_S
            points.append(path[still])
            kinds.append(np.full(int(still.sum()), kind))
    return np.concatenate(points), np.concatenate(kinds)
