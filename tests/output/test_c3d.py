"""C3D against two readers of others, ezc3d (C++) and c3d (Python), and against bytes put together by hand."""

from __future__ import annotations

import struct
import time
import warnings
from dataclasses import replace
from fractions import Fraction

import c3d as c3d_package
import ezc3d
import numpy as np
import pytest
from fuzzing import assert_survives
from hypothesis import given
from hypothesis import strategies as st

from mocap3d.base.errors import FileFormatError, InputError, Mocap3dWarning
from mocap3d.output.c3d import read_c3d, write_c3d
from mocap3d.output.markers import markers
from mocap3d.output.point_file import pose_of_points

REAL = (("Eb015pr.c3d", 50, 450, 26), ("Gait.c3d", 100, 487, 33), ("PiG_Calibration3_FF.c3d", 100, 95, 54))
RATES = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), 24, 25, 60, Fraction(25, 3))


def by_ezc3d(path):
    """Points (T, N, 3) in units of the file with NaN where missing, labels, rate, parameters of POINT."""
    file = ezc3d.c3d(str(path))
    points = file["data"]["points"][:3].transpose(2, 1, 0).copy()
    points[file["data"]["meta_points"]["residuals"][0].T < 0] = np.nan
    point = file["parameters"]["POINT"]
    return points, point["LABELS"]["value"], point["RATE"]["value"][0], point


def by_c3d(path):
    """Points, labels, rate and (T, N, 2) residual in units of the file and bits of cameras."""
    with path.open("rb") as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there are no analog data
        reader = c3d_package.Reader(handle)
        frames = np.array([points for _, points, _ in reader.read_frames()], dtype=np.float64)
    assert len(frames) == reader.frame_count
    points, errors = frames[..., :3], frames[..., 3:]
    points[errors[..., 0] < 0] = np.nan
    return points, [label.strip() for label in reader.point_labels], reader.point_rate, errors


def in_world(points, up):
    """Points of a file with +X to the right into our axes, written out by hand."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, z, -y] if up == "Z" else [x, y, z], axis=-1)


@pytest.fixture
def gappy(wild_motion):
    """Points of a wild motion; some are missing, and their expected errors are whole millimetres."""
    rng = np.random.default_rng(4)
    pose = markers(wild_motion)
    gaps = rng.random(pose.confidence.shape) < 0.2
    return replace(
        pose,
        xyz_m=np.where(gaps[..., None], np.nan, pose.xyz_m),
        confidence=np.where(gaps, 0.0, 1.0),
        std_m=np.where(gaps, 0.0, rng.integers(0, 9, gaps.shape) / 1000),
    )


@pytest.mark.parametrize(("unit", "up", "unit_m"), [("mm", "Z", 0.001), ("cm", "Y", 0.01), ("m", "Z", 1.0)])
def test_other_readers_find_our_points(gappy, tmp_path, unit, up, unit_m):
    """Catches wrong units, axes, residuals, frame counts, rates and labels, in all of which both readers must agree."""
    path = tmp_path / "a.c3d"
    write_c3d(gappy, path, unit=unit, up=up)
    points, names, rate, point = by_ezc3d(path)
    np.testing.assert_allclose(in_world(points * unit_m, up), gappy.xyz_m, rtol=0, atol=1e-5)
    assert tuple(names) == gappy.skeleton.joint_names
    assert np.float32(rate) == np.float32(30000 / 1001)
    assert (point["UNITS"]["value"], point["Y_SCREEN"]["value"]) == ([unit], [f"+{up}"])
    assert point["FRAMES"]["value"][0] == len(gappy)
    points, names, rate, errors = by_c3d(path)
    np.testing.assert_allclose(in_world(points * unit_m, up), gappy.xyz_m, rtol=0, atol=1e-5)
    assert tuple(names) == gappy.skeleton.joint_names
    assert np.float32(rate) == np.float32(30000 / 1001)
    seen = errors[..., 0] >= 0
    np.testing.assert_allclose(errors[seen][:, 0] * unit_m, gappy.std_m[seen], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "rate", "frames", "count"), REAL)
def test_real_files_hold_what_other_readers_find(shared_data, tmp_path, name, rate, frames, count):
    """Catches wrong floats of a VAX (Gait), integers, axes, results of gait models taken for places (PiG)."""
    path = shared_data / "c3d_trc" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Mocap3dWarning)  # Gait.c3d has some names twice
        pose = read_c3d(path)
        as_it_is = read_c3d(path, up="Y", unit="m", fps=7)
    assert (pose.fps, as_it_is.fps, pose.xyz_m.shape) == (rate, 7, (frames, count, 3))
    points, names, _, point = by_ezc3d(path)
    errors = by_c3d(path)[3]
    angles = set(point["ANGLES"]["value"]) if "ANGLES" in point else set()
    places = [n for n, label in enumerate(names[: points.shape[1]]) if label not in angles]
    points, errors = points[:, places], errors[:, places]
    np.testing.assert_allclose(as_it_is.xyz_m, points, rtol=1e-7)
    seen = errors[..., 0] >= 0
    np.testing.assert_array_equal(pose.confidence > 0, seen)
    np.testing.assert_allclose(pose.std_m[seen], errors[seen][:, 0] / 1000, rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(pose.views[seen], [int(cameras).bit_count() for cameras in errors[seen][:, 1]])
    if point["X_SCREEN"]["value"] == ["+Y"]:  # right is +Y, up is +Z, so +X comes out of the screen
        expected = points[..., [1, 2, 0]] / 1000
    else:
        expected = in_world(points / 1000, "Z")
    np.testing.assert_allclose(pose.xyz_m, expected, rtol=1e-6, atol=1e-7)
    write_c3d(pose, tmp_path / "again.c3d")
    again = read_c3d(tmp_path / "again.c3d")
    np.testing.assert_allclose(again.xyz_m, pose.xyz_m, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(again.confidence, pose.confidence)
    np.testing.assert_allclose(by_ezc3d(tmp_path / "again.c3d")[0] / 1000, in_lab(pose.xyz_m), rtol=0, atol=1e-6)


def in_lab(xyz_m):
    """Our axes into a laboratory's, +Z up."""
    x, y, z = np.moveaxis(xyz_m, -1, 0)
    return np.stack([x, -z, y], axis=-1)


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_comes_back_as_a_fraction(wild_motion, tmp_path, rate):
    """Catches 23.976025, which is what float32 makes of 24000/1001."""
    write_c3d(replace(wild_motion, fps=rate), tmp_path / "a.c3d")
    pose = read_c3d(tmp_path / "a.c3d")
    assert pose.fps == rate
    np.testing.assert_allclose(pose.xyz_m, markers(wild_motion).xyz_m, rtol=0, atol=1e-6)
    assert np.float32(by_ezc3d(tmp_path / "a.c3d")[2]) == np.float32(float(rate))


@pytest.mark.parametrize("frames", [1, 40000, 65535, 65536, 131073])
def test_long_clips_keep_their_frames(tmp_path, frames):
    """Catches the 16 bits of the header: a clip of 65537 frames that comes back as one frame."""
    rng = np.random.default_rng(0)
    pose = pose_of_points(rng.normal(size=(frames, 1, 3)), ["a"], Fraction(120), "x")
    path = tmp_path / "long.c3d"
    write_c3d(pose, path)
    back = read_c3d(path)
    assert len(back) == frames
    np.testing.assert_allclose(back.xyz_m[-1], pose.xyz_m[-1], rtol=0, atol=1e-6)
    assert len(by_ezc3d(path)[0]) == frames
    with path.open("rb") as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there are no analog data
        assert c3d_package.Reader(handle).frame_count == frames


def test_more_than_255_names_go_on_in_further_parameters(tmp_path):
    """Catches labels that end at 255, and coordinates that end with them."""
    names = [f"marker {n} ü" for n in range(600)]
    pose = pose_of_points(np.random.default_rng(0).normal(size=(2, 600, 3)), names, Fraction(30), "x")
    write_c3d(pose, tmp_path / "many.c3d")
    back = read_c3d(tmp_path / "many.c3d")
    assert back.skeleton.joint_names == tuple(names)
    np.testing.assert_allclose(back.xyz_m, pose.xyz_m, rtol=0, atol=1e-6)
    points, labels, _, point = by_ezc3d(tmp_path / "many.c3d")
    assert [*labels, *point["LABELS2"]["value"], *point["LABELS3"]["value"]] == names
    np.testing.assert_allclose(points, in_lab(pose.xyz_m) * 1000, rtol=0, atol=1e-3)


def made_by_hand(processor, *, integers, right=b"+X", up=b"+Z", frames=3):
    """Put a C3D of two points together, as a computer of one kind would; point 1 of frame 1 is missing."""
    order = ">" if processor == 86 else "<"

    def real(value):
        if processor != 85:
            return struct.pack(f"{order}f", value)
        low, high = struct.unpack("<2H", struct.pack("<f", value * 4))
        return struct.pack("<2H", high, low)

    def text(group, name, value):
        content = struct.pack("bBB", -1, 1, len(value)) + value + b"\0"
        return struct.pack("bb", len(name), group) + name + struct.pack(f"{order}H", 2 + len(content)) + content

    scale = 0.5 if integers else -0.5
    start = struct.pack(f"{order}5H", 2, 0, 1, frames, 0) + real(scale) + struct.pack(f"{order}HH", 3, 0) + real(50.0)
    header = (b"\x02\x50" + start).ljust(512, b"\0")
    group = struct.pack("bb", 5, -1) + b"POINT" + struct.pack(f"{order}H", 3) + b"\0"
    labels = struct.pack("bBBB", -1, 2, 2, 2) + b"abc " + b"\0"
    labels = struct.pack("bb", 6, 1) + b"LABELS" + struct.pack(f"{order}H", 2 + len(labels)) + labels
    section = group + text(1, b"UNITS", b"cm") + text(1, b"X_SCREEN", right) + text(1, b"Y_SCREEN", up) + labels
    section = (bytes([1, 0x50, 1, processor]) + section).ljust(512, b"\0")
    data = b""
    for frame in range(frames):
        for point in range(2):
            fourth = -1 if (frame, point) == (1, 1) else 0x0503  # two cameras, residual 3
            values = (10 * frame + point, 20, -30)
            data += struct.pack(f"{order}4h", *values, fourth) if integers else b"".join(map(real, (*values, fourth)))
    return header + section + data.ljust(512, b"\0")


@pytest.mark.parametrize("processor", [84, 85, 86])
@pytest.mark.parametrize("integers", [True, False])
def test_files_of_every_computer_are_read(tmp_path, processor, integers):
    """Catches the byte orders, VAX floats, scaled integers, and the halves of the fourth word exchanged."""
    path = tmp_path / "hand.c3d"
    path.write_bytes(made_by_hand(processor, integers=integers))
    pose = read_c3d(path)
    factor = 0.01 * (0.5 if integers else 1)
    assert pose.skeleton.joint_names == ("ab", "c")
    assert pose.fps == 50
    np.testing.assert_allclose(pose.xyz_m[2, 1], np.array([21, -30, -20]) * factor, rtol=1e-6)
    assert np.isnan(pose.xyz_m[1, 1]).all()
    np.testing.assert_allclose(pose.std_m[0, 0], 3 * 0.5 * 0.01)
    assert (pose.views[0, 0], pose.views[1, 1], pose.confidence[1, 1]) == (2, 0, 0)


@pytest.mark.parametrize(
    ("right", "up", "expected"),
    [(b"+X", b"+Y", (1, 2, 3)), (b"+Y", b"+Z", (2, 3, 1)), (b"-X", b"+Z", (-1, 3, 2)), (b"-Y", b"-X", (-2, -1, -3))],
)
def test_the_screen_tells_the_axes(tmp_path, right, up, expected):
    """Catches a mirrored world and a person who lies on the back; the expected axes are worked out by hand."""
    path = tmp_path / "hand.c3d"
    content = bytearray(made_by_hand(84, integers=False, right=right, up=up, frames=1))
    content[1024:1036] = struct.pack("<3f", 1, 2, 3)
    path.write_bytes(content)
    np.testing.assert_allclose(read_c3d(path).xyz_m[0, 0], np.array(expected) / 100, rtol=1e-6)


def test_without_a_screen_up_is_z_and_we_say_so(tmp_path):
    """Catches a silent guess."""
    path = tmp_path / "hand.c3d"
    path.write_bytes(made_by_hand(84, integers=False, up=b"??"))
    with pytest.warns(Mocap3dWarning, match=r"\+Z is assumed"):
        pose = read_c3d(path)
    np.testing.assert_allclose(pose.xyz_m[0, 0], [0, -0.3, -0.2], rtol=1e-6)
    np.testing.assert_allclose(read_c3d(path, up="Y").xyz_m[0, 0], [0, 0.2, -0.3], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:700], "two blocks"),
        (lambda d: b"\x02\x51" + d[2:], "key"),
        (lambda d: d[:515] + b"\x07" + d[516:], "processor type"),
        (lambda d: d[:2] + b"\0\0" + d[4:], "no points"),
        (lambda d: d[:16] + b"\xff\xff" + d[18:], "does not fit"),
        (lambda d: d[:6] + b"\x05\0\x01\0" + d[10:], "frames go from 5 to 1"),
        (lambda d: d.replace(b"\x02cm", b"\xffcm"), "cannot be"),
        (lambda d: d.replace(b"cm\0", b"ft\0"), "unit of length"),
        (lambda d: d[:1024], "does not fit"),
    ],
)
def test_what_is_broken_is_refused(tmp_path, change, message):
    """Catches guessing at a file that contradicts itself."""
    path = tmp_path / "broken.c3d"
    path.write_bytes(change(made_by_hand(84, integers=True)))
    with pytest.raises(FileFormatError, match=message) as caught:
        read_c3d(path)
    assert caught.value.path == path


def test_a_file_cut_short_gives_its_frames_with_a_warning(tmp_path):
    """Catches memory reserved for 65000 frames of a file that has two, and a take that is lost with its end."""
    content = made_by_hand(84, integers=False)
    path = tmp_path / "cut.c3d"
    path.write_bytes(content[:8] + b"\xe8\xfd" + content[10 : 1024 + 2 * 32 + 10])
    start = time.perf_counter()
    with pytest.warns(Mocap3dWarning, match="65000 frames are announced, 2 are there"):
        assert len(read_c3d(path)) == 2
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "x" * 128, "\ud800"])
def test_names_that_would_come_back_changed_are_refused(wild_motion, tmp_path, name):
    """Catches labels padded with blanks that swallow those of a name."""
    pose = markers(wild_motion)
    skeleton = replace(pose.skeleton, joint_names=(name, *pose.skeleton.joint_names[1:]))
    with pytest.raises(InputError, match="cannot hold the name"):
        write_c3d(replace(pose, skeleton=skeleton), tmp_path / "a.c3d")


def test_more_names_than_a_c3d_has_room_for_are_refused(tmp_path):
    """Catches a count of parameter blocks that overflows its byte."""
    names = [f"{n:0100d}" for n in range(2000)]
    pose = pose_of_points(np.zeros((1, 2000, 3)), names, Fraction(30), "x")
    with pytest.raises(InputError, match="255 blocks"):
        write_c3d(pose, tmp_path / "a.c3d")


NAMES = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" :-."), min_size=1, max_size=12)


@given(
    names=st.lists(NAMES.map(str.strip).filter(bool), min_size=1, max_size=5, unique=True),
    frames=st.integers(1, 5),
    ntsc=st.integers(1, 240),
    size=st.sampled_from([0.0, 1e-3, 1.0, 90.0]),
    up=st.sampled_from(["Y", "Z"]),
    unit=st.sampled_from(["mm", "cm", "m"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_points_come_back(tmp_path_factory, names, frames, ntsc, size, up, unit, seed):
    """Catches names, gaps, rates and sizes that are lost on the way."""
    rng = np.random.default_rng(seed)
    xyz_m = rng.normal(size=(frames, len(names), 3)).clip(-1, 1) * size
    xyz_m[rng.random((frames, len(names))) < 0.3] = np.nan
    pose = pose_of_points(xyz_m, names, Fraction(ntsc * 1000, 1001), "points")
    path = tmp_path_factory.getbasetemp() / "any.c3d"
    write_c3d(pose, path, up=up, unit=unit)
    back = read_c3d(path)
    assert back.skeleton.joint_names == tuple(names)
    assert back.fps == pose.fps
    np.testing.assert_array_equal(back.confidence, pose.confidence)
    np.testing.assert_allclose(back.xyz_m, xyz_m, rtol=0, atol=1e-5)


def test_two_thousand_damaged_files_are_read_or_refused(shared_data, wild_motion, tmp_path):
    """Catches any other exception and what brings ezc3d down: lengths that lead out of the file."""
    written, hand = tmp_path / "written.c3d", tmp_path / "hand.c3d"
    write_c3d(wild_motion, written)
    hand.write_bytes(made_by_hand(85, integers=False))
    seeds = [written, hand]
    for real in sorted((shared_data / "c3d_trc").glob("*.c3d")):  # their beginnings, where the lengths are
        seeds.append(tmp_path / real.name)
        seeds[-1].write_bytes(real.read_bytes()[:20000])
    assert_survives(read_c3d, seeds, tmp_path)
