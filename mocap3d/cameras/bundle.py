"""Bundle adjustment: cameras and what they saw, moved together until the pixels fit best.

```
sights = Sights(camera=[0, 1, ...], point=[0, 0, ...], xy_px=[...])
solved = adjust(cameras, points_m, sights, robust_px=3.0)
```

Any lens model, any number of cameras. `adjust` moves single points (joints, scene points); `adjust_boards` moves
rigid bodies whose points are known in their own axes (calibration boards), which says more with fewer unknowns.

What no pixel can tell (where the world's origin is, and with free points how large it is) stays about where it was at
the start: damped steps have no part in it. Cameras in ``fixed`` do not move at all; `Priors` pull towards the start.

Reference: Triggs et al. 2000, "Bundle Adjustment - A Modern Synthesis".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.checks import as_floats
from mocap3d.base.errors import InputError
from mocap3d.cameras.bundle_problem import Blocks, BodyBlocks, Free, Options, PointBlocks, Priors, Problem
from mocap3d.cameras.schur import Grouping

__all__ = ["Adjusted", "BoardSights", "Priors", "Sights", "adjust", "adjust_boards"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sights:
    """N sights of points. NaN in ``xy_px`` or weight 0 means "not seen".

    Attributes:
        camera: (N,) index of the camera.
        point: (N,) index of the point.
        xy_px: (N, 2) where, in pixels with distortion.
        weight: (N,) 1 / variance, in pixels to the power of -2; 1 everywhere when None.
    """

    camera: Ints
    point: Ints
    xy_px: Floats
    weight: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardSights:
    """N sights of points that are fixed to rigid bodies. NaN in ``xy_px`` or weight 0 means "not seen".

    Attributes:
        camera: (N,) index of the camera.
        body: (N,) index of the body; a board that moved is another body.
        local_m: (N, 3) the point in the body's axes.
        xy_px: (N, 2) where, in pixels with distortion.
        weight: (N,) 1 / variance, in pixels to the power of -2; 1 everywhere when None.
    """

    camera: Ints
    body: Ints
    local_m: Floats
    xy_px: Floats
    weight: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adjusted:
    """What an adjustment found.

    Attributes:
        cameras: the cameras, moved.
        points_m: (P, 3) the points; of `adjust_boards` the (B, 4, 4) ``world_from_body``.
        residuals_px: (N, 2) seen minus projected, in the order of the sights; NaN where nothing was seen, or where the
            point is behind the camera.
        trust: (N,) 0 to 1: how much the robust loss believed each sight; 0 where nothing was seen.
        std: per camera, the standard deviation of each free parameter by its name (`bundle_problem.FREE`), given the
            weights; of "pose" they are three radians and three metres in the camera's axes, of "zoom" and "focal"
            fractions.
        steps: iterations.
        converged: whether it stopped because nothing improved any more.
    """

    cameras: tuple[Camera, ...]
    points_m: Floats
    residuals_px: Floats
    trust: Floats
    std: tuple[Mapping[str, Floats], ...]
    steps: int
    converged: bool

    @property
    def rms_px(self) -> float:
        """Root mean square length of the residuals of what was seen, trusted or not."""
        return float(np.sqrt(np.nanmean((self.residuals_px**2).sum(axis=-1))))


def adjust(
    cameras: Sequence[Camera],
    points_m: ArrayLike,
    sights: Sights,
    *,
    free: Free = ("pose",),
    fixed: Sequence[int] = (),
    points_std_m: ArrayLike | None = None,
    robust_px: float | None = None,
    loss: Literal["huber", "cauchy"] = "huber",
    priors: Priors | None = None,
    max_steps: int = 100,
) -> Adjusted:
    """Move cameras and points until the points are projected where they were seen.

    Args:
        cameras: the start.
        points_m: (P, 3) world metres, the start; finite.
        sights: who saw what where.
        free: names out of `bundle_problem.FREE`, for every camera or per camera one sequence.
        fixed: indices of cameras that do not move at all.
        points_std_m: (P,) how well each point is known beforehand; infinite for not at all, which is the default.
        robust_px: where the loss turns from quadratic to ``loss``, in standard deviations of a sight (pixels where the
            weight is 1); None: quadratic everywhere.
        loss: "huber" grows linearly, "cauchy" hardly at all: outliers lose all their pull, but the start must be good.
        priors: how far the cameras may be from the start.
        max_steps: iterations at most.

    Raises:
        InputError: indices, shapes or names that do not fit.
    """
    points = as_floats("points_m", points_m, (None, 3))
    known = np.full(len(points), np.inf) if points_std_m is None else np.asarray(points_std_m, np.float64)
    if np.isnan(points).any() or known.shape != (len(points),) or not (known > 0).all():
        raise InputError("points_m must be finite, and points_std_m one number above 0 for each point")
    blocks = PointBlocks(start=points, std_m=known)
    return _adjusted(cameras, blocks, sights, sights.point, Options(free, fixed, robust_px, loss, priors, max_steps))


def adjust_boards(
    cameras: Sequence[Camera],
    world_from_body: ArrayLike,
    sights: BoardSights,
    *,
    free: Free = ("pose",),
    fixed: Sequence[int] = (),
    robust_px: float | None = None,
    loss: Literal["huber", "cauchy"] = "huber",
    priors: Priors | None = None,
    max_steps: int = 100,
) -> Adjusted:
    """Move cameras and rigid bodies until the bodies' points are projected where they were seen.

    Args:
        cameras: the start.
        world_from_body: (B, 4, 4) the start.
        sights: who saw what where.
        free: as for `adjust`, and so are all others.
        fixed: indices of cameras that do not move at all.
        robust_px: where the loss turns, in standard deviations of a sight.
        loss: "huber" or "cauchy".
        priors: how far the cameras may be from the start.
        max_steps: iterations at most.

    Raises:
        InputError: indices, shapes or names that do not fit.
    """
    poses = as_floats("world_from_body", world_from_body, (None, 4, 4))
    local = as_floats("local_m", sights.local_m, (len(sights.body), 3))
    if np.isnan(poses).any() or np.isnan(local).any():
        raise InputError("world_from_body and local_m must be finite")
    blocks = BodyBlocks(start=poses, local_m=local)
    return _adjusted(cameras, blocks, sights, sights.body, Options(free, fixed, robust_px, loss, priors, max_steps))


def _adjusted(
    cameras: Sequence[Camera], blocks: Blocks, sights: Sights | BoardSights, block: Ints, options: Options
) -> Adjusted:
    camera, block = (np.asarray(index, np.int64).ravel() for index in (sights.camera, block))
    N = len(camera)
    xy_px = as_floats("xy_px", sights.xy_px, (N, 2))
    weight = np.ones(N) if sights.weight is None else as_floats("weight", sights.weight, (N,))
    if len(block) != N or (N and not (camera.min() >= 0 and camera.max() < len(cameras))):
        raise InputError(f"sights.camera must hold {len(block)} indices below {len(cameras)}")
    if N and not (block.min() >= 0 and block.max() < blocks.count):
        raise InputError(f"sights must name points or bodies below {blocks.count}, got up to {block.max()}")
    if (np.nan_to_num(weight) < 0).any():
        raise InputError("sights.weight must not be negative")
    seen = np.flatnonzero(np.isfinite(xy_px).all(axis=-1) & (np.nan_to_num(weight) > 0))
    order = seen[np.lexsort((block[seen], camera[seen]))]
    problem = Problem(
        start=tuple(cameras),
        blocks=blocks.of(order),
        grouping=Grouping.of(camera[order], block[order], len(cameras), blocks.count),
        xy_px=xy_px[order],
        scale=np.sqrt(weight[order]),
        options=options,
    )
    result = problem.solve()
    residuals, trust = np.full((N, 2), np.nan), np.zeros(N)
    residuals[order], trust[order] = result.residuals_px, result.trust
    return Adjusted(
        cameras=result.cameras,
        points_m=result.blocks,
        residuals_px=residuals,
        trust=trust,
        std=result.std,
        steps=result.steps,
        converged=result.converged,
    )
