"""Human3.6M as positions, in the true file formats: everything there, found by its form, read to the same joints."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import zipfile
from fractions import Fraction
from pathlib import Path

import cdflib
import human36m as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifters import random_lifter
from mocap3d.data_prep.human36m import find_form, prepare_human36m
from mocap3d.data_prep.human36m_cameras import human36m_cameras
from mocap3d.data_prep.human36m_cdf import read_cdf_mm
from mocap3d.data_prep.human36m_positions import read_h5_mm, read_npz_m
from mocap3d.data_prep.motion_file import read_cameras, read_sequences, read_view, view_names

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.projection import project
from mocap3d.base.skeletons import COCO_17, HUMAN36M_17, HUMAN36M_32, LIFTER_20
from mocap3d.protocol import LifterProtocol, evaluate_lifter
from mocap3d.protocol.views import plan_views
from mocap3d.train.lifter_data import MotionBank

FRAMES = 6
PICKED = [HUMAN36M_32.index(name) for name in HUMAN36M_17.joint_names]


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Two of the seven subjects, all takes."""
    return made.official_folder(tmp_path_factory.mktemp("official"), FRAMES, ("S1", "S11"))


def room_of(subject: str, take: str) -> np.ndarray:
    return made.room_mm(made.walk_of(subject, take, FRAMES).xyz_mm)


def check(out: Path, count: int) -> None:
    """The sequences of a file against the walks that were written."""
    sequences = list(read_sequences(out))
    assert len(sequences) == count
    for s in sequences:
        expected = made.walk_of(s.subject, s.action, FRAMES).xyz_mm[:, PICKED] / 1000
        np.testing.assert_allclose(s.xyz_m, expected, atol=1e-5)
        assert (s.fps, s.skeleton) == (50, HUMAN36M_17)


def test_the_official_download(official, tmp_path):
    """Catches mm for m, Z up for Y up, takes exchanged, S11's discarded take, 32 joints in another order."""
    seen = []
    tell = lambda done, total: seen.append((done, total))  # noqa: E731
    out = prepare_human36m(official, tmp_path / "h.h5", partial=True, progress=tell)
    check(out, 59)  # S11 "Directions" is left out
    assert seen[-1] == (59, 59)
    assert set(view_names(out, "S11", "phoning_1")) == set(made.CAMERAS)
    camera = read_cameras(out, "S11")["58860488"]
    walked = made.walk_of("S11", "walking_1", FRAMES).xyz_mm[:, PICKED] / 1000
    xy_px, _ = project(camera, walked)
    np.testing.assert_allclose(read_view(out, "S11", "walking_1", "58860488", "true").xy_px, xy_px, atol=1e-2)


def test_a_missing_file_is_named(official, tmp_path):
    """Catches a data set with a hole, and an error that leaves the reader to count 209 files."""
    broken = tmp_path / "broken"
    shutil.copytree(official, broken)
    with pytest.raises(
        InputError, match=r"lacks 150 files, the first is S5/MyPoseFeatures/D3_Positions/Directions 1\.cdf"
    ):
        prepare_human36m(broken, tmp_path / "h.h5")
    (broken / "S1" / "MyPoseFeatures" / "D3_Positions" / "SittingDown 2.cdf").unlink()
    with pytest.raises(
        InputError, match=r"lacks 151 files, the first is S1/MyPoseFeatures/D3_Positions/SittingDown 2\.cdf"
    ):
        prepare_human36m(broken, tmp_path / "h.h5")
    shutil.rmtree(broken / "S1")
    check(prepare_human36m(broken, tmp_path / "h.h5", partial=True), 29)
    shutil.copy(
        broken / "S11/MyPoseFeatures/D3_Positions/Phoning 2.cdf",
        broken / "S11/MyPoseFeatures/D3_Positions/Phoning_2.cdf",
    )
    with pytest.raises(InputError, match="are both take phoning_2 of S11"):
        prepare_human36m(broken, tmp_path / "h.h5", partial=True)


def test_archives_as_downloaded(official, tmp_path):
    """Catches archives that must be unpacked by hand, and one that was cut off by the download."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for subject in ("S1", "S11"):
        with tarfile.open(folder / f"Poses_D3_Positions_{subject}.tgz", "w:gz") as tar:
            tar.add(official / subject, arcname=subject)
    check(prepare_human36m(folder, tmp_path / "h.h5", partial=True), 59)
    check(prepare_human36m(folder / "Poses_D3_Positions_S1.tgz", tmp_path / "s1.h5", partial=True), 30)
    cut = folder / "Poses_D3_Positions_S11.tgz"
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(FileFormatError, match=r"Poses_D3_Positions_S11\.tgz: cannot be unpacked"):
        prepare_human36m(folder, tmp_path / "h2.h5", partial=True)


def test_the_h5_release_and_its_zip(tmp_path):
    """Catches (96, T) read as (T, 96), and a zip that nobody unpacks."""
    folder = made.h5_folder(tmp_path / "h36m", FRAMES, ("S1",))
    check(prepare_human36m(folder, tmp_path / "h.h5", partial=True), 30)
    with zipfile.ZipFile(tmp_path / "h36m.zip", "w") as archive:
        for path in (folder / "S1").rglob("*.h5"):
            archive.write(path, Path("h36m") / path.relative_to(folder))
    check(prepare_human36m(tmp_path / "h36m.zip", tmp_path / "z.h5", partial=True), 30)


def test_videopose3d_npz(tmp_path):
    """Catches metres taken for millimetres, and the pickles of others read by NumPy."""
    folder = made.npz_folder(tmp_path / "data", FRAMES, ("S5",))
    check(prepare_human36m(folder, tmp_path / "h.h5", partial=True), 30)
    with pytest.raises(
        InputError, match=r"lacks 179 files, the first is positions_3d\['S1'\]\['Directions 1'\] in data_3d"
    ):
        prepare_human36m(folder, tmp_path / "h2.h5")
    assert set(read_npz_m(folder / "data_3d_h36m.npz")["S5"]) >= {"takingphoto_1", "walkingdog_2"}


def test_camera_frames(tmp_path):
    """Catches the inverse of a camera's pose, a camera of another subject, files of one camera taken for two takes."""
    for subject, take, name in (("S6", "posing_1", "Posing 2"), ("S8", "eating_2", "Eating")):
        joints_m = room_of(subject, take) / 1000
        world_m = np.stack([joints_m[..., 0], joints_m[..., 2], -joints_m[..., 1]], axis=-1)
        for camera_id, camera in list(human36m_cameras(subject).items())[:2]:
            seen_m = world_m @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
            path = tmp_path / "mono" / subject / "MyPoseFeatures" / "D3_Positions_mono" / f"{name}.{camera_id}.cdf"
            made.write_cdf(path, seen_m * 1000)
    check(prepare_human36m(tmp_path / "mono", tmp_path / "mono.h5", partial=True), 2)


def test_the_better_form_is_preferred_and_none_is_said(official, tmp_path):
    """Catches a folder with two forms read twice, an empty result without a word, the poses of a universal body."""
    both = tmp_path / "both"
    made.write_text(both / "S1" / "walking_1.txt", made.walk(4))
    shutil.copytree(official / "S1", both / "S1", dirs_exist_ok=True)
    form = find_form([both])
    assert form is not None
    assert "D3_Positions" in form.name
    universal = tmp_path / "universal" / "S1" / "MyPoseFeatures" / "D3_Positions_mono_universal"
    made.write_cdf(universal / "Walking 1.54138969.cdf", room_of("S1", "walking_1"))
    with pytest.raises(InputError, match="no form of Human"):
        prepare_human36m(tmp_path / "universal", tmp_path / "h.h5")
    with pytest.raises(InputError, match="neither a folder nor"):
        prepare_human36m(tmp_path / "absent", tmp_path / "h.h5")


def test_a_face_that_is_not_known_is_constructed_and_says_so(official, tmp_path):
    """Catches a face behind or beside the head, or too high, one that passes for seen, and toes lost with it."""
    source = tmp_path / "one"
    shutil.copytree(official / "S1", source / "S1")
    out = prepare_human36m(source, tmp_path / "h.h5", joints=LIFTER_20, partial=True)
    face, toe = LIFTER_20.index("face"), LIFTER_20.index("left_toe")
    pitches = []
    for sequence in read_sequences(out):
        walked = made.walk_of("S1", sequence.action, FRAMES)
        true_m = walked.xyz_mm[:, HUMAN36M_32.index("left_toe")] / 1000
        np.testing.assert_allclose(sequence.xyz_m[:, toe], true_m, atol=1e-5)
        neck, head = (walked.xyz_mm[:, HUMAN36M_32.index(name)] / 1000 for name in ("neck", "head"))
        ahead = (sequence.xyz_m[:, face] - (neck + head) / 2) / 0.20
        np.testing.assert_allclose(np.linalg.norm(ahead, axis=-1), 1, atol=1e-4)
        turn = walked.world_from_bone[:, HUMAN36M_32.index("neck")]  # heads of these walkers follow their shoulders
        np.testing.assert_allclose((ahead * turn[:, :, 0]).sum(axis=-1), 0, atol=1e-4)
        assert (np.abs((ahead * turn[:, :, 1]).sum(axis=-1)) < 0.5).all()
        assert ((ahead * turn[:, :, 2]).sum(axis=-1) > 0.8).all()
        pitches += np.degrees(np.arcsin(ahead[:, 1])).tolist()
        assert (sequence.confidence[:, face] == 0).all()
        assert (np.delete(sequence.confidence, face, axis=1) == 1).all()
        view = read_view(out, "S1", sequence.action, "54138969", "true")
        assert (view.confidence[:, face] == 0).all()
        assert (view.confidence[:, toe] == 1).all()
    assert np.median(pitches) == pytest.approx(-8.0, abs=0.01)  # as of everybody else's gaze


def test_constructed_faces_do_not_depend_on_where_a_run_was_interrupted(official, tmp_path):
    """Catches a gaze that is levelled over those takes only that were still to be read."""
    source = tmp_path / "one"
    shutil.copytree(official / "S1", source / "S1")

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_human36m(source, tmp_path / "parts.h5", joints=LIFTER_20, partial=True, progress=stop)
    parts = prepare_human36m(source, tmp_path / "parts.h5", joints=LIFTER_20, partial=True)
    whole = prepare_human36m(source, tmp_path / "whole.h5", joints=LIFTER_20, partial=True)
    for a, b in zip(read_sequences(parts), read_sequences(whole), strict=True):
        np.testing.assert_array_equal(a.xyz_m, b.xyz_m)


@pytest.mark.parametrize("folder", [made.h5_folder, made.npz_folder])
def test_the_coco_variant_learns_from_positions(folder, tmp_path):
    """Catches a form of which no lifter of coco-17 can be trained, or on which none can be judged."""
    out = prepare_human36m(
        folder(tmp_path / "data", 12, ("S1", "S9")), tmp_path / "h.h5", joints=LIFTER_20, partial=True
    )
    bank = MotionBank.read(out, frozenset({"S1"}))
    assert np.isfinite(bank.xyz_m).all()
    assert (bank.contacts >= 0).all()
    weights = random_lifter(fps=Fraction(50), channels=8, dilations=(1,))
    found = evaluate_lifter(out, weights, protocol=LifterProtocol(subjects=("S9",)))
    assert len(found.present["S9"]) == 30
    views = plan_views(out, ("S9",), "true", COCO_17)
    sequence = next(read_sequences(out, frozenset({"S9"})))
    seen = views.read(sequence, read_cameras(out, "S9")["54138969"])
    assert (seen.confidence == 1).all()  # the points of the face hang on the constructed one, as in training


# --- damage -----------------------------------------------------------------------------------------------------------


def write_people(path: Path, joints_mm: np.ndarray) -> None:
    made.write_npz_3d(path, {"S1": {"Walking 1": (joints_mm / 1000).astype(np.float32)}})


FORMATS = {
    ".cdf": (made.write_cdf, read_cdf_mm),
    ".h5": (made.write_h5, read_h5_mm),
    ".npz": (write_people, read_npz_m),
}
each_format = pytest.mark.parametrize("ending", list(FORMATS))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small good file of each format, as bytes."""
    folder, found = tmp_path_factory.mktemp("good"), {}
    for ending, (write, _) in FORMATS.items():
        write(folder / f"a{ending}", room_of("S1", "walking_1"))
        found[ending] = (folder / f"a{ending}").read_bytes()
    return found


@each_format
@settings(max_examples=25)
@given(
    keep=st.integers(0, 20_000),
    hits=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=6),
    header=st.booleans(),
)
def test_damaged_files_are_refused_with_our_error(good, tmp_path_factory, ending, keep, hits, header):
    """Catches struct.error, KeyError, MemoryError and the like from files that were cut off or hit by noise."""
    content = bytearray(good[ending][: max(keep, 1)] if hits == [] else good[ending])
    for at, byte in hits:
        content[at % min(len(content), 600 if header else len(content))] = byte
    path = tmp_path_factory.mktemp("fuzz") / f"a{ending}"
    path.write_bytes(bytes(content))
    with contextlib.suppress(FileFormatError):
        FORMATS[ending][1](path)


@each_format
@pytest.mark.parametrize("values", [np.zeros((3, 17, 3)), np.full((3, 32, 3), np.nan), np.full((3, 32, 3), 1e9)])
def test_files_with_other_content_are_refused(tmp_path, ending, values):
    """Catches 17 joints read as 32, frames of NaN, and a unit that would put people 1000 km away."""
    path = tmp_path / f"a{ending}"
    FORMATS[ending][0](path, values)
    with pytest.raises(FileFormatError):
        FORMATS[ending][1](path)


def test_files_without_frames_are_refused(tmp_path):
    """Catches a sequence of no frames, of which training would draw."""
    for ending in (".h5", ".npz"):
        path = tmp_path / f"a{ending}"
        FORMATS[ending][0](path, np.zeros((0, 32, 3)))
        with pytest.raises(FileFormatError):
            FORMATS[ending][1](path)


def test_a_cdf_without_poses_is_refused(tmp_path):
    """Catches another variable taken for the poses."""
    path = tmp_path / "a.cdf"
    with cdflib.cdfwrite.CDF(path) as file:
        spec = {"Variable": "Angles", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": [2, 96]}
        file.write_var(spec, var_data=np.zeros((1, 2, 96), np.float32))
    with pytest.raises(FileFormatError, match="Pose"):
        read_cdf_mm(path)
