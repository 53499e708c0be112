from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.motion_file import (
    MotionSequence,
    MotionWriter,
    prediction_names,
    read_cameras,
    read_prediction,
    read_sequences,
    read_view,
    sequence_names,
    view_names,
)
from mocap3d.data_prep.part_origin import begun_with
from scipy.spatial.transform import Rotation

from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LSP_14


def sequence(subject="A", action="walk", frames=4, **changes):
    xyz_m = np.random.default_rng(frames).normal(size=(frames, 17, 3)).astype(np.float32)
    fields = {"xyz_m": xyz_m, "confidence": np.ones((frames, 17), np.float32), "fps": Fraction(30000, 1001)}
    return MotionSequence(subject=subject, action=action, **{**fields, "skeleton": COCO_17, "licence": "CC0"} | changes)


def write(path, *sequences):
    with MotionWriter(path) as writer:
        for one in sequences:
            writer.add(one)
    return path


def test_reads_what_was_written(tmp_path):
    """Catches a rate that became a decimal, a missing joint that became a number, sequences under another name."""
    holes = sequence("B", "run", 5)
    holes.xyz_m[2, 3], holes.confidence[2, 3] = np.nan, 0
    path = write(tmp_path / "m.h5", sequence(), holes)
    walk, run = read_sequences(path)
    assert (walk.subject, walk.action, run.subject, run.action) == ("A", "walk", "B", "run")
    assert (run.fps, run.skeleton, run.licence) == (Fraction(30000, 1001), COCO_17, "CC0")
    np.testing.assert_array_equal(run.xyz_m, holes.xyz_m)
    np.testing.assert_array_equal(run.confidence, holes.confidence)
    assert [s.subject for s in read_sequences(path, frozenset({"B"}))] == ["B"]


def test_the_layout_is_the_documented_one(tmp_path):
    """Catches a file that only our own reader understands."""
    with h5py.File(write(tmp_path / "m.h5", sequence()), "r") as file:
        assert file.attrs["format"] == "mocap3d-motion"
        assert file.attrs["version"] == 1
        group = file["sequences/A/walk"]
        assert (group["xyz_m"].shape, group["confidence"].shape) == ((4, 17, 3), (4, 17))
        assert (group.attrs["fps_num"], group.attrs["fps_den"]) == (30000, 1001)
        assert (group.attrs["skeleton"], group.attrs["licence"]) == (COCO_17.name, "CC0")


def test_a_crash_leaves_no_file_and_is_continued(tmp_path):
    """Catches a half file under the final name, and a sequence that was cut off taken for whole."""
    path = tmp_path / "m.h5"
    writer = MotionWriter(path)
    writer.add(sequence())
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not path.exists()
    with h5py.File(tmp_path / "m.h5.part", "a") as file:
        file.create_group("sequences/A/cut").create_dataset("xyz_m", data=np.zeros((1, 17, 3)))
    with MotionWriter(path) as writer:
        assert writer.has("A", "walk")
        assert not writer.has("A", "cut")
        writer.add(sequence(action="cut"))
    assert [s.action for s in read_sequences(path)] == ["cut", "walk"]
    assert not (tmp_path / "m.h5.part").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"xyz_m": np.zeros((4, 16, 3), np.float32)}, "17"),
        ({"xyz_m": np.zeros((0, 17, 3), np.float32)}, "T > 0"),
        ({"confidence": np.ones((3, 17), np.float32)}, "confidence"),
        ({"xyz_m": np.full((4, 17, 3), np.nan, np.float32)}, "finite"),
        ({"subject": "a/b"}, "plain names"),
        ({"action": ""}, "plain names"),
    ],
)
def test_sequences_that_break_a_rule_are_refused(changes, says):
    """Catches joints without confidence, other joint counts, and names that would become folders."""
    with pytest.raises(InputError, match=says):
        sequence(**changes)


def test_files_of_another_kind_are_refused(tmp_path):
    """Catches any HDF5 taken for ours, and a damaged sequence read as an empty one."""
    with pytest.raises(InputError, match="no such"):
        list(read_sequences(tmp_path / "absent.h5"))
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(FileFormatError, match="HDF5"):
        list(read_sequences(tmp_path / "text.h5"))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = "other"
    with pytest.raises(FileFormatError, match="other"):
        list(read_sequences(tmp_path / "other.h5"))
    path = write(tmp_path / "m.h5", sequence())
    with h5py.File(path, "a") as file:
        del file["sequences/A/walk/confidence"]
    with pytest.raises(FileFormatError, match="A/walk"):
        list(read_sequences(path))


def test_an_unwritable_place_is_an_input_error(tmp_path):
    """Catches the library's own exception reaching the user."""
    with pytest.raises(InputError, match="cannot write"):
        MotionWriter(tmp_path / "absent" / "m.h5")


# --- cameras, views, predictions --------------------------------------------------------------------------------------


def camera(name="c1", **changes):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_rotvec([0.1, 0.7, -0.2]).as_matrix(), [1, 2, 3]
    fields = {"size_wh_px": (640, 480), "K": np.array([[500, 0.5, 320], [0, 510, 240], [0, 0, 1.0]])}
    return Camera(
        name=name, cam_from_world=pose, **{**fields, "distortion": np.array([0.1, -0.2, 0.01, 0.02])} | changes
    )


def test_cameras_come_back_exactly(tmp_path):
    """Catches float32 on the way, a lens model that is forgotten, cameras of another subject."""
    path = tmp_path / "m.h5"
    with MotionWriter(path) as writer:
        writer.add(sequence())
        writer.add_camera("A", camera("b"))
        writer.add_camera("A", camera("a", model="fisheye", distortion=np.array([0.1, 0.2, 0.3, 0.4])))
        writer.add_camera("A", camera("b", size_wh_px=(1000, 1002)))  # replaces
        writer.add_camera("B", camera("z"))
    found = read_cameras(path, "A")
    assert list(found) == ["a", "b"]
    assert (found["a"].model, found["b"].model) == ("fisheye", "brown-conrady")
    assert found["b"].size_wh_px == (1000, 1002)
    for key in ("K", "distortion", "cam_from_world"):
        np.testing.assert_array_equal(getattr(found["b"], key), getattr(camera(), key))
    assert read_cameras(path, "C") == {}


def with_views(path):
    """One sequence with two views and a prediction; joint 3 of frame 1 was not seen."""
    rng = np.random.default_rng(1)
    xy_px, confidence = rng.uniform(0, 640, (4, 17, 2)).astype(np.float32), rng.uniform(0.1, 1, (4, 17))
    xy_px[1, 3], confidence[1, 3] = np.nan, 0
    with MotionWriter(path) as writer:
        writer.add(sequence())
        writer.add_camera("A", camera("c1"))
        writer.add_view("A", "walk", "c1", "true", xy_px, np.float32(confidence), COCO_17)
        writer.add_view("A", "walk", "c1", "movenet", xy_px[:, :14], confidence[:, :14], LSP_14)
        writer.add_prediction(
            "A", "walk", "net", "c1", rng.normal(size=(4, 17, 3)), np.ones((4, 17)), skeleton=HUMAN36M_17,
            weights_sha256="ab" * 32,
        )  # fmt: skip
    return xy_px, confidence


def test_views_and_predictions_come_back(tmp_path):
    """Catches a view under another detector, its own skeleton or rate lost, a checksum that is forgotten."""
    path = tmp_path / "m.h5"
    xy_px, confidence = with_views(path)
    assert sequence_names(path) == (("A", "walk"),)
    assert view_names(path, "A", "walk") == {"c1": ("movenet", "true")}
    view = read_view(path, "A", "walk", "c1", "true")
    np.testing.assert_array_equal(view.xy_px, xy_px)
    np.testing.assert_array_equal(view.confidence, np.float32(confidence))
    assert (view.skeleton, view.fps, view.camera_name) == (COCO_17, Fraction(30000, 1001), "c1")
    assert read_view(path, "A", "walk", "c1", "movenet").skeleton == LSP_14
    assert prediction_names(path, "A", "walk") == {"net": ("c1",)}
    prediction = read_prediction(path, "A", "walk", "net", "c1")
    assert (prediction.skeleton, prediction.weights_sha256, prediction.xyz_m.shape) == (
        HUMAN36M_17,
        "ab" * 32,
        (4, 17, 3),
    )
    with h5py.File(path, "r") as file:
        below = file["sequences/A/walk"]
        assert below["views/c1/true/xy_px"].dtype == np.float32
        assert below["predictions/net/c1/xyz_m"].shape == (4, 17, 3)


def test_what_is_not_there_is_said(tmp_path):
    """Catches a KeyError of h5py's, and a message that does not tell what one could have asked for."""
    path = tmp_path / "m.h5"
    with_views(path)
    with pytest.raises(InputError, match="no views c2/true; there are: c1/movenet, c1/true"):
        read_view(path, "A", "walk", "c2", "true")
    with pytest.raises(InputError, match="no predictions other/c1; there are: net/c1"):
        read_prediction(path, "A", "walk", "other", "c1")
    with pytest.raises(InputError, match="no sequence A/run"):
        view_names(path, "A", "run")


def test_views_must_fit_their_sequence(tmp_path):
    """Catches views of other lengths or joints, of sequences that are not there, and names that become folders."""
    good = np.zeros((4, 17, 2)), np.ones((4, 17))
    with MotionWriter(tmp_path / "m.h5") as writer:
        writer.add(sequence())
        with pytest.raises(InputError, match="no sequence A/run"):
            writer.add_view("A", "run", "c", "d", *good, COCO_17)
        with pytest.raises(InputError, match="must have its 4 frames, got 3"):
            writer.add_view("A", "walk", "c", "d", good[0][:3], good[1][:3], COCO_17)
        with pytest.raises(InputError, match="14, 2"):
            writer.add_view("A", "walk", "c", "d", *good, LSP_14)
        with pytest.raises(InputError, match="plain names"):
            writer.add_view("A", "walk", "c", "../d", *good, COCO_17)
        with pytest.raises(InputError, match="finite"):
            writer.add_view("A", "walk", "c", "d", good[0] * np.nan, good[1], COCO_17)
        with pytest.raises(InputError, match=r"0\.\.1"):
            writer.add_view("A", "walk", "c", "d", good[0], good[1] * 2, COCO_17)
        assert not writer.has_view("A", "walk", "c", "d")
        writer.add_view("A", "walk", "c", "d", *good, COCO_17)
        assert writer.has_view("A", "walk", "c", "d")
        assert writer.has("A", "walk", COCO_17)
        assert not writer.has("A", "walk", LSP_14)
        writer.add(sequence())  # a sequence that is written again is another one: its views go
        assert not writer.has_view("A", "walk", "c", "d")


def test_a_finished_file_can_be_extended(tmp_path):
    """Catches an extension that begins anew, or that leaves the old file damaged when it fails."""
    path = write(tmp_path / "m.h5", sequence())
    writer = MotionWriter(path, extend=True)
    writer.add(sequence("B"))
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [s.subject for s in read_sequences(path)] == ["A"]
    with MotionWriter(path, extend=True) as writer:
        assert writer.has("B", "walk")
    assert [s.subject for s in read_sequences(path)] == ["A", "B"]


HERE = begun_with("A set", "here", joints="coco-17", one_body=False)


def interrupted(path, **options):
    """A ``.part`` with one sequence in it."""
    writer = MotionWriter(path, **options)
    writer.add(sequence())
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_a_rest_is_gone_on_with_only_by_the_run_that_began_it(tmp_path):
    """Catches a file of two data sets or options, a rest of nobody knows what, and a message that shows no way out."""
    path = tmp_path / "m.h5"
    interrupted(path, origin=HERE)
    for changed, says in (
        (begun_with("A set", "there", joints="coco-17", one_body=False), f"source {Path('here').resolve()}, not "),
        (begun_with("B set", "here", joints="coco-17", one_body=True), "form A set, not B set; one body no, not yes: "),
        (begun_with("A set", "here", joints="coco-17"), "one body no, not none: "),
    ):
        with pytest.raises(InputError, match=re.escape(says)) as raised:
            MotionWriter(path, origin=changed)
        assert str(raised.value).endswith(f"delete {path}.part, or use the same options")
    with MotionWriter(path, origin=dict(HERE)) as writer:
        assert writer.has("A", "walk")
    with h5py.File(path) as file:
        assert set(file.attrs) == {"format", "version"}  # a finished file says nothing of folders
    with MotionWriter(path, extend=True, origin=begun_with("A set", "moved")):
        pass  # a finished file is completed from wherever the originals are now
    interrupted(tmp_path / "old.h5")
    with pytest.raises(InputError, match=r"does not say what it was begun with; delete .*old\.h5\.part"):
        MotionWriter(tmp_path / "old.h5", origin=HERE)


def test_a_rest_with_nothing_in_it_is_anybodys(tmp_path):
    """Catches a first try with a wrong source that must be cleared away by hand."""
    MotionWriter(tmp_path / "m.h5", origin=begun_with("A set", "wrong")).__exit__(InputError, InputError(), None)
    with MotionWriter(tmp_path / "m.h5", origin=HERE) as writer:
        writer.add(sequence())


@settings(max_examples=30)
@given(hits=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), min_size=1, max_size=8), cut=st.booleans())
def test_damaged_files_are_refused_with_our_error(tmp_path_factory, hits, cut):
    """Catches KeyError, OSError, RuntimeError from HDF5 files that were hit or cut off."""
    path = tmp_path_factory.mktemp("fuzz") / "m.h5"
    with_views(path)
    content = bytearray(path.read_bytes())
    for at, byte in hits:
        content[at % len(content)] = byte
    path.write_bytes(content[: hits[0][0] % len(content)] if cut else content)
    for read in (
        lambda: list(read_sequences(path)),
        lambda: read_cameras(path, "A"),
        lambda: read_view(path, "A", "walk", "c1", "true"),
        lambda: read_prediction(path, "A", "walk", "net", "c1"),
    ):
        with contextlib.suppress(InputError):
            read()
