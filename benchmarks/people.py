"""Cameras from people alone, and offsets from their motion, on real recordings beside the shipped calibration.

    python benchmarks/people.py [DATA] [--json] [--height METRES]

DATA is the folder of recordings, else $MOCAP3D_DATA, else ../shared/data; of it ``multiview_pose2sim`` is used: four
videos of one person, found by MoveNet. Two of the videos are scaled between black bars. Three tables:

* the rig from people, lenses as shipped with the principal points where they belong (``four_cameras.py`` says why),
  poses unknown, size from a stated height: centres after similarity alignment with the shipped ones, every baseline;
* the shipped rig, as it came, refined by the person: median pixels between seen and projected joints, before and after;
* offsets: one video cut by a known number of frames, each of the four in turn, and how far the difference of the
  offsets is from that number.

The keys of ``--json``: median pixels per camera with refined cameras, against those with the shipped ones.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from _common import Figure, json_line, progress, table
from _multiview import filmed_cameras, shown

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.procrustes import align
from mocap3d.cameras.files import read_cameras
from mocap3d.cameras.from_people import Seen, cameras_from_people, refine_from_people
from mocap3d.cameras.gates import check_cameras
from mocap3d.cameras.sync import sync_motion, sync_rays, synchronised
from mocap3d.cameras.video import open_video
from mocap3d.identify.choosing import choose
from mocap3d.identify.following import follow
from mocap3d.identify.repair import drop_unsure, fill_gaps, reject_outliers
from mocap3d.solving import Sight, Wanted, lift_person
from mocap3d.watching import watch

CUTS = (1, 2, 5, 10, 15, 20, 25, 30, 35, 40, 45)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MOCAP3D_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("data", nargs="?", type=Path, default=Path(default))
    parser.add_argument("--json", action="store_true", help="end with one line for machines")
    parser.add_argument("--height", type=float, default=1.72, help="stature of the person, metres (default: 1.72)")
    options = parser.parse_args(arguments)
    folder = options.data / "multiview_pose2sim"
    shipped, poses = filmed(folder)
    cameras = filmed_cameras(folder / "calibration" / "Calib.qca.txt", {one.name: one.size_wh_px for one in shipped})
    rig(list(cameras.values()), poses, options.height)
    figures = refined(shipped, poses)
    offsets(poses, shipped)
    if options.json:
        print(json_line("people", figures))
    return 0


def filmed(folder: Path) -> tuple[list[Camera], list[Pose2D]]:
    """The shipped cameras, and the largest person as each of them saw them."""
    cameras, poses = [], []
    for camera in read_cameras(folder / "calibration" / "Calib.qca.txt"):
        progress(f"joints in {camera.name}")
        video = open_video(folder / "videos" / f"{camera.name}.mp4")
        watched = watch(video, "movenet_thunder", "cpu", lambda step, done, total: None)
        (track,) = choose(follow(watched.detections, video.fps, video.size_wh_px), None, first_frame=0)
        cameras.append(shown(camera, video.size_wh_px))
        poses.append(fill_gaps(reject_outliers(drop_unsure(track.pose2d))))
    return cameras, poses


def rig(cameras: Sequence[Camera], poses: Sequence[Pose2D], height_m: float) -> None:
    """The rig from people, beside the shipped one."""
    progress("the rig from people")
    lenses = [replace(camera, cam_from_world=np.eye(4)) for camera in cameras]
    seen = []
    for lens, pose in zip(lenses, poses, strict=True):
        placed = lift_person(Sight(person=1, first=0, pose2d=pose), Wanted(camera=lens, height_m=height_m))
        seen.append([Seen(pose2d=pose, pose3d=placed.pose3d, contacts=placed.contacts)])
    found = cameras_from_people(seen, lenses, height_m=height_m)
    shipped, ours = (np.array([one.world_from_cam[:3, 3] for one in some]) for some in (cameras, found.cameras))
    fit = align(shipped, ours, scaled=True)
    fitted = fit.apply(ours)
    rows = []
    for a, b in itertools.combinations(range(len(cameras)), 2):
        far, known = (float(np.linalg.norm(places[a] - places[b])) for places in (fitted, shipped))
        rows.append([f"{cameras[a].name} {cameras[b].name}", f"{far:.3f}", f"{known:.3f}", f"{far / known - 1:+.2%}"])
    print(table(["cameras", "baseline m", "shipped m", "difference"], rows))
    off = np.linalg.norm(fitted - shipped, axis=1)
    least = min(np.linalg.norm(shipped[a] - shipped[b]) for a, b in itertools.combinations(range(len(cameras)), 2))
    up = fit.rotation @ [0.0, 1.0, 0.0]
    print(f"centres off by {', '.join(f'{m:.3f}' for m in off)} m: at most {off.max() / least:.2%} of any baseline")
    print(f"size from a height of {height_m:g} m: shipped / ours {float(fit.scale):.3f}")
    print(f"vertical off by {np.degrees(np.arccos(up[1])):.1f} degrees (expected {found.placement.up_std_deg:.1f})")
    failed = [gate.name for gate in check_cameras(found.cameras, [poses]) if not gate.passed]
    print(f"median residuals {', '.join(f'{px:.1f}' for px in found.residual_px)} px; gates failed: {failed}\n")


def refined(cameras: Sequence[Camera], poses: Sequence[Pose2D]) -> list[Figure]:
    """The shipped rig, moved by the person."""
    progress("the shipped rig refined")
    found = refine_from_people(cameras, [poses])
    figures = [
        Figure(key=f"{camera.name}_px", ours=float(after), against=float(before))
        for camera, before, after in zip(cameras, found.before_px, found.after_px, strict=True)
    ]
    rows = []
    for figure, camera, other in zip(figures, found.cameras, cameras, strict=True):
        turn = camera.cam_from_world[:3, :3] @ other.cam_from_world[:3, :3].T
        angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        shift = np.linalg.norm(camera.world_from_cam[:3, 3] - other.world_from_cam[:3, 3])
        rows.append([camera.name, f"{figure.against:.1f}", f"{figure.ours:.1f}", f"{angle:.2f}", f"{shift:.3f}"])
    print(table(["camera", "shipped px", "refined px", "turned deg", "moved m"], rows), end="\n\n")
    return figures


def offsets(poses: Sequence[Pose2D], cameras: Sequence[Camera]) -> None:
    """One video cut by a known number of frames; and what the rays of the cameras say."""
    fps = float(poses[0].fps)
    whole = sync_motion([[pose] for pose in poses])
    rows = []
    for frames in CUTS:
        off = []
        for c in range(len(poses)):
            progress(f"{frames} frames cut off video {c + 1}")
            views = [[pose if n != c else cut(pose, frames)] for n, pose in enumerate(poses)]
            moved = (sync_motion(views).offsets_s - whole.offsets_s) * fps
            off += [moved[c] - frames] if c else list(moved[1:] + frames)
        rows.append([f"{frames}", f"{np.sqrt(np.mean(np.square(off))):.2f}", f"{np.abs(off).max():.2f}"])
    at_once, _ = synchronised(poses, whole.offsets_s)
    rays_s = whole.offsets_s + sync_rays([at_once], cameras).offsets_s
    for what, offsets_s in (("motion", whole.offsets_s), ("rays as well", rays_s)):
        print(f"offsets of the whole videos by {what}: {', '.join(f'{o * fps:+.2f}' for o in offsets_s)} frames")
    print(table(["frames cut", "off by (rms)", "at most"], rows))


def cut(pose: Pose2D, frames: int) -> Pose2D:
    """Without its first frames."""
    return replace(pose, xy_px=pose.xy_px[frames:], confidence=pose.confidence[frames:])


if __name__ == "__main__":
    raise SystemExit(main())
