"""The one table of skeletons: every joint order that mocap3d reads, predicts or writes.

Joints stand in the data set's own order, because that is the order of the numbers in its files; names are ours, so that
"left_hip" is spelled one way everywhere (the humanoid alone keeps the names of VRM). "Left" is the person's left.
A joint called alike in two skeletons need not be the same point of the body: ``conversions.py`` says what is.

Data sets that only draw limbs, without naming a root, get the tree that their drawing suggests.
"""

from __future__ import annotations

from typing import Final

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import ROOT, Skeleton

__all__ = [
    "AI_CHALLENGER_14",
    "BLAZEPOSE_33",
    "BODY_25",
    "COCO_17",
    "COCO_TOES_19",
    "FLIC_9",
    "HUMAN36M_17",
    "HUMAN36M_32",
    "HUMANOID_22",
    "LIFTER_20",
    "LSP_14",
    "MPII_16",
    "POSETRACK18_17",
    "POSETRACK_15",
    "SKELETONS",
    "skeleton_named",
]


def _skeleton(name: str, table: str) -> Skeleton:
    """Read ``joint < parent``, one to a line or between commas; the root has no parent. Names make the mirror."""
    rows = [[word.strip() for word in row.split("<")] for row in table.strip().replace(",", "\n").splitlines()]
    joint_names = tuple(row[0] for row in rows)
    return Skeleton(
        name=name,
        joint_names=joint_names,
        parents=tuple(joint_names.index(row[1]) if len(row) == 2 else ROOT for row in rows),
        mirror=tuple(joint_names.index(_mirrored(joint)) for joint in joint_names),
    )


def _mirrored(joint: str) -> str:
    for side, other in (("left", "right"), ("right", "left")):
        if joint.startswith(side):
            return other + joint.removeprefix(side)
    return joint


_COCO_ROWS: Final = """
    nose
    left_eye < nose, right_eye < nose
    left_ear < left_eye, right_ear < right_eye
    left_shoulder < left_ear, right_shoulder < right_ear
    left_elbow < left_shoulder, right_elbow < right_shoulder
    left_wrist < left_elbow, right_wrist < right_elbow
    left_hip < left_shoulder, right_hip < right_shoulder
    left_knee < left_hip, right_knee < right_hip
    left_ankle < left_knee, right_ankle < right_knee
"""

# COCO keypoints, the order of "categories[0].keypoints" in person_keypoints_*.json; https://cocodataset.org/#format-data.
# MoveNet and most 2D networks speak it. Its drawing has loops (shoulders, hips and eyes are joined); here the person
# hangs from the nose.
COCO_17: Final = _skeleton("coco-17", _COCO_ROWS)

# What several cameras tell: those points triangulated, and the toe tips that the lifter adds to ankles.
COCO_TOES_19: Final = _skeleton(
    "coco-toes-19", f"{_COCO_ROWS.strip()}\n    left_toe < left_ankle, right_toe < right_ankle"
)

_HUMAN36M_ROWS: Final = """
    pelvis
    right_hip < pelvis
    right_knee < right_hip
    right_ankle < right_knee
    left_hip < pelvis
    left_knee < left_hip
    left_ankle < left_knee
    spine < pelvis
    thorax < spine
    neck < thorax
    head < neck
    left_shoulder < thorax
    left_elbow < left_shoulder
    left_wrist < left_elbow
    right_shoulder < thorax
    right_elbow < right_shoulder
    right_wrist < right_elbow
    """

# Human3.6M's 17 joints as everybody evaluates them: those of its 32 that move (Martinez et al. 2017; VideoPose3D,
# common/h36m_dataset.py). "neck" is Martinez' "Neck/Nose", where the neck meets the skull; "head" is the top.
HUMAN36M_17: Final = _skeleton("human36m-17", _HUMAN36M_ROWS)

# All 32 joints of Human3.6M's metadata.xml (Hips RightUpLeg RightLeg RightFoot RightToeBase Site ...), with its tree.
# Some joints carry rotations, not places: spine_base lies on the pelvis, the clavicles on the thorax, hand_base on the
# wrist, hand_tip on wrist_end. The clavicles hang from the spine, beside the thorax, in the original too.
HUMAN36M_32: Final = _skeleton(
    "human36m-32",
    """
    pelvis
    right_hip < pelvis
    right_knee < right_hip
    right_ankle < right_knee
    right_toe_base < right_ankle
    right_toe < right_toe_base
    left_hip < pelvis
    left_knee < left_hip
    left_ankle < left_knee
    left_toe_base < left_ankle
    left_toe < left_toe_base
    spine_base < pelvis
    spine < spine_base
    thorax < spine
    neck < thorax
    head < neck
    left_clavicle < spine
    left_shoulder < left_clavicle
    left_elbow < left_shoulder
    left_wrist < left_elbow
    left_hand_base < left_wrist
    left_thumb < left_hand_base
    left_wrist_end < left_wrist
    left_hand_tip < left_wrist_end
    right_clavicle < spine
    right_shoulder < right_clavicle
    right_elbow < right_shoulder
    right_wrist < right_elbow
    right_hand_base < right_wrist
    right_thumb < right_hand_base
    right_wrist_end < right_wrist
    right_hand_tip < right_wrist_end
    """,
)

# MPII Human Pose: joint ids 0 to 15 as listed at http://human-pose.mpi-inf.mpg.de/#download (annotation description).
MPII_16: Final = _skeleton(
    "mpii-16",
    """
    right_ankle < right_knee
    right_knee < right_hip
    right_hip < pelvis
    left_hip < pelvis
    left_knee < left_hip
    left_ankle < left_knee
    pelvis
    thorax < pelvis
    upper_neck < thorax
    head_top < upper_neck
    right_wrist < right_elbow
    right_elbow < right_shoulder
    right_shoulder < thorax
    left_shoulder < thorax
    left_elbow < left_shoulder
    left_wrist < left_elbow
    """,
)

# Leeds Sports Pose: the rows of joints.mat as its README lists them (person-centric sides). It has no pelvis.
LSP_14: Final = _skeleton(
    "lsp-14",
    """
    right_ankle < right_knee
    right_knee < right_hip
    right_hip < neck
    left_hip < neck
    left_knee < left_hip
    left_ankle < left_knee
    right_wrist < right_elbow
    right_elbow < right_shoulder
    right_shoulder < neck
    left_shoulder < neck
    left_elbow < left_shoulder
    left_wrist < left_elbow
    neck
    head_top < neck
    """,
)

# FLIC: the eight limb joints that its examples.mat annotates (lsho lelb lwri rsho relb rwri lhip rhip, in the file's
# order), then the head, which everybody takes as the mean of its leye, reye and nose. Its other 18 points are NaN.
FLIC_9: Final = _skeleton(
    "flic-9",
    """
    left_shoulder < head
    left_elbow < left_shoulder
    left_wrist < left_elbow
    right_shoulder < head
    right_elbow < right_shoulder
    right_wrist < right_elbow
    left_hip < left_shoulder
    right_hip < right_shoulder
    head
    """,
)

# AI Challenger 2017 human keypoint detection: ids 1 to 14 of its annotation README (Wu et al., arXiv:1711.06475).
AI_CHALLENGER_14: Final = _skeleton(
    "ai-challenger-14",
    """
    right_shoulder < neck
    right_elbow < right_shoulder
    right_wrist < right_elbow
    left_shoulder < neck
    left_elbow < left_shoulder
    left_wrist < left_elbow
    right_hip < neck
    right_knee < right_hip
    right_ankle < right_knee
    left_hip < neck
    left_knee < left_hip
    left_ankle < left_knee
    head_top < neck
    neck
    """,
)

# PoseTrack 2017: point ids 0 to 14 of its annolist files, as poseval counts them
# (https://github.com/leonid-pishchulin/poseval).
POSETRACK_15: Final = _skeleton(
    "posetrack-15",
    """
    right_ankle < right_knee
    right_knee < right_hip
    right_hip < head_bottom
    left_hip < head_bottom
    left_knee < left_hip
    left_ankle < left_knee
    right_wrist < right_elbow
    right_elbow < right_shoulder
    right_shoulder < head_bottom
    left_shoulder < head_bottom
    left_elbow < left_shoulder
    left_wrist < left_elbow
    head_bottom
    nose < head_bottom
    head_top < nose
    """,
)

# PoseTrack 2018 and 2021: "categories[0].keypoints" of its COCO-style files. The two ears are listed, never annotated.
POSETRACK18_17: Final = _skeleton(
    "posetrack18-17",
    """
    nose < head_bottom
    head_bottom
    head_top < nose
    left_ear < nose, right_ear < nose
    left_shoulder < head_bottom, right_shoulder < head_bottom
    left_elbow < left_shoulder, right_elbow < right_shoulder
    left_wrist < left_elbow, right_wrist < right_elbow
    left_hip < head_bottom, right_hip < head_bottom
    left_knee < left_hip, right_knee < right_hip
    left_ankle < left_knee, right_ankle < right_knee
    """,
)

# OpenPose BODY_25: https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md.
# OpenPose makes "neck" and "mid_hip" from the shoulders and hips when it trains.
BODY_25: Final = _skeleton(
    "body-25",
    """
    nose < neck
    neck < mid_hip
    right_shoulder < neck
    right_elbow < right_shoulder
    right_wrist < right_elbow
    left_shoulder < neck
    left_elbow < left_shoulder
    left_wrist < left_elbow
    mid_hip
    right_hip < mid_hip
    right_knee < right_hip
    right_ankle < right_knee
    left_hip < mid_hip
    left_knee < left_hip
    left_ankle < left_knee
    right_eye < nose
    left_eye < nose
    right_ear < right_eye
    left_ear < left_eye
    left_big_toe < left_ankle
    left_small_toe < left_big_toe
    left_heel < left_ankle
    right_big_toe < right_ankle
    right_small_toe < right_big_toe
    right_heel < right_ankle
    """,
)

# MediaPipe BlazePose: landmarks 0 to 32, https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker.
# MediaPipe says "foot_index" for the tip of the big toe; mouth_left and mouth_right are the corners of the mouth.
BLAZEPOSE_33: Final = _skeleton(
    "blazepose-33",
    """
    nose
    left_eye_inner < nose
    left_eye < left_eye_inner
    left_eye_outer < left_eye
    right_eye_inner < nose
    right_eye < right_eye_inner
    right_eye_outer < right_eye
    left_ear < left_eye_outer, right_ear < right_eye_outer
    left_mouth < nose, right_mouth < nose
    left_shoulder < left_ear, right_shoulder < right_ear
    left_elbow < left_shoulder, right_elbow < right_shoulder
    left_wrist < left_elbow, right_wrist < right_elbow
    left_pinky < left_wrist, right_pinky < right_wrist
    left_index < left_wrist, right_index < right_wrist
    left_thumb < left_wrist, right_thumb < right_wrist
    left_hip < left_shoulder, right_hip < right_shoulder
    left_knee < left_hip, right_knee < right_hip
    left_ankle < left_knee, right_ankle < right_knee
    left_heel < left_ankle, right_heel < right_ankle
    left_foot_index < left_ankle, right_foot_index < right_ankle
    """,
)

# Ours: what the lifter puts out. Human3.6M-17, then the tips of the toes, and a point in front of the face that shows
# where the head is turned.
LIFTER_20: Final = _skeleton(
    "lifter-20",
    f"""
    {_HUMAN36M_ROWS.strip()}
    left_toe < left_ankle, right_toe < right_ankle
    face < neck
    """,
)

# Ours: the body that motion is put on, by the bone names of VRM 1.0 (https://github.com/vrm-c/vrm-specification,
# VRMC_vrm-1.0/humanoid.md), without fingers, eyes and jaw. A joint is where its bone begins: leftHand is the wrist,
# leftFoot the ankle, leftToes the ball of the foot, head the base of the skull.
HUMANOID_22: Final = _skeleton(
    "humanoid-22",
    """
    hips
    spine < hips
    chest < spine
    upperChest < chest
    neck < upperChest
    head < neck
    leftShoulder < upperChest
    leftUpperArm < leftShoulder
    leftLowerArm < leftUpperArm
    leftHand < leftLowerArm
    rightShoulder < upperChest
    rightUpperArm < rightShoulder
    rightLowerArm < rightUpperArm
    rightHand < rightLowerArm
    leftUpperLeg < hips
    leftLowerLeg < leftUpperLeg
    leftFoot < leftLowerLeg
    leftToes < leftFoot
    rightUpperLeg < hips
    rightLowerLeg < rightUpperLeg
    rightFoot < rightLowerLeg
    rightToes < rightFoot
    """,
)

SKELETONS: Final[dict[str, Skeleton]] = {
    skeleton.name: skeleton
    for skeleton in (
        COCO_17,
        COCO_TOES_19,
        HUMAN36M_17,
        HUMAN36M_32,
        MPII_16,
        LSP_14,
        FLIC_9,
        AI_CHALLENGER_14,
        POSETRACK_15,
        POSETRACK18_17,
        BODY_25,
        BLAZEPOSE_33,
        LIFTER_20,
        HUMANOID_22,
    )
}
"""Every skeleton of mocap3d by its name."""


def skeleton_named(name: str) -> Skeleton:
    """Find a skeleton of the table by name.

    Raises:
        InputError: there is no such skeleton; the message lists those there are.
    """
    try:
        return SKELETONS[name]
    except KeyError:
        raise InputError(f"no skeleton is called {name!r}; there are: {', '.join(SKELETONS)}") from None
