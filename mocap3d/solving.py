"""Everything after the pictures: 2D joints -> 3D joints -> the world -> rotations; what capture and solve share.

People of one shot share its floor, so a shot is solved as a whole: each person is lifted by themselves
(``lift_person``), all of them say where gravity and the floor are (``find_world``), each is solved
(``solve_person``), and one shift puts everybody's soles on the floor (``settle``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.ground import Ground
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.rig import Rig
from mocap3d.clip import Performance

__all__ = [
    "DEFAULT_HEIGHT_M",
    "FootLock",
    "Placed",
    "Sight",
    "Standing",
    "Wanted",
    "camera_in_world",
    "check_wanted",
    "doubts_of",
    "find_world",
    "in_world",
    "lift_person",
    "moved",
    "notes_of",
    "perform",
    "settle",
    "solve_person",
]

Floats = NDArray[np.float64]

DEFAULT_HEIGHT_M = 1.70
"""Stature when nobody says otherwise: between the means of adult women and men (NCD-RisC 2016)."""

_FAR_OFF_PERCENT = 4.0  # of the body's height; 1.3 to 2.9 where the lens is about right, however people move

FootLock = Literal["off", "auto", "strong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How to solve, defaults filled in.

    Attributes:
        camera: the lens.
        height_m: stature of the people.
        camera_tilt_deg: how far the camera looks down, if measured.
        device: "cpu", or a torch device.
        foot_lock: how firmly planted feet are held.
        symmetric: whether left bones are as long as right ones.
    """

    camera: Camera
    height_m: float = DEFAULT_HEIGHT_M
    camera_tilt_deg: float | None = None
    device: str = "cpu"
    foot_lock: FootLock = "auto"
    symmetric: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One person in the picture, from first to last sight; ``first`` is a frame of the video."""

    person: int
    first: int
    pose2d: Pose2D


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One person in the camera's frame.

    Attributes:
        sight: where they come from.
        pose3d: joints, camera frame; NaN in frames without the person.
        contacts: (T, 4) left ankle, left toe, right ankle, right toe, by their speed.
        hint: (T, 4) what the lifter says of heels and toes; None if its weights do not say.
    """

    sight: Sight
    pose3d: Pose3D
    contacts: Floats
    hint: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One person in the world, ready to be solved.

    Attributes:
        sight: where they come from.
        pose3d: joints, world.
        hint: (T, 4) the lifter's foot contacts, or None.
        contacts: (T, 4) foot contacts that are known; None lets them be found.
        rig: the body; None measures it on the clip.
    """

    sight: Sight
    pose3d: Pose3D
    hint: Floats | None
    contacts: Floats | None = None
    rig: Rig | None = None


def check_wanted(
    *,
    fov_deg: float | None,
    height_m: float | None,
    camera_tilt_deg: float | None,
    foot_lock: str,
    symmetric: bool = True,
) -> None:
    """Refuse what would be noticed late.

    Raises:
        InputError: a number out of its range, no such foot lock, or no truth value.
    """
    limits = {"fov_deg": (1.0, 170.0), "height_m": (0.3, 3.0), "camera_tilt_deg": (-89.0, 89.0)}
    numbers = {"fov_deg": fov_deg, "height_m": height_m, "camera_tilt_deg": camera_tilt_deg}
    for name, value in numbers.items():
        low, high = limits[name]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and low <= value <= high):
            raise InputError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
    if foot_lock not in get_args(FootLock):
        raise InputError(f"foot_lock must be one of {', '.join(get_args(FootLock))}, got {foot_lock!r}")
    if not isinstance(symmetric, bool):
        raise InputError(f"symmetric must be true or false, got {symmetric!r}")


def lift_person(sight: Sight, wanted: Wanted) -> Placed:
    """Find a person's joints in the camera's frame.

    Raises:
        InputError: nothing was seen of the person, or the body cannot be placed.
    """
    from mocap3d.lift.bones import with_constant_bones
    from mocap3d.lift.monocular import lift_everything
    from mocap3d.lift.root_path import place

    pose2d, camera, height_m = sight.pose2d, wanted.camera, wanted.height_m
    lifted = lift_everything(pose2d, camera, height_m=height_m, device=wanted.device)
    body = with_constant_bones(lifted.body, height_m=height_m, symmetric=wanted.symmetric)
    pose3d, contacts = place(body, pose2d, camera)
    unseen, hint = _unseen(pose2d), lifted.contacts
    if unseen.any():
        xyz_m, confidence = pose3d.xyz_m.copy(), pose3d.confidence.copy()
        xyz_m[unseen], confidence[unseen] = np.nan, 0.0
        pose3d = replace(pose3d, xyz_m=xyz_m, confidence=confidence)
        contacts = np.where(unseen[:, None], 0.0, contacts)
        hint = None if hint is None else np.where(unseen[:, None], 0.0, hint)
    return Placed(sight=sight, pose3d=pose3d, contacts=contacts, hint=hint)


def find_world(people: Sequence[Placed], wanted: Wanted) -> Ground:
    """Find gravity and the floor from all people of a shot."""
    from mocap3d.lift.ground import find_ground

    return find_ground(
        [one.pose3d for one in people],
        [one.contacts for one in people],
        height_m=wanted.height_m,
        camera_tilt_deg=wanted.camera_tilt_deg,
    )


def in_world(placed: Placed, ground: Ground) -> Standing:
    """Bring a person from the camera's frame into the world."""
    return Standing(sight=placed.sight, pose3d=moved(placed.pose3d, ground.world_from_cam), hint=placed.hint)


def moved(pose: Pose3D, world_from_here: Floats) -> Pose3D:
    """Move joints rigidly into the world, (4, 4)."""
    xyz_m = pose.xyz_m @ world_from_here[:3, :3].T + world_from_here[:3, 3]
    return replace(pose, xyz_m=xyz_m, frame="world")


def solve_person(one: Standing, wanted: Wanted) -> Motion:
    """Find the rotations of one person in the world, and which heels and toes stand.

    Contacts that are given hold the feet while solving, and so do those that are found.
    """
    from mocap3d.motion.solve import SolveSettings, solve

    return solve(
        one.pose3d,
        rig=one.rig,
        height_m=wanted.height_m,
        contacts=one.contacts,
        hint=one.hint,
        start_frame=one.sight.first,
        settings=SolveSettings(symmetric=wanted.symmetric),
    )


def settle(
    people: Sequence[Standing], motions: Sequence[Motion], ground: Ground
) -> tuple[list[Standing], list[Motion], Ground]:
    """Shift everybody of a shot by one height, so that planted soles stand on the floor."""
    from mocap3d.motion.soles import sole_height_m

    drop_m = np.array([0.0, sole_height_m(motions), 0.0])
    world_from_cam = ground.world_from_cam.copy()
    world_from_cam[:3, 3] -= drop_m
    return (
        [replace(one, pose3d=replace(one.pose3d, xyz_m=one.pose3d.xyz_m - drop_m)) for one in people],
        [replace(motion, root_m=motion.root_m - drop_m) for motion in motions],
        replace(ground, world_from_cam=world_from_cam),
    )


def perform(one: Standing, motion: Motion, shot: int, wanted: Wanted) -> Performance:
    """Hold the feet that stand, and say all that is known of one person in one shot."""
    from mocap3d.motion.foot_lock import lock_feet
    from mocap3d.motion.solve import unobserved

    return Performance(
        person=one.sight.person,
        shot=shot,
        motion=lock_feet(motion, strength=wanted.foot_lock),
        pose2d=one.sight.pose2d,
        pose3d=one.pose3d,
        unobserved=unobserved(one.pose3d),
        lifted_contacts=one.hint,
    )


def notes_of(performance: Performance) -> Iterator[str]:
    """What a user should know about one person: frames that were bridged, parts that nobody saw."""
    frames = performance.motion.start_frame + np.flatnonzero(_unseen(performance.pose2d))
    if len(frames):
        yield (
            f"person {performance.person}: not seen in {len(frames)} frames between {frames[0]} and {frames[-1]}: "
            "bridged"
        )
    for part in performance.unobserved:
        yield f"person {performance.person}: the {part} was not seen and stays at rest"


def doubts_of(performance: Performance, camera: Camera) -> Iterator[str]:
    """A note where the motion is elsewhere in the picture than the person: only a wrong lens makes it so.

    Args:
        performance: by one camera that stands still; contacts that somebody has changed may move it, too.
        camera: in the world, as `camera_in_world` has it.
    """
    from mocap3d.quality.animation import animation_quality

    if performance.unobserved:  # half a body tells badly where it is
        return
    found = animation_quality(performance.motion, pose2d=performance.pose2d, camera=camera)
    if (found.reprojection_percent or 0.0) > _FAR_OFF_PERCENT:
        yield (
            f"person {performance.person}: joints lie {found.reprojection_px:.0f} px from where they were seen, "
            f"{found.reprojection_percent:.1f} % of the body's height: is the lens right, with a field of view of "
            f"{camera.fov_deg:.0f} degrees (--fov, or the camera file)?"
        )


def camera_in_world(camera: Camera, ground: Ground) -> Camera:
    """The camera where the ground says that it stands."""
    return replace(camera, cam_from_world=np.asarray(np.linalg.inv(ground.world_from_cam), np.float64))


def _unseen(pose2d: Pose2D) -> NDArray[np.bool_]:
    """(T,) frames without a single joint."""
    return np.asarray(np.all(np.isnan(pose2d.xy_px[..., 0]), axis=-1))
