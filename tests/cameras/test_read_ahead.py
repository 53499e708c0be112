import threading

import pytest

from mocap3d.cameras.read_ahead import read_ahead


def test_keeps_the_order_and_stays_one_ahead():
    """Catches pictures that overtake each other, and a whole video read into memory."""
    made = []

    def items():
        for n in range(20):
            made.append(n)
            yield n

    got = []
    for item in read_ahead(items()):
        got.append(item)
        assert len(made) <= len(got) + 2
    assert got == list(range(20))


def test_an_error_arrives_in_its_turn():
    """Catches a decoder's error lost in a thread, or one that swallows the good pictures before it."""

    def items():
        yield 1
        raise ValueError("broken")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_leaving_early_leaves_no_thread_behind():
    """Catches a process that never ends after Ctrl-C."""
    before = threading.active_count()
    ahead = read_ahead(range(1000))
    next(ahead)
    ahead.close()
    assert threading.active_count() == before
