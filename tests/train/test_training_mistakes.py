"""What can go wrong on the command line of training and evaluation: one line that explains it, and nothing left."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
import walker
from bodies import motion_file, small_training
from mocap3d.data_prep.motion_file import MotionSequence, MotionWriter

from mocap3d import cli
from mocap3d.base.camera import Camera
from mocap3d.base.errors import FileFormatError, InputError
from mocap3d.base.projection import project
from mocap3d.base.skeletons import HUMAN36M_17, LIFTER_20
from mocap3d.train.lifter import train_lifter
from mocap3d.train.lifter_log import keep_rows, read_rows
from mocap3d.train.lifter_run import settings_of
from mocap3d.train.semi_supervised import semi_supervised_settings_of, train_semi_supervised
from mocap3d.train.semi_supervised_settings import SemiSupervisedSettings

LIFTER = "train lifter m.h5 -o out --subjects 01 --held-out 02 --steps 2 --window 9 --channels 8 --workers 0"
SEMI = "train semi-supervised views.h5 -o out --labelled S9 --unlabelled S11 --held-out S1 --steps 2 --channels 8"
EVALUATE = "evaluate lifter --data views.h5 --subjects S9 -o out"
SEMI_SETTINGS = SemiSupervisedSettings(
    labelled=("S9",), unlabelled=(), held_out=("S11",), channels=8, dilations=(1, 3), steps=2, clips=4, outputs=3
)


def views_file(path):
    """Three walkers, each seen by one camera."""
    with MotionWriter(path) as writer:
        for subject in ("S1", "S9", "S11"):
            xyz_m = walker.walk(seconds=1.0, fps=50)[0].astype(np.float32)
            pose = np.diag([-1.0, -1, 1, 1])
            pose[:3, 3] = xyz_m[:, 0].mean(axis=0) * [1, 1, -1] + [0, 0, 5]
            camera = replace(Camera.from_fov("front", (1280, 720), 60), cam_from_world=pose)
            writer.add(MotionSequence.seen(subject, "walking_1", xyz_m, Fraction(50), LIFTER_20, "CC0-1.0"))
            writer.add_camera(subject, camera)
            xy_px, seen = project(camera, xyz_m[:, :17].astype(np.float64))
            writer.add_view(subject, "walking_1", "front", "true", xy_px, seen.astype(np.float64), HUMAN36M_17)
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Data, and one finished run of each kind."""
    folder = tmp_path_factory.mktemp("kept")
    data = motion_file(folder / "m.h5")
    views = views_file(folder / "views.h5")
    train_lifter(data, small_training(steps=2), folder / "run", workers=0)
    train_semi_supervised(views, SEMI_SETTINGS, folder / "semi")
    return folder


@pytest.fixture
def desk(kept, tmp_path, monkeypatch):
    """A folder of one's own with all of it."""
    shutil.copytree(kept, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def complaint(monkeypatch, capsys):
    """Runs a command that must fail; gives the one line that it complained in."""

    def once(*words):
        monkeypatch.setattr("sys.argv", ["mocap3d", *words])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        printed = capsys.readouterr()
        assert leaving.value.code == 1, printed.err
        assert not printed.out
        (line,) = printed.err.splitlines()
        return line

    return once


CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (LIFTER, ("--batch", "0"), "batch must be a whole number of at least 2"),
        (LIFTER, ("--batch", "1", "--window", "1"), "batch must be"),
        (LIFTER, ("--batch", "-4"), "batch must be"),
        (LIFTER, ("--channels", "0"), "channels must be"),
        (LIFTER, ("--workers", "-1"), "workers must be 0 or more"),
        (LIFTER, ("--subjects", ""), "at least one subject"),
        (LIFTER, ("--held-out", " "), "at least one subject"),
        (LIFTER, ("--subjects", "77"), "lacks the subjects 77"),
        (LIFTER, ("--subjects", "135"), "reserved"),
        (LIFTER, ("--device", "foo"), "cpu, cuda"),
        (LIFTER, ("--device", "meta"), "cpu, cuda"),
        pytest.param(LIFTER, ("--device", "cuda"), "no CUDA device", marks=CUDA),
        (LIFTER.replace("--steps 2", "--minutes nan"), (), "nothing can be trained"),
        (LIFTER.replace("--steps 2", "--minutes inf"), (), "nothing can be trained"),
        (LIFTER.replace("m.h5", "run/lifter.npz"), (), "lifter.npz"),
        (SEMI, ("--steps", "0"), "steps must be"),
        (SEMI, ("--channels", "0"), "channels must be"),
        (SEMI, ("--labelled", ""), "at least one labelled"),
        (SEMI, ("--labelled", "09"), "reserved"),
        (SEMI, ("--unlabelled", "127,S11"), "reserved"),
        (SEMI, ("--held-out", "49"), "reserved"),
        (SEMI, ("--device", "foo"), "cpu, cuda"),
        pytest.param(SEMI, ("--device", "cuda"), "no CUDA device", marks=CUDA),
        (SEMI, ("--resume",), "leave out --labelled, --unlabelled, --held-out, --steps, --channels"),
        ("train semi-supervised views.h5 -o out --resume", (), "there is no"),
        (EVALUATE, ("--device", "foo"), "cpu, cuda"),
        pytest.param(EVALUATE, ("--device", "cuda"), "no CUDA device", marks=CUDA),
        (EVALUATE, ("--subjects", " "), "one or more"),
        ("train export m.h5 nowhere -o out", (), "there is no"),
    ],
)
def test_what_cannot_be_done_is_one_line(desk, complaint, command, words, said):
    """Catches a traceback, an "Aborted!", an untrained file that passes for a trained one, and a folder left behind."""
    assert said in complaint(*command.split(), *words)
    assert not (desk / "out").exists()
    assert not (desk / "out.part").exists()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_at_the_start(path):
    path.write_bytes(path.read_bytes()[:500])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("hello\n")


def table(path):
    path.write_text("step,foo\n1,2\n")


def of_something_else(path):
    torch.save({"a": 1}, path)


def a_tensor(path):
    torch.save(torch.zeros(3), path)


def of_the_other_kind(path):
    other = {"run": "semi", "semi": "run"}[path.parent.name]
    shutil.copy(path.parents[1] / other / path.name, path)


def with_strange_settings(path):
    state = torch.load(path, weights_only=True)
    torch.save({**state, "settings": {"a": 1}}, path)


def with_other_weights(path):
    state = torch.load(path, weights_only=True)
    weights = {"a": torch.zeros(2)}
    torch.save({**state, **dict.fromkeys(("average", "pose"), weights)}, path)


def without_a_step(path):
    state = torch.load(path, weights_only=True)
    torch.save({**state, "step": "many"}, path)


@pytest.mark.parametrize(
    "damage",
    [cut, cut_at_the_start, empty, text, table, of_something_else, a_tensor, of_the_other_kind, with_strange_settings,
     with_other_weights, without_a_step],
)  # fmt: skip
@pytest.mark.parametrize(
    "command",
    [
        "train lifter m.h5 -o run --resume --workers 0",
        "train export m.h5 run -o out",
        "train semi-supervised views.h5 -o semi --resume",
    ],
)
def test_damaged_checkpoints_are_one_line(desk, complaint, command, damage):
    """Catches torch's own errors, of which one advises to run what is in the file."""
    checkpoint = desk / ("semi" if "semi" in command else "run") / "checkpoint.pt"
    damage(checkpoint)
    line = complaint(*command.split())
    assert line.startswith(f"error: {checkpoint.relative_to(desk)}: ")
    assert "weights_only" not in line
    assert not (desk / "out").exists()


@pytest.mark.parametrize(
    "log", ["step,foo\nx,y\n", "step,foo\n1,2\n", "hello\nworld\nand all\n", "\xff\x00\x81", "foo\n\n1\n2\n"]
)
@pytest.mark.parametrize("run", ["run", "semi"])
def test_damaged_logs_are_one_line(desk, complaint, run, log):
    """Catches a training that goes on for two minutes before it stumbles over its own log."""
    (desk / run / "log.csv").write_text(log, encoding="latin-1")
    command = {"run": "train lifter m.h5 -o run --resume --workers 0",
               "semi": "train semi-supervised views.h5 -o semi --resume"}  # fmt: skip
    line = complaint(*command[run].split())
    assert line.startswith(f"error: {run}/log.csv: ")
    assert "move it away" in line


def test_a_row_that_was_cut_off_is_written_again(tmp_path):
    """Catches a log that a crash has left without its last numbers, and a next row appended to half a one."""
    log = tmp_path / "log.csv"
    log.write_text("step,a_mm\n2,1.5\n4")
    keep_rows(log, 2, ("step", "a_mm"))
    assert log.read_text().splitlines() == ["step,a_mm", "2,1.5"]
    assert read_rows(log) == [{"step": "2", "a_mm": "1.5"}]


def test_checkpoints_say_how_they_were_made(desk):
    """Catches a reader of checkpoints that refuses them all."""
    assert settings_of(desk / "run" / "checkpoint.pt") == small_training(steps=2)
    assert semi_supervised_settings_of(desk / "semi" / "checkpoint.pt") == SEMI_SETTINGS
    with pytest.raises(InputError, match="there is no"):
        settings_of(desk / "nowhere.pt")
    with pytest.raises(FileFormatError, match="lacks average, elapsed_s, model"):
        settings_of(desk / "semi" / "checkpoint.pt")


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 8.5}, {"clips_per_step": 0}, {"pool_steps": 0}, {"warm_up": 0}, {"clip_frames": 0}, {"seed": -1},
        {"dilations": ()}, {"dilations": (1, 2)}, {"dilations": (-1,)}, {"dropout": 1.0}, {"average": 1.1},
        {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"clip_norm": 0.0}, {"weight_decay": -0.1},
        {"momentum": (0.0, 0.1)}, {"short_windows": 1.5}, {"minutes": None, "steps": -1},
    ],
)  # fmt: skip
def test_settings_that_nothing_can_be_trained_with(wrong):
    """Catches a number that is noticed after the data was read, or never."""
    with pytest.raises(InputError):
        small_training(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clips": 0}, {"outputs": 0}, {"clips": 1, "outputs": 1}, {"warm_up": -1}, {"dilations": ()}, {"dropout": 1.0},
        {"dilations": (1, 2), "outputs": 1}, {"last_rate": 0.0}, {"learning_rate": float("inf")}, {"bones": -1.0},
    ],
)  # fmt: skip
def test_semi_supervised_settings_that_nothing_can_be_trained_with(wrong):
    """Catches the same where it is learned from videos as well."""
    with pytest.raises(InputError):
        replace(SEMI_SETTINGS, **wrong)
