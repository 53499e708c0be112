"""A lens from pictures of a board: focal lengths, principal point, distortion, and how well they are known.

```
result = calibrate_lens("lens.mp4", "charuco:4x5:54mm:40.5mm:4X4_50")
result.camera.K, result.rms_px, result.focal_std
```

Corners are OpenCV's, the solution is our own: the board's pose in every picture and the lens by bundle adjustment
(`bundle.adjust_boards`), started from Zhang's closed form and from guesses. A low residual alone proves nothing: ten
pictures of a board held flat before the camera are explained perfectly by any focal length. So the standard deviation
of what was asked decides, and a lens that the pictures leave open is refused with what to film again.

Reference: Zhang 2000, "A flexible new technique for camera calibration".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.base.projection import px_to_rays
from mocap3d.cameras.board_corners import CornerFinder
from mocap3d.cameras.board_pose import board_pose, tilt_deg
from mocap3d.cameras.boards import Board, parse_board
from mocap3d.cameras.bundle import Adjusted, BoardSights, adjust_boards
from mocap3d.cameras.lens_start import zhang_focal_px
from mocap3d.cameras.lens_views import SeenBoard, chosen, coverage

__all__ = ["LensResult", "LensView", "calibrate_lens", "lens_from_views", "see_boards"]

Floats = NDArray[np.float64]
Model = Literal["brown-conrady", "fisheye"]
Pictures = str | os.PathLike[str] | Iterable[NDArray[np.uint8]]
Looked = Callable[[int, int | None], None]

_MOST_VIEWS: Final = 40
_MOST_LOOKS: Final = 250  # frames of a video in which the board is looked for, evenly spread

_LEAST_VIEWS: Final = 4
_LEAST_TILT_DEG: Final = 12.0
_LEAST_COVERAGE: Final = 0.3
_MOST_FOCAL_STD: Final = 0.02
_MOST_CENTRE_STD: Final = 0.04  # of the longer side
_MOST_RMS: Final = 0.003  # of the longer side: 5.8 px of 1920
_NOISE_PX: Final = 0.3  # corners are never better than that all over a picture, whatever the residuals say
_GUESSES: Final = (0.6, 0.9, 1.3, 2.0, 3.0)  # focal length over the longer side


@dataclass(frozen=True, slots=True, kw_only=True)
class LensView:
    """One picture that took part.

    Attributes:
        frame: which picture, from 0.
        corners: how many corners were seen.
        rms_px: root mean square distance between where they are and where the lens puts them.
        tilt_deg: between the board's face and the viewing direction; 0 is frontal.
        distance_m: from the camera to the board's middle.
    """

    frame: int
    corners: int
    rms_px: float
    tilt_deg: float
    distance_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LensResult:
    """A calibrated lens.

    Attributes:
        camera: at the origin.
        views: the pictures that took part.
        left_out: frames whose corners fitted nothing (a wrong detection, a bent board).
        rms_px: over all corners.
        focal_std: (2,) standard deviation of fx and fy as a share of them.
        principal_std_px: (2,) of cx and cy.
        coverage: share of the picture where corners were seen.
        board: what was looked for.
        seen_px: (N, 2) the corners that took part.
        off_px: (N,) how far from there the lens puts them.
    """

    camera: Camera
    views: tuple[LensView, ...]
    left_out: tuple[int, ...]
    rms_px: float
    focal_std: tuple[float, float]
    principal_std_px: tuple[float, float]
    coverage: float
    board: Board
    seen_px: Floats
    off_px: Floats


def calibrate_lens(
    pictures: Pictures,
    board: Board | str | os.PathLike[str],
    *,
    model: Model = "brown-conrady",
    name: str | None = None,
    progress: Looked | None = None,
) -> LensResult:
    """Calibrate a lens from a video, a folder of photos, or frames.

    Args:
        pictures: a video file, a folder of images, or (H, W, 3) RGB frames.
        board: what they show; see `boards.parse_board`.
        model: "brown-conrady", or "fisheye" for lenses of more than about 100 degrees.
        name: of the camera; the file's name when None.
        progress: told how many pictures were looked at, and of how many (None: unknown).

    Raises:
        InputError: no such file, or a board that cannot be.
        FileFormatError: the file is damaged.
        CalibrationError: the board is in none of the pictures, or they leave the lens open; it says what to film.
    """
    described = parse_board(board)
    named = name or (Path(pictures).stem if isinstance(pictures, (str, os.PathLike)) else "camera")
    looked, size_wh_px, seen = see_boards(pictures, described, progress)
    if not seen:
        raise CalibrationError(
            f"{named}: the board {described.label} is in none of {looked} pictures: check its size and kind (a "
            "chessboard is counted by its inner corners), that all of it is in view, not mirrored, and the light"
        )
    return lens_from_views(seen, described, size_wh_px, model=model, name=named)


def see_boards(
    pictures: Pictures, board: Board, progress: Looked | None = None
) -> tuple[int, tuple[int, int], tuple[SeenBoard, ...]]:
    """Look for a board: how many pictures were looked at, their size, and where it was.

    Raises:
        InputError: no such file, or pictures of different sizes.
        FileFormatError: the file is damaged.
    """
    step, frames, few, count = _frames(pictures)
    finder = CornerFinder(board, thorough=few)
    seen: list[SeenBoard] = []
    size: tuple[int, int] | None = None
    looked = 0
    for frame, picture in enumerate(frames):
        own = (picture.shape[1], picture.shape[0])
        if size is not None and own != size:
            raise InputError(
                f"picture {frame} is {own[0]}x{own[1]}, those before are {size[0]}x{size[1]}: one lens each"
            )
        size = own
        if frame % step:
            continue
        looked += 1
        if progress is not None:
            progress(frame + 1, count)
        view = finder.find(picture)
        if view is not None:
            seen.append(SeenBoard(frame=frame, view=view))
    if size is None:
        raise InputError("there are no pictures to calibrate a lens from")
    return looked, size, tuple(seen)


def _frames(pictures: Pictures) -> tuple[int, Iterable[NDArray[np.uint8]], bool, int | None]:
    """Which of the frames to look at (every n-th), the frames, whether they are few, and how many."""
    if not isinstance(pictures, (str, os.PathLike)):
        return 1, pictures, False, None
    path = Path(pictures)
    if path.is_dir():
        from mocap3d.cameras.image_folder import list_images, read_image

        paths = list_images(path)
        return 1, (read_image(file) for file in paths), len(paths) <= _MOST_LOOKS // 4, len(paths)
    from mocap3d.cameras.video import open_video

    video = open_video(path)
    return max(1, round(video.frame_count / _MOST_LOOKS)), video, False, video.frame_count


def lens_from_views(
    seen: Sequence[SeenBoard],
    board: Board,
    size_wh_px: tuple[int, int],
    *,
    model: Model = "brown-conrady",
    name: str = "camera",
) -> LensResult:
    """Calibrate a lens from corners.

    Raises:
        CalibrationError: they leave the lens open; it says why, and what to film.
    """
    if model not in ("brown-conrady", "fisheye"):
        raise InputError(f"model must be brown-conrady or fisheye, got {model!r}")
    views = chosen([item for item in seen if _spans(board, item)], board, size_wh_px, _MOST_VIEWS)
    if len(views) < _LEAST_VIEWS:
        raise CalibrationError(
            f"{name}: the board is in {len(views)} pictures; at least {_LEAST_VIEWS} are needed, and 15 from different "
            "sides are good"
        )
    covered = coverage((item.view for item in views), size_wh_px)
    problem = _Lens(views=tuple(views), board=board, name=name)
    kept, found = problem.solved(_started(problem, size_wh_px, model))
    fitting = [item for item in kept.views if item.frame not in kept.outliers(found)]
    if _LEAST_VIEWS <= len(fitting) < len(kept.views):
        kept, found = replace(kept, views=tuple(fitting)).solved(found.cameras[0])
    taken = {item.frame for item in kept.views}
    left_out = tuple(item.frame for item in views if item.frame not in taken)
    return _believed(kept, found, covered, left_out)


def _spans(board: Board, item: SeenBoard) -> bool:
    """Whether the corners are more than a row of the board: a line says nothing about its tilt."""
    points = board.points_m[item.view.ids, :2]
    if len(points) < 4:
        return False
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[1] > 0.1 * spread[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lens:
    """The views that a lens is solved from."""

    views: tuple[SeenBoard, ...]
    board: Board
    name: str

    @property
    def body(self) -> NDArray[np.int64]:
        """(N,) which view each corner belongs to."""
        return np.repeat(np.arange(len(self.views)), [len(item.view.ids) for item in self.views])

    def sights(self) -> BoardSights:
        """All corners."""
        return BoardSights(
            camera=np.zeros(len(self.body), np.int64),
            body=self.body,
            local_m=np.concatenate([self.board.points_m[item.view.ids] for item in self.views]),
            xy_px=np.concatenate([item.view.xy_px for item in self.views]),
        )

    def posed(self, camera: Camera) -> tuple[_Lens, Floats]:
        """The views that this lens can explain somehow, and the board's poses in them.

        Raises:
            CalibrationError: they are few.
        """
        views, poses = [], []
        for item in self.views:
            try:
                poses.append(board_pose(camera, self.board, item.view))
            except CalibrationError:
                continue
            views.append(item)
        if len(views) < max(_LEAST_VIEWS, len(self.views) / 2):
            raise CalibrationError(f"{self.name}: no lens puts the corners where they are: is it {self.board.label}?")
        return replace(self, views=tuple(views)), np.stack(poses)

    def adjusted(self, camera: Camera, poses: Floats, free: Sequence[str], steps: int) -> Adjusted:
        """Lens and board poses together."""
        return adjust_boards([camera], poses, self.sights(), free=free, robust_px=1.5, max_steps=steps)

    def solved(self, camera: Camera) -> tuple[_Lens, Adjusted]:
        """From a rough start to everything free."""
        own, poses = self.posed(camera)
        rough = own.adjusted(camera, poses, ("zoom", "k1"), 20)
        return own, own.adjusted(rough.cameras[0], rough.points_m, ("focal", "principal", "distortion"), 60)

    def rms_of_views(self, found: Adjusted) -> Floats:
        """(V,) pixels."""
        squares = (found.residuals_px**2).sum(axis=-1)
        squares = np.nan_to_num(squares, nan=1e8)
        return np.sqrt(np.bincount(self.body, squares) / np.bincount(self.body))

    def outliers(self, found: Adjusted) -> tuple[int, ...]:
        """Frames that fit far worse than the others."""
        rms = self.rms_of_views(found)
        limit = max(4 * float(np.median(rms)), 1.0)
        return tuple(item.frame for item, value in zip(self.views, rms, strict=True) if value > limit)


def _started(problem: _Lens, size_wh_px: tuple[int, int], model: Model) -> Camera:
    """The guess of a focal length, without distortion at first, from which a short adjustment comes farthest."""
    longer = max(size_wh_px)
    centre = (np.array(size_wh_px) - 1) / 2
    zhang = zhang_focal_px(problem.board, [item.view for item in problem.views], centre)
    count = 4 if model == "fisheye" or len(problem.views) < 12 else 5
    best: tuple[float, Camera] | None = None
    refused: CalibrationError | None = None
    for focal in [*([zhang] if zhang is not None else []), *(guess * longer for guess in _GUESSES)]:
        K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
        camera = Camera(name=problem.name, size_wh_px=size_wh_px, K=K, model=model, distortion=np.zeros(count))
        try:
            own, poses = problem.posed(camera)
        except CalibrationError as error:
            refused = error
            continue
        tried = own.adjusted(camera, poses, ("zoom", "k1"), 8)
        cost = float(np.median(own.rms_of_views(tried))) * (len(problem.views) / len(own.views)) ** 2
        if best is None or cost < best[0]:
            best = (cost, tried.cameras[0])
    if best is None:
        raise refused or CalibrationError(f"{problem.name}: no lens fits")
    return best[1]


def _believed(problem: _Lens, found: Adjusted, covered: float, left_out: tuple[int, ...]) -> LensResult:
    """The result, unless the views leave it open."""
    camera = found.cameras[0]
    noise_px = max(found.rms_px / np.sqrt(2), _NOISE_PX)
    focal_std, centre_std = found.std[0]["focal"] * noise_px, found.std[0]["principal"] * noise_px
    tilts = np.array([tilt_deg(pose) for pose in found.points_m])
    _check_fit(problem, found.rms_px, tilts, covered, camera)
    _check_known(problem, focal_std, centre_std, camera)
    _check_plausible(camera)
    middle = problem.board.points_m.mean(axis=0)
    return LensResult(
        camera=camera,
        views=tuple(
            LensView(
                frame=item.frame,
                corners=len(item.view.ids),
                rms_px=float(value),
                tilt_deg=float(tilt),
                distance_m=float(np.linalg.norm(pose[:3, :3] @ middle + pose[:3, 3])),
            )
            for item, value, tilt, pose in zip(
                problem.views, problem.rms_of_views(found), tilts, found.points_m, strict=True
            )
        ),
        left_out=left_out,
        rms_px=found.rms_px,
        focal_std=(float(focal_std[0]), float(focal_std[1])),
        principal_std_px=(float(centre_std[0]), float(centre_std[1])),
        coverage=covered,
        board=problem.board,
        seen_px=problem.sights().xy_px,
        off_px=np.linalg.norm(found.residuals_px, axis=-1),
    )


def _check_fit(problem: _Lens, rms_px: float, tilts: Floats, covered: float, camera: Camera) -> None:
    """Refuse another board, frontal views, and a corner of the picture."""
    if not rms_px <= _MOST_RMS * max(camera.size_wh_px):
        raise CalibrationError(
            f"{problem.name}: the corners miss the best lens by {rms_px:.1f} px: the board is not "
            f"{problem.board.label}, or it is not flat, or the lens zoomed or refocused while filming"
        )
    spread = float(np.percentile(tilts, 80))
    if spread < _LEAST_TILT_DEG:
        raise CalibrationError(
            f"{problem.name}: the board faces the camera in nearly all pictures (tilts up to {spread:.0f} degrees), "
            "which fits any focal length: tilt it by 30 to 45 degrees to every side"
        )
    if covered < _LEAST_COVERAGE:
        raise CalibrationError(
            f"{problem.name}: corners cover {covered:.0%} of the picture, which says nothing about the lens elsewhere: "
            f"move the board into every corner of the picture, at least {_LEAST_COVERAGE:.0%} of it"
        )


def _check_known(problem: _Lens, focal_std: Floats, centre_std: Floats, camera: Camera) -> None:
    """Refuse what the views leave open, whatever the reason."""
    if not (focal_std.max() <= _MOST_FOCAL_STD and centre_std.max() <= _MOST_CENTRE_STD * max(camera.size_wh_px)):
        raise CalibrationError(
            f"{problem.name}: {len(problem.views)} pictures leave the focal length open by {focal_std.max():.1%} and "
            f"the centre by {centre_std.max():.0f} px: film the board closer, tilted to every side, and all over the "
            "picture"
        )


def _check_plausible(camera: Camera) -> None:
    """A lens that no camera has, or that folds its own picture back."""
    size = np.array(camera.size_wh_px)
    off = np.abs(camera.K[:2, 2] - (size - 1) / 2) / size
    ratio = camera.K[0, 0] / camera.K[1, 1]
    longer = max(camera.K[0, 0], camera.K[1, 1]) / size.max()
    if off.max() > 0.25 or not 0.9 < ratio < 1.1 or not 0.2 < longer < 20:
        raise CalibrationError(
            f"{camera.name}: no camera has such a lens (fx {camera.K[0, 0]:.0f}, fy {camera.K[1, 1]:.0f}, centre "
            f"{camera.K[0, 2]:.0f}, {camera.K[1, 2]:.0f} px): is it this board, and are the pictures of one camera?"
        )
    width, height = camera.size_wh_px
    edge = [(x, y) for x in (0, (width - 1) / 2, width - 1) for y in (0, (height - 1) / 2, height - 1)]
    if np.isnan(px_to_rays(camera, edge)).any() and camera.model == "brown-conrady":
        raise CalibrationError(
            f"{camera.name}: the distortion that was found folds the picture back before its edge: show the board in "
            "the corners of the picture, or use the fisheye model for a very wide lens"
        )
