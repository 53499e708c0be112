"""CSV of points: what a spreadsheet, the csv module and NumPy make of it, and what people send back."""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fuzzing import assert_survives, example
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.output.csv_points import read_csv, write_csv
from mocap3d.output.markers import markers
from mocap3d.output.point_file import pose_of_points

PLAIN = (
    "frame,time_s,a.x_m,a.y_m,a.z_m,b.x_m,b.y_m,b.z_m\r\n"
    "0,0.000,1,2,3,4,5,6\r\n1,0.033,1,2,3,,,\r\n2,0.067,,2,3,4,5,6\r\n"
)


@pytest.fixture
def read_text(tmp_path):
    """Write text to a file and read it."""

    def read(text, **options):
        path = tmp_path / "file.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_csv(path, **options)

    return read


def test_a_plain_file_is_what_it_says(read_text):
    """Catches columns exchanged, half a point taken for a whole one, a rate that is 30.3 for want of digits."""
    pose = read_text(PLAIN)
    assert pose.skeleton.joint_names == ("a", "b")
    assert pose.fps == 30
    np.testing.assert_array_equal(pose.xyz_m[0], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(pose.confidence, [[1, 1], [1, 0], [0, 1]])
    assert read_text(PLAIN, fps="29.97").fps == Fraction(30000, 1001)


def test_columns_in_another_order_and_other_columns(read_text):
    """Catches a reader that goes by position; strangers among the columns are told, not read."""
    rows = list(csv.reader(PLAIN.splitlines()))
    turned = "\n".join(",".join(row[::-1]) for row in rows)
    pose = read_text(turned)
    assert pose.skeleton.joint_names == ("b", "a")
    np.testing.assert_array_equal(pose.xyz_m[0], [[4, 5, 6], [1, 2, 3]])
    with pytest.warns(Mocap3dWarning, match="left out: speed"):
        read_text("\n".join([",".join(rows[0]) + ",speed", *(",".join(row) + ",1" for row in rows[1:])]))
    assert len(read_text("\ufeff" + PLAIN.replace("\r\n", "\n"))) == 3


def test_how_sure_points_are(read_text):
    """Catches our own tables read back as if every joint had been seen equally well (columns left out before)."""
    rows = list(csv.reader(PLAIN.splitlines()))
    title = [*rows[0], "b.confidence", "a.std_m", "c.confidence"]
    cells = [["0.25", "0.02", "9"], ["0.5", "", "9"], ["", "0.03", "9"]]
    text = "\n".join(",".join(row) for row in (title, *(a + b for a, b in zip(rows[1:], cells, strict=True))))
    with pytest.warns(Mocap3dWarning, match=r"left out: c\.confidence"):
        pose = read_text(text)
    np.testing.assert_array_equal(pose.confidence, [[1, 0.25], [1, 0], [0, 1]])  # what was not seen has none
    np.testing.assert_array_equal(pose.std_m, [[0.02, 0], [0, 0], [0, 0]])
    for wrong, message in (("1.5", "at most 1"), ("-0.1", "at least 0")):
        with (
            pytest.warns(Mocap3dWarning, match="left out"),
            pytest.raises(FileFormatError, match=message) as caught,
        ):
            read_text(text.replace(",0.5,", f",{wrong},"))
        assert caught.value.line == 3
    with pytest.raises(FileFormatError, match="twice"):
        read_text(text.replace("a.std_m", "b.confidence"))


@pytest.mark.parametrize(
    ("change", "message", "line"),
    [
        (lambda s: "", "there are none", 1),
        (lambda s: s.replace("b.z_m", "b.w_m"), "'b' lacks one", 1),
        (lambda s: s.replace("b.z_m", "a.z_m"), "twice", 1),
        (lambda s: s.replace("1,0.033,1", "1,0.033"), "7 cells", 3),
        (lambda s: s.replace("1,0.033,1,", "1,0.033,one,"), "'one'", 3),
        (lambda s: s.replace("1,0.033,1,", "1,0.033,1e400,"), "'1e400'", 3),
        (lambda s: s.replace("0.033", "now"), "time_s must be seconds", 3),
        (lambda s: s.replace("0.033", "0.050"), "evenly", 3),
        (lambda s: s.split("1,0.033")[0], "one frame", None),
        (lambda s: s.replace("time_s", "time"), "time_s", None),
        (lambda s: s.split("\r\n")[0], "one frame", None),
        (lambda s: s.replace("0.033", '"0.033'), "end of data", None),
        (lambda s: s.encode().replace(b"a", b"\xff"), "UTF-8", None),
    ],
)
@pytest.mark.filterwarnings("ignore::mocap3d.base.errors.Mocap3dWarning")
def test_what_is_broken_is_refused_with_its_line(read_text, change, message, line):
    """Catches guessing at columns, numbers and rates."""
    with pytest.raises(FileFormatError, match=message) as caught:
        read_text(change(PLAIN))
    assert line is None or caught.value.line == line


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), 24, 60, 120])
def test_a_motion_as_the_csv_module_reads_it(wild_motion, tmp_path, fps):
    """Catches a header that is not the rows', wrong times, and points that are not the motion's."""
    motion = replace(wild_motion, fps=fps)
    write_csv(motion, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = markers(motion).skeleton.joint_names
    points = [[[float(row[f"{name}.{axis}_m"]) for axis in "xyz"] for name in names] for row in rows]
    np.testing.assert_allclose(points, markers(motion).xyz_m, rtol=0, atol=1e-6)
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], np.arange(60) / float(fps), rtol=0, atol=1e-9)
    assert [int(row["frame"]) for row in rows] == list(range(60))
    assert (tmp_path / "a.csv").read_bytes().count(b"\r\n") == 61
    assert read_csv(tmp_path / "a.csv").fps == fps
    np.testing.assert_allclose(read_csv(tmp_path / "a.csv").xyz_m, points, rtol=0, atol=1e-12)


names = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from(',"\r\n;.'), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(
    names=names,
    frames=st.integers(1, 6),
    fps=st.integers(1, 500).map(lambda n: Fraction(n * 1000, 1001)) | st.fractions(1, 1000, max_denominator=20),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_points_come_back(tmp_path_factory, names, frames, fps, seed):
    """Catches names with commas, quotes and line ends, gaps, rates that the times do not tell."""
    rng = np.random.default_rng(seed)
    xyz_m = rng.normal(size=(frames, len(names), 3))
    xyz_m[rng.random((frames, len(names))) < 0.3] = np.nan
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write_csv(pose_of_points(xyz_m, names, fps, "points"), path)
    back = read_csv(path)
    assert back.skeleton.joint_names == tuple(names)
    assert back.fps == fps
    np.testing.assert_allclose(back.xyz_m, xyz_m, rtol=0, atol=1e-6)


def test_a_name_that_no_utf8_holds_is_refused(tmp_path):
    """Catches a UnicodeEncodeError, and half a file."""
    with pytest.raises(InputError, match="UTF-8"):
        write_csv(pose_of_points(np.zeros((1, 1, 3)), ["\ud800"], Fraction(30), "x"), tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_two_thousand_damaged_files_are_read_or_refused(tmp_path):
    """Catches any other exception, and a time of 10^999999999 seconds."""
    seeds = [tmp_path / "small.csv", tmp_path / "hand.csv"]
    write_csv(example(4), seeds[0])
    seeds[1].write_text(PLAIN)
    assert_survives(read_csv, seeds, tmp_path)
