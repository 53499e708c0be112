"""Boards that move before cameras of which everything is known: where their corners are, and pictures of them."""

from __future__ import annotations

import numpy as np
from rigs_of_cameras import pixels
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.cameras.boards import Board, BoardView


def board_poses_before(count, *, distance_m=(0.5, 1.2), tilt_deg=40.0, sideways=0.55, seed=0):
    """(count, 4, 4) ``cam_from_board``: in front of a camera, tilted and turned, all over its picture."""
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (count, 1, 1))
    lean = np.radians(rng.uniform(-tilt_deg, tilt_deg, (count, 2)))
    turn = np.radians(rng.uniform(-20, 20, count))
    poses[:, :3, :3] = Rotation.from_euler("xyz", np.column_stack([lean, turn])).as_matrix()
    depth = rng.uniform(*distance_m, count)
    poses[:, :3, 3] = np.column_stack([rng.uniform(-sideways, sideways, (count, 2)) * depth[:, None], depth])
    return poses


def seen_boards(camera: Camera, board: Board, world_from_board, *, noise_px=0.0, seed=1, facing=True):
    """One ``BoardView`` (or None) per pose: corners inside the picture, if there are six and the face is towards it."""
    rng = np.random.default_rng(seed)
    views = []
    middle = board.points_m.mean(axis=0)
    for pose in world_from_board:
        world = (board.points_m - middle * 1.0) @ pose[:3, :3].T + pose[:3, 3]
        xy = pixels(camera, world)
        xy = xy + noise_px * rng.normal(size=xy.shape)
        inside = ((xy > 0) & (xy < np.array(camera.size_wh_px) - 1)).all(axis=-1)
        towards = (pose[:3, 3] - camera.world_from_cam[:3, 3]) @ pose[:3, 2] > 0
        ids = np.flatnonzero(inside)
        grid = (
            np.linalg.matrix_rank(board.points_m[ids] - board.points_m[ids].mean(axis=0), tol=1e-9) == 2
            if len(ids)
            else 0
        )
        good = len(ids) >= 6 and grid and (towards or not facing)
        views.append(BoardView(ids=ids, xy_px=xy[ids], sharpness=0.4) if good else None)
    return views


def picture_of(board: Board, camera: Camera, cam_from_board, *, blur=0.6):
    """(H, W) gray: the board on a gray wall, each pixel traced back to the board; 3 x 3 samples a pixel."""
    import cv2

    printed, origin_px, px_per_m = _printed(board)
    scale = 3
    width, height = camera.size_wh_px
    x, y = np.meshgrid(np.arange(width * scale), np.arange(height * scale))
    px = np.stack([(x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5], axis=-1).reshape(-1, 2)
    flat = cv2.undistortPoints(px[:, None].astype(np.float64), camera.K, _five(camera)).reshape(-1, 2)
    R, t = cam_from_board[:3, :3], cam_from_board[:3, 3]
    H = np.linalg.inv(np.column_stack([R[:, 0], R[:, 1], t]))
    plane = np.column_stack([flat, np.ones(len(flat))]) @ H.T
    on_board = plane[:, :2] / plane[:, 2:]
    at = (on_board * px_per_m + origin_px).astype(np.float32).reshape(height * scale, width * scale, 2)
    fine = cv2.remap(printed, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=150)
    small = fine.reshape(height, scale, width, scale).mean(axis=(1, 3)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(small, (0, 0), blur), 0, 255).astype(np.uint8)


def _five(camera):
    return np.pad(camera.distortion, (0, 5 - len(camera.distortion)))


def _printed(board: Board):
    """The board as it is printed, the pixel of its origin (a corner's exact place), pixels per metre."""
    import cv2

    square_px = 80
    if board.kind == "chessboard":
        rows, columns = np.indices((board.rows + 1, board.columns + 1))
        colours = np.where((rows + columns) % 2 == 0, 255, 0).astype(np.uint8)  # inside the first corner it is black
        colours[(rows + columns) % 2 == 0] = 255
        squares = np.kron(colours, np.ones((square_px, square_px), np.uint8))
        if squares[square_px + 5, square_px + 5] != 0:
            squares = 255 - squares
        margin, origin = square_px, 2 * square_px - 0.5
    else:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{board.dictionary}"))
        size = (board.columns, board.rows)
        if board.kind == "charuco":
            pattern = cv2.aruco.CharucoBoard(size, board.square_m, board.marker_m, dictionary)
            pattern.setLegacyPattern(board.legacy)
            squares = pattern.generateImage((size[0] * square_px, size[1] * square_px), marginSize=0)
            squares = 255 - squares if board.inverted else squares
            margin, origin = square_px, 2 * square_px - 0.5
        else:
            pattern = cv2.aruco.GridBoard(size, board.square_m, board.marker_m, dictionary)
            step = board.square_m + board.marker_m
            px = square_px / board.square_m
            whole = [round((n * step - board.marker_m) * px) for n in size]
            squares = pattern.generateImage((whole[0], whole[1]), marginSize=0)
            margin, origin = square_px, square_px - 0.5
    edge = 0 if board.inverted else 255
    printed = np.pad(squares, margin, constant_values=edge)
    return printed, origin, square_px / board.square_m
