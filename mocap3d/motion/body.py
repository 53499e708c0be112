"""The bone lengths of a person, measured on the clip: a humanoid rig that fits them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths, humanoid_rig
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig

__all__ = ["body_lengths", "hips_m", "rig_from"]


def rig_from(pose: Pose3D) -> Rig:
    """Build a humanoid rig with the ``body_lengths`` of a clip."""
    return humanoid_rig(body_lengths(pose))


def hips_m(pose: Pose3D) -> NDArray[np.float64]:
    """Find the rig's hips, (T, 3): midway between the hip joints.

    Data sets put their pelvis elsewhere: CMU's, which the lifter learned, lies 9 cm higher.
    """
    left, right = (pose.xyz_m[:, pose.skeleton.index(f"{side}_hip")] for side in ("left", "right"))
    return np.asarray((left + right) / 2)


def body_lengths(pose: Pose3D) -> BodyLengths:
    """Measure a body: medians over the frames, left and right averaged.

    What the joints do not show (how the foot and the spine divide, hands, the root of the collar bones) keeps the
    proportions of the average body, scaled to the part next to it.

    Args:
        pose: LIFTER_20 joints, any frame.

    Raises:
        InputError: a bone has no length in any frame.
    """
    usual = BodyLengths()
    foot = _both(pose, "ankle", "toe") / _distance_ankle_to_toe_tip(usual)
    to_spine = np.linalg.norm(pose.xyz_m[:, pose.skeleton.index("spine")] - hips_m(pose), axis=-1)
    lower_trunk = float(np.nanmedian(to_spine)) / (usual.spine + usual.chest)
    upper_trunk = _between(pose, "spine", "thorax") / (usual.upper_chest + usual.neck_base)
    shoulders = _between(pose, "left_shoulder", "right_shoulder")
    lower_arm = _both(pose, "elbow", "wrist")
    half_width = usual.clavicle_half_width * shoulders / (2 * (usual.clavicle_half_width + usual.clavicle))
    return dataclasses.replace(
        usual,
        pelvis_half_width=_between(pose, "left_hip", "right_hip") / 2,
        upper_leg=_both(pose, "hip", "knee"),
        lower_leg=_both(pose, "knee", "ankle"),
        ankle_height=usual.ankle_height * foot,
        foot=usual.foot * foot,
        toes=usual.toes * foot,
        toes_height=usual.toes_height * foot,
        spine=usual.spine * lower_trunk,
        chest=usual.chest * lower_trunk,
        upper_chest=usual.upper_chest * upper_trunk,
        neck_base=usual.neck_base * upper_trunk,
        clavicle_rise=usual.clavicle_rise * upper_trunk,
        neck=_between(pose, "thorax", "neck"),
        head=_between(pose, "neck", "head"),
        clavicle_half_width=half_width,
        clavicle=shoulders / 2 - half_width,
        upper_arm=_both(pose, "shoulder", "elbow"),
        lower_arm=lower_arm,
        hand=usual.hand * lower_arm / usual.lower_arm,
    )


def _distance_ankle_to_toe_tip(body: BodyLengths) -> float:
    """At rest the foot's joint and its tip lie ahead of the ankle by what length and height leave."""
    ahead = np.sqrt(body.foot**2 - (body.ankle_height - body.toes_height) ** 2)
    ahead += np.sqrt(body.toes**2 - body.toes_height**2)
    return float(np.hypot(ahead, body.ankle_height))


def _both(pose: Pose3D, upper: str, lower: str) -> float:
    return (_between(pose, f"left_{upper}", f"left_{lower}") + _between(pose, f"right_{upper}", f"right_{lower}")) / 2


def _between(pose: Pose3D, a: str, b: str) -> float:
    """Median distance of two joints, from the frames that show both if there are any."""
    first, second = pose.skeleton.index(a), pose.skeleton.index(b)
    distance = np.linalg.norm(pose.xyz_m[:, first] - pose.xyz_m[:, second], axis=-1)
    finite = np.isfinite(distance)
    seen = finite & (pose.confidence[:, first] > 0) & (pose.confidence[:, second] > 0)
    if not finite.any():
        raise InputError(f"the bone from {a} to {b} has no length in any frame")
    return float(np.median(distance[seen if seen.any() else finite]))
