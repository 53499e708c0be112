from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from bodies import motion_file, walking
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.train import lifter_eval
from mocap3d.train.lifter_data import ExampleSettings, MotionBank, observe
from mocap3d.train.lifter_eval import MeanPose, held_out_views, measure

EXACT = ExampleSettings(noise=None)


@pytest.fixture
def bank(tmp_path):
    return MotionBank.read(motion_file(tmp_path / "m.h5"), frozenset({"02"}))


def perfect(views):
    """A lifter that knows the answers: (T, 65) out of the truth (T, 64)."""

    def lift(features):
        truth = next(view.truth for view in views if view.features is features)
        contacts = np.where(truth[:, 60:] > 0.5, 9.0, -9.0)
        return np.concatenate([truth[:, :60], np.zeros_like(truth[:, :1]), contacts], axis=1)

    return lift


def test_held_out_views_are_fixed(bank):
    """Catches figures that change from run to run because cameras, noise or dropped points do."""
    first, second = (held_out_views(bank, ExampleSettings(dropped=1.0), cameras=3) for _ in range(2))
    assert len(first) == 3
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.features, b.features)
        assert a.features.shape == (90, 69)  # 3 s at 30 fps
        assert a.truth_m.shape == (90, 20, 3)
        assert a.name == "02/02_01"
    exact = held_out_views(bank, replace(EXACT, dropped=1.0), cameras=3)
    assert (exact[0].features[:, 2:51:3] > 0).all()


def on_a_line(tmp_path, fps, frames=101):
    """A bank whose one body glides along x at 3 m/s, turning nowhere."""
    xyz_m = np.repeat(walking(1), frames, axis=0)
    xyz_m[..., 0] += 3 * np.arange(frames, dtype=np.float32)[:, None] / fps
    with MotionWriter(tmp_path / "line.h5") as writer:
        writer.add(MotionSequence.seen("02", "02_01", xyz_m, Fraction(fps), LIFTER_20, "CC0-1.0"))
    return MotionBank.read(tmp_path / "line.h5", frozenset({"02"}))


@pytest.mark.parametrize(("fps", "seen"), [(120, 26), (50, 61), (100, 31), (25, 121)])
def test_motion_of_other_rates_moves_evenly(tmp_path, monkeypatch, fps, seen):
    """Catches the nearest frame in place of what is between two: a body that stands and jumps by turns."""
    looked_at = []
    monkeypatch.setattr(
        lifter_eval, "observe", lambda rng, bodies, *rest: looked_at.append(bodies) or observe(rng, bodies, *rest)
    )
    bank = on_a_line(tmp_path, fps)
    held_out_views(bank, EXACT, cameras=2)
    joints_m = looked_at[0].joints_m
    assert joints_m.shape == (2, seen, 20, 3)
    np.testing.assert_allclose(np.diff(joints_m[0, :, 0, 0]), 0.1, atol=1e-4)
    if fps == 120:
        np.testing.assert_array_equal(joints_m[1], bank.xyz_m[::4])


def test_a_perfect_lifter_measures_zero(bank):
    """Catches truth and prediction of different frames, and errors in another unit."""
    views = held_out_views(bank, EXACT, cameras=2)
    measured = measure(views, perfect(views))
    assert measured["mpjpe_m"] == 0
    assert measured["distance_error"] == pytest.approx(0, abs=1e-6)
    assert measured["contact_accuracy"] == 1
    off = measure(views, lambda features: perfect(views)(features) + np.float32(0.1))
    assert off["mpjpe_m"] == pytest.approx(0.1 * 3**0.5 * 19 / 20, rel=1e-4)
    assert off["mpjpe_by_joint_m"]["left_wrist"] == pytest.approx(0.1 * 3**0.5, rel=1e-4)
    assert off["std_m"][5] == pytest.approx(0.1, rel=1e-4)
    assert off["distance_error"] == pytest.approx(np.expm1(0.1), rel=1e-3)


def test_errors_of_the_distance_are_compared_with_what_is_said_of_them(bank):
    """Catches a correction that makes a boastful lifter more boastful: errors are Gaussian, of thrice that size."""
    views = held_out_views(bank, EXACT, cameras=2)
    rng = np.random.default_rng(0)

    def boastful(features, boast=0):
        outputs = perfect(views)(features)
        said = np.float32(0.01)
        outputs[:, 59] += 3 * said * rng.standard_normal(len(outputs)).astype(np.float32)
        outputs[:, 60] = np.log(said) - boast
        return outputs

    assert measure(views, boastful)["distance_std_ratio"] == pytest.approx(3, rel=0.15)
    beyond = measure(views, lambda features: boastful(features, 90))  # as it is read: no less than exp(-6)
    assert beyond["distance_std_ratio"] == pytest.approx(0.03 * np.exp(6), rel=0.15)


def test_contacts_that_are_wrong_are_counted(bank):
    """Catches an accuracy that is 1 whatever comes out."""
    views = held_out_views(bank, EXACT, cameras=2)

    def upside_down(features):
        outputs = perfect(views)(features)
        outputs[:, 61] *= -1  # the left heel
        return outputs

    assert measure(views, upside_down)["contact_accuracy"] == pytest.approx(0.75)


def test_a_lifter_that_only_says_joints_is_measured_too(bank):
    """Catches a benchmark that stops at a lifter without trajectory and contacts."""
    views = held_out_views(bank, EXACT, cameras=1)
    measured = measure(views, lambda features: perfect(views)(features)[:, :57])
    assert measured["mpjpe_m"] == 0
    assert np.isnan([measured["distance_error"], measured["contact_accuracy"]]).all()


def test_the_mean_pose_is_the_best_constant(bank):
    """Catches a baseline that is easy to beat: a pose that is none, or one that is not even laid onto the truth."""
    views = held_out_views(bank, EXACT, cameras=4)
    truth = np.concatenate([view.truth_m for view in views])
    mpjpe_m, p_mpjpe_m = MeanPose.of(views).errors_m(truth)
    for frame in (0, 100, 200):
        other = MeanPose(seen_m=truth[frame], shape_m=truth[frame])
        assert mpjpe_m < other.errors_m(truth)[0]
        assert p_mpjpe_m < other.errors_m(truth)[1]
    assert p_mpjpe_m < 0.12  # a walker is rarely far from its mean
    wrists = [LIFTER_20.index("left_wrist"), LIFTER_20.index("right_wrist"), LIFTER_20.index("neck")]
    assert MeanPose.of(views).errors_m(truth, wrists) != (mpjpe_m, p_mpjpe_m)
