"""Alignment against SciPy's Kabsch, a closed form and the transform that made the points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import InputError
from mocap3d.base.procrustes import align


def moved(points: np.ndarray, seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rotation = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    translation = rng.normal(size=3) * 5
    return scale * points @ rotation.T + translation, rotation, translation


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.integers(3, 20))
def test_finds_the_transform_that_made_the_points(seed: int, scale: float, count: int) -> None:
    """Catches a transposed rotation, a scale of the wrong way round, a translation before the rotation."""
    b = np.random.default_rng(seed + 1).normal(size=(count, 3))
    a, rotation, translation = moved(b, seed, scale)
    found = align(a, b, scaled=True)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-6)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)
    np.testing.assert_allclose(found.apply(b), a, atol=1e-6 * scale)
    np.testing.assert_allclose(found.translation, translation, atol=1e-5 * scale)


def test_rigid_and_weighted_agree_with_scipy() -> None:
    """Catches weights that are squared, or applied to one side only."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b, w = rng.normal(size=(12, 3)), rng.normal(size=(12, 3)), rng.uniform(0.1, 3, 12)
        found = align(a, b, weights=w, scaled=False)
        mean_a, mean_b = np.average(a, axis=0, weights=w), np.average(b, axis=0, weights=w)
        oracle, _ = Rotation.align_vectors(a - mean_a, b - mean_b, weights=w)
        np.testing.assert_allclose(found.rotation, oracle.as_matrix(), atol=1e-9)
        np.testing.assert_allclose(found.translation, mean_a - oracle.apply(mean_b), atol=1e-9)
        assert found.scale == 1


def test_batch_equals_one_at_a_time() -> None:
    """Catches axes mixed up between batch and points."""
    rng = np.random.default_rng(1)
    a, b, w = rng.normal(size=(4, 5, 9, 3)), rng.normal(size=(5, 9, 3)), rng.uniform(0, 1, (4, 1, 9))
    found = align(a, b, weights=w, scaled=True)
    for i in range(4):
        for j in range(5):
            one = align(a[i, j], b[j], weights=w[i, 0], scaled=True)
            np.testing.assert_allclose(found.rotation[i, j], one.rotation, atol=1e-12)
            np.testing.assert_allclose(found.scale[i, j], one.scale, atol=1e-12)
            np.testing.assert_allclose(found.apply(b)[i, j], one.apply(b[j]), atol=1e-12)


def test_the_fit_cannot_be_improved() -> None:
    """Catches a scale from spreads alone, which is not the least-squares one with noise."""
    rng = np.random.default_rng(2)
    b = rng.normal(size=(15, 3))
    a = moved(b, 3, 1.4)[0] + rng.normal(size=(15, 3)) * 0.3
    found = align(a, b, scaled=True)
    best = np.sum((found.apply(b) - a) ** 2)
    for _ in range(200):
        turn = Rotation.from_rotvec(rng.normal(size=3) * 0.02).as_matrix()
        worse = found.scale * rng.uniform(0.97, 1.03) * b @ (found.rotation @ turn).T + found.translation
        worse += rng.normal(size=3) * 0.02
        assert np.sum((worse - a) ** 2) >= best


def test_a_mirror_image_is_not_aligned_by_mirroring() -> None:
    """Catches left and right swapped to make the error small."""
    b = np.random.default_rng(4).normal(size=(10, 3))
    found = align(b * [-1, 1, 1], b, scaled=True)
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert np.abs(found.apply(b) - b * [-1, 1, 1]).max() > 0.1


def test_points_not_seen_do_not_count() -> None:
    """Catches one NaN that spoils the fit, and weights of 0 that do not take a wild point out."""
    b = np.random.default_rng(5).normal(size=(10, 3))
    a, rotation, _ = moved(b, 6)
    a[2], b_with_gap = np.nan, b.copy()
    b_with_gap[4] = np.nan
    weights = np.ones(10)
    a[7], weights[7] = 1e6, 0
    found = align(a, b_with_gap, weights=weights, scaled=True)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-12)
    assert np.isnan(found.apply(b_with_gap)[4]).all()
    nothing = align(np.full((3, 3), np.nan), b[:3], scaled=True)
    assert np.isnan(nothing.translation).all()
    assert np.isnan(nothing.scale)


def test_points_that_leave_the_rotation_open_still_fit() -> None:
    """Catches NaN and division by zero for points on a line, in a plane, in one place."""
    line = np.outer(np.arange(5.0), [1, 2, 2])
    plane = np.random.default_rng(7).normal(size=(6, 3)) * [1, 1, 0]
    for b in (line, plane, np.ones((4, 3)), np.ones((1, 3))):
        a = moved(b, 8)[0]
        for scaled in (True, False):
            found = align(a, b, scaled=scaled)
            np.testing.assert_allclose(found.apply(b), a, atol=1e-9)
            assert np.linalg.det(found.rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "weights", "words"),
    [
        (np.zeros((4, 3)), np.zeros((5, 3)), None, "same N"),
        (np.zeros((4, 2)), np.zeros((4, 2)), None, r"\(\.\.\., N, 3\)"),
        (np.zeros((2, 4, 3)), np.zeros((3, 4, 3)), None, "do not fit together"),
        (np.zeros((4, 3)), np.zeros((4, 3)), -np.ones(4), "at least 0"),
        (np.zeros((4, 3)), np.zeros((4, 3)), np.ones(3), "weights must be"),
        (np.full((4, 3), np.inf), np.zeros((4, 3)), None, "infinite"),
    ],
)
def test_refusals(a: np.ndarray, b: np.ndarray, weights: np.ndarray | None, words: str) -> None:
    """Catches shapes that broadcast into nonsense."""
    with pytest.raises(InputError, match=words):
        align(a, b, weights=weights, scaled=True)
