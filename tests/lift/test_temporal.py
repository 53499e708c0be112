from __future__ import annotations

import numpy as np
import pytest
import torch
from lifters import random_lifter

from mocap3d.lift import temporal
from mocap3d.lift.temporal import margins, run_lifter
from mocap3d.nets.temporal import TemporalLifter, run_on_device


def features(frames=60, seed=1):
    return np.random.default_rng(seed).normal(size=(frames, 52)).astype(np.float32)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 26, 27, 60])
def test_numpy_equals_torch(causal, frames):
    """Catches any difference between the two forward passes: capture and training would be two networks."""
    weights = random_lifter(causal=causal)
    ours = run_lifter(weights, features(frames))
    theirs = run_on_device(weights.arrays, features(frames), dilations=(1, 3, 9), causal=causal, device="cpu")
    assert ours.shape == (frames, 20, 3)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_equals_a_convolution_tap_by_tap(causal):
    """Catches taps in another order or a residual from another frame: one output frame, computed with plain loops."""
    weights = random_lifter(causal=causal, channels=5)
    x, target = features(27), 26 if causal else 13

    def relu_layer(name, rows):
        joined = [value for row in rows for value in row]
        weight, bias = weights.arrays[f"{name}.weight"].astype(float), weights.arrays[f"{name}.bias"].astype(float)
        return [max(0.0, sum(joined[i] * weight[i, c] for i in range(len(joined))) + bias[c]) for c in range(5)]

    h = {t: relu_layer("expand", [x[t], x[t + 1], x[t + 2]]) for t in range(25)}
    for block, dilation in enumerate((3, 9)):
        out = {}
        for t in range(len(h) - 2 * dilation):
            wide = relu_layer(f"block{block}.wide", [h[t], h[t + dilation], h[t + 2 * dilation]])
            point = relu_layer(f"block{block}.point", [wide])
            kept = h[t + (2 * dilation if causal else dilation)]
            out[t] = [a + b for a, b in zip(kept, point, strict=True)]
        h = out
    last = np.array(h[0]) @ weights.arrays["shrink.weight"] + weights.arrays["shrink.bias"]
    np.testing.assert_allclose(run_lifter(weights, x)[target, 1:].ravel(), last, atol=1e-5)


@pytest.mark.parametrize(("causal", "first", "last"), [(False, 37, 63), (True, 24, 50)])
def test_the_receptive_field_is_27_frames(causal, first, last):
    """Catches a window that is longer than stated, or a causal lifter that looks ahead: measured by gradient."""
    net = TemporalLifter(inputs=52, joints=20, channels=16, dilations=(1, 3, 9), causal=causal).double().eval()
    before, _ = net.margins
    x = torch.randn(1, 101, 52, dtype=torch.float64, requires_grad=True)
    net(x)[0, 50 - before].abs().sum().backward()  # output n belongs to frame n + before
    touched = torch.nonzero(x.grad[0].abs().sum(dim=1)).ravel()
    assert (int(touched[0]), int(touched[-1])) == (first, last)


def test_a_long_clip_in_pieces_equals_the_whole(monkeypatch):
    """Catches a seam every few thousand frames."""
    weights = random_lifter()
    whole = run_lifter(weights, features(101))
    monkeypatch.setattr(temporal, "_FRAMES_AT_ONCE", 10)
    np.testing.assert_allclose(run_lifter(weights, features(101)), whole, atol=1e-6)


def test_ends_are_repeated():
    """Catches zeros beyond the ends, which the network has never seen."""
    weights = random_lifter()
    clip = features(40)
    held = np.concatenate([np.repeat(clip[:1], 13, axis=0), clip, np.repeat(clip[-1:], 13, axis=0)])
    np.testing.assert_allclose(run_lifter(weights, clip), run_lifter(weights, held)[13:-13], atol=1e-6)
    assert margins(weights) == (13, 13)
    assert margins(random_lifter(causal=True)) == (26, 0)


def test_the_root_is_the_origin():
    """Catches a root that wanders: everything else is relative to it."""
    assert (run_lifter(random_lifter(), features())[:, 0] == 0).all()
