"""Several processes that train one lifter together, as ``torchrun`` starts them: one gradient, one set of statistics.

Each process learns from windows of its own; their gradients are averaged by torch's DistributedDataParallel, and batch
normalisation counts the frames of all of them (`SharedNorm`). Together they equal one process with the joined batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mocap3d.nets.temporal import TemporalLifter
from mocap3d.train.device import check_device

__all__ = ["ALONE", "Ranks", "SharedNorm", "joined", "share_gradients", "share_statistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Which of how many processes this is.

    Attributes:
        rank: from 0; 0 measures and writes.
        count: how many there are.
        device: what this one computes on.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    def agreed(self, value: float) -> float:
        """What process 0 says, in every process."""
        if self.count == 1:
            return value
        said = torch.tensor(value, dtype=torch.float64, device=self.device)
        self.adopt(said)
        return float(said)

    def adopt(self, *tensors: Tensor) -> None:
        """Make tensors equal to those of process 0, in place."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


ALONE: Final = Ranks()
"""One process on the CPU."""


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` started (it says so in the environment); without it, be alone.

    Args:
        device: "cpu" or "cuda"; with ``torchrun`` each process takes the CUDA device of its local rank.

    Raises:
        InputError: there is no such device.
    """
    check_device(device)
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(device=device)
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Ranks(rank=dist.get_rank(), count=count, device=device)
    finally:
        dist.destroy_process_group()


class _SumOverRanks(torch.autograd.Function):
    """A tensor added up over all processes; so are its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _sum_over_ranks(x: Tensor) -> Tensor:
    total: Tensor = _SumOverRanks.apply(x)  # type: ignore[no-untyped-call]
    return total


class SharedNorm(nn.BatchNorm1d):
    """Batch normalisation whose statistics are those of all processes; theirs must be equally many frames.

    Also runs on the CPU, which `torch.nn.SyncBatchNorm` does not.
    """

    def forward(self, x_NC: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        if not self.training:
            return super().forward(x_NC)
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            raise RuntimeError("the normalisation keeps no statistics")
        wide_NC = x_NC.to(self.weight.dtype)
        frames = len(wide_NC) * dist.get_world_size()
        mean_C = _sum_over_ranks(wide_NC.sum(dim=0)) / frames
        centred_NC = wide_NC - mean_C
        variance_C = _sum_over_ranks(centred_NC.square().sum(dim=0)) / frames
        with torch.no_grad():
            self.running_mean.lerp_(mean_C, self.momentum)
            self.running_var.lerp_(variance_C * (frames / (frames - 1)), self.momentum)
        y_NC: Tensor = centred_NC * (self.weight * torch.rsqrt(variance_C + self.eps)) + self.bias
        return y_NC.to(x_NC.dtype)


def share_statistics(model: TemporalLifter) -> None:
    """Let all normalisations of a network count the frames of all processes; parameters and buffers stay the same."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm1d:
                shared = SharedNorm(child.num_features, eps=child.eps, momentum=child.momentum)
                shared._parameters, shared._buffers = child._parameters, child._buffers
                setattr(module, name, shared.train(child.training))


def share_gradients(model: TemporalLifter, ranks: Ranks, *, partly: bool) -> Callable[[Tensor], Tensor]:
    """The strided form of a network, whose gradients become the mean over all processes.

    Args:
        model: the network.
        ranks: the processes.
        partly: whether some steps leave a part of the network out.
    """
    device_ids = [torch.device(ranks.device)] if ranks.device.startswith("cuda") else None
    return DistributedDataParallel(
        _OneOutput(model), device_ids=device_ids, forward_sync_buffers=False, find_unused_parameters=partly
    )


class _OneOutput(nn.Module):
    """`TemporalLifter.one_output` as the forward pass of a module."""

    def __init__(self, model: TemporalLifter) -> None:
        super().__init__()
        self.model = model

    def forward(self, windows_BTF: Tensor) -> Tensor:
        """(B, W, F) -> (B, 1, O)."""
        return self.model.one_output(windows_BTF)
