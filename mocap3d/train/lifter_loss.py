"""What a lifter is trained to make small."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mocap3d.base.contacts import CONTACT_POINTS
from mocap3d.base.skeletons import skeleton_named
from mocap3d.lift.lifter_weights import TRAJECTORY_OUTPUTS
from mocap3d.lift.outputs import LOG_STD_LIMITS
from mocap3d.train.lifter_settings import LifterSettings

__all__ = ["lifter_loss"]


def lifter_loss(outputs: Tensor, truth: Tensor, settings: LifterSettings) -> tuple[Tensor, Tensor]:
    """Mean distance of joints, plus shares of the trajectory's and the contacts' errors.

    Args:
        outputs: (B, T, O) as ``lift/outputs.py`` orders them.
        truth: (B, T, 3(J-1) + 3 + 4) as ``lifter_data.Examples`` orders it.
        settings: weights of the parts.

    Returns:
        The loss, and the mean distance of the joints in metres, the root counted (and detached).
    """
    joints = 3 * (len(skeleton_named(settings.examples.joints)) - 1)
    off = outputs[..., :joints] - truth[..., :joints]
    distance = off.view(*off.shape[:-1], -1, 3).norm(dim=-1)
    loss = distance.mean()
    rest, true_rest = outputs[..., joints:], truth[..., joints:]
    loss = loss + settings.trajectory_weight * _trajectory(rest[..., :TRAJECTORY_OUTPUTS], true_rest[..., :3])
    if settings.contacts:
        known = true_rest[..., -len(CONTACT_POINTS) :]
        loss = loss + settings.contact_weight * F.binary_cross_entropy_with_logits(
            rest[..., TRAJECTORY_OUTPUTS:], known
        )
    return loss, distance.detach().mean() * (joints / (joints + 3))


def _trajectory(said: Tensor, true: Tensor) -> Tensor:
    """Beside the ray the absolute error; along it the negative logarithm of a Laplace distribution's likelihood.

    Its standard deviation is what the network says, so that it learns how sure it can be (Kendall and Gal, 2017).
    """
    beside = (said[..., :2] - true[..., :2]).abs().sum(dim=-1)
    log_std = said[..., 3].clamp(*LOG_STD_LIMITS)
    along = math.sqrt(2) * (said[..., 2] - true[..., 2]).abs() * torch.exp(-log_std) + log_std
    return (beside + 0.1 * along).mean()
