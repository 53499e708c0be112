"""Fitting SMPL, SMPL-H and SMPL-X to a clip, beside smplfitter 0.6 (PyTorch): the table of docs/smpl.md.

    python benchmarks/smpl.py [--frames 1000] [--rounds 3] [--noise-mm 10] [--kinds smpl smplh smplx] [--json]

The models are made up, in the makers' file formats and sizes (tests/support/smpl_files.py), and both programs read the
same files. A random movement of one person of random shape is given to both, as it is and with noise on every point;
both find ten coefficients of shape for the clip, and pose and place for every frame.

What goes in differs. ``fit_smpl`` gets the joints alone, as a motion capture has them. smplfitter cannot do without
vertices: it gets the joints and every seventh vertex, or (much slower) the whole surface, with the shape shared over
the clip and three iterations, which its documentation recommends; in batches of 256 frames, so that the first 256 tell
its speed. Its error at the joints is not ours to beat, and is told for what it is: 0 is the truth.

All take turns, after one round that does not count; medians are told. Frames per second are told by the clock, with the
threads that each takes, and by processor time, which stays what it is on a busy machine. The error is the mean distance
of the fitted joints from the true ones.

smplfitter is no dependency of mocap3d: ``pip install smplfitter`` (and mocap3d[torch]) brings it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _common import Figure, json_line, machine, peak_memory_mib, progress, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from smpl_files import body_arrays, moving, write_npz, write_pkl

from mocap3d.base.pose import Pose3D
from mocap3d.motion.smpl import fit_smpl, read_smpl_model, smpl_joints_m, smpl_vertices_m

SHAPES = 10
BATCH = 256
EVERY = 7
ROWS = {
    "ours": "`fit_smpl`, joints alone",
    "ours, noisy": "`fit_smpl`, joints alone, {noise}",
    "part": "smplfitter, joints and every seventh vertex",
    "part, noisy": "smplfitter, joints and every seventh vertex, {noise}",
    "surface": "smplfitter, joints and all vertices",
}
NAMES = {"smpl": "SMPL", "smplh": "SMPL-H", "smplx": "SMPL-X"}
FILES = {
    "smpl": "smpl/basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
    "smplh": "smplh16/neutral/model.npz",
    "smplx": "smplx/SMPLX_NEUTRAL.npz",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if our joints are farther than 2 mm from the truth although there was no noise."""
    options = parsed(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = {kind: measured(kind, Path(folder), options) for kind in options.kinds}
    print(f"{machine()}; peak memory of both {peak_memory_mib():.0f} MiB\n")
    print(report(found, options))
    if options.json:
        print(json_line("smpl", [figure for kind, each in found.items() for figure in figures(kind, each)]))
    return 0 if max(each["ours"].worst_mm for each in found.values()) <= 2 else 1


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--noise-mm", type=float, default=10.0, help="standard deviation per axis, of all noisy points")
    parser.add_argument("--kinds", nargs="+", choices=list(FILES), default=list(FILES))
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One program on one input.

    Attributes:
        fps: frames per second by the clock.
        fps_cpu: frames per second of processor time.
        mean_mm: distance of the fitted joints from the true ones.
        worst_mm: the largest of them.
    """

    fps: float
    fps_cpu: float
    mean_mm: float
    worst_mm: float


def measured(kind: str, folder: Path, options: argparse.Namespace) -> dict[str, Measured]:
    """Both programs on one model, by the keys of ``ROWS``."""
    progress(f"{kind}: making the model and a movement")
    path = folder / FILES[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    write = write_pkl if kind == "smpl" else write_npz
    write(path, body_arrays(kind))
    np.save(folder / FILES[kind].split("/")[0] / "kid_template.npy", np.zeros(3))  # none; smplfitter asks for the file
    model = read_smpl_model(path, betas=SHAPES, surface=True)
    truth = moving(model, frames=options.frames)
    joints_m = smpl_joints_m(truth, model)
    some = replace(truth, poses_rotvec=truth.poses_rotvec[:BATCH], trans_m=truth.trans_m[:BATCH])
    vertices_m = smpl_vertices_m(some, model).astype(np.float32)
    rng, noise_m = np.random.default_rng(1), options.noise_mm / 1000
    noisy_m = joints_m + rng.normal(size=joints_m.shape) * noise_m
    rough_m = vertices_m + rng.standard_normal(vertices_m.shape, dtype=np.float32) * np.float32(noise_m)

    def ours(xyz_m: Any, std_m: float) -> Callable[[], Any]:
        pose = shown(xyz_m, model.skeleton, std_m)
        return lambda: smpl_joints_m(fit_smpl(pose, model), model)

    part = slice(None, None, EVERY)
    steps = {
        "ours": ours(joints_m, 0.0),
        "ours, noisy": ours(noisy_m, noise_m),
        "part": smplfitter(folder, kind, joints_m[:BATCH], vertices_m, part),
        "part, noisy": smplfitter(folder, kind, noisy_m[:BATCH], rough_m, part),
        "surface": smplfitter(folder, kind, joints_m[:BATCH], vertices_m, slice(None)),
    }
    found = {}
    for name, (clock, processor, fitted_m) in in_turns(steps, options.rounds, kind).items():
        error_mm = np.linalg.norm(fitted_m - joints_m[: len(fitted_m)], axis=-1) * 1000
        speeds = (len(fitted_m) / seconds for seconds in (clock, processor))
        found[name] = Measured(
            **dict(zip(("fps", "fps_cpu"), speeds, strict=True)),
            mean_mm=float(error_mm.mean()),
            worst_mm=float(error_mm.max()),
        )
    return found


def report(found: Mapping[str, Mapping[str, Measured]], options: argparse.Namespace) -> str:
    """A Markdown table: what goes in down, models across, in three parts."""
    rows = []
    for what, text in (
        ("fps", "frames/s: {}"),
        ("fps_cpu", "frames/s of processor time: {}"),
        ("mean_mm", "error in mm: {}"),
    ):
        digits = 2 if what == "mean_mm" else 0
        for key, label in ROWS.items():
            label = text.format(label.format(noise=f"{options.noise_mm / 10:g} cm noise"))
            rows.append([label, *(f"{getattr(each[key], what):.{digits}f}" for each in found.values())])
    return table(["", *(NAMES[kind] for kind in found)], rows)


def figures(kind: str, found: Mapping[str, Measured]) -> list[Figure]:
    """What the JSON line compares: ours with the faster of the other's ways."""
    compared = []
    for mark, noise in (("", ""), ("_noisy", ", noisy")):
        ours, theirs = found[f"ours{noise}"], found[f"part{noise}"]
        for key in ("fps", "fps_cpu"):
            pair = {"ours": getattr(ours, key), "against": getattr(theirs, key)}
            compared.append(Figure(key=f"{kind}{mark}_{key}", **pair, higher_is_better=True))
        compared.append(Figure(key=f"{kind}{mark}_mm", ours=max(ours.mean_mm, 1e-3), against=theirs.mean_mm))
    return compared


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
