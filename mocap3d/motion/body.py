"""The bone lengths of a person, measured on the clip: a humanoid rig that fits them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.humanoid import BodyLengths, humanoid_rig
from mocap3d.base.pose import Pose3D
from mocap3d.base.rig import Rig
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.motion.landmarks import observed_points

__all__ = ["body_lengths", "hips_m", "rig_from"]

# Bone that ends ... at a joint of the rig, between two landmarks.
_LIMB_BONES = (
    ("LowerLeg", "hip", "knee"),
    ("Foot", "knee", "ankle"),
    ("LowerArm", "shoulder", "elbow"),
    ("Hand", "elbow", "wrist"),
)
_ENOUGH = 0.3  # share of the frames with somebody that must show a bone for it to be measured
_SHORTEST = 0.1  # of its usual length: what is shorter is two names of one place


def rig_from(pose: Pose3D, height_m: float, *, symmetric: bool = True) -> Rig:
    """Build a humanoid rig with the ``body_lengths`` of a clip.

    Args:
        pose: joints of any skeleton, any frame.
        height_m: stature.
        symmetric: whether left and right limbs are equally long, the mean of both; else each has its own length.
    """
    rig = humanoid_rig(body_lengths(pose, height_m))
    if symmetric:
        return rig
    offsets_m = rig.offsets_m.copy()
    measure = _Measure(pose)
    for side in ("left", "right"):
        for bone, upper, lower in _LIMB_BONES:
            index = HUMANOID_22.index(f"{side}{bone}")
            usual = float(np.linalg.norm(offsets_m[index]))
            offsets_m[index] *= measure.between(f"{side}_{upper}", f"{side}_{lower}", usual) / usual
    return dataclasses.replace(rig, offsets_m=offsets_m)


def hips_m(pose: Pose3D) -> NDArray[np.float64]:
    """Find the rig's hips, (T, 3): midway between the hip joints.

    Data sets put their pelvis elsewhere: CMU's, which the lifter learned, lies 9 cm higher.
    """
    left, right = (pose.xyz_m[:, pose.skeleton.index(f"{side}_hip")] for side in ("left", "right"))
    return np.asarray((left + right) / 2)


def body_lengths(pose: Pose3D, height_m: float) -> BodyLengths:
    """Measure a body: medians over the frames, left and right averaged.

    What the joints do not show (how the foot and the spine divide, hands, the root of the collar bones) keeps the
    proportions of the average body, scaled to the part next to it. A bone that hardly any frame shows, or whose joints
    are at one place, has its length in the average body of that height, and the top of the head is put where the
    height says.

    Args:
        pose: LIFTER_20 joints, any frame.
        height_m: stature.

    Raises:
        InputError: no finite frame.
    """
    measure = _Measure(pose)
    usual = BodyLengths().scaled(height_m)
    foot = measure.both("ankle", "toe", _distance_ankle_to_toe_tip(usual)) / _distance_ankle_to_toe_tip(usual)
    lower_trunk = measure.hips_to_spine(usual.spine + usual.chest) / (usual.spine + usual.chest)
    usual_upper = usual.upper_chest + usual.neck_base
    upper_trunk = measure.between("spine", "thorax", usual_upper) / usual_upper
    usual_width = 2 * (usual.clavicle_half_width + usual.clavicle)
    width = measure.between("left_shoulder", "right_shoulder", usual_width) / usual_width
    lower_arm = measure.both("elbow", "wrist", usual.lower_arm)
    body = dataclasses.replace(
        usual,
        pelvis_half_width=measure.between("left_hip", "right_hip", 2 * usual.pelvis_half_width) / 2,
        upper_leg=measure.both("hip", "knee", usual.upper_leg),
        lower_leg=measure.both("knee", "ankle", usual.lower_leg),
        ankle_height=usual.ankle_height * foot,
        foot=usual.foot * foot,
        toes=usual.toes * foot,
        toes_height=usual.toes_height * foot,
        spine=usual.spine * lower_trunk,
        chest=usual.chest * lower_trunk,
        upper_chest=usual.upper_chest * upper_trunk,
        neck_base=usual.neck_base * upper_trunk,
        clavicle_rise=usual.clavicle_rise * upper_trunk,
        neck=measure.between("thorax", "neck", usual.neck),
        clavicle_half_width=usual.clavicle_half_width * width,
        clavicle=usual.clavicle * width,
        upper_arm=measure.both("shoulder", "elbow", usual.upper_arm),
        lower_arm=lower_arm,
        hand=usual.hand * lower_arm / usual.lower_arm,
    )
    head = body.head + height_m - body.stature_m
    return dataclasses.replace(body, head=float(np.clip(head, 0.7 * usual.head, 1.5 * usual.head)))


def _distance_ankle_to_toe_tip(body: BodyLengths) -> float:
    """At rest the foot's joint and its tip lie ahead of the ankle by what length and height leave."""
    ahead = np.sqrt(body.foot**2 - (body.ankle_height - body.toes_height) ** 2)
    ahead += np.sqrt(body.toes**2 - body.toes_height**2)
    return float(np.hypot(ahead, body.ankle_height))


class _Measure:
    """Median distances between joints, from the frames that show both."""

    def __init__(self, pose: Pose3D) -> None:
        if not np.isfinite(pose.xyz_m).all(axis=-1).any():
            raise InputError("a body cannot be measured: it has no value in any frame")
        self.points = observed_points(pose)
        self.frames = int((pose.confidence > 0).any(axis=1).sum())

    def both(self, upper: str, lower: str, usual: float) -> float:
        """The mean of the left and the right bone."""
        return sum(self.between(f"{side}_{upper}", f"{side}_{lower}", usual) for side in ("left", "right")) / 2

    def between(self, a: str, b: str, usual: float) -> float:
        """The distance of two joints; ``usual`` where too few frames show them."""
        return self._median([a], [b], usual)

    def hips_to_spine(self, usual: float) -> float:
        """From midway between the hip joints."""
        return self._median(["left_hip", "right_hip"], ["spine"], usual)

    def _median(self, start: list[str], end: list[str], usual: float) -> float:
        if not {*start, *end} <= set(self.points):
            return usual
        first, second = (np.mean([self.points[name] for name in names], axis=0) for names in (start, end))
        distance = np.linalg.norm(first - second, axis=-1)
        seen = np.isfinite(distance)
        if seen.sum() <= _ENOUGH * self.frames:
            return usual
        length = float(np.median(distance[seen]))
        return length if length > _SHORTEST * usual else usual
