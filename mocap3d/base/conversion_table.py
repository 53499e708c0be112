"""The declared conversions between skeletons, as data; ``conversions.py`` reads them.

One line per joint of the target::

    joint = source              the same point of the body
    joint = source + source     exactly the mean of several
    joint ~ source : reason     a stand-in, and why it is not that point
    joint -                     nothing in the source tells where it is

``*`` stands for left and right. "The same point" means that both data sets mean it; people click it 1 to 3 cm apart.
Two families differ by more than that: points *clicked in pictures* (COCO, MPII, LSP, FLIC, AI Challenger, PoseTrack,
and the networks trained on them) and joints *computed from markers* (Human3.6M, the lifter). Clicked hips sit at the
outline of the body, higher and wider than the joint; clicked shoulders sit on top of the joint.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DECLARED"]

_ARMS: Final = """
    *_shoulder = *_shoulder
    *_elbow = *_elbow
    *_wrist = *_wrist"""
_LEGS: Final = """
    *_hip = *_hip
    *_knee = *_knee
    *_ankle = *_ankle"""
_LIMBS: Final = _ARMS + _LEGS
_FACE: Final = """
    nose = nose
    *_eye = *_eye
    *_ear = *_ear"""
_NO_FACE: Final = """
    nose -
    *_eye -
    *_ear -"""
_NO_FEET: Final = """
    *_big_toe -
    *_small_toe -
    *_heel -"""
_SAME_AS_HUMAN36M: Final = """
    pelvis = pelvis
    spine = spine
    thorax = thorax
    neck = neck
    head = head"""

# Clicked points standing in for marker joints, and the other way round.
_CLICKED_TO_MARKER_LIMBS: Final = """
    *_shoulder ~ *_shoulder : the clicked point lies on top of the shoulder joint
    *_elbow = *_elbow
    *_wrist = *_wrist
    *_hip ~ *_hip : the clicked point lies higher and wider than the hip joint
    *_knee = *_knee
    *_ankle = *_ankle"""
_MARKER_TO_CLICKED_LIMBS: Final = """
    *_shoulder ~ *_shoulder : the joint lies below the point that people click
    *_elbow = *_elbow
    *_wrist = *_wrist
    *_hip ~ *_hip : the joint lies lower and further inside than the point that people click
    *_knee = *_knee
    *_ankle = *_ankle"""
_MARKER_TRUNK_FROM_CLICKED: Final = """
    pelvis ~ left_hip + right_hip : between the clicked hips, which lie higher than the joints
    spine ~ left_hip + right_hip + left_shoulder + right_shoulder : half-way up the trunk, which need not be straight
    thorax ~ left_shoulder + right_shoulder : between the shoulders, a little in front of and below the joint
    neck ~ left_ear + right_ear : between the ears, within a few centimetres of where the neck meets the skull
    head ~ left_eye + right_eye : no point is near the top of the head; between the eyes, about 12 cm lower"""

# Necks and heads of the clicked data sets: MPII and PoseTrack click the upper neck (below the chin), LSP and AI
# Challenger the neck between its two ends.
_UPPER_NECK: Final = "the neck is clicked lower, between the collar bones and the chin"
_LOWER_NECK: Final = "the upper neck is clicked below the chin, some 5 cm higher"
_NECK_OF_SHOULDERS: Final = "between the shoulders, some 5 cm below the point that people click"
_MID_HIPS: Final = """
    pelvis ~ left_hip + right_hip : between the hips, some centimetres from the clicked pelvis"""
_MID_SHOULDERS: Final = """
    thorax ~ left_shoulder + right_shoulder : between the shoulders, some centimetres below the base of the neck"""

DECLARED: Final[dict[tuple[str, str], str]] = {
    # --- between whole-body point sets that networks put out
    ("body-25", "coco-17"): _FACE + _LIMBS,
    ("blazepose-33", "coco-17"): _FACE + _LIMBS,
    ("coco-17", "body-25"): f"""{_FACE}{_LIMBS}{_NO_FEET}
    neck = left_shoulder + right_shoulder
    mid_hip = left_hip + right_hip""",
    ("blazepose-33", "body-25"): f"""{_FACE}{_LIMBS}
    neck = left_shoulder + right_shoulder
    mid_hip = left_hip + right_hip
    *_big_toe = *_foot_index
    *_small_toe -
    *_heel = *_heel""",
    # --- clicked data sets: COCO and the others
    ("coco-17", "mpii-16"): f"""{_LIMBS}{_MID_HIPS}{_MID_SHOULDERS}
    upper_neck ~ left_shoulder + right_shoulder : between the shoulders, a neck's length too low
    head_top -""",
    ("mpii-16", "coco-17"): _LIMBS + _NO_FACE,
    ("coco-17", "lsp-14"): f"""{_LIMBS}
    neck ~ left_shoulder + right_shoulder : {_NECK_OF_SHOULDERS}
    head_top -""",
    ("lsp-14", "coco-17"): _LIMBS + _NO_FACE,
    ("coco-17", "ai-challenger-14"): f"""{_LIMBS}
    neck ~ left_shoulder + right_shoulder : {_NECK_OF_SHOULDERS}
    head_top -""",
    ("ai-challenger-14", "coco-17"): _LIMBS + _NO_FACE,
    ("coco-17", "flic-9"): f"""{_ARMS}
    *_hip = *_hip
    head = nose + left_eye + right_eye""",
    ("flic-9", "coco-17"): f"""{_ARMS}
    *_hip = *_hip
    *_knee -
    *_ankle -
    nose ~ head : the mean of nose and eyes, 2 cm above the nose
    *_eye -
    *_ear -""",
    ("coco-17", "posetrack-15"): f"""{_LIMBS}
    nose = nose
    head_bottom ~ left_shoulder + right_shoulder : between the shoulders, a neck's length too low
    head_top -""",
    ("posetrack-15", "coco-17"): f"""{_LIMBS}
    nose = nose
    *_eye -
    *_ear -""",
    ("coco-17", "posetrack18-17"): f"""{_LIMBS}
    nose = nose
    *_ear = *_ear
    head_bottom ~ left_shoulder + right_shoulder : between the shoulders, a neck's length too low
    head_top -""",
    ("posetrack18-17", "coco-17"): f"""{_LIMBS}
    nose = nose
    *_eye -
    *_ear = *_ear""",
    # --- clicked data sets among themselves
    ("posetrack-15", "posetrack18-17"): f"""{_LIMBS}
    nose = nose
    head_bottom = head_bottom
    head_top = head_top
    *_ear -""",
    ("posetrack18-17", "posetrack-15"): f"""{_LIMBS}
    nose = nose
    head_bottom = head_bottom
    head_top = head_top""",
    ("mpii-16", "posetrack-15"): f"""{_LIMBS}
    nose -
    head_bottom = upper_neck
    head_top = head_top""",
    ("posetrack-15", "mpii-16"): f"""{_LIMBS}{_MID_HIPS}{_MID_SHOULDERS}
    upper_neck = head_bottom
    head_top = head_top""",
    ("mpii-16", "lsp-14"): f"""{_LIMBS}
    neck ~ upper_neck : {_UPPER_NECK}
    head_top = head_top""",
    ("lsp-14", "mpii-16"): f"""{_LIMBS}{_MID_HIPS}{_MID_SHOULDERS}
    upper_neck ~ neck : {_LOWER_NECK}
    head_top = head_top""",
    ("mpii-16", "ai-challenger-14"): f"""{_LIMBS}
    neck ~ upper_neck : {_UPPER_NECK}
    head_top = head_top""",
    ("ai-challenger-14", "mpii-16"): f"""{_LIMBS}{_MID_HIPS}{_MID_SHOULDERS}
    upper_neck ~ neck : {_LOWER_NECK}
    head_top = head_top""",
    ("lsp-14", "ai-challenger-14"): f"""{_LIMBS}
    neck = neck
    head_top = head_top""",
    ("ai-challenger-14", "lsp-14"): f"""{_LIMBS}
    neck = neck
    head_top = head_top""",
    # --- Human3.6M and the lifter among themselves
    ("human36m-32", "human36m-17"): _SAME_AS_HUMAN36M + _LIMBS,
    ("human36m-32", "lifter-20"): f"""{_SAME_AS_HUMAN36M}{_LIMBS}
    *_toe = *_toe
    face -""",
    ("human36m-17", "lifter-20"): f"""{_SAME_AS_HUMAN36M}{_LIMBS}
    *_toe -
    face -""",
    ("lifter-20", "human36m-17"): _SAME_AS_HUMAN36M + _LIMBS,
    # --- from clicked points to Human3.6M, and back
    ("coco-17", "human36m-17"): _MARKER_TRUNK_FROM_CLICKED + _CLICKED_TO_MARKER_LIMBS,
    ("body-25", "human36m-17"): _MARKER_TRUNK_FROM_CLICKED + _CLICKED_TO_MARKER_LIMBS,
    ("blazepose-33", "human36m-17"): _MARKER_TRUNK_FROM_CLICKED + _CLICKED_TO_MARKER_LIMBS,
    ("mpii-16", "human36m-17"): f"""{_CLICKED_TO_MARKER_LIMBS}
    pelvis ~ pelvis : the clicked pelvis lies higher than the middle of the hip joints
    spine ~ pelvis + thorax : half-way up the trunk, which need not be straight
    thorax ~ thorax : clicked at the base of the neck, in front of the joint
    neck ~ upper_neck : clicked below the chin, in front of and below where the neck meets the skull
    head = head_top""",
    ("human36m-17", "mpii-16"): f"""{_MARKER_TO_CLICKED_LIMBS}
    pelvis ~ pelvis : the middle of the hip joints lies lower than the point that people click
    thorax ~ thorax : the joint lies behind the point that people click
    upper_neck ~ neck : where the neck meets the skull, behind and above the point that people click
    head_top = head""",
    ("human36m-17", "coco-17"): _MARKER_TO_CLICKED_LIMBS + _NO_FACE,
    ("lifter-20", "coco-17"): _MARKER_TO_CLICKED_LIMBS + _NO_FACE,
}
"""(source, target) -> one line per joint of the target."""
