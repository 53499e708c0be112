from __future__ import annotations

import csv
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from bodies import motion_file

from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.lifter_weights import load_weights
from mocap3d.lift.temporal import run_lifter
from mocap3d.train import lifter
from mocap3d.train.lifter import LifterSettings, lifter_loss, train_lifter
from mocap3d.train.lifter_data import ExampleSettings, MotionBank
from mocap3d.train.lifter_eval import MeanPose, held_out_views, measure
from mocap3d.train.noise import NoiseSettings
from mocap3d.train.virtual_cameras import CameraSettings

SMALL = LifterSettings(
    subjects=("01",), held_out=("02",), minutes=None, steps=6, channels=16, examples=ExampleSettings(clips=8)
)


@pytest.fixture
def data(tmp_path):
    return motion_file(tmp_path / "m.h5")


def test_a_training_that_was_stopped_equals_one_that_was_not(data, tmp_path, monkeypatch):
    """Catches a resume that forgets the optimiser, the average, the place in the schedule or in the examples."""
    whole = train_lifter(data, SMALL, tmp_path / "whole", workers=0)
    monkeypatch.setattr(lifter, "_REPORT_S", 0.0)  # a checkpoint after every step

    def stop(row):
        if row["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lifter(data, SMALL, tmp_path / "parts", workers=0, progress=stop)
    assert not (tmp_path / "parts" / "lifter.npz").exists()
    parts = train_lifter(data, SMALL, tmp_path / "parts", resume=True, workers=0)
    for name, array in load_weights(whole).arrays.items():
        np.testing.assert_array_equal(load_weights(parts).arrays[name], array, err_msg=name)


def test_training_learns(data, tmp_path):
    """Catches a loss that does not reach the weights, truth that does not follow the input, and a broken export."""
    noise = NoiseSettings(level=(0.01, 0.02), lost=0, hidden=0, outlier=0, swapped=0, cut_off=0)
    cameras = CameraSettings(roll_rad=0.1, any_roll=0)
    examples = ExampleSettings(clips=16, mixed_upper=0, mixed_arms=0, noise=noise, cameras=cameras)
    settings = replace(
        SMALL, steps=400, channels=64, learning_rate=3e-3, warm_up=20, average=0.9, velocity=0, examples=examples
    )
    bank = MotionBank.read(data, frozenset({"02"}))
    views = held_out_views(bank, 30, None, cameras=2)
    weights = load_weights(train_lifter(data, settings, tmp_path / "run", workers=0))
    measured = measure(views, lambda features: run_lifter(weights, features))
    constant_m, _ = MeanPose.of(views).errors_m(np.concatenate([view.truth_m for view in views]))
    assert measured["mpjpe_m"] < 0.7 * constant_m
    assert weights.meta.trained["steps"] == 400
    assert weights.meta.std_m[0] == 0.005


def test_the_log_says_how_it_went(data, tmp_path):
    """Catches a training that cannot be followed, or that reports nothing at its end."""
    rows = []
    train_lifter(data, SMALL, tmp_path / "run", workers=0, progress=rows.append)
    with (tmp_path / "run" / "log.csv").open() as file:
        logged = list(csv.DictReader(file))
    assert [int(row["step"]) for row in logged] == [row["step"] for row in rows] == [6]
    assert float(logged[0]["held_out_mpjpe_mm"]) > 0
    assert float(logged[0]["steps_per_s"]) > 0


def test_runs_are_not_overwritten_or_mixed(data, tmp_path):
    """Catches an hour of training lost to a second start, or continued with other settings."""
    with pytest.raises(InputError, match="to resume"):
        train_lifter(data, SMALL, tmp_path / "run", resume=True, workers=0)
    train_lifter(data, SMALL, tmp_path / "run", workers=0)
    with pytest.raises(InputError, match="holds a run already"):
        train_lifter(data, SMALL, tmp_path / "run", workers=0)
    with pytest.raises(InputError, match="other settings"):
        train_lifter(data, replace(SMALL, seed=1), tmp_path / "run", resume=True, workers=0)


def test_reserved_people_are_refused():
    """Catches learning from the people that acceptance measures on, or measuring on those that were learned from."""
    for subjects, held_out in ((("01", "09"), ("02",)), (("01",), ("02", "135"))):
        with pytest.raises(InputError, match="reserved"):
            LifterSettings(subjects=subjects, held_out=held_out)
    with pytest.raises(InputError, match="05"):
        LifterSettings(subjects=("01", "05"), held_out=("05",))
    assert LifterSettings.from_plain(asdict(SMALL)) == SMALL


def test_the_loss_by_hand():
    """Catches a root that is counted, squared distances, and a velocity between clips instead of frames."""
    truth = torch.zeros(1, 2, 3, 3)
    predicted = truth.clone()
    predicted[0, :, 1] = torch.tensor([0.3, 0.4, 0.0])  # one joint of two is 0.5 off, and does not move
    assert float(lifter_loss(predicted, truth, velocity=1.0)) == pytest.approx(0.25)
    predicted[0, 0, 1] = 0  # now it jumps by 0.5
    assert float(lifter_loss(predicted, truth, velocity=0.0)) == pytest.approx(0.125)
    assert float(lifter_loss(predicted, truth, velocity=1.0)) == pytest.approx(0.125 + 0.25)


def test_held_out_views_are_fixed(data):
    """Catches figures that change from run to run because cameras or noise do."""
    bank = MotionBank.read(data, frozenset({"02"}))
    first, second = (held_out_views(bank, 30, NoiseSettings(), cameras=3) for _ in range(2))
    assert len(first) == 3
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.features, b.features)
        assert a.features.shape == (90, 52)  # 3 s at 30 fps
        assert a.truth_m.shape == (90, 20, 3)


def test_a_perfect_lifter_measures_zero(data):
    """Catches truth and prediction of different frames, and errors in another unit."""
    views = held_out_views(MotionBank.read(data, frozenset({"02"})), 30, None, cameras=2)
    answers = {id(view.features): view.truth_m for view in views}
    measured = measure(views, lambda features: answers[id(features)])
    assert measured["mpjpe_m"] == 0
    off = measure(views, lambda features: answers[id(features)] + np.float32(0.1))
    assert off["mpjpe_m"] == pytest.approx(0.1 * 3**0.5, rel=1e-4)
    assert off["std_m"][5] == pytest.approx(0.1, rel=1e-4)
    assert off["p_mpjpe_m"] == pytest.approx(0, abs=1e-6)


def test_the_mean_pose_is_the_best_constant(data):
    """Catches a baseline that is easy to beat: a pose that is none, or one that is not even laid onto the truth."""
    views = held_out_views(MotionBank.read(data, frozenset({"02"})), 30, None, cameras=4)
    truth = np.concatenate([view.truth_m for view in views])
    mpjpe_m, p_mpjpe_m = MeanPose.of(views).errors_m(truth)
    for frame in (0, 100, 200):
        other = MeanPose(seen_m=truth[frame], shape_m=truth[frame])
        assert mpjpe_m < other.errors_m(truth)[0]
        assert p_mpjpe_m < other.errors_m(truth)[1]
    assert p_mpjpe_m < 0.12  # a walker is rarely far from its mean
    wrists = [LIFTER_20.index("left_wrist"), LIFTER_20.index("right_wrist"), LIFTER_20.index("neck")]
    assert MeanPose.of(views).errors_m(truth, wrists) != (mpjpe_m, p_mpjpe_m)
