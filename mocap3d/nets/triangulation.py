"""Triangulation on a torch device: what ``base/triangulation.py`` and ``base/consensus.py`` do, for CUDA.

The same steps in the same order, in float64, so that the two are each other's oracle. Lenses are undone in NumPy, where
it is exact for every model; everything after it runs on the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mocap3d.base.camera import Camera
from mocap3d.base.consensus import AGREES, DISAGREES, ROUNDS, camera_pairs
from mocap3d.base.errors import InputError
from mocap3d.base.triangulation import PARALLEL, normal_products, rays_of

__all__ = ["triangulate_on_device"]

Floats = NDArray[np.float64]

_AT_ONCE = 1 << 20


def triangulate_on_device(
    cameras: Sequence[Camera],
    xy_px: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    std_px: float | None = None,
    device: str = "cuda",
) -> tuple[Floats, Floats]:
    """Find points from several views, on a torch device.

    Args:
        cameras: C cameras.
        xy_px: (C, N, 2) pixels, NaN where not seen.
        weight: (C, N) at least 0; None: all alike.
        std_px: error of a pixel of weight 1; views that are further off than it explains lose their say, as in
            ``base.consensus.find_points``. None: every view is believed, as in ``base.triangulation.triangulate``.
        device: "cpu", "cuda", "cuda:1".

    Returns:
        (N, 3) world metres, NaN as there; and the say (C, N) of the views, 0 to 1.

    Raises:
        InputError: fewer than two cameras, or shapes that do not fit.
    """
    pixels = np.asarray(xy_px, np.float64)
    if len(cameras) < 2 or pixels.ndim != 3 or pixels.shape[::2] != (len(cameras), 2):
        raise InputError(f"xy_px must be (C, N, 2) for C cameras, at least 2; got {pixels.shape} for {len(cameras)}")
    weights = np.ones(pixels.shape[:2]) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != pixels.shape[:2] or not (weights >= 0).all():
        raise InputError(f"weight must be at least 0 and have shape {pixels.shape[:2]}, got {weights.shape}")
    rays, px_per_ray = rays_of(cameras, pixels)
    poses = np.stack([camera.cam_from_world[:3] for camera in cameras])
    solver = _Solver(poses, device)
    found, says = [], []
    for start in range(0, max(pixels.shape[1], 1), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        uv = torch.from_numpy(rays[:, :, some].copy()).to(device)
        w = torch.from_numpy(weights[:, some] * (px_per_ray[:, some] / (std_px or 1.0)) ** 2).to(device)
        w = torch.where(torch.isfinite(uv).all(dim=1), w, 0.0)
        xyz, say = solver.find(uv, w) if std_px is not None else (solver.solve(uv, w), (w > 0).double())
        found.append(xyz.T.cpu().numpy())
        says.append(say.cpu().numpy())
    return np.concatenate(found), np.concatenate(says, axis=1)


class _Solver:
    """C cameras on a device. Points are (3, N), rays (C, 2, N), weights (C, N)."""

    def __init__(self, poses: Floats, device: str) -> None:
        """Put the origin among the cameras, as NumPy does."""
        centres = -np.einsum("cji,cj->ci", poses[:, :, :3], poses[:, :, 3])
        origin = centres.mean(axis=0)
        local = np.concatenate([poses[:, :, :3], (poses[:, :, :3] @ origin + poses[:, :, 3])[..., None]], axis=2)
        self._pairs = camera_pairs(poses)
        self._origin = torch.from_numpy(origin[:, None]).to(device)
        self._poses = torch.from_numpy(local).to(device)
        self._products = torch.from_numpy(np.ascontiguousarray(normal_products(local))).to(device)

    def solve(self, uv: Tensor, weight: Tensor) -> Tensor:
        """Weighted, every view believed."""
        return self._solve(range(len(uv)), uv, weight, rounds=2) + self._origin

    def find(self, uv: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Some views may be wrong: points and the say of the views."""
        every = range(len(uv))
        seen = weight > 0
        xyz = self._solve(every, uv, weight, rounds=2)
        off = self._errors(uv, weight, xyz)
        say = seen.double()
        unsure = torch.nonzero((~(off <= AGREES) & seen).any(dim=0) & (seen.sum(dim=0) >= 2))[:, 0]
        if len(unsure):
            without, found = self._without_worst(uv[:, :, unsure], weight[:, unsure], off[:, unsure])
            settled = without.any(dim=0)
            xyz[:, unsure[settled]], say[:, unsure[settled]] = found[:, settled], without[:, settled].double()
            unsure = unsure[~settled]
        if len(unsure):
            xyz[:, unsure], say[:, unsure] = self._most_agreed(uv[:, :, unsure], weight[:, unsure])
        lost = torch.isnan(xyz).any(dim=0) | ((say > 0).sum(dim=0) < 2)
        return torch.where(lost, torch.nan, xyz + self._origin), torch.where(lost, 0.0, say)

    def _without_worst(self, uv: Tensor, weight: Tensor, off: Tensor) -> tuple[Tensor, Tensor]:
        worst = torch.where(weight > 0, torch.nan_to_num(off, nan=torch.inf), -1.0).argmax(dim=0, keepdim=True)
        others = weight.scatter(0, worst, 0.0)
        xyz = self._solve(range(len(uv)), uv, others, rounds=2)
        off = self._errors(uv, weight, xyz)
        agree = ((off <= AGREES) | ~(others > 0)).all(dim=0) & ((others > 0).sum(dim=0) >= 3)
        return (others > 0) & (agree & ~(off.gather(0, worst)[0] < DISAGREES)), xyz

    def _most_agreed(self, uv: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        seen = weight > 0
        xyz, say = self._best_proposal(uv, weight)
        for _ in range(ROUNDS):
            xyz = self._solve(range(len(uv)), uv, weight * say, depth=self._depths(xyz))
            say = torch.where(seen, _agreement(self._errors(uv, weight, xyz)), 0.0)
        return xyz, say

    def _best_proposal(self, uv: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        seen = weight > 0
        enough = (seen.sum(dim=0) - 1).clamp(min=3)
        lowest = torch.full_like(weight[0], torch.inf)
        best, say = torch.full((3, weight.shape[1]), torch.nan).to(weight), torch.zeros_like(weight)
        open_ = torch.ones_like(seen[0])
        for pair in self._pairs:
            both = torch.nonzero(open_ & seen[pair[0]] & seen[pair[1]])[:, 0]
            uv_both, weight_both, two = uv[:, :, both], weight[:, both], list(pair)
            proposed = self._solve(pair, uv_both[two], weight_both[two], rounds=1)
            off = torch.where(weight_both > 0, self._errors(uv_both, weight_both, proposed), 0.0)
            cost = (torch.nan_to_num(off, nan=DISAGREES).clamp(max=DISAGREES) ** 2).sum(dim=0)
            better = cost < lowest[both]
            at = both[better]
            lowest[at], best[:, at] = cost[better], proposed[:, better]
            say[:, at] = torch.where(seen[:, at], _agreement(off[:, better]), 0.0)
            agreed = ((off <= AGREES) & (weight_both > 0)).sum(dim=0) >= enough[both]
            open_[both[agreed]] = False
        return best, say

    def _solve(
        self, cameras: Sequence[int], uv: Tensor, weight: Tensor, *, rounds: int = 1, depth: Tensor | None = None
    ) -> Tensor:
        """(3, N) around the local origin; NaN with fewer than two views, parallel rays, or behind a camera."""
        chosen = list(cameras)
        seen = weight > 0
        u, v = torch.where(seen, uv[:, 0], 0.0), torch.where(seen, uv[:, 1], 0.0)
        squared = u * u + v * v
        columns = [4 * camera + n for camera in chosen for n in range(4)]
        products = self._products[:, columns]
        for _ in range(rounds):
            w = weight / (1 + squared if depth is None else (depth * depth).clamp(min=1e-12))
            features = torch.stack([w, w * u, w * v, w * squared], dim=1).reshape(-1, w.shape[1])
            xyz = _by_cofactors(products @ features)
            depth = self._poses[chosen, 2, :3] @ xyz + self._poses[chosen, 2, 3:]
        behind = (seen & ~(depth > 0)).any(dim=0)  # type: ignore[operator]  # depth was set in the loop
        return torch.where(behind | (seen.sum(dim=0) < 2), torch.nan, xyz)

    def _depths(self, xyz: Tensor) -> Tensor:
        return self._poses[:, 2, :3] @ xyz + self._poses[:, 2, 3:]

    def _errors(self, uv: Tensor, weight: Tensor, xyz: Tensor) -> Tensor:
        turned = torch.einsum("cij,jn->cin", self._poses[:, :, :3], xyz) + self._poses[:, :, 3:]
        inverse = 1 / torch.where(turned[:, 2] > 0, turned[:, 2], torch.nan)
        off = turned[:, :2] * inverse[:, None] - uv
        return (weight * (off * off).sum(dim=1)).sqrt()


def _agreement(off: Tensor) -> Tensor:
    t = ((DISAGREES - torch.nan_to_num(off, nan=torch.inf)) / (DISAGREES - AGREES)).clamp(0.0, 1.0)
    return t * t * (3 - 2 * t)


def _by_cofactors(normal: Tensor) -> Tensor:
    xx, xy, xz, yy, yz, zz, bx, by, bz = normal
    cxx, cxy, cxz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    cyy, cyz, czz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * cxx + xy * cxy + xz * cxz
    mean = (xx + yy + zz) / 3
    inverse = torch.where(determinant > PARALLEL * mean * mean * mean, 1 / determinant, torch.nan)
    return torch.stack(
        [
            (cxx * bx + cxy * by + cxz * bz) * inverse,
            (cxy * bx + cyy * by + cyz * bz) * inverse,
            (cxz * bx + cyz * by + czz * bz) * inverse,
        ]
    )
