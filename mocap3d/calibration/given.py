"""What `calibrate` was given: checked, and brought into one form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mocap3d.base.errors import InputError
from mocap3d.calibration.lenses import Filmed
from mocap3d.calibration.names import names_of
from mocap3d.calibration.result import How
from mocap3d.cameras.boards import Board
from mocap3d.cameras.bundle_problem import FREE
from mocap3d.take import SyncBy, each_once

__all__ = [
    "above_0",
    "board_of",
    "check_people",
    "check_sync",
    "check_together",
    "distance_of",
    "distinct",
    "filmed_by",
    "way_of",
]

Pictures = str | os.PathLike[str]
Videos = Sequence[Pictures]


def distinct(videos: Videos) -> list[Path]:
    """One or more files, each given once, all videos or all folders of photos."""
    if isinstance(videos, (str, os.PathLike)) or not all(isinstance(video, (str, os.PathLike)) for video in videos):
        raise InputError("videos must be a list of files, one per camera")
    if not videos:
        raise InputError("there are no videos to calibrate from")
    paths = each_once(videos)
    if len({path.is_dir() for path in paths}) > 1:
        raise InputError("give videos for all cameras, or folders of photos for all")
    return paths


def way_of(
    how: str | None,
    *,
    cameras: int,
    refine: bool | Sequence[str],
    points: object | None,
    board: object | None,
    lens_videos: object | None,
    lenses: object | None,
) -> How:
    """What cameras are to be found from; see `mocap3d.calibrate`.

    Raises:
        InputError: what was given does not go together.
    """
    if how not in (None, "lens", "board", "points", "people"):
        raise InputError(f"how must be 'lens', 'board', 'points' or 'people', got {how!r}")
    if lenses is not None and lens_videos is not None:
        raise InputError("give either lenses or lens_videos: both say what the lenses are")
    if refine:
        if points is not None or lens_videos is not None or lenses is None or how is not None:
            raise InputError("refine takes a calibrated rig as lenses, and neither points, lens_videos nor how")
        unknown = [] if refine is True else [name for name in refine if name not in FREE]
        if isinstance(refine, str) or unknown:
            raise InputError(f"refine is True, or names of {', '.join(FREE)}; got {refine!r}")
        return "refined"
    others = points is not None or lens_videos is not None or lenses is not None
    if how == "lens" or (how is None and cameras == 1 and not others):
        if others:
            raise InputError("lenses alone (`--how lens`) need a board and its pictures: leave out what else is given")
        return "lens"
    if (how == "board" and board is None) or (how == "points" and points is None):
        raise InputError(f"how='{how}' needs {how}=")
    if how in ("board", "people") and points is not None:
        raise InputError(f"points have no use with how='{how}'")
    if how == "board" or (how is None and points is None and board is not None and lens_videos is None):
        return "board"
    return "points" if points is not None else "people"


def check_together(
    how: How,
    *,
    cameras: int,
    lenses: object | None,
    lens_videos: object | None,
    fov_deg: float | None,
    floor: str | None,
    gates: str,
    height_m: float | None,
    distance_m: object | None,
    sync: SyncBy,
    crop: object | None,
) -> None:
    """Refuse what does not go together, and what would be left out."""
    if how != "lens" and cameras < 2:
        raise InputError(
            f"a rig needs the videos of at least 2 cameras, got {cameras}; one camera has only a lens, which a board "
            "tells (`--board`)"
        )
    if gates not in ("refuse", "report"):
        raise InputError(f"gates must be 'refuse' or 'report', got {gates!r}")
    if fov_deg is not None and (lenses is not None or lens_videos is not None):
        raise InputError("give either fov_deg or lenses: both say what the lenses are")
    if floor not in (None, "first", "last", "people") or (floor in ("first", "last") and how != "board"):
        raise InputError("floor is 'first' or 'last', of a board in the videos, or 'people'")
    for name, value in (("height_m", above_0("height_m", height_m)), ("distance_m", distance_m)):
        if value is not None and how != "people":
            raise InputError(
                f"{name} (`--{name.removesuffix('_m')}`) sets the size where people alone tell it; here the size comes "
                "from what else was given: leave it out"
            )
    for name, value in (("fov_deg", fov_deg), ("floor", floor), ("crop", crop)):
        if value is not None and how == "lens":
            raise InputError(
                f"{name} (`--{name.removesuffix('_deg')}`) has no use where a lens alone is asked for, as of a single "
                "video: a board tells it. For a rig give the videos of all cameras, one by one"
            )
    check_sync(sync, cameras)


def check_people(people: object, how: How, *, cameras: int, photos: bool, sync: SyncBy) -> None:
    """Refuse what does not say in which videos somebody walks."""
    others = not isinstance(people, str) and isinstance(people, Sequence) and bool(people)
    if not others and people not in ("same", "none"):
        raise InputError(f"people must be 'same', 'none' or videos, got {people!r}")
    if others and len(people) != cameras:  # type: ignore[arg-type]
        raise InputError(f"people needs a video of each of {cameras} cameras, got {len(people)}")  # type: ignore[arg-type]
    if how in ("people", "refined") and not others and (photos or people == "none"):
        raise InputError("people tell where these cameras stand: give videos of them, and leave people='none' out")
    if how == "board" and people == "none" and not photos and isinstance(sync, str) and sync == "motion":
        raise InputError("sync='motion' looks at people in the videos of the board: choose 'audio', 'none' or seconds")


def board_of(board: Pictures | None) -> Board | None:
    """The board that a word or a file describes."""
    from mocap3d.cameras.boards import parse_board

    return None if board is None else parse_board(board)


def check_sync(sync: SyncBy, count: int) -> None:
    """Refuse what does not say when each of the videos began."""
    if isinstance(sync, str):
        if sync not in ("motion", "audio", "none"):
            raise InputError(f"sync must be 'motion', 'audio', 'none' or seconds per video, got {sync!r}")
    elif len(sync) != count or not np.isfinite(np.asarray(sync, np.float64)).all():
        raise InputError(f"sync must hold one start in seconds for each of the {count} videos, got {sync!r}")


def above_0(name: str, value: float | None) -> float | None:
    """A length in metres, if one was given."""
    if value is not None and not 0 < value < 1e4:
        raise InputError(f"{name} must be a number of metres above 0, got {value}")
    return value


def filmed_by(paths: Sequence[Path]) -> list[Filmed]:
    """Names and sizes of the videos."""
    from mocap3d.cameras.image_folder import list_images, read_image
    from mocap3d.cameras.video import open_video

    filmed = []
    for name, path in zip(names_of(paths), paths, strict=True):
        if path.is_dir():
            height, width = read_image(list_images(path)[0]).shape[:2]
            filmed.append(Filmed(name=name, path=path, size_wh_px=(width, height), fov_deg=None))
        else:
            video = open_video(path)
            fov_deg = getattr(video, "fov_deg", None)
            filmed.append(Filmed(name=name, path=path, size_wh_px=video.size_wh_px, fov_deg=fov_deg))
    return filmed


def distance_of(
    distance_m: tuple[str | int, str | int, float] | None, filmed: Sequence[Filmed]
) -> tuple[int, int, float] | None:
    """Two numbers of cameras, from 0, and metres between them."""
    if distance_m is None:
        return None
    if len(distance_m) != 3:
        raise InputError(f"distance_m takes two cameras and metres, got {distance_m!r}")
    names = [one.name for one in filmed]
    numbers = []
    for which in distance_m[:2]:
        if isinstance(which, str) and which in names:
            numbers.append(names.index(which))
        elif isinstance(which, str) and which.isdecimal() and int(which) < len(names):
            numbers.append(int(which))
        elif isinstance(which, int) and 0 <= which < len(names):
            numbers.append(which)
        else:
            raise InputError(f"distance_m names the camera {which!r}; there are {', '.join(names)}")
    if numbers[0] == numbers[1]:
        raise InputError(f"distance_m is between two cameras, got {distance_m[0]!r} twice")
    return numbers[0], numbers[1], float(above_0("distance_m", float(distance_m[2])) or 0.0)
