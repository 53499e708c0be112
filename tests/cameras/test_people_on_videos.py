"""Four real videos of one person: when they started, and where the cameras stood, without a board."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocap3d.base.camera import Camera
from mocap3d.base.pose import Pose2D
from mocap3d.base.procrustes import align
from mocap3d.cameras.crop import bars_px, crops_that_fit
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

pytestmark = pytest.mark.slow

FPS = 60


@pytest.fixture(scope="module")
def filmed(shared_data: Path) -> tuple[list[Camera], list[Pose2D]]:
    """The shipped cameras, and the largest person as each of them saw them."""
    folder = shared_data / "multiview_pose2sim"
    cameras, poses = [], []
    for camera in read_cameras(folder / "calibration" / "Calib.qca.txt"):
        video = open_video(folder / "videos" / f"{camera.name}.mp4")
        watched = watch(video, "movenet_thunder", "cpu", lambda step, done, total: None)
        (track,) = choose(follow(watched.detections, video.fps, video.size_wh_px), None, first_frame=0)
        with open_video(folder / "videos" / f"{camera.name}.mp4") as pictures:
            bars = bars_px(itertools.islice(pictures, 0, None, 20))
        ((word, shown),) = crops_that_fit(camera, video.size_wh_px, bars=bars)
        assert word == ("as calibrated" if camera.size_wh_px == video.size_wh_px else "scaled, with black bars")
        cameras.append(shown)
        poses.append(fill_gaps(reject_outliers(drop_unsure(track.pose2d))))
    return cameras, poses


def cut(pose: Pose2D, frames: int) -> Pose2D:
    return replace(pose, xy_px=pose.xy_px[frames:], confidence=pose.confidence[frames:])


def test_offsets_differ_by_what_was_cut(filmed: tuple[list[Camera], list[Pose2D]]) -> None:
    """Catches offsets that depend on what else is in the clip: half of one video cut off is that many frames."""
    poses = filmed[1]
    whole = sync_motion([[pose] for pose in poses])
    assert whole.confidence.min() > 0.9
    assert np.abs(whole.offsets_s).max() * FPS < 2  # its README: cameras agree to within two frames
    for c, frames in itertools.product(range(4), (5, 20, 45)):
        start = sync_motion([[cut(pose, frames) if c == n else pose] for n, pose in enumerate(poses)])
        moved = (start.offsets_s - whole.offsets_s) * FPS
        if c:
            assert moved[c] == pytest.approx(frames, abs=1 / 3)
        else:
            np.testing.assert_allclose(moved[1:], -frames, atol=1 / 3)


def test_rays_say_that_one_trigger_started_all(filmed: tuple[list[Camera], list[Pose2D]]) -> None:
    """Catches clocks that follow a calibration: whose principal points are off by 20 px, they would say 2.5 frames."""
    cameras, poses = filmed
    together, _ = synchronised(poses, sync_motion([[pose] for pose in poses]).offsets_s)
    found = sync_rays([together], cameras)
    assert found.confidence.min() > 0.9
    assert np.abs(sync_motion([[pose] for pose in poses]).offsets_s + found.offsets_s).max() * FPS < 0.25


def test_cameras_from_people_alone(filmed: tuple[list[Camera], list[Pose2D]]) -> None:
    """Catches a start that needs a board: centres within 5 % of the baselines, size from a stated height apart."""
    cameras, poses = filmed
    seen: list[Sequence[Seen]] = []
    for camera, pose in zip(cameras, poses, strict=True):
        lens = replace(camera, cam_from_world=np.eye(4))
        placed = lift_person(Sight(person=1, first=0, pose2d=pose), Wanted(camera=lens, height_m=1.72))
        seen.append([Seen(pose2d=pose, pose3d=placed.pose3d, contacts=placed.contacts)])
    found = cameras_from_people(seen, [replace(camera, cam_from_world=np.eye(4)) for camera in cameras], height_m=1.72)
    shipped, ours = (np.array([one.world_from_cam[:3, 3] for one in rig]) for rig in (cameras, found.cameras))
    fit = align(shipped, ours, scaled=True)
    off = np.linalg.norm(fit.apply(ours) - shipped, axis=1)
    baselines = [np.linalg.norm(shipped[a] - shipped[b]) for a, b in itertools.combinations(range(4), 2)]
    assert off.max() < 0.05 * min(baselines)
    assert float(fit.scale) == pytest.approx(1.0, abs=0.1)
    up = fit.rotation @ [0.0, 1.0, 0.0]
    assert np.degrees(np.arccos(up[1])) < 10  # on one line of footsteps the vertical is poorly known
    assert not [gate for gate in check_cameras(found.cameras, [poses]) if not gate.passed]


def test_the_person_refines_the_shipped_cameras(filmed: tuple[list[Camera], list[Pose2D]]) -> None:
    """Catches a refinement that leaves the constant offset of two views, or pays for it by moving the rig away."""
    cameras, poses = filmed
    refined = refine_from_people(cameras, [poses])
    assert refined.before_px.max() > 12
    assert refined.after_px.max() < 8
    for camera, other in zip(refined.cameras, cameras, strict=True):
        assert np.linalg.norm(camera.world_from_cam[:3, 3] - other.world_from_cam[:3, 3]) < 0.2
    assert not [gate for gate in check_cameras(refined.cameras, [poses]) if not gate.passed]
