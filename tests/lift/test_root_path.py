import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from walker import walk

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.root_path import place

CAMERA = Camera.from_fov("test", (1280, 720), 55.0, principal_px=(600.0, 300.0))
# Level camera at the height of a chest, 6 m to the side of somebody who walks along world +Z, towards picture right.
CAM_FROM_WORLD = np.array([[0, 0, 1, -2.4], [0, -1, 0, 1.2], [1, 0, 0, 6.0]], float)


def walk_seen(fps=30, speed_mps=1.2, noise_px=0.0):
    """Truth in the camera's frame, the root-relative body, and its pixels by a scalar pinhole."""
    world_m, _ = walk(4.0, fps, speed_mps)
    truth = world_m @ CAM_FROM_WORLD[:, :3].T + CAM_FROM_WORLD[:, 3]
    frames = len(truth)
    xy_px = np.full((frames, 17, 2), np.nan)
    confidence = np.zeros((frames, 17))
    rng = np.random.default_rng(1)
    for t in range(frames):
        for j, name in enumerate(COCO_17.joint_names):
            if name in LIFTER_20.joint_names:
                x, y, z = truth[t, LIFTER_20.joint_names.index(name)]
                xy_px[t, j] = CAMERA.K[0, 0] * x / z + 600.0, CAMERA.K[1, 1] * y / z + 300.0
                confidence[t, j] = 0.9
    xy_px += rng.normal(0, noise_px, xy_px.shape) if noise_px else 0
    pose2d = Pose2D(xy_px=xy_px, confidence=confidence, fps=Fraction(fps), skeleton=COCO_17)
    shape = truth.shape[:2]
    body = Pose3D(
        xyz_m=truth - truth[:, :1],
        confidence=np.ones(shape),
        std_m=np.full(shape, 0.03),
        views=np.ones(shape),
        fps=Fraction(fps),
        skeleton=LIFTER_20,
        frame="camera",
    )
    return truth, body, pose2d


def test_finds_the_path_that_made_the_pixels():
    """Catches a swapped axis, a forgotten principal point, or depth of the wrong sign."""
    truth, body, pose2d = walk_seen()
    placed, _ = place(body, pose2d, CAMERA)
    np.testing.assert_allclose(placed.xyz_m, truth, atol=0.02)


def test_survives_noise_and_a_wild_joint():
    """Catches a depth that jumps with every noisy frame, and one wrong wrist that drags the body away."""
    truth, body, pose2d = walk_seen(noise_px=4.0)
    xy_px = pose2d.xy_px.copy()
    xy_px[20:60, COCO_17.index("left_wrist")] += 200.0
    placed, _ = place(body, dataclasses.replace(pose2d, xy_px=xy_px), CAMERA)
    error = np.linalg.norm(placed.xyz_m[:, 0] - truth[:, 0], axis=-1)
    assert np.median(error) < 0.06
    acceleration = np.diff(placed.xyz_m[:, 0], 2, axis=0) * 30**2
    assert np.abs(acceleration).max() < 15.0


@pytest.mark.parametrize("fps", [15, 60, 120])
def test_does_not_depend_on_the_frame_rate(fps):
    """Catches smoothness weights stated per frame instead of per second."""
    truth, body, pose2d = walk_seen(fps=fps, noise_px=4.0)
    placed, _ = place(body, pose2d, CAMERA)
    assert np.median(np.linalg.norm(placed.xyz_m[:, 0] - truth[:, 0], axis=-1)) < 0.06


def test_bridges_frames_without_any_joint():
    """Catches a singular system, or a body thrown to the camera, where nothing was seen."""
    truth, body, pose2d = walk_seen()
    confidence = pose2d.confidence.copy()
    confidence[40:50] = 0
    placed, _ = place(body, dataclasses.replace(pose2d, confidence=confidence), CAMERA)
    np.testing.assert_allclose(placed.xyz_m[:, 0], truth[:, 0], atol=0.05)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_clips(frames):
    """Catches second differences of a clip that has none."""
    truth, body, pose2d = walk_seen()
    body = dataclasses.replace(
        body, **{name: getattr(body, name)[:frames] for name in ("xyz_m", "confidence", "std_m", "views")}
    )
    pose2d = dataclasses.replace(pose2d, xy_px=pose2d.xy_px[:frames], confidence=pose2d.confidence[:frames])
    placed, _ = place(body, pose2d, CAMERA)
    np.testing.assert_allclose(placed.xyz_m, truth[:frames], atol=0.05)


def test_nobody_seen_is_an_error():
    """Catches a zero matrix solved to garbage."""
    _, body, pose2d = walk_seen()
    with pytest.raises(InputError, match="no joint was seen"):
        place(body, dataclasses.replace(pose2d, confidence=np.zeros(pose2d.confidence.shape)), CAMERA)


def test_refuses_other_frames():
    """Catches 2D and 3D of different lengths paired by luck."""
    _, body, pose2d = walk_seen()
    short = dataclasses.replace(pose2d, xy_px=pose2d.xy_px[:5], confidence=pose2d.confidence[:5])
    with pytest.raises(InputError, match="frames"):
        place(body, short, CAMERA)
