"""Gates: each catches the wrong calibration that it is for, and none closes before a good one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from rigs_of_cameras import ring, seen_by, walkers

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.rotations import rotvec_to_matrix
from mocap3d.base.triangulation import reprojection_px, triangulate
from mocap3d.cameras.gate import Gate, refuse_failed
from mocap3d.cameras.gates import check_cameras, check_lenses

WIDTH = 1920


def filmed(
    cameras: Sequence[Camera], *, seconds: float = 3.0, people: int = 2, noise_px: float = 2.0, **errors: float
) -> list[list[Pose2D]]:
    """What cameras see of people, per person."""
    return [
        list(seen_by(cameras, person, noise_px=noise_px, seed=n, **errors))
        for n, person in enumerate(walkers(people, seconds=seconds))
    ]


def failed(gates: Sequence[Gate]) -> set[str]:
    return {gate.name for gate in gates if not gate.passed}


def moved(camera: Camera, world_from_old: np.ndarray) -> Camera:
    return replace(camera, cam_from_world=camera.cam_from_world @ np.linalg.inv(world_from_old))


def median_px(cameras: Sequence[Camera], own: Sequence[Pose2D]) -> float:
    xy = np.stack([pose.xy_px for pose in own])
    return float(np.nanmedian(reprojection_px(cameras, triangulate(cameras, xy), xy)))


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize(
    "errors", [{"noise_px": 0.5}, {"noise_px": 6.0, "missing": 0.1}, {"noise_px": 4.0, "missing": 0.2, "outliers": 0.1}]
)
def test_good_cameras_pass(count: int, errors: dict[str, float]) -> None:
    """Catches gates that close before ordinary detectors: noise, missing joints, outliers, two to six cameras."""
    for seed in (0, 1):
        cameras = ring(count, seed=seed)
        gates = check_cameras(cameras, filmed(cameras, **errors))
        assert not failed(gates), [gate for gate in gates if not gate.passed]
        refuse_failed(gates)


def test_world_upside_down_at_a_low_error() -> None:
    """Catches the published failure: 0.28 px of reprojection error with the world upside down."""
    true = ring(4)
    people = filmed(true, noise_px=0.2)
    over = np.diag([1.0, -1.0, -1.0, 1.0])
    over[1, 3] = 1.9
    cameras = [moved(camera, over) for camera in true]
    assert median_px(cameras, people[0]) < 0.28
    gates = check_cameras(cameras, people)
    assert "upright" in failed(gates)
    with pytest.raises(CalibrationError, match=r"upside down.*film"):
        refuse_failed(gates)


def test_cameras_below_the_floor() -> None:
    """Catches a floor that lies above the cameras, or far below the feet."""
    for shift_m, gate in ((-1.8, "cameras above the floor"), (-1.8, "feet on the floor"), (1.5, "feet on the floor")):
        up = np.eye(4)
        up[1, 3] = shift_m
        cameras = ring(3)
        assert gate in failed(check_cameras([moved(camera, up) for camera in cameras], filmed(cameras)))


def test_somebody_beside_the_platform() -> None:
    """Catches a good floor refused because somebody else stands half a metre below it, longer in view or not."""
    cameras = ring(3)
    walker, other = walkers(2, seconds=3.0, apart_m=2.0)
    for people in ([walker, other - [0, 0.5, 0]], [other - [0, 0.5, 0], walker]):
        seen = [list(seen_by(cameras, xyz_m, noise_px=2.0, seed=n)) for n, xyz_m in enumerate(people)]
        assert not failed(check_cameras(cameras, seen))
    both = [list(seen_by(cameras, xyz_m - [0, 0.5, 0], noise_px=2.0)) for xyz_m in (walker, other)]
    assert failed(check_cameras(cameras, both)) == {"feet on the floor"}
    glimpse = seen_by(cameras, walker, noise_px=2.0)
    lost = [replace(p, confidence=np.where(np.arange(len(p))[:, None] < 9, p.confidence, 0.0)) for p in glimpse]
    lost = [replace(p, xy_px=np.where((p.confidence > 0)[..., None], p.xy_px, np.nan)) for p in lost]
    assert failed(check_cameras(cameras, [both[1], lost])) == {"feet on the floor"}  # a glimpse proves no floor


def test_upright_is_asked_of_those_whose_feet_nobody_sees() -> None:
    """Catches an upside-down world of people filmed from the hips up, which nothing asked about."""
    over = np.diag([1.0, -1.0, -1.0, 1.0])
    cameras = [moved(camera, over) for camera in ring(3)]
    shown = np.arange(17) < 15
    people = [
        [
            replace(pose, xy_px=np.where(shown[:, None], pose.xy_px, np.nan), confidence=pose.confidence * shown)
            for pose in own
        ]
        for own in filmed(ring(3), people=1)
    ]
    assert "upright" in failed(check_cameras(cameras, people))


def test_legs_of_a_single_moment_say_nothing() -> None:
    """Catches good cameras refused because once, below a table, a detector saw legs: of somebody who sat and waved."""
    cameras = ring(4)
    legs, moment = np.arange(17) >= 13, 40
    people = []
    for own in filmed(cameras, people=1):
        people.append([])
        for c, pose in enumerate(own):
            xy, confidence = pose.xy_px.copy(), pose.confidence.copy()
            hidden = legs & (np.arange(len(pose)) != moment)[:, None]
            xy[hidden], confidence[hidden] = np.nan, 0.0
            xy[moment, legs] = xy[moment, 5] + [40.0 * c, 300.0 - 350.0 * (c == 2)] + 30.0 * np.arange(4)[:, None]
            people[-1].append(replace(pose, xy_px=xy, confidence=confidence))
    gates = check_cameras(cameras, people)
    assert not failed(gates)
    assert "feet on the floor" not in {gate.name for gate in gates}  # where nobody saw them nothing is claimed


def test_squares_of_the_wrong_size() -> None:
    """Catches centimetres taken for metres, which no pixel notices."""
    true = ring(3)
    people = filmed(true)
    for factor in (10.0, 0.1, 1.5):
        cameras = []
        for camera in true:
            pose = camera.cam_from_world.copy()
            pose[:3, 3] *= factor
            cameras.append(replace(camera, cam_from_world=pose))
        gates = check_cameras(cameras, people)
        assert failed(gates) == {"size"}
        assert next(gate.value for gate in gates if gate.name == "size") == pytest.approx(factor * 1.62, rel=0.05)


@pytest.mark.parametrize("count", [3, 4])
def test_a_mirrored_picture_is_named(count: int) -> None:
    """Catches a selfie camera's mirrored video; the detector then calls right what is left."""
    cameras = ring(count)
    people = filmed(cameras)
    for own in people:
        own[1] = mirrored(own[1])
    gates = check_cameras(cameras, people)
    assert "mirrored" in failed(gates)
    assert "cam1" in next(gate.advice for gate in gates if gate.name == "mirrored")


def test_left_and_right_exchanged() -> None:
    """Catches all videos mirrored without the detector noticing: people would walk backwards."""
    cameras = ring(3)
    people = filmed(cameras)
    exchanged = [[replace(pose, xy_px=pose.xy_px[:, list(pose.skeleton.mirror)]) for pose in own] for own in people]
    assert failed(check_cameras(cameras, exchanged)) == {"left and right"}


def test_one_mirrored_picture_of_two() -> None:
    """Catches two cameras one of which is mirrored: only the space that they agree on betrays it."""
    cameras = ring(2)
    people = filmed(cameras)
    for own in people:
        own[1] = mirrored(own[1])
    assert failed(check_cameras(cameras, people))


@pytest.mark.parametrize("count", [3, 4])
def test_a_camera_that_was_bumped_halfway(count: int) -> None:
    """Catches a calibration that holds for a part of the clip only."""
    cameras = ring(count)
    turn = np.eye(4)
    turn[:3, :3] = rotvec_to_matrix(np.array([0.0, np.radians(2.5), 0.0]))
    bumped = replace(cameras[1], cam_from_world=turn @ cameras[1].cam_from_world)
    people = filmed(cameras)
    for own, after in zip(people, filmed([bumped]), strict=True):
        xy = own[1].xy_px.copy()
        xy[len(xy) // 2 :] = after[0].xy_px[len(xy) // 2 :]
        own[1] = replace(own[1], xy_px=xy)
    gates = check_cameras(cameras, people)
    assert "steady" in failed(gates)
    advice = next(gate.advice for gate in gates if gate.name == "steady")
    assert "cam1" in advice
    assert "bumped" in advice


def test_the_same_camera_twice() -> None:
    """Catches one video given as two, alone and beside a good one."""
    cameras = ring(2)
    people = filmed(cameras, people=1)
    again = replace(cameras[0], name="again")
    twice = check_cameras([cameras[0], again], [[own[0], own[0]] for own in people])
    assert {"directions", "different cameras"} <= failed(twice)
    beside = check_cameras([*cameras, again], [[own[0], own[1], own[0]] for own in people])
    assert "different cameras" in failed(beside)
    with pytest.raises(InputError, match="at least 2"):
        check_cameras(cameras[:1], [[own[0]] for own in people])


@pytest.mark.parametrize("late_s", [2.0, -2.0, 0.1])
def test_a_camera_that_lags(late_s: float) -> None:
    """Catches videos of different moments, whether by a few frames or by seconds, and says by how much."""
    cameras = ring(3)
    # A walk that turns: a straight one looks the same a step cycle later.
    (walk,) = walkers(1, seconds=12.0)
    angle = np.sin(np.arange(len(walk)) / 30 * 0.9) * 1.2
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    walk = np.stack([c * walk[..., 0] + s * walk[..., 2], walk[..., 1], c * walk[..., 2] - s * walk[..., 0]], axis=-1)
    shift = round(late_s * 30)
    first = [seen_by([camera], walk[60:240], noise_px=1.0, seed=n)[0] for n, camera in enumerate(cameras)]
    first[2] = seen_by([cameras[2]], walk[60 - shift : 240 - shift], noise_px=1.0, seed=5)[0]
    gates = check_cameras(cameras, [first])
    gate = next(gate for gate in gates if gate.name == "synchronous")
    assert not gate.passed
    assert gate.value == pytest.approx(late_s, abs=0.05)
    assert "cam2" in gate.advice
    assert "sync" in gate.advice


def test_a_camera_that_shares_nothing() -> None:
    """Catches a camera whose place a single picture decides."""
    cameras = ring(3)
    people = filmed(cameras, people=1)
    xy = people[0][2].xy_px.copy()
    xy[5:] = np.nan
    people[0][2] = replace(people[0][2], xy_px=xy, confidence=np.where(np.isnan(xy[..., 0]), 0.0, 0.8))
    assert "leverage" in failed(check_cameras(cameras, people))


def test_cameras_that_look_the_other_way() -> None:
    """Catches a pose turned around: the rays then meet behind the camera."""
    cameras = list(ring(2))
    turn = np.diag([-1.0, 1.0, -1.0, 1.0])
    cameras[1] = replace(cameras[1], cam_from_world=turn @ cameras[1].cam_from_world)
    people = filmed(ring(2))
    assert "in front" in failed(check_cameras(cameras, people))


def test_lenses_that_cannot_be() -> None:
    """Catches a solve that pays for bad views with an absurd lens."""
    good = ring(1)[0]
    assert not failed(check_lenses([good]))
    for K in (np.diag([60000.0, 60000.0, 1.0]), np.diag([1000.0, 1400.0, 1.0]), np.diag([1000.0, 1000.0, 1.0])):
        K[:2, 2] = (0.0, 0.0) if K[0, 0] == K[1, 1] == 1000.0 else good.K[:2, 2]
        assert failed(check_lenses([replace(good, K=K)])) == {"lens of cam0"}


def mirrored(pose: Pose2D) -> Pose2D:
    """What a detector says of the mirrored picture."""
    other = list(pose.skeleton.mirror)
    xy = pose.xy_px[:, other].copy()
    xy[..., 0] = WIDTH - 1 - xy[..., 0]
    return replace(pose, xy_px=xy, confidence=pose.confidence[:, other])
