"""Cut and scaled pictures: a point is where it was, minus what was cut off."""

from __future__ import annotations

import numpy as np
import pytest
from rigs_of_cameras import BROWN, looking, pixels

from mocap3d.base.errors import InputError
from mocap3d.cameras.crop import bars_px, bordered, cropped, crops_that_fit, scaled

CAMERA = looking("a", (0, 1, 4), (0, 1, 0), lens=BROWN, size_wh_px=(1088, 1920))
POINTS = np.random.default_rng(0).uniform([-0.5, 0.5, -0.5], [0.5, 1.5, 0.5], (20, 3))


def test_a_crop_shifts_pixels():
    """Catches an offset with the wrong sign, and a middle that is off by half."""
    part = cropped(CAMERA, (1080, 1900), (5, 12))
    assert part.size_wh_px == (1080, 1900)
    np.testing.assert_allclose(pixels(part, POINTS), pixels(CAMERA, POINTS) - [5, 12])
    np.testing.assert_allclose(pixels(cropped(CAMERA, (1080, 1920)), POINTS), pixels(CAMERA, POINTS) - [4, 0])


def test_scaling_keeps_the_corner_of_the_picture():
    """Catches (0, 0) taken for the corner of a pixel."""
    half = scaled(CAMERA, (544, 960))
    np.testing.assert_allclose(pixels(half, POINTS), (pixels(CAMERA, POINTS) + 0.5) * 0.5 - 0.5)
    assert scaled(CAMERA, (363, 640)).size_wh_px == (363, 640)  # rounded


def test_the_crops_that_a_video_may_have():
    """Catches a usual crop that is not tried, and one of the wrong size."""
    found = dict(crops_that_fit(CAMERA, (1080, 1920)))
    assert list(found) == ["left cut off", "cut on both sides", "right cut off", "scaled, with black bars"]
    shifts = {word: float(CAMERA.K[0, 2] - found[word].K[0, 2]) for word in list(found)[:3]}
    assert shifts == {"left cut off": 8, "cut on both sides": 4, "right cut off": 0}
    assert all(camera.size_wh_px == (1080, 1920) for camera in found.values())
    assert list(dict(crops_that_fit(CAMERA, (1088, 1920)))) == ["as calibrated"]
    assert list(dict(crops_that_fit(CAMERA, (544, 960))))[-1] == "scaled"
    assert len(dict(crops_that_fit(CAMERA, (1000, 1900)))) == 11
    larger = dict(crops_that_fit(CAMERA, (1920, 1080)))
    assert [camera.size_wh_px for camera in larger.values()] == [(1920, 1080)] * 2


def test_bars_around_a_scaled_picture():
    """Catches a picture that was fitted into another shape taken for a crop: all of it is there, between bars."""
    inner = 1906  # 1080 / 1088 of 1920, rounded
    fitted = bordered(CAMERA, (1080, 1920))
    scale = np.array([1080 / 1088, inner / 1920])
    np.testing.assert_allclose(pixels(fitted, POINTS), (pixels(CAMERA, POINTS) + 0.5) * scale - 0.5 + [0, 7])
    pictures = np.random.default_rng(1).integers(0, 12, (3, 1920, 1080, 3), dtype=np.uint8)  # an encoder's black
    pictures[:, 7:-7, :, 1] += np.random.default_rng(2).integers(0, 200, (3, inner, 1080), dtype=np.uint8)
    bars = bars_px(pictures)
    assert bars == (0, 7, 0, 7)
    assert list(dict(crops_that_fit(CAMERA, (1080, 1920), bars=bars))) == ["scaled, with black bars"]
    without = dict(crops_that_fit(CAMERA, (1080, 1920), bars=bars_px(pictures[:, 7:-7])))
    assert list(without) == ["left cut off", "cut on both sides", "right cut off"]
    assert bars_px([]) == bars_px(np.zeros((2, 40, 30, 3), np.uint8)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cropped(CAMERA, (1089, 1920)), "is not inside the 1088x1920 picture"),
        (lambda: cropped(CAMERA, (1080, 1920), (9, 0)), "is not inside"),
        (lambda: cropped(CAMERA, (0, 1920)), "needs width and height"),
        (lambda: scaled(CAMERA, (960, 544)), "another shape"),
        (lambda: scaled(CAMERA, (0, 0)), "at least 1"),
        (lambda: bordered(CAMERA, (0, 0)), "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    """Catches a picture taken for another's part."""
    with pytest.raises(InputError, match=message):
        make()
