"""Any picture of a video by its index: the same as reading from the beginning gives, whatever the file is like."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mocap3d import examples
from mocap3d.base.errors import InputError
from mocap3d.cameras import decoding
from mocap3d.cameras.video import open_video

STAMPS = {
    "constant": None,
    "phone": [round(i * 33.366 + 8 * np.sin(7 * i)) for i in range(48)],
    "variable": [40 * i + (300 if i > 20 else 0) + 7 * (i % 3) for i in range(48)],
    "late": [500 + 40 * i for i in range(48)],
}


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libvpx-vp9"])
@pytest.mark.parametrize("stamps", STAMPS)
@pytest.mark.parametrize("asked", [{}, {"start": 5, "stop": 41}, {"fps": 17}], ids=["whole", "part", "other rate"])
def test_every_index_is_the_picture_of_reading(tmp_path, write, grays, codec, stamps, asked):
    """Catches a seek that lands beside the frame: B-frames, key frames far apart, late starts, resampled rates."""
    options = {"libx264": {"g": "16", "bf": "3", "crf": "8"}, "libvpx-vp9": {"crf": "8", "b:v": "0", "cpu-used": "8"}}
    path = tmp_path / ("a.webm" if "vp9" in codec else "a.mp4")
    write(path, grays(48), pts=STAMPS[stamps], codec=codec, options=options.get(codec, {"g": "16", "q:v": "1"}))
    video = open_video(path, **asked)
    pictures = list(video)
    for index in {1, 2, 7, 15, 16, 17, len(pictures) - 1}:
        rest = list(video.since(index))
        assert len(rest) == len(pictures) - index
        assert all(np.array_equal(a, b) for a, b in zip(rest, pictures[index:], strict=True)), index


def test_few_frames_before_it_are_decoded(monkeypatch):
    """Catches a seek that decodes everything from the beginning, as if it were none."""
    monkeypatch.setattr(decoding, "decode", None)  # would be called, and fail
    video = open_video(examples.path("walk.mp4"))
    with video:
        assert next(video.since(100)).shape == (536, 1552, 3)


def test_time_stamps_that_repeat(tmp_path, write, grays):
    """Catches a frame that is taken for its twin with the same time stamp."""
    path = write(tmp_path / "a.mkv", grays(12), pts=[0, 40, 80, 80, 80, 120, 160, 200, 240, 280, 320, 360])
    video = open_video(path, fps=Fraction(25))
    pictures = list(video)
    for index in range(len(pictures)):
        assert np.array_equal(next(video.since(index)), pictures[index])


def test_a_damaged_file_is_read_from_the_beginning(tmp_path, write, grays):
    """Catches frames that are lost by seeking in a file whose time stamps cannot be trusted."""
    path = write(tmp_path / "a.avi", grays(40), codec="mpeg4", options={"g": "8", "q:v": "1"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path.write_bytes(data)
    video = open_video(path)
    pictures = list(video)
    assert np.array_equal(next(video.since(30)), pictures[30])


def test_jumping_about_keeps_nothing(tmp_path, write, grays):
    """Catches a video that remembers every place it was ever read from."""
    video = open_video(write(tmp_path / "a.mp4", grays(30)))
    for index in range(20):
        pictures = video.since(index)
        next(pictures)
        pictures.close()
    assert len(video._begun) <= 1


def test_no_such_picture(tmp_path, write, grays):
    """Catches an index that is taken for another picture."""
    video = open_video(write(tmp_path / "a.mp4", grays(5)))
    for index in (-1, 5):
        with pytest.raises(InputError, match="pictures 0 to 4"):
            video.since(index)
