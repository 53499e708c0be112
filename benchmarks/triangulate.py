"""How fast do pixels of several cameras become points in space, and do wrong views spoil them?

    python benchmarks/triangulate.py [--points 1000000] [--aniposelib-python PATH] [--cuda] [--json]

A million joints, four cameras around them, pixels 2 px off (standard deviation) and 5 % of them anywhere within 300 px;
confidences between 0.3 and 1. ``vs_loop`` is our weighted and robust triangulation against what many programs do: a
matrix of weighted rows and ``numpy.linalg.svd``, point by point, which is not robust. The loop is timed on
``--loop-points`` of them and scaled up. The lenses have no distortion there; with it, we undo it exactly, and the loop
after OpenCV's five rounds. OpenCV's own call takes two views, no weights, and so do we beside it.

aniposelib 0.8 triangulates in an environment of its own: `uv venv ENV`, `uv pip install --python ENV/bin/python
"aniposelib==0.8.0"` (1.1 GB), then --aniposelib-python ENV/bin/python, or MOCAP3D_ANIPOSELIB_PYTHON. Its
``CameraGroup.triangulate`` is compiled by JAX (before the clock starts), batched, and knows no weights; its robust way,
``triangulate_ransac``, is timed on fewer points.

Seconds are of the processor, one thread each; medians of ``--rounds``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is loaded
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

import numpy as np  # noqa: E402  # after what it depends on, as all below
from _common import Figure, json_line, machine, progress, table  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rigs_of_cameras import BROWN, pixels, ring  # noqa: E402

from mocap3d import Camera  # noqa: E402
from mocap3d.base.consensus import triangulate_robust  # noqa: E402
from mocap3d.base.triangulation import triangulate  # noqa: E402

Floats = NDArray[np.float64]

NOISE_PX, OUTLIERS, SPREAD_PX = 2.0, 0.05, 300.0
VIEWS = 4
RANSAC_SHARE = 500  # triangulate_ransac gets one point of so many


class Run:
    """One way to do it: seconds for all points, and how far off they are."""

    def __init__(self, name: str, seconds: float, found: Floats, truth: Floats, note: str = "") -> None:
        """Measure what was found against the first points of the truth."""
        off = np.linalg.norm(found - truth[: len(found)], axis=-1)
        self.name, self.seconds, self.note = name, seconds, note
        self.median_mm = float(1000 * np.nanmedian(off))
        self.wrong = float((off > 0.05).mean())
        self.missing = float(np.isnan(off).mean())

    def row(self) -> list[str]:
        """Cells of the table."""
        shares = [f"{100 * share:.2f}" for share in (self.wrong, self.missing)]
        return [self.name, f"{self.seconds:.2f}", f"{self.median_mm:.1f}", *shares, self.note]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = parsed(arguments)
    runs, figures = measure(options)
    head = [f"{machine()}, one thread", "s", "median mm", "% > 5 cm", "% missing", ""]
    print(table(head, [run.row() for run in runs]))
    if options.json:
        print(json_line("triangulate", figures))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MOCAP3D_ANIPOSELIB_PYTHON")
    parser.add_argument("--points", type=int, default=1_000_000, help="how many joints")
    parser.add_argument("--loop-points", type=int, default=20_000, help="how many of them the loop gets")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed; the median counts")
    parser.add_argument("--aniposelib-python", default=default, help="a Python that has aniposelib 0.8 installed")
    parser.add_argument("--cuda", action="store_true", help="also on the first CUDA device, with the extra torch")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> tuple[list[Run], list[Figure]]:
    """Everything, and what is compared with what."""
    truth, weight = some_points(options.points)
    plain, bent = ring(VIEWS), ring(VIEWS, lens=BROWN)
    seen, seen_bent = seen_by(plain, truth), seen_by(bent, truth)
    part = slice(0, options.loop_points)
    scale = options.points / len(truth[part])

    def timed(name: str, work: Callable[[], Floats], times: float = 1.0, note: str = "") -> Run:
        seconds = []
        for _ in range(options.rounds):
            start = time.process_time()
            found = work()
            seconds.append(time.process_time() - start)
        progress(f"{name}: {np.median(seconds):.2f} s")
        return Run(name, float(np.median(seconds)) * times, found, truth, note)

    subset = f"timed on {len(truth[part])}" if scale > 1 else ""
    robust = timed("ours, weighted and robust", lambda: ours_robust(plain, seen, weight))
    loop = timed("loop of SVD, weighted", lambda: svd_loop(plain, seen[:, part], weight[:, part]), scale, subset)
    robust_bent = timed("ours, the same through lenses", lambda: ours_robust(bent, seen_bent, weight))
    loop_bent = timed("the loop, lenses by OpenCV", lambda: svd_loop_bent(bent, seen_bent, weight, part), scale, subset)
    weighted = timed("ours, weighted", lambda: triangulate(plain, seen, weight))
    two = timed("ours, two views", lambda: triangulate(plain[:2], seen[:2]))
    opencv = timed("OpenCV, two views", lambda: opencv_pair(plain[:2], seen[:2]))
    runs = [robust, loop, robust_bent, loop_bent, weighted, two, opencv]
    figures = [
        Figure(key="vs_loop", ours=robust.seconds, against=loop.seconds),
        Figure(key="vs_loop_with_lenses", ours=robust_bent.seconds, against=loop_bent.seconds),
        Figure(key="vs_loop_weighted_only", ours=weighted.seconds, against=loop.seconds),
        Figure(key="vs_opencv_two_views", ours=two.seconds, against=opencv.seconds),
    ]
    if options.aniposelib_python:
        simple, ransac = aniposelib(options, plain, seen, truth)
        runs += [simple, ransac]
        figures += [
            Figure(key="vs_aniposelib", ours=weighted.seconds, against=simple.seconds),
            Figure(key="vs_aniposelib_ransac", ours=robust.seconds, against=ransac.seconds),
        ]
    if options.cuda:
        runs.append(on_cuda(plain, seen, weight, truth, options.rounds))
    return runs, figures


def some_points(count: int) -> tuple[Floats, Floats]:
    """(N, 3) where people are, and (C, N) confidences."""
    rng = np.random.default_rng(0)
    return rng.uniform([-1.5, 0, -1.5], [1.5, 2, 1.5], (count, 3)), rng.uniform(0.3, 1.0, (VIEWS, count))


def seen_by(cameras: Sequence[Camera], truth: Floats) -> Floats:
    """(C, N, 2) noisy pixels, some of them plainly wrong."""
    rng = np.random.default_rng(1)
    seen = np.stack([pixels(camera, truth) for camera in cameras])
    seen += rng.normal(0, NOISE_PX, seen.shape)
    wrong = rng.random(seen.shape[:2]) < OUTLIERS
    seen[wrong] += rng.uniform(-SPREAD_PX, SPREAD_PX, (int(wrong.sum()), 2))
    return seen


def ours_robust(cameras: Sequence[Camera], xy_px: Floats, weight: Floats) -> Floats:
    """Lenses undone, weighted, views that disagree left out."""
    return triangulate_robust(cameras, xy_px, weight, std_px=NOISE_PX)[0]


def svd_loop(cameras: Sequence[Camera], xy_px: Floats, weight: Floats) -> Floats:
    """The direct linear transformation, one point after the other."""
    projections = [camera.px_from_world for camera in cameras]
    found = np.empty((xy_px.shape[1], 3))
    for n in range(xy_px.shape[1]):
        rows = []
        for P, xy, w in zip(projections, xy_px[:, n], weight[:, n], strict=True):
            rows.append((P[0] - xy[0] * P[2]) * w)
            rows.append((P[1] - xy[1] * P[2]) * w)
        _, _, vh = np.linalg.svd(np.array(rows))
        found[n] = vh[-1, :3] / vh[-1, 3]
    return found


def svd_loop_bent(cameras: Sequence[Camera], xy_px: Floats, weight: Floats, part: slice) -> Floats:
    """The same for some of the points, their lenses undone by OpenCV within the time."""
    return svd_loop(cameras, undistorted(cameras, xy_px[:, part]), weight[:, part])


def undistorted(cameras: Sequence[Camera], xy_px: Floats) -> Floats:
    """OpenCV's, with its own number of rounds."""
    import cv2

    return np.stack(
        [
            cv2.undistortPoints(xy[:, None], camera.K, camera.distortion, P=camera.K)[:, 0]
            for camera, xy in zip(cameras, xy_px, strict=True)
        ]
    )


def opencv_pair(cameras: Sequence[Camera], xy_px: Floats) -> Floats:
    """``cv2.triangulatePoints``: two views, every point alike."""
    import cv2

    cv2.setNumThreads(1)
    first, second = (np.asarray(camera.px_from_world, np.float64) for camera in cameras)
    found = cv2.triangulatePoints(first, second, xy_px[0].T, xy_px[1].T)
    return np.asarray((found[:3] / found[3]).T)


def aniposelib(options: argparse.Namespace, cameras: Sequence[Camera], xy_px: Floats, truth: Floats) -> tuple[Run, Run]:
    """Both of its ways, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "views.npz"
        np.savez(
            path,
            xy_px=xy_px,
            K=np.stack([camera.K for camera in cameras]),
            cam_from_world=np.stack([camera.cam_from_world for camera in cameras]),
            size_wh_px=np.array([camera.size_wh_px for camera in cameras]),
        )
        command = [options.aniposelib_python, str(HERE / "_run_aniposelib.py"), str(path), str(RANSAC_SHARE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"aniposelib failed:\n{done.stderr[-2000:]}")
        said = json.loads(done.stdout.splitlines()[-1])
        found = np.load(path.with_name("found.npz"))
        simple = Run("aniposelib, unweighted", said["simple_s"], found["simple"], truth)
        scale = xy_px.shape[1] / len(found["ransac"])
        note = f"timed on {len(found['ransac'])}"
        return simple, Run("aniposelib, ransac", said["ransac_s"] * scale, found["ransac"], truth, note)


def on_cuda(cameras: Sequence[Camera], xy_px: Floats, weight: Floats, truth: Floats, rounds: int) -> Run:
    """By the clock, with the way to the device and back."""
    from mocap3d.nets.triangulation import triangulate_on_device

    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        found, _ = triangulate_on_device(cameras, xy_px, weight, std_px=NOISE_PX, device="cuda")
        seconds.append(time.perf_counter() - start)
    return Run("ours, weighted and robust, CUDA", float(np.median(seconds[1:])), found, truth, "by the clock")


if __name__ == "__main__":
    sys.exit(main())
