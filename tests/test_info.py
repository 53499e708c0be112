"""`mocap3d info`: what a file holds, and how good its animation is."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from videos import run

from mocap3d.base.humanoid import HUMANOID_RIG
from mocap3d.base.kinematics import forward
from mocap3d.base.motion import Motion
from mocap3d.base.motion_edits import together
from mocap3d.base.pose import Pose3D
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.output import write
from mocap3d.quality.animation import FIGURES

NAMES = [figure.name for figure in FIGURES]


def sliding(mm_per_s=37.0, frames=60, higher_m=0.0):
    """The T-pose, standing, moved over the floor."""
    way = mm_per_s / 1000 * np.arange(frames)[:, None] / 30 * [1.0, 0.0, 0.0] + [0.0, higher_m, 0.0]
    return Motion(
        rig=HUMANOID_RIG,
        fps=Fraction(30),
        local_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (frames, 22, 1)),
        root_m=HUMANOID_RIG.offsets_m[0] + way,
    )


def facts_of(capsys, *arguments):
    """What --json prints."""
    code, printed, errors = run(capsys, "info", *arguments, "--json")
    assert code == 0, errors
    return json.loads(printed)


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("own.bvh", {}),
        ("own.npz", {}),
        ("own.json", {}),
        ("mixamo.fbx", {"preset": "mixamo"}),
        ("unreal.glb", {"preset": "ue5"}),
        ("unity.bvh", {"preset": "unity"}),
        ("cmu.bvh", {"preset": "cmu"}),
    ],
)
def test_a_sliding_body_slides_in_every_format(file, options, tmp_path, capsys):
    """Catches formats, bone names, units and rest poses with which feet are not found or lengths are wrong."""
    path = tmp_path / file
    write(sliding(), path, **options)
    facts = facts_of(capsys, path)
    assert list(facts["quality"]) == NAMES
    assert facts["quality"]["foot_skate_mm_per_s"] == pytest.approx(37.0, abs=0.1)
    assert facts["quality"]["planted_percent"] == 100.0
    assert facts["quality"]["penetration_max_mm"] == pytest.approx(0.0, abs=0.1)
    assert facts["quality"]["bone_length_range_mm"] == pytest.approx(0.0, abs=0.01)
    assert facts["quality"]["joint_limit_percent"] == 0.0
    assert facts["quality"]["reprojection_px"] is None
    assert facts["height_m"] == pytest.approx(1.70, abs=0.02)


def test_feet_below_the_floor(tmp_path, capsys):
    """Catches a support that follows the feet: 15 mm below y = 0 is in the floor, a step of 20 cm is a step."""
    write(sliding(higher_m=-0.015), tmp_path / "deep.npz")
    assert facts_of(capsys, tmp_path / "deep.npz")["quality"]["penetration_mm"] == pytest.approx(15.0, abs=0.1)
    write(sliding(higher_m=0.2), tmp_path / "step.npz")
    assert facts_of(capsys, tmp_path / "step.npz")["quality"]["hover_mm"] < 1.0


def test_contacts_of_the_file_are_used(tmp_path, capsys):
    """Catches contacts judged anew although an animator has corrected them."""
    contacts = np.zeros((60, 4))
    contacts[:15, 0] = 1.0
    write(replace(sliding(), contacts=contacts), tmp_path / "edited.npz")
    assert facts_of(capsys, tmp_path / "edited.npz")["quality"]["planted_percent"] == 25.0


def test_a_file_without_a_unit(tmp_path, capsys):
    """Catches a giant of 170 m whose feet are all faster than standing feet, and a guess that nobody is told of."""
    write(sliding(), tmp_path / "cm.bvh", unit_m=0.01)
    guessed = facts_of(capsys, tmp_path / "cm.bvh")
    assert guessed["quality"]["foot_skate_mm_per_s"] == pytest.approx(37.0, abs=0.1)
    assert guessed["highest_m"] < 2.0
    assert "cm" in guessed["notes"][0]
    told = facts_of(capsys, tmp_path / "cm.bvh", "--unit", "0.01")
    assert told["quality"] == guessed["quality"]
    assert "notes" not in told
    giant = facts_of(capsys, tmp_path / "cm.bvh", "--unit", "1")
    assert giant["height_m"] > 100
    assert "--unit" in giant["notes"][0]


def test_a_rig_that_is_nobody(tmp_path, capsys):
    """Catches a crash on a crane: bones and smoothness are known of anything."""
    names = tuple(f"part{j}" for j in range(3))
    skeleton = replace(HUMANOID_22, name="crane", joint_names=names, parents=(-1, 0, 1), mirror=(0, 1, 2))
    rig = replace(HUMANOID_RIG, skeleton=skeleton, offsets_m=np.eye(3), rest_wxyz=np.eye(4)[[0, 0, 0]], tips=())
    wxyz = np.tile([1.0, 0.0, 0.0, 0.0], (30, 3, 1))
    motion = Motion(rig=rig, fps=Fraction(30), local_wxyz=wxyz, root_m=np.random.default_rng(0).normal(size=(30, 3)))
    write(motion, tmp_path / "crane.npz")
    facts = facts_of(capsys, tmp_path / "crane.npz")
    assert facts["quality"]["jerk_m_per_s3"] > 0
    assert facts["quality"]["foot_skate_mm_per_s"] is None
    assert "not judged" in facts["notes"][0]
    assert "height_m" not in facts


def test_points(tmp_path, capsys):
    """Catches figures of rotations for a file that holds none."""
    xyz_m, _ = forward(sliding())
    shape = xyz_m.shape[:2]
    pose = Pose3D(
        xyz_m=xyz_m,
        confidence=np.ones(shape),
        std_m=np.zeros(shape),
        views=np.ones(shape),
        fps=30,
        skeleton=HUMANOID_22,
        frame="world",
    )
    write(pose, tmp_path / "points.trc")
    facts = facts_of(capsys, tmp_path / "points.trc")
    assert facts["kind"] == "points"
    assert facts["quality"]["jerk_m_per_s3"] == pytest.approx(0.0, abs=20.0)  # the file has millimetres with few digits
    assert facts["quality"]["joint_limit_percent"] is None


def test_several_people_in_one_file(tmp_path, capsys):
    """Catches two people judged as one body with four legs."""
    people = together({"ann": sliding(37.0), "bob": sliding(12.0)})
    write(people, tmp_path / "two.bvh")
    facts = facts_of(capsys, tmp_path / "two.bvh")
    speeds = {name: judged["quality"]["foot_skate_mm_per_s"] for name, judged in facts["people"].items()}
    assert speeds == pytest.approx({"ann": 37.0, "bob": 12.0}, abs=0.1)
    _, printed, _ = run(capsys, "info", tmp_path / "two.bvh")
    row = next(line for line in printed.splitlines() if line.strip().startswith("foot skate "))
    assert row.split()[2::2] == ["37.0", "12.0"]


def test_several_files_stand_side_by_side(tmp_path, capsys):
    """Catches columns in disorder, and a broken file that hides the others."""
    write(sliding(37.0), tmp_path / "before.bvh")
    write(sliding(5.0), tmp_path / "after.bvh")
    code, printed, _ = run(capsys, "info", tmp_path / "before.bvh", tmp_path / "after.bvh")
    assert code == 0
    rows = {line[: line.index("  ", 20)].strip(): line for line in printed.splitlines() if "  " in line[20:]}
    lines = [line.split() for line in printed.splitlines()]
    assert ["file", "before", "after"] in lines
    assert ["foot", "skate", "37.0", "mm/s", "5.0", "mm/s"] in lines
    assert rows
    assert len({len(line) for line in printed.splitlines() if "mm/s" in line}) == 1
    (tmp_path / "broken.bvh").write_text("nothing")
    code, printed, errors = run(capsys, "info", tmp_path / "broken.bvh", tmp_path / "after.bvh", "--json")
    assert code == 1
    assert "broken.bvh" in errors
    broken, after = json.loads(printed)
    assert "error" in broken
    assert after["quality"]["foot_skate_mm_per_s"] == pytest.approx(5.0, abs=0.1)


def test_quick_leaves_the_figures_out(tmp_path, capsys):
    """Catches minutes of figures for somebody who wants to know the frame rate."""
    write(sliding(), tmp_path / "a.bvh")
    assert "quality" not in facts_of(capsys, tmp_path / "a.bvh", "--quick")
    code, printed, _ = run(capsys, "info", tmp_path / "a.bvh")
    assert code == 0
    assert "foot skate  37.0 mm/s" in printed
    assert "names  hips" in printed


@pytest.mark.parametrize(("options", "doubted"), [([], True), (["--up", "Z"], False)])
def test_another_axis_points_up(options, doubted, tmp_path, capsys):
    """Catches somebody who stands in a file whose Z points up, judged lying on the back without a word."""
    write(sliding(), tmp_path / "z.bvh", up="Z")
    notes = facts_of(capsys, tmp_path / "z.bvh", *options).get("notes", [])
    assert any("another axis points up" in note for note in notes) is doubted


def test_joints_that_leave_their_bones(tmp_path, capsys):
    """Catches a body that its position channels squeeze into a point, blamed on the unit of the file."""
    motion = sliding(frames=30)
    squeezed = replace(motion, local_m=np.tile(HUMANOID_RIG.offsets_m * 0.001, (30, 1, 1)))
    write(squeezed, tmp_path / "point.npz")
    notes = facts_of(capsys, tmp_path / "point.npz")["notes"]
    assert any("move away from their bones" in note and "at rest the body is 1.7 m" in note for note in notes)


def test_a_doubtful_unit(tmp_path, capsys):
    """Catches somebody of 2.3 m, by a unit that was guessed, of whom nobody is told that this is a guess."""
    write(sliding(), tmp_path / "odd.bvh", unit_m=0.0413)  # 41 units tall: CMU's unit is nearest
    assert "is a doubtful height" in facts_of(capsys, tmp_path / "odd.bvh")["notes"][0]
    write(sliding(), tmp_path / "cm.bvh", unit_m=0.01)
    assert "doubtful" not in facts_of(capsys, tmp_path / "cm.bvh")["notes"][0]


def test_more_rows_than_are_said(tmp_path, capsys):
    """Catches a file named twice in its error, and advice that a command line cannot follow."""
    path = tmp_path / "long.bvh"
    write(sliding(frames=30), path)
    path.write_text(path.read_text().replace("Frames: 30", "Frames: 20"))
    for files in ([path], [path, path]):
        code, _, errors = run(capsys, "info", *files)
        assert code == 1
        first = errors.splitlines()[0]
        assert first.count(str(path)) == 1
        assert "--lenient" in first
    assert facts_of(capsys, path, "--lenient")["frames"] == 30
    code, _, errors = run(capsys, "convert", path, tmp_path / "long.glb", "--lenient")
    assert code == 0, errors
