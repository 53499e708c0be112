"""Drawing surfaces without a display: pyrender, through EGL where it works, else through OSMesa.

PyOpenGL binds itself to one of them when it is first imported, and a broken driver may end the whole process. So each
is tried in a process of its own first, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from mocap3d.viewers.render.lens import bent, pinhole, scaled
from mocap3d.viewers.render.light import lit
from mocap3d.viewers.render.surfaces import Surface
from numpy.typing import NDArray

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import pyrender

__all__ = ["PLATFORMS", "Canvas", "working_platform"]

PLATFORMS: Final = ("egl", "osmesa")
_VARIABLE: Final = "PYOPENGL_PLATFORM"
_PATIENCE_S: Final = 120.0
_TRY: Final = "from mocap3d.viewers.render.canvas import Canvas; Canvas((8, 8), platform={!r}).close()"
_HINT: Final = (
    "no way to draw without a display: OpenGL through EGL and OSMesa was tried. On Debian or Ubuntu: "
    "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6)"
)
_NEAR: Final = 0.02  # of the distance to the farthest vertex


@lru_cache(maxsize=1)
def working_platform() -> str:
    """Which of `PLATFORMS` draws here; what the user has set (PYOPENGL_PLATFORM) is the only one tried.

    Raises:
        MissingExtraError: pyrender2 is not installed.
        InputError: none does; the message names the system packages.
    """
    _need_pyrender()
    said = os.environ.get(_VARIABLE)
    for platform in (said,) if said in PLATFORMS else PLATFORMS:
        command = [sys.executable, "-W", "ignore", "-c", _TRY.format(platform)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return platform
    raise InputError(_HINT)


class Canvas:
    """A place to draw on, of one size; close it, or use it in a ``with``.

    Attributes:
        size_wh_px: width and height of the pictures.
        fine: how many times as many pixels a side are drawn and averaged.
        platform: one of `PLATFORMS`.
    """

    _open: ClassVar[int] = 0

    def __init__(self, size_wh_px: tuple[int, int], *, fine: int = 1, platform: str | None = None) -> None:
        """Open it; ``platform`` None finds one that works.

        Raises:
            MissingExtraError: pyrender2 is not installed.
            InputError: nothing here draws without a display.
        """
        self.size_wh_px, self.fine = size_wh_px, fine
        drawn_wh_px = (fine * size_wh_px[0], fine * size_wh_px[1])
        self.platform = working_platform() if platform is None else platform
        with _bound_to(self.platform):
            import pyrender

            if self.platform == "egl":
                from pyrender.platforms.egl import EGLPlatform as Platform
            else:
                from pyrender.platforms.osmesa import OSMesaPlatform as Platform
            self._context = Platform(*drawn_wh_px)
            self._context.init_context()
            self._context.make_current()
        self._pyrender = pyrender
        self._renderer = _quick(pyrender)(*drawn_wh_px)
        Canvas._open += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give memory back."""
        if self._renderer is not None:
            self._context.make_current()
            self._renderer.delete()
            self._renderer = None
            Canvas._open -= 1
            if Canvas._open == 0:  # EGL ends for all canvases at once
                self._context.delete_context()

    def draw(
        self, surfaces: Sequence[Surface], camera: Camera, background: tuple[int, int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Draw what a camera sees.

        Args:
            surfaces: what there is; see-through ones come last.
            camera: its lens is followed; its pictures must have the size of the canvas.
            background: sRGB, 0..255; None leaves it out.

        Returns:
            (H, W, 3) sRGB; without a background (H, W, 4), colours multiplied by opacity.
        """
        width, height = self.size_wh_px
        eye = scaled(pinhole(camera), (self.fine * width, self.fine * height))
        scene = self._scene([lit(bent(one, camera), camera) for one in surfaces], eye)
        if background is not None:
            return self._drawn(scene, (*background, 255))[..., :3]
        picture = self._drawn(scene, (0, 0, 0, 0))
        if any((one.rgba[:, 3] < 1).any() for one in surfaces):
            # OpenGL blends opacities wrongly here; what a white background changes tells them exactly.
            on_white = self._drawn(scene, (255, 255, 255, 255))
            picture[..., 3] = 255 - (on_white[..., :3].astype(np.int16) - picture[..., :3]).mean(axis=-1).clip(0, 255)
        return picture

    def _drawn(self, scene: pyrender.Scene, rgba: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        flags = self._pyrender.RenderFlags
        scene.bg_color = np.array(rgba) / 255
        self._context.make_current()
        picture = self._renderer.render(scene, flags.RGBA | flags.OFFSCREEN | flags.FLAT)[0]
        if self.fine == 1:
            return np.array(picture, dtype=np.uint8)
        width, height = self.size_wh_px
        blocks = picture.reshape(height, self.fine, width, self.fine, 4)
        return np.asarray(np.rint(blocks.mean(axis=(1, 3))), dtype=np.uint8)

    def _scene(self, surfaces: Sequence[Surface], camera: Camera) -> pyrender.Scene:
        pyrender = self._pyrender
        scene = pyrender.Scene()
        for surface in surfaces:
            if len(surface.triangles):
                scene.add(_mesh(pyrender, surface))
        world_from_eye = camera.world_from_cam @ np.diag([1.0, -1.0, -1.0, 1.0])  # OpenGL looks along -Z
        far = _farthest_m(surfaces, camera)
        K = camera.K
        eye = pyrender.IntrinsicsCamera(
            K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, znear=_NEAR * far, zfar=1.1 * far
        )  # its (0, 0) is the corner of a pixel
        scene.add(eye, pose=world_from_eye)
        return scene


def _quick(pyrender: Any) -> type[Any]:
    """Pyrender's renderer without its reading of depths, which nobody needs and which takes as long as drawing."""
    from OpenGL import GL as gl  # type: ignore[import-untyped]

    class Quick(pyrender.Renderer):  # type: ignore[misc]
        def _read_main_framebuffer(self, _scene: Any, _flags: int) -> tuple[NDArray[np.uint8], None]:
            width, height = self._main_fb_dims
            gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self._main_fb_ms)
            gl.glBindFramebuffer(gl.GL_DRAW_FRAMEBUFFER, self._main_fb)
            box = (0, 0, width, height)
            gl.glBlitFramebuffer(*box, *box, gl.GL_COLOR_BUFFER_BIT, gl.GL_LINEAR)
            gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self._main_fb)
            pixels = gl.glReadPixels(*box, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE)
            return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[::-1], None

    return Quick


def _mesh(pyrender: Any, surface: Surface) -> Any:
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=np.ones(4), alphaMode="BLEND" if (surface.rgba[:, 3] < 1).any() else "OPAQUE"
    )
    primitive = pyrender.Primitive(
        positions=surface.vertices_m.astype(np.float32),
        color_0=surface.rgba.astype(np.float32),
        indices=surface.triangles.astype(np.uint32),
        material=material,
        mode=4,  # triangles
    )
    return pyrender.Mesh([primitive])


def _farthest_m(surfaces: Sequence[Surface], camera: Camera) -> float:
    """How deep the picture goes."""
    ahead = camera.cam_from_world[2]
    depths = [float((one.vertices_m @ ahead[:3] + ahead[3]).max(initial=0.0)) for one in surfaces]
    return max([0.1, *depths])


def _need_pyrender() -> None:
    if find_spec("pyrender") is None:
        raise MissingExtraError("pyrender2", "render")


@contextmanager
def _bound_to(platform: str) -> Iterator[None]:
    """What PyOpenGL reads when it is imported; the environment is as before afterwards."""
    _need_pyrender()
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = platform
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
