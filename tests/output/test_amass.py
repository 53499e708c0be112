"""AMASS takes: NumPy alone must find what we wrote, and all of what AMASS wrote must come back."""

from __future__ import annotations

import zipfile
from fractions import Fraction

import numpy as np
import pytest
from fuzzing import assert_survives
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.base.smpl import SmplParameters
from mocap3d.output.amass import read_amass, write_amass


def parameters(frames=4, joints=52, fps=Fraction(120), seed=0, soft=True):
    """Random ones, in the axes of AMASS."""
    rng = np.random.default_rng(seed)
    return SmplParameters(
        poses_rotvec=rng.normal(size=(frames, joints, 3)),
        trans_m=rng.normal(size=(frames, 3)),
        betas=rng.normal(size=16),
        gender="male",
        fps=fps,
        up="Z",
        dmpls=rng.normal(size=(frames, 8)) if soft else None,
    )


def assert_same(a, b):
    """Compare all, bit for bit."""
    assert (a.gender, a.fps, a.up) == (b.gender, b.fps, b.up)
    for name in ("poses_rotvec", "trans_m", "betas", "dmpls"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_the_file_is_what_amass_has(tmp_path):
    """Catches other names, shapes or kinds of number than AMASS, whose readers ask for these; and pickles."""
    given_ = parameters(fps=Fraction(60000, 1001))
    write_amass(given_, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert set(file.files) == {"poses", "trans", "betas", "gender", "mocap_framerate", "dmpls"}
        np.testing.assert_array_equal(file["poses"], given_.poses_rotvec.reshape(4, 156))
        np.testing.assert_array_equal(file["trans"], given_.trans_m)
        assert str(file["gender"]) == "male"
        assert file["mocap_framerate"] == 60000 / 1001
        assert file["poses"].dtype == np.float64
    write_amass(parameters(joints=55), tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert (float(file["mocap_frame_rate"]), str(file["surface_model_type"])) == (120, "smplx")


@given(
    frames=st.integers(1, 4),
    joints=st.sampled_from([24, 52, 55]),
    fps=st.sampled_from(
        [30, Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(25, 3), 100]
    ),
    seed=st.integers(0, 2**32 - 1),
    soft=st.booleans(),
)
def test_any_parameters_come_back_bit_for_bit(tmp_path_factory, frames, joints, fps, seed, soft):
    """Catches float32, rates that are rounded, a body model that is lost."""
    given_ = parameters(frames=frames, joints=joints, fps=Fraction(fps), seed=seed, soft=soft)
    path = tmp_path_factory.getbasetemp() / "any.npz"
    write_amass(given_, path)
    assert_same(read_amass(path), given_)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d | {"gender": np.array(b"male")},
        lambda d: d | {"gender": np.array("MALE")},
        lambda d: d | {"gender": np.array("male", dtype=object)},
        lambda d: d | {"mocap_framerate": np.array(120)},
        lambda d: d | {"mocap_framerate": np.array([120.0])},
        lambda d: {("mocap_frame_rate" if n == "mocap_framerate" else n): a for n, a in d.items()},
        lambda d: d | {"marker_labels": np.array(["a", None], dtype=object)},
    ],
)
def test_what_releases_of_amass_do_differently_makes_no_difference(tmp_path, change):
    """Catches a reader of one release: text as bytes, rates as integers, other keys, arrays of labels."""
    write_amass(parameters(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        np.savez(tmp_path / "b.npz", **change(dict(file)))
    assert_same(read_amass(tmp_path / "b.npz"), parameters())


def test_what_is_missing_is_assumed_with_a_warning(tmp_path):
    """Catches silent guesses; a rate is never guessed."""
    arrays = {"poses": np.zeros((2, 72), dtype=np.float32), "trans": np.zeros((2, 3))}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FileFormatError, match="fps="), pytest.warns(Mocap3dWarning):
        read_amass(tmp_path / "a.npz")
    with pytest.warns(Mocap3dWarning, match=r"betas|gender"):
        found = read_amass(tmp_path / "a.npz", fps=30, up="Y")
    assert (found.model, found.gender, found.betas.shape, found.fps, found.up) == ("smpl", "neutral", (16,), 30, "Y")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: {"betas": d["betas"]},
        lambda d: d | {"poses": np.zeros((4, 155))},
        lambda d: d | {"poses": np.zeros((4, 66))},
        lambda d: d | {"poses": np.zeros((5, 156))},
        lambda d: d | {"poses": np.array("poses")},
        lambda d: d | {"poses": np.full((4, 156), np.inf)},
        lambda d: d | {"trans": np.zeros((4, 3), dtype=complex)},
        lambda d: d | {"mocap_framerate": np.array(np.nan)},
        lambda d: d | {"mocap_framerate": np.array("fast")},
        lambda d: d | {"mocap_framerate": np.zeros(3)},
        lambda d: d | {"gender": np.array(["male", "female"])},
        lambda d: d | {"gender": np.array("unknown")},
    ],
)
def test_what_is_no_take_is_refused(tmp_path, change):
    """Catches a TypeError, and a shape.npz of AMASS taken for a take."""
    write_amass(parameters(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        np.savez(tmp_path / "b.npz", **change(dict(file)))
    with pytest.raises(FileFormatError) as caught:
        read_amass(tmp_path / "b.npz")
    assert caught.value.path == tmp_path / "b.npz"


def test_y_up_parameters_are_not_written_as_if_they_were_amass(tmp_path):
    """Catches a body that lies on the floor in every other program."""
    turned = parameters().turned("Y", np.zeros(3))
    with pytest.raises(InputError, match=r"turned\("):
        write_amass(turned, tmp_path / "a.npz")
    with pytest.raises(InputError, match="up"):
        read_amass(tmp_path / "a.npz", up="X")
    with pytest.raises(InputError, match="no such file"):
        read_amass(tmp_path / "a.npz")


def test_two_thousand_damaged_files_are_read_or_refused(tmp_path):
    """Catches any other exception; the second file has no checksums in the way, since each member is damaged itself."""
    write_amass(parameters(), tmp_path / "a.npz")
    assert_survives(read_amass, [tmp_path / "a.npz"], tmp_path, count=1000)
    original = zipfile.ZipFile(tmp_path / "a.npz")
    names = original.namelist()

    def read_member(path):
        with zipfile.ZipFile(tmp_path / "b.npz", "w") as damaged:
            for name in names:
                damaged.writestr(name, path.read_bytes() if name == "poses.npy" else original.read(name))
        read_amass(tmp_path / "b.npz")

    (tmp_path / "poses.npy").write_bytes(original.read("poses.npy"))
    assert_survives(read_member, [tmp_path / "poses.npy"], tmp_path, count=1000)
