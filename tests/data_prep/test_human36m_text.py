"""The exponential-map form: angles to joints, the floor found again, the place in the room."""

from __future__ import annotations

import contextlib
import hashlib
import math
from pathlib import Path

import human36m as made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mocap3d.data_prep.human36m import prepare_human36m
from mocap3d.data_prep.human36m_cameras import human36m_cameras
from mocap3d.data_prep.human36m_expmap import expmap_joints_mm, integrate_root, read_expmap
from mocap3d.data_prep.human36m_level import find_floor, level, level_rotation
from mocap3d.data_prep.human36m_room import heading_rad, place_in_room, room_point_m, share_in_picture, true_view
from mocap3d.data_prep.motion_file import read_sequences, read_view

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, HUMAN36M_32, LIFTER_20

TILT = math.radians(20)
# Up in the frame of the first pelvis, which leans forward by 20 degrees, and a guess that is 6 degrees off.
UP = np.array([0, math.cos(TILT), -math.sin(TILT)])
GUESS = np.array([0.05, math.cos(TILT - 0.1), -math.sin(TILT - 0.1)])


@pytest.fixture(scope="module")
def motion():
    """Four seconds on a circle of 0.9 m."""
    return made.walk(200)


@pytest.fixture(scope="module")
def clip(motion, tmp_path_factory):
    """The same, written as text and read: joints and heads in the frame of the first pelvis."""
    path = tmp_path_factory.mktemp("text") / "walking_1.txt"
    made.write_text(path, motion)
    return expmap_joints_mm(read_expmap(path))


def to_first_pelvis(motion, xyz_mm):
    return (xyz_mm - motion.xyz_mm[0, 0]) @ motion.world_from_bone[0, 0]


def test_joints_come_back_from_the_text(motion, clip):
    """Catches column vectors for row vectors, a step taken in the new frame, offsets turned by the wrong bone."""
    joints_mm, frame_from_head = clip
    np.testing.assert_allclose(joints_mm, to_first_pelvis(motion, motion.xyz_mm), atol=0.05)
    expected = motion.world_from_bone[0, 0].T @ motion.world_from_bone[:, HUMAN36M_32.index("neck")]
    np.testing.assert_allclose(frame_from_head, expected, atol=1e-5)


def test_a_step_is_taken_in_the_frame_before():
    """Catches a root that turns first and steps then: one quarter turn, then one step ahead, drawn by hand."""
    turn = np.array([[0, 0, 0], [0, math.pi / 2, 0], [0, 0, 0]])
    step = np.array([[0, 0, 0], [0, 0, 1.0], [0, 0, 1.0]])
    origin, R = integrate_root(step, turn)
    # Row vectors: a positive rotation vector about y turns z to -x.
    np.testing.assert_allclose(origin, [[0, 0, 0], [0, 0, 1], [-1, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(np.array([0, 0, 1]) @ R[2], [-1, 0, 0], atol=1e-12)


def test_the_floor_is_found_from_standing_feet(motion, clip):
    """Catches a tilted floor, swinging feet that count, a floor at the height of the wrong points."""
    floor = find_floor(clip[0], GUESS, prior_weight=0.1)
    assert math.degrees(math.acos(min(1.0, floor.up @ UP))) < 0.05
    assert floor.residual_mm < 0.1
    assert floor.spread_mm > 300
    np.testing.assert_allclose(level(clip[0], floor)[..., 1], motion.xyz_mm[..., 1], atol=0.5)
    np.testing.assert_allclose(level_rotation(floor) @ floor.up, [0, 1, 0], atol=1e-12)


def test_feet_that_are_lifted_leave_the_tilt_to_the_prior(motion):
    """Catches a floor through two feet in the air: somebody sits, one leg over the other."""
    sitting = np.repeat(motion.xyz_mm[:1], 100, axis=0)
    sitting[:, HUMAN36M_32.joint_names.index("left_ankle") :][:, :3] += [0, 350.0, 150.0]
    floor = find_floor(to_first_pelvis(motion, sitting), UP)
    assert math.degrees(math.acos(min(1.0, floor.up @ UP))) < 1.0
    assert abs(level(to_first_pelvis(motion, sitting), floor)[0, HUMAN36M_32.index("right_ankle"), 1]) < 10


def test_the_room_point_is_where_the_axes_nearly_meet():
    """Catches axes of the wrong sign or column, against a search that knows only distances of points to lines."""
    from scipy.optimize import minimize

    cameras = human36m_cameras("S9").values()

    def cost(point):
        lines = [(c.world_from_cam[:3, 3], c.world_from_cam[:3, :3] @ [0, 0, 1.0]) for c in cameras]
        return sum(np.linalg.norm(np.cross(point - eye, ahead)) ** 2 for eye, ahead in lines)

    point = room_point_m(cameras)
    np.testing.assert_allclose(point, minimize(cost, np.zeros(3), tol=1e-12).x, atol=1e-4)
    assert all(share_in_picture(c, true_view(c, point[None, None])[0]) == 1 for c in cameras)


def test_place_and_heading_follow_the_rule():
    """Catches a rule that cannot be repeated: the hash, the first pelvis, the floor that stays."""
    digest = hashlib.sha256(b"S1/walking_1").hexdigest()
    assert heading_rad("S1/walking_1") == pytest.approx(2 * math.pi * int(digest[:16], 16) / 2**64)
    cameras = human36m_cameras("S1").values()
    clip_m = np.random.default_rng(0).normal(size=(5, 32, 3))
    placed, turn = place_in_room(clip_m, cameras, "S1/walking_1")
    np.testing.assert_allclose(placed[0, 0, [0, 2]], room_point_m(cameras)[[0, 2]], atol=1e-12)
    np.testing.assert_allclose(placed[..., 1], clip_m[..., 1], atol=1e-12)
    angle = heading_rad("S1/walking_1")
    np.testing.assert_allclose(turn @ [0, 0, 1], [math.sin(angle), 0, math.cos(angle)], atol=1e-12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two subjects, two takes each."""
    folder = tmp_path_factory.mktemp("h3.6m") / "dataset"
    for name, start in (("S1/walking_1", 0.1), ("S1/walking_2", 0.3), ("S9/walking_1", 0.0), ("S9/walking_2", 0.4)):
        made.write_text(folder / f"{name}.txt", made.walk(150, start=start))
    return folder


def test_people_stand_in_the_room(folder, tmp_path):
    """Catches a clip that floats, lies, is mirrored or measured in mm, and toes that are the balls of the feet."""
    out = prepare_human36m(folder, tmp_path / "h.h5", joints=LIFTER_20, partial=True)
    sequences = {(s.subject, s.action): s for s in read_sequences(out)}
    assert set(sequences) == {(s, f"walking_{n}") for s in ("S1", "S9") for n in (1, 2)}
    sequence = sequences["S9", "walking_2"]
    assert (sequence.fps, sequence.skeleton, len(sequence.xyz_m)) == (50, LIFTER_20, 150)
    at = {name: sequence.xyz_m[:, j].astype(float) for j, name in enumerate(LIFTER_20.joint_names)}
    true_mm = made.walk(150, start=0.4).xyz_mm
    heights = [true_mm[:, HUMAN36M_32.index(name), 1] / 1000 for name in ("head", "left_ankle", "right_toe")]
    for name, height in zip(("head", "left_ankle", "right_toe"), heights, strict=True):
        np.testing.assert_allclose(at[name][:, 1], height, atol=2e-3)
    # The circle bends to the person's right, and left is left.
    ahead = at["pelvis"][1] - at["pelvis"][0]
    assert np.cross(ahead, at["left_hip"][0] - at["right_hip"][0])[1] > 0
    assert np.cross(ahead, at["pelvis"][60] - at["pelvis"][0])[1] < 0
    # Gaze: the head bone looks 10 degrees up at first, and is turned until it looks 8 degrees down.
    gaze = at["face"] - (at["neck"] + at["head"]) / 2
    np.testing.assert_allclose(np.linalg.norm(gaze, axis=-1), 0.2, atol=1e-5)
    np.testing.assert_allclose(np.degrees(np.arcsin(gaze[:, 1] / 0.2)), -8.0, atol=0.2)


def test_views_show_people_through_the_lens(folder, tmp_path):
    """Catches views without distortion, of another camera, or of another frame."""
    import cv2

    out = prepare_human36m(folder, tmp_path / "h.h5", partial=True)
    sequence = next(s for s in read_sequences(out) if (s.subject, s.action) == ("S9", "walking_1"))
    for name, camera in human36m_cameras("S9").items():
        view = read_view(out, "S9", "walking_1", name, "true")
        assert (view.skeleton, view.fps) == (HUMAN36M_17, 50)
        rotation, _ = cv2.Rodrigues(camera.cam_from_world[:3, :3])
        points = sequence.xyz_m.reshape(-1, 3).astype(float)
        expected, _ = cv2.projectPoints(points, rotation, camera.cam_from_world[:3, 3], camera.K, camera.distortion)
        np.testing.assert_allclose(view.xy_px.reshape(-1, 2), expected[:, 0], atol=1e-3)
        assert share_in_picture(camera, view.xy_px) > 0.85


def test_copies_are_left_out(folder, tmp_path):
    """Catches a test subject's motion that is trained on under the name of S5."""
    walk = (folder / "S9" / "walking_1.txt").read_bytes()
    copied = tmp_path / "raw"
    for name in ("S9/smoking_1", "S5/smoking_1", "S5/eating_1"):
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / f"{name}.txt").write_bytes(walk if name != "S5/eating_1" else b"\n".join(walk.split(b"\n")[:90]))
    out = prepare_human36m(copied, tmp_path / "h.h5", partial=True)
    assert [(s.subject, s.action) for s in read_sequences(out)] == [("S5", "eating_1"), ("S9", "smoking_1")]
    (copied / "S9" / "eating_2.txt").write_bytes(walk)
    with pytest.warns(Mocap3dWarning, match=r"smoking_1\.txt repeats .*eating_2\.txt"):
        prepare_human36m(copied, tmp_path / "h2.h5", partial=True)


def test_missing_files_are_named(folder, tmp_path):
    """Catches training on half a data set without a word."""
    with pytest.raises(InputError, match=r"lacks 198 files, the first is S1/directions_1\.txt.*--partial"):
        prepare_human36m(folder, tmp_path / "h.h5")


def test_an_interrupted_run_goes_on(folder, tmp_path):
    """Catches a second run that begins anew, a half file under the final name, and one of two forms or skeletons."""
    out, calls = tmp_path / "h.h5", []

    def stop(done: int, total: int) -> None:
        calls.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_human36m(folder, out, partial=True, progress=stop)
    assert not out.exists()
    with pytest.raises(InputError, match="begun with joints human36m-17, not lifter-20: delete"):
        prepare_human36m(folder, out, partial=True, joints=LIFTER_20)
    other = made.h5_folder(tmp_path / "other", 6, ("S1",))
    with pytest.raises(
        InputError, match=r"form Human3.6M, exponential-map text, not Human3.6M, the \.h5 release; source"
    ):
        prepare_human36m(other, out, partial=True)
    calls.clear()
    prepare_human36m(folder, out, partial=True, progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (2, 4)
    assert calls[-1] == (4, 4)


def test_other_joints_leave_nothing_behind(folder, tmp_path):
    """Catches a rest that stands in the way of the next try with the right joints."""
    with pytest.raises(InputError, match="human36m-17 or lifter-20, not to coco-17"):
        prepare_human36m(folder, tmp_path / "h.h5", partial=True, joints=COCO_17)
    assert not list(tmp_path.glob("h.h5*"))


def test_detections_do_not_fit_people_who_were_moved(folder, tmp_path):
    """Catches 2D joints of the real videos paired with people who stand elsewhere."""
    with pytest.raises(InputError, match="lost where people stood"):
        prepare_human36m(folder, tmp_path / "h.h5", partial=True, detect="movenet_thunder")


@given(text=st.one_of(st.binary(max_size=300), st.text("0123456789.,-e \nnaif", max_size=600).map(str.encode)))
def test_other_texts_are_refused_with_our_error(tmp_path_factory, text):
    """Catches a ValueError of NumPy's, or a file of nonsense that passes."""
    path = tmp_path_factory.mktemp("fuzz") / "a.txt"
    path.write_bytes(text)
    with pytest.raises(FileFormatError):
        read_expmap(path)


@given(cut=st.integers(0, 3000), at=st.integers(0, 2999), byte=st.integers(0, 255))
def test_damaged_texts_are_refused_or_read_as_numbers(damaged_source, tmp_path_factory, cut, at, byte):
    """Catches other errors than ours from a file that was cut off or hit."""
    content = bytearray(damaged_source[: len(damaged_source) - cut])
    if content:
        content[at % len(content)] = byte
    path = tmp_path_factory.mktemp("fuzz") / "a.txt"
    path.write_bytes(bytes(content))
    with contextlib.suppress(FileFormatError):
        assert np.isfinite(read_expmap(path)).all()


@pytest.fixture(scope="module")
def damaged_source(tmp_path_factory) -> bytes:
    """Three lines of a good file."""
    path: Path = tmp_path_factory.mktemp("text") / "a.txt"
    made.write_text(path, made.walk(3))
    return path.read_bytes()
