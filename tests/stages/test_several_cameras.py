"""Stages of a take of several cameras: kept whole, solved again from 3D on, refused where pictures would be needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mocap3d
from mocap3d.stages.changes import read_folder
from mocap3d.stages.repairs import Repair, repair_stages


@pytest.fixture(scope="module")
def take(captured):
    """The demo clip as if two cameras had seen it, a third one nobody."""
    (one,) = captured.performances
    camera = replace(captured.cameras[0], name="left")
    beside = camera.cam_from_world.copy()
    beside[0, 3] += 1.0
    rig = (camera, replace(camera, name="right", cam_from_world=beside), replace(camera, name="behind"))
    seen = replace(one.pose2d, xy_px=one.pose2d.xy_px + [5.0, 0.0], camera_name="right")
    person = replace(one, views=(replace(one.pose2d, camera_name="left"), seen, None))
    return replace(captured, performances=(person,), rig=rig, notes=("camera right sees joints 9 px off",))


@pytest.fixture
def stages(take, tmp_path):
    """Its stages."""
    take.save_stages(tmp_path / "take")
    return tmp_path / "take"


def test_the_record_holds_the_rig_and_every_view(take, stages):
    """Catches cameras and views that get lost or mixed up on the way through the file."""
    clip = read_folder(stages).clip
    assert [camera.name for camera in clip.rig] == ["left", "right", "behind"]
    for camera, before in zip(clip.rig, take.rig, strict=True):
        for name in ("K", "distortion", "cam_from_world"):
            assert np.array_equal(getattr(camera, name), getattr(before, name))
    left, right, behind = clip.performances[0].views
    assert behind is None
    for view, before in zip((left, right), take.performances[0].views, strict=False):
        assert view.camera_name == before.camera_name
        assert view.xy_px.tobytes() == before.xy_px.tobytes()
        assert view.confidence.tobytes() == before.confidence.tobytes()
    assert clip.summary() == take.summary()


def test_unchanged_is_the_capture(take, stages, solved, same_motion):
    """Catches a solve that lifts what was triangulated, or loses views and notes."""
    clip, said = solved(stages)
    assert said == ["nothing has changed: the motion is as it was"]
    assert same_motion(clip.motion, take.motion)
    assert clip.notes == take.notes
    assert len(clip.rig) == len(clip.performances[0].views) == 3


def test_changed_contacts_are_solved_and_views_stay(stages, cells, solved):
    """Catches an edit without effect, and a second solve that has forgotten the cameras."""
    cells(stages / "shot1-person1-contacts.csv", {(n, "left_heel"): "1" for n in range(8)})
    clip, _ = solved(stages)
    assert (clip.motion.contacts[:8, 0] == 1).all()
    again = read_folder(stages).clip
    assert len(again.performances[0].views) == len(again.rig) == 3
    assert clip.notes == ("camera right sees joints 9 px off",)


def test_what_needs_pictures_is_refused(stages):
    """Catches joints of several cameras that are lifted as if one camera had seen them."""
    (stages / "shot1-person1-3d.csv").unlink()
    with pytest.raises(mocap3d.InputError, match="capturing again"):
        mocap3d.solve_stages(stages)
    with pytest.raises(mocap3d.InputError, match="what several cameras saw"):
        repair_stages(stages, [Repair(what="not seen", start=40, stop=42, person=1)])


def test_another_stature_is_refused(stages):
    """Catches a stature that changes nothing and is kept as if it had."""
    text = (stages / "settings.toml").read_text()
    (stages / "settings.toml").write_text(text.replace("height_m = 1.65", "height_m = 1.8"))
    with pytest.raises(mocap3d.InputError, match="height_m"):
        mocap3d.solve_stages(stages)


def test_a_lens_among_the_files_is_not_looked_for(stages):
    """Catches a folder that needs files which nobody wrote, and one that takes what nobody reads."""
    assert not list(stages.glob("*-2d.csv"))
    (stages / "shot1-person1-2d.csv").write_text("frame\n")
    with pytest.raises(mocap3d.InputError, match="belongs to nobody"):
        mocap3d.solve_stages(stages)
