"""Several videos of one take -> motions. Pictures are left out: what a detector would say of walkers is made up."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rigs_of_cameras import ring, seen_by, walkers

import mocap3d
from mocap3d import multiview
from mocap3d.base.errors import CalibrationError, InputError, Mocap3dWarning
from mocap3d.base.shot import Shot
from mocap3d.watching import Watched

HIPS = [11, 12]


@pytest.fixture
def filmed(monkeypatch):
    """Make videos "cam0.mp4" ... of people; a camera may start late, be moved, or have a cut."""

    def film(cameras, people, late=None, moved=None, cut=None, covered=None, noise_px=2.0):
        stories = {}
        for n, camera in enumerate(cameras):
            skip = 0 if late is None else late[n]
            poses = [seen_by([camera], xyz_m, noise_px=noise_px, seed=9 * n + k)[0] for k, xyz_m in enumerate(people)]
            count = len(people[0]) - skip if people else 30
            order = np.random.default_rng(n).permutation(len(poses))
            frames = [
                SimpleNamespace(
                    xy_px=np.array([poses[k].xy_px[skip + t] for k in order]).reshape(-1, 17, 2),
                    confidence=np.array([poses[k].confidence[skip + t] for k in order]).reshape(-1, 17),
                )
                for t in range(count)
            ]
            moves = moved[1] if moved is not None and moved[0] == n else None
            shots = (Shot(start=0, stop=count, moves_from=moves),)
            if cut == n:
                shots = (Shot(start=0, stop=10), Shot(start=10, stop=count))
            if covered is not None and covered[0] == n:
                for frame in frames[covered[1]]:
                    frame.xy_px, frame.confidence = np.zeros((0, 17, 2)), np.zeros((0, 17))
            stories[f"{camera.name}.mp4"] = frames, shots, camera.size_wh_px

        def open_video(path, **_):
            frames, _, size = stories[Path(path).name]
            return SimpleNamespace(
                path=Path(path),
                size_wh_px=size,
                fps=Fraction(30),
                frame_count=len(frames),
                start_frame=0,
                is_picture=False,
            )

        def watch(video, *_):
            frames, shots, _ = stories[video.path.name]
            return Watched(video=video, detections=frames, shots=shots)

        monkeypatch.setattr("mocap3d.cameras.video.open_video", open_video)
        monkeypatch.setattr(multiview, "watch", watch)
        return list(stories)

    return film


def _off_m(clip, people, person=0, skip=0):
    """Median distance of the triangulated hips from the true ones."""
    one = clip.performances[person]
    first = skip + one.motion.start_frame
    return min(
        float(
            np.nanmedian(
                np.linalg.norm(one.pose3d.xyz_m[:, HIPS] - true[first : first + len(one.pose3d)][:, HIPS], axis=-1)
            )
        )
        for true in people
    )


def test_two_people_in_front_of_three_cameras(filmed):
    """Catches people mixed up, a world other than the cameras', views that do not go with the rig, a network untold."""
    cameras, people = ring(3), walkers(2, seconds=2.0)
    clip = mocap3d.capture(filmed(cameras, people), cameras=cameras, person="all", sync="none")
    assert [one.person for one in clip.performances] == [1, 2]
    assert all(_off_m(clip, people, person) < 0.03 for person in (0, 1))
    assert clip.rig == cameras
    lifter = Path(mocap3d.__file__).parent / "weights" / "lifter.npz"
    assert clip.settings["lifter_sha256"] == hashlib.sha256(lifter.read_bytes()).hexdigest()
    (main,) = clip.cameras
    for one in clip.performances:
        assert [pose.camera_name for pose in one.views] == [camera.name for camera in cameras]
        assert {len(pose) for pose in one.views} == {len(one.motion)}
        assert one.pose2d is one.views[cameras.index(main)]
        hips_m, _ = mocap3d.forward(one.motion)
        assert (
            min(np.median(np.linalg.norm(hips_m[:, 0] - true[:, HIPS].mean(axis=1), axis=-1)) for true in people) < 0.1
        )
    assert clip.summary()["settings"]["cameras"] == ["cam0", "cam1", "cam2"]


def test_videos_that_began_at_different_times(filmed):
    """Catches offsets with the wrong sign, and frames counted on another clock than the first video's."""
    cameras, people = ring(3), walkers(1, seconds=4.0)
    clip = mocap3d.capture(filmed(cameras, people, late=[6, 0, 13]), cameras=cameras)
    np.testing.assert_allclose(clip.settings["offsets_s"], [0, -6 / 30, 7 / 30], atol=0.15 / 30)
    assert clip.settings["sync"] == "motion and rays"
    assert _off_m(clip, people, skip=6) < 0.03
    began_s = np.array([0.2, 0.0, 13 / 30])
    given = mocap3d.capture(filmed(cameras, people, late=[6, 0, 13]), cameras=cameras, sync=began_s)
    assert _off_m(given, people, skip=6) < 0.03


def test_a_platform_is_told_and_nobody_is_moved(filmed):
    """Catches people who are put onto the rig's floor although rays say that they stand on something."""
    cameras, people = ring(3), [walkers(1, seconds=2.0)[0] + [0, 0.35, 0]]
    with pytest.warns(mocap3d.Mocap3dWarning, match=r"stands 0\.[234]\d m above the floor"):
        clip = mocap3d.capture(filmed(cameras, people), cameras=cameras, sync="none")
    assert _off_m(clip, people) < 0.03
    flat = walkers(1, seconds=2.0)
    clip = mocap3d.capture(filmed(cameras, flat), cameras=cameras, sync="none")
    assert not any("the floor of the cameras" in note for note in clip.notes)


def test_a_body_that_held_feet_move_is_told(filmed, monkeypatch):
    """Catches a motion centimetres off what the cameras saw, for the sake of feet, without a word."""
    cameras = ring(3)
    videos = filmed(cameras, walkers(1, seconds=1.0))
    assert mocap3d.capture(videos, cameras=cameras, sync="none").notes == ()
    monkeypatch.setattr(
        "mocap3d.motion.foot_lock.lock_feet", lambda motion, **_: replace(motion, root_m=motion.root_m + [0, 0.08, 0])
    )
    with pytest.warns(Mocap3dWarning, match="holding feet"):
        notes = mocap3d.capture(videos, cameras=cameras, sync="none").notes
    assert sum("person 1: holding feet that stand moves the body by up to 0.08 m" in note for note in notes) == 1


def test_cameras_are_found_by_the_names_of_the_videos(filmed):
    """Catches a rig in another order than the videos, which would triangulate nonsense without an error."""
    cameras, people = ring(4), walkers(1, seconds=1.5)
    videos = filmed(cameras, people)
    clip = mocap3d.capture(videos[::-1], cameras=cameras, sync="none")
    assert [camera.name for camera in clip.rig] == ["cam3", "cam2", "cam1", "cam0"]
    assert _off_m(clip, people) < 0.03


def test_a_camera_that_was_bumped_halfway_is_left_out_from_then_on(filmed):
    """Catches pictures of a camera that no longer stands where it was calibrated."""
    cameras, people = ring(3), walkers(1, seconds=2.0)
    shifted = replace(cameras[1], K=cameras[1].K + np.array([[0, 0, 60.0], [0, 0, 30.0], [0, 0, 0]]))
    videos = filmed((cameras[0], shifted, cameras[2]), people, moved=(1, 1))
    with pytest.warns(mocap3d.Mocap3dWarning, match="cam1.mp4: the camera was moved at frame 1"):
        clip = mocap3d.capture(videos, cameras=cameras, sync="none")
    assert _off_m(clip, people) < 0.03


def test_a_camera_that_does_not_fit_is_told(filmed):
    """Catches a silent result from a rig that was calibrated before a tripod was moved."""
    cameras, people = ring(3), walkers(1, seconds=1.5)
    turned = replace(cameras[2], K=cameras[2].K + np.array([[0, 0, 70.0], [0, 0, 0], [0, 0, 0]]))
    videos = filmed((*cameras[:2], turned), people)
    with pytest.warns(mocap3d.Mocap3dWarning, match="camera cam2 sees joints"):
        mocap3d.capture(videos, cameras=cameras, sync="none")


def test_what_cannot_be_one_take_is_refused(filmed, tmp_path):
    """Catches each input that would be wrong silently, or fail deep inside."""
    cameras, people = ring(2), walkers(1, seconds=1.0)
    videos = filmed(cameras, people)

    def capture(given=videos, **options):
        return mocap3d.capture(given, **{"cameras": cameras, "sync": "none", **options})

    same_place = (cameras[0], replace(cameras[0], name="cam1"))
    other_size = (cameras[0], replace(cameras[1], size_wh_px=(1280, 720)))
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"the same")
    for message, options in {
        r"a\.mp4 and .*b\.mp4 are the same video": {"given": [tmp_path / "a.mp4", tmp_path / "b.mp4"]},
        "at least 2 videos": {"given": videos[:1]},
        "given twice": {"given": [videos[0], videos[0]]},
        "need their calibrated cameras": {"cameras": None},
        "as many cameras": {"cameras": ring(3)[:1]},
        "stands where another": {"cameras": same_place},
        "cropped": {"cameras": other_size},
        "sync must be": {"sync": "clap"},
        "one start in seconds": {"sync": [0.0]},
        "leave fov_deg": {"fov_deg": 60.0},
        "there is no person 3": {"person": 3},
        "or a list of videos": {"given": 5},
    }.items():
        with pytest.raises(InputError, match=message):
            capture(**options)
    with pytest.raises(InputError, match="there is a cut at frame 10"):
        capture(filmed(cameras, people, cut=1))
    for sync in ("none", "motion"):
        with pytest.raises(InputError, match="two cameras must see somebody; people were found by none of them"):
            capture(filmed(cameras, []), sync=sync)


def test_cameras_of_another_rig(filmed):
    """Catches advice on crops for cameras that have nothing to do with the videos, and none of it for those cropped."""
    cameras, people = ring(2), walkers(1, seconds=1.0)
    videos = filmed(cameras, people)
    upright = tuple(replace(camera, name=f"c_{camera.name}", size_wh_px=(720, 1280)) for camera in cameras)
    with pytest.raises(InputError, match=r"these cameras \(c_cam0 \.\.\.\) are not of these videos \(cam0 \.\.\.\)"):
        mocap3d.capture(videos, cameras=upright, sync="none")
    larger = tuple(replace(camera, size_wh_px=(4000, 3000)) for camera in upright)
    with pytest.raises(InputError, match="cropped"):
        mocap3d.capture(videos, cameras=larger, sync="none")


def test_one_who_is_left_out_is_one_person():
    """Catches "1 people were seen"."""
    assert multiview._counted(1, "person is", "people are") == "1 person is left out"
    assert multiview._counted(2, "person is", "people are") == "2 people are left out"


def test_cameras_that_saw_nothing_in_common_are_not_synchronised(filmed):
    """Catches an offset that is made up where nobody moves."""
    cameras = ring(2)
    still = [np.repeat(walkers(1, seconds=1.0)[0][:1], 45, axis=0)]
    with pytest.raises(CalibrationError, match="when cam1 started"):
        mocap3d.capture(filmed(cameras, still, noise_px=0.5), cameras=cameras)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:person 2 stands")  # the second figure is behind the calibrated floor
def test_one_person_on_a_treadmill_and_a_second_behind(shared_data):
    """Catches the second figure taken for the person in the views that show both, and feet that hang from shins."""
    from mocap3d.base.feet import sole_points
    from mocap3d.base.projection import project
    from mocap3d.cameras.files import read_cameras
    from mocap3d.cameras.video import open_video

    folder = shared_data / "multiview_pose2sim"
    videos = sorted((folder / "videos").glob("*.mp4"))
    cameras = []
    for camera, video in zip(read_cameras(folder / "calibration" / "Calib.qca.txt"), videos, strict=True):
        size = open_video(video).size_wh_px  # two of the videos are 8 pixels narrower than the sensor
        K = camera.K.copy()
        K[:2, 2] -= np.subtract(camera.size_wh_px, size) / 2
        cameras.append(replace(camera, K=K, size_wh_px=size))
    clip = mocap3d.capture(videos, cameras=cameras, person="all", stop=45, sync="none")
    runner, behind = clip.performances
    assert [pose is not None for pose in runner.views] == [True] * 4
    assert [pose is not None for pose in behind.views] == [True, True, False, False]
    for one in clip.performances:
        for camera, pose in zip(clip.rig, one.views, strict=True):
            if pose is not None:
                off_px = np.linalg.norm(project(camera, one.pose3d.xyz_m)[0][:, :17] - pose.xy_px, axis=-1)
                assert (
                    np.nanmedian(off_px[pose.confidence > 0]) < 40
                )  # calibration included; the two stand 100 px and more apart
    apart_m = runner.pose3d.xyz_m[:, HIPS].mean(axis=(0, 1)) - behind.pose3d.xyz_m[:, HIPS].mean(axis=(0, 1))
    assert np.hypot(apart_m[0], apart_m[2]) > 2
    heel_m, toe_m = sole_points(runner.motion)[10:, 0], sole_points(runner.motion)[10:, 1]  # the left one stands
    slope = (heel_m - toe_m)[:, 1] / np.linalg.norm(heel_m - toe_m, axis=-1)
    assert np.degrees(np.arcsin(np.abs(slope).max())) < 12


def test_who_one_camera_alone_still_sees_goes_on(filmed):
    """Catches somebody who stops in mid-step while one of two cameras is covered."""
    cameras, people = ring(2), walkers(1, seconds=3.0)
    videos = filmed(cameras, people, covered=(1, slice(40, 60)))
    with pytest.warns(mocap3d.Mocap3dWarning, match="no two cameras agree in 20 frames"):
        clip = mocap3d.capture(videos, cameras=cameras, sync="none")
    one = clip.performances[0]
    gap = slice(40 - one.motion.start_frame, 60 - one.motion.start_frame)
    assert (one.pose3d.confidence[gap] == 0).all()
    off_m = np.linalg.norm(
        one.pose3d.xyz_m[:, HIPS] - people[0][one.motion.start_frame :][: len(one.pose3d), HIPS], axis=-1
    )
    still_m = np.linalg.norm(people[0][40:60, HIPS] - people[0][39, HIPS], axis=-1)
    assert off_m[gap].mean() < 0.5 * still_m.mean()
