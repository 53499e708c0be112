"""Reading and writing a long BVH beside pybvh 0.9: 60,000 frames, 96 channels.

    python benchmarks/bvh.py [--frames 60000] [--rounds 5] [--json]

A made-up movement of 31 joints (ZXY, six decimals). Reading: ``read_bvh`` from the path to a checked ``Motion`` with
quaternions, against ``pybvh.read_bvh_file``, which ends with Euler angles. Writing: ``write_bvh`` from quaternions to
Euler angles without jumps to the file, against ``pybvh.write_bvh_file`` from Euler angles. Both take turns, after one
round that does not count; the medians are told.

``parse_vs_pybvh`` and ``write_vs_pybvh`` are seconds of processor time: both work in one thread, so on an idle machine
they are the seconds of the clock, and on a busy one they stay what they are. The clock's are the keys with ``clock``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pybvh
from _common import Figure, json_line, peak_memory_mib, progress, table

from mocap3d.base.motion import Motion
from mocap3d.base.rig import Rig
from mocap3d.base.rotations import rotvec_to_wxyz
from mocap3d.base.skeleton import Skeleton
from mocap3d.output.bvh import read_bvh, write_bvh

JOINTS = 31  # six channels on the root, three on each other joint: 96
FPS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if pybvh reads other numbers than we do."""
    options = parsed(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder) / "motion.bvh", Path(folder) / "other.bvh"
        progress(f"making {options.frames} frames")
        motion = moving(options.frames)
        write_bvh(motion, path)
        theirs = pybvh.read_bvh_file(path)
        same = np.allclose(theirs.root_pos, motion.root_m, rtol=0, atol=1e-6) and theirs.frame_count == len(motion)
        steps: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "parse": (lambda: read_bvh(path), lambda: pybvh.read_bvh_file(path)),
            "write": (lambda: write_bvh(motion, other), lambda: pybvh.write_bvh_file(theirs, other)),
        }
        figures = [figure for name, pair in steps.items() for figure in compared(name, *pair, options.rounds)]
        size_mb = path.stat().st_size / 1e6
    channels = 6 + 3 * (JOINTS - 1)
    print(f"{options.frames} frames, {channels} channels, {size_mb:.1f} MB; peak memory {peak_memory_mib():.0f} MiB")
    head = ["seconds, median", "mocap3d", "pybvh", "ratio"]
    print(table(head, [[f.key, f"{f.ours:.3f}", f"{f.against:.3f}", f"{f.ratio:.2f}"] for f in figures]))
    if options.json:
        print(json_line("bvh", figures))
    return 0 if same else 1


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


def compared(name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> list[Figure]:
    """Let both take turns; medians of processor and clock seconds."""
    seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for n in range(-1, rounds):
        for side, work in (("ours", ours), ("theirs", theirs)):
            clock, processor = time.perf_counter(), time.process_time()
            work()
            took = (time.process_time() - processor, time.perf_counter() - clock)
            if n >= 0:  # the first round warms up
                seconds[side].append(took)
        progress(f"{name}: round {n + 1} of {rounds}")
    medians = {side: [median(column) for column in zip(*values, strict=True)] for side, values in seconds.items()}
    return [
        Figure(key=f"{name}{what}_vs_pybvh", ours=medians["ours"][n], against=medians["theirs"][n])
        for n, what in enumerate(("", "_clock"))
    ]


def moving(frames: int) -> Motion:
    """Five chains of joints that swing at several frequencies about a root that walks away."""
    rng = np.random.default_rng(0)
    skeleton = Skeleton(
        name="chains",
        joint_names=[f"joint{j}" for j in range(JOINTS)],
        parents=[-1] + [0 if j % 6 == 1 else j - 1 for j in range(1, JOINTS)],
        mirror=range(JOINTS),
    )
    rest_wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (JOINTS, 1))
    rig = Rig(skeleton=skeleton, offsets_m=rng.normal(size=(JOINTS, 3)) * 0.1, rest_wxyz=rest_wxyz)
    t = np.arange(frames) / FPS
    rotvec = np.zeros((frames, JOINTS, 3))
    for _ in range(4):
        frequency, phase = rng.uniform(0.1, 2.0, (JOINTS, 3)), rng.random((JOINTS, 3))
        rotvec += rng.normal(size=(JOINTS, 3)) * 0.4 * np.sin(2 * np.pi * (t[:, None, None] * frequency + phase))
    root_m = np.stack([0.5 * t, 1.0 + 0.05 * np.sin(9 * t), np.sin(t)], axis=-1)
    return Motion(rig=rig, fps=FPS, local_wxyz=rotvec_to_wxyz(rotvec), root_m=root_m)


if __name__ == "__main__":
    raise SystemExit(main())
