"""Rotations against SciPy (which says xyzw), closed forms and their own inverses, at awkward angles above all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base import rotations as rot
from mocap3d.base.errors import InputError

TINY_TO_HALF_TURN = [
    0.0,
    1e-300,
    1e-16,
    1e-9,
    1e-7,
    1e-4,
    0.3,
    math.pi / 2,
    2.0,
    math.pi - 1e-4,
    math.pi - 1e-8,
    math.pi,
]
AXES = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (1, 1, 0), (1, -2, 3), (1e-9, 1, 0), (-1, -1, -1)]


def unit(vector: object) -> NDArray[np.float64]:
    array = np.asarray(vector, dtype=np.float64)
    return array / np.linalg.norm(array)


@st.composite
def rotvecs(draw: st.DrawFn) -> NDArray[np.float64]:
    """Rotation vectors up to half a turn, with small, large and axis-aligned ones over-represented."""
    component = st.floats(-1, 1, allow_subnormal=False)
    axis = draw(
        st.sampled_from(AXES) | st.tuples(component, component, component).filter(lambda v: max(map(abs, v)) > 1e-3)
    )
    angle = draw(st.sampled_from(TINY_TO_HALF_TURN) | st.floats(0, math.pi))
    return unit(axis) * angle


def scipy_wxyz(rotation: Rotation) -> NDArray[np.float64]:
    return np.roll(rotation.as_quat(), 1, axis=-1)


def random_rotations(count: int, seed: int = 0) -> Rotation:
    return Rotation.from_quat(np.random.default_rng(seed).normal(size=(count, 4)))


def awkward_rotvecs() -> NDArray[np.float64]:
    return np.array([unit(axis) * angle for axis in AXES for angle in TINY_TO_HALF_TURN])


def assert_same_rotation(a_wxyz: object, b_wxyz: object, atol: float = 1e-14) -> None:
    """Equal up to sign, which means nothing for a rotation."""
    a, b = np.asarray(a_wxyz), np.asarray(b_wxyz)
    sign = np.where(np.sum(a * b, axis=-1, keepdims=True) < 0, -1.0, 1.0)
    np.testing.assert_allclose(a, sign * b, atol=atol)


@given(rotvecs())
def test_every_form_agrees_with_scipy(rotvec: NDArray[np.float64]) -> None:
    """Catches swapped scalar and vector part, a transposed matrix, a lost factor of two."""
    truth = Rotation.from_rotvec(rotvec)
    np.testing.assert_allclose(rot.rotvec_to_matrix(rotvec), truth.as_matrix(), atol=1e-14)
    assert_same_rotation(rot.rotvec_to_wxyz(rotvec), scipy_wxyz(truth))
    assert_same_rotation(rot.matrix_to_wxyz(truth.as_matrix()), scipy_wxyz(truth))
    np.testing.assert_allclose(rot.wxyz_to_matrix(scipy_wxyz(truth)), truth.as_matrix(), atol=1e-14)


@given(rotvecs())
def test_small_angles_keep_all_their_digits(rotvec: NDArray[np.float64]) -> None:
    """Catches arccos near 1 and a threshold below which turns are rounded to nothing."""
    back = rot.wxyz_to_rotvec(rot.rotvec_to_wxyz(rotvec))
    if np.linalg.norm(rotvec) < math.pi - 1e-6:
        np.testing.assert_allclose(back, rotvec, rtol=1e-12, atol=1e-300)
    else:  # at half a turn both senses are the same rotation
        assert_same_rotation(rot.rotvec_to_wxyz(back), rot.rotvec_to_wxyz(rotvec))


def test_half_turns_survive_the_matrix() -> None:
    """Catches the trace formula, which divides by zero where w is 0."""
    for axis in AXES:
        for angle in (math.pi, math.pi - 1e-9, math.pi - 1e-6, -math.pi):
            matrix = Rotation.from_rotvec(unit(axis) * angle).as_matrix()
            np.testing.assert_allclose(rot.wxyz_to_matrix(rot.matrix_to_wxyz(matrix)), matrix, atol=1e-15)
            np.testing.assert_allclose(rot.rotvec_to_matrix(rot.matrix_to_rotvec(matrix)), matrix, atol=1e-14)


def test_matrices_to_quaternions_have_positive_scalar_and_rotvecs_stay_below_half_a_turn() -> None:
    """Catches quaternions that take the long way round."""
    matrices = random_rotations(500).as_matrix()
    assert (rot.matrix_to_wxyz(matrices)[:, 0] >= 0).all()
    assert (np.linalg.norm(rot.matrix_to_rotvec(matrices), axis=-1) <= math.pi + 1e-12).all()
    assert (np.linalg.norm(rot.wxyz_to_rotvec([-0.1, 0, 0, 1.0])) <= math.pi).all()


@pytest.mark.parametrize("order", rot.EULER_ORDERS)
def test_euler_angles_agree_with_scipy(order: str) -> None:
    """Catches extrinsic taken for intrinsic, a reversed product, a wrong sign in one of the twelve orders."""
    rotations = random_rotations(300, seed=1)
    np.testing.assert_allclose(rot.matrix_to_euler(rotations.as_matrix(), order), rotations.as_euler(order), atol=1e-12)
    angles = np.random.default_rng(2).uniform(-7, 7, (300, 3))
    expected = Rotation.from_euler(order, angles).as_matrix()
    np.testing.assert_allclose(rot.euler_to_matrix(angles, order), expected, atol=1e-14)


@pytest.mark.parametrize("order", rot.EULER_ORDERS)
@pytest.mark.parametrize("offset", [0.0, 1e-15, 1e-12, 1e-10, -1e-8, 1e-5])
def test_gimbal_lock_gives_the_same_matrix_back(order: str, offset: float) -> None:
    """Catches NaN, and two outer angles that no longer belong to each other, at and around the lock."""
    locked = [math.pi / 2, -math.pi / 2] if len(set(order)) == 3 else [0.0, math.pi]
    outer = np.random.default_rng(3).uniform(-3, 3, (50, 2))
    for middle in locked:
        angles = np.stack([outer[:, 0], np.full(50, middle + offset), outer[:, 1]], axis=-1)
        matrix = Rotation.from_euler(order, angles).as_matrix()
        back = rot.matrix_to_euler(matrix, order)
        assert np.isfinite(back).all()
        np.testing.assert_allclose(rot.euler_to_matrix(back, order), matrix, atol=2e-9)
        if offset == 0.0:
            np.testing.assert_array_equal(back[:, 2], 0.0)  # the documented choice


def test_bvh_channel_order_is_the_order_of_the_product() -> None:
    """Catches "ZXY" read as Y first: hand-made, without SciPy."""
    c, s = math.cos(0.5), math.sin(0.5)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    half_turn_x = np.diag([1.0, -1.0, -1.0])
    np.testing.assert_allclose(rot.euler_to_matrix([0.5, math.pi, 0], "ZXY"), about_z @ half_turn_x, atol=1e-15)


@given(rotvecs(), rotvecs(), st.lists(st.floats(-9, 9), min_size=3, max_size=3))
def test_quaternion_product_composes(a: NDArray[np.float64], b: NDArray[np.float64], xyz: list[float]) -> None:
    """Catches a product in the wrong order and a rotation by the inverse."""
    qa, qb = rot.rotvec_to_wxyz(a), rot.rotvec_to_wxyz(b)
    Ra, Rb = Rotation.from_rotvec(a), Rotation.from_rotvec(b)
    assert_same_rotation(rot.wxyz_multiply(qa, qb), scipy_wxyz(Ra * Rb))
    np.testing.assert_allclose(rot.wxyz_rotate(qa, xyz), Ra.apply(xyz), atol=1e-13)
    np.testing.assert_allclose(rot.wxyz_rotate(rot.wxyz_conjugate(qa), rot.wxyz_rotate(qa, xyz)), xyz, atol=1e-13)
    # The angle of a product loses no digits against the longer SciPy way; both near 0 and near pi.
    assert rot.wxyz_angle(qa, qb) == pytest.approx((Ra.inv() * Rb).magnitude(), abs=1e-7)


def test_angles_between_almost_equal_rotations_are_exact() -> None:
    """Catches 2 * arccos(dot), which sees nothing below 1e-8."""
    start = rot.rotvec_to_wxyz([0.3, -1.0, 0.7])
    for angle in (0.0, 1e-14, 1e-10, 1e-5, 1.0, math.pi - 1e-10):
        end = rot.wxyz_multiply(start, rot.rotvec_to_wxyz([0, angle, 0]))
        assert rot.wxyz_angle(start, -end) == pytest.approx(angle, abs=1e-15)


@given(rotvecs())
def test_sixd_round_trip(rotvec: NDArray[np.float64]) -> None:
    """Catches rows taken for columns, and a third axis with the wrong sign."""
    matrix = Rotation.from_rotvec(rotvec).as_matrix()
    sixd = rot.matrix_to_6d(matrix)
    np.testing.assert_array_equal(sixd, [*matrix[:, 0], *matrix[:, 1]])
    np.testing.assert_allclose(rot.sixd_to_matrix(sixd), matrix, atol=1e-14)


def test_sixd_repairs_what_a_network_puts_out() -> None:
    """Catches Gram-Schmidt that turns the first column or leaves the second leaning."""
    raw = np.random.default_rng(4).normal(size=(200, 6)) * 5
    raw[0] = [1, 0, 0, 1, 1e-6, 0]  # almost parallel
    matrix = rot.sixd_to_matrix(raw)
    np.testing.assert_allclose(matrix @ matrix.swapaxes(-1, -2), np.broadcast_to(np.eye(3), matrix.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-12)
    np.testing.assert_allclose(np.cross(matrix[..., :, 0], raw[:, :3]), 0, atol=1e-12)


@pytest.mark.parametrize("sixd", [[0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0], [1, 2, 3, 2, 4, 6], [1, 2, 3, -1, -2, -3]])
def test_sixd_without_a_meaning_is_refused(sixd: list[float]) -> None:
    """Catches noise blown up into a rotation."""
    with pytest.raises(InputError, match="direction"):
        rot.sixd_to_matrix(sixd)


@given(rotvecs(), rotvecs(), st.floats(0, 1))
def test_slerp_has_constant_speed_and_meets_both_ends(
    a: NDArray[np.float64], b: NDArray[np.float64], fraction: float
) -> None:
    """Catches normalised linear interpolation, the long way round, and division by sin(0)."""
    qa, qb = rot.rotvec_to_wxyz(a), -rot.rotvec_to_wxyz(b)
    whole = rot.wxyz_angle(qa, qb)
    middle = rot.wxyz_slerp(qa, qb, fraction)
    assert rot.wxyz_angle(qa, middle) == pytest.approx(fraction * whole, abs=1e-9)
    assert rot.wxyz_angle(middle, qb) == pytest.approx((1 - fraction) * whole, abs=1e-9)
    np.testing.assert_allclose(rot.wxyz_slerp(qa, qb, 0.0), qa, atol=1e-15)
    assert_same_rotation(rot.wxyz_slerp(qa, qb, 1.0), qb)


def test_slerp_broadcasts_over_time_and_joints() -> None:
    """Catches a fraction per frame that is taken for one per component."""
    a, b = (rot.rotvec_to_wxyz(np.random.default_rng(seed).normal(size=(5, 7, 3))) for seed in (5, 6))
    fraction = np.linspace(0, 1, 5)[:, None]
    whole = rot.wxyz_slerp(a, b, fraction)
    np.testing.assert_allclose(whole[3, 2], rot.wxyz_slerp(a[3, 2], b[3, 2], 0.75), atol=1e-15)


def test_continuous_signs() -> None:
    """Catches a flip that is undone in its own frame only."""
    angles = np.linspace(0, 4 * math.pi, 41)  # two whole turns: the quaternion changes sign on the way, smoothly
    smooth = np.stack([np.cos(angles / 2), 0 * angles, np.sin(angles / 2), 0 * angles], axis=-1)
    smooth = np.stack([smooth, -smooth], axis=1)  # two joints
    signs = np.random.default_rng(7).choice([-1.0, 1.0], (41, 2, 1))
    signs[0] = 1
    np.testing.assert_array_equal(rot.wxyz_continuous(smooth * signs), smooth)
    with pytest.raises(InputError, match="frames first"):
        rot.wxyz_continuous([1, 0, 0, 0])


@given(rotvecs(), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_rotation_between_is_the_shortest(rotvec: NDArray[np.float64], length_a: float, length_b: float) -> None:
    """Catches a wrong turn, any turn longer than the angle between, and noise near half a turn."""
    across = np.cross(unit(rotvec + np.array([1e-3, 2e-3, 3e-3])), [0.36, 0.48, 0.8])
    angle = float(np.linalg.norm(rotvec))
    axis = unit(across)
    a = unit(np.cross(axis, [0.6, 0.0, 0.8]))
    b = np.cos(angle) * a + np.sin(angle) * np.cross(axis, a)  # closed form, a is at right angles to the axis
    q = rot.rotation_between(a * length_a, b * length_b)
    np.testing.assert_allclose(rot.wxyz_rotate(q, a), b, atol=1e-11)
    assert rot.wxyz_angle(q, [1, 0, 0, 0]) == pytest.approx(angle, abs=1e-14)


def test_rotation_between_opposites_is_half_a_turn_across() -> None:
    """Catches NaN from a zero cross product."""
    a = np.array([unit(axis) for axis in AXES])
    q = rot.rotation_between(a, -a)
    np.testing.assert_allclose(rot.wxyz_rotate(q, a), -a, atol=1e-15)
    np.testing.assert_allclose(q[:, 0], 0, atol=1e-15)
    np.testing.assert_allclose(np.sum(q[:, 1:] * a, axis=-1), 0, atol=1e-15)
    with pytest.raises(InputError, match="zero"):
        rot.rotation_between([0, 0, 0], [1, 0, 0])


def test_project_to_so3_finds_the_nearest() -> None:
    """Catches a reflection handed out as a rotation, and a projection that is not the nearest."""
    rng = np.random.default_rng(8)
    raw = rng.normal(size=(100, 3, 3))
    nearest = rot.project_to_so3(raw)
    np.testing.assert_allclose(np.linalg.det(nearest), 1, atol=1e-12)
    best = np.linalg.norm(raw - nearest, axis=(-2, -1))
    for _ in range(50):  # no small turn brings it nearer
        nudged = nearest @ Rotation.from_rotvec(rng.normal(size=(100, 3)) * 0.01).as_matrix()
        assert (np.linalg.norm(raw - nudged, axis=(-2, -1)) >= best - 1e-12).all()
    np.testing.assert_array_equal(np.isnan(rot.project_to_so3(np.full((3, 3), np.nan))), True)


def test_batch_shapes_and_scalars() -> None:
    """Catches functions that only work for (N, ...)."""
    for batch in ((), (1,), (0,), (2, 3, 4)):
        q = np.broadcast_to([0.5, 0.5, 0.5, 0.5], (*batch, 4))
        matrix = rot.wxyz_to_matrix(q)
        assert matrix.shape == (*batch, 3, 3)
        assert rot.matrix_to_wxyz(matrix).shape == (*batch, 4)
        assert rot.matrix_to_rotvec(matrix).shape == (*batch, 3)
        assert rot.matrix_to_euler(matrix, "ZXY").shape == (*batch, 3)
        assert rot.sixd_to_matrix(rot.matrix_to_6d(matrix)).shape == (*batch, 3, 3)
        assert rot.wxyz_slerp(q, q, 0.5).shape == (*batch, 4)
        assert rot.wxyz_angle(q, q).shape == batch


def test_missing_stays_missing_and_never_spreads() -> None:
    """Catches NaN that becomes a valid rotation, or reaches its neighbours."""
    rotvec = awkward_rotvecs()
    rotvec[3] = np.nan
    known = np.arange(len(rotvec)) != 3
    for values in (
        rot.rotvec_to_wxyz(rotvec),
        rot.rotvec_to_matrix(rotvec),
        rot.wxyz_to_rotvec(rot.rotvec_to_wxyz(rotvec)),
        rot.matrix_to_wxyz(rot.rotvec_to_matrix(rotvec)),
        rot.matrix_to_euler(rot.rotvec_to_matrix(rotvec), "ZXY"),
        rot.sixd_to_matrix(rot.matrix_to_6d(rot.rotvec_to_matrix(rotvec))),
        rot.rotation_between(rotvec + 1, [0.0, 1, 0]),
    ):
        assert np.isnan(values[3]).all()
        assert np.isfinite(values[known]).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rot.wxyz_to_matrix([0, 0, 0, 0]), "zero"),
        (lambda: rot.wxyz_to_matrix([1, 0, 0]), r"wxyz must be \(\.\.\., 4\), got shape \(3,\)"),
        (lambda: rot.wxyz_normalized([np.inf, 0, 0, 0]), "infinite"),
        (lambda: rot.matrix_to_wxyz(np.eye(4)), r"\(\.\.\., 3, 3\)"),
        (lambda: rot.matrix_to_wxyz(-np.eye(3)), "project_to_so3"),
        (lambda: rot.matrix_to_wxyz(2 * np.eye(3)), "project_to_so3"),
        (lambda: rot.euler_to_matrix([0, 0, 0], "xyz"), "upper case"),
        (lambda: rot.euler_to_matrix([0, 0, 0], "XXY"), "one of XYZ"),
    ],
)
def test_refusals_say_what_is_wanted(call: object, words: str) -> None:
    """Catches silent acceptance: a zero quaternion, a mirror, lower-case (extrinsic) orders."""
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


def test_quaternions_of_any_length_are_the_same_rotation() -> None:
    """Catches overflow and underflow in the norm."""
    for length in (1e-200, 1e-3, 1.0, 1e200):
        np.testing.assert_allclose(rot.wxyz_normalized(np.array([1.0, 1, 1, 1]) * length), 0.5, atol=1e-15)


def test_heading_is_the_turn_about_the_vertical() -> None:
    """Catches a heading that leans with the body, flips its sign, or is lost upside down."""
    yaw = np.linspace(-4.0, 4.0, 50)
    turned = Rotation.from_euler("y", yaw[:, None])
    lean = Rotation.from_rotvec(np.column_stack([np.sin(yaw), 0 * yaw, np.cos(yaw)]))
    found = rot.wxyz_heading(np.roll((turned * lean).as_quat(), 1, axis=-1))
    np.testing.assert_allclose(
        (turned.inv() * Rotation.from_quat(np.roll(found, -1, axis=-1))).magnitude(), 0, atol=1e-9
    )
    assert (np.sum(found[1:] * found[:-1], axis=-1) > 0).all()
    over = np.array([[math.cos(0.5), 0, math.sin(0.5), 0], [0.0, 1, 0, 0], [0.0, 0, 0, 1]])
    np.testing.assert_allclose(rot.wxyz_heading(over), np.tile(over[0], (3, 1)), atol=1e-12)
