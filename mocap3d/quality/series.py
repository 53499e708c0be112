"""The figures of animation frame by frame: where in a clip a mean comes from.

The mean of what is known in a series is the figure of the same name in `AnimationQuality`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.feet import sole_points
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.pose import Pose2D, Pose3D
from mocap3d.base.projection import project
from mocap3d.base.roles import Roles, role_joints
from mocap3d.quality.bodies import BODY_JOINTS, SAME_EVERYWHERE, has_limbs, named_joints
from mocap3d.quality.motion_figures import jerks_m_per_s3, skate_steps_m_per_s

__all__ = ["JUDGED_IN_PICTURES", "AnimationSeries", "animation_series", "points_series", "reprojection_series_px"]

Floats = NDArray[np.float64]

JUDGED_IN_PICTURES: Final = SAME_EVERYWHERE
"""The joints of `reprojection_series_px`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnimationSeries:
    """Figures of one clip over time, NaN where nothing is known; None is "does not apply".

    A speed or a jerk belongs to the frame in the middle of those that it was measured on.

    Attributes:
        foot_skate_mm_per_s: (T, 4) left heel, left toe, right heel, right toe, while they stand.
        jerk_m_per_s3: (T, J) of the joints that are judged.
    """

    foot_skate_mm_per_s: Floats | None = None
    jerk_m_per_s3: Floats | None = None


def animation_series(
    motion: Motion, *, contacts: ArrayLike | None = None, roles: Roles | None = None
) -> AnimationSeries:
    """Judge a motion frame by frame, as `mocap3d.quality.animation.animation_quality` judges it as a whole.

    Args:
        motion: T frames on any rig, +Y up.
        contacts: (T, 4) which heels and toes stand; None takes those of the motion. Without any, feet are not judged.
        roles: humanoid joint -> joint of the rig; None looks for the humanoid's names.

    Raises:
        InputError: contacts of another number of frames, or roles that do not fit the rig.
    """
    joints = role_joints(motion.rig, roles)
    world_m, _ = forward(motion)
    judged = [joints[role] for role in BODY_JOINTS.values() if role in joints] or list(range(len(motion.rig.skeleton)))
    known = motion.contacts if contacts is None else contacts
    skate = None
    if known is not None and has_limbs(joints):
        skate = 1000 * _centred(skate_steps_m_per_s(sole_points(motion, roles), known, motion.fps), len(motion))
    jerk = _centred(jerks_m_per_s3(world_m[:, judged], motion.fps), len(motion))
    return AnimationSeries(foot_skate_mm_per_s=skate, jerk_m_per_s3=jerk)


def points_series(pose: Pose3D) -> AnimationSeries:
    """Judge joints that are no motion yet: how much they tremble."""
    names = named_joints(pose.skeleton)
    judged = [names[name] for name in BODY_JOINTS if name in names] or list(range(len(pose.skeleton)))
    return AnimationSeries(jerk_m_per_s3=_centred(jerks_m_per_s3(pose.xyz_m[:, judged], pose.fps), len(pose)))


def reprojection_series_px(motion: Motion, pose2d: Pose2D, camera: Camera, *, roles: Roles | None = None) -> Floats:
    """Measure how far elbows, wrists, knees and ankles lie from where they were seen.

    Args:
        motion: T frames.
        pose2d: where the joints were seen, the same frames.
        camera: that saw them, in the world of the motion.
        roles: humanoid joint -> joint of the rig; None looks for the humanoid's names.

    Returns:
        (T, 8) pixels in the order of ``JUDGED_IN_PICTURES``; NaN for a joint that was not seen.

    Raises:
        InputError: poses of another number of frames.
    """
    if len(motion) != len(pose2d):
        raise InputError(f"pose2d must have the {len(motion)} frames of the motion, got {len(pose2d)}")
    joints, (world_m, _) = role_joints(motion.rig, roles), forward(motion)
    off_px = np.full((len(motion), len(JUDGED_IN_PICTURES)), np.nan)
    for k, name in enumerate(JUDGED_IN_PICTURES):
        role = BODY_JOINTS[name]
        if role in joints and name in pose2d.skeleton.joint_names:
            j = pose2d.skeleton.index(name)
            shown_px, in_front = project(camera, world_m[:, joints[role]])
            far_px = np.linalg.norm(shown_px - pose2d.xy_px[:, j], axis=-1)
            off_px[:, k] = np.where((pose2d.confidence[:, j] > 0) & in_front, far_px, np.nan)
    return off_px


def _centred(values: Floats, frames: int) -> Floats:
    """(S, K) measured on stretches of frames -> (T, K), each at the middle of its stretch."""
    placed = np.full((frames, values.shape[1]), np.nan)
    first = (frames - len(values)) // 2
    placed[first : first + len(values)] = values
    return placed
