"""The step along the tree against the same least-squares problem written as one dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from mocap3d.motion.smpl.tree_step import TreeProblem, tree_step

PARENTS = (-1, 0, 0, 1, 2, 2, 4, 4)
SHAPES = 3


def problem(*, shape: bool, seed: int = 0, frames: int = 4) -> TreeProblem:
    """Random bones and targets; two joints have none, some turns are wanted for themselves."""
    rng = np.random.default_rng(seed)
    joints = len(PARENTS)
    weights = rng.uniform(0.2, 1.0, (frames, joints))
    weights[:, 4], weights[0, 1] = 0.0, 0.0
    return TreeProblem(
        parents=PARENTS,
        bones_m=rng.normal(size=(frames, joints, 3)),
        missing_m=rng.normal(size=(frames, joints, 3)),
        weights=weights,
        damping_m2=rng.uniform(0.01, 0.1, frames),
        towards_rad=rng.normal(size=(frames, joints, 3)) * 0.3,
        stiffness_m2=rng.uniform(0.0, 0.5, joints) * (rng.random(joints) < 0.6),
        per_beta_m=rng.normal(size=(frames, joints, 3, SHAPES)) if shape else None,
        betas=rng.normal(size=SHAPES if shape else 0),
        prior_m2=0.7,
    )


def residuals(given: TreeProblem, x: np.ndarray) -> np.ndarray:
    """All that is squared and added up, one number at a time; x = shift, turn of every joint (by frame), betas."""
    frames, joints = given.weights.shape
    betas = x[frames * 3 * (joints + 1) :]
    out = []
    for t in range(frames):
        own = x[t * 3 * (joints + 1) : (t + 1) * 3 * (joints + 1)].reshape(-1, 3)
        shift, turns = own[0], own[1:]
        moved: list[np.ndarray] = []
        for j, parent in enumerate(given.parents):
            move = shift if j == 0 else moved[parent] + np.cross(turns[parent], given.bones_m[t, j])
            if given.per_beta_m is not None:
                move = move + given.per_beta_m[t, j] @ betas
            moved.append(move)
            out += list(np.sqrt(given.weights[t, j]) * (given.missing_m[t, j] - move))
            if j in given.parents:  # leaves turn nothing
                out += list(np.sqrt(given.damping_m2[t]) * turns[j])
                out += list(np.sqrt(given.stiffness_m2[j]) * (turns[j] - given.towards_rad[t, j]))
    return np.array([*out, *(np.sqrt(given.prior_m2) * (given.betas + betas))])


@pytest.mark.parametrize("shape", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_step_is_the_least_squares_solution(shape: bool, seed: int) -> None:
    """Catches a wrong sign or a forgotten cross term in the elimination, which would only converge more slowly."""
    given = problem(shape=shape, seed=seed)
    frames, joints = given.weights.shape
    unknown = frames * 3 * (joints + 1) + len(given.betas)
    at_zero = residuals(given, np.zeros(unknown))
    jacobian = np.stack([residuals(given, unit) - at_zero for unit in np.eye(unknown)], axis=1)  # it is linear
    solution = np.linalg.lstsq(jacobian, -at_zero, rcond=None)[0]
    own = solution[: frames * 3 * (joints + 1)].reshape(frames, joints + 1, 3)
    step = tree_step(given)
    np.testing.assert_allclose(step.shift_m, own[:, 0], atol=1e-8)
    np.testing.assert_allclose(step.turns_rad, own[:, 1:], atol=1e-8)
    np.testing.assert_allclose(step.betas, solution[unknown - len(given.betas) :], atol=1e-8)
