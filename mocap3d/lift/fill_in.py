"""What several cameras could not triangulate, filled in by the monocular lifter: finite, with confidence 0.

Each camera that sees enough of the person alone lifts the shape of the body. Where joints are known, bodies are scaled,
turned and moved onto them; where only one camera sees the person, that camera's rays say where the body stands, and
what that is off by before and after is taken away in between. Last, a joint that a camera sees comes onto its ray. So
one good camera gives direction exactly and depth as well as the lifter knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mocap3d.base.camera import Camera
from mocap3d.base.conversions import conversion, convert
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.procrustes import align
from mocap3d.base.projection import px_to_rays
from mocap3d.base.skeleton import Skeleton
from mocap3d.lift.adjust import rigid_bones
from mocap3d.lift.lifter_weights import LifterWeights
from mocap3d.lift.monocular import lift_pose2d

__all__ = ["FillSettings", "fill_from", "fill_in", "lifted_views"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_UNSEEN = 0.02  # what a camera says about a joint that it does not see, beside those that do


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSettings:
    """How far filling goes.

    Attributes:
        longest_s: for how long a person whom no camera sees is carried on.
        fewest_joints: a camera that sees fewer joints in a frame says nothing about the body there.
        forget_s: after this time what a joint was off by counts for a third.
        on_ray_m: a body further off a joint's ray than this is not pulled onto it: one of the two is wrong.
    """

    longest_s: float = 0.5
    fewest_joints: int = 6
    forget_s: float = 0.5
    on_ray_m: float = 0.25


def fill_in(
    pose: Pose3D,
    poses: Sequence[Pose2D | None],
    cameras: Sequence[Camera],
    *,
    weights: LifterWeights | None = None,
    height_m: float = 1.70,
    settings: FillSettings | None = None,
) -> Pose3D:
    """Fill joints that are missing after triangulation.

    Args:
        pose: world; what is finite stays as it is.
        poses: what C cameras see of the person, as `triangulate_pose` had them; None: not at all.
        cameras: C calibrated cameras.
        weights: the lifter; the shipped one when None.
        height_m: body height, for a person of whom no bone was triangulated.
        settings: how far filling goes.

    Returns:
        The pose with gaps filled: confidence 0, ``std_m`` of the lifter, ``views`` the cameras that see the joint.
        Missing stays what no camera sees for longer than ``longest_s``.

    Raises:
        InputError: poses that do not fit, or a skeleton that the lifter's joints cannot be written on.
    """
    _check(pose, poses, cameras)
    if np.isfinite(pose.xyz_m).all():
        return pose
    lifted = lifted_views(poses, cameras, weights=weights, height_m=height_m, settings=settings)
    return fill_from(pose, lifted, poses, cameras, settings=settings)


def lifted_views(
    poses: Sequence[Pose2D | None],
    cameras: Sequence[Camera],
    *,
    weights: LifterWeights | None = None,
    height_m: float = 1.70,
    settings: FillSettings | None = None,
) -> list[Pose3D | None]:
    """What each camera's lifter says of the person, in that camera's axes; None of a camera that sees too little.

    Args and errors: as of `fill_in`.
    """
    settings = settings or FillSettings()
    return [
        lift_pose2d(each, camera, weights=weights, height_m=height_m)
        if each is not None and bool(_sees(each, settings).any())
        else None
        for each, camera in zip(poses, cameras, strict=True)
    ]


def fill_from(
    pose: Pose3D,
    lifted: Sequence[Pose3D | None],
    poses: Sequence[Pose2D | None],
    cameras: Sequence[Camera],
    *,
    settings: FillSettings | None = None,
) -> Pose3D:
    """`fill_in` from bodies that are there already.

    Args:
        pose: as in `fill_in`, and so are poses, cameras and errors.
        lifted: what each camera's 2D joints were lifted to, in that camera's axes, wherever; None: nothing.
        poses: see there.
        cameras: see there.
        settings: how far filling goes.
    """
    _check(pose, poses, cameras)
    settings = settings or FillSettings()
    gaps = ~_known(pose.xyz_m)
    shapes = [
        _shape(pose, body, each, camera, settings)
        for body, each, camera in zip(lifted, poses, cameras, strict=True)
        if body is not None and each is not None
    ]
    if not gaps.any() or not shapes:
        return pose
    body_m, std_m = _blended(shapes, pose, settings)
    rays = _Rays(pose.skeleton, poses, cameras)
    placed = np.asarray(body_m + _places(pose, body_m, rays, settings)[:, None])
    placed += _own_offsets(pose.xyz_m - placed, ~gaps, float(pose.fps), settings)
    placed = rays.pulled(placed, settings.on_ray_m)
    filled = gaps & _known(placed)
    return replace(
        pose,
        xyz_m=np.where(filled[..., None], placed, pose.xyz_m),
        confidence=np.where(filled, 0.0, pose.confidence),
        std_m=np.where(filled, std_m, pose.std_m),
        views=np.where(filled, rays.seen.sum(axis=0), pose.views),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shape:
    """One camera's body, turned and scaled into the world, its middle anywhere: (T, J, 3), (T, J), weight (T, J)."""

    xyz_m: Floats
    std_m: Floats
    weight: Floats


class _Rays:
    """Where joints are seen from: origins and directions in the world, per camera."""

    def __init__(self, skeleton: Skeleton, poses: Sequence[Pose2D | None], cameras: Sequence[Camera]) -> None:
        there = [(pose, camera) for pose, camera in zip(poses, cameras, strict=True) if pose is not None]
        frames = len(there[0][0])
        self.origin_m = np.stack([camera.world_from_cam[:3, 3] for _, camera in there])[:, None, None]
        self.direction = np.full((len(there), frames, len(skeleton), 3), np.nan)
        for n, (pose, camera) in enumerate(there):
            shared = [name for name in skeleton.joint_names if name in pose.skeleton.joint_names]
            to, of = [skeleton.index(name) for name in shared], [pose.skeleton.index(name) for name in shared]
            xy = np.where(pose.confidence[:, of, None] > 0, pose.xy_px[:, of], np.nan)
            along = px_to_rays(camera, xy) @ camera.cam_from_world[:3, :3]
            self.direction[n, :, to] = np.moveaxis(along / np.linalg.norm(along, axis=-1, keepdims=True), 1, 0)
        self.seen = np.isfinite(self.direction).all(axis=-1)

    def away(self, xyz_m: Floats) -> Floats:
        """(C, T, J, 3) the way from points to their rays; NaN where there is none or the point is behind."""
        from_camera = xyz_m - self.origin_m
        along = (from_camera * self.direction).sum(axis=-1, keepdims=True)
        return np.where(along > 0, along * self.direction - from_camera, np.nan)

    def pulled(self, xyz_m: Floats, farthest_m: float) -> Floats:
        """Points on the mean of their rays, where they lie near."""
        away = self.away(xyz_m)
        counts = (np.linalg.norm(away, axis=-1) < farthest_m)[..., None]
        return np.asarray(xyz_m + np.where(counts, away, 0.0).sum(axis=0) / np.maximum(counts.sum(axis=0), 1))

    def place(self, body_m: Floats) -> Floats:
        """(C, T, 3) where bodies must stand to lie on each camera's rays; NaN where it sees fewer than two joints."""
        counts = self.seen & np.isfinite(body_m).all(axis=-1)
        d = np.where(counts[..., None], self.direction, 0.0)
        across = counts[..., None, None] * np.eye(3) - d[..., :, None] * d[..., None, :]
        wanted = np.where(counts[..., None], self.origin_m - body_m, 0.0)
        normal = across.sum(axis=2)
        right = (across @ wanted[..., None]).sum(axis=2)
        fixed = (counts.sum(axis=2) >= 2) & (np.linalg.det(normal) > 1e-9)
        solvable = np.where(fixed[..., None, None], normal, np.eye(3))
        return np.where(fixed[..., None], np.linalg.solve(solvable, right)[..., 0], np.nan)


def _shape(pose: Pose3D, body: Pose3D, seen: Pose2D, camera: Camera, settings: FillSettings) -> _Shape:
    """Scale by the bones that are known, turn by the axes of the camera and what they are off by."""
    points, std_m, seen_by_lifter = _on_skeleton(body, pose.skeleton)
    world = points @ camera.cam_from_world[:3, :3]
    good = _sees(seen, settings)
    known = _known(pose.xyz_m) & _known(world) & good[:, None]
    scale = _scale(pose, body, world, known)
    world, std_m = scale * world, scale * std_m
    middles = [_middle(each, known) for each in (pose.xyz_m, world)]
    both = np.isfinite(middles[0]).all(axis=-1) & (known.sum(axis=1) >= 4)
    if both.sum() >= 5:
        a, b = (
            np.where(known[..., None], each - middle[:, None], np.nan)[both].reshape(-1, 3)
            for each, middle in zip((pose.xyz_m, world), middles, strict=True)
        )
        world = world @ align(a, b, scaled=False).rotation.T
    return _Shape(xyz_m=world, std_m=std_m, weight=good[:, None] * (seen_by_lifter + _UNSEEN))


def _on_skeleton(body: Pose3D, skeleton: Skeleton) -> tuple[Floats, Floats, Floats]:
    """Lifted joints under the names of another skeleton; what it has no joint for goes with the face or the root."""
    missing = conversion(body.skeleton, skeleton).missing
    converted = convert(body, skeleton)
    points, std_m, confidence = converted.xyz_m.copy(), converted.std_m.copy(), converted.confidence.copy()
    names = body.skeleton.joint_names
    stand_in = names.index("face") if "face" in names else 0
    for name in missing:
        joint = skeleton.index(name)
        points[:, joint], std_m[:, joint] = body.xyz_m[:, stand_in], body.std_m[:, stand_in]
        confidence[:, joint] = body.confidence[:, stand_in]
    return points, std_m, confidence


def _scale(pose: Pose3D, body: Pose3D, world: Floats, known: Flags) -> float:
    """How much longer the bones are than the lifter thinks, those between joints that it knows."""
    missing = conversion(body.skeleton, pose.skeleton).missing
    own = known & np.array([name not in missing for name in pose.skeleton.joint_names])
    ratios = []
    for a, b in rigid_bones(pose.skeleton, np.arange(len(pose.skeleton))).tolist():
        both = own[:, a] & own[:, b]
        if both.sum() >= 5:
            spans = [np.median(np.linalg.norm(each[both, a] - each[both, b], axis=-1)) for each in (pose.xyz_m, world)]
            ratios.append(spans[0] / max(float(spans[1]), 1e-6))
    return float(np.median(ratios)) if ratios else 1.0


def _middle(xyz_m: Floats, counts: Flags) -> Floats:
    """(T, 3) mean of the joints that count; NaN where none does."""
    total = np.where(counts[..., None], xyz_m, 0.0).sum(axis=1)
    count = counts.sum(axis=1)[:, None]
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _blended(shapes: Sequence[_Shape], pose: Pose3D, settings: FillSettings) -> tuple[Floats, Floats]:
    """The mean body of all cameras, root at the origin; carried over frames in which none sees it."""
    weight = np.stack([shape.weight for shape in shapes])
    total = weight.sum(axis=0)
    share = weight / np.where(total > 0, total, 1.0)
    centred = np.stack([shape.xyz_m - shape.xyz_m.mean(axis=1, keepdims=True) for shape in shapes])
    body_m = (share[..., None] * np.nan_to_num(centred)).sum(axis=0)
    std_m = (share * np.stack([shape.std_m for shape in shapes])).sum(axis=0)
    there = np.asarray((total > 0).all(axis=-1))
    body_m = _interpolated(body_m, there)
    std_m = _interpolated(std_m, there)
    near = _seconds_away(there, float(pose.fps)) <= settings.longest_s
    return np.where(near[:, None, None], body_m, np.nan), std_m


def _places(pose: Pose3D, body_m: Floats, rays: _Rays, settings: FillSettings) -> Floats:
    """(T, 3) where the body stands: by known joints, else by rays, else between; NaN where that is unknown."""
    known = _known(pose.xyz_m) & _known(body_m)
    anchored = known.sum(axis=1) >= 3
    anchor = _middle(pose.xyz_m - body_m, known)
    total, count = np.zeros(anchor.shape), np.zeros((len(anchor), 1))
    for by_rays in rays.place(body_m):
        seen = _known(by_rays)
        both = anchored & seen  # what this camera's places are off by, mostly in depth
        drift = _interpolated(np.where(both[:, None], anchor - by_rays, 0.0), both)
        total += np.where(seen[:, None], by_rays + drift, 0.0)
        count += seen[:, None]
    there = anchored | (count[:, 0] > 0)
    place = np.where(anchored[:, None], anchor, total / np.maximum(count, 1))
    near = _seconds_away(there, float(pose.fps)) <= settings.longest_s
    return np.asarray(np.where(near[:, None], _interpolated(place, there), np.nan))


def _own_offsets(off_m: Floats, known: Flags, fps: float, settings: FillSettings) -> Floats:
    """(T, J, 3) what each joint is off by where it is known, carried into gaps and forgotten there."""
    offsets = np.zeros_like(off_m)
    for joint in range(off_m.shape[1]):
        there = known[:, joint] & np.isfinite(off_m[:, joint]).all(axis=-1)
        if there.any():
            kept = np.exp(-_seconds_away(there, fps) / settings.forget_s)
            offsets[:, joint] = kept[:, None] * _interpolated(off_m[:, joint], there)
    return offsets


def _interpolated(values: Floats, there: Flags) -> Floats:
    """Straight lines over time between the frames that count; before and after them as at the nearest."""
    if there.all() or not there.any():
        return values
    every, some = np.arange(len(values)), np.flatnonzero(there)
    flat = values.reshape(len(values), -1)
    columns = [np.interp(every, some, flat[some, n]) for n in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(values.shape)


def _seconds_away(there: Flags, fps: float) -> Floats:
    """(T,) time to the nearest frame that counts; infinite where none does."""
    if not there.any():
        return np.full(len(there), np.inf)
    return np.asarray(distance_transform_edt(~there) / fps, dtype=np.float64)


def _known(xyz_m: Floats) -> Flags:
    return np.asarray(np.isfinite(xyz_m).all(axis=-1))


def _sees(pose: Pose2D, settings: FillSettings) -> Flags:
    return np.asarray((pose.confidence > 0).sum(axis=1) >= settings.fewest_joints)


def _check(pose: Pose3D, poses: Sequence[Pose2D | None], cameras: Sequence[Camera]) -> None:
    if len(poses) != len(cameras):
        raise InputError(f"there must be one pose (or None) for each of the {len(cameras)} cameras, got {len(poses)}")
    if pose.frame != "world":
        raise InputError("joints to fill in must be in the world, not in a camera's axes")
    for seen in poses:
        if seen is not None and (len(seen), seen.fps) != (len(pose), pose.fps):
            raise InputError(
                f"poses must have the frames and rate of the joints: {len(pose)} at {pose.fps} fps, "
                f"got {len(seen)} at {seen.fps}"
            )
