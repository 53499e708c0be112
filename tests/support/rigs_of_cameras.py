"""Synthetic rigs: rings of cameras, people who walk among them, and what each camera sees of them.

The truth that multi-camera tests compare with. Nothing of mocap3d's but its types: projection is written here again,
Brown-Conrady with five coefficients and fisheye with four, in a few plain lines.

    cameras = ring(4)
    people = walkers(2)                                # [(T, 17, 3) COCO_17, ...] world metres, +Y up
    poses = seen_by(cameras, people[0], noise_px=2.0)  # one Pose2D per camera
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import walker
from walker_views import FACE

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17

BROWN = (-0.12, 0.05, 0.001, -0.0015, -0.01)
"""A phone's wide lens."""
FISHEYE = (0.05, -0.01, 0.004, -0.001)
"""An action camera."""


def looking(
    name: str,
    at_m: Sequence[float],
    target_m: Sequence[float],
    *,
    focal_px: float = 1400.0,
    size_wh_px: tuple[int, int] = (1920, 1080),
    lens: Sequence[float] = (),
    roll_deg: float = 0.0,
) -> Camera:
    """A camera at a place that looks at another, upright but for its roll; ``lens`` of 4 is a fisheye."""
    forward = np.subtract(target_m, at_m)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    upright = np.stack([right, np.cross(forward, right), forward])
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    pose = np.eye(4)
    pose[:3, :3] = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ upright
    pose[:3, 3] = -pose[:3, :3] @ np.asarray(at_m, float)
    width, height = size_wh_px
    return Camera(
        name=name,
        size_wh_px=size_wh_px,
        K=np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]]),
        model="fisheye" if len(lens) == 4 else "brown-conrady",
        distortion=np.array(lens, float),
        cam_from_world=pose,
    )


def ring(
    count: int,
    *,
    radius_m: float = 4.5,
    height_m: float = 1.6,
    target_m: Sequence[float] = (0.0, 0.95, 0.0),
    arc_deg: float = 360.0,
    focal_px: float = 1000.0,
    size_wh_px: tuple[int, int] = (1920, 1080),
    lens: Sequence[float] = (),
    seed: int | None = 0,
) -> tuple[Camera, ...]:
    """Cameras around a place, evenly over an arc that starts at +Z; two stand 90 degrees apart unless told otherwise.

    Args:
        count: of cameras, called "cam0", "cam1", ...
        radius_m: of the ring; height_m: above the floor; target_m: what they look at.
        arc_deg: 360 for all around.
        focal_px, size_wh_px, lens: of every camera; see ``looking``.
        seed: places, aim and roll are a little off (20 cm, 10 cm, 5 degrees), as people put up tripods; None: exact.
    """
    if count == 2 and arc_deg == 360.0:
        arc_deg = 90.0
    spread = arc_deg / count if arc_deg >= 360 else arc_deg / max(count - 1, 1)
    rng = np.random.default_rng(0 if seed is None else seed)
    off = 0.0 if seed is None else 1.0
    cameras = []
    for n in range(count):
        angle = np.radians(n * spread)
        at = np.array([radius_m * np.sin(angle), height_m, radius_m * np.cos(angle)]) + [target_m[0], 0, target_m[2]]
        cameras.append(
            looking(
                f"cam{n}",
                at + off * rng.normal(0, 0.2, 3),
                np.asarray(target_m, float) + off * rng.normal(0, 0.1, 3),
                focal_px=focal_px,
                size_wh_px=size_wh_px,
                lens=lens,
                roll_deg=off * rng.normal(0, 5.0),
            )
        )
    return tuple(cameras)


def walkers(count: int = 1, *, seconds: float = 2.0, fps: float = 30.0, apart_m: float = 0.9) -> list[np.ndarray]:
    """People of different size, speed and heading who cross the place where the ring looks: (T, 17, 3) COCO_17 each.

    Feet stand on the floor, y = 0. Paths cross near the origin when there are several; ``apart_m`` is how far beside
    each other they pass.
    """
    people = []
    for n in range(count):
        speed = 1.2 - 0.25 * n
        joints, _ = walker.walk(seconds, fps, speed)
        points = _with_face(joints)
        points[..., 2] -= points[:, 11:13, 2].mean()  # in the middle of the clip they are at the origin
        points *= 1 - 0.06 * n
        turn = np.radians(25 + 137.5 * n)
        across = (n - (count - 1) / 2) * apart_m
        rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        people.append(points @ rotation.T + rotation @ [across, 0, 0])
    return people


def _with_face(joints: np.ndarray) -> np.ndarray:
    """(T, 20, 3) of the walker -> (T, 17, 3) COCO_17."""
    head = joints[:, walker.JOINTS.index("head")] + [0, -0.09, 0]
    named = COCO_17.joint_names
    return np.stack([head + FACE[n] if n in FACE else joints[:, walker.JOINTS.index(n)] for n in named], axis=1)


def pixels(camera: Camera, xyz_m: np.ndarray) -> np.ndarray:
    """(..., 2) where a camera sees points; NaN behind it. OpenCV's formulas, written once more."""
    x, y, z = np.moveaxis(xyz_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3], -1, 0)
    z = np.where(z > 0.05, z, np.nan)
    x, y = x / z, y / z
    k = camera.distortion
    if camera.model == "fisheye":
        r = np.hypot(x, y)
        theta = np.arctan(r)
        bent = theta + k[0] * theta**3 + k[1] * theta**5 + k[2] * theta**7 + k[3] * theta**9
        x, y = x * bent / r, y * bent / r
    elif k.size:
        r2 = x * x + y * y
        radial = 1 + k[0] * r2 + k[1] * r2**2 + k[4] * r2**3
        x, y = (
            x * radial + 2 * k[2] * x * y + k[3] * (r2 + 2 * x * x),
            y * radial + k[2] * (r2 + 2 * y * y) + 2 * k[3] * x * y,
        )
    return np.stack([camera.K[0, 0] * x + camera.K[0, 2], camera.K[1, 1] * y + camera.K[1, 2]], axis=-1)


def seen_by(
    cameras: Sequence[Camera],
    xyz_m: np.ndarray,
    *,
    noise_px: float = 0.0,
    outliers: float = 0.0,
    missing: float = 0.0,
    seed: int = 0,
    fps: Fraction | int = 30,
    skeleton: Skeleton = COCO_17,
    crop: bool = False,
) -> tuple[Pose2D, ...]:
    """What a detector would say: one ``Pose2D`` per camera, independent errors.

    Args:
        cameras: C cameras; xyz_m: (T, J, 3) world.
        noise_px: standard deviation of the Gaussian error along x and along y.
        outliers: share of joints that a camera puts anywhere within 300 px, confidence like the others'.
        missing: share of joints that a camera does not see.
        seed: of all that is random; fps and skeleton: of the poses.
        crop: joints outside the picture are not seen.
    """
    rng = np.random.default_rng(seed)
    poses = []
    for camera in cameras:
        xy = pixels(camera, xyz_m)
        shape = xy.shape[:-1]
        xy = xy + noise_px * rng.normal(size=xy.shape)
        wrong = rng.random(shape) < outliers
        xy = np.where(wrong[..., None], xy + rng.uniform(-300, 300, xy.shape), xy)
        gone = (rng.random(shape) < missing) | np.isnan(xy).any(axis=-1)
        if crop:
            gone |= ((xy < -0.5) | (xy > np.array(camera.size_wh_px) - 0.5)).any(axis=-1)
        xy = np.where(gone[..., None], np.nan, xy)
        poses.append(
            Pose2D(
                xy_px=xy,
                confidence=np.where(gone, 0.0, 0.8),
                fps=Fraction(fps),
                skeleton=skeleton,
                camera_name=camera.name,
            )
        )
    return tuple(poses)
