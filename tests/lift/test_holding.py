from __future__ import annotations

import numpy as np

from mocap3d.lift.holding import RunningHold, hold_unseen, longest_hold


def test_a_joint_stays_where_it_was_for_a_while():
    """Catches places taken from later frames, from other joints or clips, and holds that never end."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 60, 4, 2))
    points[rng.random((3, 60, 4)) < 0.6] = np.nan
    points[0, 10:30, 2] = np.nan
    expected = points.copy()
    for clip in range(3):
        for joint in range(4):
            for t in range(60):
                back = next((n for n in range(6) if t >= n and np.isfinite(points[clip, t - n, joint, 0])), None)
                if back is not None:
                    expected[clip, t, joint] = points[clip, t - back, joint]
    np.testing.assert_array_equal(hold_unseen(points, 5), expected)
    assert np.isnan(hold_unseen(points, 5)[0, 20, 2]).all()
    for clip, frames in enumerate(points):
        running = RunningHold(5)
        np.testing.assert_array_equal([running.push(frame) for frame in frames], expected[clip])


def test_a_hold_lasts_as_long_at_every_frame_rate():
    """Catches a length in frames: a quarter of a second is meant."""
    assert [longest_hold(fps) for fps in (24, 30, 50, 120)] == [6, 8, 12, 30]
