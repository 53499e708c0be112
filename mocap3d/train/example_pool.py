"""The examples that a training draws from: thousands of seconds of simulated clips, a few exchanged each step.

Simulating a detector costs more than lifting. A pool of clips is therefore simulated once, each step draws windows from
anywhere in it, and replaces the oldest clips by new ones. What the pool holds at step n depends on n alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["ExamplePool"]


class ExamplePool:
    """Clips in memory, and windows out of them.

    Args:
        batches: gives batches of clips, features (B, T, F) and truth (B, T, O), forever.
        count: how many batches are kept.
        margins: frames of a window before and after the one that is lifted. Beyond the ends of a clip its first and
            last frame are repeated, as in capture.
        device: where the pool lives.
        step: number of the first batch. Batch n lies in the same place of every pool, so that one that begins at
            step n draws what another draws that has come there.
    """

    def __init__(
        self,
        batches: Iterator[tuple[Tensor, Tensor]],
        count: int,
        margins: tuple[int, int],
        device: str,
        *,
        step: int = 0,
    ) -> None:
        self._batches = batches
        kept = [next(batches) for _ in range(count)]
        kept = [kept[(place - step) % count] for place in range(count)]
        self._features = torch.cat([features for features, _ in kept]).to(device)
        self._truth = torch.cat([truth for _, truth in kept]).to(device)
        self._clips = len(kept[0][0])
        self._oldest = step % count * self._clips
        self._margins = margins

    @property
    def features(self) -> Tensor:
        """(N, T, F) of all clips."""
        return self._features

    def refresh(self) -> None:
        """Replace the oldest batch of clips by the next one."""
        here = slice(self._oldest, self._oldest + self._clips)
        features, truth = next(self._batches)
        self._features[here], self._truth[here] = features, truth
        self._oldest = (self._oldest + self._clips) % len(self._features)

    def draw(self, count: int, generator: torch.Generator, part: int = 1) -> tuple[Tensor, Tensor]:
        """Windows (count, W / part, F) around random frames, and the truth (count, 1, O) of those frames."""
        before, after = (margin // part for margin in self._margins)
        reach = torch.arange(-before, after + 1, device=self._truth.device)
        clips, frames = self._truth.shape[:2]
        lot = torch.randint(clips * frames, (count,), generator=generator).to(self._truth.device)
        clip, frame = lot // frames, lot % frames
        reached = (frame[:, None] + reach).clamp(0, frames - 1)
        return self._features[clip[:, None], reached], self._truth[clip, frame][:, None]
