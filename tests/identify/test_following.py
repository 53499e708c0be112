"""People are followed. The oracle knows who is who, because the test made the frames and shuffled them."""

from __future__ import annotations

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.identify.following import follow

SIZE = (1280, 720)


def _frames(scripts, seconds, fps, found, *, noise=0.01, seed=0, hidden=lambda who, t: False):
    """Shuffled finds of each frame, and for each frame {person of the script: their true joints}."""
    rng = np.random.default_rng(seed)
    frames, truth = [], []
    for i in range(round(seconds * fps)):
        t = i / fps
        here = {who: script(t) for who, script in enumerate(scripts) if not hidden(who, t)}
        truth.append(here)
        joints = list(here.values())
        joints = [xy + rng.normal(0, noise * np.ptp(xy[:, 1]), xy.shape) for xy in joints]
        order = rng.permutation(len(joints))
        frames.append(found([joints[k] for k in order]))
    return frames, truth


def _who(track, truth):
    """For each frame in which a track saw somebody: which person of the script is nearest."""
    return [
        min(here, key=lambda k: np.linalg.norm(here[k] - track.pose2d.xy_px[i], axis=1).mean())
        for i, here in enumerate(truth)
        if track.seen[i]
    ]


@pytest.mark.parametrize("fps", [24, 30, 60, 120])
@pytest.mark.parametrize("seed", range(4))
def test_people_who_cross_in_depth_keep_their_names(person, found, fps, seed):
    """Catches the swap of two people at the moment when one covers the other. The far one is not found then."""
    near = lambda t: person(t, 200 + 260 * t, 200, 420)  # noqa: E731
    far = lambda t: person(t, 1000 - 200 * t, 260, 300, 0.3)  # noqa: E731
    covered = lambda who, t: who == 1 and abs(near(t)[:, 0].mean() - far(t)[:, 0].mean()) < 90  # noqa: E731
    frames, truth = _frames([near, far], 3.5, fps, found, noise=0.02, seed=seed, hidden=covered)
    tracks = follow(frames, fps, SIZE)
    assert len(tracks) == 2
    assert set(_who(tracks[0], truth)) == {0}
    assert set(_who(tracks[1], truth)) == {1}


@pytest.mark.parametrize("seed", range(4))
def test_people_who_cross_and_stay_visible(person, found, seed):
    """Catches pairing by place alone: for some frames the two are closer to each other than their steps are long."""
    scripts = [lambda t: person(t, 300 + 200 * t, 200, 400), lambda t: person(t, 900 - 200 * t, 210, 340, 0.5)]
    frames, truth = _frames(scripts, 3, 30, found, noise=0.015, seed=seed)
    tracks = follow(frames, 30, SIZE)
    assert [set(_who(track, truth)) for track in tracks] == [{0}, {1}]
    assert all(track.seen.all() for track in tracks)


def test_a_short_occlusion_is_bridged(person, found):
    """Catches a second person born behind every tree."""
    frames, _ = _frames([lambda t: person(t, 100 + 250 * t, 200, 400)], 3, 30, found, hidden=lambda _, t: 1 < t < 1.7)
    (track,) = follow(frames, 30, SIZE)
    assert (track.person, track.first, track.last) == (1, 0, 89)
    gap = ~track.seen
    assert gap.sum() == 20
    assert np.isnan(track.pose2d.xy_px[gap]).all()
    assert not track.pose2d.confidence[gap].any()


def test_a_long_absence_makes_a_new_person(person, found):
    """Catches people remembered for ever: whoever comes next would continue their motion."""
    frames, _ = _frames([lambda t: person(t, 600, 200, 400)], 5, 30, found, hidden=lambda _, t: 1 < t < 3)
    assert len(follow(frames, 30, SIZE)) == 2


def test_size_tells_people_apart(person, found):
    """Catches a child who steps out from where an adult vanished, and goes on as the adult."""
    scripts = [lambda t: person(t, 600, 150, 400), lambda t: person(t, 600, 250, 200)]
    frames, truth = _frames(scripts, 2, 30, found, hidden=lambda who, t: (t > 1) if who == 0 else (t < 1.05))
    tracks = follow(frames, 30, SIZE)
    assert [set(_who(track, truth)) for track in tracks] == [{0}, {1}]


def test_who_left_the_picture_is_not_continued_by_who_enters(person, found):
    """Catches one track for a person who walks out at the right and another who walks in a moment later, smaller."""
    scripts = [lambda t: person(t, 1000 + 400 * t, 200, 400), lambda t: person(t, 1500 - 300 * t, 300, 250)]
    frames, truth = _frames(scripts, 3, 30, found, hidden=lambda who, t: (t > 0.6) if who == 0 else (t < 1))
    tracks = follow(frames, 30, SIZE)
    assert sorted(sorted(set(_who(track, truth))) for track in tracks) == [[0], [1]]


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_fast_motion_and_a_somersault(person, found, fps):
    """Catches a reach so short that a jump breaks the track: 6 m/s, and a full turn in 0.6 s."""

    def turning(t):
        pose = person(0, 0, 0, 400) - [0, 200]
        angle = 2 * np.pi * min(max(t - 0.2, 0) / 0.6, 1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return pose @ turn.T + [100 + 6 / 1.7 * 400 * t * 0.7, 350]

    frames, _ = _frames([turning], 1, fps, found)
    (track,) = follow(frames, fps, SIZE)
    assert track.seen.all()


def test_a_flash_of_a_detection_is_nobody(person, found):
    """Catches a person made of two frames of a bush."""
    scripts = [lambda t: person(t, 300, 200, 400), lambda t: person(0, 1000, 300, 200)]
    frames, _ = _frames(scripts, 2, 30, found, hidden=lambda who, t: who == 1 and not 1 < t < 1.1)
    assert len(follow(frames, 30, SIZE)) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_a_video_of_one_frame_has_people(person, found, count):
    """Catches a least duration that no one can reach in a photograph."""
    (track,) = follow([found([person(0, 300, 200, 400)])] * count, 30, SIZE)
    assert len(track.pose2d) == count


def test_order_is_by_time_and_size(person, found):
    """Catches person 1 being whoever was found first, or a tiny figure that is there all the time."""
    scripts = [
        lambda t: person(t, 200, 500, 100),  # small, always there
        lambda t: person(t, 500 + 20 * t, 200, 400),  # large, for two seconds
        lambda t: person(t, 1000, 200, 450),  # larger, for half a second
    ]
    frames, truth = _frames(scripts, 3, 30, found, hidden=lambda who, t: t > (9, 2, 0.5)[who])
    tracks = follow(frames, 30, SIZE)
    assert [_who(track, truth)[0] for track in tracks] == [1, 0, 2]
    assert [track.person for track in tracks] == [1, 2, 3]
    assert tracks[0].height_px == pytest.approx(400, rel=0.12)


def test_joints_without_confidence(person, found):
    """Catches NaN joints, which some detectors write, spreading over the whole body."""
    weight = np.full(17, 0.8)
    weight[[3, 9, 15]] = 0
    frames = []
    for i in range(30):
        xy = person(i / 30, 200 + 8 * i, 200, 400)
        xy[[3, 9]] = np.nan
        frames.append(found([xy], weight))
    (track,) = follow(frames, 30, SIZE)
    assert np.isnan(track.pose2d.xy_px[:, [3, 9, 15]]).all()
    assert np.isfinite(track.pose2d.xy_px[:, [0, 5, 16]]).all()


def test_nobody(found):
    """Catches a crash on an empty video or an empty scene."""
    assert follow([], 30, SIZE) == []
    assert follow([found([])] * 5, 30, SIZE) == []


def test_wrong_shapes_are_refused(found):
    """Catches joints of another skeleton being followed as COCO-17."""
    bad = found([])
    object.__setattr__(bad, "xy_px", np.zeros((1, 15, 2)))
    with pytest.raises(InputError, match=r"frame 0: xy_px must be \(N, 17, 2\)"):
        follow([bad], 30, SIZE)


def test_the_same_frames_give_the_same_tracks(person, found):
    """Catches an order that depends on hashing or on ties."""
    scripts = [lambda t: person(t, 300 + 200 * t, 200, 400), lambda t: person(t, 900 - 200 * t, 200, 400, 0.5)]
    frames, _ = _frames(scripts, 2, 30, found)
    first, second = follow(frames, 30, SIZE), follow(frames, 30, SIZE)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.pose2d.xy_px, b.pose2d.xy_px)
