"""What the gates measure: people in space, and how each camera agrees with the others about them.

Lengths are shares of a person's height, in space or in the picture, so that the measures do not depend on the size of
the world, which has a gate of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import project
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.triangulation import reprojection_px, triangulate
from mocap3d.cameras.people.world import seldom, stature_m, trunks_m
from mocap3d.cameras.sync.together import synchronised

__all__ = ["Scene"]

Floats = NDArray[np.float64]

_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_ENDS = (("elbow", "wrist"), ("knee", "ankle"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Cameras, and one or more people as each of them saw them (one clock, one skeleton).

    Attributes:
        cameras: C cameras in the world.
        people: per person one entry for each camera.
    """

    cameras: tuple[Camera, ...]
    people: tuple[tuple[Pose2D | None, ...], ...]

    def __post_init__(self) -> None:
        """Check that lists fit."""
        if len(self.cameras) < 2:
            raise InputError(f"gates need at least 2 cameras, got {len(self.cameras)}: one camera measures no depth")
        if not self.people or any(len(own) != len(self.cameras) for own in self.people):
            raise InputError(f"every person needs one entry for each of the {len(self.cameras)} cameras")
        kinds = {(pose.skeleton.name, pose.fps) for own in self.people for pose in own if pose is not None}
        if len(kinds) != 1 or any(len({len(pose) for pose in own if pose is not None}) != 1 for own in self.people):
            raise InputError("what the cameras saw must have one skeleton, one rate, and the same frames per person")

    @property
    def skeleton(self) -> Skeleton:
        """Of all poses."""
        return self._some.skeleton

    @property
    def fps(self) -> float:
        """Of all poses."""
        return float(self._some.fps)

    @property
    def _some(self) -> Pose2D:
        return next(pose for own in self.people for pose in own if pose is not None)

    @cached_property
    def xy_px(self) -> Floats:
        """(C, T, J, 2) of all people, one after the other in time."""
        return np.concatenate([self._stacked(own)[0] for own in self.people], axis=1)

    @cached_property
    def weight(self) -> Floats:
        """(C, T, J) confidence."""
        return np.concatenate([self._stacked(own)[1] for own in self.people], axis=1)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """(P,) where each person's frames end."""
        return np.cumsum([len(next(pose for pose in own if pose is not None)) for own in self.people])

    @cached_property
    def points_m(self) -> Floats:
        """(T, J, 3) triangulated, wild views held back; NaN for joints of which there is but a glimpse."""
        weight = self.weight
        points = triangulate(self.cameras, self.xy_px, weight)
        for _ in range(2):
            off = np.nan_to_num(reprojection_px(self.cameras, points, self.xy_px), nan=1e6)
            known = off[(self.weight > 0) & (off < 1e6)]
            typical = float(np.median(known)) if known.size else 1.0
            weight = self.weight / (1 + (off / (4 * typical + 1e-9)) ** 2)
            points = triangulate(self.cameras, self.xy_px, weight)
        for own in np.split(points, self.ends[:-1]):
            own[:, seldom(np.isfinite(own[..., 0]))] = np.nan
        return points

    @cached_property
    def size_px(self) -> Floats:
        """(C,) how tall people are in each picture; NaN where nobody is."""
        seen = np.where((self.weight > 0)[..., None], self.xy_px, np.nan)
        sizes = np.full(len(self.cameras), np.nan)
        for c, points in enumerate(seen):
            enough = np.isfinite(points[..., 0]).sum(axis=1) >= 4
            if enough.any():
                extent = np.nanmax(points[enough], axis=1) - np.nanmin(points[enough], axis=1)
                sizes[c] = max(float(np.median(np.hypot(extent[:, 0], extent[:, 1]))), 1.0)
        return sizes

    @cached_property
    def statures_m(self) -> Floats:
        """(P,) height of each person; NaN where limbs were not seen."""
        return np.array([stature_m(pose) for pose in self._poses])

    @property
    def size_m(self) -> float:
        """The usual height of a person, for measuring in it; 1.7 where nobody was seen whole."""
        return float(np.nanmedian(self.statures_m)) if np.isfinite(self.statures_m).any() else 1.7

    @cached_property
    def residual(self) -> Floats:
        """(C, T, J, 2) seen minus projected, in people's heights.

        Points come from the other cameras, where there are two of them, so that no camera vouches for itself. NaN for
        joints of which there is but a glimpse.
        """
        held = np.full(self.xy_px.shape, np.nan)
        for c, camera in enumerate(self.cameras):
            points = self.points_m
            if len(self.cameras) > 2:
                weight = self.weight.copy()
                weight[c] = 0.0
                points = triangulate(self.cameras, self.xy_px, weight)
            held[c] = (self.xy_px[c] - project(camera, points)[0]) / self.size_px[c]
        held[~(self.weight > 0)] = np.nan
        for own in held:
            own[:, seldom(np.isfinite(own[..., 0]))] = np.nan
        return held

    def misfits(self) -> Floats:
        """(C,) median length of each camera's residuals, of all joints, of arms or of legs, whichever is largest.

        Of a mirrored picture trunks may fit: who walks straight on looks alike from left and right. Limbs do not.
        Heads are not asked alone: what a detector calls an ear differs from side to side. 1 where there are none.
        """
        length = np.linalg.norm(self.residual, axis=-1)
        groups = [list(range(len(self.skeleton)))]
        groups += [[self.skeleton.index(f"{side}_{joint}") for side in ("left", "right") for joint in limb]
                   for limb in _ENDS]  # fmt: skip
        told = [[_median(length[c][:, joints].ravel(), 0.0) for joints in groups] for c in range(len(self.cameras))]
        known = np.isfinite(length).any(axis=(1, 2))
        return np.where(known, np.max(told, axis=1), 1.0)

    def worst_misfit(self) -> float:
        """That of the camera that agrees least."""
        return float(self.misfits().max())

    def mirrored_back(self, c: int) -> Scene:
        """The same, had camera ``c`` not mirrored its picture: what a detector took for a left hand is a right one."""
        width, other = self.cameras[c].size_wh_px[0], list(self.skeleton.mirror)

        def back(pose: Pose2D | None) -> Pose2D | None:
            if pose is None:
                return None
            xy = pose.xy_px[:, other].copy()
            xy[..., 0] = width - 1 - xy[..., 0]
            return replace(pose, xy_px=xy, confidence=pose.confidence[:, other])

        return replace(self, people=tuple((*own[:c], back(own[c]), *own[c + 1 :]) for own in self.people))

    def late_s(self) -> Floats:
        """(C,) how much later than the others each camera shows things, as far as small lags explain the residuals."""
        late = np.full(len(self.cameras), np.nan)
        first = np.concatenate([[0], self.ends[:-1]])
        for c, xy in enumerate(self.xy_px):
            speed = np.full(xy.shape, np.nan)
            speed[1:-1] = (xy[2:] - xy[:-2]) * self.fps / 2 / self.size_px[c]
            speed[first], speed[self.ends - 1] = np.nan, np.nan  # no speed from one person to the next
            off = self.residual[c]
            both = np.isfinite(speed).all(axis=-1) & np.isfinite(off).all(axis=-1)
            v, r = speed[both], off[both]
            if len(v) < 50:
                continue
            r = r - np.median(r, axis=0)
            typical = 3 * float(np.median(np.linalg.norm(r, axis=-1))) + 1e-9
            weight = 1 / (1 + (np.linalg.norm(r, axis=-1) / typical) ** 2)
            late[c] = -float((weight[:, None] * r * v).sum() / max((weight[:, None] * v * v).sum(), 1e-12))
        return late

    def shifted(self, offsets_s: Floats) -> Scene | None:
        """The same people with cameras that started at other times; None if they then have nothing in common."""
        try:
            people = [synchronised(own, offsets_s)[0] for own in self.people]
        except InputError:
            return None
        return Scene(cameras=self.cameras, people=tuple(people))

    def same_places(self) -> list[tuple[int, int]]:
        """Pairs of cameras that stand at one place, as far away as people are, and look the same way."""
        points = self.points_m[np.isfinite(self.points_m).all(axis=-1)]
        centres = np.stack([camera.world_from_cam[:3, 3] for camera in self.cameras])
        middle = np.median(points, axis=0) if len(points) else np.zeros(3)
        far = float(np.median(np.linalg.norm(centres - middle, axis=1)))
        return [
            (c, d)
            for c, d in itertools.combinations(range(len(centres)), 2)
            if np.linalg.norm(centres[c] - centres[d]) < 0.02 * far
            and self.cameras[c].cam_from_world[2, :3] @ self.cameras[d].cam_from_world[2, :3] > np.cos(np.radians(5))
        ]

    def shifts(self) -> tuple[Floats, Floats]:
        """How far each camera's residuals move at the worst moment of the clip (C,), and when that is, seconds (C,)."""
        frames = self.xy_px.shape[1]
        worst, when = np.full(len(self.cameras), np.nan), np.zeros(len(self.cameras))
        moment = np.concatenate([np.arange(n) for n in np.diff(self.ends, prepend=0)])
        for c, residual in enumerate(self.residual):
            for share in (0.2, 0.35, 0.5, 0.65, 0.8):
                early = moment < share * moment.max()
                halves = [residual[part].reshape(-1, 2) for part in (early, ~early)]
                if frames < 10 or min(np.isfinite(half[:, 0]).sum() for half in halves) < 50:
                    continue
                moved = float(np.linalg.norm(np.nanmedian(halves[0], axis=0) - np.nanmedian(halves[1], axis=0)))
                if not worst[c] >= moved:
                    worst[c], when[c] = moved, share * moment.max() / self.fps
        return worst, when

    def trunk_up(self) -> float:
        """Mean upward component of people's trunks, -1 to 1."""
        along = np.concatenate([trunks_m(pose) for pose in self._poses])
        length = np.linalg.norm(along, axis=-1)
        return float(np.mean(along[length > 0, 1] / length[length > 0])) if (length > 0).any() else float("nan")

    def lowest_feet(self) -> Floats:
        """(P,) where each person's lower ankle usually is above y = 0, in people's heights.

        NaN for whoever was seen for less than half as long as the one seen longest: they say little about the floor.
        """
        heights = [self.points_m[:, self.skeleton.index(f"{side}_ankle"), 1] for side in ("left", "right")]
        own = [one[np.isfinite(one)] for one in np.split(np.fmin(*heights), self.ends[:-1])]
        enough = max(1, max(map(len, own)) // 2)
        return np.array([np.percentile(one, 25) if len(one) >= enough else np.nan for one in own]) / self.size_m

    def in_front(self) -> float:
        """Share of the joints seen by two cameras whose rays meet in front of both."""
        twice = ((self.weight > 0) & np.isfinite(self.xy_px[..., 0])).sum(axis=0) >= 2
        if not twice.any():
            return float("nan")
        found = np.isfinite(triangulate(self.cameras, self.xy_px, self.weight)[..., 0])
        return float(found[twice].mean())

    def angles_rad(self) -> Floats:
        """(C,) the widest angle at people between the ray of each camera and that of another."""
        points = self.points_m[np.isfinite(self.points_m).all(axis=-1)]
        if not len(points):
            return np.zeros(len(self.cameras))
        middle = np.median(points, axis=0)
        rays = np.stack([camera.world_from_cam[:3, 3] - middle for camera in self.cameras])
        rays = rays / np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
        angles = np.arccos(np.clip(rays @ rays.T, -1, 1))
        return np.asarray(np.minimum(angles, np.pi - angles).max(axis=1))

    def facing(self) -> float:
        """Share of moments in which the nose is on the side that left and right say is the front."""
        at = {name: self.points_m[:, self.skeleton.index(name)] for name in self.skeleton.joint_names}
        if not {"nose", "left_ear", "right_ear"} <= set(at):
            return float("nan")
        left = at["left_shoulder"] - at["right_shoulder"] + at["left_hip"] - at["right_hip"]
        up = at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]
        nose = at["nose"] - (at["left_ear"] + at["right_ear"]) / 2
        ahead = (np.cross(left, up) * nose).sum(axis=-1)
        return float((ahead[np.isfinite(ahead)] > 0).mean()) if np.isfinite(ahead).sum() >= 5 else float("nan")

    def limbs_vary(self) -> float:
        """How far limbs are from having one length over time, and one for left and right: the median of all limbs."""
        off = []
        for upper, lower in _LIMBS:
            ends = [[self.skeleton.index(f"{side}_{joint}") for joint in (upper, lower)] for side in ("left", "right")]
            lengths = [np.linalg.norm(self.points_m[:, a] - self.points_m[:, b], axis=-1) for a, b in ends]
            for person in np.split(np.stack(lengths), self.ends[:-1], axis=1):
                if np.isfinite(person).any(axis=1).all():
                    usual = np.nanmedian(person, axis=1)
                    off += [_median(np.abs(person - usual[:, None]).ravel()) * 1.48 / usual.mean()]
                    off += [abs(usual[0] - usual[1]) / usual.mean()]
        return float(np.median(off)) if off else float("nan")

    def shared_moments(self) -> Floats:
        """(C,) seconds during which each camera saw at least six joints that another saw too."""
        seen = (self.weight > 0) & np.isfinite(self.xy_px[..., 0])
        shared = [(seen[c] & (seen.sum(axis=0) >= 2)).sum(axis=-1) >= 6 for c in range(len(seen))]
        return np.array([moments.sum() / self.fps for moments in shared])

    @cached_property
    def _poses(self) -> list[Pose3D]:
        known = np.isfinite(self.points_m).all(axis=-1)
        return [
            Pose3D(
                xyz_m=points,
                confidence=there.astype(np.float64),
                std_m=np.zeros(there.shape),
                views=2 * there.astype(np.int64),
                fps=self._some.fps,
                skeleton=self.skeleton,
                frame="world",
            )
            for points, there in zip(
                np.split(self.points_m, self.ends[:-1]), np.split(known, self.ends[:-1]), strict=True
            )
        ]

    def _stacked(self, own: Sequence[Pose2D | None]) -> tuple[Floats, Floats]:
        shape = next(pose.xy_px.shape for pose in own if pose is not None)
        xy = np.stack([np.full(shape, np.nan) if pose is None else pose.xy_px for pose in own])
        weight = np.stack([np.zeros(shape[:2]) if pose is None else pose.confidence for pose in own])
        return xy, np.where(np.isfinite(xy).all(axis=-1), weight, 0.0)


def _median(values: Floats, otherwise: float = float("nan")) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else otherwise
