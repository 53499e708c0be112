"""One measured run of mocap3d, from the video to the written BVH: prints one JSON line.

The pipeline is not changed for it: the public functions that it calls are replaced by ones that hold a stopwatch.
Imports are not counted; loading the networks is.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STEPS = {
    "reading": ["mocap3d.cameras.video:open_video", "mocap3d.cameras.video:Video.__iter__"],
    "shots": ["mocap3d.cameras.shots:ShotDetector.feed", "mocap3d.cameras.shots:ShotDetector.finish"],
    "detect": ["mocap3d.detect.people:PeopleDetector.__init__", "mocap3d.detect.people:PeopleDetector.__call__"],
    "identify": [
        "mocap3d.identify.following:follow",
        "mocap3d.identify.choosing:choose",
        "mocap3d.identify.repair:drop_unsure",
        "mocap3d.identify.repair:reject_outliers",
        "mocap3d.identify.repair:fill_gaps",
    ],
    "lift and place": [
        "mocap3d.lift.monocular:lift_everything",
        "mocap3d.lift.bones:with_constant_bones",
        "mocap3d.lift.root_path:place",
    ],
    "solve": ["mocap3d.lift.ground:find_ground", "mocap3d.motion.solve:solve", "mocap3d.motion.solve:unobserved"],
    "save": ["mocap3d.clip:Clip.save"],
}
"""Step -> what it calls. A step's time is its own: what it calls of another step counts there."""


class Stopwatch:
    """Seconds by step; entering an inner step pauses the outer one of the same thread.

    Pictures are read and searched for cuts in a thread of their own: such steps overlap with others, and the sum of
    all is more than the wall time. "rest" is what the thread that started the watch does outside of every step.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys([*STEPS, "rest"], 0.0)
        self.touched: set[str] = set()
        self._here = threading.local()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Count from now on."""
        self._here.open = ["rest"]
        self._here.since = time.perf_counter()

    @property
    def _open(self) -> list[str]:
        """The steps that this thread is in, the innermost last."""
        if not hasattr(self._here, "open"):
            self._here.open, self._here.since = [], 0.0
        open_here: list[str] = self._here.open
        return open_here

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            with self._lock:
                self.seconds[self._open[-1]] += now - self._here.since
        self._here.since = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what happens inside for ``name``."""
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def stop(self) -> None:
        """Count what has passed until now."""
        self._book()


def hold_watch(watch: Stopwatch) -> None:
    """Replace every function of ``STEPS`` by one that is timed."""
    for step, places in STEPS.items():
        for place in places:
            module, _, path = place.partition(":")
            owner: Any = importlib.import_module(module)
            *outer, name = path.split(".")
            for attribute in outer:
                owner = getattr(owner, attribute)
            setattr(owner, name, _timed(watch, step, place, getattr(owner, name)))


def _timed(watch: Stopwatch, step: str, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*arguments: Any, **options: Any) -> Any:
        watch.touched.add(place)
        with watch.step(step):
            result = function(*arguments, **options)
        return _timed_pictures(watch, step, result) if isinstance(result, Generator) else result

    return timed


def _timed_pictures(watch: Stopwatch, step: str, pictures: Generator[Any]) -> Generator[Any]:
    while True:
        with watch.step(step):
            picture = next(pictures, None)
        if picture is None:
            return
        yield picture


def main() -> None:
    """Run over the video, with the camera file, named on the command line."""
    from _common import peak_memory_mib

    import mocap3d

    video, camera, height_m = sys.argv[1], sys.argv[2], float(sys.argv[3])
    watch = Stopwatch()
    hold_watch(watch)
    importlib.import_module("mocap3d.output.bvh")
    for heavy in ("av", "cv2", "onnxruntime", "scipy.sparse.linalg", "scipy.ndimage"):
        importlib.import_module(heavy)
    start, cpu = time.perf_counter(), time.process_time()
    watch.start()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
        clip = mocap3d.capture(video, cameras=camera, height_m=height_m)
        clip.save(Path(folder) / "out.bvh")
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    watch.stop()
    untouched = {place for places in STEPS.values() for place in places} - watch.touched
    if untouched:
        sys.exit(f"the pipeline no longer calls {', '.join(sorted(untouched))}: mend STEPS in {__file__}")
    result = {
        "frames": sum(shot.stop - shot.start for shot in clip.shots),
        "seen": sum(len(motion) for motion in clip.motions),
        "seconds": wall,
        "cpu_seconds": cpu,
        "peak_mib": peak_memory_mib(),
        "steps": watch.seconds,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
