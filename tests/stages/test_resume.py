"""Solving again from changed files: what changes, what stays to the last bit, what is said."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

import mocap3d
from mocap3d import solving
from mocap3d.base.skeletons import HUMANOID_22
from mocap3d.stages import resume
from mocap3d.stages.repairs import Repair, repair_stages

ONE = "shot1-person1-"


def bytes_in(folder):
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def column(path, name):
    """The numbers of one column."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        return np.array([float(row[name] or "nan") for row in csv.DictReader(file)])


def replace_line(path, key, value):
    """Set one key of a TOML file."""
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{key} = {value}" if line.startswith(f"{key} ") else line for line in lines))


def place_m(motion, joint):
    """Where a joint is, (T, 3)."""
    return mocap3d.forward(motion)[0][:, HUMANOID_22.index(joint)]


def test_unchanged_is_the_capture_to_the_last_bit(folder, captured, solved, same_motion):
    """Catches numbers that lose digits on the way through the files, and a solve without need."""
    before = bytes_in(folder)
    clip, said = solved(folder)
    assert same_motion(clip.motion, captured.motion)
    for name in ("pose2d", "pose3d"):
        now, then = (getattr(one.performances[0], name) for one in (clip, captured))
        assert now.confidence.tobytes() == then.confidence.tobytes()
    assert clip.performances[0].pose3d.xyz_m.tobytes() == captured.performances[0].pose3d.xyz_m.tobytes()
    assert clip.performances[0].pose2d.xy_px.tobytes() == captured.performances[0].pose2d.xy_px.tobytes()
    assert np.array_equal(clip.cameras[0].cam_from_world, captured.cameras[0].cam_from_world)
    assert clip.summary() == captured.summary()
    assert said == ["nothing has changed: the motion is as it was"]
    assert bytes_in(folder) == before


def test_a_spreadsheet_that_writes_everything_anew_changes_nothing(folder, captured, solved, same_motion):
    """Catches CRLF, a byte-order mark, quotes or another number of digits taken for an edit."""
    for name in ("2d.csv", "3d.csv", "contacts.csv"):
        path = folder / f"{ONE}{name}"
        with open(path, newline="", encoding="utf-8") as file:
            title, *rows = csv.reader(file)
        other_digits = [[repr(float(cell)) if cell else "" for cell in row] for row in reversed(rows)]
        with open(path, "w", newline="", encoding="utf-8-sig") as file:
            table = [title, *other_digits]
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([[*row, "", ""] for row in [*table, [""] * len(title)]])
    for path in folder.glob("*.toml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    clip, said = solved(folder)
    assert said == ["nothing has changed: the motion is as it was"]
    assert same_motion(clip.motion, captured.motion)


def test_a_swap_repaired_gives_back_the_clip(captured, tmp_path, solved):
    """Catches a swap of the wrong joints or frames: what a detector confused must come out as if it had not."""
    (one,) = captured.performances
    xy_px, confidence = one.pose2d.xy_px.copy(), one.pose2d.confidence.copy()
    other = [one.pose2d.skeleton.joint_names.index(mirrored(name)) for name in one.pose2d.skeleton.joint_names]
    xy_px[8:14], confidence[8:14] = xy_px[8:14, other], confidence[8:14, other]
    confused = replace(
        captured, performances=(replace(one, pose2d=replace(one.pose2d, xy_px=xy_px, confidence=confidence)),)
    )
    confused.save_stages(tmp_path / "walk")
    (tmp_path / "walk" / "settings.toml").write_text(
        "height_m = 1.6500001\nfoot_lock = 'auto'\n"
    )  # lift what was made up
    bad, _ = solved(tmp_path / "walk")
    repair_stages(tmp_path / "walk", [Repair(what="swap left and right", start=48, stop=54)])
    good, said = solved(tmp_path / "walk")
    assert "person 1: 2D changed in frames 48 to 53: lifting again" in said
    error = {
        name: np.abs(mocap3d.forward(clip.motion)[0] - mocap3d.forward(captured.motion)[0]).max()
        for name, clip in (("bad", bad), ("good", good))
    }
    assert error["good"] < 1e-5 < 0.05 < error["bad"]


def mirrored(name):
    """The joint on the other side, by its name."""
    sides = {"left": "right", "right": "left"}
    side, _, rest = name.partition("_")
    return f"{sides[side]}_{rest}" if side in sides else name


def test_a_frame_whose_numbers_are_deleted_was_not_seen(folder, captured, solved, cells):
    """Catches an empty cell read as 0, and a gap that is not bridged as capture bridges it."""
    names = [f"{joint}.{part}" for joint in captured.performances[0].pose2d.skeleton.joint_names for part in XYC]
    cells(folder / f"{ONE}2d.csv", {(row, name): "" for row in (10, 11) for name in names})
    clip, said = solved(folder)
    pose = clip.performances[0].pose2d
    assert (pose.confidence[10:12] == 0).all()
    between = (captured.performances[0].pose2d.xy_px[9] * 2 + captured.performances[0].pose2d.xy_px[12]) / 3
    np.testing.assert_allclose(pose.xy_px[10], between, atol=0.02)
    assert said[0] == "person 1: 2D changed in frames 50 to 51: lifting again"
    assert np.abs(place_m(clip.motion, "hips") - place_m(captured.motion, "hips")).max() < 0.1
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]


XYC = ("x_px", "y_px", "confidence")


def test_a_joint_that_is_moved_in_space_moves_the_motion(folder, captured, solved, cells):
    """Catches an edit that is read and not used, or that leaks into frames far away."""
    path = folder / f"{ONE}3d.csv"
    y_m = column(path, "left_wrist.y_m")
    cells(path, {(row, "left_wrist.y_m"): f"{y_m[row] + 0.25:.4f}" for row in range(14, 20)})
    clip, said = solved(folder)
    assert said[0] == "person 1: 3D changed in frames 54 to 59: solving again"
    higher = (place_m(clip.motion, "leftHand") - place_m(captured.motion, "leftHand"))[:, 1]
    assert higher[15:19].min() > 0.1
    assert np.abs(higher[:6]).max() < 0.04
    assert column(path, "left_wrist.y_m")[14] == pytest.approx(y_m[14] + 0.25, abs=1e-4)
    assert np.array_equal(clip.performances[0].pose2d.xy_px, captured.performances[0].pose2d.xy_px)


def test_contacts_that_are_given_stay(folder, solved, cells, kept):
    """Catches contacts found anew over those of the animator, now or when something else is changed later."""
    path = folder / f"{ONE}contacts.csv"
    cells(path, {(row, name): "1" for row in range(5, 9) for name in ("left_heel", "right_toe")})
    edited = path.read_bytes()
    clip, said = solved(folder)
    assert said[0].startswith("person 1: contacts changed in ")
    assert f"{ONE}contacts.csv is as it was set by hand" in said
    assert (clip.motion.contacts[5:9, [0, 3]] == 1).all()
    for name in ("2d.csv", "3d.csv"):
        assert (folder / f"{ONE}{name}").read_bytes() == (kept / f"{ONE}{name}").read_bytes()
    cells(folder / f"{ONE}2d.csv", {(3, f"nose.{part}"): "" for part in XYC})
    clip, said = solved(folder)
    assert (clip.motion.contacts[5:9, [0, 3]] == 1).all()
    assert path.read_bytes() == edited
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]
    path.unlink()
    clip, said = solved(folder)
    assert said[0] == "person 1: contacts are gone: solving again to find them"
    assert path.exists()


def test_what_the_lifter_says_of_contacts_is_kept(folder, captured, solved, cells, monkeypatch):
    """Catches contacts that are found without the network's own, once somebody is solved again from the files."""
    heard = []

    def solve_person(one, wanted):
        heard.append(one.hint)
        return solving.solve_person(one, wanted)

    monkeypatch.setattr(resume, "solve_person", solve_person)
    cells(folder / f"{ONE}3d.csv", {(4, "face.x_m"): "0.5"})
    clip, _ = solved(folder)
    said = captured.performances[0].lifted_contacts
    assert said.shape == (24, 4)
    np.testing.assert_array_equal(heard, [said])
    np.testing.assert_array_equal(clip.performances[0].lifted_contacts, said)


def test_3d_that_was_changed_by_hand_is_not_lost(folder, solved, cells):
    """Catches an hour of work that is overwritten in silence because a number before it was changed."""
    path = folder / f"{ONE}3d.csv"
    cells(path, {(4, "face.x_m"): "0.5"})
    solved(folder)
    work = path.read_bytes()
    cells(folder / f"{ONE}2d.csv", {(3, "nose.confidence"): "0.1"})
    _, said = solved(folder)
    backup = folder / f"{ONE}3d.edited.csv"
    assert backup.read_bytes() == work
    assert any(backup.name in line for line in said)
    cells(path, {(4, "face.x_m"): "0.5"})
    solved(folder)
    cells(folder / f"{ONE}2d.csv", {(3, "nose.confidence"): "0.2"})
    solved(folder)
    assert (folder / f"{ONE}3d.edited-2.csv").exists()
    assert backup.read_bytes() == work


def test_joints_typed_in_are_sure(folder, solved, cells):
    """Catches a joint that somebody has placed and that counts for nothing because its confidence is empty."""
    cells(folder / f"{ONE}2d.csv", {(6, "nose.x_px"): "700", (6, "nose.y_px"): "120", (6, "nose.confidence"): ""})
    cells(folder / f"{ONE}3d.csv", {(6, "face.confidence"): "", (6, "face.std_m"): ""})
    clip, said = solved(folder)
    pose = clip.performances[0].pose2d
    assert pose.confidence[6, pose.skeleton.index("nose")] == 1
    assert pose.xy_px[6, pose.skeleton.index("nose")].tolist() == [700, 120]
    assert column(folder / f"{ONE}2d.csv", "nose.confidence")[6] == 1
    assert f"{ONE}2d.csv: how sure the joints are that were placed by hand is filled in" in said
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]


def test_a_joint_moved_or_half_deleted_is_changed_once(folder, solved, cells):
    """Catches an edit whose confidence is believed in the first solve and taken back by the next."""
    cells(folder / f"{ONE}2d.csv", {(6, "nose.x_px"): "700", (8, "left_ear.x_px"): "", (8, "left_ear.y_px"): ""})
    pose = solved(folder)[0].performances[0].pose2d
    assert pose.confidence[6, pose.skeleton.index("nose")] == 1
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]
    cells(folder / f"{ONE}3d.csv", {(6, "face.x_m"): "0.123456", (8, "left_toe.confidence"): ""})
    clip, said = solved(folder)
    pose = clip.performances[0].pose3d
    face = 6, pose.skeleton.index("face")
    assert (pose.xyz_m[face][0], pose.confidence[face], pose.std_m[face]) == (0.123456, 1, 0.01)
    assert f"{ONE}3d.csv: how sure the joints are that were placed by hand is filled in" in said
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]


def test_settings_and_lens_lift_everybody_again(folder, captured, solved):
    """Catches a stature or a focal length that is read and has no effect."""
    settings = folder / "settings.toml"
    settings.write_text(settings.read_text().replace("height_m = 1.65", "height_m = 1.98"))
    clip, said = solved(folder)
    assert said[0] == "height_m changed from 1.65 to 1.98: lifting everybody again"
    ratio = clip.motion.rig.bone_lengths_m.sum() / captured.motion.rig.bone_lengths_m.sum()
    assert ratio == pytest.approx(1.2, rel=0.02)
    assert (clip.settings["height_m"], clip.settings["height"]) == (1.98, "given")
    lens = folder / "camera.toml"
    lens.write_text(lens.read_text().replace("2520.0897058227038", "1260.0"))
    distance = np.linalg.norm(clip.cameras[0].world_from_cam[:3, 3])
    clip, said = solved(folder)
    assert said[0] == "the lens changed: lifting everybody again"
    assert np.linalg.norm(clip.cameras[0].world_from_cam[:3, 3]) == pytest.approx(distance / 2, rel=0.1)


def test_the_ground_moves_everybody(folder, captured, solved):
    """Catches a floor that is moved for the camera and not for the people, or that the soles pull back."""
    path = folder / "shot1-ground.toml"
    x, y, z = captured.grounds[0].world_from_cam[:3, 3]
    lines = [
        f"camera_m = [{x + 1}, {y + 0.2}, {z}]" if "camera_m" in line else line for line in path.read_text().split("\n")
    ]
    path.write_text("\n".join(lines))
    clip, said = solved(folder)
    assert said[0] == "the ground changed: everybody moves with the camera; solving again"
    # Feet within 2 cm of y = 0 are put on it; here they stand on a level of their own instead.
    np.testing.assert_allclose(clip.motion.root_m - captured.motion.root_m, [[1, 0.2, 0]] * 24, atol=0.03)
    moved = clip.performances[0].pose3d.xyz_m - captured.performances[0].pose3d.xyz_m
    np.testing.assert_allclose(moved, np.broadcast_to([1, 0.2, 0], moved.shape), atol=1e-9)
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]


def test_a_ground_is_turned_as_it_says(folder, captured, solved):
    """Catches tilt and roll exchanged, or turned the other way: a level camera sees +Y of the world as up."""
    path = folder / "shot1-ground.toml"
    keys = {"camera_m": "[0.0, 1.5, 4.0]", "tilt_deg": "10.0", "roll_deg": "0.0"}
    path.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
    clip, _ = solved(folder)
    world_from_cam = clip.cameras[0].world_from_cam
    np.testing.assert_allclose(world_from_cam[:3, 3], [0, 1.5, 4.0], atol=1e-9)
    forward = world_from_cam[:3, 2]  # looks along -Z and down
    np.testing.assert_allclose(forward, [0, -np.sin(np.radians(10)), -np.cos(np.radians(10))], atol=1e-9)
    np.testing.assert_allclose(world_from_cam[:3, 0], [1, 0, 0], atol=1e-9)


def test_the_body_may_be_given(folder, solved):
    """Catches a body that is measured again over the one that was typed in, also an unequal one."""
    path = folder / f"{ONE}body.toml"
    lines = [
        "leftLowerLeg = [0.0, -0.45, 0.0]" if "leftLowerLeg" in line else line for line in path.read_text().split("\n")
    ]
    path.write_text("\n".join(lines))
    clip, said = solved(folder)
    assert said[0] == "person 1: the body changed: solving again"
    lengths = clip.motion.rig.bone_lengths_m
    assert lengths[HUMANOID_22.index("leftLowerLeg")] == pytest.approx(0.45)
    assert lengths[HUMANOID_22.index("rightLowerLeg")] != pytest.approx(0.45)
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]


def test_the_other_person_stays_to_the_last_bit(two_people, tmp_path, solved, cells, same_motion):
    """Catches everybody solved anew, and one person's files written for another, when one of two is repaired."""
    two_people.save_stages(tmp_path / "duo")
    cells(tmp_path / "duo" / "shot1-person2-contacts.csv", {(3, "right_heel"): "1"})
    clip, said = solved(tmp_path / "duo")
    assert said[0] == "person 2: contacts changed in frame 43: solving again"
    assert same_motion(clip.performances[0].motion, two_people.performances[0].motion)
    assert clip.performances[1].motion.contacts[3, 2] == 1
    assert [one.person for one in clip.performances] == [1, 2]


def test_people_of_a_shot_share_its_floor(two_people, tmp_path, solved, cells):
    """Catches 3D that was set by hand and stays behind when another person's 2D moves the world."""
    folder = tmp_path / "duo"
    two_people.save_stages(folder)
    cells(folder / "shot1-person1-3d.csv", {(3, "face.x_m"): "0.75"})
    cells(folder / "shot1-person2-2d.csv", {(3, f"nose.{part}"): "" for part in XYC})
    clip, said = solved(folder)
    assert "people of shot 1 share its floor: all of them are lifted again" in said
    assert "shot1-person1-3d.csv is as it was set by hand, moved with the world" in said
    new_from_old = clip.grounds[0].world_from_cam @ np.linalg.inv(two_people.grounds[0].world_from_cam)
    face = two_people.performances[0].pose3d.xyz_m[3, two_people.performances[0].pose3d.skeleton.index("face")]
    expected = new_from_old @ [0.75, face[1], face[2], 1.0]
    found = clip.performances[0].pose3d.xyz_m[3, clip.performances[0].pose3d.skeleton.index("face")]
    np.testing.assert_allclose(found, expected[:3], atol=1e-4)
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]


def test_an_interrupted_solve_changes_nothing(folder, cells, monkeypatch):
    """Catches half of the files rewritten by a solve that was stopped."""
    cells(folder / f"{ONE}2d.csv", {(3, "nose.confidence"): "0.1"})
    before = bytes_in(folder)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mocap3d.stages.resume.perform", interrupted)
        with pytest.raises(KeyboardInterrupt):
            mocap3d.solve_stages(folder)
    assert bytes_in(folder) == before


def test_an_interruption_among_the_files_waits_for_them(folder, cells, monkeypatch, solved):
    """Catches new 3D beside an old record, which would then be taken for a change by hand."""
    from pathlib import Path

    cells(folder / f"{ONE}2d.csv", {(3, "nose.confidence"): "0.1"})
    genuine, calls = Path.replace, []

    def interrupted(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return genuine(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            mocap3d.solve_stages(folder)
    assert solved(folder)[1] == ["nothing has changed: the motion is as it was"]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_solved_changes_nothing(folder, solved):
    """Catches files rewritten, or a bad file forgotten, when nothing is left of a person."""
    path = folder / f"{ONE}2d.csv"
    title, *rows = path.read_text().splitlines()
    path.write_text("\n".join([title, *(",".join(row.split(",")[:2]) + "," * 51 for row in rows)]))
    before = bytes_in(folder)
    with pytest.raises(mocap3d.InputError, match="no joint was seen"):
        solved(folder)
    assert bytes_in(folder) == before


def test_a_shot_without_people(captured, tmp_path, solved, same_motion):
    """Catches shots, grounds and cameras counted apart when one shot shows nobody, and its camera lost."""
    lens = replace(captured.cameras[0], cam_from_world=np.eye(4))
    two = replace(
        captured,
        shots=(mocap3d.Shot(start=30, stop=40), *captured.shots),
        cameras=(lens, *captured.cameras),
        grounds=(None, *captured.grounds),
        performances=(replace(captured.performances[0], shot=1),),
    )
    two.save_stages(tmp_path / "two")
    assert not (tmp_path / "two" / "shot1-ground.toml").exists()
    clip, said = solved(tmp_path / "two")
    assert said == ["nothing has changed: the motion is as it was"]
    assert same_motion(clip.motion, captured.motion)
    assert clip.grounds[0] is None
    settings = tmp_path / "two" / "settings.toml"
    settings.write_text(settings.read_text().replace('"auto"', '"off"'))
    clip, said = solved(tmp_path / "two")
    assert said[0] == "foot_lock changed to off: solving everybody again"
    assert clip.settings["foot_lock"] == "off"
    assert not same_motion(clip.motion, captured.motion)
    assert solved(tmp_path / "two")[1] == ["nothing has changed: the motion is as it was"]
