"""The benchmark of BVH: its line for machines, on a file of a few frames. How fast it is has no place in a test."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_line_holds_the_promised_keys(monkeypatch, capsys):
    """Catches a benchmark that no longer runs, and a key that the collectors do not find."""
    monkeypatch.syspath_prepend(FOLDER)
    assert importlib.import_module("bvh").main(["--frames", "40", "--rounds", "1", "--json"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["name"] == "bvh"
    assert {"parse_vs_pybvh", "write_vs_pybvh"} <= line["ratio"].keys()
    assert line["figures"].keys() == line["against"].keys() == line["ratio"].keys()
