"""Results behind the viewer's page: the numbers, where they come from, what is refused."""

from __future__ import annotations

import json
import shutil
import time
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
from lifters import random_lifter
from mocap3d.data_prep import motion_slices
from mocap3d.data_prep.motion_file import MotionWriter
from mocap3d.data_prep.motion_sequence import MotionSequence
from mocap3d.viewers.results import ResultsShow, judge
from mocap3d.viewers.results.judge import score_take
from mocap3d.viewers.show import open_shows
from results_files import H17, errors_in_file_mm, ring_of_cameras, through_lens, walking_m, write_results
from scipy.spatial.transform import Rotation

from mocap3d import FileFormatError, InputError, skeleton_named
from mocap3d.protocol import LifterProtocol, evaluate_lifter
from mocap3d.quality.tally import PoseTally

S9_WALKING, PLAIN, CAUSAL = 2, 1, 0  # sequences and models come in the order of their names


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of two models, three takes and four cameras, some truth missing."""
    path = write_results(tmp_path_factory.mktemp("results") / "results.h5")
    with h5py.File(path, "a") as opened:
        take = opened["sequences/S9/walking_1"]
        take["confidence"][7:9, 5] = 0
        take["confidence"][20, :] = 0
    return path


@pytest.fixture
def show(file):
    """That file, opened."""
    opened = ResultsShow([file])
    yield opened
    opened.close()


def floats(show, array, start, stop):
    """Rows as numbers, one row per frame."""
    return np.frombuffer(show.rows(array, start, stop), dtype="<f4").reshape(stop - start, -1)


def finished(show):
    """The scores of everything."""
    for _ in range(1000):
        scores = show.table("scores")
        if scores["done"] == scores["total"]:
            return scores
        time.sleep(0.02)
    raise AssertionError("judging never ends")


def test_manifest_lists_what_the_file_has(show):
    """Catches a take, camera or model that cannot be chosen."""
    manifest = json.loads(json.dumps(show.manifest(), allow_nan=False))
    assert [(take["subject"], take["action"], take["frames"]) for take in manifest["takes"]] == [
        ("S11", "walking_1", 80), ("S9", "eating_2", 60), ("S9", "walking_1", 120),
    ]  # fmt: skip
    assert manifest["models"] == ["causal", "plain"]
    assert [camera["name"] for camera in manifest["cameras"]["S9"]] == [camera.name for camera in ring_of_cameras()]
    assert manifest["takes"][0]["found"] == {"0": [0, 1, 2, 3], "1": [0, 1, 2, 3]}
    assert manifest["takes"][0]["row"] == "walking"
    assert manifest["skeletons"]["human36m-17"]["parents"] == list(H17.parents)


@pytest.mark.parametrize(("number", "name"), [(PLAIN, "plain"), (CAUSAL, "causal")])
def test_errors_are_those_of_the_file(show, file, number, name):
    """Catches errors of the wrong joints (20 against 17), not around the root, in metres, or of unknown truth."""
    expected = errors_in_file_mm(file, "S9", "walking_1", name, "53138969")
    errors = floats(show, f"errors.{S9_WALKING}.{number}.3", 5, 95)
    np.testing.assert_allclose(errors[:, 2:], expected[5:95], atol=2e-3)
    known = [row[~np.isnan(row)] for row in expected[5:95]]
    means = [row.mean() if len(row) else np.nan for row in known]
    np.testing.assert_allclose(errors[:, 0], means, atol=2e-3)


def test_aligned_errors_match_scipy(show, file):
    """Catches a P-MPJPE that aligns the whole take instead of each frame, or mirrors."""
    errors = floats(show, f"errors.{S9_WALKING}.{PLAIN}.0", 30, 34)
    with h5py.File(file) as opened:
        take = opened["sequences/S9/walking_1"]
        truth = take["xyz_m"][30:34].astype(float)
        found = take["predictions/plain/50138969/xyz_m"][30:34].astype(float)
    for row, a, b in zip(errors, truth, found, strict=True):
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        turn, _ = Rotation.align_vectors(a, b)
        turned = turn.apply(b)
        scale = (a * turned).sum() / (turned**2).sum()
        assert row[1] == pytest.approx(1000 * np.linalg.norm(scale * turned - a, axis=1).mean(), abs=1e-2)


def test_pixels_go_through_the_lens(show, file):
    """Catches a reprojection without distortion, or through another camera."""
    with h5py.File(file) as opened:
        xyz_m = opened["sequences/S9/walking_1/xyz_m"][40:43].astype(float)
    expected = through_lens(ring_of_cameras()[2], xyz_m)
    np.testing.assert_allclose(floats(show, f"true_px.{S9_WALKING}.2", 40, 43).reshape(3, 17, 2), expected, atol=0.01)


def test_views_are_as_the_detector_gave_them(show, file):
    """Catches 2D joints of another camera or frame."""
    with h5py.File(file) as opened:
        expected = opened["sequences/S9/eating_2/views/51138969/noisy/xy_px"][10:12]
    np.testing.assert_array_equal(floats(show, "seen.1.1.0", 10, 12).reshape(2, 17, 2), expected)
    assert show.table("take.1")["views"][1][0]["detector"] == "noisy"


def test_scores_of_a_take(show, file):
    """Catches a mean over frames that were not measured, and worst frames that are neighbours or not the worst."""
    expected = errors_in_file_mm(file, "S9", "walking_1", "causal", "51138969")
    scores = show.table(f"scores.{S9_WALKING}.{CAUSAL}.1")
    assert scores["mpjpe_mm"] == pytest.approx(np.nanmean(expected), abs=1e-3)
    np.testing.assert_allclose(scores["joint_mm"], np.nanmean(expected, axis=0), atol=1e-3)
    frames = [frame for frame, _ in scores["worst"]]
    means = [row[~np.isnan(row)].mean() if t != 20 else 0.0 for t, row in enumerate(expected)]
    assert frames[0] == np.argmax(means)
    assert min(abs(a - b) for i, a in enumerate(frames) for b in frames[:i]) >= 25


def test_the_worst_frames_of_all(show, file):
    """Catches a list that stops at one take or camera, or mixes models."""
    scores = finished(show)
    best = max(
        (np.nanmax(np.nanmean(errors, axis=1, where=~np.isnan(errors))), take, camera)
        for take, (subject, action) in enumerate([("S11", "walking_1"), ("S9", "eating_2"), ("S9", "walking_1")])
        for camera in range(4)
        for errors in [np.delete(errors_in_file_mm(file, subject, action, "causal", f"5{camera}138969"), 20, axis=0)]
    )
    take, model, camera, _, mm = next(row for row in scores["worst_frames"] if row[1] == CAUSAL)
    assert (take, model, camera) == (best[1], CAUSAL, best[2])
    assert mm == pytest.approx(best[0], abs=1e-3)
    assert len(scores["takes"]) == scores["total"] == 3 * 2 * 4


@pytest.mark.parametrize("fps", [Fraction(50), Fraction(25), Fraction(100), Fraction(30000, 1001), Fraction(24)])
def test_chunks_make_no_difference(fps, monkeypatch):
    """Catches movements lost between chunks, or velocities that are read off the 20 ms grid in the second chunk."""
    monkeypatch.setattr(judge, "_CHUNK", 70)
    rng = np.random.default_rng(3)
    true = rng.normal(size=(700, 17, 3))
    found = true + rng.normal(scale=0.1, size=true.shape)
    found[rng.random((700, 17)) < 0.05] = np.nan
    scores = score_take(lambda start, stop: (found[start:stop], true[start:stop]), 700, fps).tally.scores
    whole = PoseTally.of(found, true, fps).scores
    for name in ("mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "pck_percent", "auc_percent"):
        assert getattr(scores, name) == pytest.approx(getattr(whole, name), rel=1e-12)


def test_numbers_are_those_of_mocap3d_evaluate(tmp_path):
    """Catches any difference between the page's table and the one that is printed: joints, roots, rows, means."""
    data, out = tmp_path / "data.h5", tmp_path / "results.h5"
    weights = random_lifter(input_skeleton="human36m-17", fps=Fraction(50))
    skeleton = skeleton_named("human36m-17")
    with MotionWriter(data) as writer:
        for seed, action in enumerate(("walking_1", "walking_2", "eating_1")):
            xyz_m = walking_m(40 + 9 * seed, 50, seed).astype(np.float32)
            writer.add(MotionSequence.seen("S9", action, xyz_m, Fraction(50), skeleton, "made up"))
            for camera in ring_of_cameras(2):
                writer.add_camera("S9", camera)
                seen = through_lens(camera, xyz_m.astype(float))
                writer.add_view("S9", action, camera.name, "true", seen, np.ones(seen.shape[:2]), skeleton)
    result = evaluate_lifter(data, weights, protocol=LifterProtocol(subjects=("S9",)), output=out)
    shown = ResultsShow([out])
    (table,) = finished(shown)["models"]
    shown.close()
    expected = result.table.to_dict()
    assert list(table["actions"]) == list(expected["actions"]) == ["eating", "walking"]
    for part in ("average", "all_frames"):
        assert table[part] == pytest.approx(expected[part], abs=2e-3)
    for action, row in expected["actions"].items():
        assert table["actions"][action] == pytest.approx(row, abs=2e-3)


def test_models_of_several_files_stand_together(tmp_path):
    """Catches one file hiding the other's models, or two models of one name becoming one."""
    first = write_results(tmp_path / "a.h5", models=[("lifter", 10.0)], lifter_20=())
    second = write_results(tmp_path / "b.h5", models=[("lifter", 40.0), ("other", 20.0)], lifter_20=())
    (show,) = open_shows([first, second])
    manifest = show.manifest()
    assert manifest["models"] == ["lifter", "lifter (b)", "other"]
    assert len(manifest["takes"]) == 3
    means = [show.table(f"scores.0.{model}.0")["mpjpe_mm"] for model in range(3)]
    show.close()
    expected = [
        errors_in_file_mm(path, "S11", "walking_1", model, "50138969").mean()
        for path, model in [(first, "lifter"), (second, "lifter"), (second, "other")]
    ]
    assert means == pytest.approx(expected, abs=1e-3)


def test_names_of_models_are_never_twice(tmp_path):
    """Catches two models that cannot be told apart, from files of one name in two folders."""
    paths = []
    for folder in "xyz":
        (tmp_path / folder).mkdir()
        paths.append(write_results(tmp_path / folder / "r.h5", models=[("lifter", 10.0)], cameras=1))
    (show,) = open_shows(paths)
    assert show.manifest()["models"] == ["lifter", "lifter (r)", "lifter (r 2)"]
    show.close()


def test_impossible_numbers_are_said(tmp_path):
    """Catches infinite coordinates, and NaN that claims to be seen, ending in a crash or in numbers on the page."""
    path = write_results(tmp_path / "bad.h5", cameras=2, takes=[("S9", "walking_1", 30)], lifter_20=())
    with h5py.File(path, "a") as file:
        predictions = file["sequences/S9/walking_1/predictions/plain"]
        predictions["50138969/xyz_m"][3, 4] = np.inf
        predictions["51138969/xyz_m"][3, 4] = np.nan
    show = ResultsShow([path])
    for camera in range(2):
        with pytest.raises(InputError):
            show.rows(f"errors.0.{PLAIN}.{camera}", 0, 10)
    scores = json.dumps(finished(show), allow_nan=False)
    show.close()
    assert scores
    with h5py.File(path, "a") as file:
        group = file["sequences/S9/walking_1"]
        del group["xyz_m"]
        group["xyz_m"] = np.zeros((0, 17, 3), np.float32)
    with pytest.raises(FileFormatError, match="no frames"):
        ResultsShow([path])


def test_other_truth_under_the_same_name_is_left_out(tmp_path):
    """Catches predictions that are drawn beside, and measured against, a truth that they were not made from."""
    first = write_results(tmp_path / "a.h5")
    second = tmp_path / "b.h5"
    shutil.copy(first, second)
    with h5py.File(second, "a") as file:
        file["sequences/S9/walking_1/xyz_m"][...] += 0.001
    (show,) = open_shows([first, second])
    manifest = show.manifest()
    show.close()
    assert manifest["notes"] == ["S9/walking_1 of b.h5 has other true joints: left out"]
    assert [len(take["found"]) for take in manifest["takes"]] == [4, 4, 2]


@pytest.mark.parametrize(
    "name", ["", "truth", "truth.9", "truth.0.0", "found.0.0", "found.0.0.9", "errors.0.7.0", "truth.-1", "truth.١",
             "nonsense.0", "seen.0.0.1", "truth.0\x00"]
)  # fmt: skip
def test_unknown_arrays_are_not_found(show, name):
    """Catches a wrong name that ends in a crash, or that Python's negative indices make a right one."""
    with pytest.raises(LookupError):
        show.rows(name, 0, 1)
    with pytest.raises(LookupError):
        show.table(f"x{name}")


def test_frames_beyond_the_end_are_not_found(show):
    """Catches fewer rows than were asked for, which the page would take for the frames after."""
    with pytest.raises(LookupError):
        show.rows("truth.0", 70, 81)
    assert show.rows("truth.0", 80, 80) == b""


def test_only_what_is_asked_for_is_read(file, monkeypatch):
    """Catches a viewer that loads whole sequences: its memory would grow with the file."""
    read = []
    original = motion_slices.Points.rows

    def counting(self, start, stop):
        read.append(stop - start)
        return original(self, start, stop)

    monkeypatch.setattr(motion_slices.Points, "rows", counting)
    show = ResultsShow([file])
    show.manifest()
    assert read == []
    show.rows("found.2.0.0", 50, 60)
    show.close()
    assert read == [10]


def test_numbers_in_other_files_are_refused(tmp_path):
    """Catches a results file that makes the viewer read files that nobody gave it (HDF5 can link)."""
    secret = write_results(tmp_path / "secret.h5")
    linked = write_results(tmp_path / "linked.h5")
    raw = tmp_path / "raw.bin"
    raw.write_bytes(bytes(120 * 17 * 3 * 4))
    with h5py.File(linked, "a") as file:
        group = file["sequences/S9/walking_1/predictions/plain/50138969"]
        del group["xyz_m"]
        group["xyz_m"] = h5py.ExternalLink(str(secret), "sequences/S9/walking_1/xyz_m")
        group = file["sequences/S9/walking_1/predictions/plain/51138969"]
        del group["xyz_m"]
        group.create_dataset("xyz_m", (120, 17, 3), "<f4", external=[(str(raw), 0, 120 * 17 * 12)])
        group = file["sequences/S9/walking_1/predictions/plain/52138969"]
        del group["xyz_m"]
        layout = h5py.VirtualLayout((120, 17, 3), "<f4")
        layout[:] = h5py.VirtualSource(str(secret), "sequences/S9/walking_1/xyz_m", (120, 17, 3))
        group.create_virtual_dataset("xyz_m", layout)
    show = ResultsShow([linked])
    for camera in range(3):
        with pytest.raises(FileFormatError, match="another file"):
            show.rows(f"found.{S9_WALKING}.{PLAIN}.{camera}", 0, 1)
    assert show.rows(f"found.{S9_WALKING}.{PLAIN}.3", 0, 1)
    show.close()


def test_damage_is_said(tmp_path):
    """Catches a traceback, or numbers of a wrong shape, from a file that was cut off or written by hand."""
    path = write_results(tmp_path / "damaged.h5")
    with h5py.File(path, "a") as file:
        group = file["sequences/S9/walking_1/predictions/plain/50138969"]
        del group["xyz_m"]
        group["xyz_m"] = np.zeros((119, 17, 3), np.float32)
        del file["sequences/S9/eating_2/xyz_m"]
    with pytest.raises(FileFormatError, match="damaged"):
        ResultsShow([path])
    with h5py.File(path, "a") as file:
        file["sequences/S9/eating_2/xyz_m"] = np.zeros((60, 17, 3), np.float32)
    show = ResultsShow([path])
    with pytest.raises(FileFormatError, match="must be"):
        show.rows(f"found.{S9_WALKING}.{PLAIN}.0", 0, 1)
    scores = finished(show)
    show.close()
    assert len(scores["failed"]) == 1
    assert scores["done"] == scores["total"]


def test_data_without_predictions_can_be_looked_at(tmp_path):
    """Catches prepared data (no model, no camera) that only results can be shown of."""
    path = tmp_path / "data.h5"
    skeleton = skeleton_named("humanoid-22")
    with MotionWriter(path) as writer:
        xyz_m = np.random.default_rng(0).normal(size=(5, 22, 3)).astype(np.float32)
        writer.add(MotionSequence.seen("anna", "dance", xyz_m, Fraction(30), skeleton, "mine"))
    (show,) = open_shows([path])
    manifest = show.manifest()
    assert manifest["models"] == []
    assert manifest["takes"][0]["skeleton"] == "humanoid-22"
    np.testing.assert_array_equal(floats(show, "truth.0", 0, 5).reshape(5, 22, 3), xyz_m)
    scores = finished(show)
    show.close()
    assert (scores["models"], scores["worst_frames"]) == ([], [])


def test_what_cannot_be_shown_is_refused(tmp_path):
    """Catches a server that starts with nothing to show."""
    with pytest.raises(InputError, match="no file"):
        open_shows([tmp_path / "missing.h5"])
    with pytest.raises(InputError, match="at least one"):
        open_shows([])
    with pytest.raises(InputError, match="no video"):
        open_shows([write_results(tmp_path / "r.h5")], videos=[Path("a.mp4")])
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(InputError):
        open_shows([other])
