"""Movies of 1280 x 720 without a display, beside 3D axes of Matplotlib as scripts around pose networks draw them.

    python benchmarks/render.py [--frames 60] [--rounds 3] [--json]

A made-up movement of the humanoid's 22 joints. Both sides draw the same and hand their pictures to the same H.264
encoder: `render_movie`, against Matplotlib (Agg). ``skeleton``: rods, balls, floor and shadow with light, against plain
lines that are moved from picture to picture. ``beside``: the same beside a video. ``mannequin``: the mesh of 5,784
triangles, against a shaded ``Poly3DCollection`` of them. Both sides take turns, after one round that does not count;
opening OpenGL, or the figure, is counted. Medians are told: frames per second by the clock, and seconds of processor
time a frame (OpenGL in software works with as many threads as there are cores).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _common import Figure, json_line, peak_memory_mib, progress, table
from mocap3d.viewers.render import Look, Scene, View, render_movie, scene_of_clip
from mocap3d.viewers.render.canvas import working_platform
from mocap3d.viewers.render.movie import write_movie
from numpy.typing import NDArray

import mocap3d
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.rotations import rotvec_to_wxyz

Picture = NDArray[np.uint8]

SIZE = (1280, 720)
FPS = Fraction(30)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = parsed(arguments)
    motion = moving(options.frames)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = filmed(motion, folder)
        working_platform()  # found out once, not for every movie
        beside, stick = View(kind="beside"), Look(style="skeleton", colours="sides")
        pairs: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
            "skeleton": (
                lambda path: render_movie(scene, path, look=stick, size=SIZE),
                lambda path: by_matplotlib(line_pictures(scene, with_video=False), path),
            ),
            "mannequin": (
                lambda path: render_movie(scene, path, size=SIZE),
                lambda path: by_matplotlib(mesh_pictures(scene), path),
            ),
            "beside": (
                lambda path: render_movie(scene, path, look=stick, view=beside, size=SIZE),
                lambda path: by_matplotlib(line_pictures(scene, with_video=True), path),
            ),
        }
        figures = [figure for key, pair in pairs.items() for figure in compared(key, pair, folder, options)]
    print(f"{options.frames} frames of {SIZE[0]} x {SIZE[1]}, {working_platform()}; peak {peak_memory_mib():.0f} MiB")
    head = ["median", "mocap3d", "Matplotlib", "ratio"]
    print(table(head, [[f.key, f"{f.ours:.3f}", f"{f.against:.3f}", f"{f.ratio:.2f}"] for f in figures]))
    if options.json:
        print(json_line("render", figures))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


def compared(
    name: str,
    pair: tuple[Callable[[Path], object], Callable[[Path], object]],
    folder: Path,
    options: argparse.Namespace,
) -> list[Figure]:
    """Let both take turns; frames per second by the clock, processor seconds a frame."""
    seconds: tuple[list[tuple[float, float]], ...] = ([], [])
    for n in range(-1, options.rounds):
        for side, work in zip(seconds, pair, strict=True):
            clock, processor = time.perf_counter(), time.process_time()
            work(folder / "movie.mp4")
            took = (time.perf_counter() - clock, time.process_time() - processor)
            if n >= 0:  # the first round warms up
                side.append(took)
        progress(f"{name}: round {n + 1} of {options.rounds}")
    (ours, our_cpu), (theirs, their_cpu) = ([median(column) for column in zip(*side, strict=True)] for side in seconds)
    frames = options.frames
    return [
        Figure(key=f"{name}_fps", ours=frames / ours, against=frames / theirs, higher_is_better=True),
        Figure(key=f"{name}_cpu_s", ours=our_cpu / frames, against=their_cpu / frames),
    ]


def moving(frames: int) -> mocap3d.Motion:
    """Limbs that swing while the hips go along."""
    rng = np.random.default_rng(0)
    t = np.arange(frames)[:, None, None] / float(FPS)
    joints = len(HUMANOID_RIG.skeleton)
    rotvec = 0.5 * np.sin(2 * np.pi * rng.uniform(0.3, 1, (joints, 1)) * t + rng.uniform(0, 6, (joints, 3)))
    rotvec[:, 0] *= 0.2
    root_m = np.stack([0.4 * t[:, 0, 0], np.full(frames, 0.95), 0.2 * np.sin(t[:, 0, 0])], axis=-1)
    return mocap3d.Motion(rig=HUMANOID_RIG, fps=FPS, local_wxyz=rotvec_to_wxyz(rotvec), root_m=root_m)


def filmed(motion: mocap3d.Motion, folder: Path) -> Scene:
    """The motion with a video of noise."""
    video = folder / "video.mp4"
    noise = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    with write_movie(video, FPS, SIZE) as movie:
        for n in range(len(motion)):
            movie.add(np.roll(noise, 7 * n, axis=1))
    camera = mocap3d.Camera.from_fov("front", SIZE, 60)
    person = mocap3d.Performance(person=1, shot=0, motion=motion, pose2d=None, pose3d=None)  # type: ignore[arg-type]
    shot = mocap3d.Shot(start=0, stop=len(motion))
    clip = mocap3d.Clip(source=video, performances=(person,), shots=(shot,), cameras=(camera,), grounds=(None,))
    return scene_of_clip(clip)


def by_matplotlib(pictures: Iterator[Picture], path: Path) -> None:
    """A movie of what Matplotlib draws."""
    with write_movie(path, FPS, SIZE) as movie:
        for picture in pictures:
            movie.add(picture)


def axes_around(scene: Scene, *, with_video: bool) -> tuple[Any, Any]:
    """A page of the right size, and 3D axes on it that show all of the motion."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Page

    joints_m = scene.figures[0].joints_m
    page = Page(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100)
    columns = 2 if with_video else 1
    axes = page.add_subplot(1, columns, columns, projection="3d")
    low, high = joints_m.min(axis=(0, 1)), joints_m.max(axis=(0, 1))
    middle, reach = (low + high) / 2, float((high - low).max()) / 2
    axes.set_xlim3d(middle[0] - reach, middle[0] + reach)
    axes.set_ylim3d(middle[2] - reach, middle[2] + reach)
    axes.set_zlim3d(0, 2 * reach)
    return FigureCanvasAgg(page), axes


def line_pictures(scene: Scene, *, with_video: bool) -> Iterator[Picture]:
    """Draw lines once, then move them and draw again."""
    canvas, axes = axes_around(scene, with_video=with_video)
    skeleton = scene.figures[0].skeleton
    lines = [axes.plot([0, 0], [0, 0], [0, 0], marker="o")[0] for _ in skeleton.edges]
    taken = scene.filmed[0].pictures(scene.frames, FPS) if with_video else iter(())
    image = None
    if with_video:
        flat = canvas.figure.add_subplot(1, 2, 1)
        flat.axis("off")
        image = flat.imshow(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    for frame in scene.figures[0].joints_m:
        for line, edge in zip(lines, skeleton.edges, strict=True):
            x, y, z = frame[list(edge)].T
            line.set_data_3d(x, z, y)
        if image is not None:
            image.set_data(next(taken))
        yield drawn(canvas)


def mesh_pictures(scene: Scene) -> Iterator[Picture]:
    """Draw the mannequin's triangles anew in every picture: lit by one light, the far ones first."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    canvas, axes = axes_around(scene, with_video=False)
    mesh = None
    for frame in scene.frames:
        (surface,) = scene.surfaces(frame)
        if mesh is not None:
            mesh.remove()
        triangles_m = surface.vertices_m[surface.triangles][..., [0, 2, 1]] * [1, -1, 1]
        colours = surface.rgba[surface.triangles[:, 0], :3] ** (1 / 2.2)
        mesh = axes.add_collection3d(Poly3DCollection(triangles_m, facecolors=colours, shade=True))
        yield drawn(canvas)


def drawn(canvas: Any) -> Picture:
    """What Agg makes of a page."""
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[..., :3]


if __name__ == "__main__":
    raise SystemExit(main())
