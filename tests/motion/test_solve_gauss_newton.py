import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.gauss_newton import GaussNewtonSettings, banded, minimised, solved_blocks
from mocap3d.motion.tangent import exp_so3, inverse_right_jacobian, log_so3
from mocap3d.motion.terms import Problem, linearised, placed

JOINTS = np.array([0, 1, 4, 7, 8, 14, 15])
BONES = np.array([0, 1, 5, 8, 8, 15, 15, 4])
FRAMES = 9
ROOT_AND_JOINTS = 1 + len(JOINTS)


def turns(rng, shape, size):
    """Random rotations, made by SciPy."""
    vectors = rng.normal(0, size, (*shape, 3))
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*shape, 3, 3)


def some_problem(seed=0, frames=FRAMES, limits=True):
    """A clip whose every term is far from its minimum; and where it starts."""
    rng = np.random.default_rng(seed)
    count = len(BONES)
    problem = Problem(
        offsets_m=HUMANOID_RIG.offsets_m,
        joints=JOINTS,
        bones=BONES,
        marker_m=rng.normal(0, 0.1, (count, 3)),
        target_m=rng.normal(0, 0.5, (frames, count, 3)),
        weight=rng.uniform(0, 900, (frames, count)),
        scale_m=np.full(count, 1e6),  # no doubt: the quadratic whose derivative Gauss-Newton takes
        reference=turns(rng, (frames, len(JOINTS)), 0.3),
        reference_weight=rng.uniform(0, 5, (len(JOINTS), 3)),
        turn_weight=rng.uniform(0.0005, 0.005, (frames, len(JOINTS))),
        root_weight=rng.uniform(0.005, 0.02, frames),
        limit_weight=20.0 if limits else 0.0,
        frame_s=1 / 24,
    )
    local = np.tile(np.eye(3), (frames, 22, 1, 1))
    local[:, JOINTS] = turns(rng, (frames, len(JOINTS)), 0.5)
    return problem, local, rng.normal(0, 0.2, (frames, 3))


def cost_of(problem, local, root_m, step):
    """The cost after a step: the subject's own, but of another point."""
    moved = local.copy()
    turn = Rotation.from_rotvec(step[:, 3:].reshape(-1, 3)).as_matrix().reshape(len(root_m), -1, 3, 3)
    moved[:, JOINTS] = local[:, JOINTS] @ turn
    return linearised(problem, moved, root_m + step[:, :3], slice(0, len(root_m))).cost.sum()


def dense(blocks):
    """The normal equations written out, block by block."""
    frames, unknowns = blocks.gradient.shape
    matrix = np.zeros((frames * unknowns, frames * unknowns))
    for t in range(frames):
        at = slice(t * unknowns, (t + 1) * unknowns)
        matrix[at, at] = blocks.same[t]
        for distance, coupling in ((1, blocks.next), (2, blocks.after)):
            if t + distance < frames:
                for slot in range(ROOT_AND_JOINTS):
                    row, column = ((t + n) * unknowns + 3 * slot for n in (distance, 0))
                    matrix[row : row + 3, column : column + 3] = coupling[t, slot]
                    matrix[column : column + 3, row : row + 3] = coupling[t, slot].T
    return matrix


def test_logarithm_and_exponential_are_those_of_scipy():
    """Catches a wrong sign or factor, small and large angles, and a half turn whose axis is lost."""
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(200, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    for angle in (0.0, 1e-9, 1e-4, 0.3, 2.0, 3.1, np.pi - 1e-3, np.pi - 1e-7):
        truth = Rotation.from_rotvec(axes * angle)
        np.testing.assert_allclose(exp_so3(axes * angle), truth.as_matrix(), atol=1e-12)
        np.testing.assert_allclose(log_so3(truth.as_matrix()), axes * angle, atol=2e-7 if angle > 3 else 1e-10)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.2, 1.5, 3.0])
def test_the_derivative_of_the_logarithm(angle):
    """Catches left for right, and the wrong limit at zero."""
    rotvec = angle * np.array([0.6, -0.48, 0.64])
    step = 1e-6
    turned = [
        [(Rotation.from_rotvec(rotvec) * Rotation.from_rotvec(sign * step * axis)).as_rotvec() for axis in np.eye(3)]
        for sign in (1, -1)
    ]
    slope = (np.array(turned[0]) - np.array(turned[1])).T / (2 * step)
    np.testing.assert_allclose(inverse_right_jacobian(rotvec), slope, atol=1e-8)


def test_markers_are_placed_as_a_loop_over_the_chain_places_them():
    """Catches a marker in the frame of the wrong bone."""
    problem, local, root_m = some_problem()
    at = placed(problem, local, root_m)
    for t in (0, 5):
        for m, bone in enumerate(BONES):
            point, joint = problem.marker_m[m], int(bone)
            while joint >= 0:
                point = local[t, joint] @ point + (HUMANOID_RIG.offsets_m[joint] if joint else root_m[t])
                joint = HUMANOID_22.parents[joint]
            np.testing.assert_allclose(at.marker_m[t, m], point, atol=1e-12)


@pytest.mark.parametrize("limits", [False, True])
def test_the_gradient_is_that_of_finite_differences(limits):
    """Catches a wrong Jacobian of positions, smoothness, reference or limits."""
    problem, local, root_m = some_problem(limits=limits)
    gradient = linearised(problem, local, root_m, slice(0, FRAMES)).gradient
    rng = np.random.default_rng(1)
    for t, k in [
        (0, 0),
        (1, 2),
        *zip(rng.integers(0, FRAMES, 25), rng.integers(3, gradient.shape[1], 25), strict=True),
    ]:
        step = np.zeros_like(gradient)
        step[t, k] = 1e-5
        slope = (cost_of(problem, local, root_m, step) - cost_of(problem, local, root_m, -step)) / 2e-5
        assert 2 * gradient[t, k] == pytest.approx(slope, rel=1e-5, abs=1e-4), (t, k)


def test_doubt_lessens_the_pull():
    """Catches a robust weight that is not the derivative of the cost."""
    problem, local, root_m = some_problem(limits=False)
    problem = dataclasses.replace(problem, scale_m=np.full(len(BONES), 0.4))
    gradient = linearised(problem, local, root_m, slice(0, FRAMES)).gradient
    for t, k in ((2, 1), (3, 4), (7, 20)):
        step = np.zeros_like(gradient)
        step[t, k] = 1e-5
        slope = (cost_of(problem, local, root_m, step) - cost_of(problem, local, root_m, -step)) / 2e-5
        assert 2 * gradient[t, k] == pytest.approx(slope, rel=1e-4, abs=1e-4), (t, k)


@pytest.mark.parametrize("frames", [1, 2, 3, FRAMES])
def test_the_banded_solution_is_the_dense_one(frames):
    """Catches blocks written beside their place in the bands, and clips too short for an acceleration."""
    problem, local, root_m = some_problem(frames=frames)
    blocks = linearised(problem, local, root_m, slice(0, frames))
    matrix = dense(blocks)
    expected = np.linalg.solve(matrix + 1e-9 * matrix.diagonal().max() * np.eye(len(matrix)), -blocks.gradient.ravel())
    np.testing.assert_allclose(solved_blocks(blocks).ravel(), expected, atol=1e-7)
    bands = banded(blocks)
    for k in (0, 1, 5, 30, 3 * blocks.gradient.shape[1] - 1):
        diagonal = np.diagonal(matrix, -k) if k < len(matrix) else np.zeros(0)
        np.testing.assert_allclose(bands[k, : len(diagonal)], diagonal, atol=1e-9)


def test_the_second_derivative_is_gauss_newtons():
    """Catches couplings between frames that the gradient does not have: near a minimum, H is the gradient's slope."""
    problem, local, root_m = some_problem(limits=False)
    at = placed(problem, local, root_m)
    steady, even = np.zeros_like(problem.turn_weight), np.full(FRAMES, 0.02)
    problem = dataclasses.replace(
        problem, target_m=at.marker_m, reference=local[:, JOINTS], turn_weight=steady, root_weight=even
    )
    root_m = root_m[:1] + np.linspace(0, 1, FRAMES)[:, None] * [0.3, 0.1, -0.2]
    problem = dataclasses.replace(problem, target_m=placed(problem, local, root_m).marker_m)
    blocks = linearised(problem, local, root_m, slice(0, FRAMES))
    rng = np.random.default_rng(2)
    step = rng.normal(0, 1e-4, blocks.gradient.shape)
    np.testing.assert_allclose(blocks.gradient, 0, atol=1e-6)
    curvature = step.ravel() @ dense(blocks) @ step.ravel()
    assert cost_of(problem, local, root_m, step) == pytest.approx(curvature, rel=1e-2)


def test_stretches_join_without_a_seam():
    """Catches long clips solved in pieces that differ where they meet from the clip solved as one."""
    problem, local, root_m = some_problem(frames=160, limits=False)
    local = np.tile(np.eye(3), (160, 22, 1, 1))
    swing = np.sin(np.arange(160) / 8)[:, None, None] * np.linspace(0.1, 0.5, 3 * len(JOINTS)).reshape(-1, 3)
    truth = local.copy()
    truth[:, JOINTS] = Rotation.from_rotvec(swing.reshape(-1, 3)).as_matrix().reshape(160, -1, 3, 3)
    target_m = placed(problem, truth, 0.01 * np.cumsum(root_m, axis=0)).marker_m
    problem = dataclasses.replace(problem, target_m=target_m, reference=local[:, JOINTS])
    one, several = (
        minimised(problem, local, root_m, GaussNewtonSettings(iterations=25, stretch_frames=n, converged_rad=1e-7))
        for n in (1000, 40)
    )
    np.testing.assert_allclose(several[1], one[1], atol=1e-4)
    np.testing.assert_allclose(several[0], one[0], atol=1e-3)
