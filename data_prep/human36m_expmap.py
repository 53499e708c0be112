"""Human3.6M as exponential-map text (``S1/walking_1.txt``): angles and root steps -> joints in space.

Each line holds 99 numbers at 50 Hz: the root's step in the body frame of the frame before (mm), then one rotation
vector for each of the 32 joints, relative to its parent; the root's is relative to the frame before. Every clip starts
at the origin with the identity, so gravity and heading are lost: ``human36m_level.py`` finds gravity again.

The matrices act on row vectors: a point ``p`` of a bone lies at ``p @ R``, where ``R`` is the Rodrigues matrix of the
bone's own rotation vector times the ``R`` of its parent.

Source of the form and of the skeleton: github.com/una-dinosauria/human-motion-prediction (MIT, see NOTICE), after
Jain et al., Structural-RNN, CVPR 2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError
from mocap3d.base.skeletons import HUMAN36M_32

__all__ = ["COLUMNS", "OFFSETS_MM", "expmap_joints_mm", "integrate_root", "read_expmap"]

COLUMNS: Final = 99

# From each joint to its parent at rest, millimetres: x to the person's left, y up, z ahead. One body for all subjects.
_OFFSET_ROWS: Final = {
    "right_hip": (-132.948591, 0, 0), "right_knee": (0, -442.894612, 0), "right_ankle": (0, -454.206447, 0),
    "right_toe_base": (0, 0, 162.767078), "right_toe": (0, 0, 74.999437),
    "left_hip": (132.948826, 0, 0), "left_knee": (0, -442.894413, 0), "left_ankle": (0, -454.206590, 0),
    "left_toe_base": (0, 0, 162.767426), "left_toe": (0, 0, 74.999948),
    "spine_base": (0, 0.1, 0), "spine": (0, 233.383263, 0), "thorax": (0, 257.077681, 0), "neck": (0, 121.134938, 0),
    "head": (0, 115.002227, 0),
    "left_clavicle": (0, 257.077681, 0), "left_shoulder": (0, 151.034226, 0), "left_elbow": (0, 278.882773, 0),
    "left_wrist": (0, 251.733451, 0), "left_thumb": (0, 0, 99.999627), "left_wrist_end": (0, 100.000188, 0),
    "right_clavicle": (0, 257.077681, 0), "right_shoulder": (0, 151.031437, 0), "right_elbow": (0, 278.892924, 0),
    "right_wrist": (0, 251.728680, 0), "right_thumb": (0, 0, 99.999888), "right_wrist_end": (0, 137.499922, 0),
}  # fmt: skip
OFFSETS_MM: Final = np.array([_OFFSET_ROWS.get(name, (0.0, 0.0, 0.0)) for name in HUMAN36M_32.joint_names], np.float64)


def read_expmap(path: Path) -> NDArray[np.float64]:
    """Read the numbers of one file, (T, 99).

    Raises:
        FileFormatError: a line does not hold 99 finite numbers, or there is none.
    """
    try:
        lines = [line for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        values = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None) if lines else np.zeros((0, COLUMNS))
    except ValueError as error:
        raise FileFormatError(f"not lines of {COLUMNS} numbers: {error}", path=path) from None
    if not len(values) or values.shape[1] != COLUMNS:
        raise FileFormatError(f"expected lines of {COLUMNS} numbers, got {values.shape}", path=path)
    if not np.isfinite(values).all():
        raise FileFormatError(
            "a number is not finite", path=path, line=int(np.argwhere(~np.isfinite(values))[0, 0]) + 1
        )
    return values


def integrate_root(
    step_mm: NDArray[np.float64], turn: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the root's steps and turns.

    Args:
        step_mm: (T, 3) step in the body frame of the frame before.
        turn: (T, 3) rotation vector against the frame before.

    Returns:
        origin_mm (T, 3), and R (T, 3, 3): a row vector ``p`` of the body lies at ``p @ R[t] + origin_mm[t]``.
    """
    R_diff = Rotation.from_rotvec(turn).as_matrix()
    R, origin_mm = np.empty_like(R_diff), np.empty_like(step_mm)
    R_now, origin_now = np.eye(3), np.zeros(3)
    for t in range(len(step_mm)):
        origin_now = origin_now + step_mm[t] @ R_now
        R_now = R_diff[t] @ R_now
        origin_mm[t], R[t] = origin_now, R_now
    return origin_mm, R


def expmap_joints_mm(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Forward kinematics of one file.

    Args:
        values: (T, 99) from `read_expmap`.

    Returns:
        joints (T, 32, 3) of HUMAN36M_32 in millimetres, in the frame of the first pelvis (x left, y about up, z
        ahead), and frame_from_head (T, 3, 3), a matrix for column vectors, the identity for an upright head.
    """
    vectors = values[:, 3:].reshape(len(values), len(HUMAN36M_32), 3)
    turns = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)
    origin_mm, R_root = integrate_root(values[:, :3], vectors[:, 0])
    joints_mm, R = np.empty_like(vectors), np.empty_like(turns)
    joints_mm[:, 0], R[:, 0] = origin_mm, R_root
    for j, parent in enumerate(HUMAN36M_32.parents[1:], start=1):
        joints_mm[:, j] = joints_mm[:, parent] + OFFSETS_MM[j] @ R[:, parent]
        R[:, j] = turns[:, j] @ R[:, parent]
    return joints_mm, np.swapaxes(R[:, HUMAN36M_32.index("neck")], 1, 2)
