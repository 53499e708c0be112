"""Finding a board's corners in a picture, with OpenCV."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import InputError
from mocap3d.cameras.boards import Board, BoardView

__all__ = ["CornerFinder"]

Floats = NDArray[np.float64]

_LEAST_CORNERS: Final = 6  # fewer do not say where a board is
_SMALL_PX: Final = 640  # a picture this small says whether there is a chessboard


class CornerFinder:
    """Looks for one board in many pictures.

    >>> finder = CornerFinder(parse_board("chessboard:7x4:60mm"))
    >>> view = finder.find(picture)
    """

    def __init__(self, board: Board, *, thorough: bool = False) -> None:
        """``thorough`` spends a second on each picture without a board: for photos, of which there are few."""
        import cv2

        self.board = board
        self._thorough = thorough
        self._cv2 = cv2
        self._detector: Any = None
        if board.kind != "chessboard":
            code = getattr(cv2.aruco, f"DICT_{board.dictionary}", None)
            if not isinstance(code, int):
                known = ", ".join(sorted(name[5:] for name in dir(cv2.aruco) if name.startswith("DICT_")))
                raise InputError(f"no dictionary is called {board.dictionary!r}; there are {known}")
            self._detector = self._markers(cv2.aruco.getPredefinedDictionary(code))

    def _markers(self, dictionary: Any) -> Any:
        aruco, board = self._cv2.aruco, self.board
        needed = board.columns * board.rows // (2 if board.kind == "charuco" else 1)
        if needed > len(dictionary.bytesList):
            raise InputError(f"the dictionary {board.dictionary} has too few markers for {board.label}")
        settings = aruco.DetectorParameters()
        if board.kind == "aprilgrid":
            settings.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
            return aruco.ArucoDetector(dictionary, settings)
        pattern = aruco.CharucoBoard((board.columns, board.rows), board.square_m, board.marker_m, dictionary)
        pattern.setLegacyPattern(board.legacy)
        return aruco.CharucoDetector(pattern, aruco.CharucoParameters(), settings)

    def find(self, picture: NDArray[np.uint8]) -> BoardView | None:
        """The board in a picture (H, W, 3) RGB or (H, W) gray; None where it is not, or too little of it."""
        cv2 = self._cv2
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
        gray = 255 - gray if self.board.inverted else gray
        ids, xy = {"chessboard": self._chessboard, "charuco": self._charuco, "aprilgrid": self._tags}[self.board.kind](
            gray
        )
        if len(ids) < _LEAST_CORNERS or _on_a_line(xy):
            return None
        order = np.argsort(ids)
        return BoardView(ids=ids[order], xy_px=xy[order], sharpness=_sharpness(gray, xy))

    def _charuco(self, gray: Any) -> tuple[NDArray[np.int64], Floats]:
        corners, ids, _, _ = self._detector.detectBoard(gray)
        return _flat(ids, corners)

    def _tags(self, gray: Any) -> tuple[NDArray[np.int64], Floats]:
        corners, ids, _ = self._detector.detectMarkers(gray)
        if ids is None:
            return _flat(None, None)
        ids = ids.ravel()
        own = (ids < self.board.columns * self.board.rows) & (np.bincount(ids, minlength=1)[ids] == 1)
        four = ids[own, None] * 4 + np.arange(4)
        return _flat(four, np.array(corners)[own] if own.any() else None)

    def _chessboard(self, gray: Any) -> tuple[NDArray[np.int64], Floats]:
        cv2, size = self._cv2, (self.board.columns, self.board.rows)
        found, corners = cv2.findChessboardCorners(
            gray, size, flags=cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
        )
        if not found and (self._thorough or self._seems_there(gray)):
            found, corners = cv2.findChessboardCornersSB(gray, size, flags=cv2.CALIB_CB_ACCURACY)
        if not found:
            return _flat(None, None)
        grid = self._in_order(gray, corners.reshape(size[1], size[0], 2).astype(np.float64))
        # The window ends before the next corner begins.
        near = min(np.linalg.norm(np.diff(grid, axis=axis), axis=-1).min() for axis in (0, 1))
        half = int(np.clip(near / 3, 2, 11))
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)
        fine = cv2.cornerSubPix(gray, grid.reshape(-1, 1, 2).astype(np.float32), (half, half), (-1, -1), stop)
        return _flat(np.arange(len(fine)), fine)

    def _seems_there(self, gray: Any) -> bool:
        """The thorough search takes seconds: first ask it about a small picture."""
        cv2 = self._cv2
        scale = _SMALL_PX / max(gray.shape)
        if scale >= 1:
            return True
        small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        size = (self.board.columns, self.board.rows)
        return bool(cv2.findChessboardCornersSB(small, size, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)[0])

    def _in_order(self, gray: Any, grid: Floats) -> Floats:
        """Corners (rows, columns, 2) from the first: not mirrored, and beginning at a black square where that tells."""
        across, down = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
        if across[0] * down[1] - across[1] * down[0] < 0:
            grid = grid[:, ::-1]
        if not self.board.can_be_turned:
            centres = (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:]) / 4
            column, row = np.round(centres).astype(int).reshape(-1, 2).T
            shade = gray[np.clip(row, 0, gray.shape[0] - 1), np.clip(column, 0, gray.shape[1] - 1)].astype(float)
            even = (np.add.outer(*map(np.arange, centres.shape[:2])) % 2 == 0).ravel()
            if shade[even].mean() > shade[~even].mean():
                grid = grid[::-1, ::-1]
        return grid


def _flat(ids: Any, corners: Any) -> tuple[NDArray[np.int64], Floats]:
    if ids is None or corners is None:
        return np.zeros(0, np.int64), np.zeros((0, 2))
    return np.asarray(ids, np.int64).ravel(), np.asarray(corners, np.float64).reshape(-1, 2)


def _on_a_line(xy: Floats) -> bool:
    spread = np.linalg.svd(xy - xy.mean(axis=0), compute_uv=False)
    return bool(spread[1] < 0.02 * spread[0])


def _sharpness(gray: Any, xy: Floats) -> float:
    """Steepest change between neighbouring pixels near the corners over the range of brightness there; the median."""
    found = []
    for x, y in np.round(xy).astype(int):
        patch = gray[max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7].astype(float)
        if min(patch.shape) > 2 and np.ptp(patch) > 10:
            steepest = max(np.abs(np.diff(patch, axis=axis)).max() for axis in (0, 1))
            found.append(steepest / np.ptp(patch))
    return float(np.median(found)) if found else 0.0
