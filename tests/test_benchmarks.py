"""The benchmarks' arguments, tables and JSON line. What they measure is never tested: timing has no place here."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def benchmark_named(monkeypatch):
    """Import a benchmark as running it does: with its folder on the path."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def checked_line(line: str, name: str) -> dict[str, dict[str, float]]:
    """Read the line as the people who collect it do."""
    result = json.loads(line)
    assert list(result) == ["name", "machine", "figures", "against", "ratio"]
    assert result["name"] == name
    assert result["machine"]
    assert result["figures"].keys() == result["against"].keys() == result["ratio"].keys()
    assert all(isinstance(value, float) for part in ("figures", "against", "ratio") for value in result[part].values())
    return result


@pytest.mark.parametrize("name", ["capture", "agreement", "lifter", "lifter_limits"])
def test_help(name):
    """Catches a benchmark that cannot even be imported from its folder."""
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout


def test_a_larger_ratio_is_better(benchmark_named):
    """Catches a ratio turned upside down, for quantities of either sense."""
    common = benchmark_named("_common")
    figures = [
        common.Figure(key="frames_per_s", ours=30.0, against=20.0, higher_is_better=True),
        common.Figure(key="peak_mib", ours=200.0, against=300.0),
    ]
    line = checked_line(common.json_line("x", figures), "x")
    assert line["ratio"] == {"frames_per_s": 1.5, "peak_mib": 1.5}


def test_capture_reports_medians(benchmark_named, monkeypatch, capsys):
    """Catches a mean for a median, our runs taken for theirs, and a table that lacks a step."""
    capture = benchmark_named("capture")

    def run(frames, seconds, peak_mib):
        steps = {"detect": seconds / 2, "rest": seconds / 2}
        return capture.Run(
            frames=frames, seen=frames, seconds=seconds, cpu_seconds=seconds, peak_mib=peak_mib, steps=steps
        )

    runs = {
        ("mocap3d", 1): [run(100, 2.0, 200.0), run(100, 4.0, 200.0), run(100, 99.0, 200.0)],
        ("mocap3d", 10): [run(1000, 40.0, 210.0)] * 3,
        ("mediapipe", 1): [run(100, 5.0, 300.0)] * 3,
        ("mediapipe", 10): [run(1000, 20.0, 600.0)] * 3,
    }
    monkeypatch.setattr(capture, "measure", lambda count, python, times: runs)
    assert capture.main(["--mediapipe-python", "python", "--json"]) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    line = checked_line(last, "capture")
    assert line["figures"]["frames_per_s"] == 25.0
    assert line["ratio"]["frames_per_s"] == 1.25
    assert line["ratio"]["frames_per_s_10x"] == 0.5
    assert line["ratio"]["peak_10x_by_1x"] == pytest.approx(2.0 / 1.05, abs=1e-3)
    assert any(row.startswith("| detect") and "20.00" in row for row in printed)


def test_capture_says_how_to_get_mediapipe(benchmark_named, monkeypatch, capsys):
    """Catches a comparison without the other side."""
    monkeypatch.delenv("MOCAP3D_MEDIAPIPE_PYTHON", raising=False)
    assert benchmark_named("capture").main(["--json"]) == 2
    assert "locks/mediapipe.txt" in capsys.readouterr().err


def test_steps_are_timed_one_at_a_time(benchmark_named, monkeypatch):
    """Catches time counted twice when one step calls another."""
    ours = benchmark_named("_run_ours")
    clock = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])  # start, into detect, into reading, out, out, stop
    monkeypatch.setattr(ours.time, "perf_counter", lambda: next(clock))
    watch = ours.Stopwatch()
    watch.start()
    with watch.step("detect"), watch.step("reading"):
        pass
    watch.stop()
    assert (watch.seconds["rest"], watch.seconds["detect"], watch.seconds["reading"]) == (17.0, 10.0, 4.0)


def test_every_step_names_a_function_that_exists(benchmark_named):
    """Catches a function renamed in the pipeline, whose step would be missed when the benchmark is next run."""
    ours = benchmark_named("_run_ours")
    for place in (place for places in ours.STEPS.values() for place in places):
        module, _, path = place.partition(":")
        found = importlib.import_module(module)
        for attribute in path.split("."):
            found = getattr(found, attribute)
        assert callable(found)


def test_the_mean_pose_is_the_pose(benchmark_named):
    """Catches a mean over poses that were not aligned, which would shrink: all are one pose, moved and scaled."""
    agreement = benchmark_named("agreement")
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(12, 3))
    turns = np.linalg.qr(rng.normal(size=(40, 3, 3)))[0]
    turns *= np.linalg.det(turns)[:, None, None]
    poses = rng.uniform(0.5, 2.0, (40, 1, 1)) * pose @ turns + rng.normal(size=(40, 1, 3))
    found = agreement.mean_pose(poses)
    apart = np.linalg.norm(found[:, None] - found, axis=-1) / np.linalg.norm(pose[:, None] - pose, axis=-1).clip(1e-9)
    np.testing.assert_allclose(apart[~np.eye(12, dtype=bool)], apart[0, 1], rtol=1e-6)


def test_scores_in_millimetres(benchmark_named):
    """Catches metres taken for millimetres, or alignment that takes away more than motion and size."""
    agreement = benchmark_named("agreement")
    still = np.random.default_rng(1).normal(size=(3, 12, 3))
    moved = still[:, :, [2, 0, 1]] * 1.5 + 0.3
    bent = moved.copy()
    bent[:, 4, 0] += 0.01
    joints_m = np.stack([still, moved, bent])
    scores = agreement._pairs("x", ["a", "b", "c"], joints_m, still[0], scaled=True)
    assert scores.names == ["a b", "a c", "b c"]
    assert scores.ours[0] == pytest.approx(0.0, abs=1e-6)
    assert 0.5 < scores.ours[2] < 10 / 12 * 2
    line = checked_line(benchmark_named("_common").json_line("agreement", agreement.figures([scores])), "agreement")
    assert list(line["figures"]) == ["x_mm"]


def test_triangulation_finds_the_points_that_made_the_pixels(benchmark_named):
    """Catches rotations transposed, and one view that is wrong pulling the point away."""
    multiview = benchmark_named("_multiview")
    mocap3d = benchmark_named("mocap3d")
    rng = np.random.default_rng(2)
    xyz_m = rng.uniform(-0.5, 0.5, (5, 12, 3))
    cameras, seen = [], []
    for angle in (0.0, 0.7, 1.4, 2.1):
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3], cam_from_world[2, 3] = turn, 4.0
        K = np.array([[1500.0, 0, 540], [0, 1500, 960], [0, 0, 1]])
        cameras.append(mocap3d.Camera(name="x", size_wh_px=(1080, 1920), K=K, cam_from_world=cam_from_world))
        cam = np.einsum("ij,tnj->tni", turn, xyz_m) + [0, 0, 4.0]
        seen.append(cam[..., :2] / cam[..., 2:] * 1500 + [540, 960])
    xy_px = np.array(seen)
    xy_px[1, 2, 3] += 300  # a joint of another person
    found, error_px = multiview.triangulate(cameras, xy_px, np.ones(xy_px.shape[:-1]))
    np.testing.assert_allclose(found, xyz_m, atol=2e-3)
    assert error_px[1, 2, 3] > 250


def test_time_offsets_are_found(benchmark_named):
    """Catches lags with the wrong sign: the second view starts two frames later, so its frame 0 is our frame 2."""
    multiview = benchmark_named("_multiview")
    frames = np.arange(20.0)
    values = np.stack([frames, frames + 2])
    assert np.array_equal(multiview.shifted(values, [0, -2])[:, 5:10], np.stack([frames, frames])[:, 5:10])
    assert np.isnan(multiview.shifted(values, [0, -2])[1, :2]).all()


def test_steps_that_overlap_in_threads_are_counted_in_full(benchmark_named, monkeypatch):
    """Catches a stopwatch that two threads share: what one spends would be missing from the other's step."""
    ours = benchmark_named("_run_ours")
    now = 0.0
    monkeypatch.setattr(ours.time, "perf_counter", lambda: now)
    watch = ours.Stopwatch()
    watch.start()
    reading, done = threading.Event(), threading.Event()

    def background():
        with watch.step("reading"):
            reading.set()
            done.wait()

    thread = threading.Thread(target=background)
    with watch.step("detect"):
        thread.start()
        reading.wait()
        now = 2.0
        done.set()
        thread.join()
        now = 3.0
    watch.stop()
    assert watch.seconds["reading"] == 2.0
    assert watch.seconds["detect"] == 3.0
    assert watch.seconds["rest"] == 0.0
