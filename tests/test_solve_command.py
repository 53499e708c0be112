"""`mocap3d capture --keep-stages` and `mocap3d solve`, called as a user calls them."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys

import pytest
from videos import LENS, WALK, frames_of_the_walk, run, write_video

import mocap3d


@pytest.fixture(scope="session")
def captured(tmp_path_factory):
    """A folder with kept stages and the file that capture wrote beside it."""
    folder = tmp_path_factory.mktemp("command")
    arguments = ["capture", WALK, "-o", folder / "a.bvh", "--camera", LENS, "--frames", "40:52", "--keep-stages"]
    done = subprocess.run(
        [sys.executable, "-m", "mocap3d", *map(str, arguments), str(folder / "a")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def kept(captured, tmp_path):
    """A copy for one test."""
    return shutil.copytree(captured, tmp_path / "copy") / "a"


def test_unchanged_stages_give_the_same_file(kept, capsys):
    """Catches a file that differs from the one capture wrote, and a solve that does not say that it did nothing."""
    code, printed, errors = run(capsys, "solve", kept, "-o", kept.parent / "b.bvh")
    assert (code, printed.strip()) == (0, str(kept.parent / "b.bvh"))
    assert "nothing has changed: the motion is as it was" in errors
    assert re.search(r"^person 1: foot skate \d+\.\d mm/s, .*off the picture \d+\.\d px", errors, re.MULTILINE)
    assert (kept.parent / "b.bvh").read_bytes() == (kept.parent / "a.bvh").read_bytes()


def test_repairs_and_summary(kept, capsys):
    """Catches repairs that the command line loses, and a summary mixed with what is said."""
    repairs = [
        "--swap-left-right",
        "44:46",
        "--planted",
        "left-heel:40:43",
        "--lifted",
        "right:50:",
        "--not-seen",
        "48:49",
    ]
    code, printed, errors = run(capsys, "solve", kept, *repairs, "--json")
    assert code == 0, errors
    summary = json.loads(printed)
    assert summary["files"] == []
    assert summary["people"][0]["quality"]["bone_length_range_mm"] < 1e-6
    assert "left and right swapped in frames 44 to 45" in errors
    assert "left heel planted in frames 40 to 42" in errors
    assert "right heel and right toe lifted in frames 50 to 51" in errors
    assert "person 1: 2D changed in " in errors
    clip = mocap3d.solve_stages(kept)
    assert (clip.motion.contacts[:3, 0] == 1).all()
    assert (clip.motion.contacts[10:, 2:] == 0).all()


def test_a_folder_for_results(kept, capsys):
    """Catches results of a solve that are called after a hidden file, or after nothing."""
    (kept.parent / "results").mkdir()
    code, printed, _ = run(capsys, "solve", kept, "-o", kept.parent / "results", "--preset", "mixamo")
    assert (code, printed.strip()) == (0, str(kept.parent / "results" / "a.bvh"))
    assert "mixamorig:LeftArm" in mocap3d.read(printed.strip()).rig.skeleton.joint_names


def test_another_body(kept, capsys):
    """Catches a body that is asked for and left out, and a preset that dresses its motion twice."""
    target = kept.parent / "b.bvh"
    code, _, errors = run(capsys, "solve", kept, "-o", target, "--onto", "ue5", "--root", "root")
    assert code == 0, errors
    motion = mocap3d.read(target)
    assert {"root", "pelvis", "thigh_l"} <= set(motion.rig.skeleton.joint_names)
    assert len(motion) == 12
    code, _, errors = run(capsys, "solve", kept, "-o", target, "--onto", "ue5", "--preset", "ue5")
    assert code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--swap-left-right", "44-46"], 2, "--swap-left-right takes START:STOP"),
        (["--planted", "44:46"], 2, "--planted takes left, left-heel"),
        (["--planted", "nose:44:46"], 2, "--planted takes left, left-heel"),
        (["--not-seen", "4:6"], 1, "person 1 is in frames 40 to 51"),
        (["--person", "2", "--not-seen", "44:46"], 1, "there is no person 2; there are 1"),
        (["-o", "x.dwg"], 1, "the extension must be one of"),
        (["-o", "nowhere/x.bvh"], 1, "there is no folder nowhere"),
    ],
)
def test_wrong_usage(kept, capsys, arguments, code, message):
    """Catches a repair that is made before a bad option is noticed."""
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    found, _, errors = run(capsys, "solve", kept, *arguments)
    assert found == code
    assert message in " ".join(errors.replace("│", " ").split())
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


def test_a_broken_cell_is_told_with_its_line(kept, capsys):
    """Catches a traceback for a typing error."""
    path = kept / "shot1-person1-2d.csv"
    path.write_text(path.read_text().replace("\n42,", "\n42x,"))
    code, printed, errors = run(capsys, "solve", kept)
    assert (code, printed) == (1, "")
    assert errors == f"error: {path}:4: frame must be a whole number, got '42x'\n"


def test_repairs_that_cannot_be_solved_are_taken_back(kept, capsys):
    """Catches a capture whose every joint is gone, though solve refused what it was asked for."""
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    code, _, errors = run(capsys, "solve", kept, "--not-seen", "40:52", "--planted", "left:41:43")
    assert code == 1
    assert "error: no joint was seen in any frame" in errors
    assert "taken back, since it could not be solved: shot1-person1-2d.csv, shot1-person1-contacts.csv\n" in errors
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


def test_stages_are_not_kept_over_others(kept, capsys, monkeypatch):
    """Catches edited files overwritten by a second capture, or minutes of work before the refusal."""
    monkeypatch.setattr("mocap3d.pipeline.capture", lambda *_, **__: pytest.fail("the work has begun"))
    code, _, errors = run(capsys, "capture", WALK, "-o", kept.parent / "c.bvh", "--keep-stages", kept)
    assert code == 1
    assert "holds stages already" in errors


def test_a_batch_keeps_the_stages_of_each(tmp_path, capsys):
    """Catches the stages of two videos in one folder."""
    videos = [write_video(tmp_path / name, frames_of_the_walk(60, 63)) for name in ("a.mp4", "b.mp4")]
    code, *_ = run(capsys, "capture", *videos, "-o", tmp_path / "out", "--keep-stages", tmp_path / "stages")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "stages").iterdir()) == ["a", "b"]
    assert mocap3d.solve_stages(tmp_path / "stages" / "b").source.name == "b.mp4"


def test_ctrl_c_leaves_the_stages_as_they_were(kept):
    """Catches stages half rewritten, a traceback, and another exit code than the shell's."""
    settings = kept / "settings.toml"
    settings.write_text(settings.read_text().replace("height_m = 1.7", "height_m = 1.8"))
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    code = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); import mocap3d.cli; mocap3d.cli.main()"
    command = [sys.executable, "-c", code, "solve", kept]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()  # lifting takes a while after this
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert said == "height_m changed from 1.7 to 1.8: lifting everybody again\n"
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
