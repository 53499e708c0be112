from __future__ import annotations

from fractions import Fraction

import h5py
import numpy as np
import pytest
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter, read_sequences

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeletons import COCO_17


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
