"""benchmarks/filters.py: its arithmetic, on movements whose answer is known. What it measures is not tested."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.motion.filters import LimbCutoffs


@pytest.fixture
def benchmark(monkeypatch):
    """The module, imported from its folder as running it does."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")
    return importlib.import_module("filters")


def waving(hertz, seconds=4.0, fps=120, metres=0.1):
    """Everything goes up and down together."""
    t = np.arange(round(seconds * fps)) / fps
    return np.zeros((len(t), 20, 3)) + metres * np.sin(2 * np.pi * hertz * t)[:, None, None] * [0.0, 1.0, 0.0]


def test_every_joint_is_in_one_part(benchmark):
    """Catches a joint that no row of the table knows, or one that is filtered with another part than it is told in."""
    listed = [joint for limb in benchmark.LIMBS for joint in benchmark.columns(limb)]
    assert sorted(listed) == list(range(len(LIFTER_20)))
    xyz_m = waving(3.0)
    for limb in benchmark.LIMBS:
        slow = LimbCutoffs(**({f"{name}_hz": 50.0 for name in benchmark.LIMBS} | {f"{limb}_hz": 1.0}))
        moved = np.abs(benchmark.filtered(xyz_m, 120, slow) - xyz_m).max(axis=(0, 2)) > 0.03
        assert np.flatnonzero(moved).tolist() == benchmark.columns(limb)


def test_the_figures(benchmark, monkeypatch, capsys, tmp_path):
    """Catches columns exchanged, metres for millimetres, and a loss of speed upside down."""
    (tmp_path / "cmu_amc").mkdir()
    (tmp_path / "cmu_amc" / "cmu_amc.tar.xz").touch()
    clips = {"walking": [waving(0.0)], "running": [waving(5.0)], "jumping": [waving(0.5)], "boxing": [waving(6.0)]}
    monkeypatch.setattr(benchmark, "read", lambda archive: clips)
    assert benchmark.main(["--data", str(tmp_path), "--noise-mm", "20", "--json"]) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    rows = {cells[0]: cells[1:] for line in printed if (cells := [cell.strip() for cell in line.strip("|").split("|")])}
    assert rows["trunk"][:2] == ["5 Hz", "0 mm"]
    assert rows["trunk"][2] == "29 mm"  # 29 % of an amplitude of 100 mm at the cut-off
    none, ours, gait = map(float, rows["walking"])
    assert none == pytest.approx(20 * np.sqrt(3), rel=0.02)
    assert gait < ours < none
    assert rows["6 Hz"] == ["29 %"]
    assert rows["15 Hz"] == ["1 %"]
    line = json.loads(last)
    assert line["name"] == "filters"
    assert (line["figures"]["walking_rms_mm"], line["against"]["walking_rms_mm"]) == pytest.approx(
        (ours, gait), abs=0.1
    )


def test_without_recordings(benchmark, monkeypatch, capsys, tmp_path):
    """Catches a traceback instead of what to do."""
    monkeypatch.delenv("MOCAP3D_DATA", raising=False)
    assert benchmark.main(["--data", str(tmp_path)]) == 2
    assert "cmu_amc.tar.xz" in capsys.readouterr().err
