from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.motion_read import read_cameras, read_sequences, read_view
from mocap3d.data_prep.mpi_inf_3dhp import JOINTS_28, prepare_mpi_inf_3dhp, read_annotations
from mocap3d.data_prep.mpi_inf_3dhp_cameras import read_calibration
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dError
from mocap3d.base.projection import project
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

FRAMES = 6
# A standing person, Y up, millimetres.
PLACES = {
    "pelvis": (0, 950, 0), "spine": (0, 1020, 0), "spine2": (0, 1130, 0), "spine3": (0, 1250, 0),
    "spine4": (0, 1370, 0), "neck": (0, 1480, 0), "head": (0, 1570, 20), "head_top": (0, 1720, 30),
    "left_clavicle": (20, 1450, 0), "left_shoulder": (170, 1440, 0), "left_elbow": (190, 1150, 0),
    "left_wrist": (200, 900, 20), "left_hand": (200, 820, 30), "left_hip": (100, 930, 0), "left_knee": (110, 500, 20),
    "left_ankle": (115, 90, 0), "left_foot": (120, 30, 120), "left_toe": (120, 20, 190),
}  # fmt: skip


def people(seed: int = 0) -> np.ndarray:
    """(FRAMES, 28, 3) mm in a room that is Y up: the person walks along x, every joint a little beside its place."""
    rng = np.random.default_rng(seed)
    still = []
    for name in JOINTS_28:
        x, y, z = PLACES[name.replace("right", "left")]
        still.append((-x if name.startswith("right") else x, y, z))
    moving = np.array(still, dtype=float)[None] + np.arange(FRAMES)[:, None, None] * [20.0, 0, 0]
    return moving + rng.normal(0, 2, moving.shape)


def cells(*arrays) -> np.ndarray:
    """What savemat writes as a MATLAB cell array."""
    boxes = np.empty((len(arrays), 1), dtype=object)
    for i, array in enumerate(arrays):
        boxes[i, 0] = np.asarray(array)
    return boxes


def calibration_text(cameras: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    lines = ["Skeletool Camera Calibration File V1.0"]
    for name, (intrinsic, extrinsic) in cameras.items():
        lines += [f"name          {name}", "  sensor      10 10", "  size        2048 2048", "  animated    0"]
        for key, matrix in (("intrinsic", intrinsic), ("extrinsic", extrinsic)):
            lines.append(f"  {key}   " + " ".join(f"{value:.7g}" for value in matrix.ravel()) + " ")
        lines.append("  radial      0")
    return "\n".join(lines) + "\n"


def write_sequence(folder, world_mm=None, turn=None):
    """One S/Seq folder in the true format; ``turn`` (3, 3) room_from_y_up, for rooms that are not Y up."""
    world_mm = people() if world_mm is None else world_mm
    turn = np.eye(3) if turn is None else turn
    folder.mkdir(parents=True)
    cameras, annot2, annot3 = {}, np.empty((3, 1), dtype=object), np.empty((3, 1), dtype=object)
    for number in range(3):
        looks = Rotation.from_euler("xyz", [180 + 5 * number, 40 * number, 3], degrees=True).as_matrix()
        extrinsic = np.eye(4)
        extrinsic[:3, :3], extrinsic[:3, 3] = looks @ turn.T, [100, 900, 4000 + 100 * number]
        intrinsic = np.eye(4)
        intrinsic[:3, :3] = [[1497.693, 0, 1024.704], [0, 1497.103, 1051.394], [0, 0, 1]]
        cameras[str(number)] = intrinsic, extrinsic
        in_camera = np.einsum("ij,tkj->tki", extrinsic[:3, :3], world_mm @ turn.T) + extrinsic[:3, 3]
        pixels = np.einsum("ij,tkj->tki", intrinsic[:3, :3], in_camera)
        annot3[number, 0] = in_camera.reshape(FRAMES, 84)
        annot2[number, 0] = (pixels[..., :2] / pixels[..., 2:]).reshape(FRAMES, 56)
    numbers = np.empty((1, 3), dtype=object)
    numbers[0] = [np.array([[n]]) for n in range(3)]
    contents = {"annot2": annot2, "annot3": annot3, "univ_annot3": annot3, "cameras": numbers, "frames": FRAMES}
    savemat(folder / "annot.mat", contents)
    (folder / "camera.calibration").write_text(calibration_text(cameras))
    return world_mm


def test_the_room_comes_back_from_the_cameras(tmp_path):
    """Catches an inverted extrinsic, metres and millimetres mixed, left for right, or a joint under another name."""
    world_mm = write_sequence(tmp_path / "S1" / "Seq1")
    (sequence,) = read_sequences(prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5"))
    assert (sequence.subject, sequence.action, sequence.fps) == ("S1", "seq1", 25)
    theirs = {"thorax": "neck", "neck": "head", "head": "head_top"}
    for j, name in enumerate(HUMAN36M_17.joint_names):
        expected = world_mm[:, JOINTS_28.index(theirs.get(name, name))] / 1000
        np.testing.assert_allclose(sequence.xyz_m[:, j], expected, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("axes", [((1, 0, 0), (0, 0, -1), (0, 1, 0)), ((-1, 0, 0), (0, -1, 0), (0, 0, 1))])
def test_rooms_of_other_axes_become_y_up_and_the_views_still_fit(axes, tmp_path):
    """Catches people who lie down, and cameras that were not turned with them."""
    write_sequence(tmp_path / "S3" / "Seq2", turn=np.array(axes, dtype=float).T)
    out = prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5")
    (sequence,) = read_sequences(out)
    head, ankle = (sequence.xyz_m[:, HUMAN36M_17.index(name)] for name in ("head", "left_ankle"))
    assert ((head - ankle)[:, 1] > 1.5).all()
    assert sequence.fps == 50
    cameras = read_cameras(out, "S3")
    assert list(cameras) == ["seq2_0", "seq2_1", "seq2_2"]
    for name, camera in cameras.items():
        seen = read_view(out, "S3", "seq2", name, "true")
        np.testing.assert_allclose(project(camera, sequence.xyz_m.astype(float))[0], seen.xy_px, atol=0.05)


def test_the_one_body_has_no_views(tmp_path):
    """Catches pixels of one body stored beside the joints of another."""
    write_sequence(tmp_path / "S1" / "Seq1")
    out = prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5", one_body=True)
    (sequence,) = read_sequences(out)
    hips = sequence.xyz_m[:, HUMAN36M_17.index("left_hip")] - sequence.xyz_m[:, HUMAN36M_17.index("right_hip")]
    np.testing.assert_allclose(np.linalg.norm(hips, axis=-1), 0.1726, atol=1e-4)
    assert not read_cameras(out, "S1")


def test_an_interrupted_run_goes_on(tmp_path):
    """Catches a sequence whose views were cut off taken for whole, and one that is done read again."""
    write_sequence(tmp_path / "data" / "S1" / "Seq1")
    write_sequence(tmp_path / "data" / "S1" / "Seq2")
    bad = tmp_path / "data" / "S1" / "Seq2" / "annot.mat"
    good = bad.read_bytes()
    bad.write_bytes(good[:900])
    out = tmp_path / "o.h5"
    with pytest.raises(FileFormatError, match=r"annot\.mat"):
        prepare_mpi_inf_3dhp(tmp_path / "data", out)
    assert not out.exists()
    with pytest.raises(InputError, match=r"begun with source .*data, not .*; one body no, not yes: delete"):
        prepare_mpi_inf_3dhp(tmp_path, out, one_body=True)
    bad.write_bytes(good)
    (tmp_path / "data" / "S1" / "Seq1" / "annot.mat").write_bytes(b"no longer readable, but done")
    seen = []
    prepare_mpi_inf_3dhp(tmp_path / "data", out, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert [sequence.action for sequence in read_sequences(out)] == ["seq1", "seq2"]


def test_what_cannot_be_used_is_refused_by_name(tmp_path):
    """Catches an empty result without a word, rates that are guessed, and cameras that belong to another recording."""
    with pytest.raises(InputError, match=r"no S1/Seq1/annot\.mat"):
        prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5")
    world_mm = write_sequence(tmp_path / "S1" / "Seq1")
    with pytest.raises(InputError, match="where a face looks"):
        prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5", joints=LIFTER_20)
    calibration = tmp_path / "S1" / "Seq1" / "camera.calibration"
    text = calibration.read_text()
    calibration.write_text(text.replace("name          2", "name          5"))
    with pytest.raises(FileFormatError, match="no camera 2"):
        prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5")
    calibration.write_text(text.replace(" 4100 ", " 5100 "))
    with pytest.raises(FileFormatError, match=r"camera 1 .* disagree by 1000 mm"):
        prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5")
    calibration.unlink()
    with pytest.raises(InputError, match=r"camera\.calibration"):
        prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5")
    write_sequence(tmp_path / "S1" / "Seq3", world_mm)
    with pytest.raises(InputError, match="rate of S1/Seq3"):
        prepare_mpi_inf_3dhp(tmp_path, tmp_path / "o.h5")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"annot3": np.zeros((4, 84))}, "annot3 must be cells"),
        ({"annot2": np.zeros(3)}, "annot3 must be cells"),
        ({"annot3": cells(np.zeros((4, 83)), "x")}, r"\(T, 84\)"),
        ({"annot3": cells(np.full((4, 84), np.nan))}, "beyond any measure"),
        ({"annot3": cells(np.full((4, 84), 1e30))}, "beyond any measure"),
        ({"annot3": cells(np.zeros((4, 84)))}, "annot2 must be cells"),
    ],
)
def test_other_matlab_files_are_refused(contents, message, tmp_path):
    """Catches tracebacks, and arrays of another meaning read as joints."""
    savemat(tmp_path / "annot.mat", contents)
    with pytest.raises(FileFormatError, match=message):
        read_annotations(tmp_path / "annot.mat")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Skeletool", "Skeleton", "first line"),
        ("radial      0", "radial      0.2", "lens distortion"),
        ("animated    0", "animated    1", "moves"),
        ("size        2048 2048", "size  2048", "camera '0'"),
        ("name          1", "name          0", "twice"),
        ("1497.693", "x", "camera '0'"),
        ("  intrinsic", "  intrinsics", "intrinsic"),
        ("1497.693", "-3", "camera '0'"),
    ],
)
def test_broken_calibrations_are_refused(old, new, message, tmp_path):
    """Catches cameras with numbers of another camera, or with defaults in the place of what is missing."""
    write_sequence(tmp_path / "S1" / "Seq1")
    path = tmp_path / "S1" / "Seq1" / "camera.calibration"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FileFormatError, match=message):
        read_calibration(path)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    folder = tmp_path_factory.mktemp("3dhp") / "S1" / "Seq1"
    write_sequence(folder)
    return folder


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), name=st.sampled_from(["annot.mat", "camera.calibration"]))
def test_mangled_files_raise_only_our_errors(miniature, data, name):
    """Catches lengths and names that are believed, and numbers that run into NaN further on."""
    good = (miniature / name).read_bytes()
    mangled = bytearray(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good)
    for _ in range(data.draw(st.integers(0, 6)) if mangled else 0):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    path = miniature / f"mangled_{name}"
    path.write_bytes(bytes(mangled))
    with contextlib.suppress(Mocap3dError):
        read_annotations(path) if name == "annot.mat" else read_calibration(path)
