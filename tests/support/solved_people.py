"""People whose rotations are known, and their joints: forward kinematics with SciPy, one joint after another."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20

# Where a joint of the rig must come to lie, by the joint of the lifter that it stands for.
SAME = {"pelvis": "hips", "spine": "chest", "thorax": "neck", "neck": "head"} | {
    f"{side}_{joint}": f"{side}{bone}"
    for side in ("left", "right")
    for joint, bone in {
        "hip": "UpperLeg",
        "knee": "LowerLeg",
        "ankle": "Foot",
        "shoulder": "UpperArm",
        "elbow": "LowerArm",
        "wrist": "Hand",
    }.items()
}


def world_pose(xyz_m, confidence=None, fps=30, std_m=0.03, skeleton=LIFTER_20):
    """Joints in the world, all seen unless told otherwise; NaN is never seen."""
    shape = xyz_m.shape[:2]
    seen = np.isfinite(xyz_m).all(axis=-1).astype(float)
    return Pose3D(
        xyz_m=xyz_m,
        confidence=seen if confidence is None else confidence,
        std_m=np.full(shape, std_m),
        views=np.ones(shape),
        fps=Fraction(fps),
        skeleton=skeleton,
        frame="world",
    )


def swinging_angles(frames=90, fps=30):
    """Local rotation vectors (T, 22, 3) of somebody who walks with bent knees and elbows while turning around."""
    turn = np.zeros((frames, 22, 3))
    t = np.arange(frames) / fps
    swing = np.sin(2 * np.pi * t)
    turn[:, HUMANOID_22.index("hips"), 1] = 2 * np.pi * t / 3
    turn[:, HUMANOID_22.index("chest"), 1] = 0.2 * swing
    turn[:, HUMANOID_22.index("head"), 1] = 0.4 * swing
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turn[:, HUMANOID_22.index(f"{side}UpperLeg"), 0] = -0.5 * sign * swing
        turn[:, HUMANOID_22.index(f"{side}LowerLeg"), 0] = 0.7 + 0.3 * sign * swing
        turn[:, HUMANOID_22.index(f"{side}Foot"), 0] = 0.2 * swing
        turn[:, HUMANOID_22.index(f"{side}UpperArm"), 2] = -1.2 * sign
        turn[:, HUMANOID_22.index(f"{side}LowerArm"), 1] = -(0.8 + 0.2 * swing) * sign
    return turn


def bones_of(turn, root_m, rig=HUMANOID_RIG):
    """Where the joints (T, 22, 3) and the tips, by name, of a rig are, and how joints are turned, by index."""
    frames = len(turn)
    place, rotation = np.zeros((frames, 22, 3)), {}
    for j, parent in enumerate(HUMANOID_22.parents):
        local = Rotation.from_rotvec(turn[:, j])
        if parent < 0:
            place[:, j], rotation[j] = root_m, local
        else:
            place[:, j] = place[:, parent] + rotation[parent].apply(rig.offsets_m[j].copy())
            rotation[j] = rotation[parent] * local
    tips = {tip.name: place[:, tip.parent] + rotation[tip.parent].apply(tip.offset_m.copy()) for tip in rig.tips}
    return place, tips, rotation


def joints_of(turn, root_m, rig=HUMANOID_RIG):
    """(T, 20, 3) lifter joints."""
    place, tips, rotation = bones_of(turn, root_m, rig)
    out = np.zeros((len(turn), 20, 3))
    for joint, bone in SAME.items():
        out[:, LIFTER_20.index(joint)] = place[:, HUMANOID_22.index(bone)]
    for side in ("left", "right"):
        out[:, LIFTER_20.index(f"{side}_toe")] = tips[f"{side}ToesTip"]
    head = HUMANOID_22.index("head")
    out[:, LIFTER_20.index("head")] = tips["headTop"]
    out[:, LIFTER_20.index("face")] = (place[:, head] + tips["headTop"]) / 2 + rotation[head].apply([0, 0, 0.2])
    return out
