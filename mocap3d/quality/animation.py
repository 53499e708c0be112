"""How good an animation is, without a truth to compare it with: feet, bones, smoothness, joints, pictures.

`animation_quality` judges a motion, `points_quality` joints that are no motion yet. What each figure is, and where it
comes from, is said by the functions of `mocap3d.quality.motion_figures`; what it is good for by ``docs/quality.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.contacts import foot_contacts
from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.joint_limits import ANGLE_NAMES, excess_rad
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.roles import Roles, role_joints
from mocap3d.base.skeletons import HUMANOID_22, SKELETONS
from mocap3d.quality.bodies import (
    BODY_JOINTS,
    SAME_EVERYWHERE,
    bone_ends,
    foot_points_m,
    has_limbs,
    humanoid_wxyz,
    named_joints,
    stature_m,
)
from mocap3d.quality.motion_figures import (
    above_support_m,
    bone_lengths_m,
    deepest_m,
    jerks_m_per_s3,
    log_dimensionless_jerks,
    reprojection_errors,
    skate_speeds_m_per_s,
)

__all__ = ["FIGURES", "AnimationQuality", "Figure", "animation_quality", "points_quality"]

Floats = NDArray[np.float64]

_UP: Final = np.array([0.0, 1.0, 0.0])
_TOLERANCE_DEG: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationQuality:
    """Figures of one clip; None is "does not apply".

    Attributes:
        foot_skate_mm_per_s: mean horizontal speed of heels and toes while they stand.
        foot_skate_p95_mm_per_s: what 95 % of those speeds stay below.
        planted_percent: of the frames, in which a heel or toe stands.
        penetration_mm: mean over all frames of the depth of the deepest heel or toe below its support.
        penetration_max_mm: the deepest of all.
        hover_mm: mean height of standing heels and toes above their support.
        bone_length_std_mm: standard deviation of a bone's length over time, mean over the bones.
        bone_length_range_mm: longest minus shortest length, of the bone that changes most.
        jerk_m_per_s3: mean over frames and joints.
        log_dimensionless_jerk: mean over the joints that move; larger is smoother.
        joint_limit_percent: of the frames, in which some joint is bent at least 1° beyond its anatomical range.
        joint_limit_worst_deg: how far at most.
        joint_limit_worst: which angle that is, such as "leftLowerArm flexion".
        reprojection_px: mean distance in the picture between elbows, wrists, knees and ankles and where they were seen.
        reprojection_percent: the same at the depth of the joint, as a share of the body's height.
        fk_error_mm: mean distance between the joints of the motion and those that it was solved from.
        fk_error_p95_mm: what 95 % of those distances stay below.
    """

    foot_skate_mm_per_s: float | None = None
    foot_skate_p95_mm_per_s: float | None = None
    planted_percent: float | None = None
    penetration_mm: float | None = None
    penetration_max_mm: float | None = None
    hover_mm: float | None = None
    bone_length_std_mm: float | None = None
    bone_length_range_mm: float | None = None
    jerk_m_per_s3: float | None = None
    log_dimensionless_jerk: float | None = None
    joint_limit_percent: float | None = None
    joint_limit_worst_deg: float | None = None
    joint_limit_worst: str | None = None
    reprojection_px: float | None = None
    reprojection_percent: float | None = None
    fk_error_mm: float | None = None
    fk_error_p95_mm: float | None = None

    def as_dict(self) -> dict[str, float | str | None]:
        """All figures by name, ready for JSON, numbers to four digits."""
        values = dataclasses.asdict(self)
        return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How a field of `AnimationQuality` is shown.

    Attributes:
        name: of the field.
        label: for people.
        unit: behind the number; may be empty.
        digits: behind the point.
    """

    name: str
    label: str
    unit: str
    digits: int = 1

    def text(self, quality: AnimationQuality) -> str | None:
        """The value in a quality with its unit; None where it does not apply."""
        return self.shown(getattr(quality, self.name))

    def shown(self, value: float | str | None) -> str | None:
        """A value of this kind with its unit."""
        if value is None or isinstance(value, str):
            return value
        return f"{value + 0.0:.{self.digits}f} {self.unit}".rstrip()


FIGURES: Final = tuple(
    Figure(name=name, label=label, unit=unit, digits=digits)
    for name, label, unit, digits in (
        ("foot_skate_mm_per_s", "foot skate", "mm/s", 1),
        ("foot_skate_p95_mm_per_s", "foot skate, 95 %", "mm/s", 1),
        ("planted_percent", "a foot stands", "%", 0),
        ("penetration_mm", "feet in the floor", "mm", 1),
        ("penetration_max_mm", "feet in the floor, most", "mm", 1),
        ("hover_mm", "standing feet above it", "mm", 1),
        ("bone_length_std_mm", "bone length, std", "mm", 2),
        ("bone_length_range_mm", "bone length, range", "mm", 2),
        ("jerk_m_per_s3", "jerk", "m/s³", 0),
        ("log_dimensionless_jerk", "smoothness (LDLJ)", "", 2),
        ("joint_limit_percent", "beyond joint limits", "%", 1),
        ("joint_limit_worst_deg", "beyond them, most", "°", 1),
        ("joint_limit_worst", "which joint", "", 0),
        ("reprojection_px", "off the picture", "px", 1),
        ("reprojection_percent", "off it, of the height", "%", 2),
        ("fk_error_mm", "off the given joints", "mm", 1),
        ("fk_error_p95_mm", "off them, 95 %", "mm", 1),
    )
)
"""The figures in the order in which they are shown."""


def animation_quality(
    motion: Motion,
    *,
    contacts: ArrayLike | None = None,
    support_m: ArrayLike = 0.0,
    roles: Roles | None = None,
    pose3d: Pose3D | None = None,
    pose2d: Pose2D | Sequence[Pose2D | None] | None = None,
    camera: Camera | Sequence[Camera] | None = None,
) -> AnimationQuality:
    """Judge a motion.

    Args:
        motion: T frames on any rig, +Y up.
        contacts: (T, 4) which heels and toes stand; None takes those of the motion, else judges them by speed and
            height. To compare two versions of a clip give both the same: a foot that slides fast enough is judged to
            swing, and then its sliding is not counted.
        support_m: height of what heels and toes stand on, anything that broadcasts to (T, 4); 0 is the floor, NaN is
            not known.
        roles: humanoid joint -> joint of the rig; None looks for the humanoid's names. Without roles only bones and
            jerk are known.
        pose3d: the joints that the motion was solved from, in the world, the same frames.
        pose2d: where the joints were seen, the same frames; of several cameras what each of them saw, or None.
        camera: that saw them, in the world of the motion; as many as there are in ``pose2d``.

    Raises:
        InputError: no motion, arrays or poses of another number of frames, or roles that do not fit the rig.
    """
    if not isinstance(motion, Motion):
        raise InputError(f"this judges a Motion, points_quality judges a Pose3D; got {type(motion).__name__}")
    joints = role_joints(motion.rig, roles)
    world_m, world_wxyz = forward(motion)
    judged = [joints[role] for role in BODY_JOINTS.values() if role in joints] or list(range(len(motion.rig.skeleton)))
    found = _of_bones(bone_lengths_m(world_m, motion.rig.skeleton.parents, bone_ends(motion.rig.skeleton, joints)))
    found |= _of_smoothness(world_m[:, judged], motion)
    if has_limbs(joints):
        points_m = sole_points(motion, roles)
        known = motion.contacts if contacts is None else np.asarray(contacts, np.float64)
        if known is None:
            known = foot_contacts(points_m, motion.fps, up=_UP)
        found |= _of_feet(points_m, known, np.broadcast_to(np.asarray(support_m, np.float64), known.shape), motion)
        found |= _of_limits(humanoid_wxyz(motion, world_wxyz, joints, roles))
    places = {name: world_m[:, joints[role]] for name, role in BODY_JOINTS.items() if role in joints}
    if pose3d is not None:
        found |= _of_solving(places, pose3d)
    if pose2d is not None and camera is not None:
        found |= _of_pictures(places, pose2d, camera)
    return AnimationQuality(**found)


def points_quality(
    pose: Pose3D,
    *,
    contacts: ArrayLike | None = None,
    pose2d: Pose2D | Sequence[Pose2D | None] | None = None,
    camera: Camera | Sequence[Camera] | None = None,
) -> AnimationQuality:
    """Judge joints that are no motion yet: bones, smoothness, the picture, and feet as far as they slide.

    Ankles stand in for heels that are not there, so that a foot that rolls slides a little.

    Args:
        pose: joints of any skeleton; one that is not in mocap3d's table, as that of a file of points, has no bones.
            In a camera's frame, which has no horizontal, feet are not judged.
        contacts: (T, 4) which heels and toes stand; None judges them by speed and height.
        pose2d: where the joints were seen, the same frames, by one camera or several.
        camera: that saw them, in the world of the joints; as many as there are in ``pose2d``.

    Raises:
        InputError: arrays or poses of another number of frames.
    """
    names = named_joints(pose.skeleton)
    judged = [names[name] for name in BODY_JOINTS if name in names] or list(range(len(pose.skeleton)))
    found = _of_smoothness(pose.xyz_m[:, judged], pose)
    if pose.skeleton in SKELETONS.values():  # points of a file have no bones
        found |= _of_bones(bone_lengths_m(pose.xyz_m, pose.skeleton.parents))
    if pose.frame == "world" and {"left_ankle", "right_ankle"} <= names.keys():
        points_m = foot_points_m(pose, names)
        known = foot_contacts(points_m, pose.fps, up=_UP) if contacts is None else np.asarray(contacts, np.float64)
        found |= _of_skating(points_m, known, pose)
    if pose2d is not None and camera is not None:
        places = {name: pose.xyz_m[:, names[name]] for name in BODY_JOINTS if name in names}
        found |= _of_pictures(places, pose2d, camera)
    return AnimationQuality(**found)


# --- one kind of figures each -----------------------------------------------------------------------------------------


def _of_bones(lengths_m: Floats) -> dict[str, Any]:
    known = lengths_m[:, np.isfinite(lengths_m).any(axis=0)]
    if not known.size:
        return {}
    spread = np.nanmax(known, axis=0) - np.nanmin(known, axis=0)
    return {
        "bone_length_std_mm": 1000 * float(np.nanstd(known, axis=0).mean()),
        "bone_length_range_mm": 1000 * float(spread.max()),
    }


def _of_smoothness(xyz_m: Floats, clip: Motion | Pose3D) -> dict[str, Any]:
    jerks, logs = jerks_m_per_s3(xyz_m, clip.fps), log_dimensionless_jerks(xyz_m, clip.fps)
    found: dict[str, Any] = {}
    if np.isfinite(jerks).any():
        found["jerk_m_per_s3"] = float(np.nanmean(jerks))
    if np.isfinite(logs).any():
        found["log_dimensionless_jerk"] = float(np.nanmean(logs))
    return found


def _of_skating(points_m: Floats, contacts: Floats, clip: Motion | Pose3D) -> dict[str, Any]:
    speeds = 1000 * skate_speeds_m_per_s(points_m, contacts, clip.fps)
    found = {"planted_percent": 100 * float((contacts >= 0.5).any(axis=1).mean())}
    if len(speeds):
        found["foot_skate_mm_per_s"] = float(speeds.mean())
        found["foot_skate_p95_mm_per_s"] = float(np.percentile(speeds, 95))
    return found


def _of_feet(points_m: Floats, contacts: Floats, support_m: Floats, motion: Motion) -> dict[str, Any]:
    found = _of_skating(points_m, contacts, motion)
    if np.isnan(support_m).all():
        return found
    depth_m, hover_m = deepest_m(points_m, support_m), above_support_m(points_m, support_m, contacts)
    found["penetration_mm"] = 1000 * float(depth_m.mean())
    found["penetration_max_mm"] = 1000 * float(depth_m.max())
    if len(hover_m):
        found["hover_mm"] = 1000 * float(hover_m.mean())
    return found


def _of_limits(wxyz: Floats) -> dict[str, Any]:
    excess_deg = np.degrees(np.abs(excess_rad(wxyz)))
    beyond = (excess_deg > _TOLERANCE_DEG).any(axis=(1, 2))
    worst = float(excess_deg.max())
    found: dict[str, Any] = {
        "joint_limit_percent": 100 * float(beyond.mean()),
        "joint_limit_worst_deg": worst,
    }
    if beyond.any():
        _, joint, angle = np.unravel_index(int(excess_deg.argmax()), excess_deg.shape)
        found["joint_limit_worst"] = f"{HUMANOID_22.joint_names[joint]} {ANGLE_NAMES[joint][angle]}"
    return found


def _of_solving(places: Mapping[str, Floats], pose: Pose3D) -> dict[str, Any]:
    if pose.frame != "world":
        raise InputError("the joints that a motion was solved from must be in the world, these are in a camera's frame")
    given = named_joints(pose.skeleton)
    names = [name for name in places if name in given]
    if not names:
        return {}
    index = [given[name] for name in names]
    ours = np.stack([places[name] for name in names], axis=1)
    _check_frames(len(ours), len(pose), "pose3d")
    off_m = np.linalg.norm(ours - pose.xyz_m[:, index], axis=-1)
    off_mm = 1000 * off_m[np.isfinite(off_m) & (pose.confidence[:, index] > 0)]
    if not len(off_mm):
        return {}
    return {"fk_error_mm": float(off_mm.mean()), "fk_error_p95_mm": float(np.percentile(off_mm, 95))}


def _of_pictures(
    places: Mapping[str, Floats], seen: Pose2D | Sequence[Pose2D | None], by: Camera | Sequence[Camera]
) -> dict[str, Any]:
    poses, cameras = [seen] if isinstance(seen, Pose2D) else seen, [by] if isinstance(by, Camera) else by
    if len(poses) != len(cameras):
        raise InputError(f"pose2d and camera must be as many, got {len(poses)} and {len(cameras)}")
    off_px, off_m = [], []
    for pose, camera in zip(poses, cameras, strict=True):
        if pose is None:
            continue
        names = [name for name in SAME_EVERYWHERE if name in places and name in pose.skeleton.joint_names]
        if not names:
            continue
        index = [pose.skeleton.index(name) for name in names]
        world_m = np.stack([places[name] for name in names], axis=1)
        _check_frames(len(world_m), len(pose), "pose2d")
        errors = reprojection_errors(camera, world_m, pose.xy_px[:, index], pose.confidence[:, index])
        off_px.append(errors[0])
        off_m.append(errors[1])
    if not sum(map(len, off_px)):
        return {}
    found = {"reprojection_px": float(np.concatenate(off_px).mean())}
    height_m = stature_m(places)
    if height_m is not None:
        found["reprojection_percent"] = 100 * float(np.concatenate(off_m).mean()) / height_m
    return found


def _check_frames(ours: int, theirs: int, name: str) -> None:
    if ours != theirs:
        raise InputError(f"{name} must have the {ours} frames of the motion, got {theirs}")
