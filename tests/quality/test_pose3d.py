from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import minimize_scalar
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.quality.pose3d import (
    around_root,
    auc,
    joint_errors_m,
    mpjpe_m,
    mpjve_m,
    n_mpjpe_m,
    p_mpjpe_m,
    pck,
    procrustes_aligned_m,
    scaled_m,
    velocity_errors_m,
)


def bodies(seed=0, shape=(5, 17)):
    return np.random.default_rng(seed).normal(size=(*shape, 3))


# --- around the root --------------------------------------------------------------------------------------------------


def test_both_roots_are_subtracted():
    """Catches a truth that is not around its root, or another joint taken for the root."""
    predicted, truth = around_root(bodies(1) + 7, bodies(1) - 3)
    np.testing.assert_allclose(predicted, truth, atol=1e-12)
    np.testing.assert_array_equal(truth[:, 0], 0)
    np.testing.assert_array_equal(around_root(bodies(), bodies(), root=4)[0][:, 4], 0)


def test_the_root_of_videopose3d_counts():
    """Catches a rule that is a synonym: a root 30 mm beside the origin moves every joint's error."""
    truth = bodies(2)
    predicted = truth - truth[:, :1] + [0.03, 0, 0]
    assert mpjpe_m(*around_root(predicted, truth)) == pytest.approx(0, abs=1e-12)
    assert mpjpe_m(*around_root(predicted, truth, rule="videopose3d")) == pytest.approx(0.03)
    with pytest.raises(InputError, match="subtract, videopose3d"):
        around_root(predicted, truth, rule="hips")


# --- MPJPE ------------------------------------------------------------------------------------------------------------


def test_mpjpe_by_hand():
    """Catches squared distances, a mean over axes, and a root that is left out."""
    truth = np.zeros((1, 2, 3))
    predicted = [[[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]]
    assert mpjpe_m(predicted, truth) == pytest.approx(2.5)
    np.testing.assert_allclose(joint_errors_m(predicted, truth), [[5.0, 0.0]])


def test_joints_without_truth_do_not_count():
    """Catches a NaN that spreads, or a joint nobody knows that counts as an error of 0."""
    truth = np.zeros((1, 2, 3))
    truth[0, 1] = np.nan
    assert mpjpe_m(np.ones((1, 2, 3)), truth) == pytest.approx(np.sqrt(3))


# --- P-MPJPE ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_p_mpjpe_does_not_see_rotation_translation_and_scale(seed, scale):
    """Catches an alignment that leaves one of the three out, or that is shared by all frames."""
    truth = bodies(seed)
    turns = Rotation.random(5, rng=seed).as_matrix()
    moved = scale * truth @ turns + bodies(seed + 1, (5, 1))
    assert p_mpjpe_m(moved, truth) < 1e-9


def test_alignment_never_mirrors():
    """Catches the reflection that makes a body with left and right exchanged look perfect."""
    truth = bodies()
    assert p_mpjpe_m(truth * [-1, 1, 1], truth) > 0.1


def test_alignment_equals_scipy():
    """Catches a scale that minimises something else; SciPy's procrustes aligns the same way after normalising."""
    truth = bodies(3, (17,))
    predicted = truth + 0.1 * bodies(4, (17,))
    _, _, disparity = procrustes(truth, predicted)  # squared error relative to the spread of the truth
    spread = ((truth - truth.mean(0)) ** 2).sum()
    error = ((procrustes_aligned_m(predicted, truth) - truth) ** 2).sum()
    assert error / spread == pytest.approx(disparity, rel=1e-9)


def aligned_by_scipy(predicted, truth):
    """One body: Kabsch by SciPy, which never mirrors, then the scale by its closed form."""
    p, t = predicted - predicted.mean(0), truth - truth.mean(0)
    turned = Rotation.align_vectors(t, p)[0].apply(p)
    return (turned * t).sum() / (turned**2).sum() * turned + truth.mean(0)


@given(st.integers(0, 10**6), st.sets(st.integers(0, 16), max_size=12))
def test_p_mpjpe_equals_scipy_frame_by_frame_without_the_unseen(seed, unseen):
    """Catches an unseen joint that pulls at the alignment, one alignment for all frames, and a mirrored body."""
    truth = bodies(seed)
    predicted = truth * [-0.5, 0.5, 0.5] + 0.2 * bodies(seed + 1)
    seen = [j for j in range(17) if j not in unseen]
    expected = np.mean(
        [
            np.linalg.norm(aligned_by_scipy(p, t) - t, axis=1)
            for p, t in zip(predicted[:, seen], truth[:, seen], strict=True)
        ]
    )
    truth[:, sorted(unseen)[::2]] = np.nan
    predicted[:, sorted(unseen)[1::2]] = np.nan
    assert p_mpjpe_m(predicted, truth) == pytest.approx(expected, rel=1e-6)


def test_bodies_that_leave_the_alignment_open():
    """Catches NaN from a body in one place or on one line, and two joints that are laid onto anything."""
    truth = bodies(5, (2, 17))
    in_one_place = np.ones_like(truth)
    to_the_middle = np.linalg.norm(truth - truth.mean(axis=1, keepdims=True), axis=-1).mean()
    assert p_mpjpe_m(in_one_place, truth) == pytest.approx(to_the_middle)
    on_a_line = np.arange(17)[:, None] * np.array([1.0, 2.0, -1.0])
    assert p_mpjpe_m([-3 * on_a_line + 2], [on_a_line]) < 1e-9  # half a turn
    two_joints = np.full((2, 17, 3), np.nan)
    two_joints[0, :2], two_joints[1] = bodies(6, (2,)), truth[1] + 0.1
    assert p_mpjpe_m(two_joints, truth) < 1e-9  # the second body alone counts
    with pytest.raises(InputError, match="nothing to measure"):
        p_mpjpe_m(two_joints[:1], truth[:1])


# --- N-MPJPE ----------------------------------------------------------------------------------------------------------


def test_n_mpjpe_equals_a_search_for_the_scale():
    """Catches a scale of norms, of means, of the wrong one of the two, or one for all frames."""
    truth, predicted = bodies(7), 0.4 * bodies(7) + 0.2 * bodies(8)

    def error(p, t):
        found = minimize_scalar(lambda s: ((s * p - t) ** 2).sum(), bounds=(-10, 10), method="bounded")
        return np.linalg.norm(found.x * p - t, axis=1).mean()

    expected = np.mean([error(p, t) for p, t in zip(predicted, truth, strict=True)])
    assert n_mpjpe_m(predicted, truth) == pytest.approx(expected, rel=1e-6)


def test_n_mpjpe_by_hand_and_where_there_is_no_scale():
    """Catches unseen joints that pull at the scale, and a division by a body of size zero."""
    truth = [[[2.0, 0, 0], [0, 2.0, 0], [np.nan, 0, 0]]]
    predicted = [[[1.0, 0, 0], [0, 0, 1.0], [100.0, 0, 0]]]  # best scale: 2/2
    assert n_mpjpe_m(predicted, truth) == pytest.approx((1 + np.sqrt(5)) / 2)
    np.testing.assert_array_equal(scaled_m(np.zeros((1, 3, 3)), truth), 0)
    assert n_mpjpe_m(3.0 * bodies(9), bodies(9)) < 1e-12


# --- MPJVE ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [15, 25, 30, Fraction(30000, 1001), 50, 60, 100, 120, 200])
def test_a_steady_drift_is_the_same_at_every_rate(fps):
    """Catches millimetres per frame of the clip's own rate: 0.2 m/s of error are 4 mm in a 50th of a second."""
    t = np.arange(60) / float(fps)
    truth = bodies(10, (60, 17))
    predicted = truth + 0.2 * t[:, None, None] * np.array([0.0, 0.6, 0.8])
    assert mpjve_m(predicted, truth, fps) == pytest.approx(0.004, rel=1e-9)


def test_what_does_not_move_has_no_velocity_error():
    """Catches positions that leak into velocities, and a velocity of the prediction alone."""
    truth = bodies(11, (9, 17))
    assert mpjve_m(truth + [5.0, 0, 0], truth, 50) < 1e-12
    jumps = np.zeros((3, 1, 3))
    jumps[1] = [0.003, 0.004, 0]
    np.testing.assert_allclose(velocity_errors_m(jumps, np.zeros_like(jumps), 50), [[0.005], [0.005]])


@given(
    st.integers(2, 40),
    st.sampled_from([Fraction(24), Fraction(30), Fraction(60), Fraction(120), Fraction(60000, 1001)]),
)
def test_other_rates_are_read_as_scipy_interpolates(frames, fps):
    """Catches a reading that lies a frame off, or beyond the end of the clip."""
    predicted, truth = bodies(frames, (frames, 3)), bodies(frames + 1, (frames, 3))
    times = np.arange(frames) / float(fps)
    wanted = np.arange(0, times[-1] + 1e-9, 0.02)
    at = interp1d(times, predicted - truth, axis=0, fill_value="extrapolate")(wanted)
    expected = np.linalg.norm(at[1:] - at[:-1], axis=-1)
    np.testing.assert_allclose(velocity_errors_m(predicted, truth, fps), expected, atol=1e-9)


def test_a_frame_that_is_met_does_not_need_its_neighbour():
    """Catches an unseen joint that spreads to readings it has no part in: at 100 frames/s only even frames count."""
    predicted = np.zeros((7, 1, 3))
    predicted[[1, 5]] = np.nan
    assert velocity_errors_m(predicted, np.zeros_like(predicted), 100).tolist() == [[0.0], [0.0], [0.0]]
    predicted[4] = np.nan
    assert np.isnan(velocity_errors_m(predicted, np.zeros_like(predicted), 100)).ravel().tolist() == [False, True, True]


def test_one_frame_has_no_velocity():
    """Catches 0, the best possible value, or NaN for what cannot be measured."""
    with pytest.raises(InputError, match="nothing to measure"):
        mpjve_m(bodies(shape=(1, 17)), bodies(shape=(1, 17)), 50)
    with pytest.raises(InputError, match=r"\(17, 3\)"):
        mpjve_m(bodies(shape=(17,)), bodies(shape=(17,)), 50)
    with pytest.raises(InputError, match="above 0"):
        mpjve_m(bodies(), bodies(), 0)


# --- PCK and AUC ------------------------------------------------------------------------------------------------------


def test_pck_counts_joints_below_the_threshold():
    """Catches a limit that counts (MPI-INF-3DHP says below it), percent for share, unseen joints that count."""
    truth = np.zeros((1, 5, 3))
    predicted = np.zeros((1, 5, 3))
    predicted[0, :, 1] = [0.149, 0.25, 0.5, 0.0, 0.7]
    truth[0, 4] = np.nan
    assert pck(predicted, truth) == pytest.approx(2 / 4)
    assert pck(predicted, truth, 0.25) == pytest.approx(2 / 4)
    assert pck(predicted, truth, 0.2501) == pytest.approx(3 / 4)


@pytest.mark.parametrize(("error_mm", "thresholds_above"), [(0, 30), (2, 30), (52, 20), (148, 1), (151, 0)])
def test_auc_of_one_error(error_mm, thresholds_above):
    """Catches another number of thresholds, a trapezoid rule, or thresholds in other units."""
    predicted = np.zeros((2, 3, 3))
    predicted[..., 2] = error_mm / 1000
    assert auc(predicted, np.zeros_like(predicted)) == pytest.approx(thresholds_above / 31)


def test_bad_shapes_and_nothing_known_are_refused():
    """Catches broadcasting one pose against many, and NaN or a warning where there is nothing to measure."""
    with pytest.raises(InputError, match=r"\(17, 3\)"):
        mpjpe_m(np.zeros((17, 3)), np.zeros((2, 17, 3)))
    unseen = np.full((2, 17, 3), np.nan)
    for metric in (mpjpe_m, p_mpjpe_m, n_mpjpe_m, pck, auc):
        with pytest.raises(InputError, match="nothing to measure"):
            metric(unseen, np.zeros((2, 17, 3)))
