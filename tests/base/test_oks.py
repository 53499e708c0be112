from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import InputError
from mocap3d.base.oks import COCO_SIGMAS, oks


def oks_as_pycocotools_does(a, b, area, visible) -> float:
    """cocoeval.py's computeOks for one pair, one joint at a time (its spacing(1) aside)."""
    sigmas = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
    total, count = 0.0, 0
    for joint in range(17):
        if not visible[joint]:
            continue
        variance = (2 * sigmas[joint] / 10) ** 2
        dx, dy = a[joint][0] - b[joint][0], a[joint][1] - b[joint][1]
        total += math.exp(-(dx**2 + dy**2) / variance / area / 2)
        count += 1
    return total / count


@given(st.integers(0, 2**32 - 1), st.floats(10, 1e6))
def test_equals_the_coco_formula(seed, area):
    """Catches a sigma where twice the sigma belongs, a missing square, or invisible joints that count."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 30, (2, 17, 2))
    visible = rng.random(17) < 0.7
    visible[rng.integers(17)] = True
    expected = oks_as_pycocotools_does(a, b, area, visible)
    np.testing.assert_allclose(oks(a, b, area, visible=visible), expected, rtol=1e-12, atol=1e-300)


def test_broadcasts_over_people():
    """Catches a table of people against people with its axes swapped."""
    rng = np.random.default_rng(0)
    a, b, area = rng.normal(0, 30, (3, 17, 2)), rng.normal(0, 30, (4, 17, 2)), rng.uniform(100, 9000, 3)
    table = oks(a[:, None], b[None], area[:, None])
    assert table.shape == (3, 4)
    np.testing.assert_allclose(table[2, 1], oks_as_pycocotools_does(a[2], b[1], area[2], [True] * 17), rtol=1e-12)


def test_unseen_joints_score_nothing():
    """Catches NaN that spreads to the whole result."""
    a = np.zeros((17, 2))
    b = a.copy()
    b[:5] = np.nan
    assert oks(a, b, 100.0) == pytest.approx(12 / 17)
    assert oks(a, a, 100.0, visible=np.zeros(17)) == 0


def test_refuses_what_does_not_fit():
    """Catches a skeleton with other joints compared by COCO's sigmas, and an area of zero."""
    with pytest.raises(InputError, match="17, 2"):
        oks(np.zeros((20, 2)), np.zeros((20, 2)), 1.0)
    with pytest.raises(InputError, match="above 0"):
        oks(np.zeros((17, 2)), np.zeros((17, 2)), 0.0)
    assert len(COCO_SIGMAS) == 17
