"""Left and right are told apart by several views. The rig and its people come from ``rigs_of_cameras``, not from us."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import ring, seen_by, walkers

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.sides import repair_sides

MIRROR = np.array(COCO_17.mirror)
LEGS = [COCO_17.index(f"{side}_{joint}") for joint in ("knee", "ankle") for side in ("left", "right")]
LIMBS = [j for j, name in enumerate(COCO_17.joint_names) if "_" in name and name.split("_")[1] not in ("eye", "ear")]


def _swapped(pose, frames, joints=tuple(range(17))):
    """The pose with left and right of some joints exchanged in some frames."""
    xy_px, confidence = pose.xy_px.copy(), pose.confidence.copy()
    for t in frames:
        for j in joints:
            xy_px[t, j], confidence[t, j] = pose.xy_px[t, MIRROR[j]], pose.confidence[t, MIRROR[j]]
    return replace(pose, xy_px=xy_px, confidence=confidence)


def _wrong(found, truth):
    """Share of limb joints that are called by the other side's name, where the sides are 20 px apart and more."""
    wrong, count = 0, 0
    for ours, right in zip(found, truth, strict=True):
        apart = np.linalg.norm(right.xy_px - right.xy_px[:, MIRROR], axis=-1)[:, LIMBS] > 20
        as_is = np.linalg.norm(ours.xy_px - right.xy_px, axis=-1)[:, LIMBS]
        wrong += (as_is > 1e-6)[apart].sum()
        count += apart.sum()
    return wrong / count


@pytest.mark.parametrize("noise_px", [0.0, 4.0])
@pytest.mark.parametrize("views", [2, 3, 4, 8])
def test_a_body_that_one_camera_sees_the_wrong_way_round_is_turned(views, noise_px):
    """Catches a repair that needs the swap to be short, or that turns the cameras that were right."""
    truth = seen_by(ring(views), walkers(1, seconds=2)[0], noise_px=noise_px)
    given = [_swapped(truth[0], range(10, 35)), *truth[1:]]
    assert _wrong(given, truth) > 0.03
    assert _wrong(repair_sides(given, ring(views)), truth) < 0.01


def test_legs_that_flicker_in_every_view():
    """Catches a repair of whole bodies only, and one that decides every camera by itself."""
    cameras, rng = ring(4), np.random.default_rng(3)
    truth = seen_by(cameras, walkers(1, seconds=2)[0], noise_px=3.0, missing=0.05)
    given = [_swapped(pose, np.flatnonzero(rng.random(len(pose)) < 0.2), LEGS) for pose in truth]
    assert _wrong(given, truth) > 0.03
    assert _wrong(repair_sides(given, cameras), truth) < 0.01


def test_what_is_right_stays_as_it_is():
    """Catches labels that are changed where noise makes the wrong ones fit a little better."""
    cameras = ring(4)
    truth = seen_by(cameras, walkers(1, seconds=2)[0], noise_px=6.0, outliers=0.1, missing=0.1)
    repaired = repair_sides(truth, cameras)
    both = zip(repaired, truth, strict=True)
    changed = np.mean([(np.nan_to_num(ours.xy_px) != np.nan_to_num(right.xy_px)).any(axis=-1) for ours, right in both])
    assert changed < 0.03  # of joints; a tenth of them were put anywhere


def test_one_camera_alone_and_a_camera_that_saw_nobody():
    """Catches an answer where nobody can know, and views that move to another camera's place."""
    cameras = ring(3)
    seen = seen_by(cameras, walkers(1, seconds=1)[0])
    alone = _swapped(seen[1], range(5, 9))
    assert repair_sides([None, alone, None], cameras) == (None, alone, None)
    repaired = repair_sides([seen[0], None, seen[2]], cameras)
    assert repaired[1] is None
    assert [pose.camera_name for pose in repaired if pose] == ["cam0", "cam2"]


def test_more_cameras_than_are_decided_at_once():
    """Catches cameras beyond the eighth that are dropped or left alone."""
    cameras = ring(11)
    truth = seen_by(cameras, walkers(1, seconds=1)[0], noise_px=2.0)
    given = [*truth[:9], _swapped(truth[9], range(5, 20)), truth[10]]
    repaired = repair_sides(given, cameras)
    assert len(repaired) == 11
    assert _wrong(repaired, truth) < 0.01


def test_poses_that_do_not_go_together_are_refused():
    """Catches videos that were not synchronised, and a camera without a pose."""
    cameras = ring(2)
    long, short = seen_by(cameras, walkers(1, seconds=1)[0])[0], seen_by(cameras, walkers(1, seconds=0.5)[0])[1]
    with pytest.raises(InputError, match="one length"):
        repair_sides([long, short], cameras)
    with pytest.raises(InputError, match="one pose per camera"):
        repair_sides([long], cameras)
