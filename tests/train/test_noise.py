from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17
from mocap3d.train.noise import STD_M, NoiseSettings, simulate_detector

QUIET = {"lost": 0.0, "hidden": 0.0, "outlier": 0.0, "swapped": 0.0, "cut_off": 0.0, "occluded": 0.0}
SURE = {"confidence_std": (0.0, 0.0)}
AT = {name: j for j, name in enumerate(COCO_17.joint_names)}


def detected(settings, seed=0, batch=400, frames=35, size=0.25, fps=30):
    """A detector on points that are all at the origin."""
    xy = np.zeros((batch, frames, 17, 2), np.float32)
    hidden = np.zeros((batch, frames, 17), bool)
    rng = np.random.default_rng(seed)
    return simulate_detector(rng, xy, np.full((batch, frames), size, np.float32), hidden, settings, fps)


def test_errors_have_the_stated_size_at_the_person():
    """Catches noise in pixels or rays, which would be worse for people far away."""
    xy, confidence = detected(NoiseSettings(level=(1, 1.0001), bias=0, **QUIET, **SURE))
    np.testing.assert_allclose(xy.std(axis=(0, 1, 3)) / 0.25, STD_M, rtol=0.05)
    assert (confidence > 0).all()
    assert (confidence < 1).all()


def test_errors_have_the_stated_course_in_time():
    """Catches white noise, which a temporal network averages away and real detectors do not make, and a lost bias."""
    settings = {"level": (1, 1.0001), "slow_s": (0.2, 0.2001), "white": 0.3} | QUIET | SURE
    xy, _ = detected(NoiseSettings(bias=0, **settings), batch=600)
    unit = xy.astype(float) / 0.25 / STD_M[:, None]
    for lag in (1, 3, 9):
        together = (unit[:, lag:] * unit[:, :-lag]).mean()
        assert together == pytest.approx(0.7 * np.exp(-lag / 30 / 0.2), abs=0.02)
    xy, _ = detected(NoiseSettings(bias=2.0, **settings), batch=600)
    unit = xy.astype(float) / 0.25 / STD_M[:, None]
    assert unit.std() == pytest.approx(np.sqrt(1 + 2.0**2), rel=0.03)


def test_time_passes_alike_at_any_frame_rate():
    """Catches noise that is faster, shorter and more frequent at 60 frames/s than at 30."""
    settings = {"level": (1, 1.0001), "slow_s": (0.2, 0.2001), "white": 0.0} | QUIET | SURE
    xy, _ = detected(NoiseSettings(bias=0, **settings), batch=600, frames=70, fps=60)
    unit = xy.astype(float) / 0.25 / STD_M[:, None]
    assert (unit[:, 12:] * unit[:, :-12]).mean() == pytest.approx(np.exp(-1), abs=0.02)
    lost = {"lost": 0.3, "lost_frames": 12.0, "filled": 0.0}
    shares, begins = [], []
    for fps, frames in ((30, 60), (60, 120)):
        xy, _ = detected(NoiseSettings(**settings | lost), batch=600, frames=frames, fps=fps)
        gone = np.isnan(xy[..., 0])
        shares.append(gone.mean())
        begins.append((gone[:, 1:] & ~gone[:, :-1]).sum())
    assert shares[1] == pytest.approx(shares[0], rel=0.05)
    assert begins[1] == pytest.approx(begins[0], rel=0.05)


def test_joints_in_doubt_lie_farther_off():
    """Catches an error that does not follow from the confidence, or the wrong way."""
    xy, confidence = detected(NoiseSettings(level=(1, 1.0001), bias=0, doubt=3.0, **QUIET, filled=0))
    wrist = AT["left_wrist"]
    size = np.abs(xy[..., wrist, 0]).ravel() / 0.25 / STD_M[wrist]
    usual = NoiseSettings().confidence[5]
    for middle in (0.5, 0.65, 0.8):
        near = np.abs(confidence[..., wrist].ravel() - middle) < 0.02
        assert 1.4826 * np.median(size[near]) == pytest.approx(np.exp(3.0 * (usual - middle)), rel=0.1)


def test_faces_turned_away_are_doubted():
    """Catches a lifter that cannot learn front from back by the face's confidence."""
    xy = np.zeros((200, 35, 17, 2), np.float32)
    away = np.zeros((200, 35, 17), bool)
    away[..., AT["left_ear"]] = True
    rng = np.random.default_rng(0)
    _, confidence = simulate_detector(rng, xy, np.ones((200, 35), np.float32), away, NoiseSettings(**QUIET))
    less = np.median(confidence[..., AT["right_ear"]]) - np.median(confidence[..., AT["left_ear"]])
    assert less == pytest.approx(NoiseSettings().turned_away / 2, abs=0.02)


def test_an_object_hides_what_is_behind_it():
    """Catches objects that hide joints all over the body: those in doubt at one time fit into one rectangle."""
    rng = np.random.default_rng(1)
    batch, side = 300, 0.25
    xy = np.repeat(rng.uniform(-0.9, 0.9, (batch, 1, 17, 2)), 40, axis=1).astype(np.float32) * side
    settings = NoiseSettings(**QUIET | {"occluded": 1.0}, **SURE, filled=0, unsure=(0.6, 0.65))
    size = np.full((batch, 40), side, np.float32)
    _, confidence = simulate_detector(rng, xy, size, np.zeros((batch, 40, 17), bool), settings)
    doubted = confidence < 0.3
    times = doubted.any(axis=2)
    assert 0.3 < times.mean() < 0.95  # for a while, not always
    widest = 0
    for clip in np.flatnonzero(times.any(axis=1)):
        behind = doubted[clip].any(axis=0)
        np.testing.assert_array_equal(doubted[clip][times[clip]], np.repeat(behind[None], times[clip].sum(), axis=0))
        low, high = xy[clip, 0, behind].min(axis=0), xy[clip, 0, behind].max(axis=0)
        within = ((xy[clip, 0] >= low) & (xy[clip, 0] <= high)).all(axis=1)
        np.testing.assert_array_equal(within, behind)
        widest = max(widest, (high - low).max() / side)
    assert 0.5 < widest <= 1.2


def test_everything_goes_wrong_about_as_often_as_stated():
    """Catches probabilities per frame taken for probabilities per clip."""
    xy, confidence = detected(NoiseSettings(**QUIET | {"lost": 0.15}, **SURE, lost_frames=4, filled=0))
    begins = np.isnan(xy[:, 1:, :, 0]) & ~np.isnan(xy[:, :-1, :, 0])
    assert begins.mean() * 35 == pytest.approx(0.15, rel=0.1)
    assert np.isnan(xy[..., 0]).mean() / begins.mean() == pytest.approx(4, rel=0.1)
    np.testing.assert_array_equal(np.isnan(xy[..., 0]), confidence == 0)
    xy, _ = detected(NoiseSettings(**QUIET | {"outlier": 0.1}, **SURE, outlier_m=1.0))
    assert (np.abs(xy[..., 0]) > 0.06).mean() == pytest.approx(0.1 / 35 * 2 * 0.81, rel=0.15)


def test_old_settings_stay_readable():
    """Catches checkpoints that cannot be resumed: they hold fewer fields, and JSON makes lists of tuples."""
    old = {"level": [0.2, 1.8], "white": 0.3, "bias": 0.6, "lost": 0.15, "hidden": 0.15, "outlier": 0.08}
    old |= {"swapped": 0.08, "cut_off": 0.12, "filled": 0.3}
    assert NoiseSettings(**old).level == (0.2, 1.8)
    now = NoiseSettings(white=0.2)
    assert NoiseSettings(**json.loads(json.dumps(dataclasses.asdict(now)))) == now
    with pytest.raises(InputError, match="std_m must have 9 numbers"):
        NoiseSettings(std_m=(0.01,))


def test_filled_joints_are_finite_without_confidence():
    """Catches lifters that never learned what gap filling leaves behind."""
    xy, confidence = detected(NoiseSettings(**QUIET | {"lost": 0.3}, lost_frames=8, filled=1))
    assert np.isfinite(xy).all()
    assert 0.02 < (confidence == 0).mean() < 0.3


def test_upper_body_shots_have_no_legs():
    """Catches a lifter that only knows whole people."""
    xy, confidence = detected(NoiseSettings(**QUIET | {"cut_off": 1.0}, **SURE, filled=0))
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
    settings = NoiseSettings(level=(1e-6, 2e-6), **QUIET | {"swapped": 0.4}, **SURE)
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
