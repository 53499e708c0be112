"""Toe tips for triangulated people: from every camera's lifted body, in the world, on the triangulated ankle."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from rigs_of_cameras import ring
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import COCO_17, COCO_TOES_19, LIFTER_20
from mocap3d.lift.toes import with_toes

FRAMES = 12


def person() -> tuple[Pose3D, dict[str, np.ndarray]]:
    """Somebody made of numbers: COCO joints in the world, and where the toe tips are, by side."""
    random = np.random.default_rng(3)
    joints = random.normal(size=(1, 17, 3)) + random.normal(scale=0.01, size=(FRAMES, 17, 3))
    toes = {}
    for side in ("left", "right"):
        pitch = Rotation.from_euler("xy", [(angle, 20) for angle in range(-40, 32, 6)], degrees=True)
        toes[side] = joints[:, COCO_17.index(f"{side}_ankle")] + pitch.apply([0.02, -0.05, 0.17])
    pose = Pose3D(
        xyz_m=joints,
        confidence=np.full((FRAMES, 17), 0.8),
        std_m=np.full((FRAMES, 17), 0.01),
        views=np.full((FRAMES, 17), 3),
        fps=Fraction(30),
        skeleton=COCO_17,
        frame="world",
    )
    return pose, toes


def lifted(camera: Camera, *, size: float = 1.0, confidence: float = 0.7) -> Pose3D:
    """What a perfect lifter says of that person: its own root, its own idea of how large people are."""
    pose, toes = person()
    world = np.zeros((FRAMES, 20, 3))
    for n, name in enumerate(LIFTER_20.joint_names):
        if name in COCO_17.joint_names:
            world[:, n] = pose.xyz_m[:, COCO_17.index(name)]
        elif name.endswith("_toe"):
            world[:, n] = toes[name.removesuffix("_toe")]
    turn = Rotation.from_matrix(camera.cam_from_world[:3, :3])
    body = np.stack([turn.apply(frame) for frame in world]) * size
    return Pose3D(
        xyz_m=body - body[:, :1] + 7.0,
        confidence=np.full((FRAMES, 20), confidence),
        std_m=np.full((FRAMES, 20), 0.05),
        views=np.ones((FRAMES, 20), int),
        fps=Fraction(30),
        skeleton=LIFTER_20,
        frame="camera",
    )


@pytest.mark.parametrize("size", [1.0, 0.7, 1.3])
def test_toes_come_back_to_where_they_were(size: float) -> None:
    """Catches the wrong rotation of a camera, feet of the lifter's size on a child, an ankle that is not ours."""
    pose, toes = person()
    cameras = ring(3)
    found = with_toes(pose, [lifted(camera, size=size) for camera in cameras], cameras)
    assert found.skeleton == COCO_TOES_19
    np.testing.assert_array_equal(found.xyz_m[:, :17], pose.xyz_m)
    for side, truth in toes.items():
        np.testing.assert_allclose(found.xyz_m[:, found.skeleton.index(f"{side}_toe")], truth, atol=1e-9)
    np.testing.assert_allclose(found.confidence[:, 17:], 0.7)
    np.testing.assert_allclose(found.std_m[:, 17:], 0.05 / size)
    assert (found.views[:, 17:] == 3).all()


def test_a_camera_counts_as_much_as_it_sees() -> None:
    """Catches a mean over cameras of which one sees no ankle, and one that was given up."""
    pose, toes = person()
    cameras = ring(4)
    bodies: list[Pose3D | None] = [lifted(camera) for camera in cameras]
    wrong = lifted(cameras[1], confidence=0.0)
    bodies[1] = replace(wrong, xyz_m=wrong.xyz_m + np.random.default_rng(1).normal(size=wrong.xyz_m.shape))
    bodies[2] = None
    found = with_toes(pose, bodies, cameras)
    np.testing.assert_allclose(found.xyz_m[:, 17], toes["left"], atol=1e-9)
    assert (found.views[:, 17] == 2).all()


def test_what_is_not_known_stays_so() -> None:
    """Catches a toe on an ankle that nobody saw, a sure toe on an ankle that was filled in, and NaN as confidence."""
    pose, _ = person()
    ankle = COCO_17.index("right_ankle")
    xyz_m, confidence = pose.xyz_m.copy(), pose.confidence.copy()
    xyz_m[3, ankle], confidence[3:5, ankle] = np.nan, 0.0
    cameras = ring(2)
    pose = replace(pose, xyz_m=xyz_m, confidence=confidence)
    found = with_toes(pose, [lifted(camera) for camera in cameras], cameras)
    toe = found.skeleton.index("right_toe")
    assert np.isnan(found.xyz_m[3, toe]).all()
    assert np.isfinite(found.xyz_m[4, toe]).all()
    assert found.confidence[3:6, toe].tolist() == pytest.approx([0, 0, 0.7])
    nobody = with_toes(pose, [None, None], cameras)
    assert np.isnan(nobody.xyz_m[:, 17:]).all()
    assert (nobody.confidence[:, 17:] == 0).all()


def test_other_input_is_refused() -> None:
    """Catches joints taken by their number from a skeleton that has others there."""
    pose, _ = person()
    cameras = ring(2)
    bodies = [lifted(camera) for camera in cameras]
    with pytest.raises(InputError, match=r"coco-17 in the world, got lifter-20"):
        with_toes(bodies[0], bodies, cameras)
    with pytest.raises(InputError, match="one body"):
        with_toes(pose, bodies[:1], cameras)
