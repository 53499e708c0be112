"""The 2D tracks of calibrated cameras as directions in the world: what matching across views works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import px_to_rays

__all__ = ["Sighting", "sightings"]

_LEAST_PX = 1.0
_LEAST_JOINTS = 4
_HEIGHTS_PER_DISTANCE = 3.0
"""Stature over the median distance of the COCO-17 joints from their median, for a person who stands."""
_STEADY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sighting:
    """A stretch of one 2D track of one camera.

    Attributes:
        camera: index of the camera.
        track: index among the tracks of that camera.
        first: frame of row 0.
        centre_m: (3,) where the camera stands.
        ray: (n, J, 3) unit directions in the world; NaN where not seen.
        weight: (n, J) confidence, 0 where not seen.
        noise_rad: (n,) how exact the joints are taken to be, one standard deviation.
        height_rad: (n,) stature as an angle; a person who bends or is half hidden comes out smaller.
    """

    camera: int
    track: int
    first: int
    centre_m: NDArray[np.float64]
    ray: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise_rad: NDArray[np.float64]
    height_rad: NDArray[np.float64]

    @property
    def stop(self) -> int:
        """The frame after the last row."""
        return self.first + len(self.ray)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n,) rows in which at least two joints are seen: less has no size."""
        return np.asarray((self.weight > 0).sum(axis=1) >= 2)


def sightings(
    tracks: Sequence[Sequence[Pose2D]],
    cameras: Sequence[Camera],
    *,
    noise: float,
    least_confidence: float,
    longest_gap_s: float,
) -> list[Sighting]:
    """Turn every track into directions.

    Args:
        tracks: per camera its tracks.
        cameras: C cameras with poses in one world.
        noise: standard deviation of a joint in the picture, in body heights.
        least_confidence: joints below it are left out.
        longest_gap_s: a track that was lost for longer becomes two sightings: it may have come back as somebody else.
    """
    found = []
    for c, (camera, of_camera) in enumerate(zip(cameras, tracks, strict=True)):
        world_from_cam = camera.world_from_cam
        focal_px = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
        for k, pose in enumerate(of_camera):
            seen = (pose.confidence >= least_confidence) & (pose.confidence > 0)
            for during in _stretches(np.asarray(seen.any(axis=1)), longest_gap_s * float(pose.fps)):
                ray = px_to_rays(camera, np.where(seen[during, :, None], pose.xy_px[during], np.nan))
                ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
                weight = np.where(np.isfinite(ray).all(axis=-1), pose.confidence[during] * seen[during], 0.0)
                tall_px = _height_px(pose.xy_px[during], weight > 0, float(pose.fps))
                found.append(
                    Sighting(
                        camera=c,
                        track=k,
                        first=during.start,
                        centre_m=world_from_cam[:3, 3],
                        ray=ray @ world_from_cam[:3, :3].T,
                        weight=weight,
                        noise_rad=np.maximum(noise * tall_px, _LEAST_PX) / focal_px,
                        height_rad=tall_px / focal_px,
                    )
                )
    return found


def _stretches(seen: NDArray[np.bool_], longest_gap: float) -> list[slice]:
    """Where a track is seen, without long gaps."""
    frames = np.flatnonzero(seen)
    if not len(frames):
        return []
    cuts = np.flatnonzero(np.diff(frames) - 1 > longest_gap)
    starts, stops = frames[[0, *(cuts + 1)]], frames[[*cuts, -1]] + 1
    return [slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]


def _height_px(xy_px: NDArray[np.float64], seen: NDArray[np.bool_], fps: float) -> NDArray[np.float64]:
    """(T,) stature in the picture around each frame; medians, so that joints and frames that are wrong do not count."""
    points = np.where(seen[..., None], xy_px, np.nan)
    enough = seen.sum(axis=1) >= _LEAST_JOINTS
    if not enough.any():
        return np.full(len(xy_px), _LEAST_PX)
    frames = np.flatnonzero(enough)
    from_middle = points[frames] - np.nanmedian(points[frames], axis=1, keepdims=True)
    tall = _HEIGHTS_PER_DISTANCE * np.nanmedian(np.linalg.norm(from_middle, axis=-1), axis=1)
    steady = median_filter(tall, size=2 * round(_STEADY_S * fps / 2) + 1, mode="nearest")
    return np.interp(np.arange(len(xy_px)), frames, np.maximum(steady, _LEAST_PX))
