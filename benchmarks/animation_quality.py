"""How good is the animation of real videos, before and after: joints as they are lifted, solved, feet locked?

    python benchmarks/animation_quality.py [--data DIR] [--against DIR ...] [--json]

Each video is captured once: the demo clip, and the four views of one person. Side by side then stand

* **lifted**: the joints that the solver was given, which have neither bones of constant length nor standing feet;
* **off**, **auto**, **strong**: the motion with its feet as they were solved, and locked;
* with ``--against DIR``: motions that something else made of the same videos, an earlier version of mocap3d for
  instance: files of DIR called as the video (``walk.npz``, ``cam01.bvh`` ...), in any format that holds the humanoid.

All columns of a video are judged with the same contacts, those found in the motion as it was solved: otherwise a
version whose feet slide fast would pass for one whose feet do not stand. What they stand on is theirs for motions of
something else, whose floor may be at another height; for that reason the picture is not asked about them. The figures
are those of `mocap3d info`; docs/quality.md says what they mean. The JSON line compares "auto" with "lifted", or where
joints have no such figure with "off".
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from _multiview import filmed_cameras

import mocap3d
from mocap3d import examples
from mocap3d.cameras.video import open_video
from mocap3d.motion.contacts import support_heights_m
from mocap3d.motion.foot_lock import lock_feet
from mocap3d.quality.animation import FIGURES, AnimationQuality, animation_quality, points_quality

FOLDER = "multiview_pose2sim"
STRENGTHS = ("off", "auto", "strong")
COMPARED = (
    "foot_skate_mm_per_s",
    "foot_skate_p95_mm_per_s",
    "penetration_mm",
    "hover_mm",
    "jerk_m_per_s3",
    "reprojection_px",
    "reprojection_percent",
)
"""The figures of the JSON line: less is better."""
BESIDE = ("lifted", "off", "auto")
SHOWN = (*COMPARED[:1], *COMPARED[2:-1], "joint_limit_percent", "fk_error_mm")
LEAST = 0.1  # mm, mm/s, px ...: what is less nobody sees; without it ratios are infinite

Columns = dict[str, AnimationQuality]


def main(arguments: Sequence[str] | None = None) -> int:
    """Capture, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ["MOCAP3D_DATA"]) if "MOCAP3D_DATA" in os.environ else None
    parser.add_argument(
        "--data", type=Path, default=default, help=f"the folder that holds {FOLDER}; else only the demo"
    )
    parser.add_argument("--against", type=Path, nargs="*", default=[], help="folders of motions made by something else")
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    options = parser.parse_args(arguments)
    found: dict[str, Columns] = {}
    for video, lens in videos(options.data):
        found[video.stem] = judge(video, lens, options.against)
        print(f"\n## {video.stem}\n\n{report(found[video.stem])}", flush=True)
    if len(found) > 1:
        print(f"\n## mean of {len(found)} videos\n\n{report(mean(list(found.values())))}")
    print(f"\n## {' -> '.join(BESIDE)}\n\n{beside(found)}")
    if options.json:
        print(json_line("animation_quality", figures(found)))
    return 0


def videos(data: Path | None) -> list[tuple[Path, mocap3d.Camera | Path]]:
    """The videos and their lenses; of the calibration only the lens is taken, never the place of the camera."""
    listed: list[tuple[Path, mocap3d.Camera | Path]] = [(examples.path("walk.mp4"), examples.path("walk.toml"))]
    if data is None:
        return listed
    paths = sorted((data / FOLDER / "videos").glob("*.mp4"))
    sizes = {path.stem: open_video(path).size_wh_px for path in paths}
    lenses = filmed_cameras(data / FOLDER / "calibration" / "Calib.qca.txt", sizes)
    return listed + [(path, lenses[path.stem]) for path in paths]


def judge(video: Path, lens: mocap3d.Camera | Path, against: Sequence[Path]) -> Columns:
    """The figures of one video, column by column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mocap3d.Mocap3dWarning)
        clip = mocap3d.capture(video, cameras=lens, foot_lock="off")
    person = clip.performances[0]
    camera = clip.cameras[person.shot]
    progress(f"{video.name}: {len(person.motion)} frames")
    contacts = person.motion.contacts
    if contacts is None:
        raise ValueError(f"{video}: the motion has no contacts")
    support_m = support_heights_m(person.motion, contacts)
    seen = {"pose3d": person.pose3d, "pose2d": person.pose2d, "camera": camera}
    columns = {"lifted": points_quality(person.pose3d, contacts=contacts, pose2d=person.pose2d, camera=camera)}
    for strength in STRENGTHS:
        motion = lock_feet(person.motion, strength=strength)
        columns[strength] = animation_quality(motion, contacts=contacts, support_m=support_m, **seen)
    for folder in against:
        other = other_motion(folder, video.stem, person.motion)
        if other is not None:
            theirs_m = support_heights_m(other, contacts)
            columns[folder.name] = animation_quality(other, contacts=contacts, support_m=theirs_m)
    return columns


def other_motion(folder: Path, name: str, ours: mocap3d.Motion) -> mocap3d.Motion | None:
    """The motion that something else made of a video, in the frames of ours; None, and a word, where there is none."""
    files = sorted(folder.glob(f"{name}.*"))
    if not files:
        progress(f"{folder}: nothing is called {name}")
        return None
    motion = mocap3d.read(files[0])
    if not isinstance(motion, mocap3d.Motion) or len(motion) != len(ours):
        progress(f"{files[0]}: no motion of {len(ours)} frames")
        return None
    return motion


def mean(clips: Sequence[Columns]) -> Columns:
    """The mean of every figure over the clips that have it; what is no number is left out."""
    columns = {name: [clip[name] for clip in clips if name in clip] for name in clips[0]}
    return {name: AnimationQuality(**_means(qualities)) for name, qualities in columns.items()}


def _means(qualities: Sequence[AnimationQuality]) -> dict[str, float]:
    means = {}
    for field in dataclasses.fields(AnimationQuality):
        values = [value for each in qualities if isinstance(value := getattr(each, field.name), float)]
        if values and len(values) == len(qualities):
            means[field.name] = float(np.mean(values))
    return means


def figures(found: Mapping[str, Columns]) -> list[Figure]:
    """What the JSON line compares, video by video and on average."""
    clips = dict(found) | ({"mean": mean(list(found.values()))} if len(found) > 1 else {})
    compared = []
    for name, columns in clips.items():
        for key in COMPARED:
            ours = getattr(columns["auto"], key)
            against = [value for column in ("lifted", "off") if (value := getattr(columns[column], key)) is not None]
            if ours is not None and against:
                compared.append(Figure(key=f"{name}_{key}", ours=max(ours, LEAST), against=max(against[0], LEAST)))
    return compared


def beside(found: Mapping[str, Columns]) -> str:
    """The table of docs/quality.md: before and after of every video, one beside the other."""
    clips = dict(found) | ({"mean": mean(list(found.values()))} if len(found) > 1 else {})
    rows = []
    for figure in FIGURES:
        if figure.name in SHOWN:
            short = dataclasses.replace(figure, unit="")
            texts = [[short.text(columns[name]) for name in BESIDE] for columns in clips.values()]
            cells = [" → ".join(text for text in each if text is not None) for each in texts]
            rows.append([f"{figure.label}, {figure.unit}", *cells])
    return table(["", *clips], rows)


def report(columns: Columns) -> str:
    """A Markdown table: a row for each figure that any column has."""
    rows = []
    for figure in FIGURES:
        texts = [figure.text(quality) for quality in columns.values()]
        if any(text is not None for text in texts):
            rows.append([figure.label, *(text or "" for text in texts)])
    return table(["", *columns], rows)


if __name__ == "__main__":
    sys.exit(main())
