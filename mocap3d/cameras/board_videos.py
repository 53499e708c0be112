"""A board in several videos, at the same moments: what `extrinsics.calibrate_rig` is solved from.

```
seen = boards_in_videos(["a.mp4", "b.mp4"], board)       # seen[c][t]: BoardView or None
```

Videos are looked at on one clock, a few times a second. Folders of photos are taken picture by picture: the first of
each camera shows the board where the first of the others does, and so on, as when it lies still for each set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import CalibrationError, InputError
from mocap3d.cameras.board_corners import CornerFinder
from mocap3d.cameras.boards import Board, BoardView, parse_board

__all__ = ["boards_in_videos"]

_MOST_TIMES: Final = 150
Pictures = Iterable[NDArray[np.uint8]]


def boards_in_videos(
    sources: Sequence[str | os.PathLike[str]],
    board: Board | str | os.PathLike[str],
    *,
    offsets_s: Sequence[float] | None = None,
    most: int = _MOST_TIMES,
    sizes_wh_px: Sequence[tuple[int, int]] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[list[BoardView | None]]:
    """Find a board in every camera at common moments.

    Args:
        sources: a video, or a folder of photos, per camera; all of one kind.
        board: what they show; see `boards.parse_board`.
        offsets_s: per camera, when its first frame was taken, on one clock (`sync`); 0 for all when None.
        most: moments to look at, evenly spread over what all videos have in common.
        sizes_wh_px: what the pictures of each camera must measure, because its lens was calibrated so.
        progress: told how many pictures were looked at, and of how many.

    Returns:
        (C)(T) views.

    Raises:
        InputError: no such file, videos that have no moment in common, or pictures of another size.
        FileFormatError: a damaged file.
        CalibrationError: a camera never sees the board.
    """
    described, paths = parse_board(board), [Path(source) for source in sources]
    starts = np.zeros(len(paths)) if offsets_s is None else np.asarray(offsets_s, np.float64)
    if len(starts) != len(paths) or not np.isfinite(starts).all():
        raise InputError(f"offsets_s must hold a time for each of {len(paths)} cameras, got {starts.tolist()}")
    if len({path.is_dir() for path in paths}) > 1:
        raise InputError("give videos for all cameras, or folders of photos for all")
    photos = bool(paths) and paths[0].is_dir()
    count, chosen = _photos(paths) if photos else _moments(paths, starts, most)
    finder = CornerFinder(described, thorough=photos)
    rows: list[list[BoardView | None]] = []
    for c, (path, pictures) in enumerate(zip(paths, chosen, strict=True)):
        row: list[BoardView | None] = []
        for picture in pictures:
            size = (picture.shape[1], picture.shape[0])
            if sizes_wh_px is not None and size != tuple(sizes_wh_px[c]):
                raise InputError(
                    f"{path}: pictures are {size[0]}x{size[1]}, the lens was calibrated for "
                    f"{sizes_wh_px[c][0]}x{sizes_wh_px[c][1]}: declare the crop"
                )
            row.append(finder.find(picture))
            if progress is not None:
                progress(len(rows) * count + len(row), count * len(paths))
        if not any(view is not None for view in row):
            raise CalibrationError(
                f"{path}: the board {described.label} is in none of {len(row)} pictures: check its size and kind, the "
                "light, and that the picture is not mirrored"
            )
        rows.append(row)
    return rows


def _photos(folders: Sequence[Path]) -> tuple[int, list[Pictures]]:
    """How many there are for each camera, and their pictures."""
    from mocap3d.cameras.image_folder import list_images, read_image

    lists = [list_images(folder) for folder in folders]
    if len({len(paths) for paths in lists}) > 1:
        counts = ", ".join(f"{folder}: {len(paths)}" for folder, paths in zip(folders, lists, strict=True))
        raise InputError(f"each camera needs as many photos as the others, in the same order; there are {counts}")
    return len(lists[0]), [(read_image(path) for path in paths) for paths in lists]


def _moments(paths: Sequence[Path], starts: NDArray[np.float64], most: int) -> tuple[int, list[Pictures]]:
    """How many moments, and for each video its frames nearest to them; all videos have all of them."""
    from mocap3d.cameras.video import open_video

    videos = [open_video(path) for path in paths]
    lengths = np.array([(video.frame_count - 1) / float(video.fps) for video in videos])
    first, last = float(starts.max()), float((starts + lengths).min())
    if not last >= first:
        raise InputError("the videos have no moment in common: are they of one take, and the offsets right?")
    slowest = min(float(video.fps) for video in videos)
    count = int(np.clip(np.floor((last - first) * slowest) + 1, 1, most))
    # Moments at frames of the slowest camera: between two frames the board has moved.
    step = max(1, int((last - first) * slowest // max(count - 1, 1))) / slowest
    moments = first + np.arange(count) * step
    found: list[Pictures] = []
    for video, start in zip(videos, starts, strict=True):
        frames = np.clip(np.round((moments - start) * float(video.fps)), 0, video.frame_count - 1).astype(int)
        found.append(_frames(video, frames))
    return count, found


def _frames(pictures: Pictures, wanted: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """The wanted frames (ascending, perhaps repeated) of a video."""
    at = 0
    for frame, picture in enumerate(pictures):
        while at < len(wanted) and wanted[at] == frame:
            yield picture
            at += 1
        if at == len(wanted):
            return
