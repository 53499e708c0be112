"""Looking at a person in the mirror: the second opinion of flip test-time augmentation.

The mirrored picture comes from a mirrored camera, so that lens distortion, an optical axis beside the middle, and every
input encoding stay right.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.lift.lifter_weights import LifterWeights
from mocap3d.lift.monocular import Lifted, lift_everything

__all__ = ["lift_both_ways", "mirrored_camera", "mirrored_pose2d"]

# Of OpenCV's coefficients (k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tilt_x tilt_y) those that push points along x, or turn
# the sensor about y, whichever side of the picture they are on: these change their sign.
_ALONG_X = (3, 8, 9, 13)
_MIRRORED = np.array([-1.0, 1.0, 1.0])
_OTHER_FOOT = [2, 3, 0, 1]  # of contacts: left heel, left toe, right heel, right toe


def mirrored_camera(camera: Camera) -> Camera:
    """The camera whose pictures are the mirror images, left for right, of a camera's.

    A point (-x, y, z) in its frame is seen where the original sees (x, y, z), mirrored. Its pose is the original's.
    """
    width, _ = camera.size_wh_px
    K = camera.K.copy()
    K[0, 1], K[0, 2] = -K[0, 1], width - 1 - K[0, 2]
    distortion = camera.distortion.copy()
    if camera.model == "brown-conrady":
        signs = np.array([-1.0 if n in _ALONG_X else 1.0 for n in range(len(distortion))])
        distortion = distortion * signs
    return replace(camera, K=K, distortion=distortion)


def mirrored_pose2d(pose2d: Pose2D, camera: Camera) -> Pose2D:
    """The joints as the mirrored camera sees them, the left ones called right.

    Args:
        pose2d: joints in the pictures of ``camera``.
        camera: whose pictures are mirrored.
    """
    mirror = list(pose2d.skeleton.mirror)
    xy_px = pose2d.xy_px[:, mirror].copy()
    xy_px[..., 0] = camera.size_wh_px[0] - 1 - xy_px[..., 0]
    return replace(pose2d, xy_px=xy_px, confidence=pose2d.confidence[:, mirror])


def lift_both_ways(
    pose2d: Pose2D,
    camera: Camera,
    *,
    weights: LifterWeights | None = None,
    height_m: float = 1.70,
    device: str = "cpu",
) -> Lifted:
    """Lift a person and the person's mirror image, and take the mean.

    Args and errors: as of `lift_everything`.

    Returns:
        As `lift_everything`; the mirrored person gives exactly the mirror image.
    """
    one = lift_everything(pose2d, camera, weights=weights, height_m=height_m, device=device)
    image = lift_everything(
        mirrored_pose2d(pose2d, camera), mirrored_camera(camera), weights=weights, height_m=height_m, device=device
    )
    back = image.body.xyz_m[:, list(image.body.skeleton.mirror)] * _MIRRORED
    return Lifted(
        body=replace(one.body, xyz_m=(one.body.xyz_m + back) / 2),
        root_m=_mean(one.root_m, None if image.root_m is None else image.root_m * _MIRRORED),
        root_std_m=_mean(one.root_std_m, image.root_std_m),
        contacts=_mean(one.contacts, None if image.contacts is None else image.contacts[:, _OTHER_FOOT]),
    )


def _mean(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    return None if one is None or other is None else (one + other) / 2
