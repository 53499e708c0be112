"""A window with people that move: orbit with the mouse, play, step, take pictures. Needs open3d (mocap3d[desktop]).

The same files as `mocap3d render` takes: captures, animations, results with the truth and several models together.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from mocap3d.viewers.render import Colours, Scene, Style, View, read_scene, write_png
from mocap3d.viewers.render.scene import sequences_of
from mocap3d.viewers.render.views import orbit
from numpy.typing import NDArray

from mocap3d.base.errors import InputError, MissingExtraError

__all__ = ["KEYS", "DesktopViewer", "Player", "show"]

Floats = NDArray[np.float64]
Tell = Callable[[str], None]

KEYS: Final = {
    "Space": "play, pause",
    "Left": "a frame back",
    "Right": "a frame on",
    "Home": "to the first frame",
    "End": "to the last frame",
    "Up": "faster",
    "Down": "slower",
    "M": "mannequin, skeleton, joints",
    "C": "colours of left and right",
    "F": "go along with people, or stay",
    "R": "look from ahead again",
    "B": "dark, light",
    "S": "save a picture",
    "N": "the next file or sequence",
    "P": "the one before",
    "1 to 9": "show or hide a person or a model",
    "H": "tell these keys",
}
_CODES: Final = {"Space": 32, "Right": 262, "Left": 263, "Down": 264, "Up": 265, "Home": 268, "End": 269}
_STYLES: Final[tuple[Style, ...]] = ("mannequin", "skeleton", "joints")
_COLOURS: Final[tuple[Colours, ...]] = ("plain", "sides")
_BACKGROUNDS: Final = ((0.95, 0.953, 0.96), (0.095, 0.102, 0.118))
_LINES: Final = ((0.62, 0.66, 0.72), (0.34, 0.37, 0.42))
_SPEEDS: Final = (Fraction(1, 16), Fraction(8))
_SIZE: Final = (1280, 800)
_PAUSE_S: Final = 0.002  # between looks at the clock, so that a core is not kept busy for nothing


@dataclass
class Player:
    """Which frame is shown, by the clock.

    Attributes:
        frames: of the scene.
        fps: frames per second.
        frame: the one that is shown.
        playing: whether time goes on.
        speed: 1 is real time.
    """

    frames: range
    fps: Fraction
    frame: int = 0
    playing: bool = True
    speed: Fraction = Fraction(1)
    _since: float | None = field(default=None, repr=False)
    _from: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        self.frame = self.frames.start

    def tick(self, now_s: float) -> bool:
        """Look at the clock; tells whether another frame is to be shown. After the last one the first one comes."""
        if not self.playing:
            self._since = None
            return False
        if self._since is None:
            self._since, self._from = now_s, self.frame
        gone = int((now_s - self._since) * float(self.fps * self.speed) + 1e-6)
        before, first = self.frame, self.frames.start
        self.frame = first + (self._from - first + gone) % len(self.frames)
        return self.frame != before

    def toggle(self) -> None:
        """Play or pause."""
        self.playing, self._since = not self.playing, None

    def step(self, frames: int) -> None:
        """Pause, and go some frames on or back; the ends hold."""
        self.playing = False
        self.frame = min(max(self.frame + frames, self.frames.start), self.frames.stop - 1)

    def faster(self, factor: Fraction) -> None:
        """Change the speed, within limits."""
        self.speed = min(max(self.speed * factor, _SPEEDS[0]), _SPEEDS[1])
        self._since = None


class DesktopViewer:
    """A window; close it, or use it in a ``with``. ``press`` does what a key does."""

    def __init__(
        self,
        scenes: Sequence[Callable[[], Scene]],
        *,
        size_wh_px: tuple[int, int] = _SIZE,
        visible: bool = True,
        tell: Tell | None = None,
        pictures: str | os.PathLike[str] = ".",
    ) -> None:
        """Open it.

        Args:
            scenes: what to show, one after another; each is read when its turn comes.
            size_wh_px: width and height.
            visible: False draws without a window, for pictures and tests.
            tell: told what is shown, and what keys did.
            pictures: folder for pictures taken.

        Raises:
            MissingExtraError: open3d is not installed.
            InputError: there is no display, or nothing to show.
        """
        if not scenes:
            raise InputError("there is nothing to show")
        self._open3d = _open3d()
        if visible and not _has_display():
            raise InputError(
                "there is no display for a window: `mocap3d view` shows the same in a browser, `mocap3d render` writes "
                "pictures and movies"
            )
        self._scenes, self._tell = list(scenes), tell or (lambda line: None)
        self._pictures, self._taken = Path(pictures), 0
        self._number, self._style, self._colours, self._dark, self._follow = 0, 0, 0, 0, False
        self._meshes: dict[int, Any] = {}
        self._hidden: set[int] = set()
        self._window = self._open3d.visualization.VisualizerWithKeyCallback()
        if not self._window.create_window("mocap3d", *size_wh_px, visible=visible):
            raise InputError("a window cannot be opened: is there a display, and does it know OpenGL 3.3?")
        self._size = size_wh_px
        self._listen()
        self._load(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the window."""
        self._window.destroy_window()

    def run(self) -> None:
        """Show it until somebody closes the window."""
        while self._window.poll_events():
            if self.player.tick(time.perf_counter()):
                self.draw()
            self._window.update_renderer()
            time.sleep(_PAUSE_S)

    def press(self, key: str) -> None:
        """Do what a key of `KEYS` does; a digit shows or hides a person.

        Raises:
            InputError: no such key.
        """
        actions = self._actions()
        if key not in actions:
            raise InputError(f"there is no key {key!r}; there are: {', '.join(KEYS)}")
        actions[key]()
        self.draw()

    def draw(self) -> None:
        """Bring the bodies to where they are at the player's frame."""
        scene, frame = self.scene, self.player.frame
        for n, figure in enumerate(scene.figures):
            surface = (
                None if n in self._hidden else figure.surface(frame, _STYLES[self._style], _COLOURS[self._colours])
            )
            mesh, shown = self._meshes.pop(n, None), surface is not None
            if mesh is not None and not shown:
                self._window.remove_geometry(mesh, False)
            if surface is None:
                continue
            new = mesh is None
            mesh = self._open3d.geometry.TriangleMesh() if new else mesh
            vector = self._open3d.utility.Vector3dVector
            mesh.vertices, mesh.vertex_normals = vector(surface.vertices_m), vector(surface.normals)
            mesh.triangles = self._open3d.utility.Vector3iVector(surface.triangles.astype(np.int32))
            mesh.triangle_normals = vector(surface.normals[surface.triangles[:, 0]])  # without them it draws no light
            mesh.vertex_colors = vector(0.85 * surface.rgba[:, :3] ** (1 / 2.2))
            self._meshes[n] = mesh
            if new:
                self._window.add_geometry(mesh, False)
            else:
                self._window.update_geometry(mesh)
        self._go_along()

    def picture(self) -> NDArray[np.uint8]:
        """What the window shows, (H, W, 3) sRGB."""
        self._window.poll_events()
        self._window.update_renderer()
        shown = np.asarray(self._window.capture_screen_float_buffer(True))
        return np.asarray(np.rint(shown * 255), dtype=np.uint8)

    # --- what keys do -------------------------------------------------------------------------------------------------

    def _actions(self) -> dict[str, Callable[[], None]]:
        player = self.player
        return {
            "Space": player.toggle,
            "Left": lambda: player.step(-1),
            "Right": lambda: player.step(1),
            "Home": lambda: player.step(-len(player.frames)),
            "End": lambda: player.step(len(player.frames)),
            "Up": lambda: player.faster(Fraction(2)),
            "Down": lambda: player.faster(Fraction(1, 2)),
            "M": lambda: self._change("_style", len(_STYLES)),
            "C": lambda: self._change("_colours", len(_COLOURS)),
            "F": self._toggle_follow,
            "R": self._look,
            "B": self._paint,
            "S": self._save,
            "N": lambda: self._load(self._number + 1),
            "P": lambda: self._load(self._number - 1),
            "H": lambda: self._tell("\n".join(f"{key:>6}  {what}" for key, what in KEYS.items())),
            **{str(n + 1): lambda n=n: self._hidden.symmetric_difference_update({n}) for n in range(9)},  # type: ignore[misc]
        }

    def _listen(self) -> None:
        for key in (*_CODES, *"MCFRBSNPH123456789"):

            def pressed(_window: Any, key: str = key) -> bool:
                self.press(key)
                return True

            self._window.register_key_callback(_CODES.get(key, ord(key[0])), pressed)

    def _change(self, name: str, count: int) -> None:
        setattr(self, name, (getattr(self, name) + 1) % count)

    def _toggle_follow(self) -> None:
        self._follow, self._last_m = not self._follow, self._middle_m()

    def _paint(self) -> None:
        self._dark = 1 - self._dark
        self._window.get_render_option().background_color = np.array(_BACKGROUNDS[self._dark])
        self._floor.colors = self._open3d.utility.Vector3dVector(self._floor_colours())
        self._window.update_geometry(self._floor)

    def _save(self) -> None:
        path = self._pictures / f"mocap3d-{self.player.frame:06d}.png"
        while path.exists():
            self._taken += 1
            path = self._pictures / f"mocap3d-{self.player.frame:06d}-{self._taken}.png"
        self._tell(f"saved {write_png(self.picture(), path)}")

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _load(self, number: int) -> None:
        """Show another scene."""
        self._number = number % len(self._scenes)
        self.scene = self._scenes[self._number]()
        self.player = Player(frames=self.scene.frames, fps=self.scene.fps)
        self._window.clear_geometries()
        self._meshes, self._hidden = {}, set()
        self._last_m = self._middle_m()
        self._floor = self._grid()
        self._window.add_geometry(self._floor, True)
        option = self._window.get_render_option()
        option.background_color = np.array(_BACKGROUNDS[self._dark])
        option.mesh_shade_option = self._open3d.visualization.MeshShadeOption.Color  # smooth
        self.draw()
        self._look()
        names = ", ".join(f"{n}: {figure.name}" for n, figure in enumerate(self.scene.figures, start=1))
        self._tell(f"{self.scene.source}: {names}, {len(self.scene.frames)} frames at {float(self.scene.fps):g}/s")

    def _look(self) -> None:
        """From ahead, so that the whole motion is seen."""
        frames = [self.player.frame] if self._follow else list(self.scene.frames)
        eye = next(orbit(self.scene, View(follow=False), frames, self._size))
        control = self._window.get_view_control()
        parameters = control.convert_to_pinhole_camera_parameters()
        K, (width, height) = eye.K, self._size
        parameters.intrinsic = self._open3d.camera.PinholeCameraIntrinsic(
            width, height, K[0, 0], K[1, 1], width / 2 - 0.5, height / 2 - 0.5
        )
        parameters.extrinsic = eye.cam_from_world
        control.convert_from_pinhole_camera_parameters(parameters, True)

    def _go_along(self) -> None:
        """Move the camera by as much as the people have moved."""
        middle_m = self._middle_m()
        if self._follow and np.isfinite(middle_m - self._last_m).all():
            control = self._window.get_view_control()
            parameters = control.convert_to_pinhole_camera_parameters()
            cam_from_world = np.array(parameters.extrinsic)
            cam_from_world[:3, 3] -= cam_from_world[:3, :3] @ (middle_m - self._last_m)
            parameters.extrinsic = cam_from_world
            control.convert_from_pinhole_camera_parameters(parameters, True)
        if np.isfinite(middle_m).all():
            self._last_m = middle_m

    def _middle_m(self) -> Floats:
        """(3,) where people are; NaN where nobody is. Height does not count."""
        joints = [figure.joints_at(self.player.frame) for figure in self.scene.figures]
        seen = [one[np.isfinite(one).all(axis=-1)] for one in joints if one is not None]
        places = [one.mean(axis=0) for one in seen if len(one)]
        return np.asarray(np.mean(places, axis=0) * [1, 0, 1]) if places else np.full(3, np.nan)

    def _grid(self) -> Any:
        """Lines on the floor under the whole motion."""
        joints = np.concatenate([figure.joints_m.reshape(-1, 3) for figure in self.scene.figures])[:, [0, 2]]
        joints = joints[np.isfinite(joints).all(axis=1)]
        low, high = (joints.min(axis=0), joints.max(axis=0)) if len(joints) else (np.zeros(2), np.zeros(2))
        cell_m = max(1.0, 10.0 ** np.ceil(np.log10(max(float((high - low).max()), 1e-3) / 40)))
        low, high = (np.floor(low / cell_m) - 2) * cell_m, (np.ceil(high / cell_m) + 2) * cell_m
        ends = []
        for axis in (0, 1):
            for at in np.arange(low[axis], high[axis] + cell_m / 2, cell_m):
                line = np.array([low, high])
                line[:, axis] = at
                ends.append(line)
        flat = np.concatenate(ends)
        points = np.stack([flat[:, 0], np.full(len(flat), self.scene.floor_m), flat[:, 1]], axis=1)
        lines = self._open3d.geometry.LineSet()
        lines.points = self._open3d.utility.Vector3dVector(points)
        lines.lines = self._open3d.utility.Vector2iVector(np.arange(len(flat), dtype=np.int32).reshape(-1, 2))
        self._lines = len(ends)
        lines.colors = self._open3d.utility.Vector3dVector(self._floor_colours())
        return lines

    def _floor_colours(self) -> Floats:
        return np.tile(_LINES[self._dark], (self._lines, 1))


def show(paths: Sequence[str | os.PathLike[str]], *, tell: Tell | None = None, **options: Any) -> None:
    """Show files in a window until it is closed; N and P go from one to the next.

    Args:
        paths: folders of stages, animations, motion-data files with results (all their sequences).
        tell: told what is shown, and what keys did.
        options: of `mocap3d.viewers.render.read_scene`, such as ``person``.

    Raises:
        MissingExtraError: open3d is not installed.
        InputError: a file cannot be read, or there is no display.
    """
    with DesktopViewer(list(_scenes(paths, options)), tell=tell) as viewer:
        viewer.run()


def _scenes(paths: Sequence[str | os.PathLike[str]], options: dict[str, Any]) -> Iterator[Callable[[], Scene]]:
    for path in paths:
        for sequence in (options.get("sequence"),) if "sequence" in options else sequences_of(path):
            yield lambda path=path, sequence=sequence: read_scene(path, **{**options, "sequence": sequence})  # type: ignore[misc]


def _has_display() -> bool:
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open3d() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
        InputError: it cannot be loaded.
    """
    try:
        import open3d
    except ModuleNotFoundError as error:
        raise MissingExtraError("open3d", "desktop") from error
    except (ImportError, OSError) as error:
        raise InputError(
            f"open3d cannot be loaded ({error}); on Debian or Ubuntu: "
            "apt-get install libegl1 libgl1 libgomp1 libusb-1.0-0"
        ) from error
    open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)
    return open3d
