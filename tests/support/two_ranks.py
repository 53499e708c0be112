"""Two processes that train together, as `torch.multiprocessing.spawn` starts them; for the tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from bodies import small_training
from torch import Tensor

STEPS = 20
KINDS = ("whole", "short", "frozen")
SETTINGS: dict[str, Any] = {"precision": "fp32", "dropout": 0.0, "batch": 16, "steps": STEPS, "warm_up": 1}


def batch(step: int) -> tuple[Tensor, Tensor]:
    """The joined batch of a step, float64."""
    generator = torch.Generator().manual_seed(step)
    windows = torch.randn(16, 9, 69, generator=generator, dtype=torch.float64)
    windows[8:] = 3 * windows[8:] + 1  # what the two processes see differs
    return windows, torch.randn(16, 1, 64, generator=generator, dtype=torch.float64).abs() / 3


def train(run: Any, part: slice, kind: str = "whole") -> dict[str, Tensor]:
    """Learn from one part of each batch; returns weights, statistics and moving average.

    Args:
        run: a training.
        part: of the batch.
        kind: "whole" windows from the start; "short" ones as long as the last block has not joined; "frozen": whole
            windows, and statistics that stay as they are.
    """
    from mocap3d.train.lifter_step import follow_schedule, learn

    run.model.train(kind != "frozen")
    for step in range(STEPS):
        follow_schedule(run)
        windows, truth = (tensor[part] for tensor in batch(step))
        learn(run, windows[:, 3:6] if kind == "short" and run.begins else windows, truth)
    states = {"model": run.model.state_dict(), "average": run.average.state_dict()}
    return {f"{kind}.{name}": tensor.clone() for kind, state in states.items() for name, tensor in state.items()}


def work(rank: int, folder: str) -> None:
    """One of the two: train in each of `KINDS` and with separate statistics, write all results."""
    from mocap3d.train import lifter_run
    from mocap3d.train.ranks import Ranks

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    ranks = Ranks(rank=rank, count=2)
    part = slice(8 * rank, 8 * rank + 8)
    results = {kind: train(lifter_run.LifterRun.new(small_training(**SETTINGS), ranks), part, kind) for kind in KINDS}
    lifter_run.share_statistics = lambda model: None
    results["separate"] = train(lifter_run.LifterRun.new(small_training(**SETTINGS), ranks), part)
    results["said"] = {"elapsed_s": torch.tensor(ranks.agreed(10.0 + rank))}
    torch.save(results, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
