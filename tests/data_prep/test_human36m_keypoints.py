"""Views that come from elsewhere: VideoPose3D's 2D files, and our own detector in the official videos."""

from __future__ import annotations

import contextlib

import human36m as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.human36m import prepare_human36m
from mocap3d.data_prep.human36m_detect import MoveNetVideos, largest
from mocap3d.data_prep.human36m_keypoints import read_keypoints
from mocap3d.data_prep.human36m_names import official_name
from mocap3d.data_prep.motion_file import read_view, view_names

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.detect.people import Detections

FRAMES = 4
TAKES = ("walking_1", "sittingdown_1")
H36M_SIDES = ([4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16])
HOURGLASS_SIDES = ([4, 5, 6, 10, 11, 12], [1, 2, 3, 13, 14, 15])
COCO_SIDES = ([1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16])


def pixels(joints: int, frames: int = FRAMES + 2, columns: int = 2) -> dict:
    """Random pixels for two takes of S9; 2 frames more than there are poses."""
    rng = np.random.default_rng(joints)
    return {
        "S9": {
            official_name("S9", take): [
                rng.uniform(0, 1, (frames, joints, columns)).astype(np.float32) for _ in range(4)
            ]
            for take in TAKES
        }
    }


@pytest.fixture
def folder(tmp_path):
    """Poses of two takes of S9 as .h5 files."""
    for take in TAKES:
        path = tmp_path / "h36m" / "S9" / "MyPoses" / "3D_positions" / f"{official_name('S9', take)}.h5"
        made.write_h5(path, made.room_mm(made.walk_of("S9", take, FRAMES).xyz_mm))
    return tmp_path / "h36m"


def test_2d_files_become_views(folder, tmp_path):
    """Catches cameras or takes exchanged, frames without poses, a detector without its name, our truth replaced."""
    people = pixels(17)
    made.write_npz_2d(folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz", people, 17, H36M_SIDES)
    made.write_npz_2d(folder / "data_2d_h36m_gt.npz", pixels(17), 17, H36M_SIDES)
    out = prepare_human36m(folder, tmp_path / "h.h5", partial=True)
    assert view_names(out, "S9", "walking_1") == dict.fromkeys(made.CAMERAS, ("cpn_ft_h36m_dbb", "true"))
    view = read_view(out, "S9", "sittingdown_1", "58860488", "cpn_ft_h36m_dbb")
    np.testing.assert_array_equal(view.xy_px, people["S9"]["SittingDown"][2][:FRAMES])
    assert view.skeleton == HUMAN36M_17
    assert (view.confidence == 1).all()


def test_other_joints_are_recognised_by_their_sides(tmp_path):
    """Catches COCO's 17 joints taken for Human3.6M's 17, and hourglass' joints shifted by the neck that it lacks."""
    path = tmp_path / "data_2d_h36m_x.npz"
    made.write_npz_2d(path, people := pixels(17, columns=3), 17, COCO_SIDES)
    found = read_keypoints(path)
    assert (found.skeleton, found.detector) == (COCO_17, "x")
    xy_px, confidence = found.views["S9", "walking_1", "55011271"]
    np.testing.assert_array_equal(xy_px, people["S9"]["Walking 1"][1][..., :2])
    np.testing.assert_array_equal(confidence, people["S9"]["Walking 1"][1][..., 2])
    made.write_npz_2d(path, people := pixels(16), 16, HOURGLASS_SIDES)
    xy_px, confidence = read_keypoints(path).views["S9", "walking_1", "55011271"]
    neck, head = HUMAN36M_17.index("neck"), HUMAN36M_17.index("head")
    assert np.isnan(xy_px[:, neck]).all()
    assert (confidence[:, neck] == 0).all()
    np.testing.assert_array_equal(xy_px[:, head], people["S9"]["Walking 1"][1][:, 9])
    made.write_npz_2d(path, pixels(17), 17, HOURGLASS_SIDES)
    with pytest.raises(FileFormatError, match="neither Human3"):
        read_keypoints(path)


def test_too_few_frames_are_refused(folder, tmp_path):
    """Catches views that lag behind their sequence."""
    made.write_npz_2d(folder / "data_2d_h36m_cpn.npz", pixels(17, FRAMES - 1), 17, H36M_SIDES)
    with pytest.raises(FileFormatError, match="fewer frames than the 4 poses"):
        prepare_human36m(folder, tmp_path / "h.h5", partial=True)


@settings(max_examples=25)
@given(keep=st.integers(0, 9000), hits=st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), max_size=5))
def test_damaged_2d_files_are_refused_with_our_error(tmp_path_factory, keep, hits):
    """Catches errors of zipfile, pickle and NumPy that reach the reader."""
    path = tmp_path_factory.mktemp("fuzz") / "data_2d_h36m_x.npz"
    made.write_npz_2d(path, pixels(17, 2), 17, H36M_SIDES)
    content = bytearray(path.read_bytes())
    for at, byte in hits:
        content[at % len(content)] = byte
    path.write_bytes(content if hits else content[:keep])
    with contextlib.suppress(FileFormatError):
        read_keypoints(path)


class FakeDetector:
    """Says in which video it looked."""

    name, skeleton = "fake", COCO_17

    def __init__(self, stop_after: int = 99) -> None:
        self.videos: list[str] = []
        self._left = stop_after

    def __call__(self, video, frames):
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        self.videos.append(video.name)
        return np.full((frames - 1, 17, 2), float(video.stem[-1])), np.full((frames - 1, 17), 0.5)


def test_detections_resume_video_by_video(folder, tmp_path):
    """Catches days of detection lost by a crash, videos watched twice, a short video that shifts the rest."""
    for take in TAKES:
        for camera in made.CAMERAS:
            path = folder / "S9" / "Videos" / f"{official_name('S9', take)}.{camera}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    (folder / "S9" / "Videos" / "_ALL 1.54138969.mp4").touch()
    out = prepare_human36m(folder, tmp_path / "h.h5", partial=True)  # a finished file is completed
    first, second = FakeDetector(stop_after=3), FakeDetector()
    with pytest.raises(KeyboardInterrupt):
        prepare_human36m(folder, out, partial=True, detect=first)
    with pytest.raises(InputError, match="begun with joints human36m-17, not lifter-20"):
        prepare_human36m(folder, out, partial=True, detect=second, joints=LIFTER_20)
    seen: list[tuple[int, int]] = []
    prepare_human36m(folder, out, partial=True, detect=second, progress=lambda done, total: seen.append((done, total)))
    assert sorted(first.videos + second.videos) == sorted(
        f"{official_name('S9', t)}.{c}.mp4" for t in TAKES for c in made.CAMERAS
    )
    assert seen[-1] == (10, 10)
    view = read_view(out, "S9", "walking_1", "60457274", "fake")
    assert (view.xy_px[:-1] == 4.0).all()
    assert np.isnan(view.xy_px[-1]).all()
    assert (view.confidence[-1] == 0).all()


def test_a_missing_video_is_named(folder, tmp_path):
    """Catches a detector that starts although a video is not there."""
    (folder / "S9" / "Videos").mkdir()
    for take in TAKES:
        for camera in made.CAMERAS[:-1]:
            (folder / "S9" / "Videos" / f"{official_name('S9', take)}.{camera}.mp4").touch()
    detector = FakeDetector()
    prepare_human36m(folder, tmp_path / "h.h5", partial=True, detect=detector)
    assert len(detector.videos) == 6
    with pytest.raises(InputError, match="lacks 207 files"):
        prepare_human36m(folder, tmp_path / "h2.h5", detect=detector)


def test_the_largest_person_counts():
    """Catches the assistant at the back of the room taken for the subject."""
    xy_px = np.stack([np.full((17, 2), 5.0), np.arange(34.0).reshape(17, 2), np.arange(34.0).reshape(17, 2) / 2])
    people = Detections(xy_px=xy_px, confidence=np.ones((3, 17)), score=np.array([0.9, 0.5, 0.8]))
    assert largest(people) == 1


def test_our_own_detector_watches_videos(tmp_path):
    """Catches frames that shift, colours exchanged on the way, an empty room in which somebody is found."""
    from mocap3d import examples

    watch = MoveNetVideos("movenet_lightning")
    xy_px, confidence = watch(examples.path("walk.mp4"), 3)
    assert xy_px.shape == (3, 17, 2)
    assert (confidence.mean(axis=1) > 0.3).all()
    made.write_video(tmp_path / "grey.mp4", 4)
    xy_px, confidence = watch(tmp_path / "grey.mp4", 9)
    assert len(xy_px) == 4
    assert np.isnan(xy_px[confidence == 0]).all()
    with pytest.raises(InputError, match="network"):
        MoveNetVideos("movenet_multipose")
