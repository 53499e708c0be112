"""Somebody who is followed in space: who saw them when, where their joints are, and where they will be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.triangulation import solve_rays
from mocap3d.identify.sightings import Sighting
from mocap3d.identify.view_evidence import on_the_ray

__all__ = ["PersonInSpace"]

Floats = NDArray[np.float64]

_STRAY_M = 0.08  # how far joints get from a constant velocity from one frame to the next
_STRAY_MPS = 0.5  # and how much farther for each second without sight
_ROUNDS, _OUTLIER = 3, 4.0  # reweighting; standard deviations
_SPEED_S = 0.25
_FASTEST_MPS = 10.0


class PersonInSpace:
    """One person: ``seen[t]`` says which sighting of which camera they were in frame t."""

    def __init__(self, number: int, first: int, joints: int, fps: float) -> None:
        """Begin with nobody's joints."""
        self.number = number
        self.first, self.last, self.last_solved = first, first, -1
        self.seen: dict[int, dict[int, int]] = {}
        self.xyz_m = np.full((joints, 3), np.nan)
        self._known_at = np.full(joints, -1)
        self._fps = fps
        self._path: list[tuple[int, Floats]] = []  # recent triangulations
        self._ray: dict[int, tuple[int, Floats, Floats]] = {}  # camera: frame, (J, 3) rays, their speed per frame

    def expects(self, sighting: Sighting, t: int, mirror: NDArray[np.intp]) -> float | None:
        """Evidence that a sighting in frame t is this person; None when nothing is known."""
        row = t - sighting.first
        known = np.isfinite(self.xyz_m[:, 0])
        if self.last_solved >= 0 and known.any():
            recent = self._ray.get(sighting.camera)
            since = t - (recent[0] if recent and recent[0] > self.last_solved else self.last_solved)
            std_m = _STRAY_M + _STRAY_MPS * (since - 1) / self._fps
            return on_the_ray(self._expected(t), std_m, sighting, row, mirror)
        if sighting.camera not in self._ray:
            return None
        frame, ray, speed = self._ray[sighting.camera]
        height_m = 1.7  # with one camera the scale is free: measure in body heights
        far_m = height_m / sighting.height_rad[row]
        std_m = _STRAY_M + _STRAY_MPS * (t - frame - 1) / self._fps
        there = sighting.centre_m + far_m * (ray + speed * min(t - frame, self._fps / 2))
        return on_the_ray(there, std_m, sighting, row, mirror)

    def add(self, t: int, members: Sequence[Sighting], numbers: Sequence[int], cam_from_world: Floats) -> None:
        """Take in what the cameras see of this person in frame t."""
        self.seen[t] = {sighting.camera: number for sighting, number in zip(members, numbers, strict=True)}
        expected = self._expected(t) if self.last_solved >= 0 else self.xyz_m
        for sighting in members:
            self._remember_ray(t, sighting)
        solved = _met(members, t, cam_from_world) if len(members) > 1 else np.full_like(self.xyz_m, np.nan)
        fresh = np.isfinite(solved[:, 0])
        if fresh.sum() >= 2:
            self._path.append((t, solved))
            self._path = [entry for entry in self._path if t - entry[0] <= max(2, round(_SPEED_S * self._fps))]
            self.last_solved = t
        elif self.last_solved >= 0:
            solved = _onto_ray(expected, members[0], t)  # one camera says the direction, the past how far
        if self.last_solved >= 0:
            recent = t - self._known_at <= self._fps
            kept = np.where(recent[:, None], expected, np.nan)
            self.xyz_m = np.where(np.isfinite(solved), solved, kept)
            self._known_at[np.isfinite(solved[:, 0])] = t
        self.last = t

    def merge(self, other: PersonInSpace) -> None:
        """Take over what was seen of somebody who turned out to be this person."""
        for t, cameras in other.seen.items():
            self.seen[t] = {**cameras, **self.seen.get(t, {})}
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)

    def _expected(self, t: int) -> Floats:
        elapsed = t - self.last
        return np.asarray(self.xyz_m + self._velocity() * min(elapsed, self._fps))

    def _velocity(self) -> Floats:
        """(3,) metres per frame, of the body as a whole, over the last quarter of a second."""
        if len(self._path) < 2:
            return np.zeros(3)
        (start, before), (end, now) = self._path[0], self._path[-1]
        moved = (now - before)[np.isfinite(now[:, 0]) & np.isfinite(before[:, 0])]
        if not len(moved):
            return np.zeros(3)
        span = max(2, round(_SPEED_S * self._fps))
        velocity = np.median(moved, axis=0) / (end - start) * min(1.0, (end - start) / span)
        speed = float(np.linalg.norm(velocity)) * self._fps
        return np.asarray(velocity * min(1.0, _FASTEST_MPS / max(speed, 1e-9)))

    def _remember_ray(self, t: int, sighting: Sighting) -> None:
        ray = sighting.ray[t - sighting.first]
        speed = np.zeros(3)
        if sighting.camera in self._ray:
            frame, before, old = self._ray[sighting.camera]
            both = np.isfinite(ray[:, 0]) & np.isfinite(before[:, 0])
            now = np.median((ray - before)[both], axis=0) / (t - frame) if both.any() else old
            speed = old + 0.3 * (now - old)
            ray = np.where(np.isfinite(ray), ray, before)
        self._ray[sighting.camera] = (t, ray, speed)


def _met(members: Sequence[Sighting], t: int, cam_from_world: Floats) -> Floats:
    """(J, 3) where the rays meet, those that disagree left out bit by bit."""
    poses = cam_from_world[[sighting.camera for sighting in members]]
    rays = np.stack([sighting.ray[t - sighting.first] for sighting in members])  # (C, J, 3)
    local = rays @ np.swapaxes(poses[:, :3, :3], 1, 2)
    uv = np.moveaxis(local[..., :2] / np.where(local[..., 2:] > 1e-6, local[..., 2:], np.nan), -1, 1)
    noise = np.array([sighting.noise_rad[t - sighting.first] for sighting in members])[:, None]
    sure = np.stack([sighting.weight[t - sighting.first] for sighting in members]) / noise**2
    centres = np.stack([sighting.centre_m for sighting in members])[:, None]
    weight = sure
    xyz_m = solve_rays(poses, uv, weight)
    for _ in range(_ROUNDS if len(members) > 2 else 0):
        way = xyz_m - centres
        off = np.linalg.norm(way / np.linalg.norm(way, axis=-1, keepdims=True) - rays, axis=-1) / noise
        weight = sure / (1 + (np.nan_to_num(off, nan=1e3) / _OUTLIER) ** 2)
        again = solve_rays(poses, uv, weight)
        xyz_m = np.where(np.isfinite(again), again, xyz_m)
    return xyz_m


def _onto_ray(expected: Floats, sighting: Sighting, t: int) -> Floats:
    far = np.linalg.norm(expected - sighting.centre_m, axis=-1, keepdims=True)
    return np.asarray(sighting.centre_m + far * sighting.ray[t - sighting.first])
