"""The command line: what it writes, what it refuses, and how it says so."""

from __future__ import annotations

import json

import pytest
from videos import LENS, WALK, frames_of_the_walk, run, write_video

from mocap3d.cli import app


def test_json_summary(tmp_path, capsys):
    """Catches words mixed into the machine-readable output."""
    out = tmp_path / "walk.bvh"
    code, printed, _ = run(capsys, "capture", WALK, "-o", out, "--camera", LENS, "--frames", "50:70", "--json")
    summary = json.loads(printed)
    assert code == 0
    assert summary["files"] == [str(out)]
    assert summary["people"][0]["frames"] == 20
    assert out.exists()


def test_a_batch_goes_on_after_a_failure(tmp_path, capsys):
    """Catches a folder of videos that stops at the first bad one, or hides that one failed."""
    folder, results = tmp_path / "videos", tmp_path / "results"
    folder.mkdir()
    (folder / "a_broken.mp4").write_bytes(b"not a video")
    write_video(folder / "b_walk.mp4", frames_of_the_walk(60, 64))
    code, printed, errors = run(capsys, "capture", folder, "-o", results)
    assert code == 1
    assert printed.split() == [str(results / "b_walk.bvh")]
    assert "a_broken.mp4" in errors
    assert "1 of 2 videos failed" in errors


@pytest.mark.parametrize(("output", "message"), [("walk.xyz", "extension"), ("no/such/folder/walk.bvh", "no folder")])
def test_output_is_checked_before_the_work(output, message, tmp_path, capsys):
    """Catches minutes of work thrown away because the result cannot be written."""
    code, _, errors = run(capsys, "capture", WALK, "-o", tmp_path / output)
    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "arguments", [["capture"], ["fly"], ["capture", WALK, "-o", "x.bvh", "--frames", "a:b"], ["capture", WALK]]
)
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    """Catches scripts that cannot tell a typo from a bad video."""
    assert run(capsys, *arguments)[0] == 2


def test_info(tmp_path, capsys):
    """Catches units or counts mixed up in what a user is told of a file."""
    code, printed, _ = run(capsys, "info", WALK, "--json")
    facts = json.loads(printed)
    assert code == 0
    assert facts["frames"] == 126
    assert facts["fps"] == 30
    assert run(capsys, "info", tmp_path / "missing.bvh")[0] == 1


def test_every_command_has_help():
    """Catches a command that fails to build its own help."""
    from typer.testing import CliRunner

    for command in (["capture"], ["demo"], ["info"], ["data", "prepare"], ["train", "lifter"]):
        assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0
