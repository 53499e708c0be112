"""Capture of what is not a nice video of a walking person."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from videos import LENS, WALK, frames_of_the_walk, write_video

import mocap3d
from mocap3d.base.humanoid import rest_hips_height_m
from mocap3d.base.skeletons import COCO_17, HUMANOID_22


def test_nobody_in_the_picture(tmp_path):
    """Catches a motion invented out of noise, or an index error."""
    noise = np.random.default_rng(0).integers(0, 255, (10, 120, 160, 3)).astype(np.uint8)
    with pytest.raises(mocap3d.InputError, match="nobody was found"):
        mocap3d.capture(write_video(tmp_path / "noise.mp4", list(noise)))


def test_three_by_three_pixels(tmp_path):
    """Catches crops of zero size."""
    pictures = [np.full((3, 3, 3), 90, np.uint8)] * 3
    with pytest.raises(mocap3d.InputError, match="nobody was found"):
        mocap3d.capture(write_video(tmp_path / "tiny.mp4", pictures))


def test_one_frame(tmp_path):
    """Catches filters and derivatives that need a second frame."""
    video = write_video(tmp_path / "one.mp4", frames_of_the_walk(60, 61))
    clip = mocap3d.capture(video, cameras=LENS)
    assert len(clip.motion) == 1
    (path,) = clip.save(tmp_path / "one.bvh")
    assert len(mocap3d.read(path)) == 1


def test_corrupt_file(tmp_path):
    """Catches a decoder's message shown raw, or an endless loop."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(WALK.read_bytes()[:5000])
    with pytest.raises(mocap3d.InputError, match=r"broken\.mp4"):
        mocap3d.capture(broken)


def test_each_shot_by_itself(tmp_path):
    """Catches smoothing across a cut, and one file written over the other."""
    there, back = frames_of_the_walk(40, 60), [picture[:, ::-1] for picture in frames_of_the_walk(90, 110)]
    with pytest.warns(mocap3d.Mocap3dWarning, match="cut at frame 20:"):
        clip = mocap3d.capture(write_video(tmp_path / "cut.mp4", there + back), cameras=LENS)
    assert [(shot.start, shot.stop) for shot in clip.shots] == [(0, 20), (20, 40)]
    assert [performance.motion.start_frame for performance in clip.performances] == [0, 20]
    first, second = (performance.motion.root_m for performance in clip.performances)
    assert (first[-1] - first[0])[0] * (second[-1] - second[0])[0] < 0  # she walks back
    assert [path.name for path in clip.save(tmp_path / "x.bvh")] == ["x-shot1.bvh", "x-shot2.bvh"]


def test_hips_up_only(tmp_path):
    """Catches legs invented for a person of whom the picture shows only the upper half."""
    upper = [picture[:280] for picture in frames_of_the_walk(50, 70)]
    with pytest.warns(mocap3d.Mocap3dWarning, match="lower body was not seen"):
        clip = mocap3d.capture(write_video(tmp_path / "upper.mp4", upper))
    assert clip.performances[0].unobserved == ("lower body",)
    assert any("lower body" in note for note in clip.notes)
    assert rest_hips_height_m(clip.motion.rig) == pytest.approx(0.53 * 1.70, rel=0.03)


def test_frames_are_counted_in_the_video():
    """Catches a motion that claims to begin at the video's first frame when it was asked for a later one."""
    clip = mocap3d.capture(WALK, cameras=LENS, start=40, stop="2s")
    assert clip.motion.start_frame == 40
    assert [(shot.start, shot.stop) for shot in clip.shots] == [(40, 60)]


def test_a_person_whom_one_shot_lacks(tmp_path):
    """Catches a whole video lost because the second person is not in every shot."""
    one = frames_of_the_walk(40, 52)
    two = [
        np.concatenate([picture[:, 400:], picture[:, 400:, ::-1]], axis=1) for picture in frames_of_the_walk(90, 102)
    ]
    two = [picture[:, : one[0].shape[1]] for picture in two]
    video = write_video(tmp_path / "cut.mp4", one + two)
    with pytest.warns(mocap3d.Mocap3dWarning):
        clip = mocap3d.capture(video, person=2)
    assert any("frames 0 to 11: there is no person 2" in note for note in clip.notes)
    assert [performance.shot for performance in clip.performances] == [1]


def test_a_shot_that_cannot_be_solved_spoils_no_other(tmp_path, monkeypatch):
    """Catches a whole video lost because one shot of it is hopeless."""
    import mocap3d.motion.solve

    def solve_all_but_the_first(pose, **options):
        if options["start_frame"] == 0:
            raise mocap3d.InputError("hopeless")
        return genuine(pose, **options)

    genuine = mocap3d.motion.solve.solve
    monkeypatch.setattr(mocap3d.motion.solve, "solve", solve_all_but_the_first)
    there, back = frames_of_the_walk(40, 50), [picture[:, ::-1] for picture in frames_of_the_walk(90, 100)]
    with pytest.warns(mocap3d.Mocap3dWarning):
        clip = mocap3d.capture(write_video(tmp_path / "cut.mp4", there + back), cameras=LENS)
    assert [performance.shot for performance in clip.performances] == [1]
    assert clip.grounds[0] is None
    assert "frames 0 to 9: hopeless" in clip.notes


def test_a_camera_that_pans(tmp_path):
    """Catches a moving camera that nobody is told of."""
    pictures = [picture[:, 4 * n : 4 * n + 1200] for n, picture in enumerate(frames_of_the_walk(40, 70))]
    with pytest.warns(mocap3d.Mocap3dWarning, match="camera moves"):
        clip = mocap3d.capture(write_video(tmp_path / "pan.mp4", pictures))
    assert clip.shots[0].camera_moves


def test_a_truncated_video_is_remembered(tmp_path):
    """Catches a file that breaks off, and a result that does not say so."""
    whole = write_video(tmp_path / "whole.avi", frames_of_the_walk(40, 80))
    half = tmp_path / "half.avi"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.warns(mocap3d.Mocap3dWarning, match="breaks off"):
        clip = mocap3d.capture(half)
    assert any("breaks off" in note for note in clip.notes)


def test_the_camera_stands_where_it_saw_from():
    """Catches two truths about one camera: the motion, projected by the clip's camera, must meet the 2D joints."""
    clip = mocap3d.capture(WALK, cameras=LENS, start=40, stop=60)
    world_m, _ = mocap3d.forward(clip.motion)
    homogeneous = np.concatenate([world_m, np.ones((*world_m.shape[:2], 1))], axis=-1)
    projected = homogeneous @ clip.cameras[0].px_from_world.T
    xy_px = projected[..., :2] / projected[..., 2:]
    knee = clip.performances[0].pose2d.xy_px[:, COCO_17.index("left_knee")]
    assert np.median(np.linalg.norm(xy_px[:, HUMANOID_22.index("leftLowerLeg")] - knee, axis=-1)) < 20


def test_scale_follows_the_height():
    """Catches a height that changes the body but not the way it walks."""
    clips = [mocap3d.capture(WALK, cameras=LENS, height_m=h, start=40, stop=60) for h in (1.5, 1.8)]
    ways = [np.linalg.norm(clip.motion.root_m[-1] - clip.motion.root_m[0]) for clip in clips]
    assert ways[1] / ways[0] == pytest.approx(1.2, rel=0.05)
    hips = [clip.motion.rig.bone_lengths_m.sum() for clip in clips]
    assert hips[1] / hips[0] == pytest.approx(1.2, rel=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fov_deg": 0.0}, "fov_deg"),
        ({"fov_deg": 60.0, "cameras": LENS}, "either"),
        ({"height_m": 17.0}, "height_m"),
        ({"height_m": float("nan")}, "height_m"),
        ({"camera_tilt_deg": 100.0}, "camera_tilt_deg"),
        ({"height_m": "1.7"}, "height_m"),
        ({"cameras": "nowhere.toml"}, "nowhere.toml"),
        ({"cameras": ["a.toml"]}, "cameras must be"),
        ({"device": "abacus"}, "device"),
        ({"person": 0}, "person"),
        ({"person": "second"}, "person"),
        ({"person": 7, "stop": 12}, "person"),
    ],
)
def test_options_that_make_no_sense(options, message):
    """Catches a wrong option that is noticed late, or never."""
    with pytest.raises(mocap3d.InputError, match=message):
        mocap3d.capture(WALK, **options)


def test_one_video_is_not_several_cameras():
    """Catches a rig without depth: the same video twice, or a list of one."""
    with pytest.raises(mocap3d.InputError, match="given twice"):
        mocap3d.capture([WALK, WALK])
    with pytest.raises(mocap3d.InputError, match="at least 2 videos"):
        mocap3d.capture([WALK])


def test_a_single_picture_is_no_video(tmp_path):
    """Catches a photo that is captured as a video of one frame."""
    photo = tmp_path / "w.png"
    photo.write_bytes(cv2.imencode(".png", frames_of_the_walk(60, 61)[0])[1].tobytes())
    with pytest.raises(mocap3d.InputError, match=r"w\.png is a single picture; .*\(--fps\)"):
        mocap3d.capture(photo)


def test_a_rig_for_one_video():
    """Catches names of Python told to somebody who gave a camera file."""
    rig = [mocap3d.Camera.from_fov(name, (1552, 536), 60.0) for name in ("a", "b")]
    with pytest.raises(mocap3d.InputError, match=r"the rig holds 2 cameras \(a, b\); for one video keep the one"):
        mocap3d.capture(WALK, cameras=rig, stop=2)


def test_a_lens_that_cannot_be_is_doubted():
    """Catches a wrong field of view that succeeds in silence while joints lie far from where they were seen."""
    with pytest.warns(mocap3d.Mocap3dWarning, match=r"is the lens right, with a field of view of 155 degrees \(--fov"):
        mocap3d.capture(WALK, fov_deg=155, start=30, stop=60)


def test_camera_of_another_size(tmp_path):
    """Catches a lens applied to pictures that it was not measured for."""
    video = write_video(tmp_path / "small.mp4", [np.zeros((90, 160, 3), np.uint8)] * 2)
    with pytest.raises(mocap3d.InputError, match="pictures of"):
        mocap3d.capture(video, cameras=LENS)
