"""How far the background of a picture has moved since a first picture, in spite of people who walk through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.cameras.small_picture import SmallPicture

__all__ = ["Background", "Motion2D", "find_motion"]

_CORNERS = 160
_STAYING_PX = 0.8  # of the small picture: well below the tolerance, well above the noise of tracking
_STAYING = 0.35  # part of the corners that must stay: a person rarely hides two thirds of a scene
_ENOUGH = 12  # corners
_WINDOW = (15, 15)


@dataclass(frozen=True, slots=True, eq=False)
class Motion2D:
    """A shift, turn and zoom between two small pictures: ``x_after = now_from_before @ [x_before, y_before, 1]``."""

    now_from_before: NDArray[np.float64]  # (3, 3)

    def undo(self, after: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Show the later picture as the earlier camera would have."""
        import cv2

        size = (after.shape[1], after.shape[0])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(after, self.now_from_before[:2], size, flags=flags, borderValue=(128,))
        return np.asarray(warped, dtype=np.uint8)

    def corner_shift_px(self, size_wh_px: tuple[int, int]) -> float:
        """Mean distance that the four corners of a picture move."""
        width, height = size_wh_px
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]])
        moved = corners @ self.now_from_before[:2].T
        return float(np.linalg.norm(moved - corners[:, :2], axis=1).mean())


def find_motion(before: SmallPicture, after: SmallPicture) -> Motion2D | None:
    """Estimate the camera's motion between two pictures; None when too little of one is found in the other."""
    points = _corners(before)
    if len(points) < _ENOUGH:
        return None
    moved, found = _track(before, after, points, points)
    return _fit(points[found], moved[found])


class Background:
    """The scene as it was at the start of a shot.

    Corners are sought where they were last seen, but always by their look at the start, so errors do not add up. When
    too few are left (the camera has turned away), the present picture becomes the new reference.
    """

    def __init__(self, first: SmallPicture) -> None:
        self._last_px = 0.0
        self._guess: NDArray[np.float32]
        self._set_reference(first, np.eye(3))

    def moved_px(self, picture: SmallPicture) -> float:
        """How far the background has moved since the first picture, pixels of the full picture.

        People who hide part of the background do not count. When nothing can be told, the last answer holds.
        """
        if len(self._points) < _ENOUGH:
            return self._last_px
        moved, found = _track(self._reference, picture, self._points, self._guess)
        shift = np.linalg.norm(moved - self._points, axis=1)
        stays = found & (shift < _STAYING_PX)
        if stays.sum() >= max(_ENOUGH, _STAYING * len(self._points)):
            self._guess = self._points
            motion = Motion2D(np.eye(3))
            own_px = float(np.linalg.norm(np.median((moved - self._points)[stays], axis=0)))
        else:
            fitted = _fit(self._points[found], moved[found])
            if fitted is None:
                self._set_reference(picture, self._first_to_reference)
                return self._last_px
            motion, own_px = fitted, 0.0
            self._guess = (_homogeneous(self._points) @ motion.now_from_before[:2].T).astype(np.float32)
        total = Motion2D(motion.now_from_before @ self._first_to_reference)
        small_wh = picture.detail.shape[1], picture.detail.shape[0]
        self._last_px = picture.scale * max(total.corner_shift_px(small_wh), own_px)
        if found.sum() < 0.4 * len(self._points):
            self._set_reference(picture, total.now_from_before)
        return self._last_px

    def _set_reference(self, picture: SmallPicture, first_to_reference: NDArray[np.float64]) -> None:
        self._reference = picture
        self._first_to_reference = first_to_reference
        self._points: NDArray[np.float32] = _corners(picture)
        self._guess = self._points


def _corners(picture: SmallPicture) -> NDArray[np.float32]:
    """(N, 2) corners, spread over the picture."""
    import cv2

    if min(picture.detail.shape) < 2 * _WINDOW[0]:
        return np.zeros((0, 2), np.float32)
    found: Any = cv2.goodFeaturesToTrack(picture.detail, _CORNERS, 0.02, 8)  # None where there is no corner
    return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2).astype(np.float32)


def _track(
    before: SmallPicture, after: SmallPicture, points: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the corners again; one that does not look as before is not found."""
    import cv2

    moved: Any
    moved, status, error = cv2.calcOpticalFlowPyrLK(
        before.detail,
        after.detail,
        points[:, None],
        guess[:, None].copy(),
        winSize=_WINDOW,
        maxLevel=3,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    found = (status[:, 0] == 1) & (error[:, 0] < 25)
    return moved[:, 0], found


def _fit(before: NDArray[np.float32], after: NDArray[np.float32]) -> Motion2D | None:
    """Shift, turn and zoom that most corners share (RANSAC)."""
    import cv2

    if len(before) < _ENOUGH:
        return None
    cv2.setRNGSeed(0)  # the same video gives the same shots
    matrix: Any  # None where nothing fits
    matrix, inliers = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=1.0)
    if matrix is None or inliers.sum() < max(_ENOUGH, 0.3 * len(before)):
        return None
    zoom = np.hypot(matrix[0, 0], matrix[1, 0])
    if not 0.5 < zoom < 2:
        return None
    return Motion2D(np.vstack([matrix, [0, 0, 1]]))


def _homogeneous(points: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.column_stack([points, np.ones(len(points))])
