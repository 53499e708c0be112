"""Four real videos of one person, from files to rig: the crop is asked for, the shipped rig refined, people alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mocap3d
from mocap3d.base.errors import InputError
from mocap3d.base.procrustes import align
from mocap3d.calibration import seen
from mocap3d.cameras.files import read_cameras

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def take(shared_data: Path):
    """The videos and their shipped calibration; each video is watched once."""
    folder = shared_data / "multiview_pose2sim"
    watched = {}
    with pytest.MonkeyPatch.context() as patch:
        watch = seen.watch

        def once(video, *options):
            if video.path not in watched:
                watched[video.path] = watch(video, *options)
            return watched[video.path]

        patch.setattr(seen, "watch", once)
        yield sorted((folder / "videos").glob("*.mp4")), folder / "calibration" / "Calib.qca.txt"


def test_a_crop_must_be_declared(take):
    """Catches videos that are 8 pixels narrower than their calibration, used as if they were not."""
    videos, calibration = take
    with pytest.raises(InputError, match=r"calibrated for pictures of 1088x1920, the video has 1080x1920: declare"):
        mocap3d.calibrate(videos, lenses=calibration, refine=True)


def test_the_shipped_rig_is_refined_and_the_crop_is_reported(take):
    """Catches a refinement that leaves the constant offset of two views, and a crop that is taken in silence."""
    videos, calibration = take
    found = mocap3d.calibrate(videos, lenses=calibration, refine=True, sync="none", crop="find")
    assert [view.crop for view in found.views] == [*["scaled, with black bars"] * 2, *["as calibrated"] * 2]
    assert sum("the whole calibrated picture, scaled, with black bars" in note for note in found.notes) == 2
    assert max(view.before_px for view in found.views) > 12
    assert max(view.residual_px for view in found.views) < 8
    assert found.passed
    # The world's floor is the treadmill; somebody else stands beside it, on the floor of the room.
    assert any("m below the floor of this world" in note for note in found.notes)


def test_people_alone(take):
    """Catches a start that needs a board: centres within 5 % of the baselines, size from a stated height."""
    videos, calibration = take
    shipped = {camera.name: camera for camera in read_cameras(calibration)}
    blind = [replace(camera, cam_from_world=np.eye(4)) for camera in shipped.values()]
    found = mocap3d.calibrate(videos, lenses=blind, sync="none", crop="find", height_m=1.72)
    true = np.array([shipped[camera.name].world_from_cam[:3, 3] for camera in found.cameras])
    ours = np.array([camera.world_from_cam[:3, 3] for camera in found.cameras])
    fit = align(true, ours, scaled=True)
    off = np.linalg.norm(fit.apply(ours) - true, axis=1)
    baselines = [np.linalg.norm(true[a] - true[b]) for a, b in itertools.combinations(range(4), 2)]
    assert off.max() < 0.05 * min(baselines)
    assert float(fit.scale) == pytest.approx(1.0, abs=0.1)
