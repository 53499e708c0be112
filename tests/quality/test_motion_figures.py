"""Figures of animation on movements whose figures can be worked out by hand."""

from fractions import Fraction

import numpy as np
import pytest

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.quality.motion_figures import (
    above_support_m,
    bone_lengths_m,
    deepest_m,
    jerks_m_per_s3,
    log_dimensionless_jerks,
    reprojection_errors,
    skate_speeds_m_per_s,
)

RATES = [Fraction(12), Fraction(30), Fraction(30000, 1001), Fraction(60), Fraction(120)]
each_rate = pytest.mark.parametrize("fps", RATES, ids=str)


@each_rate
def test_a_foot_that_slides_at_37_mm_per_second(fps):
    """Catches speeds per frame, vertical movement that counts, and swinging feet that count."""
    t = np.arange(40) / float(fps)
    points = np.zeros((40, 4, 3))
    points[:, 1] = np.stack([0.022 * t, 0.5 * t, 0.7 - 0.037 * t * np.sqrt(1 - (22 / 37) ** 2)], axis=-1)
    points[:, 2, 0] = 3.0 * t
    contacts = np.zeros((40, 4))
    contacts[:, 1] = 0.5
    speeds = skate_speeds_m_per_s(points, contacts, fps)
    assert np.abs(1000 * speeds - 37.0).max() < 1e-9
    assert len(speeds) == 40 - max(1, round(fps / 30))


def test_steps_out_of_a_contact_do_not_count():
    """Catches the frame of landing or of take-off, in which a foot has the speed of its swing."""
    points = np.zeros((9, 4, 3))
    points[:, 0, 2] = [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 4.0, 5.0]
    contacts = np.zeros((9, 4))
    contacts[2:6, 0] = 1.0
    assert np.array_equal(skate_speeds_m_per_s(points, contacts, 30), [0.0, 0.0, 0.0])
    assert len(skate_speeds_m_per_s(points, contacts, 120)) == 0  # four frames of it are less than 1/30 s
    points[3, 0] = np.nan
    assert len(skate_speeds_m_per_s(points, contacts, 30)) == 1
    assert len(skate_speeds_m_per_s(points[:1], contacts[:1], 30)) == 0
    with pytest.raises(InputError):
        skate_speeds_m_per_s(points, contacts[:5], 30)


def test_depth_below_and_height_above_the_support():
    """Catches depths that cancel heights, one support for all feet, and standing points that count as hovering."""
    points = np.zeros((3, 4, 3))
    points[:, :, 1] = [[0.01, -0.004, 0.0, 0.3], [0.52, 0.5, 0.49, 0.2], [0.0, 0.0, 0.0, 0.0]]
    support = np.zeros((3, 4))
    support[1, :3] = 0.5
    assert np.allclose(deepest_m(points, support), [0.004, 0.01, 0.0])
    assert np.allclose(deepest_m(points, 0.0), [0.004, 0.0, 0.0])
    contacts = np.zeros((3, 4))
    contacts[0, :2], contacts[1, :3] = 1.0, 0.7
    assert np.allclose(sorted(above_support_m(points, support, contacts)), [0.0, 0.0, 0.0, 0.01, 0.02])
    points[0, 1] = np.nan
    assert np.allclose(deepest_m(points, 0.0), [0.0, 0.0, 0.0])


def test_lengths_of_bones():
    """Catches bones taken from the list's neighbour instead of the parent."""
    xyz_m = np.array([[[0, 0, 0], [3, 4, 0], [0, 0, 2], [3, 4, 12]]], dtype=float)
    assert np.array_equal(bone_lengths_m(xyz_m, (-1, 0, 0, 1)), [[5.0, 2.0, 12.0]])
    assert np.array_equal(bone_lengths_m(xyz_m, (-1, 0, 0, 1), [0, 3]), [[12.0]])


@each_rate
def test_the_jerk_of_a_cubic(fps):
    """Catches frames for seconds, a second or fourth difference, and a step that is not divided by."""
    t = np.arange(50)[:, None, None] / float(fps)
    cubic = np.array([1.0, -2.0, 0.5]) * t**3 + 3 * t**2 - t + 0.2
    expected = 6 * np.linalg.norm([1.0, -2.0, 0.5])
    found = jerks_m_per_s3(np.concatenate([cubic, 2 * cubic, 0 * cubic], axis=1), fps)
    assert np.allclose(found, [expected, 2 * expected, 0.0], rtol=1e-6, atol=1e-6)


def test_the_jerk_of_trembling_does_not_depend_on_the_rate():
    """Catches a derivative over single frames, which at 120 frames per second is 64 times as large as at 30."""
    a_mm_up_and_down = 0.001 * (-1.0) ** np.arange(60)[:, None, None] * [0.0, 1.0, 0.0]
    assert np.allclose(jerks_m_per_s3(a_mm_up_and_down, 30), 216.0)
    slow = np.repeat(a_mm_up_and_down, 4, axis=0)
    assert np.allclose(jerks_m_per_s3(slow, 120), 216.0)
    assert jerks_m_per_s3(slow[:12], 120).shape == (0, 1)


@pytest.mark.parametrize(("length_m", "lasting_s"), [(0.4, 1.0), (0.02, 1.0), (0.4, 2.5)])
def test_the_smoothest_reach_there_is(length_m, lasting_s):
    """Catches a measure that depends on size or speed: this reach has 720 A²/D⁵ and a top speed of 1.875 A/D."""
    fps = 120
    t = np.arange(round(3 * lasting_s * fps) + 1) / fps
    s = np.clip(t / lasting_s - 1.0, 0.0, 1.0)  # rests, reaches, rests
    way = length_m * (10 * s**3 - 15 * s**4 + 6 * s**5)
    still = np.zeros_like(way)
    xyz_m = np.stack([np.stack([way, 0 * way, 0.1 + 0 * way], axis=-1), np.stack([still] * 3, axis=-1)], axis=1)
    found = log_dimensionless_jerks(xyz_m, fps)
    assert found[0] == pytest.approx(-np.log(3**3 * 720 / 1.875**2), abs=0.12)
    assert np.isnan(found[1])


def test_a_trembling_reach_is_less_smooth():
    """Catches the sign: larger is smoother."""
    t = np.arange(90) / 30
    way = np.sin(2 * t)
    tremble = way + 0.003 * np.random.default_rng(0).normal(size=90)
    smooth, rough = log_dimensionless_jerks(np.stack([way, tremble], axis=1)[..., None] * [1.0, 0.0, 0.0], 30)
    assert smooth > rough + 1.0
    assert np.isnan(log_dimensionless_jerks(np.zeros((3, 2, 3)), 30)).all()


def test_reprojection_in_pixels_and_at_the_depth_of_the_joint():
    """Catches the error in one for that in the other, joints behind the camera, and unseen ones that count."""
    K = np.array([[800.0, 0, 320], [0, 800.0, 240], [0, 0, 1]])
    cam_from_world = np.diag([1.0, -1.0, -1.0, 1.0])  # looks along -z
    cam_from_world[2, 3] = 4.0
    camera = Camera(name="a", size_wh_px=(640, 480), K=K, cam_from_world=cam_from_world)
    world_m = np.array([[[0.0, 0, 0], [0.5, 0.25, 2.0], [0, 0, 9.0], [0, 0, 0]]])  # 4 m and 2 m away, behind, unseen
    seen_px = np.array([[[323.0, 244.0], [520.0, 140.0], [320.0, 240.0], [0.0, 0.0]]])
    off_px, off_m = reprojection_errors(camera, world_m, seen_px, [[1.0, 0.2, 1.0, 0.0]])
    assert np.allclose(off_px, [5.0, 0.0])
    assert np.allclose(off_m, [5.0 * 4 / 800, 0.0])
    with pytest.raises(InputError, match="same frames"):
        reprojection_errors(camera, world_m, seen_px[:, :2], [[1.0, 1.0]])
