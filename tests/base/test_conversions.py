"""Skeleton conversions: the declared table, and the arithmetic against a plain loop."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.conversion_table import DECLARED
from mocap3d.base.conversions import conversion, convert, declared_targets
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import (
    BLAZEPOSE_33,
    BODY_25,
    COCO_17,
    FLIC_9,
    HUMAN36M_17,
    HUMAN36M_32,
    HUMANOID_22,
    LIFTER_20,
    MPII_16,
    SKELETONS,
)

PAIRS = list(DECLARED)


def pose2d(skeleton: Skeleton, frames: int = 3) -> Pose2D:
    """A pose in which every joint of every frame has its own coordinates and confidence."""
    count = frames * len(skeleton)
    xy = np.stack([np.arange(count), 1000.0 + np.arange(count)], axis=-1).reshape(frames, len(skeleton), 2)
    confidence = np.linspace(0.1, 0.9, count).reshape(frames, len(skeleton))
    return Pose2D(xy_px=xy, confidence=confidence, fps=Fraction(25), skeleton=skeleton, camera_name="left")


def pose3d(skeleton: Skeleton, frames: int = 3) -> Pose3D:
    rng = np.random.default_rng(0)
    shape = (frames, len(skeleton))
    return Pose3D(
        xyz_m=rng.normal(size=(*shape, 3)),
        confidence=rng.uniform(0.1, 1, shape),
        std_m=rng.uniform(0.01, 0.1, shape),
        views=rng.integers(1, 5, shape),
        fps=Fraction(30),
        skeleton=skeleton,
        frame="world",
    )


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_declared_pair_is_complete_and_respects_left_and_right(source: str, target: str) -> None:
    """Catches a joint forgotten or spelled wrongly, and a left joint made from a right one."""
    table = conversion(SKELETONS[source], SKELETONS[target])
    assert tuple(entry.joint for entry in table.joints) == SKELETONS[target].joint_names
    by_joint = {entry.joint: entry for entry in table.joints}
    for entry in table.joints:
        partner = by_joint[table.target.joint_names[table.target.mirror[table.target.index(entry.joint)]]]
        mirrored = {table.source.joint_names[table.source.mirror[table.source.index(n)]] for n in entry.sources}
        assert set(partner.sources) == mirrored, entry.joint
        assert (partner.approximation is None) == (entry.approximation is None)
        assert entry.approximation != ""
        assert entry.approximation is None or len(entry.approximation) > 15  # a reason, not a word


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_conversion_equals_a_plain_loop(source: str, target: str) -> None:
    """Catches mixed-up columns, and confidence, error and views that are averaged like points."""
    pose = pose3d(SKELETONS[source])
    result = convert(pose, SKELETONS[target])
    for t in range(len(pose)):
        for j, entry in enumerate(conversion(SKELETONS[source], SKELETONS[target]).joints):
            columns = [pose.skeleton.index(name) for name in entry.sources]
            if not columns:
                assert np.isnan(result.xyz_m[t, j]).all()
                assert np.isnan(result.std_m[t, j])
                assert (result.confidence[t, j], result.views[t, j]) == (0, 0)
                continue
            mean = sum(pose.xyz_m[t, c] for c in columns) / len(columns)
            np.testing.assert_allclose(result.xyz_m[t, j], mean, atol=1e-12)
            assert result.confidence[t, j] == min(pose.confidence[t, c] for c in columns)
            assert result.views[t, j] == min(pose.views[t, c] for c in columns)
            variance = sum(float(pose.std_m[t, c]) ** 2 for c in columns) / len(columns) ** 2
            assert result.std_m[t, j] == pytest.approx(variance**0.5, rel=1e-12)
    assert (result.fps, result.frame, result.skeleton) == (pose.fps, "world", SKELETONS[target])


def test_known_exact_conversions() -> None:
    """Catches a shifted row: BlazePose and BODY_25 to COCO by their official indices."""
    blaze = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
    body25 = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]
    h36m = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    for source, target, rows in (
        (BLAZEPOSE_33, COCO_17, blaze),
        (BODY_25, COCO_17, body25),
        (HUMAN36M_32, HUMAN36M_17, h36m),
        (LIFTER_20, HUMAN36M_17, range(17)),
    ):
        assert conversion(source, target).is_exact
        pose = pose2d(source)
        np.testing.assert_array_equal(convert(pose, target).xy_px, pose.xy_px[:, list(rows)])


def test_approximations_are_named_with_their_reason() -> None:
    """Catches COCO passed off as Human3.6M without a word."""
    table = conversion(COCO_17, HUMAN36M_17)
    assert not table.is_exact
    assert {"pelvis", "left_hip", "right_hip", "thorax", "spine", "neck", "head"} <= set(table.approximations)
    assert "left_knee" not in table.approximations
    assert "12 cm" in table.approximations["head"]
    assert conversion(MPII_16, COCO_17).missing == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert conversion(COCO_17, FLIC_9).is_exact


def test_a_missing_source_makes_a_missing_mean_and_filled_in_stays_filled_in() -> None:
    """Catches a mean of what is left, and a NaN that keeps its confidence."""
    pose = pose2d(COCO_17)
    xy, confidence = pose.xy_px.copy(), pose.confidence.copy()
    left_hip, right_knee = COCO_17.index("left_hip"), COCO_17.index("right_knee")
    xy[1, left_hip], confidence[1, left_hip] = np.nan, 0
    confidence[2, right_knee] = 0  # filled in: finite, but not seen
    result = convert(Pose2D(xy_px=xy, confidence=confidence, fps=pose.fps, skeleton=COCO_17), HUMAN36M_17)
    pelvis = HUMAN36M_17.index("pelvis")
    assert np.isnan(result.xy_px[1, pelvis]).all()
    assert result.confidence[1, pelvis] == 0
    assert np.isfinite(result.xy_px[[0, 2], pelvis]).all()
    assert np.isfinite(result.xy_px[2, HUMAN36M_17.index("right_knee")]).all()
    assert result.confidence[2, HUMAN36M_17.index("right_knee")] == 0


def test_a_pair_nobody_declared_is_refused_with_a_list() -> None:
    """Catches conversion by equal names: FLIC knows no knees, a humanoid has other joints."""
    with pytest.raises(InputError, match=r"'flic-9' to 'human36m-17' is declared.*converts to: coco-17"):
        convert(pose2d(FLIC_9), HUMAN36M_17)
    with pytest.raises(InputError, match="converts to: nothing"):
        conversion(HUMANOID_22, COCO_17)
    impostor = Skeleton(
        name="coco-17",
        joint_names=COCO_17.joint_names[::-1],
        parents=tuple(-1 if p < 0 else 16 - p for p in COCO_17.parents[::-1]),
        mirror=tuple(16 - m for m in COCO_17.mirror[::-1]),
    )
    with pytest.raises(InputError, match="declared"):
        conversion(impostor, HUMAN36M_17)
    assert "human36m-17" in declared_targets(COCO_17)


def test_a_skeleton_is_itself() -> None:
    """Catches a special case for the same skeleton in every caller."""
    pose = pose2d(HUMANOID_22)
    assert conversion(HUMANOID_22, HUMANOID_22).is_exact
    np.testing.assert_array_equal(convert(pose, HUMANOID_22).xy_px, pose.xy_px)


def test_there_and_back_is_the_same_where_both_ways_are_exact() -> None:
    """Catches two tables that contradict each other."""
    for source, target in PAIRS:
        if (target, source) not in DECLARED:
            continue
        there, back = (conversion(SKELETONS[a], SKELETONS[b]) for a, b in ((source, target), (target, source)))
        kept = {e.joint: e.sources[0] for e in back.joints if e.approximation is None and len(e.sources) == 1}
        made = {e.joint: e.sources[0] for e in there.joints if e.approximation is None and len(e.sources) == 1}
        for joint, name in kept.items():
            assert made.get(name, joint) == joint, (source, target, joint)
