from __future__ import annotations

import numpy as np
import pytest
from lifters import random_lifter

from mocap3d.lift.outputs import read_outputs


@pytest.mark.parametrize(
    ("said", "share"), [(-40.0, np.exp(-6)), (-3.0, np.exp(-3)), (1.5, np.exp(1.5)), (9.0, np.exp(2)), (900, np.exp(2))]
)
def test_the_error_of_the_distance_is_between_what_training_allows(said, share):
    """Catches a deviation of 0 or infinity: training does not see what lies beyond, so nothing holds it there."""
    meta = random_lifter(trajectory=True).meta
    numbers = np.zeros((2, meta.outputs), np.float32)
    numbers[:, 59:61] = np.log(4), said
    found = read_outputs(meta, numbers, np.ones(2))
    np.testing.assert_allclose(found.root_std_m, 4 * share, rtol=1e-6)
    np.testing.assert_allclose(found.root_m, [[0, 0, 4]] * 2, rtol=1e-6)
