"""Long clips: what reading and writing take beyond the clip itself does not grow with its length.

Measured are the arrays and objects of Python, by tracemalloc; OpenUSD's own memory is not among them. The blocks of FBX
and GLB are longer than these clips: their own tests write longer ones.
"""

from __future__ import annotations

import gc
import json
import tracemalloc

import numpy as np
import pytest
from fuzzing import example

from mocap3d import output
from mocap3d.base.motion import Motion
from mocap3d.output import json_stream
from mocap3d.output.json_motion import read_json

SHORT, LONG = 1100, 2200  # two blocks and more
RESULT = 22 * 8 * 7  # bytes of rotations and places in a frame


def peak_of(work, *arguments):
    """The most memory that a call takes beyond what was there, its result included."""
    gc.collect()
    tracemalloc.start()
    work(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def growth(work, short, long):
    """Bytes per additional frame."""
    work(*short)  # what is imported or remembered the first time
    return (peak_of(work, *long) - peak_of(work, *short)) / (LONG - SHORT)


@pytest.mark.parametrize("suffix", [".bvh", ".c3d", ".csv", ".h5", ".json", ".trc"])
def test_writing_takes_as_much_memory_for_long_clips_as_for_short_ones(suffix, tmp_path):
    """Catches a writer that makes everything before it writes the first byte."""
    path = tmp_path / f"a{suffix}"
    found = growth(output.write, (example(SHORT), path), (example(LONG), path))
    assert found < RESULT / 8


@pytest.mark.parametrize("suffix", [".bvh", ".c3d", ".csv", ".fbx", ".glb", ".h5", ".json", ".npz", ".trc", ".vrma"])
def test_reading_takes_a_few_times_the_result(suffix, tmp_path):
    """Catches a reader that keeps a Python object for each number, which takes ten times the room."""
    paths = [tmp_path / f"{frames}{suffix}" for frames in (SHORT, LONG)]
    for frames, path in zip((SHORT, LONG), paths, strict=True):
        output.write(example(frames), path)
    assert growth(output.read, paths[:1], paths[1:]) < 4 * RESULT


@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_other_programs_is_read_bit_by_bit_too(indent, tmp_path, monkeypatch):
    """Catches a reader that only knows our line ends, numbers cut where a piece of text ends, and keys in our order."""
    motion = example(7)
    output.write(motion, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    turned = dict(reversed(document.items()))
    (tmp_path / "b.json").write_text(json.dumps(turned, indent=indent, ensure_ascii=False), encoding="utf-8-sig")
    for chunk in (1, 7, 64, 1 << 20):
        monkeypatch.setattr(json_stream, "_CHUNK", chunk)
        found = read_json(tmp_path / "b.json")
        assert isinstance(found, Motion)
        np.testing.assert_array_equal(found.local_wxyz, motion.local_wxyz)
        np.testing.assert_array_equal(found.root_m, motion.root_m)
        assert found.rig.skeleton == motion.rig.skeleton
