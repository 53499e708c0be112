from __future__ import annotations

import pytest
import torch

from mocap3d.nets.temporal import TemporalLifter, taps


def new_lifter(causal=False, dropout=0.0):
    return TemporalLifter(
        inputs=52, outputs=60, channels=16, dilations=(1, 3, 9), causal=causal, direct=True, dropout=dropout
    )


def lifter(causal=False, dropout=0.0):
    torch.manual_seed(0)
    net = new_lifter(causal, dropout)
    net.standardise(3 + 2 * torch.randn(1000, 52))
    with torch.no_grad():  # statistics as after a training
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.2, 2)
        for name, weight in net.named_parameters():
            if "norm" in name:
                weight.uniform_(-1, 2)
    return net.eval()


def features(batch=3, frames=40):
    return torch.randn(batch, frames, 52, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("causal", [False, True])
def test_folding_changes_nothing(causal):
    """Catches a normalisation or a feature's mean and spread folded wrongly: what ships is not what trained."""
    net, copy = lifter(causal), new_lifter(causal)
    copy.load_folded_arrays(net.folded_arrays())
    torch.testing.assert_close(copy.eval()(features()), net(features()), atol=1e-5, rtol=1e-4)


def test_one_window_gives_one_frame():
    """Catches padding inside of the network, which would blur the ends of training pieces."""
    net = lifter()
    assert net(features(2, 27)).shape == (2, 1, 60)
    assert net(features(2, 35)).shape == (2, 9, 60)
    torch.testing.assert_close(net(features(2, 35))[:, 4:5], net(features(2, 35)[:, 4:31]), atol=1e-5, rtol=1e-4)


def test_clips_of_a_batch_do_not_see_each_other():
    """Catches frames of one clip that reach into the next when both are laid out in one row."""
    net = lifter()
    together = net(features())
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], net(features()[i : i + 1]), atol=1e-5, rtol=1e-4)


def test_taps_by_hand():
    """Catches taps in the order late to early."""
    x = torch.arange(7.0).view(1, 7, 1)
    assert taps(x, 2)[0].tolist() == [[0, 2, 4], [1, 3, 5], [2, 4, 6]]


def test_training_reaches_every_weight():
    """Catches a layer that is never used, or cut off from the loss."""
    net = lifter(dropout=0.1).train()
    net(features()).abs().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters())
