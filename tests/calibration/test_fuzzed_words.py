"""What people write by hand, damaged: points.toml, sync.toml, and the words for boards. Only our errors come out."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mocap3d.base.errors import InputError, Mocap3dError
from mocap3d.calibration import Started, read_points, read_starts
from mocap3d.cameras.boards import Board, parse_board

POINTS = "[measured_m]\ndoor = [0.0, 0.0, 0.0]\npost = [2.4, 0.0, 1]\n[left]\ndoor = [412, 880]\npost = [13.5, 9]\n"
STARTS = (
    "version = 1\n[[video]]\nname = 'a'\noffset_s = 0.0\nstd_s = 0.0\nconfidence = 1.0\n"
    "[[video]]\nname = 'b'\noffset_s = -1.25\n"
)
BOARDS = (
    "chessboard:7x4:60mm",
    "charuco:4x5:54mm:40.5mm:4X4_50:inverted:legacy",
    "aprilgrid:6x6:88mm:26.4mm:36h11",
)
SCALARS = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from(["'a'", "'left'", "1979-05-27", "[]", "{}", str(10**400), "1e999"]),
)
NAMES = st.sampled_from(
    ["measured_m", "left", "door", "post", "version", "video", "name", "offset_s", "std_s", "confidence", "other"]
)


def spelled(value):
    """A value as TOML writes it; dictionaries inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {spelled(own)}" for key, own in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelled, value)) + "]"
    return str(value)


TREES = st.dictionaries(
    NAMES,
    st.recursive(SCALARS, lambda own: st.one_of(st.lists(own, max_size=4), st.dictionaries(NAMES, own, max_size=4))),
    max_size=4,
).map(lambda tree: "\n".join(f"{key} = {spelled(value)}" for key, value in tree.items()))


def damaged(text):
    """Pieces of a good text cut out, doubled, exchanged for others."""
    cuts = st.tuples(
        st.integers(0, len(text)), st.integers(0, 12), st.one_of(st.text(max_size=4), st.sampled_from(list(text)))
    )

    def apply(changes):
        changed = text
        for at, length, put in changes:
            changed = changed[:at] + put + changed[at + length :]
        return changed

    return st.lists(cuts, min_size=1, max_size=3).map(apply)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """One file for all of them."""
    return tmp_path_factory.mktemp("fuzzed") / "words.toml"


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(damaged(POINTS), TREES, st.text()))
@example(text=f"[measured_m]\na = [0, 0, {10**400}]")
@example(text="measured_m = " + "[" * 5000)
def test_points(file, text):
    """Catches a marked point that is no number, and an error that is not ours."""
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        points = read_points(file)
    except Mocap3dError:
        return
    assert np.isfinite(points.points_m).all()
    assert points.points_m.shape[1] == 3
    for seen in points.seen_px.values():
        assert seen.shape == (len(points.points_m), 2)


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(damaged(STARTS), TREES, st.text()))
@example(text=f"version = 1\n[[video]]\nname = 'a'\noffset_s = {10**400}")
@example(text="version = 1\nvideo = [1, {name = 'a', offset_s = 0}]")
def test_starts(file, text):
    """Catches a beginning that is made up, and an error that is not ours."""
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        starts = read_starts(file, ["a.mp4", "b.mp4"])
    except Mocap3dError:
        return
    assert len(starts) == 2
    assert np.isfinite(starts).all()
    assert starts[0] == 0


@settings(max_examples=400, deadline=None)
@given(word=st.one_of(*map(damaged, BOARDS), st.text(), st.sampled_from(BOARDS)))
@example(word="chessboard:7x4:\u0666\u0660mm")
@example(word="chessboard:7x4:1" + "0" * 400 + "mm")
@example(word="a\0b.toml")
@example(word=".toml")
def test_words_for_boards(word):
    """Catches a board with corners at infinity or with none, and an error that is not ours."""
    try:
        board = parse_board(word)
    except Mocap3dError:
        return
    assert isinstance(board, Board)
    assert np.isfinite(board.points_m).all()
    assert len(board.points_m) >= 4
    assert parse_board(board.label) == board


@settings(max_examples=100, deadline=None)
@given(text=st.one_of(damaged("kind = 'charuco'\ncolumns = 4\nrows = 5\nsquare_mm = 54\nmarker_mm = 40.5\n"
                              "dictionary = '4X4_50'\ninverted = true\n"), TREES))  # fmt: skip
def test_files_of_boards(file, text):
    """Catches an error that is not ours."""
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    with contextlib.suppress(Mocap3dError):
        assert len(parse_board(file).points_m) >= 4


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2, max_size=3, unique=True)
)
def test_names_come_back(file, names):
    """Catches names with quotes, line breaks or backslashes that are written as something else."""
    offsets = tuple(0.5 * n for n in range(len(names)))
    sure = (1.0,) * len(names)
    Started(names=tuple(names), offsets_s=offsets, std_s=sure, confidence=sure, by="motion").save(file)
    usable = [name for name in names if name and name == name.strip(". ") and not set("/\0.") & set(name)]
    if len(usable) == len(names):
        assert read_starts(file, names) == pytest.approx(offsets)


def test_a_video_that_is_listed_twice(file):
    """Catches one of two beginnings of one video taken in silence."""
    file.write_text(STARTS.replace("'b'", "'a'"))
    with pytest.raises(InputError, match="twice"):
        read_starts(file, ["a.mp4"])
