"""Left and right of one person, told apart by what several cameras see at once and over time.

Detectors call a left knee right, most often when a person is seen from the side or from behind. What one camera cannot
know, the others say: the rays of a left joint meet only rays of the same joint. For every camera and frame it is
decided whether a pair of joints (or a limb, or the whole body) is exchanged, such that

* the rays of every two cameras meet as well as they can,
* joints move little from one frame to the next in each picture,
* few labels are changed: if all cameras were exchanged all rays would meet as well.

The first two depend only on whether two cameras, or two frames, are exchanged alike, so that the cheapest of all 2^C
sequences is found exactly, by the Viterbi algorithm; the step from frame to frame is done camera by camera.

Reference:
    Forney, "The Viterbi algorithm", Proceedings of the IEEE, 1973.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.identify.sightings import Sighting, sightings

__all__ = ["SideSettings", "repair_sides"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_AT_ONCE = 8
"""So many cameras are decided together; of more, every eight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSettings:
    """How left and right are decided. Costs are those of squared standard deviations.

    Attributes:
        noise: standard deviation of a joint in the picture, in body heights; at least a pixel.
        step: how far a joint usually gets from one frame to the next at 30 frames/s, in body heights.
        most: what a distance counts at most, between rays.
        most_step: the same from one frame to the next.
        label: what one changed label costs in each frame.
    """

    noise: float = 0.02
    step: float = 0.06
    most: float = 8.0
    most_step: float = 2.0
    label: float = 1.0


def repair_sides(
    poses: Sequence[Pose2D | None], cameras: Sequence[Camera], *, settings: SideSettings | None = None
) -> tuple[Pose2D | None, ...]:
    """Exchange left and right where the other views, or the frames before and after, say so.

    First the body as a whole is decided, then arms and legs by themselves, then each pair of joints.

    Args:
        poses: one person, as each camera saw them; None where it never did.
        cameras: C cameras with poses in one world.
        settings: how it is decided.

    Returns:
        The same with exchanged joints; nothing is lost or moved. If most cameras are wrong most of the time, all of
        them are wrong afterwards. What one camera alone saw stays as it is.

    Raises:
        InputError: as many poses as cameras are needed, of one length, rate and skeleton.
    """
    chosen = settings or SideSettings()
    there = [c for c, pose in enumerate(poses) if pose is not None]
    repaired = list(poses)
    if len(poses) != len(cameras):
        raise InputError(f"one pose per camera is needed: {len(cameras)} cameras, {len(poses)} poses")
    for first in range(0, len(there) if len(there) > 1 else 0, _AT_ONCE):  # one camera has nobody to ask
        some = there[first : first + _AT_ONCE]
        fixed = _repaired([pose for c in some if (pose := poses[c]) is not None], [cameras[c] for c in some], chosen)
        for c, pose in zip(some, fixed, strict=True):
            repaired[c] = pose
    return tuple(repaired)


def _repaired(poses: Sequence[Pose2D], cameras: Sequence[Camera], settings: SideSettings) -> list[Pose2D]:
    skeleton = poses[0].skeleton
    if {(len(pose), pose.fps, pose.skeleton.name) for pose in poses} != {(len(poses[0]), poses[0].fps, skeleton.name)}:
        raise InputError("poses must have one length, rate and skeleton")
    for level in _levels(skeleton.joint_names, skeleton.mirror):
        for pairs in level:
            flips = _flips(poses, cameras, pairs, settings)
            poses = [_exchanged(pose, pairs, flip) for pose, flip in zip(poses, flips.T, strict=True)]
    return list(poses)


def _levels(names: Sequence[str], mirror: Sequence[int]) -> list[list[NDArray[np.intp]]]:
    """Groups of (left, right) pairs of joints: all of them; arms, legs; each pair."""
    pairs = [(j, m) for j, m in enumerate(mirror) if j < m]
    if not pairs:
        return []

    def holding(*words: str) -> list[tuple[int, int]]:
        return [pair for pair in pairs if any(word in names[pair[0]].lower() for word in words)]

    limbs = [
        holding("shoulder", "elbow", "wrist", "arm", "hand"),
        holding("hip", "knee", "ankle", "leg", "foot", "toe"),
    ]
    groups = [[pairs], [limb for limb in limbs if limb], [[pair] for limb in limbs for pair in limb]]
    return [[np.array(group, np.intp) for group in level] for level in groups]


def _flips(
    poses: Sequence[Pose2D], cameras: Sequence[Camera], pairs: NDArray[np.intp], settings: SideSettings
) -> Bools:
    """(T, C) whether a group of pairs is exchanged."""
    rays, noise = _rays(poses, cameras, settings)
    frames, count = noise.shape[1], len(poses)
    states = (np.arange(2**count)[:, None] >> np.arange(count)) & 1  # (S, C)
    cost = np.tile(settings.label * states.sum(axis=1).astype(float), (frames, 1))
    for c, d in combinations(range(count), 2):
        gain = _across(rays, noise, cameras, (c, d), pairs, settings)
        cost += gain[:, None] * (states[:, c] ^ states[:, d])
    change = np.stack([_along(rays[c], noise[c], pairs, settings, float(poses[0].fps)) for c in range(count)], axis=1)
    best = _cheapest(cost, change)
    return np.asarray(states[best].astype(bool))


def _rays(poses: Sequence[Pose2D], cameras: Sequence[Camera], settings: SideSettings) -> tuple[Floats, Floats]:
    """(C, T, J, 3) unit directions in the world and (C, T) how exact they are, radians."""
    frames, joints = poses[0].confidence.shape
    rays, noise = np.full((len(poses), frames, joints, 3), np.nan), np.ones((len(poses), frames))
    whole: list[Sighting] = sightings(
        [[pose] for pose in poses], cameras, noise=settings.noise, least_confidence=0.0, longest_gap_s=np.inf
    )
    for sighting in whole:
        during = slice(sighting.first, sighting.stop)
        rays[sighting.camera, during], noise[sighting.camera, during] = sighting.ray, sighting.noise_rad
    return rays, noise


def _across(
    rays: Floats,
    noise: Floats,
    cameras: Sequence[Camera],
    views: tuple[int, int],
    pairs: NDArray[np.intp],
    settings: SideSettings,
) -> Floats:
    """(T,) how much worse the rays of two cameras meet when one of the two is exchanged."""
    c, d = views
    base = cameras[d].world_from_cam[:3, 3] - cameras[c].world_from_cam[:3, 3]
    apart = float(np.linalg.norm(base))
    if apart < 1e-6:
        return np.zeros(rays.shape[1])
    across = np.cross(base / apart, rays[[c, d]])  # (2, T, J, 3)
    size = (across**2).sum(axis=-1)

    def cost(of_c: NDArray[np.intp], of_d: NDArray[np.intp]) -> Floats:
        triple = (across[0][:, of_c] * rays[d][:, of_d]).sum(axis=-1)
        spread = noise[c][:, None] ** 2 * size[1][:, of_d] + noise[d][:, None] ** 2 * size[0][:, of_c]
        return np.asarray(np.minimum(0.5 * triple**2 / np.maximum(spread, 1e-18), settings.most))

    left, right = pairs[:, 0], pairs[:, 1]
    straight, crossed = cost(left, left) + cost(right, right), cost(left, right) + cost(right, left)
    return np.asarray(np.nansum(crossed - straight, axis=1))  # where a joint is missing nothing is known


def _along(ray: Floats, noise: Floats, pairs: NDArray[np.intp], settings: SideSettings, fps: float) -> Floats:
    """(T - 1,) how much farther joints step in one picture when exactly one of two frames is exchanged."""
    step = settings.step / settings.noise * noise[1:, None] * max(1.0, 30.0 / fps)

    def cost(before: NDArray[np.intp], after: NDArray[np.intp]) -> Floats:
        moved = np.linalg.norm(ray[1:, after] - ray[:-1, before], axis=-1)
        return np.asarray(np.minimum(0.5 * (moved / step) ** 2, settings.most_step))

    left, right = pairs[:, 0], pairs[:, 1]
    straight, crossed = cost(left, left) + cost(right, right), cost(left, right) + cost(right, left)
    return np.asarray(np.nansum(crossed - straight, axis=1))


def _cheapest(cost: Floats, change: Floats) -> NDArray[np.intp]:
    """(T,) the sequence of states of least cost.

    Args:
        cost: (T, 2^C) of each state.
        change: (T - 1, C) of a camera that is exchanged in one frame and not in the next; bit c of a state is camera c.
    """
    frames, states = cost.shape
    total, came_from = cost[0], np.zeros((frames, states), np.intp)
    for t in range(1, frames):
        origin = np.arange(states)
        for c in range(change.shape[1]):
            other = np.arange(states) ^ (1 << c)
            flipped = total[other] + change[t - 1, c]
            better = flipped < total
            total, origin = np.where(better, flipped, total), np.where(better, origin[other], origin)
        came_from[t] = origin
        total = total + cost[t]
    path = np.zeros(frames, np.intp)
    if frames:
        path[-1] = int(total.argmin())
    for t in range(frames - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


def _exchanged(pose: Pose2D, pairs: NDArray[np.intp], flip: Bools) -> Pose2D:
    if not flip.any():
        return pose
    order = np.arange(pose.confidence.shape[1])
    order[pairs[:, 0]], order[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    return replace(
        pose,
        xy_px=np.where(flip[:, None, None], pose.xy_px[:, order], pose.xy_px),
        confidence=np.where(flip[:, None], pose.confidence[:, order], pose.confidence),
    )
