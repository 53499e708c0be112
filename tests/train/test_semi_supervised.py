"""Semi-supervised training: each loss by itself, then people who are learned from by their 2D joints alone."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import walker
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter
from typer.testing import CliRunner

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.pose import Pose2D
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20
from mocap3d.cli import app
from mocap3d.lift.lifter_weights import load_weights
from mocap3d.lift.monocular import lift_pose2d
from mocap3d.train import semi_supervised
from mocap3d.train.semi_supervised import train_semi_supervised
from mocap3d.train.semi_supervised_data import ViewBank
from mocap3d.train.semi_supervised_losses import (
    Predicted,
    back_projection_loss,
    bone_length_loss,
    lens_numbers,
    pose_loss,
    project,
    read_networks,
    trajectory_loss,
)
from mocap3d.train.semi_supervised_settings import SemiSupervisedSettings

ENCODINGS = ("hip-rays-1", "hip-rays-2", "screen-normalised")
LENS = np.array([-0.2, 0.24, -0.0009, -0.0016, -0.003])
K = np.array([[1145.0, 0, 512], [0, 1143, 515], [0, 0, 1]])
TINY = SemiSupervisedSettings(
    labelled=("one",), unlabelled=("two",), held_out=("three",), channels=16, dilations=(1, 3), steps=6, warm_up=2,
    clips=4, outputs=3,
)  # fmt: skip


def beside(name: str, azimuth_deg: float, distance_m: float, middle_m: np.ndarray) -> Camera:
    """A camera that looks at somebody from one side, with a lens like Human3.6M's."""
    azimuth = np.radians(azimuth_deg)
    position = middle_m + distance_m * np.array([np.sin(azimuth), 0.15, np.cos(azimuth)])
    forward = (middle_m - position) / np.linalg.norm(middle_m - position)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    R = np.array([right, np.cross(forward, right), forward])
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3], cam_from_world[:3, 3] = R, -R @ position
    return Camera(name=name, size_wh_px=(1000, 1002), K=K, distortion=LENS, cam_from_world=cam_from_world)


def seen_by(camera: Camera, xyz_m: np.ndarray) -> np.ndarray:
    """OpenCV's projection, (T, J, 2) pixels."""
    rotation, _ = cv2.Rodrigues(camera.cam_from_world[:3, :3])
    flat, _ = cv2.projectPoints(
        xyz_m.reshape(-1, 3).astype(np.float64), rotation, camera.cam_from_world[:3, 3], camera.K, camera.distortion
    )
    return flat.reshape(*xyz_m.shape[:2], 2)


def recording(path: Path, sides: dict[str, tuple[float, list[float]]], labels: bool = True) -> Path:
    """A motion-data file in which each subject walks at a speed and is seen from some sides."""
    with MotionWriter(path) as writer:
        for subject, (speed_mps, azimuths_deg) in sides.items():
            xyz_m = walker.walk(seconds=2.0, fps=30, speed_mps=speed_mps)[0].astype(np.float32)
            known_m = xyz_m if labels else np.full_like(xyz_m, np.nan)
            writer.add(MotionSequence.seen(subject, "walk", known_m, Fraction(30), LIFTER_20, "CC0-1.0"))
            for i, azimuth_deg in enumerate(azimuths_deg):
                camera = beside(f"c{i}", azimuth_deg, 3.5 + 0.3 * (i % 4), xyz_m[:, 0].mean(axis=0))
                writer.add_camera(subject, camera)
                xy_px = seen_by(camera, xyz_m[:, :17]).astype(np.float32)
                confidence = np.ones(xy_px.shape[:2], np.float32)
                writer.add_view(subject, "walk", camera.name, "true", xy_px, confidence, HUMAN36M_17)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, each seen from two sides."""
    sides = {"one": (1.0, [20.0, 200]), "two": (1.2, [60, 240]), "three": (1.1, [100, 300])}
    return recording(tmp_path_factory.mktemp("data") / "m.h5", sides)


def truth(data: Path, encoding: str, view: int = 0) -> tuple[ViewBank, Predicted, tuple[torch.Tensor, ...]]:
    """Networks that know everything, and what back-projection needs to judge them."""
    bank = ViewBank.read(data, ("one",), "true", encoding, mirrored=True)
    e = bank.whole(view, (0, 0))
    return bank, Predicted(xyz_m=e.xyz_m, root_m=e.root_m), (e.virtual_from_cam, e.lens, e.xy_screen, e.seen)


@pytest.mark.parametrize("view", range(4))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_truth_looks_as_it_was_seen(data: Path, encoding: str, view: int) -> None:
    """Catches axes turned the wrong way, a lens that was forgotten, or a mirror image with the original's lens."""
    _, known, evidence = truth(data, encoding, view)
    assert back_projection_loss(known, *evidence) < 1e-6
    half_m = replace(known, root_m=known.root_m + torch.tensor([0.05, 0, 0]))
    distance_m = known.root_m[..., 2].mean()
    expected = 0.05 * 1145 * 2 / 1000 / distance_m  # half widths of the picture
    assert back_projection_loss(half_m, *evidence) == pytest.approx(float(expected), rel=0.2)


def test_joints_that_were_not_seen_do_not_count(data: Path) -> None:
    """Catches a gap that pulls a joint to the corner of the picture, and a mean that divides by all joints."""
    _, known, (turn, lens, xy, seen) = truth(data, "hip-rays-1")
    xy, seen = xy.clone(), seen.clone()
    xy[:, :, 3, 0] += 1.0
    assert back_projection_loss(known, turn, lens, xy, seen) == pytest.approx(1 / 17, rel=1e-3)
    seen[:, :, 3] = False
    assert back_projection_loss(known, turn, lens, xy, seen) < 1e-6
    assert back_projection_loss(known, turn, lens, xy, torch.zeros_like(seen)) == 0


@pytest.mark.parametrize("count", [0, 4, 5, 8, 12, 14])
def test_the_lens_is_opencvs(count: int) -> None:
    """Catches coefficients in another order, a skew or a picture's height that is lost."""
    rng = np.random.default_rng(count)
    distortion = rng.normal(0, 0.03, count)
    distortion[12:] = 0
    skewed = K + np.array([[0, 3.0, 0], [0, 0, 0], [0, 0, 0]])
    camera = Camera(name="c", size_wh_px=(1200, 800), K=skewed, distortion=distortion)
    xyz_m = rng.normal([0, 0, 4], [0.8, 0.8, 0.5], (5, 6, 3))
    flat, _ = cv2.projectPoints(xyz_m.reshape(-1, 3), np.zeros(3), np.zeros(3), K, distortion)
    xy_px = flat.reshape(5, 6, 2) + 3.0 * (flat.reshape(5, 6, 2)[..., 1:] - 515) / 1143 * [1, 0]  # OpenCV knows no skew
    found = project(torch.from_numpy(xyz_m)[None], torch.from_numpy(lens_numbers(camera)).double()[None])[0]
    np.testing.assert_allclose(found, xy_px / 600 - [1, 800 / 1200], atol=2e-6)


def test_lenses_that_are_not_known_are_refused() -> None:
    """Catches a fisheye that is projected as a pinhole."""
    fisheye = Camera(name="f", size_wh_px=(100, 100), K=K, model="fisheye", distortion=np.zeros(4))
    tilted = Camera(name="t", size_wh_px=(100, 100), K=K, distortion=np.array([0.0] * 12 + [0.1, 0]))
    for camera in (fisheye, tilted):
        with pytest.raises(InputError, match="Brown-Conrady"):
            lens_numbers(camera)


def loss_cases() -> dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]:
    """Each loss as a function of what both networks put out, in float64, all else random."""
    rng = np.random.default_rng(7)
    lens = torch.from_numpy(lens_numbers(Camera(name="c", size_wh_px=(1000, 1002), K=K, distortion=LENS))).double()
    turn = torch.from_numpy(np.linalg.qr(rng.normal(size=(2, 3, 3, 3)))[0])
    turn = turn * torch.linalg.det(turn)[..., None, None]
    turn = 0.1 * turn + torch.eye(3)  # near the camera's axes, so that nobody stands behind it
    xyz_m, root_m = torch.from_numpy(rng.normal(size=(2, 3, 17, 3))), torch.from_numpy(rng.normal(size=(2, 3, 3)))
    depth_m, xy = torch.full((2, 3), 4.0).double(), torch.from_numpy(rng.normal(0, 0.2, (2, 3, 17, 2)))
    scale, seen = torch.full((2, 3), 0.3).double(), torch.from_numpy(rng.random((2, 3, 17)) > 0.3)
    return {
        "pose": lambda p, t: pose_loss(read_networks(p, t, scale), xyz_m),
        "trajectory": lambda p, t: trajectory_loss(read_networks(p, t, scale), root_m, depth_m),
        "back_projection": lambda p, t: back_projection_loss(
            read_networks(p, t, scale), turn, lens.expand(2, -1), xy, seen
        ),
        "bones": lambda p, t: bone_length_loss(read_networks(p, t, scale), xyz_m, HUMAN36M_17.parents),
    }


@pytest.mark.parametrize("name", ["pose", "trajectory", "back_projection", "bones"])
def test_gradients(name: str) -> None:
    """Catches a gradient that is cut by a clamp, a copy or an integer on its way to the networks' outputs."""
    loss = loss_cases()[name]
    rng = np.random.default_rng(8)
    outputs = [torch.from_numpy(rng.normal(0, 0.3, (2, 3, n))).requires_grad_() for n in (48, 3)]
    value = loss(*outputs)
    grads = torch.autograd.grad(value, outputs, allow_unused=True)
    reached = [grad is not None and bool((grad.abs() > 1e-9).any()) for grad in grads]
    assert reached == {"pose": [True, False], "trajectory": [False, True], "bones": [True, False]}.get(name, [True] * 2)
    for which, grad in enumerate(grads):
        for _ in range(5):
            step = torch.from_numpy(rng.normal(size=outputs[which].shape))
            ahead, behind = ([o.detach().clone() for o in outputs] for _ in range(2))
            ahead[which] += 1e-6 * step
            behind[which] -= 1e-6 * step
            slope = float(loss(*ahead) - loss(*behind)) / 2e-6
            assert slope == pytest.approx(0.0 if grad is None else float((grad * step).sum()), rel=1e-5, abs=1e-8)


def test_losses_in_closed_form() -> None:
    """Catches a sum for a mean, a root that counts, depth that multiplies, and bones between the wrong joints."""
    xyz_m = torch.randn(2, 3, 17, 3)
    xyz_m[:, :, 0] = 0
    off = xyz_m + torch.tensor([0.0, 0.3, 0.4])
    off[:, :, 0] = 0
    known = Predicted(xyz_m=off, root_m=torch.tensor([0.0, 3, 4]).expand(2, 3, 3))
    assert pose_loss(known, xyz_m) == pytest.approx(0.5, rel=1e-5)
    assert trajectory_loss(known, torch.zeros(2, 3, 3), torch.full((2, 3), 10.0)) == pytest.approx(0.5)
    lengths = np.array([0.0] + [0.1 * j for j in range(1, 17)])
    straight = np.zeros((17, 3))
    for j, parent in list(enumerate(HUMAN36M_17.parents))[1:]:
        straight[j] = straight[parent] + [lengths[j], 0, 0]
    one = Predicted(xyz_m=torch.tensor(straight)[None, None], root_m=torch.zeros(1, 1, 3))
    assert bone_length_loss(one, 2 * one.xyz_m.expand(4, 2, 17, 3), HUMAN36M_17.parents) == pytest.approx(0.85)
    assert bone_length_loss(one, one.xyz_m, HUMAN36M_17.parents) == 0


def test_people_without_labels_teach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches unlabelled losses that teach nothing, or the wrong thing.

    One walker with 3D truth, seen from one side; another of whom only 2D is there, from all sides; a third, seen from
    sides in between, is measured on. Five seeds gave 30 to 40 % less error than the labelled side alone.
    """
    data = recording(tmp_path / "labelled.h5", {"one": (1.0, [90]), "three": (1.1, [60, 130, 250, 310])})
    others = recording(tmp_path / "others.h5", {"two": (1.2, list(range(0, 360, 40)))}, labels=False)
    monkeypatch.setattr(semi_supervised, "_REPORT_S", 0.1)
    settings = replace(TINY, channels=64, dilations=(0, 0), outputs=1, clips=24, dropout=0.0, steps=400, warm_up=100,
                       learning_rate=6e-3, mirrored=False)  # fmt: skip
    rows: dict[str, list[dict[str, float]]] = {"alone": [], "together": []}
    train_semi_supervised(data, replace(settings, unlabelled=()), tmp_path / "alone", progress=rows["alone"].append)
    train_semi_supervised(
        data, settings, tmp_path / "together", unlabelled_data=others, progress=rows["together"].append
    )
    assert rows["together"][-1]["back_projection_loss"] < 0.5 * rows["together"][0]["back_projection_loss"]
    assert rows["together"][-1]["held_out_mpjpe_mm"] < 0.75 * rows["alone"][-1]["held_out_mpjpe_mm"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_weights_lift(data: Path, tmp_path: Path, encoding: str) -> None:
    """Catches an export whose encoding, skeletons or rate are not those that the network learned."""
    path = train_semi_supervised(data, replace(TINY, encoding=encoding), tmp_path / "run")
    weights = load_weights(path)
    camera = beside("c0", 100, 3.5, walker.walk(2.0, 30, 1.1)[0][:, 0].mean(axis=0))
    xy_px = seen_by(camera, walker.walk(2.0, 30, 1.1)[0][:, :17])
    pose = Pose2D(xy_px=xy_px, confidence=np.ones(xy_px.shape[:2]), fps=Fraction(30), skeleton=HUMAN36M_17)
    lifted = lift_pose2d(pose, camera, weights=weights)
    world_m = walker.walk(2.0, 30, 1.1)[0][:, :17] @ camera.cam_from_world[:3, :3].T
    errors_m = np.linalg.norm(lifted.xyz_m - (world_m - world_m[:, :1]), axis=-1)
    with (tmp_path / "run" / "log.csv").open() as file:
        logged = list(csv.DictReader(file))
    both = weights.meta.trained["held_out"]["mpjpe_m"]
    assert float(logged[-1]["held_out_mpjpe_mm"]) == pytest.approx(1000 * both, abs=0.01)
    other = beside("c1", 300, 3.8, walker.walk(2.0, 30, 1.1)[0][:, 0].mean(axis=0))
    xy_px = seen_by(other, walker.walk(2.0, 30, 1.1)[0][:, :17])
    lifted = lift_pose2d(replace(pose, xy_px=xy_px), other, weights=weights)
    world_m = walker.walk(2.0, 30, 1.1)[0][:, :17] @ other.cam_from_world[:3, :3].T
    others_m = np.linalg.norm(lifted.xyz_m - (world_m - world_m[:, :1]), axis=-1)
    assert both == pytest.approx((errors_m.mean() + others_m.mean()) / 2, rel=0.01)  # weights are kept in fp16


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_training_that_was_stopped_equals_one_that_was_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: int
) -> None:
    """Catches a resume that forgets a network, the optimiser, the schedule or the place in the examples."""
    settings = replace(TINY, outputs=outputs)
    whole = train_semi_supervised(data, settings, tmp_path / "whole")
    monkeypatch.setattr(semi_supervised, "_REPORT_S", 0.0)  # a checkpoint after every step

    def stop(row: dict[str, float]) -> None:
        if row["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_semi_supervised(data, settings, tmp_path / "parts", progress=stop)
    parts = train_semi_supervised(data, settings, tmp_path / "parts", resume=True)
    for name, array in load_weights(whole).arrays.items():
        np.testing.assert_array_equal(load_weights(parts).arrays[name], array, err_msg=name)


def test_the_log_of_a_training_that_was_killed_repeats_no_row(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a row that was written before its checkpoint and is written again by the run that goes on; no curve."""
    monkeypatch.setattr(semi_supervised, "_REPORT_S", 0.0)
    save, saved = semi_supervised._Run.save, []

    def save_or_die(run: semi_supervised._Run, checkpoint: Path) -> None:
        if len(saved) == 2:
            raise SystemExit
        saved.append(run.step)
        save(run, checkpoint)

    monkeypatch.setattr(semi_supervised._Run, "save", save_or_die)
    with pytest.raises(SystemExit):
        train_semi_supervised(data, TINY, tmp_path / "run")
    assert steps_logged(tmp_path / "run") == [1, 2, 3]
    monkeypatch.setattr(semi_supervised._Run, "save", save)
    train_semi_supervised(data, TINY, tmp_path / "run", resume=True)
    assert steps_logged(tmp_path / "run") == [1, 2, 3, 4, 5, 6]
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")


def steps_logged(run: Path) -> list[int]:
    """The column "step" of a log."""
    with (run / "log.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_ctrl_c_ends_the_step_and_saves(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a minute lost to Ctrl-C, losses reported without what came before, and a resume that must be told who."""
    train_semi_supervised(data, TINY, tmp_path / "whole")
    step = semi_supervised._step

    def step_and_interrupt(run: semi_supervised._Run, banks: semi_supervised._Banks) -> dict[str, float]:
        if run.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run, banks)

    monkeypatch.setattr(semi_supervised, "_step", step_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_semi_supervised(data, TINY, tmp_path / "parts")
    assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == 4
    monkeypatch.setattr(semi_supervised, "_step", step)
    resumed = ["train", "semi-supervised", str(data), "-o", str(tmp_path / "parts"), "--resume"]
    assert CliRunner().invoke(app, resumed).exit_code == 0
    assert (tmp_path / "parts" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


def test_the_command_says_how_to_go_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an interrupted run of which nobody says how to go on with it."""
    step = semi_supervised._step

    def step_and_interrupt(run: semi_supervised._Run, banks: semi_supervised._Banks) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return step(run, banks)

    monkeypatch.setattr(semi_supervised, "_step", step_and_interrupt)
    who = ["--labelled", "one", "--unlabelled", "two", "--held-out", "three", "--channels", "8", "--window", "9"]
    command = ["train", "semi-supervised", str(data), "-o", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*command, "--unlabelled-data", str(data), *who])
    assert done.exit_code == 130
    assert f"mocap3d {' '.join(command)} --unlabelled-data {data} --resume" in done.output


def test_what_cannot_be_trained_is_refused(data: Path, tmp_path: Path) -> None:
    """Catches people on two sides, labels that are not there, a run that is overwritten or mixed with another."""
    with pytest.raises(InputError, match="two sides"):
        replace(TINY, unlabelled=("one",))
    with pytest.raises(InputError, match="encoding"):
        replace(TINY, encoding="none")
    with pytest.raises(InputError, match="no view by 'nobody'"):
        train_semi_supervised(data, replace(TINY, detector="nobody"), tmp_path / "a")
    unlabelled = recording(tmp_path / "u.h5", {"one": (1.0, [0]), "three": (1.0, [0])}, labels=False)
    with pytest.raises(InputError, match="true joints"):
        train_semi_supervised(unlabelled, TINY, tmp_path / "a", unlabelled_data=data)
    train_semi_supervised(data, TINY, tmp_path / "run")
    with pytest.raises(InputError, match="already"):
        train_semi_supervised(data, TINY, tmp_path / "run")
    with pytest.raises(InputError, match="other settings"):
        train_semi_supervised(data, replace(TINY, seed=1), tmp_path / "run", resume=True)
    with pytest.raises(InputError, match="to resume"):
        train_semi_supervised(data, TINY, tmp_path / "new", resume=True)


@pytest.mark.cuda
def test_a_step_on_cuda(data: Path, tmp_path: Path) -> None:
    """Catches a tensor that stays behind on the CPU."""
    assert train_semi_supervised(data, TINY, tmp_path / "run", device="cuda").is_file()


def test_the_command(data: Path, tmp_path: Path) -> None:
    """Catches an option that does not reach the settings, and a window that the networks do not have."""
    who = ["--labelled", "one", "--unlabelled", "two", "--held-out", " three,"]
    small = ["--steps", "2", "--channels", "8", "--window", "9", "--encoding", "screen-normalised", "--causal"]
    arguments = ["train", "semi-supervised", str(data), "-o", str(tmp_path / "run"), *who, *small]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    meta = load_weights(tmp_path / "run" / "lifter.npz").meta
    assert (meta.window, meta.causal, meta.encoding, meta.trained["steps"]) == (9, True, "screen-normalised", 2)
    assert CliRunner().invoke(app, [*arguments, "--window", "10"]).exit_code == 2
    alone = CliRunner().invoke(app, arguments[:5])
    assert alone.exit_code == 2
    assert "--labelled, --unlabelled, --held-out" in " ".join(alone.output.split())
