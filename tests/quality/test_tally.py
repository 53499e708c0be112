from __future__ import annotations

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.quality.pose3d import auc, mpjpe_m, mpjve_m, n_mpjpe_m, p_mpjpe_m, pck
from mocap3d.quality.tally import PoseScores, PoseTally


def clip(frames, seed, unseen=0.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(frames, 17, 3)) * 0.4
    predicted = truth + rng.normal(size=(frames, 17, 3)) * 0.06
    truth[rng.random((frames, 17)) < unseen] = np.nan
    return predicted, truth


def test_a_tally_is_in_the_published_units():
    """Catches metres where millimetres stand, shares for percent, and one metric in the column of another.

    All joints but the resting root move along x: 30 mm off at first, 36 in the next 50th of a second.
    """
    truth = np.zeros((2, 17, 3))
    truth[:, 1:, 1] = np.arange(16) / 10 - 0.7  # on a line at right angles to the error
    predicted = truth.copy()
    predicted[0, 1:, 0], predicted[1, 1:, 0] = 0.030, 0.036
    scores = PoseTally.of(predicted, truth, 50).scores
    assert scores.mpjpe_mm == pytest.approx(16 / 17 * 33)
    assert scores.mpjve_mm == pytest.approx(16 / 17 * 6)
    assert scores.pck_percent == 100
    # the roots are exact, below 30 thresholds; others above 30 mm are below 24, above 36 mm below 23 of the 31
    assert scores.auc_percent == pytest.approx(100 / 31 * (30 + 16 * (24 + 23) / 2) / 17)
    assert scores.p_mpjpe_mm < scores.n_mpjpe_mm < scores.mpjpe_mm


def test_one_clip_is_what_the_metrics_say():
    """Catches a tally that measures something else than the functions of its names, unseen joints included."""
    predicted, truth = clip(40, 0, unseen=0.2)
    scores = PoseTally.of(predicted, truth, 30).scores
    expected = [
        *(1000 * metric(predicted, truth) for metric in (mpjpe_m, p_mpjpe_m, n_mpjpe_m)),
        1000 * mpjve_m(predicted, truth, 30),
        *(100 * metric(predicted, truth) for metric in (pck, auc)),
    ]
    found = [getattr(scores, name) for name in PoseScores.__slots__]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_clips_together_are_one_long_clip():
    """Catches a mean of means: a clip of 50 frames weighs ten times one of 5. Only velocities see the cut."""
    parts = [clip(50, 1, 0.1), clip(5, 2)]
    both = PoseTally.of(*parts[0], 50) + PoseTally.of(*parts[1], 50)
    whole = PoseTally.of(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)), 50)
    assert both.frames == 55
    for name in ("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm", "pck_percent", "auc_percent"):
        assert getattr(both.scores, name) == pytest.approx(getattr(whole.scores, name), rel=1e-12)
    assert both.counts[3] <= 49 * 17 + 4 * 17


def test_a_mean_of_rows_is_not_weighted():
    """Catches an average over actions in which long actions count more."""
    rows = [PoseScores(**dict.fromkeys(PoseScores.__slots__, value)) for value in (10.0, 20.0, 60.0)]
    assert PoseScores.mean_of(rows) == PoseScores(**dict.fromkeys(PoseScores.__slots__, 30.0))
    with pytest.raises(InputError, match="at least one"):
        PoseScores.mean_of([])


def test_nothing_to_measure_is_an_error():
    """Catches NaN in a table, or a division by zero, for a clip of one frame and for one that nobody saw."""
    predicted, truth = clip(1, 3)
    with pytest.raises(InputError, match="nothing to measure"):
        _ = PoseTally.of(predicted, truth, 50).scores
    with pytest.raises(InputError, match="nothing to measure"):
        _ = PoseTally.of(np.full((9, 17, 3), np.nan), np.zeros((9, 17, 3)), 50).scores
