"""docs/train-on-human36m.md, command by command, on a small made-up Human3.6M in the true file formats."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import human36m as made
import pytest
from mocap3d.data_prep.motion_file import read_sequences, view_names

from mocap3d.lift.lifter_weights import load_weights

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "train-on-human36m.md"
FRAMES = 12
SHORTER = {"60000": "2"}
"""What takes an hour on the page, and seconds here."""


def commands() -> list[list[str]]:
    """What a reader would paste, in order, without the installation."""
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    lines = [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()]
    return [words for words in lines if words and words[0] != "pip"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the downloads that the page speaks of, all short, and the videos of one take."""
    desk = tmp_path_factory.mktemp("desk")
    made.official_folder(desk / "human36m", FRAMES)
    for camera in made.CAMERAS:
        made.write_video(desk / "human36m" / "S9" / "Videos" / f"Walking 1.{camera}.mp4", FRAMES)
    made.text_folder(desk / "h3.6m" / "dataset", 30, ("S1", "S9"))
    return desk


@pytest.mark.slow
def test_the_page_runs(desk):
    """Catches a command that was never tried: all of them, one after the other, in one folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for words in commands():
        assert words[0] == "mocap3d", words
        command = [sys.executable, "-m", *(SHORTER.get(word, word) for word in words)]
        done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    assert len(list(read_sequences(desk / "h36m.h5"))) == 209
    assert view_names(desk / "h36m.h5", "S9", "walking_1")["60457274"] == ("movenet_thunder", "true")
    assert len(list(read_sequences(desk / "h36m_text.h5"))) == 60
    assert (desk / "runs" / "s8" / "lifter.npz").is_file()
    assert {sequence.skeleton.name for sequence in read_sequences(desk / "h36m20.h5")} == {"lifter-20"}
    metas = [load_weights(desk / "runs" / name / "lifter.npz").meta for name in ("coco", "causal")]
    assert [(meta.input_skeleton, meta.output_skeleton, meta.causal) for meta in metas] == [
        ("coco-17", "lifter-20", False),
        ("coco-17", "lifter-20", True),
    ]
    assert len(list(read_sequences(desk / "results.h5"))) > 50


def test_there_are_commands():
    """Catches a test above that passes because it found nothing to run."""
    assert ["mocap3d", "data", "check", "h36m.h5"] in commands()
