"""Figures frame by frame: their means are the figures of the clip, and they are where something happens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from videos import LENS, WALK

import mocap3d
from mocap3d.quality.animation import animation_quality, points_quality
from mocap3d.quality.series import animation_series, points_series, reprojection_series_px


@pytest.fixture(scope="module")
def clip():
    """The middle of the demo clip."""
    return mocap3d.capture(WALK, cameras=LENS, height_m=1.65, start=40, stop=70)


def test_the_mean_of_a_series_is_the_figure(clip):
    """Catches joints, steps or units that differ between the plot and the number above it."""
    (one,), camera = clip.performances, clip.cameras[0]
    quality = animation_quality(one.motion, pose2d=one.pose2d, camera=camera)
    series = animation_series(one.motion)
    off_px = reprojection_series_px(one.motion, one.pose2d, camera)
    assert np.nanmean(series.foot_skate_mm_per_s) == pytest.approx(quality.foot_skate_mm_per_s)
    assert np.nanmean(series.jerk_m_per_s3) == pytest.approx(quality.jerk_m_per_s3)
    assert np.nanmean(off_px) == pytest.approx(quality.reprojection_px)
    assert np.nanmean(points_series(one.pose3d).jerk_m_per_s3) == pytest.approx(
        points_quality(one.pose3d).jerk_m_per_s3
    )


def test_a_jump_is_seen_where_it_is(clip):
    """Catches a series that is shifted against the frames."""
    motion = clip.motion
    root_m = motion.root_m.copy()
    root_m[15, 0] += 0.2
    odd = replace(motion, root_m=root_m, contacts=np.ones((len(motion), 4)))
    series = animation_series(odd)
    assert abs(int(np.nanargmax(series.jerk_m_per_s3.mean(axis=1))) - 15) <= 1
    assert int(np.nanargmax(series.foot_skate_mm_per_s.mean(axis=1))) in (14, 15)


def test_a_joint_that_was_not_seen_has_no_error(clip):
    """Catches a zero, or a distance to nowhere, for what was not seen."""
    (one,) = clip.performances
    confidence, wrist = one.pose2d.confidence.copy(), one.pose2d.skeleton.index("left_wrist")
    confidence[3:6, wrist] = 0
    off_px = reprojection_series_px(one.motion, replace(one.pose2d, confidence=confidence), clip.cameras[0])
    seen = np.isfinite(off_px).sum(axis=1)
    assert (seen[3:6] == np.isfinite(off_px[7]).sum() - 1).all()


def test_short_clips_have_no_series(clip):
    """Catches a crash on a clip of two frames."""
    two = replace(
        clip.motion,
        local_wxyz=clip.motion.local_wxyz[:2],
        root_m=clip.motion.root_m[:2],
        contacts=clip.motion.contacts[:2],
    )
    assert np.isnan(animation_series(two).jerk_m_per_s3).all()
