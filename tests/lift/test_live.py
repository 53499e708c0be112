from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from lifters import random_lifter

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17
from mocap3d.lift.encoding import encode
from mocap3d.lift.live import LiveLifter, RunningEncoder
from mocap3d.lift.monocular import lift_everything
from mocap3d.lift.screen_encoding import encode_screen

CAMERA = Camera.from_fov("front", (1280, 720), 60)


def pose2d(frames=40, fps=Fraction(30)):
    """Points that wander smoothly through the picture, some of them out of sight for a while."""
    rng = np.random.default_rng(0)
    t = np.arange(frames)[:, None, None] / float(fps)
    xy_px = rng.uniform([400, 100], [800, 600], (17, 2)) + 20 * np.sin(2 * t + np.arange(17)[:, None])
    confidence = np.full((frames, 17), 0.8)
    xy_px[5:9, 3:8], confidence[5:9, 3:8] = np.nan, 0
    xy_px[20:22], confidence[20:22] = np.nan, 0
    return Pose2D(xy_px=xy_px, confidence=confidence, fps=fps, skeleton=COCO_17)


def live(pose, lifter, times_s=None):
    times_s = [None] * len(pose) if times_s is None else times_s
    found = []
    for xy_px, confidence, time_s in zip(pose.xy_px, pose.confidence, times_s, strict=True):
        found += lifter.push(xy_px, confidence, time_s)
    return found


def assert_same(frames, whole):
    """Frames one by one against a clip."""
    for name in ("xyz_m", "confidence", "std_m", "views"):
        found = np.concatenate([getattr(frame.lifted.body, name) for frame in frames])
        np.testing.assert_allclose(found, getattr(whole.body, name), atol=1e-5)
    for name in ("root_m", "root_std_m", "contacts"):
        if getattr(whole, name) is None:
            assert all(getattr(frame.lifted, name) is None for frame in frames)
        else:
            found = np.concatenate([getattr(frame.lifted, name) for frame in frames])
            np.testing.assert_allclose(found, getattr(whole, name), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("encoding", ["hip-rays-1", "hip-rays-2", "screen-normalised"])
def test_equals_the_whole_clip(causal, extras, encoding):
    """Catches a frame turned back by another frame's camera, and outputs that the live path forgets."""
    weights = random_lifter(causal=causal, encoding=encoding, trajectory=extras, contacts=extras)
    lifter = LiveLifter(CAMERA, weights=weights, height_m=1.9)
    found = live(pose2d(), lifter)
    assert len(found) == (40 if causal else 27)
    assert lifter.delay_s == pytest.approx(0 if causal else 13 / 30)
    found += lifter.flush()
    assert_same(found, lift_everything(pose2d(), CAMERA, weights=weights, height_m=1.9))
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(40) / 30)
    assert_same(
        live(pose2d(), lifter) + lifter.flush(), lift_everything(pose2d(), CAMERA, weights=weights, height_m=1.9)
    )


@pytest.mark.parametrize("skeleton", [COCO_17, HUMAN36M_17])
@pytest.mark.parametrize("encoding", ["hip-rays-1", "hip-rays-2", "screen-normalised"])
@pytest.mark.parametrize("seed", range(6))
def test_encoding_frame_by_frame_equals_the_clip(skeleton, encoding, seed):
    """Catches what must be carried and is not: frames with nothing, one joint (no scale), or only filled-in joints."""
    rng = np.random.default_rng(seed)
    rays = np.concatenate([rng.normal(0, 0.3, (60, 17, 2)), np.ones((60, 17, 1))], axis=-1)
    confidence = rng.uniform(0.1, 1, (60, 17)) * (rng.random((60, 17)) < 0.7)
    rays[rng.random((60, 17)) < rng.choice([0, 0.5, 0.95, 1], 60)[:, None]] = np.nan
    only = rng.random(60) < 0.2
    rays[only, 1:] = np.nan
    rays[: seed % 3] = np.nan
    confidence[np.isnan(rays).any(axis=-1)] = 0
    encoder = RunningEncoder(random_lifter(encoding=encoding, input_skeleton=skeleton.name).meta)
    found = [encoder.push(*frame) for frame in zip(rays, confidence, strict=True)]
    on_screen = encoding == "screen-normalised"
    whole = encode_screen(rays, confidence, skeleton) if on_screen else encode(rays, confidence, skeleton, encoding)
    for name in ("features", "virtual_from_cam", "scale"):
        np.testing.assert_allclose(
            np.concatenate([getattr(one, name) for one in found]), getattr(whole, name), atol=1e-12
        )


def test_another_frame_rate_is_resampled_as_it_comes():
    """Catches 60 pictures a second taken for 30: the same ticks as from the whole clip, resampled."""
    weights = random_lifter(causal=True)
    fast = pose2d(79, Fraction(60))
    found = live(fast, LiveLifter(CAMERA, weights=weights), 5 + np.arange(79) / 60)
    every_second = replace(fast, xy_px=fast.xy_px[::2], confidence=fast.confidence[::2], fps=Fraction(30))
    assert_same(found, lift_everything(every_second, CAMERA, weights=weights))
    np.testing.assert_allclose([frame.time_s for frame in found], 5 + np.arange(40) / 30)


def test_a_slow_camera_fills_ticks_between_its_pictures():
    """Catches a network that runs at half its rate: pictures every 1/15 s, all on straight lines."""
    weights = random_lifter(causal=True)
    full = pose2d(21)
    xy_px = full.xy_px[:1] + np.arange(21)[:, None, None] * np.random.default_rng(1).normal(0, 1, (17, 2))
    full = replace(full, xy_px=xy_px, confidence=np.full((21, 17), 0.8))
    slow = replace(full, xy_px=xy_px[::2], confidence=full.confidence[::2])
    lifter = LiveLifter(CAMERA, weights=weights)
    counts = [len(lifter.push(slow.xy_px[n], slow.confidence[n], n / 15)) for n in range(11)]
    assert counts == [1] + [2] * 10
    lifter.reset()
    assert_same(live(slow, lifter, np.arange(11) / 15), lift_everything(full, CAMERA, weights=weights))


def test_a_pause_begins_a_new_shot():
    """Catches minutes filled tick by tick when somebody closed the laptop, and results lost before the pause."""
    weights = random_lifter()
    times_s = np.concatenate([np.arange(20) / 30, 3600 + np.arange(20) / 30])
    lifter, pose = LiveLifter(CAMERA, weights=weights), pose2d()
    found = live(pose, lifter, times_s) + lifter.flush()
    np.testing.assert_allclose([frame.time_s for frame in found], times_s, atol=1e-6)
    for part in (slice(0, 20), slice(20, 40)):
        shot = replace(pose, xy_px=pose.xy_px[part], confidence=pose.confidence[part])
        assert_same(found[part], lift_everything(shot, CAMERA, weights=weights))


@pytest.mark.parametrize("time_s", [1.0, 0.5, float("nan"), float("inf")])
def test_time_must_go_on(time_s):
    """Catches pictures in the wrong order, which would be interpolated backwards."""
    lifter, pose = LiveLifter(CAMERA, weights=random_lifter()), pose2d()
    lifter.push(pose.xy_px[0], pose.confidence[0], 1.0)
    with pytest.raises(InputError, match="after the last one"):
        lifter.push(pose.xy_px[1], pose.confidence[1], time_s)


def test_what_makes_no_sense_is_refused():
    """Catches joints of another skeleton that broadcast, and a body of no size."""
    with pytest.raises(InputError, match="xy_px"):
        LiveLifter(CAMERA, weights=random_lifter()).push(np.zeros((16, 2)), np.zeros(16))
    with pytest.raises(InputError, match="height_m"):
        LiveLifter(CAMERA, weights=random_lifter(), height_m=0)
