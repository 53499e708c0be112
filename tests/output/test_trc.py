"""TRC: the layout that OpenSim and Cortex read, and files as they are found."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fuzzing import assert_survives
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.output.markers import marker_skeleton, markers
from mocap3d.output.point_file import pose_of_points, rate_of_text, rate_text
from mocap3d.output.trc import read_trc, write_trc

PLAIN = (
    "PathFileType\t4\t(X/Y/Z)\twalk.trc\n"
    "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
    "29.97\t29.97\t3\t2\tcm\t29.97\t1\t3\n"
    "Frame#\tTime\tleft toe\t\t\tC7\t\t\n"
    "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n"
    "\n"
    "1\t0.0000\t1\t2\t3\t4\t5\t6\n"
    "2\t0.0334\t\t\t\t4.5\t5\t-6e1\n"
    "3\t0.0667\t1\tNaN\t3\t\t\t\n"
)
POINTS_M = [[[0.01, 0.02, 0.03], [0.04, 0.05, 0.06]], [[np.nan] * 3, [0.045, 0.05, -0.6]], [[np.nan] * 3, [np.nan] * 3]]

RATES = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), 24, 30, 60, 100, Fraction(25, 3)]


@pytest.fixture
def read_text(tmp_path):
    """Write text (or bytes) to a file and read it."""

    def read(text, **options):
        path = tmp_path / "file.trc"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_trc(path, **options)

    return read


def points_by_hand(path):
    """Read a TRC whose rows have tabs between all cells; shares no code with the reader."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[5:] if line.strip()]
    count = int(lines[2].split()[3])
    cells = [[float(cell) if cell.strip() else np.nan for cell in row[2 : 2 + 3 * count]] for row in rows]
    return np.array(cells).reshape(len(rows), count, 3)


def test_a_plain_file_is_what_it_says(read_text):
    """Catches wrong units, shifted columns behind an empty cell, half a point taken for a whole one."""
    pose = read_text(PLAIN)
    assert pose.skeleton.joint_names == ("left toe", "C7")
    assert pose.fps == Fraction(30000, 1001)
    np.testing.assert_allclose(pose.xyz_m, POINTS_M, atol=1e-15)
    np.testing.assert_array_equal(pose.confidence, [[1, 1], [0, 1], [0, 0]])
    np.testing.assert_allclose(read_text(PLAIN, unit="m").xyz_m, np.multiply(POINTS_M, 100), atol=1e-12)
    z_up = read_text(PLAIN, up="Z").xyz_m
    np.testing.assert_allclose(z_up[0, 0], [0.01, 0.03, -0.02], atol=1e-15)
    assert read_text(PLAIN, fps=50).fps == 50


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.replace("\n", "\r\n"),
        lambda s: s.replace("\n", "\r"),
        lambda s: s.rstrip("\n"),
        lambda s: "\ufeff" + s,
        lambda s: s.replace("\n\n", "\n"),
        lambda s: s.replace("\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n\n", ""),
        lambda s: s.replace("\t6\n", "\t6\t\t\n"),
        lambda s: s.replace("\t4\t5\t6\n", " 4 5 6\n"),
        lambda s: s.replace("29.97\t29.97\t3\t2\tcm", "  29.97\t\t29.97\t\t  3  \t 2\t\tcm "),
        lambda s: s.replace("\tcm\t", "\tcentimeters\t"),
        lambda s: s + "\x1a",
    ],
)
def test_what_writers_do_differently_makes_no_difference(read_text, change):
    """Catches a reader that knows one program's files only."""
    np.testing.assert_allclose(read_text(change(PLAIN)).xyz_m, POINTS_M, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message", "count"),
    [
        (lambda s: s.replace("29.97\t3\t2", "29.97\t7\t2"), "NumFrames says 7, there are 3", 3),
        (lambda s: s.replace("29.97\t3\t2", "29.97\t3\t5"), "NumMarkers says 5, there are 2", 3),
        (lambda s: s + "4\t0.1\t1\t2", "cut short and is left out", 3),
        (lambda s: s.replace("\n3\t", "\n9\t"), "does not count", 3),
        (lambda s: s.replace("29.97\t29.97", "100\t100"), "by its Time", 3),
        (lambda s: s.replace("left toe", "C7"), "renamed: C7_2", 3),
    ],
)
def test_what_leaves_no_doubt_is_repaired_with_a_warning(read_text, change, message, count):
    """Catches a silent repair, and a refusal of what everybody can read."""
    with pytest.warns(Mocap3dWarning, match=message):
        assert len(read_text(change(PLAIN))) == count


@pytest.mark.parametrize(
    ("change", "message", "line"),
    [
        (lambda s: "HIERARCHY", "PathFileType", 1),
        (lambda s: s[:60], "five lines", 2),
        (lambda s: s.replace("29.97\t29.97", "fast\t29.97"), "DataRate", 3),
        (lambda s: s.replace("29.97\t29.97", "1e999999999\t29.97"), "DataRate", 3),
        (lambda s: s.replace("29.97\t29.97", "0\t29.97"), "DataRate", 3),
        (lambda s: s.replace("\tcm\t", "\tft\t"), "Units", 3),
        (lambda s: s.replace("Frame#", "x"), "names must follow", 4),
        (lambda s: s.split("\n1\t")[0], "no frames", 6),
        (lambda s: s.replace("2\t0.0334\t\t", "2\t0.0334\t"), "cells", 8),
        (lambda s: s.replace("\t4.5\t", "\t4.5\t7\t"), "9 cells", 8),
        (lambda s: s.replace("\t4.5\t", "\tfour\t"), "'four'", 8),
        (lambda s: s.replace("\t4.5\t", "\tinf\t"), "'inf'", 8),
        (lambda s: s.replace("\t4.5\t", "\t1_0\t"), "'1_0'", 8),
        (lambda s: s.replace("\t4.5\t", "\t1e300\t"), "'1e300'", 8),
    ],
)
def test_what_is_broken_is_refused_with_its_line(read_text, change, message, line):
    """Catches guessing, and a message that leaves the user to search."""
    with pytest.raises(FileFormatError, match=message) as caught:
        read_text(change(PLAIN))
    assert caught.value.line == line


def test_a_huge_number_in_complete_rows_has_its_line_too(read_text):
    """Catches the fast path for complete rows letting pass what the other refuses."""
    text = PLAIN.replace("\t\t\t\t4.5", "\t1\t1e300\t1\t4.5").replace("NaN", "2").replace("3\t\t\t\n", "3\t1\t1\t1\n")
    with pytest.raises(FileFormatError, match="1e300"):
        read_text(text)


def test_real_files_hold_what_a_plain_parser_finds(shared_data):
    """Catches shifted columns in files of OpenSim, Motion Analysis and others."""
    for name, shape, rate, unit_m in [
        ("markers_walk.trc", (238, 41), 100, 0.001),
        ("gait10dof18musc_walk_CRLF_line_ending.trc", (10, 41), 60, 0.001),
        ("dataWithEformat.trc", (5, 14), Fraction(120000, 1001), 1),
        ("dataWithNaNsOfDifferentCases.trc", (5, 14), 250, 0.001),
        ("exampleFormat.trc", (5, 3), 100, 1),
    ]:
        path = shared_data / "c3d_trc" / name
        pose = read_trc(path)
        assert pose.xyz_m.shape == (*shape, 3)
        assert pose.fps == rate
        np.testing.assert_allclose(pose.xyz_m, points_by_hand(path) * unit_m, rtol=1e-15)
    pose = read_trc(shared_data / "c3d_trc" / "exampleFormat.trc")
    assert np.argwhere(pose.confidence == 0).tolist() == [[0, 0], [2, 1]]


@pytest.mark.parametrize("rate", RATES)
def test_a_motion_comes_back_exactly_as_far_as_text_goes(wild_motion, tmp_path, rate):
    """Catches a wrong unit, lost digits, a rate rounded to what was printed."""
    motion = replace(wild_motion, fps=rate)
    for unit, up in (("mm", "Y"), ("cm", "Z"), ("m", "Y")):
        write_trc(motion, tmp_path / "a.trc", unit=unit, up=up)
        pose = read_trc(tmp_path / "a.trc", up=up)
        assert pose.fps == rate
        assert len(pose) == len(motion)
        np.testing.assert_allclose(pose.xyz_m, markers(motion).xyz_m, rtol=0, atol=1e-6)
        stated = float((tmp_path / "a.trc").read_text().splitlines()[2].split()[0])
        assert stated == pytest.approx(float(rate), abs=1e-6)


def test_the_layout_is_that_of_opensim(wild_motion, tmp_path):
    """Catches what OpenSim trips over: the keys, columns of two tabs, counts, the blank line, a frame that is not 1."""
    pose = markers(wild_motion)
    xyz_m = np.array(pose.xyz_m)
    confidence = np.array(pose.confidence)
    xyz_m[1, 0], confidence[1, 0] = np.nan, 0
    write_trc(replace(pose, xyz_m=xyz_m, confidence=confidence), tmp_path / "a.trc")
    lines = (tmp_path / "a.trc").read_bytes().decode().split("\n")
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\ta.trc"
    assert lines[1] == PLAIN.splitlines()[1]
    assert lines[2] == "29.970030\t29.970030\t60\t23\tmm\t29.970030\t1\t60"
    assert lines[3].split("\t")[:6] == ["Frame#", "Time", "hips", "", "", "spine"]
    assert lines[4].split("\t")[:6] == ["", "", "X1", "Y1", "Z1", "X2"]
    assert lines[5] == ""
    assert lines[6].split("\t")[:2] == ["1", "0.000000000"]
    assert lines[7].split("\t")[:5] == ["2", "0.033366667", "", "", ""]
    assert {line.count("\t") for line in lines[6:-1]} == {1 + 3 * 23}
    np.testing.assert_allclose(points_by_hand(tmp_path / "a.trc") / 1000, xyz_m, atol=1e-8)


def test_known_names_bring_their_tree(tmp_path):
    """Catches a humanoid that comes back as a cloud of points."""
    skeleton = marker_skeleton(HUMANOID_RIG)
    points = np.zeros((1, len(skeleton), 3))
    pose = pose_of_points(points.copy(), skeleton.joint_names, Fraction(30), "x")
    assert pose.skeleton == skeleton
    assert pose_of_points(points[:, :3].copy(), ["a", "b", "c"], Fraction(30), "x").skeleton.parents == (-1, 0, 0)


@pytest.mark.parametrize("name", ["", " a", "a\tb", "a\nb", "\x85"])
def test_names_that_would_come_back_changed_are_refused(wild_motion, tmp_path, name):
    """Catches a file whose columns are shifted by a tab in a name."""
    pose = markers(wild_motion)
    skeleton = replace(pose.skeleton, joint_names=(name, *pose.skeleton.joint_names[1:]))
    with pytest.raises(InputError, match="cannot hold the name"):
        write_trc(replace(pose, skeleton=skeleton), tmp_path / "a.trc")
    assert not list(tmp_path.iterdir())


def test_bad_options_are_refused(wild_motion, tmp_path):
    """Catches options that are taken without being understood."""
    for options in ({"unit": "inch"}, {"up": "X"}, {"decimals": 0}):
        with pytest.raises(InputError):
            write_trc(wild_motion, tmp_path / "a.trc", **options)
    with pytest.raises(InputError, match="cannot read"):
        read_trc(tmp_path)


NAMES = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" :-.,;\"'"), min_size=1, max_size=12)


@st.composite
def poses(draw):
    """Points with gaps, any rate that is a short fraction, names of any script."""
    names = draw(st.lists(NAMES.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True))
    frames = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    xyz_m = rng.normal(size=(frames, len(names), 3)) * draw(st.sampled_from([1e-3, 1.0, 100.0]))
    xyz_m[rng.random((frames, len(names))) < 0.3] = np.nan
    ntsc = st.integers(1, 500).map(lambda n: Fraction(n * 1000, 1001))
    fps = draw(ntsc | st.fractions(Fraction(1, 2), 1000, max_denominator=50))
    return pose_of_points(xyz_m, names, fps, "points")


@given(poses())
def test_any_points_come_back(tmp_path_factory, pose):
    """Catches names, rates, gaps and single frames that are lost on the way."""
    path = tmp_path_factory.getbasetemp() / "any.trc"
    write_trc(pose, path)
    back = read_trc(path)
    assert back.skeleton.joint_names == pose.skeleton.joint_names
    assert back.fps == pose.fps
    np.testing.assert_array_equal(back.confidence, pose.confidence)
    np.testing.assert_allclose(back.xyz_m, pose.xyz_m, rtol=0, atol=1e-8)


@given(st.fractions(Fraction(1, 100), 2000, max_denominator=1001))
def test_every_short_fraction_survives_its_decimals(fps):
    """Catches a rate that is near 29.97 and becomes it, and one that is cut off."""
    assert rate_of_text(rate_text(fps)) == fps


def test_two_thousand_damaged_files_are_read_or_refused(shared_data, tmp_path):
    """Catches any other exception, overflow warnings, and endless loops."""
    folder = shared_data / "c3d_trc"
    names = ("exampleFormat", "dataWithEformat", "dataWithNaNsOfDifferentCases")
    seeds = [folder / f"{name}.trc" for name in (*names, "gait10dof18musc_walk_CRLF_line_ending")]
    assert_survives(read_trc, seeds, tmp_path)


def test_a_header_that_claims_a_billion_costs_nothing(read_text):
    """Catches memory reserved by what a file claims instead of by what it holds."""
    start = time.perf_counter()
    with pytest.warns(Mocap3dWarning, match="says 1000000000"):
        read_text(PLAIN.replace("29.97\t3\t2", "29.97\t1000000000\t1000000000"))
    assert time.perf_counter() - start < 5
