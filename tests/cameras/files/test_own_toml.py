"""Camera files: what is written is read, exactly; what is wrong is said."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.cameras.files import read_cameras, write_cameras

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
LENGTHS = st.floats(1e-3, 1e6)


@st.composite
def _cameras(draw):
    model, sizes = draw(st.sampled_from([("brown-conrady", (0, 4, 5, 8, 12, 14)), ("fisheye", (0, 4))]))
    count = draw(st.sampled_from(sizes))
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-3, 3)] * 3))).as_matrix()
    pose[:3, 3] = draw(st.tuples(*[NUMBERS] * 3))
    fx, fy, cx, cy, skew = (draw(kind) for kind in (LENGTHS, LENGTHS, NUMBERS, NUMBERS, NUMBERS))
    return Camera(
        name=draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
        size_wh_px=(draw(st.integers(1, 10000)), draw(st.integers(1, 10000))),
        model=model,
        K=np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]]),
        distortion=np.array(draw(st.lists(NUMBERS, min_size=count, max_size=count))),
        cam_from_world=pose,
    )


@given(st.lists(_cameras(), min_size=1, max_size=3, unique_by=lambda camera: camera.name))
def test_round_trip_is_exact(written):
    """Catches rounded numbers, fx and fy swapped, a transposed pose, and names that need escaping."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rig.toml"
        write_cameras(written, path)
        for a, b in zip(written, read_cameras(path), strict=True):
            assert (a.name, a.size_wh_px, a.model) == (b.name, b.size_wh_px, b.model)
            for field in ("K", "distortion", "cam_from_world"):
                np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def _write(folder, body, head="version = 1\n[[camera]]\n"):
    path = folder / "rig.toml"
    path.write_text(head + body)
    return path


GOOD = 'name = "a"\nsize_wh_px = [640, 480]\n'


def test_defaults(tmp_path):
    """Catches a field of view along the wrong side, and a principal point at width / 2 instead of (width - 1) / 2."""
    (camera,) = read_cameras(_write(tmp_path, GOOD + "fov_deg = 90"))
    np.testing.assert_allclose(camera.K, [[320, 0, 319.5], [0, 320, 239.5], [0, 0, 1]], rtol=1e-12)
    assert (camera.model, len(camera.distortion)) == ("brown-conrady", 0)
    np.testing.assert_array_equal(camera.cam_from_world, np.eye(4))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (GOOD, "either focal_px or fov_deg"),
        (GOOD + "fov_deg = 60\nfocal_px = [1, 1]", "either focal_px or fov_deg"),
        (GOOD + "fov_deg = 60\nfocal = 3", "unknown key 'focal'"),
        (GOOD + "fov_deg = 180", "between 1 and 170"),
        (GOOD + "fov_deg = 60\ndistortion = [1, 2]", "0, 4, 5, 8, 12, 14"),
        (GOOD + "fov_deg = 60\ndistortion = 3", "distortion of camera 'a'"),
        (GOOD + 'fov_deg = 60\nmodel = "pinhole"', "brown-conrady, fisheye"),
        (GOOD + "focal_px = [1, 'x']", "focal_px of camera 'a' must be 2 finite"),
        (GOOD + "focal_px = [1, nan]", "focal_px of camera 'a' must be 2 finite"),
        (GOOD + "focal_px = [-1, 1]", "fx, fy > 0"),
        (GOOD + "fov_deg = 60\ncam_from_world = [[1, 2], [3]]", "must be 4x4"),
        (GOOD + f"fov_deg = 60\ncam_from_world = {[[2.0 * (i == j) for j in range(4)] for i in range(4)]}", "rotation"),
        (
            GOOD + 'fov_deg = 60\n[[camera]]\nname = "a"\nsize_wh_px = [1, 1]\nfov_deg = 60',
            "two cameras are called 'a'",
        ),
        ('name = "a"\nfov_deg = 60', "size_wh_px"),
        ('name = "a"\nsize_wh_px = [640.5, 480]\nfov_deg = 60', "whole numbers"),
        ("size_wh_px = [640, 480]", "camera 1 has no name"),
        ("fov_deg = = 3", "not a TOML file"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, body, message):
    """Catches a default used in place of a misspelt key, and errors that do not name the file."""
    with pytest.raises(FileFormatError, match=message) as caught:
        read_cameras(_write(tmp_path, body))
    assert str(caught.value).startswith(str(tmp_path / "rig.toml"))


def test_what_is_no_camera_file_is_told_for_what_it_is(tmp_path):
    """Catches "unknown key 'video'" for a file of sync, and a motion or a video that is no TOML but names it twice."""
    with pytest.raises(FileFormatError, match=r"no camera file: .*`mocap3d sync`.* --sync"):
        read_cameras(_write(tmp_path, '[[video]]\nname = "a"\noffset_s = 0.0', head="version = 1\n"))
    for name, data, reason in (("a.bvh", b"HIERARCHY\n", "line 1"), ("a.mp4", b"\0\0\0\xffftyp", "not a text file")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(
            FileFormatError, match=rf"not a camera file of any format that is known.*{reason}"
        ) as caught:
            read_cameras(tmp_path / name)
        assert str(caught.value).count(name) == 1


def test_other_files_are_refused(tmp_path):
    """Catches a calibration file of another program read as zero cameras."""
    with pytest.raises(FileFormatError, match="version = 1"):
        read_cameras(_write(tmp_path, "", head=""))
    with pytest.raises(FileFormatError, match=r"\[\[camera\]\]"):
        read_cameras(_write(tmp_path, "", head="version = 1"))
    with pytest.raises(FileFormatError, match="at least one"):
        read_cameras(_write(tmp_path, "", head="version = 1\ncamera = []"))
    with pytest.raises(FileFormatError, match="unknown key 'cam_1'"):
        read_cameras(_write(tmp_path, "[cam_1]", head="version = 1\n"))
    with pytest.raises(InputError, match="cannot read"):
        read_cameras(tmp_path / "none.toml")
    with pytest.raises(InputError, match="at least one"):
        write_cameras([], tmp_path / "none.toml")
