"""Offsets told by calibrated cameras: which step it was, and the part of a frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from rigs_of_cameras import BROWN, looking, ring, seen_by, walkers
from scipy.ndimage import gaussian_filter1d

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.cameras.sync import sync_motion, sync_rays

FINE_HZ = 240.0


def filmed(cameras, xyz_m, start_s, seconds, fps=30, **errors) -> list[Pose2D]:
    """What cameras that start at different times see of joints (T, J, 3) at FINE_HZ."""
    poses = []
    for c, (camera, start) in enumerate(zip(cameras, start_s, strict=True)):
        at = (np.arange(int(seconds * fps)) / fps + start) * FINE_HZ
        before = at.astype(int)
        part = (at - before)[:, None, None]
        moments = xyz_m[before] * (1 - part) + xyz_m[before + 1] * part
        poses += seen_by([camera], moments, seed=c, fps=Fraction(fps), **errors)
    return poses


def walker(seconds: float, n: int = 0) -> np.ndarray:
    return walkers(n + 1, seconds=seconds, fps=FINE_HZ)[n]


@pytest.mark.parametrize(("fps", "count"), [(30, 2), (30, 4), (60, 3)])
def test_finds_a_tenth_of_a_frame(fps: int, count: int) -> None:
    """Catches delays with the wrong sign, of half the size, or as noisy as those from motion alone."""
    cameras, start_s = ring(count, lens=BROWN), np.array([0.05, 0.0, 0.083, 0.03])[:count]
    for person in (walker(6.0), walker(6.0, 1)):
        found = sync_rays([filmed(cameras, person, start_s, 5.0, fps, noise_px=3.0)], cameras)
        off = found.offsets_s - (start_s - start_s[0])
        assert np.abs(off).max() * fps < 0.15
        assert np.sqrt((off[1:] ** 2).mean()) * fps < 0.1
        assert (np.abs(off[1:]) < 3.5 * found.std_s[1:]).all()
        assert found.confidence.min() > 0.9


def test_a_calibration_that_is_off_moves_no_clock() -> None:
    """Catches rays that are made to meet by waiting: a turned camera, a wrong crop, joints that are seen askew."""
    cameras, start_s = ring(4), np.array([0.0, 0.02, 0.04, 0.01])
    seen = filmed(cameras, walker(6.0), start_s, 5.0, noise_px=3.0)
    askew = np.random.default_rng(3).normal(0, 4.0, (4, 17, 2))
    seen = [replace(pose, xy_px=pose.xy_px + off) for pose, off in zip(seen, askew, strict=True)]
    wrong = [turned(cameras[0], 1.0), shifted(cameras[1], 15.0), *cameras[2:]]
    found = sync_rays([seen], wrong)
    assert np.abs(found.offsets_s - start_s).max() * 30 < 0.25
    assert found.confidence.min() > 0.9


def turned(camera: Camera, degrees: float) -> Camera:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pose = np.eye(4)
    pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    return replace(camera, cam_from_world=pose @ camera.cam_from_world)


def shifted(camera: Camera, px: float) -> Camera:
    K = camera.K.copy()
    K[:2, 2] += px
    return replace(camera, K=K)


def test_says_when_it_cannot_tell() -> None:
    """Catches confidence beyond reach, in who stands still, and made-up zeros for a camera that sees nobody."""
    cameras = ring(3)
    far = sync_rays([filmed(cameras, walker(6.0), (0.0, 0.3, 0.0), 4.0, noise_px=2.0)], cameras)
    assert far.confidence[1] == 0
    assert far.confidence[2] > 0.5
    still = np.repeat(walker(0.1)[:1], int(6 * FINE_HZ), axis=0)
    assert sync_rays([filmed(cameras, still, (0, 0, 0), 4.0, noise_px=2.0)], cameras).confidence[1:].max() < 0.5
    poses = filmed(cameras, walker(4.0), (0.0, 0.0, 0.02), 3.0, noise_px=2.0)
    lost = sync_rays([[None, *poses[1:]]], cameras)
    assert np.isnan(lost.offsets_s[0])
    assert lost.offsets_s[2] == pytest.approx(0.02, abs=0.01)
    nothing = sync_rays([[poses[0], None, None]], cameras)
    assert np.isnan(nothing.offsets_s[1:]).all()
    with pytest.raises(InputError, match="at least 2 cameras"):
        sync_rays([[poses[0]]], cameras[:1])


def test_cameras_tell_the_steps_of_an_even_gait_apart() -> None:
    """Catches another step taken for this one: from motion alone a straight, even walk fits every two steps."""
    cameras, start_s = ring(3, lens=BROWN), (0.0, 0.3, 0.1)
    seen = [[pose] for pose in filmed(cameras, walker(6.5), start_s, 5.0, noise_px=2.0)]
    alone, known = sync_motion(seen), sync_motion(seen, cameras=cameras)
    assert not (alone.confidence >= 0.5).all()
    np.testing.assert_allclose(known.offsets_s, start_s, atol=0.004)
    assert known.confidence.min() > 0.9
    with pytest.raises(InputError, match="as many cameras"):
        sync_motion(seen, cameras=cameras[:2])


@pytest.mark.parametrize("people", [2, 3])
def test_people_who_walk_in_step(people: int) -> None:
    """Catches one person taken for another who moves alike, and each measured by a size of their own."""
    start_s = (0.0, 0.3)
    views = [filmed(ring(2), walker(6.0, n), start_s, 5.0, noise_px=2.0) for n in range(people)]
    found = sync_motion([[one[0] for one in views], [one[1] for one in views[::-1]]])
    assert found.offsets_s[1] == pytest.approx(0.3, abs=0.004)
    assert found.confidence[1] > 0.9


def test_on_a_treadmill_nothing_is_sure() -> None:
    """Catches one of many equal answers being given as the only one."""
    walk = walker(6.0)
    walk = walk - gaussian_filter1d(walk[:, 11:13].mean(axis=1), FINE_HZ, axis=0, mode="nearest")[:, None] * [1, 0, 1]
    found = sync_motion([[pose] for pose in filmed(ring(2), walk[240:-240], (0.0, 1.2), 2.6, noise_px=2.0)])
    assert found.confidence[1] < 0.5 or abs(found.offsets_s[1] - 1.2) < 0.02


def test_faces_do_not_tell_the_time() -> None:
    """Catches offsets that follow a face that is made up, as networks do from behind."""
    cameras = [looking("a", (0, 1.6, 4.5), (0, 1, 0)), looking("b", (0.5, 1.6, -4.5), (0, 1, 0))]
    person = walker(6.0) + 0.1 * gaussian_filter1d(np.random.default_rng(0).normal(0, 40, (1440, 17, 3)), 40, axis=0)
    seen = filmed(cameras, person, (0.0, 0.2), 5.0, noise_px=2.0)
    lies = gaussian_filter1d(np.random.default_rng(1).normal(0, 60, (150, 5, 2)), 4, axis=0)
    xy_px = seen[1].xy_px.copy()
    xy_px[:, :5] += lies
    plain, lied = (sync_motion([[seen[0]], [one]]) for one in (seen[1], replace(seen[1], xy_px=xy_px)))
    assert lied.offsets_s[1] == pytest.approx(plain.offsets_s[1], abs=1e-4)
    assert lied.offsets_s[1] == pytest.approx(0.2, abs=0.01)
