"""The solver's benchmark: what it divides by what, and that its tables are right. How fast it is has no place here."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cmu_people import ENDS, ON_RIG, Take, fk_rig

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.motion import Motion
from mocap3d.base.skeletons import HUMANOID_22, LIFTER_20

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
FRAMES = 210


@pytest.fixture
def solve_benchmark(monkeypatch):
    """The benchmark, imported as running it does; what importing changes is undone."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.syspath_prepend(FOLDER)
    import importlib

    return importlib.import_module("solve")


def waving():
    """A take of somebody who stands and lifts the left knee and arm; all feet count as standing."""
    wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (FRAMES, 22, 1))
    half = 0.3 * np.sin(np.arange(FRAMES) / 10)
    for joint in ("leftLowerLeg", "leftUpperArm"):
        wxyz[:, HUMANOID_22.index(joint), 0] = np.cos(half)
        wxyz[:, HUMANOID_22.index(joint), 1] = np.abs(np.sin(half))
    root_m = np.tile([0.0, 0.9, 0.0], (FRAMES, 1))
    places, _ = fk_rig(HUMANOID_RIG, wxyz, root_m)
    joints_m = np.stack([places.get(ON_RIG.get(joint, "head"), root_m) for joint in LIFTER_20.joint_names], axis=1)
    contacts = np.ones((FRAMES, 4))
    return Take(name="00_00", fps=30, rig=HUMANOID_RIG, wxyz=wxyz, root_m=root_m, joints_m=joints_m, contacts=contacts)


def test_help_and_missing_data(tmp_path):
    """Catches a benchmark that cannot be imported from its folder, or a traceback where data is missing."""
    command = [sys.executable, FOLDER / "solve.py"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout
    done = subprocess.run([*command, "--data", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cmu_amc" in done.stderr


def test_realtime_is_length_by_processor_time(solve_benchmark, monkeypatch, capsys, tmp_path):
    """Catches a ratio upside down, a mean for a median, and short clips or the warming up counted."""
    take = waving()
    short = Take(**{**take.__dict__, "root_m": take.root_m[:30], "joints_m": take.joints_m[:30]})
    (tmp_path / "cmu_amc").mkdir()
    (tmp_path / "cmu_amc" / "cmu_amc.tar.xz").touch()
    monkeypatch.setattr(solve_benchmark, "read", lambda archive: {"long": take, "short": short})
    monkeypatch.setattr(solve_benchmark, "solve", lambda pose, rig: None)
    took = itertools.cycle([50.0, 0.5, 99.0, 0.25])  # warming up, then three rounds whose median is half a second
    clock = itertools.accumulate(step for pair in zip(itertools.repeat(0.0), took, strict=False) for step in pair)
    monkeypatch.setattr(solve_benchmark.time, "process_time", lambda: next(clock))
    assert solve_benchmark.main(["--data", str(tmp_path), "--json"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["name"] == "solve"
    assert line["figures"] == {"realtime": 14.0}  # 7 seconds in half a second, clean as well as noisy
    assert line["against"] == {"realtime": 1.0}
    assert line["ratio"] == {"realtime": 14.0}


def test_tables_tell_right_from_wrong(solve_benchmark, monkeypatch):
    """Catches errors of a motion that is exactly right, and none of one that is 10 mm and 90 degrees off."""
    take = waving()
    exact = Motion(rig=take.rig, fps=Fraction(30), local_wxyz=take.wxyz, root_m=take.root_m, contacts=take.contacts)
    monkeypatch.setattr(solve_benchmark, "solve", lambda pose, rig, contacts=None: exact)
    clips, joints = solve_benchmark.accuracy({"wave": take})
    cells = [cell.strip() for cell in clips.splitlines()[-1].strip("|").split("|")]
    assert cells[:3] == ["wave", "0.0", "0.0"]
    assert cells[7] == "1.00"  # jerk by true jerk
    assert "| leftHand, not observed" in joints
    turned = take.wxyz.copy()
    turned[:, HUMANOID_22.index("head")] = np.sqrt([0.5, 0.0, 0.5, 0.0])
    wrong = Motion(rig=take.rig, fps=Fraction(30), local_wxyz=turned, root_m=take.root_m + [0.01, 0, 0])
    monkeypatch.setattr(solve_benchmark, "solve", lambda pose, rig, contacts=None: wrong)
    clips, joints = solve_benchmark.accuracy({"wave": take})
    assert clips.splitlines()[-1].split("|")[2].strip() == "10.0"
    head = next(row for row in joints.splitlines() if row.startswith("| head"))
    assert head.split("|")[2].strip() == "90.0"


def test_every_joint_has_an_end():
    """Catches a joint of the lifter that truth leaves at the origin."""
    assert {*ENDS, "face"} == set(LIFTER_20.joint_names)


def test_life_is_measured_against_the_truth(solve_benchmark):
    """Catches a share of the truth that noise makes larger, and sizes that are divided the wrong way round."""
    import importlib

    lifted_people = importlib.import_module("_lifted_people")
    rng = np.random.default_rng(0)
    true_m = np.cumsum(rng.normal(0, 0.01, (4000, 5, 3)), axis=0)
    np.testing.assert_allclose(lifted_people._life(true_m, true_m, 30), (0, 1, 1, 1), atol=1e-9)
    np.testing.assert_allclose(lifted_people._life(true_m / 2, true_m, 30), (0.5, 0.5, 0.5, 0.5), atol=1e-9)
    off, found, size, jerk = lifted_people._life(true_m + rng.normal(0, 0.03, true_m.shape), true_m, 30)
    assert off > 3
    assert found == pytest.approx(1.0, abs=0.1)
    assert jerk > size > 3
