"""Numbers in text: the vectorised parser and printer against Python's own."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mocap3d.base.errors import InputError
from mocap3d.output.bvh import digits
from mocap3d.output.bvh.digits import BadNumberError, format_rows, parse_numbers

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
finite = st.floats(allow_nan=False, allow_infinity=False)
spelled = st.one_of(
    finite.map(repr),
    finite.map(lambda x: f"{x:.6e}"),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:.6f}"),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:+.3f}"),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[+-]?[0-9]{0,12}\.[0-9]{1,12}", fullmatch=True),
    st.from_regex(r"[+-]?[0-9]{1,12}\.", fullmatch=True),
)
blanks = st.sampled_from([" ", "  ", "\t", " \t ", "\n", "\r\n", "\r", "\n\n", " \n"])


@given(st.lists(st.tuples(spelled, blanks)), st.integers(1, 40))
@example([("-0.0", " "), (".5", "\n"), ("5.", "\r"), ("007", " "), ("9007199254740993.0", " ")], 8)
def test_numbers_are_those_of_python(words, block_bytes):
    """Catches a lost sign, a digit lost where blocks meet, and any difference in the last bit."""
    text = "".join(word + blank for word, blank in words)
    whole_block, digits._BLOCK_BYTES = digits._BLOCK_BYTES, block_bytes
    try:
        numbers = parse_numbers(text.encode())
    finally:
        digits._BLOCK_BYTES = whole_block
    expected = np.array([float(word) for word, _ in words])
    assert numbers.values.tobytes() == expected.tobytes()
    lines = [len(line.split()) for line in re.split("[\r\n]", text)]
    assert numbers.line_counts.tolist() == [count for count in lines if count]


@given(st.binary(max_size=30).map(lambda b: bytes(b"0123456789+-.eE_nan \n"[c % 21] for c in b)))
def test_what_is_no_number_is_refused_with_its_place(text):
    """Catches nan, 1_000, 1.2.3, +-1, a lone point or sign read as a number."""
    words = text.split()
    bad = [w for w in words if not NUMBER.fullmatch(w) or not np.isfinite(float(w))]
    if not bad:
        assert parse_numbers(text).values.tolist() == [float(w) for w in words]
        return
    with pytest.raises(BadNumberError) as caught:
        parse_numbers(text)
    assert text[caught.value.offset :].startswith(caught.value.word.encode())
    assert caught.value.word.encode() in bad


@pytest.mark.parametrize(
    "word", [b"nan", b"inf", b"1_0", b"0x10", b"1e999", b"1,5", b"--1", b"1-1", b".", b"-", b"\xb2"]
)
def test_each_known_trap_is_refused(word):
    """Catches words that Python's float() takes and a file must not hold, and decimal commas."""
    with pytest.raises(BadNumberError, match="no finite number"):
        parse_numbers(b"1.0 2.0 " + word + b" 3.0\n")


@given(
    st.integers(1, 12),
    st.lists(st.lists(st.floats(-400, 400), min_size=3, max_size=3), min_size=1, max_size=5),
)
def test_rows_are_printed_as_python_prints_them(decimals, rows):
    """Catches lost or surplus zeros, a sign on zero, a missing separator."""
    text = format_rows(np.array(rows), decimals).decode()
    for line, row in zip(text.removesuffix("\n").split("\n"), rows, strict=True):
        for word, value in zip(line.split(" "), row, strict=True):
            assert re.fullmatch(rf"-?(0|[1-9]\d*)\.\d{{{decimals}}}", word)
            assert word.strip("-0.") or not word.startswith("-")
            assert float(word) == pytest.approx(value, rel=0, abs=0.5 * 10.0**-decimals + 2e-13)


def test_a_value_too_long_for_its_digits_is_refused():
    """Catches digits that are noise, or an integer that overflows."""
    with pytest.raises(InputError, match="use fewer"):
        format_rows(np.array([[1e9]]), 9)
