from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.quality.pose3d import joint_errors_m, mpjpe_m, p_mpjpe_m, procrustes_aligned_m


def bodies(seed=0, shape=(5, 17)):
    return np.random.default_rng(seed).normal(size=(*shape, 3))


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


def test_bad_shapes_and_gaps_are_refused():
    """Catches broadcasting one pose against many, and an alignment to nothing."""
    with pytest.raises(InputError, match=r"\(17, 3\)"):
        mpjpe_m(np.zeros((17, 3)), np.zeros((2, 17, 3)))
    with pytest.raises(InputError, match="NaN"):
        p_mpjpe_m(np.full((2, 17, 3), np.nan), np.zeros((2, 17, 3)))
