"""A first guess of a focal length from flat boards.

Reference: Zhang 2000, "A flexible new technique for camera calibration", section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mocap3d.cameras.boards import Board, BoardView

__all__ = ["zhang_focal_px"]

Floats = NDArray[np.float64]


def zhang_focal_px(board: Board, views: Sequence[BoardView], centre: Floats) -> float | None:
    """The focal length by Zhang's closed form, the principal point at ``centre``; None where it has no answer."""
    rows = []
    for view in views:
        H = _homography(board.points_m[view.ids, :2], view.xy_px - centre)
        a, b = H[:, 0], H[:, 1]
        # a' w b = 0 and a' w a = b' w b, for w = diag(1/f^2, 1/f^2, 1).
        rows += [
            (a[0] * b[0] + a[1] * b[1], a[2] * b[2]),
            (a[0] ** 2 + a[1] ** 2 - b[0] ** 2 - b[1] ** 2, a[2] ** 2 - b[2] ** 2),
        ]
    left, right = np.array(rows).T
    inverse = -float(left @ right) / max(float(left @ left), 1e-30)
    return float(1 / np.sqrt(inverse)) if inverse > 1e-12 else None


def _homography(points: Floats, xy: Floats) -> Floats:
    """(3, 3) from the board's plane to the picture; DLT with normalised numbers."""
    scale_a, scale_b = np.abs(points).max() or 1.0, np.abs(xy).max() or 1.0
    x, y = (points / scale_a).T
    u, v = (xy / scale_b).T
    one, none = np.ones_like(x), np.zeros_like(x)
    A = np.concatenate(
        [
            np.stack([x, y, one, none, none, none, -u * x, -u * y, -u], axis=-1),
            np.stack([none, none, none, x, y, one, -v * x, -v * y, -v], axis=-1),
        ]
    )
    H = np.linalg.svd(A)[2][-1].reshape(3, 3)
    H = np.diag([scale_b, scale_b, 1.0]) @ H @ np.diag([1 / scale_a, 1 / scale_a, 1.0])
    return np.asarray(H / np.linalg.norm(H[:, 0]))
