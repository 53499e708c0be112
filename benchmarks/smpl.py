"""Fitting SMPL, SMPL-H and SMPL-X to a clip, beside smplfitter 0.6 (PyTorch).

    python benchmarks/smpl.py [--frames 1000] [--rounds 5] [--noise-mm 0] [--kinds smpl smplh smplx] [--json]

The models are made up, in the makers' file formats and sizes (tests/support/smpl_files.py), and both programs read the
same files. A random movement of one person of random shape is given to both; both find ten coefficients of shape for
the clip, and pose and place for every frame.

What goes in differs. ``fit_smpl`` gets the joints alone, as a motion capture has them. smplfitter cannot do without
vertices: it gets the joints and the whole surface, or (``subset``, much faster) every seventh vertex, with the shape
shared over the clip and three iterations, which its documentation recommends; in batches of 256 frames. So its error at
the joints is not ours to beat, and is told for what it is: 0 is the truth.

Both take turns, after one round that does not count; medians are told. ``fps`` is by the clock, with the threads that
each takes; ``fps_cpu`` by processor time, which stays what it is on a busy machine. ``mm`` is the mean distance of the
fitted joints from the true ones.

smplfitter is no dependency of mocap3d: ``pip install smplfitter`` (and mocap3d[torch]) brings it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _common import Figure, json_line, peak_memory_mib, progress, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from smpl_files import body_arrays, moving, write_npz, write_pkl

from mocap3d.base.pose import Pose3D
from mocap3d.motion.smpl import fit_smpl, read_smpl_model, smpl_joints_m, smpl_vertices_m

SHAPES = 10
BATCH = 256
EVERY = 7
FILES = {
    "smpl": "smpl/basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
    "smplh": "smplh16/neutral/model.npz",
    "smplx": "smplx/SMPLX_NEUTRAL.npz",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if our joints are farther than 2 mm from the truth although there was no noise."""
    options = parsed(arguments)
    figures, rows, worst = [], [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            found = compared(kind, Path(folder), options)
            figures += found[0]
            rows += found[1]
            worst = max(worst, found[2])
    noise = f"noise {options.noise_mm:g} mm per axis" if options.noise_mm else "no noise"
    print(f"{options.frames} frames, {noise}; peak memory of both {peak_memory_mib():.0f} MiB")
    print(table(["", "frames/s", "frames/s of processor time", "mean error, mm"], rows))
    if options.json:
        print(json_line("smpl", figures))
    return 0 if worst <= 2 or options.noise_mm else 1


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--noise-mm", type=float, default=0.0, help="standard deviation per axis, of all points")
    parser.add_argument("--kinds", nargs="+", choices=list(FILES), default=list(FILES))
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


def compared(kind: str, folder: Path, options: argparse.Namespace) -> tuple[list[Figure], list[list[str]], float]:
    """Figures and rows of one model, and our largest error in millimetres."""
    progress(f"{kind}: making the model and a movement")
    path = folder / FILES[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    write = write_pkl if kind == "smpl" else write_npz
    write(path, body_arrays(kind))
    np.save(folder / FILES[kind].split("/")[0] / "kid_template.npy", np.zeros(3))  # none; smplfitter asks for the file
    model = read_smpl_model(path, betas=SHAPES, surface=True)
    truth = moving(model, frames=options.frames)
    joints_m, vertices_m = smpl_joints_m(truth, model), smpl_vertices_m(truth, model).astype(np.float32)
    rng = np.random.default_rng(1)
    given_m = joints_m + rng.normal(size=joints_m.shape) * options.noise_mm / 1000
    if options.noise_mm:
        vertices_m += rng.standard_normal(vertices_m.shape, dtype=np.float32) * np.float32(options.noise_mm / 1000)
    pose = shown(given_m, model.skeleton, options.noise_mm / 1000)
    steps: dict[str, Callable[[], Any]] = {
        "mocap3d": lambda: smpl_joints_m(fit_smpl(pose, model), model),
        "smplfitter, surface": smplfitter(folder, kind, given_m, vertices_m, slice(None)),
        "smplfitter, subset": smplfitter(folder, kind, given_m, vertices_m, slice(None, None, EVERY)),
    }
    measured, rows = {}, []
    for name, (clock, processor, found) in in_turns(steps, options.rounds, kind).items():
        error = np.linalg.norm(found - joints_m, axis=-1) * 1000
        measured[name] = (options.frames / clock, options.frames / processor, error)
        rows.append([f"{kind}, {name}", *(f"{measured[name][n]:.0f}" for n in (0, 1)), f"{error.mean():.3f}"])
    ours, theirs = measured["mocap3d"], measured["smplfitter, subset"]
    figures = [
        Figure(key=f"{kind}_fps", ours=ours[0], against=theirs[0], higher_is_better=True),
        Figure(key=f"{kind}_fps_cpu", ours=ours[1], against=theirs[1], higher_is_better=True),
        Figure(key=f"{kind}_mm", ours=max(ours[2].mean(), 1e-3), against=theirs[2].mean()),
    ]
    return figures, rows, float(ours[2].max())


def shown(xyz_m: Any, skeleton: Any, std_m: float) -> Pose3D:
    """Joints that were all seen."""
    ones = np.ones(xyz_m.shape[:2])
    return Pose3D(
        xyz_m=xyz_m,
        confidence=ones,
        std_m=ones * std_m,
        views=ones.astype(np.int64),
        fps=30,
        skeleton=skeleton,
        frame="world",
    )


def in_turns(steps: dict[str, Callable[[], Any]], rounds: int, kind: str) -> dict[str, tuple[float, float, Any]]:
    """Median seconds of clock and processor, and the joints found."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    found = {}
    for n in range(-1, rounds):
        for name, work in steps.items():
            clock, processor = time.perf_counter(), time.process_time()
            found[name] = work()
            took = (time.perf_counter() - clock, time.process_time() - processor)
            if n >= 0:  # the first round warms up
                seconds[name].append(took)
        progress(f"{kind}: round {n + 1} of {rounds}")
    return {
        name: (median(clock for clock, _ in took), median(processor for _, processor in took), found[name])
        for name, took in seconds.items()
    }


def smplfitter(folder: Path, kind: str, joints_m: Any, vertices_m: Any, part: slice) -> Callable[[], Any]:
    """The other program, ready to fit: joints and a part of the surface in, joints out."""
    os.environ["SMPLFITTER_BODY_MODELS"] = str(folder)
    try:
        import torch
        from smplfitter.pt import BodyFitter, BodyModel
    except ImportError as error:
        raise SystemExit(f"{error.name} is missing; pip install smplfitter 'mocap3d[torch]'") from error
    name = "smplh16" if kind == "smplh" else kind
    chosen = np.arange(vertices_m.shape[1])[part]
    body = BodyModel(name, "neutral", num_betas=SHAPES, vertex_subset=chosen)
    fitter = BodyFitter(body)
    vertices = torch.tensor(vertices_m[:, chosen])
    joints = torch.tensor(joints_m, dtype=torch.float32)

    def work() -> Any:
        places = []
        with torch.inference_mode():
            for first in range(0, len(joints), BATCH):
                batch = slice(first, first + BATCH)
                fit = fitter.fit(
                    vertices[batch],
                    joints[batch],
                    num_iter=3,
                    beta_regularizer=0.0,
                    share_beta=True,
                    requested_keys=["pose_rotvecs", "shape_betas"],
                )
                placed = body(fit["pose_rotvecs"], fit["shape_betas"], fit["trans"], return_vertices=False)
                places.append(placed["joints"].numpy())
        return np.concatenate(places)

    return work


if __name__ == "__main__":
    raise SystemExit(main())
