"""CSV files as people and spreadsheets spoil them: what is understood, and what is refused with its line."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.stages.table import Column, read_table, table_text

COLUMNS = (Column("a.x_px", 2, -1e6, 1e6), Column("a.confidence", 3, 0.0, 1.0), Column("left_heel", 3, 0, 1, False))
PLAIN = "frame,time_s,a.x_px,a.confidence,left_heel\n7,0.28,1.5,0.5,0\n8,0.32,,,1\n9,0.36,-3,1,0.25\n"


@pytest.fixture
def read_text(tmp_path):
    """Write bytes or text to a file and read it as frames 7 to 9."""

    def read(text):
        path = tmp_path / "file.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path, COLUMNS, start_frame=7, frames=3)

    return read


def test_a_plain_file(read_text):
    """Catches columns exchanged, and an empty cell that becomes 0."""
    table = read_text(PLAIN)
    np.testing.assert_array_equal(table.values, [[1.5, 0.5, 0], [np.nan, np.nan, 1], [-3, 1, 0.25]])
    assert table.lines.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.rstrip("\n"),
        PLAIN + ",,,,\n\n",
        PLAIN.replace("\n", ",,\n"),
        PLAIN.replace("8,0.32,", '"8","0.32",').replace("1.5", '"1.5"'),
        "a.confidence,frame,left_heel,time_s,a.x_px\n1,9,0.25,,-3\n0.5,7,0,,1.5\n,8,1,,\n",
        "frame,a.x_px,a.confidence,left_heel\n7,15e-1,.5,0\n8,,,1\n9,-3.,1,+0.25\n",
        PLAIN.replace("9,0.36", "9.0, 0.36"),
    ],
    ids=["bom", "crlf", "no end", "empty rows", "empty columns", "quotes", "other order", "no times", "blanks"],
)
def test_what_leaves_no_doubt_is_read(text, read_text):
    """Catches a file refused for what every spreadsheet does to it."""
    np.testing.assert_array_equal(read_text(text).values, read_text(PLAIN).values)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (PLAIN.replace(",", ";"), 1, "separated by semicolons"),
        (PLAIN.replace(",", "\t"), 1, "separated by tabs"),
        (PLAIN.replace("1.5", '"1,5"'), 2, "with a point, such as 1234.5; got '1,5'"),
        (PLAIN.replace("1.5", "1,5"), 2, "this row has 6 cells, the first has 5; is a decimal comma among them"),
        (PLAIN.replace("1.5", "NaN"), 2, "a.x_px must be a number, or empty for what was not seen; got 'NaN'"),
        (PLAIN.replace("1.5", "inf"), 2, "a.x_px must be a number"),
        (PLAIN.replace("1.5", "1_5"), 2, "a.x_px must be a number"),
        (PLAIN.replace("1.5", "1e99"), 2, "a.x_px must be from -1e+06 to 1e+06"),
        (PLAIN.replace(",1,0.25", ",1.5,0.25"), 4, "a.confidence must be from 0 to 1, got 1.5"),
        (PLAIN.replace(",,,1", ",,,"), 3, "left_heel must be a number; got ''"),
        (PLAIN.replace("8,0.32,,,1\n", ""), 3, "frame 8 is missing: keep the row of each frame"),
        (PLAIN.replace("9,0.36", "8,0.36"), 4, "frame 8 is there twice, first in line 3"),
        (PLAIN.replace("9,0.36", "10,0.36"), 4, "frame 10 is unknown: there are 7 to 9"),
        (PLAIN.replace("9,0.36", "nine,0.36"), 4, "frame must be a whole number, got 'nine'"),
        (PLAIN.replace("8,0.32,,,1", "8,0.32,,1"), 3, "this row has 4 cells, the first has 5"),
        (PLAIN.replace("a.confidence", "a.confidense"), 1, "unknown column 'a.confidense'"),
        (PLAIN.replace("a.confidence", "a.x_px"), 1, "the column 'a.x_px' is there twice"),
        (PLAIN.replace("a.confidence", ""), 1, "the column 'a.confidence' is missing"),
        (PLAIN.replace("\n7", ",\n7", 1).replace(",0\n", ",0,look\n", 1), 2, "'look' stands in a column without"),
        ("", 1, "the first line must hold the titles"),
        ("7,0.28,1.5,0.5,0\n", 1, "the first line must hold the titles"),
        (PLAIN.replace("1.5", '"1.5'), 4, "unexpected end of data"),
        (PLAIN.encode("utf-16"), None, "save it as CSV in UTF-8"),
        (PLAIN.replace("1.5", "½").encode("latin-1"), None, "save it as CSV in UTF-8"),
    ],
)
def test_what_could_mean_something_else_is_refused(text, line, message, read_text):
    """Catches a broken edit that is guessed at, and an error that does not say where."""
    with pytest.raises(FileFormatError) as caught:
        read_text(text)
    assert message in str(caught.value)
    assert caught.value.line == line
    assert caught.value.path.name == "file.csv"


def test_a_file_that_is_gone(tmp_path):
    """Catches a traceback of the operating system."""
    with pytest.raises(InputError, match=r"cannot read .*file\.csv"):
        read_table(tmp_path / "file.csv", COLUMNS, start_frame=7, frames=3)


@given(st.lists(st.tuples(st.floats(-9e5, 9e5), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, rows):
    """Catches numbers cut instead of rounded, -0.00, exponents that a spreadsheet takes for text."""
    path = tmp_path_factory.getbasetemp() / "written.csv"
    text = table_text(COLUMNS, np.array(rows), start_frame=3, fps=Fraction(30000, 1001))
    assert "e" not in text.splitlines()[-1]
    assert "-0.00," not in text
    path.write_text(text)
    values = read_table(path, COLUMNS, start_frame=3, frames=len(rows)).values
    assert (np.abs(values - rows) <= [0.005 + 1e-9, 0.0005 + 1e-9, 0.0005 + 1e-9]).all()
