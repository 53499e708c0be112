from __future__ import annotations

import pytest
from bodies import motion_file, small_training

from mocap3d import cli
from mocap3d.lift.lifter_weights import load_weights
from mocap3d.train import lifter
from mocap3d.train.lifter import train_lifter
from mocap3d.train.lifter_settings import HUMAN36M_HELD_OUT, cmu_settings, human36m_settings


def run(monkeypatch, *arguments):
    """The exit code of a command line."""
    monkeypatch.setattr("sys.argv", ["mocap3d", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as leaving:
        return leaving.code or 0
    return 0


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Settings and options that the command line would train with; nothing is trained."""
    calls = []

    def train(data, settings, folder, **options):
        calls.append((settings, options))
        return tmp_path / "lifter.npz"

    monkeypatch.setattr(lifter, "train_lifter", train)
    return calls


def test_options_become_settings(asked, monkeypatch, tmp_path):
    """Catches an option that is read and forgotten."""
    words = "--window 27 --causal --channels 256 --steps 300 --batch 64 --precision fp32 --compile --workers 2"
    people = ("--subjects", "a b", "--held-out", "c")
    assert run(monkeypatch, "train", "lifter", "x.h5", "-o", tmp_path / "r", *words.split(), *people) == 0
    settings, options = asked[0]
    assert settings == cmu_settings(
        dilations=(1, 3, 9),
        causal=True,
        channels=256,
        minutes=None,
        steps=300,
        batch=64,
        precision="fp32",
        compiled=True,
        subjects=("a", "b"),
        held_out=("c",),
    )
    assert (options["workers"], options["resume"], options["device"]) == (2, False, "cpu")


def test_protocols(asked, monkeypatch, tmp_path):
    """Catches a protocol of Human3.6M with other people, frame rate or points."""
    train = ("train", "lifter", "x.h5", "-o", tmp_path / "r")
    run(monkeypatch, *train)
    run(monkeypatch, *train, "--protocol", "human36m")
    run(monkeypatch, *train, "--protocol", "human36m", "--points", "coco-17")
    assert [settings for settings, _ in asked] == [cmu_settings(), human36m_settings(), human36m_settings("coco-17")]
    assert asked[1][0].held_out == HUMAN36M_HELD_OUT
    assert asked[1][0].examples.fps == 50


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--window", "28"), "1, 9, 27, 81, 243"),
        (("--minutes", "1", "--steps", "5"), "choose one"),
        (("--protocol", "mars"), "cmu, human36m"),
        (("--steps", "0"), "nothing can be trained"),
        (("--resume", "--channels", "8", "--compile"), "leave out --channels, --compile"),
        (("--resume",), "there is no"),
        (("--threads", "0"), "at least one thread"),
        (("--subjects", "09"), "reserved"),
    ],
)
def test_nonsense_is_explained(words, said, asked, monkeypatch, tmp_path, capsys):
    """Catches an option that is overruled without a word, and a traceback in place of an explanation."""
    assert run(monkeypatch, "train", "lifter", "x.h5", "-o", tmp_path / "r", *words) == 1
    assert said in capsys.readouterr().err
    assert not asked


def test_an_interrupted_run_goes_on_and_is_exported(monkeypatch, tmp_path, capsys):
    """Catches a checkpoint of which nobody says how to go on with it, and one that no file can be made of."""
    data, folder, out = motion_file(tmp_path / "m.h5"), tmp_path / "run", tmp_path / "w.npz"
    take_step = lifter.take_step

    def step_and_interrupt(running, pool):
        take_step(running, pool)
        if running.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(lifter, "take_step", step_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_lifter(data, small_training(), folder, workers=0, report_every=2)
    assert run(monkeypatch, "train", "lifter", data, "-o", folder, "--resume", "--workers", "0") == 130
    assert f"mocap3d train lifter {data} -o {folder} --resume" in capsys.readouterr().err
    assert run(monkeypatch, "train", "export", data, folder, "-o", out) == 0
    assert load_weights(out).meta.trained["steps"] == 2
    monkeypatch.setattr(lifter, "take_step", take_step)
    assert run(monkeypatch, "train", "lifter", data, "-o", folder, "--resume", "--workers", "0") == 0
    assert load_weights(folder / "lifter.npz").meta.trained["steps"] == 6
