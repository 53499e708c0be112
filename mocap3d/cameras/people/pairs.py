"""How two cameras stand to each other, from the people that both saw.

A monocular lifter gives every camera its own 3D body of the same person. Where the two bodies are laid onto each other
the cameras' rotation is known; then each joint's two rays say where one camera lies from the other (epipolar
constraint, linear in the translation), and the bodies' limbs say how far. Both are then refined on all rays.

Nobody needs to know who is who: every pair of people is tried as the start, and the one under which everybody's rays
meet is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, linear_sum_assignment

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.procrustes import align
from mocap3d.base.projection import px_to_rays
from mocap3d.base.rotations import rotvec_to_matrix
from mocap3d.base.triangulation import solve_rays

__all__ = ["LIMBS", "CameraPair", "Seen", "start_pair"]

Floats = NDArray[np.float64]

LIMBS: Final = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("hip", "knee"),
    ("knee", "ankle"),
)
"""Joints of one side that bones connect; all skeletons call them alike."""

_BODY_STD_M: Final = 0.12  # of a lifted joint, far off the truth in depth
_RAY_STD: Final = 0.004  # of a detected joint, in the plane z = 1: about 4 px at 1000 px focal length
_TURN_STD_RAD: Final = 0.25  # how far the rotation may be from what the bodies say
_MOST_MOMENTS: Final = 150
_LEAST_RAYS: Final = 40
_MOST_RAYS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One person as one camera saw them.

    Attributes:
        pose2d: T frames; NaN where not seen.
        pose3d: the same frames lifted, in the camera's frame, in metres for an assumed stature; any skeleton that
            names limbs as LIFTER_20 does.
        contacts: (T, 4) left heel, left toe, right heel, right toe on the ground, 0..1; None if not known.
    """

    pose2d: Pose2D
    pose3d: Pose3D
    contacts: Floats | None = None

    def __post_init__(self) -> None:
        """Check that all have the same frames."""
        if len(self.pose2d) != len(self.pose3d) or self.pose2d.fps != self.pose3d.fps:
            raise InputError(f"pose2d has {len(self.pose2d)} frames, pose3d {len(self.pose3d)}: they must be the same")
        if self.contacts is not None and np.shape(self.contacts) != (len(self.pose2d), 4):
            raise InputError(f"contacts must be ({len(self.pose2d)}, 4), got {np.shape(self.contacts)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraPair:
    """How the second camera of a pair stands to the first.

    Attributes:
        first: index of a camera.
        second: index of another.
        second_from_first: (4, 4), in metres for the stature that lifting assumed.
        people: (person of the first, person of the second) who are the same.
        misfit: typical distance of rays from meeting, in the plane z = 1 (times focal length: pixels).
        body_misfit_m: typical distance between the two lifted bodies when laid onto each other.
        parallax_rad: typical angle that is left between the two rays of a joint when one camera is only turned.
        rays: how many joints both saw.
    """

    first: int
    second: int
    second_from_first: Floats
    people: tuple[tuple[int, int], ...]
    misfit: float
    body_misfit_m: float
    parallax_rad: float
    rays: int

    @property
    def quality(self) -> float:
        """For choosing among pairs: many rays that meet."""
        return float(min(self.rays, 2000) ** 0.5 / (self.misfit + 0.5 * _RAY_STD))


def start_pair(first: int, second: int, views: Sequence[Sequence[Seen]], lenses: Sequence[Camera]) -> CameraPair | None:
    """Find how two cameras stand to each other; None if no person was seen by both for long enough.

    Args:
        first: index of a camera.
        second: index of another.
        views: per camera the people that it saw, all on one clock: frame t is one moment.
        lenses: the cameras; their poses are not used.
    """
    own, other = views[first], views[second]
    rays = [[_rays(p, q, lenses[first], lenses[second]) for q in other] for p in own]
    found = []
    for p, q in itertools.product(range(len(own)), range(len(other))):
        if len(rays[p][q][0]) < _LEAST_RAYS:
            continue
        turn, _ = _turn(own[p], other[q])
        if not np.isfinite(turn).all():
            continue
        people = _assigned(own, other, turn, rays)
        pair = _from_turn(turn, [rays[i][k] for i, k in people])
        if pair is not None:
            pose, misfit = pair
            laid = np.array([_off(own[i], other[k], pose[:3, :3]) for i, k in people])
            pose[:3, 3] *= _scale([(own[i], other[k]) for i, k in people], pose, lenses[first], lenses[second])
            count = sum(len(rays[i][k][0]) for i, k in people)
            found.append(
                CameraPair(
                    first=first,
                    second=second,
                    second_from_first=pose,
                    people=tuple(people),
                    misfit=misfit,
                    body_misfit_m=float(laid.mean()),
                    parallax_rad=_parallax(*(np.concatenate([rays[i][k][n] for i, k in people]) for n in range(3))),
                    rays=count,
                )
            )
    return max(found, key=lambda pair: pair.quality / (1 + pair.body_misfit_m / _BODY_STD_M), default=None)


def _rays(p: Seen, q: Seen, lens_p: Camera, lens_q: Camera) -> tuple[Floats, Floats, Floats]:
    """Rays (N, 3) at z = 1 of the joints that both cameras saw, and how far each counts (N,)."""
    frames = min(len(p.pose2d), len(q.pose2d))
    confidence = np.sqrt(p.pose2d.confidence[:frames] * q.pose2d.confidence[:frames])
    moments = np.flatnonzero((confidence > 0).any(axis=1))
    moments = moments[:: max(1, -(-len(moments) // _MOST_MOMENTS))]
    a = px_to_rays(lens_p, p.pose2d.xy_px[moments]).reshape(-1, 3)
    b = px_to_rays(lens_q, q.pose2d.xy_px[moments]).reshape(-1, 3)
    weight = confidence[moments].ravel()
    seen = (weight > 0) & np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    return a[seen], b[seen], weight[seen]


def _bodies(p: Seen, q: Seen) -> tuple[Floats, Floats, Floats]:
    """The joints (M, J, 3) of both lifted bodies about their own middles, and weights (M, J)."""
    if p.pose3d.skeleton.name != q.pose3d.skeleton.name:
        raise InputError(f"bodies are lifted to {p.pose3d.skeleton.name} and to {q.pose3d.skeleton.name}")
    frames = min(len(p.pose3d), len(q.pose3d))
    weight = np.sqrt(p.pose3d.confidence[:frames] * q.pose3d.confidence[:frames])
    moments = np.flatnonzero((weight > 0).sum(axis=1) >= 6)
    moments = moments[:: max(1, -(-len(moments) // _MOST_MOMENTS))]
    weight = weight[moments]
    share = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    a, b = (np.nan_to_num(seen.pose3d.xyz_m[moments]) for seen in (p, q))
    return a - np.einsum("mj,mjk->mk", share, a)[:, None], b - np.einsum("mj,mjk->mk", share, b)[:, None], weight


def _turn(p: Seen, q: Seen) -> tuple[Floats, float]:
    """Rotation second_from_first that lays the bodies onto each other in all frames, and how far they are off."""
    a, b, weight = _bodies(p, q)
    if not weight.any():
        return np.full((3, 3), np.nan), np.inf
    robust, turn = np.ones_like(weight), np.eye(3)
    for _ in range(5):
        turn = align(b.reshape(-1, 3), a.reshape(-1, 3), weights=(weight * robust).ravel(), scaled=True).rotation
        off = np.linalg.norm(b - a @ turn.T, axis=-1)
        robust = 1 / (1 + (off / (2 * _BODY_STD_M)) ** 2)
    return turn, float(np.median(off[weight > 0]))


def _off(p: Seen, q: Seen, turn: Floats) -> float:
    """How far two bodies are off under a rotation, metres."""
    a, b, weight = _bodies(p, q)
    return float(np.median(np.linalg.norm(b - a @ turn.T, axis=-1)[weight > 0])) if weight.any() else np.inf


def _parallax(a: Floats, b: Floats, weight: Floats) -> float:
    """What no turning of one camera explains, radians: 0 for two cameras in one place."""
    unit_a, unit_b = (rays / np.linalg.norm(rays, axis=1, keepdims=True) for rays in (a, b))
    covariance = (unit_b * weight[:, None]).T @ unit_a
    u, _, vt = np.linalg.svd(covariance)
    turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt  # about the camera, not about the middle of the rays
    return float(np.median(np.linalg.norm(unit_b - unit_a @ turn.T, axis=1)))


def _assigned(
    own: Sequence[Seen], other: Sequence[Seen], turn: Floats, rays: Sequence[Sequence[tuple[Floats, Floats, Floats]]]
) -> list[tuple[int, int]]:
    """Who of one camera is who of the other, if this is the rotation between them."""
    cost = np.array([[_off(p, q, turn) for q in other] for p in own])
    few = np.array([[len(both[0]) < _LEAST_RAYS for both in row] for row in rays])
    cost = np.where(few | ~np.isfinite(cost), 10.0, cost)
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(k)) for i, k in zip(rows, columns, strict=True) if cost[i, k] < 2.5 * _BODY_STD_M]


def _from_turn(turn: Floats, rays: Sequence[tuple[Floats, Floats, Floats]]) -> tuple[Floats, float] | None:
    """Pose (4, 4) second_from_first with a translation of length 1, and the typical misfit of the rays."""
    if not rays:
        return None
    a, b, weight = (np.concatenate(parts) for parts in zip(*rays, strict=True))
    some = slice(None, None, max(1, len(weight) // _MOST_RAYS))
    a, b, weight = a[some], b[some], weight[some]
    shift = _shift(turn, a, b, weight)
    first = np.concatenate([np.zeros(3), shift])

    def residuals(x: Floats) -> Floats:
        R, t = rotvec_to_matrix(x[:3]) @ turn, x[3:] / np.linalg.norm(x[3:])
        off = _epipolar(R, t, a, b) / _RAY_STD
        held = np.sign(off) * np.sqrt(np.log1p(off**2 / 9) * 9) * np.sqrt(weight)
        # As if so many rays were independent; the rest of a clip repeats them.
        share = np.sqrt(min(1.0, 300.0 / max(len(off), 1)))
        return np.concatenate([held * share, x[:3] / _TURN_STD_RAD, [np.linalg.norm(x[3:]) - 1.0]])

    x = least_squares(residuals, first, method="lm").x
    R, t = rotvec_to_matrix(x[:3]) @ turn, x[3:] / np.linalg.norm(x[3:])
    t = t * _sign(R, t, a, b)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = R, t
    return pose, float(1.48 * np.median(np.abs(_epipolar(R, t, a, b))))


def _shift(turn: Floats, a: Floats, b: Floats, weight: Floats) -> Floats:
    """Direction (3,) of the translation for a known rotation: each pair of rays gives one linear equation."""
    normal = np.cross(a @ turn.T, b)
    robust, shift = np.ones(len(weight)), np.zeros(3)
    for _ in range(6):
        w = weight * robust
        shift = np.linalg.eigh((normal * w[:, None]).T @ normal)[1][:, 0]
        off = np.abs(normal @ shift)
        robust = 1 / (1 + (off / (3 * np.median(off) + 1e-12)) ** 2)
    return np.asarray(shift * _sign(turn, shift, a, b))


def _sign(turn: Floats, shift: Floats, a: Floats, b: Floats) -> float:
    """The sign of the translation for which most points lie in front of both cameras."""
    poses = np.stack([np.eye(4), np.eye(4)])
    poses[1, :3, :3], poses[1, :3, 3] = turn, shift
    rays = np.stack([a[:, :2].T, b[:, :2].T])
    ahead = [np.isfinite(solve_rays(_flipped(poses, s), rays, np.ones((2, len(a))))[:, 0]).sum() for s in (1.0, -1.0)]
    return 1.0 if ahead[0] >= ahead[1] else -1.0


def _flipped(poses: Floats, sign: float) -> Floats:
    flipped = poses.copy()
    flipped[1, :3, 3] *= sign
    return flipped


def _epipolar(turn: Floats, shift: Floats, a: Floats, b: Floats) -> Floats:
    """(N,) signed Sampson distances in the plane z = 1."""
    x, y, z = shift
    E = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ turn
    along_b, along_a = a @ E.T, b @ E
    slope = (along_a[:, :2] ** 2).sum(axis=1) + (along_b[:, :2] ** 2).sum(axis=1)
    return np.asarray((along_b * b).sum(axis=1) / np.sqrt(np.maximum(slope, 1e-18)))


def _scale(people: Sequence[tuple[Seen, Seen]], pose: Floats, lens_a: Camera, lens_b: Camera) -> float:
    """How long the translation is: triangulated limbs must be as long as the lifted ones."""
    ratios = []
    for p, q in people:
        frames = min(len(p.pose2d), len(q.pose2d))
        rays = np.stack(
            [
                px_to_rays(lens, seen.pose2d.xy_px[:frames])[..., :2].reshape(-1, 2).T
                for lens, seen in ((lens_a, p), (lens_b, q))
            ]
        )
        weight = np.stack([seen.pose2d.confidence[:frames].ravel() for seen in (p, q)])
        points = solve_rays(np.stack([np.eye(4), pose]), rays, weight).reshape(frames, -1, 3)
        for side, (upper, lower) in itertools.product(("left", "right"), LIMBS):
            ends = f"{side}_{upper}", f"{side}_{lower}"
            flat, lifted = p.pose2d.skeleton, p.pose3d.skeleton
            if not all(end in flat.joint_names and end in lifted.joint_names for end in ends):
                continue
            length = np.linalg.norm(points[:, flat.index(ends[0])] - points[:, flat.index(ends[1])], axis=-1)
            known = [
                np.linalg.norm(
                    seen.pose3d.xyz_m[:frames, lifted.index(ends[0])]
                    - seen.pose3d.xyz_m[:frames, lifted.index(ends[1])],
                    axis=-1,
                )
                for seen in (p, q)
            ]
            ratio = np.nanmedian(np.concatenate(known)) / np.nanmedian(length) if np.isfinite(length).any() else np.nan
            ratios.append(ratio)
    found = float(np.nanmedian(ratios)) if np.isfinite(ratios).any() else np.nan
    return found if np.isfinite(found) and found > 0 else 1.0
