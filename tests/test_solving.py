"""From joints in the picture to a performance, as `mocap3d capture` does it without the pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from solved_people import joints_of, world_pose
from walker_views import walk_seen_from

from mocap3d.base.camera import Camera
from mocap3d.base.kinematics import forward
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17, HUMANOID_22
from mocap3d.clip import Performance
from mocap3d.solving import (
    Placed,
    Sight,
    Standing,
    Wanted,
    find_world,
    in_world,
    lift_person,
    perform,
    settle,
    solve_person,
)


def placed_by(pose2d: Pose2D, camera: Camera) -> Placed:
    """One person in the camera's frame."""
    return lift_person(Sight(person=1, first=0, pose2d=pose2d), Wanted(camera=camera))


def performed(placed: Placed, camera: Camera) -> Performance:
    """One person alone in a shot."""
    wanted = Wanted(camera=camera)
    ground = find_world([placed], wanted)
    one = in_world(placed, ground)
    people, motions, _ = settle([one], [solve_person(one, wanted)], ground)
    return perform(people[0], motions[0], 0, wanted)


def places_m(one: Performance) -> np.ndarray:
    """(T, 22, 3)."""
    return forward(one.motion)[0]


@pytest.fixture(scope="module")
def seen() -> tuple[Pose2D, Camera]:
    """A walker from the side, noise of a pixel."""
    _, pose, camera = walk_seen_from(70, 30, 75)
    noise = np.random.default_rng(0).normal(0, 1.0, pose.xy_px.shape)
    return replace(pose, xy_px=pose.xy_px + noise), camera


@pytest.fixture(scope="module")
def placed(seen: tuple[Pose2D, Camera]) -> Placed:
    return placed_by(*seen)


@pytest.fixture(scope="module")
def walker(placed: Placed, seen: tuple[Pose2D, Camera]) -> Performance:
    return performed(placed, seen[1])


def test_the_lifter_tells_which_feet_stand(walker: Performance) -> None:
    """Catches the network's own contacts lost on the way, or those of the other foot."""
    hint = walker.lifted_contacts
    assert hint is not None
    assert hint.shape == (75, 4)
    heels = places_m(walker)[:, [HUMANOID_22.index(f"{side}Foot") for side in ("left", "right")]]
    speed = np.linalg.norm(np.gradient(heels, axis=0), axis=-1)
    for side in (0, 1):
        assert np.corrcoef(hint[:, 2 * side], speed[:, side])[0, 1] < -0.5


def test_what_the_lifter_says_of_contacts_is_heard() -> None:
    """Catches a hint that never arrives where contacts are found: a foot on a chair, beside a leg that stands."""
    turn = np.zeros((60, 22, 3))
    for bone, angle in (("UpperLeg", -1.2), ("LowerLeg", 1.2)):
        turn[:, HUMANOID_22.index(f"left{bone}"), 0] = angle
    pose = world_pose(joints_of(turn, np.tile([0.0, 0.889, 0.0], (60, 1))))
    camera = Camera.from_fov("any", (640, 480), 60)
    nothing = np.full((60, 17, 2), np.nan)
    unseen = Pose2D(xy_px=nothing, confidence=np.zeros((60, 17)), fps=Fraction(30), skeleton=COCO_17)
    sight = Sight(person=1, first=0, pose2d=unseen)
    stands = {}
    for name, hint in (("no hint", None), ("chair", np.full((60, 4), 0.9))):
        motion = solve_person(Standing(sight=sight, pose3d=pose, hint=hint), Wanted(camera=camera))
        stands[name] = (motion.contacts[:, :2] >= 0.5).mean()
    assert stands["no hint"] < 0.1
    assert stands["chair"] > 0.9


def test_somebody_who_is_still_in_the_picture_is_still(seen: tuple[Pose2D, Camera]) -> None:
    """Catches a lifter, a floor, a solver or a lock that moves what does not: one frame of the walker, repeated."""
    pose, camera = seen
    frames = np.full(60, 20)
    still = replace(pose, xy_px=pose.xy_px[frames], confidence=pose.confidence[frames])
    at_m = places_m(performed(placed_by(still, camera), camera))
    assert np.linalg.norm(at_m - at_m.mean(axis=0), axis=-1).max() < 0.001


def test_mirrored_joints_give_the_mirrored_performance(placed: Placed, seen, walker: Performance) -> None:
    """Catches a side that the floor, the solver, contacts or the lock treat otherwise; of lifting that is not asked."""
    pose3d = placed.pose3d
    mirror = list(pose3d.skeleton.mirror)
    per_joint = {name: getattr(pose3d, name)[:, mirror] for name in ("confidence", "std_m", "views")}
    other = replace(
        placed,
        pose3d=replace(pose3d, xyz_m=(pose3d.xyz_m * [-1, 1, 1])[:, mirror], **per_joint),
        contacts=placed.contacts[:, [2, 3, 0, 1]],
        hint=placed.hint[:, [2, 3, 0, 1]],
    )
    at_m = (places_m(performed(other, seen[1])) * [-1, 1, 1])[:, list(HUMANOID_22.mirror)]
    assert np.linalg.norm(at_m - places_m(walker), axis=-1).max() < 1e-5


def test_the_frame_rate_of_the_camera_does_not_matter() -> None:
    """Catches windows in frames, in any step from the picture to planted feet."""
    found = {}
    for fps in (30, 60):
        _, pose, camera = walk_seen_from(70, fps, 3 * fps)
        found[fps] = places_m(performed(placed_by(pose, camera), camera))
    apart_m = np.linalg.norm(found[60][::2] - found[30], axis=-1)
    assert np.median(apart_m) < 0.015
    assert np.percentile(apart_m, 95) < 0.03
