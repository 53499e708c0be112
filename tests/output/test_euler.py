"""Euler angles for files: SciPy as the oracle, continuity as the property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.output.euler import TAIT_BRYAN_ORDERS, euler_to_wxyz, wxyz_to_continuous_euler

angle = st.one_of(
    st.floats(-720, 720), st.sampled_from([0.0, 90.0, -90.0, 180.0, -180.0, 1e-9, 89.9999999, -90.0000001])
)


def scipy_matrix(angles_deg, letters):
    """Compose with SciPy; capital letters mean intrinsic there as here."""
    return Rotation.from_euler(letters, angles_deg, degrees=True).as_matrix()


@given(st.text("XYZ", min_size=1, max_size=3), st.data())
def test_turns_compose_as_in_scipy(letters, data):
    """Catches a wrong order or direction of turning, also for joints with one or two rotation channels."""
    angles_deg = data.draw(st.lists(angle, min_size=len(letters), max_size=len(letters)))
    wxyz = euler_to_wxyz(np.deg2rad([angles_deg]), ["XYZ".index(letter) for letter in letters])[0]
    expected = np.eye(3)
    for letter, value in zip(letters, angles_deg, strict=True):
        expected = expected @ scipy_matrix([value], letter)
    np.testing.assert_allclose(Rotation.from_quat(wxyz, scalar_first=True).as_matrix(), expected, atol=1e-12)


@given(st.sampled_from(TAIT_BRYAN_ORDERS), st.lists(st.tuples(angle, angle, angle), min_size=1, max_size=6))
def test_angles_give_the_rotation_back(order, triples):
    """Catches a wrong sign for one of the six orders, and gimbal lock."""
    matrices = scipy_matrix(np.array(triples), order)
    wxyz = Rotation.from_matrix(matrices).as_quat(scalar_first=True)[:, None]
    angles = wxyz_to_continuous_euler(wxyz, order)[:, 0]
    np.testing.assert_allclose(scipy_matrix(np.rad2deg(angles), order), matrices, atol=3e-7)


@given(
    st.sampled_from(TAIT_BRYAN_ORDERS),
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(-7, 7)] * 3),
    st.integers(1, 100),
)
def test_a_smooth_movement_has_smooth_angles_through_full_turns_and_across_gimbal_lock(order, start, step, cut):
    """Catches a jump by 360 degrees, the flip to the other triple, and a jump between two blocks.

    The angles move in straight lines, so the middle one runs through +-90 degrees again and again. A frame that lies
    exactly in lock does not tell how far the free angle went; the next one makes up for it: two steps at once.
    """
    line = np.array(start) + np.arange(101)[:, None] * np.array(step)
    wxyz = euler_to_wxyz(np.deg2rad(line), ["XYZ".index(letter) for letter in order])[:, None]
    first = wxyz_to_continuous_euler(wxyz[:cut], order)
    second = wxyz_to_continuous_euler(wxyz[cut:], order, first[-1])
    angles = np.rad2deg(np.concatenate([first, second]))[:, 0]
    assert np.linalg.norm(np.diff(angles, axis=0), axis=-1).max() <= 2 * np.linalg.norm(step) + 1e-4


@pytest.mark.parametrize("order", TAIT_BRYAN_ORDERS)
@pytest.mark.parametrize("middle", [90.0, -90.0])
def test_in_gimbal_lock_the_free_angle_stays(order, middle):
    """Catches an outer angle set to zero for the frames in lock, which shows as a spike in the curves."""
    line = np.array([[30.0, middle * f, 20.0] for f in (0.8, 0.9, 1.0, 1.0, 0.9, 0.8)])
    wxyz = euler_to_wxyz(np.deg2rad(line), ["XYZ".index(letter) for letter in order])[:, None]
    angles = np.rad2deg(wxyz_to_continuous_euler(wxyz, order))[:, 0]
    np.testing.assert_allclose(angles, line, atol=1e-4)
