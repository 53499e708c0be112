"""What the page of a capture is given: places, pictures of the right frame, figures, files of every format."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from captured_clips import FIRST, GRAY_STEP, OFFSETS_S, STOP, take, walk
from mocap3d.viewers.captures import CaptureShow, MotionShow, RigShow, open_capture, pictures
from mocap3d.viewers.captures.downloads import Downloads
from mocap3d.viewers.captures.people import people_of_clip
from mocap3d.viewers.captures.plain_words import FIGURE_WORDS, PLOTS
from videos import LENS, WALK

import mocap3d
from mocap3d.cameras.video import open_video
from mocap3d.quality.animation import FIGURES


@pytest.fixture(scope="module")
def show():
    """A piece of the demo clip."""
    return CaptureShow(walk())


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A take of three cameras."""
    return take(tmp_path_factory.mktemp("take"))


def array(show, name):
    """All rows of an array, as the page reads them."""
    shape = show.manifest()["arrays"][name]["shape"]
    return np.frombuffer(show.rows(name, 0, shape[0]), "<f4").reshape(shape)


def decoded(jpeg):
    """RGB of a JPEG."""
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(float)


def test_places_are_those_of_forward_kinematics(show):
    """Catches joints in another order, frames cut wrongly, or bytes of another type."""
    world_m, _ = mocap3d.forward(walk().motion)
    assert np.allclose(array(show, "0.world"), world_m, atol=1e-6)
    assert show.rows("0.world", 3, 5) == world_m[3:5].astype("<f4").tobytes()
    for start, stop in ((-1, 2), (5, 4), (0, 25)):
        with pytest.raises(LookupError):
            show.rows("0.world", start, stop)
    with pytest.raises(LookupError):
        show.rows("no such", 0, 1)


def test_the_body_in_the_picture_is_where_opencv_projects_it(show):
    """Catches a camera in another world, a lost half pixel, rows and columns exchanged."""
    (camera,), (world_m, _) = walk().cameras, mocap3d.forward(walk().motion)
    vector, _ = cv2.Rodrigues(camera.cam_from_world[:3, :3])
    lens = (camera.K, camera.distortion if len(camera.distortion) else None)
    expected, _ = cv2.projectPoints(world_m.reshape(-1, 3), vector, camera.cam_from_world[:3, 3], *lens)
    assert np.allclose(array(show, "0.shown.0"), expected.reshape(len(world_m), -1, 2), atol=2e-3)


def test_the_served_picture_is_the_readers_frame(show):
    """Catches the picture before, the one after, one counted from the start of the range, or another colour order."""
    frames = list(open_video(WALK, start=49, stop=54))
    for frame in (53, 50, 51):
        served = decoded(show.picture("0", frame))
        height, width = served.shape[:2]
        off = [np.abs(cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) - served).mean() for one in frames]
        assert int(np.argmin(off)) == frame - 49
        assert min(off) < 3


def test_pictures_of_several_cameras_are_of_one_moment(several):
    """Catches offsets of cameras that are forgotten, or taken with the wrong sign, and a take named after one video."""
    show = CaptureShow(several)
    assert show.name == f"{Path(several.settings['videos'][0]).name} and {len(OFFSETS_S) - 1} more"
    for camera, late_s in enumerate(OFFSETS_S):
        gray = decoded(show.picture(str(camera), 45)).mean()
        assert round(gray / GRAY_STEP) == 45 - round(late_s * 30)
    assert [one["offset"] for one in show.manifest()["cameras"]] == [0, -3, 6]
    show.close()


def test_any_order_of_frames_any_thread_little_memory(several, monkeypatch):
    """Catches a reader that is shared without a lock, and a cache that grows with the video."""
    one = pictures.Pictures(Path(several.settings["videos"][0]), fps=several.motion.fps)
    monkeypatch.setattr(pictures, "_CACHE_BYTES", 3 * len(one.jpeg(0)))
    wrong = []

    def ask(order):
        wrong.extend(index for index in order if round(decoded(one.jpeg(index)).mean() / GRAY_STEP) != index)

    orders = [np.random.default_rng(seed).permutation(60)[:20].tolist() for seed in range(4)]
    threads = [threading.Thread(target=ask, args=[order]) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(one._cache) <= 5
    for index in (-1, 60):
        with pytest.raises(LookupError):
            one.jpeg(index)
    one.close()


def test_a_video_that_is_gone(tmp_path):
    """Catches a page that fails altogether because its pictures do."""
    show = CaptureShow(replace(walk(), source=tmp_path / "gone.mp4"))
    (camera,) = show.manifest()["cameras"]
    assert camera["pictures"] is None
    assert "gone.mp4" in camera["problem"]
    with pytest.raises(LookupError):
        show.picture("0", 45)
    assert len(array(show, "0.world")) == STOP - FIRST


def test_a_video_that_was_moved(tmp_path):
    """Catches stages that lose their pictures when both are moved together, and --video for the wrong camera."""
    walk().save_stages(tmp_path / "stages")
    moved = replace(walk(), source=Path("elsewhere/walk.mp4"))
    (tmp_path / "walk.mp4").write_bytes(WALK.read_bytes())
    beside = CaptureShow(moved, near=tmp_path / "stages")
    assert beside.manifest()["cameras"][0]["problem"] is None
    said = CaptureShow(moved, videos=[WALK])
    assert said.picture("0", 45) == beside.picture("0", 45)
    with pytest.raises(mocap3d.InputError, match="1 video"):
        CaptureShow(moved, videos=[WALK, WALK])
    from_folder = open_capture(tmp_path / "stages")
    assert isinstance(from_folder, CaptureShow)
    assert isinstance(open_capture(tmp_path / "stages" / "record.npz"), CaptureShow)
    small = CaptureShow(walk(), videos=[_small_video(tmp_path)])
    assert "has pictures of (64, 48)" in small.manifest()["cameras"][0]["problem"]


def _small_video(folder):
    from captured_clips import gray_video

    return gray_video(folder / "small.mp4", (64, 48), frames=3)


def test_figures_are_those_of_the_summary(show):
    """Catches figures of another person, rounded otherwise, or without a word of explanation."""
    (summary,) = walk().summary()["people"]
    (person,) = show.manifest()["people"]
    shown = {figure["name"]: figure["text"] for figure in person["figures"]}
    expected = {one.name: one.shown(summary["quality"][one.name]) for one in FIGURES}
    assert shown == {name: text for name, text in expected.items() if text is not None}
    assert FIGURE_WORDS.keys() >= {one.name for one in FIGURES} | {plot.figure for plot in PLOTS}


def test_what_is_plotted_has_the_mean_of_the_summary(show):
    """Catches a plot of other joints, cameras or units than the number below it."""
    (summary,) = walk().summary()["people"]
    (person,) = show.manifest()["people"]
    series = {one["figure"]: array(show, one["array"]) for one in person["series"]}
    assert set(series) == {plot.figure for plot in PLOTS}
    assert np.nanmean(series["jerk_m_per_s3"]) == pytest.approx(summary["quality"]["jerk_m_per_s3"], rel=1e-3)
    assert np.nanmean(series["reprojection_px"]) == pytest.approx(summary["quality"]["reprojection_px"], rel=0.05)


def test_rays_meet_in_the_joint(several):
    """Catches rays in the camera's axes, or from pixels of another camera."""
    show = CaptureShow(several)
    lifted = array(show, "0.lifted")[..., :3]
    centre = several.rig[0].world_from_cam[:3, 3]
    ray = array(show, "0.rays.0")
    off = lifted - centre
    aside = off - (off * ray).sum(axis=-1, keepdims=True) * ray
    assert np.nanmax(np.linalg.norm(aside, axis=-1)) < 1e-3
    residual = array(show, "0.seen.2")[..., :2] - array(show, "0.lifted.2")
    assert np.allclose(residual[np.isfinite(residual).all(axis=-1)], [0.0, 6.0], atol=1e-2)


def test_every_download_is_a_file_that_can_be_read(show):
    """Catches a button behind which there is no file, or one of another motion."""
    downloads, world_m = Downloads("walk", people_of_clip(walk())), mocap3d.forward(walk().motion)[0]
    offers = show.manifest()["downloads"]
    extensions = [one["extension"] for one in offers["formats"]]
    assert {".bvh", ".fbx", ".glb", ".vrma", ".npz", ".h5", ".json", ".c3d", ".trc", ".csv"} <= set(extensions)
    for offer in offers["formats"]:
        look = "mannequin" if offer["mannequin"] else "bones"
        called, content = downloads.make(f"0.as-captured.{look}{offer['extension']}")
        assert called == f"walk{offer['extension']}"
        _check_file(called, content, world_m)


def _check_file(called, content, world_m):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / called
        path.write_bytes(content)
        found = mocap3d.read(path)
    assert len(found) == len(world_m)
    places = found.xyz_m if isinstance(found, mocap3d.Pose3D) else mocap3d.forward(found)[0]
    low, high = np.nanmin(places, axis=(0, 1)), np.nanmax(places, axis=(0, 1))
    assert np.allclose(high[1] - low[1], np.ptp(world_m[..., 1]), atol=0.25)  # with tips, soles, markers


@pytest.mark.parametrize("name", ["1.as-captured.bones.bvh", "0.nobody.bones.bvh", "0.as-captured.bones.exe", "bvh",
                                  "0.as-captured.mannequin.bvh", "-1.as-captured.bones.bvh", "0.ue5.bones.vrma",
                                  "../0.as-captured.bones.bvh",
                                  "0.as-captured.bones./../x", f"{'9' * 5000}.as-captured.bones.bvh"])  # fmt: skip
def test_other_names_are_no_downloads(show, name):
    """Catches a name that becomes a path, or a format that nobody offered."""
    with pytest.raises(LookupError):
        show.download(name)


def test_presets_and_several_people(tmp_path, monkeypatch):
    """Catches a preset without effect, files of two people under one name, and temporary files that stay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    clip = walk()
    two = replace(clip, performances=(clip.performances[0], replace(clip.performances[0], person=2)))
    show = CaptureShow(two)
    called, content = show.download("1.mixamo.bones.bvh")
    assert called == "walk-person2-mixamo.bvh"
    assert b"mixamorig:Hips" in content
    assert list(tmp_path.iterdir()) == []


def test_motion_of_other_bodies(tmp_path):
    """Catches presets that only mocap3d's own body can wear, people of one file mixed up, and a mannequin of none."""
    motion = walk().motion
    mocap3d.write({"anna": motion, "ben": motion}, tmp_path / "two.bvh", preset="mixamo")
    show = MotionShow(tmp_path / "two.bvh")
    assert [person["label"] for person in show.manifest()["people"]] == ["anna", "ben"]
    called, content = show.download("1.unity.bones.bvh")
    assert called == "two-ben-unity.bvh"
    assert b"LeftUpperArm" in content
    assert b"mixamorig" not in content
    assert show.download("0.as-captured.mannequin.glb")[1][:4] == b"glTF"
    snake = mocap3d.Skeleton(name="snake", joint_names=("a", "b", "c"), parents=(-1, 0, 1), mirror=(0, 1, 2))
    still = np.tile([1.0, 0, 0, 0], (4, 3, 1))
    rig = mocap3d.Rig(skeleton=snake, offsets_m=np.array([[0, 0, 0], [0, 1, 0], [0, 1, 0.0]]), rest_wxyz=still[0])
    mocap3d.write(mocap3d.Motion(rig=rig, fps=30, local_wxyz=still, root_m=np.zeros((4, 3))), tmp_path / "snake.bvh")
    manifest = MotionShow(tmp_path / "snake.bvh").manifest()
    assert manifest["downloads"]["presets"] == []
    assert "not judged" in manifest["notes"][0]
    assert manifest["people"][0]["mannequin"] is None


def test_motion_files_and_points(tmp_path):
    """Catches a file in centimetres shown 170 m tall, and markers of an unknown body joined by bones."""
    mocap3d.write(walk().motion, tmp_path / "cm.bvh", unit_m=0.01)
    show = MotionShow(tmp_path / "cm.bvh")
    manifest = show.manifest()
    assert manifest["kind"] == "motion"
    assert "cm" in manifest["notes"][0]
    assert 1.3 < np.ptp(array(show, "0.world")[0, :, 1]) < 1.8
    assert manifest["people"][0]["sides"][6] == "left"
    mocap3d.write(walk().motion, tmp_path / "points.trc")
    points = MotionShow(tmp_path / "points.trc").manifest()
    (own,) = points["people"]
    assert own["joints"][own["parents"][own["joints"].index("leftHand")]] == "leftLowerArm"
    text = (tmp_path / "points.trc").read_text()
    (tmp_path / "others.trc").write_text(text.replace("leftToesTip", "LTOE"))
    assert set(MotionShow(tmp_path / "others.trc").manifest()["people"][0]["parents"]) == {-1}
    assert points["people"][0]["mannequin"] is None
    assert [one["extension"] for one in points["downloads"]["formats"]] == [".c3d", ".trc", ".csv"]


def test_camera_files():
    """Catches a rig that is not shown, or looked for in other folders."""
    show = open_capture(LENS)
    assert isinstance(show, RigShow)
    manifest = show.manifest()
    assert (manifest["kind"], len(manifest["cameras"])) == ("rig", 1)
    assert manifest["downloads"] is None


def test_what_cannot_be_shown(tmp_path):
    """Catches a traceback for a folder, a text, a video, or a file of which nothing was written."""
    (tmp_path / "a.txt").write_text("x")
    empty = [tmp_path / f"empty{extension}" for extension in (".npz", ".bvh", ".glb", ".toml")]
    for path in empty:
        path.touch()
    for path in (tmp_path, tmp_path / "a.txt", WALK, *empty):
        with pytest.raises(mocap3d.InputError):
            open_capture(path)
    with pytest.raises(mocap3d.InputError, match="no capture"):
        open_capture(LENS, videos=[WALK])
