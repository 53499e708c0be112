import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from walker import walk

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.lift.root_path import RootPathSettings, place

CAMERA = Camera.from_fov("test", (1280, 720), 55.0, principal_px=(600.0, 300.0))
# Level camera at the height of a chest, 6 m to the side of somebody who walks along world +Z, towards picture right.
CAM_FROM_WORLD = np.array([[0, 0, 1, -2.4], [0, -1, 0, 1.2], [1, 0, 0, 6.0]], float)


def walk_seen(fps=30, speed_mps=1.2, noise_px=0.0, seed=1):
    """Truth in the camera's frame, the root-relative body, and its pixels by a scalar pinhole."""
    world_m, _ = walk(4.0, fps, speed_mps)
    truth = world_m @ CAM_FROM_WORLD[:, :3].T + CAM_FROM_WORLD[:, 3]
    frames = len(truth)
    xy_px = np.full((frames, 17, 2), np.nan)
    confidence = np.zeros((frames, 17))
    rng = np.random.default_rng(seed)
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


def lens_pixels(truth, camera):
    """OpenCV's pixels (T, 17, 2) of joints in the camera's frame, NaN for joints that the lifter has not."""
    common = [(j, LIFTER_20.index(name)) for j, name in enumerate(COCO_17.joint_names) if name in LIFTER_20.joint_names]
    in_2d, in_3d = (list(indices) for indices in zip(*common, strict=True))
    points = truth[:, in_3d].reshape(-1, 1, 3).copy()
    lens = cv2.fisheye.projectPoints if camera.model == "fisheye" else cv2.projectPoints
    seen, _ = lens(points, np.zeros(3), np.zeros(3), camera.K.copy(), camera.distortion.copy())
    xy_px = np.full((len(truth), 17, 2), np.nan)
    xy_px[:, in_2d] = seen.reshape(len(truth), -1, 2)
    return xy_px


@pytest.mark.parametrize(
    ("model", "distortion"),
    [("brown-conrady", [-0.25, 0.08, 0.002, -0.001, 0.01]), ("fisheye", [0.05, -0.01, 0.003, -0.001])],
)
def test_places_through_a_distorting_lens(model, distortion):
    """Catches distortion ignored or applied the wrong way round: 16 cm and more at the edge of these pictures."""
    camera = dataclasses.replace(CAMERA, model=model, distortion=np.array(distortion))
    truth, body, pose2d = walk_seen()
    placed, _ = place(body, dataclasses.replace(pose2d, xy_px=lens_pixels(truth, camera)), camera)
    assert np.linalg.norm(placed.xyz_m - truth, axis=-1).max() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_planted_feet_hold_the_path(seed):
    """Catches feet that skate: pixels 6 px off move the body, unless a foot that stands stays where it is."""
    _, body, pose2d = walk_seen(noise_px=6.0, seed=seed)
    _, planted = walk(4.0)
    stands = planted[1:] & planted[:-1]
    slip_mps = []
    for settings in (RootPathSettings(), RootPathSettings(slide_mps=1e6)):
        placed, contacts = place(body, pose2d, CAMERA, settings=settings)
        ankles = placed.xyz_m[:, [LIFTER_20.index("left_ankle"), LIFTER_20.index("right_ankle")]]
        speed = np.linalg.norm(np.diff(ankles, axis=0), axis=-1) * 30
        slip_mps.append(np.sqrt(np.mean(speed[stands] ** 2)))
    assert slip_mps[0] < 0.04
    assert slip_mps[0] < 0.5 * slip_mps[1]
    assert ((contacts[:, [0, 2]] > 0.5) == planted).mean() > 0.85


@pytest.mark.parametrize("slide_mps", [0.1, 1e6])
def test_the_path_accelerates_as_people_do(slide_mps):
    """Catches a path that follows the noise of each frame: this body's depth never changes."""
    _, body, pose2d = walk_seen(noise_px=6.0, seed=7)
    settings = RootPathSettings(slide_mps=slide_mps)
    placed, _ = place(body, pose2d, CAMERA, settings=settings)
    acceleration = np.diff(placed.xyz_m[:, 0, 2], 2) * 30**2
    assert np.sqrt(np.mean(acceleration**2)) < 0.5


@pytest.mark.parametrize("slide_mps", [0.1, 1e6])
def test_four_times_the_frames_give_the_same_path(slide_mps):
    """Catches a term weighted per frame, not per second: noise that wanders must move 30 and 120 fps alike."""
    _, body, pose2d = walk_seen(fps=120)
    noise = gaussian_filter1d(np.random.default_rng(5).normal(size=pose2d.xy_px.shape), 8, axis=0)
    pose2d = dataclasses.replace(pose2d, xy_px=pose2d.xy_px + noise * 8 / noise.std())
    slow_body = dataclasses.replace(
        body, fps=30, **{name: getattr(body, name)[::4] for name in ("xyz_m", "confidence", "std_m", "views")}
    )
    slow_pose2d = dataclasses.replace(
        pose2d, fps=30, xy_px=pose2d.xy_px[::4].copy(), confidence=pose2d.confidence[::4].copy()
    )
    settings = RootPathSettings(slide_mps=slide_mps)
    fast, _ = place(body, pose2d, CAMERA, settings=settings)
    slow, _ = place(slow_body, slow_pose2d, CAMERA, settings=settings)
    apart = np.linalg.norm(fast.xyz_m[::4, 0] - slow.xyz_m[:, 0], axis=-1)
    assert np.sqrt(np.mean(apart**2)) < 0.01


def test_a_body_behind_the_camera_is_an_error():
    """Catches a person placed behind the lens, where upside-down pixels fit perfectly."""
    _, body, pose2d = walk_seen()
    mirrored = 2 * np.array([600.0, 300.0]) - pose2d.xy_px
    with pytest.raises(InputError, match="in front of the camera"):
        place(body, dataclasses.replace(pose2d, xy_px=mirrored), CAMERA)


def test_refuses_what_does_not_belong_together():
    """Catches 25 and 30 fps paired frame by frame, and two skeletons without a common joint solved from nothing."""
    _, body, pose2d = walk_seen()
    with pytest.raises(InputError, match="25 fps"):
        place(dataclasses.replace(body, fps=25), pose2d, CAMERA)
    names = tuple(f"other {name}" for name in COCO_17.joint_names)
    stranger = dataclasses.replace(pose2d, skeleton=dataclasses.replace(COCO_17, joint_names=names))
    with pytest.raises(InputError, match="share no joint"):
        place(body, stranger, CAMERA)


def test_confidence_weighs():
    """Catches joints that the detector hardly believes in counted like all others."""
    truth, body, pose2d = walk_seen()
    legs = [COCO_17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "hip")]
    xy_px, confidence = pose2d.xy_px.copy(), pose2d.confidence.copy()
    xy_px[:, legs] += [0.0, 20.0]
    confidence[:, legs] = 1e-4
    doubted = dataclasses.replace(pose2d, xy_px=xy_px, confidence=confidence)
    placed, _ = place(body, doubted, CAMERA)
    assert np.linalg.norm(placed.xyz_m[:, 0] - truth[:, 0], axis=-1).max() < 0.05


@pytest.mark.parametrize("off_px", [100.0, 200.0])
def test_an_arm_that_is_wrong_in_every_frame(off_px):
    """Catches outliers with full weight, or a lifter trusted so little that half a metre is none."""
    truth, body, pose2d = walk_seen()
    xy_px = pose2d.xy_px.copy()
    xy_px[:, [COCO_17.index("left_wrist"), COCO_17.index("left_elbow")]] += [off_px, -0.7 * off_px]
    placed, _ = place(body, dataclasses.replace(pose2d, xy_px=xy_px), CAMERA)
    assert np.linalg.norm(placed.xyz_m[:, 0] - truth[:, 0], axis=-1).max() < 0.12


def test_an_arm_of_somebody_else_does_not_drag_the_body_away():
    """Catches reweighting that stops before it has settled: an arm that is wrong in every frame, by a body's width."""
    truth, body, pose2d = walk_seen()
    xy_px = pose2d.xy_px.copy()
    xy_px[:, [COCO_17.index("left_wrist"), COCO_17.index("left_elbow")]] += [300.0, -210.0]
    placed, _ = place(body, dataclasses.replace(pose2d, xy_px=xy_px), CAMERA)
    assert np.linalg.norm(placed.xyz_m[:, 0] - truth[:, 0], axis=-1).max() < 0.1
