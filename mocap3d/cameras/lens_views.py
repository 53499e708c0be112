"""Which pictures of a board say most about a lens: sharp ones, spread over picture, distance and tilt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.cameras.boards import Board, BoardView

__all__ = ["SeenBoard", "chosen", "coverage"]

Floats = NDArray[np.float64]

_CELLS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenBoard:
    """A board in one of the pictures.

    Attributes:
        frame: which picture, from 0.
        view: its corners.
    """

    frame: int
    view: BoardView


def chosen(seen: Sequence[SeenBoard], board: Board, size_wh_px: tuple[int, int], most: int) -> tuple[SeenBoard, ...]:
    """The views that differ most from each other, begun with the sharpest; a blurred one counts less.

    Each view is a point: where the board is, how large, and how it is foreshortened and turned (the second half of its
    best affine map from the board to the picture). The next view is always the one that is farthest from all that were
    taken, times its sharpness.
    """
    if len(seen) <= most:
        return tuple(seen)
    points = np.array([_described(item.view, board, size_wh_px) for item in seen])
    sharp = np.array([item.view.sharpness for item in seen])
    worth = np.clip(sharp / max(float(np.percentile(sharp, 80)), 1e-6), 0.05, 1.0)
    taken = [int(np.argmax(worth))]
    near = np.linalg.norm(points - points[taken[0]], axis=1)
    while len(taken) < most:
        best = int(np.argmax(near * worth))
        if near[best] <= 1e-9:
            break
        taken.append(best)
        near = np.minimum(near, np.linalg.norm(points - points[best], axis=1))
    return tuple(seen[n] for n in sorted(taken))


def _described(view: BoardView, board: Board, size_wh_px: tuple[int, int]) -> Floats:
    points = board.points_m[view.ids, :2]
    centred, xy = points - points.mean(axis=0), view.xy_px - view.xy_px.mean(axis=0)
    A = np.linalg.lstsq(centred, xy, rcond=None)[0].T  # 2x2, pixels per metre
    size = np.sqrt(max(abs(np.linalg.det(A)), 1e-12))
    middle = (A @ (board.points_m[:, :2].mean(axis=0) - points.mean(axis=0)) + view.xy_px.mean(axis=0)) / size_wh_px
    across = size * np.ptp(board.points_m[:, :2], axis=0).max() / max(size_wh_px)
    turned = (A / size).ravel()  # how it lies and is tilted, apart from how large it is
    return np.concatenate([2 * middle, [np.log2(max(across, 1e-3))], 0.7 * turned])


def coverage(views: Iterable[BoardView], size_wh_px: tuple[int, int]) -> float:
    """Share of the picture where a corner was seen, or lies between corners that were: of 8 x 8 cells."""
    cells = np.zeros((_CELLS, _CELLS), bool)
    for view in views:
        column, row = np.clip(view.xy_px / size_wh_px * _CELLS, 0, _CELLS - 1).astype(int).T
        # Corners of one view are closer together than cells, or their board fills what is between them.
        for line in np.unique(row):
            own = column[row == line]
            cells[line, own.min() : own.max() + 1] = True
    return float(cells.mean())
