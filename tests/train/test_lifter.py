from __future__ import annotations

import csv
from dataclasses import asdict, replace

import numpy as np
import pytest
from bodies import motion_file, small_training

from mocap3d.base.errors import InputError
from mocap3d.lift.lifter_weights import load_weights
from mocap3d.lift.temporal import run_lifter
from mocap3d.train import lifter
from mocap3d.train.lifter import LifterSettings, train_lifter
from mocap3d.train.lifter_data import ExampleSettings, MotionBank
from mocap3d.train.lifter_eval import MeanPose, held_out_views, measure
from mocap3d.train.noise import NoiseSettings
from mocap3d.train.virtual_cameras import CameraSettings


@pytest.fixture
def data(tmp_path):
    return motion_file(tmp_path / "m.h5")


def test_a_training_that_was_stopped_equals_one_that_was_not(data, tmp_path, monkeypatch):
    """Catches a resume that forgets the optimiser, the average, the place in the schedule or in the pool."""
    settings = small_training(dropout=0.2)
    whole = train_lifter(data, settings, tmp_path / "whole", workers=0)
    monkeypatch.setattr(lifter, "_REPORT_S", 0.0)  # a checkpoint after every step

    def stop(row):
        if row["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lifter(data, settings, tmp_path / "parts", workers=0, progress=stop)
    assert not (tmp_path / "parts" / "lifter.npz").exists()
    parts = train_lifter(data, settings, tmp_path / "parts", resume=True, workers=0)
    for name, array in load_weights(whole).arrays.items():
        np.testing.assert_array_equal(load_weights(parts).arrays[name], array, err_msg=name)


def test_training_learns(data, tmp_path):
    """Catches a loss that does not reach the weights, truth that does not follow the input, and a broken export."""
    noise = NoiseSettings(level=(0.01, 0.02), lost=0, hidden=0, outlier=0, swapped=0, cut_off=0)
    cameras = CameraSettings(roll_rad=0.1, any_roll=0)
    examples = ExampleSettings(mixed_upper=0, mixed_arms=0, dropped=0, noise=noise, cameras=cameras)
    settings = small_training(
        steps=250, channels=64, batch=128, learning_rate=3e-3, warm_up=20, average=0.9, pool_steps=60, examples=examples
    )
    views = held_out_views(MotionBank.read(data, frozenset({"02"})), replace(examples, noise=None), cameras=2)
    weights = load_weights(train_lifter(data, settings, tmp_path / "run", workers=0))
    measured = measure(views, lambda features: run_lifter(weights, features))
    constant_m, _ = MeanPose.of(views).errors_m(np.concatenate([view.truth_m for view in views]))
    assert measured["mpjpe_m"] < 0.6 * constant_m
    assert measured["distance_error"] < 0.15
    assert measured["contact_accuracy"] > 0.75
    assert weights.meta.trained["steps"] == 250
    assert weights.meta.std_m[0] == 0.005


def test_the_log_says_how_it_went(data, tmp_path):
    """Catches a training that cannot be followed, or that reports nothing at its end."""
    rows = []
    train_lifter(data, small_training(), tmp_path / "run", workers=0, progress=rows.append)
    with (tmp_path / "run" / "log.csv").open() as file:
        logged = list(csv.DictReader(file))
    assert [int(row["step"]) for row in logged] == [row["step"] for row in rows] == [6]
    assert float(logged[0]["held_out_mpjpe_mm"]) > 0
    assert float(logged[0]["steps_per_s"]) > 0


def test_runs_are_not_overwritten_or_mixed(data, tmp_path):
    """Catches an hour of training lost to a second start, or continued with other settings."""
    with pytest.raises(InputError, match="to resume"):
        train_lifter(data, small_training(), tmp_path / "run", resume=True, workers=0)
    train_lifter(data, small_training(), tmp_path / "run", workers=0)
    with pytest.raises(InputError, match="holds a run already"):
        train_lifter(data, small_training(), tmp_path / "run", workers=0)
    with pytest.raises(InputError, match="other settings"):
        train_lifter(data, small_training(seed=1), tmp_path / "run", resume=True, workers=0)


def test_reserved_people_are_refused():
    """Catches learning from the people that acceptance measures on, or measuring on those that were learned from."""
    for subjects, held_out in ((("01", "09"), ("02",)), (("01",), ("02", "135"))):
        with pytest.raises(InputError, match="reserved"):
            LifterSettings(subjects=subjects, held_out=held_out)
    with pytest.raises(InputError, match="05"):
        LifterSettings(subjects=("01", "05"), held_out=("05",))
    assert LifterSettings.from_plain(asdict(small_training())) == small_training()
