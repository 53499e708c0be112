"""Speed of one training step and of a dense pass, ours beside the plain baseline; the same samples go into both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from _common import Figure
from _plain_lifter import BATCH, JOINTS, PlainLifter
from torch import Tensor, nn

from mocap3d.nets.temporal import TemporalLifter
from mocap3d.train.lifter_settings import WINDOWS

CHANNELS = 1024
DENSE_FRAMES = 1024  # that come out


def speed_figures(frames: int, rounds: int, clock: Callable[[], float] = time.perf_counter) -> list[Figure]:
    """Strided samples and dense frames per second in training, at one window; medians of ``rounds`` that take turns."""
    samples = torch.randn(BATCH, frames, 2 * JOINTS)
    clip = torch.randn(1, DENSE_FRAMES + frames - 1, 2 * JOINTS)
    ours, plain = our_network(frames), PlainLifter(frames, channels=CHANNELS).train()
    strided = take_turns(
        stepper(ours, ours.one_output, samples, bf16=True), stepper(plain, plain, samples), rounds, clock
    )
    dilated = PlainLifter(frames, channels=CHANNELS, strided=False).train()
    dense = take_turns(stepper(ours, ours, clip, bf16=True), stepper(dilated, dilated, clip), rounds, clock)
    return [
        Figure(
            key=f"{key}_{frames}",
            ours=count / statistics.median(mine),
            against=count / statistics.median(theirs),
            higher_is_better=True,
        )
        for key, count, (mine, theirs) in (
            ("strided_samples_per_s", BATCH, strided),
            ("dense_frames_per_s", DENSE_FRAMES, dense),
        )
    ]


def compiled_figure(frames: int, rounds: int, clock: Callable[[], float] = time.perf_counter) -> Figure:
    """Our strided samples per second translated by torch.compile, beside our own as they are."""
    samples, network = torch.randn(BATCH, frames, 2 * JOINTS), our_network(frames)
    translated = stepper(network, torch.compile(network.one_output), samples, bf16=True)
    mine, plain = take_turns(translated, stepper(network, network.one_output, samples, bf16=True), rounds, clock)
    return Figure(
        key=f"compiled_samples_per_s_{frames}",
        ours=BATCH / statistics.median(mine),
        against=BATCH / statistics.median(plain),
        higher_is_better=True,
    )


def our_network(frames: int) -> TemporalLifter:
    """Ours, as wide as the baseline, with its input and output."""
    return TemporalLifter(
        inputs=2 * JOINTS,
        outputs=3 * JOINTS,
        channels=CHANNELS,
        dilations=WINDOWS[frames],
        causal=False,
        direct=True,
        dropout=0.25,
    ).train()


def stepper(
    network: nn.Module, forward: Callable[[Tensor], Tensor], windows: Tensor, *, bf16: bool = False
) -> Callable[[], None]:
    """A function that takes one step of training: forward, backward, optimiser."""
    optimizer: torch.optim.Optimizer
    if bf16:
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    else:
        optimizer = torch.optim.Adam(network.parameters(), amsgrad=True)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            outputs = forward(windows)
        optimizer.zero_grad(set_to_none=True)
        outputs.float().square().mean().backward()
        optimizer.step()

    return step


def take_turns(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int, clock: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Seconds of each round, ours and theirs; a first round is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for run, taken in zip((ours, theirs), seconds, strict=True):
            begin = clock()
            run()
            if number:
                taken.append(clock() - begin)
    return seconds
