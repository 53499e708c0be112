from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import InputError
from mocap3d.detect.crops import Crop, crop_around_box, crop_around_joints, letterbox


def frame_with_blob(x: float, y: float, *, w: int = 400, h: int = 300, spread: float = 6.0) -> np.ndarray:
    """A bright Gaussian whose middle is known to a fraction of a pixel."""
    columns, rows = np.meshgrid(np.arange(w), np.arange(h))
    blob = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    return np.repeat(blob[..., None], 3, axis=2).round().astype(np.uint8)


def middle_of(picture: np.ndarray) -> np.ndarray:
    """(x, y): the centre of brightness, pixel by pixel."""
    weight = picture[..., 0].astype(float)
    columns, rows = np.meshgrid(np.arange(weight.shape[1]), np.arange(weight.shape[0]))
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.mark.parametrize("scale", [3.7, 1.0, 0.71, 0.43, 0.31, 0.125, 0.09])
@pytest.mark.parametrize("corner_px", [(-0.5, -0.5), (-50.5, -30.25), (10.13, 3.77)])
def test_what_is_seen_in_the_crop_lies_where_the_frame_has_it(scale, corner_px):
    """Catches half a pixel lost when enlarging, when shrinking, or when averaging before shrinking."""
    x, y, spread = 320.25, 280.6, max(6.0, 2 / scale)
    frame = frame_with_blob(x, y, spread=spread, w=700, h=600)
    size = tuple(round((m - c + 5 * spread) * scale) for m, c in zip((x, y), corner_px, strict=True))
    crop = Crop(corner_px=corner_px, scale=scale, size_wh_px=size)
    np.testing.assert_allclose(crop.to_frame(middle_of(crop.cut(frame))), [x, y], atol=0.05 + 0.02 / scale)


@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(0.02, 20), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_to_crop_undoes_to_frame(left, top, scale, x, y):
    """Catches a mapping that is not its own inverse."""
    crop = Crop(corner_px=(left, top), scale=scale, size_wh_px=(64, 64))
    point = np.array([x, y])
    np.testing.assert_allclose(crop.to_crop(crop.to_frame(point)), point, atol=1e-6)


def test_corners_map_as_the_convention_says():
    """Catches a mapping that is consistent with itself but half a pixel from the convention."""
    crop = Crop(corner_px=(-0.5, -0.5), scale=4.0, size_wh_px=(40, 20))  # a 10 x 5 frame, four times larger
    for x in range(10):
        np.testing.assert_allclose(crop.to_crop(np.array([x, 0.0])), [(x + 0.5) * 4 - 0.5, 1.5])


def test_an_unscaled_crop_is_a_slice():
    """Catches resampling that blurs or shifts where nothing needs to be resampled."""
    frame = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    crop = Crop(corner_px=(9.5, 4.5), scale=1.0, size_wh_px=(20, 30))
    np.testing.assert_array_equal(crop.cut(frame), frame[5:35, 10:30])


def test_outside_the_frame_is_black():
    """Catches the frame's edge smeared into the padding, where the network would see limbs."""
    frame = np.full((40, 40, 3), 200, np.uint8)
    for scale in (1.0, 0.25):
        side = int(120 * scale)
        cut = Crop(corner_px=(-40.5, -40.5), scale=scale, size_wh_px=(side, side)).cut(frame)
        third = side // 3
        assert (cut[: third - 2] == 0).all()
        assert (cut[:, 2 * third + 2 :] == 0).all()
        assert (cut[third + 2 : 2 * third - 2, third + 2 : 2 * third - 2] == 200).all()


def test_shrinking_averages():
    """Catches aliasing: a fine checkerboard must turn gray, not stay black and white."""
    frame = np.indices((512, 512)).sum(axis=0) % 2 * 255
    frame = np.repeat(frame[..., None], 3, axis=2).astype(np.uint8)
    small = Crop(corner_px=(-0.5, -0.5), scale=1 / 8, size_wh_px=(64, 64)).cut(frame)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 3


def test_box_crop_is_square_around_the_middle():
    """Catches a crop that cuts off the ends of a lying or a standing person."""
    for box in ([10.0, 20.0, 50.0, 220.0], [10.0, 20.0, 210.0, 60.0]):
        crop = crop_around_box(np.array(box), 256)
        corners = crop.to_frame(np.array([[-0.5, -0.5], [255.5, 255.5]]))
        np.testing.assert_allclose(corners.mean(axis=0), np.array(box).reshape(2, 2).mean(axis=0))
        np.testing.assert_allclose(corners[1] - corners[0], 1.25 * 200)


def test_joints_crop_holds_every_seen_joint_and_ignores_the_rest():
    """Catches one wild, unsure joint that blows up the crop."""
    rng = np.random.default_rng(1)
    xy_px, confidence = rng.uniform(100, 300, (17, 2)), np.full(17, 0.9)
    xy_px[9], confidence[9] = (5000.0, 5000.0), 0.05
    crop = crop_around_joints(xy_px, confidence, 256)
    inside = crop.to_crop(np.delete(xy_px, 9, axis=0))
    assert (inside > 0).all()
    assert (inside < 255).all()
    assert crop.scale > 0.3


def test_joints_crop_of_a_point_stays_finite():
    """Catches a division by zero when all joints fall on one pixel."""
    crop = crop_around_joints(np.full((17, 2), 7.0), np.zeros(17), 256)
    assert np.isfinite(crop.scale)


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (3, 3), (10_000, 1), (33, 500)])
def test_letterbox_shows_the_whole_frame(size):
    """Catches a lost strip at the right or bottom, and sides that the network cannot take."""
    crop = letterbox(size, 256)
    assert max(crop.size_wh_px) == 256
    assert all(side % 32 == 0 for side in crop.size_wh_px)
    last = crop.to_crop(np.array(size) - 0.5)
    np.testing.assert_array_less(last, np.array(crop.size_wh_px) - 0.5 + 1e-6)


def test_refuses_impossible_crops():
    """Catches a NaN from lost joints reaching OpenCV."""
    with pytest.raises(InputError, match="finite"):
        Crop(corner_px=(np.nan, 0.0), scale=1.0, size_wh_px=(8, 8))
    with pytest.raises(InputError, match="scale"):
        Crop(corner_px=(0.0, 0.0), scale=0.0, size_wh_px=(8, 8))
    with pytest.raises(InputError, match="32"):
        letterbox((100, 100), 100)
