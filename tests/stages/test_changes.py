"""Folders that are broken: every complaint names the file, and the line where there is one."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

import mocap3d
from mocap3d.stages.repairs import Repair, repair_stages

ONE = "shot1-person1-"


def edited(folder, name, old, new):
    """Replace text in a file, once; ``old`` is a pattern."""
    text = (folder / name).read_text()
    changed = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    assert changed != text
    (folder / name).write_text(changed)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            f"{ONE}2d.csv",
            r"^(45,[^,]*),[^,]*,",
            r"\1,,",
            "2d.csv:7: nose has 1 of its 2 coordinates: give",
        ),
        (f"{ONE}3d.csv", r"^(45,[^,]*),[^,]*,", r"\1,,", "3d.csv:7: pelvis has 2 of its 3 coordinates"),
        (f"{ONE}contacts.csv", r"^(45,[^,]*),[^,]*,", r"\1,2,", "contacts.csv:7: left_heel must be from 0 to 1"),
        (f"{ONE}body.toml", r"^leftFoot = .*$", "leftFoot = [0.0, 1.0]", "leftFoot must be 3 number(s) from -10 to 10"),
        (
            f"{ONE}body.toml",
            r"^leftFoot = .*$",
            "leftFoot = [0.0, nan, 0.0]",
            "leftFoot must be 3 number(s) from -10 to 10",
        ),
        (
            f"{ONE}body.toml",
            r"^leftFoot = .*$",
            "leftFoot = [0.0, 0.0, 0.0]",
            "leftFoot must lie at least 0.001 m from",
        ),
        (f"{ONE}body.toml", r"^spine = .*$", f"spine = [0, 1{'0' * 400}, 0]", "spine must be 3 number(s)"),
        ("shot1-ground.toml", r"^camera_m = .*$", "camera_m = [0, 5000, 0]", "from -1000 to 1000"),
        (f"{ONE}body.toml", r"^leftFoot", "left_foot", "unknown key 'left_foot'"),
        (f"{ONE}body.toml", r"^\[joints\]", "joints = 3\n[j]", "unknown key 'j'"),
        ("shot1-ground.toml", r"^tilt_deg = .*$", "tilt_deg = 95", "tilt_deg must lie between -90 and 90"),
        ("shot1-ground.toml", r"^tilt_deg = .*$", "tilt_deg = true", "tilt_deg must be 1 number(s)"),
        ("shot1-ground.toml", r"^tilt_deg = .*$", "", "the key 'tilt_deg' is missing"),
        ("shot1-ground.toml", r"^tilt_deg = .*$", "tilt_deg = 1,5", "not a TOML file"),
        ("settings.toml", r"^height_m = .*$", "height_m = 17", "height_m must be a number from 0.3 to 3"),
        ("settings.toml", r"^height_m = .*$", "height_m = '1.7'", "height_m must be a number from 0.3 to 3"),
        ("settings.toml", r"^height_m", "hieght_m", "unknown key 'hieght_m'"),
        ("settings.toml", r"^foot_lock = .*$", "foot_lock = 'firm'", "foot_lock must be one of off, auto, strong"),
        ("camera.toml", r"^size_wh_px = .*$", "size_wh_px = [100, 100]", "must be one for pictures of 1552 x 536"),
        ("camera.toml", r"^name", "title", "camera 1 has no name"),
    ],
)
def test_broken_edits_are_refused(folder, name, old, new, message):
    """Catches a value taken for another, and a complaint without its file and line."""
    edited(folder, name, old, new)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(mocap3d.InputError) as caught:
        mocap3d.solve_stages(folder)
    assert message in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", [f"{ONE}2d.csv", "settings.toml", "camera.toml"])
def test_what_cannot_be_made_again_must_be_there(folder, name):
    """Catches defaults in the place of a file that got lost."""
    (folder / name).unlink()
    with pytest.raises(mocap3d.InputError, match=re.escape(name)):
        mocap3d.solve_stages(folder)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", None])
def test_a_damaged_record(folder, damage):
    """Catches a traceback, and a record read as far as it goes."""
    path = folder / "record.npz"
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    with pytest.raises(mocap3d.FileFormatError, match=r"record\.npz"):
        mocap3d.solve_stages(folder)


@pytest.mark.parametrize("change", [{"version": 2}, {"shots": []}, {"performances": []}, {"cameras": 3}])
def test_a_record_that_contradicts_itself(folder, change):
    """Catches an index error deep inside, for a record of a later version or one that somebody wrote."""
    import json

    path = folder / "record.npz"
    with np.load(path) as arrays:
        arrays = dict(arrays)
    arrays["meta"] = np.array(json.dumps({**json.loads(str(arrays["meta"])), **change}))
    np.savez(path, **arrays)
    with pytest.raises(mocap3d.FileFormatError, match=r"record\.npz"):
        mocap3d.solve_stages(folder)


def test_folders_that_hold_no_stages(tmp_path):
    """Catches a folder of something else that is taken for stages, and a traceback where there is none."""
    with pytest.raises(mocap3d.InputError, match="there is no folder"):
        mocap3d.solve_stages(tmp_path / "nowhere")
    with pytest.raises(mocap3d.InputError, match="holds no stages"):
        mocap3d.solve_stages(tmp_path)


def test_files_of_another_clip(folder, captured, tmp_path):
    """Catches a second person copied in from elsewhere, whom nobody would read, and a file that is too short."""
    shutil.copy(folder / f"{ONE}2d.csv", folder / "shot1-person2-2d.csv")
    with pytest.raises(mocap3d.InputError, match=r"person2-2d\.csv belongs to nobody"):
        mocap3d.solve_stages(folder)
    (folder / "shot1-person2-2d.csv").unlink()
    lines = (folder / f"{ONE}2d.csv").read_text().splitlines()
    (folder / f"{ONE}2d.csv").write_text("\n".join(lines[:-3]))
    with pytest.raises(mocap3d.FileFormatError, match="frame 61 is missing"):
        mocap3d.solve_stages(folder)


def test_nothing_is_kept_over_something_else(captured, folder, tmp_path):
    """Catches edited stages, or anybody's files, overwritten by another capture."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(mocap3d.InputError, match="holds stages already"):
        captured.save_stages(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "novel.txt").touch()
    with pytest.raises(mocap3d.InputError, match=r"novel\.txt"):
        captured.save_stages(tmp_path / "other")
    with pytest.raises(mocap3d.InputError, match="cannot keep stages"):
        captured.save_stages(tmp_path / "other" / "novel.txt")


@pytest.mark.parametrize(
    ("repair", "message"),
    [
        (Repair(what="not seen", start=30, stop=45), r"person 1 is in frames 40 to 63; 30:45 is no part"),
        (Repair(what="not seen", start=60, stop=65), r"60:65 is no part"),
        (Repair(what="not seen", start=50, stop=50), r"50:50 is no part"),
        (Repair(what="not seen", person=3), r"no person 3; there are 1"),
        (Repair(what="planted", points=("left_elbow",)), r"no left_elbow"),
    ],
)
def test_repairs_that_make_no_sense_change_nothing(folder, repair, message):
    """Catches a first repair that is made although the second cannot be."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(mocap3d.InputError, match=message):
        repair_stages(folder, [Repair(what="swap left and right", start=41, stop=43), repair])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_repairs_change_what_they_say(folder, kept):
    """Catches the wrong rows, the wrong joints, or a time read as a frame."""

    def table(where, name):
        title, *rows = (line.split(",") for line in (where / f"{ONE}{name}").read_text().splitlines())
        return title, rows

    said = []
    repairs = [
        Repair(what="swap left and right", start=45, stop="1.6s"),
        Repair(what="not seen", start=62),
        Repair(what="planted", start=50, stop=52, points=("right_heel",)),
        Repair(what="lifted", stop=41),
    ]
    repair_stages(folder, repairs, say=said.append)
    title, rows = table(folder, "2d.csv")
    _, before = table(kept, "2d.csv")
    left, right = title.index("left_knee.x_px"), title.index("right_knee.x_px")
    assert [row[left] for row in rows[5:8]] == [row[right] for row in before[5:8]]
    assert [row[right] for row in rows[5:8]] == [row[left] for row in before[5:8]]
    assert rows[:5] + rows[8:22] == before[:5] + before[8:22]
    assert [set(row[2:]) for row in rows[22:]] == [{""}, {""}]
    title, rows = table(folder, "contacts.csv")
    assert [row[title.index("right_heel")] for row in rows[10:12]] == ["1.000", "1.000"]
    assert rows[0][2:] == ["0.000"] * 4
    assert said[0] == f"{ONE}2d.csv: left and right swapped in frames 45 to 47"
    assert said[2] == f"{ONE}contacts.csv: right heel planted in frames 50 to 51"
