"""The benchmark of training, on a miniature of Human3.6M: its arithmetic, not its figures."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import walker
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter

from mocap3d.base.camera import Camera
from mocap3d.base.projection import project
from mocap3d.base.skeletons import LIFTER_20
from mocap3d.train.lifter_settings import HUMAN36M_HELD_OUT, HUMAN36M_TRAINING
from mocap3d.train.virtual_cameras import look_at

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SIZE = (1000, 1002)


@pytest.fixture
def benchmark(monkeypatch):
    """The module; its siblings are imported by their bare names, as when it is started."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("lifter_train")
    for name in ("lifter_train", "_lifter_curves", "_lifter_train_speed", "_plain_lifter", "_common"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Seven people who walk for a second before two cameras, with their true views."""
    path = tmp_path_factory.mktemp("data") / "h36m.h5"
    positions, aims = np.array([[4.0, 1.5, 2.0], [-3.0, 1.5, 3.0]]), np.array([[0.0, 1.0, 0.5]] * 2)
    K = np.array([[1145.0, 0, 512], [0, 1144, 515], [0, 0, 1]])
    distortion = np.array([-0.2, 0.24, -0.0009, -0.0016, -0.002])
    cameras = [
        Camera(name=name, size_wh_px=SIZE, model="brown-conrady", K=K, distortion=distortion, cam_from_world=pose)
        for name, pose in zip("ab", look_at(positions, aims, np.zeros(2)), strict=True)
    ]
    with MotionWriter(path) as writer:
        for i, subject in enumerate((*HUMAN36M_TRAINING, *HUMAN36M_HELD_OUT)):
            xyz_m = walker.walk(seconds=1.3, fps=50, speed_mps=0.9 + 0.05 * i)[0].astype(np.float32)
            for camera in cameras:
                writer.add_camera(subject, camera)
            for action in ("walking_1", "walkdog_1"):
                writer.add(MotionSequence.seen(subject, action, xyz_m, Fraction(50), LIFTER_20, "CC0-1.0"))
                for camera in cameras:
                    xy_px, _ = project(camera, xyz_m)
                    seen = np.ones(xy_px.shape[:2])
                    writer.add_view(subject, action, camera.name, "true", xy_px, seen, LIFTER_20)
    return path


def test_the_baseline_has_the_layers_of_the_recipe(benchmark):
    """Catches a baseline that is slower or weaker than the plain recipe: its forms, sizes and samples."""
    from _plain_lifter import PlainLifter

    strided, dilated = PlainLifter(27, channels=8), PlainLifter(27, channels=8, strided=False)
    dilated.load_state_dict(strided.state_dict())
    clip = torch.randn(1, 40, 34)
    windows = clip[0].unfold(0, 27, 1).transpose(1, 2)
    expected = strided.eval()(windows)[:, 0]
    torch.testing.assert_close(dilated.eval()(clip)[0], expected, atol=1e-5, rtol=0)
    weights = {name: tuple(p.shape) for name, p in PlainLifter(243).named_parameters() if p.ndim > 1}
    assert sum(np.prod(shape) for shape in weights.values()) == 3 * 34 * 1024 + 4 * (3 + 1) * 1024**2 + 1024 * 51


def test_every_sample_once_and_half_of_them_mirrored(benchmark, data):
    """Catches an epoch that repeats frames, and a mirror image that keeps its labels."""
    from _plain_lifter import PlainTraining, Views, mirror

    views = Views.read(data, ("S1",))
    assert len(views.screen) == 2 * 2 * 65
    training = PlainTraining(views, 9, None, channels=4)
    order = torch.cat([training._batch()[1] for _ in range(1)])
    assert len(order) == min(1024, 2 * len(views.screen))
    image = mirror(views.screen, 2).unflatten(1, (17, 2))
    points = views.screen.unflatten(1, (17, 2))
    torch.testing.assert_close(image[:, 4], points[:, 1] * torch.tensor([-1.0, 1.0]))  # left hip is 4, right hip is 1
    torch.testing.assert_close(mirror(mirror(views.screen, 2), 2), views.screen)


def test_both_sides_train_and_are_compared(benchmark, data, tmp_path, capsys, monkeypatch):
    """Catches a side that is measured on other frames, in other axes, or not at all: both learn the walker."""
    import _lifter_curves

    settings = _lifter_curves.human36m_settings
    monkeypatch.setattr(
        _lifter_curves, "human36m_settings", lambda **changes: settings(pool_steps=5, clip_frames=40, **changes)
    )
    plain = _lifter_curves.PlainTraining
    monkeypatch.setattr(_lifter_curves, "PlainTraining", lambda *arguments: plain(*arguments, channels=32))
    words = (
        "--minutes 0.03 --our-minutes 0.03 --every 0.015 --window 9 --our-window 9 --channels 32 --batch 64 --threads 1"
    )
    last = ["--clock", "cpu", "--rate", "3e-3", "--held-out", "S8", "--curve", "0.03", "-o", str(tmp_path), "--json"]
    arguments = [str(data), *words.split(), *last]
    assert benchmark.main(arguments) in (0, 1)  # 1: not as good, after two seconds
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["figures"].keys() == line["against"].keys() == line["ratio"].keys()
    assert line["figures"]["p1_mm_at_the_end"] < 350  # people who stand still would be worse
    for side in ("ours", "plain"):
        assert (tmp_path / f"{side}-0.03.pt").is_file()
        head, *rows = csv.reader((tmp_path / f"{side}.csv").read_text().splitlines())
        assert len(rows) == 2
        assert head[-1] == "held_out_p1_mm"
        assert 0 < float(rows[-1][-1]) < 350
        assert all(
            float(row[head.index("p2_mm")]) <= float(row[head.index("p1_mm")]) for row in rows
        )  # Procrustes the right way round
    assert benchmark.main([*arguments, "--side", "none", "--minutes", "0.015"]) in (0, 1)
    kept = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    assert kept["p1_mm_at_the_end"] == line["figures"]["p1_mm_at_the_end"]


def curve(module, *points):
    """A curve of (minutes, P1)."""
    return [module.Point(minutes=m, steps=1, p1_mm=mm, p2_mm=mm, held_out_p1_mm=float("nan")) for m, mm in points]


def test_the_time_to_the_error_is_read_from_the_curves(benchmark):
    """Catches a promise that looks kept because nobody reached it, or because the baseline stopped early."""
    ours, plain = curve(benchmark, (1, 90.0), (5, 60.0)), curve(benchmark, (10, 95.0), (20, 70.0), (30, 50.0))
    options = benchmark.parsed(["x.h5", "--minutes", "20"])
    figures = {figure.key: figure for figure in benchmark.curve_figures(ours, plain, options)}
    assert figures["train_time_to_error"].ratio == pytest.approx(20 / 5)
    assert figures["p1_mm_at_the_end"].ours == 60
    options = benchmark.parsed(["x.h5", "--minutes", "30"])
    assert "train_time_to_error" not in {figure.key for figure in benchmark.curve_figures(ours, plain, options)}
    with pytest.raises(SystemExit, match=r"trained 30\.0 minutes, not 60"):
        benchmark.curve_figures(ours, plain, benchmark.parsed(["x.h5", "--minutes", "60"]))
