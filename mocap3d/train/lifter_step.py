"""One step of training the lifter: windows from the pool, forward, backward, weights, moving average."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mocap3d.train.example_pool import ExamplePool
from mocap3d.train.lifter_loss import lifter_loss
from mocap3d.train.lifter_run import LifterRun

__all__ = ["follow_average", "follow_schedule", "learn", "momentum_of", "take_step"]

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


_RANK_SEED = 2**40  # far beyond the seeds of any number of steps


def take_step(run: LifterRun, pool: ExamplePool) -> None:
    """Exchange clips of the pool, draw windows, learn from them.

    What is drawn depends on the settings' seed, the number of the step and the rank only, so that a resumed run goes on
    exactly.
    """
    seed = run.settings.seed * 1_000_003 + run.step + _RANK_SEED * run.ranks.rank
    torch.manual_seed(seed)  # of dropout
    pool.refresh()
    generator = torch.Generator().manual_seed(seed)
    windows, truth = pool.draw(run.settings.batch // run.ranks.count, generator, 3 if run.begins else 1)
    follow_schedule(run)
    run.loss_m = run.loss_m + learn(run, windows, truth).double()
    run.loss_steps += 1


def learn(run: LifterRun, windows: Tensor, truth: Tensor) -> Tensor:
    """One step of AdamW on windows (B, W, F) and truth (B, 1, O); returns the joints' mean error, metres."""
    settings = run.settings
    before = [statistic.clone() for statistic in run.model.statistics()]
    with torch.autocast(windows.device.type, dtype=_DTYPES[settings.precision], enabled=settings.precision != "fp32"):
        outputs = run.forward(windows)
    loss, error_m = lifter_loss(outputs.to(truth.dtype), truth, settings)
    run.optimizer.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    torch._foreach_lerp_(run.model.statistics(), before, 1 - momentum_of(run))
    run.scaler.unscale_(run.optimizer)
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), settings.clip_norm)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.step += 1
    follow_average(run)
    return error_m


def follow_schedule(run: LifterRun) -> None:
    """Set the learning rate of the next step."""
    settings, share = run.settings, min(run.progress, 1.0)
    rate = settings.last_rate + (1 - settings.last_rate) * (1 + math.cos(math.pi * share)) / 2
    warm = min(1.0, (run.step + 1) / settings.warm_up)
    for group in run.optimizer.param_groups:
        group["lr"] = settings.learning_rate * rate * warm


def momentum_of(run: LifterRun) -> float:
    """How far the normalisation's statistics move towards those of the next batch.

    The normalisation itself has the momentum 1, and is led back by `learn`: `torch.compile` would translate the network
    again for each new number that is no tensor.
    """
    first, last = run.settings.momentum
    return float(first * (last / first) ** min(run.progress, 1.0))


@torch.no_grad()
def follow_average(run: LifterRun) -> None:
    """Let the moving average follow the weights and the normalisation's statistics, quickly at the start."""
    keep = min(run.settings.average, (1 + run.step) / (10 + run.step))
    pairs = zip(run.average.state_dict().values(), run.model.state_dict().values(), strict=True)
    mine, theirs = zip(*((a, b) for a, b in pairs if a.is_floating_point()), strict=True)
    torch._foreach_lerp_(mine, theirs, 1 - keep)
