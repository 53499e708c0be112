from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from lifters import random_lifter

from mocap3d.lift import temporal
from mocap3d.lift.temporal import margins, run_lifter
from mocap3d.nets import lifter_on_device
from mocap3d.nets.lifter_on_device import FoldedLifter, run_on_device
from mocap3d.nets.temporal import TemporalLifter


def features(frames=60, seed=1):
    return np.random.default_rng(seed).normal(size=(frames, 52)).astype(np.float32)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 26, 27, 60])
@pytest.mark.parametrize("dilations", [(0, 0, 0), (1, 3, 9)])
@pytest.mark.parametrize("direct", [False, True])
def test_numpy_equals_torch(causal, frames, dilations, direct):
    """Catches any difference between the two forward passes: capture and training would be two networks."""
    weights = random_lifter(causal=causal, dilations=dilations, direct=direct)
    ours = run_lifter(weights, features(frames))
    theirs = run_on_device(weights.arrays, features(frames), dilations=dilations, causal=causal, device="cpu")
    assert ours.shape == (frames, 57)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def convolved(weights, x):
    """The network as dilated convolutions in float64, the ends repeated, without the direct path."""

    def layer(name, x, dilation):
        taps, matrix = 3 if dilation else 1, torch.from_numpy(weights.arrays[f"{name}.weight"].astype(float))
        kernel = matrix.reshape(taps, -1, matrix.shape[1]).permute(2, 1, 0)
        bias = torch.from_numpy(weights.arrays[f"{name}.bias"].astype(float))
        return torch.conv1d(x, kernel, bias, dilation=max(dilation, 1)).relu()

    first, *rest = weights.meta.dilations
    span = 2 * sum(weights.meta.dilations)
    before, after = (span, 0) if weights.meta.causal else (span // 2, span // 2)
    x = torch.from_numpy(np.pad(x, ((before, after), (0, 0)), mode="edge").astype(float)).T[None]
    x = layer("expand", x, first)
    for i, dilation in enumerate(rest):
        y = layer(f"block{i}.point", layer(f"block{i}.wide", x, dilation), 0)
        kept = dilation * (2 if weights.meta.causal else 1)
        x = x[..., kept : kept + y.shape[-1]] + y
    return x[0].T.numpy() @ weights.arrays["shrink.weight"] + weights.arrays["shrink.bias"]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dilations", [(0, 0), (1, 3, 9, 27), (2, 0, 5), (1, 130)])
def test_long_clips_equal_convolutions(causal, dilations):
    """Catches the products of long clips, which are found in another way than of short ones, also in torch."""
    weights = random_lifter(causal=causal, dilations=dilations)
    expected, options = convolved(weights, features(700)), {"dilations": dilations, "causal": causal, "device": "cpu"}
    np.testing.assert_allclose(run_lifter(weights, features(700)), expected, atol=1e-5)
    np.testing.assert_allclose(run_on_device(weights.arrays, features(700), **options), expected, atol=1e-5)
    rounded = run_on_device(weights.arrays, features(700), precision="bf16", **options)
    assert np.abs(rounded - expected).mean() / np.abs(expected).mean() < 0.01


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
    np.testing.assert_allclose(run_lifter(weights, x)[target], last, atol=1e-5)


@pytest.mark.parametrize(
    ("dilations", "frames"), [((0, 0), 1), ((1, 3), 9), ((1, 3, 9), 27), ((1, 3, 9, 27), 81), ((1, 3, 9, 27, 81), 243)]
)
@pytest.mark.parametrize("causal", [False, True])
def test_the_receptive_field_is_as_stated(causal, dilations, frames):
    """Catches a window that is longer than stated, or a causal lifter that looks ahead: measured by gradient."""
    net = TemporalLifter(inputs=5, outputs=6, channels=16, dilations=dilations, causal=causal, direct=True)
    before, after = net.double().eval().margins
    x = torch.randn(1, 501, 5, dtype=torch.float64, requires_grad=True)
    net(x)[0, 250 - before].abs().sum().backward()  # output n belongs to frame n + before
    touched = torch.nonzero(x.grad[0].abs().sum(dim=1)).ravel()
    assert (int(touched[0]), int(touched[-1])) == (
        (251 - frames, 250) if causal else (250 - frames // 2, 250 + frames // 2)
    )
    assert before + after + 1 == frames


@pytest.mark.parametrize("dilations", [(0, 0, 0), (1, 3), (1, 3, 9), (1, 3, 9, 27)])
@pytest.mark.parametrize("causal", [False, True])
def test_the_strided_form_equals_the_dense_form(causal, dilations):
    """Catches a training form that lifts another frame, or from other frames, than the form that is shipped."""
    torch.manual_seed(0)
    net = TemporalLifter(inputs=5, outputs=6, channels=16, dilations=dilations, causal=causal, direct=True)
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)
    net.double().eval()
    window = sum(net.margins) + 1
    x = torch.randn(1, 120, 5, dtype=torch.float64)
    windows = x[0].unfold(0, window, 1).transpose(1, 2)
    torch.testing.assert_close(net.one_output(windows)[:, 0], net(x)[0], atol=1e-12, rtol=0)


def test_a_long_clip_in_pieces_equals_the_whole(monkeypatch):
    """Catches a seam every few thousand frames."""
    weights = random_lifter()
    whole = run_lifter(weights, features(101))
    monkeypatch.setattr(temporal, "_FRAMES_AT_ONCE", 10)
    np.testing.assert_allclose(run_lifter(weights, features(101)), whole, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_torch_in_pieces_equals_the_whole(monkeypatch, causal):
    """Catches a seam every few thousand frames, on the device: pieces that overlap by a frame too few."""
    weights = random_lifter(causal=causal, direct=True)
    options = {"dilations": (1, 3, 9), "causal": causal, "device": "cpu"}
    whole = run_on_device(weights.arrays, features(101), **options)
    monkeypatch.setattr(lifter_on_device, "_FRAMES_AT_ONCE", 10)
    np.testing.assert_allclose(run_on_device(weights.arrays, features(101), **options), whole, atol=1e-6)


def test_bf16_differs_by_rounding_only():
    """Catches bf16 where it must not be: features of metres, the direct path and the sum of the last layer."""
    weights = random_lifter(direct=True, channels=64)
    options = {"dilations": (1, 3, 9), "causal": False, "device": "cpu"}
    exact = run_lifter(weights, features(80))
    rounded = run_on_device(weights.arrays, features(80), precision="bf16", **options)
    assert rounded.dtype == np.float32
    error = np.abs(rounded - exact).mean() / np.abs(exact).mean()
    assert 1e-5 < error < 5e-3  # bf16 keeps 8 bits: 4e-3 at one rounding, averaged over many channels
    # Without hidden layers that say anything, nothing may be rounded.
    silent = {name: array * (not name.startswith("block")) for name, array in weights.arrays.items()}
    silent["shrink.weight"] = silent["shrink.weight"] * 0
    direct = run_on_device(silent, features(80), precision="bf16", **options)
    np.testing.assert_allclose(direct, run_on_device(silent, features(80), **options), atol=1e-6)


def test_memory_does_not_grow_with_the_clip():
    """Catches activations kept for the whole clip: an hour of video would take gigabytes."""
    weights = random_lifter(channels=64)

    def peak_bytes(frames):
        clip = features(frames)
        tracemalloc.start()
        outputs = run_lifter(weights, clip)
        peak = tracemalloc.get_traced_memory()[1] - outputs.nbytes
        tracemalloc.stop()
        return peak

    assert peak_bytes(14_000) < 1.25 * peak_bytes(4_000)  # the pieces of a clip are alike, not equal in all clips


def test_torch_never_holds_more_than_a_piece(monkeypatch):
    """Catches the same on a device, whose memory tracemalloc does not see: what reaches the network is bounded."""
    pieces, call = [], FoldedLifter.__call__

    def spy(self, features_TF):
        pieces.append(len(features_TF))
        return call(self, features_TF)

    monkeypatch.setattr(FoldedLifter, "__call__", spy)
    options = {"dilations": (1, 3, 9), "causal": False, "device": "cpu"}
    assert len(run_on_device(random_lifter().arrays, features(10_000), **options)) == 10_000
    assert max(pieces) <= 4096 + 26
    assert sum(pieces) == 10_000 + 26 * len(pieces)


def test_ends_are_repeated():
    """Catches zeros beyond the ends, which the network has never seen."""
    weights = random_lifter()
    clip = features(40)
    held = np.concatenate([np.repeat(clip[:1], 13, axis=0), clip, np.repeat(clip[-1:], 13, axis=0)])
    np.testing.assert_allclose(run_lifter(weights, clip), run_lifter(weights, held)[13:-13], atol=1e-6)
    assert margins(weights) == (13, 13)
    assert margins(random_lifter(causal=True)) == (26, 0)


@pytest.mark.parametrize("causal", [False, True])
def test_short_windows_see_the_network_without_its_last_block(causal):
    """Catches a beginning of the training that lifts another frame, and a report about another network."""
    torch.manual_seed(0)
    long = TemporalLifter(inputs=5, outputs=6, channels=16, dilations=(1, 3, 9, 27), causal=causal, direct=True)
    short = TemporalLifter(inputs=5, outputs=6, channels=16, dilations=(1, 3, 9), causal=causal, direct=True)
    short.load_state_dict({k: v for k, v in long.state_dict().items() if not k.startswith("blocks.2.")})
    windows = torch.randn(4, 27, 5)
    expected = short.eval().one_output(windows)
    torch.testing.assert_close(long.eval().one_output(windows), expected)
    torch.testing.assert_close(long.without_last_block()(windows), expected)
    assert long.without_last_block().margins == short.margins
    assert len(long.blocks) == 3
