"""BVH files made to use up time or memory: both stay bounded by the size of the file."""

from __future__ import annotations

import time
import tracemalloc
import warnings

import numpy as np
import pytest

from mocap3d.base.errors import FileFormatError, Mocap3dError
from mocap3d.output.bvh import read_bvh

HEAD = "HIERARCHY\nROOT a\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n}\nMOTION\n"
ROWS = "Frames: 2\nFrame Time: 0.04\n0 0 0\n0 0 0\n"
MANY = 300_000


def deep(count: int) -> str:
    """A chain of joints, one inside the other, with one frame."""
    joints = "JOINT a\n{\nOFFSET 0 0 1\nCHANNELS 3 Zrotation Xrotation Yrotation\n" * count
    text = "HIERARCHY\n" + joints.replace("JOINT", "ROOT", 1) + "}\n" * count
    return text + "MOTION\nFrames: 1\nFrame Time: 0.04\n" + "1 2 3 " * count


BOMBS = {
    "blanks instead of frames": HEAD + "Frames" + " " * MANY,
    "blanks instead of a frame time": HEAD + "Frames: 1\nFrame Time" + " " * MANY,
    "a frame time of digits": HEAD + "Frames: 1\nFrame Time: 0.04" + "0" * MANY + "\n0 0 0\n",
    "a frame time of digits, broken": HEAD + "Frames: 1\nFrame Time: " + "1" * MANY + "x\n0 0 0\n",
    "an offset of digits": HEAD.replace("0 1 0", "0." + "1" * MANY + " 1 0") + ROWS,
    "an offset of digits, broken": HEAD.replace("0 1 0", "1" * MANY + "x 1 0") + ROWS,
    "a number of digits": HEAD + ROWS + "0." + "1" * MANY,
    "one long number among exponents": HEAD + ROWS + "0." + "1" * 30_000 + " " + "1e0 " * 30_000,
    "a billion frames": HEAD + ROWS.replace("2", "1000000000"),
    "a billion channels": HEAD.replace("CHANNELS 3", "CHANNELS 1000000000") + ROWS,
    "a name": HEAD.replace("ROOT a", "ROOT " + "l_" * (MANY // 2)) + ROWS,
    "roots": "HIERARCHY\n" + "ROOT a\n{\nOFFSET 0 0 0\n}\n" * (MANY // 50) + "MOTION\n" + ROWS,
    "braces": "HIERARCHY\n" + "{" * MANY,
    "ten thousand deep": deep(10_000),
    "never closed": deep(10_000).replace("}", ""),
    "zeros behind the end": HEAD + ROWS + "\0" * MANY,
    "words behind the end": HEAD + ROWS + "x " * MANY,
    "joints without channels": "HIERARCHY\n"
    + "ROOT r\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n"
    + "JOINT a\n{\nOFFSET 0 0 0\n}\n" * 5_000
    + "}\nMOTION\nFrames: 50000\nFrame Time: 0.04\n"
    + "0\n" * 50_000,
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_time_and_memory_are_bounded_by_the_size_of_the_file(name, tmp_path):
    """Catches a regular expression that tries every division, fractions of a million digits, arrays of long words."""
    path = tmp_path / "bomb.bvh"
    path.write_text(BOMBS[name])
    start = time.process_time()
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_bvh(path)
    except Mocap3dError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - start < 10
    assert peak < 20e6 + 100 * path.stat().st_size


def test_a_chain_ten_thousand_deep_is_read_to_its_last_number(tmp_path):
    """Catches recursion, and columns that are lost far down."""
    path = tmp_path / "deep.bvh"
    path.write_text(deep(10_000).replace("JOINT a", "JOINT b", 1))
    with pytest.warns(UserWarning, match="renamed"):
        motion = read_bvh(path)
    assert motion.local_wxyz.shape == (1, 10_000, 4)
    np.testing.assert_array_equal(motion.local_wxyz[0, -1], motion.local_wxyz[0, 0])


def test_joints_without_channels_are_refused_only_when_they_would_fill_the_memory(tmp_path):
    """Catches a small prop with fixed joints that is refused, and a file of 3 MB that becomes 8 GB."""
    text = BOMBS["joints without channels"]
    path = tmp_path / "a.bvh"
    path.write_text(text)
    with pytest.raises(FileFormatError, match="nearly all without channels"):
        read_bvh(path)
    path.write_text(text.replace("Frames: 50000", "Frames: 100").replace("0\n" * 50_000, "0\n" * 100))
    with pytest.warns(UserWarning, match="renamed"):
        assert len(read_bvh(path)) == 100
