"""How far are lifted joints from the truth, on people whom the lifter has never seen, beside a constant mean pose?

    python benchmarks/lifter.py cmu.h5 [--weights FILE] [--joints] [--json]

``cmu.h5`` comes from ``mocap3d data prepare cmu``. The held-out people (CMU subjects 02 and 05) are seen by four fixed
virtual cameras at 30 frames per second; 20 joints, the root counted and at the origin in both. From true 2D, from a
simulated detector, and from the same detector when the picture ends at hips or knees (joints above the pelvis only).
Needs the extra mocap3d[train].
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.lift.lifter_weights import LifterWeights, load_weights
from mocap3d.lift.temporal import run_lifter
from mocap3d.quality.pose3d import mpjpe_m, p_mpjpe_m
from mocap3d.train.lifter_data import ExampleSettings, MotionBank
from mocap3d.train.lifter_eval import MeanPose, View, held_out_views, joints_of, measure
from mocap3d.train.lifter_settings import CMU_HELD_OUT, CMU_TRAINING
from mocap3d.train.noise import NoiseSettings

BELOW = ("pelvis", "hip", "knee", "ankle", "toe")
ABOVE = [j for j, name in enumerate(LIFTER_20.joint_names) if not name.endswith(BELOW)]
ALL = list(range(len(LIFTER_20)))
WHOLE = NoiseSettings(cut_off=0.0)
CASES = {
    "true 2D": (None, ALL),
    "simulated detector": (WHOLE, ALL),
    "upper body only": (replace(WHOLE, cut_off=1.0), ABOVE),
}
"""Name -> (the detector, the joints that are measured)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="motion-data file with CMU subjects")
    parser.add_argument("--weights", type=Path, help="a lifter (default: the shipped one)")
    parser.add_argument("--joints", action="store_true", help="also print every joint")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    weights = load_weights(options.weights)
    learned_from = MotionBank.read(options.data, frozenset(CMU_TRAINING))
    constant = MeanPose.of(held_out_views(learned_from, seen_as(weights, None)))
    rows, figures = [], []
    for subjects in (*((subject,) for subject in CMU_HELD_OUT), CMU_HELD_OUT):
        bank = MotionBank.read(options.data, frozenset(subjects))
        for case, (noise, joints) in CASES.items():
            progress(f"{' '.join(subjects)}: {case}")
            found = scores(held_out_views(bank, seen_as(weights, noise)), weights, constant, joints)
            rows.append([f"{' '.join(subjects)}, {case}", *(f"{1000 * value:.1f}" for value in found)])
            if len(subjects) > 1:
                key = case.replace(" ", "_")
                figures.append(Figure(key=f"mpjpe_mm_{key}", ours=1000 * found[0], against=1000 * found[2]))
                figures.append(Figure(key=f"p_mpjpe_mm_{key}", ours=1000 * found[1], against=1000 * found[3]))
    print(table(["mm", "MPJPE", "P-MPJPE", "mean pose MPJPE", "mean pose P-MPJPE"], rows))
    if options.joints:
        print("\n" + joint_table(options.data, weights))
    if options.json:
        print(json_line("lifter", figures))
    return 0


def seen_as(weights: LifterWeights, noise: NoiseSettings | None) -> ExampleSettings:
    """The points, frame rate and encoding that a lifter wants, through this detector."""
    meta = weights.meta
    return ExampleSettings(
        fps=int(meta.fps), points=meta.input_skeleton, joints=meta.output_skeleton, encoding=meta.encoding, noise=noise
    )


def scores(
    views: list[View], weights: LifterWeights, constant: MeanPose, joints: list[int]
) -> tuple[float, float, float, float]:
    """MPJPE and P-MPJPE of the lifter, then of the constant poses, metres."""
    lifted = np.concatenate([joints_of(run_lifter(weights, view.features), view.settings) for view in views])
    truth = np.concatenate([view.truth_m for view in views])
    ours = mpjpe_m(lifted[:, joints], truth[:, joints]), p_mpjpe_m(lifted[:, joints], truth[:, joints])
    return *ours, *constant.errors_m(truth, joints)


def joint_table(data: Path, weights: LifterWeights) -> str:
    """Both people, every joint: from true 2D and from the simulated detector."""
    bank = MotionBank.read(data, frozenset(CMU_HELD_OUT))
    views = [held_out_views(bank, seen_as(weights, noise)) for noise in (None, WHOLE)]
    measured = [measure(part, lambda features: run_lifter(weights, features)) for part in views]
    rows = [
        [name.replace("_", " "), *(f"{1000 * part[kind][name]:.0f}" for part in measured for kind in KINDS)]
        for name in LIFTER_20.joint_names
    ]
    return table(["mm", "true 2D, MPJPE", "P-MPJPE", "simulated detector, MPJPE", "P-MPJPE"], rows)


KINDS = ("mpjpe_by_joint_m", "p_mpjpe_by_joint_m")

if __name__ == "__main__":
    raise SystemExit(main())
