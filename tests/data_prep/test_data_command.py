"""`mocap3d data prepare` and `mocap3d data one-body`, from the command line."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from bvh_people import bvh_text
from mocap3d.data_prep.motion_read import read_sequences

from mocap3d.base.skeletons import LIFTER_20
from mocap3d.cli import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; gives its exit code, what it printed and what it complained of."""

    def once(*words):
        monkeypatch.setattr(sys, "argv", ["mocap3d", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return once


@pytest.fixture
def takes(tmp_path):
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "walk.bvh").write_text(bvh_text(rows=[{}, {"y": 3.0}, {"y": 4.0}]))
    return tmp_path / "takes"


def forearm_m(path):
    xyz_m = next(read_sequences(path)).xyz_m
    return np.linalg.norm(xyz_m[:, LIFTER_20.index("left_wrist")] - xyz_m[:, LIFTER_20.index("left_elbow")], axis=-1)


def test_bodies_are_their_own_or_one(run, takes, tmp_path):
    """Catches options that do not reach the data set, and a file under another name than the one that is printed."""
    own, one, later = (tmp_path / name for name in ("own.h5", "one.h5", "later.h5"))
    code, printed, complaints = run("data", "prepare", "bvh", "--source", takes, "-o", own, "--licence", "CC0")
    assert (code, printed) == (0, f"{own}\n")
    assert complaints == "note: takes: taken as names of HumanIK, Mixamo, 1 unit = 1 cm\n"
    assert next(read_sequences(own)).licence == "CC0"
    assert run("data", "prepare", "bvh", "--source", takes, "-o", one, "--one-body")[0] == 0
    assert run("data", "one-body", own, "-o", later)[0] == 0
    np.testing.assert_allclose(forearm_m(own), 0.26 * 1.70 * 0.491 / 0.87, atol=1e-3)
    np.testing.assert_allclose([forearm_m(one), forearm_m(later)], 0.295, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nosuch",), "unknown data set 'nosuch'; there are: cmu, bvh, hdm05, human36m, mpi-inf-3dhp"),
        (("cmu", "--joints", "human36m-17", "--licence", "x"), "cmu has no choice of --joints, --licence"),
        (("bvh", "--joints", "coco-17"), "not to coco-17"),
        (("bvh", "--joints", "nosuch"), "no skeleton is called 'nosuch'"),
        (("mpi-inf-3dhp",), "no S1/Seq1/annot.mat"),
        (("hdm05",), "no .npz and no .amc"),
    ],
)
def test_what_does_not_go_together_is_told(words, complaint, run, takes, tmp_path):
    """Catches an option that is silently ignored, and a traceback."""
    code, _, complaints = run("data", "prepare", *words, "--source", takes, "-o", tmp_path / "o.h5")
    assert code == 1
    assert complaint in complaints
    assert "Traceback" not in complaints
    assert not (tmp_path / "o.h5").exists()
