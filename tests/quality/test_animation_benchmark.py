"""The benchmark of animation: what it puts side by side, on figures that are given."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import mocap3d
from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.quality.animation import AnimationQuality

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"

COLUMNS = {
    "lifted": AnimationQuality(foot_skate_mm_per_s=80.0, jerk_m_per_s3=900.0),
    "off": AnimationQuality(foot_skate_mm_per_s=60.0, jerk_m_per_s3=200.0, penetration_mm=4.0, joint_limit_worst="x"),
    "auto": AnimationQuality(foot_skate_mm_per_s=8.0, jerk_m_per_s3=220.0, penetration_mm=0.0, joint_limit_worst="x"),
    "strong": AnimationQuality(foot_skate_mm_per_s=2.0, jerk_m_per_s3=230.0, penetration_mm=0.0),
}


@pytest.fixture
def benchmark(monkeypatch):
    """The benchmark, imported as running it does: with its folder on the path."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("animation_quality")


def test_the_line_and_the_tables(benchmark, monkeypatch, capsys):
    """Catches before and after exchanged, a ratio of infinity, and figures of one video given for another."""
    other = {
        name: replace(quality, foot_skate_mm_per_s=2 * quality.foot_skate_mm_per_s) for name, quality in COLUMNS.items()
    }
    clips = {"walk": COLUMNS, "cam01": other}
    monkeypatch.setattr(benchmark, "videos", lambda data: [(Path(f"{name}.mp4"), None) for name in clips])
    monkeypatch.setattr(benchmark, "judge", lambda video, lens, against: clips[video.stem])
    assert benchmark.main(["--json"]) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    line = json.loads(last)
    assert line["figures"].keys() == line["against"].keys() == line["ratio"].keys()
    assert line["figures"]["walk_foot_skate_mm_per_s"] == 8.0
    assert line["ratio"]["walk_foot_skate_mm_per_s"] == 10.0
    assert line["figures"]["mean_foot_skate_mm_per_s"] == 12.0
    assert line["against"]["mean_foot_skate_mm_per_s"] == 120.0
    assert line["against"]["walk_penetration_mm"] == 4.0  # joints have no soles: the motion before the lock counts
    assert line["ratio"]["walk_penetration_mm"] == 40.0
    rows = [row for row in printed if row.startswith("| foot skate ")]
    assert [[cell.strip() for cell in row.split("|")[2:-1]] for row in rows] == [
        ["80.0 mm/s", "60.0 mm/s", "8.0 mm/s", "2.0 mm/s"],
        ["160.0 mm/s", "120.0 mm/s", "16.0 mm/s", "4.0 mm/s"],
        ["120.0 mm/s", "90.0 mm/s", "12.0 mm/s", "3.0 mm/s"],
    ]
    beside = printed[printed.index("## lifted -> off -> auto") + 2 :]
    rows = {cells[0]: cells[1:] for row in beside if (cells := [cell.strip() for cell in row.split("|")[1:-1]])}
    assert rows[""] == ["walk", "cam01", "mean"]
    assert rows["foot skate, mm/s"] == ["80.0 → 60.0 → 8.0", "160.0 → 120.0 → 16.0", "120.0 → 90.0 → 12.0"]
    assert rows["feet in the floor, mm"][0] == "4.0 → 0.0"


def test_motions_of_something_else(benchmark, tmp_path, capsys):
    """Catches a file of another length or name that is compared all the same."""
    motion = mocap3d.Motion(
        rig=HUMANOID_RIG,
        fps=Fraction(30),
        local_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (9, 22, 1)),
        root_m=np.tile(HUMANOID_RIG.offsets_m[0], (9, 1)),
    )
    mocap3d.write(motion, tmp_path / "walk.npz")
    assert len(benchmark.other_motion(tmp_path, "walk", motion)) == 9
    assert benchmark.other_motion(tmp_path, "cam01", motion) is None
    longer = replace(motion, local_wxyz=motion.local_wxyz[[0] * 10], root_m=motion.root_m[[0] * 10])
    assert benchmark.other_motion(tmp_path, "walk", longer) is None
    assert "10 frames" in capsys.readouterr().err
