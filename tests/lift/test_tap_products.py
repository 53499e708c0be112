from __future__ import annotations

import numpy as np
import pytest
from lifters import random_lifter

from mocap3d.lift.tap_products import TapProducts


def tap_by_tap(x, weight, dilation, count):
    """The sum over three frames, one output frame after the other, in float64."""
    g = weight.astype(float).reshape(3, -1, weight.shape[1])
    first = len(x) - count - 2 * dilation
    rows = [sum(x[first + t + k * dilation].astype(float) @ g[k] for k in range(3)) for t in range(count)]
    return np.array(rows)


@pytest.mark.parametrize("at_once", [100, 400])
@pytest.mark.parametrize("dilation", [1, 3, 7, 45])
@pytest.mark.parametrize("count", [1, 2, 89, 90, 91, 100])
def test_equals_the_sum_over_taps(at_once, dilation, count):
    """Catches a sign or a frame of the minimal filter, and outputs that are no whole number of pairs."""
    weights = random_lifter(dilations=(1, dilation), channels=16)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count + 2 * dilation + 5, 16)).astype(np.float32)  # 5 older frames that must not count
    out = np.full((count, 16), np.nan, np.float32)
    TapProducts(weights, at_once=at_once)("block0.wide", x, dilation, out)
    expected = tap_by_tap(x, weights.arrays["block0.wide.weight"], dilation, count)
    np.testing.assert_allclose(out, expected, atol=2e-5)


def test_rounding_stays_that_of_float32():
    """Catches a filter that cancels: at 1024 channels its error must be near that of the plain product."""
    weights = random_lifter(dilations=(1, 3), channels=1024)
    x = np.random.default_rng(0).normal(size=(60 + 6, 1024)).astype(np.float32)
    expected = tap_by_tap(x, weights.arrays["block0.wide.weight"], 3, 60)
    errors = []
    for at_once in (60, 400):
        out = np.empty((60, 1024), np.float32)
        TapProducts(weights, at_once=at_once)("block0.wide", x, 3, out)
        errors.append(np.sqrt(((out - expected) ** 2).mean()))
    assert errors[1] < 3 * errors[0] < 1e-5


def test_it_takes_fewer_multiplications(monkeypatch):
    """Catches a long clip that goes the plain way, correct and slow: rows times matrix, counted."""
    weights = random_lifter(dilations=(1, 3), channels=16)
    x, out, done, matmul = np.zeros((306, 16), np.float32), np.zeros((300, 16), np.float32), [], np.matmul

    def counting(a, b, out):
        done.append(a.size * b.shape[1])
        return matmul(a, b, out=out)

    products = TapProducts(weights, at_once=300)
    monkeypatch.setattr(np, "matmul", counting)
    products("block0.wide", x, 3, out)
    assert sum(done) == 300 * 2 * 16 * 16
