"""Named frames against hand-written examples: where do a person's left hand, head and nose go in each program?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base import frames
from mocap3d.base.errors import InputError
from mocap3d.base.frames import FRAMES, Frame, a_from_b, change_matrices, change_points, change_wxyz

# The point 1 m to the person's left, 2 m up, 3 m ahead, as each program writes it. Sources: the table in frames.py;
# Unity's and OpenCV's rows are also what VMC receivers and cv2.projectPoints expect.
LEFT1_UP2_AHEAD3 = {
    "world": (1, 2, 3),
    "z-up": (3, 1, 2),
    "blender": (1, -3, 2),
    "unity": (-1, 2, 3),
    "unreal": (3, -1, 2),
    "opencv": (1, -2, -3),
}
NAMES = sorted(LEFT1_UP2_AHEAD3)


def test_every_frame_has_a_hand_written_example() -> None:
    """Catches a new frame that nobody checked."""
    assert set(FRAMES) == set(LEFT1_UP2_AHEAD3)


@pytest.mark.parametrize("b", NAMES)
@pytest.mark.parametrize("a", NAMES)
def test_points_go_where_each_program_says(a: str, b: str) -> None:
    """Catches a mirrored person, a person on the back, and a matrix used the wrong way round."""
    matrix = a_from_b(FRAMES[a], FRAMES[b])
    np.testing.assert_array_equal(change_points(matrix, LEFT1_UP2_AHEAD3[b]), LEFT1_UP2_AHEAD3[a])


def test_handedness() -> None:
    """Catches a left-handed program taken for a right-handed one."""
    assert {name for name, frame in FRAMES.items() if not frame.is_right_handed} == {"unity", "unreal"}
    assert np.linalg.det(a_from_b(frames.UNITY, frames.UNREAL)) == pytest.approx(1)
    assert np.linalg.det(a_from_b(frames.UNITY, frames.BLENDER)) == pytest.approx(-1)


def test_bowing_in_unity_is_bowing() -> None:
    """Catches quaternions that are mirrored like points: Unity's rule is p = (-x, y, z), q = (x, -y, -z)."""
    wxyz = np.array([0.5, 0.1, -0.7, 0.5])
    wxyz /= np.linalg.norm(wxyz)
    unity = change_wxyz(a_from_b(frames.UNITY, frames.WORLD), wxyz)
    np.testing.assert_allclose(unity, wxyz * [1, 1, -1, -1], atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_raising_the_left_arm_raises_it_everywhere(name: str) -> None:
    """Catches a change of basis on one side only: the arm along +X turned by +90 degrees about +Z points up."""
    left, up = np.eye(3)[0], np.eye(3)[1]
    raise_arm = Rotation.from_rotvec([0, 0, math.pi / 2]).as_matrix()
    np.testing.assert_allclose(raise_arm @ left, up, atol=1e-15)
    to = a_from_b(FRAMES[name], frames.WORLD)
    moved = change_matrices(to, raise_arm) @ change_points(to, left)
    np.testing.assert_allclose(moved, change_points(to, up), atol=1e-15)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_rotating_then_changing_is_changing_then_rotating(rotvec: list[float], a: str, b: str) -> None:
    """Catches rotations that turn the wrong way under a change of handedness, in both forms."""
    matrix = a_from_b(FRAMES[a], FRAMES[b])
    rotation = Rotation.from_rotvec(rotvec)
    point = np.array([0.3, -1.2, 0.8])
    expected = change_points(matrix, rotation.apply(point))
    by_matrix = change_matrices(matrix, rotation.as_matrix())
    np.testing.assert_allclose(by_matrix @ change_points(matrix, point), expected, atol=1e-12)
    assert np.linalg.det(by_matrix) == pytest.approx(1)
    w, x, y, z = change_wxyz(matrix, np.roll(rotation.as_quat(), 1))
    np.testing.assert_allclose(Rotation.from_quat([x, y, z, w]).as_matrix(), by_matrix, atol=1e-12)


@pytest.mark.parametrize("a", NAMES)
def test_there_and_back(a: str) -> None:
    """Catches matrices that do not compose: a_from_c = a_from_b @ b_from_c."""
    for b in NAMES:
        forth, back = a_from_b(FRAMES[a], FRAMES[b]), a_from_b(FRAMES[b], FRAMES[a])
        np.testing.assert_array_equal(forth @ back, np.eye(3))
        via = a_from_b(FRAMES[a], frames.UNREAL) @ a_from_b(frames.UNREAL, FRAMES[b])
        np.testing.assert_array_equal(via, forth)


def test_refusals() -> None:
    """Catches frames with two axes alike, unknown names and matrices that are no change of axes."""
    with pytest.raises(InputError, match="three different axes"):
        Frame(name="flat", left="+X", up="-X", forward="+Z")
    with pytest.raises(InputError, match="world, z-up"):
        frames.frame_named("maya")
    with pytest.raises(InputError, match="orthogonal"):
        change_points(np.eye(3) * 100, [1, 2, 3])
    with pytest.raises(InputError, match=r"\(\.\.\., 3\)"):
        change_points(np.eye(3), [1, 2])
    assert np.isnan(change_points(a_from_b(frames.UNREAL, frames.WORLD), [np.nan, 1, 1])).all()
