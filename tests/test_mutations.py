"""The damaged copies that parsers are tested with: the same every time, all different, of bounded length."""

from __future__ import annotations

from itertools import islice

import pytest
from mutations import mutations

TEXT = b"HIERARCHY\nROOT a\n{\n OFFSET 0 1.5 -2e3\n}\nMOTION\nFrames: 12\n" * 20


@pytest.mark.parametrize("data", [TEXT, bytes(range(256)) * 8, b"", b"x", b"\n\n\n\n"])
def test_copies_are_damaged_bounded_and_the_same_for_the_same_seed(data):
    """Catches an endless copy, an undamaged one, a crash on tiny files, and findings that do not come again."""
    copies = list(mutations(data, 500, seed=3))
    assert len(copies) == 500
    assert data not in copies
    assert max(map(len, copies)) <= 2 * len(data) + 65
    assert copies == list(mutations(data, 500, seed=3))
    assert copies[40:50] == list(islice(mutations(data, 10**9, seed=3, start=40), 10))
    assert copies != list(mutations(data, 500, seed=4))


def test_every_kind_of_damage_occurs():
    """Catches a change that never happens: shorter and longer files, moved lines, extreme numbers, broken text."""
    copies = list(mutations(TEXT, 500, seed=0))
    assert len(set(copies)) > 480
    assert any(len(copy) < len(TEXT) / 2 for copy in copies)
    assert any(len(copy) > len(TEXT) + 100 for copy in copies)
    assert any(sorted(copy.split(b"\n")) == sorted(TEXT.split(b"\n")) for copy in copies)
    for word in (b"1e308", b"nan", b"4294967296", b"\xff\xff\xff\xff", b"\0\0\0\0\0\0\0\0"):
        assert any(word in copy for copy in copies)
