"""Qualisys calibrations: a camera worked out by hand, the real file, and damage."""

from __future__ import annotations

import numpy as np
import pytest

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.projection import project
from mocap3d.cameras.files import read_cameras, write_cameras

# Stands 5 m from the origin on QTM's +x axis at a height of 1 m, and looks along -x: its axes in QTM's world are
# right = +y, up = +z, backwards = +x.
TRANSFORM = 'x="5000" y="0" z="1000" r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0"'
INTRINSIC = (
    'focalLengthU="64000" focalLengthV="64000" centerPointU="32000" centerPointV="16000" skew="0" '
    'radialDistortion1="0" radialDistortion2="0" radialDistortion3="0" '
    'tangentalDistortion1="0" tangentalDistortion2="0"'
)
FOV = 'left="0" top="0" right="999" bottom="499"'


def _qca(camera='active="1" serial="a" model="none"', fov=FOV, transform=TRANSFORM, intrinsic=INTRINSIC):
    parts = f"<fov_video {fov}/>\n<transform {transform}/>\n<intrinsic {intrinsic}/>"
    return (
        f"<?xml version='1.0'?>\n<calibration><cameras>\n<camera {camera}>\n{parts}\n</camera></cameras></calibration>"
    )


def _read(folder, text):
    path = folder / "Calib.qca.txt"
    path.write_text(text)
    return read_cameras(path)


def test_a_camera_worked_out_by_hand(tmp_path):
    """Catches a transposed rotation, y not flipped, millimetres for metres, pixels not divided by 64, Z left up."""
    (camera,) = _read(tmp_path, _qca())
    assert (camera.name, camera.size_wh_px) == ("a", (1000, 500))
    np.testing.assert_allclose(camera.world_from_cam[:3, 3], [5, 1, 0], atol=1e-12)
    # 1 m above the origin is straight ahead; QTM's y, the camera's right, is our -z; up is up in the picture.
    xy_px, seen = project(camera, [[0, 1, 0], [0, 1, -1], [0, 2, 0]])
    assert seen.all()
    np.testing.assert_allclose(xy_px, [[500, 250], [700, 250], [500, 50]], atol=1e-9)


def test_a_part_of_the_sensor_and_a_smaller_picture(tmp_path):
    """Catches an offset that is not taken off the centre, and a resize that forgets the half pixel."""
    cropped = FOV.replace('left="0"', 'left="100"').replace('top="0"', 'top="20"')
    (camera,) = _read(tmp_path, _qca(fov=cropped))
    assert camera.size_wh_px == (900, 480)
    np.testing.assert_allclose(camera.K[:2, 2], [400, 230])
    (camera,) = _read(tmp_path, _qca(camera='serial="a" model="Miqus Video" video_resolution="540p"'))
    assert camera.size_wh_px == (500, 250)
    np.testing.assert_allclose(camera.K[:2], [[500, 0, 249.75], [0, 500, 124.75]])


def test_marker_and_inactive_cameras_are_left_out(tmp_path):
    """Catches a rig with cameras that filmed nothing."""
    one = _qca().split("<cameras>")[1].split("</cameras>")[0]
    marker = one.replace('serial="a" model="none"', 'serial="m" model="Oqus 700+"')
    off = one.replace('active="1" serial="a"', 'active="0" serial="o"')
    cameras = _read(tmp_path, f"<calibration><cameras>{marker}{one}{off}</cameras></calibration>")
    assert [camera.name for camera in cameras] == ["a"]


def test_few_digits_are_rounded_to_a_rotation(tmp_path):
    """Catches a file of six digits refused as no rotation."""
    c, s = np.round(np.cos(0.3), 5), np.round(np.sin(0.3), 5)
    turned = TRANSFORM.replace('r12="1"', f'r12="{c}"').replace('r13="0"', f'r13="{s}"')
    turned = turned.replace('r22="0"', f'r22="{-s}"').replace('r23="1"', f'r23="{c}"')
    (camera,) = _read(tmp_path, _qca(transform=turned))
    R = camera.cam_from_world[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_qca().replace("</camera>", "", 1), ":7: not XML: mismatched tag"),
        (_qca(intrinsic=INTRINSIC.replace("focalLengthU", "focalU")), ":6: camera 'a' has no focalLengthU"),
        (
            _qca(intrinsic=INTRINSIC.replace('"64000"', '"nan"')),
            ":6: focalLengthU of camera 'a' must be a finite number",
        ),
        (_qca(intrinsic=INTRINSIC.replace('"64000"', '"-64000"')), "fx, fy > 0"),
        (_qca(transform=TRANSFORM.replace('r31="1"', 'r31="-1"')), "it mirrors"),
        (_qca(transform=TRANSFORM.replace('r31="1"', 'r31="2"')), "the nearest one differs by 1"),
        (_qca(fov=FOV.replace('"999"', '"-9"')), "shows no picture"),
        (_qca().replace("<transform", "<transforms"), ":3: camera 'a' has no <transform>"),
        (_qca(camera='active="1"'), "has no serial"),
        (_qca(camera='active="0" serial="a"'), "no active <camera>"),
        ("<html></html>", "no active <camera>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><calibration/>', "DOCTYPE"),
        ("<a>" * 100, "nested too deeply"),
        ("<?xml version='1.0' encoding='klingon'?><a/>", "not XML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, message):
    """Catches a traceback, a missing line, and a default in place of a damaged number."""
    with pytest.raises(FileFormatError, match=message) as caught:
        _read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "Calib.qca.txt"))


def test_a_turned_view_is_told(tmp_path):
    """Catches pictures turned by 90 degrees used with a sensor's intrinsics in silence."""
    with pytest.warns(Mocap3dWarning, match="turned by 90 degrees"):
        _read(tmp_path, _qca(camera='serial="a" viewrotation="90"'))


def test_what_is_written_is_read(tmp_path):
    """Catches a writer that leaves out an axis change that the reader makes."""
    written = Camera(
        name='a "b" <c>',
        size_wh_px=(640, 480),
        K=np.array([[700, 0.5, 300], [0, 690, 250], [0, 0, 1.0]]),
        distortion=np.array([0.1, -0.2, 0.003, 0.004, 0.05]),
        cam_from_world=np.array([[0.6, 0, 0.8, 1], [0, 1, 0, 2], [-0.8, 0, 0.6, 3], [0, 0, 0, 1]]),
    )
    path = tmp_path / "a.qca.txt"
    write_cameras([written], path)
    (read,) = read_cameras(path)
    assert (read.name, read.size_wh_px) == (written.name, written.size_wh_px)
    for field in ("K", "distortion", "cam_from_world"):
        np.testing.assert_allclose(getattr(read, field), getattr(written, field), rtol=1e-13, atol=1e-13)
    fish = Camera.from_fov("f", (10, 10), 90)
    object.__setattr__(fish, "model", "fisheye")
    with pytest.raises(InputError, match="more than that"):
        write_cameras([fish], path)


def test_the_real_file(shared_data):
    """Catches what a file worked out by hand repeats: these cameras stand around somebody, above the floor."""
    cameras = read_cameras(shared_data / "multiview_pose2sim" / "calibration" / "Calib.qca.txt")
    assert [camera.name for camera in cameras] == ["cam01", "cam02", "cam03", "cam04"]
    for camera in cameras:
        assert camera.size_wh_px == (1088, 1920)
        assert 1670 < camera.K[0, 0] < 1685
        assert 1.5 < camera.world_from_cam[1, 3] < 2.5
        xy_px, seen = project(camera, [0.0, 0.8, 0.0])  # roughly where the person is
        assert seen
        assert (xy_px > 0).all()
        assert (xy_px < camera.size_wh_px).all()
