"""What a lifter can be told by people of whom only the 2D joints are known.

Two networks look at the same 2D joints: one says where the joints are around the root, the other where the root is.
Together they say where every joint must appear in the picture (`back_projection`), and how long the bones are
(`bone_lengths_m`). Shape suffixes: B examples, T frames, J joints.

Reference:
    Pavllo et al., 3D human pose estimation in video with temporal convolutions and semi-supervised training
    (VideoPose3D), CVPR 2019, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError

__all__ = [
    "LENS_NUMBERS",
    "Predicted",
    "back_projection_loss",
    "bone_length_loss",
    "lens_numbers",
    "pose_loss",
    "project",
    "read_networks",
    "trajectory_loss",
]

_COEFFICIENTS = 12  # of OpenCV's 14: the last two tilt the sensor
LENS_NUMBERS = 5 + _COEFFICIENTS
_NEAREST_M = 0.1  # points nearer to the camera's plane are projected as if they were so far
_WIDEST = 1.5  # points farther off the axis, x or y at z = 1, are held there: distortion means nothing beyond
_LOG_REACH = 5.0  # of the distance beside its expectation: a network at its start must not overflow


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """What the two networks say, in the axes of the virtual camera.

    Attributes:
        xyz_m: (B, T, J, 3) joints around the root, which is the origin.
        root_m: (B, T, 3) the root as seen from the camera.
    """

    xyz_m: Tensor
    root_m: Tensor


def read_networks(pose_BTO: Tensor, trajectory_BT3: Tensor, scale_BT: Tensor) -> Predicted:
    """Name the numbers of both networks.

    Args:
        pose_BTO: (B, T, 3(J-1)) joints around the root, the root left out.
        trajectory_BT3: beside the ray (x, y in metres), and the logarithm of distance times ``scale``.
        scale_BT: of the encoding.
    """
    xyz_m = pose_BTO.view(*pose_BTO.shape[:2], -1, 3)
    xyz_m = torch.cat([torch.zeros_like(xyz_m[:, :, :1]), xyz_m], dim=2)
    distance_m = trajectory_BT3[..., 2].clamp(-_LOG_REACH, _LOG_REACH).exp() / scale_BT
    return Predicted(xyz_m=xyz_m, root_m=torch.cat([trajectory_BT3[..., :2], distance_m[..., None]], dim=-1))


def lens_numbers(camera: Camera) -> NDArray[np.float32]:
    """A camera's lens as `project` wants it.

    Returns:
        (17,): fx, skew, cx, fy, cy of a picture 2 wide, then 12 coefficients of distortion.

    Raises:
        InputError: a fisheye, or a sensor that is tilted.
    """
    if camera.model != "brown-conrady" or camera.distortion[_COEFFICIENTS:].any():
        raise InputError(f"camera {camera.name!r}: back-projection knows Brown-Conrady lenses without sensor tilt only")
    width, height = camera.size_wh_px
    (fx, skew, cx), (_, fy, cy), _ = camera.K * (2 / width)
    lens = np.zeros(LENS_NUMBERS, np.float32)
    lens[:5] = fx, skew, cx - 1, fy, cy - height / width
    lens[5 : 5 + min(len(camera.distortion), _COEFFICIENTS)] = camera.distortion[:_COEFFICIENTS]
    return lens


def project(xyz_m: Tensor, lens_BL: Tensor) -> Tensor:
    """Project points of the camera's frame through its lens; the twin of `base.projection.project` with gradients.

    Args:
        xyz_m: (B, T, J, 3).
        lens_BL: (B, 17) from `lens_numbers`.

    Returns:
        (B, T, J, 2) in a picture 2 wide, as `lift.screen_encoding.px_to_screen` has them.
    """
    flat = xyz_m[..., :2] / xyz_m[..., 2:].clamp(min=_NEAREST_M)
    x, y = flat.clamp(-_WIDEST, _WIDEST).unbind(-1)
    fx, skew, cx, fy, cy, *coefficients = (number[:, None, None] for number in lens_BL.unbind(-1))
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = coefficients
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4)
    return torch.stack([fx * bent_x + skew * bent_y + cx, fy * bent_y + cy], dim=-1)


def pose_loss(predicted: Predicted, xyz_m: Tensor) -> Tensor:
    """Mean distance of the joints from the truth (B, T, J, 3), both around the root."""
    return _lengths(predicted.xyz_m[:, :, 1:] - xyz_m[:, :, 1:]).mean()


def trajectory_loss(predicted: Predicted, root_m: Tensor, depth_m: Tensor) -> Tensor:
    """Mean distance of the root from the truth (B, T, 3) by its depth (B, T): what is far is hard to tell."""
    return (_lengths(predicted.root_m - root_m) / depth_m).mean()


def back_projection_loss(
    predicted: Predicted, virtual_from_cam: Tensor, lens_BL: Tensor, xy_screen: Tensor, seen: Tensor
) -> Tensor:
    """Mean distance in the picture of the predicted joints from the 2D joints that they were predicted from.

    Args:
        predicted: by the networks.
        virtual_from_cam: (B, T, 3, 3) of the encoding.
        lens_BL: (B, 17) from `lens_numbers`.
        xy_screen: (B, T, J, 2) 2D joints in a picture 2 wide, distorted as they were seen.
        seen: (B, T, J) bool; others do not count.
    """
    virtual_m = predicted.xyz_m + predicted.root_m[:, :, None]
    appear = project(virtual_m @ virtual_from_cam, lens_BL)
    distance = _lengths(appear - xy_screen)
    return torch.where(seen, distance, 0).sum() / seen.sum().clamp(min=1)


def bone_length_loss(unlabelled: Predicted, labelled_m: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Mean difference of the bones' mean lengths between those people and people whose joints are known.

    Args:
        unlabelled: predicted.
        labelled_m: (B', T, J, 3) true joints of the labelled examples.
        parents: J parent indices, the root first.
    """
    return (_mean_lengths_m(unlabelled.xyz_m, parents) - _mean_lengths_m(labelled_m, parents)).abs().mean()


def _mean_lengths_m(xyz_m: Tensor, parents: tuple[int, ...]) -> Tensor:
    """(J - 1,) mean length of each bone."""
    bones = xyz_m[:, :, 1:] - xyz_m[:, :, list(parents[1:])]
    return _lengths(bones).mean(dim=(0, 1))


def _lengths(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return lengths
