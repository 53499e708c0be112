"""Several videos of one take on the command line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from mocap3d.cli import app


@pytest.fixture
def asked(monkeypatch):
    """What the command asks of capture; the work itself is left out."""
    calls = []

    def capture(video, **options):
        calls.append((video, options))
        return SimpleNamespace()

    monkeypatch.setattr("mocap3d.pipeline.capture", capture)
    monkeypatch.setattr("mocap3d.cli._capture.save_clip", lambda clip, job, *_, **__: {"source": str(job.video)})
    return calls


def run(*arguments):
    return CliRunner().invoke(app, ["capture", *map(str, arguments)])


@pytest.mark.parametrize(
    ("words", "sync"), [([], "motion"), (["--sync", "audio"], "audio"), (["--sync", "0,-0.5"], (0.0, -0.5))]
)
def test_several_videos_with_cameras_are_one_take(asked, tmp_path, words, sync):
    """Catches a batch of two captures where one of two views was meant."""
    out = tmp_path / "out.bvh"
    assert run("a.mp4", "b.mp4", "--cameras", "rig.toml", "-o", out, *words).exit_code == 0
    ((videos, options),) = asked
    assert videos == (Path("a.mp4"), Path("b.mp4"))
    assert options["cameras"] == Path("rig.toml")
    assert options["sync"] == sync


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.mp4", "--cameras", "rig.toml"], "at least 2 cameras"),
        (["a.mp4", "b.mp4", "--cameras", "rig.toml", "--fov", "60"], "--fov belongs to one camera"),
        (["a.mp4", "b.mp4", "--cameras", "rig.toml", "--sync", "clap"], "--sync takes"),
        (["a.mp4", "b.mp4", "--cameras", "rig.toml", "--sync", "0,1,2"], "all 2 videos"),
        (["a.mp4", "--sync", "audio"], "give --cameras"),
    ],
)
def test_what_makes_no_take_is_bad_usage(asked, tmp_path, words, message):
    """Catches options that are silently left out."""
    result = run(*words, "-o", tmp_path / "out.bvh")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not asked
