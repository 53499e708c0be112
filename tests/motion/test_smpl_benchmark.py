"""benchmarks/smpl.py: its arithmetic and its table. What it measures is not tested."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def benchmark(monkeypatch):
    """The module, imported from its folder as running it does."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")
    return importlib.import_module("smpl")


def test_it_measures_both_programs_on_the_same_movement(benchmark, monkeypatch, capsys):
    """Catches noise where there is to be none, errors against the noisy joints, and frames of one batch counted as all.

    The other program is one that gives back the joints it was given, 10 mm higher.
    """
    given = []

    def other(folder, kind, joints_m, vertices_m, part):
        given.append((len(joints_m), vertices_m[:, part].shape))
        return lambda: joints_m + [0.0, 0.01, 0.0]

    monkeypatch.setattr(benchmark, "smplfitter", other)
    monkeypatch.setattr(benchmark, "BATCH", 4)
    arguments = ["--frames", "6", "--rounds", "1", "--kinds", "smpl", "--noise-mm", "20", "--json"]
    assert benchmark.main(arguments) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    assert given == [(4, (4, 985, 3)), (4, (4, 985, 3)), (4, (4, 6890, 3))]
    rows = dict(tuple(cell.strip() for cell in line.strip("|").split("|")) for line in printed if line.startswith("|"))
    assert rows[""] == "SMPL"
    errors = {label.removeprefix("error in mm: "): float(text) for label, text in rows.items() if "error" in label}
    assert errors["`fit_smpl`, joints alone"] < 0.05
    assert 5 < errors["`fit_smpl`, joints alone, 2 cm noise"] < 40
    assert errors["smplfitter, joints and all vertices"] == pytest.approx(10.0, abs=0.01)
    noise = errors["smplfitter, joints and every seventh vertex, 2 cm noise"]
    assert noise == pytest.approx(20 * np.sqrt(8 / np.pi), rel=0.25)
    line = json.loads(last)
    assert line["against"]["smpl_mm"] == pytest.approx(10.0, abs=0.01)
    assert line["against"]["smpl_noisy_mm"] == pytest.approx(noise, abs=0.01)
    assert line["figures"]["smpl_fps"] < line["against"]["smpl_fps"]  # giving back is fast
    assert line["ratio"]["smpl_fps"] < 1 < line["ratio"]["smpl_mm"]


def test_a_fit_that_misses_is_an_error(benchmark, monkeypatch, capsys):
    """Catches a benchmark that praises the speed of wrong results."""
    right = benchmark.Measured(fps=1.0, fps_cpu=1.0, mean_mm=0.0, worst_mm=1.9)
    wrong = benchmark.Measured(fps=9.0, fps_cpu=9.0, mean_mm=1.0, worst_mm=2.1)
    for ours, code in ((right, 0), (wrong, 1)):
        found = dict.fromkeys(benchmark.ROWS, right) | {"ours": ours}
        monkeypatch.setattr(benchmark, "measured", lambda kind, folder, options, found=found: found)
        assert benchmark.main([]) == code
    assert "| SMPL-X |" in capsys.readouterr().out
