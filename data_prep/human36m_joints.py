"""Human3.6M's 32 joints -> the skeletons that we train on."""

from __future__ import annotations

from typing import Final

import numpy as np
from mocap3d.data_prep.cmu import place_face
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import HUMAN36M_17, HUMAN36M_32, LIFTER_20

__all__ = ["TARGETS", "constructed_head", "joints_from_32"]

TARGETS: Final = {skeleton.name: skeleton for skeleton in (HUMAN36M_17, LIFTER_20)}


def joints_from_32(
    xyz_m: NDArray[np.float64],
    target: Skeleton,
    world_from_head: NDArray[np.float64] | None = None,
    face_pitch_rad: float = 0.0,
) -> NDArray[np.float64]:
    """Pick the joints of ``target`` out of Human3.6M's 32.

    Args:
        xyz_m: (T, 32, 3) of HUMAN36M_32, world metres, Y up.
        target: HUMAN36M_17 or LIFTER_20.
        world_from_head: (T, 3, 3), the identity for an upright head that looks along +Z, recorded or of
            `constructed_head`; without it the face point of LIFTER_20 stays NaN.
        face_pitch_rad: turns the face point up about the head's left-right axis (`cmu.gaze_correction_rad`).

    Returns:
        (T, J, 3). The toes of LIFTER_20 are the tips of the toes; its face point lies ahead of the middle of the head
        bone.

    Raises:
        InputError: another skeleton.
    """
    if target.name not in TARGETS:
        raise InputError(f"Human3.6M can be brought to {' or '.join(TARGETS)}, not to {target.name}")
    picked = np.full((len(xyz_m), len(target), 3), np.nan)
    for j, name in enumerate(target.joint_names):
        if name in HUMAN36M_32.joint_names:
            picked[:, j] = xyz_m[:, HUMAN36M_32.index(name)]
    if target is LIFTER_20 and world_from_head is not None:
        place_face(picked, world_from_head, face_pitch_rad)
    return picked


def constructed_head(xyz_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """How heads are turned, where only positions are known: up from neck to head, left as the shoulders are.

    A head that is turned against the shoulders is not seen to be.

    Args:
        xyz_m: (T, 32, 3) of HUMAN36M_32, world metres, Y up.

    Returns:
        world_from_head (T, 3, 3), the identity for an upright head that looks along +Z.
    """
    at = {name: xyz_m[:, HUMAN36M_32.index(name)] for name in ("neck", "head", "left_shoulder", "right_shoulder")}
    up = _unit(at["head"] - at["neck"])
    across = at["left_shoulder"] - at["right_shoulder"]
    left = _unit(across - up * (across * up).sum(axis=-1, keepdims=True))
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
