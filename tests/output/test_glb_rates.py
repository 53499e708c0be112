"""Frame rates in glTF, which knows seconds only."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from gltf_by_hand import arm
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError
from mocap3d.output.gltf import read_glb

NTSC = [Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)]


@given(
    st.sampled_from([*NTSC, *(Fraction(n) for n in (1, 10, 24, 25, 30, 50, 60, 120, 144, 240))])
    | st.integers(1, 240).map(Fraction),
    st.integers(2, 3000),
    st.sampled_from([0, 1, 37]),
)
def test_the_rate_is_found_from_the_times_alone(tmp_path_factory, fps, frames, start):
    """Catches 23.976 taken for 24, whatever the length of the clip and wherever it starts."""
    hand = arm()
    del hand.root["animations"]
    times = [float(np.float32((start + t) / float(fps))) for t in range(frames)]
    hand.move(0, "translation", times, np.zeros((frames, 3)))
    motion = read_glb(hand.save(tmp_path_factory.mktemp("rate") / "a.glb"))
    assert (motion.fps, len(motion), motion.start_frame) == (fps, frames, start)


@pytest.mark.parametrize("fps", [*NTSC, Fraction(30)])
@pytest.mark.parametrize("kept", [(0, 2, 5, 11, 40), (0, 3, 9, 10, 100), (0, 4, 10, 16, 300)])
def test_the_rate_is_found_when_keys_were_dropped(fps, kept, tmp_path):
    """Catches a file that was made smaller and is then read at a fraction of its rate or not at all."""
    hand = arm()
    del hand.root["animations"]
    hand.move(0, "translation", np.array(kept) / float(fps), np.array(kept)[:, None] * [1.0, 0, 0])
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    assert (fps / motion.fps).denominator == 1 or motion.fps == fps
    step = fps / motion.fps
    np.testing.assert_allclose(motion.root_m[:, 0], np.arange(len(motion)) * float(step), atol=1e-4)


def test_times_added_up_in_single_precision_are_still_a_grid(tmp_path):
    """Catches a rate of 30.0001 from programs that add 1/30 again and again."""
    hand = arm()
    del hand.root["animations"]
    times = np.cumsum(np.full(2000, np.float32(1 / 30), dtype=np.float32), dtype=np.float32)
    hand.move(0, "translation", times, np.zeros((2000, 3)))
    motion = read_glb(hand.save(tmp_path / "a.glb"))
    assert (motion.fps, len(motion)) == (30, 2000)


def test_keys_on_no_grid_ask_for_a_rate(tmp_path):
    """Catches an invented frame rate."""
    hand = arm()
    del hand.root["animations"]
    hand.move(0, "translation", [0, 0.1234, 0.3333, 0.9], np.zeros((4, 3)))
    path = hand.save(tmp_path / "a.glb")
    with pytest.raises(FileFormatError, match="fps="):
        read_glb(path)
    motion = read_glb(path, fps="23.976")
    assert (motion.fps, len(motion)) == (Fraction(24000, 1001), 22)


def test_a_rate_that_the_keys_contradict_is_not_believed(tmp_path):
    """Catches extras that another program kept while it changed the times, and numbers that would take years."""
    for text in ("24/1", "1e999999999", "30", 7, "0/1", "1/0"):
        hand = arm()
        hand.root["animations"][0]["extras"] = {"fps": text}
        assert read_glb(hand.save(tmp_path / "a.glb")).fps == 30
