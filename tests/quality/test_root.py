from __future__ import annotations

import numpy as np
import pytest

from mocap3d.base.errors import InputError
from mocap3d.quality.root import RootTally


def test_errors_of_the_root_by_hand():
    """Catches depth for distance, an error beside the ray that counts as distance, and unseen frames that count."""
    truth = np.array([[0.0, 0, 4], [3.0, 0, 4], [np.nan, 0, 0]])
    found = np.array([[0.0, 0, 5], [3.3, 0, 4.4], [9.0, 9, 9]])  # 1 m of 4 too far, 0.5 m of 5 too far
    tally = RootTally.of(found, [1.5, 0.4, 9.0], truth)
    assert tally.frames == 2
    assert tally.scores.mrpe_mm == pytest.approx(750)
    assert tally.scores.distance_percent == pytest.approx((25 + 10) / 2)
    assert tally.scores.within_std_percent == 50
    beside = RootTally.of([[4.0, 0, 0]], [0.1], [[0.0, 0, 4]])
    assert beside.scores.mrpe_mm == pytest.approx(4000 * np.sqrt(2))
    assert beside.scores.distance_percent == pytest.approx(0)


def test_honest_uncertainty_holds_68_percent():
    """Catches a variance for a standard deviation: Gaussian errors lie within one in erf(1 / sqrt 2) of cases."""
    rng = np.random.default_rng(0)
    std = rng.uniform(0.05, 0.4, 20000)
    found = np.stack([np.zeros(20000), np.zeros(20000), 5 + std * rng.normal(size=20000)], axis=1)
    scores = RootTally.of(found, std, np.tile([0.0, 0, 5], (20000, 1))).scores
    assert scores.within_std_percent == pytest.approx(68.27, abs=1)


def test_tallies_add_up_and_may_be_empty():
    """Catches a mean of means, and a division by zero where no root is known."""
    one = RootTally.of([[0.0, 0, 2]], [1.0], [[0.0, 0, 1]])
    three = RootTally.of([[0.0, 0, 4]] * 3, [1.0] * 3, [[0.0, 0, 4]] * 3)
    assert (one + three).scores.mrpe_mm == pytest.approx(250)
    assert (RootTally() + one).scores == one.scores
    assert RootTally().scores is None
    with pytest.raises(InputError, match="std_m"):
        RootTally.of(np.zeros((2, 3)), np.zeros(3), np.zeros((2, 3)))
