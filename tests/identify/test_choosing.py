"""Which person is wanted."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17
from mocap3d.identify.choosing import choose
from mocap3d.identify.track import Track


@pytest.fixture
def tracks(person):
    """Two people: 1 all the time, 2 in frames 4 to 7."""
    made = []
    for number, (first, last) in enumerate([(0, 9), (4, 7)], start=1):
        xy_px, confidence = np.full((10, 17, 2), np.nan), np.zeros((10, 17))
        xy_px[first : last + 1], confidence[first : last + 1] = person(0, 300, 100, 300 / number), 0.7
        pose2d = Pose2D(xy_px=xy_px, confidence=confidence, fps=Fraction(30), skeleton=COCO_17)
        made.append(Track(person=number, first=first, last=last, pose2d=pose2d))
    return made


def test_choices(tracks):
    """Catches people counted from 0 here and from 1 there."""
    assert choose(tracks) == choose(tracks, 1) == (tracks[0],)
    assert choose(tracks, 2) == (tracks[1],)
    assert choose(tracks, "all") == tuple(tracks)
    assert choose([], 1) == ()


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_person_who_is_not_there(tracks, number):
    """Catches an index error, or the last person for -1, instead of a list of who there is."""
    with pytest.raises(InputError, match=r"there are 1 \(frames 0 to 9, about \d+ px tall\); 2 \(frames 4 to 7, about"):
        choose(tracks, number)


@pytest.mark.parametrize("number", ["2", 1.0, True])
def test_what_is_no_number(tracks, number):
    """Catches True taken for person 1."""
    with pytest.raises(InputError, match="must be a number"):
        choose(tracks, number)


def test_a_track_lies_in_its_shot(tracks):
    """Catches frame numbers of the video where those of the shot are meant."""
    with pytest.raises(InputError, match="first <= last"):
        Track(person=1, first=3, last=10, pose2d=tracks[0].pose2d)


def test_prominence_is_seconds_times_height(tracks):
    """Catches time in frames, which would let the frame rate decide."""
    assert tracks[0].prominence == pytest.approx(10 / 30 * tracks[0].height_px)
    assert tracks[0].height_px == pytest.approx(300, rel=0.1)
