"""The shipped lifter at other frame rates, with joints missing and with half a body: bounds that a worse one breaks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from walker_views import walk_seen_from

from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.identify.repair import drop_unsure, fill_gaps, reject_outliers
from mocap3d.lift.monocular import lift_pose2d

NTSC = Fraction(1000, 1001)
# At 403 and 1002 frames the clip ends just after an instant of the lifter's own.
CLIPS = [(15, 91), (24 * NTSC, 403), (25, 151), (30, 181), (50, 301), (60 * NTSC, 1002), (120, 721)]
FASTEST_MPS = 4.5  # the walker's own feet reach 4.0


def mean_mm(offsets_m):
    return 1000 * np.linalg.norm(offsets_m, axis=-1).mean()


def captured(pose, camera):
    """Lifted as `capture` does it."""
    return lift_pose2d(fill_gaps(reject_outliers(drop_unsure(pose))), camera).xyz_m


def without(pose, unseen):
    """Joints (T, P) or (P,) taken out."""
    unseen = np.broadcast_to(unseen, pose.confidence.shape)
    return replace(
        pose,
        xy_px=np.where(unseen[..., None], np.nan, pose.xy_px),
        confidence=np.where(unseen, 0.0, pose.confidence),
    )


@pytest.mark.parametrize("azimuth_deg", [60, 200])
def test_every_frame_rate_gives_the_same_motion(azimuth_deg):
    """Catches a body that moves faster or later at some rate, and clips that end in a jump."""
    found = {}
    for fps, frames in CLIPS:
        _, pose, camera = walk_seen_from(azimuth_deg, fps, frames, on_the_spot=True)
        found[fps] = lift_pose2d(pose, camera).xyz_m
        steps_mps = np.linalg.norm(np.diff(found[fps], axis=0), axis=-1) * float(fps)
        assert steps_mps.max() < FASTEST_MPS, fps
        assert steps_mps.max() > 2  # and it does walk
    finest_s = np.arange(len(found[120])) / 120
    finest = found[120].reshape(len(finest_s), -1)
    for fps, xyz_m in found.items():
        seconds = np.arange(len(xyz_m)) / float(fps)
        both = (seconds > 1.5) & (seconds < 4.5)  # where no window reaches the end of any clip
        same = np.stack([np.interp(seconds[both], finest_s, column) for column in finest.T], axis=-1)
        apart_m = np.linalg.norm(xyz_m[both] - same.reshape(-1, 20, 3), axis=-1)
        assert apart_m.mean() < 0.0025, fps
        assert apart_m.max() < 0.015, fps


@pytest.mark.parametrize("azimuth_deg", [20, 60, 110, 200, 290])
def test_a_third_of_the_joints_may_be_missing(azimuth_deg):
    """Catches a lifter that needs every joint in every frame: 30 % gone at random, bridged, cost less than 25 %."""
    truth, pose, camera = walk_seen_from(azimuth_deg, frames=120, on_the_spot=True)
    whole = captured(pose, camera)
    error_mm = mean_mm(whole - truth)
    assert error_mm < 120
    for seed in range(3):
        unseen = np.random.default_rng(seed).random(pose.confidence.shape) < 0.3
        found = captured(without(pose, unseen), camera)
        assert mean_mm(found - truth) < 1.25 * error_mm
        assert mean_mm(found - whole) < 45


@pytest.mark.parametrize("azimuth_deg", [20, 60, 110, 200, 290])
@pytest.mark.parametrize(
    ("parts", "apart_mm", "worse_mm"), [(("shoulder", "elbow", "wrist"), 80, 25), (("neck", "head", "face"), 40, 15)]
)
def test_arms_and_head_do_without_legs(azimuth_deg, parts, apart_mm, worse_mm):
    """Catches somebody at a desk whose arms go where the unseen hips would have them."""
    truth, pose, camera = walk_seen_from(azimuth_deg, frames=120, on_the_spot=True)
    below = [name.endswith(("hip", "knee", "ankle")) for name in COCO_17.joint_names]
    bodies = truth, captured(pose, camera), captured(without(pose, np.array(below)), camera)
    shoulders = [LIFTER_20.index("left_shoulder"), LIFTER_20.index("right_shoulder")]
    chosen = [j for j, name in enumerate(LIFTER_20.joint_names) if name.endswith(parts)]
    true, whole, upper = ((body - body[:, shoulders].mean(axis=1, keepdims=True))[:, chosen] for body in bodies)
    assert mean_mm(upper - whole) < apart_mm
    assert mean_mm(upper - true) < mean_mm(whole - true) + worse_mm
