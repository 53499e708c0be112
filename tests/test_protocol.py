"""A lifter judged on a miniature data set: weights that always say the same pose, so that every number is known."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from lifters import random_lifter
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_read import read_cameras, read_prediction, read_sequences
from mocap3d.data_prep.motion_sequence import MotionSequence
from videos import run

from mocap3d.base.camera import Camera
from mocap3d.base.errors import InputError
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, LIFTER_20
from mocap3d.cli import app
from mocap3d.lift.lifter_weights import LifterWeights, save_weights
from mocap3d.protocol import LifterProtocol, evaluate_lifter
from mocap3d.protocol.views import plan_views

HEAD, LEFT_HIP, RIGHT_HIP = (HUMAN36M_17.index(name) for name in ("head", "left_hip", "right_hip"))
ROOT_M = np.array([0.0, 0.0, 4.0])  # on the optical axis
FPS = Fraction(50)


def pose(joints=17):
    """Joints around the root in the camera's axes; the hips lie left and right of the optical axis."""
    xyz_m = np.random.default_rng(0).uniform(-0.5, 0.5, (joints, 3)).astype(np.float16).astype(np.float64)
    xyz_m[0] = 0
    xyz_m[LEFT_HIP], xyz_m[RIGHT_HIP] = [0.125, 0, 0], [-0.125, 0, 0]
    return xyz_m


def says(xyz_m, **changes):
    """Weights that give this pose whatever they see, in the camera's axes while the hips are in its middle."""
    fields = {"input_skeleton": "human36m-17", "output_skeleton": "human36m-17", "fps": FPS}
    fields |= {"std_m": (0.01,) * len(xyz_m), "std_unseen_m": (0.1,) * len(xyz_m)}
    weights = random_lifter(**(fields | changes))
    arrays = {name: np.zeros_like(array) for name, array in weights.arrays.items()}
    numbers = (xyz_m if weights.meta.root == "predicted" else xyz_m[1:]).ravel()
    arrays["shrink.bias"][: len(numbers)] = numbers
    return LifterWeights(meta=weights.meta, arrays=arrays)


def cameras():
    """Two cameras in one place, turned away from the world's axes, with different lenses."""
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = turn * np.sign(np.linalg.det(turn))
    cam_from_world[:3, 3] = 1.0, -2.0, 0.5
    K = np.array([[1100.0, 0, 480], [0, 1110.0, 520], [0, 0, 1]])
    one = Camera(name="one", size_wh_px=(1000, 1000), K=K, cam_from_world=cam_from_world)
    bent = np.array([-0.2, 0.2, 0.001, -0.001, 0.0])
    return [one, replace(one, name="two", K=K * [[0.8], [0.8], [1.0]], distortion=bent)]


def write(path, takes, *, detectors=("true",), skeleton=HUMAN36M_17, views=HUMAN36M_17):
    """Takes {(subject, action): (T, J, 3) around the root in the camera's axes} as a motion-data file."""
    with MotionWriter(path) as writer:
        for (subject, action), xyz_m in takes.items():
            pose = cameras()[0].world_from_cam
            world_m = ((xyz_m + ROOT_M) @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
            writer.add(MotionSequence.seen(subject, action, world_m, FPS, skeleton, "CC0"))
            for camera in cameras():
                writer.add_camera(subject, camera)
                for detector in detectors:
                    xy_px = np.full((len(xyz_m), 17, 2), camera.K[:2, 2])  # where the root is; nobody looks at the rest
                    writer.add_view(subject, action, camera.name, detector, xy_px, np.ones(xy_px.shape[:2]), views)
    return path


def off(frames, metres, joint=HEAD):
    """The pose for so many frames, one joint of it beside its place by so much."""
    xyz_m = np.repeat(pose()[None], frames, axis=0)
    xyz_m[:, joint, 2] += metres
    return xyz_m


TAKES = {
    ("S9", "walking_1"): off(10, 0.034),  # 2 mm on the mean of 17 joints
    ("S11", "walking_2"): off(30, 0.068),  # 4 mm
    ("S9", "eating_1"): np.repeat(1.25 * pose()[None], 20, axis=0),
    ("S9", "sitting_2"): off(41, np.arange(41) * 0.0017),  # 0.1 mm per frame on the mean
    ("S1", "walking_1"): off(50, 9.0),  # not asked for
}
EATING_MM = 250 * np.linalg.norm(pose(), axis=1).mean()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "mini.h5", TAKES)


def test_the_table_is_the_closed_form(data):
    """Catches world taken for camera axes, takes that are rows, means of means, another joint count, other people."""
    done = []
    result = evaluate_lifter(data, says(pose()), progress=lambda step, n, total: done.append((step, n, total)))
    rows = result.table.rows
    assert list(rows) == ["eating", "sitting", "walking"]  # in the order of the papers
    assert rows["walking"].mpjpe_mm == pytest.approx((10 * 2 + 30 * 4) / 40, abs=1e-3)
    assert rows["eating"].mpjpe_mm == pytest.approx(EATING_MM, rel=1e-4)
    assert rows["eating"].n_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert rows["eating"].p_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert rows["sitting"].mpjpe_mm == pytest.approx(2, abs=1e-3)
    assert rows["sitting"].mpjve_mm == pytest.approx(0.1, abs=1e-3)
    assert rows["walking"].mpjve_mm == pytest.approx(0, abs=1e-3)
    assert rows["walking"].pck_percent == 100
    assert result.table.average.mpjpe_mm == pytest.approx((3.5 + EATING_MM + 2) / 3, rel=1e-4)
    total = (40 * 3.5 + 20 * EATING_MM + 41 * 2) / 101
    assert result.table.all_frames.mpjpe_mm == pytest.approx(total, rel=1e-4)
    assert result.table.frames == 2 * 101
    assert done == [("evaluate", n, 8) for n in range(1, 9)]


def test_what_is_there_and_what_is_not(data):
    """Catches a table of half the data that does not say so."""
    result = evaluate_lifter(data, says(pose()))
    assert result.present == {"S9": ("eating_1", "sitting_2", "walking_1"), "S11": ("walking_2",)}
    assert [len(takes) for takes in result.absent.values()] == [27, 29]
    assert "walking_2" in result.absent["S9"]
    assert "S9: 3 of 30 sequences: eating_1 sitting_2 walking_1" in result.to_text()
    other = evaluate_lifter(data, says(pose()), protocol=LifterProtocol(subjects=("S1",)))
    assert other.table.rows["walking"].mpjpe_mm == pytest.approx(9000 / 17, rel=1e-4)


def test_unknown_truth_stays_out(tmp_path):
    """Catches joints without truth that count as errors, or take their whole frame with them."""
    xyz_m = off(10, 0.034)
    xyz_m[:5, HEAD] = np.nan
    path = write(tmp_path / "m.h5", {("S9", "walking_1"): xyz_m})
    result = evaluate_lifter(path, says(pose()), protocol=LifterProtocol(subjects=("S9",)))
    assert result.table.average.mpjpe_mm == pytest.approx(5 * 34 / (5 * 17 + 5 * 16), abs=1e-3)


def test_the_root_rule_of_videopose3d(data):
    """Catches a rule that the protocol does not pass on: a root predicted 30 mm off is an error of every joint."""
    weights = says(pose() + [0, 0.03, 0], root="predicted")
    subjects = ("S9",)
    ours = evaluate_lifter(data, weights, protocol=LifterProtocol(subjects=subjects))
    theirs = evaluate_lifter(data, weights, protocol=LifterProtocol(subjects=subjects, root_rule="videopose3d"))
    assert ours.table.rows["walking"].mpjpe_mm == pytest.approx(2, abs=0.05)  # fp16 is not used here, float32 is
    expected = (16 * 30 + np.hypot(30, 34)) / 17
    assert theirs.table.rows["walking"].mpjpe_mm == pytest.approx(expected, abs=0.05)


def test_the_lifter_can_be_told_a_stature(data):
    """Catches people judged in the size of those that the lifter learned from: eating is the pose, a quarter larger."""
    weights = says(pose(), stature_m=1.6)
    told = evaluate_lifter(data, weights, protocol=LifterProtocol(subjects=("S9",), height_m=2.0))
    assert told.table.rows["eating"].mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert "2 m" in told.to_text()


def test_flip_averages_with_the_mirror_image(data):
    """Catches an option that does nothing: a constant pose and its mirror image have a symmetric mean."""
    mirror = list(HUMAN36M_17.mirror)
    mean = (pose() + pose()[mirror] * [-1, 1, 1]) / 2
    result = evaluate_lifter(data, says(pose()), protocol=LifterProtocol(subjects=("S9",), flip=True))
    expected = np.linalg.norm(mean - off(1, 0.034)[0], axis=1).mean()
    assert result.table.rows["walking"].mpjpe_mm == pytest.approx(1000 * expected, rel=1e-4)


def test_predictions_lie_in_the_world(data, tmp_path):
    """Catches predictions in camera axes, away from the true root, or under another name than was asked for."""
    out = tmp_path / "results.h5"
    weights = replace(says(pose()), sha256="ab" * 32)
    evaluate_lifter(data, weights, protocol=LifterProtocol(model="mine"), output=out)
    truth = next(s for s in read_sequences(out) if s.action == "eating_1")
    found = read_prediction(out, "S9", "eating_1", "mine", "two")
    assert (found.skeleton, found.weights_sha256) == (HUMAN36M_17, "ab" * 32)
    around_root = truth.xyz_m[:, :1] + (truth.xyz_m - truth.xyz_m[:, :1]) / 1.25
    np.testing.assert_allclose(found.xyz_m, around_root, atol=1e-5)
    assert (found.confidence > 0).all()
    assert list(read_cameras(out, "S9")) == ["one", "two"]
    assert {s.subject for s in read_sequences(out)} == {"S9", "S11"}


def test_a_lifter_that_knows_the_root_puts_it_itself(data, tmp_path):
    """Catches the true root given to a lifter that has its own: on the optical axis, but not at 4 m."""
    weights = says(pose(), trajectory=True)
    out = tmp_path / "results.h5"
    result = evaluate_lifter(data, weights, protocol=LifterProtocol(subjects=("S9",)), output=out)
    root_m = read_prediction(out, "S9", "eating_1", "lifter", "one").xyz_m[:, 0]
    pose_of = cameras()[0].cam_from_world
    in_camera = root_m @ pose_of[:3, :3].T + pose_of[:3, 3]
    # All points in one place have no size, taken as 1: e^0 m away, give or take e^0 of that.
    np.testing.assert_allclose(in_camera, np.tile([0.0, 0, 1], (20, 1)), atol=1e-5)
    assert result.root.mrpe_mm == pytest.approx(3000, rel=1e-5)
    assert (result.root.distance_percent, result.root.within_std_percent) == (pytest.approx(75, rel=1e-5), 0)
    assert "root: 3000 mm" in result.to_text()
    assert evaluate_lifter(data, says(pose())).root is None


def test_an_error_leaves_no_file(data, tmp_path, monkeypatch):
    """Catches half a results file, or a rest that the next run would go on with."""
    monkeypatch.setattr("mocap3d.protocol.evaluate.lift_everything", lambda *_, **__: 1 / 0)
    (tmp_path / "results.h5.part").write_text("a rest of another run")
    with pytest.raises(ZeroDivisionError):
        evaluate_lifter(data, says(pose()), output=tmp_path / "results.h5")
    assert not list(tmp_path.iterdir())


def test_views_with_toes_serve_weights_without(tmp_path):
    """Catches weights of 17 joints refused on a file that was prepared with toes and face, or fed by wrong columns."""
    path = write(tmp_path / "m.h5", {("S9", "walking_1"): off(4, 0.034)})
    with MotionWriter(path, extend=True) as writer:
        for camera in cameras():
            xy_px = np.full((4, 20, 2), 1e4)  # toes and face nowhere near
            xy_px[:, :17] = camera.K[:2, 2]
            writer.add_view("S9", "walking_1", camera.name, "toes", xy_px, np.ones((4, 20)), LIFTER_20)
    result = evaluate_lifter(path, says(pose()), protocol=LifterProtocol(subjects=("S9",), detector="toes"))
    assert result.table.rows["walking"].mpjpe_mm == pytest.approx(2, abs=1e-3)


def test_joints_of_other_skeletons_are_brought_to_the_17(tmp_path):
    """Catches toes and face that count, and a column of one skeleton taken for that of another."""
    body = np.random.default_rng(3).uniform(-0.5, 0.5, (20, 3))
    body[:17] = pose()
    truth = np.repeat(body[None], 12, axis=0)
    truth[:, HEAD, 0] += 0.017
    truth[:, 17:] += 3.0
    path = write(tmp_path / "m.h5", {("02", "02_01"): truth}, skeleton=LIFTER_20)
    weights = says(body, output_skeleton="lifter-20")
    result = evaluate_lifter(path, weights, protocol=LifterProtocol(subjects=("02",)))
    assert result.table.rows["02"].mpjpe_mm == pytest.approx(1, abs=1e-3)
    assert result.absent == {"02": ()}  # nobody expects walking_1 of CMU


def test_views_are_brought_to_the_joints_of_the_weights(tmp_path):
    """Catches COCO points that are not projected through the lens, or in other places than training has them."""
    body = np.random.default_rng(3).uniform(-0.5, 0.5, (20, 3))
    body[:17] = pose()
    path = write(tmp_path / "m.h5", {("S9", "walking_1"): np.repeat(body[None], 9, axis=0)}, skeleton=LIFTER_20)
    views = plan_views(path, ("S9",), "true", COCO_17)
    (sequence,) = read_sequences(path)
    lens = cameras()[1]
    view = views.read(sequence, lens)
    wrist = LIFTER_20.index("left_wrist")  # a detector marks wrists where they are
    expected = cv2.projectPoints(body[wrist] + ROOT_M, np.zeros(3), np.zeros(3), lens.K, lens.distortion)[0].ravel()
    np.testing.assert_allclose(view.xy_px[:, COCO_17.index("left_wrist")], np.tile(expected, (9, 1)), atol=1e-3)
    assert (view.skeleton, view.fps, len(view)) == (COCO_17, FPS, 9)


# --- what cannot be judged --------------------------------------------------------------------------------------------


def test_errors_say_what_to_do(data, tmp_path):
    """Catches an IndexError, an empty table, or minutes of work before a typo is noticed."""
    coco = random_lifter(fps=FPS)
    with pytest.raises(InputError, match=r"coco-17.*'true' \(human36m-17\).*trained on human36m-17.*lifter-20"):
        evaluate_lifter(data, coco)
    with pytest.raises(InputError, match=r"no views by 'cpn'.*'true' \(human36m-17\)"):
        evaluate_lifter(data, says(pose()), protocol=LifterProtocol(detector="cpn"))
    with pytest.raises(InputError, match=r"no S7; its subjects are: S1 S11 S9"):
        evaluate_lifter(data, says(pose()), protocol=LifterProtocol(subjects=("S9", "S7")))
    with pytest.raises(InputError, match="overwrite"):
        evaluate_lifter(data, says(pose()), output=data)
    with pytest.raises(InputError, match="no such"):
        evaluate_lifter(tmp_path / "absent.h5", says(pose()))
    with pytest.raises(InputError, match="no such weights"):
        evaluate_lifter(data, tmp_path / "absent.npz")
    path = write(tmp_path / "coco.h5", {("S9", "walking_1"): off(3, 0.0)}, skeleton=COCO_17)
    with pytest.raises(InputError, match=r"S9/walking_1 has coco-17"):
        evaluate_lifter(path, says(pose()), protocol=LifterProtocol(subjects=("S9",)))
    path = write(tmp_path / "none.h5", {("S9", "walking_1"): off(3, 0.0)}, detectors=())
    with pytest.raises(InputError, match="no views at all"):
        evaluate_lifter(path, says(pose()), protocol=LifterProtocol(subjects=("S9",)))
    with pytest.raises(InputError, match="subjects"):
        LifterProtocol(subjects=())
    with pytest.raises(InputError, match="videopose3d"):
        LifterProtocol(root_rule="hips")


def test_views_that_lack_are_listed(tmp_path):
    """Catches a table in which nobody sees that one camera had no detections."""
    path = write(tmp_path / "m.h5", {("S9", "walking_1"): off(3, 0.0), ("S9", "eating_1"): off(3, 0.0)})
    with MotionWriter(path, extend=True) as writer:
        xy_px = np.full((3, 17, 2), cameras()[1].K[:2, 2])
        writer.add_view("S9", "walking_1", "two", "net", xy_px, np.ones((3, 17)), HUMAN36M_17)
    result = evaluate_lifter(path, says(pose()), protocol=LifterProtocol(subjects=("S9",), detector="net"))
    assert result.table.frames == 3
    assert result.skipped == ("S9/eating_1/one", "S9/eating_1/two", "S9/walking_1/one")
    assert result.present == {"S9": ("walking_1",)}
    assert "S9/eating_1/two" in result.to_markdown()


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "always.npz"
    save_weights(says(pose()), path)
    return path


def cells(line):
    return [cell.strip(" *") for cell in line.strip("|").split("|")]


def test_the_printed_table_holds_the_numbers(data, weights_file, tmp_path, capsys):
    """Catches columns in another order than their heads, and a table that says something else than the JSON."""
    out = tmp_path / "results.h5"
    asked = ["evaluate", "lifter", "--weights", weights_file, "--data", data]
    code, printed, _ = run(capsys, *asked, "--markdown", "-o", out)
    assert code == 0
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    table = {row[0]: dict(zip(cells(lines[0]), row, strict=True)) for row in map(cells, lines[2:])}
    assert list(table) == ["eating", "sitting", "walking", "average over actions", "all frames together"]
    assert table["walking"]["P1 MPJPE, mm"] == "3.5"
    assert table["walking"]["frames"] == "80"
    assert "****" not in printed  # an average over actions has no number of frames
    assert float(table["eating"]["P1 MPJPE, mm"]) == pytest.approx(EATING_MM, abs=0.2)
    assert table["eating"]["P3 N-MPJPE, mm"] == "0.0"
    assert table["sitting"]["MPJVE, mm/frame at 50 Hz"] == "0.10"
    assert table["walking"]["PCK@150 mm, %"] == "100.0"
    assert read_prediction(out, "S9", "walking_1", "always", "one").xyz_m.shape == (10, 17, 3)

    code, printed, _ = run(capsys, *asked, "--json")
    found = json.loads(printed)
    assert found["average"]["mpjpe_mm"] == pytest.approx((3.5 + EATING_MM + 2) / 3, rel=1e-3)
    assert found["actions"]["walking"]["auc_percent"] == pytest.approx(
        float(table["walking"]["AUC 0-150 mm, %"]), abs=0.05
    )
    assert (found["subjects"], found["model"], found["detector"]) == (["S9", "S11"], "always", "true")

    code, printed, _ = run(capsys, *asked, "--subjects", "S9")
    assert printed.splitlines()[0].split()[:4] == ["action", "frames", "P1", "P2"]
    assert next(line for line in printed.splitlines() if line.startswith("walking")).split()[:3] == [
        "walking",
        "20",
        "2.0",
    ]


def test_mistakes_on_the_command_line(data, weights_file, tmp_path, capsys):
    """Catches a traceback for a typo, and results that cannot be written noticed after the work."""
    asked = ["evaluate", "lifter", "--weights", weights_file, "--data", data]
    assert run(capsys, *asked, "--json", "--markdown")[0] == 2
    code, _, errors = run(capsys, *asked, "--root-rule", "hips")
    assert (code, "videopose3d" in errors) == (1, True)
    code, _, errors = run(capsys, *asked, "-o", tmp_path / "no" / "results.h5")
    assert (code, "no folder" in errors) == (1, True)
    code, _, errors = run(capsys, "evaluate", "lifter", "--data", data)
    assert (code, "coco-17" in errors) == (1, True)


def test_every_option_is_explained():
    """Catches a new option that only --help knows."""
    command = typer.main.get_command(app).commands["evaluate"].commands["lifter"]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    text = (Path(__file__).resolve().parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert not [option for option in options - {"--help"} if f"`{option}" not in text]
