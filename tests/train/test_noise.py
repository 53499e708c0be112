from __future__ import annotations

import numpy as np
import pytest

from mocap3d.base.skeletons import COCO_17
from mocap3d.train.noise import STD_M, NoiseSettings, simulate_detector

QUIET = {"lost": 0.0, "hidden": 0.0, "outlier": 0.0, "swapped": 0.0, "cut_off": 0.0}
AT = {name: j for j, name in enumerate(COCO_17.joint_names)}


def detected(settings, seed=0, batch=400, frames=35, size=0.25):
    """A detector on points that are all at the origin."""
    xy = np.zeros((batch, frames, 17, 2), np.float32)
    hidden = np.zeros((batch, frames, 17), bool)
    rng = np.random.default_rng(seed)
    return simulate_detector(rng, xy, np.full((batch, frames), size, np.float32), hidden, settings)


def test_errors_have_the_stated_size_at_the_person():
    """Catches noise in pixels or rays, which would be worse for people far away."""
    xy, confidence = detected(NoiseSettings(level=(1, 1.0001), bias=0, **QUIET))
    np.testing.assert_allclose(xy.std(axis=(0, 1, 3)) / 0.25, STD_M, rtol=0.05)
    assert (confidence > 0).all()
    assert (confidence < 1).all()


def test_errors_are_slow_and_biased():
    """Catches white noise, which a temporal network averages away at once and real detectors do not make."""
    xy, _ = detected(NoiseSettings(level=(1, 1.0001), **QUIET))
    frames = xy.astype(float)
    together = (frames[:, 1:] * frames[:, :-1]).mean() / (frames**2).mean()
    assert 0.5 < together < 0.95
    assert np.abs(frames.mean(axis=1)).mean() > 0.25 * np.abs(frames).mean()


def test_everything_goes_wrong_about_as_often_as_stated():
    """Catches probabilities per frame taken for probabilities per clip."""
    xy, confidence = detected(NoiseSettings(**QUIET | {"lost": 0.15}, filled=0))
    assert 0.02 < np.isnan(xy[..., 0]).mean() < 0.08  # 0.15 per 35 frames, 11 frames each, cut at the ends
    np.testing.assert_array_equal(np.isnan(xy[..., 0]), confidence == 0)
    xy, _ = detected(NoiseSettings(**QUIET | {"outlier": 0.1}))
    assert 0.002 < (np.abs(xy[..., 0]) > 0.06).mean() < 0.02


def test_filled_joints_are_finite_without_confidence():
    """Catches lifters that never learned what gap filling leaves behind."""
    xy, confidence = detected(NoiseSettings(**QUIET | {"lost": 0.3}, filled=1))
    assert np.isfinite(xy).all()
    assert 0.02 < (confidence == 0).mean() < 0.3


def test_upper_body_shots_have_no_legs():
    """Catches a lifter that only knows whole people."""
    xy, confidence = detected(NoiseSettings(**QUIET | {"cut_off": 1.0}, filled=0))
    lost = np.isnan(xy[..., 0]).all(axis=1)
    assert lost[:, AT["left_ankle"]].mean() == pytest.approx(0.75, abs=0.08)
    assert lost[:, AT["left_hip"]].mean() == pytest.approx(0.40, abs=0.08)
    assert not lost[:, AT["left_shoulder"]].any()
    garbage = ~lost[:, AT["left_knee"]]
    assert confidence[garbage][:, :, AT["left_knee"]].max() < 0.3


def test_sides_are_exchanged_together():
    """Catches a wrist that changes sides without its elbow, and a confidence that stays behind."""
    xy = np.zeros((300, 35, 17, 2), np.float32)
    xy[..., 0] = np.arange(17) * 10
    hidden = np.zeros((300, 35, 17), bool)
    settings = NoiseSettings(level=(1e-6, 2e-6), **QUIET | {"swapped": 0.4})
    seen, _ = simulate_detector(np.random.default_rng(0), xy, np.ones((300, 35), np.float32), hidden, settings)
    who = np.round(seen[..., 0] / 10).astype(int)
    swapped = who[..., AT["left_wrist"]] == AT["right_wrist"]
    assert 0.005 < swapped.mean() < 0.1
    np.testing.assert_array_equal(swapped, who[..., AT["right_elbow"]] == AT["left_elbow"])
    np.testing.assert_array_equal(who[..., :5], np.broadcast_to(np.arange(5), who[..., :5].shape))


def test_the_same_seed_sees_the_same():
    """Catches a generator that is not the one handed in: trainings would not be repeatable."""
    for a, b in zip(detected(NoiseSettings(), 7), detected(NoiseSettings(), 7), strict=True):
        np.testing.assert_array_equal(a, b)
