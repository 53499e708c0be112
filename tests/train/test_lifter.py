from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
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

DISTURBED = small_training(steps=8, dropout=0.2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return motion_file(tmp_path_factory.mktemp("data") / "m.h5")


def losses(run):
    """Step and loss of each row of a log, as they were written."""
    with (run / "log.csv").open() as file:
        return [(row["step"], row["loss_mm"]) for row in csv.DictReader(file)]


def assert_same_weights(a, b):
    for name, array in load_weights(a).arrays.items():
        np.testing.assert_array_equal(load_weights(b).arrays[name], array, err_msg=name)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A training that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_lifter(data, DISTURBED, folder, workers=0, report_every=2)
    return folder


KILLED = """
import os, signal, sys; sys.path[:0] = {paths!r}
from bodies import small_training
from mocap3d.train import lifter
take_step = lifter.take_step
def step_or_die(run, pool):
    if run.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    take_step(run, pool)
lifter.take_step = step_or_die
lifter.train_lifter({data!r}, small_training(steps=8, dropout=0.2), {run!r}, workers=0, report_every=2)
"""


def test_a_training_that_was_killed_equals_one_that_was_not(data, whole, tmp_path):
    """Catches a resume that forgets optimiser, average, statistics, or the place in schedule or pool: kill -9."""
    script = KILLED.format(paths=sys.path, data=str(data), run=str(tmp_path / "killed"))
    done = subprocess.run([sys.executable, "-c", script], check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    assert [step for step, _ in losses(tmp_path / "killed")] == ["2", "4"]
    assert not (tmp_path / "killed" / "lifter.npz").exists()
    train_lifter(data, DISTURBED, tmp_path / "killed", resume=True, workers=0, report_every=2)
    assert losses(tmp_path / "killed") == losses(whole)
    assert [step for step, _ in losses(whole)] == ["2", "4", "6", "8"]
    assert_same_weights(whole / "lifter.npz", tmp_path / "killed" / "lifter.npz")


def test_ctrl_c_ends_the_step_and_saves(data, whole, tmp_path, monkeypatch):
    """Catches minutes lost to Ctrl-C, a step left half done, and a loss that is reported without what came before."""
    take_step = lifter.take_step

    def step_and_interrupt(run, pool):
        if run.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        take_step(run, pool)

    monkeypatch.setattr(lifter, "take_step", step_and_interrupt)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_lifter(data, DISTURBED, tmp_path / "parts", workers=0, report_every=2)
    assert signal.getsignal(signal.SIGINT) is before
    assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == 5
    monkeypatch.undo()
    train_lifter(data, DISTURBED, tmp_path / "parts", resume=True, workers=0, report_every=2)
    assert losses(tmp_path / "parts") == losses(whole)
    assert_same_weights(whole / "lifter.npz", tmp_path / "parts" / "lifter.npz")


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
    assert measured["mpjpe_m"] < 0.7 * constant_m
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
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")


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
