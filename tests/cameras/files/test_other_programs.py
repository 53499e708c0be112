"""Camera files of other programs: written by hand as those programs write them, and read by OpenCV."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from rigs_of_cameras import BROWN, FISHEYE, looking, ring
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.cameras.files import FORMATS, read_cameras, write_cameras

# A camera at (5, 0, 1) of a Z-up world that looks along -x: right = +y, down = -z, forward = -x. Its rotation vector
# is that of the matrix [[0, 1, 0], [0, 0, -1], [-1, 0, 0]], 120 degrees about (1, 1, -1); t = -R c = (0, 1, 5).
TURN = 2 * np.pi / 3 / np.sqrt(3)
ROTVEC = f"[ {TURN}, {TURN}, {-TURN}]"
POSE2SIM = f"""[cam_01]
name = "cam_01"
size = [ 1088.0, 1920.0]
matrix = [ [ 1681.2, 0.0, 532.9], [ 0.0, 1681.0, 948.1], [ 0.0, 0.0, 1.0]]
distortions = [ -0.0461, 0.1399, 0.0006, 0.0006]
rotation = {ROTVEC}
translation = [ 0.0, 1.0, 5.0]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""
ANIPOSE = f"""[cam_0]
name = "A"
size = [ 640, 480,]
matrix = [ [ 700.0, 0.0, 320.0,], [ 0.0, 700.0, 240.0,], [ 0.0, 0.0, 1.0,],]
distortions = [ -0.1, 0.0, 0.0, 0.0, 0.0,]
rotation = {ROTVEC}
translation = [ 0.0, 1000.0, 5000.0,]

[metadata]
adjusted = false
error = 0.5
"""
INTRI = """%YAML:1.0\r
---\r
names:\r
  - "1"\r
  - "02"\r
K_1: !!opencv-matrix\r
  rows: 3\r
  cols: 3\r
  dt: d\r
  data: [700.000000, 0.000000, 320.000000, 0.000000, 701.000000, 240.000000, 0.000000, 0.000000, 1.000000]\r
dist_1: !!opencv-matrix\r
  rows: 1\r
  cols: 5\r
  dt: d\r
  data: [-0.100000, 0.020000, 0.000000, 0.000000, 0.000000]\r
H_1: 480\r
W_1: 640\r
K_02: !!opencv-matrix\r
  rows: 3\r
  cols: 3\r
  dt: d\r
  data: [700.000000, 0.000000, 319.500000, 0.000000, 701.000000,\r
      239.500000, 0.000000, 0.000000, 1.000000]\r
dist_02: !!opencv-matrix\r
  rows: 1\r
  cols: 5\r
  dt: d\r
  data: [0.000000, 0.000000, 0.000000, 0.000000, 0.000000]\r
"""


def _extri_of(name):
    matrix = "  rows: {}\r\n  cols: {}\r\n  dt: d\r\n  data: {}\r\n"
    return (
        f"R_{name}: !!opencv-matrix\r\n{matrix.format(3, 1, ROTVEC)}"
        f"Rot_{name}: !!opencv-matrix\r\n{matrix.format(3, 3, '[0, 1, 0, 0, 0, -1, -1, 0, 0]')}"
        f"T_{name}: !!opencv-matrix\r\n{matrix.format(3, 1, '[0.0, 1.0, 5.0]')}"
    )


EXTRI = '%YAML:1.0\r\n---\r\nnames:\r\n  - "1"\r\n  - "02"\r\n' + _extri_of("1") + _extri_of("02")


def _file(folder, text, name="a.toml"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


def _stands_at(camera, xyz_m, looks_along):
    np.testing.assert_allclose(camera.world_from_cam[:3, 3], xyz_m, atol=1e-9)
    np.testing.assert_allclose(camera.world_from_cam[:3, 2], looks_along, atol=1e-9)
    np.testing.assert_allclose(camera.world_from_cam[:3, 1], [0, -1, 0], atol=1e-9)  # down in the picture is down


def test_pose2sim_means_a_z_up_world(tmp_path):
    """Catches a world left lying on its side, a transposed rotation, and sizes with a point refused."""
    (camera,) = read_cameras(_file(tmp_path, POSE2SIM))
    assert (camera.name, camera.size_wh_px, camera.model) == ("cam_01", (1088, 1920), "brown-conrady")
    np.testing.assert_allclose(camera.distortion, [-0.0461, 0.1399, 0.0006, 0.0006])
    np.testing.assert_allclose(np.diag(camera.K), [1681.2, 1681.0, 1])
    _stands_at(camera, [5, 1, 0], [-1, 0, 0])


def test_aniposelib_says_neither_unit_nor_axis(tmp_path):
    """Catches a unit or an axis that is guessed in silence."""
    path = _file(tmp_path, ANIPOSE)
    second = ANIPOSE.replace("cam_0", "cam_1").replace('"A"', '"B"').replace("5000.0", "9000.0").split("[metadata]")[0]
    two = _file(tmp_path, ANIPOSE.replace("[metadata]", second + "[metadata]"), "two.toml")
    with pytest.warns(Mocap3dWarning, match="4000 m apart; if the file is in millimetres, say unit_m=0.001"):
        read_cameras(two)
    assert len(read_cameras(two, unit_m=0.001)) == 2
    (camera,) = read_cameras(path, unit_m=0.001, up="Z")
    _stands_at(camera, [5, 1, 0], [-1, 0, 0])
    (camera,) = read_cameras(path, unit_m=0.001)
    np.testing.assert_allclose(camera.world_from_cam[:3, 3], [5, 0, 1], atol=1e-9)


def test_fisheye_of_aniposelib(tmp_path):
    """Catches a fisheye read as another lens, and five coefficients that pad four."""
    text = ANIPOSE.replace("[metadata]", "fisheye = true\n[metadata]")
    (camera,) = read_cameras(_file(tmp_path, text), unit_m=0.001)
    assert (camera.model, camera.distortion.tolist()) == ("fisheye", [-0.1, 0.0, 0.0, 0.0])


def test_the_files_of_caliscope(shared_data):
    """Catches a rotation matrix taken for a vector, and tables of other things taken for cameras; both layouts."""
    for name, first in (("camera_array.toml", "cam_0"), ("config.toml", "cam_0")):
        cameras = read_cameras(shared_data / "charuco_caliscope" / name)
        assert [camera.name for camera in cameras] == [first, "cam_1", "cam_2", "cam_3"]
        assert {camera.size_wh_px for camera in cameras} == {(1280, 720)}
        centres = np.array([camera.world_from_cam[:3, 3] for camera in cameras])
        assert 0.1 < np.linalg.norm(centres[0] - centres[1]) < 3


def test_easymocap_is_a_pair_of_files(tmp_path):
    """Catches names that are numbers, lists over two lines, CRLF, and either file given alone or as a folder."""
    _file(tmp_path, INTRI, "intri.yml")
    _file(tmp_path, EXTRI, "extri.yml")
    for path in (tmp_path, tmp_path / "intri.yml", tmp_path / "extri.yml"):
        with pytest.warns(Mocap3dWarning, match="camera '02'.*640x480"):
            first, second = read_cameras(path)
        assert [first.name, second.name] == ["1", "02"]
        assert first.size_wh_px == second.size_wh_px == (640, 480)
        np.testing.assert_allclose(first.K, [[700, 0, 320], [0, 701, 240], [0, 0, 1]])
        np.testing.assert_allclose(second.K[:2, 2], [319.5, 239.5])
        np.testing.assert_allclose(first.distortion, [-0.1, 0.02, 0, 0, 0])
        for camera in (first, second):
            _stands_at(camera, [5, 1, 0], [-1, 0, 0])


@pytest.mark.filterwarnings("ignore:.*does not say the size")
def test_one_file_of_the_pair_alone(tmp_path):
    """Catches cameras that all stand at the origin in silence."""
    path = _file(tmp_path, INTRI, "intri.yml")
    with pytest.warns(Mocap3dWarning, match=r"no extri\.yml beside it"):
        read_cameras(path)
    path.unlink()
    with pytest.raises(FileFormatError, match=r"there is no intri\.yml"):
        read_cameras(_file(tmp_path, EXTRI, "extri.yml"))


@pytest.mark.parametrize("suffix", [".yml", ".json"])
def test_what_opencv_writes(tmp_path, suffix):
    """Catches a misread of FileStorage: nested maps, float32, line breaks, exponents."""
    path = tmp_path / f"lens{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("calibration_time", "Mon Nov 23 05:43:20 2026")
    storage.startWriteStruct("settings", cv2.FILE_NODE_MAP)
    storage.write("square", 0.06)
    storage.write("views", np.eye(2, dtype=np.float32))
    storage.endWriteStruct()
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("camera_matrix", np.array([[900, 0, 640.25], [0, 901.5, 360], [0, 0, 1.0]]))
    storage.write("distortion_coefficients", np.array([[0.1, -0.2, 1e-7, 0.0, 0.05]]))
    storage.release()
    (camera,) = read_cameras(path)
    assert (camera.name, camera.size_wh_px) == ("lens", (1280, 720))
    np.testing.assert_array_equal(camera.K, [[900, 0, 640.25], [0, 901.5, 360], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, [0.1, -0.2, 1e-7, 0.0, 0.05])


def test_a_lens_of_ros(tmp_path):
    """Catches a matrix without OpenCV's tag, and an equidistant lens read as Brown-Conrady."""
    text = (
        "image_width: 640\nimage_height: 480\ncamera_name: left\ndistortion_model: equidistant\n"
        "camera_matrix:\n  rows: 3\n  cols: 3\n  data: [300, 0, 320, 0, 300, 240, 0, 0, 1]\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 4\n  data: [0.1, 0.01, 0.0, 0.0]\n"
    )
    (camera,) = read_cameras(_file(tmp_path, text, "left.yaml"))
    assert (camera.name, camera.model, len(camera.distortion)) == ("left", "fisheye", 4)


def test_human36m(shared_data):
    """Catches millimetres, a Z-up world, a rotation transposed: against the project's own table."""
    from mocap3d.data_prep.human36m_cameras import human36m_cameras

    path = shared_data / "h36m_camera_parameters.json"
    for camera in read_cameras(path, subject="S9"):
        truth = human36m_cameras("S9")[camera.name]
        assert camera.size_wh_px == truth.size_wh_px
        np.testing.assert_allclose(camera.K, truth.K, atol=1e-4)
        np.testing.assert_allclose(camera.distortion, truth.distortion, atol=1e-7)
        np.testing.assert_allclose(camera.cam_from_world, truth.cam_from_world, atol=1e-5)
    assert "S11/60457274" in [camera.name for camera in read_cameras(path)]
    with pytest.raises(FileFormatError, match="no subject 'S12'; there are S1, "):
        read_cameras(path, subject="S12")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_back_what_it_was_given(tmp_path, name):
    """Catches a writer and a reader that disagree about an axis, a unit, an order or a lens."""
    cameras = ring(3, lens=BROWN)
    if name == "human36m":
        cameras = [
            Camera(
                name=f"S1/{number}",
                size_wh_px=(1000, 1002 if number == "54138969" else 1000),
                K=camera.K,
                distortion=camera.distortion,
                cam_from_world=camera.cam_from_world,
            )
            for number, camera in zip(("54138969", "55011271", "58860488"), cameras, strict=True)
        ]
    write_cameras(cameras, tmp_path / "rig", name)
    for read, written in zip(read_cameras(tmp_path / "rig"), cameras, strict=True):
        assert (read.name, read.size_wh_px, read.model) == (written.name, written.size_wh_px, written.model)
        for field in ("K", "distortion", "cam_from_world"):
            np.testing.assert_allclose(getattr(read, field), getattr(written, field), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["toml", "aniposelib", "opencv", "opencv-json"])
def test_a_fisheye_comes_back(tmp_path, name):
    """Catches a fisheye that comes back as another lens."""
    write_cameras([looking("a", (0, 1, 4), (0, 1, 0), lens=FISHEYE)], tmp_path / "rig", name)
    (camera,) = read_cameras(tmp_path / "rig")
    assert (camera.model, camera.distortion.tolist()) == ("fisheye", list(FISHEYE))


@pytest.mark.parametrize("name", ["easymocap", "human36m", "pose2sim", "qualisys"])
def test_a_lens_that_a_format_cannot_hold_is_refused(tmp_path, name):
    """Catches a fisheye that is written as if it were none."""
    with pytest.raises(InputError, match=r"lens|SUBJECT/ID"):
        write_cameras([looking("a", (0, 1, 4), (0, 1, 0), lens=FISHEYE)], tmp_path / "rig", name)
    with pytest.raises(InputError, match="format must be one of"):
        write_cameras(ring(1), tmp_path / "rig", "colmap")


def test_the_name_chooses_the_format(tmp_path):
    """Catches a .json with TOML in it."""
    for name, begin in (
        ("a.qca.txt", "<?xml"),
        ("a.yml", "%YAML"),
        ("a.json", "{"),
        ("a.toml", "version"),
        ("a", "ver"),
    ):
        write_cameras(ring(1), tmp_path / name)
        assert (tmp_path / name).read_text().startswith(begin)
    write_cameras(ring(1), tmp_path / "intri.yml")
    assert (tmp_path / "extri.yml").exists()


def test_opencv_reads_what_we_write(tmp_path):
    """Catches YAML and JSON that only our own reader understands."""
    camera = looking("left", (1, 2, 3), (0, 1, 0), lens=BROWN)
    for suffix in (".yml", ".json"):
        write_cameras([camera], tmp_path / f"a{suffix}")
        storage = cv2.FileStorage(str(tmp_path / f"a{suffix}"), cv2.FILE_STORAGE_READ)
        assert storage.getNode("names").at(0).string() == "left"
        np.testing.assert_array_equal(storage.getNode("K_left").mat(), camera.K)
        np.testing.assert_array_equal(storage.getNode("dist_left").mat(), camera.distortion[None])
        turned = storage.getNode("Rot_left").mat()
        np.testing.assert_allclose(cv2.Rodrigues(storage.getNode("R_left").mat())[0], turned, atol=1e-12)
        z_up_from_ours = Rotation.from_euler("x", 90, degrees=True).as_matrix()
        np.testing.assert_allclose(turned @ z_up_from_ours, camera.cam_from_world[:3, :3], atol=1e-12)


H36M = {"intrinsics": {"1": {"calibration_matrix": np.eye(3).tolist(), "distortion": [0.0] * 5}}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", ANIPOSE.replace("rotation = ", "rotations = "), "camera 'A' has no rotation"),
        ("a.toml", ANIPOSE.replace("5000.0,", "nan,"), "translation of camera 'A' must be 3 finite"),
        ("a.toml", ANIPOSE.replace("-0.1, 0.0,", ""), "must be 0, 4, 5, 8, 12, 14 numbers, got 3"),
        ("a.toml", ANIPOSE.replace("size = [ 640, 480,]", "size = [ 640.5, 480,]"), "whole pixels"),
        ("a.toml", ANIPOSE.replace("size = [ 640, 480,]\n", ""), "has no size"),
        ("a.toml", ANIPOSE.replace("700.0", "-700.0", 1), "focal lengths above 0"),
        ("a.toml", ANIPOSE.replace('name = "A"', "name = [1]"), r"name of table \[cam_0\]"),
        ("a.toml", "[project]\nfps = 3\n", "unknown key 'project'"),
        ("a.yml", INTRI.replace("rows: 3", "rows: 2", 1), r"a\.yml:6: the matrix 'K_1' says 2 x 3 and holds 9"),
        ("a.yml", INTRI.replace("]", "", 1), "a list is not closed|expected 'key: value'|no number"),
        ("a.yml", INTRI.replace("701.000000", "one", 1), ":6: the matrix 'K_1' holds something that is no number"),
        ("a.yml", INTRI.replace("K_1:", "K_9:") + _extri_of("1"), "camera '1' has no K_1"),
        ("a.yml", "%YAML:1.0\n---\na: 1\n  b: 2\n", ":4: this line belongs to nothing"),
        ("a.yml", "%YAML:1.0\n---\na: 1\na: 2\n", ":4: 'a' stands there twice"),
        ("a.yml", "%YAML:1.0\n---\n\ta: 1\n", ":3: YAML is indented by blanks"),
        ("a.yml", "%YAML:1.0\n---\na: &b 1\n", ":3: OpenCV writes no"),
        ("a.yml", "%YAML:1.0\n---\na: 1\n", "neither names"),
        ("a.json", '{"a": 1,\n}', "a.json:2: not JSON"),
        ("a.json", '{"a": ' + "[" * 90 + "]" * 90 + "}", "nested too deeply"),
        ("a.json", "{}", "neither names"),
        ("a.json", json.dumps(H36M | {"extrinsics": {"S1": {"1": {"R": [[1]]}}}}), "must have R and t"),
        ("a.json", json.dumps(H36M | {"extrinsics": {"S1": {"2": {}}}}), "must have calibration_matrix"),
        ("a.json", json.dumps(H36M | {"extrinsics": {}}), "at least one camera"),
        ("a.toml", "\x00\x01", "not a TOML file"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, name, text, message):
    """Catches a traceback, a missing line, and a number taken for another."""
    with pytest.raises(FileFormatError, match=message) as caught:
        read_cameras(_file(tmp_path, text, name), unit_m=0.001)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_no_text_and_far_too_long(tmp_path):
    """Catches a video that is read to its end as a camera file, and a decoding error."""
    (tmp_path / "a.toml").write_bytes(b"name = \xff")
    with pytest.raises(FileFormatError, match="not a text file in UTF-8"):
        read_cameras(tmp_path / "a.toml")
    with (tmp_path / "a.mp4").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(FileFormatError, match="longer than 16 MB"):
        read_cameras(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="cannot read"):
        read_cameras(tmp_path)
    with pytest.raises(InputError, match="up must be one of"):
        read_cameras(tmp_path, up="z")
    with pytest.raises(InputError, match="unit_m must be above 0"):
        read_cameras(tmp_path, unit_m=0.0)
