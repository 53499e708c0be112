"""Points cut, resampled and held on one spot; gaps stay gaps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.pose_edits import in_place, resampled, trimmed
from mocap3d.base.skeleton import ROOT, Skeleton
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17


def walking(skeleton=HUMAN36M_17, frames=40, fps=Fraction(30)):
    """Points that go along lines of their own; some are missing now and then."""
    rng = np.random.default_rng(3)
    t = np.arange(frames)[:, None, None] / float(fps)
    xyz_m = rng.normal(size=(1, len(skeleton), 3)) + t * [0.5, 0.1, -2.0]
    confidence = rng.uniform(0.1, 1.0, (frames, len(skeleton)))
    for joint, first, last in ((3, 0, 5), (5, 10, 11), (7, 38, 40), (9, 0, 40)):
        xyz_m[first:last, joint] = np.nan
        confidence[first:last, joint] = 0.0
    shape = xyz_m.shape[:2]
    return Pose3D(
        xyz_m=xyz_m,
        confidence=confidence,
        std_m=rng.uniform(0, 0.1, shape),
        views=rng.integers(1, 5, shape),
        fps=fps,
        skeleton=skeleton,
        frame="world",
    )


def test_trimming_keeps_the_frames_that_were_asked_for():
    """Catches a range that is one frame off, and an array that keeps its length."""
    pose = walking()
    cut = trimmed(pose, 10, 25)
    for name in ("xyz_m", "confidence", "std_m", "views"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(pose, name)[10:25])
    for start, stop in ((-1, 3), (5, 5), (30, 41)):
        with pytest.raises(InputError, match="not within 0:40"):
            trimmed(pose, start, stop)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 15, 24, 60, 120, Fraction(60000, 1001)])
def test_resampling_agrees_with_one_number_at_a_time(rate):
    """Catches frames at wrong times, gaps that are bridged or grow where an old frame is hit, and lost confidence."""
    pose = walking()
    found = resampled(pose, rate)
    assert found.fps == rate
    step = 30 / Fraction(rate)
    assert len(found) == int(39 / step) + 1
    for k in range(len(found)):
        at = k * step
        first, last = at.numerator // at.denominator, -(-at.numerator // at.denominator)
        share = float(at - first)
        for joint in (2, 3, 5, 7, 9):
            ends = pose.xyz_m[[first, last], joint]
            expected = ends[0] * (1 - share) + ends[1] * share
            np.testing.assert_allclose(found.xyz_m[k, joint], expected, atol=1e-9)
            assert found.confidence[k, joint] == min(pose.confidence[[first, last], joint])
            assert found.views[k, joint] == min(pose.views[[first, last], joint])
    np.testing.assert_array_equal(resampled(pose, 30).xyz_m, pose.xyz_m)
    assert len(resampled(trimmed(pose, 3, 4), rate)) == 1
    with pytest.raises(InputError, match="would make"):
        resampled(pose, 10**9)


def test_in_place_the_hips_stay_over_one_spot():
    """Catches a height that is lost, other points that do not come along, and a pelvis whose gap tears them away."""
    pose = walking()
    held = in_place(pose)
    np.testing.assert_allclose(held.xyz_m[:, 0, [0, 2]], 0, atol=1e-12)
    np.testing.assert_array_equal(held.xyz_m[..., 1], pose.xyz_m[..., 1])
    np.testing.assert_allclose(held.xyz_m[:, 2] - held.xyz_m[:, 0], pose.xyz_m[:, 2] - pose.xyz_m[:, 0], atol=1e-12)
    hidden = pose.xyz_m.copy()
    hidden[12:17, 0] = np.nan
    gap = in_place(replace(pose, xyz_m=hidden, confidence=np.where(np.isnan(hidden[..., 0]), 0, pose.confidence)))
    np.testing.assert_allclose(gap.xyz_m[:, 2], held.xyz_m[:, 2], atol=1e-9)
    coco = in_place(walking(COCO_17)).xyz_m
    np.testing.assert_allclose(coco[:, 11, [0, 2]] + coco[:, 12, [0, 2]], 0, atol=1e-12)


def test_in_place_without_hips():
    """Catches markers whose centre jumps when one of them is lost, and a guess where nothing is known."""
    names = tuple(f"M{n}" for n in range(17))
    cloud = Skeleton(name="markers", joint_names=names, parents=(ROOT, *(0,) * 16), mirror=tuple(range(17)))
    pose = walking(cloud)
    held = in_place(pose).xyz_m
    always = ~np.isnan(pose.xyz_m).any(axis=(0, 2))
    np.testing.assert_allclose(held[:, always][..., [0, 2]].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(held[:, always][..., [0, 2]], axis=0), 0, atol=1e-12)
    assert np.isnan(held[:, 9]).all()
    with pytest.raises(InputError, match="camera frame"):
        in_place(replace(pose, frame="camera"))
    nobody = replace(pose, xyz_m=np.full_like(pose.xyz_m, np.nan), confidence=np.zeros_like(pose.confidence))
    with pytest.raises(InputError, match="nothing tells"):
        in_place(nobody)
