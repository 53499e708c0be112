"""The inside of bundle adjustment: what may move, what follows from it, and Levenberg-Marquardt over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.rotations import rotvec_to_matrix
from mocap3d.cameras.lens_derivatives import project_with_derivatives
from mocap3d.cameras.schur import Grouping, Normal, normal_equations

__all__ = ["FREE", "Blocks", "BodyBlocks", "Free", "Options", "PointBlocks", "Priors", "Problem", "Solution"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Free = Sequence[str] | Sequence[Sequence[str]]

FREE: Final = ("pose", "zoom", "focal", "principal", "k1", "k2", "distortion")
"""What of a camera may move: its pose; both focal lengths by one factor (``zoom``) or each by its own (``focal``); the
principal point; the first, the first two, or all of the distortion coefficients that it has."""

_BEHIND_PX: Final = 1e4  # what a point behind its camera costs: more than any pixel can be off
_SMALL_GAIN: Final = 1e-10
_EXACT_PX2: Final = 1e-18  # a mean squared residual that is nothing but rounding
_MAX_DAMPING: Final = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """How far from the start a camera may be believed to be: standard deviations; infinite means nothing is known."""

    rotation_rad: float = np.inf
    translation_m: float = np.inf
    log_focal: float = np.inf
    principal_px: float = np.inf
    distortion: float = np.inf


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of an adjustment, as its public functions describe them."""

    free: Free
    fixed: Sequence[int]
    robust_px: float | None
    loss: Literal["huber", "cauchy"]
    priors: Priors | None
    max_steps: int

    def __post_init__(self) -> None:
        """Check what the type does not."""
        if self.robust_px is not None and not self.robust_px > 0:
            raise InputError(f"robust_px must be above 0, got {self.robust_px}")
        if self.loss not in ("huber", "cauchy"):
            raise InputError(f"loss must be huber or cauchy, got {self.loss!r}")

    def free_of(self, cameras: int) -> tuple[tuple[str, ...], ...]:
        """The free names of each camera."""
        named = [self.free] if not len(self.free) or isinstance(self.free[0], str) else self.free
        each = [tuple(map(str, names)) for names in named] * (cameras if named[0] is self.free else 1)
        if len(each) != cameras:
            raise InputError(f"free must be names, or one sequence of names for each of {cameras} cameras")
        for names in each:
            if not set(names) <= set(FREE) or len(set(names)) != len(names):
                raise InputError(f"free must be different names out of {', '.join(FREE)}, got {names}")
            if len({"zoom", "focal"} & set(names)) > 1 or len({"k1", "k2", "distortion"} & set(names)) > 1:
                raise InputError(f"free names one thing twice: {names}")
        if not all(0 <= c < cameras for c in self.fixed):
            raise InputError(f"fixed must be indices below {cameras}, got {self.fixed}")
        return tuple(() if c in self.fixed else names for c, names in enumerate(each))


class Blocks(Protocol):
    """What is eliminated: points, or rigid bodies."""

    @property
    def start(self) -> Floats:
        """(B, ...) where they are at the start."""

    @property
    def count(self) -> int:
        """How many blocks."""

    def of(self, order: Ints) -> Blocks:
        """The same for the sights of these indices."""

    def world(self, state: Floats, block: Ints) -> tuple[Floats, Floats]:
        """The seen points (N, 3) in the world, and their derivative (N, 3, D) by their block."""

    def moved(self, state: Floats, step: Floats) -> Floats:
        """The state after a step (B, D)."""

    def prior(self, state: Floats) -> tuple[Floats, Floats]:
        """Deviation from what is known (B, D), and its weight (B, D)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointBlocks:
    """Free points: (B, 3), each known beforehand to a standard deviation (B,)."""

    start: Floats
    std_m: Floats

    @property
    def count(self) -> int:
        """How many points."""
        return len(self.start)

    def of(self, order: Ints) -> PointBlocks:
        """Nothing of a point depends on its sight."""
        return self

    def world(self, state: Floats, block: Ints) -> tuple[Floats, Floats]:
        """A point is where it is."""
        return state[block], np.broadcast_to(np.eye(3), (len(block), 3, 3))

    def moved(self, state: Floats, step: Floats) -> Floats:
        """Add."""
        return np.asarray(state + step)

    def prior(self, state: Floats) -> tuple[Floats, Floats]:
        """Away from the start."""
        return state - self.start, np.repeat(1 / self.std_m[:, None] ** 2, 3, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyBlocks:
    """Rigid bodies: ``world_from_body`` (B, 4, 4), and the point (N, 3) of its body that each sight saw."""

    start: Floats
    local_m: Floats

    @property
    def count(self) -> int:
        """How many bodies."""
        return len(self.start)

    def of(self, order: Ints) -> BodyBlocks:
        """The points of these sights."""
        return replace(self, local_m=self.local_m[order])

    def world(self, state: Floats, block: Ints) -> tuple[Floats, Floats]:
        """Moved by a small turn and shift in the body's axes: R (x + turn x x + shift) + t."""
        R = state[block, :3, :3]
        x, y, z = self.local_m.T
        by_turn = np.zeros((len(x), 3, 3))
        by_turn[:, 0, 1], by_turn[:, 0, 2], by_turn[:, 1, 2] = z, -y, x
        by_turn[:, 1, 0], by_turn[:, 2, 0], by_turn[:, 2, 1] = -z, y, -x
        return (R @ self.local_m[:, :, None])[..., 0] + state[block, :3, 3], np.concatenate([R @ by_turn, R], axis=-1)

    def moved(self, state: Floats, step: Floats) -> Floats:
        """Turn and shift."""
        moved = state.copy()
        moved[:, :3, 3] += (state[:, :3, :3] @ step[:, 3:, None])[..., 0]
        moved[:, :3, :3] = state[:, :3, :3] @ rotvec_to_matrix(step[:, :3])
        return moved

    def prior(self, state: Floats) -> tuple[Floats, Floats]:
        """Nothing is known."""
        none = np.zeros((len(state), 6))
        return none, none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """The end of an adjustment, in the order of the problem's sights."""

    cameras: tuple[Camera, ...]
    blocks: Floats
    residuals_px: Floats
    trust: Floats
    std: tuple[Mapping[str, Floats], ...]
    steps: int
    converged: bool


@dataclass(slots=True, kw_only=True)
class _State:
    """Cameras and blocks, how far the cameras' parameters are from the start, and what that costs."""

    cameras: tuple[Camera, ...]
    blocks: Floats
    away: Floats
    cost: float = np.inf


@dataclass(slots=True, kw_only=True)
class Problem:
    """Sights sorted by camera and block; ``scale`` (N,) turns pixels into standard deviations."""

    start: tuple[Camera, ...]
    blocks: Blocks
    grouping: Grouping
    xy_px: Floats
    scale: Floats
    options: Options
    names: tuple[tuple[str, ...], ...] = field(init=False)
    columns: list[slice] = field(init=False)
    weights: Floats = field(init=False)  # (P,) of the priors

    def __post_init__(self) -> None:
        """Number the parameters."""
        self.names = self.options.free_of(len(self.start))
        self.columns, weights, first = [], [], 0
        priors = self.options.priors or Priors()
        for camera, names in zip(self.start, self.names, strict=True):
            std = np.concatenate([np.zeros(0), *(_prior_std(priors, name, _size(name, camera)) for name in names)])
            weights.append(1 / std**2)
            self.columns.append(slice(first, first + len(std)))
            first += len(std)
        self.weights = np.concatenate([np.zeros(0), *weights])

    def solve(self) -> Solution:
        """Levenberg-Marquardt until nothing improves."""
        state = self._with_cost(_State(cameras=self.start, blocks=self.blocks.start, away=np.zeros(len(self.weights))))
        damping, steps, converged = 1e-4, 0, not len(self.xy_px)
        normal = self._normal(state)
        while not converged and steps < self.options.max_steps:
            steps += 1
            step = normal.solve(damping)
            after = None if step is None else self._stepped(state, *step)
            if step is None or after is None or not after.cost < state.cost:
                # Nothing better is left where even the promise is nothing.
                converged = step is not None and normal.predicted(*step) <= _SMALL_GAIN * state.cost
                damping *= 10
                if damping > _MAX_DAMPING:
                    converged = True
                continue
            exact = after.cost <= _EXACT_PX2 * len(self.xy_px)
            converged = exact or state.cost - after.cost <= _SMALL_GAIN * state.cost
            damping = max(damping / 10, 1e-12)
            state = after
            normal = self._normal(state)
        residuals = self._residuals(state)
        return Solution(
            cameras=state.cameras,
            blocks=state.blocks,
            residuals_px=residuals,
            trust=self._trust(np.nan_to_num(residuals, nan=_BEHIND_PX) * self.scale[:, None]),
            std=self._std(normal),
            steps=steps,
            converged=converged,
        )

    def _rows(self, c: int) -> slice:
        return slice(self.grouping.camera_starts[c], self.grouping.camera_starts[c + 1])

    def _residuals(self, state: _State) -> Floats:
        """(N, 2) seen minus projected, pixels; NaN behind the camera."""
        world, _ = self.blocks.world(state.blocks, self.grouping.block_of)
        residuals = np.empty_like(self.xy_px)
        for c, camera in enumerate(state.cameras):
            rows = self._rows(c)
            cam = world[rows] @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
            residuals[rows] = self.xy_px[rows] - project_with_derivatives(camera, cam).xy_px
        return residuals

    def _with_cost(self, state: _State) -> _State:
        scaled = np.nan_to_num(self._residuals(state), nan=_BEHIND_PX) * self.scale[:, None]
        s = (scaled**2).sum(axis=-1)
        if self.options.robust_px is not None:
            c2 = self.options.robust_px**2
            s = np.where(s < c2, s, 2 * np.sqrt(c2 * s) - c2) if self.options.loss == "huber" else c2 * np.log1p(s / c2)
        away, weight = self.blocks.prior(state.blocks)
        state.cost = float(s.sum() + (self.weights * state.away**2).sum() + (weight * away**2).sum())
        return state

    def _trust(self, scaled: Floats) -> Floats:
        """(N,) the derivative of the loss: what each squared residual counts."""
        s = (scaled**2).sum(axis=-1)
        if self.options.robust_px is None:
            return np.ones(len(s))
        ratio = s / self.options.robust_px**2
        return np.asarray(1 / np.maximum(np.sqrt(ratio), 1) if self.options.loss == "huber" else 1 / (1 + ratio))

    def _normal(self, state: _State) -> Normal:
        world, by_block = self.blocks.world(state.blocks, self.grouping.block_of)
        residuals, by_point, by_camera = np.zeros_like(self.xy_px), np.zeros((len(world), 2, 3)), []
        for c, camera in enumerate(state.cameras):
            rows = self._rows(c)
            R = camera.cam_from_world[:3, :3]
            cam = world[rows] @ R.T + camera.cam_from_world[:3, 3]
            seen = project_with_derivatives(camera, cam)
            residuals[rows] = self.xy_px[rows] - seen.xy_px
            by_point[rows] = seen.by_xyz @ R
            by_camera.append(_by_parameters(camera, self.names[c], cam, seen.by_xyz, seen.by_lens))
        residuals = np.nan_to_num(residuals)  # behind the camera there is no slope either
        factor = self.scale * np.sqrt(self._trust(residuals * self.scale[:, None]))
        # Residuals are seen minus projected: their derivatives are minus the projection's.
        normal = normal_equations(
            self.grouping,
            self.columns,
            residuals * factor[:, None],
            [-J * factor[self._rows(c), None, None] for c, J in enumerate(by_camera)],
            -(by_point @ by_block) * factor[:, None, None],
        )
        normal.U[np.diag_indices_from(normal.U)] += self.weights
        normal.g -= self.weights * state.away
        away, weight = self.blocks.prior(state.blocks)
        np.einsum("bii->bi", normal.V)[...] += weight
        normal.h -= weight * away
        return normal

    def _stepped(self, state: _State, step: Floats, blocks_step: Floats) -> _State | None:
        try:
            cameras = tuple(
                _moved(camera, names, step[own])
                for camera, names, own in zip(state.cameras, self.names, self.columns, strict=True)
            )
        except InputError:  # no camera any more
            return None
        blocks = self.blocks.moved(state.blocks, blocks_step)
        return self._with_cost(_State(cameras=cameras, blocks=blocks, away=state.away + step))

    def _std(self, normal: Normal) -> tuple[Mapping[str, Floats], ...]:
        std = np.sqrt(np.maximum(np.diag(normal.covariance()), 0)) if len(self.weights) else np.zeros(0)
        found = []
        for camera, names, own in zip(self.start, self.names, self.columns, strict=True):
            ends = np.cumsum([_size(name, camera) for name in names])
            found.append(dict(zip(names, np.split(std[own], ends[:-1]), strict=True)) if names else {})
        return tuple(found)


def _size(name: str, camera: Camera) -> int:
    n = len(camera.distortion)
    sizes = {"pose": 6, "zoom": 1, "focal": 2, "principal": 2, "k1": min(1, n), "k2": min(2, n), "distortion": n}
    return sizes[name]


def _prior_std(priors: Priors, name: str, size: int) -> Floats:
    if name == "pose":
        return np.repeat([priors.rotation_rad, priors.translation_m], 3)
    named = {"zoom": priors.log_focal, "focal": priors.log_focal, "principal": priors.principal_px}
    return np.full(size, named.get(name, priors.distortion))


def _by_parameters(camera: Camera, names: Sequence[str], cam: Floats, by_xyz: Floats, by_lens: Floats) -> Floats:
    """(N, 2, P_c) derivative of the pixels by what is free of a camera."""
    parts = [np.zeros((len(cam), 2, 0))]
    for name in names:
        if name == "pose":  # turned about the camera's own axes, then shifted: d = turn x cam + shift
            parts += [np.cross(cam[:, None, :], by_xyz), by_xyz]
        elif name == "zoom":
            parts.append(by_lens[:, :, :2] @ np.diag(camera.K)[:2, None])
        elif name == "focal":
            parts.append(by_lens[:, :, :2] * np.diag(camera.K)[:2])
        elif name == "principal":
            parts.append(by_lens[:, :, 2:4])
        else:
            parts.append(by_lens[:, :, 4 : 4 + _size(name, camera)])
    return np.concatenate(parts, axis=-1)


def _moved(camera: Camera, names: Sequence[str], step: Floats) -> Camera:
    if not names:
        return camera
    K, distortion, pose, first = camera.K.copy(), camera.distortion.copy(), camera.cam_from_world.copy(), 0
    for name in names:
        own = step[first : first + _size(name, camera)]
        first += len(own)
        if name == "pose":
            turn = rotvec_to_matrix(own[:3])
            pose[:3, :3], pose[:3, 3] = turn @ pose[:3, :3], turn @ pose[:3, 3] + own[3:]
        elif name in ("zoom", "focal"):
            K[[0, 1], [0, 1]] *= np.exp(np.clip(own, -2, 2))
        elif name == "principal":
            K[:2, 2] += own
        else:
            distortion[: len(own)] += own
    return replace(camera, K=K, distortion=distortion, cam_from_world=pose)
