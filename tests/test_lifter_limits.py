"""The benchmark of a lifter's limits: what it changes, and that it changes nothing else."""

from __future__ import annotations

import importlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from lifters import random_lifter
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_sequence import MotionSequence
from walker import walk

from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.projection import project
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.lift.lifter_weights import save_weights


@pytest.fixture
def limits(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "benchmarks")
    return importlib.import_module("lifter_limits")


def take(limits, fps=60, seconds=1.5):
    joints_m = walk(seconds, fps)[0]
    return limits.Take(joints_m=joints_m, points_m=joints_m, fps=Fraction(fps))


def test_the_dolly_keeps_the_person_as_large(limits):
    """Catches a table of lenses that is one of sizes (4 m at 60 degrees, others nearer or farther), and off-axis."""
    person = take(limits)
    for aside in (0.0, 0.6):
        heights, places = [], []
        for fov in limits.FOVS_DEG:
            for camera, shift in limits.dolly_cameras(person, fov, aside):
                xy_px, in_front = project(camera, person.joints_m + shift)
                assert in_front.all()
                ankles = (xy_px[:, 3] + xy_px[:, 6]) / 2
                heights.append(np.linalg.norm(xy_px[:, 10] - ankles, axis=-1).mean())
                places.append(xy_px[:, 0, 0].mean())
        assert np.std(heights) / np.mean(heights) < 0.12  # perspective and tilt remain; distances differ by 2.7
        expected = 639.5 - aside * 640
        np.testing.assert_allclose(places, expected, atol=40)


def test_joints_are_dropped_as_often_as_said(limits):
    """Catches another share, joints that all go together, and gaps shorter than said."""
    frames = 6000
    pose = Pose2D(xy_px=np.ones((frames, 17, 2)), confidence=np.ones((frames, 17)), fps=Fraction(30), skeleton=COCO_17)
    for seconds, run in ((0.0, 1), (0.5, 15)):
        seen = limits.dropped(pose, rng=np.random.default_rng(0), share=0.3, seconds=seconds).confidence > 0
        assert 1 - seen.mean() == pytest.approx(0.3, abs=0.02)
        assert abs(np.corrcoef(seen[:, 3], seen[:, 4])[0, 1]) < 0.15
        changes = np.flatnonzero(np.diff(seen[:, 0].astype(int))) + 1
        assert np.diff(changes).min() == run


def test_the_same_motion_at_another_rate(limits):
    """Catches time that is stretched: the walker is a formula and can be asked at any rate."""
    other = take(limits, 60).at_rate(Fraction(25))
    np.testing.assert_allclose(other.joints_m[3:-3], walk(1.5, 25)[0][3 : len(other.joints_m) - 3], atol=0.01)
    assert other.fps == 25


def test_every_rate_is_compared_at_the_same_instants(limits):
    """Catches a rate of film or television that is left out, or whose frames drift away from the others'."""
    assert {Fraction(24000, 1001), Fraction(60000, 1001)} < set(limits.RATES)
    assert [limits.label(rate) for rate in limits.RATES] == ["15", "23.976", "25", "30", "50", "59.94", "60", "120"]
    assert limits.at_instants(61, Fraction(60)).tolist() == [0, 12, 24, 36, 48, 60]
    for rate in limits.RATES:
        seconds = limits.at_instants(round(10 * rate), rate) / float(rate)
        assert len(seconds) == 50
        assert np.abs(seconds - np.arange(50) / 5).max() <= 0.5 / rate


def test_points_come_from_joints_that_have_them(limits):
    """Catches COCO faces invented on a body that has none."""
    body = walk(0.2)[0]
    assert limits.seen_points(body, LIFTER_20, COCO_17).shape == (6, 17, 3)
    assert limits.seen_points(body[:, :17], HUMAN36M_17, HUMAN36M_17).shape == (6, 17, 3)
    with pytest.raises(InputError, match="lifter-20"):
        limits.seen_points(body[:, :17], HUMAN36M_17, COCO_17)


def test_reserved_people_are_not_looked_at(limits, tmp_path):
    """Catches limits that are tuned on the people whom acceptance measures on."""
    with pytest.raises(InputError, match="49 are reserved"):
        limits.takes_of(tmp_path / "m.h5", ["02", "49"], random_lifter(), 10.0)


def test_it_prints_every_table_and_the_line(limits, tmp_path, capsys):
    """Catches a table without rows, and figures that are missing from the line."""
    with MotionWriter(tmp_path / "m.h5") as writer:
        writer.add(
            MotionSequence.seen("02", "walk", walk(0.8, 60)[0].astype(np.float32), Fraction(60), LIFTER_20, "CC0")
        )
    save_weights(random_lifter(channels=8, dilations=(1,)), tmp_path / "w.npz")
    asked = [str(tmp_path / "m.h5"), "--weights", str(tmp_path / "w.npz"), "--subjects", "02", "--json"]
    assert limits.main(asked) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    rows = [line for line in printed if line.startswith("|") and "---" not in line]
    assert len(rows) == (1 + len(limits.DROPPED)) + (1 + len(limits.SURE)) + (1 + len(limits.RATES)) + (1 + 6) + (1 + 3)
    line = json.loads(last)
    assert line["figures"].keys() == line["against"].keys() == line["ratio"].keys()
    first = next(row for row in rows if row.startswith("| 0%")).split("|")[2]
    assert float(first.split()[0]) * 1.25 == pytest.approx(line["against"]["missing_30_mm"], abs=0.1)
    assert {"fps_23.976_mm", "fps_59.94_mm", "fps_120_mm"} < line["figures"].keys()
    assert "nan" not in "".join(printed)
