"""The viewer of results with 10,000 frames, three models and four cameras: first picture, pictures per second, memory.

    python benchmarks/viewer.py [--frames 10000] [--models 3] [--cameras 4] [--rounds 3] [--json]

A results file is made, `mocap3d view` serves it from a process of its own, and a headless Chromium that draws in
software opens the page at 1280 x 720. The first picture is timed from the moment the address is asked for until
bodies, cameras and numbers are on the screen, in a fresh page each time; beside it stands what was promised, 3 s.
Pictures are counted while it plays at four times the speed (every picture is another frame) with all bodies on the
stage, by the clock and in processor time of all the browser's processes; beside them Matplotlib's 3D axes, by which
scripts around pose networks show results, with the same bodies and the same size. Memory is what the server takes more
than before the page was opened, after all frames through all cameras were looked at; beside it stand the numbers in
the file, uncompressed. Last, what one picture consists of. On a busy machine compare processor time.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np
from _common import Figure, json_line, progress, table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

PROMISED_S = 3.0
SIZE = (1280, 720)
MIB = 2**20
FLAGS = ("--enable-unsafe-swiftshader", "--no-sandbox")
# Milliseconds of the parts of one picture, each many times over; readPixels waits until it is really drawn.
PARTS = """(() => {
  const { stage } = window.mocap3d;
  const gl = stage.renderer.getContext();
  const pixel = new Uint8Array(4);
  const timed = (times, part) => {
    part();
    const start = performance.now();
    for (let i = 0; i < times; i += 1) part();
    return (performance.now() - start) / times;
  };
  const draw = () => {
    stage.renderer.render(stage.scene, stage.camera);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  };
  const update = () => stage.beforeDraw.forEach((callback) => callback(stage));
  const parts = { update: timed(60, update), draw: timed(20, draw) };
  const [width, height] = stage.size;
  stage.renderer.setSize(width / 2, height / 2, false);
  parts.quarter = timed(20, draw);
  stage.renderer.setSize(width, height, false);
  return parts;
})()"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = parsed(arguments)
    with tempfile.TemporaryDirectory() as name:
        path = made(Path(name) / "results.h5", options)
        with served(path) as (server, url, ready_s), browser() as chromium:
            before_mib = status_mib(server.pid, "VmRSS")
            first_s = [first_picture_s(chromium, url) for _ in range(options.rounds)]
            page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
            first_picture_s(chromium, url, page)
            per_s, cpu_ms = played(chromium, page)
            parts = page.evaluate(PARTS)
            watched(page, options)
            memory = {kind: mib for kind, (mib, _) in processes(chromium).items()}
            heap, received, held = page.evaluate(
                "[performance.memory.usedJSHeapSize, window.mocap3d.received, window.mocap3d.held]"
            )
            growth_mib = status_mib(server.pid, "VmHWM") - before_mib
        plain_per_s, plain_cpu_ms = by_matplotlib(path)
        size_mib, numbers_mib = path.stat().st_size / MIB, uncompressed_mib(path)
    figures = [
        Figure(key="first_picture_s", ours=median(first_s), against=PROMISED_S),
        Figure(key="pictures_per_s", ours=per_s, against=plain_per_s, higher_is_better=True),
        Figure(key="processor_ms_per_picture", ours=sum(cpu_ms.values()), against=plain_cpu_ms),
        Figure(key="server_growth_mib", ours=growth_mib, against=numbers_mib),
    ]
    print(f"{options.frames} frames, {options.models} models, {options.cameras} cameras: {size_mib:.0f} MiB of HDF5\n")
    rows = [[f.key, f"{f.ours:.2f}", f"{f.against:.2f}", f"{f.ratio:.2f}"] for f in figures]
    print(table(["median", "mocap3d", "against", "ratio"], rows))
    print(f"\nserver ready after {ready_s:.2f} s; first pictures {', '.join(f'{s:.2f}' for s in first_s)} s")
    print(
        f"after everything: {received / MIB:.0f} MiB received, {held / MIB:.0f} MiB kept, script {heap / MIB:.0f} MiB"
    )
    print("resident: " + ", ".join(f"{kind.split('.')[0]} {mib:.0f} MiB" for kind, mib in memory.items()))
    told(parts, cpu_ms)
    if options.json:
        print(json_line("viewer", figures))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000, help="2000 or more: it plays for seven seconds")
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="how often the page is opened")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    if options.frames < 2000:
        parser.error("--frames must be at least 2000: it plays for seven seconds")
    return options


def made(path: Path, options: argparse.Namespace) -> Path:
    """A file of results, in the layout of `mocap3d evaluate`."""
    from results_files import write_results

    progress(f"making {options.frames} frames")
    models = [(f"model {number + 1}", 12.0 + 9 * number) for number in range(options.models)]
    takes = [("S9", "walking_1", options.frames)]
    return write_results(path, models=models, takes=takes, cameras=options.cameras, lifter_20=())


@contextmanager
def served(path: Path) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """`mocap3d view` in a process of its own: the process, the address, and the seconds until it was there."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "mocap3d", "view", str(path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            ready_s = time.perf_counter() - start
            yield server, next(word for word in line.split() if word.startswith("http")), ready_s
        finally:
            server.terminate()


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium that draws in software."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        chromium = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield chromium
        chromium.close()


def first_picture_s(chromium: Any, url: str, page: Any = None) -> float:
    """Seconds from asking for the address until bodies and numbers are on the screen."""
    own = page or chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    start = time.perf_counter()
    own.goto(url, wait_until="commit")
    while not own.evaluate("window.mocap3d?.drawnFrame === 0"):
        own.wait_for_timeout(5)
    seconds = time.perf_counter() - start
    if page is None:
        own.close()
    return seconds


def played(chromium: Any, page: Any, seconds: float = 6.0) -> tuple[float, dict[str, float]]:
    """Pictures per second at four times the speed, and processor milliseconds of each by kind of process."""
    while not page.evaluate("(([done, total]) => done === total)(window.mocap3d.scored)"):
        page.wait_for_timeout(100)
    page.get_by_label("Speed").select_option("4")
    page.get_by_label("Play (Space)").click()
    page.wait_for_timeout(1000)
    before, used, start = page.evaluate("window.mocap3d.drawn"), processes(chromium), time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    drawn, now = page.evaluate("window.mocap3d.drawn") - before, processes(chromium)
    took = time.perf_counter() - start
    page.get_by_label("Play (Space)").click()
    return drawn / took, {kind: 1000 * (now[kind][1] - cpu_s) / drawn for kind, (_, cpu_s) in used.items()}


def watched(page: Any, options: argparse.Namespace) -> None:
    """Go through all frames of all cameras, half a chunk at a time."""
    for camera in range(options.cameras):
        page.get_by_label("Camera", exact=True).select_option(str(camera))
        for frame in range(0, options.frames, 250):
            page.get_by_label("Frame number").fill(str(frame))
            page.keyboard.press("Enter")
            while page.evaluate("window.mocap3d.drawnFrame") != frame:
                page.wait_for_timeout(5)


def processes(chromium: Any) -> dict[str, tuple[float, float]]:
    """Resident memory (MiB) and processor seconds so far of the browser's processes, by kind."""
    listed = chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    found: dict[str, tuple[float, float]] = {}
    for process in listed:
        mib, cpu_s = found.get(process["type"], (0.0, 0.0))
        found[process["type"]] = (mib + status_mib(process["id"], "VmRSS"), cpu_s + process["cpuTime"])
    return found


def status_mib(pid: int, key: str) -> float:
    """A line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)


def uncompressed_mib(path: Path) -> float:
    """All numbers of the file, as they would lie in memory."""
    total = 0

    def add(_name: str, item: h5py.Dataset | h5py.Group) -> None:
        nonlocal total
        total += item.nbytes if isinstance(item, h5py.Dataset) else 0

    with h5py.File(path) as file:
        file.visititems(add)
    return total / MIB


def by_matplotlib(path: Path, pictures: int = 40) -> tuple[float, float]:
    """Truth and models as lines in 3D axes: pictures per second, processor milliseconds of each."""
    import matplotlib
    from results_files import H17

    matplotlib.use("Agg")
    from matplotlib import pyplot

    progress("drawing with Matplotlib")
    with h5py.File(path) as file:
        take = file["sequences/S9/walking_1"]
        bodies = [take["xyz_m"][:pictures]]
        for model in take["predictions"]:
            bodies.append(next(iter(take[f"predictions/{model}"].values()))["xyz_m"][:pictures])
    figure = pyplot.figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100)
    axes = figure.add_subplot(projection="3d")
    axes.set(xlim=(-2, 2), ylim=(-2, 2), zlim=(0, 2))
    lines = [[axes.plot([0, 0], [0, 0], [0, 0])[0] for _ in H17.edges] for _ in bodies]
    figure.canvas.draw()
    start, used = time.perf_counter(), time.process_time()
    for frame in range(pictures):
        for body, bones in zip(bodies, lines, strict=True):
            for bone, (a, b) in zip(bones, H17.edges, strict=True):
                ends = np.stack([body[frame, a], body[frame, b]])
                bone.set_data_3d(ends[:, 0], ends[:, 2], ends[:, 1])
        figure.canvas.draw()
    pyplot.close(figure)
    return pictures / (time.perf_counter() - start), 1000 * (time.process_time() - used) / pictures


def told(parts: dict[str, float], cpu_ms: dict[str, float]) -> None:
    """What one picture consists of, and which part is the largest."""
    by_pixel = min(max(0.0, (parts["draw"] - parts["quarter"]) * 4 / 3), parts["draw"])
    rows = {
        "script: bodies, numbers and bars are set": parts["update"],
        "renderer: the rest, layout and painting": max(0.0, cpu_ms.get("renderer", 0.0) - parts["update"]),
        "OpenGL in software: vertices and draw calls": parts["draw"] - by_pixel,
        "OpenGL in software: pixels of the scene": by_pixel,
        "OpenGL in software: scene and page are put together": max(0.0, cpu_ms.get("GPU", 0.0) - parts["draw"]),
    }
    print("\n" + table(["one picture", "ms"], [[name, f"{ms:.1f}"] for name, ms in rows.items()]))
    print(f"bottleneck: {max(rows, key=lambda name: rows[name])}")


if __name__ == "__main__":
    sys.exit(main())
