from __future__ import annotations

import io
import math
import tarfile

import numpy as np
import pytest
from mocap3d.data_prep.acclaim import bone_ends, read_amc, read_asf
from mocap3d.data_prep.cmu import (
    BONE_OF_JOINT,
    CMU_LENGTH,
    METRES_PER_UNIT,
    gaze_correction_rad,
    joints_m,
    place_face,
    prepare_cmu,
)
from mocap3d.data_prep.motion_file import read_sequences

from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.skeletons import LIFTER_20

# name: parent, direction, length, axis (degrees), degrees of freedom
BONES = {
    "lhipjoint": ("root", (0.6, -0.8, 0.0), 2.0, (0, 0, 0), ""),
    "lfemur": ("lhipjoint", (0.342, -0.94, 0.0), 7.0, (0, 0, 20), "rx ry rz"),
    "ltibia": ("lfemur", (0.342, -0.94, 0.0), 7.5, (0, 0, 20), "rx"),
    "lfoot": ("ltibia", (0.06, -0.18, 0.98), 2.3, (-90, 0, 20), "rx rz"),
    "ltoes": ("lfoot", (0.0, 0.0, 1.0), 1.2, (-90, 0, 20), "rx"),
    "rhipjoint": ("root", (-0.6, -0.8, 0.0), 2.0, (0, 0, 0), ""),
    "rfemur": ("rhipjoint", (-0.342, -0.94, 0.0), 7.0, (0, 0, -20), "rx ry rz"),
    "rtibia": ("rfemur", (-0.342, -0.94, 0.0), 7.5, (0, 0, -20), "rx"),
    "rfoot": ("rtibia", (-0.06, -0.18, 0.98), 2.3, (-90, 0, -20), "rx rz"),
    "rtoes": ("rfoot", (0.0, 0.0, 1.0), 1.2, (-90, 0, -20), "rx"),
    "lowerback": ("root", (0.0, 1.0, 0.0), 2.0, (0, 0, 0), "rx ry rz"),
    "upperback": ("lowerback", (0.0, 1.0, 0.0), 2.0, (0, 0, 0), "rx ry rz"),
    "thorax": ("upperback", (0.0, 1.0, 0.0), 2.0, (0, 0, 0), "rx ry rz"),
    "lowerneck": ("thorax", (0.0, 1.0, 0.0), 1.7, (0, 0, 0), "rx ry rz"),
    "upperneck": ("lowerneck", (0.0, 1.0, 0.0), 1.7, (0, 0, 0), "rx ry rz"),
    "head": ("upperneck", (0.0, 1.0, 0.0), 1.7, (0, 0, 0), "rx ry rz"),
    "lclavicle": ("thorax", (0.9, 0.4, 0.0), 3.5, (0, 0, 0), "ry rz"),
    "lhumerus": ("lclavicle", (1.0, 0.0, 0.0), 5.0, (180, 30, 90), "rx ry rz"),
    "lradius": ("lhumerus", (1.0, 0.0, 0.0), 3.4, (180, 30, 90), "rx"),
    "lwrist": ("lradius", (1.0, 0.0, 0.0), 1.7, (180, 30, 90), "ry"),
    "rclavicle": ("thorax", (-0.9, 0.4, 0.0), 3.5, (0, 0, 0), "ry rz"),
    "rhumerus": ("rclavicle", (-1.0, 0.0, 0.0), 5.0, (180, 30, -90), "rx ry rz"),
    "rradius": ("rhumerus", (-1.0, 0.0, 0.0), 3.4, (180, 30, -90), "rx"),
    "rwrist": ("rradius", (-1.0, 0.0, 0.0), 1.7, (180, 30, -90), "ry"),
}


def asf_text(size: float = 1.0, units: str = "length 0.45") -> str:
    lines = ["# a comment", ":version 1.10", ":units", "  mass 1.0", f"  {units}", "  angle deg", ":root"]
    lines += ["   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0", ":bonedata"]
    for name, (_, direction, length, axis, dof) in BONES.items():
        lines += ["  begin", f"     name {name}", f"     direction {direction[0]} {direction[1]} {direction[2]}"]
        lines += [f"     length {length * size}", f"     axis {axis[0]} {axis[1]} {axis[2]}  XYZ"]
        lines += [f"    dof {dof}", "    limits (-160.0 20.0)", "           (-70.0 70.0)"] if dof else []
        lines += ["  end"]
    lines += [":hierarchy", "  begin"]
    lines += [f"    {parent} {name}" for name, (parent, *_) in BONES.items()]
    return "\n".join([*lines, "  end", ""])


def amc_text(frames: int = 3, size: float = 1.0, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    lines = ["#!OML:ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(frames):
        x, y, z, *turns = [size * frame, size * 17, size * 2, *rng.uniform(-60, 60, 3)]
        lines += [str(frame + 1), "root " + " ".join(map(str, [x, y, z, *turns]))]
        for name, (*_, dof) in BONES.items():
            if dof:
                lines.append(f"{name} " + " ".join(str(value) for value in rng.uniform(-60, 60, len(dof.split()))))
    return "\n".join(lines) + "\n"


@pytest.fixture
def subject(tmp_path):
    folder = tmp_path / "cmu" / "07"
    folder.mkdir(parents=True)
    (folder / "07.asf").write_text(asf_text())
    for take in (1, 2):
        (folder / f"07_0{take}.amc").write_text(amc_text(seed=take))
    return folder


def turn(axis: str, degrees: float) -> list[list[float]]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]


def times(*matrices):
    product = [[float(i == j) for j in range(3)] for i in range(3)]
    for m in matrices:
        product = [[sum(product[i][k] * m[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
    return product


def ends_one_bone_at_a_time(frame_lines):
    """The textbook rule L = C M C^-1, T_bone = T_parent L, in plain Python."""
    values = {line.split()[0]: [float(v) for v in line.split()[1:]] for line in frame_lines}
    x, y, z, rx, ry, rz = values["root"]
    world = {"root": (times(turn("z", rz), turn("y", ry), turn("x", rx)), (x, y, z))}
    for name, (parent, direction, length, axis, dof) in BONES.items():
        angle = dict.fromkeys("xyz", 0.0) | dict(zip((d[1] for d in dof.split()), values.get(name, []), strict=True))
        C = times(turn("z", axis[2]), turn("y", axis[1]), turn("x", axis[0]))
        C_inverse = times(turn("x", -axis[0]), turn("y", -axis[1]), turn("z", -axis[2]))
        M = times(turn("z", angle["z"]), turn("y", angle["y"]), turn("x", angle["x"]))
        R = times(world[parent][0], C, M, C_inverse)
        end = [world[parent][1][i] + sum(R[i][k] * direction[k] * length for k in range(3)) for i in range(3)]
        world[name] = (R, tuple(end))
    return {name: end for name, (_, end) in world.items()}


def test_bone_ends_follow_the_textbook_rule(subject):
    """Catches a wrong Euler order, an axis used where its inverse belongs, and channels in another order."""
    bones = read_asf(subject / "07.asf")
    ends, _ = bone_ends(bones, *read_amc(subject / "07_01.amc", bones))
    lines = (subject / "07_01.amc").read_text().splitlines()[3:]
    per_frame = len(lines) // 3
    for frame in range(3):
        expected = ends_one_bone_at_a_time(lines[frame * per_frame + 1 : (frame + 1) * per_frame])
        for i, bone in enumerate(bones):
            np.testing.assert_allclose(ends[frame, i], expected[bone.name], atol=1e-9, err_msg=bone.name)


def test_joints_are_the_ends_of_their_bones_on_a_body_of_one_stature(subject):
    """Catches centimetres, inches, a body that keeps its own size, and a joint at the start of its bone."""
    bones = read_asf(subject / "07.asf")
    motion = read_amc(subject / "07_01.amc", bones)
    ends, _ = bone_ends(bones, *motion)
    xyz_m, _ = joints_m(bones, *motion)
    names = [bone.name for bone in bones]
    # thigh + shank = 0.491 of 1.70 m
    scale = 0.491 * 1.70 / (math.hypot(0.342, 0.94) * (7.0 + 7.5))
    for joint, bone in BONE_OF_JOINT.items():
        np.testing.assert_allclose(xyz_m[:, LIFTER_20.index(joint)], ends[:, names.index(bone)] * scale, atol=1e-9)
    assert pytest.approx(0.056444, abs=1e-6) == METRES_PER_UNIT


def test_a_larger_person_gives_the_same_body(tmp_path):
    """Catches a scale taken from positions, or applied to bones but not to the path of the root."""
    bodies = []
    for size in (1.0, 1.3):
        (tmp_path / "a.asf").write_text(asf_text(size))
        (tmp_path / "a.amc").write_text(amc_text(size=size))
        bones = read_asf(tmp_path / "a.asf")
        bodies.append(joints_m(bones, *read_amc(tmp_path / "a.amc", bones))[0])
    np.testing.assert_allclose(bodies[0], bodies[1], atol=1e-9)


def test_at_rest_people_face_forward(tmp_path):
    """Catches a face or toes behind the body, and left where right should be."""
    (tmp_path / "a.asf").write_text(asf_text())
    bones = read_asf(tmp_path / "a.asf")
    xyz_m, _ = joints_m(bones, np.zeros((1, 3)), np.zeros((1, len(bones), 3)))
    at = dict(zip(LIFTER_20.joint_names, xyz_m[0], strict=True))
    assert at["face"][2] > at["head"][2] + 0.19
    assert at["left_toe"][2] > at["left_ankle"][2] + 0.1
    assert at["left_wrist"][0] > at["left_elbow"][0] > at["left_shoulder"][0] > 0 > at["right_shoulder"][0]
    assert at["head"][1] > at["neck"][1] > at["thorax"][1] > at["spine"][1] > at["pelvis"][1] > at["left_knee"][1]


def test_the_median_gaze_is_a_little_down():
    """Catches a correction with the wrong sign, which would double the tilt of the markers."""
    rng = np.random.default_rng(1)
    down_deg = 25 + rng.uniform(-10, 10, 201)  # markers that make people look at the floor
    heads = np.array([times(turn("y", yaw), turn("x", down)) for yaw, down in enumerate(down_deg)])
    joints = np.zeros((201, 20, 3))
    place_face(joints, heads, gaze_correction_rad(heads))
    height = joints[:, LIFTER_20.index("face"), 1] / 0.20
    assert math.degrees(math.asin(np.median(height))) == pytest.approx(-8, abs=0.5)


def test_prepares_a_folder_and_a_tar_alike(subject, tmp_path):
    """Catches clips lost on the way, or a tar whose folders are taken for subjects."""
    from_folder = prepare_cmu(subject.parent, tmp_path / "folder.h5")
    archive = tmp_path / "cmu.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(subject, "some/where/07")
    from_tar = prepare_cmu(archive, tmp_path / "tar.h5")
    for a, b in zip(read_sequences(from_folder), read_sequences(from_tar), strict=True):
        assert (a.subject, a.action, a.fps, a.skeleton.name) == (b.subject, b.action, 120, "lifter-20")
        np.testing.assert_array_equal(a.xyz_m, b.xyz_m)
    assert [a.action for a in read_sequences(from_folder)] == ["07_01", "07_02"]


def test_an_interrupted_run_goes_on(subject, tmp_path):
    """Catches a half file under the final name, and a second run that starts over or skips what was cut off."""
    second = subject.parent / "08"
    second.mkdir()
    (second / "08.asf").write_text(asf_text())
    (second / "08_01.amc").write_text("broken")
    out = tmp_path / "out.h5"
    seen = []
    with pytest.raises(FileFormatError):
        prepare_cmu(subject.parent, out, progress=lambda done, total: seen.append((done, total)))
    assert not out.exists()
    assert seen == [(2, 3)]
    with pytest.raises(InputError, match=r"one body no, not yes: delete .*out\.h5\.part, or"):
        prepare_cmu(subject.parent, out, one_body=True)
    with pytest.raises(InputError, match=r"begun with source .*, not .*07: delete"):
        prepare_cmu(subject, out)
    (subject / "07_01.amc").write_text("no longer readable, but done")
    (second / "08_01.amc").write_text(amc_text())
    prepare_cmu(subject.parent, out)
    assert [a.action for a in read_sequences(out)] == ["07_01", "07_02", "08_01"]
    assert not list(tmp_path.glob("*.part"))


def test_bad_files_are_refused_by_name_and_line(subject, tmp_path):
    """Catches files of another kind read as motion, and messages without the place of the mistake."""
    bones = read_asf(subject / "07.asf")
    broken = tmp_path / "a.amc"
    broken.write_text(amc_text().replace("lfoot ", "lflipper ", 1))
    with pytest.raises(FileFormatError, match=r"a\.amc:\d+: 'lflipper'"):
        read_amc(broken, bones)
    broken.write_text(amc_text().replace("head ", "# head ", 1))
    with pytest.raises(FileFormatError, match="head"):
        read_amc(broken, bones)
    broken.write_text(":DEGREES\n")
    with pytest.raises(FileFormatError, match="no frames"):
        read_amc(broken, bones)
    inches = tmp_path / "a.asf"
    inches.write_text(asf_text(units="length 1.0"))
    with pytest.raises(FileFormatError, match=r"0\.45"):
        read_asf(inches, length=CMU_LENGTH)
    inches.write_text(asf_text().replace("    lfoot ltoes", "    lfin ltoes"))
    with pytest.raises(FileFormatError, match="lfin"):
        read_asf(inches)


def test_bad_sources_are_refused(subject, tmp_path):
    """Catches an empty result without a word, and a tar that writes outside of its folder."""
    for source in (tmp_path / "absent", subject / "07.asf"):
        with pytest.raises(InputError, match="neither a folder nor a tar"):
            prepare_cmu(source, tmp_path / "o.h5")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.amc"):
        prepare_cmu(tmp_path / "empty", tmp_path / "o.h5")
    (subject / "07.asf").unlink()
    with pytest.raises(InputError, match=r"07\.asf"):
        prepare_cmu(subject, tmp_path / "o.h5")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        entry = tarfile.TarInfo("../../evil.amc")
        tar.addfile(entry, io.BytesIO())
    with pytest.raises(FileFormatError, match="unpacked"):
        prepare_cmu(tmp_path / "evil.tar", tmp_path / "o.h5")


def test_real_walkers_stand_on_the_floor(shared_data, tmp_path):
    """Catches a mapping that only fits the made-up skeleton: real people, upright, striding, looking ahead."""
    with tarfile.open(shared_data / "cmu_amc" / "cmu_amc.tar.xz") as tar:
        wanted = []
        for member in tar:  # one pass over the compressed stream, stopped as soon as both are there
            if member.name.endswith(("/02.asf", "/02_01.amc")):
                wanted.append(member)
                tar.extract(member, tmp_path, filter="data")
            if len(wanted) == 2:
                break
    sequence = next(iter(read_sequences(prepare_cmu(tmp_path, tmp_path / "o.h5"))))
    at = {name: sequence.xyz_m[:, j].astype(float) for j, name in enumerate(LIFTER_20.joint_names)}
    travel = at["pelvis"][-1] - at["pelvis"][0]
    assert 1.0 < np.linalg.norm(travel[[0, 2]]) / (len(sequence.xyz_m) / 120) < 2.0
    ahead = travel / np.linalg.norm(travel)
    assert ((at["face"] - at["head"]) @ ahead).mean() > 0.1
    assert ((at["left_toe"] - at["left_ankle"]) @ ahead).mean() > 0.1
    assert 1.5 < np.median(at["head"][:, 1]) < 1.75
    lowest = np.minimum(at["left_toe"][:, 1], at["right_toe"][:, 1])
    assert abs(np.median(lowest)) < 0.08
    assert np.ptp(np.linalg.norm(at["left_wrist"] - at["left_elbow"], axis=1)) < 1e-5
