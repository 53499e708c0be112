from __future__ import annotations

import numpy as np
import pytest

from mocap3d.lift.resample import at_rate, back_to_frames


def straight(frames, step=0.1):
    """Rays of two joints that move evenly, (T, 2, 3)."""
    t = np.arange(frames)[:, None, None] * step
    return np.repeat(np.concatenate([t, 1 - t, np.ones_like(t)], axis=-1), 2, axis=1)


@pytest.mark.parametrize("ratio", [2.0, 25 / 30, 0.4, 50 / 30, 59.94 / 30])
def test_even_motion_stays_even(ratio):
    """Catches times that are off by half a frame or scaled the wrong way."""
    rays, confidence = at_rate(straight(31), np.ones((31, 2)), ratio)
    times = np.minimum(np.arange(len(rays)) * ratio, 30)
    np.testing.assert_allclose(rays[:, 0, 0], times * 0.1, atol=1e-12)
    np.testing.assert_allclose(confidence, 1)
    assert times[-1] == 30  # the last frame is reached ...
    assert len(times) < 2 or times[-2] < 30  # ... once


@pytest.mark.parametrize("ratio", [2.0, 25 / 30, 0.4, 50 / 30])
@pytest.mark.parametrize("frames", [1, 2, 3, 31])
def test_there_and_back_is_where_it_was(ratio, frames):
    """Catches a clip that comes back longer, shorter or shifted."""
    original = straight(frames)
    rays, _ = at_rate(original, np.ones((frames, 2)), ratio)
    np.testing.assert_allclose(back_to_frames(rays, frames, ratio), original, atol=1e-9)


def test_smooth_motion_survives():
    """Catches linear interpolation on the way back, which shortens every swing."""
    t = np.arange(61) / 60
    original = np.stack([np.sin(2 * np.pi * 2 * t)] * 3, axis=-1)[:, None]
    sampled = original[::2]  # 30 frames a second of a 2 Hz swing
    assert np.abs(back_to_frames(sampled, 61, 2.0) - original).max() < 2e-3


@pytest.mark.parametrize("fps", [24000 / 1001, 60000 / 1001, 120000 / 1001, 50])
def test_noise_is_not_blown_up_at_the_end_of_any_clip(fps):
    """Catches a last instant that nearly meets the one before: noise between the two becomes a slope of metres."""
    rng, worst = np.random.default_rng(0), {}
    for frames in [*range(2, 1010), *range(1995, 2010)]:
        last_s = (frames - 1) / fps
        ticks_s = [n / 30 for n in range(int(last_s * 30 + 1e-9) + 1)]
        if ticks_s[-1] < last_s - 1e-9:
            ticks_s.append(last_s)
        noise = rng.uniform(-0.01, 0.01, len(ticks_s))
        values = np.sin(2 * np.pi * np.array(ticks_s)) + noise  # 1 m, once a second
        found = back_to_frames(values[:, None, None], frames, fps / 30)[:, 0, 0]
        worst[frames] = np.abs(found - np.sin(2 * np.pi * np.arange(frames) / fps)).max()
    assert max(worst.values()) < 0.025, sorted(worst, key=worst.__getitem__)[-3:]


def test_a_missing_ray_does_not_spread():
    """Catches NaN in the frames beside a gap, and confidence for a ray that nobody saw."""
    rays, confidence = straight(4), np.ones((4, 2))
    rays[1, 0], confidence[1, 0] = np.nan, 0
    new_rays, new_confidence = at_rate(rays, confidence, 0.25)  # 13 frames, four to each old one
    missing = np.isnan(new_rays[:, 0, 0])
    assert missing.tolist() == [False] * 2 + [True] * 4 + [False] * 7
    assert (new_confidence[missing, 0] == 0).all()
    assert (new_confidence[~missing, 0] == 1).all()
    assert not np.isnan(new_rays[:, 1]).any()


def test_a_filled_ray_gives_no_confidence_to_itself():
    """Catches confidence that leaks from a seen frame into a filled one."""
    confidence = np.ones((3, 2))
    confidence[1, 0] = 0
    rays, new_confidence = at_rate(straight(3), confidence, 0.5)
    assert np.isfinite(rays).all()
    assert new_confidence[2, 0] == 0
