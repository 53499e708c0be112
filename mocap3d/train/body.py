"""Where a 2D detector's COCO-17 points lie on a body given by the joints of LIFTER_20, and how bodies are varied.

A detector does not mark joint centres: hips are annotated further apart than the hip joints lie, and the face has five
points of its own. Offsets are in metres of a 1.70 m body along (its left, up, forward) of the part they hang on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.skeletons import COCO_17, LIFTER_20

__all__ = [
    "COCO_OFFSET_M",
    "OFFSETS_M",
    "BodyPoints",
    "coco_points",
    "mirrored",
    "part_axes",
    "vary_bones",
]

Floats = NDArray[np.floating]

# COCO point -> offset from its anchor. The face points hang on the middle of the head bone, which lies between the ears
# at the height of the eyes: eyes 64 mm apart, ears 150 mm, nose tip 115 mm ahead (adult averages). Shoulder points lie
# near the joint, a little above; hip points 20 mm outside and 10 mm above the hip joints. Others: at the joint.
COCO_OFFSET_M: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, -0.035, 0.115),
    "left_eye": (0.032, 0.01, 0.085),
    "right_eye": (-0.032, 0.01, 0.085),
    "left_ear": (0.075, -0.01, -0.005),
    "right_ear": (-0.075, -0.01, -0.005),
    "left_shoulder": (0.0, 0.01, 0.0),
    "right_shoulder": (0.0, 0.01, 0.0),
    "left_hip": (0.02, 0.01, 0.01),
    "right_hip": (-0.02, 0.01, 0.01),
}
OFFSETS_M = np.array([COCO_OFFSET_M.get(name, (0.0, 0.0, 0.0)) for name in COCO_17.joint_names], dtype=np.float32)

_JOINT = {name: j for j, name in enumerate(LIFTER_20.joint_names)}
_FACE_POINTS = 5
_LEGS = [COCO_17.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")]
_ANCHOR = [_JOINT[name] for name in COCO_17.joint_names[_FACE_POINTS:]]
_LEG_JOINTS = [_JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle")]
_LEG_PARENTS = [_JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee")]


class BodyPoints(NamedTuple):
    """COCO-17 points on bodies, and which way the heads look.

    Attributes:
        xyz_m: (..., 17, 3).
        head_axes: (..., 3, 3), columns: the head's left, up, forward in the axes of ``xyz_m``.
    """

    xyz_m: Floats
    head_axes: Floats


def coco_points(joints_m: Floats, offsets_m: Floats = OFFSETS_M) -> BodyPoints:
    """Attach the COCO-17 points to bodies.

    Args:
        joints_m: (..., 20, 3) joints of LIFTER_20.
        offsets_m: (17, 3), or (..., 17, 3) to move the points of each body.
    """
    joint = {name: joints_m[..., j, :] for name, j in _JOINT.items()}
    middle = (joint["neck"] + joint["head"]) / 2
    forward = _unit(joint["face"] - middle)
    left = _unit(_cross(joint["head"] - joint["neck"], forward))
    head = np.stack([left, _cross(forward, left), forward], axis=-1)
    up = joint["thorax"] - joint["pelvis"]
    chest = part_axes(joint["left_shoulder"] - joint["right_shoulder"], up)
    hips = part_axes(joint["left_hip"] - joint["right_hip"], up)
    xyz_m = np.empty((*joints_m.shape[:-2], len(COCO_17), 3), dtype=joints_m.dtype)
    xyz_m[..., :_FACE_POINTS, :] = middle[..., None, :]
    xyz_m[..., _FACE_POINTS:, :] = joints_m[..., _ANCHOR, :]
    for points, axes in (
        (list(range(_FACE_POINTS)), head),
        ([j for j in range(_FACE_POINTS, len(COCO_17)) if j not in _LEGS], chest),
        (_LEGS, hips),
    ):
        xyz_m[..., points, :] += np.matmul(offsets_m[..., points, :], np.swapaxes(axes, -1, -2))
    return BodyPoints(xyz_m, head)


def vary_bones(joints_m: Floats, factors: Floats) -> Floats:
    """Stretch the bones of bodies and scale the result back to the leg length (the stature) that it had.

    Args:
        joints_m: (B, T, J, 3) of LIFTER_20, or the first 17 of it (HUMAN36M_17).
        factors: (B, J), by which the bone from its parent to each joint is multiplied; left should equal right.

    Returns:
        (B, T, J, 3); the pelvis stays where it was.
    """
    varied = joints_m.copy()
    for j, parent in enumerate(LIFTER_20.parents[: joints_m.shape[2]]):
        if parent >= 0:
            varied[:, :, j] = varied[:, :, parent] + factors[:, None, j, None] * (
                joints_m[:, :, j] - joints_m[:, :, parent]
            )
    scale = _leg_length(joints_m[:, 0]) / _leg_length(varied[:, 0])
    pelvis = varied[:, :, :1]
    return np.asarray(pelvis + (varied - pelvis) * scale[:, None, None, None])


def mirrored(joints_m: Floats) -> Floats:
    """The mirror image of LIFTER_20, or the first 17 of it: x negated, left and right joints exchanged."""
    image = joints_m[..., list(LIFTER_20.mirror[: joints_m.shape[-2]]), :].copy()
    image[..., 0] *= -1
    return image


def _leg_length(joints_m: Floats) -> Floats:
    """Thighs plus shanks of both sides, (...)."""
    bones = joints_m[..., _LEG_JOINTS, :] - joints_m[..., _LEG_PARENTS, :]
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))


def part_axes(left: Floats, up: Floats) -> Floats:
    """Axes of a part of the body, (..., 3, 3): columns left (as given), up (as near as possible), forward."""
    left = _unit(left)
    forward = _unit(_cross(left, up))
    return np.stack([left, _cross(forward, left), forward], axis=-1)


def _unit(v: Floats) -> Floats:
    return np.asarray(v / np.maximum(np.sqrt((v * v).sum(axis=-1, keepdims=True)), 1e-9))


def _cross(a: Floats, b: Floats) -> Floats:
    """Cross product over the last axis; ``np.cross`` takes several times as long."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
