"""Cuts and moving cameras, on real frames whose cuts and motion the test itself makes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mocap3d import examples
from mocap3d.base.errors import InputError
from mocap3d.base.shot import Shot
from mocap3d.cameras.shots import ShotDetector, find_shots
from mocap3d.cameras.video import open_video


@pytest.fixture(scope="module")
def walk():
    """The pictures of the demo clip."""
    return list(open_video(examples.path()))


@pytest.fixture(scope="module")
def other(shared_data):
    """Pictures of another scene."""
    return list(open_video(shared_data / "multiview_pose2sim" / "videos" / "cam03.mp4", stop=30))


def _limits(shots):
    return [(shot.start, shot.stop) for shot in shots]


def test_the_demo_clip_is_one_shot(walk):
    """Catches a person's walk taken for a moving camera, and a flicker of the sun (frames 110 to 125) for a cut."""
    (shot,) = find_shots(walk)
    assert (shot.start, shot.stop, shot.camera_moves) == (0, 126, False)
    assert shot.moved_px < 1


@pytest.mark.parametrize("name", ["cam01", "cam02", "cam03", "cam04"])
def test_real_still_cameras(shared_data, name):
    """Catches a person who fills the picture taken for the background."""
    video = open_video(shared_data / "multiview_pose2sim" / "videos" / f"{name}.mp4")
    (shot,) = find_shots(video)
    assert (shot.start, shot.stop, shot.camera_moves) == (0, 100, False)


def test_a_person_close_to_the_camera(walk):
    """Catches the nearest mover, over half of the picture, taken for the scene."""
    close = [picture[60:500, 620:950] for picture in walk[45:85]]  # she is 430 of these 440 rows tall
    (shot,) = find_shots(close)
    assert not shot.camera_moves


@pytest.mark.parametrize("at", [1, 2, 40, 79])
def test_a_cut_to_another_scene(walk, other, at):
    """Catches a cut found one frame late, or not in the first or last frame."""
    first = [cv2.resize(picture, (608, 1080)) for picture in walk[:at]]
    second = [cv2.resize(picture, (608, 1080)) for picture in other]
    assert _limits(find_shots(first + second)) == [(0, at), (at, at + 30)]


def test_a_cut_to_the_mirrored_scene(walk):
    """Catches a comparison of colours or histograms, which mirroring leaves as they are."""
    mirrored = [picture[:, ::-1] for picture in walk[40:60]]
    shots = find_shots(walk[:40] + mirrored + walk[60:80])
    assert _limits(shots) == [(0, 40), (40, 60), (60, 80)]
    assert not any(shot.camera_moves for shot in shots)


def test_feed_says_at_which_frame_a_shot_begins(walk):
    """Catches a detector that followed a person across a cut because it heard of the cut too late."""
    detector = ShotDetector()
    said = [detector.feed(picture) for picture in walk[:5] + [p[::-1] for p in walk[5:10]]]
    assert said == [False] * 5 + [True] + [False] * 4
    assert _limits(detector.finish()) == [(0, 5), (5, 10)]


@pytest.mark.parametrize(("dx", "dy"), [(4, 0), (-4, 0), (0, 1), (0.5, 0), (40, 0)])
def test_a_panning_camera(walk, dx, dy):
    """Catches a slow pan lost in the tolerance between neighbours, a fast one taken for cuts, and a wrong extent."""
    count = 15 if abs(dx) == 40 else 60
    x0 = 250 if dx < 0 else 10
    places = [(round(x0 + dx * i), round(10 + dy * i)) for i in range(count)]
    pictures = [picture[y : y + 400, x : x + 900] for picture, (x, y) in zip(walk, places, strict=False)]
    (shot,) = find_shots(pictures)
    moved = np.hypot(*(np.array(places) - places[0]).T)
    assert shot.moved_px == pytest.approx(moved[-3:].min(), rel=0.03, abs=1)
    first = int(np.argmax(moved > 0.005 * 900))
    assert shot.moves_from is not None
    assert abs(shot.moves_from - first) <= 1


def test_a_zoom_and_a_shaking_hand(walk):
    """Catches motion measured only as a shift of the centre, which a zoom does not have, or as a mean over time."""
    zoomed = []
    for i, picture in enumerate(walk[:40]):
        height, width = (round(n / 1.004**i) for n in picture.shape[:2])
        y, x = (536 - height) // 2, (1552 - width) // 2
        zoomed.append(cv2.resize(picture[y : y + height, x : x + width], (1552, 536)))
    steps = np.random.default_rng(5).integers(-14, 15, (40, 2)) + 20
    shaken = [picture[y : y + 480, x : x + 1400] for picture, (x, y) in zip(walk, steps, strict=False)]
    for pictures in (zoomed, shaken):
        (shot,) = find_shots(pictures)
        assert shot.camera_moves


def test_a_caption_does_not_hold_the_camera_still(walk):
    """Catches a logo or a time code, which never moves, taken for the background of a panning camera."""
    panned = [picture[:400, 5 * i :][:, :900].copy() for i, picture in enumerate(walk[:40])]
    for picture in panned:
        cv2.putText(picture, "REC 12:34:56 mocap", (20, 380), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 5)
    (shot,) = find_shots(panned)
    assert shot.camera_moves
    assert shot.moved_px == pytest.approx(5 * 39, rel=0.1)


def test_a_pan_that_ends_far_away(walk):
    """Catches a camera that loses its first picture and then counts as standing still."""
    wide = [picture[100:500, min(9 * i, 1050) :][:, :500] for i, picture in enumerate(walk)]
    (shot,) = find_shots(wide)
    assert shot.moved_px == pytest.approx(1050, rel=0.1)


def test_light_is_no_cut(walk):
    """Catches exposure that jumps, and a slow fade to black, taken for a cut or for a moving camera."""
    jump = [picture if i < 20 else (picture * 0.55).astype(np.uint8) for i, picture in enumerate(walk[:40])]
    fade = [(picture * (1 - i / 39)).astype(np.uint8) for i, picture in enumerate(walk[:40])]
    for pictures in (jump, fade):
        shots = find_shots(pictures)
        assert [(shot.start, shot.stop, shot.camera_moves) for shot in shots] == [(0, 40, False)]


def test_a_flash_is_taken_back(walk):
    """Catches a photographer's flash that tears a shot into three."""
    pictures = [*walk[:20], np.full_like(walk[0], 255), *walk[21:40]]
    assert _limits(find_shots(pictures)) == [(0, 40)]


@pytest.mark.parametrize("size", [(3, 3), (1, 50), (40, 40), (2000, 2)])
def test_pictures_without_content(size):
    """Catches crashes on tiny or plain pictures, where there is nothing to compare."""
    width, height = size
    pictures = [np.full((height, width, 3), 60 + i, dtype=np.uint8) for i in range(5)]
    assert _limits(find_shots(pictures)) == [(0, 5)]
    noise = list(np.random.default_rng(0).integers(0, 255, (4, height, width, 3), dtype=np.uint8))
    find_shots(noise)


def test_no_pictures():
    """Catches a shot without frames."""
    assert find_shots([]) == ()


def test_a_shot_holds_frames():
    """Catches an empty shot, and a motion that begins outside of it."""
    assert len(Shot(start=3, stop=7)) == 4
    with pytest.raises(InputError, match="start < stop"):
        Shot(start=3, stop=3)
    with pytest.raises(InputError, match="moves_from"):
        Shot(start=3, stop=7, moves_from=7)
