"""Clips for the viewers' tests: a piece of the demo clip, and the same as if several cameras had filmed it."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
from videos import LENS, WALK, write_video

import mocap3d
from mocap3d.base.projection import project

FIRST, STOP = 40, 64
OFFSETS_S = (0.0, 0.1, -0.2)  # when each of three cameras began
GRAY_STEP = 4


@functools.cache
def walk() -> mocap3d.Clip:
    """Frames 40 to 63 of the demo clip."""
    return mocap3d.capture(WALK, cameras=LENS, height_m=1.65, start=FIRST, stop=STOP)


def take(folder: Path) -> mocap3d.Clip:
    """The same people as three cameras saw them, without error; picture n of each video is gray ``4 n``."""
    clip = walk()
    (one,) = clip.performances
    rig = tuple(replace(turned(quarter(clip.cameras[0]), 0.5 * c), name=f"cam{c}") for c in range(3))
    pose3d = replace(one.pose3d, confidence=np.where(np.isfinite(one.pose3d.xyz_m[..., 0]), 1.0, 0.0))
    views = tuple(
        mocap3d.Pose2D(
            xy_px=project(camera, pose3d.xyz_m)[0] + [0.0, 3.0 * c],  # what camera c says is 3 c pixels too low
            confidence=pose3d.confidence,
            fps=pose3d.fps,
            skeleton=pose3d.skeleton,
            camera_name=camera.name,
        )
        for c, camera in enumerate(rig)
    )
    paths = [gray_video(folder / f"cam{c}.mp4", rig[0].size_wh_px) for c in range(3)]
    settings = {
        "videos": [str(path) for path in paths],
        "offsets_s": list(OFFSETS_S),
        "start_s": FIRST / 30,
        "start": None,
        "height_m": 1.65,
    }
    person = replace(one, pose2d=views[0], pose3d=pose3d, views=views)
    return replace(
        clip, source=paths[0], performances=(person,), rig=rig, cameras=rig[:1], settings=settings, notes=("a note",)
    )


def quarter(camera: mocap3d.Camera) -> mocap3d.Camera:
    """The same view in pictures of a quarter of the size."""
    K = camera.K.copy()
    K[:2] /= 4
    K[:2, 2] += 0.5 / 4 - 0.5  # pixel centres
    return replace(camera, K=K, size_wh_px=(camera.size_wh_px[0] // 4, camera.size_wh_px[1] // 4))


def turned(camera: mocap3d.Camera, angle: float) -> mocap3d.Camera:
    """A camera that has walked around the origin."""
    about_y = np.eye(4)
    about_y[0, 0] = about_y[2, 2] = np.cos(angle)
    about_y[0, 2], about_y[2, 0] = np.sin(angle), -np.sin(angle)
    return replace(camera, cam_from_world=camera.cam_from_world @ about_y)


def gray_video(path: Path, size_wh_px: tuple[int, int], frames: int = 60) -> Path:
    """A video whose picture n is gray ``4 n``."""
    width, height = size_wh_px
    return write_video(path, [np.full((height, width, 3), GRAY_STEP * n, np.uint8) for n in range(frames)])
