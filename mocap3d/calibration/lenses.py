"""Which lens took each video: from a file, from pictures of a board, from a field of view; and how it was cropped."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.calibration.names import names_of
from mocap3d.watching import Progress

if TYPE_CHECKING:
    from mocap3d.cameras.boards import Board
    from mocap3d.cameras.intrinsics import LensResult

__all__ = ["BARS", "Filmed", "LensFound", "LensSource", "Model", "find_lenses", "lens_of", "told_of"]

Pictures = str | os.PathLike[str]
Cameras = str | os.PathLike[str] | Camera | Sequence[Camera]
Crop = str | Mapping[str, str] | None
Model = Literal["brown-conrady", "fisheye"]

BARS: Final = "scaled, with black bars"
"""What `crops_that_fit` calls a picture that was fitted into another shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filmed:
    """What one camera filmed.

    Attributes:
        name: of the camera, after its video.
        path: the video, or a folder of photos.
        size_wh_px: of its pictures.
        fov_deg: what its metadata say; None when they say nothing.
    """

    name: str
    path: Path
    size_wh_px: tuple[int, int]
    fov_deg: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LensFound:
    """The lens of one video.

    Attributes:
        origin: "given", "board", "field of view" or "metadata".
        crops: what the video may show of the calibrated picture, each with a word for it; one, unless the crop that
            fits is to be found.
        told: how well it is known, in words; "" when nothing is known of that.
    """

    origin: str
    crops: tuple[tuple[str, Camera], ...]
    told: str = ""

    @property
    def camera(self) -> Camera:
        """With the crop that comes first."""
        return self.crops[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LensSource:
    """What is known of the lenses; see `mocap3d.calibrate`."""

    lenses: Cameras | None
    lens_videos: Sequence[Pictures] | None
    board: Board | None
    fov_deg: float | None
    model: Model
    crop: Crop


def find_lenses(filmed: Sequence[Filmed], source: LensSource, *, poses: bool, tell: Progress) -> list[LensFound]:
    """Find the lens of every video.

    Args:
        filmed: the videos.
        source: what is known.
        poses: whether the poses of given cameras matter; else they are put at the origin.
        tell: told how far the work is.

    Raises:
        InputError: nothing says what the lenses are, or pictures of another size without a crop that explains it.
        CalibrationError: pictures of a board that leave a lens open.
    """
    if source.lenses is not None:
        found = [LensFound(origin="given", crops=(("", camera),)) for camera in _given(filmed, source.lenses)]
    elif source.lens_videos is not None or (source.board is not None and source.fov_deg is None):
        found = _from_boards(filmed, source, tell)
    else:
        found = [_from_fov(one, source.fov_deg) for one in filmed]
    words = _words(filmed, source.crop)
    settled = []
    for one, lens in zip(filmed, found, strict=True):
        camera = lens.camera if poses else replace(lens.camera, cam_from_world=np.eye(4))
        named = replace(camera, name=one.name)
        settled.append(replace(lens, crops=_crops(named, one, words[one.name])))
    return settled


def _given(filmed: Sequence[Filmed], lenses: Cameras) -> list[Camera]:
    """The given cameras in the order of the videos: by name where all are known, else in order; one serves all."""
    from mocap3d.cameras.files import read_cameras

    if isinstance(lenses, Camera):
        cameras: tuple[Camera, ...] = (lenses,)
    else:
        cameras = tuple(read_cameras(lenses) if isinstance(lenses, (str, os.PathLike)) else lenses)
    if not all(isinstance(camera, Camera) for camera in cameras):
        raise InputError("lenses must be a camera file, a Camera, or a sequence of cameras")
    named = {camera.name: camera for camera in cameras}
    if all(one.name in named for one in filmed):
        return [named[one.name] for one in filmed]
    if len(cameras) == 1:
        return [cameras[0]] * len(filmed)
    if len(cameras) != len(filmed):
        raise InputError(
            f"{len(filmed)} videos need as many lenses, or one for all; got {len(cameras)}: {', '.join(named)}; the "
            f"videos are called {', '.join(one.name for one in filmed)}: name them after their cameras"
        )
    return list(cameras)


def _from_boards(filmed: Sequence[Filmed], source: LensSource, tell: Progress) -> list[LensFound]:
    if source.board is None:
        raise InputError("lens_videos show a board: say which (`--board charuco:4x5:54mm:40.5mm:4X4_50`)")
    pictures = [one.path for one in filmed] if source.lens_videos is None else list(source.lens_videos)
    if len(pictures) not in (1, len(filmed)):
        raise InputError(f"{len(filmed)} videos need as many lens_videos, or one for all; got {len(pictures)}")
    found: list[LensFound] = []
    for path in pictures:
        result = lens_of(Path(path), source.board, source.model, tell)
        found.append(LensFound(origin="board", crops=(("", result.camera),), told=told_of(result)))
    return found * len(filmed) if len(found) == 1 else found


def lens_of(path: Path, board: Board, model: Model, tell: Progress, name: str | None = None) -> LensResult:
    """The lens of pictures of a board.

    Raises:
        CalibrationError: they leave it open; it says what to film.
    """
    from mocap3d.cameras.intrinsics import calibrate_lens

    named = name or names_of([path])[0]

    def looked(done: int, total: int | None) -> None:
        tell(f"lens of {named}", done, total)

    return calibrate_lens(path, board, model=model, name=named, progress=looked)


def told_of(result: LensResult) -> str:
    """How well a lens is known, in words."""
    (fx, fy), (cx, cy) = np.diag(result.camera.K)[:2], result.camera.K[:2, 2]
    return (
        f"{len(result.views)} pictures, {result.rms_px:.2f} px; focal length {(fx + fy) / 2:.0f} px within "
        f"{max(result.focal_std):.2%}, axis at {cx:.0f}, {cy:.0f} px within {max(result.principal_std_px):.0f} px; "
        f"corners on {result.coverage:.0%} of the picture"
    )


def _from_fov(one: Filmed, fov_deg: float | None) -> LensFound:
    known = fov_deg if fov_deg is not None else one.fov_deg
    if known is None:
        raise InputError(
            f"nothing says what lens {one.name} has: give a camera file (`--lenses`), pictures of a board (`--board` "
            "and `--lens-video`), or the degrees that the longer side of its picture shows (`--fov`)"
        )
    camera = Camera.from_fov(one.name, one.size_wh_px, known)
    return LensFound(origin="field of view" if fov_deg is not None else "metadata", crops=(("", camera),))


def _words(filmed: Sequence[Filmed], crop: Crop) -> dict[str, str | None]:
    """What was declared of each camera's crop."""
    names = [one.name for one in filmed]
    if crop is None or isinstance(crop, str):
        return dict.fromkeys(names, crop)
    unknown = [name for name in crop if name not in names]
    if unknown:
        raise InputError(f"a crop is declared of {unknown[0]!r}, which is none of {', '.join(names)}")
    return {name: crop.get(name) for name in names}


def _crops(camera: Camera, one: Filmed, word: str | None) -> tuple[tuple[str, Camera], ...]:
    """What the video shows of the calibrated picture.

    Raises:
        InputError: another size, and nothing was declared, or what was declared does not explain it.
    """
    from mocap3d.cameras.crop import bordered, cropped, crops_that_fit, scaled

    if camera.size_wh_px == one.size_wh_px:
        return (("as calibrated", camera),)
    (width, height), (w, h) = camera.size_wh_px, one.size_wh_px
    differ = f"{one.name}: the lens was calibrated for pictures of {width}x{height}, the video has {w}x{h}"
    choices = tuple(crops_that_fit(camera, one.size_wh_px, bars=_bars(one)))
    if word is None:
        may_be = "; it may be: " + "; ".join(name for name, _ in choices) if choices else ""
        raise InputError(
            f"{differ}: declare what was cut (`--crop {one.name}=centre`; `{one.name}=4,0` says where its top-left "
            f"pixel was; `{one.name}=scaled`; `{one.name}=bars`: scaled, with black bars; `{one.name}=find` takes what "
            f"fits best){may_be}"
        )
    if word == "find":
        if not choices:
            raise InputError(f"{differ}: no crop or scaling of the one gives the other; calibrate with such pictures")
        return choices
    if word in ("centre", "center"):
        return (("cut on both sides", cropped(camera, one.size_wh_px)),)
    if word == "scaled":
        return (("scaled", scaled(camera, one.size_wh_px)),)
    if word == "bars":
        return ((BARS, bordered(camera, one.size_wh_px)),)
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        raise InputError(
            f"a crop is 'centre', 'scaled', 'bars', 'find', or two numbers such as '4,0'; got {word!r}. In Python that "
            f"of one camera is written as crop={{{one.name!r}: 'find'}}"
        ) from None
    return ((f"from {x:g}, {y:g}", cropped(camera, one.size_wh_px, (x, y))),)


def _bars(one: Filmed) -> tuple[int, int, int, int] | None:
    """The black bars around a video, as its first half minute shows them; None of photos."""
    from mocap3d.cameras.crop import bars_px
    from mocap3d.cameras.video import open_video

    if one.path.is_dir():
        return None
    with open_video(one.path) as pictures:
        return bars_px(itertools.islice(pictures, 0, 900, 30))
