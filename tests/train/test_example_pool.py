from __future__ import annotations

import itertools

import pytest
import torch

from mocap3d.train.example_pool import ExamplePool

CLIPS, FRAMES, KEPT = 2, 20, 3


def batches(first=0):
    """Batch n holds the numbers (n, clip, frame) as features and as truth."""
    for n in itertools.count(first):
        numbers = torch.stack(
            torch.meshgrid(torch.tensor([n]), torch.arange(CLIPS), torch.arange(FRAMES), indexing="ij"), -1
        )[0].float()
        yield numbers, numbers.clone()


def names(pool):
    """Which (batch, clip) the pool holds, in its order."""
    return [tuple(clip[0, :2].int().tolist()) for clip in pool.features]


def test_a_window_surrounds_the_frame_of_its_truth():
    """Catches windows that are one frame off, that cross into the next clip, or ends that are not repeated."""
    pool = ExamplePool(batches(), KEPT, (4, 2), "cpu")
    windows, truth = pool.draw(5000, torch.Generator().manual_seed(0))
    assert windows.shape == (5000, 7, 3)
    assert truth.shape == (5000, 1, 3)
    for window, lifted in zip(windows.int().tolist(), truth.int().tolist(), strict=True):
        (batch, clip, frame) = lifted[0]
        assert window == [[batch, clip, min(max(frame + k, 0), FRAMES - 1)] for k in range(-4, 3)]
    drawn = {tuple(lifted[0]) for lifted in truth.int().tolist()}
    assert len(drawn) == KEPT * CLIPS * FRAMES  # every frame of every clip can be drawn


def test_the_oldest_clips_make_room():
    """Catches a pool that never changes, or that forgets its newest clips."""
    pool = ExamplePool(batches(), KEPT, (1, 1), "cpu")
    assert sorted(names(pool)) == [(n, c) for n in (0, 1, 2) for c in range(CLIPS)]
    for step in range(1, 8):
        pool.refresh()
        assert sorted(names(pool)) == [(n, c) for n in range(step, step + KEPT) for c in range(CLIPS)]


@pytest.mark.parametrize("step", [1, 3, 4, 8])
def test_a_pool_that_begins_later_draws_the_same(step):
    """Catches a resumed training whose windows come from other clips than those of the run that was stopped."""
    whole = ExamplePool(batches(), KEPT, (1, 1), "cpu")
    for _ in range(step):
        whole.refresh()
    resumed = ExamplePool(batches(step), KEPT, (1, 1), "cpu", step=step)
    for more in range(4):
        assert names(resumed) == names(whole)
        drawn = [pool.draw(50, torch.Generator().manual_seed(more))[0] for pool in (whole, resumed)]
        torch.testing.assert_close(*drawn, rtol=0, atol=0)
        whole.refresh()
        resumed.refresh()
