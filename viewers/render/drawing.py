"""Scenes to pictures: one frame, a contact sheet, a movie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import numpy as np
from mocap3d.viewers.render.canvas import Canvas
from mocap3d.viewers.render.figures import Colours, Style
from mocap3d.viewers.render.floor import grid, shadow
from mocap3d.viewers.render.lens import scaled
from mocap3d.viewers.render.movie import resized, write_movie
from mocap3d.viewers.render.scene import Filmed, Scene
from mocap3d.viewers.render.surfaces import Surface, linear, merged
from mocap3d.viewers.render.views import View, orbit
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.checks import as_fps
from mocap3d.base.errors import InputError

__all__ = ["Background", "Look", "frames_between", "render_movie", "render_picture", "render_sheet"]

Picture = NDArray[np.uint8]
Size = tuple[int, int]
Background = Literal["light", "dark", "white", "transparent"]
Progress = Callable[[str, int, int | None], None]

_SIZE: Final = (1280, 720)
_TILE: Final = (300, 400)
_BESIDE_PX: Final = 960  # width of each half
_BESIDE_HIGH_PX: Final = (540, 960)  # and its least and greatest height
_SIDES_PX: Final = (16, 8192)
_MOST_PX: Final = 4096 * 4096
_RATES: Final = (Fraction(1, 10), Fraction(240))
_STILL_S: Final = 6  # a turntable of one frame
_STILL_FPS: Final = Fraction(30)
_BACKGROUNDS: Final = {"light": (242, 243, 245), "dark": (24, 26, 30), "white": (255, 255, 255)}
_LINES: Final = {
    "video": ("#ffffff", 0.75),
    "dark": ("#aab4c8", 0.5),
    "light": ("#50607a", 0.55),
    "white": ("#50607a", 0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How it looks.

    Attributes:
        style: "mannequin" (rods and balls where joints have no rotations), "skeleton" (rods and balls), or "joints".
        colours: "plain", or "sides": left limbs orange, right ones blue, also for colour-blind people.
        background: "light", "dark", "white", or "transparent" (of pictures; beside a video it is white).
        floor: whether lines and shadows show it; None: not over a video.
        opacity: of people over a video, 0..1.
    """

    style: Style = "mannequin"
    colours: Colours = "plain"
    background: Background = "light"
    floor: bool | None = None
    opacity: float = 1.0

    def __post_init__(self) -> None:
        """Check choices."""
        for name, value, choices in (
            ("style", self.style, ("mannequin", "skeleton", "joints")),
            ("colours", self.colours, ("plain", "sides")),
            ("background", self.background, (*_BACKGROUNDS, "transparent")),
        ):
            if value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        if not 0 < self.opacity <= 1:
            raise InputError(f"opacity must lie above 0 and not above 1, got {self.opacity}")


def render_picture(
    scene: Scene,
    frame: int | None = None,
    *,
    view: View | None = None,
    look: Look | None = None,
    size: Size | None = None,
) -> Picture:
    """Draw one frame.

    Args:
        scene: from `read_scene` or `scene_of_clip`.
        frame: of the scene; None takes the one in the middle.
        view: from where; None: from ahead, a little aside.
        look: how; None: a mannequin on a light floor.
        size: width and height in pixels; 1280 x 720, of an overlay that of the video, when None. An overlay keeps the
            video's shape and becomes as large as fits.

    Returns:
        (H, W, 3) sRGB, or (H, W, 4) when the background is transparent: colours not multiplied by opacity.

    Raises:
        InputError: no such frame or camera, a size out of range, or nothing here draws without a display.
        MissingExtraError: pyrender2 is not installed.
    """
    frames = scene.frames
    chosen = frames[len(frames) // 2] if frame is None else frame
    if chosen not in frames:
        raise InputError(f"there is no frame {frame}; {scene.source or 'it'} has {frames.start} to {frames.stop - 1}")
    view = view or View()
    shape = _shape_of(scene, view, size)
    return next(_pictures(scene, [chosen], view, look or Look(), shape, fine=_fine(shape)))


def render_sheet(
    scene: Scene,
    *,
    columns: int = 6,
    rows: int = 1,
    frames: range | None = None,
    view: View | None = None,
    look: Look | None = None,
    size: Size | None = None,
) -> Picture:
    """Draw a contact sheet: moments at equal intervals, from one side and at one scale, row by row.

    Args:
        scene: from `read_scene` or `scene_of_clip`.
        columns: pictures in a row.
        rows: rows.
        frames: of the scene; None: all. The first and the last of them are on the sheet.
        view: from where; unless it says otherwise the camera goes along, so that everybody is in the middle.
        look: how.
        size: of one picture; 300 x 400 when None.

    Returns:
        As `render_picture`.

    Raises:
        InputError: as `render_picture`, or less than one row or column.
    """
    if columns < 1 or rows < 1:
        raise InputError(f"a sheet needs at least one row and one column, got {columns} x {rows}")
    during = _some(scene.frames if frames is None else frames)
    count = columns * rows
    chosen = [during[round(n * (len(during) - 1) / max(count - 1, 1))] for n in range(count)]
    view = view or View()
    if view.follow is None:
        view = replace(view, follow=True)
    width, height = shape = _shape_of(scene, view, size if size or view.kind == "overlay" else _TILE)
    _check_size((width * columns, height * rows), largest=2 * _SIDES_PX[1])
    tiles = list(_pictures(scene, chosen, view, look or Look(), shape, fine=_fine(shape)))
    lines = [np.concatenate(tiles[row * columns : (row + 1) * columns], axis=1) for row in range(rows)]
    return np.concatenate(lines)


def render_movie(
    scene: Scene,
    path: str | os.PathLike[str],
    *,
    frames: range | None = None,
    fps: Fraction | float | str | None = None,
    view: View | None = None,
    look: Look | None = None,
    size: Size | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a movie (H.264 in MP4, without sound); it appears whole or not at all.

    Args:
        scene: from `read_scene` or `scene_of_clip`.
        path: the file, ``.mp4``.
        frames: of the scene; None: all.
        fps: of the movie, which shows the frame nearest in time; that of the scene when None.
        view: from where. A turntable of a single frame lasts six seconds.
        look: how; a movie has no transparent background.
        size: as for `render_picture`; even numbers.
        progress: told how far the work is.

    Returns:
        The file.

    Raises:
        InputError: as `render_picture`; a size, rate or name that a movie cannot have; or the file cannot be written.
        MissingExtraError: pyrender2 is not installed.
    """
    view, look = view or View(), look or Look()
    during = _some(scene.frames if frames is None else frames)
    if look.background == "transparent" and view.kind != "overlay":
        raise InputError("a movie has no transparent background: choose light, dark or white")
    rate = scene.fps if fps is None else as_fps(fps)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise InputError(f"a movie can have {_RATES[0]} to {_RATES[1]} frames per second, got {rate}")
    if view.kind == "turntable" and len(during) == 1:
        rate = _STILL_FPS if fps is None else rate
        chosen = [during[0]] * round(_STILL_S * rate)
    else:
        chosen = _schedule(during, scene.fps, rate)
    shape = _shape_of(scene, view, size)
    if shape[0] % 2 or shape[1] % 2:
        raise InputError(f"a movie needs even width and height, got {shape[0]} x {shape[1]}")
    tell = progress or (lambda step, done, total: None)
    tell("render", 0, len(chosen))
    with write_movie(path, rate, shape) as movie:
        for done, picture in enumerate(_pictures(scene, chosen, view, look, shape), start=1):
            movie.add(picture)
            tell("render", done, len(chosen))
    return Path(path)


def frames_between(scene: Scene, start: int | str | None = None, stop: int | str | None = None) -> range:
    """The frames of a scene from a frame (75) or a time ("2.5s") of its video to another, which is left out.

    Raises:
        InputError: nobody is there then.
    """
    from mocap3d.cameras.frame_range import frame_range

    there = scene.frames
    wanted = frame_range(start, stop, scene.fps, there.stop, scene.source or "the motion")
    frames = range(max(wanted.start, there.start), wanted.stop)
    if not frames:
        raise InputError(f"{scene.source or 'the motion'} has the frames {there.start} to {there.stop - 1}")
    return frames


# --- the steps --------------------------------------------------------------------------------------------------------


def _pictures(
    scene: Scene, frames: Sequence[int], view: View, look: Look, shape: Size, *, fine: int = 1
) -> Iterator[Picture]:
    """Yield the picture of each frame; frames ascend wherever a video is shown."""
    if view.kind == "overlay":
        yield from _over(scene, frames, scene.camera(view.camera), look, shape, fine)
    elif view.kind == "beside":
        filmed = scene.camera(view.camera)
        look = replace(look, background="white") if look.background == "transparent" else look
        around, half = _BACKGROUNDS[look.background], (shape[0] // 2, shape[1])
        own = _alone(scene, frames, view, look, (shape[0] - half[0], shape[1]), fine)
        for taken, drawn in zip(filmed.pictures(frames, scene.fps), own, strict=True):
            yield np.concatenate([_framed(taken, half, around), drawn], axis=1)
    else:
        yield from _alone(scene, frames, view, look, shape, fine)


def _alone(scene: Scene, frames: Sequence[int], view: View, look: Look, size: Size, fine: int) -> Iterator[Picture]:
    """People and floor, from a camera of their own."""
    eyes = orbit(scene, view, frames, size)
    ground = None if look.floor is False else "white" if look.background == "transparent" else look.background
    with Canvas(size, fine=fine) as canvas:
        for frame, eye in zip(frames, eyes, strict=True):
            surfaces = _surfaces(scene, frame, eye, look, ground)
            background = _BACKGROUNDS.get(look.background)
            picture = canvas.draw(surfaces, eye, background)
            yield picture if background is not None else _divided(picture)


def _over(scene: Scene, frames: Sequence[int], filmed: Filmed, look: Look, size: Size, fine: int) -> Iterator[Picture]:
    """People over the video that shows them."""
    eye = scaled(filmed.camera, size)
    with Canvas(size, fine=fine) as canvas:
        for frame, taken in zip(frames, filmed.pictures(frames, scene.fps), strict=True):
            surfaces = _surfaces(scene, frame, eye, look, "video" if look.floor else None)
            drawn = canvas.draw(surfaces, eye).astype(np.float32) * look.opacity
            under = resized(taken, size).astype(np.float32)
            yield np.rint(drawn[..., :3] + under * (1 - drawn[..., 3:] / 255)).clip(0, 255).astype(np.uint8)


def _surfaces(scene: Scene, frame: int, eye: Camera, look: Look, ground: str | None) -> list[Surface]:
    """What is in one picture: people, and the floor in the colours of a background, unless that is None."""
    bodies = scene.surfaces(frame, look.style, look.colours)
    if ground is None:
        return bodies
    places = [body.vertices_m.mean(axis=0) for body in bodies]
    middle_m = np.mean(places, axis=0) if places else eye.world_from_cam[:3] @ [0, 0, 4 * scene.stature_m, 1]
    spread_m = max((float(np.linalg.norm(place - middle_m)) for place in places), default=0.0)
    middle_m[1] = scene.floor_m
    colour, opacity = _LINES[ground]
    parts = [grid(eye, middle_m, 3.0 * scene.stature_m + spread_m, linear(colour), opacity)]
    under = shadow(bodies, scene.floor_m + 0.001 * scene.stature_m, scene.stature_m, 0.85)
    return [*bodies, merged([*parts, *([] if under is None else [under])])]


def _schedule(frames: range, fps: Fraction, rate: Fraction) -> list[int]:
    """The frame that each picture of a movie at another rate shows."""
    count = max(1, round(len(frames) * rate / fps))
    return [frames[min(int(n * fps / rate + Fraction(1, 2)), len(frames) - 1)] for n in range(count)]


def _shape_of(scene: Scene, view: View, size: Size | None) -> Size:
    """The size of the pictures.

    Raises:
        InputError: it is out of range.
    """
    if size is not None:
        _check_size(size)
    if view.kind not in ("overlay", "beside"):
        return size or _SIZE
    width, height = scene.camera(view.camera).camera.size_wh_px
    if view.kind == "beside":
        least, most = _BESIDE_HIGH_PX
        return size or (2 * _BESIDE_PX, _even(min(max(_BESIDE_PX * height / width, least), most)))
    if size is None:
        return _even(width), _even(height)
    factor = min(size[0] / width, size[1] / height)
    return _even(width * factor), _even(height * factor)


def _check_size(size: Size, largest: int = _SIDES_PX[1]) -> None:
    width, height = size
    if min(size) < _SIDES_PX[0] or max(size) > largest or width * height > _MOST_PX:
        raise InputError(
            f"a picture can have {_SIDES_PX[0]} to {largest} pixels a side and 16.8 million altogether, "
            f"got {width} x {height}"
        )


def _fine(size: Size) -> int:
    """Stills are drawn with four times the pixels, unless they have many."""
    return 2 if 4 * size[0] * size[1] <= _MOST_PX else 1


def _some(frames: range) -> range:
    """Refuse no frames at all."""
    if not frames:
        raise InputError("there is nothing to draw: the range has no frames")
    return frames


def _even(pixels: float) -> int:
    return max(2 * round(pixels / 2), _SIDES_PX[0])


def _framed(picture: Picture, size: Size, rgb: tuple[int, int, int]) -> Picture:
    """A picture as large as fits, in the middle of one of another size."""
    height, width = picture.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    inner = (max(1, min(round(width * factor), size[0])), max(1, min(round(height * factor), size[1])))
    framed = np.empty((size[1], size[0], 3), dtype=np.uint8)
    framed[:] = rgb
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    framed[y : y + inner[1], x : x + inner[0]] = resized(picture, inner)
    return framed


def _divided(picture: Picture) -> Picture:
    """Colours as PNG wants them: not multiplied by opacity."""
    opacity = picture[..., 3:].astype(np.float32)
    colour = picture[..., :3] * (255 / np.maximum(opacity, 1))
    return np.concatenate([np.rint(colour).clip(0, 255).astype(np.uint8), picture[..., 3:]], axis=-1)
