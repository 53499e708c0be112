from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mocap3d.data_prep.acclaim import bone_ends, read_amc, read_asf
from mocap3d.data_prep.cmu import acclaim_takes

from mocap3d.base.errors import FileFormatError, Mocap3dError, Mocap3dWarning

ASF = """# a small skeleton
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:bonedata
  begin
     name thigh
     direction 0 -1 0
     length 7.0
     axis 0 0 20  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     name shank
     direction 0 -1 0
     length 7.5
     axis 0 0 20 XYZ
    dof rx
  end
:hierarchy
  begin
    root thigh
    thigh shank
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 0 17 0 0 0 0
thigh 10 20 30
shank 40
2
root 0 17 1 0 5 0
thigh 11 21 31
shank 41
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.asf").write_text(ASF)
    (tmp_path / "a.amc").write_text(AMC)
    return tmp_path


def test_a_small_skeleton(files):
    """Catches a root that carries no turns, and bones whose order is that of the file's data, not of its tree."""
    bones = read_asf(files / "a.asf", length=0.45)
    assert [(bone.name, bone.parent, bone.channels) for bone in bones] == [
        ("root", -1, (0, 1, 2)),
        ("thigh", 0, (0, 1, 2)),
        ("shank", 1, (0,)),
    ]
    root, angles_deg = read_amc(files / "a.amc", bones)
    np.testing.assert_array_equal(root, [[0, 17, 0], [0, 17, 1]])
    np.testing.assert_array_equal(angles_deg[1], [[0, 5, 0], [11, 21, 31], [41, 0, 0]])
    ends, _ = bone_ends(bones, root, np.zeros_like(angles_deg))
    np.testing.assert_allclose(ends[0], [[0, 17, 0], [0, 10, 0], [0, 2.5, 0]], atol=1e-12)


def test_a_last_frame_that_is_cut_off_is_left_out(files):
    """Catches a whole recording given up for its last frame, or a frame of zeros in its place."""
    bones = read_asf(files / "a.asf")
    (files / "a.amc").write_text(AMC[: AMC.rindex("shank")])
    with pytest.warns(Mocap3dWarning, match="middle of frame 2"):
        root, _ = read_amc(files / "a.amc", bones)
    assert len(root) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length 0.45", "length 1.0", r"expected length 0\.45"),
        ("length 0.45", "length x", r"expected length 0\.45"),
        ("angle deg", "angle rad", "angle deg"),
        ("name thigh", "name", "without a name"),
        ("direction 0 -1 0", "direction 0 -1", "'thigh' has a field"),
        ("direction 0 -1 0", "direction 0 nan 0", "'thigh' has a field"),
        ("length 7.0", "length 1e9", "'thigh' has a field"),
        ("axis 0 0 20  XYZ", "", "'thigh' has a field"),
        ("dof rx ry rz", "dof tx", "'thigh' has a field"),
        ("dof rx ry rz", "dof rx rx", "twice"),
        ("thigh shank", "thigh foot", "'foot' under 'thigh'"),
        ("thigh shank", "thigh root", "'root' under 'thigh'"),
        (":bonedata", ":bones", "no bones"),
        (":units", ":", r"expected length 0\.45"),
    ],
)
def test_broken_skeletons_are_refused(old, new, message, files):
    """Catches tracebacks, and a skeleton that lacks a bone without a word."""
    (files / "a.asf").write_text(ASF.replace(old, new))
    with pytest.raises(FileFormatError, match=message):
        read_asf(files / "a.asf", length=0.45)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("thigh 10 20 30", "thigh 10 20", r"a\.amc:6: 'thigh' with 2 values"),
        ("thigh 10 20 30", "thigh 10 20 x", "'thigh': missing or not a number"),
        ("thigh 10 20 30", "thigh 10 20 nan", "beyond any measure"),
        ("root 0 17 0", "root 0 1e300 0", "beyond any measure"),
        ("thigh 10 20 30\n", "", "'thigh': missing"),
        (":DEGREES\n1\n", ":DEGREES\n", "not expected here"),
    ],
)
def test_broken_motion_is_refused(old, new, message, files):
    """Catches numbers that become infinite places, and values that slip into another bone."""
    (files / "a.amc").write_text(AMC.replace(old, new))
    with pytest.raises(FileFormatError, match=message):
        read_amc(files / "a.amc", read_asf(files / "a.asf"))


def test_another_skeleton_is_not_a_person(files):
    """Catches a horse, whose bones have other names."""
    with pytest.raises(FileFormatError, match="no bone head"):
        acclaim_takes(files / "a.asf", [files / "a.amc"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), which=st.sampled_from(["a.asf", "a.amc"]))
def test_mangled_files_raise_only_our_errors(tmp_path_factory, data, which):
    """Catches what a missing word, a wild number or half a file do to the readers and the geometry."""
    folder = tmp_path_factory.getbasetemp()
    texts = {"a.asf": ASF, "a.amc": AMC}
    words = texts[which].split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(words) - 1))
        junk = st.sampled_from(
            ["", "nan", "1e400", "-1e99", ":units", "begin", "end\n", "root", "\n:\n", "#", "\x00", "ä"]
        )
        words[at] = data.draw(junk | st.text(max_size=5))
    mangled = " ".join(words)
    texts[which] = mangled[: data.draw(st.integers(0, len(mangled)))] if data.draw(st.booleans()) else mangled
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    with warnings.catch_warnings(), contextlib.suppress(Mocap3dError):
        warnings.simplefilter("ignore", Mocap3dWarning)
        bones = read_asf(folder / "a.asf")
        ends, _ = bone_ends(bones, *read_amc(folder / "a.amc", bones))
        assert np.isfinite(ends).all()
