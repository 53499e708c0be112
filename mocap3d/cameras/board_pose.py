"""Where a board is, seen by one camera whose lens is known."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError
from mocap3d.base.projection import px_to_rays
from mocap3d.cameras.boards import Board, BoardView

__all__ = ["board_pose", "board_poses", "tilt_deg"]

Floats = NDArray[np.float64]

_LEAST_CORNERS: Final = 4


def board_pose(camera: Camera, board: Board, view: BoardView) -> Floats:
    """``cam_from_board`` (4, 4): the better of the two poses that explain a flat board.

    Raises:
        CalibrationError: too few corners lie within the reach of the lens, or nothing explains them.
    """
    return board_poses(camera, board, view)[0][0]


def board_poses(camera: Camera, board: Board, view: BoardView) -> list[tuple[Floats, float]]:
    """Both poses with their errors in pixels, the better first: a small or far board can be tilted either way.

    Raises:
        CalibrationError: too few corners lie within the reach of the lens, or nothing explains them.

    Reference:
        Collins and Bartoli 2014, "Infinitesimal plane-based pose estimation" (IPPE).
    """
    import cv2

    rays = px_to_rays(camera, view.xy_px)[:, :2]
    usable = np.isfinite(rays).all(axis=-1)
    if usable.sum() < _LEAST_CORNERS:
        raise CalibrationError(f"{camera.name}: the corners of the board lie out of the reach of the lens")
    points = board.points_m[view.ids][usable]
    centre = points.mean(axis=0)
    try:
        found, turns, moves, errors = cv2.solvePnPGeneric(
            points - centre, rays[usable], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error as error:
        raise CalibrationError(f"{camera.name}: the corners of the board fit no pose") from error
    poses = []
    for turn, move, off in zip(turns[:found], moves[:found], np.ravel(errors)[:found], strict=True):
        pose = np.eye(4)
        pose[:3, :3] = cv2.Rodrigues(turn)[0]
        pose[:3, 3] = move.ravel() - pose[:3, :3] @ centre
        in_front = bool(((points @ pose[:3, :3].T + pose[:3, 3])[:, 2] > 0).all())
        if np.isfinite(pose).all() and in_front:
            poses.append((pose, float(off) * float(camera.K[0, 0])))
    if not poses:
        raise CalibrationError(f"{camera.name}: the corners of the board fit no pose in front of the camera")
    return sorted(poses, key=lambda item: item[1])


def tilt_deg(cam_from_board: Floats) -> float:
    """Between the board's face and the camera's axis: 0 is frontal."""
    return float(np.degrees(np.arccos(np.clip(abs(cam_from_board[2, 2]), 0, 1))))
