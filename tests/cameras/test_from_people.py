"""Cameras from people alone: pairs, the whole rig, size, vertical, floor; and given cameras refined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from rigs_of_cameras import BROWN, ring, seen_by, walkers

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.procrustes import align
from mocap3d.base.rotations import rotvec_to_matrix
from mocap3d.base.skeletons import COCO_17
from mocap3d.cameras.from_people import PeopleSettings, Seen, cameras_from_people, refine_from_people
from mocap3d.cameras.gate import refuse_failed
from mocap3d.cameras.gates import check_cameras
from mocap3d.cameras.people import place_in_world, start_pair, stature_m

FPS = Fraction(30)


def lifted(camera: Camera, xyz_m: np.ndarray, pose2d: Pose2D, *, size: float = 1.0, seed: int = 0) -> Seen:
    """What a poor monocular lifter would say: the truth in the camera's frame, tilted, stretched and noisy."""
    rng = np.random.default_rng(seed)
    cam = xyz_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    middle = cam.mean(axis=1, keepdims=True)
    tilt = rotvec_to_matrix(rng.normal(0, np.radians(6), 3))
    body = (cam - middle) @ tilt.T + rng.normal(0, 0.03, (1, 17, 3)) + rng.normal(0, 0.03, cam.shape)
    depth = middle * rng.uniform(0.9, 1.1)
    seen = pose2d.confidence > 0
    pose3d = Pose3D(
        xyz_m=(body + depth) * size,
        confidence=np.where(seen, 0.8, 0.0),
        std_m=np.full(seen.shape, 0.05),
        views=seen.astype(np.int64),
        fps=FPS,
        skeleton=COCO_17,
        frame="camera",
    )
    return Seen(pose2d=pose2d, pose3d=pose3d)


def filmed(
    cameras: Sequence[Camera], people: Sequence[np.ndarray], *, size: float = 1.0, **errors: float
) -> list[list[Seen]]:
    """Per camera everybody whom it saw, in an order of its own."""
    views: list[list[Seen]] = [[] for _ in cameras]
    for n, xyz_m in enumerate(people):
        poses = seen_by(cameras, xyz_m, seed=n, **errors)
        for c, (camera, pose) in enumerate(zip(cameras, poses, strict=True)):
            views[c].append(lifted(camera, xyz_m, pose, size=size, seed=10 * c + n))
    return [own[::-1] if c % 2 else own for c, own in enumerate(views)]


def off(found: Sequence[Camera], true: Sequence[Camera]) -> tuple[float, float, float]:
    """Worst place after similarity alignment as a share of the mean distance, worst angle in degrees, and the scale."""
    a, b = (np.array([camera.world_from_cam[:3, 3] for camera in cameras]) for cameras in (true, found))
    fit = align(a, b, scaled=True)
    apart = np.linalg.norm(a[:, None] - a[None], axis=-1)
    places = float(np.linalg.norm(fit.apply(b) - a, axis=1).max() / apart[apart > 0].mean())
    turns = [
        np.arccos(
            np.clip((np.trace(x.cam_from_world[:3, :3] @ fit.rotation.T @ y.cam_from_world[:3, :3].T) - 1) / 2, -1, 1)
        )
        for x, y in zip(found, true, strict=True)
    ]
    return places, float(np.degrees(max(turns))), float(fit.scale)


@pytest.mark.parametrize(
    ("count", "people", "errors"),
    [
        (3, 1, {"noise_px": 2.0}),
        (4, 2, {"noise_px": 3.0, "missing": 0.1, "outliers": 0.05}),
        (6, 1, {"noise_px": 2.0, "missing": 0.2}),
    ],
)
def test_finds_a_rig_from_people(count: int, people: int, errors: dict[str, float]) -> None:
    """Catches pairs linked the wrong way round, people mixed up between cameras, outliers that pull, no distortion."""
    true = ring(count, lens=BROWN, seed=count)
    motion = walkers(people, seconds=4.0)
    lenses = [replace(camera, cam_from_world=np.eye(4)) for camera in true]
    views = filmed(true, motion, **errors)
    found = cameras_from_people(views, lenses, height_m=1.62)
    places, angle, scale = off(found.cameras, true)
    assert places < 0.02
    assert angle < 1.0
    assert scale == pytest.approx(1.0, abs=0.05)
    assert len(found.people) == people
    for members in found.people:  # cameras of odd number list people backwards
        numbers = {people - 1 - n if c % 2 else n for c, n in enumerate(members) if n is not None}
        assert len(numbers) == 1
    own = [[None if n is None else views[c][n].pose2d for c, n in enumerate(members)] for members in found.people]
    assert not [gate for gate in check_cameras(found.cameras, own) if not gate.passed]


def test_two_cameras_are_enough() -> None:
    """Catches a start that needs a third camera; and a size that comes from the lifter when a distance is known."""
    true = ring(2)
    views = filmed(true, walkers(1, seconds=4.0), noise_px=1.0, size=1.3)
    apart = float(np.linalg.norm(true[0].world_from_cam[:3, 3] - true[1].world_from_cam[:3, 3]))
    found = cameras_from_people(views, true, distance_m=(0, 1, apart))
    assert found.placement.scale_from == "distance"
    assert found.placement.stature_m[0] == pytest.approx(1.62, rel=0.05)
    pair = found.cameras[1].cam_from_world @ found.cameras[0].world_from_cam
    wanted = true[1].cam_from_world @ true[0].world_from_cam
    np.testing.assert_allclose(pair[:3, :3], wanted[:3, :3], atol=0.04)
    np.testing.assert_allclose(pair[:3, 3], wanted[:3, 3], atol=0.15)


def test_size_comes_from_what_is_known() -> None:
    """Catches a height that is divided by instead of multiplied with, and a lifter's size taken for the truth."""
    true = ring(3)
    views = filmed(true, walkers(1, seconds=3.0), noise_px=1.0, size=0.8)
    assumed = cameras_from_people(views, true)
    tall = cameras_from_people(views, true, height_m=2.0)
    assert assumed.placement.scale_from == "assumed"
    assert tall.placement.scale_from == "height"
    assert tall.placement.stature_m[0] == pytest.approx(2.0, rel=1e-6)
    assert stature_m(tall.poses[0]) == pytest.approx(2.0, rel=1e-6)
    assert assumed.placement.stature_m[0] == pytest.approx(0.8 * 1.62, rel=0.15)  # noise lengthens limbs
    with pytest.raises(InputError, match="height_m"):
        cameras_from_people(views, true, height_m=17.0)
    with pytest.raises(InputError, match="distance_m"):
        cameras_from_people(views, true, distance_m=(0, 0, 1.0))


def test_focal_lengths_are_refined() -> None:
    """Catches focal lengths that are free but do not move, or run away."""
    true = ring(4)
    views = filmed(true, walkers(2, seconds=4.0), noise_px=1.0)
    guess = []
    for c, camera in enumerate(true):
        K = camera.K.copy()
        K[[0, 1], [0, 1]] *= (1.06, 0.95, 1.03, 0.97)[c]
        guess.append(replace(camera, K=K))
    found = cameras_from_people(views, guess, settings=PeopleSettings(refine_focal=True, rounds=4))
    ratio = np.array([camera.K[0, 0] / other.K[0, 0] for camera, other in zip(found.cameras, true, strict=True)])
    assert np.ptp(ratio) < 0.03


def test_who_shares_nobody_is_refused() -> None:
    """Catches a camera that is placed anywhere because nothing links it."""
    true = ring(3)
    views = filmed(true, walkers(1, seconds=3.0))
    with pytest.raises(CalibrationError, match=r"cam2.*film"):
        cameras_from_people([views[0], views[1], []], true)
    with pytest.raises(InputError, match="at least 2"):
        cameras_from_people(views[:1], true[:1])
    assert start_pair(0, 1, [[], views[1]], true[:2]) is None


@pytest.mark.parametrize("known", [True, False])
def test_up_and_floor_come_from_feet(known: bool) -> None:
    """Catches a vertical taken from one witness: a man who leans, on a floor that his steps make level."""
    cameras = ring(3)
    xyz_m = walkers(1, seconds=6.0)[0]
    lean = rotvec_to_matrix(np.array([0.0, 0.0, np.radians(10)]))
    upper = [COCO_17.index(name) for name in COCO_17.joint_names if name.split("_")[-1] not in ("knee", "ankle", "hip")]
    hips = xyz_m[:, [11, 12]].mean(axis=1, keepdims=True)
    xyz_m[:, upper] = (xyz_m[:, upper] - hips) @ lean.T + hips
    heights = xyz_m[:, [15, 16], 1]
    stands = heights < heights.min() + 0.02
    contacts = np.repeat(stands.astype(float), 2, axis=1) if known else None
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = rotvec_to_matrix(np.array([0.4, 1.0, 0.3])), (3.0, -2.0, 1.0)
    old = [replace(camera, cam_from_world=camera.cam_from_world @ turn) for camera in cameras]
    points = (xyz_m - turn[:3, 3]) @ turn[:3, :3]
    seen = np.ones(points.shape[:2])
    pose = Pose3D(
        xyz_m=points, confidence=seen, std_m=0 * seen, views=seen.astype(int), fps=FPS, skeleton=COCO_17, frame="world"
    )
    placed = place_in_world(old, [pose], contacts=[contacts])
    up = placed.world_from_old[:3, :3] @ turn[:3, :3].T @ [0.0, 1.0, 0.0]
    assert np.degrees(np.arccos(up[1])) < (4.0 if known else 7.0)
    assert abs(placed.moved(pose).xyz_m[..., 1].min() - xyz_m[..., 1].min()) < 0.06
    for camera, true in zip(placed.cameras, cameras, strict=True):
        assert camera.world_from_cam[1, 3] == pytest.approx(true.world_from_cam[1, 3], abs=0.4 if known else 0.9)
        inside = camera.cam_from_world[:3, :3] @ placed.moved(pose).xyz_m[0, 0] + camera.cam_from_world[:3, 3]
        np.testing.assert_allclose(
            inside, true.cam_from_world[:3, :3] @ xyz_m[0, 0] + true.cam_from_world[:3, 3], atol=1e-9
        )


def test_people_on_two_floors() -> None:
    """Catches a world tilted until somebody on a platform and somebody beside it stand on one floor."""
    cameras = ring(4)
    low, high = walkers(2, seconds=4.0, apart_m=3.0)
    people = [high + [0.0, 0.4, 0.0], low]
    poses, contacts = [], []
    for n, xyz_m in enumerate(people):
        ankles = xyz_m[:, [15, 16], 1]
        contacts.append(np.repeat(ankles < ankles.min() + 0.02, 2, axis=1).astype(float))
        seen = np.ones(xyz_m.shape[:2])
        poses.append(
            Pose3D(
                xyz_m=xyz_m,
                confidence=seen,
                std_m=0.02 * seen,
                views=(4 - 2 * n) * seen.astype(np.int64),
                fps=FPS,
                skeleton=COCO_17,
                frame="world",
            )
        )
    placed = place_in_world(cameras, poses, contacts=contacts)
    assert np.degrees(np.arccos(placed.world_from_old[1, 1])) < 2.5
    # The floor is that of the first, of whom cameras saw more.
    for camera, true in zip(placed.cameras, cameras, strict=True):
        assert camera.world_from_cam[1, 3] == pytest.approx(true.world_from_cam[1, 3] - 0.4, abs=0.2)


def test_feet_of_a_single_moment_are_no_floor() -> None:
    """Catches a floor laid where a detector once, below a table, saw feet."""
    (xyz_m,) = walkers(1, seconds=2.0)
    there = np.ones(xyz_m.shape[:2])
    there[:, 13:] = 0.0
    there[30, 13:] = 1.0
    pose = Pose3D(
        xyz_m=np.where(there[..., None] > 0, xyz_m, np.nan),
        confidence=there,
        std_m=np.zeros_like(there),
        views=2 * there.astype(np.int64),
        fps=FPS,
        skeleton=COCO_17,
        frame="world",
    )
    for contacts in (None, [np.ones((len(pose), 4))]):
        with pytest.raises(CalibrationError, match="film the feet"):
            place_in_world(ring(2), [pose], contacts=contacts)


def test_refines_given_cameras() -> None:
    """Catches a refinement that wanders off, or does not see that one camera is turned by a degree."""
    true = ring(4)
    people = [list(seen_by(true, xyz_m, noise_px=2.0, seed=n)) for n, xyz_m in enumerate(walkers(2, seconds=3.0))]
    turn = np.eye(4)
    turn[:3, :3] = rotvec_to_matrix(np.radians([0.0, 1.0, 0.4]))
    given = list(true)
    given[2] = replace(true[2], cam_from_world=turn @ true[2].cam_from_world)
    refined = refine_from_people(given, people)
    assert refined.before_px[2] > 8
    assert refined.after_px.max() < 4
    for camera, other in zip(refined.cameras, true, strict=True):
        assert np.linalg.norm(camera.world_from_cam[:3, 3] - other.world_from_cam[:3, 3]) < 0.12
    with pytest.raises(InputError, match="one entry"):
        refine_from_people(given, [people[0][:2]])


def turning(seconds: float = 8.0) -> np.ndarray:
    """Somebody whose way bends: a straight one looks the same a step cycle later."""
    walk = walkers(1, seconds=seconds)[0]
    angle = np.sin(np.arange(len(walk)) / 30 * 0.9) * 1.2
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([c * walk[..., 0] + s * walk[..., 2], walk[..., 1], c * walk[..., 2] - s * walk[..., 0]], axis=-1)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("wrong", ["mirrored", "late", "twice"])
def test_wrong_videos_are_refused(wrong: str, count: int) -> None:
    """Catches a rig that is made to fit a mirrored video, one that is 2 s late, or one that was given twice."""
    cameras = ring(count, seed=1)
    walk = turning()
    views = filmed(cameras, [walk[60:180]], noise_px=2.0)
    if wrong == "mirrored":
        views[1] = [mirrored(seen) for seen in views[1]]
    elif wrong == "late":
        views[1] = filmed(cameras, [walk[:120]], noise_px=2.0)[1]
    else:
        views[1] = views[0]
    with pytest.raises(CalibrationError, match=r"mirrored|sync|same video"):
        calibrated(views, cameras)


def calibrated(views: Sequence[Sequence[Seen]], lenses: Sequence[Camera]) -> None:
    """Find cameras and ask the gates."""
    found = cameras_from_people(views, lenses, height_m=1.62)
    people = [[None if n is None else views[c][n].pose2d for c, n in enumerate(own)] for own in found.people]
    refuse_failed(check_cameras(found.cameras, people))


def mirrored(seen: Seen) -> Seen:
    """What detector and lifter say of the mirrored picture."""
    other = list(COCO_17.mirror)
    flat, solid = seen.pose2d, seen.pose3d
    xy_px, xyz_m = flat.xy_px[:, other].copy(), solid.xyz_m[:, other].copy()
    xy_px[..., 0] = 1919 - xy_px[..., 0]
    xyz_m[..., 0] *= -1
    return Seen(
        pose2d=replace(flat, xy_px=xy_px, confidence=flat.confidence[:, other]),
        pose3d=replace(solid, xyz_m=xyz_m, confidence=solid.confidence[:, other]),
    )


def test_frames_must_fit() -> None:
    """Catches a body of other frames than its joints in the picture."""
    camera = ring(2)[0]
    xyz_m = walkers(1, seconds=1.0)[0]
    seen = lifted(camera, xyz_m, seen_by([camera], xyz_m)[0])
    with pytest.raises(InputError, match="frames"):
        replace(seen, pose2d=replace(seen.pose2d, xy_px=seen.pose2d.xy_px[1:], confidence=seen.pose2d.confidence[1:]))
    with pytest.raises(InputError, match="contacts"):
        replace(seen, contacts=np.zeros((3, 4)))
