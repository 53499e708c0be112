"""Finds are grouped as well as by trying every partition."""

from __future__ import annotations

import numpy as np
import pytest

from mocap3d.identify.grouping import best_groups


def _partitions(items):
    """Every way to split a list into groups."""
    if not items:
        yield []
        return
    first, *rest = items
    for parts in _partitions(rest):
        yield [[first], *parts]
        for n in range(len(parts)):
            yield [*parts[:n], [first, *parts[n]], *parts[n + 1 :]]


def _worth(label, evidence, apart):
    total = 0.0
    for i in range(len(label)):
        for j in range(i):
            if label[i] == label[j]:
                total += -np.inf if apart[i, j] else evidence[i, j]
    return total


@pytest.mark.parametrize("seed", range(12))
def test_nearly_as_good_as_the_best_of_all_partitions(seed):
    """Catches merges that ignore what is known of the others, and two finds of one camera in one group."""
    rng = np.random.default_rng(seed)
    camera, person = np.repeat(np.arange(3), 2), np.array([0, 1, 0, 1, 1, 2])
    same = person[:, None] == person
    evidence = np.where(same, 1.5, -1.0) + rng.normal(0, 1.2, same.shape)
    evidence = np.triu(evidence, 1) + np.triu(evidence, 1).T
    apart = (camera[:, None] == camera) & ~np.eye(6, dtype=bool)
    label = best_groups(evidence, apart)
    best = 0.0
    for parts in _partitions(list(range(6))):
        one = np.empty(6, int)
        for n, part in enumerate(parts):
            one[part] = n
        best = max(best, _worth(one, evidence, apart))
    assert _worth(label, evidence, apart) >= 0.95 * best


def test_matches_are_consistent_around_a_cycle():
    """Catches matching pair by pair: a view that fits both people a little better the wrong way round must give in."""
    # Cameras 0, 1, 2 with people A, B each: A0 B0 A1 B1 A2 B2; between 0 and 2 the evidence is wrong.
    evidence = np.full((6, 6), -1.0)
    for i, j, value in ((0, 2, 2), (1, 3, 2), (2, 4, 2), (3, 5, 2), (0, 5, 0.5), (1, 4, 0.5)):
        evidence[i, j] = evidence[j, i] = value
    apart = np.kron(np.eye(3, dtype=bool), ~np.eye(2, dtype=bool))
    np.testing.assert_array_equal(best_groups(evidence, apart), [0, 1, 0, 1, 0, 1])


def test_nobody_and_one_alone():
    """Catches a crash in the first frame without people."""
    assert len(best_groups(np.zeros((0, 0)), np.zeros((0, 0), bool))) == 0
    np.testing.assert_array_equal(best_groups(np.zeros((1, 1)), np.zeros((1, 1), bool)), [0])
