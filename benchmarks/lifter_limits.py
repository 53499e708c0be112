"""Where does a lifter stop being good: missing and unsure joints, other frame rates, other lenses, half a body?

    python benchmarks/lifter_limits.py cmu.h5 [--weights FILE] [--subjects "02 05"] [--seconds 10] [--only rates] ..

``cmu.h5`` comes from ``mocap3d data prepare cmu``; a file of Human3.6M does as well (`--subjects "S9 S11"`), prepared
with lifter-20 joints for weights that take coco-17 points. People whom the lifter has never seen, true 2D of virtual
cameras, the root at the origin in both and counted. Every table changes one thing and nothing else, at the lifter's own
frame rate where the rate is not that thing. Errors are MPJPE in millimetres in the camera's axes, unless the column
says otherwise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from mocap3d.data_prep.motion_read import read_sequences
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.skeleton import Skeleton
from mocap3d.base.skeletons import COCO_17, LIFTER_20
from mocap3d.identify.repair import fill_gaps
from mocap3d.lift.lifter_weights import LifterWeights, load_weights
from mocap3d.lift.monocular import lift_pose2d
from mocap3d.quality.pose3d import joint_errors_m, procrustes_aligned_m, velocity_errors_m
from mocap3d.train.body import coco_points
from mocap3d.train.reserved import refuse_reserved
from mocap3d.train.virtual_cameras import look_at

Floats = NDArray[np.float64]

DROPPED = (0.0, 0.1, 0.2, 0.3, 0.5)
SURE = (1.0, 0.9, 0.7, 0.5, 0.3)
NTSC = Fraction(1000, 1001)
RATES = tuple(map(Fraction, (15, 24 * NTSC, 25, 30, 50, 60 * NTSC, 60, 120)))
COMMON_FPS = 5  # of the instants that all of RATES meet, those of NTSC to the nearest frame
FOVS_DEG = (40.0, 60.0, 90.0)
OFF_DEG = 15.0
PROMISE = 1.25  # growth of the error when 30 % of the joints are missing
# Case -> for how long a joint is missing (0: drawn anew in each frame), and whether capture's repair bridges the gaps.
CASES = {"frame by frame": (0.0, False), "the same, bridged": (0.0, True), "0.5 s at a time, bridged": (0.5, True)}
PROMISED = {"missing_30_mm": "frame by frame", "missing_30_bridged_mm": "the same, bridged"}
LEGS = ("pelvis", "hip", "knee", "ankle", "toe")
ARMS, HEAD = ("shoulder", "elbow", "wrist"), ("neck", "head", "face")
# azimuth in degrees and height in metres of the cameras, and their roll in radians
CAMERAS = ((20.0, 1.5, 0.0), (110.0, 0.6, 0.15), (200.0, 2.5, -0.15), (290.0, 1.2, 0.05))
SIZE = (1280, 720)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take:
    """One recorded sequence, as the lifter's input and output skeletons have it.

    Attributes:
        joints_m: (T, J, 3) of the lifter's output skeleton, world; the root first.
        points_m: (T, P, 3) of its input skeleton.
        fps: frames per second.
    """

    joints_m: Floats
    points_m: Floats
    fps: Fraction

    def at_rate(self, fps: Fraction) -> Take:
        """The same motion at another rate, by cubic splines."""
        if fps == self.fps:
            return self
        times = np.arange(len(self.joints_m)) / float(self.fps)
        wanted = np.arange(0, times[-1] + 1e-9, 1 / float(fps))
        joints, points = (CubicSpline(times, values, axis=0)(wanted) for values in (self.joints_m, self.points_m))
        return Take(joints_m=joints, points_m=points, fps=fps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lifted:
    """Joints around the root in the camera's axes, found and true, of one take and camera."""

    found_m: Floats
    true_m: Floats
    fps: Fraction


Change = Callable[[Pose2D], Pose2D]


def unchanged(pose2d: Pose2D) -> Pose2D:
    """As it is."""
    return pose2d


# --- the people -------------------------------------------------------------------------------------------------------


def takes_of(data: Path, subjects: Sequence[str], weights: LifterWeights, seconds: float) -> list[Take]:
    """The middle of each sequence of the subjects.

    Raises:
        InputError: subjects that are reserved or not there, or joints from which the lifter's input cannot be made.
    """
    refuse_reserved(subjects)
    points, joints = weights.meta.skeletons
    takes = []
    for sequence in read_sequences(data, frozenset(subjects)):
        frames = min(len(sequence.xyz_m), round(seconds * sequence.fps))
        first = (len(sequence.xyz_m) - frames) // 2
        body_m = sequence.xyz_m[first : first + frames].astype(np.float64)
        if frames > 1 and np.isfinite(body_m).all():
            joints_m = body_m[:, [sequence.skeleton.index(name) for name in joints.joint_names]]
            takes.append(
                Take(joints_m=joints_m, points_m=seen_points(body_m, sequence.skeleton, points), fps=sequence.fps)
            )
    if not takes:
        raise InputError(f"{data} has no complete sequences of {' '.join(subjects)}")
    return takes


def seen_points(body_m: Floats, body: Skeleton, points: Skeleton) -> Floats:
    """What a detector of one skeleton marks on a body given by another."""
    if points.name == body.name:
        return body_m
    if points == COCO_17 and body == LIFTER_20:
        return coco_points(body_m).xyz_m.astype(np.float64)
    raise InputError(
        f"these weights take {points.name} points, which cannot be made from {body.name} joints; "
        "prepare the data with lifter-20 joints for weights that take coco-17"
    )


# --- the cameras ------------------------------------------------------------------------------------------------------


def standing_cameras(take: Take) -> Iterator[tuple[Camera, Floats]]:
    """Four cameras that stand beside the path, far enough not to be run over; and the shift of each frame: none."""
    middle = take.joints_m[:, 0].mean(axis=0)
    radius = np.linalg.norm((take.joints_m[:, 0] - middle)[:, [0, 2]], axis=-1).max()
    for azimuth_deg, height_m, roll in CAMERAS:
        yield camera_at(middle, azimuth_deg, height_m, max(4.0, radius + 2.5), roll), np.zeros((1, 1, 3))


def dolly_cameras(take: Take, fov_deg: float, aside: float) -> Iterator[tuple[Camera, Floats]]:
    """Four cameras on rails that keep the person as large in the picture as 60 degrees do from 4 m.

    Args:
        take: the person, who is shifted under the camera instead (the same, seen from the rails).
        fov_deg: of the longer side.
        aside: where the person stands, from 0, in the middle of the picture, to 1, at the left edge.
    """
    distance_m = 4.0 * np.tan(np.radians(30)) / np.tan(np.radians(fov_deg / 2))
    pelvis = take.joints_m[:, :1]
    middle = np.array([0.0, pelvis[..., 1].mean(), 0.0])
    yaw = np.arctan(aside * np.tan(np.radians(fov_deg / 2)))
    for azimuth_deg, height_m, roll in CAMERAS:
        camera = camera_at(middle, azimuth_deg, height_m, distance_m, roll, fov_deg)
        turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        pose = camera.cam_from_world.copy()
        pose[:3] = turn @ pose[:3]
        yield replace(camera, cam_from_world=pose), -pelvis * [1.0, 0.0, 1.0]


def camera_at(
    middle: Floats, azimuth_deg: float, height_m: float, distance_m: float, roll: float, fov_deg: float = 60.0
) -> Camera:
    """A camera that looks at a point from so far along the floor."""
    azimuth = np.radians(azimuth_deg)
    position = middle + distance_m * np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
    position[1] = height_m
    pose = look_at(position[None], middle[None], np.array([roll]))[0]
    return replace(Camera.from_fov("virtual", SIZE, fov_deg), cam_from_world=pose.astype(np.float64))


# --- lifting ----------------------------------------------------------------------------------------------------------


def lift(
    take: Take, camera: Camera, shift_m: Floats, weights: LifterWeights, *, change: Change = unchanged,
    stated: Camera | None = None,
) -> Lifted:  # fmt: skip
    """See a take by a camera and lift what is seen.

    Args:
        take: the person.
        camera: through which the person is seen.
        shift_m: (T or 1, 1, 3) by which the person is moved first.
        weights: the lifter.
        change: what happens to the 2D joints.
        stated: the lens that the lifter is told; the true one when None.
    """
    xy_px, in_front = project(camera, take.points_m + shift_m)
    points = weights.meta.skeletons[0]
    seen = change(Pose2D(xy_px=xy_px, confidence=in_front.astype(np.float64), fps=take.fps, skeleton=points))
    found = lift_pose2d(seen, stated or camera, weights=weights, height_m=weights.meta.stature_m).xyz_m
    true = take.joints_m @ camera.cam_from_world[:3, :3].T
    return Lifted(found_m=found - found[:, :1], true_m=true - true[:, :1], fps=take.fps)


def standing(takes: list[Take], weights: LifterWeights, change: Change = unchanged) -> list[Lifted]:
    """Everybody, seen by the four standing cameras."""
    return [lift(take, *seen, weights, change=change) for take in takes for seen in standing_cameras(take)]


def mpjpe_mm(results: list[Lifted], joints: list[int] | None = None) -> float:
    """Mean over all frames of all results, over some of the joints (None: all)."""
    chosen = slice(None) if joints is None else joints
    return 1000 * float(
        np.concatenate([joint_errors_m(r.found_m, r.true_m)[:, chosen].ravel() for r in results]).mean()
    )


def p_mpjpe_mm(results: list[Lifted]) -> float:
    """The same after the best rotation, translation and scale of each frame."""
    aligned = [joint_errors_m(procrustes_aligned_m(r.found_m, r.true_m), r.true_m) for r in results]
    return 1000 * float(np.concatenate(aligned).mean())


# --- the tables -------------------------------------------------------------------------------------------------------


def missing_joints(takes: list[Take], weights: LifterWeights) -> tuple[str, list[Figure]]:
    """2D joints dropped at random, frame by frame or for half a second at a time; gaps left or bridged."""
    errors: dict[tuple[float, str], float] = {}
    for share in DROPPED:
        for case, (seconds, bridged) in CASES.items():
            progress(f"missing joints: {share:.0%}, {case}")
            rng = np.random.default_rng(20260000)
            drop = partial(dropped, rng=rng, share=share, seconds=seconds)
            change = (lambda pose2d, drop=drop: fill_gaps(drop(pose2d))) if bridged else drop
            errors[share, case] = mpjpe_mm(standing(takes, weights, change))
    rows = []
    for share in DROPPED:
        growth = {case: errors[share, case] / errors[0.0, case] - 1 for case in CASES}
        rows.append([f"{share:.0%}", *(f"{errors[share, case]:.1f} ({growth[case]:+.1%})" for case in CASES)])
    kept = [
        Figure(key=key, ours=errors[0.3, case], against=PROMISE * errors[0.0, case]) for key, case in PROMISED.items()
    ]
    return table(["2D joints missing", *(f"{case}, mm" for case in CASES)], rows), kept


def dropped(pose2d: Pose2D, *, rng: np.random.Generator, share: float, seconds: float) -> Pose2D:
    """Make a share of the joints unseen, for so long at a time (0: every frame is drawn by itself)."""
    run = max(1, round(seconds * pose2d.fps))
    blocks = rng.random((len(pose2d) // run + 2, len(pose2d.skeleton))) < share
    start = rng.integers(run)
    unseen = np.repeat(blocks, run, axis=0)[start : start + len(pose2d)]
    return without(pose2d, unseen)


def without(pose2d: Pose2D, unseen: NDArray[np.bool_]) -> Pose2D:
    """Take joints (T, P) out of a pose."""
    xy_px = np.where(unseen[..., None], np.nan, pose2d.xy_px)
    return replace(pose2d, xy_px=xy_px, confidence=np.where(unseen, 0.0, pose2d.confidence))


def low_confidence(takes: list[Take], weights: LifterWeights) -> tuple[str, list[Figure]]:
    """True 2D of which the detector is less and less sure: joints stay where they were, and so should the body."""
    rows, errors = [], {}
    for sure in SURE:
        progress(f"confidence {sure:g}")
        errors[sure] = mpjpe_mm(standing(takes, weights, partial(less_sure, sure=sure)))
        rows.append([f"{sure:g}", f"{errors[sure]:.1f}", f"{errors[sure] / errors[SURE[0]] - 1:+.1%}"])
    against = PROMISE * errors[SURE[0]]
    figures = [Figure(key=f"confidence_{100 * sure:.0f}_mm", ours=errors[sure], against=against) for sure in SURE[1:]]
    return table(["confidence of every joint", "mm", "growth"], rows), figures


def less_sure(pose2d: Pose2D, *, sure: float) -> Pose2D:
    """The same joints with another confidence."""
    return replace(pose2d, confidence=np.where(pose2d.confidence > 0, sure, 0.0))


def frame_rates(takes: list[Take], weights: LifterWeights) -> tuple[str, list[Figure]]:
    """The same motion filmed at several rates, compared at instants that all of them meet."""
    native = weights.meta.fps
    rows, errors = [], {}
    for rate in sorted({*RATES, native}):
        progress(f"frame rate: {label(rate)}")
        results = standing([take.at_rate(rate) for take in takes], weights)
        at = [at_instants(len(r.found_m), rate) for r in results]
        met = [replace(r, found_m=r.found_m[n], true_m=r.true_m[n]) for r, n in zip(results, at, strict=True)]
        errors[rate] = mpjpe_mm(met)
        velocity = np.concatenate([velocity_errors_m(r.found_m, r.true_m, r.fps).ravel() for r in results])
        name = f"{label(rate)} (native)" if rate == native else label(rate)
        rows.append([name, f"{errors[rate]:.1f}", f"{mpjpe_mm(results):.1f}", f"{1000 * velocity.mean():.2f}"])
    head = ["frames/s", f"at the same instants ({COMMON_FPS} Hz), mm", "all frames, mm", "MPJVE, mm/frame at 50 Hz"]
    return table(head, rows), [Figure(key=f"fps_{label(r)}_mm", ours=errors[r], against=errors[native]) for r in RATES]


def label(rate: Fraction) -> str:
    """A rate as people say it: 25, 23.976."""
    return f"{float(rate):.5g}"


def at_instants(frames: int, rate: Fraction) -> NDArray[np.int64]:
    """Which frames of a clip are the nearest to its instants at `COMMON_FPS`."""
    nearest = np.array([round(n * rate / COMMON_FPS) for n in range(math.ceil(frames * COMMON_FPS / rate))])
    return nearest[nearest < frames]


def lenses(takes: list[Take], weights: LifterWeights) -> tuple[str, list[Figure]]:
    """The camera comes nearer as its lens gets wider, so that the person stays as large; then a wrong lens is told."""
    rows, figures = [], []
    for aside, where in ((0.0, "middle"), (0.6, "off-axis")):
        for fov in FOVS_DEG:
            progress(f"lens: {fov:g} degrees, {where}")
            lenses_told = {fov, fov - OFF_DEG, fov + OFF_DEG, 60.0}
            told = {degrees: through(takes, weights, fov, aside, degrees) for degrees in lenses_told}
            right = told[fov]
            cells = [
                mpjpe_mm(right),
                p_mpjpe_mm(right),
                *(mpjpe_mm(told[s]) for s in (fov - OFF_DEG, fov + OFF_DEG, 60.0)),
            ]
            rows.append([f"{fov:g}°, {where}", *(f"{cell:.1f}" for cell in cells)])
            if fov != 60:
                key = f"lens_{fov:g}_{where.replace('-', '_')}_mm"
                figures.append(Figure(key=key, ours=cells[0], against=cells[4]))
    head = [
        "field of view, person",
        "true lens told, mm",
        "P-MPJPE, mm",
        "told 15° less",
        "told 15° more",
        "always told 60°",
    ]
    return table(head, rows), figures


def through(takes: list[Take], weights: LifterWeights, fov_deg: float, aside: float, stated_deg: float) -> list[Lifted]:
    """Everybody, through a lens of one field of view while the lifter is told another."""
    stated = Camera.from_fov("stated", SIZE, stated_deg)
    return [lift(take, *seen, weights, stated=stated) for take in takes for seen in dolly_cameras(take, fov_deg, aside)]


def upper_body(takes: list[Take], weights: LifterWeights) -> tuple[str, list[Figure]]:
    """Hips and everything below are never seen: how are arms and head, beside the best constant pose?"""
    points, joints = weights.meta.skeletons
    below = np.array([name.endswith(LEGS) for name in points.joint_names])
    progress("upper body only")
    whole, upper = standing(takes, weights), standing(takes, weights, lambda p: without(p, np.tile(below, (len(p), 1))))
    best = mean_pose(whole)
    constant = [replace(r, found_m=np.broadcast_to(best, r.true_m.shape)) for r in whole]
    shoulders = [joints.index("left_shoulder"), joints.index("right_shoulder")]
    rows, figures = [], []
    for key, names in (("arms", ARMS), ("head", HEAD), ("both", (*ARMS, *HEAD))):
        chosen = [j for j, name in enumerate(joints.joint_names) if name.endswith(names)]
        pelvis = [mpjpe_mm(results, chosen) for results in (whole, upper, constant)]
        own = [mpjpe_mm([around(r, shoulders) for r in results], chosen) for results in (whole, upper, constant)]
        rows.append([key, *(f"{value:.1f}" for value in (*pelvis, *own))])
        figures.append(Figure(key=f"upper_{key}_mm", ours=own[1], against=own[2]))
    head = ["joints", "whole body seen, mm", "upper body only", "constant pose"]
    around_shoulders = ["around the shoulders: whole body seen", "upper body only", "constant pose"]
    return table([*head, *around_shoulders], rows), figures


def mean_pose(results: list[Lifted]) -> Floats:
    """The constant (J, 3) nearest to the truth of these very clips: what a lifter must beat that knows nothing."""
    return np.asarray(np.concatenate([result.true_m for result in results]).mean(axis=0))


def around(result: Lifted, joints: list[int]) -> Lifted:
    """The same joints around the middle of some of them."""
    found, true = result.found_m, result.true_m
    middle_found, middle_true = found[:, joints].mean(axis=1), true[:, joints].mean(axis=1)
    return replace(result, found_m=found - middle_found[:, None], true_m=true - middle_true[:, None])


TABLES = {
    "missing": ("Missing joints", missing_joints),
    "confidence": ("Low confidence", low_confidence),
    "rates": ("Frame rates", frame_rates),
    "lenses": ("Lenses", lenses),
    "upper": ("Upper body only", upper_body),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="motion-data file")
    parser.add_argument("--weights", type=Path, help="a lifter (default: the shipped one)")
    parser.add_argument("--subjects", default="02 05", help="who, separated by blanks (default: those of CMU held out)")
    parser.add_argument("--seconds", type=float, default=10.0, help="so much of the middle of each sequence")
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    weights = load_weights(options.weights)
    takes = takes_of(options.data, options.subjects.split(), weights, options.seconds)
    minutes = sum(len(take.joints_m) / float(take.fps) for take in takes) / 60
    print(f"{len(takes)} sequences of {options.subjects}, {minutes:.1f} minutes, four cameras, true 2D.\n")
    figures: list[Figure] = []
    native = [take.at_rate(weights.meta.fps) for take in takes]
    for name in TABLES if options.only is None else [options.only]:
        title, measure = TABLES[name]
        text, found = measure(takes if measure is frame_rates else native, weights)
        print(f"### {title}\n\n{text}\n", flush=True)
        figures += found
    if options.json:
        print(json_line("lifter_limits", figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
