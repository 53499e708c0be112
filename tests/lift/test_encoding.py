from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocap3d.base.skeletons import COCO_17
from mocap3d.lift.encoding import cam_from_virtual, encode, virtual_from_cam_points

HIPS = [COCO_17.index("left_hip"), COCO_17.index("right_hip")]
LEGS = [COCO_17.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")]


def person(seed=0, frames=6, at=(0.5, 0.1, 4.0)):
    """A slowly moving person-like cloud of 17 points in front of a camera, (T, 17, 3) metres."""
    rng = np.random.default_rng(seed)
    body = rng.uniform([-0.4, -0.9, -0.3], [0.4, 0.9, 0.3], (17, 3))
    body[HIPS] = [[0.1, 0, 0], [-0.1, 0, 0]]
    return body + np.array(at) + np.linspace(0, 0.2, frames)[:, None, None]


def rays_of(xyz_m):
    return xyz_m / xyz_m[..., 2:]


def encoded(rays, confidence=None):
    return encode(rays, np.full(rays.shape[:-1], 0.8) if confidence is None else confidence)


def joints_of(features):
    return features[..., :-1].reshape(*features.shape[:-1], 17, 3)


def test_features_of_one_frame_by_hand():
    """Catches swapped axes, a division by the wrong size, and another order of the features."""
    yardstick = [0.60, 0.64, 0.64, 0.63, 0.63, 0.50, 0.50, 0.40, 0.40, 0.50, 0.50, 0.08, 0.08, 0.38, 0.38, 0.71, 0.71]
    rays = rays_of(person(frames=1))
    result = encoded(rays)
    hip = [(rays[0, HIPS[0], i] + rays[0, HIPS[1], i]) / 2 for i in range(2)]
    # the virtual camera by SciPy: the rotation about the axis that is at right angles to both rays
    look = np.array([*hip, 1.0]) / math.sqrt(hip[0] ** 2 + hip[1] ** 2 + 1)
    axis = np.cross(look, [0, 0, 1])
    R = Rotation.from_rotvec(axis / np.linalg.norm(axis) * math.acos(look[2])).as_matrix()
    np.testing.assert_allclose(result.virtual_from_cam[0], R, atol=1e-12)
    uv = [[(R @ ray)[0] / (R @ ray)[2], (R @ ray)[1] / (R @ ray)[2]] for ray in rays[0]]
    scale = math.sqrt(sum(u * u + v * v for u, v in uv) / sum(y * y for y in yardstick))
    assert result.features.shape == (1, 52)
    for joint, (u, v) in zip(joints_of(result.features)[0], uv, strict=True):
        np.testing.assert_allclose(joint, [u / scale, v / scale, 0.8], atol=1e-9)
    assert result.features[0, -1] == 0


def test_the_virtual_camera_looks_at_the_hips_and_turns_back():
    """Catches a transposed rotation: joints would come back turned the wrong way."""
    xyz_m = person()
    result = encoded(rays_of(xyz_m))
    hips = joints_of(result.features)[:, HIPS, :2].mean(axis=1)
    assert np.abs(hips).max() < 0.01  # the middle of two points and of their perspective pictures differ a little
    turned = virtual_from_cam_points(xyz_m, result.virtual_from_cam)
    np.testing.assert_allclose(cam_from_virtual(turned, result.virtual_from_cam), xyz_m, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(result.virtual_from_cam), 1)


def test_distance_is_forgotten_but_its_change_is_told():
    """Catches features that depend on how far away the person is, or a rate with the wrong sign."""
    near, far = person(at=(0, 0, 4)), person(at=(0, 0, 4))
    near_rays, far_rays = rays_of(near), rays_of(far)
    far_rays[..., :2] *= 0.5  # half as large in the picture
    np.testing.assert_allclose(encoded(near_rays).features[:, :-1], encoded(far_rays).features[:, :-1], atol=0.02)
    approaching = rays_of(person(at=(0, 0, 4)))
    approaching[..., :2] *= np.linspace(1, 1.5, 6)[:, None, None]
    assert (encoded(approaching).features[1:, -1] > encoded(near_rays).features[1:, -1] + 0.3).all()


def test_no_feature_knows_the_future():
    """Catches a median or a fill over the whole clip, which a causal lifter could not have."""
    rays = rays_of(person(frames=8))
    rays[3:5, 4] = np.nan
    confidence = np.where(np.isnan(rays[..., 0]), 0, 0.7)
    whole = encode(rays, confidence)
    for t in range(1, 8):
        part = encode(rays[:t], confidence[:t])
        np.testing.assert_array_equal(part.features, whole.features[:t])
        np.testing.assert_array_equal(part.virtual_from_cam, whole.virtual_from_cam[:t])


def test_missing_is_zero_and_filled_keeps_its_place():
    """Catches a NaN in the network, and a filled joint that claims to have been seen."""
    rays = rays_of(person())
    confidence = np.full((6, 17), 0.9)
    rays[:, 9], confidence[:, 9] = np.nan, 0
    confidence[:, 10] = 0
    joints = joints_of(encode(rays, confidence).features)
    assert (joints[:, 9] == 0).all()
    assert (joints[:, 10, :2] != 0).all()
    assert (joints[:, 10, 2] == 0).all()


def test_a_lost_joint_hardly_changes_the_others():
    """Catches a scale that jumps when a wrist disappears."""
    rays = rays_of(person(seed=2))
    confidence = np.full((6, 17), 0.9)
    before = joints_of(encode(rays, confidence).features)
    rays[:, 15], confidence[:, 15] = np.nan, 0
    after = joints_of(encode(rays, confidence).features)
    others = [j for j in range(17) if j != 15]
    np.testing.assert_allclose(after[:, others], before[:, others], rtol=0.25, atol=0.02)


def test_without_hips_they_are_expected_below_the_shoulders():
    """Catches a virtual camera that looks at the head, or nowhere, in upper-body shots."""
    rays = np.full((1, 17, 3), np.nan)
    rays[0, :5] = [0.2, -0.5, 1]
    rays[0, 5:7] = [0.2, -0.3, 1]
    confidence = np.where(np.isnan(rays[..., 0]), 0, 0.9)
    looks_at = encode(rays, confidence).virtual_from_cam[0, 2]
    np.testing.assert_allclose(looks_at[:2] / looks_at[2], [0.2, -0.3 + 2.5 * 0.2], atol=1e-12)
    assert np.isfinite(encode(rays, confidence).features).all()
    rays[0, :5], confidence[0, :5] = np.nan, 0
    looks_at = encode(rays, confidence).virtual_from_cam[0, 2]
    np.testing.assert_allclose(looks_at[:2] / looks_at[2], [0.2, -0.3], atol=1e-12)


def test_a_frame_with_nobody_holds_the_view():
    """Catches a division by zero, and a camera that snaps back to the optical axis for one frame."""
    rays = rays_of(person(frames=5))
    confidence = np.full((5, 17), 0.9)
    rays[[0, 3]], confidence[[0, 3]] = np.nan, 0
    result = encode(rays, confidence)
    assert np.isfinite(result.features).all()
    np.testing.assert_array_equal(result.virtual_from_cam[3], result.virtual_from_cam[2])
    np.testing.assert_array_equal(result.virtual_from_cam[0], np.eye(3))
    assert (result.features[3] == 0).all()


def test_many_clips_at_once_equal_one_by_one():
    """Catches an axis that only works for one clip: training encodes batches, capture single clips."""
    clips = np.stack([rays_of(person(seed)) for seed in range(3)])
    clips[1, 2, LEGS] = np.nan
    confidence = np.where(np.isnan(clips[..., 0]), 0, 0.6)
    together = encode(clips, confidence)
    for i in range(3):
        alone = encode(clips[i], confidence[i])
        np.testing.assert_allclose(together.features[i], alone.features, atol=1e-12)
        np.testing.assert_allclose(together.virtual_from_cam[i], alone.virtual_from_cam, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_precision_it_is_given(dtype):
    """Catches training that doubles its memory, or capture that loses digits."""
    result = encode(rays_of(person()).astype(dtype), np.ones((6, 17), dtype))
    assert result.features.dtype == result.virtual_from_cam.dtype == dtype
