from __future__ import annotations

import contextlib
import tarfile
import warnings

import numpy as np
import pytest
from bvh_people import bvh_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.bvh_folder import prepare_bvh
from mocap3d.data_prep.cmu import prepare_cmu
from mocap3d.data_prep.motion_read import read_sequences

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dError, Mocap3dWarning
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

pytestmark = pytest.mark.filterwarnings("ignore:.*taken as names:mocap3d.base.errors.Mocap3dWarning")


@pytest.fixture
def folder(tmp_path):
    for person, style in (("ann", "mixamo"), ("studio/bob", "biovision")):
        (tmp_path / "takes" / person).mkdir(parents=True)
        for take in ("run", "walk"):
            (tmp_path / "takes" / person / f"{take}.bvh").write_text(bvh_text(style, rows=[{}, {"y": 3.0}], fps=60))
    return tmp_path / "takes"


def test_folders_are_subjects(folder, tmp_path):
    """Catches takes of two people mixed, a licence that is lost, and another frame rate."""
    with pytest.warns(Mocap3dWarning, match="ann: taken as names of HumanIK, Mixamo, 1 unit = 1 cm"):
        out = prepare_bvh(folder, tmp_path / "o.h5", licence="CC0")
    sequences = list(read_sequences(out))
    assert [(s.subject, s.action) for s in sequences] == [
        ("ann", "run"),
        ("ann", "walk"),
        ("studio-bob", "run"),
        ("studio-bob", "walk"),
    ]
    for sequence in sequences:
        assert (sequence.fps, sequence.skeleton.name, sequence.licence) == (60, "lifter-20", "CC0")
        np.testing.assert_allclose(sequence.xyz_m, sequences[0].xyz_m, atol=1e-5)
    less = prepare_bvh(folder, tmp_path / "less.h5", joints=HUMAN36M_17)
    np.testing.assert_array_equal(next(read_sequences(less)).xyz_m, sequences[0].xyz_m[:, :17])


def test_the_rest_of_another_run_is_not_gone_on_with(folder, tmp_path):
    """Catches one file of two licences, skeletons or folders, without a word."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_bvh(folder, tmp_path / "o.h5", licence="CC0", progress=stop)
    with pytest.raises(
        InputError, match="joints lifter-20, not human36m-17; licence CC0, not CC BY; one body no, not yes"
    ):
        prepare_bvh(folder, tmp_path / "o.h5", licence="CC BY", joints=HUMAN36M_17, one_body=True)
    with pytest.raises(InputError, match=r"begun with source .*takes, not .*ann; licence CC0, not unknown"):
        prepare_bvh(folder / "ann", tmp_path / "o.h5")
    assert len(list(read_sequences(prepare_bvh(folder, tmp_path / "o.h5", licence="CC0")))) == 4


def test_the_gaze_is_corrected(folder, tmp_path):
    """Catches heads that lean at rest taken for people who look at the ceiling."""
    sequence = next(read_sequences(prepare_bvh(folder, tmp_path / "o.h5")))
    at = dict(zip(LIFTER_20.joint_names, sequence.xyz_m[0], strict=True))
    assert at["face"][1] - (at["neck"][1] + at["head"][1]) / 2 == pytest.approx(-0.2 * 0.13917, abs=1e-4)


def test_an_interrupted_run_goes_on(folder, tmp_path):
    """Catches a half file under the final name, and people who are done read again."""
    broken = folder / "studio" / "bob" / "walk.bvh"
    broken.write_text(bvh_text("biovision").replace("LeftKnee", "LeftThing"))
    out, seen = tmp_path / "o.h5", []
    with pytest.raises(FileFormatError, match=r"walk\.bvh: no joint for left_knee"):
        prepare_bvh(folder, out, progress=lambda done, total: seen.append((done, total)))
    assert not out.exists()
    assert seen == [(2, 4)]
    broken.write_text(bvh_text("biovision"))
    (folder / "ann" / "run.bvh").write_text("no longer readable, but done")
    prepare_bvh(folder, out)
    assert len(list(read_sequences(out))) == 4
    assert not list(tmp_path.glob("*.part"))


def test_all_bad_files_are_told_and_lenient_takes_them(folder, tmp_path):
    """Catches a run that stops at one bad file after the other, and advice of an option that there is not."""
    (folder / "ann" / "run.bvh").write_text("nothing")
    surplus = [folder / "ann" / "walk.bvh", folder / "studio" / "bob" / "run.bvh"]
    for path in surplus:
        path.write_text(path.read_text().replace("Frames: 2", "Frames: 1"))
    with pytest.raises(FileFormatError, match=r"3 of 4 files cannot be used; .*move them out of") as caught:
        prepare_bvh(folder, tmp_path / "o.h5")
    assert all(str(path) in str(caught.value) for path in (*surplus, folder / "ann" / "run.bvh"))
    assert "--lenient" in str(caught.value)
    (folder / "ann" / "run.bvh").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)
        out = prepare_bvh(folder, tmp_path / "o.h5", lenient=True)
    assert [len(sequence.xyz_m) for sequence in read_sequences(out)] == [2, 2, 2]


def test_one_body(folder, tmp_path):
    """Catches an option that is accepted and forgotten."""
    sequence = next(read_sequences(prepare_bvh(folder, tmp_path / "o.h5", one_body=True)))
    hips = sequence.xyz_m[:, LIFTER_20.index("left_hip")] - sequence.xyz_m[:, LIFTER_20.index("right_hip")]
    np.testing.assert_allclose(np.linalg.norm(hips, axis=-1), 2 * 0.0863, atol=1e-6)


def test_nothing_to_do_is_told(tmp_path):
    """Catches an empty result without a word."""
    with pytest.raises(InputError, match=r"no \.bvh files"):
        prepare_bvh(tmp_path, tmp_path / "o.h5")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mangled_files_raise_only_our_errors(tmp_path_factory, data):
    """Catches places without measure, trees without a neck, and what else a hostile file makes of the geometry."""
    good = bvh_text(rows=[{}, {"y": 3.0}, {"y": 4.0}]).encode()
    mangled = bytearray(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good)
    for _ in range(data.draw(st.integers(1, 8))):
        if not mangled:
            break
        at = data.draw(st.integers(0, len(mangled) - 1))
        mangled[at : at + data.draw(st.integers(1, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"9", b"-"])
        )
    folder = tmp_path_factory.mktemp("mangled")
    (folder / "a.bvh").write_bytes(bytes(mangled))
    with warnings.catch_warnings(), contextlib.suppress(Mocap3dError):
        warnings.simplefilter("ignore", Mocap3dWarning)
        prepare_bvh(folder, folder / "o.h5")


def test_hahnes_conversion_equals_the_original(shared_data, tmp_path):
    """Catches neck, shoulders and wrists of CMU's conversions left 12 cm off, and their T-pose kept."""
    (tmp_path / "05").mkdir()
    source = shared_data / "bvh_files" / "hahne_mb_cmu_05_01.bvh"
    (tmp_path / "05" / "05_01.bvh").write_bytes(source.read_bytes())
    with tarfile.open(shared_data / "cmu_amc" / "cmu_amc.tar.xz") as tar:
        found = 0
        for member in tar:
            if member.name.endswith(("/05.asf", "/05_01.amc")):
                tar.extract(member, tmp_path, filter="data")
                found += 1
            if found == 2:
                break
    (ours,) = read_sequences(prepare_bvh(tmp_path / "05", tmp_path / "bvh.h5"))
    original = next(s for s in read_sequences(prepare_cmu(tmp_path, tmp_path / "amc.h5")) if s.action == "05_01")
    assert len(ours.xyz_m) == len(original.xyz_m)
    off_mm = 1000 * np.linalg.norm(ours.xyz_m - original.xyz_m, axis=-1).mean(axis=0)
    for j, joint in enumerate(LIFTER_20.joint_names):
        below = joint.endswith(("pelvis", "hip", "knee", "ankle", "toe", "spine"))
        assert off_mm[j] < (0.1 if below else 4), joint
