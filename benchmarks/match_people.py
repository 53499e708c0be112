"""Who is who across cameras: identity switches, precision and recall, and time per frame on rigs whose truth is known.

    python benchmarks/match_people.py [--seeds 2] [--json]

People walk across each other's paths in front of 2 to 8 cameras that stand in a ring; their hips are never nearer than
30 cm, for two who walk through each other are the same to any camera in either order. Who is behind somebody is not
found; joints are noisy, wrong (anywhere within 300 px) or missing; now and then something that is nobody is found. Each
camera follows people by itself, as capturing does, and its tracks are what is matched.

Beside it: tracks matched once as they are, by the mean distance of their rays, best pairs first. That is as good as
the names that each camera gives, and does not repair them.

* switches: how often the name of a person changes from one frame to the next, per person and minute;
* precision: of all finds that were given a name, those whose name is that of the person;
* recall: of all finds of a person, those that were given their name.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mocap3d import Camera, Pose2D
from mocap3d.base.projection import px_to_rays
from mocap3d.identify.following import FollowSettings, follow
from mocap3d.identify.repair import drop_unsure, reject_outliers
from mocap3d.identify.views import match_people

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from rigs_of_cameras import pixels, ring, walkers

Floats = NDArray[np.float64]
People = Sequence[Sequence[Pose2D | None]]

FPS, SECONDS = 30, 4.0
BEHIND = 0.12  # of the height: who is nearer than this to somebody in front of them is hidden
HIPS = [11, 12]
ROOM_M = 0.3  # nobody walks through anybody
FALSE = 0.02  # finds of nobody per camera and frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table."""

    views: int = 4
    people: int = 2
    noise_px: float = 3.0
    outliers: float = 0.05
    missing: float = 0.05


CASES = (
    *(Case(views=views, people=people) for views in (2, 3, 4, 8) for people in (1, 2, 4)),
    *(Case(noise_px=noise_px) for noise_px in (0.0, 10.0)),
    *(Case(outliers=outliers) for outliers in (0.1, 0.3)),
    Case(missing=0.3),
    Case(people=4, noise_px=10.0, outliers=0.3, missing=0.1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What one camera finds in one frame; ``who`` is known to the scorer only, -1 is nobody."""

    xy_px: Floats
    confidence: Floats
    who: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Switches per person and minute, precision and recall in percent, milliseconds per frame."""

    switches: float
    precision: float
    recall: float
    ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Make rigs, match, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="rigs and noises per row")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    rows, figures = [], []
    for case in CASES:
        ours, theirs = measure(case, match_people, options.seeds), measure(case, tracks_as_they_are, options.seeds)
        progress(f"{case}: {ours.switches:.1f} switches")
        rows.append(
            [f"{case.views} views, {case.people} people", f"{case.noise_px:g} px", f"{case.outliers:.0%}"]
            + [f"{case.missing:.0%}", f"{ours.switches:.1f}", f"{theirs.switches:.1f}"]
            + [f"{ours.precision:.1f}", f"{theirs.precision:.1f}", f"{ours.recall:.1f}", f"{theirs.recall:.1f}"]
            + [f"{ours.ms:.1f}"]
        )
        key = f"{case.views}v_{case.people}p_{case.noise_px:g}px_{case.outliers:g}_{case.missing:g}"
        figures.append(Figure(key=f"recall_{key}", ours=ours.recall, against=theirs.recall, higher_is_better=True))
    head = ["case", "noise", "wrong", "missing", "switches", "(tracks)", "precision", "(tracks)", "recall", "(tracks)"]
    print(table([*head, "ms/frame"], rows))
    print("\nIn brackets: each camera's tracks matched once, as they are.")
    if options.json:
        print(json_line("match_people", figures))
    return 0


def measure(case: Case, match: Callable[..., People], seeds: int) -> Score:
    """Average over rigs."""
    scores = []
    for seed in range(seeds):
        cameras, frames = scene(case, seed)
        tracks = [tracks_of(seen, camera) for seen, camera in zip(frames, cameras, strict=True)]
        start = time.process_time()
        people = match(tracks, cameras)
        ms = 1000 * (time.process_time() - start) / len(frames[0])
        scores.append(score(people, frames, case.people, ms))
    return Score(
        **{
            name: float(np.mean([getattr(one, name) for one in scores]))
            for name in ("switches", "precision", "recall", "ms")
        }
    )


def scene(case: Case, seed: int) -> tuple[tuple[Camera, ...], list[list[Frame]]]:
    """A rig, and what each camera finds in each frame, in no order."""
    rng = np.random.default_rng(seed)
    cameras = ring(case.views, seed=seed)
    people = _placed(case.people, rng)
    while any(_nearest_m(a, b) < ROOM_M for a, b in combinations(people, 2)):
        people = _placed(case.people, rng)
    return cameras, [_seen(camera, np.stack(people), case, rng) for camera in cameras]


def _placed(count: int, rng: np.random.Generator) -> list[Floats]:
    """Walkers, each turned and moved anyhow."""
    people = []
    for xyz_m in walkers(count, seconds=SECONDS, fps=FPS, apart_m=rng.uniform(0.5, 1.0)):
        turn = rng.uniform(0, 2 * np.pi)
        upright = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        people.append(xyz_m @ upright.T + [rng.uniform(-0.7, 0.7), 0, rng.uniform(-0.7, 0.7)])
    return people


def _nearest_m(a: Floats, b: Floats) -> float:
    """How near the middles of two people's hips ever come."""
    return float(np.linalg.norm((a - b)[:, HIPS].mean(axis=1), axis=-1).min())


def _seen(camera: Camera, people_m: Floats, case: Case, rng: np.random.Generator) -> list[Frame]:
    xy_px = pixels(camera, people_m)  # (P, T, J, 2)
    depth = (people_m @ camera.cam_from_world[2, :3] + camera.cam_from_world[2, 3]).mean(axis=-1)
    middle, tall = xy_px.mean(axis=2)[..., 0], np.ptp(xy_px[..., 1], axis=2)
    nearer = depth[:, None] > depth[None]  # (P, P, T): q stands before p
    hidden = (nearer & (np.abs(middle[:, None] - middle[None]) < BEHIND * tall[None])).any(axis=1)
    inside = ((xy_px > 0) & (xy_px < camera.size_wh_px)).all(axis=-1)
    found = ~hidden & (inside.sum(axis=-1) >= 8)
    noisy = xy_px + case.noise_px * rng.normal(size=xy_px.shape)
    wrong = rng.random(inside.shape) < case.outliers
    noisy += np.where(wrong[..., None], rng.uniform(-300, 300, xy_px.shape), 0.0)
    there = inside & (rng.random(inside.shape) >= case.missing)
    frames = []
    for t in range(xy_px.shape[1]):
        who = [int(p) for p in rng.permutation(np.flatnonzero(found[:, t]))]
        joints, sure = [noisy[p, t] for p in who], [0.7 * there[p, t] for p in who]
        if rng.random() < FALSE:
            shape = xy_px[0, 0] - xy_px[0, 0].mean(axis=0)
            joints.append(shape * rng.uniform(0.3, 1.0) + rng.uniform([200, 200], [1700, 900]))
            sure.append(np.full(len(shape), 0.5))
            who.append(-1)
        shaped = np.array(joints).reshape(-1, 17, 2), np.array(sure).reshape(-1, 17)
        frames.append(Frame(xy_px=shaped[0], confidence=shaped[1], who=tuple(who)))
    return frames


def tracks_of(frames: Sequence[Frame], camera: Camera) -> list[Pose2D]:
    """Follow people in one camera as capturing several videos does."""
    settings = FollowSettings(least_s=0.0)
    found = follow(frames, FPS, camera.size_wh_px, camera_name=camera.name, settings=settings)
    return [reject_outliers(drop_unsure(track.pose2d)) for track in found]


def tracks_as_they_are(tracks: Sequence[Sequence[Pose2D]], cameras: Sequence[Camera]) -> People:
    """Match whole tracks by the mean distance of their rays, best pairs first; one track per camera and person."""
    rays = [
        [(px_to_rays(camera, pose.xy_px) @ camera.cam_from_world[:3, :3], camera.world_from_cam[:3, 3]) for pose in of]
        for camera, of in zip(cameras, tracks, strict=True)
    ]
    pairs = []
    for c, d in combinations(range(len(cameras)), 2):
        for i, (ray_c, centre_c) in enumerate(rays[c]):
            for j, (ray_d, centre_d) in enumerate(rays[d]):
                across = np.cross(ray_c, ray_d)
                off_m = np.abs((across * (centre_d - centre_c)).sum(axis=-1)) / np.linalg.norm(across, axis=-1)
                if np.isfinite(off_m).sum() >= 17:
                    pairs.append((float(np.nanmean(np.minimum(off_m, 0.5))), (c, i), (d, j)))
    group = {(c, i): {c: i} for c, of_camera in enumerate(tracks) for i in range(len(of_camera))}
    for off_m, a, b in sorted(pairs):
        if off_m < 0.1 and not group[a].keys() & group[b].keys():
            joined = group[a] | group[b]
            for member in joined.items():
                group[member] = joined
    unique = {id(members): members for members in group.values()}
    return [[tracks[c][of[c]] if c in of else None for c in range(len(cameras))] for of in unique.values()]


def score(people: People, frames: Sequence[Sequence[Frame]], count: int, ms: float) -> Score:
    """Compare names with the truth: names go to people so that most finds are right."""
    named = [
        (t, found, who)
        for found, views in enumerate(people)
        for pose, seen in zip(views, frames, strict=True)
        if pose is not None
        for t, who in _true_names(pose, seen)
    ]
    right = np.zeros((count, max(1, len(people))))
    for _, found, who in named:
        if who >= 0:
            right[who, found] += 1
    rows, columns = linear_sum_assignment(-right)
    hits = right[rows, columns].sum()
    there = sum(who >= 0 for seen in frames for frame in seen for who in frame.who)
    minutes = count * len(frames[0]) / FPS / 60
    return Score(
        switches=_switches(named, count) / minutes,
        precision=100 * hits / max(1, len(named)),
        recall=100 * hits / max(1, there),
        ms=ms,
    )


def _true_names(pose: Pose2D, frames: Sequence[Frame]) -> list[tuple[int, int]]:
    """(frame, who) of what a pose holds."""
    names = []
    for t in map(int, np.flatnonzero((pose.confidence > 0).any(axis=1))):
        joint = int(np.argmax(pose.confidence[t] > 0))
        off = np.abs(frames[t].xy_px[:, joint] - pose.xy_px[t, joint]).max(axis=1)
        names.append((t, frames[t].who[int(off.argmin())]))
    return names


def _switches(named: Sequence[tuple[int, int, int]], count: int) -> int:
    """How often the name that most views give a person changes."""
    switches = 0
    for person in range(count):
        votes: dict[int, Counter[int]] = {}
        for t, found, who in named:
            if who == person:
                votes.setdefault(t, Counter())[found] += 1
        names = [votes[t].most_common(1)[0][0] for t in sorted(votes)]
        switches += sum(a != b for a, b in pairwise(names))
    return switches


if __name__ == "__main__":
    sys.exit(main())
