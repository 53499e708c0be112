"""Triangulation in torch against that in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from rigs_of_cameras import BROWN, FISHEYE, pixels, ring

from mocap3d.base.consensus import triangulate_robust
from mocap3d.base.errors import InputError
from mocap3d.base.triangulation import triangulate

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
LENSES = {"pinhole": (), "brown": BROWN, "fisheye": FISHEYE}


def some_views(count, lens, outliers):
    """Points and what cameras say about them; a tenth is not seen."""
    cameras = ring(count, lens=lens)
    rng = np.random.default_rng(count)
    xyz_m = rng.uniform([-1.5, 0, -1.5], [1.5, 2, 1.5], (2000, 3))
    seen = np.stack([pixels(camera, xyz_m) for camera in cameras]) + rng.normal(0, 2, (count, 2000, 2))
    wrong = rng.random((count, 2000)) < outliers
    seen[wrong] += rng.uniform(-300, 300, (wrong.sum(), 2))
    seen[rng.random((count, 2000)) < 0.1] = np.nan
    return cameras, seen, rng.uniform(0.2, 1, (count, 2000))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
@pytest.mark.parametrize("count", [2, 4])
def test_weighted_is_as_in_numpy(count, lens, device):
    """Catches a device that computes in float32, other weights, and missing points that are made up."""
    from mocap3d.nets.triangulation import triangulate_on_device

    cameras, seen, weight = some_views(count, lens, 0.0)
    found, say = triangulate_on_device(cameras, seen, weight, device=device)
    np.testing.assert_allclose(found, triangulate(cameras, seen, weight), atol=1e-9)
    np.testing.assert_array_equal(say > 0, np.isfinite(seen[..., 0]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("count", [2, 3, 6])
def test_robust_is_as_in_numpy(count, device):
    """Catches pairs in another order, other thresholds, a round more or less."""
    from mocap3d.nets.triangulation import triangulate_on_device

    cameras, seen, weight = some_views(count, BROWN, 0.15)
    expected, expected_say = triangulate_robust(cameras, seen, weight, std_px=2.0)
    found, say = triangulate_on_device(cameras, seen, weight, std_px=2.0, device=device)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    np.testing.assert_allclose(say, expected_say, atol=1e-6)
    assert (np.isnan(expected[:, 0]).mean() > 0.01) == (count < 6)


def test_what_does_not_fit_is_refused():
    """Catches arrays that are broadcast into nonsense on the device."""
    from mocap3d.nets.triangulation import triangulate_on_device

    for cameras, shape, weight in ((1, (1, 5, 2), None), (2, (3, 5, 2), None), (2, (2, 5, 2), np.ones((2, 4)))):
        with pytest.raises(InputError):
            triangulate_on_device(ring(2)[:cameras], np.zeros(shape), weight, device="cpu")
        with pytest.raises(InputError):
            triangulate_robust(ring(2)[:cameras], np.zeros(shape), weight, std_px=1.0)
