"""What MoveNet gets wrong in real videos, and whether the detector that training simulates gets as much wrong.

    python benchmarks/detector_noise.py [--data DIR] [VIDEO_OR_FOLDER ...] [--cache DIR] [-o FIT.json] [--json]

Each video is compared with its own smoothed track; a folder of several calibrated views with points that the views
agree on. Without any path: the folders of views in the data folder, and the demo clip.

Three tables: the figures of each joint, how often things happen (measured, and what `NoiseSettings` has), and how far
off detections are, measured beside simulated. ``--json`` compares that distance with white noise of the same size,
which is what people would use instead: the mean of |log(simulated / measured)| over the quantiles of the third table.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import Figure, json_line, table
from _noise_clips import residuals_of
from numpy.typing import NDArray

from mocap3d import examples
from mocap3d.base.skeletons import COCO_17
from mocap3d.train.fit_noise import NoiseFit, fit_noise
from mocap3d.train.noise import FPS, LEAST_CONFIDENCE, PART_OF_JOINT, PARTS, NoiseSettings, simulate_detector
from mocap3d.train.noise_residuals import Residuals

Floats = NDArray[np.float64]

VIEWS = ("multiview_pose2sim", "charuco_caliscope")
GROUPS = {
    "face": ("nose", "eye", "ear"),
    "shoulders, hips": ("shoulder", "hip"),
    "elbows, knees": ("elbow", "knee"),
    "wrists, ankles": ("wrist", "ankle"),
}
QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95)
WHITE = {"white": 1.0, "doubt": 0.0, "outlier": 0.0, "swapped": 0.0, "hidden": 0.0, "occluded": 0.0, "lost": 0.0}
CLIPS, SECONDS = 240, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="videos, or folders of views")
    data = os.environ.get("MOCAP3D_DATA")
    parser.add_argument("--data", type=Path, default=data, help="the folder of real recordings; else $MOCAP3D_DATA")
    parser.add_argument("--cache", type=Path, help="folder for the detected joints, so that a second run is quick")
    parser.add_argument("-o", "--output", type=Path, help="JSON file for the fit")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    paths = options.paths or _usual_paths(options.data)
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        print(f"there is no {', '.join(missing)}; --data or MOCAP3D_DATA names the data folder", file=sys.stderr)
        return 2
    clips = [clip for path in paths for clip in residuals_of(path, options.cache)]
    fit = fit_noise(clips)
    simulated = simulated_clips(NoiseSettings(cut_off=0.0))
    independent = [clip for clip in clips if clip.smoothed_hz is None]
    print(f"{len(fit.clips)} persons in views, {fit.frames} frames\n")
    print(f"{joint_table(fit)}\n\n{event_table(fit)}\n\n{quantile_table(independent, simulated)}")
    if options.output:
        options.output.write_text(json.dumps(dataclasses.asdict(fit), indent=1) + "\n")
    if options.json:
        print(json_line("detector_noise", figures(independent, simulated)))
    return 0


def _usual_paths(data: Path | None) -> list[Path]:
    folder = data or Path("DATA")
    return [*(folder / name for name in VIEWS), examples.path("walk.mp4")]


def simulated_clips(settings: NoiseSettings, clips: int | None = None, seed: int = 0) -> list[Residuals]:
    """What the simulated detector gets wrong about people who stand still, half of them with their backs to us."""
    rng = np.random.default_rng(seed)
    clips, frames, joints = clips or CLIPS, SECONDS * FPS, len(COCO_17)
    side = np.array([name.startswith("left") - name.startswith("right") for name in COCO_17.joint_names])
    body_m = np.stack([0.2 * side, np.array([0.0, 0.0, 0.0, 0.25, 0.5, 0.7, 0.65, 1.05, 1.4])[PART_OF_JOINT]], axis=-1)
    xy = np.broadcast_to(body_m, (clips, frames, joints, 2)).astype(np.float32)
    away = np.zeros((clips, frames, joints), dtype=bool)
    away[::2, :, :3] = True
    seen, confidence = simulate_detector(rng, xy, np.ones((clips, frames), np.float32), away, settings)
    partner_m = np.repeat((body_m[list(COCO_17.mirror)] - body_m)[None], frames, axis=0)
    return [
        Residuals(
            name=str(n),
            error_m=(seen[n] - xy[n]).astype(np.float64),
            confidence=confidence[n].astype(np.float64),
            partner_m=partner_m,
            turned_away=away[n],
            fps=float(FPS),
        )
        for n in range(clips)
    ]


def joint_table(fit: NoiseFit) -> str:
    """What was measured of each joint; millimetres at a body of 1.70 m."""
    head = ["", "std", "std, smoothed", "constant", "confidence"]
    rows = [
        [
            part,
            *(f"{1000 * values[n]:.1f}" for values in (fit.std_m, fit.std_smoothed_m, fit.bias_m)),
            f"{fit.confidence[n]:.2f}",
        ]
        for n, part in enumerate(PARTS)
    ]
    return table(head, rows)


def event_table(fit: NoiseFit) -> str:
    """Everything that is not of one joint; measured, and in the defaults of `NoiseSettings`."""
    ours = NoiseSettings()
    rows = [
        ["white share of the variance", f"{fit.white:.3f}", f"{ours.white:.3f}"],
        ["time constant of the rest, s", _span(fit.slow_s), _span(ours.slow_s)],
        ["error of a clip, relative", _span(fit.level), _span(ours.level)],
        ["growth of log(error) with doubt", f"{fit.doubt:.2f}", f"{ours.doubt:.2f}"],
        ["std of confidence, clip and frame", _span(fit.confidence_std), _span(ours.confidence_std)],
        ["confidence of a face turned away", f"{fit.confidence_turned_away:.2f}", "follows"],
        ["frames without the person, %", f"{100 * fit.missed:.1f}", "none"],
        ["outlier, std in mm", f"{1000 * fit.outlier_m:.0f}", f"{1000 * ours.outlier_m:.0f}"],
    ]
    for name, default in (
        ("outlier", f"{ours.outlier:.2f}"),
        ("lost", f"{ours.lost:.2f} and doubt"),
        ("hidden", f"{ours.hidden:.2f}"),
        ("swapped", f"{ours.swapped:.2f}"),
    ):
        events = getattr(fit, name)
        rows.append(
            [f"{name}, per 35 frames", f"{events.rate:.2f} ({events.count}, {events.frames:.1f} long)", default]
        )
    return table(["", "measured", "simulated"], rows)


def _span(values: tuple[float, float]) -> str:
    return f"{values[0]:.2f} {values[1]:.2f}"


def quantile_table(measured: Sequence[Residuals], simulated: Sequence[Residuals]) -> str:
    """Measured / simulated quantiles."""
    rows = []
    for group in GROUPS:
        for what, unit in (("off", 1000), ("step", 1000), ("confidence", 1)):
            pairs = zip(quantiles(measured, group, what), quantiles(simulated, group, what), strict=True)
            digits = 0 if unit == 1000 else 2
            cells = [f"{unit * real:.{digits}f} / {unit * ours:.{digits}f}" for real, ours in pairs]
            rows.append([f"{group}: {what}{', mm' if unit == 1000 else ''}", *cells])
    return table(["measured / simulated", *(f"{100 * q:.0f} %" for q in QUANTILES)], rows)


def quantiles(clips: Sequence[Residuals], group: str, what: str) -> Floats:
    """Quantiles over all frames and clips of a group of joints.

    "off": distance from the clip's mean error, metres; "step": how much the error changes from one frame to the next at
    30 frames/s; "confidence".
    """
    joints = np.isin(PART_OF_JOINT, [PARTS.index(part) for part in GROUPS[group]])
    values = []
    for clip in clips:
        step = max(1, round(clip.fps / FPS))
        confidence = clip.confidence[::step, joints]
        error_m = np.where((confidence >= LEAST_CONFIDENCE)[..., None], clip.error_m[::step, joints], np.nan)
        known = np.isfinite(error_m[..., 0]).any(axis=0)
        error_m, confidence = error_m[:, known], confidence[:, known]
        if what == "confidence":
            values.append(confidence[confidence > 0])
        elif what == "off":
            values.append(np.linalg.norm(error_m - np.nanmedian(error_m, axis=0), axis=-1).ravel())
        elif clip.fps > FPS / 2:
            values.append(np.linalg.norm(np.diff(error_m, axis=0), axis=-1).ravel())
    return np.asarray(np.nanquantile(np.concatenate(values), QUANTILES))


def figures(measured: Sequence[Residuals], simulated: Sequence[Residuals]) -> list[Figure]:
    """How far the quantiles are from the measured ones, for our noise and for white noise of the same size."""
    white = simulated_clips(NoiseSettings(cut_off=0.0, **WHITE))

    def apart(clips: Sequence[Residuals], what: str) -> float:
        ratios = [quantiles(clips, group, what) / quantiles(measured, group, what) for group in GROUPS]
        return float(np.abs(np.log(ratios)).mean())

    return [
        Figure(key=f"{what}_apart", ours=apart(simulated, what), against=apart(white, what)) for what in ("off", "step")
    ]


if __name__ == "__main__":
    sys.exit(main())
