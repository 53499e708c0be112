"""The command line: what it writes, what it refuses, and how it says so."""

from __future__ import annotations

import contextlib
import importlib.abc
import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from videos import LENS, WALK, frames_of_the_walk, run, write_video

import mocap3d
from mocap3d.base.errors import InputError
from mocap3d.cli import app, main
from mocap3d.cli._capture import _DETECTORS
from mocap3d.cli._inputs import name_of
from mocap3d.cli._outputs import _without_mesh
from mocap3d.detect.networks import NETWORKS
from mocap3d.output.gltf import read_glb_character


def test_json_summary(tmp_path, capsys):
    """Catches words mixed into the machine-readable output."""
    out = tmp_path / "walk.bvh"
    code, printed, _ = run(capsys, "capture", WALK, "-o", out, "--camera", LENS, "--frames", "50:70", "--json")
    summary = json.loads(printed)
    assert code == 0
    assert summary["files"] == [str(out)]
    assert summary["people"][0]["frames"] == 20
    assert out.exists()


def test_a_batch_goes_on_after_a_failure(tmp_path, capsys):
    """Catches a folder of videos that stops at the first bad one, or hides that one failed."""
    folder, results = tmp_path / "videos", tmp_path / "results"
    folder.mkdir()
    (folder / "a_broken.mp4").write_bytes(b"not a video")
    write_video(folder / "b_walk.mp4", frames_of_the_walk(60, 64))
    code, printed, errors = run(capsys, "capture", folder, "-o", results)
    assert code == 1
    assert printed.split() == [str(results / "b_walk.bvh")]
    assert "a_broken.mp4" in errors
    assert "1 of 2 videos failed" in errors


@pytest.mark.parametrize(("output", "message"), [("walk.xyz", "extension"), ("no/such/folder/walk.bvh", "no folder")])
def test_output_is_checked_before_the_work(output, message, tmp_path, capsys):
    """Catches minutes of work thrown away because the result cannot be written."""
    code, _, errors = run(capsys, "capture", WALK, "-o", tmp_path / output)
    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.bvh", "--preset", "quake"], "no preset is called"),
        (["-o", "a.fbx", "-o", "a.vrma", "--preset", "mixamo"], "VRM animation needs"),
        (["-o", "a.vrma", "--together"], "one person"),
    ],
)
def test_formats_are_checked_before_the_work(arguments, message, tmp_path, capsys, monkeypatch):
    """Catches minutes of work thrown away because a format cannot carry what was asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mocap3d.pipeline.capture", lambda *_, **__: pytest.fail("the work has begun"))
    code, _, errors = run(capsys, "capture", WALK, *arguments)
    assert code == 1
    assert message in errors
    assert not list(tmp_path.iterdir())


def test_preset_and_mannequin(tmp_path, capsys):
    """Catches options of the command line that never reach the files."""
    files = [tmp_path / "a.bvh", tmp_path / "a.glb"]
    outputs = ["-o", files[0], "-o", files[1], "--preset", "mixamo", "--mesh"]
    code, _, errors = run(capsys, "capture", WALK, *outputs, "--camera", LENS, "--frames", "50:60")
    assert code == 0, errors
    for file in files:
        assert "mixamorig:LeftArm" in mocap3d.read(file).rig.skeleton.joint_names
    assert read_glb_character(files[1])[1] is not None


@pytest.mark.parametrize(
    "arguments", [["capture"], ["fly"], ["capture", WALK, "-o", "x.bvh", "--frames", "a:b"], ["capture", WALK]]
)
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    """Catches scripts that cannot tell a typo from a bad video."""
    assert run(capsys, *arguments)[0] == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--foot-lock", "hard"),
        ("--detector", "eyes"),
        ("--height", "0"),
        ("--height", "17"),
        ("--height", "tall"),
        ("--fov", "0.5"),
        ("--fov", "180"),
        ("--camera-tilt", "100"),
        ("--fps", "0"),
        ("--person", "0"),
        ("--root", "sideways"),
    ],
)
def test_a_choice_that_there_is_not(option, value, tmp_path, capsys, monkeypatch):
    """Catches wrong choices that a script takes for a bad video, and that are found out after the work."""
    monkeypatch.setattr("mocap3d.pipeline.capture", lambda *_, **__: pytest.fail("this is too late"))
    onto = ["--onto", "ue5"] if option == "--root" else []
    code, _, errors = run(capsys, "capture", WALK, "-o", tmp_path / "a.bvh", option, value, *onto)
    assert code == 2
    assert option in errors


@pytest.mark.parametrize(("value", "advice"), [("168", "metres, such as 1.68"), ("1,68", "write a point, 1.68")])
def test_a_height_in_another_notation(value, advice, tmp_path, capsys):
    """Catches "Input should be less than or equal to 3", which says nothing of metres."""
    code, _, errors = run(capsys, "capture", WALK, "-o", tmp_path / "a.bvh", "--height", value)
    assert code == 2
    assert advice in errors


def test_a_video_is_no_motion(tmp_path, capsys):
    """Catches a list of extensions for somebody who renders, views or converts a video without capturing it."""
    for command in (["render", WALK, "-o", tmp_path / "a.mp4"], ["view", WALK], ["convert", WALK, tmp_path / "a.glb"]):
        code, _, errors = run(capsys, *command)
        assert code == 1
        assert f"capture it first (`mocap3d capture {WALK} -o walk.bvh" in errors


def test_a_mesh_that_no_file_holds(tmp_path, capsys):
    """Catches --mesh that is ignored in silence."""
    look = {"mesh": True}
    (note,) = _without_mesh([Path("w.bvh")], look)
    assert ".bvh holds no mannequin" in note
    assert {".fbx,", ".glb,", ".usd,"} <= set(note.split())
    assert not list(_without_mesh([Path("w.bvh"), Path("w.glb")], look))
    assert not list(_without_mesh([Path("w.bvh")], {"mesh": False}))


def test_a_folder_that_is_no_video(tmp_path, capsys):
    """Catches "no images" told of a folder that should hold videos, and of one of stages."""
    code, _, errors = run(capsys, "capture", tmp_path, "-o", tmp_path / "a.bvh")
    assert code == 1
    assert "holds no videos (.3gp" in errors
    (tmp_path / "record.npz").touch()
    code, _, errors = run(capsys, "info", tmp_path)
    assert code == 1
    assert f"mocap3d solve {tmp_path}" in errors


def test_the_detectors_that_there_are():
    """Catches a network that the command line does not know."""
    assert set(_DETECTORS) == {name for name, side_px in NETWORKS.items() if side_px is not None}


def test_a_format_that_cannot_have_the_root(tmp_path, capsys, monkeypatch):
    """Catches minutes of work thrown away: in VRM animations the hips travel, not a root bone."""
    monkeypatch.setattr("mocap3d.pipeline.capture", lambda *_, **__: pytest.fail("this is too late"))
    code, _, errors = run(capsys, "capture", WALK, "-o", tmp_path / "a.vrma", "--onto", "vrm", "--root", "root")
    assert code == 1
    assert "needs hips as the root" in errors


def test_info(tmp_path, capsys):
    """Catches units or counts mixed up in what a user is told of a file."""
    code, printed, _ = run(capsys, "info", WALK, "--json")
    facts = json.loads(printed)
    assert code == 0
    assert facts["frames"] == 126
    assert facts["fps"] == 30
    assert run(capsys, "info", tmp_path / "missing.bvh")[0] == 1


def test_warnings_are_told_as_notes(tmp_path, capsys):
    """Catches a warning of a reader that shows users the place and the line of our code."""
    twice = tmp_path / "twice.bvh"
    tail = "OFFSET 0 1 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET 0 1 0 } }"
    root = "HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 3 Zrotation Xrotation Yrotation"
    twice.write_text(f"{root} JOINT b {{ {tail} JOINT b {{ {tail} }}\nMOTION\nFrames: 1\nFrame Time: 0.1\n{'0 ' * 9}\n")
    code, _, errors = run(capsys, "info", "--quick", twice)
    assert code == 0
    assert errors.startswith(f"note: {twice}: ")
    assert "renamed: b_2" in errors
    assert ".py" not in errors


def test_every_command_has_help():
    """Catches a command that fails to build its own help."""
    from typer.testing import CliRunner

    for command in (["capture"], ["demo"], ["info"], ["data", "prepare"], ["train", "lifter"]):
        assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0


# --- where results go -------------------------------------------------------------------------------------------------


@pytest.fixture
def no_work(monkeypatch):
    """The list of videos that were captured: capture itself is replaced, so that a test sees what came before it."""
    begun = []

    def capture(video, **_):
        begun.append(video)
        raise InputError("the work began")

    monkeypatch.setattr("mocap3d.pipeline.capture", capture)
    return begun


@pytest.mark.parametrize("names", [("a/dance.mp4", "b/dance.mp4"), ("x.mp4", "x.mov"), ("x.mp4", "x.mp4")])
def test_a_batch_does_not_overwrite_its_own_results(names, tmp_path, capsys, no_work):
    """Catches two videos of one name, of which only the last would be found in the folder."""
    videos = [tmp_path / name for name in names]
    code, _, errors = run(capsys, "capture", *videos, "-o", tmp_path / "results")
    assert (code, no_work) == (1, [])
    assert all(str(video) in errors for video in videos)
    assert not (tmp_path / "results").exists()


def test_a_batch_does_not_overwrite_the_shots_of_another_video(tmp_path, capsys):
    """Catches walk.mp4 of two shots and walk-shot2.mp4 that both end up in walk-shot2.bvh."""
    there, back = frames_of_the_walk(40, 50), [picture[:, ::-1] for picture in frames_of_the_walk(90, 100)]
    first = write_video(tmp_path / "walk.mp4", there + back)
    second = write_video(tmp_path / "walk-shot2.mp4", there[:4])
    code, printed, errors = run(capsys, "capture", first, second, "-o", tmp_path / "results")
    assert code == 1
    assert [Path(line).name for line in printed.split()] == ["walk-shot1.bvh", "walk-shot2.bvh"]
    assert len(mocap3d.read(tmp_path / "results" / "walk-shot2.bvh")) == 10
    assert "another video" in errors


def test_a_batch_writes_one_report_each(tmp_path, capsys):
    """Catches a report that the next video of the batch overwrites."""
    pictures = frames_of_the_walk(60, 63)
    videos = [write_video(tmp_path / name, pictures) for name in ("a.mp4", "b.mp4")]
    code, *_ = run(capsys, "capture", *videos, "-o", tmp_path / "new.v3", "--report", tmp_path / "pages")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "new.v3").iterdir()) == ["a.bvh", "b.bvh"]
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["a.html", "b.html"]


@pytest.mark.parametrize("arguments", [("-o", "all.bvh"), ("-o", "results", "--report", "all.html")])
def test_one_file_for_a_batch_is_wrong_usage(arguments, tmp_path, capsys, monkeypatch, no_work):
    """Catches all results of a batch sent to one file."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "capture", "a.mp4", "b.mp4", *arguments)[0] == 2
    assert (no_work, list(tmp_path.iterdir())) == ([], [])


def test_a_folder_with_one_video_is_a_batch(tmp_path, capsys, no_work):
    """Catches a script whose results change their form with the number of videos that it finds."""
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "a.mp4").touch()
    (tmp_path / "takes" / "._a.mp4").touch()  # left behind by a Mac
    code, printed, _ = run(capsys, "capture", tmp_path / "takes", "-o", tmp_path / "new.v3", "--json")
    assert code == 1
    assert [Path(row["source"]).name for row in json.loads(printed)] == ["a.mp4"]
    assert (tmp_path / "new.v3").is_dir()


def test_an_unknown_extension_of_one_file_is_refused(tmp_path, capsys, no_work):
    """Catches a typo in the extension that makes a folder, which only a batch may mean."""
    code, _, errors = run(capsys, "capture", WALK, "-o", tmp_path / "new.v3")
    assert (code, no_work) == (1, [])
    assert ".bvh" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("capture", WALK, "-o", "plain"),
        ("capture", WALK, "-o", "plain/sub"),
        ("capture", WALK, "-o", "plain/x.bvh"),
        ("capture", WALK, "-o", "x" * 300 + ".bvh"),
        ("capture", WALK, "-o", "/proc/x.bvh"),
        ("capture", WALK, "-o", "x.bvh", "--report", "nofolder/r.html"),
        ("capture", WALK, "-o", "x.bvh", "--report", "."),
        ("capture", WALK, "-o", "x.bvh", "--report", "x.bvh"),
        ("capture", WALK, WALK.with_name("b.mp4"), "-o", ".", "--report", "plain"),
        ("capture", "y" * 300, "-o", "x.bvh"),
        ("demo", "-o", "plain"),
        ("demo", "-o", "/proc/x"),
        ("data", "prepare", "cmu", "--source", ".", "-o", "nofolder/x.h5"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments))[-30:],
)
def test_what_cannot_be_written_is_told_before_the_work(arguments, tmp_path, capsys, monkeypatch, no_work):
    """Catches a traceback, and minutes of work whose result has no place."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("a file, not a folder")
    code, _, errors = run(capsys, *arguments)
    assert (code, no_work) == (1, [])
    assert errors.startswith("error: cannot") or "overwrite" in errors
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_a_folder_of_images_keeps_its_whole_name(tmp_path, capsys, monkeypatch, no_work):
    """Catches results called `.bvh` for the folder `.`, and take.1 mixed up with take.2 for their `extensions`."""
    folders = [tmp_path / "take.1", tmp_path / "take.2"]
    for folder in folders:
        folder.mkdir()
    run(capsys, "capture", *folders, "-o", tmp_path / "results")
    assert no_work == folders
    monkeypatch.chdir(folders[0])
    assert [name_of(Path(name)) for name in (".", "../take.2", "a/walk.mp4")] == ["take.1", "take.2", "walk"]


# --- what else goes wrong ---------------------------------------------------------------------------------------------


def test_info_of_a_folder_of_images(tmp_path, capsys):
    """Catches a question for a frame rate by a command that cannot be told one."""
    for number in range(3):
        pixels = np.zeros((20, 30, 3), np.uint8)
        (tmp_path / f"{number}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    code, printed, _ = run(capsys, "info", tmp_path, "--json")
    assert code == 0
    assert json.loads(printed) == {"file": str(tmp_path), "kind": "images", "size": "30 x 20 px", "frames": 3}


@pytest.mark.parametrize(("missing", "extra"), [("torch", True), ("torch.nn", True), ("h5py", False)])
def test_only_a_missing_torch_asks_for_torch(missing, extra, tmp_path, capsys, monkeypatch):
    """Catches "install torch" as the answer to another package that is missing."""

    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name == "mocap3d.train.lifter":
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.delitem(sys.modules, "mocap3d.train.lifter", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    arguments = ("train", "lifter", tmp_path / "x.h5", "-o", tmp_path / "run")
    if extra:
        code, _, errors = run(capsys, *arguments)
        assert code == 1
        assert "pip install 'mocap3d[train]'" in errors
    else:
        with pytest.raises(ModuleNotFoundError, match=missing):
            run(capsys, *arguments)


def test_one_lens_for_a_batch(capsys, tmp_path, monkeypatch):
    """Catches a camera file that only the first video of a batch is captured with."""
    lenses = []

    def capture(video, *, cameras, **_):
        lenses.append(cameras)
        raise InputError("enough")

    monkeypatch.setattr("mocap3d.pipeline.capture", capture)
    run(capsys, "capture", "a.mp4", "b.mp4", "-o", tmp_path, "--camera", LENS)
    assert lenses == [LENS, LENS]


def test_ctrl_c(tmp_path):
    """Catches a traceback, another exit code than the shell's, and results lost that were finished before."""
    write_video(tmp_path / "a.mp4", frames_of_the_walk(60, 63))
    # A shell that starts the tests in the background has Ctrl-C ignored, which programs inherit.
    code = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); import mocap3d.cli; mocap3d.cli.main()"
    command = [sys.executable, "-c", code, "capture", tmp_path / "a.mp4", WALK, "-o", tmp_path / "results"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()  # comes when the first result is there; the second takes seconds
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (130, "", "interrupted\n")
    assert first.strip() == str(tmp_path / "results" / "a.bvh")
    assert len(mocap3d.read(first.strip())) == 3
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["a.bvh"]


@pytest.mark.parametrize(("ctrl_c", "code"), [(True, 130), (False, None)])
def test_ctrl_c_that_a_package_swallows(monkeypatch, capsys, ctrl_c, code):
    """Catches a traceback when Ctrl-C comes while trimesh is imported, and a bug that is told as an interruption."""

    def command(*_, **__):
        if ctrl_c:
            with contextlib.suppress(BaseException):  # as trimesh does
                signal.raise_signal(signal.SIGINT)
        raise AttributeError("a package that is not whole")

    monkeypatch.setattr("mocap3d.cli.app", command)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit if ctrl_c else AttributeError) as ended:
            main()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert getattr(ended.value, "code", None) == code
    assert capsys.readouterr().err == ("interrupted\n" if ctrl_c else "")
