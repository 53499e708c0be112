from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.detect import DetectorSettings, PeopleDetector
from mocap3d.detect.people import _distinct, _Person

PICTURES = Path(__file__).parent / "pictures"


@pytest.fixture(scope="module")
def two_people() -> np.ndarray:
    """640 x 360: a woman walks on the grass, a man stands on a roof."""
    return np.ascontiguousarray(cv2.imread(str(PICTURES / "two_people.jpg"))[..., ::-1])


MAN, WOMAN = 0, 1
BOXES = {MAN: (200, 15, 262, 168), WOMAN: (380, 180, 432, 340)}  # left, top, right, bottom, read off the picture


def inside(xy_px: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    """Whether all joints lie in a box."""
    left, top, right, bottom = box
    return bool(((xy_px > [left, top]) & (xy_px < [right, bottom])).all())


def person_of_each_box(people) -> list[list[int]]:
    """Per box, the detections that lie in it."""
    return [[n for n in range(len(people)) if inside(people.xy_px[n], box)] for box in BOXES.values()]


def test_finds_everybody_once(two_people):
    """Catches a missed person, a person found twice, and joints in pixels of the crop."""
    people = PeopleDetector(fps=30)(two_people)
    assert len(people) == 2
    assert [len(found) for found in person_of_each_box(people)] == [1, 1]
    assert people.xy_px.shape == (2, 17, 2)
    assert people.confidence.shape == (2, 17)
    assert (people.score > 0.5).all()


def test_follows_while_the_picture_moves(two_people):
    """Catches crops that stay behind: the frame shifts by 6 px a frame and nobody is searched for again."""
    detector = PeopleDetector(fps=30, settings=DetectorSettings(search_every_s=100))
    start = detector(two_people)
    for step in range(1, 8):
        shift = np.float32([[1, 0, 6 * step], [0, 1, -2 * step]])
        people = detector(cv2.warpAffine(two_people, shift, (640, 360), borderMode=cv2.BORDER_REPLICATE))
    assert len(people) == 2
    sure = (start.confidence > 0.5) & (people.confidence > 0.5)
    moved = (people.xy_px - start.xy_px)[sure]
    np.testing.assert_allclose(np.median(moved, axis=0), [42, -14], atol=1.5)


def test_same_frames_same_answer(two_people):
    """Catches state that survives reset() and answers that depend on timing."""
    detector = PeopleDetector(fps=30)
    first = [detector(two_people) for _ in range(3)]
    detector.reset()
    again = [detector(two_people) for _ in range(3)]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.xy_px, b.xy_px)
        np.testing.assert_array_equal(a.confidence, b.confidence)


def test_somebody_who_left_is_let_go(two_people):
    """Catches a ghost that is followed over the background."""
    detector = PeopleDetector(fps=30)
    assert len(detector(two_people)) == 2
    empty = two_people.copy()
    left, top, right, bottom = BOXES[WOMAN]
    empty[top - 10 : bottom + 10, left - 20 : right + 20] = 90
    for _ in range(3):
        people = detector(empty)
    assert [len(found) for found in person_of_each_box(people)] == [1, 0]


def test_somebody_who_comes_is_found_in_time(two_people):
    """Catches a detector that stops searching while it follows somebody."""
    detector = PeopleDetector(fps=10, settings=DetectorSettings(search_every_s=0.3))
    alone = two_people.copy()
    left, top, right, bottom = BOXES[WOMAN]
    alone[top - 10 : bottom + 10, left - 20 : right + 20] = 90
    assert len(detector(alone)) == 1
    counts = [len(detector(two_people)) for _ in range(3)]
    assert counts[-1] == 2


def test_max_people(two_people):
    """Catches a limit that is checked before the search but not after it."""
    detector = PeopleDetector(fps=30, settings=DetectorSettings(max_people=1))
    assert len(detector(two_people)) == 1
    assert len(detector(two_people)) == 1


@pytest.mark.parametrize("size", [(3, 3), (1, 1), (2, 900), (240, 320)])
def test_nobody_in_view(size):
    """Catches a crash on tiny, thin or empty pictures."""
    people = PeopleDetector(fps=25)(np.full((*size, 3), 127, np.uint8))
    assert len(people) == 0
    assert people.xy_px.shape == (0, 17, 2)
    assert people.confidence.shape == (0, 17)


def test_gray_frames_are_refused():
    """Catches a gray video that would be read as garbage."""
    with pytest.raises(InputError, match="RGB"):
        PeopleDetector(fps=25)(np.zeros((100, 100), np.uint8))


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": "movenet_multipose"},
        {"network": "x"},
        {"max_people": 0},
        {"search_every_s": float("nan")},
        {"search_side_px": 250},
    ],
)
def test_refuses_impossible_settings(wrong):
    """Catches a setting that only fails hours into a batch."""
    with pytest.raises(InputError):
        DetectorSettings(**wrong)


def test_of_two_that_are_one_the_better_stays():
    """Catches two followers that walk on with the same person after a crossing."""
    rng = np.random.default_rng(0)
    xy_px = rng.uniform(0, 200, (17, 2))
    worse = _Person(xy_px + 2, np.full(17, 0.5))
    better = _Person(xy_px, np.full(17, 0.8))
    other = _Person(xy_px + 300, np.full(17, 0.3))
    assert _distinct([worse, other, better]) == [other, better]


def test_one_wild_joint_does_not_make_neighbours_the_same_person():
    """Catches people who stand side by side merged because an unsure wrist, far away, makes one of them huge."""
    rng = np.random.default_rng(0)
    xy_px, confidence = rng.uniform(0, 100, (17, 2)), np.full(17, 0.8)
    wild_px, unsure = xy_px + [60, 0], confidence.copy()
    wild_px[9], unsure[9] = (3000.0, 3000.0), 0.05
    assert len(_distinct([_Person(xy_px, confidence), _Person(wild_px, unsure)])) == 2
