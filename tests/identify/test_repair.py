"""Repair of 2D joints over time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.repair import fill_gaps, reject_outliers

HEIGHT_PX = 400.0
PX_PER_M = HEIGHT_PX / 1.7
ANKLE = COCO_17.index("right_ankle")


def _pose(person, fps, seconds=1.0, *, noise_px=0.0, move=None):
    """Someone who walks; ``move(t, joints)`` changes joints in place."""
    rng = np.random.default_rng(2)
    frames = []
    for i in range(round(seconds * fps)):
        joints = person(i / fps, 100 + 330 * i / fps, 100, HEIGHT_PX)
        if move is not None:
            move(i / fps, joints)
        frames.append(joints + rng.normal(0, noise_px, (17, 2)))
    xy_px = np.array(frames)
    return Pose2D(xy_px=xy_px, confidence=np.full(xy_px.shape[:2], 0.9), fps=Fraction(fps), skeleton=COCO_17)


def _changed(pose, xy_px, confidence):
    return Pose2D(xy_px=xy_px, confidence=confidence, fps=pose.fps, skeleton=pose.skeleton)


@pytest.mark.parametrize("fps", [24, 30, 60, 120, 240])
@pytest.mark.parametrize("frames", [1, 2])
def test_a_joint_that_jumps_away_is_taken_out(person, fps, frames):
    """Catches a filter in frames instead of seconds, and a whole frame thrown away for one joint."""
    pose = _pose(person, fps, noise_px=1.5)
    xy_px = pose.xy_px.copy()
    at = len(pose) // 2
    xy_px[at : at + frames, 9] += [90, -120]
    mended = reject_outliers(_changed(pose, xy_px, pose.confidence))
    assert np.isnan(mended.xy_px[at : at + frames, 9]).all()
    assert not mended.confidence[at : at + frames, 9].any()
    others = np.ones(pose.confidence.shape, dtype=bool)
    others[at : at + frames, 9] = False
    np.testing.assert_array_equal(mended.xy_px[others], xy_px[others])
    filled = fill_gaps(mended)
    assert np.abs(filled.xy_px[at, 9] - pose.xy_px[at, 9]).max() < 0.06 * HEIGHT_PX


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60, 120, 240])
@pytest.mark.parametrize("seed", range(3))
def test_a_kick_of_10_m_per_s_stays(person, fps, seed):
    """Catches a filter that takes fast motion for errors: a foot out by 1 m and back in 0.31 s, at most 10 m/s."""
    start = 0.3 + seed / (3 * fps)
    duration = np.pi / 10  # of 1 m * sin² (pi t / duration): its largest speed is pi / duration

    def kick(t, joints):
        reach_m = np.sin(np.pi * min(max((t - start) / duration, 0), 1)) ** 2
        joints[ANKLE] += np.array([0.8, -0.6]) * reach_m * PX_PER_M
        joints[14] += np.array([0.3, -0.3]) * reach_m * PX_PER_M

    pose = _pose(person, fps, noise_px=1.5, move=kick)
    assert np.linalg.norm(np.diff(pose.xy_px[:, ANKLE], axis=0), axis=1).max() * fps > 8.5 * PX_PER_M
    np.testing.assert_array_equal(reject_outliers(pose).confidence, pose.confidence)


@pytest.mark.parametrize("fps", [24, 30, 60, 120])
def test_noise_of_a_detector_stays(person, fps):
    """Catches a limit that follows the noise down to nothing and takes out good joints."""
    pose = _pose(person, fps, 3, noise_px=0.01 * HEIGHT_PX)
    assert (reject_outliers(pose).confidence > 0).mean() > 0.999


def test_missing_joints_do_not_become_outliers(person):
    """Catches warnings about empty windows, and joints that lose their neighbours."""
    pose = _pose(person, 30, noise_px=1.0)
    xy_px, confidence = pose.xy_px.copy(), pose.confidence.copy()
    confidence[:, 3] = 0
    confidence[5:25, 4] = 0
    confidence[10] = 0
    xy_px[confidence == 0] = np.nan
    np.testing.assert_array_equal(reject_outliers(_changed(pose, xy_px, confidence)).confidence, confidence)
    nothing = _changed(pose, np.full_like(xy_px, np.nan), np.zeros_like(confidence))
    assert np.isnan(fill_gaps(reject_outliers(nothing)).xy_px).all()


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.sampled_from([10, 24, 30, 60]), st.floats(0, 0.6))
def test_gaps_are_filled_up_to_their_length(seen, fps, max_gap_s):
    """Catches off-by-one lengths, filling beyond the ends, and confidence given to what was made up."""
    times = np.arange(len(seen), dtype=float)
    xy_px = np.stack([np.broadcast_to(times[:, None], (len(seen), 17)) * 3, np.full((len(seen), 17), 7.0)], axis=-1)
    confidence = np.broadcast_to(np.array(seen)[:, None] * 0.5, (len(seen), 17)).copy()
    xy_px[~np.array(seen)] = np.nan
    pose = Pose2D(xy_px=xy_px, confidence=confidence, fps=Fraction(fps), skeleton=COCO_17)
    filled = fill_gaps(pose, max_gap_s=max_gap_s)
    np.testing.assert_array_equal(filled.confidence, confidence)
    for t, is_seen in enumerate(seen):
        before = [s for s in range(t) if seen[s]]
        after = [s for s in range(t + 1, len(seen)) if seen[s]]
        bridged = bool(before and after) and (after[0] - before[-1] - 1) / fps <= max_gap_s + 1e-9
        if is_seen or bridged:
            np.testing.assert_allclose(filled.xy_px[t, 4], [3 * t, 7], atol=1e-9)  # a line is filled exactly
        else:
            assert np.isnan(filled.xy_px[t]).all()


def test_settings_are_checked(person):
    """Catches a negative limit that takes out everything."""
    pose = _pose(person, 30)
    with pytest.raises(InputError, match="max_gap_s"):
        fill_gaps(pose, max_gap_s=-1)
    for name in ("longest_s", "floor"):
        with pytest.raises(InputError, match=name):
            reject_outliers(pose, **{name: 0})
