from __future__ import annotations

import math

import pytest
import torch
from bodies import small_training

from mocap3d.train.lifter_loss import lifter_loss

EXACT = small_training()


def numbers(frames=2, outputs=65):
    return torch.zeros(1, frames, outputs)


def test_the_distance_of_joints_by_hand():
    """Catches squared distances, and a root that is counted in the loss or forgotten in the report."""
    predicted, truth = numbers(), numbers(outputs=64)
    predicted[0, 0, :3] = torch.tensor([0.3, 0.4, 0.0])  # one joint of 19 is 0.5 off in one frame of two
    settings = small_training(trajectory_weight=0.0, contact_weight=0.0)
    loss, error_m = lifter_loss(predicted, truth, settings)
    assert float(loss) == pytest.approx(0.5 / 38, rel=1e-6)
    assert float(error_m) == pytest.approx(0.5 / 40, rel=1e-6)  # 20 joints, the root exact
    assert not error_m.requires_grad


def test_the_trajectory_by_hand():
    """Catches a likelihood with the wrong sign or scale: the best deviation is the RMS error of a Laplace."""
    settings = small_training(contact_weight=0.0, trajectory_weight=2.0)
    predicted, truth = numbers(frames=1), numbers(frames=1, outputs=64)
    predicted[0, 0, 57:61] = torch.tensor([0.1, -0.2, 0.3, math.log(0.5)])
    along = math.sqrt(2) * 0.3 / 0.5 + math.log(0.5)
    assert float(lifter_loss(predicted, truth, settings)[0]) == pytest.approx(2 * (0.3 + 0.1 * along), rel=1e-5)
    # whoever is 0.3 off everywhere does best to say sqrt(2) * 0.3
    said = torch.linspace(-3, 1, 401)
    many = predicted.repeat(1, 401, 1)
    many[0, :, 60] = said
    each = [float(lifter_loss(many[:, i : i + 1], truth, settings)[0]) for i in range(401)]
    best = float(said[each.index(min(each))])
    assert math.exp(best) == pytest.approx(math.sqrt(2) * 0.3, rel=0.02)


def test_contacts_by_hand():
    """Catches contacts compared with other feet, or probabilities taken for logits."""
    settings = small_training(trajectory_weight=0.0, contact_weight=1.0)
    predicted, truth = numbers(frames=1), numbers(frames=1, outputs=64)
    predicted[0, 0, 61:] = torch.tensor([2.0, -1.0, 0.0, 3.0])
    truth[0, 0, 60:] = torch.tensor([1.0, 0.0, 1.0, 0.0])
    by_hand = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log(2) + math.log1p(math.exp(3))) / 4
    assert float(lifter_loss(predicted, truth, settings)[0]) == pytest.approx(by_hand, rel=1e-5)
