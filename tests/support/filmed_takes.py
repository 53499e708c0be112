"""Videos that were never filmed: what a detector would say of walkers before cameras, put in the place of pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from rigs_of_cameras import seen_by
from scipy.spatial.transform import Rotation

from mocap3d.base.procrustes import align
from mocap3d.base.shot import Shot
from mocap3d.watching import Watched


class Unseen(SimpleNamespace):
    """A video without pictures."""

    is_picture = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __iter__(self):
        return iter(())


class Films:
    """Makes videos; ``install`` puts them where mocap3d opens and watches videos."""

    def __init__(self):
        self.stories = {}

    def install(self, monkeypatch, *watchers):
        """Replace opening, and ``watch`` in each of the modules."""
        monkeypatch.setattr("mocap3d.cameras.video.open_video", self.open)
        for module in watchers:
            monkeypatch.setattr(module, "watch", self.watch)

    def film(self, folder, cameras, people, *, late=None, moves=None, noise_px=2.0, fps=30, mirrored=(), stop=None):
        """Write empty files "cam0.mp4" ..., and remember what they show.

        Args:
            folder: where.
            cameras: one per video; people: [(T, 17, 3)] of this frame rate.
            late: per camera, how many frames after the others it began; moves: (camera, frame) at which it is noticed
                to move; mirrored: cameras whose pictures are.
            noise_px, fps, stop: of the joints, of the videos, the frame to end before.
        """
        paths = []
        for n, camera in enumerate(cameras):
            skip = 0 if late is None else late[n]
            poses = [seen_by([camera], xyz_m, noise_px=noise_px, seed=9 * n + k)[0] for k, xyz_m in enumerate(people)]
            count = (len(people[0]) if people else 60) - skip
            frames = []
            for t in range(count):
                xy = np.array([pose.xy_px[skip + t] for pose in poses]).reshape(-1, 17, 2)
                if n in mirrored:
                    xy = mirror(xy, camera.size_wh_px[0])
                sure = np.array([pose.confidence[skip + t] for pose in poses]).reshape(-1, 17)
                frames.append(SimpleNamespace(xy_px=xy, confidence=sure))
            from_frame = moves[1] if moves is not None and moves[0] == n else None
            path = Path(folder) / f"{camera.name}.mp4"
            path.touch()
            shots = (Shot(start=0, stop=count, moves_from=from_frame),)
            self.stories[path.name] = frames, shots, camera.size_wh_px, Fraction(fps)
            paths.append(path)
        return paths

    def open(self, path, **_):
        """In the place of ``open_video``."""
        frames, _, size, fps = self.stories[Path(path).name]
        return Unseen(path=Path(path), size_wh_px=size, fps=fps, frame_count=len(frames), start_frame=0, fov_deg=None)

    def watch(self, video, *_):
        """In the place of ``watch``."""
        frames, shots, _, _ = self.stories[video.path.name]
        return Watched(video=video, detections=frames, shots=shots)


PAIRS = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def mirror(xy_px, width):
    """What a detector says of a mirrored picture: places flipped, and what looks like a left hand is called left."""
    flipped = xy_px.copy()
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped[..., PAIRS, :]


def unevenly(xyz_m):
    """The same walk, now faster, now slower: who walks evenly looks alike every two steps."""
    t = np.arange(len(xyz_m), dtype=float)
    at = np.clip(t + 11 * np.sin(t / 14.0) * np.sin(t / 47.0 + 0.4), 0, len(t) - 1)
    low = np.minimum(at.astype(int), len(t) - 2)
    part = (at - low)[:, None, None]
    return xyz_m[low] * (1 - part) + xyz_m[low + 1] * part


def in_a_circle(xyz_m, radius_m=2.0):
    """The same walk bent around the origin, so that it stays in view; planted feet still stand (a conformal map)."""
    across, along = xyz_m[..., 0], xyz_m[..., 2]
    far, angle = radius_m + across, along / radius_m
    return np.stack([far * np.cos(angle), xyz_m[..., 1], far * np.sin(angle)], axis=-1)


def blind(cameras):
    """The lenses alone."""
    return [replace(camera, cam_from_world=np.eye(4)) for camera in cameras]


def centres(cameras):
    return np.array([camera.world_from_cam[:3, 3] for camera in cameras])


def off_m(found, true):
    """How far the cameras are off after a rigid alignment, and how far their vertical is tilted in degrees."""
    fit = align(centres(true), centres(found), scaled=False)
    tilts = [
        np.degrees(np.arccos(np.clip((b.cam_from_world[:3, 1] @ a.cam_from_world[:3, 1]), -1, 1)))
        for a, b in zip(found, true, strict=True)
    ]
    return float(np.abs(fit.apply(centres(found)) - centres(true)).max()), float(max(tilts))


def turned(camera, deg=3.0):
    """Bumped: it looks elsewhere."""
    pose = camera.cam_from_world.copy()
    pose[:3] = Rotation.from_euler("y", deg, degrees=True).as_matrix() @ pose[:3]
    return replace(camera, cam_from_world=pose)
