"""People are matched across views. The oracle knows who is who, because the test made the tracks and mixed them up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import ring, seen_by, walkers

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.views import match_people


def _views(cameras, people, **how):
    """(C) lists of true tracks, person by person."""
    of_person = [seen_by(cameras, xyz_m, seed=n, **how) for n, xyz_m in enumerate(people)]
    return [list(of_camera) for of_camera in zip(*of_person, strict=True)]


def _without(pose, frames):
    xy_px, confidence = pose.xy_px.copy(), pose.confidence.copy()
    xy_px[frames], confidence[frames] = np.nan, 0.0
    return replace(pose, xy_px=xy_px, confidence=confidence)


def _mixed(a, b, frame):
    """Two tracks that exchange their people at a frame."""
    first = np.arange(len(a)) < frame
    return tuple(
        replace(
            one,
            xy_px=np.where(first[:, None, None], one.xy_px, other.xy_px),
            confidence=np.where(first[:, None], one.confidence, other.confidence),
        )
        for one, other in ((a, b), (b, a))
    )


def _who(found, true_tracks, camera):
    """(T,) which true person a matched person is in the picture of a camera; -1 where not seen."""
    pose = found[camera]
    if pose is None:
        return np.full(len(true_tracks[camera][0]), -1)
    off = [
        np.nanmax(np.abs(pose.xy_px - true.xy_px), axis=(1, 2), initial=0, where=np.isfinite(pose.xy_px))
        for true in true_tracks[camera]
    ]
    return np.where((pose.confidence > 0).any(axis=1), np.argmin(off, axis=0), -1)


@pytest.mark.parametrize(("views", "count"), [(2, 1), (2, 2), (2, 3), (4, 3), (8, 2)])
def test_everybody_has_one_name_in_all_views(views, count):
    """Catches people matched by their order in the lists, and names that differ between views."""
    cameras = ring(views)
    truth = _views(cameras, walkers(count, seconds=1.0), noise_px=3.0, missing=0.05)
    shuffled = [tracks[n % count :] + tracks[: n % count] for n, tracks in enumerate(truth)]
    people = match_people(shuffled, cameras)
    assert len(people) == count
    names = [[set(_who(person, truth, camera)) for camera in range(views)] for person in people]
    assert sorted(min(one[0]) for one in names) == list(range(count))
    assert all(view == one[0] and len(view) == 1 for one in names for view in one)


def test_names_that_one_camera_exchanged_midway_are_put_right():
    """Catches a match that is decided once for a whole track."""
    cameras = ring(4)
    truth = _views(cameras, walkers(2, seconds=2.0), noise_px=2.0)
    given = [list(tracks) for tracks in truth]
    given[1] = list(_mixed(*truth[1], 33))
    given[3] = list(_mixed(*truth[3], 20))
    people = match_people(given, cameras)
    assert len(people) == 2
    for person in people:
        names = np.stack([_who(person, truth, camera) for camera in range(4)])
        assert (names == names[0, 0]).mean() > 0.99


def test_people_enter_and_leave():
    """Catches people who are expected for ever, or whose frames are lost at the ends."""
    cameras = ring(3)
    truth = _views(cameras, walkers(2, seconds=2.0), noise_px=2.0)
    late = np.arange(60) < 25
    early = np.arange(60) >= 40
    given = [[_without(a, early), _without(b, late)] for a, b in truth]
    first, second = match_people(given, cameras)
    for person, frames in ((first, ~early), (second, ~late)):
        for pose in person:
            np.testing.assert_array_equal((pose.confidence > 0).any(axis=1), frames)


def test_somebody_whom_one_camera_sees_is_kept_as_such():
    """Catches people dropped for want of a second view, and views invented for them."""
    cameras = ring(3)
    truth = _views(cameras, walkers(2, seconds=1.5), noise_px=2.0)
    people = match_people([truth[0], truth[1][:1], truth[2][:1]], cameras)
    assert len(people) == 2
    assert all(pose is not None for pose in people[0])
    assert [pose is None for pose in people[1]] == [False, True, True]


def test_a_gap_in_all_views_is_bridged_in_space():
    """Catches a new name after a moment in which nobody saw the person."""
    cameras = ring(2)
    truth = _views(cameras, walkers(1, seconds=2.0), noise_px=2.0)
    hidden = np.isin(np.arange(60), range(20, 35))
    (person,) = match_people([[_without(one, hidden)] for (one,) in truth], cameras)
    assert all(((pose.confidence > 0).any(axis=1) == ~hidden).all() for pose in person)


def test_two_beginnings_of_one_person_become_one():
    """Catches a person who stays two because one camera first saw the arms, and the other the legs."""
    cameras = ring(2)
    ((first,), (second,)) = _views(cameras, walkers(1, seconds=2.0), noise_px=2.0)
    early, arms = (np.arange(60) < 20)[:, None], np.arange(17) < 11
    given = [
        [replace(pose, confidence=np.where(early & hidden, 0, pose.confidence), xy_px=_nowhere(pose, early & hidden))]
        for pose, hidden in ((first, ~arms), (second, arms))
    ]
    (person,) = match_people(given, cameras)
    assert all((pose.confidence > 0).any(axis=1).all() for pose in person)


def _nowhere(pose, hidden):
    return np.where(hidden[..., None], np.nan, pose.xy_px)


def test_two_who_were_seen_at_once_stay_two():
    """Catches somebody who left beside a person who stays, and is taken for them."""
    cameras = ring(3)
    (walker,) = walkers(1, seconds=3.0)
    truth = _views(cameras, [walker, walker + [0.3, 0, 0]], noise_px=2.0)
    gone = np.arange(90) >= 30
    people = match_people([[stays, _without(leaves, gone)] for stays, leaves in truth], cameras)
    assert [[int((pose.confidence > 0).any(axis=1).sum()) for pose in one] for one in people] == [[90] * 3, [30] * 3]


@pytest.mark.parametrize("larger", [1, 10])
def test_nobody_is_a_giant(larger):
    """Catches rays of two people that happen to meet, or a rig in centimetres: whom it makes 17 m tall is no person."""
    true = ring(2)
    rig = []
    for camera in true:
        pose = camera.cam_from_world.copy()
        pose[:3, 3] *= larger
        rig.append(replace(camera, cam_from_world=pose))
    people = match_people(_views(true, walkers(1, seconds=1.0), noise_px=2.0), rig)
    assert [sum(pose is not None for pose in one) for one in people] == ([2] if larger == 1 else [1, 1])


def test_few_joints_invent_nobody():
    """Catches frames that are judged one by one, and a camera's names forgotten, where 7 of 10 joints are missing."""
    cameras = ring(2)
    truth = _views(cameras, walkers(3, seconds=2.0, apart_m=0.5), noise_px=8.0, missing=0.7)
    assert len(match_people(truth, cameras)) == 3


def test_a_find_that_lasts_a_moment_is_nobody():
    """Catches chairs that are people for a few frames."""
    cameras = ring(3)
    truth = _views(cameras, walkers(2, seconds=1.5), noise_px=2.0)
    moment = np.isin(np.arange(45), range(10, 13))
    given = [truth[0][:1], [truth[1][0], _without(truth[1][1], ~moment)], truth[2][:1]]
    assert len(match_people(given, cameras)) == 1


def test_nobody_anywhere():
    """Catches a crash on videos without people."""
    assert match_people([[], [], []], ring(3)) == ()
    empty = Pose2D(xy_px=np.full((5, 17, 2), np.nan), confidence=np.zeros((5, 17)), fps=30, skeleton=COCO_17)
    assert match_people([[empty], []], ring(2)) == ()


def test_what_does_not_go_together_is_refused():
    """Catches unsynchronised videos and a forgotten camera."""
    cameras = ring(2)
    truth = _views(cameras, walkers(1, seconds=1.0))
    other = _views(cameras, walkers(1, seconds=0.5))
    with pytest.raises(InputError, match="synchronise first"):
        match_people([truth[0], other[1]], cameras)
    with pytest.raises(InputError, match="per camera"):
        match_people(truth[:1], cameras)
