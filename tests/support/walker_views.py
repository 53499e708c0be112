"""The trigonometric walker as a camera sees it: joints in the camera's axes, and COCO-17 pixels. No code of mocap3d's
but its types.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import walker

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17

FACE = {"nose": (0, -0.03, 0.11), "left_eye": (0.03, 0.01, 0.08), "right_eye": (-0.03, 0.01, 0.08),
        "left_ear": (0.07, 0, 0), "right_ear": (-0.07, 0, 0)}  # fmt: skip


def walk_seen_from(
    azimuth_deg: float, fps: Fraction | int = 30, frames: int | None = None, *, on_the_spot: bool = False
) -> tuple[np.ndarray, Pose2D, Camera]:
    """See the walker from 5 m beside the middle of its path.

    Args:
        azimuth_deg: of the camera.
        fps: of the camera.
        frames: how many; None: two seconds.
        on_the_spot: whether the floor moves instead, so that clips of any length look alike.

    Returns:
        (T, 20, 3) joints around the pelvis in the camera's axes, what the camera sees of them, and the camera.
    """
    rate = float(fps)
    world_m, _ = walker.walk(seconds=2.0 if frames is None else frames / rate, fps=rate)
    if on_the_spot:
        world_m = world_m - world_m[:, :1] * [0, 0, 1]
    azimuth = np.radians(azimuth_deg)
    backward = np.array([np.sin(azimuth), 0, np.cos(azimuth)])
    cam_from_world = np.stack([np.cross([0, 1, 0], backward), [0, -1, 0], -backward])
    middle = world_m[:, 0].mean(axis=0) * [1, 0, 1] + [0, 1.2, 0]
    cam_m = (world_m - middle - 5 * backward) @ cam_from_world.T
    head = cam_m[:, walker.JOINTS.index("head")] + cam_from_world @ [0, -0.09, 0]
    points = [
        head + cam_from_world @ FACE[name] if name in FACE else cam_m[:, walker.JOINTS.index(name)]
        for name in COCO_17.joint_names
    ]
    xyz = np.stack(points, axis=1)
    camera = Camera.from_fov("side", (1920, 1080), 60)
    xy_px = xyz[..., :2] / xyz[..., 2:] * camera.K[0, 0] + camera.K[:2, 2]
    pose = Pose2D(xy_px=xy_px, confidence=np.full(xy_px.shape[:2], 0.8), fps=Fraction(fps), skeleton=COCO_17)
    return cam_m - cam_m[:, :1], pose, camera
