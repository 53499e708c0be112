"""Reading BVH as it is found in the wild: odd but clear is read, broken is refused with its line."""

from __future__ import annotations

import time
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dError, Mocap3dWarning
from mocap3d.base.kinematics import forward
from mocap3d.base.skeleton import SEVERAL_ROOTS
from mocap3d.output.bvh import read_bvh, write_bvh

PLAIN = """HIERARCHY
ROOT Hips
{
  OFFSET 0 1 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT LeftArm
  {
    OFFSET 0.5 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0.25 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
1 2 3 0 0 0 90 0 0
1 2 3 90 0 0 0 0 90
"""


@pytest.fixture
def read_text(tmp_path):
    """Write text (or bytes) to a file and read it."""

    def read(text, **options):
        path = tmp_path / "file.bvh"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_bvh(path, **options)

    return read


def same_motion(a, b):
    """Compare everything but the skeleton's names."""
    assert a.fps == b.fps
    assert a.rig.skeleton.parents == b.rig.skeleton.parents
    np.testing.assert_array_equal(a.root_m, b.root_m)
    np.testing.assert_allclose(a.local_wxyz, b.local_wxyz, atol=1e-15)
    np.testing.assert_allclose(a.rig.offsets_m, b.rig.offsets_m)
    np.testing.assert_allclose([tip.offset_m for tip in a.rig.tips], [tip.offset_m for tip in b.rig.tips])


def test_a_plain_file_is_what_it_says(read_text):
    """Catches any wrong column, worked out by hand: the root turns 90 degrees about Z, so the arm points up."""
    motion = read_text(PLAIN)
    assert motion.rig.skeleton.joint_names == ("Hips", "LeftArm")
    assert motion.fps == 30
    assert motion.local_m is None
    np.testing.assert_allclose(motion.rig.offsets_m, [[0, 1, 0], [0.5, 0, 0]])
    np.testing.assert_allclose(forward(motion)[0], [[[1, 2, 3], [1.5, 2, 3]], [[1, 2, 3], [1, 2.5, 3]]], atol=1e-15)
    assert [(tip.name, tip.parent, *tip.offset_m) for tip in motion.rig.tips] == [("LeftArm_end", 1, 0.25, 0, 0)]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.replace("\n", "\r\n"),
        lambda s: s.replace("\n", "\r"),
        lambda s: s.replace("  ", "\t").replace(" ", "\t"),
        lambda s: s.replace("JOINT\tLeftArm", "JOINT LeftArm").replace("\n", " \n"),
        lambda s: "\ufeff" + s,
        lambda s: "\n\n" + s.replace("\n", "\n\n") + "\n\n",
        lambda s: s.lower().replace("hips", "Hips"),
        lambda s: s.upper(),
        lambda s: s.replace("Frames:", "Frames :").replace("Frame Time:", "Frame Time :"),
        lambda s: s.replace("Frames: ", "Frames:").replace("Frame Time: ", "FrameTime:"),
        lambda s: s.replace("Frames: 2\nFrame Time: 0.033333", "Frame Time: 0.033333\nFrames: 2"),
        lambda s: s.replace("Hips\n{", "Hips {").replace("LeftArm\n  {", "LeftArm{"),
        lambda s: s.replace("End Site", "End Site toe"),
        lambda s: s.replace("1 2 3", "1e0 +2.0E+00 .3e1"),
        lambda s: s.replace("1 2 3 ", "1 2 3\n"),
        lambda s: s.rstrip("\n"),
        lambda s: s + "\x1a",
        lambda s: s.replace("0.5 0 0", "0.5\n 0 0"),
    ],
)
def test_spelling_does_not_matter(change, read_text):
    """Catches CR alone, tabs, marks, blank lines, case, blanks before colons, braces elsewhere, wrapped lines."""
    same_motion(read_text(change(PLAIN)), read_text(PLAIN))


@pytest.mark.parametrize("name", ["mixamorig:LeftArm", "Left-Arm", "Left Arm of  me", "Ärmel", "JOINT", "2"])
def test_names_are_kept(name, read_text):
    """Catches a name cut at a colon, a blank or a letter beyond ASCII."""
    assert read_text(PLAIN.replace("LeftArm", name)).rig.skeleton.joint_names[1] == name
    if name == "Ärmel":
        latin = PLAIN.replace("LeftArm", name).encode("latin-1")
        assert read_text(latin).rig.skeleton.joint_names[1] == name


def test_rotation_channels_may_come_first_and_in_any_order(read_text):
    """Catches position columns taken for angles where a file lists them last, or in between."""
    text = PLAIN.replace(
        "Xposition Yposition Zposition Zrotation Xrotation Yrotation",
        "Zrotation Zposition Xrotation Yrotation Yposition Xposition",
    )
    text = text.replace("1 2 3 0 0 0", "0 3 0 0 2 1").replace("1 2 3 90 0 0", "90 3 0 0 2 1")
    same_motion(read_text(text), read_text(PLAIN))


def test_each_joint_has_its_own_order_and_number_of_rotation_channels(read_text):
    """Catches the root's order used for all joints, and joints with one or two rotation channels refused."""
    text = PLAIN.replace("CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 2 Yrotation Zrotation")
    text = text.replace("90 0 0\n1", "90 0\n1").replace("0 0 90\n", "0 90\n")
    motion = read_text(text)
    h = 0.5**0.5
    np.testing.assert_allclose(motion.local_wxyz[:, 1], [[h, 0, h, 0], [h, 0, 0, h]])


def test_a_root_without_position_channels_stands_at_its_offset(read_text):
    """Catches a body that falls to the origin, and three rotation columns read as a place."""
    text = PLAIN.replace("CHANNELS 6 Xposition Yposition Zposition", "CHANNELS 3").replace("1 2 3 ", "")
    np.testing.assert_allclose(read_text(text).root_m, [[0, 1, 0], [0, 1, 0]])


def test_position_channels_of_inner_joints_replace_the_offset(read_text):
    """Catches six-channel joints that stay at their offset, or get it twice; a missing axis keeps the offset's."""
    text = PLAIN.replace("CHANNELS 3 Z", "CHANNELS 5 Xposition Yposition Z")
    text = text.replace("0 90 0 0\n", "0 7 8 90 0 0\n").replace("0 0 0 90\n", "0 5 6 0 0 90\n")
    motion = read_text(text.replace("OFFSET 0.5 0 0", "OFFSET 0.5 0 9"), unit_m=0.01)
    np.testing.assert_allclose(motion.local_m[:, 1], [[0.07, 0.08, 0.09], [0.05, 0.06, 0.09]])
    np.testing.assert_allclose(motion.root_m, [[0.01, 0.02, 0.03]] * 2)
    np.testing.assert_allclose(motion.rig.tips[0].offset_m, [0.0025, 0, 0])


def test_a_file_with_z_up_stands_up(read_text):
    """Catches axes that are exchanged without a sign, and rotations that stay in the axes of the file.

    By hand: the root stands at (1, 2, 3) with +Z up, so in our world at (1, 3, -2). In the second frame it has turned
    by 90 degrees about the file's Z, the vertical, so the arm points along the file's +Y: away from us, our -Z.
    """
    motion = read_text(PLAIN, up="Z")
    np.testing.assert_allclose(motion.root_m, [[1, 3, -2]] * 2)
    np.testing.assert_allclose(forward(motion)[0][:, 1], [[1.5, 3, -2], [1, 3, -2.5]], atol=1e-15)
    np.testing.assert_allclose(motion.rig.offsets_m, [[0, 0, -1], [0.5, 0, 0]])
    text = PLAIN.replace("OFFSET 0.25 0 0", "OFFSET 0 0 0.25")
    np.testing.assert_allclose(read_text(text, up="Z").rig.tips[0].offset_m, [0, 0.25, 0])
    with pytest.raises(InputError, match="up must be"):
        read_text(PLAIN, up="X")


def test_several_roots_hang_under_one_and_leave_again(read_text, tmp_path):
    """Catches a second ROOT refused, dropped, or written back as a child of the first."""
    head, numbers = PLAIN.split("MOTION\n")
    second = head.removeprefix("HIERARCHY\n").replace("Hips", "Prop").replace("LeftArm", "Handle")
    rows = [line + " " + line.replace("1 2 3", "-1 -2 -3") for line in numbers.splitlines()[2:]]
    motion = read_text(head + second + "MOTION\nFrames: 2\nFrame Time: 0.033333\n" + "\n".join(rows))
    assert motion.rig.skeleton.joint_names == (SEVERAL_ROOTS, "Hips", "LeftArm", "Prop", "Handle")
    np.testing.assert_allclose(forward(motion)[0][1], [[0] * 3, [1, 2, 3], [1, 2.5, 3], [-1, -2, -3], [-1, -1.5, -3]])
    write_bvh(motion, tmp_path / "again.bvh")
    text = (tmp_path / "again.bvh").read_text()
    assert text.count("ROOT") == 2
    assert SEVERAL_ROOTS not in text
    np.testing.assert_allclose(forward(read_bvh(tmp_path / "again.bvh"))[0], forward(motion)[0], atol=1e-6)


def test_end_sites_with_channels_or_children_become_joints(read_text):
    """Catches columns shifted by an End Site that has some."""
    text = PLAIN.replace("OFFSET 0.25 0 0\n", "OFFSET 0.25 0 0\n CHANNELS 1 Xrotation\n")
    text = text.replace("90 0 0\n1", "90 0 0 180\n1").replace("0 0 90\n", "0 0 90 180\n")
    with pytest.warns(Mocap3dWarning, match="End Site in line 10"):
        motion = read_text(text)
    assert motion.rig.skeleton.joint_names == ("Hips", "LeftArm", "LeftArm_end")
    np.testing.assert_allclose(motion.local_wxyz[:, 2], [[0, 1, 0, 0]] * 2, atol=1e-15)
    empty = PLAIN.replace("OFFSET 0.25 0 0\n", "OFFSET 0.25 0 0\n CHANNELS 0\n")
    same_motion(read_text(empty), read_text(PLAIN))


def test_names_that_occur_twice_are_numbered(read_text):
    """Catches a file refused, or a joint that overwrites its namesake."""
    with pytest.warns(Mocap3dWarning, match="renamed: Hips_2"):
        assert read_text(PLAIN.replace("LeftArm", "Hips")).rig.skeleton.joint_names == ("Hips", "Hips_2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN.split("MOTION")[0], "no MOTION part"),
        (PLAIN.split("0.033333")[0].replace("Frames: 2", "Frames: 0") + "0.033333\n", "no frames"),
    ],
)
def test_without_frames_the_rest_pose_is_one_frame(text, message, read_text):
    """Catches a skeleton file refused, or an empty motion."""
    with pytest.warns(Mocap3dWarning, match=message):
        motion = read_text(text)
    assert len(motion) == 1
    np.testing.assert_allclose(forward(motion)[0][0], [[0, 1, 0], [0.5, 1, 0]])


@pytest.mark.parametrize("tail", ["", "1 2 3", "1 2 3 90 0 0 0 0 9"])
def test_a_file_cut_short_keeps_its_whole_frames(tail, read_text):
    """Catches a long recording lost because its last line is missing; the last number may be cut as well."""
    text = PLAIN.replace("Frames: 2", "Frames: 1000") + tail
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        motion = read_text(text)
    assert any("Frames says 1000: the file was cut short" in str(warning.message) for warning in seen)
    assert len(motion) == (3 if len(tail) > 10 else 2)


def test_more_rows_than_the_header_says_are_refused_unless_asked_for(read_text):
    """Catches a header of another file, and rows dropped without a word."""
    text = PLAIN.replace("Frames: 2", "Frames: 1")
    with pytest.raises(FileFormatError, match="2 rows of numbers, but Frames says 1") as caught:
        read_text(text)
    assert caught.value.line == 20
    with pytest.warns(Mocap3dWarning, match="all rows are read"):
        assert len(read_text(text, lenient=True)) == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("HIERARCHY", "HIERARCH", 1, "starts with HIERARCHY"),
        ("ROOT Hips", "JOINT Hips", 2, "outside a ROOT"),
        ("JOINT LeftArm", "ROOT LeftArm", 6, "ROOT inside"),
        ("OFFSET 0.5 0 0", "OFFSET 0.5 0", 9, "three finite numbers"),
        ("OFFSET 0.5 0 0", "OFFSET nan 0 0", 8, "three finite numbers"),
        ("    OFFSET 0.5 0 0\n", "", 13, "has no OFFSET"),
        ("OFFSET 0.5 0 0", "OFFSET 0.5 0 0 0", 8, "expected OFFSET, CHANNELS"),
        ("CHANNELS 3", "CHANNELS 4", 9, "CHANNELS says '4' but names 3"),
        ("CHANNELS 3", "CHANNELS -3", 9, "CHANNELS says"),
        ("CHANNELS 6 Xp", "CHANNELS 6 Yp", 5, "position channel twice"),
        ("MOTION", "MOTOIN", 16, "expected ROOT or MOTION"),
        ("  }\n}\n", "  }\n", 14, "before 'Hips' is closed"),
        ("Frames: 2", "Frames: two", 17, "whole number"),
        ("Frames: 2", "Frames: -2", 17, "whole number"),
        ("0.033333", "0", 18, "seconds above 0"),
        ("0.033333", "-0.033333", 18, "seconds above 0"),
        ("0.033333", "nan", 18, "seconds above 0"),
        ("Frame Time: 0.033333\n", "", 17, "no Frame Time"),
        ("1 2 3 0 0 0 90", "1 2 3 0 0 nan 90", 19, "'nan' is no finite number"),
        ("1 2 3 0 0 0 90", "1 2 3 0 0 0,5 90", 19, "'0,5' is no finite number"),
        ("1 2 3 0 0 0 90", "1 2 3 0 0 90", 19, "8 numbers, but the joints above have 9"),
        ("1 2 3 90 0 0 0", "1 2 3 90 0 0 0 0 0", 20, "11 numbers"),
        ("1 2 3 0 0 0 90 0 0\n", "1 2 3\n0 0 0\n90 0 0 1\n", 19, "3 numbers"),
        ("0 0 90\n", "0 0 90\nEND OF FILE\n", 21, "'END' is no finite number"),
        ("0 0 90\n", "0 0 90\n\n}\n", 22, "'}' is no finite number"),
        ("0 0 90\n", "0 0 90\n1 2 3 # a comment\n", 21, "'#' is no finite number"),
        ("Zrotation Xrotation Yrotation\n  JOINT", "Zrotation Xrotation Wrotation\n  JOINT", 5, "names 5"),
        ("    End Site\n", "    End Site\n    {\n    }\n    End Site\n", 12, "has no OFFSET"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_what_is_broken_is_refused_with_its_line(old, new, line, message, line_end, read_text):
    """Catches a wrong reading instead of an error, and a line number that is off."""
    text = PLAIN.replace(old, new, 1)
    assert text != PLAIN
    with pytest.raises(FileFormatError, match=message) as caught:
        read_text(text.replace("\n", line_end))
    assert caught.value.line == line
    assert caught.value.path.name == "file.bvh"


def test_the_rate_may_be_given_instead(read_text):
    """Catches files without a usable frame time that cannot be read at all."""
    for text in (PLAIN.replace("0.033333", "0"), PLAIN.replace("Frame Time: 0.033333\n", ""), PLAIN):
        assert read_text(text, fps=Fraction(24000, 1001)).fps == Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("period", "fps"),
    [
        ("0.033333", 30), ("0.0333333", 30), (".0083333", 120), ("0.00833333", 120), ("0.041667", 24), ("0.04", 25),
        ("0.033367", Fraction(30000, 1001)), ("0.041708", Fraction(24000, 1001)), ("0.016683", Fraction(60000, 1001)),
        ("0.066667", 15), ("0.01", 100), ("1e-2", 100),
    ],
)  # fmt: skip
def test_frame_times_become_the_rates_they_mean(period, fps, read_text):
    """Catches 30.0003 frames per second."""
    assert read_text(PLAIN.replace("0.033333", period)).fps == fps


def test_the_broken_file_of_the_corpus_is_refused_with_its_line(shared_data):
    """Catches a file whose header says 3069 frames and which holds 3070."""
    with pytest.raises(FileFormatError, match="3070 rows") as caught:
        read_bvh(shared_data / "bvh_files" / "assimp_boxing_toes_bad.bvh")
    assert caught.value.line == 3199


def test_left_and_right_are_found_in_names(shared_data):
    """Catches arms without a partner in the common ways to spell sides."""
    for name, left, right in [
        ("pybvh_test1.bvh", "LeftArm", "RightArm"),
        ("freebvh_mixamo_blender.bvh", "mixamorig:LeftHand", "mixamorig:RightHand"),
        ("blender_cmu_30x6ch.bvh", "thigh_L", "thigh_R"),
        ("makehuman_tpose_144x6ch.bvh", "pelvis.L", "pelvis.R"),
        ("secondlife_walk.bvh", "lShldr", "rShldr"),
    ]:
        skeleton = read_bvh(shared_data / "bvh_files" / name).rig.skeleton
        assert skeleton.mirror[skeleton.index(left)] == skeleton.index(right)


def test_a_folder_or_missing_file_is_an_input_error(tmp_path):
    """Catches a bare OSError."""
    for path in (tmp_path, tmp_path / "none.bvh"):
        with pytest.raises(InputError, match="cannot read"):
            read_bvh(path)
    with pytest.raises(InputError, match="unit_m"):
        read_bvh(tmp_path / "none.bvh", unit_m=-1)


def test_a_header_that_claims_a_billion_frames_costs_nothing(read_text):
    """Catches memory reserved by what a file claims instead of by what it holds."""
    start = time.perf_counter()
    with pytest.warns(Mocap3dWarning, match="cut short"):
        read_text(PLAIN.replace("Frames: 2", "Frames: 1000000000"))
    assert time.perf_counter() - start < 5


edits = st.lists(
    st.tuples(
        st.integers(0, len(PLAIN) - 1),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=3),
            st.sampled_from(
                [b"{", b"}", b"\n", b"JOINT a", b"End Site", b"MOTION", b"nan", b"1e308", b"-", b"\0", b"CHANNELS"]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(edits)
@example([(0, 40, b"")])
@example([(len(PLAIN) - 20, 1, b"1e308")])
def test_a_damaged_file_is_read_or_refused_by_our_own_errors(tmp_path_factory, changes):
    """Catches IndexError, RecursionError, overflow warnings and endless loops on damaged input."""
    text = PLAIN.encode()
    for place, size, inserted in changes:
        text = text[:place] + inserted + text[place + size :]
    path = tmp_path_factory.getbasetemp() / "damaged.bvh"
    path.write_bytes(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)
        try:
            forward(read_bvh(path))
        except Mocap3dError as error:
            assert str(path) in str(error)  # noqa: PT017 - most damaged files are refused, some are still right
