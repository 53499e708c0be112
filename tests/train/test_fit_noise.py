from __future__ import annotations

import importlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import COCO_17
from mocap3d.train.fit_noise import fit_noise
from mocap3d.train.noise import PART_OF_JOINT, PARTS, NoiseSettings, simulate_detector
from mocap3d.train.noise_residuals import Residuals, against_points, against_smoothed, smooth_track

AT = {name: j for j, name in enumerate(COCO_17.joint_names)}
MIRROR = list(COCO_17.mirror)
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

# A body that stands still and faces us, metres, right and down.
SIDE = np.array([name.startswith("left") * 1.0 - name.startswith("right") for name in COCO_17.joint_names])
HEIGHT = np.array([1.62, 1.66, 1.65, 1.42, 1.15, 0.92, 0.95, 0.53, 0.09])[PART_OF_JOINT]
BODY_M = np.stack([0.2 * SIDE, -HEIGHT], axis=-1)


def residuals(error_m, confidence, *, fps=30.0, turned_away=None, **more):
    """Residuals of the standing body."""
    partner_m = np.repeat((BODY_M[MIRROR] - BODY_M)[None], len(error_m), axis=0)
    away = np.zeros(confidence.shape, bool) if turned_away is None else turned_away
    return Residuals(
        name="x", error_m=error_m, confidence=confidence, partner_m=partner_m, turned_away=away, fps=fps, **more
    )


def wandering(rng, frames, *, white, slow_s, fps=30.0):
    """White plus first-order autoregressive noise of variance 1, (frames, 17, 2), from a filter that has settled."""
    keep = np.exp(-1 / (slow_s * fps))
    fresh = rng.normal(size=(frames + 500, 17, 2))
    slow = lfilter([np.sqrt(1 - keep**2)], [1, -keep], fresh, axis=0)[500:]
    return np.sqrt(1 - white) * slow + np.sqrt(white) * rng.normal(size=(frames, 17, 2))


def simulated(settings, clips=60, frames=90):
    """The simulated detector's errors about the standing body, every second one with the back to us."""
    rng = np.random.default_rng(3)
    xy = np.broadcast_to(0.3 * BODY_M, (clips, frames, 17, 2)).astype(np.float32)
    away = np.zeros((clips, frames, 17), bool)
    away[::2, :, :5] = True
    seen, confidence = simulate_detector(rng, xy, np.full((clips, frames), 0.3, np.float32), away, settings)
    return [residuals((seen[n] - xy[n]) / 0.3, confidence[n].astype(float), turned_away=away[n]) for n in range(clips)]


def test_jitter_is_measured():
    """Catches a variance of the mean, of two axes at once, or of a filter's start; noise made without `noise`."""
    rng = np.random.default_rng(0)
    std_m = np.linspace(0.005, 0.03, 9)
    clips = []
    for fps in (30.0, 60.0) * 10:
        unit = wandering(rng, round(3 * fps), white=0.3, slow_s=0.15, fps=fps)
        constant = rng.normal(size=(1, 17, 2)) * 0.02
        clips.append(residuals(unit * std_m[PART_OF_JOINT][:, None] + constant, np.full(unit.shape[:2], 0.8), fps=fps))
    fit = fit_noise(clips)
    np.testing.assert_allclose(fit.std_m, std_m, rtol=0.1)
    np.testing.assert_allclose(fit.bias_m, 0.02, rtol=0.35)
    assert fit.white == pytest.approx(0.3, abs=0.06)
    assert 0.09 < fit.slow_s[0] < 0.15 < fit.slow_s[1] < 0.25
    assert 0.85 < fit.level[0] < 1 < fit.level[1] < 1.15
    assert fit.outlier.count < 5
    assert (fit.lost.count, fit.hidden.count, fit.swapped.count, fit.missed) == (0, 0, 0, 0.0)


SETTINGS = {
    "lost": 0.4, "lost_frames": 3.0, "outlier": 0.3, "outlier_m": 0.15, "swapped": 0.5, "white": 0.3, "doubt": 2.0,
    "slow_s": (0.1, 0.4), "level": (0.7, 1.4), "confidence_std": (0.05, 0.06), "turned_away": 0.3,
    "std_m": (0.010, 0.012, 0.014, 0.020, 0.020, 0.030, 0.020, 0.020, 0.030),
    "confidence": (0.6, 0.65, 0.7, 0.85, 0.8, 0.7, 0.85, 0.8, 0.75),
}  # fmt: skip


def test_a_simulated_detector_is_recovered():
    """Catches a parameter that the fit and the simulation understand differently."""
    settings = NoiseSettings(**SETTINGS, filled=0, cut_off=0, occluded=0, hidden=0)
    fit = fit_noise(simulated(settings))
    np.testing.assert_allclose(fit.std_m, settings.std_m, rtol=0.15)
    np.testing.assert_allclose(fit.confidence, settings.confidence, atol=0.03)
    np.testing.assert_allclose(fit.confidence_std, settings.confidence_std, rtol=0.2)
    np.testing.assert_allclose(fit.level, settings.level, rtol=0.15)
    np.testing.assert_allclose(fit.slow_s, settings.slow_s, rtol=0.4)
    assert fit.white == pytest.approx(0.3, abs=0.08)
    assert fit.doubt == pytest.approx(2.0, abs=0.5)
    assert fit.lost.rate == pytest.approx(0.4, rel=0.15)
    assert fit.lost.frames == pytest.approx(3.0, rel=0.15)
    assert fit.outlier.rate == pytest.approx(0.3, rel=0.35)
    assert fit.outlier_m == pytest.approx(0.15, rel=0.2)
    assert fit.swapped.rate == pytest.approx(0.5, rel=0.35)
    assert fit.swapped.frames == pytest.approx(4.0, rel=0.25)
    face = np.mean(settings.confidence[:3])
    assert fit.confidence_turned_away == pytest.approx(face - 0.15, abs=0.03)
    again = fit.settings(NoiseSettings())
    assert (again.white, again.std_m, again.outlier) == (fit.white, fit.std_m, fit.outlier.rate)
    assert again.turned_away == pytest.approx(0.3, abs=0.08)


def test_what_happens_is_counted():
    """Catches runs cut in two or joined, happenings of people who are not there, and rates per frame."""
    rng = np.random.default_rng(1)
    error_m = 0.005 * rng.normal(size=(105, 17, 2))  # three times 35 frames
    confidence = np.full((105, 17), 0.8)
    confidence[10:12, AT["nose"]] = 0.1
    confidence[50, AT["nose"]] = 0.1
    confidence[0:3, AT["left_hip"]] = 0.1
    confidence[60:70][:, [AT["left_elbow"], AT["left_wrist"]]] = 0.4
    confidence[80:90, AT["right_elbow"]] = 0.4  # its wrist is sure
    confidence[90:93] = 0.0
    legs = [AT[f"{side}_{part}"] for part in ("hip", "knee", "ankle") for side in ("left", "right")]
    error_m[30:34, legs] += (BODY_M[MIRROR] - BODY_M)[legs]
    error_m[40, AT["right_wrist"]] += 0.3
    fit = fit_noise([residuals(error_m, confidence)])
    assert (fit.lost.count, fit.lost.frames) == (3, 2.0)
    assert fit.lost.rate == pytest.approx(3 / 17 / (102 / 35))
    assert (fit.hidden.count, fit.hidden.frames) == (1, 10.0)
    assert fit.hidden.rate == pytest.approx(1 / 4 / (102 / 35))
    assert (fit.swapped.count, fit.swapped.frames) == (1, 4.0)
    assert fit.outlier.count == 1
    assert fit.missed == pytest.approx(3 / 105)


def test_what_smoothing_hides_is_added_again():
    """Catches jitter measured after a filter that took most of it away; the body sways slowly meanwhile."""
    rng = np.random.default_rng(2)
    clips = []
    for _ in range(6):
        unit = wandering(rng, 300, white=0.2, slow_s=0.15)
        clips.append(residuals(0.02 * unit, np.full((300, 17), 0.8)))
        sway = 0.3 * np.sin(2 * np.pi * 0.4 * np.arange(300) / 30)[:, None, None]
        xy_px = 400 * (BODY_M + 0.02 * wandering(rng, 300, white=0.2, slow_s=0.15) + sway)
        pose = Pose2D(xy_px=xy_px, confidence=np.full((300, 17), 0.8), fps=Fraction(30), skeleton=COCO_17)
        clips.append(against_smoothed("y", pose))
    fit = fit_noise(clips)
    np.testing.assert_allclose(fit.std_m, 0.02, rtol=0.1)
    np.testing.assert_allclose(fit.std_smoothed_m, 0.02, rtol=0.15)


def test_smoothing_keeps_the_motion_in_time():
    """Catches a filter that lags, one that lets a jump through, and joints that come back from nowhere."""
    time = np.arange(150) / 30
    xy_px = np.repeat((100 * np.sin(2 * np.pi * time))[:, None, None], 17, axis=1).repeat(2, axis=2)
    jumping = xy_px.copy()
    jumping[70] += 300
    jumping[20:25, 3] = np.nan
    smooth = smooth_track(jumping, 30.0)
    assert np.isnan(smooth[20:25, 3]).all()
    others = [j for j in range(17) if j != 3]
    np.testing.assert_allclose(smooth[5:-5, others], xy_px[5:-5, others], atol=8)
    with pytest.raises(InputError, match="nothing above 5 Hz"):
        smooth_track(xy_px, 6.0)


def ring_of_cameras(count):
    """Cameras around the world's vertical axis at 4 m, height 1 m, focal length 1000 px."""
    cameras = []
    for angle in 2 * np.pi * np.arange(count) / count + 0.1:
        centre = np.array([4 * np.sin(angle), 1.0, 4 * np.cos(angle)])
        forward = -np.array([np.sin(angle), 0, np.cos(angle)])
        down = np.array([0.0, -1.0, 0.0])
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3] = [np.cross(down, forward), down, forward]
        cam_from_world[:3, 3] = -cam_from_world[:3, :3] @ centre
        K = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
        cameras.append(Camera(name=str(angle), size_wh_px=(1001, 1001), K=K, cam_from_world=cam_from_world))
    return cameras


def test_own_share_of_a_triangulation_is_undone():
    """Catches residuals that look small because the reference follows them, and pixels taken for metres."""
    rng = np.random.default_rng(5)
    body_m = np.concatenate([-BODY_M * [1, 1], np.zeros((17, 1))], axis=1)  # faces +z
    body_m[AT["nose"], 2] = 0.1
    cameras = ring_of_cameras(4)
    xy_px, rows, right = [], [], []
    for camera in cameras:
        cam = body_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
        exact = cam[:, :2] / cam[:, 2:] * 1000 + 500
        noisy = exact + rng.normal(size=(400, 17, 2)) * 0.02 / cam[:, 2:] * 1000
        xy_px.append(noisy)
        P = camera.K @ camera.cam_from_world[:3]
        weight = 1 / cam[:, 2][None, :, None, None]
        rows.append(weight * (noisy[..., None] * P[2, :3] - P[:2, :3]))
        right.append(weight[..., 0] * (P[:2, 3] - noisy * P[2, 3]))
    A, b = np.concatenate(rows, axis=2), np.concatenate(right, axis=2)
    xyz_m = np.linalg.solve(np.swapaxes(A, -1, -2) @ A, (np.swapaxes(A, -1, -2) @ b[..., None]))[..., 0]
    found = []
    for camera, seen in zip(cameras, xy_px, strict=True):
        pose = Pose2D(xy_px=seen, confidence=np.full((400, 17), 0.8), fps=Fraction(30), skeleton=COCO_17)
        found.append(against_points("x", pose, camera, xyz_m, np.full((400, 17), 0.25)))
    stature = (0.95 - 0.09) / 0.491  # the body's legs say so
    expected = 0.02 * 1.7 / stature
    assert np.mean([clip.error_m.std(axis=0).mean() for clip in found]) == pytest.approx(expected, rel=0.03)
    shown = found[0].turned_away.mean(axis=0)  # the first camera sees the face, the third the back of the head
    away = found[2].turned_away.mean(axis=0)
    assert shown[AT["nose"]] < 0.05
    assert away[AT["nose"]] > 0.95
    assert not found[2].turned_away[:, AT["left_hip"]].any()
    apart = found[0].partner_m[:, AT["left_hip"], 0] * stature / 1.7
    assert np.abs(apart).mean() == pytest.approx(0.4, rel=0.05)


def test_fits_need_independent_clips():
    """Catches parameters made of nothing."""
    with pytest.raises(InputError, match="independent reference"):
        fit_noise([residuals(np.zeros((50, 17, 2)), np.full((50, 17), 0.8), smoothed_hz=5.0)])
    with pytest.raises(InputError, match="independent reference"):
        fit_noise([residuals(np.zeros((10, 17, 2)), np.full((10, 17), 0.8))])


def test_the_benchmark_prints_what_it_measured(monkeypatch, capsys, tmp_path):
    """Catches tables that mix up measured and simulated, and a JSON line that nobody can read."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark = importlib.import_module("detector_noise")
    large = NoiseSettings(level=(1.5, 1.51), std_m=(0.04,) * 9, filled=0.0, cut_off=0.0)
    monkeypatch.setattr(benchmark, "residuals_of", lambda path, cache: benchmark.simulated_clips(large, clips=20))
    monkeypatch.setattr(benchmark, "CLIPS", 40)
    assert benchmark.main([str(tmp_path), "-o", str(tmp_path / "fit.json"), "--json"]) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    row = next(line for line in printed if line.startswith("| wrists, ankles: off"))
    measured, simulated_mm = (int(value) for value in row.split("|")[3].split("/"))
    assert measured > 2 * simulated_mm
    written = json.loads((tmp_path / "fit.json").read_text())
    np.testing.assert_allclose(written["std_m"], 0.06, rtol=0.25)
    assert sum(line.startswith(f"| {part} ") for line in printed for part in PARTS) == len(PARTS)
    assert set(json.loads(last)["ratio"]) == {"off_apart", "step_apart"}
    assert benchmark.main([str(tmp_path / "nothing.mp4")]) == 2
    assert "nothing.mp4" in capsys.readouterr().err
