"""The benchmarks of triangulation: arguments, tables, JSON lines. What they measure is never tested."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmark_named(monkeypatch):
    """Import a benchmark as running it does: with its folder on the path."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def last_line(capsys, name):
    """The line for machines, and the text before it."""
    *text, line = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert result["name"] == name
    assert result["figures"].keys() == result["against"].keys() == result["ratio"].keys()
    return "\n".join(text), result


def test_triangulate_prints_what_it_promises(benchmark_named, capsys):
    """Catches a key that is gone, and a loop whose time is not scaled up to all points."""
    triangulate = benchmark_named("triangulate")
    arguments = ["--points", "3000", "--loop-points", "100", "--rounds", "1", "--aniposelib-python", "", "--json"]
    assert triangulate.main(arguments) == 0
    text, result = last_line(capsys, "triangulate")
    assert {"vs_loop", "vs_loop_with_lenses", "vs_opencv_two_views"} <= result["ratio"].keys()
    assert result["against"]["vs_loop"] > 0.01  # 3000 points at some 30 microseconds
    assert "timed on 100" in text


def test_the_loop_is_right(benchmark_named):
    """Catches a comparison with a loop that finds something else: fast because wrong, or slow for no reason."""
    triangulate = benchmark_named("triangulate")
    cameras = triangulate.ring(4, lens=triangulate.BROWN)
    truth, weight = triangulate.some_points(20)
    seen = np.stack([triangulate.pixels(camera, truth) for camera in cameras])
    found = triangulate.svd_loop_bent(cameras, seen, weight, slice(0, 20))
    np.testing.assert_allclose(found, truth, atol=2e-3)  # OpenCV stops after five rounds
    plain = triangulate.ring(4)
    seen = np.stack([triangulate.pixels(camera, truth) for camera in plain])
    for found in (triangulate.svd_loop(plain, seen, weight), triangulate.opencv_pair(plain[:2], seen)):
        np.testing.assert_allclose(found, truth, atol=1e-6)
    np.testing.assert_allclose(triangulate.ours_robust(plain, seen, weight), truth, atol=1e-6)


def test_rigs_prints_the_bound(benchmark_named, capsys, tmp_path):
    """Catches a table without its bound, and people who are not where the cameras look."""
    rigs = benchmark_named("rigs")
    assert rigs.main(["--data", str(tmp_path), "--views", "3", "--json"]) == 0
    text, result = last_line(capsys, "rigs")
    assert 0.9 < result["figures"]["error_over_bound"] < 1.2
    assert "3 cameras, 30 % wrong, 20 % missing" in text


def test_four_cameras_measures_what_it_says(benchmark_named):
    """Catches limbs of other joints, views in another order, and joints that a solver has moved without a word."""
    four = benchmark_named("four_cameras")
    rigs = benchmark_named("rigs")
    cameras, truth = rigs.ring(4), rigs.walkers(1, seconds=1.0)[0]
    poses = rigs.seen_by(cameras, truth, noise_px=3.0)
    row = four.row("x", four.triangulate_pose(poses, cameras), poses, cameras)
    assert len(row.limbs_mm) == 8
    assert row.error_px.shape == (4, 30, 12)
    assert 2 < np.nanmedian(row.error_px) < 4
    assert 5 < row.limbs_mm.max() < 30
    solved = four.row("y", four.solved(four.triangulate_pose(poses, cameras)), poses, cameras)
    assert solved.limbs_mm.max() < 1e-6
