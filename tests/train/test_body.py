from __future__ import annotations

import numpy as np
from bodies import walking
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.train.body import OFFSETS_M, coco_points, mirrored, vary_bones
from mocap3d.train.mixing import with_arms_of, with_upper_body_of

AT = {name: j for j, name in enumerate(LIFTER_20.joint_names)}
POINT = {name: j for j, name in enumerate(COCO_17.joint_names)}


def lengths(joints_m):
    """Of the bone from its parent to every joint but the root, (..., 19)."""
    return np.linalg.norm(joints_m[..., 1:, :] - joints_m[..., list(LIFTER_20.parents[1:]), :], axis=-1)


def test_points_lie_where_the_table_says_on_an_upright_body():
    """Catches offsets along the wrong axis: the walker faces +Z, its left is +X."""
    body = walking(1)[0].astype(float)
    points = coco_points(body).xyz_m
    middle = (body[AT["neck"]] + body[AT["head"]]) / 2
    # the walker's face point lies exactly ahead of the middle of its head
    np.testing.assert_allclose(points[POINT["nose"]], middle + [0, -0.035, 0.115], atol=1e-6)
    np.testing.assert_allclose(points[POINT["left_ear"]], middle + [0.075, -0.01, -0.005], atol=1e-6)
    assert points[POINT["left_hip"], 0] > body[AT["left_hip"], 0] + 0.015
    assert points[POINT["right_hip"], 0] < body[AT["right_hip"], 0] - 0.015
    for name in ("left_elbow", "right_wrist", "left_knee", "right_ankle"):
        np.testing.assert_allclose(points[POINT[name]], body[AT[name]], atol=1e-9)


@given(st.integers(0, 10**6))
def test_points_move_with_the_body(seed):
    """Catches a part of the attachment that is fixed in the world."""
    turn, shift = Rotation.random(rng=seed).as_matrix(), np.array([1.0, -2.0, 3.0])
    body = walking(3).astype(float)
    moved = coco_points(body @ turn.T + shift)
    np.testing.assert_allclose(moved.xyz_m, coco_points(body).xyz_m @ turn.T + shift, atol=1e-6)
    np.testing.assert_allclose(moved.head_axes, turn @ coco_points(body).head_axes, atol=1e-6)


def test_mirror_twice_is_the_same_and_left_is_right():
    """Catches a mirror that keeps the labels, which would teach left for right."""
    body = walking(3)
    image = mirrored(body)
    np.testing.assert_array_equal(mirrored(image), body)
    np.testing.assert_allclose(image[:, AT["left_wrist"]], body[:, AT["right_wrist"]] * [-1, 1, 1])
    points, image_points = coco_points(body).xyz_m, coco_points(image).xyz_m
    np.testing.assert_allclose(image_points[:, list(COCO_17.mirror)] * [-1, 1, 1], points, atol=1e-6)


def test_bones_are_varied_and_the_stature_is_kept():
    """Catches factors on the wrong bones, a pelvis that moves, and a second body size."""
    body = walking(4)[None]
    factors = np.ones((1, 20), np.float32)
    factors[0, [AT["left_elbow"], AT["right_elbow"]]] = 1.07
    varied = vary_bones(body, factors)
    ratio = lengths(varied) / lengths(body)
    expected = factors[0, 1:]
    np.testing.assert_allclose(ratio[0], np.broadcast_to(expected, ratio[0].shape), atol=1e-4)
    factors[0, [AT["left_knee"], AT["right_knee"]]] = 0.93
    varied = vary_bones(body, factors)
    legs = [AT[f"{side}_{part}"] - 1 for side in ("left", "right") for part in ("knee", "ankle")]
    np.testing.assert_allclose(lengths(varied)[..., legs].sum(-1), lengths(body)[..., legs].sum(-1), rtol=2e-3)
    np.testing.assert_array_equal(varied[:, :, 0], body[:, :, 0])


def test_mixed_bodies_keep_legs_and_lengths():
    """Catches an upper body that is torn off, scaled, or turned against the pelvis."""
    legs, upper = walking(20), walking(20)[::-1].copy()
    upper = (upper @ Rotation.from_euler("y", 70, degrees=True).as_matrix().T.astype(np.float32)) + np.float32(2)
    mixed = with_upper_body_of(legs, upper)
    below = [AT[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "toe")]
    np.testing.assert_array_equal(mixed[:, below], legs[:, below])
    np.testing.assert_allclose(lengths(mixed), lengths(legs), atol=1e-5)
    # both walkers hold their trunk upright and face along their path, so the mixed one faces along the legs' path
    ahead = [body[:, AT["face"]] - body[:, AT["neck"]] for body in (mixed, legs)]
    np.testing.assert_allclose(*ahead, atol=1e-4)
    np.testing.assert_allclose(with_upper_body_of(legs, legs), legs, atol=1e-5)


def test_mixed_arms_hang_on_the_shoulders():
    """Catches arms that stay where they came from."""
    body, arms = walking(20), walking(40)[20:]
    mixed = with_arms_of(body, arms)
    changed = np.flatnonzero(np.abs(mixed - body).max(axis=(0, 2)) > 1e-6)
    assert {LIFTER_20.joint_names[j] for j in changed} == {"left_elbow", "left_wrist", "right_elbow", "right_wrist"}
    np.testing.assert_allclose(lengths(mixed), lengths(body), atol=1e-5)


def test_offsets_are_those_of_an_adult():
    """Catches centimetres, or left and right that differ."""
    np.testing.assert_allclose(OFFSETS_M[list(COCO_17.mirror)] * [-1, 1, 1], OFFSETS_M, atol=1e-7)
    assert np.abs(OFFSETS_M).max() < 0.15
