from __future__ import annotations

import numpy as np
import pytest
import torch
from lifters import random_lifter
from torch.utils.flop_counter import FlopCounterMode

from mocap3d.base.errors import InputError
from mocap3d.lift.streaming import StreamingLifter, multiply_adds
from mocap3d.lift.temporal import run_lifter
from mocap3d.nets.lifter_on_device import run_on_device
from mocap3d.nets.temporal import TemporalLifter

DILATIONS = [(0,), (1,), (0, 0, 0), (1, 3), (1, 3, 9), (2, 0, 5)]


def features(frames=60, seed=1):
    return np.random.default_rng(seed).normal(size=(frames, 52)).astype(np.float32)


def dense(weights, clip):
    """The whole clip at once, ends repeated, by the other implementation: torch."""
    meta = weights.meta
    return run_on_device(weights.arrays, clip, dilations=meta.dilations, causal=meta.causal, device="cpu")


def streamed(stream, clip):
    return [output for frame in clip if (output := stream.push(frame)) is not None]


@pytest.mark.parametrize("dilations", DILATIONS)
@pytest.mark.parametrize("frames", [1, 2, 60])
def test_causal_equals_the_dense_pass(dilations, frames):
    """Catches a frame remembered one too short or too long, or a start of zeros: one answer per frame, at once."""
    weights = random_lifter(causal=True, dilations=dilations, direct=True, trajectory=True, contacts=True)
    clip, stream = features(frames), StreamingLifter(weights)
    answers = [stream.push(frame) for frame in clip]
    assert stream.delay == 0
    np.testing.assert_allclose(np.stack(answers), dense(weights, clip), atol=1e-5)
    assert stream.flush() == []


@pytest.mark.parametrize("dilations", DILATIONS)
@pytest.mark.parametrize("frames", [1, 2, 13, 60])
@pytest.mark.parametrize("direct", [False, True])
def test_symmetric_equals_the_dense_pass_later(dilations, frames, direct):
    """Catches a delay that is off by one, the direct path of the newest frame, and outputs that flushing loses."""
    weights = random_lifter(dilations=dilations, direct=direct)
    clip, stream = features(frames), StreamingLifter(weights)
    at_once = streamed(stream, clip)
    assert stream.delay == sum(dilations)
    assert len(at_once) == max(frames - stream.delay, 0)
    np.testing.assert_allclose(np.stack(at_once + stream.flush()), dense(weights, clip), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_a_long_stream_does_not_drift(causal):
    """Catches remembered frames that are moved wrongly when their array is full."""
    weights = random_lifter(causal=causal, dilations=(1, 3, 9, 27))
    clip, stream = features(400), StreamingLifter(weights)
    np.testing.assert_allclose(np.stack(streamed(stream, clip) + stream.flush()), dense(weights, clip), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("frames", [100, 243, 500])
def test_243_frames_equal_the_dense_pass(causal, frames):
    """Catches the longest window there is, cut off: clips shorter than it, as long, and longer."""
    weights = random_lifter(causal=causal, dilations=(1, 3, 9, 27, 81), trajectory=True, contacts=True, direct=True)
    clip, stream = features(frames), StreamingLifter(weights)
    assert (weights.meta.window, stream.delay) == (243, 0 if causal else 121)
    at_once = streamed(stream, clip)
    assert len(at_once) == (frames if causal else max(frames - 121, 0))
    found = np.stack(at_once + stream.flush())
    np.testing.assert_allclose(found, dense(weights, clip), atol=1e-5)
    np.testing.assert_allclose(found, run_lifter(weights, clip), atol=1e-5)


@pytest.mark.parametrize("end", ["reset", "flush"])
def test_a_new_shot_knows_nothing_of_the_last(end):
    """Catches a first frame that is seen through the memory of another person."""
    weights = random_lifter(direct=True)
    clip, stream = features(50, seed=2), StreamingLifter(weights)
    streamed(stream, features(33, seed=3))
    getattr(stream, end)()
    np.testing.assert_allclose(np.stack(streamed(stream, clip) + stream.flush()), dense(weights, clip), atol=1e-5)


def test_what_came_in_may_be_written_over():
    """Catches a frame kept by reference: a live program fills the same buffer again and again."""
    weights, clip = random_lifter(), features(30)
    stream, buffer, found = StreamingLifter(weights), np.empty(52, np.float32), []
    for frame in clip:
        buffer[:] = frame
        found += streamed(stream, [buffer])
    buffer[:] = 99
    np.testing.assert_allclose(np.stack(found + stream.flush()), dense(weights, clip), atol=1e-5)


def test_a_frame_of_another_size_is_refused():
    """Catches features of another encoding, which may broadcast in silence."""
    with pytest.raises(InputError, match=r"52 features.*\(1,\)"):
        StreamingLifter(random_lifter()).push(np.zeros(1))


@pytest.mark.parametrize("dilations", [(0,), (1,), (1, 3), (1, 3, 9), (2, 0, 5)])
@pytest.mark.parametrize("direct", [False, True])
def test_multiplications_are_counted_right(dilations, direct):
    """Catches a layer left out of the count, or counted for frames that it never sees: torch counts what it does."""
    weights = random_lifter(dilations=dilations, direct=direct, channels=8)
    counted = multiply_adds(weights.meta)
    shape = {"inputs": 52, "outputs": 57, "channels": 8, "dilations": dilations}
    net = TemporalLifter(**shape, causal=False, direct=direct).eval()
    window = torch.zeros(1, weights.meta.window, 52)

    def done(form):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            form(window)
        return counter.get_total_flops() // 2

    assert counted.dilated == done(net)
    if dilations != (2, 0, 5):  # torch has no strided form of these
        assert counted.strided == done(net.one_output)
    assert counted.streaming == sum(array.size for array in weights.arrays.values() if array.ndim == 2)


def test_only_what_reaches_the_output_is_counted():
    """Catches a strided count that is right for dilations of 1, 3, 9 only: by hand, for 2, 0 and 5."""
    expand, one_tap, three_taps, shrink = 3 * 52 * 8, 2 * 8 * 8, 4 * 8 * 8, 8 * 57
    assert multiply_adds(random_lifter(dilations=(2, 0, 5), channels=8).meta).strided == (
        3 * expand + 3 * one_tap + three_taps + shrink
    )


def test_at_243_frames_streaming_computes_ten_times_less():
    """Catches the promise, broken: against the window anew, without what reaches no output."""
    counted = multiply_adds(random_lifter(channels=1024, dilations=(1, 3, 9, 27, 81)).meta)
    assert counted.strided > 10 * counted.streaming
    assert counted.dilated > 100 * counted.streaming
