from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.hdm05 import LICENCE, prepare_hdm05, read_hdm05_npz
from mocap3d.data_prep.motion_read import read_sequences

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dError
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20

# A standing person in Human3.6M's order, millimetres, Y up: thigh 450, shank 400.
STANDING = [
    (0, 950, -40), (-90, 870, 0), (-90, 420, 0), (-90, 20, 0), (90, 870, 0), (90, 420, 0), (90, 20, 0), (0, 1180, -20),
    (0, 1400, 0), (0, 1500, 0), (0, 1600, 0), (190, 1360, 0), (190, 1070, 0), (190, 780, 0), (-190, 1360, 0),
    (-190, 1070, 0), (-190, 780, 0),
]  # fmt: skip


def motion(frames: int = 5, size: float = 1.0) -> np.ndarray:
    still = np.array(STANDING, dtype=float)[None] * size
    return (still + np.arange(frames)[:, None, None] * [10, 0, 0]).astype(np.int16)


def write_npz(path, **motions):
    np.savez_compressed(path, **motions)
    return path


ASF = """:version 1.10
:units
  mass 1.0
  length 1.0
  angle deg
:bonedata
{bones}
:hierarchy
  begin
{tree}
  end
"""
TREE = """root lhipjoint rhipjoint lowerback
lhipjoint lfemur
lfemur ltibia
ltibia lfoot
lfoot ltoes
rhipjoint rfemur
rfemur rtibia
rtibia rfoot
rfoot rtoes
lowerback upperback
upperback thorax
thorax lowerneck lclavicle rclavicle
lowerneck upperneck
upperneck head
lclavicle lhumerus
lhumerus lradius
lradius lwrist
rclavicle rhumerus
rhumerus rradius
rradius rwrist"""


def write_acclaim(folder, takes=("01-01_01_120",)):
    folder.mkdir(parents=True)
    names = [child for line in TREE.splitlines() for child in line.split()[1:]]
    directions = {"femur": "0 -1 0", "tibia": "0 -1 0", "foot": "0 0 1", "toes": "0 0 1", "hipjoint": "0 -1 0"}
    bones = []
    for name in names:
        sign = 1 if name.startswith("l") and name not in ("lowerback", "lowerneck") else -1
        side_less = name[1:]
        if side_less in ("hipjoint", "clavicle", "humerus", "radius", "wrist"):
            direction = f"{sign} 0 0"
        else:
            direction = directions.get(side_less, "0 1 0")
        length = 17.0 if side_less in ("femur", "tibia") else 4.0
        bones += ["begin", f" name {name}", f" direction {direction}", f" length {length}", " axis 0 0 0 XYZ", "end"]
    (folder / "HDM_mm.asf").write_text(ASF.format(bones="\n".join(bones), tree=TREE))
    for take in takes:
        frames = "".join(f"{i + 1}\nroot {i} 34 0 0 0 0\n" for i in range(4))
        (folder / f"HDM_mm_{take}.amc").write_text(":FULLY-SPECIFIED\n:DEGREES\n" + frames)


def test_actors_and_takes_come_from_the_keys(tmp_path):
    """Catches takes of two actors mixed, centimetres, another frame rate, and a body that keeps its own size."""
    source = write_npz(
        tmp_path / "hdm05.npz",
        hdm_HDM_mm_depositFloorR_019_120=motion(5),
        hdm_HDM_mm_sneak2StepsLStart_008_120=motion(7),
        HDM_dg_walk_001_120=motion(4, size=1.2),
    )
    sequences = list(read_sequences(prepare_hdm05(source, tmp_path / "o.h5")))
    assert [(s.subject, s.action, len(s.xyz_m)) for s in sequences] == [
        ("dg", "walk_001", 4),
        ("mm", "depositFloorR_019", 5),
        ("mm", "sneak2StepsLStart_008", 7),
    ]
    for sequence in sequences:
        assert (sequence.fps, sequence.skeleton.name, sequence.licence) == (60, "human36m-17", LICENCE)
        at = dict(zip(HUMAN36M_17.joint_names, sequence.xyz_m[0], strict=True))
        # thigh and shank are 0.491 of 1.70 m; here they stand one above the other
        assert at["right_hip"][1] - at["right_ankle"][1] == pytest.approx(0.491 * 1.70, rel=3e-3)
        assert at["left_hip"][0] > 0 > at["right_hip"][0]
        # the recorded 290 mm are two thirds of the forearm
        assert at["left_elbow"][1] - at["left_wrist"][1] == pytest.approx(0.435 * 0.491 * 1.70 / 0.85, rel=6e-3)
    np.testing.assert_allclose(sequences[1].xyz_m[3, 0, 0], 30e-3 * 0.491 * 1.7 / 0.85, rtol=1e-3)


def test_the_official_files_give_feet_and_face(tmp_path):
    """Catches CMU's unit asked of HDM05, or 120 Hz taken for 60."""
    write_acclaim(tmp_path / "HDM05" / "mm", ("01-01_01_120", "01-01_02_120"))
    first, second = read_sequences(prepare_hdm05(tmp_path / "HDM05", tmp_path / "o.h5"))
    assert (first.subject, first.action, second.action, first.fps) == ("mm", "01-01_01", "01-01_02", 120)
    at = dict(zip(LIFTER_20.joint_names, first.xyz_m[0], strict=True))
    assert at["left_hip"][1] - at["left_ankle"][1] == pytest.approx(0.491 * 1.70, rel=1e-6)
    assert at["left_toe"][2] > at["left_ankle"][2]
    less = next(read_sequences(prepare_hdm05(tmp_path / "HDM05", tmp_path / "less.h5", joints=HUMAN36M_17)))
    np.testing.assert_array_equal(less.xyz_m, first.xyz_m[:, :17])


def test_one_body(tmp_path):
    """Catches an option that is accepted and forgotten."""
    source = write_npz(tmp_path / "hdm05.npz", HDM_mm_walk_001_120=motion())
    (sequence,) = read_sequences(prepare_hdm05(source, tmp_path / "o.h5", one_body=True))
    wrist, elbow = (sequence.xyz_m[:, HUMAN36M_17.index(f"left_{name}")] for name in ("wrist", "elbow"))
    np.testing.assert_allclose(np.linalg.norm(wrist - elbow, axis=-1), 0.295, atol=1e-6)


def test_the_rest_of_another_run_is_not_gone_on_with(tmp_path):
    """Catches one file of two sources, forms or bodies, without a word."""
    first = write_npz(tmp_path / "a.npz", HDM_bd_walk_001_120=motion(), HDM_mm_walk_001_120=motion())
    write_acclaim(tmp_path / "HDM05" / "mm")
    with pytest.raises(KeyboardInterrupt):
        prepare_hdm05(first, tmp_path / "o.h5", progress=stop)
    with pytest.raises(
        InputError, match=r"form HDM05's \.npz, not HDM05's ASF/AMC files; source .*a\.npz, not .*HDM05; "
    ):
        prepare_hdm05(tmp_path / "HDM05", tmp_path / "o.h5")
    with pytest.raises(InputError, match="begun with one body no, not yes: delete"):
        prepare_hdm05(first, tmp_path / "o.h5", one_body=True)
    assert len(list(read_sequences(prepare_hdm05(first, tmp_path / "o.h5")))) == 2


def stop(done: int, total: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("motions", "message"),
    [
        ({}, "no motion"),
        ({"walk": motion()}, "not named like"),
        ({"HDM_mm_walk_001_120": motion().astype(np.float32)}, "expected int16"),
        ({"HDM_mm_walk_001_120": motion()[:, :16]}, r"\(T, 17, 3\)"),
        ({"HDM_mm_walk_001_120": motion()[:0]}, r"\(T, 17, 3\)"),
        ({"HDM_mm_walk_001_120": motion() * 0}, "legs of mm"),
        ({"HDM_mm_walk_001_120": np.array([{}], dtype=object)}, "plain arrays"),
    ],
)
def test_other_archives_are_refused(motions, message, tmp_path):
    """Catches arrays of another meaning taken for motion, and pickles that run code."""
    with pytest.raises(FileFormatError, match=message):
        prepare_hdm05(write_npz(tmp_path / "a.npz", **motions), tmp_path / "o.h5")


def test_bad_sources_are_refused(tmp_path):
    """Catches markers taken for joints, feet that are made up, and an empty result without a word."""
    source = write_npz(tmp_path / "a.npz", HDM_mm_walk_001_120=motion())
    with pytest.raises(InputError, match="no toes and no face"):
        prepare_hdm05(source, tmp_path / "o.h5", joints=LIFTER_20)
    (tmp_path / "c3d").mkdir()
    with pytest.raises(InputError, match=r"no \.npz and no \.amc"):
        prepare_hdm05(tmp_path / "c3d", tmp_path / "o.h5")
    (tmp_path / "c3d" / "HDM_mm_01-01_01_120.C3D").touch()
    (tmp_path / "c3d" / "HDM_mm_01-01_01_120.c3d").touch()
    with pytest.raises(InputError, match="markers on the skin"):
        prepare_hdm05(tmp_path / "c3d", tmp_path / "o.h5")
    write_acclaim(tmp_path / "mm")
    (tmp_path / "mm" / "HDM_mm.asf").unlink()
    with pytest.raises(InputError, match=r"HDM_mm\.asf"):
        prepare_hdm05(tmp_path / "mm", tmp_path / "o.h5")
    np.save(tmp_path / "plain.npy", motion())
    (tmp_path / "plain.npy").rename(tmp_path / "plain.npz")
    with pytest.raises(FileFormatError, match="plain arrays"):
        read_hdm05_npz(tmp_path / "plain.npz")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("hdm05") / "good.npz"
    return write_npz(path, HDM_mm_walk_001_120=motion(), HDM_mm_walk_002_120=motion(3))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mangled_archives_raise_only_our_errors(archive, data):
    """Catches what zipfile, zlib and NumPy's header parser raise on damage."""
    good = archive.read_bytes()
    mangled = bytearray(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good)
    for _ in range(data.draw(st.integers(0, 6)) if mangled else 0):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    path = archive.with_name("mangled.npz")
    path.write_bytes(bytes(mangled))
    with contextlib.suppress(Mocap3dError):
        prepare_hdm05(path, archive.with_name("o.h5"))


def test_the_real_archive(shared_data, tmp_path):
    """Catches a pattern of names or an order of joints that only fits the made-up archive."""
    motions = read_hdm05_npz(shared_data / "hdm05" / "hdm05_h36m17_60hz_mm_int16.npz")
    assert len(motions) == 287
    some = write_npz(tmp_path / "some.npz", **{key: motions[key] for key in list(motions)[::15]})
    sequences = list(read_sequences(prepare_hdm05(some, tmp_path / "o.h5")))
    assert {sequence.subject for sequence in sequences} == {"bd", "bk", "dg", "mm", "tr"}
    for sequence in sequences:
        at = dict(zip(HUMAN36M_17.joint_names, np.median(sequence.xyz_m, axis=0), strict=True))
        across = np.median(np.linalg.norm(sequence.xyz_m[:, 1] - sequence.xyz_m[:, 4], axis=-1))
        assert 0.1 < across < 0.3
        assert at["head"][1] > at["thorax"][1] > at["left_knee"][1]
