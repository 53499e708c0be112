from __future__ import annotations

import math

import pytest
import torch
from bodies import small_training

from mocap3d.base.errors import InputError
from mocap3d.train.lifter_run import LifterRun
from mocap3d.train.lifter_settings import LifterSettings
from mocap3d.train.lifter_step import follow_average, follow_schedule, learn
from mocap3d.train.ranks import Ranks

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def some_windows(settings, device="cpu"):
    generator = torch.Generator().manual_seed(1)
    windows = torch.randn(settings.batch, settings.window, 69, generator=generator)
    return windows.to(device), torch.randn(settings.batch, 1, 64, generator=generator).abs().to(device) / 3


def test_the_learning_rate_rises_and_falls_as_stated():
    """Catches a schedule by epochs, a warm-up that never ends, and a rate that ends at zero or not at all."""
    run = LifterRun.new(small_training(steps=1000, warm_up=100, learning_rate=2e-3, last_rate=0.02))
    rates = []
    for step in (0, 49, 250, 500, 999):
        run.step = step
        follow_schedule(run)
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(2e-3 / 100)
    assert rates[1] == pytest.approx(2e-3 * 0.5, rel=0.02)
    assert rates[2] == pytest.approx(2e-3 * (0.02 + 0.98 * (1 + math.cos(math.pi / 4)) / 2))
    assert rates[3] == pytest.approx(2e-3 * 0.51)
    assert rates[4] == pytest.approx(2e-3 * 0.02, rel=0.01)


def test_the_schedule_may_follow_the_clock():
    """Catches a training of some minutes whose learning rate never falls."""
    run = LifterRun.new(small_training(minutes=10.0, steps=10**9, warm_up=1))
    run.step, run.elapsed_s = 5, 300.0
    follow_schedule(run)
    assert run.progress == 0.5
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * 0.51)


def test_statistics_settle():
    """Catches a momentum that stays as it was: the normalisation would end on the last few batches."""
    run = LifterRun.new(small_training(steps=100, momentum=(0.1, 0.001), precision="fp32"))
    windows, truth = some_windows(run.settings)
    for step, momentum in ((0, 0.1), (50, 0.01), (100, 0.001)):
        run.step = step
        first = run.model.expand
        before = first.norm.running_mean.clone(), first.norm.running_var.clone()
        seen = windows.reshape(-1, 3 * 69) @ first.linear.weight.detach().T
        learn(run, windows, truth)
        mean, variance = first.norm.running_mean, first.norm.running_var
        torch.testing.assert_close(mean, before[0] + momentum * (seen.mean(0) - before[0]), atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(variance, before[1] + momentum * (seen.var(0) - before[1]), atol=1e-6, rtol=1e-4)


def test_the_average_follows_weights_and_statistics():
    """Catches an average of the weights beside statistics of other weights, and one that hangs on the first steps."""
    run = LifterRun.new(small_training(average=0.9))
    with torch.no_grad():
        for tensor in run.model.state_dict().values():
            tensor.fill_(1)
        for tensor in run.average.state_dict().values():
            tensor.zero_()
    run.step = 1
    follow_average(run)  # keeps min(0.9, 2 / 11)
    floats = {name: tensor for name, tensor in run.average.state_dict().items() if tensor.is_floating_point()}
    assert any(name.endswith("running_var") for name in floats)
    for tensor in floats.values():
        torch.testing.assert_close(tensor, torch.full_like(tensor, 1 - 2 / 11))
    run.step = 1000
    follow_average(run)  # keeps 0.9
    tensor = run.average.shrink.weight
    torch.testing.assert_close(tensor, torch.full_like(tensor, 1 - 0.9 * 2 / 11))


@pytest.mark.parametrize("clip", [0.01, 1e9])
def test_long_gradients_are_cut(clip):
    """Catches clipping that is not done, done layer by layer, or done before the gradients are there."""
    run = LifterRun.new(small_training(clip_norm=clip, precision="fp32"))
    windows, truth = some_windows(run.settings)
    learn(run, windows, truth)
    length = math.sqrt(sum(float(p.grad.double().square().sum()) for p in run.model.parameters()))
    if clip < 1:
        assert length == pytest.approx(clip, rel=1e-3)
    else:
        assert length > 0.02


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_step_in_every_precision(device, precision):
    """Catches a precision that learns something else, or gradients of fp16 that vanish."""
    if device == "cpu" and precision == "fp16":
        with pytest.raises(InputError, match="fp16 needs CUDA"):
            LifterRun.new(small_training(precision="fp16"))
        return
    errors = []
    for chosen in ("fp32", precision):
        settings = small_training(precision=chosen, learning_rate=3e-3, warm_up=1, steps=100)
        run = LifterRun.new(settings, Ranks(device=device))
        windows, truth = some_windows(settings, device)
        errors.append([float(learn(run, windows, truth)) for _ in range(12)])
    assert errors[1] == pytest.approx(errors[0], rel=0.05)
    assert errors[1][-1] < 0.9 * errors[1][0]


@pytest.mark.parametrize("device", DEVICES)
def test_the_strided_form_learns_what_the_dense_form_says(device):
    """Catches two forms that differ on the device that trains."""
    run = LifterRun.new(small_training(precision="fp32", dilations=(1, 3, 9)), Ranks(device=device))
    windows, truth = some_windows(run.settings, device)
    learn(run, windows, truth)
    model = run.model.eval()
    torch.testing.assert_close(model.one_output(windows), model(windows), atol=1e-4, rtol=1e-4)


def test_a_compiled_network_is_translated_once(monkeypatch):
    """Catches a translation at each new momentum or learning rate, and a compiled network that learns otherwise."""
    compile_as = torch.compile
    translated = []

    def count(graph, inputs):
        translated.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda forward: compile_as(forward, backend=count))
    runs = [LifterRun.new(small_training(compiled=compiled, precision="fp32", steps=20)) for compiled in (False, True)]
    windows, truth = some_windows(runs[0].settings)
    errors = [[], []]
    for _ in range(12):
        for run, found in zip(runs, errors, strict=True):
            follow_schedule(run)
            found.append(float(learn(run, windows, truth)))
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    assert len(translated) == 1


def test_a_batch_that_cannot_be_shared_is_refused():
    """Catches processes that learn from different numbers of windows, whose mean is not the batch's."""
    with pytest.raises(InputError, match="33 windows cannot be shared by 2"):
        LifterRun.new(small_training(batch=33), Ranks(count=2))


def test_a_network_of_one_frame_has_no_short_windows():
    """Catches a last block that is left out of a network whose windows cannot be shorter."""
    assert LifterSettings(dilations=(0, 0, 0)).begins_short == 0
    assert LifterSettings(dilations=(1,)).begins_short == 0
    assert LifterSettings(dilations=(1, 3)).begins_short == LifterSettings().short_windows > 0
